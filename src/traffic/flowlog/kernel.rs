//! Where the fields of a tuple end: its separators, found 16 bytes at a time.

#![expect(unsafe_code, reason = "the compiler does not know that every x86-64 processor has SSE2")]

/// How many bytes are looked at; nearly every tuple is shorter.
pub(super) const TUPLE_BYTES: usize = 128;

/// Returns where commas and dots, and where quotes stand, the first byte in the lowest bit.
///
/// Cost: eight vectors of 16 bytes, whatever the tuple; no branch depends on what stands in it.
#[inline(always)]
pub(super) fn marks(bytes: &[u8; TUPLE_BYTES]) -> (u128, u128) {
    #[cfg(all(target_arch = "x86_64", not(miri)))]
    // SAFETY: SSE2 is part of x86-64, whatever the processor.
    unsafe {
        marks_sse2(bytes)
    }
    #[cfg(not(all(target_arch = "x86_64", not(miri))))]
    marks_one_by_one(bytes)
}

#[cfg(all(target_arch = "x86_64", not(miri)))]
#[inline]
#[target_feature(enable = "sse2")]
fn marks_sse2(bytes: &[u8; TUPLE_BYTES]) -> (u128, u128) {
    use std::arch::x86_64::{
        _mm_and_si128, _mm_cmpeq_epi8, _mm_movemask_epi8, _mm_set_epi64x, _mm_set1_epi8,
    };
    let (mut separators, mut quotes) = (0, 0);
    for (index, bytes) in bytes.as_chunks::<16>().0.iter().enumerate() {
        let bits = u128::from_le_bytes(*bytes);
        let bytes = _mm_set_epi64x((bits >> 64) as i64, bits as i64);
        let without_dot_bit = _mm_and_si128(bytes, _mm_set1_epi8(!DOT_BIT as i8));
        let is_separator = _mm_cmpeq_epi8(without_dot_bit, _mm_set1_epi8(b',' as i8));
        let is_quote = _mm_cmpeq_epi8(bytes, _mm_set1_epi8(b'"' as i8));
        separators |= u128::from(_mm_movemask_epi8(is_separator) as u16) << (16 * index);
        quotes |= u128::from(_mm_movemask_epi8(is_quote) as u16) << (16 * index);
    }
    (separators, quotes)
}

/// What a dot has and a comma has not; they differ in nothing else.
pub(super) const DOT_BIT: u8 = b'.' ^ b',';

/// The plain form of [`marks`].
#[cfg(any(test, miri, not(target_arch = "x86_64")))]
fn marks_one_by_one(bytes: &[u8; TUPLE_BYTES]) -> (u128, u128) {
    let bits = |is_mark: fn(u8) -> bool| {
        (0..).zip(bytes).fold(0, |bits, (index, &byte)| bits | u128::from(is_mark(byte)) << index)
    };
    (bits(|byte| byte == b',' || byte == b'.'), bits(|byte| byte == b'"'))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn both_ways_find_the_same(
            bytes in prop::collection::vec(any::<u8>(), TUPLE_BYTES),
            few in prop::collection::vec(prop::sample::select(&b",.\"/-0"[..]), TUPLE_BYTES),
        ) {
            for bytes in [bytes, few] {
                let bytes = bytes.try_into().unwrap();
                prop_assert_eq!(marks(&bytes), marks_one_by_one(&bytes));
            }
        }
    }
}
