//! `nexthop routes`.

use super::args::{RoutesArgs, RoutesFormat};
use super::{Console, ExitCode, snapshot};
use crate::report::{
    write_rows_csv, write_rows_json, write_rows_text, write_tables_csv, write_tables_json,
    write_tables_text,
};

/// Shows the tables of a snapshot, or the rows of one.
///
/// # Errors
///
/// A bad snapshot, a name without a table, or nothing to compare with.
pub fn run(args: &RoutesArgs, console: &Console) -> anyhow::Result<ExitCode> {
    let loaded = snapshot::load(&args.routes, None)?;
    loaded.warnings.iter().for_each(|warning| console.warning(warning));
    loaded.notes.iter().for_each(|note| console.note(note));
    anyhow::ensure!(
        !args.compare,
        "--compare needs tables that were computed from exported resources; this snapshot holds \
         exported tables only"
    );
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
