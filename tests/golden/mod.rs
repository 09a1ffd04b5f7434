//! Any scenario of `captures/` against the program: whatever a folder expects is held.
//!
//! | file | is what |
//! |---|---|
//! | `expected-tables.csv` | `routes --table` gives, row for row, for each table named in it |
//! | `expected-explain.csv` | `explain` says of each packet: route, path, way back |
//! | `expected-lint.csv` | `lint` finds: all of it |
//! | `expected-comparison.txt` | `routes --compare` prints |
//! | `expected-flow-log.csv` | `classify` labels `traffic/vnet-flow-log` with, in these columns |
//! | `expected-capture.csv` | the same for the capture in `traffic/` |
//! | `expected-verdicts.csv` | `verify` judges every flow of `traffic/` by `policy.toml` and `evidence/` |

mod variants;
mod variants_hub;

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use serde_json::Value;

/// Returns the scenarios' folders, sorted.
pub fn folders() -> Vec<PathBuf> {
    let captures = Path::new(env!("CARGO_MANIFEST_DIR")).join("captures");
    let entries = fs::read_dir(captures).expect("there are scenarios");
    let mut folders: Vec<PathBuf> = entries
        .map(|entry| entry.expect("can be listed").path())
        .filter(|path| path.is_dir())
        .collect();
    folders.sort();
    folders
}

/// Returns what the program does otherwise than a scenario expects.
pub fn faults(folder: &Path) -> Vec<String> {
    let mut scenario = Scenario { folder, faults: Vec::new(), held_count: 0 };
    scenario.tables();
    scenario.explanations();
    scenario.lints();
    scenario.comparison();
    scenario.labels("expected-flow-log.csv", "traffic/vnet-flow-log");
    if let Some(capture) = scenario.capture() {
        scenario.labels("expected-capture.csv", &capture);
    }
    scenario.verdicts();
    if scenario.held_count == 0 {
        scenario.faults.push("expects nothing".to_owned());
    }
    let name = folder.file_name().expect("a folder has a name").to_string_lossy().into_owned();
    scenario.faults.iter().map(|fault| format!("{name}: {fault}")).collect()
}

struct Scenario<'f> {
    folder: &'f Path,
    faults: Vec<String>,
    held_count: usize,
}

