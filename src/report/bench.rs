//! Speeds, for people and for programs, and against a baseline.

use std::io::{self, Write};

use serde::{Deserialize, Serialize};

use super::display::neutral;
use super::table::{Align, Table};

/// What a run of measurements found.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct BenchReport {
    /// Of this shape of JSON: 1.
    pub schema: u32,
    /// The program's.
    pub version: String,
    /// Where it ran.
    pub machine: Machine,
    /// How much work, of a hundred.
    pub work_percent: u32,
    /// How many threads read captures and flow logs.
    pub threads: usize,
    /// How often each was measured.
    pub rounds: u32,
    /// In the order in which they were taken.
    pub measurements: Vec<Measurement>,
}

/// A machine, as far as it explains speeds.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Machine {
    /// What its processor calls itself, where that can be found.
    pub processor: Option<String>,
    /// Threads that can run at once.
    pub core_count: usize,
    /// The instructions that look-ups use.
    pub lookup_instructions: String,
}

/// One speed.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Measurement {
    /// What was measured.
    pub name: String,
    /// What is counted: lookups, packets …
    pub of: String,
    /// How many of them one pass has.
    pub count: u64,
    /// Of the answers, which were compared with those of a naive way.
    pub checksum: String,
    /// The median of all rounds; of a round, its fastest pass.
    pub per_second: f64,
    /// The slowest round.
    pub per_second_min: f64,
    /// The fastest round, and so the fastest pass of all: what is held against a baseline. What
    /// else runs on a machine only ever slows a pass, so that the fastest of many is nearly as fast
    /// in a busy minute as in a calm one, and a median is not.
    pub per_second_max: f64,
    /// The fastest round in the baseline, where there is one.
    #[serde(default)]
    pub baseline_per_second: Option<f64>,
    /// By how much the fastest round is faster (or, below 0, slower) than the baseline's.
    #[serde(default)]
    pub change_percent: Option<f64>,
    /// Slower than the baseline by more than is tolerated.
    #[serde(default)]
    pub is_slower: bool,
}

/// Why a report cannot be held against another.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum BaselineError {
    /// It is no report.
    #[error("is not what `nexthop bench --format json` prints")]
    Json(#[source] serde_json::Error),
    /// It is about something else.
    #[error("{what} is {theirs} there and {ours} here: speeds cannot be compared")]
    OtherWork {
        /// What differs.
        what: String,
        /// In the baseline.
        theirs: String,
        /// In this run.
        ours: String,
    },
}

impl BenchReport {
    /// Reads what [`write_bench_json`] wrote.
    ///
    /// # Errors
    ///
    /// [`BaselineError::Json`] for anything else.
    pub fn read(json: &[u8]) -> Result<Self, BaselineError> {
        let report: Self = serde_json::from_slice(json).map_err(BaselineError::Json)?;
        match report.schema {
            1 => Ok(report),
            other => Err(BaselineError::OtherWork {
                what: "the schema".into(),
                theirs: other.to_string(),
                ours: "1".into(),
            }),
        }
    }

    /// Returns whether `baseline` is of the same amount of work, on as many threads: what can be
    /// asked before anything was measured.
    ///
    /// # Errors
    ///
    /// [`BaselineError::OtherWork`] where it is not.
    pub fn check_settings(
        baseline: &Self,
        work_percent: u32,
        threads: usize,
    ) -> Result<(), BaselineError> {
        let theirs = (u64::from(baseline.work_percent), baseline.threads as u64);
        same("--work", theirs.0, u64::from(work_percent))?;
        same("--threads", theirs.1, threads as u64)
    }

    /// Returns the speed below which the fastest round of what is called `name` is slower than this
    /// baseline by more than is tolerated, if it has a measurement of that name.
    pub fn least_per_second(&self, name: &str, tolerance_percent: f64) -> Option<f64> {
        let before = self.measurements.iter().find(|before| before.name == name)?;
        Some(before.per_second_max * (1.0 - tolerance_percent / 100.0))
    }

