//! All 2^32 addresses: each IPv4 engine against a sweep over the sorted edges of the prefixes.
//!
//! Too long for every day: `scripts/exhaustive.sh` runs it, in release. The same script probes as many
//! random tables as it is asked to, and the IPv6 engines on large tables, around the edges of
//! prefixes.

#![forbid(unsafe_code)]

mod support;

use std::fs::File;
use std::io::Read;
use std::net::IpAddr;
use std::path::PathBuf;

use flate2::read::MultiGzDecoder;
use nexthop::lpm::sample::{self, Random, Stream};
use nexthop::lpm::{LpmForest, LpmKind, LpmTable, NaiveTable, RangeTable, Route};
use nexthop::net::AddressPrefix;
use support::random::SplitMix64;
use support::tables::{edges as prefix_edges, random_routes};

/// Looked up at once.
const BATCH: usize = 1 << 16;

#[test]
#[ignore = "minutes in release; scripts/exhaustive.sh runs it"]
fn every_ipv4_address_of_an_internet_table() {
    sweep("bgp4", &published("bgp4.txt.gz").unwrap_or_else(|| sample::internet_routes(900_000, 1)));
}

#[test]
#[ignore = "minutes in release; scripts/exhaustive.sh runs it"]
fn every_ipv4_address_of_the_service_tags() {
    let tables = || sample::azure_tables(40, 1).concat();
    sweep("tags4", &published("tags4.txt.gz").unwrap_or_else(tables));
}

#[test]
#[ignore = "minutes in release; scripts/exhaustive.sh runs it"]
fn every_ipv4_address_of_an_adversarial_table() {
    sweep("adversarial", &adversarial_routes());
}

/// Probes the IPv6 engines with as many addresses as `NEXTHOP_EXHAUSTIVE_V6` says, in the table and
/// around its edges, against a binary search.
#[test]
#[ignore = "as long as it is asked to be; scripts/exhaustive.sh runs it"]
fn many_ipv6_addresses() {
    let wanted: u64 = std::env::var("NEXTHOP_EXHAUSTIVE_V6")
        .map_or(10_000_000, |text| text.parse().expect("NEXTHOP_EXHAUSTIVE_V6 is a number"));
    let tables = [
        ("bgp6", published("bgp6.txt.gz")),
        ("tags6", published("tags6.txt.gz")),
        ("generated", Some(sample::internet_routes_v6(100_000, 1))),
    ];
    for (name, routes) in tables {
        let Some(routes) = routes else { continue };
        let oracle = RangeTable::compile(&widened(&routes));
        let engines: Vec<_> = [LpmKind::Poptrie, LpmKind::RangeTree]
            .map(|kind| LpmTable::compile_as(kind, &routes).expect("16-bit values"))
            .into();
        let mut probed = 0;
        let mut seed = 0;
        while probed < wanted {
            let mut addresses = Stream::InTable.addresses_v6(&routes, BATCH / 2, seed);
            addresses.extend(edges_v6(&routes, BATCH / 2, seed));
            let want: Vec<u16> = addresses
                .iter()
                .map(|&address| oracle.lookup(IpAddr::V6(address.into())).unwrap_or(0) as u16)
                .collect();
            for engine in &engines {
                let mut values = vec![0xDEAD; addresses.len()];
                engine.lookup_v6_batch(&addresses, &mut values);
                assert!(values == want, "{name}, {}, seed {seed}", engine.kind_v6());
            }
            probed += addresses.len() as u64;
            seed += 1;
        }
        println!("{name}: {probed} probes of {} engines", engines.len());
    }
}

/// DIR-24-8 takes 32 MiB a table, so that only one table in so many has it.
const DIR24_8_EVERY: u64 = 256;

/// Probes taken of one random table.
const PROBES_A_TABLE: u64 = 10_000;

/// Probes as many random tables as `NEXTHOP_EXHAUSTIVE_TABLES` says, of both families, each around
/// the edges of its prefixes, against the naive router. Two threads share the tables.
#[test]
#[ignore = "as long as it is asked to be; scripts/exhaustive.sh runs it"]
fn many_random_tables() {
    let table_count: u64 = std::env::var("NEXTHOP_EXHAUSTIVE_TABLES")
        .map_or(1_000, |text| text.parse().expect("NEXTHOP_EXHAUSTIVE_TABLES is a number"));
    let [even, odd] = std::thread::scope(|scope| {
        [0, 1]
            .map(|first| scope.spawn(move || probe_tables((first..table_count).step_by(2))))
            .map(|thread| thread.join().expect("no answer differs"))
    });
    let (v4, v6, matched) = (even.0 + odd.0, even.1 + odd.1, even.2 + odd.2);
    assert_eq!(v4 + v6, table_count * PROBES_A_TABLE);
    println!("{table_count} random tables: {v4} IPv4 and {v6} IPv6 probes, {matched} have a route");
}

