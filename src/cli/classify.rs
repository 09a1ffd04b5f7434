//! `nexthop classify`: recorded traffic and a snapshot in, labelled rows and their sums out.

use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::time::Instant;

use anyhow::{Result, bail};

use super::args::{ClassifyArgs, ClassifyFormat};
use super::console::Console;
use super::traffic_run::{
    TrafficRun, TrafficRunError, assert_balanced, find_inputs_beside, judge_inputs, room,
    use_threads,
};
use super::{ExitCode, OutputFailed, snapshot};
use crate::classify::{ClassifyOptions, NoRows, RecordKind, Summary};
use crate::report::{
    AtomicFile, Column, RowFormat, RowOptions, RowWriter, SummaryOptions, write_classify_json,
    write_classify_text,
};
use crate::traffic::DecodeOptions;

/// Classifies, publishes, reports.
///
/// Nothing is published before the books are seen to balance; a report is printed even where the
/// exit code says that much was damaged.
pub(super) fn run(args: &ClassifyArgs, console: Console) -> Result<ExitCode> {
    let started = Instant::now();
    let rows = Rows::of(args)?;
    let inputs = find_inputs_beside(&args.inputs, args.output.as_deref(), console)?;
    let threads = use_threads(args.reading.threads)?;
    let loaded = snapshot::load(&args.routes, args.from.as_deref())?;
    for warning in &loaded.warnings {
        console.warning(warning);
    }
    let run = TrafficRun {
        fib: &loaded.fib,
        inputs: &inputs,
        hashes: None,
        options: ClassifyOptions {
            per: args.per.map(RecordKind::from),
            memory_bytes_max: args.memory.0,
            threads,
            decode: DecodeOptions { decapsulate: args.reading.decapsulate.0.clone() },
        },
        room: room(),
        is_progress_shown: !args.reading.no_progress && !console.is_quiet,
        console,
    };
    let failed = |error| match error {
        TrafficRunError::Open(error) => error.into(),
        TrafficRunError::Rows(error) => output_failed(args, error),
    };
    let (summary, destination) = match rows.open(args)? {
        None => (run.classify(NoRows).map_err(failed)?.0, None),
        Some(writer) => {
            let (summary, writer) = run.classify(writer).map_err(failed)?;
            (summary, Some(writer.finish().map_err(|error| output_failed(args, error))?))
        }
    };
    assert_balanced(&summary);
    let code = judge_inputs(&summary, args.reading.max_skipped, args.reading.strict, console);
    if let Some(destination) = destination
        && code != ExitCode::NoInput
    {
        destination.publish()?;
    }
    print_summary(&summary, args.format, console)?;
    console.note(&speed(&summary, started));
    Ok(code)
}

/// Where rows go, as far as the arguments tell.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Rows {
    Nowhere,
    File { path: PathBuf, format: RowFormat },
    StandardOutput { format: RowFormat },
}

/// Where rows go.
#[derive(Debug)]
enum Destination {
    File(AtomicFile),
    StandardOutput(io::Stdout),
}

impl Rows {
    fn of(args: &ClassifyArgs) -> Result<Self> {
        let printed = match args.format {
            ClassifyFormat::Text | ClassifyFormat::Json => None,
            ClassifyFormat::Csv => Some(RowFormat::Csv),
            ClassifyFormat::Jsonl => Some(RowFormat::Jsonl),
        };
        Ok(match (&args.output, printed) {
            (None, None) => Self::Nowhere,
            (None, Some(format)) => Self::StandardOutput { format },
            (Some(path), None) => {
                Self::File { path: path.clone(), format: RowFormat::of_path(path)? }
            }
            (Some(path), Some(_)) => bail!(
                "{}: rows go to a file (--output) or are printed (--format csv or jsonl), not both",
                path.display()
            ),
        })
    }

    fn open(self, args: &ClassifyArgs) -> Result<Option<RowWriter<Destination>>> {
        let (format, destination) = match self {
            Self::Nowhere => return Ok(None),
            Self::File { path, format } => (format, Destination::File(AtomicFile::create(&path)?)),
            Self::StandardOutput { format } => (format, Destination::StandardOutput(io::stdout())),
        };
        let writer = RowWriter::new(format, &row_options(args), destination);
        writer.map(Some).map_err(|error| output_failed(args, error))
    }
}

impl Destination {
    /// Makes the rows visible at their place.
    fn publish(self) -> Result<()> {
        match self {
            Self::File(file) => Ok(file.commit()?),
            Self::StandardOutput(_) => Ok(()),
        }
    }
}

impl Write for Destination {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        match self {
            Self::File(file) => file.write(bytes),
            Self::StandardOutput(out) => out.write(bytes),
        }
    }

    fn flush(&mut self) -> io::Result<()> {
        match self {
            Self::File(file) => file.flush(),
            Self::StandardOutput(out) => out.flush(),
        }
    }
}

fn row_options(args: &ClassifyArgs) -> RowOptions {
    args.rows
        .options(args.columns.as_ref().map_or_else(|| Column::ALL.to_vec(), |list| list.0.clone()))
}

