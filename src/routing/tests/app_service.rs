//! App Service sites: what enters the VNet.

use super::*;
use crate::azure::SiteSetting;
use crate::routing::NextHopClass;

/// An integration subnet with a private endpoint beside it, a peered hub with a firewall, a default
/// route to that, and a service endpoint.
fn worked(flag: &str) -> String {
    format!(
        "vnet hub 10.0.0.0/16\nvnet app 10.4.0.0/16\npeer hub app\npeer app hub
         subnet hub/AzureFirewallSubnet 10.0.1.0/26\nfirewall fw hub/AzureFirewallSubnet 10.0.1.4
         rt r\nroute r 0.0.0.0/0 VirtualAppliance 10.0.1.4
         subnet app/i 10.4.1.0/26 rt=r se=Microsoft.Storage delegated
         subnet app/pe 10.4.2.0/24\npe web app/pe 10.4.2.5\nsite shop app/i {flag}"
    )
}

fn classes(computed: &Computed) -> Vec<NextHopClass> {
    ["10.4.3.9", "10.0.5.5", "10.9.9.9", "10.4.2.5", "20.60.0.7", "8.8.8.8", "172.20.1.1"]
        .iter()
        .map(|ip| table(computed, "app/i").explain(&computed.owners, ip.parse().unwrap()).class)
        .collect()
}

#[test]
fn public_traffic_enters_the_vnet_only_if_the_site_routes_all() {
    use NextHopClass::*;
    let near = [Vnet, Peering, Firewall, PrivateEndpoint, ServiceEndpoint];
    let want = |public: NextHopClass| {
        let mut want = near.to_vec();
        want.extend([public, Firewall]);
        want
    };
    assert_eq!(classes(&computed(&worked(""))), want(OutsideVnet));
    assert_eq!(classes(&computed(&worked("route-all"))), want(Firewall));
}

#[test]
fn the_settings_tell_what_no_export_does() {
    let mut settings = Settings::default();
    settings.sites.push(SiteSetting { name: "SHOP".to_owned(), route_all: true });
    let computed = computed_with(&worked(""), &settings);
    assert_eq!(classes(&computed)[5], NextHopClass::Firewall);
}

#[test]
fn an_explanation_of_traffic_outside_names_no_route() {
    let computed = computed(&worked(""));
    let explanation =
        table(&computed, "app/i").explain(&computed.owners, "8.8.8.8".parse().unwrap());
    assert_eq!(explanation.reason, "outside_vnet");
    assert!(explanation.next_hop.is_none() && explanation.candidates.is_empty());
}

#[test]
fn shared_address_space_is_not_among_the_private_addresses() {
    let computed = computed(&worked(""));
    let class =
        |ip: &str| table(&computed, "app/i").explain(&computed.owners, ip.parse().unwrap()).class;
    assert_eq!(class("100.64.0.1"), NextHopClass::OutsideVnet);
    assert_eq!(class("172.31.255.255"), NextHopClass::Firewall);
    assert_eq!(class("172.32.0.0"), NextHopClass::OutsideVnet);
}

#[test]
fn a_site_in_a_subnet_of_its_own_is_forced_through_the_gateway_but_for_service_endpoints() {
    for route in ["", "route r 40.79.154.0/24 VirtualNetworkGateway"] {
        let computed = computed(&format!(
            "vnet a 10.20.0.0/16\nsubnet a/GatewaySubnet 10.20.0.0/27\nvpn gw a public=20.0.0.1
             rt r\nroute r 0.0.0.0/0 VirtualNetworkGateway\n{route}
             subnet a/ase 10.20.8.0/24 rt=r se=Microsoft.Sql"
        ));
        let class = |ip: &str| {
            table(&computed, "a/ase").explain(&computed.owners, ip.parse().unwrap()).class
        };
        assert_eq!(class("40.79.154.87"), NextHopClass::ServiceEndpoint, "{route}");
        assert_eq!(class("40.79.155.0"), NextHopClass::Gateway);
    }
}
