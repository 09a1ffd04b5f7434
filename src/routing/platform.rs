//! Addresses that the platform answers itself and that only a snapshot tells: the broadcast addresses
//! of subnets.

use std::net::{IpAddr, Ipv4Addr};
use std::sync::Arc;

use ahash::AHashSet;

use super::Owners;
use super::topology::Topology;
use crate::net::AddressPrefix;
use crate::net::special::is_platform;

/// The broadcast addresses of a snapshot's subnets.
#[derive(Clone, Debug, Default)]
pub struct Broadcasts {
    addresses: Arc<AHashSet<Ipv4Addr>>,
}

/// The smallest IPv4 subnet that Azure makes.
const LENGTH_MAX: u8 = 29;

impl Broadcasts {
    /// Collects the last address of every IPv4 subnet, unless it is an ordinary one in a subnet of
    /// another VNet that overlaps.
    ///
    /// The first addresses of a subnet are ordinary: Azure's services answer there. (Decision.)
    ///
    /// Source: Microsoft, "Azure Virtual Network frequently asked questions": Azure reserves the
    /// first four addresses and the last (read 2026-11-20).
    pub(super) fn of(topology: &Topology<'_>, owners: &Owners) -> Self {
        let is_last =
            |prefix: AddressPrefix, address: Ipv4Addr| prefix.last_address() == IpAddr::V4(address);
        let addresses = topology
            .places()
            .flat_map(|place| &topology.subnet(place).address_prefixes)
            .filter(|prefix| prefix.length() <= LENGTH_MAX)
            .filter_map(|prefix| match prefix.last_address() {
                IpAddr::V4(address) => Some(address),
                IpAddr::V6(_) => None,
            })
            .filter(|&address| {
                let mut holding = owners.subnets.prefixes_holding(IpAddr::V4(address));
                holding.all(|prefix| is_last(prefix, address))
            })
            .collect();
        Self { addresses: Arc::new(addresses) }
    }

    /// Returns true for the broadcast address of a subnet.
    ///
    /// Cost: one test for seven addresses of eight, since no subnet is smaller than that; else a
    /// look-up.
    pub fn contains(&self, address: IpAddr) -> bool {
        match address {
            IpAddr::V4(address) => address.to_bits() & 7 == 7 && self.addresses.contains(&address),
            IpAddr::V6(_) => false,
        }
    }
}

impl Owners {
    /// Returns true for an address that the platform answers itself, by its kind or as the
    /// broadcast address of a subnet.
    pub fn is_platform(&self, address: IpAddr) -> bool {
        is_platform(address) || self.broadcasts.contains(address)
    }

    /// Returns the broadcast addresses of the snapshot's subnets.
    pub fn broadcasts(&self) -> &Broadcasts {
        &self.broadcasts
    }
}
