//! Exports as Azure's tools print them, one idea a test. The kinds are written once, as the REST
//! API nests them; the other shapes are made from that by the rule that tells them apart.

use proptest::prelude::*;
use serde_json::{Map, Value, json};

use super::*;
use crate::azure::{NextHopType, RouteDestination};
use crate::net::AddressPrefix;

const NETWORK: &str = "/subscriptions/s1/resourceGroups/g/providers/Microsoft.Network";
const WEB: &str = "/subscriptions/s1/resourceGroups/g/providers/Microsoft.Web";

fn id(path: &str) -> String {
    format!("{NETWORK}/{path}")
}

fn reference(path: &str) -> Value {
    json!({ "id": id(path) })
}

fn resource(type_name: &str, path: &str, properties: Value) -> Value {
    let name = path.rsplit('/').next().unwrap();
    json!({
        "id": id(path), "name": name, "type": format!("Microsoft.Network/{type_name}"),
        "location": "West Europe", "etag": "W/\"1\"", "properties": properties,
    })
}

fn child(path: &str, properties: Value) -> Value {
    json!({ "id": id(path), "name": path.rsplit('/').next().unwrap(), "properties": properties })
}

fn read_all(files: &[(&str, Value)]) -> (Resources, Vec<ResourceWarning>) {
    let mut reader = ResourceReader::default();
    for (file, document) in files {
        reader.read(file, &document.to_string()).unwrap_or_else(|error| panic!("{file}: {error}"));
    }
    reader.finish()
}

fn read(document: Value) -> Resources {
    let (resources, warnings) = read_all(&[("a.json", document)]);
    assert_eq!(warnings, []);
    resources
}

fn shown(resources: &Resources) -> String {
    format!("{resources:#?}")
}

fn error(document: &Value) -> String {
    ResourceReader::default().read("a.json", &document.to_string()).unwrap_err().to_string()
}

fn prefix(text: &str) -> AddressPrefix {
    text.parse().unwrap()
}

fn prefixes(texts: &[&str]) -> Vec<AddressPrefix> {
    texts.iter().map(|text| prefix(text)).collect()
}

fn address(text: &str) -> std::net::IpAddr {
    text.parse().unwrap()
}

