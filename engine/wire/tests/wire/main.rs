//! The codec against the original's bytes, against a naive codec, and against bad input.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking, helpers included")]

mod golden;
mod golden_normalized;
mod golden_replies;
mod golden_requests;
mod hostile;
mod inbound;
mod naive;
mod records;
mod round_trips;
