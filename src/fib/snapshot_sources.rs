//! Which table each NIC, subnet and outside prefix of a snapshot uses.
//!
//! What was said outright (an export's name, a `[[table]]`) goes before what is computed. Where
//! networks that are not peered overlap, nothing is guessed.

use std::collections::BTreeMap;
use std::net::IpAddr;

use ahash::{AHashMap, AHashSet};

use super::{ComparedTables, Source, SourceMarks};
use crate::azure::resources::{NetworkInterface, ResourceId, Resources};
use crate::net::AddressPrefix;
use crate::routing::{BeyondGateway, Computed, HubTableRole};

/// Who uses which table: exported ones first, then the subnets', then the hubs'.
pub(super) struct Assignment {
    pub(super) sources: Vec<Vec<Source>>,
    pub(super) marks: SourceMarks,
    pub(super) compared: Vec<ComparedTables>,
}

/// Assigns the tables of a snapshot; `exported` are the sources that were named outright.
///
/// Cost: O(n log n) for n NICs, subnets and prefixes.
pub(super) fn assign(
    exported: &[Vec<Source>],
    computed: &Computed,
    resources: &Resources,
) -> Assignment {
    let mut assigning = Assigning::new(exported, computed);
    assigning.assign_subnets();
    assigning.assign_nics(resources);
    assigning.assign_hubs();
    assigning.mark_overlaps();
    assigning.assign_on_premises(resources);
    assigning.mark_transit(resources);
    assigning.mark_private_endpoints(resources);
    Assignment { sources: assigning.sources, marks: assigning.marks, compared: assigning.compared }
}

struct Assigning<'c> {
    computed: &'c Computed,
    exported_count: usize,
    named: Named,
    /// The table of each subnet.
    subnet_tables: Vec<usize>,
    subnet_indices: AHashMap<&'c ResourceId, usize>,
    /// Prefixes inside Azure, by the network that holds them.
    claims: Vec<Claim<'c>>,
    sources: Vec<Vec<Source>>,
    marks: SourceMarks,
    compared: Vec<ComparedTables>,
}

#[derive(Clone, Copy)]
struct Claim<'c> {
    prefix: AddressPrefix,
    /// The VNet or hub.
    network: &'c ResourceId,
    table: usize,
}

/// The sources that were named outright, by what they are.
#[derive(Default)]
struct Named {
    nics: AHashMap<String, usize>,
    subnets: AHashMap<String, usize>,
    macs: AHashSet<String>,
    prefixes: AHashSet<AddressPrefix>,
}

impl Named {
    fn of(exported: &[Vec<Source>]) -> Self {
        let mut named = Self::default();
        for (table, source) in exported
            .iter()
            .enumerate()
            .flat_map(|(table, all)| all.iter().map(move |one| (table, one)))
        {
            match source {
                Source::Nic(name) => drop(named.nics.insert(name.to_lowercase(), table)),
                Source::Subnet(name) => drop(named.subnets.insert(name.to_lowercase(), table)),
                Source::Mac(mac) => drop(named.macs.insert(mac.to_string())),
                Source::Prefix(prefix) => drop(named.prefixes.insert(*prefix)),
            }
        }
        named
    }

    /// Returns true when a prefix that was named outright covers this one.
    fn covers(&self, prefix: AddressPrefix) -> bool {
        !self.prefixes.is_empty() && is_covered(prefix, &self.prefixes)
    }
}

impl<'c> Assigning<'c> {
    fn new(exported: &[Vec<Source>], computed: &'c Computed) -> Self {
        let mut sources = exported.to_vec();
        sources
            .resize(exported.len() + computed.tables.len() + computed.hub_tables.len(), Vec::new());
        Self {
            computed,
            exported_count: exported.len(),
            named: Named::of(exported),
            subnet_tables: Vec::with_capacity(computed.tables.len()),
            subnet_indices: computed
                .tables
                .iter()
                .enumerate()
                .map(|(index, table)| (&table.subnet, index))
                .collect(),
            claims: Vec::new(),
            sources,
            marks: SourceMarks::default(),
            compared: Vec::new(),
        }
    }

