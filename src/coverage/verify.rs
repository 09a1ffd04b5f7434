//! The verification: every logical flow gets a verdict, and what is wrong becomes findings.

use std::collections::BTreeMap;
use std::net::IpAddr;

use ahash::AHashMap;

use super::evidence::{Evidence, FlowIdentity, Shown};
use super::flows::{LogicalFlow, logical_flows};
use super::paths::{FlowPaths, PathVerdict};
use super::places::{AddressSet, CompiledPlaces};
use super::{
    CoverageReport, CoverageTotals, EvidenceRecord, EvidenceSource, Finding, FindingCode,
    FlowExample, ObservedFlow, Places, Policy, Verdict, Via, Way,
};
use crate::fib::{Fib, PathHop, SnapshotTables};
use crate::net::AddressPrefix;
use crate::net::special::is_platform;
use crate::routing::{NextHopClass, RouteTable};

/// What firewalls logged.
#[derive(Clone, Debug, Default)]
pub struct FirewallEvidence {
    /// The lines of all logs.
    pub records: Vec<EvidenceRecord>,
    /// The logs, each with the window that it covers.
    pub sources: Vec<EvidenceSource>,
    /// How far a line may be from a flow's beginning, nanoseconds.
    pub time_tolerance_ns: i64,
}

/// Judges recorded flows.
///
/// The report lacks what only the caller knows: the books of the inputs and the hashes of files.
///
/// Cost: O(n log n) for n flows; each pair of addresses is routed once.
pub fn verify(
    tables: &SnapshotTables,
    fib: &Fib,
    places: &Places,
    policy: &Policy,
    flows: &[ObservedFlow],
    evidence: FirewallEvidence,
) -> CoverageReport {
    let tolerance_ns = evidence.time_tolerance_ns;
    let evidence_sources = evidence.sources.clone();
    let mut run = Run {
        tables,
        fib,
        policy,
        rules: CompiledPolicy::of(policy, places),
        evidence: Evidence::new(evidence.records, evidence.sources, tolerance_ns),
        paths: AHashMap::new(),
        sums: Sums { timeline_step_ns: timeline_step_ns(flows), ..Sums::default() },
        places: places.compile(),
    };
    let logical = logical_flows(flows, |address| run.places.is_firewall(address), tolerance_ns);
    for flow in &logical {
        run.judge(flow, flows);
    }
    run.report(places, evidence_sources)
}

struct Run<'r> {
    tables: &'r SnapshotTables,
    fib: &'r Fib,
    policy: &'r Policy,
    rules: CompiledPolicy,
    places: CompiledPlaces,
    evidence: Evidence,
    paths: AHashMap<(IpAddr, IpAddr), FlowPaths>,
    sums: Sums,
}

/// The selectors of a policy as sets, in the order of its rules.
struct CompiledPolicy {
    rules: Vec<(AddressSet, AddressSet)>,
    exemptions: Vec<(AddressSet, AddressSet)>,
}

#[derive(Default)]
struct Sums {
    totals: BTreeMap<Verdict, CoverageTotals>,
    by_rule: BTreeMap<(usize, Verdict), CoverageTotals>,
    by_way: BTreeMap<Way, CoverageTotals>,
    timeline: BTreeMap<(i64, Verdict), CoverageTotals>,
    timeline_step_ns: i64,
    findings: BTreeMap<FindingKey, FindingSums>,
}

/// A rule by its position, a code, a source and a destination.
type FindingKey = (usize, FindingCode, IpAddr, IpAddr);

struct FindingSums {
    verdict: Verdict,
    is_back: bool,
    totals: CoverageTotals,
    examples: Vec<FlowExample>,
    files: Vec<std::sync::Arc<str>>,
}

/// What one rule says of one flow.
struct RuleVerdict {
    rule: usize,
    verdict: Verdict,
    code: Option<FindingCode>,
    is_back: bool,
}

