//! Logs are evidence for the firewall that wrote them, by the category of the rule.

use super::lab::{Flow, Lab, Observer, flow};
use super::two_hubs::{A, B, BOTH, SPOKE, covering, files, logged_by, nat_rule, policy};

/// From spoke to spoke by `azfw-a`, both ways.
fn by_a() -> Flow {
    flow(60, "10.11.0.4", 50_000, "10.12.0.4", 443)
}

fn lab(via: &str) -> Lab {
    Lab::new(&files(None)).policy(&policy(via)).flows("spoke", SPOKE, &[by_a()])
}

fn log(firewall: &str, categories: &[&str], flows: &[Flow]) -> String {
    let mut lines = covering(0, 600, categories);
    lines.extend(flows.iter().map(Flow::network_rule));
    logged_by(firewall, &lines)
}

const MISSING: [(&str, &str, &str); 1] = [("10.11.0.4", "10.12.0.4", "missing_evidence")];

#[test]
fn another_firewalls_log_neither_confirms_a_flow_nor_misses_it() {
    for (flows, what) in [(&[by_a()][..], "shows it"), (&[], "covers its time")] {
        let verification =
            lab("firewall:azfw-a").evidence("b.jsonl", &log("azfw-b", &BOTH, flows)).verify(&[]);
        println!("the log of azfw-b {what}");
        verification.assert(0, &[("covered_unconfirmed", 1)]);
    }
    // Where any firewall will do, one that its path does not pass saw it.
    lab("firewall")
        .evidence("b.jsonl", &log("azfw-b", &BOTH, &[by_a()]))
        .verify(&[])
        .assert(0, &[("unexpected", 1)]);
    lab("firewall")
        .evidence("b.jsonl", &log("azfw-b", &BOTH, &[]))
        .verify(&[])
        .assert(0, &[("covered_unconfirmed", 1)]);
}

#[test]
fn its_own_firewalls_log_confirms_a_flow_or_misses_it() {
    for via in ["firewall", "firewall:azfw-a", "firewall:AZFW-A"] {
        lab(via)
            .evidence("a.jsonl", &log("azfw-a", &BOTH, &[by_a()]))
            .evidence("b.jsonl", &log("azfw-b", &BOTH, &[]))
            .verify(&[])
            .assert(0, &[("covered", 1)]);
        // With the other's line the flow is still missing here.
        let verification = lab(via)
            .evidence("a.jsonl", &log("azfw-a", &BOTH, &[]))
            .evidence("b.jsonl", &log("azfw-b", &BOTH, &[]))
            .verify(&[]);
        verification.assert(1, &[("missing", 1)]).assert_findings(&MISSING);
    }
    lab("firewall:azfw-a")
        .evidence("a.jsonl", &log("azfw-a", &BOTH, &[]))
        .evidence("b.jsonl", &log("azfw-b", &BOTH, &[by_a()]))
        .verify(&[])
        .assert(1, &[("missing", 1)]);
}

#[test]
fn missing_needs_every_category_of_the_same_firewall() {
    for (of_a, of_b, code, verdict) in [
        (&BOTH[..1], &[][..], 0, "covered_unconfirmed"),
        (&BOTH[1..], &[], 0, "covered_unconfirmed"),
        (&BOTH[..1], &BOTH[..], 0, "covered_unconfirmed"),
        (&BOTH[..1], &BOTH[1..], 0, "covered_unconfirmed"),
        (&["AZFWNetworkRule", "AZFWNatRule"], &BOTH, 0, "covered_unconfirmed"),
        (&BOTH, &[], 1, "missing"),
    ] {
        let mut lab = lab("firewall").evidence("a.jsonl", &log("azfw-a", of_a, &[]));
        if !of_b.is_empty() {
            lab = lab.evidence("b.jsonl", &log("azfw-b", of_b, &[]));
        }
        lab.verify(&[]).assert(code, &[(verdict, 1)]);
    }
    // Each category in a file of its own is as good.
    lab("firewall")
        .evidence("network.jsonl", &log("azfw-a", &BOTH[..1], &[]))
        .evidence("application.jsonl", &log("azfw-a", &BOTH[1..], &[]))
        .verify(&[])
        .assert(1, &[("missing", 1)]);
}

