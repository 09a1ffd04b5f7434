//! Counts the instructions of a process, function by function.

use std::collections::BTreeMap;
use std::error::Error;
use std::path::Path;
use std::process::{Command, Stdio};

/// How often a function's own instructions were executed, calls left out.
pub type Counts = BTreeMap<String, u64>;

/// Returns what valgrind calls itself, where it is installed.
pub fn version() -> Option<String> {
    let output = Command::new("valgrind").arg("--version").output().ok()?;
    output.status.success().then(|| String::from_utf8_lossy(&output.stdout).trim().to_owned())
}

/// Runs one path of this program, and counts what it executes within `hot`.
///
/// Only the program's own functions count: those of the C library differ between machines.
pub fn count(path: &str, folder: &Path, is_portable: bool) -> Result<Counts, Box<dyn Error>> {
    let program = std::env::current_exe()?;
    let file = folder.join("callgrind.out");
    let mut out_file = std::ffi::OsString::from("--callgrind-out-file=");
    out_file.push(&file);
    let output = Command::new("valgrind")
        .args(["-q", "--tool=callgrind", "--compress-strings=no", "--compress-pos=no"])
        .args(["--collect-atstart=no", "--toggle-collect=instructions::hot*"])
        .arg(out_file)
        .arg(&program)
        .args(["--path", path])
        .arg(folder)
        .env("NEXTHOP_FORCE_PORTABLE", if is_portable { "1" } else { "0" })
        .stdin(Stdio::null())
        .output()?;
    if !output.status.success() {
        return Err(format!("{path}: {}", String::from_utf8_lossy(&output.stderr)).into());
    }
    let counts = parse(&std::fs::read_to_string(file)?, &program.to_string_lossy());
    match counts.is_empty() {
        true => Err(format!("{path}: nothing was counted").into()),
        false => Ok(counts),
    }
}

/// Adds up the cost lines of each function of an object.
///
/// Source: valgrind.org, "Callgrind Format Specification" (read November 2025).
fn parse(text: &str, object: &str) -> Counts {
    let mut counts = Counts::new();
    let (mut function, mut is_own, mut is_call) = (String::new(), false, false);
    for line in text.lines() {
        if let Some(name) = line.strip_prefix("ob=") {
            is_own = name == object;
        } else if let Some(name) = line.strip_prefix("fn=") {
            function = plain_name(name);
        } else if line.starts_with("calls=") {
            is_call = true;
        } else if line.starts_with(|first: char| first.is_ascii_digit()) {
            let cost = line.split(' ').nth(1).and_then(|cost| cost.parse::<u64>().ok());
            // The line behind `calls=` is what the call cost.
            if is_own && !std::mem::take(&mut is_call) {
                *counts.entry(function.clone()).or_default() += cost.unwrap_or(0);
            }
            is_call = false;
        }
    }
    counts
}

/// Takes off what differs from build to build: hashes of crates and of instances.
fn plain_name(name: &str) -> String {
    let is_hash = |text: &str| text.len() >= 8 && text.bytes().all(|byte| byte.is_ascii_hexdigit());
    let mut plain = String::new();
    let mut rest = name;
    while let Some((before, behind)) = rest.split_once('[') {
        plain += before;
        rest = match behind.split_once(']') {
            Some((hash, behind)) if is_hash(hash) => behind,
            _ => {
                plain.push('[');
                behind
            }
        };
    }
    plain += rest;
    match plain.rsplit_once("::h") {
        Some((before, hash)) if is_hash(hash) => before.to_owned(),
        _ => plain,
    }
}
