//! The lines of logs beside the flows of their senders.

use std::net::IpAddr;

use ahash::RandomState;
use hashbrown::HashTable;
use smallvec::SmallVec;

use super::evidence::{FlowIdentity, LogFirewall, ShownAt};
use super::nearest::{Reach, match_nearest};
use crate::spill::{PartitionBytes, RecordBytes};

/// The lines of a partition of senders: by sender, then firewall, then time.
#[derive(Debug, Default)]
pub(super) struct EvidenceLines(Vec<Line>);

/// Which of a sender's flows show in the logs, and where: for each firewall that logged a flow the
/// line that matches.
#[derive(Debug, Default)]
pub(super) struct Sightings {
    /// The flows by number, in order, and beside them their lines.
    flows: Vec<u32>,
    at: Vec<ShownAt>,
}

/// Gives sightings to who asks for flows in their order.
pub(super) struct SightingsInOrder<'s> {
    sightings: &'s Sightings,
    next: usize,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Line {
    source: IpAddr,
    firewall: LogFirewall,
    time_ns: i64,
    key: Key,
    source_number: u32,
    is_application: bool,
}

/// What a flow and a line have in common: destination, source port, destination port, protocol.
/// What is `None` is not compared; lines that lack the same are of one kind.
type Key = (Option<IpAddr>, Option<u16>, Option<u16>, Option<u8>);

/// The kinds of lines, in the order in which flows are matched with them: whole 5-tuples,
/// application rules, addresses alone; and in each with a protocol before without one.
const KINDS: [fn(&FlowIdentity) -> Option<Key>; 6] = [
    |flow| Some((Some(flow.destination), Some(flow.ports?.0), Some(flow.ports?.1), told(flow))),
    |flow| Some((Some(flow.destination), Some(flow.ports?.0), Some(flow.ports?.1), None)),
    |flow| Some((None, Some(flow.ports?.0), Some(flow.ports?.1), told(flow))),
    |flow| Some((None, Some(flow.ports?.0), Some(flow.ports?.1), None)),
    |flow| Some((Some(flow.destination), None, None, told(flow))),
    |flow| Some((Some(flow.destination), None, None, None)),
];

/// The first kind whose lines name addresses alone.
const WEAK_KIND: usize = 4;

fn told(flow: &FlowIdentity) -> Option<u8> {
    Some(flow.protocol)
}

impl EvidenceLines {
    /// Reads the lines of a partition; `slots` has the source of each slot and its firewall, and
    /// `None` for what is no evidence.
    pub(super) fn read(bytes: PartitionBytes, slots: &[Option<(u32, LogFirewall)>]) -> Self {
        let mut lines = Vec::new();
        bytes.for_each_piece(|piece| {
            let mut record = RecordBytes(piece);
            while !record.is_empty() {
                lines.extend(Line::read(&mut record, slots));
            }
        });
        lines.sort_unstable();
        Self(lines)
    }

    /// Tells where each flow of one sender shows. For each firewall, lines and flows are matched one
    /// to one, the nearest in time first; lines are at most `tolerance_ns` from what they show.
    ///
    /// Cost: O(n log n) for n lines of the sender and flows that match one, O(1) for other flows.
    pub(super) fn look_for(
        &self,
        source: IpAddr,
        flows: impl Iterator<Item = FlowIdentity> + Clone,
        tolerance_ns: i64,
    ) -> Sightings {
        let start = self.0.partition_point(|line| line.source < source);
        let count = self.0[start..].partition_point(|line| line.source == source);
        let of_source = &self.0[start..start + count];
        let mut found: Vec<(u32, ShownAt)> = Vec::new();
        for lines in of_source.chunk_by(|a, b| a.firewall == b.firewall) {
            match_lines(lines, flows.clone(), tolerance_ns, &mut found);
        }
        // Those of one flow stay in the order of their firewalls.
        found.sort_by_key(|(flow, _)| *flow);
        let (flows, at) = found.into_iter().unzip();
        Sightings { flows, at }
    }
}

impl Sightings {
    pub(super) fn in_order(&self) -> SightingsInOrder<'_> {
        SightingsInOrder { sightings: self, next: 0 }
    }
}

impl<'s> SightingsInOrder<'s> {
    /// Returns where a flow shows; its number is higher than that of the flow before.
    pub(super) fn of(&mut self, flow: u32) -> &'s [ShownAt] {
        let Sightings { flows, at } = self.sightings;
        let start = self.next;
        while flows.get(self.next) == Some(&flow) {
            self.next += 1;
        }
        &at[start..self.next]
    }
}

