//! Estates that differ from a scenario by one setting, and what the program says of each.

use std::fs;

use serde_json::json;

use super::faults;
use crate::recipes::app_service::{Environment, GatewayRequired};
use crate::recipes::azure::Shape;
use crate::recipes::estates::GatewayTransit;
use crate::recipes::estates_hub::app_service_files;
use crate::recipes::scenario::Scenario;

/// Writes a scenario to a temporary folder and holds the program against it.
pub fn assert_holds(scenario: &Scenario) {
    let folder = tempfile::tempdir().expect("a temporary folder");
    for (name, content) in scenario.files() {
        let path = folder.path().join(name);
        fs::create_dir_all(path.parent().expect("is below the folder")).expect("a folder");
        fs::write(path, content).expect("a file");
    }
    let faults = faults(folder.path());
    assert!(faults.is_empty(), "{}:\n{}", scenario.folder, faults.join("\n"));
}

#[test]
fn a_site_that_routes_all_sends_public_traffic_by_the_integration_subnets_table() {
    assert_holds(&Scenario {
        folder: "all traffic enters the VNet",
        snapshot: app_service_files(true, "10.20.5.0/26", true, true),
        asked: "
        from apps/integration to 203.0.113.20 | apps/integration | 0.0.0.0/0 User VirtualAppliance 10.0.1.4 | azfw | firewall internet left | internet_has_no_route_table
        from apps/integration to 40.79.154.87 | apps/integration | 40.79.154.0/24 Default VirtualNetworkServiceEndpoint | | service_endpoint delivered | internet_has_no_route_table
        from apps/integration to 172.20.1.1 | apps/integration | 0.0.0.0/0 User VirtualAppliance 10.0.1.4 | azfw | firewall dropped dropped | no_route_table",
        findings: "
            warning private_endpoint_bypass apps/integration 10.20.9.5/32 -
            warning service_endpoint_bypass apps/integration 40.79.154.0/24 -",
        ..Scenario::default()
    });
}

#[test]
fn a_service_endpoint_is_not_force_tunnelled_by_the_default_route_alone_either() {
    assert_holds(&Scenario {
        folder: "no route at the endpoint's prefix",
        snapshot: Environment { has_route_at_endpoint: false, ..Environment::FORCED }.files(),
        asked: "
        from apps/ase to 40.79.154.87 | apps/ase | 40.79.154.0/24 Default VirtualNetworkServiceEndpoint | | service_endpoint delivered | internet_has_no_route_table
        from apps/ase to 40.79.155.1 | apps/ase | 0.0.0.0/0 User VirtualNetworkGateway | | gateway internet left | internet_has_no_route_table",
        findings: "warning service_endpoint_bypass apps/ase 40.79.154.0/24 -",
        ..Scenario::default()
    });
}

#[test]
fn a_peered_vnet_of_another_region_is_reached_by_a_global_peering() {
    assert_holds(&Scenario {
        folder: "the hub is in another region",
        snapshot: Environment { is_remote_region: true, ..Environment::FORCED }.files(),
        asked: "from apps/ase to 10.0.5.5 | apps/ase | 10.0.0.0/16 Default VNetGlobalPeering | | peering delivered | no_route_table",
        findings: "
            warning service_endpoint_bypass apps/ase 40.79.154.0/24 -
            note ambiguous_service_endpoint apps/ase 40.79.154.0/24 -",
        ..Scenario::default()
    });
}

#[test]
fn without_gateway_transit_an_environment_does_not_reach_on_premises() {
    assert_holds(&Scenario {
        folder: "no gateway transit",
        snapshot: Environment {
            has_transit: false,
            has_route_at_endpoint: false,
            ..Environment::FORCED
        }
        .files(),
        asked: "from apps/ase to 192.168.0.10 | apps/ase | 0.0.0.0/0 User VirtualNetworkGateway | | dropped dropped | peering delivered",
        findings: "error phantom_gateway apps/ase 0.0.0.0/0 -",
        ..Scenario::default()
    });
}

#[test]
fn without_propagation_a_site_reaches_on_premises_only_as_its_own_routes_say() {
    assert_holds(&Scenario {
        folder: "no propagation, and a default route to the firewall",
        snapshot: app_service_files(false, "10.20.5.0/26", true, false),
        asked: "from apps/integration to 192.168.0.10 | apps/integration | 0.0.0.0/0 User VirtualAppliance 10.0.1.4 | azfw | firewall gateway left | peering delivered",
        findings: "
            warning private_endpoint_bypass apps/integration 10.20.9.5/32 -
            warning service_endpoint_bypass apps/integration 40.79.154.0/24 -",
        ..Scenario::default()
    });
}

#[test]
fn without_propagation_and_routes_of_its_own_a_site_does_not_reach_on_premises() {
    let mut snapshot = app_service_files(false, "10.20.5.0/26", true, false);
    let text = String::from_utf8(snapshot[0].1.clone()).expect("JSON");
    let mut document: serde_json::Value = serde_json::from_str(&text).expect("JSON");
    let resources = document["value"].as_array_mut().expect("a list");
    let table = resources.iter_mut().find(|one| one["name"] == "rt-apps").expect("a route table");
    table["properties"]["routes"] = json!([]);
    snapshot[0].1 = document.to_string().into_bytes();
    assert_holds(&Scenario {
        folder: "no propagation, and no routes",
        snapshot,
        asked: "from apps/integration to 192.168.0.10 | apps/integration | 192.168.0.0/16 Default None | | dropped dropped | peering delivered",
        ..Scenario::default()
    });
}

