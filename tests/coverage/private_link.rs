//! Private endpoints behind a firewall: host routes, network policies, what the firewall logged.

use serde_json::{Value, json};

use super::lab::{Flow, Lab, Observer, Verification, edit, files_of, flow};
use crate::recipes::azure::{
    Shape, file, id, nic, private_endpoint, resource, route_table, subnet_id,
};
use crate::recipes::{estates, estates_hub};

const POLICY: &str = r#"
[[require]]
name = "private endpoints only through the firewall"
from = ["any"]
to = ["class:private_endpoint"]
via = "firewall"
"#;

const GATEWAY: Observer = Observer { mac: "002248A7C004", vnet: "hub", subnet: None };
const HUB_VM: Observer = Observer { mac: "000D3A5B1101", vnet: "hub", subnet: None };
const FIREWALL: Observer =
    Observer { mac: "002248A7C069", vnet: "hub", subnet: Some("AzureFirewallSubnet") };

const ENDPOINTS: [&str; 3] = ["10.13.77.4", "10.13.77.5", "10.13.77.6"];
const BYPASS: &str = "private_endpoint_bypass";

const HOST_ROUTES: &str =
    "private link: host routes to the firewall, on a VM's subnet and on the gateway's";
const POLICIES_AND_ROUTE: &str = "private link: network policies and a route as long as the VNet";
const TOO_BROAD: &str = "private link: network policies and a route that is too broad";
const NO_POLICIES: &str = "private link: a route as long as the VNet without network policies";

fn lab(estate: &str) -> Lab {
    Lab::new(&files_of(estates::private_link(), estate)).policy(POLICY)
}

/// One connection from on-premises to each endpoint.
fn on_premises_flows() -> Vec<Flow> {
    (0..).zip(ENDPOINTS).map(|(at, to)| flow(60 + at, "192.168.0.4", 50_000, to, 1433)).collect()
}

fn logged(flows: &[Flow]) -> String {
    // A line of an application rule shows that the other category is logged as well.
    let other = flow(0, "10.13.77.70", 51_000, "203.0.113.9", 443).application_rule("example.com");
    let last =
        flow(3000, "10.13.77.70", 51_001, "203.0.113.9", 443).application_rule("example.com");
    flows.iter().map(Flow::network_rule).chain([other, last]).collect()
}

#[test]
fn an_active_active_gateway_ignores_host_routes_and_a_vm_does_not() {
    let by_vm = flow(70, "10.13.76.132", 49_000, "10.13.77.6", 1433);
    let gateway = flow(60, "192.168.0.4", 50_000, "10.13.77.6", 1433);
    lab(HOST_ROUTES)
        .flows("gateway", GATEWAY, &[gateway])
        .flows("vm", HUB_VM, &[by_vm])
        .evidence("azfw.jsonl", &logged(&[by_vm]))
        .verify(&[])
        .assert(1, &[("covered", 1), ("bypass", 1)])
        .assert_findings(&[("192.168.0.4", "10.13.77.6", BYPASS)])
        .assert_says("hub/GatewaySubnet: 10.13.77.6/32 → private_endpoint");
}

#[test]
fn network_policies_and_a_route_as_long_as_the_vnet_cover_every_endpoint() {
    let flows = on_premises_flows();
    lab(POLICIES_AND_ROUTE)
        .flows("gateway", GATEWAY, &flows)
        .evidence("azfw.jsonl", &logged(&flows))
        .verify(&[])
        .assert(0, &[("covered", 3)])
        .assert_findings(&[])
        .assert_says("PASS");
}

#[test]
fn a_route_that_is_too_broad_lets_all_endpoints_go_around() {
    let verification = lab(TOO_BROAD).flows("gateway", GATEWAY, &on_premises_flows()).verify(&[]);
    verification
        .assert(1, &[("bypass", 3)])
        .assert_findings(&ENDPOINTS.map(|endpoint| ("192.168.0.4", endpoint, BYPASS)));
    for finding in verification.json["findings"].as_array().expect("findings") {
        let message = finding["message"].as_str().expect("a text");
        assert!(
            message.contains("best covering route is 10.13.77.0/24 VNetGlobalPeering"),
            "{message}"
        );
    }
}

