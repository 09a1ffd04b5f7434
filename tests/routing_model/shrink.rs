//! Makes a topology that shows a difference small, by leaving out one thing at a time, and writes
//! it in few lines.

use std::fmt::Write;

use nexthop::azure::resources::{
    Connection, HubConnection, IpConfiguration, LocalNetworkGateway, Peering, PrivateEndpoint,
    Resources, Subnet, UserRouteTable, VirtualNetwork, VirtualNetworkGateway,
};

use super::World;

/// Leaves out whatever can go while `differs` stays true. Address spaces stay whole: peerings repeat
/// them, and endpoints and subnets lie in them.
pub fn shrink(world: &World, differs: impl Fn(&World) -> bool) -> World {
    let mut smallest = world.clone();
    loop {
        let before = size(&smallest);
        for list in 0..LIST_COUNT {
            let mut index = 0;
            loop {
                let mut smaller = smallest.clone();
                if !leave_out(&mut smaller.resources, list, index) {
                    break;
                }
                if differs(&smaller) {
                    smallest = smaller;
                } else {
                    index += 1;
                }
            }
        }
        if size(&smallest) == before {
            return smallest;
        }
    }
}

/// The lists that [`leave_out`] knows.
const LIST_COUNT: usize = 20;

/// Removes element `index` of list number `list`, counting through the elements of all resources
/// that have such a list; returns false where there is none.
fn leave_out(resources: &mut Resources, list: usize, index: usize) -> bool {
    let mut index = index;
    let r = resources;
    match list {
        0 => take(&mut r.virtual_networks, &mut index),
        1 => take(&mut r.route_tables, &mut index),
        2 => take(&mut r.gateways, &mut index),
        3 => take(&mut r.connections, &mut index),
        4 => take(&mut r.local_network_gateways, &mut index),
        5 => take(&mut r.private_endpoints, &mut index),
        6 => take(&mut r.learned_routes, &mut index),
        7 => take(&mut r.virtual_hubs, &mut index),
        8 => take(&mut r.network_interfaces, &mut index),
        9 => take(&mut r.public_ip_addresses, &mut index),
        10 => r.virtual_networks.iter_mut().any(|v| take(&mut v.subnets, &mut index)),
        11 => r.virtual_networks.iter_mut().any(|v| take(&mut v.peerings, &mut index)),
        12 => r.route_tables.iter_mut().any(|t| take(&mut t.routes, &mut index)),
        13 => r
            .virtual_networks
            .iter_mut()
            .flat_map(|v| &mut v.subnets)
            .any(|s| take(&mut s.service_endpoints, &mut index)),
        14 => {
            r.local_network_gateways.iter_mut().any(|g| take(&mut g.address_prefixes, &mut index))
        }
        15 => r.gateways.iter_mut().any(|g| {
            take(&mut g.client_address_pool, &mut index) || take(&mut g.custom_routes, &mut index)
        }),
        16 => take(&mut r.hub_connections, &mut index),
        17 => take(&mut r.routing_intents, &mut index),
        18 => r.hub_route_tables.iter_mut().any(|t| take(&mut t.routes, &mut index)),
        19 => take(&mut r.firewalls, &mut index),
        _ => false,
    }
}

fn take<T>(list: &mut Vec<T>, index: &mut usize) -> bool {
    let is_here = *index < list.len();
    if is_here {
        list.remove(*index);
    } else {
        *index -= list.len();
    }
    is_here
}

fn size(world: &World) -> usize {
    describe(world).len()
}

/// Writes what decides routes, a line a resource, with the last part of each identifier.
pub fn describe(world: &World) -> String {
    let resources = &world.resources;
    let mut text = String::new();
    for network in &resources.virtual_networks {
        describe_network(&mut text, network);
    }
    let lines = resources.route_tables.iter().map(route_table);
    let lines = lines
        .chain(resources.private_endpoints.iter().map(private_endpoint))
        .chain(resources.gateways.iter().map(gateway))
        .chain(resources.connections.iter().map(connection))
        .chain(resources.local_network_gateways.iter().map(local_network_gateway))
        .chain(resources.network_interfaces.iter().map(|nic| {
            format!("nic {} {}", nic.header.name, configurations(&nic.ip_configurations))
        }))
        .chain(resources.virtual_hubs.iter().map(|hub| {
            let subnet = hub.route_server_subnet.as_ref().map(|id| id.as_str());
            let name = &hub.header.name;
            format!("hub {name} {:?} route server in {subnet:?}", hub.address_prefix)
        }))
        .chain(resources.hub_connections.iter().map(hub_connection))
        .chain(resources.hub_route_tables.iter().map(|table| {
            let name = &table.header.name;
            format!("hub route table {name} labels {:?} {:?}", table.labels, table.routes)
        }))
        .chain(resources.routing_intents.iter().map(|intent| format!("{intent:?}")))
        .chain(resources.firewalls.iter().map(|firewall| {
            format!("firewall {} {:?}", firewall.header.name, firewall.hub_private_ip)
        }))
        .chain(resources.learned_routes.iter().map(|route| format!("{route:?}")))
        .chain(resources.public_ip_addresses.iter().map(|public| {
            format!("public address {} {:?}", public.header.name, public.ip_address)
        }));
    for line in lines {
        text.push_str(&line);
        text.push('\n');
    }
    let settings = &world.settings;
    let _ = writeln!(
        text,
        "settings {:?} {:?}",
        settings.service_endpoint_priority, settings.system_none_profile
    );
    text
}

