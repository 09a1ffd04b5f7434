//! Owners at the edges: what a subnet holds, networks that overlap, several load balancers.

use super::*;
use crate::azure::resources::ResourceId;
use crate::routing::NextHopClass;

fn class_and_reason(computed: &Computed, id: &str, ip: &str) -> (NextHopClass, &'static str) {
    let explanation = table(computed, id).explain(&computed.owners, ip.parse().unwrap());
    (explanation.class, explanation.reason)
}

#[test]
fn an_ip_configuration_of_a_known_resource_leaves_nothing_unknown_in_its_subnet() {
    const PLAN: &str = "vnet a 10.1.0.0/16\nrt r\nroute r 10.9.0.0/16 VirtualAppliance 10.1.2.9
        subnet a/s 10.1.1.0/24 rt=r\nsubnet a/nva 10.1.2.0/24\nnic vm a/nva 10.1.2.4";
    let nic = plan(PLAN).network_interfaces[0].header.id.clone();
    let phantom = (NextHopClass::Dropped, "phantom_next_hop");
    let unknown = (NextHopClass::Appliance, "owner_unknown");
    for (configuration, want) in [
        (format!("{nic}/ipConfigurations/one"), phantom),
        (format!("{nic}/ipConfigurations/one").to_ascii_uppercase(), phantom),
        (format!("{nic}2/ipConfigurations/one"), unknown),
    ] {
        let mut resources = plan(PLAN);
        resources.virtual_networks[0].subnets[1].ip_configurations =
            vec![ResourceId::new(configuration.clone())];
        let computed = compute(&resources, &ServiceTags::default(), &Settings::default());
        assert_eq!(class_and_reason(&computed, "a/s", "10.9.0.1"), want, "{configuration}");
    }
}

#[test]
fn of_networks_that_overlap_the_one_within_reach_says_whether_a_hop_can_exist() {
    let plan = |near: &str, far: &str| {
        computed(&format!(
            "vnet hub 10.0.0.0/16\nvnet spoke 10.1.0.0/16\npeer hub spoke\npeer spoke hub
             subnet hub/nva 10.0.3.0/24 {near}\nvnet other 10.0.0.0/16\nsubnet other/nva 10.0.3.0/24 {far}
             rt r\nroute r 10.9.0.0/16 VirtualAppliance 10.0.3.9\nsubnet spoke/s 10.1.0.0/24 rt=r"
        ))
    };
    let reason = |computed: &Computed| class_and_reason(computed, "spoke/s", "10.9.0.1").1;
    assert_eq!(reason(&plan("", "unresolved")), "phantom_next_hop");
    assert_eq!(reason(&plan("unresolved", "")), "owner_unknown");
    // None is within reach: any of them may hold it.
    let far = computed(
        "vnet spoke 10.1.0.0/16\nvnet other 10.0.0.0/16\nsubnet other/nva 10.0.3.0/24 unresolved
         rt r\nroute r 10.9.0.0/16 VirtualAppliance 10.0.3.9\nsubnet spoke/s 10.1.0.0/24 rt=r",
    );
    assert_eq!(reason(&far), "owner_unknown");
}

#[test]
fn each_load_balancer_is_one_appliance_with_the_nics_behind_it() {
    let computed = computed(
        "vnet a 10.1.0.0/16\nsubnet a/nva 10.1.2.0/24
         nic n1 a/nva 10.1.2.4 forwarding pool=lb1\nnic n2 a/nva 10.1.2.5 forwarding pool=lb2
         nic n3 a/nva 10.1.2.6 forwarding pool=lb3
         ilb lb1 a/nva 10.1.2.101\nilb lb2 a/nva 10.1.2.102\nilb lb3 a/nva 10.1.2.103
         rt r\nroute r 10.91.0.0/16 VirtualAppliance 10.1.2.4
         route r 10.92.0.0/16 VirtualAppliance 10.1.2.5
         route r 10.93.0.0/16 VirtualAppliance 10.1.2.6\nsubnet a/s 10.1.1.0/24 rt=r",
    );
    for (destination, want) in [("10.91.0.1", "lb1"), ("10.92.0.1", "lb2"), ("10.93.0.1", "lb3")] {
        let explanation =
            table(&computed, "a/s").explain(&computed.owners, destination.parse().unwrap());
        assert_eq!(explanation.next_hop.and_then(|hop| hop.name).as_deref(), Some(want));
    }
}

#[test]
fn a_users_row_carries_the_name_of_its_route() {
    let mut resources = plan(
        "vnet a 10.1.0.0/16\nrt r\nroute r 10.9.0.0/16 None\nroute r 10.8.0.0/16 None
         subnet a/s 10.1.1.0/24 rt=r",
    );
    resources.route_tables[0].routes[1].name = String::new();
    let computed = compute(&resources, &ServiceTags::default(), &Settings::default());
    let name = |prefix: &str| {
        let mut rows = table(&computed, "a/s").rows();
        let row = rows.find(|row| row.destination.to_string() == prefix).unwrap();
        row.name.as_deref().map(str::to_owned)
    };
    assert_eq!(name("10.9.0.0/16").as_deref(), Some("r0"));
    assert_eq!(name("10.8.0.0/16"), None);
}

#[test]
fn rows_of_unknown_tags_are_listed_after_every_row_whose_prefix_is_known() {
    let table = crate::routing::testing::rows(
        "Default Invalid 0.0.0.0/0 Internet\nUser Active Storage Internet
         User Active 0.0.0.0/0 VirtualAppliance 10.0.0.4",
    );
    let explanation = table.explain(&Owners::default(), "20.60.0.7".parse().unwrap());
    let listed: Vec<String> = explanation.candidates.iter().map(|one| line(one.row)).collect();
    assert_eq!(
        listed,
        [
            "User Active 0.0.0.0/0 VirtualAppliance 10.0.0.4",
            "Default Invalid 0.0.0.0/0 Internet",
            "User Active Storage Internet"
        ]
    );
}

#[test]
fn the_broadcast_addresses_that_others_take_over_are_those_of_the_subnets() {
    let computed = computed("vnet a 10.1.0.0/16\nsubnet a/s 10.1.1.0/24");
    for (address, want) in [("10.1.1.255", true), ("10.1.1.247", false), ("10.1.0.255", false)] {
        let got = computed.owners.broadcasts().contains(address.parse().unwrap());
        assert_eq!(got, want, "{address}");
    }
}
