//! What the container of a capture holds: packets, and what could not be read as one.

use crate::traffic::{Damage, NotApplicable};

/// Where a packet stands in its window, and what the container says about it.
#[derive(Clone, Copy, Debug)]
pub(super) struct Packet {
    pub(super) time_ns: i64,
    /// Where its bytes start in the window.
    pub(super) start: u32,
    pub(super) capture_length: u32,
    pub(super) original_length: u32,
    pub(super) link_type: u16,
    /// How far before `start` its record starts.
    pub(super) header_length: u16,
}

const _: () = assert!(size_of::<Packet>() == 24);

/// The records of one window, in the order of the input.
#[derive(Debug, Default)]
pub(super) struct Records {
    pub(super) packets: Vec<Packet>,
    /// Rare, and so kept apart from the packets.
    pub(super) faults: Vec<PlacedFault>,
}

/// A record that is no packet, and where it stands among the packets.
#[derive(Debug)]
pub(super) struct PlacedFault {
    pub(super) packets_before: usize,
    pub(super) byte_offset: u64,
    pub(super) fault: Fault,
}

/// Why a record of the container gives no packet.
#[derive(Debug, thiserror::Error)]
pub(super) enum Fault {
    #[error("the block holds no packet data")]
    NoData,
    #[error("the capture ends inside {0}")]
    Cut(&'static str),
    #[error("the input ends early: {0}")]
    InputCut(String),
    #[error("the input cannot be read on: {0}")]
    InputBroken(String),
    #[error("the magic number {0:#010x} is no capture's")]
    Magic(u32),
    #[error("version {major}.{minor} of the format is not known")]
    Version { major: u16, minor: u16 },
    #[error("the record declares {0} captured bytes, more than 262144")]
    RecordLength(u32),
    #[error("the packet has {0} captured bytes, more than 262144")]
    PacketTooLarge(u32),
    #[error("the block has {0} bytes, more than 16777216")]
    BlockTooLarge(u32),
    #[error("the block declares a length of {0} bytes")]
    BlockLength(u32),
    #[error("the block's length is {leading} at its start and {trailing} at its end")]
    TrailingLength { leading: u32, trailing: u32 },
    #[error("the packet names interface {0}, which its section does not describe")]
    UnknownInterface(u32),
    #[error("the packet claims {claimed} captured bytes of a block with room for {room}")]
    PacketBeyondBlock { claimed: u32, room: usize },
    #[error("the block is too short for {0}")]
    BlockTooShort(&'static str),
    #[error("an option of the interface description runs past its block")]
    InterfaceOption,
    #[error("the section describes more than 65536 interfaces")]
    TooManyInterfaces,
}

/// How a fault is counted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Count {
    NotApplicable(NotApplicable),
    Damaged(Damage),
}

impl Records {
    pub(super) fn push_fault(&mut self, byte_offset: u64, fault: Fault) {
        self.faults.push(PlacedFault { packets_before: self.packets.len(), byte_offset, fault });
    }

    pub(super) fn is_empty(&self) -> bool {
        self.packets.is_empty() && self.faults.is_empty()
    }

    pub(super) fn clear(&mut self) {
        self.packets.clear();
        self.faults.clear();
    }
}

impl Fault {
    pub(super) fn count(&self) -> Count {
        match self {
            Self::NoData => Count::NotApplicable(NotApplicable::NoDataBlock),
            Self::Cut(_) | Self::InputCut(_) => Count::Damaged(Damage::Truncated),
            Self::Version { .. } => Count::Damaged(Damage::UnsupportedVersion),
            Self::PacketTooLarge(_) | Self::BlockTooLarge(_) => {
                Count::Damaged(Damage::RecordTooLarge)
            }
            Self::InputBroken(_)
            | Self::Magic(_)
            | Self::RecordLength(_)
            | Self::BlockLength(_)
            | Self::TrailingLength { .. }
            | Self::UnknownInterface(_)
            | Self::PacketBeyondBlock { .. }
            | Self::BlockTooShort(_)
            | Self::InterfaceOption
            | Self::TooManyInterfaces => Count::Damaged(Damage::BadBlock),
        }
    }
}

/// More than this is never captured of one packet: libpcap's own limit.
///
/// Source: libpcap, `MAXIMUM_SNAPLEN` (read 2026-11-20).
pub(super) const CAPTURE_LENGTH_MAX: u32 = 256 << 10;

/// What a walk over a window ended at.
#[derive(Debug)]
pub(super) struct Walk {
    /// How many bytes of the window were whole records.
    pub(super) length: usize,
    pub(super) stop: Stop,
}

/// Why a walk ended.
#[derive(Debug)]
pub(super) enum Stop {
    /// The next record needs so many bytes; `inside` names it.
    Need { bytes: usize, inside: &'static str },
    /// The next block is too large to hold, and is to be skipped.
    Skip { bytes: u32, order: ByteOrder },
    /// The framing is damaged: nothing behind can be trusted.
    Damaged,
}

/// The byte order of a file or a section.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum ByteOrder {
    Little,
    Big,
}

impl ByteOrder {
    /// Returns the number at `at`.
    ///
    /// # Panics
    ///
    /// When it stands beyond `bytes`, whose length the caller has checked.
    #[inline]
    pub(super) fn u32(self, bytes: &[u8], at: usize) -> u32 {
        let bytes = bytes[at..at + 4].try_into().expect("four bytes are four bytes");
        match self {
            Self::Little => u32::from_le_bytes(bytes),
            Self::Big => u32::from_be_bytes(bytes),
        }
    }

    /// As [`u32`](Self::u32).
    #[inline]
    pub(super) fn u16(self, bytes: &[u8], at: usize) -> u16 {
        let bytes = bytes[at..at + 2].try_into().expect("two bytes are two bytes");
        match self {
            Self::Little => u16::from_le_bytes(bytes),
            Self::Big => u16::from_be_bytes(bytes),
        }
    }
}
