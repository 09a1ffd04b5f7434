//! Hostile texts in every name and in every field of a snapshot, a policy, traffic and logs, through
//! the program: what it writes is text everywhere, and nothing else.

#![forbid(unsafe_code)]
#![cfg(feature = "cli")]

mod injection;
#[allow(dead_code, reason = "another test program uses the rest")]
#[path = "coverage/lab.rs"]
mod lab;
#[allow(dead_code, reason = "labels of the estates are held by another test program")]
mod recipes;

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

use injection::fields::{self, Estate, Place};
use injection::outputs::{
    assert_inert, assert_junit, assert_neutral, assert_plain, assert_reversible, assert_sarif, run,
};
use injection::payloads::PAYLOADS;
use lab::{Flow, Lab, Observer, files_of, flow};
use rayon::prelude::*;
use recipes::estates;
use serde_json::Value;

const POLICY: &str = r#"
[[require]]
name = RULE
to = ["class:private_endpoint"]
via = "firewall"

[[exempt]]
from = ["10.99.0.0/16"]
reason = RULE
"#;

/// An estate all of whose names have `text` at their end.
fn lab(text: &str) -> Lab {
    let quoted = serde_json::to_string(text).expect("a text");
    let inner = &quoted[1..quoted.len() - 1];
    let name = "private link: network policies and a route that is too broad";
    let mut files = files_of(estates::private_link(), name);
    for (_, content) in &mut files {
        let mut json = String::from_utf8(std::mem::take(content)).expect("JSON of ours");
        for word in ["hub", "spoke1", "azfw", "rt-gateway", "vpngw", "onprem", "rg-net", "pe2"] {
            json = json.replace(word, &format!("{word}{inner}"));
        }
        *content = json.into_bytes();
    }
    let observer = Observer { mac: "002248A7C004", vnet: "hub", subnet: None };
    let flows = [
        flow(60, "192.168.0.4", 50_000, "10.13.77.6", 1433),
        flow(90, "192.168.0.4", 50_001, "10.13.77.5", 1433),
    ];
    // TOML's basic strings are escaped as JSON's are, but for DEL, which they forbid.
    let rule = quoted.replace('\u{7f}', "\\u007f");
    let lab = Lab::new(&files)
        .policy(&POLICY.replace("RULE", &rule))
        .flows("log", observer, &flows)
        .evidence("azfw.jsonl", &flows[..1].iter().map(Flow::network_rule).collect::<String>());
    let evidence = lab.path().join("evidence/azfw.jsonl");
    let log = lab.path().join("traffic/log.json");
    for (path, words) in [
        (&evidence, &["AZFW\"", "Allow\""][..]),
        (&log, &["DefaultRule_AllowVnetOutBound\"", "/nsg\"", "/hub\"", "/nw\""][..]),
    ] {
        let mut json = fs::read_to_string(path).expect("was written");
        for word in words {
            json = json.replace(word, &word.replace('"', &format!("{inner}\"")));
        }
        fs::write(path, json).expect("the folder takes files");
    }
    lab
}

#[test]
fn payloads_stay_texts_in_every_report() {
    let mut findings = 0;
    for payload in PAYLOADS {
        let lab = lab(payload);
        let folder = lab.path();
        let run = run(
            folder,
            &[
                "verify",
                "--routes",
                "snapshot",
                "--policy",
                "policy.toml",
                "--evidence",
                "evidence",
                "--html",
                "out.html",
                "--sarif",
                "out.sarif",
                "--junit",
                "out.xml",
                "--json",
                "out.json",
                "-v",
                "traffic",
            ],
        );
        assert_neutral(&run, payload);
        // A name with slashes makes identifiers that lead elsewhere; nothing is written then.
        if run.code == 2 {
            assert!(payload.contains('/'), "{payload:?}: {}", run.stderr);
            continue;
        }
        findings += i32::from(run.code == 1);
        let read = |name: &str| {
            fs::read_to_string(folder.join(name))
                .unwrap_or_else(|e| panic!("{payload:?}: {name}: {e}"))
        };
        assert_inert(&read("out.html"), payload);
        assert_sarif(&read("out.sarif"), payload);
        assert_junit(&read("out.xml"), payload);
        let json: Value = serde_json::from_str(&read("out.json")).expect("JSON");
        assert_eq!(json["by_rule"][0]["rule"], payload);
    }
    assert!(findings > 45, "only {findings} runs found what there is");
}

#[test]
fn payloads_are_neutral_in_every_other_command_and_reversible_in_csv() {
    for payload in PAYLOADS {
        let lab = lab(payload);
        for arguments in [
            &["routes", "--routes", "snapshot"][..],
            &["lint", "--routes", "snapshot"],
            &["explain", "--routes", "snapshot", "--from", "192.168.0.4", "10.13.77.6"],
            &["classify", "--routes", "snapshot", "-v", "traffic"],
            &["explain", "--routes", "snapshot", "--from", "nobody", "10.13.77.6"],
        ] {
            assert_neutral(&run(lab.path(), arguments), payload);
        }
        // One table of nobody's: no sender is known, so that every flow changes.
        let rows = r#"{"value":[{"addressPrefix":["10.99.0.0/24"],"nextHopIpAddress":[],
            "nextHopType":"VnetLocal","source":"Default","state":"Active"}]}"#;
        fs::create_dir(lab.path().join("other")).expect("the folder takes folders");
        fs::write(lab.path().join("other/nobody.json"), rows).expect("the folder takes files");
        for (before, after, format) in
            [("snapshot", "other", "text"), ("other", "snapshot", "json")]
        {
            let sides = ["replay", "--before", before, "--after", after, "traffic", "-v"];
            let more = ["--policy", "policy.toml", "-o", "rows.csv", "--format", format];
            let run = run(lab.path(), &[&sides[..], &more].concat());
            assert_neutral(&run, payload);
            if run.code == 2 && payload.contains('/') {
                continue;
            }
            assert_eq!(run.code, 0, "{payload:?}: {}", run.stderr);
            if format == "json" {
                let json: Value = serde_json::from_str(&run.stdout).expect("JSON");
                assert!(json["changed"].as_u64() > Some(0), "{payload:?}");
            }
        }
        let csv = ["classify", "--routes", "snapshot", "--format", "csv", "traffic"];
        let (neutral, raw) =
            (run(lab.path(), &csv), run(lab.path(), &[&csv[..], &["--csv-raw"]].concat()));
        if neutral.code == 2 {
            assert!(payload.contains('/'), "{payload:?}");
            continue;
        }
        let texts = assert_reversible(&neutral.stdout, &raw.stdout, payload);
        let seen = texts.iter().any(|text| text.contains(payload));
        assert!(seen, "{payload:?} is in no column");
    }
}

