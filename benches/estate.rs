//! A large estate from files to compiled tables: loaded, computed, compiled, at three sizes that
//! double, with a route table for each VNet and with one for each subnet. Beside the times it prints
//! the peak memory of each size, measured in a process of its own.

#![forbid(unsafe_code)]

mod estates;

use std::hint::black_box;
use std::path::Path;
use std::process::Command;

use criterion::{BenchmarkId, Criterion, Throughput};
use estates::RouteTables;
use nexthop::azure::load_snapshot;
use nexthop::fib::SnapshotTables;

const VNET_COUNTS: [usize; 3] = [125, 250, 500];

/// Names the folder of an estate whose memory is to be measured in this process.
const FOLDER: &str = "NEXTHOP_ESTATE_FOLDER";

fn main() {
    if let Some(folder) = std::env::var_os(FOLDER) {
        black_box(estates::compile(Path::new(&folder)));
        println!("{}", peak_mib().expect("the kernel tells"));
        return;
    }
    let mut criterion = Criterion::default().configure_from_args();
    estate(&mut criterion, "estate", RouteTables::OfVnets);
    estate(&mut criterion, "estate_distinct", RouteTables::OfSubnets);
    criterion.final_summary();
}

fn estate(criterion: &mut Criterion, name: &str, kind: RouteTables) {
    let mut group = criterion.benchmark_group(name);
    group.sample_size(10);
    for vnet_count in VNET_COUNTS {
        let folder = tempfile::tempdir().expect("a temporary folder");
        estates::write(folder.path(), vnet_count, kind);
        let (tables, fib) = estates::compile(folder.path());
        estates::check(&tables, &fib, vnet_count, kind);
        drop((tables, fib));
        report_peak(name, folder.path(), vnet_count);
        let subnets = vnet_count * estates::SUBNETS_PER_VNET;
        group.throughput(Throughput::Elements(subnets as u64));
        let id = |step: &str| BenchmarkId::new(step, subnets);
        group.bench_function(id("whole"), |bencher| {
            bencher.iter_with_large_drop(|| estates::compile(folder.path()));
        });
        group.bench_function(id("load"), |bencher| {
            bencher.iter_with_large_drop(|| load_snapshot(folder.path()).expect("a snapshot"));
        });
        let snapshot = load_snapshot(folder.path()).expect("a snapshot");
        group.bench_function(id("compute"), |bencher| {
            bencher.iter_with_large_drop(|| SnapshotTables::of(&snapshot));
        });
        let tables = SnapshotTables::of(&snapshot);
        group.bench_function(id("compile"), |bencher| {
            bencher.iter_with_large_drop(|| tables.compile().expect("few next hops"));
        });
    }
    group.finish();
}

/// Prints the peak memory of one run; Linux alone tells it.
fn report_peak(name: &str, folder: &Path, vnet_count: usize) {
    if peak_mib().is_none() {
        return;
    }
    let program = std::env::current_exe().expect("this program has a path");
    let output = Command::new(program).env(FOLDER, folder).output().expect("the program runs");
    let peak = String::from_utf8_lossy(&output.stdout);
    println!("{name}/{}: peak {} MiB", vnet_count * estates::SUBNETS_PER_VNET, peak.trim());
}

fn peak_mib() -> Option<u64> {
    let status = std::fs::read_to_string("/proc/self/status").ok()?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"))?;
    let kib: u64 = line.split_whitespace().next()?.parse().ok()?;
    Some(kib / 1024)
}
