//! CIDR blocks of both families.

use std::fmt;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::str::FromStr;

/// An address prefix: the addresses that share its first `length` bits.
///
/// Bits below the prefix length are zero, always: [`AddressPrefix::new`] clears them, so that
/// `10.0.0.5/24` and `10.0.0.0/24` are one value.
///
/// Prefixes order by family (IPv4 first), then address, then length, which puts a prefix directly
/// before the more specific ones inside it.
///
/// # Examples
///
/// ```
/// use nexthop::net::AddressPrefix;
///
/// let prefix: AddressPrefix = "10.13.77.0/24".parse()?;
/// assert!(prefix.contains("10.13.77.255".parse()?));
/// assert!(!prefix.contains("10.13.78.0".parse()?));
/// assert_eq!(AddressPrefix::new("10.13.77.9".parse()?, 24)?, prefix);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct AddressPrefix {
    address: IpAddr,
    length: u8,
}

/// Why a text is no address prefix.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum PrefixError {
    /// The part before the slash is not an IPv4 or IPv6 address.
    #[error("`{text}` is not an IP address prefix")]
    NotAnAddress {
        /// The whole text.
        text: String,
    },
    /// The part after the slash is not a number that the family allows.
    #[error("the prefix length of `{text}` is not a number from 0 to {length_max}")]
    Length {
        /// The whole text.
        text: String,
        /// 32 or 128.
        length_max: u8,
    },
}

impl AddressPrefix {
    /// Every IPv4 address.
    pub const IPV4_ALL: Self = Self { address: IpAddr::V4(Ipv4Addr::UNSPECIFIED), length: 0 };
    /// Every IPv6 address.
    pub const IPV6_ALL: Self = Self { address: IpAddr::V6(Ipv6Addr::UNSPECIFIED), length: 0 };

    /// Returns the prefix of `length` bits that holds `address`, clearing the bits below it.
    ///
    /// # Errors
    ///
    /// [`PrefixError::Length`] when `length` exceeds the family's bits.
    pub fn new(address: IpAddr, length: u8) -> Result<Self, PrefixError> {
        let length_max = bits_of(address);
        if length > length_max {
            return Err(PrefixError::Length { text: format!("{address}/{length}"), length_max });
        }
        Ok(Self { address: truncated(address, length), length })
    }

    /// Returns the prefix that holds `address` alone: /32 or /128.
    pub fn host(address: IpAddr) -> Self {
        Self { address, length: bits_of(address) }
    }

    /// Returns the first address.
    pub fn address(self) -> IpAddr {
        self.address
    }

    /// Returns the number of leading bits.
    pub fn length(self) -> u8 {
        self.length
    }

    /// Returns true for an IPv4 prefix.
    pub fn is_ipv4(self) -> bool {
        self.address.is_ipv4()
    }

    /// Returns the last address.
    pub fn last_address(self) -> IpAddr {
        match self.address {
            IpAddr::V4(first) => {
                IpAddr::V4(Ipv4Addr::from_bits(first.to_bits() | !mask_v4(self.length)))
            }
            IpAddr::V6(first) => {
                IpAddr::V6(Ipv6Addr::from_bits(first.to_bits() | !mask_v6(self.length)))
            }
        }
    }

    /// Returns true when `address` is of the prefix's family and inside it.
    pub fn contains(self, address: IpAddr) -> bool {
        self.address.is_ipv4() == address.is_ipv4()
            && truncated(address, self.length) == self.address
    }

    /// Returns true when every address of `other` is in `self`; a prefix covers itself.
    pub fn covers(self, other: Self) -> bool {
        self.length <= other.length && self.contains(other.address)
    }

    /// Returns true when the two share an address.
    pub fn overlaps(self, other: Self) -> bool {
        self.covers(other) || other.covers(self)
    }
}

impl FromStr for AddressPrefix {
    type Err = PrefixError;

