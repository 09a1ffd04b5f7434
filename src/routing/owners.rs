//! Who owns a next hop's address, and so what class the hop is of.

use std::collections::BTreeSet;
use std::net::IpAddr;

use super::{NextHop, NextHopClass, RouteRow};
use crate::azure::{NextHopType, Settings};
use crate::net::AddressPrefix;

/// The owners of addresses that a snapshot tells of.
#[derive(Clone, Debug, Default)]
pub struct Owners {
    firewalls: Vec<Firewall>,
    prefix_names: Vec<(AddressPrefix, String)>,
}

/// A firewall: its front end, and the subnets that its instances live in.
#[derive(Clone, Debug)]
pub struct Firewall {
    /// How it is called.
    pub name: String,
    /// Its own addresses.
    pub addresses: Vec<IpAddr>,
    /// Its subnets: every address in them is the firewall.
    pub subnets: Vec<AddressPrefix>,
}

/// A network that packets start in: a VNet or a virtual hub, by its place in [`Owners`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ScopeId(u32);

impl ScopeId {
    pub(super) fn of_network(index: usize) -> Self {
        Self(u32::try_from(index).expect("VNets are far below 2^32"))
    }

    pub(super) fn of_hub(network_count: usize, index: usize) -> Self {
        Self::of_network(network_count + index)
    }
}

impl Owners {
    /// Takes the firewalls and the names of prefixes from the settings.
    pub fn from_settings(settings: &Settings) -> Self {
        let firewalls = settings
            .firewalls
            .iter()
            .map(|firewall| Firewall {
                name: firewall.name.clone(),
                addresses: firewall.addresses.clone(),
                subnets: firewall.subnets.clone(),
            })
            .collect();
        let prefix_names =
            settings.prefix_names.iter().map(|name| (name.prefix, name.name.clone())).collect();
        Self::new(firewalls, prefix_names)
    }

    /// Takes firewalls, and names for prefixes.
    pub fn new(firewalls: Vec<Firewall>, mut prefix_names: Vec<(AddressPrefix, String)>) -> Self {
        prefix_names.sort_by_key(|(prefix, _)| std::cmp::Reverse(prefix.length()));
        Self { firewalls, prefix_names }
    }

    /// Returns the firewall that owns an address.
    pub fn firewall_at(&self, address: IpAddr) -> Option<&Firewall> {
        self.firewalls.iter().find(|firewall| {
            firewall.addresses.contains(&address)
                || firewall.subnets.iter().any(|subnet| subnet.contains(address))
        })
    }

    /// Returns the next hop that winning rows of one prefix make together: the set of their
    /// addresses, and their class if all agree, else `mixed`.
    ///
    /// # Panics
    ///
    /// When `rows` is empty.
    pub fn next_hop_of_set(&self, rows: &[&RouteRow]) -> NextHop {
        let types: BTreeSet<&NextHopType> = rows.iter().map(|row| &row.next_hop_type).collect();
        let next_hop_type = match types.first().expect("a prefix has a row") {
            single if types.len() == 1 => (*single).clone(),
            _ => NextHopType::Other(joined(types.iter().map(|word| word.as_str().to_owned()))),
        };
        let ips: BTreeSet<IpAddr> =
            rows.iter().flat_map(|row| row.next_hop_ips.iter().copied()).collect();
        let classes: BTreeSet<NextHopClass> =
            rows.iter().flat_map(|row| self.classes_of(row)).collect();
        let names: BTreeSet<String> = ips.iter().filter_map(|&ip| self.name_of(ip)).collect();
        NextHop {
            next_hop_type,
            ips: ips.into_iter().collect(),
            name: (!names.is_empty()).then(|| joined(names)),
            class: match classes.first() {
                Some(&class) if classes.len() == 1 => class,
                _ => NextHopClass::Mixed,
            },
        }
    }

    fn classes_of(&self, row: &RouteRow) -> Vec<NextHopClass> {
        if row.next_hop_ips.is_empty() || row.next_hop_type == NextHopType::None {
            return vec![class_of_type(&row.next_hop_type)];
        }
        row.next_hop_ips
            .iter()
            .map(|&ip| match self.firewall_at(ip) {
                Some(_) => NextHopClass::Firewall,
                None => class_of_type(&row.next_hop_type),
            })
            .collect()
    }

    fn name_of(&self, address: IpAddr) -> Option<String> {
        self.firewall_at(address).map(|firewall| firewall.name.clone()).or_else(|| {
            let named = self.prefix_names.iter().find(|(prefix, _)| prefix.contains(address));
            named.map(|(_, name)| name.clone())
        })
    }
}

