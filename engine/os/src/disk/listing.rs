//! A folder's entries as they were at one moment.

use std::io;
use std::mem::MaybeUninit;
use std::os::fd::OwnedFd;
use std::path::Path;

use logtank_engine::error::Changing;
use logtank_engine::io::{Entry, EntryKind};
use rustix::fs::{AtFlags, FileType, Mode, OFlags, RawDir, SeekFrom, open, seek, statat};

const BUFFER_BYTES: usize = 64 << 10;
const BUFFER_BYTES_MAX: usize = 1 << 30;

/// Tries on a folder that changes faster than it can be read.
const TRIES_MAX: u32 = 100;

/// More than any directory entry takes: a header of 19 bytes, a name of 255, its end, padding to 8.
const ENTRY_BYTES_MAX: usize = 280;

/// What one reading found.
struct Reading {
    entries: Vec<Entry>,
    /// Whether it was one system call, during which the kernel lets nobody change the folder.
    is_snapshot: bool,
    /// Whether a longer buffer would have helped.
    is_cramped: bool,
}

/// Entries of a folder, sorted by name, without those whose name is not UTF-8. Blocks.
///
/// A folder read piece by piece may show a file that is being renamed twice or not at all. The kernel fills one
/// buffer under the folder's lock, so the buffer is made long enough for all. Filesystems that answer in
/// pieces nevertheless (FUSE, NFS) are read until two readings are the same.
pub(super) fn list(folder: &Path) -> io::Result<Vec<Entry>> {
    let fd = open(folder, OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC, Mode::empty())?;
    let mut buffer_bytes = BUFFER_BYTES;
    let mut previous = None;
    for _ in 0..TRIES_MAX {
        let Some(mut reading) = read(&fd, buffer_bytes)? else { continue };
        reading.entries.sort_by(|a, b| a.name.cmp(&b.name));
        if reading.is_snapshot || previous.as_ref() == Some(&reading.entries) {
            return Ok(reading.entries);
        }
        if reading.is_cramped && buffer_bytes < BUFFER_BYTES_MAX {
            buffer_bytes *= 4;
        } else {
            previous = Some(reading.entries);
        }
    }
    Err(io::Error::other(Changing))
}

/// `None` if an entry vanished while its kind was asked for.
fn read(fd: &OwnedFd, buffer_bytes: usize) -> io::Result<Option<Reading>> {
    seek(fd, SeekFrom::Start(0))?;
    let mut buffer = Vec::with_capacity(buffer_bytes);
    let room: &mut [MaybeUninit<u8>] = buffer.spare_capacity_mut();
    let room_bytes = room.len();
    let mut raw = RawDir::new(fd, room);
    let mut entries = Vec::new();
    let (mut calls, mut used_bytes, mut is_cramped) = (0, 0, false);
    loop {
        if raw.is_buffer_empty() {
            is_cramped |= used_bytes + ENTRY_BYTES_MAX > room_bytes;
            used_bytes = 0;
            calls += 1;
        }
        let Some(entry) = raw.next() else { break };
        let entry = entry?;
        let name = entry.file_name();
        used_bytes += (19 + name.to_bytes().len() + 1).next_multiple_of(8);
        let kind = match entry.file_type() {
            FileType::RegularFile => EntryKind::File,
            FileType::Directory => EntryKind::Folder,
            // Not every filesystem tells at once.
            FileType::Unknown => match statat(fd, name, AtFlags::SYMLINK_NOFOLLOW) {
                Ok(status) => kind_of(status.st_mode),
                Err(rustix::io::Errno::NOENT) => return Ok(None),
                Err(error) => return Err(error.into()),
            },
            _ => EntryKind::Other,
        };
        match name.to_str() {
            Ok("." | "..") | Err(_) => {}
            Ok(name) => entries.push(Entry { name: name.to_owned(), kind }),
        }
    }
    // The last call is the one that found nothing more.
    Ok(Some(Reading { entries, is_snapshot: calls <= 2 && !is_cramped, is_cramped }))
}

/// What a file's mode says it is.
pub(super) fn kind_of(mode: u32) -> EntryKind {
    match FileType::from_raw_mode(mode) {
        FileType::RegularFile => EntryKind::File,
        FileType::Directory => EntryKind::Folder,
        _ => EntryKind::Other,
    }
}
