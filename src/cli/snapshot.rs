//! A snapshot from its folder to compiled tables.

use std::path::Path;

use anyhow::Context as _;

use crate::azure::resources::Resources;
use crate::azure::{Snapshot, load_snapshot};
use crate::fib::{Fib, SnapshotTables};
use crate::routing::{RouteRow, RouteTable, RouteTableBasis, Severity};

/// A snapshot, selected and compiled.
#[derive(Debug)]
pub struct Loaded {
    /// The tables as selected, for explanations.
    pub tables: SnapshotTables,
    /// The tables as compiled, for traffic.
    pub fib: Fib,
    /// The exported resources, for the places that policies name.
    pub resources: Resources,
    /// What the user should know.
    pub warnings: Vec<String>,
    /// What the user may want to know: the files that were not used, and why.
    pub notes: Vec<String>,
}

/// Loads and compiles a snapshot; `from` forces one table for every source.
///
/// # Errors
///
/// Whatever keeps the tables from being complete: they are bad configuration, and every label
/// would be in doubt.
pub fn load(routes: &Path, from: Option<&str>) -> anyhow::Result<Loaded> {
    let snapshot = load_snapshot(routes)?;
    let tables = SnapshotTables::of(&snapshot);
    let shown = routes.display().to_string();
    let mut fib = tables.compile().with_context(|| shown)?;
    if let Some(name) = from {
        let table = tables.find(&fib, Some(name)).context("--from")?;
        fib.force_table(table);
    }
    let warnings = warnings_of(&snapshot, &tables);
    let notes = snapshot
        .ignored
        .iter()
        .map(|ignored| format!("{}: ignored: {}", ignored.file, ignored.reason))
        .collect();
    Ok(Loaded { tables, fib, resources: snapshot.resources, warnings, notes })
}

fn warnings_of(snapshot: &Snapshot, tables: &SnapshotTables) -> Vec<String> {
    let in_files =
        snapshot.warnings.iter().map(|warning| format!("{}: {}", warning.file, warning.message));
    let elided = snapshot.tables.iter().filter(|table| table.is_elided).map(|table| {
        format!(
            "{}: rows were left out of this export; what they would match is labelled by the rest",
            table.file
        )
    });
    let selected = tables
        .tables
        .iter()
        .flat_map(|table| set_aside(table).into_iter().chain(unresolved_tags(table)));
    in_files.chain(elided).chain(selected).chain(faults(tables)).collect()
}

/// Faults of the resources put every label in some doubt; `nexthop lint` lists them.
fn faults(tables: &SnapshotTables) -> Option<String> {
    let count = tables.findings.iter().filter(|finding| finding.severity != Severity::Note).count();
    match count {
        0 => None,
        1 => Some("the exported resources have a fault; nexthop lint tells it".to_owned()),
        _ => Some(format!("the exported resources have {count} faults; nexthop lint lists them")),
    }
}

fn set_aside(table: &RouteTable) -> Option<String> {
    if table.basis != RouteTableBasis::Exported {
        return None;
    }
    let prefixes = some_prefixes(table.gateway_rows_set_aside())?;
    Some(format!(
        "{}: gateway routes inside a VNet, peering or service-endpoint prefix are not used, as \
         Azure documents, although the export shows them Active: {prefixes}",
        table.id
    ))
}

fn unresolved_tags(table: &RouteTable) -> Option<String> {
    let tags = some_prefixes(table.unresolved_service_tag_rows())?;
    Some(format!(
        "{}: the prefixes of these service tags are not known, so Internet addresses that only a \
         default route holds are labelled unknown: {tags}; add Microsoft's service tag file to the \
         snapshot, or [service_tags] to nexthop.toml",
        table.id
    ))
}

fn some_prefixes<'t>(rows: impl Iterator<Item = &'t RouteRow>) -> Option<String> {
    const SHOWN_MAX: usize = 5;
    let all: Vec<String> = rows.map(|row| row.destination.to_string()).collect();
    match all.len() {
        0 => None,
        count if count <= SHOWN_MAX => Some(all.join(", ")),
        count => Some(format!("{} and {} more", all[..SHOWN_MAX].join(", "), count - SHOWN_MAX)),
    }
}
