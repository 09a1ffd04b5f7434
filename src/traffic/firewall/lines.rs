//! A stream → its lines, of bounded length.

use std::io::{self, BufRead, BufReader, ErrorKind, Read};

use memchr::memchr;

use crate::traffic::Damage;

/// The longest line that is read; a longer one is passed over. A record of a firewall has less than
/// a thousandth of it; a table on one line may have many rows.
pub(super) const LINE_BYTES_MAX: usize = 16 << 20;

/// Reads lines.
pub(super) struct Lines {
    input: BufReader<Box<dyn Read + Send>>,
    is_at_end: bool,
    next_offset: u64,
    next_number: u64,
    line: Line,
}

/// One line, without what ends it.
#[derive(Clone, Debug, Default)]
pub(super) struct Line {
    pub(super) bytes: Vec<u8>,
    /// Where it starts in the input.
    pub(super) offset: u64,
    /// 1-based.
    pub(super) number: u64,
    /// False for a last line that nothing ends, which may have been cut.
    pub(super) is_terminated: bool,
}

/// What came instead of a line; it stands where the line would.
#[derive(Debug)]
pub(super) struct LineDamage {
    pub(super) damage: Damage,
    pub(super) offset: u64,
    pub(super) detail: String,
}

impl Lines {
    pub(super) fn new(input: Box<dyn Read + Send>) -> Self {
        Self {
            input: BufReader::with_capacity(64 << 10, input),
            is_at_end: false,
            next_offset: 0,
            next_number: 1,
            line: Line::default(),
        }
    }

    /// Reads the next line, until there is none. The line is lent, to be swapped for another.
    ///
    /// An error of the input ends it.
    pub(super) fn next(&mut self) -> Option<Result<&mut Line, LineDamage>> {
        if self.is_at_end {
            return None;
        }
        self.line.bytes.clear();
        (self.line.offset, self.line.number) = (self.next_offset, self.next_number);
        self.next_number += 1;
        let end = self.read_to_end_of_line();
        let offset = self.line.offset;
        let length = self.next_offset - offset;
        match end {
            Err(error) => {
                self.is_at_end = true;
                Some(Err(LineDamage::of_input(&error, offset)))
            }
            Ok(_) if length == 0 => {
                self.is_at_end = true;
                None
            }
            Ok(_) if length > LINE_BYTES_MAX as u64 => {
                let detail = format!("a line of {length} bytes, of at most {LINE_BYTES_MAX}");
                Some(Err(LineDamage { damage: Damage::RecordTooLarge, offset, detail }))
            }
            Ok(is_terminated) => {
                self.line.is_terminated = is_terminated;
                self.line.trim();
                Some(Ok(&mut self.line))
            }
        }
    }

    /// Returns true where the line has its end.
    fn read_to_end_of_line(&mut self) -> io::Result<bool> {
        loop {
            let bytes = match self.input.fill_buf() {
                Ok(bytes) => bytes,
                Err(error) if error.kind() == ErrorKind::Interrupted => continue,
                Err(error) => return Err(error),
            };
            if bytes.is_empty() {
                return Ok(false);
            }
            let end = memchr(b'\n', bytes);
            let length = end.map_or(bytes.len(), |end| end + 1);
            // What is over the limit is counted, and not kept.
            let room = (LINE_BYTES_MAX + 1).saturating_sub(self.line.bytes.len());
            self.line.bytes.extend_from_slice(&bytes[..length.min(room)]);
            self.input.consume(length);
            self.next_offset += length as u64;
            if end.is_some() {
                return Ok(true);
            }
        }
    }
}

impl Line {
    /// Takes off the line's end, and a byte order mark: each file of a concatenation may have one.
    fn trim(&mut self) {
        let ends = [b'\n', b'\r'];
        for end in ends {
            self.bytes.pop_if(|byte| *byte == end);
        }
        if self.bytes.starts_with(b"\xEF\xBB\xBF") {
            self.bytes.drain(..3);
            self.offset += 3;
        }
    }
}

impl LineDamage {
    /// A compressed stream that ends too early was cut; whatever else is broken.
    pub(super) fn of_input(error: &io::Error, offset: u64) -> Self {
        let damage = match error.kind() {
            ErrorKind::UnexpectedEof => Damage::Truncated,
            _ => Damage::BadBlock,
        };
        Self { damage, offset, detail: error.to_string() }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn lines(bytes: &[u8]) -> Vec<(String, u64, bool)> {
        let mut lines = Lines::new(Box::new(io::Cursor::new(bytes.to_vec())));
        let mut found = Vec::new();
        while let Some(line) = lines.next() {
            let line = line.unwrap();
            assert_eq!(line.number, found.len() as u64 + 1);
            let text = String::from_utf8(line.bytes.clone()).unwrap();
            found.push((text, line.offset, line.is_terminated));
        }
        found
    }

    #[test]
    fn lines_end_with_and_without_a_carriage_return() {
        let want = |lines: &[(&str, u64, bool)]| -> Vec<(String, u64, bool)> {
            lines.iter().map(|(text, offset, end)| ((*text).to_owned(), *offset, *end)).collect()
        };
        assert_eq!(lines(b""), want(&[]));
        assert_eq!(lines(b"\n"), want(&[("", 0, true)]));
        assert_eq!(lines(b"a\r\nb"), want(&[("a", 0, true), ("b", 3, false)]));
        assert_eq!(lines(b"a\n\nb\n"), want(&[("a", 0, true), ("", 2, true), ("b", 3, true)]));
        assert_eq!(
            lines(b"\xEF\xBB\xBFa\n\xEF\xBB\xBFb"),
            want(&[("a", 3, true), ("b", 8, false)])
        );
    }

    #[test]
    fn a_line_past_the_limit_is_passed_over() {
        let long = io::repeat(b'a').take(LINE_BYTES_MAX as u64);
        let mut lines = Lines::new(Box::new(long.chain(&b"a\nb\n"[..])));
        let damage = lines.next().unwrap().unwrap_err();
        assert_eq!((damage.damage, damage.offset), (Damage::RecordTooLarge, 0));
        let line = lines.next().unwrap().unwrap();
        assert_eq!((&line.bytes[..], line.number), (&b"b"[..], 2));
        assert!(lines.next().is_none());
    }
}
