//! Sees to it that a data directory and its raw/ are there and belong together, before anything is written to either.

use std::io::ErrorKind;
use std::path::Path;

use anyhow::Context;
use logtank_engine::error::Error;
use logtank_engine::format::Layout;
use logtank_engine::identity;
use logtank_engine::identity::{Found, Identity, Verdict};
use logtank_engine::store::Store;
use logtank_os::disk::{Throttle, UringDisk, block_on};
use logtank_os::lock::FolderLock;
use logtank_os::startup::{StartupError, check_folder, check_mounted};

/// What to do where there is no data directory.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Absent {
    /// Make one.
    Create,
    /// Refuse.
    Refuse,
}

/// Looks only.
///
/// # Errors
/// Why nothing may be done with these folders, or the disk's.
pub(super) fn check(layout: &Layout) -> anyhow::Result<()> {
    check_mounts(layout)?;
    check_is_folder(layout.data())?;
    let _lock = lock(layout)?;
    judge(layout, Absent::Refuse).map(drop)
}

/// Looks, and gives both folders an identity if neither has one; `create` makes the folders that are missing, between the two.
///
/// # Errors
/// Why nothing may be done with these folders, or the disk's.
pub(super) fn ensure(
    layout: &Layout,
    absent: Absent,
    mut create: impl FnMut() -> anyhow::Result<()>,
) -> anyhow::Result<()> {
    check_mounts(layout)?;
    if absent == Absent::Refuse {
        check_is_folder(layout.data())?;
    }
    // The two roles of a host may start at the same moment.
    if !layout.data().exists() {
        match judge(layout, absent) {
            // Unless the other role has just made it.
            Err(error) if !layout.data().exists() => return Err(error),
            _ => create()?,
        }
    }
    let _lock = lock(layout)?;
    let (found, verdict) = judge(layout, absent)?;
    create()?;
    let mut random = [0; 16];
    logtank_os::random::fill(&mut random);
    let fresh = Identity::new(random);
    let settled = block_on(async {
        let disk = UringDisk::new(&[layout.data(), layout.raw()], Throttle::none())?;
        identity::settle(&Store::new(disk, layout.clone()), verdict, fresh).await
    })?;
    match settled {
        Ok(()) if found.is_accepted() && verdict == Verdict::Give => tracing::warn!(
            identity = %fresh,
            "{} and {} belong together from now on, as {} said",
            layout.data().display(),
            layout.raw().display(),
            layout.accept_new_raw().display()
        ),
        Ok(()) => tracing::debug!(?verdict, "identity of the data directory and raw/"),
        // Reading goes on, and the next start tries again.
        Err(error) if error.is_full() => tracing::warn!("identities wait for room on the drive: {error}"),
        Err(error) => return Err(error.into()),
    }
    Ok(())
}

fn check_mounts(layout: &Layout) -> Result<(), StartupError> {
    [layout.data(), layout.raw(), &layout.indexes()].into_iter().try_for_each(check_mounted)
}

fn check_is_folder(path: &Path) -> Result<(), StartupError> {
    if path.is_dir() { Ok(()) } else { check_folder(path) }
}

fn lock(layout: &Layout) -> anyhow::Result<FolderLock> {
    let data = layout.data();
    FolderLock::acquire(data).with_context(|| format!("locking {}", data.display()))
}

fn judge(layout: &Layout, absent: Absent) -> anyhow::Result<(Found, Verdict)> {
    let found = block_on(async {
        let disk = UringDisk::new(&[], Throttle::none())?;
        identity::look(&Store::new(disk, layout.clone())).await
    })?;
    let found = match found {
        // Whose folder it is is said better there.
        Err(Error::Disk(error)) if error.source.kind() == ErrorKind::PermissionDenied => {
            check_folder(layout.data())?;
            check_folder(layout.raw())?;
            return Err(error.into());
        }
        found => found?,
    };
    if absent == Absent::Refuse {
        found.is_there()?;
    }
    let verdict = found.judge()?;
    Ok((found, verdict))
}
