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
    pub(super) services: Vec<Arc<ServicePrefixes>>,
    endpoints: Vec<Arc<Endpoints>>,
    /// Prefixes of gateways that hold private endpoints: those that no row of a network keeps out.
    endpoint_gateways: AHashSet<AddressPrefix>,
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
    /// * A gateway's row at the address of a private endpoint is not used either. (Inferred from the
    ///   rule for private endpoints, which knows no gateway.)
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
        let mut endpoint_gateways = AHashSet::new();
        for row in self.rows.iter_mut().filter(|row| is_used_gateway_row(row)) {
            let Some(prefix) = row.prefix() else { continue };
            let is_inside_service =
                services.iter().any(|service| lies_inside(prefix, &service.prefixes));
            let is_kept_out = is_inside_service || lies_inside(prefix, &networks);
            let holds_endpoint =
                || endpoints.iter().any(|all| !all.positions_in(prefix).is_empty());
            if !is_kept_out && holds_endpoint() {
                endpoint_gateways.insert(prefix);
            }
            let is_host = prefix == AddressPrefix::host(prefix.address());
            if is_kept_out || is_host && endpoint_gateways.contains(&prefix) {
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
        let none_rows = (0u32..)
            .zip(&self.rows)
            .filter(|(_, row)| is_none_block(row))
            .map(|(index, _)| index)
            .collect();
        Base {
            rows: self.rows.into(),
            by_prefix: self.by_prefix,
            none_rows,
            services,
            endpoints,
            endpoint_gateways,
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

    /// Returns true when a gateway has a longer route to a private endpoint than `length`.
    pub(super) fn has_longer_gateway_route(&self, address: IpAddr, length: u8) -> bool {
        !self.endpoint_gateways.is_empty()
            && (length + 1..=AddressPrefix::host(address).length())
                .filter_map(|length| AddressPrefix::new(address, length).ok())
                .any(|prefix| self.endpoint_gateways.contains(&prefix))
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
