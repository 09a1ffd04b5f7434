//! How the files of `captures/` are made. Each recipe states its flows together with the label
//! that Azure's rules give them, worked out by hand from the tables beside them.

use std::net::Ipv4Addr;

pub mod app_service;
pub mod azure;
pub mod backend_pools;
pub mod estates;
pub mod estates_hub;
pub mod private_link;
pub mod scenario;
pub mod scenarios;

/// The files of a scenario: path below its folder, and content.
pub type Files = Vec<(&'static str, Vec<u8>)>;

/// A packet of a generated capture: Ethernet, IPv4, TCP or UDP.
pub struct Packet {
    pub time_us: u64,
    pub source: (&'static str, u16),
    pub destination: (&'static str, u16),
    pub protocol: u8,
    pub tcp_flags: u8,
    pub payload_length: u16,
}

pub const SYN: u8 = 0x02;
pub const SYN_ACK: u8 = 0x12;
pub const ACK: u8 = 0x10;
pub const FIN_ACK: u8 = 0x11;
pub const TCP: u8 = 6;
pub const UDP: u8 = 17;

impl Packet {
    /// Bytes that count: the Ethernet header and the IP packet.
    pub fn bytes(&self) -> u64 {
        let transport = if self.protocol == TCP { 20 } else { 8 };
        14 + 20 + transport + u64::from(self.payload_length)
    }

    pub fn frame(&self) -> Vec<u8> {
        let transport_length = if self.protocol == TCP { 20 } else { 8 };
        let ip_length = 20 + transport_length + self.payload_length;
        let mut frame =
            vec![0x12, 0x34, 0x56, 0x78, 0x9A, 0xBC, 0x00, 0x0D, 0x3A, 0x00, 0x00, 0x01];
        frame.extend(0x0800_u16.to_be_bytes());
        frame.extend([0x45, 0]);
        frame.extend(ip_length.to_be_bytes());
        frame.extend([0, 1, 0x40, 0, 64, self.protocol, 0, 0]);
        frame.extend(octets(self.source.0));
        frame.extend(octets(self.destination.0));
        let checksum = internet_checksum(&frame[14..34]);
        frame[24..26].copy_from_slice(&checksum.to_be_bytes());
        frame.extend(self.source.1.to_be_bytes());
        frame.extend(self.destination.1.to_be_bytes());
        if self.protocol == TCP {
            frame.extend([0, 0, 0, 1, 0, 0, 0, 0, 0x50, self.tcp_flags, 0xFF, 0xFF, 0, 0, 0, 0]);
        } else {
            frame.extend((8 + self.payload_length).to_be_bytes());
            frame.extend([0, 0]);
        }
        frame.extend(std::iter::repeat_n(0x5A, usize::from(self.payload_length)));
        frame
    }
}

/// Milliseconds of a day as `HH:MM:SS` and a fraction of six decimals.
pub fn time_of_day(microseconds: u64) -> String {
    let (seconds, fraction) = (microseconds / 1_000_000, microseconds % 1_000_000);
    format!("{:02}:{:02}:{:02}.{fraction:06}", seconds / 3600, seconds / 60 % 60, seconds % 60)
}

fn octets(address: &str) -> [u8; 4] {
    address.parse::<Ipv4Addr>().expect(address).octets()
}

fn internet_checksum(header: &[u8]) -> u16 {
    let mut sum: u32 =
        header.chunks(2).map(|pair| u32::from(u16::from_be_bytes([pair[0], pair[1]]))).sum();
    while sum > 0xFFFF {
        sum = (sum & 0xFFFF) + (sum >> 16);
    }
    !u16::try_from(sum).expect("was folded")
}
