//! The route table that one source of packets uses, with every decision of the selection.

use crate::azure::{NextHopIps, NextHopType, RouteDestination, RouteSource, RouteState};
use crate::net::AddressPrefix;

/// The effective routes of one subnet or NIC after selection.
#[derive(Clone, Debug)]
pub struct RouteTable {
    /// `RouteTableId`: the shortest unique name.
    pub id: String,
    /// Where the rows come from.
    pub basis: RouteTableBasis,
    /// One row for each destination, in the order of the export.
    pub rows: Vec<RouteRow>,
}

/// Where a table's rows come from.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum RouteTableBasis {
    /// Exported from Azure.
    Exported,
    /// Computed from exported resources.
    Computed,
}

/// One destination of one effective route, and what the selection decided about it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RouteRow {
    /// What the row matches.
    pub destination: RouteDestination,
    /// Who made it.
    pub source: RouteSource,
    /// Azure's word.
    pub state: RouteState,
    /// Azure's word.
    pub next_hop_type: NextHopType,
    /// The hop's addresses.
    pub next_hop_ips: NextHopIps,
    /// The name of the user-defined route.
    pub name: Option<String>,
    /// Why packets for this exact prefix never use the row; `None` where they do.
    pub rejected: Option<Rejection>,
}

/// Why a row lost at its own prefix: the stable reason codes.
///
/// A row that holds a destination and was not rejected can still lose to a longer prefix, which
/// depends on the destination and is said by [`RouteTable::explain`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[non_exhaustive]
pub enum Rejection {
    /// Azure shows the row as Invalid.
    StateInvalid,
    /// At the same prefix a source of higher rank won: User, then gateway, then Default.
    SourcePriority,
    /// A gateway's row inside a VNet, peering or service-endpoint prefix.
    SystemPreferredOverBgp,
    /// At the same prefix a service endpoint won over a user-defined route.
    ServiceEndpointPreferred,
    /// The row names a service tag whose prefixes are not known.
    UnresolvedServiceTag,
}

impl RouteRow {
    /// Returns the row's prefix; `None` for a service tag.
    pub fn prefix(&self) -> Option<AddressPrefix> {
        match self.destination {
            RouteDestination::Prefix(prefix) => Some(prefix),
            RouteDestination::ServiceTag(_) => None,
        }
    }
}

impl RouteTableBasis {
    /// Returns the word that stands in every output.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Exported => "exported",
            Self::Computed => "computed",
        }
    }
}

impl Rejection {
    /// Returns the stable reason code.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::StateInvalid => "state_invalid",
            Self::SourcePriority => "source_priority",
            Self::SystemPreferredOverBgp => "system_preferred_over_bgp",
            Self::ServiceEndpointPreferred => "service_endpoint_preferred",
            Self::UnresolvedServiceTag => "unresolved_service_tag",
        }
    }
}
