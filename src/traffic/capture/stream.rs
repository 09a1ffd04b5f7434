//! A capture's bytes in a window that moves over them.

use std::io::{ErrorKind, Read};

/// The bytes of one input, read only as far as somebody needs them.
pub(super) struct Stream {
    bytes: Box<dyn Read + Send>,
    end: Option<End>,
    /// What was read beyond the last whole record of the chunk before.
    carry: Vec<u8>,
    /// Where the carry, or what will be read next, stands in the input.
    offset: u64,
}

/// Why there are no more bytes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum End {
    /// The input is over.
    Clean,
    /// The input says that it ends too early.
    Cut { detail: String },
    /// The input cannot be read on.
    Broken { detail: String },
}

/// A stretch of an input.
///
/// Its memory is reused and grows only as bytes arrive, never by a length that the input declares.
#[derive(Debug, Default)]
pub(super) struct Window {
    /// Initialised throughout, so that safe code can read into it; filled up to `filled`.
    memory: Vec<u8>,
    filled: usize,
    /// Where the window stands in the input.
    offset: u64,
}

impl Stream {
    pub(super) fn new(bytes: Box<dyn Read + Send>) -> Self {
        Self { bytes, end: None, carry: Vec::new(), offset: 0 }
    }

    /// Starts a window with what was put back.
    pub(super) fn resume(&mut self, window: &mut Window) {
        window.filled = 0;
        window.offset = self.offset;
        window.grow_to(self.carry.len());
        window.memory[..self.carry.len()].copy_from_slice(&self.carry);
        window.filled = self.carry.len();
        self.carry.clear();
    }

    /// Keeps what stands behind the first `length` bytes of the window for the next one.
    pub(super) fn put_back(&mut self, window: &Window, length: usize) {
        self.carry.extend_from_slice(&window.bytes()[length..]);
        self.offset = window.offset + length as u64;
    }

    /// Reads until the window holds `length` bytes, or the input ends.
    pub(super) fn read_to(&mut self, window: &mut Window, length: usize) {
        while window.filled < length && self.end.is_none() {
            match self.bytes.read(window.room_towards(length)) {
                Ok(0) => self.end = Some(End::Clean),
                Ok(count) => window.filled += count,
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(error) => self.end = Some(End::of(&error)),
            }
        }
    }

    /// Moves the window forward by `length` bytes, over more than it ever holds. Returns false when
    /// the input ends before.
    pub(super) fn skip(&mut self, window: &mut Window, length: u64) -> bool {
        let mut left = length;
        while left > 0 {
            if window.filled == 0 {
                self.read_to(window, usize::try_from(left).unwrap_or(MEMORY_MIN).min(MEMORY_MIN));
            }
            if window.filled == 0 {
                return false;
            }
            let step = usize::try_from(left).map_or(window.filled, |left| left.min(window.filled));
            window.consume(step);
            left -= step as u64;
        }
        true
    }

    /// Returns why there are no more bytes, once there are none.
    pub(super) fn end(&self) -> Option<&End> {
        self.end.as_ref()
    }
}

impl Window {
    pub(super) fn bytes(&self) -> &[u8] {
        &self.memory[..self.filled]
    }

    pub(super) fn offset(&self) -> u64 {
        self.offset
    }

    /// Drops the first `length` bytes.
    pub(super) fn consume(&mut self, length: usize) {
        self.memory.copy_within(length..self.filled, 0);
        self.filled -= length;
        self.offset += length as u64;
    }

    /// At most as much again as is filled: who declares more must send more first.
    fn room_towards(&mut self, length: usize) -> &mut [u8] {
        if self.filled == self.memory.len() {
            self.grow_to(length.min((2 * self.filled).max(MEMORY_MIN)));
        }
        let end = length.min(self.memory.len());
        &mut self.memory[self.filled..end]
    }

    fn grow_to(&mut self, length: usize) {
        if self.memory.len() < length {
            self.memory.resize(length, 0);
        }
    }
}

const MEMORY_MIN: usize = 64 << 10;

impl End {
    fn of(error: &std::io::Error) -> Self {
        let detail = error.to_string();
        match error.kind() {
            ErrorKind::UnexpectedEof => Self::Cut { detail },
            _ => Self::Broken { detail },
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn stream(length: usize) -> Stream {
        let bytes: Vec<u8> = (0..length).map(|index| index as u8).collect();
        Stream::new(Box::new(std::io::Cursor::new(bytes)))
    }

    #[test]
    fn what_is_put_back_comes_first() {
        let (mut stream, mut window) = (stream(10), Window::default());
        stream.resume(&mut window);
        stream.read_to(&mut window, 6);
        assert_eq!(window.bytes(), [0, 1, 2, 3, 4, 5]);
        stream.put_back(&window, 4);
        stream.resume(&mut window);
        assert_eq!((window.offset(), window.bytes()), (4, &[4, 5][..]));
        stream.read_to(&mut window, 7);
        assert_eq!(window.bytes(), [4, 5, 6, 7, 8, 9]);
        assert_eq!(stream.end(), Some(&End::Clean));
    }

    #[test]
    fn a_skip_goes_over_what_is_held_and_what_is_not() {
        let (mut stream, mut window) = (stream(300_000), Window::default());
        stream.resume(&mut window);
        stream.read_to(&mut window, 100);
        assert!(stream.skip(&mut window, 299_999));
        stream.read_to(&mut window, 1);
        assert_eq!((window.offset(), window.bytes()), (299_999, &[299_999_u32 as u8][..]));
        assert!(!stream.skip(&mut window, 2));
        assert!(window.memory.len() <= MEMORY_MIN);
    }

    #[test]
    fn memory_follows_the_bytes_and_not_the_claim() {
        let (mut stream, mut window) = (stream(100), Window::default());
        stream.resume(&mut window);
        stream.read_to(&mut window, 1 << 30);
        assert_eq!(window.bytes().len(), 100);
        assert!(window.memory.len() <= MEMORY_MIN);
    }
}
