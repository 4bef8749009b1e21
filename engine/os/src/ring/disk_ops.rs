//! Writes and syncs of segments.

use std::fs::File;
use std::io::{self, IoSlice};

use io_uring::opcode;
use io_uring::types::{Fixed, FsyncFlags};
use logtank_engine::io::buffers::AlignedBuf;
use logtank_engine::io::in_flight::Token;
use logtank_engine::io::op::{Completion, FileSlot};
use logtank_engine::time::MonoNanos;
use rustix::io::{Errno, ReadWriteFlags, pwritev2};

use super::config::WritePath;
use super::driver::Driver;
use super::kernel::Completed;
use super::user_data::Purpose;
use crate::clock;

/// A disk operation under way, with the memory that the kernel reads.
#[derive(Debug)]
pub(super) enum DiskOp {
    Write { token: Token, buffer: AlignedBuf, began: MonoNanos },
    Sync { token: Token },
}

impl Driver<'_> {
    pub(super) fn write(
        &mut self,
        token: Token,
        file: FileSlot,
        offset: u64,
        mut buffer: AlignedBuf,
        from: usize,
        durable: bool,
    ) -> io::Result<()> {
        if let Some(signal) = &self.links.signal {
            signal.began(self.now.mono);
        }
        match self.config.write_path {
            WritePath::Inline => {
                let file = self.files.get(file);
                let padding = self.page_padding.behind(offset + (buffer.len() - from) as u64, file.bytes());
                let result = write_whole(file.file(), &buffer[from..], padding, offset, durable);
                let began = self.now.mono;
                self.now = clock::now();
                self.completed_inline = true;
                self.write_done(token, buffer, began, result);
                Ok(())
            }
            WritePath::Ring => {
                let place = self.registered.place_of(&self.kernel.submitter, &mut buffer);
                let bytes = &buffer[from..];
                let len = u32::try_from(bytes.len()).expect("frames are shorter than 4 GiB");
                let file = Fixed(self.files.index(file));
                let flags = if durable { libc::RWF_DSYNC } else { 0 };
                let write = match place {
                    Some(place) => opcode::WriteFixed::new(file, bytes.as_ptr(), len, place)
                        .offset(offset)
                        .rw_flags(flags)
                        .build(),
                    None => {
                        opcode::Write::new(file, bytes.as_ptr(), len).offset(offset).rw_flags(flags).build()
                    }
                };
                let slot = self.disk_ops.begin(DiskOp::Write { token, buffer, began: self.now.mono });
                // SAFETY: the bytes do not move with the buffer, which stays in the table until the completion.
                unsafe { self.kernel.push(&write.user_data(Purpose::Disk(slot).pack())) }
            }
        }
    }

    pub(super) fn sync(&mut self, token: Token, file: FileSlot) -> io::Result<()> {
        let slot = self.disk_ops.begin(DiskOp::Sync { token });
        let sync = opcode::Fsync::new(Fixed(self.files.index(file))).flags(FsyncFlags::DATASYNC).build();
        // SAFETY: it points to no memory.
        unsafe { self.kernel.push(&sync.user_data(Purpose::Disk(slot).pack())) }
    }

    pub(super) fn write_out(&mut self, file: FileSlot, offset: u64, len: u64) -> io::Result<()> {
        // A range that is too long for the field is a longer way to say that the kernel will see to it anyway.
        let len = u32::try_from(len).unwrap_or(u32::MAX);
        let hint = opcode::SyncFileRange::new(Fixed(self.files.index(file)), len)
            .offset(offset)
            .flags(libc::SYNC_FILE_RANGE_WRITE)
            .build();
        // SAFETY: it points to no memory.
        unsafe { self.kernel.push(&hint.user_data(Purpose::Hint.pack())) }
    }

    pub(super) fn disk_done(&mut self, slot: Token, completed: Completed) {
        match self.disk_ops.end(slot) {
            DiskOp::Write { token, buffer, began } => {
                self.write_done(token, buffer, began, completed.count())
            }
            DiskOp::Sync { token } => {
                let result = completed.count().map(drop);
                self.shard.complete(Completion::Synced { token, result }, self.now);
            }
        }
    }

    fn write_done(&mut self, token: Token, buffer: AlignedBuf, began: MonoNanos, result: io::Result<usize>) {
        if let Some(signal) = &self.links.signal {
            let oldest = self.disk_ops.iter().filter_map(DiskOp::write_began).min();
            signal.completed(self.now.mono, self.now.mono.since(began), oldest);
        }
        self.shard.complete(Completion::Written { token, buffer, result }, self.now);
    }
}

impl DiskOp {
    const fn write_began(&self) -> Option<MonoNanos> {
        match self {
            Self::Write { began, .. } => Some(*began),
            Self::Sync { .. } => None,
        }
    }
}

/// Writes until all is written or an error comes; `padding` goes along behind the bytes, and doesn't count.
fn write_whole(file: &File, bytes: &[u8], padding: &[u8], offset: u64, durable: bool) -> io::Result<usize> {
    let flags = if durable { ReadWriteFlags::DSYNC } else { ReadWriteFlags::empty() };
    let mut written = 0;
    while written < bytes.len() {
        let parts = [IoSlice::new(&bytes[written..]), IoSlice::new(padding)];
        match pwritev2(file, &parts, offset + written as u64, flags) {
            // The shard decides what becomes of a short write.
            Ok(0) => break,
            Ok(count) => written += count,
            Err(Errno::INTR) => {}
            Err(error) => return Err(error.into()),
        }
    }
    Ok(written.min(bytes.len()))
}