impl Run<'_> {
    fn judge(&mut self, logical: &LogicalFlow, flows: &[ObservedFlow]) {
        let flow = &flows[logical.primary];
        let totals = totals_of(logical, flows);
        let rules = self.rule_verdicts(flow, logical);
        let verdict = self.verdict(flow, logical, &rules);
        self.sums.totals.entry(verdict).or_default().add(totals);
        if verdict.counts_in_percentages() {
            let step = flow.start_time_ns.div_euclid(self.sums.timeline_step_ns);
            self.sums.timeline.entry((step, verdict)).or_default().add(totals);
        }
        if verdict >= Verdict::Unknown {
            for rule in &rules {
                self.sums.by_rule.entry((rule.rule, rule.verdict)).or_default().add(totals);
            }
        }
        if !matches!(verdict, Verdict::Platform | Verdict::Exempt | Verdict::Denied) {
            let way = self.way(flow, verdict);
            self.sums.by_way.entry(way).or_default().add(totals);
        }
        if verdict.is_finding() {
            for rule in rules.iter().filter(|rule| rule.verdict.is_finding()) {
                self.sums.add_finding(rule, flow, totals);
            }
        }
    }

    /// The verdict of a flow: what comes before any rule, else the worst of its rules.
    fn verdict(
        &self,
        flow: &ObservedFlow,
        logical: &LogicalFlow,
        rules: &[RuleVerdict],
    ) -> Verdict {
        let (source, destination) = (flow.source, flow.destination);
        if flow.is_platform || is_platform(source) || is_platform(destination) {
            return Verdict::Platform;
        }
        if self.is_exempt(flow) {
            return Verdict::Exempt;
        }
        if flow.is_denied {
            return Verdict::Denied;
        }
        if self.places.is_private_endpoint(source) {
            return Verdict::SuspectDirection;
        }
        // A leg without the flow that it belongs to: it left a firewall, and nothing asks more.
        let is_leg = self.places.is_firewall(source) || self.places.is_firewall(destination);
        if is_leg && logical.was_at_firewall {
            return Verdict::NotRequired;
        }
        rules
            .iter()
            .map(|rule| rule.verdict)
            .min_by_key(worst_first)
            .unwrap_or(Verdict::NotRequired)
    }

    fn is_exempt(&self, flow: &ObservedFlow) -> bool {
        self.policy.exemptions.iter().zip(&self.rules.exemptions).any(|(exemption, sets)| {
            self.matches(sets, &exemption.ports, exemption.protocol, exemption.both_ways, flow)
        })
    }

    fn matches(
        &self,
        (from, to): &(AddressSet, AddressSet),
        ports: &[u16],
        protocol: Option<u8>,
        both_ways: bool,
        flow: &ObservedFlow,
    ) -> bool {
        let holds = |source, destination| {
            from.holds(source, &self.places) && to.holds(destination, &self.places)
        };
        protocol.is_none_or(|protocol| protocol == flow.protocol)
            && (ports.is_empty() || flow.ports.is_some_and(|(_, port)| ports.contains(&port)))
            && (holds(flow.source, flow.destination)
                || (both_ways && holds(flow.destination, flow.source)))
    }

    fn rule_verdicts(&mut self, flow: &ObservedFlow, logical: &LogicalFlow) -> Vec<RuleVerdict> {
        let matching: Vec<usize> = (0..self.policy.rules.len())
            .filter(|&index| {
                let rule = &self.policy.rules[index];
                let sets = &self.rules.rules[index];
                self.matches(sets, &rule.ports, rule.protocol, rule.both_ways, flow)
                    && !(rule.between_vnets
                        && self.places.are_in_one_vnet(flow.source, flow.destination))
            })
            .collect();
        if matching.is_empty() {
            return Vec::new();
        }
        let paths = self.paths_of(flow.source, flow.destination);
        let shown = self.shown(flow, logical);
        matching
            .into_iter()
            .map(|rule| judge_rule(rule, &self.policy.rules[rule].via, &paths, shown))
            .collect()
    }

    fn paths_of(&mut self, source: IpAddr, destination: IpAddr) -> FlowPaths {
        let (fib, places) = (self.fib, &self.places);
        self.paths
            .entry((source, destination))
            .or_insert_with(|| FlowPaths::of(fib, places, source, destination))
            .clone()
    }

    fn shown(&mut self, flow: &ObservedFlow, logical: &LogicalFlow) -> Shown {
        let shown = self.evidence.look_for(&FlowIdentity {
            start_time_ns: flow.start_time_ns,
            source: flow.source,
            destination: flow.destination,
            ports: flow.ports,
            protocol: flow.protocol,
            shows_begin: flow.shows_begin,
        });
        if logical.was_at_firewall { Shown::Seen { is_weak: false } } else { shown }
    }

    fn way(&mut self, flow: &ObservedFlow, verdict: Verdict) -> Way {
        let paths = self.paths_of(flow.source, flow.destination);
        let hop = paths.forward.path().or(paths.back.path()).map(|path| *path.first_hop());
        let next_hop = hop.and_then(|hop| hop.next_hop).map(|id| self.fib.next_hop(id));
        Way {
            source_group: self.group(flow.source),
            next_hop_class: hop.map_or(NextHopClass::Unknown, |hop| hop.class),
            next_hop_name: next_hop.and_then(|hop| {
                let ips = hop.ips.iter().map(ToString::to_string).collect::<Vec<_>>().join(" ");
                hop.name.clone().or_else(|| (!ips.is_empty()).then_some(ips))
            }),
            destination_group: self.group(flow.destination),
            is_finding: verdict.is_finding(),
        }
    }

    fn group(&self, address: IpAddr) -> String {
        if self.places.is_private_endpoint(address) {
            return "private endpoints".to_owned();
        }
        if let Some(table) = self.fib.sources().by_address(address) {
            return self.fib.info(table).id.clone();
        }
        if self.places.is_on_premises(address) {
            return "on-premises".to_owned();
        }
        if self.places.is_internet(address) { "Internet" } else { "other" }.to_owned()
    }

    fn report(self, places: &Places, evidence_sources: Vec<EvidenceSource>) -> CoverageReport {
        let warnings = places
            .empty_selectors(self.policy)
            .into_iter()
            .map(|selector| {
                format!("the policy's selector `{selector}` matches nothing in the snapshot")
            })
            .collect();
        let mut findings: Vec<Finding> =
            self.sums.findings.iter().map(|(key, sums)| self.finding(key, sums)).collect();
        findings.sort_by(|a, b| {
            (b.totals.bytes, b.totals.flows).cmp(&(a.totals.bytes, a.totals.flows)).then_with(
                || {
                    (a.code, a.source, a.destination, &a.rule).cmp(&(
                        b.code,
                        b.source,
                        b.destination,
                        &b.rule,
                    ))
                },
            )
        });
        let step_ns = self.sums.timeline_step_ns;
        let mut by_rule: Vec<(String, Vec<(Verdict, CoverageTotals)>)> =
            self.policy.rules.iter().map(|rule| (rule.name.clone(), Vec::new())).collect();
        for (&(rule, verdict), &totals) in &self.sums.by_rule {
            by_rule[rule].1.push((verdict, totals));
        }
        CoverageReport {
            totals: self.sums.totals.into_iter().collect(),
            by_rule,
            by_way: self.sums.by_way.into_iter().collect(),
            timeline: self
                .sums
                .timeline
                .into_iter()
                .map(|((step, verdict), totals)| (step.saturating_mul(step_ns), verdict, totals))
                .collect(),
            timeline_step_ns: step_ns,
            findings,
            warnings,
            evidence_sources,
            shows_percentages: true,
            ..CoverageReport::default()
        }
    }

    fn finding(&self, key: &FindingKey, sums: &FindingSums) -> Finding {
        let &(rule, code, source, destination) = key;
        let paths = &self.paths[&(source, destination)];
        let (direction, receiver) = match sums.is_back {
            true => (&paths.back, source),
            false => (&paths.forward, destination),
        };
        let hop = direction.path().map(|path| *path.first_hop());
        let matched = hop.and_then(|hop| self.fib.matched(hop.table, receiver));
        Finding {
            verdict: sums.verdict,
            rule: self.policy.rules[rule].name.clone(),
            code,
            message: hop.map_or_else(
                || code.description().to_owned(),
                |hop| self.message(code, &hop, receiver, matched.map(|matched| matched.prefix)),
            ),
            source,
            destination,
            route_table_id: hop.map(|hop| self.fib.info(hop.table).id.clone()),
            matched_prefix: matched.map(|matched| matched.prefix),
            next_hop_class: hop.map_or(NextHopClass::Unknown, |hop| hop.class),
            evidence: sums.files.iter().map(ToString::to_string).collect(),
            totals: sums.totals,
            examples: sums.examples.clone(),
        }
    }

    /// The route that causes a finding, and the change that would mend it.
    fn message(
        &self,
        code: FindingCode,
        hop: &PathHop,
        receiver: IpAddr,
        prefix: Option<AddressPrefix>,
    ) -> String {
        let table = &self.tables.tables[hop.table.index()];
        let explanation = table.explain(&self.tables.owners, receiver);
        let route = match (&explanation.next_hop, &explanation.route_source, prefix) {
            (Some(next_hop), Some(source), Some(prefix)) => format!(
                "{} routes {receiver} by {} {prefix} to {}",
                table.id,
                source.as_str(),
                next_hop.next_hop_type.as_str()
            ),
            _ => format!("{} has no route for {receiver}", table.id),
        };
        format!("{route}; {}", mend(code, table, receiver, prefix))
    }
}

