//! The loop that drives one shard.

use std::io;
use std::time::Duration;

use logtank_engine::io::{Op, ShardEvent};
use logtank_engine::raw_log::ReadySegment;
use logtank_engine::shard;
use logtank_engine::shard::{Shard, ShardConfig};
use logtank_engine::time::{MonoNanos, Now};

use super::config::{RingConfig, RingReport, ShardExit, ShardLinks};
use super::core::Core;
use super::disk_ops::{DiskOps, Write};
use super::kernel::{self, Completed, Kernel};
use super::mail::Letters;
use super::network::Network;
use super::places;
use super::user_data::Purpose;
use crate::mailbox::Mail;

/// Descriptors that the rest of the process needs beside the connections.
const OTHER_FILES: u64 = 256;
/// Letters opened between two turns of the shard: however fast peers connect, those who are connected get their turn.
const LETTERS_AT_ONCE: usize = 64;

/// Joins the shard with the parts of its ring.
struct Driver<'r> {
    core: Core<'r>,
    network: Network,
    disk: DiskOps,
    letters: Letters,
    /// How long the ring is polled before the thread sleeps.
    busy_poll: Duration,
    shut_down: bool,
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
    let connections_max = config.limits.connections_max.min(connections_possible());
    config.limits.connections_max = connections_max;
    let at_once = Shard::connections_at_once(connections_max);
    let first_segment =
        places::first_segment(at_once).ok_or_else(|| io::Error::other("too many connections"))?;
    kernel.submitter.register_files_sparse(places::count(first_segment))?;
    let network = Network::new(&kernel.submitter, ring, links.metrics.clone())?;
    let append = config.writer.append;
    let disk = DiskOps::new(&kernel.submitter, append, ring.write_path, first_segment, links.signal);
    report(RingReport {
        deferred,
        registered_ring,
        registered_buffers: disk.registers_buffers(),
        connections_max,
    });
    let shard = Shard::new(config, links.sequencer, links.metrics, links.ledger);
    let mut driver = Driver {
        core: Core::new(kernel, shard),
        network,
        disk,
        letters: Letters::new(links.mailbox, links.peers),
        busy_poll: ring.busy_poll,
        shut_down: false,
    };
    driver.letters.listen(&mut driver.core.kernel)?;
    driver.run(events)
}

/// How many connections the limit of open files has room for: the table of registered ones may not be greater than that.
fn connections_possible() -> usize {
    let open_files =
        rustix::process::getrlimit(rustix::process::Resource::Nofile).current.unwrap_or(u64::MAX);
    let possible = usize::try_from(open_files.saturating_sub(OTHER_FILES)).unwrap_or(usize::MAX);
    possible.saturating_sub(Shard::connections_at_once(0))
}

