//! Targets that move: the addresses that recorded traffic went to, and those it would go to.

use std::fmt;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::str::FromStr;

use crate::net::AddressPrefix;

/// Where targets move to.
///
/// # Examples
///
/// ```
/// use nexthop::replay::DestinationMap;
///
/// let map = DestinationMap::new(vec!["10.2.0.0/24=10.9.0.0/24".parse()?])?;
/// assert_eq!(map.moved("10.2.0.7".parse()?), Some("10.9.0.7".parse()?));
/// assert_eq!(map.moved("10.2.1.0".parse()?), None);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct DestinationMap {
    /// Those of the longest prefixes first.
    moves: Vec<DestinationMove>,
}

/// One target, or a block of them: `OLD=NEW`, two addresses or two prefixes of equal length.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct DestinationMove {
    old: AddressPrefix,
    new: AddressPrefix,
}

/// Why a text moves no target.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum DestinationMoveError {
    /// Not of the form `OLD=NEW`.
    #[error("`{text}` is not OLD=NEW, two addresses or two prefixes of equal length")]
    Form {
        /// As given.
        text: String,
    },
    /// A side is neither address nor prefix.
    #[error("`{side}` is no address and no prefix without host bits")]
    Side {
        /// As given.
        side: String,
    },
    /// A block cannot move into one of another size or family.
    #[error("{old} and {new} do not hold equally many addresses of one family")]
    Sizes {
        /// Where traffic went.
        old: AddressPrefix,
        /// Where it would go.
        new: AddressPrefix,
    },
    /// One target, two places.
    #[error("{old} is moved twice: to {first} and to {second}")]
    Twice {
        /// Where traffic went.
        old: AddressPrefix,
        /// The first place.
        first: AddressPrefix,
        /// The other.
        second: AddressPrefix,
    },
}

impl DestinationMap {
    /// Brings moves together; of blocks inside one another the smallest counts.
    ///
    /// # Errors
    ///
    /// [`DestinationMoveError::Twice`] where a block is moved to two places.
    pub fn new(mut moves: Vec<DestinationMove>) -> Result<Self, DestinationMoveError> {
        moves.sort_by_key(|one| (std::cmp::Reverse(one.old.length()), one.old, one.new));
        moves.dedup();
        match moves.windows(2).find(|pair| pair[0].old == pair[1].old) {
            None => Ok(Self { moves }),
            Some(pair) => {
                let (old, first, second) = (pair[0].old, pair[0].new, pair[1].new);
                Err(DestinationMoveError::Twice { old, first, second })
            }
        }
    }

    /// Returns where an address moves to; `None` where it stays.
    ///
    /// Cost: linear in the number of moves.
    pub fn moved(&self, address: IpAddr) -> Option<IpAddr> {
        self.moves.iter().find(|one| one.old.contains(address)).map(|one| one.apply(address))
    }

    /// Returns true when nothing moves.
    pub fn is_empty(&self) -> bool {
        self.moves.is_empty()
    }

    /// Returns the moves, those of the longest prefixes first.
    pub fn moves(&self) -> &[DestinationMove] {
        &self.moves
    }
}

impl DestinationMove {
    /// Keeps the address's place in its block.
    fn apply(self, address: IpAddr) -> IpAddr {
        match (address, self.old.address(), self.new.address()) {
            (IpAddr::V4(address), IpAddr::V4(old), IpAddr::V4(new)) => {
                Ipv4Addr::from_bits(address.to_bits() - old.to_bits() + new.to_bits()).into()
            }
            (IpAddr::V6(address), IpAddr::V6(old), IpAddr::V6(new)) => {
                Ipv6Addr::from_bits(address.to_bits() - old.to_bits() + new.to_bits()).into()
            }
            _ => unreachable!("both sides and what they hold are of one family"),
        }
    }
}

impl FromStr for DestinationMove {
    type Err = DestinationMoveError;

