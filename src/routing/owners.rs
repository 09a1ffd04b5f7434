//! Who owns a next hop's address, and so what class the hop is of.

use std::collections::BTreeSet;
use std::net::IpAddr;

use ahash::AHashMap;
use smallvec::SmallVec;

use super::platform::Broadcasts;
use super::{NextHop, NextHopClass, RouteRow};
use crate::azure::{NextHopType, RouteSource, Settings};
use crate::net::AddressPrefix;

/// The owners of addresses that a snapshot tells of.
#[derive(Clone, Debug, Default)]
pub struct Owners {
    pub(super) firewalls: Vec<Firewall>,
    /// How many of the firewalls are those of the settings: they own their addresses in every VNet.
    named_count: usize,
    pub(super) devices: Vec<Device>,
    pub(super) by_address: AHashMap<IpAddr, SmallVec<[(ScopeId, Owner); 1]>>,
    pub(super) firewall_subnets: PrefixMap<(ScopeId, Owner)>,
    pub(super) subnets: PrefixMap<(ScopeId, SubnetContent)>,
    pub(super) spaces: PrefixMap<ScopeId>,
    pub(super) scopes: Vec<Scope>,
    pub(super) broadcasts: Broadcasts,
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

/// What decides next hops for packets of one network.
#[derive(Clone, Debug)]
pub(super) struct Scope {
    /// The networks that a hop may be in: its own, its peers' and its hub's.
    pub(super) reach: Vec<ScopeId>,
    pub(super) gateway: GatewayReach,
    /// Prefixes that the network's hub sends to its firewall.
    pub(super) policy: Option<(BTreeSet<AddressPrefix>, Owner)>,
}

/// What stands behind a user-defined route to a gateway.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum GatewayReach {
    /// A VPN gateway of the VNet, of the peered VNet whose gateways it uses, or of its hub.
    Vpn,
    /// A VPN gateway beside an ExpressRoute one, where such a route is not supported.
    VpnBesideExpressRoute,
    /// A VPN gateway that is policy-based or of the Basic SKU, which do not forward between VNets.
    VpnNotForwarding,
    /// ExpressRoute gateways alone, which forward for no such route.
    ExpressRouteOnly,
    /// Nothing.
    None,
    /// What the snapshot does not tell.
    Unknown,
}

/// Who owns an address.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Owner {
    Firewall(usize),
    Device(usize),
}

/// An owner that is no firewall.
#[derive(Clone, Debug)]
pub(super) struct Device {
    pub(super) class: NextHopClass,
    pub(super) name: String,
    /// It passes on packets that are not for itself.
    pub(super) forwards: bool,
}

/// Whether a subnet holds something that the snapshot does not tell.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum SubnetContent {
    Known,
    HoldsUnknown,
}

/// What stands behind one address of a hop.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Behind {
    Owner(Owner),
    /// Nothing can: the address is of a network of the snapshot, and nobody has it.
    Phantom,
    /// Something that the snapshot does not tell, such as a scale set.
    OwnerUnknown,
    /// Something outside the snapshot.
    OutsideSnapshot,
    /// The snapshot tells of no network at all.
    NotTold,
}

/// Values by prefix, found by address.
#[derive(Clone, Debug)]
pub(super) struct PrefixMap<V> {
    by_prefix: AHashMap<AddressPrefix, SmallVec<[V; 1]>>,
}

impl ScopeId {
    pub(super) fn of_network(index: usize) -> Self {
        Self(u32::try_from(index).expect("VNets are far below 2^32"))
    }

    pub(super) fn of_hub(network_count: usize, index: usize) -> Self {
        Self::of_network(network_count + index)
    }

    fn index(self) -> usize {
        self.0 as usize
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
        Self { named_count: firewalls.len(), firewalls, prefix_names, ..Self::default() }
    }

