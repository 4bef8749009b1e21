//! The Thrift contract of LogTank, sans-IO: bytes to calls, replies to bytes.
//!
//! Lowest crate of the house, because a `LogRecord` is both an argument of a call and the bytes of a segment.
#![forbid(unsafe_code)]

pub mod inbound;
pub mod info;
pub mod message;
pub mod page;
pub mod record;
pub mod reply;
