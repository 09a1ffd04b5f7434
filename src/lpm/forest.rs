//! Many tables in one: what they have in common is stored once.
//!
//! The subnets of a network have hundreds of routes each, and nearly all of them are the same:
//! those that come over the hub. A table of its own for each would repeat them thousands of times.
//! Here each table is a tree of small blocks, and equal blocks are one block, wherever they are:
//!
//! ```text
//!   table 7 ─▶ root ─┬─▶ 0.0.0.0/4   ◀─┬─ root ◀─ table 8
//!                    ├─▶ 16.0.0.0/4  ◀─┤
//!                    └─▶ its own       └─▶ its own
//! ```
//!
//! Six bits, then five, five and four: what a route of its own costs a table is one node a level.
//! Below 16 bits, a block is a line of the ranges in it as soon as they fit, so that a few routes do
//! not cost a path of nodes each.
//!
//! Wider first levels make fewer steps, but each table that differs anywhere has its own: with 8
//! bits in the first, 10,000 tables take 21 MB.

use std::collections::hash_map::Entry;
use std::fmt;
use std::hash::Hash;
use std::net::IpAddr;

use ahash::AHashMap;

use super::blocks::Block;
use super::engine::Engine;
use super::error::CompileError;
use super::kernel::Isa;
use super::kernel_forest::{
    DeepNode, Entry as LevelEntry, ForestTables, Line, STRIDES, TARGET_OFFSET, Target,
};
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
/// Cost: O(n log n) time for `n` routes of a table. Memory is for what is different: about 2 KiB for
/// a subnet's table of 300 routes, 8 bytes for one equal to another. IPv6 sides are stored once
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
    blocks: Blocks,
    roots: Vec<u32>,
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
        let number = u32::try_from(self.roots.len()).expect("there are fewer than 2^32 tables");
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
        self.roots.push(self.blocks.root(&flatten(routes, 0)));
        Ok(number)
    }

    /// Lays the tables out.
    ///
    /// # Panics
    ///
    /// Panics where a level has more than 2^27 entries, 512 MiB.
    pub fn finish(self) -> LpmForest {
        let mut distinct: Vec<_> = self.roots.iter().zip(&self.v6_of_table).collect();
        distinct.sort_unstable();
        distinct.dedup();
        let distinct_table_count = distinct.len();
        LpmForest {
            v4: self.blocks.into_tables(&self.roots),
            v6: self.v6,
            v6_of_table: self.v6_of_table,
            distinct_table_count,
        }
    }
}

impl fmt::Debug for LpmForestBuilder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("LpmForestBuilder").field("table_count", &self.roots.len()).finish()
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

/// Below so many bits, lines can tell ranges apart: they compare the last sixteen.
const LINE_OFFSET: u32 = 16;

/// All different blocks so far, each once.
#[derive(Default)]
struct Blocks {
    roots: Interned<[Lead; 1 << STRIDES[0]]>,
    second: Interned<[Lead; 1 << STRIDES[1]]>,
    third: Interned<[Lead; 1 << STRIDES[2]]>,
    last: Interned<[Target; 1 << STRIDES[3]]>,
    lines: Interned<Line>,
    deep_nodes: Interned<DeepNode>,
    value_max: u16,
}

/// Where a block leads, while the lengths of the levels are not known.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
enum Lead {
    Value(u16),
    /// A line at the end of the third level.
    Line(u32),
    /// The number of a node of the level below.
    Node(u32),
}

/// Different items, with their numbers.
struct Interned<T> {
    items: Vec<T>,
    indices: AHashMap<T, u32>,
}

impl<T> Default for Interned<T> {
    fn default() -> Self {
        Self { items: Vec::new(), indices: AHashMap::new() }
    }
}

impl<T: Copy + Eq + Hash> Interned<T> {
    fn index(&mut self, item: T) -> u32 {
        let next = u32::try_from(self.items.len()).expect("memory ends before");
        let index = *self.indices.entry(item).or_insert(next);
        if index == next {
            self.items.push(item);
        }
        index
    }
}

type RangeBlock<'a> = Block<'a, u32, u16>;

impl Blocks {
    /// Returns the number of a whole table's root.
    fn root(&mut self, ranges: &[Range<u32, u16>]) -> u32 {
        let values = ranges.iter().map(|range| range.value);
        self.value_max = values.fold(self.value_max, u16::max);
        let root = self.node(&Block::all(ranges), 0, STRIDES[0], Self::second);
        self.roots.index(root)
    }

