//! Batches of lookups in direct tables.
//!
//! Reads are in chunks of eight: all first reads, then all second ones. Within a chunk they do not
//! wait for each other, and what happens between them is done on vectors. Gathers of AVX-512 were
//! slower everywhere (300 routes: 850 M lookups/s against 1,290), as was the plain loop on tables
//! beyond the inner caches (service tags: 540 against 810).

#![expect(unsafe_code, reason = "reads without bounds checks")]

use super::kernel::{Isa, at};
use crate::memory::HugeSlice;
#[cfg(target_arch = "x86_64")]
use crate::memory::prefetch;

/// An entry of TBL16 or TBL24: where in the next table the answer is.
///
/// ```text
///   bit 31              5 4     0
///      │ first index     │ shift │      index: first + (low bits of the address >> shift)
/// ```
///
/// An entry that is a value has the value as its first index and shifts all low bits away.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Entry(u32);

impl Entry {
    /// The highest number of entries of a table, so that every index fits.
    pub(super) const INDEX_MAX: usize = 1 << 27;

    /// Stands for a value where `low_bits` of the address are left.
    pub(super) fn value(value: u16, low_bits: u32) -> Self {
        Self(u32::from(value) << 5 | low_bits)
    }

    /// Leads to the group that begins at `first`; `shift` of the low bits do not count.
    pub(super) fn group(first: usize, shift: u32) -> Self {
        assert!(first < Self::INDEX_MAX && shift < 16, "{first} {shift}");
        Self((first as u32) << 5 | shift)
    }

    /// Returns the index in the next table.
    #[inline(always)]
    fn index(self, low_bits: u32) -> usize {
        ((self.0 >> 5) + (low_bits >> (self.0 & 31))) as usize
    }

    /// Returns true for an entry of TBL16 that is a value: only those shift 16 bits.
    #[inline(always)]
    fn is_value_of_16(self) -> bool {
        self.0 & 16 != 0
    }

    /// Returns the value of an entry that is one.
    #[inline(always)]
    fn as_value(self) -> u16 {
        (self.0 >> 5) as u16
    }
}

/// The tables of DIR-16-8-8, checked: every entry leads inside the next table.
pub(super) struct Dir16Tables {
    tbl16: HugeSlice<Entry>,
    tbl24: HugeSlice<Entry>,
    tbl32: HugeSlice<u16>,
}

/// What one decision between ways is made for.
const BURST: usize = 256;
const CHUNK: usize = 32;

/// How many codes of TBL24 are asked for at once.
#[cfg(target_arch = "x86_64")]
const BURST_OF_24: usize = 128;

impl Dir16Tables {
    /// Takes the tables.
    ///
    /// # Panics
    ///
    /// Panics if an entry leads outside.
    pub(super) fn new(tbl16: &[Entry], tbl24: &[Entry], tbl32: &[u16]) -> Self {
        assert_eq!(tbl16.len(), 1 << 16);
        assert!(tbl16.iter().all(|entry| entry.index(0xFFFF) < tbl24.len()));
        assert!(tbl24.iter().all(|entry| entry.index(0xFF) < tbl32.len()));
        Self {
            tbl16: HugeSlice::new(tbl16),
            tbl24: HugeSlice::new(tbl24),
            tbl32: HugeSlice::new(tbl32),
        }
    }

    #[inline(always)]
    pub(super) fn lookup(&self, address: u32) -> u16 {
        let entry = self.tbl16[(address >> 16) as usize];
        let entry = self.tbl24[entry.index(address & 0xFFFF)];
        self.tbl32[entry.index(address & 0xFF)]
    }

    pub(super) fn lookup_batch(&self, isa: Isa, addresses: &[u32], values: &mut [u16]) {
        #[cfg(target_arch = "x86_64")]
        if isa.has_avx2() {
            for (addresses, values) in addresses.chunks(BURST).zip(values.chunks_mut(BURST)) {
                // SAFETY: the machine has what the kernel is compiled for.
                unsafe { self.lookup_burst_avx2(addresses, values) };
            }
            return;
        }
        let _ = isa;
        for (value, &address) in values.iter_mut().zip(addresses) {
            *value = self.lookup(address);
        }
    }

