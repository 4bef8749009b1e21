//! What the hot path asks of the kernel, and what comes back: plain data.
//!
//! An operation carries the memory that the kernel works on and its completion brings it back, so nothing
//! that is under way can be touched or freed.

use std::collections::VecDeque;
use std::io;

use super::buffers::AlignedBuf;
use super::in_flight::Token;
use crate::ids::Epoch;

/// A file that the ring of a shard holds open; the number is the ring's.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct FileSlot(pub u32);

/// A connection of a shard. The slot is used again after the connection's end, with another generation.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ConnectionId {
    /// Place in the table of connections.
    pub slot: u32,
    /// How often the place was used before.
    pub generation: u32,
}

/// A write of `buffer[from..]` at `offset`.
#[derive(Debug)]
pub struct Write {
    /// Where to.
    pub file: FileSlot,
    /// Byte offset in the file of the first byte to write.
    pub offset: u64,
    /// The bytes.
    pub buffer: AlignedBuf,
    /// How many bytes at the buffer's beginning are not to be written (again).
    pub from: usize,
}

/// What a shard asks for.
#[derive(Debug)]
pub enum Op {
    /// Write to a file; ends with [`Completion::Written`].
    Write {
        /// Returned with the completion.
        token: Token,
        /// What and where to.
        write: Write,
        /// The write is complete only when its bytes are as durable as after an fdatasync (`RWF_DSYNC`).
        durable: bool,
    },
    /// fdatasync; ends with [`Completion::Synced`].
    Sync {
        /// Returned with the completion.
        token: Token,
        /// What.
        file: FileSlot,
    },
    /// Begin writing a range of a buffered file out to the drive. A hint without completion.
    WriteOut {
        /// What.
        file: FileSlot,
        /// First byte.
        offset: u64,
        /// Bytes.
        len: u64,
    },
    /// Close a file that nothing is under way on.
    ReleaseFile {
        /// What.
        file: FileSlot,
    },
    /// Send all of these bytes; ends with [`Completion::Sent`]. At most one is under way per connection.
    Send {
        /// To whom.
        connection: ConnectionId,
        /// What.
        bytes: Vec<u8>,
    },
    /// Stop receiving from a connection. What has arrived before may still be delivered.
    PauseReceive {
        /// From whom.
        connection: ConnectionId,
    },
    /// Receive again.
    ResumeReceive {
        /// From whom.
        connection: ConnectionId,
    },
    /// Tell the peer that nothing more will be sent; receiving goes on.
    ShutdownSend {
        /// Whom.
        connection: ConnectionId,
    },
    /// End a connection: what is under way on it is cancelled; ends with [`Completion::Closed`].
    Close {
        /// Which.
        connection: ConnectionId,
    },
}

/// What came of an [`Op`].
#[derive(Debug)]
pub enum Completion {
    /// Of a write: how many bytes from `from` on were written.
    Written {
        /// The operation's.
        token: Token,
        /// The operation's.
        buffer: AlignedBuf,
        /// Bytes written, maybe fewer than asked for.
        result: io::Result<usize>,
    },
    /// Of an fdatasync.
    Synced {
        /// The operation's.
        token: Token,
        /// After an error nothing is known of what was written since the last success.
        result: io::Result<()>,
    },
    /// Of a send.
    Sent {
        /// To whom.
        connection: ConnectionId,
        /// The operation's, to be used again.
        bytes: Vec<u8>,
        /// Whether all bytes were taken by the kernel.
        result: io::Result<()>,
    },
    /// Of a close: nothing is under way on the connection, its slot is free.
    Closed {
        /// Which.
        connection: ConnectionId,
    },
}

/// What a shard tells the rest of the host.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ShardEvent {
    /// Fewer segments are ready than the shard wants to have at hand: prepare `missing` more.
    NeedReady {
        /// How many.
        missing: usize,
    },
    /// A ready segment that the shard was asked for ([`crate::shard::Shard::give_back`]). Nothing was written to it, and the shard
    /// does not have it open any more.
    GaveBack {
        /// The number in its name.
        ready: u64,
        /// Length of the file.
        file_bytes: u64,
    },
    /// Batches wait: what may be received until the host looks at the drive's room again is used up. To be answered by
    /// [`crate::shard::Shard::appends_allowed`].
    NeedRoom,
    /// A ready segment is in use and its header durable: it can be renamed.
    Claimed {
        /// The number in its name.
        ready: u64,
        /// The epoch of its records.
        epoch: Epoch,
        /// Its number among the shard's segments of the epoch.
        part: u32,
    },
    /// A segment is complete, sealed and durable.
    Sealed {
        /// The number that its name had.
        ready: u64,
        /// The epoch of its records.
        epoch: Epoch,
        /// Its number among the shard's segments of the epoch.
        part: u32,
    },
    /// A segment in which nothing was made durable before an I/O error; its records are durable elsewhere. Remove
    /// the file (whichever of its names it has), and don't use it again.
    Abandoned {
        /// The number in its name.
        ready: u64,
        /// The epoch it was taken into use for.
        epoch: Epoch,
        /// The part it was taken into use as.
        part: u32,
    },
    /// This shard closed an epoch: wake the other shards, so that idle ones seal theirs.
    EpochClosed {
        /// The epoch that is open now.
        now_open: Epoch,
    },
    /// An I/O error; the shard goes on by writing the batches in memory to a fresh segment. For the log.
    Rewriting {
        /// What failed.
        what: String,
    },
    /// A second I/O error: nothing more is acknowledged. The process must stop with a distinct exit code.
    Fatal {
        /// What failed.
        what: String,
    },
    /// Shutdown is complete: everything is written, synced, sealed and answered.
    Done,
}

/// What a shard has to say, in order, until the driver takes it.
#[derive(Debug, Default)]
pub struct Outbox {
    /// For the kernel.
    pub ops: VecDeque<Op>,
    /// For the rest of the host.
    pub events: VecDeque<ShardEvent>,
}
