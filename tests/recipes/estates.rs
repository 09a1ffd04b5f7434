//! Estates as exported resources, each in variants that differ by one setting, with the tables and
//! labels that Azure's rules give them, worked out by hand.

use serde_json::{Value, json};

use super::azure::{
    Shape, file, firewall, id, merge, nic, peering, private_endpoint, resource, route_table, site,
    subnet, subnet_id, vnet, vpn_gateway,
};

/// An estate in one variant.
pub struct Estate {
    /// What it is.
    pub name: &'static str,
    /// Files of its snapshot.
    pub files: Vec<(String, Vec<u8>)>,
    /// Tables that are compared row for row: name, and rows as `SOURCE STATE PREFIX TYPE [HOP…]`.
    pub tables: Vec<(&'static str, String)>,
    /// Look-ups: from, to, class, matched prefix.
    pub lookups: Vec<(&'static str, &'static str, &'static str, &'static str)>,
    /// Codes that the lint must name, and codes that it must not.
    pub lints: Vec<&'static str>,
    pub no_lints: Vec<&'static str>,
}

/// The rows that the system gives every subnet while its default goes to the Internet.
const DROPPED_BLOCKS: &str = "\
Default Active 10.0.0.0/8 None
Default Active 172.16.0.0/12 None
Default Active 192.168.0.0/16 None
Default Active 100.64.0.0/10 None
";

/// A user-defined route: name, prefix, type, hop.
pub type Route = (&'static str, &'static str, &'static str, &'static str);

/// How the private-link estate is set.
pub struct PrivateLink {
    pub policy: &'static str,
    pub vm_routes: &'static [Route],
    pub gateway_routes: &'static [Route],
    pub gateway_addresses: &'static [&'static str],
}

pub const ENDPOINT_UDRS: [Route; 3] = [
    ("endpoint1", "10.13.77.4/32", "VirtualAppliance", "10.13.76.68"),
    ("endpoint2", "10.13.77.5/32", "VirtualAppliance", "10.13.76.68"),
    ("endpoint3", "10.13.77.6/32", "VirtualAppliance", "10.13.76.68"),
];
pub const SPOKE_UDR: [Route; 1] =
    [("endpoint-vnet", "10.13.77.0/24", "VirtualAppliance", "10.13.76.68")];
pub const BROAD_UDR: [Route; 1] =
    [("endpoint-vnet", "10.0.0.0/8", "VirtualAppliance", "10.13.76.68")];

impl PrivateLink {
    pub fn files(&self, shape: Shape) -> Vec<(String, Vec<u8>)> {
        let hub_space = ["10.13.76.0/24"];
        let spoke_space = ["10.13.77.0/24"];
        let none = || json!({});
        let hub = vnet(
            "hub",
            "westeurope",
            &hub_space,
            vec![
                subnet("GatewaySubnet", "10.13.76.0/27", Some("rt-gateway"), none()),
                subnet("AzureFirewallSubnet", "10.13.76.64/26", None, none()),
                subnet("vms", "10.13.76.128/26", Some("rt-vms"), none()),
            ],
            vec![peering("spoke1", &spoke_space, json!({ "allowGatewayTransit": true }))],
        );
        let policy = json!({ "privateEndpointNetworkPolicies": self.policy });
        let spoke = vnet(
            "spoke1",
            "australiaeast",
            &spoke_space,
            vec![
                subnet("ep", "10.13.77.0/26", None, policy),
                subnet("vms", "10.13.77.64/26", None, none()),
            ],
            vec![peering("hub", &hub_space, json!({ "useRemoteGateways": true }))],
        );
        let endpoints = ["10.13.77.4", "10.13.77.5", "10.13.77.6"].iter().enumerate().flat_map(
            |(index, address)| {
                private_endpoint(&format!("pe{index}"), &subnet_id("spoke1", "ep"), address)
            },
        );
        let mut edge = vec![
            vpn_gateway("vpngw", "hub", self.gateway_addresses),
            firewall("azfw", "hub", "10.13.76.68"),
            nic(
                "hubvmVMNic",
                &subnet_id("hub", "vms"),
                "10.13.76.132",
                "00-0D-3A-5B-11-01",
                none(),
            ),
        ];
        edge.extend(site("onprem", "vpngw", &["192.168.0.0/24"]));
        vec![
            ("vnets.json".to_owned(), file(shape, vec![hub, spoke])),
            (
                "routetables.json".to_owned(),
                file(
                    shape,
                    vec![
                        route_table("rt-vms", true, self.vm_routes),
                        route_table("rt-gateway", true, self.gateway_routes),
                    ],
                ),
            ),
            ("endpoints.json".to_owned(), file(shape, endpoints.collect())),
            ("edge.json".to_owned(), file(shape, edge)),
        ]
    }
}

