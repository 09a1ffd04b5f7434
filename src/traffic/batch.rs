//! The one shape of all recorded traffic: columns of rows.

use std::net::IpAddr;

use super::{Context, ContextId, RowContexts, TextId, TupleSink};

/// Rows of recorded traffic as columns, all of the same length: packets of a capture, or tuples of
/// a flow log.
///
/// A batch is reused: [`clear`](Self::clear) keeps the memory, so that a warm batch allocates
/// nothing. What many rows share (the log record, the rule) is stored once as a [`Context`].
#[derive(Debug, Default)]
pub struct FlowBatch {
    /// The record's number within the chunk that the batch was decoded from, 0-based; damaged and
    /// inapplicable records have numbers too, and no row.
    pub record: Vec<u32>,
    /// Nanoseconds since 1970-01-01 UTC.
    pub time_ns: Vec<i64>,
    /// Sender of the packet; initiator of the tuple.
    pub source: Vec<IpAddr>,
    /// Receiver of the packet; responder of the tuple.
    pub destination: Vec<IpAddr>,
    /// Means nothing where [`RowFlags::PORTS`] is not set.
    pub source_port: Vec<u16>,
    /// Means nothing where [`RowFlags::PORTS`] is not set.
    pub destination_port: Vec<u16>,
    /// IANA protocol number; for IPv6 that of the last header reached.
    pub protocol: Vec<u8>,
    /// Which other columns hold a value, and marks.
    pub flags: Vec<RowFlags>,
    /// Packets from source to destination; 1 for a packet.
    pub packets_sent: Vec<u64>,
    /// Bytes from source to destination; for a packet 14 + the length of its IP packet, whatever
    /// the capture kept of it, which is what Azure's logs hold for sent packets.
    pub bytes_sent: Vec<u64>,
    /// Packets from destination to source; 0 for a packet.
    pub packets_received: Vec<u64>,
    /// Bytes from destination to source; 0 for a packet.
    pub bytes_received: Vec<u64>,
    /// As the log says; `None` for packets.
    pub direction: Vec<Option<FlowDirection>>,
    /// As the log says; `None` for packets.
    pub state: Vec<Option<FlowState>>,
    /// As the log says; `None` for packets.
    pub status: Vec<Option<FlowStatus>>,
    /// The log's encryption word, by [`text`](Self::text).
    pub encryption: Vec<Option<TextId>>,
    /// What the row shares with its neighbours, by [`context`](Self::context).
    pub context: Vec<ContextId>,
    shared: RowContexts,
}

/// One row on its way into a [`FlowBatch`].
#[derive(Clone, Copy, Debug)]
pub struct Row {
    /// See [`FlowBatch::record`].
    pub record: u32,
    /// See [`FlowBatch::time_ns`].
    pub time_ns: i64,
    /// See [`FlowBatch::source`].
    pub source: IpAddr,
    /// See [`FlowBatch::destination`].
    pub destination: IpAddr,
    /// Source and destination port.
    pub ports: Option<(u16, u16)>,
    /// See [`FlowBatch::protocol`].
    pub protocol: u8,
    /// A TCP segment with SYN and without ACK.
    pub opens_connection: bool,
    /// What was counted.
    pub counters: Counters,
    /// See [`FlowBatch::direction`].
    pub direction: Option<FlowDirection>,
    /// See [`FlowBatch::state`].
    pub state: Option<FlowState>,
    /// See [`FlowBatch::status`].
    pub status: Option<FlowStatus>,
    /// See [`FlowBatch::encryption`].
    pub encryption: Option<TextId>,
    /// See [`FlowBatch::context`].
    pub context: ContextId,
}

/// Counters of a row; `None` where the record has none, which is not 0.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counters {
    /// Packets from source to destination.
    pub packets_sent: Option<u64>,
    /// Bytes from source to destination.
    pub bytes_sent: Option<u64>,
    /// Packets from destination to source.
    pub packets_received: Option<u64>,
    /// Bytes from destination to source.
    pub bytes_received: Option<u64>,
}

/// Bits of a row.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct RowFlags(u8);

/// Where a row comes from: `SourceFormat` in the output.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum SourceFormat {
    /// VNet flow log, version 4.
    VnetV4,
    /// NSG flow log, version 1.
    NsgV1,
    /// NSG flow log, version 2.
    NsgV2,
    /// Classic capture.
    Pcap,
    /// Next-generation capture.
    Pcapng,
}

/// Direction relative to the observing NIC.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum FlowDirection {
    /// `I`.
    Inbound,
    /// `O`.
    Outbound,
}

/// State of a logged flow.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum FlowState {
    /// `B`.
    Begin,
    /// `C`.
    Continue,
    /// `E`.
    End,
    /// `D` of version 4.
    Deny,
}

/// What the rule decided.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum FlowStatus {
    /// `A`; every state of version 4 but `D`.
    Allowed,
    /// `D`.
    Denied,
}

