//! The resources that decide routes, as typed rows. Every field that an export may lack is an
//! `Option`, an empty list or a documented default; identifiers are compared without case.

use std::fmt;
use std::hash::{Hash, Hasher};
use std::net::IpAddr;

use crate::azure::{NextHopIps, NextHopType, RouteDestination};
use crate::net::{AddressPrefix, MacAddress};

/// The resources of a snapshot, each kind in the order of the files.
#[derive(Clone, Debug, Default)]
pub struct Resources {
    /// `virtualNetworks` with their subnets and peerings.
    pub virtual_networks: Vec<VirtualNetwork>,
    /// `routeTables`.
    pub route_tables: Vec<UserRouteTable>,
    /// `networkInterfaces`, of scale-set instances too.
    pub network_interfaces: Vec<NetworkInterface>,
    /// `privateEndpoints`.
    pub private_endpoints: Vec<PrivateEndpoint>,
    /// `virtualNetworkGateways`.
    pub gateways: Vec<VirtualNetworkGateway>,
    /// `localNetworkGateways`.
    pub local_network_gateways: Vec<LocalNetworkGateway>,
    /// `connections`.
    pub connections: Vec<Connection>,
    /// Routes that gateways and Route Servers learned, as `list-learned-routes` prints them.
    pub learned_routes: Vec<LearnedRoute>,
    /// `virtualHubs`; a Route Server is one too.
    pub virtual_hubs: Vec<VirtualHub>,
    /// `virtualHubs/hubVirtualNetworkConnections`.
    pub hub_connections: Vec<HubConnection>,
    /// `virtualHubs/hubRouteTables`.
    pub hub_route_tables: Vec<HubRouteTable>,
    /// `virtualHubs/routingIntent`.
    pub routing_intents: Vec<RoutingIntent>,
    /// `vpnSites` and other branches of a hub: prefixes that its gateways reach.
    pub hub_branches: Vec<HubBranch>,
    /// `azureFirewalls`.
    pub firewalls: Vec<AzureFirewall>,
    /// `firewallPolicies`.
    pub firewall_policies: Vec<FirewallPolicy>,
    /// `networkWatchers/flowLogs`: what is recorded, not what was.
    pub flow_logs: Vec<FlowLog>,
    /// `applicationGateways`.
    pub application_gateways: Vec<ApplicationGateway>,
    /// `show-backend-health` of application gateways.
    pub backend_health: Vec<BackendHealth>,
    /// `loadBalancers`.
    pub load_balancers: Vec<LoadBalancer>,
    /// `publicIPAddresses`.
    pub public_ip_addresses: Vec<PublicIpAddress>,
    /// `Microsoft.Web/sites`.
    pub sites: Vec<Site>,
    /// `Microsoft.Web/sites/hybridConnectionNamespaces/relays`.
    pub hybrid_connections: Vec<HybridConnection>,
    /// Resources that two files tell differently.
    pub conflicts: Vec<ConflictingExports>,
}

/// A resource that two files tell differently. What the file that tells more of it says is used,
/// else what the first one says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ConflictingExports {
    /// The resource.
    pub resource: ResourceId,
    /// What differs first, in our word for it.
    pub field: &'static str,
    /// The files, in the order in which they were read.
    pub files: [String; 2],
}

/// An Azure resource identifier: kept as written, compared without case.
#[derive(Clone, Debug, Default)]
pub struct ResourceId(String);

/// What every resource has.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ResourceHeader {
    /// The whole identifier; empty where the export lacks it.
    pub id: ResourceId,
    /// The name.
    pub name: String,
    /// The region, folded (`westeurope`); empty where unknown.
    pub location: String,
}

/// A VNet.
#[derive(Clone, Debug, Default)]
pub struct VirtualNetwork {
    /// Identifier, name, region.
    pub header: ResourceHeader,
    /// `addressSpace.addressPrefixes`.
    pub address_space: Vec<AddressPrefix>,
    /// `subnets`.
    pub subnets: Vec<Subnet>,
    /// `virtualNetworkPeerings`.
    pub peerings: Vec<Peering>,
}

