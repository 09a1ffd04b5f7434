//! The result of `verify` as one HTML file that needs nothing else: no script, no font, no image,
//! no network. Its content security policy forbids whatever it does not have.
//!
//! Markup is made by a template that escapes every text; what comes from outside passes through
//! [`Outside`] as well, which shows what would reorder the text around it.

mod findings;
mod flow_diagram;
mod outside;
mod rules;
mod sources;
#[cfg(test)]
mod tests;
mod timeline;

use std::io::{self, Write};

use maud::{DOCTYPE, Markup, PreEscaped, html};

use self::outside::Outside;
use super::coverage_summary::{
    Shares, counted, result_sentence, result_word, share, totals_of, withheld,
};
use super::display::{bytes, grouped};
use crate::coverage::{CoverageReport, Verdict};

/// Writes the result of a verification as one self-contained HTML file.
///
/// A flow diagram, coverage by rule, a timeline, and the findings by code and cause; readable in
/// light and dark, on paper, and on 400 pixels. Long lists are cut and say how much they leave out:
/// the size of the file has a bound whatever was found, and the JSON has everything. Percentages,
/// and bars that would show the same, are withheld where the report says so. Holds no time but
/// those of the inputs: the same report gives the same bytes.
///
/// Cost: the file is made in memory, at most some megabytes.
///
/// # Errors
///
/// When `out` cannot be written.
///
/// # Examples
///
/// ```
/// use nexthop::coverage::CoverageReport;
/// use nexthop::report::write_coverage_html;
///
/// let mut out = Vec::new();
/// write_coverage_html(&CoverageReport::default(), &mut out)?;
/// let page = String::from_utf8(out)?;
/// assert!(page.starts_with("<!DOCTYPE html>") && !page.contains("<script"));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub fn write_coverage_html(report: &CoverageReport, out: &mut dyn Write) -> io::Result<()> {
    out.write_all(page(report).0.as_bytes())?;
    out.write_all(b"\n")
}

const STYLE: &str = include_str!("style.css");

const POLICY: &str = "default-src 'none'; style-src 'unsafe-inline'";

fn page(report: &CoverageReport) -> Markup {
    html! {
        (DOCTYPE)
        html lang="en" {
            head {
                meta charset="utf-8";
                meta http-equiv="Content-Security-Policy" content=(POLICY);
                meta name="viewport" content="width=device-width, initial-scale=1";
                meta name="color-scheme" content="light dark";
                title { "nexthop verify: " (result_word(report)) }
                // Our own text, which holds what escapes would break.
                style { (PreEscaped(STYLE)) }
            }
            body {
                (hatch())
                header { (headline(report)) }
                main {
                    (numbers(report))
                    (flow_diagram::section(report))
                    (rules::section(report))
                    (timeline::section(report))
                    (findings::section(report))
                    (sources::sections(report))
                }
                footer {
                    p { "Made by nexthop " (env!("CARGO_PKG_VERSION")) ". Times are UTC; "
                        "1 KiB is 1,024 bytes." }
                }
            }
        }
    }
}

/// The pattern that lies over everything that fails the run, so that colour is not all that tells.
fn hatch() -> Markup {
    html! {
        svg.defs width="0" height="0" aria-hidden="true" focusable="false" {
            defs {
                pattern id="hatch" width="6" height="6" patternUnits="userSpaceOnUse"
                    patternTransform="rotate(45)" {
                    rect.hatch width="2" height="6" {}
                }
            }
        }
    }
}

fn headline(report: &CoverageReport) -> Markup {
    let (class, sign) = if report.passes() { ("pass", "✓") } else { ("fail", "✕") };
    html! {
        p.product { "nexthop verify" }
        h1.result.(class) {
            span aria-hidden="true" { (sign) " " }
            (result_word(report))
        }
        p.sentence { (first_upper(&result_sentence(report))) }
        @if let Some(why) = withheld(report) { p.note { (why) } }
        @if !report.warnings.is_empty() {
            p { a href="#warnings" {
                (counted(report.warnings.len() as u64, "warning", "warnings"))
            } }
        }
    }
}

fn numbers(report: &CoverageReport) -> Markup {
    let Shares { judged, as_required, seen, failing } = Shares::of_report(report);
    let of = |part: u64| match report.shows_percentages && judged.flows > 0 {
        true => format!("{} of {}", share(report, part, judged.flows), grouped(judged.flows)),
        false => format!("of {}", grouped(judged.flows)),
    };
    let unknown = totals_of(report, Verdict::Unknown);
    html! {
        dl.numbers {
            (number("Judged flows", &grouped(judged.flows), &bytes(judged.bytes)))
            (number("As required", &grouped(as_required.flows), &of(as_required.flows)))
            (number("Seen at a firewall", &grouped(seen.flows), &of(seen.flows)))
            (number("Fail", &grouped(failing.flows), &bytes(failing.bytes)))
            (number("Routes unknown", &grouped(unknown.flows), "outside every share"))
            (number(
                "Never recorded",
                &grouped(report.unobservable.len() as u64),
                "places, outside every share",
            ))
        }
    }
}

fn number(name: &str, value: &str, note: &str) -> Markup {
    html! {
        div {
            dt { (name) }
            dd.value { (value) }
            dd.note { (note) }
        }
    }
}

/// Returns a line for what a cut list leaves out, or nothing.
fn and_more(count: usize, max: usize, one: &str, many: &str) -> Markup {
    html! {
        @if count > max {
            p.more {
                @let more = count - max;
                "… and " (grouped(more as u64)) " more " (if more == 1 { one } else { many })
                "; the full list is in the JSON."
            }
        }
    }
}

fn first_upper(text: &str) -> String {
    let mut characters = text.chars();
    let first = characters.next().map(|first| first.to_ascii_uppercase());
    first.into_iter().chain(characters).collect()
}

/// Returns the class of the style sheet that gives a verdict its colour.
fn verdict_class(verdict: Verdict) -> String {
    format!("v-{}", verdict.as_str())
}

/// What the colours of verdicts say, for those that occur.
fn legend(verdicts: &[Verdict]) -> Markup {
    html! {
        ul.legend {
            @for verdict in verdicts {
                li {
                    svg width="16" height="12" aria-hidden="true" focusable="false" {
                        (segment("0", "100%", "0", "12", *verdict))
                    }
                    span { code { (verdict.as_str()) } " "
                        span.note { (super::coverage_summary::verdict_meaning(*verdict)) } }
                }
            }
        }
    }
}

/// A piece of a bar in the colour of its verdict, hatched if that fails the run.
fn segment(x: &str, width: &str, y: &str, height: &str, verdict: Verdict) -> Markup {
    html! {
        rect.(verdict_class(verdict)) x=(x) y=(y) width=(width) height=(height) {}
        @if verdict.is_finding() {
            rect x=(x) y=(y) width=(width) height=(height) fill="url(#hatch)" {}
        }
    }
}
