//! Flows from packets: who initiated, what is summed, and that no split over tables changes either.

use std::collections::BTreeMap;

use proptest::prelude::*;

use super::*;

struct Packet {
    time_ns: i64,
    from: (&'static str, u16),
    to: (&'static str, u16),
    is_open: bool,
}

fn packet(
    time_ns: i64,
    from: (&'static str, u16),
    to: (&'static str, u16),
    is_open: bool,
) -> Packet {
    Packet { time_ns, from, to, is_open }
}

fn captured(record: u32, packet: &Packet) -> CapturedPacket {
    CapturedPacket {
        record,
        time_ns: packet.time_ns,
        source: packet.from.0.parse().unwrap(),
        destination: packet.to.0.parse().unwrap(),
        ports: Some((packet.from.1, packet.to.1)),
        protocol: 6,
        opens_connection: packet.is_open,
        bytes: 100,
    }
}

fn add(table: &mut PacketFlows, input: u32, records_before: u64, packets: &[Packet]) {
    table.take_chunk(input, records_before, |sink| show(packets, sink));
}

fn show(packets: &[Packet], sink: &mut impl PacketSink) {
    for (record, packet) in (0u32..).zip(packets) {
        sink.take(&captured(record, packet));
    }
}

fn tables<const N: usize>() -> [PacketFlows; N] {
    tables_of(Seeds::random())
}

fn tables_of<const N: usize>(seeds: Seeds) -> [PacketFlows; N] {
    [(); N].map(|()| PacketFlows::new(seeds))
}

/// Gathers chunks of an input, each sorted by a thread of its own, into tables with a share each.
fn add_sorted(tables: &mut [PacketFlows], seeds: Seeds, input: u32, chunks: &[(u64, &[Packet])]) {
    let table_count = tables.len();
    let sorted: Vec<SortedPackets> = chunks
        .iter()
        .map(|&(records_before, packets)| {
            let mut sorted = SortedPackets::new(seeds, table_count);
            sorted.sort_chunk(records_before, |sink| show(packets, sink));
            sorted
        })
        .collect();
    for (number, table) in tables.iter_mut().enumerate() {
        table.take_sorted(input, number, &sorted);
    }
}

fn flows(tables: &[PacketFlows]) -> Vec<(PacketFlow, Vec<InputShare>)> {
    let tables: Vec<&PacketFlows> = tables.iter().collect();
    let flows = GatheredFlows::new(&tables, true);
    let mut shares = Vec::new();
    (0..flows.len()).map(|number| (flows.flow(number, &mut shares), shares.clone())).collect()
}

fn flows_of(packets: &[Packet]) -> Vec<PacketFlow> {
    let [mut table] = tables();
    add(&mut table, 0, 0, packets);
    flows(&[table]).into_iter().map(|(flow, _)| flow).collect()
}

const CLIENT: (&str, u16) = ("10.0.0.9", 50_000);
const SERVER: (&str, u16) = ("10.0.0.1", 443);

#[test]
fn the_initiator_sent_the_first_syn_even_if_recorded_late() {
    let found = flows_of(&[
        packet(5, SERVER, CLIENT, false),
        packet(7, CLIENT, SERVER, true),
        packet(6, SERVER, CLIENT, false),
    ]);
    assert_eq!(found.len(), 1);
    let flow = found[0];
    assert_eq!((flow.source.to_string(), flow.ports), ("10.0.0.9".into(), Some((50_000, 443))));
    assert_eq!((flow.start_time_ns, flow.end_time_ns, flow.record), (5, 7, 1));
    assert_eq!(flow.counters.packets_sent, Some(1));
    assert_eq!(flow.counters.bytes_received, Some(200));
}

#[test]
fn without_a_syn_the_earliest_packet_decides_and_in_a_tie_the_lower_end() {
    let later_first = [packet(9, CLIENT, SERVER, false), packet(8, SERVER, CLIENT, false)];
    assert_eq!(flows_of(&later_first)[0].source.to_string(), "10.0.0.1");
    let tie = [packet(9, CLIENT, SERVER, false), packet(9, SERVER, CLIENT, false)];
    assert_eq!(flows_of(&tie)[0].source.to_string(), "10.0.0.1");
    let two_syns = [packet(3, SERVER, CLIENT, true), packet(2, CLIENT, SERVER, true)];
    assert_eq!(flows_of(&two_syns)[0].source.to_string(), "10.0.0.9");
}

#[test]
fn any_split_over_threads_and_inputs_gives_the_same_flow_with_its_shares() {
    let packets = [
        packet(4, CLIENT, SERVER, true),
        packet(2, SERVER, CLIENT, false),
        packet(4, ("10.0.0.2", 1), SERVER, false),
    ];
    let [mut alone] = tables();
    add(&mut alone, 0, 0, &packets);
    let alone = flows(&[alone]);
    let (before, after) = packets.split_at(1);
    let seeds = Seeds::random();
    let mut shared: [PacketFlows; 3] = tables_of(seeds);
    add_sorted(&mut shared, seeds, 0, &[(0, before), (1, after)]);
    assert_eq!(flows(&shared), alone);

    let mut shared: [PacketFlows; 3] = tables_of(seeds);
    add_sorted(&mut shared, seeds, 0, &[(0, before)]);
    add_sorted(&mut shared, seeds, 1, &[(0, after)]);
    let split = flows(&shared);
    let share = |input, packets| InputShare { input, packets };
    assert_eq!(split[0].1, [share(0, 1), share(1, 1)]);
    assert_eq!((split[0].0.input, split[0].0.record), (1, 1));
    assert_eq!(split[0].0.counters, alone[0].0.counters);
}

#[test]
fn flows_come_by_time_then_key() {
    let found = flows_of(&[
        packet(2, ("10.0.0.3", 1), SERVER, false),
        packet(1, ("10.0.0.4", 1), SERVER, false),
        packet(2, ("fd00::3", 1), ("fd00::1", 1), false),
        packet(2, ("10.0.0.2", 1), SERVER, false),
    ]);
    let sources: Vec<String> = found.iter().map(|flow| flow.source.to_string()).collect();
    assert_eq!(sources, ["10.0.0.4", "10.0.0.2", "10.0.0.3", "fd00::3"]);
}

#[test]
fn a_port_of_zero_is_not_a_missing_port() {
    let zero = captured(0, &packet(1, ("10.0.0.3", 0), ("10.0.0.4", 0), false));
    let [mut table] = tables();
    table.take_chunk(0, 0, |sink| {
        sink.take(&zero);
        sink.take(&CapturedPacket { ports: None, ..zero });
    });
    let ports: Vec<_> = flows(&[table]).iter().map(|(flow, _)| flow.ports).collect();
    assert_eq!(ports, [None, Some((0, 0))]);
}

#[test]
fn counters_that_are_full_go_on_in_a_second_entry_of_the_same_flow() {
    // The counters of an entry hold 48 bits of bytes.
    let large =
        CapturedPacket { bytes: (1 << 48) - 1, ..captured(0, &packet(5, CLIENT, SERVER, true)) };
    let [mut table] = tables();
    table.take_chunk(0, 0, |sink| {
        for record in 0..3 {
            sink.take(&CapturedPacket { record, time_ns: 5 - i64::from(record), ..large });
        }
    });
    let found = flows(&[table]);
    assert_eq!(found.len(), 1);
    let (flow, shares) = &found[0];
    assert_eq!(flow.counters.packets_sent, Some(3));
    assert_eq!(flow.counters.bytes_sent, Some(3 * ((1 << 48) - 1)));
    assert_eq!((flow.start_time_ns, flow.end_time_ns, flow.record), (3, 5, 3));
    assert_eq!(shares[..], [InputShare { input: 0, packets: 3 }]);
}

#[test]
fn times_at_the_ends_of_what_is_told_are_times() {
    for time_ns in [i64::MIN, i64::MAX] {
        let found = flows_of(&[packet(time_ns, SERVER, CLIENT, true)]);
        assert_eq!((found[0].start_time_ns, found[0].end_time_ns), (time_ns, time_ns));
        assert_eq!((found[0].record, found[0].shows_begin), (1, true));
        assert_eq!(found[0].source.to_string(), "10.0.0.1");
    }
}

#[test]
fn records_keep_their_numbers_beyond_32_bits() {
    let number = 0x1ABC_DEF0_1234;
    let [mut table] = tables();
    add(&mut table, 0, number - 1, &[packet(1, CLIENT, SERVER, false)]);
    assert_eq!(flows(&[table])[0].0.record, number);
}

type End = (IpAddr, u16);

/// What a table must equal: a map of plain sums.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Naive {
    packets: u64,
    first: (i64, u32, u64),
    last_ns: i64,
    shares: BTreeMap<u32, u64>,
}

proptest! {
    /// Few ends, so that flows collide in both directions; more flows than an index begins with.
    #[test]
    fn tables_equal_a_map_whatever_the_order_threads_and_inputs(
        ends in prop::collection::vec((0u8..40, 0u16..60, 0u8..40, 0u16..60, 0i64..50), 1..1_500),
        chunk in 1usize..300,
        chunks_an_input in 1usize..9,
    ) {
        let mut naive: BTreeMap<(End, End), Naive> = BTreeMap::new();
        let seeds = Seeds::random();
        let [mut alone] = tables_of(seeds);
        let mut shared: [PacketFlows; 3] = tables_of(seeds);
        let mut sorted = [(); 1].map(|()| SortedPackets::new(seeds, shared.len()));
        for (number, ends) in ends.chunks(chunk).enumerate() {
            let input = (number / chunks_an_input) as u32;
            let records_before = (number % chunks_an_input * chunk) as u64;
            let mut packets = Vec::new();
            for (record, &(source, source_port, destination, destination_port, time_ns)) in
                (0u32..).zip(ends)
            {
                let packet = CapturedPacket {
                    record,
                    time_ns,
                    source: address(source, destination),
                    destination: address(destination, source),
                    ports: Some((source_port, destination_port)),
                    protocol: 17,
                    opens_connection: false,
                    bytes: 60,
                };
                let from = (packet.source, source_port);
                let to = (packet.destination, destination_port);
                let number = (time_ns, input, records_before + u64::from(record) + 1);
                let flow = naive.entry((from.min(to), from.max(to))).or_insert(Naive {
                    packets: 0,
                    first: number,
                    last_ns: time_ns,
                    shares: BTreeMap::new(),
                });
                flow.packets += 1;
                flow.first = flow.first.min(number);
                flow.last_ns = flow.last_ns.max(time_ns);
                *flow.shares.entry(input).or_default() += 1;
                packets.push(packet);
            }
            alone.take_chunk(input, records_before, |sink| {
                packets.iter().for_each(|packet| sink.take(packet));
            });
            sorted[0].sort_chunk(records_before, |sink| {
                packets.iter().for_each(|packet| sink.take(packet));
            });
            for (table, flows) in shared.iter_mut().enumerate() {
                flows.take_sorted(input, table, &sorted);
            }
        }
        let found = flows(&shared);
        prop_assert_eq!(&found, &flows(&[alone]));
        prop_assert_eq!(found.len(), naive.len());
        for (flow, shares) in found {
            let ports = flow.ports.unwrap();
            let (from, to) = ((flow.source, ports.0), (flow.destination, ports.1));
            let got = Naive {
                packets: flow.packet_count(),
                first: (flow.start_time_ns, flow.input, flow.record),
                last_ns: flow.end_time_ns,
                shares: shares.iter().map(|share| (share.input, share.packets)).collect(),
            };
            prop_assert_eq!(Some(&got), naive.get(&(from.min(to), from.max(to))));
        }
    }
}

/// Both ends of a packet are of one family.
fn address(end: u8, other: u8) -> IpAddr {
    if (end ^ other) & 1 == 0 {
        IpAddr::from([10, 0, 0, end])
    } else {
        IpAddr::from([0xFD00, 0, 0, 0, 0, 0, 0, u16::from(end)])
    }
}