#[test]
fn an_integration_subnet_under_the_least_size_is_an_error() {
    assert_holds(&Scenario {
        folder: "a subnet of eight addresses",
        snapshot: app_service_files(true, "10.20.5.0/29", true, true),
        findings: "
            error integration_subnet_size - 10.20.5.0/29 integration
            warning private_endpoint_bypass apps/integration 10.20.9.5/32 -
            warning service_endpoint_bypass apps/integration 40.79.154.0/24 -",
        ..Scenario::default()
    });
}

fn gateway_required() -> GatewayRequired {
    GatewayRequired {
        has_express_route: false,
        knows_clients: true,
        spoke_flags: json!({ "useRemoteGateways": true }),
        hub_flags: json!({ "allowGatewayTransit": true }),
    }
}

#[test]
fn clients_of_a_gateway_required_integration_get_answers_only_where_on_premises_knows_their_pool() {
    let there = "from 172.16.201.5 to 192.168.0.10 | hub/GatewaySubnet | 192.168.0.0/16 VirtualNetworkGateway VirtualNetworkGateway 20.30.40.50 | vpngw | gateway left |";
    for (knows_clients, back) in [(false, "no_route dropped"), (true, "gateway left")] {
        let asked = format!("{there} {back}").leak();
        assert_holds(&Scenario {
            folder: "the on-premises table is told by the settings",
            snapshot: GatewayRequired { knows_clients, ..gateway_required() }.files(),
            asked,
            ..Scenario::default()
        });
    }
}

#[test]
fn a_gateway_required_integration_does_not_work_beside_an_express_route_gateway() {
    assert_holds(&Scenario {
        folder: "both gateways",
        snapshot: GatewayRequired { has_express_route: true, ..gateway_required() }.files(),
        findings: "error unsupported_combination - - shop",
        ..Scenario::default()
    });
}

#[test]
fn a_gateway_required_integration_reaches_a_peered_vnet_only_with_every_flag() {
    let base = gateway_required;
    for (name, files) in [
        (
            "access of the gateway's side",
            GatewayRequired {
                hub_flags: json!({ "allowGatewayTransit": true, "allowVirtualNetworkAccess": false }),
                ..base()
            },
        ),
        (
            "access of the spoke's side",
            GatewayRequired {
                spoke_flags: json!({ "useRemoteGateways": true, "allowVirtualNetworkAccess": false }),
                ..base()
            },
        ),
        (
            "forwarded traffic",
            GatewayRequired {
                spoke_flags: json!({ "useRemoteGateways": true, "allowForwardedTraffic": false }),
                ..base()
            },
        ),
        (
            "remote gateways",
            GatewayRequired { spoke_flags: json!({ "useRemoteGateways": false }), ..base() },
        ),
    ] {
        let blocked = match name.starts_with("access") {
            true => {
                "
                warning peering_access_blocked - - hub
                warning peering_access_blocked - - spoke
                warning gateway_transit_not_allowed - - shop"
            }
            false => "warning gateway_transit_not_allowed - - shop",
        };
        assert_holds(&Scenario {
            folder: name,
            snapshot: files.files(),
            findings: blocked,
            ..Scenario::default()
        });
    }
    // Azure itself refuses this one; the peering's own finding says what it means for routes.
    assert_holds(&Scenario {
        folder: "gateway transit",
        snapshot: GatewayRequired { hub_flags: json!({}), ..base() }.files(),
        findings: "
            error gateway_transit_not_allowed - - spoke
            warning gateway_transit_not_allowed - - shop",
        ..Scenario::default()
    });
    assert_holds(&Scenario {
        folder: "every flag is set",
        snapshot: base().files(),
        asked: "from 172.16.201.5 to 10.20.1.4 | hub/GatewaySubnet | 10.20.0.0/16 Default VNetPeering | | peering delivered | gateway left",
        ..Scenario::default()
    });
}

#[test]
fn a_direct_peering_beside_routes_of_its_prefix_to_the_gateway_changes_nothing() {
    let mut snapshot = GatewayTransit::SOUND.files(Shape::Nested);
    let text = String::from_utf8(snapshot[0].1.clone()).expect("JSON");
    let mut document: serde_json::Value = serde_json::from_str(&text).expect("JSON");
    for (index, remote, space) in [(1, "spoke2", "10.2.0.0/16"), (2, "spoke1", "10.1.0.0/16")] {
        let mut direct = crate::recipes::azure::peering(remote, &[space], json!({}));
        direct["id"] = json!(format!("direct-to-{remote}"));
        let network = &mut document["value"][index]["properties"];
        network["virtualNetworkPeerings"].as_array_mut().expect("a list").push(direct);
    }
    snapshot[0].1 = document.to_string().into_bytes();
    let direct = |snapshot: &[(String, Vec<u8>)], asked, findings| {
        assert_holds(&Scenario {
            folder: "a direct peering",
            snapshot: snapshot.to_vec(),
            asked,
            findings,
            ..Scenario::default()
        });
    };
    direct(
        &snapshot,
        "from 10.1.0.4 to 10.2.0.4 | spoke1/web | 10.2.0.0/16 User VirtualNetworkGateway | | gateway peering delivered | gateway peering delivered",
        "
        note shadowed_by_invalid_twin spoke1/web 10.2.0.0/16 -
        note shadowed_by_invalid_twin spoke2/web 10.1.0.0/16 -",
    );
    let bare = GatewayTransit { spoke1_routes: &[], spoke2_routes: &[], ..GatewayTransit::SOUND };
    snapshot[1] = bare.files(Shape::Nested).swap_remove(1);
    direct(
        &snapshot,
        "from 10.1.0.4 to 10.2.0.4 | spoke1/web | 10.2.0.0/16 Default VNetPeering | | peering delivered | peering delivered",
        "",
    );
}
