//! The rows of generated tables.
//!
//! Shaped as Azure's: four fifths of a service tag's IPv4 prefixes are longer than /24 and three
//! quarters of the IPv6 ones longer than /64, most rows stand in every table, private endpoints are
//! /32, and what equal cost means is written both as several rows and as several addresses.
//!
//! Source for the lengths: Microsoft, "Azure IP Ranges and Service Tags – Public Cloud" (read
//! 2026-11-20).

use std::collections::BTreeSet;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use super::Random;
use super::snapshot::{FIREWALL, NICS_PER_VNET, prefix};
use crate::azure::{
    EffectiveRoute, NextHopIps, NextHopType, RouteDestination, RouteSource, RouteState,
};
use crate::net::AddressPrefix;

/// The prefixes that conversations are drawn into, by what stands behind them.
#[derive(Clone, Debug, Default)]
pub(super) struct Pools {
    /// Prefixes of public services.
    pub(super) public: Vec<AddressPrefix>,
    /// Private endpoints.
    pub(super) endpoints: Vec<AddressPrefix>,
    /// Everything a row matches, so that no prefix is drawn twice.
    taken: BTreeSet<AddressPrefix>,
}

/// Draws the rows that every table holds.
pub(super) fn shared_routes(
    random: &mut Random,
    routes_per_table: u32,
    pools: &mut Pools,
) -> Vec<EffectiveRoute> {
    let mut routes = hub_routes();
    let drawn = routes_per_table.saturating_sub(FIXED_ROUTES) as usize * 9 / 10;
    // A service endpoint's row holds many prefixes.
    let (v6, endpoints, on_premises) = (drawn * 15 / 100, drawn * 12 / 100, drawn * 23 / 100);
    let v4 = drawn - v6 - endpoints - on_premises;
    let service: Vec<AddressPrefix> =
        (0..v4 / 2 + v6).map(|index| pools.public(random, index >= v4 / 2)).collect();
    for prefixes in service.chunks(PREFIXES_PER_ROW) {
        routes.push(Row::system(NextHopType::VirtualNetworkServiceEndpoint).of(prefixes));
    }
    for index in 0..v4 - v4 / 2 {
        let prefix = pools.public(random, false);
        routes
            .push(Row::user(NextHopType::Internet).named(format!("direct-{index}")).of(&[prefix]));
    }
    for _ in 0..endpoints {
        let prefix = pools.endpoint(random);
        let row = Row::system(NextHopType::InterfaceEndpoint);
        routes.push(if random.one_in(4) { row.invalid() } else { row }.of(&[prefix]));
    }
    let mut on_premises_left = on_premises;
    while on_premises_left > 0 {
        let prefix = pools.on_premises(random);
        let rows = learned_rows(random, prefix);
        on_premises_left = on_premises_left.saturating_sub(rows.len());
        routes.extend(rows);
    }
    routes
}

/// Draws the table of a place: the shared rows, its own VNet, its default route, and a few rows
/// that no other table holds.
pub(super) fn table_routes(
    random: &mut Random,
    place: usize,
    prefixes: [AddressPrefix; 2],
    routes_per_table: u32,
    shared: &[EffectiveRoute],
    pools: &mut Pools,
) -> Vec<EffectiveRoute> {
    let mut routes = vec![Row::system(NextHopType::VnetLocal).of(&vnet_of(place, prefixes))];
    routes.extend(default_routes(random.below(4)));
    routes.extend_from_slice(shared);
    if random.one_in(4) {
        // Longer than the peering that holds it, and yet not used.
        routes.push(Row::learned(&[GATEWAYS[0]]).of(&[prefix("10.0.5.0/24")]));
    }
    if let [IpAddr::V4(vnet), _] = vnet_of(place, prefixes).map(AddressPrefix::address)
        && random.one_in(3)
    {
        let next = Ipv4Addr::from_bits(vnet.to_bits() + (NICS_PER_VNET << 8));
        let next = AddressPrefix::new(next.into(), 21).expect("21 is below 32");
        routes.push(Row::system(NextHopType::VNetPeering).of(&[next]));
    }
    let count: u32 = routes.iter().map(|route| route.destinations.len() as u32).sum();
    for index in 0..routes_per_table.saturating_sub(count) {
        let is_ipv6 = random.one_in(8);
        let prefix = pools.public(random, is_ipv6);
        let row = match random.below(3) {
            0 => Row::user(NextHopType::VirtualAppliance).by(&[FIREWALL]),
            1 => Row::user(NextHopType::VirtualAppliance).by(&[APPLIANCES[0]]),
            _ => Row::user(NextHopType::None),
        };
        routes.push(row.named(format!("own-{index}")).of(&[prefix]));
    }
    routes
}

