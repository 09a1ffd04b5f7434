//! The flows that change: gathered by flow, then given out with the most bytes first; in memory up
//! to a bound, and beyond it in files that the caller gives.

use std::cmp::Reverse;
use std::io;
use std::net::IpAddr;
use std::ops::ControlFlow;

use crate::spill::{
    PARTITION_COUNT, PartitionBuffers, Partitions, RecordBytes, ShortRecord, SpillRoom,
};
use crate::traffic::FlowDirection;

/// A flow that changes: all rows of one 5-tuple, seen in one direction, that leave one route for
/// another.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ChangedFlow {
    /// Initiator.
    pub source: IpAddr,
    /// Responder.
    pub destination: IpAddr,
    /// Source and destination port.
    pub ports: Option<(u16, u16)>,
    /// IANA protocol number.
    pub protocol: u8,
    /// Relative to the observer; `None` for captures.
    pub direction: Option<FlowDirection>,
    /// The change, by its place among those of the report.
    pub change: usize,
    /// First time, nanoseconds since 1970.
    pub start_time_ns: i64,
    /// Last time.
    pub end_time_ns: i64,
    /// The input of the first row, by its place among the report's files.
    pub file: usize,
    /// The row's number in it, 1-based.
    pub record: u64,
    /// How many rows: tuples of a log unless they were merged.
    pub rows: u64,
    /// Packets of both directions.
    pub packets: u64,
    /// Bytes of both directions.
    pub bytes: u64,
}

/// The changed flows of a run, the most bytes first, then the most packets, then by addresses,
/// ports, protocol, direction and change.
pub struct ChangedFlows {
    by_size: Partitions,
    len: u64,
}

/// The rows of changed flows, until all of a flow are there.
pub(super) struct GatheredChanges {
    by_flow: Partitions,
    bytes_max: usize,
    room: SpillRoom,
}

impl ChangedFlows {
    /// Returns how many there are.
    pub fn len(&self) -> u64 {
        self.len
    }

    /// Returns true when nothing changes.
    pub fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// Gives every flow to `each`, in their order, until it has enough.
    ///
    /// Memory: flows of about the same size are sorted together.
    ///
    /// # Errors
    ///
    /// When the room fails, or what `each` says.
    pub fn for_each(
        mut self,
        mut each: impl FnMut(&ChangedFlow) -> io::Result<ControlFlow<()>>,
    ) -> io::Result<()> {
        for partition in 0..PARTITION_COUNT {
            let bytes = self.by_size.take(partition)?.joined();
            let mut flows = read_all(&bytes);
            flows.sort_unstable_by_key(|flow| {
                (Reverse(flow.bytes), Reverse(flow.packets), flow.key())
            });
            for flow in &flows {
                if each(flow)?.is_break() {
                    return Ok(());
                }
            }
        }
        Ok(())
    }
}

impl GatheredChanges {
    pub(super) fn new(bytes_max: usize, room: SpillRoom) -> Self {
        Self { by_flow: Partitions::new(bytes_max / 2, room.clone()), bytes_max, room }
    }

    pub(super) fn absorb(&mut self, buffers: &mut PartitionBuffers) -> io::Result<()> {
        self.by_flow.absorb(buffers)
    }

    /// Brings the rows of each flow together; `ranks` are the places of changes in the report, by
    /// the numbers that rows came with.
    pub(super) fn finish(mut self, ranks: &[usize]) -> io::Result<ChangedFlows> {
        let mut by_size = Partitions::new(self.bytes_max / 2, self.room);
        let mut buffers = PartitionBuffers::new();
        let mut len = 0;
        for partition in 0..PARTITION_COUNT {
            let bytes = self.by_flow.take(partition)?.joined();
            let mut rows = read_all(&bytes);
            drop(bytes);
            for row in &mut rows {
                row.change = ranks[row.change];
            }
            rows.sort_unstable_by_key(|row| (row.key(), row.first()));
            for rows in rows.chunk_by(|a, b| a.key() == b.key()) {
                let flow = merged(rows);
                buffers.push_to(partition_of_size(flow.bytes), |bytes| flow.write(bytes));
                len += 1;
            }
            if buffers.is_full() {
                by_size.absorb(&mut buffers)?;
            }
        }
        by_size.absorb(&mut buffers)?;
        Ok(ChangedFlows { by_size, len })
    }
}