    /// Returns the names of the firewalls that the settings chose, then those of Azure Firewalls.
    pub fn firewall_names(&self) -> (Vec<&str>, Vec<&str>) {
        let (chosen, azure) = self.firewalls.split_at(self.named_count);
        (
            chosen.iter().map(|firewall| firewall.name.as_str()).collect(),
            azure.iter().map(|firewall| firewall.name.as_str()).collect(),
        )
    }

    /// Returns the firewalls: those that the settings chose, then Azure Firewalls.
    pub fn firewalls(&self) -> &[Firewall] {
        &self.firewalls
    }

    /// Returns every prefix that is a firewall: addresses and subnets.
    pub fn firewall_prefixes(&self) -> Vec<AddressPrefix> {
        self.firewalls
            .iter()
            .flat_map(|firewall| {
                let addresses =
                    firewall.addresses.iter().map(|&address| AddressPrefix::host(address));
                addresses.chain(firewall.subnets.iter().copied())
            })
            .collect()
    }

    /// Returns the next hop that winning rows of one prefix make together, for packets that start in
    /// a network: the set of their addresses, and their class if all agree, else `mixed`.
    ///
    /// The class comes from who owns the address, then from the type:
    ///
    /// * A firewall or appliance is what it is, whatever the type says. (Decision: routes of a
    ///   secured hub and of a Route Server read `VirtualNetworkGateway` and name one.)
    /// * A gateway's row for a prefix that the network's hub sends to its firewall is the firewall's.
    ///   (Documented that such a policy does so; the row's own address is not.)
    /// * A `VirtualAppliance` hop that nothing owns is dropped where its network is in the snapshot
    ///   and holds nothing unknown, else an appliance. (Seen in a published lab: without a recursive
    ///   look-up such a route resolves to nothing.)
    /// * A user-defined route to a gateway is dropped where no VPN gateway stands behind it.
    ///   (Documented.)
    ///
    /// # Panics
    ///
    /// When `rows` is empty.
    pub fn next_hop_of_set(&self, scope: Option<ScopeId>, rows: &[&RouteRow]) -> NextHop {
        let types: BTreeSet<&NextHopType> = rows.iter().map(|row| &row.next_hop_type).collect();
        let next_hop_type = match types.first().expect("a prefix has a row") {
            single if types.len() == 1 => (*single).clone(),
            _ => NextHopType::Other(joined(types.iter().map(|word| word.as_str().to_owned()))),
        };
        let mut ips: SmallVec<[IpAddr; 2]> =
            rows.iter().flat_map(|row| row.next_hop_ips.iter().copied()).collect();
        ips.sort_unstable();
        ips.dedup();
        let kinds: BTreeSet<Kind> = rows.iter().flat_map(|row| self.kinds_of(scope, row)).collect();
        let classes: BTreeSet<NextHopClass> = kinds.iter().map(|kind| kind.class).collect();
        let mut names: BTreeSet<String> =
            ips.iter().filter_map(|&ip| self.name_of(scope, ip)).collect();
        if ips.is_empty() {
            let policies = rows.iter().filter_map(|row| self.policy_owner(scope, row));
            names.extend(policies.map(|owner| self.owner_name(owner).to_owned()));
        }
        NextHop {
            next_hop_type,
            ips,
            name: (!names.is_empty()).then(|| joined(names)),
            class: match classes.first() {
                Some(&class) if classes.len() == 1 => class,
                _ => NextHopClass::Mixed,
            },
            reason: kinds.iter().find_map(|kind| kind.reason),
        }
    }

    /// Returns true when the hop of a row is not told by its type, addresses and source alone.
    pub(super) fn depends_on_prefix(&self, scope: Option<ScopeId>, row: &RouteRow) -> bool {
        row.source == RouteSource::VirtualNetworkGateway
            && self.scope(scope).is_some_and(|scope| scope.policy.is_some())
    }