const FIXED_ROUTES: u32 = 34;
const PREFIXES_PER_ROW: usize = 12;
const GATEWAYS: [Ipv4Addr; 2] = [Ipv4Addr::new(10, 0, 0, 4), Ipv4Addr::new(10, 0, 0, 5)];
const APPLIANCES: [Ipv4Addr; 2] = [Ipv4Addr::new(10, 0, 2, 4), Ipv4Addr::new(10, 0, 2, 5)];

/// What every hub has, with one row of each kind that is read in a way of its own.
fn hub_routes() -> Vec<EffectiveRoute> {
    let of = |row: Row, text: &str| row.of(&[prefix(text)]);
    let system = Row::system;
    vec![
        of(system(NextHopType::VNetPeering), "10.0.0.0/16"),
        of(system(NextHopType::VNetGlobalPeering), "10.1.0.0/16"),
        of(system(NextHopType::ConnectedGroup), "10.2.0.0/16"),
        of(
            Row::user(NextHopType::VirtualAppliance).by(&APPLIANCES[..1]).named("dmz"),
            "10.3.0.0/16",
        ),
        of(Row::user(NextHopType::None).named("quarantine"), "10.4.0.0/16"),
        of(Row::user(NextHopType::VirtualNetworkGateway).named("branch"), "10.5.0.0/16"),
        of(system(NextHopType::VNetPeering).invalid(), "10.5.0.0/16"),
        of(system(NextHopType::None), "100.64.0.0/10"),
        of(system(NextHopType::None), "172.16.0.0/12"),
        of(system(NextHopType::None), "192.168.0.0/16"),
        of(Row::learned(&[GATEWAYS[0]]), "192.168.0.0/17"),
        of(Row::learned(&[GATEWAYS[1]]), "192.168.0.0/17"),
        // A virtual hub's router that steers to a firewall, alone and together with a gateway.
        of(Row::learned(&[FIREWALL]), "172.20.0.0/16"),
        of(Row::learned(&[FIREWALL]), "172.21.0.0/16"),
        of(Row::learned(&[GATEWAYS[0]]), "172.21.0.0/16"),
        of(Row::learned(&GATEWAYS), "fd00:c0a8::/32"),
        of(system(NextHopType::VNetPeering), "fd00:1::/48"),
        of(system(NextHopType::None), "fd00::/8"),
        of(system(NextHopType::Internet), "::/0"),
    ]
}

/// The default route and the way to other spokes: by the firewall, direct, by two appliances of
/// equal cost, or by the gateways.
fn default_routes(kind: u64) -> Vec<EffectiveRoute> {
    let of = |row: Row, text: &str| row.of(&[prefix(text)]);
    let unused = [
        of(Row::system(NextHopType::Internet).invalid(), "0.0.0.0/0"),
        of(Row::system(NextHopType::None).invalid(), "10.0.0.0/8"),
    ];
    let by = |row: Row| vec![of(row.clone(), "0.0.0.0/0"), of(row, "10.0.0.0/8")];
    let used = match kind {
        0 => by(Row::user(NextHopType::VirtualAppliance).by(&[FIREWALL]).named("to-firewall")),
        1 => {
            return vec![
                of(Row::system(NextHopType::Internet), "0.0.0.0/0"),
                of(Row::system(NextHopType::None), "10.0.0.0/8"),
            ];
        }
        2 => {
            by(Row::user(NextHopType::VirtualApplianceEcmp).by(&APPLIANCES).named("to-appliances"))
        }
        _ => by(Row::learned(&GATEWAYS)),
    };
    used.into_iter().chain(unused).collect()
}

/// One prefix that a gateway learned: from one router, from two as two rows, or as one row.
fn learned_rows(random: &mut Random, prefix: AddressPrefix) -> Vec<EffectiveRoute> {
    match random.below(4) {
        0 => vec![Row::learned(&GATEWAYS).of(&[prefix])],
        1 => vec![Row::learned(&GATEWAYS[..1]).of(&[prefix])],
        _ => GATEWAYS.map(|gateway| Row::learned(&[gateway]).of(&[prefix])).to_vec(),
    }
}

/// The VNet of a place: the gateway's is the hub, eight NICs share each of the others.
fn vnet_of(place: usize, prefixes: [AddressPrefix; 2]) -> [AddressPrefix; 2] {
    if place == 0 {
        return [prefix("10.0.0.0/16"), prefix("fd00:1::/48")];
    }
    let [v4, v6] = prefixes.map(AddressPrefix::address);
    [(v4, 21), (v6, 61)].map(|(address, length)| {
        AddressPrefix::new(address, length).expect("lengths of the families")
    })
}

