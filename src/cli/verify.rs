//! `nexthop verify`: which recorded flows passed the firewalls that a policy requires.

use std::io::{self, Write};
use std::path::PathBuf;
use std::time::Instant;

use anyhow::{Context, Result};

use super::input_hashes::InputHashes;
use super::traffic_run::{
    TrafficRun, assert_balanced, cause_of, judge_damage, judge_inputs, room, use_threads,
};
use super::verify_args::{VerifyArgs, VerifyFormat};
use super::{Console, ExitCode, evidence, policy, snapshot};
use crate::classify::{ClassifyOptions, RecordKind};
use crate::coverage::{CoverageReport, FlowGatherer, Places, RowKeeper, Verifier};
use crate::report::{
    AtomicFile, Column, RowFormat, RowWriter, SummaryOptions, write_coverage_html,
    write_coverage_json, write_coverage_junit, write_coverage_sarif, write_coverage_text,
};
use crate::spill::SpillRoom;
use crate::traffic::{DecodeOptions, Input, find_inputs};

/// Verifies, reports.
///
/// # Errors
///
/// A bad snapshot or policy, an input or log that cannot be opened, a report that cannot be
/// written.
pub(super) fn run(args: &VerifyArgs, console: Console) -> Result<ExitCode> {
    let started = Instant::now();
    let policy = policy::read(args.policy.as_deref(), &args.require)?;
    let inputs = find_inputs(&args.inputs)?;
    let mut logs = find_inputs(&args.evidence)?;
    let _kept = evidence::keep_standard_input(&inputs, &mut logs)?;
    let threads = use_threads(args.reading.threads)?;
    let loaded = snapshot::load(&args.routes, None)?;
    loaded.warnings.iter().for_each(|warning| console.warning(warning));
    loaded.notes.iter().for_each(|note| console.note(note));
    let memory = MemoryShares::of(args);
    let hashes_read = InputHashes::default();
    let run = TrafficRun {
        fib: &loaded.fib,
        inputs: &inputs,
        hashes: Some(hashes_read.clone()),
        options: ClassifyOptions {
            per: Some(RecordKind::Flow),
            memory_bytes_max: memory.packets,
            threads,
            decode: DecodeOptions { decapsulate: args.reading.decapsulate.0.clone() },
        },
        room: memory.room.clone(),
        is_progress_shown: !args.reading.no_progress && !console.is_quiet,
        console,
    };
    let places = Places::of(&loaded.tables, &loaded.resources);
    let names = inputs.iter().map(|input| &input.name);
    let gatherer = FlowGatherer::new(&places, names, memory.flows, memory.room.clone());
    let verifier = Verifier {
        tables: &loaded.tables,
        fib: &loaded.fib,
        places: &places,
        policy: &policy,
        threads,
        memory_bytes_max: memory.flows,
        room: memory.room.clone(),
    };
    let (summary, mut report, rows, books) = match rows_file(args)? {
        None => {
            let (summary, flows, tuples) = run.classify_apart(gatherer).map_err(cause_of)?;
            assert_balanced(&summary);
            let read = evidence::read(&flows, args, &logs, &run, &places, memory.lines)?;
            (summary, verifier.verify(flows, tuples, read.evidence)?, None, read.books)
        }
        Some(mut writer) => {
            let keeper = RowKeeper::new(gatherer, memory.rows, memory.room.clone());
            let (summary, kept) = run.classify(keeper).map_err(cause_of)?;
            assert_balanced(&summary);
            let read = evidence::read(kept.gatherer(), args, &logs, &run, &places, memory.lines)?;
            let report = verifier.verify_rows(kept, read.evidence, &mut writer)?;
            (summary, report, Some(writer.finish()?), read.books)
        }
    };
    report.warnings.extend(books.warnings);
    report.warnings.extend(loaded.warnings.iter().cloned());
    report.warnings.iter().take(report.warnings.len() - loaded.warnings.len()).for_each(
        |warning| {
            console.warning(warning);
        },
    );
    report.shows_percentages =
        args.accept_damage || summary.total.damaged_total() * 1000 <= summary.total.records_read;
    let of_inputs = judge_inputs(&summary, args.reading.max_skipped, args.reading.strict, console);
    let of_evidence = judge_damage(
        &books.tally,
        "evidence ",
        args.reading.max_skipped,
        args.reading.strict,
        console,
    );
    let code = of_inputs.worst(of_evidence);
    report.inputs = summary.inputs;
    report.total = summary.total;
    report.hashes = hashes(args, &inputs, &logs, &hashes_read)?;
    if let Some(rows) = rows
        && code != ExitCode::NoInput
    {
        rows.commit()?;
    }
    publish(args, &report)?;
    print(args, &report, console)?;
    console.note(&format!("{:.3} s", started.elapsed().as_secs_f64()));
    Ok(if report.passes() { code } else { code.worst(ExitCode::Findings) })
}

