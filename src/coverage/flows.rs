//! From recorded rows to observed flows, until all are there to be joined.

use std::cmp::Ordering;
use std::io;
use std::net::IpAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};

use ahash::RandomState;

use super::Places;
use super::firewall_observers::{FirewallObservers, Standing, local_address};
use super::firewall_set::FirewallSet;
use super::kept_rows::RowId;
use super::places::CompiledPlaces;
use crate::classify::{
    MergedFlow, OutputRow, RowBuffer, RowSink, SeenTuples, SenderKeys, TupleMerger, WaitingTuples,
};
use crate::net::MacAddress;
use crate::routing::NextHopClass;
use crate::spill::{PartitionBuffers, PartitionBytes, Partitions, RecordBytes, SpillRoom};
use crate::traffic::{Counters, FlowDirection, FlowStatus, InputName};

/// Gathers the rows of a classification as observed flows, in memory up to a bound and beyond it in
/// the room that it is given.
///
/// They wait by 5-tuple. The tuples of logs need not become flows for that: they wait by sender until
/// [`Classifier::finish_apart`](crate::classify::Classifier::finish_apart) gives them out.
pub struct FlowGatherer {
    flows: Partitions,
    shared: Arc<Shared>,
    span_ns: (i64, i64),
    is_empty: bool,
    has_log_flows: bool,
}

/// The rows of one thread on their way into a [`FlowGatherer`].
pub struct ObservedFlows {
    buffers: PartitionBuffers,
    shared: Arc<Shared>,
    /// A source that is no firewall: most tuples have theirs in common with those before.
    last_seen: Option<IpAddr>,
    /// The ranks of the inputs' names, by the inputs' numbers, as far as they were met.
    file_numbers: Vec<Option<u32>>,
    /// How observers stand to firewalls, by their numbers, as far as they were met.
    standings: Vec<Option<Standing>>,
    span_ns: (i64, i64),
    is_empty: bool,
    has_log_flows: bool,
}

/// What the buffers of all threads look at.
struct Shared {
    places: CompiledPlaces,
    firewall_observers: Arc<FirewallObservers>,
    hasher: RandomState,
    /// Names of inputs, sorted.
    files: Vec<Arc<str>>,
    leg_targets: TargetMarks,
}

/// A recorded flow, as far as verdicts look at it; or, once records are joined, a logical one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct ObservedFlow {
    pub(super) start_time_ns: i64,
    pub(super) end_time_ns: i64,
    /// Initiator.
    pub(super) source: IpAddr,
    /// Responder.
    pub(super) destination: IpAddr,
    /// Source and destination port.
    pub(super) ports: Option<(u16, u16)>,
    pub(super) protocol: u8,
    /// Relative to the observer; `None` for captures.
    pub(super) direction: Option<FlowDirection>,
    /// Denied before it went anywhere.
    pub(super) is_denied: bool,
    /// Its beginning was recorded.
    pub(super) shows_begin: bool,
    /// The firewalls that it was recorded at, or that a leg of it left.
    pub(super) recorded_at: FirewallSet,
    /// A firewall put an address of its own in the sender's place: a leg from there was recorded.
    pub(super) is_translated: bool,
    /// To or from the platform.
    pub(super) is_platform: bool,
    /// How many tuples it was merged from; 1 for a capture's flow.
    pub(super) tuples: u64,
    /// Packets of both directions.
    pub(super) packets: u64,
    /// Bytes of both directions.
    pub(super) bytes: u64,
    /// The input, by number.
    pub(super) file: u32,
    /// The first record's number in it, 1-based.
    pub(super) record: u64,
    /// Its row, where rows are kept.
    pub(super) row: Option<RowId>,
}

/// What was gathered, ready to be judged.
pub(super) struct GatheredFlows {
    pub(super) flows: Partitions,
    pub(super) hasher: RandomState,
    pub(super) span_ns: (i64, i64),
    /// Some were recorded by flow logs.
    pub(super) has_log_flows: bool,
    is_empty: bool,
    shared: Arc<Shared>,
}

