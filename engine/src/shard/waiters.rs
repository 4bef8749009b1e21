//! Replies that wait for their batches' frames, in order of arrival.

use std::collections::VecDeque;

use logtank_wire::message::{Dialect, Message};
use logtank_wire::reply;

use crate::io::op::ConnectionId;
use crate::time::MonoNanos;

/// The method that stores a batch, as its replies name it.
const SEND_BATCH: &[u8] = b"send_batch";

/// Says that a batch is stored.
pub(super) fn stored(out: &mut Vec<u8>, message: &Message<'_>) {
    reply::void(out, message.dialect, SEND_BATCH, message.sequence);
}

/// What is to be answered.
#[derive(Debug)]
pub(super) enum Reply {
    /// The batch is stored.
    Stored {
        dialect: Dialect,
        sequence: i32,
        /// When the batch was received whole.
        received: MonoNanos,
    },
    /// A reply that is ready, but has to keep its place behind those of earlier batches.
    Ready(Vec<u8>),
}

impl Reply {
    /// Appends it to what is sent.
    pub(super) fn write(&self, out: &mut Vec<u8>) {
        match self {
            Self::Stored { dialect, sequence, .. } => reply::void(out, *dialect, SEND_BATCH, *sequence),
            Self::Ready(bytes) => out.extend_from_slice(bytes),
        }
    }
}

#[derive(Debug)]
pub(super) struct Waiter {
    /// It is due when the acknowledged watermark exceeds this.
    pub(super) frame: u64,
    pub(super) connection: ConnectionId,
    pub(super) reply: Reply,
}

/// A queue of at most so many.
#[derive(Debug)]
pub(super) struct Waiters {
    queue: VecDeque<Waiter>,
    most: usize,
}

impl Waiters {
    pub(super) fn new(most: usize) -> Self {
        Self { queue: VecDeque::with_capacity(most.min(1024)), most }
    }

    pub(super) fn is_full(&self) -> bool {
        self.queue.len() >= self.most
    }

    #[inline]
    pub(super) fn push(&mut self, waiter: Waiter) {
        self.queue.push_back(waiter);
    }

    /// The next one that is due.
    pub(super) fn pop_due(&mut self, acknowledged: u64) -> Option<Waiter> {
        if self.queue.front()?.frame < acknowledged { self.queue.pop_front() } else { None }
    }
}
