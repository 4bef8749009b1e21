//! The whole engine in virtual time, over a disk and a network that do their worst, watched by an oracle.
//!
//! One seed is one run; the same seed, the same run. [`run::run`] does it.

pub mod client;
mod damage;
pub mod disk;
mod finale;
pub mod host;
pub mod manager;
pub mod mutants;
pub mod nemesis;
mod no_segments;
pub mod oracle;
pub mod plan;
pub mod random;
pub mod reader;
mod restore;
pub mod run;
mod small_drive;
mod spares;
pub mod world;
