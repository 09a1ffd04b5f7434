//! The tables that people published: the model gives them, and so does the library.
//!
//! Each expected table was written down from the publication, rows in any order. Where the author
//! cut rows to None out of a table, the test says so and leaves all of them out of the comparison.

use nexthop::azure::resources::{PrivateEndpointNetworkPolicies, ServiceEndpoint};
use nexthop::azure::{ServiceTags, SystemNoneProfile};

use super::World;
use super::build::*;
use super::compare::{assert_not_shown, assert_shown, assert_shown_but_for_none};

/// J. Moreno, "Private Link reality bites: your routes might be lying", blog.cloudtrooper.net,
/// 2025-01-22: the test VM in the hub. The author cut rows to None.
#[test]
fn private_endpoint_rows_without_policies() {
    let world = private_link_world(PrivateEndpointNetworkPolicies::Disabled, "");
    assert_shown_but_for_none(&world, "hub/vm", PRIVATE_LINK_DEFAULT);
    // The routes that a table for the endpoints' addresses replaces stay in sight.
    let world = private_link_world(
        PrivateEndpointNetworkPolicies::Disabled,
        "10.13.77.4/32 VirtualAppliance 10.13.76.68",
    );
    let first = "Default Active 10.13.77.4/32 InterfaceEndpoint";
    let overridden = PRIVATE_LINK_DEFAULT.replace(
        first,
        "User Active 10.13.77.4/32 VirtualAppliance 10.13.76.68
         Default Invalid 10.13.77.4/32 InterfaceEndpoint",
    );
    assert_shown_but_for_none(&world, "hub/vm", &overridden);
    // The author's gateway went on sending straight to the endpoints.
    let ignored = PRIVATE_LINK_DEFAULT.replace(
        first,
        "User Invalid 10.13.77.4/32 VirtualAppliance 10.13.76.68
         Default Active 10.13.77.4/32 InterfaceEndpoint",
    );
    assert_shown_but_for_none(&world, "hub/GatewaySubnet", &ignored);
}

const PRIVATE_LINK_DEFAULT: &str = "
    Default Active 10.13.76.0/24 VnetLocal
    VirtualNetworkGateway Active 192.168.0.0/24 VirtualNetworkGateway 10.13.76.4 10.13.76.5
    Default Active 0.0.0.0/0 Internet
    Default Active 10.13.77.0/24 VNetGlobalPeering
    Default Active 10.13.77.4/32 InterfaceEndpoint
    Default Active 10.13.77.5/32 InterfaceEndpoint
    Default Active 10.13.77.6/32 InterfaceEndpoint";

/// The same article.
#[test]
fn a_route_as_long_as_the_vnet_invalidates_private_endpoints_under_the_policy() {
    let world = private_link_world(
        PrivateEndpointNetworkPolicies::RouteTableEnabled,
        "10.13.77.0/24 VirtualAppliance 10.13.76.68",
    );
    let want = "
        Default Active 10.13.76.0/24 VnetLocal
        VirtualNetworkGateway Active 192.168.0.0/24 VirtualNetworkGateway 10.13.76.4 10.13.76.5
        Default Active 0.0.0.0/0 Internet
        User Active 10.13.77.0/24 VirtualAppliance 10.13.76.68
        Default Invalid 10.13.77.0/24 VNetGlobalPeering
        Default Invalid 10.13.77.4/32 InterfaceEndpoint
        Default Invalid 10.13.77.5/32 InterfaceEndpoint
        Default Invalid 10.13.77.6/32 InterfaceEndpoint
        Default Active 10.0.0.0/8 None";
    assert_shown_but_for_none(&world, "hub/vm", want);
}

/// The same article: the peering's row is longer than the user's, so the endpoints come back.
#[test]
fn a_shorter_route_does_not_invalidate_private_endpoints() {
    let world = private_link_world(
        PrivateEndpointNetworkPolicies::RouteTableEnabled,
        "10.0.0.0/8 VirtualAppliance 10.13.76.68",
    );
    let want = format!(
        "{PRIVATE_LINK_DEFAULT}
         User Active 10.0.0.0/8 VirtualAppliance 10.13.76.68"
    );
    assert_shown_but_for_none(&world, "hub/vm", &want);
    assert_not_shown(&world, "hub/vm", "10.0.0.0/8 None");
}

