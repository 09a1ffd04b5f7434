//! Names of tables: an export does not say whose routes it holds, its file's name does.

use std::collections::HashMap;

use super::{ExportedTable, SnapshotError};
use crate::azure::settings::TableSetting;

/// Returns the name of a file without its folder and extensions: `spokes/vm1.routes.txt` → `vm1`.
pub(super) fn stem(file: &str) -> &str {
    const MARKS: [&str; 3] = [".routes", ".effective-routes", ".effective_routes"];
    let name = file_name(file);
    let stem = match name.rsplit_once('.') {
        Some((stem, _)) if !stem.is_empty() => stem,
        _ => name,
    };
    let marked = MARKS.iter().find_map(|mark| {
        let start = stem.len().checked_sub(mark.len())?;
        let (bare, end) = stem.split_at_checked(start)?;
        (end.eq_ignore_ascii_case(mark) && !bare.is_empty()).then_some(bare)
    });
    marked.unwrap_or(stem)
}

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

fn file_name(file: &str) -> &str {
    file.rsplit(['/', '\\']).next().unwrap_or(file)
}

fn is_same(a: &str, b: &str) -> bool {
    a.to_lowercase() == b.to_lowercase()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn stems_name_the_nic() {
        for (file, want) in [
            ("vm1-nic.json", "vm1-nic"),
            ("spokes/vm1-nic.routes.txt", "vm1-nic"),
            ("vm1.Effective-Routes.csv", "vm1"),
            ("vm1", "vm1"),
            ("a.b.txt", "a.b"),
            (".routes.txt", ".routes"),
            ("routes.txt", "routes"),
            ("C:\\exports\\vm 1.json", "vm 1"),
            ("é.routes.txt", "é"),
        ] {
            assert_eq!(stem(file), want, "{file}");
        }
    }
}
