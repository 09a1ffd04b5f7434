//! Which rows of an exported table the NIC uses: at one prefix a single source wins.

use std::collections::BTreeMap;
use std::sync::Arc;

use ahash::{AHashMap, AHashSet};

use super::{NextHop, Owners, Rejection, RouteRow, RouteTable, RouteTableBasis};
use crate::azure::{
    EffectiveRoute, NextHopIps, NextHopType, RouteDestination, RouteSource, RouteState,
    ServiceEndpointPriority,
};
use crate::net::AddressPrefix;

/// A prefix that the table uses, with its next hop: what a forwarding table is compiled from.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct WinningRoute {
    /// The prefix; each stands once.
    pub prefix: AddressPrefix,
    /// Who made the winning rows.
    pub source: RouteSource,
    /// The hop; rows of equal cost make one set. Rows with one hop share it.
    pub next_hop: Arc<NextHop>,
    /// A row of a service tag whose prefixes are not known may hold Internet addresses of this
    /// prefix and would send them elsewhere.
    pub may_lose_to_service_tag: bool,
}

impl RouteTable {
    /// Selects among the rows of an export, which keeps most ties but not all of them visible.
    ///
    /// The rules, first to last:
    /// 1. only rows in state Active are used;
    /// 2. a gateway's row inside or equal to a VNet, peering or service-endpoint prefix of the
    ///    system is not used, although it may be longer; it does not matter whether that system
    ///    row itself lost to a user-defined route (R2.3, decision 7);
    /// 3. at the same prefix a service endpoint wins over a user-defined route (R2.5, decision;
    ///    with `absolute` it wins over more specific ones too);
    /// 4. at the same prefix User wins over gateway, gateway over Default (R2.2);
    /// 5. what is left at a prefix is one set of equal cost (R2.7).
    ///
    /// Cost: O(n log n) for n rows.
    ///
    /// Source: Microsoft, "Virtual network traffic routing", section "How Azure selects a route"
    /// (read 2026-11-20).
    pub fn from_export(
        id: impl Into<String>,
        routes: &[EffectiveRoute],
        service_endpoint_priority: ServiceEndpointPriority,
    ) -> Self {
        let mut rows: Vec<RouteRow> = routes.iter().flat_map(rows_of).collect();
        reject_unusable(&mut rows);
        reject_gateway_rows_inside_system_prefixes(&mut rows);
        reject_user_rows_beside_service_endpoints(&mut rows, service_endpoint_priority);
        reject_lower_sources(&mut rows);
        Self::new(id, RouteTableBasis::Exported, rows)
    }

    /// Returns the prefixes that the table uses, sorted, each with one next hop.
    pub fn winners(&self, owners: &Owners) -> Vec<WinningRoute> {
        let tagged = self.service_tag_next_hops(owners);
        let mut rows: Vec<(AddressPrefix, &RouteRow)> = self
            .rows()
            .filter(|row| row.rejected.is_none())
            .filter_map(|row| Some((row.prefix()?, row)))
            .collect();
        rows.sort_by_key(|(prefix, _)| *prefix);
        // Most rows of a table share a few hops.
        let mut known: AHashMap<(&NextHopType, &NextHopIps, &RouteSource), Arc<NextHop>> =
            AHashMap::new();
        rows.chunk_by(|a, b| a.0 == b.0)
            .map(|group| {
                let prefix = group[0].0;
                let next_hop = match group {
                    [(_, row)] if !owners.depends_on_prefix(self.scope, row) => Arc::clone(
                        known
                            .entry((&row.next_hop_type, &row.next_hop_ips, &row.source))
                            .or_insert_with(|| {
                                Arc::new(owners.next_hop_of_set(self.scope, &[row]))
                            }),
                    ),
                    _ => {
                        let rows: Vec<&RouteRow> = group.iter().map(|(_, row)| *row).collect();
                        Arc::new(owners.next_hop_of_set(self.scope, &rows))
                    }
                };
                winner(prefix, group[0].1, next_hop, &tagged)
            })
            .collect()
    }

