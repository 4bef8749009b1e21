//! The raw log's filesystem and how it is mounted.

use crate::report::{Fix, Item};
use crate::{Mount, Place};

pub(super) fn items(raw: &Place, mount: Option<&Mount>) -> Vec<Item> {
    let name = "filesystem of the raw log";
    let why = "Segments are made ready ahead of time so that an fdatasync commits no metadata, and are written past the \
               page cache: shown by tests on ext4 and XFS. What copies on write commits metadata each time; what is in \
               memory or on the network keeps no promise.";
    let wanted = "xfs or ext4";
    let Some(mount) = mount else {
        let reason = format!("{} is on no mount that /proc/self/mountinfo lists", raw.folder.display());
        return vec![Item::unknown(name, reason, wanted, why)];
    };
    let kind = mount.filesystem.as_str();
    let current = format!("{kind} ({} on {})", mount.source, mount.target.display());
    let filesystem = Item::new(name, matches!(kind, "xfs" | "ext4"), current, wanted, why)
        .by_hand("make one on the drive (mkfs.xfs), and mount it where raw/ is to be (--raw-dir)");
    vec![filesystem, access_times(mount), flushes(mount), discards(mount)]
}

fn access_times(mount: &Mount) -> Item {
    let current = ["noatime", "relatime", "lazytime"].into_iter().find(|option| mount.has(option));
    Item::new(
        "access times",
        mount.has("noatime"),
        current.unwrap_or("strictatime"),
        "noatime",
        "Each first read of a segment in a day otherwise writes metadata to the drive of the raw log. The host reads no \
         access times.",
    )
    .fix(Fix::Remount { target: mount.target.clone(), option: "noatime".to_owned() })
    .by_hand(format!("add noatime to the line of {} in /etc/fstab, so that it stays", mount.target.display()))
}

fn flushes(mount: &Mount) -> Item {
    let bad = ["nobarrier", "barrier=0", "data=writeback", "data=journal", "sync", "dirsync"];
    let found: Vec<&str> = bad.into_iter().filter(|option| mount.has(option)).collect();
    let current = if found.is_empty() { "default".to_owned() } else { found.join(",") };
    Item::new(
        "mount options for durability",
        found.is_empty(),
        current,
        "none of nobarrier, barrier=0, data=writeback, data=journal, sync, dirsync",
        "Without barriers an fdatasync does not flush the drive's cache: a power cut loses what was acknowledged as \
         durable. data=journal and sync write everything twice, or wait for each write.",
    )
    .by_hand(format!("take {} out of the line of {} in /etc/fstab and mount again", found.join(", "), mount.target.display()))
}

fn discards(mount: &Mount) -> Item {
    Item::new(
        "discard",
        !mount.has("discard"),
        if mount.has("discard") { "at each deletion" } else { "not at deletions" },
        "by fstrim.timer, not at each deletion",
        "Discards of many blocks at once, when history is given up, make appends wait on most drives.",
    )
    .by_hand("take discard out of /etc/fstab, mount again, and enable fstrim.timer")
}
