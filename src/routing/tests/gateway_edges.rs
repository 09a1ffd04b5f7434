//! Gateways at the edges: what stands behind a route to one, what comes in by one, and what a
//! gateway's row does beside others.

use super::*;
use crate::routing::{BeyondGateway, NextHopClass};

fn class(computed: &Computed, id: &str, destination: &str) -> NextHopClass {
    table(computed, id).explain(&computed.owners, destination.parse().unwrap()).class
}

#[test]
fn a_gateway_that_is_not_exported_is_unknown_only_where_no_gateway_is() {
    let plan = |subnet: &str, other: &str| {
        computed(&format!(
            "vnet hub 10.0.0.0/16\nsubnet hub/GatewaySubnet 10.0.0.0/27 {subnet}
             vnet b 10.3.0.0/16\nsubnet b/GatewaySubnet 10.3.0.0/27\n{other}
             rt r\nroute r 10.2.0.0/16 VirtualNetworkGateway\nsubnet hub/s 10.0.1.0/24 rt=r"
        ))
    };
    let exported = "vpn gw b public=20.0.0.1";
    for (subnet, other, want) in [
        ("unresolved", "", NextHopClass::Gateway),
        ("unresolved", exported, NextHopClass::Dropped),
        ("", "", NextHopClass::Dropped),
    ] {
        assert_eq!(class(&plan(subnet, other), "hub/s", "10.2.0.4"), want, "{subnet} {other}");
    }
}

#[test]
fn a_gateways_own_row_leads_to_it_where_a_users_would_be_dropped() {
    // ExpressRoute shows no address that a resource tells.
    let by_express_route = computed(
        "vnet hub 10.0.0.0/16\nsubnet hub/GatewaySubnet 10.0.0.0/27\nsubnet hub/s 10.0.1.0/24
         er gw hub\nlng site 192.168.0.0/16\nconnect gw site",
    );
    assert_eq!(class(&by_express_route, "hub/s", "192.168.0.4"), NextHopClass::Gateway);
    // Azure shows a gateway's row only while the gateway stands: the snapshot merely lacks it.
    let without = computed("vnet hub 10.0.0.0/16\nsubnet hub/s 10.0.1.0/24");
    let mut exported = crate::routing::testing::rows(
        "VirtualNetworkGateway Active 192.168.0.0/16 VirtualNetworkGateway
         User Active 10.2.0.0/16 VirtualNetworkGateway",
    );
    exported.scope = table(&without, "hub/s").scope;
    let class = |ip: &str| exported.explain(&without.owners, ip.parse().unwrap()).class;
    assert_eq!(class("192.168.0.4"), NextHopClass::Gateway);
    assert_eq!(class("10.2.0.4"), NextHopClass::Dropped);
}

#[test]
fn what_comes_in_by_a_gateway_is_routed_by_its_own_subnet() {
    let computed = computed(
        "vnet a 10.1.0.0/16\nsubnet a/s 10.1.1.0/24\nvnet hub 10.0.0.0/16\nsubnet hub/s 10.0.1.0/24
         subnet hub/GatewaySubnet 10.0.0.0/27\nvpn gw hub public=20.0.0.1 pool=172.16.0.0/24
         lng site 192.168.0.0/16\nconnect gw site
         learned gw 0.0.0.0/1 10.9.9.9\nlearned gw 128.0.0.0/1 10.9.9.9\nlearned gw 64.0.0.0/2 10.9.9.9
         peer hub a transit\npeer a hub remote",
    );
    let gateway_subnet =
        computed.tables.iter().position(|one| one.table.id == "hub/GatewaySubnet").unwrap();
    let prefixes: Vec<String> = computed
        .on_premises
        .iter()
        .map(|entry| {
            assert_eq!(entry.table, BeyondGateway::Subnet(gateway_subnet));
            assert!(!entry.is_fastpath);
            entry.prefix.to_string()
        })
        .collect();
    // The halves of a default route say nothing about where packets come from.
    assert_eq!(prefixes, ["64.0.0.0/2", "172.16.0.0/24", "192.168.0.0/16"]);
    for one in &computed.tables {
        let id = &one.table.id;
        assert_eq!(one.beyond_gateway, Some(BeyondGateway::Subnet(gateway_subnet)), "{id}");
    }
    let alone = super::computed("vnet a 10.1.0.0/16\nsubnet a/s 10.1.1.0/24");
    assert_eq!(alone.tables[0].beyond_gateway, None);
}

