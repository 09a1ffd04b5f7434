//! The faults that one table shows, exported or computed.

use std::collections::BTreeSet;

use ahash::AHashMap;

use super::owners::{Behind, GatewayReach, Owner};
use super::{
    Finding, NextHopClass, Owners, Rejection, RouteRow, RouteTable, RouteTableBasis, Severity,
};
use crate::azure::{NextHopType, RouteSource, RouteState};
use crate::net::AddressPrefix;

/// How many findings of one kind a table gives; what is more is counted.
const FINDINGS_MAX: usize = 20;

impl RouteTable {
    /// Returns what the table does that nobody can have meant, or that few know.
    ///
    /// Cost: O(n) look-ups for n rows.
    pub fn lint(&self, owners: &Owners) -> Vec<Finding> {
        let mut lint = TableLint::new(self, owners);
        lint.user_hops();
        lint.rejections();
        lint.bypasses();
        lint.service_endpoints();
        lint.shadows();
        lint.none_rows();
        lint.findings
    }
}

struct TableLint<'t> {
    table: &'t RouteTable,
    owners: &'t Owners,
    users: AHashMap<AddressPrefix, &'t RouteRow>,
    findings: Vec<Finding>,
}

impl<'t> TableLint<'t> {
    fn new(table: &'t RouteTable, owners: &'t Owners) -> Self {
        let users = used(table)
            .filter(|row| row.source == RouteSource::User)
            .filter_map(|row| Some((row.prefix()?, row)))
            .collect();
        Self { table, owners, users, findings: Vec::new() }
    }

    /// What stands behind the hops of user-defined routes.
    fn user_hops(&mut self) {
        let own_space: BTreeSet<AddressPrefix> = self
            .table
            .rows()
            .filter(|row| row.source == RouteSource::Default)
            .filter(|row| row.next_hop_type == NextHopType::VnetLocal)
            .filter_map(RouteRow::prefix)
            .collect();
        let rows = used(self.table).filter(|row| row.source == RouteSource::User);
        for row in rows.collect::<Vec<_>>() {
            match row.next_hop_type {
                NextHopType::None => self.say(
                    row,
                    "black_hole",
                    Severity::Warning,
                    "drops everything that it matches".to_owned(),
                ),
                NextHopType::VnetLocal => {
                    let is_inside = row
                        .prefix()
                        .is_some_and(|prefix| own_space.iter().any(|own| own.covers(prefix)));
                    if !is_inside && !own_space.is_empty() {
                        self.say(
                            row,
                            "vnet_local_outside_vnet",
                            Severity::Warning,
                            "goes to VnetLocal, and is not inside the VNet's address space"
                                .to_owned(),
                        );
                    }
                }
                NextHopType::VirtualNetworkGateway => self.gateway_hop(row),
                NextHopType::VirtualAppliance | NextHopType::VirtualApplianceEcmp => {
                    self.appliance_hop(row);
                }
                _ => {}
            }
        }
    }

    fn gateway_hop(&mut self, row: &RouteRow) {
        let (code, severity, message) = match self.owners.gateway_reach(self.table.scope) {
            GatewayReach::None => (
                "phantom_gateway",
                Severity::Error,
                "goes to a gateway, and the VNet neither has one nor uses a peer's: dropped",
            ),
            GatewayReach::ExpressRouteOnly => (
                "unsupported_combination",
                Severity::Error,
                "goes to a gateway, and there is an ExpressRoute gateway only, which forwards no \
                 such traffic: dropped",
            ),
            GatewayReach::VpnBesideExpressRoute => (
                "unsupported_combination",
                Severity::Warning,
                "goes to a gateway, which is not supported where a VPN and an ExpressRoute gateway \
                 stand side by side",
            ),
            GatewayReach::VpnNotForwarding => (
                "unsupported_combination",
                Severity::Warning,
                "goes to a VPN gateway that is policy-based or of the Basic SKU, which forward no \
                 traffic between VNets",
            ),
            GatewayReach::Vpn | GatewayReach::Unknown => return,
        };
        self.say(row, code, severity, message.to_owned());
    }

