//! Files: every byte order and magic, every block, and damage at every place.

use std::io::{self, Read};

use super::build::{TCP, ethernet, ipv4, join, plain_frame, segment};
use crate::traffic::capture::{CaptureChunk, CaptureReader, Decoder, Tunnel};
use crate::traffic::{Damage, FlowBatch, NotApplicable, SourceFormat, Tally};

/// What a file gives: one line a row, and the books.
#[derive(Debug, PartialEq)]
struct Outcome {
    rows: Vec<String>,
    tally: Tally,
}

impl Outcome {
    /// The places of damage as `reason@offset #record`.
    fn damages(&self) -> Vec<String> {
        let places = self.tally.first_damages().iter();
        places
            .map(|place| {
                format!("{}@{} #{}", place.damage.as_str(), place.byte_offset, place.record)
            })
            .collect()
    }

    fn times(&self) -> Vec<i64> {
        self.rows.iter().map(|row| row.split(' ').next().unwrap().parse().unwrap()).collect()
    }
}

fn read_chunks(bytes: Box<dyn Read + Send>, chunk_bytes: usize) -> Outcome {
    let mut reader = CaptureReader::new(bytes);
    let mut decoder = Decoder::new(&Tunnel::DEFAULT);
    let (mut chunk, mut batch) = (CaptureChunk::default(), FlowBatch::default());
    let (mut tally, mut part) = (Tally::default(), Tally::default());
    let mut rows = Vec::new();
    while reader.fill(&mut chunk, chunk_bytes) {
        batch.clear();
        part.clear();
        decoder.decode(&chunk, &mut batch, &mut part);
        for index in 0..batch.len() {
            let row = batch.row(index);
            let record = tally.records_read + u64::from(row.record);
            assert_eq!(batch.context(row.context).format, reader.format());
            rows.push(format!(
                "{} #{record} {} {} {:?} {} {:?}",
                row.time_ns,
                row.source,
                row.destination,
                row.ports,
                row.protocol,
                row.counters.bytes_sent
            ));
        }
        part.classified = batch.len() as u64;
        part.assert_balanced();
        assert!(part.records_read > 0, "a chunk holds one record at least");
        tally.absorb_next(&part);
    }
    assert!(!reader.fill(&mut chunk, chunk_bytes), "the end stays the end");
    Outcome { rows, tally }
}

/// Reads a file in chunks of several sizes and from a reader that gives single bytes, which must
/// all agree.
fn read(file: &[u8]) -> Outcome {
    let whole = read_chunks(Box::new(io::Cursor::new(file.to_vec())), 1 << 20);
    for chunk_bytes in [0, 1, 7, 100, 4096, usize::MAX] {
        let other = read_chunks(Box::new(io::Cursor::new(file.to_vec())), chunk_bytes);
        assert_eq!(other, whole, "chunks of {chunk_bytes}");
        let other = read_chunks(Box::new(OneByte(file.to_vec(), 0)), chunk_bytes);
        assert_eq!(other, whole, "single bytes, chunks of {chunk_bytes}");
    }
    whole
}

struct OneByte(Vec<u8>, usize);

impl Read for OneByte {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let left = &self.0[self.1..];
        let count = left.len().min(buffer.len()).min(1);
        buffer[..count].copy_from_slice(&left[..count]);
        self.1 += count;
        Ok(count)
    }
}

/// Fails with `kind` after the bytes.
struct Failing(io::Cursor<Vec<u8>>, io::ErrorKind);

impl Read for Failing {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        match self.0.read(buffer)? {
            0 => Err(io::Error::new(self.1, "the disk says no")),
            count => Ok(count),
        }
    }
}

/// Writes numbers in one byte order.
#[derive(Clone, Copy, Debug)]
struct Writer {
    is_big: bool,
}

const LITTLE: Writer = Writer { is_big: false };
const BIG: Writer = Writer { is_big: true };

impl Writer {
    fn u16(self, number: u16) -> [u8; 2] {
        if self.is_big { number.to_be_bytes() } else { number.to_le_bytes() }
    }

    fn u32(self, number: u32) -> [u8; 4] {
        if self.is_big { number.to_be_bytes() } else { number.to_le_bytes() }
    }

    fn u32s(self, numbers: &[u32]) -> Vec<u8> {
        numbers.iter().flat_map(|&number| self.u32(number)).collect()
    }

