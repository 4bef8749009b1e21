//! The methods of each service.

use super::arguments::Arguments;
use super::error::CallError;
use super::method;
use crate::batch::BatchView;
use crate::message::Message;
use crate::page::LogPageToken;

/// A call of `LogWriter`.
#[derive(Clone, Debug)]
pub enum WriterCall<'a> {
    /// `void send_batch(1: LogBatch batch)`
    SendBatch(BatchView<'a>),
}

/// A call of `LogReader`.
#[derive(Clone, Debug, PartialEq)]
pub enum ReaderCall<'a> {
    /// `LogPage read_page(1: string index_code, 2: LogPageToken token)`
    ReadPage {
        /// As received, not checked yet.
        index_code: &'a [u8],
        /// Where to go on.
        token: LogPageToken,
    },
}

/// A call of `LogManager`. Index codes are as received, not checked yet.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum ManagerCall<'a> {
    /// `IndexLogInfo get_index_log_info(1: string index_code)`
    GetIndexLogInfo {
        /// The index.
        index_code: &'a [u8],
    },
    /// `RawLogInfo get_raw_log_info()`
    GetRawLogInfo,
    /// `void enqueue_for_optimization(1: string index_code, 2: i32 priority, 3: double score)`
    EnqueueForOptimization {
        /// The index.
        index_code: &'a [u8],
        /// Lower goes first.
        priority: i32,
        /// Among equals, higher goes first. Any double, also NaN.
        score: f64,
    },
    /// `void delete_index(1: string index_code)`
    DeleteIndex {
        /// The index.
        index_code: &'a [u8],
    },
    /// `map<string,QueueScore> get_optimization_queue()`
    GetOptimizationQueue,
    /// `list<string> list_existing_indexes()`
    ListExistingIndexes,
}

impl<'a> WriterCall<'a> {
    /// Reads a call, whatever kind of message it came as.
    ///
    /// # Errors
    /// If the service has no such method, or there is no batch.
    #[inline]
    pub fn parse(message: &Message<'a>) -> Result<Self, CallError> {
        if message.name == method::SEND_BATCH.as_bytes() {
            return Ok(Self::SendBatch(BatchView::parse(message.body)?));
        }
        Err(CallError::unknown_method(message.name, "this is the port of LogWriter: send_batch"))
    }
}

impl<'a> ReaderCall<'a> {
    /// Reads a call, whatever kind of message it came as.
    ///
    /// # Errors
    /// If the service has no such method, or an argument is missing.
    pub fn parse(message: &Message<'a>) -> Result<Self, CallError> {
        if message.name == method::READ_PAGE.as_bytes() {
            let arguments = Arguments::parse(message.body)?;
            let index_code = arguments.index_code(method::READ_PAGE)?;
            let argument = "2: LogPageToken token (an empty one begins a recovery)";
            let missing = CallError::MissingArgument { method: method::READ_PAGE, argument };
            return Ok(Self::ReadPage { index_code, token: arguments.token.ok_or(missing)? });
        }
        Err(CallError::unknown_method(message.name, "this is the port of LogReader: read_page"))
    }
}

impl<'a> ManagerCall<'a> {
    /// Reads a call, whatever kind of message it came as.
    ///
    /// # Errors
    /// If the service has no such method, or an argument is missing.
    pub fn parse(message: &Message<'a>) -> Result<Self, CallError> {
        // A name that is not text is no method's name either.
        let name = str::from_utf8(message.name).unwrap_or_default();
        match name {
            method::GET_INDEX_LOG_INFO => {
                let index_code = Arguments::parse(message.body)?.index_code(method::GET_INDEX_LOG_INFO)?;
                Ok(Self::GetIndexLogInfo { index_code })
            }
            method::DELETE_INDEX => {
                let index_code = Arguments::parse(message.body)?.index_code(method::DELETE_INDEX)?;
                Ok(Self::DeleteIndex { index_code })
            }
            method::ENQUEUE_FOR_OPTIMIZATION => {
                let method = method::ENQUEUE_FOR_OPTIMIZATION;
                let arguments = Arguments::parse(message.body)?;
                let missing = |argument| CallError::MissingArgument { method, argument };
                Ok(Self::EnqueueForOptimization {
                    index_code: arguments.index_code(method)?,
                    priority: arguments.priority.ok_or_else(|| missing("2: i32 priority"))?,
                    score: arguments.score.ok_or_else(|| missing("3: double score"))?,
                })
            }
            method::GET_RAW_LOG_INFO => Ok(Self::GetRawLogInfo),
            method::GET_OPTIMIZATION_QUEUE => Ok(Self::GetOptimizationQueue),
            method::LIST_EXISTING_INDEXES => Ok(Self::ListExistingIndexes),
            _ => Err(CallError::unknown_method(
                message.name,
                "this is the port of LogManager: get_index_log_info, get_raw_log_info, enqueue_for_optimization, \
                 delete_index, get_optimization_queue, list_existing_indexes",
            )),
        }
    }
}
