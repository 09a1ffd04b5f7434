//! The result of `verify` for programs.

use std::io::{self, Write};

use serde::Serialize;
use serde::ser::Serializer;

use super::coverage_summary::{Shares, time_text};
use super::json::{Books, ByKey};
use super::neutral_json::write_json_lines;
use crate::classify::InputSummary;
use crate::coverage::{
    CoverageReport, CoverageTotals, EvidenceSource, Finding, FlowExample, FlowNote, PoolMember,
    PoolProblem, RuleTotals, Unobservable, Verdict, Way,
};
use crate::routing::NextHopClass;

/// Writes the result of a verification as one JSON object, indented, with a line end.
///
/// Holds every finding, however many, and no percentage: `denominators.expected` is what a
/// percentage counts, and `denominators.shows_percentages` tells whether one should be shown. Times
/// are RFC 3339 in UTC and all of them come from the inputs: the same report gives the same bytes.
///
/// Cost: memory for one line a finding; findings are written one by one.
///
/// # Errors
///
/// When `out` cannot be written.
///
/// # Examples
///
/// ```
/// use nexthop::coverage::CoverageReport;
/// use nexthop::report::write_coverage_json;
///
/// let mut out = Vec::new();
/// write_coverage_json(&CoverageReport::default(), &mut out)?;
/// let text = String::from_utf8(out)?;
/// assert!(text.starts_with("{\n  \"schema\": 1,\n  \"result\": \"pass\","));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub fn write_coverage_json(report: &CoverageReport, out: &mut dyn Write) -> io::Result<()> {
    write_json_lines(out, &Report::new(report))
}

#[derive(Serialize)]
struct Report<'a> {
    schema: u32,
    result: &'static str,
    version: &'static str,
    totals: ByKey<Sums>,
    denominators: Denominators,
    by_rule: Vec<Rule<'a>>,
    by_way: Vec<WayJson<'a>>,
    timeline: Timeline<'a>,
    inputs: Vec<InputJson<'a>>,
    books: Books,
    evidence_sources: Vec<EvidenceJson<'a>>,
    pools: Vec<PoolMemberJson<'a>>,
    unobservable: Vec<UnobservableJson<'a>>,
    notes: Vec<NoteJson<'a>>,
    warnings: &'a [String],
    findings: Findings<'a>,
}

/// What percentages are of, and what stands outside them.
#[derive(Serialize)]
struct Denominators {
    shows_percentages: bool,
    /// The judged flows: a rule requires a path of them, and their routes are known.
    expected: Sums,
    /// Every recorded flow, whatever the verdict.
    observed: Sums,
    /// The covered flows that a firewall showed.
    seen: Sums,
    /// Places that no log records.
    unobservable: u64,
    /// Records that could not be read.
    skipped: u64,
}

#[derive(Serialize)]
struct Rule<'a> {
    rule: &'a str,
    expected: Sums,
    /// Shown by a firewall; null for a rule that asks for none.
    seen: Option<Sums>,
    totals: ByKey<Sums>,
}

#[derive(Serialize)]
struct WayJson<'a> {
    source_group: &'a str,
    next_hop_class: &'static str,
    next_hop_name: Option<&'a str>,
    destination_group: &'a str,
    is_finding: bool,
    #[serde(flatten)]
    sums: Sums,
}

#[derive(Serialize)]
struct Timeline<'a> {
    step_ns: i64,
    steps: Steps<'a>,
}

#[derive(Serialize)]
struct Step {
    start: String,
    verdict: &'static str,
    #[serde(flatten)]
    sums: Sums,
}

/// An input with its books, or another file that was read: routes, policy, evidence.
#[derive(Serialize)]
struct InputJson<'a> {
    path: &'a str,
    sha256: Option<&'a str>,
    #[serde(flatten)]
    input: Option<InputBooks>,
}

#[derive(Serialize)]
struct InputBooks {
    format: Option<&'static str>,
    #[serde(flatten)]
    books: Books,
}

