use logtank_sysconfig::{Fix, State, apply, script};

use crate::fake::{Machine, measured};

#[test]
fn a_machine_as_wanted_has_nothing_to_do() {
    let machines = [
        ("sdb", "none mq-deadline [bfq]", true),
        ("sdb", "none mq-deadline [bfq]", false),
        ("nvme0n1", "none [mq-deadline] bfq", false),
        ("vdb", "none [mq-deadline] bfq", true),
    ];
    for (drive, schedulers, rotational) in machines {
        let machine = Machine::with(drive, schedulers, rotational);
        // Partitions of NVMe drives are named with a p; the fake names them as all others.
        let report = machine.inspect();
        let other: Vec<_> = report.items.iter().filter(|item| item.state != State::Good).collect();
        assert!(other.is_empty(), "{drive}: {other:#?}");
        assert!(apply(&machine.system(), &report).is_empty());
    }
}

#[test]
fn the_scheduler_follows_the_kind_of_drive_and_what_the_kernel_has() {
    let wanted = |drive: &str, schedulers: &str, rotational: bool, p50: u64| {
        let mut machine = Machine::with(drive, schedulers, rotational);
        machine.measured = Some(measured(p50));
        machine.item(&format!("scheduler of {drive}")).wanted
    };
    assert_eq!(wanted("sdb", "[none] mq-deadline kyber bfq", true, 9_000), "bfq");
    assert_eq!(wanted("sdb", "[none] mq-deadline kyber bfq", false, 90), "bfq");
    assert_eq!(wanted("nvme0n1", "[none] mq-deadline kyber bfq", false, 20), "mq-deadline");
    assert_eq!(wanted("vdb", "[none] mq-deadline kyber bfq", true, 100), "mq-deadline");
    assert_eq!(
        wanted("vdb", "[none] mq-deadline kyber bfq", true, 5_000),
        "bfq",
        "a slow drive behind virtio"
    );
    assert_eq!(wanted("sdb", "noop deadline [cfq]", true, 9_000), "cfq", "Linux before 5.0");
    assert_eq!(wanted("sdb", "[none] mq-deadline", true, 9_000), "mq-deadline", "a kernel without bfq");
    assert_eq!(wanted("sdb", "[none] kyber", true, 9_000), "one of bfq, cfq, mq-deadline, deadline");
    let machine = Machine::with("sdb", "[none] mq-deadline", true);
    machine.write("/lib/modules/6.1.0/modules.dep", "kernel/block/bfq.ko.xz: kernel/lib/x.ko\n");
    assert_eq!(machine.item("scheduler of sdb").wanted, "bfq", "a module that nobody has loaded yet");
}

#[test]
fn priorities_count_only_where_the_scheduler_looks() {
    let current = |schedulers| {
        let item = Machine::with("sdb", schedulers, false).item("I/O priorities at sdb");
        (item.current, item.state)
    };
    assert_eq!(current("[none] bfq"), ("no".to_owned(), State::Differs));
    assert_eq!(current("[kyber] bfq"), ("no".to_owned(), State::Differs));
    assert_eq!(current("[mq-deadline] bfq"), ("class".to_owned(), State::Good));
    assert_eq!(current("mq-deadline [bfq]"), ("class and level".to_owned(), State::Good));
}

