//! The two directions of a flow, and what a rule says of them.

use std::net::IpAddr;

use super::places::CompiledPlaces;
use super::{FindingCode, Verdict, Via};
use crate::fib::{Fib, Path, PathHop, PathOutcome};
use crate::net::special::is_platform;
use crate::routing::NextHopClass;

/// What is known of one direction.
#[derive(Clone, Debug)]
pub(super) enum Direction {
    /// Its sender has no route table by nature: the Internet, a platform service, a private
    /// endpoint, whose answers the platform steers.
    NotJudged,
    /// Its sender has a table that the snapshot does not tell.
    Unknown,
    /// Its path.
    Known(DirectionPath),
}

/// A path as far as rules look at it.
#[derive(Clone, Debug)]
pub(super) struct DirectionPath {
    pub(super) path: Path,
    /// The firewalls that it passes, by name or address, sorted.
    firewalls: Vec<String>,
}

/// Both directions of a flow.
#[derive(Clone, Debug)]
pub(super) struct FlowPaths {
    pub(super) forward: Direction,
    pub(super) back: Direction,
}

/// What a rule says of a flow's paths, before evidence.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum PathVerdict {
    /// The paths are not known well enough.
    Unknown,
    /// They break the rule.
    Broken {
        verdict: Verdict,
        code: FindingCode,
        /// The direction that shows it is the way back.
        is_back: bool,
    },
    /// They meet it.
    Met,
}

impl FlowPaths {
    pub(super) fn of(
        fib: &Fib,
        places: &CompiledPlaces,
        source: IpAddr,
        destination: IpAddr,
    ) -> Self {
        Self {
            forward: Direction::of(fib, places, source, destination),
            back: Direction::of(fib, places, destination, source),
        }
    }

    /// Returns the firewalls that judged directions pass, by name or address; a firewall of both
    /// directions stands twice.
    pub(super) fn firewalls(&self) -> impl Iterator<Item = &str> {
        self.judged().flat_map(|path| path.firewalls.iter().map(String::as_str))
    }

    /// Returns the firewalls that the forward direction passes.
    pub(super) fn forward_firewalls(&self) -> impl Iterator<Item = &str> {
        self.forward.path().into_iter().flat_map(|path| path.firewalls.iter().map(String::as_str))
    }

    /// Judges both directions by a rule. `is_translated` tells that a firewall on the forward path
    /// puts an address of its own in the sender's place: then the answers go to that firewall.
    pub(super) fn judge(&self, via: &Via, is_translated: bool) -> PathVerdict {
        let is_answered = is_translated && self.forward.passes_firewall();
        let back = if is_answered { &Direction::NotJudged } else { &self.back };
        let (forward, back) = match (&self.forward, back) {
            // Without its forward direction a flow is not judged by the way back alone, unless
            // the forward direction is nobody's.
            (Direction::Unknown, _) | (Direction::NotJudged, Direction::Unknown) => {
                return PathVerdict::Unknown;
            }
            (Direction::NotJudged, Direction::NotJudged) => return PathVerdict::Unknown,
            (forward, back) => (forward.path(), back.path()),
        };
        if *via == Via::None {
            return judge_dropped(forward, back);
        }
        let is_back_decisive = forward.is_none();
        for (path, is_back) in [(forward, false), (back, true)] {
            if path.is_some_and(DirectionPath::goes_nowhere) {
                let (verdict, code) = (Verdict::OneWay, FindingCode::OneWay);
                return PathVerdict::Broken { verdict, code, is_back };
            }
        }
        if let (Some(forward), Some(back)) = (forward, back)
            && forward.firewalls != back.firewalls
        {
            return asymmetric(forward, back);
        }
        if [forward, back].into_iter().flatten().any(|path| path.satisfies(via)) {
            return PathVerdict::Met;
        }
        let decisive = forward.or(back).expect("one direction is known");
        let code = decisive.bypass_code(via);
        PathVerdict::Broken { verdict: Verdict::Bypass, code, is_back: is_back_decisive }
    }

    fn judged(&self) -> impl Iterator<Item = &DirectionPath> {
        [self.forward.path(), self.back.path()].into_iter().flatten()
    }
}

impl Direction {
    fn passes_firewall(&self) -> bool {
        self.path().is_some_and(|path| !path.firewalls.is_empty())
    }

    fn of(fib: &Fib, places: &CompiledPlaces, sender: IpAddr, receiver: IpAddr) -> Self {
        if is_platform(sender) || places.is_private_endpoint(sender) {
            return Self::NotJudged;
        }
        match fib.sources().by_address(sender) {
            Some(table) => Self::Known(DirectionPath::of(fib, fib.path(table, receiver))),
            None if places.is_internet(sender) => Self::NotJudged,
            None => Self::Unknown,
        }
    }

