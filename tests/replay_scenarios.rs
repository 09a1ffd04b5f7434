//! What `replay` says of small estates before and after a change: which flows change, from what to
//! what, and why.
//!
//! The snapshots are those of `tests/recipes/`, and changes of them; what must change is stated
//! beside each as a rule over addresses, worked out by hand from the tables.

#![forbid(unsafe_code)]
#![cfg(feature = "cli")]

#[allow(dead_code, reason = "other test programs use the rest")]
#[path = "support/random.rs"]
mod random;
#[allow(dead_code, reason = "labels of the estates are held by another test program")]
mod recipes;
mod replay;
