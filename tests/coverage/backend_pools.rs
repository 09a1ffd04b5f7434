//! Backend pools of an application gateway: who is in them, what the gateway sends them, and what
//! a deployment that succeeded does not prove.

use serde_json::{Value, json};

use super::lab::{Flow, Lab, Observer, Verification, edit, files_of, flow};
use crate::recipes::azure::{Shape, file, id, nic, resource, subnet_id};
use crate::recipes::estates_hub;

const POLICY: &str = r#"
[[require]]
name = "gateway to backends"
from = ["subnet:vnet-b/snet-appgw"]
to = ["pool:appgw/claims", "pool:appgw/eligibility", "pool:appgw/documents"]
via = "firewall"
"#;

const LOG: Observer = Observer { mac: "000D3A5B2201", vnet: "vnet-b", subnet: None };
const ONE_VNET: &str = "secured hub: application gateway and backends in one VNet";
const ASYMMETRIC: &str = "secured hub: the backends' route is missing";

/// The configuration of an instance of a scale set, whose NIC may or may not be exported.
fn instance_id(instance: &str) -> String {
    format!(
        "{}/virtualMachines/{instance}/networkInterfaces/nic/ipConfigurations/ipconfig1",
        id("virtualMachineScaleSets", "documents")
            .replace("Microsoft.Network", "Microsoft.Compute")
    )
}

fn files(estate: &str) -> Vec<(String, Vec<u8>)> {
    let mut files = files_of(estates_hub::secured_hub(), estate);
    let pool = |name: &str, addresses: &[&str], configurations: &[String]| {
        let backends: Vec<Value> = addresses
            .iter()
            .map(|address| match address.parse::<std::net::IpAddr>() {
                Ok(_) => json!({ "ipAddress": address }),
                Err(_) => json!({ "fqdn": address }),
            })
            .collect();
        let ids: Vec<Value> = configurations.iter().map(|id| json!({ "id": id })).collect();
        json!({
            "id": format!("{}/backendAddressPools/{name}", id("applicationGateways", "appgw")),
            "name": name,
            "properties": { "backendAddresses": backends, "backendIPConfigurations": ids },
        })
    };
    let gateway = resource(
        "applicationGateways",
        "appgw",
        "westeurope",
        json!({
            "provisioningState": "Succeeded",
            "sku": { "name": "WAF_v2", "tier": "WAF_v2" },
            "gatewayIPConfigurations": [{
                "name": "gw",
                "properties": { "subnet": { "id": subnet_id("vnet-b", "snet-appgw") } },
            }],
            "backendAddressPools": [
                pool("claims", &["10.2.0.10", "10.2.0.11", "10.2.0.12"], &[]),
                pool("eligibility", &["10.2.0.20", "claims.example.net"], &[]),
                pool("documents", &[], &[instance_id("0"), instance_id("1")]),
            ],
        }),
    );
    // The NIC of the first instance was exported, that of the second was not.
    let mut known = nic("nic", &subnet_id("vnet-b", "snet-be"), "10.2.0.30", "", json!({}));
    known["id"] = json!(instance_id("0").replace("/ipConfigurations/ipconfig1", ""));
    known["type"] =
        json!("Microsoft.Compute/virtualMachineScaleSets/virtualMachines/networkInterfaces");
    known["properties"]["ipConfigurations"][0]["id"] = json!(instance_id("0"));
    files.push(("appgw.json".to_owned(), file(Shape::Nested, vec![gateway, known])));
    let health = json!({
        "backendAddressPools": [{
            "backendAddressPool": {
                "id": format!("{}/backendAddressPools/claims", id("applicationGateways", "appgw")),
            },
            "backendHttpSettingsCollection": [{
                "servers": [
                    { "address": "10.2.0.10", "health": "Healthy" },
                    { "address": "10.2.0.11", "health": "Unhealthy" },
                ],
            }],
        }],
    });
    files.push(("health.json".to_owned(), serde_json::to_vec(&health).expect("JSON of ours")));
    files
}

