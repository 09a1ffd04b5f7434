//! After a firewall put its own address in the sender's place, the way back passes the same firewall.

use super::lab::{Flow, Lab, Verification, flow};
use super::two_hubs::{SHARED, SPOKE, files, logged_by, policy};

const ASYMMETRIC: (&str, &str, &str) = ("10.11.0.4", "10.13.0.4", "asymmetric_return");

/// Forward by the firewall; the answer comes directly.
fn to_shared() -> Flow {
    flow(60, "10.11.0.4", 50_000, "10.13.0.4", 443)
}

fn lab(private_ranges: Option<&str>) -> Lab {
    Lab::new(&files(private_ranges)).policy(&policy("firewall")).flows(
        "a-spoke",
        SPOKE,
        &[to_shared()],
    )
}

fn is_answered_past_the_firewall(verification: &Verification) {
    verification.assert(1, &[("asymmetric", 1)]).assert_findings(&[ASYMMETRIC]);
}

#[test]
fn a_destination_outside_the_firewalls_private_ranges_is_answered_to_the_firewall() {
    for outside in ["192.168.0.0/16", "10.0.0.0/13, 10.13.1.0/24"] {
        lab(Some(outside)).verify(&[]).assert(0, &[("covered_unconfirmed", 1)]);
    }
    for inside in [None, Some("10.13.0.4/32"), Some("IANAPrivateRanges")] {
        is_answered_past_the_firewall(&lab(inside).verify(&[]));
    }
}

#[test]
fn what_an_application_rule_let_pass_is_answered_to_the_firewall() {
    let application = |line: String| logged_by("azfw-a", &[line]);
    lab(None)
        .evidence("a.jsonl", &application(to_shared().application_rule("example.com")))
        .verify(&[])
        .assert(0, &[("covered", 1)]);
    let other_port = flow(60, "10.11.0.4", 50_001, "10.13.0.4", 443);
    let other_sender = flow(60, "10.11.0.5", 50_000, "10.13.0.4", 443);
    let later = flow(66, "10.11.0.4", 50_000, "10.13.0.4", 443);
    for line in [
        to_shared().network_rule(),
        other_port.application_rule("example.com"),
        other_sender.application_rule("example.com"),
        later.application_rule("example.com"),
    ] {
        is_answered_past_the_firewall(
            &lab(None).evidence("a.jsonl", &application(line)).verify(&[]),
        );
    }
}

#[test]
fn an_application_rule_of_a_firewall_off_the_way_translates_nothing() {
    let line = logged_by("azfw-b", &[to_shared().application_rule("example.com")]);
    let at_a = Lab::new(&files(None)).policy(&policy("firewall:azfw-a"));
    let verification =
        at_a.flows("spoke", SPOKE, &[to_shared()]).evidence("b.jsonl", &line).verify(&[]);
    is_answered_past_the_firewall(&verification);
}

#[test]
fn what_arrives_from_the_firewalls_address_is_answered_to_the_firewall() {
    let leg = |second, source, port| Flow {
        direction: 'I',
        ..flow(second, source, 1024, "10.13.0.4", port)
    };
    lab(None)
        .flows("b-shared", SHARED, &[leg(60, "10.10.1.5", 443)])
        .verify(&[])
        .assert(0, &[("covered", 1)]);
    // Another port, another time: legs of flows that nobody recorded. A neighbour of its subnet.
    for (second, source, port) in [(60, "10.10.1.5", 8443), (66, "10.10.1.5", 443)] {
        lab(None)
            .flows("b-shared", SHARED, &[leg(second, source, port)])
            .verify(&[])
            .assert(1, &[("asymmetric", 1), ("covered", 1)])
            .assert_findings(&[ASYMMETRIC]);
    }
    let from_neighbour = lab(None).flows("b-shared", SHARED, &[leg(60, "10.10.1.64", 443)]);
    let verification = from_neighbour.verify(&[]);
    assert_eq!(verification.json["totals"]["asymmetric"]["flows"], 1, "{}", verification.text);
}

#[test]
fn what_arrives_from_another_firewalls_address_is_not_answered_to_this_one() {
    let leg = Flow { direction: 'I', ..flow(60, "10.20.1.5", 1024, "10.13.0.4", 443) };
    let verification = Lab::new(&files(None))
        .policy(&policy("firewall:azfw-a"))
        .flows("a-spoke", SPOKE, &[to_shared()])
        .flows("b-shared", SHARED, &[leg])
        .verify(&[]);
    is_answered_past_the_firewall(&verification);
}
