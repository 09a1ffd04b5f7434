//! The routes that peerings bring.

use super::base::Draft;
use super::system_routes::row;
use super::topology::{Link, Network, Topology};
use super::{Finding, Rejection, RouteRow, Severity};
use crate::azure::NextHopType;
use crate::azure::resources::Peering;
use crate::net::AddressPrefix;

/// Adds a row for every prefix of every directly peered VNet.
///
/// * A peering brings rows only while it is connected, on both sides where the snapshot holds both;
///   it is not transitive. (Documented.)
/// * The rows follow what was synchronised (`remoteAddressSpace`) until the peering is fully in
///   sync, then the remote VNet's own prefixes. (Inferred from the fields' names.)
/// * The type is `VNetGlobalPeering` where the regions differ, `VNetPeering` where they do not or
///   where the snapshot does not tell. (Seen in published outputs.)
/// * IPv6 prefixes come only where the local VNet has IPv6 space. (Decision.)
/// * A peering of single subnets brings nothing here. (Decision: no published output shows one.)
/// * A peering prefix equal to a reserved block replaces the block's row to `None`. (Decision.)
/// * `disablePeeringRoute` of the subnet's route table removes the rows. (Documented.)
///
/// Source: Microsoft, "Create, change, or delete a virtual network peering" and "Configure subnet
/// peering" (read 2026-11-20).
pub(super) fn add(
    draft: &mut Draft,
    topology: &Topology<'_>,
    network: &Network<'_>,
    is_disabled: bool,
) {
    for link in network.links.iter().filter(|link| link.brings_routes()) {
        let next_hop_type = type_of(topology, network, link);
        for prefix in prefixes(topology, network, link) {
            add_row(draft, row(prefix, next_hop_type.clone()), is_disabled);
        }
    }
}

/// Adds the row of a virtual hub that the VNet is connected to: the connection is a peering with the
/// hub's own VNet. (Seen in published outputs.)
pub(super) fn add_hub(draft: &mut Draft, prefix: AddressPrefix, is_disabled: bool) {
    add_row(draft, row(prefix, NextHopType::VNetPeering), is_disabled);
}

fn add_row(draft: &mut Draft, mut peering: RouteRow, is_disabled: bool) {
    if is_disabled {
        peering.is_absent = true;
        peering.rejected = Some(Rejection::PeeringRouteDisabled);
    } else if let Some(prefix) = peering.prefix() {
        draft.replace_none_block(prefix);
    }
    draft.push(peering);
}

/// Returns true where the other side is the VNet of a virtual hub. Azure keeps that one to itself, so
/// that no export holds it; the hub tells all there is to know.
fn is_with_hub(topology: &Topology<'_>, peering: &Peering) -> bool {
    let is_hubs = |prefix: &AddressPrefix| {
        topology.resources.virtual_hubs.iter().any(|hub| {
            hub.virtual_wan.is_some() && hub.address_prefix.is_some_and(|space| space == *prefix)
        })
    };
    let space = &peering.remote_address_space;
    !space.is_empty() && space.iter().all(is_hubs)
}

