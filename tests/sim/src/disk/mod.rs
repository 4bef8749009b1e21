//! The lowest layer that can lie: a drive with a page cache above it, of which a crash leaves what it likes.
//!
//! - A file has what the page cache shows, what the drive holds, and changes that are on their way. Only an
//!   fdatasync that succeeds makes the changes before it durable; a power cut keeps any part of the others, torn at
//!   sectors. A failed fdatasync writes some part, forgets the rest, and the next one says OK.
//! - A folder has the names that are visible and those that are durable. In between is a journal; a power cut keeps
//!   a beginning of it (as ext4 and XFS do), or any part (all that POSIX promises).

mod crash;
mod faults;
mod file;
mod port;
mod ring;
mod tree;

pub use crash::{CutPolicy, MetadataModel};
pub use faults::Faults;
pub use port::{SimDisk, SimFile};
pub use ring::RingFile;
pub use tree::{Copied, Hidden};
