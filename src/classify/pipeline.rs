//! The run: chunks of all inputs, decoded, labelled and added up on many threads.

use std::borrow::BorrowMut;
use std::convert::Infallible;
use std::io;
use std::net::IpAddr;
use std::ops::Range;

use rayon::prelude::*;

use super::log_contexts::LogContexts;
use super::log_flows::{self, FlowsByTime, LogFlows, MergedFlow, TupleBuffers, TupleKeys};
use super::packet_flows::{GatheredFlows, InputShare, PacketFlows, Seeds, SortedPackets};
use super::rounds::{Round, Rounds, Turn};
use super::rows::{SourcePlace, batch_row, merged_flow_row, packet_flow_row};
use super::run_batch::RunBatch;
use super::totals::{NamedTotals, RunTotals};
use super::waiting_tuples::{TupleMerger, WaitingTuples};
use super::{
    InputSummary, Label, LabelColumns, Observer, RecordKind, RowBuffer, RowSink, SeenTuples,
    Summary,
};
use crate::fib::Fib;
use crate::spill::{HeldMemory, PARTITION_COUNT, PartitionBuffers, SpillRoom, for_each_partition};
use crate::traffic::{
    Chunk, ChunkPart, DecodeOptions, Decoder, FlowBatch, InputName, RowContexts, SourceFormat,
    Tally, TrafficReader, Unknown,
};

/// How a run classifies.
#[derive(Clone, Debug)]
pub struct ClassifyOptions {
    /// What a row stands for. `None`: flows for captures, tuples for flow logs. `Packet` holds for
    /// captures alone, `Tuple` for flow logs alone.
    pub per: Option<RecordKind>,
    /// The bound on the memory of flows. Past it the flows of captures are given out early, marked
    /// partial, and tuples of logs wait in the [`SpillRoom`] that the run was given.
    pub memory_bytes_max: usize,
    /// How many chunks are worked on at once; at least 1. The result does not depend on it.
    pub threads: usize,
    /// How packets are decoded.
    pub decode: DecodeOptions,
}

/// Why a run over inputs ended early.
#[derive(Debug, thiserror::Error)]
pub enum InputsError<E> {
    /// An input cannot be opened.
    #[error(transparent)]
    Open(E),
    /// The sink cannot take a row.
    #[error(transparent)]
    Rows(io::Error),
}

/// A run over any number of inputs.
///
/// Reading, decoding and labelling overlap: while one round of chunks is worked on by the threads
/// of the current rayon pool, the next is read. Whatever the threads do, rows leave in the order of
/// the input (tuples, packets) or by first time, then key (flows), and sums do not depend on order.
///
/// Memory: two chunks and one batch a thread, and for four where there are two or three; of a capture
/// on several threads the packets of one chunk by table instead of a batch; and the flows, bounded by
/// [`ClassifyOptions::memory_bytes_max`].
pub struct Classifier<'f, S: RowSink> {
    fib: &'f Fib,
    options: ClassifyOptions,
    sink: S,
    workers: Vec<Worker<S::Buffer>>,
    /// One for each worker, each with its share of the flows.
    packet_flows: Vec<PacketFlows>,
    /// One for each worker, where there are several.
    sorted_packets: Vec<SortedPackets>,
    /// What `packet_flows` take.
    packet_memory: HeldMemory,
    log_flows: LogFlows,
    room: SpillRoom,
    /// What the current input's chunks are for.
    work: Work,
    /// Kept for their memory.
    rounds: Option<[Round; 2]>,
    inputs: Vec<InputSummary>,
    totals: RunTotals,
    has_partial_flows: bool,
}

