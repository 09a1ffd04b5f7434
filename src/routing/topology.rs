//! The resources of a snapshot, joined: every reference is followed once, and those that lead
//! nowhere are remembered as findings.

use std::net::IpAddr;

use ahash::AHashMap;

use super::{Finding, Severity};
use crate::azure::resources::{
    AzureFirewall, HubConnection, IpConfiguration, Peering, PeeringState, ResourceId, Resources,
    Subnet, UserRouteTable, VirtualHub, VirtualNetwork, VirtualNetworkGateway,
};
use crate::net::AddressPrefix;

/// The resources with their references resolved.
#[derive(Debug)]
pub(super) struct Topology<'r> {
    pub(super) resources: &'r Resources,
    pub(super) networks: Vec<Network<'r>>,
    pub(super) hubs: Vec<Hub<'r>>,
    network_indices: AHashMap<&'r ResourceId, usize>,
    subnet_places: AHashMap<ResourceId, SubnetPlace>,
    public_addresses: AHashMap<&'r ResourceId, IpAddr>,
}

/// A VNet and what is in it.
#[derive(Debug)]
pub(super) struct Network<'r> {
    pub(super) network: &'r VirtualNetwork,
    /// The identifiers of its subnets; made up from the VNet's where an export has none.
    pub(super) subnet_ids: Vec<ResourceId>,
    /// The place of its first subnet among those of all VNets.
    first_table: usize,
    /// The route tables of its subnets.
    pub(super) route_tables: Vec<Option<&'r UserRouteTable>>,
    pub(super) links: Vec<Link<'r>>,
    pub(super) gateways: Vec<&'r VirtualNetworkGateway>,
    /// Its connection to a hub of a virtual WAN, and the hub.
    pub(super) hub: Option<(&'r HubConnection, usize)>,
    /// Its Route Servers.
    pub(super) route_servers: Vec<&'r VirtualHub>,
}

/// One side of a peering, with the other side where the snapshot holds it.
#[derive(Debug)]
pub(super) struct Link<'r> {
    pub(super) peering: &'r Peering,
    pub(super) remote: Option<usize>,
    pub(super) reverse: Option<&'r Peering>,
}

/// A hub of a virtual WAN.
#[derive(Debug)]
pub(super) struct Hub<'r> {
    pub(super) hub: &'r VirtualHub,
    pub(super) firewall: Option<&'r AzureFirewall>,
    /// The connections to it, with the VNets where the snapshot holds them.
    pub(super) connections: Vec<(&'r HubConnection, Option<usize>)>,
}

/// A subnet by its place.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(super) struct SubnetPlace {
    pub(super) network: usize,
    pub(super) subnet: usize,
}

impl<'r> Topology<'r> {
    pub(super) fn new(resources: &'r Resources, findings: &mut Vec<Finding>) -> Self {
        let mut networks: Vec<Network<'r>> =
            resources.virtual_networks.iter().map(Network::new).collect();
        let mut first_table = 0;
        for network in &mut networks {
            network.first_table = first_table;
            first_table += network.subnet_ids.len();
        }
        let network_indices: AHashMap<&ResourceId, usize> = resources
            .virtual_networks
            .iter()
            .enumerate()
            .map(|(index, network)| (&network.header.id, index))
            .collect();
        let mut subnet_places = AHashMap::new();
        for (network, entry) in networks.iter().enumerate() {
            for (subnet, id) in entry.subnet_ids.iter().enumerate() {
                subnet_places.insert(id.clone(), SubnetPlace { network, subnet });
            }
        }
        let public_addresses = resources
            .public_ip_addresses
            .iter()
            .filter_map(|public| Some((&public.header.id, public.ip_address?)))
            .collect();
        let mut topology = Self {
            resources,
            networks,
            hubs: Vec::new(),
            network_indices,
            subnet_places,
            public_addresses,
        };
        topology.join_route_tables(findings);
        topology.join_peerings();
        topology.join_gateways(findings);
        topology.join_hubs(findings);
        topology
    }

