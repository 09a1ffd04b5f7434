//! Ranges cut along the bits of an address, as every table with strides needs them.

use super::address::Address;
use super::ranges::Range;

/// The addresses that share their first bits, from `first` on.
pub(super) struct Block<'a, A, V> {
    pub first: A,
    /// The ranges that reach into the block; the first one may begin before it, the last one may
    /// end behind it.
    pub ranges: &'a [Range<A, V>],
}

impl<'a, A: Address, V> Block<'a, A, V> {
    /// Returns the block of all addresses.
    pub(super) fn all(ranges: &'a [Range<A, V>]) -> Self {
        Self { first: A::ZERO, ranges }
    }

    /// Cuts the block, whose addresses share their first `offset` bits, by the next `bits` bits.
    pub(super) fn for_each_slot(
        &self,
        offset: u32,
        bits: u32,
        mut visit: impl FnMut(usize, Block<'a, A, V>),
    ) {
        let ranges = self.ranges;
        let mut start = 0;
        for slot in 0..1 << bits {
            let first = self.first | A::from_slot(slot, offset, bits);
            let last = first.last_of_block(offset + bits);
            // A range that begins with the slot leaves nothing of the one before it.
            if ranges.get(start + 1).is_some_and(|range| range.first <= first) {
                start += 1;
            }
            let mut end = start + 1;
            while ranges.get(end).is_some_and(|range| range.first <= last) {
                end += 1;
            }
            visit(slot, Block { first, ranges: &ranges[start..end] });
            start = end - 1;
        }
    }

    /// Returns the fewest of the next bits that tell all ranges apart: the block's last bit but
    /// `bits_max` is the last that counts.
    pub(super) fn bits_that_differ(&self, offset: u32, bits_max: u32) -> u32 {
        let inner = self.ranges[1..].iter().map(|range| A::BITS - range.first.trailing_zeros());
        inner.max().map_or(0, |end| end.saturating_sub(offset).min(bits_max))
    }
}
