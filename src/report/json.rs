//! The summary of `classify` for programs.

use std::io::{self, Write};

use serde::Serialize;
use serde::ser::{SerializeMap, Serializer};

use super::neutral_json::write_json_lines;
use crate::classify::{InputSummary, NextHopSummary, Summary, Totals};
use crate::traffic::{Damage, NotApplicable, Tally, Unknown};

/// Writes the summary as one JSON object, indented, with a line end.
///
/// Every reason that occurred is a key, in the order of the closed list; so are the classes. Holds
/// no time and no name of a machine: the same input gives the same bytes.
///
/// # Errors
///
/// When `out` cannot be written.
///
/// # Examples
///
/// ```
/// use nexthop::classify::Summary;
/// use nexthop::report::write_classify_json;
///
/// let mut out = Vec::new();
/// write_classify_json(&Summary::default(), &mut out)?;
/// let text = String::from_utf8(out)?;
/// assert!(text.starts_with("{\n  \"schema\": 1,\n  \"inputs\": [],\n  \"bytes_read\": 0,"));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub fn write_classify_json(summary: &Summary, out: &mut dyn Write) -> io::Result<()> {
    write_json_lines(out, &Report::new(summary))
}

#[derive(Serialize)]
struct Report<'a> {
    schema: u32,
    inputs: Vec<Input<'a>>,
    #[serde(flatten)]
    total: Books,
    by_class: ByKey<Sums>,
    by_next_hop: Vec<NextHop<'a>>,
}

#[derive(Serialize)]
struct Input<'a> {
    path: &'a str,
    format: Option<&'static str>,
    #[serde(flatten)]
    books: Books,
}

#[derive(Serialize)]
pub(super) struct Books {
    bytes_read: u64,
    records_read: u64,
    classified: u64,
    unknown: ByKey<u64>,
    not_applicable: ByKey<u64>,
    damaged: ByKey<u64>,
}

#[derive(Serialize)]
struct NextHop<'a> {
    next_hop_type: Option<&'a str>,
    next_hop_ips: Vec<String>,
    next_hop_name: Option<&'a str>,
    class: &'static str,
    #[serde(flatten)]
    sums: Sums,
}

#[derive(Serialize)]
struct Sums {
    flows: u64,
    packets: u64,
    bytes: u64,
}

/// A JSON object whose keys keep their order.
pub(super) struct ByKey<V>(pub(super) Vec<(&'static str, V)>);

impl<'a> Report<'a> {
    fn new(summary: &'a Summary) -> Self {
        let by_class = summary.by_class.iter();
        Self {
            schema: 1,
            inputs: summary.inputs.iter().map(Input::new).collect(),
            total: Books::new(&summary.total),
            by_class: ByKey(
                by_class.map(|(class, totals)| (class.as_str(), Sums::new(*totals))).collect(),
            ),
            by_next_hop: summary
                .by_next_hop
                .iter()
                .map(|(next_hop, totals)| NextHop::new(next_hop, *totals))
                .collect(),
        }
    }
}

impl<'a> Input<'a> {
    fn new(input: &'a InputSummary) -> Self {
        Self {
            path: input.name.as_str(),
            format: input.format.map(|format| format.as_str()),
            books: Books::new(&input.tally),
        }
    }
}

impl Books {
    pub(super) fn new(tally: &Tally) -> Self {
        Self {
            bytes_read: tally.bytes_read,
            records_read: tally.records_read,
            classified: tally.classified,
            unknown: ByKey::that_occurred(
                Unknown::ALL.map(|reason| (reason.as_str(), tally.unknown(reason))),
            ),
            not_applicable: ByKey::that_occurred(
                NotApplicable::ALL.map(|reason| (reason.as_str(), tally.not_applicable(reason))),
            ),
            damaged: ByKey::that_occurred(
                Damage::ALL.map(|reason| (reason.as_str(), tally.damaged(reason))),
            ),
        }
    }
}

impl<'a> NextHop<'a> {
    fn new(next_hop: &'a NextHopSummary, totals: Totals) -> Self {
        Self {
            next_hop_type: next_hop.next_hop_type.as_deref(),
            next_hop_ips: next_hop.next_hop_ips.iter().map(ToString::to_string).collect(),
            next_hop_name: next_hop.next_hop_name.as_deref(),
            class: next_hop.class.as_str(),
            sums: Sums::new(totals),
        }
    }
}

impl Sums {
    fn new(totals: Totals) -> Self {
        let Totals { flows, packets, bytes } = totals;
        Self { flows, packets, bytes }
    }
}

impl ByKey<u64> {
    fn that_occurred<const N: usize>(counts: [(&'static str, u64); N]) -> Self {
        Self(counts.into_iter().filter(|(_, count)| *count > 0).collect())
    }
}

impl<V: Serialize> Serialize for ByKey<V> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(Some(self.0.len()))?;
        for (key, value) in &self.0 {
            map.serialize_entry(key, value)?;
        }
        map.end()
    }
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;
    use crate::report::text::tests::sample_summary;

    #[test]
    fn the_object_by_hand() {
        let mut out = Vec::new();
        write_classify_json(&sample_summary(), &mut out).unwrap();
        let want = json!({
            "schema": 1,
            "inputs": [
                {
                    "path": "logs/PT1H.json", "format": "vnet_v4", "bytes_read": 5000,
                    "records_read": 110, "classified": 100, "unknown": {"no_route_table": 7},
                    "not_applicable": {"other_log_category": 2},
                    "damaged": {"malformed_tuple": 1}
                },
                {
                    "path": "evil\u{1b}[31m.bin", "format": null, "bytes_read": 3,
                    "records_read": 1, "classified": 0, "unknown": {}, "not_applicable": {},
                    "damaged": {"unrecognised_file": 1}
                }
            ],
            "bytes_read": 5003, "records_read": 111, "classified": 100,
            "unknown": {"no_route_table": 7}, "not_applicable": {"other_log_category": 2},
            "damaged": {"malformed_tuple": 1, "unrecognised_file": 1},
            "by_class": {
                "firewall": {"flows": 90, "packets": 900, "bytes": 3_000_000},
                "dropped": {"flows": 10, "packets": 10, "bytes": 1000},
                "unknown": {"flows": 7, "packets": 0, "bytes": 0}
            },
            "by_next_hop": [
                {
                    "next_hop_type": "VirtualAppliance",
                    "next_hop_ips": ["10.13.76.68", "fd00::44"],
                    "next_hop_name": "hub-firewall", "class": "firewall",
                    "flows": 90, "packets": 900, "bytes": 3_000_000
                },
                {
                    "next_hop_type": "None", "next_hop_ips": [], "next_hop_name": null,
                    "class": "dropped", "flows": 10, "packets": 10, "bytes": 1000
                },
                {
                    "next_hop_type": null, "next_hop_ips": [], "next_hop_name": null,
                    "class": "unknown", "flows": 7, "packets": 0, "bytes": 0
                }
            ]
        });
        assert_eq!(serde_json::from_slice::<Value>(&out).unwrap(), want);
    }

    #[test]
    fn keys_stand_in_the_order_of_the_lists() {
        let mut out = Vec::new();
        write_classify_json(&sample_summary(), &mut out).unwrap();
        let text = String::from_utf8(out).unwrap();
        let place = |key: &str| text.find(key).unwrap_or_else(|| panic!("{key}"));
        assert!(place("\"firewall\": {") < place("\"dropped\": {"));
        assert!(text.ends_with("}\n") && !text.contains('\u{1b}'));
    }
}
