//! The label of one row: which table its sender uses, and what that table says.

use std::net::IpAddr;

use super::{LabelColumns, LookupSide};
use crate::fib::{Fib, NextHopId, Place, TableId};
use crate::net::MacAddress;
use crate::net::special::is_internet;
use crate::routing::NextHopClass;
use crate::traffic::{Context, FlowDirection, RowContexts, Unknown};

/// What the routes say about one row, as small numbers; [`Label::columns`] spells it out.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Label {
    /// The table that was asked.
    pub table: Option<TableId>,
    /// The address that was looked up.
    pub lookup: Option<LookupSide>,
    /// The hop; `None` without a matching route, too.
    pub next_hop: Option<NextHopId>,
    /// Our class of the hop.
    pub class: NextHopClass,
    /// Why the class is `unknown`. An unheard-of word of Azure's is unknown without a reason: it
    /// was looked up, and the row counts as classified.
    pub unknown: Option<Unknown>,
}

/// Who observed the tuples of a log's context.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Observer {
    /// A NIC or subnet whose table is known.
    Table(TableId),
    /// Not known by itself; the local address of each tuple tells the place.
    LocalAddress,
    /// Known to be no NIC of the snapshot, by its MAC address. Where the local address is that of
    /// another NIC it passes on packets of others, and this table, if any, explains it.
    NoNic(Option<TableId>),
    /// Azure's own infrastructure.
    Platform,
}

impl Observer {
    /// Finds who observed the tuples of a context: the NIC with its MAC address, else the NIC or
    /// subnet that its target resource names.
    pub fn of(fib: &Fib, shared: &RowContexts, context: &Context) -> Self {
        let text = |id: Option<_>| id.map(|id| shared.text(id));
        Self::of_context(
            fib,
            context.mac,
            text(context.acl_group),
            text(context.acl_rule),
            text(context.target_resource_id),
        )
    }

    /// As [`of`](Self::of), from what the context says.
    pub fn of_context(
        fib: &Fib,
        mac: Option<MacAddress>,
        acl_group: Option<&str>,
        acl_rule: Option<&str>,
        target_resource_id: Option<&str>,
    ) -> Self {
        if is_platform_rule(acl_group, acl_rule) {
            return Self::Platform;
        }
        let sources = fib.sources();
        let known = sources
            .forced()
            .or_else(|| mac.and_then(|mac| sources.by_mac(mac)))
            .or_else(|| target_resource_id.and_then(|id| sources.by_resource_id(id)));
        match known {
            Some(table) => Self::Table(table),
            None if mac.is_some() => {
                Self::NoNic(target_resource_id.and_then(|id| sources.transit_of(id)))
            }
            None => Self::LocalAddress,
        }
    }
}

impl Label {
    /// Labels a tuple with the hop of the packets that its observer sends: outbound looks up the
    /// destination, inbound the source, which is the way back.
    ///
    /// A tuple without direction cannot exist; it would be read as outbound.
    pub fn of_tuple(
        fib: &Fib,
        observer: Observer,
        direction: Option<FlowDirection>,
        source: IpAddr,
        destination: IpAddr,
    ) -> Self {
        if is_platform_tuple(fib, observer, source, destination) {
            return Self::without_table(NextHopClass::Platform, None);
        }
        let asked = Asked::of(fib, observer, direction, source, destination);
        match asked.table {
            Ok(table) => Self::looked_up(fib, table, asked.lookup, asked.remote),
            Err(reason) => Self::without_table(NextHopClass::Unknown, Some(reason)),
        }
    }

