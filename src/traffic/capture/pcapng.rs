//! Next-generation captures: blocks, whose length stands at both ends.
//!
//! ```text
//! block      type u32 | total length u32 | body | total length u32
//! section    byte-order magic u32 | major u16 | minor u16 | section length i64 | options
//! interface  link type u16 | reserved u16 | snaplen u32 | options
//! enhanced   interface u32 | time high u32 | time low u32 | captured u32 | original u32 | data
//! packet     interface u16 | drops u16 | time high u32 | time low u32 | captured u32 | original u32 | data
//! simple     original u32 | data
//! ```
//!
//! Source: draft-ietf-opsawg-pcapng-03 (read 2026-11-20).

use super::record::{ByteOrder, CAPTURE_LENGTH_MAX, Fault, Packet, Records, Stop, Walk};

/// Walks over the blocks of one file.
#[derive(Debug, Default)]
pub(super) struct PcapngWalker {
    section: Option<Section>,
}

#[derive(Debug)]
struct Section {
    order: ByteOrder,
    /// `None` for a description that could not be read; later ones keep their numbers.
    interfaces: Vec<Option<Interface>>,
    /// What a simple packet, which has no time of its own, is given.
    last_time_ns: i64,
}

#[derive(Clone, Copy, Debug)]
struct Interface {
    link_type: u16,
    /// 0 is no limit.
    snap_length: u32,
    clock: Clock,
}

/// How the timestamps of an interface become nanoseconds since 1970.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Clock {
    resolution: Resolution,
    offset_seconds: i64,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Resolution {
    /// Units of a nanosecond or more.
    Multiply(u64),
    /// Units of less than a nanosecond.
    Divide(u128),
    /// Units of a second over a power of two.
    Shift(u32),
}

/// What stands between the header and the trailing length of a block.
#[derive(Clone, Copy, Debug)]
struct Block<'a> {
    body: &'a [u8],
    /// Where the block starts in the window.
    start: usize,
}

/// What the three kinds of packet block say in their own ways.
#[derive(Clone, Copy, Debug)]
struct PacketFields {
    interface: u32,
    time: Option<u64>,
    capture_length: u32,
    original_length: u32,
    /// Where the data starts in the body.
    data_at: usize,
}

/// A larger block is skipped without being held.
const BLOCK_BYTES_MAX: u32 = 16 << 20;

impl PcapngWalker {
    /// Takes whole blocks from the start of `bytes`, which stand at `offset` in the input.
    pub(super) fn walk(&mut self, bytes: &[u8], offset: u64, records: &mut Records) -> Walk {
        let mut at = 0;
        loop {
            let byte_offset = offset + at as u64;
            match self.take_block(&bytes[at..], at, byte_offset, records) {
                Ok(length) => at += length,
                Err(Break::Stop(stop)) => return Walk { length: at, stop },
                Err(Break::Fault(fault)) => {
                    records.push_fault(byte_offset, fault);
                    return Walk { length: at, stop: Stop::Damaged };
                }
            }
        }
    }

    /// Returns true once an input may end cleanly.
    pub(super) fn has_begun(&self) -> bool {
        self.section.is_some()
    }

    /// Returns the length of the block at the start of `bytes` once all of it is there and both
    /// lengths agree.
    fn next_block(&self, bytes: &[u8]) -> Result<usize, Break> {
        const INSIDE: &str = "a block header";
        let need = |bytes, inside| Break::Stop(Stop::Need { bytes, inside });
        let header: &[u8; BLOCK_HEADER_LENGTH] =
            bytes.first_chunk().ok_or_else(|| need(BLOCK_HEADER_LENGTH, INSIDE))?;
        let is_section = header[..4] == SECTION;
        let order = if is_section {
            let start = bytes.first_chunk().ok_or_else(|| need(SECTION_MIN, INSIDE))?;
            section_order(start)?
        } else {
            let section = self.section.as_ref().ok_or_else(|| {
                Fault::Magic(u32::from_be_bytes([header[0], header[1], header[2], header[3]]))
            })?;
            section.order
        };
        let total = order.u32(header, 4);
        if total < BLOCK_LENGTH_MIN || is_section && total > BLOCK_BYTES_MAX {
            return Err(Fault::BlockLength(total).into());
        }
        if total > BLOCK_BYTES_MAX {
            return Err(Break::Stop(Stop::Skip { bytes: total, order }));
        }
        let length = total as usize;
        let block = bytes.get(..length).ok_or_else(|| need(length, "a block"))?;
        let trailing = order.u32(block, length - BLOCK_TRAILER_LENGTH);
        if trailing != total {
            return Err(Fault::TrailingLength { leading: total, trailing }.into());
        }
        Ok(length)
    }