/// One resource of every kind, each field with a value that is not its default.
fn every_kind() -> Vec<Value> {
    let peering = json!({
        "peeringState": "Connected", "peeringSyncLevel": "LocalNotInSync",
        "remoteVirtualNetwork": {"id": "/subscriptions/s2/x/virtualNetworks/spoke"},
        "remoteAddressSpace": {"addressPrefixes": ["10.1.0.0/16"]},
        "remoteVirtualNetworkAddressSpace": {"addressPrefixes": ["10.1.0.0/16", "10.2.0.0/16"]},
        "allowVirtualNetworkAccess": false, "allowForwardedTraffic": true,
        "allowGatewayTransit": true, "useRemoteGateways": true,
        "peerCompleteVnets": false, "localSubnetNames": ["a"], "remoteSubnetNames": ["b"],
    });
    let subnet = json!({
        "addressPrefix": "10.0.1.0/24", "routeTable": reference("routeTables/rt"),
        "serviceEndpoints": [{"service": "Microsoft.Storage", "locations": ["West Europe", "*"], "provisioningState": "Succeeded"}],
        "delegations": [{"name": "d", "properties": {"serviceName": "Microsoft.Web/serverFarms"}}],
        "privateEndpointNetworkPolicies": "RouteTableEnabled",
        "ipConfigurations": [reference("networkInterfaces/nic/ipConfigurations/c"), null],
    });
    let configuration = json!({
        "privateIPAddress": "10.0.1.4", "subnet": reference("virtualNetworks/hub/subnets/apps"),
        "publicIPAddress": reference("publicIPAddresses/pip"),
        "loadBalancerBackendAddressPools": [reference("loadBalancers/lb/backendAddressPools/p")],
        "applicationGatewayBackendAddressPools": [reference("applicationGateways/ag/backendAddressPools/p")],
    });
    vec![
        resource(
            "virtualNetworks",
            "virtualNetworks/hub",
            json!({
                "addressSpace": {"addressPrefixes": ["10.0.0.0/16", "fd00::/56"]},
                "subnets": [child("virtualNetworks/hub/subnets/apps", subnet)],
                "virtualNetworkPeerings": [child("virtualNetworks/hub/virtualNetworkPeerings/p", peering)],
            }),
        ),
        resource(
            "routeTables",
            "routeTables/rt",
            json!({
                "disableBgpRoutePropagation": true, "disablePeeringRoute": "All",
                "routes": [
                    child("routeTables/rt/routes/default", json!({"addressPrefix": "0.0.0.0/0", "nextHopType": "VirtualAppliance", "nextHopIpAddress": "10.0.0.4", "hasBgpOverride": true})),
                    child("routeTables/rt/routes/tag", json!({"addressPrefix": "Storage.WestEurope", "nextHopType": "Internet", "nextHopIpAddress": ""})),
                    child("routeTables/rt/routes/set", json!({"addressPrefix": "10.9.0.0/16", "nextHopType": "VirtualApplianceEcmp", "nextHop": {"nextHopIpAddresses": ["10.0.0.5", "10.0.0.6"]}})),
                ],
                "subnets": [reference("virtualNetworks/hub/subnets/apps")],
            }),
        ),
        resource(
            "networkInterfaces",
            "networkInterfaces/nic",
            json!({
                "macAddress": "00-0D-3A-F8-78-56", "enableIPForwarding": true,
                "virtualMachine": {"id": "/vm"}, "privateEndpoint": {"id": "/pe"},
                "ipConfigurations": [child("networkInterfaces/nic/ipConfigurations/c", configuration.clone())],
            }),
        ),
        resource(
            "privateEndpoints",
            "privateEndpoints/pe",
            json!({
                "subnet": reference("virtualNetworks/hub/subnets/apps"),
                "networkInterfaces": [reference("networkInterfaces/pe.nic")],
                "ipConfigurations": [{"name": "c", "properties": {"groupId": "sql", "memberName": "m", "privateIPAddress": "10.0.1.5"}}],
                "customDnsConfigs": [{"fqdn": "db", "ipAddresses": ["10.0.1.5", "10.0.1.6"]}],
                "privateLinkServiceConnections": [{"name": "c", "properties": {"privateLinkServiceConnectionState": {"status": "Approved"}}}],
                "manualPrivateLinkServiceConnections": [{"name": "d", "properties": {"privateLinkServiceConnectionState": {"status": "Pending"}}}],
            }),
        ),
        resource(
            "virtualNetworkGateways",
            "virtualNetworkGateways/gw",
            json!({
                "gatewayType": "ExpressRoute", "vpnType": "PolicyBased", "activeActive": true,
                "sku": {"name": "VpnGw2AZ", "tier": "VpnGw2AZ"},
                "ipConfigurations": [child("virtualNetworkGateways/gw/ipConfigurations/c", configuration.clone())],
                "bgpSettings": {"asn": 65515, "bgpPeeringAddress": "10.0.9.4,10.0.9.5", "bgpPeeringAddresses": [
                    {"ipconfigurationId": "x", "defaultBgpIpAddresses": ["10.0.9.6"], "customBgpIpAddresses": []},
                    {"ipconfigurationId": "y", "defaultBgpIpAddresses": ["10.0.9.7"], "customBgpIpAddresses": []},
                ]},
                "vpnClientConfiguration": {
                    "vpnClientAddressPool": {"addressPrefixes": ["172.20.0.0/24"]},
                    "vngClientConnectionConfigurations": [{"name": "g", "properties": {"vpnClientAddressPool": {"addressPrefixes": ["172.20.1.0/24"]}}}],
                },
                "customRoutes": {"addressPrefixes": ["10.7.0.0/16"]},
                "gatewayDefaultSite": reference("localNetworkGateways/lng"),
            }),
        ),
        resource(
            "localNetworkGateways",
            "localNetworkGateways/lng",
            json!({
                "localNetworkAddressSpace": {"addressPrefixes": ["192.168.0.0/16"]},
                "gatewayIpAddress": "203.0.113.1",
                "bgpSettings": {"asn": 65001, "bgpPeeringAddress": "192.168.255.1"},
            }),
        ),
        resource(
            "connections",
            "connections/c",
            json!({
                "connectionType": "Vnet2Vnet", "connectionStatus": "NotConnected",
                "virtualNetworkGateway1": reference("virtualNetworkGateways/gw"),
                "virtualNetworkGateway2": reference("virtualNetworkGateways/other"),
                "localNetworkGateway2": reference("localNetworkGateways/lng"),
                "enableBgp": true, "expressRouteGatewayBypass": false, "enablePrivateLinkFastPath": true,
            }),
        ),
        resource(
            "virtualHubs",
            "virtualHubs/vhub",
            json!({
                "addressPrefix": "10.100.0.0/23", "virtualWan": reference("virtualWans/wan"),
                "azureFirewall": reference("azureFirewalls/fw"), "virtualRouterIps": ["10.100.0.68", "10.100.0.69"],
                "vpnGateway": null, "p2SVpnGateway": reference("p2sVpnGateways/p2s"),
            }),
        ),
        resource(
            "virtualHubs/hubVirtualNetworkConnections",
            "virtualHubs/vhub/hubVirtualNetworkConnections/spoke",
            json!({
                "remoteVirtualNetwork": reference("virtualNetworks/spoke"), "enableInternetSecurity": false,
                "routingConfiguration": {
                    "associatedRouteTable": reference("virtualHubs/vhub/hubRouteTables/defaultRouteTable"),
                    "propagatedRouteTables": {"labels": ["none"], "ids": [reference("virtualHubs/vhub/hubRouteTables/noneRouteTable")]},
                    "vnetRoutes": {"staticRoutes": [{"name": "s", "addressPrefixes": ["10.8.0.0/16"], "nextHopIpAddress": "10.1.0.4"}]},
                },
            }),
        ),
        resource(
            "virtualHubs/hubRouteTables",
            "virtualHubs/vhub/hubRouteTables/defaultRouteTable",
            json!({
                "labels": ["default"],
                "routes": [{"name": "all_traffic", "destinationType": "CIDR", "destinations": ["0.0.0.0/0", "10.0.0.0/8"], "nextHopType": "ResourceId", "nextHop": id("azureFirewalls/fw")}],
            }),
        ),
        resource(
            "virtualHubs/routingIntent",
            "virtualHubs/vhub/routingIntent/ri",
            json!({"routingPolicies": [
                {"name": "i", "destinations": ["Internet"], "nextHop": id("azureFirewalls/fw")},
                {"name": "p", "destinations": ["PrivateTraffic"], "nextHop": id("networkVirtualAppliances/nva")},
            ]}),
        ),
        resource(
            "vpnSites",
            "vpnSites/branch",
            json!({"virtualWan": reference("virtualWans/wan"), "addressSpace": {"addressPrefixes": ["192.168.50.0/24"]}}),
        ),
        resource(
            "vpnGateways",
            "vpnGateways/vpngw",
            json!({
                "virtualHub": reference("virtualHubs/vhub"),
                "connections": [{"name": "c", "properties": {"remoteVpnSite": reference("vpnSites/branch")}}],
            }),
        ),
        resource(
            "p2sVpnGateways",
            "p2sVpnGateways/p2s",
            json!({
                "virtualHub": reference("virtualHubs/vhub"),
                "p2SConnectionConfigurations": [{"name": "c", "properties": {"vpnClientAddressPool": {"addressPrefixes": ["172.21.0.0/24"]}}}],
            }),
        ),
        resource(
            "azureFirewalls",
            "azureFirewalls/fw",
            json!({
                "ipConfigurations": [child("azureFirewalls/fw/azureFirewallIpConfigurations/c", configuration.clone())],
                "managementIpConfiguration": child("azureFirewalls/fw/azureFirewallIpConfigurations/m", configuration.clone()),
                "virtualHub": reference("virtualHubs/vhub"), "hubIPAddresses": {"privateIPAddress": "10.100.0.132"},
                "firewallPolicy": reference("firewallPolicies/pol"),
                "additionalProperties": {"Network.SNAT.PrivateRanges": "IANAPrivateRanges , 203.0.113.0/24"},
            }),
        ),
        resource(
            "firewallPolicies",
            "firewallPolicies/pol",
            json!({"snat": {"privateRanges": ["198.51.100.0/24", "255.255.255.255/32"]}, "threatIntelMode": "Alert"}),
        ),
        resource(
            "applicationGateways",
            "applicationGateways/ag",
            json!({
                "sku": {"name": "WAF_v2", "tier": "WAF_v2"},
                "gatewayIPConfigurations": [child("applicationGateways/ag/gatewayIPConfigurations/c", json!({"subnet": reference("virtualNetworks/hub/subnets/agw")}))],
                "backendHttpSettingsCollection": [child("applicationGateways/ag/backendHttpSettingsCollection/h", json!({"port": 80}))],
                "backendAddressPools": [child("applicationGateways/ag/backendAddressPools/p", json!({
                    "backendAddresses": [{"ipAddress": "10.0.1.9"}, {"fqdn": "10.0.1.10"}, {"fqdn": "shop.example"}],
                    "backendIPConfigurations": [reference("networkInterfaces/nic/ipConfigurations/c")],
                }))],
            }),
        ),
        resource(
            "loadBalancers",
            "loadBalancers/lb",
            json!({
                "frontendIPConfigurations": [child("loadBalancers/lb/frontendIPConfigurations/f", configuration)],
                "backendAddressPools": [reference("loadBalancers/lb/backendAddressPools/p")],
            }),
        ),
        resource(
            "publicIPAddresses",
            "publicIPAddresses/pip",
            json!({"ipAddress": "203.0.113.7", "publicIPAllocationMethod": "Static"}),
        ),
        json!({
            "id": format!("{WEB}/sites/shop"), "name": "shop", "type": "Microsoft.Web/sites", "location": "West Europe",
            "properties": {
                "virtualNetworkSubnetId": id("virtualNetworks/hub/subnets/web"),
                "outboundVnetRouting": {"allTraffic": false, "applicationTraffic": true},
                "siteConfig": {"vnetRouteAllEnabled": null},
                "hostingEnvironmentProfile": {"id": "/ase"},
                "virtualNetworkConnections": [{"name": "v", "properties": {"vnetResourceId": id("virtualNetworks/legacy"), "isSwift": false}}],
            },
        }),
        resource(
            "networkWatchers/flowLogs",
            "networkWatchers/nw/flowLogs/log",
            json!({
                "targetResourceId": id("virtualNetworks/hub"), "storageId": "/storage", "enabled": false,
                "recordTypes": "B,E", "enabledFilteringCriteria": "srcIP=10.0.0.4",
            }),
        ),
    ]
}

/// What the Azure CLI prints: `properties` dissolved at every level.
fn flattened(value: &Value) -> Value {
    match value {
        Value::Array(values) => values.iter().map(flattened).collect(),
        Value::Object(pairs) => {
            let mut flat = Map::new();
            for (key, value) in pairs {
                match (key.as_str(), flattened(value)) {
                    ("properties", Value::Object(inner)) => flat.extend(inner),
                    (_, value) => drop(flat.insert(key.clone(), value)),
                }
            }
            Value::Object(flat)
        }
        other => other.clone(),
    }
}

/// What Resource Graph tells: types in lower case, and columns of its own.
fn graph_rows(resources: &[Value]) -> Value {
    let row = |resource: &Value| {
        let mut row = resource.clone();
        row["type"] = json!(resource["type"].as_str().unwrap().to_lowercase());
        for (key, value) in [
            ("subscriptionId", json!("s1")),
            ("sku", json!(null)),
            ("kind", json!("")),
            ("tags", json!({"a": "b"})),
        ] {
            if row.get(key).is_none() {
                row[key] = value;
            }
        }
        row
    };
    resources.iter().map(row).collect()
}

fn with_keys(value: &Value, change: &dyn Fn(&str) -> String) -> Value {
    match value {
        Value::Array(values) => values.iter().map(|value| with_keys(value, change)).collect(),
        Value::Object(pairs) => Value::Object(
            pairs.iter().map(|(key, value)| (change(key), with_keys(value, change))).collect(),
        ),
        other => other.clone(),
    }
}

fn pascal_case(key: &str) -> String {
    format!("{}{}", key[..1].to_uppercase(), &key[1..])
}

