//! What a replay found, ready for any format.

use std::sync::Arc;

use super::{ChangedFlows, RouteChange, VerdictChanges};
use crate::classify::{Summary, Totals};
use crate::routing::NextHopClass;
use crate::traffic::Unknown;

/// The result of a replay.
pub struct ReplayReport<'r> {
    /// The books of the inputs, and the sums by class and next hop, all by the labels of the
    /// snapshot before.
    pub summary: Summary,
    /// The books by the labels of the snapshot after.
    pub after: AfterBooks,
    /// The sums of all rows.
    pub all: Totals,
    /// The sums of the rows that change.
    pub changed: Totals,
    /// The sums of the rows that another route leads to the same next hop.
    pub other_route: Totals,
    /// The sums of the rows that do not change although the answers do: the other end's next hop is
    /// of another class.
    pub way_back: Totals,
    /// The changed rows by the classes of both next hops; most bytes first.
    pub transitions: Vec<Transition>,
    /// The changed rows by the routes of both sides; most bytes first.
    pub route_changes: Vec<RouteChange<'r>>,
    /// The changed rows by flow.
    pub flows: ChangedFlows,
    /// The verdicts by either snapshot, where a policy was given.
    pub verdicts: Option<VerdictChanges>,
    /// Every file that was read, as shown, with the SHA-256 of its content in hexadecimal; filled by
    /// who read them.
    pub hashes: Vec<(String, String)>,
    /// The names of the inputs that flows refer to.
    pub files: Vec<Arc<str>>,
}

/// What became of the records that have a row, by the labels of the snapshot after.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct AfterBooks {
    /// Records with a label.
    pub classified: u64,
    /// Records without one, by reason.
    pub unknown: Vec<(Unknown, u64)>,
}

/// Rows that leave one class of next hops for another, or one hop of a class for another of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Transition {
    /// Where they went.
    pub before: NextHopClass,
    /// Where they go.
    pub after: NextHopClass,
    /// Their sums.
    pub totals: Totals,
}
