//! Replies to bytes, in the dialect of the call.

use crate::info::{IndexLogInfo, QueueScore, RawLogInfo};
use crate::message::Dialect;

/// `TApplicationException` types (Thrift).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(i32)]
pub enum ExceptionKind {
    /// The service has no such method.
    UnknownMethod = 1,
    /// Not a call.
    InvalidMessageType = 2,
    /// The server failed or refused: the message says why and what to do.
    InternalError = 6,
    /// The bytes are not what the contract says.
    ProtocolError = 7,
}

/// Appends the reply of a method that returns nothing.
pub fn void(_out: &mut Vec<u8>, _dialect: Dialect, _name: &[u8], _sequence: i32) {
    unimplemented!("contract only")
}

/// Appends a reply whose result field 0 has the Thrift type `kind` and the bytes that `value` appends.
pub fn value(
    _out: &mut Vec<u8>,
    _dialect: Dialect,
    _name: &[u8],
    _sequence: i32,
    _kind: u8,
    _value: impl FnOnce(&mut Vec<u8>),
) {
    unimplemented!("contract only")
}

/// Appends an exception.
pub fn exception(
    _out: &mut Vec<u8>,
    _dialect: Dialect,
    _name: &[u8],
    _sequence: i32,
    _kind: ExceptionKind,
    _message: &str,
) {
    unimplemented!("contract only")
}

/// Appends the reply of `get_index_log_info`.
pub fn index_log_info(
    _out: &mut Vec<u8>,
    _dialect: Dialect,
    _name: &[u8],
    _sequence: i32,
    _info: &IndexLogInfo,
) {
    unimplemented!("contract only")
}

/// Appends the reply of `get_raw_log_info`.
pub fn raw_log_info(_out: &mut Vec<u8>, _dialect: Dialect, _name: &[u8], _sequence: i32, _info: &RawLogInfo) {
    unimplemented!("contract only")
}

/// Appends the reply of `get_optimization_queue`.
pub fn optimization_queue<'q>(
    _out: &mut Vec<u8>,
    _dialect: Dialect,
    _name: &[u8],
    _sequence: i32,
    _queue: impl ExactSizeIterator<Item = (&'q [u8], QueueScore)>,
) {
    unimplemented!("contract only")
}

/// Appends the reply of `list_existing_indexes`.
pub fn existing_indexes<'n>(
    _out: &mut Vec<u8>,
    _dialect: Dialect,
    _name: &[u8],
    _sequence: i32,
    _names: impl ExactSizeIterator<Item = &'n [u8]>,
) {
    unimplemented!("contract only")
}
