//! Tests of the real process, one binary.
#![expect(clippy::unwrap_used, reason = "a failed unwrap is a failed test")]

mod golden;
mod kill;
mod lifecycle;
mod many_connections;
mod order;
mod prometheus;
mod replay;
mod status_page;
mod tune;
mod tls;
