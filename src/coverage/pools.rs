//! Backend pools of application gateways: who is in them, and whom no traffic shows.

use std::collections::BTreeMap;
use std::net::IpAddr;

use super::CoverageTotals;
use crate::azure::resources::{ApplicationGateway, BackendPool, ResourceId, Resources};
use crate::net::AddressPrefix;
use crate::routing::NextHopClass;

/// A member of a pool, with the flows that its gateway sent it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PoolMember {
    /// `GATEWAY/POOL`.
    pub pool: String,
    /// Its address, else its host name, else the name of its NIC.
    pub member: String,
    /// Its address, where the snapshot tells it.
    pub address: Option<IpAddr>,
    /// What the gateway's health probes said when the snapshot was taken, in Azure's word.
    pub health: Option<String>,
    /// The gateway's first hop to it.
    pub next_hop_class: Option<NextHopClass>,
    /// What is wrong.
    pub problem: Option<PoolProblem>,
    /// Flows from the gateway's subnets to it.
    pub totals: CoverageTotals,
}

/// What is wrong with a member of a pool; the first that applies.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum PoolProblem {
    /// The pool names a NIC that no export holds.
    UnknownMember,
    /// A host name, which no export resolves.
    UnresolvedName,
    /// A public address: the gateway reaches it over the Internet.
    PublicAddress,
    /// The gateway's subnet has no route to it, or one that drops.
    NoRoute,
    /// No recorded flow went to it.
    NoFlows,
}

/// A member as the snapshot tells it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct PoolMemberPlace {
    pub(super) pool: String,
    pub(super) member: String,
    pub(super) address: Option<IpAddr>,
    pub(super) health: Option<String>,
    pub(super) is_name: bool,
    /// The prefixes of the gateway's subnets; empty where no export tells them.
    pub(super) gateway: Vec<AddressPrefix>,
}

impl PoolProblem {
    /// Returns the word that stands in every output.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::UnknownMember => "unknown_member",
            Self::UnresolvedName => "unresolved_name",
            Self::PublicAddress => "public_address",
            Self::NoRoute => "no_route",
            Self::NoFlows => "no_flows",
        }
    }
}

/// Lists the members of every pool: those that the pool names, those whose NIC names the pool, and
/// those that health probes found.
pub(super) fn pool_members(resources: &Resources) -> Vec<PoolMemberPlace> {
    let mut addresses: BTreeMap<String, IpAddr> = BTreeMap::new();
    for nic in &resources.network_interfaces {
        for configuration in &nic.ip_configurations {
            if let Some(address) = configuration.private_ip_address {
                addresses.insert(configuration.id.as_str().to_ascii_lowercase(), address);
            }
        }
    }
    let mut members = Vec::new();
    for gateway in &resources.application_gateways {
        let prefixes = prefixes_of(resources, gateway);
        for pool in &gateway.pools {
            let name = format!("{}/{}", gateway.header.name, pool.name);
            let mut found = Found { resources, pool, members: Vec::new() };
            found.add_all(&addresses);
            members.extend(found.members.into_iter().map(|(member, address, is_name)| {
                PoolMemberPlace {
                    pool: name.clone(),
                    health: health_of(resources, pool, &member),
                    member,
                    address,
                    is_name,
                    gateway: prefixes.clone(),
                }
            }));
        }
    }
    members
}

/// The members of one pool so far: how each is shown, its address, and whether it is a host name.
struct Found<'r> {
    resources: &'r Resources,
    pool: &'r BackendPool,
    members: Vec<(String, Option<IpAddr>, bool)>,
}

impl Found<'_> {
    fn add_all(&mut self, addresses: &BTreeMap<String, IpAddr>) {
        let pool = self.pool;
        pool.addresses.iter().for_each(|&address| self.add_address(address));
        for id in &pool.ip_configurations {
            match addresses.get(&id.as_str().to_ascii_lowercase()) {
                Some(&address) => self.add_address(address),
                None => self.add(nic_name(id), None, false),
            }
        }
        for nic in &self.resources.network_interfaces {
            for configuration in &nic.ip_configurations {
                if configuration.application_gateway_pools.contains(&pool.id) {
                    match configuration.private_ip_address {
                        Some(address) => self.add_address(address),
                        None => self.add(nic.header.name.clone(), None, false),
                    }
                }
            }
        }
        pool.host_names.iter().for_each(|name| self.add(name.clone(), None, true));
        for (server, _) in servers(self.resources, pool) {
            match server.parse() {
                Ok(address) => self.add_address(address),
                Err(_) => self.add(server.clone(), None, true),
            }
        }
    }

    fn add_address(&mut self, address: IpAddr) {
        self.add(address.to_string(), Some(address), false);
    }

    fn add(&mut self, member: String, address: Option<IpAddr>, is_name: bool) {
        if !self.members.iter().any(|(known, ..)| known.eq_ignore_ascii_case(&member)) {
            self.members.push((member, address, is_name));
        }
    }
}

fn prefixes_of(resources: &Resources, gateway: &ApplicationGateway) -> Vec<AddressPrefix> {
    let subnets = resources.virtual_networks.iter().flat_map(|network| &network.subnets);
    subnets
        .filter(|subnet| gateway.subnets.contains(&subnet.header.id))
        .flat_map(|subnet| subnet.address_prefixes.iter().copied())
        .collect()
}

fn servers<'r>(
    resources: &'r Resources,
    pool: &'r BackendPool,
) -> impl Iterator<Item = &'r (String, String)> {
    let health = resources.backend_health.iter().filter(|health| health.pool == pool.id);
    health.flat_map(|health| &health.servers)
}

fn health_of(resources: &Resources, pool: &BackendPool, member: &str) -> Option<String> {
    let mut words: Vec<&str> = servers(resources, pool)
        .filter(|(server, _)| server.eq_ignore_ascii_case(member))
        .map(|(_, health)| health.as_str())
        .filter(|health| !health.is_empty())
        .collect();
    words.sort_unstable();
    words.dedup();
    (!words.is_empty()).then(|| words.join(" "))
}

/// The name of the NIC in the identifier of an IP configuration, with that of its instance.
fn nic_name(id: &ResourceId) -> String {
    let nic = id.segment_after("networkInterfaces").unwrap_or(id.as_str());
    match (id.segment_after("virtualMachineScaleSets"), id.segment_after("virtualMachines")) {
        (Some(set), Some(instance)) => format!("{set}/{instance}/{nic}"),
        _ => nic.to_owned(),
    }
}
