//! Flow logs and captures among the inputs: with a capture the records of a flow are joined at the
//! end, without one as they come in, and the answer is the same.

use std::collections::BTreeMap;
use std::fs;

use serde_json::{Value, json};

use super::lab::{Flow, Lab, Observer, Verification, flow};
use super::recorded_at_firewalls::capture;
use super::two_hubs::{A, BOTH, SPOKE, covering, files, logged_by, policy};

const OTHER_SPOKE: Observer = Observer { mac: "000D3A5B1212", vnet: "a2", subnet: None };

/// From spoke to spoke by `azfw-a`: what is logged, what is not, and what is seen there otherwise.
fn logged() -> Flow {
    flow(60, "10.11.0.4", 50_000, "10.12.0.4", 443)
}

fn not_logged() -> Flow {
    flow(70, "10.11.0.4", 50_001, "10.12.0.4", 443)
}

fn seen_at_the_firewall() -> Flow {
    flow(80, "10.11.0.4", 50_002, "10.12.0.4", 443)
}

/// Answered past the firewall, which its leg shows to be answered to it.
fn with_leg() -> [Flow; 2] {
    [flow(90, "10.11.0.4", 50_003, "10.13.0.4", 443), flow(91, "10.10.1.5", 1024, "10.13.0.4", 443)]
}

fn inbound(flow: Flow) -> Flow {
    Flow { direction: 'I', ..flow }
}

fn lab() -> Lab {
    let [flow, leg] = with_leg();
    let lines = [covering(0, 600, &BOTH), vec![logged().network_rule()]].concat();
    Lab::new(&files(None))
        .policy(&policy("firewall"))
        .flows("a1", SPOKE, &[logged(), not_logged(), seen_at_the_firewall(), flow])
        .flows("a2", OTHER_SPOKE, &[inbound(logged()), inbound(not_logged())])
        .flows("firewall", A, &[inbound(seen_at_the_firewall()), leg])
        .evidence("a.jsonl", &logged_by("azfw-a", &lines))
}

/// Sums by verdict: flows, tuples, packets, bytes.
fn totals(verification: &Verification) -> BTreeMap<String, [u64; 4]> {
    let totals = verification.json["totals"].as_object().expect("totals");
    let sums = |sums: &Value| {
        ["flows", "tuples", "packets", "bytes"].map(|key| sums[key].as_u64().expect("a count"))
    };
    totals
        .iter()
        .map(|(verdict, of_verdict)| (verdict.clone(), sums(of_verdict)))
        .filter(|(_, sums)| sums[0] > 0)
        .collect()
}

#[test]
fn a_capture_among_the_inputs_adds_its_flows_and_changes_no_other() {
    let elsewhere = [flow(60, "10.21.0.4", 50_000, "10.22.0.4", 443)];
    let logs_alone = lab().verify(&[]);
    // The log shows one; the firewall's own record one, its leg one; one is missing.
    let want = BTreeMap::from([
        ("covered".to_owned(), [3, 12, 54, 5400]),
        ("missing".to_owned(), [1, 4, 18, 1800]),
    ]);
    assert_eq!(totals(&logs_alone), want, "{}", logs_alone.text);
    let with_capture = lab();
    fs::write(with_capture.path().join("traffic/tap.pcap"), capture(&elsewhere)).expect("a file");
    let mut want = want;
    // Three packets of 54 bytes.
    want.insert("covered_unconfirmed".to_owned(), [1, 1, 3, 162]);
    for more in [&["--threads", "1"][..], &["--threads", "3"], &["--memory", "1"]] {
        let with_capture = with_capture.verify(more);
        assert_eq!(totals(&with_capture), want, "{more:?}\n{}", with_capture.text);
        assert_eq!(with_capture.json["findings"], logs_alone.json["findings"], "{more:?}");
        assert_eq!(with_capture.code, 1);
    }
}

#[test]
fn a_flow_that_a_log_and_a_capture_recorded_is_one() {
    for (observed, tuples, bytes) in [
        // The record at the sender stands for it, else the capture's.
        (logged(), 3, 1800),
        (inbound(logged()), 3, 162),
    ] {
        let lab = Lab::new(&files(None))
            .policy(&policy("firewall"))
            .flows("log", SPOKE, &[observed])
            .evidence("a.jsonl", &logged_by("azfw-a", &[logged().network_rule()]));
        fs::write(lab.path().join("traffic/tap.pcap"), capture(&[logged()])).expect("a file");
        let verification = lab.verify(&[]);
        verification.assert(0, &[("covered", 1)]);
        let covered = &verification.json["totals"]["covered"];
        assert_eq!((&covered["tuples"], &covered["bytes"]), (&json!(tuples), &json!(bytes)));
    }
}