const HUB_BASE: &str = "\
Default Active 10.13.76.0/24 VnetLocal
VirtualNetworkGateway Active 192.168.0.0/24 VirtualNetworkGateway 10.13.76.4
VirtualNetworkGateway Active 192.168.0.0/24 VirtualNetworkGateway 10.13.76.5
Default Active 0.0.0.0/0 Internet
";
const ENDPOINTS_ACTIVE: &str = "\
Default Active 10.13.77.4/32 InterfaceEndpoint
Default Active 10.13.77.5/32 InterfaceEndpoint
Default Active 10.13.77.6/32 InterfaceEndpoint
";
const ENDPOINTS_INVALID: &str = "\
Default Invalid 10.13.77.4/32 InterfaceEndpoint
Default Invalid 10.13.77.5/32 InterfaceEndpoint
Default Invalid 10.13.77.6/32 InterfaceEndpoint
";
const PEERING_ACTIVE: &str = "Default Active 10.13.77.0/24 VNetGlobalPeering\n";

pub fn private_link() -> Vec<Estate> {
    let base = PrivateLink {
        policy: "Disabled",
        vm_routes: &[],
        gateway_routes: &[],
        gateway_addresses: &["10.13.76.4", "10.13.76.5"],
    };
    let default_table = format!("{HUB_BASE}{DROPPED_BLOCKS}{PEERING_ACTIVE}{ENDPOINTS_ACTIVE}");
    vec![
        Estate {
            name: "private link: nothing overrides the endpoints",
            files: base.files(Shape::Flat),
            tables: vec![
                ("hub/vms", default_table.clone()),
                ("hub/GatewaySubnet", default_table.clone()),
            ],
            lookups: vec![
                ("hub/vms", "10.13.77.6", "private_endpoint", "10.13.77.6/32"),
                ("hub/vms", "10.13.77.7", "peering", "10.13.77.0/24"),
                ("hub/vms", "192.168.0.4", "gateway", "192.168.0.0/24"),
                ("hub/vms", "8.8.8.8", "internet", "0.0.0.0/0"),
                ("hub/vms", "10.9.9.9", "dropped", "10.0.0.0/8"),
                ("10.13.76.132", "10.13.77.6", "private_endpoint", "10.13.77.6/32"),
                ("192.168.0.4", "10.13.77.6", "private_endpoint", "10.13.77.6/32"),
            ],
            lints: vec![],
            no_lints: vec!["phantom_gateway", "gateway_ignores_udr_over_private_endpoint"],
        },
        Estate {
            name: "private link: host routes to the firewall, on a VM's subnet and on the gateway's",
            files: PrivateLink {
                vm_routes: &ENDPOINT_UDRS,
                gateway_routes: &ENDPOINT_UDRS,
                ..base
            }
            .files(Shape::Nested),
            tables: vec![(
                "hub/vms",
                format!(
                    "{HUB_BASE}{DROPPED_BLOCKS}{PEERING_ACTIVE}{ENDPOINTS_INVALID}\
                     User Active 10.13.77.4/32 VirtualAppliance 10.13.76.68\n\
                     User Active 10.13.77.5/32 VirtualAppliance 10.13.76.68\n\
                     User Active 10.13.77.6/32 VirtualAppliance 10.13.76.68\n"
                ),
            )],
            lookups: vec![
                ("hub/vms", "10.13.77.6", "firewall", "10.13.77.6/32"),
                // An active/active VPN gateway does not honour them.
                ("hub/GatewaySubnet", "10.13.77.6", "private_endpoint", "10.13.77.6/32"),
                ("192.168.0.4", "10.13.77.4", "private_endpoint", "10.13.77.4/32"),
            ],
            lints: vec!["gateway_ignores_udr_over_private_endpoint"],
            no_lints: vec!["gateway_private_endpoint_udr_unverified"],
        },
        Estate {
            name: "private link: host routes on the subnet of an active/passive gateway",
            files: PrivateLink {
                gateway_routes: &ENDPOINT_UDRS,
                gateway_addresses: &["10.13.76.4"],
                ..base
            }
            .files(Shape::Graph),
            tables: vec![],
            lookups: vec![("hub/GatewaySubnet", "10.13.77.6", "firewall", "10.13.77.6/32")],
            lints: vec!["gateway_private_endpoint_udr_unverified"],
            no_lints: vec!["gateway_ignores_udr_over_private_endpoint"],
        },
        Estate {
            name: "private link: network policies and a route as long as the VNet",
            files: PrivateLink {
                policy: "RouteTableEnabled",
                vm_routes: &SPOKE_UDR,
                gateway_routes: &SPOKE_UDR,
                ..base
            }
            .files(Shape::Flat),
            tables: vec![("hub/vms", with_spoke_udr()), ("hub/GatewaySubnet", with_spoke_udr())],
            lookups: vec![
                ("hub/vms", "10.13.77.4", "firewall", "10.13.77.0/24"),
                ("hub/vms", "10.13.77.200", "firewall", "10.13.77.0/24"),
                ("192.168.0.4", "10.13.77.6", "firewall", "10.13.77.0/24"),
                // The spoke's own VMs have no such route.
                ("spoke1/vms", "10.13.77.6", "private_endpoint", "10.13.77.6/32"),
            ],
            lints: vec![],
            no_lints: vec!["gateway_ignores_udr_over_private_endpoint"],
        },
        Estate {
            name: "private link: network policies and a route that is too broad",
            files: PrivateLink {
                policy: "RouteTableEnabled",
                vm_routes: &BROAD_UDR,
                gateway_routes: &BROAD_UDR,
                ..base
            }
            .files(Shape::Nested),
            tables: vec![(
                "hub/vms",
                format!(
                    "{HUB_BASE}\
                     Default Active 172.16.0.0/12 None\n\
                     Default Active 192.168.0.0/16 None\n\
                     Default Active 100.64.0.0/10 None\n\
                     {PEERING_ACTIVE}{ENDPOINTS_ACTIVE}\
                     User Active 10.0.0.0/8 VirtualAppliance 10.13.76.68\n"
                ),
            )],
            lookups: vec![
                ("hub/vms", "10.13.77.6", "private_endpoint", "10.13.77.6/32"),
                ("hub/vms", "10.13.77.7", "peering", "10.13.77.0/24"),
                ("hub/vms", "10.50.0.1", "firewall", "10.0.0.0/8"),
            ],
            lints: vec!["private_endpoint_bypass", "longer_prefix_beats_udr"],
            no_lints: vec![],
        },
        Estate {
            name: "private link: a route as long as the VNet without network policies",
            files: PrivateLink { vm_routes: &SPOKE_UDR, ..base }.files(Shape::Graph),
            tables: vec![(
                "hub/vms",
                format!(
                    "{HUB_BASE}{DROPPED_BLOCKS}{ENDPOINTS_ACTIVE}\
                     Default Invalid 10.13.77.0/24 VNetGlobalPeering\n\
                     User Active 10.13.77.0/24 VirtualAppliance 10.13.76.68\n"
                ),
            )],
            lookups: vec![
                ("hub/vms", "10.13.77.6", "private_endpoint", "10.13.77.6/32"),
                ("hub/vms", "10.13.77.7", "firewall", "10.13.77.0/24"),
            ],
            lints: vec!["private_endpoint_bypass"],
            no_lints: vec![],
        },
    ]
}

