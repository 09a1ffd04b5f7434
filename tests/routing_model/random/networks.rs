//! The VNets and their subnets.

use nexthop::azure::resources::{
    PrivateEndpointNetworkPolicies, ResourceHeader, ServiceEndpoint, Subnet, VirtualNetwork,
};
use nexthop::net::AddressPrefix;

use super::choices::Choices;
use super::{BLOCKS, Drawing, REGIONS, below, header, parse, prefix};

impl Drawing {
    pub fn networks(&mut self) {
        let count = match self.random.below(16) {
            0 => 2 + self.random.below(39),
            1..=4 => 2 + self.random.below(12),
            _ => 2 + self.random.below(4),
        };
        for number in 0..count {
            let mut network = VirtualNetwork {
                header: ResourceHeader {
                    location: (*self.random.pick(&REGIONS).expect("a constant")).to_owned(),
                    ..header("virtualNetworks", &format!("v{number}"))
                },
                ..VirtualNetwork::default()
            };
            for _ in 0..*self.random.pick(&[1, 1, 1, 2, 3]).expect("a constant") {
                let prefix = self.network_prefix(&network.address_space);
                network.address_space.extend(prefix);
            }
            if self.random.one_in(5) {
                network.address_space.push(parse(&format!("fd00:0:{number:x}::/48")));
                if self.random.one_in(3) {
                    network.address_space.push(parse(&format!("fd01:0:{number:x}::/64")));
                }
            }
            self.prefixes.extend(&network.address_space);
            for subnet in 0..1 + self.random.below(3) {
                let name = format!("s{subnet}");
                let subnet = self.subnet(&network, &name);
                network.subnets.push(subnet);
            }
            self.world.resources.virtual_networks.push(network);
        }
    }

    /// An IPv4 prefix that overlaps none of `taken`.
    fn network_prefix(&mut self, taken: &[AddressPrefix]) -> Option<AddressPrefix> {
        (0..16).find_map(|_| {
            let prefix = match self.random.below(10) {
                0 => parse(self.random.pick(&BLOCKS).expect("a constant")),
                1 => prefix([172, 16 + self.random.octet(16), 0, 0], 16),
                2 => prefix([192, 168, self.random.octet(32), 0], 24),
                3 => prefix([51, 10, self.random.octet(8), 0], 24),
                4 | 5 => prefix([10, 200, self.random.octet(8) * 2, 0], 23),
                _ => prefix([10, self.random.octet(60), 0, 0], 16),
            };
            taken.iter().all(|other| !other.overlaps(prefix)).then_some(prefix)
        })
    }

    pub fn subnet(&mut self, network: &VirtualNetwork, name: &str) -> Subnet {
        let mut subnet = Subnet {
            header: below(&network.header.id, "subnets", name),
            private_endpoint_network_policies: *self
                .random
                .pick(&[
                    PrivateEndpointNetworkPolicies::Disabled,
                    PrivateEndpointNetworkPolicies::Enabled,
                    PrivateEndpointNetworkPolicies::RouteTableEnabled,
                    PrivateEndpointNetworkPolicies::NetworkSecurityGroupEnabled,
                ])
                .expect("a constant"),
            ..Subnet::default()
        };
        if let Some(&space) = network.address_space.first() {
            subnet.address_prefixes.push(self.random.longer(space, 8));
            self.prefixes.extend(&subnet.address_prefixes);
        }
        while self.random.one_in(3) && subnet.service_endpoints.len() < 2 {
            let service = ["Microsoft.Storage", "Microsoft.Sql"][subnet.service_endpoints.len()];
            let locations: &[&str] =
                [&["*"][..], &["eastus"], &["westeurope"], &["eastus", "westeurope"]]
                    [self.random.below(4) as usize];
            subnet.service_endpoints.push(ServiceEndpoint {
                service: service.to_owned(),
                locations: locations.iter().map(|&location| location.to_owned()).collect(),
            });
        }
        subnet
    }
}
