//! The flows of a generated capture, gathered as one would say it.

use std::io::{self, Write};
use std::net::IpAddr;

use ahash::AHashMap;

use super::expected::{Counting, time_text};
use super::{Expected, FLOW_COLUMNS, NaiveRouter};

/// One packet that was written.
#[derive(Clone, Copy, Debug)]
pub(super) struct Seen {
    pub(super) time_ns: u64,
    pub(super) source: IpAddr,
    pub(super) destination: IpAddr,
    pub(super) ports: Option<(u16, u16)>,
    pub(super) protocol: u8,
    pub(super) opens_connection: bool,
    pub(super) bytes: u64,
    /// From 1.
    pub(super) record: u64,
}

/// Every flow, in the order of their first packets: those were written in the order of time.
#[derive(Debug, Default)]
pub(super) struct PacketFlows {
    flows: Vec<Flow>,
    places: AHashMap<Key, usize>,
}

/// Both ends in the order of their addresses and ports, and the protocol; without ports an end is
/// its address alone.
type Key = ([(IpAddr, Option<u16>); 2], u8);

#[derive(Debug)]
struct Flow {
    protocol: u8,
    /// The end that sent first.
    first_end: (IpAddr, Option<u16>),
    other_end: (IpAddr, Option<u16>),
    /// Sent by the first end, and by the other.
    packets: [u64; 2],
    bytes: [u64; 2],
    /// Which of the two opened the connection first.
    opened_by: Option<usize>,
    start_ns: u64,
    end_ns: u64,
    record: u64,
}

impl PacketFlows {
    pub(super) fn add(&mut self, seen: &Seen) {
        let from = (seen.source, seen.ports.map(|(source, _)| source));
        let to = (seen.destination, seen.ports.map(|(_, destination)| destination));
        let key = (if from <= to { [from, to] } else { [to, from] }, seen.protocol);
        let place = *self.places.entry(key).or_insert_with(|| {
            self.flows.push(Flow {
                protocol: seen.protocol,
                first_end: from,
                other_end: to,
                packets: [0; 2],
                bytes: [0; 2],
                opened_by: None,
                start_ns: seen.time_ns,
                end_ns: seen.time_ns,
                record: seen.record,
            });
            self.flows.len() - 1
        });
        let flow = &mut self.flows[place];
        let sender = usize::from(from != flow.first_end);
        flow.packets[sender] += 1;
        flow.bytes[sender] += seen.bytes;
        flow.end_ns = seen.time_ns;
        if seen.opens_connection && flow.opened_by.is_none() {
            flow.opened_by = Some(sender);
        }
    }

    /// Labels every flow, counts it, and writes its row.
    pub(super) fn finish(
        self,
        router: &mut NaiveRouter,
        mut counting: Counting,
        mut rows: Option<&mut dyn Write>,
    ) -> io::Result<Expected> {
        if let Some(rows) = &mut rows {
            writeln!(rows, "{FLOW_COLUMNS}")?;
        }
        for flow in self.flows {
            // The initiator opened the connection, or else sent first.
            let initiator = flow.opened_by.unwrap_or(0);
            let (source, destination) = match initiator {
                0 => (flow.first_end, flow.other_end),
                _ => (flow.other_end, flow.first_end),
            };
            let verdict = router.packets(source.0, destination.0);
            let [packets, bytes] = [flow.packets, flow.bytes].map(|[first, other]| first + other);
            counting.add(&verdict, packets, packets, bytes);
            let Some(rows) = &mut rows else { continue };
            let port = |(_, port): (IpAddr, Option<u16>)| {
                port.map(|port| port.to_string()).unwrap_or_default()
            };
            writeln!(
                rows,
                "{},{},{},{},{},{},{},{},{},{},{},{},{}",
                time_text(flow.start_ns),
                time_text(flow.end_ns),
                source.0,
                port(source),
                destination.0,
                port(destination),
                flow.protocol,
                flow.packets[initiator],
                flow.bytes[initiator],
                flow.packets[1 - initiator],
                flow.bytes[1 - initiator],
                flow.record,
                router.columns(&verdict).join(","),
            )?;
        }
        Ok(counting.finish(router))
    }
}
