//! What may be typed after `replay`, and how it ends.

use std::fs;

use super::lab::{Connection, Files, Lab};
use super::verify_lab::Observer;
use crate::recipes::azure::Shape;
use crate::recipes::estates::GatewayTransit;

const LOG: Observer = Observer { mac: "000D3A5B3301", vnet: "spoke1", subnet: Some("web") };

fn files() -> Files {
    GatewayTransit::SOUND.files(Shape::Flat)
}

fn lab() -> Lab {
    Lab::new(&files(), &files()).log(
        "log",
        LOG,
        'O',
        &[Connection::new("10.1.0.4", 50_000, "10.2.0.4")],
    )
}

#[track_caller]
fn assert_usage(lab: &Lab, args: &[&str], words: &str) {
    let output = lab.run(args);
    let stderr = String::from_utf8(output.stderr).expect("UTF-8");
    assert_eq!(output.status.code(), Some(2), "{args:?}: {stderr}");
    assert!(stderr.contains(words), "{args:?}: {words:?} is not in {stderr}");
    assert!(output.stdout.is_empty(), "{args:?}");
}

const SIDES: [&str; 5] = ["--before", "before", "--after", "after", "traffic"];

#[test]
fn a_bad_snapshot_is_named_by_its_side() {
    let lab = lab();
    lab.write("broken/network.json", b"[{\"type\": \"Microsoft.Network/virtualNetworks\",");
    for (before, after, words) in [
        ("broken", "after", "--before: "),
        ("before", "broken", "--after: "),
        ("before", "nowhere", "--after: "),
        ("nowhere", "after", "--before: "),
    ] {
        assert_usage(&lab, &["--before", before, "--after", after, "traffic"], words);
    }
}

#[test]
fn a_bad_map_is_named_with_its_text() {
    let lab = lab();
    for (map, words) in [
        ("10.2.0.4", "`10.2.0.4` is not OLD=NEW"),
        ("10.2.0.4=web", "`web` is no address"),
        ("10.2.0.0/24=10.3.0.0/25", "10.2.0.0/24 and 10.3.0.0/25"),
    ] {
        let args = [&SIDES[..], &["--map-destination", map]].concat();
        assert_usage(&lab, &args, words);
        assert_usage(&lab, &args, "--map-destination");
    }
    let twice =
        ["--map-destination", "10.2.0.4=10.3.0.1", "--map-destination", "10.2.0.4=10.3.0.2"];
    assert_usage(
        &lab,
        &[&SIDES[..], &twice].concat(),
        "--map-destination: 10.2.0.4/32 is moved twice",
    );
    let packets = ["--map-destination", "10.2.0.4=10.3.0.1", "--per", "packet"];
    assert_usage(&lab, &[&SIDES[..], &packets].concat(), "--per packet");
}

#[test]
fn what_does_not_go_together_is_a_usage_error() {
    let lab = lab();
    for (more, words) in [
        (&["--fail-on-new-findings"][..], "needs --policy or --require"),
        (&["--require", "all-private", "--per", "tuple"], "a policy judges flows"),
        (&["--require", "everything"], "everything"),
        (&["-o", "rows.xlsx"], ".csv, .jsonl or .parquet"),
        (&["-o", "rows.csv", "--columns", "Nope"], "there is no column `Nope`"),
        (&["--from", "nobody"], "--before: --from: no route table is named `nobody`"),
    ] {
        assert_usage(&lab, &[&SIDES[..], more].concat(), words);
    }
    assert_usage(&lab, &["--before", "before", "traffic"], "--after");
}

#[test]
fn damage_and_useless_inputs_end_as_everywhere() {
    let lab = lab();
    lab.write("traffic/broken.pcap", b"no capture");
    lab.write("cut.pcap", &[0xD4, 0xC3, 0xB2, 0xA1, 2, 0, 4, 0]);
    let code = |args: &[&str]| lab.run(args).status.code();
    assert_eq!(code(&SIDES), Some(0), "a file of a folder that is no traffic is passed over");
    assert_eq!(code(&["--before", "before", "--after", "after", "traffic/broken.pcap"]), Some(4));
    let sides = ["--before", "before", "--after", "after"];
    assert_eq!(code(&[&sides[..], &["traffic", "cut.pcap"]].concat()), Some(3));
    let within = [&sides[..], &["traffic", "cut.pcap", "--max-skipped", "9"]].concat();
    assert_eq!(code(&within), Some(0));
}

#[test]
fn rows_that_change_are_written_with_both_labels() {
    let none = GatewayTransit { spoke1_routes: &[], ..GatewayTransit::SOUND };
    let lab = Lab::new(&files(), &none.files(Shape::Flat)).log(
        "log",
        LOG,
        'O',
        &[
            Connection::new("10.1.0.4", 50_000, "10.2.0.4"),
            Connection::new("10.1.0.4", 50_001, "203.0.113.9"),
        ],
    );
    let columns = "SrcPort,DestIp,MatchedPrefix,NextHopClass,AfterDestIp,AfterMatchedPrefix,\
                   AfterRouteSource,AfterNextHopType,AfterNextHopClass,ChangeReason";
    for threads in ["1", "8"] {
        let more = ["-o", "rows.csv", "--columns", columns, "--threads", threads];
        assert_eq!(lab.run(&[&SIDES[..], &more].concat()).status.code(), Some(0));
        let rows = fs::read_to_string(lab.path().join("rows.csv")).expect("was written");
        let want = "50000,10.2.0.4,10.2.0.0/16,gateway,10.2.0.4,10.0.0.0/8,Default,None,dropped,\
                    route_removed";
        assert_eq!(rows, format!("{columns}\n{want}\n"));
    }
    for file in ["rows.jsonl", "rows.parquet"] {
        assert_eq!(lab.run(&[&SIDES[..], &["-o", file]].concat()).status.code(), Some(0));
        assert!(fs::metadata(lab.path().join(file)).expect("was written").len() > 0);
    }
}

