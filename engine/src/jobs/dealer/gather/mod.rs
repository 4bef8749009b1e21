//! What packs get of an epoch: read once, in the order of positions, and grouped by index in memory.
//!
//! The records stand in one arena as they arrive; a row of 24 bytes for each says whose it is and where it stands. Sorting the
//! rows groups them. When the arena is full, what it has becomes a pack, and the pass goes on with an empty one: so
//! memory is bounded whatever the epoch holds, and nothing is read twice.

mod arena;
mod pass;

pub(crate) use arena::Arena;
pub(crate) use pass::{Gatherer, Met, Part};

#[cfg(test)]
mod tests;
