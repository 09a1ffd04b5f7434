//! The firewalls of a snapshot by name, as paths and logs name them.

use std::iter::successors;

use smallvec::SmallVec;

use super::EvidenceSource;
use super::evidence::LogFirewall;

/// The names of a snapshot's firewalls. Azure compares names without case.
#[derive(Clone, Debug, Default)]
pub(super) struct FirewallNames {
    names: Vec<String>,
    /// How many of them, the last, are what the settings call them: logs may name them otherwise.
    chosen_count: usize,
}

impl FirewallNames {
    /// Takes the names of Azure Firewalls, and those that settings chose.
    pub(super) fn new<'a>(
        azure: impl IntoIterator<Item = &'a str>,
        chosen: impl IntoIterator<Item = &'a str>,
    ) -> Self {
        let mut names: Vec<String> = Vec::new();
        let add = |names: &mut Vec<String>, name: &str| {
            if !names.iter().any(|known| known.eq_ignore_ascii_case(name)) {
                names.push(name.to_owned());
            }
        };
        azure.into_iter().for_each(|name| add(&mut names, name));
        let azure_count = names.len();
        chosen.into_iter().for_each(|name| add(&mut names, name));
        Self { chosen_count: names.len() - azure_count, names }
    }

    /// Finds the firewall that a log names, or may be of.
    pub(super) fn of_log(&self, name: Option<&str>) -> LogFirewall {
        let is_chosen = self.chosen_count == self.names.len();
        match name {
            Some(name) => match self.position(name) {
                Some(position) => LogFirewall::Known(position),
                // What settings call a firewall need not be its resource's name.
                None if is_chosen && self.names.len() <= 1 => LogFirewall::OnlyOne,
                // A lone firewall may have been renamed, or be known by another name.
                None if self.names.len() <= 1 => LogFirewall::NotTold,
                None => LogFirewall::Elsewhere,
            },
            None if self.names.len() <= 1 => LogFirewall::OnlyOne,
            None => LogFirewall::NotTold,
        }
    }

    /// Finds the firewalls that a hop's name stands for: one, or a set with spaces between.
    pub(super) fn of_hop(&self, name: &str) -> SmallVec<[u16; 2]> {
        match self.position(name) {
            Some(position) => SmallVec::from_slice(&[position]),
            None => name.split(' ').filter_map(|name| self.position(name)).collect(),
        }
    }

    /// Returns what is doubtful of logs: whose firewall is not there, or is not told.
    pub(super) fn doubts(&self, sources: &[EvidenceSource]) -> Vec<String> {
        let doubt = |source: &EvidenceSource| {
            let EvidenceSource { path, firewall, records, .. } = source;
            match (self.of_log(firewall.as_deref()), firewall) {
                (LogFirewall::Elsewhere, Some(name)) => Some(format!(
                    "{path}: is of the firewall `{name}`, which the snapshot does not hold: it \
                     shows nothing of the others"
                )),
                (LogFirewall::NotTold, Some(name)) => Some(format!(
                    "{path}: is of the firewall `{name}`, which the snapshot does not hold: it \
                     shows flows, and never that one is missing"
                )),
                (LogFirewall::NotTold, None) if *records > 0 => Some(format!(
                    "{path}: does not tell which of {} firewalls it is of: it shows flows, and \
                     never that one is missing",
                    self.names.len()
                )),
                _ => None,
            }
        };
        sources.iter().filter_map(doubt).collect()
    }

    /// Finds the firewall that the file or a folder of a path is named after, endings apart; the
    /// last part that names one counts.
    pub(super) fn of_path(&self, path: &str) -> Option<u16> {
        path.rsplit(['/', '\\']).find_map(|part| {
            let mut stems = successors(Some(part), |stem| Some(stem.rsplit_once('.')?.0));
            stems.find_map(|stem| self.position(stem))
        })
    }

    /// Returns the name at a place.
    pub(super) fn name(&self, position: u16) -> &str {
        &self.names[usize::from(position)]
    }

    /// Returns the only firewall, where there is one.
    pub(super) fn only(&self) -> Option<u16> {
        (self.names.len() == 1).then_some(0)
    }

    pub(super) fn position(&self, name: &str) -> Option<u16> {
        let position = self.names.iter().position(|known| known.eq_ignore_ascii_case(name))?;
        u16::try_from(position).ok()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_log_is_of_the_firewall_that_it_names_or_of_the_only_one_there_is() {
        use LogFirewall::{Elsewhere, Known, NotTold, OnlyOne};
        let (none, one, chosen, two) = (
            FirewallNames::new([], []),
            FirewallNames::new(["hub"], []),
            FirewallNames::new([], ["nva"]),
            FirewallNames::new(["hub"], ["nva", "HUB"]),
        );
        for (names, log, want) in [
            (&none, None, OnlyOne),
            (&one, Some("HUB"), Known(0)),
            (&one, Some("other"), NotTold),
            (&one, None, OnlyOne),
            (&chosen, Some("azfw-01"), OnlyOne),
            (&chosen, Some("nva"), Known(0)),
            (&two, Some("nva"), Known(1)),
            (&two, Some("other"), Elsewhere),
            (&two, None, NotTold),
        ] {
            assert_eq!(names.of_log(log), want, "{names:?} {log:?}");
        }
        assert_eq!(two.of_hop("hub nva").to_vec(), [0, 1]);
        let dotted = FirewallNames::new(["hub", "fw.eu"], []);
        for (path, want) in [
            ("captures/HUB.pcap.gz", Some(0)),
            ("fw.eu/hub-2/x.pcap", Some(1)),
            ("hub/fw.eu.pcap", Some(1)),
            ("C:\\hub\\x.pcap", Some(0)),
            ("hub2.pcap", None),
            ("-", None),
        ] {
            assert_eq!(dotted.of_path(path), want, "{path}");
        }
    }
}
