//! What a run prints and writes: rows as CSV, JSON Lines or Parquet, the summary for people and for
//! programs, and the result of a verification as text, JSON, HTML, SARIF and JUnit XML.
//!
//! One file a format. Rows come in through [`RowSink`](crate::classify::RowSink), summaries as
//! [`Summary`](crate::classify::Summary); bytes go out into any [`Write`](std::io::Write). Nothing
//! here knows where a row came from or what a flag was called, nothing reads the clock, and the
//! same rows give the same bytes whatever their grouping into buffers.
//!
//! Every text that Azure, a log or a file name brought in is hostile until it was made harmless for
//! its medium: [`display::neutral`] for terminals, quotes and a leading apostrophe for CSV, the
//! escapes of `serde_json` for JSON and SARIF, a template that escapes for HTML, and character
//! references for XML.

mod atomic_file;
mod bench;
mod cell;
mod compare;
mod coverage_json;
#[cfg(test)]
mod coverage_sample;
mod coverage_summary;
mod coverage_text;
mod csv;
pub mod display;
mod explain;
mod html;
mod json;
mod jsonl;
mod junit;
mod lint;
mod neutral_json;
#[cfg(feature = "parquet")]
mod parquet;
mod replay_json;
mod replay_text;
mod routes;
mod rows;
mod sarif;
mod schema;
mod table;
mod text;

pub use atomic_file::{AtomicFile, AtomicFileError};
pub use bench::{
    BaselineError, BenchReport, Machine, Measurement, write_bench_json, write_bench_text,
};
pub use compare::{ComparedPair, write_comparison_json, write_comparison_text};
pub use coverage_json::write_coverage_json;
pub use coverage_text::write_coverage_text;
pub use explain::{
    ExplainReport, PoolTarget, SourceAddress, SourceBasis, WayBack, write_explain_json,
    write_explain_text, write_unknown_member_json, write_unknown_member_text,
};
pub use html::write_coverage_html;
pub use json::write_classify_json;
pub use junit::write_coverage_junit;
pub use lint::{write_lint_json, write_lint_text};
pub use replay_json::write_replay_json;
pub use replay_text::write_replay_text;
pub use routes::{
    write_rows_csv, write_rows_json, write_rows_text, write_tables_csv, write_tables_json,
    write_tables_text,
};
pub use rows::{RowEncoder, RowFormat, RowFormatError, RowOptions, RowWriter};
pub use sarif::write_coverage_sarif;
pub use schema::{
    Column, ColumnKind, ColumnListError, TimeUnit, parse_columns, parse_replay_columns,
    parse_verify_columns,
};
pub use text::{SummaryOptions, write_classify_text};
