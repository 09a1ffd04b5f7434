//! The faults that only pairs of tables show.

use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;

use super::{Fib, Path, PathOutcome, SnapshotTables, Source, TableId};
use crate::azure::NextHopType;
use crate::net::AddressPrefix;
use crate::routing::{Finding, NextHopClass, RouteTable, Severity};

/// How many pairs of tables are looked at. One subnet stands for all of its VNet with the same
/// routes, so that only large snapshots meet it.
const PAIRS_MAX: usize = 1_000_000;

impl SnapshotTables {
    /// Returns every fault of the snapshot: those of its resources, of its tables, and of pairs of
    /// subnets. The worst come first, then by code and table.
    ///
    /// Cost: linear in the rows of all tables, and one path each way for each pair of subnets that
    /// are routed differently.
    pub fn lint(&self, fib: &Fib) -> Vec<Finding> {
        let mut findings = self.findings.clone();
        findings.extend(self.tables.iter().flat_map(|table| table.lint(&self.owners)));
        findings.extend(self.overlaps());
        findings.extend(self.pairs(fib));
        findings.extend(self.equal_costs(fib));
        findings.extend(self.backends(fib));
        findings.sort_by(|a, b| {
            (a.severity, a.code, &a.route_table_id, a.address_prefix, &a.message).cmp(&(
                b.severity,
                b.code,
                &b.route_table_id,
                b.address_prefix,
                &b.message,
            ))
        });
        findings
    }

    fn overlaps(&self) -> impl Iterator<Item = Finding> + '_ {
        self.marks.ambiguous.iter().map(|prefix| {
            let message = format!(
                "{prefix} is in several networks that are not peered, so records that are known by \
                 such an address alone are labelled unknown"
            );
            Finding::new("ambiguous_source", Severity::Warning, message).at(*prefix)
        })
    }

    /// Pairs of subnets where one direction is inspected or sent by a gateway, and the other is
    /// dropped or goes another way.
    fn pairs(&self, fib: &Fib) -> Vec<Finding> {
        let senders = self.senders(fib);
        let mut findings = Vec::new();
        let mut pair_count = 0;
        for (index, a) in senders.iter().enumerate() {
            for b in &senders[index + 1..] {
                pair_count += 1;
                if pair_count > PAIRS_MAX {
                    findings.push(Finding::new(
                        "pairs_not_judged",
                        Severity::Note,
                        format!("more than {PAIRS_MAX} pairs of subnets; the rest was not judged"),
                    ));
                    return findings;
                }
                findings.extend(self.judge(fib, a, b));
            }
        }
        findings
    }

    fn judge(&self, fib: &Fib, a: &Sender, b: &Sender) -> Option<Finding> {
        // Most pairs are plain both ways, which a look-up tells.
        if !is_steered(fib, a, b) && !is_steered(fib, b, a) {
            return None;
        }
        let there = fib.path(a.table, b.address);
        let back = fib.path(b.table, a.address);
        let goes_nowhere =
            |path: &Path| matches!(path.outcome, PathOutcome::Dropped | PathOutcome::Loop);
        let (good, bad, from, to) = match (goes_nowhere(&there), goes_nowhere(&back)) {
            (false, true) => (&there, &back, a, b),
            (true, false) => (&back, &there, b, a),
            (true, true) => return None,
            (false, false) => return self.asymmetry(fib, (a, &there), (b, &back)),
        };
        let steered = good.hops.first().is_some_and(|hop| steers(hop.class));
        steered.then(|| {
            let (from, to) = (self.id(from), self.id(to));
            let class = bad.hops.last().map_or(NextHopClass::NoRoute, |hop| hop.class);
            Finding::new(
                "one_way_pair",
                Severity::Error,
                format!("{from} reaches {to}, and the answers are lost ({class})"),
            )
            .in_table(to)
        })
    }

    fn asymmetry(
        &self,
        fib: &Fib,
        (a, there): (&Sender, &Path),
        (b, back): (&Sender, &Path),
    ) -> Option<Finding> {
        let (over, returning) = (firewalls(fib, there), firewalls(fib, back));
        let is_known = |path: &Path| path.outcome != PathOutcome::OutsideSnapshot;
        (over != returning && is_known(there) && is_known(back)).then(|| {
            let (from, to) = (self.id(a), self.id(b));
            let message = format!(
                "{from} to {to} passes {}, the way back {}",
                named(&over),
                named(&returning)
            );
            Finding::new("asymmetric_pair", Severity::Warning, message).in_table(from)
        })
    }

    /// Routes to several hops of equal cost that do not all lead the same way.
    fn equal_costs(&self, fib: &Fib) -> Vec<Finding> {
        let mut seen = BTreeSet::new();
        let mut findings = Vec::new();
        for (index, route_table) in self.tables.iter().enumerate() {
            let Some(table) = fib.table_id(index) else { continue };
            if !seen.insert((route_table.scope, fib.content_of(table))) {
                continue;
            }
            for (prefix, address) in fib.sets_of_equal_cost(table) {
                let paths = fib.paths(table, address);
                let ends = |path: &Path| (path.outcome, firewalls(fib, path));
                let different: BTreeSet<_> = paths.iter().map(ends).collect();
                let is_mixed = paths[0].hops[0].class == NextHopClass::Mixed;
                if is_mixed || different.len() > 1 {
                    let ends: Vec<String> = different
                        .iter()
                        .map(|(outcome, firewalls)| format!("{outcome} past {}", named(firewalls)))
                        .collect();
                    findings.push(
                        Finding::new(
                            "ecmp_paths_differ",
                            Severity::Warning,
                            format!(
                                "{prefix} goes to several hops of equal cost, {}: {}",
                                match is_mixed {
                                    true => "not all of them firewalls",
                                    false => "which lead different ways",
                                },
                                ends.join("; ")
                            ),
                        )
                        .in_table(&route_table.id)
                        .at(prefix),
                    );
                }
            }
        }
        findings
    }

    /// One subnet for each set of equal tables of a network.
    fn senders(&self, fib: &Fib) -> Vec<Sender> {
        let mut seen = BTreeSet::new();
        let mut senders = Vec::new();
        for (index, sources) in self.sources.iter().enumerate() {
            let Some(table) = fib.table_id(index) else { continue };
            let route_table = &self.tables[index];
            let Some(scope) = route_table.scope.filter(|_| !is_special(route_table)) else {
                continue;
            };
            let Some(address) = ordinary_address(route_table, sources) else { continue };
            if seen.insert((scope, fib.content_of(table))) {
                senders.push(Sender { table, address });
            }
        }
        senders
    }

    fn id(&self, sender: &Sender) -> &str {
        &self.tables[sender.table.index()].id
    }
}

