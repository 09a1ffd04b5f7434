//! The flows of flow logs: the tuples of one flow at one observer, merged.

use std::net::IpAddr;

use ahash::{AHashMap, RandomState};
use hashbrown::HashTable;
use hashbrown::hash_table::Entry;
use smallvec::SmallVec;

use super::CounterBasis;
use crate::net::MacAddress;
use crate::traffic::{
    Context, Counters, FlowBatch, FlowDirection, FlowState, FlowStatus, SourceFormat,
};

/// Flows gathered from the tuples of logs.
///
/// A flow is one 5-tuple in one direction at one observer; records of the other end are another
/// flow. Tuples come in any order of time.
#[derive(Default)]
pub(super) struct LogFlows {
    flows: AHashMap<Key, LogFlow>,
    contexts: Vec<OwnedContext>,
    /// Positions in `contexts`.
    context_index: HashTable<u32>,
    hasher: RandomState,
    event_count: usize,
    context_bytes: usize,
    /// The contexts of the batch that is being added, by their numbers in it.
    of_batch: Vec<u32>,
}

/// A merged flow.
pub(super) struct MergedFlow<'a> {
    pub(super) key: &'a Key,
    pub(super) context: &'a OwnedContext,
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
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(super) struct Key {
    pub(super) source: IpAddr,
    pub(super) destination: IpAddr,
    pub(super) ports: Option<(u16, u16)>,
    pub(super) protocol: u8,
    pub(super) direction: Option<FlowDirection>,
    pub(super) mac: Option<MacAddress>,
}

/// A context that outlives its batch.
pub(super) struct OwnedContext {
    pub(super) format: SourceFormat,
    pub(super) mac: Option<MacAddress>,
    pub(super) acl_group: Option<String>,
    pub(super) acl_rule: Option<String>,
    pub(super) target_resource_id: Option<String>,
    pub(super) flow_log_resource_id: Option<String>,
}

impl LogFlows {
    /// About how much memory the flows take.
    pub(super) fn memory_bytes(&self) -> usize {
        // A hash map holds up to 16/7 places for each entry, and sorting takes a reference each.
        self.flows.len() * (2 * size_of::<(Key, LogFlow)>() + 8)
            + self.event_count * size_of::<Event>()
            + self.context_bytes
    }

    /// Adds every tuple of a batch of input `input`, whose records follow `records_before`.
    pub(super) fn add(&mut self, batch: &FlowBatch, input: u32, records_before: u64) {
        self.of_batch.clear();
        for context in batch.contexts() {
            let context = self.intern(batch, context);
            self.of_batch.push(context);
        }
        for index in 0..batch.len() {
            let row = batch.row(index);
            let context = self.of_batch[row.context.index()];
            let place = (input, records_before + u64::from(row.record) + 1);
            let key = Key {
                source: row.source,
                destination: row.destination,
                ports: row.ports,
                protocol: row.protocol,
                direction: row.direction,
                mac: self.contexts[context as usize].mac,
            };
            let flow = self.flows.entry(key).or_insert_with(|| LogFlow {
                events: SmallVec::new(),
                encryption: row.encryption.map(|id| batch.text(id).into()),
            });
            let time_ns = row.time_ns;
            let (state, status, counters) = (row.state, row.status, row.counters);
            flow.events.push(Event { time_ns, place, state, status, counters, context });
            self.event_count += 1;
        }
    }

