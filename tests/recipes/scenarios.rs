//! The scenarios of `captures/` whose snapshots are exported resources, each with the tables, paths,
//! labels and findings that Azure's rules give it, worked out by hand.

use super::azure::{Shape, id, subnet_id};
use super::estates::{BROAD_UDR, ENDPOINT_UDRS, GatewayTransit, PrivateLink, SPOKE_UDR};
use super::estates_hub::{ONE_VNET_POLICY, SecuredHub};
use super::scenario::{Recorded, Scenario};
use super::{app_service, backend_pools};

/// Returns every scenario of this file.
pub fn all() -> Vec<Scenario> {
    vec![
        endpoints_by_default(),
        endpoints_with_host_routes(),
        endpoints_with_policies(),
        endpoints_with_a_broad_route(),
        endpoints_without_policies(),
        secured_hub_in_one_vnet(),
        secured_hub_between_vnets(),
        gateway_transit(),
        gateway_transit_one_way(),
        app_service::integration(),
        app_service::environment(),
        backend_pools::scenario(),
    ]
}

const HUB_VM_MAC: &str = "000D3A5B1101";
/// An instance of the gateway: no export holds its MAC address.
const GATEWAY_MAC: &str = "002248A7C004";

const ENDPOINTS: PrivateLink = PrivateLink {
    policy: "Disabled",
    vm_routes: &[],
    gateway_routes: &[],
    gateway_addresses: &["10.13.76.4", "10.13.76.5"],
};

/// A snapshot of resources, with the table that the Azure CLI printed for the hub's VM.
fn with_export(estate: &PrivateLink, shape: Shape, export: &str) -> Vec<(String, Vec<u8>)> {
    let mut files = estate.files(shape);
    files.push(("effective/hubvmVMNic.txt".to_owned(), export.as_bytes().to_vec()));
    files
}

fn by_hub_vm(decisions: &'static str) -> Recorded {
    Recorded { mac: HUB_VM_MAC, target: id("virtualNetworks", "hub"), decisions }
}

fn by_gateway(decisions: &'static str) -> Recorded {
    Recorded { mac: GATEWAY_MAC, target: subnet_id("hub", "GatewaySubnet"), decisions }
}

const HUB_ROWS: &str = "\
Default Active 10.13.76.0/24 VnetLocal
VirtualNetworkGateway Active 192.168.0.0/24 VirtualNetworkGateway 10.13.76.4
VirtualNetworkGateway Active 192.168.0.0/24 VirtualNetworkGateway 10.13.76.5
Default Active 0.0.0.0/0 Internet
Default Active 172.16.0.0/12 None
Default Active 192.168.0.0/16 None
Default Active 100.64.0.0/10 None
";
const BLOCK_10: &str = "Default Active 10.0.0.0/8 None\n";
const PEERING: &str = "Default Active 10.13.77.0/24 VNetGlobalPeering\n";
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

/// The table of the article's first listing, its `[...]` included.
const EXPORT_BY_DEFAULT: &str = "\
Source                 State    Address Prefix    Next Hop Type          Next Hop IP
---------------------  -------  ----------------  ---------------------  -------------
Default                Active   10.13.76.0/24     VnetLocal
VirtualNetworkGateway  Active   192.168.0.0/24    VirtualNetworkGateway  10.13.76.4
VirtualNetworkGateway  Active   192.168.0.0/24    VirtualNetworkGateway  10.13.76.5
Default                Active   0.0.0.0/0         Internet
[...]
Default                Active   10.13.77.0/24     VNetGlobalPeering
Default                Active   10.13.77.4/32     InterfaceEndpoint
Default                Active   10.13.77.5/32     InterfaceEndpoint
Default                Active   10.13.77.6/32     InterfaceEndpoint
";

