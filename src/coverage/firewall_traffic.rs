//! Flow logs and captures that were taken at a firewall, as evidence.

use std::collections::BTreeMap;
use std::io;
use std::sync::{Arc, Mutex, PoisonError};

use ahash::{AHashMap, RandomState};

use super::firewall_evidence::{EvidenceSlot, EvidenceSources, SlotCount};
use super::firewall_logs::hour_of_path;
use super::firewall_names::FirewallNames;
use super::firewall_observers::{
    FirewallAt, FirewallObservers, SpokenFor, Standing, local_address,
};
use super::places::CompiledPlaces;
use super::{EvidenceCategory, EvidenceRecord, EvidenceSource, FirewallEvidence, Places};
use crate::classify::{OutputRow, RowBuffer, RowSink};
use crate::net::MacAddress;
use crate::spill::PartitionBuffers;
use crate::traffic::FlowStatus;

/// Gathers the flows of one flow log or capture as evidence.
///
/// A row of a flow log counts where its MAC or its target resource is a firewall's, or where whoever
/// has its MAC turns out to pass on packets as the firewall of its VNet; that a capture was taken at
/// one is for the caller to know, since a capture names nobody. What was denied before it reached the
/// firewall shows nothing.
///
/// Rows wait with the lines of the logs, and of an observer a few numbers are kept.
pub struct FirewallTrafficEvidence<'e> {
    path: String,
    evidence: &'e FirewallEvidence,
    shared: Arc<Shared>,
    gathered: Gathered,
}

/// The rows of one thread on their way into a [`FirewallTrafficEvidence`].
pub struct FirewallTrafficRows {
    shared: Arc<Shared>,
    lines: PartitionBuffers,
    gathered: Gathered,
    /// Who recorded the last row; most rows come from who recorded the one before.
    last: Option<(Option<MacAddress>, String, Observer)>,
    known: AHashMap<Observer, EvidenceSlot>,
}

/// Who recorded rows, as far as it is known before all are read.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
enum Observer {
    /// At a firewall.
    At(FirewallAt),
    /// In the network of that place, and in no export.
    InNetwork(usize, MacAddress),
    /// Where a capture was taken.
    Capture,
    /// Not at a firewall.
    Elsewhere,
}

struct Shared {
    observers: Arc<FirewallObservers>,
    places: CompiledPlaces,
    firewall_names: FirewallNames,
    hasher: RandomState,
    slot_count: SlotCount,
    slots: Mutex<AHashMap<Observer, EvidenceSlot>>,
}

#[derive(Debug, Default)]
struct Gathered {
    by_observer: AHashMap<Observer, Recorded>,
}

/// What one observer recorded.
#[derive(Clone, Copy, Debug)]
struct Recorded {
    /// Rows, and among them those that can show a flow.
    rows: u64,
    records: u64,
    window_ns: (i64, i64),
    spoken_for: SpokenFor,
}

impl<'e> FirewallTrafficEvidence<'e> {
    pub(super) fn new(
        path: impl Into<String>,
        evidence: &'e FirewallEvidence,
        places: &Places,
    ) -> Self {
        Self {
            path: path.into(),
            evidence,
            shared: Arc::new(Shared {
                observers: places.firewall_observers.clone(),
                places: places.compile(),
                firewall_names: places.firewall_names.clone(),
                hasher: evidence.hasher(),
                slot_count: evidence.slot_count(),
                slots: Mutex::default(),
            }),
            gathered: Gathered::default(),
        }
    }

    /// Returns true where there was no row at all.
    pub fn is_empty(&self) -> bool {
        self.gathered.by_observer.is_empty()
    }

    /// Returns how many rows were recorded elsewhere than at a firewall, and show nothing.
    pub fn elsewhere(&self) -> u64 {
        let recorded = self.gathered.by_observer.iter();
        recorded
            .filter(|(observer, recorded)| self.firewall(observer, recorded).is_none())
            .map(|(_, recorded)| recorded.rows)
            .sum()
    }

    /// Returns the sources that the rows make, one for each firewall, by name.
    ///
    /// For each it covers `window_ns`, else the hour that its path names as blobs do, else the time
    /// from the first to the last record there; without any record at a firewall it covers nothing.
    pub fn finish(self, window_ns: Option<(i64, i64)>) -> EvidenceSources {
        let mut by_firewall: BTreeMap<Option<&str>, (Recorded, Vec<EvidenceSlot>)> =
            BTreeMap::new();
        let slots = self.shared.slots.lock().unwrap_or_else(PoisonError::into_inner);
        for (observer, recorded) in &self.gathered.by_observer {
            let Some(firewall) = self.firewall(observer, recorded) else { continue };
            let names = &self.shared.firewall_names;
            let name = firewall.or(names.only()).map(|firewall| names.name(firewall));
            let (sum, of_firewall) =
                by_firewall.entry(name).or_insert_with(|| (Recorded::NOTHING, Vec::new()));
            sum.absorb(recorded);
            of_firewall.extend(slots.get(observer));
        }
        let is_capture = self.gathered.by_observer.contains_key(&Observer::Capture);
        let source = |name: Option<&str>, records, (from_ns, to_ns)| EvidenceSource {
            path: self.path.clone(),
            firewall: name.map(str::to_owned),
            categories: vec![if is_capture { "capture" } else { "flow_log" }.to_owned()],
            from_ns,
            to_ns,
            records,
        };
        let window_ns = window_ns.or_else(|| hour_of_path(&self.path));
        let mut sources = EvidenceSources::default();
        for (name, (sum, slots)) in by_firewall {
            sources.add(source(name, sum.records, window_ns.unwrap_or(sum.window_ns)), slots);
        }
        if sources.is_empty() {
            sources.add(source(None, 0, (0, -1)), []);
        }
        sources
    }

