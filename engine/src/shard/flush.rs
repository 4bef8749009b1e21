//! The end of a turn: replies that are due, one send for each connection, connections that are finished.

use std::time::Duration;

use logtank_wire::reply;

use super::Shard;
use super::calls::SEND_BATCH;
use super::connections::Phase;
use super::waiters::{Reply, Waiter};
use crate::io::op::{ConnectionId, Op};
use crate::time::Now;

/// How long a shutdown waits for peers to take their replies.
pub(super) const SHUTDOWN_PATIENCE: Duration = Duration::from_secs(5);
/// Reply buffers kept for use again, and how great each may be.
const SPARE_MAX: usize = 1024;
const SPARE_BYTES_MAX: usize = 16 * 1024;

impl Shard {
    /// Writes the replies whose batches are acknowledged behind what their connections are owed.
    pub(super) fn answer_due(&mut self, now: Now) {
        let acknowledged = self.writer.acknowledged();
        while let Some(Waiter { connection: id, reply, .. }) = self.waiters.pop_due(acknowledged) {
            if let Reply::Stored { received, .. } = reply {
                self.metrics.batches.add(1);
                self.metrics.append_latency.record(now.mono.since(received));
            }
            // Whoever is gone meanwhile gets no answer; the batch is stored all the same.
            let Some(connection) = self.connections.get_mut(id) else { continue };
            let peer = &mut connection.peer;
            peer.waiting -= 1;
            if peer.phase == Phase::Closing {
                continue;
            }
            if peer.out.capacity() == 0 {
                peer.out = self.spare.pop().unwrap_or_default();
            }
            let before = peer.out.len();
            match reply {
                Reply::Stored { dialect, sequence, .. } => {
                    reply::void(&mut peer.out, dialect, SEND_BATCH, sequence)
                }
                Reply::Ready(bytes) => peer.out.extend_from_slice(&bytes),
            }
            self.in_flight_bytes += peer.out.len() - before;
            if !peer.listed {
                peer.listed = true;
                self.listed.push(id);
            }
        }
    }

    /// Begins a send for each listed connection that is owed something, and closes those that are finished.
    pub(super) fn flush_listed(&mut self, now: Now) {
        let mut listed = std::mem::take(&mut self.listed);
        for id in listed.drain(..) {
            let Some(connection) = self.connections.get_mut(id) else { continue };
            let peer = &mut connection.peer;
            peer.listed = false;
            if peer.sending.is_some() || peer.phase == Phase::Closing {
                continue;
            }
            if !peer.out.is_empty() {
                let bytes = std::mem::take(&mut peer.out);
                peer.sending = Some(bytes.len());
                self.metrics.sent_bytes.add(bytes.len() as u64);
                self.outbox.ops.push_back(Op::Send { connection: id, bytes });
                continue;
            }
            match peer.phase {
                Phase::Finishing { .. } if peer.waiting > 0 => {}
                Phase::Finishing { linger: false } => self.close(id),
                Phase::Finishing { linger: true } => {
                    peer.phase = Phase::Lingering;
                    peer.expires.get_or_insert(now.mono + self.config.message_timeout);
                    self.outbox.ops.push_back(Op::ShutdownSend { connection: id });
                }
                Phase::Open if peer.paused && peer.owed_bytes() <= self.config.reply_bytes_max / 2 => {
                    peer.paused = false;
                    self.outbox.ops.push_back(Op::ResumeReceive { connection: id });
                }
                Phase::Open | Phase::Lingering | Phase::Closing => {}
            }
        }
        self.listed = listed;
    }

    /// A send ended.
    pub(super) fn sent(&mut self, id: ConnectionId, mut bytes: Vec<u8>, delivered: bool, now: Now) {
        let connection = self.connections.get_mut(id).expect("a connection outlives its operations");
        let peer = &mut connection.peer;
        let sending = peer.sending.take().expect("a send was under way");
        self.in_flight_bytes -= sending;
        peer.active = now.mono;
        if self.spare.len() < SPARE_MAX && bytes.capacity() <= SPARE_BYTES_MAX {
            bytes.clear();
            self.spare.push(bytes);
        }
        if delivered { self.list(id) } else { self.close(id) }
    }

    /// Ends a connection now, whatever it is owed.
    pub(super) fn close(&mut self, id: ConnectionId) {
        let Some(connection) = self.connections.get_mut(id) else { return };
        if connection.peer.phase != Phase::Closing {
            connection.peer.phase = Phase::Closing;
            self.outbox.ops.push_back(Op::Close { connection: id });
        }
    }

    /// A connection is closed, nothing is under way on it.
    pub(super) fn closed(&mut self, id: ConnectionId) {
        let connection = self.connections.remove(id);
        assert!(connection.peer.sending.is_none(), "closed while sending");
        self.in_flight_bytes -= connection.held_bytes();
        self.metrics.connections.set(self.connections.len() as u64);
    }
}
