//! A gateway as the router between spokes, and client pools behind a gateway.

use serde_json::json;

use super::{Lab, Observer, edit, files_of, flow};
use crate::recipes::estates;

const POLICY: &str = r#"
[[require]]
name = "spokes by the gateway"
from = ["vnet:spoke1"]
to = ["vnet:spoke2"]
via = "gateway"
both_ways = true
"#;

const LOG: Observer = Observer { mac: "000D3A5B3301", vnet: "spoke1", subnet: None };

#[test]
fn a_route_on_one_spoke_only_is_one_way() {
    let files = files_of(estates::gateway_transit(), "gateway transit: a route on one spoke only");
    Lab::new(&files)
        .policy(POLICY)
        .flows("log", LOG, &[flow(60, "10.1.0.4", 50_000, "10.2.0.4", 443)])
        .verify(&[])
        .assert(1, &[("one_way", 1)])
        .assert_findings(&[("10.1.0.4", "10.2.0.4", "one_way")])
        .assert_says("spoke2/web");
}

#[test]
fn client_pools_that_the_other_side_does_not_route_are_one_way() {
    let on_premises = |prefixes: &[&str]| {
        let rows: Vec<_> = prefixes
            .iter()
            .map(|prefix| {
                json!({
                    "addressPrefix": [prefix],
                    "nextHopIpAddress": ["20.30.40.50"],
                    "nextHopType": "VirtualNetworkGateway",
                    "source": "User",
                    "state": "Active",
                })
            })
            .collect();
        serde_json::to_vec(&json!({ "value": rows })).expect("JSON of ours")
    };
    let settings = r#"
[[table]]
file = "onprem.json"
name = "on-premises"
sources = ["192.168.0.0/16"]
"#;
    let policy = r#"
[[require]]
name = "app to database"
from = ["172.16.201.0/24"]
to = ["192.168.0.0/16"]
via = "gateway"
"#;
    let log = Observer { mac: "002248A7C0BB", vnet: "hub", subnet: Some("GatewaySubnet") };
    for (prefixes, code, verdict) in [
        (&["10.0.0.0/16"][..], 1, "one_way"),
        (&["10.0.0.0/16", "172.16.201.0/24"][..], 0, "covered"),
    ] {
        let mut files =
            files_of(estates::gateway_transit(), "gateway transit: a route on both spokes");
        let edge = "edge.json";
        edit(&mut files, edge, |edge| {
            let gateways = edge["value"].as_array_mut().expect("a list");
            let gateway = gateways
                .iter_mut()
                .find(|one| one["type"] == "Microsoft.Network/virtualNetworkGateways");
            gateway.expect("a gateway")["properties"]["vpnClientConfiguration"] = json!({
                "vpnClientAddressPool": { "addressPrefixes": ["172.16.201.0/24"] },
            });
        });
        files.push(("onprem.json".to_owned(), on_premises(prefixes)));
        let verification = Lab::new(&files)
            .settings(settings)
            .policy(policy)
            .flows("log", log, &[flow(60, "172.16.201.5", 50_000, "192.168.0.10", 1433)])
            .verify(&[]);
        verification.assert(code, &[(verdict, 1)]);
        if code == 1 {
            verification
                .assert_findings(&[("172.16.201.5", "192.168.0.10", "one_way")])
                .assert_says("on-premises has no route for 172.16.201.5");
        }
    }
}
