//! The routes that every subnet has: its VNet, the reserved blocks, the Internet.

use std::net::IpAddr;

use super::base::Draft;
use super::topology::Network;
use super::{Rejection, RouteRow};
use crate::azure::{NextHopType, RouteSource, SystemNoneProfile};
use crate::net::AddressPrefix;

/// Adds the system routes of a VNet.
///
/// * Every prefix of the address space goes to `VnetLocal`; never the ranges of subnets.
///   (Documented.)
/// * `0.0.0.0/0` goes to the Internet; in a VNet with IPv6 space `::/0` too. (Documented; for IPv6
///   seen in published outputs.)
/// * The reserved blocks go to `None`; which these are depends on the profile.
/// * A reserved block that the address space equals or contains has no row: the VNet's own row is
///   in its place. An address space *inside* a reserved block leaves its row. (Documented, and seen
///   in published outputs.)
///
/// Source: Microsoft, "Virtual network traffic routing", §System routes (read 2026-11-20).
pub(super) fn add(draft: &mut Draft, network: &Network<'_>, profile: SystemNoneProfile) {
    let space = &network.network.address_space;
    for prefix in space {
        draft.push(row(*prefix, NextHopType::VnetLocal));
    }
    draft.push(row(AddressPrefix::IPV4_ALL, NextHopType::Internet));
    if network.has_ipv6() {
        draft.push(row(AddressPrefix::IPV6_ALL, NextHopType::Internet));
    }
    for block in none_blocks(profile) {
        let mut none = row(block, NextHopType::None);
        if space.iter().any(|prefix| prefix.covers(block)) {
            none.is_absent = true;
            none.rejected = Some(Rejection::InsideAddressSpace);
        }
        draft.push(none);
    }
}

/// Returns a system route that is used.
pub(super) fn row(prefix: AddressPrefix, next_hop_type: NextHopType) -> RouteRow {
    RouteRow::computed(RouteSource::Default, prefix, next_hop_type)
}

/// The reserved blocks that go to `None`.
///
/// Documented: Microsoft, "Virtual network traffic routing", §Default (read 2026-11-20). The
/// others: full tables in published exports of 2021 and of 2022 and later, which hold blocks that
/// no page names.
pub(super) fn none_blocks(profile: SystemNoneProfile) -> impl Iterator<Item = AddressPrefix> {
    const DOCUMENTED: &[([u8; 4], u8)] =
        &[([10, 0, 0, 0], 8), ([172, 16, 0, 0], 12), ([192, 168, 0, 0], 16), ([100, 64, 0, 0], 10)];
    const OBSERVED_2021: &[([u8; 4], u8)] = &[
        ([10, 0, 0, 0], 8),
        ([100, 64, 0, 0], 10),
        ([192, 168, 0, 0], 16),
        ([25, 33, 80, 0], 20),
        ([25, 41, 3, 0], 25),
    ];
    const OBSERVED_2022: &[([u8; 4], u8)] = &[
        ([10, 0, 0, 0], 8),
        ([127, 0, 0, 0], 8),
        ([100, 64, 0, 0], 10),
        ([172, 16, 0, 0], 12),
        ([25, 48, 0, 0], 12),
        ([25, 4, 0, 0], 14),
        ([198, 18, 0, 0], 15),
        ([157, 59, 0, 0], 16),
        ([192, 168, 0, 0], 16),
        ([25, 33, 0, 0], 16),
        ([40, 109, 0, 0], 16),
        ([104, 147, 0, 0], 16),
        ([104, 146, 0, 0], 17),
        ([40, 108, 0, 0], 17),
        ([23, 103, 0, 0], 18),
        ([25, 41, 0, 0], 20),
        ([20, 35, 252, 0], 22),
    ];
    let blocks = match profile {
        SystemNoneProfile::Documented => DOCUMENTED,
        SystemNoneProfile::Observed2021 => OBSERVED_2021,
        SystemNoneProfile::Observed2022 => OBSERVED_2022,
    };
    blocks.iter().map(|(octets, length)| {
        AddressPrefix::new(IpAddr::from(*octets), *length).expect("the lengths are below 32")
    })
}