    fn second(&mut self, block: &RangeBlock<'_>) -> Lead {
        let node = self.node(block, STRIDES[0], STRIDES[1], Self::third);
        Lead::Node(self.second.index(node))
    }

    fn third(&mut self, block: &RangeBlock<'_>) -> Lead {
        let offset = STRIDES[0] + STRIDES[1];
        let node = self.node(block, offset, STRIDES[2], |blocks, block| {
            if block.ranges.len() <= Line::LENGTH {
                Lead::Line(blocks.lines.index(line_of(block)))
            } else {
                Lead::Node(blocks.last(block))
            }
        });
        Lead::Node(self.third.index(node))
    }

    /// Makes a node of a level; `below` is for slots of more than one range.
    fn node<const N: usize>(
        &mut self,
        block: &RangeBlock<'_>,
        offset: u32,
        stride: u32,
        below: impl Fn(&mut Self, &RangeBlock<'_>) -> Lead,
    ) -> [Lead; N] {
        let mut leads = [Lead::Value(0); N];
        block.for_each_slot(offset, stride, |slot, block| {
            leads[slot] = match block.ranges {
                [range] => Lead::Value(range.value),
                _ => below(self, &block),
            };
        });
        leads
    }

    fn last(&mut self, block: &RangeBlock<'_>) -> u32 {
        let mut targets = [Target::value(0); 1 << STRIDES[3]];
        block.for_each_slot(LINE_OFFSET, STRIDES[3], |slot, block| {
            targets[slot] = self.target(&block, TARGET_OFFSET);
        });
        self.last.index(targets)
    }

    /// Returns what the addresses of `block`, which share `offset` bits, meet.
    fn target(&mut self, block: &RangeBlock<'_>, offset: u32) -> Target {
        match block.ranges {
            [range] => Target::value(range.value),
            ranges if ranges.len() <= Line::LENGTH => {
                Target::line(self.lines.index(line_of(block)) as usize)
            }
            _ => {
                let mut node = [Target::value(0); 16];
                block.for_each_slot(offset, 4, |slot, block| {
                    node[slot] = self.target(&block, offset + 4);
                });
                Target::deep_node(self.deep_nodes.index(node) as usize)
            }
        }
    }

    /// Lays out the levels: first an entry for each value, for those who have it early, then the
    /// nodes.
    fn into_tables(mut self, roots: &[u32]) -> ForestTables {
        let value_count = usize::from(self.value_max) + 1;
        // There always is a line 0.
        self.lines.index(Line::new(&[(0, 0)]));
        let entries = |leads: &[Lead], stride: u32, nodes_first: usize| -> Vec<LevelEntry> {
            let entry = |lead: &Lead| match *lead {
                Lead::Value(value) => LevelEntry::single(value.into()),
                Lead::Line(index) => LevelEntry::single(value_count + index as usize),
                Lead::Node(index) => LevelEntry::node(nodes_first + ((index as usize) << stride)),
            };
            leads.iter().map(entry).collect()
        };
        let values = || (0..value_count).map(LevelEntry::single);
        let first = entries(self.roots.items.as_flattened(), STRIDES[1], value_count);
        let mut second: Vec<_> = values().collect();
        second.extend(entries(self.second.items.as_flattened(), STRIDES[2], value_count));
        let mut third: Vec<_> = values().collect();
        let nodes_first = value_count + self.lines.items.len();
        third.extend(entries(self.third.items.as_flattened(), STRIDES[3], nodes_first));
        let mut targets: Vec<_> = (0..=self.value_max).map(Target::value).collect();
        targets.extend((0..self.lines.items.len()).map(Target::line));
        targets.extend(self.last.items.as_flattened());
        let (lines, deep_nodes) = (&self.lines.items, &self.deep_nodes.items);
        ForestTables::new(roots, [&first, &second, &third], &targets, lines, deep_nodes)
    }
}

fn line_of(block: &RangeBlock<'_>) -> Line {
    let mut ranges = [(0, 0); Line::LENGTH];
    for (range, of_block) in ranges.iter_mut().zip(block.ranges) {
        // The first may begin before the block; its key is not read, but equal lines must be equal.
        *range = (of_block.first.max(block.first) as u16, of_block.value);
    }
    Line::new(&ranges[..block.ranges.len()])
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
        assert_eq!(bytes(1_001) - bytes(1), 1_000 * 8);
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