/// A subnet.
#[derive(Clone, Debug, Default)]
pub struct Subnet {
    /// Identifier and name.
    pub header: ResourceHeader,
    /// `addressPrefix` or `addressPrefixes`.
    pub address_prefixes: Vec<AddressPrefix>,
    /// `routeTable.id`.
    pub route_table: Option<ResourceId>,
    /// `serviceEndpoints`.
    pub service_endpoints: Vec<ServiceEndpoint>,
    /// `delegations[].serviceName`.
    pub delegations: Vec<String>,
    /// `privateEndpointNetworkPolicies`; a missing one is Disabled.
    pub private_endpoint_network_policies: PrivateEndpointNetworkPolicies,
    /// `ipConfigurations[].id`: what lives in the subnet, known or not.
    pub ip_configurations: Vec<ResourceId>,
}

/// A service endpoint of a subnet.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ServiceEndpoint {
    /// `service`, such as `Microsoft.Storage`.
    pub service: String,
    /// `locations`, folded; `*` for all.
    pub locations: Vec<String>,
}

/// `privateEndpointNetworkPolicies` of a subnet.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum PrivateEndpointNetworkPolicies {
    /// Neither route tables nor NSGs apply.
    #[default]
    Disabled,
    /// Both apply.
    Enabled,
    /// NSGs alone.
    NetworkSecurityGroupEnabled,
    /// Route tables alone.
    RouteTableEnabled,
}

/// One side of a peering.
#[derive(Clone, Debug, Default)]
pub struct Peering {
    /// The name.
    pub name: String,
    /// `peeringState`.
    pub state: PeeringState,
    /// `peeringSyncLevel` is missing or `FullyInSync`.
    pub is_fully_in_sync: bool,
    /// `remoteVirtualNetwork.id`.
    pub remote_virtual_network: ResourceId,
    /// `remoteAddressSpace`: what was synchronised.
    pub remote_address_space: Vec<AddressPrefix>,
    /// `remoteVirtualNetworkAddressSpace`: what the remote VNet has now.
    pub remote_virtual_network_address_space: Vec<AddressPrefix>,
    /// `allowVirtualNetworkAccess`; a missing one is true.
    pub allow_virtual_network_access: bool,
    /// `allowForwardedTraffic`.
    pub allow_forwarded_traffic: bool,
    /// `allowGatewayTransit`.
    pub allow_gateway_transit: bool,
    /// `useRemoteGateways`.
    pub use_remote_gateways: bool,
    /// `peerCompleteVnets` is false: only subnets are peered.
    pub is_subnet_peering: bool,
    /// `localSubnetNames` of a subnet peering.
    pub local_subnet_names: Vec<String>,
    /// `remoteSubnetNames` of a subnet peering.
    pub remote_subnet_names: Vec<String>,
}

/// `peeringState`.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum PeeringState {
    /// Works.
    Connected,
    /// The other side is missing.
    Initiated,
    /// The other side was removed.
    Disconnected,
    /// Not told; counts as connected.
    #[default]
    Unknown,
}

/// A route table: user-defined routes.
#[derive(Clone, Debug, Default)]
pub struct UserRouteTable {
    /// Identifier, name, region.
    pub header: ResourceHeader,
    /// `disableBgpRoutePropagation`.
    pub disable_bgp_route_propagation: bool,
    /// `disablePeeringRoute` is `All`.
    pub disable_peering_route: bool,
    /// `routes`.
    pub routes: Vec<UserRoute>,
    /// `subnets[].id`: subnets that use it, where the subnet itself does not tell.
    pub subnets: Vec<ResourceId>,
}

/// A user-defined route.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct UserRoute {
    /// The name.
    pub name: String,
    /// `addressPrefix`: a prefix or a service tag.
    pub destination: RouteDestination,
    /// `nextHopType`.
    pub next_hop_type: NextHopType,
    /// `nextHopIpAddress` or `nextHop.nextHopIpAddresses`.
    pub next_hop_ips: NextHopIps,
    /// `hasBgpOverride`.
    pub has_bgp_override: bool,
}

