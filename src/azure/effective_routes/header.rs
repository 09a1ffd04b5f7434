//! The header of a text table: what its columns hold and where they begin.

use std::ops::Range;

use super::field::{Field, TableKind, table_kind};
use super::line::{cleaned, word_ranges};
use super::row::Cells;

/// The columns of a table.
pub(super) struct Header {
    pub(super) columns: Vec<Option<Field>>,
    /// Where the columns begin, counted in characters; none where words before the header moved it.
    pub(super) starts: Option<Vec<usize>>,
    /// Where the text after the header begins, where a line holds more than it.
    pub(super) rest: Option<usize>,
}

/// Finds the names of columns in a line: cut by the ruler below it, or one after the other.
pub(super) fn find_header(line: &str, ruler: Option<Vec<usize>>) -> Option<Header> {
    if let Some(starts) = ruler
        && let Some(names) = slices(line, &starts)
    {
        let columns: Vec<_> = names.into_iter().map(Field::named).collect();
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

pub(super) fn cells_of<'a>(columns: &[Option<Field>], texts: &[&'a str]) -> Cells<'a> {
    let mut cells = Cells::default();
    for (column, text) in columns.iter().zip(texts) {
        if let Some(index) = column.and_then(Field::index) {
            cells[index] = text.trim();
        }
    }
    cells
}

/// Cuts a line where the columns begin; none where a word stands across a cut.
pub(super) fn slices<'a>(line: &'a str, starts: &[usize]) -> Option<Vec<&'a str>> {
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
    let is_cut = |offset: &usize| {
        let before = line[..*offset].chars().next_back();
        before.is_some_and(|letter| !letter.is_whitespace())
            && line[*offset..].starts_with(|letter: char| !letter.is_whitespace())
    };
    // What stands left of the first column would be lost.
    if offsets.iter().any(is_cut) || !line[..*offsets.first()?].trim().is_empty() {
        return None;
    }
    offsets.push(line.len());
    Some(offsets.windows(2).map(|pair| &line[pair[0]..pair[1]]).collect())
}

/// Returns where the columns begin, if a line is a ruler: nothing but runs of dashes.
pub(super) fn ruler_starts(line: &str) -> Option<Vec<usize>> {
    let line = cleaned(line);
    is_ruler(line.trim()).then(|| word_ranges(&line).map(|word| word.start).collect())
}

pub(super) fn is_ruler(content: &str) -> bool {
    content.starts_with("--")
        && content.contains(' ')
        && content.bytes().all(|byte| matches!(byte, b'-' | b' ' | b'\t'))
}