    pub(super) fn network_index(&self, id: &ResourceId) -> Option<usize> {
        self.network_indices.get(id).copied()
    }

    pub(super) fn subnet_place(&self, id: &ResourceId) -> Option<SubnetPlace> {
        self.subnet_places.get(id).copied()
    }

    pub(super) fn subnet(&self, place: SubnetPlace) -> &'r Subnet {
        &self.networks[place.network].network.subnets[place.subnet]
    }

    pub(super) fn subnet_id(&self, place: SubnetPlace) -> &ResourceId {
        &self.networks[place.network].subnet_ids[place.subnet]
    }

    /// Returns the place of a subnet among all, in the order of the VNets.
    pub(super) fn table_index(&self, place: SubnetPlace) -> usize {
        self.networks[place.network].first_table + place.subnet
    }

    /// Returns every subnet, in the order of the VNets.
    pub(super) fn places(&self) -> impl Iterator<Item = SubnetPlace> + '_ {
        self.networks.iter().enumerate().flat_map(|(network, entry)| {
            (0..entry.subnet_ids.len()).map(move |subnet| SubnetPlace { network, subnet })
        })
    }

    /// Returns the public address of an IP configuration, where the snapshot holds it.
    pub(super) fn public_address(&self, configuration: &IpConfiguration) -> Option<IpAddr> {
        self.public_addresses.get(configuration.public_ip_address.as_ref()?).copied()
    }

    /// Returns the VNet that a gateway is in: that of its GatewaySubnet.
    pub(super) fn network_of_gateway(&self, gateway: &VirtualNetworkGateway) -> Option<usize> {
        gateway
            .ip_configurations
            .iter()
            .filter_map(|configuration| configuration.subnet.as_ref())
            .find_map(|subnet| self.subnet_place(subnet))
            .map(|place| place.network)
    }

    fn join_route_tables(&mut self, findings: &mut Vec<Finding>) {
        let resources = self.resources;
        let by_id: AHashMap<&ResourceId, &UserRouteTable> =
            resources.route_tables.iter().map(|table| (&table.header.id, table)).collect();
        for network in &mut self.networks {
            for (subnet, entry) in network.network.subnets.iter().zip(&mut network.route_tables) {
                let Some(id) = &subnet.route_table else { continue };
                *entry = by_id.get(id).copied();
                if entry.is_none() {
                    findings.push(dangling(
                        &subnet.header.id,
                        format!("the route table {id} of this subnet is not in the snapshot; its routes are missing from the computed table"),
                    ));
                }
            }
        }
        for table in &resources.route_tables {
            for id in &table.subnets {
                if let Some(place) = self.subnet_places.get(id) {
                    self.networks[place.network].route_tables[place.subnet].get_or_insert(table);
                }
            }
        }
    }

    fn join_peerings(&mut self) {
        let all = &self.resources.virtual_networks;
        for (index, network) in all.iter().enumerate() {
            self.networks[index].links = network
                .peerings
                .iter()
                .map(|peering| {
                    let remote = self.network_indices.get(&peering.remote_virtual_network).copied();
                    let reverse = remote.and_then(|remote| {
                        all[remote]
                            .peerings
                            .iter()
                            .find(|back| back.remote_virtual_network == network.header.id)
                    });
                    Link { peering, remote, reverse }
                })
                .collect();
        }
    }

    fn join_gateways(&mut self, findings: &mut Vec<Finding>) {
        for gateway in &self.resources.gateways {
            match self.network_of_gateway(gateway) {
                Some(network) => self.networks[network].gateways.push(gateway),
                None => findings.push(dangling(
                    &gateway.header.id,
                    "the GatewaySubnet of this gateway is not in the snapshot".to_owned(),
                )),
            }
        }
        for hub in &self.resources.virtual_hubs {
            let Some(subnet) = &hub.route_server_subnet else { continue };
            match self.subnet_place(subnet) {
                Some(place) => self.networks[place.network].route_servers.push(hub),
                None => findings.push(dangling(
                    &hub.header.id,
                    "the subnet of this Route Server is not in the snapshot".to_owned(),
                )),
            }
        }
    }

    fn join_hubs(&mut self, findings: &mut Vec<Finding>) {
        let resources = self.resources;
        let firewalls: AHashMap<&ResourceId, &AzureFirewall> =
            resources.firewalls.iter().map(|firewall| (&firewall.header.id, firewall)).collect();
        let mut hub_indices: AHashMap<&ResourceId, usize> = AHashMap::new();
        for hub in resources.virtual_hubs.iter().filter(|hub| hub.route_server_subnet.is_none()) {
            let by_id = hub.azure_firewall.as_ref().and_then(|id| firewalls.get(id).copied());
            let by_hub = || {
                let is_in_hub = |firewall: &&AzureFirewall| {
                    firewall.virtual_hub.as_ref().is_some_and(|id| *id == hub.header.id)
                };
                resources.firewalls.iter().find(is_in_hub)
            };
            hub_indices.insert(&hub.header.id, self.hubs.len());
            self.hubs.push(Hub { hub, firewall: by_id.or_else(by_hub), connections: Vec::new() });
        }
        for connection in &resources.hub_connections {
            let network = self.network_index(&connection.virtual_network);
            let Some(&hub) = hub_indices.get(&connection.hub) else {
                findings.push(dangling(
                    &connection.header.id,
                    "the hub of this connection is not in the snapshot".to_owned(),
                ));
                continue;
            };
            self.hubs[hub].connections.push((connection, network));
            match network {
                Some(network) => self.networks[network].hub = Some((connection, hub)),
                None => findings.push(dangling(
                    &connection.header.id,
                    "the VNet of this connection is not in the snapshot".to_owned(),
                )),
            }
        }
    }
}

