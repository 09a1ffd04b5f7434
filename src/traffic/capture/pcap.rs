//! Classic captures: a file header, then packets, each behind a record header.
//!
//! ```text
//! file    magic u32 | major u16 | minor u16 | zone i32 | accuracy u32 | snaplen u32 | link type u32
//! record  seconds u32 | fraction u32 | captured u32 | original u32 | data
//! ```
//!
//! Source: draft-ietf-opsawg-pcap-05; for the modified magic, libpcap, `sf-pcap.c` (read
//! 2026-11-20).

use super::record::{ByteOrder, CAPTURE_LENGTH_MAX, Fault, Packet, Records, Stop, Walk};

/// Walks over the records of one file.
#[derive(Debug, Default)]
pub(super) struct PcapWalker {
    header: Option<FileHeader>,
}

#[derive(Clone, Copy, Debug)]
struct FileHeader {
    order: ByteOrder,
    /// 24 in the modified format, which ends each header with an interface and a protocol.
    record_header_length: usize,
    ns_per_fraction: i64,
    link_type: u16,
    /// Before version 2.4 the original length stood first, or, by some writers, did not.
    has_either_order: bool,
}

impl PcapWalker {
    /// Takes whole records from the start of `bytes`, which stand at `offset` in the input.
    pub(super) fn walk(&mut self, bytes: &[u8], offset: u64, records: &mut Records) -> Walk {
        let (header, at) = match self.header {
            Some(header) => (header, 0),
            None if bytes.len() < FILE_HEADER_LENGTH => {
                let stop = Stop::Need { bytes: FILE_HEADER_LENGTH, inside: "the file header" };
                return Walk { length: 0, stop };
            }
            None => match FileHeader::parse(bytes) {
                Ok(header) => (header, FILE_HEADER_LENGTH),
                Err(fault) => {
                    records.push_fault(offset, fault);
                    return Walk { length: 0, stop: Stop::Damaged };
                }
            },
        };
        self.header = Some(header);
        walk_records(&header, bytes, at, offset, records)
    }

    /// Returns true once an input may end cleanly.
    pub(super) fn has_begun(&self) -> bool {
        self.header.is_some()
    }
}

const FILE_HEADER_LENGTH: usize = 24;

fn magic(bytes: [u8; 4]) -> Option<(ByteOrder, usize, i64)> {
    let of = |number| match number {
        0xA1B2_C3D4_u32 => Some((16, 1_000)),
        0xA1B2_3C4D => Some((16, 1)),
        0xA1B2_CD34 => Some((24, 1_000)),
        _ => None,
    };
    [ByteOrder::Little, ByteOrder::Big].into_iter().find_map(|order| {
        of(order.u32(&bytes, 0)).map(|(header_length, scale)| (order, header_length, scale))
    })
}

impl FileHeader {
    fn parse(bytes: &[u8]) -> Result<Self, Fault> {
        let first = [bytes[0], bytes[1], bytes[2], bytes[3]];
        let (order, record_header_length, ns_per_fraction) =
            magic(first).ok_or_else(|| Fault::Magic(u32::from_be_bytes(first)))?;
        let (major, minor) = (order.u16(bytes, 4), order.u16(bytes, 6));
        if major != 2 {
            return Err(Fault::Version { major, minor });
        }
        // The upper half tells whether frames end with a checksum, which no IP length covers.
        let link_type = (order.u32(bytes, 20) & 0xFFFF) as u16;
        let has_either_order = minor < 4;
        Ok(Self { order, record_header_length, ns_per_fraction, link_type, has_either_order })
    }

    /// Returns the captured and the original length.
    #[inline]
    fn lengths(&self, record: &[u8]) -> (u32, u32) {
        let (first, second) = (self.order.u32(record, 8), self.order.u32(record, 12));
        if self.has_either_order { (first.min(second), first.max(second)) } else { (first, second) }
    }
}

/// Lengths are taken as they stand, whatever the file header calls the snaplen: files with 0 there,
/// with longer records, and with packets that were longer on the wire are all common.
fn walk_records(
    header: &FileHeader,
    bytes: &[u8],
    mut at: usize,
    offset: u64,
    records: &mut Records,
) -> Walk {
    let order = header.order;
    loop {
        let Some(record) = bytes[at..].get(..header.record_header_length) else {
            let stop = Stop::Need { bytes: header.record_header_length, inside: "a record header" };
            return Walk { length: at, stop };
        };
        let (capture_length, original_length) = header.lengths(record);
        if capture_length > CAPTURE_LENGTH_MAX {
            records.push_fault(offset + at as u64, Fault::RecordLength(capture_length));
            return Walk { length: at, stop: Stop::Damaged };
        }
        let record_length = header.record_header_length + capture_length as usize;
        if bytes.len() - at < record_length {
            let stop = Stop::Need { bytes: record_length, inside: "a packet" };
            return Walk { length: at, stop };
        }
        if capture_length == 0 && original_length == 0 {
            records.push_fault(offset + at as u64, Fault::NoData);
        } else {
            records.packets.push(Packet {
                time_ns: i64::from(order.u32(record, 0)) * 1_000_000_000
                    + i64::from(order.u32(record, 4)) * header.ns_per_fraction,
                start: (at + header.record_header_length) as u32,
                capture_length,
                original_length,
                link_type: header.link_type,
                header_length: header.record_header_length as u16,
            });
        }
        at += record_length;
    }
}
