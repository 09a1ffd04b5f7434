//! Placeholder for the pipeline.

use super::{RecordKind, RowSink, Summary};
use crate::fib::Fib;
use crate::traffic::{DecodeOptions, InputName, TrafficReader};

/// How traffic is classified.
#[derive(Clone, Debug)]
pub struct ClassifyOptions {
    /// What a row stands for.
    pub per: Option<RecordKind>,
    /// Bound of the flow table.
    pub memory_bytes_max: usize,
    /// At least 1.
    pub threads: usize,
    /// How packets are decoded.
    pub decode: DecodeOptions,
}

/// Classifies inputs.
#[derive(Debug)]
pub struct Classifier<'f, S: RowSink> {
    _fib: &'f Fib,
    _sink: S,
}

impl<'f, S: RowSink> Classifier<'f, S> {
    /// Starts.
    pub fn new(fib: &'f Fib, options: ClassifyOptions, sink: S) -> Self {
        let _ = options;
        Self { _fib: fib, _sink: sink }
    }

    /// Classifies one input.
    ///
    /// # Errors
    ///
    /// When rows cannot be written.
    pub fn classify_input(
        &mut self,
        name: &InputName,
        reader: &mut TrafficReader,
        progress: &(dyn Fn(u64) + Sync),
    ) -> std::io::Result<()> {
        let _ = (name, reader, progress);
        todo!()
    }

    /// Ends the run.
    ///
    /// # Errors
    ///
    /// When rows cannot be written.
    pub fn finish(self) -> std::io::Result<(Summary, S)> {
        todo!()
    }
}
