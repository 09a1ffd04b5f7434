//! Batches of lookups in a forest, step by step.
//!
//! Each address has its own table: what tables share is in a near cache, what is a table's own is
//! not. So all addresses of a burst take a step before any takes the next, and each step asks for
//! what the next one reads.

#![expect(unsafe_code, reason = "reads without bounds checks, 16 or 32 keys at once")]

use std::hint::select_unpredictable;

use super::kernel::Isa;
#[cfg(target_arch = "x86_64")]
use super::kernel::{Places, at};
use crate::memory::HugeSlice;
#[cfg(target_arch = "x86_64")]
use crate::memory::prefetch;

/// A table: the base that it shares with others, and the one block of addresses in which it
/// differs from that.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(C, align(16))]
pub(super) struct Handle {
    /// The index of the base's entry for 0.0.0.0/8.
    base: u32,
    /// What stands in place of the base's entry where the address is in the block.
    own: Entry,
    own_first: u32,
    own_mask: u32,
}

/// Where an address goes in the table of the /16: by those of its bits behind the first eight that
/// count.
///
/// ```text
///   bit 31              5 4     0
///      │ first index     │ shift │      index: first + (last 24 bits >> shift)
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub(super) struct Entry(u32);

/// Where an address goes in the lines: by those of its last 16 bits that count.
///
/// ```text
///   bit 31              6    5     4     0
///      │ first index     │ depth? │ shift │      index: first + (last 16 bits >> shift)
/// ```
///
/// Where `depth?` is set, the line is the root of a tree of lines, and the shift leaves no bit:
/// what it is more than that is the depth of the tree.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Lead(u32);

/// The last of each range of the last 16 bits, and then its value; or the last of each of the lines
/// below.
///
/// ```text
///   byte  0                 32                 64
///         │ lasts 0 … 15    │ values 0 … 15    │     a leaf
///         │ lasts 0 … 31                       │     of a tree
/// ```
///
/// Lasts have their upper bit turned over, since vectors of numbers are compared as signed ones.
/// Where there are fewer, the greatest is repeated, which no address is beyond.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(C, align(64))]
pub(super) struct Line([i16; 32]);

const _: () = assert!(size_of::<Line>() == 64 && size_of::<Handle>() == 16);

/// A forest's arrays, checked: every handle, entry and lead leads inside.
pub(super) struct ForestTables {
    handles: HugeSlice<Handle>,
    /// For each /8 of each base.
    entries: HugeSlice<Entry>,
    leads: HugeSlice<Lead>,
    lines: HugeSlice<Line>,
}

#[cfg(target_arch = "x86_64")]
const BURST: usize = 128;

impl Handle {
    /// Describes a table that is nothing but its base.
    pub(super) fn of_base(base: u32) -> Self {
        // No address has this bit in a block of all addresses.
        Self { base, own: Entry::default(), own_first: 1, own_mask: 0 }
    }

    /// Describes a table that differs from its base among the addresses that are `first` under
    /// `mask`.
    pub(super) fn with_block(base: u32, first: u32, mask: u32, own: Entry) -> Self {
        assert!(mask.leading_ones() + mask.trailing_zeros() == 32 && first & !mask == 0);
        assert!(mask.leading_ones() >= 8, "blocks lie in one entry");
        Self { base, own, own_first: first, own_mask: mask }
    }

    #[inline(always)]
    fn is_own(self, address: u32) -> bool {
        address & self.own_mask == self.own_first
    }

    /// Returns true when no address is in the block.
    fn is_of_base(self) -> bool {
        self.own_first & !self.own_mask != 0
    }
}

impl Entry {
    /// Leads to one of as many as the bits that are left after `shift`, the first of which is at
    /// `first`.
    pub(super) fn new(first: usize, shift: u32) -> Self {
        assert!(first < 1 << 27 && (16..=24).contains(&shift), "512 MiB of leads were made before");
        Self((first as u32) << 5 | shift)
    }

    /// Returns the index of the lead.
    #[inline(always)]
    fn index(self, address: u32) -> u32 {
        (self.0 >> 5).wrapping_add((address & 0xFF_FFFF) >> (self.0 & 31))
    }
}

impl Lead {
    const DEEP: u32 = 1 << 5;

    /// Leads to one of as many lines as the bits that are left after `shift`.
    pub(super) fn lines(first: usize, shift: u32) -> Self {
        assert!(first < 1 << 26 && shift <= 16, "4 GiB of lines were made before");
        Self((first as u32) << 6 | shift)
    }

