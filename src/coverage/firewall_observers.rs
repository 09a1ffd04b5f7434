//! Who records flows at a firewall: its NICs, its subnets, and instances that no export names.
//!
//! The instances of an Azure Firewall are in no list of NICs, so that a flow log of a whole VNet
//! shows them by MAC addresses that nobody knows. What gives them away is whom they speak for: a NIC
//! records its own addresses, and whoever passes packets on those of others.

use std::net::IpAddr;

use ahash::AHashMap;

use super::Places;
use super::places::CompiledPlaces;
use crate::azure::resources::{Resources, Subnet, VirtualNetwork};
use crate::azure::{NextHopType, RouteSource};
use crate::fib::SnapshotTables;
use crate::lpm::RangeTable;
use crate::net::{AddressPrefix, MacAddress};
use crate::routing::RouteRow;
use crate::traffic::FlowDirection;

/// A firewall by its place among the names; `None` is one that is not told.
pub(super) type FirewallAt = Option<u16>;

/// The observers of flow logs, as far as firewalls are among them.
#[derive(Debug, Default)]
pub(super) struct FirewallObservers {
    /// Every NIC whose MAC address is known, and of which firewall it is.
    nics: AHashMap<MacAddress, Option<FirewallAt>>,
    /// Identifiers of NICs and subnets of firewalls, in lower case.
    ids: AHashMap<String, FirewallAt>,
    /// The networks that hold firewalls, and their places by identifier, in lower case.
    networks: Vec<FirewallNetwork>,
    network_ids: AHashMap<String, usize>,
    /// A gateway may be what passes packets on from one VNet to another.
    routes_between_networks_by_gateway: bool,
}

/// A VNet that holds a firewall.
#[derive(Debug)]
struct FirewallNetwork {
    /// The only firewall in it, where that is so.
    firewall: FirewallAt,
    /// Every subnet by its place, the firewalls' under one number of their own, and what else is in
    /// the VNet's space.
    subnets: RangeTable,
    has_gateway: bool,
}

/// What is known of an observer before its records are looked at.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Standing {
    /// It is at a firewall.
    At(FirewallAt),
    /// It is not, or nothing tells that it is.
    Elsewhere,
    /// No export holds it, and the VNet that it is somewhere in holds a firewall: its records tell.
    PassesOn(usize),
}

/// Whom an observer spoke for that no export holds, over all its records.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct SpokenFor {
    /// One record alone gives a firewall away.
    is_firewall: bool,
    /// The least and the greatest of the VNet's subnets, by place.
    subnets: Option<(u32, u32)>,
}

/// The number of the firewalls' subnets, and of space without a subnet.
const FIREWALL_SUBNET: u32 = u32::MAX;
const NO_SUBNET: u32 = u32::MAX - 1;
/// The number of the gateways' subnet.
const GATEWAY_SUBNET: u32 = u32::MAX - 2;

impl FirewallObservers {
    pub(super) fn of(places: &Places, tables: &SnapshotTables, resources: &Resources) -> Self {
        let mut observers = Self {
            routes_between_networks_by_gateway: routes_by_gateway(tables, resources),
            ..Self::default()
        };
        let compiled = places.compile();
        for nic in &resources.network_interfaces {
            let mut addresses =
                nic.ip_configurations.iter().filter_map(|config| config.private_ip_address);
            let firewall = addresses.find_map(|address| compiled.firewall_at(address));
            if let Some(mac) = nic.mac {
                observers.nics.insert(mac, firewall);
            }
            if let Some(firewall) = firewall {
                observers.ids.insert(folded(nic.header.id.as_str()), firewall);
            }
        }
        for network in &resources.virtual_networks {
            observers.add_network(places, network);
        }
        observers
    }

    fn add_network(&mut self, places: &Places, network: &VirtualNetwork) {
        let firewall_of = |subnet: &Subnet| {
            let owners = places.firewall_owners.iter();
            let owner = owners.filter(|(prefix, _)| {
                subnet.address_prefixes.iter().any(|space| prefix.covers(*space))
            });
            owner.map(|(_, firewall)| *firewall).next()
        };
        let mut firewalls: Vec<u16> = Vec::new();
        let mut subnets: Vec<(AddressPrefix, u32)> =
            network.address_space.iter().map(|space| (*space, NO_SUBNET)).collect();
        for (place, subnet) in (0..).zip(&network.subnets) {
            let firewall = firewall_of(subnet);
            if let Some(firewall) = firewall {
                self.ids.insert(folded(subnet.header.id.as_str()), Some(firewall));
                firewalls.push(firewall);
            }
            let number = match firewall {
                Some(_) => FIREWALL_SUBNET,
                None if is_gateways(subnet) => GATEWAY_SUBNET,
                None => place,
            };
            let prefixes = subnet.address_prefixes.iter().map(|&prefix| (prefix, number));
            // A subnet as large as the space stands for it.
            subnets.retain(|(known, _)| !subnet.address_prefixes.contains(known));
            subnets.extend(prefixes);
        }
        firewalls.sort_unstable();
        firewalls.dedup();
        let [first, others @ ..] = firewalls.as_slice() else { return };
        self.network_ids.insert(folded(network.header.id.as_str()), self.networks.len());
        self.networks.push(FirewallNetwork {
            firewall: others.is_empty().then_some(*first),
            subnets: RangeTable::compile(&subnets),
            has_gateway: network.subnets.iter().any(is_gateways),
        });
    }