#[test]
fn applying_makes_it_as_wanted_and_stays_so() {
    let machine = Machine::with("sdb", "none mq-deadline [bfq]", false);
    let spoiled = [
        ("/sys/block/sdb/queue/iosched/low_latency", "1", "low_latency of sdb"),
        ("/sys/block/sdb/queue/read_ahead_kb", "16", "read-ahead of sdb"),
        ("/sys/block/sdb/queue/write_cache", "write through", "write cache of sdb"),
        ("/proc/sys/vm/dirty_bytes", "0", "vm.dirty_bytes"),
        ("/proc/sys/net/core/somaxconn", "128", "net.core.somaxconn"),
        ("/proc/sys/kernel/io_uring_disabled", "2", "io_uring by sysctl"),
        ("/usr/lib/sysctl.d/60-logtank.conf", "", "sysctl settings after a restart"),
        ("/etc/udev/rules.d/59-logtank-drive.rules", "# mine\n", "sdb after a restart"),
    ];
    for (path, text, _) in spoiled {
        machine.write(path, text);
    }
    let before = machine.inspect();
    for (_, _, name) in spoiled {
        let item = before.items.iter().find(|item| item.name == name).unwrap_or_else(|| panic!("{name}"));
        assert_eq!(item.state, State::Differs, "{name}: {}", item.current);
    }
    assert_eq!(before.state(), State::Differs);
    let applied = apply(&machine.system(), &before);
    assert_eq!(applied.len(), spoiled.len() + 2, "io_uring is set for a group and kept: {applied:#?}");
    assert!(applied.iter().all(|applied| applied.outcome.is_ok()), "{applied:#?}");
    let after = machine.inspect();
    assert_eq!(after.state(), State::Good, "{:#?}", after.differing().collect::<Vec<_>>());
    let rules = machine.system().read("/etc/udev/rules.d/59-logtank-drive.rules").unwrap();
    assert!(rules.starts_with("# mine\n") && rules.contains("ENV{ID_SERIAL}==\"S-9:0\""), "{rules}");
}

#[test]
fn a_setting_that_is_not_there_is_a_failure_not_a_new_file() {
    let machine = Machine::with("sdb", "none [mq-deadline] bfq", false);
    let mut report = machine.inspect();
    report.items.retain(|item| item.name == "scheduler of sdb");
    std::fs::remove_file(machine.system().real("/sys/block/sdb/queue/scheduler".as_ref())).unwrap();
    let applied = apply(&machine.system(), &report);
    assert!(
        applied[0].outcome.as_ref().unwrap_err().to_string().contains("queue/scheduler can't be written")
    );
    assert_eq!(machine.item("scheduler of sdb").state, State::Unknown);
}

#[test]
fn the_script_does_the_same_as_applying() {
    let machine = Machine::with("sdb", "[none] mq-deadline bfq", false);
    machine.write("/proc/sys/vm/dirty_bytes", "0");
    machine.write("/etc/udev/rules.d/59-logtank-drive.rules", "");
    let text = script(&machine.inspect());
    assert!(text.contains("\nprintf %s bfq > /sys/block/sdb/queue/scheduler\n"), "{text}");
    // Run for real, with the fake machine's folders in place of the real ones.
    let root = machine.system().real("/".as_ref());
    let mut here = text;
    for folder in ["/sys/", "/proc/", "/etc/"] {
        here = here.replace(
            &format!(" {folder}"),
            &format!(" {}{folder}", root.display().to_string().trim_end_matches('/')),
        );
    }
    let status = std::process::Command::new("sh").arg("-c").arg(&here).status().unwrap();
    assert!(status.success(), "{here}");
    assert_eq!(machine.system().read("/sys/block/sdb/queue/scheduler").unwrap(), "bfq");
    assert_eq!(machine.item("vm.dirty_bytes").state, State::Good);
    assert_eq!(machine.item("sdb after a restart").state, State::Good);
}

#[test]
fn a_volume_over_two_drives_is_both_drives() {
    let machine = Machine::with("sdb", "none mq-deadline [bfq]", false);
    machine.write("/sys/devices/virtual/block/dm-0/dev", "254:0\n");
    machine.link("/sys/dev/block/254:0", "/sys/devices/virtual/block/dm-0");
    machine
        .link("/sys/devices/virtual/block/dm-0/slaves/sda1", "/sys/devices/pci0/ata1/host0/block/sda/sda1");
    machine.link("/sys/devices/virtual/block/dm-0/slaves/sdb", "/sys/devices/pci0/ata1/host0/block/sdb");
    machine.write("/proc/self/mountinfo", "30 20 254:0 / /data/raw rw,noatime - xfs /dev/mapper/raw rw\n");
    assert_eq!(machine.item("scheduler of sda").state, State::Differs);
    assert_eq!(machine.item("scheduler of sdb").state, State::Good);
}

