//! The books: what was read, what became of it, and why.

/// Why a record carries no IP flow; normal, and never an error.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[repr(u8)]
pub enum NotApplicable {
    /// A frame without an IP packet, such as ARP.
    NotIp,
    /// A link type that is not decoded.
    UnsupportedLinkType,
    /// A log record of another category.
    OtherLogCategory,
    /// A pcapng block that should hold a packet and has none.
    NoDataBlock,
}

/// Why a record could not be read.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[repr(u8)]
pub enum Damage {
    /// Cut before what labels need.
    Truncated,
    /// A packet whose headers contradict themselves.
    MalformedPacket,
    /// A flow tuple that breaks the format.
    MalformedTuple,
    /// A log record that breaks the format.
    MalformedRecord,
    /// A version of a format that is not known.
    UnsupportedVersion,
    /// A record over the size limit.
    RecordTooLarge,
    /// Headers or brackets nested too deep.
    NestingTooDeep,
    /// Damage to the framing of a capture or a compressed stream; ends that input.
    BadBlock,
    /// A named file that nothing recognises.
    UnrecognisedFile,
}

/// Why a record was read and yet has no label.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[repr(u8)]
pub enum Unknown {
    /// No table covers the source.
    NoRouteTable,
    /// The log's MAC address belongs to no NIC of the snapshot, and no place explains it.
    UnknownObserver,
    /// Several unpeered VNets hold the address.
    AmbiguousSource,
    /// A service tag whose prefixes are not known may hold the destination.
    UnresolvedServiceTag,
    /// ExpressRoute FastPath skips the gateway's routes.
    Fastpath,
}

/// Counts of one input, or of several together.
///
/// A record is a packet of a capture, a tuple of a flow log, or one stretch of an input that could
/// not be read as such. Whatever is read is counted once more by what became of it;
/// [`Tally::assert_balanced`] holds the two sides together.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Tally {
    /// Bytes taken from the input, before decompression.
    pub bytes_read: u64,
    /// Records read.
    pub records_read: u64,
    /// Records that got a label.
    pub classified: u64,
    unknown: [u64; Unknown::ALL.len()],
    not_applicable: [u64; NotApplicable::ALL.len()],
    damaged: [u64; Damage::ALL.len()],
    first_damages: Vec<DamagePlace>,
}

/// Where damage was met.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DamagePlace {
    /// What was wrong.
    pub damage: Damage,
    /// The record's number in its input, 1-based.
    pub record: u64,
    /// The offset of the record (or of the damage itself, for framing) in the decompressed input.
    pub byte_offset: u64,
    /// What exactly: a JSON path, a header's name, a value.
    pub detail: String,
}

impl Tally {
    /// How many places are kept; later damage is counted only.
    pub const FIRST_DAMAGES_MAX: usize = 10;

    /// Counts a record that is no IP flow. The record must be counted as read elsewhere.
    pub fn count_not_applicable(&mut self, reason: NotApplicable, records: u64) {
        self.not_applicable[reason as usize] += records;
    }

    /// Counts a record that got no label.
    pub fn count_unknown(&mut self, reason: Unknown, records: u64) {
        self.unknown[reason as usize] += records;
    }

    /// Counts one damaged record and keeps its place if it is among the first.
    ///
    /// The detail is a closure, because most damage is only counted.
    pub fn count_damage(
        &mut self,
        damage: Damage,
        record: u64,
        byte_offset: u64,
        detail: impl FnOnce() -> String,
    ) {
        self.damaged[damage as usize] += 1;
        if self.first_damages.len() < Self::FIRST_DAMAGES_MAX {
            self.first_damages.push(DamagePlace { damage, record, byte_offset, detail: detail() });
        }
    }

    /// Adds the counts of the chunk that follows; its record numbers count from the records read
    /// before it.
    pub fn absorb_next(&mut self, next: &Self) {
        let before = self.records_read;
        self.add_counts(next);
        let room = Self::FIRST_DAMAGES_MAX - self.first_damages.len();
        self.first_damages.extend(
            next.first_damages
                .iter()
                .take(room)
                .map(|place| DamagePlace { record: before + place.record, ..place.clone() }),
        );
    }

    /// Adds the counts of another input, without its places.
    pub fn add_counts(&mut self, other: &Self) {
        self.bytes_read += other.bytes_read;
        self.records_read += other.records_read;
        self.classified += other.classified;
        add_each(&mut self.unknown, &other.unknown);
        add_each(&mut self.not_applicable, &other.not_applicable);
        add_each(&mut self.damaged, &other.damaged);
    }

    /// Sets every count to zero and keeps the memory.
    pub fn clear(&mut self) {
        let mut first_damages = std::mem::take(&mut self.first_damages);
        first_damages.clear();
        *self = Self { first_damages, ..Self::default() };
    }

    /// Returns the count of one reason.
    pub fn unknown(&self, reason: Unknown) -> u64 {
        self.unknown[reason as usize]
    }

