//! Tunnels: their names, how they are recognised, and the way in.

use std::fmt;
use std::str::FromStr;

use super::frame::{Cursor, Layer, Left};
use super::ip::IpPacket;
use crate::net::protocol::UDP;
use crate::traffic::{Damage, NotApplicable};

/// A tunnel whose inner packet is the one that counts.
///
/// # Examples
///
/// ```
/// use nexthop::traffic::capture::Tunnel;
///
/// let tunnel: Tunnel = "vxlan:8472".parse()?;
/// assert_eq!(tunnel, Tunnel::Vxlan { port: 8472 });
/// assert_eq!(tunnel.to_string(), "vxlan:8472");
/// # Ok::<(), nexthop::traffic::capture::TunnelParseError>(())
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Tunnel {
    /// VXLAN at a UDP port.
    Vxlan {
        /// Destination port of the outer packet.
        port: u16,
    },
    /// GRE, with Ethernet or IP inside.
    Gre,
    /// IP directly in IP.
    IpInIp,
    /// Geneve at UDP port 6081.
    Geneve,
    /// MPLS label stacks.
    Mpls,
}

/// A text that names no tunnel.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "`{word}` is not a tunnel: the list takes vxlan:PORT (1 to 65535), gre, ipip, geneve and mpls, \
     or none alone"
)]
pub struct TunnelParseError {
    word: String,
}

impl Tunnel {
    /// VNet TAP, and a gateway load balancer's internal and external tunnel.
    ///
    /// Source: Microsoft Learn, "Virtual network TAP" and "Gateway Load Balancer" (read
    /// 2026-11-20).
    pub const DEFAULT: [Self; 3] =
        [Self::Vxlan { port: 4789 }, Self::Vxlan { port: 10800 }, Self::Vxlan { port: 10801 }];

    /// Reads a comma-separated list; `none` alone is the empty one.
    ///
    /// # Errors
    ///
    /// [`TunnelParseError`] with the first word that is no tunnel: `none` beside others and the
    /// empty word are none either.
    ///
    /// # Examples
    ///
    /// ```
    /// use nexthop::traffic::capture::Tunnel;
    ///
    /// assert_eq!(Tunnel::parse_list("gre, ipip")?, [Tunnel::Gre, Tunnel::IpInIp]);
    /// assert_eq!(Tunnel::parse_list("none")?, []);
    /// assert!(Tunnel::parse_list("gre,none").is_err());
    /// # Ok::<(), nexthop::traffic::capture::TunnelParseError>(())
    /// ```
    pub fn parse_list(list: &str) -> Result<Vec<Self>, TunnelParseError> {
        if list.trim() == "none" {
            return Ok(Vec::new());
        }
        list.split(',').map(|word| word.trim().parse()).collect()
    }
}

impl FromStr for Tunnel {
    type Err = TunnelParseError;

    fn from_str(word: &str) -> Result<Self, TunnelParseError> {
        match word {
            "gre" => Some(Self::Gre),
            "ipip" => Some(Self::IpInIp),
            "geneve" => Some(Self::Geneve),
            "mpls" => Some(Self::Mpls),
            _ => word.strip_prefix("vxlan:").and_then(parse_port).map(|port| Self::Vxlan { port }),
        }
        .ok_or_else(|| TunnelParseError { word: word.to_owned() })
    }
}

impl fmt::Display for Tunnel {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Vxlan { port } => write!(f, "vxlan:{port}"),
            Self::Gre => f.write_str("gre"),
            Self::IpInIp => f.write_str("ipip"),
            Self::Geneve => f.write_str("geneve"),
            Self::Mpls => f.write_str("mpls"),
        }
    }
}

/// The tunnels to enter, in the form that a packet asks for.
#[derive(Clone, Debug, Default)]
pub(super) struct TunnelSet {
    vxlan_ports: Vec<u16>,
    gre: bool,
    ip_in_ip: bool,
    geneve: bool,
    mpls: bool,
}

