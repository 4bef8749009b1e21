//! Where each record of the raw log goes.

use logtank_wire::record::write_normalized;

use crate::deletions::Deletions;
use crate::ids::IndexCode;
use crate::raw_log::read::frame::Record;

/// Target of the records that belong to no index; it comes before all codes.
pub(super) const REJECTED: &[u8] = b"";

/// Where a record goes.
enum Fate<'r> {
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
    fn of(record: &Record<'r>, deletions: &Deletions) -> Self {
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

/// What a pass met, whether it collected it or not.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Met {
    /// Records of the epoch.
    pub records: u64,
    /// Those that belong to no index.
    pub rejected: u64,
    /// Those with neither docid nor content, which were dropped.
    pub empty: u64,
    /// Those whose index was deleted after them, which were dropped.
    pub deleted: u64,
}

impl Met {
    /// Counts a record; whose it is, a code or [`REJECTED`]. `None`: it is dropped.
    pub(super) fn target<'r>(&mut self, record: &Record<'r>, deletions: &Deletions) -> Option<&'r [u8]> {
        self.records += 1;
        match Fate::of(record, deletions) {
            Fate::Index(code) => return Some(code),
            Fate::Rejected => {
                self.rejected += 1;
                return Some(REJECTED);
            }
            Fate::Empty => self.empty += 1,
            Fate::Deleted => self.deleted += 1,
        }
        None
    }
}

/// Writes a record as its target gets it.
pub(super) fn write_for(target: &[u8], record: &Record<'_>, out: &mut Vec<u8>) {
    if target == REJECTED {
        out.extend_from_slice(record.bytes);
    } else {
        write_normalized(out, &record.view, i64::try_from(record.time.0).unwrap_or(i64::MAX));
    }
}
