//! A user-defined route as long as the spoke becomes a broader one: private endpoints are back.

use std::collections::BTreeSet;
use std::net::Ipv4Addr;

use super::lab::{Change, Connection, Files, Lab, assert_inverse};
use super::verify_lab::{Observer, files_of};
use crate::recipes::estates;

const HUB_VM: Observer = Observer { mac: "000D3A5B1101", vnet: "hub", subnet: None };
const GATEWAY: Observer = Observer { mac: "002248A7C004", vnet: "hub", subnet: None };
const VM: &str = "10.13.76.132";
const ON_PREMISES: &str = "192.168.0.4";

fn as_long_as_the_spoke() -> Files {
    files_of(
        estates::private_link(),
        "private link: network policies and a route as long as the VNet",
    )
}

fn too_broad() -> Files {
    files_of(
        estates::private_link(),
        "private link: network policies and a route that is too broad",
    )
}

/// First, last, and the neighbours of both, of every prefix that a table of either side has, and of
/// the blocks around them; then addresses all over.
fn destinations() -> BTreeSet<Ipv4Addr> {
    let mut all = BTreeSet::new();
    for prefix in [
        "0.0.0.0/0",
        "10.0.0.0/8",
        "10.13.76.0/24",
        "10.13.77.0/24",
        "10.13.76.0/23",
        "10.13.77.4/32",
        "10.13.77.5/32",
        "10.13.77.6/32",
        "100.64.0.0/10",
        "172.16.0.0/12",
        "192.168.0.0/16",
        "192.168.0.0/24",
    ] {
        let (address, length) = prefix.split_once('/').expect(prefix);
        let first = address.parse::<Ipv4Addr>().expect(prefix).to_bits();
        let length: u32 = length.parse().expect(prefix);
        let last = first | u32::MAX.checked_shr(length).unwrap_or(0);
        for edge in [first, last] {
            let near = [edge.wrapping_sub(1), edge, edge.wrapping_add(1)];
            all.extend(near.map(Ipv4Addr::from_bits));
        }
    }
    let mut state = 1_u32;
    for index in 0..400 {
        state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        let block = [0x0A0D_4D00, 0x0A0D_4C00, 0x0A00_0000, 0][index % 4];
        let mask = [0xFF, 0xFF, 0x00FF_FFFF, u32::MAX][index % 4];
        all.insert(Ipv4Addr::from_bits(block | state.rotate_right(7) & mask));
    }
    // What the platform answers has no route, and the NIC's own address no flow.
    all.retain(|address| !is_platform(*address) && address.to_string() != VM);
    all
}

/// The last address of each subnet is its broadcast address: see the estate's VNets.
fn is_platform(address: Ipv4Addr) -> bool {
    let [a, b, c, d] = address.octets();
    (a, b) == (169, 254)
        || a >= 224
        || address.to_string() == "168.63.129.16"
        || (a, b, c) == (10, 13, 76) && [31, 127, 191].contains(&d)
        || (a, b, c) == (10, 13, 77) && [63, 127].contains(&d)
}

/// The rule: what changes of a packet to `remote`, from a subnet whose route is changed.
fn expected(remote: Ipv4Addr) -> Option<(&'static str, &'static str)> {
    match remote.octets() {
        [10, 13, 77, 4..=6] => Some(("firewall", "private_endpoint")),
        [10, 13, 77, _] => Some(("firewall", "peering")),
        [10, 13, 76, _] => None,
        [10, ..] => Some(("dropped", "firewall")),
        _ => None,
    }
}

fn connections(source: &str) -> Vec<Connection> {
    let ports = 20_000_u16..;
    let to = |(port, destination)| Connection {
        source: source.parse().expect(source),
        source_port: port,
        destination,
    };
    ports.zip(destinations()).map(to).collect()
}

fn expected_changes(connections: &[Connection]) -> BTreeSet<Change> {
    connections
        .iter()
        .filter_map(|connection| {
            let (before, after) = expected(connection.destination)?;
            let Connection { source, destination, .. } = connection;
            Some((source.to_string(), destination.to_string(), before.into(), after.into()))
        })
        .collect()
}

fn count(changes: &BTreeSet<Change>, before: &str, after: &str) -> u64 {
    changes.iter().filter(|one| one.2 == before && one.3 == after).count() as u64
}

/// The gateway sends nothing back to where it came from.
fn by_gateway() -> Vec<Connection> {
    let mut all = connections(ON_PREMISES);
    all.retain(|one| !one.destination.to_string().starts_with("192.168."));
    all
}

