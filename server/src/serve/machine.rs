//! What must be so before anything is opened: the kernel's features, limits, folders.

use std::path::Path;

use anyhow::Context;
use logtank_engine::raw_log::config::AppendMode;
use logtank_os::probe::{Writes, append_mode};
use logtank_os::ring::WritePath;
use logtank_os::startup;

use super::Tree;
use crate::config::{Append, Settings, Sync};

/// Descriptors beside those of connections and background jobs: rings, listeners, locks, segments.
const FILES_BESIDE: u64 = 512;

/// Whether the host can run here at all.
///
/// # Errors
/// Why not, and what to do.
pub(crate) fn check_machine() -> anyhow::Result<()> {
    Ok(startup::check_io_uring(Path::new("/proc/sys/kernel"))?)
}

/// Makes room for open files: those of connections and of background jobs.
///
/// # Errors
/// If this process may not open so many.
pub(super) fn raise_limits(settings: &Settings) -> anyhow::Result<()> {
    // Both ports of the indexes at their bound beside the writer's is not an ordinary day; a host that comes there refuses
    // connections earlier.
    let wanted = (settings.limits.connections_max + settings.limits.open_files_max) as u64 + FILES_BESIDE;
    let limit = match startup::raise_open_files(wanted) {
        Ok(limit) => limit,
        Err(error @ startup::StartupError::OpenFiles { limit, .. }) if limit >= FILES_BESIDE * 2 => {
            tracing::warn!("{error}");
            limit
        }
        Err(error) => return Err(error.into()),
    };
    tracing::debug!(limit, wanted, "open files");
    Ok(())
}

/// How frames get to the drive.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct AppendPath {
    pub(super) mode: AppendMode,
    pub(super) write: WritePath,
}

/// Chooses how to append, by a try on the drive itself unless the user has chosen.
///
/// # Errors
/// If the drive can't be tried, or can't do what the user has chosen.
pub(super) fn choose_append(append: Append, sync: Sync, tree: &Tree) -> anyhow::Result<AppendPath> {
    let folder = tree.layout.raw_live();
    let advice =
        append_mode(&folder).with_context(|| format!("trying how to write in {}", folder.display()))?;
    let mode = match append {
        // Acknowledged when written: a copy to the page cache by the shard's own thread is sooner done than a direct
        // write, also where the ring would hand it to a worker (decision 5).
        Append::Auto
            if matches!(sync, Sync::Interval(_) | Sync::Never) && advice.buffered != Writes::Impossible =>
        {
            AppendMode::Buffered
        }
        Append::Auto => advice.mode,
        Append::Buffered => AppendMode::Buffered,
        Append::Direct if advice.direct == Writes::Impossible => anyhow::bail!(
            "append = direct: the filesystem of {} ({}) has no direct writes; use append = auto",
            folder.display(),
            advice.filesystem
        ),
        Append::Direct => AppendMode::Direct,
    };
    let (write, how, by) = match mode {
        AppendMode::Buffered => (WritePath::Inline, "through the page cache", "each shard's own thread"),
        AppendMode::Direct => (WritePath::Ring, "past the page cache", "the rings"),
    };
    let why = if append == Append::Auto { "auto" } else { "configured" };
    tracing::info!("appending {how}, by {by} ({why}): {advice}");
    Ok(AppendPath { mode, write })
}
