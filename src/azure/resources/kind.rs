//! What a JSON object is: by its `type`, else by its identifier, else by the keys that only its
//! kind has.

use std::borrow::Cow;

use super::node::Node;

/// A kind of object that is read.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) enum Kind {
    VirtualNetwork,
    Subnet,
    Peering,
    RouteTable,
    Route,
    NetworkInterface,
    PrivateEndpoint,
    Gateway,
    LocalNetworkGateway,
    Connection,
    VirtualHub,
    HubIpConfiguration,
    HubConnection,
    HubRouteTable,
    RoutingIntent,
    HubBranch,
    VpnGateway,
    VpnConnection,
    Firewall,
    FirewallPolicy,
    FlowLog,
    ApplicationGateway,
    LoadBalancer,
    PublicIpAddress,
    Site,
    SiteConfig,
    SiteIntegration,
    LearnedRoute,
    BackendHealth,
    AppSetting,
    HybridConnection,
}

/// What an object was found to be.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Found<'a> {
    Known(Kind),
    /// A resource of a type that decides no routes.
    OtherType(Cow<'a, str>),
    Unknown,
}

/// The types that are read, as the REST API writes them.
const TYPES: &[(&str, Kind)] = &[
    ("Microsoft.Network/virtualNetworks", Kind::VirtualNetwork),
    ("Microsoft.Network/virtualNetworks/subnets", Kind::Subnet),
    ("Microsoft.Network/virtualNetworks/virtualNetworkPeerings", Kind::Peering),
    ("Microsoft.Network/routeTables", Kind::RouteTable),
    ("Microsoft.Network/routeTables/routes", Kind::Route),
    ("Microsoft.Network/networkInterfaces", Kind::NetworkInterface),
    (
        "Microsoft.Compute/virtualMachineScaleSets/virtualMachines/networkInterfaces",
        Kind::NetworkInterface,
    ),
    ("Microsoft.Network/privateEndpoints", Kind::PrivateEndpoint),
    ("Microsoft.Network/virtualNetworkGateways", Kind::Gateway),
    ("Microsoft.Network/localNetworkGateways", Kind::LocalNetworkGateway),
    ("Microsoft.Network/connections", Kind::Connection),
    ("Microsoft.Network/virtualHubs", Kind::VirtualHub),
    ("Microsoft.Network/virtualHubs/ipConfigurations", Kind::HubIpConfiguration),
    ("Microsoft.Network/virtualHubs/hubVirtualNetworkConnections", Kind::HubConnection),
    ("Microsoft.Network/virtualHubs/hubRouteTables", Kind::HubRouteTable),
    ("Microsoft.Network/virtualHubs/routingIntent", Kind::RoutingIntent),
    ("Microsoft.Network/vpnSites", Kind::HubBranch),
    ("Microsoft.Network/p2sVpnGateways", Kind::HubBranch),
    ("Microsoft.Network/vpnGateways", Kind::VpnGateway),
    ("Microsoft.Network/vpnGateways/vpnConnections", Kind::VpnConnection),
    ("Microsoft.Network/azureFirewalls", Kind::Firewall),
    ("Microsoft.Network/firewallPolicies", Kind::FirewallPolicy),
    ("Microsoft.Network/networkWatchers/flowLogs", Kind::FlowLog),
    ("Microsoft.Network/applicationGateways", Kind::ApplicationGateway),
    ("Microsoft.Network/loadBalancers", Kind::LoadBalancer),
    ("Microsoft.Network/publicIPAddresses", Kind::PublicIpAddress),
    (
        "Microsoft.Compute/virtualMachineScaleSets/virtualMachines/networkInterfaces\
         /ipConfigurations/publicIPAddresses",
        Kind::PublicIpAddress,
    ),
    ("Microsoft.Web/sites", Kind::Site),
    ("Microsoft.Web/sites/slots", Kind::Site),
    ("Microsoft.Web/sites/config", Kind::SiteConfig),
    ("Microsoft.Web/sites/slots/config", Kind::SiteConfig),
    ("Microsoft.Web/sites/hybridConnectionNamespaces/relays", Kind::HybridConnection),
    ("Microsoft.Web/sites/virtualNetworkConnections", Kind::SiteIntegration),
    ("Microsoft.Web/sites/slots/virtualNetworkConnections", Kind::SiteIntegration),
];

