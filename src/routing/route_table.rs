//! The route table that one source of packets uses, with every decision of the selection.

use std::sync::Arc;

use super::ScopeId;
use crate::azure::{NextHopIps, NextHopType, RouteDestination, RouteSource, RouteState};
use crate::net::AddressPrefix;

/// The effective routes of one subnet or NIC after selection.
#[derive(Clone, Debug)]
pub struct RouteTable {
    /// `RouteTableId`: the shortest unique name.
    pub id: String,
    /// Where the rows come from.
    pub basis: RouteTableBasis,
    /// The network that the table's packets start in, where the snapshot tells it: it decides who
    /// owns a next hop.
    pub scope: Option<ScopeId>,
    /// Only private addresses and service endpoints are looked up; the rest never enters the VNet:
    /// the subnet serves App Service sites that do not route all of their traffic into it.
    pub is_private_only: bool,
    rows: RouteRows,
}

/// The rows of a table. Those that many tables share are stored once, which keeps thousands of
/// subnets beside thousands of private endpoints small.
#[derive(Clone, Debug, Default)]
pub(super) struct RouteRows {
    shared: Arc<[Arc<[RouteRow]>]>,
    /// The numbers of shared rows that `own` replaces, ascending, counted through all chunks.
    replaced: Arc<[u32]>,
    own: Arc<[RouteRow]>,
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
    /// Azure's word; meaningless where `is_absent`.
    pub state: RouteState,
    /// Azure would not show the row: it was left out of a computed table.
    pub is_absent: bool,
    /// Azure's word.
    pub next_hop_type: NextHopType,
    /// The hop's addresses.
    pub next_hop_ips: NextHopIps,
    /// The name of the user-defined route.
    pub name: Option<Arc<str>>,
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
    /// At the same prefix a route without a service tag, or of a more specific tag, won.
    ServiceTagPriority,
    /// A private endpoint's row that a user-defined route overrides, because route tables apply to
    /// its subnet.
    PrivateEndpointInvalidatedByUdr,
    /// A user-defined route for a private endpoint's address on the subnet of an active/active VPN
    /// gateway.
    GatewayIgnoresUdrOverPrivateEndpoint,
    /// A gateway's row on a subnet whose route table disables propagation.
    PropagationDisabled,
    /// A peering's row on a subnet whose route table disables peering routes.
    PeeringRouteDisabled,
    /// A user-defined IPv6 route to a gateway.
    Ipv6GatewayNextHop,
    /// A reserved block's row to None beside a default route that is not the system's.
    DefaultRouteOverridden,
    /// A reserved block's row to None that the VNet's address space contains.
    InsideAddressSpace,
}

impl RouteTable {
    /// Makes a table of selected rows.
    pub fn new(id: impl Into<String>, basis: RouteTableBasis, rows: Vec<RouteRow>) -> Self {
        let rows = RouteRows { own: rows.into(), ..RouteRows::default() };
        Self::of_rows(id.into(), basis, rows)
    }

    pub(super) fn of_rows(id: String, basis: RouteTableBasis, rows: RouteRows) -> Self {
        Self { id, basis, scope: None, is_private_only: false, rows }
    }

    /// Returns every row: of an export in its order, of a computed table those of the system, the
    /// gateways and the user, among them rows that Azure would not show.
    pub fn rows(&self) -> impl Iterator<Item = &RouteRow> {
        self.rows.iter()
    }

    /// Returns the rows that Azure shows.
    pub fn shown_rows(&self) -> impl Iterator<Item = &RouteRow> {
        self.rows().filter(|row| !row.is_absent)
    }
}

impl RouteRows {
    /// Takes chunks of rows that other tables share, the numbers of those that `own` replaces,
    /// ascending, and rows of the table's own.
    pub(super) fn layered(
        shared: Arc<[Arc<[RouteRow]>]>,
        replaced: Vec<u32>,
        own: Vec<RouteRow>,
    ) -> Self {
        debug_assert!(replaced.is_sorted());
        Self { shared, replaced: replaced.into(), own: own.into() }
    }

    fn iter(&self) -> impl Iterator<Item = &RouteRow> {
        let mut replaced = self.replaced.iter().copied().peekable();
        let kept = (0u32..)
            .zip(self.shared.iter().flat_map(|chunk| chunk.iter()))
            .filter_map(move |(index, row)| replaced.next_if_eq(&index).is_none().then_some(row));
        kept.chain(self.own.iter())
    }
}

impl RouteRow {
    /// Makes a row that is used.
    pub(super) fn computed(
        source: RouteSource,
        prefix: AddressPrefix,
        next_hop_type: NextHopType,
    ) -> Self {
        Self {
            destination: RouteDestination::Prefix(prefix),
            source,
            state: RouteState::Active,
            is_absent: false,
            next_hop_type,
            next_hop_ips: NextHopIps::new(),
            name: None,
            rejected: None,
        }
    }

    /// Returns Azure's word for the row's state, or `Absent` for a row that Azure would not show.
    pub fn shown_state(&self) -> &str {
        if self.is_absent { "Absent" } else { self.state.as_str() }
    }

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
            Self::ServiceTagPriority => "service_tag_priority",
            Self::PrivateEndpointInvalidatedByUdr => "private_endpoint_invalidated_by_udr",
            Self::GatewayIgnoresUdrOverPrivateEndpoint => {
                "gateway_ignores_udr_over_private_endpoint"
            }
            Self::PropagationDisabled => "propagation_disabled",
            Self::PeeringRouteDisabled => "peering_route_disabled",
            Self::Ipv6GatewayNextHop => "ipv6_gateway_next_hop",
            Self::DefaultRouteOverridden => "default_route_overridden",
            Self::InsideAddressSpace => "inside_address_space",
        }
    }
}
