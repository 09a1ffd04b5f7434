//! A snapshot's resources → who uses which table, where paths go, what pairs of subnets show, and
//! the labels that follow.

use std::net::IpAddr;

use super::{Label, Observer};
use crate::azure::{Settings, Snapshot};
use crate::fib::{Fib, Place, SnapshotTables};
use crate::routing::testing::plan;
use crate::traffic::FlowDirection;

const HUB: &str = "
    vnet hub 10.0.0.0/16
    vnet spoke1 10.1.0.0/16
    vnet spoke2 10.2.0.0/16
    subnet hub/GatewaySubnet 10.0.0.0/27
    subnet hub/AzureFirewallSubnet 10.0.1.0/26
    vpn gw hub public=20.0.0.1 pool=172.16.201.0/24
    lng site 192.168.0.0/16,10.1.5.0/24
    connect gw site
    firewall fw hub/AzureFirewallSubnet 10.0.1.4
    peer hub spoke1 transit forwarded
    peer spoke1 hub remote forwarded
    peer hub spoke2 transit forwarded
    peer spoke2 hub remote forwarded
    nic vm1 spoke1/s 10.1.0.4 mac=000D3A000001
    nic vm2 spoke2/s 10.2.0.4 mac=000D3A000002
";

fn snapshot(text: &str) -> Snapshot {
    Snapshot {
        tables: Vec::new(),
        settings: Settings::default(),
        resources: plan(text),
        service_tags: crate::azure::ServiceTags::default(),
        ignored: Vec::new(),
        warnings: Vec::new(),
        is_single_file: false,
    }
}

fn built(text: &str) -> (SnapshotTables, Fib) {
    let tables = SnapshotTables::of(&snapshot(text));
    let fib = tables.compile().unwrap();
    (tables, fib)
}

fn ip(text: &str) -> IpAddr {
    text.parse().unwrap()
}

fn place(fib: &Fib, address: &str) -> String {
    match fib.sources().place(ip(address)) {
        Place::Table(table) => fib.info(table).id.clone(),
        other => format!("{other:?}").to_lowercase(),
    }
}

fn path(fib: &Fib, from: &str, to: &str) -> String {
    let table = fib.sources().by_address(ip(from)).unwrap();
    let path = fib.path(table, ip(to));
    let hops: Vec<&str> = path.hops.iter().map(|hop| hop.class.as_str()).collect();
    format!("{} {}", hops.join(" "), path.outcome)
}

#[test]
fn addresses_lead_to_their_subnets_and_what_lies_behind_a_gateway_to_the_gateway_subnet() {
    let text = format!("{HUB}\nsubnet spoke1/s 10.1.0.0/24\nsubnet spoke2/s 10.2.0.0/24");
    let (_, fib) = built(&text);
    for (address, want) in [
        ("10.1.0.4", "spoke1/s"),
        ("10.1.0.9", "spoke1/s"),
        ("10.0.1.5", "hub/AzureFirewallSubnet"),
        ("192.168.3.4", "hub/GatewaySubnet"),
        ("172.16.201.9", "hub/GatewaySubnet"),
        // Claimed by the far side, and inside a VNet: Azure's own.
        ("10.1.5.9", "nowhere"),
        ("10.1.9.9", "nowhere"),
        ("8.8.8.8", "nowhere"),
    ] {
        assert_eq!(place(&fib, address), want, "{address}");
    }
    let sources = fib.sources();
    let mac = sources.by_mac("000D3A000002".parse().unwrap()).unwrap();
    assert_eq!(fib.info(mac).id, "spoke2/s");
    assert_eq!(sources.by_nic("VM1").map(|table| fib.info(table).id.as_str()), Some("spoke1/s"));
    assert!(fib.is_platform(ip("10.1.0.255")) && !fib.is_platform(ip("10.1.9.255")));
}

