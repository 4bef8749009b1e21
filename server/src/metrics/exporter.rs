//! Everything that a host exports, on one page.

use std::sync::Arc;
use std::time::Instant;

use logtank_engine::jobs::Shared;
use logtank_engine::metrics::ShardMetrics;

use super::exposition::Exposition;
use super::process;
use super::{Health, HostMetrics};

/// Where the numbers are.
#[derive(Clone)]
pub(crate) struct Exporter {
    pub(crate) host: HostMetrics,
    pub(crate) background: Arc<Shared>,
    /// In the order of their numbers.
    pub(crate) shards: Arc<[Arc<ShardMetrics>]>,
    pub(crate) health: Health,
}

impl Exporter {
    /// The page, in Prometheus' text format.
    pub(crate) fn page(&self) -> String {
        let host = &*self.host;
        host.ready.set(self.health.not_ready().is_none().into());
        let ages = self.health.heartbeats().ages(Instant::now());
        host.heartbeat_age.replace(ages.into_iter().map(|(thread, age)| (thread, age.as_secs_f64())));
        host.log_lines_dropped.take(crate::stderr::dropped());
        process::refresh(host);
        let (mut page, now) = (Exposition::new(), logtank_os::clock::now());
        host.visit(now, &mut |sample| page.add(&[], sample));
        for (number, shard) in self.shards.iter().enumerate() {
            let number = number.to_string();
            shard.visit(now, &mut |sample| page.add(&[("shard", &number)], sample));
        }
        self.background.stats.visit(now, &mut |sample| page.add(&[], sample));
        page.into_text()
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;
    use std::fmt::Write;

    use super::*;
    use crate::metrics::Beat;

    fn exporter() -> Exporter {
        let health = Health::starting();
        health.heartbeats().watch("shard-0", &Beat::default());
        Exporter {
            host: HostMetrics::default(),
            background: Arc::new(Shared::new()),
            shards: vec![Arc::new(ShardMetrics::default())].into(),
            health,
        }
    }

    /// docs/metrics.md holds one table row for each metric that is exported, and none besides.
    #[test]
    fn the_documentation_lists_what_is_exported() {
        let page = exporter().page();
        let mut rows = BTreeMap::new();
        for line in page.lines().filter_map(|line| line.strip_prefix("# HELP ")) {
            let (name, help) = line.split_once(' ').unwrap();
            let kind = page.lines().find_map(|line| line.strip_prefix(&format!("# TYPE {name} "))).unwrap();
            assert!(help.len() > 10, "{name} needs a help text");
            let before = rows.insert(name, format!("| `{name}` | {kind} | {help} |"));
            assert_eq!(before, None, "a name is exported twice");
        }
        let documentation = include_str!("../../../docs/metrics.md");
        let documented: Vec<_> = documentation.lines().filter(|line| line.starts_with("| `")).collect();
        let expected = rows.values().fold(String::new(), |mut all, row| {
            writeln!(all, "{row}").unwrap();
            all
        });
        assert!(rows.values().eq(documented), "the table of docs/metrics.md should be:\n{expected}");
    }

    #[test]
    fn each_series_of_the_host_is_there_before_anything_happened_and_counts_then() {
        let exporter = exporter();
        let begun = exporter.page();
        for line in [
            "logtank_calls_total{method=\"read_page\",outcome=\"refused\"} 0",
            "logtank_call_seconds_count{method=\"read_page\"} 0",
            "logtank_raw_files{kind=\"ready\"} 0",
            "logtank_prepared_segments_total{outcome=\"done\"} 0",
        ] {
            assert!(begun.lines().any(|found| found == line), "{line} is not in\n{begun}");
        }
        exporter.host.call("read_page", false, std::time::Duration::from_micros(3));
        let later = exporter.page();
        for line in [
            "logtank_calls_total{method=\"read_page\",outcome=\"refused\"} 1",
            "logtank_call_seconds_bucket{method=\"read_page\",le=\"0.000002\"} 0",
            "logtank_call_seconds_bucket{method=\"read_page\",le=\"0.000004\"} 1",
        ] {
            assert!(later.lines().any(|found| found == line), "{line} is not in\n{later}");
        }
    }
}