    /// Leads to the root of a tree of lines.
    pub(super) fn tree(root: usize, depth: usize) -> Self {
        assert!(root < 1 << 26 && (1..=Line::DEPTH_MAX).contains(&depth));
        Self((root as u32) << 6 | Self::DEEP | (16 + depth as u32))
    }

    /// Returns the index of the line.
    #[inline(always)]
    fn index(self, address: u32) -> u32 {
        (self.0 >> 6).wrapping_add((address & 0xFFFF) >> (self.0 & 31))
    }

    /// Returns how many leaves there must be.
    pub(super) fn leaf_count(self) -> usize {
        if self.depth() == 0 { self.index(u32::MAX) as usize + 1 } else { 0 }
    }

    /// Returns the lead, where all trees are moved behind as many lines.
    pub(super) fn with_trees_at(self, first: usize) -> Self {
        match self.depth() {
            0 => self,
            depth => Self::tree(first + self.index(0) as usize, depth),
        }
    }

    /// Returns how many lines come before the leaf.
    #[inline(always)]
    fn depth(self) -> usize {
        match self.0 & Self::DEEP {
            0 => 0,
            _ => (self.0 & 31) as usize - 16,
        }
    }
}

impl Line {
    /// The most ranges of a leaf.
    pub(super) const LENGTH: usize = 16;

    /// The most lines below one of a tree.
    pub(super) const CHILDREN: usize = 32;

    /// A tree of this depth holds a range for each of 2^16 addresses.
    pub(super) const DEPTH_MAX: usize = 3;

    /// How many lines a full tree of each depth is, a leaf at first.
    pub(super) const TREE_LENGTHS: [usize; Self::DEPTH_MAX + 1] = [1, 33, 1_057, 33_825];

    /// Makes a leaf of ranges: the last of each, and its value.
    pub(super) fn leaf(ranges: &[(u16, u16)]) -> Self {
        assert!((1..=Self::LENGTH).contains(&ranges.len()));
        Self(std::array::from_fn(|index| match index.checked_sub(Self::LENGTH) {
            None if index + 1 < ranges.len() => key(ranges[index].0),
            None => i16::MAX,
            Some(index) => ranges[index.min(ranges.len() - 1)].1 as i16,
        }))
    }

    /// Makes a line that leads to lines, the last of each of which is given.
    pub(super) fn inner(lasts: &[u16]) -> Self {
        assert!((1..=Self::CHILDREN).contains(&lasts.len()));
        Self(std::array::from_fn(|index| match index + 1 < lasts.len() {
            true => key(lasts[index]),
            false => i16::MAX,
        }))
    }

    /// Counts those of the first `N` lasts that the address is beyond.
    #[inline(always)]
    fn rank<const N: usize>(&self, address: u32) -> usize {
        let key = key(address as u16);
        self.0[..N].iter().filter(|&&last| last < key).count()
    }

    /// Returns true when no address is beyond the last range: the rank is that of a value.
    fn is_leaf(&self) -> bool {
        self.0[Self::LENGTH - 1] == i16::MAX
    }

    /// Returns a leaf's value, so many bytes behind the first one.
    ///
    /// # Safety
    ///
    /// The bytes are twice a rank.
    #[cfg(target_arch = "x86_64")]
    #[inline(always)]
    unsafe fn value_behind(&self, bytes: usize) -> u16 {
        // SAFETY: the caller's promise.
        unsafe { self.0.as_ptr().add(Self::LENGTH).byte_add(bytes).cast::<u16>().read() }
    }

