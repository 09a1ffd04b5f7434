//! Frames: Ethernet, VLAN tags, IP, and enough of what follows.

use std::net::IpAddr;

use crate::net::protocol;

/// One packet to build.
#[derive(Clone, Copy, Debug)]
pub(super) struct Frame {
    pub(super) vlan_tags: u8,
    pub(super) source: IpAddr,
    pub(super) destination: IpAddr,
    pub(super) protocol: u8,
    pub(super) body: Body,
    /// IPv4 options, or an IPv6 extension header.
    pub(super) has_options: bool,
    /// How long the frame should be without its tags; it is longer where the headers are, and
    /// padded where they and the body are shorter.
    pub(super) length: usize,
}

/// What stands behind the IP header.
#[derive(Clone, Copy, Debug)]
pub(super) enum Body {
    Tcp {
        ports: (u16, u16),
        flags: u8,
    },
    Udp {
        ports: (u16, u16),
    },
    Icmp {
        is_reply: bool,
    },
    /// The first of two fragments of a UDP packet.
    FirstFragment {
        ports: (u16, u16),
        id: u16,
    },
    /// The second of them.
    LastFragment {
        id: u16,
        offset_bytes: u16,
    },
}

pub(super) const SYN: u8 = 0x02;
pub(super) const SYN_ACK: u8 = 0x12;
pub(super) const ACK: u8 = 0x10;

const ETHERNET_LENGTH: usize = 14;
/// Network cards pad to this, without the checksum.
const FRAME_LENGTH_MIN: usize = 60;
/// What the second fragment carries.
const LAST_FRAGMENT_BYTES: usize = 24;

impl Frame {
    /// Writes the frame over what `out` held, and returns the length of its IP packet.
    ///
    /// The checksum of IPv4 is right; those of TCP, UDP and ICMP are 0, as in captures on a sender
    /// that leaves them to the card.
    pub(super) fn build(&self, out: &mut Vec<u8>) -> usize {
        out.clear();
        out.extend([0x12, 0x34, 0x56, 0x78, 0x9A, 0xBC, 0x00, 0x0D, 0x3A, 0x00, 0x00, 0x01]);
        for tag in 0..self.vlan_tags {
            // The outer of two is a service tag.
            let is_outer = tag + 1 < self.vlan_tags;
            out.extend(if is_outer { [0x88, 0xA8, 0, 100] } else { [0x81, 0x00, 0, 7] });
        }
        let ip_length = match (self.source, self.destination) {
            (IpAddr::V4(source), IpAddr::V4(destination)) => {
                self.build_v4(source.octets(), destination.octets(), out)
            }
            (IpAddr::V6(source), IpAddr::V6(destination)) => {
                self.build_v6(source.octets(), destination.octets(), out)
            }
            _ => unreachable!("both ends of a conversation are of one family"),
        };
        let length_min = self.length.max(FRAME_LENGTH_MIN) + 4 * usize::from(self.vlan_tags);
        if out.len() < length_min {
            out.resize(length_min, 0);
        }
        ip_length
    }

    /// How many bytes of its packet's payload the frame carries.
    pub(super) fn payload_bytes(&self) -> u16 {
        let headers = match self.source {
            IpAddr::V4(_) => self.header_length_v4(),
            IpAddr::V6(_) => 40 + self.extensions_length(),
        };
        self.payload_length(headers) as u16
    }

    fn header_length_v4(&self) -> usize {
        if self.has_options { 24 } else { 20 }
    }

    fn extensions_length(&self) -> usize {
        8 * (usize::from(self.has_options) + usize::from(self.body.is_fragment()))
    }

    fn build_v4(&self, source: [u8; 4], destination: [u8; 4], out: &mut Vec<u8>) -> usize {
        let header_length = self.header_length_v4();
        let payload = self.payload_length(header_length);
        let length = header_length + payload;
        out.extend([0x08, 0x00]);
        let start = out.len();
        let (id, fragment) = self.body.fragment(0x4000);
        out.extend([0x40 | (header_length / 4) as u8, 0]);
        out.extend((length as u16).to_be_bytes());
        out.extend(id.to_be_bytes());
        out.extend(fragment.to_be_bytes());
        out.extend([64, self.protocol, 0, 0]);
        out.extend(source);
        out.extend(destination);
        // Three times "no operation" and "end of options".
        out.extend(&[1, 1, 1, 0][..header_length - 20]);
        let checksum = checksum(&out[start..]).to_be_bytes();
        out[start + 10..start + 12].copy_from_slice(&checksum);
        self.build_body(payload, out);
        length
    }

