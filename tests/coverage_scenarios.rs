//! What `verify` says of small estates: the verdict on every flow, the exit code, and the cause.
//!
//! The snapshots are those of `tests/recipes/`; flows and firewall logs stand beside the verdict
//! that the routes, the policy and the logs give them.

#![forbid(unsafe_code)]
#![cfg(feature = "cli")]

mod coverage;
#[allow(dead_code, reason = "labels of the estates are held by another test program")]
mod recipes;
mod support;