#[derive(Serialize)]
struct EvidenceJson<'a> {
    path: &'a str,
    firewall: Option<&'a str>,
    categories: &'a [String],
    from: String,
    to: String,
    records: u64,
}

#[derive(Serialize)]
struct PoolMemberJson<'a> {
    pool: &'a str,
    member: &'a str,
    address: Option<String>,
    health: Option<&'a str>,
    next_hop_class: Option<&'static str>,
    problem: Option<&'static str>,
    #[serde(flatten)]
    sums: Sums,
}

#[derive(Serialize)]
struct NoteJson<'a> {
    code: &'static str,
    message: &'a str,
    destination: String,
    firewall: &'a str,
    #[serde(flatten)]
    sums: Sums,
}

#[derive(Serialize)]
struct UnobservableJson<'a> {
    code: &'static str,
    place: &'a str,
    message: &'a str,
}

#[derive(Serialize)]
pub(super) struct FindingJson<'a> {
    verdict: &'static str,
    rule: &'a str,
    code: &'static str,
    message: &'a str,
    source: String,
    destination: String,
    route_table_id: Option<&'a str>,
    matched_prefix: Option<String>,
    next_hop_class: &'static str,
    evidence: &'a [String],
    #[serde(flatten)]
    sums: Sums,
    examples: Vec<ExampleJson<'a>>,
}

#[derive(Serialize)]
struct ExampleJson<'a> {
    start_time: String,
    source_port: Option<u16>,
    destination_port: Option<u16>,
    protocol: u8,
    source_file: &'a str,
    source_record: u64,
}

#[derive(Serialize)]
pub(super) struct Sums {
    flows: u64,
    tuples: u64,
    packets: u64,
    bytes: u64,
}

/// Written one by one: there may be many.
struct Findings<'a>(&'a [Finding]);

/// Written one by one.
struct Steps<'a>(&'a [(i64, Verdict, CoverageTotals)]);

impl<'a> Report<'a> {
    fn new(report: &'a CoverageReport) -> Self {
        Self {
            schema: 1,
            result: if report.passes() { "pass" } else { "findings" },
            version: env!("CARGO_PKG_VERSION"),
            totals: by_verdict(&report.totals),
            denominators: Denominators::new(report),
            by_rule: report.by_rule.iter().map(Rule::new).collect(),
            by_way: report.by_way.iter().map(WayJson::new).collect(),
            timeline: Timeline { step_ns: report.timeline_step_ns, steps: Steps(&report.timeline) },
            inputs: inputs(report),
            books: Books::new(&report.total),
            evidence_sources: report.evidence_sources.iter().map(EvidenceJson::new).collect(),
            pools: report.pools.iter().map(PoolMemberJson::new).collect(),
            unobservable: report.unobservable.iter().map(UnobservableJson::new).collect(),
            notes: report.notes.iter().map(NoteJson::new).collect(),
            warnings: &report.warnings,
            findings: Findings(&report.findings),
        }
    }
}

impl Denominators {
    fn new(report: &CoverageReport) -> Self {
        let mut observed = CoverageTotals::default();
        report.totals.iter().for_each(|(_, totals)| observed.add(*totals));
        Self {
            shows_percentages: report.shows_percentages,
            expected: Sums::new(report.denominator()),
            observed: Sums::new(observed),
            seen: Sums::new(report.seen),
            unobservable: report.unobservable.len() as u64,
            skipped: report.total.damaged_total(),
        }
    }
}

impl<'a> Rule<'a> {
    fn new(rule: &'a RuleTotals) -> Self {
        let shares = Shares::of_rule(rule);
        Self {
            rule: &rule.rule,
            expected: Sums::new(shares.judged),
            seen: rule.asks_firewall.then(|| Sums::new(shares.seen)),
            totals: by_verdict(&rule.totals),
        }
    }
}

