//! What dealing can't be faster than: making the same folders and files with nothing else to do.

use std::fs::{File, OpenOptions, create_dir, read_dir};
use std::io::{Result, Write};
use std::path::Path;
use std::time::{Duration, Instant};

/// Makes folders and files of the same names and lengths as those in `like`, and makes them durable.
///
/// # Errors
/// The disk's.
pub(super) fn make_again(like: &Path, folder: &Path) -> Result<Duration> {
    let began = Instant::now();
    copy_lengths(like, folder, &vec![b'x'; 1 << 20])?;
    rustix::fs::syncfs(File::open(folder)?)?;
    Ok(began.elapsed())
}

fn copy_lengths(like: &Path, folder: &Path, bytes: &[u8]) -> Result<()> {
    create_dir(folder)?;
    for entry in read_dir(like)? {
        let entry = entry?;
        let (path, metadata) = (folder.join(entry.file_name()), entry.metadata()?);
        if metadata.is_dir() {
            copy_lengths(&entry.path(), &path, bytes)?;
        } else {
            let (mut file, mut left) = (File::create_new(path)?, metadata.len());
            while left > 0 {
                let count = usize::try_from(left).map_or(bytes.len(), |left| left.min(bytes.len()));
                file.write_all(&bytes[..count])?;
                left -= count as u64;
            }
        }
    }
    Ok(())
}

/// Gives back the bytes of all files, but not the files.
///
/// # Errors
/// The disk's.
pub(super) fn empty(folder: &Path) -> Result<()> {
    for entry in read_dir(folder)? {
        let entry = entry?;
        if entry.file_type()?.is_dir() {
            empty(&entry.path())?;
        } else {
            OpenOptions::new().write(true).open(entry.path())?.set_len(0)?;
        }
    }
    Ok(())
}
