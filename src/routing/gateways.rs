//! The routes that VPN and ExpressRoute gateways and Route Servers bring.

use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;

use ahash::AHashMap;

use super::topology::{Link, Network, Topology};
use super::{Finding, RouteRow, Severity};
use crate::azure::resources::{
    Connection, ConnectionType, LearnedRoute, LocalNetworkGateway, ResourceId, VirtualHub,
    VirtualNetworkGateway,
};
use crate::azure::{NextHopIps, NextHopType, RouteSource};
use crate::net::AddressPrefix;

/// What gateways know of the networks behind them, indexed.
pub(super) struct Gateways<'r> {
    local_networks: AHashMap<&'r ResourceId, &'r LocalNetworkGateway>,
    connections: AHashMap<&'r ResourceId, Vec<&'r Connection>>,
    gateways: AHashMap<&'r ResourceId, &'r VirtualNetworkGateway>,
    /// By name or identifier of the gateway or Route Server, in lower case.
    learned: AHashMap<String, Vec<&'r LearnedRoute>>,
}

/// The rows that a VNet's gateways make: the hops of each prefix. ExpressRoute's are known apart,
/// because they are preferred.
#[derive(Debug, Default)]
struct Routes {
    by_prefix: BTreeMap<AddressPrefix, Hops>,
}

#[derive(Debug, Default)]
struct Hops {
    is_express_route: bool,
    ips: BTreeSet<IpAddr>,
}

impl<'r> Gateways<'r> {
    pub(super) fn of(topology: &Topology<'r>) -> Self {
        let resources = topology.resources;
        let mut connections: AHashMap<&ResourceId, Vec<&Connection>> = AHashMap::new();
        for connection in &resources.connections {
            connections.entry(&connection.gateway).or_default().push(connection);
        }
        let mut learned: AHashMap<String, Vec<&LearnedRoute>> = AHashMap::new();
        for route in &resources.learned_routes {
            learned.entry(route.gateway.to_ascii_lowercase()).or_default().push(route);
        }
        Self {
            local_networks: resources
                .local_network_gateways
                .iter()
                .map(|local| (&local.header.id, local))
                .collect(),
            connections,
            gateways: resources
                .gateways
                .iter()
                .map(|gateway| (&gateway.header.id, gateway))
                .collect(),
            learned,
        }
    }

    /// Returns the rows that a VNet's own gateways and Route Servers make, for itself and for the
    /// peered VNets that use them.
    ///
    /// * The prefixes of a gateway are those of the local network gateways of its site-to-site
    ///   connections, their BGP peers' host addresses, the spaces of VNets that it is connected to,
    ///   its clients' pools, its custom routes, what it learned, and `0.0.0.0/0` for a default
    ///   site. (Documented and seen in published outputs; the pools and custom routes are
    ///   inferred.) A connection that is not connected keeps its rows. (Decision.)
    /// * One row stands for each address of the hop. An active/active gateway shows its instances'
    ///   private addresses, another its public one (seen in published outputs); ExpressRoute shows
    ///   addresses that no resource tells, unless its learned routes do.
    /// * At one prefix ExpressRoute is preferred to VPN. (Documented.)
    /// * A Route Server's rows name the appliance that advertised them. (Seen in published outputs.)
    ///
    /// Source: Microsoft, "About BGP with VPN Gateway", "Virtual network traffic routing" and "What
    /// is Azure Route Server?" (read 2026-11-20).
    pub(super) fn own_rows(&self, topology: &Topology<'_>, network: &Network<'_>) -> Vec<RouteRow> {
        let mut routes = Routes::default();
        for gateway in &network.gateways {
            let hops = hop_addresses(topology, gateway);
            for prefix in self.static_prefixes(topology, gateway) {
                routes.add(prefix, gateway.is_express_route, &hops);
            }
            for route in self.learned_by(&gateway.header.name, &gateway.header.id) {
                let shown = match route.next_hop {
                    Some(next_hop) if gateway.is_express_route => {
                        NextHopIps::from_slice(&[next_hop])
                    }
                    _ => hops.clone(),
                };
                routes.add(route.prefix, gateway.is_express_route, &shown);
            }
        }
        for server in &network.route_servers {
            for route in self.learned_by_server(server) {
                routes.add(route.prefix, false, &NextHopIps::from_iter(route.next_hop));
            }
        }
        routes.into_rows()
    }