#[test]
fn every_shape_of_every_kind_gives_the_same_rows() {
    for kind in every_kind() {
        let want = shown(&read(json!({"value": [kind]})));
        let flat = flattened(&kind);
        for (shape, document) in [
            ("a single object", kind.clone()),
            ("az show", flat.clone()),
            ("az list", json!([flat])),
            ("a page of az", json!({"value": [flat], "nextLink": null})),
            (
                "az graph query",
                json!({"count": 1, "data": graph_rows(std::slice::from_ref(&kind)), "skip_token": null, "total_records": 1}),
            ),
            ("the portal's download", graph_rows(std::slice::from_ref(&kind))),
            (
                "an asynchronous operation",
                json!({"status": "Succeeded", "properties": {"output": kind}}),
            ),
            ("keys in upper case", with_keys(&kind, &|key| key.to_uppercase())),
            ("keys in lower case", with_keys(&flat, &|key| key.to_lowercase())),
            ("PowerShell", json!({"value": [with_keys(&flat, &pascal_case)], "Count": 1})),
            ("the older CLI", with_keys(&flat, &|key| key.replace("IP", "Ip"))),
            ("a list of lists", json!([[kind.clone()]])),
            ("twice", json!([kind, flat])),
        ] {
            assert_eq!(shown(&read(document)), want, "{shape}");
        }
    }
}

#[test]
fn the_identifier_tells_what_a_type_does_not() {
    for kind in every_kind() {
        let want = shown(&read(kind.clone()));
        let mut untyped = kind;
        untyped.as_object_mut().unwrap().remove("type");
        assert_eq!(shown(&read(flattened(&untyped))), want);
    }
}

#[test]
fn kinds_may_be_mixed_in_one_file_or_have_one_each() {
    let kinds = every_kind();
    let want = shown(&read(Value::Array(kinds.clone())));
    let mixed: Vec<Value> = kinds
        .iter()
        .enumerate()
        .map(|(index, kind)| if index % 2 == 0 { kind.clone() } else { flattened(kind) })
        .collect();
    assert_eq!(shown(&read(json!({"data": mixed}))), want);
    let files: Vec<(&str, Value)> = kinds.into_iter().map(|kind| ("f.json", kind)).collect();
    assert_eq!(shown(&read_all(&files).0), want);
}

#[test]
fn vnets_subnets_and_peerings() {
    let resources = read(every_kind().remove(0));
    let [network] = resources.virtual_networks.as_slice() else { panic!("{resources:?}") };
    assert_eq!(network.header.id.as_str(), id("virtualNetworks/hub"));
    assert_eq!(network.header.name, "hub");
    assert_eq!(network.header.location, "westeurope");
    assert_eq!(network.address_space, prefixes(&["10.0.0.0/16", "fd00::/56"]));
    let [subnet] = network.subnets.as_slice() else { panic!("{network:?}") };
    assert_eq!(subnet.header.id.as_str(), id("virtualNetworks/hub/subnets/apps"));
    assert_eq!(subnet.header.name, "apps");
    assert_eq!(subnet.address_prefixes, prefixes(&["10.0.1.0/24"]));
    assert_eq!(subnet.route_table, Some(ResourceId::new(id("routeTables/rt"))));
    let endpoint = ServiceEndpoint {
        service: "Microsoft.Storage".to_owned(),
        locations: vec!["westeurope".to_owned(), "*".to_owned()],
    };
    assert_eq!(subnet.service_endpoints, [endpoint]);
    assert_eq!(subnet.delegations, ["Microsoft.Web/serverFarms"]);
    assert_eq!(
        subnet.private_endpoint_network_policies,
        PrivateEndpointNetworkPolicies::RouteTableEnabled
    );
    assert_eq!(subnet.ip_configurations.len(), 1);
    let [peering] = network.peerings.as_slice() else { panic!("{network:?}") };
    assert_eq!(peering.name, "p");
    assert_eq!(peering.state, PeeringState::Connected);
    assert!(!peering.is_fully_in_sync);
    assert_eq!(peering.remote_virtual_network.segment_after("virtualNetworks"), Some("spoke"));
    assert_eq!(peering.remote_address_space, prefixes(&["10.1.0.0/16"]));
    assert_eq!(
        peering.remote_virtual_network_address_space,
        prefixes(&["10.1.0.0/16", "10.2.0.0/16"])
    );
    assert!(!peering.allow_virtual_network_access);
    assert!(peering.allow_forwarded_traffic && peering.allow_gateway_transit);
    assert!(peering.use_remote_gateways && peering.is_subnet_peering);
    assert_eq!(peering.local_subnet_names, ["a"]);
    assert_eq!(peering.remote_subnet_names, ["b"]);
}

#[test]
fn what_is_left_out_has_the_documented_default() {
    let resources = read(json!([
        {"id": id("virtualNetworks/v"), "addressSpace": {"addressPrefixes": ["10.0.0.0/16"]},
         "subnets": [{"name": "s"}], "virtualNetworkPeerings": [{"name": "p"}]},
        {"id": id("privateEndpoints/pe")},
        {"id": id("virtualHubs/h/hubVirtualNetworkConnections/c")},
        {"id": id("connections/c"), "connectionStatus": "Unknown"},
        {"id": format!("{WEB}/sites/s")},
    ]));
    let network = &resources.virtual_networks[0];
    assert_eq!(network.header.name, "v");
    let subnet = &network.subnets[0];
    assert_eq!(subnet.header.id.as_str(), id("virtualNetworks/v/subnets/s"));
    assert_eq!(subnet.private_endpoint_network_policies, PrivateEndpointNetworkPolicies::Disabled);
    let peering = &network.peerings[0];
    assert_eq!(peering.state, PeeringState::Unknown);
    assert!(peering.is_fully_in_sync && peering.allow_virtual_network_access);
    assert!(!peering.is_subnet_peering);
    assert!(resources.private_endpoints[0].is_approved);
    assert!(resources.hub_connections[0].enable_internet_security);
    assert!(!resources.connections[0].is_not_connected);
    assert_eq!(resources.sites[0].route_all, None);
}

#[test]
fn flags_and_lists_may_be_what_a_tool_made_of_them() {
    let peering = |flag: Value| {
        let mut peering = json!({"remoteVirtualNetwork": reference("virtualNetworks/b")});
        peering["allowForwardedTraffic"] = flag;
        let prefixes = json!({"value": ["10.0.0.0/16", "10.1.0.0/16"], "Count": 2});
        read(resource(
            "virtualNetworks",
            "virtualNetworks/a",
            json!({
                "addressSpace": {"addressPrefixes": prefixes},
                "virtualNetworkPeerings": [child("virtualNetworks/a/virtualNetworkPeerings/p", peering)],
            }),
        ))
    };
    for (flag, want) in [
        (json!(true), true),
        (json!("True"), true),
        (json!(" true"), true),
        (json!("False"), false),
        (json!(""), false),
        (json!(null), false),
    ] {
        let network = &peering(flag.clone()).virtual_networks[0];
        assert_eq!(network.peerings[0].allow_forwarded_traffic, want, "{flag}");
        assert_eq!(network.address_space, self::prefixes(&["10.0.0.0/16", "10.1.0.0/16"]));
    }
}

#[test]
fn an_identifier_is_within_itself_and_what_it_begins() {
    let network = ResourceId::new(id("virtualNetworks/a"));
    for (path, want) in [
        ("virtualNetworks/a", true),
        ("VIRTUALNETWORKS/A/", true),
        ("virtualNetworks/a/subnets/s", true),
        ("virtualNetworks/ab", false),
        ("virtualNetworks/b/subnets/a", false),
        ("routeTables/virtualNetworks/a", false),
    ] {
        assert_eq!(ResourceId::new(id(path)).is_within(&network), want, "{path}");
    }
    assert!(!network.is_within(&ResourceId::new("")));
    assert!(!network.is_within(&ResourceId::new("/")));
}

