//! Cases worked out by hand from Azure's rules: the model gives them, and so does the library.

use nexthop::azure::resources::{PrivateEndpointNetworkPolicies, ServiceEndpoint};
use nexthop::azure::{RouteDestination, ServiceEndpointPriority};

use super::build::*;
use super::compare::assert_shown;
use super::{Row, State, World, winner};

const RESERVED: &str = "
    Default Active 10.0.0.0/8 None
    Default Active 172.16.0.0/12 None
    Default Active 192.168.0.0/16 None
    Default Active 100.64.0.0/10 None";

#[test]
fn a_vnet_equal_to_a_reserved_block_or_around_it_takes_its_place() {
    for (space, gone) in [
        ("10.0.0.0/8", "10.0.0.0/8"),
        ("10.0.0.0/7", "10.0.0.0/8"),
        ("192.168.0.0/16", "192.168.0.0/16"),
    ] {
        let want = format!(
            "{}
             Default Active {space} VnetLocal
             Default Active 0.0.0.0/0 Internet",
            without(RESERVED, gone)
        );
        assert_shown(&one_network(&[space]), "vnet/vm", &want);
    }
    let want = format!(
        "{RESERVED}
         Default Active 10.1.0.0/16 VnetLocal
         Default Active 0.0.0.0/0 Internet"
    );
    assert_shown(&one_network(&["10.1.0.0/16"]), "vnet/vm", &want);
}

#[test]
fn ipv6_rows_stand_only_where_the_vnet_has_ipv6_space() {
    let mut world = one_network(&["10.1.0.0/16", "fd00:1::/48"]);
    add_network(&mut world, "both", "", &["10.2.0.0/16", "fd00:2::/48"]);
    add_network(&mut world, "ipv4", "", &["10.3.0.0/16"]);
    peer(&mut world, "vnet", "both", false);
    peer(&mut world, "vnet", "ipv4", false);
    let want = format!(
        "{RESERVED}
         Default Active 10.1.0.0/16 VnetLocal
         Default Active fd00:1::/48 VnetLocal
         Default Active 10.2.0.0/16 VNetPeering
         Default Active fd00:2::/48 VNetPeering
         Default Active 10.3.0.0/16 VNetPeering
         Default Active 0.0.0.0/0 Internet
         Default Active ::/0 Internet"
    );
    assert_shown(&world, "vnet/vm", &want);
    let want = format!(
        "{RESERVED}
         Default Active 10.3.0.0/16 VnetLocal
         Default Active 10.1.0.0/16 VNetPeering
         Default Active 0.0.0.0/0 Internet"
    );
    assert_shown(&world, "ipv4/vm", &want);
}

#[test]
fn system_networks_win_over_gateway_routes_inside_them() {
    let mut world = one_network(&["10.1.0.0/16"]);
    add_network(&mut world, "peer", "", &["10.4.0.0/16"]);
    peer(&mut world, "vnet", "peer", false);
    add_vpn_gateway(&mut world, "vnet", &["10.1.9.4"], Some("203.0.113.1"), "10.1.5.0/24");
    let site = &mut world.resources.local_network_gateways[0].address_prefixes;
    site.extend(["10.4.0.0/16", "10.4.7.0/24", "10.0.0.0/8"].map(prefix));
    add_route_table(
        &mut world,
        &["vnet/vm"],
        "10.4.0.0/16 VirtualAppliance 10.1.0.4
         10.4.7.0/25 VirtualAppliance 10.1.0.4",
    );
    // Gateway routes inside the peered prefix stay out although the peering's row lost itself; the
    // one around both replaces the reserved block.
    let want = "
        Default Active 10.1.0.0/16 VnetLocal
        VirtualNetworkGateway Invalid 10.1.5.0/24 VirtualNetworkGateway 203.0.113.1
        Default Invalid 10.4.0.0/16 VNetPeering
        User Active 10.4.0.0/16 VirtualAppliance 10.1.0.4
        VirtualNetworkGateway Invalid 10.4.0.0/16 VirtualNetworkGateway 203.0.113.1
        VirtualNetworkGateway Invalid 10.4.7.0/24 VirtualNetworkGateway 203.0.113.1
        User Active 10.4.7.0/25 VirtualAppliance 10.1.0.4
        VirtualNetworkGateway Active 10.0.0.0/8 VirtualNetworkGateway 203.0.113.1
        Default Active 0.0.0.0/0 Internet
        Default Active 172.16.0.0/12 None
        Default Active 192.168.0.0/16 None
        Default Active 100.64.0.0/10 None";
    assert_shown(&world, "vnet/vm", want);
}

