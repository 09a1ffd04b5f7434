//! Computed tables against exported ones, for people and for programs.

use std::io::{self, Write};
use std::net::IpAddr;

use serde::Serialize;

use super::display::neutral;
use super::neutral_json::write_json_lines;
use crate::routing::{ComparedRow, Comparison};

/// One pair of tables and what differs.
#[derive(Clone, Debug)]
pub struct ComparedPair<'a> {
    /// The name of the exported table.
    pub exported: &'a str,
    /// The name of the computed one.
    pub computed: &'a str,
    /// What differs.
    pub comparison: Comparison,
}

/// Writes the rows that differ, are hidden or cannot be verified, by pairs of tables.
///
/// # Errors
///
/// When it cannot be written.
pub fn write_comparison_text(out: &mut dyn Write, pairs: &[ComparedPair<'_>]) -> io::Result<()> {
    for pair in pairs {
        let word = if pair.comparison.is_equal() { "equal" } else { "different" };
        writeln!(out, "{} and {}: {word}", neutral(pair.exported), neutral(pair.computed))?;
        for (kind, rows) in kinds(&pair.comparison) {
            for row in rows {
                writeln!(out, "  {kind}: {}", neutral(&text_of(row)))?;
            }
        }
    }
    Ok(())
}

/// Writes the same as one JSON object.
///
/// # Errors
///
/// When it cannot be written.
pub fn write_comparison_json(out: &mut dyn Write, pairs: &[ComparedPair<'_>]) -> io::Result<()> {
    let tables = pairs
        .iter()
        .map(|pair| PairJson {
            route_table_id: pair.exported,
            computed_route_table_id: pair.computed,
            equal: pair.comparison.is_equal(),
            only_exported: rows(&pair.comparison.only_exported),
            only_computed: rows(&pair.comparison.only_computed),
            hidden: rows(&pair.comparison.hidden),
            unverified: rows(&pair.comparison.unverified),
        })
        .collect();
    write_json_lines(out, &ComparisonJson { schema: 1, tables })
}

fn kinds(comparison: &Comparison) -> [(&'static str, &[ComparedRow]); 4] {
    [
        ("exported only", &comparison.only_exported),
        ("computed only", &comparison.only_computed),
        ("hidden in the export", &comparison.hidden),
        ("not verified", &comparison.unverified),
    ]
}

fn text_of(row: &ComparedRow) -> String {
    let mut words = vec![
        row.source.as_str().to_owned(),
        row.state.as_str().to_owned(),
        row.destination.to_string(),
        row.next_hop_type.as_str().to_owned(),
    ];
    words.extend(row.next_hop_ips.iter().map(ToString::to_string));
    words.join(" ")
}

#[derive(Serialize)]
struct ComparisonJson<'a> {
    schema: u32,
    tables: Vec<PairJson<'a>>,
}

#[derive(Serialize)]
struct PairJson<'a> {
    route_table_id: &'a str,
    computed_route_table_id: &'a str,
    equal: bool,
    only_exported: Vec<RowJson<'a>>,
    only_computed: Vec<RowJson<'a>>,
    hidden: Vec<RowJson<'a>>,
    unverified: Vec<RowJson<'a>>,
}

/// A row with Azure's own keys.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct RowJson<'a> {
    address_prefix: [String; 1],
    next_hop_ip_address: &'a [IpAddr],
    next_hop_type: &'a str,
    source: &'a str,
    state: &'a str,
}

fn rows(rows: &[ComparedRow]) -> Vec<RowJson<'_>> {
    rows.iter()
        .map(|row| RowJson {
            address_prefix: [row.destination.to_string()],
            next_hop_ip_address: &row.next_hop_ips,
            next_hop_type: row.next_hop_type.as_str(),
            source: row.source.as_str(),
            state: row.state.as_str(),
        })
        .collect()
}
