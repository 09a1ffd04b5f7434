//! Coverage by rule, and the sums by verdict.

use maud::{Markup, html};

use super::{Outside, legend, segment};
use crate::coverage::{CoverageReport, CoverageTotals, RuleTotals, Verdict};
use crate::report::coverage_summary::{Shares, counted, flows, share};
use crate::report::display::{bytes, grouped, percent};

/// How many rules are drawn; a policy rarely has a tenth of them.
const RULES_MAX: usize = 200;

pub(super) fn section(report: &CoverageReport) -> Markup {
    html! {
        section aria-labelledby="rules" {
            h2 id="rules" { "Coverage by rule" }
            p.note {
                "Judged are the flows of which the rule requires a path and whose routes are "
                "known; shares are of these. A flow under several rules counts in each."
            }
            @if report.shows_percentages { (legend(&drawn(report))) }
            @for one in report.by_rule.iter().take(RULES_MAX) {
                (rule(report, one))
            }
            (super::and_more(report.by_rule.len(), RULES_MAX, "rule", "rules"))
            h3 { "All rules together, each flow once" }
            (verdicts(report))
        }
    }
}

fn rule(report: &CoverageReport, rule: &RuleTotals) -> Markup {
    let Shares { judged, as_required, seen, failing } = Shares::of_rule(rule);
    html! {
        article.rule {
            h3 { (Outside(&rule.rule)) }
            @if judged.flows == 0 {
                p.note { "It requires a path of no recorded flow whose routes are known." }
            } @else {
                @if report.shows_percentages { (bar(&rule.totals, judged)) }
                p {
                    b { (grouped(as_required.flows)) } " of " (counted(judged.flows, "judged flow", "judged flows")) " take the required path"
                    @if report.shows_percentages {
                        " (" span.whole { (share(report, as_required.flows, judged.flows)) }
                        " of flows, "
                        span.whole { (share(report, as_required.bytes, judged.bytes)) }
                        " of " span.whole { (bytes(judged.bytes)) } ")"
                    }
                    @if rule.asks_firewall {
                        "; " (grouped(seen.flows)) " seen at a firewall"
                    }
                    "; "
                    b.failing[failing.flows > 0] { (grouped(failing.flows)) " fail" }
                    "."
                }
            }
        }
    }
}

/// A bar of the flows of a rule by verdict.
fn bar(totals: &[(Verdict, CoverageTotals)], judged: CoverageTotals) -> Markup {
    let mut before = 0u64;
    let drawn = totals.iter().filter(|(verdict, _)| verdict.counts_in_percentages());
    let pieces: Vec<(Verdict, CoverageTotals, u64)> = drawn
        .map(|(verdict, totals)| {
            let start = before;
            before = before.saturating_add(totals.flows);
            (*verdict, *totals, start)
        })
        .collect();
    let label = pieces
        .iter()
        .map(|(verdict, totals, _)| format!("{verdict} {}", percent(totals.flows, judged.flows)));
    let label = format!("Flows by verdict: {}", label.collect::<Vec<_>>().join(", "));
    html! {
        svg.bar width="100%" height="22" role="img" aria-label=(label) {
            @for (verdict, totals, start) in &pieces {
                g {
                    title { (verdict) ": " (flows(totals.flows)) ", "
                        (percent(totals.flows, judged.flows)) }
                    (segment(
                        &along(*start, judged.flows),
                        &along(totals.flows, judged.flows),
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
    let judged = report.denominator();
    html! {
        table.sums {
            thead { tr {
                th scope="col" { "Verdict" }
                th.number scope="col" { "Flows" }
                th.number.aside scope="col" { "Tuples" }
                th.number.aside scope="col" { "Packets" }
                th.number scope="col" { "Bytes" }
                @if report.shows_percentages {
                    th.number scope="col" { "Of " (counted(judged.flows, "judged flow", "judged flows")) }
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
                        td.number.aside { (grouped(totals.tuples)) }
                        td.number.aside { (grouped(totals.packets)) }
                        td.number { (bytes(totals.bytes)) }
                        @if report.shows_percentages {
                            td.number {
                                @if verdict.counts_in_percentages() {
                                    (share(report, totals.flows, judged.flows))
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
            && report.by_rule.iter().any(|rule| rule.totals.iter().any(|(v, _)| v == verdict))
    };
    Verdict::ALL.into_iter().filter(has).collect()
}
