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

use super::error::{RoutePlace, RouteValueError};
use super::field::{Field, TableKind, table_kind};
use super::header::{Header, cells_of, find_header, is_ruler, ruler_starts, slices};
use super::line::{cleaned, is_comment, is_prompt};
use super::row::{CellError, Cells, Rows, at_cell, is_ellipsis};
use super::words::{Words, row_by_kind, take_row};
use super::{ExportFormat, ParsedExport, RouteFileError};

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
    reader.finish().transpose()
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
    Some(rows.finish(ExportFormat::AzTable))
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

    fn finish(self) -> Option<Result<ParsedExport, RouteFileError>> {
        self.table?;
        let format =
            if self.has_braces { ExportFormat::PowerShellText } else { ExportFormat::AzTable };
        Some(self.rows.finish(format))
    }
}
