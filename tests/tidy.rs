//! The architecture, held: which module may use which, which crate comes in by which door, and the
//! other rules that no compiler checks.
//!
//! Everything is read as text, line by line; lines that are comments count for nothing.

#![forbid(unsafe_code)]

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

/// What each module of the library may use, besides itself. A new one gets its line here first.
const MAY_USE: &[(&str, &[&str])] = &[
    ("net", &[]),
    ("memory", &[]),
    ("instructions", &[]),
    ("spill", &["memory"]),
    ("lpm", &["net", "memory", "instructions"]),
    ("azure", &["net"]),
    ("routing", &["azure", "net"]),
    ("fib", &["routing", "azure", "lpm", "net"]),
    ("traffic", &["net", "instructions"]),
    ("classify", &["fib", "routing", "azure", "lpm", "traffic", "spill", "net", "memory"]),
    (
        "coverage",
        &["classify", "fib", "routing", "azure", "lpm", "traffic", "spill", "net", "memory"],
    ),
    (
        "replay",
        &["coverage", "classify", "fib", "routing", "azure", "lpm", "traffic", "spill", "net"],
    ),
    (
        "report",
        &["replay", "coverage", "classify", "fib", "routing", "azure", "lpm", "traffic", "net"],
    ),
    // Beside the pipeline: nothing that labels may know how its test data is made.
    ("generate", &["classify", "fib", "routing", "azure", "lpm", "traffic", "net"]),
    (
        "cli",
        &[
            "generate", "report", "replay", "coverage", "classify", "fib", "routing", "azure",
            "lpm", "traffic", "spill", "net",
        ],
    ),
];

/// Where each crate may be named, besides tests. Folders end with `/`.
const DOORS: &[(&str, &[&str])] = &[
    (
        "ahash",
        &[
            "src/routing/",
            "src/fib/",
            "src/classify/",
            "src/coverage/",
            "src/generate/",
            "src/lpm/forest.rs",
            "src/lpm/forest_layout.rs",
            "src/replay/",
            "src/report/",
            "src/traffic/firewall/",
        ],
    ),
    ("anyhow", &["src/cli/"]),
    ("bytes", &["src/report/parquet/"]),
    ("clap", &["src/cli/"]),
    ("clap_complete", &["src/cli/"]),
    ("clap_mangen", &["src/cli/"]),
    (
        "csv",
        &[
            "src/azure/effective_routes/csv.rs",
            "src/azure/effective_routes/render.rs",
            "src/report/routes.rs",
            "src/traffic/firewall/delimited.rs",
        ],
    ),
    ("etherparse", &["src/traffic/capture/"]),
    ("flate2", &["src/traffic/input/"]),
    // Tables whose keys lie elsewhere: flows, log lines, pairs of addresses.
    ("hashbrown", &["src/classify/", "src/coverage/evidence_lines.rs", "src/coverage/judge.rs"]),
    ("indicatif", &["src/cli/"]),
    (
        "jiff",
        &["src/cli/verify_args.rs", "src/generate/", "src/report/", "src/traffic/firewall/time.rs"],
    ),
    ("maud", &["src/report/html/"]),
    ("pcap_file", &["src/generate/"]),
    ("sha2", &["src/cli/input_hashes.rs"]),
    ("memchr", &["src/azure/", "src/traffic/"]),
    ("parquet", &["src/report/parquet/"]),
    // Row groups of Parquet are encoded column by column, on the pool of whoever writes rows.
    ("rayon", &["src/classify/", "src/cli/", "src/coverage/", "src/report/parquet/", "src/spill/"]),
    (
        "serde",
        &[
            "src/azure/",
            "src/coverage/policy.rs",
            "src/generate/",
            "src/report/",
            "src/traffic/firewall/",
            "src/traffic/flowlog/",
        ],
    ),
    (
        "serde_json",
        &[
            "src/azure/",
            "src/generate/",
            "src/report/",
            "src/traffic/firewall/",
            "src/traffic/flowlog/",
        ],
    ),
    ("serde_path_to_error", &["src/azure/"]),
    (
        "smallvec",
        &[
            "src/azure/",
            "src/classify/",
            "src/coverage/",
            "src/fib/",
            "src/report/",
            "src/routing/",
        ],
    ),
    (
        "tempfile",
        &[
            "src/cli/bench_work.rs",
            "src/cli/evidence.rs",
            "src/cli/traffic_run.rs",
            "src/report/atomic_file.rs",
        ],
    ),
    ("thiserror", &["src/"]),
    ("toml", &["src/azure/settings.rs", "src/coverage/policy.rs"]),
    ("zstd", &["src/traffic/input/"]),
];