    /// Returns what the winning rows of a prefix make.
    pub(super) fn winner(
        &self,
        owners: &Owners,
        prefix: AddressPrefix,
        rows: &[&RouteRow],
    ) -> WinningRoute {
        let next_hop = Arc::new(owners.next_hop_of_set(self.scope, rows));
        winner(prefix, rows[0], next_hop, &self.service_tag_next_hops(owners))
    }

    /// Returns true when the table has a row of a service tag whose prefixes are not known.
    pub fn has_unresolved_service_tag(&self) -> bool {
        self.unresolved_service_tag_rows().next().is_some()
    }

    /// Returns the rows of service tags whose prefixes are not known.
    pub fn unresolved_service_tag_rows(&self) -> impl Iterator<Item = &RouteRow> {
        self.rows().filter(|row| row.rejected == Some(Rejection::UnresolvedServiceTag))
    }

    /// Returns the gateway rows that lost to a system row although they are as long or longer.
    /// Azure's documentation says so; no published export confirms how it shows them, so a run
    /// that relies on it says so.
    pub fn gateway_rows_set_aside(&self) -> impl Iterator<Item = &RouteRow> {
        self.rows().filter(|row| row.rejected == Some(Rejection::SystemPreferredOverBgp))
    }

    fn service_tag_next_hops(&self, owners: &Owners) -> Vec<NextHop> {
        self.unresolved_service_tag_rows()
            .map(|row| owners.next_hop_of_set(self.scope, &[row]))
            .collect()
    }
}

/// Routes up to this length are defaults: 0.0.0.0/0 and the two halves that stand in for it. Tags
/// hold public blocks of /8 and longer, so what such a route wins, an unknown tag may win instead;
/// routes that were written for a block of their own are believed.
const DEFAULT_ROUTE_LENGTH_MAX: u8 = 1;

fn winner(
    prefix: AddressPrefix,
    row: &RouteRow,
    next_hop: Arc<NextHop>,
    tagged: &[NextHop],
) -> WinningRoute {
    WinningRoute {
        prefix,
        source: row.source.clone(),
        may_lose_to_service_tag: prefix.length() <= DEFAULT_ROUTE_LENGTH_MAX
            && tagged.iter().any(|other| *other != *next_hop),
        next_hop,
    }
}

fn rows_of(route: &EffectiveRoute) -> impl Iterator<Item = RouteRow> + '_ {
    route.destinations.iter().map(|destination| RouteRow {
        destination: destination.clone(),
        source: route.source.clone(),
        state: route.state.clone(),
        next_hop_type: route.next_hop_type.clone(),
        next_hop_ips: route.next_hop_ips.clone(),
        name: route.name.as_deref().map(Arc::from),
        is_absent: false,
        rejected: None,
    })
}

fn reject_unusable(rows: &mut [RouteRow]) {
    for row in rows {
        row.rejected = match (&row.state, &row.destination) {
            (RouteState::Active, RouteDestination::Prefix(_)) => None,
            (RouteState::Active, RouteDestination::ServiceTag(_)) => {
                Some(Rejection::UnresolvedServiceTag)
            }
            _ => Some(Rejection::StateInvalid),
        };
    }
}

fn reject_gateway_rows_inside_system_prefixes(rows: &mut [RouteRow]) {
    let system: AHashSet<AddressPrefix> = rows
        .iter()
        .filter(|row| row.source == RouteSource::Default && is_system_network(&row.next_hop_type))
        .filter_map(RouteRow::prefix)
        .collect();
    for row in usable(rows).filter(|row| row.source == RouteSource::VirtualNetworkGateway) {
        if row.prefix().is_some_and(|prefix| lies_inside(prefix, &system)) {
            row.rejected = Some(Rejection::SystemPreferredOverBgp);
        }
    }
}

fn reject_user_rows_beside_service_endpoints(
    rows: &mut [RouteRow],
    priority: ServiceEndpointPriority,
) {
    let endpoints: AHashSet<AddressPrefix> = rows
        .iter()
        .filter(|row| {
            row.rejected.is_none()
                && row.next_hop_type == NextHopType::VirtualNetworkServiceEndpoint
        })
        .filter_map(RouteRow::prefix)
        .collect();
    for row in usable(rows).filter(|row| row.source == RouteSource::User) {
        let loses = row.prefix().is_some_and(|prefix| match priority {
            ServiceEndpointPriority::Lpm => endpoints.contains(&prefix),
            ServiceEndpointPriority::Absolute => lies_inside(prefix, &endpoints),
        });
        if loses {
            row.rejected = Some(Rejection::ServiceEndpointPreferred);
        }
    }
}

