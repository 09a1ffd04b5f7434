//! A tree over flat ranges of IPv6 addresses: a direct table in front, searched lines at its ends.
//!
//! ```text
//!   upper half ─▶ block: slots of equal size between the first edge and the last
//!                   │
//!                   ├─▶ value
//!                   ├─▶ block: slots again, of a smaller size, where many ranges begin
//!                   └─▶ line: up to 8 ranges in one cache line, found by one comparison
//!                         ├─▶ value
//!                         ├─▶ line again, where there are more, or keys of 32 bits end
//!                         └─▶ line of lower halves, where a /64 is split
//! ```
//!
//! A trie of fixed strides needs a dozen of them for 128 bits, and most of those would have one
//! child: IPv6 routes lie in few blocks, deep below the root. Ranges do not care how many bits
//! their ends have in common. And the halves of an address are apart because almost no route of
//! the Internet is longer than /64, while three of four prefixes of Azure's service tags are: the
//! lower half costs those alone, and in the same pace.
//!
//! A block spans from the first edge in it to the last only, so that its slots are not wasted on the
//! seven eighths of the address space that nobody routes, nor on what lies around a cluster.

use super::engine::{Engine, LpmKind};
use super::error::CompileError;
use super::kernel::Isa;
use super::kernel_tree::{Block, Line, Pointer, TreeTables, Window};
use super::ranges::Range;

/// A tree of ranges.
pub(super) struct RangeTree {
    tables: TreeTables,
}

/// The ranges of a line.
const LINE_LENGTH: usize = 8;

