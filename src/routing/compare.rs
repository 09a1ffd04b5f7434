//! A computed table against an exported one, row by row.

use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;

use super::{Rejection, RouteRow, RouteTable};
use crate::azure::{NextHopType, RouteDestination, RouteSource, RouteState, SystemNoneProfile};
use crate::net::AddressPrefix;

/// What differs between two tables of one subnet.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Comparison {
    /// Rows that Azure shows and the computation does not.
    pub only_exported: Vec<ComparedRow>,
    /// Rows that the computation shows and Azure does not.
    pub only_computed: Vec<ComparedRow>,
    /// Computed rows that may stand where the export was trimmed; no difference.
    pub hidden: Vec<ComparedRow>,
    /// Rows of which no published source tells how Azure shows them; no difference.
    pub unverified: Vec<ComparedRow>,
}

/// A row as it is compared: the addresses of a set stand together, however many rows they fill.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct ComparedRow {
    /// Its prefix or service tag.
    pub destination: RouteDestination,
    /// Who made it.
    pub source: RouteSource,
    /// Azure's word.
    pub state: RouteState,
    /// Azure's word.
    pub next_hop_type: NextHopType,
    /// The addresses, sorted.
    pub next_hop_ips: Vec<IpAddr>,
}

impl Comparison {
    /// Compares the rows that Azure shows.
    ///
    /// Rows are unverified, and named as such, where the computation decides what no source tells:
    ///
    /// * gateways' rows inside a VNet, peering or service-endpoint prefix;
    /// * addresses of gateways that no resource tells, such as those of ExpressRoute or a hub's
    ///   router;
    /// * rows to `None` beside a user-defined default route to the Internet, and rows to `None` of
    ///   blocks that are not documented, where the settings do not choose them.
    ///
    /// `is_elided` says that rows were left out of the export.
    pub fn of(exported: &RouteTable, computed: &RouteTable, is_elided: bool) -> Self {
        let (theirs, ours) = (rows_of(exported), rows_of(computed));
        let doubt = Doubt::of(computed);
        let mut comparison = Self::default();
        for row in theirs.difference(&ours) {
            if doubt.covers(row) || ours.iter().any(|own| differs_by_unknown_address(row, own)) {
                comparison.unverified.push(row.clone());
            } else {
                comparison.only_exported.push(row.clone());
            }
        }
        for row in ours.difference(&theirs) {
            let is_same = theirs.iter().any(|their| differs_by_unknown_address(their, row));
            if is_same {
                continue;
            } else if doubt.covers(row) {
                comparison.unverified.push(row.clone());
            } else if is_elided {
                comparison.hidden.push(row.clone());
            } else {
                comparison.only_computed.push(row.clone());
            }
        }
        comparison
    }

    /// Returns true when no row differs that should not.
    pub fn is_equal(&self) -> bool {
        self.only_exported.is_empty() && self.only_computed.is_empty()
    }
}

/// Rows of which no source tells how Azure shows them.
struct Doubt {
    set_aside: BTreeSet<(AddressPrefix, RouteSource)>,
    has_user_default_to_internet: bool,
}

impl Doubt {
    fn of(computed: &RouteTable) -> Self {
        Self {
            set_aside: computed
                .gateway_rows_set_aside()
                .filter_map(|row| Some((row.prefix()?, row.source.clone())))
                .collect(),
            has_user_default_to_internet: computed.rows().any(|row| {
                row.rejected.is_none()
                    && row.source == RouteSource::User
                    && row.next_hop_type == NextHopType::Internet
                    && row.prefix() == Some(AddressPrefix::IPV4_ALL)
            }),
        }
    }

    fn covers(&self, row: &ComparedRow) -> bool {
        let RouteDestination::Prefix(prefix) = row.destination else { return true };
        let is_none = row.source == RouteSource::Default && row.next_hop_type == NextHopType::None;
        self.set_aside.contains(&(prefix, row.source.clone()))
            || is_none && (self.has_user_default_to_internet || !is_documented(prefix))
    }
}

fn is_documented(block: AddressPrefix) -> bool {
    super::system_routes::none_blocks(SystemNoneProfile::Documented).any(|known| known == block)
}

