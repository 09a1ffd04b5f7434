//! Frames: from the link layer down to the IP packet that counts.
//!
//! Bytes of one packet come in; a [`Flow`] goes out, or the reason why there is none. A frame is
//! unwrapped in turns: the link layer down to an IP header, the IP header, and, if what follows is
//! a tunnel to enter, the same again inside it.
//!
//! The walk is our own. `etherparse::LaxSlicedPacket` gives up on IPv4 options that were cut,
//! stops at three VLAN tags, walks on into the data of later fragments, and knows neither MPLS, nor
//! the inside of a tunnel, nor most link types; what it does well is used in [`super::ip`], and its
//! strict twin is the oracle of the tests.

use std::net::IpAddr;

use super::ip::{self, IpPacket};
use super::tunnel::TunnelSet;
use crate::net::protocol::{TCP, UDP};
use crate::traffic::{Damage, NotApplicable};

/// What one packet says about its flow.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Flow {
    pub(super) source: IpAddr,
    pub(super) destination: IpAddr,
    pub(super) ports: Option<(u16, u16)>,
    pub(super) protocol: u8,
    pub(super) opens_connection: bool,
    /// 14 + the length of the IP packet.
    pub(super) bytes: u64,
}

/// Why a packet gives no flow.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Left {
    NotApplicable(NotApplicable),
    /// The reason, and what exactly was wrong.
    Damaged(Damage, &'static str),
}

/// The rest of a packet.
#[derive(Clone, Copy, Debug)]
pub(super) struct Cursor<'a> {
    /// What was captured of it.
    pub(super) bytes: &'a [u8],
    /// How long it was on the wire; at least as long as `bytes`.
    pub(super) wire_length: u64,
}

/// What comes next in a packet.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Layer {
    Ethernet,
    /// What an EtherType names, which stood just before.
    EtherType(u16),
    /// A PPP protocol number and what it names.
    Ppp,
    /// A label stack.
    Mpls,
    Ipv4,
    Ipv6,
    /// IP of the version that its first four bits tell.
    Ip,
}

/// VLAN tags and tunnels around the innermost packet, together.
pub(super) const NESTING_MAX: u32 = 8;

/// Finds the packet that counts in a frame.
///
/// Whatever was captured of a frame, the addresses are the same or the frame is `truncated`: a
/// verdict that needs bytes is never given without them.
///
/// # Errors
///
/// [`Left`] when the frame carries no IP packet or cannot be read as far as its addresses.
pub(super) fn decode(
    link_type: u16,
    bytes: &[u8],
    original_length: u32,
    tunnels: &TunnelSet,
) -> Result<Flow, Left> {
    // Some writers give an original length below what they captured.
    let wire_length = u64::from(original_length).max(bytes.len() as u64);
    let mut cursor = Cursor { bytes, wire_length };
    let mut layer = open_link(link_type, &mut cursor)?;
    let mut nesting = Nesting(0);
    loop {
        let packet = match find_ip(layer, &mut cursor, tunnels, &mut nesting)? {
            IpVersion::V4 => ip::parse_v4(cursor)?,
            IpVersion::V6 => ip::parse_v6(cursor)?,
        };
        match tunnels.enter(&packet)? {
            None => return Ok(Flow::of(&packet)),
            Some(inside) => {
                nesting.deeper()?;
                (layer, cursor) = inside;
            }
        }
    }
}

