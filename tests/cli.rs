//! The command line as its users meet it: what is printed where, and how a run ends.

#![forbid(unsafe_code)]
#![cfg(feature = "cli")]

mod support;

use std::fs;
use std::io::Write;
use std::path::Path;
use std::process::{Command, Stdio};

use serde_json::{Value, json};
use support::capture::{ETHERNET, Packet, pcap, udp};
use support::program::{Run, nexthop};
use tempfile::TempDir;

const TABLE: &str = "\
Source    State    Address Prefix    Next Hop Type     Next Hop IP
--------  -------  ----------------  ----------------  -------------
Default   Active   10.0.0.0/16       VnetLocal
User      Active   10.9.0.0/16       VirtualAppliance  10.0.1.4
";

const SETTINGS: &str = "\
# The table's file does not say who uses it.
[[table]]
file = \"vm1.txt\"
sources = [\"10.0.0.0/24\"]
";

const TUPLES: [&str; 3] = [
    "1737397091000,10.0.0.4,10.9.0.1,50000,443,6,O,B,NX,0,0,0,0",
    "1737397092000,10.0.0.4,10.9.0.1,50000,443,6,O,E,NX,3,300,2,200",
    "1737397093000,10.0.0.4,10.0.0.5,50001,53,17,O,B,NX,0,0,0,0",
];

/// A folder with a snapshot and traffic, in which the program runs.
struct Folder(TempDir);

impl Folder {
    fn new() -> Self {
        let folder = Self(tempfile::tempdir().expect("a temporary folder"));
        folder.write("snapshot/vm1.txt", TABLE);
        folder.write("snapshot/nexthop.toml", SETTINGS);
        folder.write("log.json", flow_log(&TUPLES));
        folder.write("two.pcap", pcap(ETHERNET, &two_packets()));
        folder
    }

    fn write(&self, name: &str, content: impl AsRef<[u8]>) {
        let path = self.path().join(name);
        fs::create_dir_all(path.parent().expect("is in the folder")).expect("a folder");
        fs::write(path, content).expect("the folder takes files");
    }

    fn path(&self) -> &Path {
        self.0.path()
    }

    /// Runs a line of words; ones with blanks in them go through [`Self::command`].
    fn run(&self, line: &str) -> Run {
        self.run_with_input(line, b"")
    }

    fn run_with_input(&self, line: &str, input: &[u8]) -> Run {
        let words: Vec<&str> = line.split_whitespace().collect();
        Run::with_input(&mut self.command(&words), input)
    }

    fn command(&self, words: &[&str]) -> Command {
        let mut command = nexthop(words);
        command.current_dir(self.path());
        command
    }

    /// Runs `classify` and returns its books.
    fn books(&self, arguments: &str) -> Value {
        let run = self.run(&format!("classify -r snapshot --format json {arguments}"));
        serde_json::from_str(&run.stdout).unwrap_or_else(|_| panic!("{arguments}: {}", run.stderr))
    }
}

fn flow_log(tuples: &[&str]) -> String {
    json!({"records": [{
        "category": "FlowLogFlowEvent", "flowLogVersion": 4, "macAddress": "000D3A000001",
        "flowRecords": {"flows": [{"aclID": "a", "flowGroups": [
            {"rule": "r", "flowTuples": tuples}]}]}
    }]})
    .to_string()
}

/// An export of one row, as the REST API writes it.
fn route(prefix: &str) -> String {
    json!({"value": [{
        "source": "Default", "state": "Active", "addressPrefix": [prefix],
        "nextHopType": "VnetLocal", "nextHopIpAddress": []
    }]})
    .to_string()
}

fn two_packets() -> [Packet; 2] {
    let client = ("10.0.0.4".parse().expect("an address"), 40_000);
    let server = ("10.9.0.1".parse().expect("an address"), 53);
    [udp(1_000_000, client, server, 10), udp(2_000_000, server, client, 20)]
}

#[test]
fn every_ending_has_its_code_and_its_words() {
    let folder = Folder::new();
    folder.write("broken/vm.json", route("10.0.0.0/61"));
    folder.write("cut/vm.json", &route("10.0.0.0/16")[..120]);
    let hub_row = r#"{"value": [{"addressPrefixes": ["10.0.0.0/16"], "asPath": "65000",
        "nextHops": ["/a/virtualHubs/hub"], "nextHopType": "Remote Hub", "routeOrigin": "/a/hub"}]}"#;
    folder.write("hub/hub.json", hub_row);
    folder.write("settings/vm.txt", TABLE);
    folder.write("settings/nexthop.toml", "[[firewall]]\nname = 1\n");
    folder.write("two_tables/a.txt", TABLE);
    folder.write("two_tables/b.txt", TABLE);
    folder.write("empty/README", "nothing here");
    folder.write("noise", b"\x00\x01\x02\x03noise");
    folder.write("header.pcap", pcap(ETHERNET, &[]));
    folder.write("cut.pcap", &pcap(ETHERNET, &two_packets())[..150]);
    for (line, code, words) in [
        // Fine.
        ("--help", 0, ""),
        ("--version", 0, ""),
        ("classify --help", 0, ""),
        ("classify -r snapshot log.json two.pcap", 0, ""),
        ("classify -r snapshot header.pcap", 0, ""),
        ("classify -r snapshot/vm1.txt log.json", 0, ""),
        ("classify -r snapshot --from VM1 log.json", 0, ""),
        ("explain -r snapshot 10.0.0.9", 0, ""),
        ("explain -r snapshot 8.8.8.8", 0, ""),
        ("explain -r snapshot 168.63.129.16", 0, ""),
        ("routes -r snapshot", 0, ""),
        ("routes -r snapshot --table vm1", 0, ""),
        ("completions bash", 0, ""),
        ("man", 0, ""),
        // What was typed.
        ("", 2, "Usage:"),
        ("clasify", 2, "unrecognized subcommand 'clasify'"),
        ("classify log.json", 2, "--routes"),
        ("classify -r snapshot", 2, "<INPUT>"),
        ("classify -r snapshot log.json --memory 0", 2, "a size is a whole number"),
        ("classify -r snapshot log.json --max-skipped 101%", 2, "from 0% to 100%"),
        ("classify -r snapshot log.json --decapsulate vxlan", 2, "`vxlan` is no tunnel"),
        ("classify -r snapshot log.json --columns SrcIp,", 2, "a column name is empty"),
        ("classify -r snapshot log.json --columns SrcIp,srcip", 2, "`SrcIp` is named twice"),
        (
            "classify -r snapshot log.json --columns NextHop",
            2,
            "there is no column `NextHop` (did you mean NextHopIp?)",
        ),
        (
            "classify -r snapshot log.json -o rows.xlsx",
            2,
            "rows.xlsx: rows are written to .csv, .jsonl or .parquet",
        ),
        ("classify -r snapshot log.json -o rows.csv --format csv", 2, "not both"),
        ("classify -r snapshot log.json -o no/rows.csv", 2, "no/rows.csv"),
        ("classify -r snapshot log.json -o log.json", 2, "log.json"),
        ("explain -r snapshot example.org", 2, "example.org"),
        ("explain -r two_tables 10.0.0.9", 2, "name one of: a, b"),
        ("explain -r two_tables --from c 10.0.0.9", 2, "no route table is named `c`"),
        ("classify -r two_tables --from c log.json", 2, "no route table is named `c`"),
        ("routes -r snapshot --table vm2", 2, "no route table is named `vm2`"),
        ("routes -r snapshot --compare", 2, "--compare"),
        // Paths that are not there.
        ("classify -r snapshot nowhere.pcap", 2, "nowhere.pcap: cannot be read"),
        ("classify -r nowhere log.json", 2, "nowhere: no such file or folder"),
        ("explain -r nowhere 10.0.0.9", 2, "nowhere: no such file or folder"),
        ("routes -r nowhere", 2, "nowhere: no such file or folder"),
        // Snapshots that would give wrong labels.
        ("classify -r broken log.json", 2, "broken/vm.json: $.value[0].addressPrefix[0]"),
        ("explain -r cut 10.0.0.9", 2, "cut/vm.json: "),
        ("routes -r hub", 2, "hub/hub.json: effective routes of a virtual hub"),
        ("routes -r hub/hub.json", 2, "hub/hub.json: effective routes of a virtual hub"),
        ("classify -r settings log.json", 2, "settings/nexthop.toml: "),
        ("routes -r empty", 2, "empty: no effective route table; found README"),
        ("routes -r two.pcap", 2, "two.pcap (a packet capture)"),
        // Inputs.
        ("classify -r snapshot cut.pcap", 3, "1 of 2 records are damaged"),
        ("classify -r snapshot log.json noise", 3, "1 of 4 records are damaged"),
        ("classify -r snapshot noise", 4, "no usable input"),
        ("classify -r snapshot snapshot", 4, "no usable input"),
        ("classify -r snapshot empty", 4, "no usable input"),
    ] {
        let run = folder.run(line);
        assert_eq!(run.code, code, "{line}\n{}", run.stderr);
        assert_eq!(run.stderr.is_empty(), words.is_empty(), "{line}\n{}", run.stderr);
        assert!(run.stderr.contains(words), "{line}\n{}", run.stderr);
        if code == 2 {
            assert_eq!(run.stdout, "", "{line}");
        }
        let is_help = line.is_empty();
        assert!(code == 0 || is_help || run.stderr.contains("error: "), "{line}\n{}", run.stderr);
    }
}

