//! The SHA-256 of files, taken from what is read of them anyway.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::{self, Read};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};

use anyhow::{Context, Result};
use rayon::prelude::*;
use sha2::{Digest, Sha256};

use crate::traffic::{Input, InputError};

/// The hashes of the files that were read to their end.
#[derive(Clone, Debug, Default)]
pub(super) struct InputHashes(Arc<Mutex<BTreeMap<PathBuf, String>>>);

impl InputHashes {
    /// Opens an input, whose hash is known once it was read to its end. Standard input has none.
    ///
    /// # Errors
    ///
    /// As [`Input::open`].
    pub(super) fn open(&self, input: &Input) -> Result<Box<dyn Read + Send>, InputError> {
        let content = input.open()?;
        Ok(match &input.path {
            None => content,
            Some(path) => Box::new(Hashed {
                content,
                hasher: Sha256::new(),
                path: path.clone(),
                hashes: self.clone(),
            }),
        })
    }

    /// Returns the hash of a file, which is read where nobody has read it to its end.
    ///
    /// # Errors
    ///
    /// When the file cannot be read.
    pub(super) fn of(&self, path: &Path) -> io::Result<String> {
        let known = self.0.lock().expect("no thread panicked").get(path).cloned();
        known.map_or_else(|| sha256_of(path), Ok)
    }

    /// Returns every file of the inputs, as shown, with its hash, then the policy's.
    ///
    /// # Errors
    ///
    /// When a file cannot be read.
    pub(super) fn of_all(
        &self,
        inputs: &[&[Input]],
        policy: Option<&Path>,
    ) -> Result<Vec<(String, String)>> {
        let inputs = inputs.iter().copied().flatten().filter_map(|input| {
            input.path.as_ref().map(|path| (input.name.as_str().to_owned(), path.clone()))
        });
        let policy = policy.map(|path| (path.display().to_string(), path.to_path_buf()));
        let files: Vec<(String, PathBuf)> = inputs.chain(policy).collect();
        files
            .into_par_iter()
            .map(|(name, path)| {
                let hash = self.of(&path).with_context(|| name.clone())?;
                Ok((name, hash))
            })
            .collect()
    }
}

/// An input on its way to its reader.
struct Hashed {
    content: Box<dyn Read + Send>,
    hasher: Sha256,
    path: PathBuf,
    hashes: InputHashes,
}

impl Read for Hashed {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let length = self.content.read(buffer)?;
        if length == 0 && !buffer.is_empty() {
            let hash = text_of(self.hasher.clone());
            let mut hashes = self.hashes.0.lock().expect("no thread panicked");
            hashes.insert(self.path.clone(), hash);
        } else {
            self.hasher.update(&buffer[..length]);
        }
        Ok(length)
    }
}

fn sha256_of(path: &Path) -> io::Result<String> {
    let mut file = File::open(path)?;
    let mut hasher = Sha256::new();
    let mut buffer = vec![0; 1 << 16];
    loop {
        match file.read(&mut buffer)? {
            0 => break,
            length => hasher.update(&buffer[..length]),
        }
    }
    Ok(text_of(hasher))
}

fn text_of(hasher: Sha256) -> String {
    hasher.finalize().iter().map(|byte| format!("{byte:02x}")).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::traffic::InputName;

    /// Of "abc"; FIPS 180-2, appendix B.1.
    const OF_ABC: &str = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad";

    #[test]
    fn the_hash_is_that_of_the_whole_file_whether_it_was_read_whole_in_parts_or_not_at_all() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("abc");
        std::fs::write(&path, "abc").unwrap();
        let input = Input { name: InputName::new("abc"), path: Some(path.clone()), is_named: true };
        for reads in 0..5 {
            let hashes = InputHashes::default();
            let mut content = hashes.open(&input).unwrap();
            for _ in 0..reads {
                let length = content.read(&mut [0; 1]).unwrap();
                assert!(length <= 1);
            }
            assert_eq!(hashes.0.lock().unwrap().len(), usize::from(reads > 3));
            assert_eq!(hashes.of(&path).unwrap(), OF_ABC);
        }
    }
}
