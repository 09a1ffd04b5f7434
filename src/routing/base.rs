//! What all subnets of a VNet have in common: the rows of the system, the peerings and the gateways,
//! decided as if there were no user-defined route.

use std::net::IpAddr;
use std::sync::Arc;

use ahash::{AHashMap, AHashSet};
use smallvec::SmallVec;

use super::private_endpoints::Endpoints;
use super::selection::lies_inside;
use super::service_endpoints::ServicePrefixes;
use super::{Rejection, RouteRow};
use crate::azure::{NextHopType, RouteSource, RouteState};
use crate::net::AddressPrefix;

/// Rows being collected, found by prefix.
#[derive(Debug, Default)]
pub(super) struct Draft {
    rows: Vec<RouteRow>,
    by_prefix: AHashMap<AddressPrefix, SmallVec<[u32; 2]>>,
}

/// The rows of one kind of subnet of a VNet, in chunks that others share, before user-defined
/// routes.
#[derive(Debug)]
pub(super) struct Base {
    rows: Arc<[RouteRow]>,
    by_prefix: AHashMap<AddressPrefix, SmallVec<[u32; 2]>>,
    none_rows: Vec<u32>,
    /// The lengths of the rows that may be longer than a VNet's prefix, each once: those of gateways
    /// and of reserved blocks.
    foreign_lengths: Vec<u8>,
    /// The private endpoints' addresses that gateways have host routes to.
    gateway_hosts: AHashSet<IpAddr>,
    pub(super) services: Vec<Arc<ServicePrefixes>>,
    endpoints: Vec<Arc<Endpoints>>,
}

/// A private endpoint's row: where it stands in a [`Base`], and how its rule is judged.
#[derive(Clone, Copy, Debug)]
pub(super) struct EndpointRow {
    /// The number of the row.
    pub(super) index: u32,
    /// The endpoint's address.
    pub(super) address: IpAddr,
    /// Route tables apply to the endpoint's subnet.
    pub(super) applies_route_tables: bool,
    /// The length of the prefix of the endpoint's VNet that holds it.
    pub(super) space_length: u8,
}

impl Draft {
    pub(super) fn push(&mut self, row: RouteRow) {
        if let Some(prefix) = row.prefix() {
            let index = u32::try_from(self.rows.len()).expect("rows are far below 2^32");
            self.by_prefix.entry(prefix).or_default().push(index);
        }
        self.rows.push(row);
    }

    /// Takes away the row to `None` of a reserved block that a network's own prefix equals.
    pub(super) fn replace_none_block(&mut self, prefix: AddressPrefix) {
        for row in self.at(prefix).filter(|row| is_none_block(row) && !row.is_absent) {
            row.is_absent = true;
            row.rejected = Some(Rejection::InsideAddressSpace);
        }
    }

    fn at(&mut self, prefix: AddressPrefix) -> impl Iterator<Item = &mut RouteRow> {
        let indices = self.by_prefix.get(&prefix).cloned().unwrap_or_default();
        self.rows
            .iter_mut()
            .enumerate()
            .filter(move |(index, _)| indices.iter().any(|at| *at as usize == *index))
            .map(|(_, row)| row)
    }

    /// Decides between the rows.
    ///
    /// * A gateway's row inside or equal to a VNet, peering or service-endpoint prefix is not used,
    ///   although it may be longer, and also where that row itself loses to a user-defined route.
    ///   (Documented; the last part is a decision. How Azure shows such a row is not known; it
    ///   stands here as Invalid.)
    /// * A gateway's host route does not take a private endpoint's address either: the endpoint's
    ///   row wins unless a user-defined route does. (Inferred.)
    /// * A gateway's row takes the place of the system's row of the same prefix to the Internet or
    ///   to `None`: Azure does not show that one. (Seen in published outputs for `0.0.0.0/0`;
    ///   inferred for the blocks.)
    /// * Beside a gateway's `0.0.0.0/0` there are no rows to `None`. (Seen in published outputs.)
    ///
    /// Source: Microsoft, "Virtual network traffic routing", §How Azure selects a route (read
    /// 2026-11-20).
    pub(super) fn finish(
        mut self,
        services: Vec<Arc<ServicePrefixes>>,
        endpoints: Vec<Arc<Endpoints>>,
    ) -> Base {
        let networks: AHashSet<AddressPrefix> = self
            .rows
            .iter()
            .filter(|row| row.rejected.is_none() && is_network(&row.next_hop_type))
            .filter(|row| row.source == RouteSource::Default)
            .filter_map(RouteRow::prefix)
            .collect();
        let mut used_by_gateways = AHashSet::new();
        let mut gateway_hosts = AHashSet::new();
        for row in self.rows.iter_mut().filter(|row| is_used_gateway_row(row)) {
            let Some(prefix) = row.prefix() else { continue };
            let is_inside_service =
                services.iter().any(|service| lies_inside(prefix, &service.prefixes));
            let is_endpoint = AddressPrefix::host(prefix.address()) == prefix
                && endpoints.iter().any(|endpoints| !endpoints.positions_in(prefix).is_empty());
            let is_inside = is_inside_service || lies_inside(prefix, &networks);
            if is_endpoint && !is_inside {
                gateway_hosts.insert(prefix.address());
            }
            if is_inside || is_endpoint {
                row.state = RouteState::Invalid;
                row.rejected = Some(Rejection::SystemPreferredOverBgp);
            } else {
                used_by_gateways.insert(prefix);
            }
        }
        let has_gateway_default = used_by_gateways.contains(&AddressPrefix::IPV4_ALL);
        for row in self.rows.iter_mut().filter(|row| is_replaceable(row)) {
            if row.prefix().is_some_and(|prefix| used_by_gateways.contains(&prefix)) {
                row.is_absent = true;
                row.rejected = Some(Rejection::SourcePriority);
            } else if has_gateway_default && is_none_block(row) {
                row.is_absent = true;
                row.rejected = Some(Rejection::DefaultRouteOverridden);
            }
        }
        let blocks = self.rows.iter().filter(|row| is_none_block(row)).filter_map(RouteRow::prefix);
        let foreign = used_by_gateways.iter().copied().chain(blocks);
        let mut foreign_lengths: Vec<u8> = foreign.map(AddressPrefix::length).collect();
        foreign_lengths.sort_unstable();
        foreign_lengths.dedup();
        let none_rows = (0u32..)
            .zip(&self.rows)
            .filter(|(_, row)| is_none_block(row))
            .map(|(index, _)| index)
            .collect();
        Base {
            rows: self.rows.into(),
            by_prefix: self.by_prefix,
            none_rows,
            foreign_lengths,
            gateway_hosts,
            services,
            endpoints,
        }
    }
}

