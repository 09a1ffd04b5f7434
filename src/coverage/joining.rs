//! From observed flows to logical ones: both ends' records, and the legs before and after a firewall,
//! are one.

use super::firewall_set::FirewallSet;
use super::flows::ObservedFlow;
use super::nearest::{Reach, match_nearest};
use crate::traffic::FlowDirection;

/// How far apart two records of one flow may start or end: the clocks of two NICs and the minutes
/// in which logs are cut.
const SAME_FLOW_NS: i64 = 2_000_000_000;

/// Joins records into flows.
///
/// Records of one 5-tuple whose times touch (within 2 s) are one flow. The record at the sending
/// NIC stands for it, since that NIC's routes decide; else a capture's, else the receiving NIC's.
/// A capture's flow comes once, or in parts where memory did not hold it until its end: those add
/// up. `repeated` is told of every other record, and which one stands for it.
///
/// Cost: O(n log n) for n records.
pub(super) fn joined(
    records: &mut [ObservedFlow],
    mut each: impl FnMut(ObservedFlow),
    mut repeated: impl FnMut(&ObservedFlow, &ObservedFlow),
) {
    records.sort_unstable_by_key(ObservedFlow::key);
    for of_key in records.chunk_by_mut(|a, b| a.key() == b.key()) {
        let flow_count = join_in_place(of_key, &mut repeated);
        of_key[..flow_count].iter().copied().for_each(&mut each);
    }
}

/// As [`joined`], of records that have their 5-tuple in common: the flows take the place of the first
/// records. Returns how many they are.
pub(super) fn join_in_place(
    records: &mut [ObservedFlow],
    mut repeated: impl FnMut(&ObservedFlow, &ObservedFlow),
) -> usize {
    match records {
        [_] => return 1,
        // Those of both ends, mostly.
        [a, b] if a.cmp_by_time(b).is_gt() => std::mem::swap(a, b),
        [_, _] => {}
        _ => records.sort_unstable_by(ObservedFlow::cmp_by_time),
    }
    let mut flow_count = 0;
    let mut start = 0;
    while start < records.len() {
        let rest = &records[start..];
        let mut last_end_ns = rest[0].end_time_ns;
        let mut length = 1;
        while let Some(record) = rest.get(length)
            && record.start_time_ns <= last_end_ns.saturating_add(SAME_FLOW_NS)
        {
            last_end_ns = last_end_ns.max(record.end_time_ns);
            length += 1;
        }
        let flow = join_same(&rest[..length], &mut repeated);
        start += length;
        records[flow_count] = flow;
        flow_count += 1;
    }
    flow_count
}

/// Joins records of one flow, which are sorted by their times.
fn join_same(
    records: &[ObservedFlow],
    mut repeated: impl FnMut(&ObservedFlow, &ObservedFlow),
) -> ObservedFlow {
    let stands = (0..records.len()).min_by_key(|&index| rank(&records[index]));
    let stands = stands.expect("a flow has a record");
    let mut flow = records[stands];
    for (_, other) in records.iter().enumerate().filter(|(index, _)| *index != stands) {
        repeated(other, &records[stands]);
        flow.tuples += other.tuples;
        flow.recorded_at = flow.recorded_at.union(other.recorded_at);
        if flow.direction.is_none() && other.direction.is_none() {
            flow.packets = flow.packets.saturating_add(other.packets);
            flow.bytes = flow.bytes.saturating_add(other.bytes);
        }
    }
    flow
}

/// Whose record stands for a flow: the lowest.
fn rank(record: &ObservedFlow) -> u8 {
    match record.direction {
        _ if !record.recorded_at.is_empty() => 3,
        Some(FlowDirection::Outbound) => 0,
        None => 1,
        Some(FlowDirection::Inbound) => 2,
    }
}

