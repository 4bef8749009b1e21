//! What the machine is: a figure means nothing without.

use std::path::Path;
use std::time::{SystemTime, UNIX_EPOCH};

use serde::{Deserialize, Serialize};

/// What stands beside every result.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct Facts {
    /// When the run began, UTC.
    pub(crate) date: String,
    pub(crate) processor: String,
    pub(crate) processors: usize,
    pub(crate) memory_gib: f64,
    pub(crate) kernel: String,
    pub(crate) filesystem: String,
    pub(crate) device: String,
    pub(crate) scheduler: String,
    /// Processes that wanted a processor in the last minute, before the run: others may have been there.
    pub(crate) load_average: f64,
    pub(crate) version: String,
    /// What is told of each program that was compared.
    #[serde(default)]
    pub(crate) peers: Vec<(String, String)>,
}

impl Facts {
    /// As seen from `folder`, where everything is written to.
    pub(crate) fn gather(folder: &Path) -> Self {
        let read = |path: &str| std::fs::read_to_string(path).unwrap_or_default();
        let processor = read("/proc/cpuinfo")
            .lines()
            .find_map(|line| line.strip_prefix("model name"))
            .map(|rest| rest.trim_start_matches([' ', '\t', ':']).to_owned());
        let mount = Mount::of(folder, &read("/proc/self/mounts"));
        let memory = super::processor_time::kibibytes(&read("/proc/meminfo"), "MemTotal:");
        let load = read("/proc/loadavg").split(' ').next().and_then(|number| number.parse().ok());
        let now = SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |time| time.as_secs());
        Self {
            date: humantime::format_rfc3339_seconds(UNIX_EPOCH + std::time::Duration::from_secs(now))
                .to_string(),
            processor: processor.unwrap_or_else(|| std::env::consts::ARCH.to_owned()),
            processors: std::thread::available_parallelism().map_or(1, std::num::NonZero::get),
            memory_gib: (memory as f64 / f64::from(1 << 30) * 10.0).round() / 10.0,
            kernel: rustix::system::uname().release().to_string_lossy().into_owned(),
            scheduler: mount.scheduler(),
            filesystem: mount.filesystem,
            device: mount.device,
            load_average: load.unwrap_or(0.0),
            version: env!("CARGO_PKG_VERSION").to_owned(),
            peers: Vec::new(),
        }
    }
}

struct Mount {
    device: String,
    filesystem: String,
}

impl Mount {
    /// The mount that holds the folder: the longest of those above it.
    fn of(folder: &Path, mounts: &str) -> Self {
        let folder = folder.canonicalize().unwrap_or_else(|_| folder.to_owned());
        let parts = mounts.lines().map(|line| line.split(' ').collect::<Vec<_>>());
        let above = parts.filter(|parts| parts.len() >= 4 && folder.starts_with(parts[1]));
        above.max_by_key(|parts| parts[1].len()).map_or_else(
            || Self { device: "unknown".to_owned(), filesystem: "unknown".to_owned() },
            |parts| Self { device: parts[0].to_owned(), filesystem: format!("{} ({})", parts[2], parts[3]) },
        )
    }

    fn scheduler(&self) -> String {
        let name = Path::new(&self.device).file_name().unwrap_or_default().to_string_lossy().into_owned();
        // A partition has its drive's.
        let drive = name.trim_end_matches(|digit: char| digit.is_ascii_digit());
        let of = |name: &str| std::fs::read_to_string(format!("/sys/block/{name}/queue/scheduler"));
        let all = of(&name).or_else(|_| of(drive)).unwrap_or_default();
        let chosen = all.split_whitespace().find_map(|word| word.strip_prefix('[')?.strip_suffix(']'));
        chosen.unwrap_or("unknown").to_owned()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_nearest_mount_above_counts() {
        let mounts = "/dev/a / ext4 rw 0 0\n/dev/b /tmp xfs rw,noatime 0 0\n/dev/c /tm btrfs rw 0 0\n";
        let mount = Mount::of(Path::new("/tmp"), mounts);
        assert_eq!((mount.device.as_str(), mount.filesystem.as_str()), ("/dev/b", "xfs (rw,noatime)"));
    }
}
