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
use crate::mutant::bug;

/// A sorted or unsorted segment.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Stretch {
    /// Its name; its time is the first epoch in it.
    pub name: SegmentName,
    /// The last epoch in it; `None` if that is not known (a sorted segment without sidecar).
    pub last: Option<Epoch>,
}

/// What a look at the disk found of the index, as far as it matters here.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct View {
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
pub(crate) enum Next {
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
pub(crate) fn begin(
    view: &View,
    optimized: Option<SegmentName>,
    following: Option<Epoch>,
) -> (Position, Place) {
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
pub(crate) fn next(view: &View, progress: &Progress) -> Result<Next, StartOver> {
    let from = progress.from.max(view.deletion);
    if view.deletion > progress.deletion {
        return Err(StartOver::Deleted);
    }
    if !bug!(StaleToken)
        && from.epoch() < view.next_to_deal
        && view.cleaned.is_some_and(|cleaned| cleaned >= from.epoch())
    {
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
        let known = self
            .stretches
            .iter()
            .position(|stretch| stretch.name.time >= epoch || stretch.last.is_some_and(|last| last >= epoch));
        // The last sorted one that begins before: those before it end where it begins.
        let sorted =
            |stretch: &Stretch| stretch.name.kind == SegmentKind::Sorted && stretch.name.time <= epoch;
        let unknown = self.stretches.iter().rposition(sorted).filter(|&at| self.stretches[at].last.is_none());
        match (known, unknown) {
            (Some(known), Some(unknown)) => Some(known.min(unknown)),
            (known, unknown) => known.or(unknown),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::time::WallMillis;

    fn epoch(millis: u64) -> Epoch {
        Epoch::new(millis).unwrap()
    }

    fn at(millis: u64) -> Position {
        Position::new(epoch(millis), 0)
    }

    fn name(kind: SegmentKind, time: u64) -> SegmentName {
        SegmentName { kind, time: epoch(time), records: 1 }
    }

    fn unsorted(time: u64) -> Stretch {
        Stretch { name: name(SegmentKind::Unsorted, time), last: Some(epoch(time)) }
    }

    fn sorted(time: u64, last: Option<u64>) -> Stretch {
        Stretch { name: name(SegmentKind::Sorted, time), last: last.map(epoch) }
    }

    fn view(stretches: &[Stretch]) -> View {
        View { next_to_deal: epoch(50), stretches: stretches.to_vec(), ..View::default() }
    }

    fn come_to(from: Position, place: Place) -> Progress {
        Progress { issued: WallMillis(0), end: at(60), deletion: Position::ZERO, from, boot: 0, place }
    }

    fn begins(stretch: Stretch, after: u64) -> Result<Next, StartOver> {
        let place = SegmentPlace { name: stretch.name, offset: 0, records: 0 };
        Ok(Next::Segment { place, after: at(after) })
    }

    fn inside(stretch: Stretch) -> Place {
        Place::Inside(SegmentPlace { name: stretch.name, offset: 9, records: 1 })
    }

    #[test]
    fn stretches_follow_each_other_and_then_the_raw_log() {
        let all = [sorted(10, Some(20)), unsorted(30), unsorted(40)];
        let view = view(&all);
        assert_eq!(next(&view, &come_to(Position::ZERO, Place::Anywhere)), begins(all[0], 30));
        let after = |stretch: Stretch, from| next(&view, &come_to(at(from), Place::After(stretch.name)));
        assert_eq!(after(all[0], 30), begins(all[1], 40));
        assert_eq!(after(all[1], 40), begins(all[2], 50));
        assert_eq!(after(all[2], 50), Ok(Next::Live(at(50))));
    }

    #[test]
    fn a_recovery_ends_where_it_was_to_end_also_among_segments() {
        let all = [unsorted(10), unsorted(30)];
        let mut view = view(&all);
        let progress = |end| Progress { end: at(end), ..come_to(at(30), Place::After(all[0].name)) };
        assert_eq!(next(&view, &progress(30)), Ok(Next::End));
        assert_eq!(next(&view, &progress(31)), begins(all[1], 50));
        view.stretches.pop();
        assert_eq!(next(&view, &progress(50)), Ok(Next::End));
        assert_eq!(next(&view, &progress(51)), Ok(Next::Live(at(50))));
        let live = Progress { end: at(55), ..come_to(at(55), Place::Live(Vec::new())) };
        assert_eq!(next(&view, &live), Ok(Next::End));
    }

    #[test]
    fn what_was_dealt_since_is_read_from_what_holds_it_now() {
        let live = come_to(Position::new(epoch(25), 7), Place::Live(Vec::new()));
        let holds = sorted(20, Some(30));
        assert_eq!(next(&view(&[sorted(10, Some(15)), holds]), &live), begins(holds, 50));
        let behind = unsorted(26);
        assert_eq!(next(&view(&[sorted(10, Some(24)), behind]), &live), begins(behind, 50));
        assert_eq!(next(&view(&[sorted(10, Some(24))]), &live), Ok(Next::Live(at(50))));
    }

    #[test]
    fn a_sorted_segment_of_which_nobody_knows_how_far_it_reaches_is_read_again() {
        let live = come_to(at(25), Place::Live(Vec::new()));
        let unknown = sorted(20, None);
        assert_eq!(next(&view(&[sorted(10, None), unknown, unsorted(40)]), &live), begins(unknown, 40));
        // The next sorted segment tells where it ends.
        let known = sorted(22, Some(23));
        assert_eq!(next(&view(&[unknown, known, unsorted(40)]), &live), begins(unsorted(40), 50));
        // Read to its end, it is not read again and again.
        let after = come_to(at(25), Place::After(unknown.name));
        assert_eq!(next(&view(&[unknown]), &after), Ok(Next::Live(at(50))));
    }

    #[test]
    fn the_rest_of_an_unsorted_segment_is_never_left_out() {
        let gone = unsorted(20);
        let progress = come_to(at(20), inside(gone));
        let holds = sorted(15, Some(20));
        assert_eq!(next(&view(&[holds, unsorted(30)]), &progress), begins(holds, 30));
        assert_eq!(next(&view(&[unsorted(30)]), &progress), Err(StartOver::Superseded));
        assert_eq!(next(&view(&[]), &progress), Err(StartOver::Superseded));
        let there = View { stretches: vec![gone], ..view(&[]) };
        let place = SegmentPlace { name: gone.name, offset: 9, records: 1 };
        assert_eq!(next(&there, &progress), Ok(Next::Segment { place, after: at(50) }));
    }

    #[test]
    fn an_optimized_segment_is_read_on_only_while_it_is_there() {
        let optimized = name(SegmentKind::Optimized, 20);
        let place = SegmentPlace { name: optimized, offset: 9, records: 1 };
        let progress = come_to(at(30), Place::Inside(place));
        let view = view(&[unsorted(30)]);
        assert_eq!(next(&view, &progress), Err(StartOver::Superseded));
        let there = View { optimized: vec![optimized, name(SegmentKind::Optimized, 40)], ..view };
        assert_eq!(next(&there, &progress), Ok(Next::Segment { place, after: at(30) }));
    }

    #[test]
    fn what_was_removed_ends_only_recoveries_that_need_it() {
        let removed = View { cleaned: Some(epoch(39)), ..view(&[unsorted(40)]) };
        let from = |millis| next(&removed, &come_to(at(millis), Place::Live(Vec::new())));
        assert_eq!(from(39), Err(StartOver::Superseded));
        assert_eq!(from(40), begins(unsorted(40), 50));
        assert_eq!(from(50), Ok(Next::Live(at(50))));
    }

    #[test]
    fn only_a_deletion_since_the_recovery_began_ends_it() {
        let deleted = View { deletion: at(45), ..view(&[]) };
        let progress = come_to(at(50), Place::Live(Vec::new()));
        assert_eq!(next(&deleted, &progress), Err(StartOver::Deleted));
        assert_eq!(next(&deleted, &Progress { deletion: at(45), ..progress }), Ok(Next::Live(at(50))));
    }
}
