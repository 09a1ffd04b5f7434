//! What a run saw, added up.

use crate::azure::NextHopIps;
use crate::routing::NextHopClass;
use crate::traffic::{Counters, InputName, SourceFormat, Tally};

/// The sums of a run.
#[derive(Clone, Debug, Default)]
pub struct Summary {
    /// One entry for each input, in their order.
    pub inputs: Vec<InputSummary>,
    /// The tallies of all inputs together.
    pub total: Tally,
    /// Rows, packets and bytes by class, in the order of [`NextHopClass::ALL`], classes without a
    /// row left out.
    pub by_class: Vec<(NextHopClass, Totals)>,
    /// The same by next hop; most bytes first, then most flows.
    pub by_next_hop: Vec<(NextHopSummary, Totals)>,
    /// True when the memory bound forced flows out early.
    pub has_partial_flows: bool,
}

/// The books of one input.
#[derive(Clone, Debug)]
pub struct InputSummary {
    /// How the input is shown.
    pub name: InputName,
    /// Its format; a flow log's is that of its first row, `None` without one.
    pub format: Option<SourceFormat>,
    /// False where nothing recognised the input.
    pub is_recognised: bool,
    /// What was read and what became of it.
    pub tally: Tally,
}

/// A next hop as far as summaries tell them apart.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct NextHopSummary {
    /// Azure's word; `None` without a route.
    pub next_hop_type: Option<String>,
    /// The addresses, sorted.
    pub next_hop_ips: NextHopIps,
    /// Who owns them.
    pub next_hop_name: Option<String>,
    /// Our class.
    pub class: NextHopClass,
}

/// Sums over rows; a counter that a row does not have counts 0 here.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Totals {
    /// Rows that an output file would hold: flows of a capture, tuples of a flow log.
    pub flows: u64,
    /// Packets of both directions.
    pub packets: u64,
    /// Bytes of both directions.
    pub bytes: u64,
}

impl Totals {
    /// Returns the sums of one row.
    pub fn of_row(counters: &Counters) -> Self {
        let both = |a: Option<u64>, b: Option<u64>| a.unwrap_or(0).saturating_add(b.unwrap_or(0));
        Self {
            flows: 1,
            packets: both(counters.packets_sent, counters.packets_received),
            bytes: both(counters.bytes_sent, counters.bytes_received),
        }
    }

    /// Adds another sum; saturates at `u64::MAX`.
    pub fn add(&mut self, other: Self) {
        self.flows = self.flows.saturating_add(other.flows);
        self.packets = self.packets.saturating_add(other.packets);
        self.bytes = self.bytes.saturating_add(other.bytes);
    }
}
