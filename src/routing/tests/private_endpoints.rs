//! Private endpoints: who sees their host routes, and what overrides these.

use super::*;

/// The hub of the published articles on private endpoints behind a VPN gateway and a firewall, its
/// peered VNet in another region with three endpoints, and a second spoke of that VNet.
fn hub(policy: &str, routes: &str) -> String {
    format!(
        "vnet hub 10.13.76.0/24 @westeurope
         vnet spoke1 10.13.77.0/24 @northeurope
         vnet far 10.13.78.0/24
         rt r
         {routes}
         subnet hub/GatewaySubnet 10.13.76.0/27 rt=r
         subnet hub/AzureFirewallSubnet 10.13.76.64/26
         subnet hub/vm 10.13.76.128/26 rt=r
         subnet spoke1/sql 10.13.77.0/28 policy={policy}
         subnet far/vm 10.13.78.0/28
         peer hub spoke1 transit
         peer spoke1 hub remote
         peer spoke1 far
         peer far spoke1
         firewall fw hub/AzureFirewallSubnet 10.13.76.68
         vpn gw hub active-active ip=10.13.76.4,10.13.76.5
         lng site 192.168.0.0/24
         connect gw site
         pe sql spoke1/sql 10.13.77.4,10.13.77.5
         pe web spoke1/sql 10.13.77.6"
    )
}

const NONE_ROWS: &str = "Default Active 172.16.0.0/12 None
    Default Active 192.168.0.0/16 None
    Default Active 100.64.0.0/10 None";

#[test]
fn the_published_table_without_policy_comes_out_row_for_row() {
    let computed = computed(&hub("Disabled", ""));
    let published = "Default Active 10.13.76.0/24 VnetLocal
        VirtualNetworkGateway Active 192.168.0.0/24 VirtualNetworkGateway 10.13.76.4
        VirtualNetworkGateway Active 192.168.0.0/24 VirtualNetworkGateway 10.13.76.5
        Default Active 0.0.0.0/0 Internet
        Default Active 10.13.77.0/24 VNetGlobalPeering
        Default Active 10.13.77.4/32 InterfaceEndpoint
        Default Active 10.13.77.5/32 InterfaceEndpoint
        Default Active 10.13.77.6/32 InterfaceEndpoint";
    let elided = format!("Default Active 10.0.0.0/8 None\n{NONE_ROWS}");
    let table = table(&computed, "hub/vm");
    assert_eq!(shown(table), lines(&format!("{published}\n{elided}")));
    assert_eq!(sends(table, "10.13.77.7"), "VNetGlobalPeering");
    assert_eq!(sends(table, "192.168.0.4"), "VirtualNetworkGateway 10.13.76.4 10.13.76.5");
}

#[test]
fn the_published_table_with_policy_and_a_route_as_long_as_the_vnet_comes_out_row_for_row() {
    let computed =
        computed(&hub("RouteTableEnabled", "route r 10.13.77.0/24 VirtualAppliance 10.13.76.68"));
    let published = "Default Active 10.13.76.0/24 VnetLocal
        VirtualNetworkGateway Active 192.168.0.0/24 VirtualNetworkGateway 10.13.76.4
        VirtualNetworkGateway Active 192.168.0.0/24 VirtualNetworkGateway 10.13.76.5
        Default Active 0.0.0.0/0 Internet
        Default Active 10.0.0.0/8 None
        User Active 10.13.77.0/24 VirtualAppliance 10.13.76.68
        Default Invalid 10.13.77.0/24 VNetGlobalPeering
        Default Invalid 10.13.77.4/32 InterfaceEndpoint
        Default Invalid 10.13.77.5/32 InterfaceEndpoint
        Default Invalid 10.13.77.6/32 InterfaceEndpoint";
    for id in ["hub/vm", "hub/GatewaySubnet"] {
        assert_eq!(shown(table(&computed, id)), lines(&format!("{published}\n{NONE_ROWS}")));
    }
    assert_eq!(
        reason_of(table(&computed, "hub/vm"), "Default 10.13.77.6/32").1,
        Some("private_endpoint_invalidated_by_udr")
    );
}

#[test]
fn the_published_table_with_policy_and_a_broader_route_comes_out_row_for_row() {
    let computed =
        computed(&hub("RouteTableEnabled", "route r 10.0.0.0/8 VirtualAppliance 10.13.76.68"));
    let published = "Default Active 10.13.76.0/24 VnetLocal
        VirtualNetworkGateway Active 192.168.0.0/24 VirtualNetworkGateway 10.13.76.4
        VirtualNetworkGateway Active 192.168.0.0/24 VirtualNetworkGateway 10.13.76.5
        Default Active 0.0.0.0/0 Internet
        User Active 10.0.0.0/8 VirtualAppliance 10.13.76.68
        Default Active 10.13.77.0/24 VNetGlobalPeering
        Default Active 10.13.77.4/32 InterfaceEndpoint
        Default Active 10.13.77.5/32 InterfaceEndpoint
        Default Active 10.13.77.6/32 InterfaceEndpoint";
    let table = table(&computed, "hub/vm");
    assert_eq!(shown(table), lines(&format!("{published}\n{NONE_ROWS}")));
    for (destination, want) in [
        ("10.13.77.6", "InterfaceEndpoint"),
        ("10.13.77.7", "VNetGlobalPeering"),
        ("10.50.0.1", "VirtualAppliance 10.13.76.68"),
    ] {
        assert_eq!(sends(table, destination), want, "{destination}");
    }
}

