//! An application gateway with four pools: machines, instances of a scale set, addresses, and App
//! Service sites, some of them where nobody meant them to be.

use serde_json::{Value, json};

use super::azure::{
    Shape, file, firewall, id, nic, peering, private_endpoint, resource, route_table, subnet,
    subnet_id, vnet,
};
use super::scenario::{Recorded, Scenario};

pub fn scenario() -> Scenario {
    Scenario {
        folder: "backend-pools",
        snapshot: snapshot(),
        recorded: vec![
            Recorded {
                mac: "000D3A2C0101",
                target: subnet_id("evergreen", "snet-appgw"),
                decisions: "
                from 10.2.1.4 to 10.2.0.10 | evergreen/snet-appgw | 10.2.0.0/24 User VirtualAppliance 10.0.1.4 | azfw | firewall peering delivered | firewall peering delivered
                from 10.2.1.4 to 10.2.0.12 | evergreen/snet-appgw | 10.2.0.0/24 User VirtualAppliance 10.0.1.4 | azfw | firewall peering delivered | firewall peering delivered
                from 10.2.1.4 to 10.2.9.5 | evergreen/snet-appgw | 10.2.9.5/32 Default InterfaceEndpoint | | private_endpoint delivered | private_endpoint_has_no_route_table
                from 10.2.1.4 to 20.50.2.10 | evergreen/snet-appgw | 0.0.0.0/0 User Internet | | internet left | internet_has_no_route_table
                from 10.2.1.4 to 10.7.0.9 | evergreen/snet-appgw | 10.0.0.0/8 Default None | | dropped dropped | no_route_table",
            },
            Recorded {
                mac: "000D3A2C0202",
                target: subnet_id("evergreen", "snet-be"),
                decisions: "from 10.2.0.10 to 10.2.1.4 | evergreen/snet-be | 10.2.1.0/24 User VirtualAppliance 10.0.1.4 | azfw | firewall peering delivered | firewall peering delivered",
            },
        ],
        findings: "
            error backend_without_route evergreen/snet-appgw - agw
            warning backend_without_subnet evergreen/snet-appgw - agw
            warning backend_without_subnet evergreen/snet-appgw - agw
            warning backend_over_internet evergreen/snet-appgw - agw
            warning backend_address_unknown evergreen/snet-appgw - agw
            warning backend_address_unknown evergreen/snet-appgw - agw
            warning backend_unhealthy evergreen/snet-appgw - agw
            note backend_pool evergreen/snet-appgw - agw
            note backend_pool evergreen/snet-appgw - agw
            note backend_pool evergreen/snet-appgw - agw
            note backend_pool evergreen/snet-appgw - agw",
        ..Scenario::default()
    }
}

const SETTINGS: &str = r#"# Where the gateway's DNS sends these names; no export tells it.

[[host]]
name = "legacy-portal.azurewebsites.net"
addresses = ["20.50.2.10"]
"#;

fn snapshot() -> Vec<(String, Vec<u8>)> {
    let evergreen = vnet(
        "evergreen",
        "westeurope",
        &["10.2.0.0/16"],
        vec![
            subnet("snet-appgw", "10.2.1.0/24", Some("rt-appgw"), json!({})),
            subnet("snet-be", "10.2.0.0/24", Some("rt-be"), json!({})),
            subnet("snet-pe", "10.2.9.0/24", None, json!({})),
        ],
        vec![peering("hub", &["10.0.0.0/16"], json!({}))],
    );
    let hub = vnet(
        "hub",
        "westeurope",
        &["10.0.0.0/16"],
        vec![subnet("AzureFirewallSubnet", "10.0.1.0/26", None, json!({}))],
        vec![peering("evergreen", &["10.2.0.0/16"], json!({}))],
    );
    let tables = vec![
        route_table(
            "rt-appgw",
            false,
            &[
                ("internet", "0.0.0.0/0", "Internet", ""),
                ("backends", "10.2.0.0/24", "VirtualAppliance", "10.0.1.4"),
            ],
        ),
        route_table("rt-be", false, &[("gateway", "10.2.1.0/24", "VirtualAppliance", "10.0.1.4")]),
    ];
    let endpoint = {
        let [mut endpoint, nic] =
            private_endpoint("portal", &subnet_id("evergreen", "snet-pe"), "10.2.9.5");
        endpoint["properties"]["customDnsConfigs"] = json!([
            { "fqdn": "portal.azurewebsites.net", "ipAddresses": ["10.2.9.5"] },
            { "fqdn": "portal.scm.azurewebsites.net", "ipAddresses": ["10.2.9.5"] },
        ]);
        vec![endpoint, nic]
    };
    vec![
        ("nexthop.toml".to_owned(), SETTINGS.into()),
        ("vnets.json".to_owned(), file(Shape::Flat, vec![evergreen, hub])),
        ("routetables.json".to_owned(), file(Shape::Nested, tables)),
        (
            "nics.json".to_owned(),
            file(Shape::Graph, vec![machine(0, "10.2.0.10"), machine(1, "10.2.0.11")]),
        ),
        // What Resource Graph does not list: `az vmss nic list`.
        ("vmss-nics.json".to_owned(), file(Shape::Flat, vec![instance("10.2.0.12")])),
        ("endpoints.json".to_owned(), file(Shape::Nested, endpoint)),
        (
            "firewalls.json".to_owned(),
            file(Shape::Graph, vec![firewall("azfw", "hub", "10.0.1.4")]),
        ),
        ("gateways.json".to_owned(), file(Shape::Flat, vec![application_gateway()])),
        ("backend-health.json".to_owned(), health()),
    ]
}

