//! Computed tables against exported ones on the command line: equal, different, trimmed.

#![forbid(unsafe_code)]
#![cfg(feature = "cli")]

mod support;

use std::fs;

use serde_json::{Value, json};
use support::program::{Run, nexthop};
use tempfile::TempDir;

/// What Azure shows for a NIC of the hub below.
const EXPORT: &str = "\
Source    State    Address Prefix    Next Hop Type     Next Hop IP
--------  -------  ----------------  ----------------  -------------
Default   Active   10.0.0.0/16       VnetLocal
Default   Active   10.1.0.0/16       VNetPeering
Default   Active   0.0.0.0/0         Internet
Default   Active   10.0.0.0/8        None
Default   Active   100.64.0.0/10     None
Default   Active   172.16.0.0/12     None
Default   Active   192.168.0.0/16    None
User      Active   10.9.0.0/16       VirtualAppliance  10.0.1.4
";

/// A hub with a firewall, a peered spoke, and a NIC whose table was exported.
fn resources() -> Value {
    let id = |kind: &str, name: &str| {
        format!("/subscriptions/s/resourceGroups/g/providers/Microsoft.Network/{kind}/{name}")
    };
    let subnet =
        |network: &str, name: &str| format!("{}/subnets/{name}", id("virtualNetworks", network));
    let network = |name: &str, space: &str, remote: &str, remote_space: &str, subnets: Value| {
        json!({
            "id": id("virtualNetworks", name),
            "name": name,
            "type": "Microsoft.Network/virtualNetworks",
            "location": "westeurope",
            "addressSpace": {"addressPrefixes": [space]},
            "subnets": subnets,
            "virtualNetworkPeerings": [{
                "name": remote,
                "peeringState": "Connected",
                "peeringSyncLevel": "FullyInSync",
                "remoteVirtualNetwork": {"id": id("virtualNetworks", remote)},
                "remoteAddressSpace": {"addressPrefixes": [remote_space]},
                "allowForwardedTraffic": true,
            }],
        })
    };
    let table = id("routeTables", "rt");
    json!([
        network("hub", "10.0.0.0/16", "spoke", "10.1.0.0/16", json!([
            {
                "id": subnet("hub", "vm"),
                "name": "vm",
                "addressPrefix": "10.0.2.0/24",
                "routeTable": {"id": table},
            },
            {
                "id": subnet("hub", "AzureFirewallSubnet"),
                "name": "AzureFirewallSubnet",
                "addressPrefix": "10.0.1.0/26",
            },
        ])),
        network("spoke", "10.1.0.0/16", "hub", "10.0.0.0/16", json!([])),
        {
            "id": table,
            "name": "rt",
            "type": "Microsoft.Network/routeTables",
            "routes": [{
                "name": "to-firewall",
                "addressPrefix": "10.9.0.0/16",
                "nextHopType": "VirtualAppliance",
                "nextHopIpAddress": "10.0.1.4",
            }],
        },
        {
            "id": id("azureFirewalls", "fw"),
            "name": "fw",
            "type": "Microsoft.Network/azureFirewalls",
            "ipConfigurations": [{
                "privateIPAddress": "10.0.1.4",
                "subnet": {"id": subnet("hub", "AzureFirewallSubnet")},
            }],
        },
        {
            "id": id("networkInterfaces", "vm1-nic"),
            "name": "vm1-nic",
            "type": "Microsoft.Network/networkInterfaces",
            "macAddress": "00-0D-3A-00-00-01",
            "ipConfigurations": [{
                "privateIPAddress": "10.0.2.4",
                "subnet": {"id": subnet("hub", "vm")},
            }],
        },
    ])
}

fn run(export: &str, words: &[&str]) -> Run {
    let folder: TempDir = tempfile::tempdir().expect("a temporary folder");
    fs::write(folder.path().join("resources.json"), resources().to_string()).expect("a file");
    fs::write(folder.path().join("vm1-nic.routes.txt"), export).expect("a file");
    let mut command = nexthop(words);
    command.args(["--routes"]).arg(folder.path());
    Run::with_input(&mut command, b"")
}

#[test]
fn an_export_that_the_resources_explain_is_equal() {
    let compared = run(EXPORT, &["routes", "--compare"]);
    assert_eq!(compared.code, 0, "{}{}", compared.stdout, compared.stderr);
    assert_eq!(compared.stdout, "vm1-nic and hub/vm: equal\n");
}

#[test]
fn a_row_that_differs_is_named_on_both_sides_and_fails() {
    let other = EXPORT.replace("10.9.0.0/16 ", "10.8.0.0/16 ");
    let compared = run(&other, &["routes", "--compare", "--format", "json"]);
    assert_eq!(compared.code, 1, "{}", compared.stderr);
    let report: Value = serde_json::from_str(&compared.stdout).expect("JSON");
    let pair = &report["tables"][0];
    assert_eq!(pair["equal"], false);
    assert_eq!(pair["only_exported"][0]["addressPrefix"], json!(["10.8.0.0/16"]));
    assert_eq!(pair["only_computed"][0]["addressPrefix"], json!(["10.9.0.0/16"]));
}

