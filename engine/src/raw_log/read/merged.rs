//! An epoch's segments as one stream, in the order of positions.
//!
//! Each shard's segment is ordered in itself, so this is a k-way merge; k is the number of shards, small enough
//! that looking at each beats a heap. One watermark does the rest: everything before it was delivered (or is
//! not wanted, or was reported lost), so what a second copy of a frame holds is passed over. Frames of two
//! shards that have only some positions in common are damage: neither may be passed over.

use std::ops::Range;

use super::frame::Frame;
use super::live::EpochView;
use super::scan::{ScanPoint, SegmentScan};
use crate::error::{Corruption, Result};
use crate::format::names::RawName;
use crate::ids::{IndexCode, Position, ShardId};
use crate::io::disk::{Disk, DiskFile, Transfer};

/// K-way merge of the segments of one epoch. Memory is one chunk (or the longest frame) for each segment.
///
/// A frame that was written twice (to a second part after an I/O error) is delivered once. What recovery
/// reported lost is never delivered, even if it could be read again.
#[derive(Debug)]
pub(crate) struct EpochScan<F> {
    sources: Vec<Source<F>>,
    lost: Vec<Range<Position>>,
    // Everything before it is done with.
    watermark: Position,
    end: Position,
    /// The whole frame that was delivered last: which shard's, and its positions.
    last: Option<(Option<ShardId>, Range<Position>)>,
}

#[derive(Debug)]
struct Source<F> {
    name: RawName,
    scan: SegmentScan<F>,
    // Where the present frame can be found again.
    before: ScanPoint,
    ended: bool,
}

impl<F: DiskFile> EpochScan<F> {
    /// Opens the segments; delivers the records whose positions are in `range`.
    ///
    /// # Errors
    /// The disk's (a file that was moved to history: look again); corruption of a header block or of the .lost file.
    pub(crate) async fn open<D: Disk<File = F>>(
        disk: &D,
        epoch: &EpochView,
        range: Range<Position>,
        transfer: Transfer,
    ) -> Result<Self> {
        let lost = match &epoch.lost {
            None => &[][..],
            Some(Ok(lost)) => &lost.gaps,
            Some(Err(corruption)) => return Err(corruption.clone().into()),
        };
        let first = Position::new(epoch.epoch, 0).packed();
        let position = |ordinal: &u32| Position::from_packed(first + u64::from(*ordinal));
        let mut sources = Vec::with_capacity(epoch.segments.len());
        for segment in &epoch.segments {
            let scan = segment.scan(disk, transfer).await?;
            sources.push(Source { name: segment.name, before: scan.point(), scan, ended: false });
        }
        Ok(Self {
            sources,
            lost: lost.iter().map(|(begin, end)| position(begin)..position(end)).collect(),
            watermark: range.start,
            end: range.end,
            last: None,
        })
    }

    /// Only records of this index are asked for: see [`SegmentScan::only`].
    pub(crate) fn only(&mut self, code: &IndexCode) {
        self.sources.iter_mut().for_each(|source| source.scan.only(code));
    }

