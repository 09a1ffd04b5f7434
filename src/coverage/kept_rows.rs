//! The rows of a run, kept until the verdicts on them are known.
//!
//! Rows come in blocks, one for each time that a thread hands its rows over. The blocks stand in
//! the order of the output, one after the other, in memory up to a bound and beyond it in a file. A
//! row is known by its block and its place there, and that number goes with the flow that it became.

use std::io::{self, SeekFrom};
use std::net::IpAddr;
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, Mutex};

use ahash::AHashMap;

use crate::azure::NextHopIps;
use crate::classify::{CounterBasis, LabelColumns, LookupSide, OutputRow, RecordKind};
use crate::net::{AddressPrefix, MacAddress};
use crate::routing::{NextHopClass, RouteTableBasis};
use crate::spill::{PARTITION_COUNT, RecordBytes, SpillFile, SpillRoom};
use crate::traffic::{Counters, FlowDirection, FlowState, FlowStatus, SourceFormat};

/// A row by its block and its place in the block.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(super) struct RowId {
    pub(super) block: u32,
    pub(super) place: u32,
}

/// All rows of a run, in the order of the output.
pub(super) struct KeptRows {
    shared: Arc<SharedTexts>,
    /// The block and how long it is.
    blocks: Vec<(u32, usize)>,
    bytes: Vec<u8>,
    bytes_max: usize,
    room: SpillRoom,
    file: Option<Box<dyn SpillFile>>,
}

/// The rows of one thread on their way into [`KeptRows`].
pub(super) struct KeptRowsBuffer {
    shared: Arc<SharedTexts>,
    /// The block that is being filled, and how many rows it has.
    block: Option<(u32, u32)>,
    bytes: Vec<u8>,
    texts: AHashMap<String, u32>,
    addresses: AHashMap<NextHopIps, u32>,
}

/// Texts and sets of addresses that many rows share, by number.
#[derive(Default)]
struct SharedTexts {
    block_count: AtomicU32,
    texts: Mutex<Interned<String>>,
    addresses: Mutex<Interned<NextHopIps>>,
}

struct Interned<T> {
    values: Vec<T>,
    numbers: AHashMap<T, u32>,
}

impl<T> Default for Interned<T> {
    fn default() -> Self {
        Self { values: Vec::new(), numbers: AHashMap::new() }
    }
}

/// Where blocks stand, so that a row's partition is known.
pub(super) struct BlockOrder {
    positions: Vec<u32>,
    block_count: usize,
}

impl KeptRows {
    pub(super) fn new(bytes_max: usize, room: SpillRoom) -> Self {
        Self {
            shared: Arc::default(),
            blocks: Vec::new(),
            bytes: Vec::new(),
            bytes_max,
            room,
            file: None,
        }
    }

    pub(super) fn buffer(&self) -> KeptRowsBuffer {
        KeptRowsBuffer {
            shared: self.shared.clone(),
            block: None,
            bytes: Vec::new(),
            texts: AHashMap::new(),
            addresses: AHashMap::new(),
        }
    }

    pub(super) fn append(&mut self, buffer: &mut KeptRowsBuffer) -> io::Result<()> {
        let Some((block, _)) = buffer.block.take() else { return Ok(()) };
        self.blocks.push((block, buffer.bytes.len()));
        self.bytes.append(&mut buffer.bytes);
        if self.bytes.len() > self.bytes_max { self.spill() } else { Ok(()) }
    }

    pub(super) fn order(&self) -> BlockOrder {
        let mut positions = vec![0; self.shared.block_count.load(Ordering::Relaxed) as usize];
        for (position, (block, _)) in (0..).zip(&self.blocks) {
            positions[*block as usize] = position;
        }
        BlockOrder { positions, block_count: self.blocks.len().max(1) }
    }

