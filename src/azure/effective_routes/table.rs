//! Text tables: `-o table` of the Azure CLI and Format-Table of PowerShell, as they are printed,
//! and as they come out of scripts, terminals and web pages.
//!
//! ```text
//! Source    State    Address Prefix    Next Hop Type     Next Hop IP
//! --------  -------  ----------------  ----------------  -------------
//! Default   Active   10.1.0.0/16       VnetLocal
//! ```
//!
//! The names of the header decide what the columns hold, and the dashes where they begin; without
//! dashes the header's names do. A row that does not keep to the columns is read by the kinds of
//! its words instead: a prefix looks like nothing else, nor does an address. That is the only way
//! where a web page has put a whole table on one line.

use std::borrow::Cow;
use std::ops::Range;

use super::error::{RoutePlace, RouteValueError};
use super::field::{Field, TableKind, table_kind};
use super::row::{CellError, Cells, Rows, at_cell, is_ellipsis};
use super::{ExportFormat, ParsedExport, RouteFileError};
use crate::azure::{NextHopType, RouteSource, RouteState};
use crate::net::AddressPrefix;

/// Reads a table with a header; none where no line is a header.
pub(super) fn parse(text: &str) -> Option<Result<ParsedExport, RouteFileError>> {
    read(text).transpose()
}

fn read(text: &str) -> Result<Option<ParsedExport>, RouteFileError> {
    let mut reader = TableReader::default();
    let mut lines = text.lines().zip(1..).peekable();
    while let Some((line, number)) = lines.next() {
        let line = cleaned(line);
        let ruler = lines.peek().and_then(|(next, _)| ruler_starts(next));
        let header = if is_comment(line.trim()) { None } else { find_header(&line, ruler) };
        match header {
            Some(header) => reader.begin(header, &line, number)?,
            None => reader.read_line(&line, number)?,
        }
    }
    Ok(reader.finish())
}

/// Reads rows that came without their header, as `… -o table | grep Active` prints them; none
/// where any line is something else.
pub(super) fn parse_without_header(text: &str) -> Option<Result<ParsedExport, RouteFileError>> {
    let mut rows = Rows::default();
    for line in text.lines() {
        let line = cleaned(line);
        let content = line.trim();
        let is_of_author = is_comment(content) || is_prompt(content) || is_ellipsis(content);
        if content.is_empty() || is_of_author {
            continue;
        }
        let mut words = Words::new(&line);
        words.is_row_start().then_some(())?;
        row_by_kind(words, &Field::AZ_TABLE.map(Some), &mut rows).ok()?;
    }
    if rows.routes.is_empty() {
        return None;
    }
    rows.is_elided = true;
    rows.warnings.push("a table without its header: other rows may be missing".to_owned());
    Some(Ok(rows.finish(ExportFormat::AzTable)))
}

/// Returns true for a line that the table's author added.
pub(super) fn is_comment(content: &str) -> bool {
    content.starts_with('#') || content.starts_with("//") || content.starts_with("```")
}

/// Returns true for a line that a shell printed before a command.
pub(super) fn is_prompt(content: &str) -> bool {
    let first = content.split_whitespace().next().unwrap_or_default();
    matches!(first, "❯" | "$" | ">" | "PS" | "➜" | "λ" | "%" | "az")
        || content.starts_with(['❯', '$', '>'])
        || (first.contains('@') && first.contains(':'))
}

/// The columns of a table.
struct Header {
    columns: Vec<Option<Field>>,
    /// Where the columns begin, counted in characters; none where words before the header moved it.
    starts: Option<Vec<usize>>,
    /// Where the text after the header begins, where a line holds more than it.
    rest: Option<usize>,
}

#[derive(Default)]
struct TableReader {
    rows: Rows,
    table: Option<Header>,
    first_line: u64,
    has_ended: bool,
    has_braces: bool,
}

