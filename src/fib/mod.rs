//! Route tables compiled for the data path.
//!
//! In: selected [`RouteTable`](crate::routing::RouteTable)s and the sources that use each. Out: an
//! immutable [`Fib`] that answers two questions in a few loads: which table does this source use,
//! and which next hop does that table give this address. Tables with equal routes are stored once.
//!
//! Knows no file format and no rule of selection.

mod backends;
mod lint;
mod path;
mod snapshot_sources;
mod snapshot_tables;
mod sources;
mod table;

pub use lint::count_by_severity;
pub use path::{Path, PathHop, PathOutcome};
pub use snapshot_tables::{ComparedTables, FindError, SnapshotTables};
pub use sources::{Place, Source, SourceMarks, Sources};
pub use table::{BeyondGateway, CompileError, Fib, Match, NextHopId, RouteTableInfo, TableId};