    fn appliance_hop(&mut self, row: &RouteRow) {
        if row.next_hop_ips.is_empty() {
            let message = "names no address of its appliance".to_owned();
            self.say(row, "missing_next_hop", Severity::Error, message);
        }
        for &ip in &row.next_hop_ips {
            let scope = self.table.scope;
            let (code, severity, message) = match self.owners.behind(scope, ip) {
                Behind::Phantom => (
                    "phantom_next_hop",
                    Severity::Error,
                    format!("goes to {ip}, which nothing in its network has: dropped"),
                ),
                Behind::OwnerUnknown => (
                    "owner_unknown",
                    Severity::Note,
                    format!(
                        "goes to {ip}, whose owner the snapshot does not tell: a scale set perhaps"
                    ),
                ),
                Behind::OutsideSnapshot => (
                    "next_hop_outside_snapshot",
                    Severity::Note,
                    format!("goes to {ip}, which is in no network of the snapshot"),
                ),
                Behind::Owner(owner) if !self.owners.is_reached(scope, ip) => (
                    "next_hop_not_reachable",
                    Severity::Warning,
                    format!(
                        "goes to {ip} of {}, whose network is not peered with this one",
                        self.owners.owner_name(owner)
                    ),
                ),
                Behind::Owner(Owner::Device(index)) if !self.owners.devices[index].forwards => (
                    "ip_forwarding_disabled",
                    Severity::Error,
                    format!(
                        "goes to {ip} of {}, whose IP forwarding is off: what is not for itself is \
                         dropped there",
                        self.owners.devices[index].name
                    ),
                ),
                Behind::Owner(_) | Behind::NotTold => continue,
            };
            self.say(row, code, severity, message);
        }
    }

    /// Rows that lost in a way that few expect.
    fn rejections(&mut self) {
        let rows: Vec<&RouteRow> = self.table.rows().collect();
        for row in rows {
            let (code, severity, message) = match row.rejected {
                Some(Rejection::Ipv6GatewayNextHop) => (
                    "ipv6_gateway_next_hop",
                    Severity::Error,
                    "is IPv6 and goes to a gateway, which is not supported: not used",
                ),
                Some(Rejection::GatewayIgnoresUdrOverPrivateEndpoint) => (
                    "gateway_ignores_udr_over_private_endpoint",
                    Severity::Error,
                    "is for a private endpoint, and an active/active VPN gateway ignores it: traffic \
                     goes straight to the endpoint; let route tables apply to the endpoint's subnet \
                     and route its whole VNet",
                ),
                Some(Rejection::ServiceEndpointPreferred) => (
                    "ambiguous_service_endpoint",
                    Severity::Note,
                    "has the prefix of a service endpoint, which is taken to win; the published \
                     sources contradict each other",
                ),
                Some(Rejection::SystemPreferredOverBgp) => (
                    "gateway_route_set_aside",
                    Severity::Note,
                    "is a gateway's inside a VNet, peering or service-endpoint prefix: not used",
                ),
                Some(Rejection::UnresolvedServiceTag) => (
                    "unresolved_service_tag",
                    Severity::Warning,
                    "is a service tag whose prefixes the snapshot does not tell, so it catches \
                     nothing: what only a default route holds is unknown",
                ),
                _ => continue,
            };
            self.say(row, code, severity, message.to_owned());
        }
    }

