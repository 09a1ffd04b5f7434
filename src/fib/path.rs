//! The way of a packet through the tables of a snapshot, hop by hop.

use std::fmt;
use std::net::IpAddr;

use smallvec::SmallVec;

use super::{Fib, NextHopId, TableId};
use crate::azure::RouteSource;
use crate::routing::NextHopClass;

/// The hops of one packet and where it ends.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Path {
    /// The decisions, from the sender's table on.
    pub hops: Vec<PathHop>,
    /// Where the packet ends.
    pub outcome: PathOutcome,
}

/// The decision of one table.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PathHop {
    /// The table that was asked.
    pub table: TableId,
    /// Its answer; `None` without a matching route.
    pub next_hop: Option<NextHopId>,
    /// The class of the answer.
    pub class: NextHopClass,
}

/// Where a path ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum PathOutcome {
    /// At its destination.
    Delivered,
    /// Nowhere: dropped, or without a route.
    Dropped,
    /// Out of Azure's routing: to the Internet or on-premises.
    Left,
    /// At a hop whose own table the snapshot does not tell.
    OutsideSnapshot,
    /// At a table that was asked before.
    Loop,
}

/// Where a packet may go on after a hop; nearly always one way.
type Ways = SmallVec<[Result<TableId, PathOutcome>; 1]>;

impl Fib {
    /// Follows a packet from a table on: after a firewall or appliance it goes on in the table of
    /// the hop's address, after a gateway that a user-defined route named in the gateway's table.
    ///
    /// Of a set of equal cost every address is followed, and the worst path is returned: one that
    /// goes nowhere before one that is lost from sight, and that before one that passes fewer
    /// firewalls. So what holds of this path holds of all.
    ///
    /// Cost: one look-up a hop of each path; a path asks each table once at most.
    pub fn path(&self, from: TableId, destination: IpAddr) -> Path {
        let rank = |path: &Path| {
            let outcome = match path.outcome {
                PathOutcome::Loop => 0,
                PathOutcome::Dropped => 1,
                PathOutcome::OutsideSnapshot => 2,
                PathOutcome::Left | PathOutcome::Delivered => 3,
            };
            let is_firewall = |hop: &&PathHop| hop.class == NextHopClass::Firewall;
            (outcome, path.hops.iter().filter(is_firewall).count())
        };
        self.paths(from, destination).into_iter().min_by_key(rank).expect("there is a path")
    }

    /// Returns the different paths of a packet: more than one where hops of equal cost go on in
    /// different tables. Past [`PATHS_MAX`](Self::PATHS_MAX) no more are looked for.
    ///
    /// Cost: as [`path`](Self::path).
    pub fn paths(&self, from: TableId, destination: IpAddr) -> Vec<Path> {
        let mut paths = Vec::new();
        let mut open: Vec<(Vec<PathHop>, TableId)> = vec![(Vec::new(), from)];
        while let Some((mut hops, table)) = open.pop() {
            if paths.len() == Self::PATHS_MAX {
                break;
            }
            if hops.iter().any(|hop| hop.table == table) {
                paths.push(Path { hops, outcome: PathOutcome::Loop });
                continue;
            }
            let hop = self.hop(table, destination);
            hops.push(hop);
            let ways = self.after(&hop, destination);
            // The last is taken first, so that paths come in the order of the addresses.
            for way in ways.iter().rev() {
                match *way {
                    Ok(next) => open.push((hops.clone(), next)),
                    Err(outcome) => paths.push(Path { hops: hops.clone(), outcome }),
                }
            }
        }
        paths
    }

    /// How many paths of one packet are followed.
    pub const PATHS_MAX: usize = 64;

    fn hop(&self, table: TableId, destination: IpAddr) -> PathHop {
        if self.is_platform(destination) {
            return PathHop { table, next_hop: None, class: NextHopClass::Platform };
        }
        if self.is_outside_vnet(table, destination) {
            return PathHop { table, next_hop: None, class: NextHopClass::OutsideVnet };
        }
        let next_hop = self.lookup(table, destination);
        let class = next_hop.map_or(NextHopClass::NoRoute, |id| self.next_hop(id).class);
        PathHop { table, next_hop, class }
    }

    /// The tables that a packet may meet next, or where it ends: one way for each of the hop's
    /// addresses, equal ones once.
    fn after(&self, hop: &PathHop, destination: IpAddr) -> Ways {
        let one = |way| SmallVec::from_slice(&[way]);
        match hop.class {
            NextHopClass::Firewall | NextHopClass::Appliance | NextHopClass::Mixed => {
                let ips = hop.next_hop.map_or(&[][..], |id| &self.next_hop(id).ips);
                let mut ways = Ways::new();
                for ip in ips {
                    let table = self.sources().by_address(*ip);
                    let way = table.ok_or(PathOutcome::OutsideSnapshot);
                    if !ways.contains(&way) {
                        ways.push(way);
                    }
                }
                if ways.is_empty() { one(Err(PathOutcome::OutsideSnapshot)) } else { ways }
            }
            NextHopClass::Vnet
            | NextHopClass::Peering
            | NextHopClass::PrivateEndpoint
            | NextHopClass::ServiceEndpoint
            | NextHopClass::Platform => one(Err(PathOutcome::Delivered)),
            NextHopClass::Internet | NextHopClass::OutsideVnet => one(Err(PathOutcome::Left)),
            NextHopClass::Gateway => one(self.after_gateway(hop.table, destination)),
            NextHopClass::Dropped | NextHopClass::NoRoute => one(Err(PathOutcome::Dropped)),
            NextHopClass::Unknown => one(Err(PathOutcome::OutsideSnapshot)),
        }
    }

