//! Captures in memory → sums by next hop: the program on one and two threads, and its twin.

#![forbid(unsafe_code)]

#[expect(dead_code, reason = "the other benchmarks use the rest")]
mod twins;
#[expect(dead_code, reason = "the other benchmarks use the rest")]
mod work;

use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use nexthop::generate::CaptureContainer;
use work::Work;

fn capture(criterion: &mut Criterion) {
    let mut work = Work::new();
    let pcap = work.capture(CaptureContainer::Pcap);
    let pcapng = work.capture(CaptureContainer::Pcapng);
    let mut group = criterion.benchmark_group("capture");
    group.throughput(Throughput::Elements(work::PACKETS)).sample_size(10);
    for (name, traffic) in [("pcap", &pcap), ("pcapng", &pcapng)] {
        for threads in [1, 2] {
            let pool = work::pool(threads);
            group.bench_function(format!("{name}, {threads} threads"), |bencher| {
                bencher.iter_with_large_drop(|| {
                    let summary = pool.install(|| traffic.summarise(&work.fib, threads));
                    traffic.assert_summary(&summary);
                });
            });
        }
    }
    group.bench_function("pcap, twin", |bencher| {
        bencher.iter_with_large_drop(|| {
            let totals = twins::capture::classify(&work.router, pcap.inputs[0].as_slice());
            pcap.assert_json(&totals.expect("a whole capture").to_json(&work.router));
        });
    });
    group.finish();
}

criterion_group!(benches, capture);
criterion_main!(benches);
