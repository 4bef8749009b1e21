//! Replies to results; each function reads one message.

use crate::batch::{self, BatchError, Records};
use crate::cursor::{Container, Cursor};
use crate::decode_error::DecodeError;
use crate::info::{IndexLogInfo, QueueScore, RawLogInfo};
use crate::kind::Kind;
use crate::message::{Message, MessageKind};
use crate::page::{LogPageToken, NEXT_PAGE_TOKEN};

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

/// Finds the result, field 0, of type `kind`.
fn result<'a>(message: &Message<'a>, kind: Kind) -> Result<Cursor<'a>, ResponseError> {
    let mut cursor = reply(message)?;
    while let Some(field) = cursor.field()? {
        if field == (kind, 0) {
            return Ok(cursor);
        }
        cursor.skip(field.0)?;
    }
    Err(ResponseError::NoResult)
}

/// The struct of a reply that is no exception.
fn reply<'a>(message: &Message<'a>) -> Result<Cursor<'a>, ResponseError> {
    let mut cursor = Cursor::new(message.body);
    match message.kind {
        MessageKind::Reply => return Ok(cursor),
        MessageKind::Call | MessageKind::Oneway => return Err(ResponseError::NotAReply),
        MessageKind::Exception => {}
    }
    let (mut kind, mut text) = (0, "no reason given".to_owned());
    while let Some(field) = cursor.field()? {
        match field {
            (Kind::String, 1) => text = String::from_utf8_lossy(cursor.string()?).into_owned(),
            (Kind::I32, 2) => kind = cursor.i32()?,
            (other, _) => cursor.skip(other)?,
        }
    }
    Err(ResponseError::Exception { kind, text })
}

/// Of `send_batch`, `enqueue_for_optimization` and `delete_index`.
///
/// # Errors
/// If the server answered with an exception, or the reply can't be read.
pub fn void(message: &Message<'_>) -> Result<(), ResponseError> {
    reply(message).map(|_| ())
}

/// Of `read_page`.
///
/// # Errors
/// If the server answered with an exception, or the reply can't be read.
pub fn page<'a>(message: &Message<'a>) -> Result<Page<'a>, ResponseError> {
    let mut cursor = result(message, Kind::Struct)?;
    let (mut records, mut next_page_token) = (None, None);
    while let Some(field) = cursor.field()? {
        match field {
            (Kind::Struct, batch::BATCH) => records = batch_records(&mut cursor)?,
            (Kind::Struct, NEXT_PAGE_TOKEN) => next_page_token = Some(LogPageToken::read(&mut cursor)?),
            (kind, _) => cursor.skip(kind)?,
        }
    }
    Ok(Page { records: records.ok_or(ResponseError::NoResult)?, next_page_token })
}

fn batch_records<'a>(cursor: &mut Cursor<'a>) -> Result<Option<Records<'a>>, ResponseError> {
    let mut records = None;
    while let Some((kind, id)) = cursor.field()? {
        if (kind, id) == (Kind::List, batch::RECORDS) {
            let list = Records::parse(&mut cursor.clone()).map_err(|error| match error {
                BatchError::Malformed(error) => ResponseError::Malformed(error),
                BatchError::NoBatch | BatchError::NoRecords | BatchError::NotRecords(_) => {
                    ResponseError::NoResult
                }
            })?;
            records = Some(list);
        }
        cursor.skip(kind)?;
    }
    Ok(records)
}

/// Of `get_index_log_info`.
///
/// # Errors
/// If the server answered with an exception, or the reply can't be read.
pub fn index_log_info(message: &Message<'_>) -> Result<IndexLogInfo, ResponseError> {
    Ok(IndexLogInfo::read(&mut result(message, Kind::Struct)?)?)
}

/// Of `get_raw_log_info`.
///
/// # Errors
/// If the server answered with an exception, or the reply can't be read.
pub fn raw_log_info(message: &Message<'_>) -> Result<RawLogInfo, ResponseError> {
    Ok(RawLogInfo::read(&mut result(message, Kind::Struct)?)?)
}

/// Of `get_optimization_queue`: index codes and scores as received.
///
/// # Errors
/// If the server answered with an exception, or the reply can't be read.
pub fn optimization_queue<'a>(message: &Message<'a>) -> Result<Vec<(&'a [u8], QueueScore)>, ResponseError> {
    let mut cursor = result(message, Kind::Map)?;
    let Container { types, count } = cursor.container()?;
    if count > 0 && types != [Kind::String.code(), Kind::Struct.code()] {
        return Err(ResponseError::NoResult);
    }
    (0..count).map(|_| Ok((cursor.string()?, QueueScore::read(&mut cursor)?))).collect()
}

/// Of `list_existing_indexes`: index codes as received.
///
/// # Errors
/// If the server answered with an exception, or the reply can't be read.
pub fn existing_indexes<'a>(message: &Message<'a>) -> Result<Vec<&'a [u8]>, ResponseError> {
    let mut cursor = result(message, Kind::List)?;
    let Container { types, count } = cursor.container()?;
    if count > 0 && types != [Kind::String.code()] {
        return Err(ResponseError::NoResult);
    }
    (0..count).map(|_| Ok(cursor.string()?)).collect()
}
