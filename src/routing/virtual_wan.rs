//! Virtual hubs: what they give the VNets connected to them, and their own tables.
//!
//! A hub's connection is a peering with the hub's own VNet; every other route comes from the hub's
//! route tables and reads `VirtualNetworkGateway`.

use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;

use super::private_endpoints::NetworkEndpoints;
use super::system_routes::row;
use super::topology::{Hub, Topology};
use super::{Rejection, RouteRow, gateways};
use crate::azure::resources::{HubBranch, HubConnection, HubRouteTable, ResourceId, RoutingIntent};
use crate::azure::{NextHopIps, NextHopType, RouteSource, RouteState};
use crate::net::AddressPrefix;

/// What a hub does with the traffic of its spokes and branches.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct HubPolicy {
    /// Prefixes that go to the hub's firewall.
    pub(super) prefixes: BTreeSet<AddressPrefix>,
    /// The firewall's private address, where the snapshot tells it.
    pub(super) firewall_ip: Option<IpAddr>,
    /// A private policy of a routing intent is on: nothing but aggregates reaches the spokes.
    is_private_intent: bool,
}

/// Returns which prefixes a hub sends to its firewall, for spokes of one of its route tables.
///
/// * Routing intent for private traffic means 10.0.0.0/8, 172.16.0.0/12, 192.168.0.0/16 and the
///   prefixes added to the default route table's policy route; for Internet traffic 0.0.0.0/0.
///   (Documented, and seen in published outputs of hubs.)
/// * Without intent, the static routes of the table that name the firewall. (Documented.)
///
/// Source: Microsoft, "How to configure Virtual WAN Hub routing intent and routing policies" and
/// "About virtual hub routing" (read 2026-11-20).
pub(super) fn policy(
    topology: &Topology<'_>,
    hub: &Hub<'_>,
    table: Option<&HubRouteTable>,
) -> HubPolicy {
    let mut policy = HubPolicy {
        firewall_ip: hub.firewall.and_then(|firewall| firewall.hub_private_ip),
        ..HubPolicy::default()
    };
    let intent = intent_of(topology, hub);
    if let Some(intent) = intent {
        policy.is_private_intent = intent.private_traffic.is_some();
        if policy.is_private_intent {
            policy.prefixes.extend(rfc1918());
        }
        if intent.internet.is_some() {
            policy.prefixes.insert(AddressPrefix::IPV4_ALL);
        }
    }
    let default_table = default_table(topology, hub);
    let table = if intent.is_some() { default_table } else { table.or(default_table) };
    let routes = table.into_iter().flat_map(|table| &table.routes);
    for route in routes.filter(|route| is_firewall(hub, &route.next_hop)) {
        policy.prefixes.extend(route.destinations.iter().copied());
    }
    policy
}

/// Returns the rows that a hub gives a VNet connected to it, that of the hub's own VNet aside.
///
/// * Prefixes of the firewall's policy name its private address. (The prefixes are seen in published
///   outputs; that a spoke's row names this address is a decision: no export of one was found.)
/// * `0.0.0.0/0` comes only to connections with Internet security enabled, and never from another
///   hub. (Documented.)
/// * With a private routing intent that is all; else come the prefixes of the VNets and branches
///   that propagate to the connection's associated table. (Documented.) Their rows name the hub's
///   router, whose public address no resource tells.
/// * At one prefix a static route wins over one that was propagated. (Documented.)
///
/// Source: as for the policy.
pub(super) fn spoke_rows(
    topology: &Topology<'_>,
    hub_index: usize,
    connection: &HubConnection,
) -> Vec<RouteRow> {
    let hub = &topology.hubs[hub_index];
    let table = associated_table(topology, hub, connection);
    let policy = policy(topology, hub, table);
    let mut hops: BTreeMap<AddressPrefix, Option<IpAddr>> = BTreeMap::new();
    if !policy.is_private_intent {
        for prefix in propagated(topology, hub_index, Some(connection), table) {
            hops.insert(prefix, None);
        }
    }
    for prefix in &policy.prefixes {
        hops.insert(*prefix, policy.firewall_ip);
    }
    hops.into_iter()
        .filter(|(prefix, _)| prefix.length() > 0 || connection.enable_internet_security)
        .flat_map(|(prefix, ip)| gateways::rows(prefix, ip))
        .collect()
}

