//! Many tables in one: what they have in common is stored once.
//!
//! The subnets of a network have hundreds of routes each, and nearly all of them are the same:
//! those that come over the hub. A table of its own for each would repeat them thousands of times.
//! Here tables that are alike share a base, and each adds the one block of addresses in which it
//! differs, which in a network of hubs and spokes is the spoke's own:
//!
//! ```text
//!   table 7 ─┬─▶ base ◀─┬─ table 8        of all addresses
//!            └─▶ own    └─▶ own           of 10.1.64.0/18, of 10.9.0.0/18
//! ```
//!
//! A lookup is in one or the other, with as many steps; `forest_layout.rs` tells which. What is
//! equal in any two bases, or any two blocks, is stored once as well.

use std::collections::hash_map::Entry;
use std::fmt;
use std::net::IpAddr;

use ahash::AHashMap;

use super::engine::Engine;
use super::error::CompileError;
use super::forest_layout::{Bases, TableOfBase};
use super::kernel::Isa;
use super::kernel_forest::ForestTables;
use super::range_tree::RangeTree;
use super::ranges::{Range, flatten};
use super::table::{Route, check_values};

/// Many immutable tables of longest-prefix match, numbered from 0: (table, address) → number, 0
/// where no prefix of the table holds the address.
///
/// # Examples
///
/// ```
/// use nexthop::lpm::LpmForest;
///
/// let hub = ("0.0.0.0/0".parse()?, 1);
/// let spokes = [
///     vec![hub, ("10.1.0.0/16".parse()?, 2)],
///     vec![hub, ("10.2.0.0/16".parse()?, 2)],
///     vec![("10.1.0.0/16".parse()?, 2), hub],
/// ];
/// let forest = LpmForest::compile(spokes.iter().map(Vec::as_slice))?;
/// assert_eq!(forest.lookup(0, "10.1.2.3".parse()?), 2);
/// assert_eq!(forest.lookup(1, "10.1.2.3".parse()?), 1);
/// assert_eq!((forest.table_count(), forest.distinct_table_count()), (3, 2));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub struct LpmForest {
    v4: ForestTables,
    v6: Vec<RangeTree>,
    /// Which of those each table has.
    v6_of_table: Vec<u32>,
    distinct_table_count: usize,
}

impl LpmForest {
    /// Compiles the tables, in the order of their numbers; see [`LpmForestBuilder`].
    ///
    /// # Errors
    ///
    /// As [`LpmForestBuilder::push`].
    ///
    /// # Panics
    ///
    /// As [`LpmForestBuilder::finish`].
    pub fn compile<'r>(
        tables: impl IntoIterator<Item = &'r [Route]>,
    ) -> Result<Self, CompileError> {
        let mut builder = LpmForestBuilder::default();
        for routes in tables {
            builder.push(routes)?;
        }
        Ok(builder.finish())
    }

    /// Returns how many tables there are; their numbers are below it.
    pub fn table_count(&self) -> usize {
        self.v4.table_count()
    }

    /// Returns how many tables differ in any answer.
    pub fn distinct_table_count(&self) -> usize {
        self.distinct_table_count
    }

    /// Returns the value of the longest prefix of a table that holds `address`, or 0.
    ///
    /// # Panics
    ///
    /// Panics if there is no such table.
    pub fn lookup(&self, table: u32, address: IpAddr) -> u16 {
        match address {
            IpAddr::V4(address) => self.lookup_v4(table, address.to_bits()),
            IpAddr::V6(address) => self.lookup_v6(table, address.to_bits()),
        }
    }

    /// Returns the value of the longest prefix of a table that holds the IPv4 `address` (host
    /// order), or 0.
    ///
    /// # Panics
    ///
    /// Panics if there is no such table.
    pub fn lookup_v4(&self, table: u32, address: u32) -> u16 {
        self.v4.lookup(table, address)
    }

    /// Returns the value of the longest prefix of a table that holds the IPv6 `address` (host
    /// order), or 0.
    ///
    /// # Panics
    ///
    /// Panics if there is no such table.
    pub fn lookup_v6(&self, table: u32, address: u128) -> u16 {
        self.v6[self.v6_of_table[table as usize] as usize].lookup(address)
    }

    /// Looks up each of `addresses` (IPv4, host order), in the table at the same place of `tables`,
    /// into the same place of `values`.
    ///
    /// # Panics
    ///
    /// Panics unless all three have the same length and every table is there.
    ///
    /// # Examples
    ///
    /// ```
    /// use nexthop::lpm::LpmForest;
    ///
    /// let tables = [[("10.0.0.0/8".parse()?, 1)], [("10.0.0.0/8".parse()?, 2)]];
    /// let forest = LpmForest::compile(tables.iter().map(|table| &table[..]))?;
    /// let mut values = [9; 3];
    /// forest.lookup_v4_batch(&[1, 0, 1], &[0x0A00_0001, 0x0A00_0001, 0x0B00_0001], &mut values);
    /// assert_eq!(values, [2, 1, 0]);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn lookup_v4_batch(&self, tables: &[u32], addresses: &[u32], values: &mut [u16]) {
        assert_eq!(addresses.len(), tables.len(), "one table for each address");
        assert_eq!(addresses.len(), values.len(), "one value for each address");
        self.v4.lookup_batch(Isa::best(), tables, addresses, values);
    }

    /// Returns the bytes that the tables hold.
    pub fn memory_bytes(&self) -> usize {
        size_of::<Self>()
            + self.v4.heap_bytes()
            + self.v6.iter().map(Engine::memory_bytes).sum::<usize>()
            + size_of_val(self.v6_of_table.as_slice())
    }
}

