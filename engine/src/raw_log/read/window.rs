//! A moving window over a file: large aligned reads, so that direct I/O can serve them.

use std::path::Path;

use crate::io::buffers::AlignedBuf;
use crate::io::disk::{Disk, DiskFile, DiskResult, Transfer};
use crate::limits::{DIRECT_BLOCK_BYTES, SCAN_CHUNK_BYTES};

/// An open file and the stretch of it that is in memory.
#[derive(Debug)]
pub(super) struct Window<F> {
    file: F,
    // Away only while a read is under way; a read that was abandoned takes the buffer with it.
    buffer: Option<AlignedBuf>,
    begin: u64,
}

impl<F: DiskFile> Window<F> {
    pub(super) async fn open<D: Disk<File = F>>(
        disk: &D,
        path: &Path,
        transfer: Transfer,
    ) -> DiskResult<Self> {
        Ok(Self { file: disk.open(path, transfer).await?, buffer: None, begin: 0 })
    }

    pub(super) fn path(&self) -> &Path {
        self.file.path()
    }

    pub(super) async fn file_len(&self) -> DiskResult<u64> {
        self.file.len().await
    }

    /// Drops what is in memory, so that the next access sees the file as it is then.
    pub(super) fn forget(&mut self) {
        if let Some(buffer) = &mut self.buffer {
            buffer.clear();
        }
    }

    /// What is in memory from `offset` on; empty if nothing is.
    pub(super) fn at_hand(&self, offset: u64) -> &[u8] {
        let Some(buffer) = &self.buffer else { return &[] };
        let Some(skip) = offset.checked_sub(self.begin) else { return &[] };
        usize::try_from(skip).ok().and_then(|skip| buffer.get(skip..)).unwrap_or_default()
    }

    /// Brings `len` bytes from `offset` on into memory, or what the file has of them. See [`Self::at_hand`].
    pub(super) async fn load(&mut self, offset: u64, len: usize) -> DiskResult<()> {
        if self.at_hand(offset).len() >= len {
            return Ok(());
        }
        let align = DIRECT_BLOCK_BYTES as u64;
        let begin = offset / align * align;
        let lead = usize::try_from(offset - begin).expect("less than a block");
        let wanted = (lead + len).next_multiple_of(DIRECT_BLOCK_BYTES).max(SCAN_CHUNK_BYTES);
        // A longer buffer was for one long frame; afterwards a chunk is enough again.
        let buffer = self.buffer.take().filter(|buffer| buffer.capacity() == wanted);
        let buffer = buffer.unwrap_or_else(|| AlignedBuf::with_capacity(wanted));
        let (result, mut buffer) = self.file.read_at(buffer, begin).await;
        if result.is_err() {
            buffer.clear();
        }
        self.begin = begin;
        self.buffer = Some(buffer);
        result
    }
}
