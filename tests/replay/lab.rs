//! Two snapshots and traffic in a temporary folder, replayed by the program as its users run it.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::net::Ipv4Addr;
use std::path::Path;
use std::process::Command;

use pcap_file::pcap::{PcapPacket, PcapWriter};
use serde_json::Value;
use tempfile::TempDir;

use super::verify_lab::{Observer, START_MS};
use crate::recipes::{ACK, Packet, SYN, TCP};

pub type Files = Vec<(String, Vec<u8>)>;

/// A folder with `before`, `after` and `traffic`.
pub struct Lab {
    folder: TempDir,
}

/// What a run said.
pub struct Replay {
    pub code: i32,
    pub json: Value,
    pub text: String,
}

/// A TCP connection to port 443; it carries 14 packets and 6,500 bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Connection {
    pub source: Ipv4Addr,
    pub source_port: u16,
    pub destination: Ipv4Addr,
}

/// Source, destination, and the classes of both next hops.
pub type Change = (String, String, String, String);

impl Lab {
    pub fn new(before: &Files, after: &Files) -> Self {
        let lab = Self { folder: tempfile::tempdir().expect("a temporary folder") };
        for (side, files) in [("before", before), ("after", after)] {
            for (name, content) in files {
                lab.write(&format!("{side}/{name}"), content);
            }
        }
        lab
    }

    pub fn path(&self) -> &Path {
        self.folder.path()
    }

    pub fn write(&self, path: &str, content: &[u8]) {
        let path = self.path().join(path);
        fs::create_dir_all(path.parent().expect("is below the folder")).expect("a folder");
        fs::write(&path, content).expect("the folder takes files");
    }

    pub fn policy(self, text: &str) -> Self {
        self.write("policy.toml", text.as_bytes());
        self
    }

    /// Writes a flow log of connections that an observer recorded, a tuple each.
    pub fn log(
        self,
        name: &str,
        observer: Observer,
        direction: char,
        connections: &[Connection],
    ) -> Self {
        let tuples: Vec<String> = (0..)
            .zip(connections)
            .map(|(second, connection)| connection.tuple(second, direction))
            .collect();
        self.write(&format!("traffic/{name}.json"), observer.log(&tuples).as_bytes());
        self
    }

    /// Writes a capture of connections: a SYN and a packet of data each.
    pub fn capture(self, name: &str, connections: &[Connection]) -> Self {
        let mut writer = PcapWriter::new(Vec::new()).expect("memory takes a header");
        for (second, connection) in (0..).zip(connections) {
            for (flags, payload_length, at) in [(SYN, 0, 0), (ACK, 400, 7)] {
                let frame = connection.packet(flags, payload_length).frame();
                let time = std::time::Duration::from_millis(START_MS + second * 1000 + at);
                let length = u32::try_from(frame.len()).expect("a packet is small");
                let packet = PcapPacket::new(time, length, &frame);
                writer.write_packet(&packet).expect("memory takes packets");
            }
        }
        self.write(&format!("traffic/{name}.pcap"), &writer.into_writer());
        self
    }

    /// Replays all traffic, on several numbers of threads, which must not matter.
    pub fn replay(&self, more: &[&str]) -> Replay {
        self.replay_between("before", "after", more)
    }

    /// Replays all traffic the other way round.
    pub fn rollback(&self, more: &[&str]) -> Replay {
        self.replay_between("after", "before", more)
    }

    fn replay_between(&self, before: &str, after: &str, more: &[&str]) -> Replay {
        let run = |args: &[&str]| {
            let mut all = vec!["--before", before, "--after", after, "traffic"];
            all.extend(args);
            all.extend(more);
            self.run(&all)
        };
        let json = run(&["--format", "json", "--threads", "1"]);
        for threads in ["2", "8"] {
            let other = run(&["--format", "json", "--threads", threads]);
            assert!(other.stdout == json.stdout, "{threads} threads say something else");
        }
        let stderr = String::from_utf8(json.stderr).expect("UTF-8");
        Replay {
            code: json.status.code().expect("was not ended by a signal"),
            json: serde_json::from_slice(&json.stdout)
                .unwrap_or_else(|error| panic!("{error}: {stderr}")),
            text: String::from_utf8(run(&["--format", "text"]).stdout).expect("UTF-8"),
        }
    }

    /// Runs `replay` in the folder.
    pub fn run(&self, args: &[&str]) -> std::process::Output {
        Command::new(env!("CARGO_BIN_EXE_nexthop"))
            .current_dir(self.path())
            .args(["replay", "--no-progress"])
            .args(args)
            .output()
            .expect("the program runs")
    }
}

impl Replay {
    /// The changed rows by the classes of both next hops.
    pub fn transitions(&self) -> BTreeMap<(String, String), u64> {
        let transitions = self.json["transitions"].as_array().expect("a list");
        let transitions = transitions.iter().map(|one| {
            ((word(one, "before"), word(one, "after")), one["flows"].as_u64().expect("a count"))
        });
        transitions.collect()
    }

