//! Two spokes that reach one another by the hub's gateway, and what would spare them that way.

use std::process::Command;

use serde_json::{Value, json};

use super::lab::{Connection, Files, Lab};
use super::verify_lab::{Observer, edit};
use crate::recipes::azure::{Shape, firewall, id, peering, route_table, subnet};
use crate::recipes::estates::GatewayTransit;

const SPOKE1: Observer = Observer { mac: "000D3A5B3301", vnet: "spoke1", subnet: Some("web") };
const SPOKE2: Observer = Observer { mac: "000D3A5B3302", vnet: "spoke2", subnet: Some("web") };

/// Each spoke routes to the other by the gateway.
fn by_the_gateway() -> Files {
    GatewayTransit::SOUND.files(Shape::Nested)
}

/// Neither spoke has a route to the other.
fn without_routes() -> Files {
    let none = GatewayTransit { spoke1_routes: &[], spoke2_routes: &[], ..GatewayTransit::SOUND };
    none.files(Shape::Nested)
}

/// The spokes are peered with one another, too.
fn peered(mut files: Files) -> Files {
    edit(&mut files, "network.json", |network| {
        for (name, other, space) in
            [("spoke1", "spoke2", "10.2.0.0/16"), ("spoke2", "spoke1", "10.1.0.0/16")]
        {
            let vnet = vnet_of(network, name);
            let mut one = peering(other, &[space], json!({}));
            one["id"] =
                json!(format!("{}/virtualNetworkPeerings/direct", id("virtualNetworks", name)));
            let peerings = vnet["properties"]["virtualNetworkPeerings"].as_array_mut();
            peerings.expect("a list").push(one);
        }
    });
    files
}

/// Both routes lead to a firewall in the hub.
fn by_a_firewall() -> Files {
    let mut files = by_the_gateway();
    edit(&mut files, "network.json", |network| {
        let hub = vnet_of(network, "hub");
        let mut one = subnet("AzureFirewallSubnet", "10.0.1.0/26", None, json!({}));
        one["id"] = json!(format!("{}/subnets/AzureFirewallSubnet", id("virtualNetworks", "hub")));
        hub["properties"]["subnets"].as_array_mut().expect("a list").push(one);
    });
    edit(&mut files, "edge.json", |edge| {
        let resources = edge["value"].as_array_mut().expect("a list");
        resources.push(firewall("azfw", "hub", "10.0.1.4"));
    });
    edit(&mut files, "routetables.json", |tables| {
        let table = |name, prefix| {
            route_table(name, true, &[("by-firewall", prefix, "VirtualAppliance", "10.0.1.4")])
        };
        *tables = json!({
            "value": [table("rt-spoke1", "10.2.0.0/16"), table("rt-spoke2", "10.1.0.0/16")],
        });
    });
    files
}

fn vnet_of<'n>(network: &'n mut Value, name: &str) -> &'n mut Value {
    let vnets = network["value"].as_array_mut().expect("a list");
    vnets.iter_mut().find(|vnet| vnet["name"] == name).expect(name)
}

/// Between the spokes at the edges of either: seven from each, recorded at both ends.
fn between_spokes() -> [Vec<Connection>; 2] {
    let hosts = ["0.4", "0.5", "0.254", "1.0", "128.0", "255.254", "255.255"];
    let from = |source: &str, spoke: &str| {
        let ports = 30_000_u16..;
        let to = |(port, host)| Connection::new(source, port, &format!("10.{spoke}.{host}"));
        ports.zip(hosts).map(to).collect()
    };
    [from("10.1.0.4", "2"), from("10.2.0.4", "1")]
}

/// To on-premises, to the hub, and just beyond either spoke.
fn elsewhere(source: &str) -> Vec<Connection> {
    let destinations = ["192.168.0.10", "192.168.255.254", "10.0.0.40", "10.3.0.0", "203.0.113.9"];
    (40_000..).zip(destinations).map(|(port, to)| Connection::new(source, port, to)).collect()
}

/// Every flow between the spokes is recorded by the observer of its sender, and those to the first
/// address of the web subnet by its receiver's.
fn lab(before: &Files, after: &Files) -> Lab {
    let [from1, from2] = between_spokes();
    Lab::new(before, after)
        .log("spoke1-out", SPOKE1, 'O', &from1)
        .log("spoke2-out", SPOKE2, 'O', &from2)
        .log("spoke2-in", SPOKE2, 'I', &from1[..1])
        .log("spoke1-in", SPOKE1, 'I', &from2[..1])
        .log("spoke1-other", SPOKE1, 'O', &elsewhere("10.1.0.4"))
        .log("spoke2-other", SPOKE2, 'O', &elsewhere("10.2.0.4"))
}

