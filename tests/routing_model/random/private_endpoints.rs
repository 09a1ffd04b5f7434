//! Private endpoints.

use std::net::IpAddr;

use nexthop::azure::resources::{IpConfiguration, NetworkInterface, PrivateEndpoint};
use nexthop::net::AddressPrefix;

use super::choices::Choices;
use super::{Drawing, header};

impl Drawing {
    pub fn private_endpoints(&mut self) {
        for index in 0..self.world.resources.virtual_networks.len() {
            if self.random.one_in(2) {
                continue;
            }
            for number in 0..1 + self.random.below(3) {
                self.private_endpoint(index, &format!("pe{index}-{number}"));
            }
        }
    }

    fn private_endpoint(&mut self, index: usize, name: &str) {
        let network = &self.world.resources.virtual_networks[index];
        let Some(&space) = self.random.pick(&network.address_space) else { return };
        let Some(subnet) = self.random.pick(&network.subnets) else { return };
        let subnet = subnet.header.id.clone();
        let mut addresses = vec![self.random.inside(space)];
        if self.random.one_in(3) {
            addresses.push(self.random.inside(space));
        }
        let resources = &mut self.world.resources;
        let taken = |address: &IpAddr| {
            resources.private_endpoints.iter().any(|other| other.addresses.contains(address))
        };
        if addresses.iter().any(taken) {
            return;
        }
        self.prefixes.extend(addresses.iter().map(|&address| AddressPrefix::host(address)));
        let mut endpoint = PrivateEndpoint {
            header: header("privateEndpoints", name),
            subnet: Some(self.random.recased(&subnet)),
            addresses: addresses.clone(),
            is_approved: !self.random.one_in(5),
            ..PrivateEndpoint::default()
        };
        if self.random.one_in(2) {
            let nic = header("networkInterfaces", &format!("{name}.nic"));
            endpoint.network_interfaces.push(self.random.recased(&nic.id));
            if self.random.one_in(3) {
                // The NIC knows better than the names of the endpoint.
                endpoint.addresses = vec![self.random.inside(space)];
            }
            let configurations = addresses.iter().map(|&address| IpConfiguration {
                private_ip_address: Some(address),
                subnet: Some(subnet.clone()),
                ..IpConfiguration::default()
            });
            resources.network_interfaces.push(NetworkInterface {
                private_endpoint: Some(endpoint.header.id.clone()),
                ip_configurations: configurations.collect(),
                header: nic,
                ..NetworkInterface::default()
            });
        }
        resources.private_endpoints.push(endpoint);
    }
}
