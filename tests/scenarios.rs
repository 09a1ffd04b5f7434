//! Every scenario of `captures/`: its files are what its recipe makes, and the program labels its
//! traffic as the recipe says. Estates as exported resources: their tables row for row, their
//! look-ups and their lints are what Azure's rules give.
//!
//! `NEXTHOP_REGENERATE=1 cargo test --test scenarios` writes the files anew.

#![forbid(unsafe_code)]
#![cfg(feature = "cli")]

mod golden;
mod recipes;

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::process::Command;

use recipes::estates::{self, Estate};
use recipes::{estates_hub, private_link, scenarios};
use serde_json::Value;

#[test]
fn private_link_files_are_what_the_recipe_makes() {
    assert_regenerated("private-link", private_link::files());
}

#[test]
fn private_link_flow_log_rows_are_labelled_by_the_rules() {
    assert_rows(
        "private-link",
        "traffic/vnet-flow-log",
        private_link::COLUMNS,
        "expected-flow-log.csv",
    );
}

#[test]
fn private_link_capture_flows_are_labelled_by_the_rules() {
    assert_rows(
        "private-link",
        "traffic/hubvm.pcap",
        private_link::COLUMNS,
        "expected-capture.csv",
    );
}

#[test]
fn private_link_verdicts_are_those_of_the_policy_and_the_firewalls_log() {
    let folder = folder_of("private-link");
    let output = Command::new(env!("CARGO_BIN_EXE_nexthop"))
        .args(["verify", "--format", "json", "--policy"])
        .arg(folder.join("policy.toml"))
        .arg("--evidence")
        .arg(folder.join("evidence"))
        .arg("--routes")
        .arg(folder.join("snapshot"))
        .arg(folder.join("traffic"))
        .output()
        .expect("the program runs");
    assert_eq!(output.status.code(), Some(1), "{}", String::from_utf8_lossy(&output.stderr));
    let report: Value = serde_json::from_slice(&output.stdout).expect("JSON");
    let totals = report["totals"].as_object().expect("totals");
    assert_eq!(totals.len(), private_link::VERDICTS.len(), "{totals:?}");
    for (verdict, flows, tuples) in private_link::VERDICTS {
        assert_eq!(totals[verdict]["flows"], flows, "{verdict}");
        assert_eq!(totals[verdict]["tuples"], tuples, "{verdict}");
    }
    let findings = report["findings"].as_array().expect("findings");
    let codes: BTreeSet<&str> =
        findings.iter().map(|finding| finding["code"].as_str().expect("a code")).collect();
    assert_eq!(codes, BTreeSet::from(["missing_evidence", "private_endpoint_bypass"]));
    let on_premises = findings.iter().find(|finding| finding["source"] == "192.168.0.4");
    let message = on_premises.expect("a finding")["message"].as_str().expect("a text");
    assert!(message.contains("10.13.77.0/24 VNetGlobalPeering"), "{message}");
}

#[test]
fn scenarios_of_resources_are_what_their_recipes_make() {
    for scenario in scenarios::all() {
        let files = scenario.files();
        let borrowed: Vec<(&str, Vec<u8>)> =
            files.iter().map(|(name, content)| (name.as_str(), content.clone())).collect();
        assert_regenerated(scenario.folder, borrowed);
    }
}

#[test]
fn the_program_holds_what_every_scenario_expects() {
    let folders = golden::folders();
    assert!(folders.len() > scenarios::all().len(), "a recipe has no folder");
    let faults: Vec<String> = folders.iter().flat_map(|folder| golden::faults(folder)).collect();
    assert!(faults.is_empty(), "{}", faults.join("\n"));
}

#[test]
fn the_secured_hubs_report_names_the_route_that_does_not_hold_a_new_backend() {
    let folder = folder_of("secured-hub-in-one-vnet");
    let output = Command::new(env!("CARGO_BIN_EXE_nexthop"))
        .args(["verify", "--policy"])
        .arg(folder.join("policy.toml"))
        .arg("--routes")
        .arg(folder.join("snapshot"))
        .arg(folder.join("traffic"))
        .output()
        .expect("the program runs");
    assert_eq!(output.status.code(), Some(1), "{}", String::from_utf8_lossy(&output.stderr));
    let report = String::from_utf8(output.stdout).expect("UTF-8");
    let words = report.split_whitespace().collect::<Vec<_>>().join(" ");
    for cause in [
        "vnet-b/snet-appgw routes 10.2.3.9 by Default 10.2.0.0/16 to VnetLocal; the user-defined \
         route for 10.2.0.0/24 does not hold 10.2.3.9",
        "vnet-b/snet-misc routes 10.2.1.4 by Default 10.2.0.0/16 to VnetLocal",
    ] {
        assert!(words.contains(cause), "{cause:?} is not in\n{report}");
    }
}

