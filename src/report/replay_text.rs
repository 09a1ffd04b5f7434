//! The result of `replay` for people.

use std::io::{self, Write};
use std::net::IpAddr;
use std::ops::ControlFlow;

use super::SummaryOptions;
use super::coverage_summary::counted;
use super::coverage_text::wrapped;
use super::display::{bytes, grouped, neutral, percent};
use super::table::{Align, Table};
use super::text::Page;
use crate::classify::{LabelColumns, Totals};
use crate::coverage::Finding;
use crate::net::protocol;
use crate::replay::{ChangedFlow, ReplayReport, RouteChange, VerdictChanges};

/// Writes the result of a replay, made for 80 to 100 columns: how much changes, from what to what,
/// by which routes and why, the flows with the most bytes, and the books.
///
/// Every text from outside is [neutral](super::display::neutral).
///
/// # Errors
///
/// When `out` cannot be written, or the room of the changed flows fails.
pub fn write_replay_text(
    report: ReplayReport<'_>,
    options: SummaryOptions,
    out: &mut dyn Write,
) -> io::Result<()> {
    let mut page = Page::new(out, options);
    result(&mut page, &report)?;
    transitions(&mut page, &report)?;
    routes(&mut page, &report.route_changes)?;
    if let Some(changes) = &report.verdicts {
        verdicts(&mut page, changes)?;
    }
    let ReplayReport { flows, route_changes, summary, .. } = report;
    let len = usize::try_from(flows.len()).unwrap_or(usize::MAX);
    let (mut table, lines_max, mut shown) = (flow_table(), page.lines_max(), 0);
    flows.for_each(|flow| {
        table.line(flow_line(flow, &route_changes[flow.change]));
        shown += 1;
        Ok(match shown < lines_max {
            true => ControlFlow::Continue(()),
            false => ControlFlow::Break(()),
        })
    })?;
    let heading = format!(
        "Changed flows: {}, what was recorded of one together; most bytes first",
        grouped(len as u64)
    );
    page.table(&heading, &table)?;
    page.and_more(len, "flows")?;
    page.inputs(&summary.inputs)?;
    page.first_damages(&summary.inputs)?;
    page.books(&summary.total)
}

/// The width of running text.
const COLUMNS: usize = 96;

fn result(page: &mut Page<'_>, report: &ReplayReport<'_>) -> io::Result<()> {
    let ReplayReport { all, changed, other_route, .. } = report;
    page.heading(&format!(
        "{} of {} change ({}), {} of {}",
        grouped(changed.flows),
        counted(all.flows, "flow", "flows"),
        percent(changed.flows, all.flows),
        bytes(changed.bytes),
        bytes(all.bytes)
    ))?;
    if other_route.flows > 0 {
        writeln!(
            page.out,
            "  Another route leads {} ({}) to the same next hop, which is no change.",
            counted(other_route.flows, "flow", "flows"),
            bytes(other_route.bytes)
        )?;
    }
    if report.way_back.flows > 0 {
        writeln!(
            page.out,
            "  Of the others, {} ({}) stay, but what answers them goes elsewhere.",
            counted(report.way_back.flows, "flow", "flows"),
            bytes(report.way_back.bytes)
        )?;
    }
    if report.summary.has_partial_flows {
        writeln!(
            page.out,
            "  The memory bound wrote flows out early: a flow may count more than once;\n  \
             packets and bytes are exact."
        )?;
    }
    Ok(())
}

const TRANSITION_COLUMNS: [(&str, Align); 6] = [
    ("before", Align::Left),
    ("", Align::Left),
    ("after", Align::Left),
    ("flows", Align::Right),
    ("packets", Align::Right),
    ("bytes", Align::Right),
];

fn transitions(page: &mut Page<'_>, report: &ReplayReport<'_>) -> io::Result<()> {
    let mut table = Table::new(TRANSITION_COLUMNS);
    for transition in &report.transitions {
        let Totals { flows, packets, bytes: size } = transition.totals;
        table.line([
            transition.before.as_str().to_owned(),
            "→".to_owned(),
            transition.after.as_str().to_owned(),
            grouped(flows),
            grouped(packets),
            bytes(size),
        ]);
    }
    page.table("Next-hop classes", &table)
}

fn routes(page: &mut Page<'_>, changes: &[RouteChange<'_>]) -> io::Result<()> {
    if changes.is_empty() {
        return Ok(());
    }
    page.heading("Routes")?;
    for change in changes.iter().take(page.lines_max()) {
        let Totals { flows, bytes: size, .. } = change.totals;
        let table = change.after.route_table_id.or(change.before.route_table_id);
        writeln!(
            page.out,
            "  {}, {}, from {}: {}",
            counted(flows, "flow", "flows"),
            bytes(size),
            table.map_or("a place that no table covers".into(), neutral),
            change.reason
        )?;
        indented(page.out, "    before: ", &route_text(&change.before))?;
        let after = format!("{}{}", route_text(&change.after), lost_before(change));
        indented(page.out, "    after:  ", &after)?;
    }
    page.and_more(changes.len(), "pairs of routes")
}