#[test]
fn help_documents_every_code_and_reason() {
    let help = Folder::new().run("classify --help").success();
    for words in ["   0  fine", "   1  findings", "   2  usage", "   3  input damaged", "   4  no"]
    {
        assert!(help.contains(words), "{words}");
    }
    for reason in [
        "not_ip, unsupported_link_type, other_log_category, no_data_block",
        "truncated, malformed_packet, malformed_tuple, malformed_record, unsupported_version,",
        "no_route_table, unknown_observer, ambiguous_source, unresolved_service_tag, fastpath",
    ] {
        let words = help.split_whitespace().collect::<Vec<_>>().join(" ");
        assert!(words.contains(reason), "{reason}");
    }
}

/// One record of four is broken: a state that no version knows.
#[test]
fn damage_is_measured_against_the_limit() {
    let folder = Folder::new();
    let broken = TUPLES[0].replace(",B,", ",Q,");
    folder.write("log.json", flow_log(&[TUPLES[0], &broken, TUPLES[1], TUPLES[2]]));
    for (options, code, words) in [
        ("", 3, "error: 1 of 4 records are damaged, more than --max-skipped allows"),
        ("--max-skipped 0", 3, "error: 1 of 4"),
        ("--max-skipped 1", 0, "warning: 1 of 4 records are damaged, within --max-skipped"),
        ("--max-skipped 24.999999%", 3, "error: 1 of 4"),
        ("--max-skipped 25%", 0, "warning: 1 of 4"),
        ("--max-skipped 1%", 3, "error: 1 of 4"),
        ("--max-skipped 25% --strict", 3, "error: 1 of 4 records are damaged, and --strict"),
        ("--strict", 3, "error: 1 of 4"),
        ("--max-skipped 25% --quiet", 0, ""),
        ("--quiet", 3, "error: 1 of 4"),
    ] {
        let run = folder.run(&format!("classify -r snapshot log.json --format json {options}"));
        assert_eq!(run.code, code, "{options}: {}", run.stderr);
        assert!(run.stderr.starts_with(words), "{options}: {}", run.stderr);
        assert_eq!(run.stderr.is_empty(), words.is_empty(), "{options}: {}", run.stderr);
        // Everything else is reported whatever the code.
        let books: Value = serde_json::from_str(&run.stdout).expect("the summary is JSON");
        assert_eq!(books["records_read"], 4, "{options}");
        assert_eq!(books["classified"], 3, "{options}");
        assert_eq!(books["damaged"], json!({"malformed_tuple": 1}), "{options}");
    }
}