/// What of `--memory` each may have, and the room in which they have it.
struct MemoryShares {
    room: SpillRoom,
    /// The flows of captures; the tuples of logs have what the room has.
    packets: usize,
    flows: usize,
    rows: usize,
    lines: usize,
}

impl MemoryShares {
    /// What waits shares one bound, and so do the flows of captures as they are gathered. The lines of
    /// logs come beside the tuples; what waits of the flows takes what the tuples give up. Kept rows, verdicts on them, and the links between them stay until the
    /// end, when rows are encoded by groups: so nothing may have it all, and a quarter is left to the
    /// groups.
    fn of(args: &VerifyArgs) -> Self {
        let bytes_max = Self::waiting(args.memory.0);
        if args.output.is_none() {
            let room = room().with_memory(bytes_max);
            let packets = args.memory.0 / 2;
            return Self { room, packets, flows: bytes_max, rows: 0, lines: bytes_max };
        }
        let bytes_max = bytes_max / 4 * 3;
        Self {
            room: room().with_memory(bytes_max),
            packets: bytes_max / 2,
            flows: bytes_max / 2,
            rows: bytes_max / 4,
            lines: bytes_max / 4,
        }
    }

    /// What may wait, beside chunks, partitions that are worked on, findings and the report, which
    /// hardly grow with the traffic.
    fn waiting(bytes_max: usize) -> usize {
        const BESIDE_BYTES: usize = 256 << 20;
        (bytes_max / 2).max((bytes_max / 4 * 3).min(bytes_max.saturating_sub(BESIDE_BYTES)))
    }
}

fn rows_file(args: &VerifyArgs) -> Result<Option<RowWriter<AtomicFile>>> {
    let Some(path) = &args.output else { return Ok(None) };
    let columns =
        args.columns.as_ref().map_or_else(|| Column::OF_VERIFY.to_vec(), |list| list.0.clone());
    let format = RowFormat::of_path(path)?;
    Ok(Some(RowWriter::new(format, &args.rows.options(columns), AtomicFile::create(path)?)?))
}

/// The SHA-256 of every file that had a say. Standard input cannot be read twice.
fn hashes(
    args: &VerifyArgs,
    inputs: &[Input],
    logs: &[Input],
    read: &InputHashes,
) -> Result<Vec<(String, String)>> {
    let snapshot = find_inputs(std::slice::from_ref(&args.routes))?;
    read.of_all(&[inputs, logs, &snapshot], args.policy.as_deref())
}

type WriteReport = fn(&CoverageReport, &mut dyn Write) -> io::Result<()>;

fn publish(args: &VerifyArgs, report: &CoverageReport) -> Result<()> {
    let files: [(&Option<PathBuf>, WriteReport); 4] = [
        (&args.html, write_coverage_html),
        (&args.sarif, write_coverage_sarif),
        (&args.junit, write_coverage_junit),
        (&args.json, write_coverage_json),
    ];
    for (path, write) in files {
        let Some(path) = path else { continue };
        let mut file = AtomicFile::create(path)?;
        write(report, &mut file).with_context(|| path.display().to_string())?;
        file.commit()?;
    }
    Ok(())
}

fn print(args: &VerifyArgs, report: &CoverageReport, console: Console) -> Result<()> {
    let mut page = Vec::new();
    match args.format {
        VerifyFormat::Json => write_coverage_json(report, &mut page)?,
        VerifyFormat::Text => {
            let options = SummaryOptions {
                is_coloured: console.is_coloured,
                is_complete: console.is_verbose,
            };
            write_coverage_text(report, options, &mut page)?;
        }
    }
    console.print(&page)
}
