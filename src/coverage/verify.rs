//! The verification: every logical flow gets a verdict, and what is wrong becomes findings.

use std::io;
use std::net::IpAddr;
use std::sync::Arc;

use ahash::AHashSet;

use super::compiled_policy::CompiledPolicy;
use super::evidence::Evidence;
use super::firewall_evidence::GatheredEvidence;
use super::flows::{FlowGatherer, GatheredFlows, ObservedFlow, ObservedFlows};
use super::joining::{joined, link_legs};
use super::judge::{Context, Judge};
use super::merged_flows::MergedFlows;
use super::pool_index::PoolIndex;
use super::row_keeper::RowKeeper;
use super::row_verdicts::{self, LinkStep, RowNames, RowVerdicts};
use super::sums::{Sums, Timeline};
use super::{CoverageReport, FirewallEvidence, Places, Policy, unobservable};
use crate::classify::{RowSink, WaitingTuples};
use crate::fib::{Fib, SnapshotTables};
use crate::spill::{PartitionBuffers, Partitions, SpillRoom, for_each_partition};

/// Judges recorded flows.
///
/// The report lacks what only the caller knows: the books of the inputs and the hashes of files.
///
/// Records are joined to flows by 5-tuple, then flows with their legs by destination; then they are
/// judged by source, since the lines of a log name a source. Each step has its partitions, of which as
/// many are worked on at once as there are threads. The tuples of logs wait by source from the
/// beginning: unless a flow may have a leg, it is judged where its tuples are merged. What memory does
/// not hold waits in the room that is given, and so do the lines; so what one 5-tuple, one destination
/// that legs go to, or one source has must fit.
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
    /// Gives every flow its verdict: those that were gathered, and those that the tuples make.
    ///
    /// # Errors
    ///
    /// When the room fails.
    pub fn verify(
        &self,
        flows: FlowGatherer,
        tuples: WaitingTuples<'_>,
        evidence: FirewallEvidence,
    ) -> io::Result<CoverageReport> {
        self.judge_flows(flows, Some(tuples), evidence, &mut None).map(|(report, _)| report)
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
        let (report, files) = self.judge_flows(gatherer, None, evidence, &mut verdicts)?;
        let names =
            RowNames { policy: self.policy, sources: &report.evidence_sources, files: &files };
        verdicts.expect("was given").write(rows, &names, sink)?;
        Ok(report)
    }

    /// Returns the report and the names of the inputs, by rank.
    fn judge_flows(
        &self,
        flows: FlowGatherer,
        tuples: Option<WaitingTuples<'_>>,
        evidence: FirewallEvidence,
        rows: &mut Option<RowVerdicts>,
    ) -> io::Result<(CoverageReport, Vec<Arc<str>>)> {
        let tolerance_ns = evidence.time_tolerance_ns;
        let heeds_records = evidence.heeds_records;
        let mut gathered = flows.finish(tuples.as_ref());
        let GatheredEvidence { mut lines, slots, sources } = evidence.finish();
        let context = Context {
            run: self,
            rules: CompiledPolicy::of(self.policy, self.places),
            places: self.places.compile(),
            pool_members: PoolIndex::of(self.places),
            heeds_records,
            evidence: Evidence::new(&sources, &slots, &self.places.firewall_names, tolerance_ns),
            timeline: Timeline::over(gathered.span_ns),
            unobservable: unobservable::of_run(self.places, gathered.has_log_flows),
            rows: rows.as_ref().map(RowVerdicts::order),
        };
        let mut judges: Vec<Judge<'_>> = (0..self.threads).map(|_| Judge::new(&context)).collect();
        let mut waiting = Waiting { with_legs: self.partitions(), by_source: self.partitions() };
        match tuples {
            Some(tuples) if gathered.is_empty() => {
                self.judge_tuples(&gathered, tuples, &mut lines, &mut judges, &mut waiting)?;
            }
            Some(tuples) => self.gather_tuples(&mut gathered, tuples)?,
            None => {}
        }
        self.join(&mut gathered, &mut waiting, rows)?;
        self.link(&gathered, &mut waiting, tolerance_ns, rows)?;
        for_each_partition(
            &mut judges,
            |partition| {
                let flows = waiting.by_source.take(partition)?;
                let has_flows = flows.len() > 0;
                let lines = has_flows.then(|| lines.take(partition)).transpose()?;
                Ok((flows, lines.unwrap_or_default()))
            },
            |judge, (flows, lines)| {
                let lines = judge.read_lines(lines);
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

    /// Judges flows where their tuples are merged. Where a flow of a source may have a leg all of that
    /// source wait, since lines are matched with all flows of a source at once.
    fn judge_tuples(
        &self,
        gathered: &GatheredFlows,
        tuples: WaitingTuples<'_>,
        lines: &mut Partitions,
        judges: &mut [Judge<'_>],
        waiting: &mut Waiting,
    ) -> io::Result<()> {
        let WaitingTuples { mut tuples, merger, .. } = tuples;
        let has_legs = !gathered.has_no_legs();
        let mut workers: Vec<_> = judges
            .iter_mut()
            .zip(self.buffers())
            .map(|(judge, (buffers, _))| (judge, MergedFlows::new(gathered.buffer()), buffers))
            .collect();
        for_each_partition(
            &mut workers,
            |partition| {
                let lines = match has_legs {
                    true => lines.read(partition)?,
                    false => lines.take(partition)?,
                };
                Ok((tuples.take(partition)?, lines))
            },
            |(judge, flows, buffers), (tuples, lines)| {
                merger.merge(tuples, |flow| flows.push(flow, &merger));
                flows.take_joined(|flows| {
                    if has_legs {
                        let_wait(flows, gathered, buffers);
                    }
                    judge.judge_all(flows, &judge.read_lines(lines));
                });
            },
            |(_, _, buffers)| waiting.absorb(buffers),
        )
    }

    /// Lets the flows of logs wait by 5-tuple, beside those that were gathered.
    fn gather_tuples(
        &self,
        gathered: &mut GatheredFlows,
        tuples: WaitingTuples<'_>,
    ) -> io::Result<()> {
        let WaitingTuples { mut tuples, merger, .. } = tuples;
        let mut workers: Vec<ObservedFlows> =
            (0..self.threads).map(|_| gathered.buffer()).collect();
        for_each_partition(
            &mut workers,
            |partition| tuples.take(partition),
            |flows, tuples| merger.merge(tuples, |flow| flows.push_merged(flow, &merger)),
            |flows| gathered.absorb(flows),
        )
    }

    /// A third of the memory each, since three stages overlap at most.
    fn partitions(&self) -> Partitions {
        Partitions::new(self.memory_bytes_max / 3, self.room.clone())
    }

    fn join(
        &self,
        gathered: &mut GatheredFlows,
        waiting: &mut Waiting,
        rows: &mut Option<RowVerdicts>,
    ) -> io::Result<()> {
        let mut flows = std::mem::replace(&mut gathered.flows, self.partitions());
        let gathered = &*gathered;
        let order = rows.as_ref().map(RowVerdicts::order);
        for_each_partition(
            &mut self.buffers(),
            |partition| flows.take(partition),
            |(buffers, links), bytes| {
                joined(
                    &mut ObservedFlow::read_all(bytes),
                    |flow| buffers.push(gathered, &flow),
                    |record, stands| row_verdicts::link(order.as_deref(), links, record, stands),
                );
            },
            |(buffers, links)| {
                waiting.absorb(buffers)?;
                absorb_links(rows, LinkStep::Record, links)
            },
        )
    }

    fn link(
        &self,
        gathered: &GatheredFlows,
        waiting: &mut Waiting,
        tolerance_ns: i64,
        rows: &mut Option<RowVerdicts>,
    ) -> io::Result<()> {
        let order = rows.as_ref().map(RowVerdicts::order);
        let Waiting { with_legs, by_source } = waiting;
        for_each_partition(
            &mut self.buffers(),
            |partition| with_legs.take(partition),
            |(WaitingBuffers { whole, .. }, links), bytes| {
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
            |(WaitingBuffers { whole, .. }, links)| {
                by_source.absorb(whole)?;
                absorb_links(rows, LinkStep::Leg, links)
            },
        )
    }

    /// The buffers of each thread for flows that wait, and for links from rows to the rows that stand
    /// for them, where rows are kept.
    fn buffers(&self) -> Vec<(WaitingBuffers, PartitionBuffers)> {
        let buffers = |_| {
            let waiting =
                WaitingBuffers { legs: PartitionBuffers::new(), whole: PartitionBuffers::new() };
            (waiting, PartitionBuffers::new())
        };
        (0..self.threads).map(buffers).collect()
    }
}

/// Flows on their way to being judged: those that may have legs, and the others.
struct Waiting {
    with_legs: Partitions,
    by_source: Partitions,
}

impl Waiting {
    fn absorb(&mut self, buffers: &mut WaitingBuffers) -> io::Result<()> {
        self.with_legs.absorb(&mut buffers.legs)?;
        self.by_source.absorb(&mut buffers.whole)
    }
}

/// The same of one thread.
struct WaitingBuffers {
    legs: PartitionBuffers,
    whole: PartitionBuffers,
}

impl WaitingBuffers {
    /// Adds a flow to those that wait: by what it has in common with its legs, else by source.
    fn push(&mut self, gathered: &GatheredFlows, flow: &ObservedFlow) {
        let (buffers, hash) = match gathered.may_have_legs(flow) {
            true => (&mut self.legs, gathered.hasher.hash_one(flow.target())),
            false => (&mut self.whole, gathered.hasher.hash_one(flow.source)),
        };
        buffers.push(hash, |bytes| flow.write(bytes));
    }
}

/// Lets all flows of the sources wait of which one may have a leg.
fn let_wait(flows: &mut Vec<ObservedFlow>, gathered: &GatheredFlows, buffers: &mut WaitingBuffers) {
    let may_have_legs = flows.iter().filter(|flow| gathered.may_have_legs(flow));
    let sources: AHashSet<IpAddr> = may_have_legs.map(|flow| flow.source).collect();
    flows.retain(|flow| {
        let waits = sources.contains(&flow.source);
        if waits {
            buffers.push(gathered, flow);
        }
        !waits
    });
}

fn absorb_links(
    rows: &mut Option<RowVerdicts>,
    step: LinkStep,
    links: &mut PartitionBuffers,
) -> io::Result<()> {
    rows.as_mut().map_or(Ok(()), |rows| rows.absorb_links(step, links))
}
