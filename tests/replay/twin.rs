//! Generated traffic under generated routes and a change of them, against a naive twin: every row
//! classified twice, and the labels compared.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::Path;
use std::process::Command;

use serde_json::{Map, Value};

use super::lab::assert_inverse;
use crate::random::SplitMix64;

type Row = Map<String, Value>;

/// A generated estate below a folder, and the same with its routes changed.
struct Twins {
    folder: tempfile::TempDir,
}

impl Twins {
    fn new(seed: u64, more: &[&str]) -> Self {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let twins = Self { folder };
        let seed_text = seed.to_string();
        let small = ["--routes-per-table", "40"];
        let args = [&["generate", "--seed", &seed_text, "-o", "new"], &small[..], more].concat();
        twins.run(&args);
        let mut random = SplitMix64(seed);
        let before = twins.folder.path().join("new/snapshot");
        change(&before, &twins.folder.path().join("changed"), &mut random);
        twins
    }

    fn run(&self, args: &[&str]) -> Vec<u8> {
        let output = Command::new(env!("CARGO_BIN_EXE_nexthop"))
            .current_dir(self.folder.path())
            .args(args)
            .output()
            .expect("the program runs");
        let stderr = String::from_utf8_lossy(&output.stderr);
        assert_eq!(output.status.code(), Some(0), "{args:?}: {stderr}");
        output.stdout
    }

    fn json(&self, args: &[&str]) -> Value {
        serde_json::from_slice(&self.run(args)).expect("JSON")
    }

    fn replay(&self, before: &str, after: &str, args: &[&str]) -> Value {
        let sides = ["replay", "-q", "--before", before, "--after", after, "--max-skipped", "100%"];
        self.json(&[&sides[..], &["--format", "json"], args].concat())
    }

    fn classified(&self, snapshot: &str, args: &[&str]) -> (Vec<Row>, Value) {
        let base = ["classify", "-q", "-r", snapshot, "--max-skipped", "100%", "--format"];
        let rows = self.run(&[&base[..], &["jsonl"], args].concat());
        let rows = String::from_utf8(rows).expect("UTF-8");
        let rows = rows.lines().map(|line| serde_json::from_str(line).expect("a row")).collect();
        (rows, self.json(&[&base[..], &["json"], args].concat()))
    }

    /// Holds a replay of an input against the twin, and against its own inverse.
    fn assert_equals_twin(&self, args: &[&str]) -> u64 {
        const SIDES: (&str, &str) = ("new/snapshot", "changed");
        let json = self.replay(SIDES.0, SIDES.1, args);
        let ((before, books), (after, books_after)) =
            (self.classified(SIDES.0, args), self.classified(SIDES.1, args));
        assert_eq!(before.len(), after.len());
        let mut want = Expected::default();
        for (before, after) in before.iter().zip(&after) {
            want.add(before, after);
        }
        want.assert_holds(&json);
        for key in ["records_read", "classified", "unknown", "not_applicable", "damaged"] {
            assert_eq!(json[key], books[key], "{key}");
        }
        for key in ["classified", "unknown"] {
            assert_eq!(json["after"][key], books_after[key], "{key} after");
        }
        self.assert_rows(&want, args);
        for threads in ["1", "8"] {
            let other = self.replay(SIDES.0, SIDES.1, &[args, &["--threads", threads]].concat());
            assert!(other == json, "{threads} threads say something else");
        }
        assert_inverse(&json, &self.replay(SIDES.1, SIDES.0, args));
        want.changed.len() as u64
    }

    /// Holds what `-o` writes: exactly the rows that change, in their order, with both labels.
    fn assert_rows(&self, want: &Expected, args: &[&str]) {
        let sides = ["--before", "new/snapshot", "--after", "changed", "--max-skipped", "100%"];
        self.run(&[&["replay", "-q"][..], &sides, &["-o", "rows.jsonl"], args].concat());
        let rows = fs::read_to_string(self.folder.path().join("rows.jsonl")).expect("was written");
        let rows: Vec<Row> =
            rows.lines().map(|line| serde_json::from_str(line).expect("a row")).collect();
        assert_eq!(rows.len(), want.changed.len());
        for (row, (before, after)) in rows.iter().zip(&want.changed) {
            for (key, value) in before {
                assert_eq!(row[key], *value, "{key}");
            }
            for column in LABEL {
                assert_eq!(row[&format!("After{column}")], after[column], "{column} after");
            }
        }
    }
}

/// The columns that a label fills.
const LABEL: [&str; 10] = [
    "RouteTableId",
    "RouteTableBasis",
    "LookupIp",
    "MatchedPrefix",
    "RouteSource",
    "NextHopType",
    "NextHopIp",
    "NextHopName",
    "NextHopClass",
    "PeerNextHopClass",
];

