//! What the selectors of a policy stand for in a snapshot.

use std::collections::BTreeMap;
use std::net::IpAddr;
use std::sync::Arc;

use super::firewall_names::FirewallNames;
use super::firewall_observers::FirewallObservers;
use super::pools::PoolMemberPlace;
use super::{Policy, Selector, Unobservable};
use crate::lpm::RangeTable;
use crate::net::AddressPrefix;
use crate::net::special::is_internet;
use crate::routing::NextHopClass;

/// The named places of a snapshot, as sets of prefixes. Names are compared without case.
#[derive(Clone, Debug, Default)]
pub struct Places {
    /// Address spaces by VNet.
    pub virtual_networks: BTreeMap<String, Vec<AddressPrefix>>,
    /// Prefixes by `VNET/SUBNET`.
    pub subnets: BTreeMap<String, Vec<AddressPrefix>>,
    /// Members by `GATEWAY/POOL`.
    pub pools: BTreeMap<String, Vec<IpAddr>>,
    /// Addresses by NIC.
    pub nics: BTreeMap<String, Vec<IpAddr>>,
    /// What lies behind gateways.
    pub on_premises: Vec<AddressPrefix>,
    /// Private endpoints.
    pub private_endpoints: Vec<IpAddr>,
    /// Firewalls: addresses and subnets.
    pub firewalls: Vec<AddressPrefix>,
    /// Gateways' own addresses.
    pub gateways: Vec<AddressPrefix>,
    /// The firewalls by name.
    pub(super) firewall_names: FirewallNames,
    /// By firewall in lower case: the destinations to which it leaves the sender's address as it is.
    pub(super) untranslated: BTreeMap<String, Vec<AddressPrefix>>,
    /// Which of them has each of [`firewalls`](Self::firewalls).
    pub(super) firewall_owners: BTreeMap<AddressPrefix, u16>,
    /// Who records flows at a firewall.
    pub(super) firewall_observers: Arc<FirewallObservers>,
    /// The members of application gateways' pools.
    pub(super) pool_members: Vec<PoolMemberPlace>,
    /// What no recording ever shows.
    pub(super) unobservable: Vec<Unobservable>,
}

/// The sets that a policy's selectors stand for.
#[derive(Debug)]
pub(super) struct CompiledPlaces {
    on_premises: RangeTable,
    virtual_networks: RangeTable,
    private_endpoints: RangeTable,
    firewalls: RangeTable,
}

/// Stands for a firewall without a place among the names, which number fewer.
const NOT_NAMED: u32 = u32::MAX;

/// A set of addresses.
#[derive(Debug)]
pub(super) struct AddressSet {
    prefixes: RangeTable,
    holds_internet: bool,
    holds_on_premises: bool,
}

impl Places {
    /// Returns the selectors of a policy that match nothing in the snapshot; most are typing
    /// errors, and a rule that selects nothing is always met.
    pub fn empty_selectors(&self, policy: &Policy) -> Vec<String> {
        let rules = policy.rules.iter().flat_map(|rule| rule.from.iter().chain(&rule.to));
        let exemptions =
            policy.exemptions.iter().flat_map(|exempt| exempt.from.iter().chain(&exempt.to));
        let mut empty: Vec<String> = rules
            .chain(exemptions)
            .filter(|selector| self.is_empty(selector))
            .map(ToString::to_string)
            .collect();
        empty.sort();
        empty.dedup();
        empty
    }

    /// Returns true where a firewall is known to put an address of its own in the place of whoever
    /// sends to `destination` by a network rule.
    pub(super) fn translates(&self, firewall: &str, destination: IpAddr) -> bool {
        self.untranslated
            .get(&firewall.to_ascii_lowercase())
            .is_some_and(|ranges| !ranges.iter().any(|range| range.contains(destination)))
    }