/// Modules that compute and do nothing else.
const PURE: &[&str] = &["net", "routing", "lpm", "fib", "classify", "coverage", "replay"];

/// The words of input, output, clocks and surroundings.
const IMPURE_WORDS: &[&str] = &[
    "fs::",
    "File::",
    "TcpStream",
    "TcpListener",
    "UdpSocket",
    "stdin",
    "stdout",
    "stderr",
    "Instant",
    "SystemTime",
    "env::",
    "process::",
    "print!",
    "println!",
    "eprint!",
    "eprintln!",
    "dbg!",
];

/// What only the command line says and asks, even where files are read and written.
const WORDS_OF_THE_EDGE: &[&str] = &[
    "Instant",
    "SystemTime",
    "env::",
    "process::",
    "print!",
    "println!",
    "eprint!",
    "eprintln!",
    "dbg!",
];

/// Where those words are all the same, each with its reason.
const ASKED_ANYWAY: &[(&str, &str, &str)] = &[(
    "src/instructions.rs",
    "env::",
    "NEXTHOP_FORCE_PORTABLE chooses among ways to the same answers, for tests",
)];

/// The modules that may hold unsafe code, each with what it buys: many dependent loads at a time,
/// prefetching with memory in huge pages, and all numbers of a tuple at a time.
const KERNELS: &[&str] = &[
    "src/lpm/kernel.rs",
    "src/lpm/kernel_dir.rs",
    "src/lpm/kernel_forest.rs",
    "src/lpm/kernel_poptrie.rs",
    "src/lpm/kernel_tree.rs",
    "src/memory.rs",
    "src/traffic/flowlog/kernel.rs",
];

/// A file with more lines, its tests included, holds more than one idea.
const LINES_MAX: usize = 900;

/// Longer files, each with its reason.
const LONGER_FILES: &[(&str, &str)] = &[(
    "src/azure/resources/tests.rs",
    "one table of cases: every kind of resource in every shape",
)];

const SCENARIO_BYTES_MAX: u64 = 256 << 10;
const SCENARIOS_BYTES_MAX: u64 = 5 << 20;

#[test]
fn dependencies_point_one_way() {
    let mut faults = Vec::new();
    for file in sources() {
        let Some(module) = file.module() else { continue };
        let Some((_, may_use)) = MAY_USE.iter().find(|(name, _)| *name == module) else {
            faults.push(format!("{}: {module} has no place in the order", file.name));
            continue;
        };
        for line in file.code() {
            for path in paths_after(line.text, "crate::") {
                if path != module && !may_use.contains(&path) {
                    faults.push(format!("{}: {module} uses {path}", line.place()));
                }
            }
            // A path up to the root could lead anywhere.
            let levels = file.depth() + usize::from(line.is_test);
            if line.text.contains(&"super::".repeat(levels)) {
                faults.push(format!("{}: leaves its module; say crate::", line.place()));
            }
        }
    }
    assert_none(&faults);
}

#[test]
fn the_order_of_modules_has_no_cycle() {
    for (place, (module, may_use)) in MAY_USE.iter().enumerate() {
        for used in *may_use {
            let used_place = MAY_USE.iter().position(|(name, _)| name == used);
            assert!(used_place < Some(place), "{module} uses {used}, which stands after it");
        }
    }
}