fn endpoints_by_default() -> Scenario {
    Scenario {
        folder: "endpoints-by-default",
        snapshot: with_export(&ENDPOINTS, Shape::Flat, EXPORT_BY_DEFAULT),
        tables: ["hub/vms", "hub/GatewaySubnet"]
            .map(|table| (table, [HUB_ROWS, BLOCK_10, PEERING, ENDPOINTS_ACTIVE].concat()))
            .to_vec(),
        recorded: vec![
            by_hub_vm(
                "
                from 10.13.76.132 to 10.13.77.6 | hubvmVMNic | 10.13.77.6/32 Default InterfaceEndpoint | | private_endpoint delivered | private_endpoint_has_no_route_table
                from 10.13.76.132 to 10.13.77.7 | hubvmVMNic | 10.13.77.0/24 Default VNetGlobalPeering | | peering delivered | peering delivered
                from 10.13.76.132 to 192.168.0.4 | hubvmVMNic | 192.168.0.0/24 VirtualNetworkGateway VirtualNetworkGateway 10.13.76.4 10.13.76.5 | vpngw | gateway left | vnet delivered
                from 10.13.76.132 to 8.8.8.8 | hubvmVMNic | 0.0.0.0/0 Default Internet | | internet left | internet_has_no_route_table
                from 10.13.76.132 to 10.9.9.9 | hubvmVMNic | 0.0.0.0/0 Default Internet | | internet left | no_route_table",
            ),
            by_gateway(
                "from 192.168.0.4 to 10.13.77.6 | hub/GatewaySubnet | 10.13.77.6/32 Default InterfaceEndpoint | | private_endpoint delivered | private_endpoint_has_no_route_table",
            ),
        ],
        // With the rows that the export lacks, the same address is dropped.
        asked: "from hub/vms to 10.9.9.9 | hub/vms | 10.0.0.0/8 Default None | | dropped dropped | no_route_table",
        findings: "warning default_none_rows_missing hubvmVMNic - -",
        comparison: Some(
            "hubvmVMNic and hub/vms: equal\n\
             \x20 hidden in the export: Default Active 10.0.0.0/8 None\n\
             \x20 hidden in the export: Default Active 100.64.0.0/10 None\n\
             \x20 hidden in the export: Default Active 172.16.0.0/12 None\n\
             \x20 hidden in the export: Default Active 192.168.0.0/16 None\n",
        ),
        ..Scenario::default()
    }
}

fn endpoints_with_host_routes() -> Scenario {
    let udrs = "\
User Active 10.13.77.4/32 VirtualAppliance 10.13.76.68
User Active 10.13.77.5/32 VirtualAppliance 10.13.76.68
User Active 10.13.77.6/32 VirtualAppliance 10.13.76.68
";
    Scenario {
        folder: "endpoints-with-host-routes",
        snapshot: PrivateLink {
            vm_routes: &ENDPOINT_UDRS,
            gateway_routes: &ENDPOINT_UDRS,
            ..ENDPOINTS
        }
        .files(Shape::Nested),
        tables: vec![
            ("hub/vms", [HUB_ROWS, BLOCK_10, PEERING, ENDPOINTS_INVALID, udrs].concat()),
            (
                "hub/GatewaySubnet",
                [HUB_ROWS, BLOCK_10, PEERING, ENDPOINTS_ACTIVE, &udrs.replace("Active", "Invalid")]
                    .concat(),
            ),
        ],
        recorded: vec![
            by_hub_vm(
                "from 10.13.76.132 to 10.13.77.6 | hub/vms | 10.13.77.6/32 User VirtualAppliance 10.13.76.68 | azfw | firewall private_endpoint delivered | private_endpoint_has_no_route_table",
            ),
            by_gateway(
                "
                from 192.168.0.4 to 10.13.77.4 | hub/GatewaySubnet | 10.13.77.4/32 Default InterfaceEndpoint | | private_endpoint delivered | private_endpoint_has_no_route_table
                from 192.168.0.4 to 10.13.77.7 | hub/GatewaySubnet | 10.13.77.0/24 Default VNetGlobalPeering | | peering delivered | gateway left",
            ),
        ],
        findings: "
            error gateway_ignores_udr_over_private_endpoint hub/GatewaySubnet 10.13.77.4/32 -
            error gateway_ignores_udr_over_private_endpoint hub/GatewaySubnet 10.13.77.5/32 -
            error gateway_ignores_udr_over_private_endpoint hub/GatewaySubnet 10.13.77.6/32 -",
        ..Scenario::default()
    }
}

