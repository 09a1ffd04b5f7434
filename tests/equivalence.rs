//! Every engine of longest-prefix match gives the answers of the naive one.
//!
//! Tables are random but shaped like Azure's: a few blocks, prefixes nested in them, siblings,
//! lengths where the engines' strides meet. They are probed where bugs live: at the first and last
//! address of every prefix and just outside of it.

#![forbid(unsafe_code)]

mod support;

use std::collections::{BTreeSet, HashMap};
use std::fs::File;
use std::io::Read;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::path::PathBuf;

use flate2::read::MultiGzDecoder;
use nexthop::lpm::{LpmForest, LpmKind, LpmTable, NaiveTable, RangeTable, Route};
use nexthop::net::AddressPrefix;
use proptest::prelude::*;
use proptest::sample::Index;
use support::random::SplitMix64;
use support::tables::{edges, random_inside, random_routes, sibling};

/// What the whole of `random_tables` must reach, counting each answer that was compared.
const LOOKUP_COUNT_MIN: u64 = 10_000_000;

/// DIR-24-8 takes 32 MiB a table, so that only one round in so many has it.
const DIR24_8_EVERY: u64 = 64;

#[test]
fn random_tables() {
    let mut lookup_count = 0;
    let mut round = 0;
    while lookup_count < LOOKUP_COUNT_MIN {
        let mut random = SplitMix64(round);
        let routes = random_routes(&mut random);
        let mut kinds = vec![LpmKind::Poptrie, LpmKind::RangeTree, LpmKind::Dir16_8_8];
        if round % DIR24_8_EVERY == 0 {
            kinds.extend([LpmKind::Dir24_8, LpmKind::Naive]);
        }
        let tables: Vec<_> =
            kinds.iter().map(|&kind| LpmTable::compile_as(kind, &routes).unwrap()).collect();
        let probes = random_probes(&mut random, &routes);
        let naive = NaiveTable::compile(&routes);
        let want: Vec<u16> =
            probes.iter().map(|&address| naive.lookup(address).unwrap_or(0)).collect();
        let place = format!("round {round}");
        lookup_count += compare_ranges(&routes, &probes, &want, &place);
        lookup_count += compare_forest(&routes, &probes, &want, &place);
        for table in &tables {
            lookup_count += compare(table, &probes, &want, &place);
        }
        round += 1;
    }
    assert!(lookup_count >= LOOKUP_COUNT_MIN);
    assert!(round > 2 * DIR24_8_EVERY, "several tables were of DIR-24-8");
}

/// Real tables, far too large for a linear scan: the oracle asks for each length in turn.
#[test]
fn real_tables() {
    let Some(folder) = std::env::var_os("NEXTHOP_CORPUS") else {
        eprintln!("SKIPPED real_tables: NEXTHOP_CORPUS does not name the corpus");
        return;
    };
    let folder = PathBuf::from(folder).join("prefixes");
    for (names, probed_every) in
        [(["bgp4.txt.gz", "bgp6.txt.gz"], 64), (["tags4.txt.gz", "tags6.txt.gz"], 4)]
    {
        let mut random = SplitMix64(probed_every);
        let routes: Vec<Route> = names
            .iter()
            .flat_map(|name| read_prefixes(folder.join(name)))
            .map(|prefix| (prefix, 1 + random.below(120) as u16))
            .collect();
        let by_length = ByLength::new(&routes);
        let probes: Vec<IpAddr> = routes
            .iter()
            .step_by(probed_every as usize)
            .flat_map(|&(prefix, _)| edges(prefix))
            .collect();
        let want: Vec<u16> = probes.iter().map(|&address| by_length.lookup(address)).collect();
        assert!(want.iter().collect::<BTreeSet<_>>().len() > 100, "the probes hit many values");

        let place = names.join(" and ");
        let mut lookup_count = compare_ranges(&routes, &probes, &want, &place);
        lookup_count += compare_forest(&routes, &probes, &want, &place);
        for kind in [LpmKind::Poptrie, LpmKind::Dir24_8, LpmKind::Dir16_8_8, LpmKind::RangeTree] {
            let table = LpmTable::compile_as(kind, &routes).unwrap();
            lookup_count += compare(&table, &probes, &want, &place);
        }
        assert!(lookup_count > 100_000, "{place}: {lookup_count}");
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 96, ..ProptestConfig::default() })]

    #[test]
    fn order_is_nothing_where_prefixes_are_distinct(
        (seed, shuffled) in distinct_routes().prop_flat_map(|(seed, routes)| {
            (Just(seed), Just(routes).prop_shuffle())
        }),
    ) {
        let (routes, probes) = distinct(seed);
        assert_same(&routes, &shuffled, &probes)?;
    }

    #[test]
    fn a_prefix_is_its_two_halves((seed, routes) in distinct_routes(), index: Index) {
        let whole = routes[index.index(routes.len())];
        let Some(halves) = halves(whole.0) else { return Ok(()) };
        let mut split: Vec<Route> = routes.clone();
        // Where a half is a route already, that one is more specific and stays.
        split.retain(|route| route != &whole);
        for half in halves {
            if !routes.iter().any(|(prefix, _)| *prefix == half) {
                split.push((half, whole.1));
            }
        }
        assert_same(&routes, &split, &distinct(seed).1)?;
    }

    #[test]
    fn repeating_a_route_changes_nothing((seed, routes) in distinct_routes(), index: Index) {
        let mut repeated = routes.clone();
        repeated.push(routes[index.index(routes.len())]);
        assert_same(&routes, &repeated, &distinct(seed).1)?;
    }

    #[test]
    fn the_last_of_two_values_wins((seed, routes) in distinct_routes(), index: Index, value: u16) {
        let place = index.index(routes.len());
        let value = value.max(1);
        let mut replaced = routes.clone();
        replaced[place].1 = value;
        let mut appended = routes.clone();
        appended.push((routes[place].0, value));
        assert_same(&replaced, &appended, &distinct(seed).1)?;
    }
}

