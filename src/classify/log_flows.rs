//! The flows of flow logs: the tuples of one flow at one observer, merged.
//!
//! Tuples wait in partitions by their 5-tuple until all are read, in memory or, past the bound,
//! in files; so that what one flow has is always merged as a whole.

use std::io;
use std::net::IpAddr;

use ahash::RandomState;

use super::log_contexts::{LogContexts, OwnedContext};
use super::run_batch::{BatchRun, RunBatch};
use super::tuple_runs::{Event, Key, Place, Run, RunHead, RunSum, Told, for_each_run};
use super::{CounterBasis, SenderKeys};
use crate::memory::{CACHE_LINE_BYTES, prefetch};
use crate::spill::{
    PARTITION_COUNT, PartitionBuffers, PartitionBytes, Partitions, RecordBytes, ShortRecord,
    SpillRoom, partition_of,
};
use crate::traffic::{Counters, FlowState, FlowStatus};

/// Flows gathered from the tuples of logs.
///
/// A flow is one 5-tuple in one direction at one observer; records of the other end are another
/// flow. Tuples come in any order of time.
pub(super) struct LogFlows {
    pub(super) contexts: LogContexts,
    tuples: Partitions,
    span_ns: (i64, i64),
    keys: TupleKeys,
}

/// What tells the partition of a tuple, and which tuples of it are of one flow.
#[derive(Clone)]
pub(super) struct TupleKeys {
    hasher: RandomState,
    /// Given where those of one sender wait together.
    of_sender: Option<SenderKeys>,
}

/// Merged flows on their way into the order of their times.
pub(super) struct FlowsByTime {
    flows: Partitions,
    span: TimeSpan,
}

/// The first and the last time of all tuples, nanoseconds since 1970.
#[derive(Clone, Copy)]
pub(super) struct TimeSpan((i64, i64));

