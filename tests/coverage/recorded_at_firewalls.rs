//! Flow logs and captures that were taken at a firewall, as evidence: for which firewall, and how it
//! is known where no export names who recorded them.

use std::fs;
use std::io::Write;
use std::process::{Command, Stdio};

use pcap_file::pcap::{PcapHeader, PcapPacket, PcapWriter};
use serde_json::{Value, json};

use super::lab::{Flow, Lab, Observer, edit, files_of, flow};
use super::two_hubs::{A, B, SPOKE, files, policy, sources};
use crate::recipes::estates;
use crate::recipes::{FIN_ACK, Packet, SYN, SYN_ACK, TCP};

/// An instance of `azfw-a`, in no export, in the flow log of its whole VNet.
const INSTANCE: Observer = Observer { mac: "002248A7C0A2", vnet: "hub-a", subnet: None };

fn by_a() -> Flow {
    flow(60, "10.11.0.4", 50_000, "10.12.0.4", 443)
}

fn lab() -> Lab {
    Lab::new(&files(None)).policy(&policy("firewall:azfw-a")).flows("spoke", SPOKE, &[by_a()])
}

fn tuples(flows: &[Flow]) -> Vec<String> {
    flows.iter().flat_map(Flow::tuples).collect()
}

fn inbound(flow: Flow) -> Flow {
    Flow { direction: 'I', ..flow }
}

/// A capture with the opening and the closing of connections.
pub fn capture(flows: &[Flow]) -> Vec<u8> {
    let header =
        PcapHeader { ts_resolution: pcap_file::TsResolution::MicroSecond, ..PcapHeader::default() };
    let mut writer = PcapWriter::with_header(Vec::new(), header).expect("memory takes a header");
    for flow in flows {
        let packet = |millisecond: u64, is_back: bool, tcp_flags| {
            let (source, destination) = match is_back {
                false => (flow.source, flow.destination),
                true => (flow.destination, flow.source),
            };
            let time_us = (super::lab::START_MS + flow.millisecond + millisecond) * 1000;
            Packet { time_us, source, destination, protocol: TCP, tcp_flags, payload_length: 0 }
        };
        for packet in [packet(0, false, SYN), packet(1, true, SYN_ACK), packet(2, false, FIN_ACK)] {
            let frame = packet.frame();
            let length = u32::try_from(frame.len()).expect("a short frame");
            let time = std::time::Duration::from_micros(packet.time_us);
            writer.write_packet(&PcapPacket::new(time, length, &frame)).expect("memory takes it");
        }
    }
    writer.into_writer()
}

#[test]
fn a_source_names_its_firewall_its_time_and_its_records() {
    let flows = [inbound(by_a()), flow(120, "10.12.0.9", 40_000, "10.11.0.9", 22)];
    let verification = lab().evidence("at.json", &A.log(&tuples(&flows))).verify(&[]);
    verification.assert(0, &[("covered", 1)]);
    let (from, to) = ("2025-01-20T18:01:00.000000Z", "2025-01-20T18:02:02.000000Z");
    assert_eq!(
        sources(&verification),
        [(
            "evidence/at.json".to_owned(),
            json!("azfw-a"),
            "flow_log".to_owned(),
            from.to_owned(),
            to.to_owned(),
            2
        )]
    );
}

#[test]
fn one_file_with_records_of_two_firewalls_is_a_source_for_each() {
    let of_b = flow(90, "10.21.0.4", 50_000, "10.22.0.4", 443);
    let [a, b] = [A.log(&tuples(&[by_a()])), B.log(&tuples(&[of_b]))];
    let records = |log: &str| -> Value {
        serde_json::from_str::<Value>(log).expect("JSON of ours")["records"][0].take()
    };
    let both = json!({ "records": [records(&b), records(&a)] }).to_string();
    let verification = lab().evidence("both.json", &both).verify(&[]);
    verification.assert(0, &[("covered", 1)]);
    let named: Vec<(Value, u64)> =
        sources(&verification).into_iter().map(|source| (source.1, source.5)).collect();
    assert_eq!(named, [(json!("azfw-a"), 1), (json!("azfw-b"), 1)]);
}

#[test]
fn in_the_log_of_a_whole_vnet_who_speaks_for_others_is_the_firewall() {
    // It sends on what a spoke sent, and speaks for an address that is not of its VNet.
    for recorded in [by_a(), inbound(by_a())] {
        let log = INSTANCE.log(&tuples(&[recorded]));
        let verification = lab().evidence("hub.json", &log).verify(&[]);
        verification.assert(0, &[("covered", 1)]);
        let source = &sources(&verification)[0];
        assert_eq!((&source.1, source.5), (&json!("azfw-a"), 1));
        // Among the inputs it is the same.
        lab().flows("hub", INSTANCE, &[recorded]).verify(&[]).assert(0, &[("covered", 1)]);
    }
    // The VNet of another firewall.
    let other = Observer { vnet: "hub-b", ..INSTANCE };
    lab()
        .evidence("hub.json", &other.log(&tuples(&[by_a()])))
        .verify(&[])
        .assert(0, &[("covered_unconfirmed", 1)]);
    // A VNet without a firewall: whoever passes packets on there is none.
    let nobody = Observer { vnet: "a2", ..INSTANCE };
    let verification = lab().evidence("a2.json", &nobody.log(&tuples(&[by_a()]))).verify(&[]);
    verification.assert(0, &[("covered_unconfirmed", 1)]);
    assert!(verification.stderr.contains("1 flows were not recorded"), "{}", verification.stderr);
}

