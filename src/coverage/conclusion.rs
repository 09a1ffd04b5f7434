//! From the sums of all flows to the report: findings with their cause and mend, ways, pools.

use std::collections::BTreeMap;
use std::net::IpAddr;
use std::sync::Arc;

use rayon::prelude::*;

use super::judge::Context;
use super::mend::Cause;
use super::paths::FlowPaths;
use super::pools::PoolMemberPlace;
use super::sums::{FindingKey, FindingSums, Group, Sums, WayKey};
use super::{
    CoverageReport, CoverageTotals, EvidenceSource, Finding, FindingCode, FlowNote, PoolMember,
    PoolProblem, RuleTotals, Way,
};
use crate::azure::RouteSource;
use crate::fib::PathHop;
use crate::net::AddressPrefix;
use crate::routing::NextHopClass;

impl Context<'_> {
    pub(super) fn report(
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
        let timeline = self.timeline;
        CoverageReport {
            by_way: sums.take_ways(|key| self.named_way(key)),
            pools: self.pools(&sums.pools),
            totals: sums.totals().collect(),
            seen: sums.seen,
            by_rule,
            timeline: sums
                .timeline()
                .map(|(step, verdict, totals)| (timeline.start_ns(step), verdict, totals))
                .collect(),
            timeline_step_ns: timeline.step_ns,
            findings,
            notes: sums.endpoints.into_iter().map(endpoint_without_translation).collect(),
            warnings,
            unobservable: self.unobservable.clone(),
            evidence_sources,
            shows_percentages: true,
            ..CoverageReport::default()
        }
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
            evidence: sums.files().map(|file| files[file as usize].to_string()).collect(),
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
