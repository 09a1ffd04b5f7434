//! The naive twins: what the program does, as one would write it with well-known crates.
//!
//! They are measured beside the program, and their totals must equal its own. They take no part of
//! it but what both need to be about the same thing: the selected routes of a snapshot.

pub mod capture;
pub mod flow_log;
pub mod router;
pub mod totals;
