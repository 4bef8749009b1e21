//! The connections of a shard: how far each peer is, what all of them hold, and who is looked at when the turn ends.
//!
//! Each owner keeps its own: `table` (the rows), `connection` (one row: what its peer is in the middle of sending), `peer`
//! (what it is owed, and its end), `spare` (buffers to be used again), `patience` (what each is held to). They are joined
//! here, where what all of them hold is counted.

mod connection;
mod patience;
mod peer;
mod spare;
mod table;

use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use logtank_wire::inbound::InboundLimits;

use super::ShardConfig;
use super::calls::Taken;
use super::waiters::Reply;
use crate::io::op::{ConnectionId, Op, Outbox};
use crate::metrics::ShardMetrics;
use crate::time::{MonoNanos, Now};

use patience::Patience;
use spare::Spare;
use table::Table;

pub(super) use connection::Connection;
pub(super) use peer::Peer;
pub(super) use table::LEAVING_MAX;

/// Deepest nesting of a message; the contract needs five.
const DEPTH_MAX: usize = 32;
/// How long a shutdown waits for peers to take their replies.
const SHUTDOWN_PATIENCE: Duration = Duration::from_secs(5);
/// How often time limits are looked at: coarse, and cheap for ten thousand connections.
const SCAN_EVERY: Duration = Duration::from_secs(1);

/// All connections. See the module.
#[derive(Debug)]
pub(super) struct Connections {
    table: Table,
    /// Those to be looked at when the turn ends.
    listed: Vec<ConnectionId>,
    spare: Spare,
    /// Bytes of messages partly received, and of replies unsent.
    in_flight_bytes: usize,
    in_flight_bytes_max: usize,
    patience: Patience,
    next_scan: MonoNanos,
    metrics: Arc<ShardMetrics>,
}

impl Connections {
    pub(super) fn new(config: &ShardConfig, metrics: Arc<ShardMetrics>) -> Self {
        let inbound =
            InboundLimits { message_bytes_max: config.limits.message_bytes_max, depth_max: DEPTH_MAX };
        Self {
            table: Table::new(config.limits.connections_max, inbound),
            listed: Vec::new(),
            spare: Spare::default(),
            in_flight_bytes: 0,
            in_flight_bytes_max: config.limits.in_flight_bytes_max,
            patience: Patience::new(config),
            next_scan: MonoNanos(0),
            metrics,
        }
    }

    pub(super) fn is_empty(&self) -> bool {
        self.table.len() == 0
    }

    /// A new one from this address, for which one that rests may be closed; if there is a row. `all_seen`: all that was
    /// received has been looked at.
    pub(super) fn open(
        &mut self,
        address: IpAddr,
        all_seen: bool,
        now: MonoNanos,
        outbox: &mut Outbox,
    ) -> Option<ConnectionId> {
        let Some(opened) = self.table.open(address, all_seen, now) else {
            self.refuse();
            return None;
        };
        self.metrics.connections_accepted.add(1);
        if let Some(gives_way) = opened.gives_way {
            self.metrics.connections_gave_way.add(1);
            self.close(gives_way, outbox);
        }
        self.metrics.connections.set(self.table.len() as u64);
        Some(opened.id)
    }

    /// One is not taken.
    pub(super) fn refuse(&self) {
        self.metrics.connections_refused.add(1);
    }

    /// The connection, unless it is gone.
    pub(super) fn get_mut(&mut self, id: ConnectionId) -> Option<&mut Connection> {
        self.table.get_mut(id)
    }

    /// Has the connection looked at when the turn ends.
    fn list(&mut self, id: ConnectionId) {
        if self.table.get_mut(id).is_some_and(|connection| connection.peer_mut().list()) {
            self.listed.push(id);
        }
    }

    /// Messages of a connection were taken.
    ///
    /// # Panics
    /// If it is gone: they were taken from it.
    pub(super) fn took(&mut self, id: ConnectionId, taken: &Taken, now: Now, outbox: &mut Outbox) {
        let connection = self.table.get_mut(id).expect("it was received from");
        let replied = taken.replied_bytes;
        let (before, pending) = connection.count_pending();
        let peer = connection.peer_mut();
        peer.received(pending > 0, taken.messages > 0, now.mono);
        let is_first = taken.messages > 0 && peer.asked();
        self.in_flight_bytes = self.in_flight_bytes - before + pending + replied;
        let changed = (replied > 0 || !peer.is_open()) && peer.list();
        if (pending > 0 || replied > 0) && self.in_flight_bytes > self.in_flight_bytes_max {
            self.shed(now, outbox);
        } else {
            outbox.ops.extend(peer.pause(&self.patience));
        }
        if changed {
            self.listed.push(id);
        }
        if is_first {
            self.table.asked(id);
        }
    }

    /// Bytes came from a connection that are no part of a message yet.
    pub(super) fn begun(&mut self, id: ConnectionId, now: MonoNanos) {
        if let Some(connection) = self.table.get_mut(id) {
            connection.peer_mut().begun(now);
        }
    }

