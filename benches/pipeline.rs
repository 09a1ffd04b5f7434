//! The whole way from bytes to labelled rows, in every format, on two threads.

#![forbid(unsafe_code)]

#[expect(dead_code, reason = "the other benchmarks use it")]
mod twins;
#[expect(dead_code, reason = "the other benchmarks use the rest")]
mod work;

use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use nexthop::generate::CaptureContainer;
use nexthop::report::{RowFormat, RowOptions, RowWriter};
use work::{Traffic, Work};

const THREADS: usize = 2;

fn pipeline(criterion: &mut Criterion) {
    let mut work = Work::new();
    let flow_log = work.flow_log();
    let capture = work.capture(CaptureContainer::Pcap);
    for (name, traffic, records) in
        [("flow log", &flow_log, work::TUPLES), ("capture", &capture, work::PACKETS)]
    {
        rows(criterion, name, &work, traffic, records);
    }
}

fn rows(criterion: &mut Criterion, name: &str, work: &Work, traffic: &Traffic, records: u64) {
    let pool = work::pool(THREADS);
    let mut group = criterion.benchmark_group(format!("pipeline, {name}"));
    group.throughput(Throughput::Elements(records)).sample_size(10);
    group.bench_function("sums", |bencher| {
        bencher.iter_with_large_drop(|| {
            let summary = pool.install(|| traffic.summarise(&work.fib, THREADS));
            traffic.assert_summary(&summary);
        });
    });
    for (word, format) in formats() {
        let options = RowOptions::default();
        group.bench_function(*word, |bencher| {
            bencher.iter_with_large_drop(|| {
                let sink = RowWriter::new(*format, &options, std::io::sink()).expect("an output");
                let summary = pool.install(|| traffic.classify(&work.fib, THREADS, sink));
                traffic.assert_summary(&summary);
            });
        });
    }
    group.finish();
}

fn formats() -> &'static [(&'static str, RowFormat)] {
    match cfg!(feature = "parquet") {
        true => {
            &[("csv", RowFormat::Csv), ("jsonl", RowFormat::Jsonl), ("parquet", RowFormat::Parquet)]
        }
        false => &[("csv", RowFormat::Csv), ("jsonl", RowFormat::Jsonl)],
    }
}

criterion_group!(benches, pipeline);
criterion_main!(benches);
