//! The places of a snapshot: from its resources where they were exported, else from what the
//! route tables give away.

use std::collections::BTreeMap;
use std::net::IpAddr;
use std::sync::Arc;

use super::firewall_names::FirewallNames;
use super::firewall_observers::FirewallObservers;
use super::pools::pool_members;
use super::{Places, unobservable};
use crate::azure::resources::{AzureFirewall, Resources};
use crate::azure::{NextHopType, RouteSource};
use crate::fib::{SnapshotTables, Source};
use crate::net::AddressPrefix;
use crate::routing::{RouteRow, RouteTable};

impl Places {
    /// Finds the places of a snapshot.
    ///
    /// Route tables alone tell the address space of their VNet (the VnetLocal rows of the system),
    /// the private endpoints around (host routes to them, used or not), and what gateways reach.
    ///
    /// Cost: linear in resources and rows.
    pub fn of(tables: &SnapshotTables, resources: &Resources) -> Self {
        let (chosen, azure) = tables.owners.firewall_names();
        let mut places = Self {
            firewalls: tables.owners.firewall_prefixes(),
            firewall_names: FirewallNames::new(azure, chosen),
            untranslated: untranslated(resources),
            ..Self::default()
        };
        places.add_firewall_owners(tables);
        places.add_tables(tables);
        places.add_resources(resources);
        places.add_pools(tables, resources);
        places.private_endpoints.sort_unstable();
        places.private_endpoints.dedup();
        places.on_premises.sort_unstable();
        places.on_premises.dedup();
        let observers = FirewallObservers::of(&places, tables, resources);
        places.firewall_observers = Arc::new(observers);
        places.unobservable = unobservable::of_resources(resources);
        places
    }

    fn add_firewall_owners(&mut self, tables: &SnapshotTables) {
        for firewall in tables.owners.firewalls() {
            let Some(position) = self.firewall_names.position(&firewall.name) else { continue };
            let addresses = firewall.addresses.iter().map(|&address| AddressPrefix::host(address));
            for prefix in addresses.chain(firewall.subnets.iter().copied()) {
                self.firewall_owners.entry(prefix).or_insert(position);
            }
        }
    }

    fn add_tables(&mut self, tables: &SnapshotTables) {
        for (table, sources) in tables.tables.iter().zip(&tables.sources) {
            let space = prefixes_of_type(table, &NextHopType::VnetLocal);
            if !space.is_empty() && !self.virtual_networks.values().any(|known| *known == space) {
                self.virtual_networks.insert(table.id.clone(), space);
            }
            let endpoints = table.rows().filter(|row| is_private_endpoint(row));
            self.private_endpoints
                .extend(endpoints.filter_map(RouteRow::prefix).map(AddressPrefix::address));
            self.on_premises.extend(gateway_prefixes(table));
            let hosts = sources.iter().filter_map(|source| match source {
                Source::Prefix(prefix) if *prefix == AddressPrefix::host(prefix.address()) => {
                    Some(prefix.address())
                }
                _ => None,
            });
            let hosts: Vec<IpAddr> = hosts.collect();
            if !hosts.is_empty() {
                self.nics.insert(table.id.clone(), hosts);
            }
        }
    }

    fn add_resources(&mut self, resources: &Resources) {
        // What the tables gave away under their own names is now known by its right one.
        if !resources.virtual_networks.is_empty() {
            self.virtual_networks.clear();
        }
        for network in &resources.virtual_networks {
            let name = &network.header.name;
            self.virtual_networks.insert(name.clone(), network.address_space.clone());
            for subnet in &network.subnets {
                let key = format!("{name}/{}", subnet.header.name);
                if subnet.header.name.eq_ignore_ascii_case("GatewaySubnet") {
                    self.gateways.extend(&subnet.address_prefixes);
                }
                self.subnets.insert(key, subnet.address_prefixes.clone());
            }
        }
        for nic in &resources.network_interfaces {
            let addresses =
                || nic.ip_configurations.iter().filter_map(|config| config.private_ip_address);
            self.nics.insert(nic.header.name.clone(), addresses().collect());
            if nic.private_endpoint.is_some() {
                self.private_endpoints.extend(addresses());
            }
        }
        for endpoint in &resources.private_endpoints {
            self.private_endpoints.extend(&endpoint.addresses);
        }
        for gateway in &resources.local_network_gateways {
            self.on_premises.extend(&gateway.address_prefixes);
        }
        for gateway in &resources.gateways {
            self.on_premises.extend(&gateway.client_address_pool);
        }
        for branch in &resources.hub_branches {
            self.on_premises.extend(&branch.address_prefixes);
        }
    }