    /// A gateway's own route says that the packet is for the other side of the gateway; a user's
    /// route only says that the gateway gets it, and so does any route of a virtual hub.
    fn after_gateway(&self, table: TableId, destination: IpAddr) -> Result<TableId, PathOutcome> {
        let beyond = self.beyond_gateway(table);
        let is_users = self
            .matched(table, destination)
            .is_some_and(|matched| *matched.source == RouteSource::User);
        match beyond {
            Some(beyond) if is_users || beyond.follows_gateway_routes => {
                self.table_id(beyond.table).ok_or(PathOutcome::OutsideSnapshot)
            }
            None if is_users => Err(PathOutcome::OutsideSnapshot),
            _ => Err(PathOutcome::Left),
        }
    }
}

impl PathOutcome {
    /// Returns the word that stands in every output.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Delivered => "delivered",
            Self::Dropped => "dropped",
            Self::Left => "left",
            Self::OutsideSnapshot => "outside_snapshot",
            Self::Loop => "loop",
        }
    }
}

impl fmt::Display for PathOutcome {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fib::Source;
    use crate::routing::Owners;
    use crate::routing::testing::rows;

    #[test]
    fn a_path_goes_on_behind_an_appliance_and_ends_where_it_must() {
        let spoke = rows(
            "Default Active 10.1.0.0/16 VnetLocal
             User Active 0.0.0.0/0 VirtualAppliance 10.0.1.4
             User Active 10.7.0.0/16 VirtualNetworkGateway
             VirtualNetworkGateway Active 192.168.0.0/16 VirtualNetworkGateway 10.0.0.9
             User Active 10.8.0.0/16 VirtualAppliance 10.77.0.4",
        );
        let firewall = rows(
            "Default Active 10.2.0.0/16 VNetPeering
             Default Active 0.0.0.0/0 Internet
             Default Active 10.0.0.0/8 None
             User Active 10.9.0.0/16 VirtualAppliance 10.1.0.4",
        );
        let prefix = |text: &str| Source::Prefix(text.parse().unwrap());
        let fib = Fib::compile(
            &[spoke, firewall],
            &[vec![prefix("10.1.0.0/16")], vec![prefix("10.0.1.0/26")]],
            &Owners::default(),
        )
        .unwrap();
        for (destination, hops, outcome) in [
            ("10.1.0.9", 1, "delivered"),
            ("10.2.0.9", 2, "delivered"),
            ("8.8.8.8", 2, "left"),
            ("10.3.0.9", 2, "dropped"),
            ("10.9.0.9", 2, "loop"),
            ("10.7.0.9", 1, "outside_snapshot"),
            ("10.8.0.9", 1, "outside_snapshot"),
            ("192.168.1.1", 1, "left"),
            ("168.63.129.16", 1, "delivered"),
            ("fd00::1", 1, "dropped"),
        ] {
            let path = fib.path(fib.table_id(0).unwrap(), destination.parse().unwrap());
            assert_eq!((path.hops.len(), path.outcome.as_str()), (hops, outcome), "{destination}");
        }
    }
    #[test]
    fn every_hop_of_equal_cost_is_followed_and_the_worst_path_counts() {
        let spoke = rows(
            "User Active 0.0.0.0/0 VirtualApplianceEcmp 10.0.1.4 10.0.2.4
             User Active 10.7.0.0/16 VirtualApplianceEcmp 10.0.1.4 10.0.1.5
             User Active 10.8.0.0/16 VirtualApplianceEcmp 10.0.1.4 10.77.0.4
             User Active 10.9.0.0/16 VirtualApplianceEcmp 10.0.1.4 10.0.3.4",
        );
        let inspected = rows("User Active 0.0.0.0/0 VirtualAppliance 10.0.9.4");
        let open = rows("Default Active 0.0.0.0/0 Internet");
        let back = rows("User Active 0.0.0.0/0 VirtualAppliance 10.1.0.4");
        let firewall = rows("Default Active 0.0.0.0/0 Internet");
        let prefix = |text: &str| vec![Source::Prefix(text.parse().unwrap())];
        let owners = Owners::new(
            vec![crate::routing::Firewall {
                name: "fw".into(),
                addresses: vec!["10.0.9.4".parse().unwrap()],
                subnets: Vec::new(),
            }],
            Vec::new(),
        );
        let fib = Fib::compile(
            &[spoke, inspected, open, back, firewall],
            &["10.1.0.0/24", "10.0.1.0/24", "10.0.2.0/24", "10.0.3.0/24", "10.0.9.0/24"]
                .map(prefix),
            &owners,
        )
        .unwrap();
        let from = fib.table_id(0).unwrap();
        let shown = |path: &Path| {
            let hops: Vec<&str> = path.hops.iter().map(|hop| hop.class.as_str()).collect();
            format!("{} {}", hops.join(" "), path.outcome)
        };
        for (destination, paths, worst) in [
            (
                "8.8.8.8",
                vec!["appliance firewall internet left", "appliance internet left"],
                "appliance internet left",
            ),
            // Two addresses of one subnet are one way.
            (
                "10.7.0.1",
                vec!["appliance firewall internet left"],
                "appliance firewall internet left",
            ),
            (
                "10.8.0.1",
                vec!["appliance outside_snapshot", "appliance firewall internet left"],
                "appliance outside_snapshot",
            ),
            (
                "10.9.0.1",
                vec!["appliance firewall internet left", "appliance appliance loop"],
                "appliance appliance loop",
            ),
        ] {
            let destination = destination.parse().unwrap();
            let got: Vec<String> = fib.paths(from, destination).iter().map(shown).collect();
            assert_eq!(got, paths, "{destination}");
            assert_eq!(shown(&fib.path(from, destination)), worst, "{destination}");
        }
    }
}