#[test]
fn reserved_blocks_follow_the_default_that_wins() {
    let mut world = one_network(&["10.1.0.0/16"]);
    add_vpn_gateway(&mut world, "vnet", &["10.1.9.4"], Some("203.0.113.1"), "0.0.0.0/0");
    let want = "
        Default Active 10.1.0.0/16 VnetLocal
        VirtualNetworkGateway Active 0.0.0.0/0 VirtualNetworkGateway 203.0.113.1";
    assert_shown(&world, "vnet/vm", want);
    for (next_hop, reserved) in [
        ("Internet", RESERVED),
        ("None", RESERVED),
        ("VirtualAppliance 10.1.0.4", ""),
        ("VirtualNetworkGateway", ""),
    ] {
        world.resources.route_tables.clear();
        add_route_table(&mut world, &["vnet/vm"], &format!("0.0.0.0/0 {next_hop}"));
        let want = format!(
            "{reserved}
             Default Active 10.1.0.0/16 VnetLocal
             User Active 0.0.0.0/0 {next_hop}
             VirtualNetworkGateway Invalid 0.0.0.0/0 VirtualNetworkGateway 203.0.113.1"
        );
        assert_shown(&world, "vnet/vm", &want);
    }
    // Halves of the default are no default.
    world.resources.route_tables.clear();
    add_route_table(
        &mut world,
        &["vnet/vm"],
        "0.0.0.0/1 VirtualAppliance 10.1.0.4
         128.0.0.0/1 VirtualAppliance 10.1.0.4",
    );
    world.resources.local_network_gateways.clear();
    let want = format!(
        "{RESERVED}
         Default Active 10.1.0.0/16 VnetLocal
         User Active 0.0.0.0/1 VirtualAppliance 10.1.0.4
         User Active 128.0.0.0/1 VirtualAppliance 10.1.0.4
         Default Active 0.0.0.0/0 Internet"
    );
    assert_shown(&world, "vnet/vm", &want);
}

#[test]
fn a_user_route_of_a_reserved_block_under_a_gateways_beats_the_gateways() {
    let mut world = one_network(&["172.30.0.0/16"]);
    add_vpn_gateway(&mut world, "vnet", &["172.30.9.4"], Some("203.0.113.1"), "10.0.0.0/8");
    add_route_table(&mut world, &["vnet/vm"], "10.0.0.0/8 VirtualAppliance 172.30.0.4");
    let want = format!(
        "{}
         Default Active 172.30.0.0/16 VnetLocal
         User Active 10.0.0.0/8 VirtualAppliance 172.30.0.4
         VirtualNetworkGateway Invalid 10.0.0.0/8 VirtualNetworkGateway 203.0.113.1
         Default Active 0.0.0.0/0 Internet",
        without(RESERVED, "10.0.0.0/8")
    );
    assert_shown(&world, "vnet/vm", &want);
}

#[test]
fn private_endpoints_are_seen_in_their_vnet_and_the_peered_ones_alone() {
    let mut world = one_network(&["10.1.0.0/16"]);
    add_network(&mut world, "hub", "", &["10.2.0.0/16"]);
    add_network(&mut world, "far", "", &["10.3.0.0/16"]);
    peer(&mut world, "hub", "vnet", false);
    peer(&mut world, "hub", "far", false);
    add_private_endpoint(&mut world, "vnet", "10.1.2.4");
    add_private_endpoint(&mut world, "vnet", "10.1.2.5");
    world.resources.private_endpoints[1].is_approved = false;
    let defaults = format!("{RESERVED}\nDefault Active 0.0.0.0/0 Internet");
    for (place, rest) in [
        (
            "vnet/vm",
            "Default Active 10.1.0.0/16 VnetLocal
             Default Active 10.2.0.0/16 VNetPeering
             Default Active 10.1.2.4/32 InterfaceEndpoint",
        ),
        (
            "hub/vm",
            "Default Active 10.2.0.0/16 VnetLocal
             Default Active 10.1.0.0/16 VNetPeering
             Default Active 10.3.0.0/16 VNetPeering
             Default Active 10.1.2.4/32 InterfaceEndpoint",
        ),
        (
            "far/vm",
            "Default Active 10.3.0.0/16 VnetLocal
             Default Active 10.2.0.0/16 VNetPeering",
        ),
    ] {
        assert_shown(&world, place, &format!("{defaults}\n{rest}"));
    }
}

