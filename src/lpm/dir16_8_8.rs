//! DIR-16-8-8: one entry for each /16, then for each /24 where that is not enough, then for each
//! address.
//!
//! ```text
//!   address  │  16 bits  │ 8 bits │ 8 bits │
//!                  │          │        │
//!   TBL16        [ ▼ ]        │        │         2^16 entries
//!   TBL24          └────▶   [ ▼ ]      │         up to 256 entries a group
//!   TBL32                     └────▶ [ ▼ ]       up to 256 values a group
//! ```
//!
//! DIR-24-8 with its first table halved: 256 KiB and what the routes need, instead of 16 MiB. What
//! that costs is a third read, and what it buys is that tables of hundreds to tens of thousands of
//! routes stay in the inner caches.
//!
//! Every lookup reads all three tables. One that has its answer early reads it again from the
//! entry that stands for it alone: a branch there would be taken half the time, at random, and
//! cost more than the reads.
//!
//! A group has only as many entries as tell its ranges apart: a /16 of two halves takes 2, not 256.
//!
//! Source: P. Gupta, S. Lin, N. McKeown, "Routing Lookups in Hardware at Memory Access Speeds",
//! INFOCOM 1998, §3 and §4.2 (more than two levels).

use super::blocks::Block;
use super::engine::{Engine, LpmKind};
use super::error::CompileError;
use super::kernel::Isa;
use super::kernel_dir::{Dir16Tables, Entry};
use super::ranges::Range;

/// DIR-16-8-8.
pub(super) struct Dir16_8_8 {
    tables: Dir16Tables,
}

impl Dir16_8_8 {
    /// Compiles flat ranges.
    pub(super) fn compile(ranges: &[Range<u32, u16>]) -> Result<Self, CompileError> {
        Self::compile_within(ranges, Entry::INDEX_MAX)
    }

    fn compile_within(ranges: &[Range<u32, u16>], index_max: usize) -> Result<Self, CompileError> {
        let (tbl24_length, tbl32_length) = lengths(ranges);
        for (what, length) in [("TBL24 entries", tbl24_length), ("TBL32 values", tbl32_length)] {
            if length > index_max {
                let kind = LpmKind::Dir16_8_8;
                return Err(CompileError::TooLarge { kind, what, limit: index_max });
            }
        }
        let mut tbl16 = Vec::with_capacity(1 << 16);
        // Each value first, as its own answer.
        let mut tbl24: Vec<_> =
            (0..=value_max(ranges)).map(|value| Entry::value(value, 8)).collect();
        let mut tbl32: Vec<_> = (0..=value_max(ranges)).collect();
        tbl24.reserve_exact(tbl24_length - tbl24.len());
        tbl32.reserve_exact(tbl32_length - tbl32.len());
        Block::all(ranges).for_each_slot(0, 16, |_, block| {
            tbl16.push(match block.ranges {
                [range] => Entry::value(range.value, 16),
                _ => emit_group(&block, &mut tbl24, &mut tbl32),
            });
        });
        debug_assert_eq!((tbl24.len(), tbl32.len()), (tbl24_length, tbl32_length));
        Ok(Self { tables: Dir16Tables::new(&tbl16, &tbl24, &tbl32) })
    }

    /// Returns the bytes that the table of these ranges will hold.
    pub(super) fn memory_bytes_of(ranges: &[Range<u32, u16>]) -> usize {
        let (tbl24_length, tbl32_length) = lengths(ranges);
        size_of::<Self>() + ((1 << 16) + tbl24_length) * size_of::<Entry>() + tbl32_length * 2
    }
}

impl Engine<u32> for Dir16_8_8 {
    fn kind(&self) -> LpmKind {
        LpmKind::Dir16_8_8
    }

    fn lookup(&self, address: u32) -> u16 {
        self.tables.lookup(address)
    }

    fn lookup_batch(&self, isa: Isa, addresses: &[u32], values: &mut [u16]) {
        self.tables.lookup_batch(isa, addresses, values);
    }