/// A NIC.
#[derive(Clone, Debug, Default)]
pub struct NetworkInterface {
    /// Identifier, name, region.
    pub header: ResourceHeader,
    /// `macAddress`.
    pub mac: Option<MacAddress>,
    /// `enableIPForwarding`.
    pub enable_ip_forwarding: bool,
    /// `virtualMachine.id`.
    pub virtual_machine: Option<ResourceId>,
    /// `privateEndpoint.id`.
    pub private_endpoint: Option<ResourceId>,
    /// `ipConfigurations`.
    pub ip_configurations: Vec<IpConfiguration>,
}

/// An IP configuration of a NIC, gateway, firewall or load balancer.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct IpConfiguration {
    /// Its identifier.
    pub id: ResourceId,
    /// `privateIPAddress`.
    pub private_ip_address: Option<IpAddr>,
    /// `subnet.id`.
    pub subnet: Option<ResourceId>,
    /// `publicIPAddress.id`.
    pub public_ip_address: Option<ResourceId>,
    /// `loadBalancerBackendAddressPools[].id`.
    pub load_balancer_pools: Vec<ResourceId>,
    /// `applicationGatewayBackendAddressPools[].id`.
    pub application_gateway_pools: Vec<ResourceId>,
}

/// A private endpoint.
#[derive(Clone, Debug, Default)]
pub struct PrivateEndpoint {
    /// Identifier, name, region.
    pub header: ResourceHeader,
    /// `subnet.id`.
    pub subnet: Option<ResourceId>,
    /// `networkInterfaces[].id`.
    pub network_interfaces: Vec<ResourceId>,
    /// Its addresses as the endpoint itself tells them: `ipConfigurations`, `customDnsConfigs`. The
    /// NICs' are better.
    pub addresses: Vec<IpAddr>,
    /// `customDnsConfigs`: host names that the endpoint answers for, with its addresses.
    pub host_names: Vec<(String, Vec<IpAddr>)>,
    /// No connection is Pending, Rejected or Disconnected.
    pub is_approved: bool,
}

/// A VPN or ExpressRoute gateway of a VNet.
#[derive(Clone, Debug, Default)]
pub struct VirtualNetworkGateway {
    /// Identifier, name, region.
    pub header: ResourceHeader,
    /// `gatewayType` is `ExpressRoute`.
    pub is_express_route: bool,
    /// `vpnType` is `PolicyBased`.
    pub is_policy_based: bool,
    /// `sku.name`.
    pub sku: String,
    /// `activeActive`.
    pub is_active_active: bool,
    /// `ipConfigurations`; their subnet is the GatewaySubnet.
    pub ip_configurations: Vec<IpConfiguration>,
    /// `bgpSettings.bgpPeeringAddresses[].defaultBgpIpAddresses`, else `bgpPeeringAddress`.
    pub bgp_addresses: Vec<IpAddr>,
    /// `vpnClientConfiguration.vpnClientAddressPool.addressPrefixes`.
    pub client_address_pool: Vec<AddressPrefix>,
    /// `customRoutes.addressPrefixes`.
    pub custom_routes: Vec<AddressPrefix>,
    /// `gatewayDefaultSite.id`.
    pub default_site: Option<ResourceId>,
}

/// A local network gateway: the other side of a VPN.
#[derive(Clone, Debug, Default)]
pub struct LocalNetworkGateway {
    /// Identifier, name, region.
    pub header: ResourceHeader,
    /// `localNetworkAddressSpace.addressPrefixes`.
    pub address_prefixes: Vec<AddressPrefix>,
    /// `bgpSettings.bgpPeeringAddress`.
    pub bgp_peering_address: Option<IpAddr>,
}

