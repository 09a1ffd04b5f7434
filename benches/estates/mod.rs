//! Estates of any size as exported resources, and what their tables must say.
//!
//! VNets come in groups of 25: a hub with a VPN gateway, a firewall and prefixes on-premises, and
//! 24 spokes that use both. Every VNet has ten subnets and four private endpoints, and every
//! ordinary subnet has 300 rows that Azure would show: by the route table of its VNet, or by one of
//! its own, so that no two subnets have the same table.

use std::fmt::Write as _;
use std::fs;
use std::net::{IpAddr, Ipv4Addr};
use std::path::Path;

use nexthop::azure::load_snapshot;
use nexthop::fib::{Fib, SnapshotTables};
use nexthop::routing::NextHopClass;

pub const GROUP: usize = 25;
pub const SUBNETS_PER_VNET: usize = 10;
const ENDPOINTS_PER_VNET: usize = 4;
const GROUP_ID: &str = "/subscriptions/00000000-0000-0000-0000-00000000be4c/resourceGroups/rg-net\
/providers/Microsoft.Network";

/// Who has a route table.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum RouteTables {
    /// Every VNet, for all of its ordinary subnets.
    OfVnets,
    /// Every ordinary subnet, with a few routes that no other has.
    OfSubnets,
}

/// Of a subnet's own table: so many of its routes are no other's.
const OWN_ROUTES: usize = 8;

impl RouteTables {
    /// The prefixes on-premises of each hub. A large table that every subnet had to itself would be
    /// half a gigabyte of exports; so there the gateway brings most of the rows.
    fn sites(self) -> usize {
        if self == Self::OfVnets { 40 } else { 268 }
    }

    /// The user-defined routes of a table, besides a spoke's default route to the firewall.
    fn routes(self, is_hub: bool) -> usize {
        match (self, is_hub) {
            (Self::OfVnets, true) => 130,
            (Self::OfVnets, false) => 248,
            (Self::OfSubnets, _) => 20,
        }
    }

    /// The rows that Azure would show: a hub has 130, and a spoke 12, besides these.
    fn rows(self, is_hub: bool) -> usize {
        self.sites() + self.routes(is_hub) + if is_hub { 130 } else { 12 }
    }
}

/// Writes the exports of an estate: for each group of VNets what `az … list -o json` prints.
pub fn write(folder: &Path, vnet_count: usize, kind: RouteTables) {
    assert!(vnet_count.is_multiple_of(GROUP) && vnet_count <= 500);
    for first in (0..vnet_count).step_by(GROUP) {
        let group = first..first + GROUP;
        let list = |name: &str, resources: Vec<String>| {
            // Files are read in the order of their names, and tables stand in the order of the VNets.
            let path = folder.join(format!("{name}-{first:03}.json"));
            fs::write(path, format!("[\n{}\n]\n", resources.join(",\n"))).expect("a file");
        };
        list("vnets", group.clone().map(|number| vnet(number, kind)).collect());
        list("routetables", group.clone().flat_map(|number| route_tables(number, kind)).collect());
        list("nics", group.clone().flat_map(nics).collect());
        list("endpoints", group.flat_map(endpoints).collect());
        list("edge", edge(first, kind));
    }
}

/// Loads, computes and compiles an estate.
pub fn compile(folder: &Path) -> (SnapshotTables, Fib) {
    let snapshot = load_snapshot(folder).expect("a snapshot");
    let tables = SnapshotTables::of(&snapshot);
    let fib = tables.compile().expect("few next hops");
    (tables, fib)
}

