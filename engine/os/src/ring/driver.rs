//! The loop that drives one shard.

use std::collections::VecDeque;
use std::io;
use std::time::Duration;

use logtank_engine::handshakes::Handshakes;
use logtank_engine::io::in_flight::InFlight;
use logtank_engine::io::op::{ConnectionId, Op, ShardEvent};
use logtank_engine::raw_log::config::AppendMode;
use logtank_engine::shard::{Shard, ShardConfig};
use logtank_engine::time::{MonoNanos, Now};

use super::config::{RingConfig, RingReport, ShardExit, ShardLinks, WritePath};
use super::disk_ops::DiskOp;
use super::files::{FILES_MAX, Files};
use super::kernel::{self, Completed, Kernel};
use super::page_padding::PagePadding;
use super::receive_buffers::{Filled, ReceiveBuffers};
use super::registered_buffers::RegisteredBuffers;
use super::sockets::Sockets;
use super::user_data::Purpose;
use crate::clock;

/// Disk operations under way at once; the shard itself keeps below.
const DISK_OPS_MAX: usize = 96;
/// Handshakes that wait for their turn at most; a few tenths of a second's.
const HANDSHAKES_WAITING_MAX: usize = 1024;
/// Descriptors that the rest of the process needs beside the connections.
const OTHER_FILES: u64 = 256;
/// The mailbox's place among the registered files; connections follow, then segments.
pub(super) const MAIL_INDEX: u32 = 0;
/// Place of the first connection.
pub(super) const CONNECTIONS_INDEX: u32 = 1;

/// Received bytes that the shard has not taken yet.
pub(super) struct Held {
    pub(super) connection: ConnectionId,
    pub(super) filled: Filled,
    /// How many of them it has taken.
    pub(super) taken: usize,
}

pub(super) struct Driver<'r> {
    pub(super) kernel: Kernel<'r>,
    pub(super) shard: Shard,
    pub(super) config: RingConfig,
    pub(super) links: ShardLinks,
    pub(super) buffers: ReceiveBuffers,
    pub(super) sockets: Sockets,
    pub(super) files: Files,
    pub(super) registered: RegisteredBuffers,
    /// Behind what this thread writes through the page cache.
    pub(super) page_padding: PagePadding,
    pub(super) disk_ops: InFlight<DiskOp>,
    /// What the mailbox's eventfd is read into.
    pub(super) mail_count: Box<[u8; 8]>,
    pub(super) mail_armed: bool,
    /// There may be letters that nothing will wake this thread for.
    pub(super) mail_waits: bool,
    pub(super) held: VecDeque<Held>,
    /// Encrypted connections that wait for a step of their handshake.
    pub(super) handshakes: Handshakes<ConnectionId>,
    /// Connections that wait for a free buffer.
    pub(super) starved: Vec<ConnectionId>,
    pub(super) shut_down: bool,
    /// An inline operation completed since the last turn of the shard.
    pub(super) completed_inline: bool,
    pub(super) now: Now,
}

/// Runs one shard on this thread until it is shut down or fails.
///
/// The caller has pinned the thread. `report` is called once the ring is set up; `events` must not block.
///
/// # Errors
/// If the ring can't be set up, or the kernel refuses to go on with it. I/O errors of the log are
/// [`ShardExit::Fatal`].
pub fn run_shard(
    mut config: ShardConfig,
    ring: &RingConfig,
    links: ShardLinks,
    report: &mut dyn FnMut(RingReport),
    events: &mut dyn FnMut(ShardEvent),
) -> io::Result<ShardExit> {
    let (mut uring, deferred) = kernel::build()?;
    let (kernel, registered_ring) = Kernel::new(&mut uring);
    // The table of registered files may not be greater than the limit of open ones.
    let open_files =
        rustix::process::getrlimit(rustix::process::Resource::Nofile).current.unwrap_or(u64::MAX);
    let room = usize::try_from(open_files.saturating_sub(OTHER_FILES)).unwrap_or(usize::MAX);
    config.limits.connections_max = config.limits.connections_max.min(room);
    let connections_max = config.limits.connections_max;
    let connections = u32::try_from(connections_max).map_err(|_| io::Error::other("too many connections"))?;
    let segments_index = CONNECTIONS_INDEX + connections;
    kernel.submitter.register_files_sparse(segments_index + FILES_MAX)?;
    let buffers = ReceiveBuffers::new(&kernel.submitter, ring.receive_buffers, ring.receive_buffer_bytes)?;
    let direct_by_ring = config.writer.append == AppendMode::Direct && ring.write_path == WritePath::Ring;
    let page_padding = match (config.writer.append, ring.write_path) {
        (AppendMode::Buffered, WritePath::Inline) => PagePadding::of_pages(),
        (AppendMode::Buffered, WritePath::Ring) | (AppendMode::Direct, _) => PagePadding::none(),
    };
    let registered = RegisteredBuffers::new(&kernel.submitter, direct_by_ring);
    report(RingReport {
        deferred,
        registered_ring,
        registered_buffers: registered.available(),
        connections_max,
    });
    let mut driver = Driver {
        kernel,
        shard: Shard::new(config, links.sequencer.clone(), links.metrics.clone(), links.ledger.clone()),
        config: ring.clone(),
        links,
        buffers,
        sockets: Sockets::default(),
        files: Files::new(segments_index),
        registered,
        page_padding,
        disk_ops: InFlight::with_capacity(DISK_OPS_MAX),
        mail_count: Box::default(),
        mail_armed: false,
        mail_waits: false,
        held: VecDeque::new(),
        handshakes: Handshakes::new(HANDSHAKES_WAITING_MAX),
        starved: Vec::new(),
        shut_down: false,
        completed_inline: false,
        now: clock::now(),
    };
    driver.listen_to_mail()?;
    driver.run(events)
}

