//! A backend moves from a machine to a private endpoint: what its recorded requests would do.

use serde_json::{Value, json};

use super::lab::{Connection, Files, Lab};
use super::verify_lab::{Observer, edit};
use crate::recipes::azure::id;
use crate::recipes::backend_pools;

/// The application gateway's instances, and the machine that is to be replaced.
const GATEWAY: Observer =
    Observer { mac: "000D3A2C0101", vnet: "evergreen", subnet: Some("snet-appgw") };
const MACHINE: Observer =
    Observer { mac: "000D3A2C0200", vnet: "evergreen", subnet: Some("snet-be") };

const MOVE: [&str; 2] = ["--map-destination", "10.2.0.10=10.2.9.5"];
const POLICY: [&str; 2] = ["--policy", "policy.toml"];

const REQUIRE: &str = r#"
[[require]]
name = "gateway to backends"
from = ["subnet:evergreen/snet-appgw"]
to = ["10.2.0.0/24", "class:private_endpoint"]
via = "firewall"
"#;

fn estate() -> Files {
    backend_pools::scenario().snapshot
}

/// The endpoint's subnet is inspected as the machines' is: network policies for route tables, and a
/// route as long as the subnet.
fn inspected() -> Files {
    let mut files = estate();
    edit(&mut files, "vnets.json", |vnets| {
        let subnets = vnets[0]["subnets"].as_array_mut().expect("a flat list");
        let endpoints = subnets.iter_mut().find(|one| one["name"] == "snet-pe").expect("a subnet");
        endpoints["privateEndpointNetworkPolicies"] = json!("RouteTableEnabled");
    });
    edit(&mut files, "routetables.json", |tables| {
        let tables = tables["value"].as_array_mut().expect("a list");
        let table = tables.iter_mut().find(|one| one["name"] == "rt-appgw").expect("a table");
        let routes = table["properties"]["routes"].as_array_mut().expect("a list");
        routes.push(json!({
            "id": format!("{}/routes/endpoints", id("routeTables", "rt-appgw")),
            "name": "endpoints",
            "properties": {
                "addressPrefix": "10.2.9.0/24",
                "nextHopType": "VirtualAppliance",
                "nextHopIpAddress": "10.0.1.4",
            },
        }));
    });
    files
}

/// Five requests to the machine that moves, three to its neighbours.
fn requests() -> (Vec<Connection>, Vec<Connection>) {
    let moved = (0..5).map(|port| Connection::new("10.2.1.4", 50_000 + port, "10.2.0.10"));
    let others = ["10.2.0.9", "10.2.0.11", "10.2.0.12"];
    let others = (0..).zip(others).map(|(port, to)| Connection::new("10.2.1.4", 51_000 + port, to));
    (moved.collect(), others.collect())
}

fn lab(after: &Files) -> Lab {
    let (moved, others) = requests();
    Lab::new(&estate(), after).policy(REQUIRE).log(
        "gateway",
        GATEWAY,
        'O',
        &[moved, others].concat(),
    )
}

fn findings(side: &Value, mark: &str) -> Vec<(String, String, String, bool)> {
    let text = |one: &Value, key: &str| one[key].as_str().expect(key).to_owned();
    let all = side["findings"].as_array().expect("a list").iter();
    all.map(|one| {
        let is_marked = one[mark].as_bool().expect(mark);
        (text(one, "source"), text(one, "destination"), text(one, "code"), is_marked)
    })
    .collect()
}

/// Flows by both verdicts.
fn verdicts(json: &Value) -> Vec<(&str, &str, u64)> {
    let all = json["verdicts"]["transitions"].as_array().expect("a list").iter();
    all.map(|one| {
        let word = |key: &str| one[key].as_str().expect("a verdict");
        (word("before"), word("after"), one["flows"].as_u64().expect("a count"))
    })
    .collect()
}

#[test]
fn every_request_to_the_target_goes_straight_to_the_endpoint_and_is_a_new_finding() {
    let replay = lab(&estate()).replay(&[&MOVE[..], &POLICY, &["--fail-on-new-findings"]].concat());
    replay.assert_changes(&[(("firewall", "private_endpoint"), 5)]);
    assert_eq!(replay.changes().len(), 1, "one pair of addresses");
    assert_eq!(
        replay.reasons("firewall", "private_endpoint"),
        ["destination_moved".to_owned()].into()
    );
    assert_eq!(
        verdicts(&replay.json),
        [("covered_unconfirmed", "bypass", 5), ("covered_unconfirmed", "covered_unconfirmed", 3)]
    );
    let after = &replay.json["verdicts"]["after"];
    let bypass = "private_endpoint_bypass".to_owned();
    assert_eq!(
        findings(after, "is_new"),
        [("10.2.1.4".to_owned(), "10.2.9.5".to_owned(), bypass, true)]
    );
    assert_eq!(findings(&replay.json["verdicts"]["before"], "is_resolved"), []);
    assert_eq!(replay.code, 1);
    replay
        .assert_says("covered_unconfirmed → bypass 5")
        .assert_says("New findings: 1 private_endpoint_bypass: 10.2.1.4 → 10.2.9.5, 5 flows");
}

