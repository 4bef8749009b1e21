//! Mail from the rest of the host.

use std::io;
use std::os::fd::AsRawFd;

use io_uring::opcode;
use io_uring::types::Fixed;
use logtank_engine::raw_log::segment::ReadySegment;

use super::driver::{Driver, MAIL_INDEX};
use super::kernel::Completed;
use super::user_data::Purpose;
use crate::mailbox::Mail;

/// Letters opened between two turns of the shard: however fast peers connect, those who are connected get their turn.
const LETTERS_AT_ONCE: usize = 64;

impl Driver<'_> {
    pub(super) fn listen_to_mail(&mut self) -> io::Result<()> {
        let event = self.links.mailbox.event().as_raw_fd();
        self.kernel.submitter.register_files_update(MAIL_INDEX, &[event])?;
        self.read_mail_event()?;
        // Letters that came before.
        self.open_letters()
    }

    fn read_mail_event(&mut self) -> io::Result<()> {
        let read = opcode::Read::new(Fixed(MAIL_INDEX), self.mail_count.as_mut_ptr(), 8).build();
        self.mail_armed = true;
        // SAFETY: the eight bytes are on the heap, and kept until the completion (see the driver's drop).
        unsafe { self.kernel.push(&read.user_data(Purpose::Mail.pack())) }
    }

    pub(super) fn mail_arrived(&mut self, completed: Completed) -> io::Result<()> {
        self.mail_armed = false;
        match completed.count() {
            Ok(_) => {}
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
        self.open_letters()?;
        self.read_mail_event()
    }

    /// Opens letters; if some stay behind, the loop comes back to them without sleeping.
    pub(super) fn open_letters(&mut self) -> io::Result<()> {
        for _ in 0..LETTERS_AT_ONCE {
            let mail = self.links.mailbox.take();
            self.mail_waits = mail.is_some();
            let Some(mail) = mail else { return Ok(()) };
            match mail {
                Mail::Connection(socket) => self.accept(socket)?,
                Mail::Ready { ready, file, file_bytes, salt } => {
                    let file = self.files.open(&self.kernel.submitter, file)?;
                    self.shard.ready_segment(ReadySegment { ready, file, file_bytes, salt });
                }
                Mail::Seal => self.shard.seal(self.now),
                // To be woken is all that is needed: the shard looks at the epoch in each turn.
                Mail::EpochClosed => {}
                Mail::AppendsAllowed(allowed) => self.shard.appends_allowed(allowed),
                Mail::Shutdown => self.shut_down = true,
            }
        }
        Ok(())
    }

    /// Wakes the other shards, so that idle ones seal what belongs to a closed epoch.
    pub(super) fn wake_peers(&self) {
        for peer in &self.links.peers {
            // Only connections can find a mailbox full.
            let _ = peer.post(Mail::EpochClosed);
        }
    }
}
