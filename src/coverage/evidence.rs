//! What firewalls logged, and whether a flow is among it.

use std::net::IpAddr;

use ahash::AHashMap;

use super::EvidenceSource;
use super::flows::ObservedFlow;
use super::nearest::{Reach, match_nearest};
use crate::net::protocol::TCP;

/// One line of a firewall's log, as far as it can show a flow.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct EvidenceRecord {
    /// When, nanoseconds since 1970.
    pub time_ns: i64,
    /// What kind of rule logged it.
    pub category: EvidenceCategory,
    /// IANA protocol number, where the log tells it.
    pub protocol: Option<u8>,
    /// Sender.
    pub source: IpAddr,
    /// Its port; logs of queries may lack it.
    pub source_port: Option<u16>,
    /// Receiver; application rules name a host instead.
    pub destination: Option<IpAddr>,
    /// Its port.
    pub destination_port: Option<u16>,
    /// Where a NAT rule sent it.
    pub translated: Option<(IpAddr, Option<u16>)>,
}

/// What kind of rule logged a line.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum EvidenceCategory {
    /// A network rule: the whole 5-tuple.
    Network,
    /// An application rule: source and destination port, and a host name.
    Application,
    /// A NAT rule.
    Nat,
    /// Anything else that names both ends.
    Other,
}

/// How a flow shows in the logs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Shown {
    /// A line matches it; weak without ports.
    Seen { is_weak: bool },
    /// The logs cover its beginning and do not show it.
    NotSeen,
    /// No log covers it.
    NotCovered,
}

/// A flow's identity as the logs know it.
#[derive(Clone, Copy, Debug)]
pub(super) struct FlowIdentity {
    pub(super) start_time_ns: i64,
    pub(super) destination: IpAddr,
    pub(super) ports: Option<(u16, u16)>,
    pub(super) protocol: u8,
    /// Its beginning was recorded. Rules log the first packet alone, so that of an older
    /// connection no line can be expected.
    pub(super) shows_begin: bool,
}

/// The lines of all logs.
///
/// A firewall's rules log the first packet of a connection, so a line stands for one flow's
/// beginning and is used up by it.
///
/// Source: Microsoft, "Azure Firewall monitoring data reference" (read 2026-11-20).
#[derive(Debug)]
pub(super) struct Evidence {
    /// By sender, then time.
    lines: Vec<Line>,
    sources: Vec<EvidenceSource>,
    tolerance_ns: i64,
}

/// What a flow and a line have in common: destination, source port, destination port, protocol.
/// What is `None` is not compared; lines that lack the same are of one kind.
type Key = (Option<IpAddr>, Option<u16>, Option<u16>, Option<u8>);

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Line {
    source: IpAddr,
    time_ns: i64,
    key: Key,
}

/// The kinds of lines, in the order in which flows are matched with them: whole 5-tuples,
/// application rules, addresses alone; and in each with a protocol before without one.
const KINDS: [fn(&FlowIdentity) -> Option<Key>; 6] = [
    |flow| Some((Some(flow.destination), Some(flow.ports?.0), Some(flow.ports?.1), flow.some())),
    |flow| Some((Some(flow.destination), Some(flow.ports?.0), Some(flow.ports?.1), None)),
    |flow| Some((None, Some(flow.ports?.0), Some(flow.ports?.1), flow.some())),
    |flow| Some((None, Some(flow.ports?.0), Some(flow.ports?.1), None)),
    |flow| Some((Some(flow.destination), None, None, flow.some())),
    |flow| Some((Some(flow.destination), None, None, None)),
];

/// The first kind whose lines name addresses alone.
const WEAK_KIND: usize = 4;

impl FlowIdentity {
    pub(super) fn of(flow: &ObservedFlow) -> Self {
        Self {
            start_time_ns: flow.start_time_ns,
            destination: flow.destination,
            ports: flow.ports,
            protocol: flow.protocol,
            shows_begin: flow.shows_begin,
        }
    }

    fn some(&self) -> Option<u8> {
        Some(self.protocol)
    }
}

impl Evidence {
    pub(super) fn new(
        records: impl IntoIterator<Item = EvidenceRecord>,
        sources: Vec<EvidenceSource>,
        tolerance_ns: i64,
    ) -> Self {
        let mut lines: Vec<Line> = records.into_iter().filter_map(|one| Line::of(&one)).collect();
        lines.sort_unstable();
        Self { lines, sources, tolerance_ns }
    }

