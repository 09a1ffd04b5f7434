//! Findings about resources and single tables.

use super::*;
use crate::azure::resources::ConflictingExports;
use crate::azure::{ServiceEndpointPriority, SystemNoneProfile};
use crate::routing::Severity;

/// The codes of a plan's findings, those of one table included, sorted.
fn codes(text: &str, id: &str) -> Vec<&'static str> {
    let computed = computed(text);
    let of_table = table(&computed, id).lint(&computed.owners);
    let mut codes: Vec<&str> =
        computed.findings.iter().chain(&of_table).map(|finding| finding.code).collect();
    codes.sort_unstable();
    codes.dedup();
    codes
}

#[test]
fn a_sound_hub_and_spoke_has_no_finding() {
    let text = "vnet hub 10.0.0.0/16\nvnet spoke 10.1.0.0/16
        subnet hub/AzureFirewallSubnet 10.0.1.0/26\nfirewall fw hub/AzureFirewallSubnet 10.0.1.4
        peer hub spoke forwarded\npeer spoke hub forwarded
        rt r\nroute r 0.0.0.0/0 VirtualAppliance 10.0.1.4\nsubnet spoke/s 10.1.0.0/24 rt=r";
    assert_eq!(codes(text, "spoke/s"), [] as [&str; 0]);
}

