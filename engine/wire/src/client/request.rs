//! Calls to bytes; each function appends one message.

use crate::batch;
use crate::call::method;
use crate::envelope::Envelope;
use crate::kind::Kind;
use crate::message::{Dialect, MessageKind};
use crate::page::LogPageToken;
use crate::put;

fn call(
    out: &mut Vec<u8>,
    dialect: Dialect,
    sequence: i32,
    method: &str,
    arguments: impl FnOnce(&mut Vec<u8>),
) {
    let envelope = Envelope::begin(out, dialect, MessageKind::Call, method.as_bytes(), sequence);
    arguments(out);
    put::stop(out);
    envelope.end(out);
}

fn index_code_argument(out: &mut Vec<u8>, index_code: &[u8]) {
    put::field(out, Kind::String, 1);
    put::string(out, index_code);
}

/// `send_batch`, of records already encoded.
pub fn send_batch<'r>(
    out: &mut Vec<u8>,
    dialect: Dialect,
    sequence: i32,
    records: impl IntoIterator<Item = &'r [u8]>,
) {
    call(out, dialect, sequence, method::SEND_BATCH, |out| {
        put::field(out, Kind::Struct, batch::BATCH);
        put::field(out, Kind::List, batch::RECORDS);
        put::list(out, Kind::Struct, 0);
        let records_at = out.len();
        let mut count = 0;
        for record in records {
            out.extend_from_slice(record);
            count += 1;
        }
        put::length_at(out, records_at - 4, count);
        put::stop(out);
    });
}

/// `read_page`; begin with the default token, go on with the one of the last page.
pub fn read_page(
    out: &mut Vec<u8>,
    dialect: Dialect,
    sequence: i32,
    index_code: &[u8],
    token: &LogPageToken,
) {
    call(out, dialect, sequence, method::READ_PAGE, |out| {
        index_code_argument(out, index_code);
        put::field(out, Kind::Struct, 2);
        token.write(out);
    });
}

/// `get_index_log_info`.
pub fn get_index_log_info(out: &mut Vec<u8>, dialect: Dialect, sequence: i32, index_code: &[u8]) {
    call(out, dialect, sequence, method::GET_INDEX_LOG_INFO, |out| index_code_argument(out, index_code));
}

/// `get_raw_log_info`.
pub fn get_raw_log_info(out: &mut Vec<u8>, dialect: Dialect, sequence: i32) {
    call(out, dialect, sequence, method::GET_RAW_LOG_INFO, |_| ());
}

/// `enqueue_for_optimization`.
pub fn enqueue_for_optimization(
    out: &mut Vec<u8>,
    dialect: Dialect,
    sequence: i32,
    index_code: &[u8],
    priority: i32,
    score: f64,
) {
    call(out, dialect, sequence, method::ENQUEUE_FOR_OPTIMIZATION, |out| {
        index_code_argument(out, index_code);
        put::field(out, Kind::I32, 2);
        put::i32(out, priority);
        put::field(out, Kind::Double, 3);
        put::double(out, score);
    });
}

/// `delete_index`.
pub fn delete_index(out: &mut Vec<u8>, dialect: Dialect, sequence: i32, index_code: &[u8]) {
    call(out, dialect, sequence, method::DELETE_INDEX, |out| index_code_argument(out, index_code));
}

/// `get_optimization_queue`.
pub fn get_optimization_queue(out: &mut Vec<u8>, dialect: Dialect, sequence: i32) {
    call(out, dialect, sequence, method::GET_OPTIMIZATION_QUEUE, |_| ());
}

/// `list_existing_indexes`.
pub fn list_existing_indexes(out: &mut Vec<u8>, dialect: Dialect, sequence: i32) {
    call(out, dialect, sequence, method::LIST_EXISTING_INDEXES, |_| ());
}
