//! Where everything is: the data directory as the original has it, with the raw log perhaps elsewhere.

use std::path::{Path, PathBuf};

use super::names::{RawName, SegmentName};
use crate::ids::IndexCode;

/// The paths of one host's data.
///
/// ```text
/// raw/live/            raw segments not dealt yet, and segments made ready
/// raw/history/         dealt raw segments, and the deletions that concern them
/// raw/spare/           segments that history no longer needs, to be recycled
/// indexes/CODE/segments/    TIME.unsorted_N  TIME.sorted_N  and their sidecars
/// indexes/CODE/optimized/   TIME.optimized_N                and their sidecars
/// indexes/CODE/last_read    its modification time is the index's last read
/// packs/               FIRST-END_GENERATION_CELL.recent and .base: records of many indexes in one file
/// deletions/CODE       a deleted index: records before this position are gone
/// rejected/            TIME.unsorted_N: records of the raw log that belong to no index, as received
/// trash/               folders of deleted indexes on their way out
/// dealer.next_timestamp.info  decimal milliseconds: the next epoch to deal
/// safe_to_read master migrating/ migrated/ previous/ writer.lock dealer.lock   as in the original
/// token.key            32 random bytes that sign page tokens
/// identity  raw/identity      that both folders belong together
/// accept_new_raw       an operator says that they do; removed when they have one identity
/// raw/ballast          given up when the drive is full, so that renames still work
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Layout {
    data: PathBuf,
    raw: PathBuf,
}

impl Layout {
    /// The layout of the data directory `data`; with `raw_parent`, raw/ is in that folder instead.
    #[must_use]
    pub fn new(data: &Path, raw_parent: Option<&Path>) -> Self {
        Self { data: data.to_owned(), raw: raw_parent.unwrap_or(data).join("raw") }
    }

    /// The data directory.
    #[must_use]
    pub fn data(&self) -> &Path {
        &self.data
    }
    /// `raw/`, all of it on one filesystem.
    #[must_use]
    pub fn raw(&self) -> &Path {
        &self.raw
    }
    /// `raw/live/`
    #[must_use]
    pub fn raw_live(&self) -> PathBuf {
        self.raw.join("live")
    }
    /// `raw/live/` in the data directory: the original knows no other, also if [`Self::raw_live`] is elsewhere.
    #[must_use]
    pub fn original_live(&self) -> PathBuf {
        self.data.join("raw").join("live")
    }
    /// `raw/history/`
    #[must_use]
    pub fn raw_history(&self) -> PathBuf {
        self.raw.join("history")
    }
    /// `raw/spare/`
    #[must_use]
    pub fn raw_spare(&self) -> PathBuf {
        self.raw.join("spare")
    }
    /// A file of `raw/live/`.
    #[must_use]
    pub fn live(&self, name: RawName) -> PathBuf {
        self.raw_live().join(name.to_string())
    }
    /// A file of `raw/history/`.
    #[must_use]
    pub fn history(&self, name: RawName) -> PathBuf {
        self.raw_history().join(name.to_string())
    }
    /// `raw/ballast`
    #[must_use]
    pub fn ballast(&self) -> PathBuf {
        self.raw.join("ballast")
    }
    /// `indexes/`
    #[must_use]
    pub fn indexes(&self) -> PathBuf {
        self.data.join("indexes")
    }
    /// `indexes/CODE/`
    #[must_use]
    pub fn index(&self, code: &IndexCode) -> PathBuf {
        self.indexes().join(code.as_str())
    }
    /// `indexes/CODE/segments/`
    #[must_use]
    pub fn segments(&self, code: &IndexCode) -> PathBuf {
        self.index(code).join("segments")
    }
    /// `indexes/CODE/optimized/`
    #[must_use]
    pub fn optimized(&self, code: &IndexCode) -> PathBuf {
        self.index(code).join("optimized")
    }
    /// The file of a segment of an index.
    #[must_use]
    pub fn segment(&self, code: &IndexCode, name: SegmentName) -> PathBuf {
        let folder = match name.kind {
            super::names::SegmentKind::Optimized => self.optimized(code),
            super::names::SegmentKind::Unsorted | super::names::SegmentKind::Sorted => self.segments(code),
        };
        folder.join(name.to_string())
    }
    /// The sidecar of a segment of an index.
    #[must_use]
    pub fn sidecar(&self, code: &IndexCode, name: SegmentName) -> PathBuf {
        super::names::sidecar_of(&self.segment(code, name))
    }
    /// `indexes/CODE/last_read`
    #[must_use]
    pub fn last_read(&self, code: &IndexCode) -> PathBuf {
        self.index(code).join("last_read")
    }
    /// `packs/`
    #[must_use]
    pub fn packs(&self) -> PathBuf {
        self.data.join("packs")
    }
    /// `deletions/`
    #[must_use]
    pub fn deletions(&self) -> PathBuf {
        self.data.join("deletions")
    }
    /// `deletions/CODE`
    #[must_use]
    pub fn deletion(&self, code: &IndexCode) -> PathBuf {
        self.deletions().join(code.as_str())
    }
    /// `rejected/`
    #[must_use]
    pub fn rejected(&self) -> PathBuf {
        self.data.join("rejected")
    }
    /// `trash/`
    #[must_use]
    pub fn trash(&self) -> PathBuf {
        self.data.join("trash")
    }
    /// `dealer.next_timestamp.info`
    #[must_use]
    pub fn checkpoint(&self) -> PathBuf {
        self.data.join("dealer.next_timestamp.info")
    }
    /// `dealer.unarchived.info`
    #[must_use]
    pub fn unarchived(&self) -> PathBuf {
        self.data.join("dealer.unarchived.info")
    }
    /// `safe_to_read`
    #[must_use]
    pub fn safe_to_read(&self) -> PathBuf {
        self.data.join("safe_to_read")
    }
    /// `master`
    #[must_use]
    pub fn master(&self) -> PathBuf {
        self.data.join("master")
    }
    /// `writer.lock`
    #[must_use]
    pub fn writer_lock(&self) -> PathBuf {
        self.data.join("writer.lock")
    }
    /// `dealer.lock`
    #[must_use]
    pub fn dealer_lock(&self) -> PathBuf {
        self.data.join("dealer.lock")
    }
    /// `token.key`
    #[must_use]
    pub fn token_key(&self) -> PathBuf {
        self.data.join("token.key")
    }
    /// `identity`
    #[must_use]
    pub fn identity(&self) -> PathBuf {
        self.data.join("identity")
    }
    /// `raw/identity`
    #[must_use]
    pub fn raw_identity(&self) -> PathBuf {
        self.raw.join("identity")
    }
    /// `accept_new_raw`
    #[must_use]
    pub fn accept_new_raw(&self) -> PathBuf {
        self.data.join("accept_new_raw")
    }
}
