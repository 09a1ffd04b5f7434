//! UTF-16 text → UTF-8: redirecting a program's output to a file in Windows PowerShell writes
//! UTF-16 with a byte order mark.
//!
//! Source: "about_Character_Encoding", Windows PowerShell 5.1 documentation (read 2026-11-20).

use std::io::{self, ErrorKind, Read};

/// The order of the two bytes of a unit.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum ByteOrder {
    Little,
    Big,
}

/// A stream of UTF-16 read as UTF-8; the mark becomes that of UTF-8.
///
/// An unpaired surrogate is an error, and so is an end in the middle of a character.
pub(super) struct Utf16<R> {
    input: R,
    order: ByteOrder,
    /// Bytes that are not decoded yet: less than one character between reads.
    units: Vec<u8>,
    text: String,
    taken: usize,
    /// Waits until the text before it is taken.
    error: Option<io::Error>,
}

impl ByteOrder {
    /// Returns the order that a byte order mark tells.
    pub(super) fn of_mark(head: &[u8]) -> Option<Self> {
        match head {
            [0xFF, 0xFE, ..] => Some(Self::Little),
            [0xFE, 0xFF, ..] => Some(Self::Big),
            _ => None,
        }
    }

    fn unit(self, bytes: [u8; 2]) -> u16 {
        match self {
            Self::Little => u16::from_le_bytes(bytes),
            Self::Big => u16::from_be_bytes(bytes),
        }
    }
}

impl<R: Read> Utf16<R> {
    pub(super) fn new(input: R, order: ByteOrder) -> Self {
        Self { input, order, units: Vec::new(), text: String::new(), taken: 0, error: None }
    }

    /// Decodes what one read gives. Returns false at the end of the input.
    fn read_more(&mut self) -> io::Result<bool> {
        if let Some(error) = self.error.take() {
            return Err(error);
        }
        let mut buffer = [0; 8 << 10];
        let length = self.input.read(&mut buffer)?;
        if length == 0 && !self.units.is_empty() {
            let message = "the input ends inside a character of UTF-16";
            return Err(io::Error::new(ErrorKind::UnexpectedEof, message));
        }
        self.units.extend_from_slice(&buffer[..length]);
        self.decode();
        Ok(length > 0)
    }

    fn decode(&mut self) {
        self.text.clear();
        self.taken = 0;
        let whole = self.whole_characters();
        let units = self.units[..whole].as_chunks().0.iter().map(|unit| self.order.unit(*unit));
        for character in char::decode_utf16(units) {
            match character {
                Ok(character) => self.text.push(character),
                Err(error) => {
                    let message = format!("no UTF-16 text: {error}");
                    self.error = Some(io::Error::new(ErrorKind::InvalidData, message));
                    break;
                }
            }
        }
        self.units.drain(..whole);
    }

    /// Returns the length of the bytes up to a half unit, or a surrogate that still lacks its
    /// second one.
    fn whole_characters(&self) -> usize {
        let units = self.units.as_chunks().0;
        let is_open =
            units.last().is_some_and(|unit| (0xD800..0xDC00).contains(&self.order.unit(*unit)));
        2 * (units.len() - usize::from(is_open))
    }
}

impl<R: Read> Read for Utf16<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        while self.taken == self.text.len() {
            if !self.read_more()? {
                return Ok(0);
            }
        }
        let length = (&self.text.as_bytes()[self.taken..]).read(buffer)?;
        self.taken += length;
        Ok(length)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Reads pieces of `size` bytes.
    fn read(bytes: &[u8], order: ByteOrder, size: usize) -> io::Result<String> {
        struct Slowly<'b>(&'b [u8], usize);
        impl Read for Slowly<'_> {
            fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
                let length = buffer.len().min(self.1);
                self.0.read(&mut buffer[..length])
            }
        }
        let mut text = String::new();
        Utf16::new(Slowly(bytes, size), order).read_to_string(&mut text)?;
        Ok(text)
    }

    fn encode(text: &str, order: ByteOrder) -> Vec<u8> {
        text.encode_utf16()
            .flat_map(|unit| match order {
                ByteOrder::Little => unit.to_le_bytes(),
                ByteOrder::Big => unit.to_be_bytes(),
            })
            .collect()
    }

    #[test]
    fn every_character_survives_in_pieces_of_any_size() {
        let text = "\u{feff}{\"rule\":\"é €\u{10348}😀\"}\u{ffff}".repeat(900);
        for order in [ByteOrder::Little, ByteOrder::Big] {
            let bytes = encode(&text, order);
            assert_eq!(ByteOrder::of_mark(&bytes), Some(order));
            for size in [1, 2, 3, 5, 4096, usize::MAX] {
                assert_eq!(read(&bytes, order, size).unwrap(), text);
            }
        }
    }

    #[test]
    fn the_text_before_an_error_is_read() {
        let mut bytes = encode("before", ByteOrder::Little);
        bytes.extend([0x00, 0xDC, 0x41, 0x00]);
        let mut text = Vec::new();
        let outcome = Utf16::new(&*bytes, ByteOrder::Little).read_to_end(&mut text);
        assert_eq!((outcome.is_err(), &*text), (true, &b"before"[..]));
    }

    #[test]
    fn halves_are_errors() {
        let order = ByteOrder::Little;
        let pair = encode("a😀", order);
        for length in [1, 3, 4, 5] {
            let error = read(&pair[..length], order, 1).unwrap_err();
            assert_eq!(error.kind(), ErrorKind::UnexpectedEof, "{length}");
        }
        for units in [[0xDC00, 0x0041], [0xD800, 0x0041], [0xD800, 0xD800]] {
            let bytes: Vec<u8> = units.iter().flat_map(|unit: &u16| unit.to_le_bytes()).collect();
            let error = read(&bytes, order, usize::MAX).unwrap_err();
            assert_eq!(error.kind(), ErrorKind::InvalidData, "{units:?}: {error}");
        }
    }
}
