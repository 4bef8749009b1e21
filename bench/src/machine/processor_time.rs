//! Processor time of processes, to the nanosecond, from what the scheduler counts for each thread.

use std::io::Result;
use std::path::Path;
use std::time::Duration;

/// What a process has used since it began.
#[derive(Clone, Debug, Default)]
pub(crate) struct Usage {
    /// Of all threads that still run, by name; those of a ring's workers are among them.
    pub(crate) threads: Vec<(String, Duration)>,
    /// Resident memory, bytes.
    pub(crate) resident_bytes: u64,
    /// The most that it ever was.
    pub(crate) peak_resident_bytes: u64,
}

impl Usage {
    /// Of all threads.
    pub(crate) fn total(&self) -> Duration {
        self.threads.iter().map(|(_, time)| *time).sum()
    }

    /// Of the threads whose name begins so.
    pub(crate) fn of(&self, prefix: &str) -> Duration {
        let named = self.threads.iter().filter(|(name, _)| name.starts_with(prefix));
        named.map(|(_, time)| *time).sum()
    }
}

/// What the process has used.
///
/// # Errors
/// If there is no such process any more.
pub(crate) fn of_process(pid: u32) -> Result<Usage> {
    let mut usage = Usage::default();
    for task in std::fs::read_dir(format!("/proc/{pid}/task"))? {
        let task = task?.path();
        // A thread may end meanwhile.
        let Ok(name) = std::fs::read_to_string(task.join("comm")) else { continue };
        let Ok(time) = scheduled(&task.join("schedstat")) else { continue };
        usage.threads.push((name.trim_end().to_owned(), time));
    }
    let status = std::fs::read_to_string(format!("/proc/{pid}/status"))?;
    usage.resident_bytes = kibibytes(&status, "VmRSS:");
    usage.peak_resident_bytes = kibibytes(&status, "VmHWM:");
    Ok(usage)
}

/// What the calling thread has used.
pub(crate) fn of_this_thread() -> Duration {
    scheduled(Path::new("/proc/thread-self/schedstat")).unwrap_or_default()
}

fn scheduled(path: &Path) -> Result<Duration> {
    let text = std::fs::read_to_string(path)?;
    let nanos = text.split_whitespace().next().and_then(|number| number.parse().ok());
    Ok(Duration::from_nanos(nanos.unwrap_or(0)))
}

/// The value of a line `NAME   123 kB`, in bytes; 0 if there is none.
pub(super) fn kibibytes(text: &str, name: &str) -> u64 {
    let line = text.lines().find_map(|line| line.strip_prefix(name));
    let number = line.and_then(|line| line.split_whitespace().next());
    number.and_then(|number| number.parse::<u64>().ok()).unwrap_or(0) * 1024
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_busy_thread_is_seen() {
        let before = of_this_thread();
        while of_this_thread() - before < Duration::from_millis(20) {}
        let usage = of_process(std::process::id()).unwrap();
        assert!(usage.total() >= Duration::from_millis(20), "{usage:?}");
        assert!(usage.resident_bytes > 1 << 20 && usage.peak_resident_bytes >= usage.resident_bytes);
    }

    #[test]
    fn a_process_that_is_gone_is_an_error() {
        assert!(of_process(u32::MAX).is_err());
    }
}
