//! The verification: every logical flow gets a verdict, and what is wrong becomes findings.

use std::collections::BTreeMap;
use std::io;
use std::net::IpAddr;
use std::sync::Arc;

use ahash::AHashMap;
use rayon::prelude::*;
use smallvec::SmallVec;

use super::compiled_policy::CompiledPolicy;
use super::evidence::{Evidence, EvidenceLines, FlowIdentity, Shown};
use super::evidence_verdict::{PassedFirewalls, RuleVerdict, Sight};
use super::firewall_evidence::GatheredEvidence;
use super::firewall_set::FirewallSet;
use super::flows::{FlowGatherer, GatheredFlows, ObservedFlow, link_legs};
use super::kept_rows::BlockOrder;
use super::mend::Cause;
use super::paths::{FlowPaths, PathVerdict};
use super::places::{AddressSet, CompiledPlaces};
use super::pool_index::PoolIndex;
use super::pools::PoolMemberPlace;
use super::row_keeper::RowKeeper;
use super::row_verdicts::{self, LinkStep, Reason, RowNames, RowVerdict, RowVerdicts, Sign};
use super::sums::{FindingKey, FindingSums, Group, Sums, WayKey};
use super::{
    CoverageReport, CoverageTotals, EvidenceSource, Finding, FindingCode, FirewallEvidence,
    FlowNote, Places, Policy, PoolMember, PoolProblem, RuleTotals, Unobservable, Verdict, Way,
    unobservable,
};
use crate::azure::RouteSource;
use crate::classify::RowSink;
use crate::fib::{Fib, PathHop, SnapshotTables};
use crate::memory::prefetch_item;
use crate::net::AddressPrefix;
use crate::net::special::is_platform;
use crate::routing::NextHopClass;
use crate::spill::{PartitionBuffers, Partitions, SpillRoom, for_each_partition};

/// Judges recorded flows.
///
/// The report lacks what only the caller knows: the books of the inputs and the hashes of files.
///
/// Flows are joined by 5-tuple, then with their legs by destination, then judged by source, since
/// the lines of a log name a source; each time in partitions, of which as many are worked on at once
/// as there are threads. What of them memory does not hold waits in the room that is given, and so do
/// the lines; so what one 5-tuple, one destination that legs go to, or one source has must fit.
///
/// Cost: O(n log n) for n flows; each pair of addresses is routed about once.
#[derive(Debug)]
pub struct Verifier<'r> {
    /// The route tables, for explanations.
    pub tables: &'r SnapshotTables,
    /// The same, compiled.
    pub fib: &'r Fib,
    /// What the policy's selectors stand for.
    pub places: &'r Places,
    /// What is asked.
    pub policy: &'r Policy,
    /// How many partitions are worked on at once, on the threads of the current rayon pool; at
    /// least 1. The result does not depend on it.
    pub threads: usize,
    /// The bound on the memory of flows.
    pub memory_bytes_max: usize,
    /// Where flows go past the bound.
    pub room: SpillRoom,
}

