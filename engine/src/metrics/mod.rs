//! What a host counts and measures: every number has a name, a kind and a help text in one line of a [`crate::metrics!`]
//! table, and is read where it is when somebody asks.
//!
//! A table becomes a struct with a field for each line, and a `visit` that tells all of them. The page for Prometheus,
//! the status page and the tests read the same fields; there is no copy of any of them.

mod by;
mod cell;
mod durations;
mod kinds;
mod registry;
mod shard;

pub use by::{By, Named};
pub use cell::{Cell, Number, Shared};
pub use durations::{Buckets, Histogram};
pub use kinds::{Counter, Gauge, Real, Since, SinceMillis};
pub use registry::{Label, Metric, Sample, Value};
pub use shard::ShardMetrics;