/// A gateway's row whose addresses no resource tells.
fn differs_by_unknown_address(exported: &ComparedRow, computed: &ComparedRow) -> bool {
    computed.next_hop_type == NextHopType::VirtualNetworkGateway
        && computed.source == RouteSource::VirtualNetworkGateway
        && computed.next_hop_ips.is_empty()
        && !exported.next_hop_ips.is_empty()
        && (&exported.destination, &exported.source, &exported.state, &exported.next_hop_type)
            == (&computed.destination, &computed.source, &computed.state, &computed.next_hop_type)
}

fn rows_of(table: &RouteTable) -> BTreeSet<ComparedRow> {
    type Key = (RouteDestination, RouteSource, RouteState, NextHopType);
    let mut sets: BTreeMap<Key, BTreeSet<IpAddr>> = BTreeMap::new();
    let key = |row: &RouteRow| {
        (row.destination.clone(), row.source.clone(), row.state.clone(), row.next_hop_type.clone())
    };
    for row in table.shown_rows().filter(|row| row.rejected != Some(Rejection::ServiceTagPriority))
    {
        sets.entry(key(row)).or_default().extend(row.next_hop_ips.iter().copied());
    }
    sets.into_iter()
        .map(|((destination, source, state, next_hop_type), ips)| ComparedRow {
            destination,
            source,
            state,
            next_hop_type,
            next_hop_ips: ips.into_iter().collect(),
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::routing::testing::rows;

    fn compare(exported: &str, computed: &str, is_elided: bool) -> [Vec<String>; 4] {
        let comparison = Comparison::of(&rows(exported), &rows(computed), is_elided);
        [
            comparison.only_exported,
            comparison.only_computed,
            comparison.hidden,
            comparison.unverified,
        ]
        .map(|rows| rows.iter().map(|row| row.destination.to_string()).collect())
    }

    #[test]
    fn rows_differ_by_any_field_and_sets_by_their_members() {
        let base = "Default Active 10.0.0.0/16 VnetLocal
            VirtualNetworkGateway Active 192.168.0.0/16 VirtualNetworkGateway 10.0.0.4
            VirtualNetworkGateway Active 192.168.0.0/16 VirtualNetworkGateway 10.0.0.5";
        let one_row = base.replace(
            "10.0.0.4\n            VirtualNetworkGateway Active 192.168.0.0/16 \
             VirtualNetworkGateway 10.0.0.5",
            "10.0.0.5 10.0.0.4",
        );
        assert_ne!(base, one_row);
        assert_eq!(compare(base, &one_row, false), [vec![], vec![], vec![], vec![] as Vec<String>]);
        let other = base.replace("10.0.0.0/16", "10.1.0.0/16");
        let [theirs, ours, ..] = compare(base, &other, false);
        assert_eq!(
            (theirs, ours),
            (vec!["10.0.0.0/16".to_owned()], vec!["10.1.0.0/16".to_owned()])
        );
        let fewer = base.replace("10.0.0.5", "10.0.0.6");
        assert!(!Comparison::of(&rows(base), &rows(&fewer), false).is_equal());
    }

    #[test]
    fn an_elided_export_hides_computed_rows_and_no_others() {
        let short = "Default Active 10.0.0.0/16 VnetLocal";
        let long = "Default Active 10.0.0.0/16 VnetLocal\nDefault Active 10.0.0.0/8 None";
        let block = vec!["10.0.0.0/8".to_owned()];
        assert_eq!(compare(short, long, true)[2], block);
        assert_eq!(compare(short, long, false)[1], block);
        assert_eq!(compare(long, short, true)[0], block);
    }

    #[test]
    fn what_no_source_tells_is_named_and_is_no_difference() {
        for (exported, computed, named) in [
            (
                "VirtualNetworkGateway Active 192.168.0.0/16 VirtualNetworkGateway 10.20.88.110",
                "VirtualNetworkGateway Active 192.168.0.0/16 VirtualNetworkGateway",
                "192.168.0.0/16",
            ),
            (
                "Default Active 10.0.0.0/16 VnetLocal\nDefault Active 198.18.0.0/15 None",
                "Default Active 10.0.0.0/16 VnetLocal",
                "198.18.0.0/15",
            ),
            (
                "User Active 0.0.0.0/0 Internet",
                "User Active 0.0.0.0/0 Internet\nDefault Active 10.0.0.0/8 None",
                "10.0.0.0/8",
            ),
        ] {
            let [theirs, ours, hidden, unverified] = compare(exported, computed, false);
            assert!(theirs.is_empty() && ours.is_empty() && hidden.is_empty(), "{named}");
            assert_eq!(unverified, [named]);
        }
    }
}