impl<'f, S: RowSink> Classifier<'f, S> {
    /// Prepares the working memory of every thread.
    ///
    /// # Panics
    ///
    /// When [`ClassifyOptions::threads`] is 0.
    pub fn new(fib: &'f Fib, options: ClassifyOptions, sink: S) -> Self {
        assert!(options.threads > 0, "a run needs a thread");
        let worker_count = worker_count(options.threads);
        let workers = (0..worker_count)
            .map(|_| {
                Worker::new(
                    fib,
                    &options,
                    Self::tuple_bytes_max(options.memory_bytes_max),
                    sink.buffer(),
                )
            })
            .collect();
        let seeds = Seeds::random();
        let table_count = options.threads.min(SortedPackets::TABLES_MAX);
        let sorting_count = if table_count == 1 { 0 } else { worker_count };
        let of_sender = sink.sender_keys();
        Self {
            fib,
            sink,
            workers,
            packet_flows: (0..table_count).map(|_| PacketFlows::new(seeds)).collect(),
            sorted_packets: (0..sorting_count)
                .map(|_| SortedPackets::new(seeds, table_count))
                .collect(),
            packet_memory: HeldMemory::new(SpillRoom::default()),
            log_flows: LogFlows::new(
                Self::tuple_bytes_max(options.memory_bytes_max),
                SpillRoom::default(),
                of_sender,
            ),
            room: SpillRoom::default(),
            work: Work::LabelTuples,
            rounds: None,
            inputs: Vec::new(),
            totals: RunTotals::new(fib),
            has_partial_flows: false,
            options,
        }
    }

    /// Gives the run room for what its memory does not hold. Without it that goes to memory all
    /// the same. Where the room has a [bound](SpillRoom::with_memory) of its own it bounds the tuples
    /// of logs, and the flows of captures count against it.
    #[must_use]
    pub fn with_room(mut self, room: SpillRoom) -> Self {
        let bytes_max = room.memory_bytes_max().unwrap_or(self.options.memory_bytes_max);
        let of_sender = self.sink.sender_keys();
        self.log_flows = LogFlows::new(Self::tuple_bytes_max(bytes_max), room.clone(), of_sender);
        self.packet_memory = HeldMemory::new(room.clone());
        self.room = room;
        self
    }

    /// Classifies one input to its end. `progress` is told the bytes read of it so far.
    ///
    /// # Errors
    ///
    /// When the sink cannot take a row.
    pub fn classify_input(
        &mut self,
        name: &InputName,
        reader: &mut TrafficReader,
        progress: &(dyn Fn(u64) + Sync),
    ) -> io::Result<()> {
        let mut input = Some((name.clone(), reader));
        let outcome = self.classify_inputs(|| Ok::<_, Infallible>(input.take()), progress);
        outcome.map_err(|error| match error {
            InputsError::Open(never) => match never {},
            InputsError::Rows(error) => error,
        })
    }

    /// Classifies inputs to their ends, as `open_next` opens them, until it gives none: the next is
    /// opened and read while the last chunks of the one before are worked on. `progress` is told the
    /// bytes read of all of them so far.
    ///
    /// # Errors
    ///
    /// [`InputsError::Open`] with what `open_next` fails with, and [`InputsError::Rows`] when the
    /// sink cannot take a row.
    pub fn classify_inputs<R, E>(
        &mut self,
        open_next: impl FnMut() -> Result<Option<(InputName, R)>, E> + Send,
        progress: &(dyn Fn(u64) + Sync),
    ) -> Result<(), InputsError<E>>
    where
        R: BorrowMut<TrafficReader> + Send,
        E: Send,
    {
        let mut rounds = Rounds::new(open_next);
        let [mut current, mut next] = std::mem::take(&mut self.rounds)
            .unwrap_or_else(|| [(); 2].map(|()| Round::new(self.workers.len())));
        rounds.fill(&mut current).map_err(InputsError::Open)?;
        loop {
            self.take_turns(&mut current).map_err(InputsError::Rows)?;
            if current.is_last() {
                break;
            }
            let (filled, outcome) = rayon::join(
                || rounds.fill(&mut next),
                || match self.work {
                    Work::GatherPackets => self.gather_round(current.chunks()),
                    work => self.classify_round(current.chunks(), work),
                },
            );
            progress(current.bytes_read);
            outcome.map_err(InputsError::Rows)?;
            filled.map_err(InputsError::Open)?;
            std::mem::swap(&mut current, &mut next);
        }
        self.rounds = Some([current, next]);
        Ok(())
    }

    fn take_turns(&mut self, round: &mut Round) -> io::Result<()> {
        for turn in round.turns.drain(..) {
            match turn {
                Turn::Begun { name, capture_format, is_recognised } => {
                    self.work = self.work_on(capture_format);
                    if self.work == Work::GatherPackets {
                        self.log_flows.set_bytes_max(self.options.memory_bytes_max / 2)?;
                    }
                    self.inputs.push(InputSummary {
                        name,
                        format: capture_format,
                        is_recognised,
                        tally: Tally::default(),
                    });
                }
                Turn::Ended { bytes_read } => {
                    let input = self.inputs.last_mut().expect("an input was begun");
                    input.tally.bytes_read = bytes_read;
                }
            }
        }
        Ok(())
    }

