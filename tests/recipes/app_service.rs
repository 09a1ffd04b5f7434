//! App Service: sites with regional integration, an environment in a subnet of its own, and a
//! gateway-required integration.

use serde_json::{Value, json};

use super::azure::{
    SUBSCRIPTION, Shape, file, id, nic, peering, resource, route_table, site, subnet, subnet_id,
    vnet, vpn_gateway,
};
use super::estates_hub::app_service_files;
use super::scenario::{Recorded, Scenario};

/// A site sends only private addresses and service endpoints into the VNet.
pub fn integration() -> Scenario {
    Scenario {
        folder: "app-service-integration",
        snapshot: app_service_files(false, "10.20.5.0/27", true, true),
        recorded: vec![Recorded {
            mac: "000D3A200101",
            target: subnet_id("apps", "vms"),
            decisions: "
            from 10.20.1.10 to 203.0.113.20 | apps/vms | 0.0.0.0/0 Default Internet | | internet left | internet_has_no_route_table
            from 10.20.1.10 to 192.168.0.10 | apps/vms | 192.168.0.0/16 VirtualNetworkGateway VirtualNetworkGateway 10.0.0.4 10.0.0.5 | vpngw | gateway left | peering delivered",
        }],
        asked: "
        from apps/integration to 203.0.113.20 | apps/integration | | | outside_vnet left | internet_has_no_route_table
        from apps/integration to 10.20.1.10 | apps/integration | 10.20.0.0/16 Default VnetLocal | | vnet delivered | vnet delivered
        from apps/integration to 40.79.154.87 | apps/integration | 40.79.154.0/24 Default VirtualNetworkServiceEndpoint | | service_endpoint delivered | internet_has_no_route_table
        from apps/integration to 10.20.9.5 | apps/integration | 10.20.9.5/32 Default InterfaceEndpoint | | private_endpoint delivered | private_endpoint_has_no_route_table
        from apps/integration to 10.99.9.9 | apps/integration | 0.0.0.0/0 User VirtualAppliance 10.0.1.4 | azfw | firewall dropped dropped | no_route_table
        from apps/integration to 192.168.0.10 | apps/integration | 192.168.0.0/16 VirtualNetworkGateway VirtualNetworkGateway 10.0.0.4 10.0.0.5 | vpngw | gateway left | peering delivered",
        findings: "
            warning private_endpoint_bypass apps/integration 10.20.9.5/32 -
            warning service_endpoint_bypass apps/integration 40.79.154.0/24 -
            note integration_subnet_size - 10.20.5.0/27 integration",
        ..Scenario::default()
    }
}

/// How an App Service environment is set.
#[derive(Clone, Copy)]
pub struct Environment {
    /// Besides the default route to the gateway.
    pub has_route_at_endpoint: bool,
    pub has_transit: bool,
    pub propagates: bool,
    pub is_remote_region: bool,
}

impl Environment {
    /// Forced through the gateway of a peered hub, with a service endpoint.
    pub const FORCED: Self = Self {
        has_route_at_endpoint: true,
        has_transit: true,
        propagates: true,
        is_remote_region: false,
    };

    pub fn files(self) -> Vec<(String, Vec<u8>)> {
        let mut routes = vec![("default", "0.0.0.0/0", "VirtualNetworkGateway", "")];
        if self.has_route_at_endpoint {
            routes.push(("sql", "40.79.154.0/24", "VirtualNetworkGateway", ""));
        }
        let endpoint = json!({
            "serviceEndpoints": [{ "service": "Microsoft.Sql", "locations": ["westeurope"] }],
        });
        let region = if self.is_remote_region { "northeurope" } else { "westeurope" };
        let transit = self.has_transit;
        let resources = vec![
            vnet(
                "hub",
                region,
                &["10.0.0.0/16"],
                vec![subnet("GatewaySubnet", "10.0.0.0/27", None, json!({}))],
                vec![peering("apps", &["10.20.0.0/16"], json!({ "allowGatewayTransit": transit }))],
            ),
            vnet(
                "apps",
                "westeurope",
                &["10.20.0.0/16"],
                vec![subnet("ase", "10.20.8.0/24", Some("rt-ase"), endpoint)],
                vec![peering("hub", &["10.0.0.0/16"], json!({ "useRemoteGateways": transit }))],
            ),
            vpn_gateway("vpngw", "hub", &["10.0.0.4", "10.0.0.5"]),
            route_table("rt-ase", self.propagates, &routes),
        ];
        let resources = resources.into_iter().chain(site("onprem", "vpngw", &["192.168.0.0/16"]));
        vec![
            ("resources.json".to_owned(), file(Shape::Graph, resources.collect())),
            ("ServiceTags_Public.json".to_owned(), service_tags()),
        ]
    }
}