const ENDPOINT_POLICY: &str = r#"
[[require]]
name = "private endpoints only through the firewall"
from = ["any"]
to = ["class:private_endpoint"]
via = "firewall"
"#;

/// A hub with a VPN gateway and a firewall; `more` is a further user-defined route of the VMs.
fn with_gateway(more: Option<(&str, &str)>) -> Lab {
    let name = "private link: network policies and a route as long as the VNet";
    let mut files = files_of(estates::private_link(), name);
    if let Some((prefix, next_hop_type)) = more {
        edit(&mut files, "routetables.json", |tables| {
            let routes = tables[0]["routes"].as_array_mut().expect("routes");
            let mut route = routes[0].clone();
            route["name"] = json!("more");
            route["addressPrefix"] = json!(prefix);
            route["nextHopType"] = json!(next_hop_type);
            route["nextHopIpAddress"] = Value::Null;
            routes.push(route);
        });
    }
    Lab::new(&files).policy(ENDPOINT_POLICY).flows("a-gateway", GATEWAY, &[to_endpoint()])
}

const GATEWAY: Observer = Observer { mac: "002248A7C004", vnet: "hub", subnet: None };
const HUB_INSTANCE: Observer = Observer { mac: "002248A7C070", vnet: "hub", subnet: None };

fn to_endpoint() -> Flow {
    flow(60, "192.168.0.4", 50_000, "10.13.77.6", 1433)
}

#[test]
fn beside_a_gateway_the_firewall_is_who_speaks_for_another_vnet() {
    let recorded = |observer: Observer, flow| observer.log(&tuples(&[flow]));
    // Whoever speaks for on-premises may be the gateway.
    with_gateway(None)
        .evidence("hub.json", &recorded(HUB_INSTANCE, to_endpoint()))
        .verify(&[])
        .assert(0, &[("covered_unconfirmed", 1)]);
    let by_row = inbound(to_endpoint());
    with_gateway(None)
        .evidence("hub.json", &recorded(HUB_INSTANCE, by_row))
        .verify(&[])
        .assert(0, &[("covered", 1)]);
    with_gateway(None)
        .flows("hub", HUB_INSTANCE, &[by_row])
        .verify(&[])
        .assert(0, &[("covered", 1)]);
    // Where a route leads to another VNet by the gateway, that may have passed it on.
    let by_gateway = || with_gateway(Some(("10.13.77.128/25", "VirtualNetworkGateway")));
    by_gateway()
        .evidence("hub.json", &recorded(HUB_INSTANCE, by_row))
        .verify(&[])
        .assert(0, &[("covered_unconfirmed", 1)]);
    by_gateway()
        .flows("hub", HUB_INSTANCE, &[by_row])
        .verify(&[])
        .assert(0, &[("covered_unconfirmed", 1)]);
}

#[test]
fn who_speaks_for_two_subnets_of_its_own_vnet_is_the_firewall_for_all_that_it_recorded() {
    let for_vms = flow(20, "10.13.76.132", 40_000, "10.13.77.6", 1433);
    let for_others = flow(30, "10.13.76.36", 40_001, "10.13.77.6", 1433);
    let more_subnets = || {
        let name = "private link: network policies and a route as long as the VNet";
        let mut files = files_of(estates::private_link(), name);
        edit(&mut files, "vnets.json", |vnets| {
            let subnets = vnets[0]["subnets"].as_array_mut().expect("subnets");
            let mut more = subnets[2].clone();
            let id = more["id"].as_str().expect("an id").replace("/vms", "/more");
            (more["id"], more["name"]) = (json!(id), json!("more"));
            more["addressPrefix"] = json!("10.13.76.32/27");
            subnets.push(more);
        });
        Lab::new(&files).policy(ENDPOINT_POLICY).flows("a-gateway", GATEWAY, &[to_endpoint()])
    };
    for (recorded, verdict) in [
        (&[for_vms, for_others, to_endpoint()][..], "covered"),
        (&[for_vms, to_endpoint()], "covered_unconfirmed"),
        (&[for_others, to_endpoint()], "covered_unconfirmed"),
    ] {
        more_subnets()
            .evidence("hub.json", &HUB_INSTANCE.log(&tuples(recorded)))
            .verify(&[])
            .assert(0, &[(verdict, 1)]);
    }
    // The NIC of a virtual machine has the MAC address that an export names.
    let of_vm = Observer { mac: "000D3A5B1101", ..HUB_INSTANCE };
    more_subnets()
        .evidence("hub.json", &of_vm.log(&tuples(&[for_vms, for_others, to_endpoint()])))
        .verify(&[])
        .assert(0, &[("covered_unconfirmed", 1)]);
}

