//! A policy from its file and the names of built-in rules.

use std::fs;
use std::path::Path;

use anyhow::{Context, Result, ensure};

use crate::coverage::{BuiltIn, Policy};

/// Reads what flows must pass.
///
/// # Errors
///
/// A file that cannot be read or is no policy, an unknown name, or nothing that is required.
pub(super) fn read(path: Option<&Path>, built_in: &[String]) -> Result<Policy> {
    let mut policy = match path {
        None => Policy::default(),
        Some(path) => {
            let shown = || path.display().to_string();
            let text = fs::read_to_string(path).with_context(shown)?;
            Policy::parse(&text).with_context(shown)?
        }
    };
    for name in built_in {
        policy.rules.push(BuiltIn::rules(name)?);
    }
    ensure!(!policy.rules.is_empty(), "the policy requires nothing: it has no [[require]]");
    Ok(policy)
}
