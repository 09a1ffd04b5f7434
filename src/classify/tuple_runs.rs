//! Runs of tuples as bytes, while they wait for the others of their flow.
//!
//! Logs tell what happened to a connection within a minute by tuples that follow each other; so what
//! makes them one flow is written once for all of them.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use ahash::RandomState;

use super::log_contexts::LogContexts;
use crate::net::MacAddress;
use crate::traffic::{Counters, FlowDirection, FlowState, FlowStatus};

/// What makes tuples one flow.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct Key {
    pub(crate) source: IpAddr,
    pub(crate) destination: IpAddr,
    pub(crate) ports: Option<(u16, u16)>,
    pub(crate) protocol: u8,
    pub(crate) direction: Option<FlowDirection>,
    pub(crate) mac: Option<MacAddress>,
}

/// What is hashed of a tuple: both ends' records of a flow meet in one partition.
#[derive(Clone, Copy)]
pub(super) struct Place {
    pub(super) source: IpAddr,
    pub(super) destination: IpAddr,
    pub(super) ports: Option<(u16, u16)>,
}

/// What the tuples of a run have in common, and where the first of them stands.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct RunHead<'t> {
    pub(super) key: Key,
    /// The number of its context.
    pub(super) context: u32,
    /// A text as bytes: few look at it.
    pub(super) encryption: Option<&'t [u8]>,
    pub(super) time_ns: i64,
    /// Input and record of the first tuple; the records of the others follow.
    pub(super) first: (u32, u64),
}

/// A tuple less what it shares with its run.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Event {
    pub(super) time_ns: i64,
    /// Input and record.
    pub(super) place: (u32, u64),
    pub(super) state: Option<FlowState>,
    pub(super) status: Option<FlowStatus>,
    pub(super) counters: Counters,
    /// Its run, by its place among those of one hash.
    pub(super) run: u32,
}

/// A run as it is read back.
pub(super) struct Run<'b> {
    pub(super) head: RunHead<'b>,
    event_count: u8,
    events: &'b [u8],
}

/// What tuples add up to whose times are in order.
#[derive(Debug, Default)]
pub(super) struct RunSum {
    pub(super) end_time_ns: i64,
    pub(super) tuple_count: u64,
    pub(super) shows_begin: bool,
    /// Marks of the last.
    marks: u16,
    numbers: [u64; 4],
    /// A bit for each number that one of them had.
    are_there: u16,
}

/// What an event tells besides its time and place.
#[derive(Clone, Copy)]
pub(super) struct Told {
    state: Option<FlowState>,
    status: Option<FlowStatus>,
    /// Those that are absent are 0.
    numbers: [u64; 4],
    /// A bit for each number.
    are_there: u8,
}

pub(super) const MS: i64 = 1_000_000;

impl Place {
    /// Hashes it in few steps: addresses of version 4 are one word.
    pub(super) fn hash(&self, hasher: &RandomState) -> u64 {
        let (from, to) = self.ports.unwrap_or_default();
        let ports = u32::from(from) << 16 | u32::from(to);
        match (self.source, self.destination) {
            (IpAddr::V4(source), IpAddr::V4(destination)) => {
                let both = u64::from(source.to_bits()) << 32 | u64::from(destination.to_bits());
                hasher.hash_one((both, ports))
            }
            (source, destination) => hasher.hash_one((source, destination, ports)),
        }
    }
}

/// Bits of a run's marks.
const SOURCE_IS_V6: u8 = 1;
const DESTINATION_IS_V6: u8 = 2;
const HAS_PORTS: u8 = 4;
const HAS_ENCRYPTION: u8 = 8;
/// Two bytes behind the addresses tell the length of the encryption's text.
const IS_LONG_TEXT: u8 = 16;
const DIRECTION_SHIFT: u32 = 5;

/// What stands before the events, with addresses of version 4; others follow it.
const HEAD_BYTES: usize = 44;

/// Forms of an event: all that is there is 0, or how many bytes the milliseconds, packets and bytes
/// take. Those of two bytes, one, and two hold most of what a minute's tuples tell.
const FORM_ZERO: u16 = 0;
const FORM_SHORT: u16 = 1;
const FORM_MIDDLE: u16 = 2;
const FORM_LONG: u16 = 3;
const FORM_SHIFT: u32 = 9;

