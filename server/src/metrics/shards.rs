//! The shards' own cells, read when they are asked for; nothing is copied in between.

use std::fmt;
use std::sync::Arc;

use logtank_engine::metrics::{Histogram, Sample, ShardMetrics};
use logtank_engine::time::MonoNanos;
use prometheus_client::collector::Collector;
use prometheus_client::encoding::{DescriptorEncoder, MetricEncoder, NoLabelSet};
use prometheus_client::metrics::MetricType;

/// Exports each metric of all shards, labelled with the shard's number.
#[derive(Debug)]
pub(crate) struct ShardsCollector(Vec<Arc<ShardMetrics>>);

impl ShardsCollector {
    /// Of these shards, in the order of their numbers.
    pub(crate) const fn new(shards: Vec<Arc<ShardMetrics>>) -> Self {
        Self(shards)
    }
}

/// The cell that holds a moment; what people want is how long ago that is.
const MOMENT: &str = "logtank_unsynced_since_nanoseconds";

struct Column<'m> {
    name: &'static str,
    help: &'static str,
    sample: Sample<'m>,
}

fn columns(shard: &ShardMetrics) -> Vec<Column<'_>> {
    let mut columns = Vec::new();
    shard.visit(|name, help, sample| columns.push(Column { name, help, sample }));
    columns
}

impl Collector for ShardsCollector {
    fn encode(&self, mut encoder: DescriptorEncoder<'_>) -> fmt::Result {
        let shards: Vec<Vec<Column<'_>>> = self.0.iter().map(|shard| columns(shard)).collect();
        let Some(first) = shards.first() else { return Ok(()) };
        for (number, Column { name, help, sample }) in first.iter().enumerate() {
            let kind = match sample {
                Sample::Counter(_) => MetricType::Counter,
                Sample::Gauge(_) => MetricType::Gauge,
                Sample::Histogram(_) => MetricType::Histogram,
            };
            // The encoder adds a counter's suffix itself.
            let (name, help) = if *name == MOMENT {
                (
                    "logtank_unsynced_age_seconds",
                    "Age of the oldest frame that is written but not synced, 0 if there is none.",
                )
            } else {
                (name.trim_end_matches("_total"), *help)
            };
            let mut metric = encoder.encode_descriptor(name, help, None, kind)?;
            for (shard, columns) in shards.iter().enumerate() {
                let labels = [("shard", shard)];
                encode(metric.encode_family(&labels)?, &columns[number])?;
            }
        }
        Ok(())
    }
}

fn encode(mut metric: MetricEncoder<'_>, column: &Column<'_>) -> fmt::Result {
    match &column.sample {
        Sample::Counter(cell) => metric.encode_counter::<NoLabelSet, _, u64>(&cell.get(), None),
        Sample::Gauge(cell) if column.name == MOMENT => {
            let age = match cell.get() {
                0 => std::time::Duration::ZERO,
                since => logtank_os::clock::mono().since(MonoNanos(since)),
            };
            metric.encode_gauge(&age.as_secs_f64())
        }
        Sample::Gauge(cell) => metric.encode_gauge(&cell.get()),
        Sample::Histogram(histogram) => encode_histogram(metric, histogram),
    }
}

/// One bucket for each doubling; the engine's own are eight times as fine, which Prometheus would keep as eight
/// times as many series.
fn encode_histogram(mut metric: MetricEncoder<'_>, histogram: &Histogram) -> fmt::Result {
    let (mut buckets, mut gathered, mut all) = (Vec::new(), 0, 0);
    for (end, count) in histogram.buckets() {
        gathered += count;
        all += count;
        match end {
            Some(end) if !end.is_power_of_two() => {}
            end => {
                #[expect(clippy::cast_precision_loss, reason = "buckets end below 2^27 µs")]
                let bound = end.map_or(f64::MAX, |micros| micros as f64 / 1e6);
                buckets.push((bound, gathered));
                gathered = 0;
            }
        }
    }
    metric.encode_histogram::<NoLabelSet>(histogram.sum().as_secs_f64(), all, &buckets, None)
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use prometheus_client::encoding::text;
    use prometheus_client::registry::Registry;

    use super::*;

    #[test]
    fn each_shard_has_its_label_and_each_value_lies_in_its_bucket() {
        let shards: Vec<_> = (0..2).map(|_| Arc::new(ShardMetrics::default())).collect();
        shards[0].records.add(7);
        shards[1].records.add(9);
        shards[1].append_latency.record(Duration::from_micros(100));
        shards[1].append_latency.record(Duration::from_secs(600));
        let mut registry = Registry::default();
        registry.register_collector(Box::new(ShardsCollector::new(shards)));
        let mut out = String::new();
        text::encode(&mut out, &registry).unwrap();
        for line in [
            "logtank_records_total{shard=\"0\"} 7",
            "logtank_records_total{shard=\"1\"} 9",
            "logtank_append_seconds_bucket{le=\"0.000064\",shard=\"1\"} 0",
            "logtank_append_seconds_bucket{le=\"0.000128\",shard=\"1\"} 1",
            "logtank_append_seconds_bucket{le=\"+Inf\",shard=\"1\"} 2",
            "logtank_append_seconds_count{shard=\"1\"} 2",
            "logtank_unsynced_age_seconds{shard=\"0\"} 0.0",
        ] {
            assert!(out.lines().any(|found| found == line), "{line} is not in\n{out}");
        }
    }
}
