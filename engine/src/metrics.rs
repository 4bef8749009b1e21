//! What a shard counts and measures, in memory that only it writes and anyone may read.
//!
//! A cell has one writer, so it is changed by a plain load and store; no core waits for another's cache
//! line. A reader sees each cell at some recent moment, not all at the same one.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use crate::left_out::Part;

/// One number: a counter if it only grows, a gauge if it is set.
#[derive(Debug, Default)]
pub struct Cell(AtomicU64);

impl Cell {
    /// The number.
    #[must_use]
    pub fn get(&self) -> u64 {
        self.0.load(Ordering::Relaxed)
    }

    /// Sets it. Only the owning shard may.
    #[inline]
    pub fn set(&self, value: u64) {
        if Part::Metrics.is_left_out() {
            return;
        }
        self.0.store(value, Ordering::Relaxed);
    }

    /// Adds to it. Only the owning shard may.
    pub fn add(&self, value: u64) {
        self.set(self.get().wrapping_add(value));
    }
}

/// Steps in each doubling of a histogram: a value is known to within an eighth.
const STEPS: usize = 8;
/// Doublings from 8 µs to 64 s.
const DOUBLINGS: usize = 23;
const BUCKETS: usize = STEPS + DOUBLINGS * STEPS + 1;

/// How often something took how long: log-linear from 1 µs to 67 s, the last bucket is everything longer.
#[derive(Debug)]
pub struct Histogram {
    buckets: [Cell; BUCKETS],
    sum_nanos: Cell,
}

impl Default for Histogram {
    fn default() -> Self {
        Self { buckets: std::array::from_fn(|_| Cell::default()), sum_nanos: Cell::default() }
    }
}

impl Histogram {
    /// Counts one duration. Only the owning shard may.
    pub fn record(&self, duration: Duration) {
        if Part::Metrics.is_left_out() {
            return;
        }
        let nanos = u64::try_from(duration.as_nanos()).unwrap_or(u64::MAX);
        self.buckets[Self::bucket(nanos / 1_000)].add(1);
        self.sum_nanos.add(nanos);
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

    /// Its buckets in order: the end (exclusive) in µs and the count; `None` ends the last bucket.
    pub fn buckets(&self) -> impl Iterator<Item = (Option<u64>, u64)> + '_ {
        let end = |bucket| if bucket == BUCKETS - 1 { None } else { Some(Self::end_micros(bucket)) };
        self.buckets.iter().enumerate().map(move |(bucket, count)| (end(bucket), count.get()))
    }

    /// How many were counted.
    #[must_use]
    pub fn count(&self) -> u64 {
        self.buckets.iter().map(Cell::get).sum()
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
        for (bucket, cell) in self.buckets.iter().enumerate() {
            seen += cell.get();
            if seen >= rank {
                return Duration::from_micros(Self::end_micros(bucket));
            }
        }
        Duration::ZERO
    }
}