/// The endpoint is in the second, longer prefix of its VNet: that one counts.
#[test]
fn policies_need_a_user_route_as_long_as_the_vnets_prefix_around_the_endpoint() {
    use PrivateEndpointNetworkPolicies as Policies;
    for (policies, length, endpoint_wins) in [
        (Policies::Enabled, 23, true),
        (Policies::Enabled, 24, false),
        (Policies::RouteTableEnabled, 25, false),
        (Policies::NetworkSecurityGroupEnabled, 24, true),
        (Policies::Disabled, 25, true),
        (Policies::Disabled, 32, false),
    ] {
        let mut world = one_network(&["10.1.0.0/16"]);
        add_network(&mut world, "home", "", &["10.5.0.0/16", "10.6.0.0/24"]);
        peer(&mut world, "vnet", "home", false);
        add_private_endpoint(&mut world, "home", "10.6.0.0");
        let home = network_mut(&mut world, "home");
        home.subnets[0].private_endpoint_network_policies = policies;
        let route = format!("10.6.0.0/{length} VirtualAppliance 10.1.0.4");
        add_route_table(&mut world, &["vnet/vm"], &route);
        let state = |is_active: bool| if is_active { "Active" } else { "Invalid" };
        let want = format!(
            "{RESERVED}
             Default Active 10.1.0.0/16 VnetLocal
             Default Active 10.5.0.0/16 VNetPeering
             Default {} 10.6.0.0/24 VNetPeering
             User Active {route}
             Default {} 10.6.0.0/32 InterfaceEndpoint
             Default Active 0.0.0.0/0 Internet",
            state(length != 24),
            state(endpoint_wins)
        );
        assert_shown(&world, "vnet/vm", &want);
    }
}

/// A route of the address itself is not honoured there, but under the policy it is the user's route
/// that would win without the endpoint.
#[test]
fn the_subnet_of_an_active_active_gateway_needs_the_policy() {
    for (policies, endpoint, user) in [
        (PrivateEndpointNetworkPolicies::Disabled, "Active", "Invalid"),
        (PrivateEndpointNetworkPolicies::RouteTableEnabled, "Invalid", "Active"),
    ] {
        let mut world = one_network(&["10.1.0.0/16"]);
        add_vpn_gateway(&mut world, "vnet", &["10.1.9.4", "10.1.9.5"], None, "192.168.7.0/24");
        add_private_endpoint(&mut world, "vnet", "10.1.2.4");
        let network = network_mut(&mut world, "vnet");
        network.subnets[0].private_endpoint_network_policies = policies;
        add_route_table(
            &mut world,
            &["vnet/GatewaySubnet"],
            "10.1.2.4/32 VirtualAppliance 10.1.0.4",
        );
        let want = format!(
            "{RESERVED}
             Default Active 10.1.0.0/16 VnetLocal
             VirtualNetworkGateway Active 192.168.7.0/24 VirtualNetworkGateway 10.1.9.4 10.1.9.5
             Default {endpoint} 10.1.2.4/32 InterfaceEndpoint
             User {user} 10.1.2.4/32 VirtualAppliance 10.1.0.4
             Default Active 0.0.0.0/0 Internet"
        );
        assert_shown(&world, "vnet/GatewaySubnet", &want);
    }
}

/// With the peering's row gone nothing else keeps the gateway's route out.
#[test]
fn a_private_endpoint_wins_over_a_gateways_route_of_its_address() {
    let mut world = one_network(&["10.1.0.0/16"]);
    add_network(&mut world, "home", "", &["10.6.0.0/24"]);
    peer(&mut world, "vnet", "home", false);
    add_private_endpoint(&mut world, "home", "10.6.0.4");
    add_vpn_gateway(&mut world, "vnet", &["10.1.9.4"], Some("203.0.113.1"), "10.6.0.4/32");
    add_route_table(&mut world, &["vnet/vm"], "10.7.0.0/16 VirtualAppliance 10.1.0.4");
    world.resources.route_tables[0].disable_peering_route = true;
    let want = format!(
        "{RESERVED}
         Default Active 10.1.0.0/16 VnetLocal
         Default Active 10.6.0.4/32 InterfaceEndpoint
         VirtualNetworkGateway Invalid 10.6.0.4/32 VirtualNetworkGateway 203.0.113.1
         User Active 10.7.0.0/16 VirtualAppliance 10.1.0.4
         Default Active 0.0.0.0/0 Internet"
    );
    assert_shown(&world, "vnet/vm", &want);
}