    pub(super) fn path(&self) -> Option<&DirectionPath> {
        match self {
            Self::Known(path) => Some(path),
            Self::NotJudged | Self::Unknown => None,
        }
    }
}

impl DirectionPath {
    fn of(fib: &Fib, path: Path) -> Self {
        let mut firewalls: Vec<String> = path
            .hops
            .iter()
            .filter(|hop| hop.class == NextHopClass::Firewall)
            .filter_map(|hop| hop.next_hop)
            .map(|id| {
                let hop = fib.next_hop(id);
                hop.name.clone().unwrap_or_else(|| {
                    hop.ips.iter().map(ToString::to_string).collect::<Vec<_>>().join(" ")
                })
            })
            .collect();
        firewalls.sort_unstable();
        firewalls.dedup();
        Self { path, firewalls }
    }

    /// The first decision, which is that of the sender's table.
    pub(super) fn first_hop(&self) -> &PathHop {
        &self.path.hops[0]
    }

    /// The decision that a finding is about: the last one where the path goes nowhere, else the
    /// first.
    pub(super) fn decisive_hop(&self, code: FindingCode) -> &PathHop {
        match code {
            FindingCode::OneWay => self.path.hops.last().unwrap_or_else(|| self.first_hop()),
            _ => self.first_hop(),
        }
    }

    fn goes_nowhere(&self) -> bool {
        matches!(self.path.outcome, PathOutcome::Dropped | PathOutcome::Loop)
    }

    fn satisfies(&self, via: &Via) -> bool {
        let leaves_by = |class| {
            self.path.outcome == PathOutcome::Left
                && self.path.hops.last().is_some_and(|hop| hop.class == class)
        };
        match via {
            Via::Firewall { name: None } => !self.firewalls.is_empty(),
            Via::Firewall { name: Some(name) } => {
                self.firewalls.iter().any(|firewall| firewall.eq_ignore_ascii_case(name))
            }
            Via::Gateway => leaves_by(NextHopClass::Gateway),
            // Straight, or the rule could not tell it from the Internet behind a firewall.
            Via::Internet => {
                leaves_by(NextHopClass::Internet)
                    && !self.path.hops.iter().any(|hop| {
                        matches!(hop.class, NextHopClass::Firewall | NextHopClass::Appliance)
                    })
            }
            Via::Direct => !self.path.hops.iter().any(|hop| {
                matches!(
                    hop.class,
                    NextHopClass::Firewall
                        | NextHopClass::Appliance
                        | NextHopClass::Gateway
                        | NextHopClass::Mixed
                )
            }),
            Via::None => self.goes_nowhere(),
        }
    }

    fn bypass_code(&self, via: &Via) -> FindingCode {
        if !matches!(via, Via::Firewall { name: None }) {
            return FindingCode::WrongNextHop;
        }
        match self.first_hop().class {
            NextHopClass::PrivateEndpoint => FindingCode::PrivateEndpointBypass,
            NextHopClass::ServiceEndpoint => FindingCode::ServiceEndpointBypass,
            NextHopClass::Peering => FindingCode::PeeringBypass,
            NextHopClass::Gateway => FindingCode::GatewayBypass,
            NextHopClass::Internet => FindingCode::InternetBypass,
            NextHopClass::Vnet => FindingCode::VnetBypass,
            NextHopClass::Mixed => FindingCode::EcmpPartial,
            _ => FindingCode::WrongNextHop,
        }
    }
}

fn judge_dropped(forward: Option<&DirectionPath>, back: Option<&DirectionPath>) -> PathVerdict {
    if [forward, back].into_iter().flatten().any(DirectionPath::goes_nowhere) {
        return PathVerdict::Met;
    }
    PathVerdict::Broken {
        verdict: Verdict::Bypass,
        code: FindingCode::WrongNextHop,
        is_back: forward.is_none(),
    }
}