    fn from_str(text: &str) -> Result<Self, DestinationMoveError> {
        let Some((old, new)) = text.split_once('=') else {
            return Err(DestinationMoveError::Form { text: text.to_owned() });
        };
        let (old, new) = (side(old)?, side(new)?);
        if old.length() != new.length() || old.is_ipv4() != new.is_ipv4() {
            return Err(DestinationMoveError::Sizes { old, new });
        }
        Ok(Self { old, new })
    }
}

impl fmt::Display for DestinationMove {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}={}", self.old, self.new)
    }
}

/// Host bits would leave it open whether one address or its whole block is meant.
fn side(text: &str) -> Result<AddressPrefix, DestinationMoveError> {
    let not_a_side = || DestinationMoveError::Side { side: text.to_owned() };
    let prefix: AddressPrefix = text.parse().map_err(|_| not_a_side())?;
    let address = text.split_once('/').map_or(text, |(address, _)| address);
    match address.parse::<IpAddr>() {
        Ok(address) if address == prefix.address() => Ok(prefix),
        _ => Err(not_a_side()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn map(moves: &[&str]) -> Result<DestinationMap, DestinationMoveError> {
        DestinationMap::new(moves.iter().map(|one| one.parse()).collect::<Result<_, _>>()?)
    }

    #[test]
    fn an_address_keeps_its_place_in_its_block() {
        let map = map(&["10.2.0.0/24=10.9.8.0/24", "10.2.0.10=10.2.9.5", "fd00::/64=fd01::/64"]);
        let map = map.unwrap();
        for (address, want) in [
            ("10.1.255.255", None),
            ("10.2.0.0", Some("10.9.8.0")),
            ("10.2.0.9", Some("10.9.8.9")),
            ("10.2.0.10", Some("10.2.9.5")),
            ("10.2.0.11", Some("10.9.8.11")),
            ("10.2.0.255", Some("10.9.8.255")),
            ("10.2.1.0", None),
            ("fd00::ffff:ffff:ffff:ffff", Some("fd01::ffff:ffff:ffff:ffff")),
            ("fd00:0:0:1::", None),
            // A target moves once: where it moves to may itself have moved away.
            ("10.9.8.1", None),
        ] {
            let want = want.map(|want: &str| want.parse::<IpAddr>().unwrap());
            assert_eq!(map.moved(address.parse().unwrap()), want, "{address}");
        }
    }

    #[test]
    fn both_ends_of_the_address_space_move() {
        let map = map(&["255.255.255.254/31=0.0.0.0/31", "::=ffff::1"]).unwrap();
        assert_eq!(map.moved("255.255.255.255".parse().unwrap()), Some("0.0.0.1".parse().unwrap()));
        assert_eq!(map.moved("::".parse().unwrap()), Some("ffff::1".parse().unwrap()));
    }

    #[test]
    fn what_moves_nothing_is_said_with_the_text_that_is_wrong() {
        for (text, want) in [
            ("10.2.0.10", "`10.2.0.10` is not OLD=NEW"),
            ("=10.2.0.10", "`` is no address"),
            ("10.2.0.10=", "`` is no address"),
            ("10.2.0.10=web", "`web` is no address"),
            ("10.2.0.10/24=10.3.0.0/24", "`10.2.0.10/24` is no address and no prefix"),
            ("10.2.0.0/24=10.3.0.0/25", "10.2.0.0/24 and 10.3.0.0/25 do not hold"),
            ("10.2.0.10=10.3.0.0/24", "10.2.0.10/32 and 10.3.0.0/24 do not hold"),
            ("10.2.0.10=fd00::1", "10.2.0.10/32 and fd00::1/128 do not hold"),
            ("0.0.0.0/0=::/0", "0.0.0.0/0 and ::/0 do not hold"),
        ] {
            let error = text.parse::<DestinationMove>().unwrap_err().to_string();
            assert!(error.starts_with(want), "{text}: {error}");
        }
        let error = map(&["10.2.0.10=10.3.0.1", "10.2.0.10/32=10.3.0.2"]).unwrap_err().to_string();
        assert_eq!(error, "10.2.0.10/32 is moved twice: to 10.3.0.1/32 and to 10.3.0.2/32");
        assert!(map(&["10.2.0.10=10.3.0.1", "10.2.0.10=10.3.0.1"]).is_ok());
    }
}
