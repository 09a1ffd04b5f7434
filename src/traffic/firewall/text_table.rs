//! `az monitor log-analytics query … -o table`, as it is printed, and as it comes out of web pages.
//!
//! ```text
//! Action_s    Category         DestinationIp_s    Fqdn_s    SourceIP     TimeGenerated
//! ----------  ---------------  -----------------  --------  -----------  ---------------------------
//! Allow       AZFWNetworkRule  10.13.77.6                   192.168.0.4  2025-01-20T18:18:11.925475Z
//! ```
//!
//! The dashes tell where the columns begin. Where a page has squeezed the blanks, or put the whole
//! table on one line, the kinds of the words tell instead (see `words`). What stands above a
//! table, such as the query, is no part of it; nor is what follows a prompt.

use std::collections::VecDeque;
use std::io::Read;
use std::ops::Range;

use super::fields::{Column, Fields, are_of_log};
use super::lines::{Line, Lines};
use super::reader::{Output, Place};
use super::words;
use crate::traffic::Damage;

/// Reads the rows of text tables.
pub(super) struct TextTable {
    lines: Lines,
    /// A line is held until the next one shows whether it is a header.
    held: Option<Line>,
    table: Option<Header>,
    /// The line of a table on one line, and its rows that are still to be read.
    flat: Line,
    flat_rows: VecDeque<Range<usize>>,
    is_at_end: bool,
}

/// The columns of a table.
struct Header {
    columns: Vec<Option<Column>>,
    layout: Layout,
}

/// What of a table's form is left.
#[derive(Debug, PartialEq, Eq)]
enum Layout {
    /// Columns begin here, counted in characters.
    Columns { starts: Vec<usize> },
    /// Blanks were squeezed.
    Lines,
    /// All of it stands on one line.
    OneLine,
}

/// Returns true if a text has the header of a log's table.
pub(super) fn has_header(text: &str) -> bool {
    let mut above = "";
    for line in text.lines() {
        if Header::above_ruler(above, line).is_some() || Header::on_one_line(line).is_some() {
            return true;
        }
        above = line;
    }
    false
}

impl TextTable {
    pub(super) fn new(input: Box<dyn Read + Send>) -> Self {
        Self {
            lines: Lines::new(input),
            held: None,
            table: None,
            flat: Line::default(),
            flat_rows: VecDeque::new(),
            is_at_end: false,
        }
    }

    /// Reads one row; false at the end.
    pub(super) fn next(&mut self, output: &mut Output<'_>) -> bool {
        loop {
            if let Some(range) = self.flat_rows.pop_front() {
                self.read_flat_row(range, output);
                return true;
            }
            if self.is_at_end {
                return false;
            }
            let line = match self.lines.next() {
                Some(Err(damage)) => {
                    output.damage(damage.damage, damage.offset, || damage.detail);
                    return true;
                }
                Some(Ok(line)) => Some(std::mem::take(line)),
                None => None,
            };
            self.is_at_end = line.is_none();
            let above = std::mem::replace(&mut self.held, line);
            if let Some(above) = above
                && self.take_line(above, output)
            {
                return true;
            }
        }
    }

    /// Takes a line, of which the one below it is held. Returns true for a row, or damage.
    fn take_line(&mut self, line: Line, output: &mut Output<'_>) -> bool {
        let place =
            Place { offset: line.offset, line: Some(line.number), is_cut: !line.is_terminated };
        let Some(text) = text_of(&line) else {
            if self.table.is_some() {
                output.damage(Damage::MalformedRecord, place.offset, || {
                    format!("line {}: no text of UTF-8", line.number)
                });
            }
            return self.table.is_some();
        };
        let below = self.held.as_ref().and_then(text_of).unwrap_or_default();
        if is_ruler(below) {
            // The table of something else ends this one, too.
            self.table = Header::above_ruler(text, below);
            return false;
        }
        if let Some((header, rest)) = Header::on_one_line(text) {
            self.flat_rows = words::rows(text, rest, &header.columns);
            self.table = Some(header);
            self.flat = line;
            return false;
        }
        if is_prompt(text) {
            self.table = None;
        }
        let Some(table) = &self.table else { return false };
        // Below a table on one line stands the page's own text.
        if table.layout == Layout::OneLine || text.trim().is_empty() || is_ruler(text) {
            return false;
        }
        read_row(text, table, place, output);
        true
    }

    fn read_flat_row(&self, range: Range<usize>, output: &mut Output<'_>) {
        let text = text_of(&self.flat).unwrap_or_default();
        let columns = self.table.as_ref().map_or(&[][..], |table| &table.columns);
        let place = Place {
            offset: self.flat.offset + range.start as u64,
            line: Some(self.flat.number),
            is_cut: !self.flat.is_terminated && range.end == text.trim_end().len(),
        };
        match words::fields(&text[range], columns) {
            Some(fields) => output.row(&fields, place),
            None => unreadable(place, output),
        }
    }
}

impl Header {
    fn above_ruler(names: &str, ruler: &str) -> Option<Self> {
        if !is_ruler(ruler) {
            return None;
        }
        let starts: Vec<usize> = words::ranges(ruler).map(|word| word.start).collect();
        if let Some(cells) = slices(names, &starts) {
            let columns: Vec<_> = cells.iter().map(|name| Column::named(name)).collect();
            let layout = Layout::Columns { starts };
            return are_of_log(&columns).then_some(Self { columns, layout });
        }
        let columns: Vec<_> = names.split_whitespace().map(Column::named).collect();
        let are_squeezed = columns.len() == starts.len() && are_of_log(&columns);
        are_squeezed.then_some(Self { columns, layout: Layout::Lines })
    }