fn with_spoke_udr() -> String {
    format!(
        "{HUB_BASE}{DROPPED_BLOCKS}{ENDPOINTS_INVALID}\
         Default Invalid 10.13.77.0/24 VNetGlobalPeering\n\
         User Active 10.13.77.0/24 VirtualAppliance 10.13.76.68\n"
    )
}

/// How the estate with a gateway as router between spokes is set.
#[derive(Clone, Copy)]
pub struct GatewayTransit {
    pub spoke1_routes: &'static [Route],
    pub spoke2_routes: &'static [Route],
    pub propagates: bool,
    pub uses_remote_gateways: bool,
    pub forwards: bool,
    pub is_express_route: bool,
    pub has_v6: bool,
}

impl GatewayTransit {
    /// Each spoke has a route to the other by the hub's VPN gateway.
    pub const SOUND: Self = Self {
        spoke1_routes: &TO_SPOKE2,
        spoke2_routes: &TO_SPOKE1,
        propagates: true,
        uses_remote_gateways: true,
        forwards: true,
        is_express_route: false,
        has_v6: false,
    };
}

const TO_SPOKE2: [Route; 1] = [("to-spoke2", "10.2.0.0/16", "VirtualNetworkGateway", "")];
const TO_SPOKE1: [Route; 1] = [("to-spoke1", "10.1.0.0/16", "VirtualNetworkGateway", "")];
const TO_SPOKE2_V6: [Route; 1] = [("to-spoke2-v6", "fd00:db8:2::/48", "VirtualNetworkGateway", "")];

