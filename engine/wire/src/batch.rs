//! The argument of `send_batch`: a list of records, borrowed.

use crate::decode_error::DecodeError;
use crate::record::RecordView;

/// Why the arguments of `send_batch` are no batch. Nothing of it can be stored; the connection stays usable.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum BatchError {
    /// Argument 1 is missing or no struct.
    #[error("send_batch needs its argument 1, a LogBatch")]
    NoBatch,
    /// Field 1 of the batch is missing or no list.
    #[error("a LogBatch needs its field 1, a list of LogRecord; it may be empty")]
    NoRecords,
    /// The list's elements are no structs.
    #[error("the records of a LogBatch must be structs, not Thrift type {0}")]
    NotRecords(u8),
    /// The bytes are no struct, or their list claims more records than there are bytes.
    #[error(transparent)]
    Malformed(#[from] DecodeError),
}

/// A `LogBatch`, borrowed.
#[derive(Clone, Copy, Debug)]
pub struct BatchView<'a> {
    records: Records<'a>,
}

impl<'a> BatchView<'a> {
    /// Finds the batch in the body of a `send_batch` message.
    ///
    /// The records are not looked at yet; [`Self::records`] does.
    ///
    /// # Errors
    /// If there is no list of records.
    pub fn parse(_body: &'a [u8]) -> Result<Self, BatchError> {
        unimplemented!()
    }

    /// How many records the list claims; at most one for each byte received.
    #[must_use]
    pub const fn len(&self) -> u32 {
        self.records.left
    }

    /// Whether the list is empty.
    #[must_use]
    pub const fn is_empty(&self) -> bool {
        self.records.left == 0
    }

    /// The records in order. See [`Records`].
    #[must_use]
    pub const fn records(&self) -> Records<'a> {
        self.records
    }
}

/// Iterates over records: each one's view and the bytes that it is.
///
/// After an error it ends. What lies behind the list is only looked at when the last record was taken, and then an
/// error may follow too, so nothing may be stored before the iteration has ended without one.
#[derive(Clone, Copy, Debug)]
pub struct Records<'a> {
    bytes: &'a [u8],
    left: u32,
}

impl<'a> Iterator for Records<'a> {
    type Item = Result<(RecordView<'a>, &'a [u8]), DecodeError>;

    fn next(&mut self) -> Option<Self::Item> {
        let _ = self.bytes;
        unimplemented!()
    }
}