#[test]
fn who_else_uses_the_drive_is_named() {
    let mut machine = Machine::with("sdb", "none mq-deadline [bfq]", false);
    assert_eq!(machine.item("sharing of the raw log's drive").current, "sdb holds nothing else");
    machine.write(
        "/proc/self/mountinfo",
        "20 1 9:1 / / rw - ext4 /dev/sdb1 rw\n30 20 9:1 / /data/raw rw,noatime - xfs /dev/sdb1 rw\n",
    );
    machine.write("/proc/swaps", "Filename Type Size Used Priority\n/dev/sdb1 partition 1 0 -2\n");
    let item = machine.item("sharing of the raw log's drive");
    assert_eq!((item.current.as_str(), item.state), ("/, swap on /dev/sdb1", State::Differs));
    machine.data.mount_id = 30;
    assert!(machine.item("sharing of the raw log's drive").current.ends_with("the indexes"));
}

#[test]
fn mount_options_that_cost_or_endanger_are_found() {
    let machine = Machine::with("sdb", "none mq-deadline [bfq]", false);
    machine.write(
        "/proc/self/mountinfo",
        "30 20 9:1 / /data/raw rw,relatime - ext4 /dev/sdb1 rw,barrier=0,discard\n",
    );
    let access = machine.item("access times");
    assert_eq!((access.current.as_str(), access.state), ("relatime", State::Differs));
    assert!(matches!(&access.fixes[0], Fix::Remount { option, .. } if option == "noatime"));
    assert_eq!(machine.item("mount options for durability").current, "barrier=0");
    assert_eq!(machine.item("discard").state, State::Differs);
    machine.write("/proc/self/mountinfo", "30 20 0:44 / /data/raw rw - tmpfs tmpfs rw\n");
    assert_eq!(machine.item("filesystem of the raw log").state, State::Differs);
    let scheduler = machine.item("scheduler");
    assert_eq!(scheduler.current, "/data/raw (tmpfs) has no drive below it");
    assert_eq!(scheduler.state, State::Unknown);
}

#[test]
fn limits_are_those_of_the_host_of_this_data_directory() {
    let machine = Machine::with("sdb", "none mq-deadline [bfq]", false);
    let nobody = "1048576 (of this process: no host is known to run on /data)";
    assert_eq!(machine.item("open files").current, nobody);
    let limits = |most| format!("Max open files            1024                 {most}              files\n");
    for (process, most) in [(77, 4096), (78, 2048)] {
        machine.write(&format!("/proc/{process}/cmdline"), "/usr/bin/logtank\0serve\0--config\0x\0");
        machine.write(&format!("/proc/{process}/limits"), &limits(most));
    }
    assert_eq!(machine.item("open files").current, nobody, "they run on other directories");
    machine.write("/data/writer.lock", "77\n");
    let found = || {
        let item = machine.item("open files");
        (item.current, item.state)
    };
    let of = |most, process| (format!("{most} (of the running host, process {process})"), State::Differs);
    assert_eq!(found(), of(4096, 77), "its descriptors may be hidden from this user");
    assert_eq!(machine.item("locked memory").state, State::Unknown);
    machine.link("/proc/77/fd/5", "/data/other");
    machine.write("/data/other", "");
    assert_eq!(machine.item("open files").current, nobody, "it got the number of one that ended");
    machine.link("/proc/77/fd/6", "/data/writer.lock");
    assert_eq!(found(), of(4096, 77));
    machine.write("/data/dealer.lock", "78\n");
    assert_eq!(found(), of(2048, 78), "of two processes, the one that may less");
    machine.write("/proc/78/cmdline", "/usr/bin/vim\0");
    assert_eq!(found(), of(4096, 77));
}

