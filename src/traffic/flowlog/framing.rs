//! A stream of JSON, however its records are held together → chunks of whole records.
//!
//! ```text
//! {"records":[ R , R ]}     a blob as Azure commits it, on one line or pretty-printed
//! {"records":[ R , R        … without its closer, or  {"records":[,  glued before a delta
//! , R , R ]}                a delta read: the blocks added since the last one
//! [ R , R ]                 a bare array
//! R ⏎ R ⏎                   one record a line
//! {"a":1,"Records":[R],"b":2}{"records":[{"records":[R]}]}     wrappers, nested and in a row
//! ```
//!
//! All of these are sound, and none counts as damage. So brackets between records are matched
//! loosely: what matters is that every `R` is found once, whole and in order. An object is taken
//! for a record until it turns out to hold an array `records`; then it is a wrapper, and what was
//! kept of it is dropped.
//!
//! Memory is flat: one buffer, and one chunk, which grows past its size only for one record of at
//! most [`MAX_RECORD_BYTES`].
//!
//! Source: "Read flow logs", Azure Network Watcher documentation (read 2026-11-20): a blob is
//! made of a first block `{"records":[`, data blocks that start with a comma, and a last block `]}`.

use std::fmt;
use std::io::{ErrorKind, Read};

use super::lexer::{Event, Lexer};
use crate::traffic::{ChunkPart, Damage};

/// The longest record that is decoded. One record holds one minute of one NIC; a longer one is
/// passed over.
pub(in crate::traffic) const MAX_RECORD_BYTES: u64 = 64 << 20;

/// How deep brackets may nest inside a record, and wrappers around it. A flow-log record has 7.
pub(in crate::traffic) const MAX_DEPTH: usize = 128;

/// Cuts a flow log into chunks of whole records.
pub(in crate::traffic) struct FlowLogReader {
    input: Box<dyn Read + Send>,
    buffer: Box<[u8]>,
    /// The bytes of the buffer that are still to be read.
    start: usize,
    end: usize,
    /// Where `start` stands in the input.
    offset: u64,
    /// The brackets around the next record.
    around: Vec<Around>,
    state: State,
    is_done: bool,
}

/// Whole records of one flow log.
#[derive(Debug, Default)]
pub(in crate::traffic) struct FlowLogChunk {
    bytes: Vec<u8>,
    units: Vec<Unit>,
}

/// What a chunk holds, in the order of the input.
#[derive(Debug)]
pub(in crate::traffic) enum Unit {
    /// An object that may be a log record.
    Record(RecordUnit),
    /// A stretch of the input without one.
    Damage { damage: Damage, offset: u64, detail: String },
}

/// One object of the input.
#[derive(Debug)]
pub(in crate::traffic) struct RecordUnit {
    start: usize,
    end: usize,
    /// Where it starts in the input.
    pub(in crate::traffic) offset: u64,
    /// Why its end is missing.
    pub(in crate::traffic) cut: Option<Cut>,
}

/// Why the input ended inside a record.
#[derive(Debug, PartialEq, Eq)]
pub(in crate::traffic) struct Cut {
    pub(in crate::traffic) damage: Damage,
    pub(in crate::traffic) detail: String,
}

impl FlowLogReader {
    const BUFFER_BYTES: usize = 64 << 10;

    /// Reads from the first byte.
    pub(in crate::traffic) fn new(bytes: Box<dyn Read + Send>) -> Self {
        Self {
            input: bytes,
            buffer: vec![0; Self::BUFFER_BYTES].into_boxed_slice(),
            start: 0,
            end: 0,
            offset: 0,
            around: Vec::new(),
            state: State::Between { mark_bytes: 0 },
            is_done: false,
        }
    }

    /// Fills `chunk` with the records of about `chunk_bytes` of input, one at least; false at the
    /// end.
    pub(in crate::traffic) fn fill(
        &mut self,
        chunk: &mut FlowLogChunk,
        chunk_bytes: usize,
    ) -> bool {
        chunk.bytes.clear();
        chunk.units.clear();
        let enough = self.offset.saturating_add(chunk_bytes as u64);
        while !self.is_done {
            let may_stop = !chunk.units.is_empty() && !self.is_in_record();
            if may_stop && self.offset >= enough {
                break;
            }
            if self.start == self.end {
                self.read_more(chunk);
            } else {
                self.advance(chunk);
            }
        }
        !chunk.units.is_empty()
    }

    fn is_in_record(&self) -> bool {
        matches!(&self.state, State::Within(value) if value.role != Role::WrapperTail)
    }

    fn read_more(&mut self, chunk: &mut FlowLogChunk) {
        match self.input.read(&mut self.buffer) {
            Ok(0) => self.finish(chunk, None),
            Ok(length) => (self.start, self.end) = (0, length),
            Err(error) if error.kind() == ErrorKind::Interrupted => {}
            Err(error) => self.finish(chunk, Some(Cut::from_error(&error))),
        }
    }

