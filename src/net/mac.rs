//! Ethernet addresses as Azure writes them.

use std::fmt;
use std::str::FromStr;

/// A MAC address.
///
/// Azure writes it in two ways, and both are read: `000D3A359573` in flow logs and
/// `00-0D-3A-35-95-73` in network interfaces. It is printed as in flow logs.
///
/// # Examples
///
/// ```
/// use nexthop::net::MacAddress;
///
/// let mac: MacAddress = "00-0d-3a-35-95-73".parse()?;
/// assert_eq!(mac, "000D3A359573".parse()?);
/// assert_eq!(mac.to_string(), "000D3A359573");
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct MacAddress([u8; 6]);

/// A text that is no MAC address.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("`{text}` is not a MAC address of 12 hexadecimal digits")]
pub struct MacParseError {
    text: String,
}

impl MacAddress {
    /// Wraps six bytes in transmission order.
    pub fn new(bytes: [u8; 6]) -> Self {
        Self(bytes)
    }

    /// Returns the six bytes in transmission order.
    pub fn bytes(self) -> [u8; 6] {
        self.0
    }
}

impl FromStr for MacAddress {
    type Err = MacParseError;

    fn from_str(text: &str) -> Result<Self, MacParseError> {
        parse(text.as_bytes()).map(Self).ok_or_else(|| MacParseError { text: text.to_owned() })
    }
}

impl fmt::Display for MacAddress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|byte| write!(f, "{byte:02X}"))
    }
}

impl fmt::Debug for MacAddress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

fn parse(text: &[u8]) -> Option<[u8; 6]> {
    let step = match text.len() {
        12 => 2,
        17 => 3,
        _ => return None,
    };
    let mut bytes = [0; 6];
    for (byte, digits) in bytes.iter_mut().zip(text.chunks(step)) {
        if digits.len() == 3 && !matches!(digits[2], b'-' | b':') {
            return None;
        }
        *byte = hex(digits[0])? << 4 | hex(digits[1])?;
    }
    Some(bytes)
}

fn hex(digit: u8) -> Option<u8> {
    char::from(digit).to_digit(16).and_then(|value| u8::try_from(value).ok())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_spelling_is_one_address() {
        let want = MacAddress::new([0x00, 0x0D, 0x3A, 0xF8, 0x78, 0x56]);
        for text in ["000D3AF87856", "000d3af87856", "00-0D-3A-F8-78-56", "00:0d:3a:f8:78:56"] {
            assert_eq!(text.parse(), Ok(want), "{text}");
        }
    }

    #[test]
    fn other_texts_are_refused() {
        for text in [
            "",
            "000D3AF8785",
            "000D3AF878567",
            "000D3AF8785G",
            "00.0D.3A.F8.78.56",
            "00-0D-3A-F8-78-5",
            "+00D3AF87856",
        ] {
            assert!(text.parse::<MacAddress>().is_err(), "{text:?}");
        }
    }
}