fn reject_lower_sources(rows: &mut [RouteRow]) {
    let mut best: BTreeMap<AddressPrefix, u8> = BTreeMap::new();
    for row in usable(rows) {
        if let Some(prefix) = row.prefix() {
            let rank = source_rank(&row.source);
            best.entry(prefix).and_modify(|best| *best = rank.min(*best)).or_insert(rank);
        }
    }
    for row in usable(rows) {
        if row.prefix().is_some_and(|prefix| source_rank(&row.source) > best[&prefix]) {
            row.rejected = Some(Rejection::SourcePriority);
        }
    }
}

fn usable(rows: &mut [RouteRow]) -> impl Iterator<Item = &mut RouteRow> {
    rows.iter_mut().filter(|row| row.rejected.is_none())
}

/// The rank of a source at one prefix; the lowest wins. Words that Azure does not document rank
/// with the system's.
pub(super) fn source_rank(source: &RouteSource) -> u8 {
    match source {
        RouteSource::User => 0,
        RouteSource::VirtualNetworkGateway => 1,
        RouteSource::Default | RouteSource::Other(_) => 2,
    }
}

fn is_system_network(next_hop_type: &NextHopType) -> bool {
    matches!(
        next_hop_type,
        NextHopType::VnetLocal
            | NextHopType::VNetPeering
            | NextHopType::VNetGlobalPeering
            | NextHopType::VirtualNetworkServiceEndpoint
    )
}

