//! Random topologies, drawn so that rules meet: few prefixes, used again and again as they are, a
//! little longer and a little shorter.
//!
//! What Azure's API refuses is not drawn (peered VNets that overlap, a second remote gateway, two
//! user-defined routes of one prefix, 0.0.0.0/0 on a GatewaySubnet), and neither is what its
//! documentation says nothing about.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use nexthop::azure::resources::{
    AzureFirewall, Connection, ConnectionType, HubConnection, HubRoute, HubRouteTable,
    IpConfiguration, LearnedRoute, LocalNetworkGateway, NetworkInterface, Peering, PeeringState,
    PrivateEndpoint, PrivateEndpointNetworkPolicies, PublicIpAddress, ResourceHeader, ResourceId,
    RoutingIntent, ServiceEndpoint, Subnet, UserRoute, UserRouteTable, VirtualHub, VirtualNetwork,
    VirtualNetworkGateway,
};
use nexthop::azure::{
    NextHopType, RouteDestination, ServiceEndpointPriority, ServiceTags, Settings,
    SystemNoneProfile,
};
use nexthop::net::AddressPrefix;

use super::World;

/// Makes the topology of a seed: 2 to 40 VNets, mostly few.
pub fn world(seed: u64) -> World {
    let mut drawing =
        Drawing { random: SplitMix64(seed), world: World::default(), prefixes: Vec::new() };
    drawing.settings();
    drawing.service_tags();
    drawing.networks();
    drawing.peerings();
    drawing.private_endpoints();
    drawing.gateways();
    drawing.route_servers();
    drawing.secured_hub();
    drawing.route_tables();
    drawing.world
}

/// Returns the probes of a topology's tables: addresses at the edges of the prefixes that it is
/// about, and some from anywhere.
pub fn probes(seed: u64, prefixes: &[AddressPrefix], count: usize) -> Vec<IpAddr> {
    let mut random = SplitMix64(!seed);
    let mut probes = Vec::with_capacity(count);
    while probes.len() < count {
        let Some(&prefix) = random.pick(prefixes) else { break };
        let address = match random.below(8) {
            0 | 1 => prefix.address(),
            2 | 3 => prefix.last_address(),
            4 => moved(prefix.address(), -1),
            5 => moved(prefix.last_address(), 1),
            6 => random.inside(prefix),
            _ => random.inside(AddressPrefix::IPV4_ALL),
        };
        probes.push(address);
    }
    probes
}

struct Drawing {
    random: SplitMix64,
    world: World,
    /// Every prefix drawn so far: the stock for gateways' and users' routes.
    prefixes: Vec<AddressPrefix>,
}

/// Address spaces of VNets, the odd ones more often than in life.
const BLOCKS: [&str; 12] = [
    "10.0.0.0/8",
    "172.16.0.0/12",
    "192.168.0.0/16",
    "100.64.0.0/10",
    "10.0.0.0/7",
    "172.0.0.0/8",
    "198.18.0.0/15",
    "25.33.0.0/16",
    "157.59.0.0/16",
    "172.20.2.0/24",
    "100.64.0.0/24",
    "192.168.0.0/24",
];
const REGIONS: [&str; 5] = ["westeurope", "westeurope", "eastus", "eastus", ""];
/// Service tags and what they may hold: those of one rank share no prefix.
const TAGS: [(&str, &[&str]); 9] = [
    ("Storage.EastUS", &["20.38.98.0/24", "20.38.98.128/25", "52.239.0.0/16"]),
    ("Storage.WestEurope", &["20.38.99.0/24", "20.60.0.0/16", "52.239.128.0/17"]),
    ("Storage", &["20.38.98.0/24", "20.38.99.0/24", "20.60.0.0/16", "52.239.0.0/16"]),
    ("Sql.EastUS", &["40.79.154.0/24", "40.79.154.64/26"]),
    ("Sql.WestEurope", &["40.79.155.0/24", "40.79.152.0/23"]),
    ("Sql", &["40.79.154.0/24", "40.79.152.0/23", "40.79.152.0/22"]),
    ("AzureCloud.EastUS", &["20.38.98.0/24", "40.79.154.0/24", "52.239.0.0/16"]),
    ("AzureCloud.WestEurope", &["20.60.0.0/16", "40.79.155.0/24"]),
    ("AzureCloud", &["20.60.0.0/16", "20.38.98.0/24", "40.79.152.0/22"]),
];

