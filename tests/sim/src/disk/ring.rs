//! Files as a shard's ring has them open.

use std::path::Path;

use super::faults::{full_error, io_error};
use super::port::{IoResult, SimDisk};
use super::tree::Inode;
use crate::mutants::Tamper;

const PAGE_BYTES: usize = 4096;

/// A file that a shard holds open. Its writes and syncs are begun by the driver, which also says when they end.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct RingFile(Inode);

impl SimDisk {
    /// Opens a file for a ring.
    ///
    /// # Errors
    /// If it is not there.
    pub fn open_ring(&self, path: &Path) -> IoResult<RingFile> {
        self.0.faults.descriptor()?;
        Ok(RingFile(self.0.tree.borrow().file(path)?))
    }

    /// When an operation of this shard that begins now ends.
    #[must_use]
    pub fn ring_ends(&self, shard: usize, is_sync: bool) -> u64 {
        self.0.faults.ends_for(shard, self.0.executor.now(), is_sync)
    }

    /// Writes as the drive likes: all of it, a beginning, or an error (then maybe a part).
    ///
    /// # Errors
    /// EIO or ENOSPC.
    pub fn ring_write(&self, file: RingFile, offset: u64, bytes: &[u8]) -> IoResult<usize> {
        let faults = &self.0.faults;
        let trace = self.0.executor.trace();
        let begin = usize::try_from(offset).expect("files of a simulation are small");
        let mut tree = self.0.tree.borrow_mut();
        let number = tree.next_number();
        trace.count("ring write");
        if begin + bytes.len() > tree.data(file.0).len() && tree.used() > faults.capacity.get() {
            return Err(full_error());
        }
        if faults.strikes(&faults.writes) {
            trace.count("ring write error");
            faults.write_failed(self.0.executor.now());
            let part = faults.random().place(bytes.len() + 1) / 512 * 512;
            tree.data(file.0).write(number, begin, &bytes[..part]);
            let ignored = self.0.tampering.is(Tamper::WriteErrorIgnored);
            return if ignored { Ok(bytes.len()) } else { Err(io_error()) };
        }
        let mut taken = bytes.len();
        if faults.strikes(&faults.short) {
            trace.count("short write");
            // Behind a frame is padding, which nobody misses.
            let most = if faults.random().percent(50) { bytes.len() } else { bytes.len().min(512) };
            taken = faults.random().place(most);
        }
        tree.data(file.0).write(number, begin, &bytes[..taken]);
        if self.0.tampering.is(Tamper::ShortWriteTaken) { Ok(bytes.len()) } else { Ok(taken) }
    }

    /// As [`Self::ring_write`], and what is written is durable (`RWF_DSYNC`).
    ///
    /// # Errors
    /// EIO or ENOSPC: then nobody knows what is durable.
    pub fn ring_write_durable(&self, file: RingFile, offset: u64, bytes: &[u8]) -> IoResult<usize> {
        let taken = self.ring_write(file, offset, bytes)?;
        if self.0.tampering.is(Tamper::DurableWriteForgotten) {
            return Ok(taken);
        }
        let faults = &self.0.faults;
        let mut tree = self.0.tree.borrow_mut();
        if faults.strikes(&faults.syncs) {
            self.0.executor.trace().count("durable write error");
            return Err(io_error());
        }
        self.0.executor.trace().count("durable write");
        let number = tree.last_number();
        tree.data(file.0).sync_one(number);
        Ok(taken)
    }

    /// A part of a write that was under way when the process was killed.
    pub fn ring_write_in_part(&self, file: RingFile, offset: u64, bytes: &[u8]) {
        let begin = usize::try_from(offset).expect("files of a simulation are small");
        // The kernel copies page by page.
        let part = (begin + self.0.faults.random().place(bytes.len() + 1)) / PAGE_BYTES * PAGE_BYTES;
        let mut tree = self.0.tree.borrow_mut();
        let number = tree.next_number();
        tree.data(file.0).write(number, begin, &bytes[..part.saturating_sub(begin)]);
    }

    /// What a sync that begins now covers.
    #[must_use]
    pub fn ring_sync_begins(&self) -> u64 {
        self.0.tree.borrow().last_number()
    }

    /// Ends a sync.
    ///
    /// # Errors
    /// EIO: then some part of what it covered is lost.
    pub fn ring_sync_ends(&self, file: RingFile, up_to: u64) -> IoResult<()> {
        let faults = &self.0.faults;
        let mut tree = self.0.tree.borrow_mut();
        self.0.executor.trace().count("ring fdatasync");
        if faults.strikes(&faults.syncs) {
            self.0.executor.trace().count("ring fdatasync error");
            faults.sync_failed(self.0.executor.now());
            tree.data(file.0).fail_sync(up_to, faults.random());
            let retried = self.0.tampering.is(Tamper::SyncRetried);
            return if retried { Ok(()) } else { Err(io_error()) };
        }
        tree.data(file.0).sync(up_to);
        Ok(())
    }
}
