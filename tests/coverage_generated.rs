//! `verify` against truth and against itself: a generated estate whose verdicts are known, policies
//! drawn at random, bounds on memory, damage.

#![forbid(unsafe_code)]
#![cfg(feature = "cli")]

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;
use std::process::{Command, Output};

use proptest::prelude::*;
use proptest::test_runner::{Config, TestRunner};
use serde_json::Value;
use tempfile::TempDir;

fn nexthop(folder: &Path, arguments: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_nexthop"))
        .current_dir(folder)
        .args(arguments)
        .output()
        .expect("the program runs")
}

fn estate(seed: &str, tuples: &str) -> TempDir {
    estate_of(seed, tuples, &[])
}

fn estate_of(seed: &str, tuples: &str, more: &[&str]) -> TempDir {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let fixed = ["generate", "--estate", "--seed", seed, "--tuples", tuples, "-o", "."];
    let run = nexthop(folder.path(), &[&fixed[..], more].concat());
    assert!(run.status.success(), "{}", String::from_utf8_lossy(&run.stderr));
    folder
}

fn verify(folder: &Path, more: &[&str]) -> (i32, Value) {
    let fixed = [
        "verify",
        "--routes",
        "snapshot",
        "--policy",
        "policy.toml",
        "--evidence",
        "evidence",
        "--format",
        "json",
        "--no-progress",
    ];
    let run = nexthop(folder, &[&fixed[..], more, &["traffic"]].concat());
    let stderr = String::from_utf8_lossy(&run.stderr);
    let json = serde_json::from_slice(&run.stdout).unwrap_or_else(|e| panic!("{e}: {stderr}"));
    (run.status.code().expect("was not ended by a signal"), json)
}

fn count(value: &Value) -> u64 {
    value.as_u64().expect("a count")
}

/// Precision and recall of every verdict are whole: each finding has the code, the addresses and the
/// number of flows that its truth has, none is missing, none is added, and all verdicts add up.
#[test]
fn every_verdict_of_a_generated_estate_is_its_truth() {
    let both = ["covered", "missing"];
    let all = ["covered", "covered_unconfirmed", "missing"];
    for (seed, more, passed) in
        [("1", &[][..], &both[..]), ("2", &[], &both), ("3", &["--log-lines", "2500"], &all)]
    {
        let folder = estate_of(seed, "40000", more);
        let text = fs::read(folder.path().join("expected.json")).expect("the truth");
        let expected: Value = serde_json::from_slice(&text).expect("JSON");
        let (code, report) = verify(folder.path(), &[]);
        assert_eq!(code, 1);
        let totals = report["totals"].as_object().expect("totals");
        let got: BTreeMap<&String, u64> = totals
            .iter()
            .map(|(verdict, sums)| (verdict, count(&sums["flows"])))
            .filter(|(_, flows)| *flows > 0)
            .collect();
        let want: BTreeMap<&String, u64> = expected["verdicts"]
            .as_object()
            .expect("verdicts")
            .iter()
            .map(|(verdict, flows)| (verdict, count(flows)))
            .collect();
        assert_eq!(got, want);
        let names: Vec<&str> = want.keys().map(|name| name.as_str()).collect();
        assert_eq!(names, [&["asymmetric", "bypass"], passed].concat());
        assert_eq!(
            findings(&report, "source", "destination"),
            findings(&expected, "source", "destination")
        );
        let tuples: u64 = totals.values().map(|sums| count(&sums["tuples"])).sum();
        assert_eq!(tuples, count(&expected["tuples"]));
    }
}

fn findings(
    document: &Value,
    source: &str,
    destination: &str,
) -> BTreeMap<(String, String, String), u64> {
    let text = |one: &Value, key: &str| one[key].as_str().expect(key).to_owned();
    document["findings"]
        .as_array()
        .expect("findings")
        .iter()
        .map(|one| {
            ((text(one, "code"), text(one, source), text(one, destination)), count(&one["flows"]))
        })
        .collect()
}

