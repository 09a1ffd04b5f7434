//! VNet flow logs (version 4) and NSG flow logs (versions 1 and 2).

use std::io::Read;

use super::{FlowBatch, Tally};

/// Cuts a flow log into chunks of whole records.
pub(super) struct FlowLogReader {}

impl FlowLogReader {
    /// Reads from the first byte.
    pub(super) fn new(bytes: Box<dyn Read + Send>) -> Self {
        let _ = bytes;
        todo!()
    }

    /// Fills `chunk`; false at the end.
    pub(super) fn fill(&mut self, chunk: &mut FlowLogChunk, chunk_bytes: usize) -> bool {
        let _ = (chunk, chunk_bytes);
        todo!()
    }
}

/// Whole records of one flow log.
#[derive(Debug, Default)]
pub(super) struct FlowLogChunk {}

/// Turns records into rows.
#[derive(Debug, Default)]
pub(super) struct Decoder {}

impl Decoder {
    pub(super) fn decode(
        &mut self,
        chunk: &FlowLogChunk,
        batch: &mut FlowBatch,
        tally: &mut Tally,
    ) {
        let _ = (chunk, batch, tally);
        todo!()
    }
}
