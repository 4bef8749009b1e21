//! Tests of this crate against real files, processes and users.

mod disk;
mod listing;
mod lock;
mod other_process;
mod startup;
mod transfers;