#[test]
fn the_summary_of_tiny_inputs() {
    let books = Folder::new().books("log.json two.pcap");
    assert_eq!(
        books,
        json!({
            "schema": 1,
            "inputs": [
                {
                    "path": "log.json", "format": "vnet_v4",
                    "bytes_read": flow_log(&TUPLES).len(),
                    "records_read": 3, "classified": 3,
                    "unknown": {}, "not_applicable": {}, "damaged": {},
                },
                {
                    "path": "two.pcap", "format": "pcap",
                    // The file's header, and two records of 16 bytes and a frame.
                    "bytes_read": 24 + 2 * (16 + 14 + 28) + 10 + 20,
                    "records_read": 2, "classified": 2,
                    "unknown": {}, "not_applicable": {}, "damaged": {},
                },
            ],
            "bytes_read": flow_log(&TUPLES).len() + 170,
            "records_read": 5, "classified": 5,
            "unknown": {}, "not_applicable": {}, "damaged": {},
            "by_class": {
                "appliance": {"flows": 3, "packets": 7, "bytes": 614},
                "vnet": {"flows": 1, "packets": 0, "bytes": 0},
            },
            "by_next_hop": [
                {
                    "next_hop_type": "VirtualAppliance", "next_hop_ips": ["10.0.1.4"],
                    "next_hop_name": null, "class": "appliance",
                    "flows": 3, "packets": 7, "bytes": 614,
                },
                {
                    "next_hop_type": "VnetLocal", "next_hop_ips": [],
                    "next_hop_name": null, "class": "vnet",
                    "flows": 1, "packets": 0, "bytes": 0,
                },
            ],
        })
    );
}

