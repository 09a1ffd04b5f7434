//! The host routes that private endpoints plumb into every table that sees them.

use std::net::IpAddr;
use std::ops::Range;
use std::sync::Arc;

use ahash::AHashMap;

use super::base::EndpointRow;
use super::system_routes::row;
use super::topology::{SubnetPlace, Topology};
use super::{Finding, RouteRow, Severity};
use crate::azure::NextHopType;
use crate::azure::resources::{NetworkInterface, PrivateEndpoint, ResourceId};
use crate::net::AddressPrefix;

/// The private endpoints of one VNet, sorted by address.
///
/// * Each address of an approved private endpoint is a `/32` (or `/128`) row of type
///   `InterfaceEndpoint` in every subnet of its own VNet and of the VNets directly peered with it,
///   the GatewaySubnet included; not beyond. (Seen in published outputs.)
/// * A connection that is Pending, Rejected or Disconnected plumbs nothing. (Inferred.)
///
/// Source: Microsoft, "Manage network policies for private endpoints" and "What is a private
/// endpoint?" (read 2026-11-20).
#[derive(Debug, Default)]
pub(super) struct Endpoints {
    /// The rows, in the order of their addresses.
    pub(super) rows: Arc<[RouteRow]>,
    entries: Vec<Entry>,
}

/// The private endpoints of one VNet, by family: IPv6 rows come only to where there is IPv6.
/// (Decision.)
#[derive(Debug, Default)]
pub(super) struct NetworkEndpoints {
    ipv4: Arc<Endpoints>,
    ipv6: Arc<Endpoints>,
}

impl NetworkEndpoints {
    /// Returns those that a network sees.
    pub(super) fn seen(&self, has_ipv6: bool) -> impl Iterator<Item = &Arc<Endpoints>> {
        let ipv6 = Some(&self.ipv6).filter(|_| has_ipv6);
        std::iter::once(&self.ipv4).chain(ipv6).filter(|endpoints| !endpoints.entries.is_empty())
    }
}

#[derive(Clone, Copy, Debug)]
struct Entry {
    address: IpAddr,
    applies_route_tables: bool,
    space_length: u8,
}

impl Endpoints {
    fn new(mut entries: Vec<Entry>) -> Self {
        entries.sort_by_key(|entry| entry.address);
        entries.dedup_by_key(|entry| entry.address);
        let rows = entries
            .iter()
            .map(|entry| row(AddressPrefix::host(entry.address), NextHopType::InterfaceEndpoint))
            .collect();
        Self { rows, entries }
    }

    pub(super) fn positions_in(&self, prefix: AddressPrefix) -> Range<usize> {
        let (first, last) = (prefix.address(), prefix.last_address());
        let start = self.entries.partition_point(|entry| entry.address < first);
        let end = self.entries.partition_point(|entry| entry.address <= last);
        start..end
    }

    pub(super) fn at(&self, position: usize, index: u32) -> EndpointRow {
        let Entry { address, applies_route_tables, space_length } = self.entries[position];
        EndpointRow { index, address, applies_route_tables, space_length }
    }
}

/// Collects the private endpoints of every VNet; the list has one entry for each VNet.
pub(super) fn by_network(
    topology: &Topology<'_>,
    findings: &mut Vec<Finding>,
) -> Vec<NetworkEndpoints> {
    let mut entries: Vec<Vec<Entry>> = vec![Vec::new(); topology.networks.len()];
    let interfaces = Interfaces::of(topology);
    for endpoint in &topology.resources.private_endpoints {
        let id = &endpoint.header.id;
        if !endpoint.is_approved {
            findings.push(
                Finding::new(
                    "private_endpoint_not_approved",
                    Severity::Note,
                    "the connection of this private endpoint is not approved, so it has no routes",
                )
                .about(id),
            );
            continue;
        }
        let interfaces = interfaces.of_endpoint(endpoint);
        let Some(place) = place(topology, endpoint, &interfaces) else {
            findings.push(
                Finding::new(
                    "dangling_reference",
                    Severity::Warning,
                    "the subnet of this private endpoint is not in the snapshot",
                )
                .about(id),
            );
            continue;
        };
        let addresses = addresses(endpoint, &interfaces);
        if addresses.is_empty() {
            findings.push(
                Finding::new(
                    "private_endpoint_without_address",
                    Severity::Warning,
                    "no address of this private endpoint is known, so its routes are missing",
                )
                .about(id),
            );
        }
        let network = &topology.networks[place.network];
        let policies = topology.subnet(place).private_endpoint_network_policies;
        entries[place.network].extend(addresses.into_iter().map(|address| Entry {
            address,
            applies_route_tables: policies.applies_route_tables(),
            space_length: network.space_of(address).map_or(0, AddressPrefix::length),
        }));
    }
    let of_network = |entries: Vec<Entry>| {
        let (ipv4, ipv6): (Vec<Entry>, Vec<Entry>) =
            entries.into_iter().partition(|entry| entry.address.is_ipv4());
        let [ipv4, ipv6] = [ipv4, ipv6].map(|entries| Arc::new(Endpoints::new(entries)));
        NetworkEndpoints { ipv4, ipv6 }
    };
    entries.into_iter().map(of_network).collect()
}

/// The NICs of private endpoints, found from either side of the reference.
struct Interfaces<'r> {
    by_id: AHashMap<&'r ResourceId, &'r NetworkInterface>,
    by_endpoint: AHashMap<&'r ResourceId, Vec<&'r NetworkInterface>>,
}

impl<'r> Interfaces<'r> {
    fn of(topology: &Topology<'r>) -> Self {
        let mut by_endpoint: AHashMap<&ResourceId, Vec<&NetworkInterface>> = AHashMap::new();
        let interfaces = &topology.resources.network_interfaces;
        for interface in interfaces {
            if let Some(endpoint) = &interface.private_endpoint {
                by_endpoint.entry(endpoint).or_default().push(interface);
            }
        }
        let by_id = interfaces.iter().map(|interface| (&interface.header.id, interface)).collect();
        Self { by_id, by_endpoint }
    }

    fn of_endpoint(&self, endpoint: &PrivateEndpoint) -> Vec<&'r NetworkInterface> {
        let ids = &endpoint.network_interfaces;
        let named: Vec<_> = ids.iter().filter_map(|id| self.by_id.get(id).copied()).collect();
        match named.is_empty() {
            true => self.by_endpoint.get(&endpoint.header.id).cloned().unwrap_or_default(),
            false => named,
        }
    }
}

fn place(
    topology: &Topology<'_>,
    endpoint: &PrivateEndpoint,
    interfaces: &[&NetworkInterface],
) -> Option<SubnetPlace> {
    let of_interfaces = interfaces
        .iter()
        .flat_map(|interface| &interface.ip_configurations)
        .filter_map(|configuration| configuration.subnet.as_ref());
    endpoint.subnet.iter().chain(of_interfaces).find_map(|id| topology.subnet_place(id))
}

/// The addresses of the NICs, else those that the endpoint itself tells.
fn addresses(endpoint: &PrivateEndpoint, interfaces: &[&NetworkInterface]) -> Vec<IpAddr> {
    let of_interfaces: Vec<IpAddr> = interfaces
        .iter()
        .flat_map(|interface| &interface.ip_configurations)
        .filter_map(|configuration| configuration.private_ip_address)
        .collect();
    if of_interfaces.is_empty() { endpoint.addresses.clone() } else { of_interfaces }
}
