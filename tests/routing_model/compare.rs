//! The tables of the library beside those of the model.

use std::collections::BTreeSet;

use nexthop::azure::{NextHopType, RouteState};
use nexthop::net::AddressPrefix;
use nexthop::routing::{Computed, Owners, RouteTable, compute};

use super::build::{find, rows};
use super::random::probes;
use super::{Place, Row, State, World, merged, table, winner};

const PROBE_COUNT: usize = 100;

/// Compares every table: the rows that Azure would show, and the winners of a hundred addresses.
/// Returns `None` where all are equal.
pub fn first_difference(world: &World, seed: u64) -> Option<String> {
    let computed = compute(&world.resources, &world.service_tags, &world.settings);
    if computed.tables.len() != world.places().count() {
        return Some(format!("{} tables were computed", computed.tables.len()));
    }
    world.places().find_map(|place| difference_at(place, &computed, seed))
}

fn difference_at(place: Place<'_>, computed: &Computed, seed: u64) -> Option<String> {
    let id = &place.subnet.header.id;
    let Some(computed) = computed.tables.iter().find(|table| table.subnet == *id) else {
        return Some(format!("no table was computed for {id}"));
    };
    let model = table(place);
    let (want, got) = (shown(&model), shown_by_library(&computed.table));
    if got != want {
        return Some(format!("{id}: rows\n{}", side_by_side(&want, &got)));
    }
    let prefixes: Vec<AddressPrefix> = model.iter().map(|row| row.prefix).collect();
    let winners = winners(&computed.table);
    probes(seed, &prefixes, PROBE_COUNT).into_iter().find_map(|address| {
        let (want, got) = (winner(&model, address), winner(&winners, address));
        (want != got)
            .then(|| format!("{id}: to {address}\n  model:   {want:?}\n  library: {got:?}"))
    })
}

/// Both the model and the library show exactly these rows for `VNET/SUBNET`.
#[track_caller]
pub fn assert_shown(world: &World, place: &str, want: &str) {
    for (who, got) in shown_by_both(world, place) {
        let want = rows(want);
        assert!(got == want, "{place}, {who}:\n{}", side_by_side(&want, &got));
    }
}

/// The same, where the rows to None that were published are not all there are.
#[track_caller]
pub fn assert_shown_but_for_none(world: &World, place: &str, want: &str) {
    for (who, mut got) in shown_by_both(world, place) {
        let want = rows(want);
        got.retain(|row| row.next_hop_type != NextHopType::None || want.contains(row));
        assert!(got == want, "{place}, {who}:\n{}", side_by_side(&want, &got));
    }
}

/// Neither shows a row of this prefix and type.
#[track_caller]
pub fn assert_not_shown(world: &World, place: &str, prefix_and_type: &str) {
    for (who, got) in shown_by_both(world, place) {
        let is_shown = got
            .iter()
            .any(|row| format!("{} {}", row.prefix, row.next_hop_type) == prefix_and_type);
        assert!(!is_shown, "{place}, {who}: {prefix_and_type}");
    }
}

fn shown_by_both(world: &World, place: &str) -> [(&'static str, Vec<Row>); 2] {
    let place = find(world, place);
    let computed = compute(&world.resources, &world.service_tags, &world.settings);
    let mut tables = computed.tables.iter();
    let computed = tables.find(|table| table.subnet == place.subnet.header.id);
    let computed = computed.expect("every subnet has a table");
    [("model", shown(&table(place))), ("library", shown_by_library(&computed.table))]
}

fn shown(model: &[Row]) -> Vec<Row> {
    model.iter().filter(|row| row.state != State::Absent).cloned().collect()
}

/// Routes by the name of an unknown service tag have no prefix to be compared.
fn shown_by_library(table: &RouteTable) -> Vec<Row> {
    let rows = table.shown_rows().filter_map(|row| {
        Some(Row {
            prefix: row.prefix()?,
            source: row.source.clone(),
            state: match row.state {
                RouteState::Active => State::Active,
                _ => State::Invalid,
            },
            next_hop_type: row.next_hop_type.clone(),
            hops: row.next_hop_ips.to_vec(),
        })
    });
    merged(rows.collect())
}

/// What a forwarding table is compiled from.
fn winners(table: &RouteTable) -> Vec<Row> {
    let winners = table.winners(&Owners::default()).into_iter().map(|winner| Row {
        prefix: winner.prefix,
        source: winner.source,
        state: State::Active,
        next_hop_type: winner.next_hop.next_hop_type.clone(),
        hops: winner.next_hop.ips.to_vec(),
    });
    merged(winners.collect())
}

fn side_by_side(want: &[Row], got: &[Row]) -> String {
    let rows: BTreeSet<&Row> = want.iter().chain(got).collect();
    rows.into_iter()
        .map(|row| match (want.contains(row), got.contains(row)) {
            (true, false) => format!("  wanted: {row}\n"),
            (false, true) => format!("  found:  {row}\n"),
            _ => format!("          {row}\n"),
        })
        .collect()
}