#[test]
fn route_tables_nics_and_private_endpoints() {
    let resources = read(Value::Array(every_kind()));
    let table = &resources.route_tables[0];
    assert!(table.disable_bgp_route_propagation && table.disable_peering_route);
    assert_eq!(table.subnets, [ResourceId::new(id("virtualNetworks/hub/subnets/apps"))]);
    let route =
        |name: &str, destination, next_hop_type, ips: &[&str], has_bgp_override| UserRoute {
            name: name.to_owned(),
            destination,
            next_hop_type,
            next_hop_ips: ips.iter().map(|ip| address(ip)).collect(),
            has_bgp_override,
        };
    let to = |text: &str| RouteDestination::Prefix(prefix(text));
    assert_eq!(
        table.routes,
        [
            route("default", to("0.0.0.0/0"), NextHopType::VirtualAppliance, &["10.0.0.4"], true),
            route(
                "tag",
                RouteDestination::ServiceTag("Storage.WestEurope".to_owned()),
                NextHopType::Internet,
                &[],
                false
            ),
            route(
                "set",
                to("10.9.0.0/16"),
                NextHopType::VirtualApplianceEcmp,
                &["10.0.0.5", "10.0.0.6"],
                false
            ),
        ]
    );
    let nic = &resources.network_interfaces[0];
    assert_eq!(nic.mac, Some("000D3AF87856".parse().unwrap()));
    assert!(nic.enable_ip_forwarding);
    assert_eq!(nic.virtual_machine, Some(ResourceId::new("/vm")));
    assert_eq!(nic.private_endpoint, Some(ResourceId::new("/pe")));
    let configuration = &nic.ip_configurations[0];
    assert_eq!(configuration.id.as_str(), id("networkInterfaces/nic/ipConfigurations/c"));
    assert_eq!(configuration.private_ip_address, Some(address("10.0.1.4")));
    assert_eq!(configuration.subnet, Some(ResourceId::new(id("virtualNetworks/hub/subnets/apps"))));
    assert_eq!(configuration.public_ip_address, Some(ResourceId::new(id("publicIPAddresses/pip"))));
    assert_eq!(configuration.load_balancer_pools.len(), 1);
    assert_eq!(configuration.application_gateway_pools.len(), 1);
    let endpoint = &resources.private_endpoints[0];
    let in_dns = ["10.0.1.5", "10.0.1.6"].map(address).to_vec();
    assert_eq!(endpoint.host_names, [("db".to_owned(), in_dns)]);
    assert_eq!(endpoint.subnet, Some(ResourceId::new(id("virtualNetworks/hub/subnets/apps"))));
    assert_eq!(endpoint.network_interfaces, [ResourceId::new(id("networkInterfaces/pe.nic"))]);
    assert_eq!(endpoint.addresses, [address("10.0.1.5"), address("10.0.1.6")]);
    assert!(!endpoint.is_approved);
}

#[test]
fn gateways_and_connections() {
    let resources = read(Value::Array(every_kind()));
    let gateway = &resources.gateways[0];
    assert!(gateway.is_express_route && gateway.is_policy_based && gateway.is_active_active);
    assert_eq!(gateway.sku, "VpnGw2AZ");
    assert_eq!(gateway.ip_configurations[0].private_ip_address, Some(address("10.0.1.4")));
    assert_eq!(gateway.bgp_addresses, [address("10.0.9.6"), address("10.0.9.7")]);
    assert_eq!(gateway.client_address_pool, prefixes(&["172.20.0.0/24", "172.20.1.0/24"]));
    assert_eq!(gateway.custom_routes, prefixes(&["10.7.0.0/16"]));
    assert_eq!(gateway.default_site, Some(ResourceId::new(id("localNetworkGateways/lng"))));
    let local = &resources.local_network_gateways[0];
    assert_eq!(local.address_prefixes, prefixes(&["192.168.0.0/16"]));
    assert_eq!(local.bgp_peering_address, Some(address("192.168.255.1")));
    let connection = &resources.connections[0];
    assert_eq!(connection.connection_type, ConnectionType::Vnet2Vnet);
    assert!(connection.is_not_connected && connection.enable_bgp && connection.is_fastpath);
    assert_eq!(connection.gateway, ResourceId::new(id("virtualNetworkGateways/gw")));
    assert_eq!(
        connection.remote_gateway,
        Some(ResourceId::new(id("virtualNetworkGateways/other")))
    );
    assert!(connection.local_network_gateway.is_some());

    // Both instances in one text, where no list tells them.
    let older = read(json!({"id": id("virtualNetworkGateways/gw"), "active": true,
        "bgpSettings": {"bgpPeeringAddress": "10.0.9.4,10.0.9.5"}}));
    assert!(older.gateways[0].is_active_active);
    assert_eq!(older.gateways[0].bgp_addresses, [address("10.0.9.4"), address("10.0.9.5")]);
}

#[test]
fn hubs_and_what_belongs_to_them() {
    let resources = read(Value::Array(every_kind()));
    let vhub = ResourceId::new(id("virtualHubs/vhub"));
    let firewall = ResourceId::new(id("azureFirewalls/fw"));
    let hub = &resources.virtual_hubs[0];
    assert_eq!(hub.address_prefix, Some(prefix("10.100.0.0/23")));
    assert!(hub.virtual_wan.is_some() && hub.has_gateway);
    assert_eq!(hub.azure_firewall.as_ref(), Some(&firewall));
    assert_eq!(hub.virtual_router_ips, [address("10.100.0.68"), address("10.100.0.69")]);
    let connection = &resources.hub_connections[0];
    assert_eq!(connection.hub, vhub);
    assert_eq!(connection.virtual_network, ResourceId::new(id("virtualNetworks/spoke")));
    assert!(!connection.enable_internet_security);
    assert_eq!(
        connection.associated_route_table,
        Some(ResourceId::new(id("virtualHubs/vhub/hubRouteTables/defaultRouteTable")))
    );
    assert_eq!(connection.propagated_route_tables.len(), 1);
    assert_eq!(connection.propagated_labels, ["none"]);
    let static_route = HubStaticRoute {
        name: "s".to_owned(),
        address_prefixes: prefixes(&["10.8.0.0/16"]),
        next_hop_ip: Some(address("10.1.0.4")),
    };
    assert_eq!(connection.static_routes, [static_route]);
    let table = &resources.hub_route_tables[0];
    assert_eq!(table.hub, vhub);
    assert_eq!(table.labels, ["default"]);
    assert_eq!(table.routes[0].name, "all_traffic");
    assert_eq!(table.routes[0].destinations, prefixes(&["0.0.0.0/0", "10.0.0.0/8"]));
    assert_eq!(table.routes[0].next_hop, firewall);
    let intent = &resources.routing_intents[0];
    assert_eq!(intent.hub, vhub);
    assert_eq!(intent.internet.as_ref(), Some(&firewall));
    assert_eq!(intent.private_traffic, Some(ResourceId::new(id("networkVirtualAppliances/nva"))));
    let branches: Vec<_> = resources
        .hub_branches
        .iter()
        .map(|branch| {
            (branch.header.name.as_str(), branch.hub.clone(), branch.address_prefixes.clone())
        })
        .collect();
    assert_eq!(
        branches,
        [
            ("branch", Some(vhub.clone()), prefixes(&["192.168.50.0/24"])),
            ("p2s", Some(vhub), prefixes(&["172.21.0.0/24"])),
        ]
    );
}

#[test]
fn a_site_has_a_branch_for_each_hub_that_reaches_it() {
    let site =
        json!({"id": id("vpnSites/b"), "addressSpace": {"addressPrefixes": ["192.168.50.0/24"]}});
    let gateway = |name: &str, hub: &str| json!({"id": id(&format!("vpnGateways/{name}")), "virtualHub": reference(hub)});
    let connection = |gateway: &str| json!({"id": id(&format!("vpnGateways/{gateway}/vpnConnections/c")), "remoteVpnSite": reference("VPNSITES/B")});
    let hubs = |documents: Value| -> Vec<_> {
        read(documents).hub_branches.into_iter().map(|branch| branch.hub).collect()
    };
    assert_eq!(hubs(json!([site])), [None]);
    assert_eq!(
        hubs(json!([
            connection("g2"),
            site,
            gateway("g1", "virtualHubs/h1"),
            gateway("g2", "virtualHubs/h2"),
            connection("g1")
        ])),
        [Some(ResourceId::new(id("virtualHubs/h2"))), Some(ResourceId::new(id("virtualHubs/h1")))]
    );
}

#[test]
fn a_route_server_is_found_in_its_subnet() {
    let hub = json!({"id": id("virtualHubs/rs"), "kind": "RouteServer", "virtualRouterIps": ["10.0.3.4"],
        "ipConfigurations": [reference("virtualHubs/rs/ipConfigurations/c")]});
    let subnet = "virtualNetworks/hub/subnets/RouteServerSubnet";
    let network = json!({"id": id("virtualNetworks/hub"), "addressSpace": {"addressPrefixes": ["10.0.0.0/16"]},
        "subnets": [{"id": id(subnet), "name": "RouteServerSubnet",
            "ipConfigurations": [reference("VIRTUALHUBS/RS/ipConfigurations/c")]}]});
    let configuration =
        json!({"id": id("virtualHubs/rs/ipConfigurations/c"), "subnet": reference(subnet)});
    for documents in [json!([hub, network]), json!([configuration, hub])] {
        let resources = read(documents);
        let server = &resources.virtual_hubs[0];
        assert_eq!(server.route_server_subnet, Some(ResourceId::new(id(subnet))));
        assert_eq!(server.virtual_wan, None);
    }
}

