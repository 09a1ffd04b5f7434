//! Comma-, semicolon- and tab-separated exports: the portal's download, `ConvertTo-Csv`, and what
//! a spreadsheet of a European locale saves.
//!
//! Source: RFC 4180.

use csv::{ReaderBuilder, StringRecord};

use super::error::{RoutePlace, RouteValueError};
use super::field::{Field, TableKind, table_kind};
use super::row::{Cells, Rows, at_cell, is_ellipsis};
use super::{ExportFormat, ParsedExport, RouteFileError};

/// Reads separated values; none where the first line of text names no such columns.
pub(super) fn parse(text: &str) -> Option<Result<ParsedExport, RouteFileError>> {
    let (header, lines_above) = header_of(text)?;
    let body = &text[header..];
    let first_line = body.lines().next()?;
    [b',', b';', b'\t'].into_iter().find_map(|delimiter| {
        let columns = columns_of(first_line, delimiter)?;
        match table_kind(&columns) {
            TableKind::EffectiveRoutes => Some(read_rows(body, delimiter, &columns, lines_above)),
            TableKind::VirtualHub => Some(Err(RouteFileError::VirtualHub)),
            TableKind::Resource | TableKind::Unknown => None,
        }
    })
}

/// Finds the first line that is no comment, and how many lines are above it.
///
/// `sep=;` is the spreadsheet's own line, and `#TYPE …` that of Windows PowerShell.
fn header_of(text: &str) -> Option<(usize, u64)> {
    let mut offset = 0;
    for (line, lines_above) in text.split_inclusive('\n').zip(0..) {
        let content = line.trim();
        if !(content.is_empty() || content.starts_with('#') || content.starts_with("sep=")) {
            return Some((offset, lines_above));
        }
        offset += line.len();
    }
    None
}

fn columns_of(line: &str, delimiter: u8) -> Option<Vec<Option<Field>>> {
    let mut reader = ReaderBuilder::new()
        .delimiter(delimiter)
        .has_headers(false)
        .flexible(true)
        .from_reader(line.as_bytes());
    let record = reader.records().next()?.ok()?;
    Some(record.iter().map(Field::named).collect())
}

fn read_rows(
    body: &str,
    delimiter: u8,
    columns: &[Option<Field>],
    lines_above: u64,
) -> Result<ParsedExport, RouteFileError> {
    let mut reader = ReaderBuilder::new()
        .delimiter(delimiter)
        .has_headers(true)
        .flexible(true)
        .from_reader(body.as_bytes());
    let mut rows = Rows::default();
    let mut record = StringRecord::new();
    loop {
        let is_read = reader.read_record(&mut record).map_err(|error| RouteFileError::Csv {
            line: lines_above + error.position().map_or(1, csv::Position::line),
            message: error.to_string(),
        })?;
        if !is_read {
            return rows.finish(ExportFormat::Csv);
        }
        let line = lines_above + record.position().map_or(0, |at| line_of(body, at));
        read_row(&mut rows, &record, columns, line)?;
    }
}

/// Returns the line of a record, which the reader places before the blank lines above it.
fn line_of(body: &str, position: &csv::Position) -> u64 {
    let bytes =
        usize::try_from(position.byte()).ok().and_then(|start| body.as_bytes().get(start..));
    let blank = bytes.unwrap_or_default().iter().take_while(|byte| matches!(byte, b'\r' | b'\n'));
    position.line() + blank.filter(|byte| **byte == b'\n').count() as u64
}

fn read_row(
    rows: &mut Rows,
    record: &StringRecord,
    columns: &[Option<Field>],
    line: u64,
) -> Result<(), RouteFileError> {
    let first = record.get(0).unwrap_or_default().trim();
    if record.iter().all(|cell| cell.trim().is_empty()) || first.starts_with('#') {
        return Ok(());
    }
    if is_ellipsis(first) && record.iter().skip(1).all(|cell| cell.trim().is_empty()) {
        rows.is_elided = true;
        return Ok(());
    }
    // A list that was not quoted would shift the cells after it.
    if record.iter().skip(columns.len()).any(|cell| !cell.trim().is_empty()) {
        return Err(RouteFileError::Value {
            place: RoutePlace::Line(line),
            problem: RouteValueError::TooManyCells,
        });
    }
    let mut cells = Cells::default();
    for (cell, column) in record.iter().zip(columns) {
        if let Some(index) = column.and_then(Field::index)
            && cells[index].is_empty()
        {
            cells[index] = cell;
        }
    }
    rows.add_cells(&cells).map_err(|problem| at_cell(line, problem))
}
