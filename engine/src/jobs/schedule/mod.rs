//! What background work does when.
//!
//! Two loops side by side in one thread: one deals and sorts, the other optimizes and cleans. A long
//! optimization holds up no dealing. What one index fails at stops no other; a failed sync stops everything,
//! since nothing is known any more of what was written before it.

mod background;
mod backlog;
mod dealing;
mod failing;
mod local;
mod pause;
mod standing;
mod tending;
#[cfg(test)]
mod tests;

pub use background::{Background, Drained};
