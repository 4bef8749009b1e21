//! The sending half and the state of a connection.

use super::patience::Patience;
use super::spare::Spare;
use crate::connection_places::Standing;
use crate::io::op::{ConnectionId, Op};
use crate::shard::waiters::Reply;
use crate::time::{MonoNanos, Now};

/// A reply of which only this is known yet counts as so many bytes.
const WAITING_REPLY_BYTES: usize = 64;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Phase {
    /// Requests are read and answered.
    Open,
    /// Nothing more is read; it is closed when what it is owed is sent. `linger`: first say so, and wait until the
    /// peer has seen it, or closing would take the last reply back from it.
    Finishing { linger: bool },
    /// All is sent and the peer knows; waits for it to close.
    Lingering,
    /// Being closed.
    Closing,
}

/// What a peer is owed, and how far it is.
#[derive(Debug)]
pub(in crate::shard) struct Peer {
    id: ConnectionId,
    phase: Phase,
    /// Replies to be sent next.
    out: Vec<u8>,
    /// Bytes of replies being sent; `None`: nothing is.
    sending: Option<usize>,
    /// Replies that wait for their batches.
    waiting: usize,
    /// Frame that the last of them waits for.
    last_frame: u64,
    paused: bool,
    /// It is in the list of those to be looked at, at the end of the turn.
    listed: bool,
    /// When the message in progress began to arrive.
    message_begun: Option<MonoNanos>,
    /// Last time that anything came or went.
    active: MonoNanos,
    /// When it is closed whatever it is owed.
    expires: Option<MonoNanos>,
    /// A whole message has come from it.
    has_asked: bool,
}

impl Peer {
    pub(super) const fn new(id: ConnectionId, now: MonoNanos) -> Self {
        Self {
            id,
            phase: Phase::Open,
            out: Vec::new(),
            sending: None,
            waiting: 0,
            last_frame: 0,
            paused: false,
            listed: false,
            message_begun: None,
            active: now,
            expires: None,
            has_asked: false,
        }
    }

    pub(in crate::shard) const fn id(&self) -> ConnectionId {
        self.id
    }

    /// Whether its requests are read and answered.
    pub(in crate::shard) fn is_open(&self) -> bool {
        self.phase == Phase::Open
    }

    pub(super) fn is_closing(&self) -> bool {
        self.phase == Phase::Closing
    }

    /// Bytes of replies that are ready and not being sent.
    pub(in crate::shard) const fn unsent_bytes(&self) -> usize {
        self.out.len()
    }

    /// Whether earlier replies wait for their batches.
    pub(in crate::shard) const fn has_waiting(&self) -> bool {
        self.waiting > 0
    }

    /// Where a reply goes that waits for none before it.
    ///
    /// # Panics
    /// If one does: they would change places.
    pub(in crate::shard) fn out(&mut self) -> &mut Vec<u8> {
        assert!(!self.has_waiting(), "a reply overtakes another");
        &mut self.out
    }

    /// A batch of it is in this frame.
    pub(in crate::shard) const fn staged(&mut self, frame: u64) {
        self.last_frame = frame;
    }

    /// One more reply waits; returns the frame that it waits for.
    pub(in crate::shard) const fn wait(&mut self) -> u64 {
        self.waiting += 1;
        self.last_frame
    }

    /// Nothing more is read from it; it is closed when it has seen what it is owed.
    pub(in crate::shard) const fn give_up(&mut self) {
        self.phase = Phase::Finishing { linger: true };
    }

    /// A reply that waited is due: goes to what is sent next, unless the connection is being closed. How many bytes.
    pub(super) fn answer(&mut self, reply: &Reply, spare: &mut Spare) -> Option<usize> {
        self.waiting -= 1;
        if self.is_closing() {
            return None;
        }
        if self.out.capacity() == 0 {
            self.out = spare.take();
        }
        let before = self.out.len();
        reply.write(&mut self.out);
        Some(self.out.len() - before)
    }

    /// What it is owed, at least, in bytes.
    fn owed_bytes(&self) -> usize {
        self.out.len() + self.sending.unwrap_or(0) + self.waiting * WAITING_REPLY_BYTES
    }

    /// It sent something; `pending` tells whether a message is in progress now, `ended` whether one ended meanwhile.
    pub(super) fn received(&mut self, pending: bool, ended: bool, now: MonoNanos) {
        self.active = now;
        // A message's time runs from its first byte: what is in progress now began before only if none ended meanwhile.
        let before = self.message_begun.filter(|_| !ended);
        self.message_begun = pending.then(|| before.unwrap_or(now));
    }

    /// A whole message has come from it; whether that is news.
    pub(super) const fn asked(&mut self) -> bool {
        !std::mem::replace(&mut self.has_asked, true)
    }