fn to_claims(port: u16, to: &'static str) -> Flow {
    flow(60 + u64::from(port), "10.2.1.4", 50_000 + port, to, 443)
}

/// Pool, member, problem, health and flows of each member.
fn inventory(verification: &Verification) -> Vec<(String, String, String, String, u64)> {
    let text = |one: &Value, key: &str| one[key].as_str().unwrap_or("").to_owned();
    verification.json["pools"]
        .as_array()
        .expect("pools")
        .iter()
        .map(|one| {
            let flows = one["flows"].as_u64().expect("a count");
            (
                text(one, "pool"),
                text(one, "member"),
                text(one, "problem"),
                text(one, "health"),
                flows,
            )
        })
        .collect()
}

#[test]
fn the_inventory_lists_every_member_with_its_flows_or_what_is_wrong() {
    let flows = [
        to_claims(1, "10.2.0.10"),
        to_claims(2, "10.2.0.10"),
        to_claims(3, "10.2.0.20"),
        to_claims(4, "10.2.0.30"),
        // Not from the gateway: its own subnet alone counts for the pool.
        flow(90, "10.2.2.7", 50_000, "10.2.0.12", 443),
    ];
    let evidence: String = flows.iter().map(Flow::network_rule).collect();
    let verification = Lab::new(&files(ONE_VNET))
        .policy(POLICY)
        .flows("log", LOG, &flows)
        .evidence("azfw.jsonl", &evidence)
        .verify(&[]);
    verification.assert(0, &[("covered", 4), ("not_required", 1)]);
    let row = |pool: &str, member: &str, problem: &str, health: &str, flows| {
        (pool.to_owned(), member.to_owned(), problem.to_owned(), health.to_owned(), flows)
    };
    assert_eq!(
        inventory(&verification),
        [
            row("appgw/claims", "10.2.0.10", "", "Healthy", 2),
            row("appgw/claims", "10.2.0.11", "no_flows", "Unhealthy", 0),
            row("appgw/claims", "10.2.0.12", "no_flows", "", 0),
            row("appgw/eligibility", "10.2.0.20", "", "", 1),
            row("appgw/eligibility", "claims.example.net", "unresolved_name", "", 0),
            row("appgw/documents", "10.2.0.30", "", "", 1),
            row("appgw/documents", "documents/1", "unknown_member", "", 0),
        ]
    );
    verification.assert_says("Backend pools");
}

#[test]
fn a_host_name_that_resolves_to_a_public_address_breaks_the_policy() {
    let mut files = files(ONE_VNET);
    edit(&mut files, "appgw.json", |document| {
        let pools = &mut document["value"][0]["properties"]["backendAddressPools"];
        pools[2]["properties"]["backendAddresses"] = json!([{ "ipAddress": "20.50.2.10" }]);
    });
    let verification = Lab::new(&files)
        .policy(POLICY)
        .flows("log", LOG, &[to_claims(1, "20.50.2.10")])
        .verify(&[]);
    verification.assert(1, &[("bypass", 1)]).assert_findings(&[(
        "10.2.1.4",
        "20.50.2.10",
        "internet_bypass",
    )]);
    let member = inventory(&verification).into_iter().find(|row| row.1 == "20.50.2.10");
    assert_eq!(member.expect("is listed").2, "public_address");
}

#[test]
fn a_host_name_that_the_settings_resolve_is_a_member_like_any_other() {
    let host = "[[host]]\nname = \"Claims.Example.net\"\naddresses = [\"20.50.2.10\"]\n";
    let verification = Lab::new(&files(ONE_VNET))
        .settings(host)
        .policy(POLICY)
        .flows("log", LOG, &[to_claims(1, "20.50.2.10")])
        .verify(&[]);
    verification.assert(1, &[("bypass", 1)]).assert_findings(&[(
        "10.2.1.4",
        "20.50.2.10",
        "internet_bypass",
    )]);
    let member = inventory(&verification).into_iter().find(|row| row.1 == "claims.example.net");
    let member = member.expect("is listed");
    assert_eq!((member.2.as_str(), member.4), ("public_address", 1));
}

