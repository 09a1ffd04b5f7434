//! Who talks to whom.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use super::{Random, Snapshot, Zipf};
use crate::net::special::AZURE_WIRE_SERVER;
use crate::net::{AddressPrefix, protocol};

/// The two ends of a flow, and who they are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Conversation {
    pub(super) kind: Kind,
    pub(super) source: (IpAddr, u16),
    pub(super) destination: (IpAddr, u16),
    pub(super) protocol: u8,
    /// The end in the snapshot that the source is.
    pub(super) from: Option<End>,
    /// The end in the snapshot that the destination is.
    pub(super) to: Option<End>,
}

/// Whose address it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum End {
    /// The NIC or gateway of a place.
    Place(usize),
    /// An instance of a scale set in the subnet of a place: no export holds its MAC address.
    Instance(usize),
    /// A NIC of a VNet that the snapshot does not know.
    Stranger,
}

/// What a flow is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    Allowed,
    /// A scan from the Internet that a rule denies.
    Denied,
    /// Caused by Azure's own infrastructure.
    Infrastructure,
}

/// Draws conversations in a snapshot.
#[derive(Debug)]
pub(super) struct Conversations<'s> {
    snapshot: &'s Snapshot,
    public: [Vec<AddressPrefix>; 2],
    popularity: [Zipf; 2],
    ipv6_percent: u8,
}

impl<'s> Conversations<'s> {
    pub(super) fn new(snapshot: &'s Snapshot, ipv6_percent: u8) -> Self {
        let mut public = [Vec::new(), Vec::new()];
        for &prefix in &snapshot.pools.public {
            public[usize::from(!prefix.is_ipv4())].push(prefix);
        }
        // A table of few routes may have none, and the Internet is there all the same.
        public[0].push("203.0.113.0/24".parse().expect("is a prefix"));
        public[1].push("2001:db8::/32".parse().expect("is a prefix"));
        let popularity = [Zipf::new(public[0].len()), Zipf::new(public[1].len())];
        Self { snapshot, public, popularity, ipv6_percent }
    }

    pub(super) fn draw(&self, random: &mut Random) -> Conversation {
        let is_ipv6 = random.percent(self.ipv6_percent);
        let nic = 1 + random.index(self.snapshot.places.len() - 1);
        let here = (self.at(nic, random, is_ipv6), Some(End::Place(nic)));
        let mut kind = Kind::Allowed;
        let (from, to) = match random.below(100) {
            0..30 => {
                let other = 1 + random.index(self.snapshot.places.len() - 1);
                (here, (self.at(other, random, is_ipv6), Some(End::Place(other))))
            }
            30..38 => (here, (self.at(0, random, is_ipv6), Some(End::Place(0)))),
            38..46 => ((self.at(0, random, is_ipv6), Some(End::Place(0))), here),
            46..72 => (here, (self.public(random, is_ipv6), None)),
            72..79 if !is_ipv6 => (here, (self.endpoint(random), None)),
            72..82 => (here, (hub_address(random, is_ipv6), None)),
            82..86 => ((anywhere(random, is_ipv6), None), here),
            86..91 => {
                kind = Kind::Denied;
                ((anywhere(random, is_ipv6), None), here)
            }
            91..93 if !is_ipv6 => (here, (AZURE_WIRE_SERVER.into(), None)),
            93 => {
                kind = Kind::Infrastructure;
                ((self.public(random, is_ipv6), None), here)
            }
            94..96 => ((stranger(random, is_ipv6), Some(End::Stranger)), here),
            96 => {
                let source = (stranger(random, is_ipv6), Some(End::Stranger));
                (source, (self.public(random, is_ipv6), None))
            }
            _ => {
                let instance = (self.instance(nic, is_ipv6), Some(End::Instance(nic)));
                (instance, (self.public(random, is_ipv6), None))
            }
        };
        let (protocol, port) = service(random);
        Conversation {
            kind,
            source: (from.0, ephemeral_port(random)),
            destination: (to.0, port),
            protocol,
            from: from.1,
            to: to.1,
        }
    }

    fn at(&self, place: usize, random: &mut Random, is_ipv6: bool) -> IpAddr {
        self.snapshot.places[place].address(random, is_ipv6)
    }