#[test]
fn computed_private_link_estates_follow_the_rules() {
    assert_estates(&estates::private_link());
}

#[test]
fn computed_gateway_transit_estates_follow_the_rules() {
    assert_estates(&estates::gateway_transit());
}

#[test]
fn computed_secured_hub_estates_follow_the_rules() {
    assert_estates(&estates_hub::secured_hub());
}

#[test]
fn computed_app_service_estates_follow_the_rules() {
    assert_estates(&estates_hub::app_service());
}

#[test]
fn every_member_of_a_pool_is_explained_with_its_owner_and_health() {
    let folder = folder_of("backend-pools").join("snapshot");
    let said = |name: &str| -> Vec<[String; 5]> {
        let output = run(&["explain", "--format", "json", name], &folder);
        let lines = String::from_utf8(output.0).expect("JSON is UTF-8");
        assert!(!lines.is_empty(), "{}", output.1);
        let field = |answer: &Value, key: &str| answer[key].as_str().unwrap_or("-").to_owned();
        lines
            .lines()
            .map(|line| serde_json::from_str(line).expect(line))
            .map(|answer: Value| {
                ["member", "owner", "destination", "health", "next_hop_class"]
                    .map(|key| field(&answer, key))
            })
            .collect()
    };
    let want = |rows: &[[&str; 5]]| -> Vec<[String; 5]> {
        rows.iter().map(|row| row.map(str::to_owned)).collect()
    };
    let claims = want(&[
        ["vm-claims-0", "vm-claims-0", "10.2.0.10", "Up", "firewall"],
        ["vm-claims-1", "vm-claims-1", "10.2.0.11", "Up", "firewall"],
        // Known by the instance's NIC; the other instance is listed although nothing is known.
        ["claims-nic", "claims-nic", "10.2.0.12", "Up", "firewall"],
        ["claims/2", "-", "-", "-", "-"],
    ]);
    assert_eq!(said("pool:AGW/Claims"), claims);
    let portal = want(&[
        ["portal.azurewebsites.net", "portal", "10.2.9.5", "Up", "private_endpoint"],
        ["legacy-portal.azurewebsites.net", "-", "20.50.2.10", "-", "internet"],
        ["new-portal.azurewebsites.net", "-", "-", "-", "-"],
    ]);
    assert_eq!(said("pool:agw/portal"), portal);
    assert_eq!(said("pool:agw").len(), 12);
    let unknown = run(&["explain", "pool:agw/claim"], &folder);
    assert!(unknown.1.contains("there are: agw/claims, agw/eligibility"), "{}", unknown.1);
}

#[test]
fn the_inventory_of_a_pool_names_owners_hops_and_health() {
    let output = run(&["lint"], &folder_of("backend-pools").join("snapshot"));
    let text = String::from_utf8(output.0).expect("text is UTF-8");
    for line in [
        "backend_pool note: pool `agw/documents` has 2 members: 10.2.0.30 (firewall, Down), \
         10.7.0.9 (dropped) [",
        "backend_pool note: pool `agw/portal` has 3 members: portal.azurewebsites.net 10.2.9.5 \
         portal (private_endpoint, Up), legacy-portal.azurewebsites.net 20.50.2.10 (internet), \
         new-portal.azurewebsites.net (not known) [",
        "backend_without_route error: member 10.7.0.9 of pool `agw/documents` is not reached",
        "backend_unhealthy warning: member 10.2.0.30 of pool `agw/documents` is Down",
        "backend_over_internet warning: member legacy-portal.azurewebsites.net 20.50.2.10",
        "backend_address_unknown warning: member claims/2 of pool `agw/claims`",
    ] {
        assert!(text.contains(line), "{line}\nis not in\n{text}");
    }
}

fn assert_estates(estates: &[Estate]) {
    let mut faults = Vec::new();
    for estate in estates {
        let folder = tempfile::tempdir().expect("a temporary folder");
        for (name, content) in &estate.files {
            std::fs::write(folder.path().join(name), content).expect("a file");
        }
        check_tables(estate, folder.path(), &mut faults);
        check_lookups(estate, folder.path(), &mut faults);
        check_lints(estate, folder.path(), &mut faults);
    }
    assert!(estates.len() >= 3);
    assert!(faults.is_empty(), "{}", faults.join("\n"));
}

