//! The flows of a partition of tuples, as they are merged.

use super::flows::{ObservedFlow, ObservedFlows, joined_of_key};
use crate::classify::{MergedFlow, TupleMerger};

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

    /// Adds a flow; those of one 5-tuple come together.
    pub(super) fn push(&mut self, flow: &MergedFlow<'_>, merger: &TupleMerger<'_>) {
        let flow = self.observed.merged(flow, merger);
        if self.open.first().is_some_and(|open| open.key() != flow.key()) {
            self.close();
        }
        self.open.push(flow);
    }

    /// Gives out the logical flows that they make, to be cleared.
    pub(super) fn joined(&mut self) -> &mut Vec<ObservedFlow> {
        self.close();
        &mut self.flows
    }

    fn close(&mut self) {
        joined_of_key(&mut self.open, |flow| self.flows.push(flow), |_, _| ());
        self.open.clear();
    }
}
