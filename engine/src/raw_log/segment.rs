//! One raw segment while a shard writes it.

use crate::format::raw::Salt;
use crate::io::op::FileSlot;

/// A segment made ready ahead of time, open.
#[derive(Clone, Copy, Debug)]
pub struct ReadySegment {
    /// The number in its name.
    pub ready: u64,
    /// The open file.
    pub file: FileSlot,
    /// Its length.
    pub file_bytes: u64,
    /// Fresh, random: tells its frames from those of earlier lives of the file.
    pub salt: Salt,
}