/// Holds the tables against the plan: how many rows they have, and where samples of every kind of
/// address go from every ordinary subnet.
pub fn check(tables: &SnapshotTables, fib: &Fib, vnet_count: usize, kind: RouteTables) {
    assert_eq!(tables.tables.len(), vnet_count * SUBNETS_PER_VNET);
    assert!(tables.findings.is_empty(), "{:?}", tables.findings.first());
    // Of a hub, the GatewaySubnet and the firewall's share a table.
    let hub_count = vnet_count / GROUP;
    let distinct = match kind {
        RouteTables::OfVnets => vnet_count + hub_count,
        RouteTables::OfSubnets => vnet_count * SUBNETS_PER_VNET - hub_count,
    };
    assert_eq!(fib.distinct_table_count(), distinct);
    for (index, table) in tables.tables.iter().enumerate() {
        let (vnet, subnet) = (index / SUBNETS_PER_VNET, index % SUBNETS_PER_VNET);
        if is_hub(vnet) && subnet < 2 {
            continue;
        }
        assert_eq!(table.shown_rows().count(), kind.rows(is_hub(vnet)), "{}", table.id);
        let id = fib.table_id(index).expect("there is such a table");
        let class = |address: Ipv4Addr| {
            let hop = fib.lookup(id, IpAddr::V4(address)).expect("there is a default route");
            fib.next_hop(hop).class
        };
        let hub = hub_of(vnet);
        let neighbour = if is_hub(vnet) { vnet + 1 } else { hub };
        let far = if is_hub(vnet) { NextHopClass::Peering } else { NextHopClass::Firewall };
        let route = index % kind.routes(is_hub(vnet));
        for (address, want) in [
            (in_subnet(vnet, 9, 200), NextHopClass::Vnet),
            (in_subnet(neighbour, 5, 7), NextHopClass::Peering),
            (
                in_subnet(hub + 1 + (vnet + 1) % (GROUP - 1), 5, 7),
                if vnet == hub {
                    far
                } else {
                    match hub + 1 + (vnet + 1) % (GROUP - 1) == vnet {
                        true => NextHopClass::Vnet,
                        false => NextHopClass::Firewall,
                    }
                },
            ),
            (endpoint_address(vnet, index % ENDPOINTS_PER_VNET), NextHopClass::PrivateEndpoint),
            (
                endpoint_address(neighbour, index % ENDPOINTS_PER_VNET),
                NextHopClass::PrivateEndpoint,
            ),
            (user_prefix(vnet, route_number(kind, subnet, route)).0, NextHopClass::Firewall),
            (site_prefix(hub, index % kind.sites()), NextHopClass::Gateway),
            (
                Ipv4Addr::new(8, 8, 8, 8),
                if is_hub(vnet) { NextHopClass::Internet } else { NextHopClass::Firewall },
            ),
        ] {
            assert_eq!(class(address), want, "{} to {address}", table.id);
        }
    }
}

fn is_hub(vnet: usize) -> bool {
    vnet.is_multiple_of(GROUP)
}

fn hub_of(vnet: usize) -> usize {
    vnet - vnet % GROUP
}

fn octet(number: usize) -> u8 {
    u8::try_from(number).expect("the estate is small")
}

/// Two VNets share the second octet.
fn in_subnet(vnet: usize, subnet: usize, host: u8) -> Ipv4Addr {
    Ipv4Addr::new(10, octet(vnet / 2), octet(vnet % 2 * 128 + subnet), host)
}

fn space(vnet: usize) -> String {
    format!("{}/17", in_subnet(vnet, 0, 0))
}

fn endpoint_address(vnet: usize, number: usize) -> Ipv4Addr {
    in_subnet(vnet, 9, 10 + octet(number))
}

fn firewall_address(vnet: usize) -> Ipv4Addr {
    in_subnet(hub_of(vnet), 1, 4)
}

/// The prefix of a user-defined route; no two VNets share one.
fn user_prefix(vnet: usize, number: usize) -> (Ipv4Addr, u8) {
    (
        Ipv4Addr::new(
            51 + octet(number / 256),
            octet(vnet / 2),
            octet(number % 256),
            octet(vnet % 2 * 128),
        ),
        25,
    )
}

