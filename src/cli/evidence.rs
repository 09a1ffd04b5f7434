//! Files given by `--evidence` → evidence: firewall logs, and what is a flow log or a capture instead.

use std::io;

use anyhow::{Context, Result, ensure};
use rayon::prelude::*;
use tempfile::NamedTempFile;

use super::input_hashes::InputHashes;
use super::traffic_run::{TrafficRun, assert_balanced, cause_of, open};
use super::verify_args::VerifyArgs;
use crate::classify::ClassifyOptions;
use crate::coverage::{EvidenceSources, FirewallEvidence, FlowGatherer, Places};
use crate::traffic::firewall::FirewallLogReader;
use crate::traffic::{Input, ReadOptions, Tally, TrafficReader};

/// Evidence, and what reading it left to say.
pub(super) struct ReadEvidence {
    pub(super) evidence: FirewallEvidence,
    pub(super) books: EvidenceBooks,
}

/// What became of the records of all files.
#[derive(Default)]
pub(super) struct EvidenceBooks {
    pub(super) tally: Tally,
    pub(super) warnings: Vec<String>,
}

/// Evidence may be a log or traffic, which only a second look tells; so what comes through standard
/// input goes to a file that is gone with the value returned.
pub(super) fn keep_standard_input(
    inputs: &[Input],
    logs: &mut [Input],
) -> Result<Option<NamedTempFile>> {
    let is_standard_input = |input: &Input| input.path.is_none();
    let taken = inputs.iter().chain(&*logs).filter(|input| is_standard_input(input)).count();
    ensure!(taken <= 1, "standard input (-) can be read once, and is asked for {taken} times");
    let Some(log) = logs.iter_mut().find(|log| is_standard_input(log)) else { return Ok(None) };
    let keep = || -> io::Result<NamedTempFile> {
        let mut file = NamedTempFile::new()?;
        io::copy(&mut io::stdin().lock(), &mut file)?;
        Ok(file)
    };
    let kept = keep().context("keeping standard input in a file")?;
    log.path = Some(kept.path().to_owned());
    Ok(Some(kept))
}

/// Reads what firewalls logged and what was recorded at them, to be held against the flows that were
/// gathered; as many files at once as there are threads. A file of a folder that is neither is passed
/// over with a note. Lines take up to `lines_bytes_max` of memory.
pub(super) fn read(
    flows: &FlowGatherer,
    args: &VerifyArgs,
    logs: &[Input],
    run: &TrafficRun<'_>,
    places: &Places,
    lines_bytes_max: usize,
) -> Result<ReadEvidence> {
    let tolerance_ns = i64::from(args.time_tolerance) * 1_000_000_000;
    let mut evidence =
        FirewallEvidence::new(flows, tolerance_ns, lines_bytes_max, run.room.clone());
    let mut books = EvidenceBooks::default();
    let window = args.evidence_window.map(|window| (window.from_ns, window.to_ns));
    // A thread that is done with its file takes the next one of the round, and waits at its end only.
    for round in logs.chunks(LOGS_A_THREAD * rayon::current_num_threads()) {
        let read: Vec<Result<ReadLog>> = round
            .par_iter()
            .with_max_len(1)
            .map(|log| read_log(&evidence, log, window, run.hashes.as_ref()))
            .collect();
        for (log, read) in round.iter().zip(read) {
            let name = log.name.as_str();
            let read = read?;
            // JSON without a firewall's line may be a flow log.
            if !read.has_lines
                && let Some(sources) =
                    read_traffic(&evidence, log, window, run, places, &mut books)?
            {
                evidence.add(sources);
                continue;
            }
            // Other JSON lies about in folders, too.
            let is_strange = !log.is_named && !read.is_of_firewall;
            if !read.is_recognised || is_strange {
                let what = "no firewall log, flow log or capture";
                ensure!(!log.is_named, "{name}: is {what}");
                run.console.note(&format!("{name}: ignored: {what}"));
                continue;
            }
            books.add(name, &read.tally);
            evidence.add(read.sources);
        }
    }
    Ok(ReadEvidence { evidence, books })
}

