//! Packet captures: classic pcap and pcapng.
//!
//! A reader walks over the container and cuts it into chunks of whole packets; a decoder finds the
//! flow in each packet. Reading is in order and touches record headers only; decoding one chunk
//! knows nothing of the others.
//!
//! ```text
//! bytes ─▶ stream ─▶ pcap | pcapng ─▶ chunk ─▶ frame ─▶ ip ─▶ row
//!                                                ▲        │
//!                                                └ tunnel ┘
//! ```
//!
//! The `pcap-file` crate is not the reader: its released version refuses packets longer on the wire
//! than the snaplen, which most captures with a snaplen hold, and then repeats that error for ever.
//! It is an oracle of the tests.

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

use self::frame::{Flow, Left};
pub(super) use self::reader::CaptureReader;
use self::record::{Count, Packet, PlacedFault, Records};
use self::stream::Window;
use self::tunnel::TunnelSet;
pub use self::tunnel::{Tunnel, TunnelParseError};
use super::{Context, ContextId, Counters, Damage, FlowBatch, Row, SourceFormat, Tally};

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
        let Records { packets, faults } = &chunk.records;
        let mut sink = Sink { batch, tally, context, record: 0 };
        let mut done = 0;
        for fault in faults {
            self.decode_packets(&chunk.window, &packets[done..fault.packets_before], &mut sink);
            sink.count_fault(fault);
            done = fault.packets_before;
        }
        self.decode_packets(&chunk.window, &packets[done..], &mut sink);
    }

    fn decode_packets(&self, window: &Window, packets: &[Packet], sink: &mut Sink<'_>) {
        for packet in packets {
            let start = packet.start as usize;
            let bytes = &window.bytes()[start..start + packet.capture_length as usize];
            match frame::decode(packet.link_type, bytes, packet.original_length, &self.tunnels) {
                Ok(flow) => sink.push_flow(packet.time_ns, &flow),
                Err(left) => {
                    let header_length = u64::from(packet.header_length);
                    sink.count_left(left, window.offset() + start as u64 - header_length);
                }
            }
        }
    }
}

impl Default for CaptureChunk {
    fn default() -> Self {
        Self { format: SourceFormat::Pcap, window: Window::default(), records: Records::default() }
    }
}

/// Where the records of one chunk go.
struct Sink<'a> {
    batch: &'a mut FlowBatch,
    tally: &'a mut Tally,
    context: ContextId,
    /// The records so far.
    record: u32,
}

impl Sink<'_> {
    #[inline]
    fn push_flow(&mut self, time_ns: i64, flow: &Flow) {
        self.batch.push(&Row {
            record: self.record,
            time_ns,
            source: flow.source,
            destination: flow.destination,
            ports: flow.ports,
            protocol: flow.protocol,
            opens_connection: flow.opens_connection,
            counters: Counters::packet(flow.bytes),
            direction: None,
            state: None,
            status: None,
            encryption: None,
            context: self.context,
        });
        self.count_record();
    }

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
    fn count_record(&mut self) -> u64 {
        self.record += 1;
        self.tally.records_read += 1;
        u64::from(self.record)
    }
}