impl CompiledPolicy {
    fn of(policy: &Policy, places: &Places) -> Self {
        Self {
            rules: policy
                .rules
                .iter()
                .map(|rule| (places.set(&rule.from), places.set(&rule.to)))
                .collect(),
            exemptions: policy
                .exemptions
                .iter()
                .map(|exempt| (places.set(&exempt.from), places.set(&exempt.to)))
                .collect(),
        }
    }
}

impl Sums {
    const EXAMPLES_MAX: usize = 5;
    const FILES_MAX: usize = 10;

    fn add_finding(&mut self, rule: &RuleVerdict, flow: &ObservedFlow, totals: CoverageTotals) {
        let code = rule.code.expect("a finding has a code");
        let key = (rule.rule, code, flow.source, flow.destination);
        let finding = self.findings.entry(key).or_insert_with(|| FindingSums {
            verdict: rule.verdict,
            is_back: rule.is_back,
            totals: CoverageTotals::default(),
            examples: Vec::new(),
            files: Vec::new(),
        });
        finding.totals.add(totals);
        if finding.examples.len() < Self::EXAMPLES_MAX {
            finding.examples.push(FlowExample {
                start_time_ns: flow.start_time_ns,
                ports: flow.ports,
                protocol: flow.protocol,
                source_file: flow.source_file.to_string(),
                source_record: flow.source_record,
            });
        }
        if finding.files.len() < Self::FILES_MAX && !finding.files.contains(&flow.source_file) {
            finding.files.push(flow.source_file.clone());
        }
    }
}

