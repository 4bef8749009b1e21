//! Tests of this crate against real files, processes and users.
#![expect(clippy::unwrap_used, reason = "a test that meets an error has failed")]

mod background;
mod batch;
mod disk;
mod drives;
mod far_end;
mod listing;
mod lock;
mod other_process;
mod startup;
mod transfers;
