//! Longest-prefix match by binary search, for values of 32 bits.

use std::net::IpAddr;

use super::address::Address;
use super::ranges::{Range, flatten};
use crate::net::AddressPrefix;

/// Sorted ranges of addresses with 32-bit values, both families, searched by halving.
///
/// Slower than [`LpmTable`](super::LpmTable), but its values can number every route of a table of
/// a million: it answers *which* route matched. Any value is allowed, 0 too. Where one prefix
/// occurs twice, the last one wins.
///
/// # Examples
///
/// ```
/// use nexthop::lpm::RangeTable;
///
/// let table = RangeTable::compile(&[("10.0.0.0/8".parse()?, 0), ("10.1.0.0/16".parse()?, 70_000)]);
/// assert_eq!(table.lookup("10.1.2.3".parse()?), Some(70_000));
/// assert_eq!(table.lookup("10.2.2.3".parse()?), Some(0));
/// assert_eq!(table.lookup("::1".parse()?), None);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone)]
pub struct RangeTable {
    v4: Family<u32>,
    v6: Family<u128>,
}

/// The ranges of one family, their starts apart from their values: the search reads only starts.
#[derive(Clone)]
struct Family<A> {
    firsts: Box<[A]>,
    values: Box<[Option<u32>]>,
}

impl RangeTable {
    /// Compiles the routes.
    ///
    /// Cost: O(n log n) time for `n` routes; 12 bytes (IPv4) or 24 (IPv6) for each of at most
    /// 2n + 1 ranges.
    pub fn compile(routes: &[(AddressPrefix, u32)]) -> Self {
        let routes: Vec<_> = routes.iter().map(|&(prefix, value)| (prefix, Some(value))).collect();
        Self { v4: Family::new(&flatten(&routes, None)), v6: Family::new(&flatten(&routes, None)) }
    }

    /// Returns the value of the longest prefix that holds `address`.
    ///
    /// Cost: log2 of the number of ranges, in dependent loads.
    pub fn lookup(&self, address: IpAddr) -> Option<u32> {
        match address {
            IpAddr::V4(address) => self.v4.lookup(address.to_bits()),
            IpAddr::V6(address) => self.v6.lookup(address.to_bits()),
        }
    }

    /// Returns the bytes that the table holds.
    pub fn memory_bytes(&self) -> usize {
        size_of::<Self>() + self.v4.heap_bytes() + self.v6.heap_bytes()
    }
}

impl<A: Address> Family<A> {
    fn new(ranges: &[Range<A, Option<u32>>]) -> Self {
        Self {
            firsts: ranges.iter().map(|range| range.first).collect(),
            values: ranges.iter().map(|range| range.value).collect(),
        }
    }

    fn lookup(&self, address: A) -> Option<u32> {
        // The first range begins at address 0, so that at least one begins at or before `address`.
        let behind = self.firsts.partition_point(|&first| first <= address);
        self.values[behind - 1]
    }

    fn heap_bytes(&self) -> usize {
        size_of_val(&*self.firsts) + size_of_val(&*self.values)
    }
}

impl std::fmt::Debug for RangeTable {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("RangeTable")
            .field("v4_range_count", &self.v4.firsts.len())
            .field("v6_range_count", &self.v6.firsts.len())
            .finish()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::lpm::conformance::conformance;
    use crate::lpm::engine::{Engine, LpmKind};

    /// Lets the suite of the engines run over this table too.
    impl<A: Address> Engine<A> for RangeTable {
        fn kind(&self) -> LpmKind {
            LpmKind::Naive
        }

        fn lookup(&self, address: A) -> u16 {
            let value = self.lookup(address.into_ip()).unwrap_or(0);
            u16::try_from(value).expect("the suite's values are of 16 bits")
        }

        fn memory_bytes(&self) -> usize {
            self.memory_bytes()
        }
    }

    fn compile(routes: &[(AddressPrefix, u16)]) -> RangeTable {
        let routes: Vec<_> =
            routes.iter().map(|&(prefix, value)| (prefix, u32::from(value))).collect();
        RangeTable::compile(&routes)
    }

    conformance!(ipv4, u32, |routes| Box::new(compile(routes)));
    conformance!(ipv6, u128, |routes| Box::new(compile(routes)));

    #[test]
    fn every_value_of_32_bits_is_a_value() {
        for value in [0, 65_535, 65_536, u32::MAX] {
            let table = RangeTable::compile(&[(AddressPrefix::IPV6_ALL, value)]);
            assert_eq!(table.lookup("::1".parse().unwrap()), Some(value));
            assert_eq!(table.lookup("0.0.0.1".parse().unwrap()), None);
        }
    }
}
