//! One row of an effective route table, as Azure exports it.

use std::net::IpAddr;

use smallvec::SmallVec;

use crate::net::AddressPrefix;

/// The addresses of a next hop; one for most routes, several for equal-cost routes.
pub type NextHopIps = SmallVec<[IpAddr; 2]>;

/// One row of an effective route table: the routes that Azure computed for one NIC.
///
/// A row holds *several* prefixes (a service endpoint's hundreds), although Azure calls the field
/// `addressPrefix`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct EffectiveRoute {
    /// Who made the route.
    pub source: RouteSource,
    /// Whether Azure uses the row.
    pub state: RouteState,
    /// What the row matches.
    pub destinations: Vec<RouteDestination>,
    /// What the row does with a packet.
    pub next_hop_type: NextHopType,
    /// Where it sends the packet; empty for most types.
    pub next_hop_ips: NextHopIps,
    /// The name of the user-defined route, where the export tells it.
    pub name: Option<String>,
    /// `disableBgpRoutePropagation` of the row, where the export tells it. Kept as exported.
    pub disable_bgp_route_propagation: Option<bool>,
    /// `hasBgpOverride` of the row, where the export tells it. Kept as exported.
    pub has_bgp_override: Option<bool>,
}

/// What a row matches.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum RouteDestination {
    /// An address prefix.
    Prefix(AddressPrefix),
    /// The name of a service tag whose prefixes are not known.
    ServiceTag(String),
}

/// Who made a route: Azure's `source`.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum RouteSource {
    /// A system route.
    Default,
    /// A user-defined route.
    User,
    /// A route learned by a gateway, a Route Server or a virtual hub.
    VirtualNetworkGateway,
    /// Any other word, kept as Azure wrote it.
    Other(String),
}

/// Whether Azure uses a row: Azure's `state`.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum RouteState {
    /// Used.
    Active,
    /// Shown, and not used.
    Invalid,
    /// Any other word, kept as Azure wrote it; such a row is not used.
    Other(String),
}

/// What a route does with a packet, in Azure's own words.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum NextHopType {
    /// Inside the VNet.
    VnetLocal,
    /// To a peered VNet of the region.
    VNetPeering,
    /// To a peered VNet of another region.
    VNetGlobalPeering,
    /// To a VPN or ExpressRoute gateway, a Route Server's peer or a virtual hub.
    VirtualNetworkGateway,
    /// Out to the Internet, or to Azure's public services over the backbone.
    Internet,
    /// To the address of a network virtual appliance or firewall.
    VirtualAppliance,
    /// To a set of such addresses.
    VirtualApplianceEcmp,
    /// Dropped.
    None,
    /// To a service over a service endpoint.
    VirtualNetworkServiceEndpoint,
    /// To a private endpoint.
    InterfaceEndpoint,
    /// To a VNet of the same Virtual Network Manager mesh.
    ConnectedGroup,
    /// Any other word, kept as Azure wrote it.
    Other(String),
}