    /// Every changed flow.
    pub fn changes(&self) -> BTreeSet<Change> {
        let flows = self.json["flows"].as_array().expect("a list");
        let changes = flows.iter().map(|flow| {
            (
                word(flow, "source"),
                word(flow, "destination"),
                word(flow, "before"),
                word(flow, "after"),
            )
        });
        changes.collect()
    }

    /// The reasons of the changes from one class to another.
    pub fn reasons(&self, before: &str, after: &str) -> BTreeSet<String> {
        let flows = self.json["flows"].as_array().expect("a list").iter();
        flows
            .filter(|flow| flow["before"] == before && flow["after"] == after)
            .map(|flow| word(flow, "reason"))
            .collect()
    }

    /// Holds that exactly these rows change, and that all sums agree with one another.
    #[track_caller]
    pub fn assert_changes(&self, want: &[((&str, &str), u64)]) -> &Self {
        let want: BTreeMap<(String, String), u64> = want
            .iter()
            .map(|&((before, after), rows)| ((before.to_owned(), after.to_owned()), rows))
            .collect();
        assert_eq!(self.transitions(), want, "{}", self.text);
        let rows: u64 = want.values().sum();
        assert_eq!(self.json["changed"], rows);
        for list in ["transitions", "route_changes", "flows"] {
            for key in ["flows", "packets", "bytes"] {
                let all = self.json[list].as_array().expect("a list").iter();
                let sum: u64 = all.map(|one| one[key].as_u64().expect("a count")).sum();
                assert_eq!(self.json["changed_sums"][key], sum, "{key} of {list}");
            }
        }
        assert_eq!(
            self.json["changed_flows"].as_u64(),
            Some(self.json["flows"].as_array().expect("a list").len() as u64)
        );
        self
    }

    /// Holds that the page for people says something.
    #[track_caller]
    pub fn assert_says(&self, words: &str) -> &Self {
        let page = self.text.split_whitespace().collect::<Vec<_>>().join(" ");
        assert!(page.contains(words), "{words:?} is not in\n{}", self.text);
        self
    }
}

/// The object that the opposite replay must print: every before is an after.
pub fn inverse(json: &Value) -> Value {
    let mut json = json.clone();
    let object = json.as_object_mut().expect("an object");
    for list in ["transitions", "route_changes", "flows"] {
        for one in object[list].as_array_mut().expect("a list") {
            let one = one.as_object_mut().expect("an object");
            for (old, new) in [
                ("before", "after"),
                ("before_route", "after_route"),
                ("reason", "opposite_reason"),
            ] {
                if let (Some(before), Some(after)) = (one.remove(old), one.remove(new)) {
                    one.insert(new.to_owned(), before);
                    one.insert(old.to_owned(), after);
                }
            }
        }
    }
    let after = object["after"].take();
    let classified = std::mem::replace(&mut object["classified"], after["classified"].clone());
    let unknown = std::mem::replace(&mut object["unknown"], after["unknown"].clone());
    object["after"] = serde_json::json!({ "classified": classified, "unknown": unknown });
    for input in object["inputs"].as_array_mut().expect("a list") {
        // The books of an input alone are those of one side.
        let input = input.as_object_mut().expect("an object");
        input.remove("classified");
        input.remove("unknown");
    }
    json
}

/// Holds that one replay is the exact inverse of another; lists are compared without their order
/// where that depends on what the sides are called.
#[track_caller]
pub fn assert_inverse(forth: &Value, back: &Value) {
    let sorted = |mut json: Value| {
        for input in json["inputs"].as_array_mut().expect("a list") {
            let input = input.as_object_mut().expect("an object");
            input.remove("classified");
            input.remove("unknown");
        }
        for list in ["transitions", "route_changes", "flows"] {
            let all = json[list].as_array_mut().expect("a list");
            all.sort_by_key(Value::to_string);
        }
        json
    };
    let (forth, back) = (sorted(inverse(forth)), sorted(back.clone()));
    for (key, value) in forth.as_object().expect("an object") {
        for (index, one) in value.as_array().into_iter().flatten().enumerate() {
            assert_eq!(*one, back[key][index], "{key} {index}");
        }
        assert_eq!(*value, back[key], "{key}");
    }
    assert!(forth == back, "the keys are the same");
}

impl Connection {
    pub fn new(source: &str, source_port: u16, destination: &str) -> Self {
        let address = |text: &str| text.parse().expect(text);
        Self { source: address(source), source_port, destination: address(destination) }
    }

    fn tuple(&self, second: u64, direction: char) -> String {
        let Self { source, source_port, destination } = self;
        format!(
            "\"{},{source},{destination},{source_port},443,6,{direction},E,NX,8,1500,6,5000\"",
            START_MS + second * 1000,
        )
    }

    fn packet(&self, tcp_flags: u8, payload_length: u16) -> Packet {
        // The recipes' packets have names that live as long as the program.
        let text = |address: Ipv4Addr| -> &'static str { address.to_string().leak() };
        Packet {
            time_us: 0,
            source: (text(self.source), self.source_port),
            destination: (text(self.destination), 443),
            protocol: TCP,
            tcp_flags,
            payload_length,
        }
    }
}

fn word(value: &Value, key: &str) -> String {
    value[key].as_str().unwrap_or_else(|| panic!("{key} in {value}")).to_owned()
}