    /// Gives out the flows that are still held, and the sums of the run.
    ///
    /// # Errors
    ///
    /// When the sink cannot take a row.
    ///
    /// # Panics
    ///
    /// When the books of an input do not balance: then nothing of the run may be published.
    pub fn finish(mut self) -> io::Result<(Summary, S)> {
        self.end_reading()?;
        self.give_out_log_flows()?;
        Ok(self.conclude())
    }

    /// As [`finish`](Self::finish), but the tuples of logs are not merged into flows: they are given
    /// out as they wait.
    ///
    /// # Errors
    ///
    /// As [`finish`](Self::finish).
    ///
    /// # Panics
    ///
    /// As [`finish`](Self::finish).
    pub fn finish_apart(mut self) -> io::Result<(Summary, S, WaitingTuples<'f>)> {
        self.end_reading()?;
        let nothing = LogFlows::new(0, SpillRoom::default(), None);
        let mut log_flows = std::mem::replace(&mut self.log_flows, nothing);
        let waiting = WaitingTuples {
            tuples: log_flows.take_tuples(),
            span_ns: log_flows.span_ns(),
            merger: TupleMerger {
                fib: self.fib,
                log_flows,
                inputs: self.inputs.iter().map(|input| input.name.clone()).collect(),
            },
        };
        let (summary, sink) = self.conclude();
        Ok((summary, sink, waiting))
    }

    fn conclude(self) -> (Summary, S) {
        let mut total = Tally::default();
        for input in &self.inputs {
            input.tally.assert_balanced();
            total.add_counts(&input.tally);
        }
        total.assert_balanced();
        let NamedTotals { by_class, by_next_hop } = self.totals.summed(self.fib);
        let summary = Summary {
            inputs: self.inputs,
            total,
            by_class,
            by_next_hop,
            has_partial_flows: self.has_partial_flows,
        };
        (summary, self.sink)
    }

    /// Gives out the flows of captures, takes all tuples, and leaves to what follows the memory that
    /// reading took.
    fn end_reading(&mut self) -> io::Result<()> {
        self.give_out_packet_flows(self.has_partial_flows)?;
        for worker in &mut self.workers {
            self.log_flows.absorb(&mut worker.tuples)?;
            worker.batch = FlowBatch::default();
            worker.runs = RunBatch::default();
        }
        self.workers.truncate(self.options.threads);
        self.sorted_packets.clear();
        self.rounds = None;
        Ok(())
    }

    /// The tuples of logs have all of the memory, less what their flows take to be put in order, or
    /// what the flows of a capture take.
    fn tuple_bytes_max(bytes_max: usize) -> usize {
        match S::WANTS_ROWS && S::WANTS_ORDER {
            true => bytes_max / 2,
            false => bytes_max,
        }
    }

    fn work_on(&self, capture_format: Option<SourceFormat>) -> Work {
        match (capture_format.is_some(), self.options.per) {
            (true, Some(RecordKind::Packet)) => Work::LabelPackets,
            (true, _) => Work::GatherPackets,
            (false, Some(RecordKind::Flow)) => Work::GatherTuples,
            (false, _) => Work::LabelTuples,
        }
    }

