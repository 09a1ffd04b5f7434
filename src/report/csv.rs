//! Rows as CSV: RFC 4180, with `\n` at the end of each line.

use std::sync::Arc;

use super::Column;
use super::cell::{Cell, TimeText};
use crate::classify::OutputRow;

/// Appends lines to a buffer.
///
/// Null is an empty field and the empty text is `""`. A line of one null is written `""` as well,
/// because readers drop empty lines.
#[derive(Clone, Debug)]
pub(super) struct CsvEncoder {
    columns: Arc<[Column]>,
    is_raw: bool,
    times: TimeText,
}

impl CsvEncoder {
    pub(super) fn new(columns: Arc<[Column]>, is_raw: bool, times: TimeText) -> Self {
        Self { columns, is_raw, times }
    }

    pub(super) fn header(&self) -> String {
        let names: Vec<&str> = self.columns.iter().map(|column| column.name()).collect();
        names.join(",") + "\n"
    }

    pub(super) fn push(&mut self, out: &mut Vec<u8>, row: &OutputRow<'_>) {
        for (index, column) in self.columns.iter().enumerate() {
            if index > 0 {
                out.push(b',');
            }
            match Cell::of(*column, row) {
                Cell::Text(text) => write_text(out, text, self.is_raw),
                Cell::Null if self.columns.len() == 1 => out.extend_from_slice(b"\"\""),
                cell => cell.write_plain(out, &mut self.times),
            }
        }
        out.push(b'\n');
    }
}

/// Writes a text from outside: with an apostrophe in front where a spreadsheet would take it for a
/// formula, in quotes where the format needs them.
fn write_text(out: &mut Vec<u8>, text: &str, is_raw: bool) {
    let is_quoted = text.is_empty() || text.bytes().any(needs_quotes);
    if is_quoted {
        out.push(b'"');
    }
    if !is_raw && starts_formula(text) {
        out.push(b'\'');
    }
    if is_quoted {
        for byte in text.bytes() {
            if byte == b'"' {
                out.push(b'"');
            }
            out.push(byte);
        }
        out.push(b'"');
    } else {
        out.extend_from_slice(text.as_bytes());
    }
}

fn needs_quotes(byte: u8) -> bool {
    matches!(byte, b'"' | b',' | b'\n' | b'\r')
}

/// Source: OWASP ASVS 1.2.10 (CSV and formula injection). A lone `-` is no formula but the name
/// of standard input.
fn starts_formula(text: &str) -> bool {
    text != "-"
        && matches!(text.as_bytes().first(), Some(b'=' | b'+' | b'-' | b'@' | b'\t' | b'\r' | 0))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::rows::tests::sample_row;
    use crate::report::{ColumnKind, TimeUnit};

    fn line(columns: &[Column], row: &OutputRow<'_>, is_raw: bool) -> String {
        let times = TimeText::new(TimeUnit::Microseconds);
        let mut out = Vec::new();
        CsvEncoder::new(columns.into(), is_raw, times).push(&mut out, row);
        String::from_utf8(out).unwrap()
    }

    fn field(text: &str, is_raw: bool) -> String {
        let mut out = Vec::new();
        write_text(&mut out, text, is_raw);
        String::from_utf8(out).unwrap()
    }

    /// Reads one line by the rules of RFC 4180; `None` is an empty field without quotes.
    fn read(line: &str) -> Vec<Option<String>> {
        let mut fields = Vec::new();
        let mut rest = line.strip_suffix('\n').expect("a whole line");
        loop {
            let field = if let Some(mut quoted) = rest.strip_prefix('"') {
                let mut text = String::new();
                loop {
                    let (head, tail) = quoted.split_once('"').expect("a closing quote");
                    text.push_str(head);
                    quoted = tail;
                    match quoted.strip_prefix('"') {
                        Some(tail) => {
                            text.push('"');
                            quoted = tail;
                        }
                        None => break,
                    }
                }
                rest = quoted;
                Some(text)
            } else {
                let end = rest.find(',').unwrap_or(rest.len());
                let (text, tail) = rest.split_at(end);
                assert!(!text.contains(['"', '\n', '\r']), "{text:?} wants quotes");
                rest = tail;
                (!text.is_empty()).then(|| text.to_owned())
            };
            fields.push(field);
            match rest.strip_prefix(',') {
                Some(tail) => rest = tail,
                None => break,
            }
        }
        assert_eq!(rest, "");
        fields
    }

    #[test]
    fn a_line_by_hand() {
        let columns = [Column::SrcIp, Column::SrcPort, Column::AclRule, Column::FlowTime];
        let mut row = sample_row();
        row.acl_rule = Some("a,\"b\"");
        assert_eq!(
            line(&columns, &row, false),
            "10.0.0.4,50123,\"a,\"\"b\"\"\",2025-01-20T18:18:11.925475Z\n"
        );
        row.ports = None;
        row.acl_rule = None;
        assert_eq!(line(&columns, &row, false), "10.0.0.4,,,2025-01-20T18:18:11.925475Z\n");
    }

    #[test]
    fn null_and_the_empty_text_differ() {
        let mut row = sample_row();
        let columns = [Column::RecordKind, Column::AclRule];
        row.acl_rule = Some("");
        assert_eq!(line(&columns, &row, false), "tuple,\"\"\n");
        row.acl_rule = None;
        assert_eq!(line(&columns, &row, false), "tuple,\n");
        assert_eq!(line(&columns[1..], &row, false), "\"\"\n");
    }

    #[test]
    fn formulas_are_defused_unless_raw() {
        for start in ["=", "+", "-", "@", "\t", "\r", "\0"] {
            let text = format!("{start}cmd|' /C calc'!A0");
            let [Some(defused)] = &read(&(field(&text, false) + "\n"))[..] else { panic!() };
            assert_eq!(*defused, format!("'{text}"));
            let [Some(raw)] = &read(&(field(&text, true) + "\n"))[..] else { panic!() };
            assert_eq!(*raw, text);
        }
        assert_eq!(field("=", false), "'=");
        assert_eq!(field("-", false), "-");
        assert_eq!(field("a=1", false), "a=1");
        assert_eq!(field("=a,\n", false), "\"'=a,\n\"");
        assert_eq!(field("größe", false), "größe");
    }

    #[test]
    fn every_text_column_survives_a_reader() {
        for hostile in ["=1+1", "-2", "@x", "\tx", "a\"b", "\"", ",", "line\r\nline", "", " x "] {
            let mut row = sample_row();
            row.encryption = Some(hostile);
            row.acl_group = Some(hostile);
            row.acl_rule = Some(hostile);
            row.target_resource_id = Some(hostile);
            row.flow_log_resource_id = Some(hostile);
            row.source_file = hostile;
            row.label.route_table_id = Some(hostile);
            row.label.route_source = Some(hostile);
            row.label.next_hop_type = Some(hostile);
            row.label.next_hop_name = Some(hostile);
            let fields = read(&line(&Column::ALL, &row, false));
            assert_eq!(fields.len(), Column::ALL.len());
            let defused = matches!(hostile.as_bytes().first(), Some(b'=' | b'-' | b'@' | b'\t'));
            for (column, field) in Column::ALL.into_iter().zip(&fields) {
                if column.kind() == ColumnKind::Text {
                    let field = field.as_deref().expect("a text that is there");
                    let text = if defused { field.strip_prefix('\'') } else { Some(field) };
                    assert_eq!(text, Some(hostile), "{column}");
                }
            }
        }
    }
}
