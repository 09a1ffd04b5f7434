//! Real flow logs through the public reader.
//!
//! The logs are not part of this repository: the environment variable `NEXTHOP_CORPUS` names the
//! folder that has them below `flowlogs/`. Expected counts come from reading the same files as
//! plain JSON values, or were counted by hand.

#![forbid(unsafe_code)]

use std::fs;
use std::io::{Cursor, Read, Write};
use std::path::{Path, PathBuf};

use nexthop::traffic::{
    Chunk, Damage, DecodeOptions, Decoder, FlowBatch, FlowState, FlowStatus, ReadOptions,
    SourceFormat, Tally, TrafficReader, find_inputs,
};
use serde_json::{Value, json};

/// The folder of real logs; without it the test that asks is skipped, loudly.
fn flow_logs() -> Option<PathBuf> {
    let Some(corpus) = std::env::var_os("NEXTHOP_CORPUS") else {
        // Not `eprintln!`, which the test harness keeps to itself.
        let note = "SKIPPED: NEXTHOP_CORPUS is not set, so no real flow log was read";
        writeln!(std::io::stderr(), "{note}").expect("standard error takes a line");
        return None;
    };
    let folder = Path::new(&corpus).join("flowlogs");
    assert!(folder.is_dir(), "NEXTHOP_CORPUS is set, but there is no {}", folder.display());
    Some(folder)
}

/// What was read of one log; a row as text, without what it shares with others.
#[derive(Clone, Debug, Default)]
struct Log {
    tuples: Vec<String>,
    formats: Vec<SourceFormat>,
    denied: usize,
    packets: u64,
    bytes: u64,
    tally: Tally,
}

fn read(bytes: &[u8], chunk_bytes: usize) -> Log {
    let input = Box::new(Cursor::new(bytes.to_vec()));
    let mut reader = TrafficReader::open(input, ReadOptions { chunk_bytes });
    assert!(reader.is_recognised());
    let mut decoder = Decoder::new(&DecodeOptions::default());
    let (mut chunk, mut batch, mut tally) =
        (Chunk::default(), FlowBatch::default(), Tally::default());
    let mut log = Log::default();
    while reader.fill(&mut chunk) {
        batch.clear();
        tally.clear();
        decoder.decode(&chunk, &mut batch, &mut tally);
        tally.classified = batch.len() as u64;
        tally.assert_balanced();
        log.tally.absorb_next(&tally);
        (0..batch.len()).for_each(|index| log.add(&batch, index));
    }
    assert_eq!(reader.bytes_read(), bytes.len() as u64);
    log
}

impl Log {
    fn add(&mut self, batch: &FlowBatch, index: usize) {
        let row = batch.row(index);
        let counters = row.counters;
        self.formats.push(batch.context(row.context).format);
        self.denied += usize::from(row.status == Some(FlowStatus::Denied));
        self.packets += counters.packets_sent.unwrap_or(0) + counters.packets_received.unwrap_or(0);
        self.bytes += counters.bytes_sent.unwrap_or(0) + counters.bytes_received.unwrap_or(0);
        self.tuples.push(format!(
            "{} {} {} {:?} {} {:?} {:?} {counters:?}",
            row.time_ns,
            row.source,
            row.destination,
            row.ports,
            row.protocol,
            row.direction,
            row.state
        ));
        if matches!(row.state, Some(FlowState::Begin | FlowState::Deny)) {
            assert_eq!(counters, Default::default(), "nothing was counted yet");
        }
    }

    fn assert_sound(&self, name: &str) {
        assert_eq!(self.tally.first_damages(), [], "{name}");
        assert_eq!(self.tally.not_applicable_total(), 0, "{name}");
    }
}

/// Counts the strings of every `flowTuples` at any depth: the naive reading of a whole document.
fn count_tuples(value: &Value) -> usize {
    match value {
        Value::Array(elements) => elements.iter().map(count_tuples).sum(),
        Value::Object(members) => members
            .iter()
            .map(|(key, member)| match (key.as_str(), member) {
                ("flowTuples", Value::Array(tuples)) => tuples.len(),
                _ => count_tuples(member),
            })
            .sum(),
        _ => 0,
    }
}