/// Compares one table with the answers wanted, singly and in batches. Returns how many answers
/// were compared.
fn compare(table: &LpmTable, probes: &[IpAddr], want: &[u16], place: &str) -> u64 {
    for (&address, &want) in probes.iter().zip(want) {
        assert_eq!(table.lookup(address), want, "{place}, {} of {address}", table.kind());
    }
    let mut v4 = (Vec::new(), Vec::new());
    let mut v6 = (Vec::new(), Vec::new());
    for (&address, &want) in probes.iter().zip(want) {
        match address {
            IpAddr::V4(address) => {
                v4.0.push(address.to_bits());
                v4.1.push(want);
            }
            IpAddr::V6(address) => {
                v6.0.push(address.to_bits());
                v6.1.push(want);
            }
        }
    }
    let kind = format!("{} and {}", table.kind(), table.kind_v6());
    compare_batches(&v4.0, &v4.1, |addresses, values| {
        table.lookup_v4_batch(addresses, values);
        assert_eq!(addresses.first().map(|&first| table.lookup_v4(first)), values.first().copied());
    })
    .unwrap_or_else(|address| panic!("{place}, {kind} of {} in a batch", Ipv4Addr::from(address)));
    compare_batches(&v6.0, &v6.1, |addresses, values| {
        table.lookup_v6_batch(addresses, values);
        assert_eq!(addresses.first().map(|&first| table.lookup_v6(first)), values.first().copied());
    })
    .unwrap_or_else(|address| panic!("{place}, {kind} of {} in a batch", Ipv6Addr::from(address)));
    2 * probes.len() as u64
}

/// Looks up all addresses in batches of many lengths. Returns the first address with another
/// answer than the one wanted.
fn compare_batches<A: Copy>(
    addresses: &[A],
    want: &[u16],
    lookup_batch: impl Fn(&[A], &mut [u16]),
) -> Result<(), A> {
    let mut lengths = [0, 1, 7, 8, 15, 16, 17, 31, 33, 64, 127, 256, 300].into_iter().cycle();
    let mut start = 0;
    while start < addresses.len() {
        let end = addresses.len().min(start + lengths.next().expect("endless"));
        // A number of no route, so that an answer left out shows.
        let mut values = vec![0xDEAD; end - start];
        lookup_batch(&addresses[start..end], &mut values);
        if let Some(wrong) = (start..end).find(|&index| values[index - start] != want[index]) {
            return Err(addresses[wrong]);
        }
        start = end;
    }
    Ok(())
}

fn compare_ranges(routes: &[Route], probes: &[IpAddr], want: &[u16], place: &str) -> u64 {
    let wide: Vec<_> = routes.iter().map(|&(prefix, value)| (prefix, u32::from(value))).collect();
    let table = RangeTable::compile(&wide);
    for (&address, &want) in probes.iter().zip(want) {
        let want = (want != 0).then_some(u32::from(want));
        assert_eq!(table.lookup(address), want, "{place}, ranges, {address}");
    }
    probes.len() as u64
}

