//! The flows of flow logs: the tuples of one flow at one observer, merged.
//!
//! Tuples wait in partitions by their 5-tuple until all are read, in memory or, past the bound,
//! in files; so that what one flow has is always merged as a whole.

use std::io;
use std::net::IpAddr;

use ahash::RandomState;

use super::CounterBasis;
use super::log_contexts::{LogContexts, OwnedContext};
use crate::net::MacAddress;
use crate::spill::{
    PARTITION_COUNT, PartitionBuffers, Partitions, RecordBytes, ShortRecord, SpillRoom,
};
use crate::traffic::{Counters, FlowBatch, FlowDirection, FlowState, FlowStatus};

/// Flows gathered from the tuples of logs.
///
/// A flow is one 5-tuple in one direction at one observer; records of the other end are another
/// flow. Tuples come in any order of time.
pub(super) struct LogFlows {
    pub(super) contexts: LogContexts,
    tuples: Partitions,
    span_ns: (i64, i64),
    hasher: RandomState,
}

/// Merged flows on their way into the order of their times.
pub(super) struct FlowsByTime {
    flows: Partitions,
    span_ns: (i64, i64),
}

/// A merged flow.
pub(super) struct MergedFlow<'a> {
    pub(super) key: Key,
    pub(super) context: &'a OwnedContext,
    pub(super) context_number: u32,
    pub(super) encryption: Option<&'a str>,
    pub(super) start_time_ns: i64,
    pub(super) end_time_ns: i64,
    pub(super) state: Option<FlowState>,
    pub(super) status: Option<FlowStatus>,
    pub(super) counters: Counters,
    pub(super) counter_basis: Option<CounterBasis>,
    /// Input and record of its first tuple.
    pub(super) first: (u32, u64),
    pub(super) tuple_count: u64,
    /// A Begin or Deny is among its tuples.
    pub(super) shows_begin: bool,
}

/// What makes tuples one flow.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(super) struct Key {
    pub(super) source: IpAddr,
    pub(super) destination: IpAddr,
    pub(super) ports: Option<(u16, u16)>,
    pub(super) protocol: u8,
    pub(super) direction: Option<FlowDirection>,
    pub(super) mac: Option<MacAddress>,
}

/// The tuples of one thread on their way into [`LogFlows`].
pub(super) struct TupleBuffers {
    buffers: PartitionBuffers,
    /// The first and the last time of all tuples so far.
    span_ns: (i64, i64),
    /// The numbers of the batch's contexts and encryption texts among all.
    pub(super) of_batch: Vec<u32>,
}

impl LogFlows {
    pub(super) fn new(bytes_max: usize, room: SpillRoom) -> Self {
        Self {
            contexts: LogContexts::default(),
            tuples: Partitions::new(bytes_max, room),
            span_ns: (i64::MAX, i64::MIN),
            // Fixed keys would let an attacker send all flows to one partition; the order of the
            // output does not depend on the keys.
            hasher: RandomState::new(),
        }
    }

    pub(super) fn hasher(&self) -> RandomState {
        self.hasher.clone()
    }

    pub(super) fn memory_bytes(&self) -> usize {
        self.tuples.memory_bytes()
    }

    pub(super) fn absorb(&mut self, buffers: &mut TupleBuffers) -> io::Result<()> {
        let ((first_ns, last_ns), (first, last)) = (self.span_ns, buffers.span_ns);
        self.span_ns = (first_ns.min(first), last_ns.max(last));
        self.tuples.absorb(&mut buffers.buffers)
    }

    /// Prepares for the order of time.
    pub(super) fn by_time(&self, bytes_max: usize, room: SpillRoom) -> FlowsByTime {
        FlowsByTime { flows: Partitions::new(bytes_max, room), span_ns: self.span_ns }
    }

    /// Gives out the tuples of a partition.
    pub(super) fn take(&mut self, partition: usize) -> io::Result<Vec<u8>> {
        self.tuples.take(partition)
    }

