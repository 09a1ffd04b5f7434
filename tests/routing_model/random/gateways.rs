//! VPN and ExpressRoute gateways, Route Servers, and what they know.

use std::net::IpAddr;

use nexthop::azure::resources::{
    Connection, ConnectionType, IpConfiguration, LearnedRoute, LocalNetworkGateway,
    PublicIpAddress, ResourceHeader, ResourceId, VirtualHub, VirtualNetworkGateway,
};

use super::choices::Choices;
use super::{Drawing, header};

impl Drawing {
    /// A VNet that uses the gateways of another has none of its own.
    pub fn may_have_gateway(&self, index: usize) -> bool {
        let network = &self.world.resources.virtual_networks[index];
        !network.peerings.iter().any(|peering| peering.use_remote_gateways)
    }

    pub fn gateways(&mut self) {
        for index in 0..self.world.resources.virtual_networks.len() {
            if !self.may_have_gateway(index) || self.random.one_in(if index == 0 { 5 } else { 2 }) {
                continue;
            }
            let network = self.world.resources.virtual_networks[index].clone();
            let subnet = self.subnet(&network, "GatewaySubnet");
            let id = subnet.header.id.clone();
            self.world.resources.virtual_networks[index].subnets.push(subnet);
            let kinds = self.random.below(8);
            if kinds != 0 {
                self.vpn_gateway(&format!("vpn{index}"), &id);
            }
            if kinds < 2 {
                self.express_route_gateway(&format!("er{index}"), &id);
            }
        }
        self.connections_between_networks();
    }

    fn vpn_gateway(&mut self, name: &str, subnet: &ResourceId) {
        let is_active_active = self.random.one_in(2);
        let mut gateway = VirtualNetworkGateway {
            header: header("virtualNetworkGateways", name),
            is_active_active,
            sku: "VpnGw2".to_owned(),
            ..VirtualNetworkGateway::default()
        };
        let tells_private_addresses = !self.random.one_in(3);
        for instance in 0..if is_active_active { 2 } else { 1 } {
            let public = self.public_address(&format!("{name}-ip{instance}"));
            gateway.ip_configurations.push(IpConfiguration {
                private_ip_address: tells_private_addresses
                    .then(|| IpAddr::from([10, 254, self.random.octet(200), 4 + instance])),
                subnet: Some(self.random.recased(subnet)),
                public_ip_address: Some(public),
                ..IpConfiguration::default()
            });
            if !self.random.one_in(4) {
                gateway.bgp_addresses.push(IpAddr::from([10, 253, self.random.octet(200), 4]));
            }
        }
        if self.random.one_in(3) {
            gateway.client_address_pool = self.stock_prefixes(2);
        }
        if self.random.one_in(12) {
            gateway.custom_routes = self.stock_prefixes(2);
        }
        if self.random.one_in(12) {
            gateway.default_site = Some(header("localNetworkGateways", "any").id);
        }
        for site in 0..self.random.below(4) {
            self.site(&gateway.header.id, &format!("{name}-site{site}"));
        }
        for _ in 0..self.random.below(4) {
            self.learned_route(&gateway.header, IpAddr::from([192, 168, 250, 1]));
        }
        self.world.resources.gateways.push(gateway);
    }

    fn public_address(&mut self, name: &str) -> ResourceId {
        let header = header("publicIPAddresses", name);
        let id = self.random.recased(&header.id);
        if !self.random.one_in(6) {
            self.world.resources.public_ip_addresses.push(PublicIpAddress {
                header,
                ip_address: Some(IpAddr::from([203, 0, 113, self.random.octet(250)])),
            });
        }
        id
    }

