//! What the batch kernels share: reads without bounds checks.
//!
//! Every engine answers one address at a time in safe code. A kernel does the same for many at
//! once, in a way that lets the processor overlap them, and must give the same answers. It is
//! compiled for newer instructions than the rest of the program and chosen at run time.
//!
//! Reads without bounds checks are more than the checks' own cost: with checks, a chunk of eight
//! lookups is no longer one straight line that the compiler can lay side by side (in a table of 300
//! routes 730 M lookups/s against 1,290).

#![expect(unsafe_code, reason = "reads without bounds checks")]

pub(super) use crate::instructions::Isa;

/// Reads an item whose place was checked when the table was made. Tests check it again.
///
/// # Safety
///
/// `index` is below the number of items.
#[inline(always)]
pub(super) unsafe fn at<T: Copy>(items: &[T], index: usize) -> T {
    debug_assert!(index < items.len(), "{index} of {}", items.len());
    // SAFETY: the caller's promise.
    unsafe { *items.get_unchecked(index) }
}

/// The places in a burst whose addresses are not yet done.
#[cfg(target_arch = "x86_64")]
pub(super) struct Places<const N: usize> {
    list: [u8; N],
    count: usize,
}

/// For eight marks, the places of those that are set, a byte each, the first one lowest.
#[cfg(target_arch = "x86_64")]
static PLACES_OF_MARKS: [u64; 256] = {
    let mut table = [0; 256];
    let mut marks = 0;
    while marks < 256 {
        let (mut place, mut shift) = (0, 0);
        while place < 8 {
            if marks >> place & 1 == 1 {
                table[marks] |= place << shift;
                shift += 8;
            }
            place += 1;
        }
        marks += 1;
    }
    table
};

#[cfg(target_arch = "x86_64")]
impl<const N: usize> Places<N> {
    const FITS: () = assert!(N <= 256 && N.is_multiple_of(8), "a place is a byte");

    /// Lists the places of the numbers that are not 0. Costs little where there are few.
    #[inline]
    #[target_feature(enable = "avx2,bmi1,bmi2,popcnt")]
    pub(super) fn not_zero(numbers: &[u32; N]) -> Self {
        use std::arch::x86_64::*;
        const { Self::FITS };
        let mut places = Self { list: [0; N], count: 0 };
        for (chunk, numbers) in numbers.as_chunks::<8>().0.iter().enumerate() {
            // SAFETY: eight numbers are 32 bytes.
            let numbers = unsafe { _mm256_loadu_si256(numbers.as_ptr().cast()) };
            let is_zero = _mm256_cmpeq_epi32(numbers, _mm256_setzero_si256());
            let mut left = !_mm256_movemask_ps(_mm256_castsi256_ps(is_zero)) & 0xFF;
            while left != 0 {
                places.list[places.count] = (8 * chunk as u32 + left.trailing_zeros()) as u8;
                places.count += 1;
                left &= left - 1;
            }
        }
        places
    }

    /// Lists the places of the numbers whose bits under `mask` are `bits`.
    ///
    /// Eight places are one look into a table, whatever their marks: no branch, and a fraction of
    /// the instructions of going over a list. Half of all time in a tree of ranges went into that.
    #[inline]
    #[target_feature(enable = "avx2,bmi1,bmi2,popcnt")]
    pub(super) fn marked(numbers: &[u32; N], mask: u32, bits: u32) -> Self {
        use std::arch::x86_64::*;
        const { Self::FITS };
        // Apart from each other: in a structure the count would go through memory every time.
        let (mut list, mut count) = ([0; N], 0);
        let (mask, bits) = (_mm256_set1_epi32(mask as i32), _mm256_set1_epi32(bits as i32));
        for (chunk, numbers) in numbers.as_chunks::<8>().0.iter().enumerate() {
            // SAFETY: eight numbers are 32 bytes.
            let numbers = unsafe { _mm256_loadu_si256(numbers.as_ptr().cast()) };
            let is_marked = _mm256_cmpeq_epi32(_mm256_and_si256(numbers, mask), bits);
            let marks = _mm256_movemask_ps(_mm256_castsi256_ps(is_marked)) as u32 & 0xFF;
            let eight = PLACES_OF_MARKS[marks as usize] + chunk as u64 * 0x0808_0808_0808_0808;
            // SAFETY: as many chunks of eight came before, none of which listed more than eight, so
            // that there is room for eight bytes.
            unsafe { list.as_mut_ptr().add(count).cast::<[u8; 8]>().write(eight.to_le_bytes()) };
            count += marks.count_ones() as usize;
        }
        Self { list, count }
    }

    #[inline(always)]
    pub(super) fn as_slice(&self) -> &[u8] {
        &self.list[..self.count]
    }
}

#[cfg(all(test, target_arch = "x86_64", not(miri)))]
mod tests {
    use super::*;

    #[test]
    fn places_are_those_of_the_marks() {
        // Without AVX2 there is nothing to test: no kernel that lists places is ever called.
        if !Isa::available().iter().any(|isa| isa.has_avx2()) {
            return;
        }
        let mut random = crate::lpm::sample::Random::new(1);
        for round in 0..1_000 {
            // From no mark to all of them.
            let numbers: [u32; 256] = std::array::from_fn(|_| match random.below(1_000) < round {
                true => random.next_bits() as u32 | 6,
                false => random.next_bits() as u32 & !2,
            });
            let want = |is_wanted: fn(u32) -> bool| -> Vec<u8> {
                (0u8..=255).filter(|&place| is_wanted(numbers[usize::from(place)])).collect()
            };
            // SAFETY: the machine has AVX2, and with it the older ones: `available` asked.
            let (marked, not_zero) =
                unsafe { (Places::marked(&numbers, 6, 6), Places::not_zero(&numbers)) };
            assert_eq!(marked.as_slice(), want(|number| number & 6 == 6), "{round}");
            assert_eq!(not_zero.as_slice(), want(|number| number != 0), "{round}");
        }
    }
}
