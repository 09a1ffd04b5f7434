//! What another reader makes of a capture.

use std::fs;
use std::io::Read;
use std::path::Path;

use pcap_file::pcap::PcapReader;
use pcap_file::pcapng::{Block, PcapNgReader};

use super::capture::Packet;

/// Returns the packets as the `pcap-file` crate reads them, without their times; `None` where it
/// gives up.
pub fn read_by_pcap_file(bytes: &[u8]) -> Option<Vec<Packet>> {
    if bytes.starts_with(&[0x0A, 0x0D, 0x0D, 0x0A]) {
        read_pcapng_by_pcap_file(bytes)
    } else {
        read_pcap_by_pcap_file(bytes)
    }
}

fn read_pcap_by_pcap_file(bytes: &[u8]) -> Option<Vec<Packet>> {
    let mut reader = PcapReader::new(bytes).ok()?;
    let link_type = u32::from(reader.header().datalink) as u16;
    let mut packets = Vec::new();
    while let Some(packet) = reader.next_packet() {
        let packet = packet.ok()?;
        packets.push(Packet {
            link_type,
            time_us: 0,
            original_length: packet.orig_len,
            bytes: packet.data.into_owned(),
        });
    }
    Some(packets)
}

fn read_pcapng_by_pcap_file(bytes: &[u8]) -> Option<Vec<Packet>> {
    let mut reader = PcapNgReader::new(bytes).ok()?;
    let (mut link_types, mut packets) = (Vec::new(), Vec::new());
    while let Some(block) = reader.next_block() {
        let (interface, original_length, data) = match block.ok()? {
            Block::SectionHeader(_) => {
                link_types.clear();
                continue;
            }
            Block::InterfaceDescription(interface) => {
                link_types.push(u32::from(interface.linktype) as u16);
                continue;
            }
            Block::EnhancedPacket(packet) => {
                (packet.interface_id as usize, packet.original_len, packet.data)
            }
            Block::Packet(packet) => {
                (usize::from(packet.interface_id), packet.original_len, packet.data)
            }
            Block::SimplePacket(packet) => (0, packet.original_len, packet.data),
            _ => continue,
        };
        packets.push(Packet {
            link_type: *link_types.get(interface)?,
            time_us: 0,
            original_length,
            bytes: data.into_owned(),
        });
    }
    Some(packets)
}

/// Returns a file of the corpus without its compression.
pub fn unpacked(path: &Path) -> Vec<u8> {
    let bytes = fs::read(path).expect("the corpus can be read");
    if !bytes.starts_with(&[0x1F, 0x8B]) {
        return bytes;
    }
    let mut unpacked = Vec::new();
    flate2::read::MultiGzDecoder::new(&bytes[..])
        .read_to_end(&mut unpacked)
        .expect("the corpus holds whole gzip files");
    unpacked
}
