//! Snapshots that nobody meant well with, through the command line: each ends with a clear finding or
//! error, none with a panic, and nothing in them steers a terminal.

#![forbid(unsafe_code)]
#![cfg(feature = "cli")]

mod support;

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;
use std::time::{Duration, Instant};

use serde_json::{Value, json};
use support::program::{Run, nexthop};
use tempfile::TempDir;

#[test]
fn a_ring_of_peerings_and_appliances_is_a_loop_that_ends() {
    // Three VNets in a ring, each with an appliance that the one before it sends everything to.
    let ring: Vec<Value> = (0..3)
        .flat_map(|index| {
            let (next, before) = ((index + 1) % 3, (index + 2) % 3);
            [
                vnet(
                    &format!("v{index}"),
                    &format!("10.{index}.0.0/16"),
                    &[("nva", &format!("10.{index}.0.0/24"), Some(&format!("rt{index}")))],
                    &[next, before].map(|peer| (format!("v{peer}"), format!("10.{peer}.0.0/16"))),
                ),
                table(&format!("rt{index}"), "0.0.0.0/0", &format!("10.{next}.0.4")),
                nic(
                    &format!("nva{index}"),
                    &format!("v{index}"),
                    "nva",
                    &format!("10.{index}.0.4"),
                ),
            ]
        })
        .collect();
    let folder = snapshot(&json!(ring));
    let explained = run(&folder, &["explain", "--format", "json", "--from", "v0/nva", "8.8.8.8"]);
    let answer: Value = serde_json::from_str(&explained.stdout).expect("JSON");
    assert_eq!(answer["outcome"], "loop", "{answer}");
    assert_eq!(answer["path"].as_array().expect("a path").len(), 3);
    assert_ends(&folder, &["lint"]);
}

#[test]
fn a_vnet_that_is_peered_with_itself_or_with_its_own_space_is_an_error() {
    let itself = vnet(
        "a",
        "10.0.0.0/16",
        &[("s", "10.0.0.0/24", None)],
        &[("a".to_owned(), "10.0.0.0/16".to_owned())],
    );
    let two = ["a", "b"].map(|name| {
        let peer = if name == "a" { "b" } else { "a" };
        vnet(
            name,
            "10.0.0.0/16",
            &[("s", "10.0.0.0/24", None)],
            &[(peer.to_owned(), "10.0.0.0/16".to_owned())],
        )
    });
    for resources in [json!([itself]), json!(two)] {
        assert_eq!(
            codes(&snapshot(&resources)).first().map(String::as_str),
            Some("peering_overlap")
        );
    }
}

#[test]
fn an_address_that_unpeered_vnets_share_is_ambiguous_and_never_guessed() {
    let twins =
        ["a", "b"].map(|name| vnet(name, "10.0.0.0/16", &[("s", "10.0.0.0/24", None)], &[]));
    let folder = snapshot(&json!(twins));
    assert!(codes(&folder).contains(&"ambiguous_source".to_owned()));
    let explained = run(&folder, &["explain", "--from", "10.0.0.4", "8.8.8.8"]);
    assert_eq!(explained.code, 2);
    assert!(
        explained.stderr.contains("several networks that are not peered"),
        "{}",
        explained.stderr
    );
    let named = run(&folder, &["explain", "--from", "b/s", "8.8.8.8"]);
    assert_eq!(named.code, 0, "{}", named.stderr);
}

#[test]
fn identifiers_in_any_case_name_the_same_resources() {
    let folder = snapshot(&estate());
    let shouted = snapshot(&in_upper_case(&estate()));
    for words in [
        &["routes", "--format", "json", "--table", "hub/vms"][..],
        &["routes", "--format", "json", "--table", "spoke/apps"],
        &["explain", "--format", "json", "--from", "10.1.0.4", "10.0.9.9", "8.8.8.8", "10.1.9.4"],
    ] {
        let (plain, loud) = (run(&folder, words).success(), run(&shouted, words).success());
        // Names are shown as they were written.
        assert_eq!(plain.to_lowercase(), loud.to_lowercase(), "{words:?}");
        assert!(plain.len() > 100, "{plain}");
    }
}

