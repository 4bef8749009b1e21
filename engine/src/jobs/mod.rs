//! Background work: dealing, sorting, optimizing, cleaning.

pub mod cleaner;
pub mod config;
pub mod dealer;
pub mod governor;
pub mod history;
pub mod optimizer;
pub mod queue;
pub mod report;
pub mod schedule;
pub mod shared;
pub mod sorter;
pub mod stats;
