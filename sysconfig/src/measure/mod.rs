//! Measures a drive, for a few seconds, the way the raw log uses it.

mod buffer;
mod latency;
mod run;

pub use latency::Latency;
pub use run::{Measured, Progress, measure};