fn judge_rule(rule: usize, via: &Via, paths: &FlowPaths, shown: Shown) -> RuleVerdict {
    let plain = |verdict| RuleVerdict { rule, verdict, code: None, is_back: false };
    let is_seen = matches!(shown, Shown::Seen { .. });
    let of_firewall = matches!(via, Via::Firewall { .. });
    match paths.judge(via) {
        PathVerdict::Unknown => plain(Verdict::Unknown),
        PathVerdict::Broken { .. } if is_seen && of_firewall && !paths.pass_firewall() => {
            plain(Verdict::Unexpected)
        }
        PathVerdict::Broken { verdict, code, is_back } => {
            RuleVerdict { rule, verdict, code: Some(code), is_back }
        }
        // Only firewalls keep logs that could show more than the flow's own record does.
        PathVerdict::Met if !of_firewall || is_seen => plain(Verdict::Covered),
        PathVerdict::Met if shown == Shown::NotSeen => RuleVerdict {
            rule,
            verdict: Verdict::Missing,
            code: Some(FindingCode::MissingEvidence),
            is_back: false,
        },
        PathVerdict::Met => plain(Verdict::CoveredUnconfirmed),
    }
}

/// The verdict that stands where several rules match: the first of the list is the worst, but what
/// is merely not known stands behind every finding.
fn worst_first(verdict: &Verdict) -> (bool, Verdict) {
    (!verdict.is_finding(), *verdict)
}

