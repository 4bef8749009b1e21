//! When dirty pages are written out, and how large pages are.

use crate::System;
use crate::report::{Fix, Item};

/// What is shipped for /etc/sysctl.d: one source for file and check.
const SYSCTL: &str = include_str!("../../sysctl.d/60-logtank.conf");
const SYSCTL_PLACE: &str = "/etc/sysctl.d/60-logtank.conf";
const SYSCTL_PACKAGED: &str = "/usr/lib/sysctl.d/60-logtank.conf";

pub(super) fn items(system: &System) -> Vec<Item> {
    let mut items: Vec<Item> = settings(SYSCTL).map(|(key, wanted)| setting(system, key, wanted)).collect();
    let kept = [SYSCTL_PLACE, SYSCTL_PACKAGED]
        .iter()
        .any(|path| system.read(path).is_ok_and(|text| settings(&text).eq(settings(SYSCTL))));
    items.push(
        Item::new(
            "sysctl settings after a restart",
            kept,
            if kept { "kept" } else { "not kept" },
            format!("{SYSCTL_PLACE} or {SYSCTL_PACKAGED}"),
            "What is set in the running kernel is gone after a restart.",
        )
        .fix(Fix::Keep { path: SYSCTL_PLACE.into(), text: SYSCTL.to_owned() }),
    );
    items.push(huge_pages(system));
    items
}

fn settings(text: &str) -> impl Iterator<Item = (&str, &str)> {
    let lines = text.lines().map(str::trim).filter(|line| !line.starts_with('#'));
    lines.filter_map(|line| line.split_once('=')).map(|(key, value)| (key.trim(), value.trim()))
}

fn setting(system: &System, key: &str, wanted: &str) -> Item {
    let why = match key {
        "net.core.somaxconn" => "When API servers restart, their connections arrive in one burst.",
        _ => {
            "Dirty pages that pile up make an fdatasync long, and appends behind it wait. The host writes its own out \
              early; this bounds what else runs on the machine."
        }
    };
    let path = format!("/proc/sys/{}", key.replace('.', "/"));
    match (system.number(&path), wanted.parse::<u64>()) {
        (Ok(current), Ok(number)) => {
            // More connections may wait; dirty bytes are an upper bound, and 0 means a share of memory.
            let good =
                if key.starts_with("vm.") { current > 0 && current <= number } else { current >= number };
            let bound = if key.starts_with("vm.") { "at most" } else { "at least" };
            Item::new(key, good, current.to_string(), format!("{bound} {number}"), why).set(path, wanted)
        }
        (Err(error), _) => Item::unknown(key, error, wanted, why),
        (_, Err(error)) => Item::unknown(key, error, wanted, why),
    }
}

fn huge_pages(system: &System) -> Item {
    let name = "transparent huge pages";
    let why = "With `always` the kernel stops threads to gather large pages, for no gain: the host's buffers are \
               allocated once. The shipped tmpfiles.d sets it again after a restart.";
    let path = "/sys/kernel/mm/transparent_hugepage/enabled";
    match system.read(path) {
        Ok(list) => {
            let current =
                list.split_ascii_whitespace().find_map(|name| name.strip_prefix('[')?.strip_suffix(']'));
            let current = current.unwrap_or(&list).to_owned();
            Item::new(name, current != "always", current, "madvise or never", why).set(path, "madvise")
        }
        Err(_) if !system.exists("/sys/kernel/mm/transparent_hugepage") => {
            Item::new(name, true, "not in this kernel", "madvise or never", why)
        }
        Err(error) => Item::unknown(name, error, "madvise or never", why),
    }
}