#[test]
fn an_address_that_unpeered_networks_hold_is_ambiguous_and_its_neighbours_are_not() {
    let (_, fib) = built(
        "vnet a 10.0.0.0/16\nsubnet a/s 10.0.0.0/23\nvnet b 10.0.0.0/16\nsubnet b/t 10.0.1.0/24
         subnet b/u 10.0.2.0/24",
    );
    for (address, want) in [
        ("10.0.0.9", "a/s"),
        ("10.0.1.9", "ambiguous"),
        ("10.0.2.9", "b/u"),
        ("10.0.3.9", "nowhere"),
    ] {
        assert_eq!(place(&fib, address), want, "{address}");
    }
    let label = Label::of_packets(&fib, ip("10.0.1.9"), ip("8.8.8.8"));
    assert_eq!(label.unknown, Some(crate::traffic::Unknown::AmbiguousSource));
}

#[test]
fn paths_go_on_behind_firewalls_and_gateways() {
    let text = format!(
        "{HUB}
         rt r1\nroute r1 10.2.0.0/16 VirtualAppliance 10.0.1.4\nsubnet spoke1/s 10.1.0.0/24 rt=r1
         rt r2\nroute r2 10.1.0.0/16 VirtualNetworkGateway\nsubnet spoke2/s 10.2.0.0/24 rt=r2"
    );
    let (tables, fib) = built(&text);
    for (from, to, want) in [
        ("10.1.0.4", "10.2.0.4", "firewall peering delivered"),
        ("10.2.0.4", "10.1.0.4", "gateway peering delivered"),
        ("10.1.0.4", "192.168.0.4", "gateway left"),
        ("192.168.0.4", "10.1.0.4", "peering delivered"),
        ("10.1.0.4", "10.1.0.9", "vnet delivered"),
        ("10.1.0.4", "8.8.8.8", "internet left"),
        ("10.1.0.4", "10.9.0.1", "dropped dropped"),
    ] {
        assert_eq!(path(&fib, from, to), want, "{from} {to}");
    }
    let codes: Vec<&str> = tables.lint(&fib).iter().map(|finding| finding.code).collect();
    assert!(codes.contains(&"asymmetric_pair"), "{codes:?}");
    assert!(!codes.contains(&"one_way_pair"), "{codes:?}");
}

#[test]
fn a_route_to_the_gateway_on_one_side_alone_is_a_one_way_pair() {
    let text = format!(
        "{HUB}\nrt r1\nroute r1 10.2.0.0/16 VirtualNetworkGateway
         subnet spoke1/s 10.1.0.0/24 rt=r1\nsubnet spoke2/s 10.2.0.0/24"
    );
    let (tables, fib) = built(&text);
    assert_eq!(path(&fib, "10.1.0.4", "10.2.0.4"), "gateway peering delivered");
    assert_eq!(path(&fib, "10.2.0.4", "10.1.0.4"), "dropped dropped");
    let findings = tables.lint(&fib);
    let pair = findings.iter().find(|finding| finding.code == "one_way_pair").unwrap();
    assert_eq!(pair.route_table_id.as_deref(), Some("spoke2/s"));
}

#[test]
fn a_path_through_secured_hubs_passes_each_firewall_once() {
    let (_, fib) = built(
        "wan-hub h1 10.100.0.0/23 fw=10.100.0.132\nwan-hub h2 10.101.0.0/23 fw=10.101.0.132
         vnet a 10.1.0.0/16\nvnet b 10.2.0.0/16\nvnet c 10.3.0.0/16
         subnet a/s 10.1.0.0/24\nsubnet b/s 10.2.0.0/24\nsubnet c/s 10.3.0.0/24
         attach h1 a\nattach h2 b\nattach h1 c\nintent h1 private\nintent h2 private
         branch h1 192.168.50.0/24",
    );
    for (from, to, want) in [
        ("10.1.0.4", "10.3.0.4", "firewall peering delivered"),
        ("10.1.0.4", "10.2.0.4", "firewall firewall peering delivered"),
        ("192.168.50.4", "10.1.0.4", "firewall peering delivered"),
        ("10.1.0.4", "192.168.50.4", "firewall gateway left"),
    ] {
        assert_eq!(path(&fib, from, to), want, "{from} {to}");
    }
}