fn private_link_world(policies: PrivateEndpointNetworkPolicies, routes: &str) -> World {
    let mut world = World::default();
    add_network(&mut world, "hub", "westeurope", &["10.13.76.0/24"]);
    add_network(&mut world, "spoke", "australiaeast", &["10.13.77.0/24"]);
    peer(&mut world, "hub", "spoke", false);
    add_vpn_gateway(&mut world, "hub", &["10.13.76.4", "10.13.76.5"], None, "192.168.0.0/24");
    let spoke = network_mut(&mut world, "spoke");
    spoke.subnets[0].private_endpoint_network_policies = policies;
    for address in ["10.13.77.4", "10.13.77.5", "10.13.77.6"] {
        add_private_endpoint(&mut world, "spoke", address);
    }
    if !routes.is_empty() {
        add_route_table(&mut world, &["hub/vm", "hub/GatewaySubnet"], routes);
    }
    world
}

/// J. Moreno, azure-networking-lab (github.com/erjosito/azure-networking-lab, README): spokes of a
/// hub, whole tables. The first has no route table.
#[test]
fn lab_spoke_without_routes() {
    let world = lab_world("vnet1", "10.1.0.0/16", "westeurope");
    let want = format!(
        "Default Active 10.1.0.0/16 VnetLocal
         Default Active 10.4.0.0/16 VNetPeering
         Default Active 0.0.0.0/0 Internet
         Default Active 10.0.0.0/8 None
         {LAB_NONE_BUT_FOR_10}"
    );
    assert_shown(&world, "vnet1/vm", &want);
}

#[test]
fn lab_spoke_with_a_route_at_a_reserved_block() {
    let mut world = lab_world("vnet1", "10.1.0.0/16", "westeurope");
    add_route_table(&mut world, &["vnet1/vm"], "10.0.0.0/8 VirtualAppliance 10.4.2.101");
    let want = format!(
        "Default Active 10.1.0.0/16 VnetLocal
         Default Active 10.4.0.0/16 VNetPeering
         Default Active 0.0.0.0/0 Internet
         User Active 10.0.0.0/8 VirtualAppliance 10.4.2.101
         {LAB_NONE_BUT_FOR_10}"
    );
    assert_shown(&world, "vnet1/vm", &want);
}

#[test]
fn lab_spoke_with_a_default_to_an_appliance() {
    let mut world = lab_world("vnet2", "10.2.0.0/16", "westeurope");
    add_route_table(&mut world, &["vnet2/vm"], "0.0.0.0/0 VirtualAppliance 10.4.2.101");
    let want = "
        Default Active 10.2.0.0/16 VnetLocal
        Default Active 10.4.0.0/16 VNetPeering
        Default Invalid 0.0.0.0/0 Internet
        User Active 0.0.0.0/0 VirtualAppliance 10.4.2.101";
    assert_shown(&world, "vnet2/vm", want);
}

#[test]
fn lab_spoke_of_another_region() {
    let mut world = lab_world("vnet3", "10.3.0.0/16", "eastus2");
    add_route_table(&mut world, &["vnet3/vm"], "0.0.0.0/0 VirtualAppliance 10.4.2.101");
    let want = "
        Default Active 10.3.0.0/16 VnetLocal
        Default Invalid 0.0.0.0/0 Internet
        User Active 0.0.0.0/0 VirtualAppliance 10.4.2.101
        Default Active 10.4.0.0/16 VNetGlobalPeering";
    assert_shown(&world, "vnet3/vm", want);
}

#[test]
fn lab_spoke_that_uses_the_gateway_of_the_hub() {
    let world = lab_world_with_gateway("10.4.0.4");
    let want = format!(
        "Default Active 10.1.0.0/16 VnetLocal
         Default Active 10.4.0.0/16 VNetPeering
         VirtualNetworkGateway Active 10.5.0.0/16 VirtualNetworkGateway 172.176.82.173
         VirtualNetworkGateway Active 10.5.0.254/32 VirtualNetworkGateway 172.176.82.173
         Default Active 0.0.0.0/0 Internet
         User Active 10.0.0.0/8 VirtualAppliance 10.4.0.4
         User Active 10.1.1.0/24 VirtualAppliance 10.4.0.4
         {LAB_NONE_BUT_FOR_10}"
    );
    assert_shown(&world, "vnet1/vm", &want);
}

#[test]
fn lab_spoke_that_takes_no_routes_of_gateways() {
    let mut world = lab_world_with_gateway("10.4.2.100");
    world.resources.route_tables[0].disable_bgp_route_propagation = true;
    let want = format!(
        "Default Active 10.1.0.0/16 VnetLocal
         Default Active 10.4.0.0/16 VNetPeering
         Default Active 0.0.0.0/0 Internet
         User Active 10.0.0.0/8 VirtualAppliance 10.4.2.100
         User Active 10.1.1.0/24 VirtualAppliance 10.4.2.100
         {LAB_NONE_BUT_FOR_10}"
    );
    assert_shown(&world, "vnet1/vm", &want);
}

