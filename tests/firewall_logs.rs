//! Firewall logs through the public reader.
//!
//! Published logs are not part of this repository: the environment variable `NEXTHOP_CORPUS` names
//! the folder that has them below `firewall/`. Expected counts come from searching the same files
//! as plain text.

#![forbid(unsafe_code)]

use std::fs;
use std::io::{Cursor, Write};
use std::path::{Path, PathBuf};

use nexthop::traffic::firewall::{
    FirewallAction, FirewallCategory, FirewallDestination, FirewallLogReader, FirewallRecord,
    looks_like_firewall_log,
};
use nexthop::traffic::{Damage, Tally};

/// The folder of published logs; without it the test that asks is skipped, loudly.
fn firewall_logs() -> Option<PathBuf> {
    let Some(corpus) = std::env::var_os("NEXTHOP_CORPUS") else {
        // Not `eprintln!`, which the test harness keeps to itself.
        let note = "SKIPPED: NEXTHOP_CORPUS is not set, so no published firewall log was read";
        writeln!(std::io::stderr(), "{note}").expect("standard error takes a line");
        return None;
    };
    let folder = Path::new(&corpus).join("firewall");
    assert!(folder.is_dir(), "NEXTHOP_CORPUS is set, but there is no {}", folder.display());
    Some(folder)
}

fn read(log: &str) -> (Vec<FirewallRecord>, Tally) {
    let input = || Box::new(Cursor::new(log.to_owned()));
    assert!(looks_like_firewall_log(input()).0);
    let mut reader = FirewallLogReader::open(input());
    let (mut all, mut records, mut tally) = (Vec::new(), Vec::new(), Tally::default());
    while reader.read(&mut records, 3, &mut tally) {
        tally.classified += records.len() as u64;
        all.append(&mut records);
    }
    tally.bytes_read = reader.bytes_read();
    assert_eq!(tally.bytes_read, log.len() as u64);
    tally.assert_balanced();
    (all, tally)
}

fn count(records: &[FirewallRecord], category: FirewallCategory) -> usize {
    records.iter().filter(|record| record.category == Some(category)).count()
}

#[test]
fn every_legacy_line_is_read_and_counted_by_what_its_text_says() {
    let Some(folder) = firewall_logs() else { return };
    for name in ["legacy-networkrules.jsonl", "legacy-applicationrules.jsonl"] {
        let log = fs::read_to_string(folder.join(name)).unwrap();
        let (records, tally) = read(&log);
        assert_eq!(tally.first_damages(), [], "{name}");
        assert_eq!(records.len(), log.lines().count(), "{name}");
        let lines_with = |text: &str| log.lines().filter(|line| line.contains(text)).count();
        let detections = lines_with(". IDS: ") + lines_with("ThreatIntel: ");
        let requests =
            if name.contains("network") { lines_with("AzureFirewallNetworkRuleLog") } else { 0 };
        for (category, lines) in [
            (FirewallCategory::NatRule, lines_with("was DNAT'ed to")),
            (FirewallCategory::IdpsSignature, lines_with(". IDS: ")),
            (FirewallCategory::ThreatIntel, lines_with("ThreatIntel: ")),
            (FirewallCategory::ApplicationRule, lines_with("AzureFirewallApplicationRuleLog")),
            (FirewallCategory::NetworkRule, requests.saturating_sub(detections)),
        ] {
            assert_eq!(count(&records, category), lines, "{name}: {category:?}");
        }
        let actions = |action| records.iter().filter(|row| row.action == Some(action)).count();
        assert_eq!(actions(FirewallAction::Allow), lines_with("Action: Allow"), "{name}");
        let denied = lines_with("Action: Deny") + lines_with("Action: drop");
        assert_eq!(actions(FirewallAction::Deny), denied, "{name}");
        assert_eq!(actions(FirewallAction::Alert), lines_with("Action: alert"), "{name}");
        for (record, line) in records.iter().zip(log.lines()) {
            assert!(line.contains(&format!(" from {}", record.source)), "{line}");
            assert!(record.is_legacy && record.firewall.is_some());
            assert_eq!(record.protocol == Some(1), line.contains("ICMP"), "{line}");
            assert_eq!(record.rule.is_some(), line.contains(". Rule: "), "{line}");
            if let Some(rule) = &record.rule {
                assert!(line.contains(&format!(". Rule: {rule}")), "{line}");
            }
            match &record.destination {
                FirewallDestination::Address(address) => {
                    assert!(line.contains(&format!(" to {address}")), "{line}");
                }
                FirewallDestination::Fqdn(name) => {
                    assert!(line.contains(&format!(" to {name}:")), "{line}");
                }
                FirewallDestination::Unknown => assert!(!line.contains(" to "), "{line}"),
            }
        }
    }
}