    /// Holds every measurement against the one of the same name in `baseline`, if it has one:
    /// fastest round against fastest round.
    ///
    /// # Errors
    ///
    /// [`BaselineError::OtherWork`] where it is of other work.
    pub fn compare(
        &mut self,
        baseline: &Self,
        tolerance_percent: f64,
    ) -> Result<(), BaselineError> {
        Self::check_settings(baseline, self.work_percent, self.threads)?;
        for measurement in &mut self.measurements {
            let mut theirs = baseline.measurements.iter();
            let Some(before) = theirs.find(|before| before.name == measurement.name) else {
                continue;
            };
            let what = |what| format!("{what} of {}", measurement.name);
            same(&what("the count"), before.count, measurement.count)?;
            same(&what("the checksum"), &before.checksum, &measurement.checksum)?;
            let change_percent = (measurement.per_second_max / before.per_second_max - 1.0) * 100.0;
            let least = baseline.least_per_second(&measurement.name, tolerance_percent);
            measurement.baseline_per_second = Some(before.per_second_max);
            measurement.change_percent = Some(change_percent);
            measurement.is_slower = least.is_some_and(|least| measurement.per_second_max < least);
        }
        Ok(())
    }

    /// Returns how many measurements are slower than the baseline by more than was tolerated.
    pub fn slower_count(&self) -> usize {
        self.measurements.iter().filter(|measurement| measurement.is_slower).count()
    }
}

/// Writes a table, and under it how the comparison ended.
///
/// # Errors
///
/// When it cannot be written.
pub fn write_bench_text(
    out: &mut dyn Write,
    report: &BenchReport,
    is_coloured: bool,
) -> io::Result<()> {
    let Machine { processor, core_count, lookup_instructions } = &report.machine;
    let processor = neutral(processor.as_deref().unwrap_or("an unnamed processor"));
    writeln!(
        out,
        "nexthop {} on {processor}: {core_count} cores, {lookup_instructions} look-ups; \
         threads: {}, rounds: {}, work: {} %\n",
        neutral(&report.version),
        report.threads,
        report.rounds,
        report.work_percent
    )?;
    let mut table = Table::new([
        ("Measurement", Align::Left),
        ("Median", Align::Right),
        ("Slowest", Align::Right),
        ("Fastest", Align::Right),
        ("Unit", Align::Left),
        ("Baseline", Align::Right),
        ("Change", Align::Right),
    ]);
    for measurement in &report.measurements {
        let baseline = measurement.baseline_per_second.map_or_else(String::new, millions);
        let change =
            measurement.change_percent.map_or_else(String::new, |change| format!("{change:+.1} %"));
        table.line([
            measurement.name.clone(),
            millions(measurement.per_second),
            millions(measurement.per_second_min),
            millions(measurement.per_second_max),
            format!("M {}/s", measurement.of),
            baseline,
            change,
        ]);
        if measurement.is_slower {
            table.mark_last();
        }
    }
    table.write(out, is_coloured)?;
    let compared = report.measurements.iter().filter(|one| one.change_percent.is_some()).count();
    match (compared, report.slower_count()) {
        (0, _) => Ok(()),
        (_, 0) => writeln!(out, "\nnone of {compared} is slower than tolerated"),
        (_, slower) => writeln!(out, "\nSLOWER: {slower} of {compared}, by more than tolerated"),
    }
}

/// Writes the report as one JSON object, which [`BenchReport::read`] reads.
///
/// # Errors
///
/// When it cannot be written.
pub fn write_bench_json(out: &mut dyn Write, report: &BenchReport) -> io::Result<()> {
    serde_json::to_writer_pretty(&mut *out, report)?;
    out.write_all(b"\n")
}

fn same<T: PartialEq + ToString>(what: &str, theirs: T, ours: T) -> Result<(), BaselineError> {
    if theirs == ours {
        return Ok(());
    }
    let (theirs, ours) = (theirs.to_string(), ours.to_string());
    Err(BaselineError::OtherWork { what: what.into(), theirs, ours })
}