#[test]
fn a_route_without_network_policies_is_not_enough() {
    lab(NO_POLICIES)
        .flows("vm", HUB_VM, &[flow(70, "10.13.76.132", 49_000, "10.13.77.6", 1433)])
        .verify(&[])
        .assert(1, &[("bypass", 1)])
        .assert_findings(&[("10.13.76.132", "10.13.77.6", BYPASS)])
        .assert_says("then the route for 10.13.77.0/24 to VirtualAppliance takes its place");
}

#[test]
fn an_endpoint_behind_a_firewall_gets_a_note_unless_the_sender_is_known_to_be_translated() {
    let flows = on_premises_flows();
    let notes = |lines: &str, more: &[Flow]| -> Vec<(String, u64)> {
        let verification = lab(POLICIES_AND_ROUTE)
            .flows("gateway", GATEWAY, &flows)
            .flows("firewall", FIREWALL, more)
            .evidence("azfw.jsonl", lines)
            .verify(&[]);
        assert_eq!(verification.code, 0, "a note is no finding");
        let notes = verification.json["notes"].as_array().expect("a list");
        notes
            .iter()
            .map(|note| {
                assert_eq!(note["code"], "private_endpoint_without_snat");
                let word = |key: &str| note[key].as_str().expect(key).to_owned();
                (
                    format!("{} {}", word("destination"), word("firewall")),
                    note["flows"].as_u64().expect("a count"),
                )
            })
            .collect()
    };
    let noted = |addresses: &[&str]| -> Vec<(String, u64)> {
        addresses.iter().map(|address| (format!("{address} azfw"), 1)).collect()
    };
    // Network rules leave the sender's address as it is towards private ranges.
    assert_eq!(notes(&logged(&flows), &[]), noted(&ENDPOINTS));
    // An application rule puts the firewall's in its place, and so does a leg that was seen.
    let application: String = flows.iter().map(|flow| flow.application_rule("a.example")).collect();
    assert_eq!(notes(&application, &[]), noted(&[]));
    let leg = flow(61, "10.13.76.69", 1024, ENDPOINTS[0], 1433);
    assert_eq!(notes(&logged(&flows), &[leg]), noted(&ENDPOINTS[1..]));
}

/// The rows of the published log, as printed and in its order, and the second of each.
const PUBLISHED_ROWS: [(&str, u64); 7] = [
    ("2025-01-20T18:18:11.925475Z", 1_091_925),
    ("2025-01-20T18:20:59.455482Z", 1_259_455),
    ("2025-01-20T18:20:37.432681Z", 1_237_432),
    ("2025-01-20T18:20:59.355915Z", 1_259_355),
    ("2025-01-20T18:21:00.30664Z", 1_260_306),
    ("2025-01-20T18:21:01.308064Z", 1_261_308),
    ("2025-01-20T18:21:02.310114Z", 1_262_310),
];

/// A query's result as `-o table` prints it.
fn published_log(rows: &[(&str, u64)]) -> String {
    let mut text = "\
Action_s    Category         DestinationIp_s    Fqdn_s    SourceIP     TableName      TimeGenerated
----------  ---------------  -----------------  --------  -----------  -------------  ---------------------------
"
    .to_owned();
    for (time, _) in rows {
        text.push_str(&format!(
            "Allow       AZFWNetworkRule  10.13.77.6                   192.168.0.4  PrimaryResult  {time}\n"
        ));
    }
    text
}

/// Flows that begin when the rows were logged, each with a source port of its own.
fn published_flows() -> Vec<Flow> {
    let ports = 50_100_u16..;
    PUBLISHED_ROWS
        .iter()
        .zip(ports)
        .map(|((_, millisecond), port)| Flow {
            millisecond: *millisecond,
            ..flow(0, "192.168.0.4", port, "10.13.77.6", 1433)
        })
        .collect()
}

fn with_log(rows: &[(&str, u64)], more: &[&str]) -> Verification {
    lab(POLICIES_AND_ROUTE)
        .flows("gateway", GATEWAY, &published_flows())
        .evidence("query.txt", &published_log(rows))
        .verify(more)
}

const WINDOW: [&str; 2] = ["--evidence-window", "2025-01-20T18:18:00Z/2025-01-20T18:22:00Z"];