#[test]
fn rows_in_the_columns_that_were_asked_for() {
    let folder = Folder::new();
    let line = "classify -r snapshot log.json two.pcap --format csv \
                --columns nexthopclass,SrcIp,DestPort,FlowTime,SourceFile,SourceRecord";
    let rows = "\
NextHopClass,SrcIp,DestPort,FlowTime,SourceFile,SourceRecord
appliance,10.0.0.4,443,2025-01-20T18:18:11.000000Z,log.json,1
appliance,10.0.0.4,443,2025-01-20T18:18:12.000000Z,log.json,2
vnet,10.0.0.4,53,2025-01-20T18:18:13.000000Z,log.json,3
appliance,10.0.0.4,53,1970-01-01T00:00:01.000000Z,two.pcap,1
";
    assert_eq!(folder.run(line).success(), rows);
    assert_eq!(folder.run(&format!("{line} --threads 3")).success(), rows);
    let to_file = line.replace("--format csv", "-o rows.csv");
    folder.run(&to_file).success();
    assert_eq!(fs::read_to_string(folder.path().join("rows.csv")).expect("rows"), rows);
    let packets = "classify -r snapshot two.pcap --per packet --format jsonl --columns DestIp";
    assert_eq!(
        folder.run(packets).success(),
        "{\"DestIp\":\"10.9.0.1\"}\n{\"DestIp\":\"10.0.0.4\"}\n"
    );
}

#[test]
fn standard_input_and_compressed_inputs_are_the_same_traffic() {
    let folder = Folder::new();
    let rows = "classify -r snapshot --format csv --columns FlowTime,SrcIp,DestIp,NextHopClass";
    for name in ["log.json", "two.pcap"] {
        let bytes = fs::read(folder.path().join(name)).expect("was written");
        let want = folder.run(&format!("{rows} {name}")).success();
        let mut gzip = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
        gzip.write_all(&bytes).expect("memory takes it");
        let gzip = gzip.finish().expect("memory takes it");
        let zstandard = zstd::encode_all(&bytes[..], 1).expect("memory takes it");
        // Names tell nothing.
        folder.write("packed.bin", &gzip);
        folder.write("packed.csv", &zstandard);
        for packed in ["packed.bin", "packed.csv"] {
            assert_eq!(folder.run(&format!("{rows} {packed}")).success(), want, "{name} {packed}");
        }
        for input in [&bytes, &gzip, &zstandard] {
            let run = folder.run_with_input(&format!("{rows} -"), input);
            assert_eq!(run.success(), want, "{name}");
        }
        let cut = folder.run_with_input(&format!("{rows} -"), &gzip[..gzip.len() - 1]);
        assert_eq!(cut.code, 3, "a packed input that was cut is damaged: {}", cut.stderr);
    }
    let run = folder
        .run_with_input("classify -r snapshot - --format json", &flow_log(&TUPLES).into_bytes());
    let books: Value = serde_json::from_str(&run.success()).expect("the summary is JSON");
    assert_eq!(books["inputs"][0]["path"], "-");
}

