//! Virtual hubs at the edges: several route tables, labels, several hubs and firewalls.

use super::*;
use crate::azure::FirewallSetting;
use crate::azure::resources::{
    HubRoute, HubRouteTable, HubStaticRoute, ResourceHeader, ResourceId, Resources,
};
use crate::net::AddressPrefix;
use crate::routing::{HubTableRole, NextHopClass, ScopeId};

const FIREWALL: &str = "VirtualNetworkGateway 10.100.0.132";

fn compute_of(resources: &Resources) -> Computed {
    compute(resources, &ServiceTags::default(), &Settings::default())
}

/// A route table of the first hub, with one route to its firewall or to something else.
fn hub_table(resources: &Resources, name: &str, labels: &[&str], hop: ResourceId) -> HubRouteTable {
    HubRouteTable {
        header: ResourceHeader {
            id: ResourceId::new(format!("wh/hubRouteTables/{name}")),
            name: name.to_owned(),
            ..ResourceHeader::default()
        },
        hub: resources.virtual_hubs[0].header.id.clone(),
        routes: vec![HubRoute {
            name: "one".to_owned(),
            destinations: vec!["10.0.0.0/8".parse().unwrap()],
            next_hop: hop,
        }],
        labels: labels.iter().map(|label| (*label).to_owned()).collect(),
    }
}

const TWO_VNETS: &str = "wan-hub wh 10.100.0.0/23 fw=10.100.0.132
    vnet a 10.3.0.0/16\nvnet b 10.2.0.0/16\nsubnet a/s 10.3.1.0/24\nsubnet b/s 10.2.0.0/24
    attach wh a propagate=none\nattach wh b propagate=none";

#[test]
fn of_the_routes_of_a_hubs_table_those_to_its_firewall_are_its_policy() {
    for (is_firewall, want) in [(true, FIREWALL), (false, "None")] {
        let mut resources = plan(TWO_VNETS);
        let hop = match is_firewall {
            true => resources.firewalls[0].header.id.clone(),
            false => ResourceId::new("/hubVirtualNetworkConnections/wh-b"),
        };
        let table = hub_table(&resources, "defaultRouteTable", &["default"], hop);
        resources.hub_route_tables.push(table);
        let computed = compute_of(&resources);
        assert_eq!(sends(super::table(&computed, "a/s"), "10.2.0.4"), want);
    }
}

#[test]
fn a_connection_without_a_table_of_its_own_uses_the_default_table_of_its_hub() {
    let mut resources = plan(TWO_VNETS);
    let firewall = resources.firewalls[0].header.id.clone();
    // The other table stands first, and so does the default one of another hub.
    let other = hub_table(&resources, "isolated", &[], firewall.clone());
    let mut of_another_hub = hub_table(&resources, "defaultRouteTable", &[], firewall.clone());
    of_another_hub.hub = ResourceId::new("/virtualHubs/elsewhere");
    of_another_hub.header.id = ResourceId::new("elsewhere/hubRouteTables/defaultRouteTable");
    let mut empty = hub_table(&resources, "empty", &[], firewall);
    empty.routes.clear();
    resources.hub_route_tables.extend([empty, other, of_another_hub]);
    let computed = compute_of(&resources);
    assert_eq!(sends(table(&computed, "a/s"), "10.2.0.4"), "None");
    resources.hub_connections[0].associated_route_table =
        Some(ResourceId::new("wh/hubRouteTables/isolated"));
    let computed = compute_of(&resources);
    assert_eq!(sends(table(&computed, "a/s"), "10.2.0.4"), FIREWALL);
    assert_eq!(sends(table(&computed, "b/s"), "10.2.9.9"), "VnetLocal");
}

#[test]
fn a_label_reaches_the_tables_that_carry_it_and_no_others() {
    const PROPAGATED: &str = "VirtualNetworkGateway";
    for (labels, label, want) in [
        (&["blue"][..], "blue", PROPAGATED),
        (&["blue"], "BLUE", PROPAGATED),
        (&["blue"], "red", "None"),
        // A table that names its labels is reached by those alone.
        (&["blue"], "default", "None"),
        (&["default"], "default", PROPAGATED),
        // The default table of an export without labels has the label of that name.
        (&[], "default", PROPAGATED),
        (&[], "blue", "None"),
    ] {
        let mut resources = plan(
            "wan-hub wh 10.100.0.0/23\nvnet a 10.3.0.0/16\nvnet b 10.2.0.0/16
             subnet a/s 10.3.1.0/24\nattach wh a\nattach wh b",
        );
        let mut table =
            hub_table(&resources, "defaultRouteTable", labels, ResourceId::new("/elsewhere"));
        table.routes.clear();
        resources.hub_route_tables.push(table);
        resources.hub_connections[1].propagated_labels = vec![label.to_owned()];
        let computed = compute_of(&resources);
        let got = sends(super::table(&computed, "a/s"), "10.2.0.4");
        assert_eq!(got, want, "{labels:?} {label}");
    }
}