    /// Gives every row to `each`, in the order of the output, with its number; `before` is called
    /// with every partition of [`BlockOrder`] before its first row.
    pub(super) fn for_each(
        mut self,
        mut before: impl FnMut(usize) -> io::Result<()>,
        mut each: impl FnMut(RowId, OutputRow<'_>) -> io::Result<()>,
    ) -> io::Result<()> {
        if self.file.is_some() {
            self.spill()?;
        }
        let order = self.order();
        let (shared, mut file) = (self.shared, self.file);
        if let Some(file) = &mut file {
            file.seek(SeekFrom::Start(0))?;
        }
        let texts = std::mem::take(&mut *shared.texts.lock().expect("no thread panicked"));
        let addresses = std::mem::take(&mut *shared.addresses.lock().expect("no thread panicked"));
        let mut partition = None;
        let (mut rest, mut from_file) = (&self.bytes[..], Vec::new());
        for (block, length) in self.blocks {
            let of_block = order.partition(RowId { block, place: 0 });
            if partition.replace(of_block) != Some(of_block) {
                before(of_block)?;
            }
            let bytes = match &mut file {
                Some(file) => {
                    from_file.resize(length, 0);
                    file.read_exact(&mut from_file)?;
                    &from_file[..]
                }
                None => {
                    let (bytes, after) = rest.split_at(length);
                    rest = after;
                    bytes
                }
            };
            let mut record = RecordBytes(bytes);
            let mut place = 0;
            while !record.is_empty() {
                each(RowId { block, place }, read(&mut record, &texts, &addresses))?;
                place += 1;
            }
        }
        Ok(())
    }

    fn spill(&mut self) -> io::Result<()> {
        let file = match &mut self.file {
            Some(file) => file,
            None => self.file.insert(self.room.open()?),
        };
        file.write_all(&self.bytes)?;
        self.bytes.clear();
        Ok(())
    }
}

impl KeptRowsBuffer {
    /// Keeps a row, and returns its number.
    pub(super) fn push(&mut self, row: &OutputRow<'_>) -> RowId {
        let shared = &self.shared;
        let (block, count) = self
            .block
            .get_or_insert_with(|| (shared.block_count.fetch_add(1, Ordering::Relaxed), 0));
        let id = RowId { block: *block, place: *count };
        *count += 1;
        self.write(row);
        id
    }

    fn write(&mut self, row: &OutputRow<'_>) {
        let label = &row.label;
        let texts = [
            row.encryption,
            row.acl_group,
            row.acl_rule,
            row.target_resource_id,
            row.flow_log_resource_id,
            Some(row.source_file),
            label.route_table_id,
            label.route_source,
            label.next_hop_type,
            label.next_hop_name,
        ]
        .map(|text| text.map(|text| self.text_number(text)));
        let ips = label.next_hop_ips.map(|ips| self.addresses_number(ips));
        let bytes = &mut self.bytes;
        for index in [
            index_in(&KINDS, &row.kind),
            index_in(&FlowDirection::OR_NONE, &row.direction),
            index_in(&FlowState::OR_NONE, &row.state),
            index_in(&FlowStatus::OR_NONE, &row.status),
            index_in(&BASES, &row.counter_basis),
            index_in(&FORMATS, &row.source_format),
            index_in(&TABLE_BASES, &label.route_table_basis),
            index_in(&LOOKUPS, &label.lookup),
            index_in(&NextHopClass::ALL, &label.next_hop_class),
            label.peer_next_hop_class.map_or(0, |class| index_in(&NextHopClass::ALL, &class) + 1),
            u8::from(row.is_partial),
            row.protocol,
        ] {
            bytes.push(index);
        }
        bytes.extend_from_slice(&row.start_time_ns.to_le_bytes());
        bytes.extend_from_slice(&row.end_time_ns.to_le_bytes());
        put_any_address(bytes, row.source);
        put_any_address(bytes, row.destination);
        put_option(bytes, row.ports.map(|(source, to)| u64::from(source) << 16 | u64::from(to)));
        let Counters { packets_sent, bytes_sent, packets_received, bytes_received } = row.counters;
        for counter in [packets_sent, bytes_sent, packets_received, bytes_received] {
            put_option(bytes, counter);
        }
        match row.mac {
            None => bytes.push(0),
            Some(mac) => {
                bytes.push(1);
                bytes.extend_from_slice(&mac.bytes());
            }
        }
        texts.into_iter().for_each(|text| put_option(bytes, text.map(u64::from)));
        put_option(bytes, ips.map(u64::from));
        match label.matched_prefix {
            None => bytes.push(u8::MAX),
            Some(prefix) => {
                bytes.push(prefix.length());
                put_any_address(bytes, prefix.address());
            }
        }
        put_number(bytes, row.source_record);
    }

    fn text_number(&mut self, text: &str) -> u32 {
        if let Some(number) = self.texts.get(text) {
            return *number;
        }
        let number = self.shared.texts.lock().expect("no thread panicked").number(text.to_owned());
        self.texts.insert(text.to_owned(), number);
        number
    }

