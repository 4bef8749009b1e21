//! One core's share of the host: its connections and its stream of the raw log, joined.
//!
//! Sans-IO: a driver feeds it bytes, completions, mail and the time, and takes operations and events from its
//! outbox. It only joins rooms: `connections` (what each peer sent and is owed), `batch` (what a batch may
//! hold), [`crate::raw_log::write::writer`] (frames, segments, syncs) and `waiters` (who is answered when).
//!
//! One turn of the driver's loop:
//!
//! 1. every completion is passed to [`Shard::complete`], every received buffer to [`Shard::receive`], mail to the
//!    methods named like it;
//! 2. [`Shard::turn`], with a fresh time;
//! 3. the operations in [`Shard::outbox`] are begun; those that complete at once are passed back as in 1, and
//!    2 follows again, until the outbox stays empty;
//! 4. the driver sleeps until a completion, or [`Shard::deadline`].

use std::sync::Arc;

use logtank_wire::inbound::InboundLimits;

use crate::io::op::{Completion, ConnectionId, Op, Outbox, ShardEvent};
use crate::metrics::ShardMetrics;
use crate::raw_log::write::segment::ReadySegment;
use crate::raw_log::write::writer::Writer;
use crate::room::ledger::Ledger;
use crate::sequencer::Sequencer;
use crate::time::{MonoNanos, Now};

mod batch;
mod calls;
mod config;
mod connections;
mod flush;
#[cfg(test)]
mod tests;
mod timers;
mod waiters;

pub use config::ShardConfig;

use batch::Accepted;
use connections::{Connections, Phase};
use waiters::Waiters;

/// Deepest nesting of a message; the contract needs five.
const DEPTH_MAX: usize = 32;

/// What became of received bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Received {
    /// All are taken.
    All,
    /// Memory is at its bound: offer the rest again when [`Shard::may_receive`], before anything newer.
    Stalled,
}

