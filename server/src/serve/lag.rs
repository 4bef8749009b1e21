//! The thread that looks what waits to be dealt, in a process that writes and deals nothing: whoever deals may not run.

use logtank_engine::jobs::{Background, JobsConfig};
use logtank_os::clock::SystemClock;
use logtank_os::disk::{Throttle, block_on};

use super::background::tell;
use super::handles::Handles;

/// Runs until the host stops.
///
/// # Errors
/// If there is no ring, or the folders can't be opened.
pub(super) fn run(handles: &Handles) -> anyhow::Result<()> {
    block_on(async {
        let store = handles.tree.store(Throttle::none())?;
        let config = JobsConfig::keeping_history();
        let (limits, shared) = (handles.limits.clone(), handles.shared.clone());
        let mut background = Background::new(store, SystemClock, limits, config, shared);
        let report = |report| tell(report, &handles.health, &handles.metrics);
        background.watch(&|| *handles.stop.borrow(), &report).await;
        Ok(())
    })?
}
