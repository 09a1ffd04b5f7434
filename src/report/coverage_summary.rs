//! What every report of a verification says in the same words: the verdict on the whole, the shares
//! of each rule, findings of one cause together, and how each is mended.

use std::cmp::Reverse;

use ahash::AHashMap;
use jiff::Timestamp;

use super::display::{bytes, grouped, percent};
use crate::coverage::{
    CoverageReport, CoverageTotals, Finding, FindingCode, FlowExample, RuleTotals, Verdict,
};
use crate::net::AddressPrefix;
use crate::routing::NextHopClass;

/// Findings with the same cause: one change mends them all.
#[derive(Debug)]
pub(super) struct FindingGroup<'a> {
    pub(super) cause: Cause<'a>,
    pub(super) totals: CoverageTotals,
    /// At least one, in the order of the report.
    pub(super) findings: Vec<&'a Finding>,
}

/// What a finding shares with others.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(super) struct Cause<'a> {
    pub(super) code: FindingCode,
    pub(super) rule: &'a str,
    pub(super) route_table_id: Option<&'a str>,
    pub(super) matched_prefix: Option<AddressPrefix>,
    pub(super) next_hop_class: NextHopClass,
}

/// The sums that the percentages of a rule, or of the whole, are made of.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Shares {
    /// A rule requires a path of them, and their routes are known: what percentages count.
    pub(super) judged: CoverageTotals,
    /// They take the path.
    pub(super) as_required: CoverageTotals,
    /// And a firewall showed them.
    pub(super) seen: CoverageTotals,
    /// They fail the run.
    pub(super) failing: CoverageTotals,
}

impl<'a> FindingGroup<'a> {
    /// Gathers findings by cause: most bytes first, then most flows, then by cause.
    ///
    /// Cost: one map over the findings, and a sort of the causes.
    pub(super) fn of(findings: &'a [Finding]) -> Vec<Self> {
        let mut places: AHashMap<Cause<'a>, usize> = AHashMap::new();
        let mut groups: Vec<Self> = Vec::new();
        for finding in findings {
            let cause = Cause::of(finding);
            let place = *places.entry(cause).or_insert_with(|| {
                let totals = CoverageTotals::default();
                groups.push(Self { cause, totals, findings: Vec::new() });
                groups.len() - 1
            });
            groups[place].totals.add(finding.totals);
            groups[place].findings.push(finding);
        }
        groups.sort_by_key(|group| {
            (Reverse(group.totals.bytes), Reverse(group.totals.flows), group.cause)
        });
        groups
    }

    /// Returns the message of the worst finding.
    pub(super) fn message(&self) -> &'a str {
        &self.findings[0].message
    }
}

impl<'a> Cause<'a> {
    pub(super) fn of(finding: &'a Finding) -> Self {
        Self {
            code: finding.code,
            rule: &finding.rule,
            route_table_id: finding.route_table_id.as_deref(),
            matched_prefix: finding.matched_prefix,
            next_hop_class: finding.next_hop_class,
        }
    }

    /// Returns the route that decided, such as `hub/app: 10.13.77.6/32 → private_endpoint`; holds
    /// text from outside.
    pub(super) fn route(&self) -> String {
        let table = self.route_table_id.unwrap_or("table not named");
        match self.matched_prefix {
            Some(prefix) => format!("{table}: {prefix} → {}", self.next_hop_class),
            None => format!("{table}: {}", self.next_hop_class),
        }
    }
}

impl Shares {
    /// Of all rules together, each flow once.
    pub(super) fn of_report(report: &CoverageReport) -> Self {
        Self { seen: report.seen, ..Self::of(&report.totals) }
    }

    pub(super) fn of_rule(rule: &RuleTotals) -> Self {
        let shares = Self::of(&rule.totals);
        // What is not asked to pass a firewall is covered by its path alone.
        let seen = if rule.asks_firewall { shares.seen } else { CoverageTotals::default() };
        Self { seen, ..shares }
    }

