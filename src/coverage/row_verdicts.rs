//! The verdict on every kept row: from the flow that was judged back to each row that it was made
//! of.
//!
//! A flow that stands for others is judged once. What is judged is written by row; links tell which
//! row each other one belongs to, and are followed in two steps, as they were made: from a leg to
//! the flow that it belongs to, then from a record to the one that stands for its flow.

use std::cell::RefCell;
use std::fmt::Write as _;
use std::io;
use std::sync::Arc;

use ahash::AHashMap;

use super::evidence::ShownAt;
use super::flows::ObservedFlow;
use super::kept_rows::{BlockOrder, KeptRows, RowId, put_number};
use super::{EvidenceSource, FindingCode, Policy, Verdict};
use crate::classify::{CoverageColumns, OutputRow, RowBuffer, RowSink};
use crate::spill::{PARTITION_COUNT, PartitionBuffers, Partitions, RecordBytes, SpillRoom};

/// Verdicts on rows, and links between rows, on their way to the output.
pub(super) struct RowVerdicts {
    order: Arc<BlockOrder>,
    verdicts: Partitions,
    /// From legs to flows, then from records to the record that stands for them.
    links: [Partitions; 2],
    bytes_max: usize,
    room: SpillRoom,
}

/// Which step of joining made a link.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum LinkStep {
    Leg = 0,
    Record = 1,
}

/// What is told of a row.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct RowVerdict {
    pub(super) verdict: Verdict,
    /// The rule whose verdict stands.
    pub(super) rule: Option<u32>,
    pub(super) reason: Reason,
    pub(super) sign: Sign,
    /// The input, by rank, and the record of the row that stands for the flow.
    pub(super) dup_of: Option<(u32, u64)>,
}

/// Why a verdict is what it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Reason {
    /// A word of ours, or the code of a finding.
    Word(u8),
    /// The reason of an exemption, by its place in the policy.
    Exemption(u32),
}

/// What showed that a flow passed a firewall.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Sign {
    Nothing,
    /// The log, by its place among the sources.
    Log {
        source_number: u32,
        is_weak: bool,
    },
    /// A record was made at a firewall.
    RecordedAtFirewall,
    /// A firewall sent it on with an address of its own.
    SentByFirewall,
    /// One of its ends is a firewall's address.
    LegOfFirewall,
}

impl RowVerdicts {
    pub(super) fn new(rows: &KeptRows, bytes_max: usize, room: &SpillRoom) -> Self {
        let partitions = || Partitions::new(bytes_max, room.clone());
        Self {
            order: Arc::new(rows.order()),
            verdicts: partitions(),
            links: [partitions(), partitions()],
            bytes_max,
            room: room.clone(),
        }
    }

    pub(super) fn order(&self) -> Arc<BlockOrder> {
        self.order.clone()
    }

    pub(super) fn absorb_verdicts(&mut self, buffers: &mut PartitionBuffers) -> io::Result<()> {
        self.verdicts.absorb(buffers)
    }

    pub(super) fn absorb_links(
        &mut self,
        step: LinkStep,
        buffers: &mut PartitionBuffers,
    ) -> io::Result<()> {
        self.links[step as usize].absorb(buffers)
    }

    /// Gives every row with its verdict to the sink.
    pub(super) fn write<S: RowSink>(
        self,
        rows: KeptRows,
        names: &RowNames<'_>,
        sink: &mut S,
    ) -> io::Result<()> {
        let Self { order, mut verdicts, links, bytes_max, room } = self;
        for mut links in links {
            let mut all = Partitions::new(bytes_max, room.clone());
            follow(&order, &mut verdicts, &mut links, &mut all)?;
            verdicts = all;
        }
        let known: RefCell<AHashMap<RowId, RowVerdict>> = RefCell::default();
        let mut buffer = sink.buffer();
        let mut texts = RowTexts::default();
        let mut pending = 0;
        rows.for_each(
            |partition| {
                let mut known = known.borrow_mut();
                known.clear();
                read_verdicts(&verdicts.take(partition)?.joined(), |row, verdict| {
                    known.insert(row, verdict);
                });
                Ok(())
            },
            |id, row| {
                let known = known.borrow();
                let coverage = known.get(&id).map(|verdict| names.columns(verdict, &mut texts));
                let row = OutputRow { coverage, ..row };
                buffer.push(&row);
                pending += 1;
                if pending % ROWS_A_PORTION == 0 { sink.append(&mut buffer) } else { Ok(()) }
            },
        )?;
        sink.append(&mut buffer)
    }
}

const ROWS_A_PORTION: usize = 8192;

