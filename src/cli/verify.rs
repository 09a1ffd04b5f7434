//! `nexthop verify`: which recorded flows passed the firewalls that a policy requires.

use std::fs;
use std::io::{self, Write};
use std::path::PathBuf;
use std::time::Instant;

use anyhow::{Context, Result, ensure};
use rayon::prelude::*;

use super::input_hashes::InputHashes;
use super::traffic_run::{TrafficRun, assert_balanced, judge_inputs, open, room, use_threads};
use super::verify_args::{VerifyArgs, VerifyFormat};
use super::{Console, ExitCode, snapshot};
use crate::classify::{ClassifyOptions, RecordKind};
use crate::coverage::{
    BuiltIn, CoverageReport, FirewallEvidence, FirewallLogEvidence, FirewallTrafficEvidence,
    FlowGatherer, Places, Policy, RowKeeper, Verifier,
};
use crate::report::{
    AtomicFile, Column, RowFormat, RowOptions, RowWriter, SummaryOptions, write_coverage_html,
    write_coverage_json, write_coverage_junit, write_coverage_sarif, write_coverage_text,
};
use crate::traffic::firewall::FirewallLogReader;
use crate::traffic::{DecodeOptions, Input, ReadOptions, Tally, TrafficReader, find_inputs};

/// Verifies, reports.
///
/// # Errors
///
/// A bad snapshot or policy, an input or log that cannot be opened, a report that cannot be
/// written.
pub(super) fn run(args: &VerifyArgs, console: Console) -> Result<ExitCode> {
    let started = Instant::now();
    let policy = policy(args)?;
    let inputs = find_inputs(&args.inputs)?;
    let logs = find_inputs(&args.evidence)?;
    let threads = use_threads(args.threads)?;
    let loaded = snapshot::load(&args.routes, None)?;
    loaded.warnings.iter().for_each(|warning| console.warning(warning));
    loaded.notes.iter().for_each(|note| console.note(note));
    let hashes_read = InputHashes::default();
    let run = TrafficRun {
        fib: &loaded.fib,
        inputs: &inputs,
        hashes: Some(hashes_read.clone()),
        // Tuples give their memory up as they are merged into flows; kept rows need theirs from the
        // beginning.
        tuple_bytes_max: args.output.is_none().then_some(args.memory.0 / 4 * 3),
        options: ClassifyOptions {
            per: Some(RecordKind::Flow),
            memory_bytes_max: args.memory.0 / 2,
            threads,
            decode: DecodeOptions { decapsulate: args.decapsulate.0.clone() },
        },
        is_progress_shown: !args.no_progress && !console.is_quiet,
        console,
    };
    let places = Places::of(&loaded.tables, &loaded.resources);
    // While tuples are merged into flows, both are in memory.
    let memory_bytes_max = args.memory.0 / 2;
    let names = inputs.iter().map(|input| &input.name);
    let gatherer = FlowGatherer::new(&places, names, memory_bytes_max, room());
    let verifier = Verifier {
        tables: &loaded.tables,
        fib: &loaded.fib,
        places: &places,
        policy: &policy,
        threads,
        memory_bytes_max,
        room: room(),
    };
    let (summary, mut report, rows) = match rows_file(args)? {
        None => {
            let (summary, flows) = run.classify(gatherer).map_err(anyhow::Error::from)?;
            assert_balanced(&summary);
            let evidence = evidence(&flows, args, &logs, &run, &places)?;
            (summary, verifier.verify(flows, evidence)?, None)
        }
        Some(mut writer) => {
            let keeper = RowKeeper::new(gatherer, memory_bytes_max, room());
            let (summary, kept) = run.classify(keeper).map_err(anyhow::Error::from)?;
            assert_balanced(&summary);
            let evidence = evidence(kept.gatherer(), args, &logs, &run, &places)?;
            let report = verifier.verify_rows(kept, evidence, &mut writer)?;
            (summary, report, Some(writer.finish()?))
        }
    };
    report.warnings.extend(loaded.warnings.iter().cloned());
    report.warnings.iter().take(report.warnings.len() - loaded.warnings.len()).for_each(
        |warning| {
            console.warning(warning);
        },
    );
    report.shows_percentages =
        args.accept_damage || summary.total.damaged_total() * 1000 <= summary.total.records_read;
    let code = judge_inputs(&summary, args.max_skipped, args.strict, console);
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

fn rows_file(args: &VerifyArgs) -> Result<Option<RowWriter<AtomicFile>>> {
    let Some(path) = &args.output else { return Ok(None) };
    let columns =
        args.columns.as_ref().map_or_else(|| Column::OF_VERIFY.to_vec(), |list| list.0.clone());
    let options = RowOptions {
        columns,
        time_unit: args.time_unit.into(),
        csv_raw: args.csv_raw,
        zstd_level: args.zstd_level,
    };
    let format = RowFormat::of_path(path)?;
    Ok(Some(RowWriter::new(format, &options, AtomicFile::create(path)?)?))
}

fn policy(args: &VerifyArgs) -> Result<Policy> {
    let mut policy = match &args.policy {
        None => Policy::default(),
        Some(path) => {
            let shown = || path.display().to_string();
            let text = fs::read_to_string(path).with_context(shown)?;
            Policy::parse(&text).with_context(shown)?
        }
    };
    for name in &args.require {
        policy.rules.push(BuiltIn::rules(name)?);
    }
    ensure!(!policy.rules.is_empty(), "the policy requires nothing: it has no [[require]]");
    Ok(policy)
}

/// Reads what the firewalls logged, to be held against the flows that were gathered.
fn evidence(
    flows: &FlowGatherer,
    args: &VerifyArgs,
    logs: &[Input],
    run: &TrafficRun<'_>,
    places: &Places,
) -> Result<FirewallEvidence> {
    let tolerance_ns = i64::from(args.time_tolerance) * 1_000_000_000;
    // The tuples are gone by now.
    let lines_bytes_max = args.memory.0 / 4;
    let mut evidence = FirewallEvidence::new(flows, tolerance_ns, lines_bytes_max, room());
    add_evidence(&mut evidence, args, logs, run, places)?;
    Ok(evidence)
}

/// Reads every firewall log, as many at once as there are threads, and what is a flow log or a
/// capture instead. A file of a folder that is neither is passed over with a note.
fn add_evidence(
    evidence: &mut FirewallEvidence,
    args: &VerifyArgs,
    logs: &[Input],
    run: &TrafficRun<'_>,
    places: &Places,
) -> Result<()> {
    let window = args.evidence_window.map(|window| (window.from_ns, window.to_ns));
    for round in logs.chunks(rayon::current_num_threads()) {
        let read: Vec<Result<ReadLog>> =
            round.par_iter().map(|log| read_log(log, run.hashes.as_ref())).collect();
        for (log, read) in round.iter().zip(read) {
            let name = log.name.as_str();
            let read = read?;
            // JSON without a firewall's line may be a flow log.
            if read.gathered.is_empty()
                && let Some(traffic) = traffic_evidence(log, run, places)?
            {
                evidence.add_traffic(traffic, window)?;
                continue;
            }
            if !read.is_recognised {
                let what = "no firewall log, flow log or capture";
                ensure!(!log.is_named, "{name}: is {what}");
                run.console.note(&format!("{name}: ignored: {what}"));
                continue;
            }
            if read.tally.damaged_total() > 0 {
                run.console.warning(&format!(
                    "{name}: {} of {} records are damaged, and show nothing",
                    read.tally.damaged_total(),
                    read.tally.records_read
                ));
            }
            evidence.add(read.gathered, read.covers_every_category, window)?;
        }
    }
    Ok(())
}

/// A file that was read to its end as a firewall log.
struct ReadLog {
    is_recognised: bool,
    gathered: FirewallLogEvidence,
    tally: Tally,
    covers_every_category: bool,
}

fn read_log(log: &Input, hashes: Option<&InputHashes>) -> Result<ReadLog> {
    const RECORDS_A_READ: usize = 4096;
    let mut reader = FirewallLogReader::open(open(log, hashes)?);
    let mut gathered = FirewallLogEvidence::new(log.name.as_str());
    let mut tally = Tally::default();
    let mut records = Vec::new();
    while reader.read(&mut records, RECORDS_A_READ, &mut tally) {
        records.iter().for_each(|record| gathered.add(record));
    }
    Ok(ReadLog {
        is_recognised: reader.is_recognised(),
        gathered,
        tally,
        covers_every_category: reader.has_category_column(),
    })
}

/// Reads a flow log or a capture that was taken at a firewall; `None` where it is neither.
fn traffic_evidence(
    log: &Input,
    run: &TrafficRun<'_>,
    places: &Places,
) -> Result<Option<FirewallTrafficEvidence>> {
    let reader = TrafficReader::open(log.open()?, ReadOptions::default());
    if log.path.is_none() || !reader.looks_like_traffic() {
        return Ok(None);
    }
    drop(reader);
    let name = log.name.as_str();
    let run = TrafficRun {
        inputs: std::slice::from_ref(log),
        hashes: run.hashes.clone(),
        tuple_bytes_max: None,
        options: run.options.clone(),
        is_progress_shown: false,
        ..*run
    };
    let sink = FirewallTrafficEvidence::new(name, places);
    let (summary, traffic) = run.classify(sink).map_err(anyhow::Error::from)?;
    let damaged = summary.total.damaged_total();
    if traffic.is_empty() {
        return Ok(None);
    }
    if damaged > 0 {
        run.console.warning(&format!(
            "{name}: {damaged} of {} records are damaged, and show nothing",
            summary.total.records_read
        ));
    }
    if traffic.elsewhere() > 0 {
        run.console.warning(&format!(
            "{name}: {} flows were not recorded by a firewall's NIC or subnet, and show nothing",
            traffic.elsewhere()
        ));
    }
    Ok(Some(traffic))
}

/// The SHA-256 of every file that had a say. Standard input cannot be read twice.
fn hashes(
    args: &VerifyArgs,
    inputs: &[Input],
    logs: &[Input],
    read: &InputHashes,
) -> Result<Vec<(String, String)>> {
    let snapshot = find_inputs(std::slice::from_ref(&args.routes))?;
    let policy: Vec<(String, PathBuf)> =
        args.policy.iter().map(|path| (path.display().to_string(), path.clone())).collect();
    let files = [inputs, logs, &snapshot].into_iter().flatten().filter_map(|input| {
        input.path.as_ref().map(|path| (input.name.as_str().to_owned(), path.clone()))
    });
    let files: Vec<(String, PathBuf)> = files.chain(policy).collect();
    files
        .into_par_iter()
        .map(|(name, path)| {
            let hash = read.of(&path).with_context(|| name.clone())?;
            Ok((name, hash))
        })
        .collect()
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
