//! Packet captures: classic pcap and pcapng.
//!
//! A reader walks over the container and cuts it into chunks of whole packets; a decoder finds the
//! flow in each packet. Reading is in order and touches record headers only; decoding one chunk
//! knows nothing of the others.
//!
//! ```text
//! bytes ─▶ stream ─▶ pcap | pcapng ─▶ chunk ─┬──────▶ fixed ──────┬─▶ packet
//!                                            └▶ frame ─▶ ip ──────┘
//!                                                 ▲       │
//!                                                 └ tunnel┘
//! ```
//!
//! The `pcap-file` crate is not the reader: its released version refuses packets longer on the wire
//! than the snaplen, which most captures with a snaplen hold, and then repeats that error for ever.
//! It is an oracle of the tests.

mod fixed;
mod frame;
mod ip;
mod pcap;
mod pcapng;
mod reader;
mod record;
mod stream;
#[cfg(test)]
mod tests;
mod tunnel;

use std::net::IpAddr;

use self::frame::Left;
pub(super) use self::reader::CaptureReader;
use self::record::{Count, PlacedFault, Records};
use self::stream::Window;
use self::tunnel::TunnelSet;
pub use self::tunnel::{Tunnel, TunnelParseError};
use super::{Context, ContextId, Counters, Damage, FlowBatch, Row, SourceFormat, Tally};

/// A packet of a capture, as far as its flow is concerned.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct CapturedPacket {
    /// Position of the record in its chunk, 0-based.
    pub record: u32,
    /// When it was captured, nanoseconds since 1970.
    pub time_ns: i64,
    /// Source address.
    pub source: IpAddr,
    /// Destination address.
    pub destination: IpAddr,
    /// Source and destination port.
    pub ports: Option<(u16, u16)>,
    /// IANA protocol number.
    pub protocol: u8,
    /// A TCP segment with SYN and without ACK.
    pub opens_connection: bool,
    /// 14 + the length of the IP packet on the wire.
    pub bytes: u64,
}

/// Takes the packets of a chunk, in the order of the capture.
pub trait PacketSink {
    /// Takes the next packet that gives a flow.
    fn take(&mut self, packet: &CapturedPacket);
}

/// Whole packets of one capture, and what could not be read as one.
#[derive(Debug)]
pub(super) struct CaptureChunk {
    format: SourceFormat,
    window: Window,
    records: Records,
}

/// Turns packets into rows.
#[derive(Debug)]
pub(super) struct Decoder {
    tunnels: TunnelSet,
}

impl Decoder {
    pub(super) fn new(decapsulate: &[Tunnel]) -> Self {
        Self { tunnels: TunnelSet::new(decapsulate) }
    }

    /// Appends one row for each packet that gives a flow, and counts every record.
    ///
    /// Cost: linear in what was captured, at worst; a packet is read as far as its ports. Allocates
    /// nothing once `batch` is warm, but for the details of the first damage.
    pub(super) fn decode(
        &mut self,
        chunk: &CaptureChunk,
        batch: &mut FlowBatch,
        tally: &mut Tally,
    ) {
        let context = batch.push_context(Context {
            format: chunk.format,
            mac: None,
            acl_group: None,
            acl_rule: None,
            target_resource_id: None,
            flow_log_resource_id: None,
        });
        self.visit(chunk, &mut Rows { batch, context }, tally);
    }

    /// Shows each packet that gives a flow to `sink`, and counts every record.
    ///
    /// Cost: as [`decode`](Self::decode), without the rows.
    pub(super) fn visit(
        &self,
        chunk: &CaptureChunk,
        sink: &mut impl PacketSink,
        tally: &mut Tally,
    ) {
        let Records { packets, faults } = &chunk.records;
        let mut books = Books { tally, record: 0 };
        let mut done = 0;
        for fault in faults {
            self.visit_packets(
                &chunk.window,
                &packets[done..fault.packets_before],
                sink,
                &mut books,
            );
            books.count_fault(fault);
            done = fault.packets_before;
        }
        self.visit_packets(&chunk.window, &packets[done..], sink, &mut books);
    }

    fn visit_packets(
        &self,
        window: &Window,
        packets: &[record::Packet],
        sink: &mut impl PacketSink,
        books: &mut Books<'_>,
    ) {
        for packet in packets {
            let start = packet.start as usize;
            let bytes = &window.bytes()[start..start + packet.capture_length as usize];
            let flow = match fixed::decode(packet.link_type, bytes, &self.tunnels) {
                Some(flow) => Ok(flow),
                None => {
                    frame::decode(packet.link_type, bytes, packet.original_length, &self.tunnels)
                }
            };
            match flow {
                Ok(flow) => {
                    sink.take(&CapturedPacket {
                        record: books.record,
                        time_ns: packet.time_ns,
                        source: flow.source,
                        destination: flow.destination,
                        ports: flow.ports,
                        protocol: flow.protocol,
                        opens_connection: flow.opens_connection,
                        bytes: flow.bytes,
                    });
                    books.count_record();
                }
                Err(left) => {
                    let header_length = u64::from(packet.header_length);
                    books.count_left(left, window.offset() + start as u64 - header_length);
                }
            }
        }
    }
}

impl CaptureChunk {
    /// Returns how many records the chunk holds: packets, and what could not be read as one.
    pub(super) fn record_count(&self) -> u64 {
        (self.records.packets.len() + self.records.faults.len()) as u64
    }
}

impl Default for CaptureChunk {
    fn default() -> Self {
        Self { format: SourceFormat::Pcap, window: Window::default(), records: Records::default() }
    }
}

/// Packets as rows of a batch.
struct Rows<'a> {
    batch: &'a mut FlowBatch,
    context: ContextId,
}

impl PacketSink for Rows<'_> {
    #[inline]
    fn take(&mut self, packet: &CapturedPacket) {
        self.batch.push(&Row {
            record: packet.record,
            time_ns: packet.time_ns,
            source: packet.source,
            destination: packet.destination,
            ports: packet.ports,
            protocol: packet.protocol,
            opens_connection: packet.opens_connection,
            counters: Counters::packet(packet.bytes),
            direction: None,
            state: None,
            status: None,
            encryption: None,
            context: self.context,
        });
    }
}

/// What became of the records of one chunk.
struct Books<'a> {
    tally: &'a mut Tally,
    /// The records so far.
    record: u32,
}

impl Books<'_> {
    #[cold]
    fn count_left(&mut self, left: Left, byte_offset: u64) {
        let number = self.count_record();
        match left {
            Left::NotApplicable(reason) => self.tally.count_not_applicable(reason, 1),
            Left::Damaged(damage, detail) => {
                self.tally.count_damage(damage, number, byte_offset, || match damage {
                    Damage::Truncated => format!("the packet was cut in {detail}"),
                    _ => detail.to_owned(),
                });
            }
        }
    }

    #[cold]
    fn count_fault(&mut self, placed: &PlacedFault) {
        let number = self.count_record();
        match placed.fault.count() {
            Count::NotApplicable(reason) => self.tally.count_not_applicable(reason, 1),
            Count::Damaged(damage) => {
                self.tally
                    .count_damage(damage, number, placed.byte_offset, || placed.fault.to_string());
            }
        }
    }

    /// Returns the number of the record that ends here, 1-based.
    #[inline]
    fn count_record(&mut self) -> u64 {
        self.record += 1;
        self.tally.records_read += 1;
        u64::from(self.record)
    }
}