impl<'a> Cursor<'a> {
    /// Returns the first `N` bytes.
    ///
    /// # Errors
    ///
    /// `truncated` when they were not captured; `place` says in what.
    #[inline]
    pub(super) fn head<const N: usize>(&self, place: &'static str) -> Result<&'a [u8; N], Left> {
        self.bytes.first_chunk().ok_or(Left::Damaged(Damage::Truncated, place))
    }

    /// Goes on behind `length` bytes, captured or not.
    #[inline]
    pub(super) fn advance(&mut self, length: usize) {
        self.bytes = self.bytes.get(length..).unwrap_or_default();
        self.wire_length = self.wire_length.saturating_sub(length as u64);
    }

    /// Ends the packet where a header says that it ends: what follows is padding, or a checksum.
    #[inline]
    pub(super) fn end_at(&mut self, length: u64) {
        let captured =
            usize::try_from(length).map_or(self.bytes.len(), |n| n.min(self.bytes.len()));
        self.bytes = &self.bytes[..captured];
        self.wire_length = length;
    }
}

impl Layer {
    /// The layer that the protocol type of GRE or Geneve names: an EtherType, with Ethernet itself
    /// among them.
    pub(super) fn of_tunnel_payload(protocol_type: u16) -> Self {
        match protocol_type {
            ETHER_TYPE_ETHERNET => Self::Ethernet,
            ETHER_TYPE_PPP => Self::Ppp,
            // Below this an EtherType is a length, and a tunnel has none to give.
            0..=LLC_LENGTH_MAX => Self::EtherType(ETHER_TYPE_UNKNOWN),
            other => Self::EtherType(other),
        }
    }
}

impl Flow {
    /// The Ethernet header that every packet is taken to have.
    pub(super) const LINK_BYTES: u64 = 14;

