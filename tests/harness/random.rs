//! Numbers that only look random: the same seed, the same test.

use fastrand::Rng;

/// One stream of them.
#[derive(Clone, Debug)]
pub struct Random(Rng);

impl Random {
    /// Starts from `seed`.
    #[must_use]
    pub fn new(seed: u64) -> Self {
        Self(Rng::with_seed(seed))
    }

    /// The next number.
    #[expect(clippy::should_implement_trait, reason = "it has no end")]
    pub fn next(&mut self) -> u64 {
        self.0.u64(..)
    }

    /// A number below `bound`.
    ///
    /// # Panics
    /// If that is zero.
    pub fn below(&mut self, bound: u64) -> u64 {
        self.0.u64(..bound)
    }

    /// True `percent` times of a hundred.
    pub fn chance(&mut self, percent: u64) -> bool {
        self.below(100) < percent
    }
}