#[test]
fn each_fault_has_its_code() {
    let base = "vnet hub 10.0.0.0/16\nvnet spoke 10.1.0.0/16\nsubnet hub/GatewaySubnet 10.0.0.0/27
        subnet hub/AzureFirewallSubnet 10.0.1.0/26\nfirewall fw hub/AzureFirewallSubnet 10.0.1.4";
    let peers = "peer hub spoke transit forwarded\npeer spoke hub remote forwarded";
    let vpn = "vpn gw hub public=20.0.0.1";
    let subnet = "subnet spoke/s 10.1.0.0/24 rt=r";
    for (lines, code) in [
        (format!("{peers}\n{vpn}\nrt r\nroute r 10.9.0.0/16 None\n{subnet}"), "black_hole"),
        (
            format!("{peers}\n{vpn}\nrt r\nroute r 10.9.0.0/16 VnetLocal\n{subnet}"),
            "vnet_local_outside_vnet",
        ),
        (
            format!("{peers}\n{vpn}\nrt r\nroute r 10.0.0.0/8 VirtualAppliance 10.0.1.4\n{subnet}"),
            "longer_prefix_beats_udr",
        ),
        (
            format!("{peers}\n{vpn}\nrt r\nroute r 10.0.0.0/16 VirtualAppliance 10.0.1.4\n{subnet}"),
            "shadowed_by_invalid_twin",
        ),
        (
            format!("{peers}\n{vpn}\nrt r\nroute r fd00::/48 VirtualNetworkGateway\n{subnet}"),
            "ipv6_gateway_next_hop",
        ),
        (
            format!(
                "peer hub spoke transit\npeer spoke hub remote\n{vpn}\nrt r
                 route r 10.2.0.0/16 VirtualNetworkGateway\n{subnet}"
            ),
            "forwarded_traffic_not_allowed",
        ),
        (
            format!("peer hub spoke\npeer spoke hub remote\n{vpn}\nrt r\n{subnet}"),
            "gateway_transit_not_allowed",
        ),
        (
            format!("{peers}\n{vpn}\nlng site 192.168.0.0/16\nconnect gw site down\nrt r\n{subnet}"),
            "connection_not_connected",
        ),
        (
            format!("{peers}\n{vpn}\nlng site 192.168.0.0/16\nconnect gw site fastpath\nrt r\n{subnet}"),
            "fastpath",
        ),
        (format!("{peers}\n{vpn}\nsubnet spoke/s 10.1.0.0/24 rt=gone"), "dangling_reference"),
        (
            format!("peer hub spoke\npeer spoke hub state=Initiated\nrt r\n{subnet}"),
            "peering_not_connected",
        ),
        ("peer spoke elsewhere synced=10.9.0.0/16\nsubnet spoke/s 10.1.0.0/24".to_owned(),
            "remote_network_not_in_snapshot"),
        (
            format!("{peers}\nrt r\nroute r 0.0.0.0/0 VirtualAppliance 10.0.1.4
                     subnet spoke/s 10.1.0.0/24 rt=r se=Microsoft.Sql"),
            "service_endpoint_bypass",
        ),
        (
            format!("{peers}\nrt r\nroute r 40.79.154.0/24 VirtualAppliance 10.0.1.4
                     subnet spoke/s 10.1.0.0/24 rt=r se=Microsoft.Sql"),
            "ambiguous_service_endpoint",
        ),
        (
            format!("{peers}\nrt r\nroute r 10.1.0.0/16 VirtualAppliance 10.0.1.4\n{subnet}
                     subnet spoke/pe 10.1.9.0/24\npe sql spoke/pe 10.1.9.4"),
            "private_endpoint_bypass",
        ),
        (
            format!("{peers}\nsubnet spoke/s 10.1.0.0/24 delegated\nsite shop spoke/s\nsubnet spoke/i 10.1.1.0/28
                     site shop2 spoke/i"),
            "integration_subnet_size",
        ),
        (
            format!("{peers}\nsubnet spoke/s 10.1.0.0/24\nsite a spoke/s\nsite b spoke/s route-all"),
            "route_all_differs",
        ),
        (
            format!("{peers}\nrt r\nroute r 0.0.0.0/0 VirtualAppliance 10.0.1.4\n{subnet}
                     app-gateway agw spoke/s v2"),
            "unsupported_combination",
        ),
        (
            format!("{peers}\nsubnet spoke/s 10.1.0.0/24\ner er1 hub\ngateway-site shop hub"),
            "unsupported_combination",
        ),
        (
            format!("peer hub spoke\npeer spoke hub\n{vpn}\nsubnet spoke/s 10.1.0.0/24
                     gateway-site shop hub"),
            "gateway_transit_not_allowed",
        ),
        (
            format!("{peers}\nrt r\nroute r 10.9.0.0/16 VirtualAppliance\n{subnet}"),
            "missing_next_hop",
        ),
    ] {
        let found = codes(&format!("{base}\n{lines}"), "spoke/s");
        assert!(found.contains(&code), "{code}: {found:?} in {lines}");
    }
}

/// Without Microsoft's file the routes of a tag and the prefixes of a service endpoint are said to
/// be unknown, once for each, and never guessed.
#[test]
fn a_service_tag_of_unknown_prefixes_is_named_for_routes_and_for_service_endpoints() {
    let computed = computed(
        "vnet a 10.1.0.0/16\nrt r\nroute r EventHub Internet
         subnet a/s 10.1.0.0/24 rt=r se=Microsoft.KeyVault",
    );
    let findings = table(&computed, "a/s").lint(&computed.owners);
    let unresolved: Vec<_> =
        findings.iter().filter(|finding| finding.code == "unresolved_service_tag").collect();
    assert!(unresolved.iter().all(|finding| finding.severity == Severity::Warning));
    assert!(unresolved.iter().all(|finding| finding.address_prefix.is_none()));
    let names =
        |tag: &str| unresolved.iter().filter(|found| found.message.starts_with(tag)).count();
    assert_eq!((names("EventHub "), names("AzureKeyVault")), (1, 1), "{unresolved:?}");
    assert_eq!(unresolved.len(), 2);
}

/// A name matches in any case; what matches nothing is said once for all its routes.
#[test]
fn learned_routes_of_a_gateway_that_is_not_there_are_named_and_not_lost_without_a_word() {
    let base = "vnet hub 10.0.0.0/16\nsubnet hub/GatewaySubnet 10.0.0.0/27
        vpn gw hub public=20.0.0.1\nlearned";
    let of = |name: &str| {
        codes(
            &format!("{base} {name} 10.5.0.0/16 10.9.9.9\nlearned {name} 10.6.0.0/16 10.9.9.9"),
            "hub/GatewaySubnet",
        )
    };
    assert_eq!(of("gw"), [] as [&str; 0]);
    assert_eq!(of("GW"), [] as [&str; 0]);
    let text = format!("{base} routes 10.5.0.0/16 10.9.9.9\nlearned routes 10.6.0.0/16 10.9.9.9");
    let found = computed(&text).findings;
    let found: Vec<_> = found.iter().map(|finding| (finding.code, finding.severity)).collect();
    assert_eq!(found, [("dangling_reference", Severity::Warning)]);
}

/// Azure keeps the VNet of a virtual hub to itself, so that every spoke of a virtual WAN lacks it.
#[test]
fn the_vnet_of_a_virtual_hub_is_not_missed() {
    let of = |synced: &str| {
        let text = format!(
            "wan-hub wh 10.100.0.0/23 fw=10.100.0.132\nvnet spoke 10.1.0.0/16
            peer spoke HV_wh synced={synced}\nsubnet spoke/s 10.1.0.0/24"
        );
        codes(&text, "spoke/s").contains(&"remote_network_not_in_snapshot")
    };
    assert!(!of("10.100.0.0/23"));
    assert!(of("10.102.0.0/23"));
}

#[test]
fn exports_that_contradict_each_other_are_a_warning_about_the_resource() {
    let mut resources = plan("vnet hub 10.0.0.0/16\nsubnet hub/a 10.0.1.0/24");
    let resource = resources.virtual_networks[0].subnets[0].header.id.clone();
    resources.conflicts.push(ConflictingExports {
        resource: resource.clone(),
        field: "route_table",
        files: ["monday/subnets.json".to_owned(), "tuesday/subnets.json".to_owned()],
    });
    let computed = compute(&resources, &ServiceTags::default(), &Settings::default());
    let [finding] = computed.findings.as_slice() else { panic!("{:?}", computed.findings) };
    assert_eq!((finding.code, finding.severity), ("conflicting_exports", Severity::Warning));
    assert_eq!(finding.resource, Some(resource));
    assert!(finding.message.starts_with("monday/subnets.json and tuesday/subnets.json tell"));
}

#[test]
fn a_gateway_subnet_says_what_becomes_of_host_routes_to_endpoints() {
    for (gateway, code) in [
        ("active-active ip=10.0.0.4,10.0.0.5", "gateway_ignores_udr_over_private_endpoint"),
        ("public=20.0.0.1", "gateway_private_endpoint_udr_unverified"),
    ] {
        let found = codes(
            &format!(
                "vnet hub 10.0.0.0/16\nrt r\nroute r 10.0.5.4/32 VirtualAppliance 10.0.1.4
                 subnet hub/GatewaySubnet 10.0.0.0/27 rt=r\nsubnet hub/pe 10.0.5.0/24
                 subnet hub/AzureFirewallSubnet 10.0.1.0/26
                 firewall fw hub/AzureFirewallSubnet 10.0.1.4
                 vpn gw hub {gateway}\npe sql hub/pe 10.0.5.4"
            ),
            "hub/GatewaySubnet",
        );
        assert!(found.contains(&code), "{gateway}: {found:?}");
    }
}

#[test]
fn a_route_table_beyond_its_limits_is_named() {
    let routes = |count: u32| -> String {
        (0..count)
            .map(|index| format!("route r 10.{}.{}.0/24 None\n", index / 256, index % 256))
            .collect()
    };
    let has = |count: u32| {
        let text =
            format!("vnet a 192.168.0.0/16\nrt r\n{}subnet a/s 192.168.0.0/24 rt=r", routes(count));
        computed(&text).findings.iter().any(|finding| finding.code == "route_table_limit")
    };
    assert_eq!((has(400), has(401)), (false, true));
}

#[test]
fn using_a_switch_is_a_note() {
    let settings = Settings {
        service_endpoint_priority: ServiceEndpointPriority::Absolute,
        system_none_profile: SystemNoneProfile::Observed2022,
        ..Settings::default()
    };
    let computed = computed_with("vnet a 10.1.0.0/16", &settings);
    let codes: Vec<(&str, Severity)> =
        computed.findings.iter().map(|finding| (finding.code, finding.severity)).collect();
    assert_eq!(
        codes,
        [("service_endpoint_priority", Severity::Note), ("system_none_profile", Severity::Note)]
    );
}

#[test]
fn a_trimmed_export_is_told_by_its_missing_rows_to_none() {
    let export = |text: &str| {
        let table = crate::routing::testing::rows(text);
        let findings = table.lint(&Owners::default());
        findings.iter().any(|finding| finding.code == "default_none_rows_missing")
    };
    let trimmed = "Default Active 10.0.0.0/16 VnetLocal\nDefault Active 0.0.0.0/0 Internet";
    assert!(export(trimmed));
    assert!(!export(&format!("{trimmed}\nDefault Active 10.0.0.0/8 None")));
    assert!(!export(
        "Default Active 10.0.0.0/16 VnetLocal\nUser Active 0.0.0.0/0 VirtualAppliance 10.0.0.4"
    ));
}
