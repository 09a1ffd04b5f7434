//! Resources → one effective route table for every subnet.

use std::sync::Arc;

use ahash::AHashMap;

use super::base::{Base, Draft};
use super::gateways::{Gateways, Transit};
use super::merge::{MergeOptions, merge};
use super::private_endpoints::{self, NetworkEndpoints};
use super::route_table::RouteRows;
use super::service_endpoints::{ServicePrefixes, Services};
use super::topology::{Hub, SubnetPlace, Topology};
use super::user_routes::{Tags, UserRows};
use super::{
    BackendPoolMembers, Finding, Owners, Rejection, RouteRow, RouteTable, RouteTableBasis, ScopeId,
    app_service, backend_pools, lint, names, ownership, peering, system_routes, virtual_wan,
};
use crate::azure::resources::{ResourceId, Resources};
use crate::azure::{ServiceTags, Settings};
use crate::net::AddressPrefix;

/// What the resources of a snapshot make: a table for every subnet, and what is wrong with them.
#[derive(Clone, Debug, Default)]
pub struct Computed {
    /// One table for every subnet, in the order of the VNets and their subnets.
    pub tables: Vec<ComputedTable>,
    /// The tables of virtual hubs.
    pub hub_tables: Vec<HubTable>,
    /// Who owns the addresses of next hops.
    pub owners: Owners,
    /// What comes in by gateways: prefixes, and where their packets are routed.
    pub on_premises: Vec<OnPremises>,
    /// The backend pools of application gateways.
    pub pools: Vec<BackendPoolMembers>,
    /// What was noticed; references that lead nowhere are findings, never failures.
    pub findings: Vec<Finding>,
}

/// The computed table of one subnet.
#[derive(Clone, Debug)]
pub struct ComputedTable {
    /// The rows, among them those that Azure would not show.
    pub table: RouteTable,
    /// The subnet.
    pub subnet: ResourceId,
    /// Its VNet.
    pub virtual_network: ResourceId,
    /// The subnet's prefixes.
    pub prefixes: Vec<AddressPrefix>,
    /// Where packets go on that a route hands to a gateway.
    pub beyond_gateway: Option<BeyondGateway>,
}

/// Where packets go on that a route hands to a gateway.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum BeyondGateway {
    /// In the table of a GatewaySubnet, by its place among the subnets' tables; but only if a
    /// user-defined route sent them: by the gateway's own routes they leave.
    Subnet(usize),
    /// In the table of a virtual hub's gateways and router, by the hub's place in the snapshot.
    Hub(usize),
}

/// Packets from outside Azure.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OnPremises {
    /// Where they come from.
    pub prefix: AddressPrefix,
    /// The table that routes them.
    pub table: BeyondGateway,
    /// ExpressRoute FastPath skips that table.
    pub is_fastpath: bool,
}

/// A computed table of a virtual hub.
#[derive(Clone, Debug)]
pub struct HubTable {
    /// The rows.
    pub table: RouteTable,
    /// The hub.
    pub hub: ResourceId,
    /// The hub's place in the snapshot.
    pub hub_index: usize,
    /// Whose packets use it.
    pub role: HubTableRole,
    /// The prefixes that packets of this role come from: the hub's own.
    pub prefixes: Vec<AddressPrefix>,
}

impl HubTable {
    /// Returns true for the table of a hub's gateways, by the hub's place in the snapshot.
    pub fn is_gateways_of(&self, hub_index: usize) -> bool {
        self.hub_index == hub_index && self.role == HubTableRole::Gateways
    }
}

/// Whose packets use a table of a hub.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum HubTableRole {
    /// What the hub's gateways let in.
    Gateways,
    /// What the hub's firewall sends on after inspection.
    Firewall,
}

