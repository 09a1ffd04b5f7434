//! Random numbers that are the same on every machine.

/// A generator of random numbers: xoshiro256**, seeded by SplitMix64.
///
/// Written here and not taken from a crate because a seed must give the same bytes for ever, and
/// crates reserve the right to change their streams. Not for secrets.
///
/// Cost: about 1 ns a number.
///
/// Source: Blackman & Vigna, "Scrambled linear pseudorandom number generators", 2021; reference
/// code at prng.di.unimi.it (read 2026-11-20).
///
/// # Examples
///
/// ```
/// use nexthop::generate::Random;
///
/// let mut random = Random::new(7, "doc");
/// assert!((0..1000).all(|_| random.below(6) < 6));
/// assert_eq!(Random::new(7, "doc").next_u64(), Random::new(7, "doc").next_u64());
/// assert_ne!(Random::new(7, "doc").next_u64(), Random::new(7, "other").next_u64());
/// ```
#[derive(Clone, Debug)]
pub struct Random {
    state: [u64; 4],
}

/// Draws ranks by Zipf's law with exponent 1: rank `r` is drawn in proportion to `1 / (r + 1)`, as
/// the popularity of destinations and the sizes of flows are distributed.
///
/// Cost: 8 bytes a rank; a draw is a binary search.
#[derive(Clone, Debug)]
pub struct Zipf {
    /// The weights of all ranks up to this one, in integers: floating point may differ between
    /// machines.
    cumulative: Vec<u64>,
}

impl Random {
    /// Starts a stream of its own for each seed and purpose.
    pub fn new(seed: u64, purpose: &str) -> Self {
        let mut mixer = seed;
        for byte in purpose.bytes() {
            mixer = split_mix(&mut mixer) ^ u64::from(byte);
        }
        Self { state: std::array::from_fn(|_| split_mix(&mut mixer)) }
    }

    /// Returns 64 random bits.
    pub fn next_u64(&mut self) -> u64 {
        let [a, b, c, d] = &mut self.state;
        let result = b.wrapping_mul(5).rotate_left(7).wrapping_mul(9);
        let shifted = *b << 17;
        *c ^= *a;
        *d ^= *b;
        *b ^= *c;
        *a ^= *d;
        *c ^= shifted;
        *d = d.rotate_left(45);
        result
    }

    /// Returns a number from 0 to below `end`. The bias is below `end` / 2^64.
    ///
    /// # Panics
    ///
    /// When `end` is 0.
    pub fn below(&mut self, end: u64) -> u64 {
        assert!(end > 0, "there is no number below 0");
        ((u128::from(self.next_u64()) * u128::from(end)) >> 64) as u64
    }

    /// Returns an index below `end`.
    ///
    /// # Panics
    ///
    /// When `end` is 0.
    pub fn index(&mut self, end: usize) -> usize {
        self.below(end as u64) as usize
    }

    /// Returns true in so many of a hundred cases.
    pub fn percent(&mut self, share: u8) -> bool {
        self.below(100) < u64::from(share)
    }

    /// Returns true once in so many cases.
    pub fn one_in(&mut self, cases: u64) -> bool {
        self.below(cases) == 0
    }

    /// Returns one of the elements.
    ///
    /// # Panics
    ///
    /// When there is none.
    pub fn pick<'a, T>(&mut self, all: &'a [T]) -> &'a T {
        &all[self.index(all.len())]
    }
}

impl Zipf {
    /// Prepares so many ranks.
    ///
    /// # Panics
    ///
    /// When there is none.
    pub fn new(ranks: usize) -> Self {
        /// The weight of the first rank: large enough that no rank below 2^32 weighs nothing, and
        /// small enough that the sum of them fits.
        const FIRST: u64 = 1 << 40;
        assert!(ranks > 0, "there is no rank to draw");
        let mut sum = 0;
        let weights = (1..=ranks as u64).map(|place| (FIRST / place).max(1));
        let cumulative = weights
            .map(|weight| {
                sum += weight;
                sum
            })
            .collect();
        Self { cumulative }
    }

    /// Draws a rank, from 0.
    pub fn draw(&self, random: &mut Random) -> usize {
        let all = *self.cumulative.last().expect("there is a rank");
        let drawn = random.below(all);
        self.cumulative.partition_point(|&sum| sum <= drawn)
    }
}

fn split_mix(state: &mut u64) -> u64 {
    *state = state.wrapping_add(0x9E37_79B9_7F4A_7C15);
    let mut mixed = *state;
    mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
    mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
    mixed ^ (mixed >> 31)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn split_mix_gives_the_published_numbers() {
        // The first numbers for seed 1234567, from the reference code.
        let mut state = 1_234_567;
        let first: Vec<u64> = (0..3).map(|_| split_mix(&mut state)).collect();
        assert_eq!(
            first,
            [6_457_827_717_110_365_317, 3_203_168_211_198_807_973, 9_817_491_932_198_370_423]
        );
    }

    #[test]
    fn xoshiro_gives_the_published_numbers() {
        // The first numbers for the state 1, 2, 3, 4, from the reference code.
        let mut random = Random { state: [1, 2, 3, 4] };
        let first: Vec<u64> = (0..4).map(|_| random.next_u64()).collect();
        assert_eq!(first, [11_520, 0, 1_509_978_240, 1_215_971_899_390_074_240]);
    }

    #[test]
    fn ranks_are_drawn_by_their_weight() {
        let zipf = Zipf::new(3);
        let mut random = Random::new(1, "zipf");
        let mut counts = [0u32; 3];
        for _ in 0..11_000 {
            counts[zipf.draw(&mut random)] += 1;
        }
        // 6, 3 and 2 elevenths, give or take three standard deviations.
        for (count, want) in counts.into_iter().zip([6_000_u32, 3_000, 2_000]) {
            assert!(count.abs_diff(want) < 160, "{counts:?}");
        }
    }
}
