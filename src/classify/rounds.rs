//! Rounds of chunks: what is read while the round before is worked on, over the ends of inputs.

use std::borrow::BorrowMut;
use std::marker::PhantomData;

use crate::traffic::{Chunk, InputName, SourceFormat, TrafficReader};

/// Reads inputs one after the other in rounds of chunks. A round is of one input; the next input is
/// opened, and its first round read, while the last of the one before is worked on.
pub(super) struct Rounds<R, F, E> {
    open_next: F,
    reader: Option<R>,
    /// Of the inputs that have ended.
    bytes_before: u64,
    error: PhantomData<fn() -> E>,
}

/// Chunks of one input, and what became of inputs before they were read.
pub(super) struct Round {
    chunks: Vec<Chunk>,
    filled: usize,
    /// In their order.
    pub(super) turns: Vec<Turn>,
    /// The bytes read so far of all inputs.
    pub(super) bytes_read: u64,
}

/// An input begins or ends.
pub(super) enum Turn {
    Begun { name: InputName, capture_format: Option<SourceFormat>, is_recognised: bool },
    Ended { bytes_read: u64 },
}

impl<R, F, E> Rounds<R, F, E>
where
    R: BorrowMut<TrafficReader>,
    F: FnMut() -> Result<Option<(InputName, R)>, E>,
{
    pub(super) fn new(open_next: F) -> Self {
        Self { open_next, reader: None, bytes_before: 0, error: PhantomData }
    }

    /// Reads a round; at the end of all inputs it has no chunks.
    pub(super) fn fill(&mut self, round: &mut Round) -> Result<(), E> {
        round.filled = 0;
        round.turns.clear();
        loop {
            if let Some(reader) = &mut self.reader {
                let reader = reader.borrow_mut();
                while round.filled < round.chunks.len()
                    && reader.fill(&mut round.chunks[round.filled])
                {
                    round.filled += 1;
                }
                let bytes_read = reader.bytes_read();
                round.bytes_read = self.bytes_before.saturating_add(bytes_read);
                if round.filled > 0 {
                    return Ok(());
                }
                self.bytes_before = round.bytes_read;
                round.turns.push(Turn::Ended { bytes_read });
                self.reader = None;
            }
            let Some((name, reader)) = (self.open_next)()? else { return Ok(()) };
            let opened = reader.borrow();
            round.turns.push(Turn::Begun {
                name,
                capture_format: opened.capture_format(),
                is_recognised: opened.is_recognised(),
            });
            self.reader = Some(reader);
        }
    }
}

impl Round {
    /// A round of at most so many chunks, which keep their memory.
    pub(super) fn new(chunks_max: usize) -> Self {
        Self {
            chunks: (0..chunks_max).map(|_| Chunk::default()).collect(),
            filled: 0,
            turns: Vec::new(),
            bytes_read: 0,
        }
    }

    pub(super) fn chunks(&self) -> &[Chunk] {
        &self.chunks[..self.filled]
    }

    /// Nothing is left of any input.
    pub(super) fn is_last(&self) -> bool {
        self.filled == 0
    }
}
