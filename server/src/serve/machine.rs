//! What must be so before anything is opened: the kernel's features, limits, folders.

use std::io::ErrorKind;
use std::path::Path;

use anyhow::Context;
use logtank_engine::raw_log::AppendMode;
use logtank_os::probe::{Mount, Writes, append_mode};
use logtank_os::ring::WritePath;
use logtank_os::startup;

use super::{Tree, control_group};
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

/// Says so where the host runs as root, though it needs nothing of root: a fault in it is a fault in everything then.
pub(super) fn warn_of_root(tree: &Tree) {
    if !startup::runs_as_root() {
        return;
    }
    tracing::warn!(
        "running as root, which the host has no use for: give the folders to a user of its own and run it as that one \
         (systemd: User=; daemontools: setuidgid)"
    );
    for folder in [tree.layout.data(), tree.layout.raw()] {
        if let Ok(Some((above, owner))) = startup::reached_by_others(folder) {
            tracing::warn!(
                "root writes in {}, but {} belongs to user {owner} or is writable for all: other users can put something \
                 else in its place",
                folder.display(),
                above.display()
            );
        }
    }
}

/// Open files that a host wants to be allowed.
pub(super) const fn open_files(settings: &Settings) -> u64 {
    (settings.limits.connections_max + settings.limits.open_files_max) as u64 + FILES_BESIDE
}

/// Allows this process as much locked memory, where its rings lie, as it may allow itself. What is too little shows
/// when they are made.
fn raise_locked_memory() {
    use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
    let limit = getrlimit(Resource::Memlock);
    if limit.current != limit.maximum {
        let _ = setrlimit(Resource::Memlock, Rlimit { current: limit.maximum, maximum: limit.maximum });
    }
}

/// Makes room for rings, and for open files: those of connections and of background jobs.
///
/// # Errors
/// If this process may not open so many.
pub(super) fn raise_limits(settings: &Settings) -> anyhow::Result<()> {
    // Both ports of the indexes at their bound beside the writer's is not an ordinary day; a host that comes there refuses
    // connections earlier.
    let wanted = open_files(settings);
    raise_locked_memory();
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

/// Warns of settings that can take more memory than the control group of this process may have: it would be killed.
pub(super) fn check_memory(settings: &Settings, shards: usize) {
    if let Some(limit) = control_group::limit("memory.max")
        && let Some(warning) = memory_warning(settings, shards, limit)
    {
        tracing::warn!("{warning}");
    }
}

fn memory_warning(settings: &Settings, shards: usize, limit: u64) -> Option<String> {
    let limits = &settings.limits;
    let of_shards = shards * (limits.unsynced_bytes_max + limits.in_flight_bytes_max);
    let of_indexes = if settings.role.indexes() { 3 * limits.job_bytes_max } else { 0 };
    let most = (of_shards + of_indexes) as u64;
    (most > limit).then(|| {
        format!(
            "these settings can take {} MiB of memory, and the control group of this process may have {} MiB: raise the limit \
             (MemoryMax= in the systemd unit, --memory of a container), or lower shards, unsynced_bytes_max, \
             in_flight_bytes_max or job_bytes_max",
            most >> 20,
            limit >> 20
        )
    })
}

/// Warns of a data directory, or raw log, that is in memory only.
pub(super) fn check_drives(tree: &Tree, sync: Sync) {
    let folders = [tree.layout.data(), tree.layout.raw()];
    let shown = if folders[1].starts_with(folders[0]) { &folders[..1] } else { &folders[..] };
    for folder in shown {
        // A mount that can't be told is reported by whoever needs it.
        if let Ok(mount) = Mount::of(folder)
            && let Some(warning) = volatile_warning(folder, &mount.filesystem, sync)
        {
            tracing::warn!("{warning}");
        }
    }
}

fn volatile_warning(folder: &Path, filesystem: &str, sync: Sync) -> Option<String> {
    let promise = if sync == Sync::Always { ", and sync = always promises what it can't keep" } else { "" };
    matches!(filesystem, "tmpfs" | "ramfs").then(|| {
        format!(
            "{} is in memory only ({filesystem}): all of it is lost when this machine stops{promise}; use a folder on a drive",
            folder.display()
        )
    })
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
    let advice = match append_mode(&folder) {
        // Reading and cleaning continue there, and batches are taken when there is room again.
        Err(error) if matches!(error.kind(), ErrorKind::StorageFull | ErrorKind::QuotaExceeded) => {
            let mode = if append == Append::Direct { AppendMode::Direct } else { AppendMode::Buffered };
            tracing::warn!(
                "how to write in {} can't be tried: {error}; it is tried at the next start again",
                folder.display()
            );
            return Ok(AppendPath { mode, write: write_path(mode) });
        }
        tried => tried.with_context(|| format!("trying how to write in {}", folder.display()))?,
    };
    let mode = match append {
        // Acknowledged when written: a copy to the page cache by the shard's own thread is sooner done than a direct
        // write, also where the ring would hand it to a worker (decision 5).
        Append::Auto if matches!(sync, Sync::Interval(_)) && advice.buffered != Writes::Impossible => {
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
    let (how, by) = match mode {
        AppendMode::Buffered => ("through the page cache", "each shard's own thread"),
        AppendMode::Direct => ("past the page cache", "the rings"),
    };
    let why = if append == Append::Auto { "auto" } else { "configured" };
    tracing::info!("appending {how}, by {by} ({why}): {advice}");
    Ok(AppendPath { mode, write: write_path(mode) })
}

const fn write_path(mode: AppendMode) -> WritePath {
    match mode {
        AppendMode::Buffered => WritePath::Inline,
        AppendMode::Direct => WritePath::Ring,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_folder_in_memory_is_warned_of() {
        let folder = Path::new("/dev/shm/data");
        let said = |filesystem, sync| volatile_warning(folder, filesystem, sync).unwrap_or_default();
        let always = said("tmpfs", Sync::Always);
        assert!(
            always.contains("/dev/shm/data is in memory only (tmpfs)") && always.contains("sync = always")
        );
        assert!(!said("ramfs", Sync::Interval(std::time::Duration::from_secs(1))).contains("always"));
        assert_eq!(said("ext4", Sync::Always), "");
    }
}
