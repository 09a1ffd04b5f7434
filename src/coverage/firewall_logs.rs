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
    /// The log covers the time from its first to its last line, or `window_ns`. It covers the
    /// categories that it shows, or all where it names the category of each line, as the result of
    /// a query does: then a category without a line had nothing to say.
    pub fn finish(
        self,
        covers_every_category: bool,
        window_ns: Option<(i64, i64)>,
    ) -> (Vec<EvidenceRecord>, EvidenceSource) {
        let (from_ns, to_ns) = window_ns.or(self.window_ns).unwrap_or((0, -1));
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
