//! Faults that are named where they are, and nowhere else.

use super::*;

/// The codes of a plan's resources, one for each finding, sorted.
fn of_resources(text: &str) -> Vec<&'static str> {
    let mut codes: Vec<&str> = computed(text).findings.iter().map(|finding| finding.code).collect();
    codes.sort_unstable();
    codes
}

/// The codes of one table of a plan, one for each finding, sorted.
fn of_table(text: &str, id: &str) -> Vec<&'static str> {
    let computed = computed(text);
    let findings = table(&computed, id).lint(&computed.owners);
    let mut codes: Vec<&str> = findings.iter().map(|finding| finding.code).collect();
    codes.sort_unstable();
    codes
}

fn of_export(text: &str) -> Vec<&'static str> {
    let findings = crate::routing::testing::rows(text).lint(&Owners::default());
    findings.iter().map(|finding| finding.code).collect()
}

#[test]
fn subnets_of_azures_own_services_take_no_route_table_or_not_every_one() {
    for (subnet, table, want) in [
        ("GatewaySubnet", "rt r\nroute r 10.1.0.0/16 None", 0),
        ("GatewaySubnet", "rt r\nroute r 0.0.0.0/0 Internet", 1),
        ("GatewaySubnet", "rt r no-propagation", 1),
        ("GatewaySubnet", "rt r no-propagation\nroute r 0.0.0.0/0 Internet", 2),
        ("RouteServerSubnet", "rt r", 1),
        ("AzureBastionSubnet", "rt r", 1),
        ("apps", "rt r no-propagation\nroute r 0.0.0.0/0 Internet", 0),
    ] {
        let found = of_resources(&format!(
            "vnet a 10.0.0.0/16\n{table}\nsubnet a/{subnet} 10.0.0.0/24 rt=r"
        ));
        assert_eq!(found, vec!["unsupported_combination"; want], "{subnet} {table}");
        let without = format!("vnet a 10.0.0.0/16\n{table}\nsubnet a/{subnet} 10.0.0.0/24");
        assert_eq!(of_resources(&without), [] as [&str; 0], "{subnet}");
    }
}

#[test]
fn one_peering_may_use_remote_gateways_and_only_without_a_gateway_of_the_vnets_own() {
    let base = "vnet a 10.1.0.0/16\nvnet h1 10.2.0.0/16\nvnet h2 10.3.0.0/16
        subnet a/GatewaySubnet 10.1.0.0/27\npeer h1 a transit\npeer h2 a transit";
    let own = "vpn gw a public=20.0.0.1";
    for (peers, gateway, want) in [
        ("peer a h1\npeer a h2", own, 0),
        ("peer a h1 remote\npeer a h2", "", 0),
        ("peer a h1 remote\npeer a h2 remote", "", 1),
        ("peer a h1 remote\npeer a h2", own, 1),
    ] {
        let found = of_resources(&format!("{base}\n{peers}\n{gateway}"));
        assert_eq!(found, vec!["unsupported_combination"; want], "{peers} {gateway}");
    }
}

#[test]
fn a_peer_that_shares_addresses_with_the_vnet_or_with_another_peer_is_named() {
    let base = "vnet a 10.1.0.0/16\nvnet b 10.2.0.0/16\nvnet c 10.2.128.0/17\nvnet d 10.1.4.0/24";
    for (peers, want) in [
        ("peer a b\npeer b a", 0),
        // Once, with the peering that brings the longer prefix.
        ("peer a d\npeer d a", 1),
        ("peer a b\npeer b a\npeer a c\npeer c a", 1),
    ] {
        let found = of_resources(&format!("{base}\n{peers}"));
        assert_eq!(found, vec!["peering_overlap"; want], "{peers}");
    }
}

#[test]
fn a_shared_prefix_takes_no_row_of_the_vnets_own_away() {
    let computed = computed(
        "vnet a 10.1.0.0/16\nvnet b 10.1.0.0/16\nsubnet a/s 10.1.0.0/24\npeer a b\npeer b a",
    );
    let shown = shown(table(&computed, "a/s"));
    for kept in ["Default Active 10.1.0.0/16 VnetLocal", "Default Active 10.1.0.0/16 VNetPeering"] {
        assert!(shown.contains(&kept.to_owned()), "{kept}: {shown:?}");
    }
}

#[test]
fn a_connection_to_what_the_snapshot_does_not_hold_is_named() {
    let base = "vnet a 10.1.0.0/16\nvnet b 10.2.0.0/16\nsubnet a/GatewaySubnet 10.1.0.0/27
        subnet b/GatewaySubnet 10.2.0.0/27\nvpn g1 a public=20.0.0.1\nvpn g2 b public=20.0.0.2
        lng site 192.168.0.0/16";
    for (connection, want) in
        [("connect g1 site", 0), ("connect g1 gone", 1), ("join g1 g2", 0), ("join g1 gone", 1)]
    {
        let found = of_resources(&format!("{base}\n{connection}"));
        assert_eq!(found, vec!["dangling_reference"; want], "{connection}");
    }
}

