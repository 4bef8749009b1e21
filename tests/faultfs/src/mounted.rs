//! A filesystem on a drive, attached through a loop device and mounted.

use std::io::{Error, Result};
use std::ops::Range;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, Instant};

use tempfile::TempDir;

use crate::command::run;
use crate::drive::Drive;

/// Unmounting is refused while a killed process still lets go of its files.
const UNMOUNT_TIMEOUT: Duration = Duration::from_secs(20);

/// Which filesystem.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Filesystem {
    /// ext4.
    Ext4,
    /// XFS.
    Xfs,
}

impl Filesystem {
    /// Its name, as `mount -t` has it.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Ext4 => "ext4",
            Self::Xfs => "xfs",
        }
    }

    /// Makes an empty one on the drive.
    ///
    /// # Errors
    /// What the tool said: `mkfs.ext4` and `mkfs.xfs` come with e2fsprogs and xfsprogs.
    pub fn make(self, drive: &Drive) -> Result<()> {
        let device = LoopDevice::attach(&drive.path())?;
        match self {
            Self::Ext4 => {
                run("mkfs.ext4", &["-q", "-F", "-E", "nodiscard,lazy_itable_init=0", &device.path])?
            }
            Self::Xfs => run("mkfs.xfs", &["-q", "-f", "-K", &device.path])?,
        };
        Ok(())
    }
}

#[derive(Debug)]
struct LoopDevice {
    path: String,
}

impl LoopDevice {
    fn attach(file: &Path) -> Result<Self> {
        let file = file.to_string_lossy();
        Ok(Self { path: run("losetup", &["-f", "--show", &file])? })
    }
}

impl Drop for LoopDevice {
    fn drop(&mut self) {
        if let Err(error) = run("losetup", &["-d", &self.path]) {
            eprintln!("{} stays attached: {error}", self.path);
        }
    }
}

/// A mounted filesystem. Unmounted when it is dropped.
#[derive(Debug)]
pub struct Mounted {
    folder: Option<TempDir>,
    device: Option<LoopDevice>,
}

impl Mounted {
    /// Mounts what is on the drive, which replays its journal. An ext4 that refuses is repaired first, as a machine does
    /// when it boots: its superblock is two sectors long, so a write of it can be torn.
    ///
    /// # Errors
    /// What the tools said.
    pub fn new(drive: &Drive, filesystem: Filesystem) -> Result<Self> {
        let folder = tempfile::Builder::new().prefix("logtank-mount-").tempdir()?;
        let device = LoopDevice::attach(&drive.path())?;
        let at = folder.path().to_string_lossy().into_owned();
        let mount = || run("mount", &["-t", filesystem.name(), "-o", "noatime", &device.path, &at]);
        if let Err(refused) = mount() {
            match filesystem {
                Filesystem::Ext4 => repair(&device.path)?,
                Filesystem::Xfs => return Err(refused),
            }
            mount()?;
        }
        Ok(Self { folder: Some(folder), device: Some(device) })
    }

    /// Where it is mounted.
    ///
    /// # Panics
    /// Never: it is mounted until it is dropped.
    #[must_use]
    pub fn path(&self) -> &Path {
        self.folder.as_ref().expect("mounted until dropped").path()
    }

    /// Stops the filesystem at once, without writing out its log or anything else: what a power cut leaves. What is
    /// synced while this runs may be lost although the sync succeeded.
    ///
    /// # Errors
    /// What `xfs_io` (of xfsprogs) said.
    pub fn shut_down(&self) -> Result<()> {
        run("xfs_io", &["-x", "-c", "shutdown", &self.path().to_string_lossy()]).map(drop)
    }

    /// Where on the drive a file's bytes are.
    ///
    /// # Errors
    /// What `filefrag` (of e2fsprogs) said, or that it can't be understood.
    pub fn ranges(&self, file: &Path) -> Result<Vec<Range<u64>>> {
        let listing = run("filefrag", &["-b4096", "-e", &file.to_string_lossy()])?;
        let ranges: Vec<_> = listing.lines().filter_map(extent).collect();
        if ranges.is_empty() {
            return Err(Error::other(format!("{} has no bytes on the drive: {listing}", file.display())));
        }
        Ok(ranges)
    }
}

/// The physical range of a line `N: LOGICAL..LOGICAL: PHYSICAL..PHYSICAL: LENGTH: …` in blocks of 4096.
fn extent(line: &str) -> Option<Range<u64>> {
    let mut columns = line.split(':');
    columns.next()?.trim().parse::<u64>().ok()?;
    let (first, last) = columns.nth(1)?.split_once("..")?;
    let (first, last): (u64, u64) = (first.trim().parse().ok()?, last.trim().parse().ok()?);
    Some(first * 4096..(last + 1) * 4096)
}

fn repair(device: &str) -> Result<()> {
    let status = Command::new("e2fsck").args(["-f", "-y", device]).output()?.status;
    // 1: it was mended.
    match status.code() {
        Some(0 | 1) => Ok(()),
        _ => Err(Error::other(format!("e2fsck can't mend {device}: {status}"))),
    }
}

fn unmount(path: &Path) -> Result<()> {
    let deadline = Instant::now() + UNMOUNT_TIMEOUT;
    loop {
        match run("umount", &[path.as_os_str()]) {
            Ok(_) => return Ok(()),
            Err(error) if Instant::now() >= deadline => {
                run("umount", &["-l".as_ref(), path.as_os_str()])?;
                return Err(error);
            }
            // Nothing tells when the last file is let go of.
            Err(_) => std::thread::sleep(Duration::from_millis(10)),
        }
    }
}

impl Drop for Mounted {
    fn drop(&mut self) {
        let path: PathBuf = self.path().to_owned();
        if let Err(error) = unmount(&path) {
            eprintln!("{} was still in use: {error}", path.display());
        }
        drop(self.device.take());
        // Only an empty folder is removed with it: never what is mounted there.
        drop(self.folder.take().map(TempDir::keep));
        let _ = std::fs::remove_dir(path);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn extents_are_read_from_the_tools_listing() {
        let line = "   0:        0..   13567:      34816..     48383:  13568:             last,eof";
        assert_eq!(extent(line), Some(34816 * 4096..48384 * 4096));
        assert_eq!(
            extent(" ext:     logical_offset:        physical_offset: length:   expected: flags:"),
            None
        );
        assert_eq!(extent("File size of x is 1 (1 block of 4096 bytes)"), None);
    }
}
