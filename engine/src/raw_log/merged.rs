//! An epoch's segments as one stream, in the order of positions.

use std::ops::Range;

use super::frame::Frame;
use super::live::EpochView;
use super::scan::{ScanPoint, SegmentScan};
use crate::error::Result;
use crate::format::names::RawName;
use crate::ids::Position;
use crate::io::disk::{Disk, Transfer};

/// K-way merge of the segments of one epoch. Memory is one chunk (or the longest frame) for each segment.
///
/// A frame that was written twice (to a second part after an I/O error) is delivered once. What recovery
/// reported lost is never delivered, even if it could be read again.
#[derive(Debug)]
pub struct EpochScan<F> {
    scans: Vec<SegmentScan<F>>,
}

impl<D: crate::io::disk::DiskFile> EpochScan<D> {
    /// Opens the segments; delivers the records whose positions are in `range`.
    ///
    /// # Errors
    /// The disk's (a file that has vanished: look again); corruption of a header block or of the .lost file.
    pub async fn open<K: Disk<File = D>>(
        _disk: &K,
        _epoch: &EpochView,
        _range: Range<Position>,
        _transfer: Transfer,
    ) -> Result<Self> {
        unimplemented!("contract only")
    }

    /// The next frame; its [`Frame::records`] are those that were not delivered yet. `None` at the end of the
    /// range or of what is on disk.
    ///
    /// # Errors
    /// The disk's; corruption, where it stays ([`Self::skip_damage`] passes over it).
    pub async fn next_frame(&mut self) -> Result<Option<Frame<'_>>> {
        unimplemented!("contract only")
    }

    /// Passes over the corruption that [`Self::next_frame`] reported, losing what it covers.
    ///
    /// # Errors
    /// The disk's.
    pub async fn skip_damage(&mut self) -> Result<()> {
        unimplemented!("contract only")
    }

    /// Everything delivered so far lies before this position: a later scan may begin here.
    #[must_use]
    pub fn position(&self) -> Position {
        unimplemented!("contract only")
    }

    /// Where each segment's scan stands, so that a later one need not begin at the front: pass to
    /// [`Self::seek`]. Only a hint, never needed.
    #[must_use]
    pub fn points(&self) -> Vec<(RawName, ScanPoint)> {
        let _ = &self.scans;
        unimplemented!("contract only")
    }

    /// Begins the scans at these points of an earlier scan of the same epoch, where they lie before the range.
    pub fn seek(&mut self, _points: &[(RawName, ScanPoint)]) {
        unimplemented!("contract only")
    }
}
