//! The answer of Log Analytics' REST API: tables of columns and rows.
//!
//! ```text
//! {"tables":[{"name":"PrimaryResult","columns":[{"name":"TimeGenerated",…},…],"rows":[[…],…]}]}
//! ```
//!
//! Rows are taken one at a time, wherever an array `rows` stands; the columns are those of the
//! last array `columns` before it.
//!
//! Source: "Azure Monitor Log Analytics API: response format", Azure documentation (read
//! 2026-11-20).

use std::borrow::Cow;
use std::io::{self, BufRead, BufReader, ErrorKind, Read};

use memchr::memchr2;
use serde::Deserialize;

use super::fields::{Column, Fields};
use super::lines::LineDamage;
use super::object::read_row;
use super::reader::{Output, Place};
use crate::traffic::Damage;
use crate::traffic::flowlog::{Event, Lexer, MAX_DEPTH, MAX_RECORD_BYTES};

/// Reads the rows of tables.
pub(super) struct Tables {
    scanner: Scanner,
    columns: Vec<Option<Column>>,
    /// The brackets that are open; true for an array of rows.
    around: Vec<bool>,
    value: Vec<u8>,
    is_done: bool,
}

/// A name of a column, as REST and the data explorer's own format call it.
#[derive(Deserialize)]
struct ColumnName<'a> {
    #[serde(borrow, alias = "ColumnName", alias = "Name")]
    name: Cow<'a, str>,
}

impl Tables {
    pub(super) fn new(input: Box<dyn Read + Send>) -> Self {
        Self {
            scanner: Scanner::new(input),
            columns: Vec::new(),
            around: Vec::new(),
            value: Vec::new(),
            is_done: false,
        }
    }

    /// Reads one row; false at the end.
    pub(super) fn next(&mut self, output: &mut Output<'_>) -> bool {
        while !self.is_done {
            match self.step(output) {
                Ok(false) => {}
                Ok(true) => return true,
                Err(error) => {
                    self.is_done = true;
                    let damage = LineDamage::of_input(&error, self.scanner.offset);
                    output.damage(damage.damage, damage.offset, || damage.detail);
                    return true;
                }
            }
        }
        false
    }

    /// Takes one value or bracket. Returns true where it was a row, or damage.
    fn step(&mut self, output: &mut Output<'_>) -> io::Result<bool> {
        let Some(byte) = self.scanner.peek()? else {
            self.is_done = true;
            let is_cut = !self.around.is_empty();
            if is_cut {
                output.damage(Damage::Truncated, self.scanner.offset, || {
                    "the input ends inside a table".into()
                });
            }
            return Ok(is_cut);
        };
        match byte {
            b'[' if self.around.last() == Some(&true) => return self.read_row(output),
            b'[' | b'{' if self.around.len() == MAX_DEPTH => {
                self.is_done = true;
                output.damage(Damage::NestingTooDeep, self.scanner.offset, || {
                    format!("brackets nest deeper than {MAX_DEPTH}")
                });
                return Ok(true);
            }
            b'[' | b'{' => {
                self.scanner.take_byte();
                self.around.push(false);
            }
            b']' | b'}' => {
                self.scanner.take_byte();
                self.around.pop();
            }
            b'"' => {
                self.scanner.value(&mut self.value)?;
                if self.scanner.peek()? == Some(b':') {
                    self.scanner.take_byte();
                    return self.read_member(output);
                }
            }
            _ => self.scanner.take_byte(),
        }
        Ok(false)
    }

    /// Acts on the name of a member.
    fn read_member(&mut self, output: &mut Output<'_>) -> io::Result<bool> {
        let is = |name: &[u8]| {
            let text = self.value.strip_prefix(b"\"").and_then(|text| text.strip_suffix(b"\""));
            text.is_some_and(|text| text.eq_ignore_ascii_case(name))
        };
        let (is_columns, is_rows, is_error) = (is(b"columns"), is(b"rows"), is(b"error"));
        match self.scanner.peek()? {
            Some(b'[') if is_rows && self.around.len() < MAX_DEPTH => {
                self.scanner.take_byte();
                self.around.push(true);
                Ok(false)
            }
            Some(b'[') if is_columns => {
                let offset = self.scanner.offset;
                self.scanner.value(&mut self.value)?;
                self.columns.clear();
                match serde_json::from_slice::<Vec<ColumnName<'_>>>(&self.value) {
                    Ok(columns) => {
                        let named = columns.iter().map(|column| Column::named(&column.name));
                        self.columns.extend(named);
                        Ok(false)
                    }
                    Err(error) => {
                        output.damage(Damage::MalformedRecord, offset, || {
                            format!("{error} of `columns`")
                        });
                        Ok(true)
                    }
                }
            }
            // A query over its limits answers with what it has, and an error beside it.
            Some(b'{') if is_error => {
                let offset = self.scanner.offset;
                self.scanner.value(&mut self.value)?;
                output.damage(Damage::Truncated, offset, || "the query's answer is partial".into());
                Ok(true)
            }
            _ => Ok(false),
        }
    }

    fn read_row(&mut self, output: &mut Output<'_>) -> io::Result<bool> {
        let offset = self.scanner.offset;
        let (damage, detail) = match self.scanner.value(&mut self.value)? {
            Extent::Whole => {
                let mut fields = Fields::default();
                match read_row(&self.value, &self.columns, &mut fields) {
                    Ok(()) => {
                        output.row(&fields, Place { offset, line: None, is_cut: false });
                        return Ok(true);
                    }
                    Err(error) => (Damage::MalformedRecord, format!("{error} of the row")),
                }
            }
            Extent::Cut => {
                self.is_done = true;
                (Damage::Truncated, "the input ends inside this row".to_owned())
            }
            Extent::TooLong => {
                (Damage::RecordTooLarge, format!("more than {MAX_RECORD_BYTES} bytes"))
            }
        };
        output.damage(damage, offset, || detail);
        Ok(true)
    }
}

