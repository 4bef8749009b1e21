//! From received bytes to staged batches and replies.

use logtank_wire::batch::BatchView;
use logtank_wire::call::{CallError, WriterCall};
use logtank_wire::inbound::ProtocolError;
use logtank_wire::message::{Message, MessageKind};
use logtank_wire::reply::{self, ExceptionKind};

use super::batch::Accepted;
use super::connections::{Connection, Peer, Phase};
use super::waiters::{Reply, Waiter, Waiters};
use super::{Received, Shard};
use crate::io::op::{ConnectionId, Op, ShardEvent};
use crate::limits::Limits;
use crate::metrics::ShardMetrics;
use crate::raw_log::write::writer::Writer;
use crate::time::Now;

impl Shard {
    /// Bytes from a connection, in order. Takes whole messages off the front of `bytes`.
    pub fn receive(&mut self, id: ConnectionId, bytes: &mut &[u8], now: Now) -> Received {
        let Some(connection) = self.connections.get_mut(id) else {
            *bytes = &[];
            return Received::All;
        };
        let offered = bytes.len();
        let mut calls = Calls {
            writer: &mut self.writer,
            waiters: &mut self.waiters,
            accepted: &mut self.accepted,
            limits: &self.config.limits,
            metrics: &self.metrics,
            appends_allowed: self.appends_allowed,
            now,
        };
        let Taken { received, messages, replied_bytes: replied } = calls.take_messages(connection, bytes);
        self.metrics.received_bytes.add((offered - bytes.len()) as u64);
        let Connection { inbound, pending_bytes, peer, .. } = connection;
        peer.active = now.mono;
        let pending = if peer.phase == Phase::Open { inbound.pending_bytes() } else { 0 };
        self.in_flight_bytes = self.in_flight_bytes - *pending_bytes + pending + replied;
        *pending_bytes = pending;
        // A message's time runs from its first byte: what is in progress now began before only if none ended meanwhile.
        let before = peer.message_begun.filter(|_| messages == 0);
        peer.message_begun = if pending == 0 { None } else { before.or(Some(now.mono)) };
        let changed = replied > 0 || peer.phase != Phase::Open;
        if (pending > 0 || replied > 0) && self.in_flight_bytes > self.config.limits.in_flight_bytes_max {
            self.shed(now);
        } else if peer.phase == Phase::Open && !peer.paused && peer.owed_bytes() > self.config.reply_bytes_max
        {
            peer.paused = true;
            self.outbox.ops.push_back(Op::PauseReceive { connection: id });
        }
        self.metrics.stalls.add(u64::from(received == Received::Stalled));
        if received == Received::Stalled && self.waits_for_room() && !self.room_asked {
            self.room_asked = true;
            self.outbox.events.push_back(ShardEvent::NeedRoom);
        }
        if changed {
            self.list(id);
        }
        received
    }

    /// Bytes came from a connection that are no part of a message yet: of a handshake, or of a record that is not
    /// complete. Its message's time runs from the first of them.
    pub fn begun(&mut self, id: ConnectionId, now: Now) {
        if let Some(connection) = self.connections.get_mut(id) {
            connection.peer.message_begun.get_or_insert(now.mono);
        }
    }

    /// The driver keeps so many bytes of a connection that are no part of a message yet: of a handshake, or of a record
    /// that is not complete. They count like those of a message partly received.
    pub fn holds(&mut self, id: ConnectionId, bytes: usize, now: Now) {
        let Some(connection) = self.connections.get_mut(id) else { return };
        if connection.peer.phase == Phase::Closing {
            return;
        }
        self.in_flight_bytes = self.in_flight_bytes - connection.outside_bytes + bytes;
        let more = bytes > connection.outside_bytes;
        connection.outside_bytes = bytes;
        if more && self.in_flight_bytes > self.config.limits.in_flight_bytes_max {
            self.shed(now);
        }
    }

    /// Closes a connection that the driver has no room for.
    pub fn shed_one(&mut self, id: ConnectionId) {
        if self.connections.get_mut(id).is_some_and(|connection| connection.peer.phase != Phase::Closing) {
            self.metrics.connections_shed.add(1);
            self.close(id);
        }
    }

    /// Closes connections until partly received messages and unsent replies are within their bound: first those that
    /// held the most for the longest, so that whoever sends on time doesn't pay for peers that stand still.
    fn shed(&mut self, now: Now) {
        while self.in_flight_bytes > self.config.limits.in_flight_bytes_max {
            let holders = self
                .connections
                .iter_mut()
                .filter(|connection| connection.peer.phase != Phase::Closing && connection.held_bytes() > 0);
            // What is left is being sent, and bounded by what each peer may be owed.
            let Some(holder) = holders.max_by_key(|connection| connection.holding(now.mono)) else { return };
            self.in_flight_bytes -= holder.let_go();
            let id = holder.peer.id;
            self.metrics.connections_shed.add(1);
            self.close(id);
        }
    }
}

/// What became of received bytes.
struct Taken {
    received: Received,
    messages: usize,
    /// Bytes of replies that became ready to be sent.
    replied_bytes: usize,
}