    /// Returns the on-premises prefixes that a VNet's gateways reach, and whether ExpressRoute
    /// FastPath brings their packets past the GatewaySubnet's routes.
    ///
    /// Source: Microsoft, "About ExpressRoute FastPath" (read 2026-11-20).
    pub(super) fn on_premises(
        &self,
        topology: &Topology<'_>,
        network: &Network<'_>,
    ) -> BTreeMap<AddressPrefix, bool> {
        let mut prefixes = BTreeMap::new();
        for gateway in &network.gateways {
            let id = &gateway.header.id;
            let mut connections = self.connections.get(id).into_iter().flatten();
            let is_fastpath = connections.any(|connection| connection.is_fastpath);
            let learned = self.learned_by(&gateway.header.name, id).map(|route| route.prefix);
            for prefix in self.static_prefixes(topology, gateway).into_iter().chain(learned) {
                *prefixes.entry(prefix).or_default() |= is_fastpath;
            }
        }
        prefixes
    }

    fn static_prefixes(
        &self,
        topology: &Topology<'_>,
        gateway: &VirtualNetworkGateway,
    ) -> BTreeSet<AddressPrefix> {
        let mut prefixes: BTreeSet<AddressPrefix> =
            gateway.client_address_pool.iter().chain(&gateway.custom_routes).copied().collect();
        for connection in self.connections.get(&gateway.header.id).into_iter().flatten() {
            prefixes.extend(self.prefixes_of_connection(topology, connection));
        }
        if gateway.default_site.is_some() {
            prefixes.insert(AddressPrefix::IPV4_ALL);
        }
        prefixes
    }

    fn prefixes_of_connection(
        &self,
        topology: &Topology<'_>,
        connection: &Connection,
    ) -> Vec<AddressPrefix> {
        if let ConnectionType::Vnet2Vnet = connection.connection_type {
            let remote = connection.remote_gateway.as_ref().and_then(|id| self.gateways.get(id));
            let network = remote.and_then(|remote| topology.network_of_gateway(remote));
            let space = network.map(|index| &topology.networks[index].network.address_space);
            return space.cloned().unwrap_or_default();
        }
        let Some(local) = self.local_network_of(connection) else { return Vec::new() };
        let peer = local.bgp_peering_address.filter(|_| connection.enable_bgp);
        local.address_prefixes.iter().copied().chain(peer.map(AddressPrefix::host)).collect()
    }

    fn local_network_of(&self, connection: &Connection) -> Option<&'r LocalNetworkGateway> {
        self.local_networks.get(connection.local_network_gateway.as_ref()?).copied()
    }

    /// The routes that a gateway learned from others, under its identifier and under its name; its
    /// own networks are no routes of it.
    fn learned_by<'s>(
        &'s self,
        name: &str,
        id: &ResourceId,
    ) -> impl Iterator<Item = &'r LearnedRoute> + use<'r, 's> {
        let by = |key: &str| self.learned.get(&key.to_ascii_lowercase());
        let by_name = by(name).filter(|_| !name.eq_ignore_ascii_case(id.as_str()));
        [by(id.as_str()), by_name]
            .into_iter()
            .flatten()
            .flatten()
            .copied()
            .filter(|route| !route.origin.eq_ignore_ascii_case("Network"))
    }

    fn learned_by_server<'s>(
        &'s self,
        server: &VirtualHub,
    ) -> impl Iterator<Item = &'r LearnedRoute> + use<'r, 's> {
        self.learned_by(&server.header.name, &server.header.id)
            .filter(|route| route.next_hop.is_some())
    }

    /// Reports what is wrong or not known about the gateways of a VNet.
    pub(super) fn lint(
        &self,
        topology: &Topology<'_>,
        network: &Network<'_>,
        findings: &mut Vec<Finding>,
    ) {
        for gateway in &network.gateways {
            let id = &gateway.header.id;
            if !gateway.is_express_route && hop_addresses(topology, gateway).is_empty() {
                findings.push(
                    Finding::new(
                        "gateway_address_unknown",
                        Severity::Warning,
                        "the snapshot does not tell the addresses of this gateway, so the rows of \
                         its routes show none",
                    )
                    .about(id),
                );
            }
            for connection in self.connections.get(id).into_iter().flatten() {
                self.lint_connection(connection, findings);
            }
        }
    }

    fn lint_connection(&self, connection: &Connection, findings: &mut Vec<Finding>) {
        let id = &connection.header.id;
        let mut say = |code, severity, message: &str| {
            findings.push(Finding::new(code, severity, message).about(id));
        };
        if connection.is_not_connected {
            say(
                "connection_not_connected",
                Severity::Warning,
                "this connection is not connected; its routes stand, and lead to no one",
            );
        }
        if connection.is_fastpath {
            say(
                "fastpath",
                Severity::Warning,
                "ExpressRoute FastPath skips the gateway and the routes of its subnet; what comes \
                 in this way cannot be judged by them",
            );
        }
        let is_site_to_site = connection.connection_type == ConnectionType::IpSec;
        if is_site_to_site && self.local_network_of(connection).is_none() {
            say(
                "dangling_reference",
                Severity::Warning,
                "the local network gateway of this connection is not in the snapshot; its prefixes \
                 are missing from the computed tables",
            );
        }
        let remote = connection.remote_gateway.as_ref();
        if connection.connection_type == ConnectionType::Vnet2Vnet
            && remote.is_none_or(|id| !self.gateways.contains_key(id))
        {
            say(
                "dangling_reference",
                Severity::Warning,
                "the other gateway of this connection is not in the snapshot; its VNet's prefixes \
                 are missing from the computed tables",
            );
        }
    }
}

