//! Rows between two small tables: whether they change, and the reasons of both directions.

use std::net::IpAddr;

use super::{DestinationMap, ReplayOptions, ReplayReport, ReplayedSnapshot, Replayer, Snapshots};
use crate::classify::{LabelColumns, NoRows, OutputRow, RecordKind, RowBuffer, RowSink, Summary};
use crate::fib::{Fib, SnapshotTables, Source};
use crate::routing::NextHopClass;
use crate::routing::testing::rows;
use crate::spill::SpillRoom;
use crate::traffic::{Counters, FlowDirection, InputName, SourceFormat};

/// One table for the senders of a prefix.
fn tables(id: &str, sources: &str, text: &str) -> SnapshotTables {
    let mut table = rows(text);
    table.id = id.to_owned();
    SnapshotTables {
        tables: vec![table],
        sources: vec![vec![Source::Prefix(sources.parse().unwrap())]],
        ..SnapshotTables::default()
    }
}

fn row(destination: IpAddr) -> OutputRow<'static> {
    OutputRow {
        kind: RecordKind::Tuple,
        start_time_ns: 1,
        end_time_ns: 1,
        source: "10.1.0.4".parse().unwrap(),
        destination,
        ports: Some((50_000, 443)),
        protocol: 6,
        direction: Some(FlowDirection::Outbound),
        state: None,
        status: None,
        encryption: None,
        counters: Counters {
            packets_sent: Some(1),
            bytes_sent: Some(100),
            packets_received: Some(2),
            bytes_received: Some(300),
        },
        counter_basis: None,
        mac: None,
        acl_group: None,
        acl_rule: None,
        target_resource_id: None,
        flow_log_resource_id: None,
        source_format: SourceFormat::VnetV4,
        source_file: "log.json",
        source_record: 1,
        input: 0,
        observer: None,
        is_partial: false,
        record_count: 1,
        shows_begin: false,
        label: LabelColumns::of_class(NextHopClass::Unknown),
        coverage: None,
        replay: None,
    }
}

