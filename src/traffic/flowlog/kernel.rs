//! Where the fields of a tuple end: its separators, found 16 bytes at a time.

#![expect(unsafe_code, reason = "the compiler does not know that every x86-64 processor has SSE2")]

#[cfg(target_arch = "x86_64")]
use crate::instructions::Isa;

/// How many bytes are looked at; nearly every tuple is shorter.
pub(super) const TUPLE_BYTES: usize = 128;

/// How many bytes before a tuple are looked at: as many as the longest number that is read at once.
pub(super) const BEFORE: usize = 8;
pub(super) const WINDOW_BYTES: usize = BEFORE + TUPLE_BYTES;

/// A tuple with what stands before and behind it.
pub(super) type Window = [u8; WINDOW_BYTES];

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

/// Proof that the machine has AVX2, BMI1 and BMI2: there is no other way to get one than to ask it.
#[cfg(target_arch = "x86_64")]
#[derive(Clone, Copy, Debug)]
pub(super) struct Avx2(());

#[cfg(target_arch = "x86_64")]
impl Avx2 {
    /// Asks the machine.
    #[inline]
    pub(super) fn of_machine() -> Option<Self> {
        Isa::best().has_avx2().then_some(Self(()))
    }

    /// Runs `work` where what it calls of this kernel can be inlined.
    #[inline]
    pub(super) fn run<R>(self, work: impl FnOnce() -> R) -> R {
        #[target_feature(enable = "avx2,bmi1,bmi2")]
        fn with_features<R>(work: impl FnOnce() -> R) -> R {
            work()
        }
        // SAFETY: the machine has them, or there were no such value.
        unsafe { with_features(work) }
    }

    /// Reads the numbers of an IPv4 tuple that begins in the window behind [`BEFORE`] bytes, the
    /// last of which is a quote. What is unusual about it is left to others.
    #[inline(always)]
    pub(super) fn read_v4(self, window: &Window) -> Option<NumbersV4> {
        // SAFETY: the machine has them, or there were no such value.
        unsafe { read_v4(window) }
    }
}

/// The numbers of an IPv4 tuple, and where its words stand, counted from its first byte.
#[cfg(target_arch = "x86_64")]
#[derive(Clone, Copy, Debug)]
pub(super) struct NumbersV4 {
    pub(super) time: u64,
    pub(super) source: [u8; 4],
    pub(super) destination: [u8; 4],
    pub(super) source_port: u16,
    pub(super) destination_port: u16,
    pub(super) protocol: u8,
    /// Where the letter of the direction stands; that of the state stands two bytes later.
    pub(super) direction_at: usize,
    /// Where the word of the encryption ends; it begins four bytes behind the direction.
    pub(super) encryption_end: usize,
    pub(super) counters: [u64; 4],
    /// Where the quote stands that ends the tuple.
    pub(super) end: usize,
}

