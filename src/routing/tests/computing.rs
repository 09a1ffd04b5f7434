//! One rule a case: system routes, peerings, gateways, user-defined routes, service endpoints.

use super::*;
use crate::azure::{ServiceEndpointPriority, SystemNoneProfile};

/// A plan, a table, and where it sends addresses.
type Case = (&'static str, &'static str, &'static [(&'static str, &'static str)]);

fn check(cases: &[Case]) {
    for (text, id, probes) in cases {
        let computed = computed(text);
        for (destination, want) in *probes {
            assert_eq!(sends(table(&computed, id), destination), *want, "{destination} in {text}");
        }
    }
}

#[test]
fn an_address_space_equal_to_or_around_a_reserved_block_takes_its_place() {
    let equal = computed("vnet a 10.0.0.0/8\nsubnet a/s 10.0.0.0/24");
    assert_eq!(
        shown(table(&equal, "a/s")),
        lines(
            "Default Active 10.0.0.0/8 VnetLocal
             Default Active 0.0.0.0/0 Internet
             Default Active 172.16.0.0/12 None
             Default Active 192.168.0.0/16 None
             Default Active 100.64.0.0/10 None"
        )
    );
    let around = computed("vnet a 10.0.0.0/7\nsubnet a/s 10.0.0.0/24");
    assert_eq!(
        reason_of(table(&around, "a/s"), "Default 10.0.0.0/8"),
        ("Absent".to_owned(), Some("inside_address_space"))
    );
    assert_eq!(sends(table(&around, "a/s"), "10.9.9.9"), "VnetLocal");
    assert_eq!(sends(table(&around, "a/s"), "172.16.0.1"), "None");
}

#[test]
fn an_address_space_inside_a_reserved_block_leaves_it() {
    check(&[(
        "vnet a 10.1.0.0/16\nsubnet a/s 10.1.0.0/24",
        "a/s",
        &[
            ("10.1.255.255", "VnetLocal"),
            ("10.2.0.0", "None"),
            ("10.0.255.255", "None"),
            ("9.255.255.255", "Internet"),
        ],
    )]);
}

#[test]
fn the_reserved_blocks_follow_the_profile() {
    let plan = "vnet a 10.1.0.0/16\nsubnet a/s 10.1.0.0/24";
    for (profile, none_count, address, want) in [
        (SystemNoneProfile::Documented, 4, "198.18.5.5", "Internet"),
        (SystemNoneProfile::Observed2021, 5, "172.16.0.1", "Internet"),
        (SystemNoneProfile::Observed2022, 17, "198.18.5.5", "None"),
    ] {
        let settings = Settings { system_none_profile: profile, ..Settings::default() };
        let computed = computed_with(plan, &settings);
        let table = table(&computed, "a/s");
        let nones = shown(table).iter().filter(|row| row.ends_with(" None")).count();
        assert_eq!((nones, sends(table, address).as_str()), (none_count, want), "{profile:?}");
    }
}

const PEERED: &str = "
    vnet a 10.1.0.0/16
    vnet b 10.4.0.0/16
    subnet b/s 10.4.0.0/24
    peer a b
    peer b a
    subnet a/GatewaySubnet 10.1.255.0/27
    vpn gw a public=20.0.0.1
";

#[test]
fn gateway_routes_inside_a_vnet_or_peering_prefix_are_not_used() {
    let plan = format!(
        "{PEERED}
         subnet a/s 10.1.0.0/24
         learned gw 10.1.5.0/24 10.9.0.1
         learned gw 10.4.7.0/24 10.9.0.1
         learned gw 10.4.0.0/16 10.9.0.1
         learned gw 10.5.0.0/16 10.9.0.1"
    );
    let computed = computed(&plan);
    let table = table(&computed, "a/s");
    for (destination, want) in [
        ("10.1.5.9", "VnetLocal"),
        ("10.4.7.1", "VNetPeering"),
        ("10.4.9.1", "VNetPeering"),
        ("10.5.0.1", "VirtualNetworkGateway 20.0.0.1"),
    ] {
        assert_eq!(sends(table, destination), want, "{destination}");
    }
    assert_eq!(
        reason_of(table, "VirtualNetworkGateway 10.4.7.0/24"),
        ("Invalid".to_owned(), Some("system_preferred_over_bgp"))
    );
}

#[test]
fn a_user_route_wins_over_the_peering_that_kept_the_gateway_route_out() {
    let plan = format!(
        "{PEERED}
         rt r
         route r 10.4.7.0/24 VirtualAppliance 10.1.0.9
         subnet a/s 10.1.0.0/24 rt=r
         learned gw 10.4.7.0/24 10.9.0.1"
    );
    let computed = computed(&plan);
    let table = table(&computed, "a/s");
    assert_eq!(sends(table, "10.4.7.1"), "VirtualAppliance 10.1.0.9");
    assert_eq!(
        reason_of(table, "VirtualNetworkGateway 10.4.7.0/24").1,
        Some("system_preferred_over_bgp")
    );
}

#[test]
fn a_gateway_route_replaces_the_reserved_block_of_the_same_prefix() {
    let plan = format!("{PEERED}\nsubnet a/s 10.1.0.0/24\nlearned gw 10.0.0.0/8 10.9.0.1");
    let computed = computed(&plan);
    let table = table(&computed, "a/s");
    assert_eq!(sends(table, "10.200.0.1"), "VirtualNetworkGateway 20.0.0.1");
    assert_eq!(sends(table, "10.1.0.9"), "VnetLocal");
    assert_eq!(
        reason_of(table, "Default 10.0.0.0/8"),
        ("Absent".to_owned(), Some("source_priority"))
    );
}

#[test]
fn a_service_endpoint_serves_its_own_subnet_and_wins_over_the_gateway() {
    check(&[
        (
            "vnet a 10.1.0.0/16
             subnet a/s 10.1.0.0/24 se=Microsoft.Storage
             subnet a/t 10.1.1.0/24
             subnet a/GatewaySubnet 10.1.255.0/27
             vpn gw a public=20.0.0.1
             learned gw 20.60.0.0/24 10.9.0.1
             learned gw 20.60.0.0/25 10.9.0.1",
            "a/s",
            &[
                ("20.60.0.7", "VirtualNetworkServiceEndpoint"),
                ("20.61.0.255", "VirtualNetworkServiceEndpoint"),
                ("20.61.1.0", "Internet"),
            ],
        ),
        (
            "vnet a 10.1.0.0/16
             subnet a/s 10.1.0.0/24 se=Microsoft.Storage
             subnet a/t 10.1.1.0/24",
            "a/t",
            &[("20.60.0.7", "Internet")],
        ),
    ]);
}

#[test]
fn a_service_endpoint_of_unknown_prefixes_leaves_internet_addresses_unknown() {
    let computed = computed("vnet a 10.1.0.0/16\nsubnet a/s 10.1.0.0/24 se=Microsoft.KeyVault");
    let explain =
        |ip: &str| table(&computed, "a/s").explain(&Owners::default(), ip.parse().unwrap()).reason;
    assert_eq!(explain("8.8.8.8"), "unresolved_service_tag");
    assert_eq!(explain("10.9.0.1"), "longest_prefix");
}

#[test]
fn a_service_endpoint_wins_over_a_user_route_at_its_prefix_and_with_absolute_inside_it() {
    let plan = "
        vnet a 10.1.0.0/16
        rt r
        route r 40.79.154.0/24 VirtualAppliance 10.1.0.9
        route r 40.79.154.128/25 VirtualAppliance 10.1.0.9
        route r 0.0.0.0/0 VirtualAppliance 10.1.0.9
        subnet a/s 10.1.0.0/24 rt=r se=Microsoft.Sql";
    let sql = "VirtualNetworkServiceEndpoint";
    for (service_endpoint_priority, upper_half) in [
        (ServiceEndpointPriority::Lpm, "VirtualAppliance 10.1.0.9"),
        (ServiceEndpointPriority::Absolute, sql),
    ] {
        let settings = Settings { service_endpoint_priority, ..Settings::default() };
        let computed = computed_with(plan, &settings);
        let table = table(&computed, "a/s");
        assert_eq!(sends(table, "40.79.154.87"), sql);
        assert_eq!(sends(table, "40.79.154.200"), upper_half);
        assert_eq!(
            reason_of(table, "User 40.79.154.0/24"),
            ("Invalid".to_owned(), Some("service_endpoint_preferred"))
        );
    }
}

#[test]
fn of_routes_at_one_prefix_the_explicit_wins_then_the_regional_tag() {
    let route =
        |lines: &str| format!("vnet a 10.1.0.0/16\nrt r\n{lines}\nsubnet a/s 10.1.0.0/24 rt=r");
    let all = "route r Storage VirtualAppliance 10.1.0.1
               route r Storage.EastUS VirtualAppliance 10.1.0.2
               route r 20.60.0.0/24 VirtualAppliance 10.1.0.3";
    let without_explicit = "route r Storage VirtualAppliance 10.1.0.1
                            route r Storage.EastUS VirtualAppliance 10.1.0.2";
    for (lines, in_region, elsewhere) in [
        (all, "VirtualAppliance 10.1.0.3", "VirtualAppliance 10.1.0.1"),
        (without_explicit, "VirtualAppliance 10.1.0.2", "VirtualAppliance 10.1.0.1"),
    ] {
        let computed = computed(&route(lines));
        assert_eq!(sends(table(&computed, "a/s"), "20.60.0.7"), in_region);
        assert_eq!(sends(table(&computed, "a/s"), "20.61.0.7"), elsewhere);
    }
    let computed = computed(&route("route r Nowhere VirtualAppliance 10.1.0.1"));
    let explanation =
        table(&computed, "a/s").explain(&Owners::default(), "8.8.8.8".parse().unwrap());
    assert_eq!(explanation.reason, "unresolved_service_tag");
}

#[test]
fn the_reserved_blocks_follow_the_default_route_that_wins() {
    let to_appliance = "VirtualAppliance 10.1.0.9";
    for (routes, unallocated) in [
        ("", "None"),
        ("route r 0.0.0.0/0 VirtualAppliance 10.1.0.9", to_appliance),
        ("route r 0.0.0.0/0 Internet", "None"),
        ("route r 0.0.0.0/0 None", "None"),
        ("route r 0.0.0.0/0 VirtualNetworkGateway", "VirtualNetworkGateway"),
        ("learned gw 0.0.0.0/0 10.9.0.1", "VirtualNetworkGateway 20.0.0.1"),
        ("route r 0.0.0.0/0 Internet\nlearned gw 0.0.0.0/0 10.9.0.1", "None"),
        (
            "route r 0.0.0.0/0 VirtualAppliance 10.1.0.9\nlearned gw 0.0.0.0/0 10.9.0.1",
            to_appliance,
        ),
    ] {
        let computed = computed(&format!("{PEERED}\nrt r\n{routes}\nsubnet a/s 10.1.0.0/24 rt=r"));
        assert_eq!(sends(table(&computed, "a/s"), "172.20.1.1"), unallocated, "{routes}");
    }
}

#[test]
fn a_gateways_default_hides_the_systems_and_loses_visibly_to_the_users() {
    let computed = computed(&format!(
        "{PEERED}\nrt r\nroute r 0.0.0.0/0 Internet\nlearned gw 0.0.0.0/0 10.9.0.1
         subnet a/s 10.1.0.0/24 rt=r\nsubnet a/t 10.1.1.0/24"
    ));
    let (with_user, without) = (table(&computed, "a/s"), table(&computed, "a/t"));
    let absent = ("Absent".to_owned(), Some("source_priority"));
    assert_eq!(reason_of(with_user, "Default 0.0.0.0/0"), absent);
    assert_eq!(reason_of(without, "Default 0.0.0.0/0"), absent);
    assert_eq!(
        reason_of(with_user, "VirtualNetworkGateway 0.0.0.0/0"),
        ("Invalid".to_owned(), Some("source_priority"))
    );
    assert_eq!(sends(with_user, "8.8.8.8"), "Internet");
    assert_eq!(sends(without, "8.8.8.8"), "VirtualNetworkGateway 20.0.0.1");
    assert_eq!(
        reason_of(without, "Default 10.0.0.0/8"),
        ("Absent".to_owned(), Some("default_route_overridden"))
    );
}

#[test]
fn a_user_route_at_the_prefix_of_a_reserved_block_hides_it_and_of_a_peering_invalidates_it() {
    let computed = computed(&format!(
        "{PEERED}\nrt r
         route r 10.0.0.0/8 VirtualAppliance 10.1.0.9
         route r 10.4.0.0/16 VirtualAppliance 10.1.0.9
         subnet a/s 10.1.0.0/24 rt=r"
    ));
    let table = table(&computed, "a/s");
    assert_eq!(
        reason_of(table, "Default 10.0.0.0/8"),
        ("Absent".to_owned(), Some("source_priority"))
    );
    assert_eq!(
        reason_of(table, "Default 10.4.0.0/16"),
        ("Invalid".to_owned(), Some("source_priority"))
    );
    assert_eq!(sends(table, "10.4.0.1"), "VirtualAppliance 10.1.0.9");
    assert_eq!(sends(table, "10.1.0.7"), "VnetLocal");
}

#[test]
fn disabling_peering_routes_lets_a_broader_user_route_through() {
    let plan = |flag: &str| {
        format!(
            "{PEERED}\nrt r {flag}\nroute r 10.0.0.0/8 VirtualAppliance 10.1.0.9
             subnet a/s 10.1.0.0/24 rt=r"
        )
    };
    for (flag, want) in [("", "VNetPeering"), ("no-peering", "VirtualAppliance 10.1.0.9")] {
        assert_eq!(sends(table(&computed(&plan(flag)), "a/s"), "10.4.1.1"), want, "{flag}");
    }
}

const TRANSIT: &str = "
    vnet hub 10.0.0.0/16
    subnet hub/GatewaySubnet 10.0.0.0/27
    vnet spoke1 10.1.0.0/16
    vnet spoke2 10.2.0.0/16
    subnet spoke2/s 10.2.0.0/24
    vpn gw hub public=20.0.0.1
    lng site 192.168.0.0/16
    connect gw site
    peer hub spoke2 transit
    peer spoke2 hub remote
";

#[test]
fn gateway_routes_reach_a_spoke_only_over_transit_and_propagation() {
    for (hub_side, spoke_side, rt, want) in [
        ("transit", "remote", "", "VirtualNetworkGateway 20.0.0.1"),
        ("transit", "remote", "no-propagation", "None"),
        ("", "remote", "", "None"),
        ("transit", "", "", "None"),
    ] {
        let computed = computed(&format!(
            "{TRANSIT}\nrt r {rt}\nsubnet spoke1/s 10.1.0.0/24 rt=r
             peer hub spoke1 {hub_side}\npeer spoke1 hub {spoke_side}"
        ));
        let table = table(&computed, "spoke1/s");
        assert_eq!(sends(table, "192.168.0.10"), want, "{hub_side} {spoke_side} {rt}");
        assert_eq!(sends(table, "10.2.0.4"), "None", "peering is not transitive");
        if rt == "no-propagation" {
            assert_eq!(
                reason_of(table, "VirtualNetworkGateway 192.168.0.0/16"),
                ("Absent".to_owned(), Some("propagation_disabled"))
            );
        }
    }
}

#[test]
fn a_user_route_to_the_gateway_stands_without_an_address_and_never_for_ipv6() {
    let computed = computed(&format!(
        "{TRANSIT}\nrt r\nroute r 10.2.0.0/16 VirtualNetworkGateway
         route r fd00:db8:2::/48 VirtualNetworkGateway
         subnet spoke1/s 10.1.0.0/24 rt=r\npeer hub spoke1 transit\npeer spoke1 hub remote"
    ));
    let table = table(&computed, "spoke1/s");
    assert_eq!(sends(table, "10.2.0.4"), "VirtualNetworkGateway");
    assert_eq!(
        reason_of(table, "User fd00:db8:2::/48"),
        ("Invalid".to_owned(), Some("ipv6_gateway_next_hop"))
    );
    assert_eq!(sends(table, "fd00:db8:2::1"), "no_route");
}

#[test]
fn peerings_bring_rows_only_while_both_sides_are_connected() {
    for (there, back, want) in [
        ("", "peer b a", "VNetPeering"),
        ("state=Initiated", "peer b a", "None"),
        ("", "peer b a state=Disconnected", "None"),
        ("", "", "None"),
    ] {
        let computed = computed(&format!(
            "vnet a 10.1.0.0/16\nsubnet a/s 10.1.0.0/24\nvnet b 10.4.0.0/16
             peer a b {there}\n{back}"
        ));
        assert_eq!(sends(table(&computed, "a/s"), "10.4.0.1"), want, "{there} {back}");
    }
    // The other side is not in the snapshot: what was synchronised counts.
    let lonely =
        computed("vnet a 10.1.0.0/16\nsubnet a/s 10.1.0.0/24\npeer a b synced=10.4.0.0/16");
    assert_eq!(sends(table(&lonely, "a/s"), "10.4.0.1"), "VNetPeering");
}

#[test]
fn a_peering_is_global_where_the_regions_differ() {
    for (region, want) in [("@westeurope", "VNetPeering"), ("@northeurope", "VNetGlobalPeering")] {
        let computed = computed(&format!(
            "vnet a 10.1.0.0/16\nsubnet a/s 10.1.0.0/24\nvnet b 10.4.0.0/16 {region}
             peer a b\npeer b a"
        ));
        assert_eq!(sends(table(&computed, "a/s"), "10.4.0.1"), want);
    }
}

#[test]
fn ipv6_rows_of_peers_come_only_where_the_vnet_has_ipv6() {
    for (own, want, outside) in [
        ("10.1.0.0/16", "no_route", "no_route"),
        ("10.1.0.0/16,fd00:1::/48", "VNetPeering", "Internet"),
    ] {
        let computed = computed(&format!(
            "vnet a {own}\nsubnet a/s 10.1.0.0/24\nvnet b 10.4.0.0/16,fd00:4::/48
             peer a b\npeer b a"
        ));
        assert_eq!(sends(table(&computed, "a/s"), "fd00:4::1"), want);
        assert_eq!(sends(table(&computed, "a/s"), "2001:db8::1"), outside);
    }
}

#[test]
fn a_peering_equal_to_a_reserved_block_replaces_it() {
    let computed = computed(
        "vnet a 10.1.0.0/16\nsubnet a/s 10.1.0.0/24\nvnet b 192.168.0.0/16\npeer a b\npeer b a",
    );
    let table = table(&computed, "a/s");
    assert_eq!(sends(table, "192.168.1.1"), "VNetPeering");
    assert_eq!(shown(table).iter().filter(|row| row.contains("192.168.0.0/16")).count(), 1);
}

#[test]
fn expressroute_is_preferred_to_vpn_at_one_prefix() {
    let computed = computed(
        "vnet a 10.1.0.0/16\nsubnet a/s 10.1.0.0/24\nsubnet a/GatewaySubnet 10.1.255.0/27
         vpn gw a public=20.0.0.1\ner er1 a
         learned gw 172.30.0.0/16 10.9.0.1\nlearned er1 172.30.0.0/16 10.20.88.110
         learned er1 172.30.0.0/16 10.20.88.111\nlearned gw 172.31.0.0/16 10.9.0.1",
    );
    let table = table(&computed, "a/s");
    assert_eq!(sends(table, "172.30.0.1"), "VirtualNetworkGateway 10.20.88.110 10.20.88.111");
    assert_eq!(sends(table, "172.31.0.1"), "VirtualNetworkGateway 20.0.0.1");
}

#[test]
fn a_route_servers_rows_name_the_appliance() {
    let computed = computed(
        "vnet hub 10.1.0.0/16\nsubnet hub/RouteServerSubnet 10.1.1.0/27\nserver rs hub/RouteServerSubnet
         learned rs 0.0.0.0/0 10.1.1.5\nlearned rs 172.22.2.0/24 10.1.1.4
         learned rs 172.22.2.0/24 10.1.1.5
         vnet spoke 10.2.0.0/16\nsubnet spoke/s 10.2.0.0/24
         peer hub spoke transit\npeer spoke hub remote",
    );
    let table = table(&computed, "spoke/s");
    assert_eq!(sends(table, "8.8.8.8"), "VirtualNetworkGateway 10.1.1.5");
    assert_eq!(sends(table, "172.22.2.9"), "VirtualNetworkGateway 10.1.1.4 10.1.1.5");
}

#[test]
fn vnet_to_vnet_connections_bgp_peers_and_client_pools_are_gateway_routes() {
    let computed = computed(
        "vnet a 10.1.0.0/16\nsubnet a/s 10.1.0.0/24\nsubnet a/GatewaySubnet 10.1.255.0/27
         vnet b 10.7.0.0/16\nsubnet b/GatewaySubnet 10.7.255.0/27
         vpn gw1 a public=20.0.0.1 pool=172.16.201.0/24\nvpn gw2 b public=20.0.0.2
         lng site 192.168.0.0/24 peer=10.5.0.254
         join gw1 gw2\nconnect gw1 site bgp down",
    );
    let table = table(&computed, "a/s");
    for destination in ["10.7.0.1", "172.16.201.9", "192.168.0.1", "10.5.0.254"] {
        assert_eq!(sends(table, destination), "VirtualNetworkGateway 20.0.0.1", "{destination}");
    }
    assert_eq!(sends(table, "10.5.0.253"), "None");
}

#[test]
fn tables_are_named_by_the_shortest_unique_form_in_any_case() {
    let mut resources = plan(
        "vnet a 10.1.0.0/16\nsubnet a/s 10.1.0.0/24\nsubnet a/t 10.1.1.0/24\nvnet A 10.2.0.0/16",
    );
    let twin = resources.virtual_networks[0].subnets[0].clone();
    let id = twin.header.id.as_str().replace("/resourceGroups/g/", "/resourceGroups/h/");
    resources.virtual_networks[1].subnets.push(crate::azure::resources::Subnet {
        header: crate::azure::resources::ResourceHeader {
            id: crate::azure::resources::ResourceId::new(id),
            ..twin.header
        },
        ..twin
    });
    let computed = compute(&resources, &ServiceTags::default(), &Settings::default());
    let ids: Vec<&str> = computed.tables.iter().map(|table| table.table.id.as_str()).collect();
    assert_eq!(ids, ["g/a/s", "a/t", "h/A/s"]);
}