/// Where status and counters stand in an event's marks, behind its state.
const STATUS_SHIFT: u32 = 3;
const COUNTERS_SHIFT: u32 = 5;

/// Records are counted in six bytes.
const RECORD_MAX: u64 = (1 << 48) - 1;

impl RunHead<'_> {
    /// Appends a run of `count` tuples, which `write_events` writes: each tells how long after the
    /// first it was.
    #[inline]
    pub(super) fn write(
        &self,
        hash: u64,
        count: u8,
        bytes: &mut Vec<u8>,
        write_events: impl FnOnce(&mut Vec<u8>),
    ) {
        let Key { source, destination, ports, protocol, direction, .. } = self.key;
        let direction = direction.map_or(0, |direction| 1 + direction as u8);
        let mut marks = direction << DIRECTION_SHIFT;
        let text = self.encryption.unwrap_or_default();
        for (mark, is_set) in [
            (SOURCE_IS_V6, source.is_ipv6()),
            (DESTINATION_IS_V6, destination.is_ipv6()),
            (HAS_PORTS, ports.is_some()),
            (HAS_ENCRYPTION, self.encryption.is_some()),
            (IS_LONG_TEXT, text.len() > usize::from(u8::MAX)),
        ] {
            marks |= if is_set { mark } else { 0 };
        }
        let (from, to) = ports.unwrap_or_default();
        let v4 = |address: IpAddr| match address {
            IpAddr::V4(address) => u32::from_le_bytes(address.octets()),
            IpAddr::V6(_) => 0,
        };
        let (input, record) = self.first;
        assert!(record <= RECORD_MAX, "an input has fewer than 2^48 records");
        let start = bytes.len();
        // Words, since what is stored by bytes and copied at once is waited for.
        let words = [
            u64::from(hash as u32) | u64::from(count) << 48 | u64::from(marks) << 56,
            u64::from(self.context) | u64::from(input) << 32,
            self.time_ns.cast_unsigned(),
            record
                | u64::from(protocol) << 48
                | u64::from(u8::try_from(text.len()).unwrap_or(0)) << 56,
            u64::from(from) | u64::from(to) << 16 | u64::from(v4(source)) << 32,
        ];
        words.iter().for_each(|word| bytes.extend_from_slice(&word.to_le_bytes()));
        bytes.extend_from_slice(&v4(destination).to_le_bytes());
        for address in [source, destination] {
            if let IpAddr::V6(address) = address {
                bytes.extend_from_slice(&address.octets());
            }
        }
        if marks & IS_LONG_TEXT != 0 {
            let length = u16::try_from(text.len()).expect("a tuple is below 1 KiB");
            bytes.extend_from_slice(&length.to_le_bytes());
        }
        bytes.extend_from_slice(text);
        write_events(bytes);
        let length = u16::try_from(bytes.len() - start).expect("255 events are below 64 KiB");
        bytes[start + 4..start + 6].copy_from_slice(&length.to_le_bytes());
    }
}

impl RunSum {
    pub(super) fn state(&self) -> Option<FlowState> {
        state_of(self.marks)
    }

    pub(super) fn status(&self) -> Option<FlowStatus> {
        status_of(self.marks)
    }

    pub(super) fn counters(&self) -> Counters {
        counters_of(self.are_there, self.numbers)
    }
}

impl Event {
    /// A Begin or Deny: the flow's beginning was recorded.
    pub(super) fn shows_begin(&self) -> bool {
        shows_begin(self.state)
    }
}

impl Told {
    pub(super) fn of(
        state: Option<FlowState>,
        status: Option<FlowStatus>,
        counters: &Counters,
    ) -> Self {
        let Counters { packets_sent, bytes_sent, packets_received, bytes_received } = *counters;
        let all = [packets_sent, bytes_sent, packets_received, bytes_received];
        let bits = all.iter().zip(0..).map(|(counter, bit)| u8::from(counter.is_some()) << bit);
        let are_there = bits.fold(0, |all, bit| all | bit);
        Self { state, status, numbers: all.map(|counter| counter.unwrap_or(0)), are_there }
    }