#[test]
fn every_whole_log_gives_all_its_tuples() {
    let Some(folder) = flow_logs() else { return };
    for (name, tuples, format) in [
        ("vnet-target-vnet.json", 166, SourceFormat::VnetV4),
        ("vnet-target-subnet.json", 68, SourceFormat::VnetV4),
        ("observiq-bindplane-vnet-platformrule.json", 3, SourceFormat::VnetV4),
        ("nsg-v1-docs-sample.json", 4, SourceFormat::NsgV1),
        ("nsg-v1-docs-sample-nested-records.json", 7, SourceFormat::NsgV1),
        ("nsg-v2-docs-sample.json", 4, SourceFormat::NsgV2),
    ] {
        let bytes = fs::read(folder.join(name)).unwrap();
        let log = read(&bytes, 1 << 20);
        log.assert_sound(name);
        assert_eq!(log.tuples.len(), tuples, "{name}");
        assert_eq!(count_tuples(&serde_json::from_slice(&bytes).unwrap()), tuples, "{name}");
        assert!(log.formats.iter().all(|each| *each == format), "{name}");
    }
}

#[test]
fn every_framing_gives_the_tuples_that_it_holds() {
    let Some(folder) = flow_logs() else { return };
    let folder = folder.join("framing");
    let whole = fs::read(folder.join("00-complete.json")).unwrap();
    let whole = read(&whole, 1 << 20).tuples;
    assert!(!whole.is_empty());
    let inputs = find_inputs(&[folder]).unwrap();
    assert!(inputs.len() >= 8);
    for input in inputs {
        let name = input.name.as_str();
        let mut bytes = Vec::new();
        input.open().unwrap().read_to_end(&mut bytes).unwrap();
        let log = read(&bytes, 1 << 20);
        for chunk_bytes in [1, 7, 4096] {
            let again = read(&bytes, chunk_bytes);
            assert_eq!((&again.tuples, &again.tally), (&log.tuples, &log.tally), "{name}");
        }
        if name.contains("cut") {
            assert_eq!(log.tally.damaged(Damage::Truncated), 1, "{name}");
            assert_eq!(log.tally.damaged_total(), 1, "{name}");
            assert!(whole.starts_with(&log.tuples) && log.tuples.len() < whole.len(), "{name}");
        } else {
            log.assert_sound(name);
            assert!(whole.ends_with(&log.tuples), "{name}");
            assert_eq!(log.tuples.len() < whole.len(), name.contains("delta"), "{name}");
        }
        // Counted naively: of all texts between quotes only a whole tuple has 12 commas.
        let text = String::from_utf8(bytes).unwrap();
        let naive = text.split('"').filter(|part| part.matches(',').count() == 12).count();
        assert_eq!(log.tuples.len(), naive, "{name}");
    }
}

/// Microsoft's worked example: one flow of 9,125 packets and 5,256,000 bytes in both directions.
#[test]
fn the_documented_sums_are_met() {
    let Some(folder) = flow_logs() else { return };
    let tuples = |name: &str| -> Vec<String> {
        fs::read_to_string(folder.join(name)).unwrap().lines().map(str::to_owned).collect()
    };
    let nsg = json!({"records": [{
        "category": "NetworkSecurityGroupFlowEvent",
        "properties": {"Version": 2, "flows": [{"rule": "r", "flows": [{
            "mac": "000D3AF87856", "flowTuples": tuples("nsg-bandwidth-tuples.txt")}]}]}
    }]});
    let vnet = json!({"records": [{
        "category": "FlowLogFlowEvent", "flowLogVersion": 4,
        "flowRecords": {"flows": [{"aclID": "a", "flowGroups": [{
            "rule": "r", "flowTuples": tuples("vnet-bandwidth-tuples-10digit-ts.txt")}]}]}
    }]});
    for (document, first) in [(nsg, "1708978215000000000 "), (vnet, "1493763938000000000 ")] {
        let log = read(document.to_string().as_bytes(), 1 << 20);
        log.assert_sound("the worked example");
        assert_eq!((log.tuples.len(), log.denied), (3, 0));
        assert_eq!((log.packets, log.bytes), (9_125, 5_256_000));
        assert!(log.tuples[0].starts_with(first), "{}", log.tuples[0]);
    }
}
