//! Firewalls, application gateways, load balancers, public addresses.

use std::net::IpAddr;

use super::fields;
use super::network::told;
use crate::azure::resources::error::ResourceFileError;
use crate::azure::resources::node::{Node, Told};
use crate::azure::resources::types::{
    ApplicationGateway, AzureFirewall, BackendHealth, BackendPool, FirewallPolicy, FlowLog,
    LoadBalancer, PublicIpAddress, ResourceHeader, ResourceId,
};
use crate::net::AddressPrefix;

fields!(AzureFirewall, header, |node| {
    ip_configurations = node.rows("ipConfigurations"),
    virtual_hub = told(node.id("virtualHub")),
    hub_private_ip = told(node.address("hubIPAddresses/privateIPAddress")),
    firewall_policy = told(node.id("firewallPolicy")),
    snat_private_ranges = private_ranges(node, "additionalProperties/Network.SNAT.PrivateRanges"),
});

fields!(FirewallPolicy, header, |node| {
    snat_private_ranges = private_ranges(node, "snat/privateRanges"),
});

fields!(
    FlowLog, header,
    unless told Self {
        header: ResourceHeader::default(),
        target: None,
        is_enabled: true,
        record_types: String::new(),
        filter: String::new(),
    },
    |node| {
        target = told(node.id("targetResourceId")),
        is_enabled = node.flag("enabled"),
        record_types = node.text("recordTypes"),
        filter = node.text("enabledFilteringCriteria"),
    }
);

fields!(ApplicationGateway, header, |node| {
    is_v2 = is_v2(node),
    subnets = subnets(node),
    pools = node.rows("backendAddressPools"),
});

fields!(BackendPool, |node| {
    id = node.told_id(),
    name = node.name(),
    addresses = pool_addresses(node),
    host_names = host_names(node),
    ip_configurations = node.ids("backendIPConfigurations"),
});

fields!(BackendHealth, |node| {
    pool = node.id("backendAddressPool"),
    servers = servers(node),
});

fields!(LoadBalancer, header, |node| {
    frontends = node.rows("frontendIPConfigurations"),
    backend_pools = node.ids("backendAddressPools"),
});

fields!(PublicIpAddress, header, |node| {
    ip_address = told(node.address("ipAddress")),
});

/// Reads the ranges to which a firewall does not translate source addresses. They are a list, or a
/// text with commas, and one name stands for the four blocks of RFC 1918 and RFC 6598.
///
/// Source: Microsoft, "Azure Firewall SNAT private IP address ranges" (read 2026-11-20).
fn private_ranges(node: &Node<'_>, path: &str) -> Told<Vec<AddressPrefix>> {
    node.list(path, &|element, found| {
        for text in element.as_text()?.unwrap_or_default().split(',').map(str::trim) {
            if text.eq_ignore_ascii_case("IANAPrivateRanges") {
                found.extend(iana_private_ranges());
            } else {
                found.extend(element.prefix_of(text)?);
            }
        }
        Ok(())
    })
}

fn iana_private_ranges() -> impl Iterator<Item = AddressPrefix> {
    [([10, 0, 0, 0], 8), ([172, 16, 0, 0], 12), ([192, 168, 0, 0], 16), ([100, 64, 0, 0], 10)]
        .into_iter()
        .map(|(address, length)| {
            AddressPrefix::new(IpAddr::from(address), length).expect("the length is below 32")
        })
}

fn is_v2(node: &Node<'_>) -> Told<bool> {
    Ok(node.word("sku/tier")?.map(|tier| tier.ends_with("v2")))
}

fn subnets(node: &Node<'_>) -> Told<Vec<ResourceId>> {
    node.list("gatewayIPConfigurations", &|configuration, found: &mut Vec<ResourceId>| {
        found.extend(configuration.id("subnet")?);
        Ok(())
    })
}

fn pool_addresses(node: &Node<'_>) -> Told<Vec<IpAddr>> {
    node.list("backendAddresses", &|backend, found: &mut Vec<IpAddr>| {
        found.extend(backend.addresses("ipAddress")?.into_iter().flatten());
        found.extend(host_name(backend)?.and_then(|name| name.parse::<IpAddr>().ok()));
        Ok(())
    })
}

fn host_names(node: &Node<'_>) -> Told<Vec<String>> {
    node.list("backendAddresses", &|backend, found: &mut Vec<String>| {
        found.extend(host_name(backend)?.filter(|name| name.parse::<IpAddr>().is_err()));
        Ok(())
    })
}

fn host_name(backend: &Node<'_>) -> Told<String> {
    Ok(backend.text("fqdn")?.map(|name| name.trim().to_owned()))
}

/// The servers of a pool, each with one health once: every HTTP setting repeats them.
fn servers(node: &Node<'_>) -> Told<Vec<(String, String)>> {
    node.list("backendHttpSettingsCollection", &|setting, found| {
        let servers = setting.list("servers", &|server, found: &mut Vec<(String, String)>| {
            add_server(server, found)
        })?;
        for server in servers.into_iter().flatten() {
            if !found.contains(&server) {
                found.push(server);
            }
        }
        Ok(())
    })
}

fn add_server(
    server: &Node<'_>,
    found: &mut Vec<(String, String)>,
) -> Result<(), ResourceFileError> {
    if let Some(address) = server.text("address")? {
        found.push((address, server.text("health")?.unwrap_or_default()));
    }
    Ok(())
}
