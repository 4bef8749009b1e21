use std::time::Duration;

use crate::ids::ShardId;
use crate::limits::{IDLE_TIMEOUT, Limits, MESSAGE_TIMEOUT};
use crate::raw_log::write::config::WriterConfig;

/// What a shard is to do; the same for all shards of a host but for its number.
#[derive(Clone, Debug)]
pub struct ShardConfig {
    /// How it writes its stream of the raw log.
    pub writer: WriterConfig,
    /// Bounds.
    pub limits: Limits,
    /// A message must be whole so long after its first byte.
    pub message_timeout: Duration,
    /// A connection without any traffic is closed after this long; `None`: never.
    pub idle_timeout: Option<Duration>,
    /// Unsent replies of one connection; with more, the connection is not read until half are gone.
    pub reply_bytes_max: usize,
    /// Replies that wait for their batches to be written (or synced), in one shard.
    pub waiters_max: usize,
}

impl ShardConfig {
    /// The defaults for this shard under these limits.
    #[must_use]
    pub fn new(shard: ShardId, limits: Limits) -> Self {
        Self {
            writer: WriterConfig::new(shard, &limits),
            limits,
            message_timeout: MESSAGE_TIMEOUT,
            idle_timeout: Some(IDLE_TIMEOUT),
            reply_bytes_max: 64 * 1024,
            waiters_max: 1 << 16,
        }
    }
}
