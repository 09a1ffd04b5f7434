//! A row of text cut into cells by the kinds of its words: a prefix looks like nothing else, nor
//! does an address, and sources, states and types are known words.

use std::net::IpAddr;
use std::ops::Range;

use super::error::RouteValueError;
use super::field::Field;
use super::line::word_ranges;
use super::row::{CellError, Cells, Rows, is_blank, is_ellipsis};
use crate::azure::{NextHopType, RouteSource, RouteState};
use crate::net::AddressPrefix;

/// The words of a line, taken one after the other.
pub(super) struct Words<'a> {
    line: &'a str,
    ranges: Vec<Range<usize>>,
    next: usize,
}

impl<'a> Words<'a> {
    pub(super) fn new(line: &'a str) -> Self {
        Self { line, ranges: word_ranges(line).collect(), next: 0 }
    }

    pub(super) fn peek(&self) -> Option<&'a str> {
        self.ranges.get(self.next).map(|range| &self.line[range.clone()])
    }

    pub(super) fn skip(&mut self) {
        self.next += 1;
    }

    pub(super) fn skip_before(&mut self, offset: usize) {
        self.next = self.ranges.partition_point(|range| range.start < offset);
    }

    pub(super) fn skip_ruler(&mut self) {
        while self.peek().is_some_and(|word| word.bytes().all(|byte| byte == b'-')) {
            self.skip();
        }
    }

    /// Takes as many of the next words as `wanted` accepts together, at least one.
    fn take_phrase(&mut self, wanted: impl Fn(&str) -> bool) -> &'a str {
        const PHRASE_WORDS_MAX: usize = 5;
        let first = self.next;
        let last = self.ranges.len().min(first + PHRASE_WORDS_MAX);
        let text = |end: usize| &self.line[self.ranges[first].start..self.ranges[end].end];
        let end = (first..last).rev().find(|end| wanted(text(*end))).unwrap_or(first);
        if first == self.ranges.len() {
            return "";
        }
        let phrase = text(end);
        self.next = end + 1;
        phrase
    }

    /// Takes the next words as long as `wanted` accepts each, and returns the text from the first
    /// to the last.
    fn take_while(&mut self, wanted: impl Fn(&str) -> bool) -> &'a str {
        let first = self.next;
        while self.peek().is_some_and(&wanted) {
            self.skip();
        }
        match self.ranges.get(first..self.next) {
            Some([one]) => &self.line[one.clone()],
            Some([start, .., end]) => &self.line[start.start..end.end],
            _ => "",
        }
    }

    /// Returns true where a row in az's order can begin: a known source, then a known state.
    pub(super) fn is_row_start(&mut self) -> bool {
        let here = self.next;
        let is_start = is_source(self.take_phrase(is_source)) && self.peek().is_some_and(is_state);
        self.next = here;
        is_start
    }
}

/// Reads a line that is one row, cut by the kinds of its words.
pub(super) fn row_by_kind(
    mut words: Words<'_>,
    columns: &[Option<Field>],
    rows: &mut Rows,
) -> Result<(), CellError> {
    let cells = take_row(&mut words, columns)?;
    if words.peek().is_some() {
        return Err((Field::Prefix, RouteValueError::Unaligned));
    }
    rows.add_cells(&cells)
}

/// Takes the words of one row. Only the list of addresses may be blank, for nothing else tells a
/// blank cell from its neighbour.
pub(super) fn take_row<'a>(
    words: &mut Words<'a>,
    columns: &[Option<Field>],
) -> Result<Cells<'a>, CellError> {
    let mut cells = Cells::default();
    for column in columns {
        let unaligned = (column.unwrap_or(Field::Prefix), RouteValueError::Unaligned);
        let (field, cell) = match column {
            Some(Field::Source) => (Field::Source, words.take_phrase(is_source)),
            Some(Field::State) => (Field::State, words.take_phrase(is_state)),
            Some(Field::Prefix) => (Field::Prefix, take_prefixes(words)),
            Some(Field::NextHopType) => (Field::NextHopType, words.take_phrase(is_next_hop_type)),
            Some(Field::NextHopIp) => (Field::NextHopIp, words.take_while(is_address)),
            _ => return Err(unaligned),
        };
        if cell.is_empty() && field != Field::NextHopIp {
            return Err((field, RouteValueError::Missing));
        }
        if let Some(index) = field.index() {
            cells[index] = cell;
        }
    }
    Ok(cells)
}

/// Takes a list of prefixes, or one word, which may be a service tag.
fn take_prefixes<'a>(words: &mut Words<'a>) -> &'a str {
    let prefixes = words.take_while(is_prefix);
    if prefixes.is_empty() { words.take_phrase(|_| false) } else { prefixes }
}

fn is_source(text: &str) -> bool {
    !matches!(RouteSource::from(text), RouteSource::Other(_))
}

fn is_state(text: &str) -> bool {
    !matches!(RouteState::from(text), RouteState::Other(_))
}

fn is_next_hop_type(text: &str) -> bool {
    !matches!(NextHopType::from(text), NextHopType::Other(_))
}

fn is_prefix(word: &str) -> bool {
    let bare = word.trim_matches(['{', '}', ',']);
    is_ellipsis(word) || bare.contains('/') && bare.parse::<AddressPrefix>().is_ok()
}

fn is_address(word: &str) -> bool {
    let bare = word.trim_matches(['{', '}', ',']);
    is_blank(bare) || bare.parse::<IpAddr>().is_ok()
}
