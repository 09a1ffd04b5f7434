//! Sums of verdicts: those of several threads add up to the same whatever each of them judged.

use std::collections::BTreeMap;
use std::net::IpAddr;
use std::sync::Arc;

use ahash::AHashMap;

use super::flows::ObservedFlow;
use super::{CoverageTotals, FindingCode, FlowExample, Verdict, Way};
use crate::fib::{NextHopId, TableId};
use crate::routing::NextHopClass;

/// Sums over judged flows.
#[derive(Default)]
pub(super) struct Sums {
    totals: ByVerdict,
    /// By position of the rule.
    by_rule: Vec<ByVerdict>,
    /// By position in `ways`: of flows that are no finding, and of those that are one.
    by_way: Vec<[CoverageTotals; 2]>,
    ways: Vec<WayKey>,
    way_index: AHashMap<WayKey, usize>,
    /// By step of the timeline.
    timeline: Vec<ByVerdict>,
    /// Covered, and shown by a firewall.
    pub(super) seen: CoverageTotals,
    /// By private endpoint and the firewalls before it: flows whose answers no known translation
    /// brings back there.
    pub(super) endpoints: BTreeMap<(IpAddr, Arc<str>), CoverageTotals>,
    pub(super) findings: AHashMap<FindingKey, FindingSums>,
    /// By position among the pools' members.
    pub(super) pools: BTreeMap<usize, CoverageTotals>,
}

/// Steps of equal width over the time of all records.
#[derive(Clone, Copy, Debug)]
pub(super) struct Timeline {
    pub(super) step_ns: i64,
    /// In steps since 1970.
    first_step: i64,
}

/// The sums of each verdict, by its place among all.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct ByVerdict([CoverageTotals; Verdict::ALL.len()]);

/// A rule by its position, a code, a source and a destination. All flows of one source are judged
/// by one thread, so that no two threads have the same.
pub(super) type FindingKey = (usize, FindingCode, IpAddr, IpAddr);

/// A way that flows took, in numbers: thousands of pairs of addresses have it in common.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) struct WayKey {
    pub(super) source: Group,
    pub(super) next_hop: Option<NextHopId>,
    pub(super) next_hop_class: NextHopClass,
    pub(super) destination: Group,
}

/// What stands for an address in the sums by way.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) enum Group {
    Table(TableId),
    PrivateEndpoints,
    OnPremises,
    Internet,
    Other,
}

/// The flows of a finding.
pub(super) struct FindingSums {
    pub(super) verdict: Verdict,
    pub(super) is_back: bool,
    pub(super) totals: CoverageTotals,
    /// The first flows, in order.
    pub(super) examples: Vec<Example>,
    /// The first inputs that show them, each with the first flow there, in the order of these.
    files: Vec<(FlowOrder, u32)>,
}

/// When a flow began, its input and its record: an order in which no two are equal.
type FlowOrder = (i64, u32, u64);

/// An example, with its input by number.
#[derive(Clone, Copy)]
pub(super) struct Example {
    start_time_ns: i64,
    ports: Option<(u16, u16)>,
    protocol: u8,
    file: u32,
    record: u64,
}

impl Sums {
    /// Returns the position of a way; the sums of flows that are a finding, and of those that are
    /// none, stand beside each other.
    pub(super) fn way(&mut self, way: WayKey) -> usize {
        let ways = &mut self.ways;
        *self.way_index.entry(way).or_insert_with(|| {
            ways.push(way);
            ways.len() - 1
        })
    }

    pub(super) fn add_way(&mut self, way: usize, is_finding: bool, totals: CoverageTotals) {
        grown(&mut self.by_way, way)[usize::from(is_finding)].add(totals);
    }

    pub(super) fn add_verdict(&mut self, verdict: Verdict, totals: CoverageTotals) {
        self.totals.add(verdict, totals);
    }

    pub(super) fn add_rule(&mut self, rule: usize, verdict: Verdict, totals: CoverageTotals) {
        grown(&mut self.by_rule, rule).add(verdict, totals);
    }

    /// Adds a flow to a step of the timeline.
    pub(super) fn add_step(&mut self, step: usize, verdict: Verdict, totals: CoverageTotals) {
        grown(&mut self.timeline, step).add(verdict, totals);
    }

    /// Adds a flow to a finding; what is kept of flows does not depend on their order.
    pub(super) fn add_finding(
        &mut self,
        key: FindingKey,
        verdict: Verdict,
        is_back: bool,
        flow: &ObservedFlow,
    ) {
        let finding = self.findings.entry(key).or_insert_with(|| FindingSums {
            verdict,
            is_back,
            totals: CoverageTotals::default(),
            examples: Vec::new(),
            files: Vec::new(),
        });
        finding.totals.add(CoverageTotals::of(flow));
        finding.keep_example(flow);
        finding.keep_file(flow);
    }