    /// Routes that were meant for more than they get: a longer one of the system or a gateway takes
    /// part of it.
    fn bypasses(&mut self) {
        let mut endpoint_count = 0;
        let rows: Vec<&RouteRow> =
            used(self.table).filter(|row| row.source != RouteSource::User).collect();
        let by_host_routes = self.networks_with_host_routes();
        for row in rows {
            let Some(prefix) = row.prefix() else { continue };
            let is_endpoint = row.next_hop_type == NextHopType::InterfaceEndpoint;
            let is_shortcut = matches!(
                row.next_hop_type,
                NextHopType::VNetPeering
                    | NextHopType::VNetGlobalPeering
                    | NextHopType::VirtualNetworkGateway
            );
            if !is_endpoint && !is_shortcut {
                continue;
            }
            // A default route is not meant for what is near.
            let least_length = if is_endpoint { 0 } else { 1 };
            let user = self.user_around(prefix, least_length);
            let user = user.filter(|user| self.class_of(user) != self.class_of(row));
            // Others of its network have host routes, which a new endpoint does not get by itself.
            let is_forgotten = is_endpoint
                && user.is_none()
                && !by_host_routes.is_empty()
                && self.network_around(prefix).is_some_and(|one| by_host_routes.contains(&one));
            if user.is_none() && !is_forgotten {
                continue;
            }
            if is_endpoint {
                endpoint_count += 1;
                if endpoint_count > FINDINGS_MAX {
                    continue;
                }
            }
            let around = user.map(|user| user.destination.to_string()).unwrap_or_default();
            let (code, message) = if is_forgotten {
                (
                    "private_endpoint_bypass",
                    "is a private endpoint's without a host route to an appliance, which others of \
                     its network have"
                        .to_owned(),
                )
            } else if is_endpoint {
                (
                    "private_endpoint_bypass",
                    format!(
                        "is a private endpoint's and bypasses the route {around} to an appliance"
                    ),
                )
            } else {
                (
                    "longer_prefix_beats_udr",
                    format!("is longer than the user-defined route {around} and takes its traffic"),
                )
            };
            self.say(row, code, Severity::Warning, message);
        }
        if endpoint_count > FINDINGS_MAX {
            self.findings.push(
                Finding::new(
                    "private_endpoint_bypass",
                    Severity::Warning,
                    format!("{} more private endpoints bypass it", endpoint_count - FINDINGS_MAX),
                )
                .in_table(&self.table.id),
            );
        }
    }

    /// The networks some of whose private endpoints have a user-defined host route to an appliance.
    fn networks_with_host_routes(&self) -> BTreeSet<AddressPrefix> {
        let endpoints = self.table.rows().filter(|row| {
            row.next_hop_type == NextHopType::InterfaceEndpoint
                && row.prefix().is_some_and(|prefix| {
                    self.users.get(&prefix).is_some_and(|user| is_appliance(&user.next_hop_type))
                })
        });
        endpoints.filter_map(RouteRow::prefix).filter_map(|one| self.network_around(one)).collect()
    }

    /// The longest prefix of a VNet around another, used or not.
    fn network_around(&self, prefix: AddressPrefix) -> Option<AddressPrefix> {
        let is_network = |row: &&RouteRow| {
            matches!(
                row.next_hop_type,
                NextHopType::VnetLocal | NextHopType::VNetPeering | NextHopType::VNetGlobalPeering
            ) && row.source == RouteSource::Default
        };
        let networks = self.table.rows().filter(is_network).filter_map(RouteRow::prefix);
        networks.filter(|network| network.covers(prefix)).max_by_key(|network| network.length())
    }

    /// Service endpoints take public traffic of their service past a user's default route to an
    /// appliance or, where the subnet is force-tunnelled, to a gateway.
    fn service_endpoints(&mut self) {
        let services: BTreeSet<AddressPrefix> = self.table.service_prefixes().collect();
        let is_unresolved = self
            .table
            .unresolved_service_tag_rows()
            .any(|row| row.next_hop_type == NextHopType::VirtualNetworkServiceEndpoint);
        let default = self.users.get(&AddressPrefix::IPV4_ALL).copied();
        let class = default.map(|row| self.class_of(row));
        let Some(
            class @ (NextHopClass::Firewall | NextHopClass::Appliance | NextHopClass::Gateway),
        ) = class
        else {
            return;
        };
        if is_unresolved || !services.is_empty() {
            let mut finding = Finding::new(
                "service_endpoint_bypass",
                Severity::Warning,
                format!(
                    "service endpoints ({} prefixes) bypass the default route ({class})",
                    services.len()
                ),
            )
            .in_table(&self.table.id);
            finding.address_prefix = services.first().copied();
            self.findings.push(finding);
        }
    }