    fn pcap(self, magic: u32, link_type: u32) -> Vec<u8> {
        let version = join(&[&self.u16(2), &self.u16(4)]);
        join(&[&self.u32(magic), &version, &self.u32s(&[0, 0, 0, link_type])])
    }

    fn record(self, seconds: u32, fraction: u32, original: u32, data: &[u8]) -> Vec<u8> {
        join(&[&self.u32s(&[seconds, fraction, data.len() as u32, original]), data])
    }

    fn block(self, kind: u32, body: &[u8]) -> Vec<u8> {
        let padding = &[0; 3][..body.len().next_multiple_of(4) - body.len()];
        let total = (12 + body.len() + padding.len()) as u32;
        join(&[&self.u32s(&[kind, total]), body, padding, &self.u32(total)])
    }

    fn section(self) -> Vec<u8> {
        let version = join(&[&self.u16(1), &self.u16(0)]);
        let body = join(&[&self.u32(0x1A2B_3C4D), &version, &[0xFF; 8]]);
        self.block(0x0A0D_0D0A, &body)
    }

    fn interface(self, link_type: u16, snap_length: u32, options: &[u8]) -> Vec<u8> {
        let link = join(&[&self.u16(link_type), &[0, 0]]);
        self.block(1, &join(&[&link, &self.u32(snap_length), options]))
    }

    fn option(self, code: u16, value: &[u8]) -> Vec<u8> {
        let padding = &[0; 3][..value.len().next_multiple_of(4) - value.len()];
        join(&[&self.u16(code), &self.u16(value.len() as u16), value, padding])
    }

    fn enhanced(self, interface: u32, time: u64, data: &[u8]) -> Vec<u8> {
        let length = data.len() as u32;
        let head = [interface, (time >> 32) as u32, time as u32, length, length];
        self.block(6, &join(&[&self.u32s(&head), data]))
    }

    fn simple(self, original: u32, data: &[u8]) -> Vec<u8> {
        self.block(3, &join(&[&self.u32(original), data]))
    }

    fn obsolete(self, interface: u16, time: u64, data: &[u8]) -> Vec<u8> {
        let length = data.len() as u32;
        let head = [(time >> 32) as u32, time as u32, length, length];
        self.block(2, &join(&[&self.u16(interface), &[0, 0], &self.u32s(&head), data]))
    }
}

#[test]
fn every_magic_is_read_in_both_byte_orders() {
    let frame = plain_frame();
    for writer in [LITTLE, BIG] {
        for (magic, unit_ns, has_tail) in
            [(0xA1B2_C3D4, 1_000, false), (0xA1B2_3C4D, 1, false), (0xA1B2_CD34, 1_000, true)]
        {
            let record = |seconds| {
                let mut record = writer.record(seconds, 7, 54, &frame);
                if has_tail {
                    record.splice(16..16, [0; 8]);
                }
                record
            };
            // Seconds have no sign: the last stands in the year 2106.
            let file = join(&[&writer.pcap(magic, 1), &record(1), &record(u32::MAX)]);
            let outcome = read(&file);
            let times = [1_000_000_000 + 7 * unit_ns, 4_294_967_295_000_000_000 + 7 * unit_ns];
            assert_eq!(outcome.times(), times, "{writer:?} {magic:x}");
            let row = " #0 10.0.0.4 10.1.0.5 Some((1000, 443)) 6 Some(54)";
            assert!(outcome.rows[0].ends_with(row), "{:?}", outcome.rows[0]);
        }
    }
}

#[test]
fn the_upper_half_of_the_link_type_does_not_count() {
    for link_type in [0x0400_0001, 0x3000_0001, 0xFFFF_0001] {
        let record = LITTLE.record(0, 0, 58, &join(&[&plain_frame(), &[9; 4]]));
        let outcome = read(&join(&[&LITTLE.pcap(0xA1B2_C3D4, link_type), &record]));
        assert!(outcome.rows[0].ends_with("Some(54)"), "{link_type:x}");
    }
}

