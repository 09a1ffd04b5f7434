//! What firewalls logged, and whether a flow is among it.

use std::net::IpAddr;

use super::EvidenceSource;
use super::evidence_lines::{EvidenceLines, Sightings};
use super::firewall_evidence::EvidenceSlot;
use super::firewall_names::FirewallNames;
use super::flows::ObservedFlow;
use crate::net::protocol::{TCP, UDP};
use crate::spill::{PartitionBytes, ShortRecord};

/// One line of a firewall's log, as far as it can show a flow.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct EvidenceRecord {
    /// What stands for the source that it is from.
    pub slot: EvidenceSlot,
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

/// A line that shows a flow.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct ShownAt {
    pub(super) firewall: LogFirewall,
    /// The source that it is from, by its place among all.
    pub(super) source_number: u32,
    /// It names addresses alone.
    pub(super) is_weak: bool,
    /// An application rule logged it, which stands between both ends with an address of its own.
    pub(super) is_application: bool,
}

/// The firewall that a log is of.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(super) enum LogFirewall {
    /// One of the snapshot, by its place among their names.
    Known(u16),
    /// One that the snapshot does not hold.
    Elsewhere,
    /// The log does not tell, and there is one firewall at most that it can be of.
    OnlyOne,
    /// The log does not tell, and there are several.
    NotTold,
}

/// A flow's identity as the logs know it.
#[derive(Clone, Copy, Debug)]
pub(super) struct FlowIdentity {
    pub(super) start_time_ns: i64,
    pub(super) destination: IpAddr,
    pub(super) ports: Option<(u16, u16)>,
    pub(super) protocol: u8,
    /// Input and record: of flows that begin at once this one comes first.
    pub(super) place: (u32, u64),
    /// Its beginning was recorded. Rules log the first packet alone, so that of an older
    /// connection no line can be expected.
    pub(super) shows_begin: bool,
}

/// What the logs tell besides their lines, which wait by sender and are looked through for one
/// partition of senders at a time.
///
/// A firewall's rules log the first packet of a connection, so a line stands for one flow's
/// beginning and is used up by it.
///
/// Source: Microsoft, "Azure Firewall monitoring data reference" (read 2026-11-20).
#[derive(Debug)]
pub(super) struct Evidence {
    /// The source of each slot, by its place, and its firewall; `None` for what is no evidence.
    slots: Vec<Option<(u32, LogFirewall)>>,
    windows: Windows,
    tolerance_ns: i64,
}

/// When logs of each firewall tell of each kind of rule: spans that do not touch, in order.
#[derive(Debug, Default)]
struct Windows {
    /// By the firewall's place among the snapshot's names.
    of_known: Vec<WindowsOfFirewall>,
    of_only_one: WindowsOfFirewall,
}

/// By place among [`EvidenceKind::ALL`].
type WindowsOfFirewall = [Vec<(i64, i64)>; EvidenceKind::ALL.len()];

/// What must cover a flow's time before the flow is missed there: logs of the rules that may have let
/// it pass, or a record of everything that came by.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
enum EvidenceKind {
    Network,
    Application,
    Nat,
    Capture,
    FlowLog,
}

impl FlowIdentity {
    pub(super) fn of(flow: &ObservedFlow) -> Self {
        Self {
            start_time_ns: flow.start_time_ns,
            destination: flow.destination,
            ports: flow.ports,
            protocol: flow.protocol,
            place: (flow.file, flow.record),
            shows_begin: flow.shows_begin,
        }
    }
}

impl Evidence {
    /// Takes all logs, the places of them that slots stand for, and the firewalls of the snapshot.
    pub(super) fn new(
        sources: &[EvidenceSource],
        slots: &[Option<u32>],
        firewall_names: &FirewallNames,
        tolerance_ns: i64,
    ) -> Self {
        let firewalls: Vec<LogFirewall> = sources
            .iter()
            .map(|source| firewall_names.of_log(source.firewall.as_deref()))
            .collect();
        let windows = Windows::of(sources, &firewalls);
        let slots = slots.iter().map(|slot| slot.map(|place| (place, firewalls[place as usize])));
        Self { slots: slots.collect(), windows, tolerance_ns }
    }

    /// Reads the lines of a partition of senders.
    pub(super) fn read_lines(&self, bytes: PartitionBytes) -> EvidenceLines {
        EvidenceLines::read(bytes, &self.slots)
    }