    /// Tells how each flow of one sender shows, in the order of `flows`, which stand by their
    /// times. Lines and flows are matched one to one, the nearest in time first.
    ///
    /// Cost: O(n log n) for n flows and lines of the sender.
    pub(super) fn look_for(&self, source: IpAddr, flows: &[FlowIdentity]) -> Vec<Shown> {
        let mut shown: Vec<Shown> = flows.iter().map(|flow| self.not_seen(flow)).collect();
        let lines = self.lines_of(source, flows);
        if lines.is_empty() {
            return shown;
        }
        let mut by_key: AHashMap<Key, Vec<i64>> = AHashMap::new();
        for line in lines {
            by_key.entry(line.key).or_default().push(line.time_ns);
        }
        let mut is_matched = vec![false; flows.len()];
        let mut wanting: AHashMap<Key, Vec<usize>> = AHashMap::new();
        for (kind, key_of) in KINDS.iter().enumerate() {
            wanting.clear();
            for (index, flow) in flows.iter().enumerate().filter(|(index, _)| !is_matched[*index]) {
                if let Some(key) = key_of(flow).filter(|key| by_key.contains_key(key)) {
                    wanting.entry(key).or_default().push(index);
                }
            }
            for (key, indices) in &wanting {
                let begins: Vec<i64> =
                    indices.iter().map(|&index| flows[index].start_time_ns).collect();
                let reach = Reach { before_ns: self.tolerance_ns, after_ns: self.tolerance_ns };
                for (position, _) in match_nearest(&begins, &by_key[key], reach) {
                    is_matched[indices[position]] = true;
                    shown[indices[position]] = Shown::Seen { is_weak: kind >= WEAK_KIND };
                }
            }
        }
        shown
    }

    /// The lines of a sender that may be near one of its flows.
    fn lines_of(&self, source: IpAddr, flows: &[FlowIdentity]) -> &[Line] {
        let (Some(first), Some(last)) = (flows.first(), flows.last()) else { return &[] };
        let from = first.start_time_ns.saturating_sub(self.tolerance_ns);
        let to = last.start_time_ns.saturating_add(self.tolerance_ns);
        let start = self.lines.partition_point(|line| (line.source, line.time_ns) < (source, from));
        let count =
            self.lines[start..].partition_point(|line| (line.source, line.time_ns) <= (source, to));
        &self.lines[start..start + count]
    }

    fn not_seen(&self, flow: &FlowIdentity) -> Shown {
        match flow.shows_begin && self.covers(flow) {
            true => Shown::NotSeen,
            false => Shown::NotCovered,
        }
    }

    /// A flow is expected in the logs where every category that could have logged it covers its
    /// time: network rules, and for TCP application rules, which know no other protocol.
    fn covers(&self, flow: &FlowIdentity) -> bool {
        let covers = |wanted: &[&str]| {
            self.sources.iter().any(|source| {
                (source.from_ns..=source.to_ns).contains(&flow.start_time_ns)
                    && source.categories.iter().any(|category| {
                        wanted.iter().any(|word| category.eq_ignore_ascii_case(word))
                    })
            })
        };
        covers(&["*", "AZFWNetworkRule", "AzureFirewallNetworkRule"])
            && (flow.protocol != TCP
                || covers(&["*", "AZFWApplicationRule", "AzureFirewallApplicationRule"]))
    }
}