impl Pools {
    /// Draws a prefix of public services.
    fn public(&mut self, random: &mut Random, is_ipv6: bool) -> AddressPrefix {
        let prefix = self.fresh(random, if is_ipv6 { public_v6 } else { public_v4 });
        self.public.push(prefix);
        prefix
    }

    /// Draws a private endpoint of the hub's 10.0.8.0/21 or of the global peer's 10.1.0.0/16.
    fn endpoint(&mut self, random: &mut Random) -> AddressPrefix {
        let prefix = self.fresh(random, |random| {
            let (base, span) = *random.pick(&[(0x0A00_0800, 11), (0x0A01_0000, 16)]);
            within(base, span, 32, random)
        });
        self.endpoints.push(prefix);
        prefix
    }

    /// Draws a prefix of an office.
    fn on_premises(&mut self, random: &mut Random) -> AddressPrefix {
        self.fresh(random, |random| {
            let length = 20 + random.below(9) as u8;
            within(0xC0A8_0000, 16, length, random)
        })
    }

    /// Draws until a prefix is new; the spaces are far larger than any table.
    fn fresh(
        &mut self,
        random: &mut Random,
        draw: impl Fn(&mut Random) -> AddressPrefix,
    ) -> AddressPrefix {
        const DRAWS_MAX: u32 = 64;
        let mut prefix = draw(random);
        for _ in 0..DRAWS_MAX {
            if self.taken.insert(prefix) {
                break;
            }
            prefix = draw(random);
        }
        prefix
    }
}

fn public_v4(random: &mut Random) -> AddressPrefix {
    /// First address and bits below it of blocks that Azure's services are in.
    const BLOCKS: [(u32, u32); 6] = [
        (0x1400_0000, 24), // 20.0.0.0/8
        (0x2840_0000, 22), // 40.64.0.0/10
        (0x0D40_0000, 21), // 13.64.0.0/11
        (0x34E0_0000, 21), // 52.224.0.0/11
        (0x6828_0000, 19), // 104.40.0.0/13
        (0x336A_0000, 17), // 51.106.0.0/15
    ];
    let (base, span) = *random.pick(&BLOCKS);
    let length = if random.percent(80) { 25 + random.below(8) } else { 16 + random.below(9) };
    within(base, span, length as u8, random)
}

fn public_v6(random: &mut Random) -> AddressPrefix {
    let length = if random.percent(74) {
        *random.pick(&[120_u8, 121, 122, 123, 124, 125, 126, 127, 128])
    } else {
        *random.pick(&[40, 44, 47, 48, 56, 57, 62, 64])
    };
    // 2603:1000::/24, of which services use the blocks of a few regions.
    let region = random.below(64) << 8 | random.below(16);
    let bits =
        0x2603_1000_u128 << 96 | u128::from(region) << 80 | u128::from(random.next_u64() >> 40);
    AddressPrefix::new(Ipv6Addr::from_bits(bits).into(), length).expect("up to 128")
}

/// A prefix of a length inside a block of `span` bits that begins at `base`.
fn within(base: u32, span: u32, length: u8, random: &mut Random) -> AddressPrefix {
    let address = Ipv4Addr::from_bits(base | random.below(1 << span) as u32);
    AddressPrefix::new(address.into(), length).expect("up to 32")
}

/// A row before it has its prefixes.
#[derive(Clone)]
struct Row(EffectiveRoute);

impl Row {
    fn new(source: RouteSource, next_hop_type: NextHopType) -> Self {
        Self(EffectiveRoute {
            source,
            state: RouteState::Active,
            destinations: Vec::new(),
            next_hop_type,
            next_hop_ips: NextHopIps::new(),
            name: None,
            disable_bgp_route_propagation: Some(false),
            has_bgp_override: None,
        })
    }

    fn system(next_hop_type: NextHopType) -> Self {
        Self::new(RouteSource::Default, next_hop_type)
    }

    fn user(next_hop_type: NextHopType) -> Self {
        Self::new(RouteSource::User, next_hop_type)
    }

    fn learned(ips: &[Ipv4Addr]) -> Self {
        Self::new(RouteSource::VirtualNetworkGateway, NextHopType::VirtualNetworkGateway).by(ips)
    }

    fn by(mut self, ips: &[Ipv4Addr]) -> Self {
        self.0.next_hop_ips = ips.iter().map(|&ip| ip.into()).collect();
        self
    }

    fn named(mut self, name: impl Into<String>) -> Self {
        self.0.name = Some(name.into());
        self
    }

    fn invalid(mut self) -> Self {
        self.0.state = RouteState::Invalid;
        self
    }

    fn of(mut self, prefixes: &[AddressPrefix]) -> EffectiveRoute {
        self.0.destinations = prefixes.iter().copied().map(RouteDestination::Prefix).collect();
        self.0
    }
}
