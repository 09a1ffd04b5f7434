//! Firewall logs.

use std::io::{Cursor, Read};

use nexthop::traffic::Tally;
use nexthop::traffic::firewall::{FirewallLogReader, FirewallRecord, looks_like_firewall_log};

use super::options;

/// Any bytes as a file; or, so that the framing hides nothing, as the values of a record, as its
/// message, as rows of a query's result, as rows of a printed table, or as lines between sound ones.
pub fn log(data: &[u8]) {
    let Some(([portion, place], rest)) = options(data) else { return };
    let file = match place % 7 {
        0 => rest.to_vec(),
        1 => [&br#"{"category":"AZFWNetworkRule","properties":{"#[..], rest, b"}}\n"].concat(),
        2 => [LEGACY, rest, b"\"}}\n"].concat(),
        3 => [CSV, rest].concat(),
        4 => [TABLE, rest].concat(),
        5 => [&br#"{"tables":[{"columns":[{"name":"TimeGenerated"},{"name":"SourceIp"}],"rows":["#[..], rest].concat(),
        _ => [LINE, rest, b"\n", LINE].concat(),
    };
    let (records, tally) = read(&file, usize::MAX);
    let (again, tally_again) = read(&file, 1 + usize::from(portion % 4));
    assert_eq!((again, tally_again), (records.clone(), tally), "portions change nothing");
    if place % 7 == 6 {
        let sound = records.iter().filter(|record| record.source_port == Some(50_306)).count();
        assert!(sound >= 1, "no sound line is left of two");
        // What is itself a log in brackets may go on behind the line.
        let is_lines = !rest.iter().any(|byte| matches!(byte, b'[' | b'{' | b'"'));
        assert!(!is_lines || sound == 2, "damage on one line took another with it");
    }
    let (is_log, mut whole) = looks_like_firewall_log(Box::new(Cursor::new(file.clone())));
    let mut unread = Vec::new();
    whole.read_to_end(&mut unread).expect("memory can be read");
    assert_eq!(unread, file, "looking takes nothing away");
    let is_packed = file.starts_with(b"\x1F\x8B") || file.starts_with(b"\x28\xB5\x2F\xFD");
    assert!(is_log || records.is_empty() || is_packed, "records of what is no log");
}

fn read(file: &[u8], records_max: usize) -> (Vec<FirewallRecord>, Tally) {
    let mut reader = FirewallLogReader::open(Box::new(Cursor::new(file.to_vec())));
    let (mut all, mut records, mut tally) = (Vec::new(), Vec::new(), Tally::default());
    while reader.read(&mut records, records_max, &mut tally) {
        tally.classified += records.len() as u64;
        all.append(&mut records);
    }
    tally.assert_balanced();
    (all, tally)
}

const LINE: &[u8] = br#"{"time":"2025-11-26T14:17:22.25+00:00","category":"AZFWNetworkRule","properties":{"Protocol":"TCP","SourceIp":"10.0.0.4","SourcePort":50306,"DestinationIp":"10.1.0.4","DestinationPort":443,"Action":"Allow"}}
"#;
const LEGACY: &[u8] = br#"{"time":"2025-11-26T14:17:22Z","category":"AzureFirewallNetworkRule","properties":{"msg":""#;
const CSV: &[u8] =
    b"TimeGenerated,Category,Protocol,SourceIp,SourcePort,DestinationIp,DestinationPort,Fqdn\n";
const TABLE: &[u8] = b"\
TimeGenerated         SourceIp     DestinationIp_s    Action_s
--------------------  -----------  -----------------  ----------
";