impl TableReader {
    fn begin(&mut self, header: Header, line: &str, number: u64) -> Result<(), RouteFileError> {
        match table_kind(&header.columns) {
            TableKind::VirtualHub if self.table.is_none() => {
                return Err(RouteFileError::VirtualHub);
            }
            TableKind::EffectiveRoutes if self.table.is_none() => {}
            TableKind::EffectiveRoutes => {
                let first_line = self.first_line;
                return Err(RouteFileError::SeveralTables { first_line, second_line: number });
            }
            // The table of something else; what stands below it belongs to it.
            _ => {
                self.has_ended = true;
                return Ok(());
            }
        }
        self.has_ended = false;
        self.first_line = number;
        if let Some(rest) = header.rest {
            let mut words = Words::new(line);
            words.skip_before(rest);
            words.skip_ruler();
            self.read_words(&mut words, &header.columns).map_err(|cell| at_cell(number, cell))?;
        }
        self.table = Some(header);
        Ok(())
    }

    fn read_line(&mut self, line: &str, number: u64) -> Result<(), RouteFileError> {
        let content = line.trim();
        if content.is_empty() || is_comment(content) || is_ruler(content) {
            return Ok(());
        }
        if is_prompt(content) {
            self.has_ended |= self.table.is_some();
            return Ok(());
        }
        if self.has_ended {
            return Ok(());
        }
        let Some(header) = self.table.take() else {
            return Ok(());
        };
        let result = if is_ellipsis(content) {
            self.rows.is_elided = true;
            Ok(())
        } else if header.rest.is_some() {
            self.read_after_one_line(line, &header.columns)
        } else {
            self.read_row(line, &header)
        };
        self.table = Some(header);
        result.map_err(|cell| match cell {
            (_, problem @ (RouteValueError::Unaligned | RouteValueError::TooManyCells)) => {
                RouteFileError::Value { place: RoutePlace::Line(number), problem }
            }
            cell => at_cell(number, cell),
        })
    }

    /// Below a table on one line stands more of it, if the page broke it, or the page's own text.
    fn read_after_one_line(
        &mut self,
        line: &str,
        columns: &[Option<Field>],
    ) -> Result<(), CellError> {
        let mut words = Words::new(line);
        if words.is_row_start() { self.read_words(&mut words, columns) } else { Ok(()) }
    }

    fn read_words(
        &mut self,
        words: &mut Words<'_>,
        columns: &[Option<Field>],
    ) -> Result<(), CellError> {
        while let Some(word) = words.peek() {
            if is_ellipsis(word) {
                self.rows.is_elided = true;
                words.skip();
                continue;
            }
            let cells = take_row(words, columns)?;
            self.rows.add_cells(&cells)?;
        }
        Ok(())
    }

    fn read_row(&mut self, line: &str, header: &Header) -> Result<(), CellError> {
        let Some(cells) = header
            .starts
            .as_deref()
            .and_then(|starts| Some(cells_of(&header.columns, &slices(line, starts)?)))
        else {
            return row_by_kind(Words::new(line), &header.columns, &mut self.rows);
        };
        let at = |field: Field| field.index().map_or("", |index| cells[index]);
        self.has_braces |= at(Field::Prefix).starts_with('{');
        if self.goes_on(&cells) {
            return self.go_on(at(Field::Prefix), at(Field::NextHopIp));
        }
        let by_column = self.rows.add_cells(&cells);
        // Blanks that were squeezed can look like other columns: then the kinds of words tell.
        by_column.or_else(|error| {
            row_by_kind(Words::new(line), &header.columns, &mut self.rows).map_err(|_| error)
        })
    }

    /// `Format-Table -Wrap` carries a long list on to lines that are blank elsewhere.
    fn goes_on(&self, cells: &Cells<'_>) -> bool {
        let is_blank = |field: Field| field.index().is_none_or(|index| cells[index].is_empty());
        self.has_braces
            && !self.rows.routes.is_empty()
            && [Field::Source, Field::State, Field::NextHopType].into_iter().all(is_blank)
    }

    fn go_on(&mut self, prefixes: &str, ips: &str) -> Result<(), CellError> {
        let Some(mut route) = self.rows.routes.pop() else {
            return Ok(());
        };
        let rows = &mut self.rows;
        rows.add_destinations(prefixes, &mut route.destinations)
            .map_err(|problem| (Field::Prefix, problem))?;
        rows.add_next_hop_ips(ips, &mut route.next_hop_ips)
            .map_err(|problem| (Field::NextHopIp, problem))?;
        rows.routes.push(route);
        Ok(())
    }

