//! Backend pools of application gateways: every member that any export tells of, and who it is.

use std::net::IpAddr;

use ahash::AHashMap;

use crate::azure::Settings;
use crate::azure::resources::{ApplicationGateway, BackendPool, ResourceId, Resources};

/// A backend pool with its members.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BackendPoolMembers {
    /// `GATEWAY/POOL`.
    pub name: String,
    /// The application gateway.
    pub gateway: ResourceId,
    /// The gateway's subnets: its instances send from there.
    pub subnets: Vec<ResourceId>,
    /// Every member, those of unknown address too.
    pub members: Vec<BackendMember>,
}

/// A member of a backend pool.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BackendMember {
    /// What the pool names: an address, a host name, or an IP configuration as `NIC` or
    /// `SCALE-SET/INSTANCE`.
    pub name: String,
    /// It is a host name; each of its addresses is a member.
    pub is_host_name: bool,
    /// The address, where one is known.
    pub address: Option<IpAddr>,
    /// The NIC or private endpoint that has the address, where the snapshot holds it.
    pub owner: Option<String>,
    /// What the gateway's probes say, in Azure's words; none where the export is missing.
    pub health: Option<String>,
}

/// Lists the members of every pool, pools in the order of the files.
///
/// A pool names addresses, host names or IP configurations; NICs, of scale-set instances too, name
/// their pools; and the health of a pool names servers that nothing else does. A host name's
/// addresses are those of the settings, else of a private endpoint that answers for it. What stays
/// unknown is listed all the same. (Decision: no address is ever guessed.)
///
/// Cost: linear in NICs and members.
///
/// Source: Microsoft, "Application Gateway components", §Backend pools (read 2026-11-20).
pub(super) fn members(resources: &Resources, settings: &Settings) -> Vec<BackendPoolMembers> {
    if resources.application_gateways.is_empty() {
        return Vec::new();
    }
    let known = Known::of(resources, settings);
    let pools = resources
        .application_gateways
        .iter()
        .flat_map(|gateway| gateway.pools.iter().map(move |pool| (gateway, pool)));
    pools.map(|(gateway, pool)| known.pool(gateway, pool)).collect()
}

/// What the snapshot tells of addresses and names.
struct Known<'r> {
    resources: &'r Resources,
    /// The address and the NIC of each IP configuration.
    configurations: AHashMap<&'r ResourceId, (Option<IpAddr>, &'r str)>,
    /// The IP configurations that name a pool.
    members: AHashMap<&'r ResourceId, Vec<&'r ResourceId>>,
    owners: AHashMap<IpAddr, &'r str>,
    hosts: AHashMap<String, &'r [IpAddr]>,
}

impl<'r> Known<'r> {
    fn of(resources: &'r Resources, settings: &'r Settings) -> Self {
        let mut known = Self {
            resources,
            configurations: AHashMap::new(),
            members: AHashMap::new(),
            owners: AHashMap::new(),
            hosts: AHashMap::new(),
        };
        for nic in &resources.network_interfaces {
            let endpoint = nic.private_endpoint.as_ref();
            let name = endpoint
                .and_then(|endpoint| endpoint.segment_after("privateEndpoints"))
                .unwrap_or(&nic.header.name);
            for configuration in &nic.ip_configurations {
                let address = configuration.private_ip_address;
                known.configurations.insert(&configuration.id, (address, name));
                if let Some(address) = address {
                    known.owners.entry(address).or_insert(name);
                }
                for pool in &configuration.application_gateway_pools {
                    known.members.entry(pool).or_default().push(&configuration.id);
                }
            }
        }
        for endpoint in &resources.private_endpoints {
            for address in &endpoint.addresses {
                known.owners.entry(*address).or_insert(&endpoint.header.name);
            }
            for (name, addresses) in &endpoint.host_names {
                known.hosts.insert(name.to_ascii_lowercase(), addresses);
            }
        }
        for host in &settings.hosts {
            known.hosts.insert(host.name.to_ascii_lowercase(), &host.addresses);
        }
        known
    }

    fn pool(&self, gateway: &ApplicationGateway, pool: &BackendPool) -> BackendPoolMembers {
        let mut members: Vec<BackendMember> = Vec::new();
        for &address in &pool.addresses {
            add(&mut members, address.to_string(), false, Some(address));
        }
        for name in &pool.host_names {
            self.add_host(&mut members, name);
        }
        let named = self.members.get(&pool.id).into_iter().flatten().copied();
        for id in pool.ip_configurations.iter().chain(named) {
            let found = self.configurations.get(id);
            let name = found.map_or_else(|| instance_name(id), |(_, name)| (*name).to_owned());
            add(&mut members, name, false, found.and_then(|(address, _)| *address));
        }
        let health = self.resources.backend_health.iter().filter(|health| health.pool == pool.id);
        let servers: Vec<&(String, String)> = health.flat_map(|health| &health.servers).collect();
        for (server, _) in &servers {
            match server.parse::<IpAddr>() {
                Ok(address) => add(&mut members, server.clone(), false, Some(address)),
                Err(_) => self.add_host(&mut members, server),
            }
        }
        for member in &mut members {
            member.owner =
                member.address.and_then(|ip| self.owners.get(&ip)).map(|&name| name.to_owned());
            let mut said: Vec<&str> = servers
                .iter()
                .filter(|(server, _)| member.is(server))
                .map(|(_, health)| health.as_str())
                .filter(|health| !health.is_empty())
                .collect();
            // A server stands once for each of its settings.
            said.sort_unstable();
            said.dedup();
            member.health = (!said.is_empty()).then(|| said.join(", "));
        }
        BackendPoolMembers {
            name: format!("{}/{}", gateway.header.name, pool.name),
            gateway: gateway.header.id.clone(),
            subnets: gateway.subnets.clone(),
            members,
        }
    }

    fn add_host(&self, members: &mut Vec<BackendMember>, name: &str) {
        match self.hosts.get(&name.to_ascii_lowercase()) {
            Some(addresses) if !addresses.is_empty() => {
                addresses.iter().for_each(|ip| add(members, name.to_owned(), true, Some(*ip)));
            }
            _ => add(members, name.to_owned(), true, None),
        }
    }
}

impl BackendMember {
    /// Returns true when a server of a health report is this member.
    fn is(&self, server: &str) -> bool {
        self.name.eq_ignore_ascii_case(server)
            || self.address.is_some_and(|address| server.parse() == Ok(address))
    }
}

/// Adds a member once: a pool and its NICs name each other.
fn add(
    members: &mut Vec<BackendMember>,
    name: String,
    is_host_name: bool,
    address: Option<IpAddr>,
) {
    let is_same = |member: &BackendMember| match (member.address, address) {
        (Some(known), Some(address)) => known == address,
        _ => member.name.eq_ignore_ascii_case(&name),
    };
    if !members.iter().any(is_same) {
        members.push(BackendMember { name, is_host_name, address, owner: None, health: None });
    }
}

/// What an IP configuration that the snapshot does not hold belongs to.
fn instance_name(id: &ResourceId) -> String {
    let scale_set = id.segment_after("virtualMachineScaleSets");
    match (scale_set, id.segment_after("virtualMachines"), id.segment_after("networkInterfaces")) {
        (Some(set), Some(instance), _) => format!("{set}/{instance}"),
        (_, _, Some(nic)) => nic.to_owned(),
        _ => id.as_str().to_owned(),
    }
}
