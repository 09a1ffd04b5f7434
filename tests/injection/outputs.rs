//! What every output of the program holds, whatever texts it was given.

use std::collections::BTreeSet;
use std::path::Path;
use std::process::Command;

use html5ever::tendril::TendrilSink;
use markup5ever_rcdom::{Handle, NodeData, RcDom};
use serde_json::Value;

/// How a run ended and what it said.
pub struct Run {
    pub code: i32,
    pub stdout: String,
    pub stderr: String,
}

/// Runs the program in a folder.
pub fn run(folder: &Path, arguments: &[&str]) -> Run {
    let output = Command::new(env!("CARGO_BIN_EXE_nexthop"))
        .current_dir(folder)
        .args(arguments)
        .output()
        .expect("the program runs");
    Run {
        code: output.status.code().expect("was not ended by a signal"),
        stdout: String::from_utf8(output.stdout).expect("UTF-8"),
        stderr: String::from_utf8(output.stderr).expect("UTF-8"),
    }
}

/// A run that came to its end and said nothing that steers a terminal.
pub fn assert_neutral(run: &Run, payload: &str) {
    assert!(run.code < 70, "{payload:?}: {}", run.stderr);
    assert_plain(&run.stdout, payload);
    assert_plain(&run.stderr, payload);
}

/// Nothing that steers a terminal or reorders what is read.
pub fn assert_plain(text: &str, payload: &str) {
    let is_steering = |character: char| {
        character.is_control() && character != '\n'
            || matches!(character, '\u{61c}' | '\u{200e}' | '\u{200f}'
                | '\u{2028}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
    };
    // Nearly all is printable ASCII, which needs no second look.
    let is_printable = |byte: &u8| *byte == b'\n' || (b' '..=b'~').contains(byte);
    if !text.as_bytes().iter().all(is_printable)
        && let Some(at) = text.find(is_steering)
    {
        let end: String = text[at..].chars().take(40).collect();
        panic!("{payload:?}: {end:?}");
    }
}

/// XML that a parser takes, of the characters that XML may have.
///
/// Source: W3C, "Extensible Markup Language (XML) 1.0 (Fifth Edition)", production 2 (Char).
pub fn assert_junit(text: &str, payload: &str) {
    let document = roxmltree::Document::parse(text);
    let document = document.unwrap_or_else(|error| panic!("{payload:?}: {error}"));
    assert!(document.root_element().has_tag_name("testsuites"), "{payload:?}");
    let texts = document.descendants().flat_map(|node| {
        node.attributes()
            .map(|attribute| attribute.value().to_owned())
            .chain(node.text().map(str::to_owned))
            .collect::<Vec<_>>()
    });
    for text in texts.chain([text.to_owned()]) {
        let is_allowed =
            |character| matches!(character, '\t' | '\n' | '\r' | ' '..='\u{fffd}' | '\u{10000}'..);
        assert!(text.chars().all(is_allowed), "{payload:?}: {text:?}");
    }
}

/// No cell that a spreadsheet would take for a formula, and what was put before a text can be taken
/// away again. Returns the texts.
pub fn assert_reversible(neutral: &str, raw: &str, payload: &str) -> Vec<String> {
    let (neutral, raw) = (rows(neutral), rows(raw));
    assert_eq!(neutral.len(), raw.len(), "{payload:?}");
    for (neutral, raw) in neutral.iter().flatten().zip(raw.iter().flatten()) {
        let is_formula = neutral.starts_with(['=', '+', '-', '@', '\t', '\r']);
        assert!(!is_formula || neutral.parse::<f64>().is_ok(), "{payload:?}: {neutral:?}");
        assert!(
            neutral == raw || neutral.strip_prefix('\'') == Some(raw),
            "{payload:?}: {neutral:?}"
        );
    }
    raw.into_iter().flatten().collect()
}

/// No script, no handler, and no reference but within the page.
pub fn assert_inert(page: &str, payload: &str) {
    let document = html5ever::parse_document(RcDom::default(), Default::default()).one(page);
    assert!(document.errors.borrow().is_empty(), "{payload:?}: {:?}", document.errors.borrow());
    walk(&document.document, &mut |name, attributes| {
        let forbidden = ["script", "iframe", "object", "embed", "base", "link", "form", "img"];
        assert!(!forbidden.contains(&name), "{payload:?}: <{name}>");
        for (attribute, value) in attributes {
            assert!(!attribute.starts_with("on"), "{payload:?}: {attribute}");
            if ["href", "src", "action", "data"].contains(&attribute.as_str()) {
                assert!(value.starts_with('#'), "{payload:?}: {attribute}={value}");
            }
        }
    });
}

fn walk(node: &Handle, each: &mut impl FnMut(&str, &[(String, String)])) {
    if let NodeData::Element { name, attrs, .. } = &node.data {
        let attributes: Vec<(String, String)> = attrs
            .borrow()
            .iter()
            .map(|attribute| (attribute.name.local.to_string(), attribute.value.to_string()))
            .collect();
        each(&name.local, &attributes);
    }
    for child in node.children.borrow().iter() {
        walk(child, each);
    }
}

/// What SARIF 2.1.0 requires of a log with one run and of its results.
///
/// Source: OASIS, "Static Analysis Results Interchange Format (SARIF) Version 2.1.0 Plus Errata 01",
/// §3.13, §3.14, §3.18, §3.19, §3.27 (required properties and ranges of indices).
pub fn assert_sarif(text: &str, payload: &str) {
    let log: Value = serde_json::from_str(text).unwrap_or_else(|e| panic!("{payload:?}: {e}"));
    assert_eq!(log["version"], "2.1.0");
    let runs = log["runs"].as_array().expect("runs");
    assert_eq!(runs.len(), 1);
    let driver = &runs[0]["tool"]["driver"];
    assert!(driver["name"].is_string());
    let rules = driver["rules"].as_array().expect("rules");
    let ids: Vec<&str> = rules.iter().map(|rule| rule["id"].as_str().expect("an id")).collect();
    assert_eq!(ids.iter().collect::<BTreeSet<_>>().len(), ids.len(), "ids are unique");
    let artifacts = runs[0]["artifacts"].as_array().map_or(0, Vec::len);
    for result in runs[0]["results"].as_array().expect("results") {
        let rule = result["ruleIndex"].as_u64().expect("an index");
        let rule = usize::try_from(rule).expect("a small index");
        assert_eq!(result["ruleId"], ids[rule]);
        assert!(result["message"]["text"].as_str().is_some_and(|text| !text.is_empty()));
        let level = result["level"].as_str().unwrap_or("warning");
        assert!(["none", "note", "warning", "error"].contains(&level), "{level}");
        for location in result["locations"].as_array().into_iter().flatten() {
            let artifact = &location["physicalLocation"]["artifactLocation"];
            if let Some(index) = artifact["index"].as_u64() {
                assert!(usize::try_from(index).expect("a small index") < artifacts);
            }
            if let Some(uri) = artifact["uri"].as_str() {
                let is_reference = uri.is_ascii() && !uri.contains([' ', '<', '>', '"', '\\']);
                assert!(is_reference, "{payload:?}: {uri}");
            }
        }
    }
}

/// The fields of a CSV document.
pub fn rows(text: &str) -> Vec<Vec<String>> {
    let mut reader = csv::ReaderBuilder::new().has_headers(false).from_reader(text.as_bytes());
    let rows = reader.records().map(|row| {
        let row = row.unwrap_or_else(|error| panic!("{error}: {text}"));
        row.iter().map(str::to_owned).collect()
    });
    rows.collect()
}
