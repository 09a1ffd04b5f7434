//! One row of an effective route table, as Azure exports it, and Azure's words in it.
//!
//! Azure writes one thing in many ways: the API's words, the portal's, Network Watcher's and those
//! of the classic deployment model. Each is read as the word of the API; case, spaces, hyphens and
//! underscores do not matter. A word that is not known is kept as it was written.
//!
//! Source: Microsoft, "Virtual network traffic routing", "Diagnose a virtual machine routing
//! problem", "Next hop overview" and the Routes REST reference (read 2026-11-20).

use std::fmt;
use std::net::IpAddr;

use smallvec::SmallVec;

use super::word::folded;
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

impl fmt::Display for RouteDestination {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Prefix(prefix) => fmt::Display::fmt(prefix, f),
            Self::ServiceTag(tag) => f.write_str(tag),
        }
    }
}

impl RouteSource {
    /// Returns Azure's word; an unknown one as it was written, and an absent one as no text.
    pub fn as_str(&self) -> &str {
        match self {
            Self::Default => "Default",
            Self::User => "User",
            Self::VirtualNetworkGateway => "VirtualNetworkGateway",
            Self::Other(word) => word,
        }
    }
}

impl From<&str> for RouteSource {
    /// Reads Azure's word in any spelling.
    ///
    /// # Examples
    ///
    /// ```
    /// use nexthop::azure::RouteSource;
    ///
    /// assert_eq!(RouteSource::from("Virtual network gateway"), RouteSource::VirtualNetworkGateway);
    /// assert_eq!(RouteSource::from("Unknown").as_str(), "Unknown");
    /// ```
    fn from(word: &str) -> Self {
        match folded(word).as_str() {
            "default" => Self::Default,
            "user" => Self::User,
            "virtualnetworkgateway" | "vpngateway" => Self::VirtualNetworkGateway,
            _ => Self::Other(word.to_owned()),
        }
    }
}

