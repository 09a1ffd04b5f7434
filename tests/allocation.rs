//! Once warm, a run allocates nothing for a packet, a tuple or a log record: ten times as many
//! records take as many allocations.
//!
//! In a program of its own, because the counting allocator counts for all of it.

#![forbid(unsafe_code)]

mod support;

use std::fmt::Write as _;
use std::hint::black_box;
use std::io::{self, Cursor};
use std::net::Ipv4Addr;

use nexthop::classify::{
    Classifier, ClassifyOptions, NoRows, OutputRow, RecordKind, RowBuffer, RowSink,
};
use nexthop::fib::Fib;
use nexthop::report::{RowFormat, RowOptions, RowWriter};
use nexthop::traffic::{DecodeOptions, InputName, ReadOptions, TrafficReader};
use support::capture::{ETHERNET, pcap, udp};
use support::run::{SIMPLE_TABLE, fib};

#[global_allocator]
static ALLOCATOR: dhat::Alloc = dhat::Alloc;

const FEW: u64 = 3_000;
const MANY: u64 = 30_000;

/// Flows of every input; the rest of its records repeat them.
const FLOWS: u64 = 500;

/// What may come and go with rounds and buffers.
const SLACK: u64 = 8;

/// Tuples are kept until their flow is given out, so that each flow's list of them grows: from a
/// tenth of its length to all of it by doubling four times.
const GROWTH: u64 = 4 * FLOWS;

#[test]
fn ten_times_the_records_allocate_as_often() {
    let captures = [FEW, MANY].map(capture);
    let flow_logs = [FEW, MANY].map(flow_log);
    let fib = fib(SIMPLE_TABLE);
    let pool = rayon::ThreadPoolBuilder::new().num_threads(1).build().expect("a thread starts");
    let _profiler = dhat::Profiler::builder().testing().build();
    for (inputs, per, allowed) in [
        (&captures, None, SLACK),
        (&captures, Some(RecordKind::Packet), SLACK),
        (&flow_logs, None, SLACK),
        (&flow_logs, Some(RecordKind::Flow), SLACK + GROWTH),
    ] {
        let csv = || RowWriter::new(RowFormat::Csv, &RowOptions::default(), io::sink());
        let counts = inputs.each_ref().map(|input| {
            pool.install(|| {
                [
                    ("no rows", allocations(&fib, per, input, NoRows)),
                    ("rows", allocations(&fib, per, input, Looked)),
                    ("CSV", allocations(&fib, per, input, csv().expect("nothing can fail"))),
                ]
            })
        });
        let [few, many] = counts;
        for ((sink, few), (_, many)) in few.into_iter().zip(many) {
            let grows_by = many.saturating_sub(few);
            assert!(grows_by <= allowed, "{per:?}, {sink}: {few} allocations became {many}");
        }
    }
    assert!(dhat::HeapStats::get().total_blocks > 0, "nothing was counted");
}

/// Counts the allocations of classifying an input once more.
fn allocations<S: RowSink>(fib: &Fib, per: Option<RecordKind>, input: &[u8], sink: S) -> u64 {
    let options = ClassifyOptions {
        per,
        memory_bytes_max: usize::MAX,
        threads: 1,
        decode: DecodeOptions::default(),
    };
    let mut classifier = Classifier::new(fib, options, sink);
    let name = InputName::new("input");
    let mut classify = || {
        // The copy is made before counting.
        let bytes = Box::new(Cursor::new(input.to_vec()));
        let before = dhat::HeapStats::get().total_blocks;
        let mut reader = TrafficReader::open(bytes, ReadOptions { chunk_bytes: 16 << 10 });
        classifier.classify_input(&name, &mut reader, &|_| {}).expect("nothing can fail");
        dhat::HeapStats::get().total_blocks - before
    };
    classify();
    classify()
}

/// Looks at every row and keeps none.
struct Looked;

impl RowSink for Looked {
    type Buffer = Self;

    fn buffer(&self) -> Self {
        Self
    }

    fn append(&mut self, _: &mut Self) -> io::Result<()> {
        Ok(())
    }
}

impl RowBuffer for Looked {
    fn push(&mut self, row: &OutputRow<'_>) {
        black_box(row);
    }
}

fn capture(packets: u64) -> Vec<u8> {
    let packets: Vec<_> = (0..packets)
        .map(|number| {
            let flow = u16::try_from(number % FLOWS).expect("few flows");
            let server = Ipv4Addr::from(0x0808_0000 + u32::from(flow) * 37);
            udp(
                number * 1_000_000,
                (Ipv4Addr::new(10, 0, 0, 4), 40_000 + flow),
                (server, 53),
                flow % 64,
            )
        })
        .collect();
    pcap(ETHERNET, &packets)
}

/// Two tuples a record, rules and resources that repeat, as logs of a quiet NIC are.
fn flow_log(tuples: u64) -> Vec<u8> {
    let mut log = "{\"records\":[".to_owned();
    for record in 0..tuples / 2 {
        if record > 0 {
            log.push(',');
        }
        let rule = record % 5;
        write!(
            log,
            "{{\"category\":\"FlowLogFlowEvent\",\"flowLogVersion\":4,\
             \"macAddress\":\"000D3A00000{rule}\",\"targetResourceID\":\"/subscriptions/{rule}\",\
             \"flowRecords\":{{\"flows\":[{{\"aclID\":\"/acl/{rule}\",\"flowGroups\":[{{\
             \"rule\":\"rule {rule}\",\"flowTuples\":["
        )
        .expect("a string takes any text");
        for tuple in [2 * record, 2 * record + 1] {
            let flow = tuple % FLOWS;
            let (time_ms, server) =
                (1_737_397_091_000 + tuple, Ipv4Addr::from(0x0808_0000 + flow as u32));
            let separator = if tuple % 2 == 0 { "" } else { "," };
            write!(
                log,
                "{separator}\"{time_ms},10.0.0.4,{server},{},443,6,O,C,NX,1,100,2,200\"",
                40_000 + flow
            )
            .expect("a string takes any text");
        }
        log.push_str("]}]}]}}");
    }
    log.push_str("]}");
    log.into_bytes()
}
