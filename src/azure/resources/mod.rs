//! Exported resources: typed rows of everything that decides routes.

mod types;

pub use types::*;