impl FlowGatherer {
    /// Prepares for the rows of inputs; past `bytes_max` they go to `room`.
    pub fn new<'n>(
        places: &Places,
        inputs: impl IntoIterator<Item = &'n InputName>,
        bytes_max: usize,
        room: SpillRoom,
    ) -> Self {
        let mut files: Vec<Arc<str>> =
            inputs.into_iter().map(|input| input.as_str().into()).collect();
        files.sort();
        files.dedup();
        Self {
            flows: Partitions::new(bytes_max, room),
            shared: Arc::new(Shared {
                places: places.compile(),
                firewall_observers: places.firewall_observers.clone(),
                hasher: RandomState::new(),
                files,
                leg_targets: TargetMarks::new(),
            }),
            span_ns: (i64::MAX, i64::MIN),
            is_empty: true,
            has_log_flows: false,
        }
    }

    /// The keys by which flows and lines of one sender meet in one partition.
    pub(super) fn hasher(&self) -> RandomState {
        self.shared.hasher.clone()
    }

    /// Ends gathering; `tuples` are those of logs that are not among the flows yet.
    pub(super) fn finish(self, tuples: Option<&WaitingTuples<'_>>) -> GatheredFlows {
        let (first_ns, last_ns) = tuples.map_or((i64::MAX, i64::MIN), |tuples| tuples.span_ns);
        GatheredFlows {
            span_ns: (self.span_ns.0.min(first_ns), self.span_ns.1.max(last_ns)),
            has_log_flows: self.has_log_flows || tuples.is_some_and(|tuples| !tuples.is_empty()),
            is_empty: self.is_empty,
            hasher: self.shared.hasher.clone(),
            flows: self.flows,
            shared: self.shared,
        }
    }
}

impl RowSink for FlowGatherer {
    const WANTS_ORDER: bool = false;
    const WANTS_ROUTES: bool = false;

    type Buffer = ObservedFlows;

    fn buffer(&self) -> ObservedFlows {
        ObservedFlows::new(&self.shared)
    }

    fn append(&mut self, buffer: &mut ObservedFlows) -> io::Result<()> {
        self.is_empty &= buffer.is_empty;
        self.has_log_flows |= buffer.has_log_flows;
        let (first_ns, last_ns) = buffer.span_ns;
        self.span_ns = (self.span_ns.0.min(first_ns), self.span_ns.1.max(last_ns));
        self.flows.absorb(&mut buffer.buffers)
    }

    fn sender_keys(&self) -> Option<SenderKeys> {
        Some(SenderKeys::new(self.hasher()))
    }
}

impl RowBuffer for ObservedFlows {
    fn push(&mut self, row: &OutputRow<'_>) {
        self.push_kept(row, None);
    }

    /// Which flows may have legs must be known before the first is judged.
    fn foresee(&mut self, tuples: &SeenTuples) {
        if self.last_seen == Some(tuples.source) {
            return;
        }
        let shared = &self.shared;
        if shared.places.firewall_at(tuples.source).is_some() {
            let target = (tuples.destination, tuples.ports.map(|(_, port)| port), tuples.protocol);
            shared.leg_targets.mark(shared.hasher.hash_one(target));
        } else {
            self.last_seen = Some(tuples.source);
        }
    }
}

impl ObservedFlows {
    fn new(shared: &Arc<Shared>) -> Self {
        Self {
            buffers: PartitionBuffers::new(),
            shared: shared.clone(),
            last_seen: None,
            file_numbers: Vec::new(),
            standings: Vec::new(),
            span_ns: (i64::MAX, i64::MIN),
            is_empty: true,
            has_log_flows: false,
        }
    }