    fn memory_bytes(&self) -> usize {
        size_of::<Self>() + self.tables.heap_bytes()
    }
}

/// Writes the TBL24 group of a /16, and the TBL32 groups of what is longer than /24 in it.
fn emit_group(block: &Block<'_, u32, u16>, tbl24: &mut Vec<Entry>, tbl32: &mut Vec<u16>) -> Entry {
    let bits = block.bits_that_differ(16, 8);
    let entry = Entry::group(tbl24.len(), 16 - bits);
    block.for_each_slot(16, bits, |_, block| {
        tbl24.push(match block.ranges {
            [range] => Entry::value(range.value, 8),
            _ => {
                let bits = block.bits_that_differ(24, 8);
                let entry = Entry::group(tbl32.len(), 8 - bits);
                block.for_each_slot(24, bits, |_, block| tbl32.push(block.ranges[0].value));
                entry
            }
        });
    });
    entry
}

/// Returns the lengths of TBL24 and TBL32.
fn lengths(ranges: &[Range<u32, u16>]) -> (usize, usize) {
    let values = usize::from(value_max(ranges)) + 1;
    (values + groups_length(ranges, 16), values + groups_length(ranges, 24))
}

/// Adds up the groups of blocks that share `offset` bits and are told apart by up to 8 more.
fn groups_length(ranges: &[Range<u32, u16>], offset: u32) -> usize {
    let block_of = |range: &Range<u32, u16>| range.first >> (32 - offset);
    ranges
        .chunk_by(|a, b| block_of(a) == block_of(b))
        .map(|starts| {
            let last_bit = starts.iter().map(|range| 32 - range.first.trailing_zeros()).max();
            let bits = last_bit.unwrap_or(0).saturating_sub(offset).min(8);
            if bits == 0 { 0 } else { 1 << bits }
        })
        .sum()
}

fn value_max(ranges: &[Range<u32, u16>]) -> u16 {
    ranges.iter().map(|range| range.value).max().unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::lpm::conformance::conformance;
    use crate::lpm::ranges::flatten;
    use crate::lpm::table::Route;

    conformance!(ipv4, u32, |routes| Box::new(Dir16_8_8::compile(&flatten(routes, 0)).unwrap()));

    fn ranges(routes: &[(&str, u16)]) -> Vec<Range<u32, u16>> {
        let routes: Vec<Route> =
            routes.iter().map(|&(prefix, value)| (prefix.parse().expect(prefix), value)).collect();
        flatten(&routes, 0)
    }

    #[test]
    fn groups_are_as_long_as_their_ranges_ask() {
        // Values 0 to 2 first. A /17 halves its /16; a /24 asks for all 256 of TBL24; a /26 for
        // all of those too, and for 4 of TBL32; a /32 for 256.
        for (route, tbl24, tbl32) in [
            ("10.0.0.0/16", 0, 0),
            ("10.0.0.0/17", 2, 0),
            ("10.0.4.0/22", 64, 0),
            ("10.0.4.0/24", 256, 0),
            ("10.0.4.64/26", 256, 4),
            ("10.0.4.7/32", 256, 256),
        ] {
            let ranges = ranges(&[("0.0.0.0/0", 1), (route, 2)]);
            assert_eq!(lengths(&ranges), (3 + tbl24, 3 + tbl32), "{route}");
            let table = Dir16_8_8::compile(&ranges).unwrap();
            assert_eq!(table.memory_bytes(), Dir16_8_8::memory_bytes_of(&ranges), "{route}");
        }
    }

    #[test]
    fn too_many_entries_are_an_error() {
        let ranges = ranges(&[("10.0.4.64/26", 2)]);
        assert!(Dir16_8_8::compile_within(&ranges, 3 + 256).is_ok());
        let error = Dir16_8_8::compile_within(&ranges, 258).map(|_| ()).unwrap_err();
        let (kind, what) = (LpmKind::Dir16_8_8, "TBL24 entries");
        assert_eq!(error, CompileError::TooLarge { kind, what, limit: 258 });
    }
}