    fn classify_round(&mut self, chunks: &[Chunk], work: Work) -> io::Result<()> {
        let fib = self.fib;
        let input_index = self.inputs.len() - 1;
        let input = index_u32(input_index);
        let summary = &mut self.inputs[input_index];
        let workers = &mut self.workers;
        let worker_count = workers.len();
        workers.par_iter_mut().with_max_len(1).enumerate().for_each(|(index, worker)| {
            let (chunk, part) = share_of(index, worker_count, chunks.len());
            worker.decode(&chunks[chunk], part, work);
        });
        // A record's number in its input is known once all chunks before it are decoded.
        let mut records_before = summary.tally.records_read;
        for worker in &mut *workers {
            worker.records_before = records_before;
            records_before += worker.tally.records_read;
        }
        let name = summary.name.as_str();
        if work == Work::GatherTuples {
            for worker in &mut *workers {
                let numbers = &mut worker.tuples.of_batch;
                let shared = worker.runs.shared();
                self.log_flows
                    .contexts
                    .intern_all(shared, numbers, |context| Observer::of(fib, shared, context));
            }
        }
        let keys = self.log_flows.keys();
        let contexts = &self.log_flows.contexts;
        workers.par_iter_mut().with_max_len(1).for_each(|worker| match work {
            Work::LabelTuples => {
                worker.label(fib, RecordKind::Tuple, (input, name), Wanted::by::<S>())
            }
            Work::LabelPackets => {
                worker.label(fib, RecordKind::Packet, (input, name), Wanted::by::<S>())
            }
            Work::GatherPackets => unreachable!("packets are gathered as they are decoded"),
            Work::GatherTuples => worker.gather_tuples(fib, input, contexts, &keys),
        });
        for worker in workers {
            summary.format = summary.format.or_else(|| worker.first_format());
            self.log_flows.absorb_full(&mut worker.tuples)?;
            summary.tally.absorb_next(&worker.tally);
            self.sink.append(&mut worker.rows)?;
        }
        self.hold_memory_bound()
    }

    /// Counts packets in their flows straight from the frames: a packet that is only counted needs
    /// no row.
    fn gather_round(&mut self, chunks: &[Chunk]) -> io::Result<()> {
        let input_index = self.inputs.len() - 1;
        let input = index_u32(input_index);
        let summary = &mut self.inputs[input_index];
        let mut records_before = summary.tally.records_read;
        let workers = &mut self.workers[..chunks.len()];
        for (worker, chunk) in workers.iter_mut().zip(chunks) {
            worker.records_before = records_before;
            records_before += chunk.packet_record_count();
        }
        match (&mut workers[..], &mut self.packet_flows[..]) {
            ([worker], [flows]) => worker.gather(&chunks[0], input, flows),
            (workers, tables) => {
                let sorted = &mut self.sorted_packets[..chunks.len()];
                workers
                    .par_iter_mut()
                    .with_max_len(1)
                    .zip(&mut *sorted)
                    .zip(chunks)
                    .for_each(|((worker, sorted), chunk)| worker.sort(chunk, sorted));
                let sorted = &*sorted;
                tables
                    .par_iter_mut()
                    .enumerate()
                    .for_each(|(table, flows)| flows.take_sorted(input, table, sorted));
            }
        }
        for worker in workers {
            summary.tally.absorb_next(&worker.tally);
        }
        self.hold_memory_bound()
    }

    fn hold_memory_bound(&mut self) -> io::Result<()> {
        let has_packet_flows = self.packet_flows.iter().any(|flows| flows.len() > 0);
        let packet_flows = self.count_packet_memory();
        let memory_bytes = packet_flows + self.log_flows.memory_bytes();
        if has_packet_flows && memory_bytes > self.options.memory_bytes_max {
            self.has_partial_flows = true;
            self.give_out_packet_flows(true)?;
        }
        Ok(())
    }

    fn count_packet_memory(&mut self) -> usize {
        let bytes = self.packet_flows.iter().map(PacketFlows::memory_bytes).sum();
        self.packet_memory.set(bytes);
        bytes
    }

    fn give_out_packet_flows(&mut self, is_partial: bool) -> io::Result<()> {
        /// How many flows a worker gives out before their rows leave.
        const PORTION: usize = 8192;
        let tables: Vec<&PacketFlows> = self.packet_flows.iter().collect();
        let flows = GatheredFlows::new(&tables, S::WANTS_ROWS);
        let wanted = Wanted::by::<S>();
        let threads = self.options.threads;
        for start in (0..flows.len()).step_by(PORTION * threads) {
            let (fib, inputs, flows) = (self.fib, &self.inputs, &flows);
            let workers = &mut self.workers[..threads];
            workers.par_iter_mut().enumerate().for_each(|(index, worker)| {
                let start = (start + index * PORTION).min(flows.len());
                let end = (start + PORTION).min(flows.len());
                let numbers = start..end;
                worker.give_out(fib, inputs, flows, numbers, wanted, is_partial);
            });
            for worker in &mut self.workers {
                for labelled in worker.labelled.drain(..) {
                    labelled.count(&mut self.inputs[labelled.share.input as usize].tally);
                }
                self.sink.append(&mut worker.rows)?;
            }
        }
        self.packet_flows.iter_mut().for_each(PacketFlows::clear);
        self.count_packet_memory();
        for worker in &mut self.workers {
            self.totals.absorb(&mut worker.totals);
        }
        Ok(())
    }