/// Returns how many probes were of IPv4, of IPv6, and how many of both met a route.
fn probe_tables(seeds: impl Iterator<Item = u64>) -> (u64, u64, u64) {
    let (mut v4_count, mut v6_count, mut matched_count) = (0, 0, 0);
    for seed in seeds {
        let mut random = SplitMix64(seed);
        let routes = random_routes(&mut random);
        let naive = NaiveTable::compile(&routes);
        let mut kinds = vec![LpmKind::Poptrie, LpmKind::RangeTree, LpmKind::Dir16_8_8];
        if seed.is_multiple_of(DIR24_8_EVERY) {
            kinds.push(LpmKind::Dir24_8);
        }
        let tables: Vec<_> = kinds
            .iter()
            .map(|&kind| LpmTable::compile_as(kind, &routes).expect("16-bit values, few routes"))
            .collect();
        let forest = LpmForest::compile([&[][..], &routes]).expect("16-bit values");

        let edges: Vec<IpAddr> = routes.iter().flat_map(|route| prefix_edges(route.0)).collect();
        let (mut v4, mut v6) = (Vec::new(), Vec::new());
        for _ in 0..PROBES_A_TABLE {
            let near = random.next();
            match edges[random.below(edges.len() as u64) as usize] {
                // At any distance from the edge, each power of two as often as the others.
                IpAddr::V4(edge) => v4.push(
                    edge.to_bits()
                        .wrapping_add_signed((near as i32) >> (random.below(33) as u32).min(31)),
                ),
                IpAddr::V6(edge) => {
                    let near = (near as i64 as i128) << random.below(65);
                    let near = near >> random.below(128);
                    v6.push(edge.to_bits().wrapping_add_signed(near));
                }
            }
        }
        let naive_of = |address: IpAddr| naive.lookup(address).unwrap_or(0);
        let want_v4: Vec<u16> =
            v4.iter().map(|&address| naive_of(IpAddr::V4(address.into()))).collect();
        let want_v6: Vec<u16> =
            v6.iter().map(|&address| naive_of(IpAddr::V6(address.into()))).collect();
        for (table, kind) in tables.iter().zip(&kinds) {
            let mut values = vec![0xDEAD; v4.len()];
            table.lookup_v4_batch(&v4, &mut values);
            assert!(values == want_v4, "IPv4, {kind}, seed {seed}");
            let mut values = vec![0xDEAD; v6.len()];
            table.lookup_v6_batch(&v6, &mut values);
            assert!(values == want_v6, "IPv6, {kind}, seed {seed}");
        }
        let mut values = vec![0xDEAD; v4.len()];
        forest.lookup_v4_batch(&vec![1; v4.len()], &v4, &mut values);
        assert!(values == want_v4, "IPv4, forest, seed {seed}");
        for (&address, &want) in v6.iter().zip(&want_v6) {
            assert_eq!(forest.lookup_v6(1, address), want, "IPv6, forest, seed {seed}");
        }
        v4_count += v4.len() as u64;
        v6_count += v6.len() as u64;
        let is_matched = |want: &&u16| **want != 0;
        matched_count += want_v4.iter().chain(&want_v6).filter(is_matched).count() as u64;
    }
    (v4_count, v6_count, matched_count)
}

fn sweep(name: &str, routes: &[Route]) {
    let edges = edges(routes);
    let forest = LpmForest::compile([&[][..], routes]).expect("16-bit values");
    let engines: Vec<_> = [LpmKind::Poptrie, LpmKind::Dir24_8, LpmKind::Dir16_8_8]
        .map(|kind| LpmTable::compile_as(kind, routes).expect("16-bit values"))
        .into();
    let mut edge = 0;
    let mut checksum = 0u64;
    let (mut addresses, mut want) = (vec![0; BATCH], vec![0; BATCH]);
    let mut values = vec![0; BATCH];
    for batch in 0..1u32 << 16 {
        for low in 0..BATCH {
            let address = batch << 16 | low as u32;
            while edges.get(edge + 1).is_some_and(|next| next.0 <= address) {
                edge += 1;
            }
            (addresses[low], want[low]) = (address, edges[edge].1);
        }
        for engine in &engines {
            values.fill(0xDEAD);
            engine.lookup_v4_batch(&addresses, &mut values);
            assert!(
                values == want,
                "{name}, {}, {}",
                engine.kind(),
                difference(&values, &want, batch)
            );
        }
        values.fill(0xDEAD);
        forest.lookup_v4_batch(&[1; BATCH], &addresses, &mut values);
        assert!(values == want, "{name}, forest, {}", difference(&values, &want, batch));
        // One of each batch alone, for the other way through the code.
        let low = batch as usize * 40_503 % BATCH;
        for engine in &engines {
            assert_eq!(engine.lookup_v4(addresses[low]), want[low], "{name} {}", engine.kind());
        }
        checksum = checksum.rotate_left(1).wrapping_add(sample::checksum(&want));
    }
    assert_eq!(edge, edges.len() - 1, "the sweep went over every edge");
    println!("{name}: 2^32 addresses, {} edges, checksum {checksum:016x}", edges.len());
}