    fn of(totals: &[(Verdict, CoverageTotals)]) -> Self {
        let mut shares = Self::default();
        for (verdict, totals) in totals {
            if verdict.counts_in_percentages() {
                shares.judged.add(*totals);
            }
            if matches!(verdict, Verdict::Covered | Verdict::CoveredUnconfirmed) {
                shares.as_required.add(*totals);
            }
            if *verdict == Verdict::Covered {
                shares.seen.add(*totals);
            }
            if verdict.is_finding() {
                shares.failing.add(*totals);
            }
        }
        shares
    }
}

/// Returns `PASS` or `FINDINGS`.
pub(super) fn result_word(report: &CoverageReport) -> &'static str {
    if report.passes() { "PASS" } else { "FINDINGS" }
}

/// Returns why, in a sentence made of numbers and our own words alone.
pub(super) fn result_sentence(report: &CoverageReport) -> String {
    let shares = Shares::of_report(report);
    let mut sentence = if !report.passes() {
        let count = report.findings.len() as u64;
        format!(
            "{} of {} ({}) {} not take the path that a rule requires: {} ({})",
            grouped(shares.failing.flows),
            counted(shares.judged.flows, "judged flow", "judged flows"),
            bytes(shares.failing.bytes),
            if shares.failing.flows == 1 { "does" } else { "do" },
            counted(count, "finding", "findings"),
            codes(&report.findings),
        )
    } else if shares.judged.flows == 0 {
        "nothing was verified: no rule requires a path of a recorded flow whose routes are known"
            .to_owned()
    } else {
        format!(
            "all {} ({}) take the path that a rule requires; {} of them {} seen at a firewall",
            counted(shares.judged.flows, "judged flow", "judged flows"),
            bytes(shares.judged.bytes),
            grouped(shares.seen.flows),
            if shares.seen.flows == 1 { "was" } else { "were" },
        )
    };
    let unknown = totals_of(report, Verdict::Unknown).flows;
    if unknown > 0 {
        sentence.push_str("; ");
        sentence.push_str(&counted(unknown, "flow", "flows"));
        sentence.push_str(" could not be judged, because the routes are not known");
    }
    sentence.push('.');
    sentence
}

/// Returns why there are no percentages, or `None` where there are.
pub(super) fn withheld(report: &CoverageReport) -> Option<String> {
    (!report.shows_percentages).then(|| {
        format!(
            "Percentages are withheld: {} of {} records were damaged, more than 1 in 1,000.",
            grouped(report.total.damaged_total()),
            grouped(report.total.records_read),
        )
    })
}

/// Returns a percentage where the report shows them, else a dash.
pub(super) fn share(report: &CoverageReport, part: u64, whole: u64) -> String {
    if report.shows_percentages { percent(part, whole) } else { "-".to_owned() }
}

pub(super) fn totals_of(report: &CoverageReport, verdict: Verdict) -> CoverageTotals {
    let found = report.totals.iter().find(|(other, _)| *other == verdict);
    found.map_or_else(CoverageTotals::default, |(_, totals)| *totals)
}

/// Returns what a verdict says, in half a sentence for people.
pub(super) fn verdict_meaning(verdict: Verdict) -> &'static str {
    match verdict {
        Verdict::Platform => "to or from an address that the platform answers itself",
        Verdict::Exempt => "the policy exempts it",
        Verdict::Denied => "denied before it went anywhere",
        Verdict::SuspectDirection => "recorded as initiated by a private endpoint",
        Verdict::NotRequired => "no rule requires a path",
        Verdict::Unknown => "the routes of its ends are not known",
        Verdict::Unexpected => "seen at the firewall, though its routes do not lead there",
        Verdict::OneWay => "one direction is dropped or has no route",
        Verdict::Asymmetric => "the two directions do not pass the same firewalls",
        Verdict::Bypass => "does not take the required path",
        Verdict::Missing => "should take the required path, and a log that would show it does not",
        Verdict::Covered => "takes the required path, and was seen on it",
        Verdict::CoveredUnconfirmed => "takes the required path; no log covers it",
    }
}

