//! From recorded rows to logical flows: both ends' records, and the legs before and after a
//! firewall, are one.

use std::net::IpAddr;

use crate::classify::{OutputRow, RowBuffer, RowSink};
use crate::routing::NextHopClass;
use crate::traffic::{FlowDirection, FlowStatus};

/// A recorded flow, as far as verdicts look at it.
#[derive(Clone, Debug)]
pub struct ObservedFlow {
    /// First time, nanoseconds since 1970.
    pub start_time_ns: i64,
    /// Last time.
    pub end_time_ns: i64,
    /// Initiator.
    pub source: IpAddr,
    /// Responder.
    pub destination: IpAddr,
    /// Source and destination port.
    pub ports: Option<(u16, u16)>,
    /// IANA protocol number.
    pub protocol: u8,
    /// Relative to the observer; `None` for captures.
    pub direction: Option<FlowDirection>,
    /// Denied before it went anywhere.
    pub is_denied: bool,
    /// Its beginning was recorded.
    pub shows_begin: bool,
    /// Recorded at a firewall's subnet.
    pub is_at_firewall: bool,
    /// To or from the platform.
    pub is_platform: bool,
    /// How many tuples it was merged from; 1 for a capture's flow.
    pub tuples: u64,
    /// Packets of both directions.
    pub packets: u64,
    /// Bytes of both directions.
    pub bytes: u64,
    /// The input, as shown.
    pub source_file: std::sync::Arc<str>,
    /// The first record's number in it, 1-based.
    pub source_record: u64,
}

/// Gathers the rows of a classification as observed flows.
#[derive(Debug, Default)]
pub struct FlowGatherer {
    flows: Vec<ObservedFlow>,
}

/// The rows of one thread on their way into a [`FlowGatherer`].
#[derive(Debug, Default)]
pub struct ObservedFlows {
    flows: Vec<ObservedFlow>,
    last_file: Option<std::sync::Arc<str>>,
}

impl FlowGatherer {
    /// Returns what was gathered.
    pub fn into_flows(self) -> Vec<ObservedFlow> {
        self.flows
    }
}

impl RowSink for FlowGatherer {
    type Buffer = ObservedFlows;

    fn buffer(&self) -> ObservedFlows {
        ObservedFlows::default()
    }

    fn append(&mut self, buffer: &mut ObservedFlows) -> std::io::Result<()> {
        self.flows.append(&mut buffer.flows);
        Ok(())
    }
}

impl RowBuffer for ObservedFlows {
    fn push(&mut self, row: &OutputRow<'_>) {
        let source_file = match &self.last_file {
            Some(file) if **file == *row.source_file => file.clone(),
            _ => self.last_file.insert(row.source_file.into()).clone(),
        };
        let both = |a: Option<u64>, b: Option<u64>| a.unwrap_or(0).saturating_add(b.unwrap_or(0));
        let counters = &row.counters;
        self.flows.push(ObservedFlow {
            start_time_ns: row.start_time_ns,
            end_time_ns: row.end_time_ns,
            source: row.source,
            destination: row.destination,
            ports: row.ports,
            protocol: row.protocol,
            direction: row.direction,
            is_denied: row.status == Some(FlowStatus::Denied),
            shows_begin: row.shows_begin,
            is_at_firewall: row.target_resource_id.is_some_and(is_firewall_subnet),
            is_platform: row.label.next_hop_class == NextHopClass::Platform,
            tuples: if row.direction.is_some() { row.record_count } else { 1 },
            packets: both(counters.packets_sent, counters.packets_received),
            bytes: both(counters.bytes_sent, counters.bytes_received),
            source_file,
            source_record: row.source_record,
        });
    }
}

/// One logical flow: the record that stands for it, and those that are the same flow.
#[derive(Clone, Debug)]
pub(super) struct LogicalFlow {
    /// Index of the record that stands for it.
    pub(super) primary: usize,
    /// Indices of the others: the other end, and legs beyond a firewall.
    pub(super) duplicates: Vec<usize>,
    /// A record at a firewall, or a leg that left one, shows that it passed.
    pub(super) was_at_firewall: bool,
}

