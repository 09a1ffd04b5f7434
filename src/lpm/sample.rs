//! Tables and streams of addresses to measure with: the same from the same seed, everywhere.
//!
//! Benchmarks, the gate on instruction counts and `nexthop bench` draw from here, so that their
//! numbers are of one kind of work. Nothing here is an expectation about anyone's network: the
//! shapes are those that decide the cost of a lookup (how deep prefixes nest, how many there are,
//! how many tables share them).

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use super::Route;
use super::address::Address;
use crate::net::AddressPrefix;

/// Routes in one table of [`azure_tables`].
pub const AZURE_ROUTE_COUNT: usize = 300;

/// Values run from 1 to this.
const VALUE_MAX: u64 = 120;

/// Of a table's routes, so many come from its hub and are those of its neighbours too.
const HUB_ROUTE_COUNT: usize = 240;

/// Tables that share a hub.
const TABLES_A_HUB: usize = 2_500;

/// A source of numbers that looks random and repeats itself from the same seed.
///
/// Source: G. Steele, D. Lea, C. Flood, "Fast Splittable Pseudorandom Number Generators",
/// OOPSLA 2014, figure 17.
#[derive(Clone, Debug)]
pub struct Random(u64);

impl Random {
    /// Begins a sequence.
    pub fn new(seed: u64) -> Self {
        Self(seed)
    }

    /// Returns the next 64 bits.
    pub fn next_bits(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        z ^ (z >> 31)
    }

    /// Returns a number below `limit`, which is not 0.
    pub fn below(&mut self, limit: u64) -> u64 {
        // The high half of a product: no division, and a bias below limit / 2^64.
        ((u128::from(self.next_bits()) * u128::from(limit)) >> 64) as u64
    }

    fn value(&mut self) -> u16 {
        1 + self.below(VALUE_MAX) as u16
    }

    fn address_in(&mut self, prefix: AddressPrefix) -> IpAddr {
        match (prefix.address(), prefix.last_address()) {
            (IpAddr::V4(first), IpAddr::V4(last)) => {
                let host_bits = first.to_bits() ^ last.to_bits();
                Ipv4Addr::from_bits(first.to_bits() | (self.next_bits() as u32 & host_bits)).into()
            }
            (IpAddr::V6(first), IpAddr::V6(last)) => {
                let host_bits = first.to_bits() ^ last.to_bits();
                let random = u128::from(self.next_bits()) << 64 | u128::from(self.next_bits());
                Ipv6Addr::from_bits(first.to_bits() | (random & host_bits)).into()
            }
            _ => unreachable!("both ends of a prefix are of one family"),
        }
    }

    fn prefix_in(&mut self, block: AddressPrefix, length: u8) -> AddressPrefix {
        AddressPrefix::new(self.address_in(block), length).expect("lengths here fit the family")
    }
}

/// Returns IPv4 tables as a subnet in a hub-and-spoke network has them, [`AZURE_ROUTE_COUNT`]
/// routes each, with values from 1 to 120.
///
/// Most routes come over the hub (on-premises prefixes, peerings, public prefixes of services,
/// private endpoints) and are the same in thousands of tables; the rest are the spoke's own.
///
/// # Examples
///
/// ```
/// use nexthop::lpm::{LpmTable, sample};
///
/// let tables = sample::azure_tables(2, 1);
/// assert_eq!(tables[0].len(), sample::AZURE_ROUTE_COUNT);
/// assert_ne!(tables[0], tables[1]);
/// assert_eq!(sample::azure_tables(2, 1), tables);
/// LpmTable::compile(&tables[0])?;
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub fn azure_tables(table_count: usize, seed: u64) -> Vec<Vec<Route>> {
    let mut random = Random::new(seed);
    let mut hub = Vec::new();
    (0..table_count)
        .map(|index| {
            if index % TABLES_A_HUB == 0 {
                hub = hub_routes(&mut random);
            }
            let mut routes = hub.clone();
            routes.extend(spoke_routes(&mut random, AZURE_ROUTE_COUNT - HUB_ROUTE_COUNT));
            routes
        })
        .collect()
}