    pub(super) fn push_kept(&mut self, row: &OutputRow<'_>, kept: Option<RowId>) {
        let flow = self.observed(row, kept);
        let shared = &self.shared;
        if shared.places.firewall_at(flow.source).is_some() {
            shared.leg_targets.mark(shared.hasher.hash_one(flow.target()));
        }
        self.push_observed(&flow);
    }

    /// Takes from a row what verdicts look at.
    fn observed(&mut self, row: &OutputRow<'_>, kept: Option<RowId>) -> ObservedFlow {
        let target_resource_id = row.target_resource_id.unwrap_or_default();
        let ends = (row.direction, row.source, row.destination);
        let recorded_at = self.recorded_at(row.observer, row.mac, target_resource_id, ends);
        let flow = ObservedFlow {
            start_time_ns: row.start_time_ns,
            end_time_ns: row.end_time_ns,
            source: row.source,
            destination: row.destination,
            ports: row.ports,
            protocol: row.protocol,
            direction: row.direction,
            is_denied: row.status == Some(FlowStatus::Denied),
            shows_begin: row.shows_begin,
            recorded_at,
            is_translated: false,
            is_platform: row.label.next_hop_class == NextHopClass::Platform,
            tuples: if row.direction.is_some() { row.record_count } else { 1 },
            packets: packets_of(&row.counters),
            bytes: bytes_of(&row.counters),
            file: self.file_number(row.input, row.source_file),
            record: row.source_record,
            row: kept,
        };
        let (first_ns, last_ns) = self.span_ns;
        self.span_ns = (first_ns.min(flow.start_time_ns), last_ns.max(flow.end_time_ns));
        self.is_empty = false;
        self.has_log_flows |= flow.direction.is_some();
        flow
    }

    /// Takes from a flow of a log what verdicts look at.
    #[inline]
    pub(super) fn merged(
        &mut self,
        flow: &MergedFlow<'_>,
        merger: &TupleMerger<'_>,
    ) -> ObservedFlow {
        let target_resource_id = flow.context.target_resource_id.as_deref().unwrap_or_default();
        let (input, record) = flow.first;
        let key = &flow.key;
        let recorded_at = self.recorded_at(
            Some(flow.context_number),
            key.mac,
            target_resource_id,
            (key.direction, key.source, key.destination),
        );
        ObservedFlow {
            start_time_ns: flow.start_time_ns,
            end_time_ns: flow.end_time_ns,
            source: key.source,
            destination: key.destination,
            ports: key.ports,
            protocol: key.protocol,
            direction: key.direction,
            is_denied: flow.status == Some(FlowStatus::Denied),
            shows_begin: flow.shows_begin,
            recorded_at,
            is_translated: false,
            is_platform: merger.is_platform(flow),
            tuples: flow.tuple_count,
            packets: packets_of(&flow.counters),
            bytes: bytes_of(&flow.counters),
            file: self.file_number(input, merger.input_name(flow)),
            record,
            row: None,
        }
    }

    /// Adds a flow of a log, with those that were gathered.
    pub(super) fn push_merged(&mut self, flow: &MergedFlow<'_>, merger: &TupleMerger<'_>) {
        let flow = self.merged(flow, merger);
        self.push_observed(&flow);
    }

    fn push_observed(&mut self, flow: &ObservedFlow) {
        self.buffers.push(self.shared.hasher.hash_one(flow.key()), |bytes| flow.write(bytes));
    }

    #[inline]
    fn file_number(&mut self, input: u32, name: &str) -> u32 {
        let files = &self.shared.files;
        *once(&mut self.file_numbers, input, || {
            let number = files.binary_search_by(|file| (**file).cmp(name));
            let number = number.expect("the inputs were told at the beginning");
            u32::try_from(number).expect("fewer than 2^32 inputs")
        })
    }

