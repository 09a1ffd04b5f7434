//! Published captures, logs and tables. They are not part of the repository: the environment
//! variable `NEXTHOP_CORPUS` names the folder that has them.

use std::fs;
use std::io::{self, Write};
use std::path::{Path, PathBuf};

use super::run::Input;

/// Returns a folder of the corpus; without a corpus says loudly that `test` is skipped.
///
/// # Panics
///
/// When there is a corpus and it has no such folder.
pub fn folder(name: &str, test: &str) -> Option<PathBuf> {
    let Some(corpus) = std::env::var_os("NEXTHOP_CORPUS") else {
        // Not `eprintln!`, which the test harness keeps to itself.
        let note = format!("SKIPPED {test}: NEXTHOP_CORPUS does not name the corpus");
        writeln!(io::stderr(), "{note}").expect("standard error takes a line");
        return None;
    };
    let folder = Path::new(&corpus).join(name);
    assert!(folder.is_dir(), "NEXTHOP_CORPUS is set, but there is no {}", folder.display());
    Some(folder)
}

/// Lists the files below a folder, sorted.
pub fn files_below(folder: &Path) -> Vec<PathBuf> {
    let mut files = Vec::new();
    let mut folders = vec![folder.to_path_buf()];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(&folder).expect("the corpus can be listed") {
            let path = entry.expect("the corpus can be listed").path();
            if path.is_dir() { folders.push(path) } else { files.push(path) }
        }
    }
    files.sort();
    files
}

/// Reads files as inputs, with their names.
pub fn inputs(paths: &[PathBuf]) -> Vec<Input> {
    paths
        .iter()
        .map(|path| Input {
            name: path.to_string_lossy().into_owned(),
            bytes: fs::read(path).expect("the corpus can be read"),
        })
        .collect()
}