impl Driver<'_> {
    fn run(&mut self, events: &mut dyn FnMut(ShardEvent)) -> io::Result<ShardExit> {
        loop {
            self.core.tick();
            while let Some(completed) = self.core.kernel.take() {
                self.complete(completed)?;
            }
            self.core.kernel.refresh();
            if self.letters.waiting() {
                self.open_letters()?;
            }
            self.network.offer_held(&mut self.core)?;
            self.network.step_handshake(&mut self.core)?;
            if self.shut_down && self.network.holds_nothing() {
                self.core.shard.shut_down(self.core.now());
            }
            let now = self.core.now();
            shard::drive(self, now)?;
            if let Some(exit) = self.report(events) {
                return Ok(exit);
            }
            self.network.refill(&mut self.core.kernel)?;
            let patience = self.patience();
            self.core.kernel.enter(patience, self.busy_poll)?;
        }
    }

    /// Passes on what the shard has to say to the rest of the host; why it ended, if it did.
    fn report(&mut self, events: &mut dyn FnMut(ShardEvent)) -> Option<ShardExit> {
        while let Some(event) = self.core.shard.outbox().events.pop_front() {
            let exit = match &event {
                ShardEvent::EpochClosed { .. } => {
                    self.letters.wake_peers();
                    None
                }
                ShardEvent::Done => Some(ShardExit::Done),
                ShardEvent::Fatal { what } => Some(ShardExit::Fatal(what.clone())),
                ShardEvent::NeedReady { .. }
                | ShardEvent::GaveBack { .. }
                | ShardEvent::NeedRoom
                | ShardEvent::Claimed { .. }
                | ShardEvent::Sealed { .. }
                | ShardEvent::Abandoned { .. }
                | ShardEvent::Rewriting { .. } => None,
            };
            events(event);
            if exit.is_some() {
                return exit;
            }
        }
        None
    }

    /// Opens letters; if some stay unopened, the loop comes back to them without sleeping.
    fn open_letters(&mut self) -> io::Result<()> {
        for _ in 0..LETTERS_AT_ONCE {
            let Some(mail) = self.letters.take() else { return Ok(()) };
            match mail {
                Mail::Connection(socket) => self.network.accept(&mut self.core, socket)?,
                Mail::Ready { ready, file, file_bytes, salt } => {
                    let file = self.disk.open(&self.core.kernel, file)?;
                    self.core.shard.ready_segment(ReadySegment { ready, file, file_bytes, salt });
                }
                Mail::GiveBack => self.core.shard.give_back(),
                Mail::Seal => self.core.shard.seal(self.core.now()),
                // To be woken is all that is needed: the shard looks at the epoch in each turn.
                Mail::EpochClosed => {}
                Mail::AppendsAllowed(allowed) => self.core.shard.appends_allowed(allowed),
                Mail::Shutdown => self.shut_down = true,
            }
        }
        Ok(())
    }

    fn complete(&mut self, completed: Completed) -> io::Result<()> {
        match Purpose::unpack(completed.user_data) {
            Purpose::Mail => self.letters.arrived(&mut self.core.kernel, completed),
            Purpose::Receive(id) => self.network.received(&mut self.core, id, completed),
            Purpose::Send(id) => self.network.sent(&mut self.core, id, completed),
            Purpose::Control(id) => self.network.controlled(&mut self.core, id),
            Purpose::Disk(token) => {
                self.disk.done(&mut self.core, token, completed);
                Ok(())
            }
            Purpose::Hint => Ok(()),
        }
    }

    /// How long nothing has to be done; `None`: until something happens.
    fn patience(&mut self) -> Option<Duration> {
        if self.letters.waiting() || (self.network.waits() && self.core.shard.may_receive()) {
            return Some(Duration::ZERO);
        }
        let deadline: MonoNanos = self.core.shard.deadline()?;
        Some(deadline.since(self.core.now().mono))
    }
}

impl shard::Kernel for Driver<'_> {
    type Error = io::Error;

    fn shard(&mut self) -> &mut Shard {
        &mut self.core.shard
    }

    fn now(&mut self) -> Now {
        self.core.tick();
        self.core.now()
    }

    fn begin(&mut self, op: Op) -> io::Result<()> {
        match op {
            Op::Write { token, write: logtank_engine::io::Write { file, offset, buffer, from }, durable } => {
                self.disk.write(&mut self.core, Write { token, file, offset, buffer, from, durable })
            }
            Op::Sync { token, file } => self.disk.sync(&mut self.core.kernel, token, file),
            Op::WriteOut { file, offset, len } => {
                self.disk.write_out(&mut self.core.kernel, file, offset, len)
            }
            Op::ReleaseFile { file } => self.disk.release(&self.core.kernel, file),
            Op::Send { connection, bytes } => self.network.send(&mut self.core, connection, bytes),
            Op::PauseReceive { connection } => self.network.pause(&mut self.core.kernel, connection),
            Op::ResumeReceive { connection } => self.network.resume(&mut self.core.kernel, connection),
            Op::ShutdownSend { connection } => self.network.shut_send(&mut self.core.kernel, connection),
            Op::Close { connection } => self.network.close(&mut self.core, connection),
        }
    }
}
