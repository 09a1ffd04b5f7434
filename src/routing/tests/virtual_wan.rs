//! The worked tables of a secured virtual hub with an application gateway and its backends.

use super::*;

const FIREWALL: &str = "VirtualNetworkGateway 10.100.0.132";
const TO_FIREWALL: &str = "VirtualAppliance 10.100.0.132";

fn one_vnet(gateway_routes: &str, backend_routes: &str) -> Computed {
    computed(&format!(
        "wan-hub wh 10.100.0.0/23 fw=10.100.0.132
         vnet s1 10.2.0.0/16
         rt rt-appgw\n{gateway_routes}\nrt rt-be\n{backend_routes}
         subnet s1/appgw 10.2.1.0/24 rt=rt-appgw
         subnet s1/be 10.2.0.0/24 rt=rt-be
         subnet s1/misc 10.2.2.0/24
         attach wh s1\nintent wh internet private\nbranch wh 192.168.50.0/24"
    ))
}

const GATEWAY_DEFAULT: &str = "route rt-appgw 0.0.0.0/0 Internet";
const GATEWAY_TO_BACKENDS: &str = "route rt-appgw 10.2.0.0/24 VirtualAppliance 10.100.0.132";
const BACKEND: &str = "route rt-be 10.2.1.0/24 VirtualAppliance 10.100.0.132";

fn worked() -> Computed {
    one_vnet(&format!("{GATEWAY_DEFAULT}\n{GATEWAY_TO_BACKENDS}"), BACKEND)
}

#[test]
fn the_worked_tables_of_one_vnet_come_out_row_for_row() {
    let computed = worked();
    let common = "Default Active 10.2.0.0/16 VnetLocal
        Default Active 10.100.0.0/23 VNetPeering
        VirtualNetworkGateway Active 10.0.0.0/8 VirtualNetworkGateway 10.100.0.132
        VirtualNetworkGateway Active 172.16.0.0/12 VirtualNetworkGateway 10.100.0.132
        VirtualNetworkGateway Active 192.168.0.0/16 VirtualNetworkGateway 10.100.0.132";
    let hub_default = "VirtualNetworkGateway Active 0.0.0.0/0 VirtualNetworkGateway 10.100.0.132";
    for (id, own) in [
        (
            "s1/appgw",
            "VirtualNetworkGateway Invalid 0.0.0.0/0 VirtualNetworkGateway 10.100.0.132
             User Active 0.0.0.0/0 Internet
             User Active 10.2.0.0/24 VirtualAppliance 10.100.0.132
             Default Active 100.64.0.0/10 None"
                .to_owned(),
        ),
        ("s1/be", format!("{hub_default}\nUser Active 10.2.1.0/24 VirtualAppliance 10.100.0.132")),
        ("s1/misc", hub_default.to_owned()),
    ] {
        assert_eq!(shown(table(&computed, id)), lines(&format!("{common}\n{own}")), "{id}");
    }
}

#[test]
fn the_worked_flows_of_one_vnet_go_where_they_should() {
    let computed = worked();
    for (id, destination, want) in [
        ("s1/appgw", "10.2.0.10", TO_FIREWALL),
        ("s1/be", "10.2.1.5", TO_FIREWALL),
        ("s1/appgw", "203.0.113.9", "Internet"),
        ("s1/appgw", "192.168.50.5", FIREWALL),
        ("s1/be", "203.0.113.9", FIREWALL),
        ("s1/be", "10.2.2.7", "VnetLocal"),
        ("s1/misc", "10.2.1.5", "VnetLocal"),
        ("s1/misc", "10.2.0.10", "VnetLocal"),
        ("s1/appgw", "10.2.1.6", "VnetLocal"),
        ("wh/hub-gateways", "10.2.0.10", TO_FIREWALL),
        ("wh/hub-firewall", "10.2.0.10", "VNetPeering"),
        ("wh/hub-firewall", "192.168.50.5", "VirtualNetworkGateway"),
        ("wh/hub-firewall", "203.0.113.9", "Internet"),
    ] {
        assert_eq!(sends(table(&computed, id), destination), want, "{id} {destination}");
    }
}

