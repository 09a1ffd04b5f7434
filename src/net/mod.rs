//! The vocabulary that every stage shares: address prefixes, MAC addresses, protocol numbers and
//! the address blocks with a meaning of their own. Depends on nothing.

mod mac;
mod prefix;
pub mod protocol;
pub mod special;

pub use mac::{MacAddress, MacParseError};
pub use prefix::{AddressPrefix, PrefixError};