    /// The one instance in a place's subnet: two would be told apart by their MAC addresses only.
    fn instance(&self, place: usize, is_ipv6: bool) -> IpAddr {
        match self.snapshot.places[place].prefixes[usize::from(is_ipv6)].address() {
            IpAddr::V4(first) => Ipv4Addr::from_bits(first.to_bits() + 200).into(),
            IpAddr::V6(first) => Ipv6Addr::from_bits(first.to_bits() + 200).into(),
        }
    }

    /// An address in a public service's prefix, or right outside of it: where prefixes begin and
    /// end is where routers err.
    fn public(&self, random: &mut Random, is_ipv6: bool) -> IpAddr {
        let family = usize::from(is_ipv6);
        let prefix = self.public[family][self.popularity[family].draw(random)];
        match (prefix.address(), prefix.last_address()) {
            (IpAddr::V4(first), IpAddr::V4(last)) => {
                let (first, last) = (first.to_bits(), last.to_bits());
                Ipv4Addr::from_bits(match random.below(8) {
                    0 => first - 1,
                    1 => last + 1,
                    2 => first,
                    3 => last,
                    _ => first + random.below(u64::from(last - first) + 1) as u32,
                })
                .into()
            }
            (IpAddr::V6(first), IpAddr::V6(last)) => {
                let (first, last) = (first.to_bits(), last.to_bits());
                Ipv6Addr::from_bits(match random.below(8) {
                    0 => first - 1,
                    1 => last + 1,
                    2 => first,
                    3 => last,
                    _ => first + u128::from(random.next_u64()) % (last - first + 1),
                })
                .into()
            }
            _ => unreachable!("both ends of a prefix are of one family"),
        }
    }

    fn endpoint(&self, random: &mut Random) -> IpAddr {
        match self.snapshot.pools.endpoints.as_slice() {
            [] => hub_address(random, false),
            endpoints => random.pick(endpoints).address(),
        }
    }
}

/// An address of the hub, its peers, a DMZ behind an appliance, a quarantine, or of nowhere.
fn hub_address(random: &mut Random, is_ipv6: bool) -> IpAddr {
    if is_ipv6 {
        let base = *random.pick(&[0xFD00_0001_u128 << 96, 0xFD00_0099 << 96]);
        return Ipv6Addr::from_bits(base | u128::from(random.below(1 << 16))).into();
    }
    const BASES: [u32; 9] = [
        0x0A00_0000, // 10.0.0.0
        0x0A01_0000, // 10.1.0.0
        0x0A02_0000, // 10.2.0.0
        0x0A03_0000, // 10.3.0.0
        0x0A04_0000, // 10.4.0.0
        0x0A05_0000, // 10.5.0.0
        0xAC14_0000, // 172.20.0.0
        0xAC15_0000, // 172.21.0.0
        0x6440_0000, // 100.64.0.0
    ];
    Ipv4Addr::from_bits(random.pick(&BASES) | random.below(1 << 16) as u32).into()
}

/// An address of the Internet that no pool holds.
fn anywhere(random: &mut Random, is_ipv6: bool) -> IpAddr {
    if is_ipv6 {
        return Ipv6Addr::from_bits(0x2001_0DB8 << 96 | u128::from(random.next_u64())).into();
    }
    // 64.0.0.0/3: no private or special address is in there.
    Ipv4Addr::from_bits(0x4000_0000 | random.below(1 << 29) as u32).into()
}

/// The address of a NIC that no table covers.
fn stranger(random: &mut Random, is_ipv6: bool) -> IpAddr {
    if is_ipv6 {
        return Ipv6Addr::from_bits(0xFD77 << 112 | u128::from(random.below(4))).into();
    }
    Ipv4Addr::from_bits(0xAC1F_0000 | random.below(4) as u32).into()
}

/// A port of a client. Below these lie the ports of tunnels, and what comes back to one may look
/// like a tunnel's packet.
///
/// Source: RFC 6335, section 6: dynamic ports are 49152 to 65535.
fn ephemeral_port(random: &mut Random) -> u16 {
    49_152 + random.below(16_384) as u16
}

fn service(random: &mut Random) -> (u8, u16) {
    const TCP_PORTS: [u16; 6] = [443, 80, 22, 1433, 3389, 445];
    const UDP_PORTS: [u16; 3] = [53, 123, 443];
    if random.percent(80) {
        (protocol::TCP, *random.pick(&TCP_PORTS))
    } else {
        (protocol::UDP, *random.pick(&UDP_PORTS))
    }
}