impl GatewayTransit {
    pub fn files(&self, shape: Shape) -> Vec<(String, Vec<u8>)> {
        let to_spoke = json!({ "allowGatewayTransit": self.uses_remote_gateways });
        let to_hub = json!({
            "useRemoteGateways": self.uses_remote_gateways,
            "allowForwardedTraffic": self.forwards,
        });
        let hub = vnet(
            "hub",
            "westeurope",
            &["10.0.0.0/16"],
            vec![subnet("GatewaySubnet", "10.0.0.0/27", None, json!({}))],
            vec![
                peering("spoke1", &["10.1.0.0/16"], to_spoke.clone()),
                peering("spoke2", &["10.2.0.0/16"], to_spoke),
            ],
        );
        let spoke = |name: &str, space: &str, web: &str, v6: &str| {
            let mut spaces = vec![space];
            if self.has_v6 {
                spaces.push(v6);
            }
            vnet(
                name,
                "westeurope",
                &spaces,
                vec![subnet("web", web, Some(&format!("rt-{name}")), json!({}))],
                vec![peering("hub", &["10.0.0.0/16"], to_hub.clone())],
            )
        };
        let mut gateway = vpn_gateway("vpngw", "hub", &["10.0.0.4"]);
        if self.is_express_route {
            merge(
                &mut gateway["properties"],
                &json!({ "gatewayType": "ExpressRoute", "vpnType": "RouteBased" }),
            );
        }
        let mut edge = vec![gateway];
        edge.push(resource(
            "publicIPAddresses",
            "vpngw-pip0",
            "westeurope",
            json!({ "ipAddress": "20.30.40.50", "publicIPAllocationMethod": "Static" }),
        ));
        if !self.is_express_route {
            edge.extend(site("onprem", "vpngw", &["192.168.0.0/16"]));
        }
        vec![
            (
                "network.json".to_owned(),
                file(
                    shape,
                    vec![
                        hub,
                        spoke("spoke1", "10.1.0.0/16", "10.1.0.0/24", "fd00:db8:1::/48"),
                        spoke("spoke2", "10.2.0.0/16", "10.2.0.0/24", "fd00:db8:2::/48"),
                    ],
                ),
            ),
            (
                "routetables.json".to_owned(),
                file(
                    shape,
                    vec![
                        route_table("rt-spoke1", self.propagates, self.spoke1_routes),
                        route_table("rt-spoke2", self.propagates, self.spoke2_routes),
                    ],
                ),
            ),
            ("edge.json".to_owned(), file(shape, edge)),
        ]
    }
}

