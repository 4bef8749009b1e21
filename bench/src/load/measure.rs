//! Counts replies: over all, and by slot of time.

use std::time::{Duration, Instant};

use hdrhistogram::Histogram;

use super::measured::{Percentiles, Slot, histogram, micros};

/// Length of a slot of the timeline.
const SLOT: Duration = Duration::from_millis(100);

/// Latencies of one run.
#[derive(Debug)]
pub(super) struct Measure {
    begin: Instant,
    pub(super) all: Histogram<u64>,
    slot: Histogram<u64>,
    slot_began: Instant,
    slots: Vec<Slot>,
    batch: usize,
}

impl Measure {
    /// Slots begin at `begin`.
    pub(super) fn new(begin: Instant, batch: usize) -> Self {
        let (all, slot) = (histogram(3), histogram(2));
        Self { begin, all, slot, slot_began: begin, slots: Vec::new(), batch }
    }

    /// A reply came at `now`.
    pub(super) fn record(&mut self, now: Instant, latency: Duration) {
        self.roll(now);
        let nanos = u64::try_from(latency.as_nanos()).unwrap_or(u64::MAX);
        self.all.saturating_record(nanos);
        self.slot.saturating_record(nanos);
    }

    /// Ends the slots that are over.
    pub(super) fn roll(&mut self, now: Instant) {
        let length = now.saturating_duration_since(self.slot_began);
        if length < SLOT {
            return;
        }
        let Percentiles { p50, p99, .. } = Percentiles::of(&self.slot);
        self.slots.push(Slot {
            at_s: (now - self.begin).as_secs_f64(),
            records_per_second: (self.slot.len() * self.batch as u64) as f64 / length.as_secs_f64(),
            p50,
            p99,
            max: micros(self.slot.max()),
        });
        self.slot.reset();
        self.slot_began = now;
    }

    pub(super) fn slots(&self) -> &[Slot] {
        &self.slots
    }
}