    /// Reads the block at the start of `bytes`, which stands at `start` in the window, and returns
    /// its length. A fault is damage to the framing; a packet or an interface that cannot be read
    /// is only counted.
    fn take_block(
        &mut self,
        bytes: &[u8],
        start: usize,
        byte_offset: u64,
        records: &mut Records,
    ) -> Result<usize, Break> {
        let length = self.next_block(bytes)?;
        let bytes = &bytes[..length];
        if bytes[..4] == SECTION {
            self.section = Some(Section::parse(bytes)?);
            return Ok(length);
        }
        let section = self.section.as_mut().expect("a section stands before every other block");
        let block =
            Block { body: &bytes[BLOCK_HEADER_LENGTH..length - BLOCK_TRAILER_LENGTH], start };
        let result = match section.order.u32(bytes, 0) {
            INTERFACE => section.add_interface(block.body),
            ENHANCED_PACKET => section.add_packet(block, section.enhanced(block.body), records),
            SIMPLE_PACKET => section.add_packet(block, section.simple(block.body), records),
            OBSOLETE_PACKET => section.add_packet(block, section.obsolete(block.body), records),
            // Names, statistics, secrets, custom blocks, and what is not known yet.
            _ => Ok(()),
        };
        if let Err(fault) = result {
            records.push_fault(byte_offset, fault);
        }
        Ok(length)
    }
}

/// What keeps a walk from the next block.
enum Break {
    Stop(Stop),
    Fault(Fault),
}

impl From<Fault> for Break {
    fn from(fault: Fault) -> Self {
        Self::Fault(fault)
    }
}

/// The same in both byte orders.
pub(super) const SECTION: [u8; 4] = [0x0A, 0x0D, 0x0D, 0x0A];
const INTERFACE: u32 = 1;
const OBSOLETE_PACKET: u32 = 2;
const SIMPLE_PACKET: u32 = 3;
const ENHANCED_PACKET: u32 = 6;

const BLOCK_HEADER_LENGTH: usize = 8;
const BLOCK_TRAILER_LENGTH: usize = 4;
const BLOCK_LENGTH_MIN: u32 = 12;
/// As much of a section header as tells its byte order.
const SECTION_MIN: usize = 12;
/// Far more than any machine has; a bound, since the descriptions are kept.
const INTERFACES_MAX: usize = 65_536;

fn section_order(start: &[u8; SECTION_MIN]) -> Result<ByteOrder, Fault> {
    match [start[8], start[9], start[10], start[11]] {
        [0x1A, 0x2B, 0x3C, 0x4D] => Ok(ByteOrder::Big),
        [0x4D, 0x3C, 0x2B, 0x1A] => Ok(ByteOrder::Little),
        other => Err(Fault::Magic(u32::from_be_bytes(other))),
    }
}

impl Section {
    fn parse(bytes: &[u8]) -> Result<Self, Fault> {
        const LENGTH_MIN: usize = 28;
        if bytes.len() < LENGTH_MIN {
            return Err(Fault::BlockTooShort("a section header"));
        }
        let start = bytes.first_chunk().expect("the length has just been checked");
        let order = section_order(start)?;
        match (order.u16(bytes, 12), order.u16(bytes, 14)) {
            (1, _) => Ok(Self { order, interfaces: Vec::new(), last_time_ns: 0 }),
            (major, minor) => Err(Fault::Version { major, minor }),
        }
    }

    fn add_interface(&mut self, body: &[u8]) -> Result<(), Fault> {
        if self.interfaces.len() == INTERFACES_MAX {
            return Err(Fault::TooManyInterfaces);
        }
        if body.len() < 8 {
            self.interfaces.push(None);
            return Err(Fault::BlockTooShort("an interface description"));
        }
        let (clock, options) = Clock::parse(&body[8..], self.order);
        self.interfaces.push(Some(Interface {
            link_type: self.order.u16(body, 0),
            snap_length: self.order.u32(body, 4),
            clock,
        }));
        options
    }

    fn add_packet(
        &mut self,
        block: Block<'_>,
        fields: Result<PacketFields, Fault>,
        records: &mut Records,
    ) -> Result<(), Fault> {
        let fields = fields?;
        let interface = self.interface(fields.interface)?;
        let room = block.body.len() - fields.data_at;
        if fields.capture_length as usize > room {
            return Err(Fault::PacketBeyondBlock { claimed: fields.capture_length, room });
        }
        if fields.capture_length > CAPTURE_LENGTH_MAX {
            return Err(Fault::PacketTooLarge(fields.capture_length));
        }
        if let Some(time) = fields.time {
            self.last_time_ns = interface.clock.time_ns(time);
        }
        if fields.capture_length == 0 {
            return Err(Fault::NoData);
        }
        let header_length = BLOCK_HEADER_LENGTH + fields.data_at;
        records.packets.push(Packet {
            time_ns: self.last_time_ns,
            start: (block.start + header_length) as u32,
            capture_length: fields.capture_length,
            original_length: fields.original_length,
            link_type: interface.link_type,
            header_length: header_length as u16,
        });
        Ok(())
    }

