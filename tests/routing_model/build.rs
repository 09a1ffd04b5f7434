//! Small worlds and tables in few words, for cases worked out by hand.

use std::net::IpAddr;

use nexthop::azure::resources::{
    AzureFirewall, Connection, HubConnection, IpConfiguration, LearnedRoute, LocalNetworkGateway,
    Peering, PeeringState, PrivateEndpoint, PublicIpAddress, ResourceHeader, ResourceId,
    RoutingIntent, Subnet, UserRoute, UserRouteTable, VirtualHub, VirtualNetwork,
    VirtualNetworkGateway,
};
use nexthop::azure::{NextHopType, RouteDestination, RouteSource};
use nexthop::net::AddressPrefix;

use super::{Place, Row, State, World, merged};

pub fn find<'w>(world: &'w World, place: &str) -> Place<'w> {
    let id = subnet_id(place);
    world.places().find(|place| place.subnet.header.id == id).expect(place)
}

/// Rows of lines `SOURCE STATE PREFIX TYPE [HOP…]`.
pub fn rows(text: &str) -> Vec<Row> {
    let lines = text.lines().map(str::trim).filter(|line| !line.is_empty());
    merged(lines.map(row).collect())
}

pub fn row(line: &str) -> Row {
    let words: Vec<&str> = line.split_whitespace().collect();
    let [source, state, prefix, next_hop_type, hops @ ..] = words.as_slice() else {
        panic!("not a row: {line}");
    };
    Row {
        prefix: prefix.parse().expect(line),
        source: RouteSource::from(*source),
        state: match *state {
            "Active" => State::Active,
            "Invalid" => State::Invalid,
            _ => panic!("not a state: {line}"),
        },
        next_hop_type: NextHopType::from(*next_hop_type),
        hops: hops.iter().map(|hop| ip(hop)).collect(),
    }
}

/// A VNet with the subnet `vm`.
pub fn add_network(world: &mut World, name: &str, region: &str, spaces: &[&str]) {
    let mut header = header(&network_id(name));
    header.location = region.to_owned();
    world.resources.virtual_networks.push(VirtualNetwork {
        header,
        address_space: spaces.iter().map(|space| prefix(space)).collect(),
        subnets: vec![subnet(name, "vm")],
        ..VirtualNetwork::default()
    });
}

pub fn subnet(network: &str, name: &str) -> Subnet {
    let id = subnet_id(&format!("{network}/{name}"));
    Subnet { header: header(id.as_str()), ..Subnet::default() }
}

/// Peers a hub with a spoke, which may use the hub's gateways.
pub fn peer(world: &mut World, hub: &str, spoke: &str, shares_gateways: bool) {
    for (local, remote) in [(hub, spoke), (spoke, hub)] {
        let space = network_mut(world, remote).address_space.clone();
        network_mut(world, local).peerings.push(Peering {
            name: format!("{local}-to-{remote}"),
            state: PeeringState::Connected,
            is_fully_in_sync: true,
            remote_virtual_network: ResourceId::new(network_id(remote)),
            remote_address_space: space.clone(),
            remote_virtual_network_address_space: space,
            allow_virtual_network_access: true,
            allow_gateway_transit: shares_gateways && local == hub,
            use_remote_gateways: shares_gateways && local == spoke,
            ..Peering::default()
        });
    }
}

/// Active/active where there are several addresses. The site has one prefix.
pub fn add_vpn_gateway(
    world: &mut World,
    network: &str,
    private: &[&str],
    public: Option<&str>,
    site: &str,
) {
    network_mut(world, network).subnets.push(subnet(network, "GatewaySubnet"));
    let public_id = format!("/publicIPAddresses/{network}");
    if let Some(public) = public {
        world
            .resources
            .public_ip_addresses
            .push(PublicIpAddress { header: header(&public_id), ip_address: Some(ip(public)) });
    }
    let gateway = header(&format!("/virtualNetworkGateways/{network}-gateway"));
    let site_header = header(&format!("/localNetworkGateways/{network}-site"));
    world.resources.connections.push(Connection {
        header: header(&format!("/connections/{network}-site")),
        gateway: gateway.id.clone(),
        local_network_gateway: Some(site_header.id.clone()),
        ..Connection::default()
    });
    world.resources.local_network_gateways.push(LocalNetworkGateway {
        header: site_header,
        address_prefixes: vec![prefix(site)],
        bgp_peering_address: None,
    });
    world.resources.gateways.push(VirtualNetworkGateway {
        header: gateway,
        is_active_active: private.len() > 1,
        ip_configurations: private
            .iter()
            .map(|address| IpConfiguration {
                private_ip_address: Some(ip(address)),
                subnet: Some(subnet_id(&format!("{network}/GatewaySubnet"))),
                public_ip_address: Some(ResourceId::new(public_id.as_str())),
                ..IpConfiguration::default()
            })
            .collect(),
        ..VirtualNetworkGateway::default()
    });
}

