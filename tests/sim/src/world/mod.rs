//! What the host runs in: virtual time, an executor that chooses who is next, and a record of all that happens.

mod clock;
mod executor;
mod trace;

pub use clock::SimClock;
pub use executor::{Executor, Group};
pub use trace::Trace;
