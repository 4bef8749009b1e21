//! Whether batches wait for a raw segment that can't be made.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use crate::metrics::ShardMetrics;
use crate::time::MonoNanos;

/// So long what is being written to has room: then batches that are in memory have nowhere to go.
const URGENT_AFTER: Duration = Duration::from_millis(500);
/// Clients wait for an answer meanwhile: after this long they had better hear that there will be none.
const PATIENCE: Duration = Duration::from_secs(5);

/// The shards that have frames and nowhere to write them to: how many frames had got a place before, and since when.
#[derive(Debug, Default)]
pub(super) struct Starving(BTreeMap<usize, (u64, MonoNanos)>);

impl Starving {
    /// To be called whenever no segment could be made. For how long a shard has been waiting for one; one that goes on
    /// writing to the segment it has is not waiting, one whose segment `failed` is.
    pub(super) fn observe<'m>(
        &mut self,
        shards: impl Iterator<Item = &'m ShardMetrics>,
        failed: &BTreeSet<usize>,
        now: MonoNanos,
    ) -> Waiting {
        for (number, metrics) in shards.enumerate() {
            let placed = metrics.frames_placed.get();
            let has_frames = metrics.staged_bytes.get() > 0 || failed.contains(&number);
            if !has_frames || metrics.ready_segments.get() > 0 {
                self.0.remove(&number);
            } else if self.0.get(&number).is_none_or(|&(before, _)| before != placed) {
                self.0.insert(number, (placed, now));
            }
        }
        self.waiting(now)
    }

    /// Those who wait, by when they began; first of all those whose segment `failed`.
    pub(super) fn by_need(&self, failed: &BTreeSet<usize>) -> Vec<usize> {
        let mut waiting: Vec<_> = self.0.iter().map(|(&shard, &(_, since))| (shard, since)).collect();
        waiting.sort_by_key(|&(shard, since)| (!failed.contains(&shard), since));
        waiting.into_iter().map(|(shard, _)| shard).collect()
    }

    fn waiting(&self, now: MonoNanos) -> Waiting {
        Waiting(self.0.values().map(|&(_, since)| now.since(since)).max())
    }
}

/// For how long batches have been waiting for a segment; `None` if none are.
#[derive(Clone, Copy, Debug)]
pub(super) struct Waiting(Option<Duration>);

impl Waiting {
    /// A segment is to be made of the last room there is: what was received is to be kept.
    pub(super) fn is_urgent(self) -> bool {
        self.0.is_some_and(|waiting| waiting >= URGENT_AFTER)
    }

    /// It is better to give up.
    pub(super) fn is_too_long(self) -> bool {
        self.0.is_some_and(|waiting| waiting >= PATIENCE)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_shard_with_frames_and_without_a_segment_waits_so_long() {
        let (metrics, mut starving) = (ShardMetrics::default(), Starving::default());
        let mut too_long = |metrics: &ShardMetrics, seconds| {
            let now = MonoNanos(7) + Duration::from_secs(seconds);
            starving.observe(std::iter::once(metrics), &BTreeSet::new(), now).is_too_long()
        };
        assert!(!too_long(&metrics, 0) && !too_long(&metrics, 60), "nothing waits");
        metrics.staged_bytes.set(4096);
        assert!(!too_long(&metrics, 61) && !too_long(&metrics, 65));
        assert!(too_long(&metrics, 66));
        metrics.frames_placed.set(1);
        assert!(!too_long(&metrics, 67), "it found a place");
        assert!(too_long(&metrics, 72));
        metrics.ready_segments.set(1);
        assert!(!too_long(&metrics, 73), "it has a segment");
    }

    #[test]
    fn who_waits_with_what_was_acknowledged_needs_a_segment_most() {
        let (shards, mut starving) = ([0, 1, 2].map(|_| ShardMetrics::default()), Starving::default());
        let mut observe = |failed: &BTreeSet<usize>, seconds| {
            let now = MonoNanos(7) + Duration::from_secs(seconds);
            let urgent = starving.observe(shards.iter(), failed, now).is_urgent();
            (urgent, starving.by_need(failed))
        };
        shards[2].staged_bytes.set(4096);
        assert_eq!(observe(&BTreeSet::new(), 0), (false, vec![2]));
        shards[1].staged_bytes.set(4096);
        assert_eq!(observe(&BTreeSet::new(), 1), (true, vec![2, 1]));
        // Nothing is staged there, but what was written is not safe.
        let failed = BTreeSet::from([0]);
        assert_eq!(observe(&failed, 2), (true, vec![0, 2, 1]));
        shards[0].ready_segments.set(1);
        assert_eq!(observe(&failed, 3), (true, vec![2, 1]), "it has where to write");
    }
}
