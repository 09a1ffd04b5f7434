//! One packet, explained: the winner, and why every other row lost.

use std::net::IpAddr;

use super::selection::source_rank;
use super::{NextHop, NextHopClass, Owners, Rejection, RouteRow, RouteTable};
use crate::azure::RouteSource;
use crate::net::AddressPrefix;
use crate::net::special::is_internet;

/// The decision of one table about one destination.
#[derive(Clone, Debug)]
pub struct Explanation<'t> {
    /// The destination.
    pub destination: IpAddr,
    /// Our class: that of the winner, `platform`, `no_route` or `unknown`.
    pub class: NextHopClass,
    /// The winner's hop; several winning rows of equal cost make one set.
    pub next_hop: Option<NextHop>,
    /// The winner's prefix.
    pub matched_prefix: Option<AddressPrefix>,
    /// Who made the winner.
    pub route_source: Option<RouteSource>,
    /// A stable code: `longest_prefix`, `no_route`, `platform`, `outside_vnet`,
    /// `unresolved_service_tag`, or what is wrong with the winner's hop.
    pub reason: &'static str,
    /// Every row whose prefix holds the destination, the winners first, then by length, source and
    /// state. Rows of unresolved service tags come last: they may hold it.
    pub candidates: Vec<Candidate<'t>>,
}

/// One row that holds the destination.
#[derive(Clone, Copy, Debug)]
pub struct Candidate<'t> {
    /// The row.
    pub row: &'t RouteRow,
    /// Whether the packet uses it.
    pub is_selected: bool,
    /// Why not, as a stable code; `longest_prefix` for a winner.
    pub reason: &'static str,
}

impl RouteTable {
    /// Decides one destination by a scan over all rows, and says why.
    ///
    /// This is the plain form of the look-up: the compiled tables must equal it.
    ///
    /// Cost: O(n) for n rows, and a sort of those that hold the destination.
    pub fn explain(&self, owners: &Owners, destination: IpAddr) -> Explanation<'_> {
        if owners.is_platform(destination) {
            return Explanation::without_route(destination, NextHopClass::Platform);
        }
        if self.is_outside_vnet(destination) {
            return Explanation::without_route(destination, NextHopClass::OutsideVnet);
        }
        let holding: Vec<&RouteRow> = self.rows().filter(|row| row.may_hold(destination)).collect();
        let usable = || holding.iter().filter(|row| row.rejected.is_none());
        let matched_prefix =
            usable().filter_map(|row| row.prefix()).max_by_key(|prefix| prefix.length());
        let winner = matched_prefix.map(|prefix| {
            let rows: Vec<&RouteRow> =
                usable().copied().filter(|row| row.prefix() == Some(prefix)).collect();
            self.winner(owners, prefix, &rows)
        });
        let tag_may_win = is_internet(destination)
            && winner
                .as_ref()
                .map_or(self.has_unresolved_service_tag(), |winner| winner.may_lose_to_service_tag);
        let (class, reason) = match &winner {
            _ if tag_may_win => (NextHopClass::Unknown, Rejection::UnresolvedServiceTag.as_str()),
            Some(winner) => {
                (winner.next_hop.class, winner.next_hop.reason.unwrap_or("longest_prefix"))
            }
            None => (NextHopClass::NoRoute, "no_route"),
        };
        Explanation {
            destination,
            class,
            matched_prefix,
            route_source: winner.as_ref().map(|winner| winner.source.clone()),
            next_hop: winner.map(|winner| NextHop::clone(&winner.next_hop)),
            reason,
            candidates: ranked(holding, matched_prefix),
        }
    }
}

impl Explanation<'_> {
    fn without_route(destination: IpAddr, class: NextHopClass) -> Self {
        Self {
            destination,
            class,
            next_hop: None,
            matched_prefix: None,
            route_source: None,
            reason: class.as_str(),
            candidates: Vec::new(),
        }
    }
}

impl RouteRow {
    fn may_hold(&self, destination: IpAddr) -> bool {
        match self.prefix() {
            Some(prefix) => prefix.contains(destination),
            None => is_internet(destination),
        }
    }
}

