//! A capture as chunks.

use std::io::Read;

use super::CaptureChunk;
use super::pcap::PcapWalker;
use super::pcapng::{self, PcapngWalker};
use super::record::{ByteOrder, Fault, Records, Stop, Walk};
use super::stream::{End, Stream, Window};
use crate::traffic::SourceFormat;

/// Cuts a capture into chunks of whole packets.
///
/// Damage to the framing ends the capture; what stands before is delivered, and the damage itself
/// is the last record.
pub(in crate::traffic) struct CaptureReader {
    stream: Stream,
    walker: Walker,
    is_finished: bool,
}

impl CaptureReader {
    /// Reads from the first byte of the file header.
    pub(in crate::traffic) fn new(bytes: Box<dyn Read + Send>) -> Self {
        let mut stream = Stream::new(bytes);
        let mut window = Window::default();
        stream.read_to(&mut window, pcapng::SECTION.len());
        let walker = if window.bytes() == pcapng::SECTION {
            Walker::Pcapng(PcapngWalker::default())
        } else {
            Walker::Pcap(PcapWalker::default())
        };
        stream.put_back(&window, 0);
        Self { stream, walker, is_finished: false }
    }

    pub(in crate::traffic) fn format(&self) -> SourceFormat {
        match self.walker {
            Walker::Pcap(_) => SourceFormat::Pcap,
            Walker::Pcapng(_) => SourceFormat::Pcapng,
        }
    }

    /// Fills `chunk`; false at the end.
    pub(in crate::traffic) fn fill(
        &mut self,
        chunk: &mut CaptureChunk,
        chunk_bytes: usize,
    ) -> bool {
        chunk.format = self.format();
        chunk.records.clear();
        let chunk_bytes = chunk_bytes.clamp(1, CHUNK_BYTES_MAX);
        let mut target = chunk_bytes;
        self.stream.resume(&mut chunk.window);
        while !self.is_finished && chunk.records.is_empty() {
            self.stream.read_to(&mut chunk.window, target);
            let Walk { length, stop } = self.walker.walk(&chunk.window, &mut chunk.records);
            if let Stop::Damaged = stop {
                self.is_finished = true;
            } else if chunk.records.is_empty() {
                chunk.window.consume(length);
                target = chunk_bytes.max(self.make_way(chunk, stop));
            } else {
                // The records stand in the window, which must not move any more.
                self.stream.put_back(&chunk.window, length);
            }
        }
        !chunk.records.is_empty()
    }

    /// Goes on with the record at the start of an otherwise empty chunk: returns how many bytes it
    /// needs, or skips it, or ends the capture where the input ended.
    fn make_way(&mut self, chunk: &mut CaptureChunk, stop: Stop) -> usize {
        match stop {
            Stop::Need { bytes, .. } if self.stream.end().is_none() => return bytes,
            Stop::Need { inside, .. } => {
                let is_between_records = self.walker.has_begun() && chunk.window.bytes().is_empty();
                let inside = if is_between_records { None } else { Some(inside) };
                self.finish(&mut chunk.records, chunk.window.offset(), inside);
            }
            Stop::Skip { bytes, order } => self.skip_block(chunk, bytes, order),
            Stop::Damaged => self.is_finished = true,
        }
        0
    }

    /// Ends the capture where the input ended: fine between two records, damage inside one.
    fn finish(&mut self, records: &mut Records, byte_offset: u64, inside: Option<&'static str>) {
        self.is_finished = true;
        let fault = match (self.stream.end(), inside) {
            (Some(End::Cut { detail }), _) => Fault::InputCut(detail.clone()),
            (Some(End::Broken { detail }), _) => Fault::InputBroken(detail.clone()),
            (_, Some(inside)) => Fault::Cut(inside),
            (_, None) => return,
        };
        records.push_fault(byte_offset, fault);
    }

    fn skip_block(&mut self, chunk: &mut CaptureChunk, length: u32, order: ByteOrder) {
        const TRAILER_LENGTH: usize = 4;
        let CaptureChunk { window, records, .. } = chunk;
        let start = window.offset();
        if self.stream.skip(window, u64::from(length) - TRAILER_LENGTH as u64) {
            self.stream.read_to(window, TRAILER_LENGTH);
        }
        if window.bytes().len() < TRAILER_LENGTH {
            return self.finish(records, start, Some("a block"));
        }
        let trailing = order.u32(window.bytes(), 0);
        if trailing == length {
            window.consume(TRAILER_LENGTH);
            self.stream.put_back(window, 0);
            records.push_fault(start, Fault::BlockTooLarge(length));
        } else {
            self.is_finished = true;
            records.push_fault(start, Fault::TrailingLength { leading: length, trailing });
        }
    }
}

/// So that every place in a chunk has a number of 32 bits.
const CHUNK_BYTES_MAX: usize = 1 << 30;

enum Walker {
    Pcap(PcapWalker),
    Pcapng(PcapngWalker),
}

impl Walker {
    fn walk(&mut self, window: &Window, records: &mut Records) -> Walk {
        match self {
            Self::Pcap(walker) => walker.walk(window.bytes(), window.offset(), records),
            Self::Pcapng(walker) => walker.walk(window.bytes(), window.offset(), records),
        }
    }

    /// Returns true once the file header is read, and an input may end without damage.
    fn has_begun(&self) -> bool {
        match self {
            Self::Pcap(walker) => walker.has_begun(),
            Self::Pcapng(walker) => walker.has_begun(),
        }
    }
}
