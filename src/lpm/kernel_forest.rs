//! Batches of lookups in a forest, level by level.
//!
//! Each address has its own table, and so its own root: nothing but what tables share is in a near
//! cache. So all addresses of a burst take a step before any takes the next, and each step asks for
//! what the next one reads. Within a step, chunks of eight are worked on side by side.

#![expect(unsafe_code, reason = "reads without bounds checks, 32 keys at once")]

use std::hint::select_unpredictable;

use super::kernel::{Isa, at};
use crate::memory::{HugeSlice, prefetch};

/// How many bits each level takes; together they are the first [`TARGET_OFFSET`].
pub(super) const STRIDES: [u32; 4] = [6, 5, 5, 4];

/// The bits of an address that lead to a target.
pub(super) const TARGET_OFFSET: u32 = 20;

/// Where an address goes in the next level: to one of the entries of a node, or to the one entry
/// that is kept there for a target that is known already.
///
/// ```text
///   bit 31              5 4     0
///      │ first index     │ shift │      index: first + (next bits of the address >> shift)
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) struct Entry(u32);

/// What the first 20 bits of an address lead to.
///
/// ```text
///   bit 31   30 29                  0
///      │  kind  │ value or index    │
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) struct Target(u32);

/// Up to 32 ranges that the last sixteen bits of an address tell apart: two cache lines.
///
/// The first begins where the block does, and its key is not read. Where there are fewer, the last
/// is repeated. Keys have their upper bit turned over, since vectors of numbers are compared as
/// signed ones.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[repr(C, align(64))]
pub(super) struct Line {
    keys: [i16; Self::LENGTH],
    values: [u16; Self::LENGTH],
}

const _: () = assert!(size_of::<Line>() == 128 && std::mem::offset_of!(Line, values) == 64);

/// The four bits' blocks below a target that no line can hold.
pub(super) type DeepNode = [Target; 16];

/// A forest's arrays, checked: every entry and every target leads inside.
pub(super) struct ForestTables {
    /// The number of each table's root.
    roots: HugeSlice<u32>,
    /// All entries of a level, in nodes of 2^stride; those of a root are of the first level.
    levels: [HugeSlice<Entry>; 3],
    /// All entries of the last level.
    targets: HugeSlice<Target>,
    lines: HugeSlice<Line>,
    deep_nodes: HugeSlice<DeepNode>,
}

#[cfg(target_arch = "x86_64")]
const BURST: usize = 128;

impl Entry {
    const SHIFT_ALL: u32 = 31;

    /// Leads to the node whose entries begin at `first`.
    pub(super) fn node(first: usize) -> Self {
        Self::new(first, 0)
    }

    /// Leads to one entry.
    pub(super) fn single(index: usize) -> Self {
        Self::new(index, Self::SHIFT_ALL)
    }

    fn new(first: usize, shift: u32) -> Self {
        assert!(first < 1 << 27, "512 MiB of a level were made before");
        Self((first as u32) << 5 | shift)
    }

    /// Returns the index in the next level, where `bits` come next.
    #[inline(always)]
    fn index(self, bits: u32) -> u32 {
        (self.0 >> 5) + (bits >> (self.0 & 31))
    }
}

impl Target {
    const INDEX_MASK: u32 = (1 << 30) - 1;
    const LINE: u32 = 1 << 30;
    const DEEP: u32 = 2 << 30;

    pub(super) fn value(value: u16) -> Self {
        Self(value.into())
    }

    pub(super) fn line(index: usize) -> Self {
        Self::indexed(Self::LINE, index)
    }

    pub(super) fn deep_node(index: usize) -> Self {
        Self::indexed(Self::DEEP, index)
    }

    fn indexed(kind: u32, index: usize) -> Self {
        assert!(index <= Self::INDEX_MASK as usize, "64 GiB of nodes were made before");
        Self(kind | index as u32)
    }

    #[inline(always)]
    fn index(self) -> usize {
        (self.0 & Self::INDEX_MASK) as usize
    }

    #[inline(always)]
    fn is(self, kind: u32) -> bool {
        self.0 & !Self::INDEX_MASK == kind
    }
}

impl Line {
    /// The most ranges.
    pub(super) const LENGTH: usize = 32;

    /// Makes a line of ranges: where each begins, and its value.
    pub(super) fn new(ranges: &[(u16, u16)]) -> Self {
        assert!((1..=Self::LENGTH).contains(&ranges.len()));
        let range = |index: usize| ranges[index.min(ranges.len() - 1)];
        Self {
            keys: std::array::from_fn(|index| key(range(index).0)),
            values: std::array::from_fn(|index| range(index).1),
        }
    }

    fn lookup(&self, low_bits: u16) -> u16 {
        let low_bits = key(low_bits);
        let rank = self.keys[1..].iter().filter(|&&first| first <= low_bits).count();
        self.values[rank]
    }
}

#[inline(always)]
fn key(low_bits: u16) -> i16 {
    (low_bits ^ 1 << 15) as i16
}

