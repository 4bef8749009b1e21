//! Takes connections of the writer's port and hands each to the shard that has the fewest.
//!
//! (A share of the port for each shard, by SO_REUSEPORT, would spread connections by a hash of their addresses: with a
//! few busy ones, some shards get several and some none.)

use std::io;
use std::net::TcpListener;
use std::os::fd::OwnedFd;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use logtank_engine::metrics::ShardMetrics;
use logtank_engine::shard::Shard;
use logtank_os::mailbox::{Mail, Mailbox};

use super::listeners;
use super::not_accepted::NotAccepted;
use crate::metrics::{Beat, IDLE_MAX};

/// Between two looks whether the shards have caught up with those who came, and how many of them.
const LOOK_EVERY: Duration = Duration::from_millis(1);
const LOOKS_MAX: usize = 1000;

/// One shard, as the acceptor sees it.
#[derive(Debug)]
pub(super) struct Destination {
    mailbox: Mailbox,
    metrics: Arc<ShardMetrics>,
    handed_over: u64,
}

impl Destination {
    pub(super) const fn new(mailbox: Mailbox, metrics: Arc<ShardMetrics>) -> Self {
        Self { mailbox, metrics, handed_over: 0 }
    }

    /// Its connections, with those that are still in its mailbox.
    fn connections(&self) -> u64 {
        let taken = self.metrics.connections_accepted.get() + self.metrics.connections_refused.get();
        self.metrics.connections.get() + self.handed_over.saturating_sub(taken)
    }
}

/// The port, and who gets its connections.
pub(super) struct Acceptor {
    listener: Arc<TcpListener>,
    shards: Vec<Destination>,
    connections_max: usize,
    stopping: Arc<AtomicBool>,
    beat: Beat,
    not_accepted: NotAccepted,
}

impl Acceptor {
    /// Of all shards together as many as this stay; which of them is for the shards to say.
    pub(super) const fn new(
        listener: Arc<TcpListener>,
        shards: Vec<Destination>,
        connections_max: usize,
        stopping: Arc<AtomicBool>,
        beat: Beat,
    ) -> Self {
        Self { listener, shards, connections_max, stopping, beat, not_accepted: NotAccepted::new("writer") }
    }

    /// Accepts until the host stops and the listener is closed.
    ///
    /// # Errors
    /// If the port fails for good.
    pub(super) fn run(mut self) -> anyhow::Result<()> {
        loop {
            self.beat.beat();
            // Wakes up now and then, as a sign of life. A connection may be gone again before it is accepted, so accepting
            // does not wait.
            let accepted = listeners::wait(&self.listener, IDLE_MAX).and_then(|()| self.listener.accept());
            if self.stopping.load(Ordering::Acquire) {
                return Ok(());
            }
            match accepted {
                Ok((stream, _)) => self.hand_over(stream.into()),
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
                Err(error) => std::thread::sleep(self.not_accepted.pause(&error)?),
            }
        }
    }

    fn hand_over(&mut self, stream: OwnedFd) {
        // A shard lets one go for each that comes; where many come at once, that takes a moment.
        let most = Shard::connections_at_once(self.connections_max) as u64;
        let looks = (0..LOOKS_MAX).find(|_| {
            let room = self.shards.iter().map(Destination::connections).sum::<u64>() < most;
            if !room {
                std::thread::sleep(LOOK_EVERY);
            }
            room
        });
        // Closing is all that a refusal can say before the client has spoken.
        if looks.is_none() {
            return;
        }
        let fewest = self.shards.iter_mut().min_by_key(|shard| shard.connections());
        let shard = fewest.expect("there is a shard");
        if shard.mailbox.post(Mail::Connection(stream)).is_ok() {
            shard.handed_over += 1;
        }
    }
}