/// Up to the comma behind the protocol a tuple has at most 62 bytes, and its first 64 are read as one
/// word of marks; so are up to 64 bytes behind that.
#[cfg(target_arch = "x86_64")]
#[inline]
#[target_feature(enable = "avx2,bmi1,bmi2")]
fn read_v4(window: &Window) -> Option<NumbersV4> {
    use std::arch::x86_64::{
        __m256i, _mm_cvtsi128_si32, _mm256_andnot_si256, _mm256_castsi256_si128, _mm256_cmpgt_epi8,
        _mm256_cmpgt_epi32, _mm256_extracti128_si256, _mm256_madd_epi16, _mm256_maddubs_epi16,
        _mm256_movemask_epi8, _mm256_or_si256, _mm256_packus_epi16, _mm256_packus_epi32,
        _mm256_set_epi32, _mm256_set_epi64x, _mm256_set1_epi8, _mm256_set1_epi16,
        _mm256_set1_epi32, _mm256_srli_epi32, _mm256_srli_epi64, _mm256_sub_epi8,
        _mm256_testz_si256,
    };
    let marks = marks_avx2(window.last_chunk().expect("the window is longer"));
    let end = marks.quotes.trailing_zeros() as usize;
    let commas = marks.commas as u64;
    let (mut separators, dots) = (commas | marks.dots, marks.dots);
    let mut at = [0; 12];
    for place in &mut at {
        *place = separators.trailing_zeros() as usize;
        separators &= separators.wrapping_sub(1);
    }
    let [time, a, b, c, source, d, e, f, destination, source_port, destination_port, protocol] = at;
    if time < 9 || protocol >= 64 || end >= TUPLE_BYTES {
        return None;
    }
    let base = protocol + 1;
    let before_base = !0 >> (63 - protocol);
    let bit = |at: usize| 1_u64 << at;
    let is_dotted = bit(a) | bit(b) | bit(c) | bit(d) | bit(e) | bit(f) == dots & before_base;
    let others = (marks.others as u64 ^ (commas | dots)) & before_base;
    if !is_dotted || others != 0 {
        return None;
    }
    let rest_end = end.checked_sub(base).filter(|&end| end < 64)?;
    let before_end = (1_u64 << rest_end) - 1;
    let rest_commas = (marks.commas >> base) as u64 & before_end;
    let rest_others = (marks.others >> base) as u64 & before_end;
    let mut left = rest_commas;
    let mut rest = [0; 6];
    for place in &mut rest {
        *place = left.trailing_zeros() as usize;
        left &= left.wrapping_sub(1);
    }
    let [direction, state, encryption, packets_sent, bytes_sent, packets_received] = rest;
    if direction != 1 || state != 3 || left != 0 || packets_received >= 64 {
        return None;
    }
    if (rest_others ^ rest_commas) >> encryption != 0 {
        return None;
    }

    // The four and eight bytes that end before a place.
    let four = |at: usize| {
        i32::from_le_bytes(window[at + 4..at + 8].try_into().expect("4 bytes are 4 bytes"))
    };
    let eight =
        |at: usize| i64::from_le_bytes(window[at..at + 8].try_into().expect("8 bytes are 8 bytes"));
    let octets = _mm256_set_epi32(
        four(destination),
        four(f),
        four(e),
        four(d),
        four(source),
        four(c),
        four(b),
        four(a),
    );
    let words = _mm256_set_epi64x(
        eight(destination_port),
        eight(source_port),
        eight(time),
        eight(time - 8),
    );
    let counters = _mm256_set_epi64x(
        eight(end),
        eight(base + packets_received),
        eight(base + bytes_sent),
        eight(base + packets_sent),
    );

    // Of each, the separator before its digits and what stands before that are no digits of it.
    let zeros = _mm256_set1_epi8(b'0' as i8);
    let is_separator = |bytes: __m256i| _mm256_cmpgt_epi8(zeros, bytes);
    let outside_eight = |bytes: __m256i| {
        let mut marks = is_separator(bytes);
        marks = _mm256_or_si256(marks, _mm256_srli_epi64::<8>(marks));
        marks = _mm256_or_si256(marks, _mm256_srli_epi64::<16>(marks));
        _mm256_or_si256(marks, _mm256_srli_epi64::<32>(marks))
    };
    let outside_octets = {
        let mut marks = is_separator(octets);
        marks = _mm256_or_si256(marks, _mm256_srli_epi32::<8>(marks));
        _mm256_or_si256(marks, _mm256_srli_epi32::<16>(marks))
    };
    let (outside_words, outside_counters) = (outside_eight(words), outside_eight(counters));
    // Each has a digit, and as many as fit at most; the time alone has eight and more before them.
    let first_and_last = |outside, mask: u32| _mm256_movemask_epi8(outside) as u32 & mask;
    if first_and_last(outside_octets, 0x9999_9999) != 0x1111_1111
        || first_and_last(outside_words, 0x8181_8181) != 0x0101_0001
    {
        return None;
    }
    // One to eight digits each: less one, that is three bits.
    let more_digits = |comma: usize, end: usize| end.wrapping_sub(comma + 2);
    let more_digits = more_digits(encryption, packets_sent)
        | more_digits(packets_sent, bytes_sent)
        | more_digits(bytes_sent, packets_received)
        | more_digits(packets_received, rest_end);
    if more_digits >= 8 {
        return None;
    }
    let digits =
        |bytes: __m256i, outside| _mm256_andnot_si256(outside, _mm256_sub_epi8(bytes, zeros));
    let fours = |digits: __m256i| {
        let pairs = _mm256_maddubs_epi16(digits, _mm256_set1_epi16(1 << 8 | 10));
        _mm256_madd_epi16(pairs, _mm256_set1_epi32(1 << 16 | 100))
    };
    let eights = _mm256_madd_epi16(
        _mm256_packus_epi32(
            fours(digits(words, outside_words)),
            fours(digits(counters, outside_counters)),
        ),
        _mm256_set1_epi32(1 << 16 | 10_000),
    );
    let sum = |bytes: __m256i, weights: i32| {
        let pairs = _mm256_maddubs_epi16(bytes, _mm256_set1_epi32(weights));
        _mm256_madd_epi16(pairs, _mm256_set1_epi16(1))
    };
    let octets = sum(digits(octets, outside_octets), 0x010A_6400);
    // A number of two digits is at least 10 and one of three at least 100: a zero before it would be
    // octal to some.
    let least =
        sum(_mm256_andnot_si256(outside_octets, _mm256_set1_epi32(0x000A_5A00)), 0x0101_0101);
    let wrong = _mm256_or_si256(
        _mm256_cmpgt_epi32(least, octets),
        _mm256_cmpgt_epi32(octets, _mm256_set1_epi32(255)),
    );
    if _mm256_testz_si256(wrong, wrong) == 0 {
        return None;
    }
    let octets = _mm256_packus_epi16(_mm256_packus_epi32(octets, octets), octets);
    let source = _mm_cvtsi128_si32(_mm256_castsi256_si128(octets));
    let destination = _mm_cvtsi128_si32(_mm256_extracti128_si256::<1>(octets));
    let lanes = u32_lanes(eights);
    // The digits are known to be digits; those before them are pushed out.
    let protocol = {
        let length = protocol - destination_port - 1;
        if length.wrapping_sub(1) >= 3 {
            return None;
        }
        let digits = (four(protocol) as u32 ^ 0x3030_3030) & (!0 << (32 - 8 * length));
        (digits >> 8 & 0xFF) * 100 + (digits >> 16 & 0xFF) * 10 + (digits >> 24)
    };
    let wide = |lane: usize| u64::from(lanes[lane]);
    Some(NumbersV4 {
        time: wide(0) * 100_000_000 + wide(1),
        source: source.to_le_bytes(),
        destination: destination.to_le_bytes(),
        source_port: u16::try_from(lanes[4]).ok()?,
        destination_port: u16::try_from(lanes[5]).ok()?,
        protocol: u8::try_from(protocol).ok()?,
        direction_at: base,
        encryption_end: base + encryption,
        counters: [wide(2), wide(3), wide(6), wide(7)],
        end,
    })
}