/// A merged flow.
pub(crate) struct MergedFlow<'a> {
    pub(crate) key: Key,
    pub(crate) context: &'a OwnedContext,
    pub(crate) context_number: u32,
    /// A text as bytes.
    pub(crate) encryption: Option<&'a [u8]>,
    pub(crate) start_time_ns: i64,
    pub(crate) end_time_ns: i64,
    pub(crate) state: Option<FlowState>,
    pub(crate) status: Option<FlowStatus>,
    pub(crate) counters: Counters,
    pub(crate) counter_basis: Option<CounterBasis>,
    /// Input and record of its first tuple.
    pub(crate) first: (u32, u64),
    pub(crate) tuple_count: u64,
    /// A Begin or Deny is among its tuples.
    pub(crate) shows_begin: bool,
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
    pub(super) fn new(bytes_max: usize, room: SpillRoom, of_sender: Option<SenderKeys>) -> Self {
        Self {
            contexts: LogContexts::default(),
            tuples: Partitions::new(bytes_max, room),
            span_ns: (i64::MAX, i64::MIN),
            // Fixed keys would let an attacker send all flows to one partition; the order of the
            // output does not depend on the keys.
            keys: TupleKeys { hasher: RandomState::new(), of_sender },
        }
    }

    pub(super) fn keys(&self) -> TupleKeys {
        self.keys.clone()
    }

    pub(super) fn span_ns(&self) -> (i64, i64) {
        self.span_ns
    }

    pub(super) fn memory_bytes(&self) -> usize {
        self.tuples.memory_bytes()
    }

    /// Takes what a thread need not hold any longer.
    pub(super) fn absorb_full(&mut self, buffers: &mut TupleBuffers) -> io::Result<()> {
        self.tuples.absorb_full(&mut buffers.buffers)
    }

    /// Takes all that a thread has.
    pub(super) fn absorb(&mut self, buffers: &mut TupleBuffers) -> io::Result<()> {
        let ((first_ns, last_ns), (first, last)) = (self.span_ns, buffers.span_ns);
        self.span_ns = (first_ns.min(first), last_ns.max(last));
        self.tuples.absorb(&mut buffers.buffers)
    }

    /// Lets at most about so many bytes stay in memory from now on.
    pub(super) fn set_bytes_max(&mut self, bytes_max: usize) -> io::Result<()> {
        self.tuples.set_bytes_max(bytes_max)
    }

    /// Prepares for the order of time.
    pub(super) fn by_time(&self, bytes_max: usize, room: SpillRoom) -> FlowsByTime {
        FlowsByTime { flows: Partitions::new(bytes_max, room), span: TimeSpan(self.span_ns) }
    }

    /// Gives out all tuples.
    pub(super) fn take_tuples(&mut self) -> Partitions {
        std::mem::replace(&mut self.tuples, Partitions::new(0, SpillRoom::default()))
    }

    /// Merges the tuples of one partition and calls `each` for every flow; those of one 5-tuple
    /// come together.
    ///
    /// Runs of tuples are brought together by part of a hash above their places; keys are compared
    /// among the few of one hash. A core's own cache does not hold a partition, so the runs that come
    /// next are asked for ahead.
    ///
    /// Cost: O(n) for n tuples, and O(n log n) for the n of one flow.
    pub(super) fn merge_partition(
        &self,
        bytes: PartitionBytes,
        mut each: impl FnMut(&MergedFlow<'_>),
    ) {
        const AHEAD: usize = 8;
        let places = RunPlaces::new(bytes);
        let order = by_hash(&places);
        let mut runs: Vec<Run<'_>> = Vec::new();
        let mut events: Vec<Event> = Vec::new();
        let mut asked = order.iter();
        let mut ask_for_next = || {
            if let Some(&entry) = asked.next() {
                let (piece, start) = places.of(entry);
                prefetch(piece, start);
                prefetch(piece, start + CACHE_LINE_BYTES);
            }
        };
        (0..AHEAD).for_each(|_| ask_for_next());
        for of_hash in order.chunk_by(|a, b| a >> PLACE_BITS == b >> PLACE_BITS) {
            runs.clear();
            runs.extend(of_hash.iter().map(|&entry| {
                ask_for_next();
                let (piece, start) = places.of(entry);
                Run::read(&piece[start..], &self.contexts).0
            }));
            // The records of both ends, mostly: two flows, in any order.
            let are_apart = matches!(&runs[..], [a, b] if a.head.key != b.head.key);
            if runs.len() > 1 && !are_apart {
                runs.sort_unstable_by_key(|run| (run.head.key, run.head.time_ns));
            }
            for flow in runs.chunk_by(|a, b| a.head.key == b.head.key) {
                let mut sum = RunSum::default();
                let merged = match flow.iter().all(|run| run.add_to(&mut sum)) {
                    true => merged_in_order(&flow[0].head, &sum, &self.contexts),
                    false => merged_by_time(flow, &mut events, &self.contexts),
                };
                each(&merged);
            }
        }
    }
}

/// How many bits tell the place of a run; those above them are a hash's lowest.
const PLACE_BITS: u32 = 40;

/// Where the runs of a partition are: in which piece, and how far into it.
struct RunPlaces {
    bytes: PartitionBytes,
    offset_bits: u32,
}

impl RunPlaces {
    /// Pieces that are too many to be told apart are copied behind one another.
    fn new(bytes: PartitionBytes) -> Self {
        let longest = bytes.pieces().iter().map(Vec::len).max().unwrap_or(0);
        match Self::offset_bits(longest, bytes.pieces().len()) {
            Some(offset_bits) => Self { bytes, offset_bits },
            None => Self { offset_bits: PLACE_BITS, bytes: PartitionBytes::of(bytes.joined()) },
        }
    }

    /// How many bits of a place tell how far into a piece it is, if the others can tell which piece.
    fn offset_bits(longest: usize, piece_count: usize) -> Option<u32> {
        let bits = |count: usize| usize::BITS - count.leading_zeros();
        Some(bits(longest)).filter(|offset_bits| offset_bits + bits(piece_count) <= PLACE_BITS)
    }

    /// Returns the piece that holds the run of an entry, and where the run starts in it.
    fn of(&self, entry: u64) -> (&[u8], usize) {
        let place = entry & ((1 << PLACE_BITS) - 1);
        let piece = (place >> self.offset_bits) as usize;
        let start = place & ((1 << self.offset_bits) - 1);
        (&self.bytes.pieces()[piece], start as usize)
    }
}