#[test]
fn crates_come_in_by_their_doors() {
    let mut faults = Vec::new();
    let known: BTreeSet<&str> = DOORS.iter().map(|(name, _)| *name).collect();
    let dependencies = dependencies();
    for name in &dependencies {
        if !known.contains(name.as_str()) {
            faults.push(format!("Cargo.toml: {name} has no door"));
        }
    }
    assert!(dependencies.len() > 10, "the dependencies were not found");
    for file in sources() {
        for (name, doors) in DOORS {
            if doors.iter().any(|door| file.name.starts_with(door)) {
                continue;
            }
            let is_own_module = file.text.contains(&format!("mod {name};"));
            let uses = |line: &&Line| !line.is_test && names_crate(line.text, name, is_own_module);
            for line in file.code().iter().filter(uses) {
                faults.push(format!("{}: {name} outside its door", line.place()));
            }
        }
    }
    assert_none(&faults);
}

#[test]
fn pure_modules_do_no_input_or_output_and_read_no_clock() {
    let mut faults = Vec::new();
    for file in sources() {
        let is_pure = file.module().is_some_and(|module| PURE.contains(&module));
        let is_edge = file.name.starts_with("src/cli/") || file.name == "src/main.rs";
        for line in file.code() {
            let words = match (is_pure, is_edge || line.is_test) {
                (true, _) => IMPURE_WORDS,
                (false, true) => &[],
                (false, false) => WORDS_OF_THE_EDGE,
            };
            let is_asked_anyway = |word: &str| {
                ASKED_ANYWAY.iter().any(|(name, asked, _)| *name == file.name && *asked == word)
            };
            let found = words.iter().filter(|word| has_word(line.text, word));
            for word in found.filter(|word| !is_asked_anyway(word)) {
                faults.push(format!("{}: {word}", line.place()));
            }
        }
    }
    assert_none(&faults);
}

/// The word of the language; a content security policy has one of its own.
fn is_unsafe(code: &str) -> bool {
    has_word(&code.replace("'unsafe-inline'", ""), "unsafe")
}

#[test]
fn unsafe_code_is_in_the_kernels_only() {
    let mut faults = Vec::new();
    for file in sources() {
        let is_kernel = KERNELS.contains(&file.name.as_str());
        if is_kernel && !file.text.contains("#![expect(unsafe_code, reason = ") {
            faults.push(format!("{}: a kernel says why it is one", file.name));
        }
        for line in file.code().iter().filter(|line| !is_kernel && is_unsafe(line.text)) {
            faults.push(line.place());
        }
    }
    for file in rust_files_of(&["tests", "benches"]) {
        let is_program = file.name.matches('/').count() == 1;
        if is_program && !file.text.contains("\n#![forbid(unsafe_code)]\n") {
            faults.push(format!("{}: does not forbid unsafe code", file.name));
        }
    }
    assert_none(&faults);
}

#[test]
fn every_file_says_what_it_is_and_is_of_a_size_to_read() {
    let mut faults = Vec::new();
    for file in rust_files_of(&["src", "tests", "benches", "fuzz"]) {
        if !file.text.starts_with("//! ") {
            faults.push(format!("{}: does not begin with //!", file.name));
        }
        let line_count = file.text.lines().count();
        let is_listed = LONGER_FILES.iter().any(|(name, _)| *name == file.name);
        if (line_count > LINES_MAX) != is_listed {
            faults.push(format!("{}: {line_count} lines, {LINES_MAX} allowed", file.name));
        }
    }
    assert_none(&faults);
}