fn difference(values: &[u16], want: &[u16], batch: u32) -> String {
    let low = (0..BATCH).find(|&low| values[low] != want[low]).expect("they differ");
    let address = std::net::Ipv4Addr::from_bits(batch << 16 | low as u32);
    format!("{address} is {} and not {}", values[low], want[low])
}

/// Returns where the answer changes, and to what: at each first address of a prefix and each one
/// behind its last, the longest prefix that is open there.
///
/// Written apart from the library's own way from prefixes to ranges, which is under test too: here
/// all lengths that are open are kept in an array.
fn edges(routes: &[Route]) -> Vec<(u32, u16)> {
    let mut events: Vec<(u64, bool, usize, u16)> = Vec::new();
    let mut last_of: std::collections::HashMap<AddressPrefix, u16> = Default::default();
    last_of.extend(routes.iter().copied());
    for (prefix, value) in last_of {
        let (IpAddr::V4(first), IpAddr::V4(last)) = (prefix.address(), prefix.last_address())
        else {
            continue;
        };
        let length = usize::from(prefix.length());
        events.push((first.to_bits().into(), true, length, value));
        events.push((u64::from(last.to_bits()) + 1, false, length, 0));
    }
    // At one address, what ends does so before anything begins.
    events.sort_unstable();
    let mut open = [None; 33];
    let mut edges = vec![(0, 0)];
    for &(address, begins, length, value) in &events {
        open[length] = begins.then_some(value);
        let Ok(address) = u32::try_from(address) else { break };
        let answer = open.iter().rev().find_map(|value| *value).unwrap_or(0);
        if edges.last().is_some_and(|last| last.0 == address) {
            edges.pop();
        }
        edges.push((address, answer));
    }
    edges
}

/// Routes that make trouble for strides: each length around each boundary of a table, whole
/// ladders down to hosts, /24 full of hosts, values of 8 bits and of 16.
fn adversarial_routes() -> Vec<Route> {
    let mut random = Random::new(1);
    let mut routes: Vec<Route> = Vec::new();
    let prefix = |address: u32, length: u64| {
        let address = std::net::Ipv4Addr::from_bits(address).into();
        AddressPrefix::new(address, length as u8).expect("within the family")
    };
    for _ in 0..64 {
        let centre = random.next_bits() as u32;
        for length in 0..=32 {
            routes.push((prefix(centre, length), 1 + random.below(65_535) as u16));
        }
    }
    for _ in 0..2_000 {
        let base = random.next_bits() as u32;
        for _ in 0..random.below(20) {
            let near = base ^ (random.next_bits() as u32 >> (8 + random.below(24)));
            let length = [6, 7, 11, 12, 14, 15, 16, 17, 18, 20, 22, 23, 24, 25, 28, 30, 31, 32];
            let length = length[random.below(length.len() as u64) as usize];
            routes.push((prefix(near, length), 1 + random.below(300) as u16));
        }
    }
    for group in 0..40 {
        let base = random.next_bits() as u32 & !0xFF;
        for host in (0..256).step_by(1 + group % 3) {
            routes.push((prefix(base | host, 32), 1 + random.below(4) as u16));
        }
    }
    for end in [0, u32::MAX] {
        routes.extend((20..=32).map(|length| (prefix(end, length), length as u16)));
    }
    routes
}

/// Returns the edges of random prefixes, a few steps to either side.
fn edges_v6(routes: &[Route], count: usize, seed: u64) -> Vec<u128> {
    let mut random = Random::new(!seed);
    let mut edge = || {
        let (prefix, _) = routes[random.below(routes.len() as u64) as usize];
        let ends = [prefix.address(), prefix.last_address()];
        let IpAddr::V6(end) = ends[random.below(2) as usize] else { panic!("IPv6 routes") };
        end.to_bits().wrapping_add(u128::from(random.below(5))).wrapping_sub(2)
    };
    (0..count).map(|_| edge()).collect()
}

fn widened(routes: &[Route]) -> Vec<(AddressPrefix, u32)> {
    routes.iter().map(|&(prefix, value)| (prefix, value.into())).collect()
}

/// Returns published prefixes with next hops from 1 to 120, where `NEXTHOP_CORPUS` names them.
fn published(name: &str) -> Option<Vec<Route>> {
    let path = PathBuf::from(std::env::var_os("NEXTHOP_CORPUS")?).join("prefixes").join(name);
    let file = File::open(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
    let mut text = String::new();
    MultiGzDecoder::new(file).read_to_string(&mut text).expect("a gzip file of text");
    let mut random = Random::new(120);
    let route = |line: &str| (line.parse().expect("a prefix"), 1 + random.below(120) as u16);
    Some(text.lines().map(route).collect())
}
