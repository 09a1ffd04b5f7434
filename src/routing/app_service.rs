//! App Service sites: which of their traffic enters the VNet.

use std::net::IpAddr;

use ahash::AHashMap;

use super::topology::{SubnetPlace, Topology};
use super::{Finding, RouteTable, Severity};
use crate::azure::resources::{ResourceId, Site};
use crate::azure::{NextHopType, Settings};
use crate::net::AddressPrefix;

/// Returns the integration subnets of which only private addresses and service endpoints are looked
/// up, because no site of theirs routes all of its traffic.
///
/// * A site with regional integration sends what goes to 10.0.0.0/8, 172.16.0.0/12, 192.168.0.0/16
///   or a service endpoint of its integration subnet into the VNet; the rest only if it routes all
///   of its traffic (`outboundVnetRouting.{allTraffic, applicationTraffic}`,
///   `vnetRouteAllEnabled`, or `WEBSITE_VNET_ROUTE_ALL`, which only the settings can tell). What
///   no export tells counts as no. (Documented.)
/// * 100.64.0.0/10 is not among the private addresses. (Inferred.)
/// * Where the sites of one subnet differ, its table holds for those that route all. (Decision.)
/// * A site in an App Service Environment has no such rule: its workers are in the customer's
///   subnet. (Documented.)
///
/// Source: Microsoft, "Integrate your app with an Azure virtual network", §Routes (read
/// 2026-11-20).
pub(super) fn private_only_subnets(
    topology: &Topology<'_>,
    settings: &Settings,
    findings: &mut Vec<Finding>,
) -> Vec<SubnetPlace> {
    let mut routing: AHashMap<SubnetPlace, Vec<(&Site, Option<bool>)>> = AHashMap::new();
    for site in &topology.resources.sites {
        let Some(subnet) = &site.integration_subnet else { continue };
        match topology.subnet_place(subnet) {
            Some(place) => {
                routing.entry(place).or_default().push((site, route_all(site, settings)));
            }
            None => findings.push(
                Finding::new(
                    "dangling_reference",
                    Severity::Warning,
                    "the integration subnet of this site is not in the snapshot",
                )
                .about(&site.header.id),
            ),
        }
    }
    let mut private_only = Vec::new();
    let mut places: Vec<_> = routing.into_iter().collect();
    places.sort_by_key(|(place, _)| *place);
    for (place, sites) in places {
        let all = sites.iter().filter(|(_, route_all)| *route_all == Some(true)).count();
        if all == 0 {
            private_only.push(place);
        }
        let subnet = topology.subnet_id(place);
        if all > 0 && all < sites.len() {
            findings.push(route_all_differs(subnet));
        }
        for (site, _) in sites.iter().filter(|(_, route_all)| route_all.is_none()) {
            findings.push(route_all_unknown(site));
        }
        findings.extend(integration_subnet_size(topology, place));
    }
    private_only
}

/// Reports what is wrong with gateway-required integrations: they go over a point-to-site VPN, which
/// no ExpressRoute gateway offers, and reach peered VNets only where these use the gateway.
///
/// Source: Microsoft, "Configure gateway-required virtual network integration" (read 2026-11-20).
pub(super) fn lint_gateway_required(topology: &Topology<'_>, findings: &mut Vec<Finding>) {
    for site in &topology.resources.sites {
        let Some(id) = &site.gateway_required_virtual_network else { continue };
        let Some(index) = topology.network_index(id) else { continue };
        let network = &topology.networks[index];
        let about = &site.header.id;
        let has_vpn = network.gateways.iter().any(|gateway| !gateway.is_express_route);
        let has_express_route = network.gateways.iter().any(|gateway| gateway.is_express_route);
        if has_express_route {
            findings.push(
                Finding::new(
                    "unsupported_combination",
                    Severity::Error,
                    "gateway-required integration works neither with an ExpressRoute gateway nor \
                     beside one",
                )
                .about(about),
            );
        } else if !has_vpn {
            findings.push(
                Finding::new(
                    "phantom_gateway",
                    Severity::Error,
                    "gateway-required integration needs a VPN gateway, and the VNet has none",
                )
                .about(about),
            );
        }
        for link in &network.links {
            let missing = missing_transit_flags(link);
            if !missing.is_empty() {
                findings.push(
                    Finding::new(
                        "gateway_transit_not_allowed",
                        Severity::Warning,
                        format!(
                            "this site does not reach the peered VNet of `{}`: {} must be set",
                            link.peering.name,
                            missing.join(", ")
                        ),
                    )
                    .about(about),
                );
            }
        }
    }
}

