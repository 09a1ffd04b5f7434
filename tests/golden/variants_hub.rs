//! Estates of private endpoints, secured hubs and gateway transit that differ from a scenario by one
//! setting.

use serde_json::json;

use super::variants::assert_holds;
use crate::recipes::azure::{
    Shape, file, id, nic, private_endpoint, resource, route_table, subnet_id,
};
use crate::recipes::estates::{ENDPOINT_UDRS, GatewayTransit, PrivateLink, Route, SPOKE_UDR};
use crate::recipes::estates_hub::SecuredHub;
use crate::recipes::scenario::Scenario;

type Files = Vec<(String, Vec<u8>)>;

const HOST_ROUTES: PrivateLink = PrivateLink {
    policy: "Disabled",
    vm_routes: &ENDPOINT_UDRS,
    gateway_routes: &ENDPOINT_UDRS,
    gateway_addresses: &["10.13.76.4", "10.13.76.5"],
};
const POLICIES: PrivateLink = PrivateLink {
    policy: "RouteTableEnabled",
    vm_routes: &SPOKE_UDR,
    gateway_routes: &SPOKE_UDR,
    ..HOST_ROUTES
};

fn with_fourth_endpoint(estate: &PrivateLink) -> Files {
    let mut files = estate.files(Shape::Nested);
    let fourth = private_endpoint("pe3", &subnet_id("spoke1", "ep"), "10.13.77.9");
    files.push(("fourth.json".to_owned(), file(Shape::Flat, fourth.into())));
    files
}

#[test]
fn a_new_endpoint_bypasses_host_routes_until_it_has_its_own() {
    assert_holds(&Scenario {
        folder: "a fourth endpoint, and host routes for three",
        snapshot: with_fourth_endpoint(&HOST_ROUTES),
        asked: "
        from hub/vms to 10.13.77.6 | hub/vms | 10.13.77.6/32 User VirtualAppliance 10.13.76.68 | azfw | firewall private_endpoint delivered | private_endpoint_has_no_route_table
        from hub/vms to 10.13.77.9 | hub/vms | 10.13.77.9/32 Default InterfaceEndpoint | | private_endpoint delivered | private_endpoint_has_no_route_table",
        findings: "
            error gateway_ignores_udr_over_private_endpoint hub/GatewaySubnet 10.13.77.4/32 -
            error gateway_ignores_udr_over_private_endpoint hub/GatewaySubnet 10.13.77.5/32 -
            error gateway_ignores_udr_over_private_endpoint hub/GatewaySubnet 10.13.77.6/32 -
            warning private_endpoint_bypass hub/vms 10.13.77.9/32 -",
        ..Scenario::default()
    });
}

#[test]
fn a_new_endpoint_is_covered_by_a_route_as_long_as_the_vnet() {
    let through = "10.13.77.0/24 User VirtualAppliance 10.13.76.68 | azfw | firewall private_endpoint delivered | private_endpoint_has_no_route_table";
    let asked = format!(
        "from hub/vms to 10.13.77.9 | hub/vms | {through}\n\
         from 192.168.0.4 to 10.13.77.9 | hub/GatewaySubnet | {through}"
    );
    assert_holds(&Scenario {
        folder: "a fourth endpoint, and a route for the whole VNet",
        snapshot: with_fourth_endpoint(&POLICIES),
        asked: asked.leak(),
        findings: "
            warning asymmetric_pair hub/vms - -
            note shadowed_by_invalid_twin hub/vms 10.13.77.0/24 -
            note shadowed_by_invalid_twin hub/GatewaySubnet 10.13.77.0/24 -",
        ..Scenario::default()
    });
}

/// The firewall's place is taken by two machines behind an internal load balancer.
fn with_appliance(settings: &str) -> Files {
    let mut files = POLICIES.files(Shape::Graph);
    let text = String::from_utf8(files[3].1.clone()).expect("JSON");
    let mut edge: serde_json::Value = serde_json::from_str(&text).expect("JSON");
    edge["data"].as_array_mut().expect("a list").retain(|one| one["name"] != "azfw");
    files[3].1 = edge.to_string().into_bytes();
    let subnet = subnet_id("hub", "AzureFirewallSubnet");
    let pool = format!("{}/backendAddressPools/pool", id("loadBalancers", "nva-lb"));
    let mut appliances = vec![resource(
        "loadBalancers",
        "nva-lb",
        "westeurope",
        json!({
            "frontendIPConfigurations": [{
                "name": "front",
                "properties": { "privateIPAddress": "10.13.76.68", "subnet": { "id": subnet } },
            }],
            "backendAddressPools": [{ "id": pool, "name": "pool" }],
        }),
    )];
    for (number, address) in ["10.13.76.69", "10.13.76.70"].iter().enumerate() {
        let mac = format!("00-0D-3A-5B-33-0{number}");
        let more = json!({ "enableIPForwarding": true });
        let mut appliance = nic(&format!("nva{number}"), &subnet, address, &mac, more);
        appliance["properties"]["ipConfigurations"][0]["properties"]["loadBalancerBackendAddressPools"] =
            json!([{ "id": pool }]);
        appliances.push(appliance);
    }
    files.push(("appliances.json".to_owned(), file(Shape::Nested, appliances)));
    files.push(("nexthop.toml".to_owned(), settings.into()));
    files
}