/// A connection of a gateway.
#[derive(Clone, Debug, Default)]
pub struct Connection {
    /// Identifier, name, region.
    pub header: ResourceHeader,
    /// `connectionType`.
    pub connection_type: ConnectionType,
    /// `connectionStatus` is `NotConnected`; a missing or Unknown one counts as connected.
    pub is_not_connected: bool,
    /// `virtualNetworkGateway1.id`.
    pub gateway: ResourceId,
    /// `virtualNetworkGateway2.id` of a VNet-to-VNet connection.
    pub remote_gateway: Option<ResourceId>,
    /// `localNetworkGateway2.id` of a site-to-site connection.
    pub local_network_gateway: Option<ResourceId>,
    /// `enableBgp`.
    pub enable_bgp: bool,
    /// `expressRouteGatewayBypass` or `enablePrivateLinkFastPath`.
    pub is_fastpath: bool,
}

/// `connectionType`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum ConnectionType {
    /// Site to site.
    #[default]
    IpSec,
    /// VNet to VNet.
    Vnet2Vnet,
    /// ExpressRoute.
    ExpressRoute,
    /// Point to site.
    VpnClient,
}

/// A route that a gateway or Route Server learned.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LearnedRoute {
    /// The gateway or Route Server, by name or identifier: a file's content or stem tells it.
    pub gateway: String,
    /// `network`.
    pub prefix: AddressPrefix,
    /// `nextHop`; `None` for the gateway's own networks.
    pub next_hop: Option<IpAddr>,
    /// `origin`: `Network`, `EBgp`, `IBgp`, `Static` …
    pub origin: String,
}

/// A hub of a virtual WAN, or a Route Server.
#[derive(Clone, Debug, Default)]
pub struct VirtualHub {
    /// Identifier, name, region.
    pub header: ResourceHeader,
    /// `addressPrefix`.
    pub address_prefix: Option<AddressPrefix>,
    /// `virtualWan.id`; `None` for a Route Server.
    pub virtual_wan: Option<ResourceId>,
    /// `azureFirewall.id`.
    pub azure_firewall: Option<ResourceId>,
    /// `virtualRouterIps`.
    pub virtual_router_ips: Vec<IpAddr>,
    /// `vpnGateway.id`, `expressRouteGateway.id` or `p2SVpnGateway.id` is there.
    pub has_gateway: bool,
    /// The subnet of a Route Server.
    pub route_server_subnet: Option<ResourceId>,
}

/// A VNet's connection to a hub.
#[derive(Clone, Debug, Default)]
pub struct HubConnection {
    /// Identifier and name; the hub's identifier is its beginning.
    pub header: ResourceHeader,
    /// The hub.
    pub hub: ResourceId,
    /// `remoteVirtualNetwork.id`.
    pub virtual_network: ResourceId,
    /// `enableInternetSecurity`; a missing one is true.
    pub enable_internet_security: bool,
    /// `routingConfiguration.associatedRouteTable.id`.
    pub associated_route_table: Option<ResourceId>,
    /// `routingConfiguration.propagatedRouteTables.ids`.
    pub propagated_route_tables: Vec<ResourceId>,
    /// `routingConfiguration.propagatedRouteTables.labels`.
    pub propagated_labels: Vec<String>,
    /// `routingConfiguration.vnetRoutes.staticRoutes`.
    pub static_routes: Vec<HubStaticRoute>,
}

/// A static route of a hub connection.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct HubStaticRoute {
    /// The name.
    pub name: String,
    /// `addressPrefixes`.
    pub address_prefixes: Vec<AddressPrefix>,
    /// `nextHopIpAddress`.
    pub next_hop_ip: Option<IpAddr>,
}

/// A route table of a hub.
#[derive(Clone, Debug, Default)]
pub struct HubRouteTable {
    /// Identifier and name; the hub's identifier is its beginning.
    pub header: ResourceHeader,
    /// The hub.
    pub hub: ResourceId,
    /// `routes`.
    pub routes: Vec<HubRoute>,
    /// `labels`.
    pub labels: Vec<String>,
}

