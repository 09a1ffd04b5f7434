//! The result of `verify` as SARIF 2.1.0, for what gathers findings of many tools.

#[cfg(test)]
mod tests;

use std::fmt::Write as _;
use std::io::{self, Write};

use ahash::AHashMap;
use serde::Serialize;
use serde::ser::Serializer;

use super::coverage_summary::{remedy, result_sentence};
use super::display::neutral;
use super::neutral_json::write_json_lines;
use crate::coverage::{CoverageReport, Finding, FindingCode, Unobservable};

/// Writes the result of a verification as one SARIF 2.1.0 log with one run.
///
/// Rules are the codes of findings, each with help; every code is there, whether found or not, so
/// that its index never changes. Each finding is a result whose logical location is the route table
/// that decides and whose artifact is the input that shows its first flow. Artifacts carry the
/// SHA-256 of what was read. `partialFingerprints` names code, addresses and rule: it stays the same
/// from run to run while the finding does. Warnings and unobservable places are notifications.
/// Holds no time: the same report gives the same bytes.
///
/// # Errors
///
/// When `out` cannot be written.
///
/// # Examples
///
/// ```
/// use nexthop::coverage::CoverageReport;
/// use nexthop::report::write_coverage_sarif;
///
/// let mut out = Vec::new();
/// write_coverage_sarif(&CoverageReport::default(), &mut out)?;
/// assert!(String::from_utf8(out)?.contains("\"version\": \"2.1.0\""));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
///
/// Source: OASIS, "Static Analysis Results Interchange Format (SARIF) Version 2.1.0 Plus Errata 01",
/// §3.11 (messages), §3.14 (run), §3.24 (artifact), §3.27 (result), §3.49 (rules).
pub fn write_coverage_sarif(report: &CoverageReport, out: &mut dyn Write) -> io::Result<()> {
    write_json_lines(out, &Log::new(report))
}

#[derive(Serialize)]
struct Log<'a> {
    #[serde(rename = "$schema")]
    schema: &'static str,
    version: &'static str,
    runs: [Run<'a>; 1],
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Run<'a> {
    tool: Tool,
    invocations: [Invocation; 1],
    artifacts: Vec<Artifact<'a>>,
    results: Results<'a>,
    column_kind: &'static str,
}

#[derive(Serialize)]
struct Tool {
    driver: Driver,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Driver {
    name: &'static str,
    semantic_version: &'static str,
    rules: Vec<Rule>,
    notifications: [Rule; 2],
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Rule {
    id: &'static str,
    short_description: Text,
    full_description: Text,
    help: Text,
    default_configuration: Configuration,
}

#[derive(Serialize)]
struct Configuration {
    level: &'static str,
}

#[derive(Serialize)]
struct Text {
    text: String,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Invocation {
    execution_successful: bool,
    exit_code_description: String,
    tool_execution_notifications: Vec<Notification>,
}

#[derive(Serialize)]
struct Notification {
    descriptor: Descriptor,
    level: &'static str,
    message: Text,
}

#[derive(Serialize)]
struct Descriptor {
    id: &'static str,
    index: usize,
}

#[derive(Serialize)]
struct Artifact<'a> {
    location: Uri,
    #[serde(skip_serializing_if = "Option::is_none")]
    hashes: Option<Hashes<'a>>,
}

#[derive(Serialize)]
struct Uri {
    uri: String,
}

#[derive(Serialize)]
struct Hashes<'a> {
    #[serde(rename = "sha-256")]
    sha_256: &'a str,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct SarifResult<'a> {
    rule_id: &'static str,
    rule_index: usize,
    kind: &'static str,
    level: &'static str,
    message: Text,
    locations: Vec<Location<'a>>,
    partial_fingerprints: Fingerprints,
    properties: Properties<'a>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Location<'a> {
    #[serde(skip_serializing_if = "Option::is_none")]
    physical_location: Option<PhysicalLocation>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    logical_locations: Vec<LogicalLocation<'a>>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct PhysicalLocation {
    artifact_location: ArtifactLocation,
}

#[derive(Serialize)]
struct ArtifactLocation {
    uri: String,
    index: usize,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct LogicalLocation<'a> {
    name: &'a str,
    fully_qualified_name: &'a str,
    kind: &'static str,
}

#[derive(Serialize)]
struct Fingerprints {
    #[serde(rename = "nexthopFinding/v1")]
    finding: String,
}

/// What a viewer shows of a finding beside its message.
#[derive(Serialize)]
struct Properties<'a> {
    rule: &'a str,
    verdict: &'static str,
    source: String,
    destination: String,
    matched_prefix: Option<String>,
    next_hop_class: &'static str,
    evidence: &'a [String],
    flows: u64,
    tuples: u64,
    packets: u64,
    bytes: u64,
}

/// The files that were read, then the others that findings name; each once.
struct Artifacts<'a> {
    list: Vec<Artifact<'a>>,
    places: AHashMap<&'a str, usize>,
}

/// Written one by one: there may be many.
struct Results<'a> {
    findings: &'a [Finding],
    artifacts: AHashMap<&'a str, usize>,
}