#[test]
fn standard_input_and_compressed_traffic_are_inputs() {
    use std::io::Write as _;
    use std::process::{Command, Stdio};

    let lab = lab();
    let log = fs::read(lab.path().join("traffic/log.json")).expect("was written");
    let mut child = Command::new(env!("CARGO_BIN_EXE_nexthop"))
        .current_dir(lab.path())
        .args(["replay", "--before", "before", "--after", "after", "--format", "json", "-"])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .expect("the program starts");
    child.stdin.take().expect("is piped").write_all(&log).expect("the program reads");
    let output = child.wait_with_output().expect("the program ends");
    let json: serde_json::Value = serde_json::from_slice(&output.stdout).expect("JSON");
    assert_eq!((&json["records"], &json["inputs"][0]["path"]), (&1.into(), &"-".into()));
    lab.write("traffic/log.json.zst", &zstd::encode_all(&log[..], 1).expect("memory takes it"));
    assert_eq!(lab.replay(&[]).json["records"], 2);
}

#[test]
fn the_help_lists_the_reasons_of_changes_and_the_exit_codes() {
    let output = lab().run(&["--help"]);
    let help = String::from_utf8(output.stdout).expect("UTF-8");
    for words in ["route_removed: ", "destination_moved: ", "owner_changed: ", "1  findings"] {
        assert!(help.contains(words), "{words:?} is not in {help}");
    }
}

/// An address that was the firewall's and is nobody's any more.
#[test]
fn a_firewall_that_is_gone_changes_what_its_address_means() {
    use super::verify_lab::{edit, files_of};
    use crate::recipes::estates;

    let name = "private link: network policies and a route as long as the VNet";
    let before = files_of(estates::private_link(), name);
    let mut after = before.clone();
    edit(&mut after, "edge.json", |edge| {
        let resources = edge.as_array_mut().expect("a flat list");
        resources.retain(|one| one["name"] != "azfw");
    });
    let observer = Observer { mac: "000D3A5B1101", vnet: "hub", subnet: None };
    let connections = [Connection::new("10.13.76.132", 50_000, "10.13.77.6")];
    let replay = Lab::new(&before, &after).log("vm", observer, 'O', &connections).replay(&[]);
    replay.assert_changes(&[(("firewall", "dropped"), 1)]);
    assert_eq!(replay.reasons("firewall", "dropped"), ["owner_changed".to_owned()].into());
}

/// What is kept as evidence names what it was made from.
#[test]
fn the_json_names_every_file_with_its_hash_and_the_version() {
    use std::collections::BTreeSet;

    use sha2::{Digest, Sha256};

    let lab = lab()
        .policy("[[require]]\nfrom = [\"any\"]\nto = [\"any\"]\nvia = \"direct\"\nname = \"x\"\n");
    let json = lab.replay(&["--policy", "policy.toml"]).json;
    assert_eq!(json["version"], env!("CARGO_PKG_VERSION"));
    let listed = ["inputs", "files"].iter().flat_map(|list| json[list].as_array().expect("a list"));
    let mut names = BTreeSet::new();
    for file in listed {
        let path = file["path"].as_str().expect("a path");
        let content = fs::read(lab.path().join(path)).expect("was read");
        let hash: String =
            Sha256::digest(&content).iter().map(|byte| format!("{byte:02x}")).collect();
        assert_eq!(file["sha256"], hash, "{path}");
        assert!(names.insert(path.to_owned()), "{path} stands once");
    }
    let want = ["edge.json", "network.json", "routetables.json"]
        .iter()
        .flat_map(|name| [format!("after/{name}"), format!("before/{name}")])
        .chain(["policy.toml".to_owned(), "traffic/log.json".to_owned()]);
    assert_eq!(names, want.collect());
}

/// The two published tables of the lab, each for every source, as they were printed.
#[test]
fn single_exports_are_tables_for_every_source() {
    let table = |name: &str| {
        let path = format!("{}/captures/private-link/snapshot/{name}", env!("CARGO_MANIFEST_DIR"));
        fs::read(path).expect("the scenario has it")
    };
    let connections =
        ["10.13.77.6", "10.13.77.7", "10.50.0.1", "10.13.76.9", "8.8.8.8", "192.168.0.4"]
            .map(|destination| Connection::new("172.31.0.1", 50_000, destination));
    let lab = Lab::new(&Files::new(), &Files::new()).capture("any", &connections);
    lab.write("long.txt", &table("hubvmVMNic.txt"));
    lab.write("broad.json", &table("gwproxyVMNic.json"));
    let output =
        lab.run(&["--before", "long.txt", "--after", "broad.json", "--format", "json", "traffic"]);
    let json: serde_json::Value = serde_json::from_slice(&output.stdout).expect("JSON");
    let changes: Vec<[&str; 3]> = json["flows"]
        .as_array()
        .expect("a list")
        .iter()
        .map(|flow| ["destination", "before", "after"].map(|key| flow[key].as_str().expect(key)))
        .collect();
    // Nothing tells that the appliance is a firewall.
    assert_eq!(
        changes,
        [
            ["10.13.77.6", "appliance", "private_endpoint"],
            ["10.13.77.7", "appliance", "peering"],
            ["10.50.0.1", "dropped", "appliance"],
        ]
    );
}