    /// Looks for the flows of one sender among its lines.
    ///
    /// Cost: that of [`EvidenceLines::look_for`].
    pub(super) fn look_for(
        &self,
        lines: &EvidenceLines,
        source: IpAddr,
        flows: impl Iterator<Item = FlowIdentity> + Clone,
    ) -> Sightings {
        lines.look_for(source, flows, self.tolerance_ns)
    }

    /// Returns true where a flow is expected in the logs of a firewall: every category that could
    /// have logged it covers its beginning.
    ///
    /// Those are network rules; for TCP from within also application rules, which know no other
    /// protocol; and for what the Internet initiates NAT rules.
    pub(super) fn covers(
        &self,
        flow: &FlowIdentity,
        firewall: u16,
        is_from_internet: bool,
    ) -> bool {
        let covers = |kind| self.windows.hold(firewall, kind, flow.start_time_ns);
        // What was recorded at a firewall shows every connection, whichever rule let it pass; flow
        // logs know no other protocols than these.
        let by_traffic = covers(EvidenceKind::Capture)
            || matches!(flow.protocol, TCP | UDP) && covers(EvidenceKind::FlowLog);
        let by_rule = match (is_from_internet, flow.protocol) {
            (true, _) => covers(EvidenceKind::Nat),
            (false, TCP) => covers(EvidenceKind::Application),
            (false, _) => true,
        };
        flow.shows_begin && (by_traffic || by_rule && covers(EvidenceKind::Network))
    }
}

impl Windows {
    /// An hour's log is a source of its own, so that there may be thousands.
    fn of(sources: &[EvidenceSource], firewalls: &[LogFirewall]) -> Self {
        let mut windows = Self::default();
        for (source, &firewall) in sources.iter().zip(firewalls) {
            let of_firewall = match firewall {
                LogFirewall::OnlyOne => &mut windows.of_only_one,
                LogFirewall::Known(place) => {
                    let place = usize::from(place);
                    let length = windows.of_known.len().max(place + 1);
                    windows.of_known.resize_with(length, WindowsOfFirewall::default);
                    &mut windows.of_known[place]
                }
                // They cover nothing that is asked for.
                LogFirewall::Elsewhere | LogFirewall::NotTold => continue,
            };
            for (spans, kind) in of_firewall.iter_mut().zip(EvidenceKind::ALL) {
                let covers = source.categories.iter().any(|category| kind.is_logged_as(category));
                if covers && source.from_ns <= source.to_ns {
                    spans.push((source.from_ns, source.to_ns));
                }
            }
        }
        let of_all = windows.of_known.iter_mut().chain([&mut windows.of_only_one]);
        for spans in of_all.flatten() {
            spans.sort_unstable();
            spans.dedup_by(|later, earlier| {
                let touches = later.0 <= earlier.1;
                if touches {
                    earlier.1 = earlier.1.max(later.1);
                }
                touches
            });
        }
        windows
    }

    /// Returns true where the logs of a firewall hold a time, or those of the only one.
    fn hold(&self, firewall: u16, kind: EvidenceKind, time_ns: i64) -> bool {
        let of_known = self.of_known.get(usize::from(firewall));
        let holds = |of_firewall: &WindowsOfFirewall| {
            let spans = &of_firewall[kind as usize];
            let after = spans.partition_point(|span| span.0 <= time_ns);
            after > 0 && time_ns <= spans[after - 1].1
        };
        of_known.is_some_and(holds) || holds(&self.of_only_one)
    }
}

impl EvidenceKind {
    const ALL: [Self; 5] =
        [Self::Network, Self::Application, Self::Nat, Self::Capture, Self::FlowLog];

    fn is_logged_as(self, category: &str) -> bool {
        let names: &[&str] = match self {
            Self::Network => &["*", "AZFWNetworkRule", "AzureFirewallNetworkRule"],
            Self::Application => &["*", "AZFWApplicationRule", "AzureFirewallApplicationRule"],
            Self::Nat => &["*", "AZFWNatRule"],
            Self::Capture => &["capture"],
            Self::FlowLog => &["flow_log"],
        };
        names.iter().any(|name| category.eq_ignore_ascii_case(name))
    }
}

