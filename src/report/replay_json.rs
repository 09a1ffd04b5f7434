//! The result of `replay` for programs.

use std::cell::RefCell;
use std::collections::{BTreeMap, BTreeSet};
use std::io::{self, Write};
use std::ops::ControlFlow;
use std::sync::Arc;

use serde::Serialize;
use serde::ser::{SerializeSeq, Serializer};

use super::coverage_json::{self, FindingJson};
use super::coverage_summary::time_text;
use super::json::{Books, ByKey};
use super::neutral_json::write_json_lines;
use crate::classify::{InputSummary, LabelColumns, Totals};
use crate::coverage::FindingCode;
use crate::net::protocol;
use crate::replay::{
    ChangedFlow, ChangedFlows, ReplayReport, RouteChange, Transition, VerdictChange,
    VerdictChanges, VerdictTransition,
};

/// Writes the result of a replay as one JSON object, indented, with a line end.
///
/// Holds every changed flow, the most bytes first, however many; they are written one by one. Times
/// are RFC 3339 in UTC and all of them come from the inputs: the same report gives the same bytes.
///
/// # Errors
///
/// When `out` cannot be written, or the room of the changed flows fails.
pub fn write_replay_json(report: ReplayReport<'_>, out: &mut dyn Write) -> io::Result<()> {
    let flows = FlowsJson {
        failed: RefCell::new(None),
        flows: RefCell::new(Some(report.flows)),
        changes: &report.route_changes,
        files: &report.files,
    };
    let summary = &report.summary;
    let hashes: BTreeMap<&str, &str> =
        report.hashes.iter().map(|(path, hash)| (path.as_str(), hash.as_str())).collect();
    let inputs: BTreeSet<&str> = summary.inputs.iter().map(|input| input.name.as_str()).collect();
    let files = hashes.iter().filter(|(path, _)| !inputs.contains(*path));
    let json = Report {
        schema: 1,
        version: env!("CARGO_PKG_VERSION"),
        records: summary.total.records_read,
        changed: report.changed.flows,
        changed_flows: flows.flows.borrow().as_ref().map_or(0, ChangedFlows::len),
        changed_sums: Sums::new(report.changed),
        all: Sums::new(report.all),
        other_route: Sums::new(report.other_route),
        way_back: Sums::new(report.way_back),
        transitions: report.transitions.iter().map(TransitionJson::new).collect(),
        route_changes: report.route_changes.iter().map(RouteChangeJson::new).collect(),
        inputs: summary.inputs.iter().map(|input| InputJson::new(input, &hashes)).collect(),
        files: files.map(|(path, sha256)| FileJson { path, sha256 }).collect(),
        books: Books::new(&summary.total),
        after: AfterJson {
            classified: report.after.classified,
            unknown: ByKey(
                report.after.unknown.iter().map(|(reason, n)| (reason.as_str(), *n)).collect(),
            ),
        },
        has_partial_flows: summary.has_partial_flows,
        verdicts: report.verdicts.as_ref().map(VerdictsJson::new),
        flows: &flows,
    };
    let written = write_json_lines(out, &json);
    // What the serializer says of a failed room is no error of `out`.
    flows.failed.take().map_or(written, Err)
}

#[derive(Serialize)]
struct Report<'a> {
    schema: u32,
    version: &'static str,
    records: u64,
    changed: u64,
    /// How many `flows` there are: what was recorded of one is together there.
    changed_flows: u64,
    changed_sums: Sums,
    all: Sums,
    other_route: Sums,
    way_back: Sums,
    transitions: Vec<TransitionJson>,
    route_changes: Vec<RouteChangeJson<'a>>,
    inputs: Vec<InputJson<'a>>,
    files: Vec<FileJson<'a>>,
    #[serde(flatten)]
    books: Books,
    /// The books by the labels of the snapshot after.
    after: AfterJson,
    has_partial_flows: bool,
    /// Null without a policy.
    verdicts: Option<VerdictsJson<'a>>,
    flows: &'a FlowsJson<'a>,
}

#[derive(Serialize)]
struct VerdictsJson<'a> {
    changed: Sums,
    transitions: Vec<TransitionJson>,
    changes: Vec<VerdictChangeJson>,
    before: BeforeJson<'a>,
    after: AfterFindingsJson<'a>,
}

