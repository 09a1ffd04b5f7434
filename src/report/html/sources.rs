//! What the answer rests on, and what limits it: warnings, places that no log shows, evidence,
//! inputs, and the books.

use ahash::AHashMap;
use maud::{Markup, html};

use super::{Outside, and_more};
use crate::coverage::{CoverageReport, PoolMember, PoolProblem};
use crate::report::coverage_summary::{flows, time_short};
use crate::report::display::{bytes, grouped};
use crate::report::text::reasons;
use crate::routing::NextHopClass;
use crate::traffic::{DamagePlace, InputName, Tally};

/// How many lines of each list are shown.
const LINES_MAX: usize = 100;

pub(super) fn sections(report: &CoverageReport) -> Markup {
    html! {
        (pools(report))
        (unobservable(report))
        (notes(report))
        (warnings(report))
        (evidence(report))
        (inputs(report))
        (books(report))
    }
}

/// The members of pools, those with a problem first.
fn pools(report: &CoverageReport) -> Markup {
    let mut members: Vec<&PoolMember> = report.pools.iter().collect();
    members.sort_by_key(|member| member.problem.is_none());
    let table = html! {
        table.cards {
            thead { tr {
                th scope="col" { "Pool" }
                th scope="col" { "Member" }
                th scope="col" { "Problem" }
                th scope="col" { "First hop" }
                th scope="col" { "Health" }
                th.number scope="col" { "Flows" }
                th.number scope="col" { "Bytes" }
            } }
            tbody {
                @for member in members.iter().take(LINES_MAX) {
                    tr {
                        td data-label="Pool" { (Outside(&member.pool)) }
                        td data-label="Member" { (Outside(&member.member)) }
                        td data-label="Problem" { (member.problem.map_or("", PoolProblem::as_str)) }
                        td data-label="First hop" {
                            (member.next_hop_class.map_or("", NextHopClass::as_str))
                        }
                        td data-label="Health" {
                            (Outside(member.health.as_deref().unwrap_or_default()))
                        }
                        td.number data-label="Flows" { (grouped(member.totals.flows)) }
                        td.number data-label="Bytes" { (bytes(member.totals.bytes)) }
                    }
                }
            }
        }
    };
    html! {
        @if !members.is_empty() {
            section aria-labelledby="pools" {
                h2 id="pools" { "Backend pools" }
                p.note { "What application gateways sent to each member of their pools." }
                (table)
                (and_more(members.len(), LINES_MAX, "member", "members"))
            }
        }
    }
}

fn unobservable(report: &CoverageReport) -> Markup {
    let places = &report.unobservable;
    html! {
        @if !places.is_empty() {
            section aria-labelledby="unobservable" {
                h2 id="unobservable" { "Never recorded" }
                p.note { "No log ever shows this traffic. It stands outside every share." }
                ul.plain {
                    @for place in places.iter().take(LINES_MAX) {
                        li {
                            code { (place.code) } " " b { (Outside(&place.place)) } ": "
                            (Outside(&place.message))
                        }
                    }
                }
                (and_more(places.len(), LINES_MAX, "place", "places"))
            }
        }
    }
}

fn notes(report: &CoverageReport) -> Markup {
    let notes = &report.notes;
    html! {
        @if !notes.is_empty() {
            section aria-labelledby="notes" {
                h2 id="notes" { "Notes" }
                ul.plain {
                    @for note in notes.iter().take(LINES_MAX) {
                        li {
                            code { (note.code) } " " (flows(note.totals.flows)) ", "
                            (bytes(note.totals.bytes)) ": " (Outside(&note.message))
                        }
                    }
                }
                (and_more(notes.len(), LINES_MAX, "note", "notes"))
            }
        }
    }
}

fn warnings(report: &CoverageReport) -> Markup {
    let warnings = &report.warnings;
    html! {
        @if !warnings.is_empty() {
            section aria-labelledby="warnings" {
                h2 id="warnings" { "Warnings" }
                ul.plain {
                    @for warning in warnings.iter().take(LINES_MAX) { li { (Outside(warning)) } }
                }
                (and_more(warnings.len(), LINES_MAX, "warning", "warnings"))
            }
        }
    }
}