/// Computes the effective routes of every subnet: the GatewaySubnet, the firewall's and those
/// without a NIC included.
///
/// Pure: the same resources give the same tables. Cost: linear in the subnets and in the rows that
/// are not shared by a whole VNet.
///
/// # Examples
///
/// ```
/// use nexthop::azure::resources::{ResourceHeader, ResourceId, Resources, Subnet, VirtualNetwork};
/// use nexthop::azure::{ServiceTags, Settings};
///
/// let header = |id: &str, name: &str| ResourceHeader {
///     id: ResourceId::new(id),
///     name: name.to_owned(),
///     location: "westeurope".to_owned(),
/// };
/// let network = VirtualNetwork {
///     header: header("/virtualNetworks/hub", "hub"),
///     address_space: vec!["10.1.0.0/16".parse()?],
///     subnets: vec![Subnet {
///         header: header("/virtualNetworks/hub/subnets/apps", "apps"),
///         address_prefixes: vec!["10.1.2.0/24".parse()?],
///         ..Subnet::default()
///     }],
///     ..VirtualNetwork::default()
/// };
/// let resources = Resources { virtual_networks: vec![network], ..Resources::default() };
/// let computed = nexthop::routing::compute(&resources, &ServiceTags::default(), &Settings::default());
/// assert_eq!(computed.tables[0].table.id, "hub/apps");
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub fn compute(resources: &Resources, service_tags: &ServiceTags, settings: &Settings) -> Computed {
    let mut findings = Vec::new();
    let topology = Topology::new(resources, &mut findings);
    let mut computation = Computation::new(&topology, service_tags, settings, &mut findings);
    let mut tables: Vec<ComputedTable> = topology
        .places()
        .zip(names::of_subnets(&topology))
        .map(|(place, name)| ComputedTable {
            table: computation.table(place, name),
            subnet: topology.subnet_id(place).clone(),
            virtual_network: topology.networks[place.network].network.header.id.clone(),
            prefixes: topology.subnet(place).address_prefixes.clone(),
            beyond_gateway: beyond_gateway(&topology, place.network),
        })
        .collect();
    for place in app_service::private_only_subnets(&topology, settings, &mut findings) {
        tables[topology.table_index(place)].table.is_private_only = true;
    }
    let hub_tables = computation.hub_tables();
    let owners = ownership::owners(&topology, settings);
    let on_premises = on_premises(&topology, &computation.gateways);
    let pools = backend_pools::members(resources, settings);
    let mut computed = Computed { tables, hub_tables, owners, on_premises, pools, findings };
    lint::add(&topology, settings, &mut computed);
    computed
}

/// What is the same for all subnets of a VNet is made once and kept here.
struct Computation<'t, 'r> {
    topology: &'t Topology<'r>,
    settings: &'t Settings,
    tags: Tags<'t>,
    gateways: Gateways<'r>,
    gateway_rows: Vec<Arc<[RouteRow]>>,
    endpoints: Vec<NetworkEndpoints>,
    services: Services,
    user_rows: UserRows,
    bases: AHashMap<BaseKey, Arc<Base>>,
    merged: AHashMap<MergeKey, RouteRows>,
}

/// What tells the tables of a VNet's subnets apart before user-defined routes.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
struct BaseKey {
    network: usize,
    is_propagation_disabled: bool,
    is_peering_disabled: bool,
    /// The services by the address of what they share.
    services: Vec<usize>,
}

/// What tells the tables of subnets apart.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
struct MergeKey {
    base: usize,
    user_rows: Option<usize>,
    options: MergeOptions,
}

impl<'t, 'r> Computation<'t, 'r> {
    fn new(
        topology: &'t Topology<'r>,
        service_tags: &'t ServiceTags,
        settings: &'t Settings,
        findings: &mut Vec<Finding>,
    ) -> Self {
        let gateways = Gateways::of(topology);
        for network in &topology.networks {
            peering::lint(topology, network, findings);
            gateways.lint(topology, network, findings);
        }
        let own: Vec<Arc<[RouteRow]>> = topology
            .networks
            .iter()
            .map(|network| gateways.own_rows(topology, network).into())
            .collect();
        Self {
            gateways,
            topology,
            settings,
            tags: Tags::new(settings, service_tags),
            gateway_rows: (0..topology.networks.len())
                .map(|network| gateway_rows(topology, network, &own))
                .collect(),
            endpoints: private_endpoints::by_network(topology, findings),
            services: Services::default(),
            user_rows: UserRows::default(),
            bases: AHashMap::new(),
            merged: AHashMap::new(),
        }
    }

