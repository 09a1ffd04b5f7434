//! What firewalls logged, and whether a flow is among it.

use std::net::IpAddr;

use ahash::AHashMap;

use super::EvidenceSource;

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
    pub(super) source: IpAddr,
    pub(super) destination: IpAddr,
    pub(super) ports: Option<(u16, u16)>,
    pub(super) protocol: u8,
    /// Its beginning was recorded. Rules log the first packet alone, so that of an older
    /// connection no line can be expected.
    pub(super) shows_begin: bool,
}

/// The lines of all logs, by what they match.
///
/// A firewall's rules log the first packet of a connection, so a line stands for one flow's
/// beginning and is used up by it.
///
/// Source: Microsoft, "Azure Firewall monitoring data reference" (read 2026-11-20).
#[derive(Debug)]
pub(super) struct Evidence {
    exact: AHashMap<ExactKey, Vec<Line>>,
    by_source: AHashMap<SourceKey, Vec<Line>>,
    by_addresses: AHashMap<(IpAddr, IpAddr), Vec<Line>>,
    sources: Vec<EvidenceSource>,
    tolerance_ns: i64,
}

type ExactKey = (IpAddr, u16, IpAddr, u16);
type SourceKey = (IpAddr, u16, u16);

#[derive(Clone, Copy, Debug)]
struct Line {
    time_ns: i64,
    protocol: Option<u8>,
    is_used: bool,
}

impl Evidence {
    pub(super) fn new(
        records: impl IntoIterator<Item = EvidenceRecord>,
        sources: Vec<EvidenceSource>,
        tolerance_ns: i64,
    ) -> Self {
        let mut evidence = Self {
            exact: AHashMap::new(),
            by_source: AHashMap::new(),
            by_addresses: AHashMap::new(),
            sources,
            tolerance_ns,
        };
        for record in records {
            evidence.add(&record);
        }
        let lists = evidence.exact.values_mut().chain(evidence.by_source.values_mut());
        for lines in lists.chain(evidence.by_addresses.values_mut()) {
            lines.sort_unstable_by_key(|line| line.time_ns);
        }
        evidence
    }

    fn add(&mut self, record: &EvidenceRecord) {
        let line = Line { time_ns: record.time_ns, protocol: record.protocol, is_used: false };
        let translated_port = record.translated.and_then(|(_, port)| port);
        let destination = record.translated.map(|(address, _)| address).or(record.destination);
        let destination_port = translated_port.or(record.destination_port);
        match (record.source_port, destination, destination_port) {
            (Some(source_port), Some(destination), Some(port)) => {
                let key = (record.source, source_port, destination, port);
                self.exact.entry(key).or_default().push(line);
            }
            (Some(source_port), None, Some(port)) => {
                let key = (record.source, source_port, port);
                self.by_source.entry(key).or_default().push(line);
            }
            (_, Some(destination), _) => {
                self.by_addresses.entry((record.source, destination)).or_default().push(line);
            }
            _ => {}
        }
    }

    /// Looks for the line of a flow's beginning, nearest in time first, and uses it up. Flows are
    /// to come in the order of their times.
    pub(super) fn look_for(&mut self, flow: &FlowIdentity) -> Shown {
        if let Some((source_port, destination_port)) = flow.ports {
            let key = (flow.source, source_port, flow.destination, destination_port);
            if take_nearest(self.exact.get_mut(&key), flow, self.tolerance_ns) {
                return Shown::Seen { is_weak: false };
            }
            let key = (flow.source, source_port, destination_port);
            if take_nearest(self.by_source.get_mut(&key), flow, self.tolerance_ns) {
                return Shown::Seen { is_weak: false };
            }
        }
        let key = (flow.source, flow.destination);
        if take_nearest(self.by_addresses.get_mut(&key), flow, self.tolerance_ns) {
            return Shown::Seen { is_weak: true };
        }
        if flow.shows_begin && self.covers(flow.start_time_ns) {
            Shown::NotSeen
        } else {
            Shown::NotCovered
        }
    }

