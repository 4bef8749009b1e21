//! Borrowed views of a record's maps.

use crate::cursor::{Container, Cursor};
use crate::decode_error::DecodeError;
use crate::kind::Kind;

const CHECKED: &str = "a map's bytes were checked when it was parsed";

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

impl<'a> StringMap<'a> {
    /// Reads the map at `cursor`; passes over one with other types, and returns `None`.
    #[inline]
    pub(super) fn parse(cursor: &mut Cursor<'a>) -> Result<Option<Self>, DecodeError> {
        let mut inside = *cursor;
        let Container { types, count: entries } = inside.container()?;
        if types != [Kind::String.code(); 2] {
            return cursor.skip(Kind::Map).map(|()| None);
        }
        let begin = inside;
        for _ in 0..entries {
            inside.string()?;
            inside.string()?;
        }
        *cursor = inside;
        Ok(Some(Self { entries, body: inside.since(&begin) }))
    }

    /// Entries as received, repeated keys counted each time.
    #[must_use]
    pub const fn len(&self) -> usize {
        self.entries as usize
    }

    /// Whether it is set, but has no entry.
    #[must_use]
    pub const fn is_empty(&self) -> bool {
        self.entries == 0
    }

    /// Its entries as received.
    pub fn iter(&self) -> impl ExactSizeIterator<Item = (&'a [u8], &'a [u8])> + Clone + use<'a> {
        let mut cursor = Cursor::new(self.body);
        (0..self.len()).map(move |_| (cursor.string().expect(CHECKED), cursor.string().expect(CHECKED)))
    }

    /// The bytes of the entries, without types and count.
    pub(super) const fn body(&self) -> &'a [u8] {
        self.body
    }
}

impl<'a> VariableMap<'a> {
    /// Reads the map at `cursor`; passes over one with other types, and returns `None`.
    #[inline]
    pub(super) fn parse(cursor: &mut Cursor<'a>) -> Result<Option<Self>, DecodeError> {
        let mut inside = *cursor;
        let Container { types, count: entries } = inside.container()?;
        // Entries are all of one length, so skipping the map is checking it.
        cursor.skip(Kind::Map)?;
        if types != [Kind::I32.code(), Kind::Double.code()] {
            return Ok(None);
        }
        Ok(Some(Self { entries, body: cursor.since(&inside) }))
    }

    /// Entries as received, repeated keys counted each time.
    #[must_use]
    pub const fn len(&self) -> usize {
        self.entries as usize
    }

    /// Whether it is set, but has no entry.
    #[must_use]
    pub const fn is_empty(&self) -> bool {
        self.entries == 0
    }

    /// Its entries as received; doubles keep each bit, also of NaNs.
    pub fn iter(&self) -> impl ExactSizeIterator<Item = (i32, f64)> + Clone + use<'a> {
        let mut cursor = Cursor::new(self.body);
        (0..self.len()).map(move |_| (cursor.i32().expect(CHECKED), cursor.double().expect(CHECKED)))
    }

    /// The bytes of the entries, without types and count.
    pub(super) const fn body(&self) -> &'a [u8] {
        self.body
    }
}
