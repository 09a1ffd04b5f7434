//! Which instructions kernels may use beyond those that every machine has.

use std::sync::OnceLock;

/// The instructions that kernels may use on this machine.
///
/// A value other than [`Isa::PORTABLE`] proves that the machine has them: there is no other way to
/// get one than to ask the machine.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Isa(Level);

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Level {
    Portable,
    #[cfg(target_arch = "x86_64")]
    Avx2,
}

impl Isa {
    /// Only what every machine has: the safe code of each engine.
    pub(crate) const PORTABLE: Self = Self(Level::Portable);

    /// Returns the best that this machine has. The environment variable `NEXTHOP_FORCE_PORTABLE`,
    /// when it is set to anything but nothing and 0, says to use none of it.
    pub(crate) fn best() -> Self {
        static BEST: OnceLock<Isa> = OnceLock::new();
        *BEST.get_or_init(|| {
            let value = std::env::var_os("NEXTHOP_FORCE_PORTABLE");
            match value.is_some_and(|value| !value.is_empty() && value != "0") {
                true => Self::PORTABLE,
                false => Self::available().pop().unwrap_or(Self::PORTABLE),
            }
        })
    }

    /// Returns the name in every output.
    pub(crate) fn as_str(self) -> &'static str {
        match self.0 {
            Level::Portable => "portable",
            #[cfg(target_arch = "x86_64")]
            Level::Avx2 => "AVX2",
        }
    }

    /// Returns all that this machine has, the best last.
    pub(crate) fn available() -> Vec<Self> {
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
    pub(crate) fn has_avx2(self) -> bool {
        self.0 >= Level::Avx2
    }
}
