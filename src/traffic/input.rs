//! Where bytes come from: files, folders, standard input; plain or compressed.
//!
//! Paths come in; inputs go out, and for each a stream of what is inside, told apart by content and
//! never by name. This is the only part of reading traffic that touches the file system.

mod source;
mod utf16;

use std::fs::{self, File};
use std::io::{self, Read};
use std::path::{MAIN_SEPARATOR, Path, PathBuf};

pub(super) use source::{ByteCount, Source, open_text};

/// One file, or standard input.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Input {
    /// How it is shown.
    pub name: InputName,
    /// Its path; `None` for standard input.
    pub path: Option<PathBuf>,
    /// Named by the user, not found in a folder: only then is it damage that nothing recognises it.
    pub is_named: bool,
}

/// How an input is shown: the path as typed, below a folder joined with `/`; standard input is `-`.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct InputName(String);

/// Why there is no such input.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum InputError {
    /// The path cannot be opened or listed.
    #[error("{path}: cannot be read")]
    Unreadable {
        /// As typed.
        path: String,
        /// Why.
        #[source]
        source: io::Error,
    },
}

/// Lists the inputs below `paths`, in their order; folders recursively, sorted by the names shown.
/// `-` is standard input.
///
/// A named path may be anything that can be read, pipes included. Inside a folder hidden files and
/// folders (a dot comes first) are passed over, and so is whatever is no file: pipes would wait
/// for a writer, and links to folders may lead in circles. Links to files are followed.
///
/// Cost: one listing per folder; no file is opened.
///
/// # Errors
///
/// [`InputError::Unreadable`] for a path that is missing or cannot be listed.
///
/// # Examples
///
/// ```
/// use nexthop::traffic::find_inputs;
///
/// let inputs = find_inputs(&["-".into(), "Cargo.toml".into()])?;
/// let names: Vec<&str> = inputs.iter().map(|input| input.name.as_str()).collect();
/// assert_eq!(names, ["-", "Cargo.toml"]);
/// assert!(find_inputs(&["no such file".into()]).is_err());
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub fn find_inputs(paths: &[PathBuf]) -> Result<Vec<Input>, InputError> {
    let mut inputs = Vec::new();
    for path in paths {
        if path.as_os_str() == "-" {
            inputs.push(Input { name: InputName::new("-"), path: None, is_named: true });
        } else if fs::metadata(path).map_err(unreadable(path))?.is_dir() {
            inputs.extend(files_below(path)?);
        } else {
            let name = InputName::new(path.to_string_lossy());
            inputs.push(Input { name, path: Some(path.clone()), is_named: true });
        }
    }
    Ok(inputs)
}

impl Input {
    /// Opens the input for reading. Bytes come as they are stored; nothing is buffered.
    ///
    /// # Errors
    ///
    /// [`InputError::Unreadable`] when it cannot be opened.
    pub fn open(&self) -> Result<Box<dyn Read + Send>, InputError> {
        match &self.path {
            None => Ok(Box::new(io::stdin())),
            Some(path) => match File::open(path) {
                Ok(file) => Ok(Box::new(file)),
                Err(source) => {
                    Err(InputError::Unreadable { path: self.name.as_str().into(), source })
                }
            },
        }
    }
}

impl InputName {
    /// Wraps a text.
    pub fn new(name: impl Into<String>) -> Self {
        Self(name.into())
    }