    /// Reads `address/length`; a bare address is the prefix of that address alone.
    fn from_str(text: &str) -> Result<Self, PrefixError> {
        let not_an_address = || PrefixError::NotAnAddress { text: text.to_owned() };
        let Some((address, length)) = text.split_once('/') else {
            return text.parse().map(Self::host).map_err(|_| not_an_address());
        };
        let address: IpAddr = address.parse().map_err(|_| not_an_address())?;
        let bad_length =
            || PrefixError::Length { text: text.to_owned(), length_max: bits_of(address) };
        // `u8::from_str` would take "+8".
        if length.is_empty() || !length.bytes().all(|byte| byte.is_ascii_digit()) {
            return Err(bad_length());
        }
        let length = length.parse().map_err(|_| bad_length())?;
        Self::new(address, length).map_err(|_| bad_length())
    }
}

impl fmt::Display for AddressPrefix {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.address, self.length)
    }
}

impl fmt::Debug for AddressPrefix {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

fn bits_of(address: IpAddr) -> u8 {
    if address.is_ipv4() { 32 } else { 128 }
}

fn truncated(address: IpAddr, length: u8) -> IpAddr {
    match address {
        IpAddr::V4(address) => IpAddr::V4(Ipv4Addr::from_bits(address.to_bits() & mask_v4(length))),
        IpAddr::V6(address) => IpAddr::V6(Ipv6Addr::from_bits(address.to_bits() & mask_v6(length))),
    }
}

fn mask_v4(length: u8) -> u32 {
    // A shift by the whole width is undefined for integers, hence the check.
    u32::MAX.checked_shl(32 - u32::from(length)).unwrap_or(0)
}

fn mask_v6(length: u8) -> u128 {
    u128::MAX.checked_shl(128 - u32::from(length)).unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn prefix(text: &str) -> AddressPrefix {
        text.parse().expect(text)
    }

    #[test]
    fn host_bits_are_cleared() {
        for (text, want) in [
            ("10.0.0.5/24", "10.0.0.0/24"),
            ("255.255.255.255/0", "0.0.0.0/0"),
            ("10.0.0.5", "10.0.0.5/32"),
            ("fd00::1/64", "fd00::/64"),
            ("ffff::1/0", "::/0"),
            ("::1", "::1/128"),
        ] {
            assert_eq!(prefix(text).to_string(), want, "{text}");
        }
    }

    #[test]
    fn edges_belong_to_the_prefix_and_their_neighbours_do_not() {
        let subnet = prefix("10.0.1.0/30");
        for (address, inside) in
            [("10.0.0.255", false), ("10.0.1.0", true), ("10.0.1.3", true), ("10.0.1.4", false)]
        {
            assert_eq!(subnet.contains(address.parse().unwrap()), inside, "{address}");
        }
        assert!(!prefix("::/0").contains("10.0.0.1".parse().unwrap()));
        assert!(!prefix("0.0.0.0/0").contains("::1".parse().unwrap()));
        assert_eq!(subnet.last_address().to_string(), "10.0.1.3");
        assert_eq!(prefix("fd00::/127").last_address().to_string(), "fd00::1");
    }

    #[test]
    fn covering_is_by_length_and_address() {
        assert!(prefix("10.0.0.0/8").covers(prefix("10.1.0.0/16")));
        assert!(prefix("10.0.0.0/8").covers(prefix("10.0.0.0/8")));
        assert!(!prefix("10.1.0.0/16").covers(prefix("10.0.0.0/8")));
        assert!(prefix("10.1.0.0/16").overlaps(prefix("10.0.0.0/8")));
        assert!(!prefix("10.1.0.0/16").overlaps(prefix("10.2.0.0/16")));
    }

    #[test]
    fn texts_that_are_no_prefix() {
        for text in [
            "",
            "/",
            "10.0.0.0/",
            "10.0.0.0/33",
            "::/129",
            "10.0.0/8",
            "10.0.0.0/+8",
            "10.0.0.0/8/8",
            "Storage",
            "10.0.0.0/256",
            "10.0.0.0/-1",
            " 10.0.0.0/8",
        ] {
            assert!(text.parse::<AddressPrefix>().is_err(), "{text:?}");
        }
    }
}
