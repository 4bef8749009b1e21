//! Does what a report says is to be done.

use std::io;
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

/// Adds an option to those that the mount has. Only options of the mount itself: the filesystem keeps its own.
fn remount(system: &System, target: &Path, option: &str) -> Result<(), TuneError> {
    let mounts = Mounts::read(system)?;
    let failed = |source| TuneError::Write { path: target.to_owned(), source };
    // The last one at a place is the one that is seen.
    let mount = mounts.iter().filter(|mount| mount.target == target).last();
    let mount = mount.ok_or_else(|| failed(io::ErrorKind::NotFound.into()))?;
    let flags = flags(mount.own_options.iter().map(String::as_str), option).map_err(failed)?;
    mount_remount(target, flags, "").map_err(|error| failed(error.into()))
}

/// What mounting again needs to know, since it takes away each flag that it is not given.
///
/// # Errors
/// `Unsupported` if one of them is not known here: it would be lost.
fn flags<'o>(own: impl Iterator<Item = &'o str>, added: &'o str) -> io::Result<MountFlags> {
    let mut flags = MountFlags::BIND;
    for option in own.chain([added]) {
        flags |= match option {
            // Not a flag, or in force without one; an id mapping stays with the mount.
            "rw" | "relatime" | "idmapped" => MountFlags::empty(),
            "ro" => MountFlags::RDONLY,
            "nosuid" => MountFlags::NOSUID,
            "nodev" => MountFlags::NODEV,
            "noexec" => MountFlags::NOEXEC,
            "nodiratime" => MountFlags::NODIRATIME,
            "noatime" => MountFlags::NOATIME,
            "nosymfollow" => MountFlags::NOSYMFOLLOW,
            other => {
                let what = format!("mounting again would lose its option {other}; do it by hand");
                return Err(io::Error::new(io::ErrorKind::Unsupported, what));
            }
        };
    }
    Ok(flags)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn mounting_again_keeps_every_flag_or_is_refused() {
        let kept = flags("rw,nosuid,nodev,noexec,nodiratime,nosymfollow,relatime".split(','), "noatime");
        let all = MountFlags::BIND
            | MountFlags::NOSUID
            | MountFlags::NODEV
            | MountFlags::NOEXEC
            | MountFlags::NODIRATIME
            | MountFlags::NOSYMFOLLOW
            | MountFlags::NOATIME;
        assert_eq!(kept.unwrap(), all);
        assert_eq!(flags("ro".split(','), "noatime").unwrap() & MountFlags::RDONLY, MountFlags::RDONLY);
        let error = flags("rw,newflag".split(','), "noatime").unwrap_err().to_string();
        assert!(error.contains("lose its option newflag"), "{error}");
    }
}
