//! Who is peered with whom, and how well.

use nexthop::azure::resources::{Peering, PeeringState, VirtualNetwork};
use nexthop::net::AddressPrefix;

use super::choices::Choices;
use super::{Drawing, header, prefix};

impl Drawing {
    /// A hub and its spokes, and pairs from anywhere.
    pub fn peerings(&mut self) {
        let count = self.world.resources.virtual_networks.len();
        let mut pairs: Vec<(usize, usize)> =
            (1..count).filter(|_| !self.random.one_in(5)).map(|spoke| (0, spoke)).collect();
        for _ in 0..count {
            let pair = (
                self.random.below(count as u64) as usize,
                self.random.below(count as u64) as usize,
            );
            if pair.0 != pair.1 && !pairs.contains(&pair) && !pairs.contains(&(pair.1, pair.0)) {
                pairs.push(pair);
            }
        }
        for (hub, spoke) in pairs {
            if self.may_peer(hub, spoke) {
                self.pair(hub, spoke);
            }
        }
        for index in 0..count {
            if self.random.one_in(6) {
                self.peering_to_nowhere(index);
            }
        }
    }

    /// Peered VNets do not overlap, neither with each other nor with what either is peered with.
    fn may_peer(&self, left: usize, right: usize) -> bool {
        let networks = &self.world.resources.virtual_networks;
        let reach = |index: usize| {
            let network: &VirtualNetwork = &networks[index];
            let peered = network.peerings.iter().flat_map(|peering| {
                let spaces =
                    [&peering.remote_address_space, &peering.remote_virtual_network_address_space];
                spaces.into_iter().flatten().copied()
            });
            let known = network.peerings.iter().flat_map(|peering| {
                let remote = networks
                    .iter()
                    .find(|remote| remote.header.id == peering.remote_virtual_network);
                remote.map(|remote| remote.address_space.clone()).unwrap_or_default()
            });
            let mut reach: Vec<AddressPrefix> = peered.chain(known).collect();
            reach.extend(&network.address_space);
            reach
        };
        let disjoint = |reach: &[AddressPrefix], space: &[AddressPrefix]| {
            reach.iter().all(|prefix| space.iter().all(|other| !other.overlaps(*prefix)))
        };
        disjoint(&reach(left), &networks[right].address_space)
            && disjoint(&reach(right), &networks[left].address_space)
    }

    fn pair(&mut self, hub: usize, spoke: usize) {
        let mut there = self.peering(hub, spoke);
        let mut back = self.peering(spoke, hub);
        there.allow_gateway_transit = !self.random.one_in(4);
        let uses_another = self.world.resources.virtual_networks[spoke]
            .peerings
            .iter()
            .any(|peering| peering.use_remote_gateways);
        back.use_remote_gateways = !uses_another && !self.random.one_in(3);
        let is_in_sync = !self.random.one_in(6);
        (there.is_fully_in_sync, back.is_fully_in_sync) = match self.random.below(3) {
            _ if is_in_sync => (true, true),
            0 => (false, true),
            1 => (true, false),
            _ => (false, false),
        };
        for peering in [&mut there, &mut back] {
            if !peering.is_fully_in_sync {
                self.make_stale(peering);
            }
        }
        if self.random.one_in(20) {
            there.is_subnet_peering = true;
            back.is_subnet_peering = true;
        }
        let sides = self.random.below(20);
        let networks = &mut self.world.resources.virtual_networks;
        if sides != 0 {
            networks[hub].peerings.push(there);
        }
        if sides != 1 {
            networks[spoke].peerings.push(back);
        }
    }

    fn peering(&mut self, from: usize, to: usize) -> Peering {
        let remote = &self.world.resources.virtual_networks[to];
        let space = remote.address_space.clone();
        let id = self.random.recased(&remote.header.id);
        Peering {
            name: format!("to-{}", remote.header.name),
            state: match self.random.below(24) {
                0 => PeeringState::Initiated,
                1 => PeeringState::Disconnected,
                2 => PeeringState::Unknown,
                _ => PeeringState::Connected,
            },
            is_fully_in_sync: true,
            remote_virtual_network: id,
            remote_address_space: space.clone(),
            // Exports of older versions of the API lack it.
            remote_virtual_network_address_space: match (from + to) % 7 {
                0 => Vec::new(),
                _ => space,
            },
            allow_virtual_network_access: !self.random.one_in(8),
            allow_forwarded_traffic: self.random.one_in(2),
            ..Peering::default()
        }
    }

    /// The remote VNet got a prefix, or lost one, since the last synchronisation.
    fn make_stale(&mut self, peering: &mut Peering) {
        if peering.remote_address_space.len() > 1 && self.random.one_in(2) {
            peering.remote_address_space.pop();
        } else {
            // Outside of every other block here: peered VNets never overlap.
            let old = prefix([51, 99, self.random.octet(255), 0], 24);
            peering.remote_address_space.push(old);
            self.prefixes.push(old);
        }
    }

    /// A VNet of another team's subscription that no export holds.
    fn peering_to_nowhere(&mut self, index: usize) {
        let space = vec![prefix([51, 98, index as u8, 0], 24)];
        self.prefixes.extend(&space);
        let peering = Peering {
            name: "to-elsewhere".to_owned(),
            state: match self.random.one_in(6) {
                true => PeeringState::Disconnected,
                false => PeeringState::Connected,
            },
            is_fully_in_sync: true,
            remote_virtual_network: header("virtualNetworks", &format!("elsewhere{index}")).id,
            remote_address_space: space.clone(),
            remote_virtual_network_address_space: space,
            allow_virtual_network_access: true,
            ..Peering::default()
        };
        self.world.resources.virtual_networks[index].peerings.push(peering);
    }
}
