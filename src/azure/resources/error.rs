//! Why a file of resources cannot be used.

use crate::net::{MacParseError, PrefixError};

/// Why a file of resources cannot be used, and where.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ResourceFileError {
    /// A value that does not belong where it stands.
    #[error("{json_path}: {problem}")]
    Value {
        /// Where: `$.value[3].properties.addressSpace.addressPrefixes[0]`.
        json_path: String,
        /// What is wrong with it.
        problem: ResourceValueError,
    },
    /// An export that is no JSON: often one that was cut.
    #[error("line {line}, column {column}: not valid JSON: {message}")]
    Json {
        /// From 1.
        line: u64,
        /// From 1; 0 at the beginning of a line.
        column: u64,
        /// What was expected.
        message: String,
    },
}

/// What is wrong with a value of a resource.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ResourceValueError {
    /// Not an address prefix; for a route, not the name of a service tag either.
    #[error(transparent)]
    Prefix(#[from] PrefixError),
    /// Not an IP address.
    #[error("`{text}` is not an IP address")]
    Address {
        /// The text, shortened if it is long.
        text: String,
    },
    /// Not a MAC address.
    #[error(transparent)]
    Mac(#[from] MacParseError),
    /// Neither true nor false.
    #[error("`{text}` is neither true nor false")]
    Bool {
        /// The text, shortened if it is long.
        text: String,
    },
    /// JSON of another shape.
    #[error("not {expected}")]
    Shape {
        /// What belongs there.
        expected: &'static str,
    },
    /// A key that its object holds twice, compared without case.
    #[error("the key is there twice")]
    RepeatedKey,
}