#[test]
fn lengths_need_not_agree_with_the_snaplen_or_each_other() {
    // The snaplen of these headers is 0.
    let frame = plain_frame();
    let mut file = LITTLE.pcap(0xA1B2_C3D4, 1);
    file[16] = 34;
    for original in [0, 10, 54, 1500, u32::MAX] {
        file.extend(LITTLE.record(0, 0, original, &frame));
    }
    let outcome = read(&file);
    assert_eq!(outcome.rows.len(), 5);
    assert!(outcome.rows.iter().all(|row| row.ends_with("Some(54)")));
}

#[test]
fn old_versions_may_put_the_original_length_first() {
    for (minor, [first, second], want) in [
        (0, [1500, 34], Some("Some(54)")),
        (3, [1500, 34], Some("Some(54)")),
        (2, [34, 1500], Some("Some(54)")),
        (4, [34, 1500], Some("Some(54)")),
        // Since 2.4 the first is the captured one, and 1,500 bytes are not there.
        (4, [1500, 34], None),
    ] {
        let mut file = LITTLE.pcap(0xA1B2_C3D4, 1);
        file[6] = minor;
        file.extend(join(&[&LITTLE.u32s(&[0, 0, first, second]), &plain_frame()[..34]]));
        let outcome = read(&file);
        let bytes = outcome.rows.first().and_then(|row| row.split_once(" 6 "));
        assert_eq!(bytes.map(|(_, bytes)| bytes), want, "2.{minor} {first} {second}");
    }
}

#[test]
fn an_empty_capture_is_no_damage() {
    for file in [LITTLE.pcap(0xA1B2_C3D4, 1), BIG.section()] {
        assert_eq!(read(&file), Outcome { rows: vec![], tally: Tally::default() });
    }
}

#[test]
fn a_record_of_absurd_length_ends_a_classic_capture() {
    let header = LITTLE.pcap(0xA1B2_C3D4, 1);
    let frame = LITTLE.record(0, 0, 54, &plain_frame());
    let absurd = LITTLE.u32s(&[0, 0, 262_145, 60]);
    let outcome = read(&join(&[&header, &frame, &absurd, &frame]));
    assert_eq!(outcome.rows.len(), 1);
    assert_eq!(outcome.damages(), ["bad_block@94 #2"]);
    // One byte less is only a packet that is not all there.
    let largest = LITTLE.u32s(&[0, 0, 262_144, 60]);
    let outcome = read(&join(&[&header, &largest, &frame]));
    assert_eq!(outcome.damages(), ["truncated@24 #1"]);
    let whole = LITTLE.record(0, 0, 262_144, &[&plain_frame()[..], &[0; 262_090]].concat());
    assert_eq!(read(&join(&[&header, &whole, &frame])).rows.len(), 2);
}

#[test]
fn other_versions_are_named() {
    for (at, value) in [(4, 3), (4, 1), (5, 1)] {
        let mut file = LITTLE.pcap(0xA1B2_C3D4, 1);
        file[at] = value;
        file.extend(LITTLE.record(0, 0, 54, &plain_frame()));
        assert_eq!(read(&file).damages(), ["unsupported_version@0 #1"], "{at} {value}");
    }
    let mut file = BIG.section();
    file[13] = 2;
    assert_eq!(read(&file).damages(), ["unsupported_version@0 #1"]);
}

/// A file with most kinds of block, and how many rows it gives.
fn pcapng_sample(writer: Writer) -> Vec<u8> {
    let frame = plain_frame();
    let packet = ipv4(TCP, &segment());
    join(&[
        &writer.section(),
        &writer.interface(1, 0, &[]),
        &writer.interface(101, 0, &writer.option(9, &[9])),
        &writer.block(4, &[0; 20]),
        &writer.enhanced(0, 1_000_001, &frame),
        &writer.block(0x0BAD, &[1, 2, 3, 4, 5]),
        &writer.enhanced(1, 5_000_000_007, &packet),
        &writer.block(10, &[7; 30]),
        &writer.simple(54, &frame),
        &writer.obsolete(1, 6_000_000_008, &packet),
        &writer.block(5, &[0; 12]),
    ])
}

#[test]
fn every_packet_block_is_read_by_its_own_interface() {
    for writer in [LITTLE, BIG] {
        let outcome = read(&pcapng_sample(writer));
        // A simple packet has the time of the packet before it.
        let want = [1_000_001_000, 5_000_000_007, 5_000_000_007, 6_000_000_008];
        assert_eq!(outcome.times(), want, "{writer:?}");
        let row = "10.0.0.4 10.1.0.5 Some((1000, 443)) 6 Some(54)";
        assert!(outcome.rows.iter().all(|line| line.ends_with(row)), "{:?}", outcome.rows);
        assert_eq!(outcome.tally.damaged_total(), 0);
    }
}

