//! Backend pools against the tables of their gateways: where each member's requests go.

use std::net::IpAddr;

use super::{Fib, Place, SnapshotTables, TableId};
use crate::net::special::is_internet;
use crate::routing::{BackendMember, BackendPoolMembers, Finding, NextHopClass, Severity};

/// How many members an inventory names; what is more is counted.
const MEMBERS_SHOWN_MAX: usize = 50;

impl SnapshotTables {
    /// Returns the table that a pool's gateway sends by; none where its subnet is not known.
    pub fn table_of_pool(&self, fib: &Fib, pool: &BackendPoolMembers) -> Option<TableId> {
        pool.subnets.iter().find_map(|subnet| fib.sources().by_resource_id(subnet.as_str()))
    }

    /// Returns the pools that a name stands for: `GATEWAY/POOL`, or all of a gateway, in any case.
    pub fn pools_named(&self, name: &str) -> Vec<&BackendPoolMembers> {
        let is_named = |pool: &&BackendPoolMembers| {
            let gateway = pool.name.split('/').next().unwrap_or_default();
            pool.name.eq_ignore_ascii_case(name) || gateway.eq_ignore_ascii_case(name)
        };
        self.pools.iter().filter(is_named).collect()
    }

    /// The inventory of every pool, and the members that its gateway does not reach as meant.
    pub(super) fn backends(&self, fib: &Fib) -> Vec<Finding> {
        let mut findings = Vec::new();
        for pool in &self.pools {
            let table = self.table_of_pool(fib, pool);
            let mut say = |code, severity, message: String| {
                let finding = Finding::new(code, severity, message).about(&pool.gateway);
                findings.push(match table {
                    Some(table) => finding.in_table(&fib.info(table).id),
                    None => finding,
                });
            };
            let classes: Vec<Option<NextHopClass>> =
                pool.members.iter().map(|member| class_of(fib, table?, member.address?)).collect();
            say("backend_pool", Severity::Note, inventory(pool, &classes));
            for (member, class) in pool.members.iter().zip(&classes) {
                let who = format!("member {} of pool `{}`", shown(member), pool.name);
                for (code, severity, what) in faults(fib, member, *class) {
                    say(code, severity, format!("{who} {what}"));
                }
            }
        }
        findings
    }
}

/// One line about all members: who they are, where their requests go, and how they are.
fn inventory(pool: &BackendPoolMembers, classes: &[Option<NextHopClass>]) -> String {
    let member = |(member, class): (&BackendMember, &Option<NextHopClass>)| {
        let class = class.map_or("not known", NextHopClass::as_str);
        let health = member.health.as_ref().map(|said| format!(", {said}")).unwrap_or_default();
        format!("{} ({class}{health})", shown(member))
    };
    let count = pool.members.len();
    let mut all: Vec<String> =
        pool.members.iter().zip(classes).take(MEMBERS_SHOWN_MAX).map(member).collect();
    if count > MEMBERS_SHOWN_MAX {
        all.push(format!("and {} more", count - MEMBERS_SHOWN_MAX));
    }
    format!("pool `{}` has {count} members: {}", pool.name, all.join(", "))
}

type Fault = (&'static str, Severity, String);

fn faults(fib: &Fib, member: &BackendMember, class: Option<NextHopClass>) -> Vec<Fault> {
    let mut faults: Vec<Fault> = Vec::new();
    match member.address {
        None => faults.push((
            "backend_address_unknown",
            Severity::Warning,
            "has an address that the snapshot does not tell".to_owned(),
        )),
        Some(address) => {
            if is_nowhere(fib, address) {
                faults.push((
                    "backend_without_subnet",
                    Severity::Warning,
                    "is in no subnet of the snapshot".to_owned(),
                ));
            }
        }
    }
    match class {
        Some(NextHopClass::Dropped | NextHopClass::NoRoute) => faults.push((
            "backend_without_route",
            Severity::Error,
            "is not reached: the gateway's subnet has no route to it".to_owned(),
        )),
        Some(NextHopClass::Internet) => faults.push((
            "backend_over_internet",
            Severity::Warning,
            "is reached over the Internet: its name or address is public".to_owned(),
        )),
        _ => {}
    }
    let is_up = |said: &String| said.split(", ").all(|word| word.eq_ignore_ascii_case("Up"));
    if let Some(said) = member.health.as_ref().filter(|said| !is_up(said)) {
        faults.push(("backend_unhealthy", Severity::Warning, format!("is {said}")));
    }
    faults
}

/// A private address that neither a subnet nor anything on-premises holds.
fn is_nowhere(fib: &Fib, address: IpAddr) -> bool {
    !is_internet(address) && fib.sources().place(address) == Place::Nowhere
}

fn class_of(fib: &Fib, table: TableId, address: IpAddr) -> Option<NextHopClass> {
    fib.path(table, address).hops.first().map(|hop| hop.class)
}

fn shown(member: &BackendMember) -> String {
    let mut words = vec![member.name.clone()];
    let address = member.address.map(|address| address.to_string());
    words.extend(address.filter(|address| *address != member.name));
    words.extend(member.owner.clone().filter(|owner| *owner != member.name));
    words.join(" ")
}