#[test]
fn the_published_log_shows_all_seven_flows_in_any_order() {
    let in_order = with_log(&PUBLISHED_ROWS, &[]);
    in_order.assert(0, &[("covered", 7)]);
    let shuffled_rows = [6, 2, 0, 5, 4, 1, 3].map(|index| PUBLISHED_ROWS[index]);
    let shuffled = with_log(&shuffled_rows, &[]);
    shuffled.assert(0, &[("covered", 7)]);
    let without_hash = |verification: &Verification| {
        let mut json = verification.json.clone();
        let inputs = json["inputs"].as_array_mut().expect("inputs");
        let log = inputs.iter_mut().find(|input| input["path"] == "evidence/query.txt");
        log.expect("the log is an input")["sha256"].take()
    };
    assert_ne!(without_hash(&in_order), without_hash(&shuffled));
    let rest = |verification: &Verification| {
        let mut json = verification.json.clone();
        for input in json["inputs"].as_array_mut().expect("inputs") {
            if input["path"] == "evidence/query.txt" {
                input["sha256"] = Value::Null;
            }
        }
        json
    };
    assert_eq!(rest(&in_order), rest(&shuffled));
    assert_eq!(in_order.text, shuffled.text);
}

#[test]
fn each_row_that_is_deleted_makes_its_own_flow_missing() {
    for deleted in 0..PUBLISHED_ROWS.len() {
        let mut rows = PUBLISHED_ROWS.to_vec();
        let (_, millisecond) = rows.remove(deleted);
        let verification = with_log(&rows, &WINDOW);
        verification.assert(1, &[("covered", 6), ("missing", 1)]).assert_findings(&[(
            "192.168.0.4",
            "10.13.77.6",
            "missing_evidence",
        )]);
        let example = &verification.json["findings"][0]["examples"][0];
        assert_eq!(
            example["source_port"],
            50_100 + deleted,
            "the flow at {millisecond} ms: {example}"
        );
    }
}

#[test]
fn a_flow_outside_the_window_is_not_missing() {
    // Without its row and after the end of the window nobody can tell.
    let rows = &PUBLISHED_ROWS[1..];
    with_log(rows, &["--evidence-window", "2025-01-20T18:20:00Z/2025-01-20T18:22:00Z"])
        .assert(0, &[("covered", 6), ("covered_unconfirmed", 1)]);
    with_log(rows, &WINDOW).assert(1, &[("covered", 6), ("missing", 1)]);
}

#[test]
fn the_firewalls_instances_are_the_firewall() {
    // Two instances send what the firewall translated; nobody recorded the flows before.
    let from_instance = |second, instance| Flow {
        direction: 'I',
        ..flow(second, instance, 40_000, "10.13.77.6", 1433)
    };
    lab(POLICIES_AND_ROUTE)
        .flows(
            "firewall",
            FIREWALL,
            &[from_instance(60, "10.13.76.69"), from_instance(90, "10.13.76.70")],
        )
        .verify(&[])
        .assert(0, &[("covered", 2)]);
}

/// The addresses of a leg are what its record holds: the sender before the firewall is not known.
#[test]
fn a_leg_without_its_flow_is_covered_where_a_rule_asks_for_that_firewall_and_selects_its_addresses()
{
    // What the firewall sent on, and what went to the firewall itself, as names to be resolved do.
    let from_firewall = flow(60, "10.13.76.69", 1024, "10.13.77.6", 1433);
    let to_firewall = flow(90, "10.13.76.132", 50_000, "10.13.76.68", 53);
    let rule = |from: &str, to: &str, via: &str| {
        format!(
            "[[require]]\nname = \"a rule\"\nfrom = [\"{from}\"]\nto = [\"{to}\"]\nvia = \"{via}\"\n"
        )
    };
    for (from, to, via, covered) in [
        ("any", "any", "firewall", 2),
        ("any", "any", "firewall:azfw", 2),
        ("any", "class:private_endpoint", "firewall", 1),
        ("class:firewall", "any", "firewall", 1),
        ("vnet:hub", "class:firewall", "firewall", 1),
        ("on-premises", "any", "firewall", 0),
        // What a leg does not tell: whether another firewall saw the flow, and where it left.
        ("any", "any", "firewall:other", 0),
        ("any", "any", "direct", 0),
        ("any", "any", "none", 0),
    ] {
        let verification = lab(POLICIES_AND_ROUTE)
            .policy(&rule(from, to, via))
            .flows("firewall", FIREWALL, &[from_firewall])
            .flows("vm", HUB_VM, &[to_firewall])
            .verify(&[]);
        let count = |verdict: &str| {
            verification.json["totals"][verdict]["flows"].as_u64().unwrap_or_default()
        };
        assert_eq!(verification.code, 0, "{from} {to} {via}");
        assert_eq!(
            (count("covered"), count("not_required")),
            (covered, 2 - covered),
            "{from} {to} {via}\n{}",
            verification.text
        );
    }
}