    /// Calls `each` for every flow, by first time, then key, and forgets them.
    pub(super) fn drain_sorted(&mut self, mut each: impl FnMut(&MergedFlow<'_>)) {
        let mut flows: Vec<(Key, LogFlow)> = self.flows.drain().collect();
        for (_, flow) in &mut flows {
            flow.events.sort_unstable_by_key(|event| (event.time_ns, event.place));
        }
        flows.sort_unstable_by(|(key_a, a), (key_b, b)| {
            a.events[0].time_ns.cmp(&b.events[0].time_ns).then_with(|| key_a.cmp(key_b))
        });
        for (key, flow) in &flows {
            each(&flow.merged(key, &self.contexts));
        }
        *self = Self::default();
    }

    fn intern(&mut self, batch: &FlowBatch, context: &Context) -> u32 {
        let view = ContextView::of(batch, context);
        let (contexts, hasher) = (&mut self.contexts, &self.hasher);
        let slot = self.context_index.entry(
            hasher.hash_one(view),
            |&index| contexts[index as usize].view() == view,
            |&index| hasher.hash_one(contexts[index as usize].view()),
        );
        match slot {
            Entry::Occupied(occupied) => *occupied.get(),
            Entry::Vacant(vacant) => {
                let index = u32::try_from(contexts.len()).expect("the memory bound ends it before");
                vacant.insert(index);
                let owned = view.to_owned();
                self.context_bytes += owned.memory_bytes();
                contexts.push(owned);
                index
            }
        }
    }
}

/// A context as it is compared, wherever its texts are.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
struct ContextView<'t> {
    format: SourceFormat,
    mac: Option<MacAddress>,
    acl_group: Option<&'t str>,
    acl_rule: Option<&'t str>,
    target_resource_id: Option<&'t str>,
    flow_log_resource_id: Option<&'t str>,
}

impl<'t> ContextView<'t> {
    fn of(batch: &'t FlowBatch, context: &Context) -> Self {
        let text = |id: Option<_>| id.map(|id| batch.text(id));
        Self {
            format: context.format,
            mac: context.mac,
            acl_group: text(context.acl_group),
            acl_rule: text(context.acl_rule),
            target_resource_id: text(context.target_resource_id),
            flow_log_resource_id: text(context.flow_log_resource_id),
        }
    }

    fn to_owned(self) -> OwnedContext {
        let text = |text: Option<&str>| text.map(str::to_owned);
        OwnedContext {
            format: self.format,
            mac: self.mac,
            acl_group: text(self.acl_group),
            acl_rule: text(self.acl_rule),
            target_resource_id: text(self.target_resource_id),
            flow_log_resource_id: text(self.flow_log_resource_id),
        }
    }
}

impl OwnedContext {
    fn view(&self) -> ContextView<'_> {
        ContextView {
            format: self.format,
            mac: self.mac,
            acl_group: self.acl_group.as_deref(),
            acl_rule: self.acl_rule.as_deref(),
            target_resource_id: self.target_resource_id.as_deref(),
            flow_log_resource_id: self.flow_log_resource_id.as_deref(),
        }
    }

    fn memory_bytes(&self) -> usize {
        let texts =
            [&self.acl_group, &self.acl_rule, &self.target_resource_id, &self.flow_log_resource_id];
        size_of::<Self>()
            + texts.iter().filter_map(|text| text.as_ref().map(String::len)).sum::<usize>()
    }
}

struct LogFlow {
    events: SmallVec<[Event; 2]>,
    encryption: Option<Box<str>>,
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

impl Event {
    fn repeats(&self, other: &Self) -> bool {
        (self.state, self.status, self.counters) == (other.state, other.status, other.counters)
    }
}

impl LogFlow {
    /// Merges the events, which are sorted by time, then place.
    fn merged<'a>(&'a self, key: &'a Key, contexts: &'a [OwnedContext]) -> MergedFlow<'a> {
        let (first, last) = (self.events[0], self.events[self.events.len() - 1]);
        let (counters, counter_basis) = sum_of(&self.events);
        MergedFlow {
            key,
            context: &contexts[first.context as usize],
            encryption: self.encryption.as_deref(),
            start_time_ns: first.time_ns,
            end_time_ns: last.time_ns,
            state: last.state,
            status: last.status,
            counters,
            counter_basis,
            first: first.place,
            tuple_count: self.events.len() as u64,
            shows_begin: self
                .events
                .iter()
                .any(|event| matches!(event.state, Some(FlowState::Begin | FlowState::Deny))),
        }
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
