//! The shards' own cells, read when they are asked for; nothing is copied in between.

use std::sync::Arc;
use std::time::Duration;

use logtank_engine::metrics::{Sample, ShardMetrics};
use logtank_engine::time::MonoNanos;

use super::exposition::{Exposition, Kind};

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

/// Appends each metric of all shards, labelled with the shard's number.
pub(super) fn export(shards: &[Arc<ShardMetrics>], to: &mut Exposition) {
    let shards: Vec<Vec<Column<'_>>> = shards.iter().map(|shard| columns(shard)).collect();
    let Some(first) = shards.first() else { return };
    for (number, Column { name, help, sample }) in first.iter().enumerate() {
        let kind = match sample {
            Sample::Counter(_) => Kind::Counter,
            Sample::Gauge(_) => Kind::Gauge,
            Sample::Histogram(_) => Kind::Histogram,
        };
        let (name, help) = if *name == MOMENT {
            (
                "logtank_unsynced_age_seconds",
                "Age of the oldest frame that is written but not synced, 0 if there is none.",
            )
        } else {
            (*name, *help)
        };
        to.family(name, help, kind);
        for (shard, columns) in shards.iter().enumerate() {
            let labels = format!("shard=\"{shard}\"");
            let column = &columns[number];
            match &column.sample {
                Sample::Gauge(cell) if column.name == MOMENT => {
                    let age = match cell.get() {
                        0 => Duration::ZERO,
                        since => logtank_os::clock::mono().since(MonoNanos(since)),
                    };
                    to.value(name, &labels, age.as_secs_f64());
                }
                Sample::Counter(cell) | Sample::Gauge(cell) => to.value(name, &labels, cell.get()),
                Sample::Histogram(histogram) => to.histogram(name, &labels, histogram),
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_shard_has_its_label_and_each_value_lies_in_its_bucket() {
        let shards: Vec<_> = (0..2).map(|_| Arc::new(ShardMetrics::default())).collect();
        shards[0].records.add(7);
        shards[1].records.add(9);
        shards[1].append_latency.record(Duration::from_micros(100));
        shards[1].append_latency.record(Duration::from_secs(600));
        let mut out = Exposition::default();
        export(&shards, &mut out);
        let out = out.into_text();
        for line in [
            "# TYPE logtank_records_total counter",
            "logtank_records_total{shard=\"0\"} 7",
            "logtank_records_total{shard=\"1\"} 9",
            "logtank_append_seconds_bucket{shard=\"1\",le=\"0.000064\"} 0",
            "logtank_append_seconds_bucket{shard=\"1\",le=\"0.000128\"} 1",
            "logtank_append_seconds_bucket{shard=\"1\",le=\"+Inf\"} 2",
            "logtank_append_seconds_count{shard=\"1\"} 2",
            "logtank_unsynced_age_seconds{shard=\"0\"} 0",
        ] {
            assert!(out.lines().any(|found| found == line), "{line} is not in\n{out}");
        }
    }
}
