//! Sums by class and by next hop, printed with the keys of `nexthop classify --format json`.

use std::collections::{BTreeMap, HashMap};
use std::net::IpAddr;

use nexthop::routing::NextHopClass;
use serde_json::{Value, json};

use super::router::{Outcome, Router};

#[derive(Default)]
pub struct Totals {
    classified: u64,
    unknown: u64,
    pub not_ip: u64,
    pub damaged: u64,
    sums: HashMap<Outcome, Sums>,
}

#[derive(Clone, Copy, Default)]
struct Sums {
    flows: u64,
    packets: u64,
    bytes: u64,
}

impl Totals {
    /// Counts a row that stands for so many records.
    pub fn add(&mut self, outcome: Outcome, records: u64, packets: u64, bytes: u64) {
        match outcome {
            Outcome::NoRouteTable => self.unknown += records,
            _ => self.classified += records,
        }
        self.sums.entry(outcome).or_default().add(Sums { flows: 1, packets, bytes });
    }

    pub fn to_json(&self, router: &Router) -> Value {
        let mut by_class: BTreeMap<&str, Sums> = BTreeMap::new();
        let mut by_hop: BTreeMap<Hop, Sums> = BTreeMap::new();
        for (outcome, sums) in &self.sums {
            let hop = Hop::of(*outcome, router);
            by_class.entry(hop.class.as_str()).or_default().add(*sums);
            by_hop.entry(hop).or_default().add(*sums);
        }
        let mut by_hop: Vec<(Hop, Sums)> = by_hop.into_iter().collect();
        by_hop.sort_by_key(|(_, sums)| std::cmp::Reverse((sums.bytes, sums.flows)));
        let count = |count: u64, key: &str| match count {
            0 => json!({}),
            count => json!({ key: count }),
        };
        json!({
            "records_read": self.classified + self.unknown + self.not_ip + self.damaged,
            "classified": self.classified,
            "unknown": count(self.unknown, "no_route_table"),
            "not_applicable": count(self.not_ip, "not_ip"),
            "damaged": count(self.damaged, "malformed"),
            "by_class": by_class
                .into_iter()
                .map(|(class, sums)| (class.to_owned(), sums.to_json()))
                .collect::<serde_json::Map<_, _>>(),
            "by_next_hop": by_hop
                .into_iter()
                .map(|(hop, sums)| json!({
                    "next_hop_type": hop.next_hop_type,
                    "next_hop_ips": hop.ips,
                    "next_hop_name": hop.name,
                    "class": hop.class.as_str(),
                    "flows": sums.flows, "packets": sums.packets, "bytes": sums.bytes,
                }))
                .collect::<Vec<_>>(),
        })
    }
}

impl Sums {
    fn add(&mut self, other: Self) {
        self.flows += other.flows;
        self.packets += other.packets;
        self.bytes += other.bytes;
    }

    fn to_json(self) -> Value {
        json!({ "flows": self.flows, "packets": self.packets, "bytes": self.bytes })
    }
}

#[derive(PartialEq, Eq, PartialOrd, Ord)]
struct Hop {
    next_hop_type: Option<String>,
    ips: Vec<IpAddr>,
    name: Option<String>,
    class: NextHopClass,
}

impl Hop {
    fn of(outcome: Outcome, router: &Router) -> Self {
        let class = match outcome {
            Outcome::Hop(index) => {
                let hop = &router.hops[index];
                return Self {
                    next_hop_type: Some(hop.next_hop_type.as_str().to_owned()),
                    ips: hop.ips.to_vec(),
                    name: hop.name.clone(),
                    class: hop.class,
                };
            }
            Outcome::NoRoute => NextHopClass::NoRoute,
            Outcome::NoRouteTable => NextHopClass::Unknown,
            Outcome::Platform => NextHopClass::Platform,
        };
        Self { next_hop_type: None, ips: Vec::new(), name: None, class }
    }
}