impl ChangedFlow {
    fn key(&self) -> impl Ord + use<> {
        let Self { source, destination, ports, protocol, direction, change, .. } = *self;
        (source, destination, ports, protocol, direction, change)
    }

    fn first(&self) -> (i64, usize, u64) {
        (self.start_time_ns, self.file, self.record)
    }

    pub(super) fn write(&self, bytes: &mut Vec<u8>) {
        let direction = match self.direction {
            None => 0,
            Some(FlowDirection::Inbound) => 1,
            Some(FlowDirection::Outbound) => 2,
        };
        let marks = direction
            | u8::from(self.source.is_ipv6()) << 2
            | u8::from(self.destination.is_ipv6()) << 3
            | u8::from(self.ports.is_some()) << 4;
        let mut record = ShortRecord::new();
        record.put([marks, self.protocol]);
        record.put_address(self.source);
        record.put_address(self.destination);
        if let Some((source, destination)) = self.ports {
            record.put(source.to_le_bytes());
            record.put(destination.to_le_bytes());
        }
        record.put_time(self.start_time_ns);
        record.put_time(self.end_time_ns);
        for number in [self.change as u64, self.file as u64, self.record] {
            record.put_number(number);
        }
        for number in [self.rows, self.packets, self.bytes] {
            record.put_number(number);
        }
        bytes.extend_from_slice(record.as_slice());
    }

    fn read(record: &mut RecordBytes<'_>) -> Self {
        let [marks, protocol] = record.array();
        let is_set = |bit: u8| marks >> bit & 1 == 1;
        let source = record.address(is_set(2));
        let destination = record.address(is_set(3));
        let mut port = || u16::from_le_bytes(record.array());
        let ports = is_set(4).then(|| (port(), port()));
        let (start_time_ns, end_time_ns) = (record.time(), record.time());
        let (change, file) = (record.number_u32() as usize, record.number_u32() as usize);
        Self {
            source,
            destination,
            ports,
            protocol,
            direction: [None, Some(FlowDirection::Inbound), Some(FlowDirection::Outbound)]
                [usize::from(marks & 3)],
            change,
            start_time_ns,
            end_time_ns,
            file,
            record: record.number(),
            rows: record.number(),
            packets: record.number(),
            bytes: record.number(),
        }
    }
}

fn read_all(bytes: &[u8]) -> Vec<ChangedFlow> {
    let mut record = RecordBytes(bytes);
    let mut flows = Vec::new();
    while !record.is_empty() {
        flows.push(ChangedFlow::read(&mut record));
    }
    flows
}

/// The rows of one flow, the first of them first.
fn merged(rows: &[ChangedFlow]) -> ChangedFlow {
    rows[1..].iter().fold(rows[0], |flow, row| ChangedFlow {
        end_time_ns: flow.end_time_ns.max(row.end_time_ns),
        rows: flow.rows.saturating_add(row.rows),
        packets: flow.packets.saturating_add(row.packets),
        bytes: flow.bytes.saturating_add(row.bytes),
        ..flow
    })
}

/// The partition of a size, the largest first: eight to every doubling.
fn partition_of_size(bytes: u64) -> usize {
    const STEPS: u32 = 8;
    let doubling = bytes.checked_ilog2().map_or(0, |log| log + 1);
    // The three bits below the highest.
    let step = match doubling {
        0 => 0,
        1..=3 => bytes << (4 - doubling) & 7,
        _ => bytes >> (doubling - 4) & 7,
    };
    // There are 65 doublings, 0 and 1 among them; neither has steps, so that they share one.
    let rank = doubling.saturating_sub(1) * STEPS + u32::try_from(step).expect("is below 8");
    PARTITION_COUNT - 1 - rank as usize
}

