//! Backend pools of application gateways: who is in them, and whom no traffic shows.

use std::net::IpAddr;

use super::CoverageTotals;
use crate::azure::resources::{ResourceId, Resources};
use crate::net::AddressPrefix;
use crate::routing::{BackendMember, BackendPoolMembers, NextHopClass};

/// A member of a pool, with the flows that its gateway sent it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PoolMember {
    /// `GATEWAY/POOL`.
    pub pool: String,
    /// Its host name where the pool gives one, else its address, else the name of its NIC or of the
    /// instance of its scale set.
    pub member: String,
    /// Its address, where the snapshot tells it.
    pub address: Option<IpAddr>,
    /// What the gateway's health probes said when the snapshot was taken, in Azure's word.
    pub health: Option<String>,
    /// The gateway's first hop to it.
    pub next_hop_class: Option<NextHopClass>,
    /// What is wrong.
    pub problem: Option<PoolProblem>,
    /// Flows from the gateway's subnets to it.
    pub totals: CoverageTotals,
}

/// What is wrong with a member of a pool; the first that applies.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum PoolProblem {
    /// The pool names a NIC that no export holds.
    UnknownMember,
    /// A host name, which no export resolves.
    UnresolvedName,
    /// A public address: the gateway reaches it over the Internet.
    PublicAddress,
    /// The gateway's subnet has no route to it, or one that drops.
    NoRoute,
    /// No recorded flow went to it.
    NoFlows,
}

/// A member as the snapshot tells it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct PoolMemberPlace {
    pub(super) pool: String,
    pub(super) member: String,
    pub(super) address: Option<IpAddr>,
    pub(super) health: Option<String>,
    pub(super) is_name: bool,
    /// The prefixes of the gateway's subnets; empty where no export tells them.
    pub(super) gateway: Vec<AddressPrefix>,
}

impl PoolProblem {
    /// Returns the word that stands in every output.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::UnknownMember => "unknown_member",
            Self::UnresolvedName => "unresolved_name",
            Self::PublicAddress => "public_address",
            Self::NoRoute => "no_route",
            Self::NoFlows => "no_flows",
        }
    }
}

/// Takes the members of every pool over, with the prefixes that their gateways send from.
pub(super) fn pool_members(
    pools: &[BackendPoolMembers],
    resources: &Resources,
) -> Vec<PoolMemberPlace> {
    let of_pool = |pool: &BackendPoolMembers| {
        let gateway = prefixes_of(resources, &pool.subnets);
        let place = |member: &BackendMember| PoolMemberPlace {
            pool: pool.name.clone(),
            member: match member.address {
                Some(address) if !member.is_host_name => address.to_string(),
                _ => member.name.clone(),
            },
            address: member.address,
            health: member.health.clone(),
            is_name: member.is_host_name,
            gateway: gateway.clone(),
        };
        pool.members.iter().map(place).collect::<Vec<_>>()
    };
    pools.iter().flat_map(of_pool).collect()
}

fn prefixes_of(resources: &Resources, ids: &[ResourceId]) -> Vec<AddressPrefix> {
    let subnets = resources.virtual_networks.iter().flat_map(|network| &network.subnets);
    subnets
        .filter(|subnet| ids.contains(&subnet.header.id))
        .flat_map(|subnet| subnet.address_prefixes.iter().copied())
        .collect()
}