#[test]
fn firewalls_gateways_and_balancers_of_applications() {
    let resources = read(Value::Array(every_kind()));
    let firewall = &resources.firewalls[0];
    assert_eq!(firewall.ip_configurations.len(), 1);
    assert_eq!(firewall.hub_private_ip, Some(address("10.100.0.132")));
    assert!(firewall.virtual_hub.is_some() && firewall.firewall_policy.is_some());
    assert_eq!(
        firewall.snat_private_ranges,
        prefixes(&[
            "10.0.0.0/8",
            "172.16.0.0/12",
            "192.168.0.0/16",
            "100.64.0.0/10",
            "203.0.113.0/24"
        ])
    );
    assert_eq!(
        resources.firewall_policies[0].snat_private_ranges,
        prefixes(&["198.51.100.0/24", "255.255.255.255/32"])
    );
    let gateway = &resources.application_gateways[0];
    assert!(gateway.is_v2);
    assert_eq!(gateway.subnets, [ResourceId::new(id("virtualNetworks/hub/subnets/agw"))]);
    let pool = &gateway.pools[0];
    assert_eq!(pool.id.as_str(), id("applicationGateways/ag/backendAddressPools/p"));
    assert_eq!(pool.name, "p");
    assert_eq!(pool.addresses, [address("10.0.1.9"), address("10.0.1.10")]);
    assert_eq!(pool.host_names, ["shop.example"]);
    assert_eq!(pool.ip_configurations.len(), 1);
    let balancer = &resources.load_balancers[0];
    assert_eq!(balancer.frontends[0].private_ip_address, Some(address("10.0.1.4")));
    assert_eq!(balancer.backend_pools.len(), 1);
    assert_eq!(resources.public_ip_addresses[0].ip_address, Some(address("203.0.113.7")));
    for (tier, is_v2) in [("Standard", false), ("Standard_v2", true), ("WAF", false)] {
        let read = read(json!({"id": id("applicationGateways/ag"), "sku": {"tier": tier}}));
        assert_eq!(read.application_gateways[0].is_v2, is_v2, "{tier}");
    }
}

#[test]
fn sites_gather_what_any_export_tells() {
    let resources = read(Value::Array(every_kind()));
    let site = &resources.sites[0];
    assert_eq!(
        site.integration_subnet,
        Some(ResourceId::new(id("virtualNetworks/hub/subnets/web")))
    );
    assert_eq!(site.route_all, Some(true));
    assert_eq!(site.hosting_environment, Some(ResourceId::new("/ase")));
    assert_eq!(
        site.gateway_required_virtual_network,
        Some(ResourceId::new(id("virtualNetworks/legacy")))
    );

    let bare = json!({"id": format!("{WEB}/sites/Shop"), "name": "Shop"});
    let told = |key: &str, value: Value| json!({"id": format!("{WEB}/sites/shop"), "name": "shop", "properties": {key: value}});
    let off = json!([{"name": "WEBSITE_VNET_ROUTE_ALL", "slotSetting": false, "value": "0"}]);
    let on = json!([{"name": "SECRET", "slotSetting": false, "value": "x"}, {"name": "WEBSITE_VNET_ROUTE_ALL", "value": "1"}]);
    let property_on = told("vnetRouteAllEnabled", json!(true));
    let property_off = told("vnetRouteAllEnabled", json!(false));
    for (files, want) in [
        (vec![("s.json", bare.clone())], None),
        (vec![("s.json", property_off.clone())], Some(false)),
        (vec![("s.json", property_on.clone())], Some(true)),
        (vec![("s.json", told("siteConfig", json!({"vnetRouteAllEnabled": true})))], Some(true)),
        (vec![("s.json", told("outboundVnetRouting", json!({"allTraffic": true})))], Some(true)),
        (vec![("SHOP.json", on.clone()), ("z.json", property_off.clone())], Some(true)),
        (vec![("s.json", property_on), ("shop.appsettings.json", off.clone())], Some(true)),
        (vec![("s.json", bare.clone()), ("shop.json", off)], Some(false)),
        (
            vec![
                ("s.json", bare.clone()),
                ("settings.json", json!({"site": format!("{WEB}/sites/shop"), "value": on})),
            ],
            Some(true),
        ),
        (
            vec![
                ("s.json", bare.clone()),
                (
                    "c.json",
                    json!({"id": format!("{WEB}/sites/shop/config/web"), "name": "web", "properties": {"vnetRouteAllEnabled": true}}),
                ),
            ],
            Some(true),
        ),
        (
            vec![
                ("s.json", bare.clone()),
                (
                    "c.json",
                    json!({"id": format!("{WEB}/sites/shop/config/appsettings"), "name": "appsettings",
                           "type": "Microsoft.Web/sites/config", "properties": {"WEBSITE_VNET_ROUTE_ALL": "1"}}),
                ),
            ],
            Some(true),
        ),
    ] {
        let (resources, warnings) = read_all(&files);
        assert_eq!(warnings, [], "{files:?}");
        let [site] = resources.sites.as_slice() else { panic!("{files:?}: {resources:?}") };
        assert_eq!(site.route_all, want, "{files:?}");
    }
    // Settings are of the site that they name, and of no other.
    let another = json!({"id": format!("{WEB}/sites/cart"), "name": "cart"});
    let (resources, warnings) =
        read_all(&[("s.json", json!([bare, another])), ("shop.json", on.clone())]);
    assert_eq!(warnings, []);
    let of_each: Vec<_> = resources.sites.iter().map(|site| site.route_all).collect();
    assert_eq!(of_each, [Some(true), None]);
    let (_, warnings) = read_all(&[("other.json", on)]);
    assert_eq!(warnings[0].message, "settings of the site `other`, which no export holds");
}

#[test]
fn integrations_are_told_by_their_kind() {
    let site = json!({"id": format!("{WEB}/sites/shop")});
    let connection = |target: &str, is_swift: bool| {
        json!({"id": format!("{WEB}/sites/SHOP/virtualNetworkConnections/c"),
               "properties": {"vnetResourceId": id(target), "isSwift": is_swift}})
    };
    let resources = read(json!([connection("virtualNetworks/v/subnets/s", true), site]));
    let subnet = ResourceId::new(id("virtualNetworks/v/subnets/s"));
    assert_eq!(resources.sites.len(), 1);
    assert_eq!(resources.sites[0].integration_subnet, Some(subnet));
    assert_eq!(resources.sites[0].gateway_required_virtual_network, None);
    let resources = read(json!([site, connection("virtualNetworks/v", false)]));
    assert_eq!(resources.sites[0].integration_subnet, None);
    assert!(resources.sites[0].gateway_required_virtual_network.is_some());
    // A connection of a site that no export holds makes no site.
    assert_eq!(read(connection("virtualNetworks/v", false)).sites.len(), 0);
}

#[test]
fn learned_routes_belong_to_the_gateway_that_the_file_names() {
    let own = json!({"localAddress": "10.0.9.4", "network": "10.0.0.0/16", "nextHop": null, "origin": "Network", "sourcePeer": "10.0.9.4", "asPath": "", "weight": 32768});
    let learned = json!({"localAddress": "10.0.9.4", "network": "192.168.0.0/16", "nextHop": "192.168.255.1", "origin": "EBgp", "sourcePeer": "192.168.255.1", "asPath": "65001", "weight": 32768});
    let of = |gateway: &str| {
        let route = |network: &str, hop: Option<&str>, origin: &str| LearnedRoute {
            gateway: gateway.to_owned(),
            prefix: prefix(network),
            next_hop: hop.map(address),
            origin: origin.to_owned(),
        };
        [
            route("10.0.0.0/16", None, "Network"),
            route("192.168.0.0/16", Some("192.168.255.1"), "EBgp"),
        ]
    };
    let rows = json!([own, learned]);
    let whole = id("virtualNetworkGateways/gw");
    for (file, document, gateway) in [
        ("hub/hub-gw.json", json!({"value": rows}), "hub-gw"),
        ("hub-gw.learned-routes.json", rows.clone(), "hub-gw"),
        ("x.json", json!({"gateway": whole, "value": {"value": rows}}), whole.as_str()),
        ("x.json", json!({"id": whole, "value": rows}), whole.as_str()),
        ("x.json", json!([{"gateway": "hub-gw", "value": rows}]), "hub-gw"),
        (
            "rs.json",
            json!({"RouteServiceRole_IN_0": rows, "RouteServiceRole_IN_1": rows, "value": null}),
            "rs",
        ),
        (
            "x.json",
            json!({"gateway": "rs", "value": {"RouteServiceRole_IN_0": [], "RouteServiceRole_IN_1": rows}}),
            "rs",
        ),
    ] {
        let (resources, warnings) = read_all(&[(file, document)]);
        assert_eq!(resources.learned_routes, of(gateway));
        assert_eq!(warnings, []);
    }
}

