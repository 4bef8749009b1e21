//! The one file that FUSE serves: the drive.

use std::ffi::OsStr;
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::{Duration, Instant, UNIX_EPOCH};

use fuser::{
    Errno, FileAttr, FileHandle, FileType, Filesystem, FopenFlags, Generation, INodeNo, KernelConfig,
    LockOwner, OpenFlags, ReplyAttr, ReplyData, ReplyEmpty, ReplyEntry, ReplyOpen, ReplyWrite, Request,
    WriteFlags,
};

use crate::faults::{Effect, Operation, Rule};
use crate::recording::{Event, Written};
use crate::store::Store;

/// Name of the file.
pub(crate) const FILE_NAME: &str = "drive";

const FILE: INodeNo = INodeNo(2);
const TTL: Duration = Duration::from_secs(3600);
/// Longest write that the kernel sends at once.
const WRITE_BYTES_MAX: u32 = 1 << 20;

/// What the drive is, shared with who breaks it.
#[derive(Debug)]
pub(crate) struct State {
    pub(crate) store: Store,
    pub(crate) rules: Vec<Rule>,
    /// Since when, if it records.
    pub(crate) events: Option<Vec<Event>>,
    /// How many operations of each kind were asked of it.
    pub(crate) asked: [u64; Operation::KINDS],
}

impl State {
    /// What becomes of this operation: the error it gets, and how much later.
    fn judge(&mut self, operation: Operation, offset: u64, length: usize) -> (Option<Errno>, Duration) {
        let bytes = offset..offset + length as u64;
        let (mut error, mut delay) = (None, Duration::ZERO);
        self.asked[operation as usize] += 1;
        for rule in &mut self.rules {
            if !rule.strikes(operation, &bytes) {
                continue;
            }
            match rule.effect {
                Effect::Eio => error = Some(Errno::EIO),
                Effect::Enospc => error = Some(Errno::ENOSPC),
                Effect::Delay(longer) => delay += longer,
            }
        }
        (error, delay)
    }
}

#[derive(Debug)]
pub(crate) struct DriveFilesystem {
    pub(crate) state: Arc<Mutex<State>>,
    pub(crate) bytes: u64,
}

impl DriveFilesystem {
    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().expect("nobody panics with the drive's lock")
    }

    /// Waits out the delay, without the lock, and returns the error if there is one.
    fn suffer(&self, operation: Operation, offset: u64, length: usize) -> Option<Errno> {
        let (error, delay) = self.state().judge(operation, offset, length);
        if delay > Duration::ZERO {
            std::thread::sleep(delay);
        }
        error
    }

    fn attributes(&self, ino: INodeNo) -> FileAttr {
        let is_file = ino == FILE;
        let size = if is_file { self.bytes } else { 0 };
        FileAttr {
            ino,
            size,
            blocks: size / 512,
            atime: UNIX_EPOCH,
            mtime: UNIX_EPOCH,
            ctime: UNIX_EPOCH,
            crtime: UNIX_EPOCH,
            kind: if is_file { FileType::RegularFile } else { FileType::Directory },
            perm: if is_file { 0o600 } else { 0o700 },
            nlink: 1,
            uid: 0,
            gid: 0,
            rdev: 0,
            blksize: 4096,
            flags: 0,
        }
    }
}

impl Filesystem for DriveFilesystem {
    fn init(&mut self, _: &Request, config: &mut KernelConfig) -> std::io::Result<()> {
        // What the kernel allows less than this is fine too.
        let _ = config.set_max_write(WRITE_BYTES_MAX);
        Ok(())
    }

    fn lookup(&self, _: &Request, _: INodeNo, name: &OsStr, reply: ReplyEntry) {
        if name == FILE_NAME {
            reply.entry(&TTL, &self.attributes(FILE), Generation(0));
        } else {
            reply.error(Errno::ENOENT);
        }
    }

    fn getattr(&self, _: &Request, ino: INodeNo, _: Option<FileHandle>, reply: ReplyAttr) {
        reply.attr(&TTL, &self.attributes(ino));
    }

    fn open(&self, _: &Request, _: INodeNo, _: OpenFlags, reply: ReplyOpen) {
        // Past the page cache: what the drive holds may be replaced between two attachments.
        reply.opened(FileHandle(0), FopenFlags::FOPEN_DIRECT_IO);
    }

    fn read(
        &self,
        _: &Request,
        _: INodeNo,
        _: FileHandle,
        offset: u64,
        size: u32,
        _: OpenFlags,
        _: Option<LockOwner>,
        reply: ReplyData,
    ) {
        if let Some(error) = self.suffer(Operation::Read, offset, size as usize) {
            return reply.error(error);
        }
        let data = self.state().store.read(offset, size as usize);
        reply.data(&data);
    }

    fn write(
        &self,
        _: &Request,
        _: INodeNo,
        _: FileHandle,
        offset: u64,
        data: &[u8],
        _: WriteFlags,
        _: OpenFlags,
        _: Option<LockOwner>,
        reply: ReplyWrite,
    ) {
        if let Some(error) = self.suffer(Operation::Write, offset, data.len()) {
            return reply.error(error);
        }
        let mut state = self.state();
        state.store.write(offset, data);
        if let Some(events) = &mut state.events {
            events.push(Event::Write { at: Instant::now(), offset, data: Written::new(data) });
        }
        drop(state);
        reply.written(u32::try_from(data.len()).expect("the kernel sends at most WRITE_BYTES_MAX"));
    }

    fn fsync(&self, _: &Request, _: INodeNo, _: FileHandle, _: bool, reply: ReplyEmpty) {
        // What is written from now on, while this takes its time, is not covered by it.
        let covers = self.state().events.as_ref().map(Vec::len);
        if let Some(error) = self.suffer(Operation::Flush, 0, 0) {
            return reply.error(error);
        }
        let mut state = self.state();
        if let (Some(covers), Some(events)) = (covers, &mut state.events) {
            events.push(Event::Flush { at: Instant::now(), covers });
        }
        drop(state);
        reply.ok();
    }

    fn flush(&self, _: &Request, _: INodeNo, _: FileHandle, _: LockOwner, reply: ReplyEmpty) {
        reply.ok();
    }
}
