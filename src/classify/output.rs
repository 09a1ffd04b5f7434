//! What a run gives to its writers: labelled rows, one at a time.

use std::net::IpAddr;

use ahash::RandomState;

use crate::azure::NextHopIps;
use crate::net::{AddressPrefix, MacAddress};
use crate::routing::{NextHopClass, RouteTableBasis};
use crate::traffic::{Counters, FlowDirection, FlowState, FlowStatus, SourceFormat};

/// One labelled row: the columns of the output schema, in their order.
///
/// `None` is null. Texts are borrowed from the batch and the tables; nothing is formatted yet.
#[derive(Clone, Debug)]
pub struct OutputRow<'a> {
    /// `RecordKind`.
    pub kind: RecordKind,
    /// `FlowTime` and `FlowStartTime`, nanoseconds since 1970: a tuple's own time, a flow's first.
    pub start_time_ns: i64,
    /// `FlowEndTime`: a flow's last time; equal to the start for a tuple.
    pub end_time_ns: i64,
    /// `SrcIp`.
    pub source: IpAddr,
    /// `DestIp`.
    pub destination: IpAddr,
    /// `SrcPort` and `DestPort`.
    pub ports: Option<(u16, u16)>,
    /// `ProtocolNumber`, and by it `L4Protocol`.
    pub protocol: u8,
    /// `FlowDirection`.
    pub direction: Option<FlowDirection>,
    /// `FlowState`.
    pub state: Option<FlowState>,
    /// `FlowStatus`.
    pub status: Option<FlowStatus>,
    /// `FlowEncryption`.
    pub encryption: Option<&'a str>,
    /// `PacketsSrcToDest` and its three fellows.
    pub counters: Counters,
    /// `CounterBasis`.
    pub counter_basis: Option<CounterBasis>,
    /// `MacAddress`.
    pub mac: Option<MacAddress>,
    /// `AclGroup`.
    pub acl_group: Option<&'a str>,
    /// `AclRule`.
    pub acl_rule: Option<&'a str>,
    /// `TargetResourceId`.
    pub target_resource_id: Option<&'a str>,
    /// `FlowLogResourceId`.
    pub flow_log_resource_id: Option<&'a str>,
    /// `SourceFormat`.
    pub source_format: SourceFormat,
    /// `SourceFile`.
    pub source_file: &'a str,
    /// `SourceRecord`, 1-based.
    pub source_record: u64,
    /// The input's number in the run: rows with the same have the same `source_file`.
    pub input: u32,
    /// For a flow of a log a number of its observer: rows with the same have the same `mac` and
    /// `target_resource_id`.
    pub observer: Option<u32>,
    /// `Partial`.
    pub is_partial: bool,
    /// How many records the row stands for: 1 for a tuple or packet.
    pub record_count: u64,
    /// The beginning of the flow was recorded: a Begin, a Deny, or a SYN without ACK.
    pub shows_begin: bool,
    /// The columns that the label fills.
    pub label: LabelColumns<'a>,
    /// The columns that a verification fills.
    pub coverage: Option<CoverageColumns<'a>>,
    /// The columns that a replay fills.
    pub replay: Option<ReplayColumns<'a>>,
}

/// The columns that a replay fills, from `AfterDestIp` to `ChangeReason`.
#[derive(Clone, Debug)]
pub struct ReplayColumns<'a> {
    /// `AfterDestIp`: the destination, or where it moves to.
    pub destination: IpAddr,
    /// The columns of the label, each after `After`.
    pub label: LabelColumns<'a>,
    /// `ChangeReason`.
    pub reason: &'a str,
}

/// The columns that a verification fills, from `Required` to `DupOf`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct CoverageColumns<'a> {
    /// `Required`.
    pub required: Option<&'a str>,
    /// `Coverage`: the verdict.
    pub verdict: &'static str,
    /// `CoverageReason`.
    pub reason: &'a str,
    /// `Evidence`.
    pub evidence: Option<&'a str>,
    /// `DupOf`.
    pub dup_of: Option<&'a str>,
}

/// The columns that a label fills, from `RouteTableId` to `PeerNextHopClass`.
#[derive(Clone, Debug)]
pub struct LabelColumns<'a> {
    /// `RouteTableId`.
    pub route_table_id: Option<&'a str>,
    /// `RouteTableBasis`; `None` prints as `none`.
    pub route_table_basis: Option<RouteTableBasis>,
    /// `LookupIp`.
    pub lookup: Option<LookupSide>,
    /// `MatchedPrefix`.
    pub matched_prefix: Option<AddressPrefix>,
    /// `RouteSource`, Azure's word.
    pub route_source: Option<&'a str>,
    /// `NextHopType`, Azure's word.
    pub next_hop_type: Option<&'a str>,
    /// `NextHopIp`: the set, sorted; `None` and the empty set print as null.
    pub next_hop_ips: Option<&'a NextHopIps>,
    /// `NextHopName`.
    pub next_hop_name: Option<&'a str>,
    /// `NextHopClass`.
    pub next_hop_class: NextHopClass,
    /// `PeerNextHopClass`.
    pub peer_next_hop_class: Option<NextHopClass>,
}