/// The keys that tell a kind where neither type nor identifier does; all of a line have values.
/// The first line that holds decides.
const KEYS: &[(Kind, &[&str])] = &[
    (Kind::LearnedRoute, &["network", "nextHop"]),
    (Kind::LearnedRoute, &["network", "origin"]),
    (Kind::LearnedRoute, &["network", "sourcePeer"]),
    (Kind::HubBranch, &["addressSpace", "virtualWan"]),
    (Kind::VirtualNetwork, &["addressSpace"]),
    (Kind::RouteTable, &["routes", "disableBgpRoutePropagation"]),
    (Kind::HubRouteTable, &["routes", "labels"]),
    (Kind::RouteTable, &["routes", "subnets"]),
    (Kind::ApplicationGateway, &["gatewayIPConfigurations"]),
    (Kind::LoadBalancer, &["frontendIPConfigurations"]),
    (Kind::Gateway, &["gatewayType"]),
    (Kind::Firewall, &["hubIPAddresses"]),
    (Kind::Firewall, &["threatIntelMode", "ipConfigurations"]),
    (Kind::PrivateEndpoint, &["privateLinkServiceConnections"]),
    (Kind::PrivateEndpoint, &["manualPrivateLinkServiceConnections"]),
    (Kind::NetworkInterface, &["ipConfigurations", "macAddress"]),
    (Kind::NetworkInterface, &["ipConfigurations", "enableIPForwarding"]),
    (Kind::LocalNetworkGateway, &["localNetworkAddressSpace"]),
    (Kind::Connection, &["connectionType", "virtualNetworkGateway1"]),
    (Kind::HubConnection, &["remoteVirtualNetwork", "routingConfiguration"]),
    (Kind::HubConnection, &["remoteVirtualNetwork", "enableInternetSecurity"]),
    (Kind::Peering, &["remoteVirtualNetwork"]),
    (Kind::VirtualHub, &["addressPrefix", "virtualWan"]),
    (Kind::VirtualHub, &["virtualRouterIps"]),
    (Kind::RoutingIntent, &["routingPolicies"]),
    (Kind::FirewallPolicy, &["snat"]),
    (Kind::FlowLog, &["targetResourceId", "storageId"]),
    (Kind::PublicIpAddress, &["publicIPAllocationMethod"]),
    (Kind::Site, &["virtualNetworkSubnetId"]),
    (Kind::Site, &["serverFarmId"]),
    (Kind::SiteIntegration, &["vnetResourceId", "isSwift"]),
    (Kind::AppSetting, &["name", "slotSetting"]),
];

/// Tells what an object is.
pub(super) fn kind_of<'a>(node: &Node<'a>) -> Found<'a> {
    // An application gateway has pools too, but not settings below them.
    if is_backend_health(node) {
        return Found::Known(Kind::BackendHealth);
    }
    let named = node.own_text("type").filter(|text| is_type(text)).map(Cow::Borrowed);
    if let Some(name) = named.or_else(|| type_of_id(node.own_text("id")?).map(Cow::Owned)) {
        let known = TYPES.iter().find(|(known, _)| known.eq_ignore_ascii_case(&name));
        return known.map_or(Found::OtherType(name), |(_, kind)| Found::Known(*kind));
    }
    let known = KEYS.iter().find(|(_, keys)| keys.iter().all(|key| node.has(key)));
    match known {
        Some((kind, _)) => Found::Known(*kind),
        None if is_route_all_setting(node) => Found::Known(Kind::AppSetting),
        None => Found::Unknown,
    }
}

fn is_type(text: &str) -> bool {
    text.split_once('/').is_some_and(|(namespace, rest)| {
        !rest.is_empty() && namespace.contains('.') && !namespace.contains(char::is_whitespace)
    })
}

