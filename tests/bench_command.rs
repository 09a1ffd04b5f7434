//! `nexthop bench` as its users meet it: a table, JSON, and how a comparison ends.

#![forbid(unsafe_code)]
#![cfg(feature = "cli")]

mod support;

use std::fs;
use std::path::Path;

use serde_json::Value;
use support::program::{Run, nexthop};

/// As little work as there can be: these tests are not about speed.
const QUICK: [&str; 5] = ["bench", "--work", "1", "--rounds", "1"];

fn bench(folder: &Path, more: &[&str]) -> Run {
    let words = [&QUICK[..], more].concat();
    Run::of(nexthop(&words).current_dir(folder))
}

fn json(run: Run) -> Value {
    serde_json::from_str(&run.success()).expect("a report")
}

/// The baseline with every speed multiplied.
fn scaled(report: &Value, factor: f64) -> String {
    let mut report = report.clone();
    for measurement in report["measurements"].as_array_mut().expect("a list") {
        for key in ["per_second", "per_second_min", "per_second_max"] {
            let speed = measurement[key].as_f64().expect("a number");
            measurement[key] = (speed * factor).into();
        }
    }
    report.to_string()
}

#[test]
fn a_report_is_its_own_baseline() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let place = folder.path();
    let report = json(bench(place, &["--threads", "1", "--format", "json"]));
    assert_eq!((&report["schema"], &report["work_percent"]), (&1.into(), &1.into()));
    let measurements = report["measurements"].as_array().expect("a list");
    let named = |word: &str| {
        measurements.iter().filter(|one| one["name"].as_str().unwrap().starts_with(word)).count()
    };
    assert_eq!(["lookup", "capture", "flow log", "compile"].map(named), [4, 1, 1, 3]);
    for measurement in measurements {
        assert!(measurement["per_second"].as_f64() > Some(0.0), "{measurement}");
        assert!(measurement["count"].as_u64() > Some(0), "{measurement}");
        assert_eq!(measurement["change_percent"], Value::Null, "{measurement}");
    }

    // No machine is a thousand times faster or slower from one minute to the next.
    fs::write(place.join("slow.json"), scaled(&report, 1e-3)).expect("a file");
    fs::write(place.join("fast.json"), scaled(&report, 1e3)).expect("a file");
    let table = bench(place, &["--threads", "1", "--baseline", "slow.json"]).success();
    assert!(table.starts_with("nexthop "), "{table}");
    assert!(table.ends_with("none of 9 is slower than tolerated\n"), "{table}");
    let run = bench(place, &["--threads", "1", "--baseline", "fast.json", "--tolerance", "50%"]);
    assert_eq!((run.code, run.stderr.as_str()), (1, ""), "{}", run.stdout);
    assert!(run.stdout.ends_with("SLOWER: 9 of 9, by more than tolerated\n"), "{}", run.stdout);
    let run = bench(
        place,
        &["--threads", "1", "--baseline", "fast.json", "--tolerance", "50", "--format", "json"],
    );
    assert_eq!(run.code, 1);
    let compared: Value = serde_json::from_str(&run.stdout).expect("a report");
    assert_eq!(compared["measurements"][0]["is_slower"], true);
}

#[test]
fn what_is_no_baseline_is_said_before_anything_is_measured() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let machine = r#"{"processor": null, "core_count": 1, "lookup_instructions": "portable"}"#;
    let other = |key: &str, value: &str| {
        let mut report: Value = serde_json::from_str(&format!(
            r#"{{"schema": 1, "version": "0", "machine": {machine}, "work_percent": 1,
                "threads": 1, "rounds": 1, "measurements": []}}"#
        ))
        .expect("a report");
        report[key] = serde_json::from_str(value).expect("a value");
        report.to_string()
    };
    for (name, content, words) in [
        ("text", "fast".to_owned(), "text: is not what `nexthop bench --format json` prints"),
        ("empty", "{}".to_owned(), "empty: is not what"),
        ("schema", other("schema", "2"), "schema: the schema is 2 there and 1 here"),
        ("work", other("work_percent", "100"), "work: --work is 100 there and 1 here"),
        ("threads", other("threads", "7"), "threads: --threads is 7 there and 1 here"),
    ] {
        fs::write(folder.path().join(name), content).expect("a file");
        let run = bench(folder.path(), &["--threads", "1", "--baseline", name]);
        assert_eq!((run.code, run.stdout.as_str()), (2, ""), "{name}");
        assert!(run.stderr.contains(words), "{name}: {}", run.stderr);
    }
    let run = bench(folder.path(), &["--baseline", "nowhere"]);
    assert_eq!(run.code, 2);
    assert!(run.stderr.starts_with("error: nowhere: "), "{}", run.stderr);
}