    fn is_empty(&self, selector: &Selector) -> bool {
        match selector {
            Selector::Internet | Selector::Any => false,
            Selector::OnPremises => self.on_premises.is_empty(),
            other => self.prefixes_of(other).is_empty(),
        }
    }

    fn prefixes_of(&self, selector: &Selector) -> Vec<AddressPrefix> {
        let hosts = |addresses: &[IpAddr]| -> Vec<AddressPrefix> {
            addresses.iter().map(|&address| AddressPrefix::host(address)).collect()
        };
        match selector {
            Selector::Prefix(prefix) => vec![*prefix],
            Selector::Vnet(name) if name == "*" => {
                self.virtual_networks.values().flatten().copied().collect()
            }
            Selector::Vnet(name) => found(&self.virtual_networks, name).to_vec(),
            Selector::Subnet(name) => found(&self.subnets, name).to_vec(),
            Selector::Pool(name) => hosts(found(&self.pools, name)),
            Selector::Nic(name) => hosts(found(&self.nics, name)),
            Selector::Any => vec![AddressPrefix::IPV4_ALL, AddressPrefix::IPV6_ALL],
            Selector::Class(NextHopClass::PrivateEndpoint) => hosts(&self.private_endpoints),
            Selector::Class(NextHopClass::Firewall) => self.firewalls.clone(),
            Selector::Class(_) => self.gateways.clone(),
            Selector::Internet | Selector::OnPremises => Vec::new(),
        }
    }

    pub(super) fn set(&self, selectors: &[Selector]) -> AddressSet {
        let prefixes: Vec<(AddressPrefix, u32)> = selectors
            .iter()
            .flat_map(|selector| self.prefixes_of(selector))
            .map(|prefix| (prefix, 0))
            .collect();
        AddressSet {
            prefixes: RangeTable::compile(&prefixes),
            holds_internet: selectors.contains(&Selector::Internet),
            holds_on_premises: selectors.contains(&Selector::OnPremises),
        }
    }

    /// The subnet that has an address; the longest prefix where several do.
    pub(super) fn subnet_of(&self, address: IpAddr) -> Option<AddressPrefix> {
        let prefixes = self.subnets.values().flatten().copied();
        prefixes.filter(|prefix| prefix.contains(address)).max_by_key(|prefix| prefix.length())
    }

    pub(super) fn compile(&self) -> CompiledPlaces {
        let table = |prefixes: &mut dyn Iterator<Item = AddressPrefix>| {
            RangeTable::compile(&prefixes.map(|prefix| (prefix, 0)).collect::<Vec<_>>())
        };
        let spaces: Vec<(AddressPrefix, u32)> = (0u32..)
            .zip(self.virtual_networks.values())
            .flat_map(|(index, spaces)| spaces.iter().map(move |&space| (space, index)))
            .collect();
        let firewall_at =
            |prefix| self.firewall_owners.get(prefix).map_or(NOT_NAMED, |&one| u32::from(one));
        let firewalls: Vec<(AddressPrefix, u32)> =
            self.firewalls.iter().map(|prefix| (*prefix, firewall_at(prefix))).collect();
        CompiledPlaces {
            on_premises: table(&mut self.on_premises.iter().copied()),
            virtual_networks: RangeTable::compile(&spaces),
            private_endpoints: table(
                &mut self.private_endpoints.iter().map(|&address| AddressPrefix::host(address)),
            ),
            firewalls: RangeTable::compile(&firewalls),
        }
    }
}

impl CompiledPlaces {
    pub(super) fn is_on_premises(&self, address: IpAddr) -> bool {
        self.on_premises.lookup(address).is_some()
            && self.virtual_networks.lookup(address).is_none()
    }

    /// A public address that no VNet and nothing on-premises claims.
    pub(super) fn is_internet(&self, address: IpAddr) -> bool {
        is_internet(address)
            && self.on_premises.lookup(address).is_none()
            && self.virtual_networks.lookup(address).is_none()
    }

