//! What was typed, as types.

use std::path::PathBuf;

use clap::{Args, Parser, Subcommand, ValueEnum};
use clap_complete::Shell;

use super::exit_code;
use super::reading_args::ReadingArgs;
use super::replay_args::ReplayArgs;
use super::row_args::RowArgs;
use super::values::{ColumnList, ExplainDestination, Percent, Size};
use super::verify_args::VerifyArgs;
use crate::classify::RecordKind;
use crate::generate::{PacketSize, SnapshotShape};

/// Labels recorded Azure traffic with the next hop that Azure's routing gives each flow.
#[derive(Debug, Parser)]
#[command(name = "nexthop", version, after_help = exit_code::help())]
#[command(arg_required_else_help = true, max_term_width = 100)]
pub struct Cli {
    /// What to do.
    #[command(subcommand)]
    pub command: Command,
}

/// The sub-commands.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Label every flow of captures and flow logs.
    Classify(Box<ClassifyArgs>),
    /// Say where one packet goes, and why every other route lost.
    Explain(ExplainArgs),
    /// Show the effective route tables of a snapshot.
    Routes(RoutesArgs),
    /// Judge whether recorded flows passed the firewalls that a policy requires.
    Verify(Box<VerifyArgs>),
    /// Show what a route change, or a moved target, does to recorded traffic.
    Replay(Box<ReplayArgs>),
    /// Make a snapshot and traffic of any size, with the expected label of each flow.
    Generate(GenerateArgs),
    /// Show the faults of a snapshot: routes that lead nowhere, bypasses, one-way pairs.
    Lint(LintArgs),
    /// Measure the speed of this program on this machine, on generated work.
    Bench(BenchArgs),
    /// Print a completion script for a shell.
    Completions(CompletionsArgs),
    /// Print the manual page, or write the pages of all commands to a folder.
    Man(ManArgs),
}

/// Arguments of `classify`.
#[derive(Args, Debug)]
#[command(after_help = exit_code::help())]
pub struct ClassifyArgs {
    /// Captures and flow logs: files, folders, or - for standard input.
    #[arg(value_name = "INPUT", required = true)]
    pub inputs: Vec<PathBuf>,

    /// Folder or file with what Azure exported.
    #[arg(short, long, value_name = "SNAPSHOT")]
    pub routes: PathBuf,

    /// Use this table for every source: a NIC, VNET/SUBNET, an address or a table's name.
    #[arg(long, value_name = "NAME")]
    pub from: Option<String>,

    /// What a row stands for [default: flow for captures, tuple for flow logs].
    #[arg(long, value_enum)]
    pub per: Option<Per>,

    /// How traffic is read.
    #[command(flatten)]
    pub reading: ReadingArgs,

    /// Bound on the memory of flows; past it, those of logs wait in files, and those of captures are
    /// written out early and marked Partial.
    #[arg(long, value_name = "SIZE", default_value = "1GiB")]
    pub memory: Size,

    /// What to print: the summary (text, json) or the rows (csv, jsonl).
    #[arg(long, value_enum, default_value_t = ClassifyFormat::Text)]
    pub format: ClassifyFormat,

    /// Write every row to FILE, which may be .csv, .jsonl or .parquet.
    #[arg(short, long, value_name = "FILE")]
    pub output: Option<PathBuf>,

    /// Columns of the rows, in this order [default: all].
    #[arg(long, value_name = "LIST")]
    pub columns: Option<ColumnList>,

    /// How rows are written.
    #[command(flatten)]
    pub rows: RowArgs,

    /// How much is said, and in which colour.
    #[command(flatten)]
    pub console: ConsoleArgs,
}

/// Arguments of `explain`.
#[derive(Args, Debug)]
pub struct ExplainArgs {
    /// Addresses to look up; pool:GATEWAY[/POOL] is every member of an application gateway's
    /// backend pools, from the gateway's own subnet unless --from names another source.
    #[arg(value_name = "DEST", required = true)]
    pub destinations: Vec<ExplainDestination>,

    /// Folder or file with what Azure exported.
    #[arg(short, long, value_name = "SNAPSHOT")]
    pub routes: PathBuf,

