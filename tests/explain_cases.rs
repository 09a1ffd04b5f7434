//! Published tables through the command line: every look-up gives the expected row, in whatever
//! format the table is written, and what `routes` prints is read back as the same rows.
//!
//! The tables and their look-ups are outside the repository: `NEXTHOP_CORPUS` names their folder.

#![forbid(unsafe_code)]
#![cfg(feature = "cli")]

mod support;

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};

use nexthop::azure::effective_routes::{self, ExportFormat, RouteFileError, render};
use nexthop::azure::{EffectiveRoute, RouteDestination};
use serde::Deserialize;
use serde_json::Value;
use support::corpus;
use support::program::{Run, nexthop};

/// One look-up with the row that must win.
#[derive(Deserialize)]
struct Case {
    id: String,
    file: String,
    dst: String,
    #[serde(rename = "type")]
    next_hop_type: String,
    prefix: String,
    source: String,
    hops: BTreeSet<String>,
}

#[test]
fn every_case_has_its_row_in_every_format() {
    let Some(routes) = corpus::folder("routes", "every_case_has_its_row_in_every_format") else {
        return;
    };
    let cases = fs::read_to_string(routes.join("cases.jsonl")).expect("the corpus has cases");
    let mut by_file: BTreeMap<String, Vec<Case>> = BTreeMap::new();
    for line in cases.lines() {
        let case: Case = serde_json::from_str(line).expect(line);
        by_file.entry(case.file.clone()).or_default().push(case);
    }
    assert!(by_file.values().map(Vec::len).sum::<usize>() >= 30);
    let folder = tempfile::tempdir().expect("a temporary folder");
    for (file, cases) in &by_file {
        assert_cases(&routes.join(file), cases);
        for path in rewritten(&routes.join(file), folder.path()) {
            assert_cases(&path, cases);
        }
    }
}

#[test]
fn printed_routes_are_read_back_as_the_same_rows() {
    let Some(routes) = corpus::folder("routes", "printed_routes_are_read_back") else { return };
    let mut table_count = 0;
    for path in corpus::files_below(&routes) {
        let bytes = fs::read(&path).expect("the corpus can be read");
        let want = match effective_routes::parse(&bytes) {
            Ok(export) => Row::of_all(&export.routes),
            Err(RouteFileError::NotRecognised { .. } | RouteFileError::VirtualHub) => continue,
            Err(error) => panic!("{}: {error}", path.display()),
        };
        let snapshot = path.to_str().expect("the corpus has plain names");
        let table = path.file_stem().and_then(|stem| stem.to_str()).expect("a plain name");
        for (format, has_names) in [("json", true), ("csv", false), ("table", false)] {
            let arguments = ["routes", "-r", snapshot, "--table", table, "--format", format];
            let printed = Run::of(&mut nexthop(&arguments)).success();
            let again = effective_routes::parse(printed.as_bytes())
                .unwrap_or_else(|error| panic!("{snapshot} as {format}: {error}\n{printed}"));
            let mut want = want.clone();
            if !has_names {
                want.iter_mut().for_each(|row| row.name = None);
            }
            assert_eq!(Row::of_all(&again.routes), want, "{snapshot} as {format}\n{printed}");
        }
        table_count += 1;
    }
    assert_eq!(table_count, 16);
}

/// Asks the program for all destinations at once and compares its answers, one a line.
fn assert_cases(table: &Path, cases: &[Case]) {
    let shown = table.display();
    let table = table.to_str().expect("a plain name");
    let mut arguments = vec!["explain", "--format", "json", "-r", table];
    arguments.extend(cases.iter().map(|case| case.dst.as_str()));
    let printed = Run::of(&mut nexthop(&arguments)).success();
    assert_eq!(printed.lines().count(), cases.len(), "{shown}");
    for (case, line) in cases.iter().zip(printed.lines()) {
        let answer: Value = serde_json::from_str(line).expect(line);
        let place = format!("{} of {shown}", case.id);
        assert_eq!(answer["destination"], *case.dst, "{place}");
        assert_eq!(answer["next_hop_type"], *case.next_hop_type, "{place}");
        assert_eq!(answer["matched_prefix"], *case.prefix, "{place}");
        assert_eq!(answer["route_source"], *case.source, "{place}");
        let hops = answer["next_hop_ips"].as_array().expect("is a list");
        let hops: BTreeSet<String> =
            hops.iter().map(|hop| hop.as_str().expect("is a text").to_owned()).collect();
        assert_eq!(hops, case.hops, "{place}");
        let candidates = answer["candidates"].as_array().expect("is a list");
        let selected = candidates.iter().filter(|candidate| candidate["selected"] == true);
        let selected: BTreeSet<&str> =
            selected.map(|row| row["address_prefix"].as_str().expect("is a text")).collect();
        assert_eq!(selected, BTreeSet::from([case.prefix.as_str()]), "{place}");
    }
}

/// Writes a table in the formats that it is not written in.
fn rewritten(table: &Path, folder: &Path) -> Vec<PathBuf> {
    let bytes = fs::read(table).expect("the corpus can be read");
    let export = effective_routes::parse(&bytes).expect("a case names a table");
    let stem = table.file_stem().expect("a file has a name").to_str().expect("a plain name");
    let routes = &export.routes;
    [
        (ExportFormat::AzCliJson, render::az_cli_json(routes)),
        (ExportFormat::RestJson, render::rest_json(routes)),
        (ExportFormat::PowerShellJson, render::power_shell_json(routes)),
        (ExportFormat::AzTable, render::az_table(routes)),
        (ExportFormat::Csv, render::csv(routes)),
    ]
    .into_iter()
    .filter(|(format, _)| *format != export.format)
    .map(|(format, text)| {
        let path = folder.join(format!("{stem}.{}", format.as_str()));
        fs::write(&path, text).expect("the folder takes files");
        path
    })
    .collect()
}

/// One destination of one row, without what only some formats carry.
#[derive(Clone, Debug, PartialEq)]
struct Row {
    destination: RouteDestination,
    words: [String; 3],
    next_hop_ips: Vec<std::net::IpAddr>,
    name: Option<String>,
}

impl Row {
    fn of_all(routes: &[EffectiveRoute]) -> Vec<Self> {
        routes
            .iter()
            .flat_map(|route| {
                route.destinations.iter().map(|destination| Self {
                    destination: destination.clone(),
                    words: [
                        route.source.as_str().to_owned(),
                        route.state.as_str().to_owned(),
                        route.next_hop_type.as_str().to_owned(),
                    ],
                    next_hop_ips: route.next_hop_ips.to_vec(),
                    name: route.name.clone(),
                })
            })
            .collect()
    }
}