    /// Merges the tuples, each thread those of a partition, and gives the flows out: as they come,
    /// or in the order of their times.
    fn give_out_log_flows(&mut self) -> io::Result<()> {
        match S::WANTS_ROWS && S::WANTS_ORDER {
            true => {
                let by_time = self.by_time()?;
                self.give_out_in_order(by_time)
            }
            false => self.give_out_as_they_come(),
        }
    }

    fn give_out_as_they_come(&mut self) -> io::Result<()> {
        let mut tuples = self.log_flows.take_tuples();
        let Self { fib, log_flows, inputs, workers, sink, .. } = self;
        let fib = *fib;
        for_each_partition(
            workers,
            |partition| tuples.take(partition),
            |worker, bytes| {
                log_flows.merge_partition(bytes, |flow| {
                    let columns = match S::WANTS_ROUTES {
                        true => {
                            let label = label_of_merged(fib, flow);
                            worker.totals.add(&label, &flow.counters);
                            S::WANTS_ROWS.then(|| label_columns(fib, &label, flow))
                        }
                        false => Some(class_column_of_merged(fib, flow)),
                    };
                    if let Some(columns) = columns {
                        worker.push_flow(inputs, flow, columns);
                    }
                });
            },
            |worker| sink.append(&mut worker.rows),
        )?;
        for worker in workers {
            self.totals.absorb(&mut worker.totals);
        }
        Ok(())
    }

    /// Lets merged flows wait by their times.
    fn by_time(&mut self) -> io::Result<FlowsByTime> {
        let mut tuples = self.log_flows.take_tuples();
        let Self { fib, options, log_flows, workers, .. } = self;
        let mut by_time = log_flows.by_time(options.memory_bytes_max / 2, self.room.clone());
        let span = by_time.span();
        let mut workers: Vec<(&mut Worker<S::Buffer>, PartitionBuffers)> =
            workers.iter_mut().map(|worker| (worker, PartitionBuffers::new())).collect();
        for_each_partition(
            &mut workers,
            |partition| tuples.take(partition),
            |(worker, timed), bytes| {
                log_flows.merge_partition(bytes, |flow| {
                    let label = label_of_merged(fib, flow);
                    worker.totals.add(&label, &flow.counters);
                    span.push(flow, timed);
                });
            },
            |(_, timed)| by_time.absorb(timed),
        )?;
        for (worker, _) in workers {
            self.totals.absorb(&mut worker.totals);
        }
        Ok(by_time)
    }

    fn give_out_in_order(&mut self, mut by_time: FlowsByTime) -> io::Result<()> {
        let wanted = Wanted::by::<S>();
        let partitions: Vec<usize> = (0..PARTITION_COUNT).collect();
        for round in partitions.chunks(self.workers.len()) {
            let bytes = take_each(round, |partition| by_time.take(partition))?;
            let (fib, contexts, inputs) = (self.fib, &self.log_flows.contexts, &self.inputs);
            self.workers.par_iter_mut().zip(&bytes).for_each(|(worker, bytes)| {
                for flow in &log_flows::sorted_partition(bytes, contexts) {
                    let label = label_of_merged(fib, flow);
                    let columns =
                        wanted.columns(fib, &label, flow.key.source, flow.key.destination);
                    worker.push_flow(inputs, flow, columns);
                }
            });
            for worker in &mut self.workers[..bytes.len()] {
                self.sink.append(&mut worker.rows)?;
            }
        }
        Ok(())
    }
}

/// What happens to the rows of an input.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Work {
    LabelTuples,
    LabelPackets,
    GatherPackets,
    GatherTuples,
}

/// What a sink looks at.
#[derive(Clone, Copy)]
struct Wanted {
    rows: bool,
    routes: bool,
}

impl Wanted {
    fn by<S: RowSink>() -> Self {
        Self { rows: S::WANTS_ROWS, routes: S::WANTS_ROUTES }
    }