pub fn environment() -> Scenario {
    Scenario {
        folder: "app-service-environment",
        snapshot: Environment::FORCED.files(),
        tables: vec![(
            "apps/ase",
            "\
Default Active 10.20.0.0/16 VnetLocal
Default Active 10.0.0.0/16 VNetPeering
VirtualNetworkGateway Active 192.168.0.0/16 VirtualNetworkGateway 10.0.0.4
VirtualNetworkGateway Active 192.168.0.0/16 VirtualNetworkGateway 10.0.0.5
Default Active 40.79.154.0/24 VirtualNetworkServiceEndpoint
User Invalid 40.79.154.0/24 VirtualNetworkGateway
Default Invalid 0.0.0.0/0 Internet
User Active 0.0.0.0/0 VirtualNetworkGateway
"
            .to_owned(),
        )],
        recorded: vec![Recorded {
            mac: "000D3A200808",
            target: subnet_id("apps", "ase"),
            decisions: "
            from 10.20.8.7 to 40.79.154.87 | apps/ase | 40.79.154.0/24 Default VirtualNetworkServiceEndpoint | | service_endpoint delivered | internet_has_no_route_table
            from 10.20.8.7 to 192.168.0.10 | apps/ase | 192.168.0.0/16 VirtualNetworkGateway VirtualNetworkGateway 10.0.0.4 10.0.0.5 | vpngw | gateway left | peering delivered
            from 10.20.8.7 to 203.0.113.20 | apps/ase | 0.0.0.0/0 User VirtualNetworkGateway | | gateway internet left | internet_has_no_route_table",
        }],
        findings: "
            warning service_endpoint_bypass apps/ase 40.79.154.0/24 -
            note ambiguous_service_endpoint apps/ase 40.79.154.0/24 -",
        ..Scenario::default()
    }
}

/// A gateway-required integration, and what on-premises routes.
pub struct GatewayRequired {
    pub has_express_route: bool,
    pub knows_clients: bool,
    /// The spoke's side of the peering, and the gateway's.
    pub spoke_flags: Value,
    pub hub_flags: Value,
}

impl GatewayRequired {
    pub fn files(&self) -> Vec<(String, Vec<u8>)> {
        let mut gateway = vpn_gateway("vpngw", "hub", &["10.0.0.4"]);
        gateway["properties"]["vpnClientConfiguration"] =
            json!({ "vpnClientAddressPool": { "addressPrefixes": ["172.16.201.0/24"] } });
        let mut web = resource("sites", "shop", "westeurope", json!({ "siteConfig": null }));
        let site_id = format!(
            "/subscriptions/{SUBSCRIPTION}/resourceGroups/rg-net/providers/Microsoft.Web/sites/shop"
        );
        web["id"] = json!(site_id);
        web["type"] = json!("Microsoft.Web/sites");
        let integration = json!({
            "id": format!("{site_id}/virtualNetworkConnections/hub"),
            "name": "hub",
            "type": "Microsoft.Web/sites/virtualNetworkConnections",
            "properties": { "vnetResourceId": id("virtualNetworks", "hub"), "isSwift": false },
        });
        let mut resources = vec![
            vnet(
                "hub",
                "westeurope",
                &["10.0.0.0/16"],
                vec![subnet("GatewaySubnet", "10.0.0.0/27", None, json!({}))],
                vec![peering("spoke", &["10.20.0.0/16"], self.hub_flags.clone())],
            ),
            vnet(
                "spoke",
                "westeurope",
                &["10.20.0.0/16"],
                vec![subnet("vms", "10.20.1.0/24", None, json!({}))],
                vec![peering("hub", &["10.0.0.0/16"], self.spoke_flags.clone())],
            ),
            nic("vm", &subnet_id("spoke", "vms"), "10.20.1.4", "00-0D-3A-20-01-01", json!({})),
            gateway,
            resource(
                "publicIPAddresses",
                "vpngw-pip0",
                "westeurope",
                json!({ "ipAddress": "20.30.40.50" }),
            ),
            web,
            integration,
        ];
        resources.extend(site("onprem", "vpngw", &["192.168.0.0/16"]));
        if self.has_express_route {
            let mut circuit = vpn_gateway("ergw", "hub", &["10.0.0.9"]);
            circuit["properties"]["gatewayType"] = json!("ExpressRoute");
            resources.push(circuit);
        }
        vec![
            ("resources.json".to_owned(), file(Shape::Nested, resources)),
            ("onprem-router.txt".to_owned(), self.router().into()),
            ("nexthop.toml".to_owned(), SETTINGS.into()),
        ]
    }

    /// What on-premises knows: the VNets, and the integration's clients only if somebody told it.
    fn router(&self) -> String {
        let clients = if self.knows_clients {
            "VirtualNetworkGateway  Active  172.16.201.0/24  VirtualNetworkGateway  203.0.113.1\n"
        } else {
            ""
        };
        format!(
            "Source                 State   Address Prefix   Next Hop Type          Next Hop IP\n\
             ---------------------  ------  ---------------  ---------------------  -----------\n\
             Default                Active  192.168.0.0/16   VnetLocal\n\
             VirtualNetworkGateway  Active  10.0.0.0/16      VirtualNetworkGateway  203.0.113.1\n\
             VirtualNetworkGateway  Active  10.20.0.0/16     VirtualNetworkGateway  203.0.113.1\n\
             {clients}"
        )
    }
}

const SETTINGS: &str = "\
[[table]]
file = \"onprem-router.txt\"
name = \"onprem\"
sources = [\"192.168.0.0/16\"]
";

fn service_tags() -> Vec<u8> {
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
    serde_json::to_vec_pretty(&tags).expect("JSON of ours")
}
