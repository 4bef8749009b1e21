//! Removes what is of no use any more.
//!
//! [`Deleted`] removes what deletions cover, and folders of which nothing is left. It works between two steps of
//! the dealer and the sorter, never beside one: those write into the folders that it takes away.
//! [`Superseded`] removes segments that others cover, when nobody has read the index for a while; it may work
//! beside anything.

mod deleted;
mod files;
mod hand_over;
mod idle;
mod superseded;
#[cfg(test)]
mod tests;
mod trash;

pub(crate) use deleted::Deleted;
pub use hand_over::hand_over;
pub(crate) use superseded::Superseded;
pub(crate) use trash::empty_trash;

/// What cleaning removed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Cleaned {
    /// Segments that others cover.
    pub superseded: u64,
    /// Segments from before their index was deleted, where the index goes on.
    pub deleted: u64,
    /// Bytes of both.
    pub bytes: u64,
    /// Folders of indexes of which nothing was left.
    pub folders: u64,
    /// Deletions that had done their work.
    pub deletions: u64,
    /// Temporary files, and sidecars without a segment, left behind by a crash or an error.
    pub leftovers: u64,
}

impl Cleaned {
    /// Adds what another step removed.
    pub const fn add(&mut self, other: Self) {
        self.superseded += other.superseded;
        self.deleted += other.deleted;
        self.bytes += other.bytes;
        self.folders += other.folders;
        self.deletions += other.deletions;
        self.leftovers += other.leftovers;
    }

    /// Whether nothing was removed.
    #[must_use]
    pub fn is_nothing(&self) -> bool {
        *self == Self::default()
    }
}