/// Returns the type that an identifier tells: the namespace after the last `providers`, and every
/// second part from there.
fn type_of_id(id: &str) -> Option<String> {
    const MARK: &str = "/providers/";
    let start = (0..id.len().saturating_sub(MARK.len())).rev().find(|start| {
        id.get(*start..start + MARK.len()).is_some_and(|part| part.eq_ignore_ascii_case(MARK))
    })?;
    let mut parts = id[start + MARK.len()..].trim_end_matches('/').split('/');
    let mut name = parts.next()?.to_owned();
    let mut rest = parts.peekable();
    rest.peek()?;
    while let Some(kind) = rest.next() {
        name.push('/');
        name.push_str(kind);
        rest.next();
    }
    Some(name)
}

fn is_backend_health(node: &Node<'_>) -> bool {
    let mut is_health = false;
    // What is broken is told by the reader.
    if let Ok(Some(pools)) = node.get("backendAddressPools")
        && pools.is_list()
    {
        let _ = pools.for_each(&mut |pool| {
            is_health |= pool.has("backendHttpSettingsCollection");
            Ok(())
        });
    }
    is_health
}

fn is_route_all_setting(node: &Node<'_>) -> bool {
    let is_named = |name: &str| name.eq_ignore_ascii_case(super::fields::ROUTE_ALL_SETTING);
    node.has("value") && node.own_text("name").is_some_and(is_named)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::azure::json::JsonValue;

    fn found(text: &str) -> String {
        let json = JsonValue::parse(text).unwrap();
        match kind_of(&Node::root(&json)) {
            Found::Known(kind) => format!("{kind:?}"),
            Found::OtherType(name) => name.into_owned(),
            Found::Unknown => "unknown".to_owned(),
        }
    }

    #[test]
    fn a_type_goes_before_an_identifier_and_that_before_keys() {
        for (text, want) in [
            (r#"{"type":"MICROSOFT.NETWORK/virtualnetworks"}"#, "VirtualNetwork"),
            (
                r#"{"Type":"microsoft.network/routetables","id":"/x","addressSpace":{}}"#,
                "RouteTable",
            ),
            (r#"{"type":"Microsoft.Compute/disks","addressSpace":{}}"#, "Microsoft.Compute/disks"),
            (
                r#"{"id":"/subscriptions/s/resourceGroups/g/providers/microsoft.network/virtualhubs/h/HubRouteTables/t","routes":[]}"#,
                "HubRouteTable",
            ),
            (
                r#"{"id":"/subscriptions/s/resourceGroups/g/PROVIDERS/Microsoft.Compute/virtualMachineScaleSets/x/virtualMachines/0/networkInterfaces/n"}"#,
                "NetworkInterface",
            ),
            (r#"{"type":"Vpn","gatewayType":"Vpn","id":"gw"}"#, "Gateway"),
            (r#"{"properties":{"addressSpace":{"addressPrefixes":[]}}}"#, "VirtualNetwork"),
            (r#"{"addressSpace":null,"name":"x"}"#, "unknown"),
            (r#"{"name":"website_vnet_route_all","value":"1"}"#, "AppSetting"),
            (r#"{"name":"SECRET","value":"1"}"#, "unknown"),
            (r#"{"backendAddressPools":[{"backendHttpSettingsCollection":[]}]}"#, "BackendHealth"),
            (
                r#"{"type":"Microsoft.Network/applicationGateways","backendAddressPools":[{"id":"x"}],"backendHttpSettingsCollection":[]}"#,
                "ApplicationGateway",
            ),
            ("[]", "unknown"),
            ("1", "unknown"),
        ] {
            assert_eq!(found(text), want, "{text}");
        }
    }

    #[test]
    fn identifiers_tell_their_type() {
        for (id, want) in [
            ("/subscriptions/s/resourceGroups/g/providers/A.B/c/n", Some("A.B/c")),
            ("/subscriptions/s/providers/A.B/c/n/d/m/", Some("A.B/c/d")),
            ("/x/providers/A.B/c/n/providers/E.F/g/h", Some("E.F/g")),
            ("/x/providers/A.B", None),
            ("/x/providers/", None),
            ("gateway", None),
            ("é/providers/A.B/c/n", Some("A.B/c")),
        ] {
            assert_eq!(type_of_id(id).as_deref(), want, "{id}");
        }
    }
}
