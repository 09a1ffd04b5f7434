//! The verdicts on the rows of one verification, held against those of another.
//!
//! Both give the same rows in the same order; so the first writes a word a row, and the second reads
//! them back.

use std::cmp::Reverse;
use std::collections::BTreeMap;
use std::io;
use std::net::IpAddr;

use super::{VerdictChange, VerdictTransition};
use crate::classify::{OutputRow, RowBuffer, RowSink, Totals};
use crate::coverage::{FindingCode, Verdict};
use crate::spill::{PARTITION_COUNT, PartitionBuffers, Partitions, SpillRoom};

/// The sink of the first verification.
pub(super) struct WrittenVerdicts {
    words: Partitions,
    buffers: PartitionBuffers,
    row_count: u64,
    next_row: u64,
}

/// The sink of the second.
pub(super) struct ComparedVerdicts {
    written: WrittenVerdicts,
    /// What is read of the partition that the next row is in.
    bytes: Vec<u8>,
    partition: usize,
    place: usize,
    transitions: BTreeMap<(Verdict, Verdict), Totals>,
    changes: BTreeMap<(IpAddr, IpAddr, Word, Word), Totals>,
}

/// Rows with their verdicts, as many as a verification gives at once.
#[derive(Default)]
pub(super) struct JudgedRows(Vec<JudgedRow>);

struct JudgedRow {
    source: IpAddr,
    destination: IpAddr,
    totals: Totals,
    word: Option<Word>,
    /// Another row stands for the same flow.
    is_repeated: bool,
}

/// A verdict and, of a finding, its code.
type Word = (Verdict, Option<FindingCode>);

impl WrittenVerdicts {
    /// Prepares for so many rows; past `bytes_max` words go to `room`.
    pub(super) fn new(row_count: u64, bytes_max: usize, room: SpillRoom) -> Self {
        Self {
            words: Partitions::new(bytes_max, room),
            buffers: PartitionBuffers::new(),
            row_count: row_count.max(1),
            next_row: 0,
        }
    }

    /// Rewinds to the first row.
    pub(super) fn finish(mut self) -> io::Result<Self> {
        self.words.absorb(&mut self.buffers)?;
        self.next_row = 0;
        Ok(self)
    }

    /// The partition of the next row: rows stand in their order, evenly.
    fn next_partition(&mut self) -> usize {
        let row = u128::from(self.next_row);
        self.next_row += 1;
        let partition = row * PARTITION_COUNT as u128 / u128::from(self.row_count);
        usize::try_from(partition).expect("is below the number of rows").min(PARTITION_COUNT - 1)
    }
}

impl ComparedVerdicts {
    pub(super) fn new(written: WrittenVerdicts) -> Self {
        Self {
            written,
            bytes: Vec::new(),
            partition: usize::MAX,
            place: 0,
            transitions: BTreeMap::new(),
            changes: BTreeMap::new(),
        }
    }

    pub(super) fn transitions(&self) -> Vec<VerdictTransition> {
        let all = self.transitions.iter();
        all.map(|(&(before, after), &totals)| VerdictTransition { before, after, totals }).collect()
    }

    /// The changes, most bytes first.
    pub(super) fn changes(&self) -> Vec<VerdictChange> {
        let all = self.changes.iter();
        let mut changes: Vec<VerdictChange> = all
            .map(|(&(source, destination, before, after), &totals)| VerdictChange {
                source,
                destination,
                before: before.0,
                before_code: before.1,
                after: after.0,
                after_code: after.1,
                totals,
            })
            .collect();
        changes.sort_by_key(|change| Reverse((change.totals.bytes, change.totals.flows)));
        changes
    }

    fn next_word(&mut self) -> io::Result<(Option<Word>, bool)> {
        let partition = self.written.next_partition();
        if partition != self.partition {
            self.bytes = self.written.words.take(partition)?.joined();
            (self.partition, self.place) = (partition, 0);
        }
        let bytes = [self.bytes[self.place], self.bytes[self.place + 1]];
        self.place += bytes.len();
        Ok(read(bytes))
    }

    fn compare(&mut self, row: &JudgedRow) -> io::Result<()> {
        let (before, was_repeated) = self.next_word()?;
        let (Some(before), Some(after)) = (before, row.word) else { return Ok(()) };
        // What is one flow may be told differently where firewalls are not the same.
        if was_repeated && row.is_repeated {
            return Ok(());
        }
        self.transitions.entry((before.0, after.0)).or_default().add(row.totals);
        if before != after {
            let key = (row.source, row.destination, before, after);
            self.changes.entry(key).or_default().add(row.totals);
        }
        Ok(())
    }
}

impl RowSink for WrittenVerdicts {
    type Buffer = JudgedRows;

    fn buffer(&self) -> JudgedRows {
        JudgedRows::default()
    }

    fn append(&mut self, rows: &mut JudgedRows) -> io::Result<()> {
        for row in rows.0.drain(..) {
            let partition = self.next_partition();
            self.buffers.push_to(partition, |bytes| bytes.extend(word_bytes(&row)));
        }
        if self.buffers.is_full() { self.words.absorb(&mut self.buffers) } else { Ok(()) }
    }
}