#[test]
fn io_uring_is_opened_for_the_group_of_the_service_only() {
    let machine = Machine::with("sdb", "none mq-deadline [bfq]", false);
    let set = |disabled: &str, group: &str| {
        machine.write("/proc/sys/kernel/io_uring_disabled", disabled);
        machine.write("/proc/sys/kernel/io_uring_group", group);
        machine.item("io_uring by sysctl")
    };
    for (disabled, group) in [("0", "-1"), ("0", "5"), ("1", "987")] {
        assert_eq!(set(disabled, group).state, State::Good, "{disabled} {group}");
    }
    let other = set("1", "5");
    assert!(matches!(&other.fixes[..], [Fix::ByHand { what }] if what.contains("group 5")), "{other:?}");
    for (disabled, group) in [("2", "-1"), ("2", "5"), ("1", "-1")] {
        let item = set(disabled, group);
        assert_eq!(item.state, State::Differs);
        let report = logtank_sysconfig::Report { items: vec![item] };
        assert!(apply(&machine.system(), &report).iter().all(|applied| applied.outcome.is_ok()));
        let now = |name: &str| machine.system().read(format!("/proc/sys/kernel/{name}")).unwrap();
        assert_eq!((now("io_uring_disabled"), now("io_uring_group")), ("1".to_owned(), "987".to_owned()));
        assert_eq!(machine.item("io_uring by sysctl").state, State::Good);
        let kept = machine.system().read("/etc/sysctl.d/61-logtank-io-uring.conf").unwrap();
        assert!(kept.ends_with("kernel.io_uring_group = 987\nkernel.io_uring_disabled = 1"), "{kept}");
    }
    machine.write("/etc/group", "root:x:0:\nlogtankers:x:5:\n");
    let unknown = set("2", "-1");
    assert!(matches!(&unknown.fixes[..], [Fix::ByHand { .. }]), "{unknown:?}");
}

#[test]
fn processors_memory_and_clock_are_looked_at() {
    let machine = Machine::with("sdb", "none mq-deadline [bfq]", false);
    machine.write("/sys/devices/system/cpu/cpu0/cpufreq/scaling_governor", "powersave\n");
    machine.write("/sys/devices/system/cpu/cpu1/cpufreq/scaling_governor", "performance\n");
    machine.write("/proc/self/cgroup", "0::/a/b\n");
    machine.write("/sys/fs/cgroup/a/b/cpu.max", "50000 100000\n");
    machine.write("/proc/self/status", "Cpus_allowed_list:\t2\n");
    machine.write("/sys/kernel/mm/transparent_hugepage/enabled", "[always] madvise never\n");
    let clock = "/sys/devices/system/clocksource/clocksource0/current_clocksource";
    machine.write(clock, "acpi_pm\n");
    assert_eq!(machine.item("processor frequency").fixes.len(), 1);
    for name in ["processor quota of this group", "processors", "transparent huge pages", "clock source"] {
        assert_eq!(machine.item(name).state, State::Differs, "{name}");
    }
    let report = machine.inspect();
    assert!(apply(&machine.system(), &report).iter().all(|applied| applied.outcome.is_ok()));
    assert_eq!(machine.system().read(clock).unwrap(), "tsc");
    assert_eq!(machine.item("clock source").state, State::Good);
    assert_eq!(machine.item("processor frequency").state, State::Good);
}

#[test]
fn interrupts_of_many_queues_on_one_processor_are_found() {
    let machine = Machine::with("nvme0n1", "none [mq-deadline] bfq", false);
    assert_eq!(machine.item("interrupts of nvme0n1").current, "2 of nvme0, on processors 0 1");
    machine.write("/proc/irq/33/effective_affinity_list", "0\n");
    assert_eq!(machine.item("interrupts of nvme0n1").state, State::Differs);
}

#[test]
fn a_slow_drive_is_called_slow() {
    let mut machine = Machine::with("sdb", "none mq-deadline [bfq]", true);
    machine.measured = Some(measured(150_000));
    assert_eq!(machine.item("fdatasync latency").state, State::Differs);
    assert_eq!(machine.item("write latency").state, State::Differs);
    assert_eq!(machine.item("bandwidth").state, State::Good);
    machine.measured = None;
    assert!(machine.inspect().items.iter().all(|item| item.name != "bandwidth"), "nothing was measured");
}

#[test]
fn a_full_filesystem_is_found() {
    let mut machine = Machine::with("sdb", "none mq-deadline [bfq]", false);
    machine.raw.free_bytes = 5 << 30;
    machine.data.free_files = 10;
    assert_eq!(machine.item("free space for the raw log").current, "5.0 GiB of 100.0 GiB");
    assert_eq!(machine.item("free space for the raw log").state, State::Differs);
    assert_eq!(machine.item("free space for the indexes").state, State::Good);
    assert_eq!(machine.item("free inodes for the indexes").state, State::Differs);
}