#[test]
fn routes_that_a_gateway_advertises_are_not_learned() {
    let row = |network: &str, origin: &str| json!({"network": network, "nextHop": "10.0.9.4", "origin": origin, "asPath": "65515"});
    let mut reader = ResourceReader::default();
    let rows = json!({"value": [row("10.0.0.0/16", "Igp"), row("10.1.0.0/16", "Incomplete"), row("10.2.0.0/16", "IBgp")]});
    let found = reader.read("gw.json", &rows.to_string()).unwrap();
    assert_eq!(found.used_count, 1);
    assert_eq!(found.ignored_types["routes that a gateway advertises"], 2);
    assert_eq!(reader.finish().0.learned_routes[0].prefix, prefix("10.2.0.0/16"));
}

#[test]
fn backend_health_lists_each_server_once() {
    let pool = id("applicationGateways/ag/backendaddressPools/p");
    let setting = |servers: Value| json!({"backendHttpSettings": {"id": "h"}, "servers": servers});
    let document = json!({"backendAddressPools": [
        {"backendAddressPool": {"id": pool}, "backendHttpSettingsCollection": [
            setting(json!([{"address": "10.0.1.4", "health": "Up"}, {"address": "shop.example", "health": "Down"}])),
            setting(json!([{"address": "10.0.1.4", "health": "Up"}])),
        ]},
        {"backendHttpSettingsCollection": [{"servers": [{"address": "10.0.1.5", "health": "Unknown"}]}]},
    ]});
    let resources = read(document);
    let pair = |address: &str, health: &str| (address.to_owned(), health.to_owned());
    assert_eq!(resources.backend_health[0].pool, ResourceId::new(pool));
    assert_eq!(
        resources.backend_health[0].servers,
        [pair("10.0.1.4", "Up"), pair("shop.example", "Down")]
    );
    assert!(resources.backend_health[1].pool.is_empty());
    assert_eq!(resources.backend_health[1].servers, [pair("10.0.1.5", "Unknown")]);
    assert_eq!(resources.application_gateways.len(), 0);
}

#[test]
fn published_backend_health_is_read() {
    let Some(corpus) = std::env::var_os("NEXTHOP_CORPUS") else {
        eprintln!("SKIPPED: NEXTHOP_CORPUS does not name the folder of published exports");
        return;
    };
    for (file, pools, servers) in [
        ("appgw-backend-health-cli-shape.json", 1, 1),
        ("appgw-backend-health-rest-example.json", 2, 3),
    ] {
        let path = std::path::Path::new(&corpus).join("routes").join(file);
        let mut reader = ResourceReader::default();
        reader.read(file, &std::fs::read_to_string(path).unwrap()).unwrap();
        let health = reader.finish().0.backend_health;
        assert_eq!(health.len(), pools, "{file}");
        assert_eq!(health.iter().map(|pool| pool.servers.len()).sum::<usize>(), servers, "{file}");
    }
}

#[test]
fn of_two_exports_the_one_that_says_more_wins() {
    let list = json!({"id": id("connections/C"), "name": "c", "connectionType": "IPsec",
        "virtualNetworkGateway1": reference("virtualNetworkGateways/gw"), "connectionStatus": "Unknown", "location": "westus"});
    let show = json!({"id": id("connections/c"), "name": "c", "connectionType": "IPsec", "enableBgp": false,
        "virtualNetworkGateway1": reference("virtualNetworkGateways/gw"), "connectionStatus": "NotConnected",
        "localNetworkGateway2": reference("localNetworkGateways/l")});
    let stub = json!({"id": id("CONNECTIONS/c"), "enableBgp": true});
    for order in
        [[&list, &show, &stub], [&stub, &show, &list], [&show, &stub, &list], [&stub, &list, &show]]
    {
        let resources = read(json!(order));
        let [connection] = resources.connections.as_slice() else { panic!("{resources:?}") };
        assert!(connection.is_not_connected);
        assert!(!connection.enable_bgp);
        assert_eq!(connection.header.location, "westus");
        assert!(connection.local_network_gateway.is_some());
    }
}

#[test]
fn children_of_their_own_are_added_to_their_vnet() {
    let vnet = json!({"id": id("virtualNetworks/hub"), "addressSpace": {"addressPrefixes": ["10.0.0.0/16"]},
        "subnets": [{"id": id("virtualNetworks/hub/subnets/a"), "name": "a", "addressPrefix": "10.0.1.0/24", "routeTable": {"id": id("routeTables/rt")}}],
        "virtualNetworkPeerings": [{"name": "p", "peeringState": "Connected"}]});
    let subnets = json!([
        {"id": id("virtualNetworks/HUB/subnets/A"), "name": "A", "privateEndpointNetworkPolicies": "Enabled"},
        {"id": id("virtualNetworks/hub/subnets/b"), "name": "b", "addressPrefix": "10.0.2.0/24", "type": "Microsoft.Network/virtualNetworks/subnets"},
    ]);
    let peerings = json!([{"id": id("virtualNetworks/hub/virtualNetworkPeerings/P"), "name": "P", "useRemoteGateways": true}]);
    for files in [
        [("v.json", vnet.clone()), ("s.json", subnets.clone()), ("p.json", peerings.clone())],
        [("s.json", subnets), ("p.json", peerings), ("v.json", vnet)],
    ] {
        let (resources, warnings) = read_all(&files);
        assert_eq!(warnings, []);
        let [network] = resources.virtual_networks.as_slice() else { panic!("{resources:?}") };
        let [a, b] = network.subnets.as_slice() else { panic!("{network:?}") };
        assert_eq!(a.address_prefixes, prefixes(&["10.0.1.0/24"]));
        assert!(a.route_table.is_some());
        assert!(a.private_endpoint_network_policies.applies_route_tables());
        assert_eq!(b.address_prefixes, prefixes(&["10.0.2.0/24"]));
        let [peering] = network.peerings.as_slice() else { panic!("{network:?}") };
        assert_eq!(peering.state, PeeringState::Connected);
        assert!(peering.use_remote_gateways);
    }
}

#[test]
fn routes_of_their_own_are_added_to_their_table() {
    let route = json!({"id": id("routeTables/rt/routes/r"), "name": "r", "addressPrefix": "10.0.0.0/8", "nextHopType": "None"});
    let table =
        json!({"id": id("routeTables/RT"), "name": "RT", "disableBgpRoutePropagation": true});
    for documents in [json!([route, table]), json!([table, route])] {
        let resources = read(documents);
        assert_eq!(resources.route_tables.len(), 1);
        assert_eq!(resources.route_tables[0].routes.len(), 1);
        assert!(resources.route_tables[0].disable_bgp_route_propagation);
    }
    let alone = read(route);
    assert_eq!(alone.route_tables[0].header.name, "rt");
}

#[test]
fn a_vnet_without_address_space_is_left_out_and_told() {
    let (resources, warnings) = read_all(&[
        (
            "subnets.json",
            json!([{"id": id("virtualNetworks/lost/subnets/a"), "addressPrefix": "10.0.1.0/24"}]),
        ),
        (
            "stubs.json",
            json!([{"id": id("virtualNetworks/stub"), "type": "Microsoft.Network/virtualNetworks"}]),
        ),
    ]);
    assert_eq!(resources.virtual_networks.len(), 0);
    let told: Vec<_> =
        warnings.iter().map(|warning| (warning.file.as_str(), warning.message.as_str())).collect();
    assert_eq!(
        told,
        [
            (
                "subnets.json",
                "no export tells the address space of the VNet `lost`; it and its subnets are not used"
            ),
            (
                "stubs.json",
                "no export tells the address space of the VNet `stub`; it and its subnets are not used"
            ),
        ]
    );
}

