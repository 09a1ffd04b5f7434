//! The same inputs give the same bytes, whatever the threads, the chunks and the order of packets
//! do; and a bound on memory changes how flows are told, never what they add up to.

#![forbid(unsafe_code)]

mod support;

use std::collections::BTreeMap;
use std::io;
use std::net::{IpAddr, Ipv4Addr};

use nexthop::azure::load_snapshot;
use nexthop::classify::{NoRows, OutputRow, RecordKind, RowBuffer, RowSink, Summary};
use nexthop::fib::{Fib, SnapshotTables};
use nexthop::net::MacAddress;
use nexthop::report::{Column, RowFormat, RowOptions, RowWriter, write_classify_json};
use nexthop::traffic::{Counters, FlowDirection, Tally};
use serde_json::json;
use support::capture::{ETHERNET, Packet, packets_of, pcap, udp};
use support::random::SplitMix64;
use support::run::{Input, Run, SIMPLE_TABLE, fib};
use support::{corpus, in_repository};

const THREADS: [usize; 3] = [1, 2, 8];
const CHUNK_BYTES: [usize; 3] = [7, 4 << 10, 1 << 20];
const KINDS: [Option<RecordKind>; 3] = [None, Some(RecordKind::Flow), Some(RecordKind::Packet)];

#[test]
fn threads_and_chunks_change_no_byte_of_the_private_link_scenario() {
    assert_matrix(&private_link_fib(), &private_link_inputs());
}

#[test]
fn threads_and_chunks_change_no_byte_of_real_flow_logs() {
    let Some(logs) = corpus::folder("flowlogs", "real_flow_logs") else { return };
    let inputs = corpus::inputs(&corpus::files_below(&logs));
    assert!(inputs.len() >= 10);
    assert_matrix(&fib(SIMPLE_TABLE), &inputs);
}

#[test]
fn threads_and_chunks_change_no_byte_of_real_captures() {
    const LENGTH_MAX: usize = 64 << 10;
    const EVERY: usize = 8;
    let Some(captures) = corpus::folder("captures", "real_captures") else { return };
    let paths: Vec<_> = corpus::files_below(&captures).into_iter().step_by(EVERY).collect();
    let mut inputs = corpus::inputs(&paths);
    inputs.retain(|input| input.bytes.len() <= LENGTH_MAX);
    assert!(inputs.len() >= 60, "{}", inputs.len());
    assert_matrix(&fib(SIMPLE_TABLE), &inputs);
}

#[test]
fn the_order_of_packets_changes_no_flow() {
    let private_link = private_link_inputs().remove(0);
    assert!(private_link.name.ends_with(".pcap"));
    assert_shuffled(&private_link_fib(), &packets_of(&private_link.bytes));
    assert_shuffled(&fib(SIMPLE_TABLE), &packets_at_the_same_times());
}

#[test]
fn a_bound_on_memory_keeps_the_sums_of_captures() {
    let private_link = private_link_inputs().remove(0);
    assert_bounded(&private_link_fib(), &[private_link]);
    let whole = packets_at_the_same_times();
    let (first, second) = whole.split_at(100);
    let inputs = [("first", first), ("second", second), ("again", first)]
        .map(|(name, packets)| Input { name: name.into(), bytes: pcap(ETHERNET, packets) });
    assert_bounded(&fib(SIMPLE_TABLE), &inputs);
}

#[test]
fn a_bound_on_memory_changes_no_flow_of_a_log() {
    // A log twice over: what is repeated counts once, however little memory there is.
    let inputs = [flow_log_of_deltas(), flow_log_of_deltas()];
    let fib = fib(SIMPLE_TABLE);
    let free = Run { per: Some(RecordKind::Flow), ..Run::default() };
    let want = Published::of(&free, &fib, &inputs, &Column::ALL);
    for threads in THREADS {
        let bounded = Run { threads, chunk_bytes: 256, memory_bytes_max: 1, ..free.clone() };
        Published::of(&bounded, &fib, &inputs, &Column::ALL).assert_equals(&want, &bounded);
    }
}

/// Compares every way to run with the plainest one.
fn assert_matrix(fib: &Fib, inputs: &[Input]) {
    for per in KINDS {
        let plain = Run { per, ..Run::default() };
        let want = Published::of(&plain, fib, inputs, &Column::ALL);
        assert!(want.csv.lines().count() > 1, "{per:?}: there is nothing to compare");
        for threads in THREADS {
            for chunk_bytes in CHUNK_BYTES {
                let run = Run { threads, chunk_bytes, ..plain.clone() };
                Published::of(&run, fib, inputs, &Column::ALL).assert_equals(&want, &run);
            }
        }
    }
}

