//! Numbers that only look random. Each concern draws from a stream of its own, so that a change in one leaves the
//! others as they were.

use std::cell::RefCell;

use logtank_engine::testing::Choices;

/// One stream.
#[derive(Clone, Debug)]
pub struct Random(RefCell<Choices>);

impl Random {
    /// The stream of `seed` for one concern.
    #[must_use]
    pub fn new(seed: u64, concern: &str) -> Self {
        let mix = |state: u64, byte: u8| (state ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3);
        let start = concern.bytes().fold(0xcbf2_9ce4_8422_2325, mix);
        let random = Self(RefCell::new(Choices(start ^ seed.wrapping_mul(0x9e37_79b9_7f4a_7c15))));
        random.next();
        random
    }

    /// The next number.
    pub fn next(&self) -> u64 {
        self.0.borrow_mut().next()
    }

    /// A number below `bound`; zero if that is zero.
    pub fn below(&self, bound: u64) -> u64 {
        if bound == 0 { 0 } else { self.next() % bound }
    }

    /// A place in something of this length; zero if it is empty.
    pub fn place(&self, len: usize) -> usize {
        usize::try_from(self.below(len as u64)).expect("a place fits")
    }

    /// From `least` to `most`, both included.
    pub fn between(&self, least: u64, most: u64) -> u64 {
        least + self.below(most - least + 1)
    }

    /// True so many times of a thousand.
    pub fn permille(&self, chance: u64) -> bool {
        self.below(1000) < chance
    }

    /// True so many times of a hundred.
    pub fn percent(&self, chance: u64) -> bool {
        self.below(100) < chance
    }

    /// One of them.
    ///
    /// # Panics
    /// If there is none.
    pub fn pick<'a, T>(&self, from: &'a [T]) -> &'a T {
        &from[self.place(from.len())]
    }
}