/// The table of the article's second listing.
const EXPORT_WITH_POLICIES: &str = "\
Source                 State    Address Prefix    Next Hop Type          Next Hop IP
---------------------  -------  ----------------  ---------------------  -------------
Default                Active   10.13.76.0/24     VnetLocal
VirtualNetworkGateway  Active   192.168.0.0/24    VirtualNetworkGateway  10.13.76.4
VirtualNetworkGateway  Active   192.168.0.0/24    VirtualNetworkGateway  10.13.76.5
Default                Active   0.0.0.0/0         Internet
Default                Active   10.0.0.0/8        None
[...]
User                   Active   10.13.77.0/24     VirtualAppliance       10.13.76.68
Default                Invalid  10.13.77.0/24     VNetGlobalPeering
Default                Invalid  10.13.77.4/32     InterfaceEndpoint
Default                Invalid  10.13.77.5/32     InterfaceEndpoint
Default                Invalid  10.13.77.6/32     InterfaceEndpoint
";

fn endpoints_with_policies() -> Scenario {
    let rows = [
        HUB_ROWS,
        BLOCK_10,
        "Default Invalid 10.13.77.0/24 VNetGlobalPeering\n",
        "User Active 10.13.77.0/24 VirtualAppliance 10.13.76.68\n",
        ENDPOINTS_INVALID,
    ]
    .concat();
    let estate = PrivateLink {
        policy: "RouteTableEnabled",
        vm_routes: &SPOKE_UDR,
        gateway_routes: &SPOKE_UDR,
        ..ENDPOINTS
    };
    Scenario {
        folder: "endpoints-with-policies",
        snapshot: with_export(&estate, Shape::Graph, EXPORT_WITH_POLICIES),
        tables: vec![("hub/vms", rows.clone()), ("hub/GatewaySubnet", rows)],
        recorded: vec![
            by_hub_vm(
                "
                from 10.13.76.132 to 10.13.77.4 | hubvmVMNic | 10.13.77.0/24 User VirtualAppliance 10.13.76.68 | azfw | firewall private_endpoint delivered | private_endpoint_has_no_route_table
                from 10.13.76.132 to 10.9.9.9 | hubvmVMNic | 10.0.0.0/8 Default None | | dropped dropped | no_route_table",
            ),
            by_gateway(
                "
                from 192.168.0.4 to 10.13.77.5 | hub/GatewaySubnet | 10.13.77.0/24 User VirtualAppliance 10.13.76.68 | azfw | firewall private_endpoint delivered | private_endpoint_has_no_route_table
                from 192.168.0.4 to 10.13.77.200 | hub/GatewaySubnet | 10.13.77.0/24 User VirtualAppliance 10.13.76.68 | azfw | firewall peering delivered | no_route_table",
            ),
        ],
        // The spoke's own VMs have no such route.
        asked: "from spoke1/vms to 10.13.77.6 | spoke1/vms | 10.13.77.6/32 Default InterfaceEndpoint | | private_endpoint delivered | private_endpoint_has_no_route_table",
        // The spoke's VMs answer without the firewall: they have no such route.
        findings: "
            warning asymmetric_pair hubvmVMNic - -
            warning asymmetric_pair hub/vms - -
            note shadowed_by_invalid_twin hubvmVMNic 10.13.77.0/24 -
            note shadowed_by_invalid_twin hub/vms 10.13.77.0/24 -
            note shadowed_by_invalid_twin hub/GatewaySubnet 10.13.77.0/24 -",
        comparison: Some(
            "hubvmVMNic and hub/vms: equal\n\
             \x20 hidden in the export: Default Active 100.64.0.0/10 None\n\
             \x20 hidden in the export: Default Active 172.16.0.0/12 None\n\
             \x20 hidden in the export: Default Active 192.168.0.0/16 None\n",
        ),
        ..Scenario::default()
    }
}

