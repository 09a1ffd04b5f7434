//! What every engine can do, and their names.

use std::fmt;

/// An implementation of longest-prefix match.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum LpmKind {
    /// A linear scan: the reference.
    Naive,
    /// A compressed trie of 64-way nodes behind a direct table.
    Poptrie,
    /// A table of all /24 with sub-tables for what is longer. IPv4 only: the IPv6 side of such a
    /// table is a poptrie.
    Dir24_8,
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
    fn lookup_batch(&self, addresses: &[A], values: &mut [u16]) {
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
    /// assert_eq!(LpmKind::ALL.map(LpmKind::as_str), ["naive", "poptrie", "dir24_8"]);
    /// ```
    pub const ALL: [Self; 3] = [Self::Naive, Self::Poptrie, Self::Dir24_8];

    /// Returns the engine's name in every output.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Naive => "naive",
            Self::Poptrie => "poptrie",
            Self::Dir24_8 => "dir24_8",
        }
    }
}

impl fmt::Display for LpmKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}
