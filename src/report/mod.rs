//! What a run prints and writes: rows as CSV, JSON Lines or Parquet, and the summary for people and
//! for programs.
//!
//! One file a format. Rows come in through [`RowSink`](crate::classify::RowSink), summaries as
//! [`Summary`](crate::classify::Summary); bytes go out into any [`Write`](std::io::Write). Nothing
//! here knows where a row came from or what a flag was called, nothing reads the clock, and the
//! same rows give the same bytes whatever their grouping into buffers.
//!
//! Every text that Azure, a log or a file name brought in is hostile until it was made harmless for
//! its medium: [`display::neutral`] for terminals, quotes and a leading apostrophe for CSV, the
//! escapes of `serde_json` for JSON.

mod atomic_file;
mod cell;
mod compare;
mod csv;
pub mod display;
mod explain;
mod json;
mod jsonl;
mod lint;
#[cfg(feature = "parquet")]
mod parquet;
mod routes;
mod rows;
mod schema;
mod table;
mod text;

pub use atomic_file::{AtomicFile, AtomicFileError};
pub use compare::{ComparedPair, write_comparison_json, write_comparison_text};
pub use explain::{ExplainReport, WayBack, write_explain_json, write_explain_text};
pub use json::write_classify_json;
pub use lint::{write_lint_json, write_lint_text};
pub use routes::{
    write_rows_csv, write_rows_json, write_rows_text, write_tables_csv, write_tables_json,
    write_tables_text,
};
pub use rows::{RowEncoder, RowFormat, RowFormatError, RowOptions, RowWriter};
pub use schema::{Column, ColumnKind, ColumnListError, TimeUnit, parse_columns};
pub use text::{SummaryOptions, write_classify_text};
