//! The way of a packet through the tables of a snapshot, hop by hop.

use std::fmt;
use std::net::IpAddr;

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

impl Fib {
    /// Follows a packet from a table on: after a firewall or appliance it goes on in the table of
    /// the hop's address, after a gateway that a user-defined route named in the gateway's table.
    ///
    /// Of a set of equal cost the first address is followed.
    ///
    /// Cost: one look-up a hop; each table is asked once at most.
    pub fn path(&self, from: TableId, destination: IpAddr) -> Path {
        let mut hops: Vec<PathHop> = Vec::new();
        let mut table = from;
        loop {
            if hops.iter().any(|hop| hop.table == table) {
                return Path { hops, outcome: PathOutcome::Loop };
            }
            let hop = self.hop(table, destination);
            hops.push(hop);
            match self.after(&hop, destination) {
                Ok(next) => table = next,
                Err(outcome) => return Path { hops, outcome },
            }
        }
    }

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

    /// The table that a packet meets next, or where it ends.
    fn after(&self, hop: &PathHop, destination: IpAddr) -> Result<TableId, PathOutcome> {
        match hop.class {
            NextHopClass::Firewall | NextHopClass::Appliance => {
                let ip = hop.next_hop.and_then(|id| self.next_hop(id).ips.first().copied());
                ip.and_then(|ip| self.sources().by_address(ip)).ok_or(PathOutcome::OutsideSnapshot)
            }
            NextHopClass::Vnet
            | NextHopClass::Peering
            | NextHopClass::PrivateEndpoint
            | NextHopClass::ServiceEndpoint
            | NextHopClass::Platform => Err(PathOutcome::Delivered),
            NextHopClass::Internet | NextHopClass::OutsideVnet => Err(PathOutcome::Left),
            NextHopClass::Gateway => self.after_gateway(hop.table, destination),
            NextHopClass::Dropped | NextHopClass::NoRoute => Err(PathOutcome::Dropped),
            NextHopClass::Mixed | NextHopClass::Unknown => Err(PathOutcome::OutsideSnapshot),
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
}
