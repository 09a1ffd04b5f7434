//! Rows as JSON Lines: one object a line, every selected column in order.

use std::sync::Arc;

use super::Column;
use super::cell::{Cell, TimeText};
use super::neutral_json::write_json;
use crate::classify::OutputRow;

/// Appends lines to a buffer. Null is `null`, numbers are numbers.
#[derive(Clone, Debug)]
pub(super) struct JsonlEncoder {
    fields: Arc<[Field]>,
    times: TimeText,
}

#[derive(Debug)]
struct Field {
    column: Column,
    /// What stands before the value: `{"RecordKind":` or `,"FlowTime":`.
    key: String,
}

impl JsonlEncoder {
    pub(super) fn new(columns: &[Column], times: TimeText) -> Self {
        let field = |(index, &column): (usize, &Column)| {
            let open = if index == 0 { '{' } else { ',' };
            Field { column, key: format!("{open}\"{column}\":") }
        };
        Self { fields: columns.iter().enumerate().map(field).collect(), times }
    }

    pub(super) fn push(&mut self, out: &mut Vec<u8>, row: &OutputRow<'_>) {
        for field in &*self.fields {
            out.extend_from_slice(field.key.as_bytes());
            match Cell::of(field.column, row) {
                Cell::Null => out.extend_from_slice(b"null"),
                Cell::Text(text) => {
                    write_json(out, text).expect("memory takes any text");
                }
                cell @ (Cell::Number(_) | Cell::Bool(_)) => {
                    cell.write_plain(out, &mut self.times);
                }
                // Words of ours, times and addresses hold nothing that JSON would escape.
                cell => {
                    out.push(b'"');
                    cell.write_plain(out, &mut self.times);
                    out.push(b'"');
                }
            }
        }
        out.extend_from_slice(b"}\n");
    }
}

#[cfg(test)]
mod tests {
    use serde_json::{Map, Value, json};

    use super::*;
    use crate::report::TimeUnit;
    use crate::report::rows::tests::{null_row, sample_row};

    fn line(columns: &[Column], row: &OutputRow<'_>) -> String {
        let mut out = Vec::new();
        JsonlEncoder::new(columns, TimeText::new(TimeUnit::Microseconds)).push(&mut out, row);
        String::from_utf8(out).unwrap()
    }

    #[test]
    fn a_line_by_hand() {
        let columns = [Column::NextHopIp, Column::Partial, Column::SrcPort, Column::AclRule];
        let mut row = sample_row();
        row.acl_rule = Some("\u{1b}[31m\"\n\u{0}");
        assert_eq!(
            line(&columns, &row),
            concat!(
                r#"{"NextHopIp":"10.13.76.4 10.13.76.5","Partial":false,"SrcPort":50123,"#,
                r#""AclRule":"\u001b[31m\"\n\u0000"}"#,
                "\n"
            )
        );
    }

    #[test]
    fn every_column_is_there_and_null_is_null() {
        let row = null_row();
        let parsed: Map<String, Value> = serde_json::from_str(&line(&Column::ALL, &row)).unwrap();
        assert_eq!(parsed.len(), Column::ALL.len());
        for column in Column::ALL {
            assert_eq!(parsed[column.name()].is_null(), column.is_nullable(), "{column}");
        }
        assert_eq!(parsed["RouteTableBasis"], json!("none"));
        assert_eq!(parsed["L4Protocol"], json!("47"));
        assert_eq!(parsed["ProtocolNumber"], json!(47));
    }
}