#[test]
fn each_section_has_its_byte_order_interfaces_and_time() {
    let file = join(&[
        &pcapng_sample(LITTLE),
        &BIG.section(),
        &BIG.interface(101, 0, &[]),
        &BIG.simple(40, &ipv4(TCP, &segment())),
        &BIG.enhanced(1, 0, &plain_frame()),
        &pcapng_sample(LITTLE),
    ]);
    let outcome = read(&file);
    assert_eq!(outcome.rows.len(), 9);
    assert_eq!(outcome.times()[4], 0);
    assert_eq!(outcome.tally.damaged(Damage::BadBlock), 1);
}

#[test]
fn timestamps_are_nanoseconds_whatever_the_clock() {
    let resolution = |value: u8| BIG.option(9, &[value]);
    let offset = |seconds: i64| BIG.option(14, &seconds.to_be_bytes());
    for (options, time, want) in [
        (vec![], 5, 5_000),
        (resolution(0), 5, 5_000_000_000),
        (resolution(3), 5, 5_000_000),
        (resolution(9), 5, 5),
        (resolution(10), 59, 5),
        (resolution(12), 5_999, 5),
        (resolution(28), u64::MAX, 1),
        (resolution(29), u64::MAX, 0),
        (resolution(127), u64::MAX, 0),
        (resolution(0x80), 5, 5_000_000_000),
        (resolution(0x80 | 1), 5, 2_500_000_000),
        (resolution(0x80 | 30), 1 << 30, 1_000_000_000),
        (resolution(0x80 | 127), u64::MAX, 0),
        // Saturation at both ends.
        (resolution(0), u64::MAX, i64::MAX),
        (offset(i64::MAX), 0, i64::MAX),
        (offset(i64::MIN), u64::MAX, i64::MIN),
        ([resolution(9), offset(-2)].concat(), 7, -1_999_999_993),
        // Options before, and an end with more behind it.
        ([BIG.option(2, b"eth0"), resolution(9), BIG.option(0, &[]), resolution(0)].concat(), 7, 7),
        // A length that the option cannot have.
        (BIG.option(9, &[9, 9]), 7, 7_000),
    ] {
        let file = join(&[
            &BIG.section(),
            &BIG.interface(1, 0, &options),
            &BIG.enhanced(0, time, &plain_frame()),
        ]);
        assert_eq!(read(&file).times(), [want], "{options:?} {time}");
    }
    let file = join(&[
        &LITTLE.section(),
        &LITTLE.interface(1, 0, &LITTLE.option(14, &(-3_i64).to_le_bytes())),
        &LITTLE.enhanced(0, 1, &plain_frame()),
    ]);
    assert_eq!(read(&file).times(), [-2_999_999_000]);
}

#[test]
fn a_simple_packet_is_as_long_as_its_limits_allow() {
    let frame = plain_frame();
    let rows = |snap_length, original, data: &[u8]| {
        let interface = LITTLE.interface(1, snap_length, &[]);
        let file = join(&[&LITTLE.section(), &interface, &LITTLE.simple(original, data)]);
        read(&file).rows.pop().unwrap()
    };
    assert!(rows(0, 54, &frame).contains("Some((1000, 443))"));
    assert!(rows(1000, 2000, &frame).contains("Some((1000, 443))"));
    // The padding of the block is not the packet's.
    assert!(rows(37, 54, &frame[..37]).contains("None 6 Some(54)"));
}

#[test]
fn a_block_that_lies_is_counted_and_the_next_one_read() {
    let frame = LITTLE.enhanced(0, 0, &plain_frame());
    let cases: [(Vec<u8>, &str); 7] = [
        (LITTLE.enhanced(1, 0, &plain_frame()), "bad_block"),
        (LITTLE.enhanced(u32::MAX, 0, &plain_frame()), "bad_block"),
        (LITTLE.block(6, &[0; 16]), "bad_block"),
        (LITTLE.block(3, &[]), "bad_block"),
        (LITTLE.block(6, &LITTLE.u32s(&[0, 0, 0, 5, 5, 0])), "bad_block"),
        (LITTLE.block(1, &[1, 0, 0, 0]), "bad_block"),
        (LITTLE.interface(1, 0, &LITTLE.u32s(&[0xFFFF_0002])), "bad_block"),
    ];
    for (block, want) in cases {
        let start = join(&[&LITTLE.section(), &LITTLE.interface(1, 0, &[]), &frame]);
        let outcome = read(&join(&[&start, &block, &frame]));
        assert_eq!(outcome.rows.len(), 2, "{block:?}");
        assert_eq!(outcome.damages(), [format!("{want}@{} #2", start.len())], "{block:?}");
    }
}

