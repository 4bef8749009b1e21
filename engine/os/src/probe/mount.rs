use std::fmt;
use std::io;
use std::path::Path;

use rustix::fs::{AtFlags, CWD, Statx, StatxFlags, statx};

/// A device's numbers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Device {
    /// Which driver.
    pub major: u32,
    /// Which of its devices.
    pub minor: u32,
}

impl Device {
    /// The device that the filesystem holding `path` reports: a drive's, or a number without a drive behind it
    /// (btrfs, overlayfs, tmpfs).
    ///
    /// # Errors
    /// The system's.
    pub fn of(path: &Path) -> io::Result<Self> {
        Ok(Self::from_status(&look(path)?))
    }

    const fn from_status(status: &Statx) -> Self {
        Self { major: status.stx_dev_major, minor: status.stx_dev_minor }
    }
}

impl fmt::Display for Device {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}", self.major, self.minor)
    }
}

/// A mounted filesystem.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Mount {
    /// Its type, as in "ext4".
    pub filesystem: String,
    /// What is mounted, as in "/dev/vda".
    pub source: String,
    /// The device that it reports.
    pub device: Device,
    /// Whether its filesystem takes nothing: mounted read-only, or of an error's making, which statvfs(3) does not tell of
    /// ext4 since Linux 6.15.
    pub is_read_only: bool,
}

impl Mount {
    /// The filesystem that holds `path`.
    ///
    /// # Errors
    /// The system's, or `NotFound` if /proc/self/mountinfo does not list it.
    pub fn of(path: &Path) -> io::Result<Self> {
        let status = look(path)?;
        let mounts = std::fs::read_to_string("/proc/self/mountinfo")?;
        let [filesystem, source, options] = find(&mounts, status.stx_mnt_id).ok_or_else(|| {
            io::Error::new(io::ErrorKind::NotFound, "/proc/self/mountinfo does not list the filesystem")
        })?;
        Ok(Self {
            filesystem: filesystem.into(),
            source: source.into(),
            device: Device::from_status(&status),
            is_read_only: options.split(',').any(|option| matches!(option, "ro" | "emergency_ro")),
        })
    }
}

/// Whether files can be renamed between two folders. (Two mounts of one filesystem don't allow it either.)
///
/// # Errors
/// The system's.
pub fn same_filesystem(one: &Path, other: &Path) -> io::Result<bool> {
    let (one, other) = (look(one)?, look(other)?);
    Ok(Device::from_status(&one) == Device::from_status(&other) && one.stx_mnt_id == other.stx_mnt_id)
}

fn look(path: &Path) -> io::Result<Statx> {
    Ok(statx(CWD, path, AtFlags::empty(), StatxFlags::BASIC_STATS | StatxFlags::MNT_ID)?)
}

/// Type, source and filesystem's options of a mount in the lines of mountinfo:
/// `36 35 98:0 /root /mount/point options [optional fields] - ext4 /dev/root options`
fn find(mounts: &str, id: u64) -> Option<[&str; 3]> {
    mounts.lines().find_map(|line| {
        let (number, _) = line.split_once(' ')?;
        let (_, described) = line.split_once(" - ")?;
        let mut fields = described.split(' ');
        let found = [fields.next()?, fields.next()?, fields.next()?];
        (number.parse() == Ok(id)).then_some(found)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn mounts_are_told_apart_by_their_number() {
        let mounts = "22 1 0:20 / / rw - overlay overlay rw\n\
                      36 22 98:0 /a /data\\040-\\040b rw,noatime master:1 shared:2 - xfs /dev/sdb1 rw,emergency_ro\n";
        assert_eq!(find(mounts, 22), Some(["overlay", "overlay", "rw"]));
        assert_eq!(find(mounts, 36), Some(["xfs", "/dev/sdb1", "rw,emergency_ro"]));
        assert_eq!(find(mounts, 3), None);
    }

    #[test]
    fn proc_is_another_filesystem() {
        assert_eq!(Mount::of(Path::new("/proc/self")).unwrap().filesystem, "proc");
        assert!(!same_filesystem(Path::new("/proc"), &std::env::temp_dir()).unwrap());
        let folder = tempfile::tempdir().unwrap();
        assert!(same_filesystem(folder.path(), &std::env::temp_dir()).unwrap());
        assert_eq!(Mount::of(folder.path()).unwrap().device, Device::of(folder.path()).unwrap());
    }
}
