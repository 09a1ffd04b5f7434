//! The verification: every logical flow gets a verdict, and what is wrong becomes findings.

use std::io;
use std::sync::Arc;

use super::compiled_policy::CompiledPolicy;
use super::evidence::Evidence;
use super::firewall_evidence::GatheredEvidence;
use super::flows::{FlowGatherer, GatheredFlows, ObservedFlow, link_legs};
use super::judge::{Context, Judge};
use super::pool_index::PoolIndex;
use super::row_keeper::RowKeeper;
use super::row_verdicts::{self, LinkStep, RowNames, RowVerdicts};
use super::sums::Sums;
use super::{CoverageReport, FirewallEvidence, Places, Policy, unobservable};
use crate::classify::RowSink;
use crate::fib::{Fib, SnapshotTables};
use crate::spill::{PartitionBuffers, Partitions, SpillRoom, for_each_partition};

/// Judges recorded flows.
///
/// The report lacks what only the caller knows: the books of the inputs and the hashes of files.
///
/// Flows are joined by 5-tuple, then with their legs by destination, then judged by source, since
/// the lines of a log name a source; each time in partitions, of which as many are worked on at once
/// as there are threads. What of them memory does not hold waits in the room that is given, and so do
/// the lines; so what one 5-tuple, one destination that legs go to, or one source has must fit.
///
/// Cost: O(n log n) for n flows; each pair of addresses is routed about once.
#[derive(Debug)]
pub struct Verifier<'r> {
    /// The route tables, for explanations.
    pub tables: &'r SnapshotTables,
    /// The same, compiled.
    pub fib: &'r Fib,
    /// What the policy's selectors stand for.
    pub places: &'r Places,
    /// What is asked.
    pub policy: &'r Policy,
    /// How many partitions are worked on at once, on the threads of the current rayon pool; at
    /// least 1. The result does not depend on it.
    pub threads: usize,
    /// The bound on the memory of flows.
    pub memory_bytes_max: usize,
    /// Where flows go past the bound.
    pub room: SpillRoom,
}

