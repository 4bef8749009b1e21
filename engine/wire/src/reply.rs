//! Replies to bytes, in the dialect of the call.
//!
//! Each function appends one whole message; dialect, name and sequence number are those of the call. [`page_around`]
//! leaves out the records, which the caller sends from where they are.

use crate::batch;
use crate::envelope::Envelope;
use crate::info::{IndexLogInfo, QueueScore, RawLogInfo};
use crate::kind::Kind;
use crate::message::{Dialect, MessageKind};
use crate::page::{LogPageToken, NEXT_PAGE_TOKEN};
use crate::put;

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
#[inline]
pub fn void(out: &mut Vec<u8>, dialect: Dialect, name: &[u8], sequence: i32) {
    let envelope = Envelope::begin(out, dialect, MessageKind::Reply, name, sequence);
    put::stop(out);
    envelope.end(out);
}

/// Appends a reply whose result field 0 has the Thrift type `kind` (the code of a [`Kind`]) and the bytes that `value`
/// appends.
///
/// # Panics
/// If there is no such type.
pub fn value(
    out: &mut Vec<u8>,
    dialect: Dialect,
    name: &[u8],
    sequence: i32,
    kind: u8,
    value: impl FnOnce(&mut Vec<u8>),
) {
    let envelope = Envelope::begin(out, dialect, MessageKind::Reply, name, sequence);
    let kind = Kind::from_code(kind).expect("callers name a type of the contract");
    put::field(out, kind, 0);
    value(out);
    put::stop(out);
    envelope.end(out);
}

/// Appends an exception.
pub fn exception(
    out: &mut Vec<u8>,
    dialect: Dialect,
    name: &[u8],
    sequence: i32,
    kind: ExceptionKind,
    message: &str,
) {
    let envelope = Envelope::begin(out, dialect, MessageKind::Exception, name, sequence);
    put::field(out, Kind::String, 1);
    put::string(out, message.as_bytes());
    put::field(out, Kind::I32, 2);
    put::i32(out, kind as i32);
    put::stop(out);
    envelope.end(out);
}

/// Appends the reply of `read_page` but for its `records`, already encoded one after the other, of `bytes` in all:
/// the caller sends them without copying them here. Returns the place in `out` in front of which they belong. Without
/// a token it is the last page.
///
/// # Panics
/// If the page would have 2 GiB.
pub fn page_around(
    out: &mut Vec<u8>,
    dialect: Dialect,
    name: &[u8],
    sequence: i32,
    (records, bytes): (u32, usize),
    next_page_token: Option<&LogPageToken>,
) -> usize {
    let envelope = Envelope::begin(out, dialect, MessageKind::Reply, name, sequence);
    put::field(out, Kind::Struct, 0);
    put::field(out, Kind::Struct, batch::BATCH);
    put::field(out, Kind::List, batch::RECORDS);
    put::list(out, Kind::Struct, records as usize);
    let records_at = out.len();
    put::stop(out);
    if let Some(token) = next_page_token {
        put::field(out, Kind::Struct, NEXT_PAGE_TOKEN);
        token.write(out);
    }
    put::stop(out);
    put::stop(out);
    envelope.end_around(out, bytes);
    records_at
}

/// Appends the reply of `get_index_log_info`.
pub fn index_log_info(out: &mut Vec<u8>, dialect: Dialect, name: &[u8], sequence: i32, info: &IndexLogInfo) {
    value(out, dialect, name, sequence, Kind::Struct.code(), |out| info.write(out));
}

/// Appends the reply of `get_raw_log_info`.
pub fn raw_log_info(out: &mut Vec<u8>, dialect: Dialect, name: &[u8], sequence: i32, info: &RawLogInfo) {
    value(out, dialect, name, sequence, Kind::Struct.code(), |out| info.write(out));
}

/// Appends the reply of `get_optimization_queue`: index codes and their scores.
pub fn optimization_queue<'q>(
    out: &mut Vec<u8>,
    dialect: Dialect,
    name: &[u8],
    sequence: i32,
    queue: impl ExactSizeIterator<Item = (&'q [u8], QueueScore)>,
) {
    value(out, dialect, name, sequence, Kind::Map.code(), |out| {
        put::map(out, Kind::String, Kind::Struct, queue.len());
        for (index_code, score) in queue {
            put::string(out, index_code);
            score.write(out);
        }
    });
}

/// Appends the reply of `list_existing_indexes`: index codes.
pub fn existing_indexes<'n>(
    out: &mut Vec<u8>,
    dialect: Dialect,
    name: &[u8],
    sequence: i32,
    index_codes: impl ExactSizeIterator<Item = &'n [u8]>,
) {
    value(out, dialect, name, sequence, Kind::List.code(), |out| {
        put::list(out, Kind::String, index_codes.len());
        for index_code in index_codes {
            put::string(out, index_code);
        }
    });
}
