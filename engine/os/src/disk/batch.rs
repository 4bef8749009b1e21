//! Thousands of small files in a few calls.
//!
//! Opening, creating folders and renaming always go to one of the ring's workers and back, one after the other:
//! some 25 µs each in which nothing happens. So a batch goes to a helper thread as a whole, which makes plain
//! system calls.

use std::fs::{DirBuilder, File, OpenOptions, remove_file};
use std::io::{self, ErrorKind, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

use logtank_engine::error::{DiskError, Verb};
use logtank_engine::io::{DiskResult, Entry, NewFile, parent};
use logtank_engine::limits::DIRECT_BLOCK_BYTES;

use super::blocking::blocking;
use super::listing;
use super::throttle::Throttle;

/// Files of one call: so few that the governor is asked often enough, and that a stop is not kept waiting.
const FILES_MAX: usize = 256;
/// Folders listed in one call.
const FOLDERS_MAX: usize = 256;

/// Creates all files, call by call.
pub(super) async fn create_all(throttle: &Throttle, files: Vec<NewFile>) -> DiskResult<()> {
    let mut files = files.into_iter().peekable();
    while let Some(first) = files.peek() {
        let path = first.path.clone();
        let chunk: Vec<NewFile> = files.by_ref().take(FILES_MAX).collect();
        let leave = throttle.admit(chunk.iter().map(|file| blocks_bytes(file.bytes.len())).sum()).await;
        blocking(Verb::Create, &path, move || Ok(create_chunk(chunk))).await??;
        drop(leave);
    }
    Ok(())
}

/// Lists all folders, call by call; one that is not there is empty.
pub(super) async fn list_all(folders: Vec<PathBuf>) -> DiskResult<Vec<Vec<Entry>>> {
    let mut listings = Vec::with_capacity(folders.len());
    for chunk in folders.chunks(FOLDERS_MAX) {
        let chunk = chunk.to_vec();
        listings.extend(blocking(Verb::List, &chunk[0].clone(), move || Ok(list_chunk(&chunk))).await??);
    }
    Ok(listings)
}

/// What a file of this length takes on the drive: a block for its bytes and about one for its names.
const fn blocks_bytes(len: usize) -> usize {
    len.next_multiple_of(DIRECT_BLOCK_BYTES) + DIRECT_BLOCK_BYTES
}

fn create_chunk(files: Vec<NewFile>) -> DiskResult<()> {
    for NewFile { path, bytes } in files {
        let mut file = create(&path).map_err(|source| DiskError::new(Verb::Create, &path, source))?;
        file.write_all(&bytes).map_err(|source| DiskError::new(Verb::Write, &path, source))?;
    }
    Ok(())
}

fn create(path: &Path) -> io::Result<File> {
    let mut options = OpenOptions::new();
    options.read(true).write(true).create_new(true).custom_flags(libc::O_NOFOLLOW);
    match options.open(path) {
        // Nearly always the folder is there, so it is not looked for before.
        Err(error) if error.kind() == ErrorKind::NotFound => {
            DirBuilder::new().recursive(true).create(parent(path))?;
        }
        Err(error) if error.kind() == ErrorKind::AlreadyExists => remove_file(path)?,
        result => return result,
    }
    options.open(path)
}

fn list_chunk(folders: &[PathBuf]) -> DiskResult<Vec<Vec<Entry>>> {
    let list = |folder: &PathBuf| match listing::list(folder) {
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(Vec::new()),
        result => result.map_err(|source| DiskError::new(Verb::List, folder, source)),
    };
    folders.iter().map(list).collect()
}