pub fn gateway_transit() -> Vec<Estate> {
    let base = GatewayTransit::SOUND;
    let spoke1 = "Default Active 10.1.0.0/16 VnetLocal\n\
                  Default Active 10.0.0.0/16 VNetPeering\n\
                  Default Active 0.0.0.0/0 Internet\n";
    vec![
        Estate {
            name: "gateway transit: no route between the spokes",
            files: GatewayTransit { spoke1_routes: &[], spoke2_routes: &[], ..base }
                .files(Shape::Flat),
            tables: vec![(
                "spoke1/web",
                format!(
                    "{spoke1}{DROPPED_BLOCKS}VirtualNetworkGateway Active 192.168.0.0/16 \
                     VirtualNetworkGateway 20.30.40.50\n"
                )
                // The gateway's row takes the place of the system's at the same prefix.
                .replace("Default Active 192.168.0.0/16 None\n", ""),
            )],
            lookups: vec![
                ("spoke1/web", "10.2.0.4", "dropped", "10.0.0.0/8"),
                ("spoke1/web", "192.168.0.10", "gateway", "192.168.0.0/16"),
            ],
            lints: vec![],
            no_lints: vec!["phantom_gateway", "one_way_pair"],
        },
        Estate {
            name: "gateway transit: a route on both spokes",
            files: base.files(Shape::Nested),
            tables: vec![],
            lookups: vec![
                ("spoke1/web", "10.2.0.4", "gateway", "10.2.0.0/16"),
                ("spoke2/web", "10.1.0.4", "gateway", "10.1.0.0/16"),
            ],
            lints: vec![],
            no_lints: vec!["phantom_gateway", "forwarded_traffic_not_allowed", "one_way_pair"],
        },
        Estate {
            name: "gateway transit: a route on one spoke only",
            files: GatewayTransit { spoke2_routes: &[], ..base }.files(Shape::Graph),
            tables: vec![],
            lookups: vec![
                ("spoke1/web", "10.2.0.4", "gateway", "10.2.0.0/16"),
                ("spoke2/web", "10.1.0.4", "dropped", "10.0.0.0/8"),
            ],
            lints: vec!["one_way_pair"],
            no_lints: vec![],
        },
        Estate {
            name: "gateway transit: forwarded traffic not allowed",
            files: GatewayTransit { forwards: false, ..base }.files(Shape::Flat),
            tables: vec![],
            lookups: vec![("spoke1/web", "10.2.0.4", "gateway", "10.2.0.0/16")],
            lints: vec!["forwarded_traffic_not_allowed"],
            no_lints: vec!["phantom_gateway"],
        },
        Estate {
            name: "gateway transit: the spokes do not use the hub's gateway",
            files: GatewayTransit { uses_remote_gateways: false, ..base }.files(Shape::Flat),
            tables: vec![],
            lookups: vec![("spoke1/web", "10.2.0.4", "dropped", "10.2.0.0/16")],
            lints: vec!["phantom_gateway"],
            no_lints: vec![],
        },
        Estate {
            name: "gateway transit: gateway routes not propagated",
            files: GatewayTransit { propagates: false, ..base }.files(Shape::Nested),
            tables: vec![],
            lookups: vec![
                ("spoke1/web", "192.168.0.10", "dropped", "192.168.0.0/16"),
                ("spoke1/web", "10.2.0.4", "gateway", "10.2.0.0/16"),
            ],
            lints: vec![],
            no_lints: vec!["phantom_gateway"],
        },
        Estate {
            name: "gateway transit: an IPv6 route to the gateway",
            files: GatewayTransit { spoke1_routes: &TO_SPOKE2_V6, has_v6: true, ..base }
                .files(Shape::Flat),
            tables: vec![],
            lookups: vec![("spoke1/web", "fd00:db8:2::4", "internet", "::/0")],
            lints: vec!["ipv6_gateway_next_hop"],
            no_lints: vec![],
        },
        Estate {
            name: "gateway transit: the hub has an ExpressRoute gateway only",
            files: GatewayTransit { is_express_route: true, ..base }.files(Shape::Flat),
            tables: vec![],
            lookups: vec![("spoke1/web", "10.2.0.4", "dropped", "10.2.0.0/16")],
            lints: vec!["unsupported_combination"],
            no_lints: vec![],
        },
    ]
}

/// Shared by what a hub's connection and its route tables name.
pub fn hub_child(hub: &str, kind: &str, name: &str, properties: Value) -> Value {
    json!({
        "id": format!("{}/{kind}/{name}", id("virtualHubs", hub)),
        "name": name,
        "type": format!("Microsoft.Network/virtualHubs/{kind}"),
        "properties": properties,
    })
}
