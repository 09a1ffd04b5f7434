//! What would mend a finding: the change, and the route that was most likely meant to do it.

use std::net::IpAddr;

use super::{FindingCode, Via};
use crate::azure::{NextHopType, RouteSource};
use crate::net::AddressPrefix;
use crate::routing::{RouteRow, RouteTable};

/// What a finding comes from: the route that decided, and what was asked.
pub(super) struct Cause<'r> {
    pub(super) code: FindingCode,
    pub(super) via: &'r Via,
    pub(super) table: &'r RouteTable,
    /// Where the packets go that the route decides of.
    pub(super) receiver: IpAddr,
    /// The route's prefix.
    pub(super) prefix: Option<AddressPrefix>,
    /// The route is a user's.
    pub(super) is_users_route: bool,
    /// The receiver's subnet, where the snapshot tells it.
    pub(super) subnet: Option<AddressPrefix>,
}

impl Cause<'_> {
    /// A user-defined route to an appliance that holds neighbours of the receiver and not itself:
    /// most likely it was meant, too.
    pub(super) fn near_miss(&self) -> String {
        let receiver = self.receiver;
        let is_direct = matches!(self.code, FindingCode::PeeringBypass | FindingCode::VnetBypass);
        let Some(prefix) = self.prefix.filter(|_| is_direct) else { return String::new() };
        let missed = self
            .table
            .rows()
            .filter(|row| row.rejected.is_none() && row.source == RouteSource::User)
            .filter(|row| row.next_hop_type == NextHopType::VirtualAppliance)
            .filter_map(RouteRow::prefix)
            .filter(|route| prefix.covers(*route) && !route.contains(receiver))
            .max_by_key(|route| route.length());
        missed.map_or_else(String::new, |route| {
            format!("the user-defined route for {route} does not hold {receiver}: ")
        })
    }

    /// The change that would mend the finding.
    pub(super) fn mend(&self) -> String {
        let prefix = self.prefix.map(|prefix| prefix.to_string()).unwrap_or_default();
        match self.code {
            FindingCode::PrivateEndpointBypass => self.mend_endpoint(),
            FindingCode::PeeringBypass => {
                format!("add a user-defined route for {prefix} (or longer) to the firewall")
            }
            // The VNet's whole space would catch what stays inside a subnet, too.
            FindingCode::VnetBypass => format!(
                "add a user-defined route for {} to the firewall, and one for the way back there",
                self.short_of_vnet()
            ),
            FindingCode::InternetBypass => {
                format!("add a user-defined route for {prefix} to the firewall")
            }
            FindingCode::GatewayBypass => format!(
                "add a user-defined route for {prefix} to the firewall, here and on the \
                 GatewaySubnet for the way back"
            ),
            FindingCode::ServiceEndpointBypass => {
                "a user-defined route cannot override a service endpoint: remove the endpoint from \
                 the subnet, or use a private endpoint"
                    .to_owned()
            }
            FindingCode::EcmpPartial => {
                "advertise the same prefix from the firewall alone".to_owned()
            }
            FindingCode::AsymmetricForward | FindingCode::AsymmetricReturn => format!(
                "send both directions through the same firewall, since a stateful one drops what \
                 it sees half of: add a user-defined route for {} to it here, or remove the one of \
                 the other direction",
                self.short_of_vnet()
            ),
            FindingCode::OneWay if self.is_users_route => {
                "change or remove that user-defined route".to_owned()
            }
            FindingCode::OneWay => "add the route that is missing on this side".to_owned(),
            FindingCode::MissingEvidence => {
                "the routes say that it passed: check that the snapshot is of the time of the \
                 traffic"
                    .to_owned()
            }
            FindingCode::WrongNextHop if *self.via == Via::Internet => {
                format!("add a user-defined route for {prefix} to Internet, or change the rule")
            }
            FindingCode::WrongNextHop => "change the route, or the rule".to_owned(),
        }
    }

    fn mend_endpoint(&self) -> String {
        match best_covering_route(self.table, self.receiver) {
            Some(row) if row.source == RouteSource::User => format!(
                "enable network policies for route tables on the endpoint's subnet: then the \
                 route for {} to {} takes its place",
                covering(row),
                row.next_hop_type.as_str()
            ),
            Some(row) => format!(
                "the best covering route is {} {}, which is no user-defined route: enable network \
                 policies for route tables on the endpoint's subnet and add a user-defined route \
                 for {} (or longer) to the firewall",
                covering(row),
                row.next_hop_type.as_str(),
                covering(row)
            ),
            None => "enable network policies for route tables on the endpoint's subnet and add a \
                     user-defined route to the firewall that is as long as the VNet's prefix"
                .to_owned(),
        }
    }

    /// What a route should name that takes the place of the one that decided: that one's prefix, or
    /// the receiver's subnet where the prefix is longer, as that of a VNet is, whose whole space a
    /// route should not take.
    fn short_of_vnet(&self) -> String {
        let is_wide = |prefix: AddressPrefix| {
            let rows = self.table.rows().filter(|row| row.prefix() == Some(prefix));
            rows.into_iter().any(|row| row.next_hop_type == NextHopType::VnetLocal)
        };
        match (self.prefix, self.subnet) {
            (Some(prefix), Some(subnet)) if is_wide(prefix) => {
                format!("{subnet} (the subnet of {})", self.receiver)
            }
            (Some(prefix), None) if is_wide(prefix) => {
                format!("the subnet of {}, not for the whole of {prefix},", self.receiver)
            }
            (Some(prefix), _) => prefix.to_string(),
            (None, _) => self.receiver.to_string(),
        }
    }
}

fn covering(row: &RouteRow) -> String {
    row.prefix().map(|prefix| prefix.to_string()).unwrap_or_default()
}

/// The route that would win if the private endpoint's own were gone.
fn best_covering_route(table: &RouteTable, receiver: IpAddr) -> Option<&RouteRow> {
    table
        .rows()
        .filter(|row| row.rejected.is_none())
        .filter(|row| row.next_hop_type != NextHopType::InterfaceEndpoint)
        .filter(|row| row.prefix().is_some_and(|prefix| prefix.contains(receiver)))
        .max_by_key(|row| row.prefix().map(AddressPrefix::length))
}
