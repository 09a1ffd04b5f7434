//! What was logged and recorded at firewalls, until the flows are looked for in it.

use std::io;
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use ahash::RandomState;

use super::{
    EvidenceRecord, EvidenceSource, FirewallLogEvidence, FirewallTrafficEvidence, FlowGatherer,
    Places,
};
use crate::spill::{PartitionBuffers, Partitions, SpillRoom};

/// What firewalls logged: the logs, and their lines by sender, in memory up to a bound and beyond it
/// in the room that it is given.
///
/// Several logs may be read at once. Which source a line is of is known when its log has been read
/// to the end, and so is whether it is evidence at all where traffic was recorded by an observer that
/// no export names; until then the line carries a slot.
pub struct FirewallEvidence {
    lines: Mutex<Partitions>,
    hasher: RandomState,
    slot_count: SlotCount,
    /// The place of each slot's source; `None` for what is no evidence.
    slots: Vec<Option<u32>>,
    /// The logs, each with the window that it covers.
    sources: Vec<EvidenceSource>,
    /// How far a line may be from a flow's beginning, nanoseconds.
    pub(super) time_tolerance_ns: i64,
    /// That a flow was recorded at a firewall shows that it passed there.
    pub(super) heeds_records: bool,
}

/// What stands for a line's source while its log is read.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct EvidenceSlot(pub(super) u32);

/// Gives out slots, to all threads.
#[derive(Clone, Debug, Default)]
pub(super) struct SlotCount(Arc<AtomicU32>);

/// The sources that one log makes, and the slots of their lines.
#[derive(Debug, Default)]
pub struct EvidenceSources(Vec<(EvidenceSource, Vec<EvidenceSlot>)>);

/// Everything that was gathered.
pub(super) struct GatheredEvidence {
    pub(super) lines: Partitions,
    pub(super) slots: Vec<Option<u32>>,
    pub(super) sources: Vec<EvidenceSource>,
}

impl FirewallEvidence {
    /// Prepares for the logs that the flows are looked for in; a line may be `time_tolerance_ns`
    /// from the beginning of its flow. Past `bytes_max` lines go to `room`.
    pub fn new(
        flows: &FlowGatherer,
        time_tolerance_ns: i64,
        bytes_max: usize,
        room: SpillRoom,
    ) -> Self {
        Self {
            lines: Mutex::new(Partitions::new(bytes_max, room)),
            hasher: flows.hasher(),
            slot_count: SlotCount::default(),
            slots: Vec::new(),
            sources: Vec::new(),
            time_tolerance_ns,
            heeds_records: true,
        }
    }

    /// No evidence at all, records made at a firewall included: then flows are judged by their
    /// routes alone, as they must be where they were recorded under other routes.
    pub fn of_routes_alone(flows: &FlowGatherer) -> Self {
        Self { heeds_records: false, ..Self::new(flows, 0, 0, SpillRoom::default()) }
    }

    /// Begins with a log; `path` is how it is shown.
    pub fn log(&self, path: impl Into<String>) -> FirewallLogEvidence<'_> {
        FirewallLogEvidence::new(path, self)
    }

    /// Begins with a flow log or a capture; `path` is how it is shown.
    pub fn traffic(&self, path: impl Into<String>, places: &Places) -> FirewallTrafficEvidence<'_> {
        FirewallTrafficEvidence::new(path, self, places)
    }

    /// Adds the sources of a log that was read to its end, after those that were added before.
    pub fn add(&mut self, sources: EvidenceSources) {
        let slot_count = self.slot_count.0.load(Ordering::Relaxed) as usize;
        self.slots.resize(slot_count, None);
        for (source, slots) in sources.0 {
            let place = u32::try_from(self.sources.len()).expect("far fewer than 2^32 logs");
            for slot in slots {
                self.slots[slot.0 as usize] = Some(place);
            }
            self.sources.push(source);
        }
    }

    pub(super) fn finish(self) -> GatheredEvidence {
        GatheredEvidence {
            lines: self.lines.into_inner().unwrap_or_else(PoisonError::into_inner),
            slots: self.slots,
            sources: self.sources,
        }
    }

    pub(super) fn slot_count(&self) -> SlotCount {
        self.slot_count.clone()
    }

    pub(super) fn hasher(&self) -> RandomState {
        self.hasher.clone()
    }

    /// Adds a line to what one thread has.
    pub(super) fn push(&self, lines: &mut PartitionBuffers, record: &EvidenceRecord) {
        lines.push(self.hasher.hash_one(record.source), |bytes| record.write(bytes));
    }

    /// Takes what one thread has.
    pub(super) fn absorb(&self, lines: &mut PartitionBuffers) -> io::Result<()> {
        self.lines.lock().unwrap_or_else(PoisonError::into_inner).absorb(lines)
    }
}

impl SlotCount {
    pub(super) fn next(&self) -> EvidenceSlot {
        EvidenceSlot(self.0.fetch_add(1, Ordering::Relaxed))
    }
}

impl EvidenceSources {
    pub(super) fn add(
        &mut self,
        source: EvidenceSource,
        slots: impl IntoIterator<Item = EvidenceSlot>,
    ) {
        self.0.push((source, slots.into_iter().collect()));
    }

    /// Returns true where there is none.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}
