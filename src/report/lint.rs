//! The faults of a snapshot, for people and for programs.

use std::io::{self, Write};

use serde::Serialize;

use super::display::neutral;
use super::neutral_json::write_json_lines;
use crate::fib::count_by_severity;
use crate::routing::{Finding, Severity};

/// Writes a line for each finding, its code first, and one that counts them.
///
/// # Errors
///
/// When it cannot be written.
pub fn write_lint_text(
    out: &mut dyn Write,
    findings: &[Finding],
    is_coloured: bool,
) -> io::Result<()> {
    for finding in findings {
        let place = [
            finding.route_table_id.clone(),
            finding.resource.as_ref().map(|id| id.as_str().to_owned()),
        ];
        let place: Vec<String> = place.into_iter().flatten().collect();
        let place =
            if place.is_empty() { String::new() } else { format!(" [{}]", place.join(", ")) };
        let (start, end) = match (is_coloured, finding.severity) {
            (true, Severity::Error) => ("\u{1b}[31m", "\u{1b}[0m"),
            _ => ("", ""),
        };
        writeln!(
            out,
            "{start}{}{end} {}: {}{}",
            finding.code,
            finding.severity,
            neutral(&finding.message),
            neutral(&place)
        )?;
    }
    let counts = count_by_severity(findings);
    let count = |severity| counts.get(&severity).copied().unwrap_or(0);
    writeln!(
        out,
        "{} errors, {} warnings, {} notes",
        count(Severity::Error),
        count(Severity::Warning),
        count(Severity::Note)
    )
}

/// Writes the findings as one JSON object.
///
/// # Errors
///
/// When it cannot be written.
pub fn write_lint_json(out: &mut dyn Write, findings: &[Finding]) -> io::Result<()> {
    let findings = findings.iter().map(FindingJson::of).collect();
    write_json_lines(out, &LintJson { schema: 1, findings })
}

#[derive(Serialize)]
struct LintJson<'a> {
    schema: u32,
    findings: Vec<FindingJson<'a>>,
}

#[derive(Serialize)]
struct FindingJson<'a> {
    code: &'a str,
    severity: &'static str,
    message: &'a str,
    resource: Option<&'a str>,
    route_table_id: Option<&'a str>,
    address_prefix: Option<String>,
}

impl<'a> FindingJson<'a> {
    fn of(finding: &'a Finding) -> Self {
        Self {
            code: finding.code,
            severity: finding.severity.as_str(),
            message: &finding.message,
            resource: finding.resource.as_ref().map(|id| id.as_str()),
            route_table_id: finding.route_table_id.as_deref(),
            address_prefix: finding.address_prefix.map(|prefix| prefix.to_string()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn finding() -> Finding {
        Finding::new("phantom_next_hop", Severity::Error, "10.9.0.0/16 goes \u{1b}[2J nowhere")
            .in_table("spoke/apps")
            .at("10.9.0.0/16".parse().unwrap())
    }

    #[test]
    fn text_starts_with_the_code_and_ends_with_the_counts() {
        let mut out = Vec::new();
        write_lint_text(&mut out, &[finding()], false).unwrap();
        let text = String::from_utf8(out).unwrap();
        assert!(text.starts_with("phantom_next_hop error: 10.9.0.0/16 goes "), "{text}");
        assert!(text.ends_with(" [spoke/apps]\n1 errors, 0 warnings, 0 notes\n"), "{text}");
        assert!(!text.contains('\u{1b}'), "{text}");
    }

    #[test]
    fn json_has_every_key_of_the_contract() {
        let mut out = Vec::new();
        write_lint_json(&mut out, &[finding()]).unwrap();
        let value: serde_json::Value = serde_json::from_slice(&out).unwrap();
        assert_eq!(value["schema"], 1);
        let one = &value["findings"][0];
        assert_eq!(one["code"], "phantom_next_hop");
        assert_eq!(one["severity"], "error");
        assert_eq!(one["route_table_id"], "spoke/apps");
        assert_eq!(one["address_prefix"], "10.9.0.0/16");
        assert!(one["resource"].is_null());
    }
}
