//! An application gateway and its backends, inspected by the firewall of a virtual WAN's hub.

use serde_json::json;

use super::lab::{Flow, Lab, Observer, edit, files_of, flow};
use crate::recipes::azure::{Shape, file, id};
use crate::recipes::estates::hub_child;
use crate::recipes::estates_hub::{self, ONE_VNET_POLICY};

const ONE_VNET: &str = "secured hub: application gateway and backends in one VNet";
const TWO_VNETS: &str = "secured hub: application gateway and backends in two VNets";

const LOG: Observer = Observer { mac: "000D3A5B2201", vnet: "vnet-b", subnet: None };

fn to_backend() -> Flow {
    flow(60, "10.2.1.4", 50_000, "10.2.0.10", 443)
}

fn lab(estate: &str) -> Lab {
    Lab::new(&files_of(estates_hub::secured_hub(), estate)).policy(ONE_VNET_POLICY)
}

fn logged(flows: &[Flow]) -> String {
    flows.iter().map(Flow::network_rule).collect()
}

#[test]
fn both_directions_pass_the_hubs_firewall_and_the_gateway_reaches_clients_directly() {
    let from_backend = flow(70, "10.2.0.10", 50_001, "10.2.1.4", 8443);
    let to_client = flow(80, "10.2.1.4", 443, "203.0.113.7", 50_002);
    // The row's type says gateway; its address is the firewall's.
    let backend_egress = flow(90, "10.2.0.10", 50_003, "203.0.113.7", 443);
    let verification = lab(ONE_VNET)
        .flows("log", LOG, &[to_backend(), from_backend, to_client, backend_egress])
        .evidence("azfw.jsonl", &logged(&[to_backend(), from_backend, backend_egress]))
        .verify(&[]);
    verification.assert(0, &[("covered", 4)]).assert_says("3 of them were seen at a firewall");
    // The flow that no firewall should see is covered by its path, and nobody claims to have seen it.
    let json = &verification.json;
    assert_eq!(json["denominators"]["seen"]["flows"], 3);
    let by_rule = json["by_rule"].as_array().expect("rules");
    let seen = |rule: &str| {
        by_rule.iter().find(|one| one["rule"] == rule).map(|one| one["seen"]["flows"].clone())
    };
    assert_eq!(seen("appgw-direct-internet"), Some(json!(null)));
}

#[test]
fn without_the_backends_route_every_flow_between_them_is_asymmetric() {
    let back = flow(70, "10.2.0.11", 50_001, "10.2.1.5", 8443);
    lab("secured hub: the backends' route is missing")
        .flows("log", LOG, &[to_backend(), back])
        .verify(&[])
        .assert(1, &[("asymmetric", 2)])
        .assert_findings(&[
            ("10.2.1.4", "10.2.0.10", "asymmetric_return"),
            ("10.2.0.11", "10.2.1.5", "asymmetric_forward"),
        ])
        .assert_says("vnet-b/snet-be")
        .assert_says(
            "add a user-defined route for 10.2.1.0/24 (the subnet of 10.2.1.4) to it here",
        );
}

#[test]
fn without_its_default_the_gateway_answers_clients_by_the_firewall() {
    lab("secured hub: the gateway's own default is missing")
        .flows("log", LOG, &[flow(80, "10.2.1.4", 443, "203.0.113.7", 50_002)])
        .verify(&[])
        .assert(1, &[("bypass", 1)])
        .assert_findings(&[("10.2.1.4", "203.0.113.7", "wrong_next_hop")])
        .assert_says("appgw-direct-internet")
        .assert_says("add a user-defined route for 0.0.0.0/0 to Internet");
}

