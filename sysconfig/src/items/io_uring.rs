use std::fs;
use std::os::unix::fs::MetadataExt;
use std::path::Path;

use crate::System;
use crate::report::{Fix, Item};

const DISABLED: &str = "/proc/sys/kernel/io_uring_disabled";
const GROUP: &str = "/proc/sys/kernel/io_uring_group";
/// Group of the service as it is packaged.
const PACKAGED_GROUP: &str = "logtank";
/// `kernel.io_uring_group`: nobody's.
const NO_GROUP: &str = "-1";

const WHY: &str = "Everything that the host does with network and drives goes through io_uring.";

pub(super) fn items(system: &System, data: &Path, tried: Option<&Result<(), String>>) -> Vec<Item> {
    let wanted = "a ring can be made";
    let tried = match tried {
        Some(Ok(())) => Item::new("io_uring, tried", true, wanted, wanted, WHY),
        Some(Err(error)) => Item::new("io_uring, tried", false, error, wanted, WHY).by_hand(
            "allow io_uring_setup, io_uring_enter and io_uring_register where system calls are filtered",
        ),
        None => Item::unknown("io_uring, tried", "not tried", wanted, WHY),
    };
    vec![setting(system, service_group(system, data)), tried]
}

/// Whoever switched it off wants it for as few as possible: the service's group gets it, nobody else.
fn setting(system: &System, service: Option<u32>) -> Item {
    let name = "io_uring by sysctl";
    // The setting came with Linux 6.6; without it nothing is switched off.
    let value = if system.exists(DISABLED) { system.number(DISABLED) } else { Ok(0) };
    let group = system.read(GROUP).unwrap_or_else(|_| NO_GROUP.to_owned());
    let service_text = service.map(|gid| gid.to_string());
    let wanted = format!(
        "kernel.io_uring_disabled = 0, or 1 with kernel.io_uring_group = {}",
        service_text.as_deref().unwrap_or("the group of the service")
    );
    let value = match value {
        Ok(value) => value,
        Err(error) => return Item::unknown(name, error, wanted, WHY),
    };
    let current = match value {
        1 => format!("kernel.io_uring_disabled = 1, kernel.io_uring_group = {group}"),
        _ => format!("kernel.io_uring_disabled = {value}"),
    };
    let good = value == 0 || (value == 1 && service_text.as_ref() == Some(&group));
    let item = Item::new(name, good, current, wanted, WHY);
    match service_text {
        // Another service has it: it would lose it.
        Some(_) if value == 1 && group != NO_GROUP => item.by_hand(format!(
            "group {group} has it for another service: add the user of this service to that group, or set \
             kernel.io_uring_disabled to 0"
        )),
        // The group first: in between nobody gets it who is not to have it.
        Some(gid) => item.set(GROUP, &gid).set(DISABLED, "1").fix(Fix::Keep {
            path: "/etc/sysctl.d/61-logtank-io-uring.conf".into(),
            text: format!(
                "# Written by `logtank tune`: io_uring for the group of the service only.\n\
                 kernel.io_uring_group = {gid}\nkernel.io_uring_disabled = 1\n"
            ),
        }),
        None => item.by_hand(
            "set kernel.io_uring_group to the number of the group that the service runs in, and kernel.io_uring_disabled \
             to 1 (sysctl -w, and in /etc/sysctl.d/ to keep it)",
        ),
    }
}

/// The group of whoever owns the data directory, or else the packaged one; not root's, which needs no group.
fn service_group(system: &System, data: &Path) -> Option<u32> {
    let owner = fs::metadata(system.real(data)).ok().filter(|there| there.uid() != 0);
    let packaged = || {
        let groups = system.read("/etc/group").ok()?;
        let line = groups.lines().find_map(|line| line.strip_prefix(PACKAGED_GROUP)?.strip_prefix(':'))?;
        line.split(':').nth(1)?.parse().ok()
    };
    owner.map(|there| there.gid()).or_else(packaged).filter(|&gid| gid != 0)
}
