//! Which of a subnet's candidate rows are used, shown or gone: one rule after the other over the
//! whole list.
//!
//! Source: Microsoft, "Virtual network traffic routing", section "How Azure selects a route", and
//! "Manage network policies for private endpoints" (read 2026-11-20); what is shown of a loser is
//! from tables that people published. Where these say nothing or contradict each other, the comment
//! says "decision".

use nexthop::azure::{NextHopType, RouteSource, ServiceEndpointPriority};
use nexthop::net::AddressPrefix;

use super::candidates::{VisibleEndpoint, visible_endpoints};
use super::{Place, Row, State};

/// Applies every rule.
pub fn select(place: Place<'_>, mut rows: Vec<Row>) -> Vec<Row> {
    system_networks_beat_gateway_routes_inside_them(&mut rows);
    gateway_routes_replace_reserved_blocks_and_the_default(&mut rows);
    gateway_user_routes_of_ipv6_are_not_used(&mut rows);
    service_endpoints_beat_user_routes(place, &mut rows);
    user_routes_beat_the_rest_at_their_prefix(&mut rows);
    // Rows that vanish route nothing, so they are gone before endpoints are held against the rest.
    reserved_blocks_vanish_with_the_default(&mut rows);
    private_endpoints_are_decided_one_by_one(place, &mut rows);
    rows
}

/// A VNet, peering or service-endpoint prefix wins over a gateway's route that equals it or is more
/// specific, even where that system route itself lost to a user's (decision).
fn system_networks_beat_gateway_routes_inside_them(rows: &mut [Row]) {
    let networks: Vec<AddressPrefix> =
        rows.iter().filter(|row| is_system_network(row)).map(|row| row.prefix).collect();
    for row in rows.iter_mut().filter(|row| is_from_gateway(row)) {
        if networks.iter().any(|network| network.covers(row.prefix)) {
            row.state = State::Invalid;
        }
    }
}

fn is_system_network(row: &Row) -> bool {
    matches!(
        row.next_hop_type,
        NextHopType::VnetLocal
            | NextHopType::VNetPeering
            | NextHopType::VNetGlobalPeering
            | NextHopType::VirtualNetworkServiceEndpoint
    ) && row.source == RouteSource::Default
}

/// A gateway's route at the prefix of a reserved block or of the default takes its place: published
/// tables do not show the system's row any more. It has gone before a user's route is looked at
/// (decision).
fn gateway_routes_replace_reserved_blocks_and_the_default(rows: &mut [Row]) {
    let gateway: Vec<AddressPrefix> = rows
        .iter()
        .filter(|row| is_from_gateway(row) && row.is_active())
        .map(|row| row.prefix)
        .collect();
    for row in rows.iter_mut().filter(|row| is_reserved_or_internet(row)) {
        if gateway.contains(&row.prefix) {
            row.state = State::Absent;
        }
    }
}

fn is_reserved_or_internet(row: &Row) -> bool {
    row.source == RouteSource::Default
        && matches!(row.next_hop_type, NextHopType::None | NextHopType::Internet)
}

/// A gateway as a user's next hop is for IPv4 alone.
fn gateway_user_routes_of_ipv6_are_not_used(rows: &mut [Row]) {
    for row in rows.iter_mut().filter(|row| is_from_user(row) && !row.prefix.is_ipv4()) {
        if row.next_hop_type == NextHopType::VirtualNetworkGateway {
            row.state = State::Invalid;
        }
    }
}

/// At the same prefix a service endpoint wins over a user's route; with `absolute` it wins over
/// more specific ones too (decision).
fn service_endpoints_beat_user_routes(place: Place<'_>, rows: &mut [Row]) {
    let priority = place.world.settings.service_endpoint_priority;
    let endpoints: Vec<AddressPrefix> = rows
        .iter()
        .filter(|row| row.next_hop_type == NextHopType::VirtualNetworkServiceEndpoint)
        .map(|row| row.prefix)
        .collect();
    for row in rows.iter_mut().filter(|row| is_from_user(row)) {
        let loses = endpoints.iter().any(|endpoint| match priority {
            ServiceEndpointPriority::Lpm => *endpoint == row.prefix,
            ServiceEndpointPriority::Absolute => endpoint.covers(row.prefix),
        });
        if loses {
            row.state = State::Invalid;
        }
    }
}

