//! When to sync, and whether acknowledging may go on.
//!
//! With an interval T the promise is that a power cut loses nothing that was acknowledged longer than T ago. A
//! timer of T does not keep it: the loss is T plus the duration of the fdatasync. So a sync begins so much earlier
//! as syncs took lately; and when the oldest un-synced acknowledgement reaches T all the same (the drive stalls),
//! further ones wait until the sync returns.

use std::time::Duration;

use super::config::SyncMode;
use crate::time::MonoNanos;

/// Syncs remembered to learn how long the next one may take.
const REMEMBERED: usize = 16;
/// A sync begins at least this much before it is due: the thread itself may be late.
const MARGIN_MIN: Duration = Duration::from_millis(10);
/// What a sync is thought to take before one was measured.
const DURATION_FIRST: Duration = Duration::from_millis(50);

/// Decides by mode, age and amount.
#[derive(Debug)]
pub(super) struct GroupSync {
    mode: SyncMode,
    /// So much un-synced begins a sync whatever its age.
    bytes_max: usize,
    durations: [Duration; REMEMBERED],
    next: usize,
}

impl GroupSync {
    pub(super) const fn new(mode: SyncMode, bytes_max: usize) -> Self {
        Self { mode, bytes_max, durations: [DURATION_FIRST; REMEMBERED], next: 0 }
    }

    /// A sync took so long.
    pub(super) fn measured(&mut self, duration: Duration) {
        self.durations[self.next] = duration;
        self.next = (self.next + 1) % REMEMBERED;
    }

    /// How long before its due time a sync begins: twice the longest of late.
    fn margin(&self, interval: Duration) -> Duration {
        let longest = self.durations.iter().max().copied().unwrap_or(DURATION_FIRST);
        (2 * longest).max(MARGIN_MIN).min(interval)
    }

    /// When a sync must begin for what was written, and so acknowledged, at `oldest` or later.
    pub(super) fn begins_at(&self, oldest: MonoNanos) -> MonoNanos {
        match self.mode {
            SyncMode::Always => oldest,
            SyncMode::Interval(interval) => oldest + (interval - self.margin(interval)),
        }
    }

    /// Whether a sync begins now, with so many bytes un-synced in all.
    pub(super) fn begins(&self, oldest: MonoNanos, unsynced_bytes: usize, now: MonoNanos) -> bool {
        unsynced_bytes >= self.bytes_max || self.begins_at(oldest) <= now
    }

    /// Whether what is written may be acknowledged before it is synced, given the oldest that is not.
    pub(super) fn acknowledges_written(&self, oldest: Option<MonoNanos>, now: MonoNanos) -> bool {
        match self.mode {
            SyncMode::Always => false,
            SyncMode::Interval(interval) => oldest.is_none_or(|oldest| now.since(oldest) < interval),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECOND: Duration = Duration::from_secs(1);

    #[test]
    fn a_sync_begins_earlier_the_longer_syncs_take_and_never_later_than_the_interval() {
        let mut sync = GroupSync::new(SyncMode::Interval(SECOND), 1_000);
        let oldest = MonoNanos(5);
        let wait = |sync: &GroupSync| sync.begins_at(oldest).since(oldest);
        assert_eq!(wait(&sync), Duration::from_millis(900), "careful at first");
        (0..REMEMBERED).for_each(|_| sync.measured(Duration::from_micros(300)));
        assert_eq!(wait(&sync), Duration::from_millis(990));
        sync.measured(Duration::from_millis(200));
        assert_eq!(wait(&sync), Duration::from_millis(600));
        sync.measured(3 * SECOND);
        assert_eq!(wait(&sync), Duration::ZERO);
        assert!(sync.begins(oldest, 1, oldest));
    }

    #[test]
    fn bytes_begin_a_sync_too() {
        let sync = GroupSync::new(SyncMode::Interval(SECOND), 1_000);
        assert!(!sync.begins(MonoNanos(5), 999, MonoNanos(6)));
        assert!(sync.begins(MonoNanos(5), 1_000, MonoNanos(6)));
    }

    #[test]
    fn acknowledging_waits_when_the_oldest_unsynced_is_as_old_as_the_interval() {
        let sync = GroupSync::new(SyncMode::Interval(SECOND), 1_000);
        let oldest = MonoNanos(7);
        assert!(sync.acknowledges_written(None, oldest + SECOND));
        assert!(sync.acknowledges_written(Some(oldest), oldest + (SECOND - Duration::from_nanos(1))));
        assert!(!sync.acknowledges_written(Some(oldest), oldest + SECOND));
        assert!(!GroupSync::new(SyncMode::Always, 1).acknowledges_written(None, oldest));
    }
}