#[test]
fn a_member_that_the_gateway_cannot_reach_is_listed() {
    let mut files = files(ONE_VNET);
    edit(&mut files, "appgw.json", |document| {
        let pools = &mut document["value"][0]["properties"]["backendAddressPools"];
        // The gateway's subnet drops this block.
        pools[2]["properties"]["backendAddresses"] = json!([{ "ipAddress": "100.64.0.9" }]);
    });
    let verification = Lab::new(&files)
        .policy(POLICY)
        .flows("log", LOG, &[to_claims(1, "100.64.0.9")])
        .verify(&[]);
    verification.assert(1, &[("one_way", 1)]);
    let member = inventory(&verification).into_iter().find(|row| row.1 == "100.64.0.9");
    assert_eq!(member.expect("is listed").2, "no_route");
}

#[test]
fn probes_whose_answers_go_elsewhere_are_findings() {
    // Every thirty seconds, to a member that answers within its VNet: the snapshot's resources all
    // say that they succeeded, and the gate fails on what they do.
    let probes: Vec<Flow> = (0..4)
        .map(|probe| flow(60 + 30 * u64::from(probe), "10.2.1.5", 40_000 + probe, "10.2.0.11", 443))
        .collect();
    let files = files(ASYMMETRIC);
    assert!(files.iter().any(|(_, content)| {
        std::str::from_utf8(content).expect("JSON of ours").contains("\"Succeeded\"")
    }));
    Lab::new(&files)
        .policy(POLICY)
        .flows("log", LOG, &probes)
        .verify(&[])
        .assert(1, &[("asymmetric", 4)])
        .assert_findings(&[("10.2.1.5", "10.2.0.11", "asymmetric_return")]);
}

#[test]
fn reports_are_the_same_bytes_each_time_and_name_what_they_saw() {
    let lab = Lab::new(&files(ASYMMETRIC)).policy(POLICY).flows(
        "log",
        LOG,
        &[to_claims(1, "10.2.0.10"), to_claims(2, "10.2.0.20")],
    );
    let mut reports: Vec<Vec<Vec<u8>>> = Vec::new();
    for threads in ["1", "2", "8", "1"] {
        lab.verify(&[
            "--threads",
            threads,
            "--sarif",
            "out.sarif",
            "--json",
            "out.json",
            "--junit",
            "out.xml",
            "--html",
            "out.html",
        ]);
        let read = |name: &str| std::fs::read(lab.path().join(name)).expect(name);
        reports.push(["out.sarif", "out.json", "out.xml", "out.html"].map(read).to_vec());
    }
    assert!(reports.windows(2).all(|pair| pair[0] == pair[1]), "the bytes differ");
    let json: Value = serde_json::from_slice(&reports[0][1]).expect("JSON");
    assert_eq!(json["version"], env!("CARGO_PKG_VERSION"));
    let inputs = json["inputs"].as_array().expect("inputs");
    let named: Vec<&str> =
        inputs.iter().map(|input| input["path"].as_str().expect("a path")).collect();
    for path in ["policy.toml", "snapshot/appgw.json", "traffic/log.json"] {
        assert!(named.contains(&path), "{named:?}");
    }
    assert!(
        inputs.iter().all(|input| input["sha256"].as_str().is_some_and(|hash| hash.len() == 64))
    );
    let sarif: Value = serde_json::from_slice(&reports[0][0]).expect("JSON");
    let run = &sarif["runs"][0];
    assert_eq!(run["tool"]["driver"]["semanticVersion"], env!("CARGO_PKG_VERSION"));
    let rules: Vec<&str> = run["results"]
        .as_array()
        .expect("results")
        .iter()
        .map(|result| result["ruleId"].as_str().expect("a rule"))
        .collect();
    assert_eq!(rules, ["asymmetric_return", "asymmetric_return"]);
}
