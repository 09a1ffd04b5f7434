#![expect(unsafe_code, reason = "reads without bounds checks, and comparisons of 16 keys at once")]
//! Batches of lookups in a forest, level by level.
//!
//! Each address has its own table, and so its own root: nothing but what tables share is in a near
//! cache. So all addresses of a burst take a step before any takes the next, and each step asks for
//! what the next one reads.

use std::hint::select_unpredictable;

use super::kernel::{Isa, at};
use crate::memory::{HugeSlice, prefetch};

/// What an address meets next.
///
/// ```text
///   bit 31   30 29                  0
///      │  kind  │ value or index    │
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) struct Pointer(u32);

/// Sixteen blocks, by the next four bits: one cache line.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[repr(C, align(64))]
pub(super) struct Node(pub [Pointer; 16]);

/// Up to `N` ranges that the last sixteen bits of an address tell apart.
///
/// The first begins where the block does, and its key is not read. Where there are fewer, the last
/// is repeated. Keys have their upper bit turned over, since vectors of numbers are compared as
/// signed ones.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[repr(C, align(64))]
pub(super) struct Line<const N: usize> {
    keys: [i16; N],
    values: [u16; N],
}

/// The ranges that fill one cache line, and two.
pub(super) type ShortLine = Line<16>;
pub(super) type LongLine = Line<32>;

const _: () = {
    assert!(size_of::<Node>() == 64);
    assert!(size_of::<ShortLine>() == 64 && size_of::<LongLine>() == 128);
};

/// A forest's arrays, checked: every pointer leads inside, and no path is longer than an address.
pub(super) struct ForestTables {
    /// The node of each table's first four bits.
    roots: HugeSlice<u32>,
    nodes: HugeSlice<Node>,
    short_lines: HugeSlice<ShortLine>,
    long_lines: HugeSlice<LongLine>,
}

#[cfg(target_arch = "x86_64")]
const BURST: usize = 128;

impl Pointer {
    const INDEX_MASK: u32 = (1 << 30) - 1;
    const NODE: u32 = 1 << 30;
    const SHORT: u32 = 2 << 30;
    const LONG: u32 = 3 << 30;

    pub(super) fn value(value: u16) -> Self {
        Self(value.into())
    }

    pub(super) fn node(index: usize) -> Self {
        Self::indexed(Self::NODE, index)
    }

    pub(super) fn short_line(index: usize) -> Self {
        Self::indexed(Self::SHORT, index)
    }