#[test]
fn the_map_names_every_module() {
    let map = fs::read_to_string(root().join("ARCHITECTURE.md")).expect("there is a map");
    let modules: BTreeSet<String> =
        sources().iter().filter_map(|file| file.module().map(str::to_owned)).collect();
    assert!(modules.len() >= 8, "{modules:?}");
    for module in modules {
        assert!(map.contains(&format!("`{module}`")) || map.contains(&format!("{module}/")));
    }
}

#[test]
fn scenarios_stay_small() {
    let mut total = 0;
    for scenario in fs::read_dir(root().join("captures")).expect("there are scenarios") {
        let path = scenario.expect("can be listed").path();
        let bytes: u64 =
            files_below(&path).iter().map(|file| fs::metadata(file).expect("a file").len()).sum();
        assert!(bytes <= SCENARIO_BYTES_MAX, "{}: {bytes} bytes", path.display());
        total += bytes;
    }
    assert!(total > 0, "no scenario was found");
    assert!(total <= SCENARIOS_BYTES_MAX, "{total} bytes in all");
}

/// What is true on one machine only has no place in the repository.
#[test]
fn no_text_names_a_path_of_a_machine() {
    // In pieces, so that this file holds none of them.
    let paths = [["/wo", "rk/"].concat(), ["../sh", "ared"].concat(), ["/ro", "ot/"].concat()];
    let mut faults = Vec::new();
    for path in files_below(root()) {
        let name = name_of(&path);
        let bytes = fs::read(&path).unwrap_or_default();
        let Ok(text) = str::from_utf8(&bytes) else { continue };
        if name == ".ci/run" || name == ".git" {
            continue;
        }
        for (line, number) in text.lines().zip(1..) {
            if paths.iter().any(|path| line.contains(path.as_str())) {
                faults.push(format!("{name}:{number}: {}", line.trim()));
            }
        }
    }
    assert_none(&faults);
}

#[test]
fn words_are_found_where_they_are_words() {
    assert!(has_word("let a = fs::read(b);", "fs::"));
    assert!(!has_word("let a = refs::read(b);", "fs::"));
    assert!(has_word("unsafe { a }", "unsafe"));
    assert!(!has_word("unsafe_code", "unsafe"));
    assert!(names_crate("use csv::Writer;", "csv", false));
    assert!(names_crate("::csv::Writer::new()", "csv", true));
    assert!(!names_crate("csv::parse(text)", "csv", true));
    assert!(!names_crate("use super::csv::CsvEncoder;", "csv", false));
    assert!(!names_crate("use own_csv::Writer;", "csv", false));
    assert_eq!(paths_after("use crate::net::A; crate::fib::B", "crate::"), ["net", "fib"]);
    assert_eq!(paths_after("use crate::{net, fib::B};", "crate::"), [""]);
    assert_eq!(paths_after("$crate::net", "crate::"), ["net"]);
}

/// A file of Rust.
struct File {
    /// Relative to the package, with `/`.
    name: String,
    text: String,
}

/// A line that is no comment.
struct Line<'f> {
    file: &'f str,
    number: usize,
    text: &'f str,
    /// In a file or an inline module of tests.
    is_test: bool,
}

impl File {
    /// Returns the top module that the file belongs to; none for `lib.rs` and `main.rs`.
    fn module(&self) -> Option<&str> {
        let below = self.name.strip_prefix("src/")?;
        match below.split_once('/') {
            Some((module, _)) => Some(module),
            None => below.strip_suffix(".rs").filter(|name| !["lib", "main"].contains(name)),
        }
    }

    /// Returns how many modules the file's own is below the root.
    fn depth(&self) -> usize {
        let path = self.name.trim_end_matches(".rs").trim_end_matches("/mod");
        path.matches('/').count()
    }

