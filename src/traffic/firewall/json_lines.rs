//! A record a line, as Azure stores firewall logs.
//!
//! Each line stands for itself, so that a broken one does no harm to the next. Files that were
//! joined without a line's end between them have several records on a line.
//!
//! Source: "Prepare for format change to Azure Monitor platform logs archived to a storage
//! account", Azure documentation (read 2026-11-20).

use std::io::Read;
use std::ops::Range;

use super::fields::Fields;
use super::lines::Lines;
use super::object::read_object;
use super::reader::{Output, Place};
use super::usual_object::UsualObjects;
use crate::traffic::Damage;
use crate::traffic::flowlog::{Event, Lexer, MAX_DEPTH};

/// Reads records a line.
pub(super) struct JsonLines {
    lines: Lines,
    line: super::lines::Line,
    /// How much of the line was read.
    at: usize,
    usual: UsualObjects,
}

impl JsonLines {
    pub(super) fn new(input: Box<dyn Read + Send>) -> Self {
        Self {
            lines: Lines::new(input),
            line: super::lines::Line::default(),
            at: 0,
            usual: UsualObjects::new(),
        }
    }

    /// Reads one record; false at the end.
    pub(super) fn next(&mut self, output: &mut Output<'_>) -> bool {
        loop {
            if self.read_usual(output) {
                return true;
            }
            if let Some(piece) = self.next_piece() {
                self.read(&piece, output);
                return true;
            }
            match self.lines.next() {
                None => return false,
                Some(Ok(line)) => {
                    std::mem::swap(line, &mut self.line);
                    self.at = 0;
                }
                Some(Err(damage)) => {
                    output.damage(damage.damage, damage.offset, || damage.detail);
                    return true;
                }
            }
        }
    }

    /// Reads the next record of the line where it is of the usual form.
    fn read_usual(&mut self, output: &mut Output<'_>) -> bool {
        let Some(start) = self.next_start() else { return false };
        let mut fields = Fields::default();
        let Some(length) = self.usual.read(&self.line.bytes[start..], &mut fields) else {
            return false;
        };
        self.at = start + length;
        let (offset, number) = (self.line.offset + start as u64, self.line.number);
        output.row(&fields, Place { offset, line: Some(number), is_cut: false });
        true
    }

    fn next_start(&self) -> Option<usize> {
        let rest = &self.line.bytes[self.at..];
        Some(self.at + rest.iter().position(|byte| !is_between_records(*byte))?)
    }

    /// Cuts the next record off the line.
    fn next_piece(&mut self) -> Option<Piece> {
        loop {
            let start = self.next_start()?;
            let bytes = &self.line.bytes[..];
            if bytes[start] != b'{' {
                self.at = bytes.len();
                return Some(Piece { range: start..self.at, end: End::NoObject });
            }
            let mut lexer = Lexer::new();
            let (taken, event) = lexer.run(&bytes[start + 1..]);
            self.at = start + 1 + taken;
            let end = match event {
                // A wrapper among the lines: what it holds are records like the others.
                Event::OpenedRecords => continue,
                _ if lexer.deepest() > MAX_DEPTH as u64 => End::TooDeep,
                Event::Closed => End::Whole,
                Event::NeedsMore | Event::LacksCloser => End::Cut,
            };
            return Some(Piece { range: start..self.at, end });
        }
    }

    fn read(&self, piece: &Piece, output: &mut Output<'_>) {
        let offset = self.line.offset + piece.range.start as u64;
        let number = self.line.number;
        let place = Place { offset, line: Some(number), is_cut: false };
        let damage = match piece.end {
            End::Whole => {
                let mut fields = Fields::default();
                match read_object(&self.line.bytes[piece.range.clone()], &mut fields) {
                    Ok(()) => output.row(&fields, place),
                    Err(error) => output.damage(Damage::MalformedRecord, offset, || {
                        format!("line {number}: {error} of the record")
                    }),
                }
                return;
            }
            End::Cut if !self.line.is_terminated => Damage::Truncated,
            End::TooDeep => Damage::NestingTooDeep,
            End::Cut | End::NoObject => Damage::MalformedRecord,
        };
        output.damage(damage, offset, || match piece.end {
            End::TooDeep => format!("line {number}: brackets nest deeper than {MAX_DEPTH}"),
            End::NoObject => format!("line {number}: no record starts here"),
            _ => format!("line {number}: it ends inside the record"),
        });
    }
}

struct Piece {
    range: Range<usize>,
    end: End,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum End {
    Whole,
    /// The line ends first.
    Cut,
    TooDeep,
    NoObject,
}

fn is_between_records(byte: u8) -> bool {
    matches!(byte, b' ' | b'\t' | b'\r' | b',' | b'[' | b']' | b'}')
}
