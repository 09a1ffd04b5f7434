//! When flows of which a rule requires a path began, by verdict.

use std::collections::BTreeMap;

use maud::{Markup, html};

use super::{legend, segment};
use crate::coverage::{CoverageReport, CoverageTotals, Verdict};
use crate::report::coverage_summary::{flows, time_short};
use crate::report::display::{bytes, grouped};

/// How many columns there are at most; neighbouring steps are added up into one.
const COLUMNS_MAX: i128 = 120;

/// The height of the drawing in pixels.
const HEIGHT: f64 = 140.0;

/// Steps of time by column, each with its sums by verdict in the order of drawing.
struct Columns {
    start_ns: i64,
    /// The width of a column.
    width_ns: i128,
    count: i128,
    /// Only columns that hold something.
    filled: BTreeMap<i128, BTreeMap<Verdict, CoverageTotals>>,
    measure: Measure,
}

/// What the height of a column shows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Measure {
    Bytes,
    /// Where no record has counters.
    Flows,
}

pub(super) fn section(report: &CoverageReport) -> Markup {
    let Some(columns) = Columns::of(report) else {
        return Markup::default();
    };
    let verdicts: Vec<Verdict> = Verdict::ALL
        .into_iter()
        .filter(|verdict| report.timeline.iter().any(|(_, other, _)| other == verdict))
        .collect();
    html! {
        section aria-labelledby="timeline" {
            h2 id="timeline" { "Timeline" }
            p.note {
                "Flows of which a rule requires a path, by the time of their start; a column is "
                (duration(columns.width_ns)) " wide, and its height is "
                (columns.measure.noun()) "."
            }
            (legend(&verdicts))
            p.peak { (columns.measure.shown(columns.peak())) }
            (columns.drawing())
            p.axis {
                span { (time_short(columns.start_ns)) }
                span { (time_short(columns.end_ns())) }
            }
            details {
                summary { "The timeline as a table" }
                (columns.table())
            }
        }
    }
}

impl Columns {
    /// Returns `None` where there is nothing to draw.
    fn of(report: &CoverageReport) -> Option<Self> {
        let times = report.timeline.iter().map(|(start_ns, _, _)| *start_ns);
        let start_ns = times.clone().min()?;
        let span_ns = i128::from(times.max()?) - i128::from(start_ns);
        let step_ns = i128::from(report.timeline_step_ns.max(1));
        let step_count = span_ns / step_ns + 1;
        let steps_each = (step_count + COLUMNS_MAX - 1) / COLUMNS_MAX;
        let width_ns = step_ns * steps_each;
        let mut filled: BTreeMap<i128, BTreeMap<Verdict, CoverageTotals>> = BTreeMap::new();
        for (time_ns, verdict, totals) in &report.timeline {
            let column = (i128::from(*time_ns) - i128::from(start_ns)) / width_ns;
            filled.entry(column).or_default().entry(*verdict).or_default().add(*totals);
        }
        let has_bytes = report.timeline.iter().any(|(_, _, totals)| totals.bytes > 0);
        let measure = if has_bytes { Measure::Bytes } else { Measure::Flows };
        Some(Self { start_ns, width_ns, count: span_ns / width_ns + 1, filled, measure })
    }

    /// Returns the height of the highest column.
    fn peak(&self) -> u64 {
        self.filled.values().map(|column| self.height(column)).max().unwrap_or(0)
    }

    fn height(&self, column: &BTreeMap<Verdict, CoverageTotals>) -> u64 {
        column.values().fold(0, |sum, totals| sum.saturating_add(self.measure.of(*totals)))
    }

    fn time_ns(&self, column: i128) -> i64 {
        let time_ns = i128::from(self.start_ns) + self.width_ns * column;
        i64::try_from(time_ns).unwrap_or(i64::MAX)
    }

    fn end_ns(&self) -> i64 {
        self.time_ns(self.count)
    }

    fn drawing(&self) -> Markup {
        let label = format!(
            "Timeline from {} to {}, at most {} in a column",
            time_short(self.start_ns),
            time_short(self.end_ns()),
            self.measure.shown(self.peak())
        );
        html! {
            svg.timeline width="100%" height=(HEIGHT) role="img" aria-label=(label) {
                @for (index, column) in &self.filled { (self.column(*index, column)) }
            }
        }
    }