impl Verifier<'_> {
    /// Gives every flow its verdict.
    ///
    /// # Errors
    ///
    /// When the room fails.
    pub fn verify(
        &self,
        flows: FlowGatherer,
        evidence: FirewallEvidence,
    ) -> io::Result<CoverageReport> {
        self.judge_flows(flows, evidence, &mut None).map(|(report, _)| report)
    }

    /// Gives every flow its verdict, and every row with that of its flow to `sink`, in the order in
    /// which a classification gives them.
    ///
    /// # Errors
    ///
    /// When the room fails, or the sink cannot take a row.
    pub fn verify_rows<S: RowSink>(
        &self,
        kept: RowKeeper,
        evidence: FirewallEvidence,
        sink: &mut S,
    ) -> io::Result<CoverageReport> {
        let RowKeeper { gatherer, rows } = kept;
        let verdicts = RowVerdicts::new(&rows, self.memory_bytes_max / 3, &self.room);
        let mut verdicts = Some(verdicts);
        let (report, files) = self.judge_flows(gatherer, evidence, &mut verdicts)?;
        let names =
            RowNames { policy: self.policy, sources: &report.evidence_sources, files: &files };
        verdicts.expect("was given").write(rows, &names, sink)?;
        Ok(report)
    }

    /// Returns the report and the names of the inputs, by rank.
    fn judge_flows(
        &self,
        flows: FlowGatherer,
        evidence: FirewallEvidence,
        rows: &mut Option<RowVerdicts>,
    ) -> io::Result<(CoverageReport, Vec<Arc<str>>)> {
        let tolerance_ns = evidence.time_tolerance_ns;
        let heeds_records = evidence.heeds_records;
        let mut gathered = flows.finish();
        let mut by_source = self.by_source(&mut gathered, tolerance_ns, rows)?;
        let GatheredEvidence { mut lines, slots, sources } = evidence.finish();
        let context = Context {
            run: self,
            rules: CompiledPolicy::of(self.policy, self.places),
            places: self.places.compile(),
            pool_members: PoolIndex::of(self.places),
            heeds_records,
            evidence: Evidence::new(&sources, &slots, &self.places.firewall_names, tolerance_ns),
            timeline_step_ns: timeline_step_ns(gathered.span_ns),
            unobservable: unobservable::of_run(self.places, gathered.has_log_flows),
            rows: rows.as_ref().map(RowVerdicts::order),
        };
        let mut judges: Vec<Judge<'_>> = (0..self.threads).map(|_| Judge::new(&context)).collect();
        for_each_partition(
            &mut judges,
            |partition| Ok((by_source.take(partition)?, lines.take(partition)?)),
            |judge, (flows, lines)| {
                let lines = context.evidence.read_lines(lines);
                judge.judge_all(&ObservedFlow::read_all(flows), &lines);
            },
            |judge| match rows {
                Some(rows) => rows.absorb_verdicts(&mut judge.rows),
                None => Ok(()),
            },
        )?;
        let mut sums = Sums::default();
        judges.into_iter().for_each(|judge| sums.absorb(judge.sums));
        let files = gathered.files();
        Ok((context.report(sums, files, sources), files.to_vec()))
    }

    /// Brings the logical flows of each source together.
    fn by_source(
        &self,
        gathered: &mut GatheredFlows,
        tolerance_ns: i64,
        rows: &mut Option<RowVerdicts>,
    ) -> io::Result<Partitions> {
        if gathered.are_joined && gathered.has_no_legs() {
            return Ok(std::mem::replace(&mut gathered.flows, self.partitions()));
        }
        let mut joined = Joined { with_legs: self.partitions(), by_source: self.partitions() };
        self.join(gathered, &mut joined, rows)?;
        self.link(gathered, &mut joined, tolerance_ns, rows)?;
        Ok(joined.by_source)
    }

    /// A third of the memory each, since three stages overlap at most.
    fn partitions(&self) -> Partitions {
        Partitions::new(self.memory_bytes_max / 3, self.room.clone())
    }

    fn join(
        &self,
        gathered: &mut GatheredFlows,
        joined: &mut Joined,
        rows: &mut Option<RowVerdicts>,
    ) -> io::Result<()> {
        let mut flows = std::mem::replace(&mut gathered.flows, self.partitions());
        let gathered = &*gathered;
        let order = rows.as_ref().map(RowVerdicts::order);
        for_each_partition(
            &mut self.buffers(),
            |partition| flows.take(partition),
            |JoinBuffers { legs, whole, links }, bytes| {
                gathered.join(
                    bytes,
                    |flow| match gathered.may_have_legs(&flow) {
                        true => {
                            let hash = gathered.hasher.hash_one(flow.target());
                            legs.push(hash, |bytes| flow.write(bytes));
                        }
                        false => {
                            let hash = gathered.hasher.hash_one(flow.source);
                            whole.push(hash, |bytes| flow.write(bytes));
                        }
                    },
                    |record, stands| row_verdicts::link(order.as_deref(), links, record, stands),
                );
            },
            |buffers| {
                joined.with_legs.absorb(&mut buffers.legs)?;
                joined.by_source.absorb(&mut buffers.whole)?;
                absorb_links(rows, LinkStep::Record, &mut buffers.links)
            },
        )
    }

    fn link(
        &self,
        gathered: &GatheredFlows,
        joined: &mut Joined,
        tolerance_ns: i64,
        rows: &mut Option<RowVerdicts>,
    ) -> io::Result<()> {
        let order = rows.as_ref().map(RowVerdicts::order);
        let Joined { with_legs, by_source } = joined;
        for_each_partition(
            &mut self.buffers(),
            |partition| with_legs.take(partition),
            |JoinBuffers { whole, links, .. }, bytes| {
                let mut flows = ObservedFlow::read_all(bytes);
                link_legs(
                    &mut flows,
                    |flow| gathered.sent_by(flow),
                    tolerance_ns,
                    |flow| {
                        let hash = gathered.hasher.hash_one(flow.source);
                        whole.push(hash, |bytes| flow.write(bytes));
                    },
                    |leg, flow| row_verdicts::link(order.as_deref(), links, leg, flow),
                );
            },
            |buffers| {
                by_source.absorb(&mut buffers.whole)?;
                absorb_links(rows, LinkStep::Leg, &mut buffers.links)
            },
        )
    }

    fn buffers(&self) -> Vec<JoinBuffers> {
        let buffers = |_| JoinBuffers {
            legs: PartitionBuffers::new(),
            whole: PartitionBuffers::new(),
            links: PartitionBuffers::new(),
        };
        (0..self.threads).map(buffers).collect()
    }
}

