//! Deleted indexes: every record of an index before its deletion's position is gone, dealt or not (decision
//! page 4).

pub(crate) mod archive;
mod file;
mod set;

#[cfg(test)]
pub(crate) use file::encode;
pub use file::{load_one, publish};
pub use set::Deletions;

pub use archive::ArchivedName;