    /// Where the packet starts: a NIC, VNET/SUBNET, an address or a table's name; may be left out
    /// when the snapshot holds one table.
    #[arg(long, value_name = "NAME")]
    pub from: Option<String>,

    /// What to print; json is one object a line for each destination.
    #[arg(long, value_enum, default_value_t = ExplainFormat::Text)]
    pub format: ExplainFormat,

    /// How much is said, and in which colour.
    #[command(flatten)]
    pub console: ConsoleArgs,
}

/// Arguments of `routes`.
#[derive(Args, Debug)]
pub struct RoutesArgs {
    /// Folder or file with what Azure exported.
    #[arg(short, long, value_name = "SNAPSHOT")]
    pub routes: PathBuf,

    /// Show the rows of this table: a NIC or VNET/SUBNET.
    #[arg(long, value_name = "NAME")]
    pub table: Option<String>,

    /// Compare computed tables with exported ones; exit 1 on any difference.
    #[arg(long)]
    pub compare: bool,

    /// What to print; json is the shape that az prints, with the reason added.
    #[arg(long, value_enum, default_value_t = RoutesFormat::Table)]
    pub format: RoutesFormat,

    /// How much is said, and in which colour.
    #[command(flatten)]
    pub console: ConsoleArgs,
}

/// Arguments of `generate`.
#[derive(Args, Debug)]
#[command(after_help = GENERATE_HELP)]
pub struct GenerateArgs {
    /// What everything is drawn from: the same seed gives the same bytes.
    #[arg(long, value_name = "N")]
    pub seed: u64,

    /// Write an estate to verify instead: hubs with firewalls, spokes, a policy, flow logs of at
    /// least --tuples, firewall logs, and the verdicts to find.
    #[arg(long, conflicts_with_all = ["packets", "expected_rows"])]
    pub estate: bool,

    /// At most so many flows in the estate's firewall logs; what follows them is sent in an hour of
    /// which no log was kept.
    #[arg(long, value_name = "N", requires = "estate")]
    pub log_lines: Option<u64>,

    /// NICs in the snapshot, each with its own table.
    #[arg(long, value_name = "N", default_value_t = 12)]
    #[arg(value_parser = clap::value_parser!(u32).range(1..=i64::from(SnapshotShape::NICS_MAX)))]
    pub nics: u32,

    /// Prefixes in each table.
    #[arg(long, value_name = "N", default_value_t = 300)]
    pub routes_per_table: u32,

    /// Write a flow log of so many tuples.
    #[arg(long, value_name = "N")]
    pub tuples: Option<u64>,

    /// Write a capture of so many packets.
    #[arg(long, value_name = "N")]
    pub packets: Option<u64>,

    /// Flows in the capture [default: one for each 20 packets].
    #[arg(long, value_name = "N", requires = "packets")]
    #[arg(value_parser = clap::value_parser!(u32).range(1..))]
    pub flows: Option<u32>,

    /// How long the packets of the capture are.
    #[arg(long, value_enum, default_value_t = PacketSizeName::Bytes64)]
    pub packet_size: PacketSizeName,

    /// Write the capture as pcapng.
    #[arg(long, requires = "packets")]
    pub pcapng: bool,

    /// How many of a hundred flows are IPv6.
    #[arg(long, value_name = "PERCENT", default_value_t = 5)]
    #[arg(value_parser = clap::value_parser!(u8).range(0..=100))]
    pub ipv6: u8,

    /// Write every expected row, too.
    #[arg(long)]
    pub expected_rows: bool,

    /// A folder that is empty or does not exist yet.
    #[arg(short, long, value_name = "FOLDER")]
    pub output: PathBuf,

    /// How much is said, and in which colour.
    #[command(flatten)]
    pub console: ConsoleArgs,
}

/// Arguments of `lint`.
#[derive(Args, Debug)]
pub struct LintArgs {
    /// Folder or file with what Azure exported.
    #[arg(short, long, value_name = "SNAPSHOT")]
    pub routes: PathBuf,

    /// What to print; in text each finding starts with its code.
    #[arg(long, value_enum, default_value_t = LintFormat::Text)]
    pub format: LintFormat,

    /// How much is said, and in which colour.
    #[command(flatten)]
    pub console: ConsoleArgs,
}