impl fmt::Display for RouteSource {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

impl RouteState {
    /// Returns Azure's word; an unknown one as it was written.
    pub fn as_str(&self) -> &str {
        match self {
            Self::Active => "Active",
            Self::Invalid => "Invalid",
            Self::Other(word) => word,
        }
    }
}

impl From<&str> for RouteState {
    /// Reads Azure's word in any spelling.
    ///
    /// # Examples
    ///
    /// ```
    /// use nexthop::azure::RouteState;
    ///
    /// assert_eq!(RouteState::from("ACTIVE"), RouteState::Active);
    /// assert_eq!(RouteState::from("Pending"), RouteState::Other("Pending".to_owned()));
    /// ```
    fn from(word: &str) -> Self {
        match folded(word).as_str() {
            "active" => Self::Active,
            "invalid" => Self::Invalid,
            _ => Self::Other(word.to_owned()),
        }
    }
}

impl fmt::Display for RouteState {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

impl NextHopType {
    /// Returns Azure's word as the API spells it; an unknown one as it was written.
    pub fn as_str(&self) -> &str {
        match self {
            Self::VnetLocal => "VnetLocal",
            Self::VNetPeering => "VNetPeering",
            Self::VNetGlobalPeering => "VNetGlobalPeering",
            Self::VirtualNetworkGateway => "VirtualNetworkGateway",
            Self::Internet => "Internet",
            Self::VirtualAppliance => "VirtualAppliance",
            Self::VirtualApplianceEcmp => "VirtualApplianceEcmp",
            Self::None => "None",
            Self::VirtualNetworkServiceEndpoint => "VirtualNetworkServiceEndpoint",
            Self::InterfaceEndpoint => "InterfaceEndpoint",
            Self::ConnectedGroup => "ConnectedGroup",
            Self::Other(word) => word,
        }
    }
}

impl From<&str> for NextHopType {
    /// Reads Azure's word in any spelling.
    ///
    /// # Examples
    ///
    /// ```
    /// use nexthop::azure::NextHopType;
    ///
    /// assert_eq!(NextHopType::from("VNetLocal"), NextHopType::VnetLocal);
    /// assert_eq!(NextHopType::from("Virtual network"), NextHopType::VnetLocal);
    /// assert_eq!(NextHopType::from("VPNGateway"), NextHopType::VirtualNetworkGateway);
    /// assert_eq!(NextHopType::from("MicrosoftEdge").as_str(), "MicrosoftEdge");
    /// ```
    fn from(word: &str) -> Self {
        match folded(word).as_str() {
            "vnetlocal" | "virtualnetwork" => Self::VnetLocal,
            "vnetpeering" | "virtualnetworkpeering" => Self::VNetPeering,
            "vnetglobalpeering" | "virtualnetworkglobalpeering" => Self::VNetGlobalPeering,
            "virtualnetworkgateway" | "vpngateway" => Self::VirtualNetworkGateway,
            "internet" => Self::Internet,
            "virtualappliance" => Self::VirtualAppliance,
            "virtualapplianceecmp" => Self::VirtualApplianceEcmp,
            "none" | "null" => Self::None,
            "virtualnetworkserviceendpoint" | "vnetserviceendpoint" => {
                Self::VirtualNetworkServiceEndpoint
            }
            "interfaceendpoint" => Self::InterfaceEndpoint,
            "connectedgroup" => Self::ConnectedGroup,
            _ => Self::Other(word.to_owned()),
        }
    }
}

impl fmt::Display for NextHopType {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_published_spelling_of_a_next_hop_type_is_one_word() {
        for (want, spellings) in [
            (
                NextHopType::VnetLocal,
                "VnetLocal|VNetLocal|VNETLocal|Virtual network|VirtualNetwork",
            ),
            (
                NextHopType::VNetPeering,
                "VNetPeering|VNet peering|Virtual network peering|VirtualNetworkPeering|VnetPeering",
            ),
            (NextHopType::VNetGlobalPeering, "VNetGlobalPeering|VNet global peering"),
            (
                NextHopType::VirtualNetworkGateway,
                "VirtualNetworkGateway|Virtual network gateway|VPNGateway",
            ),
            (NextHopType::Internet, "Internet|internet|INTERNET"),
            (NextHopType::VirtualAppliance, "VirtualAppliance|Virtual appliance"),
            (NextHopType::VirtualApplianceEcmp, "VirtualApplianceEcmp"),
            (NextHopType::None, "None|none|Null"),
            (
                NextHopType::VirtualNetworkServiceEndpoint,
                "VirtualNetworkServiceEndpoint|Virtual network service endpoint",
            ),
            (NextHopType::InterfaceEndpoint, "InterfaceEndpoint"),
            (NextHopType::ConnectedGroup, "ConnectedGroup"),
        ] {
            for spelling in spellings.split('|') {
                assert_eq!(NextHopType::from(spelling), want, "{spelling}");
            }
            assert_eq!(spellings.split('|').next(), Some(want.as_str()));
        }
    }

    #[test]
    fn unknown_words_keep_their_spelling() {
        for word in ["HyperNetGateway", "MicrosoftEdge", "Azure Firewall", "vnet_Local2", ""] {
            assert_eq!(NextHopType::from(word), NextHopType::Other(word.to_owned()));
            assert_eq!(RouteSource::from(word).as_str(), word);
            assert_eq!(RouteState::from(word).as_str(), word);
        }
    }

    #[test]
    fn sources_and_states() {
        for (word, want) in [
            ("default", RouteSource::Default),
            ("USER", RouteSource::User),
            ("Virtual network gateway", RouteSource::VirtualNetworkGateway),
            ("VPNGateway", RouteSource::VirtualNetworkGateway),
            ("VnetLocal", RouteSource::Other("VnetLocal".to_owned())),
        ] {
            assert_eq!(RouteSource::from(word), want, "{word}");
        }
        assert_eq!(RouteState::from("invalid"), RouteState::Invalid);
    }
}