#[test]
fn a_property_that_is_missing_or_of_another_kind_is_said_and_never_a_panic() {
    let estate = estate();
    let mut paths = Vec::new();
    collect_paths(&estate, "", &mut BTreeSet::new(), &mut paths);
    assert!(paths.len() > 40, "{} kinds of properties", paths.len());
    let folder = tempfile::tempdir().expect("a temporary folder");
    for path in &paths {
        for replacement in
            [None, Some(Value::Null), Some(json!(7)), Some(json!([[]])), Some(json!("%"))]
        {
            let mut hostile = estate.clone();
            replace(&mut hostile, path, replacement.clone());
            fs::write(folder.path().join("resources.json"), hostile.to_string()).expect("a file");
            let lint = run(&folder, &["lint"]);
            let shown = format!("{path} as {replacement:?}: {}{}", lint.stdout, lint.stderr);
            assert!(matches!(lint.code, 0..=2), "{shown}");
            match lint.code {
                // What cannot be read is named by file and place.
                2 => assert!(lint.stderr.starts_with("error: "), "{shown}"),
                _ => assert!(lint.stdout.ends_with(" notes\n"), "{shown}"),
            }
        }
    }
}

#[test]
fn json_nested_ten_thousand_deep_is_an_error_at_once() {
    let folder = snapshot(&estate());
    for deep in [
        "[".repeat(10_000),
        format!("{}1{}", "[".repeat(10_000), "]".repeat(10_000)),
        format!("{}1{}", "{\"properties\":".repeat(10_000), "}".repeat(10_000)),
    ] {
        fs::write(folder.path().join("deep.json"), deep).expect("a file");
        for words in [&["lint"][..], &["routes"], &["explain", "--from", "hub/vms", "8.8.8.8"]] {
            let started = Instant::now();
            let run = run(&folder, words);
            assert_eq!(run.code, 2, "{words:?}: {}", run.stderr);
            assert!(run.stderr.contains("deep.json"), "{}", run.stderr);
            assert!(started.elapsed() < Duration::from_secs(20), "{words:?}");
        }
    }
}

/// What terminals, pages and readers take for more than text.
const HOSTILE: [&str; 7] = [
    "\u{1b}]0;owned\u{7}",
    "\u{9b}31m",
    "\u{202e}gpj.exe\u{2066}",
    "<script>alert(1)<img src=x>",
    "a\r\nerror: fake",
    "\u{7f}\u{85}\u{2028}",
    "=cmd|' C calc'!A0",
];

#[test]
fn names_with_control_characters_and_markup_are_shown_harmless_everywhere() {
    for hostile in HOSTILE {
        let folder = snapshot(&with_names(&estate(), hostile));
        fs::write(folder.path().join("vm.txt"), EXPORT).expect("a file");
        let settings = format!(
            "[[table]]\nfile = \"vm.txt\"\nname = {}\n[[firewall]]\nname = {}\naddresses = [\"10.0.1.5\"]\n",
            json!(format!("vm{hostile}")),
            json!(format!("nva{hostile}")),
        );
        // TOML has no escape for U+007F in JSON's spelling; the rest is the same.
        fs::write(folder.path().join("nexthop.toml"), settings.replace('\u{7f}', "\\u007f"))
            .expect("a file");
        fs::write(folder.path().join("log.json"), "{\"records\":[").expect("a file");
        let log = folder.path().join("log.json");
        let log = log.to_str().expect("a plain name");
        for words in [
            &["lint"][..],
            &["lint", "--format", "json"],
            &["routes"],
            &["routes", "--format", "json"],
            &["routes", "--format", "csv"],
            &["routes", "--compare"],
            &["explain", "--from", "10.0.2.4", "8.8.8.8", "10.9.0.1"],
            &["explain", "--format", "json", "--from", "10.0.2.4", "8.8.8.8", "10.9.0.1"],
            &["explain", "--from", "nobody", "8.8.8.8"],
            &["classify", log, "-v"],
            &["classify", log, "--format", "json"],
            &["classify", log, "--format", "jsonl"],
        ] {
            let run = run(&folder, words);
            assert!(matches!(run.code, 0..=3), "{words:?}: {} {}", run.code, run.stderr);
            assert_harmless(&run.stdout, words);
            assert_harmless(&run.stderr, words);
            // A line of a hostile name never looks like one of the program's own.
            assert!(!run.stderr.lines().any(|line| line == "error: fake"), "{}", run.stderr);
        }
        let listed = run(&folder, &["routes"]).stdout;
        let start: String = hostile.chars().take_while(char::is_ascii_graphic).collect();
        assert!(listed.contains(&format!("apps{start}")), "{listed}");
        let json = run(&folder, &["routes", "--format", "json"]).stdout;
        let document: Value = serde_json::from_str(&json).expect("JSON");
        let ids = document["tables"].as_array().expect("tables").iter();
        let has_name = ids
            .map(|table| &table["route_table_id"])
            .any(|id| id.as_str().expect("a name").contains(&format!("apps{hostile}")));
        assert!(has_name, "whoever parses the JSON reads the name as it was: {json}");
        // Files are data of the same kinds; a reader of JSON gets the names back.
        let file = folder.path().join("out.jsonl");
        let path = file.to_str().expect("a plain name");
        run(&folder, &["classify", log, "-o", path]);
        if file.exists() {
            assert_harmless(&fs::read_to_string(file).expect("text"), &["-o"]);
        }
    }
}

