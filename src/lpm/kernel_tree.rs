//! Batches of lookups in a tree of ranges, level by level.
//!
//! Addresses of a burst end at different depths: those that go on are kept in a list.

#![expect(unsafe_code, reason = "reads without bounds checks, 8 keys at once")]

use super::kernel::{Isa, Places, at};
use crate::memory::{HugeSlice, prefetch};

/// What an address meets next.
///
/// ```text
///   bit 31   30 29                  0
///      │  kind  │ value or index    │
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Pointer(u32);

/// A block of upper halves, cut into slots of equal size.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct BlockHeader {
    /// What to add to `upper half >> shift`, wrapping, for the index of the slot's pointer.
    offset: u32,
    shift: u32,
}

/// Up to eight ranges of halves of addresses, in one cache line.
///
/// ```text
///   byte  0       1             4            32            64
///         │ shift │ limit_shift │ keys 1 … 7 │ targets 0 … 7 │
/// ```
///
/// A half is compared by 32 of its bits: `half >> shift`, cut to them, or no more than their
/// greatest number where `limit_shift` is 32. Keys have their upper bit turned over, since vectors
/// of numbers are compared as signed ones; those that are missing repeat the last.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(C, align(64))]
pub(super) struct Line {
    shift: u8,
    limit_shift: u8,
    keys: [i32; 7],
    targets: [Pointer; 8],
}

const _: () = {
    assert!(size_of::<Line>() == 64);
    assert!(std::mem::offset_of!(Line, keys) == 4 && std::mem::offset_of!(Line, targets) == 32);
};

/// Which 32 bits of a half a line compares.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Window {
    pub shift: u32,
    /// Halves beyond the window are as its last; otherwise their upper bits do not count.
    pub is_limit: bool,
}

/// The first table: upper halves cut into slots of equal size between the first and the last that
/// any route tells apart. The slots at both ends stand for all that lies outside.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Front {
    pub first: u64,
    pub shift: u32,
}

/// A tree's arrays, checked: every pointer leads inside, and blocks are not entered from outside.
pub(super) struct TreeTables {
    front: Front,
    front_slots: HugeSlice<Pointer>,
    headers: HugeSlice<BlockHeader>,
    slots: HugeSlice<Pointer>,
    lines: HugeSlice<Line>,
}

#[cfg(target_arch = "x86_64")]
const BURST: usize = Places::MAX;

impl Pointer {
    /// The highest number of blocks, and of lines.
    pub(super) const INDEX_MAX: usize = 1 << 30;

    const INDEX_MASK: u32 = (1 << 30) - 1;
    const BLOCK: u32 = 1 << 30;
    /// Lines have the upper bit.
    const LOWER_LINE: u32 = 2 << 30;
    const UPPER_LINE: u32 = 3 << 30;

    pub(super) fn value(value: u16) -> Self {
        Self(value.into())
    }

    pub(super) fn block(index: usize) -> Self {
        Self::indexed(Self::BLOCK, index)
    }

    /// Leads to a line of upper halves.
    pub(super) fn upper_line(index: usize) -> Self {
        Self::indexed(Self::UPPER_LINE, index)
    }

    /// Leads to a line of lower halves.
    pub(super) fn lower_line(index: usize) -> Self {
        Self::indexed(Self::LOWER_LINE, index)
    }

    fn indexed(kind: u32, index: usize) -> Self {
        assert!(index < Self::INDEX_MAX, "{index}");
        Self(kind | index as u32)
    }

    #[inline(always)]
    fn index(self) -> usize {
        (self.0 & Self::INDEX_MASK) as usize
    }

    #[inline(always)]
    fn is_block(self) -> bool {
        self.0 >> 30 == Self::BLOCK >> 30
    }

    #[inline(always)]
    fn is_line(self) -> bool {
        self.0 >> 31 == 1
    }

    /// Returns 0 for a line of lower halves, 1 for one of upper ones.
    #[inline(always)]
    fn half(self) -> usize {
        (self.0 >> 30 & 1) as usize
    }
}

