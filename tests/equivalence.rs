//! Every engine of longest-prefix match gives the answers of the naive one.
//!
//! Tables are random but shaped like Azure's: a few blocks, prefixes nested in them, siblings,
//! lengths where the engines' strides meet. They are probed where bugs live: at the first and last
//! address of every prefix and just outside of it.

#![forbid(unsafe_code)]

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

/// The lengths where strides, tables and families begin and end.
const LENGTHS_V4: [u8; 14] = [0, 1, 8, 14, 15, 16, 17, 22, 23, 24, 25, 26, 31, 32];
const LENGTHS_V6: [u8; 12] = [0, 1, 18, 48, 56, 64, 65, 96, 120, 126, 127, 128];

/// Blocks that Azure's tables are made of, and both ends of the address space.
const BLOCKS: [&str; 14] = [
    "10.0.0.0/8",
    "172.16.0.0/12",
    "192.168.0.0/16",
    "100.64.0.0/10",
    "20.33.0.0/16",
    "168.63.129.16/32",
    "0.0.0.0/8",
    "255.0.0.0/8",
    "fd00::/8",
    "fe80::/10",
    "2603:1000::/24",
    "2001:db8::/32",
    "::/64",
    "ffff:ffff:ffff:ffff::/64",
];

/// Makes 8 to 120 routes, now and then 300: with and without /0, nested, adjacent, repeated.
fn random_routes(random: &mut SplitMix64) -> Vec<Route> {
    let count = if random.below(16) == 0 { 300 } else { 8 + random.below(113) as usize };
    let value_kind = random.below(4);
    let mut routes: Vec<Route> = Vec::with_capacity(count);
    for default_route in [AddressPrefix::IPV4_ALL, AddressPrefix::IPV6_ALL] {
        if random.below(2) == 0 {
            routes.push((default_route, random_value(random, value_kind)));
        }
    }
    while routes.len() < count {
        let earlier = match routes.len() {
            0 => None,
            len => Some(routes[random.below(len as u64) as usize].0),
        };
        let prefix = match (random.below(16), earlier) {
            (0..=7, Some(earlier)) => longer(random, earlier),
            (8..=9, Some(earlier)) => sibling(earlier),
            (10, Some(earlier)) => earlier,
            (11, Some(earlier)) => {
                let last = earlier.last_address();
                let length = if last.is_ipv4() { 32 } else { 128 };
                AddressPrefix::new(last, length - random.below(3) as u8).expect("a host or so")
            }
            _ => {
                let block = BLOCKS[random.below(BLOCKS.len() as u64) as usize];
                longer(random, block.parse().expect(block))
            }
        };
        routes.push((prefix, random_value(random, value_kind)));
    }
    routes
}

/// Few values merge often, many never; the greatest one and its neighbours are cases of their own.
fn random_value(random: &mut SplitMix64, kind: u64) -> u16 {
    match kind {
        0 => 1 + random.below(2) as u16,
        1 => 1 + random.below(40) as u16,
        2 => u16::MAX - random.below(3) as u16,
        _ => 1 + random.below(65_535) as u16,
    }
}

/// Returns a prefix inside `outer` (or itself, where no longer length is left).
fn longer(random: &mut SplitMix64, outer: AddressPrefix) -> AddressPrefix {
    let lengths: &[u8] = if outer.is_ipv4() { &LENGTHS_V4 } else { &LENGTHS_V6 };
    let longer_lengths: Vec<u8> =
        lengths.iter().copied().filter(|&length| length > outer.length()).collect();
    if longer_lengths.is_empty() {
        return outer;
    }
    let length = longer_lengths[random.below(longer_lengths.len() as u64) as usize];
    AddressPrefix::new(random_inside(random, outer), length).expect("the family's length")
}

/// Returns the other half of the prefix one bit shorter.
fn sibling(prefix: AddressPrefix) -> AddressPrefix {
    let length = prefix.length();
    let address = match prefix.address() {
        _ if length == 0 => return prefix,
        IpAddr::V4(address) => Ipv4Addr::from(address.to_bits() ^ (1 << (32 - length))).into(),
        IpAddr::V6(address) => Ipv6Addr::from(address.to_bits() ^ (1 << (128 - length))).into(),
    };
    AddressPrefix::new(address, length).expect("the same length")
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

/// Returns the first and the last address, and those just outside; at the ends of the address
/// space these wrap around.
fn edges(prefix: AddressPrefix) -> [IpAddr; 4] {
    let (first, last) = (prefix.address(), prefix.last_address());
    [moved(first, -1), first, last, moved(last, 1)]
}

fn moved(address: IpAddr, by: i8) -> IpAddr {
    match address {
        IpAddr::V4(address) => {
            Ipv4Addr::from(address.to_bits().wrapping_add_signed(by.into())).into()
        }
        IpAddr::V6(address) => {
            Ipv6Addr::from(address.to_bits().wrapping_add_signed(by.into())).into()
        }
    }
}

fn random_inside(random: &mut SplitMix64, prefix: AddressPrefix) -> IpAddr {
    match (prefix.address(), prefix.last_address()) {
        (IpAddr::V4(first), IpAddr::V4(last)) => {
            let host_mask = first.to_bits() ^ last.to_bits();
            Ipv4Addr::from(first.to_bits() | (random.next() as u32 & host_mask)).into()
        }
        (IpAddr::V6(first), IpAddr::V6(last)) => {
            let host_mask = first.to_bits() ^ last.to_bits();
            let bits = u128::from(random.next()) << 64 | u128::from(random.next());
            Ipv6Addr::from(first.to_bits() | (bits & host_mask)).into()
        }
        _ => unreachable!("both ends of a prefix are of one family"),
    }
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

/// Source: G. Steele, D. Lea, C. Flood, "Fast Splittable Pseudorandom Number Generators",
/// OOPSLA 2014, figure 17.
struct SplitMix64(u64);

impl SplitMix64 {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        z ^ (z >> 31)
    }

    /// Returns a number below `limit`; the small bias does not matter here.
    fn below(&mut self, limit: u64) -> u64 {
        self.next() % limit
    }
}