impl Driver<'_> {
    fn run(&mut self, events: &mut dyn FnMut(ShardEvent)) -> io::Result<ShardExit> {
        loop {
            self.now = clock::now();
            while let Some(completed) = self.kernel.take() {
                self.complete(completed)?;
            }
            self.kernel.refresh();
            if self.mail_waits {
                self.open_letters()?;
            }
            self.offer_held()?;
            self.step_handshake()?;
            if self.shut_down && self.held.is_empty() {
                self.shard.shut_down(self.now);
            }
            self.turn()?;
            while let Some(event) = self.shard.outbox().events.pop_front() {
                let exit = match &event {
                    ShardEvent::EpochClosed { .. } => {
                        self.wake_peers();
                        None
                    }
                    ShardEvent::Done => Some(ShardExit::Done),
                    ShardEvent::Fatal { what } => Some(ShardExit::Fatal(what.clone())),
                    ShardEvent::NeedReady { .. }
                    | ShardEvent::NeedRoom
                    | ShardEvent::Claimed { .. }
                    | ShardEvent::Sealed { .. }
                    | ShardEvent::Abandoned { .. }
                    | ShardEvent::Rewriting { .. } => None,
                };
                events(event);
                if let Some(exit) = exit {
                    return Ok(exit);
                }
            }
            self.buffers.publish();
            self.feed_starved()?;
            let patience = self.patience();
            self.kernel.enter(patience, self.config.busy_poll)?;
        }
    }

    /// Turns of the shard, until all that completes at once is completed.
    fn turn(&mut self) -> io::Result<()> {
        loop {
            self.completed_inline = false;
            self.shard.turn(self.now);
            while let Some(op) = self.shard.outbox().ops.pop_front() {
                self.begin(op)?;
            }
            if !self.completed_inline {
                return Ok(());
            }
            self.now = clock::now();
        }
    }

    fn begin(&mut self, op: Op) -> io::Result<()> {
        match op {
            Op::Write { token, file, offset, buffer, from, durable } => {
                self.write(token, file, offset, buffer, from, durable)
            }
            Op::Sync { token, file } => self.sync(token, file),
            Op::WriteOut { file, offset, len } => self.write_out(file, offset, len),
            Op::ReleaseFile { file } => self.files.close(&self.kernel.submitter, file),
            Op::Send { connection, bytes } => self.send(connection, bytes),
            Op::PauseReceive { connection } => self.pause(connection),
            Op::ResumeReceive { connection } => self.resume(connection),
            Op::ShutdownSend { connection } => match self.sockets.secured(connection) {
                None => self.shutdown(connection, libc::SHUT_WR),
                Some(_) => self.shut_secured(connection),
            },
            Op::Close { connection } => self.close(connection),
        }
    }

    fn complete(&mut self, completed: Completed) -> io::Result<()> {
        match Purpose::unpack(completed.user_data) {
            Purpose::Mail => self.mail_arrived(completed),
            Purpose::Receive(id) => self.received(id, completed),
            Purpose::Send(id) => self.sent(id, completed),
            Purpose::Control(id) => self.controlled(id),
            Purpose::Disk(token) => {
                self.disk_done(token, completed);
                Ok(())
            }
            Purpose::Hint => Ok(()),
        }
    }

    /// How long nothing has to be done; `None`: until something happens.
    fn patience(&mut self) -> Option<Duration> {
        let waiting = !self.held.is_empty() || !self.handshakes.is_empty();
        if self.mail_waits || (waiting && self.shard.may_receive()) {
            return Some(Duration::ZERO);
        }
        let deadline: MonoNanos = self.shard.deadline()?;
        Some(deadline.since(self.now.mono))
    }
}

impl Drop for Driver<'_> {
    fn drop(&mut self) {
        // After a failure (or a panic) operations may still be under way, and the kernel may write to, or read from, their
        // memory until the ring is gone, which takes a while. So that memory is never freed; the process is about to end.
        if !self.disk_ops.is_empty() {
            std::mem::forget(std::mem::replace(&mut self.disk_ops, InFlight::with_capacity(0)));
        }
        if self.mail_armed {
            std::mem::forget(std::mem::take(&mut self.mail_count));
        }
        if self.sockets.any_under_way() {
            std::mem::forget(std::mem::take(&mut self.sockets));
            self.buffers.leak();
        }
    }
}