    fn addresses_number(&mut self, ips: &NextHopIps) -> u32 {
        if let Some(number) = self.addresses.get(ips) {
            return *number;
        }
        let number = self.shared.addresses.lock().expect("no thread panicked").number(ips.clone());
        self.addresses.insert(ips.clone(), number);
        number
    }
}

impl<T: Clone + Eq + std::hash::Hash> Interned<T> {
    fn number(&mut self, value: T) -> u32 {
        let values = &mut self.values;
        *self.numbers.entry(value).or_insert_with_key(|value| {
            values.push(value.clone());
            u32::try_from(values.len() - 1).expect("far fewer than 2^32 texts")
        })
    }
}

impl BlockOrder {
    /// Returns the partition of a row: partitions follow the order of the output.
    pub(super) fn partition(&self, row: RowId) -> usize {
        self.positions[row.block as usize] as usize * PARTITION_COUNT / self.block_count
    }
}

impl RowId {
    pub(super) fn write(self, bytes: &mut Vec<u8>) {
        put_number(bytes, self.block.into());
        put_number(bytes, self.place.into());
    }

    pub(super) fn read(record: &mut RecordBytes<'_>) -> Self {
        Self { block: record.number_u32(), place: record.number_u32() }
    }
}

fn read<'a>(
    record: &mut RecordBytes<'_>,
    texts: &'a Interned<String>,
    addresses: &'a Interned<NextHopIps>,
) -> OutputRow<'a> {
    let marks: [u8; 12] = record.array();
    let mark = |at: usize| usize::from(marks[at]);
    let (start_time_ns, end_time_ns) = (record.time(), record.time());
    let (source, destination) = (any_address(record), any_address(record));
    let ports = option(record).map(|ports| ((ports >> 16) as u16, ports as u16));
    let counters = Counters {
        packets_sent: option(record),
        bytes_sent: option(record),
        packets_received: option(record),
        bytes_received: option(record),
    };
    let mac = (record.byte() == 1).then(|| MacAddress::new(record.array()));
    let mut text = || option(record).map(|number| texts.values[number as usize].as_str());
    let [encryption, acl_group, acl_rule, target_resource_id, flow_log_resource_id] =
        [text(), text(), text(), text(), text()];
    let source_file = text().unwrap_or_default();
    let [route_table_id, route_source, next_hop_type, next_hop_name] =
        [text(), text(), text(), text()];
    let next_hop_ips = option(record).map(|number| &addresses.values[number as usize]);
    let matched_prefix = match record.byte() {
        u8::MAX => None,
        length => AddressPrefix::new(any_address(record), length).ok(),
    };
    OutputRow {
        kind: KINDS[mark(0)],
        start_time_ns,
        end_time_ns,
        source,
        destination,
        ports,
        protocol: marks[11],
        direction: FlowDirection::OR_NONE[mark(1)],
        state: FlowState::OR_NONE[mark(2)],
        status: FlowStatus::OR_NONE[mark(3)],
        encryption,
        counters,
        counter_basis: BASES[mark(4)],
        mac,
        acl_group,
        acl_rule,
        target_resource_id,
        flow_log_resource_id,
        source_format: FORMATS[mark(5)],
        source_file,
        source_record: record.number(),
        input: 0,
        observer: None,
        is_partial: marks[10] == 1,
        record_count: 1,
        shows_begin: false,
        label: LabelColumns {
            route_table_id,
            route_table_basis: TABLE_BASES[mark(6)],
            lookup: LOOKUPS[mark(7)],
            matched_prefix,
            route_source,
            next_hop_type,
            next_hop_ips,
            next_hop_name,
            next_hop_class: NextHopClass::ALL[mark(8)],
            peer_next_hop_class: mark(9).checked_sub(1).map(|class| NextHopClass::ALL[class]),
        },
        coverage: None,
        replay: None,
    }
}

const KINDS: [RecordKind; 3] = [RecordKind::Tuple, RecordKind::Flow, RecordKind::Packet];
const BASES: [Option<CounterBasis>; 3] =
    [None, Some(CounterBasis::Delta), Some(CounterBasis::RestartCumulative)];
const FORMATS: [SourceFormat; 5] = [
    SourceFormat::VnetV4,
    SourceFormat::NsgV1,
    SourceFormat::NsgV2,
    SourceFormat::Pcap,
    SourceFormat::Pcapng,
];
const TABLE_BASES: [Option<RouteTableBasis>; 3] =
    [None, Some(RouteTableBasis::Exported), Some(RouteTableBasis::Computed)];
const LOOKUPS: [Option<LookupSide>; 3] =
    [None, Some(LookupSide::Source), Some(LookupSide::Destination)];