    fn value(&self, address: u32) -> u16 {
        self.0[Self::LENGTH + self.rank::<{ Self::LENGTH }>(address)] as u16
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
    /// Panics if a handle, an entry or a lead leads outside, or to a line of another kind.
    pub(super) fn new(
        handles: &[Handle],
        entries: &[Entry],
        leads: &[Lead],
        lines: &[Line],
    ) -> Self {
        let is_inside = |entry: &Entry, last: u32| (entry.index(last) as usize) < leads.len();
        assert!(entries.iter().all(|entry| is_inside(entry, u32::MAX)));
        assert!(handles.iter().all(|handle| handle.base as usize + 256 <= entries.len()));
        assert!(handles.iter().all(|handle| {
            let last = handle.own_first | !handle.own_mask;
            handle.is_of_base() || is_inside(&handle.own, last)
        }));
        // Whatever the address, a lead without depth leads to one of the leaves at the start: some
        // are met by the addresses of one block only, but that is not known here.
        let leaf_count = lines.iter().take_while(|line| line.is_leaf()).count();
        assert!(leads.iter().all(|lead| match lead.depth() {
            0 => (lead.index(u32::MAX) as usize) < leaf_count,
            depth => is_tree(lines, lead.index(u32::MAX) as usize, depth),
        }));
        Self {
            handles: HugeSlice::new(handles),
            entries: HugeSlice::new(entries),
            leads: HugeSlice::new(leads),
            lines: HugeSlice::new(lines),
        }
    }

    pub(super) fn table_count(&self) -> usize {
        self.handles.len()
    }

    /// Returns the value of an address in a table.
    ///
    /// # Panics
    ///
    /// Panics if there is no such table.
    pub(super) fn lookup(&self, table: u32, address: u32) -> u16 {
        let handle = self.handles[table as usize];
        let entry = match handle.is_own(address) {
            true => handle.own,
            false => self.entries[handle.base as usize + (address >> 24) as usize],
        };
        let lead = self.leads[entry.index(address) as usize];
        let mut index = lead.index(address) as usize;
        for depth in (0..lead.depth()).rev() {
            let rank = self.lines[index].rank::<{ Line::CHILDREN }>(address);
            index += 1 + rank * Line::TREE_LENGTHS[depth];
        }
        self.lines[index].value(address)
    }

    pub(super) fn lookup_batch(
        &self,
        isa: Isa,
        tables: &[u32],
        addresses: &[u32],
        values: &mut [u16],
    ) {
        // All of them without a branch, which is a vector's work.
        let table_count = self.handles.len();
        let is_one_missing =
            tables.iter().fold(false, |any, &table| any | (table as usize >= table_count));
        assert!(!is_one_missing, "no such table");
        #[cfg(target_arch = "x86_64")]
        if isa.has_avx2() {
            let bursts = tables.chunks(2 * BURST).zip(addresses.chunks(2 * BURST));
            for ((tables, addresses), values) in bursts.zip(values.chunks_mut(2 * BURST)) {
                // SAFETY: the machine has what the kernel is compiled for, and the tables were
                // checked.
                unsafe { self.lookup_bursts_avx2(tables, addresses, values) };
            }
            return;
        }
        let _ = isa;
        for ((value, &table), &address) in values.iter_mut().zip(tables).zip(addresses) {
            *value = self.lookup(table, address);
        }
    }

    pub(super) fn heap_bytes(&self) -> usize {
        size_of_val(&*self.handles)
            + size_of_val(&*self.entries)
            + size_of_val(&*self.leads)
            + size_of_val(&*self.lines)
    }

    /// Looks two bursts up: the lines of the first are on their way while the steps before those are
    /// taken for the second.
    ///
    /// # Safety
    ///
    /// Every table is there.
    #[cfg(target_arch = "x86_64")]
    #[target_feature(enable = "avx2,bmi1,bmi2,popcnt")]
    unsafe fn lookup_bursts_avx2(&self, tables: &[u32], addresses: &[u32], values: &mut [u16]) {
        let mut lines = [[0; BURST]; 2];
        let bursts = tables.chunks(BURST).zip(addresses.chunks(BURST));
        for ((tables, addresses), lines) in bursts.zip(&mut lines) {
            // SAFETY: the caller's promise.
            unsafe { self.ask_for_lines(tables, addresses, lines) };
        }
        let bursts = addresses.chunks(BURST).zip(values.chunks_mut(BURST));
        for ((addresses, values), lines) in bursts.zip(&lines) {
            // SAFETY: those are the lines of these addresses.
            unsafe { self.read_lines(lines, addresses, values) };
        }
    }

    /// Finds the line of each address, and asks for it.
    ///
    /// What is read and what is made of it are loops apart, since of the latter the compiler makes
    /// vectors: in one loop all would be done address by address.
    ///
    /// # Safety
    ///
    /// Every table is there.
    #[cfg(target_arch = "x86_64")]
    #[target_feature(enable = "avx2,bmi1,bmi2,popcnt")]
    unsafe fn ask_for_lines(&self, tables: &[u32], addresses: &[u32], lines: &mut [u32; BURST]) {
        let count = addresses.len();
        let mut leads = [0u32; BURST];
        for ((lead, &table), &address) in leads.iter_mut().zip(tables).zip(addresses) {
            // SAFETY: the caller's promise. A base has an entry for each /8.
            *lead = unsafe {
                let handle = at(&self.handles, table as usize);
                let of_base = at(&self.entries, handle.base as usize + (address >> 24) as usize);
                select_unpredictable(handle.is_own(address), handle.own.0, of_base.0)
            };
        }
        for (lead, &address) in leads.iter_mut().zip(addresses) {
            *lead = Entry(*lead).index(address);
        }
        for &lead in &leads[..count] {
            prefetch(&self.leads, lead as usize);
        }
        for lead in &mut leads[..count] {
            // SAFETY: the entry of a base or of a block leads to a lead.
            *lead = unsafe { at(&self.leads, *lead as usize) }.0;
        }
        for ((line, &lead), &address) in lines.iter_mut().zip(&leads).zip(addresses) {
            *line = Lead(lead).index(address);
        }
        for &line in &lines[..count] {
            prefetch(&self.lines, line as usize);
        }
        // SAFETY: those are leads, and where they lead.
        unsafe { self.descend(&leads, lines, addresses) };
    }

    /// Takes those addresses whose lead is to a tree from its root to their leaf, all of them one
    /// line deeper at a time.
    ///
    /// # Safety
    ///
    /// `leads` are such, and `lines` is where they lead.
    #[cfg(target_arch = "x86_64")]
    #[target_feature(enable = "avx2,bmi1,bmi2,popcnt")]
    unsafe fn descend(&self, leads: &[u32; BURST], lines: &mut [u32; BURST], addresses: &[u32]) {
        // Behind the addresses there is no lead, 0, which is to no tree.
        if leads.iter().fold(0, |any, lead| any | lead) & Lead::DEEP == 0 {
            return;
        }
        let places = Places::marked(leads, Lead::DEEP, Lead::DEEP);
        for step in 0..Line::DEPTH_MAX {
            for &place in places.as_slice() {
                let place = usize::from(place);
                let depth = Lead(leads[place]).depth();
                if step < depth {
                    // SAFETY: the root of a tree leads to lines as deep as it says: `new` checked
                    // it.
                    let line = unsafe { self.lines.get_unchecked(lines[place] as usize) };
                    let rank = rank_of_32(line, addresses[place]);
                    lines[place] += 1 + (rank * Line::TREE_LENGTHS[depth - step - 1]) as u32;
                    prefetch(&self.lines, lines[place] as usize);
                }
            }
        }
    }

    /// # Safety
    ///
    /// `lines` are those of the addresses.
    #[cfg(target_arch = "x86_64")]
    #[target_feature(enable = "avx2,bmi1,bmi2,popcnt")]
    unsafe fn read_lines(&self, lines: &[u32; BURST], addresses: &[u32], values: &mut [u16]) {
        for ((value, &line), &address) in values.iter_mut().zip(lines).zip(addresses) {
            // SAFETY: a lead without depth leads to a leaf, and a tree ends in one, whose last
            // last no address is beyond: `new` checked it.
            *value = unsafe {
                let line = self.lines.get_unchecked(line as usize);
                line.value_behind(twice_the_rank(line, address))
            };
        }
    }
}

/// Returns true when a tree of lines of this depth is whole.
fn is_tree(lines: &[Line], root: usize, depth: usize) -> bool {
    let Some(line) = lines.get(root) else { return false };
    let Some(below) = depth.checked_sub(1) else { return line.is_leaf() };
    let last_child = line.rank::<{ Line::CHILDREN }>(0xFFFF);
    let child = |rank: usize| root + 1 + rank * Line::TREE_LENGTHS[below];
    last_child < Line::CHILDREN && (0..=last_child).all(|rank| is_tree(lines, child(rank), below))
}

/// Counts two for each last of a leaf that an address is beyond.
#[cfg(target_arch = "x86_64")]
#[target_feature(enable = "avx2,bmi1,bmi2,popcnt")]
#[inline]
fn twice_the_rank(line: &Line, address: u32) -> usize {
    use std::arch::x86_64::*;
    // SAFETY: a leaf is 64 bytes, aligned to as many.
    let lasts = unsafe { _mm256_load_si256(line.0.as_ptr().cast()) };
    let beyond = _mm256_cmpgt_epi16(_mm256_set1_epi16(key(address as u16)), lasts);
    _mm256_movemask_epi8(beyond).count_ones() as usize
}

/// Counts the lasts of a line of a tree that an address is beyond.
#[cfg(target_arch = "x86_64")]
#[target_feature(enable = "avx2,bmi1,bmi2,popcnt")]
#[inline]
fn rank_of_32(line: &Line, address: u32) -> usize {
    use std::arch::x86_64::*;
    let key = _mm256_set1_epi16(key(address as u16));
    let beyond = |half: usize| {
        // SAFETY: a line is 64 bytes, aligned to as many.
        let lasts = unsafe { _mm256_load_si256(line.0.as_ptr().cast::<__m256i>().add(half)) };
        _mm256_cmpgt_epi16(key, lasts)
    };
    _mm256_movemask_epi8(_mm256_packs_epi16(beyond(0), beyond(1))).count_ones() as usize
}
