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

/// Upper halves of addresses, cut into slots of equal size between the first and the last edge that
/// any route has among them. The slots at both ends stand for all that lies outside.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Block {
    first: u64,
    /// Of the pointer of the first slot.
    slots_first: u32,
    /// Less one.
    slot_count: u32,
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

/// A tree's arrays, checked: every pointer and every slot leads inside.
pub(super) struct TreeTables {
    /// Where every address begins.
    root: Block,
    blocks: HugeSlice<Block>,
    slots: HugeSlice<Pointer>,
    lines: HugeSlice<Line>,
}

/// The most that [`Places`] can list: every level waits for its last reads once a burst, however few
/// addresses come that far.
#[cfg(target_arch = "x86_64")]
const BURST: usize = 256;

impl Pointer {
    /// The highest number of blocks, and of lines.
    pub(super) const INDEX_MAX: usize = 1 << 30;

    const INDEX_MASK: u32 = (1 << 30) - 1;
    const KIND_MASK: u32 = !Self::INDEX_MASK;
    const LINE_MASK: u32 = 1 << 31;
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

impl Block {
    /// Describes slots of `2^shift` from `first` on, whose pointers are those at `slots`.
    pub(super) fn new(first: u64, shift: u32, slots: std::ops::Range<usize>) -> Self {
        assert!(shift < 64 && !slots.is_empty() && slots.end <= u32::MAX as usize);
        let slot_count = (slots.len() - 1) as u32;
        Self { first, slots_first: slots.start as u32, slot_count, shift }
    }

    /// Returns the index of the pointer of an upper half.
    #[inline(always)]
    fn slot(self, upper: u64) -> usize {
        let slot = upper.saturating_sub(self.first) >> self.shift;
        self.slots_first as usize + slot.min(self.slot_count.into()) as usize
    }

    fn slot_last(self) -> usize {
        self.slots_first as usize + self.slot_count as usize
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

impl TreeTables {
    /// Takes the arrays.
    ///
    /// # Panics
    ///
    /// Panics if a pointer or a slot leads outside.
    pub(super) fn new(root: Block, blocks: &[Block], slots: &[Pointer], lines: &[Line]) -> Self {
        assert!(blocks.iter().chain([&root]).all(|block| block.slot_last() < slots.len()));
        let in_lines = || lines.iter().flat_map(|line| &line.targets);
        assert!(in_lines().all(|pointer| !pointer.is_block()));
        let leads_inside = |pointer: &Pointer| match pointer {
            pointer if pointer.is_block() => pointer.index() < blocks.len(),
            pointer if pointer.is_line() => pointer.index() < lines.len(),
            _ => true,
        };
        assert!(slots.iter().chain(in_lines()).all(leads_inside));
        Self {
            root,
            blocks: HugeSlice::new(blocks),
            slots: HugeSlice::new(slots),
            lines: HugeSlice::new(lines),
        }
    }

    pub(super) fn lookup(&self, address: u128) -> u16 {
        let halves = [address as u64, (address >> 64) as u64];
        let mut pointer = self.slots[self.root.slot(halves[1])];
        while pointer.is_block() {
            pointer = self.slots[self.blocks[pointer.index()].slot(halves[1])];
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
        size_of_val(&*self.blocks) + size_of_val(&*self.slots) + size_of_val(&*self.lines)
    }

    #[cfg(target_arch = "x86_64")]
    #[target_feature(enable = "avx2,bmi1,bmi2,popcnt")]
    fn lookup_burst_avx2(&self, addresses: &[u128], values: &mut [u16]) {
        let count = addresses.len().min(values.len()).min(BURST);
        let addresses = &addresses[..count];
        let mut slots = [0u32; BURST];
        for (slot, &address) in slots.iter_mut().zip(addresses) {
            *slot = self.root.slot((address >> 64) as u64) as u32;
            prefetch(&self.slots, *slot as usize);
        }
        let mut pointers = [0; BURST];
        for (pointer, &slot) in pointers.iter_mut().zip(&slots[..count]) {
            // SAFETY: every slot of a block has its pointer: `new` checked it.
            *pointer = unsafe { at(&self.slots, slot as usize) }.0;
        }

        loop {
            let places = Places::marked(&pointers, Pointer::KIND_MASK, Pointer::BLOCK);
            if places.as_slice().is_empty() {
                break;
            }
            for &place in places.as_slice() {
                let place = usize::from(place);
                // SAFETY: a place below `count`, whose pointer leads to a block.
                unsafe {
                    let upper = (at(addresses, place) >> 64) as u64;
                    let block = self.blocks.get_unchecked(Pointer(at(&pointers, place)).index());
                    let slot = block.slot(upper);
                    *slots.get_unchecked_mut(place) = slot as u32;
                    prefetch(&self.slots, slot);
                }
            }
            for &place in places.as_slice() {
                let place = usize::from(place);
                // SAFETY: every slot of a block has its pointer: `new` checked it.
                unsafe {
                    let slot = at(&slots, place) as usize;
                    *pointers.get_unchecked_mut(place) = at(&self.slots, slot).0;
                }
            }
        }
        loop {
            let places = Places::marked(&pointers, Pointer::LINE_MASK, Pointer::LINE_MASK);
            if places.as_slice().is_empty() {
                break;
            }
            for &place in places.as_slice() {
                // SAFETY: a place below `count`.
                let pointer = unsafe { at(&pointers, usize::from(place)) };
                prefetch(&self.lines, Pointer(pointer).index());
            }
            for &place in places.as_slice() {
                let place = usize::from(place);
                // SAFETY: a place below `count`, whose pointer leads to a line. An address is two
                // halves, the lower one first on a little-endian machine. A rank is at most 7.
                unsafe {
                    let pointer = Pointer(at(&pointers, place));
                    let halves = addresses.as_ptr().add(place).cast::<u64>();
                    let line = self.lines.get_unchecked(pointer.index());
                    let key = line.key_of(*halves.add(pointer.half()));
                    let target = line.targets.get_unchecked(rank(line, key));
                    *pointers.get_unchecked_mut(place) = target.0;
                }
            }
        }
        for (value, &pointer) in values.iter_mut().zip(&pointers[..count]) {
            *value = pointer as u16;
        }
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
