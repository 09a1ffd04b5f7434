//! IP headers, whole or cut.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use etherparse::{IpAuthHeaderSlice, Ipv6FragmentHeaderSlice, Ipv6RawExtHeaderSlice};

use super::frame::{Cursor, Left};
use crate::traffic::Damage;

/// An IP packet whose addresses were captured.
#[derive(Clone, Copy, Debug)]
pub(super) struct IpPacket<'a> {
    pub(super) source: IpAddr,
    pub(super) destination: IpAddr,
    /// For IPv6 that of the last header reached.
    pub(super) protocol: u8,
    /// On the wire, with its own header.
    pub(super) length: u64,
    /// What follows the headers, as far as it was captured, without padding.
    pub(super) payload: Cursor<'a>,
    /// Its payload does not begin with a header.
    pub(super) is_later_fragment: bool,
}

/// Reads an IPv4 header; of its options only the length counts.
///
/// Source: RFC 791, §3.1.
pub(super) fn parse_v4(mut cursor: Cursor<'_>) -> Result<IpPacket<'_>, Left> {
    let header: &[u8; 20] = cursor.head("the IPv4 header")?;
    if header[0] >> 4 != 4 {
        return Err(malformed("the version of the IPv4 header is not 4"));
    }
    let header_length = usize::from(header[0] & 0x0F) * 4;
    if header_length < 20 {
        return Err(malformed("the header length of the IPv4 header is below 20 bytes"));
    }
    let length = match u64::from(u16::from_be_bytes([header[2], header[3]])) {
        // A sender that leaves segmentation to the card fills in 0 where 16 bits do not suffice.
        0 => cursor.wire_length,
        total_length => total_length,
    };
    if length < header_length as u64 {
        return Err(malformed("the total length of the IPv4 packet is below its header length"));
    }
    let fragment_offset = u16::from_be_bytes([header[6], header[7]]) & 0x1FFF;
    let [.., a, b, c, d, e, f, g, h] = *header;
    cursor.end_at(length);
    cursor.advance(header_length);
    Ok(IpPacket {
        source: Ipv4Addr::new(a, b, c, d).into(),
        destination: Ipv4Addr::new(e, f, g, h).into(),
        protocol: header[9],
        length,
        payload: cursor,
        is_later_fragment: fragment_offset != 0,
    })
}

/// Reads an IPv6 header and passes its extension headers.
///
/// Source: RFC 8200, §3 and §4; RFC 2675, §3 (a payload length of 0 is a jumbogram's).
pub(super) fn parse_v6(mut cursor: Cursor<'_>) -> Result<IpPacket<'_>, Left> {
    let header: &[u8; HEADER_LENGTH_V6] = cursor.head("the IPv6 header")?;
    if header[0] >> 4 != 6 {
        return Err(malformed("the version of the IPv6 header is not 6"));
    }
    let next_header = header[6];
    let length = match u64::from(u16::from_be_bytes([header[4], header[5]])) {
        // Without a next header there is no payload either, and what follows is padding.
        0 if next_header != NO_NEXT_HEADER => cursor.wire_length,
        payload_length => HEADER_LENGTH_V6 as u64 + payload_length,
    };
    cursor.end_at(length);
    cursor.advance(HEADER_LENGTH_V6);
    let (protocol, payload, is_later_fragment) = pass_extensions(next_header, cursor);
    Ok(IpPacket {
        source: address_v6(header, 8),
        destination: address_v6(header, 24),
        protocol,
        length,
        payload,
        is_later_fragment,
    })
}

const HEADER_LENGTH_V6: usize = 40;
const NO_NEXT_HEADER: u8 = 59;

/// Passes IPv6 extension headers and returns the protocol of the last header reached, what follows,
/// and whether that is the middle of a fragmented packet.
///
/// Ends early, without a payload, at a header that was cut or contradicts itself: the addresses
/// stand, and only the ports are lost. Each header takes 8 bytes at least, so that the walk is
/// bounded by what was captured.
///
/// The headers are read by etherparse, the chain is not: `Ipv6ExtensionsSlice` goes on reading
/// headers in the data of a later fragment, and stops at mobility, HIP and shim6.
fn pass_extensions(mut protocol: u8, mut cursor: Cursor<'_>) -> (u8, Cursor<'_>, bool) {
    loop {
        let (next_header, length) = match protocol {
            // Hop-by-hop options, routing, destination options, mobility, HIP, shim6: one layout.
            0 | 43 | 60 | 135 | 139 | 140 => {
                match Ipv6RawExtHeaderSlice::from_slice(cursor.bytes) {
                    Ok(header) => (header.next_header(), header.slice().len()),
                    Err(_) => return (protocol, cursor.without_bytes(), false),
                }
            }
            // Authentication (RFC 4302).
            51 => match IpAuthHeaderSlice::from_slice(cursor.bytes) {
                Ok(header) => (header.next_header(), header.slice().len()),
                Err(_) => return (protocol, cursor.without_bytes(), false),
            },
            44 => match Ipv6FragmentHeaderSlice::from_slice(cursor.bytes) {
                Ok(header) if header.fragment_offset().value() != 0 => {
                    return (header.next_header().0, cursor.without_bytes(), true);
                }
                Ok(header) => (header.next_header(), header.slice().len()),
                Err(_) => return (protocol, cursor.without_bytes(), false),
            },
            _ => return (protocol, cursor, false),
        };
        cursor.advance(length);
        protocol = next_header.0;
    }
}

impl Cursor<'_> {
    fn without_bytes(self) -> Self {
        Self { bytes: &[], ..self }
    }
}

fn address_v6(header: &[u8; HEADER_LENGTH_V6], at: usize) -> IpAddr {
    let bytes: [u8; 16] = header[at..at + 16].try_into().expect("16 bytes are 16 bytes");
    Ipv6Addr::from(bytes).into()
}

fn malformed(detail: &'static str) -> Left {
    Left::Damaged(Damage::MalformedPacket, detail)
}
