//! Route tables as tries of the `prefix-trie` crate, one a table and family.

use std::collections::HashMap;
use std::net::IpAddr;
use std::path::Path;

use nexthop::azure::{SnapshotError, load_snapshot};
use nexthop::fib::{SnapshotTables, Source};
use nexthop::net::special::{is_internet, is_platform};
use nexthop::net::{AddressPrefix, MacAddress};
use nexthop::routing::NextHop;
use prefix_trie::PrefixMap;

pub struct Router {
    tables: Vec<Trie>,
    sources: Trie,
    macs: HashMap<MacAddress, usize>,
    pub hops: Vec<NextHop>,
}

#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub enum Outcome {
    /// By its place among the hops.
    Hop(usize),
    NoRoute,
    NoRouteTable,
    Platform,
}

#[derive(Default)]
struct Trie {
    v4: PrefixMap<(u32, u8), usize>,
    v6: PrefixMap<(u128, u8), usize>,
}

impl Router {
    /// # Errors
    ///
    /// When there is no snapshot at the path.
    pub fn load(path: &Path) -> Result<Self, SnapshotError> {
        let selected = SnapshotTables::of(&load_snapshot(path)?);
        let mut router = Self {
            tables: Vec::new(),
            sources: Trie::default(),
            macs: HashMap::new(),
            hops: Vec::new(),
        };
        let mut places: HashMap<NextHop, usize> = HashMap::new();
        for (index, (table, sources)) in selected.tables.iter().zip(&selected.sources).enumerate() {
            assert!(!table.has_unresolved_service_tag(), "no generated table has such rows");
            let mut trie = Trie::default();
            for route in table.winners(&selected.owners) {
                let hop = NextHop::clone(&route.next_hop);
                let hop = *places.entry(hop).or_insert_with_key(|hop| {
                    router.hops.push(hop.clone());
                    router.hops.len() - 1
                });
                trie.insert(route.prefix, hop);
            }
            router.tables.push(trie);
            for source in sources {
                match source {
                    Source::Prefix(prefix) => router.sources.insert(*prefix, index),
                    Source::Mac(mac) => drop(router.macs.insert(*mac, index)),
                    _ => {}
                }
            }
        }
        Ok(router)
    }

    pub fn tuple(
        &self,
        mac: MacAddress,
        is_platform_rule: bool,
        is_inbound: bool,
        source: IpAddr,
        destination: IpAddr,
    ) -> Outcome {
        if is_platform_rule || is_platform(source) || is_platform(destination) {
            return Outcome::Platform;
        }
        let (local, remote) =
            if is_inbound { (destination, source) } else { (source, destination) };
        match self.macs.get(&mac).copied().or_else(|| self.sources.get(local)) {
            Some(table) => self.hop(table, remote),
            None => Outcome::NoRouteTable,
        }
    }

    pub fn packets(&self, source: IpAddr, destination: IpAddr) -> Outcome {
        if is_platform(source) || is_platform(destination) {
            return Outcome::Platform;
        }
        if let Some(table) = self.sources.get(source) {
            return self.hop(table, destination);
        }
        match self.sources.get(destination) {
            Some(table) if is_internet(source) => self.hop(table, source),
            _ => Outcome::NoRouteTable,
        }
    }

    fn hop(&self, table: usize, address: IpAddr) -> Outcome {
        self.tables[table].get(address).map_or(Outcome::NoRoute, Outcome::Hop)
    }
}

impl Trie {
    fn insert(&mut self, prefix: AddressPrefix, value: usize) {
        match prefix.address() {
            IpAddr::V4(address) => {
                self.v4.insert((address.to_bits(), prefix.length()), value);
            }
            IpAddr::V6(address) => {
                self.v6.insert((address.to_bits(), prefix.length()), value);
            }
        }
    }

    fn get(&self, address: IpAddr) -> Option<usize> {
        match address {
            IpAddr::V4(address) => {
                self.v4.get_lpm(&(address.to_bits(), 32)).map(|(_, value)| *value)
            }
            IpAddr::V6(address) => {
                self.v6.get_lpm(&(address.to_bits(), 128)).map(|(_, value)| *value)
            }
        }
    }
}