fn assert_regenerated(scenario: &str, files: Vec<(&str, Vec<u8>)>) {
    let folder = folder_of(scenario);
    let total: usize = files.iter().map(|(_, content)| content.len()).sum();
    assert!(total <= 256 * 1024, "{scenario} has grown to {total} bytes");
    for (name, content) in files {
        let path = folder.join(name);
        if std::env::var_os("NEXTHOP_REGENERATE").is_some() {
            std::fs::create_dir_all(path.parent().expect("is below the folder")).expect(name);
            std::fs::write(&path, &content).expect(name);
        }
        let committed = std::fs::read(&path).unwrap_or_else(|error| panic!("{name}: {error}"));
        assert!(committed == content, "{name} is not what the recipe makes");
    }
}

fn assert_rows(scenario: &str, traffic: &str, columns: &str, expected: &str) {
    let folder = folder_of(scenario);
    let output = Command::new(env!("CARGO_BIN_EXE_nexthop"))
        .args(["classify", "--format", "csv", "--columns", columns, "--routes"])
        .arg(folder.join("snapshot"))
        .arg(folder.join(traffic))
        .output()
        .expect("the program runs");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let got = String::from_utf8(output.stdout).expect("CSV is UTF-8");
    let want = std::fs::read_to_string(folder.join(expected)).expect(expected);
    for (got, want) in got.lines().zip(want.lines()) {
        assert_eq!(got, want);
    }
    assert_eq!(got.lines().count(), want.lines().count());
}

fn folder_of(scenario: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("captures").join(scenario)
}

fn check_tables(estate: &Estate, folder: &Path, faults: &mut Vec<String>) {
    for (table, want) in &estate.tables {
        let output = run(&["routes", "--format", "json", "--table", table], folder);
        let document: Value = match serde_json::from_slice(&output.0) {
            Ok(document) => document,
            Err(_) => {
                faults.push(format!("{}: {table}: {}", estate.name, output.1));
                continue;
            }
        };
        let rows = document["value"].as_array().expect("rows");
        let got: BTreeSet<String> = rows.iter().map(row_text).collect();
        let want: BTreeSet<String> = want.lines().map(str::to_owned).collect();
        for row in want.difference(&got) {
            faults.push(format!("{}: {table} lacks {row}", estate.name));
        }
        for row in got.difference(&want) {
            faults.push(format!("{}: {table} has {row}", estate.name));
        }
    }
}

fn row_text(row: &Value) -> String {
    let text = |key: &str| row[key].as_str().expect(key).to_owned();
    let prefix = row["addressPrefix"][0].as_str().expect("a prefix").to_owned();
    let ips = row["nextHopIpAddress"].as_array().expect("addresses");
    let mut words = vec![text("source"), text("state"), prefix, text("nextHopType")];
    words.extend(ips.iter().map(|ip| ip.as_str().expect("an address").to_owned()));
    words.join(" ")
}

fn check_lookups(estate: &Estate, folder: &Path, faults: &mut Vec<String>) {
    for &(from, to, class, prefix) in &estate.lookups {
        let output = run(&["explain", "--format", "json", "--from", from, to], folder);
        let Ok(decision) = serde_json::from_slice::<Value>(&output.0) else {
            faults.push(format!("{}: {from} → {to}: {}", estate.name, output.1));
            continue;
        };
        let got = (
            decision["next_hop_class"].as_str().unwrap_or(""),
            decision["matched_prefix"].as_str().unwrap_or(""),
        );
        if got != (class, prefix) {
            faults.push(format!(
                "{}: {from} → {to} is {got:?}, not {:?}",
                estate.name,
                (class, prefix)
            ));
        }
    }
}

fn check_lints(estate: &Estate, folder: &Path, faults: &mut Vec<String>) {
    let output = run(&["lint", "--format", "json"], folder);
    let Ok(document) = serde_json::from_slice::<Value>(&output.0) else {
        faults.push(format!("{}: lint: {}", estate.name, output.1));
        return;
    };
    let findings = document["findings"].as_array().expect("findings");
    let codes: BTreeSet<&str> =
        findings.iter().map(|finding| finding["code"].as_str().expect("a code")).collect();
    for code in estate.lints.iter().filter(|code| !codes.contains(**code)) {
        faults.push(format!("{}: lint does not name {code}; it names {codes:?}", estate.name));
    }
    for code in estate.no_lints.iter().filter(|code| codes.contains(**code)) {
        faults.push(format!("{}: lint names {code}", estate.name));
    }
}

/// Runs the program on a snapshot and returns what it prints and what it says.
fn run(arguments: &[&str], folder: &Path) -> (Vec<u8>, String) {
    let output = Command::new(env!("CARGO_BIN_EXE_nexthop"))
        .args(arguments)
        .arg("--routes")
        .arg(folder)
        .output()
        .expect("the program runs");
    (output.stdout, String::from_utf8_lossy(&output.stderr).into_owned())
}