impl Line {
    /// A line shows the flow that leaves the firewall's rules: where a NAT rule sent it.
    fn of(record: &EvidenceRecord) -> Option<Self> {
        let translated_port = record.translated.and_then(|(_, port)| port);
        let destination = record.translated.map(|(address, _)| address).or(record.destination);
        let destination_port = translated_port.or(record.destination_port);
        let key = match (record.source_port, destination, destination_port) {
            (Some(source_port), Some(destination), Some(port)) => {
                (Some(destination), Some(source_port), Some(port), record.protocol)
            }
            (Some(source_port), None, Some(port)) => {
                (None, Some(source_port), Some(port), record.protocol)
            }
            (_, Some(destination), _) => (Some(destination), None, None, record.protocol),
            _ => return None,
        };
        Some(Self { source: record.source, time_ns: record.time_ns, key })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::net::protocol::UDP;

    const SECOND: i64 = 1_000_000_000;
    const SEEN: Shown = Shown::Seen { is_weak: false };
    const WEAK: Shown = Shown::Seen { is_weak: true };

    fn flow(start: i64, source_port: u16) -> FlowIdentity {
        FlowIdentity {
            start_time_ns: start * SECOND,
            destination: "10.13.77.6".parse().unwrap(),
            ports: Some((source_port, 1433)),
            protocol: TCP,
            shows_begin: true,
        }
    }

    fn line(time: i64, source_port: Option<u16>) -> EvidenceRecord {
        EvidenceRecord {
            time_ns: time * SECOND,
            category: EvidenceCategory::Network,
            protocol: Some(TCP),
            source: "192.168.0.4".parse().unwrap(),
            source_port,
            destination: Some("10.13.77.6".parse().unwrap()),
            destination_port: source_port.map(|_| 1433),
            translated: None,
        }
    }

    fn source(categories: &[&str], from: i64, to: i64) -> EvidenceSource {
        EvidenceSource {
            path: "log".into(),
            firewall: None,
            categories: categories.iter().map(|word| (*word).to_owned()).collect(),
            from_ns: from * SECOND,
            to_ns: to * SECOND,
            records: 1,
        }
    }

    fn shown(lines: &[EvidenceRecord], flows: &[FlowIdentity]) -> Vec<Shown> {
        let sources = vec![source(&["*"], 0, 1000)];
        let evidence = Evidence::new(lines.iter().copied(), sources, 5 * SECOND);
        evidence.look_for("192.168.0.4".parse().unwrap(), flows)
    }

    #[test]
    fn a_line_shows_one_flow_within_the_tolerance() {
        let lines = [line(100, Some(5000))];
        assert_eq!(shown(&lines, &[flow(100, 5001)]), [Shown::NotSeen]);
        assert_eq!(shown(&lines, &[flow(94, 5000)]), [Shown::NotSeen]);
        assert_eq!(shown(&lines, &[flow(95, 5000)]), [SEEN]);
        assert_eq!(shown(&lines, &[flow(105, 5000)]), [SEEN]);
        assert_eq!(shown(&lines, &[flow(106, 5000)]), [Shown::NotSeen]);
        assert_eq!(shown(&lines, &[flow(97, 5000), flow(101, 5000)]), [Shown::NotSeen, SEEN]);
        let udp = FlowIdentity { protocol: UDP, ..flow(100, 5000) };
        assert_eq!(shown(&lines, &[udp]), [Shown::NotSeen]);
        let any_protocol = EvidenceRecord { protocol: None, ..lines[0] };
        assert_eq!(shown(&[any_protocol], &[udp]), [SEEN]);
    }

    #[test]
    fn lines_without_ports_match_one_to_one_nearest_first_and_are_weak() {
        let flows = [flow(10, 1), flow(11, 2), flow(12, 3)];
        let lines = [line(10, None), line(11, None), line(12, None)];
        assert_eq!(shown(&lines, &flows), [WEAK, WEAK, WEAK]);
        for missing in 0..3 {
            let mut rest = lines.to_vec();
            rest.remove(missing);
            let mut want = [WEAK; 3];
            want[missing] = Shown::NotSeen;
            assert_eq!(shown(&rest, &flows), want, "without line {missing}");
        }
    }

    #[test]
    fn a_flow_is_missing_only_where_every_category_covers_its_recorded_beginning() {
        let shown = |categories: &[&str], flow: FlowIdentity| {
            let evidence = Evidence::new([], vec![source(categories, 10, 20)], 0);
            evidence.look_for("192.168.0.4".parse().unwrap(), &[flow])[0]
        };
        let both = ["AZFWNetworkRule", "AZFWApplicationRule"];
        assert_eq!(shown(&both, flow(10, 1)), Shown::NotSeen);
        assert_eq!(shown(&both, flow(20, 1)), Shown::NotSeen);
        assert_eq!(shown(&both, flow(21, 1)), Shown::NotCovered);
        assert_eq!(shown(&both, flow(9, 1)), Shown::NotCovered);
        let older = FlowIdentity { shows_begin: false, ..flow(15, 1) };
        assert_eq!(shown(&both, older), Shown::NotCovered);
        assert_eq!(shown(&["AZFWNetworkRule"], flow(15, 1)), Shown::NotCovered);
        let udp = FlowIdentity { protocol: UDP, ..flow(15, 1) };
        assert_eq!(shown(&["AZFWNetworkRule"], udp), Shown::NotSeen);
        assert_eq!(shown(&["*"], flow(15, 1)), Shown::NotSeen);
    }

    #[test]
    fn application_rules_match_by_source_and_port_and_nat_by_translation() {
        let application = EvidenceRecord {
            category: EvidenceCategory::Application,
            destination: None,
            ..line(10, Some(5000))
        };
        let nat = EvidenceRecord {
            category: EvidenceCategory::Nat,
            destination: Some("203.0.113.9".parse().unwrap()),
            destination_port: Some(33),
            translated: Some(("10.13.77.6".parse().unwrap(), Some(1433))),
            ..line(10, Some(6000))
        };
        let flows = [flow(10, 5000), flow(10, 6000), flow(10, 7000)];
        assert_eq!(shown(&[application, nat], &flows), [SEEN, SEEN, Shown::NotSeen]);
    }
}
