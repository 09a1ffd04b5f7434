//! Every row that the resources could give a subnet, before any row has beaten another.
//!
//! Source: Microsoft, "Virtual network traffic routing", "Create, change, or delete a virtual
//! network peering", "Configure VPN gateway transit for virtual network peering", "Virtual network
//! service endpoints", "Manage network policies for private endpoints" (read 2026-11-20), and
//! tables that people published.

use std::net::IpAddr;

use nexthop::azure::resources::{
    Connection, ConnectionType, Peering, PeeringState, PrivateEndpoint, ResourceId, Subnet,
    UserRouteTable, VirtualHub, VirtualNetwork, VirtualNetworkGateway,
};
use nexthop::azure::{NextHopType, RouteDestination, RouteSource, SystemNoneProfile};
use nexthop::net::AddressPrefix;

use super::hubs::{hub_networks, hub_routes};
use super::{Place, Row, World};

/// Returns the rows of all kinds.
pub fn list(place: Place<'_>) -> Vec<Row> {
    let mut rows = own_networks(place);
    rows.extend(peered_networks(place));
    rows.extend(reserved_blocks(place, &rows));
    rows.extend(internet(place));
    rows.extend(gateway_routes(place));
    rows.extend(service_endpoints(place));
    rows.extend(private_endpoints(place));
    rows.extend(user_routes(place));
    rows
}

/// The VNet's address space, never the subnets' prefixes.
fn own_networks(place: Place<'_>) -> Vec<Row> {
    let prefixes = place.virtual_network.address_space.iter();
    prefixes.map(|&prefix| default(prefix, NextHopType::VnetLocal)).collect()
}

/// 0.0.0.0/0 everywhere, ::/0 where the VNet has IPv6 space.
fn internet(place: Place<'_>) -> Vec<Row> {
    let mut rows = vec![default(AddressPrefix::IPV4_ALL, NextHopType::Internet)];
    if has_ipv6(place.virtual_network) {
        rows.push(default(AddressPrefix::IPV6_ALL, NextHopType::Internet));
    }
    rows
}

/// The reserved blocks, less those that a prefix of the VNet equals or holds, or that a peered
/// prefix equals.
fn reserved_blocks(place: Place<'_>, networks: &[Row]) -> Vec<Row> {
    let blocks: &[&str] = match place.world.settings.system_none_profile {
        SystemNoneProfile::Documented => &DOCUMENTED_BLOCKS,
        SystemNoneProfile::Observed2021 => &OBSERVED_2021_BLOCKS,
        SystemNoneProfile::Observed2022 => &OBSERVED_2022_BLOCKS,
    };
    let blocks = blocks.iter().map(|block| block.parse::<AddressPrefix>().expect(block));
    blocks
        .filter(|&block| {
            !networks.iter().any(|network| match network.next_hop_type {
                NextHopType::VnetLocal => network.prefix.covers(block),
                _ => network.prefix == block,
            })
        })
        .map(|block| default(block, NextHopType::None))
        .collect()
}

const DOCUMENTED_BLOCKS: [&str; 4] =
    ["10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16", "100.64.0.0/10"];
const OBSERVED_2021_BLOCKS: [&str; 5] =
    ["10.0.0.0/8", "100.64.0.0/10", "192.168.0.0/16", "25.33.80.0/20", "25.41.3.0/25"];
const OBSERVED_2022_BLOCKS: [&str; 17] = [
    "10.0.0.0/8",
    "127.0.0.0/8",
    "100.64.0.0/10",
    "172.16.0.0/12",
    "25.48.0.0/12",
    "25.4.0.0/14",
    "198.18.0.0/15",
    "157.59.0.0/16",
    "192.168.0.0/16",
    "25.33.0.0/16",
    "40.109.0.0/16",
    "104.147.0.0/16",
    "104.146.0.0/17",
    "40.108.0.0/17",
    "23.103.0.0/18",
    "25.41.0.0/20",
    "20.35.252.0/22",
];

