//! Who owns which address, from the resources.

use std::collections::BTreeSet;
use std::net::IpAddr;

use ahash::{AHashMap, AHashSet};

use super::gateways::Transit;
use super::owners::{Device, GatewayReach, Owner, Scope, SubnetContent};
use super::platform::Broadcasts;
use super::topology::{Hub, Network, SubnetPlace, Topology};
use super::{Firewall, NextHopClass, Owners, ScopeId, virtual_wan};
use crate::azure::Settings;
use crate::azure::resources::{IpConfiguration, ResourceId, VirtualNetworkGateway};
use crate::net::AddressPrefix;

/// Finds the owners of the addresses of a snapshot.
///
/// * An Azure Firewall owns the addresses of its IP configurations and all of its
///   AzureFirewallSubnet, whose addresses its instances send from; that of a hub owns its private
///   address, and as a place where traffic is seen the hub's prefix less the hub's router.
///   (Documented, and seen in published logs.)
/// * A NIC that forwards is an appliance; the NICs of one virtual machine and those behind one
///   internal load balancer are one with its front end. If the settings name any of their addresses
///   as a firewall, all are. (Decision.)
/// * A NIC that does not forward still owns its address: the packet arrives there, and ends.
///   (Documented.)
/// * Gateways and hubs' routers own theirs.
///
/// Source: Microsoft, "Azure Firewall FAQ", "Virtual network traffic routing", §Virtual appliance
/// (read 2026-11-20).
pub(super) fn owners(topology: &Topology<'_>, settings: &Settings) -> Owners {
    let mut ownership = Ownership { topology, owners: Owners::from_settings(settings) };
    ownership.add_networks();
    ownership.add_firewalls();
    ownership.add_gateways();
    ownership.add_appliances();
    ownership.add_scopes();
    let broadcasts = Broadcasts::of(topology, &ownership.owners);
    ownership.owners.broadcasts = broadcasts;
    ownership.owners
}

struct Ownership<'t, 'r> {
    topology: &'t Topology<'r>,
    owners: Owners,
}

impl Ownership<'_, '_> {
    fn add_networks(&mut self) {
        let known = KnownIds::of(self.topology);
        for (index, network) in self.topology.networks.iter().enumerate() {
            let scope = ScopeId::of_network(index);
            for prefix in &network.network.address_space {
                self.owners.spaces.insert(*prefix, scope);
            }
            for subnet in &network.network.subnets {
                let is_known = subnet.ip_configurations.iter().all(|id| known.resolves(id));
                let content =
                    if is_known { SubnetContent::Known } else { SubnetContent::HoldsUnknown };
                for prefix in &subnet.address_prefixes {
                    self.owners.subnets.insert(*prefix, (scope, content));
                }
            }
        }
        for (index, hub) in self.topology.hubs.iter().enumerate() {
            // What lives in a hub's own VNet is never exported.
            let scope = self.hub_scope(index);
            if let Some(prefix) = hub.hub.address_prefix {
                self.owners.subnets.insert(prefix, (scope, SubnetContent::HoldsUnknown));
            }
        }
    }

    fn add_firewalls(&mut self) {
        let topology = self.topology;
        for firewall in &topology.resources.firewalls {
            let owner = Owner::Firewall(self.owners.firewalls.len());
            let hub = firewall
                .virtual_hub
                .as_ref()
                .and_then(|id| topology.hubs.iter().position(|hub| hub.hub.header.id == *id));
            let mut entry = Firewall {
                name: firewall.header.name.clone(),
                addresses: Vec::new(),
                subnets: Vec::new(),
            };
            if let (Some(hub), Some(address)) = (hub, firewall.hub_private_ip) {
                entry.addresses.push(address);
                self.own(address, self.hub_scope(hub), owner);
            }
            entry.subnets.extend(hub.iter().flat_map(|hub| instances(&topology.hubs[*hub])));
            for configuration in &firewall.ip_configurations {
                let place = self.place(configuration);
                if let (Some(address), Some(place)) = (configuration.private_ip_address, place) {
                    entry.addresses.push(address);
                    self.own(address, ScopeId::of_network(place.network), owner);
                }
                for prefix in
                    place.iter().flat_map(|place| &topology.subnet(*place).address_prefixes)
                {
                    let scope = place.map(|place| ScopeId::of_network(place.network));
                    if let Some(scope) = scope.filter(|_| !entry.subnets.contains(prefix)) {
                        entry.subnets.push(*prefix);
                        self.owners.firewall_subnets.insert(*prefix, (scope, owner));
                    }
                }
            }
            self.owners.firewalls.push(entry);
        }
    }