const EXPORT: &str = "\
Source    State    Address Prefix    Next Hop Type     Next Hop IP
--------  -------  ----------------  ----------------  -------------
Default   Active   10.0.0.0/16       VnetLocal
User      Active   10.9.0.0/16       VirtualAppliance  10.0.1.5
Default   Active   0.0.0.0/0         Internet
";

fn assert_harmless(text: &str, words: &[&str]) {
    let is_steering = |letter: &char| {
        let is_bidirectional = matches!(
            letter,
            '\u{61c}' | '\u{200e}' | '\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2066}'..='\u{2069}'
        );
        letter.is_control() && *letter != '\n' || is_bidirectional
    };
    assert_eq!(text.chars().find(is_steering), None, "{words:?}: {text:?}");
}

/// A hub and a spoke with everything that names something else: routes, peerings, a gateway, a site,
/// an endpoint, a firewall, an application gateway.
fn estate() -> Value {
    let endpoint_nic = id("networkInterfaces", "sql.nic");
    json!([
        vnet(
            "hub",
            "10.0.0.0/16",
            &[
                ("vms", "10.0.2.0/24", Some("rt")),
                ("GatewaySubnet", "10.0.0.0/27", None),
                ("AzureFirewallSubnet", "10.0.1.0/26", None),
            ],
            &[("spoke".to_owned(), "10.1.0.0/16".to_owned())],
        ),
        vnet(
            "spoke",
            "10.1.0.0/16",
            &[("apps", "10.1.0.0/24", Some("rt")), ("ep", "10.1.9.0/24", None)],
            &[("hub".to_owned(), "10.0.0.0/16".to_owned())],
        ),
        table("rt", "10.9.0.0/16", "10.0.1.4"),
        nic("vm", "hub", "vms", "10.0.2.4"),
        {
            "id": endpoint_nic,
            "name": "sql.nic",
            "type": "Microsoft.Network/networkInterfaces",
            "privateEndpoint": {"id": id("privateEndpoints", "sql")},
            "ipConfigurations": [
                {"privateIPAddress": "10.1.9.4", "subnet": {"id": subnet("spoke", "ep")}},
            ],
        },
        {
            "id": id("privateEndpoints", "sql"),
            "name": "sql",
            "type": "Microsoft.Network/privateEndpoints",
            "subnet": {"id": subnet("spoke", "ep")},
            "networkInterfaces": [{"id": endpoint_nic}],
            "customDnsConfigs": [{"fqdn": "sql.example", "ipAddresses": ["10.1.9.4"]}],
        },
        {
            "id": id("azureFirewalls", "fw"),
            "name": "fw",
            "type": "Microsoft.Network/azureFirewalls",
            "ipConfigurations": [
                {"privateIPAddress": "10.0.1.4", "subnet": {"id": subnet("hub", "AzureFirewallSubnet")}},
            ],
        },
        {
            "id": id("virtualNetworkGateways", "gw"),
            "name": "gw",
            "type": "Microsoft.Network/virtualNetworkGateways",
            "gatewayType": "Vpn",
            "activeActive": false,
            "ipConfigurations": [
                {"privateIPAddress": "10.0.0.4", "subnet": {"id": subnet("hub", "GatewaySubnet")}},
            ],
        },
        {
            "id": id("localNetworkGateways", "site"),
            "name": "site",
            "type": "Microsoft.Network/localNetworkGateways",
            "localNetworkAddressSpace": {"addressPrefixes": ["192.168.0.0/24"]},
        },
        {
            "id": id("connections", "gw-site"),
            "name": "gw-site",
            "type": "Microsoft.Network/connections",
            "connectionType": "IPsec",
            "virtualNetworkGateway1": {"id": id("virtualNetworkGateways", "gw")},
            "localNetworkGateway2": {"id": id("localNetworkGateways", "site")},
        },
        {
            "id": id("applicationGateways", "agw"),
            "name": "agw",
            "type": "Microsoft.Network/applicationGateways",
            "sku": {"tier": "Standard_v2"},
            "gatewayIPConfigurations": [{"subnet": {"id": subnet("spoke", "apps")}}],
            "backendAddressPools": [{
                "id": format!("{}/backendAddressPools/pool", id("applicationGateways", "agw")),
                "name": "pool",
                "backendAddresses": [{"fqdn": "sql.example"}, {"ipAddress": "10.7.0.9"}],
            }],
        },
    ])
}