#[test]
fn machines_behind_a_load_balancer_are_one_firewall_if_one_address_is_named_so() {
    for (settings, name, class) in [
        ("", "nva-lb", "appliance"),
        ("[[firewall]]\nname = \"nva\"\naddresses = [\"10.13.76.68\"]\n", "nva", "firewall"),
        ("[[firewall]]\nname = \"nva\"\naddresses = [\"10.13.76.70\"]\n", "nva", "firewall"),
    ] {
        let asked = format!(
            "from hub/vms to 10.13.77.6 | hub/vms | 10.13.77.0/24 User VirtualAppliance \
             10.13.76.68 | {name} | {class} private_endpoint delivered | \
             private_endpoint_has_no_route_table"
        );
        // An appliance that nobody named inspects nothing, so no way misses it.
        let asymmetry = match class {
            "firewall" => "warning asymmetric_pair hub/vms - -\n",
            _ => "",
        };
        let findings = format!(
            "{asymmetry}note shadowed_by_invalid_twin hub/vms 10.13.77.0/24 -
             note shadowed_by_invalid_twin hub/GatewaySubnet 10.13.77.0/24 -"
        );
        assert_holds(&Scenario {
            folder: "an appliance",
            snapshot: with_appliance(settings),
            asked: asked.leak(),
            findings: findings.leak(),
            ..Scenario::default()
        });
    }
}

#[test]
fn without_the_backends_route_the_answers_to_a_gateway_miss_the_firewall() {
    assert_holds(&Scenario {
        folder: "no route on the backends' subnet",
        snapshot: SecuredHub { backend_routes: &[], ..SecuredHub::ONE_VNET }.files(Shape::Nested),
        asked: "
        from 10.2.1.4 to 10.2.0.10 | vnet-b/snet-appgw | 10.2.0.0/24 User VirtualAppliance 10.100.0.132 | azfw-hub | firewall peering delivered | vnet delivered
        from 10.2.0.10 to 10.2.1.4 | vnet-b/snet-be | 10.2.0.0/16 Default VnetLocal | | vnet delivered | firewall peering delivered",
        findings: "warning asymmetric_pair vnet-b/snet-be - -",
        ..Scenario::default()
    });
}

const BACKENDS: Route = ("backends", "10.2.0.0/24", "VirtualAppliance", "10.100.0.132");
const INTERNET: Route = ("internet", "0.0.0.0/0", "Internet", "");

#[test]
fn without_its_own_default_route_a_gateway_answers_the_internet_through_the_firewall() {
    assert_holds(&Scenario {
        folder: "no default route on the gateway's subnet",
        snapshot: SecuredHub { gateway_routes: &[BACKENDS], ..SecuredHub::ONE_VNET }
            .files(Shape::Graph),
        asked: "from 10.2.1.4 to 203.0.113.7 | vnet-b/snet-appgw | 0.0.0.0/0 VirtualNetworkGateway VirtualNetworkGateway 10.100.0.132 | azfw-hub | firewall internet left | internet_has_no_route_table",
        findings: "",
        ..Scenario::default()
    });
}

#[test]
fn without_the_gateways_route_its_requests_miss_the_firewall() {
    assert_holds(&Scenario {
        folder: "no route to the backends",
        snapshot: SecuredHub { gateway_routes: &[INTERNET], ..SecuredHub::ONE_VNET }
            .files(Shape::Flat),
        asked: "from 10.2.1.4 to 10.2.0.10 | vnet-b/snet-appgw | 10.2.0.0/16 Default VnetLocal | | vnet delivered | firewall peering delivered",
        findings: "warning asymmetric_pair vnet-b/snet-be - -",
        ..Scenario::default()
    });
}

#[test]
fn a_route_for_the_whole_vnet_captures_a_gateways_own_instances() {
    const WHOLE: Route = ("whole", "10.2.0.0/16", "VirtualAppliance", "10.100.0.132");
    assert_holds(&Scenario {
        folder: "one route for everything",
        snapshot: SecuredHub { gateway_routes: &[INTERNET, WHOLE], ..SecuredHub::ONE_VNET }
            .files(Shape::Flat),
        asked: "from 10.2.1.4 to 10.2.1.5 | vnet-b/snet-appgw | 10.2.0.0/16 User VirtualAppliance 10.100.0.132 | azfw-hub | firewall peering delivered | firewall peering delivered",
        // Other subnets answer the gateway directly.
        findings: "warning asymmetric_pair vnet-b/snet-misc - -",
        ..Scenario::default()
    });
}