fn evidence(report: &CoverageReport) -> Markup {
    let sources = &report.evidence_sources;
    let table = html! {
        table.cards {
            thead { tr {
                th scope="col" { "Source" }
                th scope="col" { "Firewall" }
                th scope="col" { "Categories" }
                th scope="col" { "From" }
                th scope="col" { "To" }
                th.number scope="col" { "Records" }
            } }
            tbody {
                @for source in sources.iter().take(LINES_MAX) {
                    tr {
                        td data-label="Source" { (Outside(&source.path)) }
                        td data-label="Firewall" {
                            (Outside(source.firewall.as_deref().unwrap_or("not named")))
                        }
                        td.categories data-label="Categories" { (Outside(&source.categories.join(" "))) }
                        td data-label="From" { (time_short(source.from_ns)) }
                        td data-label="To" { (time_short(source.to_ns)) }
                        td.number data-label="Records" { (grouped(source.records)) }
                    }
                }
            }
        }
    };
    html! {
        section aria-labelledby="evidence" {
            h2 id="evidence" { "Evidence" }
            @if sources.is_empty() {
                p { "No firewall log: flows that take the required path are " code { "covered_unconfirmed" }
                    "." }
            } @else {
                (table)
                (and_more(sources.len(), LINES_MAX, "source", "sources"))
            }
        }
    }
}

fn inputs(report: &CoverageReport) -> Markup {
    let hashes: AHashMap<&str, &str> =
        report.hashes.iter().map(|(path, hash)| (path.as_str(), hash.as_str())).collect();
    let names: ahash::AHashSet<&str> =
        report.inputs.iter().map(|input| input.name.as_str()).collect();
    let others: Vec<&(String, String)> =
        report.hashes.iter().filter(|(path, _)| !names.contains(path.as_str())).collect();
    let table = html! {
        table.cards {
            thead { tr {
                th scope="col" { "File" }
                th scope="col" { "Format" }
                th.number scope="col" { "Records" }
                th.number scope="col" { "Damaged" }
                th.number scope="col" { "Read" }
                th scope="col" { "SHA-256" }
            } }
            tbody {
                @for input in report.inputs.iter().take(LINES_MAX) {
                    tr {
                        td data-label="File" { (Outside(input.name.as_str())) }
                        td.whole data-label="Format" { (input.format.map_or("–", |format| format.as_str())) }
                        td.number data-label="Records" { (grouped(input.tally.records_read)) }
                        td.number data-label="Damaged" { (grouped(input.tally.damaged_total())) }
                        td.number data-label="Read" { (bytes(input.tally.bytes_read)) }
                        td data-label="SHA-256" { (hash(hashes.get(input.name.as_str()).copied())) }
                    }
                }
                @for (path, sha256) in others.iter().take(LINES_MAX) {
                    tr {
                        td data-label="File" { (Outside(path)) }
                        td colspan="4" data-label="Read as" { span.note { "routes, policy or evidence" } }
                        td data-label="SHA-256" { (hash(Some(sha256))) }
                    }
                }
            }
        }
    };
    html! {
        section aria-labelledby="inputs" {
            h2 id="inputs" { "Files that were read" }
            (table)
            (and_more(report.inputs.len(), LINES_MAX, "input", "inputs"))
            (and_more(others.len(), LINES_MAX, "other file", "other files"))
        }
    }
}

fn hash(sha256: Option<&str>) -> Markup {
    html! {
        @match sha256 {
            Some(sha256) => code.hash { (Outside(sha256)) },
            None => "–",
        }
    }
}

fn books(report: &CoverageReport) -> Markup {
    let tally = &report.total;
    let reasons = reasons(tally);
    let damages: Vec<(&InputName, &DamagePlace)> = report
        .inputs
        .iter()
        .flat_map(|input| input.tally.first_damages().iter().map(|place| (&input.name, place)))
        .take(Tally::FIRST_DAMAGES_MAX)
        .collect();
    html! {
        section aria-labelledby="books" {
            h2 id="books" { "The books" }
            p {
                b { (grouped(tally.records_read)) " records read" } " = "
                (grouped(tally.classified)) " classified + "
                (grouped(tally.unknown_total())) " unknown + "
                (grouped(tally.not_applicable_total())) " not applicable + "
                (grouped(tally.damaged_total())) " damaged"
            }
            @if !reasons.is_empty() {
                table.narrow {
                    thead { tr {
                        th.number scope="col" { "Records" }
                        th scope="col" { "What" }
                        th scope="col" { "Reason" }
                    } }
                    tbody {
                        @for reason in &reasons {
                            tr {
                                td.number { (grouped(reason.records)) }
                                td { (reason.what) }
                                td { code { (reason.reason) } }
                            }
                        }
                    }
                }
            }
            @if !damages.is_empty() {
                h3 { "First damage" }
                ul.plain {
                    @for (name, place) in &damages {
                        li {
                            (Outside(name.as_str())) ", record " (grouped(place.record))
                            ", byte " (grouped(place.byte_offset)) ": "
                            code { (place.damage.as_str()) } " " (Outside(&place.detail))
                        }
                    }
                }
            }
        }
    }
}
