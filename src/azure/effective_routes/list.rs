//! PowerShell's Format-List: one `Name : value` a line, rows apart by blank lines.
//!
//! ```text
//! State         : Active
//! AddressPrefix : {10.0.0.0/16, 10.1.0.0/16}
//! NextHopType   : VnetLocal
//! ```

use super::error::RouteValueError;
use super::field::{Field, TableKind, table_kind};
use super::row::{Rows, at_cell, is_ellipsis};
use super::{ExportFormat, ParsedExport, RouteFileError};

/// Reads blocks of named values; none where they are not those of effective routes.
pub(super) fn parse(text: &str) -> Option<Result<ParsedExport, RouteFileError>> {
    let mut columns = [None; Field::CELL_COUNT];
    for (field, _) in text.lines().filter_map(named_value) {
        match field.index() {
            Some(index) => columns[index] = Some(field),
            // One of these makes the whole file something else.
            None if field == Field::OfResource => return None,
            None => {}
        }
    }
    (table_kind(&columns) == TableKind::EffectiveRoutes).then(|| read_blocks(text))
}

#[derive(Default)]
struct Block {
    first_line: u64,
    cells: [Option<String>; Field::CELL_COUNT],
    /// The cell that a line without a name goes on with.
    last: Option<usize>,
}

fn read_blocks(text: &str) -> Result<ParsedExport, RouteFileError> {
    let mut rows = Rows::default();
    let mut block = Block::default();
    for (line, number) in text.lines().zip(1..) {
        if line.trim().is_empty() {
            block.flush(&mut rows)?;
        } else if is_ellipsis(line.trim()) {
            rows.is_elided = true;
        } else if let Some((field, value)) = named_value(line) {
            let Some(index) = field.index() else {
                block.last = None;
                continue;
            };
            if block.cells[index].is_some() {
                block.flush(&mut rows)?;
            }
            if block.cells.iter().all(Option::is_none) {
                block.first_line = number;
            }
            block.cells[index] = Some(value.to_owned());
            block.last = Some(index);
        } else if line.starts_with([' ', '\t']) || line.starts_with(['[', ']', '{', '}']) {
            block.go_on(line);
        }
    }
    block.flush(&mut rows)?;
    rows.finish(ExportFormat::PowerShellText)
}

impl Block {
    /// Adds the row of the block and empties it. A block without a prefix and a type is something
    /// else that stands in the file.
    fn flush(&mut self, rows: &mut Rows) -> Result<(), RouteFileError> {
        let block = std::mem::take(self);
        let has = |field: Field| field.index().is_some_and(|index| block.cells[index].is_some());
        if !(has(Field::Prefix) || has(Field::NextHopType)) {
            return Ok(());
        }
        if !has(Field::Prefix) {
            return Err(at_cell(block.first_line, (Field::Prefix, RouteValueError::Missing)));
        }
        let cells = block.cells.each_ref().map(|cell| cell.as_deref().unwrap_or_default());
        rows.add_cells(&cells).map_err(|problem| at_cell(block.first_line, problem))
    }

    fn go_on(&mut self, line: &str) {
        if let Some(cell) = self.last.and_then(|index| self.cells[index].as_mut()) {
            cell.push(' ');
            cell.push_str(line.trim());
        }
    }
}

/// Splits `Name : value` where the name is one of a route's.
fn named_value(line: &str) -> Option<(Field, &str)> {
    let (name, value) = line.split_once(':')?;
    Some((Field::named(name.trim())?, value.trim()))
}
