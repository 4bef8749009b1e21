//! Mail from the rest of the host.

use std::io;
use std::os::fd::AsRawFd;

use io_uring::opcode;
use io_uring::types::Fixed;

use super::kernel::{Completed, Kernel};
use super::places;
use super::user_data::Purpose;
use crate::mailbox::{Mail, Mailbox};

/// This shard's mail, which the ring is woken for, and the ways to its peers.
pub(super) struct Letters {
    mailbox: Mailbox,
    peers: Vec<Mailbox>,
    /// What the mailbox's eventfd is read into.
    count: Box<[u8; 8]>,
    /// The eventfd is being read.
    armed: bool,
    /// There may be letters that nothing will wake this thread for.
    waiting: bool,
}

impl Letters {
    pub(super) fn new(mailbox: Mailbox, peers: Vec<Mailbox>) -> Self {
        Self { mailbox, peers, count: Box::default(), armed: false, waiting: false }
    }

    /// From now on letters wake the ring. Some may have come before.
    pub(super) fn listen(&mut self, kernel: &mut Kernel<'_>) -> io::Result<()> {
        let event = self.mailbox.event().as_raw_fd();
        kernel.submitter.register_files_update(places::MAIL, &[event])?;
        self.waiting = true;
        self.read_event(kernel)
    }

    fn read_event(&mut self, kernel: &mut Kernel<'_>) -> io::Result<()> {
        let read = opcode::Read::new(Fixed(places::MAIL), self.count.as_mut_ptr(), 8).build();
        self.armed = true;
        // SAFETY: the eight bytes are on the heap, and kept until the completion (see the drop).
        unsafe { kernel.push(&read.user_data(Purpose::Mail.pack())) }
    }

    /// The ring was woken.
    pub(super) fn arrived(&mut self, kernel: &mut Kernel<'_>, completed: Completed) -> io::Result<()> {
        self.armed = false;
        match completed.count() {
            Ok(_) => {}
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
        self.waiting = true;
        self.read_event(kernel)
    }

    /// Whether there may be letters.
    pub(super) const fn waiting(&self) -> bool {
        self.waiting
    }

    /// The next letter.
    pub(super) fn take(&mut self) -> Option<Mail> {
        let mail = self.mailbox.take();
        self.waiting = mail.is_some();
        mail
    }

    /// Wakes the other shards, so that idle ones seal what belongs to a closed epoch.
    pub(super) fn wake_peers(&self) {
        for peer in &self.peers {
            // Only connections can find a mailbox full.
            let _ = peer.post(Mail::EpochClosed);
        }
    }
}

impl Drop for Letters {
    fn drop(&mut self) {
        // After a failure (or a panic) the kernel may write to the bytes until the ring is gone, which takes a while.
        if self.armed {
            std::mem::forget(std::mem::take(&mut self.count));
        }
    }
}
