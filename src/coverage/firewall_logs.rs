//! Lines of a firewall's log as evidence, and the window that the log covers.

use std::collections::BTreeSet;
use std::io;

use super::firewall_evidence::{EvidenceSlot, EvidenceSources};
use super::{EvidenceCategory, EvidenceRecord, EvidenceSource, FirewallEvidence};
use crate::spill::PartitionBuffers;
use crate::traffic::firewall::{
    FirewallCategory, FirewallDestination, FirewallName, FirewallRecord,
};

/// Gathers the lines of one log.
pub struct FirewallLogEvidence<'e> {
    path: String,
    evidence: &'e FirewallEvidence,
    lines: PartitionBuffers,
    /// In the order in which they were met; most logs are of one firewall.
    firewalls: Vec<LoggedFirewall>,
    window_ns: Option<(i64, i64)>,
}

/// What a log tells of one firewall.
#[derive(Debug)]
struct LoggedFirewall {
    /// `None` where a line does not tell which firewall wrote it.
    name: Option<String>,
    categories: BTreeSet<FirewallCategory>,
    records: u64,
    /// What its lines carry until the log is finished.
    slot: EvidenceSlot,
}

impl<'e> FirewallLogEvidence<'e> {
    pub(super) fn new(path: impl Into<String>, evidence: &'e FirewallEvidence) -> Self {
        Self {
            path: path.into(),
            evidence,
            lines: PartitionBuffers::new(),
            firewalls: Vec::new(),
            window_ns: None,
        }
    }

    /// Adds a line.
    ///
    /// # Errors
    ///
    /// When the room fails.
    pub fn add(&mut self, record: &FirewallRecord) -> io::Result<()> {
        let (from, to) = self.window_ns.unwrap_or((record.time_ns, record.time_ns));
        self.window_ns = Some((from.min(record.time_ns), to.max(record.time_ns)));
        let number = self.firewall_number(record.firewall.as_ref().map(FirewallName::name));
        let firewall = &mut self.firewalls[number];
        firewall.categories.extend(record.category);
        // The one legacy category of network rules holds what NAT rules did, too.
        if record.is_legacy && record.category != Some(FirewallCategory::ApplicationRule) {
            firewall.categories.extend([FirewallCategory::NetworkRule, FirewallCategory::NatRule]);
        }
        // Counts over many connections name none of them.
        if record.category.is_some_and(FirewallCategory::is_aggregation) {
            return Ok(());
        }
        firewall.records += 1;
        self.evidence.push(&mut self.lines, &evidence_of(record, firewall.slot));
        if self.lines.is_full() { self.evidence.absorb(&mut self.lines) } else { Ok(()) }
    }

    /// Returns true where there was no line at all.
    pub fn is_empty(&self) -> bool {
        self.firewalls.is_empty()
    }

    /// Returns the sources that the lines make, one for each firewall, by name.
    ///
    /// The log covers `window_ns`, else the hour that its path names as blobs do, else the time
    /// from its first to its last line. For a firewall it covers the categories that it shows of
    /// it, or all where it names the category of each line, as the result of a query does: then a
    /// category without a line had nothing to say.
    ///
    /// # Errors
    ///
    /// When the room fails.
    pub fn finish(
        mut self,
        covers_every_category: bool,
        window_ns: Option<(i64, i64)>,
    ) -> io::Result<EvidenceSources> {
        self.evidence.absorb(&mut self.lines)?;
        let Self { path, mut firewalls, window_ns: lines_ns, .. } = self;
        let window_ns = window_ns.or_else(|| hour_of_path(&path)).or(lines_ns);
        let (from_ns, to_ns) = window_ns.unwrap_or((0, -1));
        firewalls.sort_by(|a, b| a.name.cmp(&b.name));
        let source = |name, categories: &BTreeSet<FirewallCategory>, records| EvidenceSource {
            path: path.clone(),
            firewall: name,
            categories: match covers_every_category {
                true => vec!["*".to_owned()],
                false => categories.iter().map(|category| category.as_str().to_owned()).collect(),
            },
            from_ns,
            to_ns,
            records,
        };
        let mut sources = EvidenceSources::default();
        for LoggedFirewall { name, categories, records, slot } in firewalls {
            sources.add(source(name, &categories, records), [slot]);
        }
        if sources.is_empty() {
            sources.add(source(None, &BTreeSet::new(), 0), []);
        }
        Ok(sources)
    }