/// How much of a value there was.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Extent {
    Whole,
    Cut,
    TooLong,
}

/// Takes JSON values off a stream.
struct Scanner {
    input: BufReader<Box<dyn Read + Send>>,
    offset: u64,
}

impl Scanner {
    fn new(input: Box<dyn Read + Send>) -> Self {
        Self { input: BufReader::with_capacity(64 << 10, input), offset: 0 }
    }

    /// Returns the next byte that is neither white space nor a comma, without taking it.
    fn peek(&mut self) -> io::Result<Option<u8>> {
        loop {
            let bytes = fill(&mut self.input)?;
            if bytes.is_empty() {
                return Ok(None);
            }
            let is_blank = |byte: &u8| matches!(byte, b' ' | b'\t' | b'\r' | b'\n' | b',');
            let found = bytes.iter().position(|byte| !is_blank(byte));
            let next = found.map(|at| bytes[at]);
            let length = found.unwrap_or(bytes.len());
            self.consume(length);
            if next.is_some() {
                return Ok(next);
            }
        }
    }

    /// Takes the byte that was peeked.
    fn take_byte(&mut self) {
        self.consume(1);
    }

    fn consume(&mut self, length: usize) {
        self.input.consume(length);
        self.offset += length as u64;
    }

    /// Takes a string, an array or an object, of which the first byte was peeked.
    fn value(&mut self, value: &mut Vec<u8>) -> io::Result<Extent> {
        value.clear();
        let mut walk = Walk::Start;
        let mut length = 0;
        loop {
            let bytes = fill(&mut self.input)?;
            if bytes.is_empty() {
                return Ok(Extent::Cut);
            }
            let (taken, is_whole) = walk.take(bytes);
            length += taken as u64;
            if length <= MAX_RECORD_BYTES {
                value.extend_from_slice(&bytes[..taken]);
            }
            self.consume(taken);
            if is_whole {
                let is_kept = length <= MAX_RECORD_BYTES;
                return Ok(if is_kept { Extent::Whole } else { Extent::TooLong });
            }
        }
    }
}

/// Finds the end of a value that arrives in pieces.
enum Walk {
    Start,
    Bracket(Lexer),
    String { is_escape: bool },
}

impl Walk {
    /// Returns how many bytes belong to the value, and whether it ends there.
    fn take(&mut self, bytes: &[u8]) -> (usize, bool) {
        let mut at = 0;
        if matches!(self, Self::Start) {
            let is_string = bytes[0] == b'"';
            *self = if is_string {
                Self::String { is_escape: false }
            } else {
                Self::Bracket(Lexer::new())
            };
            at = 1;
        }
        match self {
            Self::Start => unreachable!("the first byte has told what it is"),
            Self::Bracket(lexer) => loop {
                let (taken, event) = lexer.run(&bytes[at..]);
                at += taken;
                match event {
                    // A member of the row's own, and no wrapper of logs.
                    Event::OpenedRecords => lexer.descend(),
                    event => return (at, event == Event::Closed),
                }
            },
            Self::String { is_escape } => {
                while at < bytes.len() {
                    if *is_escape {
                        *is_escape = false;
                        at += 1;
                        continue;
                    }
                    let Some(found) = memchr2(b'"', b'\\', &bytes[at..]) else { break };
                    at += found + 1;
                    if bytes[at - 1] == b'"' {
                        return (at, true);
                    }
                    *is_escape = true;
                }
                (bytes.len(), false)
            }
        }
    }
}

fn fill(input: &mut BufReader<Box<dyn Read + Send>>) -> io::Result<&[u8]> {
    // Asked twice, as a buffer that is returned from a loop stays borrowed in all of it.
    while let Err(error) = input.fill_buf() {
        if error.kind() != ErrorKind::Interrupted {
            return Err(error);
        }
    }
    input.fill_buf()
}
