//! The flows of captures: one for each 5-tuple, both directions together.

use std::net::IpAddr;

use ahash::RandomState;
use hashbrown::HashTable;

use crate::traffic::{Counters, FlowBatch, RowFlags, SourceFormat};

/// Flows gathered by one thread.
///
/// Every field of a flow is a sum, a minimum or a maximum, so that it does not matter in which
/// order, or on which thread, its packets come. A flow has one entry for each input it occurs in,
/// because the books of each input are kept apart.
pub(super) struct PacketFlows {
    entries: Vec<Entry>,
    index: HashTable<u32>,
    hasher: RandomState,
}

/// A finished flow: source = initiator.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct PacketFlow {
    pub(super) source: IpAddr,
    pub(super) destination: IpAddr,
    pub(super) ports: Option<(u16, u16)>,
    pub(super) protocol: u8,
    pub(super) start_time_ns: i64,
    pub(super) end_time_ns: i64,
    pub(super) counters: Counters,
    pub(super) format: SourceFormat,
    /// The input of the first packet.
    pub(super) input: u32,
    /// The first packet's number in its input, 1-based.
    pub(super) record: u64,
    /// A SYN without ACK was among the packets.
    pub(super) shows_begin: bool,
}

/// How many packets of one input a flow has.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct InputShare {
    pub(super) input: u32,
    pub(super) packets: u64,
}

impl PacketFlow {
    pub(super) fn packet_count(&self) -> u64 {
        let Counters { packets_sent, packets_received, .. } = self.counters;
        packets_sent.unwrap_or(0) + packets_received.unwrap_or(0)
    }
}

impl PacketFlows {
    /// What a flow costs with its place in the index and in the sorted output.
    pub(super) const FLOW_BYTES: usize = size_of::<Entry>() + 12 + 24;

    pub(super) fn new() -> Self {
        // Fixed keys would let an attacker craft colliding flows; the order of the output does not
        // depend on the keys.
        Self { entries: Vec::new(), index: HashTable::new(), hasher: RandomState::new() }
    }

    pub(super) fn len(&self) -> usize {
        self.entries.len()
    }

    /// Adds every packet of a batch of input `input`, whose records follow `records_before`.
    pub(super) fn add(&mut self, batch: &FlowBatch, input: u32, records_before: u64) {
        for row in 0..batch.len() {
            let (key, is_from_low) = Key::of(batch, row, input);
            let entry = self.entry(key, batch, row);
            let direction = usize::from(!is_from_low);
            let time_ns = batch.time_ns[row];
            let record = records_before + u64::from(batch.record[row]) + 1;
            entry.packets[direction] += 1;
            entry.bytes[direction] = entry.bytes[direction].saturating_add(batch.bytes_sent[row]);
            entry.first_time_ns[direction] = entry.first_time_ns[direction].min(time_ns);
            entry.last_time_ns = entry.last_time_ns.max(time_ns);
            entry.first = entry.first.min((time_ns, record));
            if batch.flags[row].contains(RowFlags::OPENS_CONNECTION) {
                entry.first_open_ns[direction] =
                    Some(entry.first_open_ns[direction].map_or(time_ns, |open| open.min(time_ns)));
            }
        }
    }

    fn entry(&mut self, key: Key, batch: &FlowBatch, row: usize) -> &mut Entry {
        let hash = self.hasher.hash_one(key);
        let entries = &mut self.entries;
        let hasher = &self.hasher;
        let slot = self.index.entry(
            hash,
            |&position| entries[position as usize].key == key,
            |&position| hasher.hash_one(entries[position as usize].key),
        );
        let position = match slot {
            hashbrown::hash_table::Entry::Occupied(occupied) => *occupied.get(),
            hashbrown::hash_table::Entry::Vacant(vacant) => {
                let position =
                    u32::try_from(entries.len()).expect("the memory bound is below 2^32 flows");
                vacant.insert(position);
                reserve_gently(entries);
                entries.push(Entry::new(key, batch.context(batch.context[row]).format));
                position
            }
        };
        &mut self.entries[position as usize]
    }
}

