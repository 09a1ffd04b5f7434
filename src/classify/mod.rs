//! The join: recorded traffic × compiled routes → labelled rows and their sums.
//!
//! Chunks come in by a callback, rows go out through a [`RowSink`]; nothing here does I/O, prints
//! or reads the clock.

mod output;
mod pipeline;
mod summary;

pub use output::{
    CounterBasis, LabelColumns, LookupSide, NoRows, OutputRow, RecordKind, RowBuffer, RowSink,
};
pub use pipeline::{Classifier, ClassifyOptions};
pub use summary::{InputSummary, NextHopSummary, Summary, Totals};
