use crate::System;
use crate::report::Item;

/// Those that a process reads without entering the kernel.
const QUICK: [&str; 5] =
    ["tsc", "kvm-clock", "hyperv_clocksource_tsc_page", "arch_sys_counter", "riscv_clocksource"];

pub(super) fn item(system: &System) -> Item {
    let folder = "/sys/devices/system/clocksource/clocksource0";
    let path = format!("{folder}/current_clocksource");
    let wanted = "one that is read without a system call (tsc, kvm-clock, …)";
    let why = "Each batch is stamped and timed. With a slow clock (hpet, acpi_pm, xen) that takes longer than the append.";
    let current = match system.read(&path) {
        Ok(current) => current,
        Err(error) => return Item::unknown("clock source", error, wanted, why),
    };
    let available = system.read(format!("{folder}/available_clocksource")).unwrap_or_default();
    let better = available.split_ascii_whitespace().find(|name| QUICK.contains(name));
    let item = Item::new("clock source", QUICK.contains(&current.as_str()), current, wanted, why);
    match better {
        Some(better) => item
            .set(path, better)
            .by_hand(format!("add clocksource={better} to the kernel's command line, so that it stays")),
        None => item.by_hand(
            "the kernel offers no better one (it may have found the tsc unstable: dmesg | grep -i tsc)",
        ),
    }
}
