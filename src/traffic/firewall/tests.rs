//! Whole logs, form by form, against records written by hand.

use std::io::{Cursor, Read, Write};
use std::net::IpAddr;

use flate2::write::GzEncoder;
use proptest::prelude::*;

use super::*;
use crate::traffic::{Damage, NotApplicable, Tally};

/// 2025-01-20 is day 20,108 since 1970: 55 years of 365 days, 14 leap days, and 19 days.
const DAY_NS: i64 = (55 * 365 + 14 + 19) * 86_400 * 1_000_000_000;

const ID: &str =
    "/SUBSCRIPTIONS/S/RESOURCEGROUPS/G/PROVIDERS/MICROSOFT.NETWORK/AZUREFIREWALLS/FW01";

/// Reads a whole log, and holds that its books balance.
fn read(log: impl AsRef<[u8]>) -> (Vec<FirewallRecord>, Tally) {
    read_by(log.as_ref(), 1000)
}

fn read_by(log: &[u8], records_max: usize) -> (Vec<FirewallRecord>, Tally) {
    let mut reader = FirewallLogReader::open(Box::new(Cursor::new(log.to_vec())));
    let (mut all, mut records, mut tally) = (Vec::new(), Vec::new(), Tally::default());
    while reader.read(&mut records, records_max, &mut tally) {
        assert!(records.len() <= records_max);
        tally.classified += records.len() as u64;
        all.append(&mut records);
    }
    assert!(!reader.read(&mut records, records_max, &mut tally), "the end stays the end");
    tally.assert_balanced();
    assert!(all.is_sorted_by(|one, next| one.record < next.record));
    assert!(all.last().is_none_or(|last| last.record <= tally.records_read));
    (all, tally)
}

/// Reads a log of sound rows.
fn rows(log: impl AsRef<[u8]>) -> Vec<FirewallRecord> {
    let (records, tally) = read(log);
    assert_eq!(tally.first_damages(), []);
    assert_eq!(tally.not_applicable_total(), 0);
    records
}

fn row(log: impl AsRef<[u8]>) -> FirewallRecord {
    let [row] = rows(log).try_into().unwrap();
    row
}

fn damages(log: impl AsRef<[u8]>) -> Vec<(Damage, u64, u64, String)> {
    let (_, tally) = read(log);
    let places = tally.first_damages().iter();
    places.map(|at| (at.damage, at.record, at.byte_offset, at.detail.clone())).collect()
}

fn looks_like(log: impl AsRef<[u8]>) -> bool {
    let log = log.as_ref().to_vec();
    let (is_log, mut whole) = looks_like_firewall_log(Box::new(Cursor::new(log.clone())));
    let mut bytes = Vec::new();
    whole.read_to_end(&mut bytes).unwrap();
    assert_eq!(bytes, log, "it is given back as it was");
    is_log
}

fn ip(text: &str) -> IpAddr {
    text.parse().unwrap()
}

fn structured(category: &str, properties: &str) -> String {
    format!(
        r#"{{"time":"2025-01-20T00:00:01Z","resourceId":"{ID}","category":"{category}","properties":{{{properties}}}}}"#
    )
}

