//! What a secured hub of a virtual WAN gives a VNet that is connected to it.
//!
//! Left out is what no published table shows: the addresses that rows of an unsecured hub name.
//!
//! Source: Microsoft, "How to configure Virtual WAN Hub routing intent and routing policies",
//! "About virtual hub routing", "Secure your virtual hub using Azure Firewall Manager" (read
//! 2026-11-20). That rows name the firewall's private address is a decision.

use std::net::IpAddr;

use nexthop::azure::NextHopType;
use nexthop::azure::resources::{HubConnection, HubRouteTable, ResourceId, VirtualHub};
use nexthop::net::AddressPrefix;

use super::candidates::{default, gateway_row};
use super::{Place, Row, World};

const PRIVATE: [&str; 3] = ["10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16"];

/// The hub's own prefix: the connection is a peering.
pub fn hub_networks(place: Place<'_>) -> Vec<Row> {
    let prefixes = connections(place).into_iter().filter_map(|(_, hub)| hub.address_prefix);
    prefixes.map(|prefix| default(prefix, NextHopType::VNetPeering)).collect()
}

/// The routes to the hub's firewall: of routing intent, else the static ones of the route table
/// that the connection is associated with. A default needs `enableInternetSecurity`.
pub fn hub_routes(place: Place<'_>) -> Vec<Row> {
    let mut rows = Vec::new();
    for (connection, hub) in connections(place) {
        let intents = place.world.resources.routing_intents.iter();
        let to_firewall = match intents.into_iter().find(|intent| intent.hub == hub.header.id) {
            Some(intent) => {
                let internet = intent.internet.iter().map(|hop| (AddressPrefix::IPV4_ALL, hop));
                let private = intent.private_traffic.iter().flat_map(|hop| {
                    private_prefixes(place.world, hub).into_iter().map(move |prefix| (prefix, hop))
                });
                internet.chain(private).collect()
            }
            None => static_routes(place.world, connection),
        };
        for (prefix, firewall) in to_firewall {
            if prefix != AddressPrefix::IPV4_ALL || connection.enable_internet_security {
                rows.push(gateway_row(prefix, &address_of_firewall(place.world, firewall)));
            }
        }
    }
    rows
}

/// The connections of the VNet to hubs; a Route Server, which has no virtual WAN, is none.
fn connections<'w>(place: Place<'w>) -> Vec<(&'w HubConnection, &'w VirtualHub)> {
    let resources = &place.world.resources;
    let connections = resources.hub_connections.iter();
    connections
        .filter(|connection| connection.virtual_network == place.virtual_network.header.id)
        .filter_map(|connection| {
            let mut hubs = resources.virtual_hubs.iter().filter(|hub| hub.virtual_wan.is_some());
            Some((connection, hubs.find(|hub| hub.header.id == connection.hub)?))
        })
        .collect()
}

/// The private blocks, and those that the hub's route `private_traffic` adds.
fn private_prefixes(world: &World, hub: &VirtualHub) -> Vec<AddressPrefix> {
    let mut prefixes: Vec<AddressPrefix> =
        PRIVATE.iter().map(|text| text.parse().expect(text)).collect();
    let tables = world.resources.hub_route_tables.iter();
    for table in tables.filter(|table| table.hub == hub.header.id) {
        for route in table.routes.iter().filter(|route| route.name == "private_traffic") {
            prefixes.extend(&route.destinations);
        }
    }
    prefixes
}

fn static_routes<'w>(
    world: &'w World,
    connection: &HubConnection,
) -> Vec<(AddressPrefix, &'w ResourceId)> {
    let is_ours = |table: &HubRouteTable| match &connection.associated_route_table {
        Some(id) => table.header.id == *id,
        None => table.hub == connection.hub && table.header.name == "defaultRouteTable",
    };
    let tables = world.resources.hub_route_tables.iter().filter(|table| is_ours(table));
    let routes = tables.flat_map(|table| &table.routes);
    routes
        .flat_map(|route| route.destinations.iter().map(|&prefix| (prefix, &route.next_hop)))
        .collect()
}

fn address_of_firewall(world: &World, id: &ResourceId) -> Vec<IpAddr> {
    let firewalls = world.resources.firewalls.iter().filter(|firewall| firewall.header.id == *id);
    firewalls.filter_map(|firewall| firewall.hub_private_ip).collect()
}
