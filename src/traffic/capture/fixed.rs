//! Frames whose headers stand at fixed offsets, which nearly all are that a NIC in Azure sends:
//! Ethernet with at most one VLAN tag, IPv4 without options or IPv6 without extensions, TCP or UDP.
//!
//! Everything else, and whatever is cut, contradictory or a tunnel, is left to [`super::frame`],
//! whose answer for the frames that are read here is the same; a test holds that.

use std::net::{Ipv4Addr, Ipv6Addr};

use super::frame::{ETHER_TYPE_IPV4, ETHER_TYPE_IPV6, Flow};
use super::tunnel::TunnelSet;
use crate::net::protocol::{TCP, UDP};

/// Finds the flow of a frame with every header where it usually is, or leaves it to the general
/// decoder.
#[inline(always)]
pub(super) fn decode(link_type: u16, bytes: &[u8], tunnels: &TunnelSet) -> Option<Flow> {
    const ETHERNET: u16 = 1;
    const VLAN: u16 = 0x8100;
    if link_type != ETHERNET {
        return None;
    }
    let head: &[u8; 18] = bytes.first_chunk()?;
    let (ether_type, packet) = match u16_at(head, 12) {
        VLAN => (u16_at(head, 16), &bytes[18..]),
        ether_type => (ether_type, &bytes[14..]),
    };
    match ether_type {
        ETHER_TYPE_IPV4 => decode_v4(packet, tunnels),
        ETHER_TYPE_IPV6 => decode_v6(packet, tunnels),
        _ => None,
    }
}

#[inline(always)]
fn decode_v4(packet: &[u8], tunnels: &TunnelSet) -> Option<Flow> {
    const HEADER_LENGTH: u16 = 20;
    const VERSION_AND_LENGTH: u8 = 0x45;
    /// More fragments, and the offset of this one.
    const FRAGMENT: u16 = 0x3FFF;
    let head: &[u8; 20 + TRANSPORT_LENGTH] = packet.first_chunk()?;
    if head[0] != VERSION_AND_LENGTH || u16_at(head, 6) & FRAGMENT != 0 {
        return None;
    }
    let length = u16_at(head, 2);
    let transport = head.last_chunk().expect("the header is longer");
    let (ports, opens_connection) =
        decode_transport(head[9], length.checked_sub(HEADER_LENGTH)?, transport, tunnels)?;
    let address = |at| Ipv4Addr::from_bits(u32_at(head, at)).into();
    Some(Flow {
        source: address(12),
        destination: address(16),
        ports: Some(ports),
        protocol: head[9],
        opens_connection,
        bytes: Flow::LINK_BYTES + u64::from(length),
    })
}

#[inline(always)]
fn decode_v6(packet: &[u8], tunnels: &TunnelSet) -> Option<Flow> {
    const HEADER_LENGTH: u64 = 40;
    let head: &[u8; 40 + TRANSPORT_LENGTH] = packet.first_chunk()?;
    if head[0] >> 4 != 6 {
        return None;
    }
    let payload_length = u16_at(head, 4);
    let transport = head.last_chunk().expect("the header is longer");
    let (ports, opens_connection) = decode_transport(head[6], payload_length, transport, tunnels)?;
    let address = |at: usize| {
        let bytes: [u8; 16] = head[at..at + 16].try_into().expect("16 bytes are 16 bytes");
        Ipv6Addr::from(bytes).into()
    };
    Some(Flow {
        source: address(8),
        destination: address(24),
        ports: Some(ports),
        protocol: head[6],
        opens_connection,
        bytes: Flow::LINK_BYTES + HEADER_LENGTH + u64::from(payload_length),
    })
}

/// As much of a transport header as tells the ports and TCP's flags.
const TRANSPORT_LENGTH: usize = 14;

/// Returns the ports, and whether the segment opens a connection.
#[inline(always)]
fn decode_transport(
    protocol: u8,
    length: u16,
    head: &[u8; TRANSPORT_LENGTH],
    tunnels: &TunnelSet,
) -> Option<((u16, u16), bool)> {
    let ports = (u16_at(head, 0), u16_at(head, 2));
    match protocol {
        TCP if usize::from(length) >= TRANSPORT_LENGTH => {
            Some((ports, super::frame::opens_connection(head)))
        }
        UDP if length >= 4 && !tunnels.has_udp_port(ports.1) => Some((ports, false)),
        _ => None,
    }
}

#[inline(always)]
fn u16_at<const N: usize>(bytes: &[u8; N], at: usize) -> u16 {
    u16::from_be_bytes([bytes[at], bytes[at + 1]])
}

#[inline(always)]
fn u32_at<const N: usize>(bytes: &[u8; N], at: usize) -> u32 {
    u32::from_be_bytes([bytes[at], bytes[at + 1], bytes[at + 2], bytes[at + 3]])
}
