//! What a flow log is set to leave out can never be recorded, and is named.

use serde_json::json;

use super::lab::{Lab, files_of, flow};
use crate::recipes::azure::{Shape, file, resource, subnet_id};
use crate::recipes::estates;

const ESTATE: &str = "private link: network policies and a route as long as the VNet";
const POLICY: &str = "[[require]]\nname = \"all\"\nvia = \"direct\"\n";

#[test]
fn states_and_flows_that_a_flow_log_leaves_out_are_named_with_their_place() {
    let log = |name: &str, target: &str, settings: serde_json::Value| {
        let mut log = resource("networkWatchers/nw/flowLogs", name, "westeurope", settings);
        log["type"] = json!("Microsoft.Network/networkWatchers/flowLogs");
        log["properties"]["targetResourceId"] = json!(target);
        log
    };
    let vm = subnet_id("hub", "vm");
    let hub = vm.split("/subnets/").next().expect("a VNet");
    let logs = vec![
        log("some-states", hub, json!({ "enabled": true, "recordTypes": "B,E" })),
        log("some-flows", &vm, json!({ "enabledFilteringCriteria": "dstPort=1433" })),
        log("all", hub, json!({ "recordTypes": "B,C,E,D", "enabledFilteringCriteria": "" })),
        log("not-said", hub, json!({ "recordTypes": null })),
        log("off", hub, json!({ "enabled": false, "recordTypes": "D" })),
    ];
    for shape in [Shape::Flat, Shape::Nested, Shape::Graph] {
        let mut files = files_of(estates::private_link(), ESTATE);
        files.push(("flow-logs.json".to_owned(), file(shape, logs.clone())));
        let verification = Lab::new(&files)
            .policy(POLICY)
            .flows(
                "vm",
                super::lab::Observer { mac: "000D3A5B1101", vnet: "hub", subnet: None },
                &[flow(60, "10.13.76.132", 50_000, "10.13.76.133", 443)],
            )
            .verify(&[]);
        verification
            .assert(0, &[("covered", 1)])
            .assert_unobservable(&[
                ("record_types_off", "hub"),
                ("recording_filtered", "hub/vm"),
                ("icmp", "flow logs"),
            ])
            .assert_says("some-states leaves out the course (C), the denial (D) of every flow")
            .assert_says("some-flows records only what matches `dstPort=1433`");
    }
}
