//! The shard ring: one thread, one io_uring for network, append and fdatasync.

mod config;

pub use config::{RingConfig, RingReport, ShardExit, WritePath};

use std::io;
use std::sync::Arc;

use logtank_engine::io::op::ShardEvent;
use logtank_engine::metrics::ShardMetrics;
use logtank_engine::sequencer::Sequencer;
use logtank_engine::shard::ShardConfig;

use crate::mailbox::Mailbox;

/// Runs one shard on this thread until it is shut down or fails.
///
/// The caller has pinned the thread. `peers` are the other shards' mailboxes: they are woken when this shard closes
/// an epoch. `events` is called on this thread and must not block.
///
/// # Errors
/// If the ring can't be set up. I/O errors of the log are [`ShardExit::Fatal`].
pub fn run_shard(
    _config: ShardConfig,
    _ring: &RingConfig,
    _sequencer: Arc<Sequencer>,
    _metrics: Arc<ShardMetrics>,
    _mailbox: &Mailbox,
    _peers: &[Mailbox],
    _events: &mut dyn FnMut(ShardEvent),
) -> io::Result<ShardExit> {
    unimplemented!("contract only")
}
