//! Tests of the real process, one binary.
#![expect(clippy::unwrap_used, reason = "a failed unwrap is a failed test")]

mod belonging;
mod clock;
mod descriptors;
mod golden;
mod hand_over;
mod hostile;
mod kill;
mod lifecycle;
mod limits;
mod many_connections;
mod order;
mod power;
mod prometheus;
mod replay;
mod restore;
mod scarce;
mod status_page;
mod tls;
mod tune;
