//! A policy as sets of addresses.

use smallvec::SmallVec;

use super::places::AddressSet;
use super::{Places, Policy, Via};

/// The selectors of a policy as sets, in the order of its rules.
pub(super) struct CompiledPolicy {
    pub(super) rules: Vec<(AddressSet, AddressSet)>,
    /// The firewalls that each rule names; `None` where it names none.
    pub(super) wanted: Vec<Option<SmallVec<[u16; 2]>>>,
    pub(super) exemptions: Vec<(AddressSet, AddressSet)>,
}

impl CompiledPolicy {
    pub(super) fn of(policy: &Policy, places: &Places) -> Self {
        Self {
            rules: policy
                .rules
                .iter()
                .map(|rule| (places.set(&rule.from), places.set(&rule.to)))
                .collect(),
            wanted: policy
                .rules
                .iter()
                .map(|rule| match &rule.via {
                    Via::Firewall { name: Some(name) } => Some(places.firewall_names.of_hop(name)),
                    _ => None,
                })
                .collect(),
            exemptions: policy
                .exemptions
                .iter()
                .map(|exempt| (places.set(&exempt.from), places.set(&exempt.to)))
                .collect(),
        }
    }
}
