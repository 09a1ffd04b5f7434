//! Small estates with traffic and firewall logs in a temporary folder, verified by the program as
//! its users run it.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::Path;
use std::process::Command;

use serde_json::Value;
use tempfile::TempDir;

use crate::recipes::azure::{id, subnet_id};
use crate::recipes::estates::Estate;

/// 2025-01-20T18:00:00Z in milliseconds: second 0 of every scenario here.
pub const START_MS: u64 = 1_737_396_000_000;

/// A folder with a snapshot, a policy, traffic and evidence.
pub struct Lab {
    folder: TempDir,
}

/// What a run said.
pub struct Verification {
    pub code: i32,
    pub json: Value,
    pub text: String,
    pub stderr: String,
}

/// A TCP connection that a flow log recorded: a Begin, and an End two seconds later that counts
/// 10 packets and 1,000 bytes sent, 8 packets and 800 bytes received.
#[derive(Clone, Copy)]
pub struct Flow {
    pub millisecond: u64,
    pub source: (&'static str, u16),
    pub destination: (&'static str, u16),
    pub direction: char,
}

/// Who recorded flows.
#[derive(Clone, Copy)]
pub struct Observer {
    pub mac: &'static str,
    pub vnet: &'static str,
    pub subnet: Option<&'static str>,
}

impl Lab {
    pub fn new(files: &[(String, Vec<u8>)]) -> Self {
        let folder = tempfile::tempdir().expect("a temporary folder");
        for name in ["snapshot", "traffic", "evidence"] {
            fs::create_dir(folder.path().join(name)).expect(name);
        }
        let lab = Self { folder };
        for (name, content) in files {
            lab.write(&format!("snapshot/{name}"), content);
        }
        lab
    }

    pub fn policy(self, text: &str) -> Self {
        self.write("policy.toml", text.as_bytes());
        self
    }

    pub fn settings(self, text: &str) -> Self {
        self.write("snapshot/nexthop.toml", text.as_bytes());
        self
    }

    pub fn flows(self, name: &str, observer: Observer, flows: &[Flow]) -> Self {
        let tuples: Vec<String> = flows.iter().flat_map(Flow::tuples).collect();
        self.tuples(name, observer, &tuples)
    }

    pub fn tuples(self, name: &str, observer: Observer, tuples: &[String]) -> Self {
        self.write(&format!("traffic/{name}.json"), observer.log(tuples).as_bytes());
        self
    }

    pub fn evidence(self, name: &str, text: &str) -> Self {
        self.write(&format!("evidence/{name}"), text.as_bytes());
        self
    }

    pub fn path(&self) -> &Path {
        self.folder.path()
    }

    /// Verifies everything in the folder against its policy, for people and for programs.
    pub fn verify(&self, more: &[&str]) -> Verification {
        let run = |format: &str| {
            Command::new(env!("CARGO_BIN_EXE_nexthop"))
                .current_dir(self.path())
                .args(["verify", "--routes", "snapshot", "--policy", "policy.toml"])
                .args(["--evidence", "evidence", "--no-progress", "--format", format])
                .args(more)
                .arg("traffic")
                .output()
                .expect("the program runs")
        };
        let (json, text) = (run("json"), run("text"));
        let stderr = String::from_utf8(json.stderr).expect("UTF-8");
        Verification {
            code: json.status.code().expect("was not ended by a signal"),
            json: serde_json::from_slice(&json.stdout)
                .unwrap_or_else(|error| panic!("{error}: {stderr}")),
            text: String::from_utf8(text.stdout).expect("UTF-8"),
            stderr,
        }
    }

    fn write(&self, path: &str, content: &[u8]) {
        fs::write(self.path().join(path), content).expect(path);
    }
}

impl Verification {
    /// Holds the exit code, and how many logical flows have each verdict; none has another.
    #[track_caller]
    pub fn assert(&self, code: i32, flows: &[(&str, u64)]) -> &Self {
        let totals = self.json["totals"].as_object().expect("totals");
        let got: BTreeMap<&str, u64> = totals
            .iter()
            .map(|(verdict, sums)| (verdict.as_str(), sums["flows"].as_u64().expect("a count")))
            .filter(|(_, count)| *count > 0)
            .collect();
        let want: BTreeMap<&str, u64> = flows.iter().copied().collect();
        assert_eq!(got, want, "{}\n{}", self.text, self.stderr);
        assert_eq!(self.code, code, "{}\n{}", self.text, self.stderr);
        self
    }

    /// Holds the findings: source, destination and code of each.
    #[track_caller]
    pub fn assert_findings(&self, findings: &[(&str, &str, &str)]) -> &Self {
        let word = |finding: &Value, key: &str| finding[key].as_str().expect(key).to_owned();
        let got: BTreeSet<_> = self.json["findings"]
            .as_array()
            .expect("findings")
            .iter()
            .map(|one| (word(one, "source"), word(one, "destination"), word(one, "code")))
            .collect();
        let want: BTreeSet<_> = findings
            .iter()
            .map(|(source, destination, code)| {
                (source.to_string(), destination.to_string(), code.to_string())
            })
            .collect();
        assert_eq!(got, want, "{}", self.text);
        self
    }

    /// Holds that the page for people, and every finding's message, says something.
    #[track_caller]
    pub fn assert_says(&self, words: &str) -> &Self {
        let page = self.text.split_whitespace().collect::<Vec<_>>().join(" ");
        assert!(page.contains(words), "{words:?} is not in\n{}", self.text);
        self
    }

    /// Holds what is named as never recorded: code and place.
    #[track_caller]
    pub fn assert_unobservable(&self, want: &[(&str, &str)]) -> &Self {
        let word = |one: &Value, key: &str| one[key].as_str().expect(key).to_owned();
        let got: Vec<(String, String)> = self.json["unobservable"]
            .as_array()
            .expect("a list")
            .iter()
            .map(|one| (word(one, "code"), word(one, "place")))
            .collect();
        let want: Vec<(String, String)> =
            want.iter().map(|(code, place)| (code.to_string(), place.to_string())).collect();
        assert_eq!(got, want, "{}", self.text);
        self
    }
}

impl Flow {
    pub fn tuples(&self) -> [String; 2] {
        let tuple = |millisecond: u64, rest: &str| {
            format!(
                "\"{},{},{},{},{},6,{},{rest}\"",
                START_MS + millisecond,
                self.source.0,
                self.destination.0,
                self.source.1,
                self.destination.1,
                self.direction
            )
        };
        [
            tuple(self.millisecond, "B,NX,0,0,0,0"),
            tuple(self.millisecond + 2000, "E,NX,10,1000,8,800"),
        ]
    }

    /// The line of the network rule that let the flow pass.
    pub fn network_rule(&self) -> String {
        self.rule_line(
            "AZFWNetworkRule",
            &format!(
                "\"Protocol\":\"TCP\",\"SourceIp\":\"{}\",\"SourcePort\":{},\"DestinationIp\":\"{}\",\
                 \"DestinationPort\":{}",
                self.source.0, self.source.1, self.destination.0, self.destination.1
            ),
        )
    }

    /// The line of the application rule that let the flow pass: it names a host.
    pub fn application_rule(&self, host: &str) -> String {
        self.rule_line(
            "AZFWApplicationRule",
            &format!(
                "\"Protocol\":\"HTTPS\",\"SourceIp\":\"{}\",\"SourcePort\":{},\
                 \"DestinationPort\":{},\"Fqdn\":\"{host}\"",
                self.source.0, self.source.1, self.destination.1
            ),
        )
    }

    fn rule_line(&self, category: &str, what: &str) -> String {
        let second = self.millisecond / 1000;
        format!(
            "{{\"time\":\"2025-01-20T{:02}:{:02}:{:02}.{:03}0000Z\",\"category\":\"{category}\",\
             \"resourceId\":\"{}\",\"properties\":{{{what},\"Action\":\"Allow\"}}}}\n",
            18 + second / 3600,
            second / 60 % 60,
            second % 60,
            self.millisecond % 1000,
            id("azureFirewalls", "azfw").to_uppercase(),
        )
    }
}

impl Observer {
    pub fn log(&self, tuples: &[String]) -> String {
        let target = match self.subnet {
            Some(subnet) => subnet_id(self.vnet, subnet),
            None => id("virtualNetworks", self.vnet),
        };
        format!(
            "{{\"records\":[{{\"time\":\"2025-01-20T18:30:00.1234567Z\",\"flowLogVersion\":4,\
             \"flowLogGUID\":\"6f5a1c1e-0000-4000-8000-000000000004\",\"macAddress\":\"{}\",\
             \"category\":\"FlowLogFlowEvent\",\"flowLogResourceID\":\"{}\",\
             \"targetResourceID\":\"{target}\",\"operationName\":\"FlowLogFlowEvent\",\
             \"flowRecords\":{{\"flows\":[{{\"aclID\":\"{}\",\"flowGroups\":[{{\"rule\":\
             \"DefaultRule_AllowVnetOutBound\",\"flowTuples\":[{}]}}]}}]}}}}]}}",
            self.mac,
            id("networkWatchers", "nw"),
            id("networkSecurityGroups", "nsg"),
            tuples.join(",")
        )
    }
}

/// A flow that its sender recorded.
pub fn flow(
    second: u64,
    source: &'static str,
    source_port: u16,
    destination: &'static str,
    destination_port: u16,
) -> Flow {
    Flow {
        millisecond: second * 1000,
        source: (source, source_port),
        destination: (destination, destination_port),
        direction: 'O',
    }
}

/// Returns the files of the estate of that name.
pub fn files_of(estates: Vec<Estate>, name: &str) -> Vec<(String, Vec<u8>)> {
    let estate = estates.into_iter().find(|estate| estate.name == name);
    estate.unwrap_or_else(|| panic!("no estate is named {name}")).files
}

/// Changes one JSON file of a snapshot.
pub fn edit(files: &mut [(String, Vec<u8>)], name: &str, change: impl FnOnce(&mut Value)) {
    let (_, content) = files.iter_mut().find(|(file, _)| file == name).expect(name);
    let mut document = serde_json::from_slice(content).expect("JSON of ours");
    change(&mut document);
    *content = serde_json::to_vec(&document).expect("JSON of ours");
}
