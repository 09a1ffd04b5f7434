//! The flows of a partition of tuples, as they are merged.

use super::flows::{ObservedFlow, ObservedFlows, joined};
use crate::classify::OutputRow;

/// Flows of one thread on their way from tuples to a judge.
pub(super) struct MergedFlows {
    observed: ObservedFlows,
    /// The records of the 5-tuple that is coming in.
    open: Vec<ObservedFlow>,
    flows: Vec<ObservedFlow>,
}

impl MergedFlows {
    pub(super) fn new(observed: ObservedFlows) -> Self {
        Self { observed, open: Vec::new(), flows: Vec::new() }
    }

    /// Adds the row of a flow; those of one 5-tuple come together.
    pub(super) fn push(&mut self, row: &OutputRow<'_>) {
        let flow = self.observed.observed(row, None);
        if self.open.first().is_some_and(|open| open.key() != flow.key()) {
            self.close();
        }
        self.open.push(flow);
    }

    /// Gives out the logical flows that the rows make, to be cleared.
    pub(super) fn joined(&mut self) -> &mut Vec<ObservedFlow> {
        self.close();
        &mut self.flows
    }

    fn close(&mut self) {
        joined(&mut self.open, |flow| self.flows.push(flow), |_, _| ());
        self.open.clear();
    }
}
