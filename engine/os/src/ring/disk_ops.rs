//! Writes and syncs of segments.

use std::fs::File;
use std::io::{self, IoSlice};
use std::os::fd::OwnedFd;

use io_uring::types::{Fixed, FsyncFlags};
use io_uring::{Submitter, opcode, squeue};
use logtank_engine::io::{AlignedBuf, Completion, FileSlot, InFlight, Token};
use logtank_engine::raw_log::AppendMode;
use logtank_engine::time::MonoNanos;
use rustix::io::{Errno, ReadWriteFlags, pwritev2};

use super::config::WritePath;
use super::core::Core;
use super::files::Files;
use super::kernel::{Completed, Kernel};
use super::page_padding::PagePadding;
use super::registered_buffers::RegisteredBuffers;
use super::user_data::Purpose;
use crate::append_signal::ShardSignal;

/// Operations under way at once; the shard itself keeps below.
const UNDER_WAY_MAX: usize = 96;

/// A disk operation under way, with the memory that the kernel reads.
#[derive(Debug)]
enum DiskOp {
    Write { token: Token, buffer: AlignedBuf, began: MonoNanos },
    Sync { token: Token },
}

/// How frames reach the file, with what each way needs.
#[derive(Debug)]
enum Way {
    /// On this thread, with what is written behind a frame.
    Inline(PagePadding),
    /// As operations of the ring, whose buffers it may know.
    Ring(RegisteredBuffers),
}

impl Way {
    fn new(submitter: &Submitter<'_>, append: AppendMode, path: WritePath) -> Self {
        match (path, append) {
            (WritePath::Inline, AppendMode::Buffered) => Self::Inline(PagePadding::of_pages()),
            (WritePath::Inline, AppendMode::Direct) => Self::Inline(PagePadding::none()),
            (WritePath::Ring, append) => {
                Self::Ring(RegisteredBuffers::new(submitter, append == AppendMode::Direct))
            }
        }
    }
}

/// A write that the shard asks for ([`logtank_engine::io::Op::Write`]).
#[derive(Debug)]
pub(super) struct Write {
    pub(super) token: Token,
    pub(super) file: FileSlot,
    /// Byte offset in the file of the first byte to write.
    pub(super) offset: u64,
    pub(super) buffer: AlignedBuf,
    /// How many bytes at the buffer's beginning are not to be written.
    pub(super) from: usize,
    pub(super) durable: bool,
}

impl Write {
    fn bytes(&self) -> &[u8] {
        &self.buffer[self.from..]
    }

    /// Writes until all is written or an error comes; `padding` goes along after the bytes, and doesn't count.
    fn whole(&self, file: &File, padding: &[u8]) -> io::Result<usize> {
        let bytes = self.bytes();
        let flags = if self.durable { ReadWriteFlags::DSYNC } else { ReadWriteFlags::empty() };
        let mut written = 0;
        while written < bytes.len() {
            let parts = [IoSlice::new(&bytes[written..]), IoSlice::new(padding)];
            match pwritev2(file, &parts, self.offset + written as u64, flags) {
                // The shard decides what becomes of a short write.
                Ok(0) => break,
                Ok(count) => written += count,
                Err(Errno::INTR) => {}
                Err(error) => return Err(error.into()),
            }
        }
        Ok(written.min(bytes.len()))
    }
}

/// The shard's open segments and what is under way on them.
pub(super) struct DiskOps {
    way: Way,
    files: Files,
    under_way: InFlight<DiskOp>,
    /// Where the background learns how appends fare.
    signal: Option<ShardSignal>,
}

impl DiskOps {
    /// Segments are registered from `first_place` on.
    pub(super) fn new(
        submitter: &Submitter<'_>,
        append: AppendMode,
        path: WritePath,
        first_place: u32,
        signal: Option<ShardSignal>,
    ) -> Self {
        Self {
            way: Way::new(submitter, append, path),
            files: Files::new(first_place),
            under_way: InFlight::with_capacity(UNDER_WAY_MAX),
            signal,
        }
    }

    /// Whether the ring knows the frames' buffers.
    pub(super) const fn registers_buffers(&self) -> bool {
        match &self.way {
            Way::Inline(_) => false,
            Way::Ring(registered) => registered.available(),
        }
    }

    pub(super) fn open(&mut self, kernel: &Kernel<'_>, file: OwnedFd) -> io::Result<FileSlot> {
        self.files.open(&kernel.submitter, file)
    }

