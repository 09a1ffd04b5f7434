//! Many flows and lines at random, against a plain model of what evidence is; and that neither the
//! order of lines nor how they are spread over files matters.

use std::collections::BTreeMap;
use std::fs;
use std::net::Ipv4Addr;

use serde_json::Value;

use super::lab::{Lab, START_MS};
use super::two_hubs::{SPOKE, files, policy};
use crate::recipes::azure::id;
use crate::support::random::SplitMix64;

/// A connection between the spokes of one firewall.
#[derive(Clone, Debug)]
struct Connection {
    millisecond: u64,
    firewall: usize,
    source: Ipv4Addr,
    source_port: u16,
    destination: Ipv4Addr,
    protocol: u8,
}

/// What a log says: who wrote it, in which category, when, of which connection.
#[derive(Clone, Debug)]
struct Line {
    millisecond: u64,
    firewall: usize,
    category: &'static str,
    text: String,
}

/// Which hour of the day each category of each firewall is logged in.
type Logged = BTreeMap<(usize, &'static str), Vec<u64>>;

const FIREWALLS: [&str; 2] = ["azfw-a", "azfw-b"];
const NETWORK: &str = "AZFWNetworkRule";
const APPLICATION: &str = "AZFWApplicationRule";
const HOUR_MS: u64 = 3_600_000;

/// Connections of a port each: what has one 5-tuple is one flow of a log.
fn connections(random: &mut SplitMix64) -> Vec<Connection> {
    (0..120)
        .map(|number| {
            let firewall = random.below(2) as usize;
            let [from, to] = [[11, 12], [21, 22]][firewall];
            let host = |network, random: &mut SplitMix64| {
                Ipv4Addr::new(10, network, 0, 4 + random.below(3) as u8)
            };
            Connection {
                millisecond: 10_000 + number * 80_000 + random.below(20_000),
                firewall,
                source: host(from, random),
                source_port: 40_000 + number as u16,
                destination: host(to, random),
                protocol: if random.below(4) == 0 { 17 } else { 6 },
            }
        })
        .collect()
}

impl Connection {
    fn tuple(&self) -> String {
        let Self { millisecond, source, source_port, destination, protocol, .. } = self;
        let time = START_MS + millisecond;
        format!("\"{time},{source},{destination},{source_port},443,{protocol},O,B,NX,0,0,0,0\"")
    }

    fn line(&self, firewall: usize, category: &'static str, millisecond: u64) -> Line {
        let Self { source, source_port, destination, protocol, .. } = self;
        let to = match category {
            NETWORK => format!("\"DestinationIp\":\"{destination}\","),
            _ => "\"Fqdn\":\"example.com\",".to_owned(),
        };
        let protocol = match (category, protocol) {
            (APPLICATION, _) => "HTTPS",
            (_, 6) => "TCP",
            _ => "UDP",
        };
        let (second, rest) = (millisecond / 1000, millisecond % 1000);
        let text = format!(
            "{{\"time\":\"2025-01-20T{:02}:{:02}:{:02}.{rest:03}Z\",\"category\":\"{category}\",\
             \"resourceId\":\"{}\",\"properties\":{{\"Protocol\":\"{protocol}\",\
             \"SourceIp\":\"{source}\",\"SourcePort\":{source_port},{to}\"DestinationPort\":443,\
             \"Action\":\"Allow\"}}}}\n",
            18 + second / 3600,
            second / 60 % 60,
            second % 60,
            id("azureFirewalls", FIREWALLS[firewall]),
        );
        Line { millisecond, firewall, category, text }
    }
}

/// Some connections are logged, within the tolerance or not, by their firewall or by the other one.
fn lines(random: &mut SplitMix64, connections: &[Connection]) -> Vec<(usize, Line)> {
    let mut lines = Vec::new();
    for (number, connection) in connections.iter().enumerate() {
        let firewall = match random.below(8) {
            0..=3 => connection.firewall,
            4 => 1 - connection.firewall,
            _ => continue,
        };
        let category =
            if connection.protocol == 6 && random.below(3) == 0 { APPLICATION } else { NETWORK };
        let millisecond = connection.millisecond + random.below(14_000) - 7000;
        lines.push((number, connection.line(firewall, category, millisecond)));
    }
    lines
}

/// The plain model: what a rule that asks for any firewall makes of each connection.
fn verdict(
    connection: &Connection,
    lines: &[(usize, Line)],
    logged: &Logged,
    number: usize,
) -> &'static str {
    let of_connection = lines.iter().filter(|(of, _)| *of == number).map(|(_, line)| line);
    for line in of_connection {
        if line.millisecond.abs_diff(connection.millisecond) <= 5000 {
            return if line.firewall == connection.firewall { "covered" } else { "unexpected" };
        }
    }
    let hour = connection.millisecond / HOUR_MS;
    let covers = |category| {
        logged.get(&(connection.firewall, category)).is_some_and(|hours| hours.contains(&hour))
    };
    match covers(NETWORK) && (connection.protocol != 6 || covers(APPLICATION)) {
        true => "missing",
        false => "covered_unconfirmed",
    }
}

