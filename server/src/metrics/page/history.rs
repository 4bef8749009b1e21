//! Latencies and rates of the last hour, in steps of ten seconds.

use std::collections::VecDeque;
use std::time::Duration;

use logtank_engine::metrics::{Cell, Histogram, ShardMetrics};
use serde::Serialize;

/// Between two samples.
pub(super) const STEP: Duration = Duration::from_secs(10);
const SAMPLES: usize = 360;

/// What happened in one step.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize)]
pub(super) struct Step {
    /// Records appended, a second.
    pub(super) records: f64,
    /// Their bytes, a second.
    pub(super) bytes: f64,
    /// Batches acknowledged, a second.
    pub(super) batches: f64,
    /// Latency in milliseconds: p50, p99, most; `None` if there was none.
    pub(super) append: Option<[f64; 3]>,
    /// As [`Self::append`].
    pub(super) sync: Option<[f64; 3]>,
}

#[derive(Debug, Default)]
struct Totals {
    records: u64,
    bytes: u64,
    batches: u64,
    append: Vec<u64>,
    sync: Vec<u64>,
}

/// The last hour.
#[derive(Debug, Default)]
pub(super) struct History {
    before: Option<Totals>,
    steps: VecDeque<Step>,
}

impl History {
    /// Adds what was counted since the last call, `elapsed` ago. The first call only sets the start.
    pub(super) fn sample<'m>(
        &mut self,
        shards: impl Iterator<Item = &'m ShardMetrics> + Clone,
        elapsed: Duration,
    ) -> Option<Step> {
        let sum = |of: fn(&ShardMetrics) -> u64| shards.clone().map(of).sum::<u64>();
        let now = Totals {
            records: sum(|shard| shard.records.get()),
            bytes: sum(|shard| shard.record_bytes.get()),
            batches: sum(|shard| shard.batches.get()),
            append: buckets(shards.clone().map(|shard| &shard.append_latency)),
            sync: buckets(shards.clone().map(|shard| &shard.sync_latency)),
        };
        let step = self.before.as_ref().map(|before| {
            #[expect(clippy::cast_precision_loss, reason = "counts of ten seconds")]
            let rate =
                |now: u64, before: u64| now.wrapping_sub(before) as f64 / elapsed.as_secs_f64().max(1e-3);
            Step {
                records: rate(now.records, before.records),
                bytes: rate(now.bytes, before.bytes),
                batches: rate(now.batches, before.batches),
                append: latency(&now.append, &before.append),
                sync: latency(&now.sync, &before.sync),
            }
        });
        self.before = Some(now);
        if let Some(step) = step {
            if self.steps.len() == SAMPLES {
                self.steps.pop_front();
            }
            self.steps.push_back(step);
        }
        step
    }

    /// Oldest first.
    pub(super) fn steps(&self) -> Vec<Step> {
        self.steps.iter().copied().collect()
    }
}

/// Counts of each bucket, over all shards.
fn buckets<'m>(histograms: impl Iterator<Item = &'m Histogram>) -> Vec<u64> {
    let mut sums: Vec<u64> = Vec::new();
    for histogram in histograms {
        for (place, (_, count)) in histogram.buckets().enumerate() {
            match sums.get_mut(place) {
                Some(sum) => *sum += count,
                None => sums.push(count),
            }
        }
    }
    sums
}

/// p50, p99 and most of what came between two readings, in milliseconds: ends of buckets, which are an eighth apart.
fn latency(now: &[u64], before: &[u64]) -> Option<[f64; 3]> {
    // An empty histogram knows the ends.
    let ends: Vec<u64> =
        Histogram::<Cell>::default().buckets().map(|(end, _)| end.unwrap_or(1 << 27)).collect();
    let new: Vec<u64> = now.iter().zip(before).map(|(now, before)| now.saturating_sub(*before)).collect();
    let all: u64 = new.iter().sum();
    if all == 0 {
        return None;
    }
    let at = |rank: u64| {
        let mut seen = 0;
        let place = new.iter().position(|count| {
            seen += count;
            seen >= rank
        });
        #[expect(clippy::cast_precision_loss, reason = "below 2^28 µs")]
        place.map_or(0.0, |place| ends[place] as f64 / 1e3)
    };
    Some([at(all.div_ceil(2)), at((all * 99).div_ceil(100)), at(all)])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_step_is_what_came_since_the_one_before() {
        let shards = [ShardMetrics::default(), ShardMetrics::default()];
        let mut history = History::default();
        shards[0].append_latency.record(Duration::from_secs(5));
        assert_eq!(history.sample(shards.iter(), STEP), None, "the start");
        shards[0].records.add(100);
        shards[1].records.add(300);
        for _ in 0..99 {
            shards[1].append_latency.record(Duration::from_micros(100));
        }
        shards[0].append_latency.record(Duration::from_millis(20));
        let step = history.sample(shards.iter(), STEP).unwrap();
        assert!((step.records - 40.0).abs() < 1e-9);
        let [p50, p99, most] = step.append.unwrap();
        assert!((0.1..0.12).contains(&p50) && (0.1..0.12).contains(&p99), "{p50} {p99}");
        assert!((20.0..23.0).contains(&most), "the five seconds were before: {most}");
        assert_eq!(step.sync, None);
        for _ in 0..2 * SAMPLES {
            history.sample(shards.iter(), STEP);
        }
        assert_eq!(history.steps().len(), SAMPLES);
    }
}
