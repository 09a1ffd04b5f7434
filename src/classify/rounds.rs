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

#[cfg(test)]
mod tests {
    use std::io::Cursor;

    use super::*;
    use crate::traffic::ReadOptions;

    /// The global header of a capture: little-endian, microseconds, Ethernet, and no packet.
    const NO_PACKETS: &[u8] = b"\xd4\xc3\xb2\xa1\x02\0\x04\0\0\0\0\0\0\0\0\0\0\0\x04\0\x01\0\0\0";

    /// The same, and a packet of no bytes at time 0.
    const ONE_PACKET: &[u8] = b"\xd4\xc3\xb2\xa1\x02\0\x04\0\0\0\0\0\0\0\0\0\0\0\x04\0\x01\0\0\0\
        \0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0";

    fn turns_of(round: &Round) -> Vec<String> {
        let word = |turn: &Turn| match turn {
            Turn::Begun { name, .. } => format!("begin {}", name.as_str()),
            Turn::Ended { bytes_read } => format!("end at {bytes_read}"),
        };
        round.turns.iter().map(word).collect()
    }

    #[test]
    fn every_input_begins_and_ends_once_whether_it_has_chunks_or_not() {
        let mut inputs = [
            ("empty", NO_PACKETS),
            ("one", ONE_PACKET),
            ("another", ONE_PACKET),
            ("empty again", NO_PACKETS),
        ]
        .into_iter();
        let mut rounds = Rounds::new(|| {
            let next = inputs.next().map(|(name, bytes)| {
                let input = Box::new(Cursor::new(bytes));
                (InputName::new(name), TrafficReader::open(input, ReadOptions::default()))
            });
            Ok::<_, std::convert::Infallible>(next)
        });
        let mut round = Round::new(2);
        for (chunks, bytes_read, turns) in [
            (1, 24 + 40, &["begin empty", "end at 24", "begin one"][..]),
            (1, 24 + 80, &["end at 40", "begin another"]),
            (0, 48 + 80, &["end at 40", "begin empty again", "end at 24"]),
            (0, 48 + 80, &[]),
        ] {
            assert!(rounds.fill(&mut round).is_ok());
            assert_eq!(round.chunks().len(), chunks);
            assert_eq!(turns_of(&round), turns);
            assert_eq!((round.is_last(), round.bytes_read), (chunks == 0, bytes_read));
        }
    }

    #[test]
    fn an_input_that_cannot_be_opened_ends_the_run_behind_those_before_it() {
        let mut is_first = true;
        let mut rounds = Rounds::new(|| match std::mem::take(&mut is_first) {
            true => {
                let input = Box::new(Cursor::new(ONE_PACKET));
                Ok(Some((InputName::new("a"), TrafficReader::open(input, ReadOptions::default()))))
            }
            false => Err("no such file"),
        });
        let mut round = Round::new(1);
        assert_eq!(rounds.fill(&mut round), Ok(()));
        assert_eq!(round.chunks().len(), 1);
        assert_eq!(rounds.fill(&mut round), Err("no such file"));
    }
}
