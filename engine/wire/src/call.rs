//! What a call asks for: methods and their arguments, service by service.

use crate::batch::{BatchError, BatchView};
use crate::decode_error::DecodeError;
use crate::message::Message;
use crate::page::LogPageToken;
use crate::reply::ExceptionKind;

/// A service; each has a port of its own.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Service {
    /// `LogWriter`.
    Writer,
    /// `LogReader`.
    Reader,
    /// `LogManager`.
    Manager,
}

/// Why a call can't be served. The reply is an exception with this as its text; the connection stays usable.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum CallError {
    /// The service has no such method.
    #[error("Invalid method name: '{name}'; {hint}")]
    UnknownMethod {
        /// The name received, made printable and cut to a sane length.
        name: String,
        /// What there is.
        hint: &'static str,
    },
    /// An argument is missing or of another type.
    #[error("{method} needs its argument {argument}")]
    MissingArgument {
        /// The method.
        method: &'static str,
        /// Number, name and type of the argument.
        argument: &'static str,
    },
    /// No batch.
    #[error(transparent)]
    Batch(#[from] BatchError),
    /// The bytes of the arguments are no struct.
    #[error("the arguments can't be read: {0}")]
    Malformed(#[from] DecodeError),
}

impl CallError {
    /// The type of exception to answer with.
    #[must_use]
    pub const fn exception_kind(&self) -> ExceptionKind {
        match self {
            Self::UnknownMethod { .. } => ExceptionKind::UnknownMethod,
            Self::MissingArgument { .. } => ExceptionKind::InternalError,
            Self::Batch(_) => ExceptionKind::InternalError,
            Self::Malformed(_) => ExceptionKind::ProtocolError,
        }
    }
}

/// A call of `LogWriter`.
#[derive(Clone, Copy, Debug)]
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
    /// If the service has no such method, or an argument is missing.
    pub fn parse(_message: &Message<'a>) -> Result<Self, CallError> {
        unimplemented!()
    }
}

impl<'a> ReaderCall<'a> {
    /// Reads a call, whatever kind of message it came as.
    ///
    /// # Errors
    /// If the service has no such method, or an argument is missing.
    pub fn parse(_message: &Message<'a>) -> Result<Self, CallError> {
        unimplemented!()
    }
}

impl<'a> ManagerCall<'a> {
    /// Reads a call, whatever kind of message it came as.
    ///
    /// # Errors
    /// If the service has no such method, or an argument is missing.
    pub fn parse(_message: &Message<'a>) -> Result<Self, CallError> {
        unimplemented!()
    }
}
