//! The thread that looks what waits to be dealt, in a process that writes and deals nothing: whoever deals may not run.

use std::sync::Arc;

use logtank_engine::jobs::config::JobsConfig;
use logtank_engine::jobs::schedule::Background;
use logtank_engine::jobs::shared::Shared;
use logtank_engine::limits::Limits;
use logtank_os::clock::SystemClock;
use logtank_os::disk::{Throttle, block_on};
use tokio::sync::watch;

use super::Tree;
use super::background::tell;
use crate::metrics::{Health, HostMetrics};

/// What the thread needs.
#[derive(Debug)]
pub(super) struct LagThread {
    pub(super) tree: Tree,
    pub(super) limits: Limits,
    pub(super) shared: Arc<Shared>,
    pub(super) health: Health,
    pub(super) metrics: HostMetrics,
    pub(super) stop: watch::Receiver<bool>,
}

impl LagThread {
    /// Runs until the host stops.
    ///
    /// # Errors
    /// If there is no ring, or the folders can't be opened.
    pub(super) fn run(self) -> anyhow::Result<()> {
        block_on(async {
            let store = self.tree.store(Throttle::none())?;
            let config = JobsConfig::keeping_history();
            let mut background = Background::new(store, SystemClock, self.limits, config, self.shared);
            let report = |report| tell(report, &self.health, &self.metrics);
            background.watch(&|| *self.stop.borrow(), &report).await;
            Ok(())
        })?
    }
}
