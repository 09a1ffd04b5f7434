//! Lines of firewalls' logs as evidence, and the windows that the logs cover.

use std::collections::BTreeSet;

use super::{EvidenceCategory, EvidenceRecord, EvidenceSource};
use crate::traffic::firewall::{FirewallCategory, FirewallDestination, FirewallRecord};

/// Gathers the lines of one log.
#[derive(Debug)]
pub struct FirewallLogEvidence {
    path: String,
    records: Vec<EvidenceRecord>,
    firewalls: BTreeSet<String>,
    categories: BTreeSet<FirewallCategory>,
    window_ns: Option<(i64, i64)>,
}

impl FirewallLogEvidence {
    /// Starts with nothing; `path` is how the log is shown.
    pub fn new(path: impl Into<String>) -> Self {
        Self {
            path: path.into(),
            records: Vec::new(),
            firewalls: BTreeSet::new(),
            categories: BTreeSet::new(),
            window_ns: None,
        }
    }

    /// Adds a line.
    pub fn add(&mut self, record: &FirewallRecord) {
        let (from, to) = self.window_ns.unwrap_or((record.time_ns, record.time_ns));
        self.window_ns = Some((from.min(record.time_ns), to.max(record.time_ns)));
        self.firewalls.extend(record.firewall.as_ref().map(|name| name.name().to_owned()));
        self.categories.extend(record.category);
        // Counts over many connections name none of them.
        if !record.category.is_some_and(FirewallCategory::is_aggregation) {
            self.records.push(evidence_of(record));
        }
    }

    /// Returns the lines and the source that they make.
    ///
    /// The log covers `window_ns`, else the hour that its path names as blobs do, else the time
    /// from its first to its last line. It covers the
    /// categories that it shows, or all where it names the category of each line, as the result of
    /// a query does: then a category without a line had nothing to say.
    pub fn finish(
        self,
        covers_every_category: bool,
        window_ns: Option<(i64, i64)>,
    ) -> (Vec<EvidenceRecord>, EvidenceSource) {
        let window_ns = window_ns.or_else(|| hour_of_path(&self.path)).or(self.window_ns);
        let (from_ns, to_ns) = window_ns.unwrap_or((0, -1));
        let categories = match covers_every_category {
            true => vec!["*".to_owned()],
            false => self.categories.iter().map(|category| category.as_str().to_owned()).collect(),
        };
        let firewall = match self.firewalls.len() {
            1 => self.firewalls.into_iter().next(),
            _ => None,
        };
        let records = self.records.len() as u64;
        let source =
            EvidenceSource { path: self.path, firewall, categories, from_ns, to_ns, records };
        (self.records, source)
    }
}

fn evidence_of(record: &FirewallRecord) -> EvidenceRecord {
    EvidenceRecord {
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
fn hour_of_path(path: &str) -> Option<(i64, i64)> {
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
