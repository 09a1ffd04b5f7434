//! What several test programs share: the corpus, the program, random tables, and captures made in memory.

#![allow(dead_code, reason = "each test program uses a part of it")]

pub mod capture;
pub mod corpus;
pub mod oracle;
#[cfg(feature = "cli")]
pub mod program;
pub mod random;
pub mod run;
pub mod tables;

use std::path::{Path, PathBuf};

/// Returns a path below the package's folder.
pub fn in_repository(path: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join(path)
}
