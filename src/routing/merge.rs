//! User-defined routes over what the VNet has: who wins at a prefix, and what Azure still shows.

use std::collections::BTreeMap;
use std::net::IpAddr;
use std::sync::Arc;

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
pub(super) fn merge(base: &Base, user_rows: &Arc<[RouteRow]>, options: MergeOptions) -> RouteRows {
    let mut merge =
        Merge { base, users: user_rows, rejected: BTreeMap::new(), changed: BTreeMap::new() };
    merge.reject_user_rows(options);
    merge.override_equal_prefixes();
    merge.decide_none_blocks();
    merge.invalidate_private_endpoints();
    merge.finish()
}

struct Merge<'b> {
    base: &'b Base,
    users: &'b Arc<[RouteRow]>,
    /// User-defined rows that this subnet does not use, by their numbers among them.
    rejected: BTreeMap<u32, RouteRow>,
    /// Rows of the base that are not what they were, by their numbers.
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
        for (index, row) in (0u32..).zip(self.users.iter()) {
            if row.rejected.is_some() {
                continue;
            }
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
                let loser =
                    RouteRow { state: RouteState::Invalid, rejected: rejection, ..row.clone() };
                self.rejected.insert(index, loser);
            }
        }
    }

    fn override_equal_prefixes(&mut self) {
        for prefix in used(self.users, &self.rejected).filter_map(RouteRow::prefix) {
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
    /// Only user-defined routes are longer than that prefix, and at the same prefix they win, so any
    /// such route will do; but where a route table keeps the peering's row out, a gateway's route may
    /// be the longest, and in a peered VNet that is larger than a reserved block, the block's. (Documented, and seen in published
    /// outputs. The page's three wordings of the condition contradict each other; the outputs
    /// decide.)
    ///
    /// Source: Microsoft, "Manage network policies for private endpoints" (read 2026-11-20).
    fn invalidate_private_endpoints(&mut self) {
        let none_blocks = self.none_blocks();
        for prefix in used(self.users, &self.rejected).filter_map(RouteRow::prefix) {
            self.base.endpoints_in(prefix, |endpoint| {
                let length = prefix.length();
                if endpoint.applies_route_tables
                    && length >= endpoint.space_length
                    && !self.base.has_longer_gateway_route(endpoint.address, length)
                    && !none_blocks
                        .iter()
                        .any(|block| block.length() > length && block.contains(endpoint.address))
                {
                    self.changed.entry(endpoint.index).or_insert_with(|| RouteRow {
                        state: RouteState::Invalid,
                        rejected: Some(Rejection::PrivateEndpointInvalidatedByUdr),
                        ..self.base.row(endpoint.index).clone()
                    });
                }
            });
        }
    }

    /// The rows of reserved blocks follow the `0.0.0.0/0` that wins: they are gone when it goes to
    /// an appliance or a gateway, and there when it goes to the Internet or to `None`, also where
    /// it took the place of a gateway's. (Documented for an appliance, seen in published outputs for
    /// appliance, gateway and `None`; for the Internet a decision.)
    ///
    /// Source: Microsoft, "Virtual network traffic routing", §Routing example (read 2026-11-20).
    fn decide_none_blocks(&mut self) {
        let is_default = |row: &&RouteRow| row.prefix() == Some(AddressPrefix::IPV4_ALL);
        let Some(default) = used(self.users, &self.rejected).find(is_default) else { return };
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

    /// The reserved blocks that still have a row.
    fn none_blocks(&self) -> Vec<AddressPrefix> {
        let rows = self.base.none_rows().iter();
        rows.map(|index| self.changed.get(index).unwrap_or_else(|| self.base.row(*index)))
            .filter(|row| !row.is_absent)
            .filter_map(RouteRow::prefix)
            .collect()
    }

    /// The rows of the base, then the user-defined ones, less those that are not what they were.
    fn finish(self) -> RouteRows {
        let Self { base, users, rejected, changed } = self;
        let mut chunks: Vec<Arc<[RouteRow]>> = base.chunks().cloned().collect();
        let base_count: usize = chunks.iter().map(|chunk| chunk.len()).sum();
        let first_user = u32::try_from(base_count).expect("rows are far below 2^32");
        chunks.push(Arc::clone(users));
        let rejected = rejected.into_iter().map(|(index, row)| (first_user + index, row));
        let (replaced, own) = changed.into_iter().chain(rejected).unzip();
        RouteRows::layered(chunks.into(), replaced, own)
    }
}

/// The user-defined rows that the subnet uses.
fn used<'r>(
    users: &'r [RouteRow],
    rejected: &'r BTreeMap<u32, RouteRow>,
) -> impl Iterator<Item = &'r RouteRow> {
    (0u32..)
        .zip(users)
        .filter(|(index, row)| row.rejected.is_none() && !rejected.contains_key(index))
        .map(|(_, row)| row)
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
