//! From received messages to staged batches and replies.

use std::sync::Arc;

use logtank_wire::batch::BatchView;
use logtank_wire::call::{CallError, WriterCall};
use logtank_wire::inbound::ProtocolError;
use logtank_wire::message::{Message, MessageKind};
use logtank_wire::reply::{self, ExceptionKind};

use super::admission::Admission;
use super::batch::{Accepted, Batch};
use super::connections::{Connection, Peer};
use super::waiters::{self, Reply, Waiter, Waiters};
use super::{Received, ShardConfig};
use crate::limits::Limits;
use crate::metrics::ShardMetrics;
use crate::raw_log::write::writer::Writer;
use crate::time::Now;

/// What became of received bytes.
pub(super) struct Taken {
    pub(super) received: Received,
    pub(super) messages: usize,
    /// Bytes of replies that became ready to be sent.
    pub(super) replied_bytes: usize,
}

/// The calls of all connections: what is looked at, and the replies that wait.
#[derive(Debug)]
pub(super) struct Calls {
    waiters: Waiters,
    /// The batch being looked at.
    accepted: Accepted,
    limits: Limits,
    metrics: Arc<ShardMetrics>,
}

impl Calls {
    pub(super) fn new(config: &ShardConfig, metrics: Arc<ShardMetrics>) -> Self {
        Self {
            waiters: Waiters::new(config.waiters_max),
            accepted: Accepted::default(),
            limits: config.limits.clone(),
            metrics,
        }
    }

    /// Whether there is room for one more message: in memory, among the replies that wait, and on the drive.
    pub(super) fn have_room(&self, writer: &Writer, admission: &Admission) -> bool {
        let has_place = !admission.waits(writer) && !admission.waits_for_place(writer);
        writer.has_room() && !self.waiters.is_full() && has_place
    }

    /// The next reply that is due.
    pub(super) fn pop_due(&mut self, acknowledged: u64) -> Option<Waiter> {
        self.waiters.pop_due(acknowledged)
    }

    /// Handles all messages of a connection in `bytes`, as far as there is room.
    pub(super) fn take(
        &mut self,
        connection: &mut Connection,
        bytes: &mut &[u8],
        writer: &mut Writer,
        admission: &Admission,
        now: Now,
    ) -> Taken {
        let (inbound, peer) = connection.halves();
        let before = peer.unsent_bytes();
        let mut messages = 0;
        let received = loop {
            if !peer.is_open() {
                *bytes = &[];
                break Received::All;
            }
            if !bytes.is_empty() && !self.have_room(writer, admission) {
                break Received::Stalled;
            }
            let mut turn = Turn { calls: self, writer, admission, peer, now };
            // Also without bytes: the half lets go of the last message then.
            match inbound.next(bytes) {
                Ok(Some(message)) => turn.take_message(&message),
                Ok(None) => break Received::All,
                Err(error) => turn.give_up(&error),
            }
            messages += 1;
        };
        Taken { received, messages, replied_bytes: peer.unsent_bytes() - before }
    }
}

/// What handling one message needs.
struct Turn<'s> {
    calls: &'s mut Calls,
    writer: &'s mut Writer,
    admission: &'s Admission,
    peer: &'s mut Peer,
    now: Now,
}

impl Turn<'_> {
    fn take_message(&mut self, message: &Message<'_>) {
        match message.kind {
            MessageKind::Call | MessageKind::Oneway => match WriterCall::parse(message) {
                Ok(WriterCall::SendBatch(batch)) => self.take_batch(message, &batch),
                Err(error) => {
                    match error {
                        CallError::UnknownMethod { .. } => self.calls.metrics.refused_method.add(1),
                        CallError::MissingArgument { .. } | CallError::Batch(_) | CallError::Malformed(_) => {
                            self.calls.metrics.refused_invalid.add(1);
                        }
                    }
                    self.refuse(message, error.exception_kind(), &error.to_string());
                }
            },
            MessageKind::Reply | MessageKind::Exception => {
                self.calls.metrics.refused_invalid.add(1);
                let text = "a client sends calls, this message is a reply: check that client and server are not swapped";
                self.refuse(message, ExceptionKind::InvalidMessageType, text);
            }
        }
    }

    fn take_batch(&mut self, message: &Message<'_>, batch: &BatchView<'_>) {
        let Calls { accepted, limits, metrics, .. } = &mut *self.calls;
        let Batch { records, dropped, indexes, malformed, bytes } =
            match accepted.check(message.body, batch, limits) {
                Ok(batch) => batch,
                Err(refusal) => {
                    let limit = refusal.is_limit();
                    let counter = if limit { &metrics.refused_limit } else { &metrics.refused_invalid };
                    counter.add(1);
                    return self.refuse(message, ExceptionKind::InternalError, &refusal.to_string());
                }
            };
        if records > 0 && !self.admission.is_allowed() {
            self.calls.metrics.refused_full.add(1);
            let text = "the drive of the raw log is nearly full; nothing of the batch was stored: send it again later, here or to another host";
            return self.refuse(message, ExceptionKind::InternalError, text);
        }
        self.calls.metrics.dropped_records.add(dropped.into());
        self.calls.metrics.malformed_docids.add(malformed.into());
        if records > 0 {
            let pieces = self.calls.accepted.pieces(message.body);
            self.peer.staged(self.writer.stage(records, indexes, bytes, pieces));
        } else if !self.peer.has_waiting() {
            // Nothing to wait for.
            self.calls.metrics.batches.add(1);
            if message.kind == MessageKind::Call {
                waiters::stored(self.peer.out(), message);
            }
            return;
        }
        if message.kind == MessageKind::Call {
            let reply = Reply::Stored {
                dialect: message.dialect,
                sequence: message.sequence,
                received: self.now.mono,
            };
            self.wait(reply);
        }
    }

    /// Puts a reply in the queue, behind the connection's earlier ones.
    fn wait(&mut self, reply: Reply) {
        let (frame, connection) = (self.peer.wait(), self.peer.id());
        self.calls.waiters.push(Waiter { frame, connection, reply });
    }

    fn refuse(&mut self, message: &Message<'_>, kind: ExceptionKind, text: &str) {
        if message.kind == MessageKind::Oneway {
            return;
        }
        if !self.peer.has_waiting() {
            let out = self.peer.out();
            reply::exception(out, message.dialect, message.name, message.sequence, kind, text);
        } else {
            let mut bytes = Vec::new();
            reply::exception(&mut bytes, message.dialect, message.name, message.sequence, kind, text);
            self.wait(Reply::Ready(bytes));
        }
    }

    /// The bytes can't be parsed any further: says so, and ends the connection.
    fn give_up(&mut self, error: &ProtocolError) {
        self.calls.metrics.protocol_errors.add(1);
        let (dialect, name, sequence) = error.address();
        let message = Message { dialect, kind: MessageKind::Call, name, sequence, body: &[] };
        self.refuse(&message, ExceptionKind::ProtocolError, &error.to_string());
        self.peer.give_up();
    }
}
