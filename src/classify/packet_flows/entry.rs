//! What a table keeps of a flow: one cache line for IPv4.

use std::cmp::Ordering;

use super::key::{KEY_BITS, Key};

/// The sums of a flow in one input.
///
/// ```text
/// rest   key 48 | first from low 1 | opened 1 | first opening from low 1 | record 13
/// bytes  count 48 | record 16, twice: from the lower end, from the higher end
/// ```
///
/// The number of the first packet's record is spread over what those words have left, so that an
/// IPv4 flow fits in one line: whoever counts a packet waits for one line from memory, not two.
#[derive(Clone, Copy, Debug)]
#[repr(C)]
pub(super) struct Entry<const WORDS: usize> {
    addresses: [u64; WORDS],
    rest: u64,
    /// From the lower end, from the higher end; as are the other pairs.
    packets: [u32; 2],
    bytes: [u64; 2],
    first_ns: i64,
    last_ns: i64,
    /// When a SYN without ACK was first seen, if one was.
    open_ns: i64,
}

const _: () = assert!(size_of::<Entry<1>>() == 64);
const _: () = assert!(size_of::<Entry<4>>() == 88);

/// A packet on its way into an entry.
#[derive(Clone, Copy, Debug)]
pub(super) struct Arrival {
    pub(super) time_ns: i64,
    /// The packet's number in its input, 1-based.
    pub(super) record: u64,
    pub(super) bytes: u64,
    pub(super) is_from_low: bool,
    pub(super) opens_connection: bool,
}

/// The sums of a flow, or of a part of it, in plain numbers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Part {
    pub(super) packets: [u64; 2],
    pub(super) bytes: [u64; 2],
    pub(super) first_ns: i64,
    pub(super) last_ns: i64,
    pub(super) open_ns: Option<i64>,
    /// The lower end sent a packet at the first time.
    pub(super) is_first_from_low: bool,
    /// The lower end opened the connection at its first time.
    pub(super) is_open_from_low: bool,
    pub(super) input: u32,
    pub(super) record: u64,
}

const FIRST_FROM_LOW: u64 = 1 << 15;
const OPENED: u64 = 1 << 14;
const OPEN_FROM_LOW: u64 = 1 << 13;
const RECORD_HIGH: u64 = OPEN_FROM_LOW - 1;
const BYTES_MAX: u64 = (1 << 48) - 1;

impl<const WORDS: usize> Entry<WORDS> {
    /// Returns the entry of a flow of one packet.
    pub(super) fn new(key: &Key<WORDS>, packet: &Arrival) -> Self {
        let mut entry = Self {
            addresses: key.addresses,
            rest: key.rest,
            packets: [0; 2],
            bytes: [0; 2],
            first_ns: packet.time_ns,
            last_ns: packet.time_ns,
            open_ns: 0,
        };
        entry.put_record(packet.record);
        entry.add(packet);
        entry
    }

    pub(super) fn key(&self) -> Key<WORDS> {
        Key { addresses: self.addresses, rest: self.rest & KEY_BITS }
    }

    #[inline(always)]
    pub(super) fn is_of(&self, key: &Key<WORDS>) -> bool {
        self.addresses == key.addresses && self.rest & KEY_BITS == key.rest
    }

    /// Counts a packet. Returns false, with nothing counted, where the counters have no room for it.
    #[inline(always)]
    pub(super) fn add(&mut self, packet: &Arrival) -> bool {
        let direction = usize::from(!packet.is_from_low);
        let counted = self.bytes[direction];
        // What is left below the record's bits; a packet is never longer than 32 bits tell.
        let has_room = self.packets[direction] < u32::MAX
            && (counted & BYTES_MAX).saturating_add(packet.bytes) <= BYTES_MAX;
        if !has_room {
            return false;
        }
        self.packets[direction] += 1;
        self.bytes[direction] = counted + packet.bytes;
        self.last_ns = self.last_ns.max(packet.time_ns);
        if packet.time_ns <= self.first_ns {
            self.put_first(packet);
        }
        if packet.opens_connection {
            self.put_open(packet);
        }
        true
    }

