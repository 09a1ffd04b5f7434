//! A flow of a log is judged where its tuples are merged, unless something makes it wait: a leg that it
//! may have, a capture beside the log, or rows that are kept for the output. Whichever way it goes, its
//! verdict is the same.

#![forbid(unsafe_code)]
#![cfg(feature = "cli")]

use std::cell::Cell;
use std::fs;
use std::path::Path;
use std::process::Command;

use proptest::prelude::*;
use proptest::test_runner::{Config, TestRunner};
use serde_json::{Value, json};

/// Two hosts of a spoke and one of another, both hubs' firewalls, and the Internet.
const ADDRESSES: [&str; 6] =
    ["10.17.172.4", "10.17.172.5", "10.18.44.4", "10.0.1.4", "10.1.1.5", "203.0.113.9"];

#[derive(Clone, Debug)]
struct LoggedTuple {
    seconds: u64,
    source: usize,
    destination: usize,
    ports: (u16, u16),
    is_tcp: bool,
    direction: &'static str,
    state: &'static str,
    bytes: u64,
}

#[derive(Clone, Debug)]
struct LogLine {
    seconds: u64,
    source: usize,
    destination: Option<usize>,
    ports: (u16, u16),
    firewall: &'static str,
}

fn ports() -> impl Strategy<Value = (u16, u16)> {
    (5000..5003_u16, prop::sample::select(vec![443, 1433]))
}

fn tuple() -> impl Strategy<Value = LoggedTuple> {
    let direction = prop::sample::select(vec!["O", "I"]);
    let state = prop::sample::select(vec!["B", "C", "E", "D"]);
    let end = 0..ADDRESSES.len();
    (0..40_u64, end.clone(), end, ports(), any::<bool>(), direction, state, 0..9_u64).prop_map(
        |(seconds, source, destination, ports, is_tcp, direction, state, bytes)| LoggedTuple {
            seconds,
            source,
            destination,
            ports,
            is_tcp,
            direction,
            state,
            bytes,
        },
    )
}

fn line() -> impl Strategy<Value = LogLine> {
    let end = 0..ADDRESSES.len();
    let firewall = prop::sample::select(vec!["fw-a", "fw-b"]);
    (0..40_u64, end.clone(), prop::option::of(end), ports(), firewall).prop_map(
        |(seconds, source, destination, ports, firewall)| LogLine {
            seconds,
            source,
            destination,
            ports,
            firewall,
        },
    )
}

/// 2025-01-20 00:00 UTC.
const START_SECONDS: u64 = 1_737_331_200;

/// A flow log in which two NICs take turns, each with a record for a few tuples.
fn flow_log(tuples: &[LoggedTuple]) -> Value {
    let record = |(number, tuples): (usize, &[LoggedTuple])| {
        let text = |tuple: &LoggedTuple| {
            let LoggedTuple { seconds, ports, direction, state, bytes, .. } = tuple;
            let (source, destination) = (ADDRESSES[tuple.source], ADDRESSES[tuple.destination]);
            let (time, protocol) = (START_SECONDS + seconds, if tuple.is_tcp { 6 } else { 17 });
            format!(
                "{time}000,{source},{destination},{},{},{protocol},{direction},{state},NX,1,{bytes},0,0",
                ports.0, ports.1
            )
        };
        let mac = if number % 2 == 0 { "000D3AE0008B" } else { "000D3AE0009C" };
        json!({
            "time": "2025-01-20T00:01:00Z",
            "flowLogVersion": 4,
            "macAddress": mac,
            "category": "FlowLogFlowEvent",
            "flowLogResourceID": "/x",
            "targetResourceID": "/subscriptions/x",
            "operationName": "FlowLogFlowEvent",
            "flowRecords": {"flows": [{"aclID": "/acl", "flowGroups": [
                {"rule": "r", "flowTuples": tuples.iter().map(text).collect::<Vec<_>>()}
            ]}]},
        })
    };
    json!({"records": tuples.chunks(3).enumerate().map(record).collect::<Vec<_>>()})
}

