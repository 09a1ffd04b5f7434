//! A hash table of flows that waits for memory once a burst, not once a packet.
//!
//! ```text
//! index    tag 32 | position + 1 32      8 bytes a slot, open addressing, at most half full
//! entries  [Entry] [Entry] …             in the order in which flows came
//! ```
//!
//! A packet's slot is asked for when the packet arrives, its entry when the burst is full, and only
//! then is it counted: by that time both have come.

use super::entry::{Arrival, Entry};
use super::key::{Key, Seeds};
use crate::memory::{HugeSlice, prefetch};

/// The flows of one family, gathered by one thread.
pub(super) struct FlowTable<const WORDS: usize> {
    entries: Entries<WORDS>,
    index: HugeSlice<u64>,
    /// How many of the 32 bits of a tag lead to a slot.
    index_bits: u32,
    inputs: Vec<InputEntries>,
    waiting: Vec<Waiting<WORDS>>,
    /// A flow whose counters were full has gone on in a second entry.
    has_split_flows: bool,
}

/// Where the entries of an input begin. Entries of inputs before it stay, and are not found any more.
#[derive(Clone, Copy, Debug)]
struct InputEntries {
    input: u32,
    first_position: u32,
}

/// A packet that waits for its slot and its entry.
#[derive(Clone, Copy)]
pub(super) struct Waiting<const WORDS: usize> {
    key: Key<WORDS>,
    tag: u32,
    packet: Arrival,
}

/// How many packets wait together: enough to keep the memory busy, few enough to stay in L1.
const BURST: usize = 64;

const INDEX_BITS_MIN: u32 = 8;

const NOWHERE: u32 = u32::MAX;

impl<const WORDS: usize> FlowTable<WORDS> {
    pub(super) fn new() -> Self {
        Self {
            entries: Entries::default(),
            index: HugeSlice::filled(0, 1 << INDEX_BITS_MIN),
            index_bits: INDEX_BITS_MIN,
            inputs: Vec::new(),
            waiting: Vec::with_capacity(BURST),
            has_split_flows: false,
        }
    }

    /// Returns the number of entries, once [`count_waiting`](Self::count_waiting) was called.
    pub(super) fn len(&self) -> usize {
        self.entries.len
    }

    /// Returns what the entries and their index take.
    pub(super) fn memory_bytes(&self) -> usize {
        self.entries.len * size_of::<Entry<WORDS>>() + self.index.len() * size_of::<u64>()
    }

    pub(super) fn entry(&self, position: u32) -> &Entry<WORDS> {
        self.entries.get(position)
    }

    /// Returns the input of an entry.
    pub(super) fn input_of(&self, position: u32) -> u32 {
        let after = self.inputs.partition_point(|input| input.first_position <= position);
        self.inputs[after - 1].input
    }

    /// Returns true where each flow has one entry in this table.
    pub(super) fn holds_each_flow_once(&self) -> bool {
        self.inputs.len() <= 1 && !self.has_split_flows
    }

    /// Counts what follows for `input`.
    pub(super) fn begin_input(&mut self, input: u32) {
        if self.inputs.last().is_some_and(|last| last.input == input) {
            return;
        }
        let first_position = position_of(self.entries.len);
        // An input without packets of this family leaves nothing.
        self.inputs.pop_if(|last| last.first_position == first_position);
        self.inputs.push(InputEntries { input, first_position });
    }

    /// Lets a packet of the current input wait to be counted.
    #[inline(always)]
    pub(super) fn add(&mut self, key: Key<WORDS>, packet: Arrival, seeds: &Seeds) {
        let waiting = Waiting::new(key, packet, seeds);
        prefetch(&self.index, self.slot(waiting.tag));
        self.waiting.push(waiting);
        if self.waiting.len() == BURST {
            self.count_waiting();
        }
    }

    /// Counts every packet that waits.
    pub(super) fn count_waiting(&mut self) {
        let mut waiting = std::mem::take(&mut self.waiting);
        self.count_burst(&waiting);
        waiting.clear();
        self.waiting = waiting;
    }

    /// Counts packets of the current input, the slots of a burst asked for one burst before.
    pub(super) fn count_all(&mut self, packets: &[Waiting<WORDS>]) {
        let mut bursts = packets.chunks(BURST).peekable();
        while let Some(burst) = bursts.next() {
            for packet in bursts.peek().into_iter().copied().flatten() {
                prefetch(&self.index, self.slot(packet.tag));
            }
            self.count_burst(burst);
        }
    }

    #[inline(always)]
    fn count_burst(&mut self, packets: &[Waiting<WORDS>]) {
        let Some(&InputEntries { first_position, .. }) = self.inputs.last() else { return };
        // The position that a slot with the packet's tag names, or what no entry has.
        let mut positions = [NOWHERE; BURST];
        for (position, packet) in positions.iter_mut().zip(packets) {
            *position = self.position_with(packet.tag, first_position);
            self.entries.prefetch(*position);
        }
        for (&position, packet) in positions.iter().zip(packets) {
            let is_counted = position != NOWHERE && {
                let entry = self.entries.get_mut(position);
                entry.is_of(&packet.key) && entry.add(&packet.packet)
            };
            if !is_counted {
                self.find_or_insert(packet, first_position);
            }
        }
    }

    /// Forgets every flow and keeps the memory.
    pub(super) fn clear(&mut self) {
        self.entries.len = 0;
        self.index.fill(0);
        self.inputs.clear();
        self.has_split_flows = false;
    }