/// The number of a route among the prefixes of its VNet: the first ones of a subnet's own table are
/// the subnet's.
fn route_number(kind: RouteTables, subnet: usize, route: usize) -> usize {
    match kind {
        RouteTables::OfSubnets if route < OWN_ROUTES => {
            FIRST_OWN_NUMBER + subnet * OWN_ROUTES + route
        }
        _ => route,
    }
}

/// Behind all prefixes that the subnets of a VNet share.
const FIRST_OWN_NUMBER: usize = 256;

/// A /24 on-premises.
fn site_prefix(hub: usize, number: usize) -> Ipv4Addr {
    let hub = hub / GROUP;
    if number >= 64 {
        return Ipv4Addr::new(60 + octet(number / 256), octet(hub), octet(number % 256), 0);
    }
    Ipv4Addr::new(172, octet(16 + hub / 4), octet(hub % 4 * 64 + number), 0)
}

fn subnet_name(vnet: usize, subnet: usize) -> String {
    match (is_hub(vnet), subnet) {
        (true, 0) => "GatewaySubnet".to_owned(),
        (true, 1) => "AzureFirewallSubnet".to_owned(),
        _ => format!("snet-{subnet}"),
    }
}

fn subnet_id(vnet: usize, subnet: usize) -> String {
    format!("{GROUP_ID}/virtualNetworks/vnet-{vnet}/subnets/{}", subnet_name(vnet, subnet))
}

fn head(kind: &str, name: &str) -> String {
    format!(
        "{{\n    \"id\": \"{GROUP_ID}/{kind}/{name}\",\n    \"location\": \"westeurope\",\n    \
         \"name\": \"{name}\",\n    \"provisioningState\": \"Succeeded\",\n    \
         \"resourceGroup\": \"rg-net\",\n    \"type\": \"Microsoft.Network/{kind}\","
    )
}

fn vnet(vnet: usize, kind: RouteTables) -> String {
    let subnets: Vec<String> = (0..SUBNETS_PER_VNET)
        .map(|subnet| {
            let table = match is_hub(vnet) && subnet < 2 {
                true => String::new(),
                false => format!(
                    "\n        \"routeTable\": {{ \"id\": \"{GROUP_ID}/routeTables/{}\" }},",
                    route_table_name(vnet, subnet, kind)
                ),
            };
            format!(
                "      {{\n        \"addressPrefix\": \"{}/24\",\n        \"id\": \"{}\",\n        \
                 \"name\": \"{}\",{table}\n        \
                 \"privateEndpointNetworkPolicies\": \"Disabled\"\n      }}",
                in_subnet(vnet, subnet, 0),
                subnet_id(vnet, subnet),
                subnet_name(vnet, subnet),
            )
        })
        .collect();
    let hub = hub_of(vnet);
    let peers: Vec<usize> = if is_hub(vnet) { (hub + 1..hub + GROUP).collect() } else { vec![hub] };
    let peerings: Vec<String> = peers
        .into_iter()
        .map(|peer| {
            format!(
                "      {{\n        \"id\": \"{GROUP_ID}/virtualNetworks/vnet-{vnet}/\
                 virtualNetworkPeerings/to-{peer}\",\n        \"name\": \"to-{peer}\",\n        \
                 \"allowVirtualNetworkAccess\": true,\n        \"allowForwardedTraffic\": true,\n        \
                 \"allowGatewayTransit\": {},\n        \"useRemoteGateways\": {},\n        \
                 \"peeringState\": \"Connected\",\n        \"peeringSyncLevel\": \"FullyInSync\",\n        \
                 \"remoteAddressSpace\": {{ \"addressPrefixes\": [\"{}\"] }},\n        \
                 \"remoteVirtualNetwork\": {{ \"id\": \"{GROUP_ID}/virtualNetworks/vnet-{peer}\" }}\n      }}",
                is_hub(vnet),
                !is_hub(vnet),
                space(peer),
            )
        })
        .collect();
    format!(
        "  {}\n    \"addressSpace\": {{ \"addressPrefixes\": [\"{}\"] }},\n    \"subnets\": [\n{}\n    \
         ],\n    \"virtualNetworkPeerings\": [\n{}\n    ]\n  }}",
        head("virtualNetworks", &format!("vnet-{vnet}")),
        space(vnet),
        subnets.join(",\n"),
        peerings.join(",\n"),
    )
}

