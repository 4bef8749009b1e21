use crate::io::buffers::AlignedBuf;
use crate::io::disk::{DiskFile, DiskResult};
use crate::limits::{DIRECT_BLOCK_BYTES, MIB};

/// Bytes of one write.
const CHUNK_BYTES: usize = MIB as usize;

/// A file that is written from its beginning to its end.
#[derive(Debug)]
pub(super) struct Out<F> {
    file: F,
    chunk: Option<AlignedBuf>,
    written: u64,
}

impl<F: DiskFile> Out<F> {
    /// To be written to `file`, which is empty.
    pub(super) fn new(file: F) -> Self {
        Self { file, chunk: Some(AlignedBuf::with_capacity(CHUNK_BYTES)), written: 0 }
    }

    /// Where what comes next will stand.
    pub(super) fn offset(&self) -> u64 {
        self.written + self.chunk.as_ref().map_or(0, |chunk| chunk.len()) as u64
    }

    /// Bytes of memory that it takes.
    pub(super) const fn memory_bytes(&self) -> usize {
        CHUNK_BYTES
    }

    /// Appends bytes. After an error nothing is known of the file.
    pub(super) async fn extend(&mut self, mut rest: &[u8]) -> DiskResult<()> {
        loop {
            let chunk = self.chunk.as_mut().expect("it is only away during a write");
            let (part, behind) = rest.split_at(rest.len().min(chunk.room()));
            chunk.extend(part);
            rest = behind;
            if chunk.room() > 0 {
                return Ok(());
            }
            self.write_chunk().await?;
        }
    }

    /// Appends zeros, fewer than a block for direct I/O has, up to `offset`.
    pub(super) async fn zeros_up_to(&mut self, offset: u64) -> DiskResult<()> {
        const ZEROS: [u8; DIRECT_BLOCK_BYTES] = [0; DIRECT_BLOCK_BYTES];
        let zeros = usize::try_from(offset - self.offset()).expect("less than a block");
        self.extend(&ZEROS[..zeros]).await
    }

    /// Writes what is left, and makes the file durable; gives its length.
    pub(super) async fn finish(&mut self) -> DiskResult<u64> {
        let length = self.offset();
        let chunk = self.chunk.as_mut().expect("it is only away during a write");
        if !chunk.is_empty() {
            // Direct I/O writes whole blocks; the length is set right after.
            chunk.pad_to(DIRECT_BLOCK_BYTES);
            self.write_chunk().await?;
        }
        if self.written != length {
            self.file.set_len(length).await?;
        }
        self.file.sync().await?;
        Ok(length)
    }

    async fn write_chunk(&mut self) -> DiskResult<()> {
        let chunk = self.chunk.take().expect("one write at a time");
        let length = chunk.len() as u64;
        let (result, mut chunk) = self.file.write_at(chunk, self.written).await;
        chunk.clear();
        self.chunk = Some(chunk);
        result?;
        self.written += length;
        Ok(())
    }
}
