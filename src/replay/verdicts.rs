//! Which verdicts of a policy change: every flow is judged by the routes of either snapshot.
//!
//! Routes alone are judged, also where the traffic was recorded at a firewall: what was recorded
//! under the old routes says nothing about the new ones. What a firewall sent on is a leg of a flow
//! where the snapshot knows the firewall; where one snapshot alone does, the other judges it as a flow
//! of that address.

use std::collections::BTreeSet;
use std::io;
use std::net::IpAddr;

use super::DestinationMap;
use super::row_verdicts::{ComparedVerdicts, WrittenVerdicts};
use super::two_labels::{ReplayedSnapshot, Snapshots, TwoLabels};
use crate::classify::{OutputRow, RowBuffer, RowSink, Totals};
use crate::coverage::{
    CoverageReport, Finding, FindingCode, FirewallEvidence, FlowGatherer, KeptFlows, Places,
    Policy, RowKeeper, Verdict, Verifier,
};
use crate::spill::SpillRoom;
use crate::traffic::InputName;

/// What flows must pass, and the places of both snapshots that it speaks of.
#[derive(Clone, Copy, Debug)]
pub struct ReplayedPolicy<'r> {
    /// What is asked.
    pub policy: &'r Policy,
    /// What its selectors stand for before the change.
    pub before: &'r Places,
    /// What they stand for after it.
    pub after: &'r Places,
    /// How many partitions are worked on at once, on the threads of the current rayon pool; at
    /// least 1. The result does not depend on it.
    pub threads: usize,
}

/// The verdicts by either snapshot.
#[derive(Clone, Debug)]
pub struct VerdictChanges {
    /// What the policy says of the routes before.
    pub before: CoverageReport,
    /// What it says of the routes after.
    pub after: CoverageReport,
    /// The sums of logical flows by both verdicts, those that stay among them; in the order of
    /// [`Verdict::ALL`].
    pub transitions: Vec<VerdictTransition>,
    /// The flows whose verdict changes, or its code, by pair of addresses; most bytes first.
    pub changes: Vec<VerdictChange>,
    /// For each finding before, whether it is gone after.
    pub is_resolved: Vec<bool>,
    /// For each finding after, whether there was none before.
    pub is_new: Vec<bool>,
}

/// Flows that one verdict becomes another of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct VerdictTransition {
    /// By the routes before.
    pub before: Verdict,
    /// By the routes after.
    pub after: Verdict,
    /// Their sums.
    pub totals: Totals,
}

/// Flows of one pair of addresses whose verdict changes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct VerdictChange {
    /// Initiator.
    pub source: IpAddr,
    /// Responder, before a target moved.
    pub destination: IpAddr,
    /// The verdict before.
    pub before: Verdict,
    /// Of a finding its code.
    pub before_code: Option<FindingCode>,
    /// The verdict after.
    pub after: Verdict,
    /// Of a finding its code.
    pub after_code: Option<FindingCode>,
    /// The sums of the flows.
    pub totals: Totals,
}

/// The rows of a replay, kept to be judged twice.
pub(super) struct KeptTwice<'r> {
    policy: ReplayedPolicy<'r>,
    before: RowKeeper,
    after: RowKeeper,
}

/// The rows of one thread on their way into [`KeptTwice`].
pub(super) struct KeptTwiceRows {
    before: KeptFlows,
    after: KeptFlows,
}

impl<'r> KeptTwice<'r> {
    /// Prepares for the rows of inputs; `bytes_max` bounds what is kept of both sides together.
    pub(super) fn new<'n>(
        policy: ReplayedPolicy<'r>,
        inputs: impl IntoIterator<Item = &'n InputName> + Clone,
        bytes_max: usize,
        room: &SpillRoom,
    ) -> Self {
        let keeper = |places| {
            let gatherer = FlowGatherer::new(places, inputs.clone(), bytes_max / 4, room.clone());
            RowKeeper::new(gatherer, bytes_max / 4, room.clone())
        };
        let (before, after) = (keeper(policy.before), keeper(policy.after));
        Self { policy, before, after }
    }

    pub(super) fn buffer(&self) -> KeptTwiceRows {
        KeptTwiceRows { before: self.before.buffer(), after: self.after.buffer() }
    }

    pub(super) fn append(&mut self, rows: &mut KeptTwiceRows) -> io::Result<()> {
        self.before.append(&mut rows.before)?;
        self.after.append(&mut rows.after)
    }

    /// Judges all rows by both snapshots; they number `row_count`.
    pub(super) fn judge(
        self,
        snapshots: &Snapshots<'r>,
        row_count: u64,
        bytes_max: usize,
        room: &SpillRoom,
    ) -> io::Result<VerdictChanges> {
        let Self { policy, before, after } = self;
        let verifier = |side: &ReplayedSnapshot<'r>, places| Verifier {
            tables: side.tables,
            fib: side.fib,
            places,
            policy: policy.policy,
            threads: policy.threads,
            memory_bytes_max: bytes_max / 2,
            room: room.clone(),
        };
        let mut written = WrittenVerdicts::new(row_count, bytes_max / 2, room.clone());
        let before = judged(&verifier(&snapshots.before, policy.before), before, &mut written)?;
        let mut compared = ComparedVerdicts::new(written.finish()?);
        let after = judged(&verifier(&snapshots.after, policy.after), after, &mut compared)?;
        let moves = snapshots.moves;
        let old: BTreeSet<_> = before.findings.iter().map(|one| key(one, Some(moves))).collect();
        let new: BTreeSet<_> = after.findings.iter().map(|one| key(one, None)).collect();
        let is_resolved = before.findings.iter().map(|one| !new.contains(&key(one, Some(moves))));
        let is_new = after.findings.iter().map(|one| !old.contains(&key(one, None)));
        Ok(VerdictChanges {
            is_resolved: is_resolved.collect(),
            is_new: is_new.collect(),
            transitions: compared.transitions(),
            changes: compared.changes(),
            before,
            after,
        })
    }
}

impl VerdictChanges {
    /// Returns the sums of the flows that have another verdict.
    pub fn changed(&self) -> Totals {
        let mut sum = Totals::default();
        for transition in self.transitions.iter().filter(|one| one.before != one.after) {
            sum.add(transition.totals);
        }
        sum
    }

    /// Returns true where the policy finds something that it did not find before.
    pub fn has_new_findings(&self) -> bool {
        self.is_new.contains(&true)
    }
}

impl KeptTwiceRows {
    pub(super) fn push(&mut self, row: &OutputRow<'_>, labels: &TwoLabels) {
        self.before.push(row);
        self.after.push(&OutputRow {
            destination: labels.destination_after,
            label: labels.after.class_column(),
            ..row.clone()
        });
    }
}

fn judged<S: RowSink>(
    verifier: &Verifier<'_>,
    kept: RowKeeper,
    sink: &mut S,
) -> io::Result<CoverageReport> {
    let evidence = FirewallEvidence::of_routes_alone(kept.gatherer());
    verifier.verify_rows(kept, evidence, sink)
}

/// What makes two findings the same one; those of a target that moves go with it.
fn key<'f>(
    finding: &'f Finding,
    moves: Option<&DestinationMap>,
) -> (&'f str, FindingCode, IpAddr, IpAddr) {
    let moved = moves.and_then(|moves| moves.moved(finding.destination));
    let destination = moved.unwrap_or(finding.destination);
    (&finding.rule, finding.code, finding.source, destination)
}