    fn columns<'f>(
        self,
        fib: &'f Fib,
        label: &Label,
        source: IpAddr,
        destination: IpAddr,
    ) -> LabelColumns<'f> {
        match self.routes {
            true => label.columns(fib, source, destination),
            false => label.class_column(),
        }
    }
}

/// The working memory of one thread.
struct Worker<B> {
    decoder: Decoder,
    /// What a chunk holds, as rows or as runs of tuples.
    batch: FlowBatch,
    runs: RunBatch,
    tally: Tally,
    observers: Vec<Observer>,
    records_before: u64,
    tuples: TupleBuffers,
    labelled: Vec<Labelled>,
    totals: RunTotals,
    rows: B,
}

impl<B: RowBuffer> Worker<B> {
    fn new(fib: &Fib, options: &ClassifyOptions, tuple_bytes_max: usize, rows: B) -> Self {
        Self {
            decoder: Decoder::new(&options.decode),
            batch: FlowBatch::default(),
            runs: RunBatch::default(),
            tally: Tally::default(),
            observers: Vec::new(),
            records_before: 0,
            tuples: TupleBuffers::new(worker_count(options.threads), tuple_bytes_max),
            labelled: Vec::new(),
            totals: RunTotals::new(fib),
            rows,
        }
    }

    fn decode(&mut self, chunk: &Chunk, part: ChunkPart, work: Work) {
        let Self { decoder, batch, runs, tally, .. } = self;
        batch.clear();
        runs.clear();
        tally.clear();
        match work {
            Work::GatherTuples => decoder.visit_tuples(chunk, part, runs, tally),
            _ => decoder.decode_part(chunk, part, batch, tally),
        }
    }

    fn gather(&mut self, chunk: &Chunk, input: u32, flows: &mut PacketFlows) {
        let Self { decoder, tally, records_before, .. } = self;
        tally.clear();
        flows.take_chunk(input, *records_before, |flows| {
            decoder.visit_packets(chunk, flows, tally);
        });
    }

    fn sort(&mut self, chunk: &Chunk, sorted: &mut SortedPackets) {
        let Self { decoder, tally, records_before, .. } = self;
        tally.clear();
        sorted.sort_chunk(*records_before, |sorted| decoder.visit_packets(chunk, sorted, tally));
    }

    fn give_out(
        &mut self,
        fib: &Fib,
        inputs: &[InputSummary],
        flows: &GatheredFlows<'_>,
        numbers: Range<usize>,
        wanted: Wanted,
        is_partial: bool,
    ) {
        let mut shares = Vec::new();
        for number in numbers {
            let flow = flows.flow(number, &mut shares);
            let label = Label::of_packets(fib, flow.source, flow.destination);
            self.totals.add(&label, &flow.counters);
            for &share in &shares {
                self.count_labelled(share, &label);
            }
            if wanted.rows {
                let input = &inputs[flow.input as usize];
                let columns = wanted.columns(fib, &label, flow.source, flow.destination);
                self.rows.push(&packet_flow_row(&flow, columns, input, is_partial));
            }
        }
    }

    fn count_labelled(&mut self, share: InputShare, label: &Label) {
        match self.labelled.last_mut() {
            Some(last) if last.share.input == share.input && last.unknown == label.unknown => {
                last.share.packets += share.packets;
            }
            _ => self.labelled.push(Labelled { share, unknown: label.unknown }),
        }
    }

    fn label(&mut self, fib: &Fib, kind: RecordKind, (input, name): (u32, &str), wanted: Wanted) {
        find_observers(fib, self.batch.shared(), &mut self.observers);
        for row in 0..self.batch.len() {
            let label = self.label_of(fib, kind, row);
            count_labelled(&mut self.tally, label.unknown, 1);
            self.totals.add(&label, &self.batch.counters(row));
            if wanted.rows {
                let record = self.records_before + u64::from(self.batch.record[row]) + 1;
                let (source, destination) = (self.batch.source[row], self.batch.destination[row]);
                let columns = wanted.columns(fib, &label, source, destination);
                let place = SourcePlace { file: name, input, record };
                self.rows.push(&batch_row(&self.batch, row, kind, columns, &place));
            }
        }
    }