impl<'a> WayJson<'a> {
    fn new((way, totals): &'a (Way, CoverageTotals)) -> Self {
        Self {
            source_group: &way.source_group,
            next_hop_class: way.next_hop_class.as_str(),
            next_hop_name: way.next_hop_name.as_deref(),
            destination_group: &way.destination_group,
            is_finding: way.is_finding,
            sums: Sums::new(*totals),
        }
    }
}

impl<'a> PoolMemberJson<'a> {
    fn new(member: &'a PoolMember) -> Self {
        Self {
            pool: &member.pool,
            member: &member.member,
            address: member.address.map(|address| address.to_string()),
            health: member.health.as_deref(),
            next_hop_class: member.next_hop_class.map(NextHopClass::as_str),
            problem: member.problem.map(PoolProblem::as_str),
            sums: Sums::new(member.totals),
        }
    }
}

impl<'a> EvidenceJson<'a> {
    fn new(source: &'a EvidenceSource) -> Self {
        Self {
            path: &source.path,
            firewall: source.firewall.as_deref(),
            categories: &source.categories,
            from: time_text(source.from_ns),
            to: time_text(source.to_ns),
            records: source.records,
        }
    }
}

impl<'a> NoteJson<'a> {
    fn new(note: &'a FlowNote) -> Self {
        Self {
            code: note.code,
            message: &note.message,
            destination: note.destination.to_string(),
            firewall: &note.firewall,
            sums: Sums::new(note.totals),
        }
    }
}

impl<'a> UnobservableJson<'a> {
    fn new(place: &'a Unobservable) -> Self {
        Self { code: place.code, place: &place.place, message: &place.message }
    }
}

impl<'a> FindingJson<'a> {
    pub(super) fn new(finding: &'a Finding) -> Self {
        Self {
            verdict: finding.verdict.as_str(),
            rule: &finding.rule,
            code: finding.code.as_str(),
            message: &finding.message,
            source: finding.source.to_string(),
            destination: finding.destination.to_string(),
            route_table_id: finding.route_table_id.as_deref(),
            matched_prefix: finding.matched_prefix.map(|prefix| prefix.to_string()),
            next_hop_class: finding.next_hop_class.as_str(),
            evidence: &finding.evidence,
            sums: Sums::new(finding.totals),
            examples: finding.examples.iter().map(ExampleJson::new).collect(),
        }
    }
}

impl<'a> ExampleJson<'a> {
    fn new(example: &'a FlowExample) -> Self {
        Self {
            start_time: time_text(example.start_time_ns),
            source_port: example.ports.map(|(source, _)| source),
            destination_port: example.ports.map(|(_, destination)| destination),
            protocol: example.protocol,
            source_file: &example.source_file,
            source_record: example.source_record,
        }
    }
}

impl Sums {
    fn new(totals: CoverageTotals) -> Self {
        let CoverageTotals { flows, tuples, packets, bytes } = totals;
        Self { flows, tuples, packets, bytes }
    }
}

impl Serialize for Findings<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_seq(self.0.iter().map(FindingJson::new))
    }
}

impl Serialize for Steps<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_seq(self.0.iter().map(|(start_ns, verdict, totals)| Step {
            start: time_text(*start_ns),
            verdict: verdict.as_str(),
            sums: Sums::new(*totals),
        }))
    }
}

/// Returns the inputs with their books, then the other files that were read.
fn inputs(report: &CoverageReport) -> Vec<InputJson<'_>> {
    let hashes: ahash::AHashMap<&str, &str> =
        report.hashes.iter().map(|(path, hash)| (path.as_str(), hash.as_str())).collect();
    let names: ahash::AHashSet<&str> =
        report.inputs.iter().map(|input| input.name.as_str()).collect();
    let inputs = report.inputs.iter().map(|input: &InputSummary| InputJson {
        path: input.name.as_str(),
        sha256: hashes.get(input.name.as_str()).copied(),
        input: Some(InputBooks {
            format: input.format.map(|format| format.as_str()),
            books: Books::new(&input.tally),
        }),
    });
    let others = report.hashes.iter().filter(|(path, _)| !names.contains(path.as_str()));
    let others = others.map(|(path, hash)| InputJson { path, sha256: Some(hash), input: None });
    inputs.chain(others).collect()
}