#[test]
fn an_interface_that_cannot_be_read_keeps_its_number() {
    let file = join(&[
        &LITTLE.section(),
        &LITTLE.block(1, &[]),
        &LITTLE.interface(101, 0, &[]),
        &LITTLE.enhanced(1, 0, &ipv4(TCP, &segment())),
        &LITTLE.enhanced(0, 0, &plain_frame()),
    ]);
    let outcome = read(&file);
    assert_eq!(outcome.rows.len(), 1);
    assert_eq!(outcome.tally.damaged(Damage::BadBlock), 2);
}

#[test]
fn a_packet_without_data_is_none() {
    let empty = LITTLE.block(6, &LITTLE.u32s(&[0, 0, 0, 0, 60]));
    let file = join(&[&LITTLE.section(), &LITTLE.interface(1, 0, &[]), &empty, &empty]);
    let outcome = read(&file);
    assert_eq!(outcome.tally.not_applicable(NotApplicable::NoDataBlock), 2);
    assert_eq!((outcome.tally.records_read, outcome.tally.damaged_total()), (2, 0));
    // A classic record of a packet that was cut to nothing is cut, one of no packet is none.
    let header = LITTLE.pcap(0xA1B2_C3D4, 1);
    let file = join(&[&header, &LITTLE.record(0, 0, 60, &[]), &LITTLE.record(0, 0, 0, &[])]);
    let outcome = read(&file);
    assert_eq!(outcome.damages(), ["truncated@24 #1"]);
    assert_eq!(outcome.tally.not_applicable(NotApplicable::NoDataBlock), 1);
}

#[test]
fn damage_to_the_framing_ends_the_capture_where_it_stands() {
    let good =
        join(&[&BIG.section(), &BIG.interface(1, 0, &[]), &BIG.enhanced(0, 0, &plain_frame())]);
    let mut other_length = BIG.enhanced(0, 0, &plain_frame());
    *other_length.last_mut().unwrap() += 4;
    let mut no_section = BIG.section();
    no_section[8] = 0;
    for bad in [
        other_length,
        BIG.u32s(&[6, 11, 0]),
        BIG.u32s(&[6, 0, 0]),
        no_section,
        BIG.block(0x0A0D_0D0A, &BIG.u32s(&[0x1A2B_3C4D, 0x0001_0000])),
        BIG.u32s(&[0x0A0D_0D0A, u32::MAX, 0x1A2B_3C4D, 0x0001_0000]),
    ] {
        let outcome = read(&join(&[&good, &bad, &good]));
        assert_eq!(outcome.rows.len(), 1, "{bad:?}");
        assert_eq!(outcome.damages(), [format!("bad_block@{} #2", good.len())], "{bad:?}");
    }
}

