use std::ops::Range;
use std::path::Path;

use crate::error::{Corruption, Error, Result};
use crate::format::pack::PackError;
use crate::io::buffers::AlignedBuf;
use crate::io::disk::{Disk, DiskFile, Transfer};
use crate::limits::DIRECT_BLOCK_BYTES;

const DIRECT_BLOCK: u64 = DIRECT_BLOCK_BYTES as u64;

/// The file of a pack, read past the page cache.
pub(super) struct PackFile<D: Disk> {
    file: D::File,
    bytes: u64,
}

impl<D: Disk> PackFile<D> {
    pub(super) async fn open(disk: &D, path: &Path) -> Result<Self> {
        let file = disk.open(path, Transfer::Direct).await?;
        let bytes = file.len().await?;
        Ok(Self { file, bytes })
    }

    /// Its length when it was opened; a pack never changes.
    pub(super) const fn bytes(&self) -> u64 {
        self.bytes
    }

    /// What the buffer holds from `begin`, a multiple of a block for direct I/O, up to `end` at least.
    pub(super) async fn read(&self, buffer: AlignedBuf, begin: u64, end: u64) -> Result<AlignedBuf> {
        let (result, buffer) = self.file.read_at(buffer, begin).await;
        result?;
        if begin + (buffer.len() as u64) < end {
            return Err(self.corrupt(begin + buffer.len() as u64, "the file ends too early"));
        }
        Ok(buffer)
    }

    pub(super) fn damage(&self, offset: u64, what: &str) -> Corruption {
        Corruption { path: self.file.path().to_owned(), offset, what: what.to_owned() }
    }

    pub(super) fn corrupt(&self, offset: u64, what: &str) -> Error {
        self.damage(offset, what).into()
    }

    pub(super) fn damaged(&self, error: &PackError) -> Corruption {
        self.damage(error.offset, error.what)
    }
}

/// A stretch of a pack that was read last; what is asked for next mostly lies in it.
pub(super) struct Window {
    buffer: AlignedBuf,
    begin: u64,
}

impl Window {
    /// Reads about `bytes` at once.
    pub(super) fn of(bytes: usize) -> Self {
        Self { buffer: AlignedBuf::with_capacity(bytes), begin: 0 }
    }

    /// Reads about `bytes` at once, of a file that may be shorter.
    pub(super) fn over<D: Disk>(file: &PackFile<D>, bytes: usize) -> Self {
        Self::of(bytes.min(usize::try_from(file.bytes).unwrap_or(bytes)))
    }

    /// The bytes of the file in `range`, not verified.
    ///
    /// # Errors
    /// The disk's, or corruption if the file is shorter.
    pub(super) async fn get<D: Disk>(&mut self, file: &PackFile<D>, range: Range<u64>) -> Result<&[u8]> {
        if range.end > file.bytes {
            return Err(file.corrupt(file.bytes, "the file ends too early"));
        }
        let held = self.begin..self.begin + self.buffer.len() as u64;
        if range.start < held.start || range.end > held.end {
            self.begin = range.start / DIRECT_BLOCK * DIRECT_BLOCK;
            let needed = usize::try_from(range.end - self.begin).expect("it fits into memory");
            let mut buffer = std::mem::replace(&mut self.buffer, AlignedBuf::with_capacity(0));
            if needed > buffer.capacity() {
                buffer = AlignedBuf::with_capacity(needed);
            }
            self.buffer = file.read(buffer, self.begin, range.end).await?;
        }
        let at = |offset: u64| usize::try_from(offset - self.begin).expect("within the buffer");
        Ok(&self.buffer[at(range.start)..at(range.end)])
    }
}
