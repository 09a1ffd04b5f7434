//! Firewall coverage: which recorded flows a policy requires to pass a firewall, which did, which
//! went around it, and why.
//!
//! In: labelled flows, a policy, and the evidence of firewall logs. Out: a [`CoverageReport`].
//! Pure: no I/O, no clock.

mod report;
mod verdict;

pub use report::{
    CoverageReport, CoverageTotals, EvidenceSource, Finding, FlowExample, Unobservable, Way,
};
pub use verdict::{FindingCode, Verdict};
