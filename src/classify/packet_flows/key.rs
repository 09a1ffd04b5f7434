//! The key of a flow: both ends in a fixed order, so that both directions are one flow.

use std::cmp::Ordering;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

/// Both ends of a flow, the lower first, in as many words as its addresses take: 1 for IPv4, 4 for
/// IPv6.
///
/// ```text
/// rest  low port 16 | high port 16 | protocol 8 | has ports 8 | unused 16
/// ```
///
/// A port of 0 is not a missing one. The unused bits are 0 here; an entry of a table keeps its own
/// there.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Key<const WORDS: usize> {
    pub(super) addresses: [u64; WORDS],
    pub(super) rest: u64,
}

/// The bits of [`Key::rest`] that tell flows apart.
pub(super) const KEY_BITS: u64 = !0xFFFF;

/// What is asked of keys of either family.
pub(super) trait Ends {
    /// Returns the lower and the higher address.
    fn addresses(&self) -> (IpAddr, IpAddr);
}

/// One side of a packet.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct End<A> {
    pub(super) address: A,
    pub(super) port: u16,
}

impl Key<1> {
    /// Returns the key, and whether the lower end sent the packet.
    #[inline(always)]
    pub(super) fn v4(
        source: End<Ipv4Addr>,
        destination: End<Ipv4Addr>,
        protocol: u8,
        has_ports: bool,
    ) -> (Self, bool) {
        let word =
            |end: End<Ipv4Addr>| u64::from(end.address.to_bits()) << 16 | u64::from(end.port);
        let (from, to) = (word(source), word(destination));
        let is_from_low = from <= to;
        let (low, high) = if is_from_low { (from, to) } else { (to, from) };
        let key = Self {
            addresses: [low >> 16 << 32 | high >> 16],
            rest: rest(low as u16, high as u16, protocol, has_ports),
        };
        (key, is_from_low)
    }
}

impl Key<4> {
    /// Returns the key, and whether the lower end sent the packet.
    #[inline]
    pub(super) fn v6(
        source: End<Ipv6Addr>,
        destination: End<Ipv6Addr>,
        protocol: u8,
        has_ports: bool,
    ) -> (Self, bool) {
        let is_from_low = source <= destination;
        let (low, high) = if is_from_low { (source, destination) } else { (destination, source) };
        let halves = |address: Ipv6Addr| {
            let bits = address.to_bits();
            [(bits >> 64) as u64, bits as u64]
        };
        let ([a, b], [c, d]) = (halves(low.address), halves(high.address));
        let key =
            Self { addresses: [a, b, c, d], rest: rest(low.port, high.port, protocol, has_ports) };
        (key, is_from_low)
    }
}

impl Ends for Key<1> {
    fn addresses(&self) -> (IpAddr, IpAddr) {
        let [both] = self.addresses;
        let address = |bits: u64| IpAddr::from(Ipv4Addr::from_bits(bits as u32));
        (address(both >> 32), address(both))
    }
}

impl Ends for Key<4> {
    fn addresses(&self) -> (IpAddr, IpAddr) {
        let [a, b, c, d] = self.addresses;
        let address = |high: u64, low: u64| {
            IpAddr::from(Ipv6Addr::from_bits(u128::from(high) << 64 | u128::from(low)))
        };
        (address(a, b), address(c, d))
    }
}

impl<const WORDS: usize> Key<WORDS> {
    /// Returns the ports of the lower and the higher end.
    pub(super) fn ports(&self) -> Option<(u16, u16)> {
        let has_ports = self.rest >> 16 & 1 != 0;
        has_ports.then_some(((self.rest >> 48) as u16, (self.rest >> 32) as u16))
    }

    pub(super) fn protocol(&self) -> u8 {
        (self.rest >> 24) as u8
    }

    /// Returns 32 bits that depend on every bit of the key, and on seeds that nobody outside knows:
    /// with fixed ones an attacker could craft flows that collide.
    #[inline(always)]
    pub(super) fn hash(&self, seeds: &Seeds) -> u32 {
        let mut hash = seeds.0;
        for word in self.addresses {
            hash = folded(hash ^ word, seeds.1);
        }
        (folded(hash ^ self.rest, seeds.1) >> 32) as u32
    }
}

impl<const WORDS: usize> Key<WORDS>
where
    Self: Ends,
{
    /// Orders by the lower end, the higher end, and the protocol.
    pub(super) fn order(&self, other: &Self) -> Ordering {
        let parts = |key: &Self| {
            let (low, high) = key.addresses();
            let ports = key.ports();
            let (low_port, high_port) = ports.unwrap_or_default();
            (low, low_port, high, high_port, key.protocol(), ports.is_some())
        };
        parts(self).cmp(&parts(other))
    }
}

/// What the hashes of one run depend on.
#[derive(Clone, Copy, Debug)]
pub(in crate::classify) struct Seeds(u64, u64);

impl Seeds {
    /// Draws seeds; no output depends on them.
    pub(in crate::classify) fn random() -> Self {
        let state = ahash::RandomState::new();
        // An even factor would lose a bit of every product.
        Self(state.hash_one(0), state.hash_one(1) | 1)
    }
}

/// The two halves of a product of 128 bits, one upon the other: each bit of either factor reaches
/// about half of the result.
#[inline(always)]
fn folded(a: u64, b: u64) -> u64 {
    let product = u128::from(a).wrapping_mul(u128::from(b));
    product as u64 ^ (product >> 64) as u64
}

#[inline(always)]
fn rest(low_port: u16, high_port: u16, protocol: u8, has_ports: bool) -> u64 {
    u64::from(low_port) << 48
        | u64::from(high_port) << 32
        | u64::from(protocol) << 24
        | u64::from(has_ports) << 16
}
