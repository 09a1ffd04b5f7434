//! The computed effective routes equal those of the naive model in `routing_model`, on random
//! topologies: every row that Azure would show in the table of every subnet, and the winner for
//! addresses at the edges of the prefixes.
//!
//! `NEXTHOP_TOPOLOGIES` says how many topologies (300 without it; 10,000 is a long run), and
//! `NEXTHOP_TOPOLOGY` names a single one, by the seed that a failure prints.
//!
//! The model itself is held by tables that people published and by cases worked out by hand, which
//! the library has to give too (`published`, `cases`).

#![forbid(unsafe_code)]

mod routing_model;
mod support;

use std::collections::BTreeSet;

use nexthop::azure::RouteSource;

use routing_model::compare::first_difference;
use routing_model::random::world;
use routing_model::shrink::{describe, shrink};
use routing_model::{State, table};

const TOPOLOGY_COUNT: u64 = 300;

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
