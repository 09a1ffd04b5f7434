//! A capture by `pcap-file`, `etherparse` and a `HashMap` of flows.

use std::collections::HashMap;
use std::io::Read;
use std::net::IpAddr;

use etherparse::{Ipv6ExtensionSlice, NetSlice, SlicedPacket};
use pcap_file::PcapError;
use pcap_file::pcap::PcapReader;

use super::router::Router;
use super::totals::Totals;

/// Reads a classic pcap and sums its flows.
///
/// # Errors
///
/// When the capture cannot be read.
pub fn classify(router: &Router, capture: impl Read) -> Result<Totals, PcapError> {
    let mut totals = Totals::default();
    let mut flows: HashMap<Key, Flow> = HashMap::new();
    let mut reader = PcapReader::new(capture)?;
    while let Some(packet) = reader.next_packet() {
        let packet = packet?;
        match SlicedPacket::from_ethernet(&packet.data) {
            Err(_) => totals.damaged += 1,
            Ok(sliced) => match Seen::of(&sliced) {
                None => totals.not_ip += 1,
                Some(seen) => gather(&mut flows, &seen),
            },
        }
    }
    for (key, flow) in &flows {
        let (low, high) = (key.low.0, key.high.0);
        let initiator = flow.opened_from_low.unwrap_or(flow.began_from_low);
        let (source, destination) = if initiator { (low, high) } else { (high, low) };
        let outcome = router.packets(source, destination);
        totals.add(outcome, flow.packets, flow.packets, flow.bytes);
    }
    Ok(totals)
}

#[derive(PartialEq, Eq, Hash)]
struct Key {
    low: (IpAddr, Option<u16>),
    high: (IpAddr, Option<u16>),
    protocol: u8,
}

struct Flow {
    packets: u64,
    bytes: u64,
    began_from_low: bool,
    opened_from_low: Option<bool>,
}

struct Seen {
    source: IpAddr,
    destination: IpAddr,
    ports: Option<(u16, u16)>,
    protocol: u8,
    opens_connection: bool,
    bytes: u64,
}

fn gather(flows: &mut HashMap<Key, Flow>, seen: &Seen) {
    let from = (seen.source, seen.ports.map(|(port, _)| port));
    let to = (seen.destination, seen.ports.map(|(_, port)| port));
    let is_from_low = from <= to;
    let (low, high) = if is_from_low { (from, to) } else { (to, from) };
    let flow = flows.entry(Key { low, high, protocol: seen.protocol }).or_insert(Flow {
        packets: 0,
        bytes: 0,
        began_from_low: is_from_low,
        opened_from_low: None,
    });
    flow.packets += 1;
    flow.bytes += seen.bytes;
    if seen.opens_connection && flow.opened_from_low.is_none() {
        flow.opened_from_low = Some(is_from_low);
    }
}

impl Seen {
    fn of(packet: &SlicedPacket<'_>) -> Option<Self> {
        let (source, destination, length, is_later_fragment, payload): (IpAddr, IpAddr, _, _, _) =
            match packet.net.as_ref()? {
                NetSlice::Ipv4(ip) => {
                    let header = ip.header();
                    (
                        header.source_addr().into(),
                        header.destination_addr().into(),
                        u64::from(header.total_len()),
                        header.fragments_offset().value() != 0,
                        ip.payload(),
                    )
                }
                NetSlice::Ipv6(ip) => {
                    let header = ip.header();
                    let is_later_fragment = ip.extensions().clone().into_iter().any(|extension| {
                        matches!(extension, Ipv6ExtensionSlice::Fragment(fragment)
                            if fragment.fragment_offset().value() != 0)
                    });
                    (
                        header.source_addr().into(),
                        header.destination_addr().into(),
                        40 + u64::from(header.payload_length()),
                        is_later_fragment,
                        ip.payload(),
                    )
                }
                NetSlice::Arp(_) => return None,
            };
        let protocol = payload.ip_number.0;
        let has_ports = matches!(protocol, 6 | 17) && !is_later_fragment;
        let ports = match payload.payload {
            [a, b, c, d, ..] if has_ports => {
                Some((u16::from_be_bytes([*a, *b]), u16::from_be_bytes([*c, *d])))
            }
            _ => None,
        };
        let flags = payload.payload.get(13).filter(|_| protocol == 6).copied().unwrap_or(0);
        Some(Self {
            source,
            destination,
            ports,
            protocol,
            opens_connection: flags & 0x12 == 0x02,
            bytes: 14 + length,
        })
    }
}