/// Arguments of `bench`.
#[derive(Args, Debug)]
#[command(after_help = BENCH_HELP)]
pub struct BenchArgs {
    /// Compare with what an earlier run printed with --format json, fastest round with fastest round.
    #[arg(long, value_name = "FILE")]
    pub baseline: Option<PathBuf>,

    /// How much slower than the baseline is no finding; what looks slower is measured again first.
    #[arg(long, value_name = "PERCENT", default_value = "10", requires = "baseline")]
    pub tolerance: Percent,

    /// How many rounds there are, of each of which the fastest pass counts; more for a baseline.
    #[arg(long, value_name = "N", default_value_t = 5)]
    #[arg(value_parser = clap::value_parser!(u32).range(1..=1000))]
    pub rounds: u32,

    /// How much work; less is for a quick look, and comparable only with as much.
    #[arg(long, value_name = "PERCENT", default_value_t = 100)]
    #[arg(value_parser = clap::value_parser!(u32).range(1..=1000))]
    pub work: u32,

    /// Threads for captures and flow logs; 0 for one on each core. Look-ups and compiling use one.
    #[arg(long, value_name = "N", default_value_t = 0)]
    pub threads: usize,

    /// What to print; json is also what --baseline takes.
    #[arg(long, value_enum, default_value_t = BenchFormat::Text)]
    pub format: BenchFormat,

    /// How much is said, and in which colour.
    #[command(flatten)]
    pub console: ConsoleArgs,
}

const BENCH_HELP: &str = "\
Everything is drawn from one seed, and every answer is compared with that of a naive way.
Exit codes:
   0  measured, and nothing is slower than the baseline by more than --tolerance
   1  something is
   2  usage, or a baseline that cannot be read or is of other work
  70  a wrong answer, or another fault of the program

  nexthop bench --rounds 20 --format json > before.json
  nexthop bench --baseline before.json --tolerance 3";

const GENERATE_HELP: &str = "\
Files:
  snapshot/                exported tables and nexthop.toml
  flow-log/blobs/          the flow log, in the folders that Azure uses
  flow-log/expected.json   what classify --format json must print of it
  flow-log/expected.csv    every row it must write; the header names the columns
  capture/traffic.pcap     the capture (or traffic.pcapng)
  capture/expected.json, capture/expected.csv";

/// Arguments of `completions`.
#[derive(Args, Debug)]
pub struct CompletionsArgs {
    /// The shell.
    #[arg(value_enum)]
    pub shell: Shell,
}

/// Arguments of `man`.
#[derive(Args, Debug)]
pub struct ManArgs {
    /// Write one page for each command into this folder.
    #[arg(long, value_name = "DIR")]
    pub output_dir: Option<PathBuf>,
}

/// How much is said, and in which colour.
#[derive(Args, Clone, Copy, Debug)]
pub struct ConsoleArgs {
    /// When to use colour.
    #[arg(long, value_enum, value_name = "WHEN", default_value_t = Color::Auto)]
    pub color: Color,

    /// No warnings and no progress; results and errors stay.
    #[arg(short, long, conflicts_with = "verbose")]
    pub quiet: bool,

    /// Complete lists, ignored files, times and rates.
    #[arg(short, long)]
    pub verbose: bool,
}

/// The value of `--color`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Color {
    /// On a terminal, unless `NO_COLOR` is set.
    Auto,
    /// Always.
    Always,
    /// Never.
    Never,
}

/// The value of `--per`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Per {
    /// One row for each tuple of a flow log.
    Tuple,
    /// One row for all packets or tuples of a flow.
    Flow,
    /// One row for each packet of a capture.
    Packet,
}

/// The value of `--format` of `classify`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum ClassifyFormat {
    /// The summary, for people.
    Text,
    /// The summary, for programs.
    Json,
    /// The rows.
    Csv,
    /// The rows.
    Jsonl,
}

/// The value of `--format` of `explain`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum ExplainFormat {
    /// For people.
    Text,
    /// For programs.
    Json,
}

/// The value of `--format` of `routes`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum RoutesFormat {
    /// As az prints it with `-o table`, with the reason added.
    Table,
    /// As az prints it.
    Json,
    /// For spreadsheets.
    Csv,
}