    /// Returns why the class of a tuple is unknown, as [`of_tuple`](Self::of_tuple) does, without a
    /// look-up wherever none is needed to know that it is not. `last` keeps what is looked up of a
    /// tuple's local end for those behind it.
    pub(super) fn unknown_of_tuple(
        fib: &Fib,
        observer: Observer,
        direction: Option<FlowDirection>,
        (source, destination): (IpAddr, IpAddr),
        last: &mut Option<LocalEnd>,
    ) -> Option<Unknown> {
        if is_platform_tuple(fib, observer, source, destination) {
            return None;
        }
        let (local, remote, _) = ends(direction, source, destination);
        let table = match last {
            Some(last) if (last.observer, last.address) == (observer, local) => last.table,
            _ => {
                let table = table_of(fib, observer, local);
                *last = Some(LocalEnd { observer, address: local, table });
                table
            }
        };
        match table {
            Ok(table) if fib.has_unresolved_service_tags() => hop_of(fib, table, remote).2,
            Ok(_) => None,
            Err(reason) => Some(reason),
        }
    }

    /// Labels a tuple for those who ask for no route: it is the platform's, or unknown.
    pub(super) fn without_route(
        fib: &Fib,
        observer: Observer,
        source: IpAddr,
        destination: IpAddr,
    ) -> Self {
        let class = match is_platform_tuple(fib, observer, source, destination) {
            true => NextHopClass::Platform,
            false => NextHopClass::Unknown,
        };
        Self::without_table(class, None)
    }

    /// Labels a flow or packet of a capture with the hop of what its initiator sends; one that the
    /// Internet initiated is labelled by its way back.
    pub fn of_packets(fib: &Fib, source: IpAddr, destination: IpAddr) -> Self {
        if fib.is_platform(source) || fib.is_platform(destination) {
            return Self::without_table(NextHopClass::Platform, None);
        }
        let forced = fib.sources().forced();
        match forced.map_or_else(|| table_at(fib, source), Ok) {
            Ok(table) => Self::looked_up(fib, table, LookupSide::Destination, destination),
            Err(Unknown::NoRouteTable) if is_internet(source) => match table_at(fib, destination) {
                Ok(table) => Self::looked_up(fib, table, LookupSide::Source, source),
                Err(reason) => Self::without_table(NextHopClass::Unknown, Some(reason)),
            },
            Err(reason) => Self::without_table(NextHopClass::Unknown, Some(reason)),
        }
    }

    /// Spells the label out for a row with these addresses.
    pub fn columns<'f>(
        &self,
        fib: &'f Fib,
        source: IpAddr,
        destination: IpAddr,
    ) -> LabelColumns<'f> {
        let info = self.table.map(|table| fib.info(table));
        let address = match self.lookup {
            Some(LookupSide::Source) => source,
            _ => destination,
        };
        let matched = match (self.table, self.unknown) {
            (Some(table), None) if self.class != NextHopClass::OutsideVnet => {
                fib.matched(table, address)
            }
            _ => None,
        };
        let next_hop = self.next_hop.filter(|_| self.unknown.is_none()).map(|id| fib.next_hop(id));
        LabelColumns {
            route_table_id: info.map(|info| info.id.as_str()),
            route_table_basis: info.map(|info| info.basis),
            lookup: self.lookup,
            matched_prefix: matched.map(|matched| matched.prefix),
            route_source: matched.map(|matched| matched.source.as_str()),
            next_hop_type: next_hop.map(|hop| hop.next_hop_type.as_str()),
            next_hop_ips: next_hop.map(|hop| &hop.ips),
            next_hop_name: next_hop.and_then(|hop| hop.name.as_deref()),
            next_hop_class: self.class,
            peer_next_hop_class: self.peer_class(fib, source, destination),
        }
    }

    /// As [`columns`](Self::columns), with the class alone.
    pub fn class_column<'f>(&self) -> LabelColumns<'f> {
        LabelColumns::of_class(self.class)
    }

    fn without_table(class: NextHopClass, unknown: Option<Unknown>) -> Self {
        Self { table: None, lookup: None, next_hop: None, class, unknown }
    }

    fn looked_up(fib: &Fib, table: TableId, lookup: LookupSide, remote: IpAddr) -> Self {
        let (next_hop, class, unknown) = hop_of(fib, table, remote);
        Self { table: Some(table), lookup: Some(lookup), next_hop, class, unknown }
    }

    /// Returns the class of the hop that the other end uses, where its table is known. Rows alone
    /// show it, so that sums need not look it up.
    pub fn peer_class(
        &self,
        fib: &Fib,
        source: IpAddr,
        destination: IpAddr,
    ) -> Option<NextHopClass> {
        let (local, remote) = match self.lookup? {
            LookupSide::Source => (destination, source),
            LookupSide::Destination => (source, destination),
        };
        // One table for every source says nothing about the other end's own.
        match fib.sources().forced() {
            Some(_) => None,
            None => fib.sources().answering(remote).map(|peer| hop_of(fib, peer, local).1),
        }
    }
}

