//! The result of `verify` as JUnit XML.

use std::fmt::Write as _;
use std::io::{self, Write};

use super::coverage_summary::{FindingGroup, Shares, flows, remedy};
use super::display::{bytes, grouped, neutral};
use crate::coverage::CoverageReport;

/// Writes the result of a verification as JUnit XML: a test suite for each rule, and in it a failed
/// test case for each cause of findings (code and route); a rule without findings has one test case
/// that passed, or was skipped where the rule requires a path of no recorded flow.
///
/// Characters that XML cannot hold are shown as `\u{…}` or replaced. Holds no time: the same report
/// gives the same bytes.
///
/// # Errors
///
/// When `out` cannot be written.
///
/// # Examples
///
/// ```
/// use nexthop::coverage::{CoverageReport, RuleTotals};
/// use nexthop::report::write_coverage_junit;
///
/// let rule = RuleTotals { rule: "a rule".to_owned(), ..RuleTotals::default() };
/// let report = CoverageReport { by_rule: vec![rule], ..CoverageReport::default() };
/// let mut out = Vec::new();
/// write_coverage_junit(&report, &mut out)?;
/// assert!(String::from_utf8(out)?.contains("<testsuite name=\"a rule\" tests=\"1\" failures=\"0\""));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
///
/// Source: the JUnit XML schema of Apache Ant's task `junitreport`, which has no published standard;
/// Extensible Markup Language (XML) 1.0, §2.2 (characters) and §3.3.3 (attributes).
pub fn write_coverage_junit(report: &CoverageReport, out: &mut dyn Write) -> io::Result<()> {
    let groups = FindingGroup::of(&report.findings);
    let suites = suites(report, &groups);
    writeln!(out, "<?xml version=\"1.0\" encoding=\"UTF-8\"?>")?;
    writeln!(
        out,
        "<testsuites name=\"nexthop verify\" tests=\"{}\" failures=\"{}\" errors=\"0\" \
         skipped=\"{}\">",
        suites.iter().map(Suite::tests).sum::<usize>(),
        suites.iter().map(Suite::failures).sum::<usize>(),
        suites.iter().map(Suite::skipped).sum::<usize>()
    )?;
    for suite in &suites {
        write_suite(suite, out)?;
    }
    writeln!(out, "</testsuites>")
}

/// How many pairs of addresses a failure lists; the JSON has all of them.
const PAIRS_MAX: usize = 20;

/// A rule and what is wrong with it.
struct Suite<'a> {
    rule: &'a str,
    shares: Shares,
    groups: Vec<&'a FindingGroup<'a>>,
}

impl Suite<'_> {
    fn tests(&self) -> usize {
        self.groups.len().max(1)
    }

    fn failures(&self) -> usize {
        self.groups.len()
    }

    fn skipped(&self) -> usize {
        usize::from(self.groups.is_empty() && self.shares.judged.flows == 0)
    }
}

/// Returns a suite for each rule of the policy, and for each other rule that findings name.
fn suites<'a>(report: &'a CoverageReport, groups: &'a [FindingGroup<'a>]) -> Vec<Suite<'a>> {
    let mut suites: Vec<Suite<'a>> = Vec::new();
    for rule in &report.by_rule {
        let shares = Shares::of_rule(rule);
        suites.push(Suite { rule: &rule.rule, shares, groups: Vec::new() });
    }
    for group in groups {
        let rule = group.cause.rule;
        match suites.iter_mut().find(|suite| suite.rule == rule) {
            Some(suite) => suite.groups.push(group),
            None => {
                suites.push(Suite { rule, shares: Shares::default(), groups: vec![group] });
            }
        }
    }
    suites
}

fn write_suite(suite: &Suite<'_>, out: &mut dyn Write) -> io::Result<()> {
    let rule = escaped(suite.rule);
    writeln!(
        out,
        "  <testsuite name=\"{rule}\" tests=\"{}\" failures=\"{}\" errors=\"0\" skipped=\"{}\">",
        suite.tests(),
        suite.failures(),
        suite.skipped()
    )?;
    for group in &suite.groups {
        write_failure(&rule, group, out)?;
    }
    if suite.groups.is_empty() {
        write!(
            out,
            "    <testcase classname=\"{rule}\" name=\"every flow takes the required path\""
        )?;
        if suite.skipped() == 0 {
            writeln!(out, "/>")?;
        } else {
            writeln!(out, ">")?;
            writeln!(
                out,
                "      <skipped message=\"the rule requires a path of no recorded flow whose routes \
                 are known\"/>"
            )?;
            writeln!(out, "    </testcase>")?;
        }
    }
    writeln!(out, "  </testsuite>")
}