/// One core's connections and stream of the raw log.
#[derive(Debug)]
pub struct Shard {
    config: ShardConfig,
    metrics: Arc<ShardMetrics>,
    connections: Connections,
    writer: Writer,
    waiters: Waiters,
    /// The batch being looked at.
    accepted: Accepted,
    /// Connections to be looked at when the turn ends.
    listed: Vec<ConnectionId>,
    /// Buffers for replies, empty.
    spare: Vec<Vec<u8>>,
    /// Bytes of messages partly received, and of replies unsent.
    in_flight_bytes: usize,
    appends_allowed: bool,
    /// It was said that batches wait for room on the drive.
    room_asked: bool,
    next_scan: MonoNanos,
    shutting_down: bool,
    done: bool,
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
        let inbound =
            InboundLimits { message_bytes_max: config.limits.message_bytes_max, depth_max: DEPTH_MAX };
        Self {
            connections: Connections::new(config.limits.connections_max, inbound),
            writer: Writer::new(config.writer.clone(), sequencer, metrics.clone(), ledger),
            waiters: Waiters::new(config.waiters_max),
            accepted: Accepted::default(),
            listed: Vec::new(),
            spare: Vec::new(),
            in_flight_bytes: 0,
            appends_allowed: true,
            room_asked: false,
            next_scan: MonoNanos(0),
            shutting_down: false,
            done: false,
            outbox: Outbox::default(),
            config,
            metrics,
        }
    }

    /// Operations and events, to be taken in order after each [`Self::turn`].
    pub const fn outbox(&mut self) -> &mut Outbox {
        &mut self.outbox
    }

    /// A new connection, or `None` if there are too many (or the shard shuts down): close it.
    pub fn accept(&mut self, now: Now) -> Option<ConnectionId> {
        let id = if self.shutting_down { None } else { self.connections.open(now.mono) };
        match id {
            Some(_) => self.metrics.connections_accepted.add(1),
            None => self.metrics.connections_refused.add(1),
        }
        self.metrics.connections.set(self.connections.len() as u64);
        id
    }

    /// Whether [`Self::receive`] has room for at least one more message.
    #[must_use]
    pub fn may_receive(&self) -> bool {
        self.writer.has_room() && !self.waiters.is_full() && !self.waits_for_room() && !self.waits_for_place()
    }

    /// Whether batches wait until a segment is at hand that takes them. While they are refused, none waits.
    fn waits_for_place(&self) -> bool {
        self.appends_allowed && !self.writer.has_place()
    }

    /// Whether batches wait until the host has looked at the room on the drive. While they are refused, none waits.
    fn waits_for_room(&self) -> bool {
        self.appends_allowed && !self.writer.may_be_dealt()
    }

    /// The peer sends nothing more (it closed, or receiving failed). What it is owed is sent, then the connection is closed.
    pub fn peer_finished(&mut self, id: ConnectionId, now: Now) {
        let Some(connection) = self.connections.get_mut(id) else { return };
        match connection.peer.phase {
            Phase::Open | Phase::Finishing { .. } => {
                connection.peer.phase = Phase::Finishing { linger: false };
                connection.peer.expires = Some(now.mono + self.config.message_timeout);
            }
            Phase::Lingering => {
                connection.peer.phase = Phase::Closing;
                self.outbox.ops.push_back(Op::Close { connection: id });
            }
            Phase::Closing => {}
        }
        self.list(id);
    }

    /// An operation ended.
    pub fn complete(&mut self, completion: Completion, now: Now) {
        match completion {
            Completion::Written { token, buffer, result } => {
                self.writer.written(token, buffer, result, now, &mut self.outbox);
            }
            Completion::Synced { token, result } => self.writer.synced(token, result, now, &mut self.outbox),
            Completion::Sent { connection, bytes, result } => {
                self.sent(connection, bytes, result.is_ok(), now)
            }
            Completion::Closed { connection } => self.closed(connection),
        }
    }

    /// Mail: a segment made ready ahead of time.
    ///
    /// # Panics
    /// If its file is shorter than [`crate::raw_log::write::config::WriterConfig::ready_file_bytes_min`].
    pub fn ready_segment(&mut self, segment: ReadySegment) {
        self.writer.ready_segment(segment);
    }

    /// Mail: close the current epoch if it has records (the dealer wants it, or the host drains).
    pub fn seal(&mut self, now: Now) {
        self.writer.seal(now, &mut self.outbox);
    }

    /// Mail: whether batches are taken; `false` while the drive is nearly full. Also the answer to
    /// [`ShardEvent::NeedRoom`].
    pub const fn appends_allowed(&mut self, allowed: bool) {
        self.appends_allowed = allowed;
        self.room_asked = false;
    }

    /// Mail: finish. Nothing more is received; what was received whole is written, synced, sealed and answered, the
    /// connections are closed, then [`ShardEvent::Done`] follows. Offer what [`Self::receive`] left first.
    pub fn shut_down(&mut self, now: Now) {
        if self.shutting_down {
            return;
        }
        self.shutting_down = true;
        for connection in self.connections.iter_mut() {
            let peer = &mut connection.peer;
            if matches!(peer.phase, Phase::Open | Phase::Lingering) {
                peer.phase = Phase::Finishing { linger: false };
                if !peer.listed {
                    peer.listed = true;
                    self.listed.push(peer.id);
                }
            }
            let expires = now.mono + flush::SHUTDOWN_PATIENCE;
            peer.expires = Some(peer.expires.map_or(expires, |earlier| earlier.min(expires)));
        }
    }

    /// Ends a turn: closes a frame over what was staged, moves segments and syncs on, answers whom it may.
    pub fn turn(&mut self, now: Now) {
        self.metrics.turns.add(1);
        self.scan_if_due(now);
        self.writer.turn(now, &mut self.outbox);
        self.answer_due(now);
        self.flush_listed(now);
        self.metrics.in_flight_bytes.set(self.in_flight_bytes as u64);
        if self.shutting_down {
            self.finish(now);
        }
    }

    fn finish(&mut self, now: Now) {
        if self.done || !self.writer.nothing_staged() {
            return;
        }
        if self.writer.close_own_epoch(now, &mut self.outbox) {
            self.writer.turn(now, &mut self.outbox);
        } else if self.writer.is_idle() && self.connections.len() == 0 {
            self.done = true;
            self.writer.release_ready(&mut self.outbox);
            self.outbox.events.push_back(ShardEvent::Done);
        }
    }

    /// When [`Self::turn`] must be called though nothing happened; `None`: never.
    #[must_use]
    pub fn deadline(&self) -> Option<MonoNanos> {
        let scan = (self.connections.len() > 0).then_some(self.next_scan);
        scan.into_iter().chain(self.writer.deadline()).min()
    }

    /// Has the connection looked at when the turn ends.
    fn list(&mut self, id: ConnectionId) {
        if let Some(connection) = self.connections.get_mut(id)
            && !connection.peer.listed
        {
            connection.peer.listed = true;
            self.listed.push(id);
        }
    }
}