pub(super) fn by_verdict(totals: &[(Verdict, CoverageTotals)]) -> ByKey<Sums> {
    ByKey(totals.iter().map(|(verdict, totals)| (verdict.as_str(), Sums::new(*totals))).collect())
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;
    use crate::report::coverage_sample::{hostile_texts, sample};

    fn written(report: &CoverageReport) -> Vec<u8> {
        let mut out = Vec::new();
        write_coverage_json(report, &mut out).unwrap();
        out
    }

    fn sums(flows: u64, packets: u64, bytes: u64) -> Value {
        json!({"flows": flows, "tuples": flows * 2, "packets": packets, "bytes": bytes})
    }

    #[test]
    fn the_object_by_hand() {
        let rule = "on-premises to private endpoints";
        let books = json!({
            "bytes_read": 300_000, "records_read": 2010, "classified": 2000,
            "unknown": {"no_route_table": 5}, "not_applicable": {"not_ip": 3},
            "damaged": {"truncated": 1, "malformed_tuple": 1}
        });
        let mut input = json!({
            "path": "logs/PT1H.json", "sha256": "ab".repeat(32), "format": "vnet_v4"
        });
        input.as_object_mut().unwrap().extend(books.as_object().unwrap().clone());
        let mut value: Value = serde_json::from_slice(&written(&sample(str::to_owned))).unwrap();
        let findings = value.as_object_mut().unwrap().remove("findings").unwrap();
        assert_eq!(findings.as_array().unwrap().len(), 3);
        assert_eq!(
            findings[0],
            json!({
                "verdict": "bypass", "rule": rule, "code": "private_endpoint_bypass",
                "message": "10.13.77.6/32 InterfaceEndpoint in hub/GatewaySubnet is longer than \
                    every route to hub-firewall; set the endpoint network policy of \
                    spoke/endpoints and route 10.13.77.0/24 to 10.13.76.68",
                "source": "192.168.0.4", "destination": "10.13.77.6",
                "route_table_id": "hub/GatewaySubnet", "matched_prefix": "10.13.77.6/32",
                "next_hop_class": "private_endpoint",
                "evidence": ["logs/PT1H.json", "logs/firewall.json"],
                "flows": 2, "tuples": 4, "packets": 20, "bytes": 2_000_000,
                "examples": [{
                    "start_time": "2025-01-20T18:18:11.925475Z", "source_port": 50123,
                    "destination_port": 1433, "protocol": 6, "source_file": "logs/PT1H.json",
                    "source_record": 7
                }]
            })
        );
        for null in ["route_table_id", "matched_prefix"] {
            assert!(findings[1][null].is_null());
        }
        let all_but_findings = json!({
            "schema": 1, "result": "findings", "version": env!("CARGO_PKG_VERSION"),
            "totals": {
                "platform": sums(5, 5, 500), "not_required": sums(4, 4, 400),
                "unknown": sums(2, 2, 200), "one_way": sums(1, 10, 1000),
                "bypass": sums(2, 20, 2_000_000), "missing": sums(1, 1, 100),
                "covered": sums(7, 70, 7_000_000), "covered_unconfirmed": sums(3, 30, 3000)
            },
            "denominators": {
                "shows_percentages": true, "expected": sums(14, 131, 9_004_100),
                "observed": sums(25, 142, 9_005_200), "seen": sums(7, 70, 7_000_000), "unobservable": 1, "skipped": 2
            },
            "by_rule": [
                {"rule": rule, "expected": sums(11, 101, 9_001_100), "seen": sums(7, 70, 7_000_000), "totals": {
                    "one_way": sums(1, 10, 1000), "bypass": sums(2, 20, 2_000_000),
                    "missing": sums(1, 1, 100), "covered": sums(7, 70, 7_000_000)
                }},
                {"rule": "spoke to spoke", "expected": sums(3, 30, 3000), "seen": sums(0, 0, 0),
                    "totals": {"covered_unconfirmed": sums(3, 30, 3000)}},
                {"rule": "internet egress", "expected": sums(0, 0, 0), "seen": null, "totals": {}}
            ],
            "by_way": [
                {"source_group": "hub/GatewaySubnet", "next_hop_class": "firewall",
                    "next_hop_name": "hub-firewall", "destination_group": "private_endpoint",
                    "is_finding": false,
                    "flows": 10, "tuples": 20, "packets": 100, "bytes": 7_003_000},
                {"source_group": "hub/GatewaySubnet", "next_hop_class": "private_endpoint",
                    "next_hop_name": null, "destination_group": "private_endpoint",
                    "is_finding": true,
                    "flows": 2, "tuples": 4, "packets": 20, "bytes": 2_000_000}
            ],
            "timeline": {"step_ns": 60_000_000_000_i64, "steps": [
                {"start": "2025-01-20T18:00:00.000000Z", "verdict": "covered",
                    "flows": 7, "tuples": 14, "packets": 70, "bytes": 7_000_000},
                {"start": "2025-01-20T18:00:00.000000Z", "verdict": "bypass",
                    "flows": 1, "tuples": 2, "packets": 10, "bytes": 1_000_000},
                {"start": "2025-01-20T18:02:00.000000Z", "verdict": "bypass",
                    "flows": 1, "tuples": 2, "packets": 10, "bytes": 1_000_000}
            ]},
            "inputs": [input, {"path": "policy.toml", "sha256": "cd".repeat(32)}],
            "books": books,
            "evidence_sources": [{
                "path": "logs/firewall.json", "firewall": "hub-firewall",
                "categories": ["AZFWNetworkRule", "AZFWApplicationRule"],
                "from": "2025-01-20T18:00:00.000000Z", "to": "2025-01-20T19:00:00.000000Z",
                "records": 7
            }],
            "pools": [{
                "pool": "appgw/claims", "member": "claims.example.net", "address": null,
                "health": "Unhealthy", "next_hop_class": null, "problem": "unresolved_name",
                "flows": 0, "tuples": 0, "packets": 0, "bytes": 0
            }],
            "unobservable": [{
                "code": "app_service_integration", "place": "spoke/app-integration",
                "message": "flow logs never record the App Service instances of this subnet"
            }],
            "notes": [{
                "code": "private_endpoint_without_snat", "message": "its answers may go elsewhere",
                "destination": "10.13.77.6", "firewall": "hub-firewall",
                "flows": 7, "tuples": 14, "packets": 70, "bytes": 7_000_000
            }],
            "warnings": ["7 flows were seen at hub-firewall, though no route leads there"]
        });
        assert_eq!(value, all_but_findings);
    }

    #[test]
    fn every_text_comes_back_as_it_was() {
        for hostile in hostile_texts() {
            let bytes = written(&sample(|_| hostile.clone()));
            let value: Value = serde_json::from_slice(&bytes).unwrap();
            for pointer in [
                "/by_rule/0/rule",
                "/by_way/0/source_group",
                "/by_way/0/next_hop_name",
                "/by_way/0/destination_group",
                "/inputs/0/path",
                "/evidence_sources/0/path",
                "/evidence_sources/0/firewall",
                "/evidence_sources/0/categories/1",
                "/pools/0/pool",
                "/pools/0/member",
                "/pools/0/health",
                "/unobservable/0/place",
                "/unobservable/0/message",
                "/notes/0/message",
                "/notes/0/firewall",
                "/warnings/0",
                "/findings/0/rule",
                "/findings/0/message",
                "/findings/0/route_table_id",
                "/findings/0/evidence/1",
                "/findings/0/examples/0/source_file",
            ] {
                assert_eq!(value.pointer(pointer), Some(&json!(hostile)), "{pointer}");
            }
        }
    }

    #[test]
    fn the_same_report_gives_the_same_bytes() {
        assert_eq!(written(&sample(str::to_owned)), written(&sample(str::to_owned)));
    }
}