    /// Returns what stands behind an address that packets of a network are sent to.
    pub(super) fn behind(&self, scope: Option<ScopeId>, address: IpAddr) -> Behind {
        if let Some(index) = self.named_firewall_at(address) {
            return Behind::Owner(Owner::Firewall(index));
        }
        let at = self.by_address.get(&address).map_or(&[][..], |owners| owners.as_slice());
        let nearest = |owners: &mut dyn Iterator<Item = (ScopeId, Owner)>| {
            owners.min_by_key(|(at, _)| !self.reaches(scope, *at)).map(|(_, owner)| owner)
        };
        let owner = nearest(&mut at.iter().copied())
            .or_else(|| nearest(&mut self.firewall_subnets.holding(address).copied()));
        if let Some(owner) = owner {
            return Behind::Owner(owner);
        }
        if self.scopes.is_empty() {
            return Behind::NotTold;
        }
        let subnets: SmallVec<[_; 2]> = self.subnets.holding(address).copied().collect();
        let is_near = |(at, _): &&(ScopeId, SubnetContent)| self.reaches(scope, *at);
        let has_near = subnets.iter().any(|subnet| is_near(&subnet));
        let mut judged = subnets.iter().filter(|subnet| !has_near || is_near(subnet));
        if judged.any(|(_, content)| *content == SubnetContent::HoldsUnknown) {
            Behind::OwnerUnknown
        } else if !subnets.is_empty() || self.spaces.holding(address).next().is_some() {
            Behind::Phantom
        } else {
            Behind::OutsideSnapshot
        }
    }

    /// Returns what stands behind a user-defined route to a gateway in a network.
    pub(super) fn gateway_reach(&self, scope: Option<ScopeId>) -> GatewayReach {
        self.scope(scope).map_or(GatewayReach::Unknown, |scope| scope.gateway)
    }

    /// Returns true when a hop in the network `at` can be reached from `scope` without passing
    /// another: it is the same network, a direct peer or the hub. Without a scope every one is.
    pub(super) fn reaches(&self, scope: Option<ScopeId>, at: ScopeId) -> bool {
        self.scope(scope).is_none_or(|scope| scope.reach.contains(&at))
    }

    /// Returns true unless the owner of an address is known to be in a network that packets of this
    /// one do not reach without passing another.
    pub(super) fn is_reached(&self, scope: Option<ScopeId>, address: IpAddr) -> bool {
        let at = self.by_address.get(&address);
        at.is_none_or(|owners| owners.iter().any(|(at, _)| self.reaches(scope, *at)))
    }

    pub(super) fn owner_name(&self, owner: Owner) -> &str {
        match owner {
            Owner::Firewall(index) => &self.firewalls[index].name,
            Owner::Device(index) => &self.devices[index].name,
        }
    }

    /// Returns the firewall of the settings that owns an address.
    pub(super) fn named_firewall_at(&self, address: IpAddr) -> Option<usize> {
        self.firewalls[..self.named_count].iter().position(|firewall| {
            firewall.addresses.contains(&address)
                || firewall.subnets.iter().any(|subnet| subnet.contains(address))
        })
    }

    fn scope(&self, scope: Option<ScopeId>) -> Option<&Scope> {
        self.scopes.get(scope?.index())
    }

    fn kinds_of(&self, scope: Option<ScopeId>, row: &RouteRow) -> SmallVec<[Kind; 2]> {
        let by_type = || SmallVec::from_slice(&[Kind::of(class_of_type(&row.next_hop_type))]);
        if row.next_hop_type == NextHopType::None {
            return by_type();
        }
        if self.policy_owner(scope, row).is_some() {
            return SmallVec::from_slice(&[Kind::of(NextHopClass::Firewall)]);
        }
        if row.next_hop_ips.is_empty() {
            let is_users = row.source == RouteSource::User;
            return match (&row.next_hop_type, self.gateway_reach(scope)) {
                (NextHopType::VirtualNetworkGateway, GatewayReach::None) if is_users => {
                    SmallVec::from_slice(&[Kind::dropped("phantom_gateway")])
                }
                (NextHopType::VirtualNetworkGateway, GatewayReach::ExpressRouteOnly)
                    if is_users =>
                {
                    SmallVec::from_slice(&[Kind::dropped("unsupported_combination")])
                }
                _ => by_type(),
            };
        }
        row.next_hop_ips.iter().map(|&ip| self.kind_of(scope, row, ip)).collect()
    }