    /// Appends it: marks, milliseconds, packets and bytes, each in the bytes that its form has for
    /// them.
    #[inline]
    pub(super) fn write(&self, after_ns: i64, bytes: &mut Vec<u8>) {
        let after_ms = u32::try_from(after_ns / MS).expect("a run is at most so long");
        let [packets_sent, bytes_sent, packets_received, bytes_received] = self.numbers;
        let (packets, all_bytes) = (packets_sent | packets_received, bytes_sent | bytes_received);
        let form = match (after_ms, packets, all_bytes) {
            (0, 0, 0) => FORM_ZERO,
            (0..=0xFFFF, 0..=0xFF, 0..=0xFFFF) => FORM_SHORT,
            (_, 0..=0xFFFF_FFFF, 0..=0xFFFF_FFFF) => FORM_MIDDLE,
            _ => FORM_LONG,
        };
        let state = self.state.map_or(0, |state| 1 + state as u16);
        let status = self.status.map_or(0, |status| 1 + status as u16);
        let marks = state
            | status << STATUS_SHIFT
            | u16::from(self.are_there) << COUNTERS_SHIFT
            | form << FORM_SHIFT;
        match form {
            FORM_ZERO => bytes.extend_from_slice(&marks.to_le_bytes()),
            FORM_SHORT => {
                let event = u128::from(marks)
                    | u128::from(after_ms) << 16
                    | u128::from(packets_sent) << 32
                    | u128::from(packets_received) << 40
                    | u128::from(bytes_sent) << 48
                    | u128::from(bytes_received) << 64;
                bytes.extend_from_slice(&event.to_le_bytes()[..10]);
            }
            FORM_MIDDLE => {
                let [a, b, c, d] = self.numbers;
                bytes.extend_from_slice(&marks.to_le_bytes());
                bytes.extend_from_slice(&after_ms.to_le_bytes());
                bytes.extend_from_slice(&(a | b << 32).to_le_bytes());
                bytes.extend_from_slice(&(c | d << 32).to_le_bytes());
            }
            _ => {
                bytes.extend_from_slice(&marks.to_le_bytes());
                bytes.extend_from_slice(&after_ms.to_le_bytes());
                self.numbers.iter().for_each(|n| bytes.extend_from_slice(&n.to_le_bytes()));
            }
        }
    }
}

/// Calls `each` with the hash, the start and the length of every run.
///
/// # Panics
///
/// As [`Run::read`].
pub(super) fn for_each_run(bytes: &[u8], mut each: impl FnMut(u32, usize, usize)) {
    let mut start = 0;
    while start < bytes.len() {
        let head: [u8; 8] = array(&bytes[start..]);
        let length = usize::from(u16::from_le_bytes([head[4], head[5]]));
        each(u32::from_le_bytes(array(&head)), start, length);
        start += length;
    }
}

impl<'b> Run<'b> {
    /// Reads the run at the start of `bytes`, and returns what follows it.
    ///
    /// # Panics
    ///
    /// Where the bytes are not what was written.
    pub(super) fn read(bytes: &'b [u8], contexts: &LogContexts) -> (Self, &'b [u8]) {
        let head: &[u8; HEAD_BYTES] = bytes.first_chunk().expect("a run was written whole");
        let u16_at = |at: usize| u16::from_le_bytes(array(&head[at..]));
        let u32_at = |at: usize| u32::from_le_bytes(array(&head[at..]));
        let marks = head[7];
        let is_set = |mark: u8| marks & mark != 0;
        let (run, after) = bytes.split_at(usize::from(u16_at(4)));
        let mut rest = &run[HEAD_BYTES..];
        let mut address = |at: usize, is_v6: bool| {
            if is_v6 {
                let (octets, after) = rest.split_first_chunk::<16>().expect("was written whole");
                rest = after;
                IpAddr::V6(Ipv6Addr::from(*octets))
            } else {
                IpAddr::V4(Ipv4Addr::from(array::<4>(&head[at..])))
            }
        };
        let source = address(36, is_set(SOURCE_IS_V6));
        let destination = address(40, is_set(DESTINATION_IS_V6));
        let mut text_length = usize::from(head[31]);
        if is_set(IS_LONG_TEXT) {
            text_length = usize::from(u16::from_le_bytes(array(rest)));
            rest = &rest[2..];
        }
        let (text, events) = rest.split_at(text_length);
        let context = u32_at(8);
        let key = Key {
            source,
            destination,
            ports: is_set(HAS_PORTS).then(|| (u16_at(32), u16_at(34))),
            protocol: head[30],
            direction: FlowDirection::OR_NONE[usize::from(marks >> DIRECTION_SHIFT)],
            mac: contexts.get(context).mac,
        };
        let head = RunHead {
            key,
            context,
            encryption: is_set(HAS_ENCRYPTION).then_some(text),
            time_ns: i64::from_le_bytes(array(&head[16..])),
            first: (u32_at(12), u64::from_le_bytes(array(&head[24..])) & RECORD_MAX),
        };
        (Self { head, event_count: bytes[6], events }, after)
    }