impl BlockHeader {
    /// Describes the block from `first` on, in slots of `2^shift` whose pointers begin at
    /// `slots_first`.
    pub(super) fn new(first: u64, shift: u32, slots_first: usize) -> Self {
        Self { offset: (slots_first as u32).wrapping_sub((first >> shift) as u32), shift }
    }

    #[inline(always)]
    fn slot(self, upper: u64) -> usize {
        ((upper >> self.shift) as u32).wrapping_add(self.offset) as usize
    }
}

impl Window {
    /// Returns the bits of a half that are compared, as a line has them.
    #[inline(always)]
    fn key(self, half: u64) -> i32 {
        key(half, self.shift as u8, if self.is_limit { 32 } else { 0 })
    }
}

#[inline(always)]
fn key(half: u64, shift: u8, limit_shift: u8) -> i32 {
    ((half >> (shift & 63)).min(u64::MAX >> (limit_shift & 63)) as u32 ^ 1 << 31) as i32
}

impl Line {
    /// Makes a line of one to eight ranges: where each begins, and where it leads.
    pub(super) fn new(window: Window, ranges: &[(u64, Pointer)]) -> Self {
        assert!((1..=8).contains(&ranges.len()) && window.shift < 64);
        let range = |index: usize| ranges[index.min(ranges.len() - 1)];
        // The first range has no key: what comes before the others is in it. A single one would
        // repeat itself.
        Self {
            shift: window.shift as u8,
            limit_shift: if window.is_limit { 32 } else { 0 },
            keys: std::array::from_fn(|index| window.key(range(index + 1).0)),
            targets: std::array::from_fn(|index| range(index).1),
        }
    }

    #[inline(always)]
    fn key_of(&self, half: u64) -> i32 {
        key(half, self.shift, self.limit_shift)
    }
}

impl Front {
    #[inline(always)]
    fn slot(self, upper: u64, slot_count: usize) -> usize {
        (upper.saturating_sub(self.first) >> self.shift).min(slot_count as u64 - 1) as usize
    }
}

impl TreeTables {
    /// Takes the arrays.
    ///
    /// A block's slots cannot be checked one by one, since which addresses reach it follows from
    /// all that leads to it. So a kernel reads them with bounds checks.
    ///
    /// # Panics
    ///
    /// Panics if a pointer leads outside.
    pub(super) fn new(
        front: Front,
        front_slots: &[Pointer],
        headers: &[BlockHeader],
        slots: &[Pointer],
        lines: &[Line],
    ) -> Self {
        assert!(!front_slots.is_empty() && front.shift < 64);
        assert!(headers.iter().all(|header| header.shift < 64));
        let in_lines = || lines.iter().flat_map(|line| &line.targets);
        assert!(in_lines().all(|pointer| !pointer.is_block()));
        let leads_inside = |pointer: &Pointer| match pointer {
            pointer if pointer.is_block() => pointer.index() < headers.len(),
            pointer if pointer.is_line() => pointer.index() < lines.len(),
            _ => true,
        };
        assert!(front_slots.iter().chain(slots).chain(in_lines()).all(leads_inside));
        Self {
            front,
            front_slots: HugeSlice::new(front_slots),
            headers: HugeSlice::new(headers),
            slots: HugeSlice::new(slots),
            lines: HugeSlice::new(lines),
        }
    }

    pub(super) fn lookup(&self, address: u128) -> u16 {
        let halves = [address as u64, (address >> 64) as u64];
        let mut pointer = self.front_slots[self.front.slot(halves[1], self.front_slots.len())];
        while pointer.is_block() {
            pointer = self.slots[self.headers[pointer.index()].slot(halves[1])];
        }
        while pointer.is_line() {
            let line = &self.lines[pointer.index()];
            let key = line.key_of(halves[pointer.half()]);
            let rank = line.keys.iter().filter(|&&first| first <= key).count();
            pointer = line.targets[rank];
        }
        pointer.0 as u16
    }