#[test]
fn a_static_default_route_stays_in_its_hub() {
    let mut resources = plan(
        "wan-hub wh 10.100.0.0/23\nwan-hub wh2 10.101.0.0/23
         vnet a 10.3.0.0/16\nvnet b 10.2.0.0/16\nvnet c 10.4.0.0/16
         subnet a/s 10.3.1.0/24\nsubnet c/s 10.4.1.0/24\nattach wh a\nattach wh b\nattach wh2 c",
    );
    resources.hub_connections[1].static_routes = vec![HubStaticRoute {
        name: "all".to_owned(),
        address_prefixes: ["0.0.0.0/0", "10.9.0.0/16"].map(|one| one.parse().unwrap()).to_vec(),
        next_hop_ip: Some("10.2.0.4".parse().unwrap()),
    }];
    let computed = compute_of(&resources);
    for (id, destination, want) in [
        ("a/s", "203.0.113.9", "VirtualNetworkGateway"),
        ("a/s", "10.9.0.4", "VirtualNetworkGateway"),
        ("c/s", "203.0.113.9", "Internet"),
        ("c/s", "10.9.0.4", "VirtualNetworkGateway"),
    ] {
        assert_eq!(sends(table(&computed, id), destination), want, "{id} {destination}");
    }
}

const THREE_HUBS: &str = "
    wan-hub h1 10.100.0.0/23 fw=10.100.0.132\nwan-hub h2 10.101.0.0/23 fw=10.101.0.132
    wan-hub h3 10.102.0.0/23
    vnet a 10.1.0.0/16\nvnet b 10.2.0.0/16\nsubnet a/s 10.1.0.0/24\nsubnet b/s 10.2.0.0/24
    attach h1 a\nattach h2 b\nintent h1 private\nintent h2 private";

#[test]
fn each_hub_has_a_table_of_its_gateways_and_with_a_firewall_one_of_that() {
    let computed = computed(THREE_HUBS);
    let roles: Vec<(usize, HubTableRole)> =
        computed.hub_tables.iter().map(|table| (table.hub_index, table.role)).collect();
    use HubTableRole::{Firewall, Gateways};
    assert_eq!(roles, [(0, Gateways), (0, Firewall), (1, Gateways), (1, Firewall), (2, Gateways)]);
    for table in &computed.hub_tables {
        for hub in 0..3 {
            let want = table.hub_index == hub && table.role == Gateways;
            assert_eq!(table.is_gateways_of(hub), want, "{} {hub}", table.table.id);
        }
    }
}

#[test]
fn hubs_follow_the_vnets_in_the_numbers_of_networks() {
    let (networks, hubs) = (3, 2);
    let numbers: Vec<ScopeId> = (0..networks)
        .map(ScopeId::of_network)
        .chain((0..hubs).map(|hub| ScopeId::of_hub(networks, hub)))
        .collect();
    assert_eq!(numbers, (0..5).map(ScopeId::of_network).collect::<Vec<_>>());
}

#[test]
fn the_policy_of_a_hub_names_its_own_firewall_beside_those_of_the_settings() {
    let named = |name: &str| FirewallSetting {
        name: name.to_owned(),
        addresses: Vec::new(),
        subnets: Vec::new(),
        subnet_names: Vec::new(),
    };
    for count in 0..4 {
        let settings = Settings {
            firewalls: ["n1", "n2", "n3"][..count].iter().map(|name| named(name)).collect(),
            ..Settings::default()
        };
        let computed = computed_with(THREE_HUBS, &settings);
        for (id, firewall) in [("a/s", "h1-fw"), ("b/s", "h2-fw")] {
            // As an export would show it, with an address that nothing owns.
            let mut exported = crate::routing::testing::rows(
                "VirtualNetworkGateway Active 10.0.0.0/8 VirtualNetworkGateway",
            );
            exported.scope = table(&computed, id).scope;
            let explanation = exported.explain(&computed.owners, "10.9.0.1".parse().unwrap());
            let name = explanation.next_hop.and_then(|hop| hop.name);
            assert_eq!(name.as_deref(), Some(firewall), "{count} {id}");
        }
    }
}

