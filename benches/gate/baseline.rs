//! Counts in a file, and counts against it.

use std::collections::BTreeMap;
use std::error::Error;
use std::fmt;
use std::path::{Path, PathBuf};
use std::process::Command;

use super::callgrind::{self, Counts};
use super::paths::PATHS;

/// Where the baseline is, below the package.
pub const FILE: &str = "benches/gate/baseline.tsv";

/// How much a path may grow.
pub const TOLERANCE_PERCENT: f64 = 3.0;

/// Functions with a smaller share of their path are not listed.
const SHARE_MIN: f64 = 0.005;

/// The instructions of every path, and the compiler they are of.
pub struct Baseline {
    pub rustc: String,
    paths: BTreeMap<String, Counted>,
}

struct Counted {
    total: u64,
    functions: Counts,
}

/// What became of one path.
pub struct Verdict {
    path: String,
    before: Option<u64>,
    now: u64,
    /// The functions that grew, the one that grew most first.
    grown: Vec<(String, u64, u64)>,
}

impl Baseline {
    /// Counts every path, with the kernels that callgrind can execute and with portable code.
    pub fn count(folder: &Path) -> Result<Self, Box<dyn Error>> {
        let mut paths = BTreeMap::new();
        for path in PATHS {
            let kernels: &[_] = match path.starts_with("lookup") {
                true => &[("portable", true), ("AVX2", false)],
                false => &[("AVX2", false)],
            };
            for &(kernel, is_portable) in kernels {
                if !is_portable && !has_avx2() {
                    eprintln!("SKIPPED: {path}, {kernel}: this machine has no AVX2");
                    continue;
                }
                let functions = callgrind::count(path, folder, is_portable)?;
                let total = functions.values().sum();
                paths.insert(format!("{path}, {kernel}"), Counted { total, functions });
            }
        }
        Ok(Self { rustc: rustc_version()?, paths })
    }

    /// Reads the repository's baseline.
    pub fn read() -> Result<Self, Box<dyn Error>> {
        let text = std::fs::read_to_string(file())?;
        let mut baseline = Self { rustc: String::new(), paths: BTreeMap::new() };
        for line in text.lines().filter(|line| !line.starts_with('#')) {
            let fields: Vec<_> = line.split('\t').collect();
            match fields.as_slice() {
                ["rustc", version] => baseline.rustc = (*version).to_owned(),
                [path, "", total] => {
                    let counted = Counted { total: total.parse()?, functions: Counts::new() };
                    baseline.paths.insert((*path).to_owned(), counted);
                }
                [path, function, count] => {
                    let path = baseline.paths.get_mut(*path).ok_or("a path begins with its sum")?;
                    path.functions.insert((*function).to_owned(), count.parse()?);
                }
                _ => return Err(format!("{FILE}: not a line of it: {line}").into()),
            }
        }
        Ok(baseline)
    }

    /// Makes this the repository's baseline.
    pub fn write(&self) -> Result<(), Box<dyn Error>> {
        let mut text = "# Instructions of the hot paths, and of their functions; written by\n\
                        # cargo bench --bench instructions -- --refresh\n"
            .to_owned();
        text += &format!("rustc\t{}\n", self.rustc);
        for (path, counted) in &self.paths {
            text += &format!("{path}\t\t{}\n", counted.total);
            for (function, count) in &counted.functions {
                if *count as f64 >= SHARE_MIN * counted.total as f64 {
                    text += &format!("{path}\t{function}\t{count}\n");
                }
            }
        }
        Ok(std::fs::write(file(), text)?)
    }

    /// Compares every path that was counted now.
    pub fn against(&self, before: &Self) -> Vec<Verdict> {
        let verdict = |(path, now): (&String, &Counted)| {
            let before = before.paths.get(path);
            let count_before = |function| {
                before.and_then(|before| before.functions.get(function)).copied().unwrap_or(0)
            };
            let functions = now.functions.iter();
            let mut grown: Vec<_> = functions
                .map(|(function, &count)| (function.clone(), count_before(function), count))
                .filter(|(_, before, now)| now > before)
                .collect();
            grown.sort_by_key(|(_, before, now)| std::cmp::Reverse(now - before));
            let before = before.map(|before| before.total);
            Verdict { path: path.clone(), before, now: now.total, grown }
        };
        self.paths.iter().map(verdict).collect()
    }
}

impl Verdict {
    pub fn is_failure(&self) -> bool {
        self.change_percent().is_none_or(|percent| percent > TOLERANCE_PERCENT)
    }

    fn change_percent(&self) -> Option<f64> {
        self.before.map(|before| (self.now as f64 / before as f64 - 1.0) * 100.0)
    }
}

impl fmt::Display for Verdict {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Some(percent) = self.change_percent() else {
            return write!(f, "{:32} {:>12}  is not in the baseline", self.path, self.now);
        };
        write!(f, "{:32} {:>12}  {percent:+.2} %", self.path, self.now)?;
        if percent < -TOLERANCE_PERCENT {
            write!(f, "  (fewer: refresh the baseline, or this gain may be lost unseen)")?;
        }
        if self.is_failure() {
            for (function, before, now) in self.grown.iter().take(3) {
                write!(f, "\n    {function} grew from {before} to {now}")?;
            }
        }
        Ok(())
    }
}

fn file() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join(FILE)
}

fn rustc_version() -> Result<String, Box<dyn Error>> {
    let program = std::env::var_os("RUSTC").unwrap_or_else(|| "rustc".into());
    let output = Command::new(program).arg("--version").output()?;
    let text = String::from_utf8(output.stdout)?;
    Ok(text.trim().trim_start_matches("rustc ").to_owned())
}

fn has_avx2() -> bool {
    #[cfg(target_arch = "x86_64")]
    return std::arch::is_x86_feature_detected!("avx2");
    #[cfg(not(target_arch = "x86_64"))]
    false
}