/// A row for each prefix of each peered VNet, unless the subnet's route table says `All` in
/// `disablePeeringRoute`.
fn peered_networks(place: Place<'_>) -> Vec<Row> {
    if route_table(place).is_some_and(|table| table.disable_peering_route) {
        return Vec::new();
    }
    let local = place.virtual_network;
    let mut rows = Vec::new();
    for peering in working_peerings(place.world, local) {
        let remote = find_network(place.world, &peering.remote_virtual_network);
        let next_hop_type = match remote {
            Some(remote) if is_other_region(local, remote) => NextHopType::VNetGlobalPeering,
            _ => NextHopType::VNetPeering,
        };
        for prefix in peered_prefixes(place.world, peering) {
            if prefix.is_ipv4() || has_ipv6(local) {
                rows.push(default(prefix, next_hop_type.clone()));
            }
        }
    }
    rows.extend(hub_networks(place));
    rows
}

/// The peerings of a VNet that carry traffic: connected here, and there too where the remote VNet
/// is known. Peerings of single subnets are not computed.
fn working_peerings<'w>(world: &'w World, local: &'w VirtualNetwork) -> Vec<&'w Peering> {
    let works = |peering: &Peering| is_connected(peering) && !peering.is_subnet_peering;
    let peerings = local.peerings.iter().filter(|peering| works(peering));
    peerings
        .filter(|peering| match find_network(world, &peering.remote_virtual_network) {
            Some(remote) => way_back(remote, local).is_some_and(works),
            None => true,
        })
        .collect()
}

fn is_connected(peering: &Peering) -> bool {
    match peering.state {
        PeeringState::Connected | PeeringState::Unknown => true,
        PeeringState::Initiated | PeeringState::Disconnected => false,
    }
}

/// The peering of `remote` that leads to `local`.
fn way_back<'w>(remote: &'w VirtualNetwork, local: &VirtualNetwork) -> Option<&'w Peering> {
    remote.peerings.iter().find(|peering| peering.remote_virtual_network == local.header.id)
}

/// What was synchronised, or, once both sides agree, what the remote VNet has.
fn peered_prefixes(world: &World, peering: &Peering) -> Vec<AddressPrefix> {
    let synchronised = &peering.remote_address_space;
    let current = &peering.remote_virtual_network_address_space;
    if peering.is_fully_in_sync && !current.is_empty() {
        return current.clone();
    }
    if !synchronised.is_empty() {
        return synchronised.clone();
    }
    let remote = find_network(world, &peering.remote_virtual_network);
    remote.map_or_else(Vec::new, |remote| remote.address_space.clone())
}

fn is_other_region(local: &VirtualNetwork, remote: &VirtualNetwork) -> bool {
    let (local, remote) = (&local.header.location, &remote.header.location);
    !local.is_empty() && !remote.is_empty() && local != remote
}

/// What the gateways and Route Servers that serve the VNet bring, unless the subnet's route table
/// keeps it out.
fn gateway_routes(place: Place<'_>) -> Vec<Row> {
    if route_table(place).is_some_and(|table| table.disable_bgp_route_propagation) {
        return Vec::new();
    }
    let mut rows = Vec::new();
    for network in networks_with_our_gateways(place) {
        let mut by_express_route = Vec::new();
        let mut by_others = Vec::new();
        for gateway in gateways_in(place.world, network) {
            let routes = routes_of_gateway(place.world, gateway);
            if gateway.is_express_route {
                by_express_route.extend(routes);
            } else {
                by_others.extend(routes);
            }
        }
        for route_server in route_servers_in(place.world, network) {
            by_others.extend(learned_with_own_next_hop(place.world, &route_server.header.id));
        }
        // At the same prefix ExpressRoute is preferred to VPN.
        by_others.retain(|row| !by_express_route.iter().any(|other| other.prefix == row.prefix));
        rows.extend(by_express_route);
        rows.extend(by_others);
    }
    rows.extend(hub_routes(place));
    // A VNet without IPv6 space has no row of IPv6.
    rows.retain(|row| row.prefix.is_ipv4() || has_ipv6(place.virtual_network));
    rows
}