    /// A flow is expected in the logs where every category that could have logged it covers its
    /// time: network and application rules.
    fn covers(&self, time_ns: i64) -> bool {
        let covers = |wanted: &[&str]| {
            self.sources.iter().any(|source| {
                (source.from_ns..=source.to_ns).contains(&time_ns)
                    && source.categories.iter().any(|category| {
                        wanted.iter().any(|word| category.eq_ignore_ascii_case(word))
                    })
            })
        };
        covers(&["*", "AZFWNetworkRule", "AzureFirewallNetworkRule"])
            && covers(&["*", "AZFWApplicationRule", "AzureFirewallApplicationRule"])
    }
}

fn take_nearest(lines: Option<&mut Vec<Line>>, flow: &FlowIdentity, tolerance_ns: i64) -> bool {
    let distance = |line: &Line| line.time_ns.abs_diff(flow.start_time_ns);
    let nearest = lines.and_then(|lines| {
        let first = flow.start_time_ns.saturating_sub(tolerance_ns);
        let start = lines.partition_point(|line| line.time_ns < first);
        lines[start..]
            .iter_mut()
            .take_while(|line| line.time_ns <= flow.start_time_ns.saturating_add(tolerance_ns))
            .filter(|line| !line.is_used)
            .filter(|line| line.protocol.is_none_or(|protocol| protocol == flow.protocol))
            .min_by_key(|line| distance(line))
    });
    nearest.is_some_and(|line| {
        line.is_used = true;
        true
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::net::protocol::TCP;

    const SECOND: i64 = 1_000_000_000;

    fn flow(start: i64, source_port: u16) -> FlowIdentity {
        FlowIdentity {
            start_time_ns: start * SECOND,
            source: "192.168.0.4".parse().unwrap(),
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

    #[test]
    fn a_line_shows_one_flow_within_the_tolerance() {
        let mut evidence =
            Evidence::new([line(100, Some(5000))], vec![source(&["*"], 0, 1000)], 5 * SECOND);
        assert_eq!(evidence.look_for(&flow(100, 5001)), Shown::NotSeen);
        assert_eq!(evidence.look_for(&flow(94, 5000)), Shown::NotSeen);
        assert_eq!(evidence.look_for(&flow(95, 5000)), Shown::Seen { is_weak: false });
        assert_eq!(evidence.look_for(&flow(100, 5000)), Shown::NotSeen);
    }

    #[test]
    fn lines_without_ports_match_one_to_one_and_are_weak() {
        let mut evidence = Evidence::new(
            [line(10, None), line(11, None)],
            vec![source(&["*"], 0, 1000)],
            5 * SECOND,
        );
        assert_eq!(evidence.look_for(&flow(10, 1)), Shown::Seen { is_weak: true });
        assert_eq!(evidence.look_for(&flow(11, 2)), Shown::Seen { is_weak: true });
        assert_eq!(evidence.look_for(&flow(12, 3)), Shown::NotSeen);
    }

    #[test]
    fn a_flow_is_missing_only_where_every_category_covers_its_recorded_beginning() {
        let shown = |categories: &[&str], time: i64, shows_begin: bool| {
            let mut evidence = Evidence::new([], vec![source(categories, 10, 20)], 0);
            evidence.look_for(&FlowIdentity { shows_begin, ..flow(time, 1) })
        };
        let both = ["AZFWNetworkRule", "AZFWApplicationRule"];
        assert_eq!(shown(&both, 10, true), Shown::NotSeen);
        assert_eq!(shown(&both, 20, true), Shown::NotSeen);
        assert_eq!(shown(&both, 21, true), Shown::NotCovered);
        assert_eq!(shown(&both, 9, true), Shown::NotCovered);
        assert_eq!(shown(&both, 15, false), Shown::NotCovered);
        assert_eq!(shown(&["AZFWNetworkRule"], 15, true), Shown::NotCovered);
        assert_eq!(shown(&["*"], 15, true), Shown::NotSeen);
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
        let mut evidence = Evidence::new([application, nat], Vec::new(), SECOND);
        assert_eq!(evidence.look_for(&flow(10, 5000)), Shown::Seen { is_weak: false });
        assert_eq!(evidence.look_for(&flow(10, 6000)), Shown::Seen { is_weak: false });
        assert_eq!(evidence.look_for(&flow(10, 7000)), Shown::NotCovered);
    }
}
