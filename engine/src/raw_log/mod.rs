//! The raw log: what was received, in order.
//!
//! [`write`] appends it, [`read`] streams it, [`recover`] puts in order what the process before left, and [`files`]
//! is the life of a raw file: made ready ahead of need, archived when it is dealt, and used again. The writing half
//! and the reading half share only the format.

pub(crate) mod files;
mod naming;
pub(crate) mod read;
pub(crate) mod recover;
#[cfg(test)]
pub(crate) mod test_support;
pub(crate) mod write;

pub use read::frame::Frame;
pub use read::live::{LiveView, ReadyFile};
pub use read::lost::Lost;
pub use read::scan::{EndReason, Item, SegmentScan};
pub use recover::repair::repair;
pub use recover::verify::verify;
pub use recover::{Recovered, RecoveryProgress, RecoveryReport, recover};
pub use write::config::{AppendMode, SyncMode};
pub use write::segment::ReadySegment;
