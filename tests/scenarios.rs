//! Every scenario of `captures/`: its files are what its recipe makes, and the program labels its
//! traffic as the recipe says.
//!
//! `NEXTHOP_REGENERATE=1 cargo test --test scenarios` writes the files anew.

#![forbid(unsafe_code)]
#![cfg(feature = "cli")]

mod recipes;

use std::path::{Path, PathBuf};
use std::process::Command;

use recipes::{Files, private_link};

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

fn assert_regenerated(scenario: &str, files: Files) {
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