impl FlowDirection {
    /// Every value of a row that may lack one, by the number that stands for it where rows wait.
    pub(crate) const OR_NONE: [Option<Self>; 3] = [None, Some(Self::Inbound), Some(Self::Outbound)];
}

impl FlowState {
    /// Every value of a row that may lack one, by the number that stands for it where rows wait.
    pub(crate) const OR_NONE: [Option<Self>; 5] =
        [None, Some(Self::Begin), Some(Self::Continue), Some(Self::End), Some(Self::Deny)];
}

impl FlowStatus {
    /// Every value of a row that may lack one, by the number that stands for it where rows wait.
    pub(crate) const OR_NONE: [Option<Self>; 3] = [None, Some(Self::Allowed), Some(Self::Denied)];
}

impl FlowBatch {
    /// Returns the number of rows.
    pub fn len(&self) -> usize {
        self.record.len()
    }

    /// Returns true when there is no row.
    pub fn is_empty(&self) -> bool {
        self.record.is_empty()
    }

    /// Removes every row, context and text, and keeps the memory.
    pub fn clear(&mut self) {
        self.truncate(0);
        self.shared.clear();
    }

    /// Keeps the first `len` rows.
    pub fn truncate(&mut self, len: usize) {
        self.record.truncate(len);
        self.time_ns.truncate(len);
        self.source.truncate(len);
        self.destination.truncate(len);
        self.source_port.truncate(len);
        self.destination_port.truncate(len);
        self.protocol.truncate(len);
        self.flags.truncate(len);
        self.packets_sent.truncate(len);
        self.bytes_sent.truncate(len);
        self.packets_received.truncate(len);
        self.bytes_received.truncate(len);
        self.direction.truncate(len);
        self.state.truncate(len);
        self.status.truncate(len);
        self.encryption.truncate(len);
        self.context.truncate(len);
    }

    /// Appends a row.
    pub fn push(&mut self, row: &Row) {
        let (source_port, destination_port) = row.ports.unwrap_or_default();
        self.record.push(row.record);
        self.time_ns.push(row.time_ns);
        self.source.push(row.source);
        self.destination.push(row.destination);
        self.source_port.push(source_port);
        self.destination_port.push(destination_port);
        self.protocol.push(row.protocol);
        self.flags.push(RowFlags::of(row));
        self.packets_sent.push(row.counters.packets_sent.unwrap_or(0));
        self.bytes_sent.push(row.counters.bytes_sent.unwrap_or(0));
        self.packets_received.push(row.counters.packets_received.unwrap_or(0));
        self.bytes_received.push(row.counters.bytes_received.unwrap_or(0));
        self.direction.push(row.direction);
        self.state.push(row.state);
        self.status.push(row.status);
        self.encryption.push(row.encryption);
        self.context.push(row.context);
    }

    /// Returns row `index` as it was pushed.
    ///
    /// # Panics
    ///
    /// When there is no such row.
    pub fn row(&self, index: usize) -> Row {
        Row {
            record: self.record[index],
            time_ns: self.time_ns[index],
            source: self.source[index],
            destination: self.destination[index],
            ports: self.ports(index),
            protocol: self.protocol[index],
            opens_connection: self.flags[index].contains(RowFlags::OPENS_CONNECTION),
            counters: self.counters(index),
            direction: self.direction[index],
            state: self.state[index],
            status: self.status[index],
            encryption: self.encryption[index],
            context: self.context[index],
        }
    }

    /// Returns source and destination port of a row.
    ///
    /// # Panics
    ///
    /// When there is no such row.
    pub fn ports(&self, index: usize) -> Option<(u16, u16)> {
        self.flags[index]
            .contains(RowFlags::PORTS)
            .then(|| (self.source_port[index], self.destination_port[index]))
    }

    /// Returns the counters of a row.
    ///
    /// # Panics
    ///
    /// When there is no such row.
    pub fn counters(&self, index: usize) -> Counters {
        let flags = self.flags[index];
        let present = |flag, value| flags.contains(flag).then_some(value);
        Counters {
            packets_sent: present(RowFlags::PACKETS_SENT, self.packets_sent[index]),
            bytes_sent: present(RowFlags::BYTES_SENT, self.bytes_sent[index]),
            packets_received: present(RowFlags::PACKETS_RECEIVED, self.packets_received[index]),
            bytes_received: present(RowFlags::BYTES_RECEIVED, self.bytes_received[index]),
        }
    }

    /// Returns what rows share.
    pub fn shared(&self) -> &RowContexts {
        &self.shared
    }

    /// Stores a context, as [`RowContexts::push_context`].
    pub fn push_context(&mut self, context: Context) -> ContextId {
        self.shared.push_context(context)
    }

    /// Returns a context of this batch, as [`RowContexts::context`].
    pub fn context(&self, id: ContextId) -> &Context {
        self.shared.context(id)
    }

    /// Returns the contexts in the order of [`ContextId::index`].
    pub fn contexts(&self) -> &[Context] {
        self.shared.contexts()
    }

    /// Stores a text, as [`RowContexts::push_text`].
    pub fn push_text(&mut self, text: &str) -> TextId {
        self.shared.push_text(text)
    }

