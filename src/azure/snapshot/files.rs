//! The files of a folder, in an order that does not depend on the system.

use std::collections::HashSet;
use std::fs;
use std::io::{self, Read};
use std::path::{Path, PathBuf};

use super::{FILE_BYTES_MAX, SnapshotError};

/// A file below the folder.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct FoundFile {
    pub(super) path: PathBuf,
    /// The path below the folder, with `/` between names.
    pub(super) shown: String,
    /// False for pipes, sockets and devices, which may never end, and for broken links.
    pub(super) is_regular: bool,
}

/// Lists the files below a folder, sorted by what is shown.
pub(super) fn files_of(folder: &Path) -> Result<Vec<FoundFile>, SnapshotError> {
    let mut found = Vec::new();
    let mut seen = HashSet::new();
    let mut folders = vec![(folder.to_owned(), String::new())];
    while let Some((path, shown)) = folders.pop() {
        let real = fs::canonicalize(&path).map_err(|source| io_error(&path, source))?;
        if !seen.insert(real) {
            continue;
        }
        let mut below = Vec::new();
        for name in names_of(&path)? {
            let path = path.join(&name);
            let shown = match shown.as_str() {
                "" => name.to_string_lossy().into_owned(),
                parent => format!("{parent}/{}", name.to_string_lossy()),
            };
            match fs::metadata(&path) {
                Ok(metadata) if metadata.is_dir() => below.push((path, shown)),
                other => {
                    let is_regular = other.is_ok_and(|metadata| metadata.is_file());
                    found.push(FoundFile { path, shown, is_regular });
                }
            }
        }
        // The last is taken next, so that folders are walked in the order of their names.
        folders.extend(below.into_iter().rev());
    }
    found.sort_by(|a, b| a.shown.cmp(&b.shown));
    Ok(found)
}

/// A file whose beginning is read. It is opened once, for a pipe cannot be opened again.
pub(super) struct OpenFile<'p> {
    path: &'p Path,
    rest: fs::File,
    bytes: Vec<u8>,
}

impl<'p> OpenFile<'p> {
    /// Opens a file and reads its first bytes.
    pub(super) fn open(path: &'p Path, beginning_bytes: u64) -> Result<Self, SnapshotError> {
        let mut rest = fs::File::open(path).map_err(|source| io_error(path, source))?;
        let mut bytes = Vec::new();
        rest.by_ref()
            .take(beginning_bytes)
            .read_to_end(&mut bytes)
            .map_err(|source| io_error(path, source))?;
        Ok(Self { path, rest, bytes })
    }

    pub(super) fn beginning(&self) -> &[u8] {
        &self.bytes
    }

    /// Reads the file to its end, which has a bound.
    pub(super) fn whole(mut self) -> Result<Vec<u8>, SnapshotError> {
        let path = self.path;
        let too_large =
            |length_bytes| SnapshotError::TooLarge { path: path.to_owned(), length_bytes };
        let length_bytes = self.rest.metadata().map_err(|source| io_error(path, source))?.len();
        if length_bytes > FILE_BYTES_MAX {
            return Err(too_large(length_bytes));
        }
        // The file may grow meanwhile, and a pipe tells no length.
        let left = FILE_BYTES_MAX + 1 - self.bytes.len() as u64;
        self.rest
            .take(left)
            .read_to_end(&mut self.bytes)
            .map_err(|source| io_error(path, source))?;
        match self.bytes.len() as u64 {
            length if length > FILE_BYTES_MAX => Err(too_large(length)),
            _ => Ok(self.bytes),
        }
    }
}

fn names_of(folder: &Path) -> Result<Vec<std::ffi::OsString>, SnapshotError> {
    let list = || -> io::Result<Vec<_>> {
        fs::read_dir(folder)?.map(|entry| entry.map(|entry| entry.file_name())).collect()
    };
    let mut names = list().map_err(|source| io_error(folder, source))?;
    names.retain(|name| !name.as_encoded_bytes().starts_with(b"."));
    names.sort();
    Ok(names)
}

fn io_error(path: &Path, source: io::Error) -> SnapshotError {
    SnapshotError::Io { path: path.to_owned(), source }
}