/// Follows links one step: what is known of a row becomes known of those that link to it.
fn follow(
    order: &BlockOrder,
    known: &mut Partitions,
    links: &mut Partitions,
    all: &mut Partitions,
) -> io::Result<()> {
    let mut buffers = PartitionBuffers::new();
    for partition in 0..PARTITION_COUNT {
        let bytes = known.take(partition)?.joined();
        let mut of_row: AHashMap<RowId, RowVerdict> = AHashMap::new();
        read_verdicts(&bytes, |row, verdict| {
            of_row.insert(row, verdict);
            buffers.push_to(partition, |bytes| verdict.write(row, bytes));
        });
        let links = links.take(partition)?.joined();
        let mut record = RecordBytes(&links);
        while !record.is_empty() {
            let (row, parent) = (RowId::read(&mut record), RowId::read(&mut record));
            let place = (record.number_u32(), record.number());
            if let Some(verdict) = of_row.get(&parent) {
                let verdict =
                    RowVerdict { dup_of: Some(verdict.dup_of.unwrap_or(place)), ..*verdict };
                buffers.push_to(order.partition(row), |bytes| verdict.write(row, bytes));
            }
        }
        if buffers.is_full() {
            all.absorb(&mut buffers)?;
        }
    }
    all.absorb(&mut buffers)
}

/// Writes that the row of `flow` belongs to that of `stands`, if rows are kept.
pub(super) fn link(
    order: Option<&BlockOrder>,
    buffers: &mut PartitionBuffers,
    flow: &ObservedFlow,
    stands: &ObservedFlow,
) {
    let (Some(order), Some(row), Some(parent)) = (order, flow.row, stands.row) else { return };
    buffers.push_to(order.partition(parent), |bytes| {
        row.write(bytes);
        parent.write(bytes);
        put_number(bytes, stands.file.into());
        put_number(bytes, stands.record);
    });
}

impl RowVerdict {
    pub(super) fn write(&self, row: RowId, bytes: &mut Vec<u8>) {
        row.write(bytes);
        let verdict = Verdict::ALL.iter().position(|one| *one == self.verdict);
        put_number(bytes, verdict.expect("every verdict is in the list") as u64);
        put_number(bytes, self.rule.map_or(0, |rule| u64::from(rule) + 1));
        put_number(
            bytes,
            match self.reason {
                Reason::Word(word) => u64::from(word) << 1,
                Reason::Exemption(place) => u64::from(place) << 1 | 1,
            },
        );
        put_number(
            bytes,
            match self.sign {
                Sign::Nothing => 0,
                Sign::RecordedAtFirewall => 1,
                Sign::SentByFirewall => 2,
                Sign::LegOfFirewall => 3,
                Sign::Log { source_number, is_weak } => {
                    4 + (u64::from(source_number) << 1 | u64::from(is_weak))
                }
            },
        );
        put_number(bytes, u64::from(self.dup_of.is_some()));
        if let Some((file, record)) = self.dup_of {
            put_number(bytes, file.into());
            put_number(bytes, record);
        }
    }

    fn read(record: &mut RecordBytes<'_>) -> (RowId, Self) {
        let row = RowId::read(record);
        let verdict = Verdict::ALL[record.number_u32() as usize];
        let rule = record.number_u32().checked_sub(1);
        let reason = match record.number_u32() {
            exemption if exemption & 1 == 1 => Reason::Exemption(exemption >> 1),
            word => Reason::Word((word >> 1) as u8),
        };
        let sign = match record.number() {
            0 => Sign::Nothing,
            1 => Sign::RecordedAtFirewall,
            2 => Sign::SentByFirewall,
            3 => Sign::LegOfFirewall,
            log => {
                Sign::Log { source_number: ((log - 4) >> 1) as u32, is_weak: (log - 4) & 1 == 1 }
            }
        };
        let dup_of = (record.number() == 1).then(|| (record.number_u32(), record.number()));
        (row, Self { verdict, rule, reason, sign, dup_of })
    }
}

fn read_verdicts(bytes: &[u8], mut each: impl FnMut(RowId, RowVerdict)) {
    let mut record = RecordBytes(bytes);
    while !record.is_empty() {
        let (row, verdict) = RowVerdict::read(&mut record);
        each(row, verdict);
    }
}

impl Sign {
    /// Of what shows a flow: the best log, else a record at a firewall.
    pub(super) fn of(flow: &ObservedFlow, shown: &[ShownAt], is_leg: bool) -> Self {
        let log = shown.iter().min_by_key(|at| (at.is_weak, at.source_number));
        match log {
            Some(at) => Self::Log { source_number: at.source_number, is_weak: at.is_weak },
            None if flow.is_translated => Self::SentByFirewall,
            None if is_leg => Self::LegOfFirewall,
            None if !flow.recorded_at.is_empty() => Self::RecordedAtFirewall,
            None => Self::Nothing,
        }
    }
}