/// Makes a forest, table by table.
///
/// Cost: O(n log n) time for `n` routes of a table. Memory is for what is different: about 1 KiB for
/// a subnet's table of 300 routes, 20 bytes for one equal to another. IPv6 sides are stored once
/// where they are wholly equal.
///
/// # Examples
///
/// ```
/// use nexthop::lpm::LpmForestBuilder;
///
/// let mut builder = LpmForestBuilder::default();
/// assert_eq!(builder.push(&[("10.0.0.0/8".parse()?, 3)])?, 0);
/// assert_eq!(builder.push(&[])?, 1);
/// let forest = builder.finish();
/// assert_eq!(forest.lookup(0, "10.1.2.3".parse()?), 3);
/// assert_eq!(forest.lookup(1, "10.1.2.3".parse()?), 0);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Default)]
pub struct LpmForestBuilder {
    bases: Bases,
    tables: Vec<TableOfBase>,
    v6: Vec<RangeTree>,
    v6_of_table: Vec<u32>,
    known_v6: AHashMap<Vec<(u128, u16)>, u32>,
}

impl LpmForestBuilder {
    /// Adds a table, and returns its number. Where one prefix occurs twice, the last one wins.
    ///
    /// # Errors
    ///
    /// [`CompileError::ZeroValue`] for a route with the value 0; [`CompileError::TooLarge`] when
    /// the table has more IPv6 routes than an engine can number. The table is not added then.
    ///
    /// # Panics
    ///
    /// Panics where there are 2^32 tables.
    pub fn push(&mut self, routes: &[Route]) -> Result<u32, CompileError> {
        check_values(routes)?;
        let number = u32::try_from(self.tables.len()).expect("there are fewer than 2^32 tables");
        let ranges: Vec<Range<u128, u16>> = flatten(routes, 0);
        let content = ranges.iter().map(|range| (range.first, range.value)).collect();
        let index = match self.known_v6.entry(content) {
            Entry::Occupied(known) => *known.get(),
            Entry::Vacant(new) => {
                self.v6.push(RangeTree::compile(&ranges)?);
                *new.insert(self.v6.len() as u32 - 1)
            }
        };
        self.v6_of_table.push(index);
        self.tables.push(self.bases.add(&flatten(routes, 0)));
        Ok(number)
    }

    /// Lays the tables out.
    ///
    /// # Panics
    ///
    /// Panics where there are more than 2^26 lines, 4 GiB.
    pub fn finish(self) -> LpmForest {
        let mut distinct: Vec<_> = self.tables.iter().zip(&self.v6_of_table).collect();
        distinct.sort_unstable();
        distinct.dedup();
        let distinct_table_count = distinct.len();
        LpmForest {
            v4: self.bases.lay_out(self.tables),
            v6: self.v6,
            v6_of_table: self.v6_of_table,
            distinct_table_count,
        }
    }
}

impl fmt::Debug for LpmForestBuilder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("LpmForestBuilder").field("table_count", &self.tables.len()).finish()
    }
}