#[test]
fn neither_memory_nor_threads_change_a_byte() {
    let folder = estate("3", "20000");
    let outputs = ["out.html", "out.sarif", "out.xml", "out.json"];
    let options =
        ["--html", "out.html", "--sarif", "out.sarif", "--junit", "out.xml", "--json", "out.json"];
    let mut first: Option<Vec<Vec<u8>>> = None;
    for (threads, memory) in [("1", "1GiB"), ("2", "1GiB"), ("3", "64KiB"), ("8", "1")] {
        let more = [&options[..], &["--threads", threads, "--memory", memory]].concat();
        let (code, _) = verify(folder.path(), &more);
        assert_eq!(code, 1);
        let files: Vec<Vec<u8>> = outputs
            .iter()
            .map(|name| fs::read(folder.path().join(name)).expect("a report"))
            .collect();
        match &first {
            None => first = Some(files),
            Some(first) => assert!(*first == files, "{threads} threads, {memory}"),
        }
    }
}

/// With little memory tuples wait in files, and what repeats or restarts is merged as with much.
#[test]
fn flows_of_logs_are_whole_whatever_the_memory() {
    let folder = estate("4", "20000");
    // The whole log twice: every record is repeated.
    let blob = fs::read(folder.path().join("traffic/blob00000.json")).expect("a blob");
    fs::write(folder.path().join("traffic/again.json"), blob).expect("a copy");
    let rows = |memory: &str| {
        let run = nexthop(
            folder.path(),
            &[
                "classify",
                "--routes",
                "snapshot",
                "--per",
                "flow",
                "--format",
                "csv",
                "--memory",
                memory,
                "--no-progress",
                "traffic",
            ],
        );
        assert!(run.status.success(), "{}", String::from_utf8_lossy(&run.stderr));
        String::from_utf8(run.stdout).expect("UTF-8")
    };
    let whole = rows("1GiB");
    assert!(whole.lines().count() > 5000);
    assert!(rows("1") == whole);
    // A flow of the doubled log counts what it counts in the single one.
    let (_, twice) = verify(folder.path(), &[]);
    fs::remove_file(folder.path().join("traffic/again.json")).expect("the copy");
    let (_, once) = verify(folder.path(), &[]);
    for (verdict, sums) in once["totals"].as_object().expect("totals") {
        let again = &twice["totals"][verdict];
        assert_eq!(again["flows"], sums["flows"], "{verdict}");
        assert_eq!(again["bytes"], sums["bytes"], "{verdict}");
    }
}

fn selector() -> impl Strategy<Value = String> {
    prop_oneof![
        Just("any".to_owned()),
        Just("internet".to_owned()),
        Just("on-premises".to_owned()),
        Just("class:private_endpoint".to_owned()),
        Just("class:firewall".to_owned()),
        Just("vnet:*".to_owned()),
        (0..160_u32).prop_map(|spoke| format!("vnet:spoke{spoke:03}")),
        (0..160_u32).prop_map(|spoke| format!("subnet:spoke{spoke:03}/apps")),
        (0..=255_u8, 0..=32_u8).prop_map(|(second, length)| {
            let address = std::net::Ipv4Addr::new(10, second, 0, 0).to_bits();
            let mask = u32::MAX.checked_shl(32 - u32::from(length)).unwrap_or(0);
            format!("{}/{length}", std::net::Ipv4Addr::from_bits(address & mask))
        }),
    ]
}

fn selectors() -> impl Strategy<Value = String> {
    prop::collection::vec(selector(), 1..3).prop_map(|list| format!("{list:?}"))
}

