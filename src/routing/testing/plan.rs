//! Networks for tests: a resource a line.

use std::net::IpAddr;

use crate::azure::resources::*;
use crate::azure::{NextHopType, RouteDestination};
use crate::net::AddressPrefix;

/// Reads resources from lines of words. The first word is the kind, the second the name (or what it
/// is about), the others set what the kind has; `#` starts a comment.
///
/// ```text
/// vnet hub 10.0.0.0/16 @westeurope        region; several prefixes with commas
/// subnet hub/apps 10.0.1.0/24 rt=rt1 policy=Enabled se=Microsoft.Sql unresolved delegated
/// peer hub spoke transit remote forwarded no-access state=Initiated synced=10.0.0.0/16
/// rt rt1 no-propagation no-peering
/// route rt1 10.0.0.0/8 VirtualAppliance 10.0.0.4
/// nic vm1 hub/apps 10.0.1.4 forwarding mac=000D3A000001 vm=vm1 pool=lb1
/// ilb lb1 hub/apps 10.0.1.9
/// pe sql hub/apps 10.0.1.5,10.0.1.6 pending
/// vpn gw hub active-active ip=10.0.0.4,10.0.0.5 public=20.0.0.1 pool=172.16.0.0/24 policy-based
/// er gw2 hub
/// lng site 192.168.0.0/16 peer=10.9.9.9
/// connect gw site bgp down fastpath
/// join gw1 gw2                            VNet to VNet
/// learned gw 10.5.0.0/16 10.9.9.9
/// server rs hub/RouteServerSubnet
/// firewall fw hub/AzureFirewallSubnet 10.0.1.4
/// wan-hub wh 10.100.0.0/23 fw=10.100.0.132
/// attach wh spoke no-internet propagate=none
/// intent wh internet private
/// hub-route wh all_traffic 0.0.0.0/0,10.0.0.0/8
/// branch wh 192.168.50.0/24
/// app-gateway agw hub/apps v2
/// site shop hub/apps route-all
/// gateway-site shop hub
/// ```
pub(crate) fn plan(text: &str) -> Resources {
    let mut resources = Resources::default();
    for line in text.lines() {
        let line = line.split('#').next().unwrap_or_default();
        let words: Vec<&str> = line.split_whitespace().collect();
        if let [kind, rest @ ..] = words.as_slice() {
            add(&mut resources, kind, rest);
        }
    }
    resources
}

const GROUP: &str = "/subscriptions/s/resourceGroups/g/providers";

