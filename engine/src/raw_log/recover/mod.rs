//! Puts the raw log in order before anything is appended to it.
//!
//! A crash leaves segments without a seal. Their last bytes may be torn, or missing before others that are
//! there: frames are written several at a time, and a drive keeps what it likes of what was not synced.
//! Recovery takes what stands before the first thing that is not a frame, and gives up the rest, also what the same
//! shard wrote to later segments. It never appends to what it found, so what was given up can't follow what is
//! written next.
//!
//! First, what only the page cache has is brought back to the drive. Then everything is read before anything is changed;
//! then, each step durable before the next:
//!
//! 1. EPOCH.lost: the positions that are missing; from here on nobody is shown them, even if they turn up;
//! 2. the cut: zeros where the first frame that is given up began;
//! 3. the seal;
//! 4. ready files that are in use get the names that their headers say; those with a torn header are reset.
//!
//! A crash between any two leaves a log that the next recovery brings to the same end.
//!
//! [`verify`] checks every byte, and [`repair`] salvages what is whole; both without a writer.

mod apply;
mod chain;
pub(crate) mod dealt;
mod inspect;
mod plan;
pub(crate) mod promoted;
pub(crate) mod repair;
mod report;
mod restore;
mod start;
pub(crate) mod stray;
pub(crate) mod verify;

pub use report::{Recovered, RecoveryProgress, RecoveryReport};
pub use start::recover;

#[cfg(test)]
mod tests;
