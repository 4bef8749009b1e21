//! One core's share of the host: its connections and its stream of the raw log, joined.
//!
//! Sans-IO: a driver feeds it bytes, completions, mail and the time, and takes operations and events from its
//! outbox. Each owner keeps its own: `connections` (what each peer sent and is owed), `calls` (what a message asks for, and
//! who is answered when), `admission` (whether batches are taken) and [`crate::raw_log::write::writer`] (frames, segments,
//! syncs). The shard joins them.
//!
//! One turn of the driver's loop:
//!
//! 1. every completion is passed to [`Shard::complete`], every received buffer to [`Shard::receive`], mail to the
//!    methods named like it;
//! 2. [`drive`], with a fresh time: [`Shard::turn`], then the operations in [`Shard::outbox`] are begun; those that
//!    complete at once are passed back as in 1, and the next turn follows, until none does;
//! 3. the events in [`Shard::outbox`] are passed on;
//! 4. the driver sleeps until a completion, or [`Shard::deadline`].

use std::net::IpAddr;
use std::sync::Arc;

use crate::io::op::{Completion, ConnectionId, Outbox, ShardEvent};
use crate::metrics::ShardMetrics;
use crate::raw_log::write::segment::ReadySegment;
use crate::raw_log::write::writer::Writer;
use crate::room::ledger::Ledger;
use crate::sequencer::Sequencer;
use crate::time::{MonoNanos, Now};

mod admission;
mod batch;
mod calls;
mod config;
mod connections;
mod drive;
#[cfg(test)]
mod tests;
mod waiters;

pub use config::ShardConfig;
pub use drive::{Kernel, drive};

use admission::Admission;
use calls::Calls;
use connections::{Connections, LEAVING_MAX};
use waiters::{Reply, Waiter};

/// What became of received bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Received {
    /// All are taken.
    All,
    /// Memory is at its bound: offer the rest again when [`Shard::may_receive`], before anything newer.
    Stalled,
}

/// How far a shutdown is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Shutdown {
    No,
    Begun,
    Done,
}

/// One core's connections and stream of the raw log.
#[derive(Debug)]
pub struct Shard {
    metrics: Arc<ShardMetrics>,
    connections: Connections,
    calls: Calls,
    admission: Admission,
    writer: Writer,
    shutdown: Shutdown,
    /// Something completed since the last turn.
    completed: bool,
    outbox: Outbox,
}

impl Shard {
    /// A shard without connections. The sequencer and the ledger are the host's; the metrics are this shard's alone.
    #[must_use]
    pub fn new(
        config: ShardConfig,
        sequencer: Arc<Sequencer>,
        metrics: Arc<ShardMetrics>,
        ledger: Arc<Ledger>,
    ) -> Self {
        Self {
            connections: Connections::new(&config, metrics.clone()),
            calls: Calls::new(&config, metrics.clone()),
            admission: Admission::new(),
            writer: Writer::new(config.writer, sequencer, metrics.clone(), ledger),
            shutdown: Shutdown::No,
            completed: false,
            outbox: Outbox::default(),
            metrics,
        }
    }

    /// Operations and events, to be taken in order after each [`Self::turn`].
    pub const fn outbox(&mut self) -> &mut Outbox {
        &mut self.outbox
    }

    /// A new connection from this address, for which one that rests may be closed; `None` if there are too many and none
    /// rests (or the shard shuts down): close it. What was received before is to be offered first.
    pub fn accept(&mut self, address: IpAddr, now: Now) -> Option<ConnectionId> {
        if self.shutdown == Shutdown::No {
            // What waits to be received may be from one that seems to rest.
            let all_seen = self.may_receive();
            self.connections.open(address, all_seen, now.mono, &mut self.outbox)
        } else {
            self.connections.refuse();
            None
        }
    }

    /// Connections that there can be in a shard that keeps so many: a few more come while others go.
    #[must_use]
    pub const fn connections_at_once(connections_max: usize) -> usize {
        connections_max.saturating_add(LEAVING_MAX)
    }

    /// Whether [`Self::receive`] has room for at least one more message.
    #[must_use]
    pub fn may_receive(&self) -> bool {
        self.calls.have_room(&self.writer, &self.admission)
    }

    /// Bytes from a connection, in order. Takes whole messages off the front of `bytes`.
    pub fn receive(&mut self, id: ConnectionId, bytes: &mut &[u8], now: Now) -> Received {
        let Some(connection) = self.connections.get_mut(id) else {
            *bytes = &[];
            return Received::All;
        };
        let offered = bytes.len();
        let taken = self.calls.take(connection, bytes, &mut self.writer, &self.admission, now);
        self.metrics.received_bytes.add((offered - bytes.len()) as u64);
        self.connections.took(id, &taken, now, &mut self.outbox);
        if taken.received == Received::Stalled {
            self.metrics.stalls.add(1);
            if self.admission.asks(&self.writer) {
                self.outbox.events.push_back(ShardEvent::NeedRoom);
            }
        }
        taken.received
    }

