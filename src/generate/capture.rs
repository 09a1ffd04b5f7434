//! Generated captures.

use std::borrow::Cow;
use std::io::{self, Write};
use std::time::Duration;

use pcap_file::pcap::{PcapHeader, PcapPacket, PcapWriter};
use pcap_file::pcapng::blocks::enhanced_packet::EnhancedPacketBlock;
use pcap_file::pcapng::blocks::interface_description::{
    InterfaceDescriptionBlock, InterfaceDescriptionOption,
};
use pcap_file::pcapng::{Block, PcapNgWriter};
use pcap_file::{DataLink, Endianness, PcapError};

use super::conversation::{Conversation, Conversations};
use super::expected::Counting;
use super::frame::{ACK, Body, Frame, SYN, SYN_ACK, build_arp};
use super::packet_flows::{PacketFlows, Seen};
use super::{Expected, NaiveRouter, Random, Snapshot, Zipf};
use crate::net::protocol;

/// What a capture is like.
///
/// Flows are bidirectional and their sizes follow Zipf's law. Most TCP flows begin with a
/// handshake; some were running already, and some show their SYN late. A share has VLAN tags, IP
/// options or extension headers; some UDP is fragmented; now and then there is ARP.
///
/// # Examples
///
/// ```
/// use nexthop::generate::{CaptureShape, NaiveRouter, SnapshotShape};
///
/// let snapshot = SnapshotShape { nics: 2, routes_per_table: 60 }.generate(1);
/// let shape = CaptureShape { packets: 2000, ..CaptureShape::default() };
/// let mut router = NaiveRouter::new(&snapshot);
/// let mut capture = Vec::new();
/// let expected = shape.write(1, &snapshot, &mut router, &mut capture, None)?;
/// assert!(capture.starts_with(&0xA1B2_C3D4_u32.to_le_bytes()));
/// let mut json = Vec::new();
/// expected.write(&mut json)?;
/// assert!(String::from_utf8(json)?.starts_with("{\n  \"records_read\": 2000,"));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct CaptureShape {
    /// Packets, with those that are no IP.
    pub packets: u64,
    /// Flows to draw packets from. Rare ones may get none; what has no ports makes flows of its
    /// own.
    pub flows: u32,
    /// How long packets are.
    pub packet_size: PacketSize,
    /// How many of a hundred flows are IPv6.
    pub ipv6_percent: u8,
    /// The file format.
    pub container: CaptureContainer,
}

/// How long the packets of a capture are, as frames without VLAN tags.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum PacketSize {
    /// 64 bytes, or as long as the headers are.
    #[default]
    Bytes64,
    /// 64, 594 and 1518 bytes as 7 to 4 to 1: the simple Internet mix.
    Imix,
}

/// The file format of a capture.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum CaptureContainer {
    /// Classic pcap, microseconds, little-endian.
    #[default]
    Pcap,
    /// pcapng with one interface, nanoseconds, little-endian.
    Pcapng,
}

impl Default for CaptureShape {
    /// A thousand packets of 64 bytes in fifty flows, one in twenty IPv6, as pcap.
    fn default() -> Self {
        Self {
            packets: 1000,
            flows: 50,
            packet_size: PacketSize::default(),
            ipv6_percent: 5,
            container: CaptureContainer::default(),
        }
    }
}

impl CaptureShape {
    /// Writes a capture, packet by packet, and returns what must be found in it; `rows` takes the
    /// expected rows.
    ///
    /// Cost: well under 1 µs a packet; the memory of the flows, not of the packets.
    ///
    /// # Errors
    ///
    /// When `out` or `rows` cannot be written.
    ///
    /// # Panics
    ///
    /// When `flows` is 0.
    pub fn write(
        &self,
        seed: u64,
        snapshot: &Snapshot,
        router: &mut NaiveRouter,
        out: impl Write,
        rows: Option<&mut dyn Write>,
    ) -> io::Result<Expected> {
        let random = &mut Random::new(seed, "capture");
        let mut flows = self.draw_flows(random, snapshot);
        let popularity = Zipf::new(flows.len());
        let mut writer = Writer::new(self.container, out)?;
        let mut truth = PacketFlows::default();
        let mut counting = Counting::new(router);
        let mut time_ns = START_NS;
        let mut second_half = None;
        let mut bytes = Vec::new();
        for record in 1..=self.packets {
            // Times differ, so that who came first is never a tie.
            time_ns += 1000 * (1 + random.below(20));
            if second_half.is_none() && random.one_in(1000) {
                build_arp(&mut bytes);
                counting.add_not_ip();
            } else {
                let (frame, rest) = match second_half.take() {
                    Some(frame) => (frame, None),
                    None => {
                        let flow = &mut flows[popularity.draw(random)];
                        flow.next(random, self.packet_size)
                    }
                };
                let ip_length = frame.build(&mut bytes);
                second_half = rest;
                truth.add(&Seen {
                    time_ns,
                    source: frame.source,
                    destination: frame.destination,
                    ports: frame.body.ports(),
                    protocol: frame.protocol,
                    opens_connection: matches!(frame.body, Body::Tcp { flags: SYN, .. }),
                    bytes: LINK_BYTES + ip_length as u64,
                    record,
                });
            }
            writer.write(time_ns, &bytes)?;
        }
        writer.finish()?;
        truth.finish(router, counting, rows)
    }

    /// Flows may repeat a 5-tuple: they are one, then, in the truth as well.
    fn draw_flows(&self, random: &mut Random, snapshot: &Snapshot) -> Vec<Flow> {
        let conversations = Conversations::new(snapshot, self.ipv6_percent);
        (0..self.flows).map(|_| Flow::draw(random, &conversations)).collect()
    }
}

