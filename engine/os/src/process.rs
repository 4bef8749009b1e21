//! What this process uses, for metrics.

use std::io;
use std::time::Duration;

use rustix::param::clock_ticks_per_second;
use rustix::process::{Resource, getrlimit};

/// What this process uses.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Usage {
    /// Memory in RAM, in bytes.
    pub resident_bytes: u64,
    /// The most that it ever was.
    pub peak_resident_bytes: u64,
    /// Threads.
    pub threads: u64,
    /// Open descriptors.
    pub open_files: u64,
    /// The most that may be open.
    pub open_files_max: u64,
    /// When it began, since 1970.
    pub began_unix: Duration,
}

/// Reads what this process uses from /proc. Blocks, for a few microseconds and one per open descriptor.
///
/// # Errors
/// If /proc can't be read.
pub fn usage() -> io::Result<Usage> {
    let status = std::fs::read_to_string("/proc/self/status")?;
    let field = |name| {
        let missing =
            || io::Error::new(io::ErrorKind::InvalidData, format!("no {name} in /proc/self/status"));
        number(&status, name).ok_or_else(missing)
    };
    // Reading the folder has one open itself.
    let open_files = (std::fs::read_dir("/proc/self/fd")?.count() as u64).saturating_sub(1);
    Ok(Usage {
        resident_bytes: field("VmRSS")? * 1024,
        peak_resident_bytes: field("VmHWM")? * 1024,
        threads: field("Threads")?,
        open_files,
        open_files_max: getrlimit(Resource::Nofile).current.unwrap_or(u64::MAX),
        began_unix: began()?,
    })
}

/// When this process began, since 1970.
fn began() -> io::Result<Duration> {
    let invalid = |what| io::Error::new(io::ErrorKind::InvalidData, what);
    let stat = std::fs::read_to_string("/proc/self/stat")?;
    // The name of the program may hold anything, so fields are counted from its end.
    let (_, fields) = stat.rsplit_once(')').ok_or_else(|| invalid("no name in /proc/self/stat"))?;
    let ticks = fields.split_ascii_whitespace().nth(19).and_then(|ticks| ticks.parse::<u64>().ok());
    let ticks = ticks.ok_or_else(|| invalid("no start time in /proc/self/stat"))?;
    let after_boot = Duration::from_millis(ticks.saturating_mul(1_000) / clock_ticks_per_second().max(1));
    let boot = std::fs::read_to_string("/proc/stat")?;
    let boot = boot.lines().find_map(|line| line.strip_prefix("btime ")?.trim().parse::<u64>().ok());
    Ok(Duration::from_secs(boot.ok_or_else(|| invalid("no btime in /proc/stat"))?) + after_boot)
}

fn number(status: &str, name: &str) -> Option<u64> {
    let value = status.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(':'))?;
    value.split_ascii_whitespace().next()?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_open_file_is_counted() {
        let before = usage().unwrap();
        // Other tests open and close files meanwhile, but not so many.
        let files: Vec<_> = (0..500).map(|_| std::fs::File::open("/dev/null").unwrap()).collect();
        let after = usage().unwrap();
        assert!(after.open_files >= before.open_files + 300, "{before:?} {after:?}");
        assert!(after.peak_resident_bytes >= after.resident_bytes && after.resident_bytes > 100_000);
        assert!(after.threads >= 1 && after.open_files_max >= after.open_files);
        let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap();
        assert!(after.began_unix <= now + Duration::from_secs(2), "{:?}", after.began_unix);
        assert!(now - after.began_unix < Duration::from_secs(24 * 3600), "{:?}", after.began_unix);
        drop(files);
    }

    #[test]
    fn names_are_matched_whole() {
        assert_eq!(number("VmRSSx:\t9 kB\nVmRSS:\t  12 kB\n", "VmRSS"), Some(12));
        assert_eq!(number("Vm:\n", "VmRSS"), None);
    }
}