#[test]
fn the_worked_faults_of_one_vnet_show() {
    let both = format!("{GATEWAY_DEFAULT}\n{GATEWAY_TO_BACKENDS}");
    let whole = "route rt-appgw 10.2.0.0/16 VirtualAppliance 10.100.0.132";
    for (gateway, backend, id, destination, want) in [
        // The backends' route is missing: the way back is direct.
        (both.as_str(), "", "s1/be", "10.2.1.5", "VnetLocal"),
        // The gateway's is.
        (GATEWAY_DEFAULT, BACKEND, "s1/appgw", "10.2.0.10", "VnetLocal"),
        // Its default is: answers to the Internet pass the firewall.
        (GATEWAY_TO_BACKENDS, BACKEND, "s1/appgw", "203.0.113.9", FIREWALL),
        // A route for the whole VNet captures the gateway's own instances.
        (whole, BACKEND, "s1/appgw", "10.2.1.6", TO_FIREWALL),
    ] {
        let computed = one_vnet(gateway, backend);
        assert_eq!(sends(table(&computed, id), destination), want, "{id} {destination}");
    }
    let plan = format!("{both}\n").replace("rt rt-appgw", "");
    let off = computed(&format!(
        "wan-hub wh 10.100.0.0/23 fw=10.100.0.132\nvnet s1 10.2.0.0/16
         rt rt-appgw no-propagation\n{plan}\nsubnet s1/appgw 10.2.1.0/24 rt=rt-appgw
         attach wh s1\nintent wh internet private\nbranch wh 192.168.50.0/24"
    ));
    assert_eq!(sends(table(&off, "s1/appgw"), "192.168.50.5"), "None");
}

fn two_vnets(extra: &str) -> Computed {
    computed(&format!(
        "wan-hub wh 10.100.0.0/23 fw=10.100.0.132
         vnet a 10.3.0.0/16\nvnet b 10.2.0.0/16,198.51.100.0/24
         rt r\nroute r 0.0.0.0/0 Internet
         subnet a/appgw 10.3.1.0/24 rt=r\nsubnet b/be 10.2.0.0/24 policy=Disabled
         pe sql b/be 10.2.0.9
         attach wh a\nattach wh b\n{extra}"
    ))
}

#[test]
fn the_worked_flows_of_two_vnets_go_where_they_should() {
    let computed = two_vnets("intent wh internet private");
    for (id, destination, want) in [
        ("a/appgw", "10.2.0.10", FIREWALL),
        ("b/be", "10.3.1.5", FIREWALL),
        ("a/appgw", "203.0.113.9", "Internet"),
        ("b/be", "203.0.113.9", FIREWALL),
        ("a/appgw", "10.3.1.6", "VnetLocal"),
        // An endpoint in the other VNet plumbs no host route here.
        ("a/appgw", "10.2.0.9", FIREWALL),
        // Space that no private prefix covers.
        ("a/appgw", "198.51.100.4", "Internet"),
        ("b/be", "198.51.100.4", "VnetLocal"),
    ] {
        assert_eq!(sends(table(&computed, id), destination), want, "{id} {destination}");
    }
}

#[test]
fn a_direct_peering_bypasses_the_hub_both_ways() {
    let computed = two_vnets("intent wh internet private\npeer a b\npeer b a");
    assert_eq!(sends(table(&computed, "a/appgw"), "10.2.0.10"), "VNetPeering");
    assert_eq!(sends(table(&computed, "b/be"), "10.3.1.5"), "VNetPeering");
    assert_eq!(sends(table(&computed, "a/appgw"), "10.2.0.9"), "InterfaceEndpoint");
}

#[test]
fn the_default_route_reaches_only_connections_that_ask_for_it() {
    let plan = "wan-hub wh 10.100.0.0/23 fw=10.100.0.132\nvnet a 10.3.0.0/16
                subnet a/s 10.3.1.0/24\nintent wh internet private";
    for (flag, want) in [("", FIREWALL), ("no-internet", "Internet")] {
        let computed = computed(&format!("{plan}\nattach wh a {flag}"));
        assert_eq!(sends(table(&computed, "a/s"), "203.0.113.9"), want, "{flag}");
    }
}

