//! A queue into a shard that wakes its ring.
//!
//! Mail is rare (connections, ready segments, requests), so a lock is fine; the shard sleeps in its ring and is
//! woken by an eventfd that the ring reads. Connections have a bounded queue of their own: however many peers come, what
//! the host itself has to say is neither lost nor kept waiting.

use std::collections::VecDeque;
use std::io;
use std::mem::discriminant;
use std::os::fd::OwnedFd;
use std::sync::{Arc, Mutex};

use logtank_engine::format::Salt;

/// Connections that wait at most; with more, the shard is not keeping up with those who connect.
const CONNECTIONS_WAITING_MAX: usize = 1 << 12;

/// What a shard can be told.
#[derive(Debug)]
pub enum Mail {
    /// A client's connected socket.
    Connection(OwnedFd),
    /// A raw segment made ready ahead of time.
    Ready {
        /// The number in its name.
        ready: u64,
        /// Open for writing, with `O_DIRECT` if the shard appends directly.
        file: OwnedFd,
        /// Length of the file.
        file_bytes: u64,
        /// Fresh, random.
        salt: Salt,
    },
    /// Give a ready segment back, if several are at hand: another shard has none.
    GiveBack,
    /// Close the current epoch if it has records.
    Seal,
    /// Another shard closed an epoch: seal what belongs to it.
    EpochClosed,
    /// Whether batches are taken; `false` while the drive is nearly full.
    AppendsAllowed(bool),
    /// Finish what was received, seal, answer, close, and end.
    Shutdown,
}

/// Where a shard's mail is posted. Clones post to the same shard.
#[derive(Clone, Debug)]
pub struct Mailbox(Arc<Shared>);

#[derive(Debug)]
struct Shared {
    letters: Mutex<Letters>,
    event: OwnedFd,
    connections_max: usize,
}

#[derive(Debug, Default)]
struct Letters {
    /// At most one of each kind, but for ready segments, of which as many come as the shard asked for.
    control: VecDeque<Mail>,
    connections: VecDeque<OwnedFd>,
}

impl Letters {
    fn is_empty(&self) -> bool {
        self.control.is_empty() && self.connections.is_empty()
    }

    /// The later of two letters that say the same, or take each other back, is enough.
    fn post_control(&mut self, mail: Mail) {
        if !matches!(mail, Mail::Ready { .. }) {
            self.control.retain(|waiting| discriminant(waiting) != discriminant(&mail));
        }
        self.control.push_back(mail);
    }
}

/// Too many connections wait already; this one was closed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Full;

impl Mailbox {
    /// An empty mailbox.
    ///
    /// # Errors
    /// If no eventfd can be created.
    pub fn new() -> io::Result<Self> {
        Self::holding(CONNECTIONS_WAITING_MAX)
    }

    fn holding(connections_max: usize) -> io::Result<Self> {
        let event = rustix::event::eventfd(0, rustix::event::EventfdFlags::CLOEXEC)?;
        Ok(Self(Arc::new(Shared { letters: Mutex::default(), event, connections_max })))
    }

    /// Posts a letter and wakes the shard.
    ///
    /// # Errors
    /// If it is a connection and too many wait already. Anything else always has room.
    ///
    /// # Panics
    /// If another thread panicked while holding the queue.
    pub fn post(&self, mail: Mail) -> Result<(), Full> {
        let mut letters = self.0.letters.lock().expect("nobody panics while holding it");
        let first = letters.is_empty();
        match mail {
            Mail::Connection(_) if letters.connections.len() >= self.0.connections_max => return Err(Full),
            Mail::Connection(socket) => letters.connections.push_back(socket),
            mail => letters.post_control(mail),
        }
        // Only the first letter needs to wake: the shard comes back until none is left.
        if first {
            rustix::io::write(&self.0.event, &1u64.to_ne_bytes()).expect("an eventfd takes a one");
        }
        Ok(())
    }

    /// The next letter: what the host has to say comes before connections.
    ///
    /// # Panics
    /// If another thread panicked while holding the queue.
    pub(crate) fn take(&self) -> Option<Mail> {
        let mut letters = self.0.letters.lock().expect("nobody panics while holding it");
        letters.control.pop_front().or_else(|| letters.connections.pop_front().map(Mail::Connection))
    }

    /// What the ring reads to be woken.
    pub(crate) fn event(&self) -> &OwnedFd {
        &self.0.event
    }
}

#[cfg(test)]
mod tests {
    use std::fs::File;

    use super::*;

    fn file() -> OwnedFd {
        File::open("/dev/null").unwrap().into()
    }

    fn ready(ready: u64) -> Mail {
        Mail::Ready { ready, file: file(), file_bytes: 0, salt: Salt(ready) }
    }

    #[test]
    fn a_flood_of_connections_takes_no_room_from_the_host() {
        let mailbox = Mailbox::holding(2).unwrap();
        mailbox.post(Mail::Connection(file())).unwrap();
        mailbox.post(Mail::Connection(file())).unwrap();
        assert_eq!(mailbox.post(Mail::Connection(file())), Err(Full), "connections are bounded");
        for mail in [ready(1), Mail::Seal, ready(2), Mail::Shutdown] {
            mailbox.post(mail).unwrap();
        }
        assert!(matches!(mailbox.take(), Some(Mail::Ready { ready: 1, .. })));
        assert!(matches!(mailbox.take(), Some(Mail::Seal)));
        assert!(matches!(mailbox.take(), Some(Mail::Ready { ready: 2, .. })));
        assert!(matches!(mailbox.take(), Some(Mail::Shutdown)));
        assert!(matches!(mailbox.take(), Some(Mail::Connection(_))));
    }

    #[test]
    fn a_shard_that_takes_nothing_keeps_one_letter_of_a_kind() {
        let mailbox = Mailbox::new().unwrap();
        for place in 0..1000 {
            mailbox.post(Mail::EpochClosed).unwrap();
            mailbox.post(Mail::AppendsAllowed(place % 2 == 0)).unwrap();
        }
        assert!(matches!(mailbox.take(), Some(Mail::EpochClosed)));
        assert!(matches!(mailbox.take(), Some(Mail::AppendsAllowed(false))), "the last one counts");
        assert!(mailbox.take().is_none());
    }
}