/// The value of `--packet-size`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum PacketSizeName {
    /// 64 bytes, or as long as the headers are.
    #[value(name = "64")]
    Bytes64,
    /// 64, 594 and 1518 bytes as 7 to 4 to 1.
    Imix,
}

/// The value of `--format` of `lint`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum LintFormat {
    /// For people.
    Text,
    /// For programs.
    Json,
}

/// The value of `--format` of `bench`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum BenchFormat {
    /// For people.
    Text,
    /// For programs.
    Json,
}

impl From<Per> for RecordKind {
    fn from(per: Per) -> Self {
        match per {
            Per::Tuple => Self::Tuple,
            Per::Flow => Self::Flow,
            Per::Packet => Self::Packet,
        }
    }
}

impl From<PacketSizeName> for PacketSize {
    fn from(name: PacketSizeName) -> Self {
        match name {
            PacketSizeName::Bytes64 => Self::Bytes64,
            PacketSizeName::Imix => Self::Imix,
        }
    }
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory;

    use super::super::values::SkipLimit;
    use super::*;
    use crate::cli::row_args::TimeUnitName;

    fn parse(line: &str) -> Result<Cli, clap::Error> {
        Cli::try_parse_from(line.split(' '))
    }

    #[test]
    fn the_declaration_is_sound() {
        Cli::command().debug_assert();
    }

    #[test]
    fn defaults_are_those_of_the_contract() {
        let Ok(Cli { command: Command::Classify(args) }) = parse("nexthop classify -r s in.pcap")
        else {
            panic!()
        };
        assert_eq!(args.memory, Size(1 << 30));
        assert_eq!(args.reading.max_skipped, SkipLimit::Records(0));
        assert_eq!(args.reading.decapsulate.0, crate::traffic::capture::Tunnel::DEFAULT);
        assert_eq!(
            (args.reading.threads, args.rows.zstd_level, args.reading.strict),
            (0, 1, false)
        );
        assert_eq!((args.per, args.format), (None, ClassifyFormat::Text));
        assert_eq!(args.rows.time_unit, TimeUnitName::Us);
    }

    #[test]
    fn standard_input_is_an_input() {
        let Ok(Cli { command: Command::Classify(args) }) =
            parse("nexthop classify - -r s --max-skipped 0.5% --per packet")
        else {
            panic!()
        };
        assert_eq!(args.inputs, [PathBuf::from("-")]);
        assert_eq!(args.reading.max_skipped, SkipLimit::Share { percent_millionths: 500_000 });
        assert_eq!(args.per.map(RecordKind::from), Some(RecordKind::Packet));
    }

    #[test]
    fn bad_lines_are_usage_errors() {
        for line in [
            "nexthop",
            "nexthop classify",
            "nexthop classify -r s",
            "nexthop classify in.pcap",
            "nexthop classify -r s in.pcap --format xml",
            "nexthop classify -r s in.pcap --memory 0",
            "nexthop classify -r s in.pcap --zstd-level 23",
            "nexthop classify -r s in.pcap --columns SrcIp,Nope",
            "nexthop classify -r s in.pcap --decapsulate gre,none",
            "nexthop classify -r s in.pcap -q -v",
            "nexthop explain -r s",
            "nexthop explain -r s example.org",
            "nexthop routes",
            "nexthop generate -o new",
            "nexthop generate --seed 1",
            "nexthop generate --seed 1 -o new --nics 0",
            "nexthop generate --seed 1 -o new --ipv6 101",
            "nexthop generate --seed 1 -o new --packets 5 --flows 0",
            "nexthop generate --seed 1 -o new --pcapng",
            "nexthop completions",
            "nexthop bench --rounds 0",
            "nexthop bench --work 0",
            "nexthop bench --tolerance 5",
            "nexthop bench --baseline b --tolerance -1",
            "nexthop bench --baseline b --tolerance x",
            "nexthop bench --format csv",
        ] {
            assert_eq!(parse(line).unwrap_err().exit_code(), 2, "{line}");
        }
        for line in ["nexthop --help", "nexthop classify --help", "nexthop --version"] {
            assert_eq!(parse(line).unwrap_err().exit_code(), 0, "{line}");
        }
    }
}
