//! What a run measured, as it is written and read again.

use std::time::Duration;

use hdrhistogram::Histogram;
use serde::{Deserialize, Serialize};

/// The result of a run; latencies in microseconds.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct Measured {
    /// `open` at a set rate, or `closed`.
    pub(crate) loop_kind: String,
    /// In open loop.
    pub(crate) offered_records_per_second: Option<f64>,
    pub(crate) connections: usize,
    pub(crate) batch: usize,
    pub(crate) record_bytes: usize,
    pub(crate) seconds: f64,
    pub(crate) records: u64,
    pub(crate) records_per_second: f64,
    pub(crate) bytes_per_second: f64,
    /// Batches answered by an error.
    pub(crate) refused: u64,
    /// Connections that broke.
    pub(crate) broken: u64,
    pub(crate) latency_us: Percentiles,
    /// Percentile and latency, for the chart.
    pub(crate) curve: Vec<(f64, f64)>,
    /// The run in slots of time.
    pub(crate) timeline: Vec<Slot>,
    /// The generator's part.
    pub(crate) generator: GeneratorUse,
}

#[derive(Clone, Copy, Debug, Default, Serialize, Deserialize)]
pub(crate) struct Percentiles {
    pub(crate) p50: f64,
    pub(crate) p90: f64,
    pub(crate) p99: f64,
    pub(crate) p999: f64,
    pub(crate) max: f64,
}

/// A tenth of a second of a run, or what else the slots were set to.
#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
pub(crate) struct Slot {
    /// Its end, since measuring began.
    pub(crate) at_s: f64,
    pub(crate) records_per_second: f64,
    pub(crate) p50: f64,
    pub(crate) p99: f64,
    pub(crate) max: f64,
}

/// How much the generator itself had to do.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub(crate) struct GeneratorUse {
    /// `io_uring` or `epoll`.
    pub(crate) engine: String,
    /// Of the time measured, how much its processor was busy with it.
    pub(crate) busy: f64,
    pub(crate) processor_us_per_request: f64,
}

/// Latencies up to 100 s, with this many significant digits.
pub(super) fn histogram(digits: u8) -> Histogram<u64> {
    Histogram::new_with_bounds(1_000, 100_000_000_000, digits).expect("the bounds are valid")
}

pub(super) fn micros(nanos: u64) -> f64 {
    nanos as f64 / 1000.0
}

impl Percentiles {
    pub(super) fn of(nanos: &Histogram<u64>) -> Self {
        let at = |quantile| micros(nanos.value_at_quantile(quantile));
        Self { p50: at(0.5), p90: at(0.9), p99: at(0.99), p999: at(0.999), max: micros(nanos.max()) }
    }
}

/// The percentiles that a chart shows: each step is half of what is left.
pub(super) fn curve(nanos: &Histogram<u64>) -> Vec<(f64, f64)> {
    let steps = [0.0, 0.25, 0.5, 0.75, 0.9, 0.95, 0.975, 0.99, 0.995, 0.9975, 0.999, 0.9995, 0.9999, 0.99999];
    // A percentile that fewer than one request stands for says nothing.
    let told = steps.into_iter().filter(|step| (1.0 - step) * nanos.len() as f64 >= 1.0 || *step == 0.0);
    told.map(|step| (step * 100.0, micros(nanos.value_at_quantile(step)))).collect()
}

impl Measured {
    pub(crate) fn line(&self) -> String {
        let Percentiles { p50, p99, p999, max, .. } = self.latency_us;
        let errors = match (self.refused, self.broken) {
            (0, 0) => String::new(),
            (refused, broken) => format!("; {refused} batches refused, {broken} connections broken"),
        };
        format!(
            "{:.0} records/s, {:.1} MB/s; latency µs: p50 {p50:.0}, p99 {p99:.0}, p99.9 {p999:.0}, max {max:.0}{errors}",
            self.records_per_second,
            self.bytes_per_second / 1e6,
        )
    }

    pub(super) fn rate(records: u64, measured: Duration) -> f64 {
        records as f64 / measured.as_secs_f64()
    }
}
