//! What no recording ever shows, a line a place.

use std::collections::BTreeMap;

use super::{Places, Unobservable};
use crate::azure::resources::{FlowLog, Resources};

/// Lists what the resources of a snapshot hold and no flow log can show.
///
/// * Traffic that apps send through regional integration: flow logs do not hold it, though whoever
///   receives it may record it.
/// * What a flow log is set to leave out: states of flows, and flows that its filter does not match.
/// * Hybrid Connections: app and on-premises host both dial out to a relay, so that the TCP
///   connection between them is no flow anywhere.
///
/// Source: Microsoft, "VNet flow logs" (App Service is not supported), "Filter VNet flow logs" and "Azure App Service Hybrid
/// Connections" (read 2026-11-20).
pub(super) fn of_resources(resources: &Resources) -> Vec<Unobservable> {
    let mut sites_by_subnet: BTreeMap<String, Vec<&str>> = BTreeMap::new();
    for site in &resources.sites {
        if let Some(subnet) = &site.integration_subnet {
            let vnet = subnet.segment_after("virtualNetworks").unwrap_or_default();
            let name = subnet.segment_after("subnets").unwrap_or(subnet.as_str());
            sites_by_subnet.entry(format!("{vnet}/{name}")).or_default().push(&site.header.name);
        }
    }
    let integrations = sites_by_subnet.into_iter().map(|(place, mut sites)| {
        sites.sort_unstable();
        Unobservable {
            code: "app_service_integration",
            place,
            message: format!(
                "what {} send through regional integration is in no flow log of theirs; only who \
                 receives it can record it",
                sites.join(", ")
            ),
        }
    });
    let relays = resources.hybrid_connections.iter().map(|connection| Unobservable {
        code: "hybrid_connection",
        place: format!("{}/{}", connection.site, connection.relay),
        message: format!(
            "the app's TCP to {} goes inside a relay that both ends dial; recorded is only the \
             manager's host on its way to the relay",
            connection.host
        ),
    });
    let flow_logs = resources.flow_logs.iter().filter(|log| log.is_enabled);
    let left_out = flow_logs.flat_map(|log| [states_left_out(log), flows_left_out(log)]).flatten();
    let mut lines: Vec<Unobservable> = integrations.chain(relays).chain(left_out).collect();
    lines.sort();
    lines
}

/// The states that the records of a flow log may have.
const STATES: [(char, &str); 4] =
    [('B', "the beginning"), ('C', "the course"), ('E', "the end"), ('D', "the denial")];

fn states_left_out(log: &FlowLog) -> Option<Unobservable> {
    let recorded = log.record_types.to_ascii_uppercase();
    if !STATES.iter().any(|(letter, _)| recorded.contains(*letter)) {
        return None;
    }
    let left_out: Vec<String> = STATES
        .iter()
        .filter(|(letter, _)| !recorded.contains(*letter))
        .map(|(letter, what)| format!("{what} ({letter})"))
        .collect();
    (!left_out.is_empty()).then(|| Unobservable {
        code: "record_types_off",
        place: place_of(log),
        message: format!(
            "the flow log {} leaves out {} of every flow",
            log.header.name,
            left_out.join(", ")
        ),
    })
}

fn flows_left_out(log: &FlowLog) -> Option<Unobservable> {
    let filter = log.filter.trim();
    (!filter.is_empty()).then(|| Unobservable {
        code: "recording_filtered",
        place: place_of(log),
        message: format!("the flow log {} records only what matches `{filter}`", log.header.name),
    })
}

/// What a flow log is of, in the words of a policy: a VNet, VNET/SUBNET, else the resource's name.
fn place_of(log: &FlowLog) -> String {
    let Some(target) = &log.target else { return log.header.name.clone() };
    let vnet = target.segment_after("virtualNetworks");
    match (vnet, target.segment_after("subnets")) {
        (Some(vnet), Some(subnet)) => format!("{vnet}/{subnet}"),
        (Some(vnet), None) => vnet.to_owned(),
        _ => target.as_str().rsplit('/').next().unwrap_or_default().to_owned(),
    }
}

/// Lists what a run could not see: what the snapshot's places hide, and with flow logs among the
/// inputs ICMP, which they never hold.
///
/// Source: Microsoft, "Azure Network Watcher frequently asked questions" (read 2026-11-20).
pub(super) fn of_run(places: &Places, has_log_flows: bool) -> Vec<Unobservable> {
    let icmp = has_log_flows.then(|| Unobservable {
        code: "icmp",
        place: "flow logs".to_owned(),
        message: "flow logs hold TCP and UDP; ICMP shows in captures alone".to_owned(),
    });
    places.unobservable.iter().cloned().chain(icmp).collect()
}
