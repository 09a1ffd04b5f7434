//! Captures made in memory.

use std::net::Ipv4Addr;

/// The link type of Ethernet.
pub const ETHERNET: u16 = 1;

/// A packet as a capture holds it.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Packet {
    pub link_type: u16,
    pub time_us: u64,
    pub original_length: u32,
    pub bytes: Vec<u8>,
}

/// Returns a classic capture of microseconds, little-endian.
pub fn pcap(link_type: u16, packets: &[Packet]) -> Vec<u8> {
    let header = [0xA1B2_C3D4, 0x0004_0002, 0, 0, 0x0004_0000, u32::from(link_type)];
    let mut file: Vec<u8> = header.into_iter().flat_map(u32::to_le_bytes).collect();
    for packet in packets {
        let seconds = u32::try_from(packet.time_us / 1_000_000).expect("a time before 2106");
        let microseconds = (packet.time_us % 1_000_000) as u32;
        let capture_length = u32::try_from(packet.bytes.len()).expect("a packet is small");
        let record = [seconds, microseconds, capture_length, packet.original_length];
        file.extend(record.into_iter().flat_map(u32::to_le_bytes));
        file.extend(&packet.bytes);
    }
    file
}

/// Returns an Ethernet frame with an IPv4 UDP datagram of `payload_length` bytes.
pub fn udp(
    time_us: u64,
    source: (Ipv4Addr, u16),
    destination: (Ipv4Addr, u16),
    payload_length: u16,
) -> Packet {
    let mut bytes = vec![2, 0, 0, 0, 0, 1, 2, 0, 0, 0, 0, 2, 8, 0, 0x45, 0];
    bytes.extend((28 + payload_length).to_be_bytes());
    bytes.extend([0, 0, 0, 0, 64, 17, 0, 0]);
    bytes.extend(source.0.octets());
    bytes.extend(destination.0.octets());
    bytes.extend(source.1.to_be_bytes());
    bytes.extend(destination.1.to_be_bytes());
    bytes.extend((8 + payload_length).to_be_bytes());
    bytes.extend([0, 0]);
    bytes.extend(std::iter::repeat_n(0x5A, usize::from(payload_length)));
    Packet { link_type: ETHERNET, time_us, original_length: bytes.len() as u32, bytes }
}

/// Returns the packets of a sound classic capture of microseconds.
pub fn packets_of(capture: &[u8]) -> Vec<Packet> {
    let is_little = capture.starts_with(&0xA1B2_C3D4_u32.to_le_bytes());
    assert!(is_little || capture.starts_with(&0xA1B2_C3D4_u32.to_be_bytes()));
    let number = |at: usize| {
        let bytes = capture[at..at + 4].try_into().expect("four bytes are four bytes");
        if is_little { u32::from_le_bytes(bytes) } else { u32::from_be_bytes(bytes) }
    };
    let mut packets = Vec::new();
    let mut at = 24;
    while at < capture.len() {
        let [seconds, microseconds, capture_length, original_length] =
            [0, 4, 8, 12].map(|offset| number(at + offset));
        let end = at + 16 + capture_length as usize;
        packets.push(Packet {
            link_type: number(20) as u16,
            time_us: u64::from(seconds) * 1_000_000 + u64::from(microseconds),
            original_length,
            bytes: capture[at + 16..end].to_vec(),
        });
        at = end;
    }
    packets
}