/// How far apart two records of one flow may start or end: the clocks of two NICs and the minutes
/// in which logs are cut.
const SAME_FLOW_NS: i64 = 2_000_000_000;

/// Joins records into logical flows, in the order of their first times.
///
/// Records of one 5-tuple whose times touch (within 2 s) are one flow. The record at the sending
/// NIC stands for it, since that NIC's routes decide; else a capture's, else the receiving NIC's. A
/// flow *from* a firewall's address is a leg of the flow to the same destination and port that
/// started up to `tolerance_ns` before it, nearest first, one leg a flow; without one it stands for
/// itself.
///
/// Cost: O(n log n) for n records.
pub(super) fn logical_flows(
    flows: &[ObservedFlow],
    is_firewall: impl Fn(IpAddr) -> bool,
    tolerance_ns: i64,
) -> Vec<LogicalFlow> {
    let mut order: Vec<usize> = (0..flows.len()).collect();
    let key = |index: usize| {
        let flow = &flows[index];
        (flow.source, flow.destination, flow.ports, flow.protocol)
    };
    order.sort_by(|&a, &b| {
        (key(a), flows[a].start_time_ns, a).cmp(&(key(b), flows[b].start_time_ns, b))
    });
    let mut logical: Vec<LogicalFlow> = Vec::new();
    let mut last_end_ns = i64::MIN;
    for (position, &index) in order.iter().enumerate() {
        let flow = &flows[index];
        let continues = position > 0
            && key(order[position - 1]) == key(index)
            && flow.start_time_ns <= last_end_ns.saturating_add(SAME_FLOW_NS);
        if continues {
            last_end_ns = last_end_ns.max(flow.end_time_ns);
            let current = logical.last_mut().expect("the first record opened one");
            current.duplicates.push(index);
            current.was_at_firewall |= flow.is_at_firewall;
        } else {
            last_end_ns = flow.end_time_ns;
            logical.push(LogicalFlow {
                primary: index,
                duplicates: Vec::new(),
                was_at_firewall: flow.is_at_firewall,
            });
        }
    }
    for flow in &mut logical {
        choose_primary(flow, flows);
    }
    link_legs(&mut logical, flows, is_firewall, tolerance_ns);
    logical.sort_by_key(|flow| (flows[flow.primary].start_time_ns, flow.primary));
    logical
}

fn choose_primary(logical: &mut LogicalFlow, flows: &[ObservedFlow]) {
    let rank = |&index: &usize| {
        let flow = &flows[index];
        let by_observer = match flow.direction {
            _ if flow.is_at_firewall => 3,
            Some(FlowDirection::Outbound) => 0,
            None => 1,
            Some(FlowDirection::Inbound) => 2,
        };
        (by_observer, flow.start_time_ns, index)
    };
    let all = || std::iter::once(logical.primary).chain(logical.duplicates.iter().copied());
    let best = all().min_by_key(rank).expect("a flow has a record");
    let mut others: Vec<usize> = all().filter(|&index| index != best).collect();
    others.sort_unstable();
    logical.primary = best;
    logical.duplicates = others;
}

fn link_legs(
    logical: &mut Vec<LogicalFlow>,
    flows: &[ObservedFlow],
    is_firewall: impl Fn(IpAddr) -> bool,
    tolerance_ns: i64,
) {
    let (legs, mut whole): (Vec<_>, Vec<_>) = std::mem::take(logical)
        .into_iter()
        .partition(|flow| is_firewall(flows[flow.primary].source));
    let target = |flow: &LogicalFlow| {
        let record = &flows[flow.primary];
        (record.destination, record.ports.map(|(_, port)| port), record.protocol)
    };
    whole.sort_by_key(|flow| (target(flow), flows[flow.primary].start_time_ns, flow.primary));
    let mut has_leg = vec![false; whole.len()];
    for leg in legs {
        let start_ns = flows[leg.primary].start_time_ns;
        let earliest = (target(&leg), start_ns.saturating_sub(tolerance_ns));
        let first = whole
            .partition_point(|flow| (target(flow), flows[flow.primary].start_time_ns) < earliest);
        let nearest = whole[first..]
            .iter()
            .enumerate()
            .take_while(|(_, flow)| {
                target(flow) == target(&leg)
                    && flows[flow.primary].start_time_ns <= start_ns.saturating_add(SAME_FLOW_NS)
            })
            .map(|(offset, _)| first + offset)
            .filter(|&position| !has_leg[position])
            .min_by_key(|&position| {
                flows[whole[position].primary].start_time_ns.abs_diff(start_ns)
            });
        match nearest {
            Some(position) => {
                has_leg[position] = true;
                whole[position].was_at_firewall = true;
                whole[position].duplicates.push(leg.primary);
                whole[position].duplicates.extend(leg.duplicates);
            }
            None => {
                logical.push(LogicalFlow { was_at_firewall: true, ..leg });
            }
        }
    }
    logical.append(&mut whole);
}

