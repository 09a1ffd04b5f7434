//! The façade: one table for both families, whichever engine is behind it.

use std::fmt;
use std::net::IpAddr;

use super::dir24_8;
use super::engine::{Engine, LpmKind};
use super::error::CompileError;
use super::naive::NaiveTable;
use super::poptrie::Poptrie;
use super::ranges::flatten;
use crate::net::AddressPrefix;

/// A prefix and what to answer for it: the caller's number, from 1 to 65,535.
pub type Route = (AddressPrefix, u16);

/// From so many IPv4 routes on, [`LpmTable::compile`] takes DIR-24-8.
const DIR24_8_ROUTE_COUNT_MIN: usize = 1 << 16;

/// Longest-prefix match over both families: address → number, 0 where no prefix holds it.
///
/// Immutable: another set of routes is another table.
///
/// # Examples
///
/// ```
/// use nexthop::lpm::LpmTable;
///
/// let table = LpmTable::compile(&[
///     ("0.0.0.0/0".parse()?, 1),
///     ("10.0.0.0/8".parse()?, 2),
///     ("fd00::/8".parse()?, 3),
/// ])?;
/// assert_eq!(table.lookup("10.1.2.3".parse()?), 2);
/// assert_eq!(table.lookup("192.0.2.1".parse()?), 1);
/// assert_eq!(table.lookup("2001:db8::1".parse()?), 0);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub struct LpmTable {
    v4: Box<dyn Engine<u32>>,
    v6: Box<dyn Engine<u128>>,
}

impl LpmTable {
    /// Compiles the routes with the engine that fits their number.
    ///
    /// A poptrie, of a size in proportion to the routes; from 65,536 IPv4 routes on DIR-24-8,
    /// whose 32 MiB then buy lookups of one or two loads (a poptrie still, if DIR-24-8 cannot
    /// number the routes). The IPv6 side is always a poptrie.
    ///
    /// Where one prefix occurs twice, the last one wins.
    ///
    /// Cost: O(n log n) time for `n` routes.
    ///
    /// # Errors
    ///
    /// [`CompileError::ZeroValue`] for a route with the value 0; [`CompileError::TooLarge`] when
    /// the routes need more than an engine can number.
    pub fn compile(routes: &[Route]) -> Result<Self, CompileError> {
        let v4_route_count = routes.iter().filter(|(prefix, _)| prefix.is_ipv4()).count();
        if v4_route_count < DIR24_8_ROUTE_COUNT_MIN {
            return Self::compile_as(LpmKind::Poptrie, routes);
        }
        match Self::compile_as(LpmKind::Dir24_8, routes) {
            Err(CompileError::TooLarge { kind: LpmKind::Dir24_8, .. }) => {
                Self::compile_as(LpmKind::Poptrie, routes)
            }
            result => result,
        }
    }

    /// Compiles the routes with the engine `kind`, whatever their number.
    ///
    /// DIR-24-8 is for IPv4: the IPv6 side of such a table is a poptrie.
    ///
    /// # Errors
    ///
    /// As [`LpmTable::compile`].
    ///
    /// # Examples
    ///
    /// ```
    /// use nexthop::lpm::{CompileError, LpmKind, LpmTable};
    ///
    /// let everything = "0.0.0.0/0".parse()?;
    /// for kind in LpmKind::ALL {
    ///     let table = LpmTable::compile_as(kind, &[(everything, 65_535)])?;
    ///     assert_eq!(table.kind(), kind);
    ///     assert_eq!(table.lookup_v4(0x0A00_0001), 65_535);
    ///
    ///     let refused = LpmTable::compile_as(kind, &[(everything, 0)]);
    ///     assert_eq!(refused.unwrap_err(), CompileError::ZeroValue { prefix: everything });
    /// }
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn compile_as(kind: LpmKind, routes: &[Route]) -> Result<Self, CompileError> {
        if let Some(&(prefix, _)) = routes.iter().find(|(_, value)| *value == 0) {
            return Err(CompileError::ZeroValue { prefix });
        }
        Ok(Self { v4: compile_v4(kind, routes)?, v6: compile_v6(kind, routes)? })
    }

    /// Returns the engine of the IPv4 side.
    pub fn kind(&self) -> LpmKind {
        self.v4.kind()
    }

    /// Returns the value of the longest prefix that holds `address`, or 0.
    pub fn lookup(&self, address: IpAddr) -> u16 {
        match address {
            IpAddr::V4(address) => self.lookup_v4(address.to_bits()),
            IpAddr::V6(address) => self.lookup_v6(address.to_bits()),
        }
    }

    /// Returns the value of the longest prefix that holds the IPv4 `address` (host order), or 0.
    pub fn lookup_v4(&self, address: u32) -> u16 {
        self.v4.lookup(address)
    }

    /// Returns the value of the longest prefix that holds the IPv6 `address` (host order), or 0.
    pub fn lookup_v6(&self, address: u128) -> u16 {
        self.v6.lookup(address)
    }

