//! Verdicts of a policy on both sides of a change.

use std::process::Command;

use serde_json::Value;

use super::lab::{Connection, Files, Lab};
use super::verify_lab::{Observer, files_of};
use crate::recipes::estates;

const GATEWAY: Observer = Observer { mac: "002248A7C004", vnet: "hub", subnet: None };
const FIREWALL: Observer =
    Observer { mac: "002248A7C069", vnet: "hub", subnet: Some("AzureFirewallSubnet") };

const POLICY: &str = r#"
[[require]]
name = "private endpoints only through the firewall"
from = ["any"]
to = ["class:private_endpoint"]
via = "firewall"

[[exempt]]
from = ["192.168.0.9/32"]
to = ["any"]
reason = "a scanner"
"#;

fn estate(name: &str) -> Files {
    files_of(estates::private_link(), &format!("private link: {name}"))
}

fn lab() -> Lab {
    Lab::new(
        &estate("network policies and a route as long as the VNet"),
        &estate("network policies and a route that is too broad"),
    )
    .policy(POLICY)
}

fn to_endpoint() -> [Connection; 1] {
    [Connection::new("192.168.0.4", 50_000, "10.13.77.6")]
}

fn verdicts(json: &Value) -> Vec<(&str, &str, u64)> {
    let all = json["verdicts"]["transitions"].as_array().expect("a list").iter();
    all.map(|one| {
        let word = |key: &str| one[key].as_str().expect("a verdict");
        (word("before"), word("after"), one["flows"].as_u64().expect("a count"))
    })
    .collect()
}

#[test]
fn what_a_firewall_recorded_under_the_old_routes_does_not_speak_for_the_new_ones() {
    // The record at the firewall would make the new bypass `unexpected`.
    let lab = lab()
        .log("gateway", GATEWAY, 'O', &to_endpoint())
        .log("firewall-in", FIREWALL, 'I', &to_endpoint())
        .log("firewall-out", FIREWALL, 'O', &to_endpoint());
    let replay = lab.replay(&["--policy", "policy.toml"]);
    assert_eq!(verdicts(&replay.json), [("covered_unconfirmed", "bypass", 1)]);
    let back = lab.rollback(&["--policy", "policy.toml"]);
    assert_eq!(verdicts(&back.json), [("bypass", "covered_unconfirmed", 1)]);
}

#[test]
fn what_no_rule_asks_and_what_is_exempt_stays_so_wherever_it_goes() {
    let lab = lab().log(
        "gateway",
        GATEWAY,
        'O',
        &[
            Connection::new("192.168.0.9", 50_000, "10.13.77.6"),
            Connection::new("192.168.0.4", 50_001, "10.13.77.70"),
        ],
    );
    let replay = lab.replay(&["--policy", "policy.toml", "--fail-on-new-findings"]);
    assert_eq!(
        verdicts(&replay.json),
        [("exempt", "exempt", 1), ("not_required", "not_required", 1)]
    );
    assert_eq!((&replay.json["changed"], replay.code), (&2.into(), 0));
}

#[test]
fn both_ends_of_a_flow_are_one_flow_with_one_verdict() {
    // The VM in the spoke answers by its own table, which both sides share.
    let connections = [Connection::new("10.13.76.132", 50_000, "10.13.77.70")];
    let vm = |mac, vnet| Observer { mac, vnet, subnet: None };
    let lab = lab().log("hub", vm("000D3A5B1101", "hub"), 'O', &connections).log(
        "spoke",
        vm("000D3A5B2202", "spoke1"),
        'I',
        &connections,
    );
    let replay = lab.replay(&["--require", "all-private"]);
    assert_eq!(verdicts(&replay.json).iter().map(|one| one.2).sum::<u64>(), 1);
    assert_eq!(replay.json["changed"], 1, "the hub's record alone");
}

/// A side's verdicts are those of `verify` on it, and each flow is in one transition.
#[test]
fn each_side_says_what_verify_says_of_its_routes() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let run = |args: &[&str]| {
        let output = Command::new(env!("CARGO_BIN_EXE_nexthop"))
            .current_dir(folder.path())
            .args(args)
            .output()
            .expect("the program runs");
        assert!(output.status.code() < Some(2), "{}", String::from_utf8_lossy(&output.stderr));
        output.stdout
    };
    run(&["generate", "--seed", "9", "--estate", "--tuples", "4000", "-o", "new"]);
    let verify = ["verify", "-q", "--routes", "new/snapshot", "--policy", "new/policy.toml"];
    let json = |bytes: Vec<u8>| serde_json::from_slice::<Value>(&bytes).expect("JSON");
    let verified = json(run(&[&verify[..], &["--format", "json", "new/traffic"]].concat()));
    let sides = ["replay", "-q", "--before", "new/snapshot", "--after", "new/snapshot"];
    let policy = ["--policy", "new/policy.toml", "--format", "json", "new/traffic"];
    for memory in ["1GiB", "1"] {
        let args = [&sides[..], &policy, &["--memory", memory]].concat();
        let replayed = json(run(&args));
        let verdicts = &replayed["verdicts"];
        for side in ["before", "after"] {
            assert_eq!(verdicts[side]["totals"], verified["totals"], "{side}");
            let findings = verdicts[side]["findings"].as_array().expect("a list");
            assert_eq!(findings.len(), verified["findings"].as_array().expect("a list").len());
            let marks = ["is_new", "is_resolved"];
            assert!(findings.iter().all(|one| marks.iter().all(|mark| one[mark] != true)));
        }
        let totals = verified["totals"].as_object().expect("totals");
        let transitions = verdicts["transitions"].as_array().expect("a list");
        assert_eq!(transitions.len(), totals.len());
        for one in transitions {
            assert_eq!(one["before"], one["after"]);
            let verdict = one["before"].as_str().expect("a verdict");
            assert_eq!(one["flows"], totals[verdict]["flows"], "{verdict}");
        }
        assert_eq!(verdicts["changes"], Value::Array(Vec::new()));
    }
}
