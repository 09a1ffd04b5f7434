//! What the batch kernels share: which instructions there are, and reads without bounds checks.
//!
//! Every engine answers one address at a time in safe code. A kernel does the same for many at
//! once, in a way that lets the processor overlap them, and must give the same answers. It is
//! compiled for newer instructions than the rest of the program and chosen at run time.
//!
//! Reads without bounds checks are more than the checks' own cost: with checks, a chunk of eight
//! lookups is no longer one straight line that the compiler can lay side by side (in a table of 300
//! routes 730 M lookups/s against 1,290).

#![expect(unsafe_code, reason = "reads without bounds checks")]

use std::sync::OnceLock;

/// The instructions that kernels may use on this machine.
///
/// A value other than [`Isa::PORTABLE`] proves that the machine has them: there is no other way to
/// get one than to ask the machine.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Isa(Level);

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Level {
    Portable,
    #[cfg(target_arch = "x86_64")]
    Avx2,
}

impl Isa {
    /// Only what every machine has: the safe code of each engine.
    pub(super) const PORTABLE: Self = Self(Level::Portable);

    /// Returns the best that this machine has; the environment variable `NEXTHOP_FORCE_PORTABLE`,
    /// when it is set to anything but nothing and 0, says to use none of it.
    pub(super) fn best() -> Self {
        static BEST: OnceLock<Isa> = OnceLock::new();
        *BEST.get_or_init(|| {
            let forced = std::env::var_os("NEXTHOP_FORCE_PORTABLE");
            if forced.is_some_and(|value| !value.is_empty() && value != "0") {
                return Self::PORTABLE;
            }
            *Self::available().last().expect("portable is always there")
        })
    }

    /// Returns the name in every output.
    pub(super) fn as_str(self) -> &'static str {
        match self.0 {
            Level::Portable => "portable",
            #[cfg(target_arch = "x86_64")]
            Level::Avx2 => "AVX2",
        }
    }

    /// Returns all that this machine has, the best last.
    pub(super) fn available() -> Vec<Self> {
        let mut all = vec![Self::PORTABLE];
        #[cfg(all(target_arch = "x86_64", not(miri)))]
        {
            use std::arch::is_x86_feature_detected as has;
            if has!("avx2") && has!("bmi1") && has!("bmi2") && has!("popcnt") {
                all.push(Self(Level::Avx2));
            }
        }
        all
    }

    /// Returns true when there are AVX2, BMI1, BMI2 and POPCNT.
    #[cfg(target_arch = "x86_64")]
    #[inline(always)]
    pub(super) fn has_avx2(self) -> bool {
        self.0 >= Level::Avx2
    }
}

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
pub(super) struct Places {
    list: [u8; Self::MAX],
    /// Where the next list is written: in one array, reads would wait for the writes before them.
    spare: [u8; Self::MAX],
    count: usize,
}

#[cfg(target_arch = "x86_64")]
impl Places {
    /// The most places: few enough that what a burst asks for still is in the cache when it is
    /// read.
    pub(super) const MAX: usize = 128;

    /// Lists the first places.
    #[inline(always)]
    pub(super) fn all(count: usize) -> Self {
        debug_assert!(count <= Self::MAX);
        let list = std::array::from_fn(|place| place as u8);
        Self { list, spare: [0; Self::MAX], count: count.min(Self::MAX) }
    }

    /// Lists the places of the numbers that are not 0. Costs little where there are few.
    #[inline]
    #[target_feature(enable = "avx2,bmi1,bmi2,popcnt")]
    pub(super) fn not_zero(numbers: &[u32; Self::MAX]) -> Self {
        use std::arch::x86_64::*;
        let (list, spare) = ([0; Self::MAX], [0; Self::MAX]);
        let mut places = Self { list, spare, count: 0 };
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

    /// Keeps the places that an item says are not done, without a branch. Returns true if there are
    /// any.
    ///
    /// This is a pass of its own. Within the pass that makes the items, where in the list a place
    /// goes would depend on memory that is still on its way, and the processor would not read ahead
    /// of a write to it knows not where.
    #[inline(always)]
    pub(super) fn keep<T: Copy>(&mut self, items: &[T; Self::MAX], goes_on: fn(T) -> bool) -> bool {
        let mut kept = 0;
        for &place in &self.list[..self.count] {
            self.spare[kept & (Self::MAX - 1)] = place;
            kept += usize::from(goes_on(items[usize::from(place) & (Self::MAX - 1)]));
        }
        std::mem::swap(&mut self.list, &mut self.spare);
        self.count = kept;
        kept > 0
    }

    #[inline(always)]
    pub(super) fn as_slice(&self) -> &[u8] {
        &self.list[..self.count]
    }
}