    pub(super) fn heap_bytes(&self) -> usize {
        size_of_val(&*self.tbl16) + size_of_val(&*self.tbl24) + size_of_val(&*self.tbl32)
    }

    /// While nothing needs more than its /16 (uniform addresses in a table of a few blocks), the
    /// first read is all there is; from the first chunk that often does, no more time is lost in
    /// asking.
    #[cfg(target_arch = "x86_64")]
    #[target_feature(enable = "avx2,bmi1,bmi2,popcnt")]
    fn lookup_burst_avx2(&self, addresses: &[u32], values: &mut [u16]) {
        let (chunks, rest) = addresses.as_chunks::<CHUNK>();
        let (value_chunks, value_rest) = values.as_chunks_mut::<CHUNK>();
        let mut is_shallow = true;
        for (addresses, values) in chunks.iter().zip(value_chunks) {
            if is_shallow {
                let entries = self.entries_of_16(addresses);
                let deep_count = entries.iter().filter(|entry| !entry.is_value_of_16()).count();
                if deep_count == 0 {
                    *values = entries.map(Entry::as_value);
                    continue;
                }
                is_shallow = deep_count <= CHUNK / 8;
            }
            let (eights, _) = addresses.as_chunks::<8>();
            let (value_eights, _) = values.as_chunks_mut::<8>();
            for (addresses, values) in eights.iter().zip(value_eights) {
                *values = self.lookup_8(addresses);
            }
        }
        for (value, &address) in value_rest.iter_mut().zip(rest) {
            *value = self.lookup(address);
        }
    }

    /// Volatile reads keep the compiler from assembling vectors item by item, which it takes for a
    /// gain and which halves the speed here.
    #[cfg(target_arch = "x86_64")]
    #[inline(always)]
    fn entries_of_16<const N: usize>(&self, addresses: &[u32; N]) -> [Entry; N] {
        let mut entries = [Entry(0); N];
        for (entry, address) in entries.iter_mut().zip(addresses) {
            let place = &self.tbl16[(address >> 16) as usize];
            // SAFETY: both are references to items; only how they are read is unusual.
            unsafe { std::ptr::write_volatile(entry, std::ptr::read_volatile(place)) };
        }
        entries
    }

    #[cfg(target_arch = "x86_64")]
    #[inline(always)]
    fn lookup_8(&self, addresses: &[u32; 8]) -> [u16; 8] {
        // SAFETY: TBL16 has an entry for any 16 bits, and each of its entries and of those of TBL24
        // leads inside the next table: `new` checked it.
        unsafe {
            let entries = addresses.map(|address| at(&self.tbl16, (address >> 16) as usize));
            let indices: [_; 8] =
                std::array::from_fn(|i| entries[i].index(addresses[i] & 0xFFFF) as u32);
            let entries = indices.map(|index| at(&self.tbl24, index as usize));
            let indices: [_; 8] =
                std::array::from_fn(|i| entries[i].index(addresses[i] & 0xFF) as u32);
            indices.map(|index| at(&self.tbl32, index as usize))
        }
    }
}

/// A number that stands for a value in TBL24 of DIR-24-8.
pub(super) trait Code: Copy + Eq + Into<u16> + Send + Sync + 'static {}

impl Code for u8 {}
impl Code for u16 {}

/// TBL24 of DIR-24-8, with an entry for each /24.
pub(super) struct Tbl24<C> {
    codes: HugeSlice<C>,
    /// The code of what is split below /24.
    pub(super) escape: C,
    /// The value of each code, where it is not the code itself.
    values: Option<Box<[u16; 256]>>,
}

pub(super) const TBL24_LENGTH: usize = 1 << 24;