    /// Returns the text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// Lists the files of a folder and of the folders in it.
fn files_below(top: &Path) -> Result<Vec<Input>, InputError> {
    let typed = top.to_string_lossy();
    let prefix = typed.trim_end_matches(['/', MAIN_SEPARATOR]);
    let mut files = Vec::new();
    let mut folders = vec![(top.to_path_buf(), format!("{prefix}/"))];
    while let Some((folder, shown)) = folders.pop() {
        for entry in fs::read_dir(&folder).map_err(unreadable(&folder))? {
            let entry = entry.map_err(unreadable(&folder))?;
            let name = entry.file_name();
            let name = name.to_string_lossy();
            if name.starts_with('.') {
                continue;
            }
            let path = entry.path();
            let kind = entry.file_type().map_err(unreadable(&path))?;
            if kind.is_dir() {
                folders.push((path, format!("{shown}{name}/")));
            } else if is_file(&path, kind) {
                let name = InputName::new(format!("{shown}{name}"));
                files.push(Input { name, path: Some(path), is_named: false });
            }
        }
    }
    files.sort_by(|a, b| (&a.name, &a.path).cmp(&(&b.name, &b.path)));
    Ok(files)
}

/// A link that leads nowhere counts as a file, so that opening it says so.
fn is_file(path: &Path, kind: fs::FileType) -> bool {
    kind.is_file()
        || kind.is_symlink() && fs::metadata(path).map_or(true, |target| target.is_file())
}

fn unreadable(path: &Path) -> impl FnOnce(io::Error) -> InputError {
    let path = path.to_string_lossy().into_owned();
    move |source| InputError::Unreadable { path, source }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn names(paths: &[PathBuf], below: &Path) -> Vec<String> {
        let below = below.to_string_lossy();
        let inputs = find_inputs(paths).unwrap();
        inputs.iter().map(|input| input.name.as_str().replace(&*below, "@")).collect()
    }

    #[test]
    fn folders_are_listed_by_name_and_files_as_typed() {
        let folder = tempfile::tempdir().unwrap();
        let top = folder.path();
        fs::create_dir_all(top.join("b/m=01/.git")).unwrap();
        fs::create_dir_all(top.join("empty")).unwrap();
        for file in ["z.json", "b/m=01/PT1H.json", "b/a b.cap", "b.json", ".hidden", "b/.DS_Store"]
        {
            fs::write(top.join(file), "x").unwrap();
        }
        fs::write(top.join("b/m=01/.git/HEAD"), "x").unwrap();
        let listed = ["@/b.json", "@/b/a b.cap", "@/b/m=01/PT1H.json", "@/z.json"];
        assert_eq!(names(&[top.to_path_buf()], top), listed);
        assert_eq!(names(&[top.join("")], top), listed, "a slash at the end changes nothing");
        let in_order = [top.join("z.json"), PathBuf::from("-"), top.join("b"), top.join(".hidden")];
        assert_eq!(
            names(&in_order, top),
            ["@/z.json", "-", "@/b/a b.cap", "@/b/m=01/PT1H.json", "@/.hidden"]
        );
        let inputs = find_inputs(&in_order).unwrap();
        let named: Vec<bool> = inputs.iter().map(|input| input.is_named).collect();
        assert_eq!(named, [true, true, false, false, true]);
        assert_eq!(inputs[1].path, None);
        assert_eq!(names(&[top.join("empty")], top), [""; 0]);
    }

    #[cfg(unix)]
    #[test]
    fn links_to_files_are_followed_and_links_to_folders_are_not() {
        use std::os::unix::fs::symlink;

        let folder = tempfile::tempdir().unwrap();
        let top = folder.path();
        fs::create_dir(top.join("inner")).unwrap();
        fs::write(top.join("inner/a"), "x").unwrap();
        symlink(top, top.join("inner/circle")).unwrap();
        symlink(top.join("inner/a"), top.join("link")).unwrap();
        symlink(top.join("nowhere"), top.join("dangling")).unwrap();
        assert_eq!(names(&[top.to_path_buf()], top), ["@/dangling", "@/inner/a", "@/link"]);
        assert_eq!(
            names(&[top.join("inner/circle/inner")], top),
            ["@/inner/circle/inner/a"],
            "a link that the user typed is followed"
        );
        let dangling = &find_inputs(&[top.to_path_buf()]).unwrap()[0];
        let error = dangling.open().err().unwrap().to_string();
        assert!(error.ends_with("dangling: cannot be read"), "{error}");
    }

    #[test]
    fn a_missing_path_is_an_error_that_names_it() {
        let error = find_inputs(&["no/such".into()]).unwrap_err();
        assert_eq!(error.to_string(), "no/such: cannot be read");
        assert!(std::error::Error::source(&error).is_some());
    }

    #[test]
    fn a_file_is_opened_as_it_is() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a.gz");
        fs::write(&path, b"\x1f\x8bnot unpacked here").unwrap();
        let mut bytes = Vec::new();
        let input = &find_inputs(&[path]).unwrap()[0];
        input.open().unwrap().read_to_end(&mut bytes).unwrap();
        assert_eq!(bytes, b"\x1f\x8bnot unpacked here");
    }
}
