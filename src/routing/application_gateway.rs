//! Application gateways: what their subnets need.

use super::topology::Topology;
use super::{Computed, Finding, RouteRow, Severity};
use crate::azure::NextHopType;
use crate::net::AddressPrefix;

/// Reports subnets of version 2 application gateways whose default route does not go to the Internet.
///
/// A route `0.0.0.0/0` to an appliance, a hub or on-premises is not supported there, whether it is
/// user-defined or a gateway's; narrower routes to the backends are. (Documented.)
///
/// Source: Microsoft, "Application Gateway infrastructure configuration", §Supported user-defined
/// routes (read 2026-11-20).
pub(super) fn lint(topology: &Topology<'_>, computed: &mut Computed) {
    for gateway in topology.resources.application_gateways.iter().filter(|gateway| gateway.is_v2) {
        for subnet in &gateway.subnets {
            let Some(place) = topology.subnet_place(subnet) else {
                computed.findings.push(
                    Finding::new(
                        "dangling_reference",
                        Severity::Warning,
                        "a subnet of this application gateway is not in the snapshot",
                    )
                    .about(&gateway.header.id),
                );
                continue;
            };
            let table = &computed.tables[topology.table_index(place)].table;
            let is_other_default = |row: &&RouteRow| {
                row.rejected.is_none()
                    && row.prefix() == Some(AddressPrefix::IPV4_ALL)
                    && row.next_hop_type != NextHopType::Internet
            };
            let Some(default) = table.rows().find(is_other_default) else { continue };
            let finding = Finding::new(
                "unsupported_combination",
                Severity::Error,
                format!(
                    "the subnet of a version 2 application gateway needs a default route to the \
                     Internet, and has one to {}",
                    default.next_hop_type
                ),
            );
            let id = table.id.clone();
            computed
                .findings
                .push(finding.about(&gateway.header.id).in_table(&id).at(AddressPrefix::IPV4_ALL));
        }
    }
}
