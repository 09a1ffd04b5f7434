//! `nexthop bench`.

use anyhow::{Context, Result};

use super::args::{BenchArgs, BenchFormat};
use super::bench_work::{Job, Work};
use super::{Console, ExitCode};
use crate::report::{BenchReport, Machine, Measurement, write_bench_json, write_bench_text};

/// Measures generated work in rounds, and holds the fastest of them against those of a baseline.
///
/// # Errors
///
/// A baseline that cannot be read, or is of other work.
pub(super) fn run(args: &BenchArgs, console: &Console) -> Result<ExitCode> {
    let threads = match args.threads {
        0 => std::thread::available_parallelism().map_or(1, usize::from),
        threads => threads,
    };
    // Before the work, which takes long.
    let baseline = args.baseline.as_deref().map(|path| -> Result<_> {
        let place = || path.display().to_string();
        let baseline = std::fs::read(path)
            .map_err(anyhow::Error::new)
            .and_then(|json| Ok(BenchReport::read(&json)?))
            .with_context(place)?;
        BenchReport::check_settings(&baseline, args.work, threads).with_context(place)?;
        Ok(baseline)
    });
    let baseline = baseline.transpose()?;

    console.note("generating the work");
    let work = Work::generate(args.work, threads)?;
    let mut jobs = work.jobs();
    let least_per_second =
        |name: &str| baseline.as_ref()?.least_per_second(name, args.tolerance.percent());
    let mut report = BenchReport {
        schema: 1,
        version: env!("CARGO_PKG_VERSION").to_owned(),
        machine: Machine {
            processor: processor(),
            core_count: std::thread::available_parallelism().map_or(1, usize::from),
            lookup_instructions: crate::lpm::instructions().to_owned(),
        },
        work_percent: args.work,
        threads,
        rounds: args.rounds,
        measurements: measure(&mut jobs, args.rounds, least_per_second, console),
    };
    if let (Some(baseline), Some(path)) = (&baseline, &args.baseline) {
        report
            .compare(baseline, args.tolerance.percent())
            .with_context(|| path.display().to_string())?;
    }
    let out = &mut Vec::new();
    match args.format {
        BenchFormat::Text => write_bench_text(out, &report, console.is_coloured)?,
        BenchFormat::Json => write_bench_json(out, &report)?,
    }
    console.print(out)?;
    Ok(if report.slower_count() > 0 { ExitCode::Findings } else { ExitCode::Success })
}

/// How many times the rounds are taken again for what looks slower than tolerated.
const AGAIN: u32 = 4;

/// Takes the jobs in turn, round after round, so that a slow minute of the machine meets all of
/// them. Of the passes of a round the fastest counts: what else runs on the machine only ever makes
/// one slower.
///
/// For the same reason a job below the speed that `least_per_second` tells for its name gets more
/// rounds, until one is fast enough or there were [`AGAIN`] times as many: chance makes no program
/// faster than it is, and what is slower for certain stays so.
fn measure(
    jobs: &mut [Job<'_>],
    rounds: u32,
    least_per_second: impl Fn(&str) -> Option<f64>,
    console: &Console,
) -> Vec<Measurement> {
    let mut speeds = vec![Vec::new(); jobs.len()];
    // A first round warms caches, and is not counted.
    for round in 0..=rounds {
        console.note(&format!("round {round} of {rounds}"));
        for (job, speeds) in jobs.iter_mut().zip(&mut speeds) {
            let speed = fastest_of_round(job);
            if round > 0 {
                speeds.push(speed);
            }
        }
    }
    for round in 1..=rounds * AGAIN {
        let looks_slower = |job: &Job<'_>, speeds: &[f64]| {
            let least = least_per_second(job.name);
            least.is_some_and(|least| speeds.iter().all(|&speed| speed < least))
        };
        let slower: Vec<_> = jobs
            .iter_mut()
            .zip(&mut speeds)
            .filter(|(job, speeds)| looks_slower(job, speeds))
            .collect();
        if slower.is_empty() {
            break;
        }
        console.note(&format!(
            "{} look slower: round {round} of {} more",
            slower.len(),
            rounds * AGAIN
        ));
        for (job, speeds) in slower {
            speeds.push(fastest_of_round(job));
        }
    }
    let measurement = |(job, mut speeds): (&Job<'_>, Vec<f64>)| {
        speeds.sort_by(f64::total_cmp);
        Measurement {
            name: job.name.to_owned(),
            of: job.of.to_owned(),
            count: job.count,
            checksum: format!("{:016x}", job.checksum),
            per_second: speeds[speeds.len() / 2],
            per_second_min: speeds[0],
            per_second_max: speeds[speeds.len() - 1],
            baseline_per_second: None,
            change_percent: None,
            is_slower: false,
        }
    };
    jobs.iter().zip(speeds).map(measurement).collect()
}

/// Returns how many a second the fastest pass of one round did.
fn fastest_of_round(job: &mut Job<'_>) -> f64 {
    let fastest = (0..job.pass_count).map(|_| (job.pass)()).min().unwrap_or_default();
    job.count as f64 / fastest.as_secs_f64().max(f64::MIN_POSITIVE)
}

/// Returns the processor's name, where the system tells it in a file.
fn processor() -> Option<String> {
    let text = std::fs::read_to_string("/proc/cpuinfo").ok()?;
    let line = text.lines().find(|line| line.starts_with("model name"))?;
    line.split_once(':').map(|(_, name)| name.trim().to_owned())
}
