//! The program as a user runs it.
#![expect(clippy::unwrap_used, reason = "a failed unwrap is a failed test")]

mod certificates;
mod client;
mod config;
mod foreign;
mod packs;
mod program;
mod serve;
mod streams;
mod tour;
mod users;
mod verifying;
