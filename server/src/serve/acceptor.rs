//! Takes connections of the writer's port and hands each to the shard that has the fewest.
//!
//! (A share of the port for each shard, by SO_REUSEPORT, would spread connections by a hash of their addresses: with a
//! few busy ones, some shards get several and some none.)

use std::net::TcpListener;
use std::os::fd::OwnedFd;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use logtank_engine::error::is_shortage;
use logtank_engine::metrics::ShardMetrics;
use logtank_os::mailbox::{Mail, Mailbox};

use super::listeners;
use crate::metrics::{Beat, IDLE_MAX};

/// Between two log lines about connections that can't be taken.
const TELL_EVERY: Duration = Duration::from_secs(10);

/// One shard, as the acceptor sees it.
#[derive(Debug)]
pub(super) struct Destination {
    pub(super) mailbox: Mailbox,
    pub(super) metrics: Arc<ShardMetrics>,
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

/// Accepts until `stopping` is set and the listener closed.
///
/// # Errors
/// If the port fails for good.
pub(super) fn accept(
    listener: &TcpListener,
    mut shards: Vec<Destination>,
    connections_max: usize,
    stopping: &AtomicBool,
    beat: &Beat,
) -> anyhow::Result<()> {
    let mut told: Option<Instant> = None;
    loop {
        beat.beat();
        // Wakes up now and then, as a sign of life. A connection may be gone again before it is accepted, so accepting does
        // not wait.
        let accepted = listeners::wait(listener, IDLE_MAX).and_then(|()| listener.accept());
        if stopping.load(Ordering::Acquire) {
            return Ok(());
        }
        let stream = match accepted {
            Ok((stream, _)) => stream,
            Err(error) if error.kind() == std::io::ErrorKind::WouldBlock => continue,
            Err(error) if is_shortage(&error) => {
                if told.is_none_or(|at| at.elapsed() >= TELL_EVERY) {
                    told = Some(Instant::now());
                    tracing::error!(%error, "no more connections can be taken until some are closed; raise the limit of open files");
                }
                // The kernel tells nobody when descriptors come back.
                std::thread::sleep(Duration::from_millis(50));
                continue;
            }
            Err(error) if listeners::is_peers(&error) => continue,
            Err(error) if listeners::is_broken(&error) => {
                anyhow::bail!("the writer's port can't be listened on any more: {error}")
            }
            Err(error) => {
                if told.is_none_or(|at| at.elapsed() >= TELL_EVERY) {
                    told = Some(Instant::now());
                    tracing::warn!(%error, "a connection to the writer's port was not accepted");
                }
                std::thread::sleep(listeners::ERROR_PAUSE);
                continue;
            }
        };
        let open: u64 = shards.iter().map(Destination::connections).sum();
        // Closing is all that a refusal can say before the client has spoken.
        if open >= connections_max as u64 {
            continue;
        }
        let shard = shards.iter_mut().min_by_key(|shard| shard.connections()).expect("there is a shard");
        if shard.mailbox.post(Mail::Connection(OwnedFd::from(stream))).is_ok() {
            shard.handed_over += 1;
        }
    }
}
