//! What the logs make of a rule's word on a flow's paths.

use smallvec::SmallVec;

use super::evidence::{LogFirewall, ShownAt};
use super::firewall_set::FirewallSet;
use super::paths::PathVerdict;
use super::{FindingCode, Verdict, Via};

/// What one rule says of one flow.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct RuleVerdict {
    pub(super) rule: usize,
    pub(super) verdict: Verdict,
    pub(super) code: Option<FindingCode>,
    pub(super) is_back: bool,
}

/// The firewalls on the paths of a flow.
#[derive(Clone, Debug, Default)]
pub(super) struct PassedFirewalls {
    /// By place among the snapshot's names.
    pub(super) known: SmallVec<[u16; 2]>,
    pub(super) any: bool,
}

/// Whether a firewall showed a flow, and whether its paths pass that firewall.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Sight {
    /// Nobody did.
    Unseen,
    /// One did that its paths do not pass.
    OffPath,
    /// One on its paths did.
    OnPath,
}

impl PassedFirewalls {
    /// Returns true for a firewall on the way, and where there is one for any that is not told.
    pub(super) fn may_hold(&self, firewall: Option<u16>) -> bool {
        firewall.map_or(self.any, |firewall| self.known.contains(&firewall))
    }

    /// Returns true where a log may be that of a firewall on the way.
    pub(super) fn may_be_logged_by(&self, firewall: LogFirewall) -> bool {
        match firewall {
            LogFirewall::Known(firewall) => self.may_hold(Some(firewall)),
            LogFirewall::OnlyOne | LogFirewall::NotTold => self.may_hold(None),
            LogFirewall::Elsewhere => false,
        }
    }
}

impl Sight {
    /// Looks at what shows a flow, for a rule that asks for the firewalls `wanted`, or for any.
    /// `recorded_at` are the firewalls that a record was made at.
    pub(super) fn of(
        shown: &[ShownAt],
        recorded_at: FirewallSet,
        wanted: Option<&[u16]>,
        passed: &PassedFirewalls,
    ) -> Self {
        let unnamed = if passed.any { Self::OnPath } else { Self::OffPath };
        let at = |firewall: LogFirewall| match firewall {
            LogFirewall::OnlyOne | LogFirewall::NotTold => unnamed,
            // The log of a stranger shows nothing of the firewalls that are on the path.
            LogFirewall::Elsewhere if passed.any => Self::Unseen,
            LogFirewall::Elsewhere => Self::OffPath,
            LogFirewall::Known(firewall) if wanted.is_some_and(|all| !all.contains(&firewall)) => {
                Self::Unseen
            }
            LogFirewall::Known(firewall) if passed.known.contains(&firewall) => Self::OnPath,
            LogFirewall::Known(_) => Self::OffPath,
        };
        let recorded =
            recorded_at.iter().map(|one| one.map_or(LogFirewall::NotTold, LogFirewall::Known));
        let logged = shown.iter().map(|shown| shown.firewall);
        logged.chain(recorded).map(at).max().unwrap_or(Self::Unseen)
    }
}

impl RuleVerdict {
    /// Joins what a rule says of the paths with what the logs show. `is_expected` tells whether the
    /// logs of a firewall on the path would have shown the flow.
    pub(super) fn of(
        rule: usize,
        via: &Via,
        path: PathVerdict,
        sight: Sight,
        is_expected: impl FnOnce() -> bool,
    ) -> Self {
        let plain = |verdict| Self { rule, verdict, code: None, is_back: false };
        let asks_firewall = via.asks_firewall();
        match path {
            PathVerdict::Unknown => plain(Verdict::Unknown),
            _ if asks_firewall && sight == Sight::OffPath => plain(Verdict::Unexpected),
            PathVerdict::Broken { verdict, code, is_back } => {
                Self { rule, verdict, code: Some(code), is_back }
            }
            // Only firewalls keep logs that could show more than the flow's own record does.
            PathVerdict::Met if !asks_firewall || sight == Sight::OnPath => plain(Verdict::Covered),
            PathVerdict::Met if is_expected() => Self {
                rule,
                verdict: Verdict::Missing,
                code: Some(FindingCode::MissingEvidence),
                is_back: false,
            },
            PathVerdict::Met => plain(Verdict::CoveredUnconfirmed),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_flow_is_seen_on_its_path_only_by_a_firewall_that_is_there() {
        use LogFirewall::{Elsewhere, Known, NotTold, OnlyOne};
        let passed =
            |known: &[u16]| PassedFirewalls { known: known.into(), any: !known.is_empty() };
        let sight = |firewall, wanted: Option<&[u16]>, known: &[u16]| {
            let shown =
                [ShownAt { firewall, source_number: 0, is_weak: false, is_application: false }];
            Sight::of(&shown, FirewallSet::default(), wanted, &passed(known))
        };
        for (firewall, wanted, known, want) in [
            (Known(0), None, &[0][..], Sight::OnPath),
            (Known(1), None, &[0], Sight::OffPath),
            (Known(0), None, &[], Sight::OffPath),
            (Known(0), Some(&[1][..]), &[0], Sight::Unseen),
            (Known(1), Some(&[1]), &[0], Sight::OffPath),
            (OnlyOne, None, &[0], Sight::OnPath),
            (NotTold, None, &[], Sight::OffPath),
            (Elsewhere, None, &[0], Sight::Unseen),
            (Elsewhere, None, &[], Sight::OffPath),
        ] {
            assert_eq!(sight(firewall, wanted, known), want, "{firewall:?} {wanted:?} {known:?}");
        }
        for (recorded_at, wanted, known, want) in [
            (FirewallSet::of(Some(0)), None, &[0][..], Sight::OnPath),
            (FirewallSet::of(Some(0)), None, &[], Sight::OffPath),
            (FirewallSet::of(Some(1)), None, &[0], Sight::OffPath),
            (FirewallSet::of(Some(1)), Some(&[0][..]), &[0], Sight::Unseen),
            (FirewallSet::of(None), None, &[0], Sight::OnPath),
            (FirewallSet::default(), None, &[0], Sight::Unseen),
        ] {
            let sight = Sight::of(&[], recorded_at, wanted, &passed(known));
            assert_eq!(sight, want, "{recorded_at:?} {wanted:?} {known:?}");
        }
    }
}
