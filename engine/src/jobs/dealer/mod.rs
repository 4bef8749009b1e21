//! Splits the raw log by index, epoch by epoch.

mod deal;
mod outcome;
mod split;

pub use deal::Dealer;
pub use outcome::{Dealt, DealtIndex, Outcome};
