//! Sums over rows by next hop, dense by its small number.

use std::collections::BTreeMap;

use super::{Label, NextHopSummary, Totals};
use crate::azure::NextHopIps;
use crate::fib::{Fib, NextHopId};
use crate::routing::NextHopClass;
use crate::traffic::Counters;

/// The sums of a run, or of one thread's part of it.
#[derive(Debug)]
pub(super) struct RunTotals {
    by_next_hop: Vec<Totals>,
    without_next_hop: [Totals; NextHopClass::ALL.len()],
}

/// The sums with names, as a summary shows them.
pub(super) struct NamedTotals {
    pub(super) by_class: Vec<(NextHopClass, Totals)>,
    pub(super) by_next_hop: Vec<(NextHopSummary, Totals)>,
}

impl RunTotals {
    pub(super) fn new(fib: &Fib) -> Self {
        Self {
            by_next_hop: vec![Totals::default(); fib.next_hop_count()],
            without_next_hop: [Totals::default(); NextHopClass::ALL.len()],
        }
    }

    pub(super) fn add(&mut self, label: &Label, counters: &Counters) {
        let row = Totals::of_row(counters);
        match label.next_hop {
            Some(id) if label.unknown.is_none() => self.by_next_hop[id.index()].add(row),
            _ => self.without_next_hop[label.class as usize].add(row),
        }
    }

    /// Adds the sums of a thread and sets them to zero.
    pub(super) fn absorb(&mut self, part: &mut Self) {
        for (sum, other) in self.by_next_hop.iter_mut().zip(&mut part.by_next_hop) {
            sum.add(std::mem::take(other));
        }
        for (sum, other) in self.without_next_hop.iter_mut().zip(&mut part.without_next_hop) {
            sum.add(std::mem::take(other));
        }
    }

    /// Names the next hops; those that look the same are one.
    pub(super) fn summed(&self, fib: &Fib) -> NamedTotals {
        let mut by_next_hop: BTreeMap<NextHopSummary, Totals> = BTreeMap::new();
        let hops = self.by_next_hop.iter().enumerate().map(|(index, totals)| {
            let id = NextHopId::at(index).expect("is one of the table's");
            (summary_of(fib, id), totals)
        });
        let others = NextHopClass::ALL
            .into_iter()
            .map(|class| (without_route(class), &self.without_next_hop[class as usize]));
        for (hop, totals) in hops.chain(others).filter(|(_, totals)| totals.flows > 0) {
            by_next_hop.entry(hop).or_default().add(*totals);
        }
        let mut by_class = [Totals::default(); NextHopClass::ALL.len()];
        for (hop, totals) in &by_next_hop {
            by_class[hop.class as usize].add(*totals);
        }
        let by_class = NextHopClass::ALL
            .into_iter()
            .map(|class| (class, by_class[class as usize]))
            .filter(|(_, totals)| totals.flows > 0)
            .collect();
        let mut by_next_hop: Vec<_> = by_next_hop.into_iter().collect();
        by_next_hop.sort_by(|(hop_a, a), (hop_b, b)| {
            (b.bytes, b.flows).cmp(&(a.bytes, a.flows)).then_with(|| hop_a.cmp(hop_b))
        });
        NamedTotals { by_class, by_next_hop }
    }
}

fn summary_of(fib: &Fib, id: NextHopId) -> NextHopSummary {
    let hop = fib.next_hop(id);
    NextHopSummary {
        next_hop_type: Some(hop.next_hop_type.as_str().to_owned()),
        next_hop_ips: hop.ips.clone(),
        next_hop_name: hop.name.clone(),
        class: hop.class,
    }
}

fn without_route(class: NextHopClass) -> NextHopSummary {
    NextHopSummary {
        next_hop_type: None,
        next_hop_ips: NextHopIps::new(),
        next_hop_name: None,
        class,
    }
}
