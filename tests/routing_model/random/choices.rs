//! Choices among few things.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use nexthop::azure::resources::ResourceId;
use nexthop::net::AddressPrefix;

use crate::support::random::SplitMix64;

/// What topologies are drawn with, besides plain numbers.
pub trait Choices {
    fn octet(&mut self, limit: u64) -> u8;
    fn one_in(&mut self, count: u64) -> bool;
    fn pick<'l, T>(&mut self, list: &'l [T]) -> Option<&'l T>;
    /// A prefix inside `outer` that is up to `bits` longer.
    fn longer(&mut self, outer: AddressPrefix, bits: u64) -> AddressPrefix;
    /// A prefix around `inner` that is up to `bits` shorter.
    fn shorter(&mut self, inner: AddressPrefix, bits: u64) -> AddressPrefix;
    fn inside(&mut self, prefix: AddressPrefix) -> IpAddr;
    /// References are written in any case.
    fn recased(&mut self, id: &ResourceId) -> ResourceId;
}

impl Choices for SplitMix64 {
    fn octet(&mut self, limit: u64) -> u8 {
        self.below(limit) as u8
    }

    fn one_in(&mut self, count: u64) -> bool {
        self.below(count) == 0
    }

    fn pick<'l, T>(&mut self, list: &'l [T]) -> Option<&'l T> {
        list.get(self.below(list.len().max(1) as u64) as usize)
    }

    fn longer(&mut self, outer: AddressPrefix, bits: u64) -> AddressPrefix {
        let length_max = if outer.is_ipv4() { 32 } else { 128 };
        let length = (outer.length() + 1 + self.octet(bits)).min(length_max);
        AddressPrefix::new(self.inside(outer), length).expect("the family's length")
    }

    fn shorter(&mut self, inner: AddressPrefix, bits: u64) -> AddressPrefix {
        let length = inner.length().saturating_sub(1 + self.octet(bits));
        AddressPrefix::new(inner.address(), length).expect("the family's length")
    }

    fn inside(&mut self, prefix: AddressPrefix) -> IpAddr {
        match (prefix.address(), prefix.last_address()) {
            (IpAddr::V4(first), IpAddr::V4(last)) => {
                let host_mask = first.to_bits() ^ last.to_bits();
                Ipv4Addr::from(first.to_bits() | (self.next() as u32 & host_mask)).into()
            }
            (IpAddr::V6(first), IpAddr::V6(last)) => {
                let host_mask = first.to_bits() ^ last.to_bits();
                let bits = u128::from(self.next()) << 64 | u128::from(self.next());
                Ipv6Addr::from(first.to_bits() | (bits & host_mask)).into()
            }
            _ => unreachable!("both ends of a prefix are of one family"),
        }
    }

    fn recased(&mut self, id: &ResourceId) -> ResourceId {
        match self.below(4) {
            0 => ResourceId::new(id.as_str().to_uppercase()),
            1 => ResourceId::new(id.as_str().to_lowercase()),
            _ => id.clone(),
        }
    }
}