    fn add_pools(&mut self, tables: &SnapshotTables, resources: &Resources) {
        self.pool_members = pool_members(&tables.pools, resources);
        for member in &self.pool_members {
            self.pools.entry(member.pool.clone()).or_default().extend(member.address);
        }
    }
}

/// The destinations to which each Azure Firewall leaves the sender's address as it is: the ranges
/// of its policy, else its own, else private space. Nothing is known where the policy is not there.
///
/// Source: Microsoft, "Azure Firewall SNAT private IP address ranges" (read 2026-11-20).
fn untranslated(resources: &Resources) -> BTreeMap<String, Vec<AddressPrefix>> {
    let ranges_of = |firewall: &AzureFirewall| -> Option<Vec<AddressPrefix>> {
        let ranges = match &firewall.firewall_policy {
            None => &firewall.snat_private_ranges,
            Some(id) => {
                let policy =
                    resources.firewall_policies.iter().find(|policy| policy.header.id == *id)?;
                &policy.snat_private_ranges
            }
        };
        Some(if ranges.is_empty() { private_ranges() } else { ranges.clone() })
    };
    let firewalls = resources.firewalls.iter();
    firewalls
        .filter_map(|firewall| {
            Some((firewall.header.name.to_ascii_lowercase(), ranges_of(firewall)?))
        })
        .collect()
}

fn private_ranges() -> Vec<AddressPrefix> {
    ["10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16", "100.64.0.0/10"]
        .iter()
        .map(|block| block.parse().expect("is a prefix"))
        .collect()
}

/// The VNet's space as the system's rows tell it, used or not.
fn prefixes_of_type(table: &RouteTable, next_hop_type: &NextHopType) -> Vec<AddressPrefix> {
    let mut prefixes: Vec<AddressPrefix> = table
        .rows()
        .filter(|row| row.source == RouteSource::Default && row.next_hop_type == *next_hop_type)
        .filter_map(RouteRow::prefix)
        .collect();
    prefixes.sort_unstable();
    prefixes.dedup();
    prefixes
}

fn is_private_endpoint(row: &RouteRow) -> bool {
    row.next_hop_type == NextHopType::InterfaceEndpoint
        && row.prefix().is_some_and(|prefix| prefix == AddressPrefix::host(prefix.address()))
}

/// What gateways reach. Aggregates that a hub's firewall advertises (a default, whole private
/// blocks) say nothing about what lies behind.
fn gateway_prefixes(table: &RouteTable) -> impl Iterator<Item = AddressPrefix> + '_ {
    const AGGREGATE_LENGTH_MAX: u8 = 8;
    table
        .rows()
        .filter(|row| row.source == RouteSource::VirtualNetworkGateway)
        .filter_map(RouteRow::prefix)
        .filter(|prefix| prefix.length() > AGGREGATE_LENGTH_MAX)
        .filter(|prefix| !is_private_block(*prefix))
}

fn is_private_block(prefix: AddressPrefix) -> bool {
    ["172.16.0.0/12", "192.168.0.0/16", "100.64.0.0/10"]
        .iter()
        .any(|block| block.parse() == Ok(prefix))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::routing::Owners;
    use crate::routing::testing::rows;

    #[test]
    fn route_tables_give_away_spaces_endpoints_and_what_gateways_reach() {
        let table = rows(
            "Default Active 10.13.76.0/24 VnetLocal
             VirtualNetworkGateway Active 192.168.0.0/24 VirtualNetworkGateway 10.13.76.4
             VirtualNetworkGateway Active 192.168.0.0/16 VirtualNetworkGateway 10.13.76.4
             VirtualNetworkGateway Active 0.0.0.0/0 VirtualNetworkGateway 10.13.76.4
             Default Active 10.13.77.4/32 InterfaceEndpoint
             Default Invalid 10.13.77.5/32 InterfaceEndpoint
             User Active 10.50.0.0/16 VnetLocal",
        );
        let tables = SnapshotTables {
            tables: vec![table],
            sources: vec![vec![Source::Prefix("10.13.76.9/32".parse().unwrap())]],
            owners: Owners::default(),
            forced: None,
            ..SnapshotTables::default()
        };
        let places = Places::of(&tables, &Resources::default());
        let space: Vec<String> =
            places.virtual_networks["test"].iter().map(ToString::to_string).collect();
        assert_eq!(space, ["10.13.76.0/24"]);
        let endpoints: Vec<String> =
            places.private_endpoints.iter().map(ToString::to_string).collect();
        assert_eq!(endpoints, ["10.13.77.4", "10.13.77.5"]);
        let on_premises: Vec<String> = places.on_premises.iter().map(ToString::to_string).collect();
        assert_eq!(on_premises, ["192.168.0.0/24"]);
        assert_eq!(places.nics["test"], ["10.13.76.9".parse::<IpAddr>().unwrap()]);
    }
}