    /// Draws a column from the bottom up, the verdicts that fail on top.
    fn column(&self, index: i128, column: &BTreeMap<Verdict, CoverageTotals>) -> Markup {
        let x = format!("{:.3}%", index as f64 * 100.0 / self.count as f64);
        let width = format!("{:.3}%", 100.0 / self.count as f64 * 0.9);
        let peak = self.peak().max(1) as f64;
        let mut top = HEIGHT;
        html! {
            g {
                title {
                    (time_short(self.time_ns(index)))
                    @for (verdict, totals) in column.iter().rev() {
                        ", " (verdict) " " (self.measure.shown(self.measure.of(*totals)))
                    }
                }
                @for (verdict, totals) in column.iter().rev() {
                    // What is there at all is seen.
                    @let height = (self.measure.of(*totals) as f64 / peak * HEIGHT).max(1.0);
                    @let y = { top = (top - height).max(0.0); top };
                    (segment(&x, &width, &format!("{y:.1}"), &format!("{height:.1}"), *verdict))
                }
            }
        }
    }

    fn table(&self) -> Markup {
        html! {
            table.sums {
                thead { tr {
                    th scope="col" { "From" }
                    th scope="col" { "Verdict" }
                    th.number scope="col" { "Flows" }
                    th.number.aside scope="col" { "Packets" }
                    th.number scope="col" { "Bytes" }
                } }
                tbody {
                    @for (index, column) in &self.filled {
                        @for (verdict, totals) in column {
                            tr {
                                td { (time_short(self.time_ns(*index))) }
                                td { code { (verdict) } }
                                td.number { (grouped(totals.flows)) }
                                td.number.aside { (grouped(totals.packets)) }
                                td.number { (bytes(totals.bytes)) }
                            }
                        }
                    }
                }
            }
        }
    }
}

impl Measure {
    fn of(self, totals: CoverageTotals) -> u64 {
        match self {
            Self::Bytes => totals.bytes,
            Self::Flows => totals.flows,
        }
    }

    fn noun(self) -> &'static str {
        match self {
            Self::Bytes => "their bytes",
            Self::Flows => "their number",
        }
    }

    fn shown(self, value: u64) -> String {
        match self {
            Self::Bytes => bytes(value),
            Self::Flows => flows(value),
        }
    }
}

/// Returns a length of time in the largest unit that divides it.
fn duration(nanoseconds: i128) -> String {
    const UNITS: [(i128, &str); 5] = [
        (86_400_000_000_000, "d"),
        (3_600_000_000_000, "h"),
        (60_000_000_000, "min"),
        (1_000_000_000, "s"),
        (1_000_000, "ms"),
    ];
    let unit = UNITS.iter().find(|(length, _)| nanoseconds % length == 0);
    unit.map_or_else(
        || format!("{nanoseconds} ns"),
        |(length, name)| format!("{} {name}", nanoseconds / length),
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::coverage_sample::totals;

    fn columns(times_ns: &[i64], step_ns: i64) -> Columns {
        let step = |time_ns: &i64| (*time_ns, Verdict::Bypass, totals(1, 1, 1));
        let report = CoverageReport {
            timeline: times_ns.iter().map(step).collect(),
            timeline_step_ns: step_ns,
            ..CoverageReport::default()
        };
        Columns::of(&report).unwrap()
    }

    #[test]
    fn steps_are_added_up_until_they_fit() {
        // 1,200 steps of 10 fit into 120 columns of 100.
        let times_ns: Vec<i64> = (0..1200).map(|step| 7 + step * 10).collect();
        let all = columns(&times_ns, 10);
        assert_eq!((all.count, all.width_ns, all.filled.len()), (120, 100, 120));
        assert!(all.filled.values().all(|column| all.height(column) == 10));
        // One step more takes 11 steps a column: ceil(1201 / 11) = 110.
        let times_ns: Vec<i64> = (0..1201).map(|step| 7 + step * 10).collect();
        assert_eq!(columns(&times_ns, 10).count, 110);
    }

    #[test]
    fn any_times_and_steps_are_drawn() {
        for (times_ns, step_ns) in [
            (&[i64::MIN, i64::MAX][..], 1),
            (&[i64::MIN, i64::MAX], i64::MAX),
            (&[5], 0),
            (&[5, 6], i64::MIN),
        ] {
            let all = columns(times_ns, step_ns);
            assert!((1..=COLUMNS_MAX).contains(&all.count), "{times_ns:?} {step_ns}");
            assert_eq!(all.peak(), 1);
            all.drawing();
        }
        assert!(Columns::of(&CoverageReport::default()).is_none());
    }

    #[test]
    fn a_duration_keeps_its_unit() {
        for (nanoseconds, want) in [
            (3_600_000_000_000, "1 h"),
            (90_000_000_000, "90 s"),
            (300_000_000_000, "5 min"),
            (7, "7 ns"),
        ] {
            assert_eq!(duration(nanoseconds), want);
        }
    }
}
