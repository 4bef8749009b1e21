//! Borrowed view of a record.

use super::id;
use super::maps::{StringMap, VariableMap};
use crate::cursor::Cursor;
use crate::decode_error::DecodeError;
use crate::kind::Kind;

/// A record, borrowed from its bytes. Strings are bytes as received; they may be invalid UTF-8.
#[derive(Clone, Copy, Debug, Default)]
pub struct RecordView<'a> {
    /// Field 1: never set by clients.
    pub id: Option<i64>,
    /// Field 2.
    pub timestamp_ms: Option<i64>,
    /// Field 3.
    pub index_code: Option<&'a [u8]>,
    /// Field 4.
    pub docid: Option<&'a [u8]>,
    /// Field 5; absent counts as false.
    pub deleted: bool,
    /// Field 6.
    pub fields: Option<StringMap<'a>>,
    /// Field 7.
    pub variables: Option<VariableMap<'a>>,
    /// Field 8.
    pub categories: Option<StringMap<'a>>,
}

impl<'a> RecordView<'a> {
    /// Reads the record at the beginning of `bytes`; returns it and its length in bytes.
    ///
    /// Unknown fields and fields of another type (also maps with other types of keys or values) are skipped; a field
    /// that occurs twice counts as its last.
    ///
    /// # Errors
    /// If there is no whole record at the beginning of `bytes`: [`DecodeError::Incomplete`] if more bytes could
    /// complete it.
    pub fn parse(bytes: &'a [u8]) -> Result<(Self, usize), DecodeError> {
        let mut cursor = Cursor::new(bytes);
        let mut record = Self::default();
        while let Some((kind, id)) = cursor.field()? {
            match (id, kind) {
                (id::ID, Kind::I64) => record.id = Some(cursor.i64()?),
                (id::TIMESTAMP_MS, Kind::I64) => record.timestamp_ms = Some(cursor.i64()?),
                (id::INDEX_CODE, Kind::String) => record.index_code = Some(cursor.string()?),
                (id::DOCID, Kind::String) => record.docid = Some(cursor.string()?),
                (id::DELETED, Kind::Bool) => record.deleted = cursor.bool()?,
                (id::FIELDS, Kind::Map) => record.fields = StringMap::parse(&mut cursor)?.or(record.fields),
                (id::VARIABLES, Kind::Map) => {
                    record.variables = VariableMap::parse(&mut cursor)?.or(record.variables)
                }
                (id::CATEGORIES, Kind::Map) => {
                    record.categories = StringMap::parse(&mut cursor)?.or(record.categories)
                }
                _ => cursor.skip(kind)?,
            }
        }
        Ok((record, cursor.at()))
    }

    /// Whether it says anything about its document beyond the docid: deletes it, or sets something.
    #[must_use]
    pub const fn has_content(&self) -> bool {
        self.deleted || self.fields.is_some() || self.variables.is_some() || self.categories.is_some()
    }
}

/// Length of the record at the beginning of `bytes`, whatever its fields are.
///
/// # Errors
/// Where [`RecordView::parse`] has one.
pub fn record_bytes(bytes: &[u8]) -> Result<usize, DecodeError> {
    let mut cursor = Cursor::new(bytes);
    // Not as one struct: what is in its fields may be nested as deep as where they are read one by one.
    while let Some((kind, _)) = cursor.field()? {
        cursor.skip(kind)?;
    }
    Ok(cursor.at())
}
