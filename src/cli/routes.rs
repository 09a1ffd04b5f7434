//! `nexthop routes`.

use super::args::{RoutesArgs, RoutesFormat};
use super::snapshot::{self, Loaded};
use super::{Console, ExitCode};
use crate::fib::ComparedTables;
use crate::report::{
    ComparedPair, write_comparison_json, write_comparison_text, write_rows_csv, write_rows_json,
    write_rows_text, write_tables_csv, write_tables_json, write_tables_text,
};
use crate::routing::Comparison;

/// Shows the tables of a snapshot, or the rows of one.
///
/// # Errors
///
/// A bad snapshot, a name without a table, or nothing to compare with.
pub fn run(args: &RoutesArgs, console: &Console) -> anyhow::Result<ExitCode> {
    let loaded = snapshot::load(&args.routes, None)?;
    loaded.warnings.iter().for_each(|warning| console.warning(warning));
    loaded.notes.iter().for_each(|note| console.note(note));
    if args.compare {
        return compare(args, console, &loaded);
    }
    let (tables, sources) = (&loaded.tables.tables, &loaded.tables.sources);
    let out = &mut Vec::new();
    match &args.table {
        None => match args.format {
            RoutesFormat::Table => write_tables_text(out, tables, sources, console.is_coloured)?,
            RoutesFormat::Json => write_tables_json(out, tables, sources)?,
            RoutesFormat::Csv => write_tables_csv(out, tables, sources)?,
        },
        Some(name) => {
            let table = loaded.tables.find(&loaded.fib, Some(name))?;
            let table = &tables[table.index()];
            match args.format {
                RoutesFormat::Table => write_rows_text(out, table, console.is_coloured)?,
                RoutesFormat::Json => write_rows_json(out, table)?,
                RoutesFormat::Csv => write_rows_csv(out, table)?,
            }
        }
    }
    console.print(out)?;
    Ok(ExitCode::Success)
}

fn compare(args: &RoutesArgs, console: &Console, loaded: &Loaded) -> anyhow::Result<ExitCode> {
    let all = &loaded.tables;
    let wanted = match &args.table {
        Some(name) => Some(all.find(&loaded.fib, Some(name))?.index()),
        None => None,
    };
    let is_wanted = |pair: &&ComparedTables| {
        wanted.is_none_or(|index| index == pair.exported || index == pair.computed)
    };
    let pairs: Vec<ComparedPair<'_>> = all
        .compared
        .iter()
        .filter(is_wanted)
        .map(|pair| {
            let (exported, computed) = (&all.tables[pair.exported], &all.tables[pair.computed]);
            ComparedPair {
                exported: &exported.id,
                computed: &computed.id,
                comparison: Comparison::of(exported, computed, pair.is_elided),
            }
        })
        .collect();
    anyhow::ensure!(
        !pairs.is_empty(),
        "--compare needs an exported table whose NIC or subnet is among the exported resources"
    );
    let out = &mut Vec::new();
    match args.format {
        RoutesFormat::Json => write_comparison_json(out, &pairs)?,
        RoutesFormat::Table | RoutesFormat::Csv => write_comparison_text(out, &pairs)?,
    }
    console.print(out)?;
    let is_equal = pairs.iter().all(|pair| pair.comparison.is_equal());
    Ok(if is_equal { ExitCode::Success } else { ExitCode::Findings })
}
