//! Whole logs through the reader and the decoder: each trap of the format by hand, then random
//! logs against a naive model.

mod cases;
mod model;
mod random;
mod usual;

use std::io::{self, ErrorKind, Read};

use super::{Decoder, FlowLogChunk, FlowLogReader};
use crate::traffic::{ChunkPart, Context, Damage, FlowBatch, NotApplicable, Tally, TextId};

/// A row as text, and what it shares with others.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Seen {
    record: u64,
    row: String,
    mac: Option<String>,
    acl_group: Option<String>,
    acl_rule: Option<String>,
    target: Option<String>,
    flow_log: Option<String>,
}

impl Seen {
    /// The same row; of what it shares, `self` may know less.
    fn is_less_told(&self, full: &Self) -> bool {
        let told = |less: &Option<String>, more: &Option<String>| less.is_none() || less == more;
        self.record == full.record
            && self.row == full.row
            && told(&self.mac, &full.mac)
            && told(&self.acl_group, &full.acl_group)
            && told(&self.acl_rule, &full.acl_rule)
            && told(&self.target, &full.target)
            && told(&self.flow_log, &full.flow_log)
    }
}

/// Everything that is known of an input.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Outcome {
    rows: Vec<Seen>,
    tally: Tally,
}

impl Outcome {
    fn rows(&self) -> Vec<&str> {
        self.rows.iter().map(|seen| seen.row.as_str()).collect()
    }

    /// Each kind of damage with its count and, if its place was kept, byte offset and detail.
    fn damages(&self) -> Vec<(Damage, u64, &str)> {
        let places = self.tally.first_damages();
        assert!(self.tally.damaged_total() as usize == places.len() || places.len() == 10);
        places.iter().map(|place| (place.damage, place.byte_offset, &*place.detail)).collect()
    }
}

fn read(bytes: &[u8]) -> Outcome {
    read_in(Pieces::new(bytes, usize::MAX), 1 << 20)
}

fn read_in(pieces: Pieces, chunk_bytes: usize) -> Outcome {
    read_in_parts(pieces, chunk_bytes, 1)
}

/// Decodes each part of a chunk as if it were a chunk.
fn read_in_parts(pieces: Pieces, chunk_bytes: usize, part_count: usize) -> Outcome {
    let mut reader = FlowLogReader::new(Box::new(pieces));
    let mut decoder = Decoder::default();
    let (mut chunk, mut batch, mut tally) =
        (FlowLogChunk::default(), FlowBatch::default(), Tally::default());
    let mut all = Outcome { rows: Vec::new(), tally: Tally::default() };
    while reader.fill(&mut chunk, chunk_bytes) {
        for index in 0..part_count {
            batch.clear();
            tally.clear();
            let part = ChunkPart { index, count: part_count };
            decoder.decode(&chunk, part, &mut batch, &mut tally);
            let left_out = tally.damaged_total() + tally.not_applicable_total();
            assert_eq!(tally.records_read, batch.len() as u64 + left_out, "the books balance");
            let before = all.tally.records_read;
            all.rows.extend((0..batch.len()).map(|index| see(&batch, index, before)));
            all.tally.absorb_next(&tally);
        }
    }
    assert!(!reader.fill(&mut chunk, chunk_bytes), "the end stays the end");
    all
}

fn see(batch: &FlowBatch, index: usize, before: u64) -> Seen {
    let row = batch.row(index);
    let Context { format, mac, acl_group, acl_rule, target_resource_id, flow_log_resource_id } =
        *batch.context(row.context);
    let text = |id: Option<TextId>| id.map(|id| batch.text(id).to_owned());
    let ports = row.ports.map_or("-".into(), |(from, to)| format!("{from}>{to}"));
    let counter = |value: Option<u64>| value.map_or("-".into(), |value| value.to_string());
    let counters = row.counters;
    assert!(!row.opens_connection);
    Seen {
        record: before + u64::from(row.record),
        row: format!(
            "{} {} {} {} {ports} {} {} {} {} {} {},{},{},{}",
            format.as_str(),
            row.time_ns,
            row.source,
            row.destination,
            row.protocol,
            row.direction.unwrap().as_str(),
            row.state.map_or("-", |state| state.as_str()),
            row.status.unwrap().as_str(),
            row.encryption.map_or("-", |word| batch.text(word)),
            counter(counters.packets_sent),
            counter(counters.bytes_sent),
            counter(counters.packets_received),
            counter(counters.bytes_received),
        ),
        mac: mac.map(|mac| mac.to_string()),
        acl_group: text(acl_group),
        acl_rule: text(acl_rule),
        target: text(target_resource_id),
        flow_log: text(flow_log_resource_id),
    }
}

/// Bytes handed out a few at a time, and an error at the end.
struct Pieces {
    bytes: io::Cursor<Vec<u8>>,
    size: usize,
    error: Option<ErrorKind>,
}

impl Pieces {
    fn new(bytes: &[u8], size: usize) -> Self {
        Self { bytes: io::Cursor::new(bytes.to_vec()), size, error: None }
    }

    fn failing(bytes: &[u8], error: ErrorKind) -> Self {
        Self { error: Some(error), ..Self::new(bytes, usize::MAX) }
    }
}

impl Read for Pieces {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let length = buffer.len().min(self.size);
        match (self.bytes.read(&mut buffer[..length])?, self.error) {
            (0, Some(kind)) => Err(io::Error::new(kind, "a broken pipe dream")),
            (length, _) => Ok(length),
        }
    }
}

fn assert_not_applicable(read: &Outcome, records: u64) {
    assert_eq!(read.tally.not_applicable(NotApplicable::OtherLogCategory), records);
}
