//! Matching two rows of times one to one, the nearest first.

use std::cmp::Reverse;
use std::collections::BinaryHeap;

/// How much earlier and how much later a line may be than its flow, nanoseconds.
#[derive(Clone, Copy, Debug)]
pub(super) struct Reach {
    pub(super) before_ns: i64,
    pub(super) after_ns: i64,
}

/// Matches times of flows with times of lines, both sorted, one to one: of all pairs within reach
/// that are left the nearest is taken, in a tie the earlier. Returns the positions of each pair.
///
/// The nearest pair of all stands side by side once both are merged into one row, and so does the
/// next after it is taken out; so a heap of neighbours is enough.
///
/// Cost: O(n log n) for n times.
pub(super) fn match_nearest(flows: &[i64], lines: &[i64], reach: Reach) -> Vec<(usize, usize)> {
    if flows.is_empty() || lines.is_empty() {
        return Vec::new();
    }
    // Most lines have one flow, and most flows one line.
    if let ([flow], [line]) = (flows, lines) {
        let since = line.saturating_sub(*flow);
        let is_near = (-reach.before_ns..=reach.after_ns).contains(&since);
        return if is_near { vec![(0, 0)] } else { Vec::new() };
    }
    let flow_times = flows.iter().enumerate().map(|(position, &time)| (time, true, position));
    let line_times = lines.iter().enumerate().map(|(position, &time)| (time, false, position));
    let mut row: Vec<(i64, bool, usize)> = flow_times.chain(line_times).collect();
    row.sort_unstable();
    let pair = |left: usize, right: usize| {
        let distance = row[right].0.abs_diff(row[left].0);
        let reach_ns = match (row[left].1, row[right].1) {
            (true, false) => reach.after_ns,
            (false, true) => reach.before_ns,
            _ => return None,
        };
        (distance <= reach_ns.unsigned_abs()).then_some(Reverse((distance, left, right)))
    };
    let end = row.len();
    let mut next: Vec<usize> = (1..=end).collect();
    let mut previous: Vec<Option<usize>> = (0..end).map(|at| at.checked_sub(1)).collect();
    let mut is_taken = vec![false; end];
    let mut near: BinaryHeap<_> = (1..end).filter_map(|right| pair(right - 1, right)).collect();
    let mut found = Vec::new();
    while let Some(Reverse((_, left, right))) = near.pop() {
        if is_taken[left] || is_taken[right] {
            continue;
        }
        (is_taken[left], is_taken[right]) = (true, true);
        let (flow, line) = if row[left].1 { (left, right) } else { (right, left) };
        found.push((row[flow].2, row[line].2));
        let (before, after) = (previous[left], next[right]);
        if let Some(before) = before {
            next[before] = after;
        }
        if after < end {
            previous[after] = before;
            near.extend(before.and_then(|before| pair(before, after)));
        }
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    fn matched(flows: &[i64], lines: &[i64], before_ns: i64, after_ns: i64) -> Vec<(usize, usize)> {
        match_nearest(flows, lines, Reach { before_ns, after_ns })
    }

    #[test]
    fn the_nearest_pair_goes_first_and_each_time_is_used_once() {
        // The flow at 11 is nearest to the line at 12; that at 10 is left with the line at 14.
        assert_eq!(matched(&[10, 11], &[12, 14], 5, 5), [(1, 0), (0, 1)]);
        assert_eq!(matched(&[10, 11], &[12, 16], 5, 5), [(1, 0)]);
        assert_eq!(matched(&[10], &[8], 1, 5), []);
        assert_eq!(matched(&[10], &[8], 2, 0), [(0, 0)]);
        assert_eq!(matched(&[10], &[12], 5, 1), []);
        assert_eq!(matched(&[], &[12], 5, 1), []);
    }

    /// The plain form: of all pairs the nearest, as long as there is one.
    fn naive(flows: &[i64], lines: &[i64], reach: Reach) -> Vec<(usize, usize)> {
        let mut found: Vec<(usize, usize)> = Vec::new();
        loop {
            let nearest = (0..flows.len())
                .flat_map(|flow| (0..lines.len()).map(move |line| (flow, line)))
                .filter(|(flow, line)| {
                    found
                        .iter()
                        .all(|(other_flow, other_line)| flow != other_flow && line != other_line)
                })
                .filter(|&(flow, line)| {
                    let since = lines[line] - flows[flow];
                    (-reach.before_ns..=reach.after_ns).contains(&since)
                })
                .min_by_key(|&(flow, line)| lines[line].abs_diff(flows[flow]));
            match nearest {
                None => return found,
                Some(pair) => found.push(pair),
            }
        }
    }

    proptest::proptest! {
        #[test]
        fn the_heap_of_neighbours_equals_the_plain_form(
            flows in proptest::collection::btree_set(0_u32..14, 0..8),
            lines in proptest::collection::btree_set(0_u32..14, 0..8),
            before in 0_u32..30,
            after in 0_u32..30,
        ) {
            // Powers of two: no two pairs are equally far apart.
            let flows: Vec<i64> = flows.into_iter().map(|at| 1 << (2 * at)).collect();
            let lines: Vec<i64> = lines.into_iter().map(|at| 1 << (2 * at + 1)).collect();
            let reach = Reach { before_ns: 1 << before, after_ns: 1 << after };
            proptest::prop_assert_eq!(
                match_nearest(&flows, &lines, reach),
                naive(&flows, &lines, reach)
            );
        }
    }
}