/// What handling a call needs beside the connection.
struct Calls<'s> {
    writer: &'s mut Writer,
    waiters: &'s mut Waiters,
    accepted: &'s mut Accepted,
    limits: &'s Limits,
    metrics: &'s ShardMetrics,
    appends_allowed: bool,
    now: Now,
}

impl Calls<'_> {
    /// Handles all messages in `bytes`.
    fn take_messages(&mut self, connection: &mut Connection, bytes: &mut &[u8]) -> Taken {
        let Connection { inbound, peer, .. } = connection;
        let before = peer.out.len();
        let mut messages = 0;
        let received = loop {
            if peer.phase != Phase::Open {
                *bytes = &[];
                break Received::All;
            }
            if !bytes.is_empty() && !self.may_receive() {
                break Received::Stalled;
            }
            // Also without bytes: the half lets go of the last message then.
            match inbound.next(bytes) {
                Ok(Some(message)) => self.take_message(&message, peer),
                Ok(None) => break Received::All,
                Err(error) => self.give_up(&error, peer),
            }
            messages += 1;
        };
        Taken { received, messages, replied_bytes: peer.out.len() - before }
    }

    /// The same as [`Shard::may_receive`], while its parts are lent.
    fn may_receive(&self) -> bool {
        let has_segment = !self.appends_allowed || (self.writer.may_be_dealt() && self.writer.has_place());
        self.writer.has_room() && !self.waiters.is_full() && has_segment
    }

    fn take_message(&mut self, message: &Message<'_>, peer: &mut Peer) {
        match message.kind {
            MessageKind::Call | MessageKind::Oneway => match WriterCall::parse(message) {
                Ok(WriterCall::SendBatch(batch)) => self.take_batch(message, &batch, peer),
                Err(error) => {
                    match error {
                        CallError::UnknownMethod { .. } => self.metrics.refused_method.add(1),
                        CallError::MissingArgument { .. } | CallError::Batch(_) | CallError::Malformed(_) => {
                            self.metrics.refused_invalid.add(1);
                        }
                    }
                    self.refuse(message, error.exception_kind(), &error.to_string(), peer);
                }
            },
            MessageKind::Reply | MessageKind::Exception => {
                self.metrics.refused_invalid.add(1);
                let text = "a client sends calls, this message is a reply: check that client and server are not swapped";
                self.refuse(message, ExceptionKind::InvalidMessageType, text, peer);
            }
        }
    }

    fn take_batch(&mut self, message: &Message<'_>, batch: &BatchView<'_>, peer: &mut Peer) {
        if let Err(refusal) = self.accepted.check(message.body, batch, self.limits) {
            let counter =
                if refusal.is_limit() { &self.metrics.refused_limit } else { &self.metrics.refused_invalid };
            counter.add(1);
            return self.refuse(message, ExceptionKind::InternalError, &refusal.to_string(), peer);
        }
        let Accepted { records, indexes, dropped, malformed, bytes, .. } = *self.accepted;
        if records > 0 && !self.appends_allowed {
            self.metrics.refused_full.add(1);
            let text = "the drive of the raw log is nearly full; nothing of the batch was stored: send it again later, here or to another host";
            return self.refuse(message, ExceptionKind::InternalError, text, peer);
        }
        self.metrics.dropped_records.add(dropped.into());
        self.metrics.malformed_docids.add(malformed.into());
        if records > 0 {
            peer.last_frame = self.writer.stage(records, indexes, bytes, self.accepted.pieces(message.body));
        } else if peer.waiting == 0 {
            // Nothing to wait for.
            self.metrics.batches.add(1);
            if message.kind == MessageKind::Call {
                reply::void(&mut peer.out, message.dialect, SEND_BATCH, message.sequence);
            }
            return;
        }
        if message.kind == MessageKind::Call {
            let reply = Reply::Stored {
                dialect: message.dialect,
                sequence: message.sequence,
                received: self.now.mono,
            };
            self.wait(reply, peer);
        }
    }

    /// Puts a reply in the queue, behind the connection's earlier ones.
    fn wait(&mut self, reply: Reply, peer: &mut Peer) {
        peer.waiting += 1;
        self.waiters.push(Waiter { frame: peer.last_frame, connection: peer.id, reply });
    }

    fn refuse(&mut self, message: &Message<'_>, kind: ExceptionKind, text: &str, peer: &mut Peer) {
        if message.kind == MessageKind::Oneway {
            return;
        }
        if peer.waiting == 0 {
            reply::exception(&mut peer.out, message.dialect, message.name, message.sequence, kind, text);
        } else {
            let mut bytes = Vec::new();
            reply::exception(&mut bytes, message.dialect, message.name, message.sequence, kind, text);
            self.wait(Reply::Ready(bytes), peer);
        }
    }

    /// The bytes can't be parsed any further: says so, and ends the connection.
    fn give_up(&mut self, error: &ProtocolError, peer: &mut Peer) {
        self.metrics.protocol_errors.add(1);
        let (dialect, name, sequence) = error.address();
        let message = Message { dialect, kind: MessageKind::Call, name, sequence, body: &[] };
        self.refuse(&message, ExceptionKind::ProtocolError, &error.to_string(), peer);
        peer.phase = Phase::Finishing { linger: true };
    }
}

/// The method that stores a batch, as its replies name it.
pub(super) const SEND_BATCH: &[u8] = b"send_batch";