    fn finish(self) -> Option<ParsedExport> {
        self.table?;
        let format =
            if self.has_braces { ExportFormat::PowerShellText } else { ExportFormat::AzTable };
        Some(self.rows.finish(format))
    }
}

/// Finds the names of columns in a line: cut by the ruler below it, or one after the other.
fn find_header(line: &str, ruler: Option<Vec<usize>>) -> Option<Header> {
    if let Some(starts) = ruler {
        let columns: Vec<_> = slices(line, &starts)?.into_iter().map(Field::named).collect();
        if table_kind(&columns) != TableKind::Unknown {
            return Some(Header { columns, starts: Some(starts), rest: None });
        }
    }
    find_named_columns(line)
}

fn find_named_columns(line: &str) -> Option<Header> {
    // A header stands near the beginning: a row of a thousand prefixes is not searched.
    const WORDS_MAX: usize = 128;
    let words: Vec<Range<usize>> = word_ranges(line).take(WORDS_MAX).collect();
    let mut first = 0;
    while first < words.len() {
        let mut columns = Vec::new();
        let mut next = first;
        while let Some((field, end)) = column_name(line, &words, next)
            && !columns.contains(&Some(field))
        {
            columns.push(Some(field));
            next = end;
        }
        if table_kind(&columns) != TableKind::Unknown {
            return Some(header_at(line, &words, first, next, columns));
        }
        first += 1;
    }
    None
}

fn header_at(
    line: &str,
    words: &[Range<usize>],
    first: usize,
    next: usize,
    columns: Vec<Option<Field>>,
) -> Header {
    let rest = words.get(next).map(|word| word.start);
    let starts = (first == 0 && rest.is_none()).then(|| {
        let mut starts = Vec::with_capacity(columns.len());
        let mut at = 0;
        while let Some((_, end)) = column_name(line, words, at) {
            starts.push(line[..words[at].start].chars().count());
            at = end;
        }
        starts
    });
    Header { columns, starts, rest }
}

/// Reads the longest name of a column that begins at a word; also gives the word after it.
fn column_name(line: &str, words: &[Range<usize>], first: usize) -> Option<(Field, usize)> {
    const NAME_WORDS_MAX: usize = 5;
    let last = words.len().min(first + NAME_WORDS_MAX);
    (first..last).rev().find_map(|end| {
        let name = &line[words[first].start..words[end].end];
        // Two blanks in a row part columns; they never stand inside a name.
        if name.contains("  ") {
            return None;
        }
        Field::named(name).map(|field| (field, end + 1))
    })
}

fn cells_of<'a>(columns: &[Option<Field>], texts: &[&'a str]) -> Cells<'a> {
    let mut cells = Cells::default();
    for (column, text) in columns.iter().zip(texts) {
        if let Some(index) = column.and_then(Field::index) {
            cells[index] = text.trim();
        }
    }
    cells
}

/// Cuts a line where the columns begin; none where a word stands across a cut.
fn slices<'a>(line: &'a str, starts: &[usize]) -> Option<Vec<&'a str>> {
    let mut offsets: Vec<usize> = if line.is_ascii() {
        starts.iter().map(|start| (*start).min(line.len())).collect()
    } else {
        let mut letters = line.char_indices().map(|(offset, _)| offset).enumerate().peekable();
        let mut offset_of = |start: usize| {
            while letters.next_if(|(count, _)| *count < start).is_some() {}
            letters.peek().map_or(line.len(), |(_, offset)| *offset)
        };
        starts.iter().map(|start| offset_of(*start)).collect()
    };
    // What stands left of the first column would be lost.
    let is_cut = |offset: &usize| {
        let before = line[..*offset].chars().next_back();
        before.is_some_and(|letter| !letter.is_whitespace())
            && line[*offset..].starts_with(|letter: char| !letter.is_whitespace())
    };
    if offsets.iter().any(is_cut) || !line[..*offsets.first()?].trim().is_empty() {
        return None;
    }
    offsets.push(line.len());
    Some(offsets.windows(2).map(|pair| &line[pair[0]..pair[1]]).collect())
}

/// Returns where the columns begin, if a line is a ruler: nothing but runs of dashes.
fn ruler_starts(line: &str) -> Option<Vec<usize>> {
    let line = cleaned(line);
    is_ruler(line.trim()).then(|| word_ranges(&line).map(|word| word.start).collect())
}