impl fmt::Debug for LpmForest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("LpmForest")
            .field("table_count", &self.table_count())
            .field("distinct_table_count", &self.distinct_table_count)
            .field("memory_bytes", &self.memory_bytes())
            .finish()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::lpm::conformance::conformance;
    use crate::lpm::engine::LpmKind;
    use crate::lpm::sample::{self, Random};
    use crate::lpm::{LpmTable, NaiveTable};

    /// Lets the suite of the engines run over a table of a forest, between others.
    struct Second(LpmForest);

    impl Second {
        fn compile(routes: &[Route]) -> Self {
            let other: Route = ("0.0.0.0/0".parse().unwrap(), 77);
            Self(LpmForest::compile([&[][..], routes, &[other]]).unwrap())
        }
    }

    impl Engine<u32> for Second {
        fn kind(&self) -> LpmKind {
            LpmKind::Naive
        }

        fn lookup(&self, address: u32) -> u16 {
            self.0.lookup_v4(1, address)
        }

        fn lookup_batch(&self, isa: Isa, addresses: &[u32], values: &mut [u16]) {
            self.0.v4.lookup_batch(isa, &vec![1; addresses.len()], addresses, values);
        }

        fn memory_bytes(&self) -> usize {
            self.0.memory_bytes()
        }
    }

    impl Engine<u128> for Second {
        fn kind(&self) -> LpmKind {
            LpmKind::Naive
        }

        fn lookup(&self, address: u128) -> u16 {
            self.0.lookup_v6(1, address)
        }

        fn memory_bytes(&self) -> usize {
            self.0.memory_bytes()
        }
    }

    conformance!(ipv4, u32, |routes| Box::new(Second::compile(routes)));
    conformance!(ipv6, u128, |routes| Box::new(Second::compile(routes)));

    #[test]
    fn each_table_has_its_own_answers() {
        let table_count = if cfg!(miri) { 3 } else { 40 };
        let tables = sample::azure_tables(table_count, 9);
        let forest = LpmForest::compile(tables.iter().map(Vec::as_slice)).unwrap();
        let mut random = Random::new(9);
        let (mut numbers, mut addresses, mut want) = (Vec::new(), Vec::new(), Vec::new());
        for _ in 0..4_000 {
            let number = random.below(table_count as u64) as usize;
            // Somewhere in a route of this table or another.
            let routes = &tables[random.below(table_count as u64) as usize];
            let (prefix, _) = routes[random.below(routes.len() as u64) as usize];
            let IpAddr::V4(first) = prefix.address() else { panic!("IPv4 tables") };
            let host_bits = u64::from(u32::MAX).wrapping_shr(u32::from(prefix.length())) as u32;
            addresses.push(first.to_bits() | (random.next_bits() as u32 & host_bits));
            numbers.push(number as u32);
            let naive = NaiveTable::compile(&tables[number]);
            let address = std::net::Ipv4Addr::from_bits(addresses[addresses.len() - 1]);
            want.push(naive.lookup(address.into()).unwrap_or(0));
        }
        let mut values = vec![0xBEEF; want.len()];
        forest.lookup_v4_batch(&numbers, &addresses, &mut values);
        assert_eq!(values, want);
    }

    #[test]
    fn equal_tables_cost_their_number_only() {
        let tables = sample::azure_tables(1, 3);
        let bytes = |count: usize| {
            let same = std::iter::repeat_n(tables[0].as_slice(), count);
            let forest = LpmForest::compile(same).unwrap();
            assert_eq!((forest.table_count(), forest.distinct_table_count()), (count, 1));
            forest.memory_bytes()
        };
        assert_eq!(bytes(1_001) - bytes(1), 1_000 * 20);
    }

    #[test]
    fn similar_tables_cost_their_difference() {
        let tables = sample::azure_tables(100, 3);
        let forest = LpmForest::compile(tables.iter().map(Vec::as_slice)).unwrap();
        assert_eq!(forest.distinct_table_count(), 100);
        let alone: usize = tables
            .iter()
            .map(|routes| LpmTable::compile_as(LpmKind::Poptrie, routes).unwrap().memory_bytes())
            .sum();
        assert!(forest.memory_bytes() < alone / 4, "{} of {alone}", forest.memory_bytes());
    }

    #[test]
    #[should_panic(expected = "no such table")]
    fn a_table_that_is_not_there_is_a_mistake() {
        let forest = LpmForest::compile([&[][..]]).unwrap();
        forest.lookup_v4_batch(&[0, 1], &[0, 0], &mut [0, 0]);
    }

    #[test]
    fn no_tables_are_a_forest_too() {
        let forest = LpmForest::compile([]).unwrap();
        assert_eq!((forest.table_count(), forest.distinct_table_count()), (0, 0));
        forest.lookup_v4_batch(&[], &[], &mut []);
    }
}
