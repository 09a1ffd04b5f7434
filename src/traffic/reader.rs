//! Any input as chunks of whole records, and any chunk as rows.

use std::io::Read;

use super::capture::{self, CaptureChunk, CaptureReader, PacketSink};
use super::flowlog::{self, FlowLogChunk, FlowLogReader};
use super::input::Source;
use super::{FlowBatch, SourceFormat, Tally, TupleSink};

/// Cuts one input into chunks.
///
/// Gzip and Zstandard are unpacked, and the format is recognised, by content and never by name.
/// Reading cannot fail: damage to the framing ends the input, and the last chunk carries the
/// damage to the books.
pub struct TrafficReader {
    kind: Kind,
    source_bytes: super::input::ByteCount,
    options: ReadOptions,
}

/// How inputs are cut.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ReadOptions {
    /// About how many bytes a chunk holds; one record at least. The result does not depend on it.
    pub chunk_bytes: usize,
}

/// Whole records of one input.
///
/// Reused: filling a chunk again keeps its memory.
#[derive(Debug, Default)]
pub struct Chunk {
    capture: CaptureChunk,
    flow_log: FlowLogChunk,
    holds: Holds,
}

/// One of several parts of a chunk that are decoded apart, for threads that one chunk must keep busy.
///
/// The parts of a chunk, in their order, hold all of its records, each in one part. A capture's chunk
/// has them all in its first.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ChunkPart {
    /// Which part, from 0.
    pub index: usize,
    /// How many parts there are, 1 at least.
    pub count: usize,
}

/// Turns chunks into rows.
///
/// Holds the working memory of one thread; no chunk depends on another.
#[derive(Debug)]
pub struct Decoder {
    capture: capture::Decoder,
    flow_log: flowlog::Decoder,
}

/// How packets are decoded.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DecodeOptions {
    /// The tunnels whose inner packet counts.
    pub decapsulate: Vec<capture::Tunnel>,
}

impl TrafficReader {
    /// Recognises an input and stands before its first record.
    ///
    /// An input that nothing recognises gives one chunk, whose only record is damaged
    /// (`unrecognised_file`).
    pub fn open(input: Box<dyn Read + Send>, options: ReadOptions) -> Self {
        let (source, source_bytes) = Source::open(input);
        let kind = match source {
            Source::Capture(bytes) => Kind::Capture(CaptureReader::new(bytes)),
            Source::FlowLog { bytes, speaks_of_records } => {
                Kind::FlowLog { reader: FlowLogReader::new(bytes), speaks_of_records }
            }
            Source::Unrecognised { detail } => Kind::Unrecognised { detail: Some(detail) },
        };
        Self { kind, source_bytes, options }
    }

    /// Returns false for an input that nothing recognises.
    pub fn is_recognised(&self) -> bool {
        !matches!(self.kind, Kind::Unrecognised { .. })
    }

    /// Returns false for an input that is no traffic at first sight: one that nothing recognises, and
    /// JSON whose beginning speaks of no log record. A file that was merely found in a folder is
    /// better passed over then; one that was named is not, and what is wrong with it will show.
    pub fn looks_like_traffic(&self) -> bool {
        match self.kind {
            Kind::Capture(_) => true,
            Kind::FlowLog { speaks_of_records, .. } => speaks_of_records,
            Kind::Unrecognised { .. } => false,
        }
    }

    /// Returns the format of a capture; a flow log's is known from its records only.
    pub fn capture_format(&self) -> Option<SourceFormat> {
        match &self.kind {
            Kind::Capture(reader) => Some(reader.format()),
            _ => None,
        }
    }

    /// Fills `chunk` with the records that follow. Returns false at the end, with nothing filled.
    pub fn fill(&mut self, chunk: &mut Chunk) -> bool {
        let (filled, holds) = match &mut self.kind {
            Kind::Capture(reader) => {
                (reader.fill(&mut chunk.capture, self.options.chunk_bytes), Holds::Capture)
            }
            Kind::FlowLog { reader, .. } => {
                (reader.fill(&mut chunk.flow_log, self.options.chunk_bytes), Holds::FlowLog)
            }
            Kind::Unrecognised { detail } => match detail.take() {
                Some(detail) => {
                    chunk.holds = Holds::Unrecognised { detail };
                    return true;
                }
                None => (false, Holds::Nothing),
            },
        };
        chunk.holds = if filled { holds } else { Holds::Nothing };
        filled
    }