/// The hash of each run above its place, in the order of the hashes.
///
/// Hashes are spread evenly, so that their highest bits sort them but for a few neighbours.
fn by_hash(places: &RunPlaces) -> Vec<u64> {
    /// About what a run of one or two tuples takes.
    const USUAL_BYTES: usize = 64;
    let mut runs = Vec::with_capacity(places.bytes.len() / USUAL_BYTES);
    for (number, piece) in (0..).zip(places.bytes.pieces()) {
        for_each_run(piece, |hash, start, _| {
            let place: u64 = number << places.offset_bits | start as u64;
            runs.push(u64::from(hash) << PLACE_BITS | place);
        });
    }
    let bits = (usize::BITS - runs.len().leading_zeros()).clamp(1, u64::BITS - PLACE_BITS);
    let bucket = |run: u64| (run >> (u64::BITS - bits)) as usize;
    let mut ends = vec![0_usize; (1 << bits) + 1];
    runs.iter().for_each(|&run| ends[bucket(run) + 1] += 1);
    let mut before = 0;
    for end in &mut ends {
        before += *end;
        *end = before;
    }
    // Behind each bucket's start its runs are placed one after the other, up to its end.
    let mut order = vec![0; runs.len()];
    for run in runs {
        let place = &mut ends[bucket(run)];
        order[*place] = run;
        *place += 1;
    }
    let mut start = 0;
    for &end in &ends[..1 << bits] {
        if end - start > 1 {
            order[start..end].sort_unstable();
        }
        start = end;
    }
    order
}

impl TupleBuffers {
    /// The buffers of one of several threads, for tuples that take at most about `bytes_max`.
    pub(super) fn new(threads: usize, bytes_max: usize) -> Self {
        Self {
            buffers: PartitionBuffers::of_thread(threads, bytes_max),
            span_ns: (i64::MAX, i64::MIN),
            of_batch: Vec::new(),
        }
    }

    /// Adds every run of a batch of input `input`, whose records follow `records_before`. `each` is
    /// told of every run and the number of its context.
    pub(super) fn add(
        &mut self,
        batch: &RunBatch,
        input: u32,
        records_before: u64,
        keys: &TupleKeys,
        mut each: impl FnMut(&BatchRun, u32),
    ) {
        let shared = batch.shared();
        // Neighbours often have their sender in common.
        let mut last: Option<(IpAddr, usize)> = None;
        for (run, events) in batch.runs() {
            self.span_ns = (self.span_ns.0.min(run.time_ns), self.span_ns.1.max(run.until_ns));
            let &BatchRun { source, destination, ports, protocol, direction, .. } = run;
            let head = RunHead {
                key: Key { source, destination, ports, protocol, direction, mac: None },
                context: self.of_batch[run.context.index()],
                encryption: run.encryption.map(|id| shared.text(id).as_bytes()),
                time_ns: run.time_ns,
                first: (input, records_before + u64::from(run.record) + 1),
            };
            let hash = Place { source, destination, ports }.hash(&keys.hasher);
            let partition = match (&keys.of_sender, last) {
                (None, _) => partition_of(hash),
                (Some(_), Some((sender, partition))) if sender == source => partition,
                (Some(keys), _) => partition_of(keys.hash(source)),
            };
            last = Some((source, partition));
            self.buffers.push_to(partition, |bytes| {
                head.write(hash, run.tuple_count, bytes, |bytes| bytes.extend_from_slice(events));
            });
            each(run, head.context);
        }
    }
}

impl TimeSpan {
    /// Adds a flow to a thread's buffers, in the partition of its first time.
    pub(super) fn push(self, flow: &MergedFlow<'_>, buffers: &mut PartitionBuffers) {
        let Self((first_ns, last_ns)) = self;
        let span = u128::from(last_ns.abs_diff(first_ns)) + 1;
        let since = u128::from(flow.start_time_ns.abs_diff(first_ns));
        let partition = since * PARTITION_COUNT as u128 / span;
        let partition = usize::try_from(partition).expect("is below the number of partitions");
        buffers.push_to(partition, |bytes| flow.write(bytes));
    }
}

impl FlowsByTime {
    pub(super) fn span(&self) -> TimeSpan {
        self.span
    }

    pub(super) fn absorb(&mut self, buffers: &mut PartitionBuffers) -> io::Result<()> {
        self.flows.absorb(buffers)
    }