const LAB_NONE_BUT_FOR_10: &str = "
    Default Active 127.0.0.0/8 None
    Default Active 100.64.0.0/10 None
    Default Active 172.16.0.0/12 None
    Default Active 25.48.0.0/12 None
    Default Active 25.4.0.0/14 None
    Default Active 198.18.0.0/15 None
    Default Active 157.59.0.0/16 None
    Default Active 192.168.0.0/16 None
    Default Active 25.33.0.0/16 None
    Default Active 40.109.0.0/16 None
    Default Active 104.147.0.0/16 None
    Default Active 104.146.0.0/17 None
    Default Active 40.108.0.0/17 None
    Default Active 23.103.0.0/18 None
    Default Active 25.41.0.0/20 None
    Default Active 20.35.252.0/22 None";

fn lab_world(spoke: &str, space: &str, region: &str) -> World {
    let mut world = World::default();
    world.settings.system_none_profile = SystemNoneProfile::Observed2022;
    add_network(&mut world, "hub", "westeurope", &["10.4.0.0/16"]);
    add_network(&mut world, spoke, region, &[space]);
    peer(&mut world, "hub", spoke, false);
    world
}

/// The gateway is active/passive and learned what is on the other side.
fn lab_world_with_gateway(appliance: &str) -> World {
    let mut world = lab_world("vnet1", "10.1.0.0/16", "westeurope");
    world.resources.virtual_networks.iter_mut().for_each(|network| network.peerings.clear());
    peer(&mut world, "hub", "vnet1", true);
    add_vpn_gateway(&mut world, "hub", &["10.4.0.9"], Some("172.176.82.173"), "10.5.0.254/32");
    add_learned_route(&mut world, "hub-gateway", "10.5.0.0/16", "10.5.0.254");
    let routes = format!(
        "10.0.0.0/8 VirtualAppliance {appliance}
         10.1.1.0/24 VirtualAppliance {appliance}"
    );
    add_route_table(&mut world, &["vnet1/vm"], &routes);
    world
}

/// A published lab about Azure Route Server of 2021, whole table: 172.22.2.0/24 came from two
/// appliances.
#[test]
fn a_default_to_none_keeps_the_rows_to_none() {
    let mut world = World::default();
    world.settings.system_none_profile = SystemNoneProfile::Observed2021;
    add_network(&mut world, "vnet", "westeurope", &["172.16.0.0/16"]);
    add_route_server(&mut world, "vnet");
    for appliance in ["172.16.1.4", "172.16.1.5"] {
        add_learned_route(&mut world, "vnet-route-server", "172.22.2.0/24", appliance);
    }
    add_route_table(&mut world, &["vnet/vm"], "0.0.0.0/0 None");
    let want = "
        Default Active 172.16.0.0/16 VnetLocal
        VirtualNetworkGateway Active 172.22.2.0/24 VirtualNetworkGateway 172.16.1.4 172.16.1.5
        Default Invalid 0.0.0.0/0 Internet
        Default Active 10.0.0.0/8 None
        Default Active 100.64.0.0/10 None
        Default Active 192.168.0.0/16 None
        Default Active 25.33.80.0/20 None
        Default Active 25.41.3.0/25 None
        User Active 0.0.0.0/0 None";
    assert_shown(&world, "vnet/vm", want);
}

