//! The truth: what a naive router says about each flow.

use std::net::IpAddr;

use ahash::AHashMap;

use super::Snapshot;
use crate::azure::{NextHopIps, ServiceEndpointPriority, Settings};
use crate::net::special::{is_internet, is_platform};
use crate::net::{AddressPrefix, MacAddress};
use crate::routing::{NextHopClass, Owners, RouteTable, WinningRoute};
use crate::traffic::{FlowDirection, Unknown};

/// The rules of labelling as one would write them down, over a scan of the winning routes.
///
/// Answers are kept, so that popular addresses are scanned for once; what is kept is bounded.
///
/// # Examples
///
/// ```
/// use nexthop::generate::{NaiveRouter, SnapshotShape};
///
/// let snapshot = SnapshotShape { nics: 2, routes_per_table: 60 }.generate(1);
/// let mut router = NaiveRouter::new(&snapshot);
/// let verdict = router.packets("10.16.0.4".parse()?, "10.3.0.9".parse()?);
/// assert_eq!(verdict.class.as_str(), "appliance");
/// assert_eq!(router.columns(&verdict)[..3], ["vm00000-nic", "dest", "10.3.0.0/16"]);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug)]
pub struct NaiveRouter {
    tables: Vec<Table>,
    macs: AHashMap<MacAddress, usize>,
    hops: Vec<Hop>,
    decisions: AHashMap<(usize, IpAddr), Decision>,
    owners: AHashMap<IpAddr, Option<usize>>,
}

/// The label of one flow.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Verdict {
    /// Our class.
    pub class: NextHopClass,
    /// Why the class is `unknown`.
    pub unknown: Option<Unknown>,
    /// The class of the hop that the other end uses.
    pub peer_class: Option<NextHopClass>,
    /// The table, by its place, and whether the source was looked up in it.
    looked_up: Option<(usize, bool)>,
    /// The route that won, by its place in the table, and its hop.
    won: Option<(usize, usize)>,
}

#[derive(Debug)]
struct Table {
    name: String,
    sources: [AddressPrefix; 2],
    routes: Vec<WinningRoute>,
    /// The hop of each route, by its place among the distinct ones.
    hops: Vec<usize>,
    has_unresolved_service_tag: bool,
}

/// A next hop as far as summaries tell them apart. The order is theirs, too.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(super) struct Hop {
    pub(super) next_hop_type: Option<String>,
    pub(super) ips: NextHopIps,
    pub(super) name: Option<String>,
    pub(super) class: NextHopClass,
}

#[derive(Clone, Copy, Debug)]
struct Decision {
    class: NextHopClass,
    unknown: Option<Unknown>,
    won: Option<(usize, usize)>,
}

/// How many answers are kept: about 64 MiB.
const KEPT_MAX: usize = 1 << 20;

impl NaiveRouter {
    /// Selects the routes of every table of a snapshot.
    ///
    /// # Panics
    ///
    /// When the settings of the snapshot cannot be read, which a test of every shape holds.
    pub fn new(snapshot: &Snapshot) -> Self {
        let settings = Settings::parse(&snapshot.settings()).expect("were written by this module");
        let owners = Owners::from_settings(&settings);
        let mut hops: Vec<Hop> = Vec::new();
        let mut places: AHashMap<Hop, usize> = AHashMap::new();
        let tables = snapshot
            .places
            .iter()
            .map(|place| {
                let priority = ServiceEndpointPriority::Lpm;
                let table = RouteTable::from_export(&place.name, &place.routes, priority);
                let routes = table.winners(&owners);
                let hop_of = |route: &WinningRoute| {
                    *places.entry(Hop::of(route)).or_insert_with_key(|hop| {
                        hops.push(hop.clone());
                        hops.len() - 1
                    })
                };
                Table {
                    name: place.name.clone(),
                    sources: place.prefixes,
                    hops: routes.iter().map(hop_of).collect(),
                    routes,
                    has_unresolved_service_tag: table.has_unresolved_service_tag(),
                }
            })
            .collect();
        let macs = (0..).zip(&snapshot.places).map(|(index, place)| (place.mac, index)).collect();
        Self { tables, macs, hops, decisions: AHashMap::new(), owners: AHashMap::new() }
    }

    /// Labels a tuple that the NIC with `mac` observed; `is_platform_rule` says that Azure's own
    /// infrastructure caused it.
    ///
    /// The observer's table is that of its MAC address, else that of its local address. Outbound
    /// looks up the destination, inbound the source.
    pub fn tuple(
        &mut self,
        mac: MacAddress,
        is_platform_rule: bool,
        direction: FlowDirection,
        source: IpAddr,
        destination: IpAddr,
    ) -> Verdict {
        if is_platform_rule || is_platform(source) || is_platform(destination) {
            return Verdict::PLATFORM;
        }
        let is_inbound = direction == FlowDirection::Inbound;
        let (local, remote) =
            if is_inbound { (destination, source) } else { (source, destination) };
        let by_mac = self.macs.get(&mac).copied();
        match by_mac.or_else(|| self.owner_of(local)) {
            Some(table) => self.looked_up(table, is_inbound, local, remote),
            None => Verdict::NO_ROUTE_TABLE,
        }
    }