#[test]
fn legs_before_and_after_the_firewall_are_one_flow() {
    let before = flow(60, "192.168.0.4", 50_000, "10.13.77.6", 1433);
    let at_firewall = Flow { direction: 'I', ..before };
    let after = flow(61, "10.13.76.69", 1024, "10.13.77.6", 1433);
    let verification = lab(POLICIES_AND_ROUTE)
        .flows("gateway", GATEWAY, &[before])
        .flows("firewall", FIREWALL, &[at_firewall, after])
        .verify(&[]);
    verification.assert(0, &[("covered", 1)]);
    // Three records of two tuples each; bytes are those of one record.
    let covered = &verification.json["totals"]["covered"];
    assert_eq!((&covered["tuples"], &covered["bytes"]), (&json!(6), &json!(1800)));
}

#[test]
fn what_an_endpoint_seems_to_initiate_is_suspect_and_no_bypass() {
    lab(TOO_BROAD)
        .flows("gateway", GATEWAY, &[flow(60, "10.13.77.6", 1433, "192.168.0.4", 50_000)])
        .verify(&["--require", "on-premises"])
        .assert(0, &[("suspect_direction", 1)])
        .assert_findings(&[]);
}

#[test]
fn a_new_endpoint_goes_around_host_routes_and_not_around_the_vnets_route() {
    let new = flow(60, "192.168.0.4", 50_000, "10.13.77.9", 1433);
    let by_vm = flow(70, "10.13.76.132", 49_000, "10.13.77.9", 1433);
    let both = [new, by_vm];
    for (estate, code, verdict) in [(HOST_ROUTES, 1, "bypass"), (POLICIES_AND_ROUTE, 0, "covered")]
    {
        let mut files = files_of(estates::private_link(), estate);
        let endpoint = private_endpoint("pe9", &subnet_id("spoke1", "ep"), "10.13.77.9");
        files.push(("more.json".to_owned(), file(Shape::Nested, endpoint.to_vec())));
        let verification = Lab::new(&files)
            .policy(POLICY)
            .flows("gateway", GATEWAY, &[new])
            .flows("vm", HUB_VM, &[by_vm])
            .evidence("azfw.jsonl", &logged(if code == 0 { &both } else { &[] }))
            .verify(&[]);
        verification.assert(code, &[(verdict, 2)]);
        if code == 1 {
            verification.assert_findings(&[
                ("192.168.0.4", "10.13.77.9", BYPASS),
                ("10.13.76.132", "10.13.77.9", BYPASS),
            ]);
        }
    }
}

#[test]
fn in_a_virtual_wan_the_endpoints_policy_decides() {
    let branch = Observer { mac: "002248A7C0AA", vnet: "vnet-b", subnet: None };
    let flows = [Flow { direction: 'I', ..flow(60, "192.168.50.7", 50_000, "10.2.2.5", 1433) }];
    for (policy, code, verdict) in [("Disabled", 1, "bypass"), ("RouteTableEnabled", 0, "covered")]
    {
        let mut files = files_of(
            estates_hub::secured_hub(),
            "secured hub: application gateway and backends in one VNet",
        );
        edit(&mut files, "vnets.json", |vnets| {
            for subnet in vnets[0]["subnets"].as_array_mut().expect("subnets") {
                if subnet["name"] == "snet-misc" {
                    subnet["privateEndpointNetworkPolicies"] = json!(policy);
                }
            }
        });
        let endpoint = private_endpoint("sql", &subnet_id("vnet-b", "snet-misc"), "10.2.2.5");
        files.push(("endpoints.json".to_owned(), file(Shape::Nested, endpoint.to_vec())));
        let verification = Lab::new(&files)
            .policy(POLICY)
            .flows("branch", branch, &flows)
            .evidence("azfw.jsonl", &logged(if code == 0 { &flows[..] } else { &[] }))
            .verify(&[]);
        verification.assert(code, &[(verdict, 1)]);
        if code == 1 {
            verification.assert_findings(&[("192.168.50.7", "10.2.2.5", BYPASS)]);
        }
    }
}