pub(super) fn is_platform_tuple(
    fib: &Fib,
    observer: Observer,
    source: IpAddr,
    destination: IpAddr,
) -> bool {
    observer == Observer::Platform || fib.is_platform(source) || fib.is_platform(destination)
}

/// Which table is asked for which address.
struct Asked {
    table: Result<TableId, Unknown>,
    lookup: LookupSide,
    remote: IpAddr,
}

impl Asked {
    fn of(
        fib: &Fib,
        observer: Observer,
        direction: Option<FlowDirection>,
        source: IpAddr,
        destination: IpAddr,
    ) -> Self {
        let (local, remote, lookup) = ends(direction, source, destination);
        Self { table: table_of(fib, observer, local), lookup, remote }
    }
}

/// The table of the end that a tuple was recorded at.
pub(super) struct LocalEnd {
    observer: Observer,
    address: IpAddr,
    table: Result<TableId, Unknown>,
}

/// The end that a tuple was recorded at, the other one, and which of both that is.
fn ends(
    direction: Option<FlowDirection>,
    source: IpAddr,
    destination: IpAddr,
) -> (IpAddr, IpAddr, LookupSide) {
    match direction {
        Some(FlowDirection::Inbound) => (destination, source, LookupSide::Source),
        Some(FlowDirection::Outbound) | None => (source, destination, LookupSide::Destination),
    }
}

/// The table of an observer, or that of the local end that it recorded.
fn table_of(fib: &Fib, observer: Observer, local: IpAddr) -> Result<TableId, Unknown> {
    match observer {
        Observer::Table(table) => Ok(table),
        Observer::NoNic(table) if fib.sources().is_nic_address(local) => {
            table.ok_or(Unknown::UnknownObserver)
        }
        _ => table_at(fib, local),
    }
}

/// The table of an address, or why there is none.
fn table_at(fib: &Fib, address: IpAddr) -> Result<TableId, Unknown> {
    match fib.sources().place(address) {
        Place::Table(table) => Ok(table),
        Place::Ambiguous => Err(Unknown::AmbiguousSource),
        Place::Fastpath => Err(Unknown::Fastpath),
        Place::Nowhere => Err(Unknown::NoRouteTable),
    }
}

fn hop_of(
    fib: &Fib,
    table: TableId,
    address: IpAddr,
) -> (Option<NextHopId>, NextHopClass, Option<Unknown>) {
    if fib.is_outside_vnet(table, address) {
        return (None, NextHopClass::OutsideVnet, None);
    }
    let next_hop = fib.lookup(table, address);
    if fib.may_lose_to_service_tag(table, next_hop) && is_internet(address) {
        return (next_hop, NextHopClass::Unknown, Some(Unknown::UnresolvedServiceTag));
    }
    let class = next_hop.map_or(NextHopClass::NoRoute, |id| fib.next_hop(id).class);
    (next_hop, class, None)
}