    fn add_gateways(&mut self) {
        let topology = self.topology;
        for (index, network) in topology.networks.iter().enumerate() {
            for gateway in &network.gateways {
                let private =
                    gateway.ip_configurations.iter().filter_map(|one| one.private_ip_address);
                let public = gateway
                    .ip_configurations
                    .iter()
                    .filter_map(|configuration| topology.public_address(configuration));
                let addresses: BTreeSet<IpAddr> =
                    private.chain(gateway.bgp_addresses.iter().copied()).chain(public).collect();
                let name = gateway.header.name.clone();
                let owner = self.device(NextHopClass::Gateway, name, true);
                for address in addresses {
                    self.own(address, ScopeId::of_network(index), owner);
                }
            }
        }
        for (index, hub) in topology.hubs.iter().enumerate() {
            let owner = self.device(NextHopClass::Gateway, hub.hub.header.name.clone(), true);
            for address in &hub.hub.virtual_router_ips {
                self.own(*address, self.hub_scope(index), owner);
            }
        }
    }

    fn add_appliances(&mut self) {
        for group in Groups::of(self.topology).into_groups() {
            let named = group
                .addresses
                .iter()
                .find_map(|(address, _)| self.owners.named_firewall_at(*address));
            let owner = match named {
                Some(index) => {
                    let known = &mut self.owners.firewalls[index].addresses;
                    for (address, _) in &group.addresses {
                        if !known.contains(address) {
                            known.push(*address);
                        }
                    }
                    Owner::Firewall(index)
                }
                None => self.device(NextHopClass::Appliance, group.name, group.forwards),
            };
            for (address, network) in group.addresses {
                self.own(address, ScopeId::of_network(network), owner);
            }
        }
    }

    fn add_scopes(&mut self) {
        let topology = self.topology;
        for (index, network) in topology.networks.iter().enumerate() {
            let peers = network.links.iter().filter(|link| link.is_up());
            let reach = std::iter::once(ScopeId::of_network(index))
                .chain(peers.filter_map(|link| link.remote).map(ScopeId::of_network))
                .chain(network.hub.map(|(_, hub)| self.hub_scope(hub)))
                .collect();
            let policy = network.hub.and_then(|(connection, hub)| {
                let hub = &topology.hubs[hub];
                let table = virtual_wan::associated_table(topology, hub, connection);
                let policy = virtual_wan::policy(topology, hub, table);
                let position = topology.resources.firewalls.iter().position(|firewall| {
                    hub.firewall.is_some_and(|own| std::ptr::eq(own, firewall))
                })?;
                let named_count = self.owners.firewalls.len() - topology.resources.firewalls.len();
                Some((policy.prefixes, Owner::Firewall(named_count + position)))
            });
            let gateway = gateway_reach(topology, network);
            self.owners.scopes.push(Scope { reach, gateway, policy });
        }
        for (index, hub) in topology.hubs.iter().enumerate() {
            let networks = hub.connections.iter().filter_map(|(_, network)| *network);
            let reach = std::iter::once(self.hub_scope(index))
                .chain(networks.map(ScopeId::of_network))
                .collect();
            self.owners.scopes.push(Scope { reach, gateway: GatewayReach::Unknown, policy: None });
        }
    }

    fn own(&mut self, address: IpAddr, scope: ScopeId, owner: Owner) {
        let owners = self.owners.by_address.entry(address).or_default();
        if !owners.iter().any(|(at, _)| *at == scope) {
            owners.push((scope, owner));
        }
    }

    fn device(&mut self, class: NextHopClass, name: String, forwards: bool) -> Owner {
        self.owners.devices.push(Device { class, name, forwards });
        Owner::Device(self.owners.devices.len() - 1)
    }