/// Returns how findings of a code are mended in general; the message of a finding names the route.
///
/// Source: Microsoft, "Manage network policies for private endpoints", "Virtual network traffic
/// routing" and "Azure Firewall FAQ" (service endpoints).
pub(super) fn remedy(code: FindingCode) -> &'static str {
    match code {
        FindingCode::PrivateEndpointBypass => {
            "The /32 route of a private endpoint is longer than any range. Switch the network \
             policy of the endpoint's subnet to route tables (RouteTableEnabled), and give the \
             sender's subnet a user-defined route to the firewall that is as long as the address \
             prefix of the endpoint's VNet, or longer. Without the policy only a user-defined \
             route for the /32 itself wins, and not on every gateway."
        }
        FindingCode::ServiceEndpointBypass => {
            "The public ranges of a service endpoint are longer than a default route. Disable the \
             service endpoint on the sender's subnet; enabled on the firewall's subnet it serves \
             the traffic that the firewall sends on."
        }
        FindingCode::PeeringBypass => {
            "Give the sender's subnet a user-defined route to the firewall for the peer's address \
             space, as long as the peering's own prefix or longer."
        }
        FindingCode::GatewayBypass => {
            "Give the sender's subnet a user-defined route to the firewall for the remote range, \
             as long as the gateway's route or longer; where the sender is on-premises, the \
             GatewaySubnet needs it."
        }
        FindingCode::InternetBypass => {
            "Give the sender's subnet a user-defined route 0.0.0.0/0 to the firewall, and look \
             for longer user-defined routes to the Internet."
        }
        FindingCode::VnetBypass => {
            "Give the sender's subnet a user-defined route to the firewall for the destination's \
             subnet: longer than the VNet's own range, which would otherwise win."
        }
        FindingCode::EcmpPartial => {
            "All next hops of equal cost must pass the firewall: remove the other ones, or \
             override the prefix with one user-defined route."
        }
        FindingCode::WrongNextHop => {
            "Change the route that decides, or the rule, if the traffic goes where it should."
        }
        FindingCode::AsymmetricForward => {
            "Route the forward direction through the firewall that the way back passes: a \
             stateful firewall drops what it has not seen begin."
        }
        FindingCode::AsymmetricReturn => {
            "Give the destination's subnet a user-defined route to the same firewall for the \
             sender's range: a stateful firewall has to see both directions."
        }
        FindingCode::OneWay => {
            "Look for a route to None, a next hop that does not exist, or a missing route in the \
             direction that the message names."
        }
        FindingCode::MissingEvidence => {
            "The exported routes and what the firewall logged disagree: export the routes again, \
             check that the log category is enabled, and check the log's window."
        }
    }
}

/// Returns a time in RFC 3339, UTC, with six decimals as in the rows.
pub(super) fn time_text(time_ns: i64) -> String {
    let time = Timestamp::from_nanosecond(time_ns.into()).expect("64 bits span 1677 to 2262");
    format!("{time:.6}")
}

/// Returns a time for people, to the second.
pub(super) fn time_short(time_ns: i64) -> String {
    time_text(time_ns)[..19].replace('T', " ")
}

/// Returns a number and its noun.
pub(super) fn counted(count: u64, one: &str, many: &str) -> String {
    format!("{} {}", grouped(count), if count == 1 { one } else { many })
}

/// Returns a number of flows.
pub(super) fn flows(count: u64) -> String {
    counted(count, "flow", "flows")
}

/// Returns protocol and destination port of a flow, such as `TCP 443`.
pub(super) fn service(example: &FlowExample) -> String {
    let name = match example.protocol {
        1 => "ICMP",
        6 => "TCP",
        17 => "UDP",
        58 => "ICMPv6",
        number => return format!("protocol {number}"),
    };
    match example.ports {
        Some((_, port)) => format!("{name} {port}"),
        None => name.to_owned(),
    }
}