/// An approved private endpoint in the VNet's subnet `vm`.
pub fn add_private_endpoint(world: &mut World, network: &str, address: &str) {
    world.resources.private_endpoints.push(PrivateEndpoint {
        header: header(&format!("/privateEndpoints/{address}")),
        subnet: Some(subnet_id(&format!("{network}/vm"))),
        addresses: vec![ip(address)],
        is_approved: true,
        ..PrivateEndpoint::default()
    });
}

pub fn add_route_server(world: &mut World, network: &str) {
    network_mut(world, network).subnets.push(subnet(network, "RouteServerSubnet"));
    world.resources.virtual_hubs.push(VirtualHub {
        header: header(&format!("/virtualHubs/{network}-route-server")),
        route_server_subnet: Some(subnet_id(&format!("{network}/RouteServerSubnet"))),
        ..VirtualHub::default()
    });
}

pub fn add_learned_route(world: &mut World, gateway: &str, network: &str, next_hop: &str) {
    world.resources.learned_routes.push(LearnedRoute {
        gateway: gateway.to_owned(),
        prefix: prefix(network),
        next_hop: Some(ip(next_hop)),
        origin: "EBgp".to_owned(),
    });
}

/// A hub with routing intent for Internet and private traffic, and VNets connected to it.
pub fn add_secured_hub(world: &mut World, space: &str, firewall: &str, networks: &[&str]) {
    let hub = header("/virtualHubs/hub");
    let firewall = AzureFirewall {
        header: header("/azureFirewalls/hub-firewall"),
        virtual_hub: Some(hub.id.clone()),
        hub_private_ip: Some(ip(firewall)),
        ..AzureFirewall::default()
    };
    let resources = &mut world.resources;
    resources.routing_intents.push(RoutingIntent {
        header: header("/virtualHubs/hub/routingIntent/intent"),
        hub: hub.id.clone(),
        internet: Some(firewall.header.id.clone()),
        private_traffic: Some(firewall.header.id.clone()),
    });
    resources.hub_connections.extend(networks.iter().map(|network| HubConnection {
        header: header(&format!("/virtualHubs/hub/hubVirtualNetworkConnections/{network}")),
        hub: hub.id.clone(),
        virtual_network: ResourceId::new(network_id(network)),
        enable_internet_security: true,
        ..HubConnection::default()
    }));
    resources.virtual_hubs.push(VirtualHub {
        header: hub,
        address_prefix: Some(prefix(space)),
        virtual_wan: Some(ResourceId::new("/virtualWans/wan")),
        azure_firewall: Some(firewall.header.id.clone()),
        ..VirtualHub::default()
    });
    resources.firewalls.push(firewall);
}

/// Routes of lines `PREFIX TYPE [HOP]`, for some subnets.
pub fn add_route_table(world: &mut World, places: &[&str], routes: &str) {
    let header = header(&format!("/routeTables/{}", places.join("-")));
    let places: Vec<ResourceId> = places.iter().map(|place| subnet_id(place)).collect();
    let networks = world.resources.virtual_networks.iter_mut();
    for subnet in networks.flat_map(|network| &mut network.subnets) {
        if places.contains(&subnet.header.id) {
            subnet.route_table = Some(header.id.clone());
        }
    }
    let lines = routes.lines().map(str::trim).filter(|line| !line.is_empty());
    let routes = lines.map(|line| {
        let words: Vec<&str> = line.split_whitespace().collect();
        UserRoute {
            name: line.to_owned(),
            destination: RouteDestination::Prefix(prefix(words[0])),
            next_hop_type: NextHopType::from(words[1]),
            next_hop_ips: words[2..].iter().map(|hop| ip(hop)).collect(),
            has_bgp_override: false,
        }
    });
    let table = UserRouteTable { routes: routes.collect(), header, ..UserRouteTable::default() };
    world.resources.route_tables.push(table);
}

pub fn network_mut<'w>(world: &'w mut World, name: &str) -> &'w mut VirtualNetwork {
    let mut networks = world.resources.virtual_networks.iter_mut();
    networks.find(|network| network.header.name == name).expect(name)
}

fn network_id(name: &str) -> String {
    format!("/virtualNetworks/{name}")
}

/// The identifier of `VNET/SUBNET`.
pub fn subnet_id(place: &str) -> ResourceId {
    let (network, subnet) = place.split_once('/').expect(place);
    ResourceId::new(format!("{}/subnets/{subnet}", network_id(network)))
}

pub fn header(id: &str) -> ResourceHeader {
    let name = id.rsplit('/').next().unwrap_or(id).to_owned();
    ResourceHeader { id: ResourceId::new(id), name, location: String::new() }
}

pub fn prefix(text: &str) -> AddressPrefix {
    text.parse().expect(text)
}

pub fn ip(text: &str) -> IpAddr {
    text.parse().expect(text)
}