fn route_table_name(vnet: usize, subnet: usize, kind: RouteTables) -> String {
    match kind {
        RouteTables::OfVnets => format!("rt-{vnet}"),
        RouteTables::OfSubnets => format!("rt-{vnet}-{subnet}"),
    }
}

fn route_tables(vnet: usize, kind: RouteTables) -> Vec<String> {
    let first = if is_hub(vnet) { 2 } else { 0 };
    let count = if kind == RouteTables::OfVnets { 1 } else { SUBNETS_PER_VNET - first };
    (first..first + count).map(|subnet| route_table(vnet, subnet, kind)).collect()
}

fn route_table(vnet: usize, subnet: usize, kind: RouteTables) -> String {
    let table = route_table_name(vnet, subnet, kind);
    let count = kind.routes(is_hub(vnet));
    let named = (0..count).map(|number| {
        let (prefix, length) = user_prefix(vnet, route_number(kind, subnet, number));
        (format!("route-{number}"), format!("{prefix}/{length}"))
    });
    let default = ("default".to_owned(), "0.0.0.0/0".to_owned());
    let routes = named.chain((!is_hub(vnet)).then_some(default));
    let mut text = String::new();
    for (number, (name, prefix)) in routes.enumerate() {
        let comma = if number == 0 { "" } else { ",\n" };
        write!(
            text,
            "{comma}      {{\n        \"addressPrefix\": \"{prefix}\",\n        \
             \"etag\": \"W/\\\"5ba90c11-4ef4-4b49-9d0e-9ea4d8a8b8f1\\\"\",\n        \
             \"hasBgpOverride\": false,\n        \
             \"id\": \"{GROUP_ID}/routeTables/{table}/routes/{name}\",\n        \
             \"name\": \"{name}\",\n        \"nextHopIpAddress\": \"{}\",\n        \
             \"nextHopType\": \"VirtualAppliance\",\n        \"provisioningState\": \"Succeeded\",\n        \
             \"resourceGroup\": \"rg-net\",\n        \"type\": \"Microsoft.Network/routeTables/routes\"\n      }}",
            firewall_address(vnet),
        )
        .expect("a text");
    }
    format!(
        "  {}\n    \"disableBgpRoutePropagation\": false,\n    \"routes\": [\n{text}\n    ]\n  }}",
        head("routeTables", &table),
    )
}

fn nic(name: &str, vnet: usize, subnet: usize, address: Ipv4Addr, more: &str) -> String {
    format!(
        "  {}\n    \"enableIPForwarding\": false,{more}\n    \"ipConfigurations\": [\n      {{\n        \
         \"id\": \"{GROUP_ID}/networkInterfaces/{name}/ipConfigurations/ipconfig1\",\n        \
         \"name\": \"ipconfig1\",\n        \"primary\": true,\n        \
         \"privateIPAddress\": \"{address}\",\n        \"subnet\": {{ \"id\": \"{}\" }}\n      }}\n    ]\n  }}",
        head("networkInterfaces", name),
        subnet_id(vnet, subnet),
    )
}

/// A machine in every ordinary subnet.
fn nics(vnet: usize) -> Vec<String> {
    let first = if is_hub(vnet) { 2 } else { 0 };
    (first..SUBNETS_PER_VNET)
        .map(|subnet| {
            let mac = format!(
                "\n    \"macAddress\": \"00-0D-3A-{:02X}-{:02X}-{subnet:02X}\",",
                vnet / 256,
                vnet % 256
            );
            let name = format!("vm-{vnet}-{subnet}-nic");
            nic(&name, vnet, subnet, in_subnet(vnet, subnet, 5), &mac)
        })
        .collect()
}