/// The policy asks for the route that wins without the endpoint, whoever made it.
#[test]
fn a_longer_gateway_route_keeps_user_routes_from_invalidating_an_endpoint() {
    let mut world = one_network(&["10.1.0.0/16"]);
    add_network(&mut world, "home", "", &["10.6.0.0/24"]);
    peer(&mut world, "vnet", "home", false);
    add_private_endpoint(&mut world, "home", "10.6.0.4");
    network_mut(&mut world, "home").subnets[0].private_endpoint_network_policies =
        PrivateEndpointNetworkPolicies::Enabled;
    add_vpn_gateway(&mut world, "vnet", &["10.1.9.4"], Some("203.0.113.1"), "10.6.0.0/26");
    add_route_table(&mut world, &["vnet/vm"], "10.6.0.0/25 VirtualAppliance 10.1.0.4");
    world.resources.route_tables[0].disable_peering_route = true;
    for (site, endpoint) in [("10.6.0.0/26", "Active"), ("10.6.0.64/26", "Invalid")] {
        world.resources.local_network_gateways[0].address_prefixes = vec![prefix(site)];
        let want = format!(
            "{RESERVED}
             Default Active 10.1.0.0/16 VnetLocal
             User Active 10.6.0.0/25 VirtualAppliance 10.1.0.4
             VirtualNetworkGateway Active {site} VirtualNetworkGateway 203.0.113.1
             Default {endpoint} 10.6.0.4/32 InterfaceEndpoint
             Default Active 0.0.0.0/0 Internet"
        );
        assert_shown(&world, "vnet/vm", &want);
    }
}

#[test]
fn service_endpoints_beat_gateways_and_user_routes_of_their_prefix() {
    let mut world = one_network(&["10.1.0.0/16"]);
    world.service_tags.add("Sql", ["40.79.154.0/24"].map(prefix));
    network_mut(&mut world, "vnet").subnets[0].service_endpoints = vec![ServiceEndpoint {
        service: "Microsoft.Sql".to_owned(),
        locations: vec!["*".to_owned()],
    }];
    add_vpn_gateway(&mut world, "vnet", &["10.1.9.4"], Some("203.0.113.1"), "40.79.154.0/24");
    world.resources.local_network_gateways[0].address_prefixes.push(prefix("40.79.154.64/26"));
    add_route_table(
        &mut world,
        &["vnet/vm"],
        "40.79.154.0/24 VirtualAppliance 10.1.0.4
         40.79.154.0/25 VirtualAppliance 10.1.0.4",
    );
    for (priority, longer) in
        [(ServiceEndpointPriority::Lpm, "Active"), (ServiceEndpointPriority::Absolute, "Invalid")]
    {
        world.settings.service_endpoint_priority = priority;
        let want = format!(
            "{RESERVED}
             Default Active 10.1.0.0/16 VnetLocal
             Default Active 40.79.154.0/24 VirtualNetworkServiceEndpoint
             VirtualNetworkGateway Invalid 40.79.154.0/24 VirtualNetworkGateway 203.0.113.1
             VirtualNetworkGateway Invalid 40.79.154.64/26 VirtualNetworkGateway 203.0.113.1
             User Invalid 40.79.154.0/24 VirtualAppliance 10.1.0.4
             User {longer} 40.79.154.0/25 VirtualAppliance 10.1.0.4
             Default Active 0.0.0.0/0 Internet"
        );
        assert_shown(&world, "vnet/vm", &want);
    }
    // The endpoint is the subnet's alone.
    let want = format!(
        "{RESERVED}
         Default Active 10.1.0.0/16 VnetLocal
         VirtualNetworkGateway Active 40.79.154.0/24 VirtualNetworkGateway 203.0.113.1
         VirtualNetworkGateway Active 40.79.154.64/26 VirtualNetworkGateway 203.0.113.1
         Default Active 0.0.0.0/0 Internet"
    );
    assert_shown(&world, "vnet/GatewaySubnet", &want);
}