#[test]
fn udp_needs_the_network_rules_alone() {
    let tuples = by_a().tuples().map(|tuple| tuple.replace(",6,O,", ",17,O,"));
    for (categories, code, verdict) in
        [(&BOTH[..1], 1, "missing"), (&BOTH[1..], 0, "covered_unconfirmed")]
    {
        Lab::new(&files(None))
            .policy(&policy("firewall"))
            .tuples("spoke", SPOKE, &tuples)
            .evidence("a.jsonl", &log("azfw-a", categories, &[]))
            .verify(&[])
            .assert(code, &[(verdict, 1)]);
    }
}

#[test]
fn application_rules_match_by_source_and_port_one_line_a_flow() {
    let second = flow(61, "10.11.0.4", 50_001, "10.12.0.5", 443);
    let elsewhere = flow(60, "10.11.0.4", 50_000, "10.12.0.4", 8443);
    let lab = |lines: &[String]| {
        let lines = [&covering(0, 600, &BOTH), lines].concat();
        Lab::new(&files(None))
            .policy(&policy("firewall"))
            .flows("spoke", SPOKE, &[by_a(), second])
            .evidence("a.jsonl", &logged_by("azfw-a", &lines))
            .verify(&[])
    };
    let [first, other] = [by_a(), second].map(|flow| flow.application_rule("example.com"));
    lab(&[first.clone(), other]).assert(0, &[("covered", 2)]);
    lab(std::slice::from_ref(&first))
        .assert(1, &[("covered", 1), ("missing", 1)])
        .assert_findings(&[("10.11.0.4", "10.12.0.5", "missing_evidence")]);
    lab(&[elsewhere.application_rule("example.com")]).assert(1, &[("missing", 2)]);
    // A line is used up by one flow: written twice it shows the other one no more than once.
    lab(&[first.clone(), first]).assert(1, &[("covered", 1), ("missing", 1)]);
}

#[test]
fn nat_rules_match_by_their_translation() {
    let arrived = Flow { direction: 'I', ..flow(60, "203.0.113.7", 50_000, "10.11.0.4", 8443) };
    let public = ("20.30.40.50", 443);
    let lab = |lines: &[String]| {
        let lines = [&covering(0, 600, &["AZFWNetworkRule", "AZFWNatRule"]), lines].concat();
        Lab::new(&files(None))
            .policy(&policy("firewall"))
            .flows("spoke", SPOKE, &[arrived])
            .evidence("a.jsonl", &logged_by("azfw-a", &lines))
            .verify(&[])
    };
    lab(&[nat_rule(&arrived, public, ("10.11.0.4", 8443))]).assert(0, &[("covered", 1)]);
    for translated in [("10.11.0.5", 8443), ("10.11.0.4", 8080)] {
        lab(&[nat_rule(&arrived, public, translated)]).assert(1, &[("missing", 1)]);
    }
    // What was asked for before the translation is no flow behind it.
    lab(&[nat_rule(&arrived, ("10.11.0.4", 8443), ("10.11.0.9", 1))]).assert(1, &[("missing", 1)]);
}

#[test]
fn what_another_firewall_recorded_confirms_no_flow_of_this_one() {
    let recorded = [Flow { direction: 'I', ..by_a() }];
    let tuples: Vec<String> = recorded.iter().flat_map(Flow::tuples).collect();
    for (at, of_this, of_any) in
        [(A, "covered", "covered"), (B, "covered_unconfirmed", "unexpected")]
    {
        for (via, verdict) in [("firewall:azfw-a", of_this), ("firewall", of_any)] {
            // Given as evidence, and as one of the inputs.
            lab(via).evidence("at.json", &at.log(&tuples)).verify(&[]).assert(0, &[(verdict, 1)]);
            lab(via).flows("at", at, &recorded).verify(&[]).assert(0, &[(verdict, 1)]);
        }
    }
}

#[test]
fn what_a_firewall_did_not_record_is_missing_there_alone() {
    let other = flow(30, "10.11.0.9", 40_000, "10.12.0.9", 443);
    let later = Flow { millisecond: 90_000, ..other };
    let tuples: Vec<String> = [other, later].iter().flat_map(Flow::tuples).collect();
    let run = |at: Observer| lab("firewall").evidence("at.json", &at.log(&tuples)).verify(&[]);
    run(A).assert(1, &[("missing", 1)]).assert_findings(&MISSING);
    run(B).assert(0, &[("covered_unconfirmed", 1)]);
}