    fn kind_of(&self, scope: Option<ScopeId>, row: &RouteRow, ip: IpAddr) -> Kind {
        let by_type = class_of_type(&row.next_hop_type);
        match (self.behind(scope, ip), by_type) {
            (Behind::Owner(Owner::Firewall(_)), _) => Kind::of(NextHopClass::Firewall),
            (Behind::Owner(Owner::Device(index)), _) => Kind::of(self.devices[index].class),
            (Behind::Phantom, NextHopClass::Appliance) => Kind::dropped("phantom_next_hop"),
            (Behind::OwnerUnknown, NextHopClass::Appliance) => {
                Kind { reason: Some("owner_unknown"), ..Kind::of(by_type) }
            }
            (Behind::OutsideSnapshot, NextHopClass::Appliance) => {
                Kind { reason: Some("next_hop_outside_snapshot"), ..Kind::of(by_type) }
            }
            _ => Kind::of(by_type),
        }
    }

    /// The firewall that a hub's policy sends a gateway's row to.
    fn policy_owner(&self, scope: Option<ScopeId>, row: &RouteRow) -> Option<Owner> {
        let (prefixes, owner) = self.scope(scope)?.policy.as_ref()?;
        let is_from_gateway = row.source == RouteSource::VirtualNetworkGateway
            && row.next_hop_type == NextHopType::VirtualNetworkGateway;
        (is_from_gateway && prefixes.contains(&row.prefix()?)).then_some(*owner)
    }

    fn name_of(&self, scope: Option<ScopeId>, address: IpAddr) -> Option<String> {
        if let Behind::Owner(owner) = self.behind(scope, address) {
            return Some(self.owner_name(owner).to_owned());
        }
        self.prefix_names
            .iter()
            .find(|(prefix, _)| prefix.contains(address))
            .map(|(_, name)| name.clone())
    }
}

/// The class of one address of a hop, with a stable code where it is not the plain one.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Kind {
    class: NextHopClass,
    reason: Option<&'static str>,
}

impl Kind {
    fn of(class: NextHopClass) -> Self {
        Self { class, reason: None }
    }

    fn dropped(reason: &'static str) -> Self {
        Self { class: NextHopClass::Dropped, reason: Some(reason) }
    }
}

impl<V> Default for PrefixMap<V> {
    fn default() -> Self {
        Self { by_prefix: AHashMap::new() }
    }
}

impl<V> PrefixMap<V> {
    pub(super) fn insert(&mut self, prefix: AddressPrefix, value: V) {
        self.by_prefix.entry(prefix).or_default().push(value);
    }

    /// Returns the values of the prefixes that hold an address, the longest prefix first.
    ///
    /// Cost: one look-up for each length.
    pub(super) fn holding(&self, address: IpAddr) -> impl Iterator<Item = &V> {
        self.prefixes_holding(address).filter_map(|prefix| self.by_prefix.get(&prefix)).flatten()
    }

    /// Returns the prefixes that hold an address, the longest first.
    pub(super) fn prefixes_holding(&self, address: IpAddr) -> impl Iterator<Item = AddressPrefix> {
        (0..=AddressPrefix::host(address).length())
            .rev()
            .filter_map(move |length| AddressPrefix::new(address, length).ok())
            .filter(|prefix| self.by_prefix.contains_key(prefix))
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
        owners().next_hop_of_set(None, &table.rows().collect::<Vec<_>>())
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
