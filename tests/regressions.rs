//! The fuzz targets without a fuzzer: over everything that was ever found, and over seeds made of
//! the scenarios.
//!
//! `NEXTHOP_SEEDS=1 cargo test --test regressions` writes the seeds to `fuzz/corpus/`.

#![forbid(unsafe_code)]

mod support;
#[path = "../fuzz/targets/mod.rs"]
mod targets;

use std::fs;
use std::path::Path;

use support::capture::packets_of;
use support::corpus::files_below;
use support::in_repository;
use targets::TARGETS;

#[test]
fn what_was_found_stays_mended() {
    let found = in_repository("fuzz/regressions");
    for (target, run) in TARGETS {
        let folder = found.join(target);
        for path in if folder.is_dir() { files_below(&folder) } else { Vec::new() } {
            println!("{}", path.display());
            run(&fs::read(&path).expect("a regression can be read"));
        }
    }
    for path in files_below(&found) {
        let target = path.parent().and_then(Path::file_name).expect("stands in a folder");
        let is_known = TARGETS.iter().any(|(name, _)| target == *name);
        assert!(is_known || path.ends_with("README.md"), "{}: of no target", path.display());
    }
}

#[test]
fn seeds_find_nothing() {
    let mut count = 0;
    for (target, name, seed) in seeds() {
        println!("{target} {name}");
        targets::run(target, &seed);
        if std::env::var_os("NEXTHOP_SEEDS").is_some() {
            let folder = in_repository("fuzz/corpus").join(target);
            fs::create_dir_all(&folder).expect("the corpus can be made");
            fs::write(folder.join(name), seed).expect("the corpus takes files");
        }
        count += 1;
    }
    assert!(count > 40, "only {count} seeds");
    for (target, _) in TARGETS {
        assert!(seeds().iter().any(|seed| seed.0 == target), "{target} has no seed");
    }
}

/// Targets with names and contents of their seeds.
fn seeds() -> Vec<(&'static str, String, Vec<u8>)> {
    let mut seeds = Vec::new();
    let mut add = |target, name: String, options: &[u8], content: &[u8]| {
        seeds.push((target, name, [options, content].concat()));
    };
    for path in files_below(&in_repository("captures")) {
        let bytes = fs::read(&path).expect("a scenario can be read");
        let name = path.file_name().expect("is a file").to_string_lossy().into_owned();
        match path.extension().and_then(|extension| extension.to_str()) {
            Some("pcap") => {
                // A few packets are enough: fuzzers want small seeds.
                let packets = packets_of(&bytes);
                let end = 24 + packets[..3].iter().map(|each| 16 + each.bytes.len()).sum::<usize>();
                for option in 0..4 {
                    let name = format!("{name}-{option}");
                    add("capture_container", name, &[option, 0x3F], &bytes[..end]);
                }
                for (index, packet) in packets.iter().take(12).enumerate() {
                    let name = format!("{name}-{index}");
                    let length = packet.bytes.len().min(200);
                    let packet = &packet.bytes[..length];
                    add("frame", name.clone(), &[0, 0x3F, 0], packet);
                    let blocks = [&[1, 0, 3, length as u8][..], packet].concat();
                    add("pcapng_blocks", name, &[index as u8, 0x3F, index as u8], &blocks);
                }
            }
            _ if path.parent().is_some_and(|folder| folder.ends_with("evidence")) => {
                let length = bytes.len().min(2000);
                add("firewall_log", name, &[0, 0], &bytes[..length]);
            }
            Some("json") if name == "PT1H.json" => {
                let length = bytes.len().min(3000);
                add("flow_log_json", name.clone(), &[1, 0], &bytes[..length]);
                let tuple = br#""1737397091000,10.0.0.4,10.9.0.1,50000,443,6,O,E,NX,3,300,2,200""#;
                for option in 1..4 {
                    add("flow_log_json", format!("{name}-{option}"), &[option, option], tuple);
                }
            }
            Some("json") => {
                add("effective_routes_json", name.clone(), &[0], &bytes);
                add("effective_routes_text", name, &[], &bytes);
            }
            Some("txt" | "csv") if path.components().any(|part| part.as_os_str() == "snapshot") => {
                add("effective_routes_text", name, &[], &bytes);
            }
            Some("toml") => add("settings_toml", name, &[], &bytes),
            _ => {}
        }
    }
    let row = br#"{"source":"User","state":"Active","addressPrefix":["10.0.0.0/8"],"nextHopIpAddress":["10.0.1.4"],"nextHopType":"VirtualAppliance"}"#;
    add("effective_routes_json", "row".into(), &[1], row);
    let values = br#""Protocol":"TCP","SourceIp":"10.0.0.4","SourcePort":5,"DestinationPort":443"#;
    add("firewall_log", "values".into(), &[1, 1], values);
    let message =
        b"TCP request from 10.0.0.4:5 to 10.1.0.4:443 was DNAT'ed to 10.2.0.4:8443. Rule: r";
    add("firewall_log", "message".into(), &[1, 2], message);
    let row = b"2025-01-20T18:18:11Z,AZFWNatRule,TCP,10.0.0.4,5,10.1.0.4,443.0,\"a\"\"b\"\n";
    add("firewall_log", "csv".into(), &[1, 3], row);
    let row = b"2025-01-20T18:18:11Z  10.0.0.4     10.1.0.4           Allow\n";
    add("firewall_log", "table".into(), &[1, 4], row);
    add("firewall_log", "rest".into(), &[1, 5], br#"["2025-01-20T18:18:11Z","10.0.0.4"]]}]}"#);
    add("firewall_log", "noise".into(), &[1, 6], b"}]\xEF\xBB\xBF,{\"x\":1}");
    add("effective_routes_json", "prefixes".into(), &[2], br#"["10.0.0.0/8","Storage"]"#);
    add("effective_routes_json", "word".into(), &[3], br#""VnetLocal""#);
    let routes =
        [[8, 1, 0, 0, 10, 0, 0, 0], [24, 2, 0, 0, 10, 1, 2, 0], [64, 3, 0, 1, 32, 1, 13, 184]];
    let sum: usize = routes.as_flattened().iter().map(|&byte| usize::from(byte)).sum();
    for engine in [0, 0xFF] {
        // One that picks the large engine, by the value of its last route.
        let missing = (64 - (sum + usize::from(engine)) % 64) as u8;
        let mut routes = routes;
        routes[2][2] += missing;
        add("lpm_equals_naive", format!("routes-{engine}"), &[engine], routes.as_flattened());
    }
    seeds
}