impl<'r> Network<'r> {
    fn new(network: &'r VirtualNetwork) -> Self {
        let subnet_ids = network
            .subnets
            .iter()
            .map(|subnet| match subnet.header.id.is_empty() {
                true => {
                    ResourceId::new(format!("{}/subnets/{}", network.header.id, subnet.header.name))
                }
                false => subnet.header.id.clone(),
            })
            .collect();
        Self {
            network,
            subnet_ids,
            first_table: 0,
            route_tables: vec![None; network.subnets.len()],
            links: Vec::new(),
            gateways: Vec::new(),
            hub: None,
            route_servers: Vec::new(),
        }
    }

    pub(super) fn has_ipv6(&self) -> bool {
        self.network.address_space.iter().any(|prefix| !prefix.is_ipv4())
    }

    /// Returns the prefix of the VNet's address space that holds an address; the longest if
    /// several do.
    pub(super) fn space_of(&self, address: IpAddr) -> Option<AddressPrefix> {
        let holding = self.network.address_space.iter().filter(|prefix| prefix.contains(address));
        holding.copied().max_by_key(|prefix| prefix.length())
    }

    /// Returns the place of the subnet with one of Azure's own names, such as `GatewaySubnet`.
    pub(super) fn subnet_named(&self, name: &str) -> Option<usize> {
        let subnets = &self.network.subnets;
        subnets.iter().position(|subnet| subnet.header.name.eq_ignore_ascii_case(name))
    }
}

impl Link<'_> {
    /// Returns true when packets pass: both sides are connected, or the local one where the
    /// snapshot does not hold the other. A state that is not told counts as connected.
    ///
    /// Source: Microsoft, "Create, change, or delete a virtual network peering" (read 2026-11-20):
    /// both sides must be Connected. That the local side decides alone is a decision.
    pub(super) fn is_up(&self) -> bool {
        is_connected(self.peering)
            && match (self.remote, self.reverse) {
                (None, _) => true,
                (Some(_), reverse) => reverse.is_some_and(is_connected),
            }
    }
}

fn is_connected(peering: &Peering) -> bool {
    matches!(peering.state, PeeringState::Connected | PeeringState::Unknown)
}

fn dangling(resource: &ResourceId, message: String) -> Finding {
    Finding::new("dangling_reference", Severity::Warning, message).about(resource)
}
