//! What the keeper of segments reaches of the host around it.

use std::time::Duration;

use crate::error::{DiskError, Error};
use crate::ids::{Epoch, ShardId};
use crate::io::disk::Space;
use crate::io::op::ShardEvent;
use crate::metrics::ShardMetrics;
use crate::raw_log::read::live::ReadyFile;

/// The shards, and who hears of them. Numbers of shards are those of their ids.
pub trait ShardPort {
    /// How many shards there are.
    fn shards(&self) -> usize;

    /// What a shard counts.
    fn metrics(&self, shard: usize) -> &ShardMetrics;

    /// The next thing that a shard has said, if it has been said already.
    fn heard(&mut self) -> Option<(usize, ShardEvent)>;

    /// Waits for the next thing that a shard says; `None` if none will say anything any more. Dropped early, it
    /// loses nothing.
    fn hear(&mut self) -> impl Future<Output = Option<(usize, ShardEvent)>>;

    /// Opens a ready file as shards write to it, and posts it to one.
    ///
    /// # Errors
    /// If it can't be opened: it was not posted then.
    fn give(&self, shard: usize, ready: &ReadyFile) -> Result<(), DiskError>;

    /// Asks a shard for a ready segment that it has at hand, besides another one ([`ShardEvent::GaveBack`]).
    fn ask_back(&self, shard: usize);

    /// Says to a shard once more whether batches are taken.
    fn answer(&self, shard: usize);

    /// The room was looked at: it speaks against taking batches, or does so no more.
    fn room(&self, seen: &Seen);

    /// No segment can be made: that speaks against taking batches. Or does so no more.
    fn segments(&self, missing: Option<NoSegment<'_>>);

    /// Something for the log, the metrics or the start.
    fn report(&mut self, report: Report<'_>);
}

/// The room on the raw log's drive.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Seen {
    /// Whether it allows batches.
    pub open: bool,
    /// As it is.
    pub free: Space,
    /// What must be free for batches to be taken, in bytes.
    pub bytes_min: u64,
}

/// Why there is no segment for a shard.
#[derive(Clone, Copy, Debug)]
pub enum NoSegment<'e> {
    /// It would take of the room that is kept free.
    Room,
    /// It can't be made.
    Failed(&'e Error),
}

/// What the keeper of segments says.
#[derive(Debug)]
pub enum Report<'e> {
    /// Every shard has a segment to append to; or there is none to be had for one, and it will refuse batches.
    Stocked,
    /// Segments that are not needed can't be given up.
    Kept(&'e Error),
    /// A segment is about to be made of the last room there is.
    LastRoom,
    /// A segment was made ready, or could not be.
    Prepared {
        /// It was made.
        made: bool,
        /// How long that took.
        took: Duration,
    },
    /// A shard has got a segment.
    Given {
        /// Each shard whose drive failed has found another place to write to.
        all_write: bool,
    },
    /// No segment can be made; that is tried again each second.
    Failing(&'e Error),
    /// A segment in use can't be named for want of a descriptor; that is tried again.
    Unnamed(&'e Error),
    /// A segment that failed can't be removed; the next start will see to it.
    NotRemoved(&'e DiskError),
    /// A segment is complete, sealed and durable.
    Sealed {
        /// Its shard.
        shard: ShardId,
        /// Its epoch.
        epoch: Epoch,
        /// Its number among the shard's segments of the epoch.
        part: u32,
    },
    /// A shard closed an epoch.
    EpochClosed {
        /// The shard.
        shard: ShardId,
        /// The epoch that is open now.
        now_open: Epoch,
    },
    /// The raw log's drive failed: a shard writes batches in memory to a fresh segment.
    Rewriting {
        /// The shard.
        shard: ShardId,
        /// What failed.
        what: &'e str,
    },
}