    pub(super) fn is_private_endpoint(&self, address: IpAddr) -> bool {
        self.private_endpoints.lookup(address).is_some()
    }

    /// The firewall with an address, by its place among their names, where that is known.
    pub(super) fn firewall_at(&self, address: IpAddr) -> Option<Option<u16>> {
        self.firewalls.lookup(address).map(|one| u16::try_from(one).ok())
    }

    pub(super) fn is_in_virtual_network(&self, address: IpAddr) -> bool {
        self.virtual_networks.lookup(address).is_some()
    }

    pub(super) fn are_in_one_vnet(&self, a: IpAddr, b: IpAddr) -> bool {
        let (a, b) = (self.virtual_networks.lookup(a), self.virtual_networks.lookup(b));
        a.is_some() && a == b
    }
}

impl AddressSet {
    pub(super) fn holds(&self, address: IpAddr, places: &CompiledPlaces) -> bool {
        self.prefixes.lookup(address).is_some()
            || (self.holds_internet && places.is_internet(address))
            || (self.holds_on_premises && places.is_on_premises(address))
    }
}

fn found<'m, T>(map: &'m BTreeMap<String, Vec<T>>, name: &str) -> &'m [T] {
    map.iter()
        .find(|(key, _)| key.eq_ignore_ascii_case(name))
        .map_or(&[], |(_, values)| values.as_slice())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn places() -> Places {
        let prefix = |text: &str| text.parse::<AddressPrefix>().unwrap();
        Places {
            virtual_networks: [
                ("Hub".to_owned(), vec![prefix("10.0.0.0/16"), prefix("51.0.0.0/24")]),
                ("spoke".to_owned(), vec![prefix("10.1.0.0/16")]),
            ]
            .into(),
            subnets: [("hub/web".to_owned(), vec![prefix("10.0.1.0/24")])].into(),
            on_premises: vec![prefix("192.168.0.0/16"), prefix("10.0.0.0/8")],
            private_endpoints: vec!["10.1.0.5".parse().unwrap()],
            ..Places::default()
        }
    }

    #[test]
    fn sets_hold_what_their_selectors_stand_for() {
        let places = places();
        let compiled = places.compile();
        let holds = |selector: &str, address: &str| {
            places.set(&[selector.parse().unwrap()]).holds(address.parse().unwrap(), &compiled)
        };
        for (selector, address, want) in [
            ("vnet:hub", "10.0.255.255", true),
            ("vnet:hub", "10.1.0.0", false),
            ("subnet:HUB/WEB", "10.0.1.0", true),
            ("subnet:hub/web", "10.0.2.0", false),
            ("class:private_endpoint", "10.1.0.5", true),
            ("class:private_endpoint", "10.1.0.6", false),
            ("internet", "8.8.8.8", true),
            ("internet", "51.0.0.4", false),
            ("on-premises", "192.168.3.3", true),
            ("on-premises", "10.7.0.1", true),
            ("on-premises", "10.1.0.1", false),
            ("any", "fd00::1", true),
            ("10.0.0.0/31", "10.0.0.2", false),
        ] {
            assert_eq!(holds(selector, address), want, "{selector} {address}");
        }
        assert!(compiled.are_in_one_vnet("10.0.0.1".parse().unwrap(), "51.0.0.9".parse().unwrap()));
        assert!(
            !compiled.are_in_one_vnet("10.0.0.1".parse().unwrap(), "10.1.0.1".parse().unwrap())
        );
    }

    #[test]
    fn selectors_that_match_nothing_are_named_once() {
        let policy = Policy::parse(
            "[[require]]\nname = \"a\"\nvia = \"firewall\"\nfrom = [\"vnet:hbu\", \"vnet:hub\"]\n\
             to = [\"vnet:hbu\", \"internet\"]\n",
        )
        .unwrap();
        assert_eq!(places().empty_selectors(&policy), ["vnet:hbu"]);
    }
}