    /// Merges the tuples of one partition and calls `each` for every flow; those of one 5-tuple
    /// come together.
    ///
    /// Tuples are brought together by part of a hash above their places, which sorts several times
    /// faster than the tuples; keys are compared among the few of one hash.
    pub(super) fn merge_partition(&self, bytes: &[u8], mut each: impl FnMut(&MergedFlow<'_>)) {
        let mut order = self.by_hash(bytes);
        order.sort_unstable();
        let mut tuples: Vec<Tuple<'_>> = Vec::new();
        let mut events: Vec<Event> = Vec::new();
        for of_hash in order.chunk_by(|a, b| a >> PLACE_BITS == b >> PLACE_BITS) {
            tuples.clear();
            let starts = of_hash.iter().map(|entry| (entry & ((1 << PLACE_BITS) - 1)) as usize);
            tuples.extend(starts.map(|start| {
                let mut record = RecordBytes(&bytes[start + Event::LENGTH_BYTES..]);
                let (key, event, encryption) = Event::read(&mut record, &self.contexts);
                Tuple { key, event, encryption }
            }));
            tuples.sort_unstable_by(|a, b| {
                let order = |tuple: &Tuple<'_>| (tuple.event.time_ns, tuple.event.place);
                a.key.cmp(&b.key).then_with(|| order(a).cmp(&order(b)))
            });
            for flow in tuples.chunk_by(|a, b| a.key == b.key) {
                events.clear();
                events.extend(flow.iter().map(|tuple| tuple.event));
                each(&merged(flow[0].key, &events, flow[0].encryption, &self.contexts));
            }
        }
    }

    /// The hash of each tuple above its start in the partition.
    fn by_hash(&self, bytes: &[u8]) -> Vec<u64> {
        let mut order = Vec::with_capacity(bytes.len() / Event::USUAL_BYTES);
        let mut start = 0;
        while start < bytes.len() {
            let mut record = RecordBytes(&bytes[start..]);
            let length = u16::from_le_bytes(record.array());
            let hash = self.hasher.hash_one(Event::read_place(&mut record)) << PLACE_BITS;
            order.push(hash | start as u64);
            start += Event::LENGTH_BYTES + usize::from(length);
        }
        order
    }
}

/// How far into a partition a place may point; the bits above it are a hash's lowest.
const PLACE_BITS: u32 = 40;

/// A tuple as it is read back.
struct Tuple<'b> {
    key: Key,
    event: Event,
    encryption: Option<&'b str>,
}

impl TupleBuffers {
    pub(super) fn new() -> Self {
        Self {
            buffers: PartitionBuffers::new(),
            span_ns: (i64::MAX, i64::MIN),
            of_batch: Vec::new(),
        }
    }

    pub(super) fn is_full(&self) -> bool {
        self.buffers.is_full()
    }

    /// Adds every tuple of a batch of input `input`, whose records follow `records_before`.
    pub(super) fn add(
        &mut self,
        batch: &FlowBatch,
        input: u32,
        records_before: u64,
        hasher: &RandomState,
    ) {
        for index in 0..batch.len() {
            let row = batch.row(index);
            let (first_ns, last_ns) = self.span_ns;
            self.span_ns = (first_ns.min(row.time_ns), last_ns.max(row.time_ns));
            let event = Event {
                time_ns: row.time_ns,
                place: (input, records_before + u64::from(row.record) + 1),
                state: row.state,
                status: row.status,
                counters: row.counters,
                context: self.of_batch[row.context.index()],
            };
            let place =
                Place { source: row.source, destination: row.destination, ports: row.ports };
            let encryption = row.encryption.map(|id| batch.text(id));
            self.buffers.push(hasher.hash_one(place), |bytes| {
                event.write(&place, row.protocol, row.direction, encryption, bytes);
            });
        }
    }
}