    /// Adds the sums of another thread.
    pub(super) fn absorb(&mut self, other: Self) {
        self.totals.add_all(&other.totals);
        for (rule, sums) in other.by_rule.iter().enumerate() {
            grown(&mut self.by_rule, rule).add_all(sums);
        }
        for (step, sums) in other.timeline.iter().enumerate() {
            grown(&mut self.timeline, step).add_all(sums);
        }
        self.seen.add(other.seen);
        add_all(&mut self.pools, other.pools);
        add_all(&mut self.endpoints, other.endpoints);
        for (way, sums) in other.by_way.iter().enumerate() {
            let way = self.way(other.ways[way]);
            self.add_way(way, false, sums[0]);
            self.add_way(way, true, sums[1]);
        }
        self.findings.extend(other.findings);
    }

    /// Returns the sums of each verdict that occurs.
    pub(super) fn totals(&self) -> impl Iterator<Item = (Verdict, CoverageTotals)> {
        self.totals.all()
    }

    /// Returns the sums of each verdict that occurs by a rule.
    pub(super) fn of_rule(&self, rule: usize) -> impl Iterator<Item = (Verdict, CoverageTotals)> {
        self.by_rule.get(rule).into_iter().flat_map(ByVerdict::all)
    }

    /// Returns the sums of each verdict that occurs in a step, in the order of both.
    pub(super) fn timeline(&self) -> impl Iterator<Item = (usize, Verdict, CoverageTotals)> {
        let steps = self.timeline.iter().enumerate();
        steps.flat_map(|(step, sums)| sums.all().map(move |(verdict, all)| (step, verdict, all)))
    }

    /// Gives out the sums by way, sorted, with the names that `named` has for them.
    pub(super) fn take_ways(
        &mut self,
        named: impl Fn(&WayKey) -> Way,
    ) -> Vec<(Way, CoverageTotals)> {
        let mut by_way: BTreeMap<Way, CoverageTotals> = BTreeMap::new();
        for (key, sums) in self.ways.iter().zip(&self.by_way) {
            let way = named(key);
            for (is_finding, totals) in [false, true].into_iter().zip(sums) {
                if totals.flows > 0 {
                    by_way.entry(Way { is_finding, ..way.clone() }).or_default().add(*totals);
                }
            }
        }
        by_way.into_iter().collect()
    }
}

impl Timeline {
    /// Makes about sixty steps, each of a whole number of minutes or seconds.
    pub(super) fn over((first_ns, last_ns): (i64, i64)) -> Self {
        const STEPS_MAX: i64 = 60;
        const SECOND: i64 = 1_000_000_000;
        let span = last_ns.saturating_sub(first_ns);
        let step_ns = [1, 10, 60, 300, 600, 1800, 3600, 6 * 3600, 86_400, 7 * 86_400]
            .into_iter()
            .map(|seconds| seconds * SECOND)
            .find(|step| span / step < STEPS_MAX)
            .unwrap_or(30 * 86_400 * SECOND);
        Self { step_ns, first_step: first_ns.div_euclid(step_ns) }
    }

    /// The step of a time, which is not before the first.
    pub(super) fn step_of(&self, time_ns: i64) -> usize {
        let step = time_ns.div_euclid(self.step_ns) - self.first_step;
        usize::try_from(step).expect("no flow begins before the first record")
    }

    /// When a step begins.
    pub(super) fn start_ns(&self, step: usize) -> i64 {
        (self.first_step + step as i64).saturating_mul(self.step_ns)
    }
}

impl ByVerdict {
    fn add(&mut self, verdict: Verdict, totals: CoverageTotals) {
        self.0[verdict as usize].add(totals);
    }

    fn add_all(&mut self, other: &Self) {
        self.0.iter_mut().zip(other.0).for_each(|(sum, totals)| sum.add(totals));
    }

    fn all(&self) -> impl Iterator<Item = (Verdict, CoverageTotals)> + use<> {
        Verdict::ALL.into_iter().zip(self.0).filter(|(_, totals)| totals.flows > 0)
    }
}

fn add_all<K: Ord>(sums: &mut BTreeMap<K, CoverageTotals>, others: BTreeMap<K, CoverageTotals>) {
    for (key, totals) in others {
        sums.entry(key).or_default().add(totals);
    }
}

/// Returns the sums at a position, which may be behind the last so far.
fn grown<T: Clone + Default>(all: &mut Vec<T>, position: usize) -> &mut T {
    if position >= all.len() {
        all.resize(position + 1, T::default());
    }
    &mut all[position]
}

impl FindingSums {
    const FILES_MAX: usize = 10;
    const EXAMPLES_MAX: usize = 5;