/// What a replay must say, row by row.
#[derive(Default)]
struct Expected {
    changed: Vec<(Row, Row)>,
    transitions: BTreeMap<(String, String), [u64; 3]>,
    flows: BTreeMap<String, [u64; 3]>,
    other_route: u64,
    way_back: u64,
    all: u64,
}

impl Expected {
    fn add(&mut self, before: &Row, after: &Row) {
        let identity = |row: &Row| (row["SourceFile"].clone(), row["SourceRecord"].clone());
        assert_eq!(identity(before), identity(after), "both classifications give the same rows");
        self.all += 1;
        if goes_to(before) == goes_to(after) {
            let route = |row: &Row| (row["MatchedPrefix"].clone(), row["RouteSource"].clone());
            self.other_route += u64::from(route(before) != route(after));
            let [before, after] = [before, after].map(|row| &row["PeerNextHopClass"]);
            self.way_back += u64::from(!before.is_null() && !after.is_null() && before != after);
            return;
        }
        let sum =
            |a: &str, b: &str| before[a].as_u64().unwrap_or(0) + before[b].as_u64().unwrap_or(0);
        let sums = [
            1,
            sum("PacketsSrcToDest", "PacketsDestToSrc"),
            sum("BytesSrcToDest", "BytesDestToSrc"),
        ];
        let class = |row: &Row| row["NextHopClass"].as_str().expect("a word").to_owned();
        let flow = ["SrcIp", "SrcPort", "DestIp", "DestPort", "ProtocolNumber", "FlowDirection"]
            .map(|key| before[key].clone());
        let labels = [before, after].map(|row| ROUTE.map(|key| row[key].clone()));
        add(self.transitions.entry((class(before), class(after))).or_default(), sums);
        let flow = serde_json::to_string(&(flow, labels)).expect("JSON");
        add(self.flows.entry(flow).or_default(), sums);
        self.changed.push((before.clone(), after.clone()));
    }

    fn assert_holds(&self, json: &Value) {
        assert_eq!(json["changed"], self.changed.len());
        assert_eq!(json["all"]["flows"], self.all);
        assert_eq!(json["other_route"]["flows"], self.other_route);
        assert_eq!(json["way_back"]["flows"], self.way_back);
        let sums =
            |one: &Value| ["flows", "packets", "bytes"].map(|key| one[key].as_u64().expect(key));
        let list = |key: &str| json[key].as_array().expect("a list").iter();
        let transitions: BTreeMap<_, _> = list("transitions")
            .map(|one| {
                let word = |key: &str| one[key].as_str().expect("a class").to_owned();
                ((word("before"), word("after")), sums(one))
            })
            .collect();
        assert_eq!(transitions, self.transitions);
        let flows: BTreeMap<String, [u64; 3]> = list("flows")
            .map(|one| {
                let flow = [
                    "source",
                    "source_port",
                    "destination",
                    "destination_port",
                    "protocol",
                    "direction",
                ]
                .map(|key| one[key].clone());
                let labels = ["before_route", "after_route"].map(|side| route_of(&one[side]));
                (serde_json::to_string(&(flow, labels)).expect("JSON"), sums(one))
            })
            .collect();
        assert_eq!(flows.len(), list("flows").count(), "each flow stands once");
        assert_eq!(flows, self.flows);
        let bytes: Vec<u64> = list("flows").map(|one| sums(one)[2]).collect();
        assert!(bytes.is_sorted_by(|a, b| a >= b), "the most bytes first");
    }
}

/// The columns of a row that tell a route.
const ROUTE: [&str; 8] = [
    "RouteTableId",
    "RouteTableBasis",
    "MatchedPrefix",
    "RouteSource",
    "NextHopType",
    "NextHopIp",
    "NextHopName",
    "NextHopClass",
];

/// The same of the JSON, as a row has it.
fn route_of(route: &Value) -> [Value; 8] {
    let ips: Vec<&str> = route["next_hop_ips"]
        .as_array()
        .expect("a list")
        .iter()
        .map(|ip| ip.as_str().expect("an address"))
        .collect();
    let ips = if ips.is_empty() { Value::Null } else { ips.join(" ").into() };
    let basis = route["route_table_basis"].as_str().unwrap_or("none");
    [
        route["route_table_id"].clone(),
        basis.into(),
        route["matched_prefix"].clone(),
        route["route_source"].clone(),
        route["next_hop_type"].clone(),
        ips,
        route["next_hop_name"].clone(),
        route["next_hop_class"].clone(),
    ]
}

/// Where a row's packets go: the class, with the addresses or, without any, Azure's word and a name.
fn goes_to(row: &Row) -> (Value, Value, Value, Value) {
    let [class, ips, kind, name] =
        ["NextHopClass", "NextHopIp", "NextHopType", "NextHopName"].map(|key| row[key].clone());
    if ips.is_null() { (class, ips, kind, name) } else { (class, ips, Value::Null, Value::Null) }
}

