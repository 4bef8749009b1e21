//! Splits the raw log by index, epoch by epoch.

mod deal;
mod fate;
#[cfg(test)]
mod gather;
mod leftovers;
mod outcome;
mod pass;
mod publish;
mod split;
#[cfg(test)]
mod tests;
mod whole;

pub use deal::Dealer;
pub use leftovers::undealt;
pub use outcome::Outcome;
pub(crate) use outcome::{Dealt, Lag};
