//! Operations under way, in a table of fixed size.
//!
//! Each has a token of slot and generation. A full table is back-pressure; a token that is not under way any
//! more is a bug, and stops the process before a completion is taken for another's.

use slab::Slab;

/// Names one operation under way.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Token {
    slot: u32,
    generation: u32,
}

impl Token {
    /// Bits of [`Self::packed`] that are used, from the lowest.
    pub const BITS: u32 = 56;

    /// As a number of [`Self::BITS`] bits.
    #[must_use]
    pub const fn packed(self) -> u64 {
        (self.slot as u64) << 32 | self.generation as u64
    }

    /// From its number.
    #[must_use]
    pub const fn from_packed(packed: u64) -> Self {
        Self { slot: (packed >> 32) as u32 & 0xff_ffff, generation: packed as u32 }
    }
}

/// A table of at most so many operations.
#[derive(Debug)]
pub struct InFlight<T> {
    operations: Slab<(u32, T)>,
    capacity: usize,
    /// Operations ever begun; tells two uses of one slot apart.
    begun: u32,
}

impl<T> InFlight<T> {
    /// A table for `capacity` operations.
    ///
    /// # Panics
    /// If that is 2^24 or more: slots must fit a token.
    #[must_use]
    pub fn with_capacity(capacity: usize) -> Self {
        assert!(capacity < 1 << 24, "slots fit a token");
        Self { operations: Slab::with_capacity(capacity), capacity, begun: 0 }
    }

    /// How many are under way.
    #[must_use]
    pub fn len(&self) -> usize {
        self.operations.len()
    }

    /// Whether none is under way.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.operations.is_empty()
    }

    /// Whether no other one can begin.
    #[must_use]
    pub fn is_full(&self) -> bool {
        self.len() == self.capacity
    }

    /// Begins an operation and keeps `value` for its end.
    ///
    /// # Panics
    /// If the table is full: the caller asks [`Self::is_full`] first.
    pub fn begin(&mut self, value: T) -> Token {
        assert!(!self.is_full(), "the caller left room in the table of operations");
        self.begun = self.begun.wrapping_add(1);
        let slot = self.operations.insert((self.begun, value));
        Token { slot: u32::try_from(slot).expect("below the capacity"), generation: self.begun }
    }

    /// What is kept of all operations under way, in no particular order.
    pub fn iter(&self) -> impl Iterator<Item = &T> {
        self.operations.iter().map(|(_, (_, value))| value)
    }

    /// Ends an operation and gives back what was kept.
    ///
    /// # Panics
    /// If the operation is not under way: its completion came twice.
    pub fn end(&mut self, token: Token) -> T {
        let (generation, value) =
            self.operations.try_remove(token.slot as usize).expect("a completion came twice");
        assert_eq!(generation, token.generation, "a completion came twice");
        value
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tokens_find_their_values_and_slots_are_used_again() {
        let mut table = InFlight::with_capacity(2);
        let (a, b) = (table.begin('a'), table.begin('b'));
        assert!(table.is_full());
        assert_eq!(table.end(Token::from_packed(a.packed())), 'a');
        let c = table.begin('c');
        assert_ne!(a, c);
        assert_eq!((table.end(b), table.end(c), table.len()), ('b', 'c', 0));
    }

    #[test]
    #[should_panic(expected = "a completion came twice")]
    fn a_stale_token_stops_the_process() {
        let mut table = InFlight::with_capacity(1);
        let token = table.begin(());
        table.end(token);
        table.begin(());
        table.end(token);
    }
}
