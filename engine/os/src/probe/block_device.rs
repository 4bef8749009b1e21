use std::path::Path;

use super::mount::Device;

/// Name of the scheduler of the drive that holds a device or partition ("none", "mq-deadline", "bfq" …), for logs;
/// `None` if there is no drive behind the number. `sysfs` is /sys.
#[must_use]
pub fn scheduler(sysfs: &Path, device: Device) -> Option<String> {
    let link = sysfs.join("dev/block").join(device.to_string());
    // A link into the tree of devices, where a partition lies below its drive.
    let place = link.canonicalize().ok()?;
    let list = [place.join("queue/scheduler"), place.join("../queue/scheduler")]
        .iter()
        .find_map(|path| std::fs::read_to_string(path).ok())?;
    chosen(&list).map(str::to_owned)
}

/// The one in brackets; or the only one.
fn chosen(list: &str) -> Option<&str> {
    let mut names = list.split_ascii_whitespace();
    let bracketed = names.clone().find_map(|name| name.strip_prefix('[')?.strip_suffix(']'));
    bracketed.or_else(|| names.next().filter(|_| names.next().is_none()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_scheduler_of_a_partition_is_its_drives() {
        let sysfs = tempfile::tempdir().unwrap();
        let drive = sysfs.path().join("devices/virtio/block/vda");
        std::fs::create_dir_all(drive.join("queue")).unwrap();
        std::fs::create_dir_all(drive.join("vda1")).unwrap();
        std::fs::create_dir_all(sysfs.path().join("dev/block")).unwrap();
        std::fs::write(drive.join("queue/scheduler"), "none mq-deadline [bfq]\n").unwrap();
        std::os::unix::fs::symlink(&drive, sysfs.path().join("dev/block/252:0")).unwrap();
        std::os::unix::fs::symlink(drive.join("vda1"), sysfs.path().join("dev/block/252:1")).unwrap();
        for minor in [0, 1] {
            let device = Device { major: 252, minor };
            assert_eq!(scheduler(sysfs.path(), device).as_deref(), Some("bfq"));
        }
        assert_eq!(scheduler(sysfs.path(), Device { major: 0, minor: 44 }), None);
    }

    #[test]
    fn a_drive_without_choice_lists_one_name() {
        assert_eq!(chosen("none\n"), Some("none"));
        assert_eq!(chosen("\n"), None);
        assert_eq!(chosen("[none] mq-deadline"), Some("none"));
    }
}