    fn build_v6(&self, source: [u8; 16], destination: [u8; 16], out: &mut Vec<u8>) -> usize {
        const HOP_BY_HOP: u8 = 0;
        const FRAGMENT: u8 = 44;
        let is_fragment = self.body.is_fragment();
        let extensions = self.extensions_length();
        let payload = self.payload_length(40 + extensions);
        out.extend([0x86, 0xDD, 0x60, 0, 0, 0]);
        out.extend(((extensions + payload) as u16).to_be_bytes());
        let upper = if is_fragment { FRAGMENT } else { self.protocol };
        out.extend([if self.has_options { HOP_BY_HOP } else { upper }, 64]);
        out.extend(source);
        out.extend(destination);
        if self.has_options {
            // Padding of six bytes.
            out.extend([upper, 0, 1, 4, 0, 0, 0, 0]);
        }
        if is_fragment {
            let (id, fragment) = self.body.fragment(0);
            let more = u16::from(fragment & 0x2000 != 0);
            out.extend([self.protocol, 0]);
            out.extend(((fragment & 0x1FFF) << 3 | more).to_be_bytes());
            out.extend(u32::from(id).to_be_bytes());
        }
        self.build_body(payload, out);
        40 + extensions + payload
    }

    /// The length of what follows the IP headers.
    fn payload_length(&self, headers: usize) -> usize {
        let room = self.length.saturating_sub(ETHERNET_LENGTH + headers);
        match self.body {
            Body::Tcp { flags: ACK, .. } => room.max(20),
            // What opens a connection carries nothing.
            Body::Tcp { .. } => 20,
            Body::Udp { .. } | Body::Icmp { .. } => room.max(8),
            // All fragments but the last carry a multiple of 8 bytes.
            Body::FirstFragment { .. } => (room / 8 * 8).max(16),
            Body::LastFragment { .. } => LAST_FRAGMENT_BYTES,
        }
    }

    fn build_body(&self, length: usize, out: &mut Vec<u8>) {
        let end = out.len() + length;
        match self.body {
            Body::Tcp { ports, flags } => {
                push_ports(ports, out);
                out.extend([0, 0, 0, 1, 0, 0, 0, 1, 0x50, flags, 0xFF, 0xFF, 0, 0, 0, 0]);
            }
            Body::Udp { ports } => {
                push_ports(ports, out);
                out.extend((length as u16).to_be_bytes());
                out.extend([0, 0]);
            }
            Body::FirstFragment { ports, .. } => {
                push_ports(ports, out);
                out.extend(((length + LAST_FRAGMENT_BYTES) as u16).to_be_bytes());
                out.extend([0, 0]);
            }
            Body::Icmp { is_reply } => {
                let kind = match (self.protocol, is_reply) {
                    (protocol::ICMP, false) => 8,
                    (protocol::ICMP, true) => 0,
                    (_, false) => 128,
                    (_, true) => 129,
                };
                out.extend([kind, 0, 0, 0, 0, 1, 0, 1]);
            }
            Body::LastFragment { .. } => {}
        }
        out.resize(end, 0x5A);
    }
}

impl Body {
    pub(super) fn ports(&self) -> Option<(u16, u16)> {
        match *self {
            Self::Tcp { ports, .. } | Self::Udp { ports } | Self::FirstFragment { ports, .. } => {
                Some(ports)
            }
            Self::Icmp { .. } | Self::LastFragment { .. } => None,
        }
    }

    fn is_fragment(&self) -> bool {
        matches!(self, Self::FirstFragment { .. } | Self::LastFragment { .. })
    }

    /// The identification and the 16 bits of flags and offset; `whole` are those of what is none.
    fn fragment(&self, whole: u16) -> (u16, u16) {
        match *self {
            Self::FirstFragment { id, .. } => (id, 0x2000),
            Self::LastFragment { id, offset_bytes } => (id, offset_bytes / 8),
            _ => (1, whole),
        }
    }
}

