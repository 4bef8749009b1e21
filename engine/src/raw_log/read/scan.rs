//! Streams the frames of one raw segment, of this host's format or the original's.

mod items;

use std::path::Path;

pub use items::Item;

use super::frame::Frame;
use super::framed::FramedScan;
use super::legacy::LegacyScan;
use super::live::SegmentView;
use crate::error::{Corruption, DiskError, Result, Verb};
use crate::format::names::RawName;
use crate::format::raw::{Header, Seal};
use crate::ids::{IndexCode, Position};
use crate::io::disk::{Disk, DiskFile, Transfer};

/// A place in a segment from which a scan can go on.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct ScanPoint {
    /// Byte offset at which the next frame begins.
    pub offset: u64,
    /// Positions from here on may follow; lesser ones can't be right.
    pub least: Position,
}

/// Why nothing follows in a segment.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum EndReason {
    /// The segment was read up to its seal, or up to the end of the file.
    Complete,
    /// Zeros: nothing was written here.
    Zero,
    /// The beginning of a frame (or record) of this segment that is not whole: torn, or being written.
    Torn,
    /// Other bytes: what the file held in an earlier life, or (in a segment of the original) garbage.
    Stale,
}

/// Where a segment ends, and why.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ScanEnd {
    /// Byte offset just past the last whole frame and its padding.
    pub offset: u64,
    /// Why it ends there.
    pub reason: EndReason,
}

/// Reads one raw segment front to back in aligned chunks; memory is one chunk, or the longest frame.
///
/// Every frame is verified before any of it is believed: checksum, epoch, and that positions grow. In a sealed
/// segment anything wrong before the seal's end is a [`Corruption`], never an end. In an unsealed one the first
/// thing that is not a frame is the end.
#[derive(Debug)]
pub struct SegmentScan<F>(Kind<F>);

#[derive(Debug)]
enum Kind<F> {
    Framed(Box<FramedScan<F>>),
    Legacy(LegacyScan<F>),
}

impl SegmentView {
    /// Reads its frames, where it was when it was looked at, or under the name that it has got since.
    ///
    /// # Errors
    /// As [`SegmentScan::open`].
    pub async fn scan<D: Disk>(&self, disk: &D, transfer: Transfer) -> Result<SegmentScan<D::File>> {
        let [seen, named] = self.places();
        match SegmentScan::open(disk, &seen, transfer).await {
            Err(error) if error.is_not_found() => SegmentScan::open(disk, &named, transfer).await,
            scan => scan,
        }
    }
}

impl<F: DiskFile> SegmentScan<F> {
    /// Opens a segment; its name tells which format it has.
    ///
    /// # Errors
    /// The disk's; [`Corruption`] if the header block can't be read (also if the file is not in use: look at
    /// the header before, see [`super::live`]).
    pub async fn open<D: Disk<File = F>>(disk: &D, path: &Path, transfer: Transfer) -> Result<Self> {
        let name = path.file_name().and_then(|name| name.to_str()).and_then(RawName::parse);
        match name {
            Some(RawName::Legacy(epoch)) => {
                Ok(Self(Kind::Legacy(LegacyScan::open(disk, path, epoch, transfer).await?)))
            }
            Some(RawName::Segment { .. } | RawName::Ready(_)) => {
                Ok(Self(Kind::Framed(Box::new(FramedScan::open(disk, path, transfer).await?))))
            }
            Some(RawName::Lost(_)) | None => {
                let source =
                    std::io::Error::new(std::io::ErrorKind::InvalidInput, "not the name of a raw segment");
                Err(DiskError::new(Verb::Scan, path, source).into())
            }
        }
    }

    /// Only records of this index are asked for: a damaged frame that is proven to hold none of them is delivered without its
    /// records ([`Frame::withheld`]), or left out where its positions are not known. In a segment of the original nothing proves it.
    pub fn only(&mut self, code: &IndexCode) {
        match &mut self.0 {
            Kind::Framed(scan) => scan.only(code),
            Kind::Legacy(_) => {}
        }
    }

    /// The header; `None` for a segment of the original.
    #[must_use]
    pub const fn header(&self) -> Option<&Header> {
        match &self.0 {
            Kind::Framed(scan) => Some(scan.header()),
            Kind::Legacy(_) => None,
        }
    }

    /// The seal; `None` if there is none yet, or in a segment of the original.
    #[must_use]
    pub const fn seal(&self) -> Option<&Seal> {
        match &self.0 {
            Kind::Framed(scan) => scan.seal(),
            Kind::Legacy(_) => None,
        }
    }

    /// The file.
    #[must_use]
    pub fn path(&self) -> &Path {
        match &self.0 {
            Kind::Framed(scan) => scan.path(),
            Kind::Legacy(scan) => scan.path(),
        }
    }

    /// Goes on to the next frame; `false` at the end. Asking again after the end looks at the file anew: a live
    /// segment may have grown. Asking again after a corruption gives the same corruption.
    ///
    /// # Errors
    /// The disk's; the corruption at which the scan now stands ([`Self::skip_damage`] passes over it).
    pub async fn advance(&mut self) -> Result<bool> {
        match &mut self.0 {
            Kind::Framed(scan) => scan.advance().await,
            Kind::Legacy(scan) => scan.advance().await,
        }
    }

    /// The frame that [`Self::advance`] went to.
    #[must_use]
    pub fn frame(&self) -> Option<Frame<'_>> {
        match &self.0 {
            Kind::Framed(scan) => scan.frame(),
            Kind::Legacy(scan) => scan.frame(),
        }
    }

    /// [`Self::advance`] and [`Self::frame`] in one.
    ///
    /// # Errors
    /// As [`Self::advance`].
    pub async fn next_frame(&mut self) -> Result<Option<Frame<'_>>> {
        Ok(if self.advance().await? { self.frame() } else { None })
    }

    /// Moves from a corruption (or from the end of an unsealed segment) to the next frame that verifies, so that
    /// [`Self::advance`] delivers it; `false` if there is none. A segment of the original has nothing to find a
    /// next record by: always `false`.
    ///
    /// # Errors
    /// The disk's.
    pub async fn skip_damage(&mut self) -> Result<bool> {
        match &mut self.0 {
            Kind::Framed(scan) => scan.skip_damage().await,
            Kind::Legacy(_) => Ok(false),
        }
    }

    /// Where a scan would go on behind the present frame.
    #[must_use]
    pub const fn point(&self) -> ScanPoint {
        match &self.0 {
            Kind::Framed(scan) => scan.point(),
            Kind::Legacy(scan) => scan.point(),
        }
    }

    /// Goes on from `point`, which [`Self::point`] of a scan of this segment gave.
    ///
    /// # Errors
    /// A [`Corruption`] if no frame can begin there.
    pub fn seek(&mut self, point: ScanPoint) -> Result<(), Corruption> {
        match &mut self.0 {
            Kind::Framed(scan) => scan.seek(point),
            Kind::Legacy(scan) => scan.seek(point),
        }
    }

    /// Where and why it ended, once [`Self::advance`] said `false`.
    #[must_use]
    pub const fn end(&self) -> Option<ScanEnd> {
        match &self.0 {
            Kind::Framed(scan) => scan.end(),
            Kind::Legacy(scan) => scan.end(),
        }
    }
}

#[cfg(test)]
mod tests;