    /// Takes bytes of the buffer up to the next change of state, or all of them.
    fn advance(&mut self, chunk: &mut FlowLogChunk) {
        let bytes = &self.buffer[self.start..self.end];
        let taken = match &mut self.state {
            State::Between { mark_bytes } => {
                let (skipped, found) = skip_separators(bytes, mark_bytes);
                let offset = self.offset + skipped as u64;
                match found {
                    None => skipped,
                    Some(byte) => {
                        self.enter(byte, offset, chunk);
                        skipped + 1
                    }
                }
            }
            State::Within(value) => {
                let (taken, event) = value.take(bytes, chunk);
                self.leave(event, chunk);
                taken
            }
        };
        self.start += taken;
        self.offset += taken as u64;
    }

    /// Acts on the first byte between records that is no separator.
    fn enter(&mut self, byte: u8, offset: u64, chunk: &mut FlowLogChunk) {
        let is_in_wrapper = self.around.last() == Some(&Around::Wrapper);
        match byte {
            b'"' if is_in_wrapper => self.state = State::Within(Value::wrapper_tail(offset)),
            b'{' | b'[' if is_in_wrapper => {
                // The wrapper lacks its closer.
                self.around.pop();
                self.enter(byte, offset, chunk);
            }
            b'{' => self.state = State::Within(Value::record(offset, chunk)),
            b'[' if self.around.len() < MAX_DEPTH => self.around.push(Around::Array),
            b'[' => self.state = State::Within(Value::too_deep(offset, chunk)),
            b']' => {
                self.around.pop_if(|around| *around == Around::Wrapper);
                self.around.pop_if(|around| *around == Around::Array);
            }
            b'}' => {
                self.around.pop_if(|around| *around == Around::Array);
                self.around.pop_if(|around| *around == Around::Wrapper);
            }
            _ => {
                let detail = format!("byte {byte:#04x} where a record should start");
                chunk.push_damage(Damage::MalformedRecord, offset, detail);
                self.is_done = true;
            }
        }
    }

    /// Acts on what happened inside an object.
    fn leave(&mut self, event: Event, chunk: &mut FlowLogChunk) {
        let State::Within(value) = &mut self.state else { return };
        let is_wrapper = value.role == Role::WrapperTail;
        match event {
            Event::NeedsMore => return,
            Event::OpenedRecords if is_wrapper => self.around.push(Around::Array),
            Event::OpenedRecords if self.around.len() + 2 > MAX_DEPTH => {
                value.lexer.descend();
                value.give_up(Damage::NestingTooDeep, chunk);
                return;
            }
            Event::OpenedRecords => {
                chunk.bytes.truncate(value.start);
                self.around.extend([Around::Wrapper, Around::Array]);
            }
            // Where the wrapper should have ended, another document starts; it is not taken yet.
            Event::LacksCloser | Event::Closed if is_wrapper => {
                self.around.pop();
            }
            Event::LacksCloser | Event::Closed => value.deliver(None, chunk),
        }
        self.state = State::Between { mark_bytes: 0 };
    }

    /// Ends the input. Without an error only an open record is damage: what closes the wrappers
    /// holds nothing.
    fn finish(&mut self, chunk: &mut FlowLogChunk, error: Option<Cut>) {
        self.is_done = true;
        match (&mut self.state, error) {
            (State::Within(value), error) if value.role != Role::WrapperTail => {
                value.deliver(Some(error.unwrap_or_else(Cut::end_of_input)), chunk);
            }
            (_, Some(cut)) => chunk.push_damage(cut.damage, self.offset, cut.detail),
            (_, None) => {}
        }
    }
}

impl FlowLogChunk {
    pub(in crate::traffic) fn units(&self) -> &[Unit] {
        &self.units
    }

    /// Returns the units that begin in a part of the bytes; each is in one part.
    pub(in crate::traffic) fn units_of(&self, part: ChunkPart) -> &[Unit] {
        let (Some(first), Some(last)) = (self.units.first(), self.units.last()) else { return &[] };
        let (start, length) = (first.offset(), last.offset() - first.offset() + 1);
        let place_of = |unit: &Unit| {
            let place = u128::from(unit.offset() - start) * part.count as u128 / u128::from(length);
            place as usize
        };
        let begin = self.units.partition_point(|unit| place_of(unit) < part.index);
        let end = self.units.partition_point(|unit| place_of(unit) <= part.index);
        &self.units[begin..end]
    }

    /// Returns the bytes of a record of this chunk, from its opening bracket.
    pub(in crate::traffic) fn bytes_of(&self, record: &RecordUnit) -> &[u8] {
        &self.bytes[record.start..record.end]
    }

