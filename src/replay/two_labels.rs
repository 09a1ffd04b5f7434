//! A row's label in either snapshot.

use std::net::IpAddr;

use super::DestinationMap;
use crate::classify::{Label, LookupSide, Observer, OutputRow, RecordKind};
use crate::fib::{Fib, Match, Place, SnapshotTables};
use crate::net::MacAddress;
use crate::routing::NextHopClass;
use crate::traffic::{FlowDirection, Unknown};

/// What recorded traffic is held against.
#[derive(Clone, Copy, Debug)]
pub struct Snapshots<'r> {
    /// The routes that the traffic was recorded under.
    pub before: ReplayedSnapshot<'r>,
    /// The routes that are tried on it.
    pub after: ReplayedSnapshot<'r>,
    /// Targets that move with the change.
    pub moves: &'r DestinationMap,
}

/// One of the two snapshots.
#[derive(Clone, Copy, Debug)]
pub struct ReplayedSnapshot<'r> {
    /// The tables as selected, for reasons.
    pub tables: &'r SnapshotTables,
    /// The tables as compiled, for traffic.
    pub fib: &'r Fib,
}

/// The labels of one row.
#[derive(Clone, Copy, Debug)]
pub(super) struct TwoLabels {
    pub(super) before: Label,
    pub(super) after: Label,
    /// Where the row's packets go to after the change.
    pub(super) destination_after: IpAddr,
    /// The destination is another one then.
    pub(super) is_moved: bool,
}

/// Who observed the last row: neighbours mostly share it.
#[derive(Debug)]
pub(super) struct LastObserver {
    mac: Option<MacAddress>,
    /// Group, rule, target.
    texts: [Option<String>; 3],
    observers: Option<(Observer, Observer)>,
}

impl Snapshots<'_> {
    /// Labels a row by both snapshots.
    ///
    /// Cost: two look-ups in each.
    pub(super) fn label(&self, row: &OutputRow<'_>, last: &mut LastObserver) -> TwoLabels {
        let (before, after) = (self.before.fib, self.after.fib);
        let moved = self.moves.moved(row.destination);
        let destination_after = moved.unwrap_or(row.destination);
        let is_moved = moved.is_some();
        if row.direction.is_none() || row.kind == RecordKind::Packet {
            return TwoLabels {
                before: Label::of_packets(before, row.source, row.destination),
                after: Label::of_packets(after, row.source, destination_after),
                destination_after,
                is_moved,
            };
        }
        let (observer_before, recorded) = last.observers(self, row);
        let direction = row.direction;
        let label_before =
            Label::of_tuple(before, observer_before, direction, row.source, row.destination);
        let observer_after = match is_moved && self.is_at_target(row, &label_before) {
            true => Observer::LocalAddress,
            false => recorded,
        };
        let label_after =
            Label::of_tuple(after, observer_after, direction, row.source, destination_after);
        TwoLabels { before: label_before, after: label_after, destination_after, is_moved }
    }

    /// Returns true when what the other end answers goes to another class of next hop, as far as
    /// its table is known in both snapshots.
    pub(super) fn changes_way_back(&self, row: &OutputRow<'_>, labels: &TwoLabels) -> bool {
        let TwoLabels { before, after, destination_after, .. } = labels;
        let before = before.peer_class(self.before.fib, row.source, row.destination);
        let after = after.peer_class(self.after.fib, row.source, *destination_after);
        before.zip(after).is_some_and(|(before, after)| before != after)
    }

    /// Returns true when the target itself recorded a row: it moves, and what it sends is routed
    /// by the table of its new place, whoever has its NIC then. A firewall or gateway that passed
    /// the packets on stays where it is.
    fn is_at_target(&self, row: &OutputRow<'_>, label: &Label) -> bool {
        if row.direction != Some(FlowDirection::Inbound)
            || self.after.fib.sources().forced().is_some()
        {
            return false;
        }
        match label.table {
            Some(table) => self.before.fib.sources().place(row.destination) == Place::Table(table),
            // Its place was asked for, and tells no table.
            None => matches!(
                label.unknown,
                Some(Unknown::NoRouteTable | Unknown::AmbiguousSource | Unknown::Fastpath)
            ),
        }
    }
}

impl LastObserver {
    pub(super) fn new() -> Self {
        Self { mac: None, texts: [None, None, None], observers: None }
    }

    fn observers(
        &mut self,
        snapshots: &Snapshots<'_>,
        row: &OutputRow<'_>,
    ) -> (Observer, Observer) {
        let texts = [row.acl_group, row.acl_rule, row.target_resource_id];
        let is_same = |(last, text): (&Option<String>, Option<&str>)| last.as_deref() == text;
        if let Some(observers) = self.observers
            && self.mac == row.mac
            && self.texts.iter().zip(texts).all(is_same)
        {
            return observers;
        }
        let [group, rule, target] = texts;
        let of = |fib| Observer::of_context(fib, row.mac, group, rule, target);
        let observers = (of(snapshots.before.fib), of(snapshots.after.fib));
        self.mac = row.mac;
        self.texts = texts.map(|text| text.map(str::to_owned));
        self.observers = Some(observers);
        observers
    }
}

impl<'r> ReplayedSnapshot<'r> {
    /// Returns the route that a label follows.
    pub(super) fn matched(
        &self,
        label: &Label,
        source: IpAddr,
        destination: IpAddr,
    ) -> Option<Match<'r>> {
        let address = match label.lookup? {
            LookupSide::Source => source,
            LookupSide::Destination => destination,
        };
        match label.unknown {
            None if label.class != NextHopClass::OutsideVnet => {
                self.fib.matched(label.table?, address)
            }
            _ => None,
        }
    }
}
