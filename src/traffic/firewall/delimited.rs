//! Comma-, semicolon- and tab-separated results of queries: the portal's download, and what
//! spreadsheets and scripts save.
//!
//! Source: RFC 4180; the portal's own format is not documented.

use std::collections::VecDeque;
use std::io::{self, Read};

use csv::{ByteRecord, ReaderBuilder};
use memchr::memchr_iter;

use super::fields::{Column, Fields, are_of_log};
use super::lines::{Line, LineDamage, Lines};
use super::reader::{Output, Place};
use crate::traffic::Damage;

/// Reads the rows of separated values.
pub(super) struct Delimited {
    reader: csv::Reader<WholeRows>,
    record: ByteRecord,
    columns: Vec<Option<Column>>,
}

/// Returns what separates the columns, if the first line of a text names those of a log.
pub(super) fn header_delimiter(text: &str) -> Option<u8> {
    let header = text.lines().find(|line| !is_above_header(line.as_bytes()))?;
    [b',', b';', b'\t'].into_iter().find(|delimiter| {
        let mut reader = reader(header.as_bytes(), *delimiter);
        let mut record = ByteRecord::new();
        matches!(reader.read_byte_record(&mut record), Ok(true))
            && record.len() > 1
            && are_of_log(&columns_of(&record))
    })
}

impl Delimited {
    pub(super) fn new(input: Box<dyn Read + Send>, delimiter: u8) -> Self {
        let reader = reader(WholeRows::new(input), delimiter);
        Self { reader, record: ByteRecord::new(), columns: Vec::new() }
    }

    /// Reads one row; false at the end.
    pub(super) fn next(&mut self, output: &mut Output<'_>) -> bool {
        loop {
            let is_read = self.reader.read_byte_record(&mut self.record);
            if let Some(damage) = self.reader.get_mut().damages.pop_front() {
                output.damage(damage.damage, damage.offset, || damage.detail);
                if !matches!(is_read, Ok(true)) {
                    return true;
                }
                // The row that was read with it is still in hand.
                self.read_row(output);
                return true;
            }
            match is_read {
                Ok(true) if self.read_row(output) => return true,
                Ok(true) => {}
                Ok(false) => return false,
                Err(error) => {
                    let offset = self.reader.get_ref().row.offset;
                    output.damage(Damage::BadBlock, offset, || error.to_string());
                    return true;
                }
            }
        }
    }

    /// Reads the row in hand; false for one that is a header or blank.
    fn read_row(&mut self, output: &mut Output<'_>) -> bool {
        let row = &self.reader.get_ref().row;
        // Spreadsheets save the empty rows below a table, too.
        let is_blank =
            row.bytes.iter().all(|byte| matches!(byte, b',' | b';' | b'\t' | b' ' | b'\n'));
        if is_blank || is_header(&self.record, &mut self.columns) {
            return false;
        }
        let place =
            Place { offset: row.offset, line: Some(row.number), is_cut: !row.is_terminated };
        if self.record.len() != self.columns.len() {
            let damage = if place.is_cut { Damage::Truncated } else { Damage::MalformedRecord };
            output.damage(damage, place.offset, || {
                let (found, named) = (self.record.len(), self.columns.len());
                format!("line {}: {found} cells below {named} columns", row.number)
            });
            return true;
        }
        let mut fields = Fields::default();
        for (cell, column) in self.record.iter().zip(&self.columns) {
            let Some(column) = column else { continue };
            match std::str::from_utf8(cell) {
                Ok(text) => fields.set_text(*column, text),
                Err(error) => {
                    output.damage(Damage::MalformedRecord, place.offset, || {
                        format!("line {}: {}: {error}", row.number, column.field.title())
                    });
                    return true;
                }
            }
        }
        output.row(&fields, place);
        true
    }
}

/// Takes a row of names for the columns of those below it: the first, and those of files that were
/// joined.
fn is_header(record: &ByteRecord, columns: &mut Vec<Option<Column>>) -> bool {
    let is_first = columns.is_empty();
    // A name of a column never stands below it, so that one look tells most rows apart.
    let may_be_header = is_first || record.iter().any(|cell| named(cell).is_some());
    let found = if may_be_header { columns_of(record) } else { Vec::new() };
    let is_header = is_first || are_of_log(&found);
    if is_header {
        *columns = found;
    }
    is_header
}