/// A static route of a hub's route table.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct HubRoute {
    /// The name: `all_traffic`, `_policy_PrivateTraffic` …
    pub name: String,
    /// `destinations` of type CIDR.
    pub destinations: Vec<AddressPrefix>,
    /// `nextHop`: a firewall or a connection.
    pub next_hop: ResourceId,
}

/// Routing intent of a hub.
#[derive(Clone, Debug, Default)]
pub struct RoutingIntent {
    /// Identifier and name; the hub's identifier is its beginning.
    pub header: ResourceHeader,
    /// The hub.
    pub hub: ResourceId,
    /// The hop of the policy for `Internet`.
    pub internet: Option<ResourceId>,
    /// The hop of the policy for `PrivateTraffic`.
    pub private_traffic: Option<ResourceId>,
}

/// A branch of a hub: a VPN site, or whatever else its gateways reach.
#[derive(Clone, Debug, Default)]
pub struct HubBranch {
    /// Identifier and name.
    pub header: ResourceHeader,
    /// The hub; `None` where only the virtual WAN is known.
    pub hub: Option<ResourceId>,
    /// The virtual WAN of a VPN site.
    pub virtual_wan: Option<ResourceId>,
    /// The prefixes behind it.
    pub address_prefixes: Vec<AddressPrefix>,
}

/// An Azure Firewall.
#[derive(Clone, Debug, Default)]
pub struct AzureFirewall {
    /// Identifier, name, region.
    pub header: ResourceHeader,
    /// `ipConfigurations`, the management one left out.
    pub ip_configurations: Vec<IpConfiguration>,
    /// `virtualHub.id`.
    pub virtual_hub: Option<ResourceId>,
    /// `hubIPAddresses.privateIPAddress`.
    pub hub_private_ip: Option<IpAddr>,
    /// `firewallPolicy.id`.
    pub firewall_policy: Option<ResourceId>,
    /// `additionalProperties["Network.SNAT.PrivateRanges"]`.
    pub snat_private_ranges: Vec<AddressPrefix>,
}

/// A firewall policy.
#[derive(Clone, Debug, Default)]
pub struct FirewallPolicy {
    /// Identifier, name, region.
    pub header: ResourceHeader,
    /// `snat.privateRanges`; empty for the default.
    pub snat_private_ranges: Vec<AddressPrefix>,
}

/// The setting of a flow log: what it records, and where.
#[derive(Clone, Debug)]
pub struct FlowLog {
    /// Identifier, name, region.
    pub header: ResourceHeader,
    /// `targetResourceId`: a VNet, a subnet, a NIC or a network security group.
    pub target: Option<ResourceId>,
    /// `enabled`.
    pub is_enabled: bool,
    /// `recordTypes`: letters of the states that are recorded, such as `B,E`; empty for all.
    pub record_types: String,
    /// `enabledFilteringCriteria`: what a flow must match to be recorded; empty for all flows.
    pub filter: String,
}

/// An application gateway.
#[derive(Clone, Debug, Default)]
pub struct ApplicationGateway {
    /// Identifier, name, region.
    pub header: ResourceHeader,
    /// `sku.tier` is one of version 2.
    pub is_v2: bool,
    /// `gatewayIPConfigurations[].subnet.id`.
    pub subnets: Vec<ResourceId>,
    /// `backendAddressPools`.
    pub pools: Vec<BackendPool>,
}

/// A backend pool of an application gateway.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct BackendPool {
    /// Its identifier.
    pub id: ResourceId,
    /// The name.
    pub name: String,
    /// `backendAddresses[].ipAddress`, and host names that are addresses.
    pub addresses: Vec<IpAddr>,
    /// `backendAddresses[].fqdn`.
    pub host_names: Vec<String>,
    /// `backendIPConfigurations[].id`.
    pub ip_configurations: Vec<ResourceId>,
}

/// The health of one backend pool.
#[derive(Clone, Debug, Default)]
pub struct BackendHealth {
    /// `backendAddressPool.id`; empty in trimmed exports.
    pub pool: ResourceId,
    /// `servers`: address or host name, and health.
    pub servers: Vec<(String, String)>,
}

