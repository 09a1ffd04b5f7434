//! Seeded snapshots, captures and flow logs of any size, each with its truth.
//!
//! A seed and a shape come in; files as Azure exports them go out, and beside them what a run over
//! them must say: the sums, and, if asked for, every row. The truth is computed by a naive router
//! ([`NaiveRouter`]: a scan over the winning routes) while the traffic is drawn; nothing here knows
//! the compiled tables, the decoders or the flow table that are tested against it.
//!
//! ```text
//!            ┌▶ Snapshot ─────────────────▶ exports, nexthop.toml
//!   seed ────┤      │ NaiveRouter
//!            │      ▼
//!            ├▶ CaptureShape ─▶ packets ──▶ pcap, pcapng ─┐
//!            ├▶ FlowLogShape ─▶ tuples ───▶ blobs ────────┴▶ Expected
//!            └▶ EstateShape ──▶ exports, policy, blobs, firewall logs ─▶ ExpectedVerdicts
//! ```
//!
//! The same seed and shape give the same bytes on every machine: random numbers are our own, there
//! is no floating point, no clock, and no order of a hash map in anything that is written.
//!
//! Writes to what it is given; the file system is the caller's.

mod capture;
mod conversation;
mod estate;
mod expected;
mod flow_log;
mod frame;
mod packet_flows;
mod random;
mod router;
mod routes;
mod snapshot;

pub use capture::{CaptureContainer, CaptureShape, PacketSize};
pub use estate::{EstateShape, ExpectedVerdicts};
pub use expected::{Expected, FLOW_COLUMNS, TUPLE_COLUMNS};
pub use flow_log::FlowLogShape;
pub use random::{Random, Zipf};
pub use router::{NaiveRouter, Verdict};
pub use snapshot::{Place, Snapshot, SnapshotShape};