impl Drawing {
    fn settings(&mut self) {
        self.world.settings = Settings {
            service_endpoint_priority: match self.random.one_in(4) {
                true => ServiceEndpointPriority::Absolute,
                false => ServiceEndpointPriority::Lpm,
            },
            system_none_profile: match self.random.below(4) {
                0 => SystemNoneProfile::Observed2021,
                1 => SystemNoneProfile::Observed2022,
                _ => SystemNoneProfile::Documented,
            },
            ..Settings::default()
        };
        self.prefixes.extend(
            ["0.0.0.0/0", "0.0.0.0/0", "0.0.0.0/1", "128.0.0.0/1"].iter().map(|text| parse(text)),
        );
        self.prefixes.extend(BLOCKS.iter().map(|text| parse(text)));
    }

    fn service_tags(&mut self) {
        if self.random.one_in(8) {
            return;
        }
        let mut tags = ServiceTags::default();
        for (name, prefixes) in TAGS {
            for _ in 0..1 + self.random.below(4) {
                let prefix = parse(self.random.pick(prefixes).expect("a constant"));
                tags.add(name, [prefix]);
                self.prefixes.push(prefix);
            }
        }
        if self.random.one_in(8) {
            let own = vec![parse("20.38.98.0/24"), parse("10.99.0.0/16")];
            self.world.settings.service_tags.insert("storage.eastus".to_owned(), own);
        }
        self.world.service_tags = tags;
    }