#[test]
fn a_large_block_is_skipped_and_a_claimed_one_is_not_believed() {
    let good = join(&[&LITTLE.section(), &LITTLE.interface(1, 0, &[])]);
    let frame = LITTLE.enhanced(0, 0, &plain_frame());
    let limit = 16 << 20;
    let largest = LITTLE.block(0x0BAD, &vec![0; limit - 12]);
    let larger = LITTLE.block(0x0BAD, &vec![0; limit - 8]);
    let read = |file: &[u8]| read_chunks(Box::new(io::Cursor::new(file.to_vec())), 4096);
    assert_eq!(read(&join(&[&good, &frame, &largest, &frame])).damages(), [""; 0]);
    let outcome = read(&join(&[&good, &frame, &larger, &frame]));
    assert_eq!(outcome.rows.len(), 2);
    let start = good.len() + frame.len();
    assert_eq!(outcome.damages(), [format!("record_too_large@{start} #2")]);
    let other =
        read_chunks(Box::new(io::Cursor::new(join(&[&good, &frame, &larger, &frame]))), 64 << 20);
    assert_eq!(other, outcome);
    let mut lying = larger.clone();
    *lying.last_mut().unwrap() ^= 1;
    let outcome = read(&join(&[&good, &frame, &lying, &frame]));
    assert_eq!(outcome.damages(), [format!("bad_block@{start} #2")]);
    for claim in [17 << 20, u32::MAX] {
        let claimed = LITTLE.u32s(&[6, claim, 0, 0, 0, claim, claim]);
        let outcome = read(&join(&[&good, &frame, &claimed, &[0; 900]]));
        assert_eq!(outcome.rows.len(), 1);
        assert_eq!(outcome.damages(), [format!("truncated@{start} #2")]);
    }
    // A packet over its own limit in a block within the block's.
    let packet = LITTLE.enhanced(0, 0, &vec![0; 262_145]);
    let outcome = read(&join(&[&good, &packet, &frame]));
    assert_eq!(outcome.rows.len(), 1);
    assert_eq!(outcome.damages(), [format!("record_too_large@{} #1", good.len())]);
}

#[test]
fn an_input_that_fails_is_damaged_by_the_kind_of_failure() {
    let good = join(&[&LITTLE.pcap(0xA1B2_C3D4, 1), &LITTLE.record(0, 0, 54, &plain_frame())]);
    for (kind, reason) in
        [(io::ErrorKind::UnexpectedEof, "truncated"), (io::ErrorKind::InvalidData, "bad_block")]
    {
        for extra in [0, 5, 20] {
            let file = join(&[&good, &LITTLE.record(0, 0, 54, &plain_frame())[..extra]]);
            for chunk_bytes in [1, 60, 1 << 20] {
                let bytes = Box::new(Failing(io::Cursor::new(file.clone()), kind));
                let outcome = read_chunks(bytes, chunk_bytes);
                assert_eq!(outcome.rows.len(), 1);
                assert_eq!(outcome.damages(), [format!("{reason}@94 #2")]);
                assert!(outcome.tally.first_damages()[0].detail.contains("the disk says no"));
            }
        }
    }
}

#[test]
fn a_file_cut_anywhere_gives_the_rows_before_the_cut() {
    let frame = plain_frame();
    let classic = join(&[
        &BIG.pcap(0xA1B2_3C4D, 1),
        &BIG.record(1, 2, 54, &frame),
        &BIG.record(3, 4, 42, &ethernet(0x0806, &[0; 28])),
        &BIG.record(5, 6, 54, &frame),
    ]);
    for (file, records) in [(classic, 3), (pcapng_sample(LITTLE), 4)] {
        let full = read(&file);
        assert_eq!(full.tally.records_read, records);
        for length in 0..file.len() {
            let cut = read_chunks(Box::new(io::Cursor::new(file[..length].to_vec())), 64);
            assert_eq!(cut.rows, full.rows[..cut.rows.len()], "cut at {length}");
            let damaged = cut.tally.damaged_total();
            assert_eq!(damaged, cut.tally.damaged(Damage::Truncated), "cut at {length}");
            assert!(damaged <= 1, "cut at {length}");
            // The cut itself is a record, also in a block that is none.
            assert!(cut.tally.records_read - damaged <= records, "cut at {length}");
        }
    }
}

#[test]
fn no_flipped_bit_makes_a_reader_panic_or_the_books_wrong() {
    for file in [
        join(&[&LITTLE.pcap(0xA1B2_C3D4, 1), &LITTLE.record(0, 0, 54, &plain_frame()).repeat(3)]),
        pcapng_sample(BIG),
    ] {
        for bit in 0..file.len() * 8 {
            let mut damaged = file.clone();
            damaged[bit / 8] ^= 1 << (bit % 8);
            read_chunks(Box::new(io::Cursor::new(damaged)), 64);
        }
    }
}

#[test]
fn the_format_is_known_before_the_first_chunk() {
    let format = |file: Vec<u8>| CaptureReader::new(Box::new(io::Cursor::new(file))).format();
    assert_eq!(format(BIG.section()), SourceFormat::Pcapng);
    assert_eq!(format(BIG.pcap(0xA1B2_C3D4, 1)), SourceFormat::Pcap);
}