impl<C: Code> Tbl24<C> {
    /// Takes the codes of all /24.
    ///
    /// # Panics
    ///
    /// Panics if there are not as many, or if `values` lacks some.
    pub(super) fn new(codes: HugeSlice<C>, escape: C, values: Option<Box<[u16; 256]>>) -> Self {
        assert_eq!(codes.len(), TBL24_LENGTH);
        assert!(values.is_none() || size_of::<C>() == 1, "256 values for codes of 8 bits");
        Self { codes, escape, values }
    }

    /// Returns the value of an address's /24, or `None` where that is split.
    #[inline(always)]
    pub(super) fn lookup(&self, address: u32) -> Option<u16> {
        let code = self.codes[(address >> 8) as usize];
        (code != self.escape).then(|| match &self.values {
            Some(values) => values[usize::from(code.into())],
            None => code.into(),
        })
    }

    /// Looks up the addresses; those whose /24 is split get their values from `beyond`.
    pub(super) fn lookup_batch(
        &self,
        isa: Isa,
        addresses: &[u32],
        values: &mut [u16],
        beyond: impl Fn(u32) -> u16,
    ) {
        #[cfg(target_arch = "x86_64")]
        if isa.has_avx2() {
            let bursts = addresses.chunks(BURST_OF_24).zip(values.chunks_mut(BURST_OF_24));
            for (addresses, values) in bursts {
                // SAFETY: the machine has what the kernel is compiled for.
                unsafe {
                    match &self.values {
                        Some(table) => self.lookup_burst_avx2(addresses, values, &beyond, |code| {
                            table[usize::from(code & 0xFF)]
                        }),
                        None => self.lookup_burst_avx2(addresses, values, &beyond, |code| code),
                    }
                }
            }
            return;
        }
        let _ = isa;
        for (value, &address) in values.iter_mut().zip(addresses) {
            *value = self.lookup(address).unwrap_or_else(|| beyond(address));
        }
    }

    pub(super) fn heap_bytes(&self) -> usize {
        size_of_val(&*self.codes) + self.values.as_deref().map_or(0, size_of_val)
    }

    /// All codes are asked for before any is read: of reads alone, which wait for their place in the
    /// order of instructions, fewer are on their way at a time.
    #[cfg(target_arch = "x86_64")]
    #[target_feature(enable = "avx2,bmi1,bmi2,popcnt")]
    fn lookup_burst_avx2(
        &self,
        addresses: &[u32],
        values: &mut [u16],
        beyond: impl Fn(u32) -> u16,
        value_of: impl Fn(u16) -> u16,
    ) {
        for &address in addresses {
            prefetch(&self.codes, (address >> 8) as usize);
        }
        let (chunks, rest) = addresses.as_chunks::<CHUNK>();
        let (value_chunks, value_rest) = values.as_chunks_mut::<CHUNK>();
        for (addresses, values) in chunks.iter().zip(value_chunks) {
            let eights = addresses.as_chunks::<8>().0.iter().zip(values.as_chunks_mut::<8>().0);
            for (addresses, values) in eights {
                // SAFETY: there is a code for any 24 bits: `new` checked it.
                let codes =
                    addresses.map(|address| unsafe { at(&self.codes, (address >> 8) as usize) });
                *values = codes.map(Into::into);
            }
            // Asked apart from the reads, of all at once: `contains` would ask one by one.
            let has_escape =
                values.iter().fold(false, |any, &code| any | (code == self.escape.into()));
            if has_escape {
                self.resolve_escapes(addresses, values, &beyond);
            } else {
                *values = values.map(&value_of);
            }
        }
        for (value, &address) in value_rest.iter_mut().zip(rest) {
            *value = self.lookup(address).unwrap_or_else(|| beyond(address));
        }
    }

    /// Few tables of this kind have prefixes longer than /24, and those have few: apart, so that
    /// the loop above stays small.
    #[cfg(target_arch = "x86_64")]
    #[cold]
    fn resolve_escapes(
        &self,
        addresses: &[u32; CHUNK],
        values: &mut [u16; CHUNK],
        beyond: impl Fn(u32) -> u16,
    ) {
        for (value, &address) in values.iter_mut().zip(addresses) {
            *value = self.lookup(address).unwrap_or_else(|| beyond(address));
        }
    }
}