    fn place(&self, configuration: &IpConfiguration) -> Option<SubnetPlace> {
        self.topology.subnet_place(configuration.subnet.as_ref()?)
    }

    fn hub_scope(&self, index: usize) -> ScopeId {
        ScopeId::of_hub(self.topology.networks.len(), index)
    }
}

/// What stands behind a user-defined route to a gateway.
fn gateway_reach(topology: &Topology<'_>, network: &Network<'_>) -> GatewayReach {
    let own = |network: &Network<'_>| {
        let mut vpn = network.gateways.iter().filter(|gateway| !gateway.is_express_route);
        let has_express_route = network.gateways.iter().any(|gateway| gateway.is_express_route);
        let forwards = |gateway: &&VirtualNetworkGateway| {
            !gateway.is_policy_based && !gateway.sku.eq_ignore_ascii_case("Basic")
        };
        match (vpn.clone().next().is_some(), has_express_route) {
            (true, true) => GatewayReach::VpnBesideExpressRoute,
            (true, false) if vpn.any(forwards) => GatewayReach::Vpn,
            (true, false) => GatewayReach::VpnNotForwarding,
            (false, true) => GatewayReach::ExpressRouteOnly,
            (false, false) if holds_unknown_gateway(topology, network) => GatewayReach::Unknown,
            (false, false) => GatewayReach::None,
        }
    };
    if network.hub.is_some() {
        return GatewayReach::Vpn;
    }
    let borrowed = network.links.iter().map(|link| match link.transit() {
        Transit::From(remote) => own(&topology.networks[remote]),
        Transit::Unknown => GatewayReach::Unknown,
        Transit::NotUsed | Transit::NotAllowed => GatewayReach::None,
    });
    std::iter::once(own(network))
        .chain(borrowed)
        .find(|reach| *reach != GatewayReach::None)
        .unwrap_or(GatewayReach::None)
}

/// A GatewaySubnet that something is in, although the snapshot holds no gateway of it.
fn holds_unknown_gateway(topology: &Topology<'_>, network: &Network<'_>) -> bool {
    let subnet = network.subnet_named("GatewaySubnet");
    let is_exported = !topology.resources.gateways.is_empty();
    subnet.is_some_and(|index| {
        !is_exported && !network.network.subnets[index].ip_configurations.is_empty()
    })
}

/// Where a hub's firewall sends from: the hub's prefix less its router.
fn instances(hub: &Hub<'_>) -> Vec<AddressPrefix> {
    let mut prefixes: Vec<AddressPrefix> = hub.hub.address_prefix.into_iter().collect();
    for router in &hub.hub.virtual_router_ips {
        prefixes = prefixes.into_iter().flat_map(|prefix| without(prefix, *router)).collect();
    }
    prefixes
}

/// A prefix without one address: the other half at each step down to it.
fn without(prefix: AddressPrefix, address: IpAddr) -> Vec<AddressPrefix> {
    if !prefix.contains(address) {
        return vec![prefix];
    }
    (prefix.length()..AddressPrefix::host(address).length())
        .filter_map(|length| sibling(address, length + 1))
        .collect()
}

/// The prefix of a length whose last bit differs from that of an address.
fn sibling(address: IpAddr, length: u8) -> Option<AddressPrefix> {
    let flipped = match address {
        IpAddr::V4(v4) => IpAddr::V4((v4.to_bits() ^ (1 << (32 - length))).into()),
        IpAddr::V6(v6) => IpAddr::V6((v6.to_bits() ^ (1 << (128 - length))).into()),
    };
    AddressPrefix::new(flipped, length).ok()
}

/// The resources and IP configurations that a snapshot holds.
struct KnownIds {
    ids: AHashSet<String>,
}