    /// The next frame; its [`Frame::records`] are those that were not delivered yet. `None` at the end of the
    /// range or of what is on disk (asking again then looks whether open segments have grown).
    ///
    /// # Errors
    /// The disk's; corruption, where it stays.
    pub(crate) async fn next_frame(&mut self) -> Result<Option<Frame<'_>>> {
        while self.watermark < self.end {
            let Some((index, frame)) = self.least().await? else { break };
            let (begin, end) = self.unlost(frame.start.max(self.watermark), frame.end.min(self.end));
            if begin < end {
                self.watermark = end;
                let frame = self.sources[index].scan.frame().expect("it was just looked at");
                self.last = Some((shard_of(self.sources[index].name), frame.first..frame.end()));
                return Ok(Some(Frame { from: begin, until: end, ..frame }));
            }
            self.watermark = begin;
        }
        // Not before, or each call would look at the ends of those that are exhausted.
        for source in &mut self.sources {
            source.ended = false;
        }
        Ok(None)
    }

    /// Everything delivered so far lies before this position: a later scan may begin here.
    #[must_use]
    pub(crate) const fn position(&self) -> Position {
        self.watermark
    }

    /// Where each segment's scan stands, so that a later one need not begin at the front: pass to
    /// [`Self::seek`]. Only a hint, never needed.
    #[must_use]
    pub(crate) fn points(&self) -> Vec<(RawName, ScanPoint)> {
        let points = self.sources.iter().map(|source| {
            let pending = source.scan.frame().is_some_and(|frame| frame.end() > self.watermark);
            (source.name, if pending { source.before } else { source.scan.point() })
        });
        points.collect()
    }

    /// Begins the scans at these points of an earlier scan of the same epoch, where they lie before the range.
    /// To be called before the first frame is asked for.
    pub(crate) fn seek(&mut self, points: &[(RawName, ScanPoint)]) {
        for source in &mut self.sources {
            let known =
                points.iter().find(|(name, point)| *name == source.name && point.least <= self.watermark);
            // A point that does not fit is as good as none.
            if known.is_some_and(|(_, point)| source.scan.seek(*point).is_ok()) {
                source.before = source.scan.point();
            }
        }
    }

    /// The source whose next undelivered record comes first, and the positions of its frame.
    async fn least(&mut self) -> Result<Option<(usize, Range<Position>)>> {
        let mut least: Option<(usize, Range<Position>)> = None;
        for (index, source) in self.sources.iter_mut().enumerate() {
            let last = self.last.as_ref().filter(|(shard, _)| *shard != shard_of(source.name));
            let last = last.map(|(_, last)| last);
            if let Some(range) = source.settle(self.watermark, last).await?
                && least.as_ref().is_none_or(|(_, other)| range.start.max(self.watermark) < other.start)
            {
                least = Some((index, range.start.max(self.watermark)..range.end));
            }
        }
        Ok(least)
    }

    /// The first stretch of `[begin, end)` that was not reported lost; if there is none, `(end, end)`.
    fn unlost(&self, begin: Position, end: Position) -> (Position, Position) {
        let mut begin = begin;
        for gap in &self.lost[self.lost.partition_point(|gap| gap.end <= begin)..] {
            if gap.start > begin {
                return (begin, end.min(gap.start));
            }
            begin = gap.end;
            if begin >= end {
                return (end, end);
            }
        }
        (begin, end)
    }
}

impl<F: DiskFile> Source<F> {
    /// Goes on to the first frame that has anything from `watermark` on. Stops at one that has a position in common
    /// with `last`, the frame that another shard wrote, and is not the same.
    async fn settle(
        &mut self,
        watermark: Position,
        last: Option<&Range<Position>>,
    ) -> Result<Option<Range<Position>>> {
        loop {
            if let Some(frame) = self.scan.frame() {
                let range = frame.first..frame.end();
                let overlaps = |last: &&Range<Position>| {
                    range.start < last.end && last.start < range.end && **last != range
                };
                if let Some(last) = last.filter(overlaps) {
                    let what = overlap(&range, last);
                    let (path, offset) = (frame.path.to_owned(), frame.offset);
                    return Err(Corruption { path, offset, what }.into());
                }
                if range.end > watermark {
                    return Ok(Some(range));
                }
            }
            if self.ended {
                return Ok(None);
            }
            self.before = self.scan.point();
            self.ended = !self.scan.advance().await?;
        }
    }
}

/// Whose segment it is; `None` for one of the original.
const fn shard_of(name: RawName) -> Option<ShardId> {
    match name {
        RawName::Segment { shard, .. } => Some(shard),
        RawName::Legacy(_) | RawName::Ready(_) | RawName::Lost(_) => None,
    }
}

/// What is wrong where a frame has positions of another one.
fn overlap(frame: &Range<Position>, other: &Range<Position>) -> String {
    format!(
        "a frame of the positions {} to {} and another of {} to {} can't both be right: `logtank repair` keeps the \
         file and names what is in doubt",
        frame.start, frame.end, other.start, other.end
    )
}

#[cfg(test)]
mod tests;