impl<'a> Log<'a> {
    fn new(report: &'a CoverageReport) -> Self {
        let Artifacts { list, places } = Artifacts::of(report);
        let run = Run {
            tool: Tool { driver: Driver::new() },
            invocations: [Invocation::new(report)],
            artifacts: list,
            results: Results { findings: &report.findings, artifacts: places },
            column_kind: "utf16CodeUnits",
        };
        Self {
            schema: "https://json.schemastore.org/sarif-2.1.0.json",
            version: "2.1.0",
            runs: [run],
        }
    }
}

impl Driver {
    fn new() -> Self {
        Self {
            name: "nexthop",
            semantic_version: env!("CARGO_PKG_VERSION"),
            rules: FindingCode::ALL.map(Rule::of).into(),
            notifications: [
                Rule::notification(
                    WARNING,
                    "warning",
                    "What limits the answer.",
                    "A warning changes no verdict.",
                ),
                Rule::notification(
                    UNOBSERVABLE,
                    "note",
                    "Traffic that no log ever shows.",
                    "Verify these places by other means: they stand outside every share.",
                ),
            ],
        }
    }
}

impl Rule {
    fn of(code: FindingCode) -> Self {
        Self {
            id: code.as_str(),
            short_description: Text::ours(code.description()),
            full_description: Text::ours(&format!("{} {}", code.description(), remedy(code))),
            help: Text::ours(remedy(code)),
            default_configuration: Configuration { level: "error" },
        }
    }

    fn notification(id: &'static str, level: &'static str, description: &str, help: &str) -> Self {
        Self {
            id,
            short_description: Text::ours(description),
            full_description: Text::ours(description),
            help: Text::ours(help),
            default_configuration: Configuration { level },
        }
    }
}

const WARNING: &str = "warning";
const UNOBSERVABLE: &str = "unobservable";

impl Invocation {
    fn new(report: &CoverageReport) -> Self {
        let warnings = report.warnings.iter().map(|warning| Notification {
            descriptor: Descriptor { id: WARNING, index: 0 },
            level: "warning",
            message: Text::message(warning),
        });
        let unobservable = report.unobservable.iter().map(|place| {
            let Unobservable { code, place, message } = place;
            Notification {
                descriptor: Descriptor { id: UNOBSERVABLE, index: 1 },
                level: "note",
                message: Text::message(&format!("{code}: {place}: {message}")),
            }
        });
        Self {
            // The run itself succeeded; findings are its result.
            execution_successful: true,
            exit_code_description: result_sentence(report),
            tool_execution_notifications: warnings.chain(unobservable).collect(),
        }
    }
}

impl Text {
    /// A text of our own, which needs no escapes.
    fn ours(text: &str) -> Self {
        debug_assert!(!text.contains(['{', '}', '[', ']']), "{text}");
        Self { text: text.to_owned() }
    }

    /// A message that holds text from outside: braces would be placeholders, and brackets links.
    fn message(text: &str) -> Self {
        let text = neutral(text);
        let mut escaped = String::with_capacity(text.len() + 16);
        for character in text.chars() {
            match character {
                '{' => escaped.push_str("{{"),
                '}' => escaped.push_str("}}"),
                '[' | ']' | '\\' => escaped.extend(['\\', character]),
                _ => escaped.push(character),
            }
        }
        Self { text: escaped }
    }
}

