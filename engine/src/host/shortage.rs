//! What follows when no raw segment can be made: trying again, taking the last room, or giving up.

use std::collections::BTreeSet;
use std::io::ErrorKind;
use std::time::Duration;

use super::starving::Starving;
use crate::error::{Error, is_shortage};
use crate::io::op::ShardEvent;
use crate::metrics::ShardMetrics;
use crate::mutant::{bug, or_bug};
use crate::time::MonoNanos;

/// After a segment could not be prepared. A full drive refuses appends long before, so nobody waits for it.
const RETRY_AFTER: Duration = Duration::from_secs(1);

/// What follows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Verdict {
    /// It is tried again.
    Wait,
    /// What waits in memory has nowhere to go, and its clients wait for an answer that can't come.
    GiveUp,
}

/// Who waits for a segment that could not be made.
#[derive(Debug, Default)]
pub(super) struct Shortage {
    /// Whose drive failed, and who has taken no fresh segment into use since.
    rewriting: BTreeSet<usize>,
    starving: Starving,
    again_at: Option<MonoNanos>,
    urgent: bool,
}

impl Shortage {
    /// A shard says how it fares.
    pub(super) fn heed(&mut self, shard: usize, event: &ShardEvent) {
        if matches!(event, ShardEvent::Rewriting { .. }) {
            self.rewriting.insert(shard);
        } else if matches!(event, ShardEvent::Claimed { .. }) {
            self.rewriting.remove(&shard);
        }
    }

    /// Whether each shard whose drive failed has found another place to write to.
    pub(super) fn all_write(&self) -> bool {
        self.rewriting.is_empty()
    }

    /// When the next segment may be made; `None`: at once.
    pub(super) const fn again_at(&self) -> Option<MonoNanos> {
        self.again_at
    }

    /// Whether the next segment is made of the last room there is, because batches in memory wait for it.
    pub(super) const fn is_urgent(&self) -> bool {
        self.urgent
    }

    /// A segment was made; whether there is room for others.
    pub(super) fn ends(&mut self) -> bool {
        self.again_at = None;
        !or_bug!(LastRoomForAll, std::mem::take(&mut self.urgent), self.urgent)
    }

    /// A segment is there that need not be made.
    pub(super) const fn helped(&mut self) {
        self.again_at = None;
    }

    /// While there is only the last room: who needs a segment most. First those whose drive failed: some of what they wait with
    /// was acknowledged. Then those who wait for the longest, and others wait for their epoch.
    pub(super) fn neediest(&self) -> impl Iterator<Item = usize> {
        let waiting = if self.urgent { self.starving.by_need(&self.rewriting) } else { Vec::new() };
        waiting.into_iter()
    }

    /// There was no room for one.
    pub(super) fn without_room<'m>(
        &mut self,
        shards: impl Iterator<Item = &'m ShardMetrics>,
        now: MonoNanos,
    ) {
        self.urgent = self.starving.observe(shards, &self.rewriting, now).is_urgent();
        self.again_at = Some(now + RETRY_AFTER);
    }

    /// One could not be made.
    pub(super) fn failed<'m>(
        &mut self,
        error: &Error,
        shards: impl Iterator<Item = &'m ShardMetrics>,
        now: MonoNanos,
    ) -> Verdict {
        let waiting = self.starving.observe(shards, &self.rewriting, now);
        let in_vain = !self.rewriting.is_empty() || waiting.is_too_long() || bug!(GivenUpEarly);
        if in_vain && !comes_back(error) {
            return Verdict::GiveUp;
        }
        self.urgent = waiting.is_urgent();
        self.again_at = Some(now + RETRY_AFTER);
        Verdict::Wait
    }
}

/// A full drive may have room again, and descriptors come back.
fn comes_back(error: &Error) -> bool {
    let full = [ErrorKind::StorageFull, ErrorKind::QuotaExceeded, ErrorKind::FileTooLarge];
    matches!(error, Error::Disk(error) if full.contains(&error.source.kind()))
        || is_for_want_of_descriptors(error)
}

/// Whoever waits for what others let go of is not refused meanwhile. A sync that failed so is no reason to distrust
/// anything here: its file was removed, and the next segment is another one.
pub(super) fn is_for_want_of_descriptors(error: &Error) -> bool {
    matches!(error, Error::Disk(error) if is_shortage(&error.source))
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::*;
    use crate::error::{DiskError, Verb};
    use crate::ids::Epoch;

    fn error(code: i32) -> Error {
        DiskError::new(Verb::Allocate, Path::new("/x"), std::io::Error::from_raw_os_error(code)).into()
    }

    fn at(seconds: u64) -> MonoNanos {
        MonoNanos(5) + Duration::from_secs(seconds)
    }

    #[test]
    fn room_quota_length_and_descriptors_come_back() {
        let back: Vec<_> = (1..134).filter(|&code| comes_back(&error(code))).collect();
        assert_eq!(back, [12, 23, 24, 27, 28, 105, 122], "ENOMEM ENFILE EMFILE EFBIG ENOSPC ENOBUFS EDQUOT");
    }

    #[test]
    fn a_broken_drive_is_given_up_when_batches_waited_too_long() {
        let (metrics, mut shortage) = (ShardMetrics::default(), Shortage::default());
        let mut failed = |metrics: &ShardMetrics, code, seconds| {
            shortage.failed(&error(code), std::iter::once(metrics), at(seconds))
        };
        assert_eq!([failed(&metrics, 5, 0), failed(&metrics, 5, 60)], [Verdict::Wait; 2], "nothing waits");
        metrics.staged_bytes.set(1);
        assert_eq!([failed(&metrics, 5, 61), failed(&metrics, 5, 65)], [Verdict::Wait; 2]);
        assert_eq!(failed(&metrics, 28, 70), Verdict::Wait, "a full drive has room again");
        assert_eq!(failed(&metrics, 5, 70), Verdict::GiveUp);
    }

    #[test]
    fn who_rewrites_to_a_broken_drive_does_not_wait() {
        let (metrics, mut shortage) = (ShardMetrics::default(), Shortage::default());
        shortage.heed(0, &ShardEvent::Rewriting { what: String::new() });
        assert!(!shortage.all_write());
        let failed =
            |shortage: &mut Shortage, code| shortage.failed(&error(code), [&metrics].into_iter(), at(0));
        assert_eq!([failed(&mut shortage, 28), failed(&mut shortage, 5)], [Verdict::Wait, Verdict::GiveUp]);
        let epoch = Epoch::new(1).unwrap();
        shortage.heed(0, &ShardEvent::Claimed { ready: 0, epoch, part: 0 });
        assert!(shortage.all_write());
        assert_eq!(failed(&mut shortage, 5), Verdict::Wait);
    }

    #[test]
    fn the_last_room_is_for_batches_that_wait_for_one_segment() {
        let (metrics, mut shortage) = (ShardMetrics::default(), Shortage::default());
        metrics.staged_bytes.set(1);
        let without = |shortage: &mut Shortage, seconds| {
            shortage.without_room([&metrics].into_iter(), at(seconds));
            shortage.is_urgent()
        };
        assert!(!without(&mut shortage, 0) && without(&mut shortage, 1));
        assert_eq!(shortage.again_at(), Some(at(2)));
        assert!(!shortage.ends(), "it was made of the last room");
        assert!(shortage.again_at().is_none() && !shortage.is_urgent() && shortage.ends());
    }
}