impl TunnelSet {
    pub(super) fn new(tunnels: &[Tunnel]) -> Self {
        let mut set = Self::default();
        for tunnel in tunnels {
            match *tunnel {
                Tunnel::Vxlan { port } => set.vxlan_ports.push(port),
                Tunnel::Gre => set.gre = true,
                Tunnel::IpInIp => set.ip_in_ip = true,
                Tunnel::Geneve => set.geneve = true,
                Tunnel::Mpls => set.mpls = true,
            }
        }
        set
    }

    pub(super) fn has_mpls(&self) -> bool {
        self.mpls
    }

    /// Returns true for the destination port of a tunnel in UDP.
    #[inline]
    pub(super) fn has_udp_port(&self, port: u16) -> bool {
        self.vxlan_ports.contains(&port) || self.geneve && port == GENEVE_PORT
    }

    /// Returns where the inner packet starts and as what, or `None` where `packet` itself counts.
    ///
    /// A later fragment holds no header to recognise a tunnel by. A UDP port alone makes no tunnel
    /// either, since 10800 may be the ephemeral port of a client: the header that every VXLAN or
    /// Geneve packet has must follow.
    ///
    /// # Errors
    ///
    /// A recognised tunnel that is cut, that contradicts itself, or that carries no IP.
    pub(super) fn enter<'a>(
        &self,
        packet: &IpPacket<'a>,
    ) -> Result<Option<(Layer, Cursor<'a>)>, Left> {
        if packet.is_later_fragment {
            return Ok(None);
        }
        match packet.protocol {
            UDP => self.enter_udp(packet.payload),
            GRE if self.gre => enter_gre(packet.payload),
            IPV4_IN_IP if self.ip_in_ip => Ok(Some((Layer::Ipv4, packet.payload))),
            IPV6_IN_IP if self.ip_in_ip => Ok(Some((Layer::Ipv6, packet.payload))),
            MPLS_IN_IP if self.mpls => Ok(Some((Layer::Mpls, packet.payload))),
            _ => Ok(None),
        }
    }

    fn enter_udp<'a>(&self, payload: Cursor<'a>) -> Result<Option<(Layer, Cursor<'a>)>, Left> {
        let Some(&[_, _, high, low]) = payload.bytes.first_chunk() else {
            return Ok(None);
        };
        let port = u16::from_be_bytes([high, low]);
        if self.vxlan_ports.contains(&port) {
            enter_vxlan(payload)
        } else if self.geneve && port == GENEVE_PORT {
            enter_geneve(payload)
        } else {
            Ok(None)
        }
    }
}

const GRE: u8 = 47;
const IPV4_IN_IP: u8 = 4;
const IPV6_IN_IP: u8 = 41;
/// Source: RFC 4023.
const MPLS_IN_IP: u8 = 137;
/// Source: RFC 8926, §3.3.
const GENEVE_PORT: u16 = 6081;

const UDP_HEADER_LENGTH: usize = 8;

/// Source: RFC 7348, §5; a valid VXLAN header has its I flag set.
fn enter_vxlan(mut cursor: Cursor<'_>) -> Result<Option<(Layer, Cursor<'_>)>, Left> {
    cursor.advance(UDP_HEADER_LENGTH);
    let &[flags] = cursor.head("the VXLAN header")?;
    if flags & 0x08 == 0 {
        return Ok(None);
    }
    cursor.advance(8);
    Ok(Some((Layer::Ethernet, cursor)))
}

/// Source: RFC 8926, §3.4; the only version is 0.
fn enter_geneve(mut cursor: Cursor<'_>) -> Result<Option<(Layer, Cursor<'_>)>, Left> {
    cursor.advance(UDP_HEADER_LENGTH);
    let &[first, _, high, low] = cursor.head("the Geneve header")?;
    if first >> 6 != 0 {
        return Ok(None);
    }
    let options_length = usize::from(first & 0x3F) * 4;
    cursor.advance(8 + options_length);
    Ok(Some((Layer::of_tunnel_payload(u16::from_be_bytes([high, low])), cursor)))
}

