//! DIR-24-8: one entry for each /24, and a table apart for each /24 that holds longer prefixes.
//!
//! ```text
//!   address  │      24 bits      │ 8 bits │
//!                     │              │
//!   TBL24   [ 2^24 codes, ▼ ]        │
//!                   code ──▶ value   │
//!                     └────▶ escape ─┴─▶ DIR-16-8-8 of those /24
//! ```
//!
//! Codes are of 8 bits where the routes have up to 255 values (one code is the escape), of 16
//! otherwise. Narrow codes halve what a lookup drags through the caches, which on the Internet's
//! table is all of its cost. In DIR-24-8 as published a code also numbers the group of 256 below
//! it; here one escape stands for all of them, or the codes would have to be wide. It fits what
//! this engine is for: of a million ranges of the Internet, 451 of 2^24 slots are split.
//!
//! Source: P. Gupta, S. Lin, N. McKeown, "Routing Lookups in Hardware at Memory Access Speeds",
//! INFOCOM 1998, §3.

use super::dir16_8_8::Dir16_8_8;
use super::engine::{Engine, LpmKind};
use super::error::CompileError;
use super::kernel::Isa;
use super::kernel_dir::{Code, TBL24_LENGTH, Tbl24};
use super::ranges::Range;
use crate::memory::HugeSlice;

/// DIR-24-8 with codes of type `C`.
struct Dir24_8<C> {
    tbl24: Tbl24<C>,
    /// The ranges of the split /24 and value 0 elsewhere.
    beyond: Dir16_8_8,
}

/// Compiles flat ranges, with the narrowest codes that can number the values.
pub(super) fn compile(ranges: &[Range<u32, u16>]) -> Result<Box<dyn Engine<u32>>, CompileError> {
    let beyond = Dir16_8_8::compile(&split_ranges(ranges))?;
    let used = used_values(ranges);
    // The last value of 8 bits is kept as the escape.
    if used.iter().all(|&value| value < 255) {
        let tbl24 = emit(ranges, u8::MAX, |value| value as u8);
        return Ok(Box::new(Dir24_8 { tbl24: Tbl24::new(tbl24, u8::MAX, None), beyond }));
    }
    if used.len() <= 255 {
        let mut values = Box::new([0; 256]);
        values[..used.len()].copy_from_slice(&used);
        let code_of = |value| used.binary_search(&value).expect("each value is there") as u8;
        let tbl24 = emit(ranges, u8::MAX, code_of);
        return Ok(Box::new(Dir24_8 { tbl24: Tbl24::new(tbl24, u8::MAX, Some(values)), beyond }));
    }
    let Some(escape) = (0..=u16::MAX).find(|value| used.binary_search(value).is_err()) else {
        let (kind, what) = (LpmKind::Dir24_8, "values with no route");
        return Err(CompileError::TooLarge { kind, what, limit: usize::from(u16::MAX) });
    };
    let tbl24 = emit(ranges, escape, |value| value);
    Ok(Box::new(Dir24_8 { tbl24: Tbl24::new(tbl24, escape, None), beyond }))
}

impl<C: Code> Engine<u32> for Dir24_8<C> {
    fn kind(&self) -> LpmKind {
        LpmKind::Dir24_8
    }

    fn lookup(&self, address: u32) -> u16 {
        self.tbl24.lookup(address).unwrap_or_else(|| self.beyond.lookup(address))
    }

    fn lookup_batch(&self, isa: Isa, addresses: &[u32], values: &mut [u16]) {
        self.tbl24.lookup_batch(isa, addresses, values, |address| self.beyond.lookup(address));
    }

    fn memory_bytes(&self) -> usize {
        size_of::<Self>() - size_of::<Dir16_8_8>()
            + self.tbl24.heap_bytes()
            + self.beyond.memory_bytes()
    }
}

/// Returns the codes of all /24.
fn emit<C: Code>(
    ranges: &[Range<u32, u16>],
    escape: C,
    code_of: impl Fn(u16) -> C,
) -> HugeSlice<C> {
    let mut codes = HugeSlice::filled(code_of(ranges[0].value), TBL24_LENGTH);
    for (index, range) in ranges.iter().enumerate() {
        let end = ranges.get(index + 1).map_or(TBL24_LENGTH, |next| slot_of(next.first));
        let start = slot_of(range.first);
        let whole = start + usize::from(is_inside_slot(range));
        if whole < end {
            codes[whole..end].fill(code_of(range.value));
        }
        if is_inside_slot(range) {
            codes[start] = escape;
        }
    }
    codes
}

/// Returns the ranges of /24 that more than one range shares, and value 0 between them.
fn split_ranges(ranges: &[Range<u32, u16>]) -> Vec<Range<u32, u16>> {
    let mut split = vec![Range { first: 0, value: 0 }];
    let mut value_before = 0;
    for starts in ranges.chunk_by(|a, b| slot_of(a.first) == slot_of(b.first)) {
        if starts.iter().any(is_inside_slot) {
            let first = starts[0].first & !0xFF;
            split.pop_if(|range| range.first == first);
            if starts[0].first != first {
                split.push(Range { first, value: value_before });
            }
            split.extend_from_slice(starts);
            split.extend(first.checked_add(256).map(|first| Range { first, value: 0 }));
        }
        value_before = starts[starts.len() - 1].value;
    }
    split.dedup_by(|later, earlier| later.value == earlier.value);
    split
}

