//! The reference: longest-prefix match as one would say it.

use std::net::IpAddr;

use super::address::Address;
use super::engine::{Engine, LpmKind};
use crate::net::AddressPrefix;

/// A list of routes, scanned from end to end for each address: slow, and obviously right.
///
/// It is what every other engine must equal. Both families may be in one list. Where one prefix
/// occurs twice, the last one wins.
///
/// # Examples
///
/// ```
/// use nexthop::lpm::NaiveTable;
///
/// let table = NaiveTable::compile(&[
///     ("10.0.0.0/8".parse()?, "on-premises"),
///     ("10.1.0.0/16".parse()?, "this VNet"),
/// ]);
/// assert_eq!(table.lookup("10.1.2.3".parse()?), Some("this VNet"));
/// assert_eq!(table.lookup("10.2.2.3".parse()?), Some("on-premises"));
/// assert_eq!(table.lookup("192.0.2.1".parse()?), None);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Debug)]
pub struct NaiveTable<V> {
    routes: Vec<(AddressPrefix, V)>,
}

impl<V: Copy> NaiveTable<V> {
    /// Keeps the routes as they are.
    pub fn compile(routes: &[(AddressPrefix, V)]) -> Self {
        Self { routes: routes.to_vec() }
    }

    /// Returns the value of the longest prefix that holds `address`.
    ///
    /// Cost: one comparison for each route.
    pub fn lookup(&self, address: IpAddr) -> Option<V> {
        self.routes
            .iter()
            .filter(|(prefix, _)| prefix.contains(address))
            // Of several equal ones this returns the last, as the rule for duplicates asks.
            .max_by_key(|(prefix, _)| prefix.length())
            .map(|&(_, value)| value)
    }
}

impl<A: Address> Engine<A> for NaiveTable<u16> {
    fn kind(&self) -> LpmKind {
        LpmKind::Naive
    }

    fn lookup(&self, address: A) -> u16 {
        self.lookup(address.into_ip()).unwrap_or(0)
    }

    fn memory_bytes(&self) -> usize {
        size_of::<Self>() + size_of_val(self.routes.as_slice())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::lpm::conformance::conformance;

    conformance!(ipv4, u32, |routes| Box::new(NaiveTable::compile(routes)));
    conformance!(ipv6, u128, |routes| Box::new(NaiveTable::compile(routes)));
}