/// Replays one row and gives what `look` sees of the report.
fn replayed<T>(
    before: &SnapshotTables,
    after: &SnapshotTables,
    destination: &str,
    look: impl FnOnce(&ReplayReport<'_>) -> T,
) -> T {
    let (old, new): (Fib, Fib) = (before.compile().unwrap(), after.compile().unwrap());
    let snapshots = Snapshots {
        before: ReplayedSnapshot { tables: before, fib: &old },
        after: ReplayedSnapshot { tables: after, fib: &new },
        moves: &DestinationMap::default(),
    };
    let options = ReplayOptions { memory_bytes_max: 1 << 20, room: SpillRoom::default() };
    let name = InputName::new("log.json");
    let mut replayer = Replayer::new(snapshots, [&name], options, None, NoRows);
    let mut buffer = replayer.buffer();
    buffer.push(&row(destination.parse().unwrap()));
    replayer.append(&mut buffer).unwrap();
    let mut summary = Summary::default();
    // Whatever the label before, the record is in the books once.
    summary.total.records_read = 1;
    summary.total.classified = 1;
    look(&replayer.finish(summary).unwrap().0)
}

fn reasons(
    before: &SnapshotTables,
    after: &SnapshotTables,
    destination: &str,
) -> Option<(&'static str, &'static str)> {
    replayed(before, after, destination, |report| {
        assert!(report.route_changes.len() < 2);
        assert_eq!(report.changed.flows, report.route_changes.len() as u64);
        report.route_changes.first().map(|change| {
            assert_eq!((change.totals.packets, change.totals.bytes), (3, 400));
            (change.reason, change.opposite_reason)
        })
    })
}

const HERE: &str = "10.1.0.0/24";

#[test]
fn each_reason_stands_beside_its_opposite() {
    let direct = "Default Active 10.2.0.0/16 VNetPeering";
    let inspected = "Default Active 10.2.0.0/16 VNetPeering
                     User Active 10.2.0.0/24 VirtualAppliance 10.9.0.4";
    let overridden = "Default Active 10.2.0.0/16 VNetPeering
                      User Active 10.2.0.0/16 VirtualAppliance 10.9.0.4";
    let elsewhere = "User Active 10.2.0.0/16 VirtualAppliance 10.9.0.5";
    let endpoint = "Default Active 10.2.0.4/32 InterfaceEndpoint";
    let no_endpoint = "Default Invalid 10.2.0.4/32 InterfaceEndpoint
                       User Active 10.2.0.0/24 VirtualAppliance 10.9.0.4";
    for (before, after, want) in [
        (inspected, direct, Some(("route_removed", "longer_prefix"))),
        (overridden, direct, Some(("route_removed", "source_priority"))),
        (overridden, elsewhere, Some(("next_hop_changed", "next_hop_changed"))),
        (endpoint, no_endpoint, Some(("state_invalid", "route_removed"))),
        ("Default Active 10.3.0.0/16 VnetLocal", direct, Some(("route_added", "route_removed"))),
        // A longer route to the same appliance.
        (inspected, overridden, None),
        (direct, direct, None),
    ] {
        let (old, new) = (tables("v/s", HERE, before), tables("v/s", HERE, after));
        assert_eq!(reasons(&old, &new, "10.2.0.4"), want, "{before} → {after}");
        let opposite = want.map(|(reason, opposite)| (opposite, reason));
        assert_eq!(reasons(&new, &old, "10.2.0.4"), opposite, "{after} → {before}");
    }
}

#[test]
fn a_sender_may_get_another_table_or_none() {
    let by_appliance = "User Active 0.0.0.0/0 VirtualAppliance 10.9.0.4";
    let direct = "Default Active 10.2.0.0/16 VNetPeering";
    let here = tables("v/s", HERE, by_appliance);
    let other = tables("v/t", HERE, direct);
    assert_eq!(reasons(&here, &other, "10.2.0.4"), Some(("other_table", "other_table")));
    // A longer form of the same name, where names have to tell more tables apart.
    let same = tables("group/v/s", HERE, direct);
    assert_eq!(reasons(&here, &same, "10.2.0.4"), Some(("route_removed", "route_removed")));
    let nobody = tables("v/s", "10.8.0.0/24", direct);
    assert_eq!(reasons(&here, &nobody, "10.2.0.4"), Some(("no_route_table", "known_now")));
    assert_eq!(reasons(&nobody, &nobody, "10.2.0.4"), None);
}

#[test]
fn an_unresolved_tag_hides_what_a_default_does() {
    let known = tables("v/s", HERE, "Default Active 0.0.0.0/0 Internet");
    let tagged = tables(
        "v/s",
        HERE,
        "Default Active 0.0.0.0/0 Internet
         User Active Storage VirtualAppliance 10.9.0.4",
    );
    let want = Some(("unresolved_service_tag", "known_now"));
    assert_eq!(reasons(&known, &tagged, "8.8.8.8"), want);
    assert_eq!(reasons(&known, &tagged, "10.7.0.1"), None);
}

#[test]
fn another_kind_of_hop_without_an_address_is_another_place() {
    let near = tables("v/s", HERE, "Default Active 10.2.0.0/16 VNetPeering");
    let far = tables("v/s", HERE, "Default Active 10.2.0.0/16 VNetGlobalPeering");
    let want = Some(("next_hop_changed", "next_hop_changed"));
    assert_eq!(reasons(&near, &far, "10.2.0.4"), want);
}

#[test]
fn one_set_of_addresses_is_one_place_in_any_order_and_by_any_route() {
    let one = tables(
        "v/s",
        HERE,
        "User Active 10.2.0.0/16 VirtualAppliance 10.9.0.4
         User Active 10.2.0.0/16 VirtualAppliance 10.9.0.5",
    );
    let other = tables(
        "v/s",
        HERE,
        "User Active 10.2.0.0/24 VirtualAppliance 10.9.0.5
         User Active 10.2.0.0/24 VirtualAppliance 10.9.0.4",
    );
    let fewer = tables("v/s", HERE, "User Active 10.2.0.0/16 VirtualAppliance 10.9.0.4");
    let other_route = |after: &SnapshotTables| {
        replayed(&one, after, "10.2.0.4", |report| (report.changed.flows, report.other_route.flows))
    };
    assert_eq!(other_route(&other), (0, 1));
    assert_eq!(other_route(&fewer), (1, 0));
    assert_eq!(other_route(&one), (0, 0));
}

#[test]
fn every_reason_of_ours_is_in_the_list() {
    let codes: Vec<&str> = super::RouteChange::REASONS.iter().map(|(code, _)| *code).collect();
    for code in ["route_removed", "route_added", "next_hop_changed", "other_table", "known_now"] {
        assert!(codes.contains(&code), "{code}");
    }
    let mut once = codes.clone();
    once.sort_unstable();
    once.dedup();
    assert_eq!(once.len(), codes.len());
}