    /// Returns the firewall that who recorded a flow stands at.
    #[inline]
    fn recorded_at(
        &mut self,
        observer: Option<u32>,
        mac: Option<MacAddress>,
        target_resource_id: &str,
        (direction, source, destination): (Option<FlowDirection>, IpAddr, IpAddr),
    ) -> FirewallSet {
        let observers = &self.shared.firewall_observers;
        let standing = || observers.standing(mac, target_resource_id);
        let standing = match observer {
            Some(observer) => *once(&mut self.standings, observer, standing),
            None => standing(),
        };
        match standing {
            Standing::Elsewhere => FirewallSet::default(),
            Standing::At(firewall) => FirewallSet::of(firewall),
            Standing::PassesOn(network) => {
                let local = local_address(direction, source, destination);
                let at = observers.at_firewall_by_row(network, local, &self.shared.places);
                at.map_or_else(FirewallSet::default, FirewallSet::of)
            }
        }
    }
}

fn packets_of(counters: &Counters) -> u64 {
    counters.packets_sent.unwrap_or(0).saturating_add(counters.packets_received.unwrap_or(0))
}

fn bytes_of(counters: &Counters) -> u64 {
    counters.bytes_sent.unwrap_or(0).saturating_add(counters.bytes_received.unwrap_or(0))
}

/// Returns what is known by a number, and finds it out the first time.
fn once<T: Clone>(known: &mut Vec<Option<T>>, number: u32, find: impl FnOnce() -> T) -> &T {
    let number = number as usize;
    if number >= known.len() {
        known.resize(number + 1, None);
    }
    known[number].get_or_insert_with(find)
}

impl ObservedFlow {
    /// What records of one flow have in common.
    pub(super) fn key(&self) -> (IpAddr, IpAddr, Option<(u16, u16)>, u8) {
        (self.source, self.destination, self.ports, self.protocol)
    }

    /// What the legs of one flow have in common.
    pub(super) fn target(&self) -> (IpAddr, Option<u16>, u8) {
        (self.destination, self.ports.map(|(_, port)| port), self.protocol)
    }

    /// An order that depends on nothing but the records.
    pub(super) fn time_order(&self) -> (i64, u32, u64, i64, Option<FlowDirection>) {
        (self.start_time_ns, self.file, self.record, self.end_time_ns, self.direction)
    }

    pub(super) fn cmp_by_time(&self, other: &Self) -> Ordering {
        let by_time = self.start_time_ns.cmp(&other.start_time_ns);
        by_time.then_with(|| self.time_order().cmp(&other.time_order()))
    }

    /// Appends it: words that all flows have, then what only some do.
    ///
    /// The numbers of most flows are short: their times whole milliseconds apart, and the rest below
    /// 2^32.
    pub(super) fn write(&self, bytes: &mut Vec<u8>) {
        let direction = match self.direction {
            None => 0,
            Some(FlowDirection::Inbound) => 1,
            Some(FlowDirection::Outbound) => 2,
        };
        let lasted_ns = self.end_time_ns.wrapping_sub(self.start_time_ns).cast_unsigned();
        let short = [lasted_ns / MS, self.tuples, self.packets, self.bytes, self.record];
        let is_short =
            lasted_ns.is_multiple_of(MS) && short.iter().all(|&number| number >> 32 == 0);
        let mut marks: u64 = direction;
        for (bit, is_set) in [
            self.source.is_ipv6(),
            self.destination.is_ipv6(),
            self.ports.is_some(),
            self.is_denied,
            self.shows_begin,
            !self.recorded_at.is_empty(),
            self.is_platform,
            self.is_translated,
            self.row.is_some(),
            is_short,
        ]
        .into_iter()
        .enumerate()
        {
            marks |= u64::from(is_set) << (2 + bit);
        }
        let (source_port, port) = self.ports.unwrap_or_default();
        let ports = u64::from(source_port) << 32 | u64::from(port) << 48;
        let mut put = |word: u64| bytes.extend_from_slice(&word.to_le_bytes());
        put(marks | u64::from(self.protocol) << 16 | ports);
        put(self.start_time_ns.cast_unsigned());
        match is_short {
            true => {
                let [lasted_ms, tuples, packets, bytes, record] = short;
                put(lasted_ms | tuples << 32);
                put(packets | bytes << 32);
                put(record | u64::from(self.file) << 32);
            }
            false => {
                put(lasted_ns);
                put(self.tuples);
                put(self.packets);
                put(self.bytes);
                put(self.record);
                put(self.file.into());
            }
        }
        for address in [self.source, self.destination] {
            match address {
                IpAddr::V4(address) => bytes.extend_from_slice(&address.octets()),
                IpAddr::V6(address) => bytes.extend_from_slice(&address.octets()),
            }
        }
        if !self.recorded_at.is_empty() {
            bytes.extend_from_slice(&self.recorded_at.word().to_le_bytes());
        }
        if let Some(row) = self.row {
            row.write(bytes);
        }
    }

