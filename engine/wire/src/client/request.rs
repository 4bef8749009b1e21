//! Calls to bytes; each function appends one message.

use crate::message::Dialect;
use crate::page::LogPageToken;

/// `send_batch`, of records already encoded.
pub fn send_batch<'r>(
    _out: &mut Vec<u8>,
    _dialect: Dialect,
    _sequence: i32,
    _records: impl IntoIterator<Item = &'r [u8]>,
) {
    unimplemented!()
}

/// `read_page`; begin with the default token, go on with the one of the last page.
pub fn read_page(
    _out: &mut Vec<u8>,
    _dialect: Dialect,
    _sequence: i32,
    _index_code: &[u8],
    _token: &LogPageToken,
) {
    unimplemented!()
}

/// `get_index_log_info`.
pub fn get_index_log_info(_out: &mut Vec<u8>, _dialect: Dialect, _sequence: i32, _index_code: &[u8]) {
    unimplemented!()
}

/// `get_raw_log_info`.
pub fn get_raw_log_info(_out: &mut Vec<u8>, _dialect: Dialect, _sequence: i32) {
    unimplemented!()
}

/// `enqueue_for_optimization`.
pub fn enqueue_for_optimization(
    _out: &mut Vec<u8>,
    _dialect: Dialect,
    _sequence: i32,
    _index_code: &[u8],
    _priority: i32,
    _score: f64,
) {
    unimplemented!()
}

/// `delete_index`.
pub fn delete_index(_out: &mut Vec<u8>, _dialect: Dialect, _sequence: i32, _index_code: &[u8]) {
    unimplemented!()
}

/// `get_optimization_queue`.
pub fn get_optimization_queue(_out: &mut Vec<u8>, _dialect: Dialect, _sequence: i32) {
    unimplemented!()
}

/// `list_existing_indexes`.
pub fn list_existing_indexes(_out: &mut Vec<u8>, _dialect: Dialect, _sequence: i32) {
    unimplemented!()
}