/// A published lab about default routes through Route Server and VPN gateways, whole tables: a
/// spoke, and the VNet at the other end of the VPN.
#[test]
fn a_learned_default_replaces_the_systems_and_the_rows_to_none() {
    let mut world = World::default();
    add_network(&mut world, "spoke", "westeurope", &["10.0.0.0/16"]);
    add_network(&mut world, "hub", "westeurope", &["10.1.0.0/16"]);
    peer(&mut world, "hub", "spoke", true);
    add_route_server(&mut world, "hub");
    for prefix in ["0.0.0.0/0", "10.2.0.0/16"] {
        add_learned_route(&mut world, "hub-route-server", prefix, "10.1.1.5");
    }
    let want = "
        Default Active 10.0.0.0/16 VnetLocal
        Default Active 10.1.0.0/16 VNetPeering
        VirtualNetworkGateway Active 10.2.0.0/16 VirtualNetworkGateway 10.1.1.5
        VirtualNetworkGateway Active 0.0.0.0/0 VirtualNetworkGateway 10.1.1.5";
    assert_shown(&world, "spoke/vm", want);

    let mut world = World::default();
    add_network(&mut world, "remote", "westeurope", &["10.2.0.0/16"]);
    add_vpn_gateway(&mut world, "remote", &["10.2.0.4", "10.2.0.5"], None, "192.168.100.0/32");
    for prefix in ["10.0.0.0/16", "10.1.0.0/16", "0.0.0.0/0"] {
        add_learned_route(&mut world, "remote-gateway", prefix, "192.168.100.0");
    }
    let want = "
        Default Active 10.2.0.0/16 VnetLocal
        VirtualNetworkGateway Active 10.0.0.0/16 VirtualNetworkGateway 10.2.0.4 10.2.0.5
        VirtualNetworkGateway Active 192.168.100.0/32 VirtualNetworkGateway 10.2.0.4 10.2.0.5
        VirtualNetworkGateway Active 0.0.0.0/0 VirtualNetworkGateway 10.2.0.4 10.2.0.5
        VirtualNetworkGateway Active 10.1.0.0/16 VirtualNetworkGateway 10.2.0.4 10.2.0.5";
    assert_shown(&world, "remote/vm", want);
}

/// Microsoft, "Virtual network traffic routing", the example's Subnet1: every override at once. The
/// page writes `Default` for the gateway's route, which exports never do, and leaves the addresses
/// of the gateway and of the service open. The endpoint's row is not overridden by 0.0.0.0/0.
#[test]
fn documented_example_with_routes() {
    let world = documented_world();
    let want = "
        Default Invalid 10.0.0.0/16 VnetLocal
        User Active 10.0.0.0/16 VirtualAppliance 10.0.100.4
        User Active 10.0.0.0/24 VnetLocal
        Default Invalid 10.1.0.0/16 VNetPeering
        Default Invalid 10.2.0.0/16 VNetPeering
        User Active 10.1.0.0/16 None
        User Active 10.2.0.0/16 None
        VirtualNetworkGateway Invalid 10.10.0.0/16 VirtualNetworkGateway 203.0.113.10
        User Active 10.10.0.0/16 VirtualAppliance 10.0.100.4
        Default Active 198.51.100.0/24 VirtualNetworkServiceEndpoint
        Default Invalid 0.0.0.0/0 Internet
        User Active 0.0.0.0/0 VirtualAppliance 10.0.100.4";
    assert_shown(&world, "vnet/vm", want);
}

/// The same example's Subnet2. The page lists three of the reserved blocks here; its text names the
/// fourth, 172.16.0.0/12.
#[test]
fn documented_example_without_routes() {
    let world = documented_world();
    let want = "
        Default Active 10.0.0.0/16 VnetLocal
        Default Active 10.1.0.0/16 VNetPeering
        Default Active 10.2.0.0/16 VNetPeering
        VirtualNetworkGateway Active 10.10.0.0/16 VirtualNetworkGateway 203.0.113.10
        Default Active 0.0.0.0/0 Internet
        Default Active 10.0.0.0/8 None
        Default Active 100.64.0.0/10 None
        Default Active 192.168.0.0/16 None
        Default Active 172.16.0.0/12 None";
    assert_shown(&world, "vnet/GatewaySubnet", want);
}

fn documented_world() -> World {
    let mut world = World::default();
    add_network(&mut world, "vnet", "westeurope", &["10.0.0.0/16"]);
    for (name, space) in [("vnet1", "10.1.0.0/16"), ("vnet2", "10.2.0.0/16")] {
        add_network(&mut world, name, "westeurope", &[space]);
        peer(&mut world, "vnet", name, false);
    }
    add_vpn_gateway(&mut world, "vnet", &["10.0.9.4"], Some("203.0.113.10"), "10.10.0.0/16");
    let mut tags = ServiceTags::default();
    tags.add("Storage.WestEurope", [prefix("198.51.100.0/24")]);
    world.service_tags = tags;
    network_mut(&mut world, "vnet").subnets[0].service_endpoints = vec![ServiceEndpoint {
        service: "Microsoft.Storage".to_owned(),
        locations: vec!["westeurope".to_owned()],
    }];
    let routes = "
        10.0.0.0/16 VirtualAppliance 10.0.100.4
        10.0.0.0/24 VnetLocal
        10.1.0.0/16 None
        10.2.0.0/16 None
        10.10.0.0/16 VirtualAppliance 10.0.100.4
        0.0.0.0/0 VirtualAppliance 10.0.100.4";
    add_route_table(&mut world, &["vnet/vm"], routes);
    world
}
