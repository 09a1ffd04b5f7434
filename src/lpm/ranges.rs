//! Nested prefixes → the flat ranges of addresses that share an answer.
//!
//! Every compiled engine starts here: on ranges there is no nesting left, so that an emitter only
//! walks from left to right.
//!
//! ```text
//!   10.0.0.0/8    ├──────────── 1 ─────────────┤
//!   10.1.0.0/16         ├──── 2 ────┤
//!   10.1.2.0/24             ├ 1 ┤
//!                ──0──┼─1─┼─2─┼─1─┼─2─┼───1────┼──0──     one range each, neighbours differ
//! ```

use super::address::Address;
use crate::net::AddressPrefix;

/// The addresses from `first` to just before the next range's first, which share an answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Range<A, V> {
    pub first: A,
    pub value: V,
}

/// Returns the ranges of one family: ascending, the first at address 0, neighbours different.
///
/// Routes of the other family are passed over. Addresses that no prefix holds get `no_route`.
/// Where one prefix occurs twice, the last one wins.
///
/// Cost: O(n log n) time for `n` routes, at most 2n + 1 ranges.
pub(super) fn flatten<A: Address, V: Copy + Eq>(
    routes: &[(AddressPrefix, V)],
    no_route: V,
) -> Vec<Range<A, V>> {
    let routes = sorted_unique(routes);
    let mut ranges = Vec::with_capacity(2 * routes.len() + 1);
    ranges.push(Range { first: A::ZERO, value: no_route });
    // The prefixes around the current one, outermost first: never more than one of each length.
    let mut open: Vec<(A, V)> = Vec::new();
    for SortedRoute { first, length, value } in routes {
        close_before(Some(first), &mut open, no_route, &mut ranges);
        begin(&mut ranges, first, value);
        open.push((first.last_of_block(u32::from(length)), value));
    }
    close_before(None, &mut open, no_route, &mut ranges);
    ranges
}

struct SortedRoute<A, V> {
    first: A,
    length: u8,
    value: V,
}

/// Sorts by address, then length: a prefix comes before those inside it.
fn sorted_unique<A: Address, V: Copy>(routes: &[(AddressPrefix, V)]) -> Vec<SortedRoute<A, V>> {
    let mut sorted: Vec<_> = routes
        .iter()
        .filter_map(|&(prefix, value)| {
            let first = A::of(prefix.address())?;
            Some(SortedRoute { first, length: prefix.length(), value })
        })
        .collect();
    // A stable sort: duplicates keep the order of the input.
    sorted.sort_by_key(|route| (route.first, route.length));
    sorted.dedup_by(|later, earlier| {
        let is_duplicate = (later.first, later.length) == (earlier.first, earlier.length);
        if is_duplicate {
            earlier.value = later.value;
        }
        is_duplicate
    });
    sorted
}

/// Ends the open prefixes that lie before `first` (all of them if there is none), which brings
/// back the value of what is around each.
fn close_before<A: Address, V: Copy + Eq>(
    first: Option<A>,
    open: &mut Vec<(A, V)>,
    no_route: V,
    ranges: &mut Vec<Range<A, V>>,
) {
    while let Some((last, _)) = open.pop_if(|(last, _)| first.is_none_or(|first| *last < first)) {
        let value = open.last().map_or(no_route, |&(_, value)| value);
        if let Some(behind) = last.next() {
            begin(ranges, behind, value);
        }
    }
}

/// Begins a range at `first`, at or behind the start of the latest one, keeping neighbours apart.
fn begin<A: Address, V: Copy + Eq>(ranges: &mut Vec<Range<A, V>>, first: A, value: V) {
    // What began at the same address held nothing.
    ranges.pop_if(|latest| latest.first == first);
    if ranges.last().is_none_or(|latest| latest.value != value) {
        ranges.push(Range { first, value });
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(routes: &[(&str, u16)], want: &[(u32, u16)]) {
        let routes: Vec<_> =
            routes.iter().map(|&(prefix, value)| (prefix.parse().expect(prefix), value)).collect();
        let ranges: Vec<(u32, u16)> = flatten(&routes, 0)
            .into_iter()
            .map(|range: Range<u32, u16>| (range.first, range.value))
            .collect();
        assert_eq!(ranges, want, "{routes:?}");
    }

    #[test]
    fn nothing_is_one_range() {
        check(&[], &[(0, 0)]);
        check(&[("::/0", 7)], &[(0, 0)]);
    }

    #[test]
    fn the_picture_above() {
        check(
            &[("10.1.2.0/24", 1), ("10.0.0.0/8", 1), ("10.1.0.0/16", 2)],
            &[
                (0, 0),
                (0x0A00_0000, 1),
                (0x0A01_0000, 2),
                (0x0A01_0200, 1),
                (0x0A01_0300, 2),
                (0x0A02_0000, 1),
                (0x0B00_0000, 0),
            ],
        );
    }

    #[test]
    fn prefixes_that_begin_or_end_together() {
        check(
            &[("0.0.0.0/0", 1), ("0.0.0.0/1", 2), ("0.0.0.0/32", 3)],
            &[(0, 3), (1, 2), (0x8000_0000, 1)],
        );
        check(
            &[("0.0.0.0/0", 1), ("128.0.0.0/1", 2), ("255.255.255.255/32", 3)],
            &[(0, 1), (0x8000_0000, 2), (u32::MAX, 3)],
        );
    }

    #[test]
    fn equal_neighbours_are_one_range() {
        check(&[("0.0.0.0/1", 4), ("128.0.0.0/1", 4)], &[(0, 4)]);
        check(
            &[("10.0.0.0/8", 4), ("10.1.0.0/16", 4)],
            &[(0, 0), (0x0A00_0000, 4), (0x0B00_0000, 0)],
        );
        // The inner prefix begins where its parent does, and equals what is left of both.
        check(
            &[("9.0.0.0/8", 1), ("10.0.0.0/8", 2), ("10.0.0.0/9", 1)],
            &[(0, 0), (0x0900_0000, 1), (0x0A80_0000, 2), (0x0B00_0000, 0)],
        );
    }

    #[test]
    fn the_last_duplicate_wins() {
        check(&[("0.0.0.0/0", 3), ("0.0.0.0/0", 1), ("0.0.0.0/0", 2)], &[(0, 2)]);
    }
}