#[derive(Serialize)]
struct VerdictChangeJson {
    source: String,
    destination: String,
    before: &'static str,
    before_code: Option<&'static str>,
    after: &'static str,
    after_code: Option<&'static str>,
    #[serde(flatten)]
    sums: Sums,
}

#[derive(Serialize)]
struct BeforeJson<'a> {
    totals: ByKey<coverage_json::Sums>,
    findings: Vec<OldFinding<'a>>,
}

#[derive(Serialize)]
struct OldFinding<'a> {
    is_resolved: bool,
    #[serde(flatten)]
    finding: FindingJson<'a>,
}

#[derive(Serialize)]
struct AfterFindingsJson<'a> {
    totals: ByKey<coverage_json::Sums>,
    findings: Vec<NewFinding<'a>>,
}

#[derive(Serialize)]
struct NewFinding<'a> {
    is_new: bool,
    #[serde(flatten)]
    finding: FindingJson<'a>,
}

#[derive(Serialize)]
struct Sums {
    flows: u64,
    packets: u64,
    bytes: u64,
}

#[derive(Serialize)]
struct TransitionJson {
    before: &'static str,
    after: &'static str,
    #[serde(flatten)]
    sums: Sums,
}

#[derive(Serialize)]
struct RouteChangeJson<'a> {
    before: RouteJson<'a>,
    after: RouteJson<'a>,
    reason: &'static str,
    opposite_reason: &'static str,
    #[serde(flatten)]
    sums: Sums,
}

/// A label, as far as routes make it.
#[derive(Serialize)]
struct RouteJson<'a> {
    route_table_id: Option<&'a str>,
    route_table_basis: Option<&'static str>,
    matched_prefix: Option<String>,
    route_source: Option<&'a str>,
    next_hop_type: Option<&'a str>,
    next_hop_ips: Vec<String>,
    next_hop_name: Option<&'a str>,
    next_hop_class: &'static str,
}

#[derive(Serialize)]
struct InputJson<'a> {
    path: &'a str,
    sha256: Option<&'a str>,
    format: Option<&'static str>,
    #[serde(flatten)]
    books: Books,
}

/// Another file that was read: of a snapshot, or the policy.
#[derive(Serialize)]
struct FileJson<'a> {
    path: &'a str,
    sha256: &'a str,
}

#[derive(Serialize)]
struct AfterJson {
    classified: u64,
    unknown: ByKey<u64>,
}

#[derive(Serialize)]
struct FlowJson<'a> {
    source: String,
    destination: String,
    source_port: Option<u16>,
    destination_port: Option<u16>,
    protocol: u8,
    protocol_name: Option<&'static str>,
    direction: Option<&'static str>,
    before: &'static str,
    after: &'static str,
    reason: &'static str,
    opposite_reason: &'static str,
    #[serde(flatten)]
    sums: Sums,
    start_time: String,
    end_time: String,
    before_route: RouteJson<'a>,
    after_route: RouteJson<'a>,
    source_file: &'a str,
    source_record: u64,
}

/// Written one by one: there may be many.
struct FlowsJson<'a> {
    /// Taken when they are written, which happens once.
    flows: RefCell<Option<ChangedFlows>>,
    failed: RefCell<Option<io::Error>>,
    changes: &'a [RouteChange<'a>],
    files: &'a [Arc<str>],
}

impl Sums {
    fn new(totals: Totals) -> Self {
        let Totals { flows, packets, bytes } = totals;
        Self { flows, packets, bytes }
    }
}

impl TransitionJson {
    fn new(transition: &Transition) -> Self {
        Self {
            before: transition.before.as_str(),
            after: transition.after.as_str(),
            sums: Sums::new(transition.totals),
        }
    }
}

