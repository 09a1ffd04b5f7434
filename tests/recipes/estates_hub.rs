//! Estates of a virtual WAN with a secured hub, and of App Service.

use serde_json::{Value, json};

use super::azure::{
    SUBSCRIPTION, Shape, file, firewall, id, peering, private_endpoint, resource, route_table,
    site, subnet, subnet_id, vnet, vpn_gateway,
};
use super::estates::{Estate, Route, hub_child};

/// How the estate with a secured hub is set: an application gateway and its backends, in one VNet
/// or in two.
#[derive(Clone, Copy)]
pub struct SecuredHub {
    pub gateway_routes: &'static [Route],
    pub backend_routes: &'static [Route],
    pub is_in_two_vnets: bool,
    pub has_direct_peering: bool,
}

impl SecuredHub {
    /// Both in one VNet, inspected both ways by routes of their subnets.
    pub const ONE_VNET: Self = Self {
        gateway_routes: &GATEWAY_ROUTES,
        backend_routes: &BACKEND_ROUTES,
        is_in_two_vnets: false,
        has_direct_peering: false,
    };
    /// Each in a VNet of its own, inspected both ways by the hub's routes.
    pub const TWO_VNETS: Self = Self {
        gateway_routes: &INTERNET_ONLY,
        backend_routes: &[],
        is_in_two_vnets: true,
        has_direct_peering: false,
    };
}

/// What the firewall is there for where both are in one VNet.
pub const ONE_VNET_POLICY: &str = r#"# The gateway and its backends meet at the hub's firewall; clients get their answers directly.

[[require]]
name = "gateway and backends"
from = ["subnet:vnet-b/snet-appgw"]
to = ["10.2.0.0/16"]
via = "firewall"
both_ways = true

[[require]]
name = "appgw-direct-internet"
from = ["subnet:vnet-b/snet-appgw"]
to = ["internet"]
via = "internet"

[[require]]
name = "backends-inspected-internet"
from = ["subnet:vnet-b/snet-be"]
to = ["internet"]
via = "firewall"

[[exempt]]
from = ["subnet:vnet-b/snet-appgw"]
to = ["subnet:vnet-b/snet-appgw"]
reason = "instances of one gateway talk to each other"
"#;

const GATEWAY_ROUTES: [Route; 2] = [
    ("internet", "0.0.0.0/0", "Internet", ""),
    ("backends", "10.2.0.0/24", "VirtualAppliance", "10.100.0.132"),
];
const INTERNET_ONLY: [Route; 1] = [("internet", "0.0.0.0/0", "Internet", "")];
const BACKEND_ROUTES: [Route; 1] = [("gateway", "10.2.1.0/24", "VirtualAppliance", "10.100.0.132")];

impl SecuredHub {
    pub fn files(self, shape: Shape) -> Vec<(String, Vec<u8>)> {
        let table = |routes: &[Route], name: &'static str| (!routes.is_empty()).then_some(name);
        let gateway_table = table(self.gateway_routes, "rt-appgw");
        let backend_table = table(self.backend_routes, "rt-be");
        let gateway_prefix = if self.is_in_two_vnets { "10.3.1.0/24" } else { "10.2.1.0/24" };
        let gateway_subnet = subnet("snet-appgw", gateway_prefix, gateway_table, json!({}));
        let mut backends = vec![
            subnet("snet-be", "10.2.0.0/24", backend_table, json!({})),
            subnet("snet-misc", "10.2.2.0/24", None, json!({})),
        ];
        let mut vnets = Vec::new();
        let mut backend_peerings = Vec::new();
        if self.is_in_two_vnets {
            let mut peerings = Vec::new();
            if self.has_direct_peering {
                peerings.push(peering("vnet-b", &["10.2.0.0/16"], json!({})));
                backend_peerings.push(peering("vnet-a", &["10.3.0.0/16"], json!({})));
            }
            vnets.push(vnet(
                "vnet-a",
                "westeurope",
                &["10.3.0.0/16"],
                vec![gateway_subnet],
                peerings,
            ));
        } else {
            backends.push(gateway_subnet);
        }
        vnets.push(vnet("vnet-b", "westeurope", &["10.2.0.0/16"], backends, backend_peerings));
        let mut files = vec![
            ("vnets.json".to_owned(), file(shape, vnets)),
            ("hub.json".to_owned(), file(shape, self.hub())),
        ];
        let mut tables = Vec::new();
        for (name, routes) in [("rt-appgw", self.gateway_routes), ("rt-be", self.backend_routes)] {
            if !routes.is_empty() {
                tables.push(route_table(name, true, routes));
            }
        }
        files.push(("routetables.json".to_owned(), file(shape, tables)));
        files
    }