/// The direction that misses a firewall shows the fault; if each misses one, the forward does.
fn asymmetric(forward: &DirectionPath, back: &DirectionPath) -> PathVerdict {
    let is_back = back.firewalls.iter().all(|firewall| forward.firewalls.contains(firewall));
    let code = if is_back { FindingCode::AsymmetricReturn } else { FindingCode::AsymmetricForward };
    PathVerdict::Broken { verdict: Verdict::Asymmetric, code, is_back }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::coverage::Places;
    use crate::fib::Source;
    use crate::routing::testing::rows;
    use crate::routing::{Firewall, Owners};

    /// `a` (10.1/16) sends all by the firewall; `b` (10.2/16) peers with `a` directly; the
    /// firewall's own subnet reaches both.
    fn fib() -> Fib {
        let tables = [
            rows(
                "Default Active 10.1.0.0/16 VnetLocal
                 Default Active 10.9.0.5/32 InterfaceEndpoint
                 Default Active 20.60.0.0/16 VirtualNetworkServiceEndpoint
                 User Active 10.7.0.0/16 None
                 User Active 0.0.0.0/0 VirtualAppliance 10.0.1.4",
            ),
            rows(
                "Default Active 10.2.0.0/16 VnetLocal
                 Default Active 10.1.0.0/16 VNetPeering
                 Default Active 0.0.0.0/0 Internet",
            ),
            rows(
                "Default Active 10.0.0.0/8 VNetPeering
                 Default Active 0.0.0.0/0 Internet",
            ),
            rows(
                "Default Active 10.3.0.0/16 VnetLocal
                 User Active 0.0.0.0/0 VirtualAppliance 10.0.1.4",
            ),
        ];
        let prefix = |text: &str| vec![Source::Prefix(text.parse().unwrap())];
        let owners = Owners::new(
            vec![Firewall {
                name: "fw".into(),
                addresses: vec!["10.0.1.4".parse().unwrap()],
                subnets: vec!["10.0.1.0/26".parse().unwrap()],
            }],
            Vec::new(),
        );
        let sources = [
            prefix("10.1.0.0/16"),
            prefix("10.2.0.0/16"),
            prefix("10.0.1.0/26"),
            prefix("10.3.0.0/16"),
        ];
        Fib::compile(&tables, &sources, &owners).unwrap()
    }

    fn judge(source: &str, destination: &str, via: &str) -> String {
        let fib = fib();
        let places =
            Places { private_endpoints: vec!["10.9.0.5".parse().unwrap()], ..Places::default() };
        let paths = FlowPaths::of(
            &fib,
            &places.compile(),
            source.parse().unwrap(),
            destination.parse().unwrap(),
        );
        match paths.judge(&via.parse().unwrap(), false) {
            PathVerdict::Unknown => "unknown".to_owned(),
            PathVerdict::Met => "met".to_owned(),
            PathVerdict::Broken { verdict, code, is_back } => {
                format!("{verdict} {code} {}", if is_back { "back" } else { "forward" })
            }
        }
    }

    #[test]
    fn each_way_of_breaking_a_rule_has_its_verdict_and_code() {
        for (source, destination, via, want) in [
            ("10.1.0.4", "10.3.0.4", "firewall", "met"),
            ("10.1.0.4", "10.3.0.4", "firewall:FW", "met"),
            ("10.1.0.4", "10.3.0.4", "firewall:other", "bypass wrong_next_hop forward"),
            ("10.1.0.4", "10.2.0.4", "firewall", "asymmetric asymmetric_return back"),
            ("10.2.0.4", "10.1.0.4", "firewall", "asymmetric asymmetric_forward forward"),
            ("10.1.0.4", "8.8.8.8", "firewall", "met"),
            ("8.8.8.8", "10.1.0.4", "firewall", "met"),
            ("10.2.0.4", "8.8.8.8", "firewall", "bypass internet_bypass forward"),
            ("8.8.8.8", "10.2.0.4", "firewall", "bypass internet_bypass back"),
            ("10.2.0.4", "8.8.8.8", "internet", "met"),
            ("10.1.0.4", "8.8.8.8", "internet", "bypass wrong_next_hop forward"),
            ("10.1.0.4", "10.9.0.5", "firewall", "bypass private_endpoint_bypass forward"),
            ("10.1.0.4", "20.60.0.9", "firewall", "bypass service_endpoint_bypass forward"),
            ("10.1.0.4", "10.1.0.5", "firewall", "bypass vnet_bypass forward"),
            ("10.1.0.4", "10.1.0.5", "direct", "met"),
            ("10.1.0.4", "8.8.8.8", "direct", "bypass wrong_next_hop forward"),
            ("10.1.0.4", "10.7.0.4", "firewall", "one_way one_way forward"),
            ("10.1.0.4", "10.7.0.4", "none", "met"),
            ("10.1.0.4", "10.3.0.4", "none", "bypass wrong_next_hop forward"),
            ("10.8.0.4", "10.1.0.4", "firewall", "unknown"),
            ("8.8.8.8", "9.9.9.9", "firewall", "unknown"),
        ] {
            assert_eq!(judge(source, destination, via), want, "{source} {destination} {via}");
        }
    }
}