/// Joins legs with the flows that they belong to.
///
/// A flow *from* a firewall's address is a leg of the flow to the same destination and port that
/// started up to `tolerance_ns` before it, one leg a flow, the nearest first; without one it stands
/// for itself. `linked` is told of every leg and its flow.
///
/// Cost: O(n log n) for n flows.
pub(super) fn link_legs(
    flows: &mut [ObservedFlow],
    sent_by: impl Fn(&ObservedFlow) -> Option<FirewallSet>,
    tolerance_ns: i64,
    mut each: impl FnMut(ObservedFlow),
    mut linked: impl FnMut(&ObservedFlow, &ObservedFlow),
) {
    flows.sort_unstable_by(|a, b| {
        a.target().cmp(&b.target()).then_with(|| a.time_order().cmp(&b.time_order()))
    });
    for same_target in flows.chunk_by_mut(|a, b| a.target() == b.target()) {
        let (legs, mut whole): (Vec<ObservedFlow>, Vec<ObservedFlow>) =
            same_target.iter().partition(|flow| sent_by(flow).is_some());
        let times = |flows: &[ObservedFlow]| -> Vec<i64> {
            flows.iter().map(|flow| flow.start_time_ns).collect()
        };
        let reach = Reach { before_ns: SAME_FLOW_NS, after_ns: tolerance_ns };
        let mut has_flow = vec![false; legs.len()];
        for (flow, leg) in match_nearest(&times(&whole), &times(&legs), reach) {
            let sender = sent_by(&legs[leg]).unwrap_or_default();
            whole[flow].recorded_at = whole[flow].recorded_at.union(sender);
            whole[flow].is_translated = true;
            whole[flow].tuples += legs[leg].tuples;
            linked(&legs[leg], &whole[flow]);
            has_flow[leg] = true;
        }
        whole.into_iter().for_each(&mut each);
        for (leg, _) in legs.into_iter().zip(has_flow).filter(|(_, has_flow)| !has_flow) {
            let sender = sent_by(&leg).unwrap_or_default();
            each(ObservedFlow { recorded_at: leg.recorded_at.union(sender), ..leg });
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::flows::tests::{SECOND, flow};
    use super::*;

    /// Start in seconds, tuples and whether it was at the firewall, of each logical flow.
    fn logical(records: &[ObservedFlow]) -> Vec<(i64, u64, bool)> {
        let mut flows = Vec::new();
        joined(&mut records.to_vec(), |flow| flows.push(flow), |_, _| ());
        let sent_by = |flow: &ObservedFlow| {
            let is_firewall = flow.source.to_string().starts_with("10.13.76.");
            is_firewall.then(|| FirewallSet::of(Some(0)))
        };
        let mut linked = Vec::new();
        link_legs(
            &mut flows,
            sent_by,
            5 * SECOND,
            |flow| {
                let is_at_firewall = !flow.recorded_at.is_empty();
                linked.push((flow.start_time_ns / SECOND, flow.tuples, is_at_firewall));
            },
            |_, _| (),
        );
        linked.sort_unstable();
        linked
    }

    #[test]
    fn both_ends_are_one_flow_and_the_sender_stands_for_it() {
        use FlowDirection::{Inbound, Outbound};
        let flows = [
            flow(10, "192.168.0.4", 5000, Some(Inbound)),
            flow(11, "192.168.0.4", 5000, Some(Outbound)),
            flow(12, "192.168.0.4", 5001, Some(Inbound)),
        ];
        assert_eq!(logical(&flows), [(11, 4, false), (12, 2, false)]);
    }

    #[test]
    fn parts_of_a_captures_flow_add_up_and_records_of_both_ends_do_not() {
        use FlowDirection::{Inbound, Outbound};
        let counters_of = |directions: &[Option<FlowDirection>]| {
            let record = |(number, direction): (u64, &Option<FlowDirection>)| ObservedFlow {
                packets: 10 * number,
                bytes: 100 * number,
                record: number,
                ..flow(10, "192.168.0.4", 5000, *direction)
            };
            let mut flows = Vec::new();
            let mut records: Vec<ObservedFlow> = (1..).zip(directions).map(record).collect();
            joined(&mut records, |flow| flows.push((flow.packets, flow.bytes)), |_, _| ());
            flows
        };
        assert_eq!(counters_of(&[None, None, None]), [(60, 600)]);
        assert_eq!(counters_of(&[None, Some(Inbound), None]), [(40, 400)]);
        assert_eq!(counters_of(&[None, Some(Outbound), None]), [(20, 200)]);
        assert_eq!(counters_of(&[Some(Inbound), Some(Outbound)]), [(20, 200)]);
        assert_eq!(counters_of(&[Some(Inbound)]), [(10, 100)]);
    }

    #[test]
    fn the_same_ports_used_again_later_are_another_flow() {
        let flows = [
            flow(10, "192.168.0.4", 5000, None),
            flow(13, "192.168.0.4", 5000, None),
            flow(17, "192.168.0.4", 5000, None),
        ];
        // 10..11 and 13 touch within 2 s; 13..14 and 17 do not.
        assert_eq!(logical(&flows), [(10, 4, false), (17, 2, false)]);
    }

    #[test]
    fn a_leg_from_a_firewall_belongs_to_the_flow_before_it() {
        let flows = [
            flow(10, "192.168.0.4", 5000, None),
            flow(11, "10.13.76.69", 40_000, None),
            flow(30, "10.13.76.70", 40_001, None),
        ];
        assert_eq!(logical(&flows), [(10, 4, true), (30, 2, true)]);
    }

    #[test]
    fn a_record_at_the_firewall_shows_that_the_flow_passed() {
        let at_firewall = ObservedFlow {
            recorded_at: FirewallSet::of(Some(0)),
            ..flow(10, "192.168.0.4", 5000, Some(FlowDirection::Inbound))
        };
        let flows = [at_firewall, flow(10, "192.168.0.4", 5000, Some(FlowDirection::Inbound))];
        assert_eq!(logical(&flows), [(10, 4, true)]);
    }
}
