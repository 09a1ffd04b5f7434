//! Firewall coverage: which recorded flows a policy requires to pass a firewall, which did, which
//! went around it, and why.
//!
//! In: labelled flows, a policy, and the evidence of firewall logs. Out: a [`CoverageReport`].
//! Pure: no I/O, no clock.

mod evidence;
mod firewall_logs;
mod flows;
mod paths;
mod places;
mod places_of;
mod policy;
mod report;
mod verdict;
mod verify;

pub use evidence::{EvidenceCategory, EvidenceRecord};
pub use firewall_logs::FirewallLogEvidence;
pub use flows::{FlowGatherer, ObservedFlow, ObservedFlows};
pub use places::Places;
pub use policy::{BuiltIn, BuiltInError, Exemption, Policy, PolicyError, Rule, Selector, Via};
pub use report::{
    CoverageReport, CoverageTotals, EvidenceSource, Finding, FlowExample, Unobservable, Way,
};
pub use verdict::{FindingCode, Verdict};
pub use verify::{FirewallEvidence, verify};
