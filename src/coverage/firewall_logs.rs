//! Lines of firewalls' logs as evidence, and the windows that the logs cover.

use std::collections::BTreeSet;
use std::io;

use ahash::RandomState;

use super::{
    EvidenceCategory, EvidenceRecord, EvidenceSource, FirewallTrafficEvidence, FlowGatherer,
};
use crate::spill::{PartitionBuffers, Partitions, SpillRoom};
use crate::traffic::firewall::{
    FirewallCategory, FirewallDestination, FirewallName, FirewallRecord,
};

/// What firewalls logged: the logs, and their lines by sender, in memory up to a bound and beyond it
/// in the room that it is given.
pub struct FirewallEvidence {
    pub(super) lines: Partitions,
    buffers: PartitionBuffers,
    hasher: RandomState,
    /// The logs, each with the window that it covers.
    pub(super) sources: Vec<EvidenceSource>,
    /// How far a line may be from a flow's beginning, nanoseconds.
    pub(super) time_tolerance_ns: i64,
    /// That a flow was recorded at a firewall shows that it passed there.
    pub(super) heeds_records: bool,
}

/// Gathers the lines of one log.
#[derive(Debug)]
pub struct FirewallLogEvidence {
    path: String,
    records: Vec<EvidenceRecord>,
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
}

impl FirewallEvidence {
    /// Prepares for the logs that the flows are looked for in; a line may be `time_tolerance_ns`
    /// from the beginning of its flow. Past `bytes_max` lines go to `room`.
    pub fn new(
        flows: &FlowGatherer,
        time_tolerance_ns: i64,
        bytes_max: usize,
        room: SpillRoom,
    ) -> Self {
        Self {
            lines: Partitions::new(bytes_max, room),
            buffers: PartitionBuffers::new(),
            hasher: flows.hasher(),
            sources: Vec::new(),
            time_tolerance_ns,
            heeds_records: true,
        }
    }

    /// No evidence at all, records made at a firewall included: then flows are judged by their
    /// routes alone, as they must be where they were recorded under other routes.
    pub fn of_routes_alone(flows: &FlowGatherer) -> Self {
        Self { heeds_records: false, ..Self::new(flows, 0, 0, SpillRoom::default()) }
    }

    /// Adds a log: its lines, and the sources that they make.
    ///
    /// # Errors
    ///
    /// When the room fails.
    pub fn add(
        &mut self,
        log: FirewallLogEvidence,
        covers_every_category: bool,
        window_ns: Option<(i64, i64)>,
    ) -> io::Result<()> {
        let (records, sources) = log.finish(covers_every_category, window_ns);
        self.add_records(records, sources)
    }

    /// Adds a flow log or a capture that was taken at a firewall.
    ///
    /// # Errors
    ///
    /// When the room fails.
    pub fn add_traffic(
        &mut self,
        traffic: FirewallTrafficEvidence,
        window_ns: Option<(i64, i64)>,
    ) -> io::Result<()> {
        let (records, source) = traffic.finish(window_ns);
        self.add_records(records, vec![source])
    }

    /// A record's source is its place among `sources`.
    fn add_records(
        &mut self,
        mut records: Vec<EvidenceRecord>,
        sources: Vec<EvidenceSource>,
    ) -> io::Result<()> {
        let before = u32::try_from(self.sources.len()).expect("far fewer than 2^32 logs");
        for record in &mut records {
            record.source_number += before;
            let hash = self.hasher.hash_one(record.source);
            self.buffers.push(hash, |bytes| record.write(bytes));
        }
        self.sources.extend(sources);
        self.lines.absorb(&mut self.buffers)
    }
}

impl FirewallLogEvidence {
    /// Starts with nothing; `path` is how the log is shown.
    pub fn new(path: impl Into<String>) -> Self {
        Self { path: path.into(), records: Vec::new(), firewalls: Vec::new(), window_ns: None }
    }

    /// Adds a line.
    pub fn add(&mut self, record: &FirewallRecord) {
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
        if !record.category.is_some_and(FirewallCategory::is_aggregation) {
            firewall.records += 1;
            let source = u32::try_from(number).expect("far fewer than 2^32 firewalls");
            self.records.push(evidence_of(record, source));
        }
    }

    /// Returns true where there was no line at all.
    pub fn is_empty(&self) -> bool {
        self.firewalls.is_empty()
    }

    /// Returns the lines and the sources that they make, one for each firewall, by name. A line's
    /// source is its place among them.
    ///
    /// The log covers `window_ns`, else the hour that its path names as blobs do, else the time
    /// from its first to its last line. For a firewall it covers the categories that it shows of
    /// it, or all where it names the category of each line, as the result of a query does: then a
    /// category without a line had nothing to say.
    pub fn finish(
        self,
        covers_every_category: bool,
        window_ns: Option<(i64, i64)>,
    ) -> (Vec<EvidenceRecord>, Vec<EvidenceSource>) {
        let Self { path, mut records, firewalls, window_ns: lines_ns } = self;
        let window_ns = window_ns.or_else(|| hour_of_path(&path)).or(lines_ns);
        let (from_ns, to_ns) = window_ns.unwrap_or((0, -1));
        let mut order: Vec<usize> = (0..firewalls.len()).collect();
        order.sort_by(|&a, &b| firewalls[a].name.cmp(&firewalls[b].name));
        let mut rank = vec![0; firewalls.len()];
        (0u32..).zip(&order).for_each(|(place, &number)| rank[number] = place);
        records
            .iter_mut()
            .for_each(|record| record.source_number = rank[record.source_number as usize]);
        let source = |firewall: &LoggedFirewall| EvidenceSource {
            path: path.clone(),
            firewall: firewall.name.clone(),
            categories: match covers_every_category {
                true => vec!["*".to_owned()],
                false => firewall
                    .categories
                    .iter()
                    .map(|category| category.as_str().to_owned())
                    .collect(),
            },
            from_ns,
            to_ns,
            records: firewall.records,
        };
        let mut sources: Vec<EvidenceSource> =
            order.iter().map(|&number| source(&firewalls[number])).collect();
        if sources.is_empty() {
            let nobody = LoggedFirewall { name: None, categories: BTreeSet::new(), records: 0 };
            sources.push(source(&nobody));
        }
        (records, sources)
    }

    fn firewall_number(&mut self, name: Option<&str>) -> usize {
        let is_same = |known: &LoggedFirewall| match (&known.name, name) {
            (Some(known), Some(name)) => known.eq_ignore_ascii_case(name),
            (known, name) => known.is_none() && name.is_none(),
        };
        let name = name.map(str::to_owned);
        match self.firewalls.iter().position(is_same) {
            Some(number) => {
                // Of several spellings one is kept, whatever the order of the lines.
                let known = &mut self.firewalls[number].name;
                *known = known.take().min(name);
                number
            }
            None => {
                self.firewalls.push(LoggedFirewall {
                    name,
                    categories: BTreeSet::new(),
                    records: 0,
                });
                self.firewalls.len() - 1
            }
        }
    }
}

fn evidence_of(record: &FirewallRecord, source_number: u32) -> EvidenceRecord {
    EvidenceRecord {
        source_number,
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
