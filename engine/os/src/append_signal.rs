//! How the background learns what appends feel: a few numbers that shards store and the governor reads.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use logtank_engine::jobs::AppendLoad;
use logtank_engine::time::MonoNanos;

/// Latencies older than this say nothing of the present.
const STALE_AFTER: Duration = Duration::from_secs(1);

/// Latencies up to this are ordinary, whatever came before.
const OUTLIER_NANOS_MIN: u64 = 100_000;

/// One shard's numbers, on cache lines of their own: shards must not slow each other down by telling.
#[derive(Debug, Default)]
#[repr(align(128))]
struct Cell {
    smoothed_nanos: AtomicU64,
    completed_at: AtomicU64,
    // Zero: none is in flight.
    oldest_began_at: AtomicU64,
}

/// What appends of all shards feel. Shared by shards, which write, and background disks, which read.
#[derive(Debug)]
pub struct AppendSignal {
    shards: Box<[Cell]>,
}

/// The writing end of one shard.
#[derive(Clone, Debug)]
pub struct ShardSignal {
    signal: Arc<AppendSignal>,
    shard: usize,
}

impl AppendSignal {
    /// For this many shards, none of which has appended yet.
    #[must_use]
    pub fn new(shards: usize) -> Arc<Self> {
        Arc::new(Self { shards: (0..shards).map(|_| Cell::default()).collect() })
    }

    /// The writing end of shard `shard`, counted from 0. Only one thread may use it.
    ///
    /// # Panics
    /// If there is no such shard.
    #[must_use]
    pub fn shard(self: &Arc<Self>, shard: usize) -> ShardSignal {
        assert!(shard < self.shards.len(), "no such shard");
        ShardSignal { signal: self.clone(), shard }
    }

    /// What appends feel: of all shards the one that has it worst.
    #[must_use]
    pub fn load(&self, now: MonoNanos) -> AppendLoad {
        // Each number is right by itself; together they may be of two neighbouring moments, which is good enough.
        self.shards.iter().fold(AppendLoad::NONE, |worst, cell| {
            let smoothed = Duration::from_nanos(cell.smoothed_nanos.load(Ordering::Relaxed));
            let completed_at = cell.completed_at.load(Ordering::Relaxed);
            let began_at = cell.oldest_began_at.load(Ordering::Relaxed);
            let (latency, quiet_for) = match (began_at, completed_at) {
                (0, 0) => return worst,
                (0, completed) => {
                    let quiet_for = now.since(MonoNanos(completed));
                    (if quiet_for < STALE_AFTER { smoothed } else { Duration::ZERO }, quiet_for)
                }
                (began, _) => (smoothed.max(now.since(MonoNanos(began))), Duration::ZERO),
            };
            AppendLoad { latency: worst.latency.max(latency), quiet_for: worst.quiet_for.min(quiet_for) }
        })
    }
}

impl ShardSignal {
    /// An append was submitted at `now` while none was in flight. Calling it for each one is fine, too, as long
    /// as the oldest is told by [`Self::completed`].
    pub fn began(&self, now: MonoNanos) {
        let cell = self.cell();
        if cell.oldest_began_at.load(Ordering::Relaxed) == 0 {
            cell.oldest_began_at.store(now.0.max(1), Ordering::Relaxed);
        }
    }

    /// An append completed at `now`, `latency` after its submission; `oldest_began` is when the oldest one still
    /// in flight was submitted.
    pub fn completed(&self, now: MonoNanos, latency: Duration, oldest_began: Option<MonoNanos>) {
        let cell = self.cell();
        let latency = u64::try_from(latency.as_nanos()).unwrap_or(u64::MAX);
        let before = cell.smoothed_nanos.load(Ordering::Relaxed);
        // The first says all there is to say; later ones count an eighth each. One that stands out counts as twice
        // the ordinary: a thread that was kept off its processor for a moment says nothing of the drive. A drive
        // that has really become slow shows within a dozen appends.
        let smoothed = if before == 0 {
            latency
        } else {
            before - before / 8 + latency.min(before.saturating_mul(2).max(OUTLIER_NANOS_MIN)) / 8
        };
        cell.smoothed_nanos.store(smoothed, Ordering::Relaxed);
        cell.completed_at.store(now.0.max(1), Ordering::Relaxed);
        cell.oldest_began_at.store(oldest_began.map_or(0, |began| began.0.max(1)), Ordering::Relaxed);
    }

    fn cell(&self) -> &Cell {
        &self.signal.shards[self.shard]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MS: u64 = 1_000_000;

    fn load(signal: &AppendSignal, at_ms: u64) -> (u128, Duration) {
        let load = signal.load(MonoNanos(at_ms * MS));
        (load.latency.as_micros(), load.quiet_for)
    }

    #[test]
    fn a_signal_without_appends_is_no_load() {
        assert_eq!(AppendSignal::new(2).load(MonoNanos(7)), AppendLoad::NONE);
    }

    #[test]
    fn the_worst_shard_counts() {
        let signal = AppendSignal::new(2);
        signal.shard(0).completed(MonoNanos(100 * MS), Duration::from_micros(90), None);
        signal.shard(1).completed(MonoNanos(160 * MS), Duration::from_micros(300), None);
        assert_eq!(load(&signal, 200), (300, Duration::from_millis(40)));
    }

    #[test]
    fn an_append_that_hangs_counts_before_it_completes() {
        let signal = AppendSignal::new(1);
        let shard = signal.shard(0);
        shard.completed(MonoNanos(100 * MS), Duration::from_micros(90), None);
        shard.began(MonoNanos(110 * MS));
        shard.began(MonoNanos(140 * MS));
        assert_eq!(load(&signal, 150), (40_000, Duration::ZERO));
        shard.completed(MonoNanos(160 * MS), Duration::from_millis(50), Some(MonoNanos(140 * MS)));
        assert_eq!(load(&signal, 160).0, 20_000, "the one that still hangs");
        shard.completed(MonoNanos(161 * MS), Duration::from_millis(21), None);
        assert!(load(&signal, 161).0 < 10_000, "smoothed");
    }

    #[test]
    fn one_slow_append_is_not_a_slow_drive_but_a_dozen_are() {
        let signal = AppendSignal::new(1);
        let shard = signal.shard(0);
        for at in 0..50 {
            shard.completed(MonoNanos((100 + at) * MS), Duration::from_micros(90), None);
        }
        shard.completed(MonoNanos(150 * MS), Duration::from_millis(40), None);
        assert!(load(&signal, 150).0 < 120, "{:?}", load(&signal, 150));
        for at in 0..12 {
            shard.completed(MonoNanos((151 + at) * MS), Duration::from_millis(40), None);
        }
        assert!(load(&signal, 163).0 > 300, "{:?}", load(&signal, 163));
        for at in 0..40 {
            shard.completed(MonoNanos((200 + at) * MS), Duration::from_micros(90), None);
        }
        assert!(load(&signal, 240).0 < 100, "{:?}", load(&signal, 240));
    }

    #[test]
    fn latencies_of_long_ago_are_forgotten() {
        let signal = AppendSignal::new(1);
        signal.shard(0).completed(MonoNanos(100 * MS), Duration::from_millis(80), None);
        assert_eq!(load(&signal, 1_200), (0, Duration::from_millis(1_100)));
    }
}
