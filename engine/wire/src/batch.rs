//! The argument of `send_batch`: a list of records, borrowed.

use crate::cursor::{Container, Cursor};
use crate::decode_error::DecodeError;
use crate::kind::{Kind, STOP};
use crate::record::RecordView;

/// Argument 1 of `send_batch`; also field 1 of a `LogPage`.
pub(crate) const BATCH: i16 = 1;
/// Field 1 of a `LogBatch`.
pub(crate) const RECORDS: i16 = 1;

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
#[derive(Clone, Debug)]
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
    pub fn parse(body: &'a [u8]) -> Result<Self, BatchError> {
        let mut cursor = Cursor::new(body);
        loop {
            match cursor.field()? {
                Some((Kind::Struct, BATCH)) => break,
                Some((kind, _)) => cursor.skip(kind)?,
                None => return Err(BatchError::NoBatch),
            }
        }
        loop {
            match cursor.field()? {
                Some((Kind::List, RECORDS)) => break,
                Some((kind, _)) => cursor.skip(kind)?,
                None => return Err(BatchError::NoRecords),
            }
        }
        Ok(Self { records: Records { is_argument: true, ..Records::parse(&mut cursor)? } })
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
    pub fn records(&self) -> Records<'a> {
        self.records.clone()
    }
}

/// Iterates over records: each one's view and the bytes that it is.
///
/// After an error it ends. What lies behind the list of a [`BatchView`] is looked at only when the last record was
/// taken, and an error may follow then (a batch that is given twice), so nothing may be stored before the iteration
/// has ended without one.
#[derive(Clone, Debug)]
pub struct Records<'a> {
    /// From the next record on, to beyond the list.
    bytes: &'a [u8],
    left: u32,
    /// Whether the list stands in the arguments of `send_batch`, whose end is to be checked too.
    is_argument: bool,
}

impl<'a> Records<'a> {
    /// Begins the list whose header is at `cursor`.
    pub(crate) fn parse(cursor: &mut Cursor<'a>) -> Result<Self, BatchError> {
        let Container { types: [code], count } = cursor.container()?;
        if count > 0 && code != Kind::Struct.code() {
            return Err(BatchError::NotRecords(code));
        }
        let bytes = cursor.rest();
        if count as usize > bytes.len() {
            return Err(cursor.malformed("a list claims more records than there are bytes").into());
        }
        Ok(Self { bytes, left: count, is_argument: false })
    }

    /// Checks what is behind the records. Thrift lets the last of equal fields count, but by then the first ones were
    /// handed out; no client sends such, so it is refused.
    fn check_end(&self) -> Result<(), DecodeError> {
        const ENDS: [u8; 2] = [STOP, STOP];
        if self.bytes == ENDS {
            return Ok(());
        }
        let mut cursor = Cursor::new(self.bytes);
        for once in [(Kind::List, RECORDS), (Kind::Struct, BATCH)] {
            while let Some(field) = cursor.field()? {
                if field == once {
                    return Err(cursor.malformed("the batch or its list of records is given twice"));
                }
                cursor.skip(field.0)?;
            }
        }
        Ok(())
    }
}

impl<'a> Iterator for Records<'a> {
    type Item = Result<(RecordView<'a>, &'a [u8]), DecodeError>;

    #[inline]
    fn next(&mut self) -> Option<Self::Item> {
        if self.left == 0 {
            let end = if self.is_argument { self.check_end() } else { Ok(()) };
            self.is_argument = false;
            return end.err().map(Err);
        }
        match RecordView::parse(self.bytes) {
            Ok((record, length)) => {
                let (record_bytes, rest) = self.bytes.split_at(length);
                self.bytes = rest;
                self.left -= 1;
                Some(Ok((record, record_bytes)))
            }
            Err(error) => {
                self.left = 0;
                self.is_argument = false;
                Some(Err(error))
            }
        }
    }
}