/// The table of the article's third listing.
const EXPORT_WITH_BROAD_ROUTE: &str = "\
Source                 State    Address Prefix    Next Hop Type          Next Hop IP
---------------------  -------  ----------------  ---------------------  -------------
Default                Active   10.13.76.0/24     VnetLocal
VirtualNetworkGateway  Active   192.168.0.0/24    VirtualNetworkGateway  10.13.76.4
VirtualNetworkGateway  Active   192.168.0.0/24    VirtualNetworkGateway  10.13.76.5
Default                Active   0.0.0.0/0         Internet
[...]
User                   Active   10.0.0.0/8        VirtualAppliance       10.13.76.68
Default                Active   10.13.77.0/24     VNetGlobalPeering
Default                Active   10.13.77.4/32     InterfaceEndpoint
Default                Active   10.13.77.5/32     InterfaceEndpoint
Default                Active   10.13.77.6/32     InterfaceEndpoint
";

fn endpoints_with_a_broad_route() -> Scenario {
    let rows = [
        HUB_ROWS,
        PEERING,
        ENDPOINTS_ACTIVE,
        "User Active 10.0.0.0/8 VirtualAppliance 10.13.76.68\n",
    ]
    .concat();
    let estate = PrivateLink {
        policy: "RouteTableEnabled",
        vm_routes: &BROAD_UDR,
        gateway_routes: &BROAD_UDR,
        ..ENDPOINTS
    };
    Scenario {
        folder: "endpoints-with-a-broad-route",
        snapshot: with_export(&estate, Shape::Flat, EXPORT_WITH_BROAD_ROUTE),
        tables: vec![("hub/vms", rows.clone()), ("hub/GatewaySubnet", rows)],
        recorded: vec![
            by_hub_vm(
                "
                from 10.13.76.132 to 10.13.77.6 | hubvmVMNic | 10.13.77.6/32 Default InterfaceEndpoint | | private_endpoint delivered | private_endpoint_has_no_route_table
                from 10.13.76.132 to 10.13.77.7 | hubvmVMNic | 10.13.77.0/24 Default VNetGlobalPeering | | peering delivered | peering delivered",
            ),
            by_gateway(
                "from 192.168.0.4 to 10.13.77.4 | hub/GatewaySubnet | 10.13.77.4/32 Default InterfaceEndpoint | | private_endpoint delivered | private_endpoint_has_no_route_table",
            ),
        ],
        // The firewall has no route to an address that no VNet holds.
        asked: "from hub/vms to 10.50.0.1 | hub/vms | 10.0.0.0/8 User VirtualAppliance 10.13.76.68 | azfw | firewall dropped dropped | no_route_table",
        findings: "
            warning default_none_rows_missing hubvmVMNic - -
            warning private_endpoint_bypass hubvmVMNic 10.13.77.4/32 -
            warning private_endpoint_bypass hubvmVMNic 10.13.77.5/32 -
            warning private_endpoint_bypass hubvmVMNic 10.13.77.6/32 -
            warning longer_prefix_beats_udr hubvmVMNic 10.13.77.0/24 -
            warning private_endpoint_bypass hub/vms 10.13.77.4/32 -
            warning private_endpoint_bypass hub/vms 10.13.77.5/32 -
            warning private_endpoint_bypass hub/vms 10.13.77.6/32 -
            warning longer_prefix_beats_udr hub/vms 10.13.77.0/24 -
            warning private_endpoint_bypass hub/GatewaySubnet 10.13.77.4/32 -
            warning private_endpoint_bypass hub/GatewaySubnet 10.13.77.5/32 -
            warning private_endpoint_bypass hub/GatewaySubnet 10.13.77.6/32 -
            warning longer_prefix_beats_udr hub/GatewaySubnet 10.13.77.0/24 -",
        comparison: Some(
            "hubvmVMNic and hub/vms: equal\n\
             \x20 hidden in the export: Default Active 100.64.0.0/10 None\n\
             \x20 hidden in the export: Default Active 172.16.0.0/12 None\n\
             \x20 hidden in the export: Default Active 192.168.0.0/16 None\n",
        ),
        ..Scenario::default()
    }
}