/// Returns how often each code occurs, most first.
fn codes(findings: &[Finding]) -> String {
    let mut counts = FindingCode::ALL.map(|code| (0u64, code));
    for finding in findings {
        if let Some(entry) = counts.iter_mut().find(|(_, code)| *code == finding.code) {
            entry.0 += 1;
        }
    }
    counts.sort_by_key(|(count, code)| (Reverse(*count), *code));
    let shown = counts.iter().filter(|(count, _)| *count > 0);
    shown.map(|(count, code)| format!("{} {code}", grouped(*count))).collect::<Vec<_>>().join(", ")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::coverage_sample::{finding, sample, totals};

    #[test]
    fn the_shares_of_a_rule_follow_its_verdicts() {
        // Each verdict has a power of two of flows, so that every sum names its terms.
        let all: Vec<_> = (0..).zip(Verdict::ALL).map(|(n, v)| (v, totals(1 << n, 0, 0))).collect();
        let shares = Shares::of(&all);
        // One-way (7th) to covered-unconfirmed (12th); the last two; the last but one; 7th to 10th.
        assert_eq!(shares.judged.flows, 0b1_1111_1000_0000);
        assert_eq!(shares.as_required.flows, 0b1_1000_0000_0000);
        assert_eq!(shares.seen.flows, 0b0_1000_0000_0000);
        assert_eq!(shares.failing.flows, 0b0_0111_1000_0000);
    }

    #[test]
    fn findings_of_one_route_are_one_group_and_the_largest_comes_first() {
        let small = finding(FindingCode::PeeringBypass, "a", "t", "10.0.0.0/8", 10);
        let large = finding(FindingCode::PeeringBypass, "a", "t", "10.1.0.0/16", 15);
        let other_rule = finding(FindingCode::PeeringBypass, "b", "t", "10.0.0.0/8", 1);
        let findings = [large, small.clone(), small, other_rule];
        let groups = FindingGroup::of(&findings);
        let shown: Vec<_> = groups
            .iter()
            .map(|group| (group.cause.rule, group.findings.len(), group.totals.bytes))
            .collect();
        assert_eq!(shown, [("a", 2, 20), ("a", 1, 15), ("b", 1, 1)]);
        assert_eq!(groups[1].cause.route(), "t: 10.1.0.0/16 → peering");
    }

    #[test]
    fn the_sentence_says_what_was_verified_and_what_was_not() {
        let mut report = sample(str::to_owned);
        report.findings.clear();
        report.totals = vec![
            (Verdict::Unknown, totals(1, 0, 0)),
            (Verdict::Covered, totals(3, 9, 1024)),
            (Verdict::CoveredUnconfirmed, totals(1000, 9, 1024)),
        ];
        report.seen = totals(3, 9, 1024);
        assert_eq!(
            result_sentence(&report),
            "all 1,003 judged flows (2.0 KiB) take the path that a rule requires; 3 of them were \
             seen at a firewall; 1 flow could not be judged, because the routes are not known."
        );
        report.totals.clear();
        assert!(result_sentence(&report).starts_with("nothing was verified"));
    }

    #[test]
    fn times_are_utc_with_six_decimals_over_the_whole_range() {
        for (time_ns, want) in [
            (0, "1970-01-01T00:00:00.000000Z"),
            (1_737_397_091_925_475_999, "2025-01-20T18:18:11.925475Z"),
            (i64::MIN, "1677-09-21T00:12:43.145224Z"),
            (i64::MAX, "2262-04-11T23:47:16.854775Z"),
        ] {
            assert_eq!(time_text(time_ns), want);
        }
        assert_eq!(time_short(i64::MAX), "2262-04-11 23:47:16");
    }
}
