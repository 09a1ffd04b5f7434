//! `scripts/collect.sh` against an Azure CLI that answers from a table, notes every call, and may
//! not read one of two subscriptions.
#![cfg(unix)]
#![forbid(unsafe_code)]
#![expect(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

use std::collections::BTreeSet;
use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use nexthop::azure::resources::ResourceId;
use nexthop::azure::{Snapshot, load_snapshot};

/// The first subscription has one of everything, and names with spaces; the second refuses.
const FAKE_AZ: &str = r##"#!/usr/bin/env bash
printf '%s\n' "$*" | tr '\n' ' ' >>"$CALLS"
echo >>"$CALLS"
# What reads the input of a loop ends it.
cat >/dev/null
one=11111111-1111-1111-1111-111111111111
two=22222222-2222-2222-2222-222222222222
group="/subscriptions/$one/resourceGroups/net group"
network="$group/providers/Microsoft.Network"
case "$*" in
    *"$two"*--query*|*--query*"$two"*)
        echo >&2
        echo "ERROR: (AuthorizationFailed) no access to $two" >&2
        exit 1 ;;
esac
case "$*" in
    'account list '*) printf '%s\r\n' "$one"; [ -n "${ONE_ONLY:-}" ] || printf '%s\r\n' "$two" ;;
    'account show --subscription My Sub '*) echo "$one" ;;
    'account show '*) echo 'ERROR: no such subscription' >&2; exit 1 ;;
    'account list-locations '*) echo westeurope ;;
    'graph query '*'--skip-token page2'*)
        printf '{\n  "count": 1,\n  "data": [{"id": "%s", "type": "microsoft.network/loadbalancers", "name": "lb", "tags": {"skip_token": "x"}}],\n  "skip_token": null\n}\n' \
            "$network/loadBalancers/lb" ;;
    'graph query '*)
        printf '{\n  "count": 1,\n  "data": [{"id": "%s", "type": "microsoft.network/virtualnetworks", "name": "my hub", "properties": {"addressSpace": {"addressPrefixes": ["10.0.0.0/16"]}, "subnets": []}}],\n  "skip_token": "page2",\n  "total_records": 2\n}\n' \
            "$network/virtualNetworks/my hub" ;;
    'resource list '*Microsoft.Network/connections*) echo "$network/connections/to site" ;;
    'resource list '*Microsoft.Network/virtualNetworkGateways*) echo "$network/virtualNetworkGateways/my gw" ;;
    'resource list '*Microsoft.Network/applicationGateways*) echo "$network/applicationGateways/agw" ;;
    'resource list '*Microsoft.Network/virtualHubs*)
        echo "$network/virtualHubs/vhub"; echo "$network/virtualHubs/rs" ;;
    'resource list '*Microsoft.Web/sites*) echo "$group/providers/Microsoft.Web/sites/shop" ;;
    'resource show '*virtualHubs/rs*) echo none ;;
    'resource show '*) echo "$network/virtualWans/wan" ;;
    'network vpn-connection show '*)
        printf '{"id": "%s", "connectionStatus": "NotConnected"}' "$network/connections/to site" ;;
    'network vnet-gateway list-learned-routes '*)
        echo '{"value": [{"network": "192.168.0.0/16", "nextHop": "192.168.0.1", "origin": "EBgp"}]}' ;;
    'network routeserver peering list '*) echo 'nva 1' ;;
    'network routeserver peering list-learned-routes '*'--name nva 1'*)
        echo '{"RouteServiceRole_IN_0": [{"network": "10.9.0.0/16", "nextHop": "10.0.0.4", "origin": "EBgp"}], "value": null}' ;;
    'network application-gateway show-backend-health '*)
        echo '{"backendAddressPools": [{"backendHttpSettingsCollection": [{"servers": [{"address": "10.0.0.7", "health": "Up"}]}]}]}' ;;
    'network vhub connection list '*'--vhub-name vhub'*)
        printf '[{"id": "%s"}]' "$network/virtualHubs/vhub/hubVirtualNetworkConnections/spoke" ;;
    'network vhub route-table list '*)
        printf '[{"id": "%s", "routes": []}]' "$network/virtualHubs/vhub/hubRouteTables/defaultRouteTable" ;;
    'network vhub routing-intent list '*)
        printf '[{"id": "%s"}]' "$network/virtualHubs/vhub/routingIntent/ri" ;;
    'webapp show '*)
        printf '{"id": "%s", "name": "shop", "vnetRouteAllEnabled": true}' "$group/providers/Microsoft.Web/sites/shop" ;;
    'vmss list '*) echo "$group/providers/Microsoft.Compute/virtualMachineScaleSets/my set" ;;
    'vmss nic list --vmss-name my set --resource-group net group '*)
        printf '[{"id": "%s", "ipConfigurations": []}]' "$group/providers/Microsoft.Compute/virtualMachineScaleSets/my set/virtualMachines/0/networkInterfaces/n" ;;
    'vm list '*)
        echo "$network/networkInterfaces/vm nic"
        echo "/subscriptions/$one/resourceGroups/other/providers/Microsoft.Network/networkInterfaces/vm nic" ;;
    'network nic show-effective-route-table '*)
        echo '{"value": [{"addressPrefix": ["10.0.0.0/16"], "nextHopType": "VnetLocal", "source": "Default", "state": "Active", "nextHopIpAddress": []}]}' ;;
    'network list-service-tags --location westeurope '*)
        echo '{"changeNumber": "9", "values": [{"name": "Storage", "properties": {"addressPrefixes": ["20.0.0.0/24"]}}]}' ;;
    *) echo "ERROR: unexpected call: $*" >&2; exit 1 ;;