    /// Gives out the flows of a partition, all of which begin before those of the next.
    pub(super) fn take(&mut self, partition: usize) -> io::Result<Vec<u8>> {
        Ok(self.flows.take(partition)?.joined())
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

    /// Writes it as a run of one tuple at its first time, and what that lacks.
    fn write(&self, bytes: &mut Vec<u8>) {
        let head = RunHead {
            key: self.key,
            context: self.context_number,
            encryption: self.encryption,
            time_ns: self.start_time_ns,
            first: self.first,
        };
        let told = Told::of(self.state, self.status, &self.counters);
        head.write(0, 1, bytes, |bytes| told.write(0, bytes));
        let mut rest = ShortRecord::new();
        rest.put_time(self.end_time_ns);
        rest.put_number(self.tuple_count);
        let basis = Self::BASES.iter().position(|basis| *basis == self.counter_basis);
        let basis = u8::try_from(basis.expect("the list is whole")).expect("the list is short");
        rest.put([basis << 1 | u8::from(self.shows_begin)]);
        bytes.extend_from_slice(rest.as_slice());
    }

    fn read(record: &mut RecordBytes<'a>, contexts: &'a LogContexts) -> Self {
        let (run, rest) = Run::read(record.0, contexts);
        record.0 = rest;
        let RunHead { key, context, encryption, first, .. } = run.head;
        let event = run.events(0).next().expect("a flow is written as a run of one tuple");
        let (end_time_ns, tuple_count, marks) = (record.time(), record.number(), record.byte());
        Self {
            key,
            context: contexts.get(context),
            context_number: context,
            encryption,
            start_time_ns: event.time_ns,
            end_time_ns,
            state: event.state,
            status: event.status,
            counters: event.counters,
            counter_basis: Self::BASES[usize::from(marks >> 1)],
            first,
            tuple_count,
            shows_begin: marks & 1 == 1,
        }
    }
}

/// Makes a flow of runs whose tuples were each later than the one before: then nothing was restarted,
/// and nothing is recorded twice.
#[inline]
fn merged_in_order<'a>(
    head: &RunHead<'a>,
    sum: &RunSum,
    contexts: &'a LogContexts,
) -> MergedFlow<'a> {
    let counters = sum.counters();
    MergedFlow {
        key: head.key,
        context: contexts.get(head.context),
        context_number: head.context,
        encryption: head.encryption,
        start_time_ns: head.time_ns,
        end_time_ns: sum.end_time_ns,
        state: sum.state(),
        status: sum.status(),
        counters,
        counter_basis: (counters != Counters::default()).then_some(CounterBasis::Delta),
        first: head.first,
        tuple_count: sum.tuple_count,
        shows_begin: sum.shows_begin,
    }
}

/// Merges the events of a flow's runs in the order of their times, then places. `events` is room
/// for them.
fn merged_by_time<'a>(
    runs: &[Run<'a>],
    events: &mut Vec<Event>,
    contexts: &'a LogContexts,
) -> MergedFlow<'a> {
    events.clear();
    (0..).zip(runs).for_each(|(number, run)| events.extend(run.events(number)));
    events.sort_unstable_by_key(|event| (event.time_ns, event.place));
    let (first, last) = (&events[0], &events[events.len() - 1]);
    let RunHead { key, context, encryption, .. } = runs[first.run as usize].head;
    let (counters, counter_basis) = sum_of(events);
    MergedFlow {
        key,
        context: contexts.get(context),
        context_number: context,
        encryption,
        start_time_ns: first.time_ns,
        end_time_ns: last.time_ns,
        state: last.state,
        status: last.status,
        counters,
        counter_basis,
        first: first.place,
        tuple_count: events.len() as u64,
        shows_begin: events.iter().any(Event::shows_begin),
    }
}