    fn of(packet: &IpPacket<'_>) -> Self {
        let payload = if packet.is_later_fragment { &[] } else { packet.payload.bytes };
        Self {
            source: packet.source,
            destination: packet.destination,
            ports: ports(packet.protocol, payload),
            protocol: packet.protocol,
            opens_connection: packet.protocol == TCP && opens_connection(payload),
            bytes: Self::LINK_BYTES + packet.length,
        }
    }
}

enum IpVersion {
    V4,
    V6,
}

struct Nesting(u32);

impl Nesting {
    fn deeper(&mut self) -> Result<(), Left> {
        self.0 += 1;
        if self.0 > NESTING_MAX {
            return Err(Left::Damaged(Damage::NestingTooDeep, "more than 8 VLAN tags and tunnels"));
        }
        Ok(())
    }
}

const NOT_IP: Left = Left::NotApplicable(NotApplicable::NotIp);

/// Passes the header that stands only at the start of a frame.
///
/// Source: "Link-layer header types", tcpdump.org (read 2026-11-20).
#[inline]
fn open_link(link_type: u16, cursor: &mut Cursor<'_>) -> Result<Layer, Left> {
    match link_type {
        1 => Ok(Layer::Ethernet),
        0 | 108 => open_loopback(cursor),
        113 => open_cooked(cursor),
        276 => open_cooked_v2(cursor),
        12 | 14 | 101 => Ok(Layer::Ip),
        228 => Ok(Layer::Ipv4),
        229 => Ok(Layer::Ipv6),
        9 => Ok(Layer::Ppp),
        _ => Err(Left::NotApplicable(NotApplicable::UnsupportedLinkType)),
    }
}

/// BSD loopback: the address family in the byte order of a machine that nothing names (NULL) or in
/// network order (LOOP). Families are small numbers, so that only one order makes sense.
fn open_loopback(cursor: &mut Cursor<'_>) -> Result<Layer, Left> {
    let family = u32::from_be_bytes(*cursor.head("the loopback header")?);
    cursor.advance(4);
    match family.min(family.swap_bytes()) {
        2 => Ok(Layer::Ipv4),
        // Linux; NetBSD and OpenBSD; FreeBSD; macOS.
        10 | 24 | 28 | 30 => Ok(Layer::Ipv6),
        _ => Err(NOT_IP),
    }
}

fn open_cooked(cursor: &mut Cursor<'_>) -> Result<Layer, Left> {
    let head: &[u8; 16] = cursor.head("the Linux cooked header")?;
    cursor.advance(16);
    Ok(layer_of_cooked(u16::from_be_bytes([head[14], head[15]])))
}

fn open_cooked_v2(cursor: &mut Cursor<'_>) -> Result<Layer, Left> {
    let head: &[u8; 20] = cursor.head("the Linux cooked header")?;
    cursor.advance(20);
    Ok(layer_of_cooked(u16::from_be_bytes([head[0], head[1]])))
}

/// Linux numbers what has no EtherType from 1 on; only 4 is an LLC header.
fn layer_of_cooked(protocol: u16) -> Layer {
    match protocol {
        4 => Layer::EtherType(protocol),
        0..=LLC_LENGTH_MAX => Layer::EtherType(ETHER_TYPE_UNKNOWN),
        _ => Layer::EtherType(protocol),
    }
}

/// Passes headers until an IP header stands at the start of `cursor`.
#[inline]
fn find_ip(
    mut layer: Layer,
    cursor: &mut Cursor<'_>,
    tunnels: &TunnelSet,
    nesting: &mut Nesting,
) -> Result<IpVersion, Left> {
    loop {
        layer = match layer {
            Layer::Ipv4 => return Ok(IpVersion::V4),
            Layer::Ipv6 => return Ok(IpVersion::V6),
            Layer::Ip => return ip_version(cursor),
            Layer::Ethernet => pass_ethernet(cursor)?,
            Layer::EtherType(ETHER_TYPE_IPV4) => Layer::Ipv4,
            Layer::EtherType(ETHER_TYPE_IPV6) => Layer::Ipv6,
            Layer::EtherType(0x8100 | 0x88A8 | 0x9100 | 0x9200) => {
                nesting.deeper()?;
                pass_vlan_tag(cursor)?
            }
            Layer::EtherType(ETHER_TYPE_PPPOE_SESSION) => pass_pppoe(cursor)?,
            Layer::EtherType(0x8847 | 0x8848) if tunnels.has_mpls() => {
                nesting.deeper()?;
                Layer::Mpls
            }
            Layer::EtherType(0..=LLC_LENGTH_MAX) => pass_llc(cursor)?,
            Layer::EtherType(_) => return Err(NOT_IP),
            Layer::Ppp => pass_ppp(cursor)?,
            Layer::Mpls => return pass_labels(cursor),
        };
    }
}

/// Source: IEEE 802, EtherType numbers by IANA (read 2026-11-20).
pub(super) const ETHER_TYPE_IPV4: u16 = 0x0800;
pub(super) const ETHER_TYPE_IPV6: u16 = 0x86DD;
const ETHER_TYPE_PPPOE_SESSION: u16 = 0x8864;
const ETHER_TYPE_ETHERNET: u16 = 0x6558;
const ETHER_TYPE_PPP: u16 = 0x880B;
/// Reserved, and carries nothing.
const ETHER_TYPE_UNKNOWN: u16 = 0xFFFF;
/// IEEE 802.3: up to here the field is a length.
const LLC_LENGTH_MAX: u16 = 1500;

fn pass_ethernet(cursor: &mut Cursor<'_>) -> Result<Layer, Left> {
    let head: &[u8; 14] = cursor.head("the Ethernet header")?;
    cursor.advance(14);
    Ok(Layer::EtherType(u16::from_be_bytes([head[12], head[13]])))
}

fn pass_vlan_tag(cursor: &mut Cursor<'_>) -> Result<Layer, Left> {
    let &[_, _, high, low] = cursor.head("a VLAN tag")?;
    cursor.advance(4);
    Ok(Layer::EtherType(u16::from_be_bytes([high, low])))
}

/// LLC with SNAP may name an EtherType; other LLC (spanning tree, IS-IS) is no IP.
///
/// Source: RFC 1042.
fn pass_llc(cursor: &mut Cursor<'_>) -> Result<Layer, Left> {
    const SNAP: [u8; 6] = [0xAA, 0xAA, 0x03, 0, 0, 0];
    if cursor.wire_length < 8 {
        return Err(NOT_IP);
    }
    let head: &[u8; 8] = cursor.head("the LLC header")?;
    cursor.advance(8);
    let ether_type = u16::from_be_bytes([head[6], head[7]]);
    // A length here would start LLC over again, which nothing defines.
    if head[..6] != SNAP || ether_type <= LLC_LENGTH_MAX {
        return Err(NOT_IP);
    }
    Ok(Layer::EtherType(ether_type))
}

/// Source: RFC 2516, §4.
fn pass_pppoe(cursor: &mut Cursor<'_>) -> Result<Layer, Left> {
    let head: &[u8; 6] = cursor.head("the PPPoE header")?;
    cursor.advance(6);
    let is_session_data = head[1] == 0;
    if is_session_data { Ok(Layer::Ppp) } else { Err(NOT_IP) }
}

/// Source: RFC 1661, §2 and §6.5 (a protocol number of one byte is odd), RFC 1662, §3.1 (the
/// address and control bytes before it).
fn pass_ppp(cursor: &mut Cursor<'_>) -> Result<Layer, Left> {
    const PLACE: &str = "the PPP header";
    let &[mut first] = cursor.head(PLACE)?;
    if first == 0xFF {
        cursor.advance(2);
        [first] = *cursor.head(PLACE)?;
    }
    let protocol = if first & 1 == 1 {
        cursor.advance(1);
        u16::from(first)
    } else {
        let protocol = u16::from_be_bytes(*cursor.head(PLACE)?);
        cursor.advance(2);
        protocol
    };
    match protocol {
        0x0021 => Ok(Layer::Ipv4),
        0x0057 => Ok(Layer::Ipv6),
        0x0281 | 0x0283 => Ok(Layer::EtherType(0x8847)),
        _ => Err(NOT_IP),
    }
}

/// A label stack does not say what it carries; routers, too, guess by the first four bits.
///
/// Source: RFC 3032, §2.1; RFC 4928, §2.
fn pass_labels(cursor: &mut Cursor<'_>) -> Result<IpVersion, Left> {
    loop {
        let label: &[u8; 4] = cursor.head("the MPLS label stack")?;
        cursor.advance(4);
        let is_bottom = label[2] & 1 == 1;
        if is_bottom {
            break;
        }
    }
    let &[first] = cursor.head("the packet behind the MPLS label stack")?;
    match first >> 4 {
        4 => Ok(IpVersion::V4),
        6 => Ok(IpVersion::V6),
        _ => Err(NOT_IP),
    }
}

fn ip_version(cursor: &Cursor<'_>) -> Result<IpVersion, Left> {
    let &[first] = cursor.head("the IP header")?;
    match first >> 4 {
        4 => Ok(IpVersion::V4),
        6 => Ok(IpVersion::V6),
        _ => Err(Left::Damaged(Damage::MalformedPacket, "the IP version is neither 4 nor 6")),
    }
}

/// The protocols whose header begins with two ports: TCP, UDP, DCCP, SCTP, UDP-Lite.
fn ports(protocol: u8, payload: &[u8]) -> Option<(u16, u16)> {
    const DCCP: u8 = 33;
    const SCTP: u8 = 132;
    const UDP_LITE: u8 = 136;
    if !matches!(protocol, TCP | UDP | DCCP | SCTP | UDP_LITE) {
        return None;
    }
    let &[a, b, c, d] = payload.first_chunk()?;
    Some((u16::from_be_bytes([a, b]), u16::from_be_bytes([c, d])))
}

/// Returns true for SYN without ACK. Source: RFC 9293, §3.1.
#[inline]
pub(super) fn opens_connection(tcp: &[u8]) -> bool {
    const SYN: u8 = 0x02;
    const ACK: u8 = 0x10;
    tcp.get(13).is_some_and(|flags| flags & (SYN | ACK) == SYN)
}