/// The VNet itself, and the hub whose gateways it uses: `useRemoteGateways` here and
/// `allowGatewayTransit` there.
fn networks_with_our_gateways(place: Place<'_>) -> Vec<&VirtualNetwork> {
    let local = place.virtual_network;
    let mut networks = vec![local];
    for peering in working_peerings(place.world, local) {
        let Some(remote) = find_network(place.world, &peering.remote_virtual_network) else {
            continue;
        };
        let is_offered = way_back(remote, local).is_some_and(|back| back.allow_gateway_transit);
        if peering.use_remote_gateways && is_offered {
            networks.push(remote);
        }
    }
    networks
}

fn gateways_in<'w>(world: &'w World, network: &VirtualNetwork) -> Vec<&'w VirtualNetworkGateway> {
    let gateways = world.resources.gateways.iter();
    gateways.filter(|gateway| is_gateway_in(gateway, network)).collect()
}

fn is_gateway_in(gateway: &VirtualNetworkGateway, network: &VirtualNetwork) -> bool {
    let subnets = gateway.ip_configurations.iter().filter_map(|config| config.subnet.as_ref());
    subnets.into_iter().any(|id| network.subnets.iter().any(|subnet| subnet.header.id == *id))
}

/// Route Servers are virtual hubs without a virtual WAN.
fn route_servers_in<'w>(world: &'w World, network: &VirtualNetwork) -> Vec<&'w VirtualHub> {
    let hubs = world.resources.virtual_hubs.iter().filter(|hub| hub.virtual_wan.is_none());
    hubs.filter(|hub| {
        let id = hub.route_server_subnet.as_ref();
        id.is_some_and(|id| network.subnets.iter().any(|subnet| subnet.header.id == *id))
    })
    .collect()
}

fn routes_of_gateway(world: &World, gateway: &VirtualNetworkGateway) -> Vec<Row> {
    let mut prefixes = gateway.client_address_pool.clone();
    prefixes.extend(&gateway.custom_routes);
    if gateway.default_site.is_some() {
        prefixes.push(AddressPrefix::IPV4_ALL);
    }
    for connection in &world.resources.connections {
        if connection.gateway == gateway.header.id {
            prefixes.extend(prefixes_of_connection(world, connection));
        }
    }
    let mut rows = Vec::new();
    let learned = learned_with_own_next_hop(world, &gateway.header.id);
    if gateway.is_express_route {
        // The hops are those of Microsoft's edge, which only the learned route tells.
        rows.extend(learned);
    } else {
        prefixes.extend(learned.iter().map(|row| row.prefix));
    }
    let hops = addresses_of_gateway(world, gateway);
    rows.extend(prefixes.into_iter().map(|prefix| gateway_row(prefix, &hops)));
    rows
}

/// Whether a connection is connected at this moment changes nothing about the rows.
fn prefixes_of_connection(world: &World, connection: &Connection) -> Vec<AddressPrefix> {
    let mut prefixes = Vec::new();
    match connection.connection_type {
        ConnectionType::IpSec => {
            let sites = world.resources.local_network_gateways.iter();
            for site in sites
                .filter(|site| Some(&site.header.id) == connection.local_network_gateway.as_ref())
            {
                prefixes.extend(&site.address_prefixes);
                if connection.enable_bgp {
                    prefixes.extend(site.bgp_peering_address.map(AddressPrefix::host));
                }
            }
        }
        ConnectionType::Vnet2Vnet => {
            let gateways = world.resources.gateways.iter();
            for remote in gateways
                .filter(|gateway| Some(&gateway.header.id) == connection.remote_gateway.as_ref())
            {
                let networks = world.resources.virtual_networks.iter();
                for network in networks.filter(|network| is_gateway_in(remote, network)) {
                    prefixes.extend(&network.address_space);
                }
            }
        }
        ConnectionType::ExpressRoute | ConnectionType::VpnClient => {}
    }
    prefixes
}

/// What a gateway or Route Server learned, with the hop that it learned it from. Routes without a
/// hop are its own networks, which it does not give back.
fn learned_with_own_next_hop(world: &World, id: &ResourceId) -> Vec<Row> {
    let name = id.as_str().rsplit('/').next().expect("a text has a last part");
    let learned = world.resources.learned_routes.iter();
    learned
        .filter(|route| {
            ResourceId::new(route.gateway.as_str()) == *id
                || route.gateway.eq_ignore_ascii_case(name)
        })
        .filter_map(|route| Some(gateway_row(route.prefix, &[route.next_hop?])))
        .collect()
}