#[test]
fn a_plain_hubs_router_delivers_to_its_vnets() {
    let (_, fib) = built(
        "wan-hub h1 10.100.0.0/23\nvnet a 10.1.0.0/16\nvnet b 10.2.0.0/16
         subnet a/s 10.1.0.0/24\nsubnet b/s 10.2.0.0/24\nattach h1 a\nattach h1 b
         branch h1 192.168.50.0/24",
    );
    assert_eq!(path(&fib, "10.1.0.4", "10.2.0.4"), "gateway peering delivered");
    assert_eq!(path(&fib, "10.1.0.4", "192.168.50.4"), "gateway gateway left");
    assert_eq!(place(&fib, "192.168.50.4"), "h1/hub-gateways");
}

#[test]
fn an_observer_without_a_nic_is_a_transit_point_where_a_nic_has_the_local_address() {
    let subnets = "subnet spoke1/s 10.1.0.0/24\nsubnet spoke2/s 10.2.0.0/24";
    let (_, fib) = built(&format!("{HUB}\n{subnets}"));
    let label = |observer, local: &str| {
        Label::of_tuple(&fib, observer, Some(FlowDirection::Outbound), ip(local), ip("10.2.0.9"))
    };
    let hub = "/subscriptions/s/resourceGroups/g/providers/Microsoft.Network/virtualNetworks/hub";
    // Both a firewall and a gateway of the hub could have passed it on.
    assert_eq!(fib.sources().transit_of(hub), None);
    let lost = label(Observer::NoNic(None), "10.1.0.4");
    assert_eq!(lost.unknown, Some(crate::traffic::Unknown::UnknownObserver));
    // No NIC is known to have this one: a scale set's, perhaps.
    let own = label(Observer::NoNic(None), "10.1.0.77");
    assert_eq!(own.table.map(|table| fib.info(table).id.as_str()), Some("spoke1/s"));
    let alone = format!("{HUB}\n{subnets}").replace("vpn gw hub", "vpn gw spoke1");
    let (_, fib) = built(&alone);
    let table = fib.sources().transit_of(hub).unwrap();
    assert_eq!(fib.info(table).id, "hub/AzureFirewallSubnet");
    let seen = Label::of_tuple(
        &fib,
        Observer::NoNic(Some(table)),
        Some(FlowDirection::Outbound),
        ip("10.1.0.4"),
        ip("10.2.0.9"),
    );
    assert_eq!((seen.class.as_str(), seen.table), ("peering", Some(table)));
}

#[test]
fn an_exported_table_goes_before_the_computed_one_for_its_nic_alone() {
    let mut snapshot =
        snapshot(&format!("{HUB}\nsubnet spoke1/s 10.1.0.0/24\nsubnet spoke2/s 10.2.0.0/24"));
    snapshot.tables.push(crate::azure::ExportedTable {
        file: "vm1.txt".into(),
        name: "VM1".into(),
        format: crate::azure::effective_routes::ExportFormat::AzTable,
        routes: crate::routing::testing::routes("Default Active 10.1.0.0/16 VnetLocal"),
        is_elided: true,
        sources: Vec::new(),
    });
    let tables = SnapshotTables::of(&snapshot);
    let fib = tables.compile().unwrap();
    assert_eq!(place(&fib, "10.1.0.4"), "VM1");
    assert_eq!(place(&fib, "10.1.0.9"), "spoke1/s");
    let mac = fib.sources().by_mac("000D3A000001".parse().unwrap()).unwrap();
    assert_eq!(fib.info(mac).id, "VM1");
    let [pair] = tables.compared.as_slice() else { panic!("{:?}", tables.compared) };
    assert_eq!(tables.tables[pair.computed].id, "spoke1/s");
    assert!(pair.is_elided);
}

