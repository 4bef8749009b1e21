//! `raw/spare/`: segments that history no longer needs, kept for recycling.

use crate::error::Result;
use crate::format::layout::Layout;
use crate::format::names::RawName;
use crate::io::disk::Disk;

/// What became of a file of history.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Retired {
    /// It waits in `raw/spare/` to be recycled.
    Spared,
    /// It is deleted.
    Deleted,
    /// It was not there any more.
    Gone,
}

/// Gives up a file of `raw/history/`: keeps it for recycling if it is a segment of this host and fewer than
/// `spares_max` wait already, otherwise deletes it. Durable.
///
/// # Errors
/// The disk's.
pub async fn retire<D: Disk>(
    _disk: &D,
    _layout: &Layout,
    _name: RawName,
    _spares_max: usize,
) -> Result<Retired> {
    unimplemented!("contract only")
}
