//! The computed effective routes equal those of the naive model in `routing_model`, on random
//! topologies: every row that Azure would show in the table of every subnet, and the winner for
//! addresses at the edges of the prefixes.
//!
//! `NEXTHOP_TOPOLOGIES` says how many topologies (300 without it; 10,000 is a long run), and
//! `NEXTHOP_TOPOLOGY` names a single one, by the seed that a failure prints.
//!
//! The model itself is held by tables that people published (`published`).

#![forbid(unsafe_code)]

mod routing_model;

use std::collections::BTreeSet;
use std::net::IpAddr;

use nexthop::azure::{RouteSource, RouteState};
use nexthop::net::AddressPrefix;
use nexthop::routing::{Computed, Owners, RouteTable, compute};

use routing_model::published;
use routing_model::random::{probes, world};
use routing_model::shrink::{describe, shrink};
use routing_model::{Place, Row, State, World, merged, table, winner};

const TOPOLOGY_COUNT: u64 = 300;
const PROBE_COUNT: usize = 100;

#[test]
fn random_topologies() {
    let number = |name: &str| {
        let text = std::env::var(name).ok()?;
        Some(text.parse::<u64>().unwrap_or_else(|_| panic!("{name} is no number: {text}")))
    };
    let seeds = match number("NEXTHOP_TOPOLOGY") {
        Some(seed) => seed..seed + 1,
        None => 0..number("NEXTHOP_TOPOLOGIES").unwrap_or(TOPOLOGY_COUNT),
    };
    for seed in seeds {
        let world = world(seed);
        if first_difference(&world, seed).is_some() {
            let smallest = shrink(&world, |world| first_difference(world, seed).is_some());
            let difference = first_difference(&smallest, seed).expect("shrinking keeps it");
            panic!("NEXTHOP_TOPOLOGY={seed}, shrunk:\n{}\n{difference}", describe(&smallest));
        }
    }
}

/// Compares every table; `None` where all are equal.
fn first_difference(world: &World, seed: u64) -> Option<String> {
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
    let want = table(place);
    let got = shown(&computed.table);
    let want_shown: Vec<Row> =
        want.iter().filter(|row| row.state != State::Absent).cloned().collect();
    if got != want_shown {
        return Some(format!("{id}: rows\n{}", side_by_side(&want_shown, &got)));
    }
    let prefixes: Vec<AddressPrefix> = want.iter().map(|row| row.prefix).collect();
    let winners = winners(&computed.table);
    for address in probes(seed, &prefixes, PROBE_COUNT) {
        let (want, got) = (winner(&want, address), winner(&winners, address));
        if want != got {
            return Some(format!("{id}: to {address}\n  model: {want:?}\n  engine: {got:?}"));
        }
    }
    None
}

/// The rows that Azure would show. What a route by the name of an unknown service tag holds cannot
/// be compared.
fn shown(table: &RouteTable) -> Vec<Row> {
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
        next_hop_type: winner.next_hop.next_hop_type,
        hops: winner.next_hop.ips.to_vec(),
    });
    merged(winners.collect())
}

fn side_by_side(want: &[Row], got: &[Row]) -> String {
    let rows: BTreeSet<&Row> = want.iter().chain(got).collect();
    rows.into_iter()
        .map(|row| match (want.contains(row), got.contains(row)) {
            (true, false) => format!("  model alone:  {row}\n"),
            (false, true) => format!("  engine alone: {row}\n"),
            _ => format!("                {row}\n"),
        })
        .collect()
}

/// The topologies must be about something: rows of every kind and in every state occur.
#[test]
fn random_topologies_reach_every_rule() {
    let mut kinds = BTreeSet::new();
    for seed in 0..100 {
        for place in world(seed).places() {
            kinds.extend(
                table(place).into_iter().map(|row| (row.source, row.next_hop_type, row.state)),
            );
        }
    }
    for (source, words, states) in [
        (RouteSource::Default, "VnetLocal VNetPeering VNetGlobalPeering", "Active Invalid"),
        (RouteSource::Default, "InterfaceEndpoint", "Active Invalid"),
        (RouteSource::Default, "VirtualNetworkServiceEndpoint", "Active"),
        (RouteSource::Default, "Internet", "Active Invalid Absent"),
        (RouteSource::Default, "None", "Active Absent"),
        (RouteSource::VirtualNetworkGateway, "VirtualNetworkGateway", "Active Invalid"),
        (RouteSource::User, "VirtualAppliance VirtualNetworkGateway", "Active Invalid"),
        (RouteSource::User, "VirtualApplianceEcmp VnetLocal Internet None", "Active Invalid"),
    ] {
        for word in words.split(' ') {
            for state in [State::Active, State::Invalid, State::Absent] {
                let expected = states.split(' ').any(|word| word == format!("{state:?}"));
                let found = kinds.contains(&(source.clone(), word.into(), state));
                assert_eq!(found, expected, "{source} {word} {state:?}");
            }
        }
    }
}

/// Probes hold nothing back: where the model has a winner for an address, it is one of its rows.
#[test]
fn the_longest_active_prefix_wins() {
    let rows = published::rows(
        "Default Active 0.0.0.0/0 Internet
         Default Invalid 10.0.0.0/24 VNetPeering
         User Active 10.0.0.0/16 VirtualAppliance 10.9.9.9",
    );
    let prefix = |address: &str| {
        let address: IpAddr = address.parse().unwrap();
        winner(&rows, address).map(|row| row.prefix.to_string())
    };
    assert_eq!(prefix("10.0.0.1").as_deref(), Some("10.0.0.0/16"));
    assert_eq!(prefix("10.1.0.0").as_deref(), Some("0.0.0.0/0"));
    assert_eq!(prefix("::1"), None);
}