impl FlowsByTime {
    /// Adds a flow to a thread's buffers, in the partition of its first time.
    pub(super) fn push(&self, flow: &MergedFlow<'_>, buffers: &mut PartitionBuffers) {
        let (first_ns, last_ns) = self.span_ns;
        let span = u128::from(last_ns.abs_diff(first_ns)) + 1;
        let since = u128::from(flow.start_time_ns.abs_diff(first_ns));
        let partition = since * PARTITION_COUNT as u128 / span;
        let partition = usize::try_from(partition).expect("is below the number of partitions");
        buffers.push_to(partition, |bytes| flow.write(bytes));
    }

    pub(super) fn absorb(&mut self, buffers: &mut PartitionBuffers) -> io::Result<()> {
        self.flows.absorb(buffers)
    }

    /// Gives out the flows of a partition, all of which begin before those of the next.
    pub(super) fn take(&mut self, partition: usize) -> io::Result<Vec<u8>> {
        self.flows.take(partition)
    }
}

/// Reads the flows of a partition of [`FlowsByTime`], by first time, then key.
pub(super) fn sorted_partition<'a>(
    bytes: &'a [u8],
    contexts: &'a LogContexts,
) -> Vec<MergedFlow<'a>> {
    let mut record = RecordBytes(bytes);
    let mut flows = Vec::new();
    while !record.is_empty() {
        flows.push(MergedFlow::read(&mut record, contexts));
    }
    flows.sort_unstable_by(|a, b| {
        a.start_time_ns.cmp(&b.start_time_ns).then_with(|| a.key.cmp(&b.key))
    });
    flows
}

impl<'a> MergedFlow<'a> {
    const BASES: [Option<CounterBasis>; 3] =
        [None, Some(CounterBasis::Delta), Some(CounterBasis::RestartCumulative)];

    /// Writes it as an event at its first time, and what an event lacks.
    fn write(&self, bytes: &mut Vec<u8>) {
        let Key { source, destination, ports, protocol, direction, .. } = self.key;
        let event = Event {
            time_ns: self.start_time_ns,
            place: self.first,
            state: self.state,
            status: self.status,
            counters: self.counters,
            context: self.context_number,
        };
        event.write(
            &Place { source, destination, ports },
            protocol,
            direction,
            self.encryption,
            bytes,
        );
        let mut rest = ShortRecord::new();
        rest.put_time(self.end_time_ns);
        rest.put_number(self.tuple_count);
        let basis = index_in(&Self::BASES, &self.counter_basis);
        rest.put_number(u64::from(basis << 1 | u16::from(self.shows_begin)));
        bytes.extend_from_slice(rest.as_slice());
    }

    fn read(record: &mut RecordBytes<'a>, contexts: &'a LogContexts) -> Self {
        record.array::<{ Event::LENGTH_BYTES }>();
        let (key, event, encryption) = Event::read(record, contexts);
        let (end_time_ns, tuple_count, marks) = (record.time(), record.number(), record.byte());
        Self {
            key,
            context: contexts.get(event.context),
            context_number: event.context,
            encryption,
            start_time_ns: event.time_ns,
            end_time_ns,
            state: event.state,
            status: event.status,
            counters: event.counters,
            counter_basis: Self::BASES[usize::from(marks >> 1)],
            first: event.place,
            tuple_count,
            shows_begin: marks & 1 == 1,
        }
    }
}

/// What is hashed of a tuple: both ends' records of a flow meet in one partition.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
struct Place {
    source: IpAddr,
    destination: IpAddr,
    ports: Option<(u16, u16)>,
}

#[derive(Clone, Copy, Debug, PartialEq)]
struct Event {
    time_ns: i64,
    place: (u32, u64),
    state: Option<FlowState>,
    status: Option<FlowStatus>,
    counters: Counters,
    context: u32,
}

const STATES: [Option<FlowState>; 5] = [
    None,
    Some(FlowState::Begin),
    Some(FlowState::Continue),
    Some(FlowState::End),
    Some(FlowState::Deny),
];
const STATUSES: [Option<FlowStatus>; 3] =
    [None, Some(FlowStatus::Allowed), Some(FlowStatus::Denied)];