/// Returns the bits of an address that level `level` takes.
#[inline(always)]
fn bits_of_level(address: u32, level: usize) -> u32 {
    const OFFSETS: [u32; 4] = [0, STRIDES[0], STRIDES[0] + STRIDES[1], TARGET_OFFSET - STRIDES[3]];
    address << OFFSETS[level] >> (32 - STRIDES[level])
}

impl ForestTables {
    /// Takes the arrays.
    ///
    /// # Panics
    ///
    /// Panics if an entry or a target leads outside, or a deep node to one that does not come
    /// before it: where all lead back, a path ends.
    pub(super) fn new(
        roots: &[u32],
        levels: [&[Entry]; 3],
        targets: &[Target],
        lines: &[Line],
        deep_nodes: &[DeepNode],
    ) -> Self {
        let root_count = levels[0].len() >> STRIDES[0];
        assert!(roots.iter().all(|&root| (root as usize) < root_count));
        let lengths_below = [levels[1].len(), levels[2].len(), targets.len()];
        for (level, entries) in levels.iter().enumerate() {
            let bits_max = (1 << STRIDES[level + 1]) - 1;
            let length_below = lengths_below[level];
            assert!(entries.iter().all(|entry| (entry.index(bits_max) as usize) < length_below));
        }
        let leads_inside = |target: &Target, deep_count| match target.0 & !Target::INDEX_MASK {
            0 => true,
            Target::LINE => target.index() < lines.len(),
            Target::DEEP => target.index() < deep_count,
            _ => false,
        };
        assert!(targets.iter().all(|target| leads_inside(target, deep_nodes.len())));
        let mut deep = deep_nodes.iter().enumerate();
        assert!(deep.all(|(index, node)| node.iter().all(|target| leads_inside(target, index))));
        assert!(!lines.is_empty(), "the kernel reads a line for addresses that need none");
        Self {
            roots: HugeSlice::new(roots),
            levels: levels.map(HugeSlice::new),
            targets: HugeSlice::new(targets),
            lines: HugeSlice::new(lines),
            deep_nodes: HugeSlice::new(deep_nodes),
        }
    }

    pub(super) fn table_count(&self) -> usize {
        self.roots.len()
    }

    /// Returns the value of an address in a table.
    ///
    /// # Panics
    ///
    /// Panics if there is no such table.
    pub(super) fn lookup(&self, table: u32, address: u32) -> u16 {
        let mut index = self.root_index(self.roots[table as usize], address);
        for (level, entries) in self.levels.iter().enumerate() {
            index = entries[index as usize].index(bits_of_level(address, level + 1));
        }
        self.finish(self.targets[index as usize], address)
    }

    fn finish(&self, mut target: Target, address: u32) -> u16 {
        let mut offset = TARGET_OFFSET;
        while target.is(Target::DEEP) {
            target = self.deep_nodes[target.index()][(address << offset >> 28) as usize];
            offset += 4;
        }
        match target.is(Target::LINE) {
            true => self.lines[target.index()].lookup(address as u16),
            false => target.0 as u16,
        }
    }

    #[inline(always)]
    fn root_index(&self, root: u32, address: u32) -> u32 {
        (root << STRIDES[0]) + bits_of_level(address, 0)
    }

    pub(super) fn lookup_batch(
        &self,
        isa: Isa,
        tables: &[u32],
        addresses: &[u32],
        values: &mut [u16],
    ) {
        assert!(tables.iter().all(|&table| (table as usize) < self.roots.len()), "no such table");
        #[cfg(target_arch = "x86_64")]
        if isa.has_avx2() {
            let bursts = tables.chunks(BURST).zip(addresses.chunks(BURST));
            for ((tables, addresses), values) in bursts.zip(values.chunks_mut(BURST)) {
                // SAFETY: the machine has what the kernel is compiled for, and the tables were
                // checked.
                unsafe { self.lookup_burst_avx2(tables, addresses, values) };
            }
            return;
        }
        let _ = isa;
        for ((value, &table), &address) in values.iter_mut().zip(tables).zip(addresses) {
            *value = self.lookup(table, address);
        }
    }

    pub(super) fn heap_bytes(&self) -> usize {
        size_of_val(&*self.roots)
            + self.levels.iter().map(|entries| size_of_val(&**entries)).sum::<usize>()
            + size_of_val(&*self.targets)
            + size_of_val(&*self.lines)
            + size_of_val(&*self.deep_nodes)
    }