fn columns_of(record: &ByteRecord) -> Vec<Option<Column>> {
    record.iter().map(named).collect()
}

fn named(cell: &[u8]) -> Option<Column> {
    std::str::from_utf8(cell).ok().and_then(Column::named)
}

fn reader<R: Read>(input: R, delimiter: u8) -> csv::Reader<R> {
    ReaderBuilder::new().delimiter(delimiter).has_headers(false).flexible(true).from_reader(input)
}

/// `sep=;` is a spreadsheet's own line, and `#TYPE …` that of Windows PowerShell.
fn is_above_header(line: &[u8]) -> bool {
    let line = line.trim_ascii();
    line.is_empty() || line.starts_with(b"#") || line.starts_with(b"sep=")
}

/// Hands out a stream row by row, with every quote closed.
///
/// A row is a line, or the few lines that a quoted cell goes over. A quote that nothing closes
/// would make one cell of all that follows; it is closed at the end of its line instead, so that
/// no more than that line is lost.
struct WholeRows {
    lines: Lines,
    /// Lines that were read while looking for the end of a quote.
    ahead: VecDeque<Line>,
    row: Line,
    taken: usize,
    is_above_header: bool,
    damages: VecDeque<LineDamage>,
}

impl WholeRows {
    /// How many lines a cell may go over, and about how many bytes.
    const ROW_LINES_MAX: usize = 32;
    const ROW_BYTES_MAX: usize = 1 << 20;

    fn new(input: Box<dyn Read + Send>) -> Self {
        Self {
            lines: Lines::new(input),
            ahead: VecDeque::new(),
            row: Line::default(),
            taken: 0,
            is_above_header: true,
            damages: VecDeque::new(),
        }
    }

    /// Takes the next row; false at the end.
    fn next_row(&mut self) -> bool {
        self.taken = 0;
        loop {
            if !self.next_line() {
                self.row.bytes.clear();
                return false;
            }
            self.is_above_header &= is_above_header(&self.row.bytes);
            if !self.is_above_header {
                break;
            }
        }
        if has_open_quote(&self.row.bytes) && !self.join_lines() {
            self.row.bytes.push(b'"');
        }
        self.row.bytes.push(b'\n');
        true
    }

    fn next_line(&mut self) -> bool {
        if let Some(line) = self.ahead.pop_front() {
            self.row = line;
            return true;
        }
        loop {
            match self.lines.next() {
                None => return false,
                Some(Ok(line)) => {
                    std::mem::swap(line, &mut self.row);
                    return true;
                }
                Some(Err(damage)) => self.damages.push_back(damage),
            }
        }
    }

    /// Reads a line beyond the row in hand.
    fn read_line_ahead(&mut self) -> Option<Line> {
        loop {
            match self.lines.next()? {
                Ok(line) => return Some(std::mem::take(line)),
                Err(damage) => self.damages.push_back(damage),
            }
        }
    }

    /// Adds the lines up to the one that closes the quote; false, and nothing added, if none does.
    fn join_lines(&mut self) -> bool {
        let mut closing = None;
        let mut length = 0;
        for index in 0..Self::ROW_LINES_MAX {
            if length > Self::ROW_BYTES_MAX {
                break;
            }
            if index == self.ahead.len() {
                match self.read_line_ahead() {
                    None => break,
                    Some(line) => self.ahead.push_back(line),
                }
            }
            length += self.ahead[index].bytes.len();
            if has_open_quote(&self.ahead[index].bytes) {
                closing = Some(index);
                break;
            }
        }
        let Some(closing) = closing else { return false };
        for line in self.ahead.drain(..=closing) {
            self.row.bytes.push(b'\n');
            self.row.bytes.extend_from_slice(&line.bytes);
            self.row.is_terminated = line.is_terminated;
        }
        true
    }
}

impl Read for WholeRows {
    /// Never gives bytes of two rows at once, so that `row` is the one being read.
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        if self.taken == self.row.bytes.len() && !self.next_row() {
            return Ok(0);
        }
        let rest = &self.row.bytes[self.taken..];
        let length = rest.len().min(buffer.len());
        buffer[..length].copy_from_slice(&rest[..length]);
        self.taken += length;
        Ok(length)
    }
}

fn has_open_quote(line: &[u8]) -> bool {
    memchr_iter(b'"', line).count() % 2 == 1
}