#[test]
fn folders_are_read_whole_and_in_order() {
    let folder = Folder::new();
    for name in ["logs/b/PT1H.json", "logs/a b/PT1H.json", "logs/z.json"] {
        folder.write(name, flow_log(&TUPLES));
    }
    folder.write("logs/README.md", "# notes");
    folder.write("logs/.hidden.json", flow_log(&TUPLES));
    // Other JSON beside logs is no damage; only a named file is held to be traffic.
    folder.write("logs/routes.json", format!("[{}]", route("0.0.0.0/0")));
    let paths = |books: &Value| -> Vec<String> {
        let inputs = books["inputs"].as_array().expect("is a list");
        inputs.iter().map(|input| input["path"].as_str().expect("is a text").to_owned()).collect()
    };
    for typed in ["logs", "logs/"] {
        let books = folder.books(typed);
        assert_eq!(paths(&books), ["logs/a b/PT1H.json", "logs/b/PT1H.json", "logs/z.json"]);
        assert_eq!(books["records_read"], 9);
    }
    let verbose = folder.run("classify -r snapshot logs -v");
    for name in ["README.md", "routes.json"] {
        let note = format!("logs/{name}: ignored: no capture and no flow log");
        assert!(verbose.stderr.contains(&note), "{}", verbose.stderr);
    }
    assert_eq!(folder.run("classify -r snapshot logs/routes.json").code, 3);
    // The output of an earlier run in the same folder is no input.
    folder.run("classify -r snapshot logs -o logs/rows.jsonl").success();
    assert_eq!(folder.books("logs -o logs/rows.jsonl")["records_read"], 9);
}

#[test]
fn a_run_that_fails_leaves_the_old_output_alone() {
    let folder = Folder::new();
    folder.write("noise", b"\x00noise");
    for line in ["noise", "nowhere.json", "log.json -r nowhere", "log.json --from nobody"] {
        folder.write("rows.csv", "old");
        let routes = if line.contains("-r ") { "" } else { "-r snapshot" };
        let run = folder.run(&format!("classify {routes} {line} -o rows.csv"));
        assert_ne!(run.code, 0, "{line}");
        assert_eq!(fs::read(folder.path().join("rows.csv")).expect("rows"), b"old", "{line}");
    }
    // Damage is reported with all the rest, and the rest is published.
    let broken = TUPLES[0].replace(",B,", ",Q,");
    folder.write("log.json", flow_log(&[&broken, TUPLES[1]]));
    let run = folder.run("classify -r snapshot log.json -o rows.csv --columns SrcIp");
    assert_eq!(run.code, 3, "{}", run.stderr);
    assert_eq!(fs::read(folder.path().join("rows.csv")).expect("rows"), b"SrcIp\n10.0.0.4\n");
    let left: Vec<_> = fs::read_dir(folder.path())
        .expect("the folder is there")
        .map(|entry| entry.expect("an entry").file_name().to_string_lossy().into_owned())
        .filter(|name| {
            !["log.json", "noise", "rows.csv", "snapshot", "two.pcap"].contains(&&**name)
        })
        .collect();
    assert_eq!(left, [""; 0], "temporary files stay behind");
}

#[test]
fn one_object_a_line_explains_each_destination() {
    let folder = Folder::new();
    let printed =
        folder.run("explain -r snapshot --format json 10.9.0.1 8.8.8.8 168.63.129.16").success();
    let answers: Vec<Value> =
        printed.lines().map(|line| serde_json::from_str(line).expect(line)).collect();
    let decision = |answer: &Value| {
        ["destination", "next_hop_class", "next_hop_type", "matched_prefix", "reason"]
            .map(|key| answer[key].clone())
    };
    assert_eq!(
        answers.iter().map(decision).collect::<Vec<_>>(),
        [
            ["10.9.0.1", "appliance", "VirtualAppliance", "10.9.0.0/16", "longest_prefix"]
                .map(Value::from),
            [json!("8.8.8.8"), json!("no_route"), Value::Null, Value::Null, json!("no_route")],
            [
                json!("168.63.129.16"),
                json!("platform"),
                Value::Null,
                Value::Null,
                json!("platform")
            ],
        ]
    );
    assert!(answers.iter().all(|answer| answer["schema"] == 1));
}