/// A load balancer.
#[derive(Clone, Debug, Default)]
pub struct LoadBalancer {
    /// Identifier, name, region.
    pub header: ResourceHeader,
    /// `frontendIPConfigurations`.
    pub frontends: Vec<IpConfiguration>,
    /// `backendAddressPools[].id`.
    pub backend_pools: Vec<ResourceId>,
}

/// A public IP address.
#[derive(Clone, Debug, Default)]
pub struct PublicIpAddress {
    /// Identifier, name, region.
    pub header: ResourceHeader,
    /// `ipAddress`.
    pub ip_address: Option<IpAddr>,
}

/// An App Service site.
#[derive(Clone, Debug, Default)]
pub struct Site {
    /// Identifier, name, region.
    pub header: ResourceHeader,
    /// `virtualNetworkSubnetId`: regional integration.
    pub integration_subnet: Option<ResourceId>,
    /// Application traffic to any address enters the VNet: `vnetRouteAllEnabled`,
    /// `outboundVnetRouting.{allTraffic, applicationTraffic}`; `None` where the export does not
    /// tell.
    pub route_all: Option<bool>,
    /// `hostingEnvironmentProfile.id`: it runs in an App Service Environment.
    pub hosting_environment: Option<ResourceId>,
    /// The VNet of a gateway-required integration.
    pub gateway_required_virtual_network: Option<ResourceId>,
}

/// A Hybrid Connection of an App Service site.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct HybridConnection {
    /// The site's name.
    pub site: String,
    /// The relay's name.
    pub relay: String,
    /// Where the connection leads, `host:port`.
    pub host: String,
}

impl ResourceId {
    /// Wraps an identifier as written.
    pub fn new(id: impl Into<String>) -> Self {
        Self(id.into())
    }

    /// Returns the identifier as written.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Returns true where the export had none.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Returns the segment after `kind`, such as the name after `virtualNetworks`.
    ///
    /// # Examples
    ///
    /// ```
    /// use nexthop::azure::resources::ResourceId;
    ///
    /// let id = ResourceId::new("/subscriptions/s/resourceGroups/g/providers/Microsoft.Network\
    ///     /virtualNetworks/hub/subnets/GatewaySubnet");
    /// assert_eq!(id.segment_after("VIRTUALNETWORKS"), Some("hub"));
    /// assert_eq!(id.segment_after("routeTables"), None);
    /// ```
    pub fn segment_after(&self, kind: &str) -> Option<&str> {
        let mut segments = self.0.split('/');
        segments.find(|segment| segment.eq_ignore_ascii_case(kind))?;
        segments.next().filter(|name| !name.is_empty())
    }

    /// Returns true when `self` is `other` or lies below it, such as a subnet in a VNet.
    pub fn is_within(&self, other: &Self) -> bool {
        let (inner, outer) = (self.0.trim_end_matches('/'), other.0.trim_end_matches('/'));
        !outer.is_empty()
            && inner.get(..outer.len()).is_some_and(|head| head.eq_ignore_ascii_case(outer))
            && matches!(inner.as_bytes().get(outer.len()), None | Some(b'/'))
    }
}

impl PartialEq for ResourceId {
    fn eq(&self, other: &Self) -> bool {
        self.0.eq_ignore_ascii_case(&other.0)
    }
}

impl Eq for ResourceId {}

impl Hash for ResourceId {
    fn hash<H: Hasher>(&self, state: &mut H) {
        for byte in self.0.bytes() {
            state.write_u8(byte.to_ascii_lowercase());
        }
        state.write_u8(0xFF);
    }
}

impl fmt::Display for ResourceId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&self.0)
    }
}

impl PrivateEndpointNetworkPolicies {
    /// Returns true when route tables apply to the private endpoints of the subnet.
    pub fn applies_route_tables(self) -> bool {
        matches!(self, Self::Enabled | Self::RouteTableEnabled)
    }
}
