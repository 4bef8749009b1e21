//! The threads whose end a host has to know of.

use std::fmt;

use logtank_engine::ids::ShardId;

use super::placement::Placement;

/// One thread of a host.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Thread {
    Shard(ShardId),
    RawLog,
    Acceptor,
    Background,
    Indexes,
    Space,
    Lag,
}

impl Thread {
    /// Whether what was received is in it, or needs it to reach the drive: the host waits for its end as long as that
    /// takes, and none of it may fail.
    pub(super) const fn writes(self) -> bool {
        matches!(self, Self::Shard(_) | Self::RawLog)
    }

    /// Puts the thread that calls this where it belongs.
    pub(super) fn settle(self, placement: &Placement) {
        match self {
            Self::Shard(shard) => placement.pin_shard(usize::from(shard.0)),
            Self::RawLog | Self::Indexes => placement.pin_serving(),
            Self::Background => placement.pin_background(),
            Self::Acceptor | Self::Space | Self::Lag => placement.pin_other(),
        }
    }
}

impl fmt::Display for Thread {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Shard(shard) => write!(f, "shard-{shard}"),
            Self::RawLog => f.write_str("raw-log"),
            Self::Acceptor => f.write_str("acceptor"),
            Self::Background => f.write_str("background"),
            Self::Indexes => f.write_str("indexes"),
            Self::Space => f.write_str("space"),
            Self::Lag => f.write_str("lag"),
        }
    }
}
