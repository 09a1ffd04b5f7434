//! Flow logs and captures that were taken at a firewall, as evidence.

use std::io;

use super::firewall_logs::hour_of_path;
use super::places::FirewallObservers;
use super::{EvidenceCategory, EvidenceRecord, EvidenceSource, Places};
use crate::classify::{OutputRow, RowBuffer, RowSink};
use crate::traffic::FlowStatus;

/// Gathers the flows of one flow log or capture as evidence.
///
/// A row of a flow log counts where its MAC or its target resource is a firewall's; that a capture
/// was taken at one is for the caller to know, since a capture names nobody. What was denied before
/// it reached the firewall shows nothing.
#[derive(Debug)]
pub struct FirewallTrafficEvidence {
    path: String,
    observers: FirewallObservers,
    gathered: Gathered,
}

/// The rows of one thread on their way into a [`FirewallTrafficEvidence`].
#[derive(Debug)]
pub struct FirewallTrafficRows {
    observers: FirewallObservers,
    gathered: Gathered,
}

#[derive(Debug, Default)]
struct Gathered {
    records: Vec<EvidenceRecord>,
    window_ns: Option<(i64, i64)>,
    /// Rows that were recorded elsewhere.
    elsewhere: u64,
    is_capture: bool,
}

impl FirewallTrafficEvidence {
    /// Starts with nothing; `path` is how the input is shown.
    pub fn new(path: impl Into<String>, places: &Places) -> Self {
        Self {
            path: path.into(),
            observers: places.firewall_observers.clone(),
            gathered: Gathered::default(),
        }
    }

    /// Returns true where there was no row at all.
    pub fn is_empty(&self) -> bool {
        self.gathered.window_ns.is_none() && self.gathered.elsewhere == 0
    }

    /// Returns how many rows were recorded elsewhere than at a firewall, and show nothing.
    pub fn elsewhere(&self) -> u64 {
        self.gathered.elsewhere
    }

    /// Returns the flows, and the source that they make.
    ///
    /// It covers `window_ns`, else the hour that its path names as blobs do, else the time from the
    /// first to the last record; without any record at a firewall it covers nothing.
    pub(super) fn finish(
        self,
        window_ns: Option<(i64, i64)>,
    ) -> (Vec<EvidenceRecord>, EvidenceSource) {
        let Self {
            path, gathered: Gathered { records, window_ns: rows_ns, is_capture, .. }, ..
        } = self;
        let (from_ns, to_ns) = rows_ns
            .map(|rows_ns| window_ns.or_else(|| hour_of_path(&path)).unwrap_or(rows_ns))
            .unwrap_or((0, -1));
        let source = EvidenceSource {
            firewall: None,
            categories: vec![if is_capture { "capture" } else { "flow_log" }.to_owned()],
            from_ns,
            to_ns,
            records: records.len() as u64,
            path,
        };
        (records, source)
    }
}

impl RowSink for FirewallTrafficEvidence {
    const WANTS_ORDER: bool = false;
    const WANTS_ROUTES: bool = false;

    type Buffer = FirewallTrafficRows;

    fn buffer(&self) -> FirewallTrafficRows {
        FirewallTrafficRows { observers: self.observers.clone(), gathered: Gathered::default() }
    }

    fn append(&mut self, buffer: &mut FirewallTrafficRows) -> io::Result<()> {
        let more = std::mem::take(&mut buffer.gathered);
        let known = &mut self.gathered;
        known.records.extend(more.records);
        known.elsewhere += more.elsewhere;
        known.is_capture |= more.is_capture;
        if let Some((from, to)) = more.window_ns {
            let (known_from, known_to) = known.window_ns.unwrap_or((from, to));
            known.window_ns = Some((known_from.min(from), known_to.max(to)));
        }
        Ok(())
    }
}

impl RowBuffer for FirewallTrafficRows {
    fn push(&mut self, row: &OutputRow<'_>) {
        let gathered = &mut self.gathered;
        gathered.is_capture |= row.direction.is_none();
        let target = row.target_resource_id.unwrap_or_default();
        if row.direction.is_some() && !self.observers.holds(row.mac, target) {
            gathered.elsewhere += 1;
            return;
        }
        let (from, to) = gathered.window_ns.unwrap_or((row.start_time_ns, row.end_time_ns));
        gathered.window_ns = Some((from.min(row.start_time_ns), to.max(row.end_time_ns)));
        if row.status == Some(FlowStatus::Denied) {
            return;
        }
        gathered.records.push(EvidenceRecord {
            source_number: 0,
            time_ns: row.start_time_ns,
            category: EvidenceCategory::Other,
            protocol: Some(row.protocol),
            source: row.source,
            source_port: row.ports.map(|(source, _)| source),
            destination: Some(row.destination),
            destination_port: row.ports.map(|(_, destination)| destination),
            translated: None,
        });
    }
}
