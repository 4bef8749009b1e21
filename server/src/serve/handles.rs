//! What the threads of a host share.

use std::sync::Arc;

use anyhow::Context;
use logtank_engine::jobs::Shared;
use logtank_engine::limits::Limits;
use logtank_os::append_signal::AppendSignal;
use tokio::sync::watch;

use super::Tree;
use super::events::Events;
use super::placement::Placement;
use super::thread::Thread;
use crate::metrics::{Beat, Health, HostMetrics};

/// Clones share all of it.
#[derive(Clone, Debug)]
pub(super) struct Handles {
    pub(super) tree: Tree,
    pub(super) limits: Limits,
    pub(super) placement: Placement,
    pub(super) shared: Arc<Shared>,
    pub(super) signal: Arc<AppendSignal>,
    pub(super) health: Health,
    pub(super) metrics: HostMetrics,
    pub(super) events: Events,
    /// Becomes true when the host stops.
    pub(super) stop: watch::Receiver<bool>,
}

impl Handles {
    /// Starts a thread, where it belongs; its end is an event.
    ///
    /// # Errors
    /// If the system refuses one more thread.
    pub(super) fn spawn(
        &self,
        thread: Thread,
        body: impl FnOnce() -> anyhow::Result<()> + Send + 'static,
    ) -> anyhow::Result<()> {
        let placement = self.placement.clone();
        let settled = move || {
            thread.settle(&placement);
            body()
        };
        self.events.spawn(thread, settled).with_context(|| format!("starting the thread {thread}"))
    }

    /// Signs of life of a thread that is about to start.
    pub(super) fn beat(&self, thread: Thread) -> Beat {
        let beat = Beat::default();
        self.health.heartbeats().watch(thread.to_string(), &beat);
        beat
    }
}