/// The addresses that rows of a VPN gateway name: active/active the private ones of its instances,
/// active/passive the public one.
fn addresses_of_gateway(world: &World, gateway: &VirtualNetworkGateway) -> Vec<IpAddr> {
    let configurations = gateway.ip_configurations.iter();
    if gateway.is_active_active {
        let private: Vec<IpAddr> = configurations.filter_map(|c| c.private_ip_address).collect();
        return if private.is_empty() { gateway.bgp_addresses.clone() } else { private };
    }
    configurations
        .filter_map(|configuration| configuration.public_ip_address.as_ref())
        .flat_map(|id| {
            world.resources.public_ip_addresses.iter().filter(move |ip| ip.header.id == *id)
        })
        .filter_map(|public| public.ip_address)
        .collect()
}

pub fn gateway_row(prefix: AddressPrefix, hops: &[IpAddr]) -> Row {
    Row {
        hops: hops.to_vec(),
        ..Row::new(prefix, RouteSource::VirtualNetworkGateway, NextHopType::VirtualNetworkGateway)
    }
}

/// The public prefixes of each service that the subnet has an endpoint for: of the regions that it
/// names, or of all. Without a file of service tags there is no row.
fn service_endpoints(place: Place<'_>) -> Vec<Row> {
    let mut prefixes = Vec::new();
    for endpoint in &place.subnet.service_endpoints {
        let Some(service) = tag_of_service(&endpoint.service) else { continue };
        let is_everywhere = endpoint.locations.is_empty()
            || endpoint.locations.iter().any(|location| location == "*");
        let tags: Vec<String> = if is_everywhere {
            vec![service.to_owned()]
        } else {
            endpoint.locations.iter().map(|location| format!("{service}.{location}")).collect()
        };
        for tag in tags {
            prefixes.extend(prefixes_of_tag(place.world, &tag).unwrap_or_default());
        }
    }
    prefixes.sort();
    prefixes.dedup();
    prefixes
        .into_iter()
        .map(|prefix| default(prefix, NextHopType::VirtualNetworkServiceEndpoint))
        .collect()
}

fn tag_of_service(service: &str) -> Option<&'static str> {
    match service {
        "Microsoft.Storage" => Some("Storage"),
        "Microsoft.Sql" => Some("Sql"),
        _ => None,
    }
}

/// Those of `nexthop.toml` go before those of the file.
fn prefixes_of_tag(world: &World, name: &str) -> Option<Vec<AddressPrefix>> {
    let own = world.settings.service_tags.iter();
    if let Some((_, prefixes)) = own.into_iter().find(|(own, _)| own.eq_ignore_ascii_case(name)) {
        return Some(prefixes.clone());
    }
    world.service_tags.get(name).map(|prefixes| prefixes.iter().copied().collect())
}

/// A row for each address of each private endpoint that the subnet sees.
fn private_endpoints(place: Place<'_>) -> Vec<Row> {
    visible_endpoints(place)
        .into_iter()
        .map(|endpoint| AddressPrefix::host(endpoint.address))
        .map(|host| default(host, NextHopType::InterfaceEndpoint))
        .collect()
}

/// An address of a private endpoint.
pub struct VisibleEndpoint<'w> {
    pub address: IpAddr,
    pub home: &'w VirtualNetwork,
    pub home_subnet: &'w Subnet,
}

/// The addresses of the approved private endpoints of this VNet and of those that are peered with
/// it.
pub fn visible_endpoints<'w>(place: Place<'w>) -> Vec<VisibleEndpoint<'w>> {
    let peerings = working_peerings(place.world, place.virtual_network);
    let mut visible = Vec::new();
    for endpoint in place.world.resources.private_endpoints.iter().filter(|e| e.is_approved) {
        let Some((home, home_subnet)) = home_of_endpoint(place.world, endpoint) else { continue };
        let is_here = home.header.id == place.virtual_network.header.id;
        let is_peered =
            peerings.iter().any(|peering| peering.remote_virtual_network == home.header.id);
        for address in addresses_of_endpoint(place.world, endpoint) {
            let is_of_our_family = address.is_ipv4() || has_ipv6(place.virtual_network);
            if (is_here || is_peered) && is_of_our_family {
                visible.push(VisibleEndpoint { address, home, home_subnet });
            }
        }
    }
    visible
}