    pub(super) fn release(&mut self, kernel: &Kernel<'_>, file: FileSlot) -> io::Result<()> {
        self.files.close(&kernel.submitter, file)
    }

    pub(super) fn write(&mut self, core: &mut Core<'_>, mut write: Write) -> io::Result<()> {
        let began = core.now().mono;
        if let Some(signal) = &self.signal {
            signal.began(began);
        }
        match &mut self.way {
            Way::Inline(padding) => {
                let file = self.files.get(write.file);
                let padding = padding.behind(write.offset + write.bytes().len() as u64, file.bytes());
                let result = write.whole(file.file(), padding);
                core.tick();
                self.signal_written(core.now().mono, began);
                let Write { token, buffer, .. } = write;
                core.complete(Completion::Written { token, buffer, result });
                Ok(())
            }
            Way::Ring(registered) => {
                let place = registered.place_of(&core.kernel.submitter, &mut write.buffer);
                let entry = entry(&write, Fixed(self.files.index(write.file)), place);
                let Write { token, buffer, .. } = write;
                let slot = self.under_way.begin(DiskOp::Write { token, buffer, began });
                // SAFETY: the bytes do not move with the buffer, which stays in the table until the completion.
                unsafe { core.kernel.push(&entry.user_data(Purpose::Disk(slot).pack())) }
            }
        }
    }

    pub(super) fn sync(&mut self, kernel: &mut Kernel<'_>, token: Token, file: FileSlot) -> io::Result<()> {
        let slot = self.under_way.begin(DiskOp::Sync { token });
        let sync = opcode::Fsync::new(Fixed(self.files.index(file))).flags(FsyncFlags::DATASYNC).build();
        // SAFETY: it points to no memory.
        unsafe { kernel.push(&sync.user_data(Purpose::Disk(slot).pack())) }
    }

    pub(super) fn write_out(
        &self,
        kernel: &mut Kernel<'_>,
        file: FileSlot,
        offset: u64,
        len: u64,
    ) -> io::Result<()> {
        // A range that is too long for the field is a longer way to say that the kernel will see to it anyway.
        let len = u32::try_from(len).unwrap_or(u32::MAX);
        let hint = opcode::SyncFileRange::new(Fixed(self.files.index(file)), len)
            .offset(offset)
            .flags(libc::SYNC_FILE_RANGE_WRITE)
            .build();
        // SAFETY: it points to no memory.
        unsafe { kernel.push(&hint.user_data(Purpose::Hint.pack())) }
    }

    /// An operation of the ring has ended.
    pub(super) fn done(&mut self, core: &mut Core<'_>, slot: Token, completed: Completed) {
        match self.under_way.end(slot) {
            DiskOp::Write { token, buffer, began } => {
                self.signal_written(core.now().mono, began);
                core.complete(Completion::Written { token, buffer, result: completed.count() });
            }
            DiskOp::Sync { token } => {
                let result = completed.count().map(drop);
                core.complete(Completion::Synced { token, result });
            }
        }
    }

    fn signal_written(&self, now: MonoNanos, began: MonoNanos) {
        if let Some(signal) = &self.signal {
            let oldest = self.under_way.iter().filter_map(DiskOp::write_began).min();
            signal.completed(now, now.since(began), oldest);
        }
    }
}

impl Drop for DiskOps {
    fn drop(&mut self) {
        // After a failure (or a panic) operations may still be under way, and the kernel may read their memory until the
        // ring is gone, which takes a while. So that memory is never freed; the process is about to end.
        if !self.under_way.is_empty() {
            std::mem::forget(std::mem::replace(&mut self.under_way, InFlight::with_capacity(0)));
        }
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

/// The ring's write; of a buffer that is registered at `place`, or of one that is not.
fn entry(write: &Write, file: Fixed, place: Option<u16>) -> squeue::Entry {
    let bytes = write.bytes();
    let len = u32::try_from(bytes.len()).expect("frames are shorter than 4 GiB");
    let flags = if write.durable { libc::RWF_DSYNC } else { 0 };
    match place {
        Some(place) => opcode::WriteFixed::new(file, bytes.as_ptr(), len, place)
            .offset(write.offset)
            .rw_flags(flags)
            .build(),
        None => opcode::Write::new(file, bytes.as_ptr(), len).offset(write.offset).rw_flags(flags).build(),
    }
}
