//! The façade: one table for both families, whichever engine is behind it.

use std::fmt;
use std::net::IpAddr;

use super::dir16_8_8::Dir16_8_8;
use super::dir24_8;
use super::engine::{Engine, LpmKind};
use super::error::CompileError;
use super::kernel::Isa;
use super::naive::NaiveTable;
use super::poptrie;
use super::range_tree::RangeTree;
use super::ranges::{Range, flatten};
use crate::net::AddressPrefix;

/// A prefix and what to answer for it: the caller's number, from 1 to 65,535.
pub type Route = (AddressPrefix, u16);

/// Up to so many bytes [`LpmTable::compile`] takes DIR-16-8-8: what lies within them is a near
/// cache's or a little farther, where its three reads cost less than DIR-24-8's one.
const DIR16_8_8_BYTES_MAX: usize = 8 << 20;

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
    /// Compiles the routes with the engines that answer fastest.
    ///
    /// For IPv4 DIR-16-8-8, whose 256 KiB and what the routes need are fast while the caches hold
    /// them; from 8 MiB on DIR-24-8, whose 16 MiB or 32 MiB then buy lookups of one read (a poptrie
    /// still, if DIR-24-8 cannot number the values). For IPv6 a tree of ranges. Where there are many
    /// tables, [`LpmForest`](super::LpmForest) takes a fraction of the memory.
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
        check_values(routes)?;
        let ranges_v4 = flatten(routes, 0);
        let kind = if ranges_v4.len() == 1 {
            LpmKind::Poptrie
        } else if Dir16_8_8::memory_bytes_of(&ranges_v4) <= DIR16_8_8_BYTES_MAX {
            LpmKind::Dir16_8_8
        } else {
            LpmKind::Dir24_8
        };
        let v4 = match compile_v4(kind, routes, &ranges_v4) {
            Err(CompileError::TooLarge { kind: LpmKind::Dir24_8 | LpmKind::Dir16_8_8, .. }) => {
                compile_v4(LpmKind::Poptrie, routes, &ranges_v4)?
            }
            result => result?,
        };
        Ok(Self { v4, v6: compile_v6(LpmKind::RangeTree, routes, &flatten(routes, 0))? })
    }

    /// Compiles the routes with the engine `kind`, whatever their number.
    ///
    /// DIR-24-8 and DIR-16-8-8 are for IPv4, the tree of ranges is for IPv6: the other side of such
    /// a table is a poptrie.
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
    ///     assert!(table.kind() == kind || table.kind_v6() == kind);
    ///     assert_eq!(table.lookup_v4(0x0A00_0001), 65_535);
    ///
    ///     let refused = LpmTable::compile_as(kind, &[(everything, 0)]);
    ///     assert_eq!(refused.unwrap_err(), CompileError::ZeroValue { prefix: everything });
    /// }
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn compile_as(kind: LpmKind, routes: &[Route]) -> Result<Self, CompileError> {
        check_values(routes)?;
        Ok(Self {
            v4: compile_v4(kind, routes, &flatten(routes, 0))?,
            v6: compile_v6(kind, routes, &flatten(routes, 0))?,
        })
    }

    /// Returns the engine of the IPv4 side.
    pub fn kind(&self) -> LpmKind {
        self.v4.kind()
    }

    /// Returns the engine of the IPv6 side.
    pub fn kind_v6(&self) -> LpmKind {
        self.v6.kind()
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
        self.v4.lookup_batch(Isa::best(), addresses, values);
    }

    /// Looks up each of `addresses` (IPv6, host order) into the same place of `values`.
    ///
    /// # Panics
    ///
    /// Panics unless `values.len() == addresses.len()`.
    pub fn lookup_v6_batch(&self, addresses: &[u128], values: &mut [u16]) {
        assert_eq!(addresses.len(), values.len(), "one value for each address");
        self.v6.lookup_batch(Isa::best(), addresses, values);
    }

    /// Returns the bytes that the table holds.
    ///
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

fn compile_v4(
    kind: LpmKind,
    routes: &[Route],
    ranges: &[Range<u32, u16>],
) -> Result<Box<dyn Engine<u32>>, CompileError> {
    match kind {
        LpmKind::Naive => Ok(Box::new(naive_of_family(routes, true))),
        LpmKind::Dir24_8 => dir24_8::compile(ranges),
        LpmKind::Dir16_8_8 => Ok(Box::new(Dir16_8_8::compile(ranges)?)),
        LpmKind::Poptrie | LpmKind::RangeTree => poptrie::compile(ranges),
    }
}

fn compile_v6(
    kind: LpmKind,
    routes: &[Route],
    ranges: &[Range<u128, u16>],
) -> Result<Box<dyn Engine<u128>>, CompileError> {
    match kind {
        LpmKind::Naive => Ok(Box::new(naive_of_family(routes, false))),
        LpmKind::RangeTree => Ok(Box::new(RangeTree::compile(ranges)?)),
        LpmKind::Poptrie | LpmKind::Dir24_8 | LpmKind::Dir16_8_8 => poptrie::compile(ranges),
    }
}

pub(super) fn check_values(routes: &[Route]) -> Result<(), CompileError> {
    match routes.iter().find(|(_, value)| *value == 0) {
        Some(&(prefix, _)) => Err(CompileError::ZeroValue { prefix }),
        None => Ok(()),
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

    /// Routes of /24, one in each /16 as long as there are any.
    fn routes_of_24(count: u32) -> Vec<Route> {
        (0..count)
            .map(|index| {
                let address = std::net::Ipv4Addr::from_bits(index << 16 | 1 << 8);
                (AddressPrefix::new(address.into(), 24).unwrap(), (index % 100) as u16 + 1)
            })
            .collect()
    }

    #[test]
    fn the_engine_is_chosen_by_size() {
        // Groups of 256 entries of 4 bytes: 8,191 /16 fill 8 MiB less the first table.
        for (count, kind) in [
            (0, LpmKind::Poptrie),
            (1, LpmKind::Dir16_8_8),
            (4 << 10, LpmKind::Dir16_8_8),
            (64 << 10, LpmKind::Dir24_8),
        ] {
            let mut routes = routes_of_24(count);
            routes.push((AddressPrefix::IPV6_ALL, 1));
            let table = LpmTable::compile(&routes).unwrap();
            assert_eq!((table.kind(), table.kind_v6()), (kind, LpmKind::RangeTree), "{count}");
            assert!(kind == LpmKind::Dir24_8 || table.memory_bytes() < DIR16_8_8_BYTES_MAX);
        }
    }

    #[test]
    fn small_tables_cost_little() {
        let bytes =
            |kind, count| LpmTable::compile_as(kind, &routes_of_24(count)).unwrap().memory_bytes();
        assert!(bytes(LpmKind::Poptrie, 0) < 512);
        assert!(bytes(LpmKind::Poptrie, 300) < 16 << 10);
        assert!(bytes(LpmKind::Dir16_8_8, 300) < 1 << 20);
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