fn assert_shuffled(fib: &Fib, packets: &[Packet]) {
    const ROUNDS: u64 = 20;
    // The number of a flow's first packet is the one thing that must follow the order.
    let mut columns = Column::ALL.to_vec();
    columns.retain(|column| *column != Column::SourceRecord);
    let input =
        |packets: &[Packet]| [Input { name: "shuffled".into(), bytes: pcap(ETHERNET, packets) }];
    let run = Run { threads: 2, chunk_bytes: 1 << 10, ..Run::default() };
    let want = Published::of(&run, fib, &input(packets), &columns);
    assert!(want.csv.lines().count() > 5);
    let mut shuffled = packets.to_vec();
    for seed in 0..ROUNDS {
        SplitMix64(seed).shuffle(&mut shuffled);
        assert_ne!(shuffled, packets);
        Published::of(&run, fib, &input(&shuffled), &columns).assert_equals(&want, &run);
    }
}

fn assert_bounded(fib: &Fib, inputs: &[Input]) {
    let free = Run { per: Some(RecordKind::Flow), ..Run::default() };
    let (want, flows) = free.classify(fib, inputs, Flows::default());
    assert!(!want.has_partial_flows && flows.0.iter().all(|flow| !flow.is_partial));
    for threads in THREADS {
        let bounded = Run { threads, chunk_bytes: 256, memory_bytes_max: 1, ..free.clone() };
        let (summary, parts) = bounded.classify(fib, inputs, Flows::default());
        assert!(summary.has_partial_flows, "{threads} threads");
        assert!(parts.0.iter().all(|part| part.is_partial), "{threads} threads");
        assert!(parts.0.len() > flows.0.len(), "{threads} threads: no flow was in parts");
        assert_eq!(parts.sums(), flows.sums(), "{threads} threads");
        assert_eq!(books(&summary), books(&want), "{threads} threads");
        let (without_rows, NoRows) = bounded.classify(fib, inputs, NoRows);
        assert_eq!(json_of(&without_rows), json_of(&summary), "{threads} threads");
    }
}

/// What a bound may not change: everything but the number of rows, and the share of labels, which
/// follow the initiator of a part.
fn books(summary: &Summary) -> (Vec<[u64; 5]>, [u64; 2]) {
    let of_input = |tally: &Tally| {
        [
            tally.bytes_read,
            tally.records_read,
            tally.classified + tally.unknown_total(),
            tally.not_applicable_total(),
            tally.damaged_total(),
        ]
    };
    let tallies = summary.inputs.iter().map(|input| of_input(&input.tally)).collect();
    let sums = summary.by_class.iter().map(|(_, totals)| *totals);
    (tallies, [sums.clone().map(|sum| sum.packets).sum(), sums.map(|sum| sum.bytes).sum()])
}

/// Everything that a run publishes.
struct Published {
    csv: String,
    json: String,
    parquet: Vec<u8>,
}

impl Published {
    fn of(run: &Run, fib: &Fib, inputs: &[Input], columns: &[Column]) -> Self {
        let options = RowOptions { columns: columns.to_vec(), ..RowOptions::default() };
        let rows = |format| {
            let writer = RowWriter::new(format, &options, Vec::new()).expect("memory takes it");
            let (summary, writer) = run.classify(fib, inputs, writer);
            (summary, writer.finish().expect("memory takes it"))
        };
        let (summary, csv) = rows(RowFormat::Csv);
        let parquet =
            if cfg!(feature = "parquet") { rows(RowFormat::Parquet).1 } else { Vec::new() };
        let (without_rows, NoRows) = run.classify(fib, inputs, NoRows);
        assert_eq!(json_of(&without_rows), json_of(&summary), "rows change the sums: {run:?}");
        Self {
            csv: String::from_utf8(csv).expect("CSV is UTF-8"),
            json: json_of(&summary),
            parquet,
        }
    }

    fn assert_equals(&self, want: &Self, run: &Run) {
        for (got, want) in self.csv.lines().zip(want.csv.lines()) {
            assert_eq!(got, want, "{run:?}");
        }
        assert_eq!(self.csv.len(), want.csv.len(), "{run:?}");
        assert_eq!(self.json, want.json, "{run:?}");
        assert!(self.parquet == want.parquet, "{run:?}: other bytes of Parquet");
    }
}

