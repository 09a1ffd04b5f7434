//! The names of computed tables.

use ahash::AHashMap;

use super::topology::{SubnetPlace, Topology};

/// Names every subnet: the shortest of `VNET/SUBNET`, `GROUP/VNET/SUBNET` and the whole identifier
/// that is unique in the snapshot; compared without case.
pub(super) fn of_subnets(topology: &Topology<'_>) -> Vec<String> {
    let places: Vec<SubnetPlace> = topology.places().collect();
    let forms: Vec<[String; 3]> = places.iter().map(|place| forms(topology, *place)).collect();
    let mut uses: AHashMap<String, usize> = AHashMap::new();
    for name in forms.iter().flatten() {
        *uses.entry(name.to_lowercase()).or_default() += 1;
    }
    forms
        .into_iter()
        .map(|[short, grouped, whole]| {
            let is_unique = |name: &String| uses[&name.to_lowercase()] == 1;
            [short, grouped].into_iter().find(is_unique).unwrap_or(whole)
        })
        .collect()
}

fn forms(topology: &Topology<'_>, place: SubnetPlace) -> [String; 3] {
    let network = topology.networks[place.network].network;
    let id = topology.subnet_id(place);
    let name = |given: &str, kind: &str| match given.is_empty() {
        true => id.segment_after(kind).unwrap_or_default().to_owned(),
        false => given.to_owned(),
    };
    let short = format!(
        "{}/{}",
        name(&network.header.name, "virtualNetworks"),
        name(&topology.subnet(place).header.name, "subnets")
    );
    let group = id.segment_after("resourceGroups").unwrap_or_default();
    let grouped = format!("{group}/{short}");
    [short, grouped, id.as_str().to_owned()]
}