/// The firewall as two virtual machines behind an internal load balancer.
fn appliance_files() -> Vec<(String, Vec<u8>)> {
    let mut files = files_of(estates::private_link(), POLICIES_AND_ROUTE);
    for (_, content) in &mut files {
        let text = String::from_utf8(std::mem::take(content)).expect("JSON of ours");
        *content = text.replace("AzureFirewallSubnet", "nva").into_bytes();
    }
    edit(&mut files, "edge.json", |edge| {
        let resources = edge.as_array_mut().expect("a bare array");
        resources.retain(|one| one["type"] != "Microsoft.Network/azureFirewalls");
    });
    let pool = format!("{}/backendAddressPools/instances", id("loadBalancers", "nva"));
    let instance = |name: &str, address: &str| {
        let mut instance =
            nic(name, &subnet_id("hub", "nva"), address, "", json!({ "enableIPForwarding": true }));
        instance["properties"]["ipConfigurations"][0]["properties"]["loadBalancerBackendAddressPools"] =
            json!([{ "id": pool }]);
        instance
    };
    let balancer = resource(
        "loadBalancers",
        "nva",
        "westeurope",
        json!({
            "frontendIPConfigurations": [{
                "name": "front",
                "properties": {
                    "privateIPAddress": "10.13.76.68",
                    "subnet": { "id": subnet_id("hub", "nva") },
                },
            }],
            "backendAddressPools": [{ "id": pool, "name": "instances", "properties": {} }],
        }),
    );
    let more = vec![balancer, instance("nva0", "10.13.76.69"), instance("nva1", "10.13.76.70")];
    files.push(("nva.json".to_owned(), file(Shape::Nested, more)));
    files
}

#[test]
fn an_appliance_behind_a_load_balancer_is_a_firewall_once_it_is_named() {
    let flows = on_premises_flows();
    let named = r#"
[[firewall]]
name = "nva"
addresses = ["10.13.76.68", "10.13.76.69", "10.13.76.70"]
"#;
    // An instance sends what it translated to the first endpoint: it shows that the flow passed.
    let leg = flow(61, "10.13.76.70", 1024, ENDPOINTS[0], 1433);
    Lab::new(&appliance_files())
        .policy(POLICY)
        .settings(named)
        .flows("gateway", GATEWAY, &flows)
        .flows("nva", Observer { mac: "002248A7C070", vnet: "hub", subnet: None }, &[leg])
        .verify(&[])
        .assert(0, &[("covered", 1), ("covered_unconfirmed", 2)]);
    let unnamed = Lab::new(&appliance_files()).policy(POLICY).flows("gateway", GATEWAY, &flows);
    unnamed
        .verify(&[])
        .assert(1, &[("bypass", 3)])
        .assert_findings(&ENDPOINTS.map(|endpoint| ("192.168.0.4", endpoint, "wrong_next_hop")))
        .assert_says("→ appliance");
}

#[test]
fn a_rule_for_one_port_asks_nothing_of_others() {
    let policy = POLICY.replace("via =", "ports = [1433]\nprotocol = \"tcp\"\nvia =");
    let other_port = flow(65, "192.168.0.4", 50_003, "10.13.77.6", 443);
    let mut flows = on_premises_flows();
    flows.push(other_port);
    lab(TOO_BROAD)
        .policy(&policy)
        .flows("gateway", GATEWAY, &flows)
        .verify(&[])
        .assert(1, &[("bypass", 3), ("not_required", 1)]);
}

/// A route of the firewall's own that leads back makes a loop, which delivers nothing.
#[test]
fn a_firewall_that_sends_back_is_one_way() {
    let mut files = files_of(estates::private_link(), POLICIES_AND_ROUTE);
    edit(&mut files, "vnets.json", |vnets| {
        for subnet in vnets[0]["subnets"].as_array_mut().expect("subnets") {
            if subnet["name"] == "AzureFirewallSubnet" {
                subnet["routeTable"] = json!({ "id": id("routeTables", "rt-firewall") });
            }
        }
    });
    let table = route_table(
        "rt-firewall",
        true,
        &[("back", "10.13.77.0/24", "VirtualAppliance", "10.13.76.68")],
    );
    files.push(("rt-firewall.json".to_owned(), file(Shape::Nested, vec![table])));
    Lab::new(&files)
        .policy(POLICY)
        .flows("gateway", GATEWAY, &on_premises_flows())
        .verify(&[])
        .assert(1, &[("one_way", 3)])
        .assert_findings(&ENDPOINTS.map(|endpoint| ("192.168.0.4", endpoint, "one_way")));
}

