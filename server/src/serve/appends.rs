//! Whether batches are taken: refused for as long as anything speaks against it, and taken again by itself.

use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use logtank_engine::host::{Against, Cause};
use logtank_os::mailbox::{Mail, Mailbox};

use crate::metrics::{Health, HostMetrics};

/// Between two log lines about a cause that stays.
const REMIND_EVERY: Duration = Duration::from_secs(600);

/// Lets batches in, or not. Clones share it.
#[derive(Clone, Debug)]
pub(super) struct Appends(Arc<Shared>);

#[derive(Debug)]
struct Shared {
    mailboxes: Vec<Mailbox>,
    health: Health,
    metrics: HostMetrics,
    against: Mutex<Against<Why>>,
}

#[derive(Debug)]
struct Why {
    text: String,
    reported: Instant,
}

impl Appends {
    /// Batches are taken.
    pub(super) fn new(mailboxes: Vec<Mailbox>, health: Health, metrics: HostMetrics) -> Self {
        metrics.appends_allowed.set(1);
        Self(Arc::new(Shared { mailboxes, health, metrics, against: Mutex::default() }))
    }

    /// Says to this shard once more whether batches are taken.
    pub(super) fn answer(&self, shard: usize) {
        let against = self.0.against.lock().expect("nobody panics while holding it");
        // Only connections can find a mailbox full.
        let _ = self.0.mailboxes[shard].post(Mail::AppendsAllowed(against.takes_batches()));
    }

    /// This speaks against taking batches, or does so no more. Logged when it changes, and then rarely.
    pub(super) fn set(&self, cause: Cause, why: Option<String>) {
        let Shared { mailboxes, health, metrics, against } = &*self.0;
        let mut against = against.lock().expect("nobody panics while holding it");
        let now = Instant::now();
        let why = why.map(|text| {
            let reported = against.get(cause).map(|known| known.reported);
            let due = reported.is_none_or(|at| now.saturating_duration_since(at) >= REMIND_EVERY);
            if due {
                tracing::error!("batches are refused: {text}");
            }
            Why { text, reported: reported.filter(|_| !due).unwrap_or(now) }
        });
        let changed = against.set(cause, why);
        let all: Vec<&str> = against.values().map(|why| why.text.as_str()).collect();
        health.drive_full((!all.is_empty()).then(|| format!("batches are refused: {}", all.join("; "))));
        let Some(after) = changed else { return };
        metrics.appends_allowed.set(after.into());
        for mailbox in mailboxes {
            // Only connections can find a mailbox full.
            let _ = mailbox.post(Mail::AppendsAllowed(after));
        }
        if after {
            tracing::info!("batches are taken again");
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn batches_are_taken_when_nothing_speaks_against_it() {
        let (health, metrics) = (Health::starting(), HostMetrics::default());
        health.started();
        let appends = Appends::new(Vec::new(), health.clone(), metrics);
        assert_eq!(health.not_ready(), None);
        appends.set(Cause::Room, Some("full".to_owned()));
        appends.set(Cause::Segments, Some("none".to_owned()));
        assert_eq!(health.not_ready().as_deref(), Some("batches are refused: full; none"));
        appends.set(Cause::Room, None);
        assert_eq!(health.not_ready().as_deref(), Some("batches are refused: none"));
        appends.set(Cause::Segments, None);
        assert_eq!(health.not_ready(), None);
    }
}