fn hub_routes(random: &mut Random) -> Vec<Route> {
    let block = |text: &str| text.parse::<AddressPrefix>().expect("a prefix");
    // What every table in Azure has, then where the routes that others announce lie: how many, in
    // which block, of which lengths.
    let system = ["0.0.0.0/0", "10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16", "100.64.0.0/10"];
    let announced = [
        (80, "10.0.0.0/8", 16..=24),
        (30, "172.16.0.0/12", 20..=27),
        (30, "192.168.0.0/16", 24..=28),
        (55, "0.0.0.0/1", 14..=26),
        (40, "10.0.0.0/14", 32..=32),
    ];
    let mut routes: Vec<Route> = system.iter().map(|text| (block(text), random.value())).collect();
    for (count, text, lengths) in announced {
        for _ in 0..count {
            let length = lengths.start() + random.below(lengths.len() as u64) as u8;
            routes.push((random.prefix_in(block(text), length), random.value()));
        }
    }
    assert_eq!(routes.len(), HUB_ROUTE_COUNT, "the numbers above add up");
    routes
}

/// The spoke's VNet, user-defined routes to its subnets, private endpoints in it.
fn spoke_routes(random: &mut Random, count: usize) -> Vec<Route> {
    let everything = "10.0.0.0/8".parse().expect("a prefix");
    let network = random.prefix_in(everything, 18);
    let mut routes = vec![(network, random.value())];
    routes.extend((1..count).map(|index| {
        let length = if index % 3 == 0 { 32 } else { 24 + (index % 4) as u8 };
        (random.prefix_in(network, length), random.value())
    }));
    routes
}

/// Returns IPv4 routes as the Internet has them: nearly none longer than /24, most of them /24,
/// many inside one another, with values from 1 to 120.
pub fn internet_routes(route_count: usize, seed: u64) -> Vec<Route> {
    let mut random = Random::new(seed);
    let mut block = AddressPrefix::IPV4_ALL;
    (0..route_count)
        .map(|index| {
            // Announcements come in families: a block, then parts of it.
            if index % 16 == 0 {
                let address = Ipv4Addr::from_bits(random.below(0xE000_0000) as u32);
                let length = 11 + random.below(6) as u8;
                block = AddressPrefix::new(address.into(), length).expect("within the family");
                return (block, random.value());
            }
            let length = match random.below(1_000) {
                0 => 25 + random.below(8) as u8,
                1..=600 => 24,
                _ => block.length() + 1 + random.below(u64::from(23 - block.length())) as u8,
            };
            (random.prefix_in(block, length), random.value())
        })
        .collect()
}

/// Returns IPv6 routes, most of /32 to /48 as the Internet has them, one in four of /64 and longer
/// as Azure's service tags have them, with values from 1 to 120.
pub fn internet_routes_v6(route_count: usize, seed: u64) -> Vec<Route> {
    let mut random = Random::new(seed);
    let everything = "2000::/3".parse().expect("a prefix");
    let mut block = AddressPrefix::IPV6_ALL;
    let mut subnet = block;
    (0..route_count)
        .map(|index| {
            if index % 16 == 0 {
                // Registries hand out their /12 from the start: the upper bits are few.
                let top = [0x2001, 0x2400, 0x2600, 0x2800, 0x2a00, 0x2c00]
                    [random.below(6) as usize]
                    + random.below(16) as u16;
                let address = Ipv6Addr::new(top, random.below(1 << 16) as u16, 0, 0, 0, 0, 0, 0);
                block = AddressPrefix::new(address.into(), 32).expect("within the family");
                debug_assert!(AddressPrefix::covers(everything, block));
                subnet = random.prefix_in(block, 64);
                return (block, random.value());
            }
            let (block, length) = match index % 4 {
                0 => (subnet, 117 + random.below(12)),
                _ => (block, 33 + random.below(16)),
            };
            (random.prefix_in(block, length as u8), random.value())
        })
        .collect()
}

