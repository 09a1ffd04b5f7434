//! Subnets of firewalls that the settings name: their prefixes stand in the resources.

use super::SnapshotError;
use crate::azure::resources::{Resources, VirtualNetwork};
use crate::azure::settings::FirewallSetting;
use crate::net::AddressPrefix;

/// Gives every firewall the prefixes of the subnets that its setting names.
pub(super) fn resolve(
    firewalls: &mut [FirewallSetting],
    resources: &Resources,
) -> Result<(), SnapshotError> {
    for firewall in firewalls {
        for name in std::mem::take(&mut firewall.subnet_names) {
            let prefixes = prefixes_of(&name, &resources.virtual_networks)?;
            firewall.subnets.extend_from_slice(prefixes);
        }
    }
    Ok(())
}

fn prefixes_of<'r>(
    name: &str,
    networks: &'r [VirtualNetwork],
) -> Result<&'r [AddressPrefix], SnapshotError> {
    let subnets = networks
        .iter()
        .flat_map(|network| network.subnets.iter().map(move |subnet| (network, subnet)));
    let mut meant = subnets.filter(|(network, subnet)| {
        let group = network.header.id.segment_after("resourceGroups").unwrap_or_default();
        let short = format!("{}/{}", network.header.name, subnet.header.name);
        let long = format!("{group}/{short}");
        [short.as_str(), &long, subnet.header.id.as_str()].iter().any(|text| is_same(text, name))
    });
    match (meant.next(), meant.next()) {
        (Some((_, subnet)), None) => Ok(&subnet.address_prefixes),
        (None, _) => Err(SnapshotError::NoSuchFirewallSubnet { wanted: name.to_owned() }),
        (Some(_), Some(_)) => {
            Err(SnapshotError::AmbiguousFirewallSubnet { wanted: name.to_owned() })
        }
    }
}

fn is_same(a: &str, b: &str) -> bool {
    a.to_lowercase() == b.to_lowercase()
}