fn pool_id(name: &str) -> String {
    format!("{}/backendAddressPools/{name}", id("applicationGateways", "agw"))
}

fn machine(number: usize, address: &str) -> Value {
    let subnet = subnet_id("evergreen", "snet-be");
    nic(
        &format!("vm-claims-{number}"),
        &subnet,
        address,
        &format!("00-0D-3A-2C-02-0{number}"),
        json!({}),
    )
}

/// The NIC of a scale set's instance names its pool.
fn instance(address: &str) -> Value {
    let subnet = subnet_id("evergreen", "snet-be");
    let mut instance = nic("claims-nic", &subnet, address, "00-0D-3A-2C-02-0C", json!({}));
    let of_scale_set = scale_set_nic(1);
    instance["id"] = json!(of_scale_set);
    let configuration = &mut instance["properties"]["ipConfigurations"][0];
    configuration["id"] = json!(format!("{of_scale_set}/ipConfigurations/ipconfig1"));
    configuration["properties"]["applicationGatewayBackendAddressPools"] =
        json!([{ "id": pool_id("claims") }]);
    instance
}

fn scale_set_nic(instance: usize) -> String {
    let sets =
        id("virtualMachineScaleSets", "claims").replace("Microsoft.Network", "Microsoft.Compute");
    format!("{sets}/virtualMachines/{instance}/networkInterfaces/claims-nic")
}

fn application_gateway() -> Value {
    let configuration = |nic: String| json!({ "id": format!("{nic}/ipConfigurations/ipconfig1") });
    let pool = |name: &str, properties: Value| json!({ "id": pool_id(name), "name": name, "properties": properties });
    resource(
        "applicationGateways",
        "agw",
        "westeurope",
        json!({
            "provisioningState": "Succeeded",
            "sku": { "name": "WAF_v2", "tier": "WAF_v2", "capacity": 2 },
            "gatewayIPConfigurations": [{
                "name": "gateway",
                "properties": { "subnet": { "id": subnet_id("evergreen", "snet-appgw") } },
            }],
            "backendAddressPools": [
                pool("claims", json!({
                    "backendAddresses": [],
                    "backendIPConfigurations": [
                        configuration(id("networkInterfaces", "vm-claims-0")),
                        configuration(id("networkInterfaces", "vm-claims-1")),
                        configuration(scale_set_nic(1)),
                        configuration(scale_set_nic(2)),
                    ],
                })),
                pool("eligibility", json!({
                    "backendAddresses": [
                        { "ipAddress": "10.2.0.20" },
                        { "ipAddress": "10.2.0.21" },
                        { "ipAddress": "10.2.3.9" },
                    ],
                })),
                pool("documents", json!({
                    "backendAddresses": [{ "ipAddress": "10.2.0.30" }, { "ipAddress": "10.7.0.9" }],
                })),
                pool("portal", json!({
                    "backendAddresses": [
                        { "fqdn": "portal.azurewebsites.net" },
                        { "fqdn": "legacy-portal.azurewebsites.net" },
                        { "fqdn": "new-portal.azurewebsites.net" },
                    ],
                })),
            ],
        }),
    )
}

/// As `az network application-gateway show-backend-health` prints it, casing of identifiers included.
fn health() -> Vec<u8> {
    let pool = |name: &str, servers: Value| {
        json!({
            "backendAddressPool": {
                "id": pool_id(name).replace("backendAddressPools", "backendaddressPools"),
            },
            "backendHttpSettingsCollection": [{
                "backendHttpSettings": {
                    "id": format!("{}/backendHttpSettingsCollection/https", id("applicationGateways", "agw")),
                },
                "servers": servers,
            }],
        })
    };
    let document = json!({
        "backendAddressPools": [
            pool("claims", json!([
                { "address": "10.2.0.10", "health": "Up" },
                { "address": "10.2.0.11", "health": "Up" },
                { "address": "10.2.0.12", "health": "Up" },
            ])),
            pool("documents", json!([{ "address": "10.2.0.30", "health": "Down" }])),
            pool("portal", json!([{ "address": "portal.azurewebsites.net", "health": "Up" }])),
        ],
    });
    let mut text = serde_json::to_vec_pretty(&document).expect("JSON of ours");
    text.push(b'\n');
    text
}
