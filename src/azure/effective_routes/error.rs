//! Why a file gave no effective routes.

use std::fmt;

use crate::net::PrefixError;

/// Why a file gave no effective routes, and where.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum RouteFileError {
    /// Nothing in the file looks like effective routes.
    #[error("no effective route table: {reason}")]
    NotRecognised {
        /// What the file is, as far as one can tell.
        reason: String,
    },
    /// The effective routes of a virtual hub: other columns, other words, no NIC.
    #[error(
        "effective routes of a virtual hub, which are not those of a NIC: export the NICs of the \
         spokes with `az network nic show-effective-route-table`"
    )]
    VirtualHub,
    /// A byte that is not text.
    #[error("byte {offset}: not {encoding}")]
    Encoding {
        /// From the file's beginning.
        offset: u64,
        /// The encoding that the file begins with.
        encoding: &'static str,
    },
    /// A JSON export that is no JSON: often one that was cut.
    #[error("line {line}, column {column}: not valid JSON: {message}")]
    Json {
        /// From 1.
        line: u64,
        /// From 1; 0 at the beginning of a line.
        column: u64,
        /// What was expected.
        message: String,
    },
    /// A CSV export that is no CSV.
    #[error("line {line}: {message}")]
    Csv {
        /// From 1.
        line: u64,
        /// What is wrong.
        message: String,
    },
    /// A value that does not belong where it stands.
    #[error("{place}: {problem}")]
    Value {
        /// Where it stands.
        place: RoutePlace,
        /// What is wrong with it.
        problem: RouteValueError,
    },
    /// More than one table in one text.
    #[error(
        "line {second_line}: a second table begins, the first is at line {first_line}; give each a \
         file of its own"
    )]
    SeveralTables {
        /// The first header's line, from 1.
        first_line: u64,
        /// The second header's line, from 1.
        second_line: u64,
    },
}

/// Where in a file a value stands.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum RoutePlace {
    /// A JSON path: `$.value[17].addressPrefix[0]`.
    JsonPath(String),
    /// A cell of a text table or CSV file; lines count from 1, columns go by az's names.
    Cell {
        /// The line.
        line: u64,
        /// The name of the column.
        column: &'static str,
    },
    /// A whole line, from 1.
    Line(u64),
}

/// What is wrong with a value.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum RouteValueError {
    /// A row needs it.
    #[error("missing")]
    Missing,
    /// Neither a prefix nor the name of a service tag.
    #[error(transparent)]
    Prefix(#[from] PrefixError),
    /// Not the address of a next hop.
    #[error("`{text}` is not an IP address")]
    Address {
        /// The text, shortened if it is long.
        text: String,
    },
    /// Not a word.
    #[error("`{text}` is not a word of Azure's")]
    Word {
        /// The text, shortened if it is long.
        text: String,
    },
    /// A cell that the console cut.
    #[error("`{text}` is cut off; export as JSON, or in a wider console")]
    Cut {
        /// The text.
        text: String,
    },
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
    /// A key that its object holds twice.
    #[error("the key is there twice")]
    RepeatedKey,
    /// A row with more cells than columns.
    #[error("more text than columns")]
    TooManyCells,
    /// A row that neither the ruler nor the kinds of its words divide into cells.
    #[error("the row does not keep to the columns of its header")]
    Unaligned,
}

impl fmt::Display for RoutePlace {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::JsonPath(path) => f.write_str(path),
            Self::Cell { line, column } => write!(f, "line {line}, column `{column}`"),
            Self::Line(line) => write!(f, "line {line}"),
        }
    }
}