    fn assign_subnets(&mut self) {
        for (index, computed) in self.computed.tables.iter().enumerate() {
            let own = self.exported_count + index;
            let name = short_name(&computed.subnet);
            let named = name.as_ref().and_then(|name| self.named.subnets.get(name)).copied();
            let table = named.unwrap_or(own);
            self.subnet_tables.push(table);
            if let Some(exported) = named {
                self.compare(exported, own);
            }
            self.marks.resource_ids.push((computed.subnet.as_str().to_owned(), table));
            // A name that is not unique is the whole identifier's, or none's.
            let is_short = name.as_ref() == Some(&computed.table.id.to_lowercase());
            if named.is_none() && is_short {
                self.sources[own].push(Source::Subnet(computed.table.id.clone()));
            }
            for prefix in &computed.prefixes {
                let network = &computed.virtual_network;
                self.claims.push(Claim { prefix: *prefix, network, table });
            }
        }
    }

    fn assign_nics(&mut self, resources: &Resources) {
        let mut uses: AHashMap<String, usize> = AHashMap::new();
        for nic in &resources.network_interfaces {
            *uses.entry(nic.header.name.to_lowercase()).or_default() += 1;
        }
        for nic in resources.network_interfaces.iter().filter(|nic| nic.private_endpoint.is_none())
        {
            let Some(subnet) = self.subnet_of(nic) else { continue };
            let folded = nic.header.name.to_lowercase();
            let named = self.named.nics.get(&folded).copied().filter(|_| uses[&folded] == 1);
            let table = named.unwrap_or(self.subnet_tables[subnet]);
            if let Some(exported) = named {
                self.compare(exported, self.exported_count + subnet);
            }
            self.marks.resource_ids.push((nic.header.id.as_str().to_owned(), table));
            let is_taken = self.named.nics.contains_key(&folded);
            if uses[&folded] == 1 && !is_taken && !nic.header.name.is_empty() {
                self.sources[table].push(Source::Nic(nic.header.name.clone()));
            }
            if let Some(mac) = nic.mac {
                self.marks.nic_addresses.extend(addresses(nic));
                if !self.named.macs.contains(&mac.to_string()) {
                    self.sources[table].push(Source::Mac(mac));
                }
            }
            // Addresses follow their subnet's prefix unless the NIC has a table of its own.
            if named.is_some() {
                let network = &self.computed.tables[subnet].virtual_network;
                let hosts = addresses(nic).map(AddressPrefix::host);
                self.claims.extend(hosts.map(|prefix| Claim { prefix, network, table }));
            }
        }
    }

    fn assign_hubs(&mut self) {
        let first = self.exported_count + self.computed.tables.len();
        for (index, hub) in self.computed.hub_tables.iter().enumerate() {
            for prefix in &hub.prefixes {
                let table = first + index;
                self.claims.push(Claim { prefix: *prefix, network: &hub.hub, table });
            }
        }
    }

    /// Gives every prefix to its table, unless another network holds it or what is around it.
    fn mark_overlaps(&mut self) {
        let mut claims = std::mem::take(&mut self.claims);
        claims.retain(|claim| !self.named.covers(claim.prefix));
        claims.sort_by_key(|claim| claim.prefix);
        let mut around: Vec<Claim<'_>> = Vec::new();
        for group in claims.chunk_by(|a, b| a.prefix == b.prefix) {
            let prefix = group[0].prefix;
            around.retain(|outer| outer.prefix.covers(prefix));
            let networks = || around.iter().chain(group).map(|claim| claim.network);
            if networks().all(|network| *network == *group[0].network) {
                // Of one network the last claim counts: a NIC's own table goes before its subnet's.
                if let Some(claim) = group.last() {
                    self.sources[claim.table].push(Source::Prefix(prefix));
                }
            } else {
                self.marks.ambiguous.push(prefix);
            }
            around.extend(group);
        }
    }

    /// Gives the prefixes behind gateways to the tables that they enter by, less the space of every
    /// VNet.
    fn assign_on_premises(&mut self, resources: &Resources) {
        let networks = &resources.virtual_networks;
        let spaces: AHashSet<AddressPrefix> =
            networks.iter().flat_map(|network| &network.address_space).copied().collect();
        let mut entries: BTreeMap<AddressPrefix, Vec<(usize, bool)>> = BTreeMap::new();
        for entry in &self.computed.on_premises {
            if !self.named.covers(entry.prefix) && !is_covered(entry.prefix, &spaces) {
                let Some(table) = self.entry_table(entry.table) else { continue };
                entries.entry(entry.prefix).or_default().push((table, entry.is_fastpath));
            }
        }
        for (prefix, tables) in entries {
            let (table, is_fastpath) = tables[0];
            if tables.iter().any(|(other, _)| *other != table) {
                self.marks.ambiguous.push(prefix);
            } else if is_fastpath || tables.iter().any(|(_, is_fastpath)| *is_fastpath) {
                self.marks.fastpath.push(prefix);
            } else {
                self.sources[table].push(Source::Prefix(prefix));
            }
        }
        let taken: AHashSet<AddressPrefix> = self
            .sources
            .iter()
            .flatten()
            .filter_map(|source| match source {
                Source::Prefix(prefix) => Some(*prefix),
                _ => None,
            })
            .chain(self.marks.ambiguous.iter().copied())
            .collect();
        let mut nowhere: Vec<AddressPrefix> = spaces
            .into_iter()
            .filter(|space| !taken.contains(space) && !self.named.covers(*space))
            .collect();
        nowhere.sort_unstable();
        self.marks.nowhere = nowhere;
    }

