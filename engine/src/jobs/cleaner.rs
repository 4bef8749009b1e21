//! Removes what is of no use any more.

/// What a round of cleaning removed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Cleaned {
    /// Segments that others cover.
    pub superseded: u64,
    /// Segments from before their index was deleted.
    pub deleted: u64,
    /// Bytes of both.
    pub bytes: u64,
    /// Folders of indexes of which nothing was left.
    pub folders: u64,
    /// Deletions that had done their work.
    pub deletions: u64,
    /// Temporary files and sidecars without a segment, left behind by a crash or an error.
    pub leftovers: u64,
}
