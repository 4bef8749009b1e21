//! Where a deletion cuts the log.

use crate::ids::{Epoch, Position};

/// The end of the raw log, as one look at raw/live/ sees it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LogEnd {
    /// The greatest position of a record there.
    pub greatest: Position,
    /// Whether the epoch of that record is complete, by the measure by which the dealer takes epochs.
    pub complete: bool,
}

/// The first position that a deletion made now does not cover: at or before everything that is acknowledged
/// from now on, behind everything that was acknowledged, and not inside an epoch that the dealer may have begun.
///
/// `end` must have been seen before `dealt_before` (the checkpoint: the first epoch not dealt) was read:
/// while a dealt epoch's files move to history, what is left of them in raw/live/ looks like an incomplete
/// epoch, and only the checkpoint tells that it is not one. `newest_segment` is the greatest time of the
/// index's own segments, which counts where the checkpoint was lost.
#[must_use]
pub fn cut(end: Option<LogEnd>, dealt_before: Epoch, newest_segment: Option<Epoch>) -> Position {
    let behind = |epoch: Epoch| Position::new(next(epoch), 0);
    let log = end.map_or(Position::ZERO, |end| {
        if end.complete { behind(end.greatest.epoch()) } else { end.greatest.advanced(1) }
    });
    log.max(Position::new(dealt_before, 0)).max(newest_segment.map_or(Position::ZERO, behind))
}

fn next(epoch: Epoch) -> Epoch {
    Epoch::new(epoch.millis() + 1).expect("epochs end with the year 2109")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn epoch(millis: u64) -> Epoch {
        Epoch::new(millis).unwrap()
    }

    fn at(millis: u64, ordinal: u32) -> Position {
        Position::new(epoch(millis), ordinal)
    }

    fn end(greatest: Position, complete: bool) -> Option<LogEnd> {
        Some(LogEnd { greatest, complete })
    }

    #[test]
    fn an_open_epoch_is_cut_behind_its_last_record_and_a_complete_one_behind_itself() {
        assert_eq!(cut(end(at(7, 3), false), epoch(5), None), at(7, 4));
        assert_eq!(cut(end(at(7, 3), true), epoch(5), None), at(8, 0));
    }

    #[test]
    fn without_live_records_all_that_was_dealt_is_covered() {
        assert_eq!(cut(None, epoch(5), None), at(5, 0));
        assert_eq!(cut(None, epoch(5), Some(epoch(9))), at(10, 0));
        assert_eq!(cut(None, Epoch::ZERO, None), Position::ZERO);
    }

    #[test]
    fn an_epoch_half_way_to_history_is_covered_whole() {
        assert_eq!(cut(end(at(7, 3), false), epoch(8), None), at(8, 0));
    }
}
