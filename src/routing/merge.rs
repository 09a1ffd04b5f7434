//! User-defined routes over what the VNet has: who wins at a prefix, and what Azure still shows.

use std::collections::BTreeMap;
use std::net::IpAddr;

use super::base::Base;
use super::route_table::RouteRows;
use super::selection::lies_inside;
use super::{Rejection, RouteRow};
use crate::azure::{NextHopType, RouteState, ServiceEndpointPriority};
use crate::net::AddressPrefix;

/// How the rules apply to one subnet.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) struct MergeOptions {
    /// How service endpoints rank.
    pub(super) service_endpoint_priority: ServiceEndpointPriority,
    /// The subnet is the GatewaySubnet of an active/active VPN gateway.
    pub(super) is_active_active_gateway: bool,
}

/// Lays user-defined routes over a VNet's rows.
///
/// At one prefix User wins over gateway, gateway over Default (documented). What loses is shown
/// as Azure shows it (seen in published outputs): a VNet, peering, Internet, private-endpoint or
/// gateway row stays as Invalid; a row to `None` is not shown any more.
///
/// Cost: linear in the user-defined routes and the rows that they change, with one binary search
/// for each route and VNet with private endpoints.
///
/// Source: Microsoft, "Virtual network traffic routing", §How Azure selects a route (read
/// 2026-11-20).
pub(super) fn merge(base: &Base, user_rows: &[RouteRow], options: MergeOptions) -> RouteRows {
    let mut merge = Merge { base, own: user_rows.to_vec(), changed: BTreeMap::new() };
    merge.reject_user_rows(options);
    merge.override_equal_prefixes();
    merge.decide_none_blocks();
    merge.invalidate_private_endpoints();
    merge.finish()
}

struct Merge<'b> {
    base: &'b Base,
    own: Vec<RouteRow>,
    changed: BTreeMap<u32, RouteRow>,
}