    fn firewall_number(&mut self, name: Option<&str>) -> usize {
        let is_same = |known: &LoggedFirewall| match (&known.name, name) {
            (Some(known), Some(name)) => known.eq_ignore_ascii_case(name),
            (known, name) => known.is_none() && name.is_none(),
        };
        match self.firewalls.iter().position(is_same) {
            Some(number) => {
                // Of several spellings one is kept, whatever the order of the lines.
                let known = &mut self.firewalls[number].name;
                if name < known.as_deref() {
                    *known = name.map(str::to_owned);
                }
                number
            }
            None => {
                self.firewalls.push(LoggedFirewall {
                    name: name.map(str::to_owned),
                    categories: BTreeSet::new(),
                    records: 0,
                    slot: self.evidence.slot_count().next(),
                });
                self.firewalls.len() - 1
            }
        }
    }
}

fn evidence_of(record: &FirewallRecord, slot: EvidenceSlot) -> EvidenceRecord {
    EvidenceRecord {
        slot,
        time_ns: record.time_ns,
        category: match record.category {
            Some(FirewallCategory::NetworkRule) => EvidenceCategory::Network,
            Some(FirewallCategory::ApplicationRule) => EvidenceCategory::Application,
            Some(FirewallCategory::NatRule) => EvidenceCategory::Nat,
            _ => EvidenceCategory::Other,
        },
        protocol: record.protocol,
        source: record.source,
        source_port: record.source_port,
        destination: match &record.destination {
            FirewallDestination::Address(address) => Some(*address),
            FirewallDestination::Fqdn(_) | FirewallDestination::Unknown => None,
        },
        destination_port: record.destination_port,
        translated: record.translated,
    }
}

/// Returns the hour that a blob's path names: `…/y=2025/m=01/d=20/h=18/m=00/PT1H.json`.
pub(super) fn hour_of_path(path: &str) -> Option<(i64, i64)> {
    const HOUR_NS: i64 = 3600 * 1_000_000_000;
    let parts: Vec<&str> = path.split(['/', '\\']).collect();
    let [year, month, day, hour] = parts.windows(4).find_map(|parts| {
        let number = |part: &str, key: &str| part.strip_prefix(key)?.parse::<i64>().ok();
        Some([
            number(parts[0], "y=")?,
            number(parts[1], "m=")?,
            number(parts[2], "d=")?,
            number(parts[3], "h=")?,
        ])
    })?;
    let is_date = (1970..=2200).contains(&year)
        && (1..=12).contains(&month)
        && (1..=31).contains(&day)
        && (0..=23).contains(&hour);
    is_date.then(|| {
        let from_ns = (days_since_1970(year, month, day) * 24 + hour) * HOUR_NS;
        (from_ns, from_ns + HOUR_NS - 1)
    })
}

/// Days of the Gregorian calendar, with years that begin in March, so that a leap day is the last.
///
/// Source: Howard Hinnant, "chrono-Compatible Low-Level Date Algorithms", `days_from_civil`.
fn days_since_1970(year: i64, month: i64, day: i64) -> i64 {
    let year = if month <= 2 { year - 1 } else { year };
    let (era, year_of_era) = (year.div_euclid(400), year.rem_euclid(400));
    let day_of_year = (153 * ((month + 9) % 12) + 2) / 5 + day - 1;
    let day_of_era = year_of_era * 365 + year_of_era / 4 - year_of_era / 100 + day_of_year;
    era * 146_097 + day_of_era - 719_468
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_blobs_path_names_its_hour() {
        let blob = "logs/resourceId=/X/y=2025/m=01/d=20/h=18/m=00/PT1H.json";
        // 2025-01-20T18:00:00Z.
        let from_ns = 1_737_396_000_000_000_000;
        assert_eq!(hour_of_path(blob), Some((from_ns, from_ns + 3_600_000_000_000 - 1)));
        let on_windows = blob.replace('/', "\\");
        assert_eq!(hour_of_path(&on_windows), hour_of_path(blob));
        for path in ["log.json", "y=2025/m=13/d=20/h=18", "y=2025/m=01/d=20/h=x", "y=2025/m=01"] {
            assert_eq!(hour_of_path(path), None, "{path}");
        }
        for (date, days) in [((1970, 1, 1), 0), ((2000, 2, 29), 11_016), ((2024, 12, 31), 20_088)] {
            assert_eq!(days_since_1970(date.0, date.1, date.2), days, "{date:?}");
        }
    }
}
