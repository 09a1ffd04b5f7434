//! The join: recorded traffic × compiled routes → labelled rows and their sums.
//!
//! Chunks come in by a callback, rows go out through a [`RowSink`]; nothing here does I/O, prints
//! or reads the clock.

#[cfg(test)]
mod computed_tests;
mod label;
mod log_contexts;
mod log_flows;
mod output;
mod packet_flows;
mod pipeline;
mod rounds;
mod rows;
mod run_batch;
mod summary;
mod totals;
mod tuple_runs;
mod waiting_tuples;

pub use label::{Label, Observer};
pub(crate) use log_flows::MergedFlow;
pub use output::{
    CounterBasis, CoverageColumns, LabelColumns, LookupSide, NoRows, OutputRow, RecordKind,
    ReplayColumns, RowBuffer, RowSink, SeenTuples, SenderKeys,
};
pub use pipeline::{Classifier, ClassifyOptions, InputsError};
pub use summary::{InputSummary, NextHopSummary, Summary, Totals};
pub(crate) use waiting_tuples::TupleMerger;
pub use waiting_tuples::WaitingTuples;
