//! A queue into a shard that wakes its ring.
//!
//! Mail is rare (connections, ready segments, requests), so a lock is fine; the shard sleeps in its ring and is
//! woken by an eventfd that the ring reads.

use std::collections::VecDeque;
use std::io;
use std::os::fd::OwnedFd;
use std::sync::{Arc, Mutex};

use logtank_engine::format::raw::Salt;

/// Letters that wait at most; more than that means the shard is stuck.
const LETTERS_MAX: usize = 1 << 14;

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
    letters: Mutex<VecDeque<Mail>>,
    event: OwnedFd,
}

/// The mailbox is full; the letter comes back.
#[derive(Debug)]
pub struct Full(pub Mail);

impl Mailbox {
    /// An empty mailbox.
    ///
    /// # Errors
    /// If no eventfd can be created.
    pub fn new() -> io::Result<Self> {
        let event = rustix::event::eventfd(0, rustix::event::EventfdFlags::CLOEXEC)?;
        Ok(Self(Arc::new(Shared { letters: Mutex::default(), event })))
    }

    /// Posts a letter and wakes the shard.
    ///
    /// # Errors
    /// If [`LETTERS_MAX`] letters wait: the shard is stuck or gone.
    ///
    /// # Panics
    /// If another thread panicked while holding the queue.
    pub fn post(&self, mail: Mail) -> Result<(), Full> {
        let mut letters = self.0.letters.lock().expect("nobody panics while holding it");
        if letters.len() >= LETTERS_MAX {
            return Err(Full(mail));
        }
        letters.push_back(mail);
        // Only the first letter needs to wake: the shard takes all there are.
        if letters.len() == 1 {
            rustix::io::write(&self.0.event, &1u64.to_ne_bytes()).expect("an eventfd takes a one");
        }
        Ok(())
    }

    /// The next letter.
    ///
    /// # Panics
    /// If another thread panicked while holding the queue.
    pub(crate) fn take(&self) -> Option<Mail> {
        self.0.letters.lock().expect("nobody panics while holding it").pop_front()
    }

    /// What the ring reads to be woken.
    pub(crate) fn event(&self) -> &OwnedFd {
        &self.0.event
    }
}