fn endpoints_without_policies() -> Scenario {
    Scenario {
        folder: "endpoints-without-policies",
        snapshot: PrivateLink { vm_routes: &SPOKE_UDR, ..ENDPOINTS }.files(Shape::Graph),
        tables: vec![(
            "hub/vms",
            [
                HUB_ROWS,
                BLOCK_10,
                "Default Invalid 10.13.77.0/24 VNetGlobalPeering\n",
                "User Active 10.13.77.0/24 VirtualAppliance 10.13.76.68\n",
                ENDPOINTS_ACTIVE,
            ]
            .concat(),
        )],
        recorded: vec![by_hub_vm(
            "
            from 10.13.76.132 to 10.13.77.6 | hub/vms | 10.13.77.6/32 Default InterfaceEndpoint | | private_endpoint delivered | private_endpoint_has_no_route_table
            from 10.13.76.132 to 10.13.77.7 | hub/vms | 10.13.77.0/24 User VirtualAppliance 10.13.76.68 | azfw | firewall peering delivered | peering delivered",
        )],
        findings: "
            warning private_endpoint_bypass hub/vms 10.13.77.4/32 -
            warning private_endpoint_bypass hub/vms 10.13.77.5/32 -
            warning private_endpoint_bypass hub/vms 10.13.77.6/32 -
            warning asymmetric_pair hub/vms - -
            note shadowed_by_invalid_twin hub/vms 10.13.77.0/24 -",
        ..Scenario::default()
    }
}

const SECURED_ROWS: &str = "\
Default Active 10.2.0.0/16 VnetLocal
Default Active 10.100.0.0/23 VNetPeering
VirtualNetworkGateway Active 10.0.0.0/8 VirtualNetworkGateway 10.100.0.132
VirtualNetworkGateway Active 172.16.0.0/12 VirtualNetworkGateway 10.100.0.132
VirtualNetworkGateway Active 192.168.0.0/16 VirtualNetworkGateway 10.100.0.132
";
const SECURED_DEFAULT: &str =
    "VirtualNetworkGateway Active 0.0.0.0/0 VirtualNetworkGateway 10.100.0.132\n";

fn by_subnet(mac: &'static str, vnet: &str, subnet: &str, decisions: &'static str) -> Recorded {
    Recorded { mac, target: subnet_id(vnet, subnet), decisions }
}