impl LabelColumns<'_> {
    /// Returns a label of which nothing but the class is known.
    pub fn of_class(next_hop_class: NextHopClass) -> Self {
        Self {
            route_table_id: None,
            route_table_basis: None,
            lookup: None,
            matched_prefix: None,
            route_source: None,
            next_hop_type: None,
            next_hop_ips: None,
            next_hop_name: None,
            next_hop_class,
            peer_next_hop_class: None,
        }
    }
}

/// What a row stands for: `RecordKind` in the output.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum RecordKind {
    /// One tuple of a flow log.
    Tuple,
    /// All packets or tuples of one flow.
    Flow,
    /// One packet of a capture.
    Packet,
}

/// How the counters of a merged flow were summed: `CounterBasis` in the output.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum CounterBasis {
    /// Each record counts what came since the one before.
    Delta,
    /// A restart was seen, whose later records repeat what was counted before it.
    RestartCumulative,
}

/// Which address of a row was looked up: `LookupIp` in the output.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum LookupSide {
    /// The source: the label is that of the way back.
    Source,
    /// The destination.
    Destination,
}

/// Takes rows, in an order that does not depend on the number of threads.
///
/// The flows of captures come before those of logs.
///
/// Formatting runs on many threads: each fills a [`RowBuffer`] of its own, and the buffers are
/// handed over in the order of the input.
pub trait RowSink: Send {
    /// False where rows are not even looked at; they are then never built.
    const WANTS_ROWS: bool = true;

    /// False where the flows of logs may come in any order, which spares sorting them. The flows of
    /// one 5-tuple come together all the same.
    const WANTS_ORDER: bool = true;

    /// False where of a label it is enough whether the flow is the platform's: then no flow of a log
    /// is looked up or counted in the sums by class and by next hop, its class is `platform` or
    /// `unknown`, and the other columns of [`LabelColumns`] are null.
    const WANTS_ROUTES: bool = true;

    /// What one thread fills.
    type Buffer: RowBuffer + Send;

    /// Returns an empty buffer.
    fn buffer(&self) -> Self::Buffer;

    /// Returns the keys of the hash by which the tuples of one sender wait in one partition, for who
    /// [finishes apart](super::Classifier::finish_apart); without them those of a 5-tuple do.
    fn sender_keys(&self) -> Option<SenderKeys> {
        None
    }

    /// Takes the rows of a buffer and leaves it empty, with its memory.
    ///
    /// Without [`WANTS_ORDER`](Self::WANTS_ORDER) the flows of logs come under a lock that the other
    /// threads of the current rayon pool wait for: then it must not use the pool.
    ///
    /// # Errors
    ///
    /// When the rows cannot be written.
    fn append(&mut self, buffer: &mut Self::Buffer) -> std::io::Result<()>;
}

/// Rows of one thread on their way into a [`RowSink`].
pub trait RowBuffer {
    /// Adds a row.
    fn push(&mut self, row: &OutputRow<'_>);

    /// Is told of tuples as they are gathered, long before the row of their flow comes.
    fn foresee(&mut self, _: &SeenTuples) {}
}

/// The keys of a hash by which what has one sender meets in one partition.
#[derive(Clone, Debug)]
pub struct SenderKeys(RandomState);

impl SenderKeys {
    pub(crate) fn new(hasher: RandomState) -> Self {
        Self(hasher)
    }

    pub(crate) fn hash(&self, sender: IpAddr) -> u64 {
        self.0.hash_one(sender)
    }
}

/// Tuples of one flow that were just read.
#[derive(Clone, Copy, Debug)]
pub struct SeenTuples {
    /// Initiator.
    pub source: IpAddr,
    /// Responder.
    pub destination: IpAddr,
    /// Source and destination port.
    pub ports: Option<(u16, u16)>,
    /// IANA protocol number.
    pub protocol: u8,
}

/// A sink for runs that want the summary alone; rows are then never built.
#[derive(Clone, Copy, Debug, Default)]
pub struct NoRows;

impl RowSink for NoRows {
    const WANTS_ROWS: bool = false;
    type Buffer = Self;

    fn buffer(&self) -> Self {
        Self
    }

    fn append(&mut self, _: &mut Self) -> std::io::Result<()> {
        Ok(())
    }
}

impl RowBuffer for NoRows {
    fn push(&mut self, _: &OutputRow<'_>) {}
}

impl RecordKind {
    /// Returns the word that stands in every output.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Tuple => "tuple",
            Self::Flow => "flow",
            Self::Packet => "packet",
        }
    }
}

impl CounterBasis {
    /// Returns the word that stands in every output.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Delta => "delta",
            Self::RestartCumulative => "restart_cumulative",
        }
    }
}

impl LookupSide {
    /// Returns the word that stands in every output.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Source => "src",
            Self::Destination => "dest",
        }
    }
}
