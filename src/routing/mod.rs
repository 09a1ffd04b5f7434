//! Azure's rules: effective routes → the table that a source of packets uses, with the reason for
//! every row that lost.
//!
//! Pure: no I/O, no clock. The rules are numbered as in the documentation of each function, and a
//! test is named after each.

mod app_service;
mod application_gateway;
mod backend_pools;
mod base;
mod compare;
mod compute;
mod explain;
mod finding;
mod gateways;
mod lint;
mod merge;
mod names;
mod next_hop;
mod owners;
mod ownership;
mod peering;
mod platform;
mod private_endpoints;
mod route_table;
mod selection;
mod service_endpoints;
mod system_routes;
mod table_lint;
#[cfg(test)]
pub(crate) mod testing;
#[cfg(test)]
mod tests;
mod topology;
mod user_routes;
mod virtual_wan;

pub use app_service::is_rfc1918;
pub use backend_pools::{BackendMember, BackendPoolMembers};
pub use compare::{ComparedRow, Comparison};
pub use compute::{
    BeyondGateway, Computed, ComputedTable, HubTable, HubTableRole, OnPremises, compute,
};
pub use explain::{Candidate, Explanation};
pub use finding::{Finding, Severity};
pub use next_hop::{NextHop, NextHopClass};
pub use owners::{Firewall, Owners, ScopeId};
pub use platform::Broadcasts;
pub use route_table::{Rejection, RouteRow, RouteTable, RouteTableBasis};
pub use selection::WinningRoute;