fn json_of(summary: &Summary) -> String {
    let mut json = Vec::new();
    write_classify_json(summary, &mut json).expect("memory takes it");
    String::from_utf8(json).expect("JSON is UTF-8")
}

/// A sink that keeps what flows add up to.
#[derive(Default)]
struct Flows(Vec<Flow>);

struct Flow {
    key: Key,
    /// From the lower end to the higher, and back.
    sums: [u64; 4],
    is_partial: bool,
}

/// Both directions of a captured flow are one, since a part may have another initiator.
type Key = ([(IpAddr, Option<u16>); 2], u8, Option<FlowDirection>, Option<MacAddress>);

impl Flows {
    fn sums(&self) -> BTreeMap<Key, [u64; 4]> {
        let mut sums: BTreeMap<Key, [u64; 4]> = BTreeMap::new();
        for flow in &self.0 {
            let sum = sums.entry(flow.key).or_default();
            sum.iter_mut().zip(flow.sums).for_each(|(sum, part)| *sum += part);
        }
        sums
    }
}

impl RowSink for Flows {
    type Buffer = Self;

    fn buffer(&self) -> Self {
        Self::default()
    }

    fn append(&mut self, buffer: &mut Self) -> io::Result<()> {
        self.0.append(&mut buffer.0);
        Ok(())
    }
}

impl RowBuffer for Flows {
    fn push(&mut self, row: &OutputRow<'_>) {
        let mut ends = [
            (row.source, row.ports.map(|ports| ports.0)),
            (row.destination, row.ports.map(|ports| ports.1)),
        ];
        let Counters { packets_sent, bytes_sent, packets_received, bytes_received } = row.counters;
        let mut sums = [packets_sent, bytes_sent, packets_received, bytes_received]
            .map(|counter| counter.unwrap_or(0));
        if row.direction.is_none() && ends[0] > ends[1] {
            ends.reverse();
            sums.rotate_left(2);
        }
        let key = (ends, row.protocol, row.direction, row.mac);
        self.0.push(Flow { key, sums, is_partial: row.is_partial });
    }
}

fn private_link_fib() -> Fib {
    let snapshot = load_snapshot(&in_repository("captures/private-link/snapshot"));
    let tables = SnapshotTables::of(&snapshot.expect("the scenario's snapshot can be read"));
    tables.compile().expect("the scenario's tables can be compiled")
}

fn private_link_inputs() -> Vec<Input> {
    corpus::inputs(&corpus::files_below(&in_repository("captures/private-link/traffic")))
}

/// Few ends, few moments: packets of both directions meet at one time, and flows tie.
fn packets_at_the_same_times() -> Vec<Packet> {
    let mut random = SplitMix64(7);
    let end = |random: &mut SplitMix64| {
        let address = Ipv4Addr::new(10, 0, 0, random.below(4) as u8);
        (address, 1000 + random.below(2) as u16)
    };
    (0..300)
        .map(|_| {
            let (source, destination) = (end(&mut random), end(&mut random));
            udp(random.below(8), source, destination, random.below(40) as u16)
        })
        .collect()
}

/// A log of flows that begin, go on and end; each event counts what came since the one before, and
/// every record stands in a chunk of its own.
fn flow_log_of_deltas() -> Input {
    let mut random = SplitMix64(11);
    let mut records = Vec::new();
    for minute in 0..40_u64 {
        let tuples: Vec<String> = (0..12_u64)
            .map(|flow| {
                let time_ms = 1_737_397_091_000 + minute * 60_000 + flow;
                let state = if minute == 0 { 'B' } else { 'C' };
                let counters = if minute == 0 {
                    "0,0,0,0".to_owned()
                } else {
                    let [a, b, c, d] = [(); 4].map(|()| random.below(1 << 30));
                    format!("{a},{b},{c},{d}")
                };
                format!(
                    "{time_ms},10.0.0.4,10.9.0.{flow},{},443,6,O,{state},NX,{counters}",
                    50_000 + flow
                )
            })
            .collect();
        records.push(json!({
            "category": "FlowLogFlowEvent", "flowLogVersion": 4, "macAddress": "000D3A000001",
            "flowRecords": {"flows": [{"aclID": format!("acl{}", minute % 3), "flowGroups": [
                {"rule": "r", "flowTuples": tuples}]}]}
        }));
    }
    Input {
        name: "deltas.json".into(),
        bytes: json!({"records": records}).to_string().into_bytes(),
    }
}