    fn hub(self) -> Vec<Value> {
        let firewall_id = id("azureFirewalls", "azfw-hub");
        let mut resources = vec![
            resource(
                "virtualHubs",
                "hub1",
                "westeurope",
                json!({
                    "addressPrefix": "10.100.0.0/23",
                    "virtualWan": { "id": id("virtualWans", "wan") },
                    "azureFirewall": { "id": firewall_id },
                    "vpnGateway": { "id": id("vpnGateways", "hub1-s2s") },
                    "virtualRouterIps": ["10.100.0.68", "10.100.0.69"],
                    "sku": "Standard",
                }),
            ),
            resource(
                "azureFirewalls",
                "azfw-hub",
                "westeurope",
                json!({
                    "sku": { "name": "AZFW_Hub", "tier": "Standard" },
                    "virtualHub": { "id": id("virtualHubs", "hub1") },
                    "hubIPAddresses": { "privateIPAddress": "10.100.0.132" },
                }),
            ),
            hub_child(
                "hub1",
                "routingIntent",
                "intent",
                json!({
                    "routingPolicies": [
                        { "name": "PublicTraffic", "destinations": ["Internet"], "nextHop": firewall_id },
                        { "name": "PrivateTraffic", "destinations": ["PrivateTraffic"], "nextHop": firewall_id },
                    ],
                }),
            ),
            resource(
                "vpnSites",
                "branch",
                "westeurope",
                json!({
                    "virtualWan": { "id": id("virtualWans", "wan") },
                    "addressSpace": { "addressPrefixes": ["192.168.50.0/24"] },
                }),
            ),
        ];
        let vnets: &[&str] = if self.is_in_two_vnets { &["vnet-a", "vnet-b"] } else { &["vnet-b"] };
        resources.extend(vnets.iter().map(|vnet| {
            hub_child(
                "hub1",
                "hubVirtualNetworkConnections",
                &format!("{vnet}-connection"),
                json!({
                    "remoteVirtualNetwork": { "id": id("virtualNetworks", vnet) },
                    "enableInternetSecurity": true,
                }),
            )
        }));
        resources
    }
}

/// What the hub gives every subnet of a connected VNet.
const HUB_ROWS: &str = "\
Default Active 10.2.0.0/16 VnetLocal
Default Active 10.100.0.0/23 VNetPeering
VirtualNetworkGateway Active 10.0.0.0/8 VirtualNetworkGateway 10.100.0.132
VirtualNetworkGateway Active 172.16.0.0/12 VirtualNetworkGateway 10.100.0.132
VirtualNetworkGateway Active 192.168.0.0/16 VirtualNetworkGateway 10.100.0.132
";
const HUB_DEFAULT: &str =
    "VirtualNetworkGateway Active 0.0.0.0/0 VirtualNetworkGateway 10.100.0.132\n";