    #[inline(always)]
    fn slot(&self, tag: u32) -> usize {
        (tag >> (u32::BITS - self.index_bits)) as usize
    }

    /// Returns the first position with this tag, whose entry may yet be another flow's.
    #[inline(always)]
    fn position_with(&self, tag: u32, first_of_input: u32) -> u32 {
        let mask = self.index.len() - 1;
        let mut slot = self.slot(tag);
        loop {
            let word = self.index[slot];
            if is_free(word, first_of_input) {
                return NOWHERE;
            }
            if tag_of(word) == tag {
                return position_in(word);
            }
            slot = (slot + 1) & mask;
        }
    }

    #[inline(never)]
    fn find_or_insert(&mut self, packet: &Waiting<WORDS>, first_of_input: u32) {
        let mask = self.index.len() - 1;
        let mut slot = self.slot(packet.tag);
        loop {
            let word = self.index[slot];
            if is_free(word, first_of_input) {
                break;
            }
            if tag_of(word) == packet.tag {
                let entry = self.entries.get_mut(position_in(word));
                if entry.is_of(&packet.key) {
                    if entry.add(&packet.packet) {
                        return;
                    }
                    self.has_split_flows = true;
                    break;
                }
            }
            slot = (slot + 1) & mask;
        }
        let position = self.entries.push(Entry::new(&packet.key, &packet.packet));
        self.index[slot] = word_of(packet.tag, position);
        let live = self.entries.len - first_of_input as usize;
        if live > self.index.len() / 2 {
            self.grow_index(first_of_input);
        }
    }

    /// Doubles the index. A slot is the beginning of its tag, so that the old index in order fills
    /// the new one in order, too.
    fn grow_index(&mut self, first_of_input: u32) {
        assert!(self.index_bits < 31, "the memory bound is below 2^30 flows");
        self.index_bits += 1;
        let mut index = HugeSlice::filled(0, 1 << self.index_bits);
        let mask = index.len() - 1;
        std::mem::swap(&mut self.index, &mut index);
        let live = index.iter().filter(|&&word| !is_free(word, first_of_input));
        for &word in live {
            let mut slot = self.slot(tag_of(word));
            while self.index[slot] != 0 {
                slot = (slot + 1) & mask;
            }
            self.index[slot] = word;
        }
    }
}

impl<const WORDS: usize> Waiting<WORDS> {
    #[inline(always)]
    pub(super) fn new(key: Key<WORDS>, packet: Arrival, seeds: &Seeds) -> Self {
        Self { key, tag: key.hash(seeds), packet }
    }

    /// Returns which of several tables counts the packet. Tables tell their slots by the highest bits
    /// of a tag, so that these are its lowest.
    #[inline(always)]
    pub(super) fn share(&self, table_count: usize) -> usize {
        (self.tag as u8 as usize * table_count) >> u8::BITS
    }
}

/// Entries in blocks, so that growing copies none of them.
struct Entries<const WORDS: usize> {
    blocks: Vec<HugeSlice<Entry<WORDS>>>,
    len: usize,
}

/// A block of IPv4 entries is a huge page.
const BLOCK_BITS: u32 = 15;
const BLOCK_LEN: usize = 1 << BLOCK_BITS;

impl<const WORDS: usize> Default for Entries<WORDS> {
    fn default() -> Self {
        Self { blocks: Vec::new(), len: 0 }
    }
}

impl<const WORDS: usize> Entries<WORDS> {
    fn push(&mut self, entry: Entry<WORDS>) -> u32 {
        let position = position_of(self.len);
        let (block, at) = place(position);
        if block == self.blocks.len() {
            self.blocks.push(HugeSlice::filled(entry, BLOCK_LEN));
        }
        self.blocks[block][at] = entry;
        self.len += 1;
        position
    }

    #[inline(always)]
    fn get(&self, position: u32) -> &Entry<WORDS> {
        let (block, at) = place(position);
        &self.blocks[block][at]
    }

    #[inline(always)]
    fn get_mut(&mut self, position: u32) -> &mut Entry<WORDS> {
        let (block, at) = place(position);
        &mut self.blocks[block][at]
    }

    /// Asks for an entry; for [`NOWHERE`], for nothing.
    #[inline(always)]
    fn prefetch(&self, position: u32) {
        let (block, at) = place(position);
        if let Some(block) = self.blocks.get(block) {
            prefetch(block, at);
        }
    }
}

#[inline(always)]
fn place(position: u32) -> (usize, usize) {
    ((position >> BLOCK_BITS) as usize, position as usize & (BLOCK_LEN - 1))
}

#[inline(always)]
fn word_of(tag: u32, position: u32) -> u64 {
    u64::from(tag) << 32 | u64::from(position + 1)
}

/// Returns true for a slot that nothing of the current input stands in. One of an earlier input is
/// free as well: each flow of this one was put into the first free slot on its way, so that none
/// stands behind it.
#[inline(always)]
fn is_free(word: u64, first_of_input: u32) -> bool {
    // The position is stored with 1 added, and an empty slot is 0.
    (word as u32) <= first_of_input
}

#[inline(always)]
fn tag_of(word: u64) -> u32 {
    (word >> 32) as u32
}

/// # Panics
///
/// For an empty slot, which callers pass over.
#[inline(always)]
fn position_in(word: u64) -> u32 {
    word as u32 - 1
}

fn position_of(len: usize) -> u32 {
    u32::try_from(len)
        .ok()
        .filter(|&len| len < NOWHERE - 1)
        .expect("the memory bound is below 2^32 flows")
}