impl<'a> VerdictsJson<'a> {
    fn new(verdicts: &'a VerdictChanges) -> Self {
        let VerdictChanges { before, after, is_resolved, is_new, .. } = verdicts;
        let transition = |one: &VerdictTransition| TransitionJson {
            before: one.before.as_str(),
            after: one.after.as_str(),
            sums: Sums::new(one.totals),
        };
        let old = before.findings.iter().zip(is_resolved);
        let new = after.findings.iter().zip(is_new);
        Self {
            changed: Sums::new(verdicts.changed()),
            transitions: verdicts.transitions.iter().map(transition).collect(),
            changes: verdicts.changes.iter().map(VerdictChangeJson::new).collect(),
            before: BeforeJson {
                totals: coverage_json::by_verdict(&before.totals),
                findings: old
                    .map(|(finding, &is_resolved)| OldFinding {
                        is_resolved,
                        finding: FindingJson::new(finding),
                    })
                    .collect(),
            },
            after: AfterFindingsJson {
                totals: coverage_json::by_verdict(&after.totals),
                findings: new
                    .map(|(finding, &is_new)| NewFinding {
                        is_new,
                        finding: FindingJson::new(finding),
                    })
                    .collect(),
            },
        }
    }
}

impl VerdictChangeJson {
    fn new(change: &VerdictChange) -> Self {
        let code = |code: Option<FindingCode>| code.map(FindingCode::as_str);
        Self {
            source: change.source.to_string(),
            destination: change.destination.to_string(),
            before: change.before.as_str(),
            before_code: code(change.before_code),
            after: change.after.as_str(),
            after_code: code(change.after_code),
            sums: Sums::new(change.totals),
        }
    }
}

impl<'a> RouteChangeJson<'a> {
    fn new(change: &'a RouteChange<'a>) -> Self {
        Self {
            before: RouteJson::new(&change.before),
            after: RouteJson::new(&change.after),
            reason: change.reason,
            opposite_reason: change.opposite_reason,
            sums: Sums::new(change.totals),
        }
    }
}

impl<'a> RouteJson<'a> {
    fn new(label: &LabelColumns<'a>) -> Self {
        let ips = label.next_hop_ips.into_iter().flatten();
        Self {
            route_table_id: label.route_table_id,
            route_table_basis: label.route_table_basis.map(|basis| basis.as_str()),
            matched_prefix: label.matched_prefix.map(|prefix| prefix.to_string()),
            route_source: label.route_source,
            next_hop_type: label.next_hop_type,
            next_hop_ips: ips.map(ToString::to_string).collect(),
            next_hop_name: label.next_hop_name,
            next_hop_class: label.next_hop_class.as_str(),
        }
    }
}

impl<'a> InputJson<'a> {
    fn new(input: &'a InputSummary, hashes: &BTreeMap<&str, &'a str>) -> Self {
        Self {
            path: input.name.as_str(),
            sha256: hashes.get(input.name.as_str()).copied(),
            format: input.format.map(|format| format.as_str()),
            books: Books::new(&input.tally),
        }
    }
}

impl<'a> FlowJson<'a> {
    fn new(flow: &ChangedFlow, changes: &'a [RouteChange<'a>], files: &'a [Arc<str>]) -> Self {
        let change = &changes[flow.change];
        Self {
            source: flow.source.to_string(),
            destination: flow.destination.to_string(),
            source_port: flow.ports.map(|(source, _)| source),
            destination_port: flow.ports.map(|(_, destination)| destination),
            protocol: flow.protocol,
            protocol_name: protocol::name(flow.protocol),
            direction: flow.direction.map(|direction| direction.as_str()),
            before: change.before.next_hop_class.as_str(),
            after: change.after.next_hop_class.as_str(),
            reason: change.reason,
            opposite_reason: change.opposite_reason,
            sums: Sums { flows: flow.rows, packets: flow.packets, bytes: flow.bytes },
            start_time: time_text(flow.start_time_ns),
            end_time: time_text(flow.end_time_ns),
            before_route: RouteJson::new(&change.before),
            after_route: RouteJson::new(&change.after),
            source_file: &files[flow.file],
            source_record: flow.record,
        }
    }
}

impl Serialize for FlowsJson<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut list = serializer.serialize_seq(None)?;
        let mut refused = Ok(());
        let flows = self.flows.take().expect("flows are written once");
        let given = flows.for_each(|flow| {
            refused = list.serialize_element(&FlowJson::new(flow, self.changes, self.files));
            Ok(if refused.is_ok() { ControlFlow::Continue(()) } else { ControlFlow::Break(()) })
        });
        refused?;
        self.failed.replace(given.err());
        list.end()
    }
}