#[test]
fn only_a_gateways_own_row_follows_the_policy_of_the_hub() {
    let computed = computed(
        "wan-hub wh 10.100.0.0/23 fw=10.100.0.132\nvnet a 10.3.0.0/16\nattach wh a
         intent wh private\nrt r\nroute r 10.0.0.0/8 VirtualNetworkGateway
         subnet a/s 10.3.1.0/24 rt=r\nsubnet a/t 10.3.2.0/24",
    );
    let class = |id: &str| {
        table(&computed, id).explain(&computed.owners, "10.9.0.1".parse().unwrap()).class
    };
    assert_eq!(class("a/s"), NextHopClass::Gateway);
    assert_eq!(class("a/t"), NextHopClass::Firewall);
}

#[test]
fn rows_that_win_share_a_hop_unless_the_policy_of_the_hub_tells_them_apart() {
    let computed = computed(THREE_HUBS);
    let text = "VirtualNetworkGateway Active 10.0.0.0/8 VirtualNetworkGateway 40.74.161.110
        VirtualNetworkGateway Active 10.9.0.0/16 VirtualNetworkGateway 40.74.161.110
        User Active 10.7.0.0/16 None\nUser Active 10.8.0.0/16 None";
    let hops = |scope: Option<ScopeId>| {
        let mut exported = crate::routing::testing::rows(text);
        exported.scope = scope;
        let winners = exported.winners(&computed.owners);
        let hop = |prefix: &str| {
            let prefix = prefix.parse().unwrap();
            winners.iter().find(|one| one.prefix == prefix).unwrap().next_hop.clone()
        };
        ["10.0.0.0/8", "10.9.0.0/16", "10.7.0.0/16", "10.8.0.0/16"].map(hop)
    };
    let [policy, other, first, second] = hops(table(&computed, "a/s").scope);
    assert_eq!((policy.class, other.class), (NextHopClass::Firewall, NextHopClass::Gateway));
    // Most rows of a table share a few hops, and are kept once.
    assert!(std::sync::Arc::ptr_eq(&first, &second));
    let [first, second, ..] = hops(None);
    assert_eq!(first.class, NextHopClass::Gateway);
    assert!(std::sync::Arc::ptr_eq(&first, &second));
}

#[test]
fn a_hubs_firewall_is_seen_anywhere_in_an_ipv6_hub_but_at_its_router() {
    let mut resources = plan("wan-hub wh fd00::/120 fw=fd00::4");
    resources.virtual_hubs[0].virtual_router_ips = vec!["fd00::a5".parse().unwrap()];
    let prefixes = compute_of(&resources).owners.firewall_prefixes();
    for last in 0..=0x1ffu16 {
        let address = IpAddr::from([0xfd00, 0, 0, 0, 0, 0, 0, last]);
        let is_firewall = prefixes.iter().any(|prefix| prefix.contains(address));
        assert_eq!(is_firewall, last < 0x100 && last != 0xa5, "{address}");
    }
}

#[test]
fn what_a_hubs_gateways_let_in_leaves_by_the_internet_unless_the_policy_takes_it() {
    for (intent, want) in [
        ("", "Internet"),
        ("intent wh private", "Internet"),
        ("intent wh internet private", "VirtualAppliance 10.100.0.132"),
    ] {
        let computed = computed(&format!("{TWO_VNETS}\n{intent}"));
        let table = table(&computed, "wh/hub-gateways");
        assert_eq!(sends(table, "203.0.113.9"), want, "{intent}");
        let defaults = table.rows().filter(|row| row.prefix() == Some(AddressPrefix::IPV4_ALL));
        assert_eq!(defaults.count(), 1, "{intent}");
    }
}

#[test]
fn hubs_exchange_routes_inside_one_virtual_wan_and_not_between_two() {
    let wan = |name: &str| Some(ResourceId::new(format!("/virtualWans/{name}")));
    for (first, second, want) in [
        (wan("one"), wan("one"), "VirtualNetworkGateway"),
        (wan("one"), wan("two"), "None"),
        (wan("one"), None, "None"),
        (None, None, "None"),
    ] {
        let mut resources = plan(
            "wan-hub wh 10.100.0.0/23\nwan-hub wh2 10.101.0.0/23
             vnet a 10.3.0.0/16\nvnet b 10.2.0.0/16\nvnet c 10.4.0.0/16\nsubnet a/s 10.3.1.0/24
             attach wh a\nattach wh b\nattach wh2 c",
        );
        let told = format!("{first:?} {second:?}");
        resources.virtual_hubs[0].virtual_wan = first;
        resources.virtual_hubs[1].virtual_wan = second;
        let computed = compute_of(&resources);
        assert_eq!(sends(table(&computed, "a/s"), "10.4.0.4"), want, "{told}");
        // Inside the hub nothing depends on it.
        assert_eq!(sends(table(&computed, "a/s"), "10.2.0.4"), "VirtualNetworkGateway", "{told}");
    }
}
