//! Firewall coverage: which recorded flows a policy requires to pass a firewall, which did, which
//! went around it, and why.
//!
//! In: labelled flows, a policy, and the evidence of firewall logs. Out: a [`CoverageReport`].
//! Pure: no clock, and no I/O but through the [`SpillRoom`](crate::spill::SpillRoom) that the
//! caller gave.

mod compiled_policy;
mod conclusion;
mod evidence;
mod evidence_lines;
mod evidence_verdict;
mod firewall_evidence;
mod firewall_logs;
mod firewall_names;
mod firewall_observers;
mod firewall_set;
mod firewall_traffic;
mod flows;
mod joining;
mod judge;
mod kept_rows;
mod mend;
mod merged_flows;
mod nearest;
mod paths;
mod places;
mod places_of;
mod policy;
mod pool_index;
mod pools;
mod report;
mod row_keeper;
mod row_verdicts;
mod sums;
mod unobservable;
mod verdict;
mod verify;

pub use evidence::{EvidenceCategory, EvidenceRecord};
pub use firewall_evidence::{EvidenceSlot, EvidenceSources, FirewallEvidence};
pub use firewall_logs::FirewallLogEvidence;
pub use firewall_traffic::{FirewallTrafficEvidence, FirewallTrafficRows};
pub use flows::{FlowGatherer, ObservedFlows};
pub use places::Places;
pub use policy::{BuiltIn, BuiltInError, Exemption, Policy, PolicyError, Rule, Selector, Via};
pub use pools::{PoolMember, PoolProblem};
pub use report::{
    CoverageReport, CoverageTotals, EvidenceSource, Finding, FlowExample, FlowNote, RuleTotals,
    Unobservable, Way,
};
pub use row_keeper::{KeptFlows, RowKeeper};
pub use verdict::{FindingCode, Verdict};
pub use verify::Verifier;