fn endpoints(vnet: usize) -> Vec<String> {
    (0..ENDPOINTS_PER_VNET)
        .flat_map(|number| {
            let name = format!("pe-{vnet}-{number}");
            let endpoint = format!(
                "  {}\n    \"customDnsConfigs\": [],\n    \"networkInterfaces\": [\n      \
                 {{ \"id\": \"{GROUP_ID}/networkInterfaces/{name}.nic\" }}\n    ],\n    \
                 \"privateLinkServiceConnections\": [\n      {{\n        \"name\": \"{name}\",\n        \
                 \"privateLinkServiceConnectionState\": {{ \"status\": \"Approved\" }}\n      }}\n    ],\n    \
                 \"subnet\": {{ \"id\": \"{}\" }}\n  }}",
                head("privateEndpoints", &name),
                subnet_id(vnet, 9),
            );
            let more = format!(
                "\n    \"privateEndpoint\": {{ \"id\": \"{GROUP_ID}/privateEndpoints/{name}\" }},"
            );
            let address = endpoint_address(vnet, number);
            [endpoint, nic(&format!("{name}.nic"), vnet, 9, address, &more)]
        })
        .collect()
}

/// The gateway of a hub, its site, and the firewall.
fn edge(hub: usize, kind: RouteTables) -> Vec<String> {
    let prefixes: Vec<String> =
        (0..kind.sites()).map(|number| format!("\"{}/24\"", site_prefix(hub, number))).collect();
    let configuration = |name: &str, subnet: usize, address: Ipv4Addr| {
        format!(
            "\n    \"ipConfigurations\": [\n      {{\n        \"name\": \"{name}\",\n        \
             \"privateIPAddress\": \"{address}\",\n        \"publicIPAddress\": {{ \"id\": \
             \"{GROUP_ID}/publicIPAddresses/pip-{hub}\" }},\n        \
             \"subnet\": {{ \"id\": \"{}\" }}\n      }}\n    ]",
            subnet_id(hub, subnet)
        )
    };
    vec![
        format!(
            "  {}\n    \"gatewayType\": \"Vpn\",\n    \"vpnType\": \"RouteBased\",\n    \
             \"activeActive\": false,\n    \"sku\": {{ \"name\": \"VpnGw2\" }},{}\n  }}",
            head("virtualNetworkGateways", &format!("gw-{hub}")),
            configuration("gw", 0, in_subnet(hub, 0, 4)),
        ),
        format!(
            "  {}\n    \"sku\": {{ \"name\": \"AZFW_VNet\", \"tier\": \"Standard\" }},{}\n  }}",
            head("azureFirewalls", &format!("fw-{hub}")),
            configuration("fw", 1, firewall_address(hub)),
        ),
        format!(
            "  {}\n    \"ipAddress\": \"20.0.0.{}\"\n  }}",
            head("publicIPAddresses", &format!("pip-{hub}")),
            hub / GROUP + 1,
        ),
        format!(
            "  {}\n    \"localNetworkAddressSpace\": {{ \"addressPrefixes\": [{}] }}\n  }}",
            head("localNetworkGateways", &format!("site-{hub}")),
            prefixes.join(", "),
        ),
        format!(
            "  {}\n    \"connectionType\": \"IPsec\",\n    \"connectionStatus\": \"Connected\",\n    \
             \"virtualNetworkGateway1\": {{ \"id\": \"{GROUP_ID}/virtualNetworkGateways/gw-{hub}\" }},\n    \
             \"localNetworkGateway2\": {{ \"id\": \"{GROUP_ID}/localNetworkGateways/site-{hub}\" }}\n  }}",
            head("connections", &format!("connection-{hub}")),
        ),
    ]
}
