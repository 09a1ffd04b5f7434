//! Sums of verdicts: those of several threads add up to the same whatever each of them judged.

use std::collections::BTreeMap;
use std::net::IpAddr;
use std::sync::Arc;

use ahash::AHashMap;

use super::flows::ObservedFlow;
use super::{CoverageTotals, FindingCode, FlowExample, Verdict, Way};

/// Sums over judged flows.
#[derive(Default)]
pub(super) struct Sums {
    pub(super) totals: BTreeMap<Verdict, CoverageTotals>,
    /// Covered, and shown by a firewall.
    pub(super) seen: CoverageTotals,
    pub(super) by_rule: BTreeMap<(usize, Verdict), CoverageTotals>,
    /// By position in `ways`, and whether the verdict is a finding.
    by_way: AHashMap<(usize, bool), CoverageTotals>,
    ways: Vec<Way>,
    way_index: AHashMap<Way, usize>,
    /// By step of the timeline.
    pub(super) timeline: BTreeMap<(i64, Verdict), CoverageTotals>,
    /// By private endpoint and the firewalls before it: flows whose answers no known translation
    /// brings back there.
    pub(super) endpoints: BTreeMap<(IpAddr, Arc<str>), CoverageTotals>,
    pub(super) findings: AHashMap<FindingKey, FindingSums>,
    /// By position among the pools' members.
    pub(super) pools: BTreeMap<usize, CoverageTotals>,
}

/// A rule by its position, a code, a source and a destination. All flows of one source are judged
/// by one thread, so that no two threads have the same.
pub(super) type FindingKey = (usize, FindingCode, IpAddr, IpAddr);

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

    /// Returns the position of a way. Its `is_finding` says nothing; the sums of both kinds of
    /// flows stand beside each other.
    pub(super) fn way(&mut self, way: Way) -> usize {
        let ways = &mut self.ways;
        *self.way_index.entry(way).or_insert_with_key(|way| {
            ways.push(way.clone());
            ways.len() - 1
        })
    }

    pub(super) fn add_way(&mut self, way: usize, is_finding: bool, totals: CoverageTotals) {
        self.by_way.entry((way, is_finding)).or_default().add(totals);
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
        add_all(&mut self.totals, other.totals);
        self.seen.add(other.seen);
        add_all(&mut self.by_rule, other.by_rule);
        add_all(&mut self.timeline, other.timeline);
        add_all(&mut self.pools, other.pools);
        add_all(&mut self.endpoints, other.endpoints);
        for ((way, is_finding), totals) in other.by_way {
            let way = self.way(other.ways[way].clone());
            self.add_way(way, is_finding, totals);
        }
        self.findings.extend(other.findings);
    }

    /// Gives out the sums by way, sorted.
    pub(super) fn take_ways(&mut self) -> Vec<(Way, CoverageTotals)> {
        let mut by_way: Vec<(Way, CoverageTotals)> = std::mem::take(&mut self.by_way)
            .into_iter()
            .map(|((way, is_finding), totals)| {
                (Way { is_finding, ..self.ways[way].clone() }, totals)
            })
            .collect();
        by_way.sort_by(|(a, _), (b, _)| a.cmp(b));
        by_way
    }
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

fn add_all<K: Ord>(sums: &mut BTreeMap<K, CoverageTotals>, others: BTreeMap<K, CoverageTotals>) {
    for (key, totals) in others {
        sums.entry(key).or_default().add(totals);
    }
}
