//! What a route means to its packets: the next hop and its class.

use std::fmt;

use crate::azure::{NextHopIps, NextHopType};

/// Our class of a next hop, from who *owns* its address and never from Azure's type alone.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum NextHopClass {
    /// An Azure Firewall, or an appliance that the snapshot names as firewall.
    Firewall,
    /// A network virtual appliance not named as firewall, or a hop outside the snapshot.
    Appliance,
    /// A VPN or ExpressRoute gateway, or a virtual hub's router.
    Gateway,
    /// Inside the VNet.
    Vnet,
    /// A peered VNet.
    Peering,
    /// A private endpoint.
    PrivateEndpoint,
    /// A service endpoint.
    ServiceEndpoint,
    /// The Internet.
    Internet,
    /// A route to `None`, or to a hop that cannot exist.
    Dropped,
    /// No row matched.
    NoRoute,
    /// An address that the platform answers itself.
    Platform,
    /// App Service traffic that never enters the VNet.
    OutsideVnet,
    /// Equal-cost hops of different classes.
    Mixed,
    /// Not known, with a reason.
    Unknown,
}

/// Where a route sends a packet.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct NextHop {
    /// Azure's word.
    pub next_hop_type: NextHopType,
    /// The addresses, sorted, each once.
    pub ips: NextHopIps,
    /// The name of who owns the addresses, where the snapshot tells it.
    pub name: Option<String>,
    /// Our class.
    pub class: NextHopClass,
    /// Why the class is not the plain one, as a stable code: `phantom_next_hop`, `owner_unknown`,
    /// `next_hop_outside_snapshot`, `phantom_gateway`, `unsupported_combination`.
    pub reason: Option<&'static str>,
}

impl NextHopClass {
    /// Every class, in the order of the documentation.
    pub const ALL: [Self; 14] = [
        Self::Firewall,
        Self::Appliance,
        Self::Gateway,
        Self::Vnet,
        Self::Peering,
        Self::PrivateEndpoint,
        Self::ServiceEndpoint,
        Self::Internet,
        Self::Dropped,
        Self::NoRoute,
        Self::Platform,
        Self::OutsideVnet,
        Self::Mixed,
        Self::Unknown,
    ];

    /// Returns the word that stands in every output.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Firewall => "firewall",
            Self::Appliance => "appliance",
            Self::Gateway => "gateway",
            Self::Vnet => "vnet",
            Self::Peering => "peering",
            Self::PrivateEndpoint => "private_endpoint",
            Self::ServiceEndpoint => "service_endpoint",
            Self::Internet => "internet",
            Self::Dropped => "dropped",
            Self::NoRoute => "no_route",
            Self::Platform => "platform",
            Self::OutsideVnet => "outside_vnet",
            Self::Mixed => "mixed",
            Self::Unknown => "unknown",
        }
    }
}

impl fmt::Display for NextHopClass {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}