/// Flows on their way to being judged: those that may have legs, and the others.
struct Joined {
    with_legs: Partitions,
    by_source: Partitions,
}

/// What one thread has joined.
struct JoinBuffers {
    legs: PartitionBuffers,
    whole: PartitionBuffers,
    /// From rows to the rows that stand for them, where rows are kept.
    links: PartitionBuffers,
}

fn absorb_links(
    rows: &mut Option<RowVerdicts>,
    step: LinkStep,
    links: &mut PartitionBuffers,
) -> io::Result<()> {
    rows.as_mut().map_or(Ok(()), |rows| rows.absorb_links(step, links))
}

/// What every thread looks at.
struct Context<'r> {
    run: &'r Verifier<'r>,
    rules: CompiledPolicy,
    places: CompiledPlaces,
    pool_members: PoolIndex,
    evidence: Evidence,
    /// That a flow was recorded at a firewall shows that it passed there.
    heeds_records: bool,
    timeline_step_ns: i64,
    unobservable: Vec<Unobservable>,
    /// Where kept rows stand.
    rows: Option<Arc<BlockOrder>>,
}

/// The work of one thread.
struct Judge<'c> {
    context: &'c Context<'c>,
    sums: Sums,
    /// The verdicts on kept rows.
    rows: PartitionBuffers,
    /// What is known of the flows of the current source to each destination.
    pairs: Vec<Pair>,
    /// Positions in `pairs`, by destination.
    pair_index: AHashMap<IpAddr, usize>,
}

/// What the flows from one address to another have in common.
struct Pair {
    is_platform: bool,
    is_suspect: bool,
    /// The firewalls that one end is an address of: then its flows are legs of some that passed
    /// these, whatever the paths between the two addresses do.
    leg_of: FirewallSet,
    way: usize,
    /// The rules that hold its addresses, and what its paths say of each: where the sender's
    /// address stays, and where a firewall puts its own in its place.
    rules: SmallVec<[(usize, PathVerdict, PathVerdict); 4]>,
    exemptions: SmallVec<[usize; 2]>,
    passed: PassedFirewalls,
    /// A firewall on the way always puts its own address in the sender's place.
    is_translated: bool,
    is_from_internet: bool,
    /// The firewalls on the way, where they stand before a private endpoint.
    endpoint_behind: Option<Arc<str>>,
    /// Positions among the members of pools.
    pool_members: SmallVec<[usize; 2]>,
}

impl<'c> Judge<'c> {
    /// More pairs of one source than this are looked up again when they come back.
    const PAIRS_MAX: usize = 1 << 16;

    fn new(context: &'c Context<'c>) -> Self {
        Self {
            context,
            sums: Sums::default(),
            rows: PartitionBuffers::new(),
            pairs: Vec::new(),
            pair_index: AHashMap::new(),
        }
    }

    /// Judges the flows of a partition, which has all that its sources sent.
    fn judge_all(&mut self, flows: &[ObservedFlow], lines: &EvidenceLines) {
        let mut identities: Vec<FlowIdentity> = Vec::new();
        for of_source in &by_source_and_time(flows) {
            let source = flows[of_source[0] as usize].source;
            identities.clear();
            identities.extend(asked_ahead(flows, of_source).map(FlowIdentity::of));
            let shown = self.context.evidence.look_for(lines, source, &identities);
            self.forget_pairs();
            for (flow, shown) in asked_ahead(flows, of_source).zip(&shown) {
                self.judge(flow, shown);
            }
        }
    }