    pub(super) fn long_line(index: usize) -> Self {
        Self::indexed(Self::LONG, index)
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

impl<const N: usize> Line<N> {
    /// Makes a line of ranges: where each begins, and its value.
    pub(super) fn new(ranges: &[(u16, u16)]) -> Self {
        assert!((1..=N).contains(&ranges.len()));
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

impl ForestTables {
    /// Takes the arrays.
    ///
    /// # Panics
    ///
    /// Panics if a pointer leads outside, or to a node that does not come before its own: where
    /// all lead back, a path ends.
    pub(super) fn new(
        roots: &[u32],
        nodes: &[Node],
        short_lines: &[ShortLine],
        long_lines: &[LongLine],
    ) -> Self {
        assert!(roots.iter().all(|&root| (root as usize) < nodes.len()));
        for (index, node) in nodes.iter().enumerate() {
            assert!(node.0.iter().all(|pointer| match pointer.0 & !Pointer::INDEX_MASK {
                Pointer::NODE => pointer.index() < index,
                Pointer::SHORT => pointer.index() < short_lines.len(),
                Pointer::LONG => pointer.index() < long_lines.len(),
                _ => true,
            }));
        }
        // The kernel reads the first node and line for addresses that are done.
        assert!(!nodes.is_empty() && !short_lines.is_empty());
        Self {
            roots: HugeSlice::new(roots),
            nodes: HugeSlice::new(nodes),
            short_lines: HugeSlice::new(short_lines),
            long_lines: HugeSlice::new(long_lines),
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
        self.walk(Pointer::node(self.roots[table as usize] as usize), address, 0)
    }

    fn walk(&self, mut pointer: Pointer, address: u32, mut offset: u32) -> u16 {
        loop {
            pointer = match pointer.0 & !Pointer::INDEX_MASK {
                Pointer::NODE => self.nodes[pointer.index()].0[nibble(address, offset)],
                Pointer::SHORT => return self.short_lines[pointer.index()].lookup(address as u16),
                Pointer::LONG => return self.long_lines[pointer.index()].lookup(address as u16),
                _ => return pointer.0 as u16,
            };
            offset += 4;
        }
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
            + size_of_val(&*self.nodes)
            + size_of_val(&*self.short_lines)
            + size_of_val(&*self.long_lines)
    }

    /// # Safety
    ///
    /// Every table is there.
    #[cfg(target_arch = "x86_64")]
    #[target_feature(enable = "avx2,bmi1,bmi2,popcnt")]
    unsafe fn lookup_burst_avx2(&self, tables: &[u32], addresses: &[u32], values: &mut [u16]) {
        let count = tables.len().min(addresses.len()).min(values.len()).min(BURST);
        let mut pointers = [Pointer(0); BURST];
        for (pointer, &table) in pointers.iter_mut().zip(tables) {
            // SAFETY: the caller's promise.
            let root = unsafe { at(&self.roots, table as usize) };
            prefetch(&self.nodes, root as usize);
            *pointer = Pointer(Pointer::NODE | root);
        }
        // Sixteen bits in four steps, then a line: the way of nearly all addresses.
        for offset in [0, 4, 8, 12] {
            for (pointer, &address) in pointers[..count].iter_mut().zip(addresses) {
                let is_node = pointer.is(Pointer::NODE);
                let index = select_unpredictable(is_node, pointer.index(), 0);
                // SAFETY: a node's index leads inside, and there is a node 0.
                let node = unsafe { self.nodes.get_unchecked(index) };
                let next = node.0[nibble(address, offset)];
                *pointer = select_unpredictable(is_node, next, *pointer);
                match offset {
                    12 => prefetch(&self.short_lines, pointer.index()),
                    _ => prefetch(&self.nodes, pointer.index()),
                }
            }
        }
        let mut left_count = 0;
        for ((value, pointer), &address) in values.iter_mut().zip(&pointers[..count]).zip(addresses)
        {
            let is_short = pointer.is(Pointer::SHORT);
            let index = select_unpredictable(is_short, pointer.index(), 0);
            // SAFETY: a short line's index leads inside, and there is a line 0. A rank is at most
            // 15.
            let in_line = unsafe {
                let line = self.short_lines.get_unchecked(index);
                *line.values.get_unchecked(rank(line, key(address as u16)))
            };
            *value = select_unpredictable(is_short, in_line, pointer.0 as u16);
            left_count += usize::from(pointer.is(Pointer::NODE) | pointer.is(Pointer::LONG));
        }
        if left_count > 0 {
            self.finish(addresses, &pointers, values);
        }
    }

    /// Finishes the addresses whose last sixteen bits need more than a short line.
    #[cfg(target_arch = "x86_64")]
    #[target_feature(enable = "avx2,bmi1,bmi2,popcnt")]
    fn finish(&self, addresses: &[u32], pointers: &[Pointer; BURST], values: &mut [u16]) {
        let mut places = [0u8; BURST];
        let mut left_count = 0;
        for (place, pointer) in pointers.iter().enumerate().take(values.len()) {
            prefetch(&self.nodes, pointer.index());
            prefetch(&self.long_lines, pointer.index());
            places[left_count & (BURST - 1)] = place as u8;
            left_count += usize::from(pointer.is(Pointer::NODE) | pointer.is(Pointer::LONG));
        }
        for &place in &places[..left_count] {
            let place = usize::from(place);
            values[place] = self.walk(pointers[place], addresses[place], 16);
        }
    }
}

/// Returns the four bits behind the first `offset`.
#[inline(always)]
fn nibble(address: u32, offset: u32) -> usize {
    (address << offset >> 28) as usize
}

/// Counts the keys behind the first that are not above `key`: from 0 to 15.
#[cfg(target_arch = "x86_64")]
#[target_feature(enable = "avx2,bmi1,bmi2,popcnt")]
#[inline]
fn rank(line: &ShortLine, key: i16) -> usize {
    use std::arch::x86_64::*;
    // SAFETY: a short line is 64 bytes, aligned to as many; the first 32 are the keys.
    let keys = unsafe { _mm256_load_si256(std::ptr::from_ref(line).cast()) };
    let above = _mm256_cmpgt_epi16(keys, _mm256_set1_epi16(key));
    // Two bits for each key.
    let above = _mm256_movemask_epi8(above) as u32 & !0b11;
    15 - above.count_ones() as usize / 2
}