/// 2025-01-20T00:00:00Z.
const START_NS: u64 = 1_737_331_200_000_000_000;

/// The Ethernet header that every packet is taken to have, whatever its tags.
const LINK_BYTES: u64 = 14;

/// A flow on its way.
#[derive(Debug)]
struct Flow {
    conversation: Conversation,
    opening: Opening,
    sent: u32,
    vlan_tags: u8,
    has_options: bool,
    is_fragmented: bool,
}

/// How a TCP flow begins.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Opening {
    Handshake,
    /// The capture began later than the flow.
    Running,
    /// The SYN was recorded after other packets.
    Late,
}

impl Flow {
    fn draw(random: &mut Random, conversations: &Conversations<'_>) -> Self {
        let mut conversation = conversations.draw(random);
        if random.one_in(50) {
            let is_ipv4 = conversation.source.0.is_ipv4();
            conversation.protocol = if is_ipv4 { protocol::ICMP } else { protocol::ICMPV6 };
        }
        Self {
            opening: match random.below(16) {
                0 => Opening::Late,
                1 | 2 => Opening::Running,
                _ => Opening::Handshake,
            },
            sent: 0,
            vlan_tags: match random.below(50) {
                0 => 2,
                1..7 => 1,
                _ => 0,
            },
            has_options: random.one_in(64),
            is_fragmented: conversation.protocol == protocol::UDP && random.one_in(16),
            conversation,
        }
    }

    /// The next packet of the flow, and the second half of it if it is fragmented.
    fn next(&mut self, random: &mut Random, size: PacketSize) -> (Frame, Option<Frame>) {
        let length = match size {
            PacketSize::Bytes64 => 64,
            PacketSize::Imix => match random.below(12) {
                0..7 => 64,
                7..11 => 594,
                _ => 1518,
            },
        };
        let number = self.sent;
        self.sent = self.sent.saturating_add(1);
        let (is_from_source, flags) = match (self.opening, number) {
            (Opening::Handshake, 0) | (Opening::Late, 4) => (true, SYN),
            (Opening::Handshake, 1) | (Opening::Late, 5) => (false, SYN_ACK),
            (Opening::Handshake, 2) => (true, ACK),
            _ => (random.one_in(2), ACK),
        };
        let Conversation { source, destination, protocol, .. } = self.conversation;
        let (from, to) = if is_from_source { (source, destination) } else { (destination, source) };
        let ports = (from.1, to.1);
        let id = (number as u16).wrapping_add(from.1);
        let body = match protocol {
            protocol::TCP => Body::Tcp { ports, flags },
            protocol::UDP if self.is_fragmented => Body::FirstFragment { ports, id },
            protocol::UDP => Body::Udp { ports },
            _ => Body::Icmp { is_reply: !is_from_source },
        };
        let frame = Frame {
            vlan_tags: self.vlan_tags,
            source: from.0,
            destination: to.0,
            protocol,
            body,
            has_options: self.has_options,
            length,
        };
        let offset_bytes = frame.payload_bytes();
        let rest = self.is_fragmented.then_some(Frame {
            body: Body::LastFragment { id, offset_bytes },
            length: 0,
            ..frame
        });
        (frame, rest)
    }
}

/// Packets on their way into a file.
enum Writer<W: Write> {
    Pcap(PcapWriter<W>),
    Pcapng(PcapNgWriter<W>),
}

impl<W: Write> Writer<W> {
    fn new(container: CaptureContainer, out: W) -> io::Result<Self> {
        // Not the byte order of this machine: a seed gives the same bytes everywhere.
        let endianness = Endianness::Little;
        Ok(match container {
            CaptureContainer::Pcap => {
                let header = PcapHeader { endianness, ..PcapHeader::default() };
                Self::Pcap(PcapWriter::with_header(out, header).map_err(io_error)?)
            }
            CaptureContainer::Pcapng => {
                let mut writer =
                    PcapNgWriter::with_endianness(out, endianness).map_err(io_error)?;
                let interface = InterfaceDescriptionBlock {
                    linktype: DataLink::ETHERNET,
                    snaplen: 0,
                    // The writer counts in nanoseconds whatever stands here, so it must say so.
                    options: vec![InterfaceDescriptionOption::IfTsResol(9)],
                };
                writer.write_block(&Block::InterfaceDescription(interface)).map_err(io_error)?;
                Self::Pcapng(writer)
            }
        })
    }

    fn write(&mut self, time_ns: u64, bytes: &[u8]) -> io::Result<()> {
        let timestamp = Duration::from_nanos(time_ns);
        let original_len = bytes.len() as u32;
        let written = match self {
            Self::Pcap(writer) => {
                writer.write_packet(&PcapPacket::new(timestamp, original_len, bytes))
            }
            Self::Pcapng(writer) => {
                writer.write_block(&Block::EnhancedPacket(EnhancedPacketBlock {
                    interface_id: 0,
                    timestamp,
                    original_len,
                    data: Cow::Borrowed(bytes),
                    options: Vec::new(),
                }))
            }
        };
        written.map(drop).map_err(io_error)
    }

    fn finish(self) -> io::Result<()> {
        match self {
            Self::Pcap(writer) => writer.into_writer().flush(),
            Self::Pcapng(writer) => writer.into_inner().flush(),
        }
    }
}

fn io_error(error: PcapError) -> io::Error {
    match error {
        PcapError::IoError(error) => error,
        other => io::Error::other(other),
    }
}
