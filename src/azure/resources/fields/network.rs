//! VNets, subnets, peerings, route tables, NICs, private endpoints.

use std::net::IpAddr;

use super::fields;
use crate::azure::effective_routes::{self, RouteValueError};
use crate::azure::resources::error::ResourceValueError;
use crate::azure::resources::node::{Node, Told};
use crate::azure::resources::types::{
    IpConfiguration, NetworkInterface, Peering, PeeringState, PrivateEndpoint,
    PrivateEndpointNetworkPolicies, ServiceEndpoint, Subnet, UserRoute, UserRouteTable,
    VirtualNetwork,
};
use crate::azure::word::folded;
use crate::azure::{NextHopIps, NextHopType, RouteDestination};

fields!(VirtualNetwork, header, |node| {
    address_space = node.prefixes("addressSpace/addressPrefixes"),
});

fields!(Subnet, header, |node| {
    address_prefixes = first(node, ["addressPrefixes", "addressPrefix"], |node, path| node.prefixes(path)),
    route_table = told(node.id("routeTable")),
    service_endpoints = node.rows("serviceEndpoints"),
    delegations = delegations(node),
    private_endpoint_network_policies = private_endpoint_network_policies(node),
    ip_configurations = node.ids("ipConfigurations"),
});

fields!(ServiceEndpoint, |node| {
    service = node.text("service"),
    locations = locations(node),
});

fields!(
    Peering,
    unless told Self {
        is_fully_in_sync: true,
        allow_virtual_network_access: true,
        ..Self::default()
    },
    |node| {
        name = node.name(),
        state = peering_state(node),
        is_fully_in_sync = is_word(node, "peeringSyncLevel", "fullyinsync"),
        remote_virtual_network = node.id("remoteVirtualNetwork"),
        remote_address_space = node.prefixes("remoteAddressSpace/addressPrefixes"),
        remote_virtual_network_address_space =
            node.prefixes("remoteVirtualNetworkAddressSpace/addressPrefixes"),
        allow_virtual_network_access = node.flag("allowVirtualNetworkAccess"),
        allow_forwarded_traffic = node.flag("allowForwardedTraffic"),
        allow_gateway_transit = node.flag("allowGatewayTransit"),
        use_remote_gateways = node.flag("useRemoteGateways"),
        is_subnet_peering = not(node.flag("peerCompleteVnets")),
        local_subnet_names = node.texts("localSubnetNames"),
        remote_subnet_names = node.texts("remoteSubnetNames"),
    }
);

fields!(UserRouteTable, header, |node| {
    disable_bgp_route_propagation = node.flag("disableBgpRoutePropagation"),
    disable_peering_route = is_word(node, "disablePeeringRoute", "all"),
    subnets = node.ids("subnets"),
});

/// A user-defined route that may still lack what makes it one.
#[derive(Debug, Default)]
pub(in crate::azure::resources) struct RouteDraft {
    name: String,
    destination: Option<RouteDestination>,
    next_hop_type: Option<NextHopType>,
    next_hop_ips: NextHopIps,
    has_bgp_override: bool,
}

fields!(RouteDraft, |node| {
    name = node.name(),
    destination = told(destination(node)),
    next_hop_type = told(next_hop_type(node)),
    next_hop_ips = next_hop_ips(node),
    has_bgp_override = node.flag("hasBgpOverride"),
});

impl RouteDraft {
    /// Returns the route, if it is one.
    pub(in crate::azure::resources) fn finish(self) -> Option<UserRoute> {
        Some(UserRoute {
            name: self.name,
            destination: self.destination?,
            next_hop_type: self.next_hop_type?,
            next_hop_ips: self.next_hop_ips,
            has_bgp_override: self.has_bgp_override,
        })
    }
}

fields!(NetworkInterface, header, |node| {
    mac = told(node.mac("macAddress")),
    enable_ip_forwarding = node.flag("enableIPForwarding"),
    virtual_machine = told(node.id("virtualMachine")),
    private_endpoint = told(node.id("privateEndpoint")),
    ip_configurations = node.rows("ipConfigurations"),
});

fields!(IpConfiguration, |node| {
    id = node.told_id(),
    private_ip_address = told(node.address("privateIPAddress")),
    subnet = told(node.id("subnet")),
    public_ip_address = told(node.id("publicIPAddress")),
    load_balancer_pools = node.ids("loadBalancerBackendAddressPools"),
    application_gateway_pools = node.ids("applicationGatewayBackendAddressPools"),
});

fields!(
    PrivateEndpoint,
    header,
    unless told Self { is_approved: true, ..Self::default() },
    |node| {
        subnet = told(node.id("subnet")),
        network_interfaces = node.ids("networkInterfaces"),
        addresses = private_endpoint_addresses(node),
        host_names = private_endpoint_host_names(node),
        is_approved = is_approved(node),
    }
);

/// Makes a value that was told one of a field that may be without.
pub(super) fn told<T>(found: Told<T>) -> Told<Option<T>> {
    Ok(found?.map(Some))
}