fn secured_hub_in_one_vnet() -> Scenario {
    Scenario {
        folder: "secured-hub-in-one-vnet",
        snapshot: SecuredHub::ONE_VNET.files(Shape::Flat),
        tables: vec![
            (
                "vnet-b/snet-appgw",
                [
                    SECURED_ROWS,
                    "Default Active 100.64.0.0/10 None\n",
                    "VirtualNetworkGateway Invalid 0.0.0.0/0 VirtualNetworkGateway 10.100.0.132\n",
                    "User Active 0.0.0.0/0 Internet\n",
                    "User Active 10.2.0.0/24 VirtualAppliance 10.100.0.132\n",
                ]
                .concat(),
            ),
            (
                "vnet-b/snet-be",
                [
                    SECURED_ROWS,
                    SECURED_DEFAULT,
                    "User Active 10.2.1.0/24 VirtualAppliance 10.100.0.132\n",
                ]
                .concat(),
            ),
            ("vnet-b/snet-misc", [SECURED_ROWS, SECURED_DEFAULT].concat()),
        ],
        recorded: vec![
            by_subnet(
                "000D3A2C0101",
                "vnet-b",
                "snet-appgw",
                "
                from 10.2.1.4 to 10.2.0.10 | vnet-b/snet-appgw | 10.2.0.0/24 User VirtualAppliance 10.100.0.132 | azfw-hub | firewall peering delivered | firewall peering delivered
                from 10.2.1.4 to 203.0.113.7 | vnet-b/snet-appgw | 0.0.0.0/0 User Internet | | internet left | internet_has_no_route_table
                from 10.2.1.4 to 192.168.50.5 | vnet-b/snet-appgw | 192.168.0.0/16 VirtualNetworkGateway VirtualNetworkGateway 10.100.0.132 | azfw-hub | firewall gateway left | firewall peering delivered
                from 10.2.1.4 to 10.2.1.5 | vnet-b/snet-appgw | 10.2.0.0/16 Default VnetLocal | | vnet delivered | vnet delivered
                from 10.2.1.4 to 10.2.3.9 | vnet-b/snet-appgw | 10.2.0.0/16 Default VnetLocal | | vnet delivered | no_route_table",
            ),
            by_subnet(
                "000D3A2C0202",
                "vnet-b",
                "snet-be",
                "
                from 10.2.0.10 to 10.2.1.4 | vnet-b/snet-be | 10.2.1.0/24 User VirtualAppliance 10.100.0.132 | azfw-hub | firewall peering delivered | firewall peering delivered
                from 10.2.0.10 to 203.0.113.7 | vnet-b/snet-be | 0.0.0.0/0 VirtualNetworkGateway VirtualNetworkGateway 10.100.0.132 | azfw-hub | firewall internet left | internet_has_no_route_table
                from 10.2.0.10 to 10.2.2.7 | vnet-b/snet-be | 10.2.0.0/16 Default VnetLocal | | vnet delivered | vnet delivered",
            ),
            by_subnet(
                "000D3A2C0303",
                "vnet-b",
                "snet-misc",
                "from 10.2.2.7 to 10.2.1.4 | vnet-b/snet-misc | 10.2.0.0/16 Default VnetLocal | | vnet delivered | vnet delivered",
            ),
        ],
        // Where an application rule has translated the source, the answer is for the firewall.
        asked: "
        from 10.2.0.10 to 10.100.0.133 | vnet-b/snet-be | 10.100.0.0/23 Default VNetPeering | | peering delivered | peering delivered
        from 192.168.50.5 to 10.2.0.10 | hub1/hub-gateways | 10.0.0.0/8 User VirtualAppliance 10.100.0.132 | azfw-hub | firewall peering delivered | firewall gateway left",
        policy: Some(ONE_VNET_POLICY),
        logged: &[1, 3, 6, 7],
        // 10.2.3.9 is a backend in a new subnet, and 10.2.2.7 in one without a route table: the
        // routes of the old one do not hold them.
        verdicts: "
        from 10.2.1.4 to 10.2.0.10 | firewall | covered | seen
        from 10.2.1.4 to 203.0.113.7 | internet | covered | path_as_required
        from 10.2.1.4 to 192.168.50.5 | | not_required | no_rule_asks
        from 10.2.1.4 to 10.2.1.5 | firewall | exempt | instances of one gateway talk to each other
        from 10.2.1.4 to 10.2.3.9 | firewall | bypass | vnet_bypass
        from 10.2.0.10 to 10.2.1.4 | firewall | covered | seen
        from 10.2.0.10 to 203.0.113.7 | firewall | covered | seen
        from 10.2.0.10 to 10.2.2.7 | | not_required | no_rule_asks
        from 10.2.2.7 to 10.2.1.4 | firewall | bypass | vnet_bypass",
        ..Scenario::default()
    }
}

