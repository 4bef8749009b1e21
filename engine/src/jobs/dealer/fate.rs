//! Where each record of the raw log goes.

use crate::deletions::Deletions;
use crate::ids::IndexCode;
use crate::raw_log::read::frame::Record;

/// Where a record goes.
pub(super) enum Fate<'r> {
    /// To the index of this code.
    Index(&'r [u8]),
    /// To rejected/.
    Rejected,
    /// Nowhere: it says nothing.
    Empty,
    /// Nowhere: its index was deleted after it.
    Deleted,
}

impl<'r> Fate<'r> {
    /// That of this record.
    pub(super) fn of(record: &Record<'r>, deletions: &Deletions) -> Self {
        let view = &record.view;
        match (view.index_code, view.docid) {
            (_, None) if !view.has_content() => Self::Empty,
            // Only what the original wrote can be so; shards refuse it. It stopped the original for ever.
            (None, _) | (_, None) => Self::Rejected,
            (Some(code), Some(_)) if !IndexCode::is_valid(code) => Self::Rejected,
            (Some(code), Some(_)) if deletions.covers(code, record.position) => Self::Deleted,
            (Some(code), Some(_)) => Self::Index(code),
        }
    }
}