/// An ARP request, which is no IP flow.
pub(super) fn build_arp(out: &mut Vec<u8>) {
    out.clear();
    out.extend([0xFF; 6]);
    out.extend([0x00, 0x0D, 0x3A, 0, 0, 1, 0x08, 0x06, 0, 1, 8, 0, 6, 4, 0, 1]);
    out.resize(FRAME_LENGTH_MIN, 0);
}

fn push_ports((source, destination): (u16, u16), out: &mut Vec<u8>) {
    out.extend(source.to_be_bytes());
    out.extend(destination.to_be_bytes());
}

/// Source: RFC 1071.
fn checksum(header: &[u8]) -> u16 {
    let words =
        header.chunks_exact(2).map(|pair| u32::from(u16::from_be_bytes([pair[0], pair[1]])));
    let mut sum: u32 = words.sum();
    while sum > 0xFFFF {
        sum = (sum & 0xFFFF) + (sum >> 16);
    }
    !(sum as u16)
}

#[cfg(test)]
mod tests {
    use etherparse::{NetSlice, SlicedPacket, TransportSlice};

    use super::*;

    /// Every frame is read by a decoder that is not ours, and says what it was built from.
    #[test]
    fn frames_are_what_another_decoder_reads() {
        let ports = (50_123, 443);
        let mut out = Vec::new();
        for (source, destination) in [("10.1.2.3", "20.4.5.6"), ("fd00::1", "2603:1000::2")] {
            let icmp = if source.contains(':') { protocol::ICMPV6 } else { protocol::ICMP };
            for (protocol, body) in [
                (protocol::TCP, Body::Tcp { ports, flags: SYN }),
                (protocol::TCP, Body::Tcp { ports, flags: ACK }),
                (protocol::UDP, Body::Udp { ports }),
                (icmp, Body::Icmp { is_reply: true }),
                (protocol::UDP, Body::FirstFragment { ports, id: 9 }),
                (protocol::UDP, Body::LastFragment { id: 9, offset_bytes: 16 }),
            ] {
                for (vlan_tags, has_options, length) in
                    [(0, false, 64), (1, true, 64), (2, false, 594), (0, true, 1518)]
                {
                    let frame = Frame {
                        vlan_tags,
                        source: source.parse().unwrap(),
                        destination: destination.parse().unwrap(),
                        protocol,
                        body,
                        has_options,
                        length,
                    };
                    let ip_length = frame.build(&mut out);
                    let read = SlicedPacket::from_ethernet(&out).unwrap();
                    assert_eq!(read.link_exts.len(), usize::from(vlan_tags));
                    let (addresses, in_header) = match read.net.as_ref().unwrap() {
                        NetSlice::Ipv4(ip) => {
                            let header = ip.header();
                            assert_eq!(
                                header.to_header().calc_header_checksum(),
                                header.header_checksum()
                            );
                            let addresses =
                                (header.source_addr().into(), header.destination_addr().into());
                            (addresses, usize::from(header.total_len()))
                        }
                        NetSlice::Ipv6(ip) => {
                            let header = ip.header();
                            let addresses =
                                (header.source_addr().into(), header.destination_addr().into());
                            (addresses, 40 + usize::from(header.payload_length()))
                        }
                        NetSlice::Arp(_) => panic!("no ARP was built"),
                    };
                    assert_eq!(addresses, (frame.source, frame.destination));
                    assert_eq!(in_header, ip_length, "{body:?}");
                    assert!(out.len() >= 60 + 4 * usize::from(vlan_tags));
                    match (body, read.transport) {
                        (Body::Tcp { flags, .. }, Some(TransportSlice::Tcp(tcp))) => {
                            assert_eq!((tcp.source_port(), tcp.destination_port()), ports);
                            assert_eq!(
                                (tcp.syn(), tcp.ack()),
                                (flags & SYN != 0, flags & ACK != 0)
                            );
                        }
                        (Body::Udp { .. }, Some(TransportSlice::Udp(udp))) => {
                            assert_eq!((udp.source_port(), udp.destination_port()), ports);
                        }
                        (Body::Icmp { .. }, Some(transport)) => {
                            assert!(!matches!(
                                transport,
                                TransportSlice::Tcp(_) | TransportSlice::Udp(_)
                            ));
                        }
                        (Body::FirstFragment { .. } | Body::LastFragment { .. }, None) => {}
                        (body, transport) => panic!("{body:?} was read as {transport:?}"),
                    }
                }
            }
        }
    }
}