/// Returns the table of what a hub's gateways let in, which its router uses too.
///
/// * With a private routing intent it holds the policy's prefixes alone. (Seen in published outputs.)
/// * Endpoints of the connected VNets are host routes that bypass the firewall, unless route tables
///   apply to their subnet: then a policy route counts as user-defined, at any length. (Documented
///   in words; the counting is a decision.)
///
/// Source: Microsoft, "How to configure Virtual WAN Hub routing intent and routing policies",
/// §Known limitations (read 2026-11-20).
pub(super) fn gateway_rows(
    topology: &Topology<'_>,
    hub_index: usize,
    endpoints: &[NetworkEndpoints],
) -> Vec<RouteRow> {
    let hub = &topology.hubs[hub_index];
    let table = default_table(topology, hub);
    let policy = policy(topology, hub, table);
    let mut rows = Vec::new();
    rows.extend(hub.hub.address_prefix.map(|prefix| row(prefix, NextHopType::VnetLocal)));
    for prefix in &policy.prefixes {
        rows.push(policy_row(*prefix, policy.firewall_ip));
    }
    if !policy.is_private_intent {
        push_destinations(topology, hub_index, table, &policy.prefixes, &mut rows);
    }
    if !policy.prefixes.contains(&AddressPrefix::IPV4_ALL) {
        rows.push(row(AddressPrefix::IPV4_ALL, NextHopType::Internet));
    }
    let best_other = |address: IpAddr, rows: &[RouteRow]| {
        rows.iter()
            .filter(|row| row.prefix().is_some_and(|prefix| prefix.contains(address)))
            .max_by_key(|row| row.prefix().map(AddressPrefix::length))
            .map(|row| row.source.clone())
    };
    let others = rows.clone();
    let networks = hub.connections.iter().filter_map(|(_, network)| *network);
    for endpoints in networks.flat_map(|network| endpoints[network].seen(false)) {
        for (position, endpoint) in endpoints.rows.iter().enumerate() {
            let mut endpoint = endpoint.clone();
            let judged = endpoints.at(position, 0);
            let best = best_other(judged.address, &others);
            if judged.applies_route_tables && best == Some(RouteSource::User) {
                endpoint.state = RouteState::Invalid;
                endpoint.rejected = Some(Rejection::PrivateEndpointInvalidatedByUdr);
            }
            rows.push(endpoint);
        }
    }
    rows
}

/// Returns the table of what a hub's firewall sends on: the specific prefixes of everything that the
/// hub reaches. (Seen in published outputs.)
///
/// What lies behind another hub whose policy inspects private traffic passes that hub's firewall
/// too. (Documented.)
pub(super) fn firewall_rows(
    topology: &Topology<'_>,
    hub_index: usize,
    endpoints: &[NetworkEndpoints],
) -> Vec<RouteRow> {
    let hub = &topology.hubs[hub_index];
    let mut rows = Vec::new();
    rows.extend(hub.hub.address_prefix.map(|prefix| row(prefix, NextHopType::VnetLocal)));
    rows.push(row(AddressPrefix::IPV4_ALL, NextHopType::Internet));
    for (_, network) in &hub.connections {
        let Some(network) = *network else { continue };
        for prefix in &topology.networks[network].network.address_space {
            rows.push(row(*prefix, NextHopType::VNetPeering));
        }
        let seen = endpoints[network].seen(false);
        rows.extend(seen.flat_map(|endpoints| endpoints.rows.iter().cloned()));
    }
    for prefix in branch_prefixes(topology, hub) {
        rows.extend(gateways::rows(prefix, None));
    }
    for (other_index, other) in topology.hubs.iter().enumerate() {
        if other_index == hub_index || !is_same_wan(hub, other) {
            continue;
        }
        let policy = policy(topology, other, None);
        let hop = policy.firewall_ip.filter(|_| policy.is_private_intent);
        let spaces =
            other.connections.iter().filter_map(|(_, network)| *network).flat_map(|network| {
                topology.networks[network].network.address_space.iter().copied()
            });
        let branches = branch_prefixes(topology, other);
        for prefix in spaces.chain(branches).chain(other.hub.address_prefix) {
            rows.extend(gateways::rows(prefix, hop));
        }
    }
    without_repeats(rows)
}

/// Returns the branches' prefixes of a hub; a branch that names no hub belongs to every one of its
/// virtual WAN.
pub(super) fn branch_prefixes(topology: &Topology<'_>, hub: &Hub<'_>) -> BTreeSet<AddressPrefix> {
    let is_of_hub = |branch: &&HubBranch| match (&branch.hub, &branch.virtual_wan) {
        (Some(id), _) => *id == hub.hub.header.id,
        (None, Some(_)) => branch.virtual_wan == hub.hub.virtual_wan,
        (None, None) => true,
    };
    topology
        .resources
        .hub_branches
        .iter()
        .filter(is_of_hub)
        .flat_map(|branch| branch.address_prefixes.iter().copied())
        .collect()
}

/// Returns the route table that a connection looks its destinations up in.
pub(super) fn associated_table<'r>(
    topology: &Topology<'r>,
    hub: &Hub<'_>,
    connection: &HubConnection,
) -> Option<&'r HubRouteTable> {
    let tables = &topology.resources.hub_route_tables;
    let named = connection.associated_route_table.as_ref();
    let associated = named.and_then(|id| tables.iter().find(|table| table.header.id == *id));
    associated.or_else(|| default_table(topology, hub))
}

fn default_table<'r>(topology: &Topology<'r>, hub: &Hub<'_>) -> Option<&'r HubRouteTable> {
    topology
        .resources
        .hub_route_tables
        .iter()
        .find(|table| table.hub == hub.hub.header.id && is_default_name(&table.header.name))
}

fn is_default_name(name: &str) -> bool {
    name.eq_ignore_ascii_case("defaultRouteTable")
}