#[test]
fn every_structured_line_is_read_and_counted_by_its_category() {
    let Some(folder) = firewall_logs() else { return };
    let log = fs::read_to_string(folder.join("structured.jsonl")).unwrap();
    let (records, tally) = read(&log);
    assert_eq!(tally.first_damages(), []);
    assert_eq!(records.len(), log.lines().count());
    for category in FirewallCategory::ALL {
        let text = format!("\"category\":\"{}\"", category.as_str());
        let lines = log.lines().filter(|line| line.contains(&text)).count();
        assert_eq!(count(&records, category), lines, "{category:?}");
    }
    for (record, line) in records.iter().zip(log.lines()) {
        assert!(line.contains(&format!("\"SourceIp\":\"{}\"", record.source)), "{line}");
        let port = record.destination_port.unwrap();
        assert!(line.contains(&format!("\"DestinationPort\":{port},")), "{line}");
        let is_nat = record.category == Some(FirewallCategory::NatRule);
        assert_eq!(record.translated.is_some(), is_nat, "{line}");
        assert!(!record.is_weak() && !record.is_legacy);
    }
}

/// The same minute, in eleven ways; some have a fraction of a second.
#[test]
fn every_shape_of_a_time_is_the_same_minute() {
    let Some(folder) = firewall_logs() else { return };
    let log = fs::read_to_string(folder.join("time-format-corner-cases.jsonl")).unwrap();
    let (records, tally) = read(&log);
    assert_eq!(records, [], "a time alone is no evidence of a flow");
    assert_eq!(tally.damaged(Damage::MalformedRecord), log.lines().count() as u64);

    let message =
        r#","properties":{"msg":"TCP request from 10.0.0.4:5 to 10.0.0.5:6. Action: Allow"}}"#;
    let (records, tally) = read(&log.replace('}', message));
    assert_eq!(tally.first_damages(), []);
    assert_eq!(records.len(), 11);
    // 37 years since 1970 with 9 leap days, and 8 days of January.
    let day_seconds = (37 * 365 + 9 + 8) * 86_400_i64;
    let minute_ns = (day_seconds + 9 * 3600 + 41 * 60) * 1_000_000_000;
    let fractions_ns: Vec<i64> = records.iter().map(|record| record.time_ns - minute_ns).collect();
    assert_eq!(
        fractions_ns,
        [0, 0, 0, 0, 0, 0, 220_000_000, 681_666_300, 535_404_056, 992_099_000, 0]
    );
}

#[test]
fn all_files_together_are_one_log() {
    let Some(folder) = firewall_logs() else { return };
    let mut names: Vec<PathBuf> =
        fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()).collect();
    names.sort();
    let logs: Vec<String> = names.iter().map(|name| fs::read_to_string(name).unwrap()).collect();
    let apart: u64 = logs.iter().map(|log| read(log).1.records_read).sum();
    let (_, tally) = read(&logs.concat());
    assert_eq!(tally.records_read, apart);
    let wrapped: Vec<&str> = logs.iter().flat_map(|log| log.lines()).collect();
    let (_, wrapped) = read(&format!("{{\"records\":[{}]}}", wrapped.join(",")));
    assert_eq!(wrapped.classified, tally.classified);
    assert_eq!(wrapped.records_read, tally.records_read);
}

/// Seven rows of a table that a blog shows, in its order, which is not that of time.
#[test]
fn a_published_table_gives_its_seven_rows() {
    let clocks = [
        "18:18:11.925475",
        "18:20:59.455482",
        "18:20:37.432681",
        "18:20:59.355915",
        "18:21:00.30664",
        "18:21:01.308064",
        "18:21:02.310114",
    ];
    let header = "Action_s    Category         DestinationIp_s    Fqdn_s    SourceIP     TableName      TimeGenerated";
    let ruler = "----------  ---------------  -----------------  --------  -----------  -------------  ---------------------------";
    let row = "Allow       AZFWNetworkRule  10.13.77.6                   192.168.0.4  PrimaryResult  2025-01-20T";
    let rows: String = clocks.iter().map(|clock| format!("{row}{clock}Z\n")).collect();
    let table = format!("{header}\n{ruler}\n{rows}");
    let flattened: Vec<&str> = table.split_whitespace().collect();
    let prompt = "❯ az monitor log-analytics query -w $id --analytics-query $fw_query -o table";
    // 55 years since 1970 with 14 leap days, and 19 days of January; then 18 hours.
    let hour_ns = ((55 * 365 + 14 + 19) * 86_400 + 18 * 3600) * 1_000_000_000_i64;
    let at = |minute: i64, second: i64, microsecond: i64| {
        hour_ns + (minute * 60 + second) * 1_000_000_000 + microsecond * 1_000
    };
    let times = [
        at(18, 11, 925_475),
        at(20, 59, 455_482),
        at(20, 37, 432_681),
        at(20, 59, 355_915),
        at(21, 0, 306_640),
        at(21, 1, 308_064),
        at(21, 2, 310_114),
    ];
    for log in [table.clone(), format!("{prompt} {}", flattened.join(" "))] {
        let (records, tally) = read(&log);
        assert_eq!((tally.records_read, tally.classified), (7, 7));
        let found: Vec<i64> = records.iter().map(|record| record.time_ns).collect();
        assert_eq!(found, times);
        for record in records {
            assert_eq!(record.source.to_string(), "192.168.0.4");
            let destination = "10.13.77.6".parse().unwrap();
            assert_eq!(record.destination, FirewallDestination::Address(destination));
            assert_eq!(record.action, Some(FirewallAction::Allow));
            assert_eq!(record.category, Some(FirewallCategory::NetworkRule));
            assert!(record.is_weak(), "the table has no ports");
        }
    }
}

