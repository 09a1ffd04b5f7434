//! Generated work, through the command line: the program says what the truth beside it says, sum by
//! sum and row by row, and a seed gives the same bytes on every machine.

#![forbid(unsafe_code)]
#![cfg(feature = "cli")]

use std::fs;
use std::path::Path;
use std::process::Command;

use serde_json::Value;

#[test]
fn flow_logs_are_labelled_as_their_truth_says() {
    for seed in [1, 2] {
        let folder = tempfile::tempdir().expect("a temporary folder");
        generate(&folder.path().join("new"), seed, &["--tuples", "20000", "--expected-rows"]);
        assert_as_expected(&folder.path().join("new"), "flow-log", "blobs");
    }
}

#[test]
fn captures_are_labelled_as_their_truth_says() {
    for (seed, more, name) in [
        (1, &["--packet-size", "64"][..], "traffic.pcap"),
        (2, &["--packet-size", "imix", "--pcapng"], "traffic.pcapng"),
        // All packets in a few flows, and every family in equal parts.
        (3, &["--flows", "40", "--ipv6", "50", "--nics", "3"], "traffic.pcap"),
    ] {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let args = [&["--packets", "20000", "--expected-rows"], more].concat();
        generate(&folder.path().join("new"), seed, &args);
        assert_as_expected(&folder.path().join("new"), "capture", name);
    }
}

#[test]
fn small_tables_and_one_nic_are_labelled_as_their_truth_says() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let small = ["--nics", "1", "--routes-per-table", "0", "--tuples", "500", "--packets", "500"];
    let args = [&small[..], &["--expected-rows", "--ipv6", "30"]].concat();
    generate(&folder.path().join("new"), 5, &args);
    assert_as_expected(&folder.path().join("new"), "flow-log", "blobs");
    assert_as_expected(&folder.path().join("new"), "capture", "traffic.pcap");
}

/// The truth must not be an easy one.
#[test]
fn the_truth_has_every_class_and_what_is_hard_to_read() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let new = folder.path().join("new");
    generate(&new, 1, &["--tuples", "20000", "--packets", "20000", "--expected-rows"]);
    for traffic in ["flow-log", "capture"] {
        let expected = read_json(&new.join(traffic).join("expected.json"));
        let classes: Vec<&String> = expected["by_class"].as_object().unwrap().keys().collect();
        // `no_route` needs a table without a default, `outside_vnet` a site.
        for class in [
            "appliance",
            "dropped",
            "firewall",
            "gateway",
            "internet",
            "mixed",
            "peering",
            "platform",
            "private_endpoint",
            "service_endpoint",
            "unknown",
            "vnet",
        ] {
            assert!(
                classes.iter().any(|found| *found == class),
                "{traffic}: {class} of {classes:?}"
            );
        }
        assert!(expected["unknown"]["no_route_table"].as_u64().unwrap() > 0);
    }
    let tuples = fs::read_to_string(new.join("flow-log/expected.csv")).unwrap();
    for part in
        [",Begin,", ",Continue,", ",End,", ",Deny,", ",Inbound,", ",Outbound,", ",X,", "2603:"]
    {
        assert!(tuples.contains(part), "{part}");
    }
    let macs: usize = blobs(&new).len();
    assert!(macs > 14, "the gateway, twelve NICs, and instances that no export holds: {macs}");
    let flows = fs::read_to_string(new.join("capture/expected.csv")).unwrap();
    assert!(flows.contains(",,17,"), "later fragments have no ports");
    assert!(read_json(&new.join("capture/expected.json"))["not_applicable"]["not_ip"].is_u64());
}

#[test]
fn a_seed_gives_the_same_bytes_for_ever() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let args = ["--tuples", "3000", "--packets", "3000", "--expected-rows", "--nics", "5"];
    let digest = |name: &str, seed, more: &[&str]| {
        let new = folder.path().join(name);
        generate(&new, seed, &[&args[..], more].concat());
        digest_below(&new)
    };
    let first = digest("first", 7, &[]);
    assert_eq!(first, digest("again", 7, &[]));
    assert_ne!(first, digest("other", 8, &[]));
    // Who changes a shape changes these numbers, and knows that every recorded run is void.
    assert_eq!(first, 8_369_212_910_943_114_400);
    assert_eq!(
        digest("pcapng", 7, &["--pcapng", "--packet-size", "imix"]),
        2_967_139_378_860_643_260
    );
}