fn add(sums: &mut [u64; 3], more: [u64; 3]) {
    sums.iter_mut().zip(more).for_each(|(sum, more)| *sum += more);
}

/// Copies a snapshot: some NICs get the tables of others, some tables lose rows, one table is gone,
/// and the firewall may be nobody's.
fn change(from: &Path, to: &Path, random: &mut SplitMix64) {
    let settings = fs::read_to_string(from.join("nexthop.toml")).expect("was generated");
    let mut files: Vec<&str> = settings
        .lines()
        .filter_map(|line| line.strip_prefix("file = \"")?.strip_suffix('"'))
        .collect();
    let known: BTreeSet<&str> = files.iter().copied().collect();
    random.shuffle(&mut files[..known.len() / 2]);
    let mut next = files.into_iter();
    let mut changed: Vec<String> = settings
        .lines()
        .map(|line| match line.starts_with("file = \"") {
            true => format!("file = \"{}\"", next.next().expect("as many as before")),
            false => line.to_owned(),
        })
        .collect();
    if random.below(2) == 0 {
        changed.retain(|line| !line.starts_with("addresses = [\"10.0.1.4\"]"));
        let place = changed.iter().position(|line| line == "[[firewall]]").expect("a firewall");
        changed.insert(place + 1, "addresses = [\"10.0.2.4\", \"10.0.2.5\"]".to_owned());
    }
    // The sources of the last table have none any more.
    let last = changed.iter().rposition(|line| line.starts_with("sources = ")).expect("a table");
    changed[last] = "sources = [\"mac:000D3ADEAD00\"]".to_owned();
    write(&to.join("nexthop.toml"), changed.join("\n"));
    for file in known {
        let text = fs::read_to_string(from.join(file)).expect("was generated");
        write(&to.join(file), with_fewer_rows(file, &text, random));
    }
}

fn with_fewer_rows(file: &str, text: &str, random: &mut SplitMix64) -> String {
    let mut is_kept = || random.below(6) != 0;
    if file.ends_with(".json") {
        let mut json: Value = serde_json::from_str(text).expect("JSON");
        let rows = if json.is_array() { &mut json } else { &mut json["value"] };
        rows.as_array_mut().expect("rows").retain(|_| is_kept());
        return json.to_string();
    }
    let headers = if file.ends_with(".csv") { 1 } else { 2 };
    let lines = text.lines().enumerate().filter(|(index, _)| *index < headers || is_kept());
    lines.map(|(_, line)| format!("{line}\n")).collect()
}

fn write(path: &Path, text: String) {
    fs::create_dir_all(path.parent().expect("is below a folder")).expect("a folder");
    fs::write(path, text).expect("the folder takes files");
}

#[test]
fn flow_logs_change_as_their_twice_classified_rows_do() {
    for seed in 1..=3 {
        let twins = Twins::new(seed, &["--tuples", "800", "--nics", "6", "--ipv6", "30"]);
        let tuples = twins.assert_equals_twin(&["new/flow-log/blobs"]);
        let flows = twins.assert_equals_twin(&["new/flow-log/blobs", "--per", "flow"]);
        assert!(tuples > 100 && flows > 50 && flows < tuples, "seed {seed}: {tuples}, {flows}");
    }
}

#[test]
fn captures_change_as_their_twice_classified_rows_do() {
    for seed in 11..=12 {
        let twins = Twins::new(seed, &["--packets", "1500", "--nics", "6", "--ipv6", "30"]);
        let flows = twins.assert_equals_twin(&["new/capture/traffic.pcap"]);
        let packets = twins.assert_equals_twin(&["new/capture/traffic.pcap", "--per", "packet"]);
        assert!(flows > 10 && packets > 10 * flows, "seed {seed}: {flows}, {packets}");
    }
}

#[test]
fn the_memory_bound_changes_no_sum() {
    let twins = Twins::new(21, &["--tuples", "2000", "--packets", "2000", "--nics", "6"]);
    let sides = ("new/snapshot", "changed");
    for input in [&["new/flow-log/blobs"][..], &["new/flow-log/blobs", "--per", "flow"]] {
        let free = twins.replay(sides.0, sides.1, input);
        let bounded = twins.replay(sides.0, sides.1, &[input, &["--memory", "1"]].concat());
        assert!(free == bounded, "flows of logs wait in files, and are the same: {input:?}");
    }
    let input = ["new/capture/traffic.pcap"];
    let free = twins.replay(sides.0, sides.1, &input);
    let bounded = twins.replay(sides.0, sides.1, &[&input[..], &["--memory", "1"]].concat());
    assert_eq!(bounded["has_partial_flows"], true);
    for key in ["changed_sums", "all", "other_route"] {
        for sum in ["packets", "bytes"] {
            assert_eq!(free[key][sum], bounded[key][sum], "{sum} of {key}");
        }
    }
    assert_eq!(free["records"], bounded["records"]);
}
