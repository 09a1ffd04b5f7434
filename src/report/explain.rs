//! Explanations of single packets, for people and for programs.

use std::io::{self, Write};
use std::net::IpAddr;

use serde::Serialize;

use super::display::neutral;
use super::table::{Align, Table};
use crate::fib::{Fib, Path};
use crate::routing::{Candidate, Explanation};

/// Everything that is said about one packet.
#[derive(Debug)]
pub struct ExplainReport<'t> {
    /// Where the packet starts, as the user named it.
    pub source: String,
    /// The table that was asked.
    pub route_table_id: &'t str,
    /// Its decision.
    pub explanation: Explanation<'t>,
    /// The way of the packet.
    pub path: Path,
    /// The way back, or a stable code for why it is not known.
    pub way_back: Result<WayBack<'t>, &'static str>,
}

/// The way back of a packet: from its destination's table.
#[derive(Debug)]
pub struct WayBack<'t> {
    /// The table that the destination uses.
    pub route_table_id: &'t str,
    /// Its decision about the source.
    pub explanation: Explanation<'t>,
    /// The way of the answer.
    pub path: Path,
}

/// Writes one JSON object and a line end.
///
/// # Errors
///
/// When it cannot be written.
pub fn write_explain_json(
    out: &mut dyn Write,
    fib: &Fib,
    report: &ExplainReport<'_>,
) -> io::Result<()> {
    let decision = DecisionJson::of(&report.explanation, report.route_table_id, &report.path, fib);
    let (way_back, return_reason) = match &report.way_back {
        Ok(back) => {
            (Some(DecisionJson::of(&back.explanation, back.route_table_id, &back.path, fib)), None)
        }
        Err(reason) => (None, Some(*reason)),
    };
    let object =
        ExplainJson { schema: 1, source: &report.source, decision, way_back, return_reason };
    serde_json::to_writer(&mut *out, &object)?;
    out.write_all(b"\n")
}

/// Writes some lines for people.
///
/// # Errors
///
/// When they cannot be written.
pub fn write_explain_text(
    out: &mut dyn Write,
    fib: &Fib,
    report: &ExplainReport<'_>,
    is_coloured: bool,
) -> io::Result<()> {
    let explanation = &report.explanation;
    writeln!(
        out,
        "{} → {}: {}",
        neutral(&report.source),
        explanation.destination,
        explanation.class
    )?;
    writeln!(out, "  {}", neutral(&decision_text(explanation, report.route_table_id)))?;
    write_candidates(out, &explanation.candidates, is_coloured)?;
    writeln!(out, "  path: {}", neutral(&path_text(fib, &report.path)))?;
    match &report.way_back {
        Ok(back) => writeln!(
            out,
            "  return: {}; {}",
            neutral(&decision_text(&back.explanation, back.route_table_id)),
            neutral(&path_text(fib, &back.path))
        ),
        Err(reason) => writeln!(out, "  return: not known ({reason})"),
    }
}

#[derive(Serialize)]
struct ExplainJson<'a> {
    schema: u32,
    source: &'a str,
    #[serde(flatten)]
    decision: DecisionJson<'a>,
    #[serde(rename = "return")]
    way_back: Option<DecisionJson<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    return_reason: Option<&'static str>,
}

#[derive(Serialize)]
struct DecisionJson<'a> {
    destination: IpAddr,
    route_table_id: &'a str,
    next_hop_class: &'static str,
    next_hop_type: Option<String>,
    next_hop_ips: Vec<IpAddr>,
    next_hop_name: Option<String>,
    matched_prefix: Option<String>,
    route_source: Option<String>,
    reason: &'static str,
    candidates: Vec<CandidateJson<'a>>,
    path: Vec<HopJson<'a>>,
    outcome: &'static str,
}

#[derive(Serialize)]
struct CandidateJson<'a> {
    address_prefix: String,
    route_source: &'a str,
    state: &'a str,
    next_hop_type: &'a str,
    next_hop_ips: &'a [IpAddr],
    #[serde(skip_serializing_if = "Option::is_none")]
    name: Option<&'a str>,
    selected: bool,
    reason: &'static str,
}

#[derive(Serialize)]
struct HopJson<'a> {
    route_table_id: &'a str,
    next_hop_class: &'static str,
    next_hop_type: Option<&'a str>,
    next_hop_ips: &'a [IpAddr],
}

