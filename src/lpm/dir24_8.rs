//! DIR-24-8: one entry for each /24, and 256 more for each /24 that holds longer prefixes.
//!
//! ```text
//!   address  │      24 bits      │ 8 bits │
//!                     │              │
//!   TBL24   [ 2^24 codes, ▼ ]        │
//!                   code ──▶ value   │           codes of values
//!                     └────▶ TBL8 group [ ▼ ]    codes of groups: first_group, first_group + 1, …
//! ```
//!
//! 65,536 values ("no route" is one of them) leave no code for a group in 16 bits. But tables that
//! use all of them do not occur in practice: groups take the widest run of numbers that no route
//! has as its value, which lets a value be its own code. Where no run is wide enough, TBL24 has
//! codes of 32 bits, and groups begin at 65,536. The lookup is the same.
//!
//! Source: P. Gupta, S. Lin, N. McKeown, "Routing Lookups in Hardware at Memory Access Speeds",
//! INFOCOM 1998, §3.

use std::fmt;

use super::engine::{Engine, LpmKind};
use super::error::CompileError;
use super::ranges::Range;

/// The highest number of TBL8 groups, which bounds them to 512 MiB. A group takes at least one
/// route longer than /24.
const GROUP_COUNT_MAX: usize = 1 << 20;

const SLOT_COUNT: usize = 1 << 24;

/// One of the 2^24 entries by slot, a /24; one of the 256 by the address's low bits.
type Tbl24<C> = [C; SLOT_COUNT];
type Group = [u16; 256];

/// DIR-24-8 with TBL24 codes of type `C`, `u16` or `u32`.
struct Dir24_8<C> {
    tbl24: Box<Tbl24<C>>,
    tbl8: Box<[Group]>,
    /// The code of `tbl8[0]`.
    first_group: u32,
}

/// Compiles flat ranges, with the narrowest codes that can number values and groups.
pub(super) fn compile(ranges: &[Range<u32, u16>]) -> Result<Box<dyn Engine<u32>>, CompileError> {
    compile_within(ranges, GROUP_COUNT_MAX)
}

fn compile_within(
    ranges: &[Range<u32, u16>],
    group_count_max: usize,
) -> Result<Box<dyn Engine<u32>>, CompileError> {
    let group_count = slots(ranges).filter(|starts| is_split(starts)).count();
    if group_count > group_count_max {
        return Err(CompileError::TooLarge {
            kind: LpmKind::Dir24_8,
            what: "TBL8 groups",
            limit: group_count_max,
        });
    }
    let unused = widest_unused_run(ranges);
    if group_count <= unused.len() {
        Ok(Box::new(Dir24_8::<u16>::emit(ranges, unused.start, group_count)))
    } else {
        Ok(Box::new(Dir24_8::<u32>::emit(ranges, 1 << 16, group_count)))
    }
}

impl<C: Code> Dir24_8<C> {
    fn emit(ranges: &[Range<u32, u16>], first_group: u32, group_count: usize) -> Self {
        // Comes zeroed from the system, so that pages without a route are never touched.
        let tbl24 = vec![C::from(0); SLOT_COUNT].into_boxed_slice();
        let mut tbl24: Box<Tbl24<C>> =
            tbl24.try_into().unwrap_or_else(|_| unreachable!("made with that length"));
        for (index, range) in ranges.iter().enumerate().filter(|(_, range)| range.value != 0) {
            let last = ranges.get(index + 1).map_or(u32::MAX, |next| next.first - 1);
            // A slot that two ranges share is split, and written below.
            tbl24[slot_of(range.first)..=slot_of(last)].fill(C::from(range.value));
        }

        let mut tbl8 = Vec::with_capacity(group_count);
        let mut value_before = 0;
        let mut code = first_group;
        for starts in slots(ranges) {
            if is_split(starts) {
                tbl24[slot_of(starts[0].first)] = C::try_from(code).expect("room was checked");
                tbl8.push(group_of(value_before, starts));
                code += 1;
            }
            value_before = starts[starts.len() - 1].value;
        }
        Self { tbl24, tbl8: tbl8.into(), first_group }
    }
}

impl<C: Code> Engine<u32> for Dir24_8<C> {
    fn kind(&self) -> LpmKind {
        LpmKind::Dir24_8
    }

    fn lookup(&self, address: u32) -> u16 {
        lookup(&self.tbl24, &self.tbl8, self.first_group, address)
    }

    fn lookup_batch(&self, addresses: &[u32], values: &mut [u16]) {
        lookup_batch(&self.tbl24, &self.tbl8, self.first_group, addresses, values);
    }

    fn memory_bytes(&self) -> usize {
        size_of::<Self>() + size_of_val(&*self.tbl24) + size_of_val(&*self.tbl8)
    }
}

fn lookup_batch<C: Code>(
    tbl24: &Tbl24<C>,
    tbl8: &[Group],
    first_group: u32,
    addresses: &[u32],
    values: &mut [u16],
) {
    for (value, &address) in values.iter_mut().zip(addresses) {
        *value = lookup(tbl24, tbl8, first_group, address);
    }
}