#[test]
fn without_peering_routes_a_shorter_user_route_gets_the_peers_traffic() {
    let mut world = one_network(&["10.1.0.0/16"]);
    add_network(&mut world, "spoke", "", &["10.7.0.0/16", "192.168.0.0/16"]);
    peer(&mut world, "vnet", "spoke", false);
    add_route_table(&mut world, &["vnet/vm"], "10.0.0.0/8 VirtualAppliance 10.1.0.4");
    let both = "
        Default Active 10.1.0.0/16 VnetLocal
        User Active 10.0.0.0/8 VirtualAppliance 10.1.0.4
        Default Active 172.16.0.0/12 None
        Default Active 100.64.0.0/10 None
        Default Active 0.0.0.0/0 Internet";
    let want = format!(
        "{both}
         Default Active 10.7.0.0/16 VNetPeering
         Default Active 192.168.0.0/16 VNetPeering"
    );
    assert_shown(&world, "vnet/vm", &want);
    world.resources.route_tables[0].disable_peering_route = true;
    // The reserved block is back where the peer's prefix had taken its place.
    assert_shown(&world, "vnet/vm", &format!("{both}\nDefault Active 192.168.0.0/16 None"));
}

#[test]
fn gateways_of_a_hub_need_both_flags() {
    for (uses, allows) in [(true, true), (true, false), (false, true)] {
        let mut world = one_network(&["10.1.0.0/16"]);
        add_network(&mut world, "hub", "", &["10.2.0.0/16"]);
        peer(&mut world, "hub", "vnet", true);
        add_vpn_gateway(&mut world, "hub", &["10.2.9.4"], Some("203.0.113.1"), "10.9.0.0/16");
        network_mut(&mut world, "vnet").peerings[0].use_remote_gateways = uses;
        network_mut(&mut world, "hub").peerings[0].allow_gateway_transit = allows;
        let want = format!(
            "{RESERVED}
             Default Active 10.1.0.0/16 VnetLocal
             Default Active 10.2.0.0/16 VNetPeering
             Default Active 0.0.0.0/0 Internet"
        );
        let row = "VirtualNetworkGateway Active 10.9.0.0/16 VirtualNetworkGateway 203.0.113.1";
        let row = if uses && allows { row } else { "" };
        assert_shown(&world, "vnet/vm", &format!("{want}\n{row}"));
    }
}

/// An application gateway and its backends in one VNet of a secured hub, inspected both ways by
/// routes of the subnets; the hub alone cannot attract traffic inside a VNet.
#[test]
fn a_secured_hub_replaces_reserved_blocks_and_the_default() {
    let mut world = one_network(&["10.2.0.0/16"]);
    for name in ["appgw", "backends"] {
        let subnet = subnet("vnet", name);
        network_mut(&mut world, "vnet").subnets.push(subnet);
    }
    add_secured_hub(&mut world, "10.100.0.0/23", "10.100.0.132", &["vnet"]);
    add_route_table(
        &mut world,
        &["vnet/appgw"],
        "0.0.0.0/0 Internet
         10.2.0.0/24 VirtualAppliance 10.100.0.132",
    );
    add_route_table(&mut world, &["vnet/backends"], "10.2.1.0/24 VirtualAppliance 10.100.0.132");
    let all = "
        Default Active 10.2.0.0/16 VnetLocal
        Default Active 10.100.0.0/23 VNetPeering
        VirtualNetworkGateway Active 10.0.0.0/8 VirtualNetworkGateway 10.100.0.132
        VirtualNetworkGateway Active 172.16.0.0/12 VirtualNetworkGateway 10.100.0.132
        VirtualNetworkGateway Active 192.168.0.0/16 VirtualNetworkGateway 10.100.0.132";
    for (place, rest) in [
        ("vnet/vm", "VirtualNetworkGateway Active 0.0.0.0/0 VirtualNetworkGateway 10.100.0.132"),
        (
            "vnet/backends",
            "VirtualNetworkGateway Active 0.0.0.0/0 VirtualNetworkGateway 10.100.0.132
             User Active 10.2.1.0/24 VirtualAppliance 10.100.0.132",
        ),
        // The one block that the hub has no route for is still reserved beside a default to the
        // Internet.
        (
            "vnet/appgw",
            "VirtualNetworkGateway Invalid 0.0.0.0/0 VirtualNetworkGateway 10.100.0.132
             User Active 0.0.0.0/0 Internet
             User Active 10.2.0.0/24 VirtualAppliance 10.100.0.132
             Default Active 100.64.0.0/10 None",
        ),
    ] {
        assert_shown(&world, place, &format!("{all}\n{rest}"));
    }
    world.resources.hub_connections[0].enable_internet_security = false;
    let rest = "Default Active 0.0.0.0/0 Internet\nDefault Active 100.64.0.0/10 None";
    assert_shown(&world, "vnet/vm", &format!("{all}\n{rest}"));
}