/// One field at a time, so that what one of them breaks hides no other; then all that break
/// nothing at once, so that each meets every payload.
#[test]
fn payloads_in_any_field_stay_texts() {
    let estates = fields::estates();
    let totals: Vec<Value> = estates
        .iter()
        .map(|estate| {
            let report = verified(estate, "as it is", &[], |folder| estate.write(folder));
            report.expect("the estate is sound")["totals"].clone()
        })
        .collect();
    let mut seen = BTreeSet::new();
    let mut kinds = Vec::new();
    for (estate, totals) in estates.iter().zip(&totals) {
        for field in estate.fields() {
            if seen.insert(field.kind.clone()) {
                kinds.push((estate, totals, field));
            }
        }
    }
    assert!(kinds.len() > 200, "only {} kinds of fields", kinds.len());
    let harmless: BTreeSet<&str> = kinds
        .par_iter()
        .enumerate()
        .filter_map(|(number, (estate, totals, field))| {
            let with = |number: usize, place| {
                let payload = PAYLOADS[number % PAYLOADS.len()];
                let case = format!("{} {}: {payload:?} {place:?}", estate.name, field.kind);
                verified(estate, &case, &[], |folder| {
                    estate.write_with(folder, field, payload, place);
                })
            };
            if number % 4 == 0 {
                with(number / 4 * 7 + 3, Place::Whole);
            }
            let report = with(number, Place::End)?;
            (report["totals"] == **totals).then_some(field.kind.as_str())
        })
        .collect();
    let rounds: Vec<(&Estate, usize)> = estates
        .iter()
        .flat_map(|estate| (0..fields::ROUNDS).map(move |round| (estate, round)))
        .collect();
    let reports: Vec<Option<Value>> = rounds
        .par_iter()
        .map(|(estate, round)| {
            let mut all = estate.fields();
            all.retain(|field| {
                estate.is_identifier(field) || harmless.contains(field.kind.as_str())
            });
            let case = format!("{} in round {round}", estate.name);
            // The rows take three runs more.
            let more: &[&str] = if round % 5 == 0 { &["--csv-raw"] } else { &[] };
            verified(estate, &case, more, |folder| {
                estate.write_with_all(folder, &all, *round);
            })
        })
        .collect();
    let failed = reports.iter().filter(|report| report.is_none()).count();
    assert!(failed * 4 < rounds.len(), "{failed} of {} runs reported nothing", rounds.len());
    let shown: String = reports.iter().flatten().map(Value::to_string).collect();
    for payload in PAYLOADS {
        let quoted = Value::from(payload).to_string();
        assert!(shown.contains(quoted.trim_matches('"')), "{payload:?} is in no report");
    }
}

/// Verifies an estate, holds what every output is, and returns the report for programs; none where
/// a run ended with an error. With `more` arguments it runs once more, and the rows of both runs
/// are the same texts.
fn verified(estate: &Estate, case: &str, more: &[&str], write: impl Fn(&Path)) -> Option<Value> {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let folder = folder.path();
    write(folder);
    let words = "verify --no-progress -v --routes snapshot --policy policy.toml --evidence evidence \
                 --require private-endpoints,on-premises --html out.html --sarif out.sarif \
                 --junit out.xml --json out.json -o rows.csv traffic";
    let words: Vec<&str> = words.split_whitespace().collect();
    let outcome = run(folder, &words);
    assert_neutral(&outcome, case);
    if outcome.code == 2 {
        assert_ne!(case, "as it is", "{}: {}", estate.name, outcome.stderr);
        return None;
    }
    let read = |name: &str| {
        fs::read_to_string(folder.join(name))
            .unwrap_or_else(|error| panic!("{case}: {name}: {error}: {}", outcome.stderr))
    };
    assert_inert(&read("out.html"), case);
    assert_sarif(&read("out.sarif"), case);
    assert_junit(&read("out.xml"), case);
    for name in ["out.html", "out.sarif", "out.xml", "out.json"] {
        assert_plain(&read(name), case);
    }
    if !more.is_empty() {
        let neutral = read("rows.csv");
        assert_ne!(run(folder, &[&words[..], more].concat()).code, 2, "{case}");
        assert_reversible(&neutral, &read("rows.csv"), case);
        let classify = ["classify", "--routes", "snapshot", "--format", "csv", "traffic"];
        let raw = run(folder, &[&classify[..], more].concat());
        assert_reversible(&run(folder, &classify).stdout, &raw.stdout, case);
    }
    Some(serde_json::from_str(&read("out.json")).unwrap_or_else(|e| panic!("{case}: {e}")))
}
