//! Tests of this crate against real files, processes and users.

mod background;
mod disk;
mod drives;
mod listing;
mod lock;
mod other_process;
mod startup;
mod transfers;
