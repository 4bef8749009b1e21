//! What the pinned threads get of the processors.

use crate::System;
use crate::report::{Fix, Item};

const CPUS: &str = "/sys/devices/system/cpu";

pub(super) fn items(system: &System) -> Vec<Item> {
    vec![count(system), governor(system), quota(system)]
}

fn count(system: &System) -> Item {
    let why = "Each shard is pinned to a processor of its own; dealing, reading and the drive's interrupts need one besides.";
    let path = "/proc/self/status";
    let allowed = system.read(path).and_then(|text| {
        let line = text
            .lines()
            .find_map(|line| line.strip_prefix("Cpus_allowed_list:"))
            .map(str::trim)
            .map(str::to_owned);
        line.ok_or_else(|| crate::TuneError::Read {
            path: path.into(),
            source: std::io::ErrorKind::InvalidData.into(),
        })
    });
    match allowed {
        Ok(list) => {
            let number = length(&list);
            Item::new("processors", number >= 2, format!("{number} ({list})"), "at least 2", why).by_hand(
                "give the host two processors or more (CPUAffinity=, AllowedCPUs=, the container's cpuset)",
            )
        }
        Err(error) => Item::unknown("processors", error, "at least 2", why),
    }
}

/// How many numbers a list as `0-3,8` has.
fn length(list: &str) -> u32 {
    let range = |part: &str| -> Option<u32> {
        let (first, last) = part.split_once('-').unwrap_or((part, part));
        Some(last.trim().parse::<u32>().ok()? - first.trim().parse::<u32>().ok()? + 1)
    };
    list.split(',').filter_map(range).sum()
}

fn governor(system: &System) -> Item {
    let why = "A processor that sleeps deeply or runs slowly between two batches answers the next one late.";
    let is_cpu = |name: &String| {
        name.strip_prefix("cpu")
            .is_some_and(|rest| !rest.is_empty() && rest.bytes().all(|b| b.is_ascii_digit()))
    };
    let paths: Vec<String> = system
        .list(CPUS)
        .into_iter()
        .filter(is_cpu)
        .map(|cpu| format!("{CPUS}/{cpu}/cpufreq/scaling_governor"))
        .filter(|path| system.exists(path))
        .collect();
    let name = "processor frequency";
    if paths.is_empty() {
        return Item::new(
            name,
            true,
            "set by the hypervisor or the hardware",
            "performance, where it can be set",
            why,
        );
    }
    let is_other = |path: &&String| system.read(path).is_ok_and(|governor| governor != "performance");
    let others: Vec<&String> = paths.iter().filter(is_other).collect();
    let current = others.first().map_or(Ok("performance".to_owned()), |path| system.read(path));
    let item = Item::new(name, others.is_empty(), current.unwrap_or_default(), "performance", why);
    others.into_iter().fold(item, |item, path| item.set(path, "performance"))
}

fn quota(system: &System) -> Item {
    let why = "A group with a quota is stopped when it has used it up, up to a tenth of a second: every append waits.";
    let group = system.read("/proc/self/cgroup").unwrap_or_default();
    let own = group.lines().find_map(|line| line.strip_prefix("0::")).unwrap_or("/").to_owned();
    let path = format!("/sys/fs/cgroup{}/cpu.max", own.trim_end_matches('/'));
    let current = system.read(&path).unwrap_or_else(|_| "max".to_owned());
    let good = current.starts_with("max");
    let current = if good { "none".to_owned() } else { current };
    let item = Item::new("processor quota of this group", good, current, "none", why);
    item.fix(Fix::ByHand { what: "take CPUQuota= away and use CPUWeight=".to_owned() })
}

#[cfg(test)]
mod tests {
    #[test]
    fn lists_of_processors_are_counted() {
        assert_eq!(super::length("0"), 1);
        assert_eq!(super::length("0-3,8,10-11"), 7);
        assert_eq!(super::length(""), 0);
    }
}