/// A look-up for each shorter length, so that many gateway rows beside hundreds of service-endpoint
/// prefixes stay linear.
pub(super) fn lies_inside(prefix: AddressPrefix, covering: &AHashSet<AddressPrefix>) -> bool {
    (0..=prefix.length()).any(|length| {
        AddressPrefix::new(prefix.address(), length).is_ok_and(|outer| covering.contains(&outer))
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::routing::{NextHopClass, testing::rows as table_of};

    fn rejections(text: &str) -> Vec<Option<Rejection>> {
        table_of(text).rows().map(|row| row.rejected).collect()
    }

    #[test]
    fn r2_2_user_over_gateway_over_default_at_the_same_prefix_only() {
        use Rejection::SourcePriority;
        assert_eq!(
            rejections(
                "Default Active 0.0.0.0/0 Internet
                 VirtualNetworkGateway Active 0.0.0.0/0 VirtualNetworkGateway 10.0.0.9
                 User Active 0.0.0.0/0 VirtualAppliance 10.0.0.4
                 VirtualNetworkGateway Active 192.168.0.0/16 VirtualNetworkGateway 10.0.0.9
                 User Active 192.0.0.0/8 VirtualAppliance 10.0.0.4"
            ),
            [Some(SourcePriority), Some(SourcePriority), None, None, None]
        );
    }

    #[test]
    fn r2_3_system_networks_win_over_longer_and_equal_gateway_rows() {
        use Rejection::SystemPreferredOverBgp;
        for system in
            ["VnetLocal", "VNetPeering", "VNetGlobalPeering", "VirtualNetworkServiceEndpoint"]
        {
            assert_eq!(
                rejections(&format!(
                    "Default Active 10.1.0.0/16 {system}
                     VirtualNetworkGateway Active 10.1.0.0/16 VirtualNetworkGateway 1.1.1.1
                     VirtualNetworkGateway Active 10.1.5.0/24 VirtualNetworkGateway 1.1.1.1
                     VirtualNetworkGateway Active 10.0.0.0/8 VirtualNetworkGateway 1.1.1.1
                     VirtualNetworkGateway Active 10.2.0.0/16 VirtualNetworkGateway 1.1.1.1"
                )),
                [None, Some(SystemPreferredOverBgp), Some(SystemPreferredOverBgp), None, None],
                "{system}"
            );
        }
        // Not for the Internet and None rows of the system, which lose normally.
        assert_eq!(
            rejections(
                "Default Active 0.0.0.0/0 Internet
                 Default Active 10.0.0.0/8 None
                 VirtualNetworkGateway Active 10.1.0.0/16 VirtualNetworkGateway 1.1.1.1"
            ),
            [None, None, None]
        );
    }

    #[test]
    fn r2_3_holds_where_the_system_row_itself_lost() {
        assert_eq!(
            rejections(
                "Default Invalid 10.4.0.0/16 VNetPeering
                 User Active 10.4.0.0/16 VirtualAppliance 10.0.0.4
                 VirtualNetworkGateway Active 10.4.7.0/24 VirtualNetworkGateway 1.1.1.1"
            ),
            [Some(Rejection::StateInvalid), None, Some(Rejection::SystemPreferredOverBgp)]
        );
    }

    #[test]
    fn r2_4_a_more_specific_user_row_wins_over_any_system_row() {
        let table = table_of(
            "Default Active 10.1.0.0/16 VnetLocal
             User Active 10.1.1.0/24 VirtualAppliance 10.4.0.4",
        );
        assert!(table.rows().all(|row| row.rejected.is_none()));
    }

    #[test]
    fn r2_5_a_service_endpoint_wins_at_the_same_prefix_and_with_absolute_inside_it() {
        use Rejection::ServiceEndpointPreferred;
        let text = "Default Active 40.79.154.0/24 VirtualNetworkServiceEndpoint
                    User Active 40.79.154.0/24 VirtualAppliance 10.0.0.4
                    User Active 40.79.154.128/25 VirtualAppliance 10.0.0.4
                    User Active 40.0.0.0/8 VirtualAppliance 10.0.0.4";
        assert_eq!(rejections(text), [None, Some(ServiceEndpointPreferred), None, None]);
        let absolute = RouteTable::from_export(
            "t",
            &crate::routing::testing::routes(text),
            ServiceEndpointPriority::Absolute,
        );
        let rejected: Vec<_> = absolute.rows().map(|row| row.rejected).collect();
        assert_eq!(
            rejected,
            [None, Some(ServiceEndpointPreferred), Some(ServiceEndpointPreferred), None]
        );
    }

    #[test]
    fn r2_7_rows_of_one_prefix_make_a_sorted_set() {
        let table = table_of(
            "VirtualNetworkGateway Active 192.168.0.0/24 VirtualNetworkGateway 10.13.76.5
             VirtualNetworkGateway Active 192.168.0.0/24 VirtualNetworkGateway 10.13.76.4
             VirtualNetworkGateway Active 192.168.0.0/24 VirtualNetworkGateway 10.13.76.5",
        );
        let winners = table.winners(&Owners::default());
        assert_eq!(winners.len(), 1);
        let ips: Vec<String> = winners[0].next_hop.ips.iter().map(ToString::to_string).collect();
        assert_eq!(ips, ["10.13.76.4", "10.13.76.5"]);
        assert_eq!(winners[0].next_hop.class, NextHopClass::Gateway);
    }

    #[test]
    fn invalid_and_unheard_of_states_are_not_used() {
        assert_eq!(
            rejections(
                "Default Invalid 10.0.0.0/8 VnetLocal
                 Default Pending 10.0.0.0/8 VnetLocal"
            ),
            [Some(Rejection::StateInvalid); 2]
        );
    }

    #[test]
    fn an_unknown_service_tag_casts_doubt_on_defaults_alone() {
        let table = table_of(
            "User Active Storage VirtualAppliance 10.0.0.4
             Default Active 0.0.0.0/0 Internet
             User Active 20.0.0.0/8 Internet",
        );
        let doubt: Vec<bool> = table
            .winners(&Owners::default())
            .iter()
            .map(|winner| winner.may_lose_to_service_tag)
            .collect();
        assert_eq!(doubt, [true, false]);
        let same_hop = table_of(
            "User Active Storage VirtualAppliance 10.0.0.4
             User Active 0.0.0.0/0 VirtualAppliance 10.0.0.4",
        );
        assert!(!same_hop.winners(&Owners::default())[0].may_lose_to_service_tag);
        assert!(same_hop.has_unresolved_service_tag());
    }
}