pub fn secured_hub() -> Vec<Estate> {
    let (base, two) = (SecuredHub::ONE_VNET, SecuredHub::TWO_VNETS);
    vec![
        Estate {
            name: "secured hub: application gateway and backends in one VNet",
            files: base.files(Shape::Flat),
            tables: vec![
                (
                    "vnet-b/snet-appgw",
                    format!(
                        "{HUB_ROWS}\
                         Default Active 100.64.0.0/10 None\n\
                         VirtualNetworkGateway Invalid 0.0.0.0/0 VirtualNetworkGateway 10.100.0.132\n\
                         User Active 0.0.0.0/0 Internet\n\
                         User Active 10.2.0.0/24 VirtualAppliance 10.100.0.132\n"
                    ),
                ),
                (
                    "vnet-b/snet-be",
                    format!(
                        "{HUB_ROWS}{HUB_DEFAULT}\
                         User Active 10.2.1.0/24 VirtualAppliance 10.100.0.132\n"
                    ),
                ),
                ("vnet-b/snet-misc", format!("{HUB_ROWS}{HUB_DEFAULT}")),
            ],
            lookups: vec![
                ("10.2.1.5", "10.2.0.10", "firewall", "10.2.0.0/24"),
                ("10.2.0.10", "10.2.1.5", "firewall", "10.2.1.0/24"),
                ("10.2.1.5", "203.0.113.9", "internet", "0.0.0.0/0"),
                ("10.2.1.5", "192.168.50.5", "firewall", "192.168.0.0/16"),
                // The type says gateway; the address is the firewall's.
                ("10.2.0.10", "203.0.113.9", "firewall", "0.0.0.0/0"),
                ("10.2.0.10", "10.2.2.7", "vnet", "10.2.0.0/16"),
                ("10.2.2.7", "10.2.1.5", "vnet", "10.2.0.0/16"),
                ("10.2.2.7", "10.2.0.10", "vnet", "10.2.0.0/16"),
                ("10.2.1.5", "10.2.1.6", "vnet", "10.2.0.0/16"),
            ],
            lints: vec![],
            no_lints: vec!["phantom_next_hop"],
        },
        Estate {
            name: "secured hub: the backends' route is missing",
            files: SecuredHub { backend_routes: &[], ..base }.files(Shape::Nested),
            tables: vec![],
            lookups: vec![
                ("10.2.1.5", "10.2.0.10", "firewall", "10.2.0.0/24"),
                ("10.2.0.10", "10.2.1.5", "vnet", "10.2.0.0/16"),
            ],
            lints: vec![],
            no_lints: vec![],
        },
        Estate {
            name: "secured hub: the gateway's own default is missing",
            files: SecuredHub { gateway_routes: &GATEWAY_ROUTES_WITHOUT_DEFAULT, ..base }
                .files(Shape::Graph),
            tables: vec![],
            lookups: vec![("10.2.1.5", "203.0.113.7", "firewall", "0.0.0.0/0")],
            lints: vec![],
            no_lints: vec![],
        },
        Estate {
            name: "secured hub: application gateway and backends in two VNets",
            files: two.files(Shape::Graph),
            tables: vec![],
            lookups: vec![
                ("10.3.1.4", "10.2.0.10", "firewall", "10.0.0.0/8"),
                ("10.2.0.10", "10.3.1.5", "firewall", "10.0.0.0/8"),
                ("10.3.1.4", "203.0.113.9", "internet", "0.0.0.0/0"),
                ("10.2.0.10", "203.0.113.9", "firewall", "0.0.0.0/0"),
                ("10.3.1.4", "10.3.9.9", "vnet", "10.3.0.0/16"),
            ],
            lints: vec![],
            no_lints: vec![],
        },
        Estate {
            name: "secured hub: a direct peering beside it",
            files: SecuredHub { has_direct_peering: true, ..two }.files(Shape::Flat),
            tables: vec![],
            lookups: vec![
                ("10.3.1.4", "10.2.0.10", "peering", "10.2.0.0/16"),
                ("10.2.0.10", "10.3.1.5", "peering", "10.3.0.0/16"),
            ],
            lints: vec![],
            no_lints: vec![],
        },
    ]
}

const GATEWAY_ROUTES_WITHOUT_DEFAULT: [Route; 1] =
    [("backends", "10.2.0.0/24", "VirtualAppliance", "10.100.0.132")];

