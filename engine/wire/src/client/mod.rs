//! The other side: calls to bytes, replies to results.
//!
//! Write calls with [`request`], give what comes back to an [`crate::inbound::Inbound`], and each message it finds to
//! the function of [`response`] that belongs to the call. Replies come in the order of the calls.
//! A page is up to 5 MiB of records, or one longer record, and the inbound must allow that.

pub mod request;
pub mod response;
