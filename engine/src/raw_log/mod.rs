//! The raw log: what was received, in order.
//!
//! [`write`] appends it, [`read`] streams it, [`recover`] puts in order what the process before left, and [`files`]
//! is the life of a raw file: made ready ahead of need, archived when it is dealt, and used again. The writing half
//! and the reading half share only the format.

pub mod files;
mod naming;
pub mod read;
pub mod recover;
#[cfg(test)]
pub(crate) mod test_support;
pub mod write;