    /// Looks up each of `addresses` (IPv4, host order) into the same place of `values`.
    ///
    /// Cheaper than as many single lookups: bursts of a few hundred are best.
    ///
    /// # Panics
    ///
    /// Panics unless `values.len() == addresses.len()`.
    ///
    /// # Examples
    ///
    /// ```
    /// use nexthop::lpm::LpmTable;
    ///
    /// let table = LpmTable::compile(&[("10.0.0.0/8".parse()?, 2)])?;
    /// let mut values = [9; 2];
    /// table.lookup_v4_batch(&[0x0A00_0001, 0x0B00_0001], &mut values);
    /// assert_eq!(values, [2, 0]);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn lookup_v4_batch(&self, addresses: &[u32], values: &mut [u16]) {
        assert_eq!(addresses.len(), values.len(), "one value for each address");
        self.v4.lookup_batch(addresses, values);
    }

    /// Looks up each of `addresses` (IPv6, host order) into the same place of `values`.
    ///
    /// # Panics
    ///
    /// Panics unless `values.len() == addresses.len()`.
    pub fn lookup_v6_batch(&self, addresses: &[u128], values: &mut [u16]) {
        assert_eq!(addresses.len(), values.len(), "one value for each address");
        self.v6.lookup_batch(addresses, values);
    }

    /// Returns the bytes that the table holds.
    ///
    /// DIR-24-8 counts all of its TBL24, though the system backs only the pages that hold routes.
    pub fn memory_bytes(&self) -> usize {
        size_of::<Self>() + self.v4.memory_bytes() + self.v6.memory_bytes()
    }
}

impl fmt::Debug for LpmTable {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("LpmTable")
            .field("kind", &self.kind())
            .field("memory_bytes", &self.memory_bytes())
            .finish()
    }
}

fn compile_v4(kind: LpmKind, routes: &[Route]) -> Result<Box<dyn Engine<u32>>, CompileError> {
    match kind {
        LpmKind::Naive => Ok(Box::new(naive_of_family(routes, true))),
        LpmKind::Poptrie => Ok(Box::new(Poptrie::compile(&flatten(routes, 0))?)),
        LpmKind::Dir24_8 => dir24_8::compile(&flatten(routes, 0)),
    }
}

fn compile_v6(kind: LpmKind, routes: &[Route]) -> Result<Box<dyn Engine<u128>>, CompileError> {
    match kind {
        LpmKind::Naive => Ok(Box::new(naive_of_family(routes, false))),
        LpmKind::Poptrie | LpmKind::Dir24_8 => Ok(Box::new(Poptrie::compile(&flatten(routes, 0))?)),
    }
}

fn naive_of_family(routes: &[Route], is_ipv4: bool) -> NaiveTable<u16> {
    let routes: Vec<_> =
        routes.iter().copied().filter(|(prefix, _)| prefix.is_ipv4() == is_ipv4).collect();
    NaiveTable::compile(&routes)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn host_routes(count: u32) -> Vec<Route> {
        (0..count)
            .map(|index| {
                let address = std::net::Ipv4Addr::from_bits(index << 8);
                (AddressPrefix::new(address.into(), 24).unwrap(), (index % 100) as u16 + 1)
            })
            .collect()
    }

    #[test]
    fn the_engine_is_chosen_by_the_number_of_ipv4_routes() {
        for (count, kind) in
            [(0, LpmKind::Poptrie), (65_535, LpmKind::Poptrie), (65_536, LpmKind::Dir24_8)]
        {
            let mut routes = host_routes(count);
            routes.push((AddressPrefix::IPV6_ALL, 1));
            assert_eq!(LpmTable::compile(&routes).unwrap().kind(), kind, "{count}");
        }
    }

    #[test]
    fn small_tables_cost_little() {
        let bytes = |count| LpmTable::compile(&host_routes(count)).unwrap().memory_bytes();
        assert!(bytes(0) < 512, "{}", bytes(0));
        assert!(bytes(300) < 16 << 10, "{}", bytes(300));
    }

    #[test]
    #[should_panic(expected = "one value for each address")]
    fn a_batch_of_unequal_lengths_is_a_mistake() {
        LpmTable::compile(&[]).unwrap().lookup_v4_batch(&[1, 2], &mut [0]);
    }

    #[test]
    #[should_panic(expected = "one value for each address")]
    fn a_batch_of_unequal_lengths_is_a_mistake_in_ipv6_too() {
        LpmTable::compile(&[]).unwrap().lookup_v6_batch(&[1], &mut [0, 0]);
    }

    #[test]
    fn the_families_are_apart() {
        for kind in LpmKind::ALL {
            let table = LpmTable::compile_as(
                kind,
                &[(AddressPrefix::IPV4_ALL, 1), ("fd00::/8".parse().unwrap(), 2)],
            )
            .unwrap();
            for (address, want) in
                [("10.0.0.1", 1), ("::ffff:10.0.0.1", 0), ("::10.0.0.1", 0), ("fd00::1", 2)]
            {
                assert_eq!(table.lookup(address.parse().unwrap()), want, "{kind} {address}");
            }
        }
    }
}