/// Records between the spokes: 14 of senders, 2 of receivers.
const BETWEEN: u64 = 16;

#[test]
fn a_direct_peering_changes_nothing_while_the_routes_to_the_gateway_stay() {
    let lab = lab(&by_the_gateway(), &peered(by_the_gateway()));
    let replay = lab.replay(&["--fail-on-change"]);
    replay.assert_changes(&[]);
    assert_eq!(replay.code, 0);
    let explained = Command::new(env!("CARGO_BIN_EXE_nexthop"))
        .current_dir(lab.path())
        .args(["explain", "-r", "after", "--from", "spoke1/web", "--format", "json", "10.2.0.4"])
        .output()
        .expect("the program runs");
    let explained: Value = serde_json::from_slice(&explained.stdout).expect("JSON");
    let rows: Vec<[&str; 5]> = explained["candidates"]
        .as_array()
        .expect("a list")
        .iter()
        .take(2)
        .map(|one| {
            ["route_source", "address_prefix", "next_hop_type", "state", "reason"]
                .map(|key| one[key].as_str().expect(key))
        })
        .collect();
    assert_eq!(
        rows,
        [
            ["User", "10.2.0.0/16", "VirtualNetworkGateway", "Active", "longest_prefix"],
            ["Default", "10.2.0.0/16", "VNetPeering", "Invalid", "source_priority"],
        ]
    );
}

#[test]
fn without_the_routes_a_direct_peering_takes_every_flow_between_the_spokes() {
    for before in [by_the_gateway(), peered(by_the_gateway())] {
        let lab = lab(&before, &peered(without_routes()));
        let replay = lab.replay(&["--fail-on-change"]);
        replay.assert_changes(&[(("gateway", "peering"), BETWEEN)]);
        assert_eq!(replay.code, 1);
        assert_eq!(replay.reasons("gateway", "peering"), ["route_removed".to_owned()].into());
    }
}

#[test]
fn a_firewall_as_next_hop_takes_every_flow_between_the_spokes_and_none_to_on_premises() {
    let lab = lab(&by_the_gateway(), &by_a_firewall());
    let replay = lab.replay(&[]);
    replay.assert_changes(&[(("gateway", "firewall"), BETWEEN)]);
    for (source, destination, ..) in replay.changes() {
        assert!(!destination.starts_with("192.168."), "{source} → {destination}");
    }
    assert_eq!(replay.reasons("gateway", "firewall"), ["next_hop_changed".to_owned()].into());
}

#[test]
fn a_shorter_route_to_the_same_gateway_is_no_change_and_counted_apart() {
    const BROAD: [(&str, &str, &str, &str); 1] =
        [("private", "10.0.0.0/14", "VirtualNetworkGateway", "")];
    let broad =
        GatewayTransit { spoke1_routes: &BROAD, spoke2_routes: &BROAD, ..GatewayTransit::SOUND };
    let lab = lab(&by_the_gateway(), &broad.files(Shape::Nested));
    let replay = lab.replay(&["--fail-on-change"]);
    // 10.3.0.0 lies in the broader block, where there was nothing.
    replay.assert_changes(&[(("dropped", "gateway"), 2)]);
    assert_eq!(replay.json["other_route"]["flows"], BETWEEN);
    replay.assert_says("Another route leads 16 flows (101.6 KiB) to the same next hop");
}

#[test]
fn a_route_that_one_spoke_loses_changes_the_answers_to_what_the_other_sends() {
    let one_sided = GatewayTransit { spoke2_routes: &[], ..GatewayTransit::SOUND };
    let [from1, _] = between_spokes();
    let lab =
        Lab::new(&by_the_gateway(), &one_sided.files(Shape::Nested)).capture("spoke1", &from1);
    let replay = lab.replay(&["--fail-on-change"]);
    replay
        .assert_changes(&[])
        .assert_says("Of the others, 3 flows (1.5 KiB) stay, but what answers them goes");
    // 10.2.0.0/24 alone has a subnet: nobody is known to answer from elsewhere.
    assert_eq!((&replay.json["way_back"]["flows"], replay.code), (&3.into(), 1));
}