/// A block has up to this many slots for each range that begins in it.
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

    fn compile_within(ranges: &[Range<u128, u16>], index_max: usize) -> Result<Self, CompileError> {
        let mut arrays = Arrays { index_max, ..Arrays::default() };
        let uppers = arrays.split_halves(ranges)?;
        let root = arrays.emit_block(0, 64, &uppers)?;
        let Arrays { blocks, slots, lines, .. } = &arrays;
        Ok(Self { tables: TreeTables::new(root, blocks, slots, lines) })
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
    blocks: Vec<Block>,
    slots: Vec<Pointer>,
    lines: Vec<Line>,
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
                uppers.push(Half { first, target: self.emit_lower(&lowers)? });
                let behind = Pointer::value(value_behind);
                uppers.extend(first.checked_add(1).map(|first| Half { first, target: behind }));
            }
            value_before = value_behind;
        }
        uppers.dedup_by(|later, earlier| later.target == earlier.target);
        Ok(uppers)
    }

    /// Makes what `2^bits` upper halves from `first` on meet; the first of `ranges` may begin
    /// before them.
    fn emit(&mut self, first: u64, bits: u32, ranges: &[Half]) -> Result<Pointer, CompileError> {
        if ranges.len() < BLOCK_LENGTH_MIN {
            return self.emit_windows(first, bits, ranges, Pointer::upper_line);
        }
        let block = self.emit_block(first, bits, ranges)?;
        self.blocks.push(block);
        Ok(Pointer::block(self.blocks.len() - 1))
    }

    /// Makes slots for the `2^bits` upper halves from `first` on, between their edges: routes lie in
    /// clusters, and slots on all that is around those would leave few for them.
    fn emit_block(
        &mut self,
        first: u64,
        bits: u32,
        ranges: &[Half],
    ) -> Result<Block, CompileError> {
        let slots_first = self.slots.len();
        let (Some(inner_first), Some(inner_last)) = (ranges.get(1), ranges.last()) else {
            self.slots.push(ranges[0].target);
            return Ok(Block::new(first, 0, slots_first..slots_first + 1));
        };
        let span_bits = 64 - (inner_last.first - inner_first.first).leading_zeros();
        let shift = span_bits.saturating_sub(slot_bits(ranges.len()));
        // One slot before the first edge, one behind the last, if there is any address.
        let last = first | u64::MAX >> (64 - bits);
        let slot_first = (inner_first.first >> shift).saturating_sub(1).max(first >> shift);
        let slot_last = (inner_last.first >> shift).saturating_add(1).min(last >> shift);
        let slots_end = slots_first + (slot_last - slot_first) as usize + 1;
        self.check(slots_end, "slots")?;
        self.slots.resize(slots_end, Pointer::value(0));
        let mut start = 0;
        for (slot, index) in (slot_first..=slot_last).zip(slots_first..) {
            let (ranges, next) = ranges_of_slot(ranges, start, slot, shift);
            self.slots[index] = self.emit(slot << shift, shift, ranges)?;
            start = next;
        }
        Ok(Block::new(slot_first << shift, shift, slots_first..slots_end))
    }

    /// Makes what the lower halves of one split /64 meet.
    fn emit_lower(&mut self, ranges: &[Half]) -> Result<Pointer, CompileError> {
        // Routes to single hosts and small blocks mostly lie at the start of their /64, where 32
        // bits tell them apart and all that is behind is one more range.
        if ranges.last().is_some_and(|last| last.first < 1 << 32) {
            let window = Window { shift: 0, is_limit: true };
            return self.emit_lines(window, ranges, Pointer::lower_line);
        }
        self.emit_windows(0, 64, ranges, Pointer::lower_line)
    }

    /// Makes lines for the `2^bits` halves from `first` on, by 32 bits at a time: where ranges
    /// differ only behind those, they share a slot that leads to lines of its own.
    fn emit_windows(
        &mut self,
        first: u64,
        bits: u32,
        ranges: &[Half],
        pointer: fn(usize) -> Pointer,
    ) -> Result<Pointer, CompileError> {
        if let [range] = ranges {
            return Ok(range.target);
        }
        let finest = ranges[1..].iter().map(|range| range.first.trailing_zeros()).min();
        let shift = finest.unwrap_or(0).max(bits.saturating_sub(32));
        let slot_last = (u64::MAX >> (64 - bits)) >> shift | first >> shift;
        let mut by_slot: Vec<Half> = Vec::new();
        let mut start = 0;
        while start < ranges.len() {
            let slot = ranges[start].first.max(first) >> shift;
            // One that begins within its slot shares it with the one before.
            let reaching = start - usize::from(start > 0 && ranges[start].first > slot << shift);
            let (within, next) = ranges_of_slot(ranges, reaching, slot, shift);
            let target = self.emit_windows(slot << shift, shift, within, pointer)?;
            by_slot.push(Half { first: slot << shift, target });
            start = next + 1;
            // What a split slot's last range leaves to the slots behind.
            let is_followed =
                ranges.get(start).is_some_and(|range| range.first >> shift == slot + 1);
            if within.len() > 1 && slot < slot_last && !is_followed {
                by_slot.push(Half { first: (slot + 1) << shift, target: ranges[next].target });
            }
        }
        by_slot.dedup_by(|later, earlier| later.target == earlier.target);
        self.emit_lines(Window { shift, is_limit: false }, &by_slot, pointer)
    }

    /// Makes a line of the ranges, or lines of lines where they are too many; a single range needs
    /// none.
    fn emit_lines(
        &mut self,
        window: Window,
        ranges: &[Half],
        pointer: fn(usize) -> Pointer,
    ) -> Result<Pointer, CompileError> {
        let mut level: Vec<_> = ranges.iter().map(|range| (range.first, range.target)).collect();
        while level.len() > 1 {
            let line_count = level.len().div_ceil(LINE_LENGTH);
            self.check(self.lines.len() + line_count, "lines")?;
            // Of about equal length: full lines would leave the rest to the last one.
            level = level
                .chunks(level.len().div_ceil(line_count))
                .map(|ranges| match ranges {
                    &[range] => range,
                    _ => {
                        self.lines.push(Line::new(window, ranges));
                        (ranges[0].0, pointer(self.lines.len() - 1))
                    }
                })
                .collect();
        }
        Ok(level[0].1)
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

fn upper(address: u128) -> u64 {
    (address >> 64) as u64
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::lpm::conformance::{Compile, check_routes, conformance};
    use crate::lpm::ranges::flatten;
    use crate::lpm::table::Route;
    use crate::net::AddressPrefix;

    const COMPILE: Compile<u128> =
        |routes| Box::new(RangeTree::compile(&flatten(routes, 0)).unwrap());

    conformance!(ipv6, u128, COMPILE);

    /// Hosts `step << shift` apart from `first` on, in turn with three values.
    fn hosts(first: &str, shift: u32, count: u128) -> Vec<Route> {
        let first: std::net::Ipv6Addr = first.parse().expect(first);
        (0..count)
            .map(|step| {
                let address = std::net::Ipv6Addr::from_bits(first.to_bits() | step << shift);
                (AddressPrefix::host(address.into()), (step % 3) as u16 + 1)
            })
            .collect()
    }

    #[test]
    fn many_ranges_take_lines_of_lines_and_blocks() {
        // Around what one line holds, what two levels hold, and where blocks begin.
        for count in [1, 2, 4, 7, 8, 9, 11, 12, 13, 31, 33, 63, 65, 100, 300, 600] {
            // The upper half's bits, and those of the lower one on either side of its 32.
            for shift in [0, 1, 20, 24, 31, 32, 33, 40, 54, 64, 68, 90, 100, 116] {
                check_routes(COMPILE, &hosts("2001:db8::", shift, count), &[]);
            }
        }
    }

    #[test]
    fn edges_may_differ_in_any_bits() {
        let mut routes = Vec::new();
        for (first, shift) in [
            ("2001:db8::", 0),
            ("2001:db8::", 60),
            ("2001:db8:0:1::", 30),
            ("2001:db8:0:1:8000::", 30),
            ("2001:db8:0:2:ffff:ffff::", 0),
            ("2001:db8:0:3:ffff:ffff:ffff:ff00", 0),
            ("2001:db8:ffff:ffff::", 32),
            ("ffff:ffff:ffff:ffff::", 61),
            ("::", 63),
        ] {
            routes.extend(hosts(first, shift, 40));
        }
        check_routes(COMPILE, &routes, &[]);
        // Any one alone, so that other edges do not choose the windows.
        for route in &routes {
            check_routes(COMPILE, &[*route, ("2000::/3".parse().unwrap(), 9)], &[]);
        }
    }

    #[test]
    fn memory_is_in_proportion_to_the_ranges() {
        let bytes = |count: u128| COMPILE(&hosts("2001:db8::", 70, count)).memory_bytes();
        // At the least the upper half of each edge and what it leads to.
        assert!(bytes(4_000) >= 4_000 * 12, "{}", bytes(4_000));
        assert!(bytes(4_000) <= 4_000 * 200, "{}", bytes(4_000));
        assert!(bytes(4_000) > 7 * bytes(500), "{} {}", bytes(4_000), bytes(500));
    }

    #[test]
    fn blocks_reach_the_ends_of_the_address_space() {
        // Clusters that make a block each, at both ends and in between, alone and together.
        let clusters =
            [("::", 64), ("2001:db8::", 80), ("ffff:ffff:ffff:ff80::", 64), ("fff0::", 112)];
        let clusters = clusters.map(|(first, shift)| hosts(first, shift, 128));
        check_routes(COMPILE, &clusters.concat(), &[]);
        for routes in clusters {
            check_routes(COMPILE, &routes, &[]);
        }
    }

    #[test]
    fn too_many_lines_are_an_error() {
        let ranges = flatten(&hosts("2001:db8::", 90, 9), 0);
        assert!(RangeTree::compile_within(&ranges, 1000).is_ok());
        let error = RangeTree::compile_within(&ranges, 3).map(|_| ()).unwrap_err();
        let (kind, what) = (LpmKind::RangeTree, "lines");
        assert_eq!(error, CompileError::TooLarge { kind, what, limit: 3 });
    }
}