/// The class of a hop whose address nobody known owns.
fn class_of_type(next_hop_type: &NextHopType) -> NextHopClass {
    match next_hop_type {
        NextHopType::VnetLocal => NextHopClass::Vnet,
        NextHopType::VNetPeering | NextHopType::VNetGlobalPeering | NextHopType::ConnectedGroup => {
            NextHopClass::Peering
        }
        NextHopType::VirtualNetworkGateway => NextHopClass::Gateway,
        NextHopType::Internet => NextHopClass::Internet,
        NextHopType::VirtualAppliance | NextHopType::VirtualApplianceEcmp => {
            NextHopClass::Appliance
        }
        NextHopType::None => NextHopClass::Dropped,
        NextHopType::VirtualNetworkServiceEndpoint => NextHopClass::ServiceEndpoint,
        NextHopType::InterfaceEndpoint => NextHopClass::PrivateEndpoint,
        NextHopType::Other(_) => NextHopClass::Unknown,
    }
}

fn joined(words: impl IntoIterator<Item = String>) -> String {
    words.into_iter().collect::<Vec<_>>().join(" ")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::routing::testing::rows;

    fn owners() -> Owners {
        let hub = Firewall {
            name: "hub-fw".into(),
            addresses: vec!["10.100.0.132".parse().unwrap()],
            subnets: vec!["10.0.1.0/26".parse().unwrap()],
        };
        Owners::new(
            vec![hub],
            vec![
                ("10.0.0.0/8".parse().unwrap(), "all".into()),
                ("10.9.0.0/16".parse().unwrap(), "branch".into()),
            ],
        )
    }

    fn hop(text: &str) -> NextHop {
        let table = rows(text);
        owners().next_hop_of_set(&table.rows().collect::<Vec<_>>())
    }

    #[test]
    fn the_class_comes_from_the_owner_before_the_type() {
        for (row, class, name) in [
            ("VirtualAppliance 10.100.0.132", NextHopClass::Firewall, Some("hub-fw")),
            ("VirtualNetworkGateway 10.100.0.132", NextHopClass::Firewall, Some("hub-fw")),
            ("VirtualAppliance 10.0.1.63", NextHopClass::Firewall, Some("hub-fw")),
            ("VirtualAppliance 10.0.1.64", NextHopClass::Appliance, Some("all")),
            ("VirtualAppliance 10.9.0.4", NextHopClass::Appliance, Some("branch")),
            ("VirtualAppliance 172.16.0.4", NextHopClass::Appliance, None),
            ("VirtualNetworkGateway 40.74.161.110", NextHopClass::Gateway, None),
            ("VirtualNetworkGateway", NextHopClass::Gateway, None),
            ("VnetLocal", NextHopClass::Vnet, None),
            ("VNetPeering", NextHopClass::Peering, None),
            ("VNetGlobalPeering", NextHopClass::Peering, None),
            ("ConnectedGroup", NextHopClass::Peering, None),
            ("Internet", NextHopClass::Internet, None),
            ("InterfaceEndpoint", NextHopClass::PrivateEndpoint, None),
            ("VirtualNetworkServiceEndpoint", NextHopClass::ServiceEndpoint, None),
            ("None", NextHopClass::Dropped, None),
            ("None 10.100.0.132", NextHopClass::Dropped, Some("hub-fw")),
            ("SomethingNew", NextHopClass::Unknown, None),
        ] {
            let got = hop(&format!("User Active 10.50.0.0/16 {row}"));
            assert_eq!((got.class, got.name.as_deref()), (class, name), "{row}");
        }
    }

    #[test]
    fn a_set_is_mixed_unless_all_agree() {
        let gateway =
            |ip| format!("VirtualNetworkGateway Active 0.0.0.0/0 VirtualNetworkGateway {ip}");
        assert_eq!(
            hop(&[gateway("10.100.0.132"), gateway("1.1.1.1")].join("\n")).class,
            NextHopClass::Mixed
        );
        assert_eq!(
            hop(&[gateway("10.100.0.132"), gateway("10.0.1.5")].join("\n")).class,
            NextHopClass::Firewall
        );
        let two_types =
            hop("Default Active 10.0.0.0/8 VnetLocal\nDefault Active 10.0.0.0/8 VNetPeering");
        assert_eq!(two_types.class, NextHopClass::Mixed);
        assert_eq!(two_types.next_hop_type, NextHopType::Other("VnetLocal VNetPeering".into()));
    }
}
