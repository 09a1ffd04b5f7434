//! Route tables with the reason of every row that lost, for people and for programs.

use std::io::{self, Write};
use std::net::IpAddr;

use serde::Serialize;

use super::display::neutral;
use super::neutral_json::write_json_lines;
use super::table::{Align, Table};
use crate::fib::Source;
use crate::routing::{RouteRow, RouteTable};

/// Writes every table with its sources as one JSON object.
///
/// # Errors
///
/// When it cannot be written.
pub fn write_tables_json(
    out: &mut dyn Write,
    tables: &[RouteTable],
    sources: &[Vec<Source>],
) -> io::Result<()> {
    let tables = tables
        .iter()
        .zip(sources)
        .map(|(table, sources)| TableJson {
            route_table_id: &table.id,
            basis: table.basis.as_str(),
            sources: sources.iter().map(ToString::to_string).collect(),
            value: table.shown_rows().map(RowJson::of).collect(),
        })
        .collect();
    write_json_lines(out, &TablesJson { schema: 1, tables })
}

/// Writes the rows of one table in the shape that az prints.
///
/// # Errors
///
/// When it cannot be written.
pub fn write_rows_json(out: &mut dyn Write, table: &RouteTable) -> io::Result<()> {
    let value = table.shown_rows().map(RowJson::of).collect();
    write_json_lines(out, &RowsJson { schema: 1, value })
}

/// Writes one line for each table.
///
/// # Errors
///
/// When it cannot be written.
pub fn write_tables_text(
    out: &mut dyn Write,
    tables: &[RouteTable],
    sources: &[Vec<Source>],
    is_coloured: bool,
) -> io::Result<()> {
    let mut text = Table::new([
        ("Route table", Align::Left),
        ("Basis", Align::Left),
        ("Rows", Align::Right),
        ("Used", Align::Right),
        ("Sources", Align::Left),
    ]);
    for (table, sources) in tables.iter().zip(sources) {
        text.line([
            neutral(&table.id).into_owned(),
            table.basis.as_str().to_owned(),
            table.shown_rows().count().to_string(),
            used_rows(table).to_string(),
            neutral(&joined(sources)).into_owned(),
        ]);
    }
    text.write(out, is_coloured)
}

/// Writes the rows of one table in az's columns, and the reason. What reads az's tables, this
/// program too, reads this one.
///
/// # Errors
///
/// When it cannot be written.
pub fn write_rows_text(
    out: &mut dyn Write,
    table: &RouteTable,
    is_coloured: bool,
) -> io::Result<()> {
    let mut text = Table::new(ROW_COLUMNS.map(|name| (name, Align::Left))).with_ruler();
    for row in table.shown_rows() {
        text.line(row_cells(row).map(|cell| neutral(&cell).into_owned()));
    }
    text.write(out, is_coloured)
}

/// Writes one line for each table as CSV.
///
/// # Errors
///
/// When it cannot be written.
pub fn write_tables_csv(
    out: &mut dyn Write,
    tables: &[RouteTable],
    sources: &[Vec<Source>],
) -> io::Result<()> {
    let mut csv = ::csv::Writer::from_writer(out);
    csv.write_record(["Route table", "Basis", "Rows", "Used", "Sources"])?;
    for (table, sources) in tables.iter().zip(sources) {
        csv.write_record([
            inert(&table.id).as_str(),
            table.basis.as_str(),
            &table.shown_rows().count().to_string(),
            &used_rows(table).to_string(),
            &inert(&joined(sources)),
        ])?;
    }
    csv.flush()
}

/// Writes the rows of one table as CSV.
///
/// # Errors
///
/// When it cannot be written.
pub fn write_rows_csv(out: &mut dyn Write, table: &RouteTable) -> io::Result<()> {
    let mut csv = ::csv::Writer::from_writer(out);
    csv.write_record(ROW_COLUMNS)?;
    for row in table.shown_rows() {
        csv.write_record(row_cells(row).map(|cell| inert(&cell)))?;
    }
    csv.flush()
}

const ROW_COLUMNS: [&str; 6] =
    ["Source", "State", "Address Prefix", "Next Hop Type", "Next Hop IP", "Reason"];

#[derive(Serialize)]
struct TablesJson<'a> {
    schema: u32,
    tables: Vec<TableJson<'a>>,
}

#[derive(Serialize)]
struct TableJson<'a> {
    route_table_id: &'a str,
    basis: &'static str,
    sources: Vec<String>,
    value: Vec<RowJson<'a>>,
}

#[derive(Serialize)]
struct RowsJson<'a> {
    schema: u32,
    value: Vec<RowJson<'a>>,
}

/// A row with Azure's own keys, in az's order, and ours.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct RowJson<'a> {
    address_prefix: [String; 1],
    name: Option<&'a str>,
    next_hop_ip_address: &'a [IpAddr],
    next_hop_type: &'a str,
    source: &'a str,
    state: &'a str,
    reason: Option<&'static str>,
}

impl<'a> RowJson<'a> {
    fn of(row: &'a RouteRow) -> Self {
        Self {
            address_prefix: [row.destination.to_string()],
            name: row.name.as_deref(),
            next_hop_ip_address: &row.next_hop_ips,
            next_hop_type: row.next_hop_type.as_str(),
            source: row.source.as_str(),
            state: row.state.as_str(),
            reason: reason(row),
        }
    }
}

fn row_cells(row: &RouteRow) -> [String; 6] {
    let ips: Vec<String> = row.next_hop_ips.iter().map(ToString::to_string).collect();
    [
        row.source.as_str().to_owned(),
        row.state.as_str().to_owned(),
        row.destination.to_string(),
        row.next_hop_type.as_str().to_owned(),
        ips.join(" "),
        reason(row).unwrap_or("").to_owned(),
    ]
}

fn reason(row: &RouteRow) -> Option<&'static str> {
    row.rejected.map(|rejection| rejection.as_str())
}

fn used_rows(table: &RouteTable) -> usize {
    table.shown_rows().filter(|row| row.rejected.is_none()).count()
}

fn joined(sources: &[Source]) -> String {
    sources.iter().map(ToString::to_string).collect::<Vec<_>>().join(" ")
}

/// A cell that no spreadsheet takes for a formula, and that steers no terminal.
fn inert(cell: &str) -> String {
    let cell = neutral(cell);
    match cell.chars().next() {
        Some('=' | '+' | '-' | '@') => format!("'{cell}"),
        _ => cell.into_owned(),
    }
}