/// The logs as blobs of an hour; an hour without a line is in no log.
fn write(lab: &Lab, lines: &[Line]) -> Logged {
    let mut blobs: BTreeMap<(usize, &str, u64), String> = BTreeMap::new();
    for line in lines {
        let key = (line.firewall, line.category, line.millisecond / HOUR_MS);
        blobs.entry(key).or_default().push_str(&line.text);
    }
    let mut logged = Logged::new();
    for ((firewall, category, hour), text) in blobs {
        let folder = format!(
            "evidence/insights-logs-{}/{}/y=2025/m=01/d=20/h={}/m=00",
            category.to_lowercase(),
            FIREWALLS[firewall],
            18 + hour
        );
        let folder = lab.path().join(folder);
        fs::create_dir_all(&folder).expect("a folder");
        fs::write(folder.join("PT1H.json"), text).expect("a blob");
        logged.entry((firewall, category)).or_default().push(hour);
    }
    logged
}

fn lab(tuples: &[Vec<String>]) -> Lab {
    let mut lab = Lab::new(&files(None)).policy(&policy("firewall"));
    for (number, tuples) in tuples.iter().enumerate() {
        lab = lab.tuples(&format!("spokes{number}"), SPOKE, tuples);
    }
    lab
}

/// A report without what names files.
fn without_files(report: &Value) -> Value {
    let mut report = report.clone();
    for key in ["inputs", "evidence_sources"] {
        report[key] = Value::Null;
    }
    report["books"]["bytes_read"] = Value::Null;
    for finding in report["findings"].as_array_mut().expect("a list") {
        finding["evidence"] = Value::Null;
        for example in finding["examples"].as_array_mut().expect("a list") {
            example["source_file"] = Value::Null;
            example["source_record"] = Value::Null;
        }
    }
    report
}

#[test]
fn random_flows_and_lines_have_the_verdicts_of_the_plain_model() {
    for seed in 0..12 {
        let mut random = SplitMix64(seed);
        let connections = connections(&mut random);
        let mut numbered = lines(&mut random, &connections);
        // Nobody has that hour's blob.
        let lost = (random.below(2) as usize, random.below(2));
        numbered.retain(|(_, line)| (line.firewall, line.millisecond / HOUR_MS) != lost);
        let tuples: Vec<String> = connections.iter().map(Connection::tuple).collect();
        let lab = lab(&[tuples]);
        let all: Vec<Line> = numbered.iter().map(|(_, line)| line.clone()).collect();
        let logged = write(&lab, &all);
        let mut want: BTreeMap<&str, u64> = BTreeMap::new();
        for (number, connection) in connections.iter().enumerate() {
            *want.entry(verdict(connection, &numbered, &logged, number)).or_default() += 1;
        }
        assert!(want.len() == 4, "seed {seed} shows too little: {want:?}");
        let want: Vec<(&str, u64)> = want.into_iter().collect();
        let code = i32::from(want.iter().any(|(verdict, _)| *verdict == "missing"));
        println!("seed {seed}");
        lab.verify(&[]).assert(code, &want);
    }
}

#[test]
fn neither_the_order_of_lines_nor_the_files_that_they_are_in_change_what_is_found() {
    for seed in 100..104 {
        let mut random = SplitMix64(seed);
        let connections = connections(&mut random);
        let mut lines: Vec<Line> =
            lines(&mut random, &connections).into_iter().map(|(_, line)| line).collect();
        let mut tuples: Vec<String> = connections.iter().map(Connection::tuple).collect();
        let plain = lab(&[tuples.clone()]);
        write(&plain, &lines);
        let plain = plain.verify(&[]);

        // Shuffled lines: nothing but the hashes of their files differs.
        random.shuffle(&mut lines);
        let shuffled = lab(&[tuples.clone()]);
        write(&shuffled, &lines);
        let shuffled = shuffled.verify(&["--threads", "3"]);
        let without_hashes = |report: &Value| {
            let mut report = report.clone();
            for input in report["inputs"].as_array_mut().expect("inputs") {
                input["sha256"] = Value::Null;
            }
            report
        };
        assert_eq!(without_hashes(&shuffled.json), without_hashes(&plain.json), "seed {seed}");
        assert_eq!(shuffled.text, plain.text, "seed {seed}");

        // Shuffled tuples in three files: nothing but the names of files and records differs.
        random.shuffle(&mut tuples);
        let parts: Vec<Vec<String>> = tuples.chunks(41).map(<[String]>::to_vec).collect();
        let split = lab(&parts);
        write(&split, &lines);
        let split = split.verify(&[]);
        let want = without_files(&plain.json);
        assert_eq!(without_files(&split.json), want, "seed {seed}");

        // Every line in one file; then the hours of the paths must be told.
        let joined = lab(&parts);
        let text: String = lines.iter().map(|line| line.text.as_str()).collect();
        let joined = joined.evidence("all.jsonl", &text);
        let window = ["--evidence-window", "2025-01-20T18:00:00Z/2025-01-20T20:59:59.999Z"];
        let spread = lab(&parts);
        write(&spread, &lines);
        assert_eq!(
            without_files(&joined.verify(&window).json)["totals"],
            without_files(&spread.verify(&window).json)["totals"],
            "seed {seed}"
        );
    }
}