impl<'a> Artifacts<'a> {
    fn of(report: &'a CoverageReport) -> Self {
        let mut artifacts = Self { list: Vec::new(), places: AHashMap::new() };
        for (path, hash) in &report.hashes {
            artifacts.add(path, Some(hash));
        }
        for input in &report.inputs {
            artifacts.add(input.name.as_str(), None);
        }
        for path in report.findings.iter().filter_map(place_of) {
            artifacts.add(path, None);
        }
        artifacts
    }

    fn add(&mut self, path: &'a str, hash: Option<&'a str>) {
        let Self { list, places } = self;
        places.entry(path).or_insert_with(|| {
            let hashes = hash.map(|sha_256| Hashes { sha_256 });
            list.push(Artifact { location: Uri { uri: uri_of(path) }, hashes });
            list.len() - 1
        });
    }
}

impl Serialize for Results<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let results = self.findings.iter();
        serializer.collect_seq(results.map(|finding| SarifResult::new(finding, &self.artifacts)))
    }
}

impl<'a> SarifResult<'a> {
    fn new(finding: &'a Finding, artifacts: &AHashMap<&str, usize>) -> Self {
        let totals = finding.totals;
        let code = finding.code;
        Self {
            rule_id: code.as_str(),
            rule_index: FindingCode::ALL
                .iter()
                .position(|other| *other == code)
                .expect("every code is in the list of all"),
            kind: "fail",
            level: "error",
            message: Text::message(&format!(
                "{} → {}: {}",
                finding.source, finding.destination, finding.message
            )),
            locations: locations(finding, artifacts),
            partial_fingerprints: Fingerprints {
                // The rule comes last: it is the only part that may hold a separator.
                finding: format!(
                    "{code}/{}/{}/{}",
                    finding.source, finding.destination, finding.rule
                ),
            },
            properties: Properties {
                rule: &finding.rule,
                verdict: finding.verdict.as_str(),
                source: finding.source.to_string(),
                destination: finding.destination.to_string(),
                matched_prefix: finding.matched_prefix.map(|prefix| prefix.to_string()),
                next_hop_class: finding.next_hop_class.as_str(),
                evidence: &finding.evidence,
                flows: totals.flows,
                tuples: totals.tuples,
                packets: totals.packets,
                bytes: totals.bytes,
            },
        }
    }
}

/// Returns at most one location: without an input and a table there is nothing to point at.
fn locations<'a>(finding: &'a Finding, artifacts: &AHashMap<&str, usize>) -> Vec<Location<'a>> {
    let place = place_of(finding).and_then(|path| Some((path, *artifacts.get(path)?)));
    let physical_location = place.map(|(path, index)| PhysicalLocation {
        artifact_location: ArtifactLocation { uri: uri_of(path), index },
    });
    let table = finding.route_table_id.iter().map(|table| LogicalLocation {
        name: table.rsplit('/').next().unwrap_or(table),
        fully_qualified_name: table,
        kind: "resource",
    });
    let location = Location { physical_location, logical_locations: table.collect() };
    let is_empty = location.physical_location.is_none() && location.logical_locations.is_empty();
    if is_empty { Vec::new() } else { vec![location] }
}

/// Returns the input that shows the first flow of a finding.
fn place_of(finding: &Finding) -> Option<&str> {
    let example = finding.examples.first().map(|example| example.source_file.as_str());
    example.or_else(|| finding.evidence.first().map(String::as_str))
}

/// Returns a path as a relative or absolute reference (RFC 3986 §4.2): only what needs no escape
/// stays, so that no part of it can be a scheme, an authority, a query or a fragment. The scheme of
/// a remote input stays as well.
fn uri_of(path: &str) -> String {
    let (scheme, path) = match path.strip_prefix("az://") {
        Some(rest) => ("az://", rest),
        // Two slashes would start an authority.
        None if path.starts_with("//") => ("/.", path),
        None => ("", path),
    };
    let mut uri = scheme.to_owned();
    for byte in path.bytes() {
        if byte.is_ascii_alphanumeric() || b"-._~/".contains(&byte) {
            uri.push(char::from(byte));
        } else {
            write!(uri, "%{byte:02X}").expect("a string takes any text");
        }
    }
    uri
}