#[test]
fn a_route_that_lacks_its_prefix_is_left_out_and_told() {
    let (resources, warnings) = read_all(&[(
        "rt.json",
        json!({"id": id("routeTables/rt"), "routes": [reference("routeTables/rt/routes/a"), {"name": "b", "addressPrefix": "10.0.0.0/8"}]}),
    )]);
    assert_eq!(resources.route_tables[0].routes, []);
    assert_eq!(
        warnings[0].message,
        "2 user-defined routes without a prefix or a next hop type are left out"
    );
}

#[test]
fn one_name_in_two_groups_or_subscriptions_is_two_resources() {
    let vnet = |scope: &str, space: &str| {
        json!({"id": format!("/subscriptions/{scope}/providers/Microsoft.Network/virtualNetworks/hub"),
               "name": "hub", "addressSpace": {"addressPrefixes": [space]}})
    };
    let resources = read(json!([
        vnet("s1/resourceGroups/g", "10.0.0.0/16"),
        vnet("s2/resourceGroups/g", "10.1.0.0/16"),
        vnet("s1/resourceGroups/h", "10.2.0.0/16"),
        vnet("S1/resourcegroups/G", "10.0.0.0/16"),
    ]));
    assert_eq!(resources.virtual_networks.len(), 3);
    // Without identifiers nothing is known to be the same.
    let bare = json!({"name": "hub", "addressSpace": {"addressPrefixes": ["10.0.0.0/16"]}, "subnets": [{"name": "a"}, {}, {}]});
    let resources = read(json!([bare, bare]));
    assert_eq!(resources.virtual_networks.len(), 2);
    assert_eq!(resources.virtual_networks[1].subnets.len(), 3);
    assert!(resources.virtual_networks[1].subnets[0].header.id.is_empty());
}

#[test]
fn other_types_are_counted() {
    let mut reader = ResourceReader::default();
    let found = reader
        .read(
            "all.json",
            &json!([
                {"id": "/subscriptions/s/resourceGroups/g/providers/Microsoft.Compute/disks/d", "type": "Microsoft.Compute/disks"},
                {"type": "microsoft.compute/DISKS"},
                {"id": id("networkSecurityGroups/n")},
                {"id": id("loadBalancers/l")},
                {"name": "neither"},
                {"id": "peering", "remoteVirtualNetwork": {"id": "x"}},
                "text", 7, null,
            ])
            .to_string(),
        )
        .unwrap();
    assert_eq!(found.used_count, 1);
    let ignored: Vec<_> =
        found.ignored_types.iter().map(|(name, count)| (name.as_str(), *count)).collect();
    assert_eq!(
        ignored,
        [
            ("Microsoft.Compute/disks", 2),
            ("Microsoft.Network/networkSecurityGroups", 1),
            ("virtualNetworkPeerings without an identifier", 1)
        ]
    );
    assert!(!reader.is_empty());
    let nothing = ResourceReader::default().read("x.json", "[{\"a\": 1}, []]").unwrap();
    assert_eq!(nothing, ReadFile::default());
}

#[test]
fn names_are_kept_as_data() {
    let name = "</script><b>\u{1b}[31m\u{0}\"'é";
    let resources =
        read(json!({"id": id("publicIPAddresses/<b>"), "name": name, "ipAddress": "203.0.113.1"}));
    assert_eq!(resources.public_ip_addresses[0].header.name, name);
}

/// Puts a value into one of the kinds and expects the error at its place, nested and flattened.
#[test]
fn a_value_of_the_wrong_shape_is_placed() {
    const BAD_PREFIX: &str = "the prefix length of `10.0.0.0/33` is not a number from 0 to 32";
    const NO_PREFIX: &str = "`10.0.0/8` is not an IP address prefix";
    const NO_ADDRESS: &str = "`10.0.0.256` is not an IP address";
    for (kind, path, value, place, problem) in [
        (
            0,
            "/properties/addressSpace/addressPrefixes/1",
            json!("10.0.0.0/33"),
            "$.properties.addressSpace.addressPrefixes[1]",
            BAD_PREFIX,
        ),
        (
            0,
            "/properties/addressSpace",
            json!("10.0.0.0/16"),
            "$.properties.addressSpace",
            "not an object",
        ),
        (0, "/properties/subnets", json!({}), "$.properties.subnets", "not a list"),
        (0, "/properties/subnets/0", json!("apps"), "$.properties.subnets[0]", "not an object"),
        (
            0,
            "/properties/subnets/0/properties/addressPrefix",
            json!("10.0.0/8"),
            "$.properties.subnets[0].properties.addressPrefix",
            NO_PREFIX,
        ),
        (
            0,
            "/properties/subnets/0/properties/routeTable",
            json!(1),
            "$.properties.subnets[0].properties.routeTable",
            "not a reference to a resource",
        ),
        (
            0,
            "/properties/subnets/0/properties/routeTable/id",
            json!(1),
            "$.properties.subnets[0].properties.routeTable.id",
            "not a text",
        ),
        (
            0,
            "/properties/virtualNetworkPeerings/0/properties/allowForwardedTraffic",
            json!("perhaps"),
            "$.properties.virtualNetworkPeerings[0].properties.allowForwardedTraffic",
            "`perhaps` is neither true nor false",
        ),
        (
            0,
            "/properties/virtualNetworkPeerings/0/properties/remoteAddressSpace/addressPrefixes/0",
            json!(true),
            "$.properties.virtualNetworkPeerings[0].properties.remoteAddressSpace.addressPrefixes[0]",
            "not a text",
        ),
        (
            1,
            "/properties/routes/1/properties/addressPrefix",
            json!("10.0.0.0/33"),
            "$.properties.routes[1].properties.addressPrefix",
            BAD_PREFIX,
        ),
        (
            1,
            "/properties/routes/0/properties/nextHopIpAddress",
            json!("10.0.0.256"),
            "$.properties.routes[0].properties.nextHopIpAddress",
            NO_ADDRESS,
        ),
        (
            1,
            "/properties/routes/2/properties/nextHop/nextHopIpAddresses/1",
            json!("10.0.0.256"),
            "$.properties.routes[2].properties.nextHop.nextHopIpAddresses[1]",
            NO_ADDRESS,
        ),
        (
            2,
            "/properties/macAddress",
            json!("00-0D"),
            "$.properties.macAddress",
            "`00-0D` is not a MAC address of 12 hexadecimal digits",
        ),
        (
            2,
            "/properties/ipConfigurations/0/properties/privateIPAddress",
            json!("10.0.0.256"),
            "$.properties.ipConfigurations[0].properties.privateIPAddress",
            NO_ADDRESS,
        ),
        (
            2,
            "/properties/enableIPForwarding",
            json!(1),
            "$.properties.enableIPForwarding",
            "not true or false",
        ),
        (
            3,
            "/properties/customDnsConfigs/0/ipAddresses/1",
            json!("10.0.0.256"),
            "$.properties.customDnsConfigs[0].ipAddresses[1]",
            NO_ADDRESS,
        ),
        (
            4,
            "/properties/vpnClientConfiguration/vpnClientAddressPool/addressPrefixes/0",
            json!("10.0.0/8"),
            "$.properties.vpnClientConfiguration.vpnClientAddressPool.addressPrefixes[0]",
            NO_PREFIX,
        ),
        (
            4,
            "/properties/bgpSettings/bgpPeeringAddresses/1/defaultBgpIpAddresses/0",
            json!("10.0.0.256"),
            "$.properties.bgpSettings.bgpPeeringAddresses[1].defaultBgpIpAddresses[0]",
            NO_ADDRESS,
        ),
        (
            5,
            "/properties/localNetworkAddressSpace/addressPrefixes/0",
            json!("10.0.0.0/33"),
            "$.properties.localNetworkAddressSpace.addressPrefixes[0]",
            BAD_PREFIX,
        ),
        (
            7,
            "/properties/addressPrefix",
            json!("10.0.0/8"),
            "$.properties.addressPrefix",
            NO_PREFIX,
        ),
        (
            7,
            "/properties/virtualRouterIps/0",
            json!("10.0.0.256"),
            "$.properties.virtualRouterIps[0]",
            NO_ADDRESS,
        ),
        (
            8,
            "/properties/routingConfiguration/vnetRoutes/staticRoutes/0/nextHopIpAddress",
            json!("10.0.0.256"),
            "$.properties.routingConfiguration.vnetRoutes.staticRoutes[0].nextHopIpAddress",
            NO_ADDRESS,
        ),
        (
            9,
            "/properties/routes/0/destinations/1",
            json!("10.0.0/8"),
            "$.properties.routes[0].destinations[1]",
            NO_PREFIX,
        ),
        (
            11,
            "/properties/addressSpace/addressPrefixes/0",
            json!("10.0.0/8"),
            "$.properties.addressSpace.addressPrefixes[0]",
            NO_PREFIX,
        ),
        (
            13,
            "/properties/p2SConnectionConfigurations/0/properties/vpnClientAddressPool/addressPrefixes/0",
            json!("10.0.0/8"),
            "$.properties.p2SConnectionConfigurations[0].properties.vpnClientAddressPool.addressPrefixes[0]",
            NO_PREFIX,
        ),
        (
            14,
            "/properties/hubIPAddresses/privateIPAddress",
            json!("10.0.0.256"),
            "$.properties.hubIPAddresses.privateIPAddress",
            NO_ADDRESS,
        ),
        (
            14,
            "/properties/additionalProperties/Network.SNAT.PrivateRanges",
            json!("10.0.0/8"),
            "$.properties.additionalProperties[\"Network.SNAT.PrivateRanges\"]",
            NO_PREFIX,
        ),
        (
            16,
            "/properties/backendAddressPools/0/properties/backendAddresses/0/ipAddress",
            json!("10.0.0.256"),
            "$.properties.backendAddressPools[0].properties.backendAddresses[0].ipAddress",
            NO_ADDRESS,
        ),
        (18, "/properties/ipAddress", json!("10.0.0.256"), "$.properties.ipAddress", NO_ADDRESS),
    ] {
        let mut broken = every_kind().swap_remove(kind);
        *broken.pointer_mut(path).unwrap_or_else(|| panic!("{path}")) = value;
        assert_eq!(error(&broken), format!("{place}: {problem}"));
        let flat = place.replace(".properties", "").replace('$', "$.value[1]");
        let page = json!({"value": [{}, flattened(&broken)]});
        assert_eq!(error(&page), format!("{flat}: {problem}"));
    }
}

