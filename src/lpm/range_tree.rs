//! A tree over flat ranges of IPv6 addresses: a direct table in front, searched lines at its ends.
//!
//! ```text
//!   upper half ─▶ front: slots of equal size between the first and the last route
//!                   │
//!                   ├─▶ value
//!                   ├─▶ block: slots again, of a smaller size, where many ranges begin
//!                   └─▶ line: up to 8 ranges, found by one comparison of all 8 keys
//!                         ├─▶ value
//!                         └─▶ line of lower halves, where a /64 is split
//! ```
//!
//! A trie of fixed strides needs a dozen of them for 128 bits, and most of those would have one
//! child: IPv6 routes lie in few blocks, deep below the root. Ranges do not care how many bits
//! their ends have in common. And the halves of an address are apart because almost no route of
//! the Internet is longer than /64, while three of four prefixes of Azure's service tags are: the
//! lower half costs those alone, and in the same pace.
//!
//! The front spans from the first edge to the last only, so that its slots are not wasted on the
//! seven eighths of the address space that nobody routes.

use super::engine::{Engine, LpmKind};
use super::error::CompileError;
use super::kernel::Isa;
use super::kernel_tree::{BlockHeader, Front, Keys, Pointer, Targets, TreeTables};
use super::ranges::Range;

/// A tree of ranges.
pub(super) struct RangeTree {
    tables: TreeTables,
}

/// The ranges of a line.
const LINE_LENGTH: usize = 8;

/// A table of slots has up to this many for each range that begins in it.
const SLOTS_A_RANGE: usize = 4;

/// From so many ranges on, slots are better than lines of lines.
const BLOCK_LENGTH_MIN: usize = 24;

/// The most slots that a table may have, as a power of two.
const SLOT_BITS_MAX: u32 = 20;

impl RangeTree {
    /// Compiles flat ranges.
    pub(super) fn compile(ranges: &[Range<u128, u16>]) -> Result<Self, CompileError> {
        Self::compile_within(ranges, Pointer::INDEX_MAX)
    }

    fn compile_within(
        ranges: &[Range<u128, u16>],
        index_max: usize,
    ) -> Result<Self, CompileError> {
        let mut arrays = Arrays { index_max, ..Arrays::default() };
        let uppers = arrays.split_halves(ranges)?;
        let (front, front_slots) = arrays.emit_front(&uppers)?;
        let Arrays { headers, slots, keys, targets, .. } = &arrays;
        Ok(Self { tables: TreeTables::new(front, &front_slots, headers, slots, keys, targets) })
    }
}

impl Engine<u128> for RangeTree {
    fn kind(&self) -> LpmKind {
        LpmKind::RangeTree
    }

    fn lookup(&self, address: u128) -> u16 {
        self.tables.lookup(address)
    }

    fn lookup_batch(&self, isa: Isa, addresses: &[u128], values: &mut [u16]) {
        self.tables.lookup_batch(isa, addresses, values);
    }

    fn memory_bytes(&self) -> usize {
        size_of::<Self>() + self.tables.heap_bytes()
    }
}

/// A range of halves of addresses, up to where the next one begins, and where it leads.
#[derive(Clone, Copy)]
struct Half {
    first: u64,
    target: Pointer,
}

/// What the tree is made of.
#[derive(Default)]
struct Arrays {
    headers: Vec<BlockHeader>,
    slots: Vec<Pointer>,
    keys: Vec<Keys>,
    targets: Vec<Targets>,
    index_max: usize,
}

impl Arrays {
    /// Returns the ranges of upper halves; a /64 that is split is one that leads to its own lines.
    fn split_halves(&mut self, ranges: &[Range<u128, u16>]) -> Result<Vec<Half>, CompileError> {
        let mut uppers = Vec::with_capacity(ranges.len());
        let mut value_before = 0;
        let mut lowers = Vec::new();
        for starts in ranges.chunk_by(|a, b| upper(a.first) == upper(b.first)) {
            let first = upper(starts[0].first);
            let value_behind = starts[starts.len() - 1].value;
            // What a split /64 left to the ones behind it.
            uppers.pop_if(|half: &mut Half| half.first == first);
            if starts.iter().all(|range| range.first as u64 == 0) {
                uppers.push(Half { first, target: Pointer::value(value_behind) });
            } else {
                lowers.clear();
                if starts[0].first as u64 != 0 {
                    lowers.push(Half { first: 0, target: Pointer::value(value_before) });
                }
                lowers.extend(starts.iter().map(|range| Half {
                    first: range.first as u64,
                    target: Pointer::value(range.value),
                }));
                uppers.push(Half { first, target: self.emit_lines(&lowers, Pointer::lower_line)? });
                let behind = Pointer::value(value_behind);
                uppers.extend(first.checked_add(1).map(|first| Half { first, target: behind }));
            }
            value_before = value_behind;
        }
        uppers.dedup_by(|later, earlier| later.target == earlier.target);
        Ok(uppers)
    }