    fn table(&mut self, place: SubnetPlace, name: String) -> RouteTable {
        let network = &self.topology.networks[place.network];
        let user_table = network.route_tables[place.subnet];
        let user_rows = user_table.map(|table| self.user_rows.of(table, &self.tags));
        let base = self.base(place);
        let options = MergeOptions {
            service_endpoint_priority: self.settings.service_endpoint_priority,
            is_active_active_gateway: is_active_active_gateway(self.topology, place),
        };
        let key = MergeKey {
            base: Arc::as_ptr(&base).addr(),
            user_rows: user_rows.as_ref().map(|rows| rows.as_ptr().addr()),
            options,
        };
        let user_rows = user_rows.unwrap_or_default();
        let rows =
            self.merged.entry(key).or_insert_with(|| merge(&base, &user_rows, options)).clone();
        let mut table = RouteTable::of_rows(name, RouteTableBasis::Computed, rows);
        table.scope = Some(ScopeId::of_network(place.network));
        table
    }

    fn base(&mut self, place: SubnetPlace) -> Arc<Base> {
        let network = &self.topology.networks[place.network];
        let user_table = network.route_tables[place.subnet];
        let services = self.services.of_subnet(
            self.topology.subnet(place),
            &network.network.header.location,
            &self.tags,
        );
        let key = BaseKey {
            network: place.network,
            is_propagation_disabled: user_table
                .is_some_and(|table| table.disable_bgp_route_propagation),
            is_peering_disabled: user_table.is_some_and(|table| table.disable_peering_route),
            services: services.iter().map(|service| Arc::as_ptr(service).addr()).collect(),
        };
        if let Some(base) = self.bases.get(&key) {
            return Arc::clone(base);
        }
        let base = Arc::new(self.make_base(&key, services));
        self.bases.insert(key, Arc::clone(&base));
        base
    }

    fn make_base(&self, key: &BaseKey, services: Vec<Arc<ServicePrefixes>>) -> Base {
        let network = &self.topology.networks[key.network];
        let mut draft = Draft::default();
        system_routes::add(&mut draft, network, self.settings.system_none_profile);
        peering::add(&mut draft, self.topology, network, key.is_peering_disabled);
        let hub = network.hub.map(|(_, hub)| self.topology.hubs[hub].hub);
        if let Some(prefix) = hub.and_then(|hub| hub.address_prefix) {
            peering::add_hub(&mut draft, prefix, key.is_peering_disabled);
        }
        // As with peerings, IPv6 comes only to where there is IPv6. (Decision.)
        let has_ipv6 = network.has_ipv6();
        let is_of_family =
            |row: &&RouteRow| row.prefix().is_some_and(|prefix| prefix.is_ipv4() || has_ipv6);
        for row in self.gateway_rows[key.network].iter().filter(is_of_family) {
            draft.push(match key.is_propagation_disabled {
                // No row of a gateway, not even of its static prefixes, reaches such a subnet.
                // Source: Microsoft, "Virtual network traffic routing" (read 2026-11-20).
                true => RouteRow {
                    is_absent: true,
                    rejected: Some(Rejection::PropagationDisabled),
                    ..row.clone()
                },
                false => row.clone(),
            });
        }
        let peers = network.links.iter().filter(|link| link.brings_routes());
        let seen = std::iter::once(key.network).chain(peers.filter_map(|link| link.remote));
        let endpoints =
            seen.flat_map(|network| self.endpoints[network].seen(has_ipv6)).cloned().collect();
        draft.finish(services, endpoints)
    }

    fn hub_tables(&self) -> Vec<HubTable> {
        let of_hub = |index: usize| {
            let hub = self.topology.hubs[index].hub;
            let make = |role: HubTableRole, word: &str, rows: Vec<RouteRow>| {
                let id = format!("{}/{word}", hub.header.name);
                let mut table = RouteTable::new(id, RouteTableBasis::Computed, rows);
                table.scope = Some(ScopeId::of_hub(self.topology.networks.len(), index));
                let prefixes = hub_sources(&self.topology.hubs[index], role);
                HubTable { table, hub: hub.header.id.clone(), hub_index: index, role, prefixes }
            };
            let endpoints = &self.endpoints;
            let gateways = virtual_wan::gateway_rows(self.topology, index, endpoints);
            let firewall = self.topology.hubs[index].firewall.map(|_| {
                let rows = virtual_wan::firewall_rows(self.topology, index, endpoints);
                make(HubTableRole::Firewall, "hub-firewall", rows)
            });
            std::iter::once(make(HubTableRole::Gateways, "hub-gateways", gateways)).chain(firewall)
        };
        (0..self.topology.hubs.len()).flat_map(of_hub).collect()
    }
}