    /// The driver keeps so many bytes of a connection that are no part of a message yet.
    pub(super) fn holds(&mut self, id: ConnectionId, bytes: usize, now: Now, outbox: &mut Outbox) {
        let Some(connection) = self.table.get_mut(id) else { return };
        if connection.peer().is_closing() {
            return;
        }
        let before = connection.keep_outside(bytes);
        self.in_flight_bytes = self.in_flight_bytes - before + bytes;
        if bytes > before && self.in_flight_bytes > self.in_flight_bytes_max {
            self.shed(now, outbox);
        }
    }

    /// Closes a connection that there is no room for.
    pub(super) fn shed_one(&mut self, id: ConnectionId, outbox: &mut Outbox) {
        if self.close(id, outbox) {
            self.metrics.connections_shed.add(1);
        }
    }

    /// Closes connections until partly received messages and unsent replies are within their bound: first those that
    /// held the most for the longest, so that whoever sends on time doesn't pay for peers that stand still.
    fn shed(&mut self, now: Now, outbox: &mut Outbox) {
        while self.in_flight_bytes > self.in_flight_bytes_max {
            let holders = self
                .table
                .iter_mut()
                .filter(|connection| !connection.peer().is_closing() && connection.held_bytes() > 0);
            // What is left is being sent, and bounded by what each peer may be owed.
            let Some(holder) = holders.max_by_key(|connection| connection.holding(now.mono)) else { return };
            self.in_flight_bytes -= holder.let_go();
            self.metrics.connections_shed.add(1);
            outbox.ops.extend(holder.peer_mut().close());
        }
    }

    /// A reply that waited is due. Whoever is gone meanwhile gets no answer.
    pub(super) fn answer(&mut self, id: ConnectionId, reply: &Reply) {
        let Some(connection) = self.table.get_mut(id) else { return };
        let peer = connection.peer_mut();
        let Some(bytes) = peer.answer(reply, &mut self.spare) else { return };
        self.in_flight_bytes += bytes;
        if peer.list() {
            self.listed.push(id);
        }
    }

    /// The peer sends nothing more. What it is owed is sent, then the connection is closed.
    pub(super) fn finished(&mut self, id: ConnectionId, now: Now, outbox: &mut Outbox) {
        let Some(connection) = self.table.get_mut(id) else { return };
        outbox.ops.extend(connection.peer_mut().finished(&self.patience, now));
        self.list(id);
    }

    /// All are closed when they are sent what they are owed, and after a while in any case.
    pub(super) fn shut_down(&mut self, now: MonoNanos) {
        for connection in self.table.iter_mut() {
            let peer = connection.peer_mut();
            peer.shut_down(now + SHUTDOWN_PATIENCE);
            if peer.list() {
                self.listed.push(peer.id());
            }
        }
    }

    /// Begins a send for each listed connection that is owed something, and closes those that are finished.
    pub(super) fn look_at_listed(&mut self, now: Now, outbox: &mut Outbox) {
        for id in self.listed.drain(..) {
            let Some(connection) = self.table.get_mut(id) else { continue };
            let Some(op) = connection.peer_mut().look(&self.patience, now) else { continue };
            if let Op::Send { bytes, .. } = &op {
                self.metrics.sent_bytes.add(bytes.len() as u64);
            }
            outbox.ops.push_back(op);
        }
        self.metrics.in_flight_bytes.set(self.in_flight_bytes as u64);
    }

    /// A send ended.
    ///
    /// # Panics
    /// If none was under way.
    pub(super) fn sent(
        &mut self,
        id: ConnectionId,
        bytes: Vec<u8>,
        delivered: bool,
        now: MonoNanos,
        outbox: &mut Outbox,
    ) {
        let connection = self.table.get_mut(id).expect("a connection outlives its operations");
        self.in_flight_bytes -= connection.peer_mut().sent(now);
        self.spare.give(bytes);
        if delivered {
            self.list(id);
        } else {
            self.close(id, outbox);
        }
    }

    /// Ends a connection now, whatever it is owed; whether that is news.
    fn close(&mut self, id: ConnectionId, outbox: &mut Outbox) -> bool {
        let op = self.table.get_mut(id).and_then(|connection| connection.peer_mut().close());
        let closes = op.is_some();
        outbox.ops.extend(op);
        closes
    }

    /// A connection is closed, nothing is under way on it.
    ///
    /// # Panics
    /// If something is, or it was gone.
    pub(super) fn closed(&mut self, id: ConnectionId) {
        let connection = self.table.remove(id);
        assert!(!connection.peer().is_sending(), "closed while sending");
        self.in_flight_bytes -= connection.held_bytes();
        self.metrics.connections.set(self.table.len() as u64);
    }

    /// When time limits are to be looked at; `None`: there is no connection.
    pub(super) fn next_scan(&self) -> Option<MonoNanos> {
        (!self.is_empty()).then_some(self.next_scan)
    }

    /// Whether it is time for [`Self::close_overdue`].
    pub(super) fn is_scan_due(&self, now: MonoNanos) -> bool {
        now >= self.next_scan
    }

    /// Closes connections whose time is up.
    pub(super) fn close_overdue(&mut self, receiving: bool, now: MonoNanos, outbox: &mut Outbox) {
        self.next_scan = now + SCAN_EVERY;
        for connection in self.table.iter_mut() {
            let peer = connection.peer_mut();
            if peer.is_overdue(receiving, &self.patience, now) {
                self.metrics.connections_timed_out.add(1);
                outbox.ops.extend(peer.close());
            }
        }
    }
}