/// Returns the values in use, ascending; 0 is always one.
fn used_values(ranges: &[Range<u32, u16>]) -> Vec<u16> {
    let mut is_used = vec![false; 1 << 16];
    is_used[0] = true;
    for range in ranges {
        is_used[usize::from(range.value)] = true;
    }
    (0..=u16::MAX).filter(|&value| is_used[usize::from(value)]).collect()
}

fn is_inside_slot(range: &Range<u32, u16>) -> bool {
    range.first & 0xFF != 0
}

fn slot_of(address: u32) -> usize {
    (address >> 8) as usize
}

#[cfg(test)]
mod tests {
    use std::net::Ipv4Addr;

    use super::*;
    use crate::lpm::conformance::conformance;
    use crate::lpm::ranges::flatten;
    use crate::lpm::table::Route;
    use crate::net::AddressPrefix;

    conformance!(ipv4, u32, |routes| compile(&flatten(routes, 0)).unwrap());

    /// The ranges of routes to the middle address of /24 after /24, one of each value.
    fn one_to_a_slot(values: impl IntoIterator<Item = u16>) -> Vec<Range<u32, u16>> {
        let routes: Vec<Route> = (0u32..)
            .zip(values)
            .map(|(slot, value)| {
                let address = Ipv4Addr::from_bits(slot << 8 | 0x80);
                (AddressPrefix::host(address.into()), value)
            })
            .collect();
        flatten(&routes, 0)
    }

    #[test]
    fn codes_are_as_wide_as_the_values_ask() {
        let widths: [(Vec<u16>, usize); 6] = [
            // 254 values and "no route" leave one code of 255 for the escape.
            ((1..=254).collect(), 1),
            ((1..=255).collect(), 2),
            // Of few values none is small.
            ((65_282..=65_535).collect(), 1),
            ((65_281..=65_535).collect(), 2),
            (vec![65_535; 3], 1),
            ((1..=65_534).collect(), 2),
        ];
        for (values, width) in widths {
            let ranges = one_to_a_slot(values.iter().copied());
            let table = compile(&ranges).unwrap();
            let tbl24_bytes = table.memory_bytes() - Dir16_8_8::memory_bytes_of(&ranges);
            assert_eq!(tbl24_bytes / TBL24_LENGTH, width, "{} values", values.len());
            for (slot, &value) in (0u32..).zip(&values) {
                let neighbours = [0x7F, 0x80, 0x81].map(|low| table.lookup(slot << 8 | low));
                assert_eq!(neighbours, [0, value, 0], "slot {slot}");
            }
            let hosts: Vec<u32> = (0..values.len() as u32).map(|slot| slot << 8 | 0x80).collect();
            for isa in Isa::available() {
                let mut found = vec![0xDEAD; hosts.len()];
                table.lookup_batch(isa, &hosts, &mut found);
                assert_eq!(found, values, "{isa:?}");
            }
        }
    }

    /// Codes that stand for values of their own, in slots that are whole.
    #[test]
    fn codes_of_whole_slots_are_their_values() {
        let routes: Vec<Route> = (1..=200u16)
            .map(|slot| {
                let address = Ipv4Addr::from_bits(u32::from(slot) << 8);
                (AddressPrefix::new(address.into(), 24).unwrap(), 1_000 + slot)
            })
            .collect();
        let table = compile(&flatten(&routes, 0)).unwrap();
        let addresses: Vec<u32> = (0..=201).map(|slot| slot << 8 | 9).collect();
        let want: Vec<u16> = (0..=201)
            .map(|slot| if (1..=200).contains(&slot) { 1_000 + slot } else { 0 })
            .collect();
        for isa in Isa::available() {
            let mut values = vec![0xDEAD; addresses.len()];
            table.lookup_batch(isa, &addresses, &mut values);
            assert_eq!(values, want, "{isa:?}");
        }
    }

    #[test]
    fn no_code_left_for_the_escape_is_an_error() {
        let error = compile(&one_to_a_slot(1..=65_535)).map(|_| ()).unwrap_err();
        assert_eq!(
            error.to_string(),
            "the routes need more than 65535 values with no route, the limit of dir24_8"
        );
    }

    #[test]
    fn only_split_slots_go_beyond() {
        let routes: Vec<Route> = [
            ("10.0.0.0/8", 1),
            ("10.0.0.0/24", 2),
            ("10.0.1.0/26", 3),
            ("10.0.2.255/32", 4),
            ("255.255.255.255/32", 5),
        ]
        .map(|(prefix, value)| (prefix.parse().unwrap(), value))
        .into();
        let split: Vec<_> = split_ranges(&flatten(&routes, 0))
            .into_iter()
            .map(|range| (range.first, range.value))
            .collect();
        assert_eq!(
            split,
            [
                (0, 0),
                (0x0A00_0100, 3),
                (0x0A00_0140, 1),
                (0x0A00_02FF, 4),
                (0x0A00_0300, 0),
                (0xFFFF_FFFF, 5)
            ]
        );
    }
}