/// Ends the names of tables, peerings, routes, NICs, firewalls, pools and hosts with a text; the
/// identifiers that name them follow.
fn with_names(value: &Value, end: &str) -> Value {
    const ENDED: [&str; 9] = ["spoke", "vms", "apps", "rt", "vm", "fw", "gw", "agw", "pool"];
    let ended = |text: &str| {
        let parts: Vec<String> = text
            .split('/')
            .map(
                |part| if ENDED.contains(&part) { format!("{part}{end}") } else { part.to_owned() },
            )
            .collect();
        parts.join("/")
    };
    match value {
        Value::String(text) if text == "sql.example" => json!(format!("{text}{end}")),
        Value::String(text) => json!(ended(text)),
        Value::Array(items) => items.iter().map(|item| with_names(item, end)).collect(),
        Value::Object(members) => {
            members.iter().map(|(key, item)| (key.clone(), with_names(item, end))).collect()
        }
        other => other.clone(),
    }
}

/// Shouts every identifier, and half of the keys.
fn in_upper_case(value: &Value) -> Value {
    match value {
        Value::String(text) if text.starts_with("/subscriptions/") => json!(text.to_uppercase()),
        Value::Array(items) => items.iter().map(in_upper_case).collect(),
        Value::Object(members) => members
            .iter()
            .enumerate()
            .map(|(index, (key, item))| {
                let key = if index % 2 == 0 { key.to_uppercase() } else { key.clone() };
                (key, in_upper_case(item))
            })
            .collect(),
        other => other.clone(),
    }
}

/// One path of every kind: elements of a list that differ only in their place count once.
fn collect_paths(value: &Value, at: &str, seen: &mut BTreeSet<String>, paths: &mut Vec<String>) {
    let kind: String = at.split('/').filter(|part| part.parse::<usize>().is_err()).collect();
    let resource_type = value["type"].as_str().unwrap_or_default();
    if !at.is_empty()
        && at.matches('/').count() > 1
        && seen.insert(format!("{kind}{resource_type}"))
    {
        paths.push(at.to_owned());
    }
    match value {
        Value::Array(items) => {
            for (index, item) in items.iter().enumerate() {
                collect_paths(item, &format!("{at}/{index}"), seen, paths);
            }
        }
        Value::Object(members) => {
            for (key, item) in members {
                collect_paths(item, &format!("{at}/{key}"), seen, paths);
            }
        }
        _ => {}
    }
}