    fn push_damage(&mut self, damage: Damage, offset: u64, detail: String) {
        self.units.push(Unit::Damage { damage, offset, detail });
    }
}

impl Unit {
    fn offset(&self) -> u64 {
        match self {
            Self::Record(record) => record.offset,
            Self::Damage { offset, .. } => *offset,
        }
    }
}

impl Cut {
    fn end_of_input() -> Self {
        Self { damage: Damage::Truncated, detail: "the input ends inside this record".into() }
    }

    fn from_error(error: &std::io::Error) -> Self {
        let damage = match error.kind() {
            ErrorKind::UnexpectedEof => Damage::Truncated,
            _ => Damage::BadBlock,
        };
        Self { damage, detail: error.to_string() }
    }
}

impl fmt::Debug for FlowLogReader {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("FlowLogReader").field("offset", &self.offset).finish_non_exhaustive()
    }
}

/// A bracket that records stand in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Around {
    /// An array of records.
    Array,
    /// An object whose member `records` is the array above it.
    Wrapper,
}

enum State {
    /// Between records; so many bytes of a byte order mark were read.
    Between { mark_bytes: usize },
    /// Inside an object.
    Within(Value),
}

/// An object on its way through.
struct Value {
    role: Role,
    lexer: Lexer,
    /// Where it starts in the input.
    offset: u64,
    /// Where it starts in the chunk.
    start: usize,
    length: u64,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Role {
    /// Kept, until it turns out to be a wrapper.
    Record,
    /// Passed over, as it is past a limit.
    LeftOut(Damage),
    /// The members behind the array of a wrapper: passed over.
    WrapperTail,
}

impl Value {
    fn record(offset: u64, chunk: &mut FlowLogChunk) -> Self {
        let start = chunk.bytes.len();
        chunk.bytes.push(b'{');
        Self { role: Role::Record, lexer: Lexer::new(), offset, start, length: 1 }
    }

    fn too_deep(offset: u64, chunk: &FlowLogChunk) -> Self {
        let role = Role::LeftOut(Damage::NestingTooDeep);
        Self { role, lexer: Lexer::new(), offset, start: chunk.bytes.len(), length: 1 }
    }

    fn wrapper_tail(offset: u64) -> Self {
        Self { role: Role::WrapperTail, lexer: Lexer::at_name(), offset, start: 0, length: 1 }
    }

    fn take(&mut self, bytes: &[u8], chunk: &mut FlowLogChunk) -> (usize, Event) {
        let (taken, event) = self.lexer.run(bytes);
        self.length += taken as u64;
        if self.role == Role::Record {
            chunk.bytes.extend_from_slice(&bytes[..taken]);
            if self.lexer.deepest() > MAX_DEPTH as u64 {
                self.give_up(Damage::NestingTooDeep, chunk);
            } else if self.length > MAX_RECORD_BYTES {
                self.give_up(Damage::RecordTooLarge, chunk);
            }
        }
        (taken, event)
    }

    fn give_up(&mut self, damage: Damage, chunk: &mut FlowLogChunk) {
        if self.role == Role::Record {
            chunk.bytes.truncate(self.start);
            self.role = Role::LeftOut(damage);
        }
    }

    /// Hands the record, or the reason why it was left out, to the chunk. A record is counted
    /// once, whether or not it was also cut.
    fn deliver(&mut self, cut: Option<Cut>, chunk: &mut FlowLogChunk) {
        let Self { offset, start, length, .. } = *self;
        match self.role {
            Role::Record => {
                let end = chunk.bytes.len();
                chunk.units.push(Unit::Record(RecordUnit { start, end, offset, cut }));
            }
            Role::LeftOut(damage) => {
                let detail = match damage {
                    Damage::NestingTooDeep => format!("brackets nest deeper than {MAX_DEPTH}"),
                    _ => format!("{length} bytes, of at most {MAX_RECORD_BYTES}"),
                };
                chunk.push_damage(damage, offset, detail);
            }
            Role::WrapperTail => {}
        }
    }
}

/// Passes over commas, white space and byte order marks (each file of a concatenation may have
/// one). Returns how many bytes, and the byte that is none of these.
fn skip_separators(bytes: &[u8], mark_bytes: &mut usize) -> (usize, Option<u8>) {
    const MARK: &[u8] = b"\xEF\xBB\xBF";
    for (index, &byte) in bytes.iter().enumerate() {
        match byte {
            _ if byte == MARK[*mark_bytes] => *mark_bytes = (*mark_bytes + 1) % MARK.len(),
            b' ' | b'\t' | b'\r' | b'\n' | b',' if *mark_bytes == 0 => {}
            _ if *mark_bytes > 0 => {
                return (index, Some(MARK[*mark_bytes - 1]));
            }
            _ => return (index, Some(byte)),
        }
    }
    (bytes.len(), None)
}
