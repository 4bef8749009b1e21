//! Waits until the drive has come to rest, so that a run does not pay for what the one before left behind.

use std::fs::File;
use std::io::Result;
use std::path::Path;
use std::time::{Duration, Instant};

use super::processor_time::kibibytes;

/// Pages waiting to be written that count as none: a system always has some.
const RESTING_BYTES: u64 = 8 << 20;
/// Others may keep the drive busy for ever.
const PATIENCE: Duration = Duration::from_secs(20);
/// The kernel tells only when asked.
const ASK_EVERY: Duration = Duration::from_millis(20);

/// Writes these folders' filesystems out, and waits until write-back has ended; whether it has within 20 s.
///
/// # Errors
/// If a folder can't be opened, or its filesystem can't be synced.
pub(crate) fn settle(folders: &[&Path]) -> Result<bool> {
    for folder in folders {
        rustix::fs::syncfs(File::open(folder)?)?;
    }
    let began = Instant::now();
    loop {
        let info = std::fs::read_to_string("/proc/meminfo")?;
        if kibibytes(&info, "Dirty:") + kibibytes(&info, "Writeback:") < RESTING_BYTES {
            return Ok(true);
        }
        if began.elapsed() > PATIENCE {
            return Ok(false);
        }
        std::thread::sleep(ASK_EVERY);
    }
}

/// Bytes that can still be written to the folder's filesystem.
///
/// # Errors
/// The system's.
pub(crate) fn free_bytes(folder: &Path) -> Result<u64> {
    let space = rustix::fs::statvfs(folder)?;
    Ok(space.f_bavail * space.f_frsize)
}
