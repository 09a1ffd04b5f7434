//! The faults that resources show by themselves, before any table is looked at: peerings, limits,
//! settings that contradict each other.

use std::collections::BTreeSet;
use std::net::IpAddr;

use super::gateways::Transit;
use super::topology::{Link, Network, Topology};
use super::{Computed, Finding, Severity, app_service, application_gateway};
use crate::azure::resources::UserRouteTable;
use crate::azure::{
    NextHopType, RouteDestination, ServiceEndpointPriority, Settings, SystemNoneProfile,
};

/// Adds the findings about a snapshot's resources.
pub(super) fn add(topology: &Topology<'_>, settings: &Settings, computed: &mut Computed) {
    let findings = &mut computed.findings;
    for network in &topology.networks {
        lint_links(topology, network, findings);
        lint_special_subnets(network, findings);
    }
    topology.resources.route_tables.iter().for_each(|table| lint_limits(table, findings));
    lint_learned_routes(topology, findings);
    lint_conflicts(topology, findings);
    app_service::lint_gateway_required(topology, findings);
    lint_switches(settings, findings);
    application_gateway::lint(topology, computed);
}

/// The flags that a route needs the peering to have.
///
/// * Remote gateways need gateway transit on the other side. (Documented.)
/// * What a gateway or appliance of the peered VNet sends back here was not sent by that VNet: this
///   side's `allowForwardedTraffic` says whether it is taken. A warning only: the pages contradict
///   each other about gateways, and the flag is no reliable drop. (Documented, seen in labs.)
///
/// Source: Microsoft, "Create, change, or delete a virtual network peering" (read 2026-11-20).
fn lint_links(topology: &Topology<'_>, network: &Network<'_>, findings: &mut Vec<Finding>) {
    let id = &network.network.header.id;
    let hops = Hops::of(network);
    for link in network.links.iter().filter(|link| link.is_up()) {
        let name = &link.peering.name;
        if link.transit() == Transit::NotAllowed {
            findings.push(
                Finding::new(
                    "gateway_transit_not_allowed",
                    Severity::Error,
                    format!(
                        "peering `{name}` uses remote gateways, and the other side does not allow \
                         gateway transit, so none of its gateway's routes come in"
                    ),
                )
                .about(id),
            );
        }
        if !link.peering.allow_forwarded_traffic && hops.need_forwarding(topology, link) {
            findings.push(
                Finding::new(
                    "forwarded_traffic_not_allowed",
                    Severity::Warning,
                    format!(
                        "routes send traffic to a gateway or appliance behind peering `{name}`, and \
                         the peering does not allow forwarded traffic back in"
                    ),
                )
                .about(id),
            );
        }
    }
}

/// Learned routes whose gateway is not in the snapshot reach no table, and nothing else shows that
/// they were given. One finding for each name, in the order of names.
fn lint_learned_routes(topology: &Topology<'_>, findings: &mut Vec<Finding>) {
    let resources = topology.resources;
    let gateways = resources.gateways.iter().map(|gateway| &gateway.header);
    let servers = resources.virtual_hubs.iter().map(|hub| &hub.header);
    let known: BTreeSet<String> = gateways
        .chain(servers)
        .flat_map(|header| {
            [header.id.as_str().to_ascii_lowercase(), header.name.to_ascii_lowercase()]
        })
        .collect();
    let learned = resources.learned_routes.iter().map(|route| route.gateway.as_str());
    let lost: BTreeSet<&str> =
        learned.filter(|gateway| !known.contains(&gateway.to_ascii_lowercase())).collect();
    findings.extend(lost.into_iter().map(|gateway| {
        Finding::new(
            "dangling_reference",
            Severity::Warning,
            format!(
                "the learned routes of `{gateway}` are in no table: no gateway or Route Server of \
                 that name is in the snapshot; name the file after the gateway that learned them"
            ),
        )
    }));
}

/// Exports of different days, or of different views, in one folder: every table that the resource
/// decides is then that of one of them.
fn lint_conflicts(topology: &Topology<'_>, findings: &mut Vec<Finding>) {
    findings.extend(topology.resources.conflicts.iter().map(|conflict| {
        let [first, second] = &conflict.files;
        Finding::new(
            "conflicting_exports",
            Severity::Warning,
            format!(
                "{first} and {second} tell different values of `{}`: that of the file which tells \
                 more of the resource is used, else the first",
                conflict.field
            ),
        )
        .about(&conflict.resource)
    }));
}