impl Merge<'_> {
    /// The user-defined routes that are not used:
    ///
    /// * An IPv6 route to a gateway. (Documented as not supported.)
    /// * One at the prefix of a service endpoint; with `absolute` one inside it, too. (Decision: the
    ///   published sources contradict each other.)
    /// * A host route for a private endpoint on the subnet of an active/active VPN gateway, unless
    ///   route tables apply to the endpoint's subnet. (Seen in a published output; the exception is
    ///   a decision.)
    fn reject_user_rows(&mut self, options: MergeOptions) {
        for row in self.own.iter_mut().filter(|row| row.rejected.is_none()) {
            let Some(prefix) = row.prefix() else { continue };
            let is_to_gateway = row.next_hop_type == NextHopType::VirtualNetworkGateway;
            let rejection = if is_to_gateway && !prefix.is_ipv4() {
                Some(Rejection::Ipv6GatewayNextHop)
            } else if is_service_endpoint(self.base, prefix, options.service_endpoint_priority) {
                Some(Rejection::ServiceEndpointPreferred)
            } else if options.is_active_active_gateway && is_bypassed_endpoint(self.base, prefix) {
                Some(Rejection::GatewayIgnoresUdrOverPrivateEndpoint)
            } else {
                None
            };
            if rejection.is_some() {
                row.state = RouteState::Invalid;
                row.rejected = rejection;
            }
        }
    }

    fn override_equal_prefixes(&mut self) {
        for row in self.own.iter().filter(|row| row.rejected.is_none()) {
            let Some(prefix) = row.prefix() else { continue };
            for &index in self.base.at(prefix) {
                let loser = self.base.row(index);
                let is_hidden_none = loser.rejected == Some(Rejection::DefaultRouteOverridden);
                if loser.rejected.is_none() || is_hidden_none {
                    self.changed.insert(index, overridden(loser));
                }
            }
            if let Some(endpoint) = host_of(prefix).and_then(|ip| self.base.endpoint_at(ip)) {
                let loser = overridden(self.base.row(endpoint.index));
                self.changed.insert(endpoint.index, loser);
            }
        }
    }

    /// A private endpoint's row is Invalid where route tables apply to its subnet and the best other
    /// route to it is a user-defined one that is at least as long as the prefix of its VNet.
    ///
    /// Where the VNet's prefix is in the table, nothing but a user-defined route can be longer, and
    /// at the same prefix the user-defined route wins. Where it is not (peering routes disabled, or
    /// not synchronised), a gateway's row may be longer, and then it is the best other route; as may
    /// be the row of a reserved block inside a VNet of a very short prefix.
    /// (Documented, and seen in published outputs. The page's three wordings of the condition
    /// contradict each other; the outputs decide.)
    ///
    /// Source: Microsoft, "Manage network policies for private endpoints" (read 2026-11-20).
    fn invalidate_private_endpoints(&mut self) {
        let mut found = Vec::new();
        for row in self.own.iter().filter(|row| row.rejected.is_none()) {
            let Some(prefix) = row.prefix() else { continue };
            self.base.endpoints_in(prefix, |endpoint| {
                let is_long = prefix.length() >= endpoint.space_length;
                if endpoint.applies_route_tables
                    && is_long
                    && !self.has_better_route(endpoint.address, prefix)
                {
                    found.push(endpoint.index);
                }
            });
        }
        for index in found {
            self.changed.entry(index).or_insert_with(|| RouteRow {
                state: RouteState::Invalid,
                rejected: Some(Rejection::PrivateEndpointInvalidatedByUdr),
                ..self.base.row(index).clone()
            });
        }
    }

    /// Returns true where a row that is no user's and no private endpoint's is used for an address
    /// before a user-defined route.
    fn has_better_route(&self, address: IpAddr, user_prefix: AddressPrefix) -> bool {
        let is_host = AddressPrefix::host(address) == user_prefix;
        let is_used = |index: u32| {
            let row = self.changed.get(&index).unwrap_or_else(|| self.base.row(index));
            row.rejected.is_none() && !row.is_absent
        };
        (!is_host && self.base.has_gateway_host(address))
            || self.base.longer_foreign_rows(address, user_prefix.length()).any(is_used)
    }

    /// The rows of reserved blocks follow the `0.0.0.0/0` that wins: they are gone when it goes to
    /// an appliance or a gateway, and there when it goes to the Internet or to `None`, also where
    /// it took the place of a gateway's. (Documented for an appliance, seen in published outputs for
    /// appliance, gateway and `None`; for the Internet a decision.)
    ///
    /// Source: Microsoft, "Virtual network traffic routing", §Routing example (read 2026-11-20).
    fn decide_none_blocks(&mut self) {
        let is_default = |row: &&RouteRow| {
            row.rejected.is_none() && row.prefix() == Some(AddressPrefix::IPV4_ALL)
        };
        let Some(default) = self.own.iter().find(is_default) else { return };
        let keeps_none = matches!(default.next_hop_type, NextHopType::Internet | NextHopType::None);
        for &index in self.base.none_rows() {
            let row = self.base.row(index);
            let is_overridden = row.rejected == Some(Rejection::DefaultRouteOverridden);
            if self.changed.contains_key(&index) || (row.is_absent && !is_overridden) {
                continue;
            }
            if keeps_none == row.is_absent {
                self.changed.insert(index, with_none_block_shown(row, keeps_none));
            }
        }
    }

    fn finish(self) -> RouteRows {
        let Self { base, mut own, changed } = self;
        let (replaced, rows): (Vec<u32>, Vec<RouteRow>) = changed.into_iter().unzip();
        own.extend(rows);
        RouteRows::layered(base.chunks().cloned().collect(), replaced, own)
    }
}

/// A row that lost at its own prefix to a user-defined route.
fn overridden(row: &RouteRow) -> RouteRow {
    RouteRow {
        state: RouteState::Invalid,
        is_absent: row.next_hop_type == NextHopType::None,
        rejected: Some(Rejection::SourcePriority),
        ..row.clone()
    }
}

fn with_none_block_shown(row: &RouteRow, is_shown: bool) -> RouteRow {
    RouteRow {
        is_absent: !is_shown,
        rejected: (!is_shown).then_some(Rejection::DefaultRouteOverridden),
        ..row.clone()
    }
}

fn is_service_endpoint(
    base: &Base,
    prefix: AddressPrefix,
    priority: ServiceEndpointPriority,
) -> bool {
    base.services.iter().any(|service| match priority {
        ServiceEndpointPriority::Lpm => service.prefixes.contains(&prefix),
        ServiceEndpointPriority::Absolute => lies_inside(prefix, &service.prefixes),
    })
}

fn is_bypassed_endpoint(base: &Base, prefix: AddressPrefix) -> bool {
    host_of(prefix)
        .and_then(|address| base.endpoint_at(address))
        .is_some_and(|endpoint| !endpoint.applies_route_tables)
}

fn host_of(prefix: AddressPrefix) -> Option<IpAddr> {
    (AddressPrefix::host(prefix.address()) == prefix).then(|| prefix.address())
}
