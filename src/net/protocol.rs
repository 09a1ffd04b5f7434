//! IP protocol numbers and their names in the output.
//!
//! Source: IANA, Assigned Internet Protocol Numbers (read 2026-11-20).

/// ICMP for IPv4.
pub const ICMP: u8 = 1;
/// TCP.
pub const TCP: u8 = 6;
/// UDP.
pub const UDP: u8 = 17;
/// ICMP for IPv6.
pub const ICMPV6: u8 = 58;

/// Returns the `L4Protocol` text where it is a word: `T` and `U` as in Azure's logs, `ICMP` for
/// both families. Any other protocol is printed as its number.
///
/// # Examples
///
/// ```
/// use nexthop::net::protocol;
///
/// assert_eq!(protocol::name(protocol::TCP), Some("T"));
/// assert_eq!(protocol::name(47), None);
/// ```
pub fn name(protocol: u8) -> Option<&'static str> {
    match protocol {
        TCP => Some("T"),
        UDP => Some("U"),
        ICMP | ICMPV6 => Some("ICMP"),
        _ => None,
    }
}
