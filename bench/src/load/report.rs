//! What a run measured.

use std::time::Duration;

use hdrhistogram::Histogram;
use serde::Serialize;

use super::arguments::Arguments;

/// The result of a run; latencies in microseconds.
#[derive(Debug, Serialize)]
pub(super) struct Report {
    loop_kind: &'static str,
    connections: usize,
    batch: usize,
    record_bytes: usize,
    seconds: f64,
    records: u64,
    records_per_second: f64,
    bytes_per_second: f64,
    latency_us: Percentiles,
}

#[derive(Debug, Serialize)]
struct Percentiles {
    p50: f64,
    p90: f64,
    p99: f64,
    p999: f64,
    max: f64,
}

impl Report {
    pub(super) fn new(arguments: &Arguments, latency_ns: &Histogram<u64>, measured: Duration) -> Self {
        let records = latency_ns.len() * arguments.batch as u64;
        let micros = |nanos: u64| nanos as f64 / 1000.0;
        let at = |quantile| micros(latency_ns.value_at_quantile(quantile));
        let rate = records as f64 / measured.as_secs_f64();
        Self {
            loop_kind: if arguments.rate.is_some() { "open" } else { "closed" },
            connections: arguments.connections,
            batch: arguments.batch,
            record_bytes: arguments.record_bytes,
            seconds: measured.as_secs_f64(),
            records,
            records_per_second: rate,
            bytes_per_second: rate * arguments.record_bytes as f64,
            latency_us: Percentiles {
                p50: at(0.5),
                p90: at(0.9),
                p99: at(0.99),
                p999: at(0.999),
                max: micros(latency_ns.max()),
            },
        }
    }

    pub(super) fn line(&self) -> String {
        let Percentiles { p50, p99, p999, max, .. } = self.latency_us;
        format!(
            "{:.0} records/s, {:.1} MB/s; latency µs: p50 {p50:.0}, p99 {p99:.0}, p99.9 {p999:.0}, max {max:.0}",
            self.records_per_second,
            self.bytes_per_second / 1e6,
        )
    }
}