fn policy() -> impl Strategy<Value = String> {
    let via = prop::sample::select(vec![
        "firewall",
        "firewall:fw-a",
        "firewall:nobody",
        "gateway",
        "internet",
        "direct",
        "none",
    ]);
    let ports = prop::sample::select(vec!["", "ports = [443]", "ports = [1, 1433]"]);
    let rule = (selectors(), selectors(), via, ports, any::<bool>(), any::<bool>()).prop_map(
        |(from, to, via, ports, both_ways, between_vnets)| {
            format!(
                "[[require]]\nname = \"r\"\nfrom = {from}\nto = {to}\nvia = \"{via}\"\n{ports}\n\
                 both_ways = {both_ways}\nbetween_vnets = {between_vnets}\n"
            )
        },
    );
    let exempt = (selectors(), selectors(), any::<bool>()).prop_map(|(from, to, both_ways)| {
        format!("[[exempt]]\nfrom = {from}\nto = {to}\nboth_ways = {both_ways}\nreason = \"x\"\n")
    });
    (prop::collection::vec(rule, 1..4), prop::collection::vec(exempt, 0..2))
        .prop_map(|(rules, exempt)| [rules, exempt].concat().concat())
}

/// Σ verdicts = logical flows, whatever the policy; tuples beside them = tuples read; and what
/// percentages are of is the sum of the verdicts that they count.
#[test]
fn no_policy_loses_or_makes_a_flow() {
    let folder = estate("5", "2000");
    let (_, usual) = verify(folder.path(), &[]);
    let flows_of = |report: &Value, key: &str| -> u64 {
        report["totals"].as_object().expect("totals").values().map(|sums| count(&sums[key])).sum()
    };
    let (flows, bytes) = (flows_of(&usual, "flows"), flows_of(&usual, "bytes"));
    let mut runner = TestRunner::new(Config { cases: 40, ..Config::default() });
    let outcome = runner.run(&policy(), |policy| {
        fs::write(folder.path().join("policy.toml"), &policy).expect("the folder takes files");
        let (code, report) = verify(folder.path(), &[]);
        let findings = report["findings"].as_array().expect("findings");
        prop_assert_eq!(code, i32::from(!findings.is_empty()));
        prop_assert_eq!(flows_of(&report, "flows"), flows);
        prop_assert_eq!(flows_of(&report, "bytes"), bytes);
        prop_assert_eq!(flows_of(&report, "tuples"), count(&report["books"]["records_read"]));
        let judged: u64 =
            ["one_way", "asymmetric", "bypass", "missing", "covered", "covered_unconfirmed"]
                .iter()
                .map(|verdict| report["totals"][verdict]["flows"].as_u64().unwrap_or(0))
                .sum();
        prop_assert_eq!(count(&report["denominators"]["expected"]["flows"]), judged);
        let covered = report["totals"]["covered"]["flows"].as_u64().unwrap_or(0);
        prop_assert!(covered <= judged && judged <= flows);
        Ok(())
    });
    outcome.unwrap_or_else(|error| panic!("{error}"));
}

#[test]
fn shares_are_withheld_where_more_than_a_thousandth_was_damaged() {
    let folder = estate("6", "2000");
    let path = folder.path().join("traffic/blob00000.json");
    let text = fs::read_to_string(&path).expect("a blob");
    let tuples = text.matches(",6,O,").count() + text.matches(",6,I,").count();
    for (damaged, is_shown) in [(0, true), (tuples / 1000, true), (tuples / 1000 + 1, false)] {
        // A tuple with a state that there is not.
        fs::write(&path, text.replacen("E,NX,7,", "Q,NX,7,", damaged)).expect("the blob");
        for (accept, is_shown) in [(false, is_shown), (true, true)] {
            let more: &[&str] = if accept { &["--accept-damage"] } else { &[] };
            let (code, report) = verify(folder.path(), more);
            assert_eq!(code, if damaged > 0 { 3 } else { 1 }, "{damaged} of {tuples}");
            assert_eq!(report["denominators"]["shows_percentages"], is_shown, "{damaged}");
            let page = nexthop(
                folder.path(),
                &[&["verify", "-r", "snapshot", "--policy", "policy.toml"], more, &["traffic"]]
                    .concat(),
            );
            let page = String::from_utf8(page.stdout).expect("UTF-8");
            assert_eq!(page.contains(" %"), is_shown, "{damaged} of {tuples}: {page}");
        }
    }
}