fn add(resources: &mut Resources, kind: &str, words: &[&str]) {
    let name = words[0];
    let second = words.get(1).copied().unwrap_or_default();
    let flag = |word: &str| words.contains(&word);
    let value = |key: &str| {
        words.iter().find_map(|word| word.strip_prefix(key)?.strip_prefix('=')).map(str::to_owned)
    };
    let values = |key: &str| -> Vec<String> {
        value(key).iter().flat_map(|all| all.split(',')).map(str::to_owned).collect()
    };
    match kind {
        "vnet" => resources.virtual_networks.push(VirtualNetwork {
            header: ResourceHeader {
                location: words
                    .iter()
                    .find_map(|word| word.strip_prefix('@'))
                    .unwrap_or("westeurope")
                    .to_owned(),
                ..header("virtualNetworks", name)
            },
            address_space: prefixes(second),
            ..VirtualNetwork::default()
        }),
        "subnet" => {
            let (network, subnet) = name.split_once('/').unwrap();
            let id = subnet_id(name);
            let entry = Subnet {
                header: ResourceHeader { id, name: subnet.to_owned(), ..Default::default() },
                address_prefixes: prefixes(second),
                route_table: value("rt").map(|table| header("routeTables", &table).id),
                service_endpoints: values("se")
                    .into_iter()
                    .map(|service| ServiceEndpoint { service, locations: vec!["*".to_owned()] })
                    .collect(),
                delegations: if flag("delegated") {
                    vec!["Microsoft.Web/serverFarms".to_owned()]
                } else {
                    Vec::new()
                },
                private_endpoint_network_policies: match value("policy").as_deref() {
                    None | Some("Disabled") => PrivateEndpointNetworkPolicies::Disabled,
                    Some("Enabled") => PrivateEndpointNetworkPolicies::Enabled,
                    Some("Nsg") => PrivateEndpointNetworkPolicies::NetworkSecurityGroupEnabled,
                    Some(_) => PrivateEndpointNetworkPolicies::RouteTableEnabled,
                },
                ip_configurations: if flag("unresolved") {
                    vec![ResourceId::new(format!("{GROUP}/x/scaleSets/y/ipConfigurations/z"))]
                } else {
                    Vec::new()
                },
            };
            network_mut(resources, network).subnets.push(entry);
        }
        "peer" => {
            let peering = Peering {
                name: format!("{name}-{second}"),
                state: match value("state").as_deref() {
                    Some("Initiated") => PeeringState::Initiated,
                    Some("Disconnected") => PeeringState::Disconnected,
                    _ => PeeringState::Connected,
                },
                is_fully_in_sync: value("synced").is_none(),
                remote_virtual_network: header("virtualNetworks", second).id,
                remote_address_space: value("synced").map(|all| prefixes(&all)).unwrap_or_default(),
                allow_virtual_network_access: !flag("no-access"),
                allow_forwarded_traffic: flag("forwarded"),
                allow_gateway_transit: flag("transit"),
                use_remote_gateways: flag("remote"),
                ..Peering::default()
            };
            network_mut(resources, name).peerings.push(peering);
        }
        "rt" => resources.route_tables.push(UserRouteTable {
            header: header("routeTables", name),
            disable_bgp_route_propagation: flag("no-propagation"),
            disable_peering_route: flag("no-peering"),
            ..UserRouteTable::default()
        }),
        "route" => {
            let table = resources.route_tables.iter_mut().find(|table| table.header.name == name);
            let routes = &mut table.expect("a route table comes before its routes").routes;
            routes.push(UserRoute {
                name: format!("r{}", routes.len()),
                destination: second.parse().map_or_else(
                    |_| RouteDestination::ServiceTag(second.to_owned()),
                    RouteDestination::Prefix,
                ),
                next_hop_type: NextHopType::from(words[2]),
                next_hop_ips: words[3..].iter().map(|ip| ip.parse().unwrap()).collect(),
                has_bgp_override: false,
            });
        }
        "nic" => resources.network_interfaces.push(NetworkInterface {
            header: header("networkInterfaces", name),
            mac: value("mac").map(|mac| mac.parse().unwrap()),
            enable_ip_forwarding: flag("forwarding"),
            virtual_machine: value("vm").map(|vm| header("virtualMachines", &vm).id),
            private_endpoint: None,
            ip_configurations: configurations(
                second,
                words[2],
                &values("pool").iter().map(|pool| pool_id(pool)).collect::<Vec<_>>(),
            ),
        }),
        "ilb" => resources.load_balancers.push(LoadBalancer {
            header: header("loadBalancers", name),
            frontends: configurations(second, words[2], &[]),
            backend_pools: vec![pool_id(name)],
        }),
        "pe" => resources.private_endpoints.push(PrivateEndpoint {
            host_names: Vec::new(),
            header: header("privateEndpoints", name),
            subnet: Some(subnet_id(second)),
            network_interfaces: Vec::new(),
            addresses: addresses(words[2]),
            is_approved: !flag("pending"),
        }),
        "vpn" | "er" => {
            let subnet = format!("{second}/GatewaySubnet");
            let mut all: Vec<IpConfiguration> = values("ip")
                .iter()
                .map(|ip| IpConfiguration {
                    private_ip_address: Some(ip.parse().unwrap()),
                    ..IpConfiguration::default()
                })
                .collect();
            if all.is_empty() {
                all.push(IpConfiguration::default());
            }
            for one in &mut all {
                one.subnet = Some(subnet_id(&subnet));
                one.public_ip_address =
                    value("public").map(|_| header("publicIPAddresses", name).id);
            }
            resources.public_ip_addresses.extend(value("public").map(|ip| PublicIpAddress {
                header: header("publicIPAddresses", name),
                ip_address: Some(ip.parse().unwrap()),
            }));
            resources.gateways.push(VirtualNetworkGateway {
                header: header("virtualNetworkGateways", name),
                is_express_route: kind == "er",
                is_policy_based: flag("policy-based"),
                sku: value("sku").unwrap_or_else(|| "VpnGw1".to_owned()),
                is_active_active: flag("active-active"),
                ip_configurations: all,
                client_address_pool: values("pool")
                    .iter()
                    .flat_map(|pool| prefixes(pool))
                    .collect(),
                ..VirtualNetworkGateway::default()
            });
        }
        "lng" => resources.local_network_gateways.push(LocalNetworkGateway {
            header: header("localNetworkGateways", name),
            address_prefixes: prefixes(second),
            bgp_peering_address: value("peer").map(|ip| ip.parse().unwrap()),
        }),
        "connect" => resources.connections.push(Connection {
            header: header("connections", &format!("{name}-{second}")),
            is_not_connected: flag("down"),
            gateway: header("virtualNetworkGateways", name).id,
            local_network_gateway: Some(header("localNetworkGateways", second).id),
            enable_bgp: flag("bgp"),
            is_fastpath: flag("fastpath"),
            ..Connection::default()
        }),
        "join" => resources.connections.push(Connection {
            header: header("connections", &format!("{name}-{second}")),
            connection_type: ConnectionType::Vnet2Vnet,
            gateway: header("virtualNetworkGateways", name).id,
            remote_gateway: Some(header("virtualNetworkGateways", second).id),
            ..Connection::default()
        }),
        "learned" => resources.learned_routes.push(LearnedRoute {
            gateway: name.to_owned(),
            prefix: second.parse().unwrap(),
            next_hop: Some(words[2].parse().unwrap()),
            origin: "EBgp".to_owned(),
        }),
        "server" => resources.virtual_hubs.push(VirtualHub {
            header: header("virtualHubs", name),
            route_server_subnet: Some(subnet_id(second)),
            ..VirtualHub::default()
        }),
        "firewall" => resources.firewalls.push(AzureFirewall {
            header: header("azureFirewalls", name),
            ip_configurations: configurations(second, words[2], &[]),
            ..AzureFirewall::default()
        }),
        "wan-hub" => {
            let firewall = format!("{name}-fw");
            resources.firewalls.extend(value("fw").map(|ip| AzureFirewall {
                header: header("azureFirewalls", &firewall),
                virtual_hub: Some(header("virtualHubs", name).id),
                hub_private_ip: Some(ip.parse().unwrap()),
                ..AzureFirewall::default()
            }));
            resources.virtual_hubs.push(VirtualHub {
                header: header("virtualHubs", name),
                address_prefix: Some(second.parse().unwrap()),
                virtual_wan: Some(header("virtualWans", "wan").id),
                azure_firewall: value("fw").map(|_| header("azureFirewalls", &firewall).id),
                ..VirtualHub::default()
            });
        }
        "attach" => resources.hub_connections.push(HubConnection {
            header: header("hubVirtualNetworkConnections", &format!("{name}-{second}")),
            hub: header("virtualHubs", name).id,
            virtual_network: header("virtualNetworks", second).id,
            enable_internet_security: !flag("no-internet"),
            propagated_route_tables: values("propagate")
                .iter()
                .map(|table| ResourceId::new(format!("{name}/hubRouteTables/{table}RouteTable")))
                .collect(),
            ..HubConnection::default()
        }),
        "intent" => {
            let firewall = header("azureFirewalls", &format!("{name}-fw")).id;
            resources.routing_intents.push(RoutingIntent {
                header: header("routingIntents", name),
                hub: header("virtualHubs", name).id,
                internet: flag("internet").then(|| firewall.clone()),
                private_traffic: flag("private").then_some(firewall),
            });
        }
        "hub-route" => {
            let route = HubRoute {
                name: second.to_owned(),
                destinations: prefixes(words[2]),
                next_hop: header("azureFirewalls", &format!("{name}-fw")).id,
            };
            let id = ResourceId::new(format!("{name}/hubRouteTables/defaultRouteTable"));
            let tables = &mut resources.hub_route_tables;
            match tables.iter_mut().find(|table| table.header.id == id) {
                Some(table) => table.routes.push(route),
                None => tables.push(HubRouteTable {
                    header: ResourceHeader {
                        id,
                        name: "defaultRouteTable".to_owned(),
                        ..Default::default()
                    },
                    hub: header("virtualHubs", name).id,
                    routes: vec![route],
                    labels: vec!["default".to_owned()],
                }),
            }
        }
        "branch" => resources.hub_branches.push(HubBranch {
            header: header("vpnSites", second),
            hub: Some(header("virtualHubs", name).id),
            virtual_wan: None,
            address_prefixes: prefixes(second),
        }),
        "app-gateway" => resources.application_gateways.push(ApplicationGateway {
            header: header("applicationGateways", name),
            is_v2: flag("v2"),
            subnets: vec![subnet_id(second)],
            ..ApplicationGateway::default()
        }),
        "site" => resources.sites.push(Site {
            header: header("sites", name),
            integration_subnet: Some(subnet_id(second)),
            route_all: Some(flag("route-all")),
            ..Site::default()
        }),
        "gateway-site" => resources.sites.push(Site {
            header: header("sites", name),
            gateway_required_virtual_network: Some(header("virtualNetworks", second).id),
            ..Site::default()
        }),
        other => panic!("no such kind: {other}"),
    }
}

