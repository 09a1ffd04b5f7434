//! The tuples of logs once all inputs are read, for a caller that merges them when it is ready.

use super::log_flows::LogFlows;
use super::pipeline::class_column_of_merged;
use super::rows::merged_flow_row;
use super::{Observer, OutputRow};
use crate::fib::Fib;
use crate::spill::{PartitionBytes, Partitions};
use crate::traffic::InputName;

/// The tuples of logs as they wait for those of their flows; all that one sender sent are in one
/// partition.
pub struct WaitingTuples<'f> {
    pub(crate) tuples: Partitions,
    pub(crate) merger: TupleMerger<'f>,
    /// The first and the last time of all; the first is behind the last where there is none.
    pub(crate) span_ns: (i64, i64),
}

/// What makes flows of the tuples of a partition.
pub(crate) struct TupleMerger<'f> {
    pub(super) fib: &'f Fib,
    pub(super) log_flows: LogFlows,
    pub(super) observers: Vec<Observer>,
    /// The inputs by number.
    pub(super) inputs: Vec<InputName>,
}

impl WaitingTuples<'_> {
    /// Returns true where no log was read.
    pub fn is_empty(&self) -> bool {
        let (first_ns, last_ns) = self.span_ns;
        first_ns > last_ns
    }
}

impl TupleMerger<'_> {
    /// Merges the tuples of a partition and calls `each` with the row of every flow; those of one
    /// 5-tuple come together. Labels say no more than whether a flow is the platform's.
    ///
    /// Cost: O(n) for n tuples, and O(n log n) for the n of one flow.
    pub(crate) fn merge(&self, bytes: PartitionBytes, mut each: impl FnMut(&OutputRow<'_>)) {
        self.log_flows.merge_partition(bytes, |flow| {
            let label = class_column_of_merged(self.fib, &self.observers, flow);
            let name = self.inputs[flow.first.0 as usize].as_str();
            each(&merged_flow_row(flow, label, name));
        });
    }
}