/// Names the output that an error is about.
fn output_failed(args: &ClassifyArgs, error: io::Error) -> anyhow::Error {
    let name = args
        .output
        .as_deref()
        .map_or_else(|| "standard output".to_owned(), |path: &Path| path.display().to_string());
    anyhow::Error::new(error).context(OutputFailed { name })
}

/// Prints the summary where rows do not go: to standard output, or with `--verbose` beside the rows
/// to standard error.
fn print_summary(summary: &Summary, format: ClassifyFormat, console: Console) -> Result<()> {
    let options =
        SummaryOptions { is_coloured: console.is_coloured, is_complete: console.is_verbose };
    let mut page = Vec::new();
    match format {
        ClassifyFormat::Text => write_classify_text(summary, options, &mut page)?,
        ClassifyFormat::Json => write_classify_json(summary, &mut page)?,
        ClassifyFormat::Csv | ClassifyFormat::Jsonl => {
            if console.is_verbose {
                let options = SummaryOptions { is_coloured: false, ..options };
                write_classify_text(summary, options, &mut page)?;
                let _ = io::stderr().lock().write_all(&page);
            }
            return Ok(());
        }
    }
    console.print(&page)
}

fn speed(summary: &Summary, started: Instant) -> String {
    let seconds = started.elapsed().as_secs_f64();
    let (records, bytes) = (summary.total.records_read, summary.total.bytes_read);
    format!(
        "{records} records, {bytes} bytes in {seconds:.3} s: {:.0} records/s, {:.1} MiB/s",
        records as f64 / seconds,
        bytes as f64 / seconds / f64::from(1 << 20),
    )
}

#[cfg(test)]
mod tests {
    use clap::Parser;

    use super::*;
    use crate::classify::InputSummary;
    use crate::cli::{Cli, Command};
    use crate::traffic::{Damage, InputName, Tally};

    fn args(line: &str) -> ClassifyArgs {
        let line = format!("nexthop classify -r snapshot in.pcap {line}");
        match Cli::try_parse_from(line.split_whitespace()).map(|cli| cli.command) {
            Ok(Command::Classify(args)) => *args,
            other => panic!("{other:?}"),
        }
    }

    fn quiet() -> Console {
        Console { is_coloured: false, is_quiet: true, is_verbose: false }
    }

    fn summary(damaged: u64, read: u64, is_recognised: bool) -> Summary {
        let mut tally = Tally::default();
        tally.records_read = read;
        tally.classified = read - damaged;
        for record in 1..=damaged {
            tally.count_damage(Damage::Truncated, record, 0, String::new);
        }
        let name = InputName::new("in.pcap");
        let input = InputSummary { name, format: None, is_recognised, tally: tally.clone() };
        Summary { inputs: vec![input], total: tally, ..Summary::default() }
    }

    #[test]
    fn damage_counts_against_the_limit() {
        for (line, damaged, read, want) in [
            ("", 0, 10, ExitCode::Success),
            ("", 0, 0, ExitCode::Success),
            ("", 1, 10, ExitCode::Damaged),
            ("--max-skipped 1", 1, 10, ExitCode::Success),
            ("--max-skipped 1", 2, 10, ExitCode::Damaged),
            ("--max-skipped 10%", 1, 10, ExitCode::Success),
            ("--max-skipped 10%", 2, 10, ExitCode::Damaged),
            ("--max-skipped 10% --strict", 1, 10, ExitCode::Damaged),
            ("--max-skipped 10% --strict", 0, 10, ExitCode::Success),
        ] {
            let args = args(line);
            let summary = summary(damaged, read, true);
            let code =
                judge_inputs(&summary, args.reading.max_skipped, args.reading.strict, quiet());
            assert_eq!(code, want, "{line} {damaged}/{read}");
        }
    }

    #[test]
    fn no_usable_input_is_worse_than_damage() {
        assert_eq!(
            judge_inputs(&summary(1, 1, false), args("").reading.max_skipped, false, quiet()),
            ExitCode::NoInput
        );
        assert_eq!(
            judge_inputs(&Summary::default(), args("").reading.max_skipped, false, quiet()),
            ExitCode::NoInput
        );
    }

    #[test]
    #[should_panic(expected = "the books do not balance")]
    fn a_lost_record_stops_the_run() {
        let mut summary = summary(0, 5, true);
        summary.inputs[0].tally.classified = 4;
        assert_balanced(&summary);
    }

    #[test]
    fn rows_go_to_one_place() {
        assert_eq!(Rows::of(&args("")).unwrap(), Rows::Nowhere);
        assert_eq!(Rows::of(&args("--format json")).unwrap(), Rows::Nowhere);
        assert_eq!(
            Rows::of(&args("--format jsonl")).unwrap(),
            Rows::StandardOutput { format: RowFormat::Jsonl }
        );
        assert_eq!(
            Rows::of(&args("--format json -o rows.csv")).unwrap(),
            Rows::File { path: "rows.csv".into(), format: RowFormat::Csv }
        );
        assert!(Rows::of(&args("-o rows.xlsx")).is_err());
        assert!(Rows::of(&args("-o rows.csv --format csv")).is_err());
    }
}