fn header(kind: &str, name: &str) -> ResourceHeader {
    ResourceHeader {
        id: ResourceId::new(format!("{GROUP}/Microsoft.Network/{kind}/{name}")),
        name: name.to_owned(),
        location: "westeurope".to_owned(),
    }
}

fn subnet_id(name: &str) -> ResourceId {
    let (network, subnet) = name.split_once('/').unwrap();
    ResourceId::new(format!("{}/subnets/{subnet}", header("virtualNetworks", network).id))
}

fn pool_id(name: &str) -> ResourceId {
    ResourceId::new(format!("{}/backendAddressPools/pool", header("loadBalancers", name).id))
}

fn network_mut<'r>(resources: &'r mut Resources, name: &str) -> &'r mut VirtualNetwork {
    let mut networks = resources.virtual_networks.iter_mut();
    networks.find(|network| network.header.name == name).expect("a VNet comes before its parts")
}

fn prefixes(text: &str) -> Vec<AddressPrefix> {
    text.split(',').map(|prefix| prefix.parse().expect(text)).collect()
}

fn addresses(text: &str) -> Vec<IpAddr> {
    text.split(',').map(|ip| ip.parse().expect(text)).collect()
}

fn configurations(subnet: &str, ips: &str, pools: &[ResourceId]) -> Vec<IpConfiguration> {
    addresses(ips)
        .into_iter()
        .map(|ip| IpConfiguration {
            private_ip_address: Some(ip),
            subnet: Some(subnet_id(subnet)),
            load_balancer_pools: pools.to_vec(),
            ..IpConfiguration::default()
        })
        .collect()
}