impl Base {
    /// Returns the row with a number. Numbers run through the chunks: first the VNet's own rows,
    /// then those of service endpoints, then those of private endpoints.
    pub(super) fn row(&self, index: u32) -> &RouteRow {
        let mut offset = index as usize;
        for chunk in self.chunks() {
            match chunk.get(offset) {
                Some(row) => return row,
                None => offset -= chunk.len(),
            }
        }
        unreachable!("row numbers come from this base")
    }

    /// Returns the chunks in the order of their numbers.
    pub(super) fn chunks(&self) -> impl Iterator<Item = &Arc<[RouteRow]>> {
        std::iter::once(&self.rows)
            .chain(self.services.iter().map(|service| &service.rows))
            .chain(self.endpoints.iter().map(|endpoints| &endpoints.rows))
    }

    /// Returns the numbers of the VNet's own rows of a prefix.
    pub(super) fn at(&self, prefix: AddressPrefix) -> &[u32] {
        self.by_prefix.get(&prefix).map_or(&[], |indices| indices.as_slice())
    }

    /// Returns the numbers of the rows of reserved blocks.
    pub(super) fn none_rows(&self) -> &[u32] {
        &self.none_rows
    }

    /// Returns true where a gateway has a host route to a private endpoint's address, which would
    /// route it if the endpoint's own row were not there.
    pub(super) fn has_gateway_host(&self, address: IpAddr) -> bool {
        self.gateway_hosts.contains(&address)
    }

    /// Returns the numbers of the rows of gateways and reserved blocks that hold an address and are
    /// longer than `length`.
    ///
    /// Cost: a look-up for each length that such rows have.
    pub(super) fn longer_foreign_rows(
        &self,
        address: IpAddr,
        length: u8,
    ) -> impl Iterator<Item = u32> + '_ {
        self.foreign_lengths
            .iter()
            .filter(move |&&longer| length < longer)
            .filter_map(move |&longer| AddressPrefix::new(address, longer).ok())
            .flat_map(|prefix| self.at(prefix).iter().copied())
            .filter(|&index| is_used_gateway_row(self.row(index)) || is_none_block(self.row(index)))
    }

    /// Calls `each` with the private endpoints whose addresses lie in a prefix.
    ///
    /// Cost: a binary search for each VNet with endpoints that the subnet sees, and the endpoints
    /// found.
    pub(super) fn endpoints_in(&self, prefix: AddressPrefix, mut each: impl FnMut(EndpointRow)) {
        let services: usize = self.services.iter().map(|service| service.rows.len()).sum();
        let mut start = self.rows.len() + services;
        for endpoints in &self.endpoints {
            for position in endpoints.positions_in(prefix) {
                let index = u32::try_from(start + position).expect("rows are far below 2^32");
                each(endpoints.at(position, index));
            }
            start += endpoints.rows.len();
        }
    }

    /// Returns the private endpoint at an address.
    pub(super) fn endpoint_at(&self, address: IpAddr) -> Option<EndpointRow> {
        let mut found = None;
        self.endpoints_in(AddressPrefix::host(address), |endpoint| found = Some(endpoint));
        found
    }
}

fn is_used_gateway_row(row: &RouteRow) -> bool {
    row.rejected.is_none() && row.source == RouteSource::VirtualNetworkGateway
}

fn is_none_block(row: &RouteRow) -> bool {
    row.source == RouteSource::Default && row.next_hop_type == NextHopType::None
}

fn is_replaceable(row: &RouteRow) -> bool {
    row.rejected.is_none()
        && row.source == RouteSource::Default
        && matches!(row.next_hop_type, NextHopType::None | NextHopType::Internet)
}

fn is_network(next_hop_type: &NextHopType) -> bool {
    matches!(
        next_hop_type,
        NextHopType::VnetLocal | NextHopType::VNetPeering | NextHopType::VNetGlobalPeering
    )
}