impl Scenario<'_> {
    fn tables(&mut self) {
        let Some(lines) = self.expected("expected-tables.csv") else { return };
        let mut tables: BTreeMap<&str, BTreeSet<&str>> = BTreeMap::new();
        for line in lines.lines().skip(1) {
            let (table, row) = line.split_once(',').expect(line);
            tables.entry(table).or_default().insert(row);
        }
        assert!(!tables.is_empty(), "{}: no table", self.folder.display());
        for (table, want) in tables {
            let printed = self.run(&["routes", "--format", "json", "--table", table]);
            let Some(document) = self.json(&printed, table) else { continue };
            let rows = document["value"].as_array().expect("rows");
            let got: BTreeSet<String> = rows.iter().map(row_of).collect();
            let want: BTreeSet<String> = want.into_iter().map(str::to_owned).collect();
            for row in want.difference(&got) {
                self.faults.push(format!("{table} lacks {row}"));
            }
            for row in got.difference(&want) {
                self.faults.push(format!("{table} has {row}"));
            }
        }
    }

    fn explanations(&mut self) {
        let Some(lines) = self.expected("expected-explain.csv") else { return };
        for line in lines.lines().skip(1) {
            let [from, to]: [&str; 2] =
                line.splitn(3, ',').take(2).collect::<Vec<_>>().try_into().expect(line);
            let printed = self.run(&["explain", "--format", "json", "--from", from, to]);
            let Some(answer) = self.json(&printed, line) else { continue };
            let got = explained(from, to, &answer);
            if got != line {
                self.faults.push(format!("explains\n  {got}\nnot\n  {line}"));
            }
        }
    }

    fn lints(&mut self) {
        let Some(lines) = self.expected("expected-lint.csv") else { return };
        let printed = self.run(&["lint", "--format", "json"]);
        let Some(document) = self.json(&printed, "lint") else { return };
        let findings = document["findings"].as_array().expect("findings");
        let mut got: Vec<String> = findings.iter().map(finding_of).collect();
        let mut want: Vec<&str> = lines.lines().skip(1).collect();
        let has_error = findings.iter().any(|finding| finding["severity"] == "error");
        if printed.status.code() != Some(i32::from(has_error)) {
            self.faults.push(format!("lint ends with {:?}", printed.status.code()));
        }
        got.sort_unstable();
        want.sort_unstable();
        if got != want {
            self.faults.push(format!(
                "finds\n  {}\nnot\n  {}",
                got.join("\n  "),
                want.join("\n  ")
            ));
        }
    }

    fn comparison(&mut self) {
        let Some(want) = self.expected("expected-comparison.txt") else { return };
        let printed = self.run(&["routes", "--compare"]);
        let got = String::from_utf8_lossy(&printed.stdout);
        if got != want || !printed.status.success() {
            self.faults.push(format!("compares\n{got}{}", said(&printed)));
        }
    }

    fn labels(&mut self, expected: &str, traffic: &str) {
        let Some(want) = self.expected(expected) else { return };
        let columns = want.lines().next().expect("a line of columns");
        let traffic = self.folder.join(traffic);
        let arguments =
            ["classify", "--format", "csv", "--columns", columns, &traffic.to_string_lossy()];
        let printed = self.run(&arguments);
        let got = String::from_utf8_lossy(&printed.stdout);
        if !printed.status.success() || got.lines().count() != want.lines().count() {
            self.faults.push(format!(
                "{expected}: {} lines{}",
                got.lines().count(),
                said(&printed)
            ));
        }
        for (got, want) in got.lines().zip(want.lines()).filter(|(got, want)| got != want) {
            self.faults.push(format!("{expected}:\n  {got}\nnot\n  {want}"));
        }
    }

    fn verdicts(&mut self) {
        let Some(want) = self.expected("expected-verdicts.csv") else { return };
        let columns = want.lines().next().unwrap_or_default();
        let written = tempfile::tempdir().expect("a temporary folder");
        let rows = written.path().join("rows.csv");
        let path = |name: &str| self.folder.join(name).display().to_string();
        let printed = self.run(&[
            "verify",
            "--policy",
            &path("policy.toml"),
            "--evidence",
            &path("evidence"),
            "--columns",
            columns,
            "-o",
            &rows.display().to_string(),
            &path("traffic"),
        ]);
        let is_finding = |line: &str| {
            let verdict = line.split(',').nth(3);
            matches!(verdict, Some("one_way" | "asymmetric" | "bypass" | "missing"))
        };
        if printed.status.code() != Some(i32::from(want.lines().any(is_finding))) {
            self.faults.push(format!("verify:{}", said(&printed)));
        }
        let got = fs::read_to_string(rows).unwrap_or_default();
        if got != want {
            self.faults.push(format!("expected-verdicts.csv:\n{got}not\n{want}"));
        }
    }

    fn capture(&self) -> Option<String> {
        let entries = fs::read_dir(self.folder.join("traffic")).ok()?;
        let names = entries.map(|entry| entry.expect("can be listed").file_name());
        let mut captures = names
            .map(|name| name.to_string_lossy().into_owned())
            .filter(|name| name.contains(".pcap"));
        captures.next().map(|name| format!("traffic/{name}"))
    }

    /// The content of a file of expectations, where the scenario has it.
    fn expected(&mut self, name: &str) -> Option<String> {
        let text = fs::read_to_string(self.folder.join(name)).ok()?;
        self.held_count += 1;
        Some(text)
    }

    fn json(&mut self, printed: &Output, about: &str) -> Option<Value> {
        let parsed = serde_json::from_slice(&printed.stdout).ok();
        if parsed.is_none() {
            self.faults.push(format!("{about}:{}", said(printed)));
        }
        parsed
    }

    fn run(&self, arguments: &[&str]) -> Output {
        Command::new(env!("CARGO_BIN_EXE_nexthop"))
            .args(arguments)
            .arg("--routes")
            .arg(self.folder.join("snapshot"))
            .output()
            .expect("the program runs")
    }
}

fn row_of(row: &Value) -> String {
    let prefix = text(&row["addressPrefix"][0]);
    let words = [text(&row["source"]), text(&row["state"]), prefix, text(&row["nextHopType"])];
    format!("{},{}", words.join(","), texts(&row["nextHopIpAddress"]))
}

fn explained(from: &str, to: &str, answer: &Value) -> String {
    let way_back = match &answer["return"] {
        Value::Null => text(&answer["return_reason"]),
        decision => path_of(decision),
    };
    let fields = [
        from.to_owned(),
        to.to_owned(),
        text(&answer["route_table_id"]),
        text(&answer["matched_prefix"]),
        text(&answer["route_source"]),
        text(&answer["next_hop_type"]),
        texts(&answer["next_hop_ips"]),
        text(&answer["next_hop_name"]),
        path_of(answer),
        way_back,
    ];
    fields.join(",")
}

/// The classes along a path, and where it ends.
fn path_of(decision: &Value) -> String {
    let hops = decision["path"].as_array().expect("a path");
    let mut words: Vec<String> = hops.iter().map(|hop| text(&hop["next_hop_class"])).collect();
    words.push(text(&decision["outcome"]));
    words.join(" ")
}

fn finding_of(finding: &Value) -> String {
    let resource = text(&finding["resource"]);
    let resource = resource.rsplit('/').next().unwrap_or_default().to_owned();
    let mut fields = ["severity", "code", "route_table_id", "address_prefix"]
        .map(|key| text(&finding[key]))
        .to_vec();
    fields.push(resource);
    fields.join(",")
}

fn text(value: &Value) -> String {
    value.as_str().unwrap_or_default().to_owned()
}

fn texts(list: &Value) -> String {
    let all: Vec<String> = list.as_array().expect("a list").iter().map(text).collect();
    all.join(" ")
}

fn said(printed: &Output) -> String {
    format!(
        "\n  {:?} {}",
        printed.status.code(),
        String::from_utf8_lossy(&printed.stderr).trim_end()
    )
}
