//! Random tables that are shaped like Azure's, and where to probe them.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use nexthop::lpm::Route;
use nexthop::net::AddressPrefix;

use super::random::SplitMix64;

/// The lengths where strides, tables and families begin and end.
const LENGTHS_V4: [u8; 14] = [0, 1, 8, 14, 15, 16, 17, 22, 23, 24, 25, 26, 31, 32];
const LENGTHS_V6: [u8; 12] = [0, 1, 18, 48, 56, 64, 65, 96, 120, 126, 127, 128];

/// Blocks that Azure's tables are made of, and both ends of the address space.
const BLOCKS: [&str; 14] = [
    "10.0.0.0/8",
    "172.16.0.0/12",
    "192.168.0.0/16",
    "100.64.0.0/10",
    "20.33.0.0/16",
    "168.63.129.16/32",
    "0.0.0.0/8",
    "255.0.0.0/8",
    "fd00::/8",
    "fe80::/10",
    "2603:1000::/24",
    "2001:db8::/32",
    "::/64",
    "ffff:ffff:ffff:ffff::/64",
];

/// Makes 8 to 120 routes, now and then 300: with and without /0, nested, adjacent, repeated.
pub fn random_routes(random: &mut SplitMix64) -> Vec<Route> {
    let count = if random.below(16) == 0 { 300 } else { 8 + random.below(113) as usize };
    let value_kind = random.below(4);
    let mut routes: Vec<Route> = Vec::with_capacity(count);
    for default_route in [AddressPrefix::IPV4_ALL, AddressPrefix::IPV6_ALL] {
        if random.below(2) == 0 {
            routes.push((default_route, random_value(random, value_kind)));
        }
    }
    while routes.len() < count {
        let earlier = match routes.len() {
            0 => None,
            len => Some(routes[random.below(len as u64) as usize].0),
        };
        let prefix = match (random.below(16), earlier) {
            (0..=7, Some(earlier)) => longer(random, earlier),
            (8..=9, Some(earlier)) => sibling(earlier),
            (10, Some(earlier)) => earlier,
            (11, Some(earlier)) => {
                let last = earlier.last_address();
                let length = if last.is_ipv4() { 32 } else { 128 };
                AddressPrefix::new(last, length - random.below(3) as u8).expect("a host or so")
            }
            _ => {
                let block = BLOCKS[random.below(BLOCKS.len() as u64) as usize];
                longer(random, block.parse().expect(block))
            }
        };
        routes.push((prefix, random_value(random, value_kind)));
    }
    routes
}

/// Few values merge often, many never; the greatest one and its neighbours are cases of their own.
fn random_value(random: &mut SplitMix64, kind: u64) -> u16 {
    match kind {
        0 => 1 + random.below(2) as u16,
        1 => 1 + random.below(40) as u16,
        2 => u16::MAX - random.below(3) as u16,
        _ => 1 + random.below(65_535) as u16,
    }
}

/// Returns a prefix inside `outer` (or itself, where no longer length is left).
fn longer(random: &mut SplitMix64, outer: AddressPrefix) -> AddressPrefix {
    let lengths: &[u8] = if outer.is_ipv4() { &LENGTHS_V4 } else { &LENGTHS_V6 };
    let longer_lengths: Vec<u8> =
        lengths.iter().copied().filter(|&length| length > outer.length()).collect();
    if longer_lengths.is_empty() {
        return outer;
    }
    let length = longer_lengths[random.below(longer_lengths.len() as u64) as usize];
    AddressPrefix::new(random_inside(random, outer), length).expect("the family's length")
}

/// Returns the other half of the prefix one bit shorter.
pub fn sibling(prefix: AddressPrefix) -> AddressPrefix {
    let length = prefix.length();
    let address = match prefix.address() {
        _ if length == 0 => return prefix,
        IpAddr::V4(address) => Ipv4Addr::from(address.to_bits() ^ (1 << (32 - length))).into(),
        IpAddr::V6(address) => Ipv6Addr::from(address.to_bits() ^ (1 << (128 - length))).into(),
    };
    AddressPrefix::new(address, length).expect("the same length")
}

/// Returns the first and the last address, and those just outside; at the ends of the address
/// space these wrap around.
pub fn edges(prefix: AddressPrefix) -> [IpAddr; 4] {
    let (first, last) = (prefix.address(), prefix.last_address());
    [moved(first, -1), first, last, moved(last, 1)]
}

fn moved(address: IpAddr, by: i8) -> IpAddr {
    match address {
        IpAddr::V4(address) => {
            Ipv4Addr::from(address.to_bits().wrapping_add_signed(by.into())).into()
        }
        IpAddr::V6(address) => {
            Ipv6Addr::from(address.to_bits().wrapping_add_signed(by.into())).into()
        }
    }
}

pub fn random_inside(random: &mut SplitMix64, prefix: AddressPrefix) -> IpAddr {
    match (prefix.address(), prefix.last_address()) {
        (IpAddr::V4(first), IpAddr::V4(last)) => {
            let host_mask = first.to_bits() ^ last.to_bits();
            Ipv4Addr::from(first.to_bits() | (random.next() as u32 & host_mask)).into()
        }
        (IpAddr::V6(first), IpAddr::V6(last)) => {
            let host_mask = first.to_bits() ^ last.to_bits();
            let bits = u128::from(random.next()) << 64 | u128::from(random.next());
            Ipv6Addr::from(first.to_bits() | (bits & host_mask)).into()
        }
        _ => unreachable!("both ends of a prefix are of one family"),
    }
}
