//! Azure's rules: effective routes → the table that a source of packets uses, with the reason for
//! every row that lost.
//!
//! Pure: no I/O, no clock.

mod explain;
mod next_hop;
mod route_table;

pub use explain::{Candidate, Explanation};
pub use next_hop::{NextHop, NextHopClass};
pub use route_table::{Rejection, RouteRow, RouteTable, RouteTableBasis};
