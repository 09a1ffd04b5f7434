//! Virtual hubs and Route Servers, hub connections, hub route tables, routing intent.

use super::fields;
use super::network::told;
use crate::azure::resources::node::{Node, Told};
use crate::azure::resources::types::{
    HubConnection, HubRoute, HubRouteTable, HubStaticRoute, ResourceId, RoutingIntent, VirtualHub,
};
use crate::net::AddressPrefix;

fields!(VirtualHub, header, |node| {
    address_prefix = told(node.prefix("addressPrefix")),
    virtual_wan = told(node.id("virtualWan")),
    azure_firewall = told(node.id("azureFirewall")),
    virtual_router_ips = node.addresses("virtualRouterIps"),
    has_gateway = has_gateway(node),
    route_server_subnet = told(route_server_subnet(node)),
});

/// The place of a Route Server, as a resource of its own.
#[derive(Debug, Default)]
pub(in crate::azure::resources) struct HubIpConfiguration {
    pub(in crate::azure::resources) subnet: Option<ResourceId>,
}

fields!(HubIpConfiguration, |node| {
    subnet = told(node.id("subnet")),
});

fields!(
    HubConnection,
    header,
    unless told Self { enable_internet_security: true, ..Self::default() },
    |node| {
        hub = hub(node),
        virtual_network = node.id("remoteVirtualNetwork"),
        enable_internet_security = node.flag("enableInternetSecurity"),
        associated_route_table = told(node.id("routingConfiguration/associatedRouteTable")),
        propagated_route_tables = node.ids("routingConfiguration/propagatedRouteTables/ids"),
        propagated_labels = node.texts("routingConfiguration/propagatedRouteTables/labels"),
        static_routes = node.rows("routingConfiguration/vnetRoutes/staticRoutes"),
    }
);

fields!(HubStaticRoute, |node| {
    name = node.name(),
    address_prefixes = node.prefixes("addressPrefixes"),
    next_hop_ip = told(node.address("nextHopIpAddress")),
});

fields!(HubRouteTable, header, |node| {
    hub = hub(node),
    routes = node.rows("routes"),
    labels = node.texts("labels"),
});

fields!(HubRoute, |node| {
    name = node.name(),
    destinations = hub_destinations(node),
    next_hop = node.id("nextHop"),
});

fields!(RoutingIntent, header, |node| {
    hub = hub(node),
    internet = told(policy(node, "internet")),
    private_traffic = told(policy(node, "privatetraffic")),
});

/// The hub is what the identifier of its child begins with.
fn hub(node: &Node<'_>) -> Told<ResourceId> {
    let id = node.own_text("id").unwrap_or_default().trim_end_matches('/');
    Ok(id.rmatch_indices('/').nth(1).map(|(end, _)| ResourceId::new(&id[..end])))
}

fn has_gateway(node: &Node<'_>) -> Told<bool> {
    for path in ["vpnGateway", "expressRouteGateway", "p2SVpnGateway"] {
        if node.id(path)?.is_some() {
            return Ok(Some(true));
        }
    }
    Ok(None)
}

fn route_server_subnet(node: &Node<'_>) -> Told<ResourceId> {
    let subnets =
        node.list("ipConfigurations", &|configuration, found: &mut Vec<ResourceId>| {
            // A reference alone has no subnet.
            if configuration.is_object() {
                found.extend(configuration.id("subnet")?);
            }
            Ok(())
        })?;
    Ok(subnets.and_then(|subnets| subnets.into_iter().next()))
}

/// Destinations of another type than CIDR are names, not prefixes.
fn hub_destinations(node: &Node<'_>) -> Told<Vec<AddressPrefix>> {
    match node.word("destinationType")?.as_deref() {
        None | Some("cidr") => node.prefixes("destinations"),
        Some(_) => Ok(None),
    }
}

fn policy(node: &Node<'_>, destination: &str) -> Told<ResourceId> {
    let hops = node.list("routingPolicies", &|policy, found: &mut Vec<ResourceId>| {
        let destinations = policy.texts("destinations")?.unwrap_or_default();
        if destinations.iter().any(|text| text.eq_ignore_ascii_case(destination)) {
            found.extend(policy.id("nextHop")?);
        }
        Ok(())
    })?;
    Ok(hops.and_then(|hops| hops.into_iter().next()))
}
