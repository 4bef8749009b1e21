//! `LogPageToken`: where a recovery continues.

use crate::cursor::Cursor;
use crate::decode_error::DecodeError;
use crate::kind::Kind;
use crate::put;

/// Field 2 of a `LogPage`.
pub(crate) const NEXT_PAGE_TOKEN: i16 = 2;

/// `PageType`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(i32)]
pub enum PageType {
    /// No page read yet.
    Initial = 0,
    /// In an optimized segment.
    Optimized = 1,
    /// In a sorted (or unsorted) segment.
    Index = 2,
    /// In the raw log.
    Live = 3,
}

/// Where a recovery goes on. Clients pass every field back as it came.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct LogPageToken {
    /// Field 1, a [`PageType`] by number (any number may arrive).
    pub kind: Option<i32>,
    /// Field 2.
    pub timestamp: Option<i64>,
    /// Field 3.
    pub obsolete_1: Option<i64>,
    /// Field 4: this host's own token; opaque.
    pub obsolete_2: Option<Vec<u8>>,
    /// Field 5.
    pub file_position: Option<i64>,
    /// Field 6.
    pub obsolete_3: Option<bool>,
    /// Field 7, a [`PageType`] by number.
    pub next_kind: Option<i32>,
    /// Field 8.
    pub next_timestamp: Option<i64>,
}

impl LogPageToken {
    /// Whether it begins a recovery: nothing is set, or only the type, as [`PageType::Initial`].
    #[must_use]
    pub fn is_initial(&self) -> bool {
        let kind = self.kind.filter(|kind| *kind != PageType::Initial as i32);
        Self { kind, ..self.clone() } == Self::default()
    }

    pub(crate) fn read(cursor: &mut Cursor<'_>) -> Result<Self, DecodeError> {
        let mut token = Self::default();
        while let Some(field) = cursor.field()? {
            match field {
                (Kind::I32, 1) => token.kind = Some(cursor.i32()?),
                (Kind::I64, 2) => token.timestamp = Some(cursor.i64()?),
                (Kind::I64, 3) => token.obsolete_1 = Some(cursor.i64()?),
                (Kind::String, 4) => token.obsolete_2 = Some(cursor.string()?.to_vec()),
                (Kind::I64, 5) => token.file_position = Some(cursor.i64()?),
                (Kind::Bool, 6) => token.obsolete_3 = Some(cursor.bool()?),
                (Kind::I32, 7) => token.next_kind = Some(cursor.i32()?),
                (Kind::I64, 8) => token.next_timestamp = Some(cursor.i64()?),
                (kind, _) => cursor.skip(kind)?,
            }
        }
        Ok(token)
    }

    pub(crate) fn write(&self, out: &mut Vec<u8>) {
        let i32_field = |out: &mut Vec<u8>, id, value: Option<i32>| {
            if let Some(value) = value {
                put::field(out, Kind::I32, id);
                put::i32(out, value);
            }
        };
        let i64_field = |out: &mut Vec<u8>, id, value: Option<i64>| {
            if let Some(value) = value {
                put::field(out, Kind::I64, id);
                put::i64(out, value);
            }
        };
        i32_field(out, 1, self.kind);
        i64_field(out, 2, self.timestamp);
        i64_field(out, 3, self.obsolete_1);
        if let Some(value) = &self.obsolete_2 {
            put::field(out, Kind::String, 4);
            put::string(out, value);
        }
        i64_field(out, 5, self.file_position);
        if let Some(value) = self.obsolete_3 {
            put::field(out, Kind::Bool, 6);
            out.push(value.into());
        }
        i32_field(out, 7, self.next_kind);
        i64_field(out, 8, self.next_timestamp);
        put::stop(out);
    }
}
