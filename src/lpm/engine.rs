//! What every engine can do, and their names.

use std::fmt;

use super::kernel::Isa;

/// An implementation of longest-prefix match.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum LpmKind {
    /// A linear scan: the reference.
    Naive,
    /// A compressed trie of 64-way nodes behind a direct table.
    Poptrie,
    /// A table of all /24, with sub-tables for what is longer. IPv4 only.
    Dir24_8,
    /// A table of all /16, with sub-tables for what is longer than those and than /24. IPv4 only.
    Dir16_8_8,
    /// A direct table with searched lines of ranges below it. IPv6 only.
    RangeTree,
}

/// One family's compiled table.
///
/// Private to this module, and so sealed: it can grow without breaking anyone.
pub(super) trait Engine<A: Copy>: Send + Sync {
    /// Names the implementation.
    fn kind(&self) -> LpmKind;

    /// Returns the value of the longest prefix that holds `address`, or 0.
    fn lookup(&self, address: A) -> u16;

    /// Looks up each of `addresses` into the same place of `values`, which is as long.
    ///
    /// An engine without a kernel for these instructions does it one by one.
    fn lookup_batch(&self, isa: Isa, addresses: &[A], values: &mut [u16]) {
        let _ = isa;
        for (value, &address) in values.iter_mut().zip(addresses) {
            *value = self.lookup(address);
        }
    }

    /// Returns the bytes that the table holds, its own header included.
    fn memory_bytes(&self) -> usize;
}

impl LpmKind {
    /// Every engine.
    ///
    /// # Examples
    ///
    /// ```
    /// use nexthop::lpm::LpmKind;
    ///
    /// let names = LpmKind::ALL.map(LpmKind::as_str);
    /// assert_eq!(names, [
    ///     "naive",
    ///     "poptrie",
    ///     "dir24_8",
    ///     "dir16_8_8",
    ///     "range_tree",
    /// ]);
    /// ```
    pub const ALL: [Self; 5] =
        [Self::Naive, Self::Poptrie, Self::Dir24_8, Self::Dir16_8_8, Self::RangeTree];

    /// Returns the engine's name in every output.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Naive => "naive",
            Self::Poptrie => "poptrie",
            Self::Dir24_8 => "dir24_8",
            Self::Dir16_8_8 => "dir16_8_8",
            Self::RangeTree => "range_tree",
        }
    }
}

impl fmt::Display for LpmKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}
