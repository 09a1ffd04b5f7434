//! Rows of a classification by the snapshot before, labelled by the snapshot after as they come.

use std::cmp::Reverse;
use std::collections::BTreeMap;
use std::io;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use ahash::{AHashMap, RandomState};

use super::changed_flows::{ChangedFlow, GatheredChanges};
use super::next_hops::NextHopNumbers;
use super::route_change::RouteChangeKey;
use super::two_labels::{LastObserver, Snapshots, TwoLabels};
use super::verdicts::{KeptTwice, KeptTwiceRows};
use super::{AfterBooks, ReplayReport, ReplayedPolicy, RouteChange, Transition};
use crate::classify::{OutputRow, ReplayColumns, RowBuffer, RowSink, Summary, Totals};
use crate::fib::TableId;
use crate::spill::{PartitionBuffers, SpillRoom};
use crate::traffic::{InputName, Unknown};

/// How a replay goes about its work.
#[derive(Clone, Debug)]
pub struct ReplayOptions {
    /// The bound on the memory of changed flows, and of those that wait for verdicts.
    pub memory_bytes_max: usize,
    /// Where they go past it.
    pub room: SpillRoom,
}

/// Takes the rows of a classification by the snapshot before, labels each by the snapshot after,
/// gathers the flows that change, and hands their rows on to a sink.
///
/// Memory: the changed flows, bounded by [`ReplayOptions::memory_bytes_max`], and for each pair of
/// routes that rows change between an entry.
pub struct Replayer<'r, S> {
    shared: Arc<Shared<'r>>,
    sink: S,
    gathered: GatheredChanges,
    kept: Option<KeptTwice<'r>>,
    options: ReplayOptions,
    sums: Sums,
}

/// The rows of one thread on their way into a [`Replayer`].
pub struct ReplayedRows<'r, B> {
    shared: Arc<Shared<'r>>,
    rows: B,
    changes: PartitionBuffers,
    kept: Option<KeptTwiceRows>,
    sums: Sums,
    /// The number of a change, and its reason.
    known_changes: AHashMap<RouteChangeKey, (u32, &'static str)>,
    last_observer: LastObserver,
    last_file: u32,
    /// Whether two tables use the same prefixes by the same sources.
    same_routes: AHashMap<(TableId, TableId), bool>,
}

/// What the buffers of all threads look at.
struct Shared<'r> {
    snapshots: Snapshots<'r>,
    next_hops: NextHopNumbers,
    changes: Mutex<RouteChanges<'r>>,
    wants_rows: bool,
    hasher: RandomState,
    /// Names of inputs, sorted.
    files: Vec<Arc<str>>,
}

/// Every change of routes once, in the order in which threads met them.
#[derive(Default)]
struct RouteChanges<'r> {
    all: Vec<RouteChange<'r>>,
    numbers: AHashMap<RouteChangeKey, u32>,
}

/// Sums over rows.
#[derive(Default)]
struct Sums {
    all: Totals,
    other_route: Totals,
    way_back: Totals,
    /// By number of the change.
    by_change: Vec<Totals>,
    classified_after: u64,
    unknown_after: [u64; Unknown::ALL.len()],
}

impl<'r, S: RowSink> Replayer<'r, S> {
    /// Prepares for the rows of inputs; those that change go to `sink`, with
    /// [`OutputRow::replay`] filled. With a policy rows must be flows, as a verification takes them.
    pub fn new<'n>(
        snapshots: Snapshots<'r>,
        inputs: impl IntoIterator<Item = &'n InputName> + Clone,
        options: ReplayOptions,
        policy: Option<ReplayedPolicy<'r>>,
        sink: S,
    ) -> Self {
        let (bytes_max, room) = (options.memory_bytes_max / 2, &options.room);
        let kept = policy.map(|policy| KeptTwice::new(policy, inputs.clone(), bytes_max, room));
        let mut files: Vec<Arc<str>> =
            inputs.into_iter().map(|input| input.as_str().into()).collect();
        files.sort();
        files.dedup();
        Self {
            shared: Arc::new(Shared {
                next_hops: NextHopNumbers::of(snapshots.before.fib, snapshots.after.fib),
                snapshots,
                changes: Mutex::default(),
                wants_rows: S::WANTS_ROWS,
                hasher: RandomState::new(),
                files,
            }),
            sink,
            gathered: GatheredChanges::new(bytes_max, room.clone()),
            kept,
            options,
            sums: Sums::default(),
        }
    }

    /// Brings together what changes; `summary` is that of the classification.
    ///
    /// # Errors
    ///
    /// When the room fails.
    ///
    /// # Panics
    ///
    /// When a record has a label in one snapshot's books and is missing in the other's.
    pub fn finish(self, summary: Summary) -> io::Result<(ReplayReport<'r>, S)> {
        let Self { shared, sink, gathered, kept, options, sums } = self;
        let after = sums.after_books();
        let with_row = summary.total.classified + summary.total.unknown_total();
        let unknown: u64 = after.unknown.iter().map(|(_, records)| records).sum();
        assert_eq!(after.classified + unknown, with_row, "the books after do not balance");
        let changes = std::mem::take(&mut *shared.lock_changes());
        let (route_changes, ranks) = changes.ranked(&sums.by_change);
        let mut changed = Totals::default();
        route_changes.iter().for_each(|change| changed.add(change.totals));
        let bytes_max = options.memory_bytes_max / 2;
        let judge = |kept: KeptTwice<'r>| {
            kept.judge(&shared.snapshots, sums.all.flows, bytes_max, &options.room)
        };
        let verdicts = kept.map(judge).transpose()?;
        let report = ReplayReport {
            summary,
            after,
            all: sums.all,
            changed,
            other_route: sums.other_route,
            way_back: sums.way_back,
            transitions: transitions(&route_changes),
            route_changes,
            flows: gathered.finish(&ranks)?,
            verdicts,
            hashes: Vec::new(),
            files: shared.files.clone(),
        };
        Ok((report, sink))
    }
}