/// A subnet that stands for those that are routed as it is.
struct Sender {
    table: TableId,
    address: IpAddr,
}

/// Azure's own subnets pass on what others send; nobody talks to them.
fn is_special(table: &RouteTable) -> bool {
    const SPECIAL: [&str; 7] = [
        "gatewaysubnet",
        "azurefirewallsubnet",
        "azurefirewallmanagementsubnet",
        "routeserversubnet",
        "azurebastionsubnet",
        "hub-gateways",
        "hub-firewall",
    ];
    let folded = table.id.to_ascii_lowercase();
    folded.rsplit('/').next().is_some_and(|name| SPECIAL.contains(&name))
}

/// An address of a table's subnet that a machine may have: private endpoints answer by themselves,
/// whatever the routes say.
fn ordinary_address(table: &RouteTable, sources: &[Source]) -> Option<IpAddr> {
    let endpoints: BTreeSet<IpAddr> = table
        .rows()
        .filter(|row| row.next_hop_type == NextHopType::InterfaceEndpoint)
        .filter_map(|row| row.prefix())
        .map(AddressPrefix::address)
        .collect();
    sources.iter().find_map(|source| {
        let Source::Prefix(prefix) = source else { return None };
        let IpAddr::V4(first) = source.usable_address(true)? else { return None };
        (first.to_bits()..=u32::MAX)
            .map(|bits| IpAddr::V4(bits.into()))
            .take_while(|address| prefix.contains(*address))
            .find(|address| !endpoints.contains(address))
    })
}

fn is_steered(fib: &Fib, from: &Sender, to: &Sender) -> bool {
    fib.lookup(from.table, to.address).is_some_and(|id| steers(fib.next_hop(id).class))
}

fn steers(class: NextHopClass) -> bool {
    matches!(
        class,
        NextHopClass::Firewall
            | NextHopClass::Appliance
            | NextHopClass::Gateway
            | NextHopClass::Mixed
    )
}

fn named(firewalls: &BTreeSet<String>) -> String {
    match firewalls.is_empty() {
        true => "no firewall".to_owned(),
        false => firewalls.iter().cloned().collect::<Vec<_>>().join(", "),
    }
}

fn firewalls(fib: &Fib, path: &Path) -> BTreeSet<String> {
    path.hops
        .iter()
        .filter(|hop| hop.class == NextHopClass::Firewall)
        .filter_map(|hop| hop.next_hop)
        .map(|id| {
            let hop = fib.next_hop(id);
            let ips = || hop.ips.iter().map(ToString::to_string).collect::<Vec<_>>().join(" ");
            hop.name.clone().unwrap_or_else(ips)
        })
        .collect()
}

/// Counts findings by severity, for a summary line.
pub fn count_by_severity(findings: &[Finding]) -> BTreeMap<Severity, usize> {
    let mut counts = BTreeMap::new();
    for finding in findings {
        *counts.entry(finding.severity).or_default() += 1;
    }
    counts
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::azure::ServiceEndpointPriority;
    use crate::routing::testing::routes;

    /// Source: Azure keeps the first four addresses of a subnet, and the last.
    #[test]
    fn a_machine_has_the_fifth_address_of_its_subnet_or_one_behind_endpoints() {
        let priority = ServiceEndpointPriority::default();
        let table = |text: &str| RouteTable::from_export("t", &routes(text), priority);
        let without = table("Default Active 10.0.0.0/16 VnetLocal");
        let with = table(
            "Default Active 10.0.0.4/32 InterfaceEndpoint\n\
             Default Active 10.0.0.5/32 InterfaceEndpoint",
        );
        for (prefix, table, want) in [
            ("10.0.0.0/24", &without, Some("10.0.0.4")),
            ("10.0.0.8/29", &without, Some("10.0.0.12")),
            ("10.0.0.0/24", &with, Some("10.0.0.6")),
            ("fd00::/64", &without, None),
        ] {
            let want: Option<IpAddr> = want.map(|text| text.parse().unwrap());
            let sources = [Source::Prefix(prefix.parse().unwrap())];
            assert_eq!(ordinary_address(table, &sources), want, "{prefix}");
        }
    }
}
