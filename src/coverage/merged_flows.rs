//! The flows of a partition of tuples, as they are merged.

use super::flows::{ObservedFlow, ObservedFlows};
use super::joining::join_in_place;
use crate::classify::{MergedFlow, TupleMerger};

/// Flows of one thread on their way from tuples to a judge.
pub(super) struct MergedFlows {
    observed: ObservedFlows,
    flows: Vec<ObservedFlow>,
    /// Where the records of the 5-tuple begin that is coming in.
    open: usize,
}

impl MergedFlows {
    pub(super) fn new(observed: ObservedFlows) -> Self {
        Self { observed, flows: Vec::new(), open: 0 }
    }

    /// Adds a flow; those of one 5-tuple come together.
    pub(super) fn push(&mut self, flow: &MergedFlow<'_>, merger: &TupleMerger<'_>) {
        let flow = self.observed.merged(flow, merger);
        if self.flows.get(self.open).is_some_and(|open| open.key() != flow.key()) {
            self.join_open();
        }
        self.flows.push(flow);
    }

    /// Gives the logical flows that they make to `work`, and forgets them.
    pub(super) fn take_joined(&mut self, work: impl FnOnce(&mut Vec<ObservedFlow>)) {
        self.join_open();
        work(&mut self.flows);
        self.flows.clear();
        self.open = 0;
    }

    fn join_open(&mut self) {
        let records = &mut self.flows[self.open..];
        if !records.is_empty() {
            self.open += join_in_place(records, |_, _| ());
            self.flows.truncate(self.open);
        }
    }
}