    fn judge(&mut self, flow: &ObservedFlow, shown: &Shown) {
        let pair = self.pair(flow.source, flow.destination);
        let Self { context, sums, rows: row_verdicts, pairs, .. } = self;
        let pair = &pairs[pair];
        let totals = CoverageTotals::of(flow);
        let rules = context.rule_verdicts(flow, pair, shown);
        let verdict = context.verdict(flow, pair, &rules);
        if let (Some(order), Some(row)) = (&context.rows, flow.row) {
            let verdict = context.row_verdict(flow, pair, &rules, shown, verdict);
            row_verdicts.push_to(order.partition(row), |bytes| verdict.write(row, bytes));
        }
        sums.add_verdict(verdict, totals);
        if verdict == Verdict::Covered && context.is_seen(&rules) {
            sums.seen.add(totals);
        }
        for &member in &pair.pool_members {
            sums.pools.entry(member).or_default().add(totals);
        }
        if verdict.counts_in_percentages() {
            let step = flow.start_time_ns.div_euclid(context.timeline_step_ns);
            sums.add_step(step, verdict, totals);
        }
        if verdict.counts_in_percentages()
            && let Some(firewall) = &pair.endpoint_behind
            && !is_translated(flow, pair, shown)
        {
            let key = (flow.destination, firewall.clone());
            sums.endpoints.entry(key).or_default().add(totals);
        }
        if verdict >= Verdict::Unknown {
            rules.iter().for_each(|rule| sums.add_rule(rule.rule, rule.verdict, totals));
        }
        if !matches!(verdict, Verdict::Platform | Verdict::Exempt | Verdict::Denied) {
            sums.add_way(pair.way, verdict.is_finding(), totals);
        }
        if verdict.is_finding() {
            for rule in rules.iter().filter(|rule| rule.verdict.is_finding()) {
                let code = rule.code.expect("a finding has a code");
                let key = (rule.rule, code, flow.source, flow.destination);
                sums.add_finding(key, rule.verdict, rule.is_back, flow);
            }
        }
    }

    /// Returns the position of what is known of a pair.
    fn pair(&mut self, source: IpAddr, destination: IpAddr) -> usize {
        if let Some(&pair) = self.pair_index.get(&destination) {
            return pair;
        }
        if self.pairs.len() >= Self::PAIRS_MAX {
            self.forget_pairs();
        }
        let context = self.context;
        let places = &context.places;
        let paths = FlowPaths::of(context.run.fib, places, source, destination);
        let policy = context.run.policy;
        let leg_of = [source, destination]
            .into_iter()
            .filter_map(|end| places.firewall_at(end))
            .fold(FirewallSet::default(), |all, firewall| all.union(FirewallSet::of(firewall)));
        let rules = (0..policy.rules.len()).filter(|&index| {
            let rule = &policy.rules[index];
            context.holds(&context.rules.rules[index], rule.both_ways, source, destination)
                && !(rule.between_vnets && places.are_in_one_vnet(source, destination))
                && (leg_of.is_empty() || context.leg_shows(index, leg_of))
        });
        let exemptions = (0..policy.exemptions.len()).filter(|&index| {
            let both_ways = policy.exemptions[index].both_ways;
            context.holds(&context.rules.exemptions[index], both_ways, source, destination)
        });
        let pair = Pair {
            is_platform: is_platform(source) || is_platform(destination),
            is_suspect: places.is_private_endpoint(source),
            leg_of,
            way: self.sums.way(context.way(&paths, source, destination)),
            rules: rules
                .map(|index| {
                    let via = &policy.rules[index].via;
                    match leg_of.is_empty() {
                        true => (index, paths.judge(via, false), paths.judge(via, true)),
                        false => (index, PathVerdict::Met, PathVerdict::Met),
                    }
                })
                .collect(),
            exemptions: exemptions.collect(),
            passed: match leg_of.is_empty() {
                true => context.passed(&paths),
                false => PassedFirewalls { known: leg_of.iter().flatten().collect(), any: true },
            },
            is_translated: paths
                .forward_firewalls()
                .any(|firewall| context.run.places.translates(firewall, destination)),
            is_from_internet: places.is_internet(source),
            endpoint_behind: places
                .is_private_endpoint(destination)
                .then(|| paths.forward_firewalls().collect::<Vec<_>>().join(" "))
                .filter(|firewalls| !firewalls.is_empty())
                .map(Arc::from),
            pool_members: context.pool_members.of_pair(source, destination),
        };
        self.pairs.push(pair);
        self.pair_index.insert(destination, self.pairs.len() - 1);
        self.pairs.len() - 1
    }

