//! What may be typed after `nexthop verify`.

use std::path::PathBuf;
use std::str::FromStr;

use clap::{Args, ValueEnum};
use jiff::Timestamp;

use super::args::ConsoleArgs;
use super::exit_code;
use super::reading_args::ReadingArgs;
use super::row_args::RowArgs;
use super::values::{Size, VerifyColumnList};

/// Arguments of `verify`.
#[derive(Args, Debug)]
#[command(after_help = exit_code::help())]
pub struct VerifyArgs {
    /// Captures and flow logs: files, folders, or - for standard input.
    #[arg(value_name = "INPUT", required = true)]
    pub inputs: Vec<PathBuf>,

    /// Folder or file with what Azure exported.
    #[arg(short, long, value_name = "SNAPSHOT")]
    pub routes: PathBuf,

    /// What flows must pass: a TOML file of `require` and `exempt` tables.
    #[arg(long, value_name = "FILE", required_unless_present = "require")]
    pub policy: Option<PathBuf>,

    /// Built-in rules: internet-egress, spoke-to-spoke, on-premises, private-endpoints, all-private.
    #[arg(long, value_name = "LIST", value_delimiter = ',')]
    pub require: Vec<String>,

    /// Firewall logs, and flow logs and captures taken at a firewall, that may show the flows: files,
    /// folders, or - for standard input; may be repeated. A capture is of the firewall that its file
    /// or a folder above is named after.
    #[arg(long, value_name = "LOG")]
    pub evidence: Vec<PathBuf>,

    /// The time that every firewall log covers, instead of its first to its last line.
    #[arg(long, value_name = "FROM/TO")]
    pub evidence_window: Option<EvidenceWindow>,

    /// How many seconds a firewall's line may be from the beginning of its flow.
    #[arg(long, value_name = "SECONDS", default_value_t = 5)]
    pub time_tolerance: u32,

    /// Write a page for people to FILE.
    #[arg(long, value_name = "FILE")]
    pub html: Option<PathBuf>,

    /// Write findings as SARIF 2.1.0 to FILE.
    #[arg(long, value_name = "FILE")]
    pub sarif: Option<PathBuf>,

    /// Write rules as JUnit test cases to FILE.
    #[arg(long, value_name = "FILE")]
    pub junit: Option<PathBuf>,

    /// Write the whole report for programs to FILE.
    #[arg(long, value_name = "FILE")]
    pub json: Option<PathBuf>,

    /// Write every recorded flow, with the verdict on it, to FILE, which may be .csv, .jsonl or
    /// .parquet.
    #[arg(short, long, value_name = "FILE")]
    pub output: Option<PathBuf>,

    /// Columns of the rows, in this order [default: all].
    #[arg(long, value_name = "LIST")]
    pub columns: Option<VerifyColumnList>,

    /// How rows are written.
    #[command(flatten)]
    pub rows: RowArgs,

    /// What to print.
    #[arg(long, value_enum, default_value_t = VerifyFormat::Text)]
    pub format: VerifyFormat,

    /// Show percentages although more than 0.1 % of the records were damaged.
    #[arg(long)]
    pub accept_damage: bool,

    /// How traffic is read.
    #[command(flatten)]
    pub reading: ReadingArgs,

    /// Bound on the memory of flows; past it, those of logs wait in files, and a capture's flow may
    /// be judged in several parts.
    #[arg(long, value_name = "SIZE", default_value = "1GiB")]
    pub memory: Size,

    /// How much is said, and in which colour.
    #[command(flatten)]
    pub console: ConsoleArgs,
}

/// The value of `--format` of `verify`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum VerifyFormat {
    /// For people.
    Text,
    /// For programs.
    Json,
}

/// A span of time: two RFC 3339 times with a slash between.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct EvidenceWindow {
    /// Nanoseconds since 1970.
    pub from_ns: i64,
    /// Its end.
    pub to_ns: i64,
}

impl FromStr for EvidenceWindow {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let (from, to) =
            text.split_once('/').ok_or_else(|| format!("`{text}` is not of the form FROM/TO"))?;
        let window = Self { from_ns: nanoseconds(from)?, to_ns: nanoseconds(to)? };
        if window.to_ns < window.from_ns {
            return Err(format!("`{text}` ends before it begins"));
        }
        Ok(window)
    }
}

fn nanoseconds(text: &str) -> Result<i64, String> {
    let time: Timestamp =
        text.parse().map_err(|_| format!("`{text}` is no time such as 2025-01-20T18:00:00Z"))?;
    i64::try_from(time.as_nanosecond()).map_err(|_| format!("`{text}` is out of range"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_window_is_two_times_in_order() {
        let window: EvidenceWindow = "1970-01-01T00:00:01Z/1970-01-01T00:00:02.5Z".parse().unwrap();
        assert_eq!((window.from_ns, window.to_ns), (1_000_000_000, 2_500_000_000));
        for text in ["", "2025-01-20T18:00:00Z", "a/b", "1970-01-01T00:00:02Z/1970-01-01T00:00:01Z"]
        {
            assert!(text.parse::<EvidenceWindow>().is_err(), "{text:?}");
        }
    }
}