fn legacy(category: &str, operation: &str, message: &str) -> String {
    let properties = format!(r#""msg":"{message}""#);
    structured(category, &properties).replacen(
        '{',
        &format!(r#"{{"operationName":"{operation}","#),
        1,
    )
}

const NETWORK_RULE: &str = r#""Protocol":"TCP","SourceIp":"10.0.0.4","SourcePort":50306,"DestinationIp":"10.1.0.4","DestinationPort":443,"Action":"Allow","ActionReason":"","Policy":"p","Rule":"r, #1""#;

fn network_rule() -> FirewallRecord {
    FirewallRecord {
        time_ns: DAY_NS + 1_000_000_000,
        firewall: Some(FirewallName::new(ID)),
        category: Some(FirewallCategory::NetworkRule),
        is_legacy: false,
        action: Some(FirewallAction::Allow),
        protocol: Some(6),
        source: ip("10.0.0.4"),
        source_port: Some(50306),
        destination: FirewallDestination::Address(ip("10.1.0.4")),
        destination_port: Some(443),
        translated: None,
        rule: Some("r, #1".into()),
        flag: None,
        record: 1,
    }
}

#[test]
fn a_structured_record_is_read_in_any_case_with_ports_as_numbers_or_texts() {
    let log = structured("AZFWNetworkRule", NETWORK_RULE);
    assert_eq!(row(&log), network_rule());
    let upper = log.replace("SourceIp", "SOURCEIP").replace("properties", "Properties");
    assert_eq!(row(upper), network_rule());
    for port in [r#""443""#, "443.0", r#""443.0""#, r#"" 443 ""#] {
        assert_eq!(row(log.replace("443", port)), network_rule(), "{port}");
    }
    for port in ["65536", "-1", "443.5", "1e999", r#""65536""#, r#""-1""#, r#""https""#] {
        let (records, tally) = read(log.replace("443", port));
        assert_eq!((records.len(), tally.damaged(Damage::MalformedRecord)), (0, 1), "{port}");
    }
    for port in ["null", r#""""#, r#""None""#, r#""N/A""#, "{}", "[1]", "true"] {
        let want = FirewallRecord { destination_port: None, ..network_rule() };
        assert_eq!(row(log.replace("443", port)), want, "{port}");
        assert!(want.is_weak());
    }
    assert!(!network_rule().is_weak());
}

#[test]
fn every_structured_category_is_read() {
    for (category, properties, want) in [
        (
            "AZFWNatRule",
            r#""Protocol":"TCP","SourceIp":"10.0.0.4","SourcePort":50306,"DestinationIp":"10.1.0.4","DestinationPort":443,"TranslatedIp":"10.2.0.4","TranslatedPort":8443,"Rule":"r, #1""#,
            FirewallRecord {
                category: Some(FirewallCategory::NatRule),
                action: None,
                translated: Some((ip("10.2.0.4"), Some(8443))),
                ..network_rule()
            },
        ),
        (
            "AZFWApplicationRule",
            r#""Protocol":"HTTPS","SourceIp":"10.0.0.4","SourcePort":50306,"DestinationPort":443,"Fqdn":"www.example.com","TargetUrl":"","Action":"Allow","Rule":"r, #1""#,
            FirewallRecord {
                category: Some(FirewallCategory::ApplicationRule),
                destination: FirewallDestination::Fqdn("www.example.com".into()),
                ..network_rule()
            },
        ),
        (
            "AZFWFlowTrace",
            r#""Protocol":"TCP","SourceIp":"10.0.0.4","SourcePort":50306,"DestinationIp":"10.1.0.4","DestinationPort":443,"Flag":"INVALID","Action":"Log","ActionReason":"Additional TCP Log""#,
            FirewallRecord {
                category: Some(FirewallCategory::FlowTrace),
                action: Some(FirewallAction::Other),
                flag: Some(FlowTraceFlag::Invalid),
                rule: None,
                ..network_rule()
            },
        ),
        (
            "AZFWFatFlow",
            r#""Protocol":"TCP","SourceIp":"10.0.0.4","SourcePort":50306,"DestinationIp":"10.1.0.4","DestinationPort":443,"FlowRate":1.5"#,
            FirewallRecord {
                category: Some(FirewallCategory::FatFlow),
                action: None,
                rule: None,
                ..network_rule()
            },
        ),
        (
            "AZFWThreatIntel",
            r#""Protocol":"TCP","SourceIp":"10.0.0.4","SourcePort":50306,"DestinationIp":"10.1.0.4","DestinationPort":443,"Fqdn":"","Action":"Deny""#,
            FirewallRecord {
                category: Some(FirewallCategory::ThreatIntel),
                action: Some(FirewallAction::Deny),
                rule: None,
                ..network_rule()
            },
        ),
        (
            "AZFWIdpsSignature",
            r#""Category":"TROJAN-ACTIVITY","Protocol":"TCP","SourceIp":"10.0.0.4","SourcePort":50306,"DestinationIp":"10.1.0.4","DestinationPort":443,"Action":"alert""#,
            FirewallRecord {
                category: Some(FirewallCategory::IdpsSignature),
                action: Some(FirewallAction::Alert),
                rule: None,
                ..network_rule()
            },
        ),
        (
            "AZFWNetworkRuleAggregation",
            r#""Protocol":"TCP","SourceIp":"10.0.0.4","DestinationIp":"10.1.0.4","DestinationPort":443,"Action":"Allow","Rule":"r, #1","NetworkRuleCount":3"#,
            FirewallRecord {
                category: Some(FirewallCategory::NetworkRuleAggregation),
                source_port: None,
                ..network_rule()
            },
        ),
    ] {
        let record = row(structured(category, properties));
        assert_eq!(record, want, "{category}");
        assert_eq!(record.is_weak(), category.ends_with("Aggregation"), "{category}");
        assert!(looks_like(structured(category, properties)));
    }
}

#[test]
fn flags_actions_and_protocols_are_read_by_their_words() {
    for (word, flag) in [
        ("SYN-ACK", FlowTraceFlag::SynAck),
        ("FIN", FlowTraceFlag::Fin),
        ("FIN-ACK", FlowTraceFlag::FinAck),
        ("RST", FlowTraceFlag::Rst),
        ("invalid", FlowTraceFlag::Invalid),
        ("PSH", FlowTraceFlag::Other),
    ] {
        let properties = format!(r#""SourceIp":"10.0.0.4","Flag":"{word}""#);
        assert_eq!(row(structured("AZFWFlowTrace", &properties)).flag, Some(flag), "{word}");
    }
    for (word, action) in [
        ("Allow", FirewallAction::Allow),
        ("deny", FirewallAction::Deny),
        ("drop", FirewallAction::Deny),
        ("Alert", FirewallAction::Alert),
        ("Something", FirewallAction::Other),
    ] {
        let properties = format!(r#""SourceIp":"10.0.0.4","Action":"{word}""#);
        let record = row(structured("AZFWNetworkRule", &properties));
        assert_eq!(record.action, Some(action), "{word}");
    }
    for (word, protocol) in [
        (r#""TCP""#, Some(6)),
        (r#""udp""#, Some(17)),
        (r#""ICMP Type=8""#, Some(1)),
        (r#""MSSQL""#, Some(6)),
        (r#""50""#, Some(50)),
        ("47", Some(47)),
        ("256", None),
        (r#""Any""#, None),
    ] {
        let properties = format!(r#""SourceIp":"10.0.0.4","SourcePort":0,"Protocol":{word}"#);
        let record = row(structured("AZFWNetworkRule", &properties));
        assert_eq!(record.protocol, protocol, "{word}");
        assert_eq!(record.source_port.is_none(), protocol == Some(1), "ICMP has no ports");
    }
}

#[test]
fn a_legacy_record_tells_more_than_its_category() {
    let want = FirewallRecord { is_legacy: true, rule: None, ..network_rule() };
    for (category, operation, message, want) in [
        (
            "AzureFirewallNetworkRule",
            "AzureFirewallNetworkRuleLog",
            "TCP request from 10.0.0.4:50306 to 10.1.0.4:443. Action: Allow. ",
            want.clone(),
        ),
        (
            "AzureFirewallNetworkRule",
            "AzureFirewallNatRuleLog",
            "TCP request from 10.0.0.4:50306 to 10.1.0.4:443 was DNAT'ed to 10.2.0.4:8443",
            FirewallRecord {
                category: Some(FirewallCategory::NatRule),
                action: None,
                translated: Some((ip("10.2.0.4"), Some(8443))),
                ..want.clone()
            },
        ),
        (
            "AzureFirewallNetworkRule",
            "AzureFirewallNatRuleLog",
            r"TCP request from 10.0.0.4:50306 to 10.1.0.4:443 was DNAT\u0027ed to 10.2.0.4:8443. Rule: r",
            FirewallRecord {
                category: Some(FirewallCategory::NatRule),
                action: None,
                translated: Some((ip("10.2.0.4"), Some(8443))),
                rule: Some("r".into()),
                ..want.clone()
            },
        ),
        (
            "AzureFirewallNetworkRule",
            "AzureFirewallNetworkRuleLog",
            "ICMP request from 10.0.0.4: to 10.1.0.4:. Action: alert. Signature: 1. IDS: x",
            FirewallRecord {
                category: Some(FirewallCategory::IdpsSignature),
                action: Some(FirewallAction::Alert),
                protocol: Some(1),
                source_port: None,
                destination_port: None,
                ..want.clone()
            },
        ),
        (
            "AzureFirewallNetworkRule",
            "AzureFirewallNetworkRuleLog",
            "HTTP request from 10.0.0.4:50306 to e.com:443. Url: e.com. Action: Deny. ThreatIntel: x",
            FirewallRecord {
                category: Some(FirewallCategory::ThreatIntel),
                action: Some(FirewallAction::Deny),
                destination: FirewallDestination::Fqdn("e.com".into()),
                ..want.clone()
            },
        ),
        (
            "AzureFirewallApplicationRule",
            "AzureFirewallApplicationRuleLog",
            "HTTPS request from 10.0.0.4:50306. Action: Deny. Reason: SNI TLS extension was missing.",
            FirewallRecord {
                category: Some(FirewallCategory::ApplicationRule),
                action: Some(FirewallAction::Deny),
                destination: FirewallDestination::Unknown,
                destination_port: None,
                ..want.clone()
            },
        ),
    ] {
        assert_eq!(row(legacy(category, operation, message)), want, "{message}");
    }
}

#[test]
fn a_legacy_message_that_tells_no_flow_is_damage() {
    for message in ["", "nothing", "TCP request from host:1 to 10.1.0.4:2. Action: Allow"] {
        let log = legacy("AzureFirewallNetworkRule", "AzureFirewallNetworkRuleLog", message);
        let (records, tally) = read(&log);
        assert_eq!((records.len(), tally.damaged(Damage::MalformedRecord)), (0, 1), "{message}");
    }
}

#[test]
fn other_categories_are_not_applicable_and_still_a_firewalls() {
    for category in
        ["AzureFirewallDnsProxy", "AZFWDnsQuery", "AZFWFqdnResolveFailure", "AllMetrics"]
    {
        let log = structured(category, r#""msg":"DNS Request: 10.0.0.4:5 - 1 A IN e.com. udp""#);
        let (records, tally) = read(&log);
        assert_eq!(records, [], "{category}");
        assert_eq!(tally.not_applicable(NotApplicable::OtherLogCategory), 1, "{category}");
        assert_eq!(tally.damaged_total(), 0, "{category}");
        assert!(looks_like(&log), "{category}");
    }
}

#[test]
fn every_framing_gives_the_same_rows() {
    let record = structured("AZFWNetworkRule", NETWORK_RULE);
    let second = FirewallRecord { record: 2, ..network_rule() };
    let want = [network_rule(), second];
    let pretty = |value: String| {
        let value: serde_json::Value = serde_json::from_str(&value).unwrap();
        serde_json::to_string_pretty(&value).unwrap()
    };
    let lines = format!("{record}\n{record}\n");
    let utf_16: Vec<u8> =
        format!("\u{feff}{lines}").encode_utf16().flat_map(u16::to_le_bytes).collect();
    let mut gzip = GzEncoder::new(Vec::new(), flate2::Compression::fast());
    gzip.write_all(lines.as_bytes()).unwrap();
    let logs: Vec<Vec<u8>> = vec![
        format!("{record}\n{record}").into(),
        format!("\u{feff}{record}\r\n\r\n{record}\r\n").into(),
        format!("{record}\n\u{feff}{record}\n").into(),
        format!("{record}{record}\n").into(),
        format!("{record}\n{{\"records\":[{record}]}}\n").into(),
        format!("{{\"records\":[{record},{record}]}}").into(),
        format!("{{\"records\":[{record}]}}\n{{\"records\":[{record}]}}\n").into(),
        format!("[{record},{record}]").into(),
        pretty(format!("[{record},{record}]")).into(),
        pretty(format!("{{\"records\":[{record},{record}]}}")).into(),
        format!("{}\n{}\n", pretty(record.clone()), pretty(record.clone())).into(),
        zstd::encode_all(lines.as_bytes(), 1).unwrap(),
        gzip.finish().unwrap(),
        lines.into(),
        utf_16,
    ];
    for log in logs {
        assert_eq!(rows(&log), want, "{}", String::from_utf8_lossy(&log));
        assert_eq!(read_by(&log, 1).0, want, "one at a time");
        assert!(looks_like(&log), "{}", String::from_utf8_lossy(&log));
    }
}

#[test]
fn a_broken_line_does_no_harm_to_its_neighbours() {
    let record = structured("AZFWNetworkRule", NETWORK_RULE);
    let next = record.len() as u64 + 1;
    for (broken, detail) in [
        (record[..100].to_owned(), "line 2: it ends inside the record"),
        (record[..record.len() - 1].to_owned(), "line 2: it ends inside the record"),
        ("nonsense".to_owned(), "line 2: no record starts here"),
        (record.replace(r#""SourceIp""#, "SourceIp"), "line 2: key must be a string"),
        (record.replace("10.0.0.4", "10.0.0.256"), "line 2: SourceIp \"10.0.0.256\""),
        (record.replace("10.0.0.4", ""), "line 2: no source address"),
        (record.replace("2025-01-20", "2025-01-32"), "line 2: time \"2025-01-32T00:00:01Z\""),
        (record.replace("time", "when"), "line 2: no time"),
        (
            record.replace(r#""SourceIp""#, r#""SourceIp":"10.0.0.5","sourceip""#),
            "line 2: SourceIp stands twice, with different values",
        ),
        (format!("{}{}", "[".repeat(200), r#"{"a":"#.repeat(200)), "line 2: brackets nest deeper"),
    ] {
        let log = format!("{record}\n{broken}\n{record}\n");
        let (records, tally) = read(&log);
        let last = FirewallRecord { record: 3, ..network_rule() };
        assert_eq!(records, [network_rule(), last], "{broken}");
        let [place] = tally.first_damages() else { panic!("{broken}: {tally:?}") };
        assert!(place.detail.starts_with(detail), "{} instead of {detail}", place.detail);
        let offset = next + if broken.starts_with("[[") { 200 } else { 0 };
        assert_eq!((place.record, place.byte_offset), (2, offset), "{broken}");
        assert_ne!(place.damage, Damage::Truncated, "{broken}");
    }
    let log = format!("{}\n{record}\n", &record[..100]);
    assert_eq!(read(&log).0.len(), 1, "a broken first line");
    assert!(looks_like(log));
}

#[test]
fn a_cut_end_is_truncated_wherever_it_is_cut() {
    let record = structured("AZFWNetworkRule", NETWORK_RULE);
    let lines = format!("{record}\n{record}");
    let array = format!("[{record},{record}]");
    for cut in 1..record.len() {
        for (log, end) in [(&lines, record.len() + 1 + cut), (&array, record.len() + 2 + cut)] {
            let (records, tally) = read(&log[..end]);
            assert_eq!(records.len(), 1, "{}", &log[..end]);
            assert_eq!(tally.damaged(Damage::Truncated), 1, "{}", &log[..end]);
            assert_eq!(tally.damaged_total(), 1);
        }
    }
}

#[test]
fn a_stream_that_breaks_off_is_told() {
    let record = structured("AZFWNetworkRule", NETWORK_RULE);
    let mut gzip = GzEncoder::new(Vec::new(), flate2::Compression::none());
    let count = 1000;
    for number in 0..count {
        writeln!(gzip, "{}", record.replace("50306", &number.to_string())).unwrap();
    }
    let packed = gzip.finish().unwrap();
    let (records, tally) = read(&packed[..packed.len() / 2]);
    assert!((count / 3..count * 2 / 3).contains(&records.len()), "{}", records.len());
    assert_eq!((tally.damaged(Damage::Truncated), tally.damaged_total()), (1, 1));
    assert!(looks_like(packed));
}

/// The columns of a query's result, in the order that the Azure CLI prints them in.
const COLUMNS: [&str; 7] =
    ["Action_s", "Category", "DestinationIp_s", "Fqdn_s", "SourceIP", "TableName", "TimeGenerated"];

/// Two rows of them: to an address, and to a name.
const CELLS: [[&str; 7]; 2] = [
    [
        "Allow",
        "AZFWNetworkRule",
        "10.1.0.4",
        "",
        "10.0.0.4",
        "PrimaryResult",
        "2025-01-20T00:00:01Z",
    ],
    [
        "Deny",
        "AZFWApplicationRule",
        "",
        "www.example.com",
        "10.0.0.5",
        "PrimaryResult",
        "2025-01-20T00:00:00.5Z",
    ],
];

fn query_rows() -> [FirewallRecord; 2] {
    let first = FirewallRecord {
        firewall: None,
        protocol: None,
        source_port: None,
        destination_port: None,
        rule: None,
        ..network_rule()
    };
    let second = FirewallRecord {
        time_ns: DAY_NS + 500_000_000,
        category: Some(FirewallCategory::ApplicationRule),
        action: Some(FirewallAction::Deny),
        source: ip("10.0.0.5"),
        destination: FirewallDestination::Fqdn("www.example.com".into()),
        record: 2,
        ..first.clone()
    };
    [first, second]
}

/// Prints a table as the Azure CLI does.
fn text_table(cells: &[[&str; 7]]) -> String {
    let width =
        |at: usize| cells.iter().map(|row| row[at].len()).chain([COLUMNS[at].len()]).max().unwrap();
    let line = |cells: [&str; 7]| {
        let padded = cells.iter().enumerate().map(|(at, cell)| format!("{cell:0$}", width(at)));
        padded.collect::<Vec<_>>().join("  ").trim_end().to_owned() + "\n"
    };
    let dashes: Vec<String> = (0..7).map(|at| "-".repeat(width(at))).collect();
    let ruler = std::array::from_fn(|at| &*dashes[at]);
    line(COLUMNS) + &line(ruler) + &cells.iter().map(|row| line(*row)).collect::<String>()
}

fn squeezed(text: &str, blank: &str) -> String {
    text.split_whitespace().collect::<Vec<_>>().join(blank)
}

#[test]
fn a_querys_result_is_the_same_in_every_format() {
    let table = text_table(&CELLS);
    let object = |row: [&str; 7]| {
        let members = COLUMNS.iter().zip(row).map(|(name, cell)| format!("{name:?}:{cell:?}"));
        format!("{{{}}}", members.collect::<Vec<_>>().join(","))
    };
    let array = |row: [&str; 7]| format!("{row:?}");
    let columns = COLUMNS.map(|name| format!(r#"{{"name":"{name}","type":"string"}}"#)).join(",");
    let rest = format!(
        r#"{{"tables":[{{"name":"PrimaryResult","columns":[{columns}],"rows":[{},{}]}}],"render":{{"rows":3}}}}"#,
        array(CELLS[0]),
        array(CELLS[1])
    );
    let pretty: serde_json::Value = serde_json::from_str(&rest).unwrap();
    let squeezed_lines: String = table.lines().map(|line| squeezed(line, " ") + "\n").collect();
    let delimited = |separator: &str, quote: &str| {
        let line =
            |row: &[&str; 7]| row.map(|cell| format!("{quote}{cell}{quote}")).join(separator);
        [line(&COLUMNS), line(&CELLS[0]), line(&CELLS[1])].join("\r\n")
    };
    for log in [
        table.clone(),
        table.replace('\n', "\r\n"),
        format!(
            "$ fw_query='AzureDiagnostics' \n$ az monitor log-analytics query -o table\n{table}$ ls\nfile\n"
        ),
        format!("Name    Location\n------  ----------\nfw      australiaeast\n\n{table}"),
        format!("❯ az monitor -o table {}", squeezed(&table, " ")),
        format!("text before\n{}\ntext behind\n", squeezed(&table, "   ")),
        squeezed_lines,
        rest.replace("tables", "Tables").replace("\"name\":\"A", "\"ColumnName\":\"A"),
        serde_json::to_string_pretty(&pretty).unwrap(),
        rest,
        format!("[{},{}]", object(CELLS[0]), object(CELLS[1])),
        format!("{}\n{}\n", object(CELLS[0]), object(CELLS[1])),
        delimited(",", ""),
        delimited(",", "\"") + "\r\n",
        delimited(";", ""),
        delimited("\t", "") + "\n",
        format!("\u{feff}sep=;\n{}", delimited(";", "\"")),
        format!("#TYPE System.Object\n\n{}\n\n", delimited(",", "\"")),
        delimited(",", "").replace("DestinationIp_s", "destinationip"),
        delimited(",", "").replace("TimeGenerated", "TimeGenerated [UTC]"),
    ] {
        assert_eq!(rows(&log), query_rows(), "{log}");
        assert!(looks_like(&log), "{log}");
        let mut reader = FirewallLogReader::open(Box::new(Cursor::new(log)));
        assert!(!reader.has_category_column(), "nothing was read");
        reader.read(&mut Vec::new(), 10, &mut Tally::default());
        assert!(reader.has_category_column());
    }
}

#[test]
fn a_table_of_its_own_names_its_category_by_type() {
    let object = r#"{"TimeGenerated":"2025-01-20T00:00:01Z","Type":"AZFWIdpsSignature","Category":"Attempted Admin","SourceIp":"10.0.0.4","_ResourceId":"/a/azureFirewalls/fw","ResourceId":"/A/AZUREFIREWALLS/FW"}"#;
    let mut reader = FirewallLogReader::open(Box::new(Cursor::new(object)));
    let mut records = Vec::new();
    reader.read(&mut records, 10, &mut Tally::default());
    assert_eq!(records[0].category, Some(FirewallCategory::IdpsSignature));
    assert_eq!(records[0].firewall.as_ref().map(FirewallName::name), Some("fw"));
    assert!(!reader.has_category_column(), "it holds one category only");
    let other = object.replace("AZFWIdpsSignature", "VMConnection");
    let other =
        other.replace(r#""Category":"Attempted Admin","#, "").replace("azureFirewalls", "x");
    let other = other.replace("AZUREFIREWALLS", "X");
    assert_eq!(read(&other).1.not_applicable(NotApplicable::OtherLogCategory), 1);
    assert!(!looks_like(other));
    let untold = object.replace(r#""Type":"AZFWIdpsSignature","Category":"Attempted Admin","#, "");
    assert_eq!(row(&untold).category, None);
    assert!(looks_like(untold));
}

#[test]
fn a_local_time_without_its_zone_is_refused() {
    let log = "TimeGenerated [Local Time],SourceIP\n\"1/20/2025, 6:18:11.925 PM\",10.0.0.4\n";
    let detail = "line 2: a local time without its zone".to_owned();
    assert_eq!(damages(log), [(Damage::MalformedRecord, 1, 36, detail)]);
    let record = row(log.replace("Local Time", "UTC"));
    let seconds = 18 * 3600 + 18 * 60 + 11;
    assert_eq!(record.time_ns, DAY_NS + seconds * 1_000_000_000 + 925_000_000);
}

#[test]
fn a_broken_row_of_a_result_does_no_harm_to_its_neighbours() {
    let csv = "TimeGenerated,SourceIP,Rule_s\n2025-01-20T00:00:01Z,10.0.0.1,a\nBROKEN\n2025-01-20T00:00:02Z,10.0.0.2,b\n2025-01-20T00:00:03Z,10.0.0.3,c\n";
    for broken in
        ["x", "x,y,z,v", "x,y,z", "2025-01-20T00:00:01Z,\"10.0.0.1,a", "\"", "\"\"\"", "\"\""]
    {
        let (records, tally) = read(csv.replace("BROKEN", broken));
        let sources: Vec<String> = records.iter().map(|record| record.source.to_string()).collect();
        assert_eq!(sources, ["10.0.0.1", "10.0.0.2", "10.0.0.3"], "{broken}");
        let [place] = tally.first_damages() else { panic!("{broken}") };
        assert_eq!((place.damage, place.record), (Damage::MalformedRecord, 2), "{broken}");
        assert_eq!(place.byte_offset, 30 + 32, "{broken}");
        assert!(place.detail.starts_with("line 3: "), "{}", place.detail);
    }
    let quoted = csv.replace("BROKEN", "2025-01-20T00:00:01Z,10.0.0.9,\"a\n\"\"b\"\"\"");
    let records = rows(quoted);
    assert_eq!(records[1].rule.as_deref(), Some("a\n\"b\""), "a cell may go over lines");
    let table = text_table(&[CELLS[0], CELLS[1], CELLS[0]]);
    for broken in ["[...]", "Allow  AZFWNetworkRule", "10.0.0.1 10.0.0.2 10.0.0.3 10.0.0.4"] {
        let mut lines: Vec<&str> = table.lines().collect();
        lines[3] = broken;
        let (records, tally) = read(lines.join("\n"));
        assert_eq!((records.len(), tally.damaged(Damage::MalformedRecord)), (2, 1), "{broken}");
    }
    let rest = r#"{"tables":[{"columns":[{"name":"TimeGenerated"},{"name":"SourceIP"}],"rows":[["2025-01-20T00:00:01Z","10.0.0.1"],BROKEN,["2025-01-20T00:00:01Z","10.0.0.2"]]}]}"#;
    for broken in [r#"["2025-01-20T00:00:01Z"]"#, "[]", "[1,2]", r#"[null,"10.0.0.3"]"#, "[1,2,3]"]
    {
        let (records, tally) = read(rest.replace("BROKEN", broken));
        assert_eq!((records.len(), tally.damaged(Damage::MalformedRecord)), (2, 1), "{broken}");
    }
}

#[test]
fn a_cut_result_is_truncated() {
    let csv =
        "TimeGenerated,SourceIP\n2025-01-20T00:00:01Z,10.0.0.1\n2025-01-20T00:00:01Z,\"10.0.0";
    let table = text_table(&CELLS);
    // Inside the time, which ends the row.
    let table = &table[..table.len() - 12];
    let rest = r#"{"tables":[{"columns":[{"name":"TimeGenerated"},{"name":"SourceIP"}],"rows":[["2025-01-20T00:00:01Z","10.0.0.1"],["2025"#;
    let flat = squeezed(table, " ");
    for log in [csv, table, rest, &flat] {
        let (records, tally) = read(log);
        assert_eq!((records.len(), tally.damaged(Damage::Truncated)), (1, 1), "{log}");
        assert_eq!(tally.damaged_total(), 1, "{log}");
    }
    let partial = rest.replace(r#",["2025"#, r#"]}],"error":{"code":"PartialError"}}"#);
    let (records, tally) = read(partial);
    assert_eq!((records.len(), tally.damaged(Damage::Truncated)), (1, 1));
}

#[test]
fn a_table_on_one_line_gives_its_rows_in_the_order_of_the_page() {
    // The page of a blog: its prompt, its query and the table, with blanks and lines squeezed.
    let page = "❯ fw_query='AzureDiagnostics | where TimeGenerated > ago(10m) | project TimeGenerated, Category, SourceIP, DestinationIp_s, Fqdn_s, Action_s' ❯ az monitor log-analytics query -w $logws_customerid --analytics-query $fw_query -o table Action_s Category DestinationIp_s Fqdn_s SourceIP TableName TimeGenerated ---------- --------------- ----------------- -------- ----------- ------------- --------------------------- Allow AZFWNetworkRule 10.13.77.6 192.168.0.4 PrimaryResult 2025-01-20T18:18:11.925475Z Allow AZFWNetworkRule 10.13.77.6 192.168.0.4 PrimaryResult 2025-01-20T18:20:59.455482Z Allow AZFWNetworkRule 10.13.77.6 192.168.0.4 PrimaryResult 2025-01-20T18:20:37.432681Z Allow AZFWNetworkRule 10.13.77.6 192.168.0.4 PrimaryResult 2025-01-20T18:20:59.355915Z Allow AZFWNetworkRule 10.13.77.6 192.168.0.4 PrimaryResult 2025-01-20T18:21:00.30664Z Allow AZFWNetworkRule 10.13.77.6 192.168.0.4 PrimaryResult 2025-01-20T18:21:01.308064Z Allow AZFWNetworkRule 10.13.77.6 192.168.0.4 PrimaryResult 2025-01-20T18:21:02.310114Z";
    let clock = |minute: i64, microseconds: i64| {
        DAY_NS + (18 * 3600 + minute * 60) * 1_000_000_000 + microseconds * 1_000
    };
    let times = [
        clock(18, 11_925_475),
        clock(20, 59_455_482),
        clock(20, 37_432_681),
        clock(20, 59_355_915),
        clock(21, 306_640),
        clock(21, 1_308_064),
        clock(21, 2_310_114),
    ];
    for log in [page.to_owned(), format!("{page}\n"), format!("A blog.\n\n{page}\nMore of it.\n")] {
        let records = rows(&log);
        assert_eq!(records.iter().map(|record| record.time_ns).collect::<Vec<_>>(), times);
        for record in records {
            assert_eq!(record.source, ip("192.168.0.4"));
            assert_eq!(record.destination, FirewallDestination::Address(ip("10.13.77.6")));
            assert_eq!(record.category, Some(FirewallCategory::NetworkRule));
            assert_eq!(record.action, Some(FirewallAction::Allow));
            assert!(record.is_weak(), "there are no ports");
        }
        assert!(looks_like(&log));
    }
}

#[test]
fn what_is_no_firewall_log_is_not_taken_for_one() {
    for log in [
        &b""[..],
        b" \n",
        b"\x0A\x0D\x0D\x0A\x1C\0\0\0\x4D\x3C\x2B\x1A",
        b"\xD4\xC3\xB2\xA1",
        b"{\"records\":[{\"category\":\"FlowLogFlowEvent\",\"flowRecords\":{}}]}",
        b"{\"records\":[{\"category\":\"NetworkSecurityGroupFlowEvent\",\"properties\":{}}]}",
        b"{\"time\":\"2025-01-20T00:00:01Z\",\"level\":\"info\",\"message\":\"hello\"}\n",
        b"{}",
        b"[]",
        b"{",
        b"a,b,c\n1,2,3\n",
        b"TimeGenerated,SrcIp\n2025-01-20T00:00:01Z,10.0.0.1\n",
        b"Source    State    Address Prefix\n--------  -------  ----\nDefault  Active  10.0.0.0/8\n",
        b"\x1F\x8B\x08",
        b"\xFF\xFE",
    ] {
        assert!(!looks_like(log), "{log:?}");
    }
    let (records, tally) = read("hello\n");
    assert_eq!((records.len(), tally.damaged(Damage::UnrecognisedFile)), (0, 1));
    let reader = FirewallLogReader::open(Box::new(Cursor::new("hello\n")));
    assert!(!reader.is_recognised());
    assert_eq!(read("[]").1.records_read, 0, "a query without a result");
    assert!(looks_like("TimeGenerated,SourceIP\n"), "a result without a row");
}

#[test]
fn every_byte_of_the_input_is_counted() {
    let log = structured("AZFWNetworkRule", NETWORK_RULE) + "\n";
    let mut reader = FirewallLogReader::open(Box::new(Cursor::new(log.repeat(1000))));
    let (mut records, mut tally) = (Vec::new(), Tally::default());
    while reader.read(&mut records, 7, &mut tally) {}
    assert_eq!(reader.bytes_read(), log.len() as u64 * 1000);
    assert_eq!(tally.records_read, 1000);
}

/// Pieces that logs are made of, so that random texts reach every form.
fn pieces() -> impl Strategy<Value = String> {
    let piece = prop_oneof![
        prop::sample::select(vec![
            "{",
            "}",
            "[",
            "]",
            ":",
            ",",
            "\"",
            "\\",
            "\n",
            "\r\n",
            " ",
            "  ",
            ";",
            "\t",
            "--",
            "----",
            "\u{feff}",
            "é",
            "\u{a0}",
            "\"records\":[",
            "\"tables\":[{",
            "\"columns\":[",
            "\"rows\":[",
            "{\"name\":\"TimeGenerated\"}",
            "{\"name\":\"SourceIP\"}",
            "TimeGenerated",
            "SourceIP",
            "Fqdn_s",
            "TimeGenerated,SourceIP\n",
            "TimeGenerated SourceIP Rule_s\n------------- -------- ------\n",
            " TimeGenerated SourceIP TranslatedIp_s ------------- -------- -------------- ",
            "2025-01-20T00:00:01Z",
            "10.0.0.4",
            "443",
            "AZFWNetworkRule",
            "\"category\":",
            "\"time\":\"2025-01-20T00:00:01Z\"",
            "\"properties\":{",
            "\"SourceIp\":\"10.0.0.4\"",
            "\"msg\":\"",
            "TCP request from 10.0.0.4:5",
            " to 10.0.0.5:6. ",
            "was DNAT'ed to ",
            "Action: Allow. ",
            "Rule: x",
            "error",
            "$ ",
            "#",
        ])
        .prop_map(str::to_owned),
        any::<char>().prop_map(String::from),
    ];
    prop::collection::vec(piece, 0..60).prop_map(|pieces| pieces.concat())
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(500))]

    #[test]
    fn texts_made_of_a_logs_pieces_keep_the_books(text in pieces()) {
        let (records, _) = read(&text);
        prop_assert_eq!(records, read_by(text.as_bytes(), 1).0);
        looks_like(&text);
    }

    #[test]
    fn arbitrary_bytes_keep_the_books(bytes in prop::collection::vec(any::<u8>(), 0..300)) {
        read(&bytes);
        looks_like(&bytes);
    }
}
