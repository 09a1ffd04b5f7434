//! Coverage by rule, and the sums by verdict.

use maud::{Markup, html};

use super::{Outside, legend, scrolling, segment};
use crate::coverage::{CoverageReport, CoverageTotals, Verdict};
use crate::report::coverage_summary::{Shares, flows, share};
use crate::report::display::{bytes, grouped, percent};

/// How many rules are drawn; a policy rarely has a tenth of them.
const RULES_MAX: usize = 200;

pub(super) fn section(report: &CoverageReport) -> Markup {
    html! {
        section aria-labelledby="rules" {
            h2 id="rules" { "Coverage by rule" }
            p.note {
                "A share counts the flows of which the rule asks something and whose paths are "
                "known. A flow that several rules ask something of counts in each."
            }
            @if report.shows_percentages { (legend(&drawn(report))) }
            @for (name, totals) in report.by_rule.iter().take(RULES_MAX) {
                (rule(report, name, totals))
            }
            (super::and_more(report.by_rule.len(), RULES_MAX, "rule", "rules"))
            h3 { "All rules together, each flow once" }
            (scrolling("Sums by verdict", &verdicts(report)))
        }
    }
}

fn rule(report: &CoverageReport, name: &str, totals: &[(Verdict, CoverageTotals)]) -> Markup {
    let Shares { expected, as_asked, seen, failing } = Shares::of(totals);
    html! {
        article.rule {
            h3 { (Outside(name)) }
            @if expected.flows == 0 {
                p.note { "No recorded flow of a known path is one that it asks something of." }
            } @else {
                @if report.shows_percentages { (bar(totals, expected)) }
                p {
                    b { (grouped(as_asked.flows)) } " of " (flows(expected.flows)) " go as asked"
                    @if report.shows_percentages {
                        " (" (share(report, as_asked.flows, expected.flows)) " of flows, "
                        (share(report, as_asked.bytes, expected.bytes)) " of "
                        (bytes(expected.bytes)) ")"
                    }
                    "; a log shows " (grouped(seen.flows)) "; "
                    b.failing[failing.flows > 0] { (grouped(failing.flows)) " fail" }
                    "."
                }
            }
        }
    }
}

/// A bar of the flows of a rule by verdict.
fn bar(totals: &[(Verdict, CoverageTotals)], expected: CoverageTotals) -> Markup {
    let mut before = 0u64;
    let counted = totals.iter().filter(|(verdict, _)| verdict.counts_in_percentages());
    let pieces: Vec<(Verdict, CoverageTotals, u64)> = counted
        .map(|(verdict, totals)| {
            let start = before;
            before = before.saturating_add(totals.flows);
            (*verdict, *totals, start)
        })
        .collect();
    let label = pieces
        .iter()
        .map(|(verdict, totals, _)| format!("{verdict} {}", percent(totals.flows, expected.flows)));
    let label = format!("Flows by verdict: {}", label.collect::<Vec<_>>().join(", "));
    html! {
        svg.bar width="100%" height="22" role="img" aria-label=(label) {
            @for (verdict, totals, start) in &pieces {
                g {
                    title { (verdict) ": " (flows(totals.flows)) ", "
                        (percent(totals.flows, expected.flows)) }
                    (segment(
                        &along(*start, expected.flows),
                        &along(totals.flows, expected.flows),
                        "0",
                        "22",
                        *verdict,
                    ))
                }
            }
        }
    }
}

/// Returns a length along a bar, as a share of its width.
fn along(part: u64, whole: u64) -> String {
    format!("{:.3}%", part as f64 * 100.0 / whole as f64)
}

fn verdicts(report: &CoverageReport) -> Markup {
    let expected = report.denominator();
    html! {
        table {
            thead { tr {
                th scope="col" { "Verdict" }
                th.number scope="col" { "Flows" }
                th.number scope="col" { "Tuples" }
                th.number scope="col" { "Packets" }
                th.number scope="col" { "Bytes" }
                @if report.shows_percentages {
                    th.number scope="col" { "Of " (flows(expected.flows)) }
                }
            } }
            tbody {
                @for (verdict, totals) in &report.totals {
                    tr {
                        th scope="row" { code { (verdict) } " "
                            span.note {
                                (crate::report::coverage_summary::verdict_meaning(*verdict))
                            }
                        }
                        td.number { (grouped(totals.flows)) }
                        td.number { (grouped(totals.tuples)) }
                        td.number { (grouped(totals.packets)) }
                        td.number { (bytes(totals.bytes)) }
                        @if report.shows_percentages {
                            td.number {
                                @if verdict.counts_in_percentages() {
                                    (share(report, totals.flows, expected.flows))
                                } @else { "–" }
                            }
                        }
                    }
                }
            }
        }
    }
}

/// Returns the verdicts that bars show, in their order.
fn drawn(report: &CoverageReport) -> Vec<Verdict> {
    let has = |verdict: &Verdict| {
        verdict.counts_in_percentages()
            && report.by_rule.iter().any(|(_, totals)| totals.iter().any(|(v, _)| v == verdict))
    };
    Verdict::ALL.into_iter().filter(has).collect()
}
