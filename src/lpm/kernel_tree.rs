#![expect(unsafe_code, reason = "reads without bounds checks, and comparisons of eight keys at once")]
//! Batches of lookups in a tree of ranges, level by level.
//!
//! Addresses of a burst are at different depths: those that stand at a block and those that stand
//! at a line are kept in lists, which grow and shrink without a branch.

use super::kernel::{Isa, at};
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

/// Eight ranges of halves of addresses, by their first ones. Where there are fewer, the last is
/// repeated.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(C, align(64))]
pub(super) struct Keys(pub [u64; 8]);

/// Where the ranges of a line lead.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(C, align(32))]
pub(super) struct Targets(pub [Pointer; 8]);

const _: () = assert!(size_of::<Keys>() == 64 && size_of::<Targets>() == 32);

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
    keys: HugeSlice<Keys>,
    targets: HugeSlice<Targets>,
}

#[cfg(target_arch = "x86_64")]
const BURST: usize = 128;

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
        keys: &[Keys],
        targets: &[Targets],
    ) -> Self {
        assert!(!front_slots.is_empty() && front.shift < 64);
        assert!(headers.iter().all(|header| header.shift < 64));
        assert_eq!(keys.len(), targets.len());
        let in_lines = targets.iter().flat_map(|targets| &targets.0);
        assert!(in_lines.clone().all(|pointer| !pointer.is_block()));
        assert!(front_slots.iter().chain(slots).chain(in_lines).all(|pointer| {
            !pointer.is_block() || pointer.index() < headers.len()
        }));
        assert!(front_slots.iter().chain(slots).chain(targets.iter().flat_map(|t| &t.0)).all(
            |pointer| !pointer.is_line() || pointer.index() < keys.len()
        ));
        Self {
            front,
            front_slots: HugeSlice::new(front_slots),
            headers: HugeSlice::new(headers),
            slots: HugeSlice::new(slots),
            keys: HugeSlice::new(keys),
            targets: HugeSlice::new(targets),
        }
    }

    pub(super) fn lookup(&self, address: u128) -> u16 {
        let halves = [address as u64, (address >> 64) as u64];
        let mut pointer = self.front_slots[self.front.slot(halves[1], self.front_slots.len())];
        while pointer.is_block() {
            pointer = self.slots[self.headers[pointer.index()].slot(halves[1])];
        }
        while pointer.is_line() {
            let key = halves[pointer.half()];
            let keys = &self.keys[pointer.index()].0;
            let rank = keys[1..].iter().filter(|&&first| first <= key).count();
            pointer = self.targets[pointer.index()].0[rank];
        }
        pointer.0 as u16
    }

    pub(super) fn lookup_batch(&self, isa: Isa, addresses: &[u128], values: &mut [u16]) {
        #[cfg(target_arch = "x86_64")]
        if isa.has_avx2() {
            for (addresses, values) in addresses.chunks(BURST).zip(values.chunks_mut(BURST)) {
                // SAFETY: the machine has what the kernel is compiled for.
                unsafe {
                    if isa.has_avx512() {
                        self.lookup_burst_avx512(addresses, values);
                    } else {
                        self.lookup_burst_avx2(addresses, values);
                    }
                }
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
            + size_of_val(&*self.keys)
            + size_of_val(&*self.targets)
    }

    #[cfg(target_arch = "x86_64")]
    #[target_feature(enable = "avx512f,avx512bw,avx512vl,avx2,bmi1,bmi2,popcnt")]
    fn lookup_burst_avx512(&self, addresses: &[u128], values: &mut [u16]) {
        use std::arch::x86_64::*;
        self.lookup_burst(addresses, values, |keys, key| {
            // SAFETY: `keys` are 64 bytes.
            let keys = unsafe { _mm512_load_si512(keys.0.as_ptr().cast()) };
            let not_behind =
                _mm512_mask_cmple_epu64_mask(0b1111_1110, keys, _mm512_set1_epi64(key as i64));
            not_behind.count_ones()
        });
    }

    #[cfg(target_arch = "x86_64")]
    #[target_feature(enable = "avx2,bmi1,bmi2,popcnt")]
    fn lookup_burst_avx2(&self, addresses: &[u128], values: &mut [u16]) {
        use std::arch::x86_64::*;
        self.lookup_burst(addresses, values, |keys, key| {
            // Comparisons are of signed numbers: turning the upper bit over keeps the order.
            let turn = _mm256_set1_epi64x(i64::MIN);
            let key = _mm256_xor_si256(_mm256_set1_epi64x(key as i64), turn);
            let behind = |half: usize| {
                // SAFETY: `keys` are 64 bytes, two halves of 32.
                let keys = unsafe { _mm256_load_si256(keys.0.as_ptr().cast::<__m256i>().add(half)) };
                let behind = _mm256_cmpgt_epi64(_mm256_xor_si256(keys, turn), key);
                _mm256_movemask_pd(_mm256_castsi256_pd(behind)) as u32
            };
            7 - (behind(0) & 0b1110 | behind(1) << 4).count_ones()
        });
    }

    /// Looks up a burst; `rank` counts the keys behind the first that are not above a half of an
    /// address, and so is at most 7.
    #[cfg(target_arch = "x86_64")]
    #[inline(always)]
    fn lookup_burst(
        &self,
        addresses: &[u128],
        values: &mut [u16],
        rank: impl Fn(&Keys, u64) -> u32,
    ) {
        let count = addresses.len().min(values.len()).min(BURST);
        let mut burst = Burst::default();
        for (place, &address) in addresses[..count].iter().enumerate() {
            let slot = self.front.slot((address >> 64) as u64, self.front_slots.len());
            // SAFETY: `slot` is below the number of slots, which is not 0.
            let pointer = unsafe { at(&self.front_slots, slot) };
            burst.note(place, pointer);
        }
        while burst.block_count > 0 {
            let turns = std::mem::take(&mut burst.block_count);
            for turn in 0..turns {
                let place = usize::from(burst.blocks[turn]);
                // SAFETY: a place below `count`, whose pointer leads to a block.
                let (upper, header) = unsafe {
                    let upper = (at(addresses, place) >> 64) as u64;
                    (upper, at(&self.headers, at(&burst.pointers, place).index()))
                };
                let pointer = self.slots[header.slot(upper)];
                self.prefetch(pointer);
                burst.note(place, pointer);
            }
        }
        while burst.line_count > 0 {
            let turns = std::mem::take(&mut burst.line_count);
            for turn in 0..turns {
                let place = usize::from(burst.lines[turn]);
                // SAFETY: a place below `count`, whose pointer leads to a line. An address is two
                // halves, the lower one first on a little-endian machine.
                let pointer = unsafe {
                    let pointer = at(&burst.pointers, place);
                    let halves = addresses.as_ptr().add(place).cast::<u64>();
                    let key = *halves.add(pointer.half());
                    let rank = rank(self.keys.get_unchecked(pointer.index()), key);
                    debug_assert!(rank < 8);
                    let targets = self.targets.get_unchecked(pointer.index());
                    *targets.0.get_unchecked(rank as usize)
                };
                self.prefetch(pointer);
                burst.note(place, pointer);
            }
        }
        for (value, pointer) in values.iter_mut().zip(&burst.pointers[..count]) {
            *value = pointer.0 as u16;
        }
    }

    #[cfg(target_arch = "x86_64")]
    #[inline(always)]
    fn prefetch(&self, pointer: Pointer) {
        prefetch(&self.keys, pointer.index());
        prefetch(&self.targets, pointer.index());
    }
}

/// Where the addresses of a burst stand.
#[cfg(target_arch = "x86_64")]
struct Burst {
    pointers: [Pointer; BURST],
    /// The places of those that stand at a block, and at a line.
    blocks: [u8; BURST],
    lines: [u8; BURST],
    block_count: usize,
    line_count: usize,
}

#[cfg(target_arch = "x86_64")]
impl Default for Burst {
    #[inline(always)]
    fn default() -> Self {
        Self {
            pointers: [Pointer(0); BURST],
            blocks: [0; BURST],
            lines: [0; BURST],
            block_count: 0,
            line_count: 0,
        }
    }
}

#[cfg(target_arch = "x86_64")]
impl Burst {
    /// Moves one address to a pointer.
    ///
    /// A list is no longer than the places noted since it was emptied, and each is noted once.
    #[inline(always)]
    fn note(&mut self, place: usize, pointer: Pointer) {
        self.pointers[place & (BURST - 1)] = pointer;
        self.blocks[self.block_count & (BURST - 1)] = place as u8;
        self.block_count += usize::from(pointer.is_block());
        self.lines[self.line_count & (BURST - 1)] = place as u8;
        self.line_count += usize::from(pointer.is_line());
    }
}