fn ranked<'t>(
    mut holding: Vec<&'t RouteRow>,
    matched_prefix: Option<AddressPrefix>,
) -> Vec<Candidate<'t>> {
    let is_selected = |row: &RouteRow| row.rejected.is_none() && row.prefix() == matched_prefix;
    holding.sort_by_key(|row| {
        let length = row.prefix().map_or(-1, |prefix| i16::from(prefix.length()));
        (
            !is_selected(row),
            -length,
            row.rejected.is_some(),
            source_rank(&row.source),
            row.next_hop_ips.clone(),
        )
    });
    holding
        .into_iter()
        .map(|row| Candidate {
            row,
            is_selected: is_selected(row),
            reason: match row.rejected {
                Some(rejection) => rejection.as_str(),
                None if is_selected(row) => "longest_prefix",
                None => "longer_prefix",
            },
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::routing::testing::rows;

    fn reasons(table: &RouteTable, destination: &str) -> Vec<(String, &'static str)> {
        table
            .explain(&Owners::default(), destination.parse().unwrap())
            .candidates
            .iter()
            .map(|candidate| {
                let row = candidate.row;
                (format!("{} {}", row.source.as_str(), row.prefix().unwrap()), candidate.reason)
            })
            .collect()
    }

    #[test]
    fn every_row_that_holds_the_address_is_listed_best_first_with_its_reason() {
        let table = rows(
            "Default Active 0.0.0.0/0 Internet
             User Active 10.13.77.0/24 VirtualAppliance 10.13.76.68
             Default Invalid 10.13.77.0/24 VNetGlobalPeering
             Default Invalid 10.13.77.6/32 InterfaceEndpoint
             Default Active 10.0.0.0/8 None
             Default Active 172.16.0.0/12 None",
        );
        let want = [
            ("User 10.13.77.0/24", "longest_prefix"),
            ("Default 10.13.77.6/32", "state_invalid"),
            ("Default 10.13.77.0/24", "state_invalid"),
            ("Default 10.0.0.0/8", "longer_prefix"),
            ("Default 0.0.0.0/0", "longer_prefix"),
        ];
        let want: Vec<_> = want.iter().map(|(row, reason)| ((*row).to_owned(), *reason)).collect();
        assert_eq!(reasons(&table, "10.13.77.6"), want);
    }

    #[test]
    fn platform_addresses_and_missing_routes_have_no_winner() {
        let table = rows("Default Active 10.0.0.0/8 VnetLocal");
        let explain = |text: &str| table.explain(&Owners::default(), text.parse().unwrap());
        assert_eq!(explain("168.63.129.16").class, NextHopClass::Platform);
        let lost = explain("11.0.0.0");
        assert_eq!((lost.class, lost.reason), (NextHopClass::NoRoute, "no_route"));
        assert!(lost.next_hop.is_none() && lost.candidates.is_empty());
    }

    #[test]
    fn a_drop_is_not_the_absence_of_a_route() {
        let table = rows("Default Active 10.0.0.0/8 None");
        let explanation = table.explain(&Owners::default(), "10.1.1.1".parse().unwrap());
        assert_eq!(explanation.class, NextHopClass::Dropped);
        assert!(explanation.next_hop.is_some());
    }

    #[test]
    fn an_unknown_service_tag_makes_internet_addresses_unknown_and_no_others() {
        let table = rows(
            "User Active Storage VirtualAppliance 10.0.0.4
             Default Active 0.0.0.0/0 Internet
             User Active 20.0.0.0/8 Internet",
        );
        let class = |text: &str| table.explain(&Owners::default(), text.parse().unwrap()).class;
        assert_eq!(class("8.8.8.8"), NextHopClass::Unknown);
        assert_eq!(class("20.1.1.1"), NextHopClass::Internet);
        assert_eq!(class("10.1.1.1"), NextHopClass::Internet);
        let without_default = rows("User Active Storage VirtualAppliance 10.0.0.4");
        let explanation = without_default.explain(&Owners::default(), "8.8.8.8".parse().unwrap());
        assert_eq!(explanation.class, NextHopClass::Unknown);
        assert_eq!(explanation.reason, "unresolved_service_tag");
    }
}