    /// Returns the bytes taken from the input so far, before decompression.
    ///
    /// Where damage ends an input before its end, this tells how far reading was ahead, which
    /// depends on [`ReadOptions::chunk_bytes`].
    pub fn bytes_read(&self) -> u64 {
        self.source_bytes.get()
    }
}

impl Default for ReadOptions {
    fn default() -> Self {
        Self { chunk_bytes: 1 << 19 }
    }
}

impl Decoder {
    /// Prepares the working memory of one thread.
    pub fn new(options: &DecodeOptions) -> Self {
        Self {
            capture: capture::Decoder::new(&options.decapsulate),
            flow_log: flowlog::Decoder::default(),
        }
    }

    /// Appends the rows of a chunk to `batch`, in the order of the input, and the chunk's counts to
    /// `tally`: records read, not applicable, damaged. Both are expected to be empty.
    ///
    /// Afterwards `tally.records_read` is the number of rows and of records left out together.
    pub fn decode(&mut self, chunk: &Chunk, batch: &mut FlowBatch, tally: &mut Tally) {
        self.decode_part(chunk, ChunkPart::WHOLE, batch, tally);
    }

    /// As [`decode`](Self::decode), for the records of one part of the chunk.
    pub fn decode_part(
        &mut self,
        chunk: &Chunk,
        part: ChunkPart,
        batch: &mut FlowBatch,
        tally: &mut Tally,
    ) {
        match &chunk.holds {
            Holds::Capture if part.index > 0 => {}
            Holds::Capture => self.capture.decode(&chunk.capture, batch, tally),
            _ => self.visit_tuples(chunk, part, batch, tally),
        }
    }

    /// Shows the tuples of a part of a log's chunk to `sink`, in their order, and adds the part's
    /// counts to `tally`, as [`decode`](Self::decode) does, without making columns of them.
    ///
    /// # Panics
    ///
    /// When the chunk is of a capture.
    pub fn visit_tuples(
        &mut self,
        chunk: &Chunk,
        part: ChunkPart,
        sink: &mut impl TupleSink,
        tally: &mut Tally,
    ) {
        match &chunk.holds {
            Holds::Capture => panic!("only logs have tuples"),
            Holds::FlowLog => self.flow_log.decode(&chunk.flow_log, part, sink, tally),
            Holds::Unrecognised { detail } if part.index == 0 => {
                tally.records_read += 1;
                tally.count_damage(super::Damage::UnrecognisedFile, 1, 0, || detail.clone());
            }
            Holds::Nothing | Holds::Unrecognised { .. } => {}
        }
    }

    /// Shows the packets of a capture's chunk to `sink`, in their order, and adds the chunk's counts
    /// to `tally`, as [`decode`](Self::decode) does, without making rows of them.
    ///
    /// # Panics
    ///
    /// When the chunk is of no capture.
    pub fn visit_packets(&self, chunk: &Chunk, sink: &mut impl PacketSink, tally: &mut Tally) {
        assert!(matches!(chunk.holds, Holds::Capture), "only captures have packets");
        self.capture.visit(&chunk.capture, sink, tally);
    }
}

impl Chunk {
    /// Returns the records of a capture's chunk, known before it is decoded; 0 for all else.
    pub fn packet_record_count(&self) -> u64 {
        match self.holds {
            Holds::Capture => self.capture.record_count(),
            _ => 0,
        }
    }
}

impl ChunkPart {
    /// All of a chunk.
    pub const WHOLE: Self = Self { index: 0, count: 1 };
}

impl Default for DecodeOptions {
    fn default() -> Self {
        Self { decapsulate: capture::Tunnel::DEFAULT.to_vec() }
    }
}

enum Kind {
    Capture(CaptureReader),
    FlowLog { reader: FlowLogReader, speaks_of_records: bool },
    Unrecognised { detail: Option<String> },
}

#[derive(Debug, Default)]
enum Holds {
    #[default]
    Nothing,
    Capture,
    FlowLog,
    Unrecognised {
        detail: String,
    },
}
