//! Records to bytes.

use super::id;
use super::maps::{StringMap, VariableMap};
use crate::kind::Kind;
use crate::put;

/// Writes a record, field by field. The original writes them in the order of their ids, and so should callers; any
/// reader takes any order.
#[derive(Debug)]
#[must_use = "a record is not whole before it is finished"]
pub struct RecordWriter<'b> {
    out: &'b mut Vec<u8>,
    /// One bit for each field written.
    written: u16,
}

impl<'b> RecordWriter<'b> {
    /// Begins a record behind the bytes of `out`. Fields follow, each at most once; then [`Self::finish`].
    pub const fn begin(out: &'b mut Vec<u8>) -> Self {
        Self { out, written: 0 }
    }

    /// # Panics
    /// Like every method that writes a field: if it was written already.
    fn field(&mut self, kind: Kind, id: i16) {
        assert_eq!(self.written & (1 << id), 0, "field {id} of a record is written twice");
        self.written |= 1 << id;
        put::field(self.out, kind, id);
    }

    /// Field 2.
    pub fn timestamp_ms(&mut self, value: i64) {
        self.field(Kind::I64, id::TIMESTAMP_MS);
        put::i64(self.out, value);
    }

    /// Field 3.
    pub fn index_code(&mut self, value: &[u8]) {
        self.field(Kind::String, id::INDEX_CODE);
        put::string(self.out, value);
    }

    /// Field 4.
    pub fn docid(&mut self, value: &[u8]) {
        self.field(Kind::String, id::DOCID);
        put::string(self.out, value);
    }

    /// Field 5.
    pub fn deleted(&mut self, value: bool) {
        self.field(Kind::Bool, id::DELETED);
        self.out.push(value.into());
    }

    /// Field 6.
    pub fn fields<'m>(&mut self, entries: impl ExactSizeIterator<Item = (&'m [u8], &'m [u8])>) {
        self.string_map(id::FIELDS, entries);
    }

    /// Field 7.
    pub fn variables(&mut self, entries: impl ExactSizeIterator<Item = (i32, f64)>) {
        self.field(Kind::Map, id::VARIABLES);
        let count = entries.len();
        put::map(self.out, Kind::I32, Kind::Double, count);
        let mut left = count;
        for (key, value) in entries {
            put::i32(self.out, key);
            put::double(self.out, value);
            left -= 1;
        }
        assert_eq!(left, 0, "a map has as many entries as its count says");
    }

    /// Field 8.
    pub fn categories<'m>(&mut self, entries: impl ExactSizeIterator<Item = (&'m [u8], &'m [u8])>) {
        self.string_map(id::CATEGORIES, entries);
    }

    fn string_map<'m>(&mut self, id: i16, entries: impl ExactSizeIterator<Item = (&'m [u8], &'m [u8])>) {
        self.field(Kind::Map, id);
        let count = entries.len();
        put::map(self.out, Kind::String, Kind::String, count);
        let mut left = count;
        for (key, value) in entries {
            put::string(self.out, key);
            put::string(self.out, value);
            left -= 1;
        }
        assert_eq!(left, 0, "a map has as many entries as its count says");
    }

    /// Field 6 or 8, a map whose entries are taken over as they are.
    pub(super) fn string_map_as_is(&mut self, id: i16, map: &StringMap<'_>) {
        self.field(Kind::Map, id);
        put::map(self.out, Kind::String, Kind::String, map.len());
        self.out.extend_from_slice(map.body());
    }

    /// Field 7, a map whose entries are taken over as they are.
    pub(super) fn variables_as_is(&mut self, map: &VariableMap<'_>) {
        self.field(Kind::Map, id::VARIABLES);
        put::map(self.out, Kind::I32, Kind::Double, map.len());
        self.out.extend_from_slice(map.body());
    }

    /// Any string map, whose keys and values need not outlive the iteration step.
    pub(super) fn string_map_of(&mut self, id: i16, entries: &[(impl AsRef<[u8]>, impl AsRef<[u8]>)]) {
        self.string_map(id, entries.iter().map(|(key, value)| (key.as_ref(), value.as_ref())));
    }

    /// Ends the record.
    pub fn finish(self) {
        put::stop(self.out);
    }
}