fn verdicts(page: &mut Page<'_>, verdicts: &VerdictChanges) -> io::Result<()> {
    let mut table = Table::new(TRANSITION_COLUMNS);
    for transition in &verdicts.transitions {
        let Totals { flows, packets, bytes: size } = transition.totals;
        table.line([
            transition.before.as_str().to_owned(),
            if transition.before == transition.after { "=" } else { "→" }.to_owned(),
            transition.after.as_str().to_owned(),
            grouped(flows),
            grouped(packets),
            bytes(size),
        ]);
        if transition.after.is_finding() && transition.before != transition.after {
            table.mark_last();
        }
    }
    page.table("Verdicts, by the routes alone", &table)?;
    let VerdictChanges { before, after, is_resolved, is_new, .. } = verdicts;
    let new: Vec<&Finding> = marked(&after.findings, is_new).collect();
    findings(page, "New findings", &new)?;
    let resolved: Vec<&Finding> = marked(&before.findings, is_resolved).collect();
    findings(page, "Resolved findings", &resolved)
}

fn marked<'f>(findings: &'f [Finding], marks: &'f [bool]) -> impl Iterator<Item = &'f Finding> {
    findings.iter().zip(marks).filter(|(_, is_marked)| **is_marked).map(|(finding, _)| finding)
}

fn findings(page: &mut Page<'_>, heading: &str, findings: &[&Finding]) -> io::Result<()> {
    if findings.is_empty() {
        return Ok(());
    }
    page.heading(&format!("{heading}: {}", grouped(findings.len() as u64)))?;
    for finding in findings.iter().take(page.lines_max()) {
        writeln!(
            page.out,
            "  {}: {} → {}, {}, {}",
            finding.code,
            finding.source,
            finding.destination,
            counted(finding.totals.flows, "flow", "flows"),
            neutral(&finding.rule)
        )?;
        indented(page.out, "    ", &neutral(&finding.message))?;
    }
    page.and_more(findings.len(), "findings")
}

/// Writes text behind a heading of its own, and every further line below its beginning.
fn indented(out: &mut dyn Write, heading: &str, text: &str) -> io::Result<()> {
    let mut before = heading.to_owned();
    for line in wrapped(text, COLUMNS - heading.len()) {
        writeln!(out, "{before}{line}")?;
        before = " ".repeat(heading.len());
    }
    Ok(())
}

fn flow_table() -> Table<5> {
    Table::new([
        ("bytes", Align::Right),
        ("source", Align::Left),
        ("destination", Align::Left),
        ("before → after", Align::Left),
        ("reason", Align::Left),
    ])
}

fn flow_line(flow: &ChangedFlow, change: &RouteChange<'_>) -> [String; 5] {
    let end = |address, port: Option<u16>| match (address, port) {
        (IpAddr::V6(address), Some(port)) => format!("[{address}]:{port}"),
        (address, Some(port)) => format!("{address}:{port}"),
        (address, None) => address.to_string(),
    };
    let name = protocol::name(flow.protocol);
    let destination = end(flow.destination, flow.ports.map(|(_, destination)| destination));
    let protocol = name.map_or_else(|| flow.protocol.to_string(), str::to_owned);
    [
        bytes(flow.bytes),
        end(flow.source, flow.ports.map(|(source, _)| source)),
        format!("{destination} {protocol}"),
        next_hops_text(change),
        change.reason.to_owned(),
    ]
}

/// Why the new route did not win before, where the old one's end is not all of the story.
fn lost_before(change: &RouteChange<'_>) -> String {
    match change.opposite_reason {
        "route_removed" => " (new)".to_owned(),
        "route_added" => String::new(),
        same if same == change.reason => String::new(),
        reason => format!(" (before: {reason})"),
    }
}

/// A route as `User 10.0.0.0/8 to VirtualAppliance 10.0.1.4 (azfw): firewall`.
fn route_text(label: &LabelColumns<'_>) -> String {
    let class = label.next_hop_class.as_str();
    let (Some(prefix), Some(source)) = (label.matched_prefix, label.route_source) else {
        return class.to_owned();
    };
    format!("{} {prefix} to {}: {class}", neutral(source), hop_text(label))
}

fn hop_text(label: &LabelColumns<'_>) -> String {
    let mut words = vec![neutral(label.next_hop_type.unwrap_or("-")).into_owned()];
    words.extend(label.next_hop_ips.into_iter().flatten().map(ToString::to_string));
    words.extend(label.next_hop_name.map(|name| format!("({})", neutral(name))));
    words.join(" ")
}

/// Both classes; where they are one, with what tells the hops apart.
fn next_hops_text(change: &RouteChange<'_>) -> String {
    let (before, after) = (&change.before, &change.after);
    let text = |label: &LabelColumns<'_>| match before.next_hop_class == after.next_hop_class {
        true => hop_text(label),
        false => label.next_hop_class.as_str().to_owned(),
    };
    format!("{} → {}", text(before), text(after))
}