    /// Finds a ruler inside a line, with as many names before it; also gives where it ends.
    fn on_one_line(line: &str) -> Option<(Self, usize)> {
        // A header stands near the beginning: a row of a thousand words is not searched.
        const WORDS_MAX: usize = 1024;
        if !line.contains(" --") {
            return None;
        }
        let words: Vec<Range<usize>> = words::ranges(line).take(WORDS_MAX).collect();
        let is_dashes = |word: &Range<usize>| is_dashes(&line[word.clone()]);
        let mut at = 0;
        while let Some(found) = words[at..].iter().position(is_dashes) {
            let start = at + found;
            let length = words[start..].iter().take_while(|word| is_dashes(word)).count();
            at = start + length;
            if length > 1 && start >= length {
                let names = &words[start - length..start];
                let names = names.iter().map(|name| Column::named(&line[name.clone()]));
                let columns: Vec<_> = names.collect();
                if are_of_log(&columns) {
                    let rest = words[at - 1].end;
                    return Some((Self { columns, layout: Layout::OneLine }, rest));
                }
            }
        }
        None
    }
}

/// Reads a row by its columns; or by its words, where it does not keep to the columns.
fn read_row(line: &str, table: &Header, place: Place, output: &mut Output<'_>) {
    let cells = match &table.layout {
        Layout::Columns { starts } => slices(line, starts),
        Layout::Lines | Layout::OneLine => None,
    };
    let Some(cells) = cells.filter(|cells| fit(cells, &table.columns)) else {
        return match words::fields(line, &table.columns) {
            Some(fields) => output.row(&fields, place),
            None => unreadable(place, output),
        };
    };
    let mut fields = Fields::default();
    for (cell, column) in cells.iter().zip(&table.columns) {
        if let Some(column) = column {
            fields.set_text(*column, cell);
        }
    }
    output.row(&fields, place);
}

/// Returns true unless a cell holds what its column never does: then the blanks were squeezed.
fn fit(cells: &[&str], columns: &[Option<Column>]) -> bool {
    cells.iter().zip(columns).all(|(cell, column)| {
        let cell = cell.trim();
        cell.is_empty() || cell == "None" || words::may_hold(*column, cell)
    })
}

fn unreadable(place: Place, output: &mut Output<'_>) {
    let damage = if place.is_cut { Damage::Truncated } else { Damage::MalformedRecord };
    output.damage(damage, place.offset, || {
        let line = place.line.unwrap_or_default();
        format!("line {line}: no row of the table above")
    });
}

fn text_of(line: &Line) -> Option<&str> {
    std::str::from_utf8(&line.bytes).ok()
}

/// Cuts a line where the columns begin; none where a word stands across a cut.
fn slices<'l>(line: &'l str, starts: &[usize]) -> Option<Vec<&'l str>> {
    let mut offsets = Vec::with_capacity(starts.len() + 1);
    let mut letters = line.char_indices().enumerate().peekable();
    for start in starts {
        while letters.next_if(|(count, _)| count < start).is_some() {}
        let offset = letters.peek().map_or(line.len(), |(_, (offset, _))| *offset);
        let is_behind_blank = line[..offset].ends_with(char::is_whitespace) || offset == 0;
        if offset < line.len() && !is_behind_blank {
            return None;
        }
        offsets.push(offset);
    }
    // What stands left of the first column would be lost.
    if !line[..*offsets.first()?].trim().is_empty() {
        return None;
    }
    offsets.push(line.len());
    Some(offsets.windows(2).map(|pair| &line[pair[0]..pair[1]]).collect())
}

fn is_ruler(line: &str) -> bool {
    let mut words = line.split_whitespace();
    words.next().is_some_and(is_dashes) && words.all(is_dashes)
}

fn is_dashes(word: &str) -> bool {
    word.len() > 1 && word.bytes().all(|byte| byte == b'-')
}

/// Returns true for a line that a shell printed before a command.
fn is_prompt(line: &str) -> bool {
    let first = line.split_whitespace().next().unwrap_or_default();
    matches!(first, "$" | "#" | ">" | "PS" | "az")
        || first.starts_with(['❯', '➜', 'λ'])
        || (first.contains('@') && first.contains(':'))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_is_cut_where_columns_begin_and_never_inside_a_word() {
        assert_eq!(slices("ab  cd", &[0, 4]), Some(vec!["ab  ", "cd"]));
        assert_eq!(slices("ab", &[0, 4]), Some(vec!["ab", ""]));
        assert_eq!(slices("éé  cd", &[0, 4]), Some(vec!["éé  ", "cd"]));
        assert_eq!(slices("abcdef", &[0, 4]), None);
        assert_eq!(slices("x  ab", &[3]), None);
    }

    #[test]
    fn a_header_is_known_by_its_ruler_and_its_names() {
        let ruler = "-------------  ----------  ------";
        let header = Header::above_ruler("TimeGenerated  SourceIP    Fqdn_s", ruler).unwrap();
        assert_eq!(header.layout, Layout::Columns { starts: vec![0, 15, 27] });
        let header = Header::above_ruler("TimeGenerated SourceIP Fqdn_s", ruler).unwrap();
        assert_eq!(header.layout, Layout::Lines);
        assert!(Header::above_ruler("Name           Location    Group", ruler).is_none());
        assert!(Header::above_ruler("TimeGenerated  SourceIP    Fqdn_s", "").is_none());
        let line = "❯ az x --yes -o table TimeGenerated SourceIP ------------- -------- 2025";
        let (header, rest) = Header::on_one_line(line).unwrap();
        assert_eq!(header.columns.len(), 2);
        assert_eq!(&line[rest..], " 2025");
        assert!(Header::on_one_line("az x -- SourceIP -- TimeGenerated ----").is_none());
    }
}