    fn entry_table(&self, entry: BeyondGateway) -> Option<usize> {
        match entry {
            BeyondGateway::Subnet(index) => Some(self.subnet_tables[index]),
            BeyondGateway::Hub(hub) => {
                let tables = &self.computed.hub_tables;
                let is_gateways = |role| role == HubTableRole::Gateways;
                let index = tables
                    .iter()
                    .position(|table| table.hub_index == hub && is_gateways(table.role))?;
                Some(self.exported_count + self.computed.tables.len() + index)
            }
        }
    }

    /// Finds the VNets where one subnet alone holds instances that pass on the packets of others
    /// without a NIC in any list: a firewall's, or a gateway's.
    fn mark_transit(&mut self, resources: &Resources) {
        let gateways = resources.gateways.iter().flat_map(|gateway| &gateway.ip_configurations);
        let firewalls = resources.firewalls.iter().flat_map(|one| &one.ip_configurations);
        let mut transit: BTreeMap<String, Vec<usize>> = BTreeMap::new();
        for subnet in gateways.chain(firewalls).filter_map(|one| one.subnet.as_ref()) {
            let Some(&index) = self.subnet_indices.get(subnet) else { continue };
            let network = self.computed.tables[index].virtual_network.as_str();
            let tables = transit.entry(network.to_ascii_lowercase()).or_default();
            if !tables.contains(&self.subnet_tables[index]) {
                tables.push(self.subnet_tables[index]);
            }
        }
        self.marks.transit = transit
            .into_iter()
            .filter_map(|(network, tables)| match tables.as_slice() {
                [table] => Some((network, *table)),
                _ => None,
            })
            .collect();
    }

    fn mark_private_endpoints(&mut self, resources: &Resources) {
        let nics = || resources.network_interfaces.iter();
        let of_nics = nics().filter(|nic| nic.private_endpoint.is_some()).flat_map(addresses);
        // Its NIC knows an endpoint's addresses better than the names that it answers for.
        let known: AHashSet<&ResourceId> = nics().map(|nic| &nic.header.id).collect();
        let told = resources
            .private_endpoints
            .iter()
            .filter(|endpoint| !endpoint.network_interfaces.iter().any(|id| known.contains(id)))
            .flat_map(|endpoint| endpoint.addresses.iter().copied());
        self.marks.private_endpoints = of_nics.chain(told).collect();
        self.marks.private_endpoints.sort_unstable();
        self.marks.private_endpoints.dedup();
    }

    fn subnet_of(&self, nic: &NetworkInterface) -> Option<usize> {
        nic.ip_configurations
            .iter()
            .filter_map(|configuration| configuration.subnet.as_ref())
            .find_map(|subnet| self.subnet_indices.get(subnet).copied())
    }

    fn compare(&mut self, exported: usize, computed: usize) {
        if !self.compared.iter().any(|pair| pair.exported == exported) {
            self.compared.push(ComparedTables { exported, computed, is_elided: false });
        }
    }
}

fn addresses(nic: &NetworkInterface) -> impl Iterator<Item = IpAddr> + '_ {
    nic.ip_configurations.iter().filter_map(|configuration| configuration.private_ip_address)
}

/// `VNET/SUBNET`, folded.
fn short_name(subnet: &ResourceId) -> Option<String> {
    let network = subnet.segment_after("virtualNetworks")?;
    let name = subnet.segment_after("subnets")?;
    Some(format!("{network}/{name}").to_lowercase())
}

fn is_covered(prefix: AddressPrefix, covering: &AHashSet<AddressPrefix>) -> bool {
    (0..=prefix.length()).any(|length| {
        AddressPrefix::new(prefix.address(), length).is_ok_and(|outer| covering.contains(&outer))
    })
}
