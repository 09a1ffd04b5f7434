//! Two hubs, each with a firewall and spokes that send everything through it, and a network that
//! answers one spoke directly.
//!
//! `a1` (10.11.0.0/16) and `a2` (10.12.0.0/16) send all by `azfw-a` (10.10.1.4), `b1` (10.21.0.0/16)
//! and `b2` (10.22.0.0/16) by `azfw-b` (10.20.1.4). `shared` (10.13.0.0/16) is peered with `a1` and
//! has no route table: what `a1` sends there by its firewall is answered past it, unless the firewall
//! puts an address of its own in the sender's place.

use serde_json::{Value, json};

use super::lab::{Flow, Observer, Verification};
use crate::recipes::azure::{Shape, file, firewall, id, peering, route_table, subnet, vnet};

pub const A: Observer =
    Observer { mac: "002248A7C0A1", vnet: "hub-a", subnet: Some("AzureFirewallSubnet") };
pub const B: Observer =
    Observer { mac: "002248A7C0B1", vnet: "hub-b", subnet: Some("AzureFirewallSubnet") };
pub const SPOKE: Observer = Observer { mac: "000D3A5B1111", vnet: "a1", subnet: None };
pub const SHARED: Observer = Observer { mac: "000D3A5B1313", vnet: "shared", subnet: None };

/// All categories that may log TCP from within.
pub const BOTH: [&str; 2] = ["AZFWNetworkRule", "AZFWApplicationRule"];

/// The estate; `private_ranges` are those to which `azfw-a` leaves senders as they are, where it says.
pub fn files(private_ranges: Option<&str>) -> Vec<(String, Vec<u8>)> {
    let none = || json!({});
    let space = |name: &str| match name {
        "hub-a" => "10.10.0.0/16",
        "hub-b" => "10.20.0.0/16",
        "a1" => "10.11.0.0/16",
        "a2" => "10.12.0.0/16",
        "b1" => "10.21.0.0/16",
        "b2" => "10.22.0.0/16",
        _ => "10.13.0.0/16",
    };
    let network = |name: &str, subnet, peers: &[&str]| {
        let peerings = peers.iter().map(|peer| peering(peer, &[space(peer)], none())).collect();
        vnet(name, "westeurope", &[space(name)], vec![subnet], peerings)
    };
    let hub = |name: &str, prefix, peers: &[&str]| {
        network(name, subnet("AzureFirewallSubnet", prefix, None, none()), peers)
    };
    let spoke = |name: &str, prefix, table: &str, peers: &[&str]| {
        network(name, subnet("web", prefix, Some(table), none()), peers)
    };
    let by = |name, hop| {
        let to_shared = ("shared", "10.13.0.0/16", "VirtualAppliance", hop);
        let all = ("all", "0.0.0.0/0", "VirtualAppliance", hop);
        let private = ("private", "10.0.0.0/8", "VirtualAppliance", hop);
        route_table(name, true, &[to_shared, private, all])
    };
    let mut azfw_a = firewall("azfw-a", "hub-a", "10.10.1.4");
    if let Some(ranges) = private_ranges {
        azfw_a["properties"]["additionalProperties"] =
            json!({ "Network.SNAT.PrivateRanges": ranges });
    }
    let resources = vec![
        hub("hub-a", "10.10.1.0/26", &["a1", "a2", "shared"]),
        hub("hub-b", "10.20.1.0/26", &["b1", "b2"]),
        spoke("a1", "10.11.0.0/24", "rt-a", &["hub-a", "shared"]),
        spoke("a2", "10.12.0.0/24", "rt-a", &["hub-a"]),
        spoke("b1", "10.21.0.0/24", "rt-b", &["hub-b"]),
        spoke("b2", "10.22.0.0/24", "rt-b", &["hub-b"]),
        network("shared", subnet("plain", "10.13.0.0/24", None, none()), &["hub-a", "a1"]),
        by("rt-a", "10.10.1.4"),
        by("rt-b", "10.20.1.4"),
        azfw_a,
        firewall("azfw-b", "hub-b", "10.20.1.4"),
    ];
    vec![("estate.json".to_owned(), file(Shape::Nested, resources))]
}

pub fn policy(via: &str) -> String {
    format!(
        "[[require]]\nname = \"by the firewall\"\nfrom = [\"any\"]\nto = [\"any\"]\nvia = \"{via}\"\n"
    )
}

/// Lines as that firewall writes them, which those of a flow name another one in.
pub fn logged_by(firewall: &str, lines: &[String]) -> String {
    let named = |name: &str| id("azureFirewalls", name).to_uppercase();
    lines.concat().replace(&named("azfw"), &named(firewall))
}

/// A line of a category that shows no flow of a test, so that the log covers its second.
pub fn covers(second: u64, category: &str) -> String {
    let nobody = super::lab::flow(second, "10.99.0.1", 9, "10.99.0.2", 9);
    nobody.network_rule().replace("AZFWNetworkRule", category)
}

/// Lines that let a log cover categories from the first to the last second.
pub fn covering(from: u64, to: u64, categories: &[&str]) -> Vec<String> {
    categories.iter().flat_map(|category| [covers(from, category), covers(to, category)]).collect()
}

/// The NAT rule's line of a flow that was sent to `public` and went on to the flow's destination.
pub fn nat_rule(flow: &Flow, public: (&str, u16), translated: (&str, u16)) -> String {
    let (asked, port) = public;
    let (address, translated_port) = translated;
    let line = flow.network_rule();
    let (destination, destination_port) = flow.destination;
    let plain =
        format!("\"DestinationIp\":\"{destination}\",\"DestinationPort\":{destination_port}");
    assert!(line.contains(&plain), "{line}");
    line.replace("AZFWNetworkRule", "AZFWNatRule").replace(
        &plain,
        &format!(
            "\"DestinationIp\":\"{asked}\",\"DestinationPort\":{port},\
             \"TranslatedIp\":\"{address}\",\"TranslatedPort\":{translated_port}"
        ),
    )
}

/// What a run says of its sources: path, firewall, categories, from, to, records.
pub fn sources(verification: &Verification) -> Vec<(String, Value, String, String, String, u64)> {
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    let sources = verification.json["evidence_sources"].as_array().expect("a list");
    sources
        .iter()
        .map(|source| {
            let categories = source["categories"].as_array().expect("a list");
            (
                text(&source["path"]),
                source["firewall"].clone(),
                categories.iter().map(text).collect::<Vec<_>>().join(" "),
                text(&source["from"]),
                text(&source["to"]),
                source["records"].as_u64().expect("a count"),
            )
        })
        .collect()
}
