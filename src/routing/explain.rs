//! One packet, explained: the winner, and why every other row lost.

use std::net::IpAddr;

use super::{NextHop, NextHopClass, RouteRow};
use crate::net::AddressPrefix;

/// The decision of one table about one destination.
#[derive(Clone, Debug)]
pub struct Explanation<'t> {
    /// The destination.
    pub destination: IpAddr,
    /// Our class: that of the winner, `platform`, `no_route` or `unknown`.
    pub class: NextHopClass,
    /// The winner's hop; several winning rows of equal cost make one set.
    pub next_hop: Option<NextHop>,
    /// The winner's prefix.
    pub matched_prefix: Option<AddressPrefix>,
    /// Every row whose prefix holds the destination, the winners first, then by length, source and
    /// state. Rows of unresolved service tags come last: they may hold it.
    pub candidates: Vec<Candidate<'t>>,
    /// A stable code: `longest_prefix`, `no_route`, `platform` or `unresolved_service_tag`.
    pub reason: &'static str,
}

/// One row that holds the destination.
#[derive(Clone, Copy, Debug)]
pub struct Candidate<'t> {
    /// The row.
    pub row: &'t RouteRow,
    /// Whether the packet uses it.
    pub is_selected: bool,
    /// Why not, as a stable code; `longest_prefix` for a winner.
    pub reason: &'static str,
}
