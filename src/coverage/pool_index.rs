//! Members of backend pools by their addresses.

use std::net::IpAddr;

use ahash::AHashMap;
use smallvec::SmallVec;

use super::Places;
use crate::net::AddressPrefix;

/// The members of pools by their addresses, each with the prefixes of its gateway.
pub(super) struct PoolIndex {
    by_address: AHashMap<IpAddr, Vec<(usize, Vec<AddressPrefix>)>>,
}

impl PoolIndex {
    pub(super) fn of(places: &Places) -> Self {
        let mut by_address: AHashMap<IpAddr, Vec<_>> = AHashMap::new();
        for (index, member) in places.pool_members.iter().enumerate() {
            if let Some(address) = member.address {
                by_address.entry(address).or_default().push((index, member.gateway.clone()));
            }
        }
        Self { by_address }
    }

    /// The members that a flow goes to; without the gateway's subnet whoever sends it counts.
    pub(super) fn of_pair(&self, source: IpAddr, destination: IpAddr) -> SmallVec<[usize; 2]> {
        let members = self.by_address.get(&destination).map(Vec::as_slice).unwrap_or_default();
        members
            .iter()
            .filter(|(_, gateway)| {
                gateway.is_empty() || gateway.iter().any(|prefix| prefix.contains(source))
            })
            .map(|(index, _)| *index)
            .collect()
    }
}
