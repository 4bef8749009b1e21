//! `LogRecord`: one document change, as borrowed views over its Thrift-binary bytes.
//!
//! ```text
//! 1 id i64   2 timestamp_ms i64   3 index_code string   4 docid string   5 deleted bool
//! 6 fields map<string,string>   7 variables map<i32,double>   8 categories map<string,string>
//! ```

mod maps;
mod normalize;
mod text;
mod view;
mod writer;

pub use crate::decode_error::DecodeError;
pub use maps::{StringMap, VariableMap};
pub use normalize::write_normalized;
pub use view::{RecordView, record_bytes};
pub use writer::RecordWriter;

/// Ids of the fields.
mod id {
    pub(super) const ID: i16 = 1;
    pub(super) const TIMESTAMP_MS: i16 = 2;
    pub(super) const INDEX_CODE: i16 = 3;
    pub(super) const DOCID: i16 = 4;
    pub(super) const DELETED: i16 = 5;
    pub(super) const FIELDS: i16 = 6;
    pub(super) const VARIABLES: i16 = 7;
    pub(super) const CATEGORIES: i16 = 8;
}