fn repeats(event: &Event, other: &Event) -> bool {
    (event.state, event.status, event.counters) == (other.state, other.status, other.counters)
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
            let is_repeated = moment[..index].iter().any(|earlier| repeats(earlier, event));
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
    use crate::classify::Observer;
    use crate::traffic::{Context, RowContexts, SourceFormat};
    use CounterBasis::{Delta, RestartCumulative};
    use FlowState::{Begin, Continue, Deny, End};
    use proptest::prelude::*;

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
            run: 0,
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

    fn contexts() -> LogContexts {
        let mut shared = RowContexts::default();
        shared.push_context(Context {
            format: SourceFormat::VnetV4,
            mac: None,
            acl_group: None,
            acl_rule: None,
            target_resource_id: None,
            flow_log_resource_id: None,
        });
        let mut contexts = LogContexts::default();
        contexts.intern_all(&shared, &mut Vec::new(), |_| Observer::LocalAddress);
        contexts
    }

    #[test]
    fn a_place_tells_the_piece_and_how_far_into_it() {
        let pieces = PartitionBytes::of_pieces(vec![vec![1; 5], vec![2; 1000], vec![3]]);
        let places = RunPlaces::new(pieces);
        let entry = |piece: u64, start: u64| 7 << PLACE_BITS | piece << places.offset_bits | start;
        for (piece, start, byte) in [(0, 0, 1), (0, 4, 1), (1, 0, 2), (1, 999, 2), (2, 0, 3)] {
            let (bytes, at) = places.of(entry(piece, start));
            assert_eq!((bytes[at], at as u64), (byte, start));
        }
        let half = 1 << (PLACE_BITS / 2);
        assert_eq!(RunPlaces::offset_bits(half - 1, half - 1), Some(PLACE_BITS / 2));
        assert_eq!(RunPlaces::offset_bits(half - 1, half), None);
        assert_eq!(RunPlaces::offset_bits(0, 0), Some(0));
    }

    /// How long after the one before, a state by its number, and a counter.
    type ToldEvent = (u32, usize, Option<u64>);

    /// Runs of one flow, each at a time in milliseconds with its events.
    fn runs_of_a_flow() -> impl Strategy<Value = Vec<(i64, Vec<ToldEvent>)>> {
        let event = (0..4_u32, 0..FlowState::OR_NONE.len(), proptest::option::of(0..300_u64));
        proptest::collection::vec((0..30_i64, proptest::collection::vec(event, 1..4)), 1..4)
    }

    proptest! {
        #[test]
        fn merging_as_events_are_read_equals_merging_them_sorted(told in runs_of_a_flow()) {
            const MS: i64 = 1_000_000;
            let contexts = contexts();
            let mut bytes = Vec::new();
            let mut times = Vec::new();
            for (record, (start_ms, events)) in (0..).zip(&told) {
                let key = Key {
                    source: "10.0.0.4".parse().unwrap(),
                    destination: "10.1.0.4".parse().unwrap(),
                    ports: Some((5000, 443)),
                    protocol: 6,
                    direction: None,
                    mac: None,
                };
                let first = (0, 10 * record + 1);
                let time_ns = start_ms * MS;
                let head = RunHead { key, context: 0, encryption: None, time_ns, first };
                let mut after_ms = 0;
                head.write(0, events.len() as u8, &mut bytes, |bytes| {
                    for (at, &(later_ms, state, counter)) in events.iter().enumerate() {
                        after_ms += if at == 0 { 0 } else { i64::from(later_ms) };
                        times.push(start_ms + after_ms);
                        let counters = Counters { bytes_sent: counter, ..Counters::default() };
                        let state = FlowState::OR_NONE[state];
                        Told::of(state, None, &counters).write(after_ms * MS, bytes);
                    }
                });
            }
            let mut runs = Vec::new();
            for_each_run(&bytes, |_, start, _| runs.push(Run::read(&bytes[start..], &contexts).0));
            runs.sort_unstable_by_key(|run| (run.head.key, run.head.time_ns));
            let sorted = merged_by_time(&runs, &mut Vec::new(), &contexts);
            let mut sum = RunSum::default();
            let is_in_order = runs.iter().all(|run| run.add_to(&mut sum));
            let as_read = is_in_order.then(|| merged_in_order(&runs[0].head, &sum, &contexts));
            times.sort_unstable();
            let are_apart = times.is_sorted_by(|a, b| a < b);
            let are_one_by_one = runs.is_sorted_by(|a, b| {
                let last = a.events(0).last().expect("a run has an event");
                last.time_ns < b.head.time_ns
            });
            prop_assert_eq!(as_read.is_some(), are_apart && are_one_by_one);
            if let Some(as_read) = as_read {
                let all = |flow: &MergedFlow<'_>| {
                    (
                        (flow.start_time_ns, flow.end_time_ns, flow.state, flow.status),
                        (flow.counters, flow.counter_basis, flow.first),
                        (flow.tuple_count, flow.shows_begin),
                    )
                };
                prop_assert_eq!(all(&as_read), all(&sorted));
            }
        }
    }
}