impl<'r, S: RowSink> RowSink for Replayer<'r, S> {
    const WANTS_ORDER: bool = S::WANTS_ROWS && S::WANTS_ORDER;
    const WANTS_ROUTES: bool = false;

    type Buffer = ReplayedRows<'r, S::Buffer>;

    fn buffer(&self) -> Self::Buffer {
        ReplayedRows {
            shared: self.shared.clone(),
            rows: self.sink.buffer(),
            changes: PartitionBuffers::new(),
            kept: self.kept.as_ref().map(KeptTwice::buffer),
            sums: Sums::default(),
            known_changes: AHashMap::new(),
            last_observer: LastObserver::new(),
            last_file: 0,
            same_routes: AHashMap::new(),
        }
    }

    fn append(&mut self, buffer: &mut Self::Buffer) -> io::Result<()> {
        self.sums.absorb(&mut buffer.sums);
        self.gathered.absorb(&mut buffer.changes)?;
        if let (Some(kept), Some(rows)) = (&mut self.kept, &mut buffer.kept) {
            kept.append(rows)?;
        }
        match S::WANTS_ROWS {
            true => self.sink.append(&mut buffer.rows),
            false => Ok(()),
        }
    }
}

impl<B: RowBuffer> RowBuffer for ReplayedRows<'_, B> {
    fn push(&mut self, row: &OutputRow<'_>) {
        let shared = self.shared.clone();
        let snapshots = &shared.snapshots;
        let labels = snapshots.label(row, &mut self.last_observer);
        let totals = Totals::of_row(&row.counters);
        self.sums.all.add(totals);
        self.sums.count_after(&labels, row.record_count);
        if let Some(kept) = &mut self.kept {
            kept.push(row, &labels);
        }
        let next_hops = &shared.next_hops;
        if next_hops.before(&labels.before) == next_hops.after(&labels.after) {
            if self.is_other_route(row, &labels) {
                self.sums.other_route.add(totals);
            }
            if snapshots.changes_way_back(row, &labels) {
                self.sums.way_back.add(totals);
            }
            return;
        }
        let (change, reason) = self.change_of(row, &labels);
        self.sums.add_change(change, totals);
        self.gather(row, change, totals);
        if shared.wants_rows {
            let TwoLabels { before, after, destination_after, .. } = labels;
            let (source, destination) = (row.source, row.destination);
            let replay = ReplayColumns {
                destination: destination_after,
                label: after.columns(snapshots.after.fib, source, destination_after),
                reason,
            };
            self.rows.push(&OutputRow {
                label: before.columns(snapshots.before.fib, source, destination),
                replay: Some(replay),
                ..row.clone()
            });
        }
    }
}

impl<B> ReplayedRows<'_, B> {
    fn is_other_route(&mut self, row: &OutputRow<'_>, labels: &TwoLabels) -> bool {
        let TwoLabels { before, after, destination_after, is_moved } = labels;
        let (Some(table_before), Some(table_after)) = (before.table, after.table) else {
            return false;
        };
        let Snapshots { before: old, after: new, .. } = &self.shared.snapshots;
        let are_same = self
            .same_routes
            .entry((table_before, table_after))
            .or_insert_with(|| old.fib.routes(table_before) == new.fib.routes(table_after));
        if *are_same && !is_moved && before.lookup == after.lookup {
            return false;
        }
        let old = old.matched(before, row.source, row.destination);
        let new = new.matched(after, row.source, *destination_after);
        old.map(|old| (old.prefix, old.source)) != new.map(|new| (new.prefix, new.source))
    }

    /// The number of a row's change, and its reason.
    fn change_of(&mut self, row: &OutputRow<'_>, labels: &TwoLabels) -> (u32, &'static str) {
        let shared = &self.shared;
        let key = RouteChangeKey::of(&shared.snapshots, row, labels);
        *self.known_changes.entry(key).or_insert_with(|| {
            let change = RouteChange::of_row(&shared.snapshots, row, labels);
            let reason = change.reason;
            (shared.lock_changes().number(key, change), reason)
        })
    }

    fn gather(&mut self, row: &OutputRow<'_>, change: u32, totals: Totals) {
        let file = self.file_number(row.source_file);
        let flow = ChangedFlow {
            source: row.source,
            destination: row.destination,
            ports: row.ports,
            protocol: row.protocol,
            direction: row.direction,
            change: change as usize,
            start_time_ns: row.start_time_ns,
            end_time_ns: row.end_time_ns,
            file: file as usize,
            record: row.source_record,
            rows: 1,
            packets: totals.packets,
            bytes: totals.bytes,
        };
        let key = (row.source, row.destination, row.ports, row.protocol);
        let hash = self.shared.hasher.hash_one(key);
        self.changes.push(hash, |bytes| flow.write(bytes));
    }

    fn file_number(&mut self, name: &str) -> u32 {
        let files = &self.shared.files;
        if *files[self.last_file as usize] != *name {
            let number = files.binary_search_by(|file| (**file).cmp(name));
            let number = number.expect("the inputs were told at the beginning");
            self.last_file = u32::try_from(number).expect("fewer than 2^32 inputs");
        }
        self.last_file
    }
}

