//! How old history is, by a clock that may be wrong.
//!
//! Epochs are named by the wall clock, and one reading of a clock that is a month ahead would make all of them too old at once; so
//! would the epochs that a start with such a clock leaves. What that gives up is gone when the clock is put right. So of the
//! time between two neighbours only a quarter of the greatest age counts, and so of the time from the newest one until now, but
//! for what this process has seen go by itself, twice over. A clock that is wrong costs a quarter of history at most;
//! what is kept too long because a host stood still goes soon after, and `history_max_bytes` bounds it meanwhile.

use std::time::Duration;

use crate::ids::Epoch;
use crate::mutant::or_bug;
use crate::time::{MonoNanos, Now};

/// Of the greatest age, as much as this part is believed of a clock that nothing confirms.
const BELIEVED: u32 = 4;

/// Tells what is too old.
#[derive(Debug)]
pub(super) struct Age {
    most: Duration,
    /// When it was asked first.
    begun: Option<MonoNanos>,
}

impl Age {
    pub(super) const fn new(most: Duration) -> Self {
        Self { most, begun: None }
    }

    /// The newest of `epochs`, which ascend, that is too old; those before it are, too.
    pub(super) fn newest_too_old(
        &mut self,
        epochs: impl DoubleEndedIterator<Item = Epoch>,
        now: Now,
    ) -> Option<Epoch> {
        let step = or_bug!(HistoryByClock, self.most / BELIEVED, Duration::MAX / 2);
        let seen = now.mono.since(*self.begun.get_or_insert(now.mono)) * 2;
        let between = |from: u64, to: u64| Duration::from_millis(to.saturating_sub(from));
        let (mut age, mut next) = (Duration::ZERO, None);
        for epoch in epochs.rev() {
            age += match next {
                None => between(epoch.millis(), now.wall.0).min(step + seen),
                Some(next) => between(epoch.millis(), next).min(step),
            };
            if age > self.most {
                return Some(epoch);
            }
            next = Some(epoch.millis());
        }
        None
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::time::WallMillis;

    const DAY: u64 = 86_400_000;

    fn at(wall: u64, mono: u64) -> Now {
        Now { wall: WallMillis(wall), mono: MonoNanos(mono * 1_000_000) }
    }

    fn epochs(days: impl Iterator<Item = u64>) -> Vec<Epoch> {
        days.map(|day| Epoch::new(day * DAY).unwrap()).collect()
    }

    /// How many of `epochs` are left, by a process that has run for `mono` milliseconds.
    fn left(epochs: &[Epoch], wall: u64, mono: u64) -> usize {
        let mut age = Age::new(Duration::from_millis(30 * DAY));
        age.newest_too_old(epochs.iter().copied(), at(wall, 0));
        let oldest = age.newest_too_old(epochs.iter().copied(), at(wall, mono));
        epochs.iter().filter(|epoch| oldest.is_none_or(|oldest| **epoch > oldest)).count()
    }

    #[test]
    fn by_a_clock_that_is_right_what_is_older_than_the_bound_is_too_old() {
        let all = epochs(0..100);
        assert_eq!(left(&all, 100 * DAY, 0), 30);
        assert_eq!(left(&all, 29 * DAY, 0), 31, "one that is behind makes nothing older");
        assert_eq!(left(&all[..30], 30 * DAY, 0), 30);
    }

    #[test]
    fn a_clock_a_month_ahead_costs_a_quarter_however_often() {
        let mut all = epochs(0..30);
        assert_eq!(left(&all, 60 * DAY, 0), 23);
        // What is received then is named by it, and the next start may be under it too.
        all.push(Epoch::new(60 * DAY).unwrap());
        assert_eq!(left(&all, 61 * DAY, 0), 23);
        assert_eq!(left(&all, 61 * DAY + DAY / 2, 3_600_000), 23);
        // The clock is put right.
        assert_eq!(left(&all, 31 * DAY, 0), 24);
    }

    #[test]
    fn of_a_host_that_is_idle_all_gets_too_old_in_the_end() {
        let all = epochs(0..30);
        assert_eq!(left(&all, 45 * DAY, 15 * DAY), 15);
        assert_eq!(left(&all, 61 * DAY, 31 * DAY), 0);
    }
}