/// Enters GRE of version 0 and the variant that PPTP uses, version 1.
///
/// Source: RFC 2784 and 2890 (version 0), RFC 2637, §4.1 (version 1).
fn enter_gre(mut cursor: Cursor<'_>) -> Result<Option<(Layer, Cursor<'_>)>, Left> {
    const CHECKSUM: u16 = 0x8000;
    const ROUTING: u16 = 0x4000;
    const KEY: u16 = 0x2000;
    const SEQUENCE: u16 = 0x1000;
    const ACKNOWLEDGEMENT: u16 = 0x0080;
    let &[a, b, c, d] = cursor.head("the GRE header")?;
    let (flags, protocol) = (u16::from_be_bytes([a, b]), u16::from_be_bytes([c, d]));
    let optional = match flags & 7 {
        // Nobody has used source routes since RFC 2784 withdrew them, so their length is not read.
        0 if flags & ROUTING != 0 => return Err(malformed("the GRE header holds source routes")),
        0 => CHECKSUM | KEY | SEQUENCE,
        1 => KEY | SEQUENCE | ACKNOWLEDGEMENT,
        _ => return Err(malformed("the GRE version is neither 0 nor 1")),
    };
    // Each of these bits stands for four more bytes.
    cursor.advance(4 + 4 * (flags & optional).count_ones() as usize);
    match protocol {
        GRE_KEEPALIVE => Ok(None),
        ERSPAN_1_OR_2 => {
            // Type I has no header of its own, and no GRE sequence number.
            cursor.advance(if flags & SEQUENCE == 0 { 0 } else { 8 });
            Ok(Some((Layer::Ethernet, cursor)))
        }
        ERSPAN_3 => {
            let head: &[u8; 12] = cursor.head("the ERSPAN header")?;
            let has_platform_header = head[11] & 1 != 0;
            cursor.advance(if has_platform_header { 20 } else { 12 });
            Ok(Some((Layer::Ethernet, cursor)))
        }
        _ if flags & 7 == 1 && flags & SEQUENCE == 0 => {
            // PPTP acknowledges without a payload.
            Err(Left::NotApplicable(NotApplicable::NotIp))
        }
        _ => Ok(Some((Layer::of_tunnel_payload(protocol), cursor))),
    }
}

/// A keepalive is an empty GRE packet of protocol 0: it carries nothing to count instead of it.
const GRE_KEEPALIVE: u16 = 0;
/// Source: draft-foschiano-erspan-03, §4.
const ERSPAN_1_OR_2: u16 = 0x88BE;
/// Source: draft-foschiano-erspan-03, §4.3.
const ERSPAN_3: u16 = 0x22EB;

fn malformed(detail: &'static str) -> Left {
    Left::Damaged(Damage::MalformedPacket, detail)
}

fn parse_port(text: &str) -> Option<u16> {
    let is_number = text.bytes().all(|byte| byte.is_ascii_digit());
    text.parse().ok().filter(|&port| is_number && port != 0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_tunnel_is_read_as_it_is_printed() {
        let all = [
            Tunnel::Vxlan { port: 1 },
            Tunnel::Vxlan { port: 65535 },
            Tunnel::Gre,
            Tunnel::IpInIp,
            Tunnel::Geneve,
            Tunnel::Mpls,
        ];
        let list = all.map(|tunnel| tunnel.to_string()).join(",");
        assert_eq!(list, "vxlan:1,vxlan:65535,gre,ipip,geneve,mpls");
        assert_eq!(Tunnel::parse_list(&list).unwrap(), all);
    }

    #[test]
    fn the_default_is_written_as_the_command_line_documents_it() {
        let list = Tunnel::DEFAULT.map(|tunnel| tunnel.to_string()).join(",");
        assert_eq!(list, "vxlan:4789,vxlan:10800,vxlan:10801");
    }

    #[test]
    fn other_words_are_refused_by_name() {
        for (list, word) in [
            ("", ""),
            ("gre,", ""),
            ("gre,none", "none"),
            ("vxlan", "vxlan"),
            ("vxlan:", "vxlan:"),
            ("vxlan:0", "vxlan:0"),
            ("vxlan:+1", "vxlan:+1"),
            ("vxlan:65536", "vxlan:65536"),
            ("GRE", "GRE"),
            ("ipip gre", "ipip gre"),
        ] {
            let error = Tunnel::parse_list(list).unwrap_err();
            assert_eq!(error.word, word, "{list:?}");
            assert!(error.to_string().contains("vxlan:PORT"), "{error}");
        }
    }
}