impl<'a> DecisionJson<'a> {
    fn of(
        explanation: &'a Explanation<'a>,
        route_table_id: &'a str,
        path: &Path,
        fib: &'a Fib,
    ) -> Self {
        let next_hop = explanation.next_hop.as_ref();
        Self {
            destination: explanation.destination,
            route_table_id,
            next_hop_class: explanation.class.as_str(),
            next_hop_type: next_hop.map(|hop| hop.next_hop_type.as_str().to_owned()),
            next_hop_ips: next_hop.map(|hop| hop.ips.to_vec()).unwrap_or_default(),
            next_hop_name: next_hop.and_then(|hop| hop.name.clone()),
            matched_prefix: explanation.matched_prefix.map(|prefix| prefix.to_string()),
            route_source: explanation
                .route_source
                .as_ref()
                .map(|source| source.as_str().to_owned()),
            reason: explanation.reason,
            candidates: explanation.candidates.iter().map(CandidateJson::of).collect(),
            path: path
                .hops
                .iter()
                .map(|hop| {
                    let next_hop = hop.next_hop.map(|id| fib.next_hop(id));
                    HopJson {
                        route_table_id: &fib.info(hop.table).id,
                        next_hop_class: hop.class.as_str(),
                        next_hop_type: next_hop.map(|hop| hop.next_hop_type.as_str()),
                        next_hop_ips: next_hop.map_or(&[], |hop| hop.ips.as_slice()),
                    }
                })
                .collect(),
            outcome: path.outcome.as_str(),
        }
    }
}

impl<'a> CandidateJson<'a> {
    fn of(candidate: &'a Candidate<'a>) -> Self {
        let row = candidate.row;
        Self {
            address_prefix: row.destination.to_string(),
            route_source: row.source.as_str(),
            state: row.shown_state(),
            next_hop_type: row.next_hop_type.as_str(),
            next_hop_ips: &row.next_hop_ips,
            name: row.name.as_deref(),
            selected: candidate.is_selected,
            reason: candidate.reason,
        }
    }
}

fn decision_text(explanation: &Explanation<'_>, route_table_id: &str) -> String {
    let Some(hop) = &explanation.next_hop else {
        return match explanation.reason {
            "platform" => "an address of Azure's platform; no route applies".to_owned(),
            reason => format!("{reason} in {route_table_id}"),
        };
    };
    let ips: Vec<String> = hop.ips.iter().map(ToString::to_string).collect();
    let name = hop.name.as_ref().map(|name| format!(" ({name})")).unwrap_or_default();
    let at = if ips.is_empty() { String::new() } else { format!(" {}", ips.join(" ")) };
    let prefix = explanation.matched_prefix.map(|prefix| prefix.to_string()).unwrap_or_default();
    let source = explanation.route_source.as_ref().map_or("", |source| source.as_str());
    format!("{}{at}{name} by {source} {prefix} of {route_table_id}", hop.next_hop_type.as_str())
}

fn path_text(fib: &Fib, path: &Path) -> String {
    let hops: Vec<String> =
        path.hops.iter().map(|hop| format!("{} ({})", fib.info(hop.table).id, hop.class)).collect();
    format!("{} → {}", hops.join(" → "), path.outcome)
}

fn write_candidates(
    out: &mut dyn Write,
    candidates: &[Candidate<'_>],
    is_coloured: bool,
) -> io::Result<()> {
    if candidates.is_empty() {
        return Ok(());
    }
    let mut table = Table::new([
        ("", Align::Left),
        ("Address prefix", Align::Left),
        ("Source", Align::Left),
        ("State", Align::Left),
        ("Next hop type", Align::Left),
        ("Next hop IP", Align::Left),
        ("Reason", Align::Left),
    ]);
    for candidate in candidates {
        let row = candidate.row;
        let ips: Vec<String> = row.next_hop_ips.iter().map(ToString::to_string).collect();
        let cell = |text: &str| neutral(text).into_owned();
        table.line([
            if candidate.is_selected { "*" } else { "" }.to_owned(),
            cell(&row.destination.to_string()),
            cell(row.source.as_str()),
            cell(row.shown_state()),
            cell(row.next_hop_type.as_str()),
            ips.join(" "),
            candidate.reason.to_owned(),
        ]);
    }
    table.write(out, is_coloured)
}