/// The streams that lookups are measured on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Stream {
    /// Any address.
    Uniform,
    /// Any address in any prefix: what traffic looks like, with no two destinations alike.
    InTable,
    /// Those again, but a million of them, the k-th seen 1/k as often as the first.
    Zipf,
}

impl Stream {
    /// Every stream.
    pub const ALL: [Self; 3] = [Self::Uniform, Self::InTable, Self::Zipf];

    /// Returns the stream's name in every output.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Uniform => "uniform",
            Self::InTable => "in-table",
            Self::Zipf => "zipf",
        }
    }

    /// Returns IPv4 addresses (host order) as the stream has them for a table.
    ///
    /// # Examples
    ///
    /// ```
    /// use nexthop::lpm::sample::{Stream, internet_routes};
    ///
    /// let routes = internet_routes(1_000, 1);
    /// let addresses = Stream::InTable.addresses_v4(&routes, 100, 2);
    /// let inside = |address: u32| {
    ///     routes.iter().any(|(prefix, _)| prefix.contains(std::net::Ipv4Addr::from(address).into()))
    /// };
    /// assert!(addresses.iter().all(|&address| inside(address)));
    /// ```
    pub fn addresses_v4(self, routes: &[Route], count: usize, seed: u64) -> Vec<u32> {
        self.addresses(AddressPrefix::IPV4_ALL, routes, count, seed)
    }

    /// Returns IPv6 addresses (host order) as the stream has them for a table.
    pub fn addresses_v6(self, routes: &[Route], count: usize, seed: u64) -> Vec<u128> {
        self.addresses(AddressPrefix::IPV6_ALL, routes, count, seed)
    }

    fn addresses<A: Address>(
        self,
        everything: AddressPrefix,
        routes: &[Route],
        count: usize,
        seed: u64,
    ) -> Vec<A> {
        let mut random = Random::new(seed);
        let of_family = |prefix: &AddressPrefix| prefix.is_ipv4() == everything.is_ipv4();
        let mut prefixes: Vec<_> =
            routes.iter().map(|(prefix, _)| *prefix).filter(of_family).collect();
        if self == Self::Uniform || prefixes.is_empty() {
            prefixes = vec![everything];
        }
        let mut draw = || {
            let prefix = prefixes[random.below(prefixes.len() as u64) as usize];
            A::of(random.address_in(prefix)).expect("of the family")
        };
        if self != Self::Zipf {
            return (0..count).map(|_| draw()).collect();
        }
        let destinations: Vec<A> = (0..1_000_000).map(|_| draw()).collect();
        let mut sum = 0.0;
        let cumulative: Vec<f64> = (1..=destinations.len())
            .map(|rank| {
                sum += 1.0 / rank as f64;
                sum
            })
            .collect();
        (0..count)
            .map(|_| {
                let drawn = random.next_bits() as f64 / u64::MAX as f64 * sum;
                let rank = cumulative.partition_point(|&upper| upper < drawn);
                destinations[rank.min(destinations.len() - 1)]
            })
            .collect()
    }
}

