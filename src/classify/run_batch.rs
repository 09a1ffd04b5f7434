//! The tuples of a chunk as runs: neighbours of one flow, which are told apart by little.

use std::net::IpAddr;

use super::tuple_runs::{MS, Told};
use crate::traffic::{ContextId, FlowDirection, Row, RowContexts, TextId, TupleSink};

/// The runs of a chunk, and what they share.
///
/// Reused: clearing it keeps its memory.
#[derive(Default)]
pub(super) struct RunBatch {
    shared: RowContexts,
    runs: Vec<BatchRun>,
    /// The tuples of all runs, as [`Told::write`] writes them.
    events: Vec<u8>,
    /// Runs before this one are not continued: what comes behind may be taken back.
    place: usize,
}

/// Neighbours of one flow whose records follow each other, and whose times are whole milliseconds
/// behind the first.
#[derive(Clone, Copy)]
pub(super) struct BatchRun {
    pub(super) source: IpAddr,
    pub(super) destination: IpAddr,
    pub(super) ports: Option<(u16, u16)>,
    pub(super) protocol: u8,
    pub(super) direction: Option<FlowDirection>,
    pub(super) tuple_count: u8,
    pub(super) encryption: Option<TextId>,
    pub(super) context: ContextId,
    /// The first record's number in the chunk, from 0.
    pub(super) record: u32,
    /// That of the first tuple; none is earlier.
    pub(super) time_ns: i64,
    /// The latest.
    pub(super) until_ns: i64,
    events_start: usize,
}

impl RunBatch {
    pub(super) fn clear(&mut self) {
        self.shared.clear();
        self.runs.clear();
        self.events.clear();
        self.place = 0;
    }

    pub(super) fn shared(&self) -> &RowContexts {
        &self.shared
    }

    /// Returns the runs, each with its tuples as [`Told::write`] writes them.
    pub(super) fn runs(&self) -> impl Iterator<Item = (&BatchRun, &[u8])> {
        let ends = self.runs.iter().skip(1).map(|run| run.events_start);
        let ends = ends.chain([self.events.len()]);
        self.runs.iter().zip(ends).map(|(run, end)| (run, &self.events[run.events_start..end]))
    }
}

impl TupleSink for RunBatch {
    type Place = usize;

    fn shared(&mut self) -> &mut RowContexts {
        &mut self.shared
    }

    #[inline(always)]
    fn push(&mut self, tuple: &Row) {
        let told = Told::of(tuple.state, tuple.status, &tuple.counters);
        let open = self.runs[self.place..].last_mut().filter(|run| run.continues_with(tuple));
        match open {
            Some(run) => {
                run.tuple_count += 1;
                run.until_ns = run.until_ns.max(tuple.time_ns);
                told.write(tuple.time_ns.wrapping_sub(run.time_ns), &mut self.events);
            }
            None => {
                self.runs.push(BatchRun::of(tuple, self.events.len()));
                told.write(0, &mut self.events);
            }
        }
    }

    fn place(&mut self) -> usize {
        self.place = self.runs.len();
        self.place
    }

    fn go_back(&mut self, place: usize) {
        if let Some(run) = self.runs.get(place) {
            self.events.truncate(run.events_start);
        }
        self.runs.truncate(place);
    }
}

impl BatchRun {
    fn of(tuple: &Row, events_start: usize) -> Self {
        Self {
            source: tuple.source,
            destination: tuple.destination,
            ports: tuple.ports,
            protocol: tuple.protocol,
            direction: tuple.direction,
            tuple_count: 1,
            encryption: tuple.encryption,
            context: tuple.context,
            record: tuple.record,
            time_ns: tuple.time_ns,
            until_ns: tuple.time_ns,
            events_start,
        }
    }