impl KnownIds {
    fn of(topology: &Topology<'_>) -> Self {
        let resources = topology.resources;
        let mut ids = AHashSet::new();
        let mut add = |id: &ResourceId| {
            if !id.is_empty() {
                ids.insert(id.as_str().to_ascii_lowercase());
            }
        };
        resources.network_interfaces.iter().for_each(|one| add(&one.header.id));
        resources.gateways.iter().for_each(|one| add(&one.header.id));
        resources.firewalls.iter().for_each(|one| add(&one.header.id));
        resources.load_balancers.iter().for_each(|one| add(&one.header.id));
        resources.application_gateways.iter().for_each(|one| add(&one.header.id));
        resources.virtual_hubs.iter().for_each(|one| add(&one.header.id));
        Self { ids }
    }

    /// Returns true when an IP configuration belongs to a resource of the snapshot.
    fn resolves(&self, configuration: &ResourceId) -> bool {
        let folded = configuration.as_str().to_ascii_lowercase();
        let mut id = folded.as_str();
        while let Some((parent, _)) = id.rsplit_once('/') {
            if self.ids.contains(parent) {
                return true;
            }
            id = parent;
        }
        false
    }
}

/// NICs and load balancers that are one appliance, as sets that are joined.
struct Groups<'t, 'r> {
    topology: &'t Topology<'r>,
    /// The set of each NIC, then of each load balancer: itself, or one that it was joined with.
    parents: Vec<usize>,
}

struct Group {
    name: String,
    forwards: bool,
    /// With the VNets that the addresses are in.
    addresses: Vec<(IpAddr, usize)>,
}

impl<'t, 'r> Groups<'t, 'r> {
    fn of(topology: &'t Topology<'r>) -> Self {
        let resources = topology.resources;
        let nic_count = resources.network_interfaces.len();
        let count = nic_count + resources.load_balancers.len();
        let mut groups = Self { topology, parents: (0..count).collect() };
        let mut balancers: AHashMap<&ResourceId, usize> = AHashMap::new();
        for (index, balancer) in resources.load_balancers.iter().enumerate() {
            let is_internal =
                balancer.frontends.iter().any(|front| front.private_ip_address.is_some());
            if is_internal {
                balancers.extend(balancer.backend_pools.iter().map(|id| (id, nic_count + index)));
            }
        }
        let mut machines: AHashMap<&ResourceId, usize> = AHashMap::new();
        for (index, nic) in resources.network_interfaces.iter().enumerate() {
            if let Some(machine) = nic.virtual_machine.as_ref().filter(|_| nic.enable_ip_forwarding)
            {
                let first = *machines.entry(machine).or_insert(index);
                groups.join(first, index);
            }
            let pools = nic.ip_configurations.iter().flat_map(|one| &one.load_balancer_pools);
            for balancer in pools.filter_map(|pool| balancers.get(pool)) {
                groups.join(*balancer, index);
            }
        }
        groups
    }

    fn root(&mut self, mut index: usize) -> usize {
        while self.parents[index] != index {
            self.parents[index] = self.parents[self.parents[index]];
            index = self.parents[index];
        }
        index
    }

    fn join(&mut self, a: usize, b: usize) {
        let (a, b) = (self.root(a), self.root(b));
        // The load balancer, which has the higher number, gives the name.
        self.parents[a.min(b)] = a.max(b);
    }

    fn into_groups(mut self) -> Vec<Group> {
        let resources = self.topology.resources;
        let nic_count = resources.network_interfaces.len();
        let mut groups: Vec<Option<Group>> = (0..self.parents.len()).map(|_| None).collect();
        for index in (0..self.parents.len()).rev() {
            let root = self.root(index);
            let nic = resources.network_interfaces.get(index);
            let (name, forwards, configurations) = match nic {
                Some(nic) => (&nic.header.name, nic.enable_ip_forwarding, &nic.ip_configurations),
                None => {
                    let balancer = &resources.load_balancers[index - nic_count];
                    (&balancer.header.name, true, &balancer.frontends)
                }
            };
            let group = groups[root].get_or_insert_with(|| Group {
                name: name.clone(),
                forwards: false,
                addresses: Vec::new(),
            });
            group.forwards |= forwards;
            group.addresses.extend(configurations.iter().filter_map(|one| {
                let place = self.topology.subnet_place(one.subnet.as_ref()?)?;
                Some((one.private_ip_address?, place.network))
            }));
        }
        groups.into_iter().flatten().filter(|group| !group.addresses.is_empty()).collect()
    }
}
