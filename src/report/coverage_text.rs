//! The result of `verify` for people.

use std::io::{self, Write};

use super::SummaryOptions;
use super::coverage_summary::{
    FindingGroup, Shares, counted, flows, result_sentence, result_word, service, share, time_short,
    withheld,
};
use super::display::{bytes, grouped, neutral};
use super::table::{Align, Table};
use super::text::{DAMAGED, Page, reasons};
use crate::coverage::{CoverageReport, Finding, FlowExample, PoolMember, PoolProblem, Verdict};
use crate::routing::NextHopClass;

/// Writes the result of a verification, made for 80 to 100 columns: the verdict and why, coverage
/// by rule, the worst offenders with the route that causes each and the change that would mend it,
/// then what limits the answer: what cannot be observed, the evidence, warnings, and the books.
///
/// Percentages stand beside what they are percentages of, and are withheld where the report says
/// so. Every text from outside is [neutral](super::display::neutral).
///
/// # Errors
///
/// When `out` cannot be written.
///
/// # Examples
///
/// ```
/// use nexthop::coverage::CoverageReport;
/// use nexthop::report::{SummaryOptions, write_coverage_text};
///
/// let mut out = Vec::new();
/// write_coverage_text(&CoverageReport::default(), SummaryOptions::default(), &mut out)?;
/// assert!(String::from_utf8(out)?.starts_with("PASS: nothing was verified"));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub fn write_coverage_text(
    report: &CoverageReport,
    options: SummaryOptions,
    out: &mut dyn Write,
) -> io::Result<()> {
    let mut page = CoveragePage { page: Page::new(out, options), report };
    page.result()?;
    page.rules()?;
    page.verdicts()?;
    page.offenders()?;
    page.pools()?;
    page.unobservable()?;
    page.evidence()?;
    page.notes()?;
    page.warnings()?;
    page.page.inputs(&report.inputs)?;
    page.left_out()?;
    page.page.books(&report.total)
}

/// The width of running text.
const COLUMNS: usize = 96;

/// How many causes are shown unless all are asked for.
const GROUPS_MAX: usize = 10;

/// How many pairs of addresses are shown of each cause unless all are asked for.
const PAIRS_MAX: usize = 3;

struct CoveragePage<'a> {
    page: Page<'a>,
    report: &'a CoverageReport,
}

