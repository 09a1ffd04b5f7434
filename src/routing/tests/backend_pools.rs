//! Who is in a backend pool.

use super::*;
use crate::azure::HostSetting;
use crate::azure::resources::{BackendHealth, BackendPool, ResourceId};

/// The members of one pool, as `NAME ADDRESS`.
fn members(pool: BackendPool, hosts: &[(&str, &[&str])], servers: &[&str]) -> Vec<String> {
    let mut resources =
        plan("vnet a 10.1.0.0/16\nsubnet a/agw 10.1.1.0/24\napp-gateway agw a/agw v2");
    let id = ResourceId::new("/applicationGateways/agw/backendAddressPools/pool");
    resources.application_gateways[0].pools = vec![BackendPool { id: id.clone(), ..pool }];
    let servers = servers.iter().map(|one| ((*one).to_owned(), "Up".to_owned())).collect();
    resources.backend_health.push(BackendHealth { pool: id, servers });
    let settings = Settings {
        hosts: hosts
            .iter()
            .map(|(name, addresses)| HostSetting {
                name: (*name).to_owned(),
                addresses: addresses.iter().map(|ip| ip.parse().unwrap()).collect(),
            })
            .collect(),
        ..Settings::default()
    };
    let computed = compute(&resources, &ServiceTags::default(), &settings);
    let address = |ip: Option<IpAddr>| ip.map_or("?".to_owned(), |ip| ip.to_string());
    let pool = &computed.pools[0];
    pool.members.iter().map(|one| format!("{} {}", one.name, address(one.address))).collect()
}

fn hosts(names: &[&str]) -> BackendPool {
    BackendPool {
        host_names: names.iter().map(|name| (*name).to_owned()).collect(),
        ..BackendPool::default()
    }
}

#[test]
fn a_host_is_as_many_members_as_it_has_addresses_and_one_without() {
    let known: &[(&str, &[&str])] =
        &[("two.example", &["10.1.2.4", "10.1.2.5"]), ("none.example", &[])];
    assert_eq!(
        members(hosts(&["two.example", "none.example", "new.example"]), known, &[]),
        ["two.example 10.1.2.4", "two.example 10.1.2.5", "none.example ?", "new.example ?"]
    );
}

#[test]
fn two_names_of_one_address_are_one_member() {
    let known: &[(&str, &[&str])] = &[("a.example", &["10.1.2.4"]), ("b.example", &["10.1.2.4"])];
    assert_eq!(members(hosts(&["a.example", "b.example"]), known, &[]), ["a.example 10.1.2.4"]);
}

#[test]
fn servers_that_only_the_health_of_a_pool_names_are_members_and_the_others_are_not_doubled() {
    let pool =
        BackendPool { addresses: vec!["10.1.2.4".parse().unwrap()], ..hosts(&["a.example"]) };
    let servers = ["10.1.2.4", "A.example", "10.1.2.9", "b.example"];
    assert_eq!(
        members(pool, &[], &servers),
        ["10.1.2.4 10.1.2.4", "a.example ?", "10.1.2.9 10.1.2.9", "b.example ?"]
    );
}

#[test]
fn an_ip_configuration_that_the_snapshot_lacks_is_called_by_its_nic_or_instance() {
    let nic = "/subscriptions/s/resourceGroups/g/providers/Microsoft.Network/networkInterfaces/web";
    let set =
        "/subscriptions/s/resourceGroups/g/providers/Microsoft.Compute/virtualMachineScaleSets/set";
    let pool = BackendPool {
        ip_configurations: vec![
            ResourceId::new(format!("{nic}/ipConfigurations/one")),
            ResourceId::new(format!(
                "{set}/virtualMachines/3/networkInterfaces/nic/ipConfigurations/one"
            )),
        ],
        ..BackendPool::default()
    };
    assert_eq!(members(pool, &[], &[]), ["web ?", "set/3 ?"]);
}
