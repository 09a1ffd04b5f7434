//! Placeholder.

use std::path::Path;

use crate::fib::Fib;

/// A snapshot, compiled.
#[derive(Debug)]
pub struct Loaded {
    /// The tables.
    pub fib: Fib,
    /// What the user should know.
    pub warnings: Vec<String>,
}

/// Loads a snapshot.
pub fn load(routes: &Path, from: Option<&str>) -> anyhow::Result<Loaded> {
    let _ = (routes, from);
    todo!()
}