#[inline(always)]
fn lookup<C: Code>(tbl24: &Tbl24<C>, tbl8: &[Group], first_group: u32, address: u32) -> u16 {
    let code: u32 = tbl24[slot_of(address)].into();
    // Codes on either side of the groups wrap to indices behind the last one.
    match tbl8.get(code.wrapping_sub(first_group) as usize) {
        Some(group) => group[low_bits(address)],
        None => code as u16,
    }
}

/// A number that stands for a value or for a TBL8 group.
trait Code:
    Copy + From<u16> + Into<u32> + TryFrom<u32, Error: fmt::Debug> + Send + Sync + 'static
{
}

impl Code for u16 {}
impl Code for u32 {}

/// Returns the ranges in runs that begin in one slot; slots where none begins are not there.
fn slots(ranges: &[Range<u32, u16>]) -> impl Iterator<Item = &[Range<u32, u16>]> {
    ranges.chunk_by(|a, b| slot_of(a.first) == slot_of(b.first))
}

/// Returns true when, of the ranges that begin in one slot, one begins behind the slot's start.
fn is_split(starts: &[Range<u32, u16>]) -> bool {
    starts.last().is_some_and(|range| low_bits(range.first) != 0)
}

/// Returns the answers in a slot where `starts` begin, `value_before` reaching in from its left.
fn group_of(value_before: u16, starts: &[Range<u32, u16>]) -> Group {
    let mut group = [value_before; 256];
    for range in starts {
        group[low_bits(range.first)..].fill(range.value);
    }
    group
}

/// Returns the longest run of 16-bit numbers that are no range's value (0 always is one).
fn widest_unused_run(ranges: &[Range<u32, u16>]) -> std::ops::Range<u32> {
    let mut is_used = vec![false; 1 << 16];
    is_used[0] = true;
    for range in ranges {
        is_used[usize::from(range.value)] = true;
    }
    let mut start = 0;
    let mut widest = 0..0;
    for run in is_used.split(|&is_used| is_used) {
        let end = start + run.len() as u32;
        if end - start > widest.len() as u32 {
            widest = start..end;
        }
        start = end + 1;
    }
    widest
}

#[inline(always)]
fn slot_of(address: u32) -> usize {
    (address >> 8) as usize
}

#[inline(always)]
fn low_bits(address: u32) -> usize {
    (address & 0xFF) as usize
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::lpm::conformance::conformance;
    use crate::lpm::ranges::flatten;
    use crate::lpm::table::Route;
    use crate::net::AddressPrefix;

    conformance!(ipv4, u32, |routes| compile(&flatten(routes, 0)).unwrap());
    conformance!(ipv4_wide, u32, |routes| {
        let ranges = flatten(routes, 0);
        let group_count = slots(&ranges).filter(|starts| is_split(starts)).count();
        Box::new(Dir24_8::<u32>::emit(&ranges, 1 << 16, group_count))
    });

    /// Host routes, one to a /24, with the values of `values`.
    fn one_to_a_slot(values: impl IntoIterator<Item = u16>) -> Vec<Range<u32, u16>> {
        let routes: Vec<Route> = (0u32..)
            .zip(values)
            .map(|(slot, value)| {
                let address = std::net::Ipv4Addr::from_bits(slot << 8 | 0x80);
                (AddressPrefix::host(address.into()), value)
            })
            .collect();
        flatten(&routes, 0)
    }

    #[test]
    fn codes_widen_when_values_leave_no_room_for_groups() {
        let narrow_bytes = SLOT_COUNT * 2;
        for (values, is_narrow) in [
            // A group more than there are numbers behind the values.
            (vec![1; 65_534], true),
            (vec![1; 65_535], false),
            (vec![65_535; 65_534], true),
            (vec![65_535; 65_535], false),
            (vec![32_768; 32_767], true),
            (vec![32_768; 32_768], false),
            // Every value there is.
            ((1..=65_535).collect(), false),
        ] {
            let ranges = one_to_a_slot(values.iter().copied());
            let table = compile(&ranges).unwrap();
            assert_eq!(table.memory_bytes() < 2 * narrow_bytes, is_narrow, "{}", values.len());
            for (slot, &value) in (0u32..).zip(&values) {
                let neighbours = [0x7F, 0x80, 0x81].map(|low| table.lookup(slot << 8 | low));
                assert_eq!(neighbours, [0, value, 0], "slot {slot}");
            }
        }
    }

    #[test]
    fn too_many_groups_are_an_error() {
        let ranges = one_to_a_slot([1; 5]);
        assert!(compile_within(&ranges, 5).is_ok());
        let error = compile_within(&ranges, 4).map(|_| ()).unwrap_err();
        assert_eq!(
            error,
            CompileError::TooLarge { kind: LpmKind::Dir24_8, what: "TBL8 groups", limit: 4 }
        );
        assert_eq!(
            error.to_string(),
            "the routes need more than 4 TBL8 groups, the limit of dir24_8"
        );
    }

    #[test]
    fn whole_slots_take_no_group() {
        let routes: [Route; 3] = [
            ("10.0.0.0/8".parse().unwrap(), 1),
            ("10.0.0.0/24".parse().unwrap(), 2),
            ("10.0.1.0/26".parse().unwrap(), 3),
        ];
        let table = compile(&flatten(&routes, 0)).unwrap();
        let header = size_of::<Dir24_8<u16>>();
        assert_eq!(table.memory_bytes(), header + SLOT_COUNT * 2 + size_of::<Group>());
    }
}
