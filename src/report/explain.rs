//! Explanations of single packets, for people and for programs.

use std::io::{self, Write};
use std::net::IpAddr;

use serde::Serialize;

use super::display::neutral;
use super::neutral_json::write_json;
use super::table::{Align, Table};
use crate::fib::{Fib, Path};
use crate::routing::{BackendMember, Candidate, Explanation};

/// Everything that is said about one packet.
#[derive(Debug)]
pub struct ExplainReport<'t> {
    /// Where the packet starts, as the user named it.
    pub source: String,
    /// The address that it starts from, where one is known.
    pub source_address: Option<SourceAddress>,
    /// The member of a backend pool that the destination is, where the user asked for a pool.
    pub target: Option<PoolTarget<'t>>,
    /// The table that was asked.
    pub route_table_id: &'t str,
    /// Its decision.
    pub explanation: Explanation<'t>,
    /// The way of the packet; the worst of several.
    pub path: Path,
    /// The other ways: hops of equal cost may part.
    pub other_paths: Vec<Path>,
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
    /// The way of the answer; the worst of several.
    pub path: Path,
    /// The other ways.
    pub other_paths: Vec<Path>,
}

/// A member of a backend pool.
#[derive(Clone, Copy, Debug)]
pub struct PoolTarget<'t> {
    /// `GATEWAY/POOL`.
    pub pool: &'t str,
    /// The member.
    pub member: &'t BackendMember,
}

/// An address that packets start from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SourceAddress {
    /// The address.
    pub address: IpAddr,
    /// Where it comes from.
    pub basis: SourceBasis,
}

/// Where the address of a source comes from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SourceBasis {
    /// The user named it.
    Given,
    /// It is the NIC's that the user named.
    Nic,
    /// It is the first that a machine of the subnet may have: one stands for all.
    Subnet,
}

impl SourceBasis {
    /// Returns the word that stands in every output.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Given => "given",
            Self::Nic => "nic",
            Self::Subnet => "first_of_subnet",
        }
    }
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
    let ways = (&report.path, report.other_paths.as_slice());
    let decision = DecisionJson::of(&report.explanation, report.route_table_id, ways, fib);
    let (way_back, return_reason) = match &report.way_back {
        Ok(back) => {
            let ways = (&back.path, back.other_paths.as_slice());
            (Some(DecisionJson::of(&back.explanation, back.route_table_id, ways, fib)), None)
        }
        Err(reason) => (None, Some(*reason)),
    };
    let source_address = report.source_address;
    let object = ExplainJson {
        schema: 1,
        source: &report.source,
        source_address: source_address.map(|source| source.address),
        source_address_basis: source_address.map(|source| source.basis.as_str()),
        target: report.target.map(TargetJson::of),
        decision,
        way_back,
        return_reason,
    };
    write_json(out, &object)?;
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
    if let Some(target) = report.target {
        writeln!(out, "{}", neutral(&target_text(target)))?;
    }
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
    for path in &report.other_paths {
        writeln!(out, "  or at equal cost: {}", neutral(&path_text(fib, path)))?;
    }
    match &report.way_back {
        Ok(back) => {
            writeln!(
                out,
                "  return{}: {}; {}",
                neutral(&receiver_text(report)),
                neutral(&decision_text(&back.explanation, back.route_table_id)),
                neutral(&path_text(fib, &back.path))
            )?;
            for path in &back.other_paths {
                writeln!(out, "  or at equal cost: {}", neutral(&path_text(fib, path)))?;
            }
            Ok(())
        }
        Err(reason) => writeln!(out, "  return: not known ({reason})"),
    }
}

/// Writes one JSON object about a member whose address is not known, and a line end.
///
/// # Errors
///
/// When it cannot be written.
pub fn write_unknown_member_json(out: &mut dyn Write, target: PoolTarget<'_>) -> io::Result<()> {
    let object = UnknownMemberJson {
        schema: 1,
        target: TargetJson::of(target),
        destination: None,
        reason: "address_unknown",
    };
    write_json(out, &object)?;
    out.write_all(b"\n")
}

/// Writes a line about a member whose address is not known.
///
/// # Errors
///
/// When it cannot be written.
pub fn write_unknown_member_text(out: &mut dyn Write, target: PoolTarget<'_>) -> io::Result<()> {
    writeln!(out, "{}: the snapshot does not tell its address", neutral(&target_text(target)))
}

#[derive(Serialize)]
struct UnknownMemberJson<'a> {
    schema: u32,
    #[serde(flatten)]
    target: TargetJson<'a>,
    destination: Option<IpAddr>,
    reason: &'static str,
}

#[derive(Serialize)]
struct TargetJson<'a> {
    pool: &'a str,
    member: &'a str,
    owner: Option<&'a str>,
    health: Option<&'a str>,
}

impl<'a> TargetJson<'a> {
    fn of(target: PoolTarget<'a>) -> Self {
        let BackendMember { name, owner, health, .. } = target.member;
        Self { pool: target.pool, member: name, owner: owner.as_deref(), health: health.as_deref() }
    }
}

fn target_text(target: PoolTarget<'_>) -> String {
    let BackendMember { name, owner, health, .. } = target.member;
    let mut words = vec![format!("{}: {name}", target.pool)];
    words.extend(owner.iter().filter(|owner| *owner != name).map(|owner| format!("of {owner}")));
    words.extend(health.iter().map(|health| format!("({health})")));
    words.join(" ")
}

#[derive(Serialize)]
struct ExplainJson<'a> {
    schema: u32,
    source: &'a str,
    source_address: Option<IpAddr>,
    source_address_basis: Option<&'static str>,
    #[serde(flatten)]
    target: Option<TargetJson<'a>>,
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
    /// Where hops of equal cost part.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    other_paths: Vec<PathJson<'a>>,
}

#[derive(Serialize)]
struct PathJson<'a> {
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
        (path, others): (&Path, &[Path]),
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
            path: HopJson::of_path(path, fib),
            outcome: path.outcome.as_str(),
            other_paths: others
                .iter()
                .map(|path| PathJson {
                    path: HopJson::of_path(path, fib),
                    outcome: path.outcome.as_str(),
                })
                .collect(),
        }
    }
}

impl<'a> HopJson<'a> {
    fn of_path(path: &Path, fib: &'a Fib) -> Vec<Self> {
        path.hops
            .iter()
            .map(|hop| {
                let next_hop = hop.next_hop.map(|id| fib.next_hop(id));
                Self {
                    route_table_id: &fib.info(hop.table).id,
                    next_hop_class: hop.class.as_str(),
                    next_hop_type: next_hop.map(|hop| hop.next_hop_type.as_str()),
                    next_hop_ips: next_hop.map_or(&[], |hop| hop.ips.as_slice()),
                }
            })
            .collect()
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

/// Whom the answer goes to, where the user did not say it.
fn receiver_text(report: &ExplainReport<'_>) -> String {
    match report.source_address {
        Some(SourceAddress { address, basis: SourceBasis::Nic }) => {
            format!(" to {address} of {}", report.source)
        }
        Some(SourceAddress { address, basis: SourceBasis::Subnet }) => {
            format!(" to {address}, which stands for {}", report.source)
        }
        Some(SourceAddress { basis: SourceBasis::Given, .. }) | None => String::new(),
    }
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