    /// Tells what the MAC address and the target resource of a record say of its observer. The
    /// subnet of an Azure Firewall has one name everywhere.
    pub(super) fn standing(&self, mac: Option<MacAddress>, target_resource_id: &str) -> Standing {
        if let Some(known) = mac.and_then(|mac| self.nics.get(&mac)) {
            return known.map_or(Standing::Elsewhere, Standing::At);
        }
        let id = folded(target_resource_id);
        if let Some(firewall) = self.ids.get(&id) {
            return Standing::At(*firewall);
        }
        if id.rsplit('/').next() == Some("azurefirewallsubnet") {
            return Standing::At(None);
        }
        match self.network_ids.get(&id) {
            Some(&network) if mac.is_some() => Standing::PassesOn(network),
            _ => Standing::Elsewhere,
        }
    }

    /// Tells whether one record of an observer that no export holds was made at the firewall of
    /// the VNet that it is in, by the address that it spoke for.
    ///
    /// An address outside the VNet is that of no NIC in it: then the observer passes packets on. A
    /// gateway does that as well; it speaks for what lies beyond it, and for another VNet only where
    /// routes lead from one to the other by a gateway.
    pub(super) fn at_firewall_by_row(
        &self,
        network: usize,
        local: IpAddr,
        places: &CompiledPlaces,
    ) -> Option<FirewallAt> {
        let FirewallNetwork { firewall, subnets, has_gateway } = &self.networks[network];
        let is_firewall = match subnets.lookup(local) {
            Some(FIREWALL_SUBNET) => true,
            Some(_) => false,
            None if !has_gateway => true,
            None => !self.routes_between_networks_by_gateway && places.is_in_virtual_network(local),
        };
        is_firewall.then_some(*firewall)
    }

    /// Adds a record to what is known of whom an observer spoke for.
    pub(super) fn add_spoken_for(
        &self,
        spoken: &mut SpokenFor,
        network: usize,
        local: IpAddr,
        places: &CompiledPlaces,
    ) {
        spoken.is_firewall |= self.at_firewall_by_row(network, local, places).is_some();
        match self.networks[network].subnets.lookup(local) {
            None | Some(FIREWALL_SUBNET | NO_SUBNET | GATEWAY_SUBNET) => {}
            Some(place) => spoken.join(Some((place, place))),
        }
    }

    /// Tells whether all records of an observer together show that it is the VNet's firewall: who
    /// spoke for several subnets passes packets on, and a gateway does not between two subnets of
    /// its own VNet.
    pub(super) fn at_firewall(&self, network: usize, spoken: &SpokenFor) -> Option<FirewallAt> {
        let spans = spoken.subnets.is_some_and(|(first, last)| first != last);
        let is_firewall = spoken.is_firewall || spans;
        is_firewall.then_some(self.networks[network].firewall)
    }
}

impl SpokenFor {
    pub(super) const NOBODY: Self = Self { is_firewall: false, subnets: None };

    /// Joins what two threads saw of one observer.
    pub(super) fn absorb(&mut self, other: Self) {
        self.is_firewall |= other.is_firewall;
        self.join(other.subnets);
    }

    fn join(&mut self, subnets: Option<(u32, u32)>) {
        self.subnets = match (self.subnets, subnets) {
            (Some(known), Some(more)) => Some((known.0.min(more.0), known.1.max(more.1))),
            (known, more) => known.or(more),
        };
    }
}

/// The address that the observer of a record has or speaks for.
pub(super) fn local_address(
    direction: Option<FlowDirection>,
    source: IpAddr,
    destination: IpAddr,
) -> IpAddr {
    match direction {
        Some(FlowDirection::Inbound) => destination,
        Some(FlowDirection::Outbound) | None => source,
    }
}

fn is_gateways(subnet: &Subnet) -> bool {
    subnet.header.name.eq_ignore_ascii_case("GatewaySubnet")
}

/// Returns true where a user-defined route sends what a VNet holds to a gateway.
fn routes_by_gateway(tables: &SnapshotTables, resources: &Resources) -> bool {
    let by_gateway = |row: &&RouteRow| {
        row.source == RouteSource::User && row.next_hop_type == NextHopType::VirtualNetworkGateway
    };
    let rows = tables.tables.iter().flat_map(|table| table.rows());
    let mut prefixes = rows.filter(by_gateway).filter_map(RouteRow::prefix);
    prefixes.any(|prefix| {
        let spaces = resources.virtual_networks.iter().flat_map(|one| &one.address_space);
        spaces.into_iter().any(|space| prefix.overlaps(*space))
    })
}

fn folded(id: &str) -> String {
    id.trim_matches('/').to_ascii_lowercase()
}
