//! Where a deletion cuts the log.

use crate::ids::{Epoch, Position};

/// The first position that a deletion made now does not cover: behind everything that was acknowledged, at or
/// before everything that is received from now on, and not inside an epoch that the dealer may have begun.
///
/// `end` is how far raw/live/ reaches ([`crate::raw_log::read::tails::Tails::next_position`]). It must have been
/// looked at before `checkpoint` (the next epoch to deal) was read: while a dealt epoch's files move to
/// history, what is left of them in raw/live/ looks like an epoch that is still open, and only the checkpoint
/// tells that it is not. `newest_segment` is the greatest time of the index's own segments, which counts where
/// the checkpoint was lost.
pub(super) fn cut(end: Option<Position>, checkpoint: Epoch, newest_segment: Option<Epoch>) -> Position {
    end.unwrap_or(Position::ZERO)
        .max(Position::new(checkpoint, 0))
        .max(newest_segment.map_or(Position::ZERO, Position::after))
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

    #[test]
    fn all_that_was_received_or_dealt_is_covered() {
        assert_eq!(cut(Some(at(7, 4)), epoch(5), Some(epoch(4))), at(7, 4));
        assert_eq!(cut(None, epoch(5), None), at(5, 0));
        assert_eq!(cut(None, epoch(5), Some(epoch(9))), at(10, 0));
        assert_eq!(cut(None, Epoch::ZERO, None), Position::ZERO);
        let last = cut(None, Epoch::ZERO, Some(Epoch::MAX));
        assert!(last > Position::new(Epoch::MAX, 0), "a name can say so, and is no reason to end");
    }

    #[test]
    fn an_epoch_half_way_to_history_is_covered_whole() {
        assert_eq!(cut(Some(at(7, 4)), epoch(8), Some(epoch(7))), at(8, 0));
    }
}