    /// Bytes came from a connection that are no part of a message yet: of a handshake, or of a record that is not
    /// complete. Its message's time runs from the first of them.
    pub fn begun(&mut self, id: ConnectionId, now: Now) {
        self.connections.begun(id, now.mono);
    }

    /// The driver keeps so many bytes of a connection that are no part of a message yet: of a handshake, or of a record
    /// that is not complete. They count like those of a message partly received.
    pub fn holds(&mut self, id: ConnectionId, bytes: usize, now: Now) {
        self.connections.holds(id, bytes, now, &mut self.outbox);
    }

    /// Closes a connection that the driver has no room for.
    pub fn shed_one(&mut self, id: ConnectionId) {
        self.connections.shed_one(id, &mut self.outbox);
    }

    /// The peer sends nothing more (it closed, or receiving failed). What it is owed is sent, then the connection is closed.
    pub fn peer_finished(&mut self, id: ConnectionId, now: Now) {
        self.connections.finished(id, now, &mut self.outbox);
    }

    /// An operation ended.
    pub fn complete(&mut self, completion: Completion, now: Now) {
        self.completed = true;
        match completion {
            Completion::Written { token, buffer, result } => {
                self.writer.written(token, buffer, result, now, &mut self.outbox);
            }
            Completion::Synced { token, result } => self.writer.synced(token, result, now, &mut self.outbox),
            Completion::Sent { connection, bytes, result } => {
                self.connections.sent(connection, bytes, result.is_ok(), now.mono, &mut self.outbox);
            }
            Completion::Closed { connection } => self.connections.closed(connection),
        }
    }

    /// Mail: a segment made ready ahead of time.
    ///
    /// # Panics
    /// If its file is shorter than [`crate::raw_log::write::config::WriterConfig::ready_file_bytes_min`].
    pub fn ready_segment(&mut self, segment: ReadySegment) {
        self.writer.ready_segment(segment);
    }

    /// Mail: another shard has no segment, and there is no room for one. Where this one has more than one at hand, it gives one
    /// back ([`ShardEvent::GaveBack`]).
    pub fn give_back(&mut self) {
        self.writer.give_back(&mut self.outbox);
    }

    /// Mail: close the current epoch if it has records (the dealer wants it, or the host drains).
    pub fn seal(&mut self, now: Now) {
        self.writer.seal(now, &mut self.outbox);
    }

    /// Mail: whether batches are taken; `false` while the drive is nearly full. Also the answer to
    /// [`ShardEvent::NeedRoom`].
    pub const fn appends_allowed(&mut self, allowed: bool) {
        self.admission.allow(allowed);
    }

    /// Mail: finish. Nothing more is received; what was received whole is written, synced, sealed and answered, the
    /// connections are closed, then [`ShardEvent::Done`] follows. Offer what [`Self::receive`] left first.
    pub fn shut_down(&mut self, now: Now) {
        if self.shutdown == Shutdown::No {
            self.shutdown = Shutdown::Begun;
            self.connections.shut_down(now.mono);
        }
    }

    /// Ends a turn: closes a frame over what was staged, moves segments and syncs on, answers whom it may.
    pub fn turn(&mut self, now: Now) {
        self.completed = false;
        self.metrics.turns.add(1);
        if self.connections.is_scan_due(now.mono) {
            let receiving = self.may_receive();
            self.connections.close_overdue(receiving, now.mono, &mut self.outbox);
        }
        self.writer.turn(now, &mut self.outbox);
        self.answer_due(now);
        self.connections.look_at_listed(now, &mut self.outbox);
        if self.shutdown == Shutdown::Begun {
            self.finish(now);
        }
    }

    /// Writes the replies whose batches are acknowledged behind what their connections are owed. The batch of one that is
    /// gone is stored all the same.
    fn answer_due(&mut self, now: Now) {
        let acknowledged = self.writer.acknowledged();
        while let Some(Waiter { connection, reply, .. }) = self.calls.pop_due(acknowledged) {
            if let Reply::Stored { received, .. } = reply {
                self.metrics.batches.add(1);
                self.metrics.append_latency.record(now.mono.since(received));
            }
            self.connections.answer(connection, &reply);
        }
    }

    fn finish(&mut self, now: Now) {
        if !self.writer.nothing_staged() {
            return;
        }
        if self.writer.close_own_epoch(now, &mut self.outbox) {
            self.writer.turn(now, &mut self.outbox);
        } else if self.writer.is_idle() && self.connections.is_empty() {
            self.shutdown = Shutdown::Done;
            self.writer.release_ready(&mut self.outbox);
            self.outbox.events.push_back(ShardEvent::Done);
        }
    }

    /// When [`Self::turn`] must be called though nothing happened; `None`: never.
    #[must_use]
    pub fn deadline(&self) -> Option<MonoNanos> {
        self.connections.next_scan().into_iter().chain(self.writer.deadline()).min()
    }
}