impl CoveragePage<'_> {
    fn result(&mut self) -> io::Result<()> {
        let line = format!("{}: {}", result_word(self.report), result_sentence(self.report));
        // The colour goes around whole lines, so that it never changes where they break.
        let colour = if self.report.passes() { "\u{1b}[32m" } else { "\u{1b}[31m" };
        for line in wrapped(&line, COLUMNS) {
            if self.page.options.is_coloured {
                writeln!(self.page.out, "{colour}{line}\u{1b}[0m")?;
            } else {
                writeln!(self.page.out, "{line}")?;
            }
        }
        if let Some(why) = withheld(self.report) {
            writeln!(self.page.out, "{why}")?;
        }
        writeln!(self.page.out)
    }

    fn rules(&mut self) -> io::Result<()> {
        let mut table = Table::new([
            ("judged", Align::Right),
            ("bytes", Align::Right),
            ("as required", Align::Right),
            ("of flows", Align::Right),
            ("of bytes", Align::Right),
            ("seen", Align::Right),
            ("fail", Align::Right),
            ("rule", Align::Left),
        ]);
        let mut line = |shares: Shares, asks_firewall: bool, name: String| {
            let Shares { judged, as_required, seen, failing } = shares;
            table.line([
                grouped(judged.flows),
                bytes(judged.bytes),
                grouped(as_required.flows),
                share(self.report, as_required.flows, judged.flows),
                share(self.report, as_required.bytes, judged.bytes),
                match asks_firewall {
                    true => share(self.report, seen.flows, judged.flows),
                    false => "-".to_owned(),
                },
                grouped(failing.flows),
                name,
            ]);
            if failing.flows > 0 {
                table.mark_last();
            }
        };
        for rule in &self.report.by_rule {
            line(Shares::of_rule(rule), rule.asks_firewall, neutral(&rule.rule).into_owned());
        }
        let asks_firewall = self.report.by_rule.iter().any(|rule| rule.asks_firewall);
        line(
            Shares::of_report(self.report),
            asks_firewall,
            "(all rules, each flow once)".to_owned(),
        );
        self.page.table(
            "Coverage by rule; judged: its path is required and known; seen: at a firewall",
            &table,
        )
    }

    fn verdicts(&mut self) -> io::Result<()> {
        let judged = Shares::of_report(self.report).judged;
        let mut table = Table::new([
            ("verdict", Align::Left),
            ("flows", Align::Right),
            ("tuples", Align::Right),
            ("packets", Align::Right),
            ("bytes", Align::Right),
            ("of flows", Align::Right),
        ]);
        for (verdict, totals) in &self.report.totals {
            table.line([
                verdict.as_str().to_owned(),
                grouped(totals.flows),
                grouped(totals.tuples),
                grouped(totals.packets),
                bytes(totals.bytes),
                if verdict.counts_in_percentages() {
                    share(self.report, totals.flows, judged.flows)
                } else {
                    String::new()
                },
            ]);
            if verdict.is_finding() || *verdict == Verdict::Unknown {
                table.mark_last();
            }
        }
        let heading = format!(
            "Verdicts; shares are of {}",
            counted(judged.flows, "judged flow", "judged flows")
        );
        self.page.table(&heading, &table)
    }

    fn offenders(&mut self) -> io::Result<()> {
        let groups = FindingGroup::of(&self.report.findings);
        if groups.is_empty() {
            return Ok(());
        }
        let heading = format!(
            "Worst offenders by bytes: {} of {}",
            counted(self.report.findings.len() as u64, "finding", "findings"),
            counted(groups.len() as u64, "cause", "causes"),
        );
        self.page.heading(&heading)?;
        let groups_max = self.max(GROUPS_MAX);
        for (index, group) in groups.iter().take(groups_max).enumerate() {
            self.group(index + 1, group)?;
        }
        match groups.len().saturating_sub(groups_max) {
            0 => Ok(()),
            more => writeln!(self.page.out, "     … and {} more causes", grouped(more as u64)),
        }
    }

    fn group(&mut self, number: usize, group: &FindingGroup<'_>) -> io::Result<()> {
        let FindingGroup { cause, totals, findings } = group;
        let head = format!(
            "{number:>3}. {}: {}, {}",
            cause.code,
            flows(totals.flows),
            bytes(totals.bytes)
        );
        if self.page.options.is_coloured {
            writeln!(self.page.out, "\u{1b}[31m{head}\u{1b}[0m")?;
        } else {
            writeln!(self.page.out, "{head}")?;
        }
        self.field("rule", cause.rule)?;
        self.field("route", &cause.route())?;
        self.field("why", group.message())?;
        let pairs_max = self.max(PAIRS_MAX);
        for finding in findings.iter().take(pairs_max) {
            self.field("pair", &pair(finding))?;
        }
        match findings.len().saturating_sub(pairs_max) {
            0 => Ok(()),
            more => self.field("", &format!("… and {} more pairs", grouped(more as u64))),
        }
    }

    fn pools(&mut self) -> io::Result<()> {
        let mut table = Table::new([
            ("flows", Align::Right),
            ("bytes", Align::Right),
            ("first hop", Align::Left),
            ("health", Align::Left),
            ("problem", Align::Left),
            ("pool", Align::Left),
            ("member", Align::Left),
        ]);
        // What is wrong first, so that it is not what a long list leaves out.
        let mut members: Vec<&PoolMember> = self.report.pools.iter().collect();
        members.sort_by_key(|member| member.problem.is_none());
        let lines_max = self.page.lines_max();
        for member in members.iter().take(lines_max) {
            table.line([
                grouped(member.totals.flows),
                bytes(member.totals.bytes),
                member.next_hop_class.map_or("", NextHopClass::as_str).to_owned(),
                neutral(member.health.as_deref().unwrap_or_default()).into_owned(),
                member.problem.map_or("", PoolProblem::as_str).to_owned(),
                neutral(&member.pool).into_owned(),
                neutral(&member.member).into_owned(),
            ]);
            if member.problem.is_some() {
                table.mark_last();
            }
        }
        self.page.table("Backend pools of application gateways", &table)?;
        match members.len().saturating_sub(lines_max) {
            0 => Ok(()),
            _ => self.page.and_more(members.len(), "members"),
        }
    }

    fn unobservable(&mut self) -> io::Result<()> {
        let places = &self.report.unobservable;
        if places.is_empty() {
            return Ok(());
        }
        self.page.heading("Never recorded, and outside every share")?;
        let lines_max = self.page.lines_max();
        for place in places.iter().take(lines_max) {
            self.item(&format!("{}: {}: {}", place.code, place.place, place.message))?;
        }
        self.page.and_more(places.len(), "places")
    }

    fn evidence(&mut self) -> io::Result<()> {
        let sources = &self.report.evidence_sources;
        if sources.is_empty() {
            return Ok(());
        }
        self.page.heading("Evidence, with the window that each source covers")?;
        let lines_max = self.page.lines_max();
        for source in sources.iter().take(lines_max) {
            self.item(&format!(
                "{} to {} UTC, {}, firewall {}, categories {}: {}",
                time_short(source.from_ns),
                time_short(source.to_ns),
                counted(source.records, "record", "records"),
                source.firewall.as_deref().unwrap_or("not named"),
                source.categories.join(" "),
                source.path
            ))?;
        }
        self.page.and_more(sources.len(), "sources")
    }

    fn notes(&mut self) -> io::Result<()> {
        let notes = &self.report.notes;
        if notes.is_empty() {
            return Ok(());
        }
        self.page.heading("Notes")?;
        let lines_max = self.page.lines_max();
        for note in notes.iter().take(lines_max) {
            let sums = format!("{}, {}", flows(note.totals.flows), bytes(note.totals.bytes));
            self.item(&format!("{}: {sums}: {}", note.code, note.message))?;
        }
        self.page.and_more(notes.len(), "notes")
    }

    fn warnings(&mut self) -> io::Result<()> {
        let warnings = &self.report.warnings;
        if warnings.is_empty() {
            return Ok(());
        }
        self.page.heading("Warnings")?;
        let lines_max = self.page.lines_max();
        for warning in warnings.iter().take(lines_max) {
            self.item(warning)?;
        }
        self.page.and_more(warnings.len(), "warnings")
    }

    /// Shows the records that got no label, by reason, without any share: these are not what
    /// coverage is a part of.
    fn left_out(&mut self) -> io::Result<()> {
        let mut table =
            Table::new([("records", Align::Right), ("what", Align::Left), ("reason", Align::Left)]);
        for reason in reasons(&self.report.total) {
            table.line([grouped(reason.records), reason.what.to_owned(), reason.reason.to_owned()]);
            if reason.what == DAMAGED {
                table.mark_last();
            }
        }
        self.page.table("Records without a label", &table)?;
        self.page.first_damages(&self.report.inputs)
    }

    /// Writes one field of a group, wrapped below itself.
    fn field(&mut self, name: &str, text: &str) -> io::Result<()> {
        let lines = wrapped(&neutral(text), COLUMNS - 12);
        for (index, line) in lines.iter().enumerate() {
            let name = if index == 0 { name } else { "" };
            writeln!(self.page.out, "{}", format!("     {name:<5}  {line}").trim_end())?;
        }
        Ok(())
    }

    fn item(&mut self, text: &str) -> io::Result<()> {
        for (index, line) in wrapped(&neutral(text), COLUMNS - 4).iter().enumerate() {
            let bullet = if index == 0 { '-' } else { ' ' };
            writeln!(self.page.out, "{}", format!("  {bullet} {line}").trim_end())?;
        }
        Ok(())
    }

    fn max(&self, max: usize) -> usize {
        if self.page.options.is_complete { usize::MAX } else { max }
    }
}

