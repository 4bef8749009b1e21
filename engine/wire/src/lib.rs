//! The Thrift contract of LogTank, sans-IO: bytes to calls, replies to bytes.
//!
//! Lowest crate of the house, because a `LogRecord` is both an argument of a call and the bytes of a segment.
//!
//! A server: [`inbound::Inbound`] finds messages, [`call`] (for a batch: [`batch`]) says what they ask for, [`reply`]
//! answers. A client: [`client`] writes calls and reads what [`inbound::Inbound`] finds. A segment:
//! [`record`].
#![forbid(unsafe_code)]

pub mod batch;
pub mod call;
pub mod client;
mod cursor;
pub mod decode_error;
mod envelope;
pub mod foreign;
mod head;
pub mod inbound;
pub mod info;
pub mod kind;
pub mod message;
pub mod page;
mod put;
pub mod record;
pub mod reply;
mod scan;
