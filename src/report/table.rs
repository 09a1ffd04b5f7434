//! Columns of text, aligned.

use std::io::{self, Write};

/// Lines of `N` cells under a header, each column as wide as its widest cell.
///
/// Widths count characters, which is right for what the cells hold: digits, words and names.
#[derive(Clone, Debug)]
pub(super) struct Table<const N: usize> {
    header: [(&'static str, Align); N],
    lines: Vec<Line<N>>,
    has_ruler: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Align {
    Left,
    Right,
}

#[derive(Clone, Debug)]
struct Line<const N: usize> {
    cells: [String; N],
    is_marked: bool,
}

impl<const N: usize> Table<N> {
    pub(super) fn new(header: [(&'static str, Align); N]) -> Self {
        Self { header, lines: Vec::new(), has_ruler: false }
    }

    /// Draws dashes under the header, which tell a program where the columns begin.
    pub(super) fn with_ruler(self) -> Self {
        Self { has_ruler: true, ..self }
    }

    pub(super) fn line(&mut self, cells: [String; N]) {
        self.lines.push(Line { cells, is_marked: false });
    }

    /// Shows the last line in red where there is colour.
    pub(super) fn mark_last(&mut self) {
        if let Some(line) = self.lines.last_mut() {
            line.is_marked = true;
        }
    }

    pub(super) fn is_empty(&self) -> bool {
        self.lines.is_empty()
    }

    pub(super) fn write(&self, out: &mut dyn Write, is_coloured: bool) -> io::Result<()> {
        let widths = self.widths();
        let header = self.header.map(|(name, _)| name);
        let faint = is_coloured.then_some("\u{1b}[2m");
        self.write_line(out, &header, &widths, faint)?;
        if self.has_ruler {
            let dashes = widths.map(|width| "-".repeat(width));
            self.write_line(out, &dashes.each_ref().map(String::as_str), &widths, faint)?;
        }
        for line in &self.lines {
            let cells = line.cells.each_ref().map(String::as_str);
            let colour = (is_coloured && line.is_marked).then_some("\u{1b}[31m");
            self.write_line(out, &cells, &widths, colour)?;
        }
        Ok(())
    }

    fn widths(&self) -> [usize; N] {
        std::array::from_fn(|column| {
            let cells = self.lines.iter().map(|line| line.cells[column].as_str());
            let widths = cells.chain([self.header[column].0]).map(|cell| cell.chars().count());
            widths.max().unwrap_or(0)
        })
    }

    fn write_line(
        &self,
        out: &mut dyn Write,
        cells: &[&str; N],
        widths: &[usize; N],
        colour: Option<&str>,
    ) -> io::Result<()> {
        let mut line = String::new();
        for ((cell, width), (_, align)) in cells.iter().zip(widths).zip(&self.header) {
            line.push_str("  ");
            let padding = " ".repeat(width - cell.chars().count());
            match align {
                Align::Left => line.extend([*cell, &padding]),
                Align::Right => line.extend([&padding, *cell]),
            }
        }
        let line = line.trim_end();
        match colour {
            Some(colour) => writeln!(out, "{colour}{line}\u{1b}[0m"),
            None => writeln!(out, "{line}"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn columns_are_as_wide_as_their_widest_cell() {
        let mut table = Table::new([("n", Align::Right), ("name", Align::Left)]);
        table.line(["10".into(), "größe".into()]);
        table.line(["1,000".into(), String::new()]);
        table.mark_last();
        let mut out = Vec::new();
        table.write(&mut out, false).unwrap();
        assert_eq!(String::from_utf8(out).unwrap(), "      n  name\n     10  größe\n  1,000\n");
        let mut out = Vec::new();
        table.write(&mut out, true).unwrap();
        assert!(String::from_utf8(out).unwrap().ends_with("\u{1b}[31m  1,000\u{1b}[0m\n"));
    }

    #[test]
    fn a_ruler_is_as_wide_as_the_columns() {
        let mut table = Table::new([("n", Align::Right), ("name", Align::Left)]).with_ruler();
        table.line(["10".into(), "größe".into()]);
        let mut out = Vec::new();
        table.write(&mut out, false).unwrap();
        assert_eq!(String::from_utf8(out).unwrap(), "   n  name\n  --  -----\n  10  größe\n");
    }
}