impl RouteTable {
    /// Returns true for an address that a site behind this table never sends into the VNet.
    pub fn is_outside_vnet(&self, destination: IpAddr) -> bool {
        self.is_private_only
            && !is_rfc1918(destination)
            && !self.service_prefixes().any(|prefix| prefix.contains(destination))
    }

    /// Returns the prefixes of the table's service endpoints.
    pub fn service_prefixes(&self) -> impl Iterator<Item = AddressPrefix> + '_ {
        self.rows()
            .filter(|row| row.next_hop_type == NextHopType::VirtualNetworkServiceEndpoint)
            .filter(|row| row.rejected.is_none())
            .filter_map(super::RouteRow::prefix)
    }
}

/// Returns true for the private addresses that a site sends into its VNet without being asked.
pub fn is_rfc1918(address: IpAddr) -> bool {
    match address {
        IpAddr::V4(address) => address.is_private(),
        IpAddr::V6(address) => address.is_unique_local(),
    }
}

fn route_all(site: &Site, settings: &Settings) -> Option<bool> {
    let named = |name: &str| name.eq_ignore_ascii_case(&site.header.name);
    let setting = settings.sites.iter().find(|setting| named(&setting.name));
    setting.map(|setting| setting.route_all).or(site.route_all)
}

fn missing_transit_flags(link: &super::topology::Link<'_>) -> Vec<&'static str> {
    let Some(reverse) = link.reverse else { return Vec::new() };
    [
        (
            link.peering.allow_virtual_network_access && reverse.allow_virtual_network_access,
            "access on both sides",
        ),
        (reverse.allow_forwarded_traffic, "forwarded traffic on the spoke's side"),
        (link.peering.allow_gateway_transit, "gateway transit on the gateway's side"),
        (reverse.use_remote_gateways, "remote gateways on the spoke's side"),
    ]
    .into_iter()
    .filter(|(is_set, _)| !is_set)
    .map(|(_, flag)| flag)
    .collect()
}

/// Source: Microsoft, "Integrate your app with an Azure virtual network", §Subnet requirements (read
/// 2026-11-20): /28 at least, /26 recommended.
fn integration_subnet_size(topology: &Topology<'_>, place: SubnetPlace) -> Option<Finding> {
    let prefixes = &topology.subnet(place).address_prefixes;
    let longest =
        prefixes.iter().filter(|prefix| prefix.is_ipv4()).max_by_key(|one| one.length())?;
    let (severity, message) = match longest.length() {
        0..=26 => return None,
        27 | 28 => (
            Severity::Note,
            "/28 is the least for an integration subnet, older pages ask for /27, and /26 is \
             recommended",
        ),
        _ => (Severity::Error, "an integration subnet needs a /28 at least"),
    };
    Some(
        Finding::new("integration_subnet_size", severity, message)
            .about(topology.subnet_id(place))
            .at(*longest),
    )
}

fn route_all_differs(subnet: &ResourceId) -> Finding {
    Finding::new(
        "route_all_differs",
        Severity::Warning,
        "some sites of this integration subnet route all of their traffic into the VNet and some do \
         not; labels hold for those that do",
    )
    .about(subnet)
}

fn route_all_unknown(site: &Site) -> Finding {
    Finding::new(
        "route_all_unknown",
        Severity::Note,
        "no export tells whether this site routes all of its traffic into the VNet; it counts as no; \
         a [[site]] of nexthop.toml can say it",
    )
    .about(&site.header.id)
}
