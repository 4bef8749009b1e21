//! `LogPageToken`, and the reply of `read_page`.

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
