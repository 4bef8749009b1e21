//! All that the page shows, as one JSON object.

use std::sync::Arc;
use std::time::Instant;

use logtank_engine::format::Layout;
use logtank_engine::jobs::Shared;
use logtank_engine::metrics::ShardMetrics;
use serde_json::{Value, json};

use super::history::{STEP, Step};
use super::survey::Survey;
use crate::metrics::{Health, HostMetrics};

/// Rows of a list.
const ROWS: usize = 10;

/// Where the page's numbers come from.
#[derive(Clone, Debug)]
pub(crate) struct Sources {
    pub(crate) shards: Vec<Arc<ShardMetrics>>,
    pub(crate) host: HostMetrics,
    pub(crate) jobs: Arc<Shared>,
    pub(crate) health: Health,
    pub(crate) layout: Layout,
    /// As in `writer and indexes`.
    pub(crate) role: &'static str,
    pub(crate) started: Instant,
}

impl Sources {
    pub(super) fn shards(&self) -> impl Iterator<Item = &ShardMetrics> + Clone {
        self.shards.iter().map(AsRef::as_ref)
    }

    pub(super) fn snapshot(&self, steps: &[Step], survey: Option<&Survey>, now: Instant) -> Value {
        let sum = |of: fn(&ShardMetrics) -> u64| self.shards().map(of).sum::<u64>();
        let free = |filesystem: &str| self.host.free_bytes.of([filesystem]).get();
        let stats = &self.jobs.stats;
        json!({
            "version": env!("CARGO_PKG_VERSION"),
            "role": self.role,
            "up_seconds": now.saturating_duration_since(self.started).as_secs(),
            "not_ready": self.health.not_ready(),
            "warnings": self.warnings(),
            "step_seconds": STEP.as_secs(),
            "steps": steps,
            "now": steps.last(),
            "connections": sum(|shard| shard.connections.get()),
            "records": sum(|shard| shard.records.get()),
            "unsynced_bytes": sum(|shard| shard.unsynced_bytes.get()),
            "undealt": {
                "epochs": stats.waiting_epochs.get(),
                "bytes": stats.waiting_bytes.get(),
                "seconds": stats.oldest_waiting.age(logtank_os::clock::now()).as_secs_f64(),
            },
            "dealt_records": stats.dealt_records.get(),
            "free": { "raw": free("raw"), "indexes": free("indexes") },
            "survey": survey,
            "queue": self.queue(),
            "slowest": self.slowest(now),
        })
    }

    /// What a person should know although the host serves everything.
    fn warnings(&self) -> Vec<String> {
        let mut warnings = Vec::new();
        let lost = self.host.recovery_lost_positions.get();
        if lost > 0 {
            warnings.push(format!("{lost} positions were missing from the raw log at the last start"));
        }
        if let Some((damaged, first)) = self.host.damaged_places.first() {
            warnings.push(format!(
                "{damaged} damaged places in raw segments, where indexes that may have records there can't be recovered: {first}"
            ));
        }
        let stats = &self.jobs.stats;
        if stats.blocked.get() > 0 {
            warnings
                .push("dealing stands still because of damage: see the log, then logtank verify".to_owned());
        }
        let counts: [(u64, &str); 5] = [
            (stats.gone_segments.get(), "segments of indexes are gone: see the log, or logtank verify"),
            (
                stats.stray_epochs.get(),
                "epochs in raw/live were never dealt though later ones were: see the log",
            ),
            (
                self.shards().map(|shard| shard.sync_errors.get()).sum(),
                "fdatasync calls have failed: look at the drive",
            ),
            (
                self.shards().map(|shard| shard.write_errors.get()).sum(),
                "writes to the raw log have failed: look at the drive",
            ),
            (stats.errors.get(), "steps of background work have failed: see the log"),
        ];
        warnings.extend(
            counts.iter().filter(|(count, _)| *count > 0).map(|(count, what)| format!("{count} {what}")),
        );
        warnings
    }

    fn queue(&self) -> Value {
        let all = self.jobs.queue.snapshot();
        let mut rows: Vec<_> = all.iter().collect();
        rows.sort_by(|a, b| a.1.priority.cmp(&b.1.priority).then(b.1.score.total_cmp(&a.1.score)));
        let rows = rows.into_iter().take(ROWS).map(|(code, urgency)| {
            json!({ "code": code.as_str(), "priority": urgency.priority, "score": urgency.score })
        });
        json!({ "length": all.len(), "first": rows.collect::<Vec<_>>() })
    }

    fn slowest(&self, now: Instant) -> Vec<Value> {
        let rows = self.host.slowest.list(now).into_iter().take(ROWS).map(|row| {
            json!({
                "what": row.what,
                "ms": row.took.as_secs_f64() * 1e3,
                "seconds_ago": now.saturating_duration_since(row.ended).as_secs(),
            })
        });
        rows.collect()
    }
}