    /// Returns its tuples, as those of run `number`.
    pub(super) fn events(&self, number: u32) -> impl Iterator<Item = Event> {
        let mut rest = self.events;
        (0..u64::from(self.event_count)).map(move |after| {
            let marks = u16::from_le_bytes(array(rest));
            let (after_ms, numbers, length) = read_event(marks >> FORM_SHIFT, &rest[2..]);
            rest = &rest[2 + length..];
            Event {
                time_ns: self.head.time_ns + i64::from(after_ms) * MS,
                place: (self.head.first.0, self.head.first.1 + after),
                state: state_of(marks),
                status: status_of(marks),
                counters: counters_of(marks >> COUNTERS_SHIFT, numbers),
                run: number,
            }
        })
    }

    /// Adds its tuples to a sum, and returns false at the first that is not later than the one before.
    #[inline]
    pub(super) fn add_to(&self, sum: &mut RunSum) -> bool {
        let mut rest = self.events;
        for _ in 0..self.event_count {
            let marks = u16::from_le_bytes(array(rest));
            let (after_ms, numbers, length) = read_event(marks >> FORM_SHIFT, &rest[2..]);
            rest = &rest[2 + length..];
            let time_ns = self.head.time_ns + i64::from(after_ms) * MS;
            if time_ns <= sum.end_time_ns && sum.tuple_count > 0 {
                return false;
            }
            sum.end_time_ns = time_ns;
            sum.tuple_count += 1;
            sum.shows_begin |= shows_begin(state_of(marks));
            sum.marks = marks;
            sum.are_there |= marks >> COUNTERS_SHIFT;
            for (sum, number) in sum.numbers.iter_mut().zip(numbers) {
                *sum = sum.saturating_add(number);
            }
        }
        true
    }
}

fn state_of(marks: u16) -> Option<FlowState> {
    FlowState::OR_NONE[usize::from(marks & 7)]
}

fn status_of(marks: u16) -> Option<FlowStatus> {
    FlowStatus::OR_NONE[usize::from(marks >> STATUS_SHIFT & 3)]
}

fn counters_of(are_there: u16, numbers: [u64; 4]) -> Counters {
    let counter = |at: usize| (are_there >> at & 1 == 1).then_some(numbers[at]);
    Counters {
        packets_sent: counter(0),
        bytes_sent: counter(1),
        packets_received: counter(2),
        bytes_received: counter(3),
    }
}

/// A Begin or Deny tells a flow's beginning.
fn shows_begin(state: Option<FlowState>) -> bool {
    matches!(state, Some(FlowState::Begin | FlowState::Deny))
}

/// Returns the milliseconds and the counters of an event, and how many bytes they take.
#[inline]
fn read_event(form: u16, bytes: &[u8]) -> (u32, [u64; 4], usize) {
    let u32_at = |at: usize| u32::from_le_bytes(array(&bytes[at..]));
    match form {
        FORM_ZERO => (0, [0; 4], 0),
        FORM_SHORT => {
            let event = u64::from_le_bytes(array(bytes));
            let (after_ms, packets_sent, packets_received, bytes_sent, bytes_received) = (
                event as u16,
                (event >> 16) as u8,
                (event >> 24) as u8,
                (event >> 32) as u16,
                (event >> 48) as u16,
            );
            let numbers = [
                packets_sent.into(),
                bytes_sent.into(),
                packets_received.into(),
                bytes_received.into(),
            ];
            (after_ms.into(), numbers, 8)
        }
        FORM_MIDDLE => {
            (u32_at(0), std::array::from_fn(|at| u64::from(u32_at(4 + 4 * at))), 4 + 4 * 4)
        }
        _ => {
            let u64_at = |at: usize| u64::from_le_bytes(array(&bytes[at..]));
            (u32_at(0), std::array::from_fn(|at| u64_at(4 + 8 * at)), 4 + 4 * 8)
        }
    }
}

