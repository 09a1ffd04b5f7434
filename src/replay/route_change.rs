//! The route that rows leave, the route that they take, and why.

use std::cmp::Reverse;

use super::two_labels::{ReplayedSnapshot, Snapshots, TwoLabels};
use crate::azure::NextHopIps;
use crate::classify::{Label, LabelColumns, OutputRow, Totals};
use crate::net::AddressPrefix;
use crate::routing::{NextHopClass, RouteRow};

/// Rows whose packets leave one route for another.
#[derive(Clone, Debug)]
pub struct RouteChange<'r> {
    /// The label that they had; [`LabelColumns::peer_next_hop_class`] is left out.
    pub before: LabelColumns<'r>,
    /// The label that they get.
    pub after: LabelColumns<'r>,
    /// Why the old route does not win any more, as a stable code: see [`RouteChange::REASONS`].
    pub reason: &'static str,
    /// Why the new route did not win before: the reason of the opposite change.
    pub opposite_reason: &'static str,
    /// The sums of its rows.
    pub totals: Totals,
}

/// What makes the changes of two rows the same one: then any address of either finds both routes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) struct RouteChangeKey {
    before: Label,
    before_prefix: Option<AddressPrefix>,
    after: Label,
    after_prefix: Option<AddressPrefix>,
    is_moved: bool,
}

/// One side of a change.
struct Side<'c, 'r> {
    snapshot: &'c ReplayedSnapshot<'r>,
    label: &'c Label,
    columns: &'c LabelColumns<'r>,
}

impl RouteChange<'_> {
    /// The reasons that are no code of a rejected route or of an unknown row, each with what it says
    /// of the old route.
    pub const REASONS: [(&'static str, &'static str); 11] = [
        ("route_removed", "the new table does not hold the route"),
        ("route_added", "there was no route"),
        ("next_hop_changed", "the route leads to another next hop"),
        ("owner_changed", "the route leads to the same address, which is another's"),
        ("longer_prefix", "a longer prefix wins"),
        ("other_table", "the sender uses another table, which does not hold the route"),
        ("destination_moved", "the destination is another one"),
        ("known_now", "the row's table was not known"),
        ("platform", "the platform answers the address itself"),
        ("not_platform", "the platform does not answer the address any more"),
        ("outside_vnet", "the sender's site does, or does not any more, route all of its traffic"),
    ];
}

impl<'r> RouteChange<'r> {
    /// Spells out the change of a row, without sums.
    ///
    /// Cost: a scan of both tables.
    pub(super) fn of_row(
        snapshots: &Snapshots<'r>,
        row: &OutputRow<'_>,
        labels: &TwoLabels,
    ) -> Self {
        let Snapshots { before: old, after: new, .. } = snapshots;
        let without_peer = |label| LabelColumns { peer_next_hop_class: None, ..label };
        let before = labels.before.columns(old.fib, row.source, row.destination);
        let after = labels.after.columns(new.fib, row.source, labels.destination_after);
        let old = Side { snapshot: old, label: &labels.before, columns: &before };
        let new = Side { snapshot: new, label: &labels.after, columns: &after };
        let (reason, opposite_reason) = match labels.is_moved {
            true => ("destination_moved", "destination_moved"),
            false => (reason(&old, &new), reason(&new, &old)),
        };
        Self {
            reason,
            opposite_reason,
            before: without_peer(before),
            after: without_peer(after),
            totals: Totals::default(),
        }
    }

    /// Orders by bytes, then rows, the most first, then by what the change is.
    pub(super) fn worst_first(&self) -> impl Ord + use<'_, 'r> {
        (Reverse((self.totals.bytes, self.totals.flows)), self.content())
    }

    /// What tells a change from every other, in an order that depends on nothing else.
    pub(super) fn content(&self) -> impl Ord + use<'_, 'r> {
        (content(&self.before), content(&self.after), self.reason, self.opposite_reason)
    }
}

impl RouteChangeKey {
    pub(super) fn of(snapshots: &Snapshots<'_>, row: &OutputRow<'_>, labels: &TwoLabels) -> Self {
        let TwoLabels { before, after, destination_after, is_moved } = *labels;
        let prefix = |side: &ReplayedSnapshot<'_>, label: &Label, destination| {
            side.matched(label, row.source, destination).map(|matched| matched.prefix)
        };
        Self {
            before,
            before_prefix: prefix(&snapshots.before, &before, row.destination),
            after,
            after_prefix: prefix(&snapshots.after, &after, destination_after),
            is_moved,
        }
    }
}

/// The columns of a label, in an order.
type Content<'c> = (
    (NextHopClass, Option<&'c str>, Option<&'c NextHopIps>, Option<&'c str>),
    (Option<&'c str>, Option<AddressPrefix>, Option<&'c str>, Option<&'c str>),
);

fn content<'c>(label: &LabelColumns<'c>) -> Content<'c> {
    let basis = label.route_table_basis.map(|basis| basis.as_str());
    (
        (label.next_hop_class, label.next_hop_type, label.next_hop_ips, label.next_hop_name),
        (label.route_table_id, label.matched_prefix, label.route_source, basis),
    )
}

/// Why what wins on the old side does not win on the new one.
fn reason(old: &Side<'_, '_>, new: &Side<'_, '_>) -> &'static str {
    if let Some(unknown) = new.label.unknown {
        return unknown.as_str();
    }
    if old.label.unknown.is_some() {
        return "known_now";
    }
    match (old.label.class, new.label.class) {
        (_, NextHopClass::Platform) => return "platform",
        (NextHopClass::Platform, _) => return "not_platform",
        (NextHopClass::OutsideVnet, _) | (_, NextHopClass::OutsideVnet) => return "outside_vnet",
        _ => {}
    }
    let (Some(prefix), Some(source)) = (old.columns.matched_prefix, old.columns.route_source)
    else {
        return "route_added";
    };
    let is_same = |row: &&RouteRow| row.prefix() == Some(prefix) && row.source.as_str() == source;
    let Some(table) = new.label.table.map(|table| &new.snapshot.tables.tables[table.index()])
    else {
        return "route_removed";
    };
    let rows: Vec<&RouteRow> = table.rows().filter(is_same).collect();
    if rows.iter().any(|row| row.rejected.is_none()) {
        return if new.columns.matched_prefix != Some(prefix) {
            "longer_prefix"
        } else if old.columns.next_hop_type == new.columns.next_hop_type
            && old.columns.next_hop_ips == new.columns.next_hop_ips
        {
            "owner_changed"
        } else {
            "next_hop_changed"
        };
    }
    // Of several rows of one source and prefix, that of the same kind is the old route.
    let is_same_kind =
        |row: &&&RouteRow| Some(row.next_hop_type.as_str()) == old.columns.next_hop_type;
    match rows.iter().find(is_same_kind).or(rows.first()).and_then(|row| row.rejected) {
        Some(rejection) => rejection.as_str(),
        None if are_other_tables(old.columns, new.columns) => "other_table",
        None => "route_removed",
    }
}

/// Names are as short as their snapshot allows: one may be the end of the other.
fn are_other_tables(old: &LabelColumns<'_>, new: &LabelColumns<'_>) -> bool {
    let (Some(old), Some(new)) = (old.route_table_id, new.route_table_id) else { return false };
    let (old, new) = (old.to_lowercase(), new.to_lowercase());
    let is_end = |long: &str, short: &str| {
        long.strip_suffix(short).is_some_and(|rest| rest.is_empty() || rest.ends_with('/'))
    };
    !is_end(&old, &new) && !is_end(&new, &old)
}