    fn interface(&self, index: u32) -> Result<Interface, Fault> {
        self.interfaces.get(index as usize).copied().flatten().ok_or(Fault::UnknownInterface(index))
    }

    fn enhanced(&self, body: &[u8]) -> Result<PacketFields, Fault> {
        let interface = |body: &[u8]| self.order.u32(body, 0);
        self.timed(body, interface)
    }

    fn obsolete(&self, body: &[u8]) -> Result<PacketFields, Fault> {
        let interface = |body: &[u8]| u32::from(self.order.u16(body, 0));
        self.timed(body, interface)
    }

    #[inline]
    fn timed(&self, body: &[u8], interface: impl Fn(&[u8]) -> u32) -> Result<PacketFields, Fault> {
        const DATA_AT: usize = 20;
        if body.len() < DATA_AT {
            return Err(Fault::BlockTooShort("a packet header"));
        }
        let order = self.order;
        let time = u64::from(order.u32(body, 4)) << 32 | u64::from(order.u32(body, 8));
        Ok(PacketFields {
            interface: interface(body),
            time: Some(time),
            capture_length: order.u32(body, 12),
            original_length: order.u32(body, 16),
            data_at: DATA_AT,
        })
    }

    /// A simple packet belongs to the first interface and leaves its captured length to be known:
    /// the least of the original length, the interface's limit, and the room in its block.
    fn simple(&self, body: &[u8]) -> Result<PacketFields, Fault> {
        const DATA_AT: usize = 4;
        if body.len() < DATA_AT {
            return Err(Fault::BlockTooShort("a packet header"));
        }
        let original_length = self.order.u32(body, 0);
        let room = u32::try_from(body.len() - DATA_AT).unwrap_or(u32::MAX);
        let limit = match self.interface(0)?.snap_length {
            0 => u32::MAX,
            snap_length => snap_length,
        };
        let capture_length = original_length.min(limit).min(room);
        Ok(PacketFields {
            interface: 0,
            time: None,
            capture_length,
            original_length,
            data_at: DATA_AT,
        })
    }
}

impl Clock {
    /// Microseconds since 1970.
    const DEFAULT: Self = Self { resolution: Resolution::Multiply(1_000), offset_seconds: 0 };

    /// Reads the options of an interface. The clock is what they say up to an option that runs past
    /// the block, which is the error.
    fn parse(mut options: &[u8], order: ByteOrder) -> (Self, Result<(), Fault>) {
        const END: u16 = 0;
        const RESOLUTION: u16 = 9;
        const OFFSET: u16 = 14;
        let mut clock = Self::DEFAULT;
        while options.len() >= 4 {
            let (code, length) = (order.u16(options, 0), usize::from(order.u16(options, 2)));
            if code == END {
                break;
            }
            let Some(value) = options.get(4..4 + length) else {
                return (clock, Err(Fault::InterfaceOption));
            };
            match (code, length) {
                (RESOLUTION, 1) => clock.resolution = Resolution::of(value[0]),
                (OFFSET, 8) => clock.offset_seconds = offset_seconds(value, order),
                _ => {}
            }
            options = options.get(4 + length.next_multiple_of(4)..).unwrap_or_default();
        }
        (clock, Ok(()))
    }

    /// Saturates at both ends of what 64 bits of nanoseconds hold, the years 1677 and 2262.
    fn time_ns(&self, time: u64) -> i64 {
        let time = u128::from(time);
        let since_offset = match self.resolution {
            Resolution::Multiply(factor) => time * u128::from(factor),
            Resolution::Divide(divisor) => time / divisor,
            Resolution::Shift(bits) => (time * 1_000_000_000) >> bits,
        };
        // 64 bits of units and 30 of factor leave the sign alone.
        let time_ns = since_offset as i128 + i128::from(self.offset_seconds) * 1_000_000_000;
        time_ns.clamp(i64::MIN.into(), i64::MAX.into()) as i64
    }
}

impl Resolution {
    /// `if_tsresol`: the upper bit tells a power of 2 from one of 10.
    fn of(value: u8) -> Self {
        let exponent = u32::from(value & 0x7F);
        if value & 0x80 != 0 {
            Self::Shift(exponent)
        } else if exponent <= 9 {
            Self::Multiply(10_u64.pow(9 - exponent))
        } else {
            // Past 64 bits every time is 0 nanoseconds, however large the divisor.
            Self::Divide(10_u128.pow((exponent - 9).min(20)))
        }
    }
}

fn offset_seconds(value: &[u8], order: ByteOrder) -> i64 {
    let (first, second) = (u64::from(order.u32(value, 0)), u64::from(order.u32(value, 4)));
    let bits = match order {
        ByteOrder::Little => second << 32 | first,
        ByteOrder::Big => first << 32 | second,
    };
    bits as i64
}