pub(super) fn not(found: Told<bool>) -> Told<bool> {
    Ok(found?.map(|flag| !flag))
}

/// Returns true where the text is the word, which is given in lower case without spaces.
pub(super) fn is_word(node: &Node<'_>, path: &str, word: &str) -> Told<bool> {
    Ok(node.word(path)?.map(|found| found == word))
}

/// Returns what stands at the first of several paths that tells anything.
pub(super) fn first<T, const N: usize>(
    node: &Node<'_>,
    paths: [&str; N],
    read: fn(&Node<'_>, &str) -> Told<T>,
) -> Told<T> {
    for path in paths {
        if let Some(value) = read(node, path)? {
            return Ok(Some(value));
        }
    }
    Ok(None)
}

fn locations(node: &Node<'_>) -> Told<Vec<String>> {
    Ok(node.texts("locations")?.map(|texts| texts.iter().map(|text| folded(text)).collect()))
}

fn delegations(node: &Node<'_>) -> Told<Vec<String>> {
    node.list("delegations", &|delegation, found| {
        found.extend(delegation.text("serviceName")?);
        Ok(())
    })
}

/// A word that is not known leaves the default: neither route tables nor NSGs apply.
fn private_endpoint_network_policies(node: &Node<'_>) -> Told<PrivateEndpointNetworkPolicies> {
    use PrivateEndpointNetworkPolicies as Policies;
    Ok(node.word("privateEndpointNetworkPolicies")?.and_then(|word| match word.as_str() {
        "disabled" => Some(Policies::Disabled),
        "enabled" => Some(Policies::Enabled),
        "networksecuritygroupenabled" => Some(Policies::NetworkSecurityGroupEnabled),
        "routetableenabled" => Some(Policies::RouteTableEnabled),
        _ => None,
    }))
}

fn peering_state(node: &Node<'_>) -> Told<PeeringState> {
    Ok(node.word("peeringState")?.and_then(|word| match word.as_str() {
        "connected" => Some(PeeringState::Connected),
        "initiated" => Some(PeeringState::Initiated),
        "disconnected" => Some(PeeringState::Disconnected),
        _ => None,
    }))
}

fn destination(node: &Node<'_>) -> Told<RouteDestination> {
    node.with("addressPrefix", &|node| {
        let Some(text) = node.as_text()?.map(str::trim).filter(|text| !text.is_empty()) else {
            return Ok(None);
        };
        effective_routes::destination(text).map(Some).map_err(|problem| match problem {
            RouteValueError::Prefix(problem) => node.error(ResourceValueError::Prefix(problem)),
            _ => node.shape("an address prefix or service tag"),
        })
    })
}

fn next_hop_type(node: &Node<'_>) -> Told<NextHopType> {
    Ok(node.text("nextHopType")?.map(|word| NextHopType::from(word.trim())))
}

fn next_hop_ips(node: &Node<'_>) -> Told<NextHopIps> {
    let one = node.addresses("nextHopIpAddress")?;
    let found = match one {
        Some(ips) => Some(ips),
        None => node.addresses("nextHop/nextHopIpAddresses")?,
    };
    Ok(found.map(NextHopIps::from_vec))
}

/// The addresses that the endpoint itself tells, each once.
fn private_endpoint_addresses(node: &Node<'_>) -> Told<Vec<IpAddr>> {
    let configured = node.list("ipConfigurations", &|configuration, found: &mut Vec<IpAddr>| {
        found.extend(configuration.address("privateIPAddress")?);
        Ok(())
    })?;
    let in_dns = node.list("customDnsConfigs", &|config, found: &mut Vec<IpAddr>| {
        found.extend(config.addresses("ipAddresses")?.into_iter().flatten());
        Ok(())
    })?;
    let mut addresses: Vec<IpAddr> = Vec::new();
    for address in configured.into_iter().chain(in_dns).flatten() {
        if !addresses.contains(&address) {
            addresses.push(address);
        }
    }
    Ok((!addresses.is_empty()).then_some(addresses))
}

fn private_endpoint_host_names(node: &Node<'_>) -> Told<Vec<(String, Vec<IpAddr>)>> {
    node.list("customDnsConfigs", &|config, found: &mut Vec<(String, Vec<IpAddr>)>| {
        if let Some(name) = config.text("fqdn")? {
            found.push((
                name.trim().to_owned(),
                config.addresses("ipAddresses")?.unwrap_or_default(),
            ));
        }
        Ok(())
    })
}

fn is_approved(node: &Node<'_>) -> Told<bool> {
    let mut is_approved = None;
    for path in ["privateLinkServiceConnections", "manualPrivateLinkServiceConnections"] {
        let states = node.list(path, &|connection, found: &mut Vec<String>| {
            found.extend(connection.word("privateLinkServiceConnectionState/status")?);
            Ok(())
        })?;
        for state in states.into_iter().flatten() {
            let carries = !matches!(state.as_str(), "pending" | "rejected" | "disconnected");
            is_approved = Some(is_approved.unwrap_or(true) && carries);
        }
    }
    Ok(is_approved)
}
