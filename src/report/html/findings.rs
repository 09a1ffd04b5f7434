//! The findings: by code, and within a code by cause.

use maud::{Markup, html};

use super::{Outside, and_more};
use crate::coverage::{CoverageReport, Finding, FindingCode};
use crate::report::coverage_summary::{FindingGroup, counted, flows, remedy, service, time_short};
use crate::report::display::{bytes, grouped};

/// How many causes are shown of a code.
const GROUPS_MAX: usize = 15;

/// How many of them are shown unfolded.
const OPEN_MAX: usize = 3;

/// How many pairs of addresses are shown of a cause.
const PAIRS_MAX: usize = 10;

pub(super) fn section(report: &CoverageReport) -> Markup {
    let groups = FindingGroup::of(&report.findings);
    html! {
        section aria-labelledby="findings" {
            h2 id="findings" { "Findings" }
            @if groups.is_empty() {
                p { "None." }
            } @else {
                p.note {
                    (counted(report.findings.len() as u64, "finding", "findings")) " of "
                    (counted(groups.len() as u64, "cause", "causes"))
                    ": a cause is a rule and the route that decides, and one change mends all its "
                    "findings. Most bytes come first."
                }
                @for code in codes(&groups) { (code_section(code, &groups)) }
            }
        }
    }
}

/// Returns the codes that occur, in the order of their worst causes.
fn codes(groups: &[FindingGroup<'_>]) -> Vec<FindingCode> {
    let mut codes: Vec<FindingCode> = Vec::new();
    for group in groups {
        if !codes.contains(&group.cause.code) {
            codes.push(group.cause.code);
        }
    }
    codes
}

fn code_section(code: FindingCode, groups: &[FindingGroup<'_>]) -> Markup {
    let groups: Vec<&FindingGroup<'_>> =
        groups.iter().filter(|group| group.cause.code == code).collect();
    html! {
        section.code aria-labelledby=(code) {
            h3 id=(code) { code { (code) } }
            p { (code.description()) " " span.note { (remedy(code)) } }
            @for (index, group) in groups.iter().take(GROUPS_MAX).enumerate() {
                (cause(group, index < OPEN_MAX))
            }
            (and_more(groups.len(), GROUPS_MAX, "cause", "causes"))
        }
    }
}

fn cause(group: &FindingGroup<'_>, is_open: bool) -> Markup {
    let FindingGroup { cause, totals, findings } = group;
    html! {
        details.cause open[is_open] {
            summary {
                b.route { (Outside(&cause.route())) }
                " "
                span.note {
                    (counted(findings.len() as u64, "pair", "pairs")) ", "
                    (flows(totals.flows)) ", " (bytes(totals.bytes))
                }
            }
            p { (Outside(group.message())) }
            p.note { "Rule: " (Outside(cause.rule)) }
            (pairs(findings))
            (and_more(findings.len(), PAIRS_MAX, "pair", "pairs"))
        }
    }
}

fn pairs(findings: &[&Finding]) -> Markup {
    html! {
        table.cards {
            thead { tr {
                th scope="col" { "Source" }
                th scope="col" { "Destination" }
                th.number scope="col" { "Flows" }
                th.number scope="col" { "Packets" }
                th.number scope="col" { "Bytes" }
                th scope="col" { "First seen" }
                th scope="col" { "Where" }
            } }
            tbody { @for finding in findings.iter().take(PAIRS_MAX) { (pair(finding)) } }
        }
    }
}

/// A line of the table; on narrow screens each cell says what it is.
fn pair(finding: &Finding) -> Markup {
    let totals = finding.totals;
    let example = finding.examples.first();
    html! {
        tr {
            td data-label="Source" { code.whole { (finding.source) } }
            td data-label="Destination" {
                code.whole { (finding.destination) }
                @if let Some(example) = example { " " span.note { (service(example)) } }
            }
            td.number data-label="Flows" { (grouped(totals.flows)) }
            td.number data-label="Packets" { (grouped(totals.packets)) }
            td.number data-label="Bytes" { (bytes(totals.bytes)) }
            @if let Some(example) = example {
                td data-label="First seen" { (time_short(example.start_time_ns)) }
                td data-label="Where" {
                    (Outside(&example.source_file)) ", record " (grouped(example.source_record))
                }
            } @else {
                td data-label="First seen" { "–" }
                td data-label="Where" {
                    (Outside(finding.evidence.first().map_or("–", String::as_str)))
                }
            }
        }
    }
}
