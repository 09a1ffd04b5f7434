//! Tables for tests: a row a line, `SOURCE STATE PREFIX TYPE [HOP…]`; and networks for tests.

mod plan;

pub(crate) use plan::plan;

use super::RouteTable;
use crate::azure::{
    EffectiveRoute, NextHopType, RouteDestination, RouteSource, RouteState, ServiceEndpointPriority,
};

pub(crate) fn rows(text: &str) -> RouteTable {
    RouteTable::from_export("test", &routes(text), ServiceEndpointPriority::Lpm)
}

pub(crate) fn routes(text: &str) -> Vec<EffectiveRoute> {
    text.lines().map(|line| route(line.trim())).collect()
}

fn route(line: &str) -> EffectiveRoute {
    let words: Vec<&str> = line.split_whitespace().collect();
    let [source, state, destination, next_hop_type, next_hop_ips @ ..] = words.as_slice() else {
        panic!("not a row: {line}");
    };
    EffectiveRoute {
        source: RouteSource::from(*source),
        state: RouteState::from(*state),
        destinations: vec![destination.parse().map_or_else(
            |_| RouteDestination::ServiceTag((*destination).to_owned()),
            RouteDestination::Prefix,
        )],
        next_hop_type: NextHopType::from(*next_hop_type),
        next_hop_ips: next_hop_ips.iter().map(|ip| ip.parse().expect(line)).collect(),
        name: None,
        disable_bgp_route_propagation: None,
        has_bgp_override: None,
    }
}
