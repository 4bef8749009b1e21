//! How the engine speaks of files: buffers, and the port to the filesystem.

pub(crate) mod buffers;
pub(crate) mod disk;
pub(crate) mod in_flight;
pub(crate) mod op;

pub use buffers::AlignedBuf;
pub use disk::{
    Disk, DiskFile, DiskResult, Entry, EntryKind, Metadata, NewFile, Space, Transfer, parent,
    temporary_beside,
};
pub use in_flight::{InFlight, Token};
pub use op::{Completion, ConnectionId, FileSlot, Op, ShardEvent, Write};
