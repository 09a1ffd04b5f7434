//! A record without its tuples.
//!
//! ```text
//! record    {…"flowGroups":[{"rule":"a","flowTuples":["1733…","1733…"]},{"rule":"b","flowTuples":[…]}]…}
//! skeleton  {…"flowGroups":[{"rule":"a","flowTuples":[""]},{"rule":"b","flowTuples":[""]}]…}
//!                                        place of a mark ╯
//! ```
//!
//! Nine tenths of a record are tuples, whose text is of one kind. So the JSON of a record is read
//! without them, and they are decoded where they stand. What is left out of the skeleton is not yet
//! known to be tuples, or JSON; who decodes them must meet nothing else up to the bracket that closes
//! their array, or read the whole record as JSON.

use memchr::memmem::Finder;

/// A record with a mark in the place of each array of tuples.
#[derive(Debug)]
pub(super) struct Skeleton {
    bytes: Vec<u8>,
    arrays: Vec<TupleArray>,
    key: Finder<'static>,
}

/// An array of tuples.
#[derive(Clone, Copy, Debug)]
pub(super) struct TupleArray {
    /// Where its first tuple's quote stands in the record.
    pub(super) start: usize,
    /// Where its closing bracket stands in the record, if all before it are tuples.
    pub(super) end: usize,
    /// Where its mark, an empty text, stands in the skeleton: nothing else of a record can stand
    /// there.
    pub(super) mark: usize,
}

impl Default for Skeleton {
    fn default() -> Self {
        Self { bytes: Vec::new(), arrays: Vec::new(), key: Finder::new(KEY) }
    }
}

impl Skeleton {
    /// Takes the place of the skeleton before. Returns false where there is nothing to leave out.
    ///
    /// Cost: a search through the record, and a copy of what is no tuple.
    pub(super) fn take(&mut self, record: &[u8]) -> bool {
        self.bytes.clear();
        self.arrays.clear();
        let mut copied = 0;
        while let Some(found) = self.key.find(&record[copied..]) {
            let start = copied + found + KEY.len();
            let Some(length) = memchr::memchr(b']', &record[start..]) else { break };
            let end = start + length;
            self.bytes.extend_from_slice(&record[copied..start]);
            self.bytes.extend_from_slice(MARK);
            self.arrays.push(TupleArray { start, end, mark: self.bytes.len() - 1 });
            copied = end;
        }
        self.bytes.extend_from_slice(&record[copied..]);
        !self.arrays.is_empty()
    }

    /// Returns the skeleton's own bytes.
    pub(super) fn bytes(&self) -> &[u8] {
        &self.bytes
    }

    /// Returns the arrays that were left out, in their order.
    pub(super) fn arrays(&self) -> &[TupleArray] {
        &self.arrays
    }
}

/// As Azure writes it; other spellings stay in the skeleton, with their tuples.
const KEY: &[u8] = b"\"flowTuples\":[";

/// An empty text; it begins at its second quote.
const MARK: &[u8] = b"\"\"";