/// Three digits that count, or all before the point.
fn millions(per_second: f64) -> String {
    match per_second / 1e6 {
        number if number < 10.0 => format!("{number:.2}"),
        number if number < 100.0 => format!("{number:.1}"),
        number => format!("{number:.0}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn report(per_second: f64) -> BenchReport {
        BenchReport {
            schema: 1,
            version: "1.2.3".into(),
            machine: Machine {
                processor: Some("Abacus\u{1b}".into()),
                core_count: 2,
                lookup_instructions: "portable".into(),
            },
            work_percent: 100,
            threads: 1,
            rounds: 5,
            measurements: vec![Measurement {
                name: "capture".into(),
                of: "packets".into(),
                count: 7,
                checksum: "00ff".into(),
                per_second,
                per_second_min: per_second / 2.0,
                per_second_max: per_second * 2.0,
                baseline_per_second: None,
                change_percent: None,
                is_slower: false,
            }],
        }
    }

    /// 10 % slower than 40 M/s is 36 M/s. Of both the fastest round counts, twice the median here.
    #[test]
    fn slower_is_beyond_the_tolerance() {
        for (now, tolerance, slower) in [
            (36.1e6, 10.0, 0),
            (35.9e6, 10.0, 1),
            (35.9e6, 11.0, 0),
            (80e6, 0.0, 0),
            (40e6, 0.0, 0),
            (39.9e6, 0.0, 1),
        ] {
            let mut report = report(now);
            report.compare(&self::report(40e6), tolerance).unwrap();
            assert_eq!(report.slower_count(), slower, "{now} {tolerance}");
            assert_eq!(report.measurements[0].baseline_per_second, Some(80e6));
        }
    }

    #[test]
    fn a_busy_minute_is_not_slower_where_one_round_was_not() {
        let mut busy = report(40e6);
        busy.measurements[0].per_second = 20e6;
        busy.compare(&report(40e6), 0.0).unwrap();
        assert_eq!((busy.slower_count(), busy.measurements[0].change_percent), (0, Some(0.0)));
    }

    #[test]
    fn the_least_speed_is_the_fastest_round_less_the_tolerance() {
        let baseline = report(40e6);
        assert_eq!(baseline.least_per_second("capture", 10.0), Some(72e6));
        assert_eq!(baseline.least_per_second("capture", 0.0), Some(80e6));
        assert_eq!(baseline.least_per_second("flow log", 10.0), None);
    }

    #[test]
    fn what_is_not_in_the_baseline_is_not_slower() {
        let mut now = report(1.0);
        now.measurements[0].name = "new".into();
        now.compare(&report(2.0), 0.0).unwrap();
        assert_eq!((now.slower_count(), now.measurements[0].change_percent), (0, None));
    }

    #[test]
    fn other_work_is_not_compared() {
        type Change = fn(&mut BenchReport);
        let changes: [(Change, &str); 4] = [
            (|report| report.work_percent = 10, "--work is 10 there and 100 here"),
            (|report| report.threads = 2, "--threads is 2 there and 1 here"),
            (|report| report.measurements[0].count = 8, "the count of capture is 8 there"),
            (
                |report| report.measurements[0].checksum = "0".into(),
                "the checksum of capture is 0 there",
            ),
        ];
        for (change, words) in changes {
            let mut baseline = report(1.0);
            change(&mut baseline);
            let error = report(1.0).compare(&baseline, 0.0).unwrap_err().to_string();
            assert!(error.contains(words), "{error}");
        }
    }

    #[test]
    fn a_report_that_was_written_is_read() {
        let mut json = Vec::new();
        write_bench_json(&mut json, &report(3e6)).unwrap();
        assert_eq!(BenchReport::read(&json).unwrap(), report(3e6));
        for text in ["", "{}", "[1]", "{\"schema\": 1}"] {
            assert!(BenchReport::read(text.as_bytes()).is_err(), "{text}");
        }
        let newer = String::from_utf8(json).unwrap().replace("\"schema\": 1", "\"schema\": 2");
        assert!(BenchReport::read(newer.as_bytes()).is_err());
    }

    #[test]
    fn people_get_a_table() {
        let mut now = report(36e6);
        now.compare(&report(40e6), 9.0).unwrap();
        let mut out = Vec::new();
        write_bench_text(&mut out, &now, false).unwrap();
        let text = String::from_utf8(out).unwrap();
        assert!(!text.contains('\u{1b}'), "{text}");
        let lines: Vec<_> = text.lines().collect();
        assert_eq!(
            lines[2..],
            [
                "  Measurement  Median  Slowest  Fastest  Unit         Baseline   Change",
                "  capture        36.0     18.0     72.0  M packets/s      80.0  -10.0 %",
                "",
                "SLOWER: 1 of 1, by more than tolerated",
            ]
        );
    }
}
