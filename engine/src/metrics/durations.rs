//! Histograms of durations.

use std::time::Duration;

use super::cell::{Cell, Number};
use super::registry::{Label, Metric, Value};
use crate::left_out::or_left_out;
use crate::time::Now;

/// Steps in each doubling of a histogram: a value is known to within an eighth.
const STEPS: usize = 8;
/// Doublings from 8 µs to 64 s.
const DOUBLINGS: usize = 23;
const BUCKETS: usize = STEPS + DOUBLINGS * STEPS + 1;

/// How often something took how long: log-linear from 1 µs to 67 s, the last bucket is everything longer.
#[derive(Debug)]
pub struct Histogram<N = Cell> {
    buckets: [N; BUCKETS],
    sum_nanos: N,
}

/// What a histogram held at one moment.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Buckets {
    counts: Vec<u64>,
    sum: Duration,
}

impl<N: Number> Default for Histogram<N> {
    fn default() -> Self {
        Self { buckets: std::array::from_fn(|_| N::default()), sum_nanos: N::default() }
    }
}

impl<N: Number> Histogram<N> {
    /// Counts one duration.
    pub fn record(&self, duration: Duration) {
        or_left_out!(Metrics, (), return);
        let nanos = u64::try_from(duration.as_nanos()).unwrap_or(u64::MAX);
        self.buckets[bucket(nanos / 1_000)].add(1);
        self.sum_nanos.add(nanos);
    }

    /// What it holds now.
    #[must_use]
    pub fn read(&self) -> Buckets {
        let sum = Duration::from_nanos(self.sum_nanos.get());
        Buckets { counts: self.buckets.iter().map(Number::get).collect(), sum }
    }

    /// Its buckets in order: the end (exclusive) in µs and the count; `None` ends the last bucket.
    pub fn buckets(&self) -> impl Iterator<Item = (Option<u64>, u64)> + '_ {
        (0..).map(end).zip(self.buckets.iter().map(Number::get))
    }

    /// How many were counted.
    #[must_use]
    pub fn count(&self) -> u64 {
        self.buckets.iter().map(Number::get).sum()
    }

    /// All of them together.
    #[must_use]
    pub fn sum(&self) -> Duration {
        Duration::from_nanos(self.sum_nanos.get())
    }

    /// The duration that `share` (0 to 1) of all were shorter than, as far as the buckets tell.
    #[must_use]
    pub fn quantile(&self, share: f64) -> Duration {
        let count = self.count();
        #[expect(
            clippy::cast_precision_loss,
            clippy::cast_possible_truncation,
            clippy::cast_sign_loss,
            reason = "an estimate"
        )]
        let rank = ((count as f64 * share).ceil() as u64).clamp(1, count.max(1));
        let mut seen = 0;
        for (bucket, number) in self.buckets.iter().enumerate() {
            seen += number.get();
            if seen >= rank {
                return Duration::from_micros(end_micros(bucket));
            }
        }
        Duration::ZERO
    }
}

impl<N: Number> Metric for Histogram<N> {
    fn read_at(&self, _: Now, each: &mut dyn FnMut(&[Label<'_>], Value)) {
        each(&[], Value::Histogram(self.read()));
    }
}

impl Buckets {
    /// The buckets in order: the end (exclusive) in µs and the count; `None` ends the last bucket.
    pub fn iter(&self) -> impl Iterator<Item = (Option<u64>, u64)> + '_ {
        (0..).map(end).zip(self.counts.iter().copied())
    }

    /// All durations together.
    #[must_use]
    pub const fn sum(&self) -> Duration {
        self.sum
    }
}

fn bucket(micros: u64) -> usize {
    if micros < STEPS as u64 {
        return usize::try_from(micros).expect("less than eight");
    }
    let doubling = 63 - micros.leading_zeros() as usize - 3;
    let step = usize::try_from(micros >> doubling).expect("less than sixteen") - STEPS;
    (STEPS + doubling * STEPS + step).min(BUCKETS - 1)
}

/// Least value, in µs, that is beyond the bucket.
fn end_micros(bucket: usize) -> u64 {
    match bucket.checked_sub(STEPS) {
        None => bucket as u64 + 1,
        Some(above) => ((STEPS + above % STEPS + 1) as u64) << (above / STEPS),
    }
}

fn end(bucket: usize) -> Option<u64> {
    (bucket < BUCKETS - 1).then(|| end_micros(bucket))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::metrics::Shared;

    #[test]
    fn each_value_lies_below_the_end_of_its_bucket_and_not_below_the_one_before() {
        for micros in (0..5_000).chain((13..27).flat_map(|bit| [(1 << bit) - 1, 1 << bit, (1 << bit) + 1])) {
            let bucket = bucket(micros);
            if bucket == BUCKETS - 1 {
                assert!(micros >= 1 << 26, "{micros}");
                continue;
            }
            assert!(micros < end_micros(bucket), "{micros}");
            assert!(bucket == 0 || micros >= end_micros(bucket - 1), "{micros}");
        }
    }

    #[test]
    fn quantiles_are_right_to_an_eighth() {
        let histogram = Histogram::<Cell>::default();
        (1..=1_000).for_each(|micros| histogram.record(Duration::from_micros(micros)));
        let median = histogram.quantile(0.5).as_micros();
        assert!((500..=563).contains(&median), "{median}");
        assert_eq!(histogram.sum(), Duration::from_micros(500_500));
    }

    #[test]
    fn any_thread_may_record_to_a_shared_one() {
        let histogram = Histogram::<Shared>::default();
        std::thread::scope(|scope| {
            for _ in 0..4 {
                scope.spawn(|| (0..5_000).for_each(|_| histogram.record(Duration::from_micros(3))));
            }
        });
        let buckets = histogram.read();
        assert_eq!(buckets.iter().find(|(_, count)| *count > 0), Some((Some(4), 20_000)));
        assert_eq!(buckets.sum(), Duration::from_millis(60));
    }
}
