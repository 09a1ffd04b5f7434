//! Gathers flows as [`FlowGatherer`] does, and keeps their rows.

use std::io;

use super::flows::{FlowGatherer, ObservedFlows};
use super::kept_rows::{KeptRows, KeptRowsBuffer};
use crate::classify::{OutputRow, RowBuffer, RowSink};
use crate::spill::SpillRoom;

/// Gathers the rows of a classification as observed flows, and keeps them, so that they can be
/// written with the verdicts on them.
///
/// Memory: that of the gatherer, and for rows the bound that is given.
pub struct RowKeeper {
    pub(super) gatherer: FlowGatherer,
    pub(super) rows: KeptRows,
}

/// The rows of one thread on their way into a [`RowKeeper`].
pub struct KeptFlows {
    flows: ObservedFlows,
    rows: KeptRowsBuffer,
}

impl RowKeeper {
    /// Returns the flows of the rows.
    pub fn gatherer(&self) -> &FlowGatherer {
        &self.gatherer
    }

    /// Prepares for rows; past `bytes_max` they go to `room`.
    pub fn new(gatherer: FlowGatherer, bytes_max: usize, room: SpillRoom) -> Self {
        Self { gatherer, rows: KeptRows::new(bytes_max, room) }
    }
}

impl RowSink for RowKeeper {
    type Buffer = KeptFlows;

    fn buffer(&self) -> KeptFlows {
        KeptFlows { flows: self.gatherer.buffer(), rows: self.rows.buffer() }
    }

    fn append(&mut self, buffer: &mut KeptFlows) -> io::Result<()> {
        self.gatherer.append(&mut buffer.flows)?;
        self.rows.append(&mut buffer.rows)
    }
}

impl RowBuffer for KeptFlows {
    fn push(&mut self, row: &OutputRow<'_>) {
        let kept = self.rows.push(row);
        self.flows.push_kept(row, Some(kept));
    }
}
