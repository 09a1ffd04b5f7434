//! Every capture of the corpus, against independent readers and against itself cut short.
//!
//! The corpus is outside the repository: `NEXTHOP_CORPUS` names its folder.

#![forbid(unsafe_code)]

mod support;

use std::io::Cursor;
use std::net::IpAddr;
use std::path::{Path, PathBuf};

use etherparse::{InternetSlice, SlicedPacket, TransportSlice};
use nexthop::traffic::capture::Tunnel;
use nexthop::traffic::{
    Chunk, DecodeOptions, Decoder, FlowBatch, ReadOptions, Tally, TrafficReader,
};
use support::capture::{ETHERNET, Packet, pcap};
use support::corpus;
use support::oracle::{read_by_pcap_file, unpacked};

#[test]
fn the_books_balance_and_chunks_do_not_matter() {
    for path in captures() {
        let bytes = unpacked(&path);
        let whole = read(&bytes, 1 << 20, &Tunnel::DEFAULT);
        for chunk_bytes in [1, 4096] {
            let other = read(&bytes, chunk_bytes, &Tunnel::DEFAULT);
            assert!(other == whole, "{}: chunks of {chunk_bytes}", path.display());
        }
        read(&bytes, 1 << 20, &ALL_TUNNELS);
    }
}

#[test]
fn another_reader_counts_the_same_packets() {
    let mut compared = 0;
    for path in captures() {
        let bytes = unpacked(&path);
        let Some(packets) = read_by_pcap_file(&bytes) else {
            continue;
        };
        let outcome = read(&bytes, 1 << 20, &[]);
        assert_eq!(outcome.tally.records_read, packets.len() as u64, "{}", path.display());
        compared += 1;
    }
    assert!(compared > 400 || captures().is_empty(), "only {compared} files were compared");
}

#[test]
fn etherparse_sees_the_same_flows() {
    let mut compared = 0;
    for path in captures() {
        let packets = read_by_pcap_file(&unpacked(&path)).unwrap_or_default();
        let packets: Vec<Packet> =
            packets.into_iter().filter(|packet| packet.link_type == ETHERNET).collect();
        let rows = decode(&packets, &[]);
        for (number, packet) in packets.iter().enumerate() {
            let Some(want) = slice_by_etherparse(&packet.bytes) else {
                continue;
            };
            let row = rows.iter().find(|row| row.record == number as u64);
            let row = row.unwrap_or_else(|| panic!("{} #{number}: no row", path.display()));
            let got = (row.source, row.destination, row.protocol);
            assert_eq!(
                got,
                (want.source, want.destination, want.protocol),
                "{} #{number}",
                path.display()
            );
            if want.ports.is_some() {
                assert_eq!(row.ports, want.ports, "{} #{number}", path.display());
            }
            compared += 1;
        }
    }
    assert!(compared > 10_000 || captures().is_empty(), "only {compared} packets were compared");
}

#[test]
fn no_captured_length_shows_another_flow() {
    for path in captures() {
        let packets = read_by_pcap_file(&unpacked(&path)).unwrap_or_default();
        for packet in packets.iter().take(PACKETS_CUT_MAX) {
            for tunnels in [&[][..], &Tunnel::DEFAULT, &ALL_TUNNELS] {
                check_cuts(packet, tunnels, &path);
            }
        }
    }
}

/// A full packet's row against the rows of all its cuts.
fn check_cuts(packet: &Packet, tunnels: &[Tunnel], path: &Path) {
    let longest = packet.bytes.len().min(CUT_LENGTH_MAX);
    let cuts: Vec<Packet> = (0..=longest)
        .chain([packet.bytes.len()])
        .map(|length| Packet { bytes: packet.bytes[..length].to_vec(), ..*packet })
        .collect();
    let mut rows = decode(&cuts, tunnels);
    let Some(full) = rows.pop_if(|row| row.record == cuts.len() as u64 - 1) else {
        if tunnels.is_empty() {
            assert!(rows.is_empty(), "{}: a cut makes a flow of none", path.display());
        }
        return;
    };
    for row in rows {
        let is_same = (row.source, row.destination) == (full.source, full.destination);
        if is_same && row.ports.is_some() {
            assert_eq!(
                (row.ports, row.protocol),
                (full.ports, full.protocol),
                "{}",
                path.display()
            );
        }
        // Without the ports, or with a chain of IPv6 headers cut, a tunnel is not recognised yet.
        let is_before_tunnel = !tunnels.is_empty() && row.ports.is_none();
        assert!(is_same || is_before_tunnel, "{}: {full:?} became {row:?}", path.display());
    }
}