#[test]
fn a_capture_is_of_the_firewall_that_its_file_or_folder_is_named_after() {
    let packets = capture(&[by_a()]);
    for (path, firewall, verdict) in [
        ("azfw-a.pcap", json!("azfw-a"), "covered"),
        ("AZFW-A/tap.pcap", json!("azfw-a"), "covered"),
        ("azfw-b/azfw-a.cap.pcap", json!("azfw-a"), "covered"),
        ("azfw-b.pcap", json!("azfw-b"), "covered_unconfirmed"),
    ] {
        let lab = lab();
        let file = lab.path().join("evidence").join(path);
        fs::create_dir_all(file.parent().expect("a folder")).expect("a folder");
        fs::write(file, &packets).expect(path);
        let verification = lab.verify(&[]);
        verification.assert(0, &[(verdict, 1)]);
        let source = &sources(&verification)[0];
        assert_eq!((&source.1, source.2.as_str(), source.5), (&firewall, "capture", 1), "{path}");
    }
    // Of which of two firewalls it is nobody can tell.
    let lab = lab();
    fs::write(lab.path().join("evidence/tap.pcap"), &packets).expect("a file");
    let verification = lab.verify(&[]);
    assert_eq!(sources(&verification)[0].1, Value::Null);
    assert!(verification.stderr.contains("does not tell which"), "{}", verification.stderr);
}

#[test]
fn where_there_is_one_firewall_a_capture_is_of_that_one() {
    let lab = with_gateway(None);
    fs::write(lab.path().join("evidence/tap.pcap"), capture(&[to_endpoint()])).expect("a file");
    let verification = lab.verify(&[]);
    verification.assert(0, &[("covered", 1)]);
    assert_eq!(sources(&verification)[0].1, json!("azfw"));
}

#[test]
fn neither_the_bound_on_memory_nor_the_number_of_threads_changes_what_evidence_shows() {
    let flows: Vec<Flow> = (0..200)
        .map(|at| flow(60 + at, "10.11.0.4", 50_000 + at as u16, "10.12.0.4", 443))
        .collect();
    let lab = lab()
        .flows("more", SPOKE, &flows)
        .evidence("hub.json", &INSTANCE.log(&tuples(&flows[..150])))
        .evidence("b.json", &B.log(&tuples(&flows[100..])));
    fs::write(lab.path().join("evidence/azfw-a.pcap"), capture(&flows[50..180])).expect("a file");
    let whole = lab.verify(&["--threads", "1"]);
    for more in [&["--threads", "3"][..], &["--threads", "2", "--memory", "1"]] {
        assert_eq!(lab.verify(more).json, whole.json, "{more:?}");
    }
}

#[test]
fn evidence_may_come_through_standard_input() {
    let log = A.log(&tuples(&[inbound(by_a())]));
    let line = super::two_hubs::logged_by("azfw-a", &[by_a().network_rule()]);
    let run = |input: &[u8], more: &[&str]| {
        let lab = lab();
        let mut child = Command::new(env!("CARGO_BIN_EXE_nexthop"))
            .current_dir(lab.path())
            .args(["verify", "--routes", "snapshot", "--policy", "policy.toml"])
            .args(["--evidence", "-", "--no-progress", "--format", "json"])
            .args(more)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .expect("the program runs");
        // A program that refuses does not read.
        let _ = child.stdin.take().expect("is piped").write_all(input);
        child.wait_with_output().expect("the program ends")
    };
    for input in [log.as_bytes(), line.as_bytes(), &capture(&[by_a()])] {
        let output = run(input, &["--require", "spoke-to-spoke", "traffic"]);
        let report: Value = serde_json::from_slice(&output.stdout).expect("JSON");
        assert_eq!(report["evidence_sources"][0]["path"], "-", "{report}");
        assert_eq!(report["evidence_sources"][0]["records"], 1, "{report}");
    }
    let output = run(log.as_bytes(), &["traffic"]);
    let report: Value = serde_json::from_slice(&output.stdout).expect("JSON");
    assert_eq!(report["totals"]["covered"]["flows"], 1, "{report}");
    for twice in [&["-"][..], &["--evidence", "-", "traffic"]] {
        let output = run(log.as_bytes(), twice);
        let said = String::from_utf8_lossy(&output.stderr);
        assert_eq!(output.status.code(), Some(2), "{said}");
        assert!(said.contains("standard input (-) can be read once"), "{said}");
    }
}
