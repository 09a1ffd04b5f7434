//! A file that appears whole or not at all.

use std::fs::{self, File};
use std::io::{self, BufWriter, Write};
use std::path::{Path, PathBuf};

use tempfile::{Builder, NamedTempFile};

/// Writes a file beside its final place and moves it there once it is complete.
///
/// Until [`commit`](Self::commit), whatever stood at the path stays there untouched; dropped
/// without it, nothing is left behind. The temporary file is created anew (`O_EXCL`) in the same
/// folder under a random name that starts with a dot; a symbolic link at the path is replaced, not
/// followed.
///
/// # Examples
///
/// ```
/// use std::io::Write;
///
/// use nexthop::report::AtomicFile;
///
/// let folder = tempfile::tempdir()?;
/// let path = folder.path().join("rows.csv");
/// let mut file = AtomicFile::create(&path)?;
/// file.write_all(b"SrcIp\n")?;
/// assert!(!path.exists());
/// file.commit()?;
/// assert_eq!(std::fs::read(&path)?, b"SrcIp\n");
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug)]
pub struct AtomicFile {
    path: PathBuf,
    folder: PathBuf,
    out: BufWriter<NamedTempFile>,
}

/// Why a file could not be written.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum AtomicFileError {
    /// There is something at the path that is no file.
    #[error("{}: is there already and is not a file", path.display())]
    NotAFile {
        /// The final path.
        path: PathBuf,
    },
    /// No file can be created in the folder.
    #[error("{}: cannot be created", path.display())]
    Create {
        /// The final path.
        path: PathBuf,
        /// Why.
        #[source]
        source: io::Error,
    },
    /// The complete file could not be stored or moved.
    #[error("{}: cannot be written", path.display())]
    Commit {
        /// The final path.
        path: PathBuf,
        /// Why.
        #[source]
        source: io::Error,
    },
}

impl AtomicFile {
    /// Creates the temporary file.
    ///
    /// # Errors
    ///
    /// [`AtomicFileError::NotAFile`] for a path where a folder or a device stands,
    /// [`AtomicFileError::Create`] when the folder is missing or cannot be written.
    pub fn create(path: &Path) -> Result<Self, AtomicFileError> {
        let create_error = |source| AtomicFileError::Create { path: path.to_owned(), source };
        // Moving a file over `/dev/null` would take the device away.
        if let Ok(present) = fs::symlink_metadata(path)
            && !present.is_file()
            && !present.is_symlink()
        {
            return Err(AtomicFileError::NotAFile { path: path.to_owned() });
        }
        if path.file_name().is_none() {
            return Err(create_error(io::ErrorKind::InvalidInput.into()));
        }
        let folder = match path.parent() {
            Some(parent) if parent != Path::new("") => parent.to_owned(),
            _ => PathBuf::from("."),
        };
        let file = create_beside(&folder).map_err(create_error)?;
        Ok(Self { path: path.to_owned(), folder, out: BufWriter::with_capacity(1 << 16, file) })
    }

    /// Stores the file and moves it to its path, replacing what stood there.
    ///
    /// # Errors
    ///
    /// [`AtomicFileError::Commit`] when the disk is full or the move is refused; then the path is
    /// as it was before.
    pub fn commit(self) -> Result<(), AtomicFileError> {
        let Self { path, folder, out } = self;
        let result = out.into_inner().map_err(io::IntoInnerError::into_error).and_then(|file| {
            file.as_file().sync_all()?;
            file.persist(&path)?;
            Ok(())
        });
        result.map_err(|source| AtomicFileError::Commit { path, source })?;
        sync_folder(&folder);
        Ok(())
    }
}

impl Write for AtomicFile {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.out.write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.out.flush()
    }
}

fn create_beside(folder: &Path) -> io::Result<NamedTempFile> {
    let mut builder = Builder::new();
    builder.prefix(".nexthop-").suffix(".tmp");
    // The rights that any new file gets, not those of a secret one; the umask still applies.
    #[cfg(unix)]
    builder.permissions(std::os::unix::fs::PermissionsExt::from_mode(0o666));
    builder.tempfile_in(folder)
}

/// Makes the move itself survive a power cut, where folders can be synced. The file is in place
/// already, so that a refusal is no failure.
fn sync_folder(folder: &Path) {
    if let Ok(folder) = File::open(folder) {
        let _ = folder.sync_all();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn names(folder: &Path) -> Vec<String> {
        let mut names: Vec<String> = fs::read_dir(folder)
            .unwrap()
            .map(|entry| entry.unwrap().file_name().into_string().unwrap())
            .collect();
        names.sort();
        names
    }

    #[test]
    fn a_commit_replaces_and_leaves_nothing_else() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("rows 1.csv");
        fs::write(&path, "old").unwrap();
        let mut file = AtomicFile::create(&path).unwrap();
        file.write_all(&[b'n'; 200_000]).unwrap();
        file.flush().unwrap();
        assert_eq!(fs::read(&path).unwrap(), b"old");
        file.commit().unwrap();
        assert_eq!(fs::read(&path).unwrap(), [b'n'; 200_000]);
        assert_eq!(names(folder.path()), ["rows 1.csv"]);
    }

    #[test]
    fn a_drop_leaves_what_was_there() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("rows.csv");
        let mut file = AtomicFile::create(&path).unwrap();
        file.write_all(b"half").unwrap();
        assert_eq!(names(folder.path()).len(), 1);
        drop(file);
        assert_eq!(names(folder.path()), [""; 0]);
        let unwound = std::panic::catch_unwind(|| {
            let mut file = AtomicFile::create(&path).unwrap();
            file.write_all(b"half").unwrap();
            std::panic::resume_unwind(Box::new(()));
        });
        assert!(unwound.is_err());
        assert_eq!(names(folder.path()), [""; 0]);
    }

    #[test]
    fn folders_and_missing_folders_are_refused() {
        let folder = tempfile::tempdir().unwrap();
        let missing = folder.path().join("missing/rows.csv");
        assert!(matches!(AtomicFile::create(&missing), Err(AtomicFileError::Create { .. })));
        assert!(matches!(AtomicFile::create(folder.path()), Err(AtomicFileError::NotAFile { .. })));
        assert!(AtomicFile::create(Path::new("")).is_err());
        assert_eq!(names(folder.path()), [""; 0]);
    }

    #[cfg(unix)]
    #[test]
    fn links_are_replaced_and_devices_are_refused() {
        use std::os::unix::fs::{PermissionsExt, symlink};

        let folder = tempfile::tempdir().unwrap();
        let victim = folder.path().join("victim");
        let path = folder.path().join("rows.csv");
        fs::write(&victim, "mine").unwrap();
        symlink(&victim, &path).unwrap();
        let mut file = AtomicFile::create(&path).unwrap();
        file.write_all(b"rows").unwrap();
        file.commit().unwrap();
        assert_eq!(fs::read(&victim).unwrap(), b"mine");
        assert_eq!(fs::read(&path).unwrap(), b"rows");
        assert!(fs::symlink_metadata(&path).unwrap().is_file());
        let other = folder.path().join("other");
        fs::write(&other, "").unwrap();
        let mode = |path| fs::metadata(path).unwrap().permissions().mode();
        assert_eq!(mode(&path), mode(&other));
        assert!(matches!(
            AtomicFile::create(Path::new("/dev/null")),
            Err(AtomicFileError::NotAFile { .. })
        ));
    }
}