fn totals_of(logical: &LogicalFlow, flows: &[ObservedFlow]) -> CoverageTotals {
    let primary = &flows[logical.primary];
    let duplicates: u64 = logical.duplicates.iter().map(|&index| flows[index].tuples).sum();
    CoverageTotals {
        flows: 1,
        tuples: primary.tuples + duplicates,
        packets: primary.packets,
        bytes: primary.bytes,
    }
}

/// A step of the timeline, so that there are about sixty: a whole number of minutes or seconds.
fn timeline_step_ns(flows: &[ObservedFlow]) -> i64 {
    const STEPS_MAX: i64 = 60;
    const SECOND: i64 = 1_000_000_000;
    let first = flows.iter().map(|flow| flow.start_time_ns).min().unwrap_or(0);
    let last = flows.iter().map(|flow| flow.start_time_ns).max().unwrap_or(0);
    let span = last.saturating_sub(first);
    [1, 10, 60, 300, 600, 1800, 3600, 6 * 3600, 86_400, 7 * 86_400]
        .into_iter()
        .map(|seconds| seconds * SECOND)
        .find(|step| span / step < STEPS_MAX)
        .unwrap_or(30 * 86_400 * SECOND)
}

/// The change that would mend a finding.
fn mend(
    code: FindingCode,
    table: &RouteTable,
    receiver: IpAddr,
    prefix: Option<AddressPrefix>,
) -> String {
    let prefix = prefix.map(|prefix| prefix.to_string()).unwrap_or_default();
    match code {
        FindingCode::PrivateEndpointBypass => match best_covering_route(table, receiver) {
            Some((word, covering)) => format!(
                "the best covering route is {covering} {word}, which is no user-defined route: \
                 enable network policies for route tables on the endpoint's subnet and add a \
                 user-defined route for {covering} (or longer) to the firewall"
            ),
            None => "enable network policies for route tables on the endpoint's subnet and add a \
                     user-defined route to the firewall that is as long as the VNet's prefix"
                .to_owned(),
        },
        FindingCode::PeeringBypass | FindingCode::VnetBypass => {
            format!("add a user-defined route for {prefix} (or longer) to the firewall")
        }
        FindingCode::InternetBypass => {
            format!("add a user-defined route for {prefix} to the firewall")
        }
        FindingCode::GatewayBypass => format!(
            "add a user-defined route for {prefix} to the firewall, here and on the GatewaySubnet \
             for the way back"
        ),
        FindingCode::ServiceEndpointBypass => {
            "a user-defined route cannot override a service endpoint: remove the endpoint from \
             the subnet, or use a private endpoint"
                .to_owned()
        }
        FindingCode::EcmpPartial => "advertise the same prefix from the firewall alone".to_owned(),
        FindingCode::AsymmetricForward | FindingCode::AsymmetricReturn => {
            "send both directions through the same firewall: a stateful one drops what it sees \
             half of"
                .to_owned()
        }
        FindingCode::OneWay => "add the route that is missing on this side".to_owned(),
        FindingCode::MissingEvidence => {
            "the routes say that it passed: check that the snapshot is of the time of the traffic"
                .to_owned()
        }
        FindingCode::WrongNextHop => "change the route, or the rule".to_owned(),
    }
}

/// The route that would win if the private endpoint's own were gone, where it is no user's.
fn best_covering_route(table: &RouteTable, receiver: IpAddr) -> Option<(String, AddressPrefix)> {
    let row = table
        .rows()
        .filter(|row| row.rejected.is_none())
        .filter(|row| row.next_hop_type != crate::azure::NextHopType::InterfaceEndpoint)
        .filter(|row| row.prefix().is_some_and(|prefix| prefix.contains(receiver)))
        .max_by_key(|row| row.prefix().map(AddressPrefix::length))?;
    (row.source != crate::azure::RouteSource::User)
        .then(|| row.prefix().map(|prefix| (row.next_hop_type.as_str().to_owned(), prefix)))
        .flatten()
}
