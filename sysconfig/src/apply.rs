//! Does what a report says is to be done.

use std::path::Path;

use rustix::mount::{MountFlags, mount_remount};

use crate::{Fix, Mounts, Report, System, TuneError};

/// What was tried for one item.
#[derive(Debug)]
pub struct Applied {
    /// The item's name.
    pub item: String,
    /// What was done.
    pub fix: Fix,
    /// Whether it worked.
    pub outcome: Result<(), TuneError>,
}

/// Does everything that a program can do; goes on after a failure. What only a person can do is left out.
#[must_use]
pub fn apply(system: &System, report: &Report) -> Vec<Applied> {
    let mut applied = Vec::new();
    for item in report.differing() {
        for fix in &item.fixes {
            let outcome = match fix {
                Fix::Set { path, value } => system.set(path, value),
                Fix::Keep { path, text } => system.keep(path, text),
                Fix::Remount { target, option } => remount(system, target, option),
                Fix::ByHand { .. } => continue,
            };
            applied.push(Applied { item: item.name.clone(), fix: fix.clone(), outcome });
        }
    }
    applied
}

/// Adds an option to those that the mount has. Only options of the mount itself, not of its filesystem.
fn remount(system: &System, target: &Path, option: &str) -> Result<(), TuneError> {
    let mounts = Mounts::read(system)?;
    let failed = |source| TuneError::Write { path: target.to_owned(), source };
    // The last one at a place is the one that is seen.
    let mount = mounts.iter().filter(|mount| mount.target == target).last();
    let mount = mount.ok_or_else(|| failed(std::io::ErrorKind::NotFound.into()))?;
    let mut flags = MountFlags::BIND;
    for option in mount.options.iter().map(String::as_str).chain([option]) {
        flags |= match option {
            "ro" => MountFlags::RDONLY,
            "nosuid" => MountFlags::NOSUID,
            "nodev" => MountFlags::NODEV,
            "noexec" => MountFlags::NOEXEC,
            "nodiratime" => MountFlags::NODIRATIME,
            "noatime" => MountFlags::NOATIME,
            _ => MountFlags::empty(),
        };
    }
    mount_remount(target, flags, "").map_err(|error| failed(error.into()))
}