#[test]
fn with_static_routes_what_the_other_side_propagates_decides() {
    let plan = |a: &str, b: &str| {
        two_vnets_with(&format!(
            "attach wh a {a}\nattach wh b {b}
             hub-route wh private_traffic 10.0.0.0/8,172.16.0.0/12,192.168.0.0/16"
        ))
    };
    // Secured on both sides: neither propagates, and both use the aggregate.
    let both = plan("propagate=none", "propagate=none");
    assert_eq!(sends(table(&both, "a/appgw"), "10.2.0.10"), FIREWALL);
    assert_eq!(sends(table(&both, "b/be"), "10.3.1.5"), FIREWALL);
    // Secured on one side alone: the other is still propagated, so the ways differ.
    let mixed = plan("propagate=none", "propagate=default");
    assert_eq!(sends(table(&mixed, "a/appgw"), "10.2.0.10"), "VirtualNetworkGateway");
    assert_eq!(sends(table(&mixed, "b/be"), "10.3.1.5"), FIREWALL);
}

fn two_vnets_with(connections: &str) -> Computed {
    computed(&format!(
        "wan-hub wh 10.100.0.0/23 fw=10.100.0.132
         vnet a 10.3.0.0/16\nvnet b 10.2.0.0/16
         subnet a/appgw 10.3.1.0/24\nsubnet b/be 10.2.0.0/24\n{connections}"
    ))
}

#[test]
fn a_plain_hub_joins_its_vnets_and_branches_by_their_own_prefixes() {
    let computed = computed(
        "wan-hub wh 10.100.0.0/23\nwan-hub wh2 10.101.0.0/23
         vnet a 10.3.0.0/16\nvnet b 10.2.0.0/16\nvnet c 10.4.0.0/16
         subnet a/s 10.3.1.0/24\nsubnet b/s 10.2.0.0/24
         attach wh a\nattach wh b\nattach wh2 c\nbranch wh 192.168.50.0/24",
    );
    let table = table(&computed, "a/s");
    for (destination, want) in [
        ("10.2.0.10", "VirtualNetworkGateway"),
        ("10.4.0.10", "VirtualNetworkGateway"),
        ("192.168.50.5", "VirtualNetworkGateway"),
        ("10.100.0.5", "VNetPeering"),
        ("10.5.0.1", "None"),
        ("10.3.9.9", "VnetLocal"),
    ] {
        assert_eq!(sends(table, destination), want, "{destination}");
    }
    assert_eq!(sends(super::table(&computed, "wh/hub-gateways"), "10.3.0.1"), "VNetPeering");
}

#[test]
fn on_premises_reaches_an_endpoint_behind_the_hub_past_the_firewall_unless_routes_apply_to_it() {
    for (policy, want) in [("Disabled", "InterfaceEndpoint"), ("RouteTableEnabled", TO_FIREWALL)] {
        let computed = computed(&format!(
            "wan-hub wh 10.100.0.0/23 fw=10.100.0.132\nvnet b 10.2.0.0/16
             subnet b/pe 10.2.0.0/24 policy={policy}\npe sql b/pe 10.2.0.9
             attach wh b\nintent wh private\nbranch wh 192.168.50.0/24"
        ));
        let table = table(&computed, "wh/hub-gateways");
        assert_eq!(sends(table, "10.2.0.9"), want, "{policy}");
        assert_eq!(sends(table, "10.2.0.8"), TO_FIREWALL);
    }
}

#[test]
fn between_two_inspecting_hubs_both_firewalls_are_passed() {
    let computed = computed(
        "wan-hub h1 10.100.0.0/23 fw=10.100.0.132\nwan-hub h2 10.101.0.0/23 fw=10.101.0.132
         vnet a 10.1.0.0/16\nvnet b 10.2.0.0/16\nsubnet a/s 10.1.0.0/24\nsubnet b/s 10.2.0.0/24
         attach h1 a\nattach h2 b\nintent h1 private\nintent h2 private",
    );
    assert_eq!(sends(table(&computed, "a/s"), "10.2.0.9"), FIREWALL);
    assert_eq!(
        sends(table(&computed, "h1/hub-firewall"), "10.2.0.9"),
        "VirtualNetworkGateway 10.101.0.132"
    );
    assert_eq!(sends(table(&computed, "h2/hub-firewall"), "10.2.0.9"), "VNetPeering");
}