/// The words of `CoverageReason` that are no code of a finding.
const WORDS: [&str; 10] = [
    "platform_address",
    "denied_before_routing",
    "initiated_by_private_endpoint",
    "no_rule_asks",
    "leg_of_a_firewall",
    "routes_not_known",
    "seen_off_its_path",
    "seen",
    "path_as_required",
    "no_source_covers_it",
];

fn word_of(word: u8) -> &'static str {
    let word = usize::from(word);
    WORDS.get(word).copied().unwrap_or_else(|| FindingCode::ALL[word - WORDS.len()].as_str())
}

impl Reason {
    /// The word for a verdict: the code of a finding, else what the verdict rests on.
    pub(super) fn of(
        verdict: Verdict,
        code: Option<FindingCode>,
        sign: Sign,
        is_leg: bool,
    ) -> Self {
        let code = FindingCode::ALL.iter().position(|one| Some(*one) == code);
        let word = match (code, verdict) {
            (Some(code), _) => return Self::Word((WORDS.len() + code) as u8),
            (None, Verdict::Platform) => 0,
            (None, Verdict::Denied) => 1,
            (None, Verdict::SuspectDirection) => 2,
            (None, Verdict::NotRequired | Verdict::Exempt) => 3 + u8::from(is_leg),
            (None, Verdict::Unknown) => 5,
            (None, Verdict::Unexpected) => 6,
            (None, Verdict::Covered) => 7 + u8::from(sign == Sign::Nothing),
            (None, _) => 9,
        };
        Self::Word(word)
    }
}

/// What numbers in a [`RowVerdict`] stand for.
pub(super) struct RowNames<'r> {
    pub(super) policy: &'r Policy,
    pub(super) sources: &'r [EvidenceSource],
    pub(super) files: &'r [Arc<str>],
}

/// The texts of one row, with their memory.
#[derive(Default)]
struct RowTexts {
    required: String,
    evidence: String,
    dup_of: String,
}

impl RowNames<'_> {
    fn columns<'t>(&'t self, verdict: &RowVerdict, texts: &'t mut RowTexts) -> CoverageColumns<'t> {
        let RowTexts { required, evidence, dup_of } = texts;
        let say = |text: &mut String, arguments: std::fmt::Arguments<'_>| {
            text.clear();
            text.write_fmt(arguments).expect("a string takes any text");
        };
        if let Some(rule) = verdict.rule {
            say(required, format_args!("{}", self.policy.rules[rule as usize].via));
        }
        let has_evidence = match verdict.sign {
            Sign::Nothing => false,
            Sign::RecordedAtFirewall => {
                say(evidence, format_args!("recorded at a firewall"));
                true
            }
            Sign::LegOfFirewall => {
                say(evidence, format_args!("to or from a firewall's address"));
                true
            }
            Sign::SentByFirewall => {
                say(evidence, format_args!("sent on by a firewall"));
                true
            }
            Sign::Log { source_number, is_weak } => {
                let path = &self.sources[source_number as usize].path;
                let weak = if is_weak { " (addresses alone)" } else { "" };
                say(evidence, format_args!("{path}{weak}"));
                true
            }
        };
        if let Some((file, record)) = verdict.dup_of {
            say(dup_of, format_args!("{}#{record}", self.files[file as usize]));
        }
        CoverageColumns {
            required: verdict.rule.is_some().then_some(required.as_str()),
            verdict: verdict.verdict.as_str(),
            reason: match verdict.reason {
                Reason::Word(word) => word_of(word),
                Reason::Exemption(place) => &self.policy.exemptions[place as usize].reason,
            },
            evidence: has_evidence.then_some(evidence.as_str()),
            dup_of: verdict.dup_of.map(|_| dup_of.as_str()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_written_of_a_row_is_read_back() {
        let row = RowId { block: 7, place: 300 };
        let plain = RowVerdict {
            verdict: Verdict::Covered,
            rule: None,
            reason: Reason::Word(7),
            sign: Sign::Nothing,
            dup_of: None,
        };
        for verdict in [
            plain,
            RowVerdict { rule: Some(0), sign: Sign::RecordedAtFirewall, ..plain },
            RowVerdict { reason: Reason::Exemption(3), dup_of: Some((2, u64::MAX)), ..plain },
            RowVerdict { sign: Sign::Log { source_number: 0, is_weak: false }, ..plain },
            RowVerdict { sign: Sign::Log { source_number: 9, is_weak: true }, ..plain },
            RowVerdict { sign: Sign::SentByFirewall, verdict: Verdict::Platform, ..plain },
        ] {
            let mut bytes = Vec::new();
            verdict.write(row, &mut bytes);
            let mut record = RecordBytes(&bytes);
            assert_eq!(RowVerdict::read(&mut record), (row, verdict));
            assert!(record.is_empty());
        }
    }
}
