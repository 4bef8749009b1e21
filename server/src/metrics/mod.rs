//! What a host tells about itself: / for people, /metrics for Prometheus, /healthz and /readyz for whoever starts and
//! watches it.

mod exposition;
mod health;
mod host;
mod http;
mod jobs;
mod page;
mod process;
mod readiness;
mod shards;

pub(crate) use health::Health;
pub(crate) use host::{HostMetrics, METHODS};
pub(crate) use http::serve;
pub(crate) use page::{Page, Slowest, Sources};
pub(crate) use shards::ShardsCollector;

use std::sync::Arc;

use logtank_engine::jobs::shared::Shared;
use prometheus_client::registry::Registry;

/// Everything that a host exports.
pub(crate) fn registry(
    host: &HostMetrics,
    background: Arc<Shared>,
    shards: ShardsCollector,
    health: Health,
) -> Registry {
    let mut registry = Registry::default();
    host.register(&mut registry);
    registry.register_collector(Box::new(shards));
    registry.register_collector(Box::new(readiness::ReadinessCollector(health)));
    registry.register_collector(Box::new(jobs::JobsCollector(background)));
    registry.register_collector(Box::new(process::ProcessCollector));
    registry
}

#[cfg(test)]
mod tests {
    use std::fmt::Write;

    use logtank_engine::metrics::ShardMetrics;

    use super::*;

    /// docs/metrics.md holds one table row for each metric that is exported, and none besides.
    #[test]
    fn the_documentation_lists_what_is_exported() {
        let shards = ShardsCollector::new(vec![Arc::new(ShardMetrics::default())]);
        let mut text = String::new();
        let registry = registry(&HostMetrics::default(), Arc::new(Shared::new()), shards, Health::starting());
        prometheus_client::encoding::text::encode(&mut text, &registry).unwrap();
        let mut rows: Vec<String> = Vec::new();
        for line in text.lines().filter_map(|line| line.strip_prefix("# HELP ")) {
            let (name, help) = line.split_once(' ').unwrap();
            let kind = text.lines().find_map(|line| line.strip_prefix(&format!("# TYPE {name} "))).unwrap();
            let suffix = match kind {
                "counter" => "_total",
                "info" => "_info",
                _ => "",
            };
            assert!(help.len() > 10, "{name} needs a help text");
            rows.push(format!("| `{name}{suffix}` | {kind} | {help} |"));
        }
        rows.sort_unstable_by(|a, b| a.split('`').nth(1).cmp(&b.split('`').nth(1)));
        let names: Vec<_> = rows.iter().map(|row| row.split('`').nth(1).unwrap()).collect();
        assert!(names.windows(2).all(|pair| pair[0] != pair[1]), "a name is exported twice");

        let documentation = include_str!("../../../docs/metrics.md");
        let documented: Vec<_> = documentation.lines().filter(|line| line.starts_with("| `")).collect();
        let expected = rows.iter().fold(String::new(), |mut all, row| {
            writeln!(all, "{row}").unwrap();
            all
        });
        assert!(documented == rows, "the table of docs/metrics.md should be:\n{expected}");
    }
}
