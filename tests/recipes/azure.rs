//! Azure resources as JSON, in the shapes that its tools export.
//!
//! A resource is written once, as the resource manager has it (`properties` at every level), and
//! printed as the tool in question prints it.

use serde_json::{Map, Value, json};

/// How a file of resources is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Shape {
    /// `az … list -o json`: a bare array, `properties` merged into each object, children too.
    Flat,
    /// The resource manager's own: `value[]`, `properties` nested at every level.
    Nested,
    /// `az graph query`: `data[]`, types in lower case.
    Graph,
}

pub const SUBSCRIPTION: &str = "00000000-0000-0000-0000-0000000a2025";

/// The identifier of a resource of Microsoft.Network.
pub fn id(kind: &str, name: &str) -> String {
    format!(
        "/subscriptions/{SUBSCRIPTION}/resourceGroups/rg-net/providers/Microsoft.Network/{kind}/{name}"
    )
}

pub fn subnet_id(vnet: &str, subnet: &str) -> String {
    format!("{}/subnets/{subnet}", id("virtualNetworks", vnet))
}

/// A top-level resource.
pub fn resource(kind: &str, name: &str, location: &str, properties: Value) -> Value {
    json!({
        "id": id(kind, name),
        "name": name,
        "type": format!("Microsoft.Network/{kind}"),
        "location": location,
        "properties": properties,
    })
}

/// A VNet; subnets and peerings are children.
pub fn vnet(
    name: &str,
    location: &str,
    address_space: &[&str],
    subnets: Vec<Value>,
    peerings: Vec<Value>,
) -> Value {
    let name_of = |child: &Value| child["name"].as_str().expect("has a name").to_owned();
    let with_ids = |children: Vec<Value>, kind: &str| -> Vec<Value> {
        children
            .into_iter()
            .map(|mut child| {
                let child_name = name_of(&child);
                child["id"] = json!(format!("{}/{kind}/{child_name}", id("virtualNetworks", name)));
                child
            })
            .collect()
    };
    resource(
        "virtualNetworks",
        name,
        location,
        json!({
            "provisioningState": "Succeeded",
            "addressSpace": { "addressPrefixes": address_space },
            "subnets": with_ids(subnets, "subnets"),
            "virtualNetworkPeerings": with_ids(peerings, "virtualNetworkPeerings"),
        }),
    )
}

/// A subnet; `more` are further properties.
pub fn subnet(name: &str, prefix: &str, route_table: Option<&str>, more: Value) -> Value {
    let mut properties = json!({ "addressPrefix": prefix, "provisioningState": "Succeeded" });
    if let Some(table) = route_table {
        properties["routeTable"] = json!({ "id": id("routeTables", table) });
    }
    merge(&mut properties, &more);
    json!({ "name": name, "properties": properties })
}

/// One side of a connected peering; `more` are further properties.
pub fn peering(remote: &str, remote_space: &[&str], more: Value) -> Value {
    let mut properties = json!({
        "peeringState": "Connected",
        "peeringSyncLevel": "FullyInSync",
        "remoteVirtualNetwork": { "id": id("virtualNetworks", remote) },
        "remoteAddressSpace": { "addressPrefixes": remote_space },
        "remoteVirtualNetworkAddressSpace": { "addressPrefixes": remote_space },
        "allowVirtualNetworkAccess": true,
        "allowForwardedTraffic": true,
        "allowGatewayTransit": false,
        "useRemoteGateways": false,
    });
    merge(&mut properties, &more);
    json!({ "name": format!("to-{remote}"), "properties": properties })
}

/// A route table of `(name, prefix, type, hop)`.
pub fn route_table(name: &str, propagates: bool, routes: &[(&str, &str, &str, &str)]) -> Value {
    let routes: Vec<Value> = routes
        .iter()
        .map(|(route, prefix, next_hop_type, hop)| {
            let hop = if hop.is_empty() { Value::Null } else { json!(hop) };
            json!({
                "id": format!("{}/routes/{route}", id("routeTables", name)),
                "name": route,
                "properties": {
                    "addressPrefix": prefix,
                    "nextHopType": next_hop_type,
                    "nextHopIpAddress": hop,
                    "hasBgpOverride": false,
                    "provisioningState": "Succeeded",
                },
            })
        })
        .collect();
    resource(
        "routeTables",
        name,
        "westeurope",
        json!({ "disableBgpRoutePropagation": !propagates, "routes": routes }),
    )
}

/// A NIC with one address.
pub fn nic(name: &str, subnet: &str, address: &str, mac: &str, more: Value) -> Value {
    let mut properties = json!({
        "macAddress": mac,
        "enableIPForwarding": false,
        "ipConfigurations": [{
            "id": format!("{}/ipConfigurations/ipconfig1", id("networkInterfaces", name)),
            "name": "ipconfig1",
            "properties": {
                "privateIPAddress": address,
                "privateIPAddressVersion": "IPv4",
                "primary": true,
                "subnet": { "id": subnet },
            },
        }],
    });
    merge(&mut properties, &more);
    resource("networkInterfaces", name, "westeurope", properties)
}