    fn site(&mut self, gateway: &ResourceId, name: &str) {
        let site = LocalNetworkGateway {
            header: header("localNetworkGateways", name),
            address_prefixes: self.stock_prefixes(3),
            bgp_peering_address: self
                .random
                .one_in(2)
                .then(|| IpAddr::from([10, 4, 0, self.random.octet(255)])),
        };
        let connection = Connection {
            header: header("connections", name),
            connection_type: ConnectionType::IpSec,
            is_not_connected: self.random.one_in(4),
            gateway: self.random.recased(gateway),
            local_network_gateway: Some(self.random.recased(&site.header.id)),
            enable_bgp: self.random.one_in(2),
            ..Connection::default()
        };
        self.world.resources.connections.push(connection);
        if !self.random.one_in(10) {
            self.world.resources.local_network_gateways.push(site);
        }
    }

    fn express_route_gateway(&mut self, name: &str, subnet: &ResourceId) {
        let gateway = VirtualNetworkGateway {
            header: header("virtualNetworkGateways", name),
            is_express_route: true,
            ip_configurations: vec![IpConfiguration {
                subnet: Some(subnet.clone()),
                ..IpConfiguration::default()
            }],
            ..VirtualNetworkGateway::default()
        };
        for edge in 0..self.random.below(6) {
            let edge = IpAddr::from([10, 20, 88, 110 + (edge % 2) as u8]);
            self.learned_route(&gateway.header, edge);
        }
        self.world.resources.connections.push(Connection {
            header: header("connections", name),
            connection_type: ConnectionType::ExpressRoute,
            gateway: gateway.header.id.clone(),
            ..Connection::default()
        });
        self.world.resources.gateways.push(gateway);
    }

    /// By name or by identifier; now and then the gateway's own network, which has no hop.
    fn learned_route(&mut self, gateway: &ResourceHeader, hop: IpAddr) {
        let is_own = self.random.one_in(5);
        let route = LearnedRoute {
            gateway: match gateway.name.len() % 2 {
                0 => gateway.name.clone(),
                _ => gateway.id.as_str().to_owned(),
            },
            prefix: self.stock_prefix(),
            next_hop: (!is_own).then_some(hop),
            origin: if is_own { "Network" } else { "EBgp" }.to_owned(),
        };
        self.world.resources.learned_routes.push(route);
    }

    fn connections_between_networks(&mut self) {
        let vpn: Vec<ResourceId> = self
            .world
            .resources
            .gateways
            .iter()
            .filter(|gateway| !gateway.is_express_route)
            .map(|gateway| gateway.header.id.clone())
            .collect();
        if vpn.len() < 2 || self.random.one_in(2) {
            return;
        }
        let sides = [(&vpn[0], &vpn[1]), (&vpn[1], &vpn[0])];
        for (from, to) in sides {
            if !self.random.one_in(6) {
                self.world.resources.connections.push(Connection {
                    header: header("connections", "between-networks"),
                    connection_type: ConnectionType::Vnet2Vnet,
                    gateway: from.clone(),
                    remote_gateway: Some(to.clone()),
                    is_not_connected: self.random.one_in(4),
                    ..Connection::default()
                });
            }
        }
    }

    /// A Route Server stands alone in its VNet: how its routes and those of a gateway beside it
    /// rank is for the Route Server to decide, not for the NIC.
    pub fn route_servers(&mut self) {
        for index in 0..self.world.resources.virtual_networks.len() {
            let network = self.world.resources.virtual_networks[index].clone();
            let has_gateway =
                network.subnets.iter().any(|subnet| subnet.header.name == "GatewaySubnet");
            if has_gateway || !self.may_have_gateway(index) || !self.random.one_in(4) {
                continue;
            }
            let subnet = self.subnet(&network, "RouteServerSubnet");
            let server = VirtualHub {
                header: header("virtualHubs", &format!("rs{index}")),
                route_server_subnet: Some(self.random.recased(&subnet.header.id)),
                ..VirtualHub::default()
            };
            for appliance in 0..1 + self.random.below(5) {
                let hop = IpAddr::from([10, 250, 1, 4 + (appliance % 2) as u8]);
                self.learned_route(&server.header, hop);
            }
            self.world.resources.virtual_hubs.push(server);
            self.world.resources.virtual_networks[index].subnets.push(subnet);
        }
    }
}