/// Compares the table with others beside it in a forest, each looked up in turn.
fn compare_forest(routes: &[Route], probes: &[IpAddr], want: &[u16], place: &str) -> u64 {
    let without_half: Vec<Route> = routes.iter().copied().step_by(2).collect();
    let forest =
        LpmForest::compile([&without_half[..], routes, &[], routes]).expect("16-bit values");
    assert!(forest.distinct_table_count() <= 3, "{place}");
    let half = LpmTable::compile_as(LpmKind::Poptrie, &without_half).expect("16-bit values");
    let (mut tables, mut addresses, mut want_v4) = (Vec::new(), Vec::new(), Vec::new());
    for (turn, (&address, &want)) in probes.iter().zip(want).enumerate() {
        let table = (turn % 4) as u32;
        let want = [half.lookup(address), want, 0, want][turn % 4];
        assert_eq!(forest.lookup(table, address), want, "{place}, forest, {table} {address}");
        if let IpAddr::V4(address) = address {
            tables.push(table);
            addresses.push(address.to_bits());
            want_v4.push(want);
        }
    }
    for length in [1, 7, 8, 9, 127, 128, 129, addresses.len()] {
        let mut values = vec![0xDEAD; length.min(addresses.len())];
        let length = values.len();
        forest.lookup_v4_batch(&tables[..length], &addresses[..length], &mut values);
        assert_eq!(values, want_v4[..length], "{place}, forest in a batch");
    }
    probes.len() as u64
}

fn assert_same(a: &[Route], b: &[Route], probes: &[IpAddr]) -> Result<(), TestCaseError> {
    let [table_a, table_b] =
        [a, b].map(|routes| LpmTable::compile(routes).expect("few routes, no value 0"));
    let naive = NaiveTable::compile(a);
    for &address in probes {
        prop_assert_eq!(table_a.lookup(address), table_b.lookup(address), "{}", address);
        prop_assert_eq!(naive.lookup(address).unwrap_or(0), table_b.lookup(address), "{}", address);
    }
    Ok(())
}

/// An oracle for tables of any size: is there a route of this length, from the longest down?
struct ByLength {
    values: HashMap<AddressPrefix, u16>,
    lengths_v4: BTreeSet<u8>,
    lengths_v6: BTreeSet<u8>,
}

impl ByLength {
    fn new(routes: &[Route]) -> Self {
        let lengths = |is_ipv4| {
            let of_family = routes.iter().filter(|(prefix, _)| prefix.is_ipv4() == is_ipv4);
            of_family.map(|(prefix, _)| prefix.length()).collect()
        };
        Self {
            values: routes.iter().copied().collect(),
            lengths_v4: lengths(true),
            lengths_v6: lengths(false),
        }
    }

    fn lookup(&self, address: IpAddr) -> u16 {
        let lengths = if address.is_ipv4() { &self.lengths_v4 } else { &self.lengths_v6 };
        lengths
            .iter()
            .rev()
            .find_map(|&length| {
                self.values.get(&AddressPrefix::new(address, length).expect("a length in use"))
            })
            .copied()
            .unwrap_or(0)
    }
}

fn read_prefixes(path: PathBuf) -> Vec<AddressPrefix> {
    let file = File::open(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
    let mut text = String::new();
    MultiGzDecoder::new(file).read_to_string(&mut text).expect("a gzip file of text");
    text.lines().map(|line| line.parse().expect(line)).collect()
}

fn halves(prefix: AddressPrefix) -> Option<[AddressPrefix; 2]> {
    let half = AddressPrefix::new(prefix.address(), prefix.length() + 1).ok()?;
    Some([half, sibling(half)])
}

/// Returns the probes of a table, shuffled: the edges of all prefixes, an address inside each, and
/// some from anywhere.
fn random_probes(random: &mut SplitMix64, routes: &[Route]) -> Vec<IpAddr> {
    let mut probes = Vec::new();
    for &(prefix, _) in routes {
        probes.extend(edges(prefix));
        probes.push(random_inside(random, prefix));
    }
    for _ in 0..128 {
        probes.push(random_inside(random, AddressPrefix::IPV4_ALL));
        probes.push(random_inside(random, AddressPrefix::IPV6_ALL));
    }
    for index in (1..probes.len()).rev() {
        probes.swap(index, random.below(index as u64 + 1) as usize);
    }
    probes
}

/// Routes without a repeated prefix, with the seed that [`distinct`] makes them from.
fn distinct_routes() -> impl Strategy<Value = (u64, Vec<Route>)> {
    any::<u64>().prop_map(|seed| (seed, distinct(seed).0))
}

fn distinct(seed: u64) -> (Vec<Route>, Vec<IpAddr>) {
    let mut random = SplitMix64(seed);
    let mut routes = random_routes(&mut random);
    let mut seen = BTreeSet::new();
    routes.retain(|(prefix, _)| seen.insert(*prefix));
    let probes = random_probes(&mut random, &routes);
    (routes, probes)
}
