//! Reading any input in several ways that must agree.

use std::io::{self, Cursor, Read};

use nexthop::traffic::capture::Tunnel;
use nexthop::traffic::{
    Chunk, DecodeOptions, Decoder, FlowBatch, ReadOptions, Tally, TrafficReader,
};

/// What was read: one line of text for each row, and the books.
#[derive(Debug, PartialEq)]
pub struct Outcome {
    pub rows: Vec<String>,
    pub tally: Tally,
}

impl Outcome {
    fn assert_equals(&self, other: &Self, how: &str) {
        assert_eq!(other.rows, self.rows, "{how}");
        let mut tally = other.tally.clone();
        if tally.damaged_total() > 0 {
            // Damage may end an input before its end, and larger chunks have read on by then.
            tally.bytes_read = self.tally.bytes_read;
        }
        assert_eq!(tally, self.tally, "{how}");
    }
}

const CHUNK_BYTES: [usize; 4] = [1, 7, 64, 4096];
const TUNNELS: [Tunnel; 6] = [
    Tunnel::Vxlan { port: 4789 },
    Tunnel::Vxlan { port: 10800 },
    Tunnel::Gre,
    Tunnel::IpInIp,
    Tunnel::Geneve,
    Tunnel::Mpls,
];

/// Picks a size of chunks.
pub fn chunk_bytes(option: u8) -> usize {
    CHUNK_BYTES[usize::from(option) % CHUNK_BYTES.len()]
}

/// Picks tunnels, one for each bit.
pub fn tunnels(option: u8) -> Vec<Tunnel> {
    let is_picked = |(bit, _): &(usize, &Tunnel)| option >> bit & 1 == 1;
    TUNNELS.iter().enumerate().filter(is_picked).map(|(_, tunnel)| *tunnel).collect()
}

/// Reads an input whole, in small chunks, and as it trickles in; all must be one.
pub fn assert_one_reading(input: &[u8], chunk_bytes: usize, tunnels: &[Tunnel]) -> Outcome {
    let whole = read(Box::new(Cursor::new(input.to_vec())), 1 << 20, tunnels);
    assert!(whole.tally.bytes_read <= input.len() as u64);
    let is_read_to_its_end = whole.tally.bytes_read == input.len() as u64;
    assert!(is_read_to_its_end || whole.tally.damaged_total() > 0, "the rest was left out");
    let chunked = read(Box::new(Cursor::new(input.to_vec())), chunk_bytes, tunnels);
    whole.assert_equals(&chunked, "in small chunks");
    let trickled = read(Box::new(Trickle(Cursor::new(input.to_vec()))), chunk_bytes, tunnels);
    whole.assert_equals(&trickled, "as it trickles in");
    whole
}

/// Reads an input; each chunk is decoded twice, by a decoder that is warm and by a new one.
pub fn read(input: Box<dyn Read + Send>, chunk_bytes: usize, tunnels: &[Tunnel]) -> Outcome {
    let options = DecodeOptions { decapsulate: tunnels.to_vec() };
    let mut reader = TrafficReader::open(input, ReadOptions { chunk_bytes });
    let mut warm = Decoder::new(&options);
    let mut chunk = Chunk::default();
    let (mut batch, mut tally) = (FlowBatch::default(), Tally::default());
    let mut outcome = Outcome { rows: Vec::new(), tally: Tally::default() };
    while reader.fill(&mut chunk) {
        batch.clear();
        tally.clear();
        warm.decode(&chunk, &mut batch, &mut tally);
        let records_before = outcome.tally.records_read;
        let rows = rows_of(&batch, records_before);
        let (mut again, mut tally_again) = (FlowBatch::default(), Tally::default());
        Decoder::new(&options).decode(&chunk, &mut again, &mut tally_again);
        assert_eq!((rows_of(&again, records_before), &tally_again), (rows.clone(), &tally));
        outcome.rows.extend(rows);
        tally.classified = batch.len() as u64;
        tally.assert_balanced();
        outcome.tally.absorb_next(&tally);
    }
    assert!(!reader.fill(&mut chunk), "there is more behind the end");
    outcome.tally.assert_balanced();
    outcome.tally.bytes_read = reader.bytes_read();
    outcome
}

/// Everything about a row but its place in the chunk, which chunks of another size change.
fn rows_of(batch: &FlowBatch, records_before: u64) -> Vec<String> {
    let text = |id: Option<_>| id.map(|id| batch.text(id));
    (0..batch.len())
        .map(|index| {
            let row = batch.row(index);
            let context = batch.context(row.context);
            format!(
                "{} {} {} {} {:?} {} {} {:?} {:?} {:?} {:?} {:?} {:?} {:?} {:?} {:?} {:?} {:?}",
                records_before + u64::from(row.record),
                row.time_ns,
                row.source,
                row.destination,
                row.ports,
                row.protocol,
                row.opens_connection,
                row.counters,
                row.direction,
                row.state,
                row.status,
                text(row.encryption),
                context.format,
                context.mac,
                text(context.acl_group),
                text(context.acl_rule),
                text(context.target_resource_id),
                text(context.flow_log_resource_id),
            )
        })
        .collect()
}

/// An input of which every look gives one byte.
struct Trickle(Cursor<Vec<u8>>);

impl Read for Trickle {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let length = buffer.len().min(1);
        self.0.read(&mut buffer[..length])
    }
}
