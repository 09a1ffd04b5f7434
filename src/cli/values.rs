//! Values of options: text → type.

use std::net::IpAddr;
use std::num::IntErrorKind;
use std::str::FromStr;

use crate::report::{
    Column, ColumnListError, parse_columns, parse_replay_columns, parse_verify_columns,
};
use crate::traffic::capture::Tunnel;

/// A number of bytes: `512MiB`, `1GiB`, `1G`, `64KB` or plain digits.
///
/// K, M, G, T and KiB, MiB, GiB, TiB are powers of 1,024; KB, MB, GB, TB are powers of 1,000.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Size(pub usize);

/// How many damaged records are no failure: a number, or a share of the records read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SkipLimit {
    /// A number of records.
    Records(u64),
    /// A share, in millionths of a percent, so that comparing is exact.
    Share {
        /// 100,000,000 is all of them.
        percent_millionths: u32,
    },
}

/// The value of `--columns`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ColumnList(pub Vec<Column>);

/// The value of `--columns` of `verify`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct VerifyColumnList(pub Vec<Column>);

/// The value of `--columns` of `replay`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ReplayColumnList(pub Vec<Column>);

/// The value of `--decapsulate`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TunnelList(pub Vec<Tunnel>);

/// What `explain` looks up.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ExplainDestination {
    /// An address.
    Address(IpAddr),
    /// The members of backend pools: `pool:GATEWAY` or `pool:GATEWAY/POOL`.
    Pool(String),
}

/// A share from 0 to 100 percent, with or without the sign: `5`, `2.5%`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Percent {
    millionths: u32,
}

/// Why a value cannot be used.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ValueError {
    /// No size.
    #[error("a size is a whole number above 0 with or without a unit: 512MiB, 1GiB, 1G, 1000000")]
    Size,
    /// More than this machine can address.
    #[error("the size is more than this machine can address")]
    SizeTooLarge,
    /// No limit.
    #[error("a limit is a number of records, or a share from 0% to 100% with up to six decimals")]
    SkipLimit,
    /// Nothing to look up.
    #[error("`{text}` is no address, nor pool:GATEWAY or pool:GATEWAY/POOL")]
    Destination {
        /// As given.
        text: String,
    },
    /// No percentage.
    #[error("a percentage is from 0 to 100, with up to six decimals")]
    Percent,
    /// No list of tunnels.
    #[error(
        "`{text}` is no tunnel; the list may hold vxlan:PORT, gre, ipip, geneve and mpls, or is none"
    )]
    Tunnel {
        /// As given.
        text: String,
    },
}

impl SkipLimit {
    /// Returns true when so many damaged records are within the limit.
    pub fn allows(self, damaged: u64, read: u64) -> bool {
        match self {
            Self::Records(records) => damaged <= records,
            Self::Share { percent_millionths } => {
                u128::from(damaged) * 100_000_000
                    <= u128::from(percent_millionths) * u128::from(read)
            }
        }
    }
}

impl FromStr for ExplainDestination {
    type Err = ValueError;

    fn from_str(text: &str) -> Result<Self, ValueError> {
        if let Ok(address) = text.parse() {
            return Ok(Self::Address(address));
        }
        match text.split_once(':') {
            Some(("pool", name)) if !name.is_empty() => Ok(Self::Pool(name.to_owned())),
            _ => Err(ValueError::Destination { text: text.to_owned() }),
        }
    }
}

impl Percent {
    /// Returns the percentage.
    pub fn percent(self) -> f64 {
        f64::from(self.millionths) / 1e6
    }
}

impl FromStr for Percent {
    type Err = ValueError;

    fn from_str(text: &str) -> Result<Self, ValueError> {
        let number = text.strip_suffix('%').unwrap_or(text);
        match percent_millionths(number) {
            Some(millionths) if !number.is_empty() => Ok(Self { millionths }),
            _ => Err(ValueError::Percent),
        }
    }
}

