//! Gateways, what stands behind them, and their connections; virtual WAN's branches too.

use std::net::IpAddr;

use super::fields;
use super::network::{first, is_word, told};
use crate::azure::resources::node::{Node, Told};
use crate::azure::resources::types::{
    Connection, ConnectionType, HubBranch, LocalNetworkGateway, ResourceId, VirtualNetworkGateway,
};
use crate::net::AddressPrefix;

fields!(VirtualNetworkGateway, header, |node| {
    is_express_route = is_word(node, "gatewayType", "expressroute"),
    is_policy_based = is_word(node, "vpnType", "policybased"),
    sku = node.text("sku/name"),
    is_active_active = first(node, ["activeActive", "active"], |node, path| node.flag(path)),
    ip_configurations = node.rows("ipConfigurations"),
    bgp_addresses = bgp_addresses(node),
    client_address_pool = client_address_pool(node),
    custom_routes = node.prefixes("customRoutes/addressPrefixes"),
    default_site = told(node.id("gatewayDefaultSite")),
});

fields!(LocalNetworkGateway, header, |node| {
    address_prefixes = node.prefixes("localNetworkAddressSpace/addressPrefixes"),
    bgp_peering_address = told(node.address("bgpSettings/bgpPeeringAddress")),
});

fields!(Connection, header, |node| {
    connection_type = connection_type(node),
    is_not_connected = is_not_connected(node),
    gateway = node.id("virtualNetworkGateway1"),
    remote_gateway = told(node.id("virtualNetworkGateway2")),
    local_network_gateway = told(node.id("localNetworkGateway2")),
    enable_bgp = node.flag("enableBgp"),
    is_fastpath = is_fastpath(node),
});

// A VPN site, or the clients of a point-to-site gateway in a hub.
fields!(HubBranch, header, |node| {
    hub = told(node.id("virtualHub")),
    virtual_wan = told(node.id("virtualWan")),
    address_prefixes = branch_prefixes(node),
});

/// A VPN gateway of a hub: it says which sites the hub reaches.
#[derive(Debug, Default)]
pub(in crate::azure::resources) struct VpnGateway {
    pub(in crate::azure::resources) hub: ResourceId,
    pub(in crate::azure::resources) sites: Vec<ResourceId>,
}

fields!(VpnGateway, |node| {
    hub = node.id("virtualHub"),
    sites = sites(node),
});

/// A connection of such a gateway, as a resource of its own.
#[derive(Debug, Default)]
pub(in crate::azure::resources) struct VpnConnection {
    pub(in crate::azure::resources) site: Option<ResourceId>,
}

fields!(VpnConnection, |node| {
    site = told(node.id("remoteVpnSite")),
});

fn bgp_addresses(node: &Node<'_>) -> Told<Vec<IpAddr>> {
    let instances =
        node.list("bgpSettings/bgpPeeringAddresses", &|instance, found: &mut Vec<IpAddr>| {
            found.extend(instance.addresses("defaultBgpIpAddresses")?.into_iter().flatten());
            Ok(())
        })?;
    match instances {
        Some(addresses) => Ok(Some(addresses)),
        None => node.addresses("bgpSettings/bgpPeeringAddress"),
    }
}

/// The pool of every client, and those of groups of clients.
fn client_address_pool(node: &Node<'_>) -> Told<Vec<AddressPrefix>> {
    let all = node.prefixes("vpnClientConfiguration/vpnClientAddressPool/addressPrefixes")?;
    let groups = pools(node, "vpnClientConfiguration/vngClientConnectionConfigurations")?;
    Ok(joined(all, groups))
}

fn branch_prefixes(node: &Node<'_>) -> Told<Vec<AddressPrefix>> {
    let site = node.prefixes("addressSpace/addressPrefixes")?;
    Ok(joined(site, pools(node, "p2SConnectionConfigurations")?))
}

fn pools(node: &Node<'_>, path: &str) -> Told<Vec<AddressPrefix>> {
    node.list(path, &|group, found: &mut Vec<AddressPrefix>| {
        let prefixes = group.prefixes("vpnClientAddressPool/addressPrefixes")?;
        found.extend(prefixes.into_iter().flatten());
        Ok(())
    })
}

fn joined(
    first: Option<Vec<AddressPrefix>>,
    second: Option<Vec<AddressPrefix>>,
) -> Option<Vec<AddressPrefix>> {
    let mut all: Vec<AddressPrefix> = Vec::new();
    for prefix in first.into_iter().chain(second).flatten() {
        if !all.contains(&prefix) {
            all.push(prefix);
        }
    }
    (!all.is_empty()).then_some(all)
}

fn connection_type(node: &Node<'_>) -> Told<ConnectionType> {
    Ok(node.word("connectionType")?.and_then(|word| match word.as_str() {
        "ipsec" => Some(ConnectionType::IpSec),
        "vnet2vnet" => Some(ConnectionType::Vnet2Vnet),
        "expressroute" => Some(ConnectionType::ExpressRoute),
        "vpnclient" => Some(ConnectionType::VpnClient),
        _ => None,
    }))
}

/// Lists of connections hold no status, or `Unknown`; that tells nothing.
fn is_not_connected(node: &Node<'_>) -> Told<bool> {
    Ok(node.word("connectionStatus")?.and_then(|word| match word.as_str() {
        "notconnected" => Some(true),
        "connected" | "connecting" => Some(false),
        _ => None,
    }))
}

fn is_fastpath(node: &Node<'_>) -> Told<bool> {
    let bypass = node.flag("expressRouteGatewayBypass")?;
    let private_link = node.flag("enablePrivateLinkFastPath")?;
    Ok(bypass.into_iter().chain(private_link).reduce(|a, b| a || b))
}

fn sites(node: &Node<'_>) -> Told<Vec<ResourceId>> {
    node.list("connections", &|connection, found: &mut Vec<ResourceId>| {
        found.extend(connection.id("remoteVpnSite")?);
        Ok(())
    })
}