fn is_ruler(content: &str) -> bool {
    content.starts_with("--")
        && content.contains(' ')
        && content.bytes().all(|byte| matches!(byte, b'-' | b' ' | b'\t'))
}

/// Removes what terminals, pages and authors added to a line: colour codes, `<b>`, non-breaking
/// spaces and a comment at the end.
fn cleaned(line: &str) -> Cow<'_, str> {
    let mut line = Cow::Borrowed(line);
    if line.contains('\u{1b}') {
        line = Cow::Owned(without_escapes(&line));
    }
    if line.contains('<') {
        line = Cow::Owned(without_emphasis(&line));
    }
    if line.contains('\u{a0}') {
        line = Cow::Owned(line.replace('\u{a0}', " "));
    }
    let marks = ["=>", "<=", "<-", " #", " //"];
    match marks.into_iter().filter_map(|mark| line.find(mark)).filter(|at| *at > 0).min() {
        Some(end) => match line {
            Cow::Borrowed(line) => Cow::Borrowed(&line[..end]),
            Cow::Owned(mut line) => {
                line.truncate(end);
                Cow::Owned(line)
            }
        },
        None => line,
    }
}

/// Removes terminal control sequences: `ESC [ … letter`.
///
/// Source: ECMA-48, §5.4.
fn without_escapes(line: &str) -> String {
    let mut kept = String::with_capacity(line.len());
    let mut letters = line.chars().peekable();
    while let Some(letter) = letters.next() {
        if letter != '\u{1b}' {
            kept.push(letter);
        } else if letters.next_if_eq(&'[').is_some() {
            while letters.next_if(|next| matches!(next, ' '..='?')).is_some() {}
            letters.next_if(|next| matches!(next, '@'..='~'));
        }
    }
    kept
}

/// Removes the HTML tags that pages use to point at a row.
fn without_emphasis(line: &str) -> String {
    const NAMES: [&str; 7] = ["b", "i", "u", "em", "strong", "mark", "code"];
    let mut kept = String::with_capacity(line.len());
    let mut rest = line;
    while let Some((before, after)) = rest.split_once('<') {
        kept.push_str(before);
        let name_length = after.bytes().take(8).position(|byte| byte == b'>');
        let name = name_length.and_then(|length| after.get(..length)).unwrap_or_default();
        let bare = name.strip_prefix('/').unwrap_or(name);
        if NAMES.iter().any(|known| bare.eq_ignore_ascii_case(known)) {
            rest = &after[name.len() + 1..];
        } else {
            kept.push('<');
            rest = after;
        }
    }
    kept.push_str(rest);
    kept
}

/// The words of a line, taken one after the other.
struct Words<'a> {
    line: &'a str,
    ranges: Vec<Range<usize>>,
    next: usize,
}

impl<'a> Words<'a> {
    fn new(line: &'a str) -> Self {
        Self { line, ranges: word_ranges(line).collect(), next: 0 }
    }

    fn peek(&self) -> Option<&'a str> {
        self.ranges.get(self.next).map(|range| &self.line[range.clone()])
    }

    fn skip(&mut self) {
        self.next += 1;
    }

    fn skip_before(&mut self, offset: usize) {
        self.next = self.ranges.partition_point(|range| range.start < offset);
    }

    fn skip_ruler(&mut self) {
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
    fn is_row_start(&mut self) -> bool {
        let here = self.next;
        let is_start = is_source(self.take_phrase(is_source)) && self.peek().is_some_and(is_state);
        self.next = here;
        is_start
    }
}

/// Reads a line that is one row, cut by the kinds of its words.
fn row_by_kind(
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
fn take_row<'a>(words: &mut Words<'a>, columns: &[Option<Field>]) -> Result<Cells<'a>, CellError> {
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
    bare.is_empty() || bare.parse::<std::net::IpAddr>().is_ok()
}

fn word_ranges(line: &str) -> impl Iterator<Item = Range<usize>> {
    line.split_whitespace().map(|word| {
        let start = word.as_ptr().addr() - line.as_ptr().addr();
        start..start + word.len()
    })
}
