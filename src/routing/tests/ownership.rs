//! Who owns a hop, and what class that makes it.

use super::*;
use crate::azure::FirewallSetting;
use crate::routing::NextHopClass;

/// The class of a destination, why it is not the plain one, and who owns the hop.
fn hop(computed: &Computed, id: &str, destination: &str) -> (NextHopClass, String, Option<String>) {
    let explanation = table(computed, id).explain(&computed.owners, destination.parse().unwrap());
    let name = explanation.next_hop.and_then(|hop| hop.name);
    (explanation.class, explanation.reason.to_owned(), name)
}

fn settings(addresses: &[&str]) -> Settings {
    Settings {
        firewalls: vec![FirewallSetting {
            name: "named-fw".to_owned(),
            addresses: addresses.iter().map(|ip| ip.parse().unwrap()).collect(),
            subnets: Vec::new(),
            subnet_names: Vec::new(),
        }],
        ..Settings::default()
    }
}

/// One spoke whose routes name every kind of hop in its hub.
const HOPS: &str = "
    vnet hub 10.0.0.0/16
    vnet spoke 10.1.0.0/16
    vnet far 10.3.0.0/16
    peer hub spoke
    peer spoke hub
    subnet hub/AzureFirewallSubnet 10.0.1.0/26
    subnet hub/GatewaySubnet 10.0.2.0/27
    subnet hub/nva 10.0.3.0/24
    subnet hub/empty 10.0.4.0/24
    subnet hub/scale-set 10.0.5.0/24 unresolved
    subnet far/nva 10.3.0.0/24
    firewall fw hub/AzureFirewallSubnet 10.0.1.4
    vpn gw hub ip=10.0.2.4 public=20.0.0.1
    nic nva1 hub/nva 10.0.3.4 forwarding
    nic plain hub/nva 10.0.3.5
    nic nva2 hub/nva 10.0.3.6 forwarding pool=lb
    nic nva3 hub/nva 10.0.3.7 forwarding pool=lb
    ilb lb hub/nva 10.0.3.100
    nic remote far/nva 10.3.0.4 forwarding
    rt r
    route r 10.100.0.0/16 VirtualAppliance 10.0.1.4
    route r 10.101.0.0/16 VirtualAppliance 10.0.1.63
    route r 10.102.0.0/16 VirtualAppliance 10.0.2.4
    route r 10.103.0.0/16 VirtualAppliance 10.0.3.4
    route r 10.104.0.0/16 VirtualAppliance 10.0.3.5
    route r 10.105.0.0/16 VirtualAppliance 10.0.3.100
    route r 10.106.0.0/16 VirtualAppliance 10.0.4.9
    route r 10.107.0.0/16 VirtualAppliance 10.0.5.9
    route r 10.108.0.0/16 VirtualAppliance 10.0.200.9
    route r 10.109.0.0/16 VirtualAppliance 172.31.0.4
    route r 10.110.0.0/16 VirtualAppliance 10.3.0.4
    route r 10.111.0.0/16 VirtualNetworkGateway
    subnet spoke/s 10.1.0.0/24 rt=r
";

#[test]
fn a_hop_is_what_owns_its_address() {
    use NextHopClass::{Appliance, Dropped, Firewall, Gateway};
    let computed = computed(HOPS);
    for (destination, class, reason, name) in [
        ("10.100.0.1", Firewall, "longest_prefix", Some("fw")),
        // Every address of the firewall's subnet is the firewall.
        ("10.101.0.1", Firewall, "longest_prefix", Some("fw")),
        ("10.102.0.1", Gateway, "longest_prefix", Some("gw")),
        ("10.103.0.1", Appliance, "longest_prefix", Some("nva1")),
        ("10.104.0.1", Appliance, "longest_prefix", Some("plain")),
        ("10.105.0.1", Appliance, "longest_prefix", Some("lb")),
        ("10.106.0.1", Dropped, "phantom_next_hop", None),
        ("10.107.0.1", Appliance, "owner_unknown", None),
        // In the VNet's space, and in no subnet of it.
        ("10.108.0.1", Dropped, "phantom_next_hop", None),
        ("10.109.0.1", Appliance, "next_hop_outside_snapshot", None),
        ("10.110.0.1", Appliance, "longest_prefix", Some("remote")),
        ("10.111.0.1", Dropped, "phantom_gateway", None),
    ] {
        let got = hop(&computed, "spoke/s", destination);
        assert_eq!(got, (class, reason.to_owned(), name.map(str::to_owned)), "{destination}");
    }
}