/// Rows that Azure's own infrastructure causes carry this rule and an access list of zeros.
///
/// Source: published VNet flow logs; not documented.
fn is_platform_rule(acl_group: Option<&str>, acl_rule: Option<&str>) -> bool {
    acl_rule == Some("PlatformRule") && acl_group == Some("00000000-0000-0000-0000-000000000000")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fib::Source;
    use crate::routing::Owners;
    use crate::routing::testing::rows;
    use crate::traffic::FlowBatch;
    use crate::traffic::SourceFormat;

    fn prefix(text: &str) -> Source {
        Source::Prefix(text.parse().unwrap())
    }

    /// `web` (10.1.0.0/24, MAC …01) goes everywhere by an appliance; `db` (10.2.0.0/24) directly.
    fn fib() -> Fib {
        let web = rows(
            "Default Active 10.1.0.0/24 VnetLocal
             User Active 0.0.0.0/0 VirtualAppliance 10.9.0.4",
        );
        let db = rows(
            "Default Active 10.2.0.0/24 VnetLocal
             Default Active 10.1.0.0/24 VNetPeering
             Default Active 10.0.0.0/8 None",
        );
        let web_sources = vec![prefix("10.1.0.0/24"), Source::Mac("000D3A000001".parse().unwrap())];
        let db_sources = vec![prefix("10.2.0.0/24"), Source::Nic("db-nic".into())];
        Fib::compile(&[web, db], &[web_sources, db_sources], &Owners::default()).unwrap()
    }

    fn address(text: &str) -> IpAddr {
        text.parse().unwrap()
    }

    #[test]
    fn a_tuple_is_labelled_with_what_its_observer_sends() {
        use FlowDirection::{Inbound, Outbound};
        let fib = fib();
        let db = Observer::Table(fib.table_id(1).unwrap());
        for (observer, direction, source, destination, class, side, peer) in [
            (
                Observer::LocalAddress,
                Outbound,
                "10.1.0.4",
                "10.2.0.4",
                "appliance",
                "dest",
                Some("peering"),
            ),
            (
                Observer::LocalAddress,
                Inbound,
                "10.1.0.4",
                "10.2.0.4",
                "peering",
                "src",
                Some("appliance"),
            ),
            (db, Inbound, "10.1.0.4", "10.1.0.9", "peering", "src", Some("vnet")),
            (db, Outbound, "10.2.0.4", "8.8.8.8", "no_route", "dest", None),
            (db, Outbound, "10.2.0.4", "10.3.0.0", "dropped", "dest", None),
        ] {
            let label = Label::of_tuple(
                &fib,
                observer,
                Some(direction),
                address(source),
                address(destination),
            );
            let peer_class = label.peer_class(&fib, address(source), address(destination));
            assert_eq!(
                (
                    label.class.as_str(),
                    label.lookup.unwrap().as_str(),
                    peer_class.map(NextHopClass::as_str)
                ),
                (class, side, peer),
                "{observer:?} {direction:?} {source} {destination}"
            );
            assert_eq!(label.unknown, None);
        }
    }

    #[test]
    fn a_capture_is_labelled_from_its_initiator_and_from_the_internet_by_the_way_back() {
        let fib = fib();
        let label =
            |source, destination| Label::of_packets(&fib, address(source), address(destination));
        assert_eq!(label("10.2.0.4", "10.1.0.4").class, NextHopClass::Peering);
        let from_internet = label("203.0.113.7", "10.1.0.4");
        assert_eq!(from_internet.class, NextHopClass::Appliance);
        assert_eq!(from_internet.lookup, Some(LookupSide::Source));
        let columns = from_internet.columns(&fib, address("203.0.113.7"), address("10.1.0.4"));
        assert_eq!(columns.matched_prefix.unwrap().to_string(), "0.0.0.0/0");
        // An uncovered private sender is not the Internet.
        let uncovered = label("172.16.0.1", "10.1.0.4");
        assert_eq!(uncovered.unknown, Some(Unknown::NoRouteTable));
        assert_eq!((uncovered.class, uncovered.table), (NextHopClass::Unknown, None));
    }

    #[test]
    fn platform_comes_before_everything() {
        let fib = fib();
        for (source, destination) in [
            ("10.1.0.4", "168.63.129.16"),
            ("168.63.129.16", "10.1.0.4"),
            ("10.1.0.4", "169.254.169.254"),
            ("172.16.0.1", "255.255.255.255"),
        ] {
            let packets = Label::of_packets(&fib, address(source), address(destination));
            let tuple = Label::of_tuple(
                &fib,
                Observer::LocalAddress,
                Some(FlowDirection::Outbound),
                address(source),
                address(destination),
            );
            assert_eq!(packets, tuple);
            assert_eq!((packets.class, packets.unknown), (NextHopClass::Platform, None));
        }
    }

    #[test]
    fn one_forced_table_serves_every_source_and_tells_nothing_of_the_other_end() {
        let mut fib = fib();
        fib.force_table(fib.table_id(1).unwrap());
        let label = Label::of_packets(&fib, address("203.0.113.7"), address("10.1.0.4"));
        assert_eq!(
            (label.class, label.lookup),
            (NextHopClass::Peering, Some(LookupSide::Destination))
        );
        let peer_class = label.peer_class(&fib, address("203.0.113.7"), address("10.1.0.4"));
        assert_eq!(peer_class, None);
    }

    #[test]
    fn the_observer_is_the_mac_then_the_target_then_the_local_address() {
        let fib = fib();
        let mut batch = FlowBatch::default();
        let target = batch.push_text("/subscriptions/s/x/networkInterfaces/DB-NIC");
        let vnet = batch.push_text("/subscriptions/s/x/virtualNetworks/hub");
        let rule = batch.push_text("PlatformRule");
        let zeros = batch.push_text("00000000-0000-0000-0000-000000000000");
        let context = Context {
            format: SourceFormat::VnetV4,
            mac: Some("000D3A000001".parse().unwrap()),
            acl_group: None,
            acl_rule: None,
            target_resource_id: Some(target),
            flow_log_resource_id: None,
        };
        let observer = |context| Observer::of(&fib, batch.shared(), &context);
        assert_eq!(observer(context), Observer::Table(fib.table_id(0).unwrap()));
        let unknown_mac = Context { mac: Some("000D3AFFFFFF".parse().unwrap()), ..context };
        assert_eq!(observer(unknown_mac), Observer::Table(fib.table_id(1).unwrap()));
        let whole_vnet = Context { target_resource_id: Some(vnet), ..unknown_mac };
        assert_eq!(observer(whole_vnet), Observer::NoNic(None));
        assert_eq!(observer(Context { mac: None, ..whole_vnet }), Observer::LocalAddress);
        let platform = Context { acl_rule: Some(rule), acl_group: Some(zeros), ..context };
        assert_eq!(observer(platform), Observer::Platform);
        assert_ne!(observer(Context { acl_group: None, ..platform }), Observer::Platform);
    }

    #[test]
    fn a_default_that_an_unknown_tag_may_override_is_unknown_for_internet_addresses() {
        let table = rows(
            "User Active Storage VirtualAppliance 10.9.0.4
             Default Active 0.0.0.0/0 Internet",
        );
        let mut fib = Fib::compile(&[table], &[Vec::new()], &Owners::default()).unwrap();
        fib.force_table(fib.table_id(0).unwrap());
        let label =
            |destination| Label::of_packets(&fib, address("10.1.0.4"), address(destination));
        assert_eq!(label("8.8.8.8").unknown, Some(Unknown::UnresolvedServiceTag));
        assert_eq!(label("10.3.0.1").class, NextHopClass::Internet);
        let columns = label("8.8.8.8").columns(&fib, address("10.1.0.4"), address("8.8.8.8"));
        assert_eq!((columns.next_hop_type, columns.matched_prefix), (None, None));
    }
}