/// The rows that `-o` writes: `RecordKind`, source, destination, and what was judged of each.
fn rows_of(lab: &Lab, more: &[&str]) -> Vec<Value> {
    lab.verify(&[&["-o", "rows.jsonl"], more].concat());
    let text = std::fs::read_to_string(lab.path().join("rows.jsonl")).expect("was written");
    text.lines().map(|line| serde_json::from_str(line).expect("JSON")).collect()
}

#[test]
fn every_row_has_its_verdict_and_those_that_stand_for_no_flow_name_the_one_that_does() {
    let flow_in = |flow: Flow| Flow { direction: 'I', ..flow };
    let direct = flow(60, "192.168.0.4", 50_000, "10.13.77.6", 1433);
    let translated = flow(90, "192.168.0.4", 50_001, "10.13.77.5", 1433);
    let leg = flow(90, "10.13.76.69", 40_000, "10.13.77.5", 1433);
    let other = flow(95, "10.13.76.132", 50_002, "192.168.0.4", 22);
    let lab = lab(POLICIES_AND_ROUTE)
        .flows("a-gateway", GATEWAY, &[direct, translated, other])
        .flows("b-firewall", FIREWALL, &[flow_in(direct), leg])
        .evidence("azfw.jsonl", &logged(&[direct]));
    let verification = lab.verify(&[]);
    verification.assert(0, &[("covered", 2), ("not_required", 1)]);
    let rows = rows_of(&lab, &[]);
    let got: Vec<[Value; 6]> = rows
        .iter()
        .map(|row| {
            let columns = ["SrcIp", "Required", "Coverage", "CoverageReason", "Evidence", "DupOf"];
            columns.map(|column| row[column].clone())
        })
        .collect();
    let log = "evidence/azfw.jsonl";
    // Of one time, by key: what came in stands before what went out.
    let want = [
        json!(["192.168.0.4", "firewall", "covered", "seen", log, "traffic/a-gateway.json#1"]),
        json!(["192.168.0.4", "firewall", "covered", "seen", log, null]),
        json!([
            "10.13.76.69",
            "firewall",
            "covered",
            "seen",
            "sent on by a firewall",
            "traffic/a-gateway.json#3"
        ]),
        json!(["192.168.0.4", "firewall", "covered", "seen", "sent on by a firewall", null]),
        json!(["10.13.76.132", null, "not_required", "no_rule_asks", null, null]),
    ];
    let want: Vec<Value> = want.into_iter().collect();
    assert_eq!(serde_json::to_value(&got).expect("JSON"), Value::Array(want));
    // The rows without `DupOf` are the logical flows.
    let whole = rows.iter().filter(|row| row["DupOf"].is_null()).count();
    assert_eq!(whole, 3);
    // No bound on memory and no number of threads changes a row.
    for more in [&["--threads", "1"][..], &["--threads", "3", "--memory", "1"]] {
        assert_eq!(rows_of(&lab, more), rows, "{more:?}");
    }
}

#[test]
fn what_was_recorded_at_the_firewall_is_evidence_and_no_flow_to_judge() {
    let flows = on_premises_flows();
    let seen = [&flows[..1], &flows[2..]].concat();
    let tuples: Vec<String> = seen.iter().flat_map(Flow::tuples).collect();
    lab(POLICIES_AND_ROUTE)
        .flows("gateway", GATEWAY, &flows)
        .evidence("firewall.json", &FIREWALL.log(&tuples))
        .verify(&[])
        .assert(1, &[("covered", 2), ("missing", 1)])
        .assert_findings(&[("192.168.0.4", "10.13.77.5", "missing_evidence")]);
}

#[test]
fn what_a_flow_log_recorded_elsewhere_is_no_evidence() {
    let flows = on_premises_flows();
    let tuples: Vec<String> = flows.iter().flat_map(Flow::tuples).collect();
    lab(POLICIES_AND_ROUTE)
        .flows("gateway", GATEWAY, &flows)
        .evidence("vm.json", &HUB_VM.log(&tuples))
        .verify(&[])
        .assert(0, &[("covered_unconfirmed", 3)]);
}