#[test]
fn a_broader_route_gives_back_the_endpoints_and_the_spoke_and_catches_the_rest_of_the_block() {
    let (from_vm, from_on_premises) = (connections(VM), by_gateway());
    let lab = Lab::new(&as_long_as_the_spoke(), &too_broad()).log("vm", HUB_VM, 'O', &from_vm).log(
        "gateway",
        GATEWAY,
        'O',
        &from_on_premises,
    );
    let replay = lab.replay(&["--fail-on-change"]);
    let mut want = expected_changes(&from_vm);
    want.extend(expected_changes(&from_on_premises));
    assert_eq!(replay.changes(), want);
    let transitions =
        [("firewall", "private_endpoint"), ("firewall", "peering"), ("dropped", "firewall")];
    let sums = transitions.map(|(before, after)| ((before, after), count(&want, before, after)));
    assert_eq!(sums[0].1, 6, "three endpoints from two places");
    replay.assert_changes(&sums);
    assert_eq!(replay.code, 1);
    assert_eq!(replay.json["records"], from_vm.len() + from_on_premises.len());
    assert_eq!(replay.json["other_route"]["flows"], 0);
    // Each connection is one tuple of 6,500 bytes.
    assert_eq!(replay.json["changed_sums"]["bytes"], want.len() * 6500);
    // The longer route is gone; the system's row to None is there and loses to the user's.
    for ((before, after), reason) in
        transitions.into_iter().zip(["route_removed", "route_removed", "source_priority"])
    {
        assert_eq!(replay.reasons(before, after), [reason.to_owned()].into(), "{before}");
    }
}

#[test]
fn the_way_back_of_recorded_answers_changes_as_the_way_there_does() {
    // The VM answers whoever asked: what it sends is looked up by the source.
    let asked: Vec<Connection> = connections(VM)
        .iter()
        .map(|one| Connection { source: one.destination, destination: one.source, ..*one })
        .collect();
    let lab = Lab::new(&as_long_as_the_spoke(), &too_broad()).log("vm", HUB_VM, 'I', &asked);
    let want: BTreeSet<Change> = asked
        .iter()
        .filter_map(|one| {
            let (before, after) = expected(one.source)?;
            let (source, destination) = (one.source.to_string(), one.destination.to_string());
            Some((source, destination, before.into(), after.into()))
        })
        .collect();
    assert_eq!(lab.replay(&[]).changes(), want);
}

#[test]
fn a_capture_says_the_same_as_a_flow_log() {
    let connections = connections(VM);
    let lab = Lab::new(&as_long_as_the_spoke(), &too_broad()).capture("vm", &connections);
    let replay = lab.replay(&[]);
    assert_eq!(replay.changes(), expected_changes(&connections));
    assert_eq!(replay.code, 0, "without --fail-on-change a change is no failure");
    assert_eq!(replay.json["records"], connections.len() * 2);
    // A SYN of 54 bytes and a packet of 400 more.
    assert_eq!(replay.json["changed_sums"]["bytes"], replay.changes().len() * 508);
}

#[test]
fn the_rollback_is_the_exact_inverse() {
    let (from_vm, from_on_premises) = (connections(VM), by_gateway());
    let lab = Lab::new(&as_long_as_the_spoke(), &too_broad())
        .log("vm", HUB_VM, 'O', &from_vm)
        .log("gateway", GATEWAY, 'O', &from_on_premises)
        .capture("vm", &from_vm);
    let (forth, back) = (lab.replay(&[]), lab.rollback(&[]));
    assert_inverse(&forth.json, &back.json);
    assert_eq!(
        back.reasons("private_endpoint", "firewall"),
        ["private_endpoint_invalidated_by_udr".to_owned()].into()
    );
    assert_eq!(back.reasons("peering", "firewall"), ["source_priority".to_owned()].into());
    assert_eq!(back.reasons("firewall", "dropped"), ["route_removed".to_owned()].into());
}

#[test]
fn the_same_snapshot_changes_nothing() {
    let lab = Lab::new(&too_broad(), &too_broad()).log("vm", HUB_VM, 'O', &connections(VM));
    let replay = lab.replay(&["--fail-on-change"]);
    replay.assert_changes(&[]).assert_says("0 of");
    assert_eq!((replay.code, &replay.json["other_route"]["flows"]), (0, &0.into()));
}

#[test]
fn the_page_names_both_routes_and_the_largest_flows() {
    let lab = Lab::new(&as_long_as_the_spoke(), &too_broad()).log(
        "vm",
        HUB_VM,
        'O',
        &[Connection::new(VM, 50_000, "10.13.77.6"), Connection::new(VM, 50_001, "8.8.8.8")],
    );
    lab.replay(&[])
        .assert_says("1 of 2 flows change (50.0 %)")
        .assert_says("firewall → private_endpoint 1 14 6.3 KiB")
        .assert_says("before: User 10.13.77.0/24 to VirtualAppliance 10.13.76.68 (azfw): firewall")
        .assert_says("after: Default 10.13.77.6/32 to InterfaceEndpoint: private_endpoint")
        .assert_says("(before: private_endpoint_invalidated_by_udr)")
        .assert_says("6.3 KiB 10.13.76.132:50000 10.13.77.6:443 T firewall → private_endpoint")
        .assert_says("2 records read = 2 classified");
}