#[test]
fn with_policies_and_a_route_the_firewall_stays_and_nothing_is_found() {
    let lab = lab(&inspected());
    let args = [&MOVE[..], &POLICY, &["--fail-on-new-findings", "--fail-on-change"]].concat();
    let replay = lab.replay(&args);
    replay.assert_changes(&[]);
    assert_eq!(replay.json["other_route"]["flows"], 5, "10.2.9.0/24 instead of 10.2.0.0/24");
    assert_eq!(verdicts(&replay.json), [("covered_unconfirmed", "covered_unconfirmed", 8)]);
    assert_eq!(findings(&replay.json["verdicts"]["after"], "is_new"), []);
    assert_eq!(replay.code, 0);
}

#[test]
fn a_resolved_finding_is_named_and_fails_no_gate_for_new_ones() {
    // The requests to the endpoint go around the firewall until its subnet is inspected.
    let to_endpoint: Vec<Connection> =
        (0..2).map(|port| Connection::new("10.2.1.4", 52_000 + port, "10.2.9.5")).collect();
    let lab = Lab::new(&estate(), &inspected()).policy(REQUIRE).log(
        "gateway",
        GATEWAY,
        'O',
        &to_endpoint,
    );
    let replay = lab.replay(&[&POLICY[..], &["--fail-on-new-findings"]].concat());
    replay.assert_changes(&[(("private_endpoint", "firewall"), 2)]);
    assert_eq!(verdicts(&replay.json), [("bypass", "covered_unconfirmed", 2)]);
    assert_eq!(replay.code, 0);
    replay.assert_says("Resolved findings: 1 private_endpoint_bypass: 10.2.1.4 → 10.2.9.5");
    let change = &replay.json["verdicts"]["changes"][0];
    assert_eq!(
        (&change["before_code"], &change["after_code"]),
        (&json!("private_endpoint_bypass"), &Value::Null)
    );
}

#[test]
fn what_the_target_recorded_itself_is_routed_from_its_new_place() {
    // Before, the machine answers by the firewall, as its route table says; a twin whose traffic was
    // recorded at the new place says what holds after.
    let (moved, _) = requests();
    let lab = Lab::new(&estate(), &estate()).log("machine", MACHINE, 'I', &moved);
    lab.replay(&[]).assert_changes(&[]);
    lab.replay(&["--map-destination", "10.2.0.10=10.2.1.9"])
        .assert_changes(&[(("firewall", "vnet"), 5)]);
    // A place that no table covers.
    lab.replay(&["--map-destination", "10.2.0.10=10.77.0.1"])
        .assert_changes(&[(("firewall", "unknown"), 5)]);
    // The sender's own records are looked up by the new address, wherever that is.
    let sender = Lab::new(&estate(), &estate()).log("gateway", GATEWAY, 'O', &moved);
    sender
        .replay(&["--map-destination", "10.2.0.10=10.77.0.1"])
        .assert_changes(&[(("firewall", "dropped"), 5)]);
}

#[test]
fn a_firewall_that_passed_the_requests_on_does_not_move_with_the_target() {
    const FIREWALL: Observer =
        Observer { mac: "002248A7C069", vnet: "hub", subnet: Some("AzureFirewallSubnet") };
    let (moved, _) = requests();
    let lab = Lab::new(&estate(), &estate()).log("firewall", FIREWALL, 'I', &moved);
    // It answers the gateway over the peering, wherever the target is.
    lab.replay(&MOVE).assert_changes(&[]);
}

#[test]
fn blocks_move_address_by_address_in_captures_too() {
    let to = |host: u8| Connection::new("10.2.1.4", 50_000, &format!("10.2.0.{host}"));
    let connections = [0, 4, 7, 8, 254].map(to);
    let lab = Lab::new(&estate(), &estate()).capture("gateway", &connections);
    // 10.2.0.0/29 becomes 10.2.9.0/29: .5 of it would be the endpoint, .0, .4 and .7 are neighbours.
    lab.replay(&["--map-destination", "10.2.0.0/29=10.2.9.0/29"])
        .assert_changes(&[(("firewall", "vnet"), 3)]);
    lab.replay(&["--map-destination", "10.2.0.4=10.2.9.5"])
        .assert_changes(&[(("firewall", "private_endpoint"), 1)]);
    // The longer block counts.
    lab.replay(&[
        "--map-destination",
        "10.2.0.0/24=8.8.8.0/24",
        "--map-destination=10.2.0.8/29=10.2.0.8/29",
    ])
    .assert_changes(&[(("firewall", "internet"), 4)]);
}