    /// The books count tuples as they come, runs of the same label at once; their flows are
    /// labelled once merged.
    fn gather_tuples(&mut self, fib: &Fib, input: u32, contexts: &LogContexts, keys: &TupleKeys) {
        let Self { tuples, runs, tally, records_before, rows, .. } = self;
        let mut local_end = None;
        tuples.add(runs, input, *records_before, keys, |run, context| {
            let observer = contexts.get(context).observer;
            let ends = (run.source, run.destination);
            let local_end = &mut local_end;
            let unknown = Label::unknown_of_tuple(fib, observer, run.direction, ends, local_end);
            count_labelled(tally, unknown, run.tuple_count.into());
            rows.foresee(&SeenTuples {
                source: run.source,
                destination: run.destination,
                ports: run.ports,
                protocol: run.protocol,
            });
        });
    }

    fn push_flow(
        &mut self,
        inputs: &[InputSummary],
        flow: &MergedFlow<'_>,
        label: LabelColumns<'_>,
    ) {
        let name = inputs[flow.first.0 as usize].name.as_str();
        self.rows.push(&merged_flow_row(flow, label, name));
    }

    fn label_of(&self, fib: &Fib, kind: RecordKind, row: usize) -> Label {
        let batch = &self.batch;
        let (source, destination) = (batch.source[row], batch.destination[row]);
        if kind == RecordKind::Packet {
            return Label::of_packets(fib, source, destination);
        }
        let observer = self.observers[batch.context[row].index()];
        Label::of_tuple(fib, observer, batch.direction[row], source, destination)
    }

    fn first_format(&self) -> Option<SourceFormat> {
        let mut contexts = self.batch.contexts().iter().chain(self.runs.shared().contexts());
        contexts.next().map(|context| context.format)
    }
}

/// Packets of an input that came to the same.
struct Labelled {
    share: InputShare,
    unknown: Option<Unknown>,
}

impl Labelled {
    fn count(&self, tally: &mut Tally) {
        count_labelled(tally, self.unknown, self.share.packets);
    }
}

/// How many chunks a round has, and how many take part in it: with few threads more than these, so
/// that who is done with its own helps with another's. At the end of a round all wait for the last.
fn worker_count(threads: usize) -> usize {
    const SEVERAL: usize = 4;
    if threads == 1 { 1 } else { threads.max(SEVERAL) }
}

/// Takes several partitions, one after the other.
fn take_each(
    partitions: &[usize],
    mut take: impl FnMut(usize) -> io::Result<Vec<u8>>,
) -> io::Result<Vec<Vec<u8>>> {
    partitions.iter().map(|&partition| take(partition)).collect()
}

/// Returns the chunk that a worker decodes, or the part of it where there are fewer chunks than
/// workers: a blob of an hour is often smaller than a chunk.
fn share_of(worker: usize, worker_count: usize, chunk_count: usize) -> (usize, ChunkPart) {
    let chunk = worker * chunk_count / worker_count;
    let first_worker_of = |chunk: usize| (chunk * worker_count).div_ceil(chunk_count);
    let first = first_worker_of(chunk);
    let part = ChunkPart { index: worker - first, count: first_worker_of(chunk + 1) - first };
    (chunk, part)
}

fn find_observers(fib: &Fib, shared: &RowContexts, observers: &mut Vec<Observer>) {
    observers.clear();
    observers.extend(shared.contexts().iter().map(|context| Observer::of(fib, shared, context)));
}

fn count_labelled(tally: &mut Tally, unknown: Option<Unknown>, records: u64) {
    match unknown {
        Some(reason) => tally.count_unknown(reason, records),
        None => tally.classified += records,
    }
}

fn label_of_merged(fib: &Fib, flow: &MergedFlow<'_>) -> Label {
    let key = flow.key;
    let observer = flow.context.observer;
    Label::of_tuple(fib, observer, key.direction, key.source, key.destination)
}

fn label_columns<'f>(fib: &'f Fib, label: &Label, flow: &MergedFlow<'_>) -> LabelColumns<'f> {
    label.columns(fib, flow.key.source, flow.key.destination)
}

fn class_column_of_merged<'f>(fib: &Fib, flow: &MergedFlow<'_>) -> LabelColumns<'f> {
    let observer = flow.context.observer;
    Label::without_route(fib, observer, flow.key.source, flow.key.destination).class_column()
}

fn index_u32(index: usize) -> u32 {
    u32::try_from(index).expect("fewer than 2^32 inputs")
}
