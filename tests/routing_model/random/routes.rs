//! Route tables.

use std::net::IpAddr;

use nexthop::azure::resources::{UserRoute, UserRouteTable};
use nexthop::azure::{NextHopType, RouteDestination};
use nexthop::net::AddressPrefix;

use super::choices::Choices;
use super::{Drawing, TAGS, header};

impl Drawing {
    pub fn route_tables(&mut self) {
        let mut tables: Vec<UserRouteTable> = Vec::new();
        let networks = self.world.resources.virtual_networks.len();
        for index in 0..networks {
            for subnet in 0..self.world.resources.virtual_networks[index].subnets.len() {
                let network = &self.world.resources.virtual_networks[index];
                let name = &network.subnets[subnet].header.name;
                let is_gateway_subnet = name == "GatewaySubnet";
                if name == "RouteServerSubnet" || self.random.one_in(4) {
                    continue;
                }
                if tables.is_empty() || is_gateway_subnet || !self.random.one_in(4) {
                    let name = format!("rt{index}-{subnet}");
                    let table = self.route_table(&name, is_gateway_subnet);
                    tables.push(table);
                }
                // The last one, which no GatewaySubnet's 0.0.0.0/0 can be in.
                let table = tables.last_mut().expect("one was made");
                let subnet = &mut self.world.resources.virtual_networks[index].subnets[subnet];
                if self.random.one_in(5) {
                    table.subnets.push(self.random.recased(&subnet.header.id));
                } else {
                    subnet.route_table = Some(self.random.recased(&table.header.id));
                }
            }
        }
        self.world.resources.route_tables = tables;
    }

    fn route_table(&mut self, name: &str, is_of_gateway_subnet: bool) -> UserRouteTable {
        let mut table = UserRouteTable {
            header: header("routeTables", name),
            disable_bgp_route_propagation: self.random.one_in(5),
            disable_peering_route: self.random.one_in(8),
            ..UserRouteTable::default()
        };
        for number in 0..self.random.below(9) {
            let destination = if self.random.one_in(6) {
                let tags = TAGS.map(|(name, _)| name);
                let tag = match self.random.one_in(8) {
                    true => "Unresolved",
                    false => self.random.pick(&tags).copied().expect("a constant"),
                };
                RouteDestination::ServiceTag(tag.to_owned())
            } else {
                RouteDestination::Prefix(self.stock_prefix())
            };
            let is_refused = table.routes.iter().any(|route| route.destination == destination)
                || is_of_gateway_subnet
                    && destination == RouteDestination::Prefix(AddressPrefix::IPV4_ALL);
            if is_refused {
                continue;
            }
            let is_default = destination == RouteDestination::Prefix(AddressPrefix::IPV4_ALL);
            let route = self.user_route(&format!("r{number}"), destination);
            // What a default into the VNet does to the reserved blocks is not documented.
            if !is_default || route.next_hop_type != NextHopType::VnetLocal {
                table.routes.push(route);
            }
        }
        table
    }

    fn user_route(&mut self, name: &str, destination: RouteDestination) -> UserRoute {
        let address = IpAddr::from([10, 254, 254, self.random.octet(8)]);
        let (next_hop_type, next_hop_ips) = match self.random.below(12) {
            0 => (NextHopType::None, vec![]),
            1 => (NextHopType::Internet, vec![]),
            2 => (NextHopType::VnetLocal, vec![]),
            3 | 4 => (NextHopType::VirtualNetworkGateway, vec![]),
            5 => (
                NextHopType::VirtualApplianceEcmp,
                vec![IpAddr::from([10, 254, 254, 200]), address],
            ),
            _ => (NextHopType::VirtualAppliance, vec![address]),
        };
        UserRoute {
            name: name.to_owned(),
            destination,
            next_hop_type,
            next_hop_ips: next_hop_ips.into_iter().collect(),
            has_bgp_override: false,
        }
    }
}
