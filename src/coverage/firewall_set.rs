//! A few firewalls of a snapshot in one word, since every recorded flow carries such a set.

/// The firewalls that something was recorded at, each by its place among their names.
///
/// A firewall past the 63rd, and one that the record does not tell, is only known to be one.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct FirewallSet(u64);

impl FirewallSet {
    const NOT_TOLD: u32 = u64::BITS - 1;

    /// The set of one firewall; `None` is one that is not told.
    pub(super) fn of(firewall: Option<u16>) -> Self {
        Self(1 << firewall.map_or(Self::NOT_TOLD, u32::from).min(Self::NOT_TOLD))
    }

    pub(super) fn of_word(word: u64) -> Self {
        Self(word)
    }

    pub(super) fn word(self) -> u64 {
        self.0
    }

    pub(super) fn is_empty(self) -> bool {
        self.0 == 0
    }

    pub(super) fn union(self, other: Self) -> Self {
        Self(self.0 | other.0)
    }

    /// The firewalls; `None` is one that is not told.
    pub(super) fn iter(self) -> impl Iterator<Item = Option<u16>> {
        let mut rest = self.0;
        std::iter::from_fn(move || {
            let bit = (rest != 0).then(|| rest.trailing_zeros())?;
            rest &= rest - 1;
            Some(u16::try_from(bit).ok().filter(|_| bit != Self::NOT_TOLD))
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_set_holds_its_firewalls_and_those_past_its_width_untold() {
        let all = |firewalls: &[Option<u16>]| {
            firewalls
                .iter()
                .fold(FirewallSet::default(), |set, one| set.union(FirewallSet::of(*one)))
        };
        let set = all(&[Some(0), Some(62), Some(0)]);
        assert_eq!(set.iter().collect::<Vec<_>>(), [Some(0), Some(62)]);
        assert_eq!(FirewallSet::of_word(set.word()), set);
        assert_eq!(all(&[Some(63), Some(u16::MAX), None]).iter().collect::<Vec<_>>(), [None]);
        assert!(all(&[]).is_empty() && !set.is_empty());
    }
}
