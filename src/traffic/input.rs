//! Where bytes come from: files, folders, standard input; plain or compressed.

use std::io::Read;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

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
        source: std::io::Error,
    },
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

impl Input {
    /// Opens the input for reading.
    ///
    /// # Errors
    ///
    /// [`InputError::Unreadable`] when it cannot be opened.
    pub fn open(&self) -> Result<Box<dyn Read + Send>, InputError> {
        todo!()
    }
}

/// Lists the inputs below `paths`, in their order; folders recursively, sorted by path. `-` is
/// standard input.
///
/// # Errors
///
/// [`InputError::Unreadable`] for a path that is missing or cannot be listed.
pub fn find_inputs(paths: &[PathBuf]) -> Result<Vec<Input>, InputError> {
    let _ = paths;
    todo!()
}

/// An input after decompression and recognition.
pub(super) enum Source {
    /// A capture, from its first byte.
    Capture(Box<dyn Read + Send>),
    /// JSON that may be a flow log, from its first byte.
    FlowLog(Box<dyn Read + Send>),
    /// Anything else.
    Unrecognised { detail: String },
}

/// Bytes taken from an input, counted below decompression.
#[derive(Clone, Default)]
pub(super) struct ByteCount(Arc<AtomicU64>);

impl Source {
    pub(super) fn open(input: Box<dyn Read + Send>) -> (Self, ByteCount) {
        let _ = input;
        todo!()
    }
}

impl ByteCount {
    pub(super) fn get(&self) -> u64 {
        self.0.load(Ordering::Relaxed)
    }
}
