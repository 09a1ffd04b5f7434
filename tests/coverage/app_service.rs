//! App Service: what enters the VNet, what service endpoints let around, what is never recorded.

use serde_json::{Value, json};

use super::{Lab, Observer, edit, files_of, flow};
use crate::recipes::azure::{SUBSCRIPTION, Shape, file, id, route_table, subnet};
use crate::recipes::estates_hub;

const LOG: Observer = Observer { mac: "000D3A5B4401", vnet: "apps", subnet: None };
const ALL_ENTERS: &str = "App Service: all traffic enters the VNet";

/// Adds a subnet of an App Service Environment, with a service endpoint for databases.
fn with_environment(routes: &[(&str, &str, &str, &str)]) -> Vec<(String, Vec<u8>)> {
    let mut files = files_of(estates_hub::app_service(), ALL_ENTERS);
    edit(&mut files, "resources.json", |document| {
        let resources = document["value"].as_array_mut().expect("a list");
        let apps = resources.iter_mut().find(|one| one["name"] == "apps").expect("the VNet");
        let mut environment = subnet(
            "ase",
            "10.20.8.0/24",
            Some("rt-ase"),
            json!({
                "serviceEndpoints": [{ "service": "Microsoft.Sql", "locations": ["westeurope"] }],
                "delegations": [{
                    "name": "ase",
                    "properties": { "serviceName": "Microsoft.Web/hostingEnvironments" },
                }],
            }),
        );
        environment["id"] = json!(format!("{}/subnets/ase", id("virtualNetworks", "apps")));
        apps["properties"]["subnets"].as_array_mut().expect("subnets").push(environment);
    });
    files.push((
        "rt-ase.json".to_owned(),
        file(Shape::Nested, vec![route_table("rt-ase", true, routes)]),
    ));
    files
}

#[test]
fn forced_tunnelling_does_not_catch_service_endpoints() {
    let policy = r#"
[[require]]
name = "environment's databases"
from = ["subnet:apps/ase"]
to = ["40.79.154.0/24"]
via = "firewall"
"#;
    let forced = ("forced", "0.0.0.0/0", "VirtualNetworkGateway", "");
    let same_prefix = ("sql", "40.79.154.0/24", "VirtualAppliance", "10.0.1.4");
    for routes in [&[forced][..], &[forced, same_prefix][..]] {
        Lab::new(&with_environment(routes))
            .policy(policy)
            .flows("log", LOG, &[flow(60, "10.20.8.4", 50_000, "40.79.154.87", 1433)])
            .verify(&[])
            .assert(1, &[("bypass", 1)])
            .assert_findings(&[("10.20.8.4", "40.79.154.87", "service_endpoint_bypass")])
            .assert_says("ase: 40.79.154.0/24 → service_endpoint");
    }
}

const EGRESS: &str = r#"
[[require]]
name = "private traffic leaves by the firewall"
from = ["10.0.0.0/8"]
to = ["internet"]
via = "firewall"
"#;

#[test]
fn what_apps_send_is_named_as_never_recorded_and_judged_where_somebody_recorded_it() {
    // The firewall recorded what an app sent; no log of the app's own subnet could.
    let at_firewall =
        Observer { mac: "002248A7C069", vnet: "hub", subnet: Some("AzureFirewallSubnet") };
    Lab::new(&files_of(estates_hub::app_service(), ALL_ENTERS))
        .policy(EGRESS)
        .flows("firewall", at_firewall, &[flow(60, "10.20.5.7", 50_000, "203.0.113.20", 443)])
        .verify(&[])
        .assert(0, &[("covered", 1)])
        .assert_unobservable(&[
            ("app_service_integration", "apps/integration"),
            ("icmp", "flow logs"),
        ])
        .assert_says("shop send through regional integration");
}

#[test]
fn a_hybrid_connection_shows_its_managers_host_on_the_way_to_the_relay_alone() {
    let mut files = files_of(estates_hub::app_service(), ALL_ENTERS);
    let site = format!(
        "/subscriptions/{SUBSCRIPTION}/resourceGroups/rg-net/providers/Microsoft.Web/sites/shop"
    );
    let relay: Value = json!({
        "id": format!("{site}/hybridConnectionNamespaces/bus/relays/orders"),
        "name": "orders",
        "type": "Microsoft.Web/sites/hybridConnectionNamespaces/relays",
        "properties": { "hostname": "db01", "port": 1433, "relayName": "orders" },
    });
    files.push(("relays.json".to_owned(), file(Shape::Nested, vec![relay])));
    // Its own table sends it to the Internet directly.
    let host = flow(60, "10.20.1.10", 50_000, "203.0.113.44", 443);
    Lab::new(&files)
        .policy(EGRESS)
        .flows("log", LOG, &[host])
        .verify(&[])
        .assert(1, &[("bypass", 1)])
        .assert_findings(&[("10.20.1.10", "203.0.113.44", "internet_bypass")])
        .assert_unobservable(&[
            ("app_service_integration", "apps/integration"),
            ("hybrid_connection", "shop/orders"),
            ("icmp", "flow logs"),
        ])
        .assert_says("TCP to db01 goes inside a relay");
}
