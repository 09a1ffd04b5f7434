//! Longest-prefix match.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use nexthop::lpm::{LpmKind, LpmTable, NaiveTable, RangeTable, Route};
use nexthop::net::AddressPrefix;

use super::options;

/// Any routes, in any engine, equal the naive router at the edges of every prefix.
pub fn equals_naive(data: &[u8]) {
    let Some(([engine], mut rest)) = options(data) else { return };
    // DIR-24-8 takes 32 MiB a table. By a sum it comes up seldom, however well its inputs do.
    let sum: u32 = data.iter().map(|&byte| u32::from(byte)).sum();
    let is_large = engine == 0xFF && sum.is_multiple_of(64);
    let kind = if is_large { LpmKind::Dir24_8 } else { LpmKind::Poptrie };
    let mut routes: Vec<Route> = Vec::new();
    while let Some((fields, after)) = options::<8>(rest)
        && routes.len() < ROUTES_MAX
    {
        routes.push(route(fields));
        rest = after;
    }
    let table = LpmTable::compile_as(kind, &routes).expect("few routes, and no value 0");
    let naive = NaiveTable::compile(&routes);
    let wide: Vec<_> = routes.iter().map(|&(prefix, value)| (prefix, u32::from(value))).collect();
    let ranges = RangeTable::compile(&wide);
    let probes: Vec<IpAddr> = routes.iter().flat_map(|(prefix, _)| edges(*prefix)).collect();
    for &probe in &probes {
        let want = naive.lookup(probe).unwrap_or(0);
        assert_eq!(table.lookup(probe), want, "{kind} of {probe}");
        assert_eq!(ranges.lookup(probe).unwrap_or(0), u32::from(want), "ranges of {probe}");
    }
    assert_batches(&table, &probes);
}

const ROUTES_MAX: usize = 64;

fn assert_batches(table: &LpmTable, probes: &[IpAddr]) {
    let (mut v4, mut v6) = (Vec::new(), Vec::new());
    for probe in probes {
        match probe {
            IpAddr::V4(address) => v4.push(address.to_bits()),
            IpAddr::V6(address) => v6.push(address.to_bits()),
        }
    }
    let mut values = vec![u16::MAX; v4.len()];
    table.lookup_v4_batch(&v4, &mut values);
    for (address, value) in v4.iter().zip(values) {
        assert_eq!(table.lookup_v4(*address), value, "{} in a batch", Ipv4Addr::from(*address));
    }
    let mut values = vec![u16::MAX; v6.len()];
    table.lookup_v6_batch(&v6, &mut values);
    for (address, value) in v6.iter().zip(values) {
        assert_eq!(table.lookup_v6(*address), value, "{} in a batch", Ipv6Addr::from(*address));
    }
}

/// An even value is IPv4, an odd one IPv6, whose four bytes stand at the front or, with the next
/// bit set, at the end of an address.
fn route([length, value, also_value, kind, a, b, c, d]: [u8; 8]) -> Route {
    let bits = u32::from_be_bytes([a, b, c, d]);
    let (address, length_max) = match kind % 4 {
        0 | 2 => (IpAddr::V4(Ipv4Addr::from(bits)), 33),
        1 => (IpAddr::V6(Ipv6Addr::from(u128::from(bits) << 96)), 129),
        _ => (IpAddr::V6(Ipv6Addr::from(u128::MAX << 32 | u128::from(bits))), 129),
    };
    let prefix = AddressPrefix::new(address, length % length_max).expect("the family's length");
    (prefix, u16::from_be_bytes([also_value, value]).max(1))
}

fn edges(prefix: AddressPrefix) -> [IpAddr; 4] {
    let moved = |address: IpAddr, by: i8| match address {
        IpAddr::V4(address) => {
            IpAddr::V4(Ipv4Addr::from(address.to_bits().wrapping_add_signed(by.into())))
        }
        IpAddr::V6(address) => {
            IpAddr::V6(Ipv6Addr::from(address.to_bits().wrapping_add_signed(by.into())))
        }
    };
    let (first, last) = (prefix.address(), prefix.last_address());
    [moved(first, -1), first, last, moved(last, 1)]
}