    #[inline]
    fn continues_with(&self, tuple: &Row) -> bool {
        let since_ns = tuple.time_ns.wrapping_sub(self.time_ns);
        tuple.ports == self.ports
            && tuple.source == self.source
            && tuple.destination == self.destination
            && tuple.protocol == self.protocol
            && tuple.direction == self.direction
            && tuple.encryption == self.encryption
            && tuple.context == self.context
            && self.record.checked_add(self.tuple_count.into()) == Some(tuple.record)
            && self.tuple_count < u8::MAX
            && since_ns % MS == 0
            && u32::try_from(since_ns / MS).is_ok()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::traffic::{Context, Counters, FlowState, FlowStatus, SourceFormat};

    fn batch_of(change: &[fn(&mut Row)]) -> RunBatch {
        let mut batch = RunBatch::default();
        let context = batch.shared.push_context(Context {
            format: SourceFormat::VnetV4,
            mac: Some("000D3A000001".parse().unwrap()),
            acl_group: None,
            acl_rule: None,
            target_resource_id: None,
            flow_log_resource_id: None,
        });
        let encryption = Some(batch.shared.push_text("NX"));
        for (record, change) in (0..).zip(change) {
            let mut row = Row {
                record,
                time_ns: 1_000_000_000,
                source: "10.0.0.4".parse().unwrap(),
                destination: "10.1.0.4".parse().unwrap(),
                ports: Some((5000, 443)),
                protocol: 6,
                opens_connection: false,
                counters: Counters::default(),
                direction: Some(FlowDirection::Inbound),
                state: Some(FlowState::Begin),
                status: Some(FlowStatus::Allowed),
                encryption,
                context,
            };
            change(&mut row);
            batch.push(&row);
        }
        batch
    }

    #[test]
    fn a_run_ends_where_a_tuple_is_of_another_flow_or_its_time_or_record_cannot_be_told() {
        let same: fn(&mut Row) = |_| ();
        let ends: [fn(&mut Row); 12] = [
            |row| row.source = "10.0.0.5".parse().unwrap(),
            |row| row.destination = "fd00::1".parse().unwrap(),
            |row| row.ports = Some((5001, 443)),
            |row| row.ports = Some((5000, 80)),
            |row| row.ports = None,
            |row| row.protocol = 17,
            |row| row.direction = Some(FlowDirection::Outbound),
            |row| row.encryption = None,
            |row| row.record += 1,
            |row| row.time_ns += 1,
            |row| row.time_ns -= 1_000_000,
            |row| row.time_ns += 1_000_000 << 32,
        ];
        for (number, end) in ends.into_iter().enumerate() {
            let batch = batch_of(&[same, |row| row.time_ns += 5_000_000, end, same]);
            assert_eq!(lengths(&batch)[0], 2, "change {number}");
        }
        assert_eq!(lengths(&batch_of(&[same; 300])), [255, 45]);
        assert_eq!(lengths(&batch_of(&[same])), [1]);
    }

    /// How many tuples each run has.
    fn lengths(batch: &RunBatch) -> Vec<u8> {
        batch.runs().map(|(run, _)| run.tuple_count).collect()
    }

    #[test]
    fn what_is_taken_back_leaves_the_runs_before_as_they_were() {
        let seen = |batch: &RunBatch| -> Vec<(u32, u8, Vec<u8>)> {
            let run =
                |(run, events): (&BatchRun, &[u8])| (run.record, run.tuple_count, events.to_vec());
            batch.runs().map(run).collect()
        };
        let mut batch = batch_of(&[|_| (), |_| ()]);
        let before = seen(&batch);
        let mut next = Row { record: 2, ..first_row(&batch) };
        for _ in 0..2 {
            let place = batch.place();
            batch.push(&next);
            next.ports = None;
            batch.push(&next);
            assert_eq!(lengths(&batch), [2, 1, 1], "no run goes on behind a place");
            batch.go_back(place);
            assert_eq!(seen(&batch), before);
        }
    }

    /// The first row of a batch, without a state.
    fn first_row(batch: &RunBatch) -> Row {
        let run = batch.runs[0];
        Row {
            record: run.record,
            time_ns: run.time_ns,
            source: run.source,
            destination: run.destination,
            ports: run.ports,
            protocol: run.protocol,
            opens_connection: false,
            counters: Counters::default(),
            direction: run.direction,
            state: None,
            status: None,
            encryption: run.encryption,
            context: run.context,
        }
    }
}