impl RowSink for ComparedVerdicts {
    type Buffer = JudgedRows;

    fn buffer(&self) -> JudgedRows {
        JudgedRows::default()
    }

    fn append(&mut self, rows: &mut JudgedRows) -> io::Result<()> {
        rows.0.drain(..).try_for_each(|row| self.compare(&row))
    }
}

impl RowBuffer for JudgedRows {
    fn push(&mut self, row: &OutputRow<'_>) {
        let word = row.coverage.and_then(|coverage| {
            let verdict = Verdict::ALL.into_iter().find(|one| one.as_str() == coverage.verdict)?;
            let code = FindingCode::ALL.into_iter().find(|one| one.as_str() == coverage.reason);
            Some((verdict, code.filter(|_| verdict.is_finding())))
        });
        self.0.push(JudgedRow {
            source: row.source,
            destination: row.destination,
            totals: Totals::of_row(&row.counters),
            word,
            is_repeated: row.coverage.is_some_and(|coverage| coverage.dup_of.is_some()),
        });
    }
}

/// The verdict's place with a mark for a row that is repeated, and the code's; 0 for none.
fn word_bytes(row: &JudgedRow) -> [u8; 2] {
    let place = |place: Option<usize>| place.map_or(0, |place| place as u8 + 1);
    let verdict =
        row.word.and_then(|(verdict, _)| Verdict::ALL.iter().position(|one| *one == verdict));
    let code =
        row.word.and_then(|(_, code)| FindingCode::ALL.iter().position(|one| Some(*one) == code));
    [place(verdict) << 1 | u8::from(row.is_repeated), place(code)]
}

fn read([verdict, code]: [u8; 2]) -> (Option<Word>, bool) {
    let code = usize::from(code).checked_sub(1).map(|place| FindingCode::ALL[place]);
    let place = usize::from(verdict >> 1).checked_sub(1);
    (place.map(|place| (Verdict::ALL[place], code)), verdict & 1 == 1)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn row(index: usize, is_repeated: bool) -> JudgedRow {
        let verdict = Verdict::ALL[index % Verdict::ALL.len()];
        let code = FindingCode::ALL[index % FindingCode::ALL.len()];
        JudgedRow {
            source: "10.0.0.4".parse().unwrap(),
            destination: "10.0.0.5".parse().unwrap(),
            totals: Totals { flows: 1, packets: 2, bytes: 3 },
            word: (!index.is_multiple_of(7))
                .then_some((verdict, verdict.is_finding().then_some(code))),
            is_repeated,
        }
    }

    #[test]
    fn every_word_is_read_back() {
        for verdict in Verdict::ALL {
            for code in FindingCode::ALL.map(Some).into_iter().chain([None]) {
                for is_repeated in [false, true] {
                    let row = JudgedRow { word: Some((verdict, code)), ..row(0, is_repeated) };
                    assert_eq!(read(word_bytes(&row)), (row.word, is_repeated));
                }
            }
        }
        assert_eq!(read(word_bytes(&row(0, false))), (None, false));
    }

    #[test]
    fn rows_meet_themselves_however_many_there_are_and_wherever_they_wait() {
        for (count, bytes_max) in [(0, 0), (1, 0), (511, 0), (512, 1 << 20), (20_000, 0)] {
            let mut written = WrittenVerdicts::new(count, bytes_max, SpillRoom::default());
            let rows = || JudgedRows((0..count as usize).map(|index| row(index, false)).collect());
            written.append(&mut rows()).unwrap();
            let mut compared = ComparedVerdicts::new(written.finish().unwrap());
            compared.append(&mut rows()).unwrap();
            assert_eq!(compared.changes(), []);
            let flows: u64 = compared.transitions().iter().map(|one| one.totals.flows).sum();
            assert_eq!(flows, count - count.div_ceil(7));
            assert!(compared.transitions().iter().all(|one| one.before == one.after));
        }
    }

    #[test]
    fn a_flow_counts_once_and_another_code_of_a_finding_is_a_change() {
        let judged = |code, is_repeated| JudgedRow {
            word: Some((Verdict::Bypass, Some(code))),
            ..row(1, is_repeated)
        };
        let (peering, internet) = (FindingCode::PeeringBypass, FindingCode::InternetBypass);
        let mut written = WrittenVerdicts::new(3, 0, SpillRoom::default());
        let before = [judged(peering, false), judged(peering, true), judged(peering, true)];
        written.append(&mut JudgedRows(before.into())).unwrap();
        let mut compared = ComparedVerdicts::new(written.finish().unwrap());
        let after = [judged(internet, false), judged(internet, true), judged(peering, false)];
        compared.append(&mut JudgedRows(after.into())).unwrap();
        let transitions = compared.transitions();
        assert_eq!(transitions.len(), 1);
        assert_eq!(transitions[0].totals, Totals { flows: 2, packets: 4, bytes: 6 });
        let [change] = &compared.changes()[..] else { panic!() };
        assert_eq!((change.before_code, change.after_code), (Some(peering), Some(internet)));
        assert_eq!(change.totals.flows, 1);
    }
}