    /// The firewall that an observer is at, once all rows are read.
    fn firewall(&self, observer: &Observer, recorded: &Recorded) -> Option<FirewallAt> {
        match observer {
            Observer::At(firewall) => Some(*firewall),
            Observer::InNetwork(network, _) => {
                self.shared.observers.at_firewall(*network, &recorded.spoken_for)
            }
            Observer::Capture => Some(self.shared.firewall_names.of_path(&self.path)),
            Observer::Elsewhere => None,
        }
    }
}

impl Recorded {
    const NOTHING: Self = Self {
        rows: 0,
        records: 0,
        window_ns: (i64::MAX, i64::MIN),
        spoken_for: SpokenFor::NOBODY,
    };

    fn absorb(&mut self, other: &Self) {
        self.rows += other.rows;
        self.records += other.records;
        let (from, to) = other.window_ns;
        self.window_ns = (self.window_ns.0.min(from), self.window_ns.1.max(to));
        self.spoken_for.absorb(other.spoken_for);
    }
}

impl RowSink for FirewallTrafficEvidence<'_> {
    const WANTS_ORDER: bool = false;
    const WANTS_ROUTES: bool = false;

    type Buffer = FirewallTrafficRows;

    fn buffer(&self) -> FirewallTrafficRows {
        FirewallTrafficRows {
            shared: self.shared.clone(),
            lines: PartitionBuffers::new(),
            gathered: Gathered::default(),
            last: None,
            known: AHashMap::new(),
        }
    }

    fn append(&mut self, buffer: &mut FirewallTrafficRows) -> io::Result<()> {
        for (observer, recorded) in buffer.gathered.by_observer.drain() {
            let known = self.gathered.by_observer.entry(observer);
            known.or_insert(Recorded::NOTHING).absorb(&recorded);
        }
        self.evidence.absorb(&mut buffer.lines)
    }
}

impl RowBuffer for FirewallTrafficRows {
    fn push(&mut self, row: &OutputRow<'_>) {
        let observer = self.observer(row);
        let recorded = self.gathered.by_observer.entry(observer).or_insert(Recorded::NOTHING);
        recorded.rows += 1;
        if observer == Observer::Elsewhere {
            return;
        }
        if let Observer::InNetwork(network, _) = observer {
            let Shared { observers, places, .. } = &*self.shared;
            let local = local_address(row.direction, row.source, row.destination);
            observers.add_spoken_for(&mut recorded.spoken_for, network, local, places);
        }
        let (from, to) = recorded.window_ns;
        recorded.window_ns = (from.min(row.start_time_ns), to.max(row.end_time_ns));
        if row.status == Some(FlowStatus::Denied) {
            return;
        }
        recorded.records += 1;
        let slot = self.slot(observer);
        let record = EvidenceRecord {
            slot,
            time_ns: row.start_time_ns,
            category: EvidenceCategory::Other,
            protocol: Some(row.protocol),
            source: row.source,
            source_port: row.ports.map(|(source, _)| source),
            destination: Some(row.destination),
            destination_port: row.ports.map(|(_, destination)| destination),
            translated: None,
        };
        self.lines.push(self.shared.hasher.hash_one(row.source), |bytes| record.write(bytes));
    }
}

impl FirewallTrafficRows {
    fn observer(&mut self, row: &OutputRow<'_>) -> Observer {
        if row.direction.is_none() {
            return Observer::Capture;
        }
        let target = row.target_resource_id.unwrap_or_default();
        if let Some((mac, last_target, observer)) = &self.last
            && *mac == row.mac
            && last_target == target
        {
            return *observer;
        }
        let observer = match (self.shared.observers.standing(row.mac, target), row.mac) {
            (Standing::At(firewall), _) => Observer::At(firewall),
            (Standing::PassesOn(network), Some(mac)) => Observer::InNetwork(network, mac),
            (Standing::PassesOn(_), None) | (Standing::Elsewhere, _) => Observer::Elsewhere,
        };
        self.last = Some((row.mac, target.to_owned(), observer));
        observer
    }

    fn slot(&mut self, observer: Observer) -> EvidenceSlot {
        *self.known.entry(observer).or_insert_with(|| {
            let mut slots = self.shared.slots.lock().unwrap_or_else(PoisonError::into_inner);
            *slots.entry(observer).or_insert_with(|| self.shared.slot_count.next())
        })
    }
}
