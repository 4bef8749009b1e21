//! Which processors answer the drive.

use crate::report::Item;
use crate::{Drive, DriveKind, System};

pub(super) fn item(system: &System, drive: &Drive) -> Item {
    let name = format!("interrupts of {}", drive.name);
    let why = "An append ends with the drive's interrupt. If all queues of the drive interrupt one processor, that one \
               limits all shards.";
    let wanted = "spread over processors, or a single queue";
    if drive.kind == DriveKind::Loop {
        return Item::new(name, true, "none: a loop device has no interrupts", wanted, why);
    }
    let Some(driver) = driver(system, drive) else {
        return Item::unknown(name, "the driver of the drive is not known", wanted, why);
    };
    let numbers = numbers(system, &driver);
    let affinity = |number: &u32| {
        let read = |file| system.read(format!("/proc/irq/{number}/{file}"));
        read("effective_affinity_list").or_else(|_| read("smp_affinity_list")).ok()
    };
    let mut places: Vec<String> = numbers.iter().filter_map(affinity).collect();
    if places.is_empty() {
        return Item::unknown(name, format!("/proc/interrupts has none of {driver}"), wanted, why);
    }
    let queues = places.len();
    places.sort_unstable();
    places.dedup();
    let online = system.read("/sys/devices/system/cpu/online").unwrap_or_default();
    let good = queues == 1 || places.len() > 1 || online == "0";
    let current = format!("{queues} of {driver}, on processors {}", places.join(" "));
    Item::new(name, good, current, wanted, why).by_hand(format!(
        "let irqbalance spread them, or write one processor each to /proc/irq/N/smp_affinity_list ({})",
        numbers.iter().map(u32::to_string).collect::<Vec<_>>().join(", ")
    ))
}

/// What its interrupts are called by: the driver's instance (virtio1, nvme0), or its host adapter's driver (ahci).
fn driver(system: &System, drive: &Drive) -> Option<String> {
    let place = system.follow(drive.folder()).ok()?;
    let parts: Vec<&str> = place.iter().filter_map(|part| part.to_str()).collect();
    let numbered = |prefix: &str| {
        parts.iter().find(|part| {
            part.strip_prefix(prefix)
                .is_some_and(|rest| !rest.is_empty() && rest.bytes().all(|byte| byte.is_ascii_digit()))
        })
    };
    let instance = numbered("virtio").or_else(|| numbered("nvme"));
    instance.map(|name| (*name).to_owned()).or_else(|| numbered("ata").map(|_| "ahci".to_owned()))
}

/// Numbers of the interrupts that carry requests.
fn numbers(system: &System, driver: &str) -> Vec<u32> {
    let text = system.read("/proc/interrupts").unwrap_or_default();
    let of_driver = |line: &&str| {
        line.split_ascii_whitespace().any(|word| {
            let rest = word.strip_prefix(driver).map(|rest| rest.trim_end_matches(','));
            rest.is_some_and(|rest| {
                rest.is_empty() || rest.starts_with("-req") || rest.starts_with('q') || rest.starts_with('[')
            })
        })
    };
    text.lines().filter(of_driver).filter_map(|line| line.trim().split(':').next()?.parse().ok()).collect()
}