const DIRECTIONS: [Option<FlowDirection>; 3] =
    [None, Some(FlowDirection::Inbound), Some(FlowDirection::Outbound)];

impl Event {
    fn repeats(&self, other: &Self) -> bool {
        (self.state, self.status, self.counters) == (other.state, other.status, other.counters)
    }

    /// The length that stands before it.
    const LENGTH_BYTES: usize = 2;

    /// What one of IPv4 with counters takes.
    const USUAL_BYTES: usize = 40;

    /// Writes its length, then what makes its flow behind three bytes of marks, then what the marks
    /// say is there.
    fn write(
        &self,
        place: &Place,
        protocol: u8,
        direction: Option<FlowDirection>,
        encryption: Option<&str>,
        bytes: &mut Vec<u8>,
    ) {
        let counters = self.counters();
        let mut marks = index_in(&STATES, &self.state)
            | index_in(&STATUSES, &self.status) << 3
            | index_in(&DIRECTIONS, &direction) << 5;
        for (bit, is_there) in [
            place.source.is_ipv6(),
            place.destination.is_ipv6(),
            place.ports.is_some(),
            encryption.is_some(),
            counters[0].is_some(),
            counters[1].is_some(),
            counters[2].is_some(),
            counters[3].is_some(),
        ]
        .into_iter()
        .enumerate()
        {
            marks |= u16::from(is_there) << (8 + bit);
        }
        let mut record = ShortRecord::new();
        record.put(marks.to_le_bytes());
        record.put_address(place.source);
        record.put_address(place.destination);
        if let Some((source, destination)) = place.ports {
            record.put(source.to_le_bytes());
            record.put(destination.to_le_bytes());
        }
        record.put([protocol]);
        record.put_time(self.time_ns);
        record.put_number(u64::from(self.place.0));
        record.put_number(self.place.1);
        record.put_number(u64::from(self.context));
        counters.into_iter().flatten().for_each(|counter| record.put_number(counter));
        let text = encryption.unwrap_or_default();
        if encryption.is_some() {
            record.put_number(text.len() as u64);
        }
        let length = record.as_slice().len() + text.len();
        let length = u16::try_from(length).expect("a tuple is below 1 KiB");
        bytes.extend_from_slice(&length.to_le_bytes());
        bytes.extend_from_slice(record.as_slice());
        bytes.extend_from_slice(text.as_bytes());
    }

    /// Reads the first fields alone.
    fn read_place(record: &mut RecordBytes<'_>) -> Place {
        let marks = u16::from_le_bytes(record.array());
        Self::place_of(marks, record)
    }

    fn place_of(marks: u16, record: &mut RecordBytes<'_>) -> Place {
        let is_there = |bit: u32| marks >> (8 + bit) & 1 == 1;
        let source = record.address(is_there(0));
        let destination = record.address(is_there(1));
        let mut port = || u16::from_le_bytes(record.array());
        let ports = is_there(2).then(|| (port(), port()));
        Place { source, destination, ports }
    }

    /// Reads it from behind its length.
    fn read<'b>(
        record: &mut RecordBytes<'b>,
        contexts: &LogContexts,
    ) -> (Key, Self, Option<&'b str>) {
        let marks = u16::from_le_bytes(record.array());
        let is_there = |bit: u32| marks >> (8 + bit) & 1 == 1;
        let Place { source, destination, ports } = Self::place_of(marks, record);
        let protocol = record.byte();
        let time_ns = record.time();
        let place = (record.number_u32(), record.number());
        let context = record.number_u32();
        let mut counter = |bit| is_there(bit).then(|| record.number());
        let counters = Counters {
            packets_sent: counter(4),
            bytes_sent: counter(5),
            packets_received: counter(6),
            bytes_received: counter(7),
        };
        let encryption = is_there(3).then(|| record.text());
        let key = Key {
            source,
            destination,
            ports,
            protocol,
            direction: DIRECTIONS[usize::from(marks >> 5 & 3)],
            mac: contexts.get(context).mac,
        };
        let event = Self {
            time_ns,
            place,
            state: STATES[usize::from(marks & 7)],
            status: STATUSES[usize::from(marks >> 3 & 3)],
            counters,
            context,
        };
        (key, event, encryption)
    }

    fn counters(&self) -> [Option<u64>; 4] {
        let Counters { packets_sent, bytes_sent, packets_received, bytes_received } = self.counters;
        [packets_sent, bytes_sent, packets_received, bytes_received]
    }
}