#[cfg(target_arch = "x86_64")]
struct Marks {
    commas: u128,
    /// In the first 64 bytes.
    dots: u64,
    /// Whatever is no digit, separators and quotes included.
    others: u128,
    quotes: u128,
}

#[cfg(target_arch = "x86_64")]
#[inline]
#[target_feature(enable = "avx2,bmi1,bmi2")]
fn marks_avx2(bytes: &[u8; TUPLE_BYTES]) -> Marks {
    use std::arch::x86_64::{
        __m256i, _mm256_cmpeq_epi8, _mm256_max_epu8, _mm256_movemask_epi8, _mm256_set1_epi8,
        _mm256_sub_epi8,
    };
    let [a, b, c, d]: [__m256i; 4] =
        std::array::from_fn(|index| vector(bytes[32 * index..].first_chunk().expect("32 bytes")));
    let bits = |low: __m256i, high: __m256i| {
        u64::from(_mm256_movemask_epi8(low) as u32)
            | u64::from(_mm256_movemask_epi8(high) as u32) << 32
    };
    let all = |is_mark: &dyn Fn(__m256i) -> __m256i| {
        u128::from(bits(is_mark(a), is_mark(b))) | u128::from(bits(is_mark(c), is_mark(d))) << 64
    };
    let is = |byte: u8, bytes| _mm256_cmpeq_epi8(bytes, _mm256_set1_epi8(byte as i8));
    let is_no_digit = |bytes| {
        let digits = _mm256_sub_epi8(bytes, _mm256_set1_epi8(b'0' as i8));
        _mm256_cmpeq_epi8(_mm256_max_epu8(digits, _mm256_set1_epi8(10)), digits)
    };
    Marks {
        commas: all(&|bytes| is(b',', bytes)),
        dots: bits(is(b'.', a), is(b'.', b)),
        others: all(&|bytes| is_no_digit(bytes)),
        quotes: all(&|bytes| is(b'"', bytes)),
    }
}

#[cfg(target_arch = "x86_64")]
#[inline]
#[target_feature(enable = "avx2")]
fn vector(bytes: &[u8; 32]) -> std::arch::x86_64::__m256i {
    // SAFETY: both are 32 bytes of any value.
    unsafe { std::mem::transmute(*bytes) }
}

#[cfg(target_arch = "x86_64")]
#[inline]
#[target_feature(enable = "avx2")]
fn u32_lanes(vector: std::arch::x86_64::__m256i) -> [u32; 8] {
    // SAFETY: both are 32 bytes of any value.
    unsafe { std::mem::transmute(vector) }
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
