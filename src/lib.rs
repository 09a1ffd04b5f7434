//! Where did Azure's routing send this recorded flow?
//!
//! Azure routes packets in software, in the NIC that sends them, by a table that every subnet or
//! NIC has for itself. `nexthop` takes those tables as Azure exports them, compiles them for
//! longest-prefix match, and labels recorded traffic (captures, flow logs) with the next hop that
//! the tables give it.
//!
//! ```text
//!  exports ──▶ azure ──▶ routing ──▶ fib ─────────┐
//!              (rows)    (selected)  (compiled    │
//!                                     with lpm)   ├──▶ classify ──▶ report
//!  captures, flow logs ──▶ traffic ───────────────┘    (labels,     (text, JSON, CSV,
//!                          (columns)                    sums)        JSON Lines, Parquet)
//! ```
//!
//! Two stages may stand between `classify` and `report`: `coverage` judges the rows by a policy and
//! by the logs of firewalls, and `replay` labels them a second time, by the routes of another
//! snapshot.
//!
//! The modules below stand in the order in which data flows. Each depends only on those before it,
//! and a test holds that. To run the whole of it:
//!
//! ```
//! use nexthop::azure::load_snapshot;
//! use nexthop::classify::{Classifier, ClassifyOptions, NoRows};
//! use nexthop::fib::SnapshotTables;
//! use nexthop::routing::NextHopClass;
//! use nexthop::traffic::{DecodeOptions, InputName, ReadOptions, TrafficReader};
//!
//! let snapshot = load_snapshot("captures/private-link/snapshot".as_ref())?;
//! let fib = SnapshotTables::of(&snapshot).compile()?;
//!
//! let options = ClassifyOptions {
//!     per: None,
//!     memory_bytes_max: 1 << 30,
//!     threads: 2,
//!     decode: DecodeOptions::default(),
//! };
//! let mut run = Classifier::new(&fib, options, NoRows);
//! let capture = std::fs::File::open("captures/private-link/traffic/hubvm.pcap")?;
//! let mut reader = TrafficReader::open(Box::new(capture), ReadOptions::default());
//! run.classify_input(&InputName::new("hubvm.pcap"), &mut reader, &|_| {})?;
//!
//! let (summary, _) = run.finish()?;
//! let through_firewall =
//!     summary.by_class.iter().find(|(class, _)| *class == NextHopClass::Firewall);
//! assert_eq!(through_firewall.map(|(_, totals)| totals.flows), Some(2));
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

pub mod net;

pub mod azure;
pub mod routing;

mod instructions;
mod memory;

pub mod spill;

pub mod lpm;

pub mod fib;

pub mod traffic;

pub mod classify;

pub mod coverage;

pub mod replay;

pub mod report;

#[cfg(feature = "generate")]
pub mod generate;

#[cfg(feature = "cli")]
pub mod cli;

#[cfg(doctest)]
#[doc = include_str!("../README.md")]
struct Readme;