/// Takes the flows out of all tables and calls `each` for every one, by first time, then address,
/// port and protocol; with it come the shares of the inputs that it occurs in. The tables are empty
/// afterwards, with their memory.
pub(super) fn drain_sorted<'t>(
    tables: impl Iterator<Item = &'t mut PacketFlows>,
    mut each: impl FnMut(&PacketFlow, &[InputShare]),
) {
    let mut tables: Vec<&mut PacketFlows> = tables.collect();
    for table in &mut tables {
        table.index.clear();
    }
    let entry =
        |(table, position): (u16, u32)| &tables[usize::from(table)].entries[position as usize];
    let mut places: Vec<(u16, u32)> = (0u16..)
        .zip(&tables)
        .flat_map(|(table, flows)| (0u32..).take(flows.entries.len()).map(move |at| (table, at)))
        .collect();
    places.sort_unstable_by_key(|&place| entry(place).key);
    let mut groups: Vec<(i64, u32, u32)> = Vec::new();
    let mut start = 0;
    for group in places.chunk_by(|&a, &b| entry(a).key.is_same_flow(&entry(b).key)) {
        let first_ns = group.iter().map(|&place| entry(place).first.0).min().unwrap_or(i64::MAX);
        let end = start + group.len();
        groups.push((first_ns, index_u32(start), index_u32(end)));
        start = end;
    }
    // The places are sorted by key, so ties in time fall back to the key by position.
    groups.sort_unstable();
    let mut shares = Vec::new();
    for (_, start, end) in groups {
        let group = &places[start as usize..end as usize];
        let mut merged = *entry(group[0]);
        shares.clear();
        shares.push(merged.share());
        for &place in &group[1..] {
            merged.merge(entry(place));
            let share = entry(place).share();
            match shares.last_mut() {
                Some(last) if last.input == share.input => last.packets += share.packets,
                _ => shares.push(share),
            }
        }
        each(&merged.finished(), &shares);
    }
    for table in tables {
        table.entries.clear();
    }
}

/// The two ends in a fixed order, so that both directions are one key.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
struct Key {
    low: IpAddr,
    low_port: u16,
    high: IpAddr,
    high_port: u16,
    protocol: u8,
    has_ports: bool,
    /// Last, so that the entries of one flow are neighbours when sorted.
    input: u32,
}

#[derive(Clone, Copy)]
struct Entry {
    key: Key,
    format: SourceFormat,
    /// From low to high, from high to low; as are the other pairs.
    packets: [u64; 2],
    bytes: [u64; 2],
    first_time_ns: [i64; 2],
    first_open_ns: [Option<i64>; 2],
    last_time_ns: i64,
    /// Time and record number of the first packet.
    first: (i64, u64),
    /// The input of the first packet, once entries of several inputs are merged.
    first_input: u32,
}

impl Key {
    fn of(batch: &FlowBatch, row: usize, input: u32) -> (Self, bool) {
        let has_ports = batch.flags[row].contains(RowFlags::PORTS);
        let source = (batch.source[row], batch.source_port[row]);
        let destination = (batch.destination[row], batch.destination_port[row]);
        let is_from_low = source <= destination;
        let (low, high) = if is_from_low { (source, destination) } else { (destination, source) };
        let key = Self {
            low: low.0,
            low_port: low.1,
            high: high.0,
            high_port: high.1,
            protocol: batch.protocol[row],
            has_ports,
            input,
        };
        (key, is_from_low)
    }

    fn is_same_flow(&self, other: &Self) -> bool {
        Self { input: 0, ..*self } == Self { input: 0, ..*other }
    }
}

impl Entry {
    fn new(key: Key, format: SourceFormat) -> Self {
        Self {
            key,
            format,
            packets: [0; 2],
            bytes: [0; 2],
            first_time_ns: [i64::MAX; 2],
            first_open_ns: [None; 2],
            last_time_ns: i64::MIN,
            first: (i64::MAX, u64::MAX),
            first_input: key.input,
        }
    }

    fn share(&self) -> InputShare {
        InputShare { input: self.key.input, packets: self.packets[0] + self.packets[1] }
    }

