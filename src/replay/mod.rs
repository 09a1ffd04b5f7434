//! Two snapshots, one traffic: what a change of routes, or a moved target, does to recorded flows.
//!
//! In: labelled rows, and two compiled snapshots. Out: a [`ReplayReport`], and the rows that change.
//! The traffic is read once; every row is labelled by both snapshots. Pure: no clock, and no I/O but
//! through the [`SpillRoom`](crate::spill::SpillRoom) that the caller gave.
//!
//! A row *changes* when its packets go elsewhere: our class of its next hop differs, or the hop's
//! addresses, or for a hop without addresses Azure's word or its name. Another route to the same next
//! hop changes nothing about where traffic goes; such rows are counted apart. So is nothing known of
//! a row that is unknown in both snapshots.

mod changed_flows;
mod destination_map;
mod next_hops;
mod replayer;
mod report;
mod route_change;
mod row_verdicts;
#[cfg(test)]
mod tests;
mod two_labels;
mod verdicts;

pub use changed_flows::{ChangedFlow, ChangedFlows};
pub use destination_map::{DestinationMap, DestinationMove, DestinationMoveError};
pub use replayer::{ReplayOptions, ReplayedRows, Replayer};
pub use report::{AfterBooks, ReplayReport, Transition};
pub use route_change::RouteChange;
pub use two_labels::{ReplayedSnapshot, Snapshots};
pub use verdicts::{ReplayedPolicy, VerdictChange, VerdictChanges, VerdictTransition};