fn write_failure(rule: &str, group: &FindingGroup<'_>, out: &mut dyn Write) -> io::Result<()> {
    let FindingGroup { cause, totals, findings } = group;
    let code = cause.code;
    let name = escaped(&format!("{code}: {}", cause.route()));
    let message = escaped(group.message());
    writeln!(out, "    <testcase classname=\"{rule}\" name=\"{name}\">")?;
    writeln!(out, "      <failure type=\"{code}\" message=\"{message}\">")?;
    writeln!(out, "{}", escaped(code.description()))?;
    writeln!(out, "{}", escaped(remedy(code)))?;
    writeln!(out, "{}, {}:", flows(totals.flows), bytes(totals.bytes))?;
    for finding in findings.iter().take(PAIRS_MAX) {
        let sums = finding.totals;
        writeln!(
            out,
            "{} → {}: {}, {}: {}",
            finding.source,
            finding.destination,
            flows(sums.flows),
            bytes(sums.bytes),
            escaped(&finding.message)
        )?;
    }
    if let more @ 1.. = findings.len().saturating_sub(PAIRS_MAX) {
        writeln!(out, "and {} more pairs; the full list is in the JSON", grouped(more as u64))?;
    }
    writeln!(out, "</failure>")?;
    writeln!(out, "    </testcase>")
}

/// Returns text from outside as content or attribute value, in either quotes.
///
/// Controls and line ends are gone after [`neutral`], so that attributes keep their value; what
/// XML has no way to write is left, two code points that are no characters.
fn escaped(text: &str) -> String {
    let text = neutral(text);
    let mut xml = String::with_capacity(text.len() + 16);
    for character in text.chars() {
        match character {
            '&' => xml.push_str("&amp;"),
            '<' => xml.push_str("&lt;"),
            '>' => xml.push_str("&gt;"),
            '"' => xml.push_str("&quot;"),
            '\'' => xml.push_str("&apos;"),
            '\u{FFFE}' | '\u{FFFF}' => {
                write!(xml, "\\u{{{:x}}}", u32::from(character)).expect("a string takes any text");
            }
            _ => xml.push(character),
        }
    }
    xml
}

#[cfg(test)]
mod tests {
    use roxmltree::Document;

    use super::*;
    use crate::coverage::FindingCode;
    use crate::report::coverage_sample::{finding, hostile_texts, sample};

    fn written(report: &CoverageReport) -> String {
        let mut out = Vec::new();
        write_coverage_junit(report, &mut out).unwrap();
        String::from_utf8(out).unwrap()
    }

    #[test]
    fn a_suite_a_rule_and_a_case_a_cause() {
        let xml = written(&sample(str::to_owned));
        let document = Document::parse(&xml).unwrap();
        let root = document.root_element();
        let counts = |node: roxmltree::Node<'_, '_>| {
            ["tests", "failures", "errors", "skipped"]
                .map(|name| node.attribute(name).unwrap().parse::<usize>().unwrap())
        };
        assert_eq!(counts(root), [5, 3, 0, 1]);
        let suites: Vec<_> = root.children().filter(|node| node.is_element()).collect();
        let shown: Vec<_> =
            suites.iter().map(|suite| (suite.attribute("name").unwrap(), counts(*suite))).collect();
        assert_eq!(
            shown,
            [
                ("on-premises to private endpoints", [3, 3, 0, 0]),
                ("spoke to spoke", [1, 0, 0, 0]),
                ("internet egress", [1, 0, 0, 1]),
            ]
        );
        let names: Vec<_> =
            suites[0].children().filter_map(|case| case.attribute("name")).collect();
        assert_eq!(
            names,
            [
                "private_endpoint_bypass: hub/GatewaySubnet: 10.13.77.6/32 → private_endpoint",
                "one_way: table not named: no_route",
                "missing_evidence: hub/GatewaySubnet: 10.13.77.0/24 → firewall",
            ]
        );
        let failure = document.descendants().find(|node| node.has_tag_name("failure")).unwrap();
        assert_eq!(failure.attribute("type"), Some("private_endpoint_bypass"));
        assert!(failure.attribute("message").unwrap().starts_with("10.13.77.6/32 Interface"));
        assert!(failure.text().unwrap().contains("192.168.0.4 → 10.13.77.6: 2 flows, 1.9 MiB: "));
    }

    #[test]
    fn hostile_texts_are_well_formed_and_come_back() {
        for hostile in hostile_texts() {
            let xml = written(&sample(|_| hostile.clone()));
            let document = Document::parse(&xml).unwrap_or_else(|e| panic!("{hostile:?}: {e}"));
            let suite = document.descendants().find(|node| node.has_tag_name("testsuite"));
            let want = neutral(&hostile).replace('\u{fffe}', "\\u{fffe}");
            let want = want.replace('\u{ffff}', "\\u{ffff}");
            assert_eq!(suite.unwrap().attribute("name"), Some(want.as_str()));
            for node in document.descendants().filter(roxmltree::Node::is_element) {
                let tag = node.tag_name().name();
                let known = ["testsuites", "testsuite", "testcase", "failure", "skipped"];
                assert!(known.contains(&tag), "{tag}");
            }
        }
    }

    #[test]
    fn a_rule_that_only_findings_name_is_not_lost() {
        let mut report = sample(str::to_owned);
        report.by_rule.clear();
        report.findings =
            vec![finding(FindingCode::PeeringBypass, "other", "t", "10.0.0.0/8", 1); 25];
        let xml = written(&report);
        assert!(xml.contains("<testsuite name=\"other\" tests=\"1\" failures=\"1\""), "{xml}");
        assert!(xml.contains("and 5 more pairs; the full list is in the JSON"));
    }

    #[test]
    fn the_same_report_gives_the_same_bytes() {
        assert_eq!(written(&sample(str::to_owned)), written(&sample(str::to_owned)));
    }
}