    /// Labels a flow of a capture by its initiator; one that the Internet initiated by its way
    /// back.
    pub fn packets(&mut self, source: IpAddr, destination: IpAddr) -> Verdict {
        if is_platform(source) || is_platform(destination) {
            return Verdict::PLATFORM;
        }
        match (self.owner_of(source), self.owner_of(destination)) {
            (Some(table), _) => self.looked_up(table, false, source, destination),
            (None, Some(table)) if is_internet(source) => {
                self.looked_up(table, true, destination, source)
            }
            _ => Verdict::NO_ROUTE_TABLE,
        }
    }

    /// Returns what the verdict says in the columns `RouteTableId`, `LookupIp`, `MatchedPrefix`,
    /// `RouteSource`, `NextHopType`, `NextHopIp`, `NextHopName`, `NextHopClass` and
    /// `PeerNextHopClass`; null is no text.
    pub fn columns(&self, verdict: &Verdict) -> [String; 9] {
        let table = verdict.looked_up.map(|(table, _)| &self.tables[table]);
        let won = verdict.won.filter(|_| verdict.unknown.is_none());
        let route = table.zip(won).map(|(table, (route, _))| &table.routes[route]);
        let text = |text: Option<&str>| text.unwrap_or_default().to_owned();
        let ips = route.map(|route| route.next_hop.ips.iter().map(IpAddr::to_string));
        [
            text(table.map(|table| table.name.as_str())),
            text(verdict.looked_up.map(|(_, is_source)| if is_source { "src" } else { "dest" })),
            route.map(|route| route.prefix.to_string()).unwrap_or_default(),
            text(route.map(|route| route.source.as_str())),
            text(route.map(|route| route.next_hop.next_hop_type.as_str())),
            ips.map(|ips| ips.collect::<Vec<_>>().join(" ")).unwrap_or_default(),
            text(route.and_then(|route| route.next_hop.name.as_deref())),
            text(Some(verdict.class.as_str())),
            text(verdict.peer_class.map(NextHopClass::as_str)),
        ]
    }

    /// The distinct next hops of all tables.
    pub(super) fn hops(&self) -> &[Hop] {
        &self.hops
    }

    fn looked_up(
        &mut self,
        table: usize,
        is_source: bool,
        local: IpAddr,
        remote: IpAddr,
    ) -> Verdict {
        let Decision { class, unknown, won } = self.decision(table, remote);
        let peer = self.owner_of(remote);
        let peer_class = peer.map(|peer| self.decision(peer, local).class);
        Verdict { class, unknown, peer_class, looked_up: Some((table, is_source)), won }
    }

    fn decision(&mut self, table: usize, address: IpAddr) -> Decision {
        if self.decisions.len() >= KEPT_MAX {
            self.decisions.clear();
        }
        let tables = &self.tables;
        *self
            .decisions
            .entry((table, address))
            .or_insert_with(|| Decision::of(&tables[table], address))
    }

    /// The table of an address: that of the longest prefix among all sources.
    fn owner_of(&mut self, address: IpAddr) -> Option<usize> {
        if self.owners.len() >= KEPT_MAX {
            self.owners.clear();
        }
        let tables = &self.tables;
        *self.owners.entry(address).or_insert_with(|| {
            let sources = tables
                .iter()
                .enumerate()
                .flat_map(|(index, table)| table.sources.iter().map(move |prefix| (index, prefix)));
            sources
                .filter(|(_, prefix)| prefix.contains(address))
                .max_by_key(|(_, prefix)| prefix.length())
                .map(|(index, _)| index)
        })
    }
}

impl Verdict {
    const PLATFORM: Self = Self {
        class: NextHopClass::Platform,
        unknown: None,
        peer_class: None,
        looked_up: None,
        won: None,
    };
    const NO_ROUTE_TABLE: Self = Self {
        class: NextHopClass::Unknown,
        unknown: Some(Unknown::NoRouteTable),
        ..Self::PLATFORM
    };

    /// The hop that sums are counted to; `None` where no route tells it.
    pub(super) fn hop(&self) -> Option<usize> {
        self.won.filter(|_| self.unknown.is_none()).map(|(_, hop)| hop)
    }
}

impl Decision {
    /// The longest of the winning routes that hold the address.
    fn of(table: &Table, address: IpAddr) -> Self {
        let longest = table
            .routes
            .iter()
            .enumerate()
            .filter(|(_, route)| route.prefix.contains(address))
            .max_by_key(|(_, route)| route.prefix.length());
        let may_lose_to_service_tag = longest
            .map_or(table.has_unresolved_service_tag, |(_, route)| route.may_lose_to_service_tag);
        let won = longest.map(|(index, _)| (index, table.hops[index]));
        if may_lose_to_service_tag && is_internet(address) {
            let unknown = Some(Unknown::UnresolvedServiceTag);
            return Self { class: NextHopClass::Unknown, unknown, won };
        }
        let class = longest.map_or(NextHopClass::NoRoute, |(_, route)| route.next_hop.class);
        Self { class, unknown: None, won }
    }
}

impl Hop {
    /// What sums are counted to where no route tells a hop.
    pub(super) fn without_route(class: NextHopClass) -> Self {
        Self { next_hop_type: None, ips: NextHopIps::new(), name: None, class }
    }

    fn of(route: &WinningRoute) -> Self {
        let hop = &route.next_hop;
        Self {
            next_hop_type: Some(hop.next_hop_type.as_str().to_owned()),
            ips: hop.ips.clone(),
            name: hop.name.clone(),
            class: hop.class,
        }
    }
}