    fn forget_pairs(&mut self) {
        self.pairs.clear();
        self.pair_index.clear();
    }
}

impl Context<'_> {
    /// The verdict of a flow: what comes before any rule, else the worst of its rules.
    fn verdict(&self, flow: &ObservedFlow, pair: &Pair, rules: &[RuleVerdict]) -> Verdict {
        let policy = self.run.policy;
        if flow.is_platform || pair.is_platform {
            return Verdict::Platform;
        }
        let mut exemptions = pair.exemptions.iter().map(|&index| &policy.exemptions[index]);
        if exemptions.any(|exempt| is_asked(flow, &exempt.ports, exempt.protocol)) {
            return Verdict::Exempt;
        }
        if flow.is_denied {
            return Verdict::Denied;
        }
        if pair.is_suspect {
            return Verdict::SuspectDirection;
        }
        rules
            .iter()
            .map(|rule| rule.verdict)
            .min_by_key(worst_first)
            .unwrap_or(Verdict::NotRequired)
    }

    /// Returns true where a rule that asks for a firewall says that the flow was seen there.
    fn is_seen(&self, rules: &[RuleVerdict]) -> bool {
        let asked = &self.run.policy.rules;
        rules
            .iter()
            .any(|rule| rule.verdict == Verdict::Covered && asked[rule.rule].via.asks_firewall())
    }

    /// What is told of the row of a flow.
    fn row_verdict(
        &self,
        flow: &ObservedFlow,
        pair: &Pair,
        rules: &[RuleVerdict],
        shown: &Shown,
        verdict: Verdict,
    ) -> RowVerdict {
        let number = |place: usize| u32::try_from(place).expect("a policy is short");
        let stands = rules.iter().min_by_key(|rule| worst_first(&rule.verdict));
        let code = stands.filter(|rule| rule.verdict == verdict).and_then(|rule| rule.code);
        let is_leg = !pair.leg_of.is_empty();
        let sign = Sign::of(flow, shown, is_leg);
        let exemption = pair.exemptions.iter().copied().find(|&index| {
            let exempt = &self.run.policy.exemptions[index];
            is_asked(flow, &exempt.ports, exempt.protocol)
        });
        RowVerdict {
            verdict,
            rule: stands.map(|rule| number(rule.rule)),
            reason: match exemption {
                Some(place) if verdict == Verdict::Exempt => Reason::Exemption(number(place)),
                _ => Reason::of(verdict, code, sign, is_leg),
            },
            sign,
            dup_of: None,
        }
    }

    fn holds(
        &self,
        (from, to): &(AddressSet, AddressSet),
        both_ways: bool,
        source: IpAddr,
        destination: IpAddr,
    ) -> bool {
        let holds = |source, destination| {
            from.holds(source, &self.places) && to.holds(destination, &self.places)
        };
        holds(source, destination) || (both_ways && holds(destination, source))
    }

    /// Returns true where a leg of a flow that passed these firewalls tells that the flow did what
    /// a rule asks. What else became of it, and who sent it, a leg does not tell: so it is held
    /// against no other rule, and its sender is the firewall.
    fn leg_shows(&self, rule: usize, leg_of: FirewallSet) -> bool {
        self.run.policy.rules[rule].via.asks_firewall()
            && self.rules.wanted[rule].as_ref().is_none_or(|wanted| {
                leg_of.iter().flatten().any(|firewall| wanted.contains(&firewall))
            })
    }

    fn rule_verdicts(
        &self,
        flow: &ObservedFlow,
        pair: &Pair,
        shown: &Shown,
    ) -> SmallVec<[RuleVerdict; 4]> {
        let rules = &self.run.policy.rules;
        let is_translated = is_translated(flow, pair, shown);
        pair.rules
            .iter()
            .filter(|(index, ..)| is_asked(flow, &rules[*index].ports, rules[*index].protocol))
            .map(|&(index, path, translated)| {
                let wanted = self.rules.wanted[index].as_deref();
                let recorded_at = match self.heeds_records {
                    true => flow.recorded_at.union(pair.leg_of),
                    false => FirewallSet::default(),
                };
                let sight = Sight::of(shown, recorded_at, wanted, &pair.passed);
                let is_expected = || self.is_expected(flow, pair, wanted);
                let path = if is_translated { translated } else { path };
                RuleVerdict::of(index, &rules[index].via, path, sight, is_expected)
            })
            .collect()
    }

    /// Returns true where the logs of a firewall on the path would have shown a flow.
    fn is_expected(&self, flow: &ObservedFlow, pair: &Pair, wanted: Option<&[u16]>) -> bool {
        let flow = FlowIdentity::of(flow);
        let passed = pair.passed.known.iter();
        passed
            .filter(|firewall| wanted.is_none_or(|all| all.contains(firewall)))
            .any(|&firewall| self.evidence.covers(&flow, firewall, pair.is_from_internet))
    }

    fn passed(&self, paths: &FlowPaths) -> PassedFirewalls {
        let mut passed = PassedFirewalls::default();
        for name in paths.firewalls() {
            passed.any = true;
            passed.known.extend(self.run.places.firewall_names.of_hop(name));
        }
        passed
    }

    fn way(&self, paths: &FlowPaths, source: IpAddr, destination: IpAddr) -> WayKey {
        let hop = paths.forward.path().or(paths.back.path()).map(|path| *path.first_hop());
        WayKey {
            source: self.group(source),
            next_hop: hop.and_then(|hop| hop.next_hop),
            next_hop_class: hop.map_or(NextHopClass::Unknown, |hop| hop.class),
            destination: self.group(destination),
        }
    }

    fn group(&self, address: IpAddr) -> Group {
        if self.places.is_private_endpoint(address) {
            return Group::PrivateEndpoints;
        }
        if let Some(table) = self.run.fib.sources().by_address(address) {
            return Group::Table(table);
        }
        if self.places.is_on_premises(address) {
            return Group::OnPremises;
        }
        if self.places.is_internet(address) { Group::Internet } else { Group::Other }
    }

    fn named_way(&self, key: &WayKey) -> Way {
        let next_hop = key.next_hop.map(|id| self.run.fib.next_hop(id));
        Way {
            source_group: self.group_name(key.source),
            next_hop_class: key.next_hop_class,
            next_hop_name: next_hop.and_then(|hop| {
                let ips = hop.ips.iter().map(ToString::to_string).collect::<Vec<_>>().join(" ");
                hop.name.clone().or_else(|| (!ips.is_empty()).then_some(ips))
            }),
            destination_group: self.group_name(key.destination),
            is_finding: false,
        }
    }

    fn group_name(&self, group: Group) -> String {
        let name = match group {
            Group::Table(table) => &self.run.fib.info(table).id,
            Group::PrivateEndpoints => "private endpoints",
            Group::OnPremises => "on-premises",
            Group::Internet => "Internet",
            Group::Other => "other",
        };
        name.to_owned()
    }

    fn report(
        &self,
        mut sums: Sums,
        files: &[Arc<str>],
        evidence_sources: Vec<EvidenceSource>,
    ) -> CoverageReport {
        let (places, policy) = (self.run.places, self.run.policy);
        let warnings = places
            .empty_selectors(policy)
            .into_iter()
            .map(|selector| {
                format!("the policy's selector `{selector}` matches nothing in the snapshot")
            })
            .chain(places.firewall_names.doubts(&evidence_sources))
            .collect();
        let mut findings: Vec<Finding> =
            sums.findings.par_iter().map(|(key, sums)| self.finding(key, sums, files)).collect();
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
        let mut by_rule: Vec<RuleTotals> = policy.rules.iter().map(RuleTotals::of).collect();
        for (index, rule) in by_rule.iter_mut().enumerate() {
            rule.totals.extend(sums.of_rule(index));
        }
        let step_ns = self.timeline_step_ns;
        CoverageReport {
            by_way: sums.take_ways(|key| self.named_way(key)),
            pools: self.pools(&sums.pools),
            totals: sums.totals().collect(),
            seen: sums.seen,
            by_rule,
            timeline: sums
                .take_timeline()
                .into_iter()
                .map(|(step, verdict, totals)| (step.saturating_mul(step_ns), verdict, totals))
                .collect(),
            timeline_step_ns: step_ns,
            findings,
            notes: sums.endpoints.into_iter().map(endpoint_without_translation).collect(),
            warnings,
            unobservable: self.unobservable.clone(),
            evidence_sources,
            shows_percentages: true,
            ..CoverageReport::default()
        }
    }

    fn pools(&self, sums: &BTreeMap<usize, CoverageTotals>) -> Vec<PoolMember> {
        let members = self.run.places.pool_members.iter().enumerate();
        members
            .map(|(index, place)| {
                let totals = sums.get(&index).copied().unwrap_or_default();
                let next_hop_class = place.address.and_then(|address| {
                    let gateway = place.gateway.first()?.address();
                    let table = self.run.fib.sources().by_address(gateway)?;
                    Some(self.run.fib.path(table, address).hops[0].class)
                });
                PoolMember {
                    problem: self.problem(place, next_hop_class, totals),
                    pool: place.pool.clone(),
                    member: place.member.clone(),
                    address: place.address,
                    health: place.health.clone(),
                    next_hop_class,
                    totals,
                }
            })
            .collect()
    }

    fn problem(
        &self,
        place: &PoolMemberPlace,
        next_hop_class: Option<NextHopClass>,
        totals: CoverageTotals,
    ) -> Option<PoolProblem> {
        let Some(address) = place.address else {
            return Some(match place.is_name {
                true => PoolProblem::UnresolvedName,
                false => PoolProblem::UnknownMember,
            });
        };
        if self.places.is_internet(address) {
            return Some(PoolProblem::PublicAddress);
        }
        if matches!(next_hop_class, Some(NextHopClass::Dropped | NextHopClass::NoRoute)) {
            return Some(PoolProblem::NoRoute);
        }
        (totals.flows == 0).then_some(PoolProblem::NoFlows)
    }

    fn finding(&self, key: &FindingKey, sums: &FindingSums, files: &[Arc<str>]) -> Finding {
        let &(rule, code, source, destination) = key;
        let fib = self.run.fib;
        let paths = FlowPaths::of(fib, &self.places, source, destination);
        let (direction, receiver) = match sums.is_back {
            true => (&paths.back, source),
            false => (&paths.forward, destination),
        };
        let hop = direction.path().map(|path| *path.decisive_hop(code));
        let matched = hop.and_then(|hop| fib.matched(hop.table, receiver));
        Finding {
            verdict: sums.verdict,
            rule: self.run.policy.rules[rule].name.clone(),
            code,
            message: hop.map_or_else(
                || code.description().to_owned(),
                |hop| {
                    self.message(rule, code, &hop, receiver, matched.map(|matched| matched.prefix))
                },
            ),
            source,
            destination,
            route_table_id: hop.map(|hop| fib.info(hop.table).id.clone()),
            matched_prefix: matched.map(|matched| matched.prefix),
            next_hop_class: hop.map_or(NextHopClass::Unknown, |hop| hop.class),
            evidence: sums.files.iter().map(|&file| files[file as usize].to_string()).collect(),
            totals: sums.totals,
            examples: sums.examples.iter().map(|example| example.named(files)).collect(),
        }
    }

    /// The route that causes a finding, and the change that would mend it.
    fn message(
        &self,
        rule: usize,
        code: FindingCode,
        hop: &PathHop,
        receiver: IpAddr,
        prefix: Option<AddressPrefix>,
    ) -> String {
        let table = &self.run.tables.tables[hop.table.index()];
        let explanation = table.explain(&self.run.tables.owners, receiver);
        let route = match (&explanation.next_hop, &explanation.route_source, prefix) {
            (Some(next_hop), Some(source), Some(prefix)) => format!(
                "{} routes {receiver} by {} {prefix} to {}",
                table.id,
                source.as_str(),
                next_hop.next_hop_type.as_str()
            ),
            _ => format!("{} has no route for {receiver}", table.id),
        };
        let cause = Cause {
            code,
            via: &self.run.policy.rules[rule].via,
            table,
            receiver,
            prefix,
            is_users_route: explanation.route_source == Some(RouteSource::User),
            subnet: self.run.places.subnet_of(receiver),
        };
        format!("{route}; {}{}", cause.near_miss(), cause.mend())
    }
}

