use std::fs::File;
use std::hash::{BuildHasher, Hasher, RandomState};
use std::io;
use std::os::unix::fs::FileExt;
use std::path::Path;
use std::time::{Duration, Instant};

use rustix::fs::{AtFlags, Mode, OFlags, fcntl_getfl, fcntl_setfl, openat, unlinkat};
use rustix::io::Errno;
use serde::Serialize;

use super::Latency;
use super::buffer::{Aligned, BLOCK};
use crate::TuneError;

/// Length of the file that is written over and over: larger than the caches of most drives' controllers would
/// take more seconds than anybody waits.
const FILE_BYTES: u64 = 64 << 20;
/// A transfer as the preparer and the dealer make it.
const CHUNK_BYTES: usize = 1 << 20;

/// What a drive can do.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub struct Measured {
    /// Writes of 4 KiB into blocks that were written before.
    pub write: Latency,
    /// fdatasync after each such write.
    pub sync: Latency,
    /// Sequential writes of 1 MiB, with the fdatasync at their end.
    pub bytes_per_second: u64,
    /// Whether writes went past the page cache; if not, the filesystem has no direct writes.
    pub direct: bool,
}

/// How far a measurement is.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Progress {
    /// What is being measured.
    pub step: &'static str,
    /// 0 to 1.
    pub done: f64,
}

/// Measures the drive of `folder` for about `time`, with a file of 64 MiB that has no name: nothing stays behind,
/// whatever happens. Blocks; `progress` is told often.
///
/// # Errors
/// [`TuneError::Measure`] if the folder can't be written.
pub fn measure(
    folder: &Path,
    time: Duration,
    progress: &mut dyn FnMut(Progress),
) -> Result<Measured, TuneError> {
    run(folder, time, progress).map_err(|source| TuneError::Measure { folder: folder.to_owned(), source })
}

fn run(folder: &Path, time: Duration, progress: &mut dyn FnMut(Progress)) -> io::Result<Measured> {
    let (file, direct) = open(folder)?;
    let data = Aligned::new(CHUNK_BYTES);
    let part = time / 3;
    let bytes_per_second = bandwidth(&file, &data, &mut Meter::new("bandwidth", 0.0, part, progress))?;
    let write = writes(&file, &data, &mut Meter::new("write latency", 1.0 / 3.0, part, progress), false)?;
    let sync = writes(&file, &data, &mut Meter::new("fdatasync latency", 2.0 / 3.0, part, progress), true)?;
    Ok(Measured { write, sync, bytes_per_second, direct })
}

/// A file that no name leads to, in the folder that was opened: its owner may put another in its place at any time.
fn nameless(folder: &File) -> io::Result<File> {
    let flags = OFlags::RDWR | OFlags::CLOEXEC;
    let mode = Mode::from_raw_mode(0o600);
    match openat(folder, ".", flags | OFlags::TMPFILE, mode) {
        // Filesystems without such files answer the one or the other.
        Err(Errno::OPNOTSUPP | Errno::ISDIR | Errno::NOENT) => {}
        made => return Ok(made?.into()),
    }
    let name = format!(".logtank-measure-{:016x}", RandomState::new().build_hasher().finish());
    let file = openat(folder, &*name, flags | OFlags::CREATE | OFlags::EXCL | OFlags::NOFOLLOW, mode)?;
    unlinkat(folder, &*name, AtFlags::empty())?;
    Ok(file.into())
}

/// A file without a name, past the page cache where that is possible.
fn open(folder: &Path) -> io::Result<(File, bool)> {
    let file = nameless(&File::open(folder)?)?;
    let direct = fcntl_getfl(&file).and_then(|flags| fcntl_setfl(&file, flags | OFlags::DIRECT)).is_ok()
        && file.write_at(Aligned::new(BLOCK).first(BLOCK), 0).is_ok();
    if !direct {
        fcntl_setfl(&file, fcntl_getfl(&file)? - OFlags::DIRECT)?;
    }
    Ok((file, direct))
}

/// The time of one step, told as it passes.
struct Meter<'p> {
    step: &'static str,
    from: f64,
    began: Instant,
    time: Duration,
    progress: &'p mut dyn FnMut(Progress),
}

impl<'p> Meter<'p> {
    fn new(step: &'static str, from: f64, time: Duration, progress: &'p mut dyn FnMut(Progress)) -> Self {
        Self { step, from, began: Instant::now(), time, progress }
    }

    /// Whether there is time left.
    fn goes_on(&mut self) -> bool {
        let share = (self.began.elapsed().as_secs_f64() / self.time.as_secs_f64().max(1e-9)).min(1.0);
        (self.progress)(Progress { step: self.step, done: self.from + share / 3.0 });
        share < 1.0
    }
}

/// Writes the whole file once at least, so that its blocks are there for the other steps.
fn bandwidth(file: &File, data: &Aligned, meter: &mut Meter<'_>) -> io::Result<u64> {
    let (mut at, mut written) = (0, 0_u64);
    while meter.goes_on() || written < FILE_BYTES {
        file.write_all_at(data.first(CHUNK_BYTES), at)?;
        written += CHUNK_BYTES as u64;
        at = (at + CHUNK_BYTES as u64) % FILE_BYTES;
    }
    file.sync_data()?;
    let nanos = u64::try_from(meter.began.elapsed().as_nanos()).unwrap_or(u64::MAX).max(1);
    let rate = u128::from(written) * 1_000_000_000 / u128::from(nanos);
    Ok(u64::try_from(rate).unwrap_or(u64::MAX))
}

/// Times writes, or the fdatasync after each.
fn writes(file: &File, data: &Aligned, meter: &mut Meter<'_>, sync: bool) -> io::Result<Latency> {
    let mut durations = Vec::new();
    let mut at = 0;
    while meter.goes_on() || durations.is_empty() {
        let began = Instant::now();
        file.write_all_at(data.first(BLOCK), at)?;
        if sync {
            let began = Instant::now();
            file.sync_data()?;
            durations.push(began.elapsed());
        } else {
            durations.push(began.elapsed());
        }
        at = (at + BLOCK as u64) % FILE_BYTES;
    }
    Ok(Latency::of(durations))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_measurement_tells_its_progress_and_leaves_nothing() {
        let folder = tempfile::tempdir().unwrap();
        let mut seen = Vec::new();
        let measured = measure(folder.path(), Duration::from_millis(60), &mut |p| seen.push(p)).unwrap();
        assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 0);
        assert!(measured.write.count > 0 && measured.sync.count > 0 && measured.bytes_per_second > 0);
        assert!(measured.write.p50_micros <= measured.write.p99_micros);
        assert!(seen.windows(2).all(|pair| pair[0].done <= pair[1].done + 1e-9), "{seen:?}");
        assert!(seen.last().unwrap().done > 0.99, "{seen:?}");
    }

    #[test]
    fn a_folder_that_is_not_there_is_named() {
        let error = measure(Path::new("/nowhere"), Duration::ZERO, &mut |_| {}).unwrap_err();
        assert!(error.to_string().starts_with("the drive of /nowhere can't be measured"), "{error}");
    }
}