#[test]
fn host_routes_win_anywhere_but_on_the_subnet_of_an_active_active_gateway() {
    let routes = "route r 10.13.77.4/32 VirtualAppliance 10.13.76.68
                  route r 10.13.77.5/32 VirtualAppliance 10.13.76.68";
    let plan = hub("Disabled", routes);
    let firewall = "VirtualAppliance 10.13.76.68";
    let active_active = computed(&plan);
    assert_eq!(sends(table(&active_active, "hub/vm"), "10.13.77.4"), firewall);
    // The third endpoint has no route of its own.
    assert_eq!(sends(table(&active_active, "hub/vm"), "10.13.77.6"), "InterfaceEndpoint");
    let gateway = table(&active_active, "hub/GatewaySubnet");
    assert_eq!(sends(gateway, "10.13.77.4"), "InterfaceEndpoint");
    assert_eq!(
        reason_of(gateway, "User 10.13.77.4/32"),
        ("Invalid".to_owned(), Some("gateway_ignores_udr_over_private_endpoint"))
    );
    let active_passive = computed(&plan.replace("active-active", ""));
    assert_eq!(sends(table(&active_passive, "hub/GatewaySubnet"), "10.13.77.4"), firewall);
    // Where route tables apply to the endpoints, the same host route counts after all.
    let with_policy = computed(&hub("RouteTableEnabled", routes));
    assert_eq!(sends(table(&with_policy, "hub/GatewaySubnet"), "10.13.77.4"), firewall);
    assert_eq!(sends(table(&with_policy, "hub/GatewaySubnet"), "10.13.77.6"), "InterfaceEndpoint");
}

#[test]
fn neither_a_policy_nor_a_route_alone_is_enough() {
    let route = "route r 10.13.77.0/24 VirtualAppliance 10.13.76.68";
    for (policy, route, want) in [
        ("Disabled", route, "InterfaceEndpoint"),
        ("Nsg", route, "InterfaceEndpoint"),
        ("RouteTableEnabled", "", "InterfaceEndpoint"),
        ("Enabled", route, "VirtualAppliance 10.13.76.68"),
        ("Enabled", "route r 10.13.77.0/24 None", "None"),
        ("Enabled", "route r 0.0.0.0/0 VirtualAppliance 10.13.76.68", "InterfaceEndpoint"),
    ] {
        let computed = computed(&hub(policy, route));
        assert_eq!(sends(table(&computed, "hub/vm"), "10.13.77.6"), want, "{policy} {route}");
    }
}

#[test]
fn the_length_is_measured_against_the_prefix_that_holds_the_endpoint() {
    for (prefix, want) in [
        ("10.6.0.0/24", "VirtualAppliance 10.1.0.9"),
        ("10.6.0.0/25", "VirtualAppliance 10.1.0.9"),
        ("10.6.0.0/23", "InterfaceEndpoint"),
        ("10.5.0.0/16", "InterfaceEndpoint"),
    ] {
        let computed = computed(&format!(
            "vnet a 10.1.0.0/16\nvnet b 10.5.0.0/16,10.6.0.0/24\npeer a b\npeer b a
             rt r\nroute r {prefix} VirtualAppliance 10.1.0.9
             subnet a/s 10.1.0.0/24 rt=r\nsubnet b/pe 10.6.0.0/28 policy=Enabled
             pe sql b/pe 10.6.0.4"
        ));
        assert_eq!(sends(table(&computed, "a/s"), "10.6.0.4"), want, "{prefix}");
    }
}

#[test]
fn a_route_inside_the_endpoints_own_vnet_counts_against_the_vnets_prefix() {
    for (prefix, want) in [
        ("10.5.2.0/24", "VirtualAppliance 10.5.9.9"),
        ("10.5.0.0/16", "VirtualAppliance 10.5.9.9"),
        ("10.0.0.0/8", "InterfaceEndpoint"),
    ] {
        let computed = computed(&format!(
            "vnet a 10.5.0.0/16\nrt r\nroute r {prefix} VirtualAppliance 10.5.9.9
             subnet a/s 10.5.1.0/24 rt=r\nsubnet a/pe 10.5.2.0/24 policy=Enabled
             pe sql a/pe 10.5.2.4"
        ));
        assert_eq!(sends(table(&computed, "a/s"), "10.5.2.4"), want, "{prefix}");
    }
}

#[test]
fn host_routes_reach_direct_peers_and_no_further() {
    let computed = computed(
        "vnet a 10.1.0.0/16\nvnet b 10.2.0.0/16\nvnet c 10.3.0.0/16
         subnet a/pe 10.1.0.0/24\nsubnet b/s 10.2.0.0/24\nsubnet c/s 10.3.0.0/24
         peer a b\npeer b a\npeer b c\npeer c b\npe sql a/pe 10.1.0.4\npe new a/pe 10.1.0.5 pending",
    );
    assert_eq!(sends(table(&computed, "a/pe"), "10.1.0.4"), "InterfaceEndpoint");
    assert_eq!(sends(table(&computed, "b/s"), "10.1.0.4"), "InterfaceEndpoint");
    assert_eq!(sends(table(&computed, "b/s"), "10.1.0.5"), "VNetPeering");
    assert_eq!(sends(table(&computed, "c/s"), "10.1.0.4"), "None");
}