impl Verifier<'_> {
    /// Gives every flow its verdict.
    ///
    /// # Errors
    ///
    /// When the room fails.
    pub fn verify(
        &self,
        flows: FlowGatherer,
        evidence: FirewallEvidence,
    ) -> io::Result<CoverageReport> {
        self.judge_flows(flows, evidence, &mut None).map(|(report, _)| report)
    }

    /// Gives every flow its verdict, and every row with that of its flow to `sink`, in the order in
    /// which a classification gives them.
    ///
    /// # Errors
    ///
    /// When the room fails, or the sink cannot take a row.
    pub fn verify_rows<S: RowSink>(
        &self,
        kept: RowKeeper,
        evidence: FirewallEvidence,
        sink: &mut S,
    ) -> io::Result<CoverageReport> {
        let RowKeeper { gatherer, rows } = kept;
        let verdicts = RowVerdicts::new(&rows, self.memory_bytes_max / 3, &self.room);
        let mut verdicts = Some(verdicts);
        let (report, files) = self.judge_flows(gatherer, evidence, &mut verdicts)?;
        let names =
            RowNames { policy: self.policy, sources: &report.evidence_sources, files: &files };
        verdicts.expect("was given").write(rows, &names, sink)?;
        Ok(report)
    }

    /// Returns the report and the names of the inputs, by rank.
    fn judge_flows(
        &self,
        flows: FlowGatherer,
        evidence: FirewallEvidence,
        rows: &mut Option<RowVerdicts>,
    ) -> io::Result<(CoverageReport, Vec<Arc<str>>)> {
        let tolerance_ns = evidence.time_tolerance_ns;
        let heeds_records = evidence.heeds_records;
        let mut gathered = flows.finish();
        let mut by_source = self.by_source(&mut gathered, tolerance_ns, rows)?;
        let GatheredEvidence { mut lines, slots, sources } = evidence.finish();
        let context = Context {
            run: self,
            rules: CompiledPolicy::of(self.policy, self.places),
            places: self.places.compile(),
            pool_members: PoolIndex::of(self.places),
            heeds_records,
            evidence: Evidence::new(&sources, &slots, &self.places.firewall_names, tolerance_ns),
            timeline_step_ns: timeline_step_ns(gathered.span_ns),
            unobservable: unobservable::of_run(self.places, gathered.has_log_flows),
            rows: rows.as_ref().map(RowVerdicts::order),
        };
        let mut judges: Vec<Judge<'_>> = (0..self.threads).map(|_| Judge::new(&context)).collect();
        for_each_partition(
            &mut judges,
            |partition| Ok((by_source.take(partition)?, lines.take(partition)?)),
            |judge, (flows, lines)| {
                let lines = context.evidence.read_lines(lines);
                judge.judge_all(&ObservedFlow::read_all(flows), &lines);
            },
            |judge| match rows {
                Some(rows) => rows.absorb_verdicts(&mut judge.rows),
                None => Ok(()),
            },
        )?;
        let mut sums = Sums::default();
        judges.into_iter().for_each(|judge| sums.absorb(judge.sums));
        let files = gathered.files();
        Ok((context.report(sums, files, sources), files.to_vec()))
    }

    /// Brings the logical flows of each source together.
    fn by_source(
        &self,
        gathered: &mut GatheredFlows,
        tolerance_ns: i64,
        rows: &mut Option<RowVerdicts>,
    ) -> io::Result<Partitions> {
        if gathered.are_joined && gathered.has_no_legs() {
            return Ok(std::mem::replace(&mut gathered.flows, self.partitions()));
        }
        let mut joined = Joined { with_legs: self.partitions(), by_source: self.partitions() };
        self.join(gathered, &mut joined, rows)?;
        self.link(gathered, &mut joined, tolerance_ns, rows)?;
        Ok(joined.by_source)
    }

    /// A third of the memory each, since three stages overlap at most.
    fn partitions(&self) -> Partitions {
        Partitions::new(self.memory_bytes_max / 3, self.room.clone())
    }

    fn join(
        &self,
        gathered: &mut GatheredFlows,
        joined: &mut Joined,
        rows: &mut Option<RowVerdicts>,
    ) -> io::Result<()> {
        let mut flows = std::mem::replace(&mut gathered.flows, self.partitions());
        let gathered = &*gathered;
        let order = rows.as_ref().map(RowVerdicts::order);
        for_each_partition(
            &mut self.buffers(),
            |partition| flows.take(partition),
            |JoinBuffers { legs, whole, links }, bytes| {
                gathered.join(
                    bytes,
                    |flow| match gathered.may_have_legs(&flow) {
                        true => {
                            let hash = gathered.hasher.hash_one(flow.target());
                            legs.push(hash, |bytes| flow.write(bytes));
                        }
                        false => {
                            let hash = gathered.hasher.hash_one(flow.source);
                            whole.push(hash, |bytes| flow.write(bytes));
                        }
                    },
                    |record, stands| row_verdicts::link(order.as_deref(), links, record, stands),
                );
            },
            |buffers| {
                joined.with_legs.absorb(&mut buffers.legs)?;
                joined.by_source.absorb(&mut buffers.whole)?;
                absorb_links(rows, LinkStep::Record, &mut buffers.links)
            },
        )
    }

    fn link(
        &self,
        gathered: &GatheredFlows,
        joined: &mut Joined,
        tolerance_ns: i64,
        rows: &mut Option<RowVerdicts>,
    ) -> io::Result<()> {
        let order = rows.as_ref().map(RowVerdicts::order);
        let Joined { with_legs, by_source } = joined;
        for_each_partition(
            &mut self.buffers(),
            |partition| with_legs.take(partition),
            |JoinBuffers { whole, links, .. }, bytes| {
                let mut flows = ObservedFlow::read_all(bytes);
                link_legs(
                    &mut flows,
                    |flow| gathered.sent_by(flow),
                    tolerance_ns,
                    |flow| {
                        let hash = gathered.hasher.hash_one(flow.source);
                        whole.push(hash, |bytes| flow.write(bytes));
                    },
                    |leg, flow| row_verdicts::link(order.as_deref(), links, leg, flow),
                );
            },
            |buffers| {
                by_source.absorb(&mut buffers.whole)?;
                absorb_links(rows, LinkStep::Leg, &mut buffers.links)
            },
        )
    }

    fn buffers(&self) -> Vec<JoinBuffers> {
        let buffers = |_| JoinBuffers {
            legs: PartitionBuffers::new(),
            whole: PartitionBuffers::new(),
            links: PartitionBuffers::new(),
        };
        (0..self.threads).map(buffers).collect()
    }
}

/// Flows on their way to being judged: those that may have legs, and the others.
struct Joined {
    with_legs: Partitions,
    by_source: Partitions,
}

/// What one thread has joined.
struct JoinBuffers {
    legs: PartitionBuffers,
    whole: PartitionBuffers,
    /// From rows to the rows that stand for them, where rows are kept.
    links: PartitionBuffers,
}

fn absorb_links(
    rows: &mut Option<RowVerdicts>,
    step: LinkStep,
    links: &mut PartitionBuffers,
) -> io::Result<()> {
    rows.as_mut().map_or(Ok(()), |rows| rows.absorb_links(step, links))
}

/// A step of the timeline, so that there are about sixty: a whole number of minutes or seconds.
fn timeline_step_ns((first, last): (i64, i64)) -> i64 {
    const STEPS_MAX: i64 = 60;
    const SECOND: i64 = 1_000_000_000;
    let span = last.saturating_sub(first);
    [1, 10, 60, 300, 600, 1800, 3600, 6 * 3600, 86_400, 7 * 86_400]
        .into_iter()
        .map(|seconds| seconds * SECOND)
        .find(|step| span / step < STEPS_MAX)
        .unwrap_or(30 * 86_400 * SECOND)
}