#[test]
fn lint_names_what_is_wrong_with_each_hop() {
    let computed = computed(HOPS);
    let findings = table(&computed, "spoke/s").lint(&computed.owners);
    let codes: Vec<(String, &str)> = findings
        .iter()
        .map(|finding| (finding.address_prefix.unwrap().to_string(), finding.code))
        .collect();
    let want = [
        ("10.104.0.0/16", "ip_forwarding_disabled"),
        ("10.106.0.0/16", "phantom_next_hop"),
        ("10.107.0.0/16", "owner_unknown"),
        ("10.108.0.0/16", "phantom_next_hop"),
        ("10.109.0.0/16", "next_hop_outside_snapshot"),
        ("10.110.0.0/16", "next_hop_not_reachable"),
        ("10.111.0.0/16", "phantom_gateway"),
    ];
    assert_eq!(codes, want.map(|(prefix, code)| (prefix.to_owned(), code)));
}

#[test]
fn the_front_end_and_the_instances_behind_a_load_balancer_are_one_firewall_if_any_is_named() {
    for named in ["10.0.3.100", "10.0.3.6", "10.0.3.7"] {
        let computed = computed_with(HOPS, &settings(&[named]));
        let got = hop(&computed, "spoke/s", "10.105.0.1");
        assert_eq!(
            (got.0, got.2.as_deref()),
            (NextHopClass::Firewall, Some("named-fw")),
            "{named}"
        );
        let addresses = computed.owners.firewall_prefixes();
        for address in ["10.0.3.100/32", "10.0.3.6/32", "10.0.3.7/32"] {
            assert!(addresses.contains(&address.parse().unwrap()), "{named} {address}");
        }
        assert!(!addresses.contains(&"10.0.3.4/32".parse().unwrap()));
    }
}

#[test]
fn of_two_owners_of_one_address_the_one_within_reach_counts() {
    let text = "
        vnet hub1 10.0.0.0/16\nvnet spoke1 10.1.0.0/16\npeer hub1 spoke1\npeer spoke1 hub1
        vnet hub2 10.0.0.0/16\nvnet spoke2 10.2.0.0/16\npeer hub2 spoke2\npeer spoke2 hub2
        subnet hub1/nva 10.0.1.0/24\nsubnet hub2/AzureFirewallSubnet 10.0.1.0/24
        nic nva hub1/nva 10.0.1.4 forwarding\nfirewall fw hub2/AzureFirewallSubnet 10.0.1.4
        rt r\nroute r 0.0.0.0/0 VirtualAppliance 10.0.1.4
        subnet spoke1/s 10.1.0.0/24 rt=r\nsubnet spoke2/s 10.2.0.0/24 rt=r";
    let computed = computed(text);
    assert_eq!(hop(&computed, "spoke1/s", "8.8.8.8").0, NextHopClass::Appliance);
    assert_eq!(hop(&computed, "spoke2/s", "8.8.8.8").0, NextHopClass::Firewall);
}

