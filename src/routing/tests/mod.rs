//! Networks → tables, row by row and address by address.

mod app_service;
mod backend_pools;
mod comparing;
mod computing;
mod faults;
mod gateway_edges;
mod hub_edges;
mod lints;
mod owner_edges;
mod ownership;
mod private_endpoints;
mod virtual_wan;

use std::net::IpAddr;

use super::testing::plan;
use super::{Computed, Owners, RouteRow, RouteTable, compute};
use crate::azure::{ServiceTags, Settings};

/// Computes a plan with the service tags that the tests use.
fn computed(text: &str) -> Computed {
    computed_with(text, &Settings::default())
}

fn computed_with(text: &str, settings: &Settings) -> Computed {
    let mut tags = ServiceTags::default();
    tags.add("Storage", ["20.60.0.0/24".parse().unwrap(), "20.61.0.0/24".parse().unwrap()]);
    tags.add("Storage.EastUS", ["20.60.0.0/24".parse().unwrap()]);
    tags.add("Sql", ["40.79.154.0/24".parse().unwrap()]);
    compute(&plan(text), &tags, settings)
}

fn table<'c>(computed: &'c Computed, id: &str) -> &'c RouteTable {
    let mut tables = computed.tables.iter().map(|table| &table.table);
    let hubs = || computed.hub_tables.iter().map(|table| &table.table);
    let found = tables.find(|table| table.id == id).or_else(|| hubs().find(|table| table.id == id));
    found.unwrap_or_else(|| panic!("no table {id}"))
}

/// The rows that Azure would show, sorted.
fn shown(table: &RouteTable) -> Vec<String> {
    let mut rows: Vec<String> = table.shown_rows().map(line).collect();
    rows.sort();
    rows
}

fn line(row: &RouteRow) -> String {
    let mut words = vec![
        row.source.as_str().to_owned(),
        row.state.as_str().to_owned(),
        row.destination.to_string(),
        row.next_hop_type.as_str().to_owned(),
    ];
    words.extend(row.next_hop_ips.iter().map(ToString::to_string));
    words.join(" ")
}

/// Sorted lines of words, however they are laid out.
fn lines(text: &str) -> Vec<String> {
    let mut lines: Vec<String> = text
        .lines()
        .map(|line| line.split_whitespace().collect::<Vec<_>>().join(" "))
        .filter(|line| !line.is_empty())
        .collect();
    lines.sort();
    lines
}

/// Where a table sends an address: type, hops and prefix.
fn sends(table: &RouteTable, destination: &str) -> String {
    let destination: IpAddr = destination.parse().unwrap();
    let explanation = table.explain(&Owners::default(), destination);
    let Some(hop) = explanation.next_hop else { return explanation.reason.to_owned() };
    let mut words = vec![hop.next_hop_type.as_str().to_owned()];
    words.extend(hop.ips.iter().map(ToString::to_string));
    words.join(" ")
}

/// The state and reason of every row of a destination, as `explain` prints them.
fn reason_of(table: &RouteTable, row: &str) -> (String, Option<&'static str>) {
    let found = table
        .rows()
        .find(|candidate| format!("{} {}", candidate.source, candidate.destination) == row);
    let found = found.unwrap_or_else(|| panic!("no row {row}"));
    (found.shown_state().to_owned(), found.rejected.map(super::Rejection::as_str))
}
