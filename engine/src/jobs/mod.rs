//! Background work: dealing, sorting, optimizing, cleaning.

pub(crate) mod cleaner;
pub(crate) mod config;
pub(crate) mod dealer;
pub(crate) mod governor;
pub(crate) mod history;
mod index_jobs;
pub(crate) mod optimizer;
pub(crate) mod queue;
pub(crate) mod report;
pub(crate) mod schedule;
pub(crate) mod shared;
pub(crate) mod sorter;
pub(crate) mod stats;

pub use cleaner::hand_over;
pub use config::JobsConfig;
pub use dealer::undealt;
pub use dealer::{Dealer, Outcome};
pub use governor::{AppendLoad, Decision, Governor, Policy};
pub use report::Report;
pub use schedule::{Background, Drained};
pub use shared::Shared;
pub use stats::{JobStats, Turns};