/// An App Service plan with regional integration, beside a hub with a firewall.
pub fn app_service_files(
    route_all: bool,
    prefix: &str,
    transit: bool,
    propagates: bool,
) -> Vec<(String, Vec<u8>)> {
    let hub = vnet(
        "hub",
        "westeurope",
        &["10.0.0.0/16"],
        vec![
            subnet("AzureFirewallSubnet", "10.0.1.0/26", None, json!({})),
            subnet("GatewaySubnet", "10.0.0.0/27", None, json!({})),
        ],
        vec![peering("apps", &["10.20.0.0/16"], json!({ "allowGatewayTransit": transit }))],
    );
    let delegation = json!({
        "delegations": [{ "name": "web", "properties": { "serviceName": "Microsoft.Web/serverFarms" } }],
        "serviceEndpoints": [{ "service": "Microsoft.Sql", "locations": ["westeurope"] }],
    });
    let apps = vnet(
        "apps",
        "westeurope",
        &["10.20.0.0/16"],
        vec![
            subnet("integration", prefix, Some("rt-apps"), delegation),
            subnet("ep", "10.20.9.0/24", None, json!({})),
            subnet("vms", "10.20.1.0/24", None, json!({})),
        ],
        vec![peering("hub", &["10.0.0.0/16"], json!({ "useRemoteGateways": transit }))],
    );
    let site_properties = json!({
        "virtualNetworkSubnetId": subnet_id("apps", "integration"),
        "vnetRouteAllEnabled": route_all,
        "siteConfig": null,
    });
    let web = json!({
        "id": format!("/subscriptions/{SUBSCRIPTION}/resourceGroups/rg-net/providers/Microsoft.Web/sites/shop"),
        "name": "shop",
        "type": "Microsoft.Web/sites",
        "location": "West Europe",
        "properties": site_properties,
    });
    let mut resources = vec![
        hub,
        apps,
        firewall("azfw", "hub", "10.0.1.4"),
        vpn_gateway("vpngw", "hub", &["10.0.0.4", "10.0.0.5"]),
        route_table(
            "rt-apps",
            propagates,
            &[("default", "0.0.0.0/0", "VirtualAppliance", "10.0.1.4")],
        ),
        web,
    ];
    resources.extend(site("onprem", "vpngw", &["192.168.0.0/16"]));
    resources.extend(private_endpoint("sql", &subnet_id("apps", "ep"), "10.20.9.5"));
    let tags = json!({
        "changeNumber": 1,
        "cloud": "Public",
        "values": [{
            "name": "Sql.WestEurope",
            "id": "Sql.WestEurope",
            "properties": {
                "region": "westeurope",
                "systemService": "AzureSQL",
                "addressPrefixes": ["40.79.154.0/24"],
            },
        }],
    });
    vec![
        ("resources.json".to_owned(), file(Shape::Nested, resources)),
        ("ServiceTags_Public.json".to_owned(), serde_json::to_vec(&tags).expect("JSON of ours")),
    ]
}

pub fn app_service() -> Vec<Estate> {
    vec![
        Estate {
            name: "App Service: only private space and service endpoints enter the VNet",
            files: app_service_files(false, "10.20.5.0/26", true, true),
            tables: vec![],
            lookups: vec![
                ("apps/integration", "203.0.113.20", "outside_vnet", ""),
                ("apps/integration", "10.20.1.10", "vnet", "10.20.0.0/16"),
                ("apps/integration", "40.79.154.87", "service_endpoint", "40.79.154.0/24"),
                ("apps/integration", "10.20.9.5", "private_endpoint", "10.20.9.5/32"),
                ("apps/integration", "10.0.5.5", "peering", "10.0.0.0/16"),
                ("apps/integration", "10.99.9.9", "firewall", "0.0.0.0/0"),
                ("apps/integration", "192.168.0.10", "gateway", "192.168.0.0/16"),
                ("apps/vms", "203.0.113.20", "internet", "0.0.0.0/0"),
            ],
            lints: vec![],
            no_lints: vec!["integration_subnet_size"],
        },
        Estate {
            name: "App Service: all traffic enters the VNet",
            files: app_service_files(true, "10.20.5.0/26", true, true),
            tables: vec![],
            lookups: vec![
                ("apps/integration", "203.0.113.20", "firewall", "0.0.0.0/0"),
                ("apps/integration", "40.79.154.87", "service_endpoint", "40.79.154.0/24"),
                ("apps/integration", "172.20.1.1", "firewall", "0.0.0.0/0"),
            ],
            lints: vec![],
            no_lints: vec![],
        },
        Estate {
            name: "App Service: gateway routes are not propagated",
            files: app_service_files(false, "10.20.5.0/28", true, false),
            tables: vec![],
            lookups: vec![("apps/integration", "192.168.0.10", "firewall", "0.0.0.0/0")],
            lints: vec!["integration_subnet_size"],
            no_lints: vec![],
        },
    ]
}
