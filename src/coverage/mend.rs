//! What would mend a finding: the change, and the route that was most likely meant to do it.

use std::net::IpAddr;

use super::FindingCode;
use crate::azure::{NextHopType, RouteSource};
use crate::net::AddressPrefix;
use crate::routing::{RouteRow, RouteTable};

/// A user-defined route to an appliance that holds neighbours of the receiver and not itself: most
/// likely it was meant, too.
pub(super) fn near_miss(
    code: FindingCode,
    table: &RouteTable,
    receiver: IpAddr,
    prefix: Option<AddressPrefix>,
) -> String {
    let is_direct = matches!(code, FindingCode::PeeringBypass | FindingCode::VnetBypass);
    let Some(prefix) = prefix.filter(|_| is_direct) else { return String::new() };
    let missed = table
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

/// The change that would mend a finding.
pub(super) fn mend(
    code: FindingCode,
    table: &RouteTable,
    receiver: IpAddr,
    prefix: Option<AddressPrefix>,
) -> String {
    let prefix = prefix.map(|prefix| prefix.to_string()).unwrap_or_default();
    match code {
        FindingCode::PrivateEndpointBypass => match best_covering_route(table, receiver) {
            Some((word, covering)) => format!(
                "the best covering route is {covering} {word}, which is no user-defined route: \
                 enable network policies for route tables on the endpoint's subnet and add a \
                 user-defined route for {covering} (or longer) to the firewall"
            ),
            None => "enable network policies for route tables on the endpoint's subnet and add a \
                     user-defined route to the firewall that is as long as the VNet's prefix"
                .to_owned(),
        },
        FindingCode::PeeringBypass | FindingCode::VnetBypass => {
            format!("add a user-defined route for {prefix} (or longer) to the firewall")
        }
        FindingCode::InternetBypass => {
            format!("add a user-defined route for {prefix} to the firewall")
        }
        FindingCode::GatewayBypass => format!(
            "add a user-defined route for {prefix} to the firewall, here and on the GatewaySubnet \
             for the way back"
        ),
        FindingCode::ServiceEndpointBypass => {
            "a user-defined route cannot override a service endpoint: remove the endpoint from \
             the subnet, or use a private endpoint"
                .to_owned()
        }
        FindingCode::EcmpPartial => "advertise the same prefix from the firewall alone".to_owned(),
        FindingCode::AsymmetricForward | FindingCode::AsymmetricReturn => {
            "send both directions through the same firewall: a stateful one drops what it sees \
             half of"
                .to_owned()
        }
        FindingCode::OneWay => "add the route that is missing on this side".to_owned(),
        FindingCode::MissingEvidence => {
            "the routes say that it passed: check that the snapshot is of the time of the traffic"
                .to_owned()
        }
        FindingCode::WrongNextHop => "change the route, or the rule".to_owned(),
    }
}

/// The route that would win if the private endpoint's own were gone, where it is no user's.
fn best_covering_route(table: &RouteTable, receiver: IpAddr) -> Option<(String, AddressPrefix)> {
    let row = table
        .rows()
        .filter(|row| row.rejected.is_none())
        .filter(|row| row.next_hop_type != NextHopType::InterfaceEndpoint)
        .filter(|row| row.prefix().is_some_and(|prefix| prefix.contains(receiver)))
        .max_by_key(|row| row.prefix().map(AddressPrefix::length))?;
    (row.source != RouteSource::User)
        .then(|| row.prefix().map(|prefix| (row.next_hop_type.as_str().to_owned(), prefix)))
        .flatten()
}
