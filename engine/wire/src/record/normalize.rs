//! The form in which index segments hold records.

use super::view::RecordView;

/// Writes `record` without its index_code and id, with this timestamp and each string made valid UTF-8 (bytes
/// that are not become U+FFFD, as the original's decoder does): the form in which index segments hold it and
/// recoveries are answered.
pub fn write_normalized(_out: &mut Vec<u8>, _record: &RecordView<'_>, _timestamp_ms: i64) {
    unimplemented!("contract only")
}