/// An approved private endpoint and its NIC.
pub fn private_endpoint(name: &str, subnet: &str, address: &str) -> [Value; 2] {
    let nic_name = format!("{name}.nic");
    let endpoint = resource(
        "privateEndpoints",
        name,
        "westeurope",
        json!({
            "subnet": { "id": subnet },
            "networkInterfaces": [{ "id": id("networkInterfaces", &nic_name) }],
            "privateLinkServiceConnections": [{
                "name": name,
                "properties": {
                    "groupIds": ["sqlServer"],
                    "privateLinkServiceConnectionState": { "status": "Approved", "description": "" },
                },
            }],
            "customDnsConfigs": [],
        }),
    );
    let more = json!({ "privateEndpoint": { "id": id("privateEndpoints", name) } });
    [endpoint, nic(&nic_name, subnet, address, "", more)]
}

/// A VPN gateway; two addresses make it active/active.
pub fn vpn_gateway(name: &str, vnet: &str, addresses: &[&str]) -> Value {
    let subnet = subnet_id(vnet, "GatewaySubnet");
    let configurations: Vec<Value> = addresses
        .iter()
        .enumerate()
        .map(|(index, address)| {
            json!({
                "id": format!("{}/ipConfigurations/gw{index}", id("virtualNetworkGateways", name)),
                "name": format!("gw{index}"),
                "properties": {
                    "privateIPAddress": address,
                    "subnet": { "id": subnet },
                    "publicIPAddress": { "id": id("publicIPAddresses", &format!("{name}-pip{index}")) },
                },
            })
        })
        .collect();
    resource(
        "virtualNetworkGateways",
        name,
        "westeurope",
        json!({
            "gatewayType": "Vpn",
            "vpnType": "RouteBased",
            "sku": { "name": "VpnGw1", "tier": "VpnGw1" },
            "activeActive": addresses.len() > 1,
            "ipConfigurations": configurations,
        }),
    )
}

/// A site behind a VPN gateway: local network gateway and connection.
pub fn site(name: &str, gateway: &str, prefixes: &[&str]) -> [Value; 2] {
    let local = resource(
        "localNetworkGateways",
        name,
        "westeurope",
        json!({
            "localNetworkAddressSpace": { "addressPrefixes": prefixes },
            "gatewayIpAddress": "198.51.100.77",
        }),
    );
    let connection = resource(
        "connections",
        &format!("{gateway}-to-{name}"),
        "westeurope",
        json!({
            "connectionType": "IPsec",
            "connectionStatus": "Connected",
            "virtualNetworkGateway1": { "id": id("virtualNetworkGateways", gateway) },
            "localNetworkGateway2": { "id": id("localNetworkGateways", name) },
        }),
    );
    [local, connection]
}

/// A firewall in a VNet's AzureFirewallSubnet.
pub fn firewall(name: &str, vnet: &str, address: &str) -> Value {
    resource(
        "azureFirewalls",
        name,
        "westeurope",
        json!({
            "sku": { "name": "AZFW_VNet", "tier": "Standard" },
            "ipConfigurations": [{
                "name": "fw",
                "id": format!("{}/azureFirewallIpConfigurations/fw", id("azureFirewalls", name)),
                "properties": {
                    "privateIPAddress": address,
                    "subnet": { "id": subnet_id(vnet, "AzureFirewallSubnet") },
                },
            }],
        }),
    )
}

/// A file of resources.
pub fn file(shape: Shape, resources: Vec<Value>) -> Vec<u8> {
    let document = match shape {
        Shape::Flat => Value::Array(resources.into_iter().map(flattened).collect()),
        Shape::Nested => json!({ "value": resources }),
        Shape::Graph => {
            let count = resources.len();
            let data: Vec<Value> = resources
                .into_iter()
                .map(|mut resource| {
                    if let Some(kind) = resource["type"].as_str() {
                        resource["type"] = json!(kind.to_lowercase());
                    }
                    resource["subscriptionId"] = json!(SUBSCRIPTION);
                    resource["resourceGroup"] = json!("rg-net");
                    resource
                })
                .collect();
            json!({ "count": count, "data": data, "skip_token": null, "total_records": count })
        }
    };
    let mut text = serde_json::to_vec_pretty(&document).expect("JSON of ours");
    text.push(b'\n');
    text
}

/// Adds the members of `more` to an object.
pub fn merge(object: &mut Value, more: &Value) {
    if let (Some(object), Some(more)) = (object.as_object_mut(), more.as_object()) {
        object.extend(more.iter().map(|(key, value)| (key.clone(), value.clone())));
    }
}

fn flattened(value: Value) -> Value {
    match value {
        Value::Array(items) => Value::Array(items.into_iter().map(flattened).collect()),
        Value::Object(members) => {
            let mut flat = Map::new();
            for (key, member) in members {
                match (key.as_str(), flattened(member)) {
                    ("properties", Value::Object(inner)) => flat.extend(inner),
                    (_, member) => drop(flat.insert(key, member)),
                }
            }
            if flat.contains_key("id") && flat.contains_key("name") {
                flat.insert("resourceGroup".to_owned(), json!("rg-net"));
            }
            Value::Object(flat)
        }
        other => other,
    }
}