#[test]
fn only_a_route_to_vnet_local_outside_the_vnet_is_named() {
    for (prefix, want) in [("10.1.5.0/24", 0), ("10.1.0.0/16", 0), ("10.0.0.0/8", 1)] {
        let text = format!(
            "vnet a 10.1.0.0/16\nrt r\nroute r {prefix} VnetLocal\nsubnet a/s 10.1.0.0/24 rt=r"
        );
        assert_eq!(of_table(&text, "a/s"), vec!["vnet_local_outside_vnet"; want], "{prefix}");
    }
    // An export that does not show the VNet's space says nothing about what lies outside it.
    assert_eq!(of_export("User Active 10.0.0.0/8 VnetLocal"), [] as [&str; 0]);
}

#[test]
fn a_gateway_route_inside_a_vnet_is_named() {
    let text = "vnet a 10.1.0.0/16\nsubnet a/GatewaySubnet 10.1.0.0/27\nsubnet a/s 10.1.1.0/24
        vpn gw a public=20.0.0.1\nlearned gw 10.1.5.0/24 10.9.9.9\nlearned gw 10.5.0.0/16 10.9.9.9";
    assert_eq!(of_table(text, "a/s"), ["gateway_route_set_aside"]);
}

#[test]
fn endpoints_that_bypass_a_route_are_listed_up_to_a_number_and_then_counted() {
    for (count, more) in [(19, None), (20, None), (21, Some(1)), (23, Some(3))] {
        let addresses: Vec<String> = (1..=count).map(|last| format!("10.1.9.{last}")).collect();
        let computed = computed(&format!(
            "vnet a 10.1.0.0/16\nrt r\nroute r 10.1.0.0/16 VirtualAppliance 10.1.1.4
             subnet a/s 10.1.1.0/24 rt=r\nnic nva a/s 10.1.1.4 forwarding
             subnet a/pe 10.1.9.0/24\npe sql a/pe {}",
            addresses.join(",")
        ));
        let findings = table(&computed, "a/s").lint(&computed.owners);
        let bypasses: Vec<&str> = findings
            .iter()
            .filter(|finding| finding.code == "private_endpoint_bypass")
            .map(|finding| finding.message.as_str())
            .collect();
        let listed = bypasses.iter().filter(|message| message.starts_with("10.1.9.")).count();
        assert_eq!(listed, count.min(20), "{count}");
        let said = bypasses.iter().find(|message| !message.starts_with("10.1.9."));
        let want = more.map(|more| format!("{more} more private endpoints bypass it"));
        assert_eq!(said.map(|said| (*said).to_owned()), want, "{count}");
    }
}

#[test]
fn a_service_endpoint_of_unknown_prefixes_bypasses_a_default_route_and_a_users_tag_does_not() {
    let default = "User Active 0.0.0.0/0 VirtualAppliance 10.0.0.4";
    let endpoint = "Default Active Storage VirtualNetworkServiceEndpoint";
    assert_eq!(
        of_export(&format!("{default}\n{endpoint}")),
        ["unresolved_service_tag", "service_endpoint_bypass"]
    );
    assert_eq!(
        of_export(&format!("{default}\nUser Active Storage Internet")),
        ["unresolved_service_tag"]
    );
}

#[test]
fn an_invalid_row_without_a_twin_is_named_if_a_user_wrote_it() {
    for (row, want) in [
        ("User Invalid 10.5.0.0/16 VirtualAppliance 10.0.0.4", 1),
        ("Default Invalid 10.5.0.0/16 VNetPeering", 0),
        ("VirtualNetworkGateway Invalid 10.5.0.0/16 VirtualNetworkGateway", 0),
        // A state of another word is not Invalid.
        ("User Updating 10.5.0.0/16 VirtualAppliance 10.0.0.4", 0),
    ] {
        assert_eq!(of_export(row), vec!["shadowed_by_invalid_twin"; want], "{row}");
    }
}

#[test]
fn only_the_systems_own_default_to_the_internet_tells_a_trimmed_export() {
    for (rows, want) in [
        ("Default Active 0.0.0.0/0 Internet", 1),
        ("User Active 0.0.0.0/0 Internet", 0),
        ("VirtualNetworkGateway Active 0.0.0.0/0 VirtualNetworkGateway 10.0.0.4", 0),
        ("User Active 203.0.113.0/24 Internet", 0),
        ("Default Active 203.0.113.0/24 Internet", 0),
        ("Default Active 0.0.0.0/0 Internet\nUser Active 10.0.0.0/8 VirtualAppliance 10.1.0.4", 1),
    ] {
        let found = of_export(rows);
        let told = found.iter().filter(|code| **code == "default_none_rows_missing").count();
        assert_eq!(told, want, "{rows}: {found:?}");
    }
}