fn intent_of<'r>(topology: &Topology<'r>, hub: &Hub<'_>) -> Option<&'r RoutingIntent> {
    let intents = &topology.resources.routing_intents;
    intents.iter().find(|intent| intent.hub == hub.hub.header.id)
}

fn is_firewall(hub: &Hub<'_>, next_hop: &ResourceId) -> bool {
    let is_named = hub.firewall.is_some_and(|firewall| firewall.header.id == *next_hop);
    is_named || hub.hub.azure_firewall.as_ref().is_some_and(|id| id == next_hop)
}

fn is_same_wan(hub: &Hub<'_>, other: &Hub<'_>) -> bool {
    hub.hub.virtual_wan.is_some() && hub.hub.virtual_wan == other.hub.virtual_wan
}

/// The prefixes that are propagated into a table of a hub, those of one connection left out.
///
/// Branches propagate to the default table; a connection to the tables and labels that it names, or
/// to the default ones if it names none. Labels reach over all hubs of the virtual WAN.
fn propagated(
    topology: &Topology<'_>,
    hub_index: usize,
    except: Option<&HubConnection>,
    table: Option<&HubRouteTable>,
) -> BTreeSet<AddressPrefix> {
    let hub = &topology.hubs[hub_index];
    let is_default = table.is_none_or(|table| is_default_name(&table.header.name));
    let mut prefixes = BTreeSet::new();
    for (index, other) in topology.hubs.iter().enumerate() {
        let is_own = index == hub_index;
        if !is_own && !is_same_wan(hub, other) {
            continue;
        }
        if is_default {
            prefixes.extend(branch_prefixes(topology, other));
            prefixes.extend(other.hub.address_prefix.filter(|_| !is_own));
        }
        for (connection, network) in &other.connections {
            if except.is_some_and(|except| except.header.id == connection.header.id)
                || !propagates_to(connection, table, is_default, is_own)
            {
                continue;
            }
            let space = network.map(|network| &topology.networks[network].network.address_space);
            prefixes.extend(space.into_iter().flatten().copied());
            let statics = connection.static_routes.iter().flat_map(|route| &route.address_prefixes);
            // A default route stays in its hub.
            prefixes.extend(statics.copied().filter(|prefix| is_own || prefix.length() > 0));
        }
    }
    prefixes
}

fn propagates_to(
    connection: &HubConnection,
    table: Option<&HubRouteTable>,
    is_default: bool,
    is_own_hub: bool,
) -> bool {
    let (ids, labels) = (&connection.propagated_route_tables, &connection.propagated_labels);
    if ids.is_empty() && labels.is_empty() {
        return is_default;
    }
    let is_default_id =
        |id: &ResourceId| id.segment_after("hubRouteTables").is_some_and(is_default_name);
    let by_id = is_own_hub
        && ids.iter().any(|id| match table {
            Some(table) => *id == table.header.id,
            None => is_default_id(id),
        });
    let has_label = |label: &String| match table {
        Some(table) if !table.labels.is_empty() => {
            table.labels.iter().any(|own| own.eq_ignore_ascii_case(label))
        }
        _ => is_default && label.eq_ignore_ascii_case("default"),
    };
    by_id || labels.iter().any(has_label)
}

/// What a hub's router reaches besides the policy's prefixes.
fn push_destinations(
    topology: &Topology<'_>,
    hub_index: usize,
    table: Option<&HubRouteTable>,
    policy: &BTreeSet<AddressPrefix>,
    rows: &mut Vec<RouteRow>,
) {
    let hub = &topology.hubs[hub_index];
    let connected: BTreeSet<AddressPrefix> = hub
        .connections
        .iter()
        .filter_map(|(_, network)| *network)
        .flat_map(|network| topology.networks[network].network.address_space.iter().copied())
        .collect();
    for prefix in propagated(topology, hub_index, None, table) {
        if policy.contains(&prefix) {
            continue;
        }
        if connected.contains(&prefix) {
            rows.push(row(prefix, NextHopType::VNetPeering));
        } else {
            rows.extend(gateways::rows(prefix, None));
        }
    }
}

fn policy_row(prefix: AddressPrefix, firewall_ip: Option<IpAddr>) -> RouteRow {
    RouteRow {
        next_hop_ips: NextHopIps::from_iter(firewall_ip),
        ..RouteRow::computed(RouteSource::User, prefix, NextHopType::VirtualAppliance)
    }
}

fn without_repeats(rows: Vec<RouteRow>) -> Vec<RouteRow> {
    let mut seen = BTreeSet::new();
    rows.into_iter()
        .filter(|row| seen.insert((row.prefix(), row.source.clone(), row.next_hop_ips.clone())))
        .collect()
}

fn rfc1918() -> [AddressPrefix; 3] {
    [([10, 0, 0, 0], 8), ([172, 16, 0, 0], 12), ([192, 168, 0, 0], 16)].map(|(octets, length)| {
        AddressPrefix::new(IpAddr::from(octets), length).expect("the lengths are below 32")
    })
}
