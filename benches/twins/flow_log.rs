//! A flow log by `serde_json` into types, and `str::split`.

use std::borrow::Cow;

use nexthop::net::MacAddress;
use serde::Deserialize;

use super::router::Router;
use super::totals::Totals;

#[derive(Deserialize)]
struct Blob<'a> {
    #[serde(borrow)]
    records: Vec<Record<'a>>,
}

#[derive(Deserialize)]
struct Record<'a> {
    #[serde(rename = "macAddress")]
    mac: Cow<'a, str>,
    #[serde(rename = "flowRecords", borrow)]
    flow_records: FlowRecords<'a>,
}

#[derive(Deserialize)]
struct FlowRecords<'a> {
    #[serde(borrow)]
    flows: Vec<Flow<'a>>,
}

#[derive(Deserialize)]
struct Flow<'a> {
    #[serde(rename = "aclID")]
    acl: Cow<'a, str>,
    #[serde(rename = "flowGroups", borrow)]
    groups: Vec<FlowGroup<'a>>,
}

#[derive(Deserialize)]
struct FlowGroup<'a> {
    rule: Cow<'a, str>,
    #[serde(rename = "flowTuples", borrow)]
    tuples: Vec<&'a str>,
}

/// Sums the tuples of one blob.
///
/// # Errors
///
/// When the blob is not what Azure writes.
pub fn classify(router: &Router, blob: &[u8], totals: &mut Totals) -> serde_json::Result<()> {
    let blob: Blob<'_> = serde_json::from_slice(blob)?;
    for record in &blob.records {
        let mac: MacAddress = record.mac.parse().expect("generated MAC addresses are whole");
        for flow in &record.flow_records.flows {
            for group in &flow.groups {
                let is_platform_rule = group.rule == "PlatformRule"
                    && flow.acl == "00000000-0000-0000-0000-000000000000";
                for tuple in &group.tuples {
                    if add(router, mac, is_platform_rule, tuple, totals).is_none() {
                        totals.damaged += 1;
                    }
                }
            }
        }
    }
    Ok(())
}

/// Returns nothing for a tuple that is broken.
fn add(
    router: &Router,
    mac: MacAddress,
    is_platform_rule: bool,
    tuple: &str,
    totals: &mut Totals,
) -> Option<()> {
    let mut fields = tuple.split(',');
    let _time: u64 = fields.next()?.parse().ok()?;
    let source = fields.next()?.parse().ok()?;
    let destination = fields.next()?.parse().ok()?;
    let _source_port: u16 = fields.next()?.parse().ok()?;
    let _destination_port: u16 = fields.next()?.parse().ok()?;
    let _protocol: u8 = fields.next()?.parse().ok()?;
    let is_inbound = fields.next()? == "I";
    let counts = matches!(fields.next()?, "C" | "E");
    let _encryption = fields.next()?;
    let mut counter = || -> Option<u64> {
        let field = fields.next()?;
        if field.is_empty() { Some(0) } else { field.parse().ok() }
    };
    let [packets_sent, bytes_sent] = [counter()?, counter()?];
    let [packets_received, bytes_received] = [counter()?, counter()?];
    let outcome = router.tuple(mac, is_platform_rule, is_inbound, source, destination);
    let (packets, bytes) = match counts {
        true => (packets_sent + packets_received, bytes_sent + bytes_received),
        false => (0, 0),
    };
    totals.add(outcome, 1, packets, bytes);
    Some(())
}
