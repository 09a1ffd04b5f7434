//! Azure's rules: effective routes → the table that a source of packets uses, with the reason for
//! every row that lost.
//!
//! Pure: no I/O, no clock. The rules are numbered as in the documentation of each function, and a
//! test is named after each.

mod compute;
mod explain;
mod finding;
mod next_hop;
mod owners;
mod route_table;
mod selection;
#[cfg(test)]
pub(crate) mod testing;

pub use compute::{Computed, ComputedTable, HubTable, HubTableRole, compute};
pub use explain::{Candidate, Explanation};
pub use finding::{Finding, Severity};
pub use next_hop::{NextHop, NextHopClass};
pub use owners::{Firewall, Owners, ScopeId};
pub use route_table::{Rejection, RouteRow, RouteTable, RouteTableBasis};
pub use selection::WinningRoute;