fn firewall_log(lines: &[LogLine]) -> String {
    let line = |line: &LogLine| {
        let (minutes, seconds) = (line.seconds / 60, line.seconds % 60);
        let mut properties = json!({
            "SourceIp": ADDRESSES[line.source],
            "SourcePort": line.ports.0,
            "DestinationPort": line.ports.1,
            "Protocol": "TCP",
            "Action": "Allow",
        });
        let category = match line.destination {
            Some(destination) => {
                properties["DestinationIp"] = ADDRESSES[destination].into();
                "AZFWNetworkRule"
            }
            None => "AZFWApplicationRule",
        };
        json!({
            "time": format!("2025-01-20T00:{minutes:02}:{seconds:02}Z"),
            "category": category,
            "resourceId": format!("/x/azureFirewalls/{}", line.firewall),
            "properties": properties,
        })
        .to_string()
    };
    lines.iter().map(line).collect::<Vec<_>>().join("\n")
}

fn nexthop(folder: &Path, arguments: &[&str]) -> Vec<u8> {
    let run = Command::new(env!("CARGO_BIN_EXE_nexthop"))
        .current_dir(folder)
        .args(arguments)
        .output()
        .expect("the program runs");
    let stderr = String::from_utf8_lossy(&run.stderr);
    assert!(matches!(run.status.code(), Some(0 | 1)), "{arguments:?}: {stderr}");
    run.stdout
}

#[test]
fn a_flow_that_waits_gets_the_verdict_of_one_that_does_not() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let folder = folder.path();
    nexthop(folder, &["generate", "--estate", "--seed", "1", "--tuples", "100", "-o", "."]);
    let capture = ["generate", "--seed", "1", "--packets", "400", "--flows", "40", "-o", "other"];
    nexthop(folder, &capture);
    let verify = |more: &[&str]| -> Value {
        let fixed =
            ["verify", "--routes", "snapshot", "--policy", "policy.toml", "--format", "json"];
        let evidence = ["--evidence", "lines.jsonl", "--quiet", "log.json"];
        serde_json::from_slice(&nexthop(folder, &[&fixed[..], &evidence, more].concat()))
            .expect("JSON")
    };
    let have_legs = Cell::new(0);
    let traffic = (prop::collection::vec(tuple(), 1..60), prop::collection::vec(line(), 1..30));
    let mut runner = TestRunner::new(Config { cases: 60, ..Config::default() });
    let outcome = runner.run(&traffic, |(tuples, lines)| {
        let write = |name, text: String| fs::write(folder.join(name), text).expect("is written");
        write("log.json", flow_log(&tuples).to_string());
        write("lines.jsonl", firewall_log(&lines));
        let at_once = verify(&[]);
        let tuples_judged: u64 = at_once["totals"]
            .as_object()
            .expect("totals")
            .values()
            .map(|sums| sums["tuples"].as_u64().expect("a count"))
            .sum();
        prop_assert_eq!(tuples_judged, tuples.len() as u64);
        prop_assert_eq!(&verify(&["-o", "rows.csv"]), &at_once, "rows are kept");
        prop_assert_eq!(&verify(&["--threads", "1", "--memory", "1"]), &at_once, "in files");
        let beside = verify(&["other/capture"]);
        prop_assert_eq!(&verify(&["other/capture", "-o", "rows.csv"]), &beside, "a capture");
        let rows = fs::read_to_string(folder.join("rows.csv")).expect("rows");
        let has_leg = rows.contains("sent on by a firewall");
        have_legs.set(have_legs.get() + usize::from(has_leg));
        Ok(())
    });
    outcome.unwrap_or_else(|error| panic!("{error}"));
    let have_legs = have_legs.get();
    assert!(have_legs > 10, "{have_legs} of 60 logs have a flow with a leg");
}