#[test]
fn an_exported_table_may_be_a_whole_subnets() {
    let mut snapshot =
        snapshot(&format!("{HUB}\nsubnet spoke1/s 10.1.0.0/24\nsubnet spoke2/s 10.2.0.0/24"));
    snapshot.tables.push(crate::azure::ExportedTable {
        file: "vm1.txt".into(),
        name: "any".into(),
        format: crate::azure::effective_routes::ExportFormat::AzTable,
        routes: crate::routing::testing::routes(
            "VirtualNetworkGateway Active 192.168.0.0/24 VirtualNetworkGateway 10.0.0.4",
        ),
        is_elided: true,
        sources: vec!["subnet:SPOKE1/S".parse().unwrap()],
    });
    let tables = SnapshotTables::of(&snapshot);
    let fib = tables.compile().unwrap();
    assert_eq!(fib.info(fib.sources().by_subnet("spoke1/s").unwrap()).id, "any");
    assert_eq!(fib.info(fib.sources().by_subnet("Spoke2/S").unwrap()).id, "spoke2/s");
    for (address, want) in [("10.1.0.4", "any"), ("10.1.0.9", "any"), ("10.2.0.4", "spoke2/s")] {
        assert_eq!(place(&fib, address), want, "{address}");
    }
    // What the gateway subnet's table says of on-premises prefixes goes for both.
    for from in ["10.1.0.9", "10.2.0.4"] {
        assert_eq!(path(&fib, from, "192.168.0.7"), "gateway left", "{from}");
    }
}

#[test]
fn a_name_that_two_nics_share_is_neithers() {
    let mut snapshot =
        snapshot(&format!("{HUB}\nsubnet spoke1/s 10.1.0.0/24\nsubnet spoke2/s 10.2.0.0/24"));
    let both = &mut snapshot.resources.network_interfaces;
    assert_eq!(both[1].header.name, "vm2");
    both[1].header.name = "VM1".into();
    let tables = SnapshotTables::of(&snapshot);
    let fib = tables.compile().unwrap();
    assert_eq!(fib.sources().by_nic("vm1"), None);
    assert_eq!(
        fib.info(fib.sources().by_mac("000D3A000002".parse().unwrap()).unwrap()).id,
        "spoke2/s"
    );
}

#[test]
fn space_of_a_vnet_is_not_on_premises_where_no_subnet_holds_it() {
    let text = format!(
        "{}\nsubnet spoke1/s 10.1.0.0/24\nsubnet spoke2/s 10.2.0.0/24",
        HUB.replace("192.168.0.0/16,10.1.5.0/24", "10.0.0.0/8")
    );
    let (_, fib) = built(&text);
    for (address, want) in
        [("10.9.0.1", "hub/GatewaySubnet"), ("10.1.9.9", "nowhere"), ("10.1.0.9", "spoke1/s")]
    {
        assert_eq!(place(&fib, address), want, "{address}");
    }
}

#[test]
fn twenty_tables_are_named_and_of_more_their_number() {
    let names = |count: usize| {
        let subnets: String =
            (0..count).map(|third| format!("subnet v/s{third} 10.0.{third}.0/24\n")).collect();
        let (tables, fib) = built(&format!("vnet v 10.0.0.0/16\n{subnets}"));
        tables.find(&fib, None).unwrap_err().to_string()
    };
    assert!(names(20).ends_with("v/s19"), "{}", names(20));
    assert!(names(21).ends_with("v/s19, and 1 more"), "{}", names(21));
}

#[test]
fn fastpath_leaves_on_premises_senders_unknown() {
    let text = format!(
        "{}\nsubnet spoke1/s 10.1.0.0/24\nsubnet spoke2/s 10.2.0.0/24",
        HUB.replace("connect gw site", "connect gw site fastpath")
    );
    let (_, fib) = built(&text);
    let label = Label::of_packets(&fib, ip("192.168.0.4"), ip("10.1.0.4"));
    assert_eq!(label.unknown, Some(crate::traffic::Unknown::Fastpath));
}

#[test]
fn public_traffic_of_a_site_that_does_not_route_all_stays_outside() {
    let text = format!(
        "{HUB}\nsubnet spoke1/s 10.1.0.0/24\nsubnet spoke2/s 10.2.0.0/24\nsite shop spoke1/s"
    );
    let (_, fib) = built(&text);
    for (destination, class) in
        [("8.8.8.8", "outside_vnet"), ("10.1.0.9", "vnet"), ("192.168.0.1", "gateway")]
    {
        let label = Label::of_packets(&fib, ip("10.1.0.20"), ip(destination));
        assert_eq!(label.class.as_str(), class, "{destination}");
        let columns = label.columns(&fib, ip("10.1.0.20"), ip(destination));
        assert_eq!(columns.matched_prefix.is_none(), class == "outside_vnet");
    }
    assert_eq!(path(&fib, "10.1.0.20", "8.8.8.8"), "outside_vnet left");
}