    fn read(record: &mut RecordBytes<'_>) -> Self {
        let head = record.word();
        let is_set = |bit: u32| head >> (2 + bit) & 1 == 1;
        let start_time_ns = record.word().cast_signed();
        let (lasted_ns, tuples, packets, bytes, number, file) = match is_set(9) {
            true => {
                let [a, b, c] = [record.word(), record.word(), record.word()];
                let low = |word: u64| u64::from(word as u32);
                (low(a) * MS, a >> 32, low(b), b >> 32, low(c), c >> 32)
            }
            false => {
                let mut word = || record.word();
                (word(), word(), word(), word(), word(), word())
            }
        };
        let source = record.address(is_set(0));
        let destination = record.address(is_set(1));
        Self {
            start_time_ns,
            end_time_ns: start_time_ns.wrapping_add(lasted_ns.cast_signed()),
            source,
            destination,
            ports: is_set(2).then_some(((head >> 32) as u16, (head >> 48) as u16)),
            protocol: (head >> 16) as u8,
            direction: FlowDirection::OR_NONE[(head & 3) as usize],
            is_denied: is_set(3),
            shows_begin: is_set(4),
            is_platform: is_set(6),
            is_translated: is_set(7),
            tuples,
            packets,
            bytes,
            file: file as u32,
            record: number,
            recorded_at: match is_set(5) {
                true => FirewallSet::of_word(record.word()),
                false => FirewallSet::default(),
            },
            row: is_set(8).then(|| RowId::read(record)),
        }
    }

    /// Reads all flows of a partition.
    pub(super) fn read_all(bytes: PartitionBytes) -> Vec<Self> {
        /// About what a flow takes.
        const USUAL_BYTES: usize = 48;
        let mut flows = Vec::with_capacity(bytes.len() / USUAL_BYTES);
        bytes.for_each_piece(|piece| {
            let mut record = RecordBytes(piece);
            while !record.is_empty() {
                flows.push(Self::read(&mut record));
            }
        });
        flows
    }
}

impl GatheredFlows {
    /// Names of inputs, sorted.
    pub(super) fn files(&self) -> &[Arc<str>] {
        &self.shared.files
    }

    /// Returns true where nothing was gathered.
    pub(super) fn is_empty(&self) -> bool {
        self.is_empty
    }

    /// Returns what one thread fills with more of them.
    pub(super) fn buffer(&self) -> ObservedFlows {
        ObservedFlows::new(&self.shared)
    }

    /// Takes what a thread has filled.
    pub(super) fn absorb(&mut self, buffer: &mut ObservedFlows) -> io::Result<()> {
        self.flows.absorb(&mut buffer.buffers)
    }

    /// Returns true when no flow has a leg behind a firewall.
    pub(super) fn has_no_legs(&self) -> bool {
        self.shared.leg_targets.are_none()
    }

    /// Returns true for a leg, and for a flow that may have one.
    pub(super) fn may_have_legs(&self, flow: &ObservedFlow) -> bool {
        self.shared.leg_targets.holds(self.hasher.hash_one(flow.target()))
    }