const PACKETS_CUT_MAX: usize = 3;
const CUT_LENGTH_MAX: usize = 192;
const ALL_TUNNELS: [Tunnel; 5] =
    [Tunnel::Vxlan { port: 4789 }, Tunnel::Gre, Tunnel::IpInIp, Tunnel::Geneve, Tunnel::Mpls];

#[derive(Debug, PartialEq)]
struct Outcome {
    rows: Vec<Row>,
    tally: Tally,
}

#[derive(Clone, Debug, PartialEq)]
struct Row {
    record: u64,
    time_ns: i64,
    source: IpAddr,
    destination: IpAddr,
    ports: Option<(u16, u16)>,
    protocol: u8,
    bytes: Option<u64>,
}

fn read(bytes: &[u8], chunk_bytes: usize, tunnels: &[Tunnel]) -> Outcome {
    let input = Box::new(Cursor::new(bytes.to_vec()));
    let mut reader = TrafficReader::open(input, ReadOptions { chunk_bytes });
    let mut decoder = Decoder::new(&DecodeOptions { decapsulate: tunnels.to_vec() });
    let (mut chunk, mut batch) = (Chunk::default(), FlowBatch::default());
    let (mut tally, mut part) = (Tally::default(), Tally::default());
    let mut rows = Vec::new();
    while reader.fill(&mut chunk) {
        batch.clear();
        part.clear();
        decoder.decode(&chunk, &mut batch, &mut part);
        rows.extend((0..batch.len()).map(|index| row(&batch, index, tally.records_read)));
        part.classified = batch.len() as u64;
        part.assert_balanced();
        tally.absorb_next(&part);
    }
    Outcome { rows, tally }
}

fn row(batch: &FlowBatch, index: usize, records_before: u64) -> Row {
    let row = batch.row(index);
    Row {
        record: records_before + u64::from(row.record),
        time_ns: row.time_ns,
        source: row.source,
        destination: row.destination,
        ports: row.ports,
        protocol: row.protocol,
        bytes: row.counters.bytes_sent,
    }
}

/// Decodes packets of one link type from a classic capture that is made of them.
fn decode(packets: &[Packet], tunnels: &[Tunnel]) -> Vec<Row> {
    let Some(first) = packets.first() else {
        return Vec::new();
    };
    let file = pcap(first.link_type, packets);
    read(&file, 1 << 20, tunnels).rows
}

struct Sliced {
    source: IpAddr,
    destination: IpAddr,
    protocol: u8,
    ports: Option<(u16, u16)>,
}

/// What etherparse's strict slices make of an Ethernet frame; `None` where they refuse it, and where
/// the two mean different things.
fn slice_by_etherparse(bytes: &[u8]) -> Option<Sliced> {
    let packet = SlicedPacket::from_ethernet(bytes).ok()?;
    let ports = match &packet.transport {
        Some(TransportSlice::Tcp(tcp)) => Some((tcp.source_port(), tcp.destination_port())),
        Some(TransportSlice::Udp(udp)) => Some((udp.source_port(), udp.destination_port())),
        _ => None,
    };
    match packet.net? {
        InternetSlice::Ipv4(ip) => {
            let header = ip.header();
            // etherparse looks through an authentication header in IPv4; a flow's protocol is the
            // number in its IPv4 header.
            let has_extension = ip.extensions().auth.is_some();
            (!has_extension).then_some(Sliced {
                source: header.source_addr().into(),
                destination: header.destination_addr().into(),
                protocol: header.protocol().0,
                ports,
            })
        }
        InternetSlice::Ipv6(ip) => Some(Sliced {
            source: ip.header().source_addr().into(),
            destination: ip.header().destination_addr().into(),
            protocol: ip.payload().ip_number.0,
            ports,
        }),
        _ => None,
    }
}

fn captures() -> Vec<PathBuf> {
    corpus::folder("captures", "a test on captures")
        .map(|folder| corpus::files_below(&folder))
        .unwrap_or_default()
}
