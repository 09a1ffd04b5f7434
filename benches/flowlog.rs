//! Flow logs in memory → sums by next hop: the program on one and two threads, and its twin.

#![forbid(unsafe_code)]

#[expect(dead_code, reason = "the other benchmarks use the rest")]
mod twins;
#[expect(dead_code, reason = "the other benchmarks use the rest")]
mod work;

use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use twins::totals::Totals;
use work::Work;

fn flow_log(criterion: &mut Criterion) {
    let mut work = Work::new();
    let traffic = work.flow_log();
    let mut group = criterion.benchmark_group("flowlog");
    group.throughput(Throughput::Elements(work::TUPLES)).sample_size(10);
    for threads in [1, 2] {
        let pool = work::pool(threads);
        group.bench_function(format!("{threads} threads"), |bencher| {
            bencher.iter_with_large_drop(|| {
                let summary = pool.install(|| traffic.summarise(&work.fib, threads));
                traffic.assert_summary(&summary);
            });
        });
    }
    group.bench_function("twin", |bencher| {
        bencher.iter_with_large_drop(|| {
            let mut totals = Totals::default();
            for blob in &traffic.inputs {
                twins::flow_log::classify(&work.router, blob, &mut totals).expect("whole blobs");
            }
            traffic.assert_json(&totals.to_json(&work.router));
        });
    });
    group.finish();
}

criterion_group!(benches, flow_log);
criterion_main!(benches);