impl<'r> Shared<'r> {
    fn lock_changes(&self) -> MutexGuard<'_, RouteChanges<'r>> {
        self.changes.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl<'r> RouteChanges<'r> {
    fn number(&mut self, key: RouteChangeKey, change: RouteChange<'r>) -> u32 {
        *self.numbers.entry(key).or_insert_with(|| {
            self.all.push(change);
            u32::try_from(self.all.len() - 1).expect("fewer than 2^32 pairs of routes")
        })
    }

    /// Returns every change with its sums, the most bytes first, and the place of each by its
    /// number. Changes that look the same are one.
    fn ranked(self, totals: &[Totals]) -> (Vec<RouteChange<'r>>, Vec<usize>) {
        let mut ranks = vec![0; self.all.len()];
        let mut numbered: Vec<(usize, RouteChange<'r>)> =
            self.all.into_iter().enumerate().collect();
        numbered.sort_by(|(_, a), (_, b)| a.content().cmp(&b.content()));
        let mut merged: Vec<(Vec<usize>, RouteChange<'r>)> = Vec::new();
        for (number, mut change) in numbered {
            change.totals = totals.get(number).copied().unwrap_or_default();
            match merged.last_mut() {
                Some((numbers, last)) if last.content() == change.content() => {
                    numbers.push(number);
                    last.totals.add(change.totals);
                }
                _ => merged.push((vec![number], change)),
            }
        }
        merged.sort_by(|(_, a), (_, b)| a.worst_first().cmp(&b.worst_first()));
        for (rank, (numbers, _)) in merged.iter().enumerate() {
            numbers.iter().for_each(|&number| ranks[number] = rank);
        }
        (merged.into_iter().map(|(_, change)| change).collect(), ranks)
    }
}

impl Sums {
    fn add_change(&mut self, number: u32, totals: Totals) {
        let number = number as usize;
        if number >= self.by_change.len() {
            self.by_change.resize(number + 1, Totals::default());
        }
        self.by_change[number].add(totals);
    }

    fn count_after(&mut self, labels: &TwoLabels, records: u64) {
        match labels.after.unknown {
            Some(reason) => self.unknown_after[reason as usize] += records,
            None => self.classified_after += records,
        }
    }

    fn after_books(&self) -> AfterBooks {
        let unknown = Unknown::ALL.into_iter().zip(self.unknown_after);
        AfterBooks {
            classified: self.classified_after,
            unknown: unknown.filter(|(_, records)| *records > 0).collect(),
        }
    }

    /// Adds the sums of a thread and sets them to zero.
    fn absorb(&mut self, part: &mut Self) {
        self.all.add(std::mem::take(&mut part.all));
        self.other_route.add(std::mem::take(&mut part.other_route));
        self.way_back.add(std::mem::take(&mut part.way_back));
        self.classified_after += std::mem::take(&mut part.classified_after);
        for (sum, part) in self.unknown_after.iter_mut().zip(&mut part.unknown_after) {
            *sum += std::mem::take(part);
        }
        if self.by_change.len() < part.by_change.len() {
            self.by_change.resize(part.by_change.len(), Totals::default());
        }
        for (sum, part) in self.by_change.iter_mut().zip(&mut part.by_change) {
            sum.add(std::mem::take(part));
        }
    }
}

fn transitions(changes: &[RouteChange<'_>]) -> Vec<Transition> {
    let mut sums: BTreeMap<_, Totals> = BTreeMap::new();
    for change in changes {
        let classes = (change.before.next_hop_class, change.after.next_hop_class);
        sums.entry(classes).or_default().add(change.totals);
    }
    let mut transitions: Vec<Transition> = sums
        .into_iter()
        .map(|((before, after), totals)| Transition { before, after, totals })
        .collect();
    transitions.sort_by_key(|one| Reverse((one.totals.bytes, one.totals.flows)));
    transitions
}
