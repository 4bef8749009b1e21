//! The drives below a filesystem: through partitions, volumes and arrays down to what has a queue of its own.

use std::path::{Path, PathBuf};

use serde::Serialize;

use crate::{Mount, System};

/// What a drive is made of, as far as its I/O scheduler should know.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum DriveKind {
    /// Has a head that must travel.
    Rotational,
    /// Flash behind SATA or SAS.
    Ssd,
    /// Flash behind NVMe.
    Nvme,
    /// A virtual machine's (virtio, Xen): what is behind it is the host's secret.
    Virtual,
    /// A file as a drive.
    Loop,
}

impl DriveKind {
    /// In words.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Rotational => "rotational",
            Self::Ssd => "SSD",
            Self::Nvme => "NVMe",
            Self::Virtual => "virtual drive",
            Self::Loop => "loop device",
        }
    }
}

/// A drive with a queue.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Drive {
    /// As in `sdb`.
    pub name: String,
    /// Device numbers, `major:minor`.
    pub device: String,
    /// What it is made of.
    pub kind: DriveKind,
}

impl Drive {
    /// Those that hold a filesystem; none for one in memory or on the network. In the order of their names.
    #[must_use]
    pub fn below(system: &System, mount: &Mount) -> Vec<Self> {
        // Filesystems over several drives (btrfs) report a number of their own, but name one of the drives.
        let by_name =
            || Path::new(&mount.source).file_name().map(|name| Path::new("/sys/class/block").join(name));
        let by_number = Path::new("/sys/dev/block").join(&mount.device);
        let start = system.follow(by_number).ok().or_else(|| {
            let named = mount.source.starts_with("/dev/").then(by_name).flatten()?;
            system.follow(named).ok()
        });
        let mut found = Vec::new();
        if let Some(start) = start {
            descend(system, &start, &mut found);
        }
        found.sort_unstable_by(|a, b| a.name.cmp(&b.name));
        found.dedup();
        found
    }

    /// Its folder in /sys.
    #[must_use]
    pub fn folder(&self) -> PathBuf {
        Path::new("/sys/block").join(&self.name)
    }

    /// A file of its queue.
    #[must_use]
    pub fn queue(&self, name: &str) -> PathBuf {
        self.folder().join("queue").join(name)
    }

    /// What udev knows it by: its serial number or another name that it keeps, or else the kernel's (which may change at
    /// a restart). The match of a rule.
    #[must_use]
    pub fn udev_match(&self, system: &System) -> String {
        for key in ["ID_SERIAL", "ID_WWN", "ID_SERIAL_SHORT", "ID_PATH"] {
            if let Some(value) =
                crate::identity::udev(system, &self.device, key).filter(|value| is_literal(value))
            {
                return format!("ENV{{{key}}}==\"{value}\"");
            }
        }
        format!("KERNEL==\"{}\"", self.name)
    }
}

/// Whether a udev rule takes it for nothing but itself. A drive says what its serial number is: `*`, `?`, `[…]` and `|`
/// in one would match other drives, and a rule knows no way to write the `|`.
fn is_literal(value: &str) -> bool {
    let plain = |c: char| matches!(c, ' '..='~') && !r#""\*?[]|$%"#.contains(c);
    !value.is_empty() && value.chars().all(plain)
}

fn descend(system: &System, folder: &Path, found: &mut Vec<Drive>) {
    // A partition lies below its drive.
    let folder =
        if system.exists(folder.join("partition")) { folder.parent().unwrap_or(folder) } else { folder };
    let slaves = system.list(folder.join("slaves"));
    if !slaves.is_empty() {
        for slave in slaves {
            if let Ok(below) = system.follow(folder.join("slaves").join(slave)) {
                descend(system, &below, found);
            }
        }
        return;
    }
    let Some(name) = folder.file_name().and_then(|name| name.to_str()) else { return };
    let device = system.read(folder.join("dev")).unwrap_or_default();
    let rotational = system.read(folder.join("queue/rotational")).is_ok_and(|flag| flag == "1");
    let kind = match name {
        _ if name.starts_with("nvme") => DriveKind::Nvme,
        // A virtual drive says it rotates when its driver does not know better.
        _ if name.starts_with("vd") || name.starts_with("xvd") => DriveKind::Virtual,
        _ if name.starts_with("loop") => DriveKind::Loop,
        _ if rotational => DriveKind::Rotational,
        _ => DriveKind::Ssd,
    };
    found.push(Drive { name: name.to_owned(), device, kind });
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_rule_names_one_drive_whatever_its_serial_is() {
        let root = tempfile::tempdir().unwrap();
        let system = System::below(root.path());
        let drive = Drive { name: "sdb".to_owned(), device: "8:16".to_owned(), kind: DriveKind::Ssd };
        let matched = |known: &str| {
            let path = system.real(Path::new("/run/udev/data/b8:16"));
            std::fs::create_dir_all(path.parent().unwrap()).unwrap();
            std::fs::write(path, known).unwrap();
            drive.udev_match(&system)
        };
        assert_eq!(matched("E:ID_SERIAL=WD_1-2.3:4 5\n"), "ENV{ID_SERIAL}==\"WD_1-2.3:4 5\"");
        for serial in ["*", "a?c", "[ab]", "a|b", "a\"b", "a\\b", "$env{x}", "%k", "\u{1b}[2J", "é", ""] {
            let known = format!("E:ID_SERIAL={serial}\nE:ID_PATH=pci-0000:00:17.0-ata-2\n");
            assert_eq!(matched(&known), "ENV{ID_PATH}==\"pci-0000:00:17.0-ata-2\"", "{serial:?}");
            let known = format!("E:ID_SERIAL={serial}\nE:ID_WWN=0x5000\nE:ID_PATH=pci\n");
            assert_eq!(matched(&known), "ENV{ID_WWN}==\"0x5000\"", "{serial:?}");
            assert_eq!(matched(&format!("E:ID_SERIAL={serial}\n")), "KERNEL==\"sdb\"", "{serial:?}");
        }
    }
}