/// Whether a peering lends its remote VNet's gateways.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Transit {
    /// It does not ask for them.
    NotUsed,
    /// It does, and gets them.
    From(usize),
    /// It does, and the other side does not allow it.
    NotAllowed,
    /// It does, and the snapshot does not hold the other side, or only subnets are peered, which is
    /// not computed.
    Unknown,
}

impl Link<'_> {
    /// Returns whose gateways the local VNet uses over this peering: the local side must use remote
    /// gateways and the remote side allow gateway transit.
    ///
    /// Source: Microsoft, "Configure VPN gateway transit for virtual network peering" (read
    /// 2026-11-20).
    pub(super) fn transit(&self) -> Transit {
        if !self.peering.use_remote_gateways || !self.is_up() {
            return Transit::NotUsed;
        }
        match (self.remote, self.reverse) {
            _ if self.peering.is_subnet_peering => Transit::Unknown,
            (Some(remote), Some(reverse)) if reverse.allow_gateway_transit => Transit::From(remote),
            (Some(_), _) => Transit::NotAllowed,
            (None, _) => Transit::Unknown,
        }
    }
}

/// The addresses that rows of a gateway show.
pub(super) fn hop_addresses(
    topology: &Topology<'_>,
    gateway: &VirtualNetworkGateway,
) -> NextHopIps {
    let configurations = &gateway.ip_configurations;
    let found: NextHopIps = if gateway.is_active_active {
        let private: NextHopIps =
            configurations.iter().filter_map(|one| one.private_ip_address).collect();
        if private.is_empty() { gateway.bgp_addresses.iter().copied().collect() } else { private }
    } else if gateway.is_express_route {
        NextHopIps::new()
    } else {
        configurations.iter().filter_map(|one| topology.public_address(one)).take(1).collect()
    };
    found
}

impl Routes {
    fn add(&mut self, prefix: AddressPrefix, is_express_route: bool, ips: &NextHopIps) {
        let hops = self.by_prefix.entry(prefix).or_default();
        if is_express_route && !hops.is_express_route {
            *hops = Hops { is_express_route, ips: BTreeSet::new() };
        }
        if is_express_route == hops.is_express_route {
            hops.ips.extend(ips.iter().copied());
        }
    }

    fn into_rows(self) -> Vec<RouteRow> {
        self.by_prefix.into_iter().flat_map(|(prefix, hops)| rows(prefix, hops.ips)).collect()
    }
}

/// Returns the rows of one prefix: one for each address, or one without.
pub(super) fn rows(prefix: AddressPrefix, ips: impl IntoIterator<Item = IpAddr>) -> Vec<RouteRow> {
    let (source, next_hop_type) =
        (RouteSource::VirtualNetworkGateway, NextHopType::VirtualNetworkGateway);
    let bare = RouteRow::computed(source, prefix, next_hop_type);
    let rows: Vec<RouteRow> = ips
        .into_iter()
        .map(|ip| RouteRow { next_hop_ips: NextHopIps::from_slice(&[ip]), ..bare.clone() })
        .collect();
    if rows.is_empty() { vec![bare] } else { rows }
}