/// The VNet and the subnet that a private endpoint is in.
fn home_of_endpoint<'w>(
    world: &'w World,
    endpoint: &PrivateEndpoint,
) -> Option<(&'w VirtualNetwork, &'w Subnet)> {
    let mut places = world
        .resources
        .virtual_networks
        .iter()
        .flat_map(|network| network.subnets.iter().map(move |subnet| (network, subnet)));
    places.find(|(_, subnet)| Some(&subnet.header.id) == endpoint.subnet.as_ref())
}

/// Those of its NICs, where they tell any.
fn addresses_of_endpoint(world: &World, endpoint: &PrivateEndpoint) -> Vec<IpAddr> {
    let nics = world.resources.network_interfaces.iter();
    let nics = nics.filter(|nic| endpoint.network_interfaces.contains(&nic.header.id));
    let addresses: Vec<IpAddr> = nics
        .flat_map(|nic| nic.ip_configurations.iter())
        .filter_map(|configuration| configuration.private_ip_address)
        .collect();
    if addresses.is_empty() { endpoint.addresses.clone() } else { addresses }
}

/// The routes of the subnet's route table. Of several that have one prefix, because service tags
/// share it, one counts: a prefix goes before every tag, a tag of a region before that of the whole
/// service, and those of AzureCloud come last.
fn user_routes(place: Place<'_>) -> Vec<Row> {
    let Some(table) = route_table(place) else { return Vec::new() };
    let mut ranked: Vec<(u8, Row)> = Vec::new();
    for route in &table.routes {
        let (rank, prefixes) = match &route.destination {
            RouteDestination::Prefix(prefix) => (0, vec![*prefix]),
            RouteDestination::ServiceTag(tag) => {
                (rank_of_tag(tag), prefixes_of_tag(place.world, tag).unwrap_or_default())
            }
        };
        let hops = match route.next_hop_type {
            NextHopType::VirtualAppliance | NextHopType::VirtualApplianceEcmp => {
                route.next_hop_ips.to_vec()
            }
            _ => Vec::new(),
        };
        for prefix in prefixes {
            let row = Row::new(prefix, RouteSource::User, route.next_hop_type.clone());
            ranked.push((rank, Row { hops: hops.clone(), ..row }));
        }
    }
    let is_best = |rank: u8, row: &Row| {
        !ranked.iter().any(|(other_rank, other)| other.prefix == row.prefix && *other_rank < rank)
    };
    ranked.iter().filter(|(rank, row)| is_best(*rank, row)).map(|(_, row)| row.clone()).collect()
}

fn rank_of_tag(tag: &str) -> u8 {
    let tag = tag.to_lowercase();
    match (tag.starts_with("azurecloud"), tag.contains('.')) {
        (false, true) => 1,
        (false, false) => 2,
        (true, true) => 3,
        (true, false) => 4,
    }
}

/// The route table of the subnet: the one that it names, else the one that names it.
fn route_table<'w>(place: Place<'w>) -> Option<&'w UserRouteTable> {
    let tables = || place.world.resources.route_tables.iter();
    match &place.subnet.route_table {
        Some(id) => tables().find(|table| table.header.id == *id),
        None => tables().find(|table| table.subnets.contains(&place.subnet.header.id)),
    }
}

fn find_network<'w>(world: &'w World, id: &ResourceId) -> Option<&'w VirtualNetwork> {
    world.resources.virtual_networks.iter().find(|network| network.header.id == *id)
}

fn has_ipv6(network: &VirtualNetwork) -> bool {
    network.address_space.iter().any(|prefix| !prefix.is_ipv4())
}

pub fn default(prefix: AddressPrefix, next_hop_type: NextHopType) -> Row {
    Row::new(prefix, RouteSource::Default, next_hop_type)
}