/// Lines of a log that differ in their source port, in a form that is named.
fn numbered_lines(form: &str, count: usize) -> Vec<String> {
    let row = |port: usize| match form {
        "json" => format!(
            "{{\"time\":\"2025-01-20T18:00:{port:02}Z\",\"category\":\"AZFWNetworkRule\",\
             \"resourceId\":\"/X/AZUREFIREWALLS/HUB\",\"properties\":{{\"Protocol\":\"TCP\",\
             \"SourceIp\":\"10.0.0.4\",\"SourcePort\":{port},\"DestinationIp\":\"10.1.0.4\",\
             \"DestinationPort\":443,\"Action\":\"Allow\"}}}}\n"
        ),
        "legacy" => format!(
            "{{\"category\":\"AzureFirewallNetworkRule\",\"time\":\"2025-01-20T18:00:{port:02}Z\",\
             \"resourceId\":\"/X/AZUREFIREWALLS/HUB\",\"properties\":{{\"msg\":\"TCP request from \
             10.0.0.4:{port} to 10.1.0.4:443. Action: Allow. Rule: a, b\"}}}}\n"
        ),
        _ => format!(
            "2025-01-20T18:00:{port:02}Z,AZFWNetworkRule,TCP,10.0.0.4,{port},10.1.0.4,443,Allow\n"
        ),
    };
    (1..=count).map(row).collect()
}

const CSV_HEADER: &str =
    "TimeGenerated,Category,Protocol,SourceIp,SourcePort,DestinationIp,DestinationPort,Action\n";

/// Reads lines of a form. Returns the source ports of what was found.
fn ports_of(form: &str, lines: &[Vec<u8>]) -> (Vec<u16>, Tally) {
    let mut log = if form == "csv" { CSV_HEADER.as_bytes().to_vec() } else { Vec::new() };
    log.extend(lines.concat());
    let mut reader = FirewallLogReader::open(Box::new(Cursor::new(log)));
    let (mut ports, mut records, mut tally) = (Vec::new(), Vec::new(), Tally::default());
    while reader.read(&mut records, 2, &mut tally) {
        tally.classified += records.len() as u64;
        ports.extend(records.iter().filter_map(|record| record.source_port));
    }
    tally.assert_balanced();
    (ports, tally)
}

/// The form of a log is told by its first line, whatever is wrong with that one.
#[test]
fn a_damaged_byte_of_the_first_line_harms_no_other() {
    for form in ["json", "legacy"] {
        let sound: Vec<Vec<u8>> =
            numbered_lines(form, 3).into_iter().map(String::into_bytes).collect();
        for at in 0..sound[0].len() - 1 {
            for byte in *b"{}[]\",:\\ \n\r\x00\xFF7a" {
                let mut lines = sound.clone();
                lines[0][at] = byte;
                let (ports, tally) = ports_of(form, &lines);
                let are_found = ports.contains(&2) && ports.contains(&3);
                assert!(are_found, "{form} {at} {:?}: {ports:?} {tally:?}", char::from(byte));
            }
        }
    }
}

proptest::proptest! {
    #![proptest_config(proptest::prelude::ProptestConfig::with_cases(2000))]

    #[test]
    fn a_damaged_byte_harms_no_line_but_its_own(
        form in proptest::sample::select(vec!["json", "legacy", "csv"]),
        line in 0_usize..6,
        at in proptest::prelude::any::<proptest::sample::Index>(),
        byte in proptest::prelude::any::<u8>(),
    ) {
        let mut lines: Vec<Vec<u8>> =
            numbered_lines(form, 6).into_iter().map(String::into_bytes).collect();
        let end = lines[line].len() - 1;
        lines[line][at.index(end)] = byte;
        let (ports, tally) = ports_of(form, &lines);
        for port in (1..=6).filter(|port| *port != line as u16 + 1) {
            proptest::prop_assert!(ports.contains(&port), "{port} of {ports:?}: {tally:?}");
        }
    }
}