#[test]
fn rows_of_a_trimmed_export_are_hidden_and_no_difference() {
    let trimmed: String = EXPORT.lines().take(6).map(|line| format!("{line}\n")).collect();
    let compared = run(&format!("{trimmed}[...]\n"), &["routes", "--compare"]);
    assert_eq!(compared.code, 0, "{}{}", compared.stdout, compared.stderr);
    let hidden = compared.stdout.lines().filter(|line| line.contains("hidden in the export"));
    assert_eq!(hidden.count(), 4, "{}", compared.stdout);
}

#[test]
fn computed_tables_are_listed_and_named_beside_exported_ones() {
    let listed = run(EXPORT, &["routes", "--format", "json"]);
    let report: Value = serde_json::from_str(&listed.stdout).expect("JSON");
    let tables: Vec<(&str, &str)> = report["tables"]
        .as_array()
        .expect("tables")
        .iter()
        .map(|table| (table["route_table_id"].as_str().unwrap(), table["basis"].as_str().unwrap()))
        .collect();
    assert_eq!(
        tables,
        [("vm1-nic", "exported"), ("hub/vm", "computed"), ("hub/AzureFirewallSubnet", "computed")]
    );
    let explained = run(EXPORT, &["explain", "--from", "10.0.2.9", "--format", "json", "10.9.0.1"]);
    let report: Value = serde_json::from_str(&explained.stdout).expect("JSON");
    assert_eq!(report["route_table_id"], "hub/vm");
    assert_eq!(report["next_hop_class"], "firewall");
    assert_eq!(report["next_hop_name"], "fw");
}

/// The three listings of an article, as its page has them: each table on one line, some rows cut out
/// as `[...]`. (J. Moreno, "Private Link reality bites: your routes might be lying",
/// blog.cloudtrooper.net, 2025-01-22.)
#[test]
fn published_listings_on_one_line_are_what_the_resources_give() {
    let common = "VirtualNetworkGateway Active 192.168.0.0/24 VirtualNetworkGateway 10.13.76.4 \
                  VirtualNetworkGateway Active 192.168.0.0/24 VirtualNetworkGateway 10.13.76.5 \
                  Default Active 0.0.0.0/0 Internet";
    let endpoints = |state: &str| {
        [4, 5, 6]
            .map(|last| format!("Default {state} 10.13.77.{last}/32 InterfaceEndpoint"))
            .join(" ")
    };
    for (scenario, rest, hidden) in [
        (
            "endpoints-by-default",
            format!("[...] Default Active 10.13.77.0/24 VNetGlobalPeering {}", endpoints("Active")),
            vec!["10.0.0.0/8", "100.64.0.0/10", "172.16.0.0/12", "192.168.0.0/16"],
        ),
        (
            "endpoints-with-policies",
            format!(
                "Default Active 10.0.0.0/8 None [...] User Active 10.13.77.0/24 VirtualAppliance \
                 10.13.76.68 Default Invalid 10.13.77.0/24 VNetGlobalPeering {}",
                endpoints("Invalid")
            ),
            vec!["100.64.0.0/10", "172.16.0.0/12", "192.168.0.0/16"],
        ),
        (
            "endpoints-with-a-broad-route",
            format!(
                "[...] User Active 10.0.0.0/8 VirtualAppliance 10.13.76.68 Default Active \
                 10.13.77.0/24 VNetGlobalPeering {}",
                endpoints("Active")
            ),
            vec!["100.64.0.0/10", "172.16.0.0/12", "192.168.0.0/16"],
        ),
    ] {
        let listing = format!(
            "❯ az network nic show-effective-route-table -n hubvmVMNic -g $rg -o table Source State \
             Address Prefix Next Hop Type Next Hop IP --------------------- ------- \
             ---------------- --------------------- ------------- Default Active 10.13.76.0/24 \
             VnetLocal {common} {rest}\n"
        );
        let folder = tempfile::tempdir().expect("a temporary folder");
        let snapshot = std::path::Path::new(env!("CARGO_MANIFEST_DIR"))
            .join("captures")
            .join(scenario)
            .join("snapshot");
        for entry in fs::read_dir(snapshot).expect("a scenario") {
            let path = entry.expect("can be listed").path();
            if path.is_file() {
                let name = path.file_name().expect("a file has a name");
                fs::copy(&path, folder.path().join(name)).expect("a copy");
            }
        }
        fs::write(folder.path().join("hubvmVMNic.txt"), listing).expect("a file");
        let mut command = nexthop(&["routes", "--compare"]);
        let compared = Run::of(command.arg("--routes").arg(folder.path()));
        let want: String = std::iter::once("hubvmVMNic and hub/vms: equal\n".to_owned())
            .chain(
                hidden
                    .iter()
                    .map(|block| format!("  hidden in the export: Default Active {block} None\n")),
            )
            .collect();
        assert_eq!(
            (compared.code, compared.stdout.as_str()),
            (0, want.as_str()),
            "{scenario}: {}",
            compared.stderr
        );
    }
}