    /// Returns the firewall that sent a flow, where its sender is one: then it is a leg.
    pub(super) fn sent_by(&self, flow: &ObservedFlow) -> Option<FirewallSet> {
        self.shared.places.firewall_at(flow.source).map(FirewallSet::of)
    }
}

const MS: u64 = 1_000_000;

/// Marks of the targets that legs go to, of a fixed size: a target without a mark has no leg.
struct TargetMarks(Box<[AtomicU64]>);

impl TargetMarks {
    const WORDS: usize = 1 << 14;

    fn new() -> Self {
        Self((0..Self::WORDS).map(|_| AtomicU64::new(0)).collect())
    }

    fn mark(&self, hash: u64) {
        let (word, bit) = Self::place(hash);
        self.0[word].fetch_or(bit, Relaxed);
    }

    fn holds(&self, hash: u64) -> bool {
        let (word, bit) = Self::place(hash);
        self.0[word].load(Relaxed) & bit != 0
    }

    fn are_none(&self) -> bool {
        self.0.iter().all(|word| word.load(Relaxed) == 0)
    }

    fn place(hash: u64) -> (usize, u64) {
        ((hash >> 6) as usize % Self::WORDS, 1 << (hash % 64))
    }
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;

    pub(in crate::coverage) const SECOND: i64 = 1_000_000_000;

    pub(in crate::coverage) fn flow(
        start: i64,
        source: &str,
        source_port: u16,
        direction: Option<FlowDirection>,
    ) -> ObservedFlow {
        ObservedFlow {
            start_time_ns: start * SECOND,
            end_time_ns: (start + 1) * SECOND,
            source: source.parse().unwrap(),
            destination: "10.13.77.6".parse().unwrap(),
            ports: Some((source_port, 1433)),
            protocol: 6,
            direction,
            is_denied: false,
            shows_begin: true,
            recorded_at: FirewallSet::default(),
            is_translated: false,
            is_platform: false,
            tuples: 2,
            packets: 10,
            bytes: 1000,
            file: 0,
            record: 1,
            row: None,
        }
    }

    #[test]
    fn what_is_written_is_read_back() {
        let v6 = ObservedFlow {
            source: "fd00::4".parse().unwrap(),
            ports: None,
            protocol: 58,
            is_denied: true,
            recorded_at: FirewallSet::of(None),
            is_platform: true,
            is_translated: true,
            end_time_ns: i64::MIN,
            bytes: u64::MAX,
            file: u32::MAX,
            row: Some(RowId { block: u32::MAX, place: 0 }),
            ..flow(-10, "10.0.0.4", 0, None)
        };
        let v4 = flow(10, "10.0.0.4", 1, None);
        let flows = [
            v6,
            ObservedFlow { shows_begin: false, ..v6 },
            ObservedFlow { end_time_ns: v4.start_time_ns - 1_000_000, ..v4 },
            ObservedFlow { end_time_ns: v4.start_time_ns + 1, ..v4 },
            ObservedFlow { end_time_ns: v4.start_time_ns + i64::from(u32::MAX) * 1_000_000, ..v4 },
            ObservedFlow { tuples: u32::MAX.into(), packets: u32::MAX.into(), ..v4 },
            ObservedFlow { bytes: u32::MAX.into(), record: u32::MAX.into(), ..v4 },
            ObservedFlow { tuples: 1 << 32, ..v4 },
            ObservedFlow { packets: 1 << 32, ..v4 },
            ObservedFlow { bytes: 1 << 32, file: u32::MAX, ..v4 },
            ObservedFlow { record: 1 << 32, file: 1, ..v4 },
            flow(10, "10.0.0.4", 65_535, Some(FlowDirection::Inbound)),
            flow(10, "10.0.0.4", 1, Some(FlowDirection::Outbound)),
        ];
        let mut bytes = Vec::new();
        flows.iter().for_each(|flow| flow.write(&mut bytes));
        assert_eq!(ObservedFlow::read_all(PartitionBytes::of(bytes)), flows);
    }
}