impl FromStr for Size {
    type Err = ValueError;

    fn from_str(text: &str) -> Result<Self, ValueError> {
        let digits = text.bytes().take_while(u8::is_ascii_digit).count();
        let (number, unit) = text.split_at(digits);
        let factor: u64 = match unit.trim_start().to_ascii_lowercase().as_str() {
            "" | "b" => 1,
            "k" | "kib" => 1 << 10,
            "m" | "mib" => 1 << 20,
            "g" | "gib" => 1 << 30,
            "t" | "tib" => 1 << 40,
            "kb" => 1_000,
            "mb" => 1_000_000,
            "gb" => 1_000_000_000,
            "tb" => 1_000_000_000_000,
            _ => return Err(ValueError::Size),
        };
        let number: u64 =
            number.parse().map_err(|error: std::num::ParseIntError| match error.kind() {
                IntErrorKind::PosOverflow => ValueError::SizeTooLarge,
                _ => ValueError::Size,
            })?;
        if number == 0 {
            return Err(ValueError::Size);
        }
        number
            .checked_mul(factor)
            .and_then(|bytes| usize::try_from(bytes).ok())
            .map(Self)
            .ok_or(ValueError::SizeTooLarge)
    }
}

impl FromStr for SkipLimit {
    type Err = ValueError;

    fn from_str(text: &str) -> Result<Self, ValueError> {
        let limit = match text.strip_suffix('%') {
            Some(percent) => percent_millionths(percent)
                .map(|percent_millionths| Self::Share { percent_millionths }),
            None => whole_number(text).map(Self::Records),
        };
        limit.ok_or(ValueError::SkipLimit)
    }
}

impl FromStr for ColumnList {
    type Err = ColumnListError;

    fn from_str(text: &str) -> Result<Self, ColumnListError> {
        parse_columns(text).map(Self)
    }
}

impl FromStr for VerifyColumnList {
    type Err = ColumnListError;

    fn from_str(text: &str) -> Result<Self, ColumnListError> {
        parse_verify_columns(text).map(Self)
    }
}

impl FromStr for ReplayColumnList {
    type Err = ColumnListError;

    fn from_str(text: &str) -> Result<Self, ColumnListError> {
        parse_replay_columns(text).map(Self)
    }
}

impl FromStr for TunnelList {
    type Err = ValueError;

    fn from_str(text: &str) -> Result<Self, ValueError> {
        if text.eq_ignore_ascii_case("none") {
            return Ok(Self(Vec::new()));
        }
        let mut tunnels = Vec::new();
        for word in text.split(',').map(str::trim) {
            let tunnel =
                tunnel(word).ok_or_else(|| ValueError::Tunnel { text: word.to_owned() })?;
            if !tunnels.contains(&tunnel) {
                tunnels.push(tunnel);
            }
        }
        Ok(Self(tunnels))
    }
}

/// Reads a percentage with up to six decimals, exactly.
fn percent_millionths(text: &str) -> Option<u32> {
    let (whole, decimals) = text.split_once('.').unwrap_or((text, "0"));
    if decimals.is_empty() || decimals.len() > 6 {
        return None;
    }
    let missing = 6 - u32::try_from(decimals.len()).ok()?;
    let fraction = whole_number(decimals)? * 10u64.pow(missing);
    let all = whole_number(whole)?.checked_mul(1_000_000)?.checked_add(fraction)?;
    u32::try_from(all).ok().filter(|all| *all <= 100_000_000)
}

/// Reads digits and nothing else: `u64::from_str` would take "+8".
fn whole_number(text: &str) -> Option<u64> {
    text.bytes().all(|byte| byte.is_ascii_digit()).then(|| text.parse().ok())?
}