    pub(super) fn part(&self, input: u32) -> Part {
        Part {
            packets: self.packets.map(u64::from),
            bytes: self.bytes.map(|word| word & BYTES_MAX),
            first_ns: self.first_ns,
            last_ns: self.last_ns,
            open_ns: (self.rest & OPENED != 0).then_some(self.open_ns),
            is_first_from_low: self.rest & FIRST_FROM_LOW != 0,
            is_open_from_low: self.rest & OPEN_FROM_LOW != 0,
            input,
            record: self.record(),
        }
    }

    pub(super) fn first_ns(&self) -> i64 {
        self.first_ns
    }

    /// Takes the first time, or one more packet of that time: then the lower record stays, and the
    /// lower end goes before the other.
    #[inline]
    fn put_first(&mut self, packet: &Arrival) {
        let is_earlier = packet.time_ns < self.first_ns;
        self.put_bit(FIRST_FROM_LOW, packet.is_from_low, is_earlier);
        if is_earlier || packet.record < self.record() {
            self.put_record(packet.record);
        }
        self.first_ns = packet.time_ns;
    }

    fn put_open(&mut self, packet: &Arrival) {
        let is_earlier = self.rest & OPENED == 0 || packet.time_ns < self.open_ns;
        if is_earlier || packet.time_ns == self.open_ns {
            self.put_bit(OPEN_FROM_LOW, packet.is_from_low, is_earlier);
            self.rest |= OPENED;
            self.open_ns = packet.time_ns;
        }
    }

    /// Says whose the packet of an earlier time is, or one more packet of the same time.
    #[inline]
    fn put_bit(&mut self, bit: u64, is_from_low: bool, is_earlier: bool) {
        if is_earlier {
            self.rest &= !bit;
        }
        if is_from_low {
            self.rest |= bit;
        }
    }

    fn record(&self) -> u64 {
        (self.rest & RECORD_HIGH) << 32 | self.bytes[1] >> 48 << 16 | self.bytes[0] >> 48
    }

    /// # Panics
    ///
    /// From 2^45 on: the headers of as many packets take half a petabyte.
    #[inline]
    fn put_record(&mut self, record: u64) {
        assert!(record >> 45 == 0, "a capture has fewer than 2^45 packets");
        self.rest = self.rest & !RECORD_HIGH | record >> 32;
        self.bytes[1] = self.bytes[1] & BYTES_MAX | record >> 16 << 48;
        self.bytes[0] = self.bytes[0] & BYTES_MAX | record << 48;
    }
}

impl Part {
    /// Adds another part of the same flow.
    pub(super) fn merge(&mut self, other: &Self) {
        for direction in 0..2 {
            self.packets[direction] += other.packets[direction];
            self.bytes[direction] = self.bytes[direction].saturating_add(other.bytes[direction]);
        }
        self.is_first_from_low = from_low(
            self.first_ns.cmp(&other.first_ns),
            self.is_first_from_low,
            other.is_first_from_low,
        );
        let first_of = |part: &Self| (part.first_ns, part.input, part.record);
        let (first_ns, input, record) = first_of(self).min(first_of(other));
        (self.first_ns, self.input, self.record) = (first_ns, input, record);
        self.last_ns = self.last_ns.max(other.last_ns);
        self.merge_open(other);
    }

    /// Returns true where the lower end initiated: the sender of the earliest SYN without ACK if one
    /// was seen, else of the earliest packet; in a tie the lower end.
    pub(super) fn is_low_initiator(&self) -> bool {
        match self.open_ns {
            Some(_) => self.is_open_from_low,
            None => self.is_first_from_low,
        }
    }

    fn merge_open(&mut self, other: &Self) {
        let Some(other_ns) = other.open_ns else { return };
        let order = self.open_ns.map_or(Ordering::Greater, |open_ns| open_ns.cmp(&other_ns));
        self.is_open_from_low = from_low(order, self.is_open_from_low, other.is_open_from_low);
        if order.is_gt() {
            self.open_ns = Some(other_ns);
        }
    }
}

/// Whose the earlier packet is, where the order is that of two times; in a tie the lower end's, if
/// it sent either.
fn from_low(order: Ordering, this: bool, other: bool) -> bool {
    match order {
        Ordering::Less => this,
        Ordering::Equal => this || other,
        Ordering::Greater => other,
    }
}