/// What is to be known of flows through a firewall to a private endpoint: its answers follow the
/// platform and no table, so that only translation is sure to bring them back.
///
/// Source: Microsoft, "Use Azure Firewall to inspect traffic destined to a private endpoint" (read
/// 2026-11-20).
fn endpoint_without_translation(
    ((destination, firewall), totals): ((IpAddr, Arc<str>), CoverageTotals),
) -> FlowNote {
    FlowNote {
        code: "private_endpoint_without_snat",
        destination,
        message: format!(
            "the private endpoint {destination} stands behind {firewall}, and nothing tells that \
             the sender's address is translated there: its answers go the platform's way, which \
             need not lead back; an application rule, or translation of all addresses, does"
        ),
        firewall: firewall.to_string(),
        totals,
    }
}

/// Returns the places of each source's flows, in the order of their times.
///
/// Times are seldom equal; so numbers are sorted, and not the flows.
fn by_source_and_time(flows: &[ObservedFlow]) -> Vec<Vec<u32>> {
    let mut ranks: AHashMap<IpAddr, usize> = AHashMap::new();
    let mut of_sources: Vec<Vec<(i64, u32)>> = Vec::new();
    for (place, flow) in flows.iter().enumerate() {
        let place = u32::try_from(place).expect("a partition has fewer than 2^32 flows");
        let rank = *ranks.entry(flow.source).or_insert(of_sources.len());
        if rank == of_sources.len() {
            of_sources.push(Vec::new());
        }
        of_sources[rank].push((flow.start_time_ns, place));
    }
    let in_order = |mut of_source: Vec<(i64, u32)>| {
        of_source.sort_unstable();
        let equal = of_source.chunk_by_mut(|(a, _), (b, _)| a == b).filter(|same| same.len() > 1);
        for same in equal {
            same.sort_unstable_by_key(|(_, place)| flows[*place as usize].time_order());
        }
        of_source.into_iter().map(|(_, place)| place).collect()
    };
    of_sources.into_iter().map(in_order).collect()
}

