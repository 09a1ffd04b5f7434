//! Why routes do not become a table.

use super::LpmKind;
use crate::net::AddressPrefix;

/// Why routes do not become a table.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum CompileError {
    /// A route has the value 0, which is kept for "no route".
    #[error("{prefix}: value 0 means no route and cannot be a route's own")]
    ZeroValue {
        /// The first such route's prefix.
        prefix: AddressPrefix,
    },
    /// The routes need more of something than the engine can number.
    #[error("the routes need more than {limit} {what}, the limit of {kind}")]
    TooLarge {
        /// The engine.
        kind: LpmKind,
        /// What there is too much of, in the engine's own words.
        what: &'static str,
        /// How many there can be.
        limit: usize,
    },
}