    /// Returns a text of this batch, as [`RowContexts::text`].
    pub fn text(&self, id: TextId) -> &str {
        self.shared.text(id)
    }
}

impl TupleSink for FlowBatch {
    type Place = usize;

    fn shared(&mut self) -> &mut RowContexts {
        &mut self.shared
    }

    fn push(&mut self, tuple: &Row) {
        self.push(tuple);
    }

    fn place(&mut self) -> usize {
        self.len()
    }

    fn go_back(&mut self, place: usize) {
        self.truncate(place);
    }
}

impl Counters {
    /// The counters of one packet of `bytes` bytes.
    pub fn packet(bytes: u64) -> Self {
        Self { packets_sent: Some(1), bytes_sent: Some(bytes), ..Self::default() }
    }
}

impl RowFlags {
    /// The port columns hold values.
    pub const PORTS: Self = Self(1);
    /// A TCP segment with SYN and without ACK.
    pub const OPENS_CONNECTION: Self = Self(2);
    /// `packets_sent` holds a value.
    pub const PACKETS_SENT: Self = Self(4);
    /// `bytes_sent` holds a value.
    pub const BYTES_SENT: Self = Self(8);
    /// `packets_received` holds a value.
    pub const PACKETS_RECEIVED: Self = Self(16);
    /// `bytes_received` holds a value.
    pub const BYTES_RECEIVED: Self = Self(32);

    /// Returns true when every bit of `other` is set.
    pub fn contains(self, other: Self) -> bool {
        self.0 & other.0 == other.0
    }

    fn of(row: &Row) -> Self {
        let bits = [
            (row.ports.is_some(), Self::PORTS),
            (row.opens_connection, Self::OPENS_CONNECTION),
            (row.counters.packets_sent.is_some(), Self::PACKETS_SENT),
            (row.counters.bytes_sent.is_some(), Self::BYTES_SENT),
            (row.counters.packets_received.is_some(), Self::PACKETS_RECEIVED),
            (row.counters.bytes_received.is_some(), Self::BYTES_RECEIVED),
        ];
        Self(bits.iter().filter(|(set, _)| *set).fold(0, |all, (_, flag)| all | flag.0))
    }
}

impl SourceFormat {
    /// Returns the word that stands in every output.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::VnetV4 => "vnet_v4",
            Self::NsgV1 => "nsg_v1",
            Self::NsgV2 => "nsg_v2",
            Self::Pcap => "pcap",
            Self::Pcapng => "pcapng",
        }
    }
}

impl FlowDirection {
    /// Returns the word that stands in every output.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Inbound => "Inbound",
            Self::Outbound => "Outbound",
        }
    }
}

impl FlowState {
    /// Returns the word that stands in every output.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Begin => "Begin",
            Self::Continue => "Continue",
            Self::End => "End",
            Self::Deny => "Deny",
        }
    }
}

impl FlowStatus {
    /// Returns the word that stands in every output.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Allowed => "Allowed",
            Self::Denied => "Denied",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn row(context: ContextId) -> Row {
        Row {
            record: 7,
            time_ns: -5,
            source: "10.0.0.1".parse().unwrap(),
            destination: "fd00::1".parse().unwrap(),
            ports: Some((0, 443)),
            protocol: 6,
            opens_connection: true,
            counters: Counters {
                packets_sent: Some(0),
                bytes_sent: None,
                packets_received: Some(2),
                bytes_received: None,
            },
            direction: Some(FlowDirection::Outbound),
            state: Some(FlowState::Continue),
            status: Some(FlowStatus::Allowed),
            encryption: None,
            context,
        }
    }

    #[test]
    fn a_row_comes_back_as_it_was_pushed_with_null_and_zero_apart() {
        let mut batch = FlowBatch::default();
        let rule = batch.push_text("UserRule_web");
        let context = batch.push_context(Context {
            format: SourceFormat::VnetV4,
            mac: None,
            acl_group: None,
            acl_rule: Some(rule),
            target_resource_id: None,
            flow_log_resource_id: None,
        });
        let pushed = row(context);
        batch.push(&pushed);
        batch.push(&Row { ports: None, ..pushed });
        assert_eq!(format!("{:?}", batch.row(0)), format!("{pushed:?}"));
        assert_eq!(batch.row(0).counters.packets_sent, Some(0));
        assert_eq!(batch.row(0).counters.bytes_sent, None);
        assert_eq!(batch.row(1).ports, None);
        assert_eq!(batch.text(rule), "UserRule_web");
        batch.clear();
        assert!(batch.is_empty() && batch.contexts().is_empty());
    }

    #[test]
    fn repeated_words_are_stored_once() {
        let mut batch = FlowBatch::default();
        let first = batch.shared.intern_text("NX");
        let other = batch.shared.intern_text("X");
        assert_eq!(batch.shared.intern_text("NX"), first);
        assert_ne!(first, other);
        assert_eq!((batch.text(first), batch.text(other)), ("NX", "X"));
    }
}