fn secured_hub_between_vnets() -> Scenario {
    Scenario {
        folder: "secured-hub-between-vnets",
        snapshot: SecuredHub::TWO_VNETS.files(Shape::Graph),
        tables: vec![("vnet-b/snet-be", [SECURED_ROWS, SECURED_DEFAULT].concat())],
        recorded: vec![
            by_subnet(
                "000D3A2C0101",
                "vnet-a",
                "snet-appgw",
                "
                from 10.3.1.4 to 10.2.0.10 | vnet-a/snet-appgw | 10.0.0.0/8 VirtualNetworkGateway VirtualNetworkGateway 10.100.0.132 | azfw-hub | firewall peering delivered | firewall peering delivered
                from 10.3.1.4 to 203.0.113.9 | vnet-a/snet-appgw | 0.0.0.0/0 User Internet | | internet left | internet_has_no_route_table
                from 10.3.1.4 to 10.3.1.6 | vnet-a/snet-appgw | 10.3.0.0/16 Default VnetLocal | | vnet delivered | vnet delivered",
            ),
            by_subnet(
                "000D3A2C0202",
                "vnet-b",
                "snet-be",
                "
                from 10.2.0.10 to 10.3.1.5 | vnet-b/snet-be | 10.0.0.0/8 VirtualNetworkGateway VirtualNetworkGateway 10.100.0.132 | azfw-hub | firewall peering delivered | firewall peering delivered
                from 10.2.0.10 to 203.0.113.9 | vnet-b/snet-be | 0.0.0.0/0 VirtualNetworkGateway VirtualNetworkGateway 10.100.0.132 | azfw-hub | firewall internet left | internet_has_no_route_table",
            ),
        ],
        ..Scenario::default()
    }
}

const SPOKE1_ROWS: &str = "\
Default Active 10.1.0.0/16 VnetLocal
Default Active 10.0.0.0/16 VNetPeering
VirtualNetworkGateway Active 192.168.0.0/16 VirtualNetworkGateway 20.30.40.50
Default Active 0.0.0.0/0 Internet
Default Active 10.0.0.0/8 None
Default Active 172.16.0.0/12 None
Default Active 100.64.0.0/10 None
User Active 10.2.0.0/16 VirtualNetworkGateway
";

fn gateway_transit() -> Scenario {
    Scenario {
        folder: "gateway-transit",
        snapshot: GatewayTransit::SOUND.files(Shape::Nested),
        tables: vec![("spoke1/web", SPOKE1_ROWS.to_owned())],
        recorded: vec![
            by_subnet(
                "000D3A1E0101",
                "spoke1",
                "web",
                "
                from 10.1.0.4 to 10.2.0.4 | spoke1/web | 10.2.0.0/16 User VirtualNetworkGateway | | gateway peering delivered | gateway peering delivered
                from 10.1.0.4 to 192.168.0.10 | spoke1/web | 192.168.0.0/16 VirtualNetworkGateway VirtualNetworkGateway 20.30.40.50 | vpngw | gateway left | peering delivered
                from 10.1.0.4 to 10.0.9.9 | spoke1/web | 10.0.0.0/16 Default VNetPeering | | peering delivered | no_route_table
                from 10.1.0.4 to 10.7.0.4 | spoke1/web | 10.0.0.0/8 Default None | | dropped dropped | no_route_table",
            ),
            by_subnet(
                "000D3A1E0202",
                "spoke2",
                "web",
                "from 10.2.0.4 to 10.1.0.4 | spoke2/web | 10.1.0.0/16 User VirtualNetworkGateway | | gateway peering delivered | gateway peering delivered",
            ),
        ],
        asked: "from 192.168.0.10 to 10.2.0.4 | hub/GatewaySubnet | 10.2.0.0/16 Default VNetPeering | | peering delivered | gateway left",
        ..Scenario::default()
    }
}

fn gateway_transit_one_way() -> Scenario {
    Scenario {
        folder: "gateway-transit-one-way",
        snapshot: GatewayTransit { spoke2_routes: &[], ..GatewayTransit::SOUND }
            .files(Shape::Graph),
        tables: vec![("spoke1/web", SPOKE1_ROWS.to_owned())],
        recorded: vec![
            by_subnet(
                "000D3A1E0101",
                "spoke1",
                "web",
                "from 10.1.0.4 to 10.2.0.4 | spoke1/web | 10.2.0.0/16 User VirtualNetworkGateway | | gateway peering delivered | dropped dropped",
            ),
            by_subnet(
                "000D3A1E0202",
                "spoke2",
                "web",
                "from 10.2.0.4 to 10.1.0.4 | spoke2/web | 10.0.0.0/8 Default None | | dropped dropped | gateway peering delivered",
            ),
        ],
        findings: "error one_way_pair spoke2/web - -",
        ..Scenario::default()
    }
}
