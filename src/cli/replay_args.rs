//! What may be typed after `nexthop replay`.

use std::path::PathBuf;

use clap::{Args, ValueEnum};

use super::args::{ConsoleArgs, Per};
use super::exit_code;
use super::reading_args::ReadingArgs;
use super::row_args::RowArgs;
use super::values::{ReplayColumnList, Size};
use crate::replay::{DestinationMove, RouteChange};

/// Arguments of `replay`.
#[derive(Args, Debug)]
#[command(after_help = help())]
pub struct ReplayArgs {
    /// Captures and flow logs: files, folders, or - for standard input.
    #[arg(value_name = "INPUT", required = true)]
    pub inputs: Vec<PathBuf>,

    /// Folder or file with what Azure exported before the change.
    #[arg(long, value_name = "SNAPSHOT")]
    pub before: PathBuf,

    /// The same with the change.
    #[arg(long, value_name = "SNAPSHOT")]
    pub after: PathBuf,

    /// After the change, look the destination OLD up as NEW: two addresses, or two prefixes of equal
    /// length; may be repeated.
    #[arg(long, value_name = "OLD=NEW")]
    pub map_destination: Vec<DestinationMove>,

    /// Use this table of both snapshots for every source: a NIC, VNET/SUBNET, an address or a
    /// table's name.
    #[arg(long, value_name = "NAME")]
    pub from: Option<String>,

    /// What flows must pass: a TOML file of `require` and `exempt` tables; shows which verdicts
    /// change, by the routes alone.
    #[arg(long, value_name = "FILE")]
    pub policy: Option<PathBuf>,

    /// Built-in rules, as of a policy: internet-egress, spoke-to-spoke, on-premises,
    /// private-endpoints, all-private.
    #[arg(long, value_name = "LIST", value_delimiter = ',')]
    pub require: Vec<String>,

    /// Exit 1 where any flow, the way back of one, or a verdict changes.
    #[arg(long)]
    pub fail_on_change: bool,

    /// Exit 1 where the policy finds something that it did not find before.
    #[arg(long)]
    pub fail_on_new_findings: bool,

    /// What is a flow [default: flow for captures and with a policy, tuple for flow logs].
    #[arg(long, value_enum)]
    pub per: Option<Per>,

    /// What to print.
    #[arg(long, value_enum, default_value_t = ReplayFormat::Text)]
    pub format: ReplayFormat,

    /// Write every row that changes, with both labels, to FILE, which may be .csv, .jsonl or
    /// .parquet.
    #[arg(short, long, value_name = "FILE")]
    pub output: Option<PathBuf>,

    /// Columns of the rows, in this order [default: all].
    #[arg(long, value_name = "LIST")]
    pub columns: Option<ReplayColumnList>,

    /// How rows are written.
    #[command(flatten)]
    pub rows: RowArgs,

    /// How traffic is read.
    #[command(flatten)]
    pub reading: ReadingArgs,

    /// Bound on the memory of flows; past it, those that change and those of logs wait in files, and
    /// those of captures are counted in several parts.
    #[arg(long, value_name = "SIZE", default_value = "1GiB")]
    pub memory: Size,

    /// How much is said, and in which colour.
    #[command(flatten)]
    pub console: ConsoleArgs,
}

/// Returns the end of `--help`: the reasons of changes, and what every command says.
fn help() -> String {
    let reasons = RouteChange::REASONS.map(|(code, text)| format!("  {code}: {text}"));
    format!(
        "Why a flow changes, seen from its old route:\n{}\n  the code of a lost route, as explain \
         prints it, where the route is there and loses\n  a reason for records without a label, \
         below, where the flow's table is not known any more\n\n{}",
        reasons.join("\n"),
        exit_code::help()
    )
}

/// The value of `--format` of `replay`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum ReplayFormat {
    /// For people.
    Text,
    /// For programs.
    Json,
}