/// Reports what is wrong or not known about the peerings of a VNet.
pub(super) fn lint(topology: &Topology<'_>, network: &Network<'_>, findings: &mut Vec<Finding>) {
    let id = &network.network.header.id;
    let mut say = |code, severity, message: String| {
        findings.push(Finding::new(code, severity, message).about(id));
    };
    for link in &network.links {
        let name = &link.peering.name;
        if !link.is_up() {
            say(
                "peering_not_connected",
                Severity::Warning,
                format!("peering `{name}` is not connected on both sides, so it brings no routes"),
            );
        } else if link.peering.is_subnet_peering {
            say(
                "subnet_peering_not_computed",
                Severity::Warning,
                format!("peering `{name}` joins single subnets; its routes are not computed"),
            );
        } else if link.remote.is_none() && !is_with_hub(topology, link.peering) {
            say(
                "remote_network_not_in_snapshot",
                Severity::Warning,
                format!(
                    "the remote VNet of peering `{name}` is not in the snapshot: its region, \
                     gateways and private endpoints are not known"
                ),
            );
        }
        let access = |side: &Peering| side.allow_virtual_network_access;
        if !access(link.peering) || link.reverse.is_some_and(|reverse| !access(reverse)) {
            say(
                "peering_access_blocked",
                Severity::Warning,
                format!(
                    "peering `{name}` does not allow access between the VNets; its routes stand, \
                     and network security groups may drop what follows them"
                ),
            );
        }
    }
    let remote_gateways =
        network.links.iter().filter(|link| link.peering.use_remote_gateways).count();
    if remote_gateways > 1 {
        say(
            "unsupported_combination",
            Severity::Error,
            "several peerings use remote gateways; Azure allows one".to_owned(),
        );
    }
    if remote_gateways > 0 && !network.gateways.is_empty() {
        say(
            "unsupported_combination",
            Severity::Error,
            "a peering uses remote gateways, and the VNet has a gateway of its own".to_owned(),
        );
    }
    for (wide, narrow, name) in overlaps(topology, network) {
        say(
            "peering_overlap",
            Severity::Error,
            format!(
                "peering `{name}` brings {narrow}, which overlaps {wide} of the VNet itself or of \
                 another peer: Azure allows no such peering, so the export is not of one moment"
            ),
        );
    }
}

/// Prefixes that a VNet and its peers share, each with the peering that brings the longer one.
///
/// Source: Microsoft, "Create, change, or delete a virtual network peering", §Requirements and
/// constraints (read 2026-11-20).
fn overlaps<'t>(
    topology: &Topology<'_>,
    network: &'t Network<'_>,
) -> Vec<(AddressPrefix, AddressPrefix, &'t str)> {
    let own = network.network.address_space.iter().map(|prefix| (*prefix, None));
    let of_peers = network.links.iter().filter(|link| link.brings_routes()).flat_map(|link| {
        let space = link.remote.map(|remote| &topology.networks[remote].network.address_space);
        let name = link.peering.name.as_str();
        space.into_iter().flatten().map(move |prefix| (*prefix, Some(name)))
    });
    let mut all: Vec<(AddressPrefix, Option<&str>)> = own.chain(of_peers).collect();
    all.sort_unstable();
    // Whatever overlaps in a sorted list follows what covers it.
    let mut found = Vec::new();
    let mut around: Option<AddressPrefix> = None;
    for (prefix, name) in all {
        match (around.filter(|around| around.covers(prefix)), name) {
            (Some(around), Some(name)) => found.push((around, prefix, name)),
            (Some(_), None) => {}
            (None, _) => around = Some(prefix),
        }
    }
    found
}

impl Link<'_> {
    /// Returns true when the peering brings rows into the local VNet's tables.
    pub(super) fn brings_routes(&self) -> bool {
        self.is_up() && !self.peering.is_subnet_peering
    }
}

fn type_of(topology: &Topology<'_>, network: &Network<'_>, link: &Link<'_>) -> NextHopType {
    let here = &network.network.header.location;
    let there = link.remote.map(|remote| &topology.networks[remote].network.header.location);
    match there {
        Some(there) if !here.is_empty() && !there.is_empty() && here != there => {
            NextHopType::VNetGlobalPeering
        }
        _ => NextHopType::VNetPeering,
    }
}

fn prefixes(topology: &Topology<'_>, network: &Network<'_>, link: &Link<'_>) -> Vec<AddressPrefix> {
    let peering = link.peering;
    let own = link.remote.map(|remote| &topology.networks[remote].network.address_space);
    let (first, second) = match peering.is_fully_in_sync {
        true => (&peering.remote_virtual_network_address_space, &peering.remote_address_space),
        false => (&peering.remote_address_space, &peering.remote_virtual_network_address_space),
    };
    let told = [first, second].into_iter().find(|prefixes| !prefixes.is_empty()).or(own);
    let has_ipv6 = network.has_ipv6();
    told.into_iter().flatten().copied().filter(|prefix| prefix.is_ipv4() || has_ipv6).collect()
}