#[test]
fn fastpath_is_told_of_every_prefix_of_its_gateway() {
    for (flag, want) in [("fastpath", true), ("", false)] {
        let computed = computed(&format!(
            "vnet hub 10.0.0.0/16\nsubnet hub/GatewaySubnet 10.0.0.0/27\ner gw hub
             lng site 192.168.0.0/16\nconnect gw site {flag}\nlearned gw 10.5.0.0/16 10.9.9.9"
        ));
        let told: Vec<bool> = computed.on_premises.iter().map(|entry| entry.is_fastpath).collect();
        assert_eq!(told, [want, want], "{flag}");
    }
}

#[test]
fn a_vnet_with_a_gateway_of_its_own_keeps_its_rows_beside_those_it_borrows() {
    let computed = computed(
        "vnet hub 10.0.0.0/16\nsubnet hub/GatewaySubnet 10.0.0.0/27\nvpn gw hub public=20.0.0.1
         learned gw 10.5.0.0/16 10.9.9.9
         vnet a 10.1.0.0/16\nsubnet a/s 10.1.1.0/24\nsubnet a/RouteServerSubnet 10.1.2.0/27
         server rs a/RouteServerSubnet\nlearned rs 10.6.0.0/16 10.1.1.4
         peer hub a transit\npeer a hub remote",
    );
    for (destination, want) in [
        ("10.5.0.4", "VirtualNetworkGateway 20.0.0.1"),
        ("10.6.0.4", "VirtualNetworkGateway 10.1.1.4"),
    ] {
        assert_eq!(sends(table(&computed, "a/s"), destination), want, "{destination}");
    }
}

#[test]
fn an_address_space_that_replaced_a_reserved_block_stays_in_its_place_whatever_the_default() {
    let computed = computed(
        "vnet a 10.0.0.0/8\nsubnet a/GatewaySubnet 10.0.0.0/27\nvpn gw a public=20.0.0.1
         learned gw 0.0.0.0/0 10.9.9.9\nrt r\nroute r 0.0.0.0/0 Internet
         subnet a/s 10.1.0.0/24 rt=r",
    );
    let table = table(&computed, "a/s");
    assert_eq!(sends(table, "10.9.9.9"), "VnetLocal");
    assert!(shown(table).iter().all(|row| row != "Default Active 10.0.0.0/8 None"));
    assert_eq!(reason_of(table, "Default 172.16.0.0/12").0, "Active");
}

/// An endpoint of a peer whose rows a route table keeps out, so that only gateways' rows and
/// reserved blocks stand beside the user's.
#[test]
fn a_longer_route_of_a_gateway_keeps_a_users_from_the_endpoint_and_one_as_long_does_not() {
    for (learned, want) in [
        ("10.4.0.0/15", "VirtualAppliance 10.1.0.9"),
        ("10.5.0.0/16", "VirtualAppliance 10.1.0.9"),
        ("10.5.0.0/17", "InterfaceEndpoint"),
    ] {
        let computed = computed(&format!(
            "vnet a 10.1.0.0/16\nvnet b 10.5.0.0/16\npeer a b\npeer b a
             subnet a/GatewaySubnet 10.1.9.0/27\nvpn gw a public=20.0.0.1
             learned gw {learned} 10.9.9.9
             rt r no-peering\nroute r 10.5.0.0/16 VirtualAppliance 10.1.0.9
             subnet a/s 10.1.0.0/24 rt=r\nsubnet b/pe 10.5.0.0/24 policy=Enabled
             pe sql b/pe 10.5.0.4"
        ));
        assert_eq!(sends(table(&computed, "a/s"), "10.5.0.4"), want, "{learned}");
    }
}

#[test]
fn a_reserved_block_inside_the_peer_keeps_a_shorter_route_from_the_endpoint() {
    for (prefix, want) in [
        ("172.0.0.0/8", "InterfaceEndpoint"),
        ("172.16.0.0/12", "VirtualAppliance 10.1.0.9"),
        ("172.16.0.0/16", "VirtualAppliance 10.1.0.9"),
    ] {
        let computed = computed(&format!(
            "vnet a 10.1.0.0/16\nvnet b 172.0.0.0/8\npeer a b\npeer b a
             rt r\nroute r {prefix} VirtualAppliance 10.1.0.9
             subnet a/s 10.1.0.0/24 rt=r\nsubnet b/pe 172.16.0.0/24 policy=Enabled
             pe sql b/pe 172.16.0.4"
        ));
        assert_eq!(sends(table(&computed, "a/s"), "172.16.0.4"), want, "{prefix}");
    }
}