/// Adds up answers so that one in the wrong place shows.
///
/// # Examples
///
/// ```
/// use nexthop::lpm::sample::checksum;
///
/// assert_eq!(checksum(&[7, 1]), 1 * 7 + 2 * 1);
/// assert_ne!(checksum(&[7, 1]), checksum(&[1, 7]));
/// ```
pub fn checksum(values: &[u16]) -> u64 {
    (1u64..)
        .zip(values)
        .fold(0, |sum, (place, &value)| sum.wrapping_add(place.wrapping_mul(u64::from(value))))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Source: S. Vigna's `splitmix64.c`, the first outputs for the seed 1234567.
    #[test]
    fn numbers_are_those_of_the_published_generator() {
        let mut random = Random::new(1_234_567);
        let drawn: [u64; 3] = std::array::from_fn(|_| random.next_bits());
        assert_eq!(
            drawn,
            [6_457_827_717_110_365_317, 3_203_168_211_198_807_973, 9_817_491_932_198_370_423]
        );
    }

    #[test]
    fn tables_share_their_hubs_routes_and_have_own_ones_in_their_network() {
        let tables = azure_tables(TABLES_A_HUB + 2, 5);
        let hub = |index: usize| &tables[index][..HUB_ROUTE_COUNT];
        assert!((1..TABLES_A_HUB).all(|index| hub(index) == hub(0)));
        assert_ne!(hub(TABLES_A_HUB), hub(0));
        assert_eq!(hub(TABLES_A_HUB), hub(TABLES_A_HUB + 1));
        for table in &tables {
            let own: Vec<AddressPrefix> =
                table[HUB_ROUTE_COUNT..].iter().map(|route| route.0).collect();
            assert_eq!((own.len(), own[0].length()), (60, 18));
            assert!(own.iter().all(|prefix| own[0].covers(*prefix)));
            let count = |length: u8| own.iter().filter(|own| own.length() == length).count();
            // Of 59, each third is a host; the others are of four lengths.
            assert_eq!([24, 25, 26, 27, 32].map(count), [10, 10, 10, 10, 19]);
        }
    }

    #[test]
    fn families_of_routes_lie_in_their_blocks() {
        let lengths = |routes: &[Route], wanted: fn(u8) -> bool| {
            routes.iter().filter(|(prefix, _)| wanted(prefix.length())).count()
        };
        let routes = internet_routes(16_000, 5);
        for family in routes.chunks(16) {
            let (block, rest) = (family[0].0, &family[1..]);
            assert!((11..=16).contains(&block.length()));
            assert!(rest.iter().all(|(prefix, _)| block.covers(*prefix) && *prefix != block));
        }
        assert!((8_500..9_500).contains(&lengths(&routes, |length| length == 24)));
        assert!((1..50).contains(&lengths(&routes, |length| length > 24)));

        let routes = internet_routes_v6(16_000, 5);
        for family in routes.chunks(16) {
            let (block, rest) = (family[0].0, &family[1..]);
            assert_eq!(block.length(), 32);
            assert!(rest.iter().all(|(prefix, _)| block.covers(*prefix) && *prefix != block));
            assert_eq!(lengths(rest, |length| length >= 117), 3);
            assert_eq!(lengths(rest, |length| (33..=48).contains(&length)), 12);
        }
    }

    #[test]
    fn streams_are_what_they_are_called() {
        let (routes, v6) = (azure_tables(1, 5).remove(0), internet_routes_v6(100, 5));
        let everything = [("0.0.0.0/0".parse().unwrap(), 1)];
        let is_in = |routes: &[Route], address: IpAddr| {
            routes.iter().any(|(prefix, _)| prefix.length() > 0 && prefix.contains(address))
        };
        let count_in = |addresses: &[u32]| {
            let inside =
                addresses.iter().filter(|&&at| is_in(&routes[1..], Ipv4Addr::from(at).into()));
            inside.count()
        };
        let uniform = Stream::Uniform.addresses_v4(&routes, 2_000, 5);
        assert_eq!(uniform, Stream::Uniform.addresses_v4(&everything, 2_000, 5));
        assert!((2..400).contains(&count_in(&uniform)), "{}", count_in(&uniform));
        assert!(count_in(&Stream::InTable.addresses_v4(&routes, 2_000, 5)) > 1_900);
        let in_table = Stream::InTable.addresses_v6(&v6, 2_000, 5);
        assert_eq!(in_table.len(), 2_000);
        assert!(in_table.iter().all(|&at| is_in(&v6, Ipv6Addr::from(at).into())));

        // The harmonic number of a million is 14.39.
        let zipf = Stream::Zipf.addresses_v4(&everything, 14_390, 5);
        let mut counts: std::collections::HashMap<u32, usize> = Default::default();
        zipf.iter().for_each(|&address| *counts.entry(address).or_default() += 1);
        let mut counts: Vec<usize> = counts.into_values().collect();
        counts.sort_unstable_by(|a, b| b.cmp(a));
        for (rank, count) in counts[..3].iter().enumerate() {
            let expected = 1_000 / (rank + 1);
            assert!(count.abs_diff(expected) < 120, "{rank}: {count}, expected {expected}");
        }
    }
}