fn array<const N: usize>(bytes: &[u8]) -> [u8; N] {
    *bytes.first_chunk().expect("a run was written whole")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::classify::Observer;
    use crate::traffic::{Context, RowContexts, SourceFormat};

    fn contexts() -> LogContexts {
        let mut shared = RowContexts::default();
        shared.push_context(Context {
            format: SourceFormat::VnetV4,
            mac: Some("000D3A000001".parse().unwrap()),
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
    fn what_is_written_of_a_run_is_read_back_with_null_and_zero_apart() {
        let contexts = contexts();
        let counters = |numbers: [Option<u64>; 4]| Counters {
            packets_sent: numbers[0],
            bytes_sent: numbers[1],
            packets_received: numbers[2],
            bytes_received: numbers[3],
        };
        let told = |state, status, numbers| (state, status, counters(numbers));
        let events = [
            (0, told(Some(FlowState::Begin), Some(FlowStatus::Allowed), [None; 4])),
            (0, told(Some(FlowState::Continue), None, [Some(0); 4])),
            (7, told(Some(FlowState::Deny), Some(FlowStatus::Denied), [Some(65_535); 4])),
            (8, told(None, None, [None, Some(65_536), None, Some(0)])),
            (9, told(Some(FlowState::End), None, [Some(u64::from(u32::MAX)), None, None, None])),
            (65_535, told(None, None, [Some(255), Some(65_535), Some(254), Some(1)])),
            (65_536, told(None, None, [Some(255), Some(65_535), Some(255), Some(65_535)])),
            (65_536, told(None, None, [Some(0); 4])),
            (65_536, told(None, None, [Some(256), Some(1), Some(2), Some(3)])),
            (65_536, told(None, None, [Some(1), Some(2), Some(256), Some(3)])),
            (
                i64::from(u32::MAX),
                told(None, Some(FlowStatus::Allowed), [Some(u64::MAX), Some(1 << 32), None, None]),
            ),
        ];
        let v4 = Key {
            source: "10.0.0.4".parse().unwrap(),
            destination: "255.255.255.255".parse().unwrap(),
            ports: Some((65_535, 0)),
            protocol: 255,
            direction: None,
            mac: contexts.get(0).mac,
        };
        let long = "x".repeat(900);
        let mut bytes = Vec::new();
        let mut heads = Vec::new();
        for (source, destination, ports, direction, encryption) in [
            ("10.0.0.4", "255.255.255.255", Some((65_535, 0)), None, None),
            ("fd00::1", "10.0.0.4", None, Some(FlowDirection::Inbound), Some(&b""[..])),
            ("10.0.0.4", "::", Some((0, 1)), Some(FlowDirection::Outbound), Some(long.as_bytes())),
            ("fd00::1", "::ffff:10.0.0.4", None, None, Some("X\u{fe0f}".as_bytes())),
        ] {
            let key = Key {
                source: source.parse().unwrap(),
                destination: destination.parse().unwrap(),
                ports,
                direction,
                ..v4
            };
            let time_ns = i64::MIN;
            let first = (u32::MAX, RECORD_MAX - 9);
            let head = RunHead { key, context: 0, encryption, time_ns, first };
            let hash = 0x1234_5678_9ABC_DEF0 + heads.len() as u64;
            head.write(hash, events.len() as u8, &mut bytes, |bytes| {
                for (after_ms, (state, status, counters)) in &events {
                    Told::of(*state, *status, counters).write(after_ms * MS, bytes);
                }
            });
            heads.push(head);
        }
        let mut found = Vec::new();
        for_each_run(&bytes, |hash, start, _| found.push((hash, start)));
        assert_eq!(found.len(), heads.len());
        let mut rest = &bytes[..];
        for ((number, head), (hash, start)) in (0..).zip(heads).zip(found) {
            assert_eq!(hash, 0x9ABC_DEF0 + number);
            assert_eq!(start, bytes.len() - rest.len());
            let (run, after) = Run::read(rest, &contexts);
            rest = after;
            assert_eq!(run.head, head);
            let mut read = Vec::new();
            read.extend(run.events(number));
            assert_eq!(read.len(), events.len());
            for ((place, (after_ms, told)), event) in (0..).zip(events).zip(read) {
                let (state, status, counters) = told;
                let want = Event {
                    time_ns: head.time_ns + after_ms * MS,
                    place: (head.first.0, head.first.1 + place),
                    state,
                    status,
                    counters,
                    run: number,
                };
                assert_eq!(event, want);
            }
        }
        assert!(rest.is_empty());
    }
}