fn index_in<T: PartialEq>(all: &[T], one: &T) -> u16 {
    let index = all.iter().position(|other| other == one).expect("the list is whole");
    u16::try_from(index).expect("the list is short")
}

/// Merges the events of a flow, which are sorted by time, then place.
fn merged<'a>(
    key: Key,
    events: &[Event],
    encryption: Option<&'a str>,
    contexts: &'a LogContexts,
) -> MergedFlow<'a> {
    let (first, last) = (events[0], events[events.len() - 1]);
    let (counters, counter_basis) = sum_of(events);
    MergedFlow {
        key,
        context: contexts.get(first.context),
        context_number: first.context,
        encryption,
        start_time_ns: first.time_ns,
        end_time_ns: last.time_ns,
        state: last.state,
        status: last.status,
        counters,
        counter_basis,
        first: first.place,
        tuple_count: events.len() as u64,
        shows_begin: events
            .iter()
            .any(|event| matches!(event.state, Some(FlowState::Begin | FlowState::Deny))),
    }
}

/// Sums the counters of a flow's events, which are sorted by time.
///
/// Each event counts what came since the one before, with one exception that the documentation does
/// not tell: where an End and a Begin stand at the same millisecond the flow was *restarted*, and
/// the next counters repeat what was counted before, so they replace the sum. They do so only if
/// none of them is smaller; otherwise they cannot contain what came before. A Begin without an End
/// beside it is a new connection with the same ports, which counts from 0.
///
/// Within one millisecond the order in the file is not the order in time, so the events of one
/// time are looked at together. The same event recorded twice counts once: overlapping logs repeat
/// whole records.
///
/// Source: published VNet flow logs, in which 3 of 3 restarted flows behave so.
fn sum_of(events: &[Event]) -> (Counters, Option<CounterBasis>) {
    let mut sum = Counters::default();
    let mut basis = None;
    let mut is_restarted = false;
    for moment in events.chunk_by(|a, b| a.time_ns == b.time_ns) {
        for (index, event) in moment.iter().enumerate() {
            let is_repeated = moment[..index].iter().any(|earlier| earlier.repeats(event));
            if is_repeated || event.counters == Counters::default() {
                continue;
            }
            if is_restarted && contains(&event.counters, &sum) {
                sum = event.counters;
                basis = Some(CounterBasis::RestartCumulative);
            } else {
                sum = added(&sum, &event.counters);
                basis = basis.or(Some(CounterBasis::Delta));
            }
            is_restarted = false;
        }
        let has = |state| moment.iter().any(|event| event.state == Some(state));
        if has(FlowState::Begin) {
            is_restarted = has(FlowState::End);
        }
    }
    (sum, basis)
}

fn contains(later: &Counters, sum: &Counters) -> bool {
    let at_least = |later: Option<u64>, sum: Option<u64>| later.unwrap_or(0) >= sum.unwrap_or(0);
    at_least(later.packets_sent, sum.packets_sent)
        && at_least(later.bytes_sent, sum.bytes_sent)
        && at_least(later.packets_received, sum.packets_received)
        && at_least(later.bytes_received, sum.bytes_received)
}