fn describe_network(text: &mut String, network: &VirtualNetwork) {
    let VirtualNetwork { header, address_space, subnets, peerings } = network;
    let _ = writeln!(text, "vnet {} {:?} {address_space:?}", header.name, header.location);
    for subnet in subnets {
        let Subnet { header, route_table, service_endpoints, .. } = subnet;
        let table = route_table.as_ref().map_or("-", |id| last(id.as_str()));
        let policies = subnet.private_endpoint_network_policies;
        let _ = writeln!(text, "  subnet {} table {table} {policies:?}", header.name);
        for endpoint in service_endpoints {
            let _ = writeln!(text, "    {} {:?}", endpoint.service, endpoint.locations);
        }
    }
    for peering in peerings {
        let Peering { state, remote_virtual_network, remote_address_space, .. } = peering;
        let flags = [
            (peering.is_fully_in_sync, "in sync"),
            (peering.allow_gateway_transit, "allows transit"),
            (peering.use_remote_gateways, "uses remote gateways"),
            (peering.is_subnet_peering, "of subnets"),
        ];
        let flags: Vec<&str> = flags.iter().filter(|(is, _)| *is).map(|(_, word)| *word).collect();
        let _ = writeln!(
            text,
            "  peering to {} {state:?} {flags:?} synchronised {remote_address_space:?} now {:?}",
            last(remote_virtual_network.as_str()),
            peering.remote_virtual_network_address_space
        );
    }
}

fn route_table(table: &UserRouteTable) -> String {
    let subnets: Vec<&str> = table.subnets.iter().map(|id| last(id.as_str())).collect();
    let mut text = format!("route table {} subnets {subnets:?}", table.header.name);
    if table.disable_bgp_route_propagation {
        text.push_str(" no propagation");
    }
    if table.disable_peering_route {
        text.push_str(" no peering routes");
    }
    for route in &table.routes {
        let hops = &route.next_hop_ips;
        let _ = write!(text, "\n  {} {} {hops:?}", route.destination, route.next_hop_type);
    }
    text
}

fn private_endpoint(endpoint: &PrivateEndpoint) -> String {
    let PrivateEndpoint { header, subnet, network_interfaces, addresses, is_approved, .. } =
        endpoint;
    let nics: Vec<&str> = network_interfaces.iter().map(|id| last(id.as_str())).collect();
    let subnet = subnet.as_ref().map(|id| id.as_str().rsplitn(4, '/').take(3).collect::<Vec<_>>());
    format!(
        "private endpoint {} in {subnet:?} nics {nics:?} {addresses:?} approved {is_approved}",
        header.name
    )
}

fn gateway(gateway: &VirtualNetworkGateway) -> String {
    let VirtualNetworkGateway { header, is_express_route, is_active_active, .. } = gateway;
    format!(
        "gateway {} er {is_express_route} active/active {is_active_active} {} bgp {:?} pool {:?} \
         custom {:?} default site {}",
        header.name,
        configurations(&gateway.ip_configurations),
        gateway.bgp_addresses,
        gateway.client_address_pool,
        gateway.custom_routes,
        gateway.default_site.is_some()
    )
}

fn connection(connection: &Connection) -> String {
    let Connection { connection_type, gateway, remote_gateway, local_network_gateway, .. } =
        connection;
    let to = remote_gateway.as_ref().or(local_network_gateway.as_ref());
    format!(
        "connection {connection_type:?} {} to {:?} bgp {}",
        last(gateway.as_str()),
        to.map(|id| last(id.as_str())),
        connection.enable_bgp
    )
}

fn hub_connection(connection: &HubConnection) -> String {
    let table = connection.associated_route_table.as_ref().map(|id| last(id.as_str()));
    let network = last(connection.virtual_network.as_str());
    let default = if connection.enable_internet_security { "with" } else { "without" };
    format!("hub connection of {network} associated {table:?} {default} default")
}

fn local_network_gateway(site: &LocalNetworkGateway) -> String {
    let LocalNetworkGateway { header, address_prefixes, bgp_peering_address } = site;
    format!(
        "local network gateway {} {address_prefixes:?} bgp {bgp_peering_address:?}",
        header.name
    )
}

fn configurations(configurations: &[IpConfiguration]) -> String {
    let mut text = String::new();
    for configuration in configurations {
        let IpConfiguration { private_ip_address, subnet, public_ip_address, .. } = configuration;
        let _ = write!(
            text,
            "({} {private_ip_address:?} {})",
            subnet.as_ref().map_or("-", |id| id.as_str()),
            public_ip_address.as_ref().map_or("-", |id| last(id.as_str()))
        );
    }
    text
}

fn last(id: &str) -> &str {
    id.rsplit('/').next().unwrap_or(id)
}