#[test]
fn learned_routes_tell_their_gateway_by_name_or_identifier() {
    let mut world = one_network(&["10.1.0.0/16"]);
    add_vpn_gateway(&mut world, "vnet", &["10.1.9.4"], Some("203.0.113.1"), "10.9.0.0/16");
    let id = world.resources.gateways[0].header.id.to_string();
    add_learned_route(&mut world, "VNET-gateway", "10.10.0.0/16", "10.9.0.4");
    add_learned_route(&mut world, &id, "10.11.0.0/16", "10.9.0.4");
    add_learned_route(&mut world, "another-gateway", "10.12.0.0/16", "10.9.0.4");
    let want = format!(
        "{RESERVED}
         Default Active 10.1.0.0/16 VnetLocal
         VirtualNetworkGateway Active 10.9.0.0/16 VirtualNetworkGateway 203.0.113.1
         VirtualNetworkGateway Active 10.10.0.0/16 VirtualNetworkGateway 203.0.113.1
         VirtualNetworkGateway Active 10.11.0.0/16 VirtualNetworkGateway 203.0.113.1
         Default Active 0.0.0.0/0 Internet"
    );
    assert_shown(&world, "vnet/vm", &want);
}

#[test]
fn of_service_tags_with_one_prefix_the_most_specific_counts() {
    let mut world = one_network(&["10.1.0.0/16"]);
    let storage = prefix("20.60.0.0/16");
    for tag in ["AzureCloud", "AzureCloud.EastUS", "Storage", "Storage.EastUS"] {
        world.service_tags.add(tag, [storage]);
    }
    let best_last = ["AzureCloud", "AzureCloud.EastUS", "Storage", "Storage.EastUS", ""];
    for count in 1..=best_last.len() {
        let lines: Vec<String> = (0..count)
            .map(|index| format!("20.60.0.0/16 VirtualAppliance 10.1.0.{}", 4 + index))
            .collect();
        world.resources.route_tables.clear();
        add_route_table(&mut world, &["vnet/vm"], &lines.join("\n"));
        let routes = &mut world.resources.route_tables[0].routes;
        for (route, tag) in routes.iter_mut().zip(best_last).filter(|(_, tag)| !tag.is_empty()) {
            route.destination = RouteDestination::ServiceTag(tag.to_owned());
        }
        let best = lines.last().expect("one at least");
        let want = format!(
            "{RESERVED}
             Default Active 10.1.0.0/16 VnetLocal
             User Active {best}
             Default Active 0.0.0.0/0 Internet"
        );
        assert_shown(&world, "vnet/vm", &want);
    }
}

#[test]
fn ipv6_routes_to_a_gateway_are_not_used() {
    let mut world = one_network(&["10.1.0.0/16", "fd00:1::/48"]);
    add_route_table(
        &mut world,
        &["vnet/vm"],
        "fd00:2::/48 VirtualNetworkGateway
         fd00:3::/48 VirtualAppliance fd00:1::4",
    );
    let want = format!(
        "{RESERVED}
         Default Active 10.1.0.0/16 VnetLocal
         Default Active fd00:1::/48 VnetLocal
         User Invalid fd00:2::/48 VirtualNetworkGateway
         User Active fd00:3::/48 VirtualAppliance fd00:1::4
         Default Active 0.0.0.0/0 Internet
         Default Active ::/0 Internet"
    );
    assert_shown(&world, "vnet/vm", &want);
}

#[test]
fn the_longest_active_prefix_wins() {
    let rows: Vec<Row> = rows(
        "Default Active 0.0.0.0/0 Internet
         Default Invalid 10.0.0.0/24 VNetPeering
         User Active 10.0.0.0/16 VirtualAppliance 10.9.9.9",
    );
    assert!(rows.iter().all(|row| row.state != State::Absent));
    let prefix = |address: &str| winner(&rows, ip(address)).map(|row| row.prefix.to_string());
    assert_eq!(prefix("10.0.0.1").as_deref(), Some("10.0.0.0/16"));
    assert_eq!(prefix("10.1.0.0").as_deref(), Some("0.0.0.0/0"));
    assert_eq!(prefix("::1"), None);
}

fn one_network(spaces: &[&str]) -> World {
    let mut world = World::default();
    add_network(&mut world, "vnet", "", spaces);
    world
}

fn without(rows: &str, prefix: &str) -> String {
    rows.lines().filter(|line| !line.contains(prefix)).collect::<Vec<_>>().join("\n")
}
