//! Hostile texts in every name of a snapshot, a policy, traffic and logs, through the program: what
//! it writes is text everywhere, and nothing else.

#![forbid(unsafe_code)]
#![cfg(feature = "cli")]

#[allow(dead_code, reason = "scenarios are held by another test program")]
mod coverage;
#[allow(dead_code, reason = "labels of the estates are held by another test program")]
mod recipes;

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;
use std::process::Command;

use coverage::{Flow, Lab, Observer, files_of, flow};
use html5ever::tendril::TendrilSink;
use markup5ever_rcdom::{Handle, NodeData, RcDom};
use recipes::estates;
use serde_json::Value;

/// Markup, terminal escapes, bidirectional controls, formulas, what XML forbids, and quoting.
const PAYLOADS: [&str; 60] = [
    "<script>alert(1)</script>",
    "</script><script>alert(1)</script>",
    "</style><script>alert(1)</script>",
    "</title><img src=x onerror=alert(1)>",
    "</svg><script>alert(1)</script>",
    "--><script>alert(1)</script>",
    "]]><script>alert(1)</script>",
    "<![CDATA[x]]>",
    "<!--",
    "<img src=x onerror=alert(1)>",
    "\"><img src=x onerror=alert(1)>",
    "'><svg onload=alert(1)>",
    "\" onmouseover=\"alert(1)",
    "' onfocus='alert(1)' autofocus='",
    "` onload=`alert(1)",
    "<iframe src=javascript:alert(1)>",
    "<a href=javascript:alert(1)>x</a>",
    "<base href=//evil.example/>",
    "<meta http-equiv=refresh content=0;url=//evil.example/>",
    "<link rel=stylesheet href=//evil.example/x.css>",
    "<style>*{background:url(//evil.example/)}</style>",
    "<form action=//evil.example/>",
    "<math><mi xlink:href=javascript:alert(1)>",
    "&lt;script&gt;",
    "&#60;script&#62;",
    "&amp;amp;",
    "&nbsp;&unknown;",
    "javascript:alert(1)",
    "data:text/html,<script>alert(1)</script>",
    "<?xml version=\"1.0\"?>",
    "<!DOCTYPE x [<!ENTITY e SYSTEM \"file:///etc/passwd\">]>&e;",
    "\u{1b}[31mred",
    "\u{1b}]0;title\u{7}",
    "\u{1b}[2J\u{1b}[H",
    "\u{1b}]8;;https://evil.example\u{1b}\\link",
    "\u{9b}31m",
    "\u{90}q\u{9c}",
    "\u{7f}\u{8}\u{8}",
    "a\rb",
    "a\nb",
    "a\tb",
    "\u{0}",
    "\u{1}\u{1f}",
    "\u{202e}gnp.exe",
    "\u{2066}x\u{2069}",
    "\u{200f}x\u{200e}",
    "\u{2028}x\u{2029}",
    "\u{feff}x",
    "\u{fffe}\u{ffff}",
    "=1+1",
    "=HYPERLINK(\"https://evil.example\")",
    "+1",
    "-1",
    "@SUM(A1)",
    "\t=1",
    "\r=1",
    "'=1",
    "\"quoted\",comma;semicolon",
    "%s%n{}{0}$(id)`id`",
    "../../etc/passwd",
];

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
        let xml = read("out.xml");
        roxmltree::Document::parse(&xml).unwrap_or_else(|error| panic!("{payload:?}: {error}"));
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
        let csv = ["classify", "--routes", "snapshot", "--format", "csv", "traffic"];
        let (neutral, raw) =
            (run(lab.path(), &csv), run(lab.path(), &[&csv[..], &["--csv-raw"]].concat()));
        if neutral.code == 2 {
            assert!(payload.contains('/'), "{payload:?}");
            continue;
        }
        let (neutral, raw) = (rows(&neutral.stdout), rows(&raw.stdout));
        assert_eq!(neutral.len(), raw.len());
        let mut seen = false;
        for (neutral, raw) in neutral.iter().flatten().zip(raw.iter().flatten()) {
            let is_formula = neutral.starts_with(['=', '+', '-', '@', '\t', '\r']);
            assert!(!is_formula || neutral.parse::<f64>().is_ok(), "{payload:?}: {neutral:?}");
            // What was put before a text can be taken away again.
            assert!(neutral == raw || neutral.strip_prefix('\'') == Some(raw), "{neutral:?}");
            seen |= raw.contains(payload);
        }
        assert!(seen, "{payload:?} is in no column");
    }
}

struct Run {
    code: i32,
    stdout: String,
    stderr: String,
}

fn run(folder: &Path, arguments: &[&str]) -> Run {
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

/// Nothing that steers a terminal or reorders what is read.
fn assert_neutral(run: &Run, payload: &str) {
    assert!(run.code < 70, "{payload:?}: {}", run.stderr);
    for text in [&run.stdout, &run.stderr] {
        for character in text.chars() {
            let is_control = character.is_control() && character != '\n';
            let reorders = matches!(character, '\u{200e}' | '\u{200f}' | '\u{202a}'..='\u{202e}'
                | '\u{2066}'..='\u{2069}' | '\u{2028}' | '\u{2029}');
            assert!(!is_control && !reorders, "{payload:?}: {character:?} in {text}");
        }
    }
}

/// No script, no handler, and no reference but within the page.
fn assert_inert(page: &str, payload: &str) {
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
fn assert_sarif(text: &str, payload: &str) {
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

/// The fields of a CSV document, by RFC 4180.
fn rows(text: &str) -> Vec<Vec<String>> {
    let mut rows = vec![vec![String::new()]];
    let mut is_quoted = false;
    let mut characters = text.chars().peekable();
    while let Some(character) = characters.next() {
        let row = rows.last_mut().expect("a row");
        let field = row.last_mut().expect("a field");
        match character {
            '"' if is_quoted && characters.peek() == Some(&'"') => {
                characters.next();
                field.push('"');
            }
            '"' => is_quoted = !is_quoted,
            ',' if !is_quoted => row.push(String::new()),
            '\n' if !is_quoted => rows.push(vec![String::new()]),
            '\r' if !is_quoted && characters.peek() == Some(&'\n') => {}
            other => field.push(other),
        }
    }
    rows
}
