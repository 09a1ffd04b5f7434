//! A secured hub.

use std::net::IpAddr;

use nexthop::azure::resources::{
    AzureFirewall, HubConnection, HubRoute, HubRouteTable, ResourceId, RoutingIntent, VirtualHub,
};
use nexthop::net::AddressPrefix;

use super::choices::Choices;
use super::{Drawing, below, header, parse};

impl Drawing {
    /// A hub whose firewall inspects private traffic at least, by routing intent or by static
    /// routes; the VNets without a gateway of their own or of others are connected to it.
    pub fn secured_hub(&mut self) {
        if !self.random.one_in(3) {
            return;
        }
        let hub = VirtualHub {
            address_prefix: Some(parse("51.97.0.0/23")),
            virtual_wan: Some(header("virtualWans", "wan").id),
            ..VirtualHub { header: header("virtualHubs", "hub"), ..VirtualHub::default() }
        };
        let firewall = AzureFirewall {
            header: header("azureFirewalls", "hub-firewall"),
            virtual_hub: Some(hub.header.id.clone()),
            hub_private_ip: Some(IpAddr::from([51, 97, 0, 132])),
            ..AzureFirewall::default()
        };
        let has_intent = self.random.one_in(2);
        self.hub_route_table(&hub.header.id, &firewall.header.id, has_intent);
        if has_intent {
            self.world.resources.routing_intents.push(RoutingIntent {
                header: below(&hub.header.id, "routingIntent", "intent"),
                hub: self.random.recased(&hub.header.id),
                internet: self.random.one_in(2).then(|| firewall.header.id.clone()),
                private_traffic: Some(self.random.recased(&firewall.header.id)),
            });
        }
        for index in 0..self.world.resources.virtual_networks.len() {
            let subnets = &self.world.resources.virtual_networks[index].subnets;
            let has_gateway = subnets.iter().any(|subnet| {
                ["GatewaySubnet", "RouteServerSubnet"].contains(&subnet.header.name.as_str())
            });
            if !has_gateway && self.may_have_gateway(index) && !self.random.one_in(4) {
                self.hub_connection(&hub.header.id, index);
            }
        }
        self.prefixes.extend(hub.address_prefix);
        self.world.resources.virtual_hubs.push(hub);
        self.world.resources.firewalls.push(firewall);
    }

    /// With routing intent it holds custom private prefixes alone.
    fn hub_route_table(&mut self, hub: &ResourceId, firewall: &ResourceId, has_intent: bool) {
        let private = ["10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16"].map(parse);
        let mut routes = Vec::new();
        let mut add = |name: &str, destinations: &[AddressPrefix]| {
            routes.push(HubRoute {
                name: name.to_owned(),
                destinations: destinations.to_vec(),
                next_hop: firewall.clone(),
            });
        };
        match self.random.below(3) {
            0 if has_intent => add("private_traffic", &[parse("51.10.0.0/16")]),
            _ if has_intent => {}
            0 => add("all_traffic", &[&private[..], &[AddressPrefix::IPV4_ALL]].concat()),
            1 => add("private_traffic", &private),
            _ => {
                add("internet_traffic", &[AddressPrefix::IPV4_ALL]);
                add("private_traffic", &private);
            }
        }
        self.world.resources.hub_route_tables.push(HubRouteTable {
            header: below(hub, "hubRouteTables", "defaultRouteTable"),
            hub: hub.clone(),
            routes,
            labels: vec!["default".to_owned()],
        });
    }

    fn hub_connection(&mut self, hub: &ResourceId, index: usize) {
        let network = self.world.resources.virtual_networks[index].header.id.clone();
        let table = |name: &str| below(hub, "hubRouteTables", name).id;
        let associated = self.random.one_in(2).then(|| table("defaultRouteTable"));
        let connection = HubConnection {
            header: below(hub, "hubVirtualNetworkConnections", &format!("to-v{index}")),
            hub: hub.clone(),
            virtual_network: self.random.recased(&network),
            enable_internet_security: !self.random.one_in(3),
            associated_route_table: associated,
            propagated_route_tables: vec![table("noneRouteTable")],
            propagated_labels: vec!["none".to_owned()],
            static_routes: Vec::new(),
        };
        self.world.resources.hub_connections.push(connection);
    }
}