esac
"##;

struct Run {
    place: tempfile::TempDir,
    output: Output,
}

impl Run {
    fn of(arguments: &[&str], variables: &[(&str, &str)]) -> Option<Self> {
        let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("scripts/collect.sh");
        if !script.exists() {
            eprintln!("SKIPPED: scripts/collect.sh is not part of the published package");
            return None;
        }
        let place = tempfile::tempdir().unwrap();
        let bin = place.path().join("bin");
        fs::create_dir(&bin).unwrap();
        fs::write(bin.join("az"), FAKE_AZ).unwrap();
        fs::set_permissions(bin.join("az"), fs::Permissions::from_mode(0o755)).unwrap();
        let path = format!("{}:{}", bin.display(), std::env::var("PATH").unwrap());
        let output = Command::new("bash")
            .arg(script)
            .args(arguments)
            .current_dir(place.path())
            .env("PATH", path)
            .env("CALLS", place.path().join("calls"))
            .envs(variables.iter().copied())
            .output()
            .unwrap();
        Some(Self { place, output })
    }

    fn exit_code(&self) -> Option<i32> {
        self.output.status.code()
    }

    fn told(&self) -> String {
        String::from_utf8_lossy(&self.output.stderr).into_owned()
    }

    fn calls(&self) -> Vec<String> {
        let calls = fs::read_to_string(self.place.path().join("calls")).unwrap_or_default();
        calls.lines().map(str::to_owned).collect()
    }

    fn folder(&self, name: &str) -> PathBuf {
        self.place.path().join(name)
    }

    fn snapshot(&self, name: &str) -> Snapshot {
        load_snapshot(&self.folder(name)).unwrap_or_else(|error| panic!("{error}: {}", self.told()))
    }
}