/// The hops that the user-defined routes of a VNet name.
struct Hops {
    addresses: BTreeSet<IpAddr>,
    has_gateway: bool,
}

impl Hops {
    fn of(network: &Network<'_>) -> Self {
        let mut tables: Vec<&UserRouteTable> =
            network.route_tables.iter().copied().flatten().collect();
        tables.sort_by_key(|table| std::ptr::from_ref(*table).addr());
        tables.dedup_by(|a, b| std::ptr::eq(*a, *b));
        let routes = || tables.iter().flat_map(|table| &table.routes);
        Self {
            addresses: routes().flat_map(|route| route.next_hop_ips.iter().copied()).collect(),
            has_gateway: routes()
                .any(|route| route.next_hop_type == NextHopType::VirtualNetworkGateway),
        }
    }

    fn need_forwarding(&self, topology: &Topology<'_>, link: &Link<'_>) -> bool {
        let by_gateway = self.has_gateway && matches!(link.transit(), Transit::From(_));
        let remote = link.remote.map(|remote| &topology.networks[remote]);
        let is_behind =
            |address: &IpAddr| remote.is_some_and(|network| network.space_of(*address).is_some());
        by_gateway || self.addresses.iter().any(is_behind)
    }
}

/// Subnets of Azure's own services that do not take every route table.
///
/// Source: Microsoft, "VPN Gateway settings", §Gateway subnet: no user-defined default route, and
/// propagation stays on; "Azure Bastion FAQ" and "Azure Route Server FAQ": no route table at all
/// (read 2026-11-20).
fn lint_special_subnets(network: &Network<'_>, findings: &mut Vec<Finding>) {
    for (index, subnet) in network.network.subnets.iter().enumerate() {
        let Some(table) = network.route_tables[index] else { continue };
        let mut unsupported = |message: &str| {
            findings.push(
                Finding::new("unsupported_combination", Severity::Error, message)
                    .about(&network.subnet_ids[index]),
            );
        };
        match subnet.header.name.to_ascii_lowercase().as_str() {
            "gatewaysubnet" => {
                if table.routes.iter().any(is_default) {
                    unsupported("a GatewaySubnet takes no user-defined default route");
                }
                if table.disable_bgp_route_propagation {
                    unsupported("a GatewaySubnet needs the propagation of gateway routes");
                }
            }
            "routeserversubnet" => unsupported("a RouteServerSubnet takes no route table"),
            "azurebastionsubnet" => unsupported("an AzureBastionSubnet takes no route table"),
            _ => {}
        }
    }
}

fn is_default(route: &crate::azure::resources::UserRoute) -> bool {
    matches!(route.destination, RouteDestination::Prefix(prefix) if prefix.length() == 0)
}

/// Source: Microsoft, "Azure subscription and service limits": 400 routes for a table; "Virtual
/// network traffic routing": 25 with service tags (read 2026-11-20).
fn lint_limits(table: &UserRouteTable, findings: &mut Vec<Finding>) {
    const ROUTES_MAX: usize = 400;
    const TAGS_MAX: usize = 25;
    let is_tag =
        |destination: &RouteDestination| matches!(destination, RouteDestination::ServiceTag(_));
    let tag_count = table.routes.iter().filter(|route| is_tag(&route.destination)).count();
    for (count, max, what) in [
        (table.routes.len(), ROUTES_MAX, "routes"),
        (tag_count, TAGS_MAX, "routes with service tags"),
    ] {
        if count > max {
            findings.push(
                Finding::new(
                    "route_table_limit",
                    Severity::Warning,
                    format!("{count} {what}, and {max} are the documented limit"),
                )
                .about(&table.header.id),
            );
        }
    }
    for route in table.routes.iter().filter(|route| route.has_bgp_override) {
        findings.push(
            Finding::new(
                "bgp_override_not_computed",
                Severity::Note,
                format!("route `{}` has hasBgpOverride, which is not computed", route.name),
            )
            .about(&table.header.id),
        );
    }
}

fn lint_switches(settings: &Settings, findings: &mut Vec<Finding>) {
    if settings.service_endpoint_priority != ServiceEndpointPriority::default() {
        findings.push(Finding::new(
            "service_endpoint_priority",
            Severity::Note,
            "nexthop.toml lets service endpoints win over every other route; the published sources \
             contradict each other",
        ));
    }
    if settings.system_none_profile != SystemNoneProfile::default() {
        findings.push(Finding::new(
            "system_none_profile",
            Severity::Note,
            "nexthop.toml chooses reserved blocks as seen in exports, not as documented",
        ));
    }
}