/// Puts another value at a path, or takes away what is there.
fn replace(value: &mut Value, path: &str, replacement: Option<Value>) {
    let (parent, name) = path.rsplit_once('/').expect("a path has a parent");
    let parent = value.pointer_mut(parent).expect("the path is there");
    match (parent, replacement) {
        (Value::Object(members), None) => drop(members.remove(name)),
        (Value::Object(members), Some(other)) => drop(members.insert(name.to_owned(), other)),
        (Value::Array(items), None) => drop(items.remove(name.parse().expect("a place"))),
        (Value::Array(items), Some(other)) => {
            items[name.parse::<usize>().expect("a place")] = other
        }
        _ => panic!("{path} has no parent"),
    }
}

fn snapshot(resources: &Value) -> TempDir {
    let folder = tempfile::tempdir().expect("a temporary folder");
    fs::write(folder.path().join("resources.json"), resources.to_string()).expect("a file");
    folder
}

fn run(folder: &TempDir, words: &[&str]) -> Run {
    let path: &Path = folder.path();
    Run::of(nexthop(words).arg("--routes").arg(path))
}

fn assert_ends(folder: &TempDir, words: &[&str]) {
    let run = run(folder, words);
    assert!(matches!(run.code, 0 | 1), "{words:?}: {} {}", run.code, run.stderr);
}

fn codes(folder: &TempDir) -> Vec<String> {
    let lint = run(folder, &["lint", "--format", "json"]);
    let document: Value = serde_json::from_str(&lint.stdout).expect("JSON");
    let findings = document["findings"].as_array().expect("findings");
    findings.iter().map(|finding| finding["code"].as_str().expect("a code").to_owned()).collect()
}

fn id(kind: &str, name: &str) -> String {
    format!("/subscriptions/s/resourceGroups/g/providers/Microsoft.Network/{kind}/{name}")
}

fn subnet(network: &str, name: &str) -> String {
    format!("{}/subnets/{name}", id("virtualNetworks", network))
}

fn vnet(
    name: &str,
    space: &str,
    subnets: &[(&str, &str, Option<&str>)],
    peers: &[(String, String)],
) -> Value {
    let subnets: Vec<Value> = subnets
        .iter()
        .map(|(child, prefix, table)| {
            let mut entry =
                json!({ "id": subnet(name, child), "name": child, "addressPrefix": prefix });
            if let Some(table) = table {
                entry["routeTable"] = json!({ "id": id("routeTables", table) });
            }
            entry
        })
        .collect();
    let peerings: Vec<Value> = peers
        .iter()
        .map(|(remote, remote_space)| {
            json!({
                "name": format!("to-{remote}"),
                "peeringState": "Connected",
                "peeringSyncLevel": "FullyInSync",
                "remoteVirtualNetwork": { "id": id("virtualNetworks", remote) },
                "remoteAddressSpace": { "addressPrefixes": [remote_space] },
            })
        })
        .collect();
    json!({
        "id": id("virtualNetworks", name),
        "name": name,
        "type": "Microsoft.Network/virtualNetworks",
        "location": "westeurope",
        "addressSpace": { "addressPrefixes": [space] },
        "subnets": subnets,
        "virtualNetworkPeerings": peerings,
    })
}

fn table(name: &str, prefix: &str, hop: &str) -> Value {
    json!({
        "id": id("routeTables", name),
        "name": name,
        "type": "Microsoft.Network/routeTables",
        "routes": [{
            "name": "route",
            "addressPrefix": prefix,
            "nextHopType": "VirtualAppliance",
            "nextHopIpAddress": hop,
        }],
    })
}

fn nic(name: &str, network: &str, child: &str, address: &str) -> Value {
    json!({
        "id": id("networkInterfaces", name),
        "name": name,
        "type": "Microsoft.Network/networkInterfaces",
        "enableIPForwarding": true,
        "ipConfigurations": [{
            "id": format!("{}/ipConfigurations/ipconfig1", id("networkInterfaces", name)),
            "privateIPAddress": address,
            "subnet": { "id": subnet(network, child) },
        }],
    })
}