#[test]
fn a_field_that_is_there_twice_is_an_error() {
    for text in [
        r#"{"addressSpace": {"addressPrefixes": ["10.0.0.0/8"], "AddressPrefixes": ["10.0.0.0/16"]}}"#,
        r#"{"addressSpace": {"addressPrefixes": ["10.0.0.0/8"], "addressPrefixes": ["10.0.0.0/8"]}}"#,
    ] {
        let error = ResourceReader::default().read("a.json", text).unwrap_err().to_string();
        assert!(error.ends_with("ddressPrefixes: the key is there twice"), "{error}");
    }
}

#[test]
fn broken_and_deep_json_is_an_error_with_its_place() {
    let error = ResourceReader::default().read("a.json", "[{\"id\": \n").unwrap_err();
    assert!(matches!(error, ResourceFileError::Json { line: 2, .. }), "{error}");
    for open in ["[", r#"{"properties":"#, r#"{"value":["#] {
        let error = ResourceReader::default().read("a.json", &open.repeat(10_000)).unwrap_err();
        assert!(error.to_string().contains("recursion limit"), "{error}");
    }
}

/// Any value at any key that some reader asks for.
fn any_document() -> impl Strategy<Value = Value> {
    let keys: Vec<String> = {
        let mut keys = vec![
            "network",
            "nextHop",
            "origin",
            "value",
            "data",
            "RouteServiceRole_IN_0",
            "slotSetting",
            "output",
        ]
        .into_iter()
        .map(str::to_owned)
        .collect::<Vec<_>>();
        fn collect(value: &Value, keys: &mut Vec<String>) {
            match value {
                Value::Array(values) => values.iter().for_each(|value| collect(value, keys)),
                Value::Object(pairs) => pairs.iter().for_each(|(key, value)| {
                    keys.push(key.clone());
                    collect(value, keys);
                }),
                _ => {}
            }
        }
        every_kind().iter().for_each(|kind| collect(kind, &mut keys));
        keys.sort();
        keys.dedup();
        keys
    };
    let types: Vec<Value> = every_kind().iter().map(|kind| kind["type"].clone()).collect();
    let ids: Vec<Value> = every_kind().iter().map(|kind| kind["id"].clone()).collect();
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        ".{0,12}".prop_map(Value::from),
        prop::sample::select(vec![
            "10.0.0.0/8",
            "10.0.0.4",
            "::/0",
            "Storage",
            "VirtualAppliance",
            "Connected",
            "é/providers/"
        ])
        .prop_map(Value::from),
        prop::sample::select(types),
        prop::sample::select(ids),
    ];
    leaf.prop_recursive(6, 96, 8, move |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..5).prop_map(Value::from),
            prop::collection::vec((prop::sample::select(keys.clone()), inner), 0..8)
                .prop_map(|pairs| Value::Object(pairs.into_iter().collect())),
        ]
    })
}

proptest! {
    #[test]
    fn any_document_is_read_or_refused(documents in prop::collection::vec(any_document(), 1..4)) {
        let mut reader = ResourceReader::default();
        for document in &documents {
            let _ = reader.read("x.json", &document.to_string());
        }
        let (resources, _) = reader.finish();
        let _ = shown(&resources);
    }

    /// A kind with any value in any one place is read, or refused at that place or below it.
    #[test]
    fn one_value_changed_is_read_or_placed(kind in 0..20_usize, place in any::<prop::sample::Index>(), value in any_document()) {
        let mut document = every_kind().swap_remove(kind);
        let mut places = Vec::new();
        pointers(&document, String::new(), "$".to_owned(), &mut places);
        // These two make it another kind, with other fields.
        places.retain(|(pointer, _)| !matches!(pointer.as_str(), "/type" | "/id"));
        let (pointer, path) = &places[place.index(places.len())];
        *document.pointer_mut(pointer).unwrap() = value;
        if let Err(error) = ResourceReader::default().read("x.json", &document.to_string()) {
            let ResourceFileError::Value { json_path, .. } = error else { panic!("{error}") };
            prop_assert!(json_path.starts_with(path), "{json_path} is not below {path}");
        }
    }
}

/// Lists every place of a document, as a JSON pointer and as a JSON path.
fn pointers(value: &Value, pointer: String, path: String, found: &mut Vec<(String, String)>) {
    let mut add = |pointer: String, path: String, value: &Value| {
        found.push((pointer.clone(), path.clone()));
        pointers(value, pointer, path, found);
    };
    match value {
        Value::Array(values) => values.iter().enumerate().for_each(|(index, value)| {
            add(format!("{pointer}/{index}"), format!("{path}[{index}]"), value);
        }),
        Value::Object(pairs) => pairs.iter().for_each(|(key, value)| {
            let step = if key.contains('.') { format!("[{key:?}]") } else { format!(".{key}") };
            add(format!("{pointer}/{key}"), format!("{path}{step}"), value);
        }),
        _ => {}
    }
}

#[test]
fn a_resource_that_two_files_tell_differently_is_named_with_both() {
    let table = |next_hop: &str| {
        let route = child(
            "routeTables/rt/routes/all",
            json!({
                "addressPrefix": "0.0.0.0/0",
                "nextHopType": "VirtualAppliance",
                "nextHopIpAddress": next_hop,
            }),
        );
        resource("routeTables", "routeTables/rt", json!({ "routes": [route] }))
    };
    let flat = json!([{
        "id": id("ROUTETABLES/RT"), "name": "RT", "location": "westeurope",
        "routes": [{
            "id": id("routeTables/rt/routes/ALL"), "name": "ALL", "addressPrefix": "0.0.0.0/0",
            "nextHopType": "virtualAppliance", "nextHopIpAddress": "10.0.1.4",
        }],
    }]);
    let conflicts = |files: &[(&str, Value)]| read_all(files).0.conflicts;
    // The same in another shape is no conflict, nor is what only one of them tells.
    assert_eq!(conflicts(&[("a.json", table("10.0.1.4")), ("b.json", flat.clone())]), []);
    let stub =
        resource("routeTables", "routeTables/rt", json!({ "disableBgpRoutePropagation": true }));
    assert_eq!(conflicts(&[("a.json", table("10.0.1.4")), ("b.json", stub)]), []);
    assert_eq!(
        conflicts(&[
            ("a.json", flat),
            ("b.json", table("10.0.1.5")),
            ("c.json", table("10.0.1.6"))
        ]),
        [ConflictingExports {
            resource: ResourceId::new(id("routeTables/rt/routes/all")),
            field: "next_hop_ips",
            files: ["a.json".to_owned(), "b.json".to_owned()],
        }]
    );
}