#[test]
fn what_can_be_read_is_a_snapshot_and_the_rest_is_told() {
    let Some(run) = Run::of(&["-o", "my snapshot", "--effective-routes"], &[]) else { return };
    assert_eq!(run.exit_code(), Some(1), "{}", run.told());
    let told = run.told();
    let missing: Vec<&str> = told.lines().filter(|line| line.starts_with("  ")).collect();
    assert_eq!(missing.len(), 7, "{told}");
    for line in missing {
        assert!(
            line.contains("22222222")
                && line.ends_with("no access to 22222222-2222-2222-2222-222222222222"),
            "{line}"
        );
    }

    let snapshot = run.snapshot("my snapshot");
    let resources = &snapshot.resources;
    assert_eq!(snapshot.ignored, []);
    assert_eq!(snapshot.warnings, []);
    assert_eq!(resources.virtual_networks[0].header.name, "my hub");
    assert_eq!(resources.load_balancers.len(), 1);
    assert!(resources.connections[0].is_not_connected);
    assert_eq!(resources.backend_health[0].servers.len(), 1);
    assert_eq!(resources.hub_connections.len(), 1);
    assert_eq!(resources.hub_route_tables.len(), 1);
    assert_eq!(resources.routing_intents.len(), 1);
    assert_eq!(resources.network_interfaces.len(), 1);
    assert_eq!(resources.sites[0].route_all, Some(true));
    assert_eq!(snapshot.service_tags.get("Storage").map(BTreeSet::len), Some(1));
    let owners: Vec<_> = resources
        .learned_routes
        .iter()
        .map(|route| {
            let id = ResourceId::new(route.gateway.clone());
            let gateway = id.segment_after("virtualNetworkGateways").map(str::to_owned);
            gateway.or_else(|| id.segment_after("virtualHubs").map(str::to_owned))
        })
        .collect();
    assert_eq!(owners, [Some("my gw".to_owned()), Some("rs".to_owned())]);
    // The second NIC of a name is told apart by its subscription and group.
    let tables: BTreeSet<&str> = snapshot.tables.iter().map(|table| table.name.as_str()).collect();
    assert_eq!(
        tables,
        BTreeSet::from(["vm nic", "11111111-1111-1111-1111-111111111111 other vm nic"])
    );
}

#[test]
fn everything_read_is_success_and_slow_calls_are_left_out() {
    let Some(run) = Run::of(&["-o", "snapshot"], &[("ONE_ONLY", "1")]) else { return };
    assert_eq!(run.exit_code(), Some(0), "{}", run.told());
    assert_eq!(run.snapshot("snapshot").tables.len(), 0);
    assert!(!run.calls().iter().any(|call| call.contains("effective-route")));
    // Both pages of Resource Graph, and no third.
    assert_eq!(run.calls().iter().filter(|call| call.starts_with("graph query")).count(), 2);
}

#[test]
fn every_call_lists_or_shows() {
    let Some(run) = Run::of(&["-o", "snapshot", "--effective-routes"], &[]) else { return };
    let calls = run.calls();
    assert!(calls.len() > 20);
    for call in calls {
        let words: Vec<&str> =
            call.split_whitespace().take_while(|word| !word.starts_with("--")).collect();
        let verb = words.last().copied().unwrap_or_default();
        let is_read = verb == "query" || verb.starts_with("list") || verb.starts_with("show");
        assert!(is_read, "{call}");
        assert!(call.contains("--only-show-errors"), "{call}");
    }
}

#[test]
fn subscriptions_are_taken_by_name() {
    let Some(run) = Run::of(&["-s", "My Sub", "-s", "gone", "-o", "snapshot"], &[]) else { return };
    assert_eq!(run.exit_code(), Some(1));
    assert!(run.told().contains("  the subscription gone: ERROR: no such subscription"));
    assert_eq!(run.snapshot("snapshot").resources.virtual_networks.len(), 1);
    assert!(!run.calls().iter().any(|call| call.starts_with("account list ")));
}

#[test]
fn wrong_usage_is_refused_before_any_call() {
    for (arguments, part) in [
        (&["--subscriptions"][..], "unknown argument: --subscriptions"),
        (&["-s"], "-s needs a value"),
        (&["-o", "."], "the folder is not empty: ."),
    ] {
        let Some(run) = Run::of(arguments, &[]) else { return };
        assert_eq!(run.exit_code(), Some(2), "{arguments:?}");
        assert!(run.told().contains(part), "{arguments:?}: {}", run.told());
        assert_eq!(run.calls().len(), 0);
    }
    let Some(help) = Run::of(&["--help"], &[]) else { return };
    assert_eq!(help.exit_code(), Some(0));
    assert!(String::from_utf8_lossy(&help.output.stdout).contains("--effective-routes"));
}