fn tunnel(word: &str) -> Option<Tunnel> {
    let word = word.to_ascii_lowercase();
    Some(match word.as_str() {
        "gre" => Tunnel::Gre,
        "ipip" => Tunnel::IpInIp,
        "geneve" => Tunnel::Geneve,
        "mpls" => Tunnel::Mpls,
        _ => {
            let port = whole_number(word.strip_prefix("vxlan:")?)?;
            Tunnel::Vxlan { port: u16::try_from(port).ok().filter(|port| *port != 0)? }
        }
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_with_every_unit() {
        for (text, want) in [
            ("1", 1),
            ("1000000", 1_000_000),
            ("512MiB", 512 << 20),
            ("1GiB", 1 << 30),
            ("1G", 1 << 30),
            ("1g", 1 << 30),
            ("64 KiB", 64 << 10),
            ("64KB", 64_000),
            ("3mb", 3_000_000),
            ("2TB", 2_000_000_000_000),
            ("7b", 7),
        ] {
            assert_eq!(text.parse(), Ok(Size(want)), "{text}");
        }
        for text in ["", "0", "0GiB", "GiB", "-1", "+1", "1.5G", "1 G iB", "1X", "1GiBs", "١"] {
            assert_eq!(text.parse::<Size>(), Err(ValueError::Size), "{text}");
        }
        for text in ["18446744073709551616", "16777216T", "18446744073709551615K"] {
            assert_eq!(text.parse::<Size>(), Err(ValueError::SizeTooLarge), "{text}");
        }
    }

    #[test]
    fn limits_are_exact_at_their_edge() {
        for (text, damaged, read, allowed) in [
            ("0", 0, 0, true),
            ("0", 1, 1_000, false),
            ("5", 5, 5, true),
            ("5", 6, 1_000_000, false),
            ("0%", 0, 10, true),
            ("0%", 1, u64::MAX, false),
            ("0.1%", 1, 1_000, true),
            ("0.1%", 2, 1_999, false),
            ("0.1%", 2, 2_000, true),
            ("33.333333%", 1, 3, false),
            ("33.333334%", 1, 3, true),
            ("100%", u64::MAX, u64::MAX, true),
            ("99.999999%", u64::MAX, u64::MAX, false),
        ] {
            let limit: SkipLimit = text.parse().expect(text);
            assert_eq!(limit.allows(damaged, read), allowed, "{text} {damaged}/{read}");
        }
        for text in [
            "",
            "%",
            "-1",
            "+1",
            "1.5",
            "100.000001%",
            "101%",
            "1.%",
            ".5%",
            "0.1234567%",
            "1e3",
            "5 %",
        ] {
            assert_eq!(text.parse::<SkipLimit>(), Err(ValueError::SkipLimit), "{text}");
        }
    }

    #[test]
    fn percentages_with_and_without_the_sign() {
        for (text, want) in [("0", 0.0), ("5", 5.0), ("2.5%", 2.5), ("100%", 100.0)] {
            assert_eq!(text.parse::<Percent>().map(Percent::percent), Ok(want), "{text}");
        }
        for text in ["", "%", "-1", "101", "1e1", "x", "nan", "5%%"] {
            assert_eq!(text.parse::<Percent>(), Err(ValueError::Percent), "{text}");
        }
    }

    #[test]
    fn tunnels_by_their_words() {
        assert_eq!("none".parse(), Ok(TunnelList(vec![])));
        assert_eq!(
            "vxlan:4789, GRE,ipip,geneve,mpls,gre".parse(),
            Ok(TunnelList(vec![
                Tunnel::Vxlan { port: 4789 },
                Tunnel::Gre,
                Tunnel::IpInIp,
                Tunnel::Geneve,
                Tunnel::Mpls,
            ]))
        );
        for text in
            ["", "vxlan", "vxlan:", "vxlan:0", "vxlan:65536", "vxlan:+1", "none,gre", "gre,"]
        {
            assert!(text.parse::<TunnelList>().is_err(), "{text}");
        }
        let default = "vxlan:4789,vxlan:10800,vxlan:10801".parse();
        assert_eq!(default, Ok(TunnelList(Tunnel::DEFAULT.to_vec())));
    }
}
