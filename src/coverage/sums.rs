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
    /// The first flows.
    pub(super) examples: Vec<Example>,
    /// The first inputs that show them.
    pub(super) files: Vec<u32>,
}

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
    const FILES_MAX: usize = 10;
    const EXAMPLES_MAX: usize = 5;

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

    /// Adds a flow to a finding; the flows of one source come in the order of their times.
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
        if finding.examples.len() < Self::EXAMPLES_MAX {
            finding.examples.push(Example {
                start_time_ns: flow.start_time_ns,
                ports: flow.ports,
                protocol: flow.protocol,
                file: flow.file,
                record: flow.record,
            });
        }
        if finding.files.len() < Self::FILES_MAX && !finding.files.contains(&flow.file) {
            finding.files.push(flow.file);
        }
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

impl Example {
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