#[test]
fn a_new_backend_subnet_is_not_covered_by_the_old_ones_route() {
    let mut files = files_of(estates_hub::secured_hub(), ONE_VNET);
    edit(&mut files, "vnets.json", |vnets| {
        let subnets = vnets[0]["subnets"].as_array_mut().expect("subnets");
        let mut new = subnets[0].clone();
        new["name"] = json!("snet-be3");
        new["id"] = json!(format!("{}/subnets/snet-be3", id("virtualNetworks", "vnet-b")));
        new["addressPrefix"] = json!("10.2.3.0/24");
        new.as_object_mut().expect("an object").remove("routeTable");
        subnets.push(new);
    });
    Lab::new(&files)
        .policy(ONE_VNET_POLICY)
        .flows("log", LOG, &[flow(60, "10.2.1.4", 50_000, "10.2.3.9", 443)])
        .verify(&[])
        .assert(1, &[("bypass", 1)])
        .assert_findings(&[("10.2.1.4", "10.2.3.9", "vnet_bypass")])
        .assert_says("the user-defined route for 10.2.0.0/24 does not hold 10.2.3.9")
        // Not for the VNet's whole space, which would catch what stays inside a subnet, too.
        .assert_says("add a user-defined route for 10.2.3.0/24 (the subnet of 10.2.3.9)");
}

#[test]
fn the_gateways_instances_are_exempt() {
    lab(ONE_VNET)
        .flows("log", LOG, &[flow(60, "10.2.1.4", 50_000, "10.2.1.5", 65_200)])
        .verify(&[])
        .assert(0, &[("exempt", 1)]);
}

const TWO_VNETS_POLICY: &str = r#"
[[require]]
name = "gateway and backends"
from = ["vnet:vnet-a"]
to = ["vnet:vnet-b"]
via = "firewall"
both_ways = true
"#;

#[test]
fn in_two_vnets_the_hubs_routes_inspect_both_directions() {
    let flows =
        [flow(60, "10.3.1.4", 50_000, "10.2.0.10", 443), flow(70, "10.2.0.10", 1, "10.3.1.5", 2)];
    lab(TWO_VNETS)
        .policy(TWO_VNETS_POLICY)
        .flows("log", LOG, &flows)
        .evidence("azfw.jsonl", &logged(&flows))
        .verify(&[])
        .assert(0, &[("covered", 2)]);
}

/// Static routes instead of routing intent: the secured VNet propagates to no table, so that the
/// other one has the aggregate alone; the other propagates its own prefix, which is longer.
#[test]
fn one_secured_vnet_of_two_is_asymmetric() {
    let mut files = files_of(estates_hub::secured_hub(), TWO_VNETS);
    let table = |name: &str| format!("{}/hubRouteTables/{name}", id("virtualHubs", "hub1"));
    edit(&mut files, "hub.json", |hub| {
        let resources = hub["data"].as_array_mut().expect("rows of a query");
        resources.retain(|one| {
            let kind = one["type"].as_str().expect("a type");
            !kind.ends_with("routingintent")
        });
        for one in resources.iter_mut() {
            let kind = one["type"].as_str().expect("a type");
            if kind.ends_with("hubvirtualnetworkconnections") {
                let is_secured = one["name"] == "vnet-a-connection";
                let propagated = if is_secured { "noneRouteTable" } else { "defaultRouteTable" };
                one["properties"]["routingConfiguration"] = json!({
                    "associatedRouteTable": { "id": table("defaultRouteTable") },
                    "propagatedRouteTables": { "ids": [{ "id": table(propagated) }], "labels": [] },
                });
            }
        }
    });
    let firewall = id("azureFirewalls", "azfw-hub");
    let default = hub_child(
        "hub1",
        "hubRouteTables",
        "defaultRouteTable",
        json!({
            "labels": ["default"],
            "routes": [{
                "name": "private_traffic",
                "destinationType": "CIDR",
                "destinations": ["10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16"],
                "nextHopType": "ResourceId",
                "nextHop": firewall,
            }],
        }),
    );
    files.push(("tables.json".to_owned(), file(Shape::Nested, vec![default])));
    Lab::new(&files)
        .policy(TWO_VNETS_POLICY)
        .flows("log", LOG, &[flow(60, "10.3.1.4", 50_000, "10.2.0.10", 443)])
        .verify(&[])
        .assert(1, &[("asymmetric", 1)])
        .assert_findings(&[("10.3.1.4", "10.2.0.10", "asymmetric_forward")]);
}
