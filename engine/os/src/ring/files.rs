//! Segments that the ring holds open.

use std::fs::File;
use std::io;
use std::os::fd::{AsRawFd, OwnedFd};

use io_uring::Submitter;
use logtank_engine::io::FileSlot;

/// Segments open at once: ready ones, the one being written, those being sealed.
pub(super) const FILES_MAX: u32 = 64;

/// An open segment.
#[derive(Debug)]
pub(super) struct OpenFile {
    file: File,
    bytes: u64,
}

impl OpenFile {
    pub(super) const fn file(&self) -> &File {
        &self.file
    }

    /// Its length when it was opened.
    pub(super) const fn bytes(&self) -> u64 {
        self.bytes
    }
}

/// Open files by slot, registered with the ring from `base` on.
#[derive(Debug)]
pub(super) struct Files {
    files: Vec<Option<OpenFile>>,
    base: u32,
}

impl Files {
    pub(super) fn new(base: u32) -> Self {
        Self { files: (0..FILES_MAX).map(|_| None).collect(), base }
    }

    /// The ring's number of a file.
    pub(super) const fn index(&self, slot: FileSlot) -> u32 {
        self.base + slot.0
    }

    /// # Panics
    /// If no file is open there.
    pub(super) fn get(&self, slot: FileSlot) -> &OpenFile {
        self.files[slot.0 as usize].as_ref().expect("a file is open while it is used")
    }

    /// Registers a file.
    pub(super) fn open(&mut self, submitter: &Submitter<'_>, file: OwnedFd) -> io::Result<FileSlot> {
        let free = self.files.iter().position(Option::is_none);
        let slot =
            free.ok_or_else(|| io::Error::other("more segments are open at once than a shard can need"))?;
        let slot = FileSlot(u32::try_from(slot).expect("there are few"));
        submitter.register_files_update(self.index(slot), &[file.as_raw_fd()])?;
        let file = File::from(file);
        let bytes = file.metadata()?.len();
        self.files[slot.0 as usize] = Some(OpenFile { file, bytes });
        Ok(slot)
    }

    /// Closes a file.
    pub(super) fn close(&mut self, submitter: &Submitter<'_>, slot: FileSlot) -> io::Result<()> {
        submitter.register_files_update(self.index(slot), &[-1])?;
        self.files[slot.0 as usize] = None;
        Ok(())
    }
}
