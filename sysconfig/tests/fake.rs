//! A machine made of folders.

use std::fs;
use std::path::Path;

use logtank_sysconfig::{Item, Latency, Measured, Place, Report, Subject, System, inspect};
use tempfile::TempDir;

/// A machine as it is wanted, with one drive; tests then spoil it.
pub(crate) struct Machine {
    root: TempDir,
    pub(crate) raw: Place,
    pub(crate) data: Place,
    pub(crate) measured: Option<Measured>,
}

pub(crate) const fn measured(p50_micros: u64) -> Measured {
    let latency = Latency { count: 100, p50_micros, p99_micros: p50_micros, max_micros: p50_micros };
    Measured { write: latency, sync: latency, bytes_per_second: 500_000_000, direct: true }
}

fn place(folder: &str, mount_id: u64) -> Place {
    let (bytes, free_bytes) = (100 << 30, 50 << 30);
    let filesystem_id = 0xf5;
    Place { folder: folder.into(), mount_id, filesystem_id, bytes, free_bytes, files: 1000, free_files: 900 }
}

impl Machine {
    /// The raw log on partition 1 of `drive`, the indexes on sda1 with the system.
    pub(crate) fn with(drive: &str, schedulers: &str, rotational: bool) -> Self {
        let root = tempfile::tempdir().unwrap();
        let machine = Self {
            root,
            raw: place("/data/raw", 30),
            data: place("/data", 20),
            measured: Some(measured(100)),
        };
        machine.drive("sda", "8:0", "[none] mq-deadline bfq", false);
        machine.drive(drive, "9:0", schedulers, rotational);
        machine.write(
            "/proc/self/mountinfo",
            "20 1 8:1 / / rw,relatime - ext4 /dev/sda1 rw\n\
             30 20 9:1 / /data/raw rw,noatime - xfs /dev/raw1 rw,attr2\n",
        );
        machine.write("/proc/self/status", "Name:\tx\nCpus_allowed_list:\t0-3\n");
        machine.write("/proc/self/limits", "Max locked memory         unlimited            unlimited            bytes\nMax open files            1024                 1048576              files\n");
        machine.write("/proc/sys/kernel/osrelease", "6.1.0\n");
        machine.write("/proc/sys/kernel/io_uring_disabled", "0\n");
        machine.write("/proc/sys/kernel/io_uring_group", "-1\n");
        machine.write("/etc/group", "root:x:0:\nlogtank:x:987:\n");
        machine.write("/proc/sys/vm/dirty_background_bytes", "67108864\n");
        machine.write("/proc/sys/vm/dirty_bytes", "536870912\n");
        machine.write("/proc/sys/net/core/somaxconn", "4096\n");
        machine.write("/usr/lib/sysctl.d/60-logtank.conf", include_str!("../sysctl.d/60-logtank.conf"));
        machine.write("/sys/kernel/mm/transparent_hugepage/enabled", "always [madvise] never\n");
        let clock = "/sys/devices/system/clocksource/clocksource0";
        machine.write(&format!("{clock}/current_clocksource"), "tsc\n");
        machine.write(&format!("{clock}/available_clocksource"), "tsc acpi_pm\n");
        machine.write("/sys/devices/system/cpu/online", "0-3\n");
        machine.write(
            "/etc/udev/rules.d/59-logtank-drive.rules",
            "ACTION==\"add|change\", SUBSYSTEM==\"block\", ENV{DEVTYPE}==\"disk\", ENV{ID_SERIAL}==\"S-9:0\", \
             ENV{LOGTANK_RAW_LOG}=\"1\"\n",
        );
        machine
    }

    fn drive(&self, name: &str, device: &str, schedulers: &str, rotational: bool) {
        let bus = if name.starts_with("nvme") {
            "pci0/nvme/nvme0"
        } else if name.starts_with("vd") {
            "pci0/virtio3"
        } else {
            "pci0/ata1/host0"
        };
        let folder = format!("/sys/devices/{bus}/block/{name}");
        for (file, text) in [
            ("dev", device),
            ("queue/scheduler", schedulers),
            ("queue/rotational", if rotational { "1" } else { "0" }),
            ("queue/read_ahead_kb", "1024"),
            ("queue/write_cache", "write back"),
            ("cache_type", "write back"),
        ] {
            self.write(&format!("{folder}/{file}"), &format!("{text}\n"));
        }
        let scheduler = schedulers.split('[').nth(1).and_then(|rest| rest.split(']').next());
        match scheduler {
            Some("bfq") => self.write(&format!("{folder}/queue/iosched/low_latency"), "0\n"),
            Some("mq-deadline") => self.write(&format!("{folder}/queue/iosched/writes_starved"), "1\n"),
            _ => {}
        }
        self.write(&format!("{folder}/{name}1/partition"), "1\n");
        self.link(&format!("/sys/block/{name}"), &folder);
        let partition = device.replace(":0", ":1");
        self.link(&format!("/sys/dev/block/{partition}"), &format!("{folder}/{name}1"));
        self.link(&format!("/sys/class/block/{name}1"), &format!("{folder}/{name}1"));
        self.write(&format!("/run/udev/data/b{device}"), &format!("S:disk\nE:ID_SERIAL=S-{device}\n"));
        // All drives of a kind share their lines here; what matters is whose name they carry.
        self.write(
            "/proc/interrupts",
            "  CPU0 CPU1\n 30: 1 2 PCI 0-edge ahci[0000:00:17.0]\n 31: 1 2 PCI 1-edge virtio3-req.0\n \
             32: 5 5 PCI 1-edge nvme0q1\n 33: 5 5 PCI 1-edge nvme0q2\n",
        );
        for (number, processors) in [(30, "0"), (31, "1"), (32, "0"), (33, "1")] {
            self.write(&format!("/proc/irq/{number}/effective_affinity_list"), &format!("{processors}\n"));
        }
    }

    pub(crate) fn write(&self, path: &str, text: &str) {
        let path = self.system().real(Path::new(path));
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, text).unwrap();
    }

    pub(crate) fn link(&self, from: &str, to: &str) {
        let (from, to) = (self.system().real(Path::new(from)), self.system().real(Path::new(to)));
        fs::create_dir_all(from.parent().unwrap()).unwrap();
        std::os::unix::fs::symlink(to, from).unwrap();
    }

    pub(crate) fn system(&self) -> System {
        System::below(self.root.path())
    }

    pub(crate) fn inspect(&self) -> Report {
        inspect(&Subject {
            system: &self.system(),
            raw: self.raw.clone(),
            data: self.data.clone(),
            measured: self.measured,
            io_uring: Some(Ok(())),
        })
    }

    pub(crate) fn item(&self, name: &str) -> Item {
        let report = self.inspect();
        let names: Vec<_> = report.items.iter().map(|item| item.name.clone()).collect();
        report
            .items
            .into_iter()
            .find(|item| item.name == name)
            .unwrap_or_else(|| panic!("no {name} in {names:?}"))
    }
}
