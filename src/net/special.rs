//! Address blocks with a meaning of their own.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

/// The host-virtual address of Azure's DNS, DHCP and health probes.
///
/// Source: Microsoft, "What is IP address 168.63.129.16?" (read 2026-11-20).
pub const AZURE_WIRE_SERVER: Ipv4Addr = Ipv4Addr::new(168, 63, 129, 16);

/// Returns true for an address that Azure's platform answers itself and that no route can
/// redirect: 168.63.129.16, link-local, multicast and the limited broadcast.
///
/// The broadcast address of a subnet is platform too, but only a snapshot knows the subnets.
///
/// # Examples
///
/// ```
/// use nexthop::net::special::is_platform;
///
/// assert!(is_platform("168.63.129.16".parse()?));
/// assert!(is_platform("169.254.169.254".parse()?));
/// assert!(!is_platform("10.0.0.1".parse()?));
/// # Ok::<(), std::net::AddrParseError>(())
/// ```
pub fn is_platform(address: IpAddr) -> bool {
    match address {
        IpAddr::V4(address) => {
            address == AZURE_WIRE_SERVER
                || address.is_link_local()
                || address.is_multicast()
                || address.is_broadcast()
        }
        IpAddr::V6(address) => address.is_unicast_link_local() || address.is_multicast(),
    }
}

/// Returns true for an address of the Internet: outside private space (RFC 1918, RFC 6598,
/// RFC 4193) and outside the special blocks (unspecified, loopback, link-local, multicast,
/// reserved). Documentation ranges count as Internet, as they do in published examples.
///
/// # Examples
///
/// ```
/// use nexthop::net::special::is_internet;
///
/// assert!(is_internet("8.8.8.8".parse()?));
/// assert!(is_internet("203.0.113.9".parse()?));
/// assert!(!is_internet("100.64.0.1".parse()?));
/// assert!(!is_internet("fd00::1".parse()?));
/// # Ok::<(), std::net::AddrParseError>(())
/// ```
pub fn is_internet(address: IpAddr) -> bool {
    match address {
        IpAddr::V4(address) => {
            !(is_platform(IpAddr::V4(address)) || is_private_v4(address) || is_special_v4(address))
        }
        IpAddr::V6(address) => {
            !(is_platform(IpAddr::V6(address))
                || address.is_unique_local()
                || address.is_loopback()
                || address.is_unspecified()
                || is_mapped(address))
        }
    }
}

fn is_private_v4(address: Ipv4Addr) -> bool {
    let shared = address.octets()[0] == 100 && address.octets()[1] & 0xC0 == 64;
    address.is_private() || shared
}

fn is_special_v4(address: Ipv4Addr) -> bool {
    matches!(address.octets()[0], 0 | 127 | 240..=255)
}

fn is_mapped(address: Ipv6Addr) -> bool {
    address.to_ipv4_mapped().is_some()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn blocks_at_their_edges() {
        for (text, platform, internet) in [
            ("168.63.129.15", false, true),
            ("168.63.129.16", true, false),
            ("168.63.129.17", false, true),
            ("169.253.255.255", false, true),
            ("169.254.0.0", true, false),
            ("169.255.0.0", false, true),
            ("223.255.255.255", false, true),
            ("224.0.0.0", true, false),
            ("240.0.0.1", false, false),
            ("255.255.255.255", true, false),
            ("9.255.255.255", false, true),
            ("10.0.0.0", false, false),
            ("11.0.0.0", false, true),
            ("100.63.255.255", false, true),
            ("100.64.0.0", false, false),
            ("100.127.255.255", false, false),
            ("100.128.0.0", false, true),
            ("172.32.0.0", false, true),
            ("172.31.255.255", false, false),
            ("127.0.0.1", false, false),
            ("0.0.0.0", false, false),
            ("192.0.2.1", false, true),
            ("fe80::1", true, false),
            ("febf::1", true, false),
            ("ff02::1", true, false),
            ("fc00::1", false, false),
            ("::1", false, false),
            ("2001:db8::1", false, true),
            ("2603:1030::1", false, true),
        ] {
            let address = text.parse().unwrap();
            assert_eq!(is_platform(address), platform, "{text}");
            assert_eq!(is_internet(address), internet, "{text}");
        }
    }
}
