//! Deleted indexes: every record of an index before its deletion's position is gone, dealt or not (decision
//! page 4).

pub mod archive;
mod cut;
mod file;
mod log;
mod set;

pub use file::{load_one, publish};
pub use log::DeletionLog;
pub use set::Deletions;
