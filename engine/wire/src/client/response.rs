//! Replies to results; each function reads one message.

use crate::batch::Records;
use crate::decode_error::DecodeError;
use crate::info::{IndexLogInfo, QueueScore, RawLogInfo};
use crate::message::Message;
use crate::page::LogPageToken;

/// Why a reply gives no result.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ResponseError {
    /// The server answered with an exception.
    #[error("{text} (TApplicationException {kind})")]
    Exception {
        /// Its number; see [`crate::reply::ExceptionKind`].
        kind: i32,
        /// Its text.
        text: String,
    },
    /// The message is a call.
    #[error("the server sent a call instead of a reply")]
    NotAReply,
    /// The reply is a struct without the result.
    #[error("the reply holds no result of the expected type")]
    NoResult,
    /// The bytes can't be read.
    #[error("the reply can't be read: {0}")]
    Malformed(#[from] DecodeError),
}

/// A page of a recovery, borrowed.
#[derive(Clone, Debug)]
pub struct Page<'a> {
    /// Its records, in order.
    pub records: Records<'a>,
    /// Where to go on; the recovery is complete without.
    pub next_page_token: Option<LogPageToken>,
}

/// Of `send_batch`, `enqueue_for_optimization` and `delete_index`.
///
/// # Errors
/// If the server answered with an exception, or the reply can't be read.
pub fn void(_message: &Message<'_>) -> Result<(), ResponseError> {
    unimplemented!()
}

/// Of `read_page`.
///
/// # Errors
/// If the server answered with an exception, or the reply can't be read.
pub fn page<'a>(_message: &Message<'a>) -> Result<Page<'a>, ResponseError> {
    unimplemented!()
}

/// Of `get_index_log_info`.
///
/// # Errors
/// If the server answered with an exception, or the reply can't be read.
pub fn index_log_info(_message: &Message<'_>) -> Result<IndexLogInfo, ResponseError> {
    unimplemented!()
}

/// Of `get_raw_log_info`.
///
/// # Errors
/// If the server answered with an exception, or the reply can't be read.
pub fn raw_log_info(_message: &Message<'_>) -> Result<RawLogInfo, ResponseError> {
    unimplemented!()
}

/// Of `get_optimization_queue`: index codes and scores as received.
///
/// # Errors
/// If the server answered with an exception, or the reply can't be read.
pub fn optimization_queue<'a>(_message: &Message<'a>) -> Result<Vec<(&'a [u8], QueueScore)>, ResponseError> {
    unimplemented!()
}

/// Of `list_existing_indexes`: index codes as received.
///
/// # Errors
/// If the server answered with an exception, or the reply can't be read.
pub fn existing_indexes<'a>(_message: &Message<'a>) -> Result<Vec<&'a [u8]>, ResponseError> {
    unimplemented!()
}