    /// Rows that Azure shows beside one of the same prefix that is used.
    fn shadows(&mut self) {
        let rows: Vec<&RouteRow> = self
            .table
            .rows()
            .filter(|row| row.state == RouteState::Invalid && !row.is_absent)
            .filter(|row| {
                matches!(row.rejected, Some(Rejection::StateInvalid | Rejection::SourcePriority))
            })
            .collect();
        for row in rows {
            let twin = row.prefix().and_then(|prefix| self.users.get(&prefix).copied());
            let is_peering = matches!(
                row.next_hop_type,
                NextHopType::VNetPeering | NextHopType::VNetGlobalPeering
            );
            if row.source == RouteSource::User && twin.is_none() {
                self.say(
                    row,
                    "shadowed_by_invalid_twin",
                    Severity::Warning,
                    "is user-defined, and Azure shows it as Invalid: it is not used".to_owned(),
                );
            } else if let Some(twin) = twin.filter(|_| is_peering) {
                let kind = twin.next_hop_type.as_str();
                self.say(
                    row,
                    "shadowed_by_invalid_twin",
                    Severity::Note,
                    format!("is a direct peering that a user-defined route to {kind} shadows"),
                );
            }
            let is_gateway_subnet = self.table.id.to_ascii_lowercase().ends_with("/gatewaysubnet");
            if row.next_hop_type == NextHopType::InterfaceEndpoint
                && row.rejected == Some(Rejection::SourcePriority)
                && is_gateway_subnet
            {
                self.say(
                    row,
                    "gateway_private_endpoint_udr_unverified",
                    Severity::Warning,
                    "is a private endpoint's that a user-defined route overrides; whether this kind \
                     of gateway follows that is not documented"
                        .to_owned(),
                );
            }
        }
    }

    /// Exports are often trimmed; without the rows to None, what they drop looks like Internet.
    fn none_rows(&mut self) {
        if self.table.basis != RouteTableBasis::Exported {
            return;
        }
        let is_none = |row: &&RouteRow| {
            row.source == RouteSource::Default && row.next_hop_type == NextHopType::None
        };
        let is_internet_default = |row: &&RouteRow| {
            row.prefix() == Some(AddressPrefix::IPV4_ALL)
                && row.source == RouteSource::Default
                && row.next_hop_type == NextHopType::Internet
        };
        let has_default = used(self.table).any(|row| is_internet_default(&row));
        if has_default && !self.table.rows().any(|row| is_none(&row)) {
            self.findings.push(
                Finding::new(
                    "default_none_rows_missing",
                    Severity::Warning,
                    "this export has a default route to the Internet and no row to None for \
                     reserved blocks: it was trimmed, and what they drop is labelled internet",
                )
                .in_table(&self.table.id),
            );
        }
    }

    /// The longest user-defined route to an appliance or gateway strictly around a prefix.
    fn user_around(&self, prefix: AddressPrefix, least_length: u8) -> Option<&'t RouteRow> {
        (least_length..prefix.length())
            .rev()
            .filter_map(|length| AddressPrefix::new(prefix.address(), length).ok())
            .find_map(|outer| self.users.get(&outer).copied())
            .filter(|row| is_appliance(&row.next_hop_type))
    }

    fn class_of(&self, row: &RouteRow) -> NextHopClass {
        self.owners.next_hop_of_set(self.table.scope, &[row]).class
    }

    fn say(&mut self, row: &RouteRow, code: &'static str, severity: Severity, message: String) {
        let mut finding = Finding::new(code, severity, format!("{} {message}", row.destination))
            .in_table(&self.table.id);
        finding.address_prefix = row.prefix();
        self.findings.push(finding);
    }
}

fn is_appliance(next_hop_type: &NextHopType) -> bool {
    matches!(next_hop_type, NextHopType::VirtualAppliance | NextHopType::VirtualApplianceEcmp)
}

fn used(table: &RouteTable) -> impl Iterator<Item = &RouteRow> {
    table.rows().filter(|row| row.rejected.is_none())
}