fn index_in<T: PartialEq>(all: &[T], one: &T) -> u8 {
    let index = all.iter().position(|other| other == one).expect("the list is whole");
    u8::try_from(index).expect("the list is short")
}

fn put_any_address(bytes: &mut Vec<u8>, address: IpAddr) {
    bytes.push(u8::from(address.is_ipv6()));
    match address {
        IpAddr::V4(address) => bytes.extend_from_slice(&address.octets()),
        IpAddr::V6(address) => bytes.extend_from_slice(&address.octets()),
    }
}

fn any_address(record: &mut RecordBytes<'_>) -> IpAddr {
    let is_ipv6 = record.byte() == 1;
    record.address(is_ipv6)
}

/// Writes a number in seven bits a byte, the lowest first.
pub(super) fn put_number(bytes: &mut Vec<u8>, mut number: u64) {
    while number >= 0x80 {
        bytes.push((number & 0x7F) as u8 | 0x80);
        number >>= 7;
    }
    bytes.push(number as u8);
}

fn put_option(bytes: &mut Vec<u8>, number: Option<u64>) {
    bytes.push(u8::from(number.is_some()));
    number.into_iter().for_each(|number| put_number(bytes, number));
}

fn option(record: &mut RecordBytes<'_>) -> Option<u64> {
    (record.byte() == 1).then(|| record.number())
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;

    #[test]
    fn rows_come_back_as_they_were_in_their_order() {
        let ips: NextHopIps =
            ["10.0.1.4".parse().unwrap(), "fd00::1".parse().unwrap()].into_iter().collect();
        let full = OutputRow {
            kind: RecordKind::Flow,
            start_time_ns: -5,
            end_time_ns: i64::MAX,
            source: "10.0.0.4".parse().unwrap(),
            destination: "fd00::9".parse().unwrap(),
            ports: Some((65_535, 1)),
            protocol: 6,
            direction: Some(FlowDirection::Inbound),
            state: Some(FlowState::Deny),
            status: Some(FlowStatus::Denied),
            encryption: Some("X"),
            counters: Counters {
                packets_sent: Some(0),
                bytes_sent: Some(u64::MAX),
                ..Counters::default()
            },
            counter_basis: Some(CounterBasis::Delta),
            mac: Some(MacAddress::new([1, 2, 3, 4, 5, 6])),
            acl_group: Some("group"),
            acl_rule: Some(""),
            target_resource_id: Some("target"),
            flow_log_resource_id: None,
            source_format: SourceFormat::Pcapng,
            source_file: "file",
            source_record: u64::MAX,
            input: 0,
            observer: None,
            is_partial: true,
            record_count: 1,
            shows_begin: false,
            label: LabelColumns {
                route_table_id: Some("table"),
                route_table_basis: Some(RouteTableBasis::Computed),
                lookup: Some(LookupSide::Source),
                matched_prefix: Some("0.0.0.0/0".parse().unwrap()),
                route_source: Some("User"),
                next_hop_type: Some("VirtualAppliance"),
                next_hop_ips: Some(&ips),
                next_hop_name: Some("fw"),
                next_hop_class: NextHopClass::Unknown,
                peer_next_hop_class: Some(NextHopClass::Firewall),
            },
            coverage: None,
            replay: None,
        };
        let mut bare = full.clone();
        (bare.ports, bare.mac, bare.encryption, bare.direction) = (None, None, None, None);
        bare.label.matched_prefix = None;
        bare.label.next_hop_ips = None;
        bare.label.peer_next_hop_class = None;
        for bytes_max in [usize::MAX, 0] {
            let mut kept = KeptRows::new(bytes_max, SpillRoom::default());
            let mut buffers = [kept.buffer(), kept.buffer()];
            let mut want = Vec::new();
            for (number, row) in [&full, &bare, &full, &bare, &full].into_iter().enumerate() {
                let buffer = &mut buffers[number % 2];
                want.push((buffer.push(row), format!("{row:?}")));
                if number > 2 {
                    kept.append(buffer).unwrap();
                }
            }
            buffers.iter_mut().for_each(|buffer| kept.append(buffer).unwrap());
            let mut got: BTreeMap<RowId, String> = BTreeMap::new();
            let mut parts = Vec::new();
            kept.for_each(
                |partition| {
                    parts.push(partition);
                    Ok(())
                },
                |id, row| {
                    got.insert(id, format!("{row:?}"));
                    Ok(())
                },
            )
            .unwrap();
            assert_eq!(got, want.into_iter().collect());
            assert!(parts.is_sorted() && parts.len() == 2, "{parts:?}");
        }
    }
}
