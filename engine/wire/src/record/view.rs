//! Borrowed views of a record and its maps.

use crate::decode_error::DecodeError;

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

/// A `map<string,string>`, in the order received; a key may occur twice, the last one counts.
#[derive(Clone, Copy, Debug)]
pub struct StringMap<'a> {
    entries: u32,
    body: &'a [u8],
}

/// A `map<i32,double>`, in the order received; a key may occur twice, the last one counts.
#[derive(Clone, Copy, Debug)]
pub struct VariableMap<'a> {
    entries: u32,
    body: &'a [u8],
}

impl<'a> RecordView<'a> {
    /// Reads the record at the beginning of `bytes`; returns it and its length in bytes.
    ///
    /// Unknown fields and fields of another type are skipped; a field that occurs twice counts as its last.
    ///
    /// # Errors
    /// If there is no whole record at the beginning of `bytes`.
    pub fn parse(_bytes: &'a [u8]) -> Result<(Self, usize), DecodeError> {
        unimplemented!("contract only")
    }

    /// Whether it says anything about its document beyond the docid: deletes it, or sets something.
    #[must_use]
    pub const fn has_content(&self) -> bool {
        self.deleted || self.fields.is_some() || self.variables.is_some() || self.categories.is_some()
    }
}

impl<'a> StringMap<'a> {
    /// Its entries as received.
    pub fn iter(&self) -> impl Iterator<Item = (&'a [u8], &'a [u8])> + use<'a> {
        let _ = (self.entries, self.body);
        std::iter::empty()
    }
}

impl<'a> VariableMap<'a> {
    /// Its entries as received; doubles keep each bit, also of NaNs.
    pub fn iter(&self) -> impl Iterator<Item = (i32, f64)> + use<'a> {
        let _ = (self.entries, self.body);
        std::iter::empty()
    }
}
