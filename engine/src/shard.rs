//! One core's share of the host: its connections and its stream of the raw log, joined.
//!
//! Sans-IO: a driver feeds it bytes, completions, mail and the time, and takes operations and events from its
//! outbox. It only joins rooms: `connections` (what each peer sent and is owed), `batch` (what a batch may
//! hold), [`crate::raw_log::writer`] (frames, segments, syncs) and `waiters` (who is answered when).
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

use crate::io::op::{Completion, ConnectionId, Outbox};
use crate::metrics::ShardMetrics;
use crate::raw_log::segment::ReadySegment;
use crate::sequencer::Sequencer;
use crate::time::{MonoNanos, Now};

mod config;

pub use config::ShardConfig;

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
pub struct Shard {}

impl Shard {
    /// A shard without connections. The sequencer is the host's; the metrics are this shard's alone.
    #[must_use]
    pub fn new(_config: ShardConfig, _sequencer: Arc<Sequencer>, _metrics: Arc<ShardMetrics>) -> Self {
        unimplemented!("contract only")
    }

    /// Operations and events, to be taken in order after each [`Self::turn`].
    pub fn outbox(&mut self) -> &mut Outbox {
        unimplemented!("contract only")
    }

    /// A new connection, or `None` if there are too many (or the shard shuts down): close it.
    pub fn accept(&mut self, _now: Now) -> Option<ConnectionId> {
        unimplemented!("contract only")
    }

    /// Bytes from a connection, in order. Takes whole messages off the front of `bytes`.
    pub fn receive(&mut self, _connection: ConnectionId, _bytes: &mut &[u8], _now: Now) -> Received {
        unimplemented!("contract only")
    }

    /// Whether [`Self::receive`] has room for at least one more message.
    #[must_use]
    pub fn may_receive(&self) -> bool {
        unimplemented!("contract only")
    }

    /// The peer sends nothing more (it closed, or receiving failed). What it is owed is sent, then the connection is closed.
    pub fn peer_finished(&mut self, _connection: ConnectionId, _now: Now) {
        unimplemented!("contract only")
    }

    /// An operation ended.
    pub fn complete(&mut self, _completion: Completion, _now: Now) {
        unimplemented!("contract only")
    }

    /// Mail: a segment made ready ahead of time.
    ///
    /// # Panics
    /// If its file is shorter than [`crate::raw_log::config::WriterConfig::ready_file_bytes_min`].
    pub fn ready_segment(&mut self, _segment: ReadySegment) {
        unimplemented!("contract only")
    }

    /// Mail: close the current epoch if it has records (the dealer wants it, or the host drains).
    pub fn seal(&mut self, _now: Now) {
        unimplemented!("contract only")
    }

    /// Mail: whether batches are taken; `false` while the drive is nearly full.
    pub fn appends_allowed(&mut self, _allowed: bool) {
        unimplemented!("contract only")
    }

    /// Mail: finish. Nothing more is received; what was received whole is written, synced, sealed and answered, the
    /// connections are closed, then [`crate::io::op::ShardEvent::Done`] follows.
    pub fn shut_down(&mut self, _now: Now) {
        unimplemented!("contract only")
    }

    /// Ends a turn: closes a frame over what was staged, moves segments and syncs on, answers whom it may.
    pub fn turn(&mut self, _now: Now) {
        unimplemented!("contract only")
    }

    /// When [`Self::turn`] must be called though nothing happened; `None`: never.
    #[must_use]
    pub fn deadline(&self) -> Option<MonoNanos> {
        unimplemented!("contract only")
    }
}