    /// The first inputs that show the flows, by number.
    pub(super) fn files(&self) -> impl Iterator<Item = u32> {
        self.files.iter().map(|&(_, file)| file)
    }

    fn keep_example(&mut self, flow: &ObservedFlow) {
        let example = Example::of(flow);
        let place = self.examples.partition_point(|other| other.order() < example.order());
        if place < Self::EXAMPLES_MAX {
            self.examples.insert(place, example);
            self.examples.truncate(Self::EXAMPLES_MAX);
        }
    }

    /// An input that falls out comes back with a flow before those that pushed it out.
    fn keep_file(&mut self, flow: &ObservedFlow) {
        let order = Example::of(flow).order();
        let known = self.files.iter().position(|&(_, file)| file == flow.file);
        match known {
            Some(known) if self.files[known].0 <= order => return,
            Some(known) => _ = self.files.remove(known),
            None => {}
        }
        let place = self.files.partition_point(|(first, _)| *first < order);
        if place < Self::FILES_MAX {
            self.files.insert(place, (order, flow.file));
            self.files.truncate(Self::FILES_MAX);
        }
    }
}

impl Example {
    fn of(flow: &ObservedFlow) -> Self {
        Self {
            start_time_ns: flow.start_time_ns,
            ports: flow.ports,
            protocol: flow.protocol,
            file: flow.file,
            record: flow.record,
        }
    }

    fn order(&self) -> FlowOrder {
        (self.start_time_ns, self.file, self.record)
    }

    pub(super) fn named(&self, files: &[std::sync::Arc<str>]) -> FlowExample {
        FlowExample {
            start_time_ns: self.start_time_ns,
            ports: self.ports,
            protocol: self.protocol,
            source_file: files[self.file as usize].to_string(),
            source_record: self.record,
        }
    }
}

impl CoverageTotals {
    pub(super) fn of(flow: &ObservedFlow) -> Self {
        Self { flows: 1, tuples: flow.tuples, packets: flow.packets, bytes: flow.bytes }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::super::firewall_set::FirewallSet;
    use super::*;

    fn flow(start_time_ns: i64, file: u32, record: u64) -> ObservedFlow {
        ObservedFlow {
            start_time_ns,
            end_time_ns: start_time_ns,
            source: "10.0.0.4".parse().unwrap(),
            destination: "10.1.0.4".parse().unwrap(),
            ports: None,
            protocol: 6,
            direction: None,
            is_denied: false,
            shows_begin: true,
            recorded_at: FirewallSet::default(),
            is_translated: false,
            is_platform: false,
            tuples: 1,
            packets: 0,
            bytes: 0,
            file,
            record,
            row: None,
        }
    }

    proptest! {
        /// The plain form: all flows sorted, then the first of them, and the first inputs among them.
        #[test]
        fn a_finding_keeps_its_first_flows_and_inputs_in_whatever_order_they_come(
            flows in prop::collection::vec((0..6_i64, 0..15_u32), 1..60),
        ) {
            let flows: Vec<ObservedFlow> =
                (0..).zip(&flows).map(|(record, &(start, file))| flow(start, file, record)).collect();
            let mut sums = Sums::default();
            let key = (0, FindingCode::ALL[0], flows[0].source, flows[0].destination);
            flows.iter().for_each(|flow| sums.add_finding(key, Verdict::Bypass, false, flow));
            let finding = &sums.findings[&key];
            let mut sorted: Vec<FlowOrder> =
                flows.iter().map(|flow| Example::of(flow).order()).collect();
            sorted.sort_unstable();
            let kept: Vec<FlowOrder> = finding.examples.iter().map(Example::order).collect();
            prop_assert_eq!(&kept[..], &sorted[..sorted.len().min(FindingSums::EXAMPLES_MAX)]);
            let mut files: Vec<u32> = Vec::new();
            for (_, file, _) in sorted {
                if !files.contains(&file) {
                    files.push(file);
                }
            }
            files.truncate(FindingSums::FILES_MAX);
            prop_assert_eq!(finding.files().collect::<Vec<_>>(), files);
        }

        #[test]
        fn every_time_of_a_span_has_its_step(
            first in any::<i64>(),
            length in prop_oneof![0..i64::MAX, 0..1_000_000_000_000_i64],
        ) {
            let last = first.saturating_add(length);
            let timeline = Timeline::over((first, last));
            prop_assert_eq!(timeline.step_of(first), 0);
            let step = timeline.step_of(last);
            // Past 30 days a step the steps are as many as they must be.
            prop_assert!(step <= 60 || timeline.step_ns == 30 * 86_400 * 1_000_000_000);
            prop_assert!(timeline.start_ns(step) <= last);
            prop_assert!(last - timeline.start_ns(step) < timeline.step_ns);
        }
    }
}
