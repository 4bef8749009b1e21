//! Prometheus' text format of what is read where it is counted.
//!
//! Each page has a recorder of its own, which is given the counters and gauges as they are at that moment. Histograms
//! it would have to be given one duration after the other, some million a minute: their lines are written from their
//! buckets.

use std::collections::BTreeMap;

use logtank_engine::metrics::{Buckets, Label, Sample, Value};
use metrics::{Key, Level, Metadata, Recorder};
use metrics_exporter_prometheus::formatting::{write_help_line, write_metric_line, write_type_line};
use metrics_exporter_prometheus::{LabelSet, PrometheusBuilder, PrometheusRecorder};

/// What the values of each name mean to whoever reads them.
static METADATA: Metadata<'_> = Metadata::new(module_path!(), Level::INFO, Some(module_path!()));

/// Collects what is to stand on one page.
pub(super) struct Exposition {
    recorder: PrometheusRecorder,
    histograms: BTreeMap<&'static str, Family>,
}

struct Family {
    help: &'static str,
    series: Vec<(Key, Buckets)>,
}

impl Exposition {
    /// A page without a line.
    pub(super) fn new() -> Self {
        Self { recorder: PrometheusBuilder::new().build_recorder(), histograms: BTreeMap::new() }
    }

    /// Adds a value; its labels stand after these.
    pub(super) fn add(&mut self, labels: &[Label<'_>], sample: &Sample<'_>) {
        let Sample { name, help, .. } = *sample;
        let labels = labels.iter().chain(sample.labels);
        let labels: Vec<metrics::Label> =
            labels.map(|&(name, value)| metrics::Label::new(name, value.to_owned())).collect();
        let key = Key::from_parts(name, labels);
        match &sample.value {
            Value::Counter(count) => {
                self.recorder.describe_counter(name.into(), None, help.into());
                self.recorder.register_counter(&key, &METADATA).absolute(*count);
            }
            Value::Gauge(value) => {
                self.recorder.describe_gauge(name.into(), None, help.into());
                self.recorder.register_gauge(&key, &METADATA).set(*value);
            }
            Value::Histogram(buckets) => {
                let family = self.histograms.entry(name).or_insert(Family { help, series: Vec::new() });
                family.series.push((key, buckets.clone()));
            }
        }
    }

    /// The page.
    pub(super) fn into_text(self) -> String {
        let mut text = self.recorder.handle().render();
        for (name, Family { help, series }) in self.histograms {
            write_help_line(&mut text, name, None, None, help);
            write_type_line(&mut text, name, None, None, "histogram");
            for (key, buckets) in series {
                histogram(
                    &mut text,
                    name,
                    &LabelSet::from_key_and_global(&key, &Default::default()),
                    &buckets,
                );
            }
        }
        text
    }
}

/// One bucket for each doubling; the engine's own are eight times as fine, which Prometheus would keep as eight times
/// as many series.
fn histogram(text: &mut String, name: &str, labels: &LabelSet, buckets: &Buckets) {
    let mut all = 0;
    let line = |text: &mut String, end: &str, count: u64| {
        write_metric_line(text, name, Some("bucket"), labels, Some(("le", end)), count, None);
    };
    for (end, count) in buckets.iter() {
        all += count;
        match end {
            Some(end) if !end.is_power_of_two() => {}
            Some(end) => {
                #[expect(clippy::cast_precision_loss, reason = "buckets end below 2^27 µs")]
                let end = end as f64 / 1e6;
                line(text, &end.to_string(), all);
            }
            None => line(text, "+Inf", all),
        }
    }
    let sum = buckets.sum().as_secs_f64();
    write_metric_line::<&str, f64>(text, name, Some("sum"), labels, None, sum, None);
    write_metric_line::<&str, u64>(text, name, Some("count"), labels, None, all, None);
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use logtank_engine::metrics::ShardMetrics;
    use logtank_engine::time::{MonoNanos, Now, WallMillis};

    use super::*;

    #[test]
    fn each_shard_has_its_label_and_each_value_lies_in_its_bucket() {
        let shards = [ShardMetrics::default(), ShardMetrics::default()];
        shards[0].records.add(7);
        shards[1].records.add(9);
        shards[1].append_latency.record(Duration::from_micros(100));
        shards[1].append_latency.record(Duration::from_secs(600));
        let mut out = Exposition::new();
        let now = Now { wall: WallMillis(0), mono: MonoNanos(0) };
        for (number, shard) in ["0", "1"].into_iter().zip(&shards) {
            shard.visit(now, &mut |sample| out.add(&[("shard", number)], sample));
        }
        let out = out.into_text();
        for line in [
            "# TYPE logtank_records_total counter",
            "logtank_records_total{shard=\"0\"} 7",
            "logtank_records_total{shard=\"1\"} 9",
            "logtank_append_seconds_bucket{shard=\"1\",le=\"0.000064\"} 0",
            "logtank_append_seconds_bucket{shard=\"1\",le=\"0.000128\"} 1",
            "logtank_append_seconds_bucket{shard=\"1\",le=\"+Inf\"} 2",
            "logtank_append_seconds_sum{shard=\"1\"} 600.0001",
            "logtank_append_seconds_count{shard=\"1\"} 2",
            "logtank_unsynced_age_seconds{shard=\"0\"} 0",
        ] {
            assert!(out.lines().any(|found| found == line), "{line} is not in\n{out}");
        }
    }
}