/// At the same prefix a user's route wins. What lost stays in sight, except a reserved block.
/// Private endpoints have rules of their own.
fn user_routes_beat_the_rest_at_their_prefix(rows: &mut [Row]) {
    let user: Vec<AddressPrefix> = rows
        .iter()
        .filter(|row| is_from_user(row) && row.is_active())
        .map(|row| row.prefix)
        .collect();
    for row in rows.iter_mut().filter(|row| !is_from_user(row) && row.is_active()) {
        if user.contains(&row.prefix) && !is_private_endpoint(row) {
            row.state = match row.next_hop_type {
                NextHopType::None => State::Absent,
                _ => State::Invalid,
            };
        }
    }
}

/// The procedure for private endpoints:
/// 1. a user's route of exactly the address wins, except on the GatewaySubnet of an active/active
///    VPN gateway, which does not honour it;
/// 2. else, where the policies of the endpoint's subnet apply route tables, and the route that would
///    win without the endpoint is a user's and at least as long as the endpoint's VNet prefix, that
///    route wins;
/// 3. else the endpoint's row wins.
fn private_endpoints_are_decided_one_by_one(place: Place<'_>, rows: &mut [Row]) {
    for endpoint in visible_endpoints(place) {
        let host = AddressPrefix::host(endpoint.address);
        let has_user_host_route =
            rows.iter().any(|row| is_from_user(row) && row.is_active() && row.prefix == host);
        let endpoint_wins = if has_user_host_route && !is_subnet_of_active_active_vpn(place) {
            false
        } else {
            !policy_lets_a_user_route_win(&endpoint, rows)
        };
        for row in rows.iter_mut().filter(|row| row.prefix == host && row.is_active()) {
            if is_private_endpoint(row) != endpoint_wins {
                row.state = State::Invalid;
            }
        }
    }
}

fn policy_lets_a_user_route_win(endpoint: &VisibleEndpoint<'_>, rows: &[Row]) -> bool {
    let policies = endpoint.home_subnet.private_endpoint_network_policies;
    let networks = endpoint.home.address_space.iter();
    let Some(network) = networks.into_iter().find(|prefix| prefix.contains(endpoint.address))
    else {
        return false;
    };
    let without_endpoints = rows
        .iter()
        .filter(|row| !is_private_endpoint(row))
        .filter(|row| row.is_active() && row.prefix.contains(endpoint.address));
    policies.applies_route_tables()
        && without_endpoints
            .max_by_key(|row| row.prefix.length())
            .is_some_and(|row| is_from_user(row) && row.prefix.length() >= network.length())
}

fn is_private_endpoint(row: &Row) -> bool {
    row.next_hop_type == NextHopType::InterfaceEndpoint
}

fn is_subnet_of_active_active_vpn(place: Place<'_>) -> bool {
    place.world.resources.gateways.iter().any(|gateway| {
        gateway.is_active_active
            && !gateway.is_express_route
            && gateway
                .ip_configurations
                .iter()
                .any(|configuration| configuration.subnet.as_ref() == Some(&place.subnet.header.id))
    })
}

/// The reserved blocks are there only while the default goes to the Internet, or nowhere: they
/// vanish when the winning default is a gateway's, or a user's to an appliance or a gateway.
fn reserved_blocks_vanish_with_the_default(rows: &mut [Row]) {
    let vanish = rows.iter().any(|row| {
        let is_to_a_device = matches!(
            row.next_hop_type,
            NextHopType::VirtualAppliance
                | NextHopType::VirtualApplianceEcmp
                | NextHopType::VirtualNetworkGateway
        );
        row.prefix == AddressPrefix::IPV4_ALL && row.is_active() && is_to_a_device
    });
    for row in rows.iter_mut() {
        if vanish && row.source == RouteSource::Default && row.next_hop_type == NextHopType::None {
            row.state = State::Absent;
        }
    }
}

fn is_from_user(row: &Row) -> bool {
    row.source == RouteSource::User
}

fn is_from_gateway(row: &Row) -> bool {
    row.source == RouteSource::VirtualNetworkGateway
}