/// A metric's kind and where its value is.
#[derive(Clone, Copy, Debug)]
pub enum Sample<'m> {
    /// Only grows.
    Counter(&'m Cell),
    /// Goes up and down.
    Gauge(&'m Cell),
    /// Durations.
    Histogram(&'m Histogram),
}

macro_rules! shard_metrics {
    ($($field:ident: $kind:ident, $name:literal, $help:literal;)*) => {
        /// What one shard counts and measures. On cache lines of its own.
        #[derive(Debug, Default)]
        #[repr(align(128))]
        pub struct ShardMetrics {
            $(#[doc = $help] pub $field: shard_metrics!(@type $kind),)*
        }

        impl ShardMetrics {
            /// Each metric: name (Prometheus style), what it is, value. The list is closed: all that a shard measures.
            pub fn visit<'m>(&'m self, mut visitor: impl FnMut(&'static str, &'static str, Sample<'m>)) {
                $(visitor($name, $help, Sample::$kind(&self.$field));)*
            }
        }
    };
    (@type Counter) => { Cell };
    (@type Gauge) => { Cell };
    (@type Histogram) => { Histogram };
}

shard_metrics! {
    received_bytes: Counter, "logtank_received_bytes_total", "Bytes received from clients.";
    sent_bytes: Counter, "logtank_sent_bytes_total", "Bytes of replies handed to the kernel.";
    batches: Counter, "logtank_batches_total", "Batches acknowledged.";
    records: Counter, "logtank_records_total", "Records appended.";
    record_bytes: Counter, "logtank_record_bytes_total", "Bytes of records appended.";
    dropped_records: Counter, "logtank_dropped_records_total", "Records without docid that set nothing, which are not kept.";
    malformed_docids: Counter, "logtank_malformed_docids_total", "Records appended whose docid is not UTF-8: what is not becomes U+FFFD, so that several such docids can become one.";
    refused_invalid: Counter, "logtank_refused_invalid_total", "Batches refused for a record that breaks the contract.";
    refused_limit: Counter, "logtank_refused_limit_total", "Batches refused for exceeding a limit.";
    refused_full: Counter, "logtank_refused_full_total", "Batches refused because the drive is nearly full.";
    refused_method: Counter, "logtank_refused_method_total", "Calls of methods that the service does not have.";
    protocol_errors: Counter, "logtank_protocol_errors_total", "Connections closed because their bytes can't be parsed.";
    tls_failures: Counter, "logtank_tls_failures_total", "Connections closed because they could not be encrypted: no TLS, or no trusted certificate.";
    connections_accepted: Counter, "logtank_connections_accepted_total", "Connections taken.";
    connections_refused: Counter, "logtank_connections_refused_total", "Connections closed at once because there were too many.";
    connections_timed_out: Counter, "logtank_connections_timed_out_total", "Connections closed for an unfinished message, or for being idle.";
    connections_shed: Counter, "logtank_connections_shed_total", "Connections closed because partly received messages took too much memory.";
    connections: Gauge, "logtank_connections", "Connections open.";
    turns: Counter, "logtank_turns_total", "Turns of the shard's loop.";
    stalls: Counter, "logtank_stalls_total", "Times that receiving stopped because memory for batches or replies was at its bound.";
    frames: Counter, "logtank_frames_total", "Frames written.";
    frame_bytes: Counter, "logtank_frame_bytes_total", "Bytes of frames written, with headers and padding.";
    segments_claimed: Counter, "logtank_segments_claimed_total", "Raw segments taken into use.";
    segments_sealed: Counter, "logtank_segments_sealed_total", "Raw segments sealed.";
    syncs: Counter, "logtank_syncs_total", "fdatasync calls that succeeded, and writes that are durable in themselves (sync = always, past the page cache).";
    sync_errors: Counter, "logtank_sync_errors_total", "fdatasync calls that failed.";
    write_errors: Counter, "logtank_write_errors_total", "Writes to the raw log that failed.";
    rewrites: Counter, "logtank_rewrites_total", "Times that un-synced frames were written again to a fresh segment.";
    staged_bytes: Gauge, "logtank_staged_bytes", "Memory of batches received but not yet handed to the kernel.";
    unsynced_bytes: Gauge, "logtank_unsynced_bytes", "Memory of frames written but not yet synced.";
    in_flight_bytes: Gauge, "logtank_in_flight_bytes", "Memory of partly received messages and unsent replies.";
    unsynced_since_nanos: Gauge, "logtank_unsynced_since_nanoseconds", "When (monotonic clock) the oldest un-synced frame was written; 0 if all is synced.";
    ready_segments: Gauge, "logtank_ready_segments", "Segments made ready that the shard has at hand.";
    frames_staged: Gauge, "logtank_watermark_staged_frames", "Frames closed and given a position, since the start.";
    frames_acknowledged: Gauge, "logtank_watermark_acknowledged_frames", "Frames acknowledged, since the start.";
    frames_synced: Gauge, "logtank_watermark_synced_frames", "Frames synced, since the start.";
    append_latency: Histogram, "logtank_append_seconds", "From a batch received whole to its reply handed to the kernel.";
    write_latency: Histogram, "logtank_write_seconds", "Writes of frames.";
    sync_latency: Histogram, "logtank_sync_seconds", "fdatasync calls, and writes that are durable in themselves.";
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_value_lies_below_the_end_of_its_bucket_and_not_below_the_one_before() {
        for micros in (0..5_000).chain((13..27).flat_map(|bit| [(1 << bit) - 1, 1 << bit, (1 << bit) + 1])) {
            let bucket = Histogram::bucket(micros);
            if bucket == BUCKETS - 1 {
                assert!(micros >= 1 << 26, "{micros}");
                continue;
            }
            assert!(micros < Histogram::end_micros(bucket), "{micros}");
            assert!(bucket == 0 || micros >= Histogram::end_micros(bucket - 1), "{micros}");
        }
    }

    #[test]
    fn quantiles_are_right_to_an_eighth() {
        let histogram = Histogram::default();
        (1..=1_000).for_each(|micros| histogram.record(Duration::from_micros(micros)));
        let median = histogram.quantile(0.5).as_micros();
        assert!((500..=563).contains(&median), "{median}");
        assert_eq!(histogram.sum(), Duration::from_micros(500_500));
    }

    #[test]
    fn names_are_unique() {
        let metrics = ShardMetrics::default();
        let mut names = Vec::new();
        metrics.visit(|name, _, _| names.push(name));
        let all = names.len();
        names.sort_unstable();
        names.dedup();
        assert_eq!(names.len(), all);
    }
}