fn pair(finding: &Finding) -> String {
    let mut text = format!(
        "{} → {}: {}, {}",
        finding.source,
        finding.destination,
        flows(finding.totals.flows),
        bytes(finding.totals.bytes)
    );
    if let Some(example) = finding.examples.first() {
        text.push_str(", first ");
        text.push_str(&example_text(example));
    } else if let Some(place) = finding.evidence.first() {
        text.push_str(", seen in ");
        text.push_str(place);
    }
    text
}

/// Returns where and when a flow was seen; holds text from outside.
fn example_text(example: &FlowExample) -> String {
    format!(
        "{} at {} UTC in {} record {}",
        service(example),
        time_short(example.start_time_ns),
        example.source_file,
        grouped(example.source_record)
    )
}

/// Breaks text at its spaces into lines of at most `columns` characters, but for words that are
/// longer, which stay whole so that they can be copied. At least one line.
pub(super) fn wrapped(text: &str, columns: usize) -> Vec<String> {
    let mut lines = vec![String::new()];
    let mut width = 0;
    for word in text.split(' ') {
        let word_width = word.chars().count();
        let line = lines.last_mut().expect("it starts with one");
        if width > 0 && width + 1 + word_width > columns {
            lines.push(word.to_owned());
            width = word_width;
            continue;
        }
        if width > 0 {
            line.push(' ');
            width += 1;
        }
        line.push_str(word);
        width += word_width;
    }
    lines
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::coverage::FindingCode;
    use crate::report::coverage_sample::{finding, hostile_texts, sample};

    fn shown(report: &CoverageReport, options: SummaryOptions) -> String {
        let mut out = Vec::new();
        write_coverage_text(report, options, &mut out).unwrap();
        String::from_utf8(out).unwrap()
    }

    #[test]
    fn the_page_by_hand() {
        // Judged: 1 + 2 + 1 + 7 + 3 = 14 flows of 1,000 + 2,000,000 + 100 + 7,000,000 + 3,000
        // bytes = 8.59 MiB; as required 10 of 14 = 71.4 %, by bytes 7,003,000 of 9,004,100 = 77.8 %;
        // seen 7 of 14. Without the rule of 3 flows: 7 of 11 = 63.6 %.
        let want = "\
FINDINGS: 4 of 14 judged flows (1.9 MiB) do not take the path that a rule requires: 3 findings
(1 private_endpoint_bypass, 1 one_way, 1 missing_evidence); 2 flows could not be judged, because
the routes are not known.

Coverage by rule; judged: its path is required and known; seen: at a firewall
  judged    bytes  as required  of flows  of bytes    seen  fail  rule
      11  8.6 MiB            7    63.6 %    77.8 %  63.6 %     4  on-premises to private endpoints
       3  2.9 KiB            3   100.0 %   100.0 %   0.0 %     0  spoke to spoke
       0      0 B            0         -         -       -     0  internet egress
      14  8.6 MiB           10    71.4 %    77.8 %  50.0 %     4  (all rules, each flow once)

Verdicts; shares are of 14 judged flows
  verdict              flows  tuples  packets    bytes  of flows
  platform                 5      10        5    500 B
  not_required             4       8        4    400 B
  unknown                  2       4        2    200 B
  one_way                  1       2       10   1000 B     7.1 %
  bypass                   2       4       20  1.9 MiB    14.3 %
  missing                  1       2        1    100 B     7.1 %
  covered                  7      14       70  6.7 MiB    50.0 %
  covered_unconfirmed      3       6       30  2.9 KiB    21.4 %

Worst offenders by bytes: 3 findings of 3 causes
  1. private_endpoint_bypass: 2 flows, 1.9 MiB
     rule   on-premises to private endpoints
     route  hub/GatewaySubnet: 10.13.77.6/32 → private_endpoint
     why    10.13.77.6/32 InterfaceEndpoint in hub/GatewaySubnet is longer than every route to
            hub-firewall; set the endpoint network policy of spoke/endpoints and route
            10.13.77.0/24 to 10.13.76.68
";
        let page = shown(&sample(str::to_owned), SummaryOptions::default());
        assert_eq!(&page[..page.len().min(want.len())], want);
        let rest = "\
     pair   192.168.0.4 → 10.13.77.6: 2 flows, 1.9 MiB, first TCP 1433 at 2025-01-20 18:18:11
            UTC in logs/PT1H.json record 7
";
        assert!(page.contains(rest), "{page}");
        let end = "
Never recorded, and outside every share
  - app_service_integration: spoke/app-integration: flow logs never record the App Service
    instances of this subnet

Evidence, with the window that each source covers
  - 2025-01-20 18:00:00 to 2025-01-20 19:00:00 UTC, 7 records, firewall hub-firewall, categories
    AZFWNetworkRule AZFWApplicationRule: logs/firewall.json

Notes
  - private_endpoint_without_snat: 7 flows, 6.7 MiB: its answers may go elsewhere

Warnings
  - 7 flows were seen at hub-firewall, though no route leads there

Inputs: 1
  format   records       read  input
  vnet_v4    2,010  293.0 KiB  logs/PT1H.json

Records without a label
  records  what            reason
        1  damaged         truncated
        1  damaged         malformed_tuple
        5  unknown         no_route_table
        3  not applicable  not_ip

First damage
  logs/PT1H.json: record 42, byte 999: malformed_tuple: port `x`
  logs/PT1H.json: record 43, byte 1999: truncated: cut

2,010 records read = 2,000 classified + 5 unknown + 3 not applicable + 2 damaged
";
        assert!(page.ends_with(end), "{page}");
    }

    #[test]
    fn nothing_from_outside_steers_the_terminal() {
        for hostile in hostile_texts() {
            let page = shown(&sample(|_| hostile.clone()), SummaryOptions::default());
            for character in page.chars() {
                assert!(character == '\n' || !character.is_control(), "{hostile:?}");
                let reorders = matches!(character, '\u{61c}' | '\u{200e}' | '\u{200f}'
                    | '\u{2028}'..='\u{202e}' | '\u{2066}'..='\u{2069}');
                assert!(!reorders, "{hostile:?}");
            }
        }
    }

    #[test]
    fn a_withheld_percentage_stands_nowhere() {
        let mut report = sample(str::to_owned);
        assert!(shown(&report, SummaryOptions::default()).contains(" %"));
        report.shows_percentages = false;
        let page = shown(&report, SummaryOptions::default());
        assert!(!page.contains('%'), "{page}");
        assert!(page.contains(
            "Percentages are withheld: 2 of 2,010 records were damaged, more than 1 in 1,000."
        ));
    }

    #[test]
    fn colour_changes_nothing_but_colour() {
        let report = sample(str::to_owned);
        let plain = shown(&report, SummaryOptions::default());
        let coloured =
            shown(&report, SummaryOptions { is_coloured: true, ..SummaryOptions::default() });
        assert_ne!(plain, coloured);
        let mut stripped = coloured;
        for escape in ["\u{1b}[1m", "\u{1b}[31m", "\u{1b}[2m", "\u{1b}[0m"] {
            stripped = stripped.replace(escape, "");
        }
        assert_eq!(stripped, plain);
    }

    #[test]
    fn long_lists_are_cut_and_say_so() {
        let mut report = sample(str::to_owned);
        report.findings = (0..12)
            .flat_map(|table| {
                let table = format!("table-{table:02}");
                let one = finding(FindingCode::PeeringBypass, "r", &table, "10.0.0.0/8", 1);
                vec![one; 5]
            })
            .collect();
        let page = shown(&report, SummaryOptions::default());
        assert_eq!(page.matches("peering_bypass: 5 flows, 5 B\n").count(), 10);
        assert_eq!(page.matches("     pair   192").count(), 30);
        assert_eq!(page.matches("            … and 2 more pairs\n").count(), 10);
        assert!(page.contains("     … and 2 more causes\n"), "{page}");
        let options = SummaryOptions { is_complete: true, ..SummaryOptions::default() };
        let page = shown(&report, options);
        assert_eq!(page.matches("     pair   192").count(), 60);
        assert!(!page.contains("… and"), "{page}");
    }

    #[test]
    fn lines_break_at_spaces_and_words_stay_whole() {
        assert_eq!(wrapped("aa bb cc", 5), ["aa bb", "cc"]);
        assert_eq!(wrapped("aa bbbbbbbb cc", 5), ["aa", "bbbbbbbb", "cc"]);
        assert_eq!(wrapped("", 5), [""]);
        assert_eq!(wrapped("größe ü", 7), ["größe ü"]);
    }
}