#[test]
fn a_folder_with_something_in_it_is_left_alone() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    fs::write(folder.path().join("mine"), "x").unwrap();
    let run = nexthop()
        .args(["generate", "--seed", "1", "--tuples", "10", "-o"])
        .arg(folder.path())
        .output()
        .expect("the program runs");
    assert_eq!(run.status.code(), Some(2));
    assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 1);
}

fn nexthop() -> Command {
    Command::new(env!("CARGO_BIN_EXE_nexthop"))
}

fn generate(folder: &Path, seed: u64, args: &[&str]) {
    let run = nexthop()
        .args(["generate", "--seed", &seed.to_string(), "--output"])
        .arg(folder)
        .args(args)
        .output()
        .expect("the program runs");
    assert!(run.status.success(), "{}", String::from_utf8_lossy(&run.stderr));
}

/// Classifies traffic as JSON and as CSV, and compares both with what stands beside it.
fn assert_as_expected(new: &Path, traffic: &str, input: &str) {
    let folder = new.join(traffic);
    let expected = read_json(&folder.join("expected.json"));
    let got: Value =
        serde_json::from_slice(&classify(new, &folder.join(input), &["--format", "json"]))
            .expect("a summary");
    for (key, want) in expected.as_object().expect("an object") {
        assert_eq!(got[key], *want, "{traffic}: {key}");
    }
    let want = fs::read_to_string(folder.join("expected.csv")).expect("rows");
    let columns = want.lines().next().expect("a header");
    let got = classify(new, &folder.join(input), &["--format", "csv", "--columns", columns]);
    let got = String::from_utf8(got).expect("CSV is UTF-8");
    for (line, (got, want)) in got.lines().zip(want.lines()).enumerate() {
        assert_eq!(got, want, "{traffic}: line {}", line + 1);
    }
    assert_eq!(got.lines().count(), want.lines().count());
}

fn classify(new: &Path, input: &Path, args: &[&str]) -> Vec<u8> {
    let run = nexthop()
        .args(["classify", "--strict", "--routes"])
        .arg(new.join("snapshot"))
        .arg(input)
        .args(args)
        .output()
        .expect("the program runs");
    assert!(run.status.success(), "{}", String::from_utf8_lossy(&run.stderr));
    run.stdout
}

fn read_json(path: &Path) -> Value {
    serde_json::from_slice(&fs::read(path).expect("a file")).expect("JSON")
}

fn blobs(new: &Path) -> Vec<String> {
    files_below(new).into_iter().filter(|name| name.ends_with("PT1H.json")).collect()
}

/// FNV-1a over the names and bytes of all files, in the order of their names.
fn digest_below(folder: &Path) -> u64 {
    let mut digest = 0xCBF2_9CE4_8422_2325_u64;
    for name in files_below(folder) {
        let bytes = fs::read(folder.join(&name)).expect("a file");
        for byte in name.bytes().chain([0]).chain(bytes) {
            digest = (digest ^ u64::from(byte)).wrapping_mul(0x0000_0100_0000_01B3);
        }
    }
    digest
}

/// The files below a folder, sorted, with `/` between names.
fn files_below(folder: &Path) -> Vec<String> {
    let mut files = Vec::new();
    let mut folders = vec![String::new()];
    while let Some(below) = folders.pop() {
        for entry in fs::read_dir(folder.join(&below)).expect("a folder") {
            let entry = entry.expect("an entry");
            let name = entry.file_name().into_string().expect("UTF-8");
            let shown = if below.is_empty() { name } else { format!("{below}/{name}") };
            let kind = entry.file_type().expect("a kind");
            if kind.is_dir() { folders.push(shown) } else { files.push(shown) }
        }
    }
    files.sort();
    files
}