    /// Returns the count of one reason.
    pub fn not_applicable(&self, reason: NotApplicable) -> u64 {
        self.not_applicable[reason as usize]
    }

    /// Returns the count of one reason.
    pub fn damaged(&self, reason: Damage) -> u64 {
        self.damaged[reason as usize]
    }

    /// Returns the records without a label.
    pub fn unknown_total(&self) -> u64 {
        self.unknown.iter().sum()
    }

    /// Returns the records that are no IP flow.
    pub fn not_applicable_total(&self) -> u64 {
        self.not_applicable.iter().sum()
    }

    /// Returns the damaged records.
    pub fn damaged_total(&self) -> u64 {
        self.damaged.iter().sum()
    }

    /// Returns the first places of damage, in the order of the input.
    pub fn first_damages(&self) -> &[DamagePlace] {
        &self.first_damages
    }

    /// Asserts that every record read is accounted for.
    ///
    /// # Panics
    ///
    /// When it is not: then the program lost or invented a record, and no result of the run may
    /// be published.
    pub fn assert_balanced(&self) {
        let accounted = self.classified
            + self.unknown_total()
            + self.not_applicable_total()
            + self.damaged_total();
        assert_eq!(
            self.records_read, accounted,
            "the books do not balance: records read against records accounted for"
        );
    }
}

impl NotApplicable {
    /// Every reason.
    pub const ALL: [Self; 4] =
        [Self::NotIp, Self::UnsupportedLinkType, Self::OtherLogCategory, Self::NoDataBlock];

    /// Returns the word that stands in every output.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::NotIp => "not_ip",
            Self::UnsupportedLinkType => "unsupported_link_type",
            Self::OtherLogCategory => "other_log_category",
            Self::NoDataBlock => "no_data_block",
        }
    }
}

impl Damage {
    /// Every reason.
    pub const ALL: [Self; 9] = [
        Self::Truncated,
        Self::MalformedPacket,
        Self::MalformedTuple,
        Self::MalformedRecord,
        Self::UnsupportedVersion,
        Self::RecordTooLarge,
        Self::NestingTooDeep,
        Self::BadBlock,
        Self::UnrecognisedFile,
    ];

    /// Returns the word that stands in every output.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Truncated => "truncated",
            Self::MalformedPacket => "malformed_packet",
            Self::MalformedTuple => "malformed_tuple",
            Self::MalformedRecord => "malformed_record",
            Self::UnsupportedVersion => "unsupported_version",
            Self::RecordTooLarge => "record_too_large",
            Self::NestingTooDeep => "nesting_too_deep",
            Self::BadBlock => "bad_block",
            Self::UnrecognisedFile => "unrecognised_file",
        }
    }
}

impl Unknown {
    /// Every reason.
    pub const ALL: [Self; 5] = [
        Self::NoRouteTable,
        Self::UnknownObserver,
        Self::AmbiguousSource,
        Self::UnresolvedServiceTag,
        Self::Fastpath,
    ];

    /// Returns the word that stands in every output.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::NoRouteTable => "no_route_table",
            Self::UnknownObserver => "unknown_observer",
            Self::AmbiguousSource => "ambiguous_source",
            Self::UnresolvedServiceTag => "unresolved_service_tag",
            Self::Fastpath => "fastpath",
        }
    }
}

fn add_each(sums: &mut [u64], others: &[u64]) {
    for (sum, other) in sums.iter_mut().zip(others) {
        *sum += other;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn places_count_from_the_records_before_them_and_stop_at_the_limit() {
        let mut chunk = Tally { records_read: 100, ..Tally::default() };
        for record in 1..=6 {
            chunk.count_damage(Damage::Truncated, record, record * 10, || "cut".into());
        }
        chunk.classified = 94;
        let mut total = Tally::default();
        total.absorb_next(&chunk);
        total.absorb_next(&chunk);
        total.assert_balanced();
        assert_eq!(total.damaged(Damage::Truncated), 12);
        let records: Vec<u64> = total.first_damages().iter().map(|place| place.record).collect();
        assert_eq!(records, [1, 2, 3, 4, 5, 6, 101, 102, 103, 104]);
    }

    #[test]
    #[should_panic(expected = "the books do not balance")]
    fn a_lost_record_is_noticed() {
        Tally { records_read: 2, classified: 1, ..Tally::default() }.assert_balanced();
    }

    #[test]
    fn each_reason_has_its_own_count() {
        let mut tally = Tally::default();
        for reason in Damage::ALL {
            tally.count_damage(reason, 1, 0, String::new);
            assert_eq!(tally.damaged(reason), 1, "{}", reason.as_str());
        }
        for reason in NotApplicable::ALL {
            tally.count_not_applicable(reason, 2);
            assert_eq!(tally.not_applicable(reason), 2, "{}", reason.as_str());
        }
        for reason in Unknown::ALL {
            tally.count_unknown(reason, 3);
            assert_eq!(tally.unknown(reason), 3, "{}", reason.as_str());
        }
    }
}