/// Flow logs of a firewall's subnet name it.
fn is_firewall_subnet(target_resource_id: &str) -> bool {
    target_resource_id
        .rsplit('/')
        .next()
        .is_some_and(|name| name.eq_ignore_ascii_case("AzureFirewallSubnet"))
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECOND: i64 = 1_000_000_000;

    fn flow(
        start: i64,
        source: &str,
        source_port: u16,
        direction: Option<FlowDirection>,
    ) -> ObservedFlow {
        ObservedFlow {
            start_time_ns: start * SECOND,
            end_time_ns: (start + 1) * SECOND,
            source: source.parse().unwrap(),
            destination: "10.13.77.6".parse().unwrap(),
            ports: Some((source_port, 1433)),
            protocol: 6,
            direction,
            is_denied: false,
            shows_begin: true,
            is_at_firewall: false,
            is_platform: false,
            tuples: 2,
            packets: 10,
            bytes: 1000,
            source_file: "log".into(),
            source_record: 1,
        }
    }

    fn joined(flows: &[ObservedFlow]) -> Vec<(usize, Vec<usize>, bool)> {
        let is_firewall = |address: IpAddr| address.to_string().starts_with("10.13.76.");
        logical_flows(flows, is_firewall, 5 * SECOND)
            .into_iter()
            .map(|flow| (flow.primary, flow.duplicates, flow.was_at_firewall))
            .collect()
    }

    #[test]
    fn both_ends_are_one_flow_and_the_sender_stands_for_it() {
        use FlowDirection::{Inbound, Outbound};
        let flows = [
            flow(10, "192.168.0.4", 5000, Some(Inbound)),
            flow(11, "192.168.0.4", 5000, Some(Outbound)),
            flow(12, "192.168.0.4", 5001, Some(Inbound)),
        ];
        assert_eq!(joined(&flows), [(1, vec![0], false), (2, vec![], false)]);
    }

    #[test]
    fn the_same_ports_used_again_later_are_another_flow() {
        let flows = [
            flow(10, "192.168.0.4", 5000, None),
            flow(13, "192.168.0.4", 5000, None),
            flow(17, "192.168.0.4", 5000, None),
        ];
        // 10..11 and 13 touch within 2 s; 13..14 and 17 do not.
        assert_eq!(joined(&flows), [(0, vec![1], false), (2, vec![], false)]);
    }

    #[test]
    fn a_leg_from_a_firewall_belongs_to_the_flow_before_it() {
        let flows = [
            flow(10, "192.168.0.4", 5000, None),
            flow(11, "10.13.76.69", 40_000, None),
            flow(30, "10.13.76.70", 40_001, None),
        ];
        assert_eq!(joined(&flows), [(0, vec![1], true), (2, vec![], true)]);
    }

    #[test]
    fn a_record_at_the_firewall_shows_that_the_flow_passed() {
        let at_firewall = ObservedFlow {
            is_at_firewall: true,
            ..flow(10, "192.168.0.4", 5000, Some(FlowDirection::Inbound))
        };
        let flows = [at_firewall, flow(10, "192.168.0.4", 5000, Some(FlowDirection::Inbound))];
        assert_eq!(joined(&flows), [(1, vec![0], true)]);
        assert!(is_firewall_subnet("/x/virtualNetworks/hub/subnets/azurefirewallsubnet"));
        assert!(!is_firewall_subnet("/x/virtualNetworks/AzureFirewallSubnet/subnets/web"));
    }
}