    /// # Safety
    ///
    /// Every table is there.
    #[cfg(target_arch = "x86_64")]
    #[target_feature(enable = "avx2,bmi1,bmi2,popcnt")]
    unsafe fn lookup_burst_avx2(&self, tables: &[u32], addresses: &[u32], values: &mut [u16]) {
        const CHUNK: usize = 8;
        let count = addresses.len();
        // Places behind the last address are looked up too, as address 0 in the first one's table.
        let mut own_addresses = [0; BURST];
        own_addresses[..count].copy_from_slice(addresses);
        let (addresses, _) = own_addresses.as_chunks::<CHUNK>();
        let chunk_count = count.div_ceil(CHUNK);

        let mut indices = [[0u32; CHUNK]; BURST / CHUNK];
        for (place, index) in
            indices.as_flattened_mut()[..chunk_count * CHUNK].iter_mut().enumerate()
        {
            // SAFETY: the caller's promise; a burst has a first table.
            *index = unsafe {
                at(&self.roots, at(tables, if place < count { place } else { 0 }) as usize)
            };
        }
        for (indices, addresses) in indices[..chunk_count].iter_mut().zip(addresses) {
            *indices = std::array::from_fn(|i| self.root_index(indices[i], addresses[i]));
            indices.iter().for_each(|&index| prefetch(&self.levels[0], index as usize));
        }
        self.step::<0, CHUNK>(&mut indices[..chunk_count], addresses, &self.levels[1]);
        self.step::<1, CHUNK>(&mut indices[..chunk_count], addresses, &self.levels[2]);
        self.step::<2, CHUNK>(&mut indices[..chunk_count], addresses, &self.targets);

        let mut targets = [Target(0); BURST];
        let mut deep_count = 0;
        for (target, &index) in targets.iter_mut().zip(indices[..chunk_count].as_flattened()) {
            // SAFETY: the last step left an index of a target.
            *target = unsafe { at(&self.targets, index as usize) };
            // Both cache lines of it; for what is no line's index, nothing or something useless.
            prefetch(self.lines_in_halves(), 2 * target.index());
            prefetch(self.lines_in_halves(), 2 * target.index() + 1);
            deep_count += usize::from(target.is(Target::DEEP));
        }
        for ((value, target), &address) in
            values.iter_mut().zip(&targets).zip(addresses.as_flattened())
        {
            let is_line = target.is(Target::LINE);
            let index = select_unpredictable(is_line, target.index(), 0);
            // SAFETY: a line's index leads inside, and there is a line 0. A rank is at most 31.
            let in_line = unsafe {
                let line = self.lines.get_unchecked(index);
                *line.values.get_unchecked(rank(line, key(address as u16)))
            };
            *value = select_unpredictable(is_line, in_line, target.0 as u16);
        }
        if deep_count > 0 {
            self.finish_deep(&targets, addresses.as_flattened(), values);
        }
    }

    /// Returns the lines, two cache lines each.
    #[cfg(target_arch = "x86_64")]
    #[inline(always)]
    fn lines_in_halves(&self) -> &[[u16; Line::LENGTH]] {
        // SAFETY: a line is two arrays of as many numbers of 16 bits, and nothing else.
        unsafe { std::slice::from_raw_parts(self.lines.as_ptr().cast(), 2 * self.lines.len()) }
    }

    /// Takes all addresses from `LEVEL` to the one below, whose entries are `below`.
    #[cfg(target_arch = "x86_64")]
    #[inline(always)]
    fn step<const LEVEL: usize, const CHUNK: usize>(
        &self,
        indices: &mut [[u32; CHUNK]],
        addresses: &[[u32; CHUNK]],
        below: &[impl Sized],
    ) {
        for (indices, addresses) in indices.iter_mut().zip(addresses) {
            // SAFETY: a root's index is of the first level, and the step before left one of this:
            // `new` checked that.
            let entries = indices.map(|index| unsafe { at(&self.levels[LEVEL], index as usize) });
            *indices =
                std::array::from_fn(|i| entries[i].index(bits_of_level(addresses[i], LEVEL + 1)));
            indices.iter().for_each(|&index| prefetch(below, index as usize));
        }
    }

    /// Finishes the few addresses that no line is for.
    #[cfg(target_arch = "x86_64")]
    #[cold]
    fn finish_deep(&self, targets: &[Target; BURST], addresses: &[u32], values: &mut [u16]) {
        for ((value, &target), &address) in values.iter_mut().zip(targets).zip(addresses) {
            if target.is(Target::DEEP) {
                *value = self.finish(target, address);
            }
        }
    }
}

/// Counts the keys behind the first that are not above `key`: from 0 to 31.
#[cfg(target_arch = "x86_64")]
#[target_feature(enable = "avx2,bmi1,bmi2,popcnt")]
#[inline]
fn rank(line: &Line, key: i16) -> usize {
    use std::arch::x86_64::*;
    let key = _mm256_set1_epi16(key);
    let above = |half: usize| {
        // SAFETY: a line begins with 64 bytes of keys, and is aligned to as many.
        let keys = unsafe { _mm256_load_si256(line.keys.as_ptr().cast::<__m256i>().add(half)) };
        _mm256_cmpgt_epi16(keys, key)
    };
    // One bit for each key; the first key's stays the first.
    let above = _mm256_movemask_epi8(_mm256_packs_epi16(above(0), above(1))) as u32;
    31 - (above & !1).count_ones() as usize
}
