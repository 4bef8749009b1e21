//! What a recovery reads next, given how far it has come and what a look at the disk found.
//!
//! A recovery is the newest optimized segment, then sorted and unsorted segments by time, then the raw log.
//! Between two pages any of these may have been dealt, sorted, optimized or removed. Then:
//!
//! - A segment that is still there is read on, whatever covers it now.
//! - An unsorted segment, or a stretch of the raw log, that is part of a sorted segment now: that one is read
//!   from its beginning. Applying a stretch of the log again, up to at least where one was, changes nothing.
//! - What only an optimized segment still holds can't be had: that has dropped deletions, and would leave
//!   documents in place that the recovery has already applied. The recovery must start over.

use super::error::StartOver;
use super::token::{Place, Progress, SegmentPlace};
use crate::format::names::{SegmentKind, SegmentName};
use crate::ids::{Epoch, Position};

/// A sorted or unsorted segment.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Stretch {
    /// Its name; its time is the first epoch in it.
    pub name: SegmentName,
    /// The last epoch in it; `None` if that is not known (a sorted segment without sidecar).
    pub last: Option<Epoch>,
}

/// What a look at the disk found of the index, as far as it matters here.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct View {
    /// Everything before this epoch is in segments, everything else in the raw log.
    pub next_to_deal: Epoch,
    /// Sorted and unsorted segments by time, also those that an optimized one covers; without unsorted ones that a
    /// sorted one covers.
    pub stretches: Vec<Stretch>,
    /// Optimized segments, by time.
    pub optimized: Vec<SegmentName>,
    /// Covered stretches up to this epoch may have been removed.
    pub cleaned: Option<Epoch>,
    /// The index's deletion; [`Position::ZERO`] if there is none.
    pub deletion: Position,
}

/// What to read next.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Next {
    /// This segment from this place on; when it has been read, everything before `after` is delivered.
    Segment {
        /// Where to begin.
        place: SegmentPlace,
        /// What its end proves.
        after: Position,
    },
    /// The raw log from here on.
    Live(Position),
    /// Nothing: the recovery is complete.
    End,
}

/// Where a recovery begins: at the newest optimized segment, if there is one; `following` is the time of the first
/// stretch that it does not cover. Returns `from` and the place.
#[must_use]
pub fn begin(view: &View, optimized: Option<SegmentName>, following: Option<Epoch>) -> (Position, Place) {
    match optimized {
        Some(name) => (
            Position::new(following.unwrap_or(view.next_to_deal), 0),
            Place::Inside(SegmentPlace { name, offset: 0, records: 0 }),
        ),
        None => (view.deletion, Place::Anywhere),
    }
}

/// What comes next.
///
/// # Errors
/// If the recovery can't go on.
pub fn next(view: &View, progress: &Progress) -> Result<Next, StartOver> {
    let from = progress.from.max(view.deletion);
    if view.deletion > progress.deletion {
        return Err(StartOver::Deleted);
    }
    if from.epoch() < view.next_to_deal && view.cleaned.is_some_and(|cleaned| cleaned >= from.epoch()) {
        return Err(StartOver::Superseded);
    }
    match &progress.place {
        Place::Inside(place) if place.name.kind == SegmentKind::Optimized => {
            // What it dropped can't be had from any other.
            let there = view.optimized.contains(&place.name);
            if there { Ok(Next::Segment { place: *place, after: from }) } else { Err(StartOver::Superseded) }
        }
        Place::Inside(place) => match view.stretches.iter().position(|stretch| stretch.name == place.name) {
            Some(at) => Ok(Next::Segment { place: *place, after: view.beginning_behind(at) }),
            None => match view.first_holding(from.epoch()) {
                // Merged with others since. Anything else would leave out its rest.
                Some(at) if view.stretches[at].may_hold(place.name.time) => view.segment(at, progress.end),
                Some(_) | None => Err(StartOver::Superseded),
            },
        },
        Place::After(name) => match view.stretches.iter().position(|stretch| stretch.name == *name) {
            Some(at) => view.segment(at + 1, progress.end),
            None => view.holding(from, progress.end),
        },
        Place::Anywhere | Place::Live(_) => view.holding(from, progress.end),
    }
}

impl Stretch {
    fn may_hold(&self, epoch: Epoch) -> bool {
        self.name.time <= epoch && self.last.is_none_or(|last| epoch <= last)
    }
}

impl View {
    /// What holds `from`, or comes behind it.
    fn holding(&self, from: Position, end: Position) -> Result<Next, StartOver> {
        if from >= end {
            return Ok(Next::End);
        }
        if from.epoch() >= self.next_to_deal {
            return Ok(Next::Live(from));
        }
        self.segment(self.first_holding(from.epoch()).unwrap_or(self.stretches.len()), end)
    }

    /// The stretch at `at` from its beginning, or the raw log if there is none.
    fn segment(&self, at: usize, end: Position) -> Result<Next, StartOver> {
        let begins = self.stretches.get(at).map_or(self.next_to_deal, |stretch| stretch.name.time);
        if Position::new(begins, 0) >= end {
            return Ok(Next::End);
        }
        Ok(match self.stretches.get(at) {
            Some(stretch) => {
                let place = SegmentPlace { name: stretch.name, offset: 0, records: 0 };
                Next::Segment { place, after: self.beginning_behind(at) }
            }
            None => Next::Live(Position::new(self.next_to_deal, 0)),
        })
    }

    /// Everything of the index before this is in stretches up to the one at `at`.
    fn beginning_behind(&self, at: usize) -> Position {
        Position::new(self.stretches.get(at + 1).map_or(self.next_to_deal, |stretch| stretch.name.time), 0)
    }

    /// The first stretch that holds anything of `epoch` or later, or that may.
    fn first_holding(&self, epoch: Epoch) -> Option<usize> {
        let known = self.stretches.iter().position(|stretch| {
            stretch.name.time >= epoch || stretch.last.is_some_and(|last| last >= epoch)
        });
        // The last sorted one that begins before: those before it end where it begins.
        let sorted = |stretch: &Stretch| stretch.name.kind == SegmentKind::Sorted && stretch.name.time <= epoch;
        let unknown = self.stretches.iter().rposition(sorted).filter(|&at| self.stretches[at].last.is_none());
        match (known, unknown) {
            (Some(known), Some(unknown)) => Some(known.min(unknown)),
            (known, unknown) => known.or(unknown),
        }
    }
}
