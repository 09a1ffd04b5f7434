//! The verdict on one flow: what its paths say of each rule, and what the logs show.

use std::net::IpAddr;
use std::sync::Arc;

use ahash::{AHashMap, RandomState};
use hashbrown::HashTable;
use smallvec::SmallVec;

use super::compiled_policy::CompiledPolicy;
use super::evidence::{Evidence, FlowIdentity, ShownAt};
use super::evidence_lines::EvidenceLines;
use super::evidence_verdict::{PassedFirewalls, RuleVerdict, Sight};
use super::firewall_set::FirewallSet;
use super::flows::ObservedFlow;
use super::kept_rows::BlockOrder;
use super::paths::{FlowPaths, PathVerdict};
use super::places::{AddressSet, CompiledPlaces};
use super::pool_index::PoolIndex;
use super::row_verdicts::{Reason, RowVerdict, Sign};
use super::sums::{Group, Sums, Timeline, WayKey};
use super::{CoverageTotals, Unobservable, Verdict, Verifier};
use crate::net::special::is_platform;
use crate::routing::NextHopClass;
use crate::spill::{PartitionBuffers, PartitionBytes};

/// What every thread looks at.
pub(super) struct Context<'r> {
    pub(super) run: &'r Verifier<'r>,
    pub(super) rules: CompiledPolicy,
    pub(super) places: CompiledPlaces,
    pub(super) pool_members: PoolIndex,
    pub(super) evidence: Evidence,
    /// That a flow was recorded at a firewall shows that it passed there.
    pub(super) heeds_records: bool,
    pub(super) timeline: Timeline,
    pub(super) unobservable: Vec<Unobservable>,
    /// Where kept rows stand.
    pub(super) rows: Option<Arc<BlockOrder>>,
}

/// The work of one thread.
pub(super) struct Judge<'c> {
    context: &'c Context<'c>,
    pub(super) sums: Sums,
    /// The verdicts on kept rows.
    pub(super) rows: PartitionBuffers,
    /// What is known of the flows of the current source to each destination.
    pairs: Vec<Pair>,
    /// Positions in `pairs`, by destination.
    pair_index: HashTable<usize>,
    hasher: RandomState,
    /// What the rules say of the current flow.
    rules: Vec<RuleVerdict>,
}

/// What the flows from one address to another have in common.
struct Pair {
    destination: IpAddr,
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

    pub(super) fn new(context: &'c Context<'c>) -> Self {
        Self {
            context,
            sums: Sums::default(),
            rows: PartitionBuffers::new(),
            pairs: Vec::new(),
            pair_index: HashTable::new(),
            hasher: RandomState::new(),
            rules: Vec::new(),
        }
    }

    /// Reads the lines of a partition of senders.
    pub(super) fn read_lines(&self, bytes: PartitionBytes) -> EvidenceLines {
        self.context.evidence.read_lines(bytes)
    }

    /// Judges the flows of a partition, which has all that its sources sent.
    pub(super) fn judge_all(&mut self, flows: &[ObservedFlow], lines: &EvidenceLines) {
        for of_source in &by_source(flows) {
            let source = flows[of_source[0] as usize].source;
            let all = of_source.iter().map(|&place| &flows[place as usize]);
            let identities = all.clone().map(FlowIdentity::of);
            let sightings = self.context.evidence.look_for(lines, source, identities);
            let mut sightings = sightings.in_order();
            self.forget_pairs();
            for (number, flow) in (0..).zip(all) {
                self.judge(flow, sightings.of(number));
            }
        }
    }

    fn judge(&mut self, flow: &ObservedFlow, shown: &[ShownAt]) {
        let pair = self.pair(flow.source, flow.destination);
        let Self { context, sums, rows: row_verdicts, pairs, rules, .. } = self;
        let pair = &pairs[pair];
        let totals = CoverageTotals::of(flow);
        rules.clear();
        rules.extend(context.rule_verdicts(flow, pair, shown));
        let rules = &rules[..];
        let verdict = context.verdict(flow, pair, rules);
        if let (Some(order), Some(row)) = (&context.rows, flow.row) {
            let verdict = context.row_verdict(flow, pair, rules, shown, verdict);
            row_verdicts.push_to(order.partition(row), |bytes| verdict.write(row, bytes));
        }
        sums.add_verdict(verdict, totals);
        if verdict == Verdict::Covered && context.is_seen(rules) {
            sums.seen.add(totals);
        }
        for &member in &pair.pool_members {
            sums.pools.entry(member).or_default().add(totals);
        }
        if verdict.counts_in_percentages() {
            sums.add_step(context.timeline.step_of(flow.start_time_ns), verdict, totals);
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
        let hash = hash_of(&self.hasher, destination);
        let is_same = |&pair: &usize| self.pairs[pair].destination == destination;
        if let Some(&pair) = self.pair_index.find(hash, is_same) {
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
            destination,
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
        let position = self.pairs.len();
        self.pairs.push(pair);
        let Self { pairs, pair_index, hasher, .. } = self;
        pair_index.insert_unique(hash, position, |&pair| hash_of(hasher, pairs[pair].destination));
        position
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
        shown: &[ShownAt],
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

    fn rule_verdicts<'p>(
        &'p self,
        flow: &'p ObservedFlow,
        pair: &'p Pair,
        shown: &'p [ShownAt],
    ) -> impl Iterator<Item = RuleVerdict> + use<'p> {
        let rules = &self.run.policy.rules;
        let is_translated = is_translated(flow, pair, shown);
        pair.rules
            .iter()
            .filter(|(index, ..)| is_asked(flow, &rules[*index].ports, rules[*index].protocol))
            .map(move |&(index, path, translated)| {
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
}

fn hash_of(hasher: &RandomState, address: IpAddr) -> u64 {
    match address {
        IpAddr::V4(address) => hasher.hash_one(address.to_bits()),
        IpAddr::V6(address) => hasher.hash_one(address.to_bits()),
    }
}

/// Returns the places of each source's flows, in order.
fn by_source(flows: &[ObservedFlow]) -> Vec<Vec<u32>> {
    let mut ranks: AHashMap<IpAddr, usize> = AHashMap::new();
    let mut of_sources: Vec<Vec<u32>> = Vec::new();
    let mut last: Option<(IpAddr, usize)> = None;
    for (place, flow) in flows.iter().enumerate() {
        let place = u32::try_from(place).expect("a partition has fewer than 2^32 flows");
        let rank = match last {
            Some((source, rank)) if source == flow.source => rank,
            _ => *ranks.entry(flow.source).or_insert(of_sources.len()),
        };
        last = Some((flow.source, rank));
        if rank == of_sources.len() {
            of_sources.push(Vec::new());
        }
        of_sources[rank].push(place);
    }
    of_sources
}

/// Returns true where a firewall on the way is known to put an address of its own in the sender's
/// place; one that is not on the way has nothing to answer for there.
fn is_translated(flow: &ObservedFlow, pair: &Pair, shown: &[ShownAt]) -> bool {
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
