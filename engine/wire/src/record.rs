//! `LogRecord`: one document change, as borrowed views over its Thrift-binary bytes.
//!
//! ```text
//! 1 id i64   2 timestamp_ms i64   3 index_code string   4 docid string   5 deleted bool
//! 6 fields map<string,string>   7 variables map<i32,double>   8 categories map<string,string>
//! ```

/// Why bytes can't be read as what they should be.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum DecodeError {
    /// The bytes end before the value does.
    #[error("the bytes end in the middle of a value")]
    Incomplete,
    /// The bytes can't be this value, whatever follows.
    #[error("at byte {offset}: {what}")]
    Malformed {
        /// Where, from the beginning of what was being decoded.
        offset: usize,
        /// What is wrong.
        what: &'static str,
    },
}

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

/// Writes records, in the field order of the original.
#[derive(Debug)]
pub struct RecordWriter<'b> {
    out: &'b mut Vec<u8>,
}

impl<'b> RecordWriter<'b> {
    /// Begins a record behind the bytes of `out`. Fields follow in any order, each at most once; then
    /// [`Self::finish`].
    pub const fn begin(out: &'b mut Vec<u8>) -> Self {
        Self { out }
    }
    /// Field 2.
    pub fn timestamp_ms(&mut self, _value: i64) {
        let _ = &self.out;
        unimplemented!("contract only")
    }
    /// Field 3.
    pub fn index_code(&mut self, _value: &[u8]) {
        unimplemented!("contract only")
    }
    /// Field 4.
    pub fn docid(&mut self, _value: &[u8]) {
        unimplemented!("contract only")
    }
    /// Field 5.
    pub fn deleted(&mut self, _value: bool) {
        unimplemented!("contract only")
    }
    /// Field 6.
    pub fn fields<'m>(&mut self, _entries: impl ExactSizeIterator<Item = (&'m [u8], &'m [u8])>) {
        unimplemented!("contract only")
    }
    /// Field 7.
    pub fn variables(&mut self, _entries: impl ExactSizeIterator<Item = (i32, f64)>) {
        unimplemented!("contract only")
    }
    /// Field 8.
    pub fn categories<'m>(&mut self, _entries: impl ExactSizeIterator<Item = (&'m [u8], &'m [u8])>) {
        unimplemented!("contract only")
    }
    /// Ends the record.
    pub fn finish(self) {
        unimplemented!("contract only")
    }
}

/// Writes `record` without its index_code and id, with this timestamp and each string made valid UTF-8 (bytes
/// that are not become U+FFFD, as the original's decoder does): the form in which index segments hold it and
/// recoveries are answered.
pub fn write_normalized(_out: &mut Vec<u8>, _record: &RecordView<'_>, _timestamp_ms: i64) {
    unimplemented!("contract only")
}