    /// Whether it could give way to another one; `pending`: a message is in progress.
    pub(super) fn standing(&self, pending: bool) -> Standing {
        // Whose first call has not begun is silent, also if it has said something of its encryption.
        let has_begun = pending || (self.has_asked && self.message_begun.is_some());
        if self.is_open() && !self.paused && !has_begun && self.owed_bytes() == 0 {
            Standing::Resting { since: self.active }
        } else {
            Standing::Busy
        }
    }

    /// Something of a message came that only the driver has.
    pub(super) fn begun(&mut self, now: MonoNanos) {
        self.message_begun.get_or_insert(now);
    }

    /// Since when it holds what it holds.
    pub(super) fn holds_since(&self) -> MonoNanos {
        self.message_begun.unwrap_or(self.active)
    }

    /// It is to be looked at when the turn ends; whether that is news.
    pub(super) const fn list(&mut self) -> bool {
        !std::mem::replace(&mut self.listed, true)
    }

    /// Is not read any more while it is owed too much.
    pub(super) fn pause(&mut self, patience: &Patience) -> Option<Op> {
        let pauses = self.is_open() && !self.paused && self.owed_bytes() > patience.reply_bytes_max;
        self.paused |= pauses;
        pauses.then_some(Op::PauseReceive { connection: self.id })
    }

    /// It sends nothing more. It is closed when it is sent what it is owed.
    pub(super) fn finished(&mut self, patience: &Patience, now: Now) -> Option<Op> {
        match self.phase {
            Phase::Open | Phase::Finishing { .. } => {
                self.phase = Phase::Finishing { linger: false };
                self.expires = Some(now.mono + patience.message);
                None
            }
            Phase::Lingering => self.close(),
            Phase::Closing => None,
        }
    }

    /// The shard shuts down: it is closed when it is sent what it is owed, and then in any case.
    pub(super) fn shut_down(&mut self, expires: MonoNanos) {
        if matches!(self.phase, Phase::Open | Phase::Lingering) {
            self.phase = Phase::Finishing { linger: false };
        }
        self.expires = Some(self.expires.map_or(expires, |earlier| earlier.min(expires)));
    }

    /// Ends it now, whatever it is owed.
    pub(super) fn close(&mut self) -> Option<Op> {
        let before = std::mem::replace(&mut self.phase, Phase::Closing);
        (before != Phase::Closing).then_some(Op::Close { connection: self.id })
    }

    /// What is to be done when the turn ends: one send if it is owed something, its end if it is finished.
    pub(super) fn look(&mut self, patience: &Patience, now: Now) -> Option<Op> {
        self.listed = false;
        if self.sending.is_some() || self.is_closing() {
            return None;
        }
        let connection = self.id;
        if !self.out.is_empty() {
            let bytes = std::mem::take(&mut self.out);
            self.sending = Some(bytes.len());
            return Some(Op::Send { connection, bytes });
        }
        match self.phase {
            Phase::Finishing { .. } if self.has_waiting() => None,
            Phase::Finishing { linger: false } => self.close(),
            Phase::Finishing { linger: true } => {
                self.phase = Phase::Lingering;
                self.expires.get_or_insert(now.mono + patience.message);
                Some(Op::ShutdownSend { connection })
            }
            Phase::Open if self.paused && self.owed_bytes() <= patience.reply_bytes_max / 2 => {
                self.paused = false;
                Some(Op::ResumeReceive { connection })
            }
            Phase::Open | Phase::Lingering | Phase::Closing => None,
        }
    }

    /// A send ended; returns how many bytes it had.
    ///
    /// # Panics
    /// If none was under way.
    pub(super) fn sent(&mut self, now: MonoNanos) -> usize {
        self.active = now;
        self.sending.take().expect("a send was under way")
    }

    pub(super) const fn is_sending(&self) -> bool {
        self.sending.is_some()
    }

    /// Whether its time is up: a message begun and not finished, nothing at all for long, replies not taken by a peer
    /// that is finishing. While nothing is `receiving`, no message can be finished: that is not the peer's fault.
    pub(super) fn is_overdue(&self, receiving: bool, patience: &Patience, now: MonoNanos) -> bool {
        let is_old = |since: MonoNanos, most| now.since(since) >= most;
        let late = receiving
            && !self.paused
            && self.message_begun.is_some_and(|begun| is_old(begun, patience.message));
        // One that is owed a reply is not idle: it is we (or the drive) who are slow. One that does not take its
        // replies is.
        let idle = !self.has_waiting() && patience.idle.is_some_and(|most| is_old(self.active, most));
        let stuck = self.is_sending() && is_old(self.active, patience.message);
        let finished = self.expires.is_some_and(|expires| now >= expires);
        !self.is_closing() && (late || idle || stuck || finished)
    }

    /// Forgets what it is owed and not being sent.
    pub(super) fn let_go(&mut self) {
        self.out = Vec::new();
    }
}
