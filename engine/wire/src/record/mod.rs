//! `LogRecord`: one document change, as borrowed views over its Thrift-binary bytes.
//!
//! ```text
//! 1 id i64   2 timestamp_ms i64   3 index_code string   4 docid string   5 deleted bool
//! 6 fields map<string,string>   7 variables map<i32,double>   8 categories map<string,string>
//! ```

mod normalize;
mod view;
mod writer;

pub use crate::decode_error::DecodeError;
pub use normalize::write_normalized;
pub use view::{RecordView, StringMap, VariableMap};
pub use writer::RecordWriter;