/// Who sends from inside a hub: its router by its own addresses, its firewall by all others.
fn hub_sources(hub: &Hub<'_>, role: HubTableRole) -> Vec<AddressPrefix> {
    let routers = || hub.hub.virtual_router_ips.iter().map(|ip| AddressPrefix::host(*ip));
    match (role, hub.firewall) {
        (HubTableRole::Firewall, Some(firewall)) => {
            let own = firewall.hub_private_ip.map(AddressPrefix::host);
            hub.hub.address_prefix.into_iter().chain(own).collect()
        }
        (HubTableRole::Firewall, None) => Vec::new(),
        (HubTableRole::Gateways, Some(_)) => routers().collect(),
        (HubTableRole::Gateways, None) => routers().chain(hub.hub.address_prefix).collect(),
    }
}

/// The gateway rows of a VNet: its own gateways', those of the VNet whose gateways it uses, and
/// those of its hub.
fn gateway_rows(
    topology: &Topology<'_>,
    network: usize,
    own: &[Arc<[RouteRow]>],
) -> Arc<[RouteRow]> {
    let links = &topology.networks[network].links;
    let remote = links.iter().find_map(|link| match link.transit() {
        Transit::From(remote) => Some(remote),
        _ => None,
    });
    let of_hub = topology.networks[network]
        .hub
        .map(|(connection, hub)| virtual_wan::spoke_rows(topology, hub, connection));
    match (remote, of_hub) {
        (None, None) => Arc::clone(&own[network]),
        (Some(remote), None) if own[network].is_empty() => Arc::clone(&own[remote]),
        (remote, of_hub) => {
            let borrowed = remote.map(|remote| own[remote].iter().cloned()).into_iter().flatten();
            own[network].iter().cloned().chain(borrowed).chain(of_hub.unwrap_or_default()).collect()
        }
    }
}

/// Where packets of a VNet go on that a route hands to a gateway: to its own GatewaySubnet, to that
/// of the VNet whose gateways it uses, or to its hub.
fn beyond_gateway(topology: &Topology<'_>, network: usize) -> Option<BeyondGateway> {
    let entry = &topology.networks[network];
    if let Some((_, hub)) = entry.hub {
        return Some(BeyondGateway::Hub(hub));
    }
    let remote = || {
        entry.links.iter().find_map(|link| match link.transit() {
            Transit::From(remote) => Some(remote),
            _ => None,
        })
    };
    let has_gateway = !entry.gateways.is_empty();
    let network = if has_gateway { Some(network) } else { remote() }?;
    gateway_subnet(topology, network).map(BeyondGateway::Subnet)
}

fn gateway_subnet(topology: &Topology<'_>, network: usize) -> Option<usize> {
    let subnet = topology.networks[network].subnet_named("GatewaySubnet")?;
    Some(topology.table_index(SubnetPlace { network, subnet }))
}

/// What comes in by the gateways of VNets and hubs. A default route says nothing about where packets
/// come from.
fn on_premises(topology: &Topology<'_>, gateways: &Gateways<'_>) -> Vec<OnPremises> {
    const DEFAULT_LENGTH_MAX: u8 = 1;
    let mut all = Vec::new();
    for (index, network) in topology.networks.iter().enumerate() {
        let Some(table) = gateway_subnet(topology, index).map(BeyondGateway::Subnet) else {
            continue;
        };
        for (prefix, is_fastpath) in gateways.on_premises(topology, network) {
            all.push(OnPremises { prefix, table, is_fastpath });
        }
    }
    for (index, hub) in topology.hubs.iter().enumerate() {
        for prefix in virtual_wan::branch_prefixes(topology, hub) {
            let table = BeyondGateway::Hub(index);
            all.push(OnPremises { prefix, table, is_fastpath: false });
        }
    }
    all.retain(|entry| entry.prefix.length() > DEFAULT_LENGTH_MAX);
    all
}

/// Returns true for the GatewaySubnet of an active/active VPN gateway.
fn is_active_active_gateway(topology: &Topology<'_>, place: SubnetPlace) -> bool {
    let network = &topology.networks[place.network];
    let is_vpn = |gateway: &&crate::azure::resources::VirtualNetworkGateway| {
        gateway.is_active_active && !gateway.is_express_route
    };
    network.gateways.iter().copied().filter(|gateway| is_vpn(gateway)).any(|gateway| {
        let subnets = gateway.ip_configurations.iter().filter_map(|one| one.subnet.as_ref());
        subnets.filter_map(|id| topology.subnet_place(id)).any(|at| at == place)
    })
}