    fn code(&self) -> Vec<Line<'_>> {
        let mut is_test = self.name.ends_with("/tests.rs")
            || self.name.contains("/tests/")
            || self.name.ends_with("/testing.rs");
        let mut lines = Vec::new();
        for (number, text) in (1..).zip(self.text.lines()) {
            is_test |= text.starts_with("mod ") && text.ends_with('{') && text.contains("test")
                || text.starts_with("pub") && text.ends_with("mod tests {");
            if !text.trim_start().starts_with("//") {
                lines.push(Line { file: &self.name, number, text, is_test });
            }
        }
        lines
    }
}

impl Line<'_> {
    fn place(&self) -> String {
        format!("{}:{}", self.file, self.number)
    }
}

fn sources() -> Vec<File> {
    let files = rust_files_of(&["src"]);
    assert!(files.len() > 50, "the sources were not found");
    files
}

fn rust_files_of(folders: &[&str]) -> Vec<File> {
    let mut files = Vec::new();
    for folder in folders.iter().map(|folder| root().join(folder)).filter(|path| path.is_dir()) {
        for path in files_below(&folder) {
            if path.extension().is_some_and(|extension| extension == "rs") {
                let text = fs::read_to_string(&path).expect("a source is text");
                files.push(File { name: name_of(&path), text });
            }
        }
    }
    files
}

/// Lists what is part of the repository below a folder, sorted.
fn files_below(folder: &Path) -> Vec<PathBuf> {
    const BUILT: &[&str] =
        &[".git", "target", "benches/peers/target", "fuzz/corpus", "fuzz/artifacts", "fuzz/target"];
    let mut files = Vec::new();
    let mut folders = vec![folder.to_path_buf()];
    while let Some(folder) = folders.pop() {
        if folder.is_file() {
            files.push(folder);
            continue;
        }
        for entry in fs::read_dir(&folder).expect("the repository can be listed") {
            let path = entry.expect("the repository can be listed").path();
            if !BUILT.contains(&name_of(&path).as_str()) {
                folders.push(path);
            }
        }
    }
    files.sort();
    files
}

/// Returns the names of the library's dependencies, as code spells them.
fn dependencies() -> Vec<String> {
    let manifest = fs::read_to_string(root().join("Cargo.toml")).expect("there is a manifest");
    manifest
        .lines()
        .skip_while(|line| *line != "[dependencies]")
        .skip(1)
        .take_while(|line| !line.starts_with('['))
        .filter_map(|line| line.split_once(" = "))
        .map(|(name, _)| name.replace('-', "_"))
        .collect()
}

/// Returns the first name after every `before` in a line.
fn paths_after<'l>(line: &'l str, before: &str) -> Vec<&'l str> {
    line.match_indices(before)
        .filter(|(at, _)| !line[..*at].ends_with(is_name_part))
        .map(|(at, _)| {
            let rest = &line[at + before.len()..];
            &rest[..rest.find(|letter| !is_name_part(letter)).unwrap_or(rest.len())]
        })
        .collect()
}

fn has_word(line: &str, word: &str) -> bool {
    line.match_indices(word).any(|(at, _)| {
        let goes_on =
            word.ends_with(is_name_part) && line[at + word.len()..].starts_with(is_name_part);
        !goes_on && !line[..at].ends_with(is_name_part)
    })
}

/// Tells `name::…` and `::name::…` from a longer path; where a module has the crate's name, only
/// the latter is the crate.
fn names_crate(line: &str, name: &str, is_own_module: bool) -> bool {
    line.match_indices(&format!("{name}::")).any(|(at, _)| {
        let before = &line[..at];
        match before.strip_suffix("::") {
            Some(before) => !before.ends_with(is_name_part),
            None => !is_own_module && !before.ends_with(is_name_part),
        }
    })
}

fn is_name_part(letter: char) -> bool {
    letter.is_alphanumeric() || letter == '_'
}

fn name_of(path: &Path) -> String {
    let below = path.strip_prefix(root()).expect("is in the repository");
    below.to_string_lossy().replace('\\', "/")
}

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

fn assert_none(faults: &[String]) {
    assert!(faults.is_empty(), "\n{}", faults.join("\n"));
}
