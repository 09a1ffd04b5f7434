//! The gate of speed: how many instructions the hot paths execute, held against a baseline.
//!
//! ```text
//! cargo bench --bench instructions                 counts, compares, and fails where one grew
//! cargo bench --bench instructions -- --refresh    counts, and writes the baseline anew
//! cargo bench --bench instructions -- --test       runs each path once, for its answers
//! ```
//!
//! Seconds are noise on a machine that others use; instructions are the same on every run. They are
//! counted by callgrind, which executes no AVX-512 and sees no cache: what they cannot show is left to
//! the other benchmarks. Each path runs in a process of its own, and only what lies within [`hot`]
//! counts.

#![forbid(unsafe_code)]

mod gate;

use std::error::Error;
use std::hint::black_box;
use std::process::{Command, ExitCode};

use gate::baseline::{Baseline, Verdict};
use gate::callgrind;
use gate::paths::{PATHS, Traffic};

/// What valgrind is told to count within, by this name.
#[inline(never)]
fn hot<R>(work: impl FnOnce() -> R) -> R {
    black_box(work())
}

fn main() -> Result<ExitCode, Box<dyn Error>> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    if let [option, path, folder] = arguments.as_slice()
        && option == "--path"
    {
        gate::paths::run(path, folder.as_ref())?;
        return Ok(ExitCode::SUCCESS);
    }
    let has = |option| arguments.iter().any(|argument| argument == option);
    let traffic = Traffic::generate()?;
    if has("--test") {
        for path in PATHS {
            let mut process = Command::new(std::env::current_exe()?);
            if !process.args(["--path", path]).arg(traffic.folder()).status()?.success() {
                return Err(format!("{path} fails").into());
            }
        }
        return Ok(ExitCode::SUCCESS);
    }
    let Some(valgrind) = callgrind::version() else {
        eprintln!("SKIPPED: valgrind is not installed; no instructions are counted");
        return Ok(ExitCode::SUCCESS);
    };
    println!("counting with {valgrind}");
    let now = Baseline::count(traffic.folder())?;
    if has("--refresh") {
        now.write()?;
        println!("{}: written", gate::baseline::FILE);
        return Ok(ExitCode::SUCCESS);
    }
    let before = Baseline::read()?;
    let verdicts = now.against(&before);
    verdicts.iter().for_each(|verdict| println!("{verdict}"));
    if !verdicts.iter().any(Verdict::is_failure) {
        return Ok(ExitCode::SUCCESS);
    }
    if now.rustc != before.rustc {
        println!(
            "NOT FAILED: the baseline is of rustc {}, this is {}; compilers differ",
            before.rustc, now.rustc
        );
        return Ok(ExitCode::SUCCESS);
    }
    println!(
        "FAILED: more instructions than {} says, by more than {} %.\n\
         Where that is meant: cargo bench --bench instructions -- --refresh",
        gate::baseline::FILE,
        gate::baseline::TOLERANCE_PERCENT
    );
    Ok(ExitCode::FAILURE)
}