    fn emit_front(&mut self, uppers: &[Half]) -> Result<(Front, Vec<Pointer>), CompileError> {
        let (Some(inner_first), Some(inner_last)) = (uppers.get(1), uppers.last()) else {
            let front = Front { first: 0, shift: 0 };
            return Ok((front, vec![uppers[0].target]));
        };
        let span_bits = 64 - (inner_last.first - inner_first.first).leading_zeros();
        let shift = span_bits.saturating_sub(slot_bits(uppers.len()));
        // One slot before the first edge, one behind the last.
        let first = (inner_first.first >> shift).saturating_sub(1);
        let last = (inner_last.first >> shift).saturating_add(1).min(u64::MAX >> shift);
        let mut front_slots = Vec::with_capacity((last - first) as usize + 1);
        let mut start = 0;
        for slot in first..=last {
            let (ranges, next) = ranges_of_slot(uppers, start, slot, shift);
            front_slots.push(self.emit(slot << shift, shift, ranges)?);
            start = next;
        }
        Ok((Front { first: first << shift, shift }, front_slots))
    }

    /// Makes what `2^bits` upper halves from `first` on meet; the first of `ranges` may begin
    /// before them.
    fn emit(&mut self, first: u64, bits: u32, ranges: &[Half]) -> Result<Pointer, CompileError> {
        if ranges.len() < BLOCK_LENGTH_MIN || bits == 0 {
            return self.emit_lines(ranges, Pointer::upper_line);
        }
        let slot_bits = slot_bits(ranges.len()).min(bits);
        let shift = bits - slot_bits;
        let slots_first = self.slots.len();
        self.check(slots_first + (1 << slot_bits), "slots")?;
        self.slots.resize(slots_first + (1 << slot_bits), Pointer::value(0));
        let index = self.headers.len();
        self.headers.push(BlockHeader::new(first, shift, slots_first));
        let mut start = 0;
        for slot in 0..1 << slot_bits {
            let (ranges, next) = ranges_of_slot(ranges, start, (first >> shift) + slot, shift);
            let pointer = self.emit(first + (slot << shift), shift, ranges)?;
            self.slots[slots_first + slot as usize] = pointer;
            start = next;
        }
        Ok(Pointer::block(index))
    }

    /// Makes a line of the ranges, or lines of lines where they are too many; a single range needs
    /// none.
    fn emit_lines(
        &mut self,
        ranges: &[Half],
        pointer: fn(usize) -> Pointer,
    ) -> Result<Pointer, CompileError> {
        let mut level = ranges.to_vec();
        while level.len() > 1 {
            let line_count = level.len().div_ceil(LINE_LENGTH);
            self.check(self.keys.len() + line_count, "lines")?;
            let mut above = Vec::with_capacity(line_count);
            // Of about equal length: full lines would leave the rest to the last one.
            for ranges in level.chunks(level.len().div_ceil(line_count)) {
                let target = match ranges {
                    [range] => range.target,
                    _ => {
                        self.keys.push(Keys(repeat_last(ranges, |range| range.first)));
                        self.targets.push(Targets(repeat_last(ranges, |range| range.target)));
                        pointer(self.keys.len() - 1)
                    }
                };
                above.push(Half { first: ranges[0].first, target });
            }
            level = above;
        }
        Ok(level[0].target)
    }

    fn check(&self, count: usize, what: &'static str) -> Result<(), CompileError> {
        if count <= self.index_max {
            return Ok(());
        }
        Err(CompileError::TooLarge { kind: LpmKind::RangeTree, what, limit: self.index_max })
    }
}

/// Returns the ranges that reach into the slot, of which the one at `start` is or comes before the
/// first, and where to start for the next slot.
fn ranges_of_slot(ranges: &[Half], start: usize, slot: u64, shift: u32) -> (&[Half], usize) {
    let first = slot << shift;
    let last = first | ((1u64 << shift) - 1);
    let begins_in = |range: &Half| range.first <= last;
    let mut start = start;
    while ranges.get(start + 1).is_some_and(|range| range.first <= first) {
        start += 1;
    }
    let end = start + 1 + ranges[start + 1..].iter().take_while(|range| begins_in(range)).count();
    (&ranges[start..end], end - 1)
}

/// Returns how many slots are in proportion to the ranges, as a power of two.
fn slot_bits(range_count: usize) -> u32 {
    (SLOTS_A_RANGE * range_count).ilog2().min(SLOT_BITS_MAX)
}

/// Returns eight of something, the last for those that are missing.
///
/// A key that is repeated counts for nothing new: it leads where the last one does.
fn repeat_last<T: Copy>(ranges: &[Half], part: impl Fn(&Half) -> T) -> [T; LINE_LENGTH] {
    std::array::from_fn(|index| part(&ranges[index.min(ranges.len() - 1)]))
}

fn upper(address: u128) -> u64 {
    (address >> 64) as u64
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::lpm::conformance::conformance;
    use crate::lpm::ranges::flatten;
    use crate::lpm::table::Route;

    conformance!(ipv6, u128, |routes| Box::new(RangeTree::compile(&flatten(routes, 0)).unwrap()));
}
