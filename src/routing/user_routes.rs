//! User-defined routes, and the prefixes of the service tags in them.

use std::collections::BTreeMap;
use std::sync::Arc;

use ahash::AHashMap;

use super::{Rejection, RouteRow};
use crate::azure::resources::{UserRoute, UserRouteTable};
use crate::azure::{
    RouteDestination, RouteSource, RouteState, ServiceTags, Settings, service_tag_rank,
};
use crate::net::AddressPrefix;

/// The service tags of a snapshot: those of the settings go before those of Microsoft's file.
#[derive(Debug)]
pub(super) struct Tags<'s> {
    given: ServiceTags,
    file: &'s ServiceTags,
}

impl<'s> Tags<'s> {
    pub(super) fn new(settings: &Settings, file: &'s ServiceTags) -> Self {
        let mut given = ServiceTags::default();
        for (name, prefixes) in &settings.service_tags {
            given.add(name, prefixes.iter().copied());
        }
        Self { given, file }
    }

    /// Returns the prefixes of a tag, sorted; none where the tag is not known.
    pub(super) fn prefixes(&self, name: &str) -> Option<impl Iterator<Item = AddressPrefix> + '_> {
        self.given.get(name).or_else(|| self.file.get(name)).map(|all| all.iter().copied())
    }
}

/// Returns the rows of a route table, as its own subnets see them.
///
/// * A route keeps its type and addresses as written, whatever stands behind them. (Decision.)
/// * A service tag becomes one row for each of its prefixes. Of the routes that hold one exact
///   prefix the most specific wins: an explicit prefix, then a tag of a region, then one of the
///   whole service, then `AzureCloud` of a region, then `AzureCloud`. (Documented.) The others have
///   no row.
/// * A tag whose prefixes are not known stays a row of that tag. Nothing is guessed.
///
/// Source: Microsoft, "Virtual network traffic routing", §User-defined and §Service tags for
/// user-defined routes (read 2026-11-20).
pub(super) fn rows(table: &UserRouteTable, tags: &Tags<'_>) -> Vec<RouteRow> {
    let mut expanded: Vec<(u8, RouteRow)> = Vec::with_capacity(table.routes.len());
    let mut best: BTreeMap<AddressPrefix, u8> = BTreeMap::new();
    for route in &table.routes {
        let mut add = |rank: u8, row: RouteRow| {
            if let Some(prefix) = row.prefix() {
                best.entry(prefix).and_modify(|best| *best = rank.min(*best)).or_insert(rank);
            }
            expanded.push((rank, row));
        };
        match &route.destination {
            RouteDestination::Prefix(_) => add(EXPLICIT, row_of(route, route.destination.clone())),
            RouteDestination::ServiceTag(tag) => match tags.prefixes(tag) {
                Some(prefixes) => {
                    let rank = service_tag_rank(tag);
                    for prefix in prefixes {
                        add(rank, row_of(route, RouteDestination::Prefix(prefix)));
                    }
                }
                None => {
                    let mut row = row_of(route, route.destination.clone());
                    row.rejected = Some(Rejection::UnresolvedServiceTag);
                    add(EXPLICIT, row);
                }
            },
        }
    }
    for (rank, row) in &mut expanded {
        if row.prefix().is_some_and(|prefix| *rank > best[&prefix]) {
            row.is_absent = true;
            row.rejected = Some(Rejection::ServiceTagPriority);
        }
    }
    expanded.into_iter().map(|(_, row)| row).collect()
}

/// The rows of every route table that a subnet uses, each made once.
#[derive(Debug, Default)]
pub(super) struct UserRows {
    by_table: AHashMap<usize, Arc<[RouteRow]>>,
}

impl UserRows {
    /// Returns the rows of a route table; the same allocation for the same table.
    pub(super) fn of(&mut self, table: &UserRouteTable, tags: &Tags<'_>) -> Arc<[RouteRow]> {
        let key = std::ptr::from_ref(table).addr();
        Arc::clone(self.by_table.entry(key).or_insert_with(|| rows(table, tags).into()))
    }
}

/// The rank of an explicit prefix.
const EXPLICIT: u8 = 0;

fn row_of(route: &UserRoute, destination: RouteDestination) -> RouteRow {
    RouteRow {
        destination,
        source: RouteSource::User,
        state: RouteState::Active,
        is_absent: false,
        next_hop_type: route.next_hop_type.clone(),
        next_hop_ips: route.next_hop_ips.clone(),
        name: Some(route.name.as_str()).filter(|name| !name.is_empty()).map(Arc::from),
        rejected: None,
    }
}