    pub(super) fn lookup_batch(&self, isa: Isa, addresses: &[u128], values: &mut [u16]) {
        #[cfg(target_arch = "x86_64")]
        if isa.has_avx2() {
            for (addresses, values) in addresses.chunks(BURST).zip(values.chunks_mut(BURST)) {
                // SAFETY: the machine has what the kernel is compiled for.
                unsafe { self.lookup_burst_avx2(addresses, values) };
            }
            return;
        }
        let _ = isa;
        for (value, &address) in values.iter_mut().zip(addresses) {
            *value = self.lookup(address);
        }
    }

    pub(super) fn heap_bytes(&self) -> usize {
        size_of_val(&*self.front_slots)
            + size_of_val(&*self.headers)
            + size_of_val(&*self.slots)
            + size_of_val(&*self.lines)
    }

    #[cfg(target_arch = "x86_64")]
    #[target_feature(enable = "avx2,bmi1,bmi2,popcnt")]
    fn lookup_burst_avx2(&self, addresses: &[u128], values: &mut [u16]) {
        let count = addresses.len().min(values.len()).min(BURST);
        let addresses = &addresses[..count];
        let mut pointers = [Pointer(0); BURST];
        for (pointer, &address) in pointers.iter_mut().zip(addresses) {
            let slot = self.front.slot((address >> 64) as u64, self.front_slots.len());
            // SAFETY: `slot` is below the number of slots, which is not 0.
            *pointer = unsafe { at(&self.front_slots, slot) };
            self.prefetch(*pointer);
        }

        let mut places = Places::all(count);
        while places.keep(&pointers, Pointer::is_block) {
            for &place in places.as_slice() {
                let place = usize::from(place);
                // SAFETY: a place below `count`, whose pointer leads to a block.
                let (upper, header) = unsafe {
                    let upper = (at(addresses, place) >> 64) as u64;
                    (upper, at(&self.headers, at(&pointers, place).index()))
                };
                let pointer = self.slots[header.slot(upper)];
                self.prefetch(pointer);
                pointers[place] = pointer;
            }
        }
        places = Places::all(count);
        while places.keep(&pointers, Pointer::is_line) {
            for &place in places.as_slice() {
                let place = usize::from(place);
                // SAFETY: a place below `count`, whose pointer leads to a line. An address is two
                // halves, the lower one first on a little-endian machine. A rank is at most 7.
                let pointer = unsafe {
                    let pointer = at(&pointers, place);
                    let halves = addresses.as_ptr().add(place).cast::<u64>();
                    let line = self.lines.get_unchecked(pointer.index());
                    let key = line.key_of(*halves.add(pointer.half()));
                    *line.targets.get_unchecked(rank(line, key))
                };
                self.prefetch(pointer);
                pointers[place] = pointer;
            }
        }
        for (value, pointer) in values.iter_mut().zip(&pointers[..count]) {
            *value = pointer.0 as u16;
        }
    }

    #[cfg(target_arch = "x86_64")]
    #[inline(always)]
    fn prefetch(&self, pointer: Pointer) {
        prefetch(&self.lines, pointer.index());
    }
}

/// Counts the keys that are not above `key`: from 0 to 7.
#[cfg(target_arch = "x86_64")]
#[target_feature(enable = "avx2,bmi1,bmi2,popcnt")]
#[inline]
fn rank(line: &Line, key: i32) -> usize {
    use std::arch::x86_64::*;
    // SAFETY: a line is 64 bytes, aligned to as many; the first 32 are the shifts and the keys.
    let keys = unsafe { _mm256_load_si256(std::ptr::from_ref(line).cast()) };
    let above = _mm256_cmpgt_epi32(keys, _mm256_set1_epi32(key));
    let above = _mm256_movemask_ps(_mm256_castsi256_ps(above)) as u32;
    7 - (above & 0b1111_1110).count_ones() as usize
}