#[cfg(test)]
mod tests {
    use super::*;

    fn flow(port: u16, change: usize, start_time_ns: i64, bytes: u64) -> ChangedFlow {
        ChangedFlow {
            source: "10.0.0.4".parse().unwrap(),
            destination: "fd00::9".parse().unwrap(),
            ports: (port > 0).then_some((port, 443)),
            protocol: 6,
            direction: Some(FlowDirection::Inbound),
            change,
            start_time_ns,
            end_time_ns: start_time_ns + 5,
            file: 3,
            record: 9,
            rows: 1,
            packets: 2,
            bytes,
        }
    }

    fn given_out(rows: &[ChangedFlow], ranks: &[usize], bytes_max: usize) -> Vec<ChangedFlow> {
        let mut gathered = GatheredChanges::new(bytes_max, SpillRoom::default());
        let mut buffers = PartitionBuffers::new();
        for row in rows {
            let hash = u64::from(row.ports.map_or(0, |(port, _)| port)) << 48;
            buffers.push(hash, |bytes| row.write(bytes));
            gathered.absorb(&mut buffers).unwrap();
        }
        let flows = gathered.finish(ranks).unwrap();
        let (len, mut all) = (flows.len(), Vec::new());
        flows
            .for_each(|flow| {
                all.push(*flow);
                Ok(ControlFlow::Continue(()))
            })
            .unwrap();
        assert_eq!(all.len() as u64, len);
        all
    }

    #[test]
    fn rows_of_a_flow_are_one_and_the_largest_flow_is_the_first() {
        let rows =
            [flow(1, 0, 70, 10), flow(2, 0, 50, 300), flow(1, 0, 20, 1000), flow(1, 1, 0, 5)];
        let first = ChangedFlow { rows: 2, packets: 4, end_time_ns: 75, bytes: 1010, ..rows[2] };
        for bytes_max in [0, 1 << 20] {
            let want = [first, rows[1], rows[3]];
            assert_eq!(given_out(&rows, &[0, 1], bytes_max), want);
            // What has another number and the same rank is one.
            let all = given_out(&rows, &[0, 0], bytes_max);
            assert_eq!(all.iter().map(|flow| flow.bytes).collect::<Vec<_>>(), [1015, 300]);
            assert_eq!((all[0].rows, all[0].start_time_ns, all[0].end_time_ns), (3, 0, 75));
        }
    }

    #[test]
    fn what_is_written_is_read_back() {
        let full = ChangedFlow {
            direction: None,
            end_time_ns: i64::MAX,
            start_time_ns: i64::MIN,
            record: u64::MAX,
            rows: u64::MAX,
            packets: u64::MAX,
            bytes: u64::MAX,
            change: u32::MAX as usize,
            ..flow(0, 0, 0, 0)
        };
        let outbound = ChangedFlow { direction: Some(FlowDirection::Outbound), ..flow(7, 1, 2, 3) };
        for one in [full, outbound, flow(65_535, 0, -1, 0)] {
            let mut bytes = Vec::new();
            one.write(&mut bytes);
            assert_eq!(read_all(&bytes), [one]);
        }
    }

    #[test]
    fn a_larger_size_is_never_in_a_later_partition() {
        let mut sizes: Vec<u64> = (0..u64::BITS)
            .flat_map(|bit| [(1 << bit) - 1, 1 << bit, (1 << bit) + 1, 3 << bit >> 1])
            .chain([u64::MAX, u64::MAX - 1])
            .collect();
        sizes.sort_unstable();
        for pair in sizes.windows(2) {
            assert!(partition_of_size(pair[0]) >= partition_of_size(pair[1]), "{pair:?}");
        }
        assert_eq!(partition_of_size(u64::MAX), 0);
        assert!(partition_of_size(0) < PARTITION_COUNT);
    }
}
