//! The flows of captures: one for each 5-tuple, both directions together.
//!
//! Every field of a flow is a sum, a minimum or a maximum, so that it does not matter in which order,
//! or on which thread, its packets come. A flow has one entry for each input it occurs in, because
//! the books of each input are kept apart; [`gathered`] brings entries together again.
//!
//! Where there are several threads each has a table of its own, for a share of all flows: packets are
//! sorted by the table that counts them, on all threads, and then counted, on all threads ([`sorted`]).

mod entry;
mod gathered;
mod key;
mod sorted;
mod table;
#[cfg(test)]
mod tests;

use std::net::IpAddr;

use self::entry::{Arrival, Part};
pub(super) use self::gathered::GatheredFlows;
pub(super) use self::key::Seeds;
use self::key::{End, Key};
pub(super) use self::sorted::SortedPackets;
use self::table::FlowTable;
use crate::traffic::Counters;
use crate::traffic::capture::{CapturedPacket, PacketSink};

/// Flows gathered by one thread: all of them, or its share.
pub(super) struct PacketFlows {
    v4: FlowTable<1>,
    v6: FlowTable<4>,
    seeds: Seeds,
    /// The records of the input before the chunk that is taken.
    records_before: u64,
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
    /// Returns an empty table; those of one run share their seeds.
    pub(super) fn new(seeds: Seeds) -> Self {
        Self { v4: FlowTable::new(), v6: FlowTable::new(), seeds, records_before: 0 }
    }

    /// Takes the packets of a chunk of input `input`, whose records follow `records_before`, as
    /// `visit` shows them.
    pub(super) fn take_chunk(
        &mut self,
        input: u32,
        records_before: u64,
        visit: impl FnOnce(&mut Self),
    ) {
        self.v4.begin_input(input);
        self.v6.begin_input(input);
        self.records_before = records_before;
        visit(self);
        self.v4.count_waiting();
        self.v6.count_waiting();
    }

    /// Takes the packets of input `input` that several threads sorted, those that are the share of
    /// table `table`.
    pub(super) fn take_sorted(&mut self, input: u32, table: usize, sorted: &[SortedPackets]) {
        self.v4.begin_input(input);
        self.v6.begin_input(input);
        for packets in sorted {
            self.v4.count_all(packets.v4(table));
            self.v6.count_all(packets.v6(table));
        }
    }

    /// Returns the number of entries, at least as many as there are flows.
    pub(super) fn len(&self) -> usize {
        self.v4.len() + self.v6.len()
    }

    /// Returns what the flows take, with what is needed to give them out.
    pub(super) fn memory_bytes(&self) -> usize {
        self.v4.memory_bytes()
            + self.v6.memory_bytes()
            + self.len() * GatheredFlows::BYTES_PER_ENTRY
    }

    /// Forgets every flow and keeps the memory.
    pub(super) fn clear(&mut self) {
        self.v4.clear();
        self.v6.clear();
    }
}

impl PacketSink for PacketFlows {
    #[inline(always)]
    fn take(&mut self, packet: &CapturedPacket) {
        match Keyed::of(packet, self.records_before) {
            Keyed::V4(key, arrival) => self.v4.add(key, arrival, &self.seeds),
            Keyed::V6(key, arrival) => self.v6.add(key, arrival, &self.seeds),
        }
    }
}

/// A packet with the key of its flow.
enum Keyed {
    V4(Key<1>, Arrival),
    V6(Key<4>, Arrival),
}

impl Keyed {
    #[inline(always)]
    fn of(packet: &CapturedPacket, records_before: u64) -> Self {
        let has_ports = packet.ports.is_some();
        let (source_port, destination_port) = packet.ports.unwrap_or_default();
        let arrival = |is_from_low| Arrival {
            time_ns: packet.time_ns,
            record: records_before + u64::from(packet.record) + 1,
            bytes: packet.bytes,
            is_from_low,
            opens_connection: packet.opens_connection,
        };
        match (packet.source, packet.destination) {
            (IpAddr::V4(source), IpAddr::V4(destination)) => {
                let source = End { address: source, port: source_port };
                let destination = End { address: destination, port: destination_port };
                let (key, is_from_low) = Key::v4(source, destination, packet.protocol, has_ports);
                Self::V4(key, arrival(is_from_low))
            }
            (IpAddr::V6(source), IpAddr::V6(destination)) => {
                let source = End { address: source, port: source_port };
                let destination = End { address: destination, port: destination_port };
                let (key, is_from_low) = Key::v6(source, destination, packet.protocol, has_ports);
                Self::V6(key, arrival(is_from_low))
            }
            _ => unreachable!("both addresses stand in one header"),
        }
    }
}

impl PacketFlow {
    fn of<const WORDS: usize>(key: &Key<WORDS>, part: &Part) -> Self
    where
        Key<WORDS>: key::Ends,
    {
        let (low, high) = key::Ends::addresses(key);
        let is_low_first = part.is_low_initiator();
        let (sent, received) = if is_low_first { (0, 1) } else { (1, 0) };
        let (source, destination) = if is_low_first { (low, high) } else { (high, low) };
        let ports =
            key.ports().map(|(low, high)| if is_low_first { (low, high) } else { (high, low) });
        Self {
            source,
            destination,
            ports,
            protocol: key.protocol(),
            start_time_ns: part.first_ns,
            end_time_ns: part.last_ns,
            counters: Counters {
                packets_sent: Some(part.packets[sent]),
                bytes_sent: Some(part.bytes[sent]),
                packets_received: Some(part.packets[received]),
                bytes_received: Some(part.bytes[received]),
            },
            input: part.input,
            record: part.record,
            shows_begin: part.open_ns.is_some(),
        }
    }
}