impl EvidenceRecord {
    /// Writes what can show a flow; a line without enough of it writes nothing.
    ///
    /// A line shows the flow that leaves the firewall's rules: where a NAT rule sent it.
    pub(super) fn write(&self, bytes: &mut Vec<u8>) {
        let translated_port = self.translated.and_then(|(_, port)| port);
        let destination = self.translated.map(|(address, _)| address).or(self.destination);
        let destination_port = translated_port.or(self.destination_port);
        let (destination, ports) = match (self.source_port, destination, destination_port) {
            (Some(source_port), destination, Some(port)) => {
                (destination, Some((source_port, port)))
            }
            (_, Some(destination), _) => (Some(destination), None),
            _ => return,
        };
        let mut marks: u8 = 0;
        for (bit, is_set) in [
            self.source.is_ipv6(),
            destination.is_some(),
            destination.is_some_and(|address| address.is_ipv6()),
            ports.is_some(),
            self.protocol.is_some(),
            self.category == EvidenceCategory::Application,
        ]
        .into_iter()
        .enumerate()
        {
            marks |= u8::from(is_set) << bit;
        }
        let mut record = ShortRecord::new();
        record.put([marks]);
        record.put_address(self.source);
        record.put_time(self.time_ns);
        record.put_number(u64::from(self.slot.0));
        if let Some(destination) = destination {
            record.put_address(destination);
        }
        if let Some((source_port, port)) = ports {
            record.put(source_port.to_le_bytes());
            record.put(port.to_le_bytes());
        }
        if let Some(protocol) = self.protocol {
            record.put([protocol]);
        }
        bytes.extend_from_slice(record.as_slice());
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECOND: i64 = 1_000_000_000;

    /// How a flow shows, in a word.
    #[derive(Clone, Copy, Debug, PartialEq, Eq)]
    enum Word {
        Seen,
        Weak,
        NotSeen,
        NotCovered,
    }
    use Word::{NotCovered, NotSeen, Seen, Weak};

    fn flow(start: i64, source_port: u16) -> FlowIdentity {
        FlowIdentity {
            start_time_ns: start * SECOND,
            destination: "10.13.77.6".parse().unwrap(),
            ports: Some((source_port, 1433)),
            protocol: TCP,
            place: (0, u64::from(source_port)),
            shows_begin: true,
        }
    }

    fn line(time: i64, source_port: Option<u16>) -> EvidenceRecord {
        EvidenceRecord {
            slot: EvidenceSlot(0),
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

    /// Every source has the slot of its place.
    fn evidence_of(
        sources: &[EvidenceSource],
        names: &FirewallNames,
        tolerance_ns: i64,
    ) -> Evidence {
        let slots: Vec<Option<u32>> = (0..).take(sources.len()).map(Some).collect();
        Evidence::new(sources, &slots, names, tolerance_ns)
    }

    fn shown(lines: &[EvidenceRecord], flows: &[FlowIdentity]) -> Vec<Word> {
        words(lines, vec![source(&["*"], 0, 1000)], flows, 5 * SECOND)
    }

    fn look_for(
        evidence: &Evidence,
        lines: &[EvidenceRecord],
        flows: &[FlowIdentity],
    ) -> Vec<Vec<ShownAt>> {
        let mut bytes = Vec::new();
        lines.iter().for_each(|line| line.write(&mut bytes));
        let lines = evidence.read_lines(PartitionBytes::of(bytes));
        let source = "192.168.0.4".parse().unwrap();
        let sightings = evidence.look_for(&lines, source, flows.iter().copied());
        let (mut in_order, mut shown) = (sightings.in_order(), Vec::new());
        shown.extend((0..).take(flows.len()).map(|flow| in_order.of(flow).to_vec()));
        shown
    }

    fn words(
        lines: &[EvidenceRecord],
        sources: Vec<EvidenceSource>,
        flows: &[FlowIdentity],
        tolerance_ns: i64,
    ) -> Vec<Word> {
        let names = FirewallNames::new(["azfw"], []);
        let evidence = evidence_of(&sources, &names, tolerance_ns);
        let shown = look_for(&evidence, lines, flows);
        let word = |(shown, flow): (Vec<ShownAt>, &FlowIdentity)| match shown.first() {
            Some(at) if at.is_weak => Weak,
            Some(_) => Seen,
            None if evidence.covers(flow, 0, false) => NotSeen,
            None => NotCovered,
        };
        shown.into_iter().zip(flows).map(word).collect()
    }

    #[test]
    fn a_line_shows_one_flow_within_the_tolerance() {
        let lines = [line(100, Some(5000))];
        assert_eq!(shown(&lines, &[flow(100, 5001)]), [NotSeen]);
        assert_eq!(shown(&lines, &[flow(94, 5000)]), [NotSeen]);
        assert_eq!(shown(&lines, &[flow(95, 5000)]), [Seen]);
        assert_eq!(shown(&lines, &[flow(105, 5000)]), [Seen]);
        assert_eq!(shown(&lines, &[flow(106, 5000)]), [NotSeen]);
        assert_eq!(shown(&lines, &[flow(97, 5000), flow(101, 5000)]), [NotSeen, Seen]);
        let udp = FlowIdentity { protocol: UDP, ..flow(100, 5000) };
        assert_eq!(shown(&lines, &[udp]), [NotSeen]);
        let any_protocol = EvidenceRecord { protocol: None, ..lines[0] };
        assert_eq!(shown(&[any_protocol], &[udp]), [Seen]);
    }

    #[test]
    fn lines_without_ports_match_one_to_one_nearest_first_and_are_weak() {
        let flows = [flow(10, 1), flow(11, 2), flow(12, 3)];
        let lines = [line(10, None), line(11, None), line(12, None)];
        assert_eq!(shown(&lines, &flows), [Weak, Weak, Weak]);
        for missing in 0..3 {
            let mut rest = lines.to_vec();
            rest.remove(missing);
            let mut want = [Weak; 3];
            want[missing] = NotSeen;
            assert_eq!(shown(&rest, &flows), want, "without line {missing}");
        }
    }

    #[test]
    fn a_flow_is_missing_only_where_every_category_covers_its_recorded_beginning() {
        let shown = |categories: &[&str], flow: FlowIdentity| {
            words(&[], vec![source(categories, 10, 20)], &[flow], 0)[0]
        };
        let both = ["AZFWNetworkRule", "AZFWApplicationRule"];
        assert_eq!(shown(&both, flow(10, 1)), NotSeen);
        assert_eq!(shown(&both, flow(20, 1)), NotSeen);
        assert_eq!(shown(&both, flow(21, 1)), NotCovered);
        assert_eq!(shown(&both, flow(9, 1)), NotCovered);
        let older = FlowIdentity { shows_begin: false, ..flow(15, 1) };
        assert_eq!(shown(&both, older), NotCovered);
        assert_eq!(shown(&["AZFWNetworkRule"], flow(15, 1)), NotCovered);
        let udp = FlowIdentity { protocol: UDP, ..flow(15, 1) };
        assert_eq!(shown(&["AZFWNetworkRule"], udp), NotSeen);
        assert_eq!(shown(&["*"], flow(15, 1)), NotSeen);
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
        assert_eq!(shown(&[application, nat], &flows), [Seen, Seen, NotSeen]);
    }

    #[test]
    fn a_log_is_evidence_for_its_own_firewall() {
        let at_hub =
            EvidenceSource { firewall: Some("AZFW-HUB".into()), ..source(&["*"], 0, 1000) };
        let at_edge = EvidenceSource { firewall: Some("edge".into()), ..at_hub.clone() };
        let elsewhere = EvidenceSource { firewall: Some("old".into()), ..at_hub.clone() };
        let unnamed = EvidenceSource { firewall: None, ..at_hub.clone() };
        let names = FirewallNames::new(["azfw-hub", "edge"], []);
        let covers = |sources: &[&EvidenceSource], firewall| {
            let sources: Vec<_> = sources.iter().map(|&source| source.clone()).collect();
            evidence_of(&sources, &names, 0).covers(&flow(10, 1), firewall, false)
        };
        assert!(covers(&[&at_hub], 0) && !covers(&[&at_hub], 1));
        assert!(covers(&[&at_hub, &at_edge], 1));
        assert!(!covers(&[&elsewhere], 0) && !covers(&[&unnamed], 0));
        let only = FirewallNames::new(["azfw-hub"], []);
        assert!(evidence_of(&[unnamed], &only, 0).covers(&flow(10, 1), 0, false));
        // Each firewall's own lines are matched with the flow.
        let lines = [
            line(100, Some(5000)),
            EvidenceRecord { slot: EvidenceSlot(1), ..line(101, Some(5000)) },
        ];
        let evidence = evidence_of(&[at_hub, at_edge], &names, 5 * SECOND);
        let shown = look_for(&evidence, &lines, &[flow(100, 5000)]);
        let at: Vec<LogFirewall> = shown[0].iter().map(|at| at.firewall).collect();
        assert_eq!(at, [LogFirewall::Known(0), LogFirewall::Known(1)]);
    }

    #[test]
    fn what_the_internet_initiates_is_missing_only_where_nat_rules_are_logged() {
        let names = FirewallNames::new(["azfw"], []);
        let covers = |categories: &[&str]| {
            let sources = vec![source(categories, 0, 1000)];
            evidence_of(&sources, &names, 0).covers(&flow(10, 1), 0, true)
        };
        assert!(!covers(&["AZFWNetworkRule", "AZFWApplicationRule"]));
        assert!(covers(&["AZFWNetworkRule", "AZFWNatRule"]));
        assert!(covers(&["*"]));
    }
}
