use super::Subject;
use crate::report::Item;
use crate::{Drive, Mounts, System};

/// Who else uses the raw log's drives.
pub(super) fn item(system: &System, subject: &Subject<'_>, mounts: &Mounts, drives: &[Drive]) -> Item {
    let name = "sharing of the raw log's drive";
    let wanted = "nothing else on it";
    let why = "Appends wait for whatever the drive is doing. On a drive of its own, that is only what the host itself \
               reads for dealing.";
    if drives.is_empty() {
        return Item::unknown(name, "the drive is not known", wanted, why);
    }
    let names: Vec<&str> = drives.iter().map(|drive| drive.name.as_str()).collect();
    let mut users: Vec<String> = Vec::new();
    for mount in mounts.iter().filter(|mount| mount.id != subject.raw.mount_id) {
        let shares = Drive::below(system, mount).iter().any(|drive| names.contains(&drive.name.as_str()));
        if shares {
            users.push(mount.target.display().to_string());
        }
    }
    users.sort_unstable();
    users.dedup();
    users.extend(swaps(system, &names));
    if subject.raw.mount_id == subject.data.mount_id {
        users.push("the indexes".to_owned());
        if mounts.by_id(subject.raw.mount_id).is_some_and(|mount| mount.target.as_os_str() == "/") {
            users.push("the system itself".to_owned());
        }
    }
    let current =
        if users.is_empty() { format!("{} holds nothing else", names.join(", ")) } else { users.join(", ") };
    Item::new(name, users.is_empty(), current, wanted, why)
        .by_hand("give raw/ a drive of its own (--raw-dir), and move what else is there")
}

fn swaps(system: &System, drives: &[&str]) -> Vec<String> {
    let text = system.read("/proc/swaps").unwrap_or_default();
    let devices = text.lines().skip(1).filter_map(|line| line.split_ascii_whitespace().next());
    let on_drive = |device: &&str| {
        let name = device.trim_start_matches("/dev/");
        drives.iter().any(|drive| {
            name == *drive || system.exists(format!("/sys/block/{drive}/{name}")) && !name.is_empty()
        })
    };
    devices.filter(on_drive).map(|device| format!("swap on {device}")).collect()
}
