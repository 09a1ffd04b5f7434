//! Names of tables: an export does not say whose routes it holds, its file's name does.

use std::collections::HashMap;

use super::{ExportedTable, SnapshotError};
use crate::azure::file_name::{file_name, stem};
use crate::azure::settings::TableSetting;

/// Gives tables the names and sources of their settings, and makes sure that names differ.
pub(super) fn apply_settings(
    tables: &mut [ExportedTable],
    settings: &[TableSetting],
) -> Result<(), SnapshotError> {
    let mut setting_of: Vec<Option<&TableSetting>> = vec![None; tables.len()];
    for setting in settings {
        let index = table_of(tables, setting)?;
        if setting_of[index].replace(setting).is_some() {
            return Err(SnapshotError::TableSetTwice { file: tables[index].file.clone() });
        }
    }
    for (table, setting) in tables.iter_mut().zip(setting_of) {
        if let Some(setting) = setting {
            table.sources.clone_from(&setting.sources);
            if let Some(name) = &setting.name {
                table.name.clone_from(name);
            }
        }
    }
    names_differ(tables)
}

fn table_of(tables: &[ExportedTable], setting: &TableSetting) -> Result<usize, SnapshotError> {
    let (wanted, means): (&str, fn(&ExportedTable, &str) -> bool) = match setting {
        TableSetting { file: Some(file), .. } => (file, is_file),
        TableSetting { name, .. } => {
            (name.as_deref().unwrap_or_default(), |table, name| is_same(&table.name, name))
        }
    };
    let meant: Vec<usize> = (0..tables.len()).filter(|i| means(&tables[*i], wanted)).collect();
    let files = |indices: &[usize]| indices.iter().map(|i| tables[*i].file.clone()).collect();
    match meant.as_slice() {
        [index] => Ok(*index),
        [] => Err(SnapshotError::NoSuchTable {
            wanted: wanted.to_owned(),
            candidates: tables.iter().map(|table| table.file.clone()).collect(),
        }),
        several => Err(SnapshotError::AmbiguousTable {
            wanted: wanted.to_owned(),
            candidates: files(several),
        }),
    }
}

/// Returns true where a text is a table's relative path, file name or stem.
fn is_file(table: &ExportedTable, wanted: &str) -> bool {
    let wanted = wanted.replace('\\', "/");
    let wanted = wanted.strip_prefix("./").unwrap_or(&wanted);
    let name = file_name(&table.file);
    let plain_stem = name.rsplit_once('.').map_or(name, |(stem, _)| stem);
    [&table.file, name, plain_stem, stem(&table.file)].iter().any(|text| is_same(text, wanted))
}

fn names_differ(tables: &[ExportedTable]) -> Result<(), SnapshotError> {
    let mut first_of: HashMap<String, &ExportedTable> = HashMap::new();
    for table in tables {
        if let Some(first) = first_of.insert(table.name.to_lowercase(), table) {
            return Err(SnapshotError::DuplicateName {
                name: table.name.clone(),
                first_file: first.file.clone(),
                second_file: table.file.clone(),
            });
        }
    }
    Ok(())
}

fn is_same(a: &str, b: &str) -> bool {
    a.to_lowercase() == b.to_lowercase()
}
