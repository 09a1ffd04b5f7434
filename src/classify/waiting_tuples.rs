//! The tuples of logs once all inputs are read, for a caller that merges them when it is ready.

use super::label::is_platform_tuple;
use super::log_flows::{LogFlows, MergedFlow};
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
    /// The inputs by number.
    pub(super) inputs: Vec<InputName>,
}

impl WaitingTuples<'_> {
    /// Returns true where no log had a tuple.
    pub fn is_empty(&self) -> bool {
        let (first_ns, last_ns) = self.span_ns;
        first_ns > last_ns
    }
}

impl TupleMerger<'_> {
    /// Merges the tuples of a partition and calls `each` for every flow; those of one 5-tuple come
    /// together.
    ///
    /// Cost: O(n) for n tuples, and O(n log n) for the n of one flow.
    pub(crate) fn merge(&self, bytes: PartitionBytes, each: impl FnMut(&MergedFlow<'_>)) {
        self.log_flows.merge_partition(bytes, each);
    }

    /// Returns true for a flow from or to the platform.
    pub(crate) fn is_platform(&self, flow: &MergedFlow<'_>) -> bool {
        is_platform_tuple(self.fib, flow.context.observer, flow.key.source, flow.key.destination)
    }

    /// Returns the name of the input of a flow's first tuple.
    pub(crate) fn input_name(&self, flow: &MergedFlow<'_>) -> &str {
        self.inputs[flow.first.0 as usize].as_str()
    }
}
