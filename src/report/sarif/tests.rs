//! The structure of the log against what the schema asks, and a result by hand.

use serde_json::{Value, json};

use super::*;
use crate::report::coverage_sample::{hostile_texts, sample};

fn written(report: &CoverageReport) -> Value {
    let mut out = Vec::new();
    write_coverage_sarif(report, &mut out).unwrap();
    serde_json::from_slice(&out).unwrap()
}

/// Checks what the schema asks of the objects that are written here: required properties, no
/// others, closed lists of words, indices that point where they should.
fn assert_valid(log: &Value) {
    keys(log, &["$schema", "version", "runs"], &[]);
    assert_eq!(log["version"], "2.1.0");
    let run = &log["runs"][0];
    keys(run, &["tool", "invocations", "artifacts", "results", "columnKind"], &[]);
    assert!(["utf16CodeUnits", "unicodeCodePoints"].contains(&text(&run["columnKind"])));
    let driver = &run["tool"]["driver"];
    keys(driver, &["name", "semanticVersion", "rules", "notifications"], &[]);
    for rule in list(&driver["rules"]).iter().chain(list(&driver["notifications"])) {
        let required =
            ["id", "shortDescription", "fullDescription", "help", "defaultConfiguration"];
        keys(rule, &required, &[]);
        for message in ["shortDescription", "fullDescription", "help"] {
            keys(&rule[message], &["text"], &[]);
            assert!(text(&rule[message]["text"]).ends_with('.'));
        }
        assert_level(&rule["defaultConfiguration"]["level"]);
    }
    assert_eq!(run["invocations"][0]["executionSuccessful"], true);
    for notification in list(&run["invocations"][0]["toolExecutionNotifications"]) {
        keys(notification, &["descriptor", "level", "message"], &[]);
        assert_level(&notification["level"]);
        let index = notification["descriptor"]["index"].as_u64().unwrap() as usize;
        assert_eq!(driver["notifications"][index]["id"], notification["descriptor"]["id"]);
    }
    let artifacts = list(&run["artifacts"]);
    for artifact in artifacts {
        keys(artifact, &["location"], &["hashes"]);
        assert_uri_reference(text(&artifact["location"]["uri"]));
    }
    for result in list(&run["results"]) {
        let required = [
            "ruleId",
            "ruleIndex",
            "kind",
            "level",
            "message",
            "locations",
            "partialFingerprints",
            "properties",
        ];
        keys(result, &required, &[]);
        assert_eq!(result["kind"], "fail");
        assert_level(&result["level"]);
        keys(&result["message"], &["text"], &[]);
        let index = result["ruleIndex"].as_u64().unwrap() as usize;
        assert_eq!(driver["rules"][index]["id"], result["ruleId"]);
        for location in list(&result["locations"]) {
            keys(location, &[], &["physicalLocation", "logicalLocations"]);
            if let Some(physical) = location.get("physicalLocation") {
                let place = &physical["artifactLocation"];
                keys(place, &["uri", "index"], &[]);
                let index = place["index"].as_u64().unwrap() as usize;
                assert_eq!(artifacts[index]["location"]["uri"], place["uri"]);
            }
            for logical in location.get("logicalLocations").map_or(&[][..], |all| list(all)) {
                keys(logical, &["name", "fullyQualifiedName", "kind"], &[]);
            }
        }
        let fingerprints = result["partialFingerprints"].as_object().unwrap();
        assert!(fingerprints.values().all(Value::is_string));
    }
}

fn keys(value: &Value, required: &[&str], optional: &[&str]) {
    let object = value.as_object().unwrap_or_else(|| panic!("no object: {value}"));
    for key in required {
        assert!(object.contains_key(*key), "{key} is missing: {value}");
    }
    for key in object.keys() {
        assert!(required.contains(&key.as_str()) || optional.contains(&key.as_str()), "{key}");
    }
}

fn list(value: &Value) -> &[Value] {
    value.as_array().unwrap()
}

fn text(value: &Value) -> &str {
    value.as_str().unwrap()
}

fn assert_level(level: &Value) {
    assert!(["none", "note", "warning", "error"].contains(&text(level)));
}

fn assert_uri_reference(uri: &str) {
    let is_plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-._~/%".contains(&byte);
    assert!(uri.bytes().all(is_plain), "{uri}");
    assert!(!uri.starts_with("//"), "{uri}");
}

#[test]
fn the_log_has_the_structure_of_the_schema() {
    assert_valid(&written(&sample(str::to_owned)));
    assert_valid(&written(&CoverageReport::default()));
    for hostile in hostile_texts() {
        assert_valid(&written(&sample(|_| hostile.clone())));
    }
}

#[test]
fn a_result_by_hand() {
    let log = written(&sample(str::to_owned));
    let run = &log["runs"][0];
    assert_eq!(
        run["artifacts"],
        json!([
            {"location": {"uri": "logs/PT1H.json"}, "hashes": {"sha-256": "ab".repeat(32)}},
            {"location": {"uri": "policy.toml"}, "hashes": {"sha-256": "cd".repeat(32)}},
            {"location": {"uri": "capture.pcap"}}
        ])
    );
    let first = &run["results"][0];
    assert_eq!(first["ruleId"], "private_endpoint_bypass");
    assert_eq!(
        first["locations"],
        json!([{
            "physicalLocation": {"artifactLocation": {"uri": "logs/PT1H.json", "index": 0}},
            "logicalLocations": [{
                "name": "GatewaySubnet", "fullyQualifiedName": "hub/GatewaySubnet",
                "kind": "resource"
            }]
        }])
    );
    assert_eq!(
        first["partialFingerprints"],
        json!({
            "nexthopFinding/v1": "private_endpoint_bypass/192.168.0.4/10.13.77.6/on-premises \
                to private endpoints"
        })
    );
    let notifications = list(&run["invocations"][0]["toolExecutionNotifications"]);
    assert_eq!(notifications.len(), 2);
}

#[test]
fn every_code_is_a_rule_with_help() {
    let log = written(&CoverageReport::default());
    let rules = list(&log["runs"][0]["tool"]["driver"]["rules"]);
    let ids: Vec<_> = rules.iter().map(|rule| text(&rule["id"])).collect();
    assert_eq!(ids, FindingCode::ALL.map(FindingCode::as_str));
}

#[test]
fn braces_and_brackets_of_a_message_are_text() {
    let shown = |message| Text::message(message).text;
    assert_eq!(shown("{0} [a](b)"), r"{{0}} \[a\](b)");
    assert_eq!(shown(r"\[a"), r"\\\[a");
    assert_eq!(shown("\u{1b}"), r"\\u{{1b}}");
}

#[test]
fn a_path_is_never_more_than_a_path() {
    for (path, want) in [
        ("logs/a b.json", "logs/a%20b.json"),
        ("javascript:alert(1)", "javascript%3Aalert%281%29"),
        ("//host/share", "/.//host/share"),
        ("c:\\a?b#c", "c%3A%5Ca%3Fb%23c"),
        ("ü", "%C3%BC"),
        ("az://account/container/a b", "az://account/container/a%20b"),
        ("-", "-"),
    ] {
        assert_eq!(uri_of(path), want);
    }
}