    fn networks(&mut self) {
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

    fn subnet(&mut self, network: &VirtualNetwork, name: &str) -> Subnet {
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

    /// A hub and its spokes, and pairs from anywhere.
    fn peerings(&mut self) {
        let count = self.world.resources.virtual_networks.len();
        let mut pairs: Vec<(usize, usize)> =
            (1..count).filter(|_| !self.random.one_in(5)).map(|spoke| (0, spoke)).collect();
        for _ in 0..count {
            let pair = (
                self.random.below(count as u64) as usize,
                self.random.below(count as u64) as usize,
            );
            if pair.0 != pair.1 && !pairs.contains(&pair) && !pairs.contains(&(pair.1, pair.0)) {
                pairs.push(pair);
            }
        }
        for (hub, spoke) in pairs {
            if self.may_peer(hub, spoke) {
                self.pair(hub, spoke);
            }
        }
        for index in 0..count {
            if self.random.one_in(6) {
                self.peering_to_nowhere(index);
            }
        }
    }

    /// Peered VNets do not overlap, neither with each other nor with what either is peered with.
    fn may_peer(&self, left: usize, right: usize) -> bool {
        let networks = &self.world.resources.virtual_networks;
        let reach = |index: usize| {
            let network: &VirtualNetwork = &networks[index];
            let peered = network.peerings.iter().flat_map(|peering| {
                let spaces =
                    [&peering.remote_address_space, &peering.remote_virtual_network_address_space];
                spaces.into_iter().flatten().copied()
            });
            let known = network.peerings.iter().flat_map(|peering| {
                let remote = networks
                    .iter()
                    .find(|remote| remote.header.id == peering.remote_virtual_network);
                remote.map(|remote| remote.address_space.clone()).unwrap_or_default()
            });
            let mut reach: Vec<AddressPrefix> = peered.chain(known).collect();
            reach.extend(&network.address_space);
            reach
        };
        let disjoint = |reach: &[AddressPrefix], space: &[AddressPrefix]| {
            reach.iter().all(|prefix| space.iter().all(|other| !other.overlaps(*prefix)))
        };
        disjoint(&reach(left), &networks[right].address_space)
            && disjoint(&reach(right), &networks[left].address_space)
    }

    fn pair(&mut self, hub: usize, spoke: usize) {
        let mut there = self.peering(hub, spoke);
        let mut back = self.peering(spoke, hub);
        there.allow_gateway_transit = !self.random.one_in(4);
        let uses_another = self.world.resources.virtual_networks[spoke]
            .peerings
            .iter()
            .any(|peering| peering.use_remote_gateways);
        back.use_remote_gateways = !uses_another && !self.random.one_in(3);
        let is_in_sync = !self.random.one_in(6);
        (there.is_fully_in_sync, back.is_fully_in_sync) = match self.random.below(3) {
            _ if is_in_sync => (true, true),
            0 => (false, true),
            1 => (true, false),
            _ => (false, false),
        };
        for peering in [&mut there, &mut back] {
            if !peering.is_fully_in_sync {
                self.make_stale(peering);
            }
        }
        if self.random.one_in(20) {
            there.is_subnet_peering = true;
            back.is_subnet_peering = true;
        }
        let sides = self.random.below(20);
        let networks = &mut self.world.resources.virtual_networks;
        if sides != 0 {
            networks[hub].peerings.push(there);
        }
        if sides != 1 {
            networks[spoke].peerings.push(back);
        }
    }

    fn peering(&mut self, from: usize, to: usize) -> Peering {
        let remote = &self.world.resources.virtual_networks[to];
        let space = remote.address_space.clone();
        let id = self.random.recased(&remote.header.id);
        Peering {
            name: format!("to-{}", remote.header.name),
            state: match self.random.below(24) {
                0 => PeeringState::Initiated,
                1 => PeeringState::Disconnected,
                2 => PeeringState::Unknown,
                _ => PeeringState::Connected,
            },
            is_fully_in_sync: true,
            remote_virtual_network: id,
            remote_address_space: space.clone(),
            // Exports of older versions of the API lack it.
            remote_virtual_network_address_space: match (from + to) % 7 {
                0 => Vec::new(),
                _ => space,
            },
            allow_virtual_network_access: !self.random.one_in(8),
            allow_forwarded_traffic: self.random.one_in(2),
            ..Peering::default()
        }
    }

    /// The remote VNet got a prefix, or lost one, since the last synchronisation.
    fn make_stale(&mut self, peering: &mut Peering) {
        if peering.remote_address_space.len() > 1 && self.random.one_in(2) {
            peering.remote_address_space.pop();
        } else {
            // Outside of every other block here: peered VNets never overlap.
            let old = prefix([51, 99, self.random.octet(255), 0], 24);
            peering.remote_address_space.push(old);
            self.prefixes.push(old);
        }
    }

    /// A VNet of another team's subscription that no export holds.
    fn peering_to_nowhere(&mut self, index: usize) {
        let space = vec![prefix([51, 98, index as u8, 0], 24)];
        self.prefixes.extend(&space);
        let peering = Peering {
            name: "to-elsewhere".to_owned(),
            state: match self.random.one_in(6) {
                true => PeeringState::Disconnected,
                false => PeeringState::Connected,
            },
            is_fully_in_sync: true,
            remote_virtual_network: header("virtualNetworks", &format!("elsewhere{index}")).id,
            remote_address_space: space.clone(),
            remote_virtual_network_address_space: space,
            allow_virtual_network_access: true,
            ..Peering::default()
        };
        self.world.resources.virtual_networks[index].peerings.push(peering);
    }

    fn private_endpoints(&mut self) {
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

    /// A VNet that uses the gateways of another has none of its own.
    fn may_have_gateway(&self, index: usize) -> bool {
        let network = &self.world.resources.virtual_networks[index];
        !network.peerings.iter().any(|peering| peering.use_remote_gateways)
    }

    fn gateways(&mut self) {
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
    fn route_servers(&mut self) {
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

    /// A hub whose firewall inspects private traffic at least, by routing intent or by static
    /// routes; the VNets without a gateway of their own or of others are connected to it.
    fn secured_hub(&mut self) {
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

    fn route_tables(&mut self) {
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
            let destination = if self.random.one_in(10) {
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

    /// Up to `count_max` prefixes from the stock.
    fn stock_prefixes(&mut self, count_max: u64) -> Vec<AddressPrefix> {
        (0..1 + self.random.below(count_max)).map(|_| self.stock_prefix()).collect()
    }

    /// A prefix that is in use already, or one inside or around it.
    fn stock_prefix(&mut self) -> AddressPrefix {
        let &prefix = self.random.pick(&self.prefixes).expect("blocks are there from the start");
        let prefix = match self.random.below(8) {
            0 | 1 => self.random.longer(prefix, 4),
            2 => self.random.longer(prefix, 10),
            3 => self.random.shorter(prefix, 4),
            _ => prefix,
        };
        self.prefixes.push(prefix);
        prefix
    }
}

fn header(kind: &str, name: &str) -> ResourceHeader {
    let id = format!("/subscriptions/s/resourceGroups/g/providers/Microsoft.Network/{kind}/{name}");
    ResourceHeader { id: ResourceId::new(id), name: name.to_owned(), location: String::new() }
}

fn below(parent: &ResourceId, kind: &str, name: &str) -> ResourceHeader {
    let id = ResourceId::new(format!("{parent}/{kind}/{name}"));
    ResourceHeader { id, name: name.to_owned(), location: String::new() }
}

fn parse(text: &str) -> AddressPrefix {
    text.parse().expect(text)
}

fn prefix(octets: [u8; 4], length: u8) -> AddressPrefix {
    AddressPrefix::new(octets.into(), length).expect("the family's length")
}

fn moved(address: IpAddr, by: i8) -> IpAddr {
    match address {
        IpAddr::V4(address) => {
            Ipv4Addr::from(address.to_bits().wrapping_add_signed(by.into())).into()
        }
        IpAddr::V6(address) => {
            Ipv6Addr::from(address.to_bits().wrapping_add_signed(by.into())).into()
        }
    }
}

/// Source: G. Steele, D. Lea, C. Flood, "Fast Splittable Pseudorandom Number Generators",
/// OOPSLA 2014, figure 17.
struct SplitMix64(u64);

impl SplitMix64 {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        z ^ (z >> 31)
    }

    /// Returns a number below `limit`; the small bias does not matter here.
    fn below(&mut self, limit: u64) -> u64 {
        self.next() % limit
    }

    fn octet(&mut self, limit: u64) -> u8 {
        self.below(limit) as u8
    }

    fn one_in(&mut self, count: u64) -> bool {
        self.below(count) == 0
    }

    fn pick<'l, T>(&mut self, list: &'l [T]) -> Option<&'l T> {
        list.get(self.below(list.len().max(1) as u64) as usize)
    }

    /// A prefix inside `outer` that is up to `bits` longer.
    fn longer(&mut self, outer: AddressPrefix, bits: u64) -> AddressPrefix {
        let length_max = if outer.is_ipv4() { 32 } else { 128 };
        let length = (outer.length() + 1 + self.octet(bits)).min(length_max);
        AddressPrefix::new(self.inside(outer), length).expect("the family's length")
    }

    /// A prefix around `inner` that is up to `bits` shorter.
    fn shorter(&mut self, inner: AddressPrefix, bits: u64) -> AddressPrefix {
        let length = inner.length().saturating_sub(1 + self.octet(bits));
        AddressPrefix::new(inner.address(), length).expect("the family's length")
    }

    fn inside(&mut self, prefix: AddressPrefix) -> IpAddr {
        match (prefix.address(), prefix.last_address()) {
            (IpAddr::V4(first), IpAddr::V4(last)) => {
                let host_mask = first.to_bits() ^ last.to_bits();
                Ipv4Addr::from(first.to_bits() | (self.next() as u32 & host_mask)).into()
            }
            (IpAddr::V6(first), IpAddr::V6(last)) => {
                let host_mask = first.to_bits() ^ last.to_bits();
                let bits = u128::from(self.next()) << 64 | u128::from(self.next());
                Ipv6Addr::from(first.to_bits() | (bits & host_mask)).into()
            }
            _ => unreachable!("both ends of a prefix are of one family"),
        }
    }

    /// References are written in any case.
    fn recased(&mut self, id: &ResourceId) -> ResourceId {
        match self.below(4) {
            0 => ResourceId::new(id.as_str().to_uppercase()),
            1 => ResourceId::new(id.as_str().to_lowercase()),
            _ => id.clone(),
        }
    }
}
