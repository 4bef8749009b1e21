//! Pages out of the raw log: the records of one index, picked from all, in the order of positions.

use std::time::Duration;

use super::draft::{Draft, Taken};
use super::error::ReadError;
use super::look::Look;
use super::token::{HINTS_MAX, LiveHint, Place};
use crate::format::names::RawName;
use crate::ids::Position;
use crate::io::disk::{Disk, DiskFile, Transfer};
use crate::raw_log::read::live::EpochView;
use crate::raw_log::read::merged::EpochScan;
use crate::raw_log::read::scan::ScanPoint;
use crate::time::{Clock, MonoNanos};

/// How reading the raw log for a page ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum LiveEnd {
    /// The page is full, or its time is up.
    Full,
    /// Records are missing that may be on their way to the drive: a fresh look will tell.
    Gap,
    /// Everything up to the recovery's end was read.
    End,
}

/// A frame that was not taken whole: its place must not be passed over.
struct Returned {
    name: Option<RawName>,
    point: ScanPoint,
}

/// Fills one page from the raw log.
pub(super) struct LivePage<'r, D, C> {
    pub(super) disk: &'r D,
    pub(super) clock: &'r C,
    /// What the raw log was when the page was begun, or looked at last.
    pub(super) look: &'r Look,
    pub(super) started: MonoNanos,
    /// A page that is not full by then is answered as it is.
    pub(super) time_max: Duration,
}

impl<D: Disk, C: Clock> LivePage<'_, D, C> {
    /// Fills the page, beginning at `from`, which is not dealt yet.
    ///
    /// # Errors
    /// The disk's ("not found" if a file has moved), or corruption. What is in the page then is whole.
    pub(super) async fn fill(&self, draft: &mut Draft, from: Position) -> Result<LiveEnd, ReadError> {
        let hints = match &draft.progress.place {
            Place::Live(hints) if draft.progress.from == from => hints.clone(),
            Place::Live(_) | Place::Anywhere | Place::Inside(_) | Place::After(_) => Vec::new(),
        };
        draft.advance(from, Place::Live(hints));
        let first = from.epoch().max(self.look.view.next_to_deal);
        let end = draft.progress.end;
        let epochs = self.look.live.epochs.range(first..).map(|(_, epoch)| epoch);
        for epoch in epochs.take_while(|epoch| Position::new(epoch.epoch, 0) < end) {
            match self.read_epoch(draft, epoch).await? {
                LiveEnd::End => draft.advance(Position::after(epoch.epoch), Place::Live(Vec::new())),
                end @ (LiveEnd::Full | LiveEnd::Gap) => return Ok(end),
            }
        }
        Ok(LiveEnd::End)
    }

    async fn read_epoch(&self, draft: &mut Draft, epoch: &EpochView) -> Result<LiveEnd, ReadError> {
        let from = draft.progress.from.max(Position::new(epoch.epoch, 0));
        let range = from..Position::after(epoch.epoch);
        let mut scan = EpochScan::open(self.disk, epoch, range, Transfer::Cached).await?;
        // Damage that can't concern this index does not hold it up.
        scan.only(&draft.code);
        if let Place::Live(hints) = &draft.progress.place {
            let points: Vec<_> = hints.iter().map(|hint| (hint.name, hint.point)).collect();
            scan.seek(&points);
        }
        let complete = self.look.live.is_complete(epoch.epoch);
        loop {
            let expected = scan.position();
            let frame = match scan.next_frame().await {
                Ok(Some(frame)) => frame,
                Ok(None) => break,
                Err(error) => {
                    // What was taken is not to be taken again.
                    draft.advance(expected, Place::Live(hints(&scan, None)));
                    return Err(error.into());
                }
            };
            let name =
                epoch.segments.iter().find(|segment| segment.is_at(frame.path)).map(|found| found.name);
            let returned = Returned { name, point: ScanPoint { offset: frame.offset, least: frame.first } };
            if frame.from > expected && !complete && !draft.gaps_accepted {
                draft.advance(expected, Place::Live(hints(&scan, Some(returned))));
                return Ok(LiveEnd::Gap);
            }
            match draft.take(&frame) {
                Ok(Taken::All) => {}
                Ok(Taken::Before(position)) => {
                    draft.advance(position, Place::Live(hints(&scan, Some(returned))));
                    return Ok(LiveEnd::Full);
                }
                Err(corruption) => {
                    draft.advance(expected, Place::Live(hints(&scan, Some(returned))));
                    return Err(corruption.into());
                }
            }
            if self.clock.now().mono.since(self.started) >= self.time_max {
                draft.advance(scan.position(), Place::Live(hints(&scan, None)));
                if draft.has_advanced() {
                    return Ok(LiveEnd::Full);
                }
            }
        }
        draft.advance(scan.position(), Place::Live(hints(&scan, None)));
        let followed = self.look.live.greatest_epoch() > Some(epoch.epoch);
        let missing = followed && !complete && !draft.gaps_accepted;
        Ok(if missing { LiveEnd::Gap } else { LiveEnd::End })
    }
}

fn hints<F: DiskFile>(scan: &EpochScan<F>, returned: Option<Returned>) -> Vec<LiveHint> {
    let mut points = scan.points();
    if let Some(Returned { name, point }) = returned {
        for known in points.iter_mut().filter(|(known, _)| Some(*known) == name) {
            known.1 = point;
        }
    }
    points.into_iter().take(HINTS_MAX).map(|(name, point)| LiveHint { name, point }).collect()
}
