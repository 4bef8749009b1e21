//! How long a peer may take, and how much it may be owed.

use std::time::Duration;

use crate::shard::ShardConfig;

/// What each connection is held to.
#[derive(Clone, Copy, Debug)]
pub(super) struct Patience {
    /// A message must be whole so long after its first byte.
    pub(super) message: Duration,
    /// A connection without any traffic is closed after this long; `None`: never.
    pub(super) idle: Option<Duration>,
    /// With more unsent replies than this, it is not read until half are gone.
    pub(super) reply_bytes_max: usize,
}

impl Patience {
    pub(super) const fn new(config: &ShardConfig) -> Self {
        Self {
            message: config.message_timeout,
            idle: config.idle_timeout,
            reply_bytes_max: config.reply_bytes_max,
        }
    }
}