/// How many files are read in a round, for each thread.
const LOGS_A_THREAD: usize = 64;

/// A file that was read to its end as a firewall log.
struct ReadLog {
    is_recognised: bool,
    is_of_firewall: bool,
    has_lines: bool,
    sources: EvidenceSources,
    tally: Tally,
}

fn read_log(
    evidence: &FirewallEvidence,
    log: &Input,
    window_ns: Option<(i64, i64)>,
    hashes: Option<&InputHashes>,
) -> Result<ReadLog> {
    /// They stay in a cache until they are evidence.
    const RECORDS_A_READ: usize = 256;
    let mut reader = FirewallLogReader::open(open(log, hashes)?);
    let mut gathered = evidence.log(log.name.as_str());
    let mut tally = Tally::default();
    let mut records = Vec::new();
    while reader.read(&mut records, RECORDS_A_READ, &mut tally) {
        records.iter().try_for_each(|record| gathered.add(record))?;
        tally.classified += records.len() as u64;
    }
    tally.bytes_read = reader.bytes_read();
    tally.assert_balanced();
    Ok(ReadLog {
        is_recognised: reader.is_recognised(),
        is_of_firewall: reader.is_of_firewall(),
        has_lines: !gathered.is_empty(),
        sources: gathered.finish(reader.has_category_column(), window_ns)?,
        tally,
    })
}

/// Reads a flow log or a capture that was taken at a firewall; `None` where it is neither.
fn read_traffic(
    evidence: &FirewallEvidence,
    log: &Input,
    window_ns: Option<(i64, i64)>,
    run: &TrafficRun<'_>,
    places: &Places,
    books: &mut EvidenceBooks,
) -> Result<Option<EvidenceSources>> {
    let reader = TrafficReader::open(log.open()?, ReadOptions::default());
    if !reader.looks_like_traffic() {
        return Ok(None);
    }
    drop(reader);
    let name = log.name.as_str();
    let run = TrafficRun {
        inputs: std::slice::from_ref(log),
        hashes: run.hashes.clone(),
        options: ClassifyOptions {
            // The flows of the inputs are in memory, and so are the lines of the logs.
            memory_bytes_max: run.options.memory_bytes_max / 2,
            ..run.options.clone()
        },
        room: run.room.clone(),
        is_progress_shown: false,
        ..*run
    };
    let (summary, traffic) = run.classify(evidence.traffic(name, places)).map_err(cause_of)?;
    assert_balanced(&summary);
    if traffic.is_empty() {
        return Ok(None);
    }
    for input in &summary.inputs {
        books.add(name, &input.tally);
    }
    if traffic.elsewhere() > 0 {
        books.warnings.push(format!(
            "{name}: {} flows were not recorded by a firewall's NIC or subnet, and show nothing",
            traffic.elsewhere()
        ));
    }
    Ok(Some(traffic.finish(window_ns)))
}

impl EvidenceBooks {
    /// Adds the books of a file, and the first places of its damage: what a line would have shown
    /// may be missed for it.
    fn add(&mut self, name: &str, tally: &Tally) {
        const PLACES_SHOWN: usize = 3;
        self.tally.add_counts(tally);
        let damaged = tally.damaged_total();
        if damaged == 0 {
            return;
        }
        let mut warning = format!(
            "{name}: {damaged} of {} records are damaged, and show nothing",
            tally.records_read
        );
        let mut separator = ": ";
        for place in tally.first_damages().iter().take(PLACES_SHOWN) {
            let (damage, detail) = (place.damage.as_str(), &place.detail);
            warning.push_str(&format!("{separator}record {}: {damage}: {detail}", place.record));
            separator = "; ";
        }
        self.warnings.push(warning);
    }
}