    fn merge(&mut self, other: &Self) {
        for direction in 0..2 {
            self.packets[direction] += other.packets[direction];
            self.bytes[direction] = self.bytes[direction].saturating_add(other.bytes[direction]);
            self.first_time_ns[direction] =
                self.first_time_ns[direction].min(other.first_time_ns[direction]);
            self.first_open_ns[direction] =
                match (self.first_open_ns[direction], other.first_open_ns[direction]) {
                    (Some(a), Some(b)) => Some(a.min(b)),
                    (a, b) => a.or(b),
                };
        }
        self.last_time_ns = self.last_time_ns.max(other.last_time_ns);
        let first_of = |entry: &Self| (entry.first.0, entry.first_input, entry.first.1);
        if first_of(other) < first_of(self) {
            self.first = other.first;
            self.first_input = other.first_input;
            self.format = other.format;
        }
    }

    /// Source = sender of the earliest SYN without ACK if one was seen, else of the earliest
    /// packet; in a tie the lower end.
    fn finished(&self) -> PacketFlow {
        let is_low_first = match self.first_open_ns {
            [None, None] => self.first_time_ns[0] <= self.first_time_ns[1],
            [None, Some(_)] => false,
            [Some(_), None] => true,
            [Some(low), Some(high)] => low <= high,
        };
        let key = &self.key;
        let (sent, received) = if is_low_first { (0, 1) } else { (1, 0) };
        let low = (key.low, key.low_port);
        let high = (key.high, key.high_port);
        let (source, destination) = if is_low_first { (low, high) } else { (high, low) };
        PacketFlow {
            source: source.0,
            destination: destination.0,
            ports: key.has_ports.then_some((source.1, destination.1)),
            protocol: key.protocol,
            start_time_ns: self.first.0,
            end_time_ns: self.last_time_ns,
            counters: Counters {
                packets_sent: Some(self.packets[sent]),
                bytes_sent: Some(self.bytes[sent]),
                packets_received: Some(self.packets[received]),
                bytes_received: Some(self.bytes[received]),
            },
            format: self.format,
            input: self.first_input,
            record: self.first.1,
            shows_begin: self.first_open_ns != [None; 2],
        }
    }
}

/// Grows by a quarter: doubling would need three times the memory while it copies, and the bound
/// on it is the user's.
fn reserve_gently(entries: &mut Vec<Entry>) {
    if entries.len() == entries.capacity() {
        entries.reserve_exact((entries.len() / 4).max(1024));
    }
}