#[test]
fn a_direct_peering_bypasses_a_secured_hub_both_ways() {
    assert_holds(&Scenario {
        folder: "a direct peering",
        snapshot: SecuredHub { has_direct_peering: true, ..SecuredHub::TWO_VNETS }
            .files(Shape::Flat),
        asked: "
        from 10.3.1.4 to 10.2.0.10 | vnet-a/snet-appgw | 10.2.0.0/16 Default VNetPeering | | peering delivered | peering delivered",
        findings: "",
        ..Scenario::default()
    });
}

fn transit(estate: GatewayTransit, asked: &'static str, findings: &'static str) {
    assert_holds(&Scenario {
        folder: "gateway transit",
        snapshot: estate.files(Shape::Flat),
        asked,
        findings,
        ..Scenario::default()
    });
}

#[test]
fn a_default_route_to_the_gateway_carries_traffic_between_spokes_too() {
    const DEFAULT: Route = ("all", "0.0.0.0/0", "VirtualNetworkGateway", "");
    transit(
        GatewayTransit {
            spoke1_routes: &[DEFAULT],
            spoke2_routes: &[DEFAULT],
            ..GatewayTransit::SOUND
        },
        "
        from 10.1.0.4 to 10.2.0.4 | spoke1/web | 0.0.0.0/0 User VirtualNetworkGateway | | gateway peering delivered | gateway peering delivered
        from 10.1.0.4 to 8.8.8.8 | spoke1/web | 0.0.0.0/0 User VirtualNetworkGateway | | gateway internet left | internet_has_no_route_table",
        "",
    );
}

#[test]
fn an_endpoint_in_the_other_spoke_is_reached_by_the_spokes_route() {
    let mut snapshot = GatewayTransit::SOUND.files(Shape::Nested);
    let endpoint = private_endpoint("sql", &subnet_id("spoke2", "web"), "10.2.0.9");
    snapshot.push(("endpoint.json".to_owned(), file(Shape::Graph, endpoint.into())));
    assert_holds(&Scenario {
        folder: "an endpoint two peerings away",
        snapshot,
        asked: "from 10.1.0.4 to 10.2.0.9 | spoke1/web | 10.2.0.0/16 User VirtualNetworkGateway | | gateway private_endpoint delivered | private_endpoint_has_no_route_table",
        ..Scenario::default()
    });
}

#[test]
fn routes_on_the_gateways_subnet_send_transit_through_a_firewall() {
    const TO_SPOKES: [Route; 2] = [
        ("spoke1", "10.1.0.0/16", "VirtualAppliance", "10.0.1.4"),
        ("spoke2", "10.2.0.0/16", "VirtualAppliance", "10.0.1.4"),
    ];
    let mut snapshot = GatewayTransit::SOUND.files(Shape::Nested);
    let text = String::from_utf8(snapshot[0].1.clone()).expect("JSON");
    let mut document: serde_json::Value = serde_json::from_str(&text).expect("JSON");
    let subnets = &mut document["value"][0]["properties"]["subnets"];
    subnets[0]["properties"]["routeTable"] = json!({ "id": id("routeTables", "rt-gateway") });
    subnets.as_array_mut().expect("a list").push(json!({
        "id": subnet_id("hub", "AzureFirewallSubnet"),
        "name": "AzureFirewallSubnet",
        "properties": { "addressPrefix": "10.0.1.0/26" },
    }));
    snapshot[0].1 = document.to_string().into_bytes();
    let more = vec![
        route_table("rt-gateway", true, &TO_SPOKES),
        crate::recipes::azure::firewall("azfw", "hub", "10.0.1.4"),
    ];
    snapshot.push(("firewall.json".to_owned(), file(Shape::Flat, more)));
    assert_holds(&Scenario {
        folder: "inspected at the gateway",
        snapshot,
        asked: "
        from 10.1.0.4 to 10.2.0.4 | spoke1/web | 10.2.0.0/16 User VirtualNetworkGateway | | gateway firewall peering delivered | gateway firewall peering delivered
        from 192.168.0.10 to 10.1.0.4 | hub/GatewaySubnet | 10.1.0.0/16 User VirtualAppliance 10.0.1.4 | azfw | firewall peering delivered | gateway left",
        findings: "
            note shadowed_by_invalid_twin hub/GatewaySubnet 10.1.0.0/16 -
            note shadowed_by_invalid_twin hub/GatewaySubnet 10.2.0.0/16 -",
        ..Scenario::default()
    });
}