/// Returns the flows at places, each asked for while those before it are worked on: a core's own
/// cache does not hold a partition of them.
fn asked_ahead<'f>(
    flows: &'f [ObservedFlow],
    places: &'f [u32],
) -> impl Iterator<Item = &'f ObservedFlow> {
    const AHEAD: usize = 12;
    let ask_for = |&place: &u32| prefetch_item(flows, place as usize);
    places.iter().take(AHEAD).for_each(ask_for);
    places.iter().enumerate().map(move |(at, &place)| {
        places.get(at + AHEAD).into_iter().for_each(ask_for);
        &flows[place as usize]
    })
}

/// Returns true where a firewall on the way is known to put an address of its own in the sender's
/// place; one that is not on the way has nothing to answer for there.
fn is_translated(flow: &ObservedFlow, pair: &Pair, shown: &Shown) -> bool {
    let by_rule = shown.iter().filter(|shown| shown.is_application);
    pair.is_translated
        || flow.is_translated && flow.recorded_at.iter().any(|one| pair.passed.may_hold(one))
        || by_rule.map(|shown| shown.firewall).any(|one| pair.passed.may_be_logged_by(one))
}

/// What a rule says of ports and protocol.
fn is_asked(flow: &ObservedFlow, ports: &[u16], protocol: Option<u8>) -> bool {
    protocol.is_none_or(|protocol| protocol == flow.protocol)
        && (ports.is_empty() || flow.ports.is_some_and(|(_, port)| ports.contains(&port)))
}

/// The verdict that stands where several rules match: the first of the list is the worst, but what
/// is merely not known stands behind every finding.
fn worst_first(verdict: &Verdict) -> (bool, Verdict) {
    (!verdict.is_finding(), *verdict)
}

/// A step of the timeline, so that there are about sixty: a whole number of minutes or seconds.
fn timeline_step_ns((first, last): (i64, i64)) -> i64 {
    const STEPS_MAX: i64 = 60;
    const SECOND: i64 = 1_000_000_000;
    let span = last.saturating_sub(first);
    [1, 10, 60, 300, 600, 1800, 3600, 6 * 3600, 86_400, 7 * 86_400]
        .into_iter()
        .map(|seconds| seconds * SECOND)
        .find(|step| span / step < STEPS_MAX)
        .unwrap_or(30 * 86_400 * SECOND)
}
