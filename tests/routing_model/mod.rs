//! A second, naive computation of the effective routes of one subnet, straight from Azure's
//! published rules, as the oracle of the library's own.
//!
//! It shares no code with `nexthop::routing` and nothing is done quickly: [`candidates`] lists every
//! row that the resources could give a subnet, [`selection`] then applies one rule after the other
//! to the whole list, and [`winner`] scans it for one address. [`random`] makes topologies whose
//! rules interact, [`shrink`] makes one that shows a difference small.

pub mod build;
pub mod candidates;
mod cases;
pub mod compare;
pub mod hubs;
mod published;
pub mod random;
pub mod selection;
pub mod shrink;

use std::fmt;
use std::net::IpAddr;

use nexthop::azure::resources::{Resources, Subnet, VirtualNetwork};
use nexthop::azure::{NextHopType, RouteSource, ServiceTags, Settings};
use nexthop::net::AddressPrefix;

/// Everything a computation starts from.
#[derive(Clone, Default)]
pub struct World {
    pub resources: Resources,
    pub service_tags: ServiceTags,
    pub settings: Settings,
}

/// The subnet whose table is asked for.
#[derive(Clone, Copy)]
pub struct Place<'w> {
    pub world: &'w World,
    pub virtual_network: &'w VirtualNetwork,
    pub subnet: &'w Subnet,
}

/// One row: one prefix with one next hop.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Row {
    pub prefix: AddressPrefix,
    pub source: RouteSource,
    pub state: State,
    pub next_hop_type: NextHopType,
    /// Sorted, each once.
    pub hops: Vec<IpAddr>,
}

/// What became of a row.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum State {
    /// Used.
    Active,
    /// Shown by Azure, and not used.
    Invalid,
    /// Not even shown.
    Absent,
}

impl World {
    pub fn places(&self) -> impl Iterator<Item = Place<'_>> {
        self.resources.virtual_networks.iter().flat_map(move |virtual_network| {
            virtual_network.subnets.iter().map(move |subnet| Place {
                world: self,
                virtual_network,
                subnet,
            })
        })
    }
}

/// Returns the rows of a subnet with what became of each, sorted. Rows that differ in their hops
/// alone are one: Azure writes a set of equal cost as one row or as several.
pub fn table(place: Place<'_>) -> Vec<Row> {
    merged(selection::select(place, candidates::list(place)))
}

/// Returns the row that a packet to `destination` uses: of the active ones that hold it, the
/// longest.
pub fn winner(rows: &[Row], destination: IpAddr) -> Option<&Row> {
    rows.iter()
        .filter(|row| row.state == State::Active && row.prefix.contains(destination))
        .max_by_key(|row| row.prefix.length())
}

/// Unites the hops of rows that are else the same, and sorts the rows.
pub fn merged(rows: Vec<Row>) -> Vec<Row> {
    let mut merged: Vec<Row> = Vec::new();
    for row in rows {
        let same = merged.iter_mut().find(|other| {
            other.prefix == row.prefix
                && other.source == row.source
                && other.state == row.state
                && other.next_hop_type == row.next_hop_type
        });
        match same {
            Some(other) => other.hops.extend(row.hops),
            None => merged.push(row),
        }
    }
    for row in &mut merged {
        row.hops.sort();
        row.hops.dedup();
    }
    merged.sort();
    merged
}

impl Row {
    /// Returns a row that is used as long as no rule says otherwise.
    pub fn new(prefix: AddressPrefix, source: RouteSource, next_hop_type: NextHopType) -> Self {
        Self { prefix, source, state: State::Active, next_hop_type, hops: Vec::new() }
    }

    pub fn is_active(&self) -> bool {
        self.state == State::Active
    }
}

/// A line as in the tests: `SOURCE STATE PREFIX TYPE [HOP…]`.
impl fmt::Display for Row {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { prefix, source, state, next_hop_type, hops } = self;
        write!(f, "{source} {state:?} {prefix} {next_hop_type}")?;
        hops.iter().try_for_each(|hop| write!(f, " {hop}"))
    }
}
