//! Prometheus' text format for cells that are read where they are.
//!
//! What the shards and the background count is written by them alone, in memory of their own; a recorder of the
//! `metrics` facade would have to be given each value of a histogram once more, some million a minute.

use std::fmt::{self, Display, Write};

use logtank_engine::metrics::Histogram;

/// What a family's values mean.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    /// Only grows.
    Counter,
    /// Goes up and down.
    Gauge,
    /// Durations in seconds.
    Histogram,
}

impl Display for Kind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Counter => "counter",
            Self::Gauge => "gauge",
            Self::Histogram => "histogram",
        })
    }
}

/// The lines of one metric after the other.
#[derive(Debug, Default)]
pub(super) struct Exposition(String);

impl Exposition {
    /// Begins a metric: its samples follow.
    pub(super) fn family(&mut self, name: &str, help: &str, kind: Kind) {
        self.line(format_args!("# HELP {name} {help}"));
        self.line(format_args!("# TYPE {name} {kind}"));
    }

    /// One value; `labels` as in `shard="0"`, or empty.
    pub(super) fn value(&mut self, name: &str, labels: &str, value: impl Display) {
        if labels.is_empty() {
            self.line(format_args!("{name} {value}"));
        } else {
            self.line(format_args!("{name}{{{labels}}} {value}"));
        }
    }

    /// One bucket for each doubling; the engine's own are eight times as fine, which Prometheus would keep as eight
    /// times as many series.
    pub(super) fn histogram(&mut self, name: &str, labels: &str, histogram: &Histogram) {
        let comma = if labels.is_empty() { "" } else { "," };
        let mut all = 0;
        for (end, count) in histogram.buckets() {
            all += count;
            match end {
                Some(end) if !end.is_power_of_two() => {}
                Some(end) => {
                    #[expect(clippy::cast_precision_loss, reason = "buckets end below 2^27 µs")]
                    let end = end as f64 / 1e6;
                    self.line(format_args!("{name}_bucket{{{labels}{comma}le=\"{end}\"}} {all}"));
                }
                None => self.line(format_args!("{name}_bucket{{{labels}{comma}le=\"+Inf\"}} {all}")),
            }
        }
        self.value(&format!("{name}_sum"), labels, histogram.sum().as_secs_f64());
        self.value(&format!("{name}_count"), labels, all);
    }

    /// All lines.
    pub(super) fn into_text(self) -> String {
        self.0
    }

    fn line(&mut self, text: fmt::Arguments<'_>) {
        self.0.write_fmt(text).expect("a String takes everything");
        self.0.push('\n');
    }
}
