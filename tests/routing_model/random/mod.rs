//! Random topologies, drawn so that rules meet: few prefixes, used again and again as they are, a
//! little longer and a little shorter.
//!
//! What Azure's API refuses is not drawn (peered VNets that overlap, a second remote gateway, two
//! user-defined routes of one prefix, 0.0.0.0/0 on a GatewaySubnet), and neither is what its
//! documentation says nothing about.

mod choices;
mod gateways;
mod networks;
mod peerings;
mod private_endpoints;
mod routes;
mod virtual_wan;

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use nexthop::azure::resources::{ResourceHeader, ResourceId};
use nexthop::azure::{ServiceEndpointPriority, ServiceTags, Settings, SystemNoneProfile};
use nexthop::net::AddressPrefix;

use super::World;
use crate::support::random::SplitMix64;
use choices::Choices;

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
    drawing.shuffle();
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

pub struct Drawing {
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

    /// No order of the files means anything.
    fn shuffle(&mut self) {
        let Self { random, world, .. } = self;
        let resources = &mut world.resources;
        for network in &mut resources.virtual_networks {
            random.shuffle(&mut network.address_space);
            random.shuffle(&mut network.subnets);
            random.shuffle(&mut network.peerings);
        }
        for table in &mut resources.route_tables {
            random.shuffle(&mut table.routes);
        }
        random.shuffle(&mut resources.virtual_networks);
        random.shuffle(&mut resources.route_tables);
        random.shuffle(&mut resources.private_endpoints);
        random.shuffle(&mut resources.network_interfaces);
        random.shuffle(&mut resources.gateways);
        random.shuffle(&mut resources.connections);
        random.shuffle(&mut resources.local_network_gateways);
        random.shuffle(&mut resources.learned_routes);
        random.shuffle(&mut resources.public_ip_addresses);
        random.shuffle(&mut resources.virtual_hubs);
        random.shuffle(&mut resources.hub_connections);
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

pub fn header(kind: &str, name: &str) -> ResourceHeader {
    let id = format!("/subscriptions/s/resourceGroups/g/providers/Microsoft.Network/{kind}/{name}");
    ResourceHeader { id: ResourceId::new(id), name: name.to_owned(), location: String::new() }
}

pub fn below(parent: &ResourceId, kind: &str, name: &str) -> ResourceHeader {
    let id = ResourceId::new(format!("{parent}/{kind}/{name}"));
    ResourceHeader { id, name: name.to_owned(), location: String::new() }
}

pub fn parse(text: &str) -> AddressPrefix {
    text.parse().expect(text)
}

pub fn prefix(octets: [u8; 4], length: u8) -> AddressPrefix {
    AddressPrefix::new(octets.into(), length).expect("the family's length")
}

pub fn moved(address: IpAddr, by: i8) -> IpAddr {
    match address {
        IpAddr::V4(address) => {
            Ipv4Addr::from(address.to_bits().wrapping_add_signed(by.into())).into()
        }
        IpAddr::V6(address) => {
            Ipv6Addr::from(address.to_bits().wrapping_add_signed(by.into())).into()
        }
    }
}
