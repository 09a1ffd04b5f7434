//! Packets by the table that counts them.
//!
//! A table for each thread that counts whatever that thread decoded would hold every long flow once
//! for each thread: twice the memory, twice the misses, and all of it to be merged in the end.

use super::key::Seeds;
use super::table::Waiting;
use super::{CapturedPacket, Keyed, PacketSink};

/// The packets of one chunk, sorted by one thread.
pub(in crate::classify) struct SortedPackets {
    v4: Vec<Vec<Waiting<1>>>,
    v6: Vec<Vec<Waiting<4>>>,
    seeds: Seeds,
    /// The records of the input before the chunk.
    records_before: u64,
}

impl SortedPackets {
    /// As many tables as have a share of their own at all.
    pub(in crate::classify) const TABLES_MAX: usize = 1 << u8::BITS;

    /// Returns room for the packets of so many tables, which have the same seeds.
    pub(in crate::classify) fn new(seeds: Seeds, table_count: usize) -> Self {
        let lists = 0..table_count;
        Self {
            v4: lists.clone().map(|_| Vec::new()).collect(),
            v6: lists.map(|_| Vec::new()).collect(),
            seeds,
            records_before: 0,
        }
    }

    /// Takes the place of the chunk before, with the packets that `visit` shows of one whose records
    /// follow `records_before`.
    pub(in crate::classify) fn sort_chunk(
        &mut self,
        records_before: u64,
        visit: impl FnOnce(&mut Self),
    ) {
        self.v4.iter_mut().for_each(Vec::clear);
        self.v6.iter_mut().for_each(Vec::clear);
        self.records_before = records_before;
        visit(self);
    }

    pub(super) fn v4(&self, table: usize) -> &[Waiting<1>] {
        &self.v4[table]
    }

    pub(super) fn v6(&self, table: usize) -> &[Waiting<4>] {
        &self.v6[table]
    }
}

impl PacketSink for SortedPackets {
    #[inline(always)]
    fn take(&mut self, packet: &CapturedPacket) {
        match Keyed::of(packet, self.records_before) {
            Keyed::V4(key, arrival) => {
                let waiting = Waiting::new(key, arrival, &self.seeds);
                let share = waiting.share(self.v4.len());
                self.v4[share].push(waiting);
            }
            Keyed::V6(key, arrival) => {
                let waiting = Waiting::new(key, arrival, &self.seeds);
                let share = waiting.share(self.v6.len());
                self.v6[share].push(waiting);
            }
        }
    }
}