/// Matches the lines of one firewall, in the order of their times, with the flows of one sender.
fn match_lines(
    lines: &[Line],
    flows: impl Iterator<Item = FlowIdentity> + Clone,
    tolerance_ns: i64,
    found: &mut Vec<(u32, ShownAt)>,
) {
    let by_key = LinesByKey::of(lines);
    let near = lines[0].time_ns.saturating_sub(tolerance_ns)
        ..=lines[lines.len() - 1].time_ns.saturating_add(tolerance_ns);
    let reach = Reach { before_ns: tolerance_ns, after_ns: tolerance_ns };
    let mut matched: Vec<bool> = Vec::new();
    let mut wanting: Vec<Wanting> = Vec::new();
    for (kind, key_of) in KINDS.iter().enumerate().filter(|(kind, _)| by_key.has_kind[*kind]) {
        wanting.clear();
        let is_matched = |number: u32| matched.get(number as usize).copied().unwrap_or(false);
        for (number, flow) in (0..).zip(flows.clone()) {
            if near.contains(&flow.start_time_ns)
                && !is_matched(number)
                && let Some(key) = key_of(&flow)
                && let Some(first_line) = by_key.first(&key)
            {
                let (start_time_ns, place) = (flow.start_time_ns, flow.place);
                wanting.push(Wanting { first_line, start_time_ns, place, number });
            }
        }
        wanting.sort_unstable();
        for same in wanting.chunk_by(|a, b| a.first_line == b.first_line) {
            let of_key: SmallVec<[u32; 4]> = by_key.all(same[0].first_line).collect();
            let begins: SmallVec<[i64; 4]> = same.iter().map(|flow| flow.start_time_ns).collect();
            let times: SmallVec<[i64; 4]> =
                of_key.iter().map(|&line| lines[line as usize].time_ns).collect();
            for (position, line) in match_nearest(&begins, &times, reach) {
                let (line, number) = (&lines[of_key[line] as usize], same[position].number);
                let at = number as usize;
                matched.resize(matched.len().max(at + 1), false);
                matched[at] = true;
                let shown = ShownAt {
                    firewall: line.firewall,
                    source_number: line.source_number,
                    is_weak: kind >= WEAK_KIND,
                    is_application: line.is_application,
                };
                found.push((number, shown));
            }
        }
    }
}

/// A flow for which there are lines: by these, then by its time.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
struct Wanting {
    first_line: u32,
    start_time_ns: i64,
    place: (u32, u64),
    number: u32,
}

/// Lines by what they have in common with flows; those of one key are chained in their order.
struct LinesByKey<'l> {
    lines: &'l [Line],
    /// The first line of each key, and for each the last so far.
    firsts: HashTable<(u32, u32)>,
    /// The line behind each one that has its key.
    next: Vec<u32>,
    hasher: RandomState,
    has_kind: [bool; KINDS.len()],
}

/// Stands where no line follows.
const NONE: u32 = u32::MAX;

impl<'l> LinesByKey<'l> {
    fn of(lines: &'l [Line]) -> Self {
        let mut by_key = Self {
            lines,
            firsts: HashTable::with_capacity(lines.len()),
            next: vec![NONE; lines.len()],
            hasher: RandomState::new(),
            has_kind: [false; KINDS.len()],
        };
        let count = u32::try_from(lines.len()).expect("a sender has fewer than 2^32 lines");
        for (number, line) in (0..count).zip(lines) {
            by_key.has_kind[kind_of(&line.key)] = true;
            let hash = hash_of(&by_key.hasher, &line.key);
            let is_same = |&(first, _): &(u32, u32)| lines[first as usize].key == line.key;
            match by_key.firsts.find_mut(hash, is_same) {
                Some((_, last)) => {
                    by_key.next[*last as usize] = number;
                    *last = number;
                }
                None => {
                    let hasher = &by_key.hasher;
                    by_key.firsts.insert_unique(hash, (number, number), |&(first, _)| {
                        hash_of(hasher, &lines[first as usize].key)
                    });
                }
            }
        }
        by_key
    }

    /// Returns the first line of a key.
    fn first(&self, key: &Key) -> Option<u32> {
        let is_same = |&(first, _): &(u32, u32)| self.lines[first as usize].key == *key;
        self.firsts.find(hash_of(&self.hasher, key), is_same).map(|&(first, _)| first)
    }

    /// Returns all lines of the key of a first one.
    fn all(&self, first: u32) -> impl Iterator<Item = u32> {
        std::iter::successors(Some(first), |&line| {
            Some(self.next[line as usize]).filter(|&next| next != NONE)
        })
    }
}

/// Hashes a key in few steps, if its address is of version 4: equal keys have equal words.
fn hash_of(hasher: &RandomState, key: &Key) -> u64 {
    let (destination, source_port, destination_port, protocol) = *key;
    let port = |port: Option<u16>| port.map_or(0, |port| u64::from(port) | 1 << 16);
    let ports = port(source_port) << 32 | port(destination_port);
    let protocol = protocol.map_or(0, |protocol| u64::from(protocol) | 1 << 8) << 49;
    match destination {
        Some(IpAddr::V6(address)) => hasher.hash_one((address.to_bits(), ports | protocol)),
        Some(IpAddr::V4(address)) => {
            hasher.hash_one((u64::from(address.to_bits()), ports | protocol))
        }
        None => hasher.hash_one((u64::MAX, ports | protocol)),
    }
}

/// The position among [`KINDS`] of the flows that a line may match.
fn kind_of((destination, source_port, _, protocol): &Key) -> usize {
    let kind = match (destination, source_port) {
        (Some(_), Some(_)) => 0,
        (None, _) => 2,
        (Some(_), None) => WEAK_KIND,
    };
    kind + usize::from(protocol.is_none())
}

impl Line {
    /// Reads what [`EvidenceRecord::write`](super::EvidenceRecord::write) writes.
    fn read(record: &mut RecordBytes<'_>, slots: &[Option<(u32, LogFirewall)>]) -> Option<Self> {
        let marks = record.byte();
        let is_set = |bit: u32| marks >> bit & 1 == 1;
        let source = record.address(is_set(0));
        let time_ns = record.time();
        let slot = record.number_u32();
        let destination = is_set(1).then(|| record.address(is_set(2)));
        let mut port = || is_set(3).then(|| u16::from_le_bytes(record.array()));
        let (source_port, destination_port) = (port(), port());
        let protocol = is_set(4).then(|| record.byte());
        let (source_number, firewall) = slots[slot as usize]?;
        Some(Self {
            source,
            firewall,
            time_ns,
            key: (destination, source_port, destination_port, protocol),
            source_number,
            is_application: is_set(5),
        })
    }
}
