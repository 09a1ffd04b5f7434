//! Longest-prefix match: each engine on each table and stream, and the forest.
//!
//! ```text
//! cargo bench --bench lpm                 all
//! cargo bench --bench lpm -- bgp4/zipf    some
//! cargo bench --bench lpm -- --test       each once, for its answers
//! ```
//!
//! Tables are the published ones where `NEXTHOP_CORPUS` names them, else generated. Addresses are
//! looked up in bursts of 256 into a reused buffer. Before it is timed, each engine's answers are
//! compared by checksum with those of a binary search.

#![forbid(unsafe_code)]

use std::hint::black_box;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::time::Duration;

use criterion::measurement::WallTime;
use criterion::{BenchmarkGroup, Criterion, Throughput};
use nexthop::lpm::sample::{self, Random, Stream, checksum};
use nexthop::lpm::{LpmForest, LpmKind, LpmTable, RangeTable, Route};
use nexthop::net::AddressPrefix;

mod tables;

const LOOKUP_COUNT: usize = 1 << 18;
const BURST: usize = 256;

fn main() {
    let mut criterion = Criterion::default()
        .warm_up_time(Duration::from_millis(300))
        .measurement_time(Duration::from_secs(1))
        .sample_size(20)
        .configure_from_args();
    for table in tables::tables() {
        build(&mut criterion, &table);
        lookup(&mut criterion, &table);
    }
    for table_count in [1_000, 10_000] {
        forest(&mut criterion, table_count);
    }
    criterion.final_summary();
}

const V4_KINDS: [LpmKind; 3] = [LpmKind::Dir16_8_8, LpmKind::Dir24_8, LpmKind::Poptrie];
const V6_KINDS: [LpmKind; 2] = [LpmKind::RangeTree, LpmKind::Poptrie];

fn build(criterion: &mut Criterion, table: &tables::Table) {
    let mut group = criterion.benchmark_group(format!("build/{}", table.name));
    group.throughput(Throughput::Elements(table.routes.len() as u64));
    group.bench_function("compile", |bencher| {
        bencher.iter(|| LpmTable::compile(black_box(&table.routes)).expect("sound routes"));
    });
    group.finish();
}

fn lookup(criterion: &mut Criterion, table: &tables::Table) {
    let wide: Vec<(AddressPrefix, u32)> =
        table.routes.iter().map(|&(prefix, value)| (prefix, value.into())).collect();
    let oracle = RangeTable::compile(&wide);
    let answer = |address: IpAddr| oracle.lookup(address).unwrap_or(0) as u16;
    for stream in Stream::ALL {
        let mut group =
            criterion.benchmark_group(format!("lookup/{}/{}", table.name, stream.as_str()));
        group.throughput(Throughput::Elements(LOOKUP_COUNT as u64));
        if table.is_ipv4 {
            let addresses = stream.addresses_v4(&table.routes, LOOKUP_COUNT, 7);
            let want = checksum_of(&addresses, |&address| answer(Ipv4Addr::from(address).into()));
            for kind in V4_KINDS {
                let engine = compiled(kind, &table.routes);
                bursts(&mut group, kind.as_str(), &addresses, want, |addresses, values| {
                    engine.lookup_v4_batch(addresses, values);
                });
            }
        } else {
            let addresses = stream.addresses_v6(&table.routes, LOOKUP_COUNT, 7);
            let want = checksum_of(&addresses, |&address| answer(Ipv6Addr::from(address).into()));
            for kind in V6_KINDS {
                let engine = compiled(kind, &table.routes);
                bursts(&mut group, kind.as_str(), &addresses, want, |addresses, values| {
                    engine.lookup_v6_batch(addresses, values);
                });
            }
        }
        group.finish();
    }
}

fn compiled(kind: LpmKind, routes: &[Route]) -> LpmTable {
    LpmTable::compile_as(kind, routes).expect("sound routes")
}

fn forest(criterion: &mut Criterion, table_count: usize) {
    let tables = sample::azure_tables(table_count, 1);
    let compile = || LpmForest::compile(tables.iter().map(Vec::as_slice)).expect("sound routes");
    let mut group = criterion.benchmark_group(format!("forest/{table_count}"));
    group.sample_size(10);
    group.bench_function("compile", |bencher| bencher.iter(compile));
    let forest = compile();
    for (name, run_length) in [("random-table", 1), ("runs-of-64", 64)] {
        let mut random = Random::new(5);
        // A table, and an address in one of its routes.
        let mut number = 0;
        let (numbers, addresses): (Vec<u32>, Vec<u32>) = (0..LOOKUP_COUNT)
            .map(|turn| {
                if turn % run_length == 0 {
                    number = random.below(table_count as u64) as u32;
                }
                let routes = &tables[number as usize];
                let route = &routes[random.below(routes.len() as u64) as usize..][..1];
                (number, Stream::InTable.addresses_v4(route, 1, random.next_bits())[0])
            })
            .unzip();
        let answers = numbers.iter().zip(&addresses).map(|(&number, &address)| {
            let address = Ipv4Addr::from(address).into();
            let holding = tables[number as usize]
                .iter()
                .filter(|(prefix, _)| prefix.contains(address))
                // Of equal prefixes the last wins, as everywhere.
                .max_by_key(|(prefix, _)| prefix.length());
            holding.map_or(0, |&(_, value)| value)
        });
        let want = checksum(&answers.collect::<Vec<_>>());
        let places: Vec<usize> = (0..LOOKUP_COUNT).collect();
        group.throughput(Throughput::Elements(LOOKUP_COUNT as u64));
        bursts(&mut group, name, &places, want, |places, values| {
            let places = places[0]..places[0] + places.len();
            forest.lookup_v4_batch(&numbers[places.clone()], &addresses[places], values);
        });
    }
    group.finish();
}

fn checksum_of<A>(addresses: &[A], answer: impl Fn(&A) -> u16) -> u64 {
    checksum(&addresses.iter().map(answer).collect::<Vec<_>>())
}

fn bursts<A>(
    group: &mut BenchmarkGroup<'_, WallTime>,
    name: &str,
    addresses: &[A],
    want: u64,
    lookup: impl Fn(&[A], &mut [u16]),
) {
    let mut all = vec![0; addresses.len()];
    for (addresses, values) in addresses.chunks(BURST).zip(all.chunks_mut(BURST)) {
        lookup(addresses, values);
    }
    assert_eq!(checksum(&all), want, "{name} gives other answers");
    let mut values = [0; BURST];
    group.bench_function(name, |bencher| {
        bencher.iter(|| {
            for addresses in addresses.chunks(BURST) {
                lookup(addresses, &mut values[..addresses.len()]);
                black_box(&mut values);
            }
        });
    });
}