fn index_u32(index: usize) -> u32 {
    u32::try_from(index).expect("the memory bound is below 2^32 flows")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::traffic::{Context, ContextId, Row};

    struct Packet {
        time_ns: i64,
        from: (&'static str, u16),
        to: (&'static str, u16),
        is_open: bool,
    }

    fn packet(
        time_ns: i64,
        from: (&'static str, u16),
        to: (&'static str, u16),
        is_open: bool,
    ) -> Packet {
        Packet { time_ns, from, to, is_open }
    }

    fn batch(packets: &[Packet]) -> FlowBatch {
        let mut batch = FlowBatch::default();
        let context: ContextId = batch.push_context(Context {
            format: SourceFormat::Pcap,
            mac: None,
            acl_group: None,
            acl_rule: None,
            target_resource_id: None,
            flow_log_resource_id: None,
        });
        for (record, packet) in (0u32..).zip(packets) {
            batch.push(&Row {
                record,
                time_ns: packet.time_ns,
                source: packet.from.0.parse().unwrap(),
                destination: packet.to.0.parse().unwrap(),
                ports: Some((packet.from.1, packet.to.1)),
                protocol: 6,
                opens_connection: packet.is_open,
                counters: Counters::packet(100),
                direction: None,
                state: None,
                status: None,
                encryption: None,
                context,
            });
        }
        batch
    }

    fn flows(tables: &mut [PacketFlows]) -> Vec<(PacketFlow, Vec<InputShare>)> {
        let mut flows = Vec::new();
        drain_sorted(tables.iter_mut(), |flow, shares| flows.push((*flow, shares.to_vec())));
        flows
    }

    fn flows_of(packets: &[Packet]) -> Vec<PacketFlow> {
        let mut table = PacketFlows::new();
        table.add(&batch(packets), 0, 0);
        flows(&mut [table]).into_iter().map(|(flow, _)| flow).collect()
    }

    const CLIENT: (&str, u16) = ("10.0.0.9", 50_000);
    const SERVER: (&str, u16) = ("10.0.0.1", 443);

    #[test]
    fn the_initiator_sent_the_first_syn_even_if_recorded_late() {
        let found = flows_of(&[
            packet(5, SERVER, CLIENT, false),
            packet(7, CLIENT, SERVER, true),
            packet(6, SERVER, CLIENT, false),
        ]);
        assert_eq!(found.len(), 1);
        let flow = found[0];
        assert_eq!((flow.source.to_string(), flow.ports), ("10.0.0.9".into(), Some((50_000, 443))));
        assert_eq!((flow.start_time_ns, flow.end_time_ns, flow.record), (5, 7, 1));
        assert_eq!(flow.counters.packets_sent, Some(1));
        assert_eq!(flow.counters.bytes_received, Some(200));
    }

    #[test]
    fn without_a_syn_the_earliest_packet_decides_and_in_a_tie_the_lower_end() {
        let later_first = [packet(9, CLIENT, SERVER, false), packet(8, SERVER, CLIENT, false)];
        assert_eq!(flows_of(&later_first)[0].source.to_string(), "10.0.0.1");
        let tie = [packet(9, CLIENT, SERVER, false), packet(9, SERVER, CLIENT, false)];
        assert_eq!(flows_of(&tie)[0].source.to_string(), "10.0.0.1");
        let two_syns = [packet(3, SERVER, CLIENT, true), packet(2, CLIENT, SERVER, true)];
        assert_eq!(flows_of(&two_syns)[0].source.to_string(), "10.0.0.9");
    }

    #[test]
    fn any_split_over_threads_and_inputs_gives_the_same_flow_with_its_shares() {
        let packets = [
            packet(4, CLIENT, SERVER, true),
            packet(2, SERVER, CLIENT, false),
            packet(4, ("10.0.0.2", 1), SERVER, false),
        ];
        let whole = batch(&packets);
        let mut alone = PacketFlows::new();
        alone.add(&whole, 0, 0);
        let alone = flows(&mut [alone]);
        let (mut first, mut second) = (PacketFlows::new(), PacketFlows::new());
        second.add(&batch(&packets[..1]), 0, 0);
        first.add(&batch(&packets[1..]), 0, 1);
        assert_eq!(flows(&mut [first, second]), alone);

        let (mut first, mut second) = (PacketFlows::new(), PacketFlows::new());
        second.add(&batch(&packets[..1]), 0, 0);
        first.add(&batch(&packets[1..]), 1, 0);
        let split = flows(&mut [first, second]);
        let share = |input, packets| InputShare { input, packets };
        assert_eq!(split[0].1, [share(0, 1), share(1, 1)]);
        assert_eq!((split[0].0.input, split[0].0.record), (1, 1));
        assert_eq!(split[0].0.counters, alone[0].0.counters);
    }

    #[test]
    fn flows_come_by_time_then_key() {
        let found = flows_of(&[
            packet(2, ("10.0.0.3", 1), SERVER, false),
            packet(1, ("10.0.0.4", 1), SERVER, false),
            packet(2, ("10.0.0.2", 1), SERVER, false),
        ]);
        let sources: Vec<String> = found.iter().map(|flow| flow.source.to_string()).collect();
        assert_eq!(sources, ["10.0.0.4", "10.0.0.2", "10.0.0.3"]);
    }

    #[test]
    fn a_port_of_zero_is_not_a_missing_port() {
        let mut both = batch(&[packet(1, ("10.0.0.3", 0), ("10.0.0.4", 0), false)]);
        let row = Row { ports: None, ..both.row(0) };
        both.push(&row);
        let mut table = PacketFlows::new();
        table.add(&both, 0, 0);
        let ports: Vec<_> = flows(&mut [table]).iter().map(|(flow, _)| flow.ports).collect();
        assert_eq!(ports, [None, Some((0, 0))]);
    }
}