#[test]
fn a_route_to_the_gateway_needs_a_vpn_gateway_behind_it() {
    use NextHopClass::{Dropped, Gateway};
    for (gateways, class, reason, code) in [
        ("vpn gw hub public=20.0.0.1", Gateway, "longest_prefix", None),
        ("er gw hub", Dropped, "unsupported_combination", Some("unsupported_combination")),
        (
            "er gw hub\nvpn gw2 hub public=20.0.0.1",
            Gateway,
            "longest_prefix",
            Some("unsupported_combination"),
        ),
        (
            "vpn gw hub public=20.0.0.1 policy-based",
            Gateway,
            "longest_prefix",
            Some("unsupported_combination"),
        ),
        ("", Dropped, "phantom_gateway", Some("phantom_gateway")),
    ] {
        let computed = computed(&format!(
            "vnet hub 10.0.0.0/16\nvnet spoke 10.1.0.0/16\nsubnet hub/GatewaySubnet 10.0.0.0/27
             peer hub spoke transit\npeer spoke hub remote forwarded\n{gateways}
             rt r\nroute r 10.2.0.0/16 VirtualNetworkGateway\nsubnet spoke/s 10.1.0.0/24 rt=r"
        ));
        let got = hop(&computed, "spoke/s", "10.2.0.4");
        assert_eq!((got.0, got.1.as_str()), (class, reason), "{gateways}");
        let findings = table(&computed, "spoke/s").lint(&computed.owners);
        assert_eq!(findings.first().map(|finding| finding.code), code, "{gateways}");
    }
}

#[test]
fn a_gateways_row_of_a_hubs_policy_is_the_firewalls_whatever_its_address() {
    let computed = computed(
        "wan-hub wh 10.100.0.0/23 fw=10.100.0.132\nvnet a 10.3.0.0/16
         subnet a/s 10.3.1.0/24\nattach wh a\nintent wh internet private",
    );
    let got = hop(&computed, "a/s", "203.0.113.7");
    assert_eq!((got.0, got.2.as_deref()), (NextHopClass::Firewall, Some("wh-fw")));
    // As an export would show it, with the address of the hub's router.
    let mut exported = crate::routing::testing::rows(
        "VirtualNetworkGateway Active 10.0.0.0/8 VirtualNetworkGateway 40.74.161.110
         VirtualNetworkGateway Active 10.9.0.0/16 VirtualNetworkGateway 40.74.161.110",
    );
    exported.scope = table(&computed, "a/s").scope;
    let class = |ip: &str| exported.explain(&computed.owners, ip.parse().unwrap()).class;
    assert_eq!(class("10.8.0.1"), NextHopClass::Firewall);
    assert_eq!(class("10.9.0.1"), NextHopClass::Gateway);
}

#[test]
fn a_hubs_firewall_is_seen_anywhere_in_the_hub_but_at_its_router() {
    let mut resources = plan("wan-hub wh 10.100.0.0/29 fw=10.100.0.4");
    resources.virtual_hubs[0].virtual_router_ips = vec!["10.100.0.5".parse().unwrap()];
    let computed = compute(&resources, &ServiceTags::default(), &Settings::default());
    let prefixes = computed.owners.firewall_prefixes();
    let is_firewall = |ip: IpAddr| prefixes.iter().any(|prefix| prefix.contains(ip));
    for last in 0..8u8 {
        let address = IpAddr::from([10, 100, 0, last]);
        assert_eq!(is_firewall(address), last != 5, "{address}");
    }
    assert!(!is_firewall("10.100.0.8".parse().unwrap()));
}

#[test]
fn the_last_address_of_a_subnet_is_the_platforms_unless_another_network_uses_it() {
    let computed = computed(
        "vnet a 10.1.0.0/16\nsubnet a/s 10.1.0.0/24\nsubnet a/t 10.1.1.0/29
         vnet b 10.1.0.0/16\nsubnet b/u 10.1.0.0/23",
    );
    for (address, want) in [
        ("10.1.0.255", false),
        ("10.1.1.255", true),
        ("10.1.1.7", false),
        ("10.1.0.1", false),
        ("168.63.129.16", true),
    ] {
        assert_eq!(computed.owners.is_platform(address.parse().unwrap()), want, "{address}");
    }
    let alone =
        super::computed("vnet a 10.1.0.0/16\nsubnet a/s 10.1.0.0/24\nsubnet a/t 10.1.1.0/29");
    for (address, want) in
        [("10.1.0.255", true), ("10.1.1.7", true), ("10.1.1.6", false), ("10.1.1.8", false)]
    {
        assert_eq!(alone.owners.is_platform(address.parse().unwrap()), want, "{address}");
    }
}