/// The pipe is closed before the program writes into it.
#[test]
fn a_closed_pipe_is_success() {
    let folder = Folder::new();
    folder.write("damaged.json", flow_log(&["no tuple"]));
    for (line, code) in [
        ("--help", 0),
        ("classify -r snapshot log.json", 0),
        ("classify -r snapshot log.json --format json", 0),
        ("classify -r snapshot log.json --format csv", 0),
        ("classify -r snapshot two.pcap --format jsonl --per packet", 0),
        ("explain -r snapshot 10.0.0.9", 0),
        ("explain -r snapshot 10.0.0.9 --format json", 0),
        ("routes -r snapshot", 0),
        ("routes -r snapshot --format json", 0),
        ("routes -r snapshot --format csv", 0),
        ("routes -r snapshot --table vm1", 0),
        ("routes -r snapshot --table vm1 --format json", 0),
        ("routes -r snapshot --table vm1 --format csv", 0),
        ("completions zsh", 0),
        ("man", 0),
        // What was wrong before anything was written stays wrong.
        ("classify -r snapshot damaged.json", 3),
        ("routes -r nowhere", 2),
    ] {
        let (reader, writer) = std::io::pipe().expect("a pipe");
        drop(reader);
        let words: Vec<&str> = line.split_whitespace().collect();
        let output = folder.command(&words).stdout(writer).output().expect("the program runs");
        let stderr = String::from_utf8_lossy(&output.stderr);
        assert_eq!(output.status.code(), Some(code), "{line}: {stderr}");
        assert_eq!(stderr.is_empty(), code == 0, "{line}: {stderr}");
    }
}

/// `… | head -1` reads a little of much.
#[test]
fn a_pipe_that_closes_early_is_success() {
    let folder = Folder::new();
    folder.write("many.json", flow_log(&TUPLES.repeat(20_000)));
    for format in ["csv", "jsonl"] {
        let mut child = folder
            .command(&["classify", "-r", "snapshot", "many.json", "--format", format])
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .expect("the program starts");
        let mut first = [0];
        let mut stdout = child.stdout.take().expect("is piped");
        std::io::Read::read_exact(&mut stdout, &mut first).expect("something is printed");
        drop(stdout);
        let output = child.wait_with_output().expect("the program ends");
        let stderr = String::from_utf8_lossy(&output.stderr);
        assert_eq!((output.status.code(), &*stderr), (Some(0), ""), "{format}");
    }
}

#[cfg(unix)]
#[test]
fn names_of_files_cannot_steer_a_terminal() {
    let folder = Folder::new();
    let evil = "a\u{1b}]0;b\u{7}\u{202e}\u{85}.json";
    folder.write(evil, flow_log(&["no tuple"]));
    folder.write(&format!("snapshots/{evil}"), route("10.0.0.0/61"));
    folder.write(&format!("evil{evil}/vm.txt"), TABLE);
    let evil_routes = format!("evil{evil}");
    for words in [
        &["classify", "-r", "snapshot", evil][..],
        &["classify", "-v", "-r", "snapshot", evil],
        &["classify", "-r", "snapshot", evil, "--format", "json"],
        &["classify", "-r", "snapshot", evil, "-o", evil],
        &["classify", "-r", evil, "log.json"],
        &["classify", "-r", "snapshots", "log.json"],
        &["classify", "-r", &evil_routes, "log.json", "-v"],
        &["classify", "-r", "snapshot", "log.json", "--from", evil],
        &["classify", "-r", "snapshot", "log.json", "--columns", evil],
        &["explain", "-r", &evil_routes, "10.0.0.9", "--from", evil],
        &["explain", "-r", &evil_routes, evil],
        &["routes", "-r", "snapshots"],
        &["routes", "-r", &evil_routes, "--table", evil],
        &[evil],
    ] {
        let run = Run::of(&mut folder.command(words));
        assert!(run.stderr.len() + run.stdout.len() > 0, "{words:?}");
        for text in [run.stdout, run.stderr] {
            let is_steering = |letter: &char| {
                let is_bidirectional =
                    matches!(letter, '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}');
                letter.is_control() && !matches!(letter, '\n' | '\t') || is_bidirectional
            };
            assert_eq!(text.chars().find(is_steering), None, "{words:?}: {text:?}");
        }
    }
}