fn added(a: &Counters, b: &Counters) -> Counters {
    let add = |a: Option<u64>, b: Option<u64>| match (a, b) {
        (Some(a), Some(b)) => Some(a.saturating_add(b)),
        (a, b) => a.or(b),
    };
    Counters {
        packets_sent: add(a.packets_sent, b.packets_sent),
        bytes_sent: add(a.bytes_sent, b.bytes_sent),
        packets_received: add(a.packets_received, b.packets_received),
        bytes_received: add(a.bytes_received, b.bytes_received),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use CounterBasis::{Delta, RestartCumulative};
    use FlowState::{Begin, Continue, Deny, End};

    fn event(time_ns: i64, state: FlowState, counters: [u64; 4]) -> Event {
        let [packets_sent, bytes_sent, packets_received, bytes_received] = counters.map(Some);
        Event {
            time_ns,
            place: (0, time_ns.unsigned_abs()),
            state: Some(state),
            status: Some(FlowStatus::Allowed),
            counters: match state {
                Begin | Deny => Counters::default(),
                _ => Counters { packets_sent, bytes_sent, packets_received, bytes_received },
            },
            context: 0,
        }
    }

    fn sum(events: &[Event]) -> (Option<[u64; 4]>, Option<CounterBasis>) {
        let (sum, basis) = sum_of(events);
        let all = [sum.packets_sent, sum.bytes_sent, sum.packets_received, sum.bytes_received];
        (all.iter().copied().collect::<Option<Vec<_>>>().and_then(|all| all.try_into().ok()), basis)
    }

    const NONE: [u64; 4] = [0; 4];

    #[test]
    fn the_documented_example_adds_up() {
        // Microsoft, "VNet flow logs", bandwidth example: 9,125 packets, 5,256,000 bytes.
        let (total, basis) = sum(&[
            event(1, Begin, NONE),
            event(2, Continue, [1021, 588_096, 8005, 4_610_880]),
            event(3, End, [52, 29_952, 47, 27_072]),
        ]);
        let total = total.unwrap();
        assert_eq!(total[0] + total[2], 9_125);
        assert_eq!(total[1] + total[3], 5_256_000);
        assert_eq!(basis, Some(Delta));
    }

    #[test]
    fn after_a_restart_the_next_counters_replace_the_sum() {
        // As recorded: the later End is the earlier one and two packets of 54 bytes.
        let events = [
            event(1, Begin, NONE),
            event(5, End, [8, 5183, 9, 6707]),
            event(5, Begin, NONE),
            event(9, End, [10, 5291, 10, 6809]),
        ];
        assert_eq!(sum(&events), (Some([10, 5291, 10, 6809]), Some(RestartCumulative)));
        let any_order = [events[0], events[2], events[1], events[3]];
        assert_eq!(sum(&any_order), sum(&events));
    }

    #[test]
    fn counters_that_cannot_contain_the_sum_are_added() {
        let events = [
            event(5, End, [8, 5183, 9, 6707]),
            event(5, Begin, NONE),
            event(9, End, [2, 108, 1, 102]),
        ];
        assert_eq!(sum(&events), (Some([10, 5291, 10, 6809]), Some(Delta)));
    }

    #[test]
    fn only_the_first_counters_after_a_restart_replace() {
        let events = [
            event(5, End, [1, 10, 1, 10]),
            event(5, Begin, NONE),
            event(6, Continue, [3, 30, 3, 30]),
            event(7, End, [4, 40, 4, 40]),
        ];
        assert_eq!(sum(&events), (Some([7, 70, 7, 70]), Some(RestartCumulative)));
    }

    #[test]
    fn a_begin_of_its_own_is_a_new_connection() {
        let events = [
            event(5, Begin, NONE),
            event(5, End, [1, 10, 1, 10]),
            event(60, Begin, NONE),
            event(61, End, [4, 40, 4, 40]),
        ];
        assert_eq!(sum(&events), (Some([5, 50, 5, 50]), Some(Delta)));
    }

    #[test]
    fn a_repeated_record_counts_once_and_absent_counters_stay_absent() {
        let end = event(5, End, [1, 10, 1, 10]);
        assert_eq!(sum(&[end, end]), (Some([1, 10, 1, 10]), Some(Delta)));
        assert_eq!(sum(&[event(5, Deny, NONE)]), (None, None));
        assert_eq!(sum(&[event(5, Begin, NONE), event(5, Begin, NONE)]), (None, None));
    }
}
