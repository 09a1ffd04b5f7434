//! `nexthop replay`: what a route change, or a moved target, does to recorded traffic.

use std::path::Path;
use std::time::Instant;

use anyhow::{Context, Result, ensure};

use super::args::Per;
use super::input_hashes::InputHashes;
use super::replay_args::{ReplayArgs, ReplayFormat};
use super::snapshot::{self, Loaded};
use super::traffic_run::{
    TrafficRun, assert_balanced, cause_of, find_inputs_beside, judge_inputs, room, use_threads,
};
use super::{Console, ExitCode, policy};
use crate::classify::{ClassifyOptions, NoRows, RecordKind, RowSink};
use crate::coverage::{Places, Policy};
use crate::replay::{
    DestinationMap, ReplayOptions, ReplayReport, ReplayedPolicy, ReplayedSnapshot, Replayer,
    Snapshots, VerdictChanges,
};
use crate::report::{
    AtomicFile, Column, RowFormat, RowWriter, SummaryOptions, write_replay_json, write_replay_text,
};
use crate::traffic::{DecodeOptions, find_inputs};

/// Replays, reports.
///
/// # Errors
///
/// A bad snapshot or map, an input that cannot be opened, rows that cannot be written.
pub(super) fn run(args: &ReplayArgs, console: Console) -> Result<ExitCode> {
    let started = Instant::now();
    let moves = moves(args)?;
    let policy = policy(args)?;
    let inputs = find_inputs_beside(&args.inputs, args.output.as_deref(), console)?;
    let threads = use_threads(args.reading.threads)?;
    let before = load("--before", &args.before, args, console)?;
    let after = load("--after", &args.after, args, console)?;
    let snapshots = Snapshots {
        before: ReplayedSnapshot { tables: &before.tables, fib: &before.fib },
        after: ReplayedSnapshot { tables: &after.tables, fib: &after.fib },
        moves: &moves,
    };
    let places = policy.as_ref().map(|_| {
        [Places::of(&before.tables, &before.resources), Places::of(&after.tables, &after.resources)]
    });
    let judged = policy
        .as_ref()
        .zip(places.as_ref())
        .map(|(policy, [before, after])| ReplayedPolicy { policy, before, after, threads });
    let hashes = InputHashes::default();
    let run = TrafficRun {
        fib: &before.fib,
        inputs: &inputs,
        hashes: Some(hashes.clone()),
        options: ClassifyOptions {
            per: match policy {
                Some(_) => Some(RecordKind::Flow),
                None => args.per.map(RecordKind::from),
            },
            memory_bytes_max: args.memory.0 / 2,
            threads,
            decode: DecodeOptions { decapsulate: args.reading.decapsulate.0.clone() },
        },
        room: room(),
        is_progress_shown: !args.reading.no_progress && !console.is_quiet,
        console,
    };
    let (mut report, rows) = match rows_file(args)? {
        None => (replay(&run, snapshots, judged, args, NoRows)?.0, None),
        Some(writer) => {
            let (report, writer) = replay(&run, snapshots, judged, args, writer)?;
            (report, Some(writer.finish()?))
        }
    };
    let code =
        judge_inputs(&report.summary, args.reading.max_skipped, args.reading.strict, console);
    if let Some(rows) = rows
        && code != ExitCode::NoInput
    {
        rows.commit()?;
    }
    say_warnings(&report, console);
    let [before, after] =
        [&args.before, &args.after].map(|path| find_inputs(std::slice::from_ref(path)));
    report.hashes = hashes.of_all(&[&inputs, &before?, &after?], args.policy.as_deref())?;
    let fails = fails(args, &report);
    print(report, args.format, console)?;
    console.note(&format!("{:.3} s", started.elapsed().as_secs_f64()));
    Ok(if fails { code.worst(ExitCode::Findings) } else { code })
}

fn replay<'r, S: RowSink>(
    run: &TrafficRun<'_>,
    snapshots: Snapshots<'r>,
    policy: Option<ReplayedPolicy<'r>>,
    args: &ReplayArgs,
    sink: S,
) -> Result<(ReplayReport<'r>, S)> {
    let options = ReplayOptions { memory_bytes_max: args.memory.0 / 2, room: room() };
    let names = run.inputs.iter().map(|input| &input.name);
    let replayer = Replayer::new(snapshots, names, options, policy, sink);
    let (summary, replayer) = run.classify(replayer).map_err(cause_of)?;
    assert_balanced(&summary);
    Ok(replayer.finish(summary)?)
}

/// Warnings of both verifications: a selector may hold nothing after the change.
fn say_warnings(report: &ReplayReport<'_>, console: Console) {
    let Some(verdicts) = &report.verdicts else { return };
    for (option, side) in [("--before", &verdicts.before), ("--after", &verdicts.after)] {
        side.warnings.iter().for_each(|warning| console.warning(&format!("{option}: {warning}")));
    }
}

fn fails(args: &ReplayArgs, report: &ReplayReport<'_>) -> bool {
    let verdicts = report.verdicts.as_ref();
    let changes = report.changed.flows > 0
        || report.way_back.flows > 0
        || verdicts.is_some_and(|verdicts| !verdicts.changes.is_empty());
    args.fail_on_change && changes
        || args.fail_on_new_findings && verdicts.is_some_and(VerdictChanges::has_new_findings)
}

fn policy(args: &ReplayArgs) -> Result<Option<Policy>> {
    if args.policy.is_none() && args.require.is_empty() {
        ensure!(!args.fail_on_new_findings, "--fail-on-new-findings needs --policy or --require");
        return Ok(None);
    }
    ensure!(
        matches!(args.per, None | Some(Per::Flow)),
        "a policy judges flows: leave --per out with --policy or --require"
    );
    policy::read(args.policy.as_deref(), &args.require).map(Some)
}

/// Loads one of the snapshots; whatever is said of it tells which.
fn load(option: &'static str, path: &Path, args: &ReplayArgs, console: Console) -> Result<Loaded> {
    let loaded = snapshot::load(path, args.from.as_deref()).context(option)?;
    loaded.warnings.iter().for_each(|warning| console.warning(&format!("{option}: {warning}")));
    loaded.notes.iter().for_each(|note| console.note(&format!("{option}: {note}")));
    Ok(loaded)
}

fn moves(args: &ReplayArgs) -> Result<DestinationMap> {
    ensure!(
        args.map_destination.is_empty() || args.per != Some(Per::Packet),
        "--map-destination needs flows: a packet does not tell whether it is an answer (--per packet)"
    );
    DestinationMap::new(args.map_destination.clone()).context("--map-destination")
}

fn rows_file(args: &ReplayArgs) -> Result<Option<RowWriter<AtomicFile>>> {
    let Some(path) = &args.output else { return Ok(None) };
    let columns =
        args.columns.as_ref().map_or_else(|| Column::OF_REPLAY.to_vec(), |list| list.0.clone());
    let format = RowFormat::of_path(path)?;
    Ok(Some(RowWriter::new(format, &args.rows.options(columns), AtomicFile::create(path)?)?))
}

fn print(report: ReplayReport<'_>, format: ReplayFormat, console: Console) -> Result<()> {
    let options =
        SummaryOptions { is_coloured: console.is_coloured, is_complete: console.is_verbose };
    console.stream(|out| match format {
        ReplayFormat::Json => write_replay_json(report, out),
        ReplayFormat::Text => write_replay_text(report, options, out),
    })
}
